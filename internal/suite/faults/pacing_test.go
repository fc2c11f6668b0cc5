package faults_test

import (
	"context"
	"iter"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/internal/testkit"
)

// skewed is a refusal by a server whose clock differs, with a wait of 20 s.
func skewed(status int, skew time.Duration, form string) testkit.Step {
	return func(*http.Request) (*http.Response, error) {
		theirs := time.Now().Add(skew).UTC()
		return testkit.HTTPResponse(testkit.Reply(status, testkit.JSON, `{"detail":"Later."}`,
			"Date", theirs.Format(http.TimeFormat), "Retry-After", theirs.Add(20*time.Second).Format(form))), nil
	}
}

// waits requests a page of a server that responds with step first, and asserts
// how long that took.
func waits(step testkit.Step, from, to time.Duration) func(*testing.T) {
	return testkit.InBubble(func(t *testing.T) {
		got := testkit.NewSequence(step, success).Client(t).List(t.Context(), t)
		require.NoError(t, got.Err)
		assert.GreaterOrEqual(t, got.Took, from)
		assert.LessOrEqual(t, got.Took, to)
	})
}

// limiter is a server in memory that allows a request each half second, and one
// more at once.
type limiter struct {
	flows  testkit.FlowServer
	refuse func() testkit.Step

	mu       sync.Mutex
	full     time.Time // when two requests are allowed again
	refusals int
}

func (l *limiter) RoundTrip(req *http.Request) (*http.Response, error) {
	const each = 500 * time.Millisecond
	l.mu.Lock()
	now := time.Now()
	l.full = later(l.full, now).Add(each)
	if l.full.Sub(now) > 2*each {
		l.full = l.full.Add(-each)
		l.refusals++
		l.mu.Unlock()
		return l.refuse()(req)
	}
	l.mu.Unlock()
	<-time.After(20 * time.Millisecond)
	recorded := httptest.NewRecorder()
	l.flows.ServeHTTP(recorded, req)
	return recorded.Result(), nil
}

// failing is a server in memory that fails the first request for some pages.
type failing struct {
	flows testkit.FlowServer
	first map[string]testkit.Step // the first response, by page

	mu       sync.Mutex
	requests map[string][]time.Time // by page
}

func (s *failing) RoundTrip(req *http.Request) (*http.Response, error) {
	page := req.URL.Query().Get("page")
	s.mu.Lock()
	s.requests[page] = append(s.requests[page], time.Now())
	step := s.first[page]
	delete(s.first, page)
	s.mu.Unlock()
	if step != nil {
		return step(req)
	}
	return s.flows.RoundTrip(req)
}

// second returns the times of the requests for the second page so far.
func (s *failing) second() []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests["2"]
}

// pages returns an iterator over pages, of which some are requested ahead.
func (s *failing) pages(t *testing.T, ahead int) iter.Seq2[*authentik.Page[authentik.Flow], error] {
	t.Helper()
	s.flows.Slugs, s.requests = testkit.Letters("abcdefghijkl"), map[string][]time.Time{}
	opts := &authentik.FlowsInstancesListOptions{PageSize: 2}
	return testkit.NewClientOver(t, s.RoundTrip).FlowsInstancesPages(t.Context(), opts, authentik.WithPrefetch(ahead))
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// panicking is a middleware that panics, exits or does neither at a page.
func panicking(page string, do func()) authentik.ClientOption {
	return authentik.WithMiddleware(func(next http.RoundTripper) http.RoundTripper {
		return testkit.RoundTripFunc(func(req *http.Request) (*http.Response, error) {
			if req.URL.Query().Get("page") == page {
				do()
			}
			return next.RoundTrip(req)
		})
	})
}

var pacingFaults = map[string]func(*testing.T){
	"R7": func(t *testing.T) {
		gateway, edge := testkit.RespondStatus(504), fromProxy(524, "text/plain", "error code: 524")
		for name, steps := range map[string][]testkit.Step{
			"504":                      {gateway},
			"524":                      {edge},
			"504 of a proxy":           {fromProxy(504, "text/html", "<h1>504 Gateway Time-out</h1>")},
			"504, then 524":            {gateway, edge},
			"504, then our own":        {gateway, testkit.Hang},
			"our own, then 504":        {testkit.Hang, gateway},
			"504 in a restart":         {success, gateway},
			"504 with a Retry-After":   {testkit.RespondStatus(504, "1")},
			"504 after the server was": {success, fromProxy(504, "text/html", "<h1>504</h1>")},
		} {
			testkit.RunInBubble(t, name, func(t *testing.T) {
				server := testkit.NewSequence(steps...)
				ak := server.Client(t)
				got := ak.List(t.Context(), t)
				if got.Err == nil {
					got = ak.List(t.Context(), t)
				}
				require.Error(t, got.Err)
				assert.Equal(t, 2, got.Response.Attempts)
			})
			testkit.RunInBubble(t, name+", and a success", func(t *testing.T) {
				ak := testkit.NewSequence(steps[0], success).Client(t)
				require.NoError(t, ak.List(t.Context(), t).Err)
			})
		}
	},
	"R8": func(t *testing.T) {
		head := "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
		for name, response := range map[string]string{
			"unsupported encoding":    head + "Transfer-Encoding: identity\r\n\r\n{}",
			"gzip as an encoding":     head + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
			"encoded twice":           head + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
			"header without a colon":  head + "charset=utf-8\r\n\r\n{}",
			"header that begins late": "HTTP/1.1 200 OK\r\n X: 1\r\n\r\n{}",
			"name of a space":         head + ": value\r\n\r\n{}",
			"length that is none":     head + "Content-Length: 12a\r\n\r\n{}",
			"length that is empty":    head + "Content-Length:\r\n\r\n{}",
			"negative length":         head + "Content-Length: -1\r\n\r\n{}",
			"several lengths":         head + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
			"no status":               "HTTP/1.1 OK\r\n\r\n{}",
			"no version":              "HTTP/x 200 OK\r\n\r\n{}",
			"invalid trailer":         head + "Transfer-Encoding: chunked\r\nTrailer: Content-Length\r\n\r\n0\r\n\r\n",
			"a banner":                "SSH-2.0-OpenSSH_9.2\r\n",
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				server := testkit.NewConnServer(testkit.SendAndClose(response))
				ak := testkit.NewCheckedClient(t, "http://"+server.Listen(t), testkit.NoWait)
				got := ak.List(t.Context(), t)
				require.Error(t, got.Err)
				assert.EqualValues(t, 1, server.Requests.Load(), got.Err)
			})
		}
	},
	"R9": func(t *testing.T) {
		for name, skew := range map[string]time.Duration{
			"none": 0, "an hour ahead": time.Hour, "an hour behind": -time.Hour,
			"50 s behind": -50 * time.Second, "a year ahead": 365 * 24 * time.Hour,
		} {
			t.Run(name+", 429", waits(skewed(429, skew, http.TimeFormat), 19*time.Second, 22*time.Second))
			t.Run(name+", 503", waits(skewed(503, skew, time.ANSIC), 19*time.Second, 22*time.Second))
		}
		t.Run("a Date that is none", waits(func(*http.Request) (*http.Response, error) {
			return testkit.HTTPResponse(testkit.Reply(429, testkit.JSON, "", "Date", "now", "Retry-After",
				time.Now().Add(20*time.Second).UTC().Format(http.TimeFormat))), nil
		}, 19*time.Second, 22*time.Second))
		t.Run("seconds need no clock", waits(
			testkit.Respond(testkit.Reply(429, testkit.JSON, "", "Date", "Sun, 06 Nov 1994 08:49:37 GMT", "Retry-After", "20")),
			20*time.Second, 22*time.Second))
	},
	"R10": func(t *testing.T) {
		refusal := func(status int, headers ...string) testkit.Step {
			return testkit.Respond(testkit.Reply(status, testkit.JSON, `{"detail":"Later."}`, headers...))
		}
		const from, to = 20 * time.Second, 22 * time.Second
		for name, step := range map[string]testkit.Step{
			"RateLimit-Reset":    refusal(429, "RateLimit-Reset", "20"),
			"X-RateLimit-Reset":  refusal(429, "X-RateLimit-Reset", "20"),
			"X-Rate-Limit-Reset": refusal(429, "X-Rate-Limit-Reset", "20"),
			"RateLimit":          refusal(429, "RateLimit", `"burst";r=9;t=55, "daily";r=0;t=20`),
			"RateLimit, a draft": refusal(429, "RateLimit", "limit=10, remaining=0, reset=20"),
			"two of RateLimit":   refusal(429, "RateLimit", `"a";r=0;t=20`, "RateLimit", `"b";r=0;t=1`),
			"with a parameter":   refusal(429, "RateLimit-Reset", "20;w=60"),
			"a date":             refusal(429, "RateLimit-Reset", "Sun, 06 Nov 1994 08:49:57 GMT", "Date", "Sun, 06 Nov 1994 08:49:37 GMT"),
			"a date of RFC 3339": refusal(429, "X-RateLimit-Reset", "1994-11-06T09:49:57+01:00", "Date", "Sun, 06 Nov 1994 08:49:37 GMT"),
			"in milliseconds": func(*http.Request) (*http.Response, error) {
				at := strconv.FormatInt(time.Now().Add(20*time.Second).UnixMilli(), 10)
				return refusal(429, "X-RateLimit-Reset", at)(nil)
			},
			"the longer one": refusal(429, "RateLimit-Reset", "20", "X-RateLimit-Reset", "1"),
			"a time": func(*http.Request) (*http.Response, error) {
				at := strconv.FormatInt(time.Now().Add(20*time.Second).Unix(), 10)
				return refusal(429, "X-RateLimit-Reset", at)(nil)
			},
			"a time of another clock": refusal(429, "X-RateLimit-Reset", "784111797", "Date", "Sun, 06 Nov 1994 08:49:37 GMT"),
		} {
			t.Run(name, waits(step, from, to))
		}
		for name, step := range map[string]testkit.Step{
			"Retry-After counts":       refusal(429, "Retry-After", "1", "RateLimit-Reset", "20"),
			"Retry-After of zero":      refusal(429, "Retry-After", "0", "RateLimit-Reset", "20"),
			"503":                      refusal(503, "RateLimit-Reset", "20"),
			"500":                      refusal(500, "RateLimit-Reset", "20"),
			"not a number":             refusal(429, "RateLimit-Reset", "soon"),
			"RateLimit with some left": refusal(429, "RateLimit", `"a";r=3;t=20`),
			"an empty RateLimit":       refusal(429, "RateLimit", ""),
			"a time that is past":      refusal(429, "X-RateLimit-Reset", "784111777"),
		} {
			t.Run(name, waits(step, 0, 2*time.Second))
		}
		testkit.RunInBubble(t, "too long", func(t *testing.T) {
			server := testkit.NewSequence(refusal(429, "RateLimit-Reset", "3600"))
			got := server.Client(t).List(t.Context(), t)
			require.ErrorContains(t, got.Err, "the server asks to wait 1h0m0s")
			assert.Equal(t, 1, server.Requests())
		})
	},
	"R11": func(t *testing.T) {
		slugs := make([]string, 40)
		for i := range slugs {
			slugs[i] = "flow-" + strconv.Itoa(100+i)
		}
		for name, refuse := range map[string]func() testkit.Step{
			"429": func() testkit.Step { return testkit.RespondStatus(429) },
			"429 with a time": func() testkit.Step {
				return testkit.RespondStatus(429, "1")
			},
			"503 of a proxy": func() testkit.Step { return fromProxy(503, "text/html", "<h1>503</h1>") },
			"503 with a time": func() testkit.Step {
				return fromProxy(503, "text/html", "<h1>503</h1>", "Retry-After", "1")
			},
		} {
			for _, ahead := range []int{0, 1, 2, 8, 32} {
				testkit.RunInBubble(t, name+", "+strconv.Itoa(ahead)+" ahead", func(t *testing.T) {
					server := &limiter{refuse: refuse, flows: testkit.FlowServer{Slugs: func(int) []string { return slugs }}}
					// Full jitter may wait for no time at all, three times in a row.
					ak := testkit.NewClientOver(t, server.RoundTrip, authentik.WithRetry(authentik.RetryPolicy{MaxAttempts: 12}))
					opts := &authentik.FlowsInstancesListOptions{PageSize: 2}
					flows, err := authentik.Collect(ak.FlowsInstancesAll(t.Context(), opts, authentik.WithPrefetch(ahead)))
					require.NoError(t, err)
					require.Len(t, flows, len(slugs))
					for i, flow := range flows {
						assert.Equal(t, slugs[i], flow.Slug)
					}
					assert.Positive(t, server.refusals)
					assert.LessOrEqual(t, server.refusals, ahead+3*20, "each page at most thrice, but for the first burst")
				})
			}
		}
		testkit.RunInBubble(t, "one got through", func(t *testing.T) {
			// Page 4 is refused for ten seconds, at once, and all after it would
			// be. Until page 4 is there, nothing but pages 2 and 3 is sent.
			server := &testkit.FlowServer{Slugs: func(int) []string { return slugs }}
			began := time.Now()
			requests := map[string][]time.Duration{}
			var mu sync.Mutex
			ak := testkit.NewClientOver(t, func(req *http.Request) (*http.Response, error) {
				at, page := time.Since(began), req.URL.Query().Get("page")
				mu.Lock()
				requests[page] = append(requests[page], at)
				mu.Unlock()
				if n, _ := strconv.Atoi(page); n > 3 && at < 10*time.Second {
					return testkit.RespondStatus(429, "10")(req)
				}
				<-time.After(20 * time.Millisecond)
				recorded := httptest.NewRecorder()
				server.ServeHTTP(recorded, req)
				return recorded.Result(), nil
			})
			opts := &authentik.FlowsInstancesListOptions{PageSize: 2}
			flows, err := authentik.Collect(ak.FlowsInstancesAll(t.Context(), opts, authentik.WithPrefetch(3)))
			require.NoError(t, err)
			assert.Len(t, flows, len(slugs))
			for page := 5; page <= 20; page++ {
				at := requests[strconv.Itoa(page)]
				require.Len(t, at, 1)
				assert.GreaterOrEqual(t, at[0], 10*time.Second)
			}
			assert.Len(t, requests["2"], 1)
			assert.Len(t, requests["3"], 1)
			assert.Len(t, requests["4"], 2)
		})
		testkit.RunInBubble(t, "canceled in the wait", func(t *testing.T) {
			server := &testkit.FlowServer{Slugs: func(int) []string { return slugs }}
			ak := testkit.NewClientOver(t, func(req *http.Request) (*http.Response, error) {
				if req.URL.Query().Get("page") != "1" {
					return testkit.RespondStatus(429, "30")(req)
				}
				recorded := httptest.NewRecorder()
				server.ServeHTTP(recorded, req)
				return recorded.Result(), nil
			})
			ctx, cancel := context.WithCancel(t.Context())
			began := time.Now()
			time.AfterFunc(time.Second, cancel)
			opts := &authentik.FlowsInstancesListOptions{PageSize: 2}
			flows, err := authentik.Collect(ak.FlowsInstancesAll(ctx, opts, authentik.WithPrefetch(3)))
			require.ErrorIs(t, err, context.Canceled)
			assert.Len(t, flows, 2)
			assert.Equal(t, time.Second, time.Since(began))
		})
		aheadAfterFailure(t)
	},
	"R12": func(t *testing.T) {
		// changing is a list that another client changes for a time.
		changing := func(t *testing.T, lag time.Duration) *authentik.Client {
			t.Helper()
			until := time.Now().Add(lag)
			server := &testkit.FlowServer{Slugs: func(page int) []string {
				if page == 2 && time.Now().Before(until) {
					return []string{"a", "b", "c", "d"}
				}
				return []string{"a", "b", "c"}
			}}
			return testkit.NewClientOver(t, func(req *http.Request) (*http.Response, error) {
				recorded := httptest.NewRecorder()
				server.ServeHTTP(recorded, req)
				return recorded.Result(), nil
			})
		}
		opts := &authentik.FlowsInstancesListOptions{PageSize: 2}
		for _, lag := range []time.Duration{0, 400 * time.Millisecond, time.Second, 2 * time.Second, 2500 * time.Millisecond} {
			testkit.RunInBubble(t, "a replica that is "+lag.String()+" behind", func(t *testing.T) {
				flows, err := authentik.Snapshot(changing(t, lag).FlowsInstancesAll(t.Context(), opts))
				require.NoError(t, err)
				assert.Len(t, flows, 3)
			})
		}
		testkit.RunInBubble(t, "for ever", func(t *testing.T) {
			ak, began := changing(t, time.Hour), time.Now()
			flows, err := authentik.Snapshot(ak.FlowsInstancesAll(t.Context(), opts))
			require.ErrorIs(t, err, authentik.ErrListChanged)
			assert.NotEmpty(t, flows)
			assert.GreaterOrEqual(t, time.Since(began), 2500*time.Millisecond)
			assert.LessOrEqual(t, time.Since(began), 3750*time.Millisecond)
		})
		testkit.RunInBubble(t, "canceled", func(t *testing.T) {
			ak, began := changing(t, time.Hour), time.Now()
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(100*time.Millisecond, cancel)
			_, err := authentik.Snapshot(ak.FlowsInstancesAll(ctx, opts))
			require.ErrorIs(t, err, context.Canceled)
			assert.Equal(t, 100*time.Millisecond, time.Since(began))
		})
		testkit.RunInBubble(t, "a deadline before the wait ends", func(t *testing.T) {
			ak, began := changing(t, time.Hour), time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond)
			defer cancel()
			_, err := authentik.Snapshot(ak.FlowsInstancesAll(ctx, opts))
			require.ErrorIs(t, err, authentik.ErrListChanged)
			assert.Zero(t, time.Since(began))
		})
		testkit.RunInBubble(t, "a deadline after the wait", func(t *testing.T) {
			ak := changing(t, time.Second)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			flows, err := authentik.Snapshot(ak.FlowsInstancesAll(ctx, opts))
			require.NoError(t, err)
			assert.Len(t, flows, 3)
		})
		testkit.RunInBubble(t, "a caller's sequence", func(t *testing.T) {
			began, passes := time.Now(), 0
			items, err := authentik.Snapshot(func(yield func(int, error) bool) {
				if passes++; passes < 3 {
					yield(0, authentik.ErrListChanged)
					return
				}
				yield(7, nil)
			})
			require.NoError(t, err)
			assert.Equal(t, []int{7}, items)
			assert.GreaterOrEqual(t, time.Since(began), 2500*time.Millisecond)
		})
	},
	"R13": func(t *testing.T) {
		for _, ahead := range []int{0, 1, 3} {
			for _, wanted := range []bool{true, false} {
				testkit.RunInBubble(t, strconv.Itoa(ahead)+" ahead, wanted "+strconv.FormatBool(wanted), func(t *testing.T) {
					server := &testkit.FlowServer{Slugs: testkit.Letters("abcdef")}
					run := func(do func()) (seen int) {
						ak := testkit.NewClientOver(t, func(req *http.Request) (*http.Response, error) {
							recorded := httptest.NewRecorder()
							server.ServeHTTP(recorded, req)
							return recorded.Result(), nil
						}, panicking("2", do))
						opts := &authentik.FlowsInstancesListOptions{PageSize: 2}
						for _, err := range ak.FlowsInstancesAll(t.Context(), opts, authentik.WithPrefetch(ahead)) {
							require.NoError(t, err)
							if seen++; seen == 2 && !wanted {
								synctest.Wait() // for the page ahead
								break
							}
						}
						return seen
					}
					raised := wanted || ahead > 0
					var want any
					if raised {
						want = testkit.ErrTest
					}
					assert.Equal(t, want, recovered(func() { run(func() { panic(testkit.ErrTest) }) }))
					exited := make(chan bool, 1)
					go func() {
						done := false
						defer func() { exited <- !done }()
						run(runtime.Goexit)
						done = true
					}()
					assert.Equal(t, raised, <-exited)
				})
			}
		}
	},
}

// aheadAfterFailure asserts that a refusal ends what is requested ahead, and that
// a request ahead with another failure is retried ahead.
func aheadAfterFailure(t *testing.T) {
	t.Helper()
	for name, c := range map[string]struct {
		step  testkit.Step
		ahead int // requests before the page is wanted
	}{
		"a reset":         {testkit.Fail(syscall.ECONNRESET), 2},
		"500":             {testkit.RespondStatus(500), 2},
		"502":             {testkit.RespondStatus(502), 2},
		"502 of a proxy":  {fromProxy(502, "text/html", "<h1>502</h1>"), 1},
		"429":             {testkit.RespondStatus(429), 1},
		"503 with a time": {testkit.RespondStatus(503, "1"), 1},
	} {
		testkit.RunInBubble(t, name, func(t *testing.T) {
			server := &failing{first: map[string]testkit.Step{"2": c.step}}
			for page, err := range server.pages(t, 1) {
				require.NoError(t, err)
				if testkit.Advance(time.Minute); page.Pagination.Current == 1 {
					assert.Len(t, server.second(), c.ahead)
				}
			}
			assert.Len(t, server.second(), 2)
		})
	}
	testkit.RunInBubble(t, "for too long", func(t *testing.T) {
		server := &failing{first: map[string]testkit.Step{"2": testkit.RespondStatus(429, "3600")}}
		_, err := authentik.Collect(server.pages(t, 1))
		require.ErrorContains(t, err, "the server asks to wait 1h0m0s")
		assert.Len(t, server.second(), 1)
	})
	testkit.RunInBubble(t, "twice, the longer one first", func(t *testing.T) {
		server := &failing{first: map[string]testkit.Step{
			"2": func(req *http.Request) (*http.Response, error) {
				testkit.Advance(time.Second)
				return testkit.RespondStatus(429, "1")(req)
			},
			"3": testkit.RespondStatus(429, "10"),
		}}
		began := time.Now()
		_, err := authentik.Collect(server.pages(t, 2))
		require.NoError(t, err)
		require.Len(t, server.second(), 2)
		assert.GreaterOrEqual(t, server.second()[1].Sub(began), 10*time.Second)
	})
	testkit.RunInBubble(t, "one more with each page after that", func(t *testing.T) {
		server := &failing{first: map[string]testkit.Step{"2": testkit.RespondStatus(429, "1")}}
		for page, err := range server.pages(t, 3) {
			require.NoError(t, err)
			synctest.Wait()
			assert.Len(t, server.requests, []int{4, 4, 5, 6, 6, 6}[page.Pagination.Current-1], "pages requested so far")
		}
	})
}

func recovered(f func()) (value any) {
	defer func() { value = recover() }()
	f()
	return nil
}
