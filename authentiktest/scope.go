package authentiktest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"time"
)

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
	s.add(1, &fault{call: "Reset()", instead: func(request) outcome { return outcome{broken: errReset()} }})
}

func (s scope) failAfterCommit(n int) {
	s.server.t.Helper()
	s.add(n, &fault{call: fmt.Sprintf("FailAfterCommit(%d)", n), spoil: func(o *outcome) {
		*o = outcome{broken: errReset(), change: o.change}
	}})
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
