// Command soak walks a large fake install for a while, with many goroutines
// over one client and a network that fails in every way, and checks each list
// that it gets:
//
//	go run ./internal/cmd/soak -for 10m
//
// A walk must deliver exactly the flows that the server had, in order, or end
// with an error that says why it did not: ErrListChanged if the list changed
// meanwhile, and only then; or the failure of the network. It exits with 1 if
// one flow was lost, doubled or wrong, if one error was, or if goroutines or
// memory are left.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/authentiktest"
)

// attempt is longer than an answer takes with all walkers asking at once.
const attempt = 10 * time.Second

func main() {
	duration := flag.Duration("for", 20*time.Second, "how long to start walks")
	flows := flag.Int("flows", 5000, "flows of the install")
	walkers := flag.Int("walkers", 32, "walks at a time")
	faults := flag.Float64("faults", 0.05, "share of the requests that fail in some way")
	seed := flag.Uint64("seed", 1, "of the faults")
	flag.Parse()
	if err := run(os.Stdout, *duration, *flows, *walkers, *faults, *seed); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

func run(out io.Writer, duration time.Duration, flows, walkers int, faults float64, seed uint64) error {
	idle := runtime.NumGoroutine()
	s := &soak{server: authentiktest.Start(authentiktest.Empty()), counts: map[string]int{}}
	s.server.AddFlows(flows)
	if err := s.learn(); err != nil {
		return err
	}
	broken := &network{server: s.server, share: faults, rand: rand.New(rand.NewPCG(seed, 0)), counts: map[string]int{}} //nolint:gosec // to be repeatable
	front := httptest.NewServer(broken)
	client, err := authentik.NewClient(front.URL, s.server.Token, authentik.WithTimeout(attempt),
		authentik.WithRetry(authentik.RetryPolicy{MaxAttempts: 6, BaseDelay: 100 * time.Millisecond}))
	if err != nil {
		return err
	}

	ctx, stop := context.WithCancel(context.Background())
	var walks, changes sync.WaitGroup
	changes.Go(func() { s.change(ctx) })
	end := time.Now().Add(duration)
	for i := range walkers {
		walks.Go(func() {
			for time.Now().Before(end) {
				s.walk(client, i%5)
			}
		})
	}
	heap := make([]uint64, 2) // a quarter of the way, and at the end
	<-time.After(duration / 4)
	s.quiet.Lock() // all walks have ended, and none begins
	heap[0] = inUse()
	s.quiet.Unlock()
	walks.Wait()
	stop()
	changes.Wait()
	client.Close()
	front.Close()
	heap[1] = inUse()
	s.server.Close()

	report(out, s, broken, heap)
	var problems []error
	for _, p := range s.problems {
		problems = append(problems, errors.New(p))
	}
	if s.right == 0 {
		problems = append(problems, errors.New("no walk came to its end"))
	}
	if left := settled(idle); left > idle {
		problems = append(problems, fmt.Errorf("%d goroutines are left", left-idle))
	}
	if heap[1] > heap[0]+heap[0]/5+4<<20 { // the fake's list of requests takes 4 MiB until it is full
		problems = append(problems, fmt.Errorf("the heap grew from %d to %d KiB", heap[0]>>10, heap[1]>>10))
	}
	return errors.Join(problems...)
}

// inUse is the live heap.
func inUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// settled waits for goroutines that are about to end.
func settled(want int) int {
	for range 100 {
		if runtime.NumGoroutine() <= want {
			break
		}
		<-time.After(20 * time.Millisecond)
	}
	return runtime.NumGoroutine()
}

func report(out io.Writer, s *soak, n *network, heap []uint64) {
	_, _ = fmt.Fprintf(out, `%d requests, of which failed: %s
%d changes of the list
%d walks were right; %d ended with an error: %s
%d flows were delivered; lost, doubled or wrong: %d
heap without a walk: %d KiB after a quarter, %d KiB at the end
`, n.requests.Load(), table(n.counts), s.changes, s.right, s.failed, table(s.counts),
		s.delivered, len(s.problems), heap[0]>>10, heap[1]>>10)
}

func table(counts map[string]int) string {
	var lines []string
	for _, key := range slices.Sorted(maps.Keys(counts)) {
		lines = append(lines, fmt.Sprintf("%s %d", key, counts[key]))
	}
	return strings.Join(lines, ", ")
}

// soak is what the server has, and what came of the walks.
type soak struct {
	server *authentiktest.Server
	known  map[uuid.UUID]authentik.Flow // of the first list, as read without faults

	// Walks hold quiet for reading. With all of it held, the list may change in
	// a way that a walk could not see: see change.
	quiet sync.RWMutex

	mu      sync.Mutex
	states  [][]uuid.UUID // of the list, in order: one more with each change
	changes int

	right, failed, delivered int
	counts                   map[string]int
	problems                 []string
}

// learn reads the list without faults.
func (s *soak) learn() error {
	s.known = map[uuid.UUID]authentik.Flow{}
	for flow, err := range s.server.Client().FlowsInstancesAll(context.Background(), nil) {
		if err != nil {
			return err
		}
		s.known[flow.PK] = flow
	}
	s.record()
	return nil
}

func (s *soak) record() {
	flows := s.server.Flows()
	slices.SortFunc(flows, func(a, b authentik.Flow) int { return strings.Compare(a.Slug, b.Slug) })
	var state []uuid.UUID
	for _, flow := range flows {
		state = append(state, flow.PK)
	}
	s.states = append(s.states, state)
}

// change adds flows for a while, and then deletes them. Between the two no
// walk is under way: one that saw a flow added and another one deleted sees
// the same count, and no client can tell.
func (s *soak) change(ctx context.Context) {
	const most = 8
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-time.After(8 * time.Second):
		}
		turn := n%most == 0
		if turn {
			s.quiet.Lock()
		}
		s.mu.Lock()
		if n/most%2 == 0 {
			s.server.AddFlow(authentik.Flow{Slug: fmt.Sprintf("%c-soak-%d", 'a'+rune(n*7%26), n)})
		} else if i := slices.IndexFunc(s.server.Flows(), func(f authentik.Flow) bool { return strings.Contains(f.Slug, "-soak-") }); i >= 0 {
			s.server.DeleteFlow(s.server.Flows()[i].Slug)
		}
		s.changes++
		s.record()
		if turn { // nobody reads an older state any more
			s.states = s.states[len(s.states)-1:]
		}
		s.mu.Unlock()
		if turn {
			s.quiet.Unlock()
		}
	}
}

// walk makes one walk and judges it.
func (s *soak) walk(client *authentik.Client, prefetch int) {
	s.quiet.RLock()
	defer s.quiet.RUnlock()
	s.mu.Lock()
	from := len(s.states) - 1
	s.mu.Unlock()

	got, err := authentik.Collect(client.FlowsInstancesAll(context.Background(), nil, authentik.WithPrefetch(prefetch)))

	s.mu.Lock()
	defer s.mu.Unlock()
	states := s.states[from:]
	s.delivered += len(got)
	seen := map[uuid.UUID]bool{}
	order := make([]uuid.UUID, 0, len(got))
	for _, flow := range got {
		if seen[flow.PK] {
			s.problem("doubled: %s", flow.Slug)
		}
		seen[flow.PK] = true
		order = append(order, flow.PK)
		if known, ok := s.known[flow.PK]; ok && !reflect.DeepEqual(known, flow) {
			s.problem("wrong: %+v, want %+v", flow, known)
		}
	}
	same := func(state []uuid.UUID) bool { return slices.Equal(state, order) }
	begins := func(state []uuid.UUID) bool {
		return len(order) <= len(state) && slices.Equal(state[:len(order)], order)
	}
	switch {
	case err == nil && slices.ContainsFunc(states, same):
		s.right++
		return
	case err == nil:
		s.problem("lost: %d flows without an error, of %d, in %d states", len(order), len(states[0]), len(states))
	case errors.Is(err, authentik.ErrListChanged):
		if len(states) == 1 {
			s.problem("a change that was none: %v", err)
		}
	case len(states) == 1 && !begins(states[0]):
		s.problem("lost before an error: %v", err)
	}
	s.failed++
	s.counts[kind(err)]++
	if kind(err) == "other" {
		s.problem("an error that nothing caused: %v", err)
	}
}

func (s *soak) problem(format string, args ...any) {
	if len(s.problems) < 20 {
		s.problems = append(s.problems, fmt.Sprintf(format, args...))
	}
}

func kind(err error) string {
	var request *authentik.RequestError
	switch {
	case err == nil:
		return "none"
	case errors.Is(err, authentik.ErrListChanged):
		return "the list changed"
	case errors.Is(err, authentik.ErrRateLimited):
		return "429"
	case errors.Is(err, authentik.ErrServer):
		return "5xx"
	case errors.Is(err, authentik.ErrAttemptTimeout):
		return "timeout"
	case errors.As(err, &request):
		return "no answer"
	default:
		return "other"
	}
}

// network passes requests on to a server, and lets some of them fail.
type network struct {
	server   http.Handler
	share    float64
	requests atomic.Int64

	mu     sync.Mutex
	rand   *rand.Rand
	counts map[string]int
}

var faults = []string{"reset", "closed", "cut", "cut by a reset", "503", "429", "starting", "HTML", "drip", "stall"}

func (n *network) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n.requests.Add(1)
	n.mu.Lock()
	fault := ""
	if n.rand.Float64() < n.share {
		fault = faults[n.rand.IntN(len(faults))]
		if fault == "stall" && n.rand.IntN(8) != 0 {
			fault = "drip" // a stall costs the whole of an attempt
		}
		n.counts[fault]++
	}
	latency := time.Duration(n.rand.Int64N(int64(5 * time.Millisecond)))
	n.mu.Unlock()
	<-time.After(latency)

	answer := httptest.NewRecorder()
	n.server.ServeHTTP(answer, r)
	body := answer.Body.Bytes()
	status, header := answer.Code, answer.Header()
	switch fault {
	case "reset", "closed", "cut", "cut by a reset":
		hangUp(w, body, fault)
		return
	case "stall":
		select {
		case <-r.Context().Done():
		case <-time.After(attempt + time.Second):
		}
	case "503", "429":
		status, body = http.StatusServiceUnavailable, nil
		if fault == "429" {
			status = http.StatusTooManyRequests
		}
		header = http.Header{"Retry-After": {"1"}}
	case "starting":
		status, body = http.StatusServiceUnavailable, []byte(`{"error":"authentik starting"}`)
		header = http.Header{"Retry-After": {"1"}, "Content-Type": {"application/json"}}
	case "HTML":
		status, body = http.StatusBadGateway, []byte("<html>Bad Gateway</html>")
		header = http.Header{"Content-Type": {"text/html"}}
	}
	maps.Copy(w.Header(), header)
	w.WriteHeader(status)
	if fault == "drip" {
		for piece := range slices.Chunk(body, 1+len(body)/20) {
			_, _ = w.Write(piece) // the client may have gone
			_ = http.NewResponseController(w).Flush()
			<-time.After(2 * time.Millisecond)
		}
		return
	}
	_, _ = w.Write(body)
}

// hangUp ends the connection, in the midst of an answer or before it.
func hangUp(w http.ResponseWriter, body []byte, fault string) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err) // it is HTTP/1.1 over TCP
	}
	defer func() { _ = conn.Close() }()
	if strings.HasPrefix(fault, "cut") {
		_, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body[:len(body)/2])
	}
	if tcp, ok := conn.(*net.TCPConn); ok && strings.HasSuffix(fault, "reset") {
		_ = tcp.SetLinger(0)
	}
}
