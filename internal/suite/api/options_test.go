package api_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/authentiktest"
	"github.com/seed-299d42e7/authentik-go/internal/testkit"
	"github.com/seed-299d42e7/authentik-go/internal/testkit/recording"
)

func TestWithMaxResponseSize_CountsBytes(t *testing.T) {
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

// What is left of an earlier call would be taken for this one's.
func TestWithResponse_IsEmptyAfterArgumentError(t *testing.T) {
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
		"BindingsUpdate": func(opt authentik.RequestOption) error {
			_, err := ak.BindingsUpdate(ctx, uuid.Nil, authentik.FlowStageBindingRequest{}, opt)
			return err
		},
		"BindingsPartialUpdate": func(opt authentik.RequestOption) error {
			_, err := ak.BindingsPartialUpdate(ctx, uuid.Nil, authentik.FlowStageBindingRequest{EvaluateOnPlan: new(true)}, opt)
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

func TestClientOption_RejectsInvalid(t *testing.T) {
	t.Parallel()
	noToken := func(context.Context) (string, error) { return "", nil }
	type option = authentik.ClientOption
	for _, c := range []struct {
		option option
		token  string
		want   string // "" if it is taken
	}{
		{authentik.WithHTTPClient(nil), testkit.Token, "WithHTTPClient: must not be nil"},
		{authentik.WithHTTPClient(&http.Client{}), testkit.Token, ""},
		{authentik.WithRetry(authentik.RetryPolicy{MaxAttempts: -1}), testkit.Token, "WithRetry: MaxAttempts must not be negative"},
		{
			authentik.WithRetry(authentik.RetryPolicy{BaseDelay: -1, MaxDelay: -1, MaxRetryAfter: -1, StartupWait: -1, MaxElapsed: -1}),
			testkit.Token, "",
		},
		{authentik.WithTimeout(0), testkit.Token, "WithTimeout: must be positive"},
		{authentik.WithTimeout(-1), testkit.Token, "WithTimeout: must be positive"},
		{authentik.WithTimeout(1), testkit.Token, ""},
		{authentik.WithLogger(nil), testkit.Token, ""},
		{authentik.WithMaxResponseSize(0), testkit.Token, "WithMaxResponseSize: must be positive"},
		{authentik.WithMaxResponseSize(-1), testkit.Token, "WithMaxResponseSize: must be positive"},
		{authentik.WithMaxResponseSize(1), testkit.Token, ""},
		{authentik.WithMiddleware(nil), testkit.Token, "WithMiddleware: must not be nil"},
		{
			authentik.WithMiddleware(func(http.RoundTripper) http.RoundTripper { return nil }), testkit.Token,
			"WithMiddleware: must not return nil",
		},
		{authentik.WithTokenFunc(nil), testkit.Token, "WithTokenFunc: must not be nil"},
		{authentik.WithTokenFunc(nil), "", "WithTokenFunc: must not be nil"},
		{authentik.WithTokenFunc(noToken), testkit.Token, "token: must be empty together with WithTokenFunc"},
		{authentik.WithTokenFunc(noToken), "", ""},
		{
			authentik.WithUserAgent(""), testkit.Token,
			"WithUserAgent: must not be empty, begin or end with a space, or have a control character",
		},
		{
			authentik.WithUserAgent(" a"), testkit.Token,
			"WithUserAgent: must not be empty, begin or end with a space, or have a control character",
		},
		{
			authentik.WithUserAgent("a "), testkit.Token,
			"WithUserAgent: must not be empty, begin or end with a space, or have a control character",
		},
		{
			authentik.WithUserAgent("a\nb"), testkit.Token,
			"WithUserAgent: must not be empty, begin or end with a space, or have a control character",
		},
		{
			authentik.WithUserAgent("a\x7f"), testkit.Token,
			"WithUserAgent: must not be empty, begin or end with a space, or have a control character",
		},
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
	none := func(http.RoundTripper) http.RoundTripper { return nil }
	_, err := authentik.NewClient("https://sso.example.com", "", authentik.WithTokenFunc(noToken), authentik.WithMiddleware(none))
	assert.EqualError(t, err, "authentik: NewClient: WithMiddleware: must not return nil")
}

func TestWithHeader_AllowedHeaders(t *testing.T) {
	t.Parallel()
	for reason, headers := range map[string][][2]string{
		"must have the name of a header": {
			{"", "a"}, {"X Y", "a"}, {"X:", "a"}, {"X\n", "a"}, {"Süd", "a"}, {"X(Y)", "a"}, {`X"`, "a"},
		},
		"use WithUserAgent": {{"User-Agent", "a"}, {"user-agent", "a"}},
		"must not set this header, which the client or net/http sets": {
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
		"must not have a control character in its value": {
			{"X-A", testkit.ServerSecret + "\n"},
			{"X-A", "a\r\nAuthorization: b"},
			{"X-A", "\x00"},
			{"X-A", "a\x7f"},
			{"X-A", "\x1b"},
		},
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
		"X-A":                 {"1", "2"},
		"X-Empty":             {""},
		"X-T!#$%&'*+-.^_`|~9": {"a\tb é"},
		"Accept-Language":     {"de"},
		"Cookie":              {"a=b"},
		"User-Agent": {
			"inventory/1.2 (é) authentik-go/devel",
		},
		"Accept":          {"application/json"},
		"Authorization":   {"Bearer " + testkit.Token},
		"Accept-Encoding": {"gzip"}, // net/http's
	}, sent)
}

func TestWithResponse_IsLastResponse(t *testing.T) {
	t.Parallel()
	answers := []recording.Response{
		testkit.Reply(503, testkit.JSON, `{"detail":"no"}`, "X-Nr", "1"),
		testkit.Reply(200, testkit.JSON, testkit.TwoFlowsBody, "X-Nr", "2", "X-Nr", "3"),
	}
	n := 0
	ak := testkit.NewClient(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		n++
		answers[min(n, 2)-1].ServeHTTP(w, req)
	}))
	var response authentik.Response
	_, err := ak.FlowsInstancesList(
		t.Context(),
		nil,
		nil,
		authentik.WithResponse(nil),
		authentik.WithResponse(&response),
		authentik.WithPrefetch(-1),
		authentik.AllowListChanges(),
	)
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

	_, err = testkit.NewClientOver(t, func(*http.Request) (*http.Response, error) { return nil, io.ErrNoProgress }, testkit.NoWait).
		FlowsInstancesList(t.Context(), nil, authentik.WithResponse(&response))
	require.ErrorIs(t, err, io.ErrNoProgress)
	assert.Equal(t, authentik.Response{Attempts: 4}, response)
}

func TestWithMiddleware_WrapsEachAttempt(t *testing.T) {
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
	ak := testkit.NewCheckedClient(
		t,
		testkit.NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			assert.Equal(t, []string{"Bearer " + testkit.Token}, req.Header["Authorization"])
			if n++; n == 1 {
				w.WriteHeader(http.StatusBadGateway)
				return
			}
			(&testkit.Stub{Body: testkit.TwoFlowsBody}).ServeHTTP(w, req)
		})),
		testkit.NoWait,
		note("outer"),
		note("inner"),
	)
	require.NoError(t, ak.List(t.Context(), t).Err)
	assert.Equal(
		t,
		[]string{
			"made inner",
			"made outer",
			"outer",
			"inner",
			"inner 502",
			"outer 502",
			"outer",
			"inner",
			"inner 200",
			"outer 200",
		},
		order,
	)

	nothing := testkit.NewCheckedClient(
		t,
		"https://sso.example.com",
		testkit.NoWait,
		authentik.WithMiddleware(func(http.RoundTripper) http.RoundTripper {
			return testkit.RoundTripFunc(func(*http.Request) (*http.Response, error) { return nil, nil })
		}),
	)
	testkit.AssertListError(
		t,
		nothing.List(t.Context(), t).Err,
		"sso.example.com: a RoundTripper returned neither a response nor an error (4 attempts)",
	)

	both := &closeable{}
	torn := testkit.NewCheckedClient(
		t,
		"https://sso.example.com",
		testkit.NoWait,
		authentik.WithMiddleware(func(http.RoundTripper) http.RoundTripper {
			return testkit.RoundTripFunc(func(*http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: http.StatusOK, Body: both}, io.ErrNoProgress
			})
		}),
	)
	testkit.AssertListError(t, torn.List(t.Context(), t).Err, "sso.example.com: multiple Read calls return no data or error (4 attempts)")
	assert.Equal(t, 4, both.closed)

	headless := testkit.NewCheckedClient(
		t,
		"https://sso.example.com",
		testkit.NoWait,
		authentik.WithMiddleware(func(http.RoundTripper) http.RoundTripper {
			return testkit.RoundTripFunc(
				func(*http.Request) (*http.Response, error) { return &http.Response{}, io.ErrNoProgress },
			)
		}),
	)
	testkit.AssertListError(
		t,
		headless.List(t.Context(), t).Err,
		"sso.example.com: multiple Read calls return no data or error (4 attempts)",
	)

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

	gone := testkit.NewCheckedClient(
		t,
		"https://sso.example.com",
		authentik.WithMiddleware(func(http.RoundTripper) http.RoundTripper {
			return testkit.RoundTripFunc(func(*http.Request) (*http.Response, error) { return nil, context.Canceled }) // its own
		}),
	)
	testkit.AssertListError(t, gone.List(t.Context(), t).Err, "context canceled (1 attempt)")

	promised := testkit.NewCheckedClient(
		t,
		"https://sso.example.com",
		authentik.WithMiddleware(func(http.RoundTripper) http.RoundTripper {
			return testkit.RoundTripFunc(func(*http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: http.StatusOK, ContentLength: 2}, nil // of a body that is not there
			})
		}),
	)
	testkit.AssertListError(t, promised.List(t.Context(), t).Err, "invalid response (200 OK): empty body (1 attempt)")

	bare := testkit.NewCheckedClient(
		t,
		"https://sso.example.com",
		authentik.WithMiddleware(func(http.RoundTripper) http.RoundTripper {
			return testkit.RoundTripFunc(func(*http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: http.StatusGone}, nil
			})
		}),
	)
	testkit.AssertListError(t, bare.List(t.Context(), t).Err, "410 Gone (sent by something in front of authentik, 1 attempt)")
}

// closeable is a body that counts how often it was closed.
type closeable struct{ closed int }

func (*closeable) Read([]byte) (int, error) { return 0, io.EOF }

func (c *closeable) Close() error {
	c.closed++
	return nil
}

func TestWithTokenFunc_CalledForEachAttempt(t *testing.T) {
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
		testkit.Reply(404, testkit.JSON, `{"detail":"`+testkit.Token+`1 `+testkit.Token+`2 `+testkit.Token+`3"}`).
			ServeHTTP(w, req)
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
	assert.ErrorContains(
		t,
		err,
		"404 Not Found: [redacted] [redacted] "+testkit.Token+"3 (",
		"those that were used are secrets",
	)
	assert.Equal(t, 2, calls)
}

func TestWithTokenFunc_RedactsLastTokens(t *testing.T) {
	t.Parallel()
	calls := 0
	token := func(n int) string { return fmt.Sprintf("token-number-%03d", n) }
	var all []string
	for n := 1; n <= 34; n++ {
		all = append(all, token(n))
	}
	ak, err := authentik.NewClient(
		testkit.NewServer(t, testkit.Reply(404, testkit.JSON, `{"detail":"`+strings.Join(all, " ")+`."}`)),
		"",
		authentik.WithTokenFunc(func(context.Context) (string, error) {
			calls++
			return token((calls + 1) / 2), nil // each one twice
		}),
	)
	require.NoError(t, err)
	for range 68 {
		_, err = ak.FlowsInstancesList(t.Context(), nil)
	}
	missing, ok := errors.AsType[*authentik.APIError](err)
	require.True(t, ok, "%v", err)
	assert.Equal(t, token(1)+" "+token(2)+strings.Repeat(" [redacted]", 32)+".", missing.Detail)
}

func TestWithHTTPClient_CopiesClientAndUsesShorterTimeout(t *testing.T) {
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

// A cache returns the rotated token until it is told that authentik rejects it.
func TestWithTokenFunc_RefreshesRejectedToken(t *testing.T) {
	t.Parallel()
	for _, prefetch := range []int{0, 3} {
		srv := authentiktest.NewServer(t)
		srv.AddFlows(500)
		vault, refreshed := srv.Token, 0
		cached := vault
		var mu sync.Mutex
		client := srv.ClientAs("", authentik.WithTokenFunc(func(ctx context.Context) (string, error) {
			mu.Lock()
			defer mu.Unlock()
			if authentik.RefreshToken(ctx) {
				refreshed++
				cached = vault
			}
			return cached, nil
		}))
		seen := 0
		for _, err := range client.FlowsInstancesAll(t.Context(), nil, authentik.WithPrefetch(prefetch)) {
			require.NoError(t, err)
			if seen++; seen == 100 {
				mu.Lock()
				vault = srv.RotateToken(vault)
				mu.Unlock()
			}
		}
		assert.Equal(t, len(srv.Flows()), seen, "the iterator goes on at its page")
		assert.Equal(t, 1, refreshed, "prefetch %d", prefetch)
	}
}

func TestWithTokenFunc_RefreshesOnlyWhatAuthentikRejects(t *testing.T) {
	t.Parallel()
	locked := errors.New("the vault is locked")
	for name, c := range map[string]struct {
		fault     func(*authentiktest.Server)
		fresh     string
		failure   error
		refreshed int
		want      string
	}{
		"a missing permission": {
			fault: func(srv *authentiktest.Server) {
				srv.On("flows_instances_list").FailNext(1, 403, `{"detail":"You do not have permission."}`, nil)
			},
			want: "403 Forbidden: You do not have permission.",
		},
		"a proxy": {
			fault: func(srv *authentiktest.Server) { srv.FailNext(1, 403, "<html>blocked</html>", nil) },
			want:  "403 Forbidden: blocked (sent by something in front of authentik",
		},
		"a proxy before the version": {
			fault: func(srv *authentiktest.Server) {
				srv.On("flows_instances_list").FailNext(1, 403, `{"detail":"Token invalid/expired"}`, nil)
				srv.On("admin_version_retrieve").FailNext(1, 403, "<html>blocked</html>", nil)
			},
			want: "403 Forbidden: Token invalid/expired",
		},
		"the same token": {
			fault: func(srv *authentiktest.Server) { srv.RotateToken(srv.Token) }, refreshed: 1,
			want: "403 Forbidden: Token invalid/expired",
		},
		"another invalid token": {
			fault: func(srv *authentiktest.Server) { srv.RotateToken(srv.Token) }, fresh: "nobodys", refreshed: 1,
			want: "403 Forbidden: Token invalid/expired",
		},
		"no token": {
			fault: func(srv *authentiktest.Server) { srv.RotateToken(srv.Token) }, failure: locked, refreshed: 1,
			want: "refreshing the token: the vault is locked",
		},
		"what is no token": {
			fault: func(srv *authentiktest.Server) { srv.RotateToken(srv.Token) }, fresh: "Bearer x", refreshed: 1,
			want: "refreshing the token: the token must not begin with Bearer",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := authentiktest.NewServer(t)
			token, refreshed := srv.Token, 0
			client := srv.ClientAs("", authentik.WithTokenFunc(func(ctx context.Context) (string, error) {
				if authentik.RefreshToken(ctx) {
					refreshed++
					return cmp.Or(c.fresh, token), c.failure
				}
				return token, nil
			}))
			c.fault(srv)
			_, err := client.FlowsInstancesList(t.Context(), nil)
			require.ErrorIs(t, err, authentik.ErrForbidden)
			require.ErrorContains(t, err, c.want)
			assert.Equal(t, c.failure != nil, errors.Is(err, locked))
			assert.Equal(t, c.refreshed, refreshed)
			if name == "the same token" {
				assert.Len(t, srv.Requests(), 2, "the list and the version")
			}
		})
	}
}

// A function that does not keep the token which it returned after a refusal is
// called again when that token has expired, too.
func TestWithTokenFunc_RefreshesAgainAfterASharedRefresh(t *testing.T) {
	t.Parallel()
	srv := authentiktest.NewServer(t)
	first, current, refreshed := srv.Token, srv.Token, 0
	client := srv.ClientAs("", authentik.WithTokenFunc(func(ctx context.Context) (string, error) {
		if authentik.RefreshToken(ctx) {
			refreshed++
			return current, nil
		}
		return first, nil
	}))
	rotate := func(wants ...int) {
		for rotations, want := range wants {
			if rotations > 0 {
				current = srv.RotateToken(current)
			}
			for range 2 {
				_, err := client.FlowsInstancesList(t.Context(), nil)
				require.NoError(t, err)
				assert.Equal(t, want, refreshed)
			}
		}
	}
	rotate(0, 1, 2)
	// Then it returns another one, and does not keep what follows.
	current = srv.RotateToken(current)
	first = current
	rotate(2, 3, 4)
}

// A function that has two tokens, both invalid, must not keep the client going.
func TestWithTokenFunc_EndsWithTwoInvalidTokens(t *testing.T) {
	t.Parallel()
	srv := authentiktest.NewServer(t)
	tokens := []string{"first-of-nobody", "second-of-nobody"}
	current := 0
	client := srv.ClientAs("", authentik.WithTokenFunc(func(ctx context.Context) (string, error) {
		if authentik.RefreshToken(ctx) {
			current = 1 - current
		}
		return tokens[current], nil
	}), authentik.WithRetry(authentik.RetryPolicy{MaxAttempts: 1}), authentik.WithMiddleware(
		func(next http.RoundTripper) http.RoundTripper {
			return authentik.RoundTripFunc(func(req *http.Request) (*http.Response, error) {
				if len(srv.Requests()) > 50 {
					return nil, errors.New("the client goes on and on")
				}
				return next.RoundTrip(req)
			})
		},
	))
	for range 5 {
		before := len(srv.Requests())
		_, err := client.FlowsInstancesList(t.Context(), nil)
		require.ErrorIs(t, err, authentik.ErrForbidden)
		assert.Equal(t, 3, len(srv.Requests())-before, "the list, the version, and the list with the other token")
	}
}

// A call that has ended asks for no token.
func TestWithTokenFunc_RefreshesNothingAfterTheEnd(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	srv := authentiktest.NewServer(t)
	client := srv.ClientAs("", authentik.WithTokenFunc(func(ctx context.Context) (string, error) {
		assert.False(t, authentik.RefreshToken(ctx))
		return "nobodys", nil
	}), authentik.WithMiddleware(func(next http.RoundTripper) http.RoundTripper {
		return authentik.RoundTripFunc(func(req *http.Request) (*http.Response, error) {
			resp, err := next.RoundTrip(req)
			require.NoError(t, err)
			body, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			resp.Body = io.NopCloser(bytes.NewReader(body))
			cancel()
			return resp, err
		})
	}))
	_, err := client.ServerVersion(ctx)
	require.ErrorIs(t, err, context.Canceled)
	assert.Len(t, srv.Requests(), 1)
}

func TestWithTokenFunc_ErrorOfRefreshIsOneLineWithoutSecrets(t *testing.T) {
	t.Parallel()
	srv := authentiktest.NewServer(t)
	srv.RotateToken(srv.Token)
	vault := errors.New("vault:\n\tno lease for " + srv.Token + strings.Repeat(" x", 1000))
	var log bytes.Buffer
	client := srv.ClientAs("", authentik.WithTokenFunc(func(ctx context.Context) (string, error) {
		if authentik.RefreshToken(ctx) {
			return "", vault
		}
		return srv.Token, nil
	}))
	_, err := client.FlowsInstancesList(t.Context(), nil)
	var denied *authentik.PermissionError
	require.ErrorAs(t, err, &denied)
	require.ErrorContains(t, err, `refreshing the token: vault:\n\tno lease for [redacted]`)
	assert.Less(t, len(err.Error()), 1000)
	slog.New(slog.NewTextHandler(&log, nil)).Error("failed", "error", err)
	assert.Contains(t, log.String(), "error.kind=permission")
	for _, text := range []string{err.Error(), log.String(), fmt.Sprintf("%+v", err)} {
		assert.NotContains(t, text, srv.Token)
		assert.NotContains(t, strings.TrimSpace(text), "\n")
	}
	assert.NotContains(t, log.String(), "lease")
}

// The tokens of one client stay with it, even if a call of another client has
// its context.
func TestWithTokenFunc_KeepsTokensOfClientsApart(t *testing.T) {
	t.Parallel()
	other := authentiktest.NewServer(t)
	srv := authentiktest.NewServer(t)
	stranger := other.ClientAs("", authentik.WithTokenFunc(func(context.Context) (string, error) { return other.Token, nil }))
	client := srv.ClientAs("", authentik.WithTokenFunc(func(ctx context.Context) (string, error) {
		if authentik.RefreshToken(ctx) {
			return srv.Token, nil
		}
		return "nobodys", nil
	}), authentik.WithMiddleware(func(next http.RoundTripper) http.RoundTripper {
		return authentik.RoundTripFunc(func(req *http.Request) (*http.Response, error) {
			_, err := stranger.FlowsInstancesList(req.Context(), nil)
			assert.NoError(t, err)
			return next.RoundTrip(req)
		})
	}))
	_, err := client.FlowsInstancesList(t.Context(), nil)
	require.NoError(t, err)
}

// A middleware may send a request of its own, with the context of the request
// that it has. What is refreshed is the token of the outer one.
func TestWithTokenFunc_KeepsTokensOfNestedCallsApart(t *testing.T) {
	t.Parallel()
	srv := authentiktest.NewServer(t)
	var client *authentik.Client
	calls, refreshed := 0, 0
	client = srv.ClientAs("", authentik.WithTokenFunc(func(ctx context.Context) (string, error) {
		calls++
		if authentik.RefreshToken(ctx) {
			refreshed++
		}
		if calls == 1 {
			return "nobodys", nil
		}
		return srv.Token, nil
	}), authentik.WithMiddleware(func(next http.RoundTripper) http.RoundTripper {
		return authentik.RoundTripFunc(func(req *http.Request) (*http.Response, error) {
			resp, err := next.RoundTrip(req)
			if info, _ := authentik.RequestInfo(req.Context()); info.Op == "FlowsInstancesList" && calls == 1 {
				_, failed := client.ServerVersion(req.Context())
				assert.NoError(t, failed)
			}
			return resp, err
		})
	}))
	_, err := client.FlowsInstancesList(t.Context(), nil)
	require.NoError(t, err)
	assert.Equal(t, 1, refreshed)
}

func TestRequestInfo(t *testing.T) {
	t.Parallel()
	srv := authentiktest.NewServer(t)
	var mu sync.Mutex
	var infos []authentik.Info
	client := srv.Client(authentik.WithMiddleware(func(next http.RoundTripper) http.RoundTripper {
		return authentik.RoundTripFunc(func(req *http.Request) (*http.Response, error) {
			info, ok := authentik.RequestInfo(req.Context())
			assert.True(t, ok)
			mu.Lock()
			defer mu.Unlock()
			infos = append(infos, info)
			return next.RoundTrip(req)
		})
	}), testkit.NoWait)
	srv.FailNext(1, http.StatusBadGateway, "", nil)
	_, err := client.FlowsInstancesRetrieve(t.Context(), "initial-setup")
	require.NoError(t, err)
	_, err = authentik.Collect(client.FlowsInstancesAll(t.Context(), &authentik.FlowsInstancesListOptions{PageSize: 10}))
	require.NoError(t, err)
	require.NoError(t, client.Get(t.Context(), "core/users/me/", nil, nil))
	assert.Equal(t, []authentik.Info{
		{Op: "FlowsInstancesRetrieve", Route: "/flows/instances/{slug}/", Attempt: 1},
		{Op: "FlowsInstancesRetrieve", Route: "/flows/instances/{slug}/", Attempt: 2},
		{Op: "FlowsInstancesAll", Route: "/flows/instances/", Attempt: 1, Page: 1},
		{Op: "FlowsInstancesAll", Route: "/flows/instances/", Attempt: 1, Page: 2},
		{Op: "Get", Attempt: 1},
	}, infos)
	_, ok := authentik.RequestInfo(t.Context())
	assert.False(t, ok)

	infos = nil
	_, err = client.FlowsInstancesImportCreate(t.Context(), []byte("version: 9"))
	testkit.RequireType[*authentik.ImportError](t, err)
	assert.Equal(t, []authentik.Info{
		{Op: "FlowsInstancesImportCreate", Route: "/flows/instances/import/", Attempt: 1},
		{Op: "FlowsInstancesImportCreate", Route: "/flows/instances/import_flow/", Attempt: 1},
		{Op: "FlowsInstancesImportCreate", Route: "/managed/blueprints/import/", Attempt: 1},
	}, infos)
}
