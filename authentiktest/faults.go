package authentiktest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"syscall"
	"time"
)

// Route is one operation of a server, to let go wrong on its own: it has the
// faults of [Server]. Its own come before those of the server.
type Route struct{ *faults }

// On is the operation with that operationId, such as flows_instances_list or
// flows_bindings_retrieve, to let go wrong on its own. One that the fake does
// not know is misuse.
func (s *Server) On(operation string) *Route {
	if !slices.ContainsFunc(s.endpoints, func(e endpoint) bool { return e.has(operation) }) {
		s.t.Helper()
		s.misuse("On: the fake does not know the operation %q", operation)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.on[operation] == nil {
		s.on[operation] = &faults{server: s}
	}
	return &Route{s.on[operation]}
}

// faults are what goes wrong with an operation, or with all of them. They are
// taken in the order in which they were set up, one by each request.
type faults struct {
	server  *Server
	queue   []fault // under the server's mutex, as all that follows
	latency time.Duration
	changes []pageChange
}

// fault is what goes wrong with the next n requests.
type fault struct {
	n     int
	apply func(*outcome, request)
}

// pageChange is what a list goes through after a page of it was answered.
type pageChange struct {
	page   int
	change func()
}

// outcome is what becomes of a request.
type outcome struct {
	status int // 0: the connection is reset
	header http.Header
	body   []byte
	cut    int // how much of the body is sent; negative is all of it
	wait   time.Duration
	change func()
}

// add sets up a fault for the next n requests.
func (f *faults) add(name string, n int, apply func(*outcome, request)) {
	if n < 1 {
		f.server.t.Helper()
		f.server.misuse("%s: %d requests are none", name, n)
		return
	}
	f.server.mu.Lock()
	defer f.server.mu.Unlock()
	f.queue = append(f.queue, fault{n, apply})
}

// FailNext answers the next n requests with a status, a body and a header,
// which may be nil: as a proxy in front of authentik would, without what
// authentik adds. Without a Content-Type the body has that of JSON if it is
// some, and else text/html.
func (f *faults) FailNext(n, status int, body string, header http.Header) {
	if status < 200 || status > 999 {
		f.server.t.Helper()
		f.server.misuse("FailNext: %d is not the status of an answer", status)
		return
	}
	header = header.Clone()
	if header == nil {
		header = http.Header{}
	}
	if header.Get("Content-Type") == "" {
		header.Set("Content-Type", notJSON)
		if json.Valid([]byte(body)) {
			header.Set("Content-Type", "application/json")
		}
	}
	f.add("FailNext", n, func(o *outcome, _ request) {
		o.status, o.header, o.body = status, header.Clone(), []byte(body)
		if status == http.StatusNoContent || status == http.StatusNotModified {
			o.body = nil
		}
	})
}

// HTMLPage answers the next n requests with status 200 and a page of HTML, as
// a proxy does that wants its user to log in.
func (f *faults) HTMLPage(n int) {
	f.add("HTMLPage", n, func(o *outcome, _ request) {
		o.status, o.header, o.body = http.StatusOK, http.Header{"Content-Type": {notJSON}}, []byte(htmlPage)
	})
}

// Starting answers the next n requests as authentik's router does while the
// server behind it starts: with status 502, 503 or, in 2025.10.0, 200, by the
// release and by what the client accepts.
func (f *faults) Starting(n int) {
	f.add("Starting", n, func(o *outcome, q request) {
		f.answer(o, f.server.store.startingAnswer(acceptsExactlyJSON(q)))
	})
}

// Crashed answers the next n requests as authentik's router does once the
// server behind it has died: with status 502, by the release and by what the
// client accepts, and to the first one that its connection was reset.
func (f *faults) Crashed(n int) {
	underWay := true
	f.add("Crashed", n, func(o *outcome, q request) {
		f.answer(o, f.server.store.crashedAnswer(acceptsExactlyJSON(q), underWay))
		underWay = false
	})
}

func acceptsExactlyJSON(q request) bool { return q.Header.Get("Accept") == "application/json" }

func (f *faults) answer(o *outcome, a reply) {
	o.status, o.header, o.body = a.status, f.server.header(a), a.body
}

// CutBody cuts the connection after that many bytes of the body of the next
// answer; of a shorter body the last byte is missing.
func (f *faults) CutBody(after int) {
	f.add("CutBody", 1, func(o *outcome, _ request) { o.cut = max(0, min(after, len(o.body)-1)) })
}

// Reset resets the connection of the next request: there is no answer.
func (f *faults) Reset() {
	f.add("Reset", 1, func(o *outcome, _ request) { o.status = 0 })
}

// Latency lets every answer wait, until it is set again: zero is none. With
// [RoundTripper] in a bubble of [testing/synctest] it takes no time.
func (f *faults) Latency(d time.Duration) {
	f.server.mu.Lock()
	defer f.server.mu.Unlock()
	f.latency = d
}

// ChangeListAfterPage calls change once, after that page of a list has been
// answered and before the client has it: to add or delete something in the
// middle of a walk. change is called in a goroutine of the server, where
// t.FailNow must not be used.
func (f *faults) ChangeListAfterPage(page int, change func()) {
	if page < 1 || change == nil {
		f.server.t.Helper()
		f.server.misuse("ChangeListAfterPage: there is no page %d, or nothing to do", page)
		return
	}
	f.server.mu.Lock()
	defer f.server.mu.Unlock()
	f.changes = append(f.changes, pageChange{page, change})
}

// ClearFaults ends what was set up with the other methods.
func (f *faults) ClearFaults() {
	f.server.mu.Lock()
	defer f.server.mu.Unlock()
	f.queue, f.latency, f.changes = nil, 0, nil
}

// spoil does to an outcome what its operation, or else the server, has set up.
func (s *Server) spoil(o *outcome, operation string, q request, page int) {
	scopes := []*faults{s.faults}
	if own := s.on[operation]; own != nil {
		scopes = []*faults{own, s.faults}
	}
	for _, f := range scopes {
		o.wait += f.latency
		i := slices.IndexFunc(f.changes, func(c pageChange) bool { return c.page == page })
		if i >= 0 && o.change == nil {
			o.change = f.changes[i].change
			f.changes = slices.Delete(f.changes, i, i+1)
		}
	}
	for _, f := range scopes {
		if len(f.queue) == 0 {
			continue
		}
		f.queue[0].apply(o, q)
		if f.queue[0].n--; f.queue[0].n == 0 {
			f.queue = f.queue[1:]
		}
		return
	}
}

var errClosed = errors.New("authentiktest: the server is closed")

// settle waits and changes what is to be changed, before anything is sent.
func (s *Server) settle(r *http.Request, o outcome) error {
	if o.change != nil {
		o.change()
	}
	if o.wait <= 0 {
		return nil
	}
	timer := time.NewTimer(o.wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-s.done:
		return errClosed
	case <-r.Context().Done():
		return r.Context().Err()
	}
}

// reset ends a connection as a process that dies does.
func reset(w http.ResponseWriter) {
	if hijacker, ok := w.(http.Hijacker); ok {
		if conn, _, err := hijacker.Hijack(); err == nil {
			if tcp, ok := conn.(*net.TCPConn); ok {
				_ = tcp.SetLinger(0) // then closing it says so
			}
			_ = conn.Close()
			return
		}
	}
	panic(http.ErrAbortHandler)
}

// errReset is what a client's transport says of it.
func errReset() error {
	return &net.OpError{Op: "read", Net: "tcp", Err: fmt.Errorf("read: %w", syscall.ECONNRESET)}
}

// cutReader ends as the body of a connection that is cut.
type cutReader struct{}

func (cutReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
