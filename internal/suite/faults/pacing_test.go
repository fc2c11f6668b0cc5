package faults_test

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

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
			"RateLimit-Reset":   refusal(429, "RateLimit-Reset", "20"),
			"X-RateLimit-Reset": refusal(429, "X-RateLimit-Reset", "20"),
			"the longer one":    refusal(429, "RateLimit-Reset", "20", "X-RateLimit-Reset", "1"),
			"a time": func(*http.Request) (*http.Response, error) {
				at := strconv.FormatInt(time.Now().Add(20*time.Second).Unix(), 10)
				return refusal(429, "X-RateLimit-Reset", at)(nil)
			},
			"a time of another clock": refusal(429, "X-RateLimit-Reset", "784111797", "Date", "Sun, 06 Nov 1994 08:49:37 GMT"),
		} {
			t.Run(name, waits(step, from, to))
		}
		for name, step := range map[string]testkit.Step{
			"Retry-After counts":  refusal(429, "Retry-After", "1", "RateLimit-Reset", "20"),
			"Retry-After of zero": refusal(429, "Retry-After", "0", "RateLimit-Reset", "20"),
			"503":                 refusal(503, "RateLimit-Reset", "20"),
			"500":                 refusal(500, "RateLimit-Reset", "20"),
			"not a number":        refusal(429, "RateLimit-Reset", "soon"),
			"a time that is past": refusal(429, "X-RateLimit-Reset", "784111777"),
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
}
