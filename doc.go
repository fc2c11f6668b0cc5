// Package authentik is a client for the flows API of [authentik], the
// open-source identity provider. The client reads and writes flows, stages and
// the bindings that tie them together, and runs flows as a browser does. The
// package works with every release from 2021.12 to 2026.8. It is not official.
//
//	go get github.com/seed-299d42e7/authentik-go
//
// A quick start, with an API token of a user who may view flows:
//
//	client, err := authentik.NewClient("https://sso.example.com", token)
//	if err != nil {
//		return err
//	}
//	defer client.Close()
//	for flow, err := range client.FlowsInstancesAll(ctx, nil) {
//		if err != nil {
//			return err
//		}
//		fmt.Println(flow.Slug, flow.Designation)
//	}
//
// # Operations
//
// A method is named after the operationId of authentik's API. The operations
// on flows keep the name of their tag, flows_instances_…, and those on bindings
// lose it. A list has three methods: List returns one page, and Pages and All
// return iterators over the pages and the items.
//
//	flows_instances_list             FlowsInstancesList, …Pages, …All
//	flows_instances_create           FlowsInstancesCreate
//	flows_instances_retrieve         FlowsInstancesRetrieve
//	flows_instances_update           FlowsInstancesUpdate (PUT)
//	flows_instances_partial_update   FlowsInstancesPartialUpdate (PATCH)
//	flows_instances_destroy          FlowsInstancesDestroy
//	flows_instances_…                FlowsInstancesUsedByList, …DiagramRetrieve,
//	                                 …ExportRetrieve, …ImportCreate,
//	                                 …ExecuteRetrieve, …CacheInfoRetrieve,
//	                                 …CacheClearCreate, …SetBackgroundCreate,
//	                                 …SetBackgroundURLCreate
//	flows_bindings_…                 BindingsList, …Pages, …All, …Create,
//	                                 …Retrieve, …Update, …PartialUpdate,
//	                                 …Destroy, …UsedByList
//	stages_all_…                     StagesAllList, …Pages, …All, …Retrieve,
//	                                 …TypesList, …UsedByList, …Destroy
//	flows_executor_get               Session.ExecutorGet
//	flows_executor_solve             Session.ExecutorSolve, Session.Run
//	flows_inspector_get              Session.InspectorGet
//	core_users_me_retrieve           Session.Login, Session.LoggedIn
//	admin_version_retrieve           ServerVersion
//
// [Client.Get], [Client.Do] and [ListAll] reach every other endpoint.
//
// # Writing
//
// A field of a [FlowRequest] or a [FlowStageBindingRequest] with its zero value
// is not sent. A field for which zero is a value is a pointer: new(false),
// new(0). Request of a [Flow] and of a [FlowStageBinding] returns the request
// that would write what was read.
//
// # Sessions
//
// A [Session] runs flows without a browser, and acts as the user who has logged
// in:
//
//	session, err := authentik.NewSession("https://sso.example.com")
//	user, err := session.Login(ctx, "default-authentication-flow",
//		authentik.Credentials{Username: "alice", Password: password})
//	client, err := session.Client()
//
// [Session.Run] runs any flow with a [Solver], which responds to the challenges
// of package [github.com/seed-299d42e7/authentik-go/challenge]. A
// [ChallengeError] has the server's reasons for a response that it rejected.
//
// # Errors
//
// A response with an error status is an [*APIError], within a
// [*ValidationError] for 400 and within a [*PermissionError] for 401 and 403. A
// request without a usable response is a [*RequestError]. A response that is not
// the requested thing is a [*DecodeError]. An invalid argument is an
// [*ArgumentError], and nothing was sent. errors.As distinguishes these types, and
// errors.Is matches sentinels such as [ErrNotFound]:
//
//	var invalid *authentik.ValidationError
//	switch {
//	case errors.As(err, &invalid):
//		fmt.Println(invalid.Fields["designation"])
//	case errors.Is(err, authentik.ErrNotFound):
//		// there is no such binding
//	}
//
// The text of an error is one line with the operation, the status, the invalid
// fields, and the request ID that the server logs. Neither errors nor log
// records contain the token. They contain a search term only where the message
// of the server quotes it.
//
// # Iteration
//
// [Client.FlowsInstancesAll] requests pages as they are needed, always
// terminates, yields each flow once, and reports a list that changes meanwhile.
// Its documentation lists all guarantees. [Client.FlowsInstancesPages] iterates
// over pages. [Collect], [One] and [Snapshot] read a sequence to its end.
// [WithPrefetch] requests pages ahead of time.
//
// # Decoding
//
// The client accepts what other releases send: unknown fields, unknown values of
// enums, and the lack of fields that a release does not have. The client rejects
// everything else that does not match: a required key that is missing, null, a
// wrong type, a duplicate key, a key in the wrong case, and invalid UTF-8. Such a
// response is a [*DecodeError] with the path of the invalid value, never a zero
// value. Decoded values do not retain the response body.
//
// # Versions
//
// The same code works with every release. A field that a release does not have
// is zero, and the doc comments of fields, values and methods say since when they
// exist. An operation that a release does not have is [ErrUnsupported]. The
// differences come from real servers and from the schema of each release.
//
// # Testing
//
// Package [github.com/seed-299d42e7/authentik-go/authentiktest] is a fake
// authentik of any of these releases, with the flows of a fresh install and
// with faults on demand:
//
//	srv := authentiktest.NewServer(t, authentiktest.Version("2024.10"))
//	srv.FailNext(1, http.StatusBadGateway, "", nil)
//	client := srv.Client()
//
// # Retries
//
// [RetryPolicy] describes which requests are retried, and how long the client
// waits for a server that restarts. The client follows no redirect. Nothing is
// logged without [WithLogger].
//
// [authentik]: https://goauthentik.io
package authentik
