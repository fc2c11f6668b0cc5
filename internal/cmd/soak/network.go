package main

import (
	"bytes"
	"fmt"
	"hash/maphash"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// network passes requests on to a server, and lets some of them fail.
type network struct {
	server   http.Handler
	share    float64
	requests atomic.Int64

	mu      sync.Mutex
	rand    *rand.Rand
	counts  map[string]int
	done    executed
	doubled []string
}

func newNetwork(server http.Handler, share float64, seed uint64) *network {
	return &network{
		server: server, share: share, counts: map[string]int{}, done: newExecuted(),
		rand: rand.New(rand.NewPCG(seed, 0)), //nolint:gosec // to be repeatable
	}
}

// fault is a way to fail. A write that fails has reached the server always,
// never, or now and then; what a client may take for a refusal has not.
type fault struct {
	name    string
	reaches float64 // the share that the server executes
}

var faults = []fault{
	{"reset", 1},
	{"reset before the server", 0},
	{"closed", 1},
	{"cut", 1},
	{"cut by a reset", 1},
	{"503", 0.5},
	{"429", 0},
	{"starting", 0},
	{"HTML", 0.5},
	{"crash", 0.5},
	{"drip", 1},
	{"stall", 1},
}

// next decides what happens to a request.
func (n *network) next(write bool) (f fault, reaches bool, latency time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	reaches = true
	if n.rand.Float64() < n.share {
		f = faults[n.rand.IntN(len(faults))]
		switch {
		case f.name == "stall" && n.rand.IntN(8) != 0, // a stall costs the whole of an attempt
			f.name == "crash" && !write: // a read that crashes has another face
			f = fault{"drip", 1}
		}
		n.counts[f.name]++
		reaches = n.rand.Float64() < f.reaches
	}
	return f, reaches, time.Duration(n.rand.Int64N(int64(5 * time.Millisecond)))
}

func (n *network) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n.requests.Add(1)
	f, reaches, latency := n.next(r.Method != http.MethodGet)
	<-time.After(latency)
	answer := httptest.NewRecorder()
	if reaches {
		n.pass(answer, r)
	}
	body := answer.Body.Bytes()
	status, header := answer.Code, answer.Header()
	switch f.name {
	case "reset", "reset before the server", "closed", "cut", "cut by a reset":
		hangUp(w, answer, f.name)
		return
	case "stall":
		select {
		case <-r.Context().Done():
		case <-time.After(attempt + time.Second):
		}
	case "503", "429":
		status, body = http.StatusServiceUnavailable, nil
		if f.name == "429" {
			status = http.StatusTooManyRequests
		}
		header = http.Header{"Retry-After": {"1"}}
	case "starting":
		status, body = http.StatusServiceUnavailable, []byte(`{"error":"authentik starting"}`)
		header = http.Header{"Retry-After": {"1"}, "Content-Type": {"application/json"}}
	case "HTML":
		status, body = http.StatusBadGateway, []byte("<html>Bad Gateway</html>")
		header = http.Header{"Content-Type": {"text/html"}}
	case "crash":
		status, body = http.StatusMethodNotAllowed, nil
		header = http.Header{"Content-Type": {"text/html; charset=utf-8"}}
	}
	maps.Copy(w.Header(), header)
	w.WriteHeader(status)
	if f.name == "drip" {
		for piece := range slices.Chunk(body, 1+len(body)/20) {
			_, _ = w.Write(piece) // the client may have gone
			_ = http.NewResponseController(w).Flush()
			<-time.After(2 * time.Millisecond)
		}
		return
	}
	_, _ = w.Write(body)
}

// pass hands a request to the server, and notices one that is sent again though
// the server has executed it: a creation, an import, a renaming or the answer to a
// challenge of the same session.
func (n *network) pass(answer *httptest.ResponseRecorder, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client has gone
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	once := r.Method == http.MethodPost ||
		r.Method == http.MethodPatch && bytes.Contains(body, []byte(`"slug":`))
	if !once {
		n.server.ServeHTTP(answer, r)
		return
	}
	key := r.Method + " " + r.URL.Path + " " + r.Header.Get("Cookie") + " " + string(body)
	n.mu.Lock()
	if n.done.has(key) {
		n.doubled = append(n.doubled, fmt.Sprintf("sent again: %s %s", r.Method, r.URL.Path))
	}
	n.mu.Unlock()
	n.server.ServeHTTP(answer, r)
	if answer.Code < http.StatusBadRequest {
		n.mu.Lock()
		n.done.add(key)
		n.mu.Unlock()
	}
}

// executed remembers the last requests that a server has executed, of which no
// two are the same: at least 20,000, which is longer than a client retries.
type executed struct {
	seed         maphash.Seed
	young, older map[uint64]struct{}
}

const remembered = 20_000

func newExecuted() executed {
	return executed{maphash.MakeSeed(), map[uint64]struct{}{}, map[uint64]struct{}{}}
}

func (e *executed) add(key string) {
	if len(e.young) >= remembered {
		e.young, e.older = map[uint64]struct{}{}, e.young
	}
	e.young[maphash.String(e.seed, key)] = struct{}{}
}

func (e *executed) has(key string) bool {
	hash := maphash.String(e.seed, key)
	_, young := e.young[hash]
	_, older := e.older[hash]
	return young || older
}

// hangUp ends the connection, in the midst of an answer or before it.
func hangUp(w http.ResponseWriter, answer *httptest.ResponseRecorder, fault string) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err) // it is HTTP/1.1 over TCP
	}
	defer func() { _ = conn.Close() }()
	if body := answer.Body.Bytes(); strings.HasPrefix(fault, "cut") && len(body) > 0 {
		var half bytes.Buffer
		_, _ = fmt.Fprintf(&half, "HTTP/1.1 %d %s\r\n", answer.Code, http.StatusText(answer.Code))
		answer.Header().Set("Content-Length", strconv.Itoa(len(body)))
		_ = answer.Header().Write(&half)
		_, _ = fmt.Fprintf(&half, "\r\n%s", body[:len(body)/2])
		_, _ = conn.Write(half.Bytes()) // the client may have gone
	}
	if tcp, ok := conn.(*net.TCPConn); ok && strings.Contains(fault, "reset") {
		_ = tcp.SetLinger(0)
	}
}
