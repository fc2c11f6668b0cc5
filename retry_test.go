package authentik_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	recorded "github.com/seed-299d42e7/authentik-go/internal/testkit/recording"
)

// forever is 292 years; the chance that a random part of it is ten minutes is
// one in ten millions.
const forever = time.Duration(math.MaxInt64)

func TestTheLongestDurationIsLongAndNotNone(t *testing.T) {
	t.Parallel()
	throttled := says(reply(429, jsonType, `{}`))
	unavailable := says(reply(503, jsonType, `{}`))
	asksToWait := func(seconds string) step { return says(reply(503, jsonType, `{}`, "Retry-After", seconds)) }
	for name, c := range map[string]struct {
		step     step
		policy   authentik.RetryPolicy
		requests [2]int // within ten minutes, at least and at most
	}{
		"BaseDelay":             {unavailable, authentik.RetryPolicy{BaseDelay: forever, MaxDelay: forever, MaxElapsed: -1}, [2]int{1, 1}},
		"BaseDelay, and 429":    {throttled, authentik.RetryPolicy{BaseDelay: forever, MaxDelay: forever, MaxElapsed: -1}, [2]int{1, 1}},
		"half of it, and 429":   {throttled, authentik.RetryPolicy{BaseDelay: forever/2 + 1, MaxDelay: forever, MaxElapsed: -1}, [2]int{1, 1}},
		"BaseDelay, with a cap": {throttled, authentik.RetryPolicy{BaseDelay: forever}, [2]int{4, 4}},
		"MaxRetryAfter":         {asksToWait("9223372036"), authentik.RetryPolicy{MaxRetryAfter: forever, MaxElapsed: -1}, [2]int{1, 1}},
		"Retry-After, to the last nanosecond": {
			asksToWait("9223372036.854775807"), authentik.RetryPolicy{MaxRetryAfter: forever, MaxElapsed: -1}, [2]int{1, 1},
		},
		"Retry-After, as no server may say it": {asksToWait("1e99"), authentik.RetryPolicy{MaxRetryAfter: forever, MaxElapsed: -1}, [2]int{4, 4}},
		"Retry-After, of 400 digits": {
			asksToWait(strings.Repeat("9", 400)), authentik.RetryPolicy{MaxRetryAfter: forever, MaxElapsed: -1}, [2]int{1, 1},
		},
		"MaxElapsed": {unavailable, authentik.RetryPolicy{MaxElapsed: forever}, [2]int{4, 4}},
		"StartupWait": {
			says(reply(503, jsonType, `{"error":"authentik starting"}`)), authentik.RetryPolicy{StartupWait: forever, MaxElapsed: -1}, [2]int{300, 600},
		},
		"MaxAttempts": {
			unavailable, authentik.RetryPolicy{MaxAttempts: math.MaxInt, MaxDelay: time.Nanosecond, MaxElapsed: -1}, [2]int{101, 101}, // then the budget is spent
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(10*time.Minute, cancel)
				server := newScript(c.step)
				ak := server.subject(t, authentik.WithRetry(c.policy), authentik.WithTimeout(forever))
				require.Error(t, ak.list(ctx, t).err)
				assert.GreaterOrEqual(t, server.requests(), c.requests[0])
				assert.LessOrEqual(t, server.requests(), c.requests[1])
				cancel()
			})
		})
	}
}

func TestAnErrorWhoseBodyHangsIsATimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := newScript(hangsAfter(reply(503, textType, "wait for")))
		got := server.subject(t).list(t.Context(), t)
		require.ErrorIs(t, got.err, authentik.ErrAttemptTimeout)
		require.NotErrorIs(t, got.err, context.DeadlineExceeded)
		require.ErrorIs(t, got.err, authentik.ErrServer)
		var api *authentik.APIError
		require.ErrorAs(t, got.err, &api)
		assert.Equal(t, 503, api.StatusCode)
		assert.Equal(t, "wait for", string(api.Body))
		exactly[*authentik.RequestError](t, got.err)
		assert.EqualError(t, got.err, "authentik: FlowsInstancesList: attempt timed out after 1m0s; before that 503 Service Unavailable: wait for (2 attempts)")
		assert.Equal(t, 2, server.requests())
		assert.Equal(t, 503, got.response.StatusCode)
		assert.InDelta(t, 2*time.Minute+250*time.Millisecond, got.took, float64(250*time.Millisecond))
	})
	// Where the status decides, it is not asked again.
	for status, want := range map[int]error{400: authentik.ErrBadRequest, 403: authentik.ErrForbidden, 404: authentik.ErrNotFound, 501: authentik.ErrServer} {
		synctest.Test(t, func(t *testing.T) {
			server := newScript(hangsAfter(reply(status, jsonType, `{"detail":`)))
			got := server.subject(t).list(t.Context(), t)
			require.ErrorIs(t, got.err, want)
			require.NotErrorIs(t, got.err, authentik.ErrAttemptTimeout)
			var request *authentik.RequestError
			require.NotErrorAs(t, got.err, &request)
			assert.Equal(t, time.Minute, got.took)
			assert.Equal(t, 1, server.requests())
		})
	}
	// A body that is cut says less than the status does.
	synctest.Test(t, func(t *testing.T) {
		server := newScript(func(*http.Request) (*http.Response, error) {
			resp := responseOf(reply(503, textType, ""))
			resp.Body = bodyOf("half of i", errors.New("connection reset"))
			return resp, nil
		})
		got := server.subject(t).list(t.Context(), t)
		assert.EqualError(t, got.err, "authentik: FlowsInstancesList: 503 Service Unavailable: half of i (request "+requestID+", 4 attempts)")
		exactly[*authentik.APIError](t, got.err)
	})
}

func TestBackoffIsFullJitter(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		policy authentik.RetryPolicy
		limits []time.Duration // of the first waits
	}{
		"by default": {authentik.RetryPolicy{MaxAttempts: 10, MaxElapsed: -1}, []time.Duration{
			500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 20 * time.Second, 20 * time.Second, 20 * time.Second,
		}},
		"as told": {authentik.RetryPolicy{BaseDelay: time.Second, MaxDelay: 3 * time.Second}, []time.Duration{time.Second, 2 * time.Second, 3 * time.Second}},
		"none":    {authentik.RetryPolicy{BaseDelay: -1}, []time.Duration{0, 0, 0}},
		"no wait": {authentik.RetryPolicy{MaxDelay: -1}, []time.Duration{0, 0, 0}},
	} {
		bubble(t, name, func(t *testing.T) {
			waits := make([][]time.Duration, len(c.limits))
			for range 100 {
				server := newScript(asking(500))
				require.Error(t, server.subject(t, authentik.WithRetry(c.policy)).list(t.Context(), t).err)
				require.Len(t, server.waits(), len(c.limits))
				for i, wait := range server.waits() {
					waits[i] = append(waits[i], wait)
				}
			}
			for i, limit := range c.limits {
				slices.Sort(waits[i])
				assert.LessOrEqual(t, waits[i][99], limit)
				if limit > 0 { // each of these fails once in a million runs
					assert.Less(t, waits[i][0], limit/7)
					assert.Greater(t, waits[i][99], limit-limit/7)
					assert.InDelta(t, limit/2, waits[i][50], float64(limit)/4)
				}
			}
		})
	}
}

func TestWhatIsAskedForIsWaitedForAndATenthMoreAtMost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var all []time.Duration
		for range 100 {
			server := newScript(asking(503, "10"), says(good))
			require.NoError(t, server.subject(t).list(t.Context(), t).err)
			all = append(all, server.waits()...)
		}
		slices.Sort(all)
		assert.GreaterOrEqual(t, all[0], 10*time.Second)
		assert.Less(t, all[0], 10150*time.Millisecond)
		assert.Greater(t, all[99], 10850*time.Millisecond)
		assert.LessOrEqual(t, all[99], 11*time.Second)
	})
	t.Run("otherwise", scenes(
		scene{
			name: "the jitter, where that is longer", steps: []step{asking(503, "0.001"), says(good)}, policy: authentik.RetryPolicy{BaseDelay: time.Hour, MaxDelay: 2 * time.Hour, MaxElapsed: -1},
			requests: exactlyN(2), took: within(time.Second, time.Hour),
		},
		scene{
			name: "none is waited for", steps: []step{asking(429, "1")}, policy: authentik.RetryPolicy{MaxRetryAfter: -1}, requests: exactlyN(1),
			text: "429 Too Many Requests: Later. (request " + requestID + ", 1 attempt, the server asks to wait 1s)",
		},
		scene{
			name: "more, if allowed", steps: []step{asking(503, "100"), says(good)}, policy: authentik.RetryPolicy{MaxRetryAfter: 2 * time.Minute},
			requests: exactlyN(2), took: within(100*time.Second, 110*time.Second),
		},
	))
}

// times is a step n times.
func times(n int, do step) []step { return slices.Repeat([]step{do}, n) }

var (
	errRefused          = &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	errRefusedByWindows = &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connectex", syscall.Errno(10061))}
)

func TestMaxAttempts(t *testing.T) {
	t.Parallel()
	starting := says(reply(503, jsonType, startingBody, "Retry-After", "1"))
	once := authentik.RetryPolicy{MaxAttempts: 1}
	bubble(t, "1 is one request whatever the answer", func(t *testing.T) {
		for _, do := range []step{
			asking(503), asking(503, "1"), asking(429), starting, hangs, hangsAfter(reply(503, jsonType, "")), fails(errRefused), fails(io.EOF),
			says(reply(200, jsonType, listReader.good[:99])), says(reply(200, jsonType, startingBody)),
		} {
			server := newScript(says(good), do)
			ak := server.subject(t, authentik.WithRetry(once))
			require.NoError(t, ak.list(t.Context(), t).err)
			got := ak.list(t.Context(), t)
			require.Error(t, got.err)
			assert.NotContains(t, got.err.Error(), "budget")
			assert.Equal(t, 1, got.response.Attempts)
			assert.Equal(t, 2, server.requests())
		}
	})
	t.Run("of kinds", scenes(
		scene{
			name: "2", steps: []step{asking(503)}, policy: authentik.RetryPolicy{MaxAttempts: 2}, requests: exactlyN(2), took: jittered(1),
			text: "503 Service Unavailable: Later. (request " + requestID + ", 2 attempts)",
		},
		scene{name: "the last one succeeds", steps: append(times(3, asking(500)), says(good)), requests: exactlyN(4), took: jittered(3)},
		scene{
			name: "polls do not count", steps: slices.Concat(times(10, starting), times(3, asking(503)), times(2, starting), []step{says(good)}), requests: exactlyN(16), took: within(12*time.Second, 18*time.Second),
		},
		scene{
			name: "but what is no poll does", steps: slices.Concat(times(10, starting), times(4, asking(503)), []step{says(good)}), requests: exactlyN(14), took: within(10*time.Second, 16*time.Second),
			text: "503 Service Unavailable: Later. (request " + requestID + ", 14 attempts)",
		},
	))
}

func TestOneRetryAfterATimeout(t *testing.T) {
	t.Parallel()
	const text = "attempt timed out after 1m0s"
	for name, c := range map[string]struct {
		steps []step
		took  [2]time.Duration
		text  string
		last  int // status
	}{
		"twice":                {[]step{hangs}, within(2*time.Minute, 2*time.Minute+500*time.Millisecond), text + " (2 attempts)", 0},
		"once":                 {[]step{hangs, says(good)}, within(time.Minute, time.Minute+500*time.Millisecond), "", 0},
		"once, and other ones": {[]step{asking(503), hangs, asking(500), says(good)}, within(time.Minute, time.Minute+3500*time.Millisecond), "", 0},
		"twice, not in a row":  {[]step{hangs, asking(503), hangs}, within(2*time.Minute, 2*time.Minute+1500*time.Millisecond), text + "; before that 503 Service Unavailable: Later. (3 attempts)", 503},
		"while it is read":     {[]step{hangsAfter(reply(200, jsonType, "{")), says(good)}, within(time.Minute, time.Minute+500*time.Millisecond), "", 0},
		"while it starts":      {[]step{hangsAfter(reply(503, jsonType, "")), says(good)}, within(time.Minute, time.Minute+500*time.Millisecond), "", 0},
	} {
		bubble(t, name, func(t *testing.T) {
			server := newScript(c.steps...)
			got := server.subject(t).list(t.Context(), t)
			assert.GreaterOrEqual(t, got.took, c.took[0])
			assert.LessOrEqual(t, got.took, c.took[1])
			if c.text == "" {
				require.NoError(t, got.err)
				return
			}
			tells(t, got.err, c.text)
			require.ErrorIs(t, got.err, authentik.ErrAttemptTimeout)
			assert.Equal(t, c.last, got.response.StatusCode)
		})
	}
}

func TestRetryBudget(t *testing.T) {
	t.Parallel()
	// outage is how many retries a client makes in it.
	outage := func(t *testing.T, ak *subject, server *script, calls int) (retries int) {
		t.Helper()
		for range calls {
			before := server.requests()
			got := ak.list(t.Context(), t)
			require.Error(t, got.err)
			retries += server.requests() - before - 1
			assert.Equal(t, server.requests()-before < 4, strings.Contains(got.err.Error(), ", retry budget exhausted)"))
		}
		return retries
	}
	for name, c := range map[string]struct {
		before  []step // at the beginning, a call each
		failure step
		retries int
	}{
		"500 tokens are 100 retries":    {nil, asking(503), 100},
		"of whatever kind":              {nil, fails(io.EOF), 100},
		"also of cut bodies":            {nil, says(reply(200, jsonType, "{")), 100},
		"a success brings none above":   {times(20, says(good)), asking(503), 100},
		"a failure that is final, none": {times(20, asking(404)), asking(503), 100},
	} {
		bubble(t, name, func(t *testing.T) {
			server := newScript(append(slices.Clone(c.before), c.failure)...)
			ak := server.subject(t, authentik.WithRetry(authentik.RetryPolicy{BaseDelay: -1, StartupWait: -1}))
			for range c.before {
				_ = ak.list(t.Context(), t)
			}
			assert.Equal(t, c.retries, outage(t, ak, server, 40))
		})
	}
	bubble(t, "five successes are a retry", func(t *testing.T) {
		failing := true
		server := newScript(func(req *http.Request) (*http.Response, error) {
			if failing {
				return asking(503)(req)
			}
			return responseOf(good), nil
		})
		ak := server.subject(t, authentik.WithRetry(authentik.RetryPolicy{BaseDelay: -1}))
		assert.Equal(t, 100, outage(t, ak, server, 40))
		for _, successes := range []int{4, 1, 5, 14, 1} {
			failing = false
			for range successes {
				require.NoError(t, ak.list(t.Context(), t).err)
			}
			failing = true
			retries := outage(t, ak, server, 4)
			assert.Equal(t, map[int]int{4: 0, 1: 1, 5: 1, 14: 2}[successes], retries, successes)
		}
	})
	bubble(t, "a server that is starting costs none", func(t *testing.T) {
		server := newScript(slices.Concat(times(1000, says(reply(503, jsonType, startingBody, "Retry-After", "0.001"))), []step{asking(503)})...)
		ak := server.subject(t, authentik.WithRetry(authentik.RetryPolicy{BaseDelay: -1}))
		got := ak.list(t.Context(), t)
		assert.Equal(t, 1004, got.response.Attempts)
		assert.Equal(t, 97, outage(t, ak, server, 40))
	})
}

// What routers say while their backend is away, and what is no such thing.
func TestAServerThatSaysThatItIsComingBackIsWaitedFor(t *testing.T) {
	t.Parallel()
	const failed = "failed to connect to authentik backend: "
	type answer struct {
		status      int
		media, body string
	}
	for name, a := range map[string]answer{
		"2021.12":         {502, textType, "authentik starting..."},
		"2022.12":         {502, textType, `{"error":"authentik starting..."}`},
		"2023.10":         {502, textType, `{"error":"` + failed + `authentik starting"}`},
		"2025.10.0":       {200, jsonType, startingBody},
		"2025.12":         {503, jsonType, startingBody},
		"killed":          {502, jsonType, `{"error":"` + failed + `read unix @->/dev/shm/authentik-core.sock: read: connection reset by peer"}`},
		"gone, as a text": {502, textType, failed + "dial unix: connection refused"},
		"with space":      {503, jsonType, "\n { \"error\" : \"authentik starting\" } \n"},
		"as HTML":         {502, htmlType, "authentik starting\n"},
	} {
		bubble(t, name, func(t *testing.T) {
			server := newScript(append(times(30, says(reply(a.status, a.media, a.body))), says(good))...)
			got := server.subject(t, authentik.WithRetry(authentik.RetryPolicy{MaxAttempts: 2})).list(t.Context(), t)
			require.NoError(t, got.err)
			assert.Equal(t, 31, got.response.Attempts)
			waits := server.waits()
			slices.Sort(waits)
			assert.GreaterOrEqual(t, waits[0], time.Second)
			assert.LessOrEqual(t, waits[29], 2*time.Second)
			assert.Greater(t, waits[29]-waits[0], 500*time.Millisecond, "jitter; but once in 30 millions")

			got = newScript(says(reply(a.status, a.media, a.body))).subject(t, authentik.WithRetry(authentik.RetryPolicy{MaxAttempts: 1})).list(t.Context(), t)
			require.ErrorIs(t, got.err, authentik.ErrStarting)
			var api *authentik.APIError
			require.ErrorAs(t, got.err, &api)
			assert.Regexp(t, "^(authentik starting|failed to connect to authentik backend: )", api.Detail, "whatever it is called")
			assert.Contains(t, got.err.Error(), api.Detail)
		})
	}
	for name, a := range map[string]answer{
		"another status":         {500, jsonType, startingBody},
		"another bad status":     {504, textType, "authentik starting"},
		"a page that says so":    {502, htmlType, "<p>authentik starting</p>"},
		"a page that ends in it": {503, htmlType, "Sorry: authentik starting"},
		"a flow of that name":    {503, jsonType, `{"results":[{"title":"authentik starting"}]}`},
		"another key":            {503, jsonType, `{"detail":"authentik starting"}`},
		"further keys":           {503, jsonType, `{"error":"authentik starting","code":1}`},
		"further words":          {503, textType, "authentik starting up"},
		"more dots":              {503, textType, "authentik starting......."},
		"an array":               {503, jsonType, `["authentik starting"]`},
		"a string":               {503, jsonType, `"authentik starting"`},
		"not a text":             {503, jsonType, `{"error":["authentik starting"]}`},
		"no JSON":                {503, jsonType, `{"error":"authentik starting"`},
		"more than 4 KiB":        {503, textType, failed + strings.Repeat("x", 4<<10)},
		"empty":                  {503, textType, ""},
	} {
		bubble(t, name, func(t *testing.T) {
			got := newScript(says(reply(a.status, a.media, a.body))).subject(t).list(t.Context(), t)
			assert.Equal(t, 4, got.response.Attempts)
			require.NotErrorIs(t, got.err, authentik.ErrStarting)
			require.ErrorIs(t, got.err, authentik.ErrServer)
		})
	}
	for _, body := range []string{startingBody[:len(startingBody)-1], `{"error":"authentik starting","results":[]}`, `{"results":[{"title":"authentik starting"}]}`} {
		bubble(t, "200 "+body, func(t *testing.T) {
			got := newScript(says(reply(200, jsonType, body))).subject(t).list(t.Context(), t)
			exactly[*authentik.DecodeError](t, got.err)
		})
	}
	bubble(t, "every recording", func(t *testing.T) {
		forms := 0
		for version, exchanges := range restarts(t) {
			for _, e := range exchanges {
				server := newScript(says(e.Response), says(good))
				got := server.subject(t).list(t.Context(), t)
				require.NoError(t, got.err, "%s %s", version, e.ID)
				wait := server.waits()[0]
				assert.GreaterOrEqual(t, wait, time.Second, e.ID)
				if e.Response.Header("Retry-After") == "5" {
					assert.GreaterOrEqual(t, wait, 5*time.Second)
				}
				assert.LessOrEqual(t, wait, 5500*time.Millisecond)
				forms++
			}
		}
		assert.Greater(t, forms, 10)
	})
}

func TestStartupWait(t *testing.T) {
	t.Parallel()
	starting := says(reply(503, jsonType, startingBody))
	startingText := func(why string) string {
		return "503 Service Unavailable: authentik starting (request " + requestID + ", %d attempts, " + why + ")"
	}
	t.Run("of a server that says so", scenes(
		scene{
			name: "as told", steps: []step{starting}, policy: authentik.RetryPolicy{StartupWait: 10 * time.Second},
			requests: [2]int{6, 10}, took: within(8*time.Second, 10*time.Second), text: startingText("still starting after 10s"), is: []error{authentik.ErrStarting},
		},
		scene{
			name: "within MaxElapsed", steps: []step{starting}, policy: authentik.RetryPolicy{StartupWait: time.Hour, MaxElapsed: 10 * time.Second},
			requests: [2]int{6, 10}, took: within(8*time.Second, 10*time.Second), text: startingText("no time left to wait and try again"), is: []error{authentik.ErrStarting},
		},
		scene{
			name: "from the first time on", steps: append(append([]step{asking(503, "55")}, times(20, starting)...), says(good)), requests: exactlyN(22), took: within(75*time.Second, 101*time.Second),
		},
		scene{
			name: "as long as it asks", steps: []step{says(reply(503, jsonType, startingBody, "Retry-After", "30"))},
			requests: exactlyN(2), took: within(30*time.Second, 33*time.Second), text: startingText("still starting after 1m0s"),
		},
		scene{
			name: "but not longer than MaxRetryAfter", steps: []step{says(reply(502, jsonType, startingBody, "Retry-After", "61"))}, policy: authentik.RetryPolicy{StartupWait: time.Hour},
			requests: exactlyN(1), text: "502 Bad Gateway: authentik starting (request " + requestID + ", 1 attempt, the server asks to wait 1m1s)",
		},
		scene{
			name: "none: the other rules", steps: []step{says(reply(502, jsonType, startingBody, "Retry-After", "2"))}, policy: unstarted,
			requests: exactlyN(4), took: within(6*time.Second, 6600*time.Millisecond), text: "502 Bad Gateway: authentik starting (request " + requestID + ", 4 attempts)",
		},
	))
	bubble(t, "within the caller's deadline", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		got := newScript(starting).subject(t).list(ctx, t)
		require.ErrorIs(t, got.err, authentik.ErrStarting)
		require.NotErrorIs(t, got.err, context.DeadlineExceeded)
		assert.ErrorContains(t, got.err, ", no time left to wait and try again)")
		assert.InDelta(t, 9*time.Second, got.took, float64(time.Second))
	})
	for name, c := range map[string]struct {
		steps    []step
		policy   authentik.RetryPolicy
		requests [2]int
		took     [2]time.Duration
		text     string
	}{
		"refused, and never an answer": {[]step{fails(errRefused)}, authentik.RetryPolicy{}, exactlyN(4), jittered(3), "dial tcp: connect: connection refused (4 attempts)"},
		"refused after an answer":      {[]step{says(good), fails(errRefused)}, authentik.RetryPolicy{}, [2]int{31, 60}, aMinute, "dial tcp: connect: connection refused (%d attempts, still starting after 1m0s)"},
		"refused after an answer, as Windows says it": {
			[]step{says(good), fails(errRefusedByWindows)}, authentik.RetryPolicy{}, [2]int{31, 60}, aMinute, "dial tcp: connectex: " + syscall.Errno(10061).Error() + " (%d attempts, still starting after 1m0s)",
		},
		"refused after an error": {
			[]step{asking(404), fails(errRefused)}, authentik.RetryPolicy{StartupWait: 5 * time.Second}, [2]int{3, 5}, within(3*time.Second, 5*time.Second), "dial tcp: connect: connection refused (%d attempts, still starting after 5s)",
		},
		"refused, and then up":              {slices.Concat([]step{says(good)}, times(10, fails(errRefused)), []step{says(good)}), authentik.RetryPolicy{}, exactlyN(11), within(10*time.Second, 20*time.Second), ""},
		"refused, then starting, then up":   {slices.Concat([]step{says(good)}, times(5, fails(errRefused)), times(5, starting), []step{says(good)}), authentik.RetryPolicy{}, exactlyN(11), within(10*time.Second, 20*time.Second), ""},
		"refused, and not waited for":       {[]step{says(good), fails(errRefused)}, unstarted, exactlyN(4), jittered(3), "dial tcp: connect: connection refused (4 attempts)"},
		"reset after an answer is no start": {[]step{says(good), fails(syscall.ECONNRESET)}, authentik.RetryPolicy{}, exactlyN(4), jittered(3), "connection reset by peer (4 attempts)"},
	} {
		bubble(t, name, func(t *testing.T) {
			server := newScript(c.steps...)
			ak := server.subject(t, authentik.WithRetry(c.policy))
			if len(c.steps) > 1 {
				_ = ak.list(t.Context(), t)
			}
			got := ak.list(t.Context(), t)
			assert.GreaterOrEqual(t, got.response.Attempts, c.requests[0])
			assert.LessOrEqual(t, got.response.Attempts, c.requests[1])
			assert.GreaterOrEqual(t, got.took, c.took[0])
			assert.LessOrEqual(t, got.took, c.took[1])
			if c.text == "" {
				require.NoError(t, got.err)
				return
			}
			tells(t, got.err, strings.ReplaceAll(c.text, "%d", strconv.Itoa(got.response.Attempts)))
		})
	}
}

func TestMaxElapsedIsForCallersWithoutADeadline(t *testing.T) {
	t.Parallel()
	asks := asking(503, "50")
	for name, c := range map[string]struct {
		deadline time.Duration
		policy   authentik.RetryPolicy
		attempts int
	}{
		"three minutes":         {0, authentik.RetryPolicy{MaxAttempts: 9}, 4},
		"as told":               {0, authentik.RetryPolicy{MaxAttempts: 9, MaxElapsed: 400 * time.Second}, 8},
		"none":                  {0, authentik.RetryPolicy{MaxAttempts: 9, MaxElapsed: -1}, 9},
		"the caller's is later": {time.Hour, authentik.RetryPolicy{MaxAttempts: 9}, 9},
		"the caller's is first": {90 * time.Second, authentik.RetryPolicy{MaxAttempts: 9}, 2},
	} {
		bubble(t, name, func(t *testing.T) {
			ctx := context.Background()
			if c.deadline > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, c.deadline)
				defer cancel()
			}
			got := newScript(asks).subject(t, authentik.WithRetry(c.policy)).list(ctx, t)
			require.ErrorIs(t, got.err, authentik.ErrServer)
			assert.Equal(t, c.attempts, got.response.Attempts)
		})
	}
	bubble(t, "none, and an attempt has its time", func(t *testing.T) {
		got := newScript(hangs).subject(t, authentik.WithRetry(authentik.RetryPolicy{BaseDelay: -1, MaxElapsed: -1})).list(context.Background(), t)
		tells(t, got.err, "attempt timed out after 1m0s (2 attempts)")
		assert.Equal(t, 2*time.Minute, got.took)
	})
	bubble(t, "it cuts the last attempt", func(t *testing.T) {
		got := newScript(asking(503), hangs).subject(t, authentik.WithRetry(authentik.RetryPolicy{BaseDelay: -1, MaxElapsed: 10 * time.Second})).list(context.Background(), t)
		tells(t, got.err, "attempt timed out after 10s; before that 503 Service Unavailable: Later. (2 attempts, no time left to wait and try again)")
		assert.Equal(t, 10*time.Second, got.took)
	})
}

// Nothing of an earlier attempt is told of a later one.
func TestTheLastAnswerIsTold(t *testing.T) {
	t.Parallel()
	cut := says(reply(200, jsonType, listReader.good[:99]))
	for name, c := range map[string]struct {
		steps  []step
		status int
		text   string
	}{
		"a failure after another":          {[]step{asking(502), asking(404)}, 404, "404 Not Found: Later. (request " + requestID + ", 2 attempts)"},
		"a success after a failure":        {[]step{asking(502), says(good)}, 200, ""},
		"a cut page and then no answer":    {[]step{cut, fails(io.EOF)}, 0, "EOF (4 attempts)"},
		"a failure and then no answer":     {[]step{asking(502), fails(io.EOF)}, 502, "EOF; before that 502 Bad Gateway: Later. (4 attempts)"},
		"a failure and then a cut page":    {[]step{asking(502), cut}, 200, "unusable answer (200 OK, application/json): pagination.start_index: unexpected EOF (request " + requestID + ", 4 attempts)"},
		"a cut page and then a failure":    {[]step{cut, asking(404)}, 404, "404 Not Found: Later. (request " + requestID + ", 2 attempts)"},
		"a cut page, and then a small one": {[]step{cut, says(reply(200, jsonType, "{}"))}, 200, "unusable answer (200 OK, application/json): pagination: missing (request " + requestID + ", 2 attempts)"},
	} {
		bubble(t, name, func(t *testing.T) {
			got := newScript(c.steps...).subject(t).list(t.Context(), t)
			assert.Equal(t, c.status, got.response.StatusCode)
			if c.text == "" {
				require.NoError(t, got.err)
				return
			}
			tells(t, got.err, c.text)
		})
	}
	bubble(t, "a cut page, and then the caller has no more time", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		server := newScript(cut)
		time.AfterFunc(time.Millisecond, cancel)
		got := server.subject(t, authentik.WithRetry(authentik.RetryPolicy{BaseDelay: forever, MaxDelay: forever, MaxElapsed: -1})).list(ctx, t)
		tells(t, got.err, "context canceled (1 attempt)")
		var decode *authentik.DecodeError
		require.NotErrorAs(t, got.err, &decode)
	})
}

func TestTheLogHasWhatItsDocumentationSays(t *testing.T) {
	t.Parallel()
	type record = map[string]any
	for name, c := range map[string]struct {
		steps []step
		want  []record // but for time, and the wait
	}{
		"a success": {[]step{says(good)}, []record{
			{"level": "DEBUG", "msg": "authentik: attempt", "attempt": 1.0, "status": 200.0, "request_id": requestID, "took": 0.0},
		}},
		"a retry": {[]step{asking(503), says(good)}, []record{
			{"level": "DEBUG", "msg": "authentik: attempt", "attempt": 1.0, "status": 503.0, "request_id": requestID, "took": 0.0},
			{"level": "WARN", "msg": "authentik: retry", "attempt": 1.0, "status": 503.0, "request_id": requestID},
			{"level": "DEBUG", "msg": "authentik: attempt", "attempt": 2.0, "status": 200.0, "request_id": requestID, "took": 0.0},
		}},
		"a failure": {[]step{asking(404)}, []record{
			{"level": "DEBUG", "msg": "authentik: attempt", "attempt": 1.0, "status": 404.0, "request_id": requestID, "took": 0.0},
		}},
		"a server that is starting": {[]step{says(recorded.Response{Status: 503, Text: startingBody}), says(good)}, []record{
			{"level": "DEBUG", "msg": "authentik: attempt", "attempt": 1.0, "status": 503.0, "took": 0.0},
			{"level": "WARN", "msg": "authentik: waiting for the server to start", "attempt": 1.0, "status": 503.0},
			{"level": "DEBUG", "msg": "authentik: attempt", "attempt": 2.0, "status": 200.0, "request_id": requestID, "took": 0.0},
		}},
		"an error that tells a secret": {[]step{fails(errors.New("at " + canary + "\n" + strings.Repeat("x", 500))), says(good)}, []record{
			{"level": "DEBUG", "msg": "authentik: attempt", "attempt": 1.0, "error": `at [redacted]\n` + strings.Repeat("x", 200-len(`at [redacted]\n`)) + "…", "took": 0.0},
			{"level": "WARN", "msg": "authentik: retry", "attempt": 1.0, "error": `at [redacted]\n` + strings.Repeat("x", 200-len(`at [redacted]\n`)) + "…"},
			{"level": "DEBUG", "msg": "authentik: attempt", "attempt": 2.0, "status": 200.0, "request_id": requestID, "took": 0.0},
		}},
		"an answer that is none": {[]step{says(reply(200, jsonType, "{}"))}, []record{
			{"level": "DEBUG", "msg": "authentik: attempt", "attempt": 1.0, "status": 200.0, "request_id": requestID, "took": 0.0, "error": "unusable"},
		}},
		"a page that is cut": {[]step{says(reply(200, jsonType, "{")), says(good)}, []record{
			{"level": "DEBUG", "msg": "authentik: attempt", "attempt": 1.0, "status": 200.0, "request_id": requestID, "took": 0.0, "error": "cut off"},
			{"level": "WARN", "msg": "authentik: retry", "attempt": 1.0, "status": 200.0, "request_id": requestID, "error": "cut off"},
			{"level": "DEBUG", "msg": "authentik: attempt", "attempt": 2.0, "status": 200.0, "request_id": requestID, "took": 0.0},
		}},
		"a page that is too large": {[]step{says(reply(200, jsonType, strings.Repeat(" ", 8<<20+1)))}, []record{
			{"level": "DEBUG", "msg": "authentik: attempt", "attempt": 1.0, "status": 200.0, "request_id": requestID, "took": 0.0, "error": "response too large: more than 8388608 bytes"},
		}},
		"a timeout": {[]step{hangs, says(good)}, []record{
			{"level": "DEBUG", "msg": "authentik: attempt", "attempt": 1.0, "error": "attempt timed out after 1m0s", "took": float64(time.Minute)},
			{"level": "WARN", "msg": "authentik: retry", "attempt": 1.0, "error": "attempt timed out after 1m0s"},
			{"level": "DEBUG", "msg": "authentik: attempt", "attempt": 2.0, "status": 200.0, "request_id": requestID, "took": 0.0},
		}},
	} {
		bubble(t, name, func(t *testing.T) {
			var log bytes.Buffer
			ak := newScript(c.steps...).subject(t, authentik.WithLogger(slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))))
			_ = ak.list(t.Context(), t)
			undisclosed(t, "the log", log.String())
			var got []record
			for decoder := json.NewDecoder(&log); decoder.More(); {
				var r record
				require.NoError(t, decoder.Decode(&r))
				delete(r, "time")
				_, waits := r["wait"]
				assert.Equal(t, r["level"] == "WARN", waits)
				delete(r, "wait")
				got = append(got, r)
			}
			for _, r := range c.want {
				r["op"], r["method"], r["path"] = "FlowsInstancesList", "GET", "/api/v3/flows/instances/"
				if r["level"] == "DEBUG" {
					r["query"] = "search=REDACTED"
				}
			}
			assert.Equal(t, c.want, got)
		})
	}
	bubble(t, "of a token that could not be had", func(t *testing.T) {
		var log lines
		ak, err := authentik.NewClient("https://sso.example.com", "", authentik.WithLogger(log.logger()),
			authentik.WithTokenFunc(func(context.Context) (string, error) { return "", errors.New("vault: " + serverCanary) }))
		require.NoError(t, err)
		_, err = ak.FlowsInstancesList(t.Context(), nil)
		require.ErrorContains(t, err, "no token: vault: "+serverCanary)
		undisclosed(t, "the log", log.String())
		assert.Contains(t, log.String(), `error="no token"`)
	})
	for level, messages := range map[slog.Level]int{slog.LevelDebug: 3, slog.LevelInfo: 1, slog.LevelWarn: 1, slog.LevelError: 0} {
		bubble(t, level.String(), func(t *testing.T) {
			var log bytes.Buffer
			ak := newScript(asking(503), says(good)).subject(t, authentik.WithLogger(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: level}))))
			require.NoError(t, ak.list(t.Context(), t).err)
			assert.Equal(t, messages, strings.Count(log.String(), "\n"))
		})
	}
}
