// Package authentik is a client of authentik's flows API.
package authentik
