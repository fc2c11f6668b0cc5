package authentik_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/internal/testkit"
	"github.com/seed-299d42e7/authentik-go/internal/testkit/recording"
)

func TestMaxResponseSizeIsToTheByte(t *testing.T) {
	t.Parallel()
	size := int64(len(testkit.TwoFlowsBody))
	for limit, enough := range map[int64]bool{1: false, size - 1: false, size: true, size + 1: true, math.MaxInt64 - 1: true, math.MaxInt64: true} {
		for _, chunked := range []bool{false, true} {
			ak := testkit.NewClient(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				if chunked {
					w.(http.Flusher).Flush()
				}
				(&testkit.Stub{Body: testkit.TwoFlowsBody}).ServeHTTP(w, req)
			}), authentik.WithMaxResponseSize(limit))
			_, err := ak.FlowsInstancesList(t.Context(), nil)
			if enough {
				assert.NoError(t, err, limit)
			} else {
				assert.ErrorIs(t, err, authentik.ErrResponseTooLarge, limit)
			}
		}
	}
}

func TestServerVersion(t *testing.T) {
	t.Parallel()
	server := &testkit.Stub{Body: `{"version_current":"2024.10.0","version_latest":"2024.10.1","build_hash":"","outdated":true}`}
	var asked *http.Request
	ak := testkit.NewClient(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		asked = req
		server.ServeHTTP(w, req)
	}))
	var response authentik.Response
	version, err := ak.ServerVersion(t.Context(), authentik.WithResponse(&response))
	require.NoError(t, err)
	assert.Equal(t, "2024.10.0", version)
	assert.Equal(t, server.Body, string(response.Body))
	assert.Equal(t, "GET /api/v3/admin/version/", asked.Method+" "+asked.URL.String())

	for body, want := range map[string]string{
		`{"version_current":""}`:   "version_current: empty",
		`{"version_current":null}`: "version_current: null, want a string: null",
		`{}`:                       "version_current: missing",
	} {
		version, err := testkit.NewClient(t, testkit.Reply(200, testkit.JSON, body)).ServerVersion(t.Context())
		assert.Empty(t, version)
		testkit.RequireType[*authentik.DecodeError](t, err)
		assert.EqualError(t, err, "authentik: ServerVersion: unusable answer (200 OK, application/json): "+want+" (request "+testkit.RequestID+", 1 attempt)")
	}
	_, err = testkit.NewClient(t, testkit.Reply(403, testkit.JSON, `{"detail":"Token invalid/expired"}`)).ServerVersion(t.Context())
	assert.ErrorIs(t, err, authentik.ErrForbidden)
}

// What is left of an earlier call would be taken for this one's.
func TestResponseOfACallThatIsRefusedIsEmpty(t *testing.T) {
	t.Parallel()
	ak := testkit.NewClient(t, &testkit.Stub{Body: testkit.TwoFlowsBody})
	ctx := t.Context()
	for name, refused := range map[string]func(authentik.RequestOption) error{
		"FlowsInstancesList": func(opt authentik.RequestOption) error {
			_, err := ak.FlowsInstancesList(ctx, &authentik.FlowsInstancesListOptions{Page: -1}, opt)
			return err
		},
		"FlowsInstancesAll": func(opt authentik.RequestOption) error {
			_, err := authentik.Collect(ak.FlowsInstancesAll(ctx, &authentik.FlowsInstancesListOptions{Page: -1}, opt))
			return err
		},
		"FlowsInstancesPages": func(opt authentik.RequestOption) error {
			_, err := authentik.Collect(ak.FlowsInstancesPages(ctx, nil, opt, authentik.WithPrefetch(-1)))
			return err
		},
		"BindingsRetrieve": func(opt authentik.RequestOption) error {
			_, err := ak.BindingsRetrieve(ctx, uuid.Nil, opt)
			return err
		},
		"Get, its path": func(opt authentik.RequestOption) error { return ak.Get(ctx, "..", nil, nil, opt) },
		"Get, its out":  func(opt authentik.RequestOption) error { return ak.Get(ctx, "", nil, 1, opt) },
		"ServerVersion of no client": func(opt authentik.RequestOption) error {
			_, err := new(authentik.Client).ServerVersion(ctx, opt)
			return err
		},
	} {
		var response authentik.Response
		_, err := ak.FlowsInstancesList(ctx, nil, authentik.WithResponse(&response))
		require.NoError(t, err)
		require.NotEmpty(t, response.Body)
		testkit.RequireType[*authentik.ArgumentError](t, refused(authentik.WithResponse(&response)))
		assert.Zero(t, response, name)
	}
}

// refusedURLs are base URLs that cannot work, by the row of the fault matrix,
// and why.
var refusedURLs = map[string]map[string][]string{
	"S3": {
		"it is http://, where everybody on the way can read the token: use https://, or WithInsecureHTTP": {
			"http://sso.example.com", "http://192.0.2.1", "http://[2001:db8::1]", "http://localhost.example.com", "http://127.0.0.1.example.com", "http://0.0.0.0", "HTTP://sso.example.com",
		},
	},
	"S4": {
		"it has a user or password in it: authentik takes a token": {
			"https://user:" + testkit.ServerSecret + "@sso.example.com", "https://" + testkit.ServerSecret + "@sso.example.com", "https://:" + testkit.ServerSecret + "@sso.example.com",
			"https://@sso.example.com", "http://user:" + testkit.ServerSecret + "@127.0.0.1",
		},
	},
	"S5": {
		"it is not a URL such as https://sso.example.com": {
			"https://user:" + testkit.ServerSecret + "%zz@sso.example.com", "https://sso.example.com/%zz?token=" + testkit.ServerSecret, "https://sso.example.com:" + testkit.ServerSecret,
			"https://[" + testkit.ServerSecret, "https://sso.example.com\n" + testkit.ServerSecret, "https://sso.example.com /" + testkit.ServerSecret, "\x7f" + testkit.ServerSecret, ":" + testkit.ServerSecret,
		},
	},
	"S6": {
		"it is empty": {""},
		"it does not begin with https://": {
			"sso.example.com", "localhost:9000", "//sso.example.com", "/api/v3", "ftp://sso.example.com", "unix:///run/authentik.sock", "httpss://sso.example.com",
			"mailto:" + testkit.ServerSecret, "sso.example.com?token=" + testkit.ServerSecret, "?https://sso.example.com",
		},
		"it has no host": {"https:", "https://", "https:sso.example.com", "https:/sso.example.com", "https:///api/v3", "https://:443", "http://"},
		"it has a query or fragment: give the server's root": {
			"https://sso.example.com?token=" + testkit.ServerSecret, "https://sso.example.com/?", "https://sso.example.com/#" + testkit.ServerSecret, "https://sso.example.com#",
		},
		"its port is not one of 1 to 65535":                                {"https://sso.example.com:0", "https://sso.example.com:65536", "https://sso.example.com:99999", "https://sso.example.com:", "https://[::1]:99999"},
		"its path has an empty segment":                                    {"https://sso.example.com/a//b", "https://sso.example.com//a"},
		`its path has a segment that is "." or "..", or has a slash in it`: {"https://sso.example.com/..", "https://sso.example.com/a/../b", "https://sso.example.com/%2e%2e/a", "https://sso.example.com/./a", "https://sso.example.com/a%2fb", `https://sso.example.com/a\b`, "https://sso.example.com/a%5cb"},
		"its path has a control character or is not UTF-8":                 {"https://sso.example.com/%00", "https://sso.example.com/a%0d%0ab", "https://sso.example.com/%ff"},
		"it goes on after /api/v3: give the server's root":                 {"https://sso.example.com/api/v3/flows", "https://sso.example.com/api/v3/api/v3", "https://sso.example.com/a/api/v3/b/api/v3/"},
	},
}

// refusesURLs is the test of a row of them.
func refusesURLs(row string) func(*testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		for reason, urls := range refusedURLs[row] {
			for _, base := range urls {
				ak, err := authentik.NewClient(base, testkit.Token)
				require.Nil(t, ak, "%q", base)
				testkit.RequireType[*authentik.ArgumentError](t, err)
				assert.Equal(t, "authentik: NewClient: baseURL: "+reason, err.Error(), "%q", base)
				require.NoError(t, errors.Unwrap(err))
				testkit.AssertNoSecrets(t, err)
			}
		}
	}
}

func TestABaseURLIsJoinedOnce(t *testing.T) {
	t.Parallel()
	for base, want := range map[string]string{
		"https://sso.example.com":                    "https://sso.example.com/api/v3/",
		"https://sso.example.com/":                   "https://sso.example.com/api/v3/",
		"https://sso.example.com//":                  "https://sso.example.com/api/v3/",
		"https://sso.example.com/api/v3":             "https://sso.example.com/api/v3/",
		"https://sso.example.com/api/v3/":            "https://sso.example.com/api/v3/",
		"https://sso.example.com/sub/path":           "https://sso.example.com/sub/path/api/v3/",
		"https://sso.example.com/sub/path/":          "https://sso.example.com/sub/path/api/v3/",
		"https://sso.example.com/sub/path/api/v3/":   "https://sso.example.com/sub/path/api/v3/",
		"https://sso.example.com/api/v3x":            "https://sso.example.com/api/v3x/api/v3/",
		"https://sso.example.com/xapi/v3":            "https://sso.example.com/xapi/v3/api/v3/",
		"https://sso.example.com/api":                "https://sso.example.com/api/api/v3/",
		"https://sso.example.com/a%20b/S%C3%BCd/%25": "https://sso.example.com/a%20b/S%C3%BCd/%25/api/v3/",
		"https://sso.example.com/Süd":                "https://sso.example.com/S%C3%BCd/api/v3/",
		"https://sso.example.com/a%21b":              "https://sso.example.com/a%21b/api/v3/",
		"HTTPS://SSO.example.com:8443":               "https://SSO.example.com:8443/api/v3/",
		"https://[2001:db8::1]:9443/sub":             "https://[2001:db8::1]:9443/sub/api/v3/",
		"http://localhost:9000":                      "http://localhost:9000/api/v3/",
		"http://LocalHost":                           "http://LocalHost/api/v3/",
		"http://127.0.0.1:9000":                      "http://127.0.0.1:9000/api/v3/",
		"http://127.8.8.8":                           "http://127.8.8.8/api/v3/",
		"http://[::1]:9000":                          "http://[::1]:9000/api/v3/",
		"http://[::ffff:127.0.0.1]":                  "http://[::ffff:127.0.0.1]/api/v3/",
		"https://sso.example.com:1":                  "https://sso.example.com:1/api/v3/",
		"https://sso.example.com:65535":              "https://sso.example.com:65535/api/v3/",
		"insecure http://sso.example.com:9000/sub/":  "http://sso.example.com:9000/sub/api/v3/",
		"insecure https://sso.example.com":           "https://sso.example.com/api/v3/",
	} {
		var sent *http.Request
		opts := []authentik.ClientOption{nil, authentik.WithHTTPClient(&http.Client{Transport: testkit.RoundTripFunc(func(req *http.Request) (*http.Response, error) {
			sent = req
			return testkit.HTTPResponse(testkit.TwoFlows), nil
		})})}
		root, insecure := strings.CutPrefix(base, "insecure ")
		if insecure {
			opts = append(opts, authentik.WithInsecureHTTP())
		}
		ak, err := authentik.NewClient(root, testkit.Token, opts...)
		require.NoError(t, err, base)
		_, err = ak.FlowsInstancesList(t.Context(), &authentik.FlowsInstancesListOptions{Slug: "a/b"})
		require.NoError(t, err)
		assert.Equal(t, want+"flows/instances/?slug=a%2Fb", sent.URL.String(), base)
		assert.Equal(t, sent.URL.Host, sent.Host)
		assert.Equal(t, "authentik.Client("+strings.TrimSuffix(want, "/api/v3/")+")", fmt.Sprint(ak))
	}
}

// refusedTokens are what no token looks like, and why.
var refusedTokens = map[string][]string{
	"it is empty": {""},
	"it begins with Bearer, which is not part of a token": {"Bearer " + testkit.Token, "bearer " + testkit.Token, "BEARER " + testkit.Token, "Bearer "},
	"it has a character that no token has, such as a space or the end of a line": {
		testkit.Token + "\n", testkit.Token + "\r\n", "\x00" + testkit.Token, " " + testkit.Token, testkit.Token + " ", testkit.Token + " " + testkit.Token, testkit.Token + "\t", testkit.Token + "\x7f", testkit.Token + "é", "\ufeff" + testkit.Token, "\x80",
	},
}

func refusesTokens(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for reason, tokens := range refusedTokens {
			for _, token := range tokens {
				ak, err := authentik.NewClient("https://sso.example.com", token)
				require.Nil(t, ak)
				testkit.RequireType[*authentik.ArgumentError](t, err)
				assert.EqualError(t, err, "authentik: NewClient: token: "+reason)
				require.NoError(t, errors.Unwrap(err))
				testkit.AssertNoSecrets(t, err)

				server := testkit.NewSequence(testkit.Respond(testkit.TwoFlows))
				rotating, err := authentik.NewClient("https://sso.example.com", "", authentik.WithHTTPClient(&http.Client{Transport: testkit.RoundTripFunc(server.RoundTrip)}),
					authentik.WithTokenFunc(func(context.Context) (string, error) { return token, nil }))
				require.NoError(t, err)
				_, err = rotating.FlowsInstancesList(t.Context(), nil)
				testkit.AssertListError(t, err, "no token: "+reason+" (1 attempt)")
				testkit.AssertNoSecrets(t, err)
				assert.Zero(t, server.Requests())
			}
		}
	})
	for _, token := range []string{"a", "Bearer", "bearerX" + testkit.Token, "!~", strings.Repeat("x", 4096)} {
		_, err := authentik.NewClient("https://sso.example.com", token)
		assert.NoError(t, err)
	}
}

func TestNewClientFromEnv(t *testing.T) { //nolint:paralleltest // it sets the environment
	var sent *http.Request
	opt := authentik.WithHTTPClient(&http.Client{Transport: testkit.RoundTripFunc(func(req *http.Request) (*http.Response, error) {
		sent = req
		return testkit.HTTPResponse(testkit.TwoFlows), nil
	})})
	for _, c := range []struct{ url, token, want string }{
		{"", testkit.Token, "authentik: NewClient: AUTHENTIK_URL: it is empty"},
		{"sso.example.com", testkit.Token, "authentik: NewClient: AUTHENTIK_URL: it does not begin with https://"},
		{"https://sso.example.com", "", "authentik: NewClient: AUTHENTIK_TOKEN: it is empty"},
		{"https://sso.example.com", testkit.Token + "\n", "authentik: NewClient: AUTHENTIK_TOKEN: it has a character that no token has, such as a space or the end of a line"},
		{"https://sso.example.com/sub/", testkit.Token, ""},
	} {
		t.Setenv("AUTHENTIK_URL", c.url)
		t.Setenv("AUTHENTIK_TOKEN", c.token)
		ak, err := authentik.NewClientFromEnv(opt)
		if c.want != "" {
			require.Nil(t, ak)
			assert.EqualError(t, err, c.want)
			continue
		}
		require.NoError(t, err)
		_, err = ak.FlowsInstancesList(t.Context(), nil)
		require.NoError(t, err)
		assert.Equal(t, "https://sso.example.com/sub/api/v3/flows/instances/", sent.URL.String())
		assert.Equal(t, "Bearer "+testkit.Token, sent.Header.Get("Authorization"))
	}
	// Nothing else reads it.
	_, err := authentik.NewClient("", "")
	assert.Error(t, err)
	_, err = authentik.NewClientFromEnv(authentik.WithTokenFunc(func(context.Context) (string, error) { return testkit.Token, nil }))
	assert.EqualError(t, err, "authentik: NewClient: AUTHENTIK_TOKEN: there is WithTokenFunc too: give one of them")
}

func TestWhatAnOptionRefuses(t *testing.T) {
	t.Parallel()
	noToken := func(context.Context) (string, error) { return "", nil }
	type option = authentik.ClientOption
	for _, c := range []struct {
		option option
		token  string
		want   string // "" if it is taken
	}{
		{authentik.WithHTTPClient(nil), testkit.Token, "WithHTTPClient: the client is nil"},
		{authentik.WithHTTPClient(&http.Client{}), testkit.Token, ""},
		{authentik.WithRetry(authentik.RetryPolicy{MaxAttempts: -1}), testkit.Token, "WithRetry: MaxAttempts is negative"},
		{authentik.WithRetry(authentik.RetryPolicy{BaseDelay: -1, MaxDelay: -1, MaxRetryAfter: -1, StartupWait: -1, MaxElapsed: -1}), testkit.Token, ""},
		{authentik.WithTimeout(0), testkit.Token, "WithTimeout: it is not positive"},
		{authentik.WithTimeout(-1), testkit.Token, "WithTimeout: it is not positive"},
		{authentik.WithTimeout(1), testkit.Token, ""},
		{authentik.WithLogger(nil), testkit.Token, ""},
		{authentik.WithMaxResponseSize(0), testkit.Token, "WithMaxResponseSize: it is not positive"},
		{authentik.WithMaxResponseSize(-1), testkit.Token, "WithMaxResponseSize: it is not positive"},
		{authentik.WithMaxResponseSize(1), testkit.Token, ""},
		{authentik.WithMiddleware(nil), testkit.Token, "WithMiddleware: the function is nil"},
		{authentik.WithMiddleware(func(http.RoundTripper) http.RoundTripper { return nil }), testkit.Token, "WithMiddleware: the function returns nil"},
		{authentik.WithTokenFunc(nil), testkit.Token, "WithTokenFunc: the function is nil"},
		{authentik.WithTokenFunc(nil), "", "WithTokenFunc: the function is nil"},
		{authentik.WithTokenFunc(noToken), testkit.Token, "token: there is WithTokenFunc too: give one of them"},
		{authentik.WithTokenFunc(noToken), "", ""},
		{authentik.WithUserAgent(""), testkit.Token, "WithUserAgent: it is empty, begins or ends in a space, or has a control character"},
		{authentik.WithUserAgent(" a"), testkit.Token, "WithUserAgent: it is empty, begins or ends in a space, or has a control character"},
		{authentik.WithUserAgent("a "), testkit.Token, "WithUserAgent: it is empty, begins or ends in a space, or has a control character"},
		{authentik.WithUserAgent("a\nb"), testkit.Token, "WithUserAgent: it is empty, begins or ends in a space, or has a control character"},
		{authentik.WithUserAgent("a\x7f"), testkit.Token, "WithUserAgent: it is empty, begins or ends in a space, or has a control character"},
		{authentik.WithUserAgent("inventory/1.2 (a; b)"), testkit.Token, ""},
		{nil, testkit.Token, ""},
		{authentik.WithInsecureHTTP(), testkit.Token, ""},
	} {
		ak, err := authentik.NewClient("https://sso.example.com", c.token, c.option)
		if c.want == "" {
			require.NoError(t, err)
			require.NotNil(t, ak)
			continue
		}
		require.Nil(t, ak)
		testkit.RequireType[*authentik.ArgumentError](t, err)
		assert.EqualError(t, err, "authentik: NewClient: "+c.want)
	}
}

func TestWhichHeadersAreTheCallers(t *testing.T) {
	t.Parallel()
	for reason, headers := range map[string][][2]string{
		"the name is not that of a header": {{"", "a"}, {"X Y", "a"}, {"X:", "a"}, {"X\n", "a"}, {"Süd", "a"}, {"X(Y)", "a"}, {`X"`, "a"}},
		"use WithUserAgent":                {{"User-Agent", "a"}, {"user-agent", "a"}},
		"this header is not the caller's to set": {
			{"Authorization", testkit.ServerSecret},
			{"authorization", testkit.ServerSecret},
			{"HOST", "a"},
			{"Accept", "a"},
			{"accept-encoding", "gzip"},
			{"Content-Type", "a"},
			{"Content-Length", "1"},
			{"content-anything", "a"},
			{"Connection", "close"},
			{"Keep-Alive", "a"},
			{"Proxy-Authenticate", "a"},
			{"Proxy-Authorization", "a"},
			{"Proxy-Connection", "a"},
			{"TE", "a"},
			{"Trailer", "a"},
			{"Transfer-Encoding", "chunked"},
			{"Upgrade", "h2c"},
		},
		"the value has a control character": {{"X-A", testkit.ServerSecret + "\n"}, {"X-A", "a\r\nAuthorization: b"}, {"X-A", "\x00"}, {"X-A", "a\x7f"}, {"X-A", "\x1b"}},
	} {
		for _, h := range headers {
			ak, err := authentik.NewClient("https://sso.example.com", testkit.Token, authentik.WithHeader(h[0], h[1]))
			require.Nil(t, ak, "%q", h)
			testkit.RequireType[*authentik.ArgumentError](t, err)
			assert.EqualError(t, err, "authentik: NewClient: WithHeader: "+reason, "%q", h)
			testkit.AssertNoSecrets(t, err)
		}
	}

	var sent http.Header
	ak := testkit.NewClient(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		sent = req.Header
		(&testkit.Stub{Body: testkit.TwoFlowsBody}).ServeHTTP(w, req)
	}), authentik.WithHeader("x-a", "1"), authentik.WithHeader("X-A", "2"), authentik.WithHeader("X-Empty", ""), authentik.WithHeader("X-T!#$%&'*+-.^_`|~9", "a\tb é"),
		authentik.WithHeader("Accept-Language", "de"), authentik.WithHeader("Cookie", "a=b"),
		authentik.WithUserAgent("first/1"), authentik.WithUserAgent("inventory/1.2 (é)"))
	_, err := ak.FlowsInstancesList(t.Context(), nil)
	require.NoError(t, err)
	assert.Equal(t, http.Header{
		"X-A": {"1", "2"}, "X-Empty": {""}, "X-T!#$%&'*+-.^_`|~9": {"a\tb é"}, "Accept-Language": {"de"}, "Cookie": {"a=b"},
		"User-Agent": {"inventory/1.2 (é) authentik-go/0.1.0"}, "Accept": {"application/json"}, "Authorization": {"Bearer " + testkit.Token},
		"Accept-Encoding": {"gzip"}, // net/http's
	}, sent)
}

// getPaths are paths of Get and what is asked for; "" and the reason if it is
// refused.
var getPaths = map[string][2]string{
	"core/users/me/":                  {"core/users/me/"},
	"core/users/me":                   {"core/users/me/"},
	"/core/users/me/":                 {"core/users/me/"},
	"":                                {""},
	"/":                               {""},
	"schema":                          {"schema/"},
	"a%2Bb/c%20d":                     {"a%2Bb/c%20d/"},
	"a b/Süd+":                        {"a%20b/S%C3%BCd+/"},
	"flows/instances/%25/":            {"flows/instances/%25/"},
	"a:b@c/d;e=f,g":                   {"a:b@c/d;e=f,g/"},
	"apiary/v3":                       {"apiary/v3/"},
	"..":                              {"", `its path has a segment that is "." or "..", or has a slash in it`},
	"../../if/admin":                  {"", `its path has a segment that is "." or "..", or has a slash in it`},
	"core/../flows":                   {"", `its path has a segment that is "." or "..", or has a slash in it`},
	"core/%2e%2e/flows":               {"", `its path has a segment that is "." or "..", or has a slash in it`},
	"core/%2E./flows":                 {"", `its path has a segment that is "." or "..", or has a slash in it`},
	"./core":                          {"", `its path has a segment that is "." or "..", or has a slash in it`},
	"core/a%2Fb":                      {"", `its path has a segment that is "." or "..", or has a slash in it`},
	`core\users`:                      {"", `its path has a segment that is "." or "..", or has a slash in it`},
	"core//users":                     {"", "its path has an empty segment"},
	"core/users//":                    {"", "its path has an empty segment"},
	"core/%zz" + testkit.ServerSecret: {"", "its path has a malformed % escape"},
	"core/%0a":                        {"", "its path has a control character or is not UTF-8"},
	"core/\n":                         {"", "its path has a control character or is not UTF-8"},
	"core/%ff":                        {"", "its path has a control character or is not UTF-8"},
	"core/?a=" + testkit.ServerSecret: {"", "it has a query or a fragment: the query is an argument of its own"},
	"core/#" + testkit.ServerSecret:   {"", "it has a query or a fragment: the query is an argument of its own"},
	"https://sso.example.com":         {"", "it is an absolute URL: give what follows /api/v3/"},
	"//sso.example.com/a":             {"", "it is an absolute URL: give what follows /api/v3/"},
	"api/v3/core":                     {"", "it begins with /api/v3: give what follows"},
	"/api/v3/":                        {"", "it begins with /api/v3: give what follows"},
}

func getTakesPathsBelowTheAPI(t *testing.T) {
	t.Parallel()
	var sent []string
	ak := testkit.NewCheckedClient(t, "https://sso.example.com/sub", authentik.WithHTTPClient(&http.Client{Transport: testkit.RoundTripFunc(func(req *http.Request) (*http.Response, error) {
		sent = append(sent, req.Method+" "+req.URL.String())
		return testkit.HTTPResponse(testkit.TwoFlows), nil
	})}))
	for path, want := range getPaths {
		sent = nil
		err := ak.Get(t.Context(), path, url.Values{"a": {"b&c", "d"}, "e": {""}}, new(any))
		if want[1] == "" {
			require.NoError(t, err, "%q", path)
			assert.Equal(t, []string{"GET https://sso.example.com/sub/api/v3/" + want[0] + "?a=b%26c&a=d&e="}, sent)
			continue
		}
		testkit.RequireType[*authentik.ArgumentError](t, err)
		assert.EqualError(t, err, "authentik: Get: path: "+want[1], "%q", path)
		testkit.AssertNoSecrets(t, err)
		assert.Empty(t, sent)
	}
}

func TestGetWritesOutOnlyIfAllIsWell(t *testing.T) {
	t.Parallel()
	type user struct {
		Username string
		Groups   []int
	}
	before := func() *user { return &user{"before", []int{1}} }
	for body, want := range map[string]string{
		`{"username":"after","groups":[2,3]}`: "",
		`{}`:                                  "", // encoding/json has no required keys, but what was there is gone
		`{"username":"after","groups":["x"]}`: `unusable answer \(200 OK, application/json\): (?i:groups)(\.0)?: string, want int`,
		`null`:                                `unusable answer \(200 OK, application/json\): null, want a value: null`,
		` `:                                   `unusable answer \(200 OK, application/json\): empty body`,
		`{"username":"after"}x`:               `unusable answer \(200 OK, application/json\): data after the end of the JSON value: x`,
		`{"username":"a","username":"b"}`:     "",
	} {
		out := before()
		err := testkit.NewClient(t, testkit.Reply(200, testkit.JSON, body)).Get(t.Context(), "core/users/me/", nil, out)
		if want == "" {
			require.NoError(t, err)
			var fresh user
			require.NoError(t, json.Unmarshal([]byte(body), &fresh))
			assert.Equal(t, fresh, *out)
			continue
		}
		assert.Regexp(t, "^authentik: Get: "+want, err.Error())
		assert.Equal(t, before(), out)
	}

	ak := testkit.NewClient(t, testkit.Reply(200, testkit.JSON, `null`))
	pointer, anything := before(), any(1)
	require.NoError(t, ak.Get(t.Context(), "a", nil, &pointer))
	assert.Nil(t, pointer)
	require.NoError(t, ak.Get(t.Context(), "a", nil, &anything))
	assert.Nil(t, anything)
	for _, out := range []any{user{}, "a", (*user)(nil), map[string]any{}, []int{}} {
		err := ak.Get(t.Context(), "a", nil, out)
		testkit.RequireType[*authentik.ArgumentError](t, err)
		assert.EqualError(t, err, "authentik: Get: out: must be a pointer to a value")
	}

	// Without an out nothing is decoded; an error is still one.
	var response authentik.Response
	for _, answer := range []recording.Response{testkit.Reply(200, testkit.HTML, "<p>"), testkit.Reply(204, "", ""), testkit.Reply(200, "", ""), testkit.Reply(206, testkit.Text, "a part")} {
		require.NoError(t, testkit.NewClient(t, answer).Get(t.Context(), "a", nil, nil, authentik.WithResponse(&response)))
		assert.Equal(t, answer.Text, string(response.Body))
		assert.Equal(t, answer.Status, response.StatusCode)
	}
	assert.ErrorIs(t, testkit.NewClient(t, testkit.Reply(404, testkit.HTML, "<p>")).Get(t.Context(), "a", nil, nil), authentik.ErrNotFound)
}

func TestResponseIsWhatWasAnswered(t *testing.T) {
	t.Parallel()
	answers := []recording.Response{testkit.Reply(503, testkit.JSON, `{"detail":"no"}`, "X-Nr", "1"), testkit.Reply(200, testkit.JSON, testkit.TwoFlowsBody, "X-Nr", "2", "X-Nr", "3")}
	n := 0
	ak := testkit.NewClient(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		n++
		answers[min(n, 2)-1].ServeHTTP(w, req)
	}))
	var response authentik.Response
	_, err := ak.FlowsInstancesList(t.Context(), nil, nil, authentik.WithResponse(nil), authentik.WithResponse(&response), authentik.WithPrefetch(-1), authentik.AllowListChanges())
	require.NoError(t, err)
	assert.Equal(t, 200, response.StatusCode)
	assert.Equal(t, 2, response.Attempts)
	assert.Equal(t, testkit.RequestID, response.RequestID)
	assert.Equal(t, testkit.TwoFlowsBody, string(response.Body))
	assert.Equal(t, []string{"2", "3"}, response.Header["X-Nr"])

	refusing := testkit.NewClient(t, testkit.Reply(403, testkit.JSON, `{"detail":"not `+testkit.Token+`"}`, "X-Nr", "4"))
	_, err = refusing.FlowsInstancesList(t.Context(), nil, authentik.WithResponse(&response))
	permission := testkit.RequireType[*authentik.PermissionError](t, err)
	assert.Equal(t, 403, response.StatusCode)
	assert.Equal(t, 1, response.Attempts)
	assert.JSONEq(t, `{"detail":"not [redacted]"}`, string(response.Body))
	assert.Equal(t, []string{"4"}, response.Header["X-Nr"])
	response.Body[0] = 'X'
	assert.JSONEq(t, `{"detail":"not [redacted]"}`, string(permission.Body), "each has its own")

	_, err = testkit.NewClientOver(t, func(*http.Request) (*http.Response, error) { return nil, io.ErrNoProgress }, testkit.NoWait).FlowsInstancesList(t.Context(), nil, authentik.WithResponse(&response))
	require.ErrorIs(t, err, io.ErrNoProgress)
	assert.Equal(t, authentik.Response{Attempts: 4}, response)
}

func TestMiddlewareIsAroundEachAttempt(t *testing.T) {
	t.Parallel()
	var order []string
	note := func(name string) authentik.ClientOption {
		return authentik.WithMiddleware(func(next http.RoundTripper) http.RoundTripper {
			order = append(order, "made "+name)
			return testkit.RoundTripFunc(func(req *http.Request) (*http.Response, error) {
				order = append(order, name)
				assert.Empty(t, req.Header["Authorization"])
				assert.Equal(t, []string{testkit.HeaderSecret}, req.Header["X-Proxy-Key"])
				resp, err := next.RoundTrip(req)
				order = append(order, name+" "+strconv.Itoa(resp.StatusCode))
				return resp, err
			})
		})
	}
	n := 0
	ak := testkit.NewCheckedClient(t, testkit.NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		assert.Equal(t, []string{"Bearer " + testkit.Token}, req.Header["Authorization"])
		if n++; n == 1 {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		(&testkit.Stub{Body: testkit.TwoFlowsBody}).ServeHTTP(w, req)
	})), testkit.NoWait, note("outer"), note("inner"))
	require.NoError(t, ak.List(t.Context(), t).Err)
	assert.Equal(t, []string{"made inner", "made outer", "outer", "inner", "inner 502", "outer 502", "outer", "inner", "inner 200", "outer 200"}, order)

	nothing := testkit.NewCheckedClient(t, "https://sso.example.com", testkit.NoWait, authentik.WithMiddleware(func(http.RoundTripper) http.RoundTripper {
		return testkit.RoundTripFunc(func(*http.Request) (*http.Response, error) { return nil, nil })
	}))
	testkit.AssertListError(t, nothing.List(t.Context(), t).Err, "a RoundTripper returned neither a response nor an error (4 attempts)")

	both := &closeable{}
	torn := testkit.NewCheckedClient(t, "https://sso.example.com", testkit.NoWait, authentik.WithMiddleware(func(http.RoundTripper) http.RoundTripper {
		return testkit.RoundTripFunc(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusOK, Body: both}, io.ErrNoProgress
		})
	}))
	testkit.AssertListError(t, torn.List(t.Context(), t).Err, "multiple Read calls return no data or error (4 attempts)")
	assert.Equal(t, 4, both.closed)

	headless := testkit.NewCheckedClient(t, "https://sso.example.com", testkit.NoWait, authentik.WithMiddleware(func(http.RoundTripper) http.RoundTripper {
		return testkit.RoundTripFunc(func(*http.Request) (*http.Response, error) { return &http.Response{}, io.ErrNoProgress })
	}))
	testkit.AssertListError(t, headless.List(t.Context(), t).Err, "multiple Read calls return no data or error (4 attempts)")

	sent := &closeable{}
	tokenless, err := authentik.NewClient("https://sso.example.com", "",
		authentik.WithTokenFunc(func(context.Context) (string, error) { return "", io.ErrNoProgress }),
		authentik.WithMiddleware(func(next http.RoundTripper) http.RoundTripper {
			return testkit.RoundTripFunc(func(req *http.Request) (*http.Response, error) {
				req = req.Clone(req.Context())
				req.Body = sent // a RoundTripper closes it, also if it fails
				return next.RoundTrip(req)
			})
		}))
	require.NoError(t, err)
	_, err = tokenless.FlowsInstancesList(t.Context(), nil)
	testkit.AssertListError(t, err, "no token: multiple Read calls return no data or error (1 attempt)")
	assert.Equal(t, 1, sent.closed)

	gone := testkit.NewCheckedClient(t, "https://sso.example.com", authentik.WithMiddleware(func(http.RoundTripper) http.RoundTripper {
		return testkit.RoundTripFunc(func(*http.Request) (*http.Response, error) { return nil, context.Canceled }) // its own
	}))
	testkit.AssertListError(t, gone.List(t.Context(), t).Err, "context canceled (1 attempt)")

	promised := testkit.NewCheckedClient(t, "https://sso.example.com", authentik.WithMiddleware(func(http.RoundTripper) http.RoundTripper {
		return testkit.RoundTripFunc(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusOK, ContentLength: 2}, nil // of a body that is not there
		})
	}))
	testkit.AssertListError(t, promised.List(t.Context(), t).Err, "unusable answer (200 OK): empty body (1 attempt)")

	bare := testkit.NewCheckedClient(t, "https://sso.example.com", authentik.WithMiddleware(func(http.RoundTripper) http.RoundTripper {
		return testkit.RoundTripFunc(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusNotFound}, nil
		})
	}))
	testkit.AssertListError(t, bare.List(t.Context(), t).Err, "404 Not Found (1 attempt)")
}

// closeable is a body that counts how often it was closed.
type closeable struct{ closed int }

func (*closeable) Read([]byte) (int, error) { return 0, io.EOF }

func (c *closeable) Close() error {
	c.closed++
	return nil
}

func TestTokenFuncIsCalledForEachAttempt(t *testing.T) {
	t.Parallel()
	type key struct{}
	calls := 0
	var sent []string
	ak, err := authentik.NewClient(testkit.NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		sent = append(sent, req.Header.Get("Authorization"))
		if len(sent) == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		testkit.Reply(403, testkit.JSON, `{"detail":"`+testkit.Token+`1 `+testkit.Token+`2 `+testkit.Token+`3"}`).ServeHTTP(w, req)
	})), "", testkit.NoWait, authentik.WithTokenFunc(func(ctx context.Context) (string, error) {
		assert.Equal(t, "the caller's", ctx.Value(key{}))
		_, bounded := ctx.Deadline()
		assert.True(t, bounded, "the attempt's context")
		calls++
		return testkit.Token + strconv.Itoa(calls), nil
	}))
	require.NoError(t, err)
	_, err = ak.FlowsInstancesList(context.WithValue(t.Context(), key{}, "the caller's"), nil)
	assert.Equal(t, []string{"Bearer " + testkit.Token + "1", "Bearer " + testkit.Token + "2"}, sent)
	assert.ErrorContains(t, err, "403 Forbidden: [redacted] [redacted] "+testkit.Token+"3 (", "those that were used are secrets")
	assert.Equal(t, 2, calls)
}

func TestTheLastEightTokensAreRemembered(t *testing.T) {
	t.Parallel()
	calls := 0
	token := func(n int) string { return fmt.Sprintf("token-number-%03d", n) }
	var all []string
	for n := 1; n <= 10; n++ {
		all = append(all, token(n))
	}
	ak, err := authentik.NewClient(testkit.NewServer(t, testkit.Reply(403, testkit.JSON, `{"detail":"`+strings.Join(all, " ")+`."}`)), "", authentik.WithTokenFunc(func(context.Context) (string, error) {
		calls++
		return token((calls + 1) / 2), nil // each one twice
	}))
	require.NoError(t, err)
	for range 20 {
		_, err = ak.FlowsInstancesList(t.Context(), nil)
	}
	assert.ErrorContains(t, err, "403 Forbidden: "+token(1)+" "+token(2)+strings.Repeat(" [redacted]", 8)+". (")
}

func TestCallersClientIsCopiedAndItsShorterTimeoutWins(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ clients, ours, want time.Duration }{
		{0, 0, time.Minute},
		{0, 10 * time.Second, 10 * time.Second},
		{5 * time.Second, 10 * time.Second, 5 * time.Second},
		{10 * time.Second, 5 * time.Second, 5 * time.Second},
		{2 * time.Minute, 0, time.Minute},
	} {
		synctest.Test(t, func(t *testing.T) {
			server := testkit.NewSequence(testkit.Hang)
			client := &http.Client{Transport: testkit.RoundTripFunc(server.RoundTrip), Timeout: c.clients}
			opts := []authentik.ClientOption{authentik.WithHTTPClient(client), testkit.NoWait}
			if c.ours != 0 {
				opts = append(opts, authentik.WithTimeout(c.ours))
			}
			ak := testkit.NewCheckedClient(t, "https://sso.example.com", opts...)
			client.Transport, client.Timeout = nil, time.Nanosecond // no longer the library's business
			got := ak.List(t.Context(), t)
			require.ErrorIs(t, got.Err, authentik.ErrAttemptTimeout)
			assert.Equal(t, 2*c.want, got.Took)
			assert.Equal(t, time.Nanosecond, client.Timeout)
		})
	}
}

func TestCloseNeverTouchesTheCallersTransport(t *testing.T) {
	t.Parallel()
	transport := &testkit.Pool{RoundTripper: testkit.RoundTripFunc(func(*http.Request) (*http.Response, error) { return nil, io.ErrNoProgress })}
	ak := testkit.NewCheckedClient(t, "https://sso.example.com", authentik.WithHTTPClient(&http.Client{Transport: transport}), testkit.NoWait)
	require.Error(t, ak.List(t.Context(), t).Err)
	ak.Close()
	ak.Close()
	assert.Zero(t, transport.Closed)
	assert.NotPanics(t, func() {
		new(authentik.Client).Close()
		(*authentik.Client)(nil).Close()
	})
}
