package authentik_test

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
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
)

var errEnough = errors.New("enough")

// interrupted is a call that is cancelled after 200 ms, and the *APIError in
// its error, if there is one.
func interrupted(t *testing.T, ak *subject, text string) *authentik.APIError {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(200*time.Millisecond, func() { cancel(errEnough) })
	got := ak.list(ctx, t)
	assert.Equal(t, 200*time.Millisecond, got.took)
	require.ErrorIs(t, got.err, context.Canceled)
	require.ErrorIs(t, got.err, errEnough)
	require.NotErrorIs(t, got.err, authentik.ErrAttemptTimeout)
	exactly[*authentik.RequestError](t, got.err)
	tells(t, got.err, text)
	var api *authentik.APIError
	_ = errors.As(got.err, &api)
	return api
}

// inBubble is a test in virtual time.
func inBubble(test func(*testing.T)) func(*testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, test)
	}
}

// bubble is a subtest in virtual time.
func bubble(t *testing.T, name string, test func(*testing.T)) {
	t.Helper()
	t.Run(name, inBubble(test))
}

// crowd runs n calls at once.
func crowd(n int, call func(i int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { call(i) })
	}
	all.Wait()
}

var concurrencyFaults = map[string]func(*testing.T){
	"C1": inBubble(func(t *testing.T) {
		server := newScript(asking(503, "10"))
		api := interrupted(t, server.subject(t), "context canceled: enough; before that 503 Service Unavailable: Later. (1 attempt)")
		require.NotNil(t, api)
		assert.Equal(t, 503, api.StatusCode)
		assert.Equal(t, 1, server.requests())
	}),
	"C2": func(t *testing.T) {
		t.Parallel()
		for name, answer := range map[string]string{"before an answer": "", "before its end": jsonHead + "Content-Length: 10\r\n\r\n{"} {
			bubble(t, name, func(t *testing.T) {
				server := newPeer(func(conn net.Conn) bool {
					sends(answer)(conn)
					_, _ = conn.Read(make([]byte, 1)) // until it is closed
					return false
				})
				ak := newSubject(t, "http://127.0.0.1", authentik.WithHTTPClient(server.pipe(t)))
				assert.Nil(t, interrupted(t, ak, "context canceled: enough (1 attempt)"))
				assert.EqualValues(t, 1, server.requests.Load())
			})
		}
	},
	"C3": func(t *testing.T) {
		t.Parallel()
		for name, c := range map[string]struct {
			deadline   time.Duration
			retryAfter string
		}{"a moment": {700 * time.Millisecond, "10"}, "minutes": {10 * time.Minute, "3600"}, "to the second": {10 * time.Second, "10"}} {
			bubble(t, name, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), c.deadline)
				defer cancel()
				server := newScript(asking(503, c.retryAfter))
				got := server.subject(t, authentik.WithRetry(authentik.RetryPolicy{MaxRetryAfter: 24 * time.Hour})).list(ctx, t)
				assert.Zero(t, got.took)
				exactly[*authentik.APIError](t, got.err)
				require.NotErrorIs(t, got.err, context.DeadlineExceeded)
				tells(t, got.err, "503 Service Unavailable: Later. (request "+requestID+", 1 attempt, no time left to wait and try again)")
				assert.Equal(t, 1, server.requests())
			})
		}
		// An error of the network is told as it is, too.
		bubble(t, "network", func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			got := newScript(fails(errEnough)).subject(t, authentik.WithRetry(authentik.RetryPolicy{BaseDelay: forever, MaxDelay: forever})).list(ctx, t)
			assert.Zero(t, got.took)
			require.ErrorIs(t, got.err, errEnough)
			tells(t, got.err, "enough (1 attempt, no time left to wait and try again)")
		})
	},
	"C4": inBubble(func(t *testing.T) {
		server := newScript(says(good))
		ak := server.subject(t)
		canceled, cancel := context.WithCancelCause(t.Context())
		cancel(errEnough)
		late, cancelLate := context.WithDeadline(t.Context(), time.Now())
		defer cancelLate()
		told, cancelTold := context.WithDeadlineCause(t.Context(), time.Now(), errEnough)
		defer cancelTold()
		for ctx, text := range map[context.Context]string{
			canceled: "context canceled: enough (0 attempts)",
			late:     "context deadline exceeded (0 attempts)",
			told:     "context deadline exceeded: enough (0 attempts)",
		} {
			got := ak.list(ctx, t)
			require.ErrorIs(t, got.err, ctx.Err())
			tells(t, got.err, text)
			assert.Zero(t, got.response)
		}
		assert.Zero(t, server.requests())
	}),
	"C5": func(t *testing.T) {
		t.Parallel()
		bubble(t, "an attempt", func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			server := newScript(hangs)
			got := server.subject(t, noWaits, authentik.WithTimeout(10*time.Second)).list(ctx, t)
			require.NoError(t, ctx.Err())
			require.ErrorIs(t, got.err, authentik.ErrAttemptTimeout)
			require.NotErrorIs(t, got.err, context.DeadlineExceeded)
			tells(t, got.err, "attempt timed out after 10s (2 attempts)")
			assert.Equal(t, 20*time.Second, got.took)
			assert.Equal(t, 2, server.requests())
		})
		for name, ends := range map[string]step{
			"the caller": hangs,
			// A dialer that is given the deadline may see it before the context does.
			"the caller, seen by the dialer": func(req *http.Request) (*http.Response, error) {
				deadline, _ := req.Context().Deadline()
				time.Sleep(time.Until(deadline))
				return nil, &net.OpError{Op: "dial", Err: errEnough}
			},
		} {
			bubble(t, name, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				server := newScript(ends)
				got := server.subject(t).list(ctx, t)
				require.ErrorIs(t, got.err, context.DeadlineExceeded)
				require.NotErrorIs(t, got.err, authentik.ErrAttemptTimeout)
				tells(t, got.err, "context deadline exceeded (1 attempt)")
				assert.Equal(t, 10*time.Second, got.took)
				assert.Equal(t, 1, server.requests())
			})
		}
	},
	"C6": func(t *testing.T) {
		t.Parallel()
		var requests atomic.Int32
		answers := &stub{body: listReader.good}
		url := newServer(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if requests.Add(1)%3 == 0 {
				reply(503, jsonType, `{}`).ServeHTTP(w, req)
				return
			}
			answers.ServeHTTP(w, req)
		}))
		tidy(t, func() {
			ak := newSubject(t, url, authentik.WithRetry(authentik.RetryPolicy{MaxAttempts: 100, BaseDelay: -1}))
			defer ak.Close()
			crowd(50, func(int) {
				got := ak.list(t.Context(), t)
				assert.NoError(t, got.err)
			})
			assert.EqualValues(t, 50, answers.requests.Load())
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
			return sends(whole)(conn)
		}
		failure := sends("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
		server := newPeer(meet, meet, sendsAndCloses(whole[:len(whole)-20]), failure, sends(whole), sends(jsonHead+"Content-Length: 2\r\n\r\n{}"), sends(whole), failure)
		addr := server.listen(t)
		tidy(t, func() {
			ak := newSubject(t, "http://"+addr, authentik.WithRetry(authentik.RetryPolicy{MaxAttempts: 1}))
			defer ak.Close()
			crowd(2, func(int) { assert.NoError(t, ak.list(t.Context(), t).err) })
			var failures []bool
			for range 10 {
				failures = append(failures, ak.list(t.Context(), t).err != nil)
			}
			assert.Equal(t, []bool{true, true, false, true, false, true, true, true, true, true}, failures)
			assert.EqualValues(t, 2, server.opened.Load(), "one was cut, the other one serves on")
		})
		closed(t, server)
	},
	"C8": func(t *testing.T) {
		t.Parallel()
		const clients, bursts = 32, 4
		var together [bursts]sync.WaitGroup
		for i := range together {
			together[i].Add(clients)
		}
		var n atomic.Int32
		server := newPeer(func(conn net.Conn) bool {
			burst := &together[(n.Add(1)-1)/clients]
			burst.Done()
			burst.Wait()
			return sends(whole)(conn)
		})
		addr := server.listen(t)
		tidy(t, func() {
			ak := newSubject(t, "http://"+addr)
			defer ak.Close()
			for range bursts {
				crowd(clients, func(int) { assert.NoError(t, ak.list(t.Context(), t).err) })
			}
			assert.EqualValues(t, clients*bursts, server.requests.Load())
			assert.EqualValues(t, clients, server.opened.Load())
		})
		closed(t, server)
	},
	"C9": func(t *testing.T) {
		t.Parallel()
		server := newPeer(sends(jsonHead+"Content-Length: 2\r\n\r\n{}"), sends("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 9\r\n\r\nsome more"),
			sendsAndCloses(whole[:len(whole)-1]), sendsAndResets(""), sends("HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 1\r\n\r\n."), sends(whole))
		addr := server.listen(t)
		tidy(t, func() {
			ak := newSubject(t, "http://"+addr, authentik.WithRetry(authentik.RetryPolicy{MaxAttempts: 1}), authentik.WithMaxResponseSize(512))
			defer ak.Close()
			canceled, cancel := context.WithCancel(t.Context())
			cancel()
			for range 10 {
				require.Error(t, ak.list(t.Context(), t).err)
				require.Error(t, ak.list(canceled, t).err)
				_, err := ak.BindingsRetrieve(t.Context(), uuid.Nil)
				require.Error(t, err)
			}
			assert.EqualValues(t, 10, server.requests.Load())
		})
		closed(t, server)
	},
	"C10": func(t *testing.T) {
		t.Parallel()
		server := newPeer(sends(whole))
		addr := server.listen(t)
		tidy(t, func() {
			for range 20 {
				ak := newSubject(t, "http://"+addr)
				require.NoError(t, ak.list(t.Context(), t).err)
				ak.Close()
				ak.Close()
				require.NoError(t, ak.list(t.Context(), t).err)
				ak.Close()
			}
			assert.EqualValues(t, 40, server.opened.Load())
		})
		closed(t, server)
	},
	"C11": inBubble(func(t *testing.T) {
		server := newScript(asking(503))
		crowd(100, func(int) { require.Error(t, server.subject(t).list(t.Context(), t).err) })
		slices.Sort(server.came)
		assert.Len(t, server.came, 400)
		assert.GreaterOrEqual(t, len(slices.Compact(server.came[100:])), 290)
	}),
	"C12": inBubble(func(t *testing.T) {
		server := newScript(asking(503))
		ak := server.subject(t)
		var got listed
		for range 200 {
			got = ak.list(t.Context(), t)
			require.ErrorIs(t, got.err, authentik.ErrServer)
		}
		assert.Equal(t, 300, server.requests())
		tells(t, got.err, "503 Service Unavailable: Later. (request "+requestID+", 1 attempt, retry budget exhausted)")
		exactly[*authentik.APIError](t, got.err)
	}),
	"C13": func(t *testing.T) {
		t.Parallel()
		var requests atomic.Int32
		url := newServer(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			assert.Equal(t, []string{"of the middleware"}, req.Header["X-Proxy-Key"])
			assert.Equal(t, []string{"1"}, req.Header["X-Trace"])
			assert.Equal(t, []string{"Bearer " + canary}, req.Header["Authorization"])
			if requests.Add(1)%2 == 1 {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			(&stub{body: listReader.good}).ServeHTTP(w, req)
		}))
		ak := newSubject(t, url, authentik.WithRetry(authentik.RetryPolicy{BaseDelay: -1, MaxAttempts: 100}),
			authentik.WithMiddleware(func(next http.RoundTripper) http.RoundTripper {
				return roundTripper(func(req *http.Request) (*http.Response, error) {
					assert.Equal(t, []string{headerCanary}, req.Header["X-Proxy-Key"])
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
		crowd(20, func(int) { assert.NoError(t, ak.list(t.Context(), t).err) })
	},
	"C14": func(t *testing.T) {
		t.Parallel()
		for name, c := range map[string]struct {
			step  step
			retry authentik.RetryPolicy
			took  [2]time.Duration
			text  string
		}{
			"no answer": {hangs, authentik.RetryPolicy{MaxAttempts: 1000}, within(2*time.Minute, 2*time.Minute+500*time.Millisecond), "attempt timed out after 1m0s (2 attempts)"},
			"no answer, and less time": {
				hangs, authentik.RetryPolicy{MaxElapsed: 90 * time.Second, BaseDelay: -1}, within(90*time.Second, 90*time.Second), "attempt timed out after 30s (2 attempts)",
			},
			"a long wait": {
				asking(503, "60"), // a third one would end at three minutes or later, whatever the jitter
				authentik.RetryPolicy{MaxAttempts: 1000},
				within(2*time.Minute, 3*time.Minute),
				"503 Service Unavailable: Later. (request " + requestID + ", 3 attempts, no time left to wait and try again)",
			},
			"many waits": {
				asking(503),
				authentik.RetryPolicy{MaxAttempts: 1000},
				within(160*time.Second, 3*time.Minute),
				"503 Service Unavailable: Later. (request " + requestID + ", %d attempts, no time left to wait and try again)",
			},
		} {
			bubble(t, name, func(t *testing.T) {
				server := newScript(c.step)
				got := server.subject(t, authentik.WithRetry(c.retry)).list(context.Background(), t)
				assert.GreaterOrEqual(t, got.took, c.took[0])
				assert.LessOrEqual(t, got.took, c.took[1])
				tells(t, got.err, strings.ReplaceAll(c.text, "%d", strconv.Itoa(server.requests())))
			})
		}
	},
}
