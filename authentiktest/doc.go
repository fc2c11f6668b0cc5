// Package authentiktest provides a fake authentik server for the tests of
// programs that use one.
//
//	srv := authentiktest.NewServer(t, authentiktest.Version("2024.10"))
//	client := srv.Client()
//
// The server responds as the chosen release of authentik does: with its
// fields, enum values, page sizes, error bodies and header fields, for the
// flows, stages and bindings of a fresh install and for those that the test
// adds. The tests of this package compare its responses byte by byte with
// those of seven real servers, from 2021.12 to 2026.8.
//
// [NewServer] listens on loopback. [RoundTripper] needs no socket and works in
// a bubble of [testing/synctest]. [Start] needs no test.
//
// The server implements the operations of flows, bindings and stages: lists,
// objects, writes, uses, diagrams, exports, imports, the cache and backgrounds.
// It implements the version and the current user, too. Writes are validated and
// refused as the release does. Other operations are status 501. A test changes
// the server with the methods of [Server].
//
// The server runs flows for clients with cookies, those of a fresh install and
// those of the test. [Server.AddAccount] adds a user with a password, and
// [Server.AddDevice] a second factor. [Server.AddStages] adds stages to a flow,
// and [Server.AddPolicy] restricts a flow or a stage. A kind of stage that the
// server does not have, such as WebAuthn, is status 501. [Server.Script] and
// [ChallengeStage] show its challenge.
//
// # Faults
//
// Each fault takes one call. [Server.On] limits a fault to one operation. A
// fault that no request meets fails the test.
//
//   - any response, for some requests: [Server.FailNext], [Server.HTMLPage]
//   - authentik starts or has crashed: [Server.Starting], [Server.Crashed]
//   - a proxy cannot reach authentik, for a time: [Server.Behind]
//   - refused connections or an unknown name, for a time: [Server.Down],
//     [Server.Unresolvable]
//   - a rate limit: [Server.RateLimit]
//   - a write that happened, and a response that is lost: [Server.FailAfterCommit]
//   - a connection that breaks: [Server.Reset], [Server.CutBody]
//   - connections that die silently: [Server.KillConnections]
//   - a slow response: [Server.Latency]
//   - a list that changes: [Server.ChangeListAfterPage]
//
// [Server.Requests] returns what the server got.
//
// # Limits
//
// The server does not imitate the speed of authentik, compression, and
// languages other than English. An import reads the YAML that exports consist
// of, and JSON; it responds to other YAML as to broken YAML. A policy has the
// result that its last line shows, if that is return True or return False, and
// else passes.
package authentiktest
