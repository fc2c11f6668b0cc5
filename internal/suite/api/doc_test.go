// Package api_test tests each function, method, option and error of the root
// package through the public API. Its files are named after the files of the
// root that they test.
package api_test
