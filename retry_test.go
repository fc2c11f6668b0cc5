package authentik_test

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
)

// forever is 292 years; the chance that a random part of it is an hour is one
// in two millions.
const forever = time.Duration(math.MaxInt64)

func TestTheLongestDurationIsLongAndNotNone(t *testing.T) {
	t.Parallel()
	throttled := says(reply(429, jsonType, `{}`))
	unavailable := says(reply(503, jsonType, `{}`))
	asksToWait := func(seconds string) step { return says(reply(503, jsonType, `{}`, "Retry-After", seconds)) }
	for name, c := range map[string]struct {
		step     step
		policy   authentik.RetryPolicy
		requests [2]int // within an hour, at least and at most
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
			says(reply(503, jsonType, `{"error":"authentik starting"}`)), authentik.RetryPolicy{StartupWait: forever, MaxElapsed: -1}, [2]int{1800, 3600},
		},
		"MaxAttempts": {
			unavailable, authentik.RetryPolicy{MaxAttempts: math.MaxInt, MaxDelay: time.Nanosecond, MaxElapsed: -1}, [2]int{101, 101}, // then the budget is spent
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(time.Hour, cancel)
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
