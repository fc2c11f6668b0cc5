// Package transport_test tests internal/transport through the client: retries,
// waits, timeouts and the log in retry_test.go, a restart of the server in
// restart_test.go, one client in many goroutines in concurrency_test.go, and
// what go-retryablehttp does without us in retryablehttp_test.go.
//
// What no client can show is in the tests of internal/transport itself.
package transport_test

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
	"github.com/seed-299d42e7/authentik-go/internal/testkit"
	"github.com/seed-299d42e7/authentik-go/internal/testkit/recording"
)

// Short names for what every table here has.
type (
	policy = authentik.RetryPolicy
	steps  = []testkit.Step
)

// success is a step that responds with two flows.
var success = testkit.Respond(testkit.TwoFlows)

func TestRetryPolicy_LongestDurations(t *testing.T) {
	t.Parallel()
	throttled := testkit.Respond(testkit.Reply(429, testkit.JSON, `{}`))
	unavailable := testkit.Respond(testkit.Reply(503, testkit.JSON, `{}`))
	asksToWait := func(seconds string) testkit.Step {
		return testkit.Respond(testkit.Reply(503, testkit.JSON, `{}`, "Retry-After", seconds))
	}
	for name, c := range map[string]struct {
		step     testkit.Step
		policy   policy
		requests [2]int // within ten minutes, at least and at most
	}{
		"BaseDelay": {
			unavailable, policy{BaseDelay: testkit.Forever, MaxDelay: testkit.Forever, MaxElapsed: -1}, [2]int{1, 1},
		},
		"BaseDelay, and 429": {
			throttled, policy{BaseDelay: testkit.Forever, MaxDelay: testkit.Forever, MaxElapsed: -1}, [2]int{1, 1},
		},
		"half of it, and 429": {
			throttled, policy{BaseDelay: testkit.Forever/2 + 1, MaxDelay: testkit.Forever, MaxElapsed: -1}, [2]int{1, 1},
		},
		"BaseDelay, with a cap": {throttled, policy{BaseDelay: testkit.Forever}, [2]int{4, 4}},
		"MaxRetryAfter": {
			asksToWait("9223372036"), policy{MaxRetryAfter: testkit.Forever, MaxElapsed: -1}, [2]int{1, 1},
		},
		"Retry-After, to the last nanosecond": {
			asksToWait("9223372036.854775807"), policy{MaxRetryAfter: testkit.Forever, MaxElapsed: -1}, [2]int{1, 1},
		},
		"Retry-After, as no server may say it": {
			asksToWait("1e99"), policy{MaxRetryAfter: testkit.Forever, MaxElapsed: -1}, [2]int{4, 4},
		},
		"Retry-After, of 400 digits": {
			asksToWait(strings.Repeat("9", 400)), policy{MaxRetryAfter: testkit.Forever, MaxElapsed: -1}, [2]int{1, 1},
		},
		"MaxElapsed": {unavailable, policy{MaxElapsed: testkit.Forever}, [2]int{4, 4}},
		"StartupWait": {
			testkit.Respond(testkit.Reply(503, testkit.JSON, `{"error":"authentik starting"}`)),
			policy{StartupWait: testkit.Forever, MaxElapsed: -1},
			[2]int{300, 600},
		},
		"MaxAttempts": {
			unavailable, policy{MaxAttempts: math.MaxInt, MaxDelay: time.Nanosecond, MaxElapsed: -1}, [2]int{101, 101}, // then the budget is spent
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(10*time.Minute, cancel)
				server := testkit.NewSequence(c.step)
				ak := server.Client(t, authentik.WithRetry(c.policy), authentik.WithTimeout(testkit.Forever))
				require.Error(t, ak.List(ctx, t).Err)
				assert.GreaterOrEqual(t, server.Requests(), c.requests[0])
				assert.LessOrEqual(t, server.Requests(), c.requests[1])
				cancel()
			})
		})
	}
}

func TestWithTimeout_CoversErrorBody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := testkit.NewSequence(testkit.HangInBody(testkit.Reply(503, testkit.Text, "wait for")))
		got := server.Client(t).List(t.Context(), t)
		require.ErrorIs(t, got.Err, authentik.ErrAttemptTimeout)
		require.NotErrorIs(t, got.Err, context.DeadlineExceeded)
		require.ErrorIs(t, got.Err, authentik.ErrServer)
		var api *authentik.APIError
		require.ErrorAs(t, got.Err, &api)
		assert.Equal(t, 503, api.StatusCode)
		assert.Equal(t, "wait for", string(api.Body))
		testkit.RequireType[*authentik.RequestError](t, got.Err)
		assert.EqualError(
			t,
			got.Err,
			"authentik: FlowsInstancesList: sso.example.com: attempt timed out after 1m0s; before that 503 Service Unavailable: wait for (2 attempts)",
		)
		assert.Equal(t, 2, server.Requests())
		assert.Equal(t, 503, got.Response.StatusCode)
		assert.InDelta(t, 2*time.Minute+250*time.Millisecond, got.Took, float64(250*time.Millisecond))
	})
	// Where the status decides, it is not asked again.
	for status, want := range map[int]error{400: authentik.ErrBadRequest, 403: authentik.ErrForbidden, 404: authentik.ErrNotFound, 501: authentik.ErrServer} {
		synctest.Test(t, func(t *testing.T) {
			server := testkit.NewSequence(testkit.HangInBody(testkit.Reply(status, testkit.JSON, `{"detail":`)))
			got := server.Client(t).List(t.Context(), t)
			require.ErrorIs(t, got.Err, want)
			require.NotErrorIs(t, got.Err, authentik.ErrAttemptTimeout)
			var request *authentik.RequestError
			require.NotErrorAs(t, got.Err, &request)
			assert.Equal(t, time.Minute, got.Took)
			assert.Equal(t, 1, server.Requests())
		})
	}
	// A body that is cut says less than the status does.
	synctest.Test(t, func(t *testing.T) {
		server := testkit.NewSequence(func(*http.Request) (*http.Response, error) {
			resp := testkit.HTTPResponse(testkit.Reply(503, testkit.Text, ""))
			resp.Body = testkit.BrokenBody("half of i", errors.New("connection reset"))
			return resp, nil
		})
		got := server.Client(t).List(t.Context(), t)
		assert.EqualError(
			t,
			got.Err,
			"authentik: FlowsInstancesList: 503 Service Unavailable: half of i (request "+testkit.RequestID+", 4 attempts)",
		)
		testkit.RequireType[*authentik.APIError](t, got.Err)
	})
}

func TestRetryPolicy_FullJitter(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		policy policy
		limits []time.Duration // of the first waits
	}{
		"by default": {policy{MaxAttempts: 10, MaxElapsed: -1}, []time.Duration{
			500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second,
			20 * time.Second, 20 * time.Second, 20 * time.Second,
		}},
		"as told": {
			policy{BaseDelay: time.Second, MaxDelay: 3 * time.Second},
			[]time.Duration{time.Second, 2 * time.Second, 3 * time.Second},
		},
		"none":    {policy{BaseDelay: -1}, []time.Duration{0, 0, 0}},
		"no wait": {policy{MaxDelay: -1}, []time.Duration{0, 0, 0}},
	} {
		testkit.RunInBubble(t, name, func(t *testing.T) {
			waits := make([][]time.Duration, len(c.limits))
			for range 100 {
				server := testkit.NewSequence(testkit.RespondStatus(500))
				require.Error(t, server.Client(t, authentik.WithRetry(c.policy)).List(t.Context(), t).Err)
				require.Len(t, server.Waits(), len(c.limits))
				for i, wait := range server.Waits() {
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

func TestRetryPolicy_HonorsRetryAfter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var all []time.Duration
		for range 100 {
			server := testkit.NewSequence(testkit.RespondStatus(503, "10"), success)
			require.NoError(t, server.Client(t).List(t.Context(), t).Err)
			all = append(all, server.Waits()...)
		}
		slices.Sort(all)
		assert.GreaterOrEqual(t, all[0], 10*time.Second)
		assert.Less(t, all[0], 10150*time.Millisecond)
		assert.Greater(t, all[99], 10850*time.Millisecond)
		assert.LessOrEqual(t, all[99], 11*time.Second)
	})
	t.Run("otherwise", testkit.RunScenarios(
		testkit.Scenario{
			Name:     "the jitter, where that is longer",
			Steps:    steps{testkit.RespondStatus(503, "0.001"), success},
			Policy:   policy{BaseDelay: time.Hour, MaxDelay: 2 * time.Hour, MaxElapsed: -1},
			Requests: testkit.Exactly(2),
			Took:     testkit.Between(time.Second, time.Hour),
		},
		testkit.Scenario{
			Name:     "none is waited for",
			Steps:    steps{testkit.RespondStatus(429, "1")},
			Policy:   policy{MaxRetryAfter: -1},
			Requests: testkit.Exactly(1),
			Text:     "429 Too Many Requests: Later. (request " + testkit.RequestID + ", 1 attempt, the server asks to wait 1s)",
		},
		testkit.Scenario{
			Name:     "more, if allowed",
			Steps:    steps{testkit.RespondStatus(503, "100"), success},
			Policy:   policy{MaxRetryAfter: 2 * time.Minute},
			Requests: testkit.Exactly(2),
			Took:     testkit.Between(100*time.Second, 110*time.Second),
		},
	))
}

// times is a step n times.
func times(n int, do testkit.Step) steps { return slices.Repeat(steps{do}, n) }

var (
	errRefused          = &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	errRefusedByWindows = &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connectex", syscall.Errno(10061))}
)

func TestRetryPolicy_MaxAttempts(t *testing.T) {
	t.Parallel()
	starting := testkit.Respond(testkit.Reply(503, testkit.JSON, testkit.StartingBody, "Retry-After", "1"))
	once := policy{MaxAttempts: 1}
	testkit.RunInBubble(t, "1 is one request whatever the answer", func(t *testing.T) {
		for _, do := range []testkit.Step{
			testkit.RespondStatus(503), testkit.RespondStatus(503, "1"), testkit.RespondStatus(429), starting, testkit.Hang,
			testkit.HangInBody(testkit.Reply(503, testkit.JSON, "")), testkit.Fail(errRefused), testkit.Fail(io.EOF),
			testkit.Respond(testkit.Reply(200, testkit.JSON, testkit.TwoFlowsBody[:99])),
			testkit.Respond(testkit.Reply(200, testkit.JSON, testkit.StartingBody)),
		} {
			server := testkit.NewSequence(success, do)
			ak := server.Client(t, authentik.WithRetry(once))
			require.NoError(t, ak.List(t.Context(), t).Err)
			got := ak.List(t.Context(), t)
			require.Error(t, got.Err)
			assert.NotContains(t, got.Err.Error(), "budget")
			assert.Equal(t, 1, got.Response.Attempts)
			assert.Equal(t, 2, server.Requests())
		}
	})
	t.Run("of kinds", testkit.RunScenarios(
		testkit.Scenario{
			Name:     "2",
			Steps:    steps{testkit.RespondStatus(503)},
			Policy:   policy{MaxAttempts: 2},
			Requests: testkit.Exactly(2),
			Took:     testkit.Backoff(1),
			Text:     "503 Service Unavailable: Later. (request " + testkit.RequestID + ", 2 attempts)",
		},
		testkit.Scenario{
			Name:     "the last one succeeds",
			Steps:    append(times(3, testkit.RespondStatus(500)), success),
			Requests: testkit.Exactly(4),
			Took:     testkit.Backoff(3),
		},
		testkit.Scenario{
			Name: "polls do not count",
			Steps: slices.Concat(
				times(10, starting),
				times(3, testkit.RespondStatus(503)),
				times(2, starting),
				steps{success},
			),
			Requests: testkit.Exactly(16),
			Took:     testkit.Between(12*time.Second, 18*time.Second),
		},
		testkit.Scenario{
			Name:     "but what is no poll does",
			Steps:    slices.Concat(times(10, starting), times(4, testkit.RespondStatus(503)), steps{success}),
			Requests: testkit.Exactly(14),
			Took:     testkit.Between(10*time.Second, 16*time.Second),
			Text:     "503 Service Unavailable: Later. (request " + testkit.RequestID + ", 14 attempts)",
		},
	))
}

func TestRetryPolicy_OneRetryAfterTimeout(t *testing.T) {
	t.Parallel()
	const text = "sso.example.com: attempt timed out after 1m0s"
	for name, c := range map[string]struct {
		steps steps
		took  [2]time.Duration
		text  string
		last  int // status
	}{
		"twice": {
			steps{testkit.Hang}, testkit.Between(2*time.Minute, 2*time.Minute+500*time.Millisecond), text + " (2 attempts)", 0,
		},
		"once": {
			steps{testkit.Hang, success}, testkit.Between(time.Minute, time.Minute+500*time.Millisecond), "", 0,
		},
		"once, and other ones": {
			steps{testkit.RespondStatus(503), testkit.Hang, testkit.RespondStatus(500), success},
			testkit.Between(time.Minute, time.Minute+3500*time.Millisecond), "", 0,
		},
		"twice, not in a row": {
			steps{testkit.Hang, testkit.RespondStatus(503), testkit.Hang},
			testkit.Between(2*time.Minute, 2*time.Minute+1500*time.Millisecond),
			text + "; before that 503 Service Unavailable: Later. (3 attempts)", 503,
		},
		"while it is read": {
			steps{testkit.HangInBody(testkit.Reply(200, testkit.JSON, "{")), success},
			testkit.Between(time.Minute, time.Minute+500*time.Millisecond), "", 0,
		},
		"while it starts": {
			steps{testkit.HangInBody(testkit.Reply(503, testkit.JSON, "")), success},
			testkit.Between(time.Minute, time.Minute+500*time.Millisecond), "", 0,
		},
	} {
		testkit.RunInBubble(t, name, func(t *testing.T) {
			server := testkit.NewSequence(c.steps...)
			got := server.Client(t).List(t.Context(), t)
			assert.GreaterOrEqual(t, got.Took, c.took[0])
			assert.LessOrEqual(t, got.Took, c.took[1])
			if c.text == "" {
				require.NoError(t, got.Err)
				return
			}
			testkit.AssertListError(t, got.Err, c.text)
			require.ErrorIs(t, got.Err, authentik.ErrAttemptTimeout)
			assert.Equal(t, c.last, got.Response.StatusCode)
		})
	}
}

func TestRetryPolicy_Budget(t *testing.T) {
	t.Parallel()
	// outage is how many retries a client makes in it.
	outage := func(t *testing.T, ak *testkit.CheckedClient, server *testkit.Sequence, calls int) (retries int) {
		t.Helper()
		for range calls {
			before := server.Requests()
			got := ak.List(t.Context(), t)
			require.Error(t, got.Err)
			retries += server.Requests() - before - 1
			assert.Equal(t, server.Requests()-before < 4, strings.Contains(got.Err.Error(), ", retry budget exhausted)"))
		}
		return retries
	}
	for name, c := range map[string]struct {
		before  steps // at the beginning, a call each
		failure testkit.Step
		retries int
	}{
		"500 tokens are 100 retries":    {nil, testkit.RespondStatus(503), 100},
		"of whatever kind":              {nil, testkit.Fail(io.EOF), 100},
		"also of cut bodies":            {nil, testkit.Respond(testkit.Reply(200, testkit.JSON, "{")), 100},
		"a success brings none above":   {times(20, success), testkit.RespondStatus(503), 100},
		"a failure that is final, none": {times(20, testkit.RespondStatus(404)), testkit.RespondStatus(503), 100},
	} {
		testkit.RunInBubble(t, name, func(t *testing.T) {
			server := testkit.NewSequence(append(slices.Clone(c.before), c.failure)...)
			ak := server.Client(t, authentik.WithRetry(policy{BaseDelay: -1, StartupWait: -1}))
			for range c.before {
				_ = ak.List(t.Context(), t)
			}
			assert.Equal(t, c.retries, outage(t, ak, server, 40))
		})
	}
	testkit.RunInBubble(t, "five successes are a retry", func(t *testing.T) {
		failing := true
		server := testkit.NewSequence(func(req *http.Request) (*http.Response, error) {
			if failing {
				return testkit.RespondStatus(503)(req)
			}
			return testkit.HTTPResponse(testkit.TwoFlows), nil
		})
		ak := server.Client(t, authentik.WithRetry(policy{BaseDelay: -1}))
		assert.Equal(t, 100, outage(t, ak, server, 40))
		for _, successes := range []int{4, 1, 5, 14, 1} {
			failing = false
			for range successes {
				require.NoError(t, ak.List(t.Context(), t).Err)
			}
			failing = true
			retries := outage(t, ak, server, 4)
			assert.Equal(t, map[int]int{4: 0, 1: 1, 5: 1, 14: 2}[successes], retries, successes)
		}
	})
	testkit.RunInBubble(t, "a server that is starting costs none", func(t *testing.T) {
		server := testkit.NewSequence(
			slices.Concat(
				times(1000, testkit.Respond(testkit.Reply(503, testkit.JSON, testkit.StartingBody, "Retry-After", "0.001"))),
				steps{testkit.RespondStatus(503)},
			)...)
		ak := server.Client(t, authentik.WithRetry(policy{BaseDelay: -1}))
		got := ak.List(t.Context(), t)
		assert.Equal(t, 1004, got.Response.Attempts)
		assert.Equal(t, 97, outage(t, ak, server, 40))
	})
}

// What routers say while their backend is away, and what is no such thing.
func TestRetryPolicy_WaitsForStartingServer(t *testing.T) {
	t.Parallel()
	const failed = "failed to connect to authentik backend: "
	type answer struct {
		status      int
		media, body string
	}
	for name, a := range map[string]answer{
		"2021.12":   {502, testkit.Text, "authentik starting..."},
		"2022.12":   {502, testkit.Text, `{"error":"authentik starting..."}`},
		"2023.10":   {502, testkit.Text, `{"error":"` + failed + `authentik starting"}`},
		"2025.10.0": {200, testkit.JSON, testkit.StartingBody},
		"2025.12":   {503, testkit.JSON, testkit.StartingBody},
		"killed": {
			502, testkit.JSON,
			`{"error":"` + failed + `read unix @->/dev/shm/authentik-core.sock: read: connection reset by peer"}`,
		},
		"gone, as a text": {502, testkit.Text, failed + "dial unix: connection refused"},
		"with space":      {503, testkit.JSON, "\n { \"error\" : \"authentik starting\" } \n"},
		"as HTML":         {502, testkit.HTML, "authentik starting\n"},
	} {
		testkit.RunInBubble(t, name, func(t *testing.T) {
			server := testkit.NewSequence(
				append(times(30, testkit.Respond(testkit.Reply(a.status, a.media, a.body))), success)...)
			got := server.Client(t, authentik.WithRetry(policy{MaxAttempts: 2})).List(t.Context(), t)
			require.NoError(t, got.Err)
			assert.Equal(t, 31, got.Response.Attempts)
			waits := server.Waits()
			slices.Sort(waits)
			assert.GreaterOrEqual(t, waits[0], time.Second)
			assert.LessOrEqual(t, waits[29], 2*time.Second)
			assert.Greater(t, waits[29]-waits[0], 500*time.Millisecond, "jitter; but once in 30 millions")

			got = testkit.NewSequence(testkit.Respond(testkit.Reply(a.status, a.media, a.body))).
				Client(t, authentik.WithRetry(policy{MaxAttempts: 1})).
				List(t.Context(), t)
			require.ErrorIs(t, got.Err, authentik.ErrStarting)
			var api *authentik.APIError
			require.ErrorAs(t, got.Err, &api)
			assert.Regexp(
				t,
				"^(authentik starting|failed to connect to authentik backend: )",
				api.Detail,
				"whatever it is called",
			)
			assert.Contains(t, got.Err.Error(), api.Detail)
		})
	}
	for name, a := range map[string]answer{
		"another status":         {500, testkit.JSON, testkit.StartingBody},
		"another bad status":     {520, testkit.Text, "authentik starting"},
		"a page that says so":    {502, testkit.HTML, "<p>authentik starting</p>"},
		"a page that ends in it": {503, testkit.HTML, "Sorry: authentik starting"},
		"a flow of that name":    {503, testkit.JSON, `{"results":[{"title":"authentik starting"}]}`},
		"another key":            {503, testkit.JSON, `{"detail":"authentik starting"}`},
		"further keys":           {503, testkit.JSON, `{"error":"authentik starting","code":1}`},
		"further words":          {503, testkit.Text, "authentik starting up"},
		"more dots":              {503, testkit.Text, "authentik starting......."},
		"an array":               {503, testkit.JSON, `["authentik starting"]`},
		"a string":               {503, testkit.JSON, `"authentik starting"`},
		"not a text":             {503, testkit.JSON, `{"error":["authentik starting"]}`},
		"no JSON":                {503, testkit.JSON, `{"error":"authentik starting"`},
		"more than 4 KiB":        {503, testkit.Text, failed + strings.Repeat("x", 4<<10)},
		"empty":                  {503, testkit.Text, ""},
	} {
		testkit.RunInBubble(t, name, func(t *testing.T) {
			got := testkit.NewSequence(testkit.Respond(testkit.Reply(a.status, a.media, a.body))).Client(t).List(t.Context(), t)
			assert.Equal(t, 4, got.Response.Attempts)
			require.NotErrorIs(t, got.Err, authentik.ErrStarting)
			require.ErrorIs(t, got.Err, authentik.ErrServer)
		})
	}
	for _, body := range []string{testkit.StartingBody[:len(testkit.StartingBody)-1], `{"error":"authentik starting","results":[]}`, `{"results":[{"title":"authentik starting"}]}`} {
		testkit.RunInBubble(t, "200 "+body, func(t *testing.T) {
			got := testkit.NewSequence(testkit.Respond(testkit.Reply(200, testkit.JSON, body))).Client(t).List(t.Context(), t)
			testkit.RequireType[*authentik.DecodeError](t, got.Err)
		})
	}
	testkit.RunInBubble(t, "every recording", func(t *testing.T) {
		forms := 0
		for version, exchanges := range restarts(t) {
			for _, e := range exchanges {
				server := testkit.NewSequence(testkit.Respond(e.Response), success)
				got := server.Client(t).List(t.Context(), t)
				require.NoError(t, got.Err, "%s %s", version, e.ID)
				wait := server.Waits()[0]
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

func TestRetryPolicy_StartupWait(t *testing.T) {
	t.Parallel()
	starting := testkit.Respond(testkit.Reply(503, testkit.JSON, testkit.StartingBody))
	startingText := func(why string) string {
		return "503 Service Unavailable: authentik starting (request " + testkit.RequestID + ", %d attempts, " + why + ")"
	}
	t.Run("of a server that says so", testkit.RunScenarios(
		testkit.Scenario{
			Name:   "as told",
			Steps:  steps{starting},
			Policy: policy{StartupWait: 10 * time.Second},
			Requests: [2]int{
				6,
				10,
			},
			Took: testkit.Between(8*time.Second, 10*time.Second),
			Text: startingText("still starting after 10s"),
			Is:   []error{authentik.ErrStarting},
		},
		testkit.Scenario{
			Name:   "within MaxElapsed",
			Steps:  steps{starting},
			Policy: policy{StartupWait: time.Hour, MaxElapsed: 10 * time.Second},
			Requests: [2]int{
				6,
				10,
			},
			Took: testkit.Between(8*time.Second, 10*time.Second),
			Text: startingText("no time left to wait and try again"),
			Is:   []error{authentik.ErrStarting},
		},
		testkit.Scenario{
			Name:     "from the first time on",
			Steps:    append(append(steps{testkit.RespondStatus(503, "55")}, times(20, starting)...), success),
			Requests: testkit.Exactly(22),
			Took:     testkit.Between(75*time.Second, 101*time.Second),
		},
		testkit.Scenario{
			Name:  "as long as it asks",
			Steps: steps{testkit.Respond(testkit.Reply(503, testkit.JSON, testkit.StartingBody, "Retry-After", "30"))},
			Requests: testkit.Exactly(
				2,
			),
			Took: testkit.Between(30*time.Second, 33*time.Second),
			Text: startingText("still starting after 1m0s"),
		},
		testkit.Scenario{
			Name:   "but not longer than MaxRetryAfter",
			Steps:  steps{testkit.Respond(testkit.Reply(502, testkit.JSON, testkit.StartingBody, "Retry-After", "61"))},
			Policy: policy{StartupWait: time.Hour},
			Requests: testkit.Exactly(
				1,
			),
			Text: "502 Bad Gateway: authentik starting (request " + testkit.RequestID + ", 1 attempt, the server asks to wait 1m1s)",
		},
		testkit.Scenario{
			Name:   "none: the other rules",
			Steps:  steps{testkit.Respond(testkit.Reply(502, testkit.JSON, testkit.StartingBody, "Retry-After", "2"))},
			Policy: testkit.NoStartupWait,
			Requests: testkit.Exactly(
				4,
			),
			Took: testkit.Between(6*time.Second, 6600*time.Millisecond),
			Text: "502 Bad Gateway: authentik starting (request " + testkit.RequestID + ", 4 attempts)",
		},
	))
	testkit.RunInBubble(t, "within the caller's deadline", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		got := testkit.NewSequence(starting).Client(t).List(ctx, t)
		require.ErrorIs(t, got.Err, authentik.ErrStarting)
		require.NotErrorIs(t, got.Err, context.DeadlineExceeded)
		assert.ErrorContains(t, got.Err, ", no time left to wait and try again)")
		assert.InDelta(t, 9*time.Second, got.Took, float64(time.Second))
	})
	for name, c := range map[string]struct {
		steps    steps
		policy   policy
		requests [2]int
		took     [2]time.Duration
		text     string
	}{
		"refused, and never an answer": {
			steps{testkit.Fail(errRefused)},
			policy{},
			testkit.Exactly(4), testkit.Backoff(3),
			"sso.example.com: dial tcp: connect: connection refused (4 attempts)",
		},
		"refused after an answer": {
			steps{success, testkit.Fail(errRefused)},
			policy{},
			[2]int{31, 60},
			testkit.StartupWait,
			"sso.example.com: dial tcp: connect: connection refused (%d attempts, still down after 1m0s)",
		},
		"refused after an answer, as Windows says it": {
			steps{success, testkit.Fail(errRefusedByWindows)},
			policy{},
			[2]int{31, 60},
			testkit.StartupWait,
			"sso.example.com: dial tcp: connectex: " + syscall.Errno(10061).Error() + " (%d attempts, still down after 1m0s)",
		},
		"refused after an error": {
			steps{testkit.RespondStatus(404), testkit.Fail(errRefused)},
			policy{StartupWait: 5 * time.Second},
			[2]int{3, 5},
			testkit.Between(3*time.Second, 5*time.Second),
			"sso.example.com: dial tcp: connect: connection refused (%d attempts, still down after 5s)",
		},
		"refused, and then up": {
			slices.Concat(steps{success}, times(10, testkit.Fail(errRefused)), steps{success}),
			policy{},
			testkit.Exactly(11),
			testkit.Between(10*time.Second, 20*time.Second), "",
		},
		"refused, then starting, then up": {
			slices.Concat(steps{success}, times(5, testkit.Fail(errRefused)), times(5, starting), steps{success}),
			policy{},
			testkit.Exactly(11), testkit.Between(10*time.Second, 20*time.Second), "",
		},
		"refused, and not waited for": {
			steps{success, testkit.Fail(errRefused)},
			testkit.NoStartupWait, testkit.Exactly(4), testkit.Backoff(3),
			"sso.example.com: dial tcp: connect: connection refused (4 attempts)",
		},
		"reset after an answer is no start": {
			steps{success, testkit.Fail(syscall.ECONNRESET)},
			policy{},
			testkit.Exactly(4), testkit.Backoff(3),
			"sso.example.com: connection reset by peer (4 attempts)",
		},
	} {
		testkit.RunInBubble(t, name, func(t *testing.T) {
			server := testkit.NewSequence(c.steps...)
			ak := server.Client(t, authentik.WithRetry(c.policy))
			if len(c.steps) > 1 {
				_ = ak.List(t.Context(), t)
			}
			got := ak.List(t.Context(), t)
			assert.GreaterOrEqual(t, got.Response.Attempts, c.requests[0])
			assert.LessOrEqual(t, got.Response.Attempts, c.requests[1])
			assert.GreaterOrEqual(t, got.Took, c.took[0])
			assert.LessOrEqual(t, got.Took, c.took[1])
			if c.text == "" {
				require.NoError(t, got.Err)
				return
			}
			testkit.AssertListError(t, got.Err, strings.ReplaceAll(c.text, "%d", strconv.Itoa(got.Response.Attempts)))
		})
	}
}

func TestRetryPolicy_MaxElapsedWithoutDeadline(t *testing.T) {
	t.Parallel()
	asks := testkit.RespondStatus(503, "50")
	for name, c := range map[string]struct {
		deadline time.Duration
		policy   policy
		attempts int
	}{
		"three minutes":         {0, policy{MaxAttempts: 9}, 4},
		"as told":               {0, policy{MaxAttempts: 9, MaxElapsed: 400 * time.Second}, 8},
		"none":                  {0, policy{MaxAttempts: 9, MaxElapsed: -1}, 9},
		"the caller's is later": {time.Hour, policy{MaxAttempts: 9}, 9},
		"the caller's is first": {90 * time.Second, policy{MaxAttempts: 9}, 2},
	} {
		testkit.RunInBubble(t, name, func(t *testing.T) {
			ctx := context.Background()
			if c.deadline > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, c.deadline)
				defer cancel()
			}
			got := testkit.NewSequence(asks).Client(t, authentik.WithRetry(c.policy)).List(ctx, t)
			require.ErrorIs(t, got.Err, authentik.ErrServer)
			assert.Equal(t, c.attempts, got.Response.Attempts)
		})
	}
	testkit.RunInBubble(t, "none, and an attempt has its time", func(t *testing.T) {
		got := testkit.NewSequence(testkit.Hang).
			Client(t, authentik.WithRetry(policy{BaseDelay: -1, MaxElapsed: -1})).
			List(context.Background(), t)
		testkit.AssertListError(t, got.Err, "sso.example.com: attempt timed out after 1m0s (2 attempts)")
		assert.Equal(t, 2*time.Minute, got.Took)
	})
	testkit.RunInBubble(t, "it cuts the last attempt", func(t *testing.T) {
		got := testkit.NewSequence(testkit.RespondStatus(503), testkit.Hang).
			Client(t, authentik.WithRetry(policy{BaseDelay: -1, MaxElapsed: 10 * time.Second})).
			List(context.Background(), t)
		testkit.AssertListError(
			t,
			got.Err,
			"sso.example.com: attempt timed out after 10s; before that 503 Service Unavailable: Later. (2 attempts, no time left to wait and try again)",
		)
		assert.Equal(t, 10*time.Second, got.Took)
	})
}

// Nothing of an earlier attempt is told of a later one.
func TestRequestError_HasLastResponse(t *testing.T) {
	t.Parallel()
	cut := testkit.Respond(testkit.Reply(200, testkit.JSON, testkit.TwoFlowsBody[:99]))
	for name, c := range map[string]struct {
		steps  steps
		status int
		text   string
	}{
		"a failure after another": {
			steps{testkit.RespondStatus(502), testkit.RespondStatus(404)},
			404,
			"404 Not Found: Later. (request " + testkit.RequestID + ", 2 attempts)",
		},
		"a success after a failure":     {steps{testkit.RespondStatus(502), success}, 200, ""},
		"a cut page and then no answer": {steps{cut, testkit.Fail(io.EOF)}, 0, "sso.example.com: EOF (4 attempts)"},
		"a failure and then no answer": {
			steps{testkit.RespondStatus(502), testkit.Fail(io.EOF)},
			502,
			"sso.example.com: EOF; before that 502 Bad Gateway: Later. (4 attempts)",
		},
		"a failure and then a cut page": {
			steps{testkit.RespondStatus(502), cut},
			200,
			"invalid response (200 OK, application/json): pagination.start_index: unexpected EOF (request " + testkit.RequestID + ", 4 attempts)",
		},
		"a cut page and then a failure": {
			steps{cut, testkit.RespondStatus(404)}, 404, "404 Not Found: Later. (request " + testkit.RequestID + ", 2 attempts)",
		},
		"a cut page, and then a small one": {
			steps{cut, testkit.Respond(testkit.Reply(200, testkit.JSON, "{}"))},
			200,
			"invalid response (200 OK, application/json): pagination: missing (request " + testkit.RequestID + ", 2 attempts)",
		},
	} {
		testkit.RunInBubble(t, name, func(t *testing.T) {
			got := testkit.NewSequence(c.steps...).Client(t).List(t.Context(), t)
			assert.Equal(t, c.status, got.Response.StatusCode)
			if c.text == "" {
				require.NoError(t, got.Err)
				return
			}
			testkit.AssertListError(t, got.Err, c.text)
		})
	}
	testkit.RunInBubble(t, "a cut page, and then the caller has no more time", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		server := testkit.NewSequence(cut)
		time.AfterFunc(time.Millisecond, cancel)
		got := server.Client(t, authentik.WithRetry(policy{BaseDelay: testkit.Forever, MaxDelay: testkit.Forever, MaxElapsed: -1})).
			List(ctx, t)
		testkit.AssertListError(t, got.Err, "context canceled (1 attempt)")
		var decode *authentik.DecodeError
		require.NotErrorAs(t, got.Err, &decode)
	})
}

func TestWithLogger_Records(t *testing.T) {
	t.Parallel()
	type record = map[string]any
	for name, c := range map[string]struct {
		steps steps
		want  []record // but for time, and the wait
	}{
		"a success": {steps{success}, []record{
			{
				"level": "DEBUG", "msg": "authentik: attempt", "attempt": 1.0, "status": 200.0, "request_id": testkit.RequestID,
				"took": 0.0,
			},
		}},
		"a retry": {steps{testkit.RespondStatus(503), success}, []record{
			{
				"level": "DEBUG", "msg": "authentik: attempt", "attempt": 1.0, "status": 503.0, "request_id": testkit.RequestID,
				"took": 0.0,
			},
			{"level": "WARN", "msg": "authentik: retry", "attempt": 1.0, "status": 503.0, "request_id": testkit.RequestID},
			{
				"level": "DEBUG", "msg": "authentik: attempt", "attempt": 2.0, "status": 200.0, "request_id": testkit.RequestID,
				"took": 0.0,
			},
		}},
		"a failure": {steps{testkit.RespondStatus(404)}, []record{
			{
				"level": "DEBUG", "msg": "authentik: attempt", "attempt": 1.0, "status": 404.0, "request_id": testkit.RequestID,
				"took": 0.0,
			},
		}},
		"a server that is starting": {steps{testkit.Respond(recording.Response{Status: 503, Text: testkit.StartingBody}), success}, []record{
			{"level": "DEBUG", "msg": "authentik: attempt", "attempt": 1.0, "status": 503.0, "took": 0.0},
			{"level": "WARN", "msg": "authentik: waiting for the server to start", "attempt": 1.0, "status": 503.0},
			{
				"level": "DEBUG", "msg": "authentik: attempt", "attempt": 2.0, "status": 200.0, "request_id": testkit.RequestID,
				"took": 0.0,
			},
		}},
		"an error that tells a secret": {steps{testkit.Fail(errors.New("at " + testkit.Token + "\n" + strings.Repeat("x", 500))), success}, []record{
			{
				"level": "DEBUG", "msg": "authentik: attempt", "attempt": 1.0,
				"error": `at [redacted]\n` + strings.Repeat("x", 200-len(`at [redacted]\n`)) + "…", "took": 0.0,
			},
			{
				"level": "WARN", "msg": "authentik: retry", "attempt": 1.0,
				"error": `at [redacted]\n` + strings.Repeat("x", 200-len(`at [redacted]\n`)) + "…",
			},
			{
				"level": "DEBUG", "msg": "authentik: attempt", "attempt": 2.0, "status": 200.0, "request_id": testkit.RequestID,
				"took": 0.0,
			},
		}},
		"an answer that is none": {steps{testkit.Respond(testkit.Reply(200, testkit.JSON, "{}"))}, []record{
			{
				"level": "DEBUG", "msg": "authentik: attempt", "attempt": 1.0, "status": 200.0, "request_id": testkit.RequestID,
				"took": 0.0, "error": "unusable",
			},
		}},
		"a page that is cut": {steps{testkit.Respond(testkit.Reply(200, testkit.JSON, "{")), success}, []record{
			{
				"level": "DEBUG", "msg": "authentik: attempt", "attempt": 1.0, "status": 200.0, "request_id": testkit.RequestID,
				"took": 0.0, "error": "cut off",
			},
			{
				"level": "WARN", "msg": "authentik: retry", "attempt": 1.0, "status": 200.0, "request_id": testkit.RequestID,
				"error": "cut off",
			},
			{
				"level": "DEBUG", "msg": "authentik: attempt", "attempt": 2.0, "status": 200.0, "request_id": testkit.RequestID,
				"took": 0.0,
			},
		}},
		"a page that is too large": {steps{testkit.Respond(testkit.Reply(200, testkit.JSON, strings.Repeat(" ", 8<<20+1)))}, []record{
			{
				"level": "DEBUG", "msg": "authentik: attempt", "attempt": 1.0, "status": 200.0, "request_id": testkit.RequestID,
				"took": 0.0, "error": "response too large: more than 8388608 bytes",
			},
		}},
		"a timeout": {steps{testkit.Hang, success}, []record{
			{
				"level": "DEBUG", "msg": "authentik: attempt", "attempt": 1.0, "error": "attempt timed out after 1m0s",
				"took": float64(time.Minute),
			},
			{"level": "WARN", "msg": "authentik: retry", "attempt": 1.0, "error": "attempt timed out after 1m0s"},
			{
				"level": "DEBUG", "msg": "authentik: attempt", "attempt": 2.0, "status": 200.0, "request_id": testkit.RequestID,
				"took": 0.0,
			},
		}},
	} {
		testkit.RunInBubble(t, name, func(t *testing.T) {
			var log bytes.Buffer
			ak := testkit.NewSequence(c.steps...).
				Client(t, authentik.WithLogger(slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))))
			_ = ak.List(t.Context(), t)
			testkit.AssertNoSecretsIn(t, "the log", log.String())
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
	testkit.RunInBubble(t, "of a token that could not be had", func(t *testing.T) {
		var log testkit.Log
		ak, err := authentik.NewClient(
			"https://sso.example.com",
			"",
			authentik.WithLogger(log.Logger()),
			authentik.WithTokenFunc(
				func(context.Context) (string, error) { return "", errors.New("vault: " + testkit.ServerSecret) },
			),
		)
		require.NoError(t, err)
		_, err = ak.FlowsInstancesList(t.Context(), nil)
		require.ErrorContains(t, err, "no token: vault: "+testkit.ServerSecret)
		testkit.AssertNoSecretsIn(t, "the log", log.String())
		assert.Contains(t, log.String(), `error="no token"`)
	})
	for level, messages := range map[slog.Level]int{slog.LevelDebug: 3, slog.LevelInfo: 1, slog.LevelWarn: 1, slog.LevelError: 0} {
		testkit.RunInBubble(t, level.String(), func(t *testing.T) {
			var log bytes.Buffer
			ak := testkit.NewSequence(testkit.RespondStatus(503), success).
				Client(t, authentik.WithLogger(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: level}))))
			require.NoError(t, ak.List(t.Context(), t).Err)
			assert.Equal(t, messages, strings.Count(log.String(), "\n"))
		})
	}
}
