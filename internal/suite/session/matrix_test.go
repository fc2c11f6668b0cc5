package session_test

import (
	"net/http"
	"time"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/internal/testkit"
)

const minute = time.Minute

// host precedes what the network says.
const host = "authentik.example.com: "

// foreignDoubt ends the error of a response that a proxy has answered for.
const foreignDoubt = " (sent by something in front of authentik, 1 attempt, the server may have executed the request)"

// matrix is everything that can go wrong during a login, and what must come of
// it.
var matrix = []row{
	// The connection.
	{
		id: "X01", slug: "reset_before_execution",
		outcome: "a GET is retried; a response to a challenge is ErrPerhapsDone, because nothing proves that it was lost",
		fault:   reset, get: retried,
		post: cell{text: host + "read tcp: read: connection reset by peer" + doubt, is: perhapsDone, more: exactly(1)},
	},
	{
		id: "X02", slug: "reset_after_execution",
		outcome: "a GET shows the next challenge; of the last one also the cookies are lost, and the flow begins anew",
		fault:   after(closed), get: retried, post: looked,
		at: map[int]cell{lastLook: {text: anew, is: restarted, more: exactly(2), took: between(0, time.Second)}},
	},
	{
		id: "X03", slug: "reset_for_ever",
		outcome: "four attempts of a GET; one of a response, and four to look",
		fault:   reset, lasts: testkit.Forever,
		get: cell{
			text: host + "read tcp: read: connection reset by peer (4 attempts)",
			more: exactly(3), took: between(0, 3*time.Second),
		},
		post: cell{
			text: host + "read tcp: read: connection reset by peer" + doubt, is: perhapsDone,
			more: exactly(4), took: between(0, 3*time.Second),
		},
	},
	{
		id: "X04", slug: "refused_for_5_s",
		outcome: "waited for; a response is sent again, because nobody got it; at first contact a wrong URL fails fast",
		fault:   nobody, lasts: 5 * time.Second,
		get:  cell{more: between(3, 6), took: between(5*time.Second, 7*time.Second)},
		post: cell{more: between(3, 6), took: between(5*time.Second, 7*time.Second)},
		at: map[int]cell{firstContact: {
			text: host + "dial tcp: connect: connection refused (4 attempts)",
			more: exactly(3), took: between(0, 3*time.Second),
		}},
	},
	{
		id: "X05", slug: "refused_for_ever",
		outcome: "waited for a minute",
		fault:   nobody, lasts: testkit.Forever,
		get: cell{
			text: host + "dial tcp: connect: connection refused (%d attempts, still down after 1m0s)",
			more: between(30, 60), took: between(58*time.Second, minute),
		},
		post: cell{
			text: host + "dial tcp: connect: connection refused (%d attempts, still down after 1m0s)",
			more: between(30, 60), took: between(58*time.Second, minute),
		},
		at: map[int]cell{firstContact: {
			text: host + "dial tcp: connect: connection refused (4 attempts)",
			more: exactly(3), took: between(0, 3*time.Second),
		}},
	},
	{
		id: "X06", slug: "no_answer_before_execution",
		outcome: "after a minute as X01",
		fault:   hang,
		get:     cell{more: exactly(1), took: between(minute, minute+time.Second)},
		post: cell{
			text: host + "attempt timed out after 1m0s" + doubt,
			is:   []error{authentik.ErrPerhapsDone, authentik.ErrAttemptTimeout}, more: exactly(1), took: exactly(minute),
		},
	},
	{
		id: "X07", slug: "no_answer_after_execution",
		outcome: "after a minute as X02",
		fault:   after(hang),
		get:     cell{more: exactly(1), took: between(minute, minute+time.Second)},
		post:    cell{took: exactly(minute)},
		at: map[int]cell{lastLook: {
			text: anew, is: restarted, more: exactly(2), took: between(minute, minute+time.Second),
		}},
	},
	{
		id: "X08", slug: "body_cut",
		outcome: "a GET is retried, and a redirect has no body; the cookies of the login have arrived, so that it succeeds",
		fault:   cutBody, get: retried, post: looked,
	},
	{
		id: "X09", slug: "body_cut_for_ever",
		outcome: "as X03",
		fault:   cutBody, lasts: testkit.Forever,
		get: cell{text: host + "unexpected EOF (4 attempts)", more: exactly(3), took: between(0, 3*time.Second)},
		post: cell{
			text: host + "unexpected EOF" + doubt, is: perhapsDone, more: exactly(4), took: between(0, 3*time.Second),
		},
	},

	// A restart.
	{
		id: "X10", slug: "router_starting_for_10_s",
		outcome: "waited for; a response is sent again, because the router did not pass it on",
		fault:   respond(http.StatusServiceUnavailable, testkit.JSON, testkit.StartingBody), lasts: 10 * time.Second,
		get:  cell{more: between(5, 11), took: between(10*time.Second, 12*time.Second)},
		post: cell{more: between(5, 11), took: between(10*time.Second, 12*time.Second)},
	},
	{
		id: "X11", slug: "backend_died_before_execution",
		outcome: "as X01",
		fault:   died,
		get:     cell{more: exactly(1), took: between(time.Second, 2*time.Second)},
		post: cell{
			text: "502 Bad Gateway: failed to connect to authentik backend: read unix @->/x.sock: read: connection reset by peer" + doubt,
			is:   []error{authentik.ErrPerhapsDone, authentik.ErrStarting, authentik.ErrServer}, more: exactly(1),
		},
	},
	{
		id: "X12", slug: "backend_died_after_execution",
		outcome: "as X02",
		fault:   after(died),
		get:     cell{more: exactly(1), took: between(time.Second, 2*time.Second)}, post: looked,
		at: map[int]cell{lastLook: {
			text: anew, is: restarted, more: exactly(2), took: between(time.Second, 2*time.Second),
		}},
	},
	{
		id: "X13", slug: "proxy_502_before_execution",
		outcome: "as X01",
		fault:   gateway,
		get:     cell{more: exactly(1), took: between(0, 2*time.Second)},
		post: cell{
			text: "502 Bad Gateway: the body is text/html, not JSON" + foreignDoubt,
			is:   []error{authentik.ErrPerhapsDone, authentik.ErrNotAuthentik, authentik.ErrServer}, more: exactly(1),
		},
	},
	{
		id: "X14", slug: "proxy_502_after_execution",
		outcome: "as X02",
		fault:   after(gateway),
		get:     cell{more: exactly(1), took: between(0, 2*time.Second)}, post: looked,
		at: map[int]cell{lastLook: {text: anew, is: restarted, more: exactly(2), took: between(0, 2*time.Second)}},
	},
	{
		id: "X15", slug: "proxy_502_for_ever",
		outcome: "waited for a minute as a restart, once authentik has responded; a response is sent once",
		fault:   gateway, lasts: testkit.Forever,
		get: cell{
			text: "502 Bad Gateway: the body is text/html, not JSON (sent by something in front of authentik, %d attempts, still down after 1m0s)",
			is:   []error{authentik.ErrNotAuthentik, authentik.ErrServer},
			more: between(30, 60), took: between(58*time.Second, minute),
		},
		post: cell{
			text: "502 Bad Gateway: the body is text/html, not JSON" + foreignDoubt,
			is:   []error{authentik.ErrPerhapsDone, authentik.ErrNotAuthentik, authentik.ErrServer},
			more: between(30, 60), took: between(58*time.Second, minute),
		},
		at: map[int]cell{firstContact: {
			text: "502 Bad Gateway: the body is text/html, not JSON (sent by something in front of authentik, 4 attempts)",
			is:   []error{authentik.ErrNotAuthentik, authentik.ErrServer},
			more: exactly(3), took: between(0, 3*time.Second),
		}},
	},
	{
		id: "X16", slug: "proxy_504_after_execution",
		outcome: "as X02",
		fault:   after(respond(http.StatusGatewayTimeout, testkit.HTML, "<html></html>")),
		get:     retried, post: looked,
		at: map[int]cell{lastLook: {text: anew, is: restarted, more: exactly(2), took: between(0, time.Second)}},
	},
	{
		id: "X17", slug: "proxy_404",
		outcome: "the proxy has lost authentik, and did not pass the request on: retried",
		fault:   respond(http.StatusNotFound, testkit.Text, "404 page not found"),
		get:     cell{more: exactly(1), took: between(0, 2*time.Second)},
		post:    cell{more: exactly(1), took: between(0, 2*time.Second)},
	},
	{
		id: "X18", slug: "proxy_429",
		outcome: "retried after what Retry-After says",
		fault:   respond(http.StatusTooManyRequests, testkit.Text, "slow down", "Retry-After", "3"),
		get:     cell{more: exactly(1), took: exactly(3 * time.Second)},
		post:    cell{more: exactly(1), took: exactly(3 * time.Second)},
	},

	// authentik fails.
	{
		id: "X19", slug: "server_error_before_execution",
		outcome: "as X01",
		fault:   failure, get: retried,
		post: cell{
			text: "500 Internal Server Error: the body is text/html, not JSON (request ID, 1 attempt, the server may have executed the request)",
			is:   []error{authentik.ErrPerhapsDone, authentik.ErrServer}, more: exactly(1),
		},
	},
	{
		id: "X20", slug: "server_error_after_execution",
		outcome: "as X02",
		fault:   after(failure), get: retried, post: looked,
		at: map[int]cell{lastLook: {text: anew, is: restarted, more: exactly(2), took: between(0, time.Second)}},
	},
	{
		id: "X21", slug: "405_without_a_body",
		outcome: "a GET is not retried; a response has crashed, and perhaps it is executed",
		fault:   crash(http.StatusMethodNotAllowed, testkit.HTML, ""),
		get:     cell{text: "405 Method Not Allowed (request ID, 1 attempt)"},
		post: cell{
			text: "server error (405 without a body: the write crashed, or its path is unknown) (request ID, 1 attempt, the server may have executed the request)",
			is:   []error{authentik.ErrPerhapsDone, authentik.ErrServer}, more: exactly(1),
		},
	},

	// The session.
	{
		id: "X22", slug: "cookie_lost_in_a_request",
		outcome: "the server begins anew; the first response needs no session",
		fault:   losesCookies, get: begunAnew, post: begunAnew,
		at: map[int]cell{
			firstContact: unharmed, first: unharmed,
			proof: {text: noUser, is: []error{authentik.ErrNotLoggedIn, authentik.ErrForbidden}},
		},
	},
	{
		id: "X23", slug: "cookie_lost_in_a_response",
		outcome: "harmless, but for the one that comes with the login",
		fault:   losesSetCookie, get: unharmed, post: unharmed,
		at: map[int]cell{lastLook: {
			text: noUser, is: []error{authentik.ErrNotLoggedIn, authentik.ErrForbidden}, more: exactly(1),
		}},
	},
	{
		id: "X24", slug: "another_flow_in_the_session",
		outcome: "it ends the flow, which begins anew; the first response needs no flow, and the login is done before the proof",
		fault:   runsAnotherFlow, get: begunAnew, post: begunAnew,
		at: map[int]cell{firstContact: unharmed, first: unharmed, proof: unharmed},
	},

	// Something else responds.
	{
		id: "X25", slug: "redirect_loop",
		outcome: "ErrFlowStuck after 64 redirects",
		fault:   redirectsToItself, lasts: testkit.Forever,
		get: cell{
			text: "the flow is stuck: 64 redirects without a challenge",
			is:   []error{authentik.ErrFlowStuck}, more: exactly(63),
		},
		post: cell{
			text: "the flow is stuck: 64 redirects without a challenge",
			is:   []error{authentik.ErrFlowStuck}, more: exactly(64),
		},
		at: map[int]cell{proof: {
			text: "302 Found: redirected to the same URL; no redirect is followed (request ID, 1 attempt)",
		}},
	},
	{
		id: "X26", slug: "login_page",
		outcome: "a DecodeError; after a response, a look first",
		fault:   respond(http.StatusOK, testkit.HTML, "<!doctype html><title>Sign in</title>"), lasts: testkit.Forever,
		get: cell{
			text: "invalid response (200 OK, text/html; charset=utf-8): an HTML page: Sign in (sent by something in front of authentik, 1 attempt)",
			is:   []error{authentik.ErrNotAuthentik},
		},
		post: cell{
			text: "invalid response (200 OK, text/html; charset=utf-8): an HTML page: Sign in" + foreignDoubt,
			is:   []error{authentik.ErrPerhapsDone, authentik.ErrNotAuthentik}, more: exactly(1),
		},
	},
	{
		id: "X27", slug: "redirect_to_another_host",
		outcome: "not followed; the error has no query",
		fault:   respond(http.StatusFound, testkit.HTML, "", "Location", "https://login.example.net/auth?state="+testkit.ServerSecret),
		get: cell{
			text: "302 Found: redirected to https://login.example.net/auth; no redirect is followed (sent by something in front of authentik, 1 attempt)",
			is:   []error{authentik.ErrNotAuthentik},
		},
		post: cell{
			text: "302 Found: redirected to https://login.example.net/auth; no redirect is followed (sent by something in front of authentik, 1 attempt)",
			is:   []error{authentik.ErrNotAuthentik},
		},
	},
	{
		id: "X28", slug: "firewall",
		outcome: "a PermissionError that is not ErrNotLoggedIn",
		fault:   respond(http.StatusForbidden, testkit.HTML, "<html>blocked</html>"),
		get: cell{
			text: "403 Forbidden: blocked (sent by something in front of authentik, 1 attempt)",
			is:   []error{authentik.ErrNotAuthentik, authentik.ErrForbidden},
		},
		post: cell{
			text: "403 Forbidden: blocked (sent by something in front of authentik, 1 attempt)",
			is:   []error{authentik.ErrNotAuthentik, authentik.ErrForbidden},
		},
	},
	{
		id: "X29", slug: "json_that_ends_early",
		outcome: "as a body that is cut",
		fault:   respond(http.StatusOK, testkit.JSON, `{"component":`), get: retried,
		post: cell{
			text: "invalid response (200 OK, application/json): component: unexpected EOF" + doubt,
			is:   perhapsDone, more: exactly(1),
		},
	},
	{
		id: "X30", slug: "no_challenge",
		outcome: "a DecodeError; after a response, a look first",
		fault:   respond(http.StatusOK, testkit.JSON, `[]`),
		get:     cell{text: "invalid response (200 OK, application/json): an array, want an object (1 attempt)"},
		post: cell{
			text: "invalid response (200 OK, application/json): an array, want an object" + doubt,
			is:   perhapsDone, more: exactly(1),
		},
		at: map[int]cell{proof: {text: "invalid response (200 OK, application/json): an array, want an object: [] (1 attempt)"}},
	},
}
