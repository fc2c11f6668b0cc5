// Package authentiktest provides a fake authentik server for the tests of
// programs that use one.
//
//	srv := authentiktest.NewServer(t, authentiktest.Version("2024.10"))
//	client := srv.Client()
//
// The server responds as the chosen release of authentik does, for the flows,
// stages and bindings of a fresh install and for those that the test adds. The
// tests of this package compare the responses byte by byte with those of seven
// real servers, from 2021.12 to 2026.8.
//
// # Start a server
//
//   - on loopback, for one test: [NewServer]
//   - without a socket, in a bubble of [testing/synctest]: [RoundTripper]
//   - without a test, such as for a demonstration: [Start]
//   - another release, an empty server, HTTPS: [Version], [Empty], [TLS]
//   - a client of the superuser, or of another user: [Server.Client],
//     [Server.ClientAs]
//
// # Change what the server has
//
//   - flows, stages and bindings: [Server.AddFlow], [Server.AddStage],
//     [Server.AddBinding], or the client under test
//   - many flows: [Server.AddFlows]
//   - what else uses an object: [Server.AddUse]
//   - a user of the API with permissions: [Server.AddUser]
//   - a token that expires: [Server.RotateToken]
//   - a change while a client iterates: [Server.ChangeListAfterPage]
//
// Every operation on flows, bindings and stages is implemented, and so are the
// version and the current user. The response to another operation is status
// 501. Writes are validated and refused as the release does.
//
// # Run flows
//
// The server runs flows for clients with cookies: those of a fresh install, and
// those of the test.
//
//   - a user who logs in: [Server.AddAccount]
//   - a second factor: [Server.AddDevice]
//   - stages of a flow: [Server.AddStages]
//   - other settings of a stage of a fresh install: [Server.ConfigureStage]
//   - a restriction of a flow or a stage: [Server.AddPolicy]
//   - a kind of stage that the server does not have, such as WebAuthn:
//     [Server.Script] for the whole flow, [ChallengeStage] for one stage
//
// # Make faults
//
// Each fault takes one call. [Server.On] limits a fault to one operation. A
// fault that no request meets fails the test, and so does misuse.
//
//   - any response, for some requests: [Server.FailNext], [Server.HTMLPage]
//   - authentik starts or has crashed: [Server.Starting], [Server.Crashed]
//   - a proxy cannot reach authentik, for a time: [Server.Behind]
//   - refused connections or an unknown name, for a time: [Server.Down],
//     [Server.Unresolvable]
//   - a rate limit: [Server.RateLimit]
//   - a write that happened, and a lost response: [Server.FailAfterCommit]
//   - a connection that breaks: [Server.Reset], [Server.CutBody]
//   - connections that die silently: [Server.KillConnections]
//   - a slow response: [Server.Latency]
//   - no faults any more: [Server.ClearFaults]
//
// [Server.Requests] returns what the server received, without secrets.
//
// # Limits
//
// The server does not imitate the speed of authentik, compression, and
// languages other than English. An import reads the YAML that exports consist
// of, JSON, and the tags !KeyOf and !Find; an import of other YAML, such as of
// anchors, fails like one of broken YAML. A policy of an import passes unless
// its last line is return False.
//
// Two servers generate the same identifiers in the same order. A test that
// imports the flows of one server into another one, which has flows of the test
// already, sets their PK: authentik takes objects with the same PK for the same.
package authentiktest
