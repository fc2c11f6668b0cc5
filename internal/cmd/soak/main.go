// Command soak uses two fake installs for a while, with many goroutines over
// two clients and a network that fails in every way, and checks all that comes
// back:
//
//	go run ./internal/cmd/soak -for 10m
//
// One install is large and is listed. A list must have exactly the flows that
// the server had, in order, or end with an error that says why it has not:
// ErrListChanged if the list changed meanwhile, and only then; or the failure
// of the network.
//
// The other one is written. Each goroutine creates, changes, renames, imports
// and deletes flows of its own, and binds, reorders and removes their stages. A
// write that succeeds must have been done, once. One that fails must not have
// been done, unless its error is ErrPerhapsDone. In the end the server must
// have what the goroutines know that it has. Each goroutine logs users in, who
// must be nobody else, and out.
//
// The command exits with 1 if anything was lost, doubled or wrong, if an error
// was, or if goroutines or memory are left.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http/httptest"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/authentiktest"
)

// attempt is longer than an answer takes with all goroutines asking at once.
const attempt = 10 * time.Second

// settings are those of a run.
type settings struct {
	duration   time.Duration
	flows      int // of the install that is listed
	goroutines int
	faults     float64
	seed       uint64
}

func main() {
	var s settings
	flag.DurationVar(&s.duration, "for", 20*time.Second, "how long to go on")
	flag.IntVar(&s.flows, "flows", 5000, "flows of the install that is listed")
	flag.IntVar(&s.goroutines, "goroutines", 32, "how many there are")
	flag.Float64Var(&s.faults, "faults", 0.05, "share of the requests that fail in some way")
	flag.Uint64Var(&s.seed, "seed", 1, "of what happens")
	flag.Parse()
	if err := run(os.Stdout, s); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

var retries = authentik.RetryPolicy{MaxAttempts: 6, BaseDelay: 100 * time.Millisecond}

// front is a server with a network before it, and a client.
type front struct {
	*network

	server *httptest.Server
	client *authentik.Client
}

func newFront(server *authentiktest.Server, s settings) (*front, error) {
	n := newNetwork(server, s.faults, s.seed)
	f := &front{network: n, server: httptest.NewServer(n)}
	var err error
	f.client, err = authentik.NewClient(f.server.URL, server.Token, authentik.WithTimeout(attempt), authentik.WithRetry(retries))
	return f, err
}

func (f *front) close() {
	f.client.Close()
	f.server.Close()
}

// walkEvery is how many things a goroutine does for each walk, which takes as
// many requests as all of them.
const walkEvery = 60

func run(out io.Writer, s settings) error {
	idle := runtime.NumGoroutine()
	walks := &soak{server: authentiktest.Start(authentiktest.Empty()), counts: map[string]int{}}
	walks.server.AddFlows(s.flows)
	if err := walks.learn(); err != nil {
		return err
	}
	writes, err := newWrites(s.seed, s.goroutines)
	if err != nil {
		return err
	}
	listed, err := newFront(walks.server, s)
	if err != nil {
		return err
	}
	written, err := newFront(writes.server, s)
	if err != nil {
		return err
	}

	ctx, stop := context.WithCancel(context.Background())
	var all, changes sync.WaitGroup
	changes.Go(func() { walks.change(ctx) })
	end := time.Now().Add(s.duration)
	for i, writer := range writes.writers {
		all.Go(func() {
			for n := i * walkEvery / s.goroutines; time.Now().Before(end); n++ {
				if n%walkEvery == 0 {
					walks.walk(listed.client, i%5)
					continue
				}
				walks.quiet.RLock()
				writer.step(ctx, written)
				walks.quiet.RUnlock()
			}
		})
	}
	heap := make([]uint64, 2) // a quarter of the way, and at the end
	<-time.After(s.duration / 4)
	walks.quiet.Lock() // nobody does anything, and nobody begins
	heap[0] = inUse()
	walks.quiet.Unlock()
	all.Wait()
	stop()
	changes.Wait()
	listed.close()
	written.close()
	heap[1] = inUse()
	writes.check()
	walks.server.Close()
	writes.server.Close()

	report(out, walks, listed.network, heap)
	writes.report(out, written.network)
	return errors.Join(walks.verdict(), writes.verdict(written.network), left(idle, heap))
}

// left reports goroutines and memory that are left.
func left(idle int, heap []uint64) error {
	var problems []error
	if now := settled(idle); now > idle {
		problems = append(problems, fmt.Errorf("%d goroutines are left", now-idle))
	}
	if heap[1] > heap[0]+heap[0]/5+8<<20 { // the fakes' lists of requests take 4 MiB each until they are full
		problems = append(problems, fmt.Errorf("the heap grew from %d to %d KiB", heap[0]>>10, heap[1]>>10))
	}
	return errors.Join(problems...)
}

func joined(problems []string) error {
	var all []error
	for _, p := range problems {
		all = append(all, errors.New(p))
	}
	return errors.Join(all...)
}

func (s *soak) verdict() error {
	err := joined(s.problems)
	if s.right == 0 {
		err = errors.Join(err, errors.New("no walk came to its end"))
	}
	return err
}

func (w *writes) verdict(n *network) error {
	err := joined(append(w.problems, n.doubled...))
	for _, operation := range []string{
		"create", "patch", "update", "rename", "import", "delete", "bind", "reorder", "unbind", "list",
		"login", "refused login", "logout",
	} {
		if w.counts[operation] == 0 {
			err = errors.Join(err, fmt.Errorf("no %s succeeded", operation))
		}
	}
	return err
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
	_, _ = fmt.Fprintf(out, `lists: %d requests, of which failed: %s
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

func (w *writes) report(out io.Writer, n *network) {
	_, _ = fmt.Fprintf(out, `writes: %d requests, of which failed: %s
succeeded: %s
errors: %s
%d errors of writes said perhaps done, %d of them were done; %d flows could not be read back
lost, doubled or wrong: %d; executed twice: %d
`, n.requests.Load(), table(n.counts), table(w.counts), table(w.failed), w.perhaps, w.executed, len(w.unsure),
		len(w.problems), len(n.doubled))
}
