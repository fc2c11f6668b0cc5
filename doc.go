// Package authentik is a client of the flows API of [authentik], the
// open-source identity provider. It reads and writes flows, the bindings that
// tie stages to them, and the stages, on every release from 2021.12 to 2026.8.
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
// An answer with an error status is an [*APIError], in a [*ValidationError] if
// it is a 400 and in a [*PermissionError] if it is a 401 or 403. A request
// without a usable answer is a [*RequestError]; an answer that is not what was
// asked for, a [*DecodeError]; a value that was refused before anything was
// sent, an [*ArgumentError]. errors.As tells them apart, and errors.Is answers
// [ErrNotFound] and the others:
//
//	var invalid *authentik.ValidationError
//	switch {
//	case errors.As(err, &invalid):
//		fmt.Println(invalid.Fields["designation"])
//	case errors.Is(err, authentik.ErrNotFound):
//		// no such binding
//	}
//
// Their texts are one line and say which operation, which status, which field
// and which request, under the ID that the server logs. Neither they nor the
// log hold the token or what was searched for, unless the server's own message
// quotes it.
//
// # Iteration
//
// [Client.FlowsInstancesAll] is lazy, ends, delivers each flow once, and tells
// when the list changed under it; its documentation lists what it guarantees.
// [Client.FlowsInstancesPages] walks page by page. [Collect], [One] and
// [Snapshot] read a sequence to its end. [WithPrefetch] asks ahead.
//
// # Decoding
//
// Reading is tolerant across servers: fields and enum values that this library
// does not know, and fields that an older server does not have, are no errors.
// It is strict about nonsense: a required key that is missing, null, a wrong
// type, a duplicate key, a key in the wrong case, invalid UTF-8, or anything
// that is not the object asked for is a [*DecodeError] with the path to it,
// never a zero value. What is decoded keeps nothing else of the response alive.
//
// # Versions
//
// The same code works with every release: what an older server does not have
// is the zero value, and the doc comment of each field and enum value says
// since when it is there. What servers do otherwise, such as the size of a
// page, is said where it matters. All of it was seen on real servers, or is in
// the schema of the release.
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
// Requests are tried again as [RetryPolicy] says, and a server that says that
// it is starting is waited for. Redirects are never followed. Nothing is
// logged without [WithLogger].
//
// [authentik]: https://goauthentik.io
package authentik
