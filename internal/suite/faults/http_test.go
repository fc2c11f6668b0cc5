package faults_test

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/internal/testkit"
)

// retryAfter is how long a client waits that is told to by these headers.
func waitsFor(name string, from, to time.Duration, status int, retryAfter ...string) testkit.Scenario {
	return testkit.Scenario{
		Name:     name,
		Steps:    []testkit.Step{testkit.RespondStatus(status, retryAfter...), testkit.Respond(testkit.TwoFlows)},
		Requests: testkit.Exactly(2),
		Took:     testkit.Between(from, to),
	}
}

// givesUp is what comes of a Retry-After that is too long.
func givesUp(name string, want time.Duration, status int, retryAfter ...string) testkit.Scenario {
	return testkit.Scenario{
		Name:     name,
		Steps:    []testkit.Step{testkit.RespondStatus(status, retryAfter...)},
		Requests: testkit.Exactly(1),
		Text: fmt.Sprintf(
			"%d %s: Later. (request %s, 1 attempt, the server asks to wait %v)",
			status,
			http.StatusText(status),
			testkit.RequestID,
			want,
		),
		Check: func(t *testing.T, api *authentik.APIError) {
			t.Helper()
			assert.Equal(t, want, api.RetryAfter)
		},
	}
}

// statuses is a scene for each of them.
func statuses(requests int, took [2]time.Duration, all ...int) (s []testkit.Scenario) {
	for _, status := range all {
		attempts := "1 attempt"
		if requests > 1 {
			attempts = fmt.Sprint(requests, " attempts")
		}
		s = append(s, testkit.Scenario{
			Name: strconv.Itoa(
				status,
			),
			Steps:    []testkit.Step{testkit.RespondStatus(status)},
			Requests: testkit.Exactly(requests),
			Took:     took,
			Text: strings.TrimSpace(
				fmt.Sprint(status, " ", http.StatusText(status)),
			) + ": Later. (request " + testkit.RequestID + ", " + attempts + ")",
		})
	}
	return s
}

// forbiddenServer returns the URL of a server to which no request may be sent.
func forbiddenServer(t testing.TB) (url string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		assert.Fail(t, "followed", "%s with %v", req.URL, req.Header)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// unfollowed is a redirect, and what its error says after the status.
func unfollowed(t *testing.T, status int, location []string, text string, opts ...authentik.ClientOption) {
	t.Helper()
	var requests atomic.Int32
	url := testkit.NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		w.Header()["Location"] = location
		w.WriteHeader(status)
	}))
	testkit.AssertNoGoroutines(t, func() {
		ak := testkit.NewCheckedClient(t, url, opts...)
		defer ak.Close()
		got := ak.List(t.Context(), t)
		testkit.AssertListError(t, got.Err, fmt.Sprint(status, " ", http.StatusText(status))+text+" (sent by something in front of authentik, 1 attempt)")
		var api *authentik.APIError
		require.ErrorAs(t, got.Err, &api)
		assert.Equal(t, status, api.StatusCode)
		assert.Equal(t, location, got.Response.Header["Location"])
		assert.EqualValues(t, 1, requests.Load())
	})
}

var httpFaults = map[string]func(*testing.T){
	"H1": testkit.RunScenarios(
		testkit.Scenario{
			Name: "for ever",
			Steps: []testkit.Step{
				testkit.Respond(testkit.Reply(503, testkit.JSON, testkit.StartingBody, "X-Secret", testkit.ServerSecret)),
			},
			Policy:   testkit.NoStartupWait,
			Requests: testkit.Exactly(4),
			Took:     testkit.Backoff(3),
			Text:     "503 Service Unavailable: authentik starting (request " + testkit.RequestID + ", 4 attempts)",
			Is:       []error{authentik.ErrServer, authentik.ErrStarting},
			Check: func(t *testing.T, api *authentik.APIError) {
				t.Helper()
				assert.Equal(t, 503, api.StatusCode)
				assert.Equal(t, "authentik starting", api.Detail)
				assert.Equal(t, testkit.RequestID, api.RequestID)
				assert.JSONEq(t, testkit.StartingBody, string(api.Body))
			},
		},
		testkit.Scenario{
			Name:     "waited for",
			Steps:    []testkit.Step{testkit.Respond(testkit.Reply(503, testkit.JSON, testkit.StartingBody))},
			Requests: [2]int{31, 60},
			Took:     testkit.StartupWait,
			Text:     "503 Service Unavailable: authentik starting (request " + testkit.RequestID + ", %d attempts, still starting after 1m0s)",
			Is:       []error{authentik.ErrServer, authentik.ErrStarting},
		},
	),
	"H1b": testkit.RunScenarios(
		testkit.Scenario{
			Name: "over",
			Steps: []testkit.Step{
				testkit.Respond(testkit.Reply(200, testkit.JSON, testkit.StartingBody, "Retry-After", "5")),
				testkit.Respond(testkit.TwoFlows),
			},
			Requests: testkit.Exactly(2),
			Took:     testkit.Between(5*time.Second, 5500*time.Millisecond),
		},
		testkit.Scenario{
			Name: "for ever",
			Steps: []testkit.Step{
				testkit.Respond(testkit.Reply(200, testkit.JSON, testkit.StartingBody, "Retry-After", "5")),
			},
			Policy:   testkit.NoStartupWait,
			Requests: testkit.Exactly(4),
			Took:     testkit.Between(15*time.Second, 16500*time.Millisecond),
			Text:     "200 OK: authentik starting (request " + testkit.RequestID + ", 4 attempts)",
			Is:       []error{authentik.ErrStarting},
			Check: func(t *testing.T, api *authentik.APIError) {
				t.Helper()
				assert.Equal(t, 200, api.StatusCode)
				assert.NotErrorIs(t, api, authentik.ErrServer)
				assert.Equal(t, 5*time.Second, api.RetryAfter)
			},
		},
		testkit.Scenario{
			Name: "waited for",
			Steps: []testkit.Step{
				testkit.Respond(testkit.Reply(200, testkit.JSON, testkit.StartingBody, "Retry-After", "5")),
			},
			Requests: [2]int{11, 13},
			Took:     testkit.Between(54*time.Second, 60*time.Second),
			Text:     "200 OK: authentik starting (request " + testkit.RequestID + ", %d attempts, still starting after 1m0s)",
		},
	),
	"H2": testkit.RunScenarios(
		waitsFor("503", 5*time.Second, 5500*time.Millisecond, 503, "5"),
		waitsFor("429", 5*time.Second, 5500*time.Millisecond, 429, "5"),
	),
	"H3": testkit.RunScenarios(
		givesUp("503", 24*time.Hour, 503, "86400"),
		givesUp("429", 24*time.Hour, 429, "86400"),
		givesUp(
			"just over a minute",
			60001*time.Millisecond,
			503,
			"60.001",
		),
		waitsFor("a minute", time.Minute, 66*time.Second, 503, "60"),
	),
	"H4": testkit.RunScenarios(
		givesUp("overflow", math.MaxInt64, 503, "9223372037"),
		givesUp("MaxInt64", math.MaxInt64, 429, "9223372036854775807"),
		givesUp("more digits than any number has", math.MaxInt64, 503, strings.Repeat("9", 400)),
	),
	"H5": testkit.RunScenarios( // a bubble's time begins with the year 2000
		givesUp(
			"2099",
			time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC).Sub(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)),
			503,
			"Thu, 01 Jan 2099 00:00:00 GMT",
		),
		givesUp("centuries from now", math.MaxInt64, 503, "Thu, 01 Jan 2699 00:00:00 GMT"),
		waitsFor("past", 1, 500*time.Millisecond, 503, "Fri, 31 Dec 1999 23:59:00 GMT"),
		waitsFor("0", 1, 500*time.Millisecond, 503, "0"),
		waitsFor("zero in other words", 1, 500*time.Millisecond, 503, "-0", "0.0"),
	),
	"H6": func(t *testing.T) {
		var all []testkit.Scenario
		for _, seven := range []string{"7", " 7", "7\t", "7.0", "Sat, 01 Jan 2000 00:00:07 GMT", "Saturday, 01-Jan-00 00:00:07 GMT", "Sat Jan  1 00:00:07 2000"} {
			all = append(all, waitsFor("seven is "+seven, 7*time.Second, 7700*time.Millisecond, 503, seven))
		}
		for _, junk := range []string{"-5", "junk", "", "NaN", "Inf", "0x1p9", "1e3", "1_0", "7 s", "7,7", "+7", "..", "7.7.7", "\u0667", "Sat, 01 Jan 2000 00:00:07"} {
			all = append(all, waitsFor("junk is "+junk, 1, 500*time.Millisecond, 503, junk))
		}
		testkit.RunScenarios(
			append(all, waitsFor("one and a half", 1500*time.Millisecond, 1650*time.Millisecond, 503, "1.5"))...)(
			t,
		)
	},
	"H7": testkit.RunScenarios(
		waitsFor("500", 1, 500*time.Millisecond, 500, "86400"),
		waitsFor("502", 1, 500*time.Millisecond, 502, "86400"),
		waitsFor(
			"504",
			1,
			500*time.Millisecond,
			504,
			"86400",
		),
		waitsFor("408", 1, 500*time.Millisecond, 408, "86400"),
		waitsFor("524", 1, 500*time.Millisecond, 524, "7"),
	),
	"H8": testkit.RunScenarios(
		waitsFor("the larger", 7*time.Second, 7700*time.Millisecond, 503, "1", "7", "2"),
		waitsFor(
			"a date and a number",
			7*time.Second,
			7700*time.Millisecond,
			503,
			"Sat, 01 Jan 2000 00:00:07 GMT",
			"junk",
			"3",
		),
		givesUp("too large", 24*time.Hour, 503, "1", "86400"),
	),
	"H9": func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			server := testkit.NewSequence(testkit.RespondStatus(429))
			ak := server.Client(t, authentik.WithRetry(authentik.RetryPolicy{MaxElapsed: -1}))
			most := [3]time.Duration{}
			for range 33 { // 99 retries: the budget's
				before := server.Requests()
				got := ak.List(t.Context(), t)
				require.ErrorIs(t, got.Err, authentik.ErrRateLimited)
				for i, wait := range server.Waits()[before : before+3] {
					most[i] = max(most[i], wait)
				}
			}
			for i, limit := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second} {
				assert.LessOrEqual(t, most[i], limit)
				assert.Greater(t, most[i], limit*3/4, "with a chance of one in 13 thousand not")
			}
		})
	},
	"H10": testkit.RunScenarios(statuses(
		4, testkit.Backoff(3), 408, 500, 502, 503, 520, 521, 522, 523, 525, 526, 527, 530,
	)...),
	"H11": testkit.RunScenarios(
		statuses(
			1,
			testkit.Between(0, 0),
			402,
			405,
			406,
			409,
			410,
			415,
			418,
			425,
			431,
			451,
			501,
			505,
			506,
			507,
			508,
			510,
			511,
			519,
			528,
			529,
			531,
			599,
			600,
			999,
		)...),
	"H12": func(t *testing.T) {
		t.Parallel()
		const detail = "404 Not Found: Nothing for " + testkit.SearchSecret
		for _, c := range []struct {
			status     int
			body, text string
			is         error
		}{
			{404, `{"detail":"Nothing for ` + testkit.SearchSecret + `"}`, detail, authentik.ErrNotFound},
			{403, `{"detail":"Not you."}`, "403 Forbidden: Not you.", authentik.ErrForbidden},
			{
				400, `{"search":["Not ` + testkit.SearchSecret + `."],"name":["No ` + testkit.Token + `."]}`,
				"400 Bad Request: name: No [redacted].; search: Not " + testkit.SearchSecret + ".", authentik.ErrBadRequest,
			},
		} {
			answer := &testkit.Stub{Status: c.status, Body: c.body}
			ak := testkit.NewCheckedClient(t, testkit.NewServer(t, answer))
			got := ak.List(t.Context(), t, testkit.SearchSecret)
			require.ErrorIs(t, got.Err, c.is)
			testkit.AssertListError(t, got.Err, c.text+" (request id-of-[redacted], 1 attempt)")
			assert.EqualValues(t, 1, answer.Requests.Load())
			var invalid *authentik.ValidationError
			if assert.Equal(t, c.status == 400, errors.As(got.Err, &invalid)); invalid != nil {
				assert.Equal(
					t,
					map[string][]string{"search": {"Not " + testkit.SearchSecret + "."}, "name": {"No [redacted]."}},
					invalid.Fields,
				)
			}
		}
	},
	"H13": func(t *testing.T) {
		t.Parallel()
		for status, is := range map[int]error{401: authentik.ErrUnauthorized, 403: authentik.ErrForbidden} {
			answer := &testkit.Stub{Status: status, Body: `{"detail":"Token ` + testkit.Token + ` invalid/expired"}`}
			got := testkit.NewCheckedClient(t, testkit.NewServer(t, answer)).List(t.Context(), t)
			require.ErrorIs(t, got.Err, is)
			permission := testkit.RequireType[*authentik.PermissionError](t, got.Err)
			assert.Equal(t, status, permission.StatusCode)
			assert.Equal(t, "Token [redacted] invalid/expired", permission.Detail)
			assert.EqualValues(t, 1, answer.Requests.Load())
		}
	},
	"H14": func(t *testing.T) {
		t.Parallel()
		target := forbiddenServer(t)
		secret := strings.Replace(
			target,
			"://",
			"://user:"+testkit.ServerSecret+"@",
			1,
		) + "/if/flow/?next=" + testkit.ServerSecret + "#" + testkit.ServerSecret
		for _, status := range []int{301, 302, 303, 307, 308} {
			unfollowed(
				t,
				status,
				[]string{secret},
				": redirected to http://127.0.0.1:0/if/flow/; no redirect is followed",
			)
		}
		unfollowed(
			t,
			301,
			[]string{"https://%zz" + testkit.ServerSecret},
			": redirected to a malformed URL; no redirect is followed",
		)
		unfollowed(
			t,
			302,
			[]string{"/" + testkit.Token + "/%1b[31m"},
			": redirected to /[redacted]/%1b[31m; no redirect is followed",
		)
		// No redirect, whatever it has.
		unfollowed(t, 410, []string{target}, "")
	},
	"H15": func(t *testing.T) {
		t.Parallel()
		unfollowed(t, 301, nil, "")
		unfollowed(t, 302, []string{""}, "")
		unfollowed(
			t,
			302,
			[]string{"/sub/path/api/v3/flows/instances/"},
			": redirected to the same URL; no redirect is followed",
		)
	},
	"H16": func(t *testing.T) {
		t.Parallel()
		consulted := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error {
			assert.Fail(t, "consulted")
			return errors.New("refused")
		}, Transport: &http.Transport{DisableKeepAlives: true}}
		unfollowed(
			t,
			302,
			[]string{forbiddenServer(t)},
			": redirected to http://127.0.0.1:0; no redirect is followed",
			authentik.WithHTTPClient(consulted),
		)
	},
	"H18": func(t *testing.T) {
		t.Parallel()
		got := testkit.NewCheckedClient(t, testkit.NewServer(t, testkit.RawHandler("HTTP/1.1 410 \x1b[31mAll is well\tlevel=ERROR "+testkit.Token+"\r\nContent-Length: 0\r\n\r\n"))).
			List(t.Context(), t)
		testkit.AssertListError(t, got.Err, "410 Gone (sent by something in front of authentik, 1 attempt)")
	},
	"H19": func(t *testing.T) {
		t.Parallel()
		const at = ": the body is text/html, not JSON"
		for name, c := range map[string]struct{ media, body, text string }{
			"HTML":             {testkit.HTML, "<p>" + testkit.Token, at},
			"empty":            {testkit.HTML, "", ""},
			"10 MiB":           {testkit.HTML, strings.Repeat("<", 10<<20), at},
			"10 MiB of JSON":   {testkit.JSON, `{"detail":"` + strings.Repeat("x", 10<<20) + `"}`, ""},
			"invalid UTF-8":    {testkit.Text, "a\xff\x1b", `: a\xff\x1b`},
			"array":            {testkit.JSON, `["a","` + testkit.Token + `"]`, ": a; [redacted]"},
			"JSON called text": {testkit.Text, `{"detail":"` + testkit.HeaderSecret + `"}`, ": [redacted]"},
			"a long message": {
				testkit.JSON, `{"detail":"` + strings.Repeat("x", 60<<10) + `"}`, ": " + strings.Repeat("x", 512) + "…",
			},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				answer := &testkit.Stub{Status: 402, ContentType: c.media, Body: c.body}
				got := testkit.NewCheckedClient(t, testkit.NewServer(t, answer)).List(t.Context(), t)
				api := testkit.RequireType[*authentik.APIError](t, got.Err)
				assert.Equal(t, 402, api.StatusCode)
				body := strings.NewReplacer(testkit.Token, "[redacted]", testkit.HeaderSecret, "[redacted]").Replace(c.body)
				assert.Equal(t, body[:min(len(body), 64<<10)], string(api.Body))
				testkit.AssertListError(t, got.Err, "402 Payment Required"+c.text+" (request id-of-[redacted], 1 attempt)")
				assert.EqualValues(t, 1, answer.Requests.Load())
			})
		}
	},
	"H20": func(t *testing.T) {
		t.Parallel()
		for size, connections := range map[int]int32{20 << 10: 1, 64 << 10: 1, 300 << 10: 4} {
			server := testkit.NewConnServer(
				testkit.Send(
					fmt.Sprintf(
						"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%s",
						size,
						strings.Repeat("<", size),
					),
				),
			)
			addr := server.Listen(t)
			testkit.AssertNoGoroutines(t, func() {
				ak := testkit.NewCheckedClient(t, "http://"+addr, testkit.NoWait)
				defer ak.Close()
				got := ak.List(t.Context(), t)
				assert.Equal(t, 4, got.Response.Attempts)
				assert.EqualValues(t, 4, server.Requests.Load())
				assert.Equal(t, connections, server.Opened.Load())
			})
			testkit.AssertConnsClosed(t, server)
		}
	},
}
