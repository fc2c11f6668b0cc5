package faults_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/internal/testkit"
)

// indiscreet is a type of a caller's whose error quotes what it is given.
type indiscreet struct{}

func (*indiscreet) UnmarshalJSON(data []byte) error { return fmt.Errorf("what is %s", data) }

func decodeErrorShowsNoSecret(t *testing.T) {
	t.Parallel()
	long := strings.Repeat(testkit.Token, 40) // as long as a JWT
	for name, c := range map[string]struct {
		body string
		out  any
		opts []authentik.ClientOption
	}{
		"in the words of a caller's type": {`{"a":"` + testkit.Token + `"}`, new(struct{ A indiscreet }), nil},
		"in the words of encoding/json":   {`{"a":"` + testkit.Token + `"}`, new(struct{ A time.Time }), nil},
		"in the place of a number":        {`{"a":` + testkit.Token + `}`, new(any), nil},
		"as a number": {
			`[1234567890123456789012345]`, new([]int),
			[]authentik.ClientOption{authentik.WithHeader("X-Number", "1234567890123456789012345")},
		},
		"as a key": {`{"` + testkit.Token + `":null?}`, new(any), nil},
		"as a long key": {
			`{"` + long + `":?}`, new(authentik.Flow), []authentik.ClientOption{authentik.WithHeader("X-Long", long)},
		},
		"as a key of a type":                 {`{"` + testkit.Token + `":"x"}`, new(map[string]int), nil},
		"as a header's value":                {`{"a":"` + testkit.HeaderSecret + `"}`, new(struct{ A time.Time }), nil},
		"in a text that is cut":              {strings.Repeat("x", 190) + testkit.Token, new(any), nil},
		"at the end of a text, and cut":      {"a page" + testkit.Token[:12], new(any), nil},
		"in a string that is no UUID":        {`{"pk":"` + testkit.Token + `"}`, new(authentik.Flow), nil},
		"in a string that is not terminated": {`{"pk":"` + testkit.Token, new(authentik.Flow), nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answer := &testkit.Stub{Body: c.body}
			ak := testkit.NewCheckedClient(
				t,
				testkit.NewServer(t, answer),
				append(c.opts, authentik.WithRetry(authentik.RetryPolicy{MaxAttempts: 1}))...)
			err := ak.Get(t.Context(), "core/groups/", url.Values{"search": {testkit.SearchSecret}}, c.out)
			var decode *authentik.DecodeError
			require.ErrorAs(t, err, &decode)
			testkit.AssertNoSecrets(t, err)
			for _, text := range []string{err.Error(), fmt.Sprintf("%#v", decode), fmt.Sprint(decode.LogValue())} {
				for _, secret := range []string{"1234567890123456", "ANARY", "CANARY"} {
					assert.NotContains(t, text, secret)
				}
			}
		})
	}
}

// A transport's buffers hold what it sent.
func clientShowsNoSecret(t *testing.T) {
	t.Parallel()
	ak := testkit.NewCheckedClient(t, testkit.NewServer(t, &testkit.Stub{Body: testkit.TwoFlowsBody}))
	require.NoError(t, ak.List(t.Context(), t).Err)
	for _, v := range []any{ak.Client, *ak.Client, []any{ak.Client}, map[string]*authentik.Client{"a": ak.Client}, struct{ c authentik.Client }{*ak.Client}} {
		testkit.AssertNoSecrets(t, v)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		assert.Regexp(t, `^authentik\.Client\(http://127\.0\.0\.1:\d+/sub/path\)$`, fmt.Sprintf(verb, ak.Client))
		assert.Equal(t, "authentik.Client(not made by NewClient)", fmt.Sprintf(verb, authentik.Client{}))
	}
	testkit.AssertNoSecrets(t, authentik.WithHeader("X-Key", testkit.HeaderSecret))
	testkit.AssertNoSecrets(
		t,
		authentik.WithTokenFunc(func(context.Context) (string, error) { return testkit.Token, nil }),
	)
}

func middlewareErrorShowsNoQuery(t *testing.T) {
	t.Parallel()
	cause := errors.New("no route")
	for name, wrap := range map[string]func(error) error{
		"as it is":     func(err error) error { return err },
		"wrapped":      func(err error) error { return fmt.Errorf("of the middleware: %w", err) },
		"twice":        func(err error) error { return &url.Error{Op: "Get", URL: "?" + testkit.SearchSecret, Err: err} },
		"among others": func(err error) error { return errors.Join(io.ErrNoProgress, err) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			own := &http.Client{
				Transport: testkit.RoundTripFunc(func(*http.Request) (*http.Response, error) { return nil, cause }),
			}
			ak := testkit.NewCheckedClient(
				t,
				testkit.NewServer(t, http.NotFoundHandler()),
				authentik.WithRetry(authentik.RetryPolicy{BaseDelay: -1}),
				authentik.WithMiddleware(func(http.RoundTripper) http.RoundTripper {
					return testkit.RoundTripFunc(func(req *http.Request) (*http.Response, error) {
						resp, err := own.Do(req)
						return resp, wrap(err)
					})
				}),
			)
			got := ak.List(t.Context(), t)
			require.ErrorIs(t, got.Err, cause)
			testkit.AssertListError(t, got.Err, "127.0.0.1:0: no route (4 attempts)")
		})
	}
}

// What a token's source says is its own business, and final.
func tokenFuncErrorIsKept(t *testing.T) {
	t.Parallel()
	cause := &url.Error{Op: "Post", URL: "https://vault.example.com/", Err: io.ErrUnexpectedEOF}
	ak, err := authentik.NewClient(
		testkit.NewServer(t, http.NotFoundHandler()),
		"",
		authentik.WithTokenFunc(func(context.Context) (string, error) { return "", cause }),
	)
	require.NoError(t, err)
	_, err = ak.FlowsInstancesList(t.Context(), nil)
	var got *url.Error
	require.ErrorAs(t, err, &got)
	assert.Same(t, cause, got)
	assert.EqualError(
		t,
		err,
		`authentik: FlowsInstancesList: no token: Post "https://vault.example.com/": unexpected EOF (1 attempt)`,
	)
}

func secretAtTheLimitIsRedacted(t *testing.T) {
	t.Parallel()
	const kept = 64 << 10
	for _, secret := range []string{testkit.Token, testkit.HeaderSecret} {
		for _, within := range []int{len(secret), len(secret) - 1, 16, 8} {
			body := strings.Repeat("x", kept-within) + secret + "yyy"
			ak := testkit.NewCheckedClient(t, testkit.NewServer(t, testkit.Reply(403, testkit.Text, body)))
			err := ak.List(t.Context(), t).Err
			var api *authentik.APIError
			require.ErrorAs(t, err, &api)
			assert.Equal(
				t,
				(strings.Repeat("x", kept-within) + "[redacted]")[:min(kept-within+10, kept)],
				string(api.Body),
				within,
			)
		}
	}
	// Seven bytes are no secret, but words.
	ak := testkit.NewCheckedClient(t, testkit.NewServer(t, testkit.Reply(403, testkit.Text, "not "+testkit.Token[:7])))
	assert.ErrorContains(t, ak.List(t.Context(), t).Err, "not CANARY- (")
}

func encodedSecretIsRedacted(t *testing.T) {
	t.Parallel()
	const value = `pass "wörd" \ %2F?`
	for _, spelling := range []string{
		value, `pass \"wörd\" \\ %2F?`, `pass \"w\u00f6rd\" \\ %2F?`, // JSON, and JSON in ASCII
		`pass%20%22w%C3%B6rd%22%20%5C%20%252F%3F`, `pass+%22w%C3%B6rd%22+%5C+%252F%3F`, // a path, and a query
	} {
		ak := testkit.NewCheckedClient(
			t,
			testkit.NewServer(t, testkit.Reply(403, testkit.Text, "<"+spelling+">")),
			authentik.WithHeader("X-Password", value),
		)
		var api *authentik.APIError
		require.ErrorAs(t, ak.List(t.Context(), t).Err, &api)
		assert.Equal(t, "<[redacted]>", string(api.Body))
	}
}

// redirectedTo is a redirect between hosts: none but the first is dialled, so
// that none gets the token, or the header, that it would get of net/http.
func redirectedTo(base, location string) func(*testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		var seen http.Header
		handler := http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			seen = req.Header
			w.Header().Set("Location", location)
			w.WriteHeader(http.StatusFound)
		})
		var server *httptest.Server
		if strings.HasPrefix(base, "https:") {
			server = testkit.NewTLSServer(t, handler, func(*httptest.Server) {})
		} else {
			server = httptest.NewServer(handler)
			t.Cleanup(server.Close)
		}
		var dialled []string
		testkit.AssertNoGoroutines(t, func() {
			client := &http.Client{Transport: &http.Transport{}}
			if server.TLS != nil {
				client = testkit.NewTLSClient(server, func(c *tls.Config) { c.ServerName = "example.com" })
			}
			transport := client.Transport.(*http.Transport)
			defer transport.CloseIdleConnections()
			transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
				dialled = append(dialled, addr)
				return new(net.Dialer).DialContext(ctx, network, server.Listener.Addr().String())
			}
			got := testkit.NewCheckedClient(t, base, authentik.WithHTTPClient(client), authentik.WithInsecureHTTP()).
				List(t.Context(), t)
			testkit.AssertListError(
				t,
				got.Err,
				"302 Found: redirected to "+location+"; no redirect is followed (sent by something in front of authentik, 1 attempt)",
			)
		})
		root, err := url.Parse(base)
		require.NoError(t, err)
		assert.Equal(t, []string{root.Host}, dialled)
		assert.Equal(t, []string{"Bearer " + testkit.Token}, seen["Authorization"])
		assert.Equal(t, []string{testkit.HeaderSecret}, seen["X-Proxy-Key"])
	}
}

// inAnotherProcess runs a test again by itself, where the variable is set, and
// returns what it writes.
func inAnotherProcess(t *testing.T, env ...string) string {
	t.Helper()
	program, err := os.Executable()
	require.NoError(t, err)
	command := exec.CommandContext(
		t.Context(),
		program,
		"-test.run=^"+strings.ReplaceAll(regexp.QuoteMeta(t.Name()), "/", "$/^")+"$",
	)
	command.Env = append(os.Environ(), env...)
	output, err := command.CombinedOutput()
	require.NoError(t, err, "%s", output)
	return string(output)
}

// texts is a handler of log records that keeps their texts as they are.
type texts struct{ all *[]string }

func (h texts) Enabled(context.Context, slog.Level) bool { return true }
func (h texts) WithAttrs([]slog.Attr) slog.Handler       { return h }
func (h texts) WithGroup(string) slog.Handler            { return h }

func (h texts) Handle(_ context.Context, r slog.Record) error {
	*h.all = append(*h.all, r.Message)
	r.Attrs(func(a slog.Attr) bool {
		*h.all = append(*h.all, a.Value.String())
		return true
	})
	return nil
}

var securityFaults = map[string]func(*testing.T){
	"S1": func(t *testing.T) {
		t.Parallel()
		for name, location := range map[string]string{
			"https to http": "http://sso.example.com:8443/", "another port": "https://sso.example.com:9443/",
			"a subdomain": "https://a.sso.example.com:8443/",
			"the parent":  "https://example.com:8443/", "another domain": "https://example.org/",
			"a look-alike": "https://sso.example.com.example.org:8443/",
		} {
			t.Run(name, redirectedTo("https://sso.example.com:8443", location))
		}
	},
	"S2": redirectedTo("http://sso.example.com:8080", "http://example.org/"),
	"S8": func(t *testing.T) {
		t.Parallel()
		server := testkit.NewSequence(testkit.Respond(testkit.TwoFlows))
		_, err := server.Client(t).BindingsRetrieve(t.Context(), uuid.Nil)
		testkit.RequireType[*authentik.ArgumentError](t, err)
		assert.EqualError(t, err, "authentik: BindingsRetrieve: id: must not be empty")
		assert.Zero(t, server.Requests())
	},
	"S9": payload("S9"),
	"S11": func(t *testing.T) {
		t.Parallel()
		t.Run("of a client", clientShowsNoSecret)
		t.Run("of an answer", decodeErrorShowsNoSecret)
		t.Run("as JSON", payload("S11"))
		t.Run("cut in two", secretAtTheLimitIsRedacted)
		t.Run("spelt", encodedSecretIsRedacted)
		t.Run("of a token function", tokenFuncErrorIsKept)
	},
	"S12": func(t *testing.T) {
		t.Parallel()
		t.Run("a middleware", middlewareErrorShowsNoQuery)
		testkit.RunInBubble(t, "the log", func(t *testing.T) {
			var log testkit.Log
			server := testkit.NewSequence(
				testkit.Respond(testkit.Reply(503, testkit.JSON, `{"detail":"`+testkit.SearchSecret+`"}`)),
				testkit.Fail(&url.Error{Op: "Get", URL: "https://sso.example.com/?search=" + testkit.SearchSecret, Err: io.EOF}),
				testkit.Respond(testkit.TwoFlows),
			)
			ak := server.Client(t, authentik.WithLogger(log.Logger()))
			_, err := ak.FlowsInstancesList(
				t.Context(),
				&authentik.FlowsInstancesListOptions{
					Search:   testkit.SearchSecret,
					Name:     testkit.SearchSecret,
					Ordering: "name",
					Page:     2,
					PageSize: 5,
				},
			)
			require.NoError(t, err)
			testkit.AssertNoSecretsIn(t, "the log", log.String())
			require.Error(
				t,
				testkit.NewSequence(testkit.Respond(testkit.Reply(200, testkit.JSON, `{"a":"`+testkit.SearchSecret+`"}`))).
					Client(t, authentik.WithLogger(log.Logger())).
					Get(t.Context(), "a\u202eb", url.Values{"search": {testkit.SearchSecret}, "a\u202eb": {"a"}}, new(struct{ A time.Time })),
			)
			testkit.AssertNoSecretsIn(t, "the log", log.String())
			assert.NotContains(t, log.String(), "\u202e")
			assert.Contains(t, log.String(), `query="name=REDACTED&ordering=name%2Cslug&page=2&page_size=5&search=REDACTED"`)
		})
	},
	"S13": func(t *testing.T) {
		if base := os.Getenv("SILENT"); base != "" {
			ak, err := authentik.NewClient(base, testkit.Token, testkit.NoWait)
			if err == nil {
				_, err = ak.FlowsInstancesList(t.Context(), nil)
			}
			if err != nil {
				panic(err)
			}
			os.Exit(0)
		}
		t.Parallel()
		var requests atomic.Int32
		base := testkit.NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if requests.Add(1) < 3 {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			(&testkit.Stub{Body: testkit.TwoFlowsBody}).ServeHTTP(w, req)
		}))
		assert.Empty(t, inAnotherProcess(t, "SILENT="+base))
		assert.EqualValues(t, 3, requests.Load())
	},
	"S14": func(t *testing.T) {
		t.Parallel()
		const forged = "a\tb\xff\u202e level=ERROR" // net/http refuses other control characters
		body := `{"detail":"a\u001b[31m\r\nlevel=ERROR\u202e` + strings.Repeat("x", 9999) + `"}`
		var log []string
		for status, attempts := range map[int]int{403: 1, 503: 4} {
			server := testkit.NewConnServer(
				testkit.Send(
					fmt.Sprintf(
						"HTTP/1.1 %d OK\r\nX-authentik-id: %s%s\r\nContent-Length: %d\r\n\r\n%s",
						status,
						forged,
						strings.Repeat("y", 9999),
						len(body),
						body,
					),
				),
			)
			got := testkit.NewCheckedClient(t, "http://"+server.Listen(t), testkit.NoWait, authentik.WithLogger(slog.New(texts{&log}))).
				List(t.Context(), t)
			require.Error(t, got.Err)
			assert.EqualValues(t, attempts, server.Requests.Load())
			log = append(log, got.Err.Error())
			for _, a := range got.Err.(slog.LogValuer).LogValue().Group() {
				log = append(log, a.Value.String())
			}
		}
		malformed := testkit.NewConnServer(
			testkit.SendAndClose("\x1b[31m\tlevel=ERROR " + strings.Repeat("z", 3000) + "\r\n"),
		)
		got := testkit.NewCheckedClient(t, "http://"+malformed.Listen(t), authentik.WithLogger(slog.New(texts{&log}))).
			List(t.Context(), t)
		log = append(log, got.Err.Error(), got.Err.(slog.LogValuer).LogValue().String())
		for _, text := range log {
			assert.NotRegexp(t, `[[:cntrl:]]`, text)
			assert.NotContains(t, text, "\u202e")
			assert.True(t, utf8.ValidString(text), "%q", text)
			assert.Less(t, len(text), 1500) // a message, a request ID, and what is ours
		}
	},
	"S15": func(t *testing.T) {
		t.Parallel()
		server := testkit.NewTLSServer(
			t,
			&testkit.Stub{},
			func(s *httptest.Server) { s.TLS.MinVersion, s.TLS.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 },
		)
		testkit.AssertNoGoroutines(t, func() {
			failsAfter(
				t,
				testkit.NewCheckedClient(t, server.URL),
				1,
				"127.0.0.1:0: remote error: tls: protocol version not supported (1 attempt)",
			)
		})
	},
	"S16": func(t *testing.T) {
		if os.Getenv("PROXIED") != "" {
			ak, err := authentik.NewClient("http://sso.example.com", testkit.Token, authentik.WithInsecureHTTP())
			if err == nil {
				_, err = ak.FlowsInstancesList(t.Context(), nil)
			}
			t.Setenv("HTTP_PROXY", "http://127.0.0.1:1") // net/http has read it by now
			if err == nil {
				ak, err = authentik.NewClient("http://sso.example.com", testkit.Token, authentik.WithInsecureHTTP())
			}
			if err == nil {
				_, err = ak.FlowsInstancesList(t.Context(), nil)
			}
			if err != nil {
				panic(err)
			}
			os.Exit(0)
		}
		t.Parallel()
		var proxied atomic.Int32
		proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			proxied.Add(1)
			assert.Equal(t, "http://sso.example.com/api/v3/flows/instances/", req.URL.String())
			(&testkit.Stub{Body: testkit.TwoFlowsBody}).ServeHTTP(w, req)
		}))
		t.Cleanup(proxy.Close)
		assert.Empty(t, inAnotherProcess(t, "PROXIED=yes", "HTTP_PROXY="+proxy.URL, "NO_PROXY=", "no_proxy="))
		assert.EqualValues(t, 2, proxied.Load())
	},
	"S17": func(t *testing.T) {
		t.Parallel()
		jar, err := cookiejar.New(nil)
		require.NoError(t, err)
		base := testkit.NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			assert.Empty(t, req.Cookies())
			w.Header().Set("Set-Cookie", "session="+testkit.ServerSecret+"; Path=/")
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(http.StatusFound)
		}))
		client := &http.Client{
			Jar:       jar,
			Timeout:   time.Hour,
			Transport: &http.Transport{},
			CheckRedirect: func(*http.Request, []*http.Request) error {
				assert.Fail(t, "consulted")
				return nil
			},
		}
		before := *client
		ak := testkit.NewCheckedClient(t, base, authentik.WithHTTPClient(client))
		for range 2 {
			var api *authentik.APIError
			require.ErrorAs(t, ak.List(t.Context(), t).Err, &api)
			assert.Equal(t, http.StatusFound, api.StatusCode)
		}
		root, err := url.Parse(base)
		require.NoError(t, err)
		assert.Empty(t, jar.Cookies(root))
		assert.Equal(t, fmt.Sprintf("%+v", before), fmt.Sprintf("%+v", *client))
		client.CloseIdleConnections()
	},
	// Fewer flows than there are look like all of them: no client can tell.
	"S18": func(t *testing.T) {
		t.Parallel()
		for body, flows := range map[string]int{testkit.TwoFlowsBody: 2, testkit.FlowPageBody(0, "[]"): 0} {
			got := testkit.NewCheckedClient(t, testkit.NewServer(t, &testkit.Stub{Body: body})).List(t.Context(), t)
			require.NoError(t, got.Err)
			assert.Len(t, got.Page.Results, flows)
		}
	},
	"S19": func(t *testing.T) {
		t.Parallel()
		var sent http.Header
		ak := testkit.NewCheckedClient(
			t,
			"https://sso.example.com",
			authentik.WithHTTPClient(
				&http.Client{Transport: testkit.RoundTripFunc(func(req *http.Request) (*http.Response, error) {
					sent = req.Header
					return testkit.HTTPResponse(testkit.TwoFlows), nil
				})},
			),
		)
		require.NoError(t, ak.List(t.Context(), t).Err)
		assert.Equal(t, http.Header{
			"Accept": {
				"application/json",
			},
			"User-Agent":    {"authentik-go/devel"},
			"Authorization": {"Bearer " + testkit.Token},
			"X-Proxy-Key":   {testkit.HeaderSecret},
		}, sent, "and no Accept-Encoding: that is net/http's to set, and to take off again")
	},
}
