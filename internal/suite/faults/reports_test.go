package faults_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/internal/testkit"
	"github.com/seed-299d42e7/authentik-go/internal/transport"
)

// report is a circumstance that users of such libraries reported, and its
// outcome. The rows of the matrix go deeper; this table says for each kind of
// report what a user sees.
type report struct {
	kind, circumstance string
	steps              []testkit.Step // what the requests of FlowsInstancesList meet
	opts               []authentik.ClientOption
	requests           int
	took               [2]time.Duration // in virtual time
	is, isNot          []error
	text               string // of the error, after "authentik: FlowsInstancesList: "; "" for success
	hint               string // of the error
	// test replaces all of the above where a list is not the point.
	test func(*testing.T)
	// proof is such a test of another package.
	proof proof
}

// kinds are the kinds of reports, of which each has four circumstances or more.
var kinds = []string{
	"a foreign answer is not authentik's",
	"the client waits for a restart",
	"the reason is in the error",
	"the pool heals",
	"requests are paced",
	"envelopes are read leniently",
	"what cannot work is not repeated",
	"credentials are refreshed",
	"defaults are looked up when used",
}

var (
	atOnce     = testkit.Between(0, 0)
	aFewWaits  = testkit.Between(0, 4*time.Second)
	theRestart = testkit.Between(restart, restart+2*time.Second)
)

// away is a server that responded once, and then meets step for a restart.
func away(step testkit.Step) []testkit.Step {
	var until time.Time
	return []testkit.Step{success, func(req *http.Request) (*http.Response, error) {
		if until.IsZero() {
			until = time.Now().Add(restart)
		}
		if time.Now().Before(until) {
			return step(req)
		}
		return success(req)
	}}
}

// withType is a list that a server sends with another Content-Type.
func withType(contentType, body string) []testkit.Step {
	return []testkit.Step{fromProxy(200, contentType, body)}
}

var reports = []report{
	{
		kind: "a foreign answer is not authentik's", circumstance: "Traefik has no route",
		steps: []testkit.Step{proxiesDown["Traefik, 404"]}, requests: 4, took: aFewWaits,
		is: []error{authentik.ErrNotAuthentik}, isNot: []error{authentik.ErrNotFound, authentik.ErrListChanged},
		text: "404 Not Found: page not found (sent by something in front of authentik, 4 attempts)",
		hint: "Check the base URL, and let the proxy in front of authentik pass /api/v3/.",
	},
	{
		kind: "a foreign answer is not authentik's", circumstance: "a firewall blocks",
		steps: []testkit.Step{fromProxy(403, "text/html", "<html><head><title>Attention Required!</title></head></html>",
			"Server", "cloudflare")},
		requests: 1, took: atOnce,
		is:   []error{authentik.ErrNotAuthentik, authentik.ErrForbidden},
		text: "403 Forbidden: Attention Required! (sent by cloudflare in front of authentik, 1 attempt)",
		hint: "Let the proxy in front of authentik pass /api/v3/ to it, or send what the proxy requires with WithHeader.",
	},
	{
		kind: "a foreign answer is not authentik's", circumstance: "a login page with status 200",
		steps: withType(testkit.HTML, "<!DOCTYPE html><title>Sign in</title>"), requests: 1, took: atOnce,
		is: []error{authentik.ErrNotAuthentik},
		text: "invalid response (200 OK, text/html; charset=utf-8): an HTML page: Sign in " +
			"(sent by something in front of authentik, 1 attempt)",
		hint: "Check the base URL, and let the proxy in front of authentik pass /api/v3/.",
	},
	{
		kind: "a foreign answer is not authentik's", circumstance: "a gateway wants its key",
		steps:    []testkit.Step{fromProxy(401, testkit.JSON, `{"message":"No API key found in request"}`, "Server", "kong/3.4")},
		requests: 1, took: atOnce,
		is:    []error{authentik.ErrNotAuthentik, authentik.ErrUnauthorized},
		isNot: []error{authentik.ErrForbidden},
		text:  "401 Unauthorized: No API key found in request (sent by kong/3.4 in front of authentik, 1 attempt)",
		hint:  "Let the proxy in front of authentik pass /api/v3/ to it, or send what the proxy requires with WithHeader.",
	},
	{
		kind: "a foreign answer is not authentik's", circumstance: "a test server writes authentik's JSON by hand",
		steps:    []testkit.Step{fromProxy(404, testkit.Text, `{"detail":"Not found."}`)},
		requests: 1, took: atOnce,
		is: []error{authentik.ErrNotFound}, isNot: []error{authentik.ErrNotAuthentik},
		text: "404 Not Found: Not found. (1 attempt)",
		hint: "Check that the object exists, and that the user of the token may view it.",
	},

	{kind: "the client waits for a restart", circumstance: "behind nginx", steps: away(proxiesDown["nginx, 502"]), took: theRestart},
	{kind: "the client waits for a restart", circumstance: "behind haproxy", steps: away(proxiesDown["haproxy, 503"]), took: theRestart},
	{kind: "the client waits for a restart", circumstance: "behind Traefik", steps: away(proxiesDown["Traefik, 404"]), took: theRestart},
	{kind: "the client waits for a restart", circumstance: "in a tunnel", steps: away(proxiesDown["Cloudflare, 530"]), took: theRestart},
	{kind: "the client waits for a restart", circumstance: "refused", steps: away(networkDown["connection refused"]), took: theRestart},
	{kind: "the client waits for a restart", circumstance: "no such host", steps: away(networkDown["no such host"]), took: theRestart},
	{
		kind: "the client waits for a restart", circumstance: "but not for a host that never existed",
		steps: []testkit.Step{networkDown["no such host"]}, requests: 1, took: atOnce,
		is:   []error{authentik.ErrUnreachable},
		text: "sso.example.com: dial tcp: lookup : no such host (1 attempt)",
		hint: "Check the host in the base URL, and the name servers.",
	},

	{
		kind: "the reason is in the error", circumstance: "RFC 9457",
		steps: []testkit.Step{fromProxy(400, "application/problem+json",
			`{"type":"about:blank","title":"Blocked","status":400,"detail":"Rule 7 matched"}`)},
		requests: 1, took: atOnce, is: []error{authentik.ErrNotAuthentik, authentik.ErrBadRequest},
		text: "400 Bad Request: Blocked: Rule 7 matched (sent by something in front of authentik, 1 attempt)",
	},
	{
		kind: "the reason is in the error", circumstance: "nginx names the cause",
		steps: []testkit.Step{fromProxy(400, "text/html",
			"<html>\r\n<head><title>400 The plain HTTP request was sent to HTTPS port</title></head>\r\n", "Server", "nginx/1.22.1")},
		requests: 1, took: atOnce, is: []error{authentik.ErrNotAuthentik},
		text: "400 Bad Request: The plain HTTP request was sent to HTTPS port " +
			"(sent by nginx/1.22.1 in front of authentik, 1 attempt)",
	},
	{
		kind: "the reason is in the error", circumstance: "WWW-Authenticate",
		steps:    []testkit.Step{fromProxy(401, "", "", "WWW-Authenticate", `Basic realm="Staging"`)},
		requests: 1, took: atOnce, is: []error{authentik.ErrNotAuthentik, authentik.ErrUnauthorized},
		text: `401 Unauthorized: requires Basic authentication for realm "Staging" (sent by something in front of authentik, 1 attempt)`,
		hint: "Let the proxy in front of authentik pass /api/v3/ to it, or send what the proxy requires with WithHeader.",
	},
	{
		kind: "the reason is in the error", circumstance: "the last slash is missing",
		steps: []testkit.Step{testkit.Respond(testkit.Reply(301, "", "", "Location",
			"http://sso.example.com/api/v3/flows/instances/?search=x"))},
		requests: 1, took: atOnce,
		text: "301 Moved Permanently: redirected to http://sso.example.com/api/v3/flows/instances/; no redirect is followed " +
			"(request " + testkit.RequestID + ", 1 attempt)",
		hint: "Tell the proxy in front of authentik that it is reached over https://: it redirects to http://.",
	},
	{
		kind: "the reason is in the error", circumstance: "the proxy refuses CONNECT",
		steps:    []testkit.Step{testkit.Fail(&transport.ProxyError{StatusCode: 407, Status: "407 Proxy Authentication Required"})},
		requests: 1, took: atOnce, is: []error{authentik.ErrUnreachable},
		text: "sso.example.com: proxy refused CONNECT: 407 Proxy Authentication Required (1 attempt)",
		hint: "Put the user and password of the proxy into HTTPS_PROXY, or the host into NO_PROXY.",
	},

	{
		kind: "the pool heals", circumstance: "a firewall forgot all connections",
		proof: proof{"internal/transport/pool_test.go", "TestPool_DialsAfterATimeout"},
	},
	{
		kind: "the pool heals", circumstance: "a connection ends without a word",
		proof: proof{"internal/transport/pool_test.go", "TestPool_DialsAfterASilentEnd"},
	},
	{
		kind: "the pool heals", circumstance: "the server moved to another address",
		proof: proof{"internal/transport/pool_test.go", "TestPool_BoundsTheAgeOfConnections"},
	},
	{
		kind: "the pool heals", circumstance: "a connection has a response that nobody requested",
		proof: proof{"internal/transport/pool_test.go", "TestPool_KeepsNetHTTPQuiet"},
	},
	{
		kind: "the pool heals", circumstance: "nothing is wrong with the other connections",
		proof: proof{"internal/transport/pool_test.go", "TestPool_KeepsConnectionsAfterAResponse"},
	},

	{
		kind: "requests are paced", circumstance: "a limiter says when",
		steps: []testkit.Step{testkit.RespondStatus(429, "7"), success}, requests: 2,
		took: testkit.Between(7*time.Second, 8*time.Second),
	},
	{
		kind: "requests are paced", circumstance: "a limiter says how long, and no more",
		steps: []testkit.Step{fromProxy(429, "", "", "RateLimit-Reset", "7"), success}, requests: 2,
		took: testkit.Between(7*time.Second, 8*time.Second),
	},
	{
		kind: "requests are paced", circumstance: "a limiter's clock is an hour ahead",
		steps: []testkit.Step{skewed(503, time.Hour, http.TimeFormat), success}, requests: 2,
		took: testkit.Between(19*time.Second, 22*time.Second),
	},
	{
		kind: "requests are paced", circumstance: "a gateway's timeout is repeated once",
		steps:    []testkit.Step{fromProxy(504, "text/html", "<title>504 Gateway Time-out</title>")},
		requests: 2, took: aFewWaits, is: []error{authentik.ErrNotAuthentik, authentik.ErrServer},
		text: "504 Gateway Timeout: Gateway Time-out (sent by something in front of authentik, 2 attempts)",
		hint: "Raise the timeout of the proxy in front of authentik, or request fewer objects with PageSize.",
	},
	{
		kind: "requests are paced", circumstance: "a limiter asks for more than the caller has",
		steps: []testkit.Step{testkit.RespondStatus(429, "3600")}, requests: 1, took: atOnce,
		is:   []error{authentik.ErrRateLimited},
		text: "429 Too Many Requests: Later. (request " + testkit.RequestID + ", 1 attempt, the server asks to wait 1h0m0s)",
		hint: "Send fewer requests, and wait for RetryAfter.",
	},

	{
		kind: "envelopes are read leniently", circumstance: "a Content-Type that is folded", requests: 1,
		steps: withType("application/json, application/json", testkit.TwoFlowsBody),
	},
	{
		kind: "envelopes are read leniently", circumstance: "text/plain", requests: 1,
		steps: withType(testkit.Text, testkit.TwoFlowsBody),
	},
	{
		kind: "envelopes are read leniently", circumstance: "no Content-Type", requests: 1,
		steps: withType("", testkit.TwoFlowsBody),
	},
	{
		kind: "envelopes are read leniently", circumstance: "a Content-Type that is none", requests: 1,
		steps: withType(";;", testkit.TwoFlowsBody),
	},
	{
		kind: "envelopes are read leniently", circumstance: "a page of which policies hide the rest",
		test: testkit.InBubble(func(t *testing.T) {
			server := testkit.NewSequence(withType(testkit.JSON, testkit.FlowPageBody(3, `[{"slug":"a"}]`))...)
			var apps authentik.Page[struct{ Slug string }]
			require.NoError(t, server.Client(t).Get(t.Context(), "core/applications/", nil, &apps))
			assert.Len(t, apps.Results, 1)
			assert.Equal(t, 3, apps.Pagination.Count)
		}),
	},

	{
		kind: "what cannot work is not repeated", circumstance: "a proxy forbids CONNECT",
		steps:    []testkit.Step{testkit.Fail(&transport.ProxyError{StatusCode: 403, Status: "403 Forbidden"})},
		requests: 1, took: atOnce, is: []error{authentik.ErrUnreachable},
		text: "sso.example.com: proxy refused CONNECT: 403 Forbidden (1 attempt)",
		hint: "Let the proxy connect to the host, or put the host into NO_PROXY.",
	},
	{
		kind: "what cannot work is not repeated", circumstance: "a proxy answers with words that are not HTTP",
		test: notRepeated("SSH-2.0-OpenSSH_9.2\r\n"),
	},
	{
		kind: "what cannot work is not repeated", circumstance: "two lengths",
		test: notRepeated("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}"),
	},
	{
		kind: "what cannot work is not repeated", circumstance: "a header without a colon",
		test: notRepeated("HTTP/1.1 200 OK\r\ncharset=utf-8\r\nContent-Length: 2\r\n\r\n{}"),
	},
	{
		kind: "what cannot work is not repeated", circumstance: "an encoding that nobody asked for",
		steps: []testkit.Step{fromProxy(200, testkit.JSON, "(\xb5/\xfd", "Content-Encoding", "zstd")}, requests: 1, took: atOnce,
		text: "invalid response (200 OK, application/json): the body is encoded as zstd, which was not requested (1 attempt)",
	},

	{
		kind: "credentials are refreshed", circumstance: "a token that was rotated",
		test: refreshes(403, "Token invalid/expired", 1),
	},
	{
		kind: "credentials are refreshed", circumstance: "a server that says 401",
		test: refreshes(401, "Token invalid/expired", 1),
	},
	{
		kind: "credentials are refreshed", circumstance: "a server that speaks German",
		test: refreshes(403, "Token ungültig/abgelaufen", 1),
	},
	{
		kind: "credentials are refreshed", circumstance: "once only: the fresh one is refused, too",
		test: refreshes(403, "Token invalid/expired", 9),
	},
	{
		kind: "credentials are refreshed", circumstance: "but not for what a proxy forbids",
		test: keepsToken(fromProxy(403, "text/html", "<h1>403 Forbidden</h1>"), 1),
	},
	{
		kind: "credentials are refreshed", circumstance: "but not for a permission that lacks",
		test: keepsToken(testkit.Respond(testkit.Reply(403, testkit.JSON,
			`{"detail":"You do not have permission to perform this action."}`)), 2),
	},

	{kind: "defaults are looked up when used", circumstance: "replaced before the client", test: usesDefault(true, false, nil)},
	{kind: "defaults are looked up when used", circumstance: "replaced after the client", test: usesDefault(false, false, nil)},
	{
		kind: "defaults are looked up when used", circumstance: "replaced before a client with an http.Client",
		test: usesDefault(true, false, &http.Client{}),
	},
	{
		kind: "defaults are looked up when used", circumstance: "replaced after a client with an http.Client",
		test: usesDefault(false, false, &http.Client{}),
	},
	{kind: "defaults are looked up when used", circumstance: "replaced by another http.Transport", test: usesDefault(false, true, nil)},
}

func TestReport(t *testing.T) { //nolint:paralleltest // some subtests replace http.DefaultTransport
	for _, r := range reports { //nolint:paralleltest // as above
		switch {
		case r.test != nil:
			t.Run(r.kind+"/"+r.circumstance, r.test)
		case r.proof.test == "":
			testkit.RunInBubble(t, r.kind+"/"+r.circumstance, r.list)
		}
	}
}

// list asserts the outcome of a request for a list, of the second one if the
// first succeeds.
func (r report) list(t *testing.T) {
	server := testkit.NewSequence(r.steps...)
	ak := server.Client(t, r.opts...)
	got := ak.List(t.Context(), t)
	if len(r.steps) > 1 && got.Err == nil && got.Response.Attempts == 1 {
		got = ak.List(t.Context(), t)
	}
	if r.requests > 0 {
		assert.Equal(t, r.requests, server.Requests())
	}
	assert.GreaterOrEqual(t, got.Took, r.took[0])
	assert.LessOrEqual(t, got.Took, r.took[1])
	if r.text == "" {
		require.NoError(t, got.Err)
		assert.Len(t, got.Page.Results, 2)
		return
	}
	testkit.AssertListError(t, got.Err, r.text)
	assert.Equal(t, r.hint, authentik.Hint(got.Err))
	for _, target := range r.is {
		require.ErrorIs(t, got.Err, target)
	}
	for _, target := range r.isNot {
		require.NotErrorIs(t, got.Err, target)
	}
}

func TestReports_EachKindHasFour(t *testing.T) {
	t.Parallel()
	of := map[string]int{}
	names := map[string]bool{}
	for _, r := range reports {
		of[r.kind]++
		require.False(t, names[r.kind+r.circumstance], "%s: %s is there twice", r.kind, r.circumstance)
		names[r.kind+r.circumstance] = true
		if r.proof.test != "" {
			assert.Contains(t, testsIn(t, r.proof.file), r.proof.test, r.circumstance)
			continue
		}
		assert.True(t, r.test != nil || len(r.steps) > 0, "%s: %s has no test", r.kind, r.circumstance)
	}
	assert.Len(t, of, len(kinds))
	for _, kind := range kinds {
		assert.GreaterOrEqual(t, of[kind], 4, kind)
	}
}

// notRepeated returns a test of a response that net/http cannot parse.
func notRepeated(response string) func(*testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		server := testkit.NewConnServer(testkit.SendAndClose(response))
		ak := testkit.NewCheckedClient(t, "http://"+server.Listen(t), testkit.NoWait)
		require.Error(t, ak.List(t.Context(), t).Err)
		assert.EqualValues(t, 1, server.Requests.Load())
	}
}

// vault is where a token function gets its token. The first one is old once the
// server has refused it.
type vault struct{ calls, refreshed int }

func (v *vault) token(ctx context.Context) (string, error) {
	v.calls++
	if authentik.RefreshToken(ctx) {
		v.refreshed++
	}
	return testkit.Token + strings.Repeat("-new", v.refreshed), nil
}

func (v *vault) list(t *testing.T, server *testkit.Sequence) error {
	t.Helper()
	ak, err := authentik.NewClient("https://sso.example.com", "", authentik.WithTokenFunc(v.token),
		authentik.WithHTTPClient(&http.Client{Transport: server}))
	require.NoError(t, err)
	_, err = ak.FlowsInstancesList(t.Context(), nil)
	testkit.AssertNoSecrets(t, err)
	return err
}

// refreshes returns a test of a server that refuses this many tokens.
func refreshes(status int, detail string, tokens int) func(*testing.T) {
	return testkit.InBubble(func(t *testing.T) {
		server := testkit.NewSequence(func(req *http.Request) (*http.Response, error) {
			if strings.Count(req.Header.Get("Authorization"), "-new") < tokens {
				return testkit.HTTPResponse(testkit.Reply(status, testkit.JSON, `{"detail":"`+detail+`"}`)), nil
			}
			return success(req)
		})
		var v vault
		err := v.list(t, server)
		assert.Equal(t, 1, v.refreshed)
		assert.Equal(t, 3, server.Requests(), "the list, the release to tell the token from a permission, the list")
		if tokens == 1 {
			require.NoError(t, err)
			return
		}
		require.ErrorContains(t, err, detail)
	})
}

// keepsToken returns a test of a refusal that is not about the token.
func keepsToken(refusal testkit.Step, requests int) func(*testing.T) {
	return testkit.InBubble(func(t *testing.T) {
		server := testkit.NewSequence(func(req *http.Request) (*http.Response, error) {
			if strings.HasSuffix(req.URL.Path, "/admin/version/") {
				return testkit.HTTPResponse(testkit.Reply(200, testkit.JSON, `{"version_current":"2026.8.1"}`)), nil
			}
			return refusal(req)
		})
		var v vault
		require.ErrorIs(t, v.list(t, server), authentik.ErrForbidden)
		assert.Zero(t, v.refreshed)
		assert.Equal(t, requests, server.Requests())
	})
}

// usesDefault returns a test of a client that has no transport of its own, in a
// program that replaces http.DefaultTransport early or late, by one of net/http
// or by another. It is not parallel.
func usesDefault(early, ofNetHTTP bool, httpClient *http.Client) func(*testing.T) {
	return func(t *testing.T) {
		before := http.DefaultTransport
		defer func() { http.DefaultTransport = before }()
		server := testkit.NewConnServer(testkit.Send(testkit.TwoFlowsRaw))
		replacement := server.Pipe(t).Transport
		if !ofNetHTTP {
			replacement = testkit.RoundTripFunc(replacement.RoundTrip)
		}
		if early {
			http.DefaultTransport = replacement
		}
		opts := []authentik.ClientOption{testkit.NoWait, authentik.WithInsecureHTTP()}
		if httpClient != nil {
			opts = append(opts, authentik.WithHTTPClient(httpClient))
		}
		ak, err := authentik.NewClient("http://sso.invalid", testkit.Token, opts...)
		require.NoError(t, err)
		defer ak.Close()
		http.DefaultTransport = replacement
		page, err := ak.FlowsInstancesList(t.Context(), nil)
		require.NoError(t, err)
		assert.Len(t, page.Results, 2)
	}
}
