// Package testkit holds what the tests of this module share: servers, clients,
// responses, recordings of real servers, and assertions.
//
// Start with one of these:
//
//   - [NewClient] returns a client of an [http.Handler] that listens on
//     loopback. [Stub], [Reply] and [FlowServer] are handlers.
//   - [NewSequence] is a server in memory that handles each request with the
//     next of its steps. Use [Sequence] inside [RunInBubble], where waiting
//     takes no time.
//   - [NewConnServer] controls a connection byte by byte.
//   - [NewCheckedClient] returns a client whose errors and log must not contain
//     a secret.
//   - [Recording] returns an exchange with a real server.
//
// internal/suite/README.md has a short test of each kind to copy.
package testkit
