package authentiktest_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/authentiktest"
)

// In these examples there is no test, and so t is nil or [authentiktest.Start]
// is used. In a test, t is its *testing.T, and Close is called by itself.

func ExampleNewServer() {
	test := func(t testing.TB) {
		srv := authentiktest.NewServer(t, authentiktest.Version("2024.10"))
		flows, err := authentik.Collect(srv.Client().FlowsInstancesAll(t.Context(), nil))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println(len(flows), "flows of a fresh install")
	}
	run(test)
	// Output: 14 flows of a fresh install
}

func ExampleStart() {
	srv := authentiktest.Start()
	defer srv.Close()
	ak, err := authentik.NewClient(srv.URL, srv.Token)
	if err != nil {
		fmt.Println(err)
		return
	}
	version, err := ak.ServerVersion(context.Background())
	fmt.Println(version, err)
	// Output: 2026.8.0-rc1 <nil>
}

func ExampleRoundTripper() {
	srv := authentiktest.RoundTripper(nil)
	ak, err := authentik.NewClient(srv.URL, srv.Token, authentik.WithHTTPClient(&http.Client{Transport: srv}))
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = ak.ServerVersion(context.Background())
	fmt.Println(err)
	// Output: <nil>
}

func ExampleVersion() {
	for _, name := range []string{"2025.10", "2025.10.0"} {
		srv := authentiktest.RoundTripper(nil, authentiktest.Version(name))
		srv.Starting(1)
		var r authentik.Response
		client := srv.Client(authentik.WithRetry(authentik.RetryPolicy{MaxAttempts: 1}))
		_, err := client.ServerVersion(context.Background(), authentik.WithResponse(&r))
		fmt.Println(name, "answers", r.StatusCode, "while it starts:", errors.Is(err, authentik.ErrStarting))
	}
	// Output:
	// 2025.10 answers 503 while it starts: true
	// 2025.10.0 answers 200 while it starts: true
}

func ExampleVersions() {
	for _, version := range authentiktest.Versions()[33:] {
		srv := authentiktest.RoundTripper(nil, authentiktest.Version(version))
		page, err := srv.Client().FlowsInstancesList(context.Background(), nil)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(version, page.Pagination.Count)
	}
	// Output:
	// 2026.2 14
	// 2026.5 14
	// 2026.8 14
}

func ExampleEmpty() {
	srv := authentiktest.RoundTripper(nil, authentiktest.Empty())
	_, err := authentik.One(srv.Client().FlowsInstancesAll(context.Background(), nil))
	fmt.Println(errors.Is(err, authentik.ErrNoResult))
	// Output: true
}

func ExampleServer_Client() {
	srv := authentiktest.RoundTripper(nil)
	client := srv.Client(authentik.WithUserAgent("inventory/1.2"))
	_, err := client.ServerVersion(context.Background())
	fmt.Println(err, srv.Requests()[0].Header.Get("User-Agent")[:13])
	// Output: <nil> inventory/1.2
}

func ExampleServer_ClientAs() {
	srv := authentiktest.RoundTripper(nil)
	_, err := srv.ClientAs("not-a-token").FlowsInstancesList(context.Background(), nil)
	var denied *authentik.PermissionError
	fmt.Println(errors.As(err, &denied), denied.StatusCode, denied.Detail)
	// Output: true 403 Token invalid/expired
}

func ExampleServer_Close() {
	srv := authentiktest.Start()
	srv.Close()
	resp, err := http.Get(srv.URL)
	if err == nil {
		_ = resp.Body.Close()
	}
	fmt.Println(err != nil)
	// Output: true
}

func ExampleServer_Requests() {
	srv := authentiktest.RoundTripper(nil)
	opts := &authentik.FlowsInstancesListOptions{Designation: authentik.FlowDesignationRecovery}
	if _, err := srv.Client().FlowsInstancesList(context.Background(), opts); err != nil {
		fmt.Println(err)
	}
	for _, r := range srv.Requests() {
		fmt.Println(r.Operation, r.Status, r.Query, r.Header["Authorization"])
	}
	// Output: flows_instances_list 200 map[designation:[recovery]] [Bearer [redacted]]
}

func ExampleServer_ServeHTTP() {
	srv := authentiktest.RoundTripper(nil)
	proxy := httptest.NewServer(http.StripPrefix("/sso", srv)) // as behind a proxy, below a path
	defer proxy.Close()
	ak, err := authentik.NewClient(proxy.URL+"/sso", srv.Token)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer ak.Close()
	_, err = ak.ServerVersion(context.Background())
	fmt.Println(err)
	// Output: <nil>
}

func ExampleServer_RoundTrip() {
	srv := authentiktest.RoundTripper(nil)
	client := &http.Client{Transport: srv} // for what does not use this library
	resp, err := client.Get(srv.URL + "/api/v3/flows/instances/")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(resp.StatusCode, resp.Body.Close())
	// Output: 403 <nil>
}

func ExampleServer_AddFlow() {
	srv := authentiktest.RoundTripper(nil)
	srv.AddFlow(authentik.Flow{Slug: "lost-password", Designation: authentik.FlowDesignationRecovery})
	opts := &authentik.FlowsInstancesListOptions{Designation: authentik.FlowDesignationRecovery}
	flow, err := authentik.One(srv.Client().FlowsInstancesAll(context.Background(), opts))
	fmt.Println(flow.Slug, flow.Name, flow.Authentication, err)
	// Output: lost-password lost-password none <nil>
}

func ExampleServer_AddFlows() {
	srv := authentiktest.RoundTripper(nil)
	srv.AddFlows(1000)
	flows, err := authentik.Collect(srv.Client().FlowsInstancesAll(context.Background(), nil))
	fmt.Println(len(flows), err, len(srv.Requests()), "requests")
	// Output: 1014 <nil> 11 requests
}

func ExampleServer_UpdateFlow() {
	srv := authentiktest.RoundTripper(nil)
	srv.UpdateFlow("default-authentication-flow", func(flow *authentik.Flow) { flow.Title = "Hello" })
	opts := &authentik.FlowsInstancesListOptions{Search: "hello"}
	page, err := srv.Client().FlowsInstancesList(context.Background(), opts)
	fmt.Println(page.Results[0].Slug, err)
	// Output: default-authentication-flow <nil>
}

func ExampleServer_AddBinding() {
	srv := authentiktest.RoundTripper(nil)
	flow := srv.AddFlow(authentik.Flow{Slug: "ask-first"})
	stage := srv.AddStage(authentik.Stage{Name: "ask", Component: "ak-stage-prompt-form"})
	added := srv.AddBinding(authentik.FlowStageBinding{Target: flow.PK, Stage: stage.PK, Order: 10})
	binding, err := srv.Client().BindingsRetrieve(context.Background(), added.PK)
	fmt.Println(binding.StageObj.Name, "in", binding.StageObj.FlowSet[0].Slug, err)
	// Output: ask in ask-first <nil>
}

func ExampleServer_AddStage() {
	srv := authentiktest.RoundTripper(nil, authentiktest.Empty())
	srv.AddStage(authentik.Stage{Name: "ask"})
	var stages struct{ Results []authentik.Stage }
	err := srv.Client().Get(context.Background(), "stages/all/", nil, &stages)
	fmt.Println(stages.Results[0].Name, err)
	// Output: ask <nil>
}

func ExampleServer_DeleteFlow() {
	srv := authentiktest.RoundTripper(nil)
	srv.DeleteFlow("initial-setup")
	fmt.Println(len(srv.Flows()), "flows and", len(srv.Bindings()), "bindings are left")
	// Output: 13 flows and 17 bindings are left
}

func ExampleServer_DeleteBinding() {
	srv := authentiktest.RoundTripper(nil)
	id := srv.Bindings()[0].PK
	srv.DeleteBinding(id)
	_, err := srv.Client().BindingsRetrieve(context.Background(), id)
	fmt.Println(errors.Is(err, authentik.ErrNotFound))
	// Output: true
}

func ExampleServer_DeleteStage() {
	srv := authentiktest.RoundTripper(nil)
	for _, stage := range srv.Stages() {
		if stage.Name == "default-authentication-login" {
			srv.DeleteStage(stage.PK) // it is in two flows
		}
	}
	fmt.Println(len(srv.Bindings()), "of 20 bindings are left")
	// Output: 18 of 20 bindings are left
}

func ExampleServer_Flows() {
	srv := authentiktest.RoundTripper(nil)
	for _, flow := range srv.Flows()[:2] {
		fmt.Println(flow.Slug)
	}
	// Output:
	// default-authenticator-static-setup
	// default-authenticator-totp-setup
}

func ExampleServer_Stages() {
	srv := authentiktest.RoundTripper(nil)
	fmt.Println(srv.Stages()[0].Component)
	// Output: ak-stage-authenticator-static-form
}

func ExampleServer_Bindings() {
	srv := authentiktest.RoundTripper(nil)
	binding, err := srv.Client().BindingsRetrieve(context.Background(), srv.Bindings()[0].PK)
	fmt.Println(binding.StageObj.Name, err)
	// Output: default-provider-authorization-consent <nil>
}

func ExampleServer_AddUser() {
	srv := authentiktest.RoundTripper(nil)
	one := srv.Flows()[0]
	const view = "authentik_flows.view_flow"
	for _, permissions := range [][]string{{}, {view}, {view + ":" + one.PK.String()}} {
		client := srv.ClientAs(srv.AddUser(permissions...))
		flows, err := authentik.Collect(client.FlowsInstancesAll(context.Background(), nil))
		fmt.Println(len(flows), errors.Is(err, authentik.ErrForbidden))
	}
	// Output:
	// 0 true
	// 14 false
	// 1 false
}

func ExampleServer_RotateToken() {
	srv := authentiktest.RoundTripper(nil)
	token := srv.Token
	ak, err := authentik.NewClient(srv.URL, "", authentik.WithHTTPClient(&http.Client{Transport: srv}),
		authentik.WithTokenFunc(func(context.Context) (string, error) { return token, nil }))
	if err != nil {
		fmt.Println(err)
		return
	}
	fresh := srv.RotateToken(token)
	_, err = ak.ServerVersion(context.Background())
	fmt.Println(errors.Is(err, authentik.ErrForbidden))
	token = fresh
	_, err = ak.ServerVersion(context.Background())
	fmt.Println(err)
	// Output:
	// true
	// <nil>
}

func ExampleServer_On() {
	srv := authentiktest.RoundTripper(nil)
	srv.On("flows_bindings_retrieve").FailNext(1, http.StatusForbidden, `{"detail":"no"}`, nil)
	_, err := srv.Client().FlowsInstancesList(context.Background(), nil)
	fmt.Println(err)
	_, err = srv.Client().BindingsRetrieve(context.Background(), srv.Bindings()[0].PK)
	fmt.Println(errors.Is(err, authentik.ErrForbidden))
	// Output:
	// <nil>
	// true
}

// quick is a policy for tests against a socket: it tries again at once.
var quick = authentik.WithRetry(authentik.RetryPolicy{BaseDelay: -1})

func ExampleServer_FailNext() {
	srv := authentiktest.RoundTripper(nil)
	srv.FailNext(2, http.StatusBadGateway, "<h1>Bad Gateway</h1>", nil)
	_, err := srv.Client(quick).ServerVersion(context.Background())
	fmt.Println(err, len(srv.Requests()), "requests")
	// Output: <nil> 3 requests
}

func ExampleServer_HTMLPage() {
	srv := authentiktest.RoundTripper(nil)
	srv.HTMLPage(1)
	_, err := srv.Client().FlowsInstancesList(context.Background(), nil)
	var undecodable *authentik.DecodeError
	fmt.Println(errors.As(err, &undecodable), undecodable.ContentType)
	// Output: true text/html; charset=utf-8
}

func ExampleServer_Starting() {
	srv := authentiktest.RoundTripper(nil)
	srv.Starting(1)
	_, err := srv.Client(authentik.WithRetry(authentik.RetryPolicy{MaxAttempts: 1})).ServerVersion(context.Background())
	fmt.Println(errors.Is(err, authentik.ErrStarting))
	// Output: true
}

func ExampleServer_Crashed() {
	srv := authentiktest.RoundTripper(nil)
	srv.Crashed(2)
	client := srv.Client(authentik.WithRetry(authentik.RetryPolicy{MaxAttempts: 1}))
	for range 3 {
		_, err := client.ServerVersion(context.Background())
		fmt.Println(err)
	}
	// Output:
	// authentik: ServerVersion: 502 Bad Gateway: failed to connect to authentik backend: read unix @->/dev/shm/authentik-core.sock: read: connection reset by peer (1 attempt)
	// authentik: ServerVersion: 502 Bad Gateway: failed to connect to authentik backend: dial unix /dev/shm/authentik-core.sock: connect: connection refused (1 attempt)
	// <nil>
}

func ExampleServer_CutBody() {
	srv := authentiktest.RoundTripper(nil)
	srv.CutBody(100)
	_, err := srv.Client(quick).FlowsInstancesList(context.Background(), nil)
	fmt.Println(err, len(srv.Requests()), "requests")
	// Output: <nil> 2 requests
}

func ExampleServer_Reset() {
	srv := authentiktest.RoundTripper(nil)
	srv.Reset()
	_, err := srv.Client(quick).FlowsInstancesList(context.Background(), nil)
	fmt.Println(err, len(srv.Requests()), "requests")
	// Output: <nil> 2 requests
}

func ExampleServer_Latency() {
	srv := authentiktest.RoundTripper(nil)
	srv.Latency(time.Hour)
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	_, err := srv.Client().FlowsInstancesList(ctx, nil)
	fmt.Println(errors.Is(err, context.DeadlineExceeded))
	// Output: true
}

func ExampleServer_ChangeListAfterPage() {
	srv := authentiktest.RoundTripper(nil)
	srv.AddFlows(200)
	srv.ChangeListAfterPage(1, func() { srv.DeleteFlow("initial-setup") })
	flows := srv.Client().FlowsInstancesAll(context.Background(), nil)
	_, err := authentik.Collect(flows)
	fmt.Println(errors.Is(err, authentik.ErrListChanged))
	all, err := authentik.Snapshot(flows) // walks again
	fmt.Println(len(all), err)
	// Output:
	// true
	// 213 <nil>
}

func ExampleServer_ClearFaults() {
	srv := authentiktest.RoundTripper(nil)
	srv.FailNext(1000, http.StatusServiceUnavailable, "", nil)
	client := srv.Client(quick)
	_, err := client.ServerVersion(context.Background())
	fmt.Println(errors.Is(err, authentik.ErrServer))
	srv.ClearFaults()
	_, err = client.ServerVersion(context.Background())
	fmt.Println(err)
	// Output:
	// true
	// <nil>
}

// run runs what would be a test.
func run(test func(testing.TB)) {
	t := &exampleTB{}
	defer func() { t.end() }()
	test(t)
}

type exampleTB struct {
	testing.TB
	end func()
}

func (t *exampleTB) Helper()                  {}
func (t *exampleTB) Cleanup(end func())       { t.end = end }
func (t *exampleTB) Context() context.Context { return context.Background() }
