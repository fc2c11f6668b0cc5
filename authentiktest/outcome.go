package authentiktest

import (
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"time"
)

// faults are the faults of an operation, or of all operations together. The
// server's mutex guards them.
type faults struct {
	windows []*fault // for a time, the first that has not ended
	limiter *limiter
	queue   []*fault // each request takes one, in this order
	changes []*fault // after a page of a list
	latency *fault
}

// fault is a fault and its state.
type fault struct {
	call  string // how the fault was set up
	where string // the line of the test that set it up
	met   bool

	left    int                   // requests that the fault is for
	until   time.Time             // of a fault for a time
	instead func(request) outcome // in the place of the response; the request does not take effect
	spoil   func(*outcome)        // what becomes of the response

	wait   time.Duration // of a latency
	page   int           // of a list that changes after it
	change func()
}

// outcome is what becomes of a request.
type outcome struct {
	broken error // the connection breaks, and this is what a client sees
	status int
	header http.Header
	body   []byte
	cut    int // how much of the body is sent; negative is all of it
	wait   time.Duration
	change func()
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
		if f := all.next(); f != nil {
			f.met = true
			return f
		}
	}
	return nil
}

func (all *faults) next() *fault {
	if i := slices.IndexFunc(all.windows, func(f *fault) bool { return !f.ended() }); i >= 0 {
		return all.windows[i]
	}
	if all.limiter != nil && all.limiter.refuses() {
		return &all.limiter.fault
	}
	if len(all.queue) == 0 {
		return nil
	}
	f := all.queue[0]
	if f.left--; f.left == 0 {
		all.queue = all.queue[1:]
	}
	return f
}

// remaining returns the faults that have been set up and not removed.
func (all *faults) remaining() []*fault {
	left := slices.Concat(all.windows, all.queue, all.changes)
	if all.limiter != nil {
		left = append(left, &all.limiter.fault)
	}
	if all.latency != nil {
		left = append(left, all.latency)
	}
	return left
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

// sent returns a reply as it is sent.
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
	left := slices.Clone(s.link.faults)
	for _, in := range append(slices.Collect(maps.Values(s.on)), s.all) {
		left = append(left, in.remaining()...)
	}
	for _, f := range left {
		if !f.met {
			all = append(all, fmt.Sprintf("%s: no request met the fault %s", f.where, f.call))
		}
	}
	slices.Sort(all)
	return all
}

// settle waits, and makes the changes of the outcome, before anything is sent.
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
			under := conn
			if secure, ok := conn.(*tls.Conn); ok {
				under = secure.NetConn()
			}
			if tcp, ok := under.(interface{ SetLinger(seconds int) error }); ok {
				_ = tcp.SetLinger(0) // closing the connection then resets it
			}
			_ = under.Close() // without the farewell of TLS
			return
		}
	}
	panic(http.ErrAbortHandler)
}

// cutReader ends as the body of a connection that is cut.
type cutReader struct{}

func (cutReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
