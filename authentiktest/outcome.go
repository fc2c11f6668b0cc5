package authentiktest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// faults are the faults of an operation, or of all operations together. The
// server's mutex guards them.
type faults struct {
	queue   []*fault // each request takes one, in this order
	changes []*fault // after a page of a list
	latency *fault
}

// fault is what goes wrong, and what has become of it.
type fault struct {
	call  string // how the fault was set up
	where string // the line of the test that set it up
	met   bool

	left    int                   // requests that the fault is for
	instead func(request) outcome // in the place of the response; the request does not take effect
	spoil   func(*outcome)        // what becomes of the response

	wait   time.Duration // of a latency
	page   int           // of a list that changes after it
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

// scope is where faults are set up: a server, or one of its operations.
type scope struct {
	server *Server
	prefix string // of the calls, in reports
	faults *faults
}

// set changes the faults of the scope. The caller of the package is where f
// was set up.
func (s scope) set(f *fault, change func(*faults)) {
	f.call, f.where = s.prefix+f.call, caller()
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	change(s.faults)
}

// add sets up a fault of the next n requests.
func (s scope) add(n int, f *fault) {
	if n < 1 {
		s.server.t.Helper()
		s.server.misuse("%s: n must be at least 1", f.call)
		return
	}
	f.left = n
	s.set(f, func(all *faults) { all.queue = append(all.queue, f) })
}

func (s scope) failNext(n, status int, body string, header http.Header) {
	s.server.t.Helper()
	f := &fault{call: fmt.Sprintf("FailNext(%d, %d, …)", n, status)}
	if status < 200 || status > 999 {
		s.server.misuse("%s: %d is not the status of a response", f.call, status)
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
	if status == http.StatusNoContent || status == http.StatusNotModified {
		body = ""
	}
	f.instead = func(request) outcome {
		return outcome{status: status, header: header.Clone(), body: []byte(body), cut: -1}
	}
	s.add(n, f)
}

func (s scope) htmlPage(n int) {
	s.server.t.Helper()
	s.add(n, &fault{call: fmt.Sprintf("HTMLPage(%d)", n), instead: func(request) outcome {
		return outcome{
			status: http.StatusOK, header: http.Header{"Content-Type": {notJSON}}, body: []byte(htmlPage), cut: -1,
		}
	}})
}

func (s scope) starting(n int) {
	s.server.t.Helper()
	s.add(n, &fault{call: fmt.Sprintf("Starting(%d)", n), instead: func(q request) outcome {
		return s.server.sent(q.rules.startingAnswer(acceptsExactlyJSON(q)))
	}})
}

func (s scope) crashed(n int) {
	s.server.t.Helper()
	inFlight := true
	s.add(n, &fault{call: fmt.Sprintf("Crashed(%d)", n), instead: func(q request) outcome {
		a := q.rules.crashedAnswer(acceptsExactlyJSON(q), inFlight)
		inFlight = false
		return s.server.sent(a)
	}})
}

func acceptsExactlyJSON(q request) bool { return q.Header.Get("Accept") == "application/json" }

func (s scope) cutBody(after int) {
	s.server.t.Helper()
	s.add(1, &fault{call: fmt.Sprintf("CutBody(%d)", after), spoil: func(o *outcome) {
		o.cut = max(0, min(after, len(o.body)-1))
	}})
}

func (s scope) reset() {
	s.server.t.Helper()
	s.add(1, &fault{call: "Reset()", instead: func(request) outcome { return outcome{cut: -1} }})
}

func (s scope) delay(d time.Duration) {
	f := &fault{call: fmt.Sprintf("Latency(%v)", d), wait: d}
	s.set(f, func(all *faults) {
		if all.latency = f; d <= 0 {
			all.latency = nil
		}
	})
}

func (s scope) changeAfter(page int, change func()) {
	s.server.t.Helper()
	f := &fault{call: fmt.Sprintf("ChangeListAfterPage(%d, …)", page), page: page, change: change}
	if page < 1 || change == nil {
		s.server.misuse("%s: the page must be at least 1, and change must not be nil", f.call)
		return
	}
	s.set(f, func(all *faults) { all.changes = append(all.changes, f) })
}

func (s scope) clear() {
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	*s.faults = faults{}
}

// scopes returns the faults that a request meets, those of its operation first.
func (s *Server) scopes(q request) []*faults {
	if own := s.on[q.operation]; own != nil {
		return []*faults{own, s.all}
	}
	return []*faults{s.all}
}

// next returns the fault of a request, which may be nil.
func (s *Server) next(q request) *fault {
	for _, all := range s.scopes(q) {
		if len(all.queue) == 0 {
			continue
		}
		f := all.queue[0]
		f.met = true
		if f.left--; f.left == 0 {
			all.queue = all.queue[1:]
		}
		return f
	}
	return nil
}

// outcome returns what becomes of a request.
func (s *Server) outcome(q request, handle func(request) reply) (o outcome) {
	if s.misused != "" {
		return s.sent(reply{
			status: statusMisuse, contentType: "text/plain; charset=utf-8", router: true,
			body: []byte("authentiktest: " + s.misused),
		})
	}
	f := s.next(q)
	if f != nil && f.instead != nil {
		o = f.instead(q)
	} else {
		a := handle(q)
		o = s.sent(a)
		o.change = s.changeAfter(q, a.page)
	}
	if f != nil && f.spoil != nil {
		f.spoil(&o)
	}
	for _, all := range s.scopes(q) {
		if all.latency != nil {
			all.latency.met = true
			o.wait += all.latency.wait
		}
	}
	return o
}

// sent returns an answer as it is sent.
func (s *Server) sent(a reply) outcome {
	return outcome{status: a.status, header: s.header(a), body: a.body, cut: -1}
}

// changeAfter returns the change that was set up after a page of a list.
func (s *Server) changeAfter(q request, page int) func() {
	for _, all := range s.scopes(q) {
		i := slices.IndexFunc(all.changes, func(f *fault) bool { return f.page == page })
		if i >= 0 {
			f := all.changes[i]
			all.changes = slices.Delete(all.changes, i, i+1)
			return f.change
		}
	}
	return nil
}

// unmet returns the faults that no request has met, in the order of the lines
// that set them up.
func (s *Server) unmet() (all []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.misused != "" {
		return nil // no request meets a fault any more
	}
	var left []*fault
	for _, in := range append(slices.Collect(maps.Values(s.on)), s.all) {
		left = append(left, slices.Concat(in.queue, in.changes)...)
		if in.latency != nil {
			left = append(left, in.latency)
		}
	}
	for _, f := range left {
		if !f.met {
			all = append(all, fmt.Sprintf("%s: no request met the fault %s", f.where, f.call))
		}
	}
	slices.Sort(all)
	return all
}

// caller returns the line outside of this package that called into it.
func caller() string {
	own := reflect.TypeFor[Server]().PkgPath() + "."
	pcs := make([]uintptr, 16)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs)])
	for {
		frame, more := frames.Next()
		if !strings.HasPrefix(frame.Function, own) {
			return fmt.Sprintf("%s:%d", filepath.Base(frame.File), frame.Line)
		}
		if !more {
			return "an unknown line"
		}
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

// reset ends a connection as a process does that dies.
func reset(w http.ResponseWriter) {
	if hijacker, ok := w.(http.Hijacker); ok {
		if conn, _, err := hijacker.Hijack(); err == nil {
			if tcp, ok := conn.(*net.TCPConn); ok {
				_ = tcp.SetLinger(0) // closing the connection then resets it
			}
			_ = conn.Close()
			return
		}
	}
	panic(http.ErrAbortHandler)
}

// errReset returns what a client's transport says of a reset.
func errReset() error {
	return &net.OpError{Op: "read", Net: "tcp", Err: fmt.Errorf("read: %w", syscall.ECONNRESET)}
}

// cutReader ends as the body of a connection that is cut.
type cutReader struct{}

func (cutReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
