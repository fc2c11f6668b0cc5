package authentik_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/authentiktest"
)

// In these examples [authentiktest.Start] stands in for your server.

func Example() {
	srv := authentiktest.Start(authentiktest.Version("2024.10"))
	defer srv.Close()

	client, err := authentik.NewClient(srv.URL, srv.Token) // such as https://sso.example.com
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()

	for flow, err := range client.FlowsInstancesAll(context.Background(), nil) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%-19s %s\n", flow.Designation, flow.Slug)
	}
	// Output:
	// authentication      default-authentication-flow
	// stage_configuration default-authenticator-static-setup
	// stage_configuration default-authenticator-totp-setup
	// stage_configuration default-authenticator-webauthn-setup
	// invalidation        default-invalidation-flow
	// stage_configuration default-password-change
	// authorization       default-provider-authorization-explicit-consent
	// authorization       default-provider-authorization-implicit-consent
	// invalidation        default-provider-invalidation-flow
	// authentication      default-source-authentication
	// enrollment          default-source-enrollment
	// stage_configuration default-source-pre-authentication
	// stage_configuration default-user-settings-flow
	// stage_configuration initial-setup
}

// A package that uses authentik is tested with a server of its own, which has
// what the test needs and goes wrong when it is told to. In a test,
// authentiktest.NewServer(t) closes it. The README has a whole one.
func Example_testing() {
	srv := authentiktest.Start(authentiktest.Empty())
	defer srv.Close()
	srv.AddFlow(authentik.Flow{Slug: "lost-password", Designation: authentik.FlowDesignationRecovery})
	srv.FailNext(1, http.StatusBadGateway, "<h1>Bad Gateway</h1>", nil)

	client := srv.Client(authentik.WithRetry(authentik.RetryPolicy{BaseDelay: -1})) // it tries again at once
	flow, err := authentik.One(client.FlowsInstancesAll(context.Background(), &authentik.FlowsInstancesListOptions{
		Designation: authentik.FlowDesignationRecovery,
	}))
	fmt.Println(flow.Slug, err)
	for _, r := range srv.Requests() {
		fmt.Println(r.Method, r.Path, r.Status)
	}
	// Output:
	// lost-password <nil>
	// GET /api/v3/flows/instances/ 502
	// GET /api/v3/flows/instances/ 200
}

func ExampleNewClient() {
	client, err := authentik.NewClient("https://sso.example.com/prefix/", "wkMmVyZ0tva2Vu",
		authentik.WithTimeout(10*time.Second),
		authentik.WithUserAgent("inventory/1.2"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	fmt.Println(client)

	// What cannot work is refused, and not repeated: it may hold a secret.
	_, err = authentik.NewClient("https://admin:hunter2@sso.example.com", "wkMmVyZ0tva2Vu")
	fmt.Println(err)
	// Output:
	// authentik.Client(https://sso.example.com/prefix)
	// authentik: NewClient: baseURL: must not have a user or a password: authentik requires a token
}

// setenv stands in for a shell's export.
func setenv(key, value string) (restore func()) {
	before, was := os.LookupEnv(key)
	_ = os.Setenv(key, value)
	return func() {
		if was {
			_ = os.Setenv(key, before)
		} else {
			_ = os.Unsetenv(key)
		}
	}
}

func ExampleNewClientFromEnv() {
	defer setenv("AUTHENTIK_URL", "https://sso.example.com")()
	defer setenv("AUTHENTIK_TOKEN", "wkMmVyZ0tva2Vu")()

	client, err := authentik.NewClientFromEnv()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	fmt.Println(client)
	// Output: authentik.Client(https://sso.example.com)
}

func ExampleClient_Close() {
	srv := authentiktest.Start()
	defer srv.Close()
	client := srv.Client()
	client.Close() // the connections that are idle; the client goes on
	_, err := client.ServerVersion(context.Background())
	fmt.Println(err)
	// Output: <nil>
}

func ExampleClient_Format() {
	client, err := authentik.NewClient("https://sso.example.com", "wkMmVyZ0tva2Vu")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%v %+v %#v\n", client, client, *client)
	// Output: authentik.Client(https://sso.example.com) authentik.Client(https://sso.example.com) authentik.Client(https://sso.example.com)
}

func ExampleClient_ServerVersion() {
	srv := authentiktest.Start(authentiktest.Version("2025.10.0"))
	defer srv.Close()
	version, err := srv.Client().ServerVersion(context.Background())
	fmt.Println(version, err)
	// Output: 2025.10.0 <nil>
}

func ExampleClient_Get() {
	srv := authentiktest.Start()
	defer srv.Close()
	client := srv.Client()

	var me struct {
		User struct{ Username string }
	}
	err := client.Get(context.Background(), "core/users/me/", nil, &me)
	fmt.Println(me.User.Username, err)

	// Page is the envelope of every list.
	var stages authentik.Page[authentik.Stage]
	err = client.Get(context.Background(), "stages/all/", url.Values{"search": {"consent"}}, &stages)
	fmt.Println(stages.Pagination.Count, stages.Results[0].Name, err)
	// Output:
	// akadmin <nil>
	// 1 default-provider-authorization-consent <nil>
}

func ExampleClient_FlowsInstancesList() {
	srv := authentiktest.Start()
	defer srv.Close()
	page, err := srv.Client().FlowsInstancesList(context.Background(), &authentik.FlowsInstancesListOptions{PageSize: 5})
	if err != nil {
		fmt.Println(err)
		return
	}
	p := page.Pagination
	fmt.Printf("flows %d to %d of %d, page %d of %d\n", p.StartIndex, p.EndIndex, p.Count, p.Current, p.TotalPages)
	fmt.Println(page.Results[0].Slug)
	// Output:
	// flows 1 to 5 of 14, page 1 of 3
	// default-authentication-flow
}

func ExampleClient_FlowsInstancesList_filter() {
	srv := authentiktest.Start()
	defer srv.Close()
	page, err := srv.Client().FlowsInstancesList(context.Background(), &authentik.FlowsInstancesListOptions{
		Designation: authentik.FlowDesignationStageConfiguration,
		Search:      "authenticator setup", // both words
		Ordering:    "-name",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, flow := range page.Results {
		fmt.Println(flow.Slug)
	}
	// Output:
	// default-authenticator-webauthn-setup
	// default-authenticator-totp-setup
	// default-authenticator-static-setup
}

func ExampleClient_FlowsInstancesPages() {
	srv := authentiktest.Start()
	defer srv.Close()
	srv.AddFlows(200)
	for page, err := range srv.Client().FlowsInstancesPages(context.Background(), nil) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("page %d of %d: %d flows\n", page.Pagination.Current, page.Pagination.TotalPages, len(page.Results))
	}
	// Output:
	// page 1 of 3: 100 flows
	// page 2 of 3: 100 flows
	// page 3 of 3: 14 flows
}

func ExampleClient_FlowsInstancesAll() {
	srv := authentiktest.Start()
	defer srv.Close()
	srv.AddFlows(1000)
	for flow, err := range srv.Client().FlowsInstancesAll(context.Background(), nil) {
		if err != nil {
			fmt.Println(err)
			return
		}
		if flow.Designation == authentik.FlowDesignationEnrollment {
			fmt.Println(flow.Slug)
			break // sends nothing more
		}
	}
	fmt.Println(len(srv.Requests()), "request")
	// Output:
	// brand-0003-enrollment
	// 1 request
}

func ExampleClient_BindingsRetrieve() {
	srv := authentiktest.Start()
	defer srv.Close()
	id := srv.Bindings()[0].PK // in a program: uuid.Parse("…")

	binding, err := srv.Client().BindingsRetrieve(context.Background(), id)
	if err != nil {
		fmt.Println(err)
		return
	}
	stage := binding.StageObj
	fmt.Println(stage.Name, "is", stage.VerboseName)
	for _, flow := range stage.FlowSet {
		fmt.Println("in", flow.Slug)
	}
	// Output:
	// default-provider-authorization-consent is Consent Stage
	// in default-provider-authorization-explicit-consent
}

func ExampleCollect() {
	srv := authentiktest.Start()
	defer srv.Close()
	flows, err := authentik.Collect(srv.Client().FlowsInstancesAll(context.Background(), nil))
	fmt.Println(len(flows), err)
	// Output: 14 <nil>
}

func ExampleOne() {
	srv := authentiktest.Start()
	defer srv.Close()
	client := srv.Client()
	for _, slug := range []string{"default-authentication-flow", "default-recovery-flow"} {
		opts := &authentik.FlowsInstancesListOptions{Slug: slug}
		flow, err := authentik.One(client.FlowsInstancesAll(context.Background(), opts))
		switch {
		case errors.Is(err, authentik.ErrNoResult):
			fmt.Println("there is no", slug)
		case err != nil:
			fmt.Println(err)
		default:
			fmt.Println(flow.Title)
		}
	}
	// Output:
	// Welcome to authentik!
	// there is no default-recovery-flow
}

func ExampleSnapshot() {
	srv := authentiktest.Start()
	defer srv.Close()
	srv.AddFlows(200)
	srv.ChangeListAfterPage(1, func() { srv.DeleteFlow("initial-setup") }) // somebody else does

	flows, err := authentik.Snapshot(srv.Client().FlowsInstancesAll(context.Background(), nil))
	fmt.Println(len(flows), err)
	// Output: 213 <nil>
}

func ExampleWithPrefetch() {
	srv := authentiktest.Start()
	defer srv.Close()
	srv.AddFlows(1000)
	flows, err := authentik.Collect(srv.Client().FlowsInstancesAll(context.Background(), nil, authentik.WithPrefetch(2)))
	fmt.Println(len(flows), err, len(srv.Requests()), "requests")
	// Output: 1014 <nil> 11 requests
}

func ExampleAllowListChanges() {
	srv := authentiktest.Start()
	defer srv.Close()
	srv.AddFlows(200)
	srv.ChangeListAfterPage(1, func() { srv.AddFlow(authentik.Flow{Slug: "added-meanwhile"}) })

	flows := srv.Client().FlowsInstancesAll(context.Background(), nil, authentik.AllowListChanges())
	all, err := authentik.Collect(flows)
	fmt.Println(len(all), err) // each once, but perhaps not the new one
	// Output: 214 <nil>
}

func ExampleAdoptExisting() {
	srv := authentiktest.Start()
	defer srv.Close()
	client := srv.Client()
	ctx := context.Background()

	request := authentik.FlowRequest{
		Name: "Recovery", Slug: "recovery", Title: "Reset your password",
		Designation: authentik.FlowDesignationRecovery,
	}
	first, err := client.FlowsInstancesCreate(ctx, request, authentik.AdoptExisting())
	if err != nil {
		fmt.Println(err)
		return
	}
	again, err := client.FlowsInstancesCreate(ctx, request, authentik.AdoptExisting())
	fmt.Println(err, first.PK == again.PK)

	request.Title = "Forgot your password?"
	_, err = client.FlowsInstancesCreate(ctx, request, authentik.AdoptExisting())
	fmt.Println(err)
	// Output:
	// <nil> true
	// authentik: FlowsInstancesCreate: the object exists and differs in Title
}

func ExampleWithResponse() {
	srv := authentiktest.Start()
	defer srv.Close()
	var r authentik.Response
	if _, err := srv.Client().FlowsInstancesList(context.Background(), nil, authentik.WithResponse(&r)); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(r.StatusCode, r.Attempts, len(r.RequestID), r.Header.Get("Content-Type"))

	// A key that this library does not model.
	var body struct{ Autocomplete map[string]any }
	err := json.Unmarshal(r.Body, &body)
	fmt.Println(body.Autocomplete, err)
	// Output:
	// 200 1 32 application/json
	// map[] <nil>
}

func ExampleWithRetry() {
	srv := authentiktest.Start()
	defer srv.Close()
	srv.FailNext(5, http.StatusServiceUnavailable, "", nil)
	client := srv.Client(authentik.WithRetry(authentik.RetryPolicy{
		MaxAttempts: 6,
		BaseDelay:   time.Millisecond,
	}))

	var r authentik.Response
	_, err := client.ServerVersion(context.Background(), authentik.WithResponse(&r))
	fmt.Println(r.Attempts, "attempts,", err)
	// Output: 6 attempts, <nil>
}

func ExampleWithTimeout() {
	srv := authentiktest.Start()
	defer srv.Close()
	srv.Latency(time.Minute)
	client := srv.Client(
		authentik.WithTimeout(10*time.Millisecond),                           // of an attempt
		authentik.WithRetry(authentik.RetryPolicy{BaseDelay: -1}),            // none is waited
		authentik.WithHTTPClient(&http.Client{Transport: &http.Transport{}})) // its own timeout, if it is shorter, counts too

	_, err := client.ServerVersion(context.Background())
	fmt.Println(errors.Is(err, authentik.ErrAttemptTimeout), errors.Is(err, context.DeadlineExceeded))
	// Output: true false
}

func ExampleWithTokenFunc() {
	srv := authentiktest.Start()
	defer srv.Close()
	token := srv.Token // of a vault, or of OAuth2: see examples/oauth2
	client, err := authentik.NewClient(srv.URL, "", authentik.WithTokenFunc(
		func(context.Context) (string, error) { return token, nil },
	))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()

	token = srv.RotateToken(token) // the old one is worthless now
	_, err = client.ServerVersion(context.Background())
	fmt.Println(err)
	// Output: <nil>
}

// roundTripFunc is an http.RoundTripper. It stands in this file so that the
// example is whole where it is shown.
type roundTripFunc func(*http.Request) (*http.Response, error)

func (f roundTripFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func ExampleWithMiddleware() {
	srv := authentiktest.Start()
	defer srv.Close()
	srv.FailNext(1, http.StatusBadGateway, "", nil)
	count := func(next http.RoundTripper) http.RoundTripper {
		return roundTripFunc(func(r *http.Request) (*http.Response, error) {
			response, err := next.RoundTrip(r)
			if err == nil {
				fmt.Println(r.Method, r.URL.Path, response.StatusCode, "token seen:", r.Header.Get("Authorization") != "")
			}
			return response, err
		})
	}
	_, err := srv.Client(
		authentik.WithMiddleware(count),
		authentik.WithRetry(authentik.RetryPolicy{BaseDelay: -1}), // at once
	).ServerVersion(context.Background())
	fmt.Println(err)
	// Output:
	// GET /api/v3/admin/version/ 502 token seen: false
	// GET /api/v3/admin/version/ 200 token seen: false
	// <nil>
}

func ExampleWithLogger() {
	srv := authentiktest.Start()
	defer srv.Close()
	srv.On("flows_instances_list").FailNext(1, http.StatusBadGateway, "", nil)
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		Level: slog.LevelDebug,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr { // what differs from run to run
			switch a.Key {
			case slog.TimeKey, "took", "wait", "request_id":
				return slog.Attr{}
			}
			return a
		},
	}))

	// A retry is a warning; what was searched for is in no record.
	client := srv.Client(
		authentik.WithLogger(logger),
		authentik.WithRetry(authentik.RetryPolicy{BaseDelay: -1})) // at once
	opts := &authentik.FlowsInstancesListOptions{Search: "alice", PageSize: 20}
	_, err := client.FlowsInstancesList(context.Background(), opts)
	fmt.Println(err)
	// Output:
	// level=DEBUG msg="authentik: attempt" op=FlowsInstancesList method=GET path=/api/v3/flows/instances/ attempt=1 status=502 query="page_size=20&search=REDACTED"
	// level=WARN msg="authentik: retry" op=FlowsInstancesList method=GET path=/api/v3/flows/instances/ attempt=1 status=502
	// level=DEBUG msg="authentik: attempt" op=FlowsInstancesList method=GET path=/api/v3/flows/instances/ attempt=2 status=200 query="page_size=20&search=REDACTED"
	// <nil>
}

func ExampleWithUserAgent() {
	srv := authentiktest.Start()
	defer srv.Close()
	if _, err := srv.Client(authentik.WithUserAgent("inventory/1.2")).ServerVersion(context.Background()); err != nil {
		fmt.Println(err)
	}
	first, _, _ := strings.Cut(srv.Requests()[0].Header.Get("User-Agent"), " ")
	fmt.Println(first)
	// Output: inventory/1.2
}

func ExampleWithHeader() {
	srv := authentiktest.Start()
	defer srv.Close()
	client := srv.Client(authentik.WithHeader("X-Proxy-Key", "opensesame"))
	if _, err := client.ServerVersion(context.Background()); err != nil {
		fmt.Println(err)
	}
	fmt.Println(srv.Requests()[0].Header.Get("X-Proxy-Key"))

	_, err := authentik.NewClient(srv.URL, srv.Token, authentik.WithHeader("Authorization", "Basic opensesame"))
	fmt.Println(err)
	// Output:
	// opensesame
	// authentik: NewClient: WithHeader: must not set this header, which the client or net/http sets
}

func ExampleWithHTTPClient() {
	srv := authentiktest.Start()
	defer srv.Close()
	// The transport has your private CA, client certificate or proxy: see the
	// README.
	transport := http.DefaultTransport.(*http.Transport).Clone()
	client, err := authentik.NewClient(srv.URL, srv.Token, authentik.WithHTTPClient(&http.Client{Transport: transport}))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer transport.CloseIdleConnections() // yours; Close leaves them alone
	_, err = client.ServerVersion(context.Background())
	fmt.Println(err)
	// Output: <nil>
}

func ExampleWithInsecureHTTP() {
	_, err := authentik.NewClient("http://authentik.internal:9000", "wkMmVyZ0tva2Vu")
	fmt.Println(err)
	_, err = authentik.NewClient("http://authentik.internal:9000", "wkMmVyZ0tva2Vu", authentik.WithInsecureHTTP())
	fmt.Println(err)
	// Output:
	// authentik: NewClient: baseURL: must not be http://, which lets anyone on the network path read the token: use https:// or WithInsecureHTTP
	// <nil>
}

func ExampleWithMaxResponseSize() {
	srv := authentiktest.Start()
	defer srv.Close()
	_, err := srv.Client(authentik.WithMaxResponseSize(1<<10)).FlowsInstancesList(context.Background(), nil)
	fmt.Println(errors.Is(err, authentik.ErrResponseTooLarge))
	// Output: true
}

func ExampleValidationError() {
	srv := authentiktest.Start()
	defer srv.Close()
	opts := &authentik.FlowsInstancesListOptions{Designation: "foo"}
	_, err := srv.Client().FlowsInstancesList(context.Background(), opts)

	if invalid, ok := errors.AsType[*authentik.ValidationError](err); ok {
		for field, messages := range invalid.Fields {
			fmt.Println(field, messages)
		}
	}
	fmt.Println(errors.Is(err, authentik.ErrBadRequest))
	// Output:
	// designation [Select a valid choice. foo is not one of the available choices.]
	// true
}

func ExamplePermissionError() {
	srv := authentiktest.Start()
	defer srv.Close()
	client := srv.ClientAs(srv.AddUser()) // without any permission
	_, err := client.FlowsInstancesList(context.Background(), nil)

	if denied, ok := errors.AsType[*authentik.PermissionError](err); ok {
		fmt.Println(denied.StatusCode, denied.Detail)
		// A bad token is a 403 as well. Any good one may ask for the version.
		_, err := client.ServerVersion(context.Background())
		fmt.Println("the token is good:", err == nil)
	}
	// Output:
	// 403 You do not have permission to perform this action.
	// the token is good: true
}

func ExampleAPIError() {
	srv := authentiktest.Start()
	defer srv.Close()
	_, err := srv.Client().BindingsRetrieve(context.Background(), uuid.MustParse("c0ffee00-0000-4000-8000-000000000000"))

	if errors.Is(err, authentik.ErrNotFound) {
		fmt.Println("no such binding")
	}
	if failure, ok := errors.AsType[*authentik.APIError](err); ok {
		fmt.Println(failure.Op, failure.StatusCode, failure.Detail)
		fmt.Println("logged by the server under a request ID:", failure.RequestID != "")
	}
	// Output:
	// no such binding
	// BindingsRetrieve 404 No FlowStageBinding matches the given query.
	// logged by the server under a request ID: true
}

func ExampleErrNotAuthentik() {
	srv := authentiktest.Start()
	defer srv.Close()
	binding := srv.Bindings()[0].PK
	client := srv.Client(authentik.WithRetry(authentik.RetryPolicy{MaxAttempts: 1}))
	srv.FailNext(1, http.StatusNotFound, "404 page not found", nil) // by a proxy that has lost its backend
	_, err := client.BindingsRetrieve(context.Background(), binding)

	fmt.Println("the binding is gone:", errors.Is(err, authentik.ErrNotFound))
	fmt.Println("a proxy responded:", errors.Is(err, authentik.ErrNotAuthentik))
	// Output:
	// the binding is gone: false
	// a proxy responded: true
}

func ExampleErrUnreachable() {
	srv := authentiktest.Start()
	client := srv.Client(authentik.WithRetry(authentik.RetryPolicy{MaxAttempts: 1}))
	srv.Close()
	_, err := client.ServerVersion(context.Background())

	fmt.Println(errors.Is(err, authentik.ErrUnreachable))
	fmt.Println(authentik.Hint(err))
	// Output:
	// true
	// Check the host and the port in the base URL, and that authentik is running.
}

func ExampleErrTLS() {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.StartTLS() // with a certificate that is signed by no known CA
	defer server.Close()
	client, err := authentik.NewClient(server.URL, "wkMmVyZ0tva2Vu")
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = client.ServerVersion(context.Background())

	fmt.Println(errors.Is(err, authentik.ErrTLS))
	fmt.Println(authentik.Hint(err))
	// Output:
	// true
	// Use WithHTTPClient with the server's CA in RootCAs.
}

func ExampleHint() {
	srv := authentiktest.Start()
	defer srv.Close()
	_, err := srv.ClientAs("nobodys").FlowsInstancesList(context.Background(), nil)

	fmt.Println(authentik.Hint(err))
	// Output: Call ServerVersion: if it succeeds, the token or the login is valid, and its user lacks a permission.
}

func ExampleRequestError() {
	srv := authentiktest.Start()
	defer srv.Close()
	srv.Latency(time.Minute)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	_, err := srv.Client().ServerVersion(ctx)

	var failed *authentik.RequestError
	fmt.Println(errors.As(err, &failed), errors.Is(err, context.DeadlineExceeded))
	// Output: true true
}

func ExampleDecodeError() {
	srv := authentiktest.Start()
	defer srv.Close()
	srv.FailNext(1, http.StatusOK, `{"pagination": {"next": 0}, "results": []}`, nil)
	_, err := srv.Client().FlowsInstancesList(context.Background(), nil)

	if unusable, ok := errors.AsType[*authentik.DecodeError](err); ok {
		fmt.Println(unusable.JSONPath, unusable.Err)
	}
	// Output: pagination.previous missing
}

func ExampleImportError() {
	srv := authentiktest.Start()
	defer srv.Close()

	file := []byte("version: 1\nentries: []\n")
	_, err := srv.Client().FlowsInstancesImportCreate(context.Background(), file)
	if failed, ok := errors.AsType[*authentik.ImportError](err); ok {
		fmt.Println(err)
		for _, log := range failed.Result.Logs { // may have user names in them
			fmt.Println(log.Event)
		}
		fmt.Println(errors.Is(err, authentik.ErrNotApplied))
	}
	// Output:
	// authentik: FlowsInstancesImportCreate: the server found nothing to import in the file
	// true
}

func ExampleArgumentError() {
	srv := authentiktest.Start()
	defer srv.Close()
	_, err := srv.Client().FlowsInstancesList(context.Background(), &authentik.FlowsInstancesListOptions{Search: " "})

	if refused, ok := errors.AsType[*authentik.ArgumentError](err); ok {
		fmt.Printf("%s: %s\n", refused.Field, refused.Reason)
	}
	fmt.Println(len(srv.Requests()), "requests")
	// Output:
	// Search: must not be blank (authentik would ignore the filter and list everything)
	// 0 requests
}

func ExampleFlow() {
	var flow authentik.Flow
	err := json.Unmarshal([]byte(`{
		"pk": "c0ffee00-0000-4000-8000-000000000000",
		"policybindingmodel_ptr_id": "c0ffee00-0000-4000-8000-000000000001",
		"name": "Recovery", "slug": "recovery", "title": "Forgot?", "designation": "recovery",
		"background": "", "stages": [], "policies": [], "cache_count": 0,
		"export_url": "/api/v3/flows/instances/recovery/export/", "layout": "hologram"
	}`), &flow)
	fmt.Println(flow.Slug, err)
	fmt.Println(flow.Layout, "is known:", flow.Layout.Known()) // a newer server's

	flow.Layout = authentik.FlowLayoutStacked
	encoded, err := json.Marshal(flow) // authentik's own shape
	fmt.Println(string(encoded[:50]), err)
	// Output:
	// recovery <nil>
	// hologram is known: false
	// {"pk":"c0ffee00-0000-4000-8000-000000000000","poli <nil>
}

// exampleServer is a server that responds to each request, by its method and
// path below /api/v3/, as a real one responded once.
type exampleServer map[string]struct {
	status int
	body   string
}

func (s exampleServer) client() (client *authentik.Client, done func()) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		response, ok := s[r.Method+" "+strings.TrimPrefix(r.URL.Path, "/api/v3/")]
		if !ok {
			response.status, response.body = http.StatusNotFound, `{"detail":"Not found."}`
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Disposition", `attachment; filename="partner-login.yaml"`)
		w.Header().Set("X-authentik-id", "0123456789abcdef0123456789abcdef")
		w.WriteHeader(response.status)
		_, _ = io.WriteString(w, response.body) // an error means that the client has gone
	}))
	client, err := authentik.NewClient(srv.URL, "wkMmVyZ0tva2Vu")
	if err != nil {
		panic(err)
	}
	return client, srv.Close
}

const exampleFlow = `{"pk":"25309746-54de-4eab-bf4a-a378228f8464",
	"policybindingmodel_ptr_id":"ba980d10-4fba-4a42-bafa-2ad3c955eb1d","name":"Partner login","slug":"partner-login",
	"title":"Welcome, partner","designation":"authentication","stages":[],"policies":[],"cache_count":0,
	"export_url":"/api/v3/flows/instances/partner-login/export/","layout":"stacked"}`

func ExampleClient_FlowsInstancesRetrieve() {
	srv := authentiktest.Start()
	defer srv.Close()
	client := srv.Client()
	for _, slug := range []string{"default-authentication-flow", "default-recovery-flow"} {
		flow, err := client.FlowsInstancesRetrieve(context.Background(), slug)
		switch {
		case errors.Is(err, authentik.ErrNotFound):
			fmt.Println("there is no", slug)
		case err != nil:
			fmt.Println(err)
		default:
			fmt.Println(flow.Title)
		}
	}
	// Output:
	// Welcome to authentik!
	// there is no default-recovery-flow
}

func ExampleClient_FlowsInstancesCreate() {
	client, done := exampleServer{"POST flows/instances/": {http.StatusCreated, exampleFlow}}.client()
	defer done()
	flow, err := client.FlowsInstancesCreate(context.Background(), authentik.FlowRequest{
		Name:        "Partner login",
		Slug:        "partner-login",
		Title:       "Welcome, partner",
		Designation: authentik.FlowDesignationAuthentication,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(flow.Slug, flow.PK)

	_, err = client.FlowsInstancesCreate(context.Background(), authentik.FlowRequest{Name: "Partner login"})
	fmt.Println(err) // nothing was sent
	// Output:
	// partner-login 25309746-54de-4eab-bf4a-a378228f8464
	// authentik: FlowsInstancesCreate: Slug: must not be blank
}

func ExampleClient_FlowsInstancesCreate_notApplied() {
	srv := authentiktest.Start(authentiktest.Version("2021.12"))
	defer srv.Close()

	flow, err := srv.Client().FlowsInstancesCreate(context.Background(), authentik.FlowRequest{
		Name: "Admins", Slug: "admins", Title: "Admins", Designation: authentik.FlowDesignationAuthentication,
		Authentication: authentik.FlowAuthenticationRequireSuperuser, // since 2022.12
	})
	if errors.Is(err, authentik.ErrNotApplied) { // the flow exists, and is open to everybody
		fmt.Println(flow.Slug, err)
	}
	// Output:
	// admins authentik: FlowsInstancesCreate: the server did not apply Authentication
}

func ExampleClient_FlowsInstancesUpdate() {
	client, done := exampleServer{
		"GET flows/instances/partner-login/": {http.StatusOK, exampleFlow},
		"PUT flows/instances/partner-login/": {http.StatusOK, strings.Replace(exampleFlow, "Welcome, ", "Hello, ", 1)},
	}.client()
	defer done()
	flow, err := client.FlowsInstancesRetrieve(context.Background(), "partner-login")
	if err != nil {
		fmt.Println(err)
		return
	}
	request := flow.Request() // what would write the flow as it is
	request.Title = "Hello, partner"
	flow, err = client.FlowsInstancesUpdate(context.Background(), flow.Slug, request)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(flow.Title)
	// Output: Hello, partner
}

func ExampleClient_FlowsInstancesPartialUpdate() {
	client, done := exampleServer{
		"PATCH flows/instances/partner-login/": {http.StatusOK, strings.Replace(exampleFlow, "Welcome, ", "Hello, ", 1)},
	}.client()
	defer done()
	flow, err := client.FlowsInstancesPartialUpdate(context.Background(), "partner-login", authentik.FlowRequest{
		Title:             "Hello, partner",
		CompatibilityMode: new(false), // a pointer, because false is a value
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(flow.Title)
	// Output: Hello, partner
}

func ExampleClient_FlowsInstancesDestroy() {
	client, done := exampleServer{"DELETE flows/instances/partner-login/": {http.StatusNoContent, ""}}.client()
	defer done()
	fmt.Println(client.FlowsInstancesDestroy(context.Background(), "partner-login"))
	err := client.FlowsInstancesDestroy(context.Background(), "another-flow")
	fmt.Println(errors.Is(err, authentik.ErrNotFound))
	// Output:
	// <nil>
	// true
}

func ExampleClient_FlowsInstancesUsedByList() {
	client, done := exampleServer{"GET flows/instances/partner-login/used_by/": {http.StatusOK, `[
		{"app":"authentik_providers_oauth2","model_name":"oauth2provider","pk":"7","name":"Wiki","action":"cascade"},
		{"app":"authentik_brands","model_name":"brand","pk":"96ac9d71-b099-45e5-8039-69bcc4f62ec1",
		 "name":"Default brand","action":"set_null"}]`}}.client()
	defer done()
	uses, err := client.FlowsInstancesUsedByList(context.Background(), "partner-login")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, use := range uses {
		if use.Action == authentik.UsedByActionCascade {
			fmt.Printf("%s %q would be deleted with the flow\n", use.ModelName, use.Name)
		}
	}
	// Output: oauth2provider "Wiki" would be deleted with the flow
}

func ExampleFlow_Request() {
	flow := authentik.Flow{Name: "Partner login", Slug: "partner-login", Title: "Welcome", Designation: "authentication"}
	request := flow.Request()
	request.Slug = "partner-login-copy"
	fmt.Println(request.Name, request.Slug, *request.CompatibilityMode)
	// Output: Partner login partner-login-copy false
}

func ExampleClient_FlowsInstancesDiagramRetrieve() {
	client, done := exampleServer{"GET flows/instances/partner-login/diagram/": {
		http.StatusOK,
		`{"diagram":"graph TD\nflow_start[[\"Flow\nWelcome, partner\"]]\nflow_start --> done[[\"End of the flow\"]]"}`,
	}}.client()
	defer done()
	diagram, err := client.FlowsInstancesDiagramRetrieve(context.Background(), "partner-login")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(diagram.Diagram)
	// Output:
	// graph TD
	// flow_start[["Flow
	// Welcome, partner"]]
	// flow_start --> done[["End of the flow"]]
}

func ExampleClient_FlowsInstancesExportRetrieve() {
	client, done := exampleServer{"GET flows/instances/partner-login/export/": {
		http.StatusOK, "version: 1\nentries:\n- model: authentik_flows.flow\n",
	}}.client()
	defer done()
	export, err := client.FlowsInstancesExportRetrieve(context.Background(), "partner-login")
	if err != nil {
		fmt.Println(err)
		return
	}
	// The name has no directory in it: os.WriteFile(filepath.Join(dir, export.Filename), export.Content, 0o600)
	fmt.Println(export.Filename, len(export.Content), "bytes")
	// Output: partner-login.yaml 50 bytes
}

func ExampleClient_FlowsInstancesExecuteRetrieve() {
	client, done := exampleServer{"GET flows/instances/partner-login/execute/": {
		http.StatusOK, `{"link":"https://sso.example.com/if/flow/partner-login/"}`,
	}}.client()
	defer done()
	link, err := client.FlowsInstancesExecuteRetrieve(context.Background(), "partner-login")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(link.Link)
	// Output: https://sso.example.com/if/flow/partner-login/
}

func ExampleClient_FlowsInstancesCacheInfoRetrieve() {
	srv := authentiktest.Start()
	defer srv.Close()
	cache, err := srv.Client().FlowsInstancesCacheInfoRetrieve(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(cache.Count, "plan")
	// Output: 1 plan
}

func ExampleClient_FlowsInstancesCacheClearCreate() {
	client, done := exampleServer{"POST flows/instances/cache_clear/": {http.StatusNoContent, ""}}.client()
	defer done()
	fmt.Println(client.FlowsInstancesCacheClearCreate(context.Background()))
	// Output: <nil>
}

func ExampleClient_FlowsInstancesImportCreate() {
	client, done := exampleServer{"POST flows/instances/import/": {http.StatusOK, `{"success":true,"logs":[
		{"timestamp":"2026-11-22T22:29:12.594840Z","log_level":"info","logger":"authentik.events.models",
		 "event":"Created Event","attributes":{}}]}`}}.client()
	defer done()
	result, err := client.FlowsInstancesImportCreate(context.Background(), []byte("version: 1\nentries: []\n"))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(result.Success, result.Logs[0].Event)
	// Output: true Created Event
}

func ExampleClient_FlowsInstancesSetBackgroundCreate() {
	client, done := exampleServer{"POST flows/instances/partner-login/set_background/": {http.StatusOK, `{}`}}.client()
	defer done()
	err := client.FlowsInstancesSetBackgroundCreate(context.Background(), "partner-login", authentik.FlowBackground{
		Filename: "partner.png", Content: []byte("\x89PNG"),
	})
	fmt.Println(err)
	// Output: <nil>
}

func ExampleClient_FlowsInstancesSetBackgroundURLCreate_unsupported() {
	srv := authentiktest.Start(authentiktest.Version("2026.8"))
	defer srv.Close()
	client := srv.Client()
	ctx := context.Background()

	const slug, image = "default-authentication-flow", "https://cdn.example.com/background.png"
	err := client.FlowsInstancesSetBackgroundURLCreate(ctx, slug, image)
	if errors.Is(err, authentik.ErrUnsupported) {
		fmt.Println(err)
		_, err = client.FlowsInstancesPartialUpdate(ctx, slug, authentik.FlowRequest{Background: new(image)})
	}
	fmt.Println(err)
	// Output:
	// authentik: FlowsInstancesSetBackgroundURLCreate: authentik 2026.8 does not support this, releases up to 2025.10 do: use FlowsInstancesPartialUpdate with Background
	// <nil>
}

func ExampleClient_FlowsInstancesSetBackgroundURLCreate() {
	client, done := exampleServer{"POST flows/instances/partner-login/set_background_url/": {http.StatusOK, `{}`}}.client()
	defer done()
	const image = "https://cdn.example.com/partner.png"
	err := client.FlowsInstancesSetBackgroundURLCreate(context.Background(), "partner-login", image)
	fmt.Println(err)
	// Output: <nil>
}

func ExampleClient_BindingsList() {
	srv := authentiktest.Start()
	defer srv.Close()
	page, err := srv.Client().BindingsList(context.Background(), &authentik.BindingsListOptions{Search: "consent"})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, binding := range page.Results {
		fmt.Println(binding.Order, binding.StageObj.Name)
	}
	// Output: 0 default-provider-authorization-consent
}

func ExampleClient_BindingsPages() {
	srv := authentiktest.Start()
	defer srv.Close()
	opts := &authentik.BindingsListOptions{PageSize: 8}
	for page, err := range srv.Client().BindingsPages(context.Background(), opts) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(len(page.Results), "of", page.Pagination.Count)
	}
	// Output:
	// 8 of 20
	// 8 of 20
	// 4 of 20
}

func ExampleClient_BindingsAll() {
	srv := authentiktest.Start()
	defer srv.Close()
	client := srv.Client()
	flow, err := client.FlowsInstancesRetrieve(context.Background(), "default-authentication-flow")
	if err != nil {
		fmt.Println(err)
		return
	}
	opts := &authentik.BindingsListOptions{Target: flow.PK}
	for binding, err := range client.BindingsAll(context.Background(), opts) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(binding.Order, binding.StageObj.Name)
	}
	// Output:
	// 10 default-authentication-identification
	// 20 default-authentication-password
	// 30 default-authentication-mfa-validation
	// 100 default-authentication-login
}

const exampleBinding = `{"pk":"a6a42b4f-42dc-4fb0-921c-c0cc0046cf7e",
	"policybindingmodel_ptr_id":"ba980d10-4fba-4a42-bafa-2ad3c955eb1d","target":"25309746-54de-4eab-bf4a-a378228f8464",
	"stage":"f16f68f7-099b-49d6-b227-b13a702376c8","order":10,"stage_obj":{"pk":"f16f68f7-099b-49d6-b227-b13a702376c8",
	"name":"partner-password","component":"ak-stage-password-form","verbose_name":"Password Stage",
	"verbose_name_plural":"Password Stages"}}`

var (
	exampleFlowID    = uuid.MustParse("25309746-54de-4eab-bf4a-a378228f8464")
	exampleStageID   = uuid.MustParse("f16f68f7-099b-49d6-b227-b13a702376c8")
	exampleBindingID = uuid.MustParse("a6a42b4f-42dc-4fb0-921c-c0cc0046cf7e")
)

func ExampleClient_BindingsCreate() {
	client, done := exampleServer{"POST flows/bindings/": {http.StatusCreated, exampleBinding}}.client()
	defer done()
	binding, err := client.BindingsCreate(context.Background(), authentik.FlowStageBindingRequest{
		Target: exampleFlowID,
		Stage:  exampleStageID,
		Order:  new(10), // a pointer, because 0 is a value
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(binding.StageObj.Name, "is bound at", binding.Order)
	// Output: partner-password is bound at 10
}

func ExampleClient_BindingsUpdate() {
	path := "flows/bindings/" + exampleBindingID.String() + "/"
	client, done := exampleServer{
		"GET " + path: {http.StatusOK, exampleBinding},
		"PUT " + path: {http.StatusOK, strings.Replace(exampleBinding, `"order":10`, `"order":20`, 1)},
	}.client()
	defer done()
	binding, err := client.BindingsRetrieve(context.Background(), exampleBindingID)
	if err != nil {
		fmt.Println(err)
		return
	}
	request := authentik.FlowStageBindingRequest{Target: binding.Target, Stage: binding.Stage, Order: new(20)}
	binding, err = client.BindingsUpdate(context.Background(), binding.PK, request)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(binding.Order)
	// Output: 20
}

func ExampleClient_BindingsPartialUpdate() {
	client, done := exampleServer{"PATCH flows/bindings/" + exampleBindingID.String() + "/": {
		http.StatusOK, strings.Replace(exampleBinding, `"order":10`, `"order":0`, 1),
	}}.client()
	defer done()
	binding, err := client.BindingsPartialUpdate(context.Background(), exampleBindingID, authentik.FlowStageBindingRequest{
		Order: new(0),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(binding.Order)
	// Output: 0
}

func ExampleClient_BindingsDestroy() {
	path := "flows/bindings/" + exampleBindingID.String() + "/"
	client, done := exampleServer{"DELETE " + path: {http.StatusNoContent, ""}}.client()
	defer done()
	fmt.Println(client.BindingsDestroy(context.Background(), exampleBindingID))
	// Output: <nil>
}

func ExampleClient_BindingsUsedByList() {
	srv := authentiktest.Start()
	defer srv.Close()
	uses, err := srv.Client().BindingsUsedByList(context.Background(), srv.Bindings()[0].PK)
	fmt.Println(len(uses), err)
	// Output: 0 <nil>
}

func ExampleFlowStageBinding_Request() {
	binding := authentik.FlowStageBinding{Target: exampleFlowID, Stage: exampleStageID, Order: 10, EvaluateOnPlan: true}
	request := binding.Request()
	request.Order = new(20)
	fmt.Println(*request.Order, *request.EvaluateOnPlan, *request.ReEvaluatePolicies)
	// Output: 20 true false
}

func ExampleClient_StagesAllList() {
	srv := authentiktest.Start()
	defer srv.Close()
	page, err := srv.Client().StagesAllList(context.Background(), &authentik.StagesAllListOptions{
		Name: "default-authentication-login", // unique
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(page.Pagination.Count, page.Results[0].VerboseName)
	// Output: 1 User Login Stage
}

func ExampleClient_StagesAllPages() {
	srv := authentiktest.Start()
	defer srv.Close()
	opts := &authentik.StagesAllListOptions{PageSize: 10}
	for page, err := range srv.Client().StagesAllPages(context.Background(), opts) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(len(page.Results), "of", page.Pagination.Count)
	}
	// Output:
	// 10 of 18
	// 8 of 18
}

func ExampleClient_StagesAllAll() {
	srv := authentiktest.Start()
	defer srv.Close()
	opts := &authentik.StagesAllListOptions{Search: "authenticator"}
	for stage, err := range srv.Client().StagesAllAll(context.Background(), opts) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(stage.Name)
	}
	// Output:
	// default-authenticator-static-setup
	// default-authenticator-totp-setup
	// default-authenticator-webauthn-setup
}

func ExampleClient_StagesAllRetrieve() {
	srv := authentiktest.Start()
	defer srv.Close()
	stage, err := srv.Client().StagesAllRetrieve(context.Background(), srv.Stages()[0].PK)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(stage.Name)
	// Output: default-authenticator-static-setup
}

func ExampleClient_StagesAllTypesList() {
	client, done := exampleServer{"GET stages/all/types/": {http.StatusOK, `[{"name":"Captcha Stage",
		"description":"Verify the user is human.","component":"ak-stage-captcha-form","model_name":"captchastage",
		"icon_url":null,"requires_enterprise":false,"deprecated":false}]`}}.client()
	defer done()
	types, err := client.StagesAllTypesList(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(types[0].Name, types[0].ModelName)
	// Output: Captcha Stage captchastage
}

func ExampleClient_StagesAllUsedByList() {
	path := "stages/all/" + exampleStageID.String() + "/used_by/"
	client, done := exampleServer{"GET " + path: {http.StatusOK, `[{"app":"authentik_flows","model_name":"flow",
		"pk":"25309746-54de-4eab-bf4a-a378228f8464","name":"Flow Partner login","action":"cascade_many"}]`}}.client()
	defer done()
	uses, err := client.StagesAllUsedByList(context.Background(), exampleStageID)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(uses[0].ModelName, uses[0].Action)
	// Output: flow cascade_many
}

func ExampleClient_StagesAllDestroy() {
	path := "stages/all/" + exampleStageID.String() + "/"
	client, done := exampleServer{"DELETE " + path: {http.StatusNoContent, ""}}.client()
	defer done()
	fmt.Println(client.StagesAllDestroy(context.Background(), exampleStageID))
	// Output: <nil>
}

func ExampleClient_Do() {
	client, done := exampleServer{"POST core/groups/": {http.StatusCreated, `{"pk":"7","name":"partners"}`}}.client()
	defer done()
	type group struct {
		PK   string `json:"pk,omitzero"`
		Name string `json:"name"`
	}
	var created group
	err := client.Do(context.Background(), http.MethodPost, "core/groups/", nil, group{Name: "partners"}, &created)
	fmt.Println(created.PK, created.Name, err)
	// Output: 7 partners <nil>
}

func ExampleListAll() {
	client, done := exampleServer{"GET core/groups/": {http.StatusOK, `{"pagination":{"next":0,"previous":0,"count":2,
		"current":1,"total_pages":1,"start_index":1,"end_index":2},
		"results":[{"name":"admins"},{"name":"partners"}]}`}}.client()
	defer done()
	type group struct {
		Name string `json:"name"`
	}
	for group, err := range authentik.ListAll[group](context.Background(), client, "core/groups/", nil) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(group.Name)
	}
	// Output:
	// admins
	// partners
}

// A metric for each operation, with a bounded number of labels.
func ExampleRequestInfo() {
	srv := authentiktest.Start()
	defer srv.Close()
	count := func(next http.RoundTripper) http.RoundTripper {
		return authentik.RoundTripFunc(func(req *http.Request) (*http.Response, error) {
			if info, ok := authentik.RequestInfo(req.Context()); ok {
				fmt.Println(info.Op, info.Route, info.Attempt)
			}
			return next.RoundTrip(req)
		})
	}
	client, err := authentik.NewClient(srv.URL, srv.Token, authentik.WithMiddleware(count))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	if _, err := client.FlowsInstancesRetrieve(context.Background(), "initial-setup"); err != nil {
		fmt.Println(err)
	}
	// Output: FlowsInstancesRetrieve /flows/instances/{slug}/ 1
}

// A function stands in for a transport.
func ExampleRoundTripFunc_RoundTrip() {
	offline := authentik.RoundTripFunc(func(*http.Request) (*http.Response, error) {
		return nil, errors.New("offline")
	})
	resp, err := offline.RoundTrip(nil) //nolint:bodyclose // there is none
	fmt.Println(resp, err)
	// Output: <nil> offline
}

// A cache gives way when authentik has rejected its token.
func ExampleRefreshToken() {
	srv := authentiktest.Start()
	defer srv.Close()
	vault := srv.Token
	cached := vault
	client, err := authentik.NewClient(srv.URL, "", authentik.WithTokenFunc(func(ctx context.Context) (string, error) {
		if authentik.RefreshToken(ctx) {
			cached = vault
		}
		return cached, nil
	}))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()

	vault = srv.RotateToken(vault)
	_, err = client.FlowsInstancesList(context.Background(), nil)
	fmt.Println(err)
	// Output: <nil>
}
