package faults_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/internal/testkit"
)

// interrupted is a call that is cancelled after 200 ms, and the *APIError in
// its error, if there is one.
func interrupted(t *testing.T, ak *testkit.CheckedClient, text string) *authentik.APIError {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(200*time.Millisecond, func() { cancel(testkit.ErrTest) })
	got := ak.List(ctx, t)
	assert.Equal(t, 200*time.Millisecond, got.Took)
	require.ErrorIs(t, got.Err, context.Canceled)
	require.ErrorIs(t, got.Err, testkit.ErrTest)
	require.NotErrorIs(t, got.Err, authentik.ErrAttemptTimeout)
	testkit.RequireType[*authentik.RequestError](t, got.Err)
	testkit.AssertListError(t, got.Err, text)
	var api *authentik.APIError
	_ = errors.As(got.Err, &api)
	return api
}

var concurrencyFaults = map[string]func(*testing.T){
	"C1": testkit.InBubble(func(t *testing.T) {
		server := testkit.NewSequence(testkit.RespondStatus(503, "10"))
		api := interrupted(
			t,
			server.Client(t),
			"context canceled: enough; before that 503 Service Unavailable: Later. (1 attempt)",
		)
		require.NotNil(t, api)
		assert.Equal(t, 503, api.StatusCode)
		assert.Equal(t, 1, server.Requests())
	}),
	"C2": func(t *testing.T) {
		t.Parallel()
		for name, answer := range map[string]string{"before an answer": "", "before its end": testkit.JSONHead + "Content-Length: 10\r\n\r\n{"} {
			testkit.RunInBubble(t, name, func(t *testing.T) {
				server := testkit.NewConnServer(func(conn net.Conn) bool {
					testkit.Send(answer)(conn)
					_, _ = conn.Read(make([]byte, 1)) // until it is closed
					return false
				})
				ak := testkit.NewCheckedClient(t, "http://127.0.0.1", authentik.WithHTTPClient(server.Pipe(t)))
				assert.Nil(t, interrupted(t, ak, "context canceled: enough (1 attempt)"))
				assert.EqualValues(t, 1, server.Requests.Load())
			})
		}
	},
	"C3": func(t *testing.T) {
		t.Parallel()
		for name, c := range map[string]struct {
			deadline   time.Duration
			retryAfter string
		}{"a moment": {700 * time.Millisecond, "10"}, "minutes": {10 * time.Minute, "3600"}, "to the second": {10 * time.Second, "10"}} {
			testkit.RunInBubble(t, name, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), c.deadline)
				defer cancel()
				server := testkit.NewSequence(testkit.RespondStatus(503, c.retryAfter))
				got := server.Client(t, authentik.WithRetry(authentik.RetryPolicy{MaxRetryAfter: 24 * time.Hour})).List(ctx, t)
				assert.Zero(t, got.Took)
				testkit.RequireType[*authentik.APIError](t, got.Err)
				require.NotErrorIs(t, got.Err, context.DeadlineExceeded)
				testkit.AssertListError(
					t,
					got.Err,
					"503 Service Unavailable: Later. (request "+testkit.RequestID+", 1 attempt, no time left to wait and try again)",
				)
				assert.Equal(t, 1, server.Requests())
			})
		}
		// An error of the network is told as it is, too.
		testkit.RunInBubble(t, "network", func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			got := testkit.NewSequence(testkit.Fail(testkit.ErrTest)).
				Client(t, authentik.WithRetry(authentik.RetryPolicy{BaseDelay: testkit.Forever, MaxDelay: testkit.Forever})).
				List(ctx, t)
			assert.Zero(t, got.Took)
			require.ErrorIs(t, got.Err, testkit.ErrTest)
			testkit.AssertListError(t, got.Err, "sso.example.com: enough (1 attempt, no time left to wait and try again)")
		})
	},
	"C4": testkit.InBubble(func(t *testing.T) {
		server := testkit.NewSequence(testkit.Respond(testkit.TwoFlows))
		ak := server.Client(t)
		canceled, cancel := context.WithCancelCause(t.Context())
		cancel(testkit.ErrTest)
		late, cancelLate := context.WithDeadline(t.Context(), time.Now())
		defer cancelLate()
		told, cancelTold := context.WithDeadlineCause(t.Context(), time.Now(), testkit.ErrTest)
		defer cancelTold()
		for ctx, text := range map[context.Context]string{
			canceled: "context canceled: enough (0 attempts)",
			late:     "context deadline exceeded (0 attempts)",
			told:     "context deadline exceeded: enough (0 attempts)",
		} {
			got := ak.List(ctx, t)
			require.ErrorIs(t, got.Err, ctx.Err())
			testkit.AssertListError(t, got.Err, text)
			assert.Zero(t, got.Response)
		}
		assert.Zero(t, server.Requests())
	}),
	"C5": func(t *testing.T) {
		t.Parallel()
		testkit.RunInBubble(t, "an attempt", func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			server := testkit.NewSequence(testkit.Hang)
			got := server.Client(t, testkit.NoWait, authentik.WithTimeout(10*time.Second)).List(ctx, t)
			require.NoError(t, ctx.Err())
			require.ErrorIs(t, got.Err, authentik.ErrAttemptTimeout)
			require.NotErrorIs(t, got.Err, context.DeadlineExceeded)
			testkit.AssertListError(t, got.Err, "sso.example.com: attempt timed out after 10s (2 attempts)")
			assert.Equal(t, 20*time.Second, got.Took)
			assert.Equal(t, 2, server.Requests())
		})
		for name, ends := range map[string]testkit.Step{
			"the caller": testkit.Hang,
			// A dialer that is given the deadline may see it before the context does.
			"the caller, seen by the dialer": func(req *http.Request) (*http.Response, error) {
				deadline, _ := req.Context().Deadline()
				time.Sleep(time.Until(deadline))
				return nil, &net.OpError{Op: "dial", Err: testkit.ErrTest}
			},
		} {
			testkit.RunInBubble(t, name, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				server := testkit.NewSequence(ends)
				got := server.Client(t).List(ctx, t)
				require.ErrorIs(t, got.Err, context.DeadlineExceeded)
				require.NotErrorIs(t, got.Err, authentik.ErrAttemptTimeout)
				testkit.AssertListError(t, got.Err, "sso.example.com: context deadline exceeded (1 attempt)")
				assert.Equal(t, 10*time.Second, got.Took)
				assert.Equal(t, 1, server.Requests())
			})
		}
	},
	"C6": func(t *testing.T) {
		t.Parallel()
		var requests atomic.Int32
		answers := &testkit.Stub{Body: testkit.TwoFlowsBody}
		url := testkit.NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if requests.Add(1)%3 == 0 {
				testkit.Reply(503, testkit.JSON, `{}`).ServeHTTP(w, req)
				return
			}
			answers.ServeHTTP(w, req)
		}))
		testkit.AssertNoGoroutines(t, func() {
			ak := testkit.NewCheckedClient(t, url, authentik.WithRetry(authentik.RetryPolicy{MaxAttempts: 100, BaseDelay: -1}))
			defer ak.Close()
			testkit.Concurrently(50, func(int) {
				got := ak.List(t.Context(), t)
				assert.NoError(t, got.Err)
			})
			assert.EqualValues(t, 50, answers.Requests.Load())
		})
	},
	// Every failure makes go-retryablehttp empty the pool it knows of.
	"C7": func(t *testing.T) {
		t.Parallel()
		var together sync.WaitGroup
		together.Add(2)
		meet := func(conn net.Conn) bool {
			together.Done()
			together.Wait()
			return testkit.Send(testkit.TwoFlowsRaw)(conn)
		}
		failure := testkit.Send("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
		server := testkit.NewConnServer(
			meet,
			meet,
			testkit.SendAndClose(testkit.TwoFlowsRaw[:len(testkit.TwoFlowsRaw)-20]),
			failure,
			testkit.Send(testkit.TwoFlowsRaw),
			testkit.Send(testkit.JSONHead+"Content-Length: 2\r\n\r\n{}"),
			testkit.Send(testkit.TwoFlowsRaw),
			failure,
		)
		addr := server.Listen(t)
		testkit.AssertNoGoroutines(t, func() {
			ak := testkit.NewCheckedClient(t, "http://"+addr, authentik.WithRetry(authentik.RetryPolicy{MaxAttempts: 1}))
			defer ak.Close()
			testkit.Concurrently(2, func(int) { assert.NoError(t, ak.List(t.Context(), t).Err) })
			var failures []bool
			for range 10 {
				failures = append(failures, ak.List(t.Context(), t).Err != nil)
			}
			assert.Equal(t, []bool{true, true, false, true, false, true, true, true, true, true}, failures)
			assert.EqualValues(t, 2, server.Opened.Load(), "one was cut, the other one serves on")
		})
		testkit.AssertConnsClosed(t, server)
	},
	"C8": func(t *testing.T) {
		t.Parallel()
		const clients, bursts = 32, 4
		var together [bursts]sync.WaitGroup
		for i := range together {
			together[i].Add(clients)
		}
		var n atomic.Int32
		server := testkit.NewConnServer(func(conn net.Conn) bool {
			burst := &together[(n.Add(1)-1)/clients]
			burst.Done()
			burst.Wait()
			return testkit.Send(testkit.TwoFlowsRaw)(conn)
		})
		addr := server.Listen(t)
		testkit.AssertNoGoroutines(t, func() {
			ak := testkit.NewCheckedClient(t, "http://"+addr)
			defer ak.Close()
			for range bursts {
				testkit.Concurrently(clients, func(int) { assert.NoError(t, ak.List(t.Context(), t).Err) })
			}
			assert.EqualValues(t, clients*bursts, server.Requests.Load())
			assert.EqualValues(t, clients, server.Opened.Load())
		})
		testkit.AssertConnsClosed(t, server)
	},
	"C9": func(t *testing.T) {
		t.Parallel()
		server := testkit.NewConnServer(
			testkit.Send(testkit.JSONHead+"Content-Length: 2\r\n\r\n{}"),
			testkit.Send("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 9\r\n\r\nsome more"),
			testkit.SendAndClose(
				testkit.TwoFlowsRaw[:len(testkit.TwoFlowsRaw)-1],
			),
			testkit.SendAndReset(""),
			testkit.Send("HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 1\r\n\r\n."),
			testkit.Send(testkit.TwoFlowsRaw),
		)
		addr := server.Listen(t)
		testkit.AssertNoGoroutines(t, func() {
			ak := testkit.NewCheckedClient(
				t,
				"http://"+addr,
				authentik.WithRetry(authentik.RetryPolicy{MaxAttempts: 1}),
				authentik.WithMaxResponseSize(512),
			)
			defer ak.Close()
			canceled, cancel := context.WithCancel(t.Context())
			cancel()
			for range 10 {
				require.Error(t, ak.List(t.Context(), t).Err)
				require.Error(t, ak.List(canceled, t).Err)
				_, err := ak.BindingsRetrieve(t.Context(), uuid.Nil)
				require.Error(t, err)
			}
			assert.EqualValues(t, 10, server.Requests.Load())
		})
		testkit.AssertConnsClosed(t, server)
	},
	"C10": func(t *testing.T) {
		t.Parallel()
		server := testkit.NewConnServer(testkit.Send(testkit.TwoFlowsRaw))
		addr := server.Listen(t)
		testkit.AssertNoGoroutines(t, func() {
			for range 20 {
				ak := testkit.NewCheckedClient(t, "http://"+addr)
				require.NoError(t, ak.List(t.Context(), t).Err)
				ak.Close()
				ak.Close()
				require.NoError(t, ak.List(t.Context(), t).Err)
				ak.Close()
			}
			assert.EqualValues(t, 40, server.Opened.Load())
		})
		testkit.AssertConnsClosed(t, server)
	},
	"C11": testkit.InBubble(func(t *testing.T) {
		server := testkit.NewSequence(testkit.RespondStatus(503))
		testkit.Concurrently(100, func(int) { require.Error(t, server.Client(t).List(t.Context(), t).Err) })
		arrivals := slices.Sorted(slices.Values(server.Arrivals()))
		assert.Len(t, arrivals, 400)
		assert.GreaterOrEqual(t, len(slices.Compact(arrivals[100:])), 290)
	}),
	"C12": testkit.InBubble(func(t *testing.T) {
		server := testkit.NewSequence(testkit.RespondStatus(503))
		ak := server.Client(t)
		var got testkit.ListResult
		for range 200 {
			got = ak.List(t.Context(), t)
			require.ErrorIs(t, got.Err, authentik.ErrServer)
		}
		assert.Equal(t, 300, server.Requests())
		testkit.AssertListError(
			t,
			got.Err,
			"503 Service Unavailable: Later. (request "+testkit.RequestID+", 1 attempt, retry budget exhausted)",
		)
		testkit.RequireType[*authentik.APIError](t, got.Err)
	}),
	"C13": func(t *testing.T) {
		t.Parallel()
		var requests atomic.Int32
		url := testkit.NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			assert.Equal(t, []string{"of the middleware"}, req.Header["X-Proxy-Key"])
			assert.Equal(t, []string{"1"}, req.Header["X-Trace"])
			assert.Equal(t, []string{"Bearer " + testkit.Token}, req.Header["Authorization"])
			if requests.Add(1)%2 == 1 {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			(&testkit.Stub{Body: testkit.TwoFlowsBody}).ServeHTTP(w, req)
		}))
		ak := testkit.NewCheckedClient(t, url, authentik.WithRetry(authentik.RetryPolicy{BaseDelay: -1, MaxAttempts: 100}),
			authentik.WithMiddleware(func(next http.RoundTripper) http.RoundTripper {
				return testkit.RoundTripFunc(func(req *http.Request) (*http.Response, error) {
					assert.Equal(t, []string{testkit.HeaderSecret}, req.Header["X-Proxy-Key"])
					assert.Equal(t, []string{"application/json"}, req.Header["Accept"])
					req.Header.Del("Accept")
					req.Header["X-Proxy-Key"][0] = "of the middleware"
					req.Header.Add("X-Trace", "1")
					resp, err := next.RoundTrip(req)
					assert.Empty(t, req.Header["Authorization"])
					if resp != nil {
						assert.Empty(t, resp.Request.Header["Authorization"])
					}
					return resp, err
				})
			}))
		testkit.Concurrently(20, func(int) { assert.NoError(t, ak.List(t.Context(), t).Err) })
	},
	"C14": func(t *testing.T) {
		t.Parallel()
		for name, c := range map[string]struct {
			step  testkit.Step
			retry authentik.RetryPolicy
			took  [2]time.Duration
			text  string
		}{
			"no answer": {
				testkit.Hang,
				authentik.RetryPolicy{MaxAttempts: 1000},
				testkit.Between(2*time.Minute, 2*time.Minute+500*time.Millisecond), "sso.example.com: attempt timed out after 1m0s (2 attempts)",
			},
			"no answer, and less time": {
				testkit.Hang,
				authentik.RetryPolicy{MaxElapsed: 90 * time.Second, BaseDelay: -1},
				testkit.Between(90*time.Second, 90*time.Second), "sso.example.com: attempt timed out after 30s (2 attempts)",
			},
			"a long wait": {
				testkit.RespondStatus(503, "60"), // a third one would end at three minutes or later, whatever the jitter
				authentik.RetryPolicy{MaxAttempts: 1000},
				testkit.Between(2*time.Minute, 3*time.Minute),
				"503 Service Unavailable: Later. (request " + testkit.RequestID + ", 3 attempts, no time left to wait and try again)",
			},
			"many waits": {
				testkit.RespondStatus(503),
				authentik.RetryPolicy{MaxAttempts: 1000},
				testkit.Between(160*time.Second, 3*time.Minute),
				"503 Service Unavailable: Later. (request " + testkit.RequestID + ", %d attempts, no time left to wait and try again)",
			},
		} {
			testkit.RunInBubble(t, name, func(t *testing.T) {
				server := testkit.NewSequence(c.step)
				got := server.Client(t, authentik.WithRetry(c.retry)).List(context.Background(), t)
				assert.GreaterOrEqual(t, got.Took, c.took[0])
				assert.LessOrEqual(t, got.Took, c.took[1])
				testkit.AssertListError(t, got.Err, strings.ReplaceAll(c.text, "%d", strconv.Itoa(server.Requests())))
			})
		}
	},
}
