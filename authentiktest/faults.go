package authentiktest

import (
	"fmt"
	"net/http"
	"time"
)

// Route is one operation of a server. Its methods set up faults of that
// operation alone, which take effect before the faults of the [Server].
type Route struct{ scope scope }

// On returns the operation with that operationId, such as flows_instances_list
// or flows_bindings_retrieve. An operation that the fake does not know is
// misuse.
func (s *Server) On(operation string) *Route {
	s.t.Helper()
	s.mu.Lock()
	known := s.knows(operation)
	if s.on[operation] == nil {
		s.on[operation] = &faults{}
	}
	route := &Route{scope{s, `On("` + operation + `").`, s.on[operation]}}
	s.mu.Unlock()
	if !known {
		s.misuse("On: the fake does not know the operation %q", operation)
	}
	return route
}

func (s *Server) scope() scope { return scope{s, "", s.all} }

// FailNext responds to the next n requests with a status, a body and a header,
// which may be nil. The response is that of a proxy in front of authentik: the
// requests do not take effect, and the header fields that authentik adds are
// missing. Without a Content-Type the response has application/json if the body
// is JSON, and else text/html.
func (s *Server) FailNext(n, status int, body string, header http.Header) {
	s.t.Helper()
	s.scope().failNext(n, status, body, header)
}

// FailNext does what [Server.FailNext] does, for one operation.
func (r *Route) FailNext(n, status int, body string, header http.Header) {
	r.scope.server.t.Helper()
	r.scope.failNext(n, status, body, header)
}

// HTMLPage responds to the next n requests with status 200 and an HTML page, as
// a proxy does that requires a login.
func (s *Server) HTMLPage(n int) {
	s.t.Helper()
	s.scope().htmlPage(n)
}

// HTMLPage does what [Server.HTMLPage] does, for one operation.
func (r *Route) HTMLPage(n int) {
	r.scope.server.t.Helper()
	r.scope.htmlPage(n)
}

// Starting responds to the next n requests as authentik's router does while the
// server behind the router starts. The status is 502, 503 or, in 2025.10.0, 200.
// The body depends on the release and on the request's Accept.
func (s *Server) Starting(n int) {
	s.t.Helper()
	s.scope().starting(n)
}

// Starting does what [Server.Starting] does, for one operation.
func (r *Route) Starting(n int) {
	r.scope.server.t.Helper()
	r.scope.starting(n)
}

// Crashed responds to the next n requests with status 502, as authentik's router
// does once the server behind the router has died. The first response is that to
// a request in flight. None of the requests takes effect.
func (s *Server) Crashed(n int) {
	s.t.Helper()
	s.scope().crashed(n)
}

// Crashed does what [Server.Crashed] does, for one operation.
func (r *Route) Crashed(n int) {
	r.scope.server.t.Helper()
	r.scope.crashed(n)
}

// CutBody cuts the connection after that many bytes of the body of the next
// response. Of a shorter body only the last byte is missing. The request has
// taken effect.
func (s *Server) CutBody(after int) {
	s.t.Helper()
	s.scope().cutBody(after)
}

// CutBody does what [Server.CutBody] does, for one operation.
func (r *Route) CutBody(after int) {
	r.scope.server.t.Helper()
	r.scope.cutBody(after)
}

// Reset resets the connection of the next request instead of a response. The
// request does not take effect.
func (s *Server) Reset() {
	s.t.Helper()
	s.scope().reset()
}

// Reset does what [Server.Reset] does, for one operation.
func (r *Route) Reset() {
	r.scope.server.t.Helper()
	r.scope.reset()
}

// FailAfterCommit resets the connections of the next n requests instead of
// their responses. The requests have taken effect: a client that sends a write
// again repeats it.
func (s *Server) FailAfterCommit(n int) {
	s.t.Helper()
	s.scope().failAfterCommit(n)
}

// FailAfterCommit does what [Server.FailAfterCommit] does, for one operation.
func (r *Route) FailAfterCommit(n int) {
	r.scope.server.t.Helper()
	r.scope.failAfterCommit(n)
}

// Behind responds to every request, from now on and for d, as a proxy does
// that cannot reach authentik. The requests do not take effect.
func (s *Server) Behind(proxy Proxy, d time.Duration) {
	s.t.Helper()
	s.scope().behind(proxy, d)
}

// Behind does what [Server.Behind] does, for one operation.
func (r *Route) Behind(proxy Proxy, d time.Duration) {
	r.scope.server.t.Helper()
	r.scope.behind(proxy, d)
}

// RateLimit refuses the requests beyond a limit, until RateLimit is called
// again. The refused requests do not take effect.
func (s *Server) RateLimit(limit Limit) {
	s.t.Helper()
	s.scope().rateLimit(limit)
}

// RateLimit does what [Server.RateLimit] does, for one operation.
func (r *Route) RateLimit(limit Limit) {
	r.scope.server.t.Helper()
	r.scope.rateLimit(limit)
}

// Down refuses connections, from now on and for d, and closes those of the
// clients. A request in flight gets no response. A server on loopback does not
// see the connections that are refused, and so does not report a Down that no
// request has met.
func (s *Server) Down(d time.Duration) {
	s.t.Helper()
	s.interrupt(fmt.Sprintf("Down(%v)", d), d, errRefused())
}

// Unresolvable makes the name of the server unknown to the DNS, from now on and
// for d. A server on loopback has no name, and Unresolvable is misuse.
func (s *Server) Unresolvable(d time.Duration) {
	s.t.Helper()
	if s.socket != nil {
		s.misuse("Unresolvable(%v): a server on loopback has no name: use RoundTripper", d)
		return
	}
	s.interrupt(fmt.Sprintf("Unresolvable(%v)", d), d, errNoSuchHost())
}

// KillConnections makes the open connections of clients die silently, as when a
// NAT has forgotten them. A request over one of them is lost without a
// response. New connections work. A server without a socket loses the next
// request.
func (s *Server) KillConnections() {
	s.t.Helper()
	s.kill()
}

// Latency delays every response by d, until Latency is called again. With
// [RoundTripper] in a bubble of [testing/synctest] the delay takes no time.
// Requests have taken effect before the delay.
func (s *Server) Latency(d time.Duration) {
	s.t.Helper()
	s.scope().delay(d)
}

// Latency does what [Server.Latency] does, for one operation, in addition to
// the latency of the server.
func (r *Route) Latency(d time.Duration) {
	r.scope.server.t.Helper()
	r.scope.delay(d)
}

// ChangeListAfterPage calls change once, between a response with that page of
// a list and its arrival at the client, so that a list changes while a client
// iterates over the list. The function runs in a goroutine of the server, where
// t.FailNow must not be called.
func (s *Server) ChangeListAfterPage(page int, change func()) {
	s.t.Helper()
	s.scope().changeAfter(page, change)
}

// ChangeListAfterPage does what [Server.ChangeListAfterPage] does, for one
// operation.
func (r *Route) ChangeListAfterPage(page int, change func()) {
	r.scope.server.t.Helper()
	r.scope.changeAfter(page, change)
}

// ClearFaults removes the faults of all operations together, and ends a
// [Server.Down]. The faults of single operations stay: see [Route.ClearFaults].
func (s *Server) ClearFaults() {
	s.scope().clear()
	s.restore()
}

// ClearFaults removes the faults of the operation.
func (r *Route) ClearFaults() { r.scope.clear() }
