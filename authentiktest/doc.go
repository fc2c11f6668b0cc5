// Package authentiktest is a fake authentik, for tests of what uses one.
//
//	srv := authentiktest.NewServer(t, authentiktest.Version("2024.10"))
//	client := srv.Client()
//
// It answers as authentik of the chosen release does: with its fields, enum
// values, page sizes, error bodies and header fields, for the flows, stages
// and bindings that a fresh install has, and those that the test adds. What it
// answers is compared with the recorded answers of seven real servers, from
// 2021.12 to 2026.8, byte by byte.
//
// [NewServer] listens on loopback; [RoundTripper] needs no socket, and so can
// be used within [testing/synctest]; [Start] needs no test.
//
// What it knows: the lists of flows, bindings and stages and each of their
// objects, the number of cached plans, the version, and who the user is. It
// answers other operations, and everything that writes, with status 501; a
// test changes the server with the methods of [Server].
//
// What it does not know: how long authentik takes, cookies and sessions,
// compression, and other languages than English.
package authentiktest
