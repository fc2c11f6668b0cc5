package authentik_test

import (
	"context"
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
)

// scene is a script and what must come of it, in virtual time.
type scene struct {
	name     string
	steps    []step
	policy   authentik.RetryPolicy
	requests [2]int           // at least and at most
	took     [2]time.Duration // likewise
	text     string           // of the error; "" is success
	is       []error
	check    func(*testing.T, *authentik.APIError)
}

func scenes(all ...scene) func(*testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		for _, s := range all {
			t.Run(s.name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { s.play(t) })
			})
		}
	}
}

func (s scene) play(t *testing.T) {
	server := newScript(s.steps...)
	ak := server.subject(t, authentik.WithRetry(s.policy))
	got := ak.list(context.Background(), t)
	requests := server.requests()
	assert.Equal(t, requests, got.response.Attempts)
	assert.GreaterOrEqual(t, requests, s.requests[0])
	assert.LessOrEqual(t, requests, s.requests[1])
	assert.GreaterOrEqual(t, got.took, s.took[0])
	assert.LessOrEqual(t, got.took, s.took[1])
	if s.text == "" {
		require.NoError(t, got.err)
		assert.Len(t, got.page.Results, 2)
		return
	}
	tells(t, got.err, strings.ReplaceAll(s.text, "%d", strconv.Itoa(requests)))
	for _, target := range s.is {
		require.ErrorIs(t, got.err, target)
	}
	var api *authentik.APIError
	require.ErrorAs(t, got.err, &api)
	assert.Equal(t, requests, api.Attempts)
	if s.check != nil {
		s.check(t, api)
	}
}

func exactlyN(n int) [2]int { return [2]int{n, n} }

func within(from, to time.Duration) [2]time.Duration { return [2]time.Duration{from, to} }

// jittered is what n retries wait at the most, without a Retry-After.
func jittered(n int) [2]time.Duration { return within(1, 500*time.Millisecond<<n-500*time.Millisecond) }

// asking is a status with Retry-After headers, of a server that is not
// starting.
func asking(status int, retryAfter ...string) step {
	a := reply(status, jsonType, `{"detail":"Later."}`, "Set-Cookie", serverCanary)
	for _, value := range retryAfter {
		a.Headers = append(a.Headers, [2]string{"Retry-After", value})
	}
	return says(a)
}

// retryAfter is how long a client waits that is told to by these headers.
func waitsFor(name string, from, to time.Duration, status int, retryAfter ...string) scene {
	return scene{name: name, steps: []step{asking(status, retryAfter...), says(good)}, requests: exactlyN(2), took: within(from, to)}
}

// givesUp is what comes of a Retry-After that is too long.
func givesUp(name string, want time.Duration, status int, retryAfter ...string) scene {
	return scene{
		name: name, steps: []step{asking(status, retryAfter...)}, requests: exactlyN(1),
		text: fmt.Sprintf("%d %s: Later. (request %s, 1 attempt, the server asks to wait %v)", status, http.StatusText(status), requestID, want),
		check: func(t *testing.T, api *authentik.APIError) {
			t.Helper()
			assert.Equal(t, want, api.RetryAfter)
		},
	}
}

// statuses is a scene for each of them.
func statuses(requests int, took [2]time.Duration, all ...int) (s []scene) {
	for _, status := range all {
		attempts := "1 attempt"
		if requests > 1 {
			attempts = fmt.Sprint(requests, " attempts")
		}
		s = append(s, scene{
			name: strconv.Itoa(status), steps: []step{asking(status)}, requests: exactlyN(requests), took: took,
			text: strings.TrimSpace(fmt.Sprint(status, " ", http.StatusText(status))) + ": Later. (request " + requestID + ", " + attempts + ")",
		})
	}
	return s
}

const startingBody = `{"error":"authentik starting"}`

var (
	aMinute   = within(58*time.Second, 60*time.Second)
	unstarted = authentik.RetryPolicy{StartupWait: -1}
)

// elsewhere is a server that nobody may come to.
func elsewhere(t testing.TB) (url string) {
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
	url := newServer(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		w.Header()["Location"] = location
		w.WriteHeader(status)
	}))
	tidy(t, func() {
		ak := newSubject(t, url, opts...)
		defer ak.Close()
		got := ak.list(t.Context(), t)
		tells(t, got.err, fmt.Sprint(status, " ", http.StatusText(status))+text+" (1 attempt)")
		var api *authentik.APIError
		require.ErrorAs(t, got.err, &api)
		assert.Equal(t, status, api.StatusCode)
		assert.Equal(t, location, got.response.Header["Location"])
		assert.EqualValues(t, 1, requests.Load())
	})
}

var httpFaults = map[string]func(*testing.T){
	"H1": scenes(
		scene{
			name: "for ever", steps: []step{says(reply(503, jsonType, startingBody, "X-Secret", serverCanary))}, policy: unstarted, requests: exactlyN(4), took: jittered(3),
			text: "503 Service Unavailable: authentik starting (request " + requestID + ", 4 attempts)", is: []error{authentik.ErrServer, authentik.ErrStarting},
			check: func(t *testing.T, api *authentik.APIError) {
				t.Helper()
				assert.Equal(t, 503, api.StatusCode)
				assert.Equal(t, "authentik starting", api.Detail)
				assert.Equal(t, requestID, api.RequestID)
				assert.JSONEq(t, startingBody, string(api.Body))
			},
		},
		scene{
			name: "waited for", steps: []step{says(reply(503, jsonType, startingBody))}, requests: [2]int{31, 60}, took: aMinute,
			text: "503 Service Unavailable: authentik starting (request " + requestID + ", %d attempts, still starting after 1m0s)", is: []error{authentik.ErrServer, authentik.ErrStarting},
		},
	),
	"H1b": scenes(
		scene{
			name: "over", steps: []step{says(reply(200, jsonType, startingBody, "Retry-After", "5")), says(good)},
			requests: exactlyN(2), took: within(5*time.Second, 5500*time.Millisecond),
		},
		scene{
			name: "for ever", steps: []step{says(reply(200, jsonType, startingBody, "Retry-After", "5"))}, policy: unstarted,
			requests: exactlyN(4), took: within(15*time.Second, 16500*time.Millisecond),
			text: "200 OK: authentik starting (request " + requestID + ", 4 attempts)", is: []error{authentik.ErrStarting},
			check: func(t *testing.T, api *authentik.APIError) {
				t.Helper()
				assert.Equal(t, 200, api.StatusCode)
				assert.NotErrorIs(t, api, authentik.ErrServer)
				assert.Equal(t, 5*time.Second, api.RetryAfter)
			},
		},
		scene{
			name: "waited for", steps: []step{says(reply(200, jsonType, startingBody, "Retry-After", "5"))},
			requests: [2]int{11, 13}, took: within(54*time.Second, 60*time.Second),
			text: "200 OK: authentik starting (request " + requestID + ", %d attempts, still starting after 1m0s)",
		},
	),
	"H2": scenes(waitsFor("503", 5*time.Second, 5500*time.Millisecond, 503, "5"), waitsFor("429", 5*time.Second, 5500*time.Millisecond, 429, "5")),
	"H3": scenes(givesUp("503", 24*time.Hour, 503, "86400"), givesUp("429", 24*time.Hour, 429, "86400"),
		givesUp("just over a minute", 60001*time.Millisecond, 503, "60.001"), waitsFor("a minute", time.Minute, 66*time.Second, 503, "60")),
	"H4": scenes(givesUp("overflow", math.MaxInt64, 503, "9223372037"), givesUp("MaxInt64", math.MaxInt64, 429, "9223372036854775807"),
		givesUp("more digits than any number has", math.MaxInt64, 503, strings.Repeat("9", 400))),
	"H5": scenes( // a bubble's time begins with the year 2000
		givesUp("2099", time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC).Sub(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)), 503, "Thu, 01 Jan 2099 00:00:00 GMT"),
		givesUp("centuries from now", math.MaxInt64, 503, "Thu, 01 Jan 2699 00:00:00 GMT"),
		waitsFor("past", 1, 500*time.Millisecond, 503, "Fri, 31 Dec 1999 23:59:00 GMT"),
		waitsFor("0", 1, 500*time.Millisecond, 503, "0"),
		waitsFor("zero in other words", 1, 500*time.Millisecond, 503, "-0", "0.0"),
	),
	"H6": func(t *testing.T) {
		var all []scene
		for _, seven := range []string{"7", " 7", "7\t", "7.0", "Sat, 01 Jan 2000 00:00:07 GMT", "Saturday, 01-Jan-00 00:00:07 GMT", "Sat Jan  1 00:00:07 2000"} {
			all = append(all, waitsFor("seven is "+seven, 7*time.Second, 7700*time.Millisecond, 503, seven))
		}
		for _, junk := range []string{"-5", "junk", "", "NaN", "Inf", "0x1p9", "1e3", "1_0", "7 s", "7,7", "+7", "..", "7.7.7", "\u0667", "Sat, 01 Jan 2000 00:00:07"} {
			all = append(all, waitsFor("junk is "+junk, 1, 500*time.Millisecond, 503, junk))
		}
		scenes(append(all, waitsFor("one and a half", 1500*time.Millisecond, 1650*time.Millisecond, 503, "1.5"))...)(t)
	},
	"H7": scenes(waitsFor("500", 1, 500*time.Millisecond, 500, "86400"), waitsFor("502", 1, 500*time.Millisecond, 502, "86400"),
		waitsFor("504", 1, 500*time.Millisecond, 504, "86400"), waitsFor("408", 1, 500*time.Millisecond, 408, "86400"), waitsFor("524", 1, 500*time.Millisecond, 524, "7")),
	"H8": scenes(waitsFor("the larger", 7*time.Second, 7700*time.Millisecond, 503, "1", "7", "2"), waitsFor("a date and a number", 7*time.Second, 7700*time.Millisecond, 503, "Sat, 01 Jan 2000 00:00:07 GMT", "junk", "3"),
		givesUp("too large", 24*time.Hour, 503, "1", "86400")),
	"H9": func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			server := newScript(asking(429))
			ak := server.subject(t, authentik.WithRetry(authentik.RetryPolicy{MaxElapsed: -1}))
			most := [3]time.Duration{}
			for range 33 { // 99 retries: the budget's
				before := server.requests()
				got := ak.list(t.Context(), t)
				require.ErrorIs(t, got.err, authentik.ErrRateLimited)
				for i, wait := range server.waits()[before : before+3] {
					most[i] = max(most[i], wait)
				}
			}
			for i, limit := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second} {
				assert.LessOrEqual(t, most[i], limit)
				assert.Greater(t, most[i], limit*3/4, "with a chance of one in 13 thousand not")
			}
		})
	},
	"H10": scenes(statuses(4, jittered(3), 408, 500, 502, 503, 504, 520, 521, 522, 523, 524)...),
	"H11": scenes(statuses(1, within(0, 0), 402, 405, 406, 409, 410, 415, 418, 425, 431, 451, 501, 505, 506, 507, 508, 510, 511, 519, 525, 526, 530, 599, 600, 999)...),
	"H12": func(t *testing.T) {
		t.Parallel()
		const detail = "404 Not Found: Nothing for " + queryCanary
		for _, c := range []struct {
			status     int
			body, text string
			is         error
		}{
			{404, `{"detail":"Nothing for ` + queryCanary + `"}`, detail, authentik.ErrNotFound},
			{403, `{"detail":"Not you."}`, "403 Forbidden: Not you.", authentik.ErrForbidden},
			{400, `{"search":["Not ` + queryCanary + `."],"name":["No ` + canary + `."]}`, "400 Bad Request: name: No [redacted].; search: Not " + queryCanary + ".", authentik.ErrBadRequest},
		} {
			answer := &stub{status: c.status, body: c.body}
			ak := newSubject(t, newServer(t, answer))
			got := ak.list(t.Context(), t, queryCanary)
			require.ErrorIs(t, got.err, c.is)
			tells(t, got.err, c.text+" (request id-of-[redacted], 1 attempt)")
			assert.EqualValues(t, 1, answer.requests.Load())
			var invalid *authentik.ValidationError
			if assert.Equal(t, c.status == 400, errors.As(got.err, &invalid)); invalid != nil {
				assert.Equal(t, map[string][]string{"search": {"Not " + queryCanary + "."}, "name": {"No [redacted]."}}, invalid.Fields)
			}
		}
	},
	"H13": func(t *testing.T) {
		t.Parallel()
		for status, is := range map[int]error{401: authentik.ErrUnauthorized, 403: authentik.ErrForbidden} {
			answer := &stub{status: status, body: `{"detail":"Token ` + canary + ` invalid/expired"}`}
			got := newSubject(t, newServer(t, answer)).list(t.Context(), t)
			require.ErrorIs(t, got.err, is)
			permission := exactly[*authentik.PermissionError](t, got.err)
			assert.Equal(t, status, permission.StatusCode)
			assert.Equal(t, "Token [redacted] invalid/expired", permission.Detail)
			assert.EqualValues(t, 1, answer.requests.Load())
		}
	},
	"H14": func(t *testing.T) {
		t.Parallel()
		target := elsewhere(t)
		secret := strings.Replace(target, "://", "://user:"+serverCanary+"@", 1) + "/if/flow/?next=" + serverCanary + "#" + serverCanary
		for _, status := range []int{301, 302, 303, 307, 308} {
			unfollowed(t, status, []string{secret}, ": redirected to http://127.0.0.1:0/if/flow/; no redirect is followed: is the base URL right?")
		}
		unfollowed(t, 301, []string{"https://%zz" + serverCanary}, ": redirected to a malformed URL; no redirect is followed: is the base URL right?")
		unfollowed(t, 302, []string{"/" + canary + "/%1b[31m"}, ": redirected to /[redacted]/%1B%5B31m; no redirect is followed: is the base URL right?")
		// No redirect, whatever it has.
		unfollowed(t, 404, []string{target}, "")
	},
	"H15": func(t *testing.T) {
		t.Parallel()
		unfollowed(t, 301, nil, "")
		unfollowed(t, 302, []string{""}, "")
		unfollowed(t, 302, []string{"/sub/path/api/v3/flows/instances/"}, ": redirected to /sub/path/api/v3/flows/instances/; no redirect is followed: is the base URL right?")
	},
	"H16": func(t *testing.T) {
		t.Parallel()
		consulted := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error {
			assert.Fail(t, "consulted")
			return errors.New("refused")
		}, Transport: &http.Transport{DisableKeepAlives: true}}
		unfollowed(t, 302, []string{elsewhere(t)}, ": redirected to http://127.0.0.1:0; no redirect is followed: is the base URL right?", authentik.WithHTTPClient(consulted))
	},
	"H18": func(t *testing.T) {
		t.Parallel()
		got := newSubject(t, newServer(t, raw("HTTP/1.1 404 \x1b[31mAll is well\tlevel=ERROR "+canary+"\r\nContent-Length: 0\r\n\r\n"))).list(t.Context(), t)
		tells(t, got.err, "404 Not Found (1 attempt)")
	},
	"H19": func(t *testing.T) {
		t.Parallel()
		const at = ": GET /sub/path/api/v3/flows/instances/ answered with text/html, not JSON: is it authentik's API?"
		for name, c := range map[string]struct{ media, body, text string }{
			"HTML":             {htmlType, "<p>" + canary, at},
			"empty":            {htmlType, "", ""},
			"10 MiB":           {htmlType, strings.Repeat("<", 10<<20), at},
			"10 MiB of JSON":   {jsonType, `{"detail":"` + strings.Repeat("x", 10<<20) + `"}`, ""},
			"invalid UTF-8":    {textType, "a\xff\x1b", `: a\xff\x1b`},
			"array":            {jsonType, `["a","` + canary + `"]`, ": a; [redacted]"},
			"JSON called text": {textType, `{"detail":"` + headerCanary + `"}`, ": [redacted]"},
			"a long message":   {jsonType, `{"detail":"` + strings.Repeat("x", 60<<10) + `"}`, ": " + strings.Repeat("x", 512) + "…"},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				answer := &stub{status: 402, media: c.media, body: c.body}
				got := newSubject(t, newServer(t, answer)).list(t.Context(), t)
				api := exactly[*authentik.APIError](t, got.err)
				assert.Equal(t, 402, api.StatusCode)
				body := strings.NewReplacer(canary, "[redacted]", headerCanary, "[redacted]").Replace(c.body)
				assert.Equal(t, body[:min(len(body), 64<<10)], string(api.Body))
				tells(t, got.err, "402 Payment Required"+c.text+" (request id-of-[redacted], 1 attempt)")
				assert.EqualValues(t, 1, answer.requests.Load())
			})
		}
	},
	"H20": func(t *testing.T) {
		t.Parallel()
		for size, connections := range map[int]int32{20 << 10: 1, 64 << 10: 1, 300 << 10: 4} {
			server := newPeer(sends(fmt.Sprintf("HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%s", size, strings.Repeat("<", size))))
			addr := server.listen(t)
			tidy(t, func() {
				ak := newSubject(t, "http://"+addr, noWaits)
				defer ak.Close()
				got := ak.list(t.Context(), t)
				assert.Equal(t, 4, got.response.Attempts)
				assert.EqualValues(t, 4, server.requests.Load())
				assert.Equal(t, connections, server.opened.Load())
			})
			closed(t, server)
		}
	},
}
