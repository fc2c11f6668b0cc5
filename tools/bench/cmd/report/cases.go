package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/internal/wire"
)

// plan is how much is measured.
type plan struct {
	versions  []string
	turns     int // of what takes milliseconds
	batch     time.Duration
	requests  int   // of a turn of retrieves
	pageSizes []int // to be decoded

	walks      int // turns of what takes seconds
	walked     int // flows
	delays     []time.Duration
	ahead      []int // pages that the walks prefetch
	met        int   // flows, of the walk as a user meets it
	lengths    []int // of the walks whose time a flow is compared
	stockAhead []int // that a stock server is walked with

	builds int
}

var (
	full = plan{
		versions: versions, turns: 11, batch: 20 * time.Millisecond, requests: 101, pageSizes: []int{1, 20, 100, 1_000, 10_000},
		walks: 3, walked: 10_000, delays: ms(0, 5, 20, 50), ahead: []int{2, 4, 8, 16},
		met: 1_000, lengths: []int{100, 1_000, 10_000, 100_000},
		stockAhead: []int{1, 2, 4, 8, 16},
		builds:     1,
	}
	brief = plan{
		versions: versions[1:], turns: 5, batch: 5 * time.Millisecond, requests: 21, pageSizes: []int{1, 100},
		walks: 2, walked: 1_000, delays: ms(0, 20), ahead: []int{2, 8},
		met: 600, lengths: []int{100, 10_000},
	}
)

func ms(all ...int) []time.Duration {
	durations := make([]time.Duration, len(all))
	for i, n := range all {
		durations[i] = time.Duration(n) * time.Millisecond
	}
	return durations
}

// bench runs the cases, one after the other.
type bench struct {
	plan

	url     string  // of the server
	content *server // the same, in this process
	log     io.Writer
	report  report
}

func (b *bench) measure() error {
	began := time.Now()
	for _, c := range []struct {
		name string
		run  func(context.Context) error
	}{
		{"decode", b.decode},
		{"memory", b.memory},
		{"list", b.list},
		{"retrieve", b.retrieve},
		{"walk", b.walk},
		{"walk as met", b.asMet},
		{"prefetch", b.prefetch},
		{"length", b.length},
		{"build", b.build},
	} {
		_, _ = fmt.Fprintf(b.log, "%4.0f s  %s\n", time.Since(began).Seconds(), c.name)
		if err := c.run(context.Background()); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	b.report.took = time.Since(began)
	return nil
}

// at is the base URL of a list, or of a binding's flow_set, of that length.
func (b *bench) at(version string, flows int, delay any) string {
	return fmt.Sprintf("%s/%s/%d/%v", b.url, version, flows, delay)
}

// body is what the server answers.
func (b *bench) body(version string, flows int, path string) []byte {
	w := httptest.NewRecorder()
	b.content.ServeHTTP(w, httptest.NewRequest(http.MethodGet, fmt.Sprintf("/%s/%d/0s/api/v3/%s", version, flows, path), nil))
	return w.Body.Bytes()
}

func (b *bench) page(version string, flows int) []byte {
	return b.body(version, flows, "flows/instances/?page_size="+strconv.Itoa(flows))
}

var errFlows = errors.New("not all flows were read")

// all checks that what was read is what there is.
func all(want int, read func() (int, error)) func() error {
	return func() error {
		got, err := read()
		if err == nil && got != want {
			err = fmt.Errorf("%w: %d of %d", errFlows, got, want)
		}
		return err
	}
}

func (b *bench) decode(context.Context) error {
	const valid = "json.Valid"
	t := b.report.section("Decode a page",
		"The bytes are in memory. The ratio is to `json.Valid` on the same bytes, which builds nothing. "+
			"This library decodes as its client does.", "page", valid, ours, official, plain)
	for _, version := range b.versions {
		for _, flows := range b.pageSizes {
			body := b.page(version, flows)
			runners := []runner{{valid, mean(b.batch, func() error {
				if !json.Valid(body) {
					return errFlows
				}
				return nil
			})}}
			for _, name := range contestants[:3] {
				decode := decoder(name)
				runners = append(runners, runner{name, mean(b.batch, all(flows, func() (int, error) { return decode(body) }))})
			}
			got, err := alternate(b.turns, runners...)
			if err != nil {
				return err
			}
			t.compare(fmt.Sprintf("%s, %s", version, flowCount(flows)), got, valid)
			if flows == 100 {
				b.report.atMost("decode a page of 100, "+version+": of `json.Valid`", "×", 1.0, median(named(got, ours).ratios(named(got, valid))))
			}
		}
	}
	return nil
}

func (b *bench) memory(ctx context.Context) error {
	t := b.report.section("Memory",
		"Allocations of a call over HTTP are those of the client alone, because the server is another process; what `net/http, body only` takes is included. "+
			"The heap is what 10,000 flows hold that were decoded from pages of 100, after a garbage collection. "+
			"What a walk holds meanwhile, its pages in flight and at most 64 bytes a flow seen, is a test: `TestFlowsInstancesAll_HoldsPagesInFlightAnd64BytesAFlow`.", "", contestants...)
	for _, version := range b.versions {
		page := b.page(version, 100)
		decoding, held := row{"decode a page of 100, " + version}, row{"live heap a flow, " + version}
		listing, retrieving := row{"list a page of 100, " + version}, row{"retrieve a binding, " + version}
		above := 0.0
		for _, name := range contestants {
			c, err := newClient(name, b.at(version, 100, time.Duration(0)))
			if err != nil {
				return err
			}
			decode := decoder(name)
			check := func(f func() error) func() {
				return func() {
					if e := f(); e != nil {
						err = e
					}
				}
			}
			if name == bodyOnly {
				decoding, held = append(decoding, "–"), append(held, "–")
			} else {
				n := testing.AllocsPerRun(50, check(all(100, func() (int, error) { return decode(page) })))
				heap, e := liveHeap(name, page)
				if e != nil {
					return e
				}
				decoding, held = append(decoding, allocs(n)), append(held, fmt.Sprintf("%.0f B", heap))
				if name == ours {
					b.report.atMost("decode a page of 100, "+version, " allocations", 300, n)
					b.report.atMost("live heap a collected flow, "+version, " B", 1024, heap)
				}
			}
			n := testing.AllocsPerRun(50, check(all(100, func() (int, error) {
				flows, _, err := c.list(ctx, 1, 100)
				return flows, err
			})))
			listing = append(listing, allocs(n))
			c, e := newClient(name, b.at(version, 1, time.Duration(0)))
			if e != nil {
				return e
			}
			n = testing.AllocsPerRun(200, check(func() error { return c.retrieve(ctx, b.content.versions[version].bindingID) }))
			retrieving = append(retrieving, allocs(n))
			switch name {
			case ours:
				above += n
			case bodyOnly:
				above -= n
			}
			if err != nil {
				return err
			}
		}
		b.report.atMost("retrieve a binding, "+version+": above a GET that reads the body", " allocations", 35, above)
		t.add(decoding, listing, retrieving, held)
	}
	return nil
}

func allocs(n float64) string { return fmt.Sprintf("%.0f allocations", n) }

// liveHeap is what a flow holds, once decoded and kept.
func liveHeap(name string, page []byte) (float64, error) {
	const pages = 100
	heap := func() float64 {
		runtime.GC()
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return float64(stats.HeapAlloc)
	}
	kept := make([]any, pages)
	before := heap()
	for i := range kept {
		var err error
		switch name {
		case ours:
			p := new(authentik.Page[authentik.Flow])
			err = wire.Decode(page, p)
			kept[i] = p
		case official:
			p := new(officialPage)
			err = json.Unmarshal(page, p)
			kept[i] = p
		default:
			p := new(plainPage)
			err = json.Unmarshal(page, p)
			kept[i] = p
		}
		if err != nil {
			return 0, err
		}
	}
	held := heap() - before
	runtime.KeepAlive(kept)
	return held / (pages * 100), nil
}

func (b *bench) list(ctx context.Context) error {
	t := b.report.section("List a page",
		"Over HTTP, request and decoding. The ratio is to `net/http` reading the body only.", "page", contestants...)
	for _, version := range b.versions {
		for _, flows := range b.pageSizes {
			if flows > 1_000 {
				continue // as long as a walk
			}
			var runners []runner
			for _, name := range contestants {
				c, err := newClient(name, b.at(version, flows, time.Duration(0)))
				if err != nil {
					return err
				}
				runners = append(runners, runner{name, mean(2*b.batch, all(flows, func() (int, error) {
					n, _, err := c.list(ctx, 1, flows)
					return n, err
				}))})
			}
			got, err := alternate(b.turns, runners...)
			if err != nil {
				return err
			}
			t.compare(fmt.Sprintf("%s, %s", version, flowCount(flows)), got, bodyOnly)
		}
	}
	return nil
}

func (b *bench) retrieve(ctx context.Context) error {
	t := b.report.section("Retrieve a binding",
		fmt.Sprintf("P50 of %d requests a turn, over HTTP. The ratio is to `net/http` + `encoding/json`.", b.requests), "flows of its stage", contestants...)
	for _, version := range b.versions {
		for _, set := range []struct {
			flows int
			limit float64
		}{{1, 1.15}, {200, 0.9}} {
			flows := set.flows
			var runners []runner
			for _, name := range contestants {
				c, err := newClient(name, b.at(version, flows, time.Duration(0)))
				if err != nil {
					return err
				}
				runners = append(runners, runner{name, p50(b.requests, func() error {
					return c.retrieve(ctx, b.content.versions[version].bindingID)
				})})
			}
			got, err := alternate(b.turns, runners...)
			if err != nil {
				return err
			}
			t.compare(fmt.Sprintf("%s, %s", version, flowCount(flows)), got, plain)
			b.report.atMost(fmt.Sprintf("retrieve a binding with %s, %s: P50 of net/http + encoding/json", flowCount(flows), version), "×",
				set.limit, median(named(got, ours).ratios(named(got, plain))))
		}
	}
	return nil
}

func withPrefetch(n int) string { return fmt.Sprintf("%s, WithPrefetch(%d)", ours, n) }

// walkers are the walks of all contestants, and ours with prefetch.
func (b *bench) walkers(ctx context.Context, url string, flows, size int, names []string, prefetchs []int) ([]runner, error) {
	var runners []runner
	add := func(name string, c *client) {
		runners = append(runners, runner{name, once(all(flows, func() (int, error) { return c.walk(ctx, size) }))})
	}
	for _, name := range names {
		c, err := newClient(name, url)
		if err != nil {
			return nil, err
		}
		add(name, c)
	}
	for _, n := range prefetchs {
		c, err := newOurs(url, nil, authentik.WithPrefetch(n))
		if err != nil {
			return nil, err
		}
		add(withPrefetch(n), c)
	}
	return runners, nil
}

// ideal is the time of a walk whose only cost is the server's.
func ideal(pages, prefetch int, delay time.Duration) float64 {
	prefetch = max(prefetch, 1)
	return float64(1+(pages-1+prefetch-1)/prefetch) * delay.Seconds()
}

func (b *bench) walk(ctx context.Context) error {
	columns := append([]string{}, contestants...)
	for _, n := range b.ahead {
		columns = append(columns, withPrefetch(n))
	}
	pages := b.walked / 100
	t := b.report.section("Walk "+flowCount(b.walked),
		fmt.Sprintf("In pages of 100, %s. Each answer takes the server that long, however many there are at once. "+
			"The ratio is to the ideal, (1 + ⌈(pages − 1) / n⌉) · delay; without a delay, to `net/http` reading the bodies only, one after the other.", versions[1]),
		"delay", columns...)
	for _, delay := range b.delays {
		runners, err := b.walkers(ctx, b.at(versions[1], b.walked, delay), b.walked, 100, contestants, b.ahead)
		if err != nil {
			return err
		}
		if delay == 0 {
			if _, err := alternate(1, runners[0]); err != nil { // the server makes its bodies
				return err
			}
		}
		got, err := alternate(b.walks, runners...)
		if err != nil {
			return err
		}
		if delay == 0 {
			t.compare("0", got, bodyOnly)
			continue
		}
		line := row{delay.String()}
		for i, f := range got {
			n := 0
			if i >= len(contestants) {
				n = b.ahead[i-len(contestants)]
			}
			r := f.ratios(constant(ideal(pages, n, delay), len(f.turns)))
			line = append(line, cell(f.turns, r))
			if (n == 2 || n == 8) && delay >= 20*time.Millisecond {
				b.report.atMost(fmt.Sprintf("walk of %s at %v, WithPrefetch(%d): of the ideal", flowCount(b.walked), delay, n), "×", 1.1, median(r))
			}
		}
		t.add(line)
	}
	return nil
}

func constant(x float64, n int) figures {
	f := figures{turns: make([]float64, n)}
	for i := range f.turns {
		f.turns[i] = x
	}
	return f
}

func (b *bench) asMet(ctx context.Context) error {
	t := b.report.section("The walk as a user meets it",
		fmt.Sprintf("%s, no option set, against a server like a stock one: pages of %d by default, %v for one of 20 flows and %v for one of 100, two requests at a time (as measured on 2024.10.0). "+
			"The ratio is how many times as long as `%s` with no option set.",
			flowCount(b.met), stockPageSize, stockRequest+20*stockFlow, stockRequest+100*stockFlow, ours),
		"version", ours, official, plain, withPrefetch(2))
	for _, version := range b.versions {
		runners, err := b.walkers(ctx, b.at(version, b.met, stock), b.met, 0, contestants[:3], []int{2})
		if err != nil {
			return err
		}
		got, err := alternate(b.walks, runners...)
		if err != nil {
			return err
		}
		t.compare(version, got, ours)
		for _, target := range []struct {
			name  string
			limit float64
		}{{ours, 3.2}, {withPrefetch(2), 5}} {
			b.report.atLeast(fmt.Sprintf("walk as met, %s, %s: faster than the official client", target.name, version), "×",
				target.limit, median(named(got, official).ratios(named(got, target.name))))
		}
	}
	return nil
}

func (b *bench) prefetch(ctx context.Context) error {
	if b.stockAhead == nil {
		return nil
	}
	columns := []string{ours}
	for _, n := range b.stockAhead {
		columns = append(columns, withPrefetch(n))
	}
	t := b.report.section("Which prefetch",
		flowCount(b.met)+" in pages of 100, against the same server like a stock one, and against one that answers any number of requests at once, each after 66ms. The ratio is to the walk without prefetch. "+
			"Below it is the time of one request.",
		"server", columns...)
	for _, server := range []struct {
		name  string
		delay any
	}{{"two at a time", stock}, {"any number", stockRequest + 100*stockFlow}} {
		runners := make([]runner, len(columns))
		requests := make([]stopwatch, len(columns))
		for i, name := range columns {
			n := 0
			if i > 0 {
				n = b.stockAhead[i-1]
			}
			c, err := newOurs(b.at(b.versions[0], b.met, server.delay),
				[]authentik.ClientOption{authentik.WithMiddleware(requests[i].around)}, authentik.WithPrefetch(n))
			if err != nil {
				return err
			}
			runners[i] = runner{name, once(all(b.met, func() (int, error) { return c.walk(ctx, 0) }))}
		}
		got, err := alternate(b.walks, runners...)
		if err != nil {
			return err
		}
		t.compare(server.name, got, ours)
		each := row{"one request"}
		for i := range requests {
			each = append(each, cell(requests[i].times, nil))
		}
		t.add(each)
	}
	return nil
}

// stopwatch takes the time of requests.
type stopwatch struct {
	mu    sync.Mutex
	times []float64
}

func (s *stopwatch) around(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		began := time.Now()
		response, err := next.RoundTrip(r)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.times = append(s.times, time.Since(began).Seconds())
		return response, err
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func (b *bench) length(ctx context.Context) error {
	var columns []string
	var runners []runner
	for _, flows := range b.lengths {
		name := flowCount(flows)
		columns = append(columns, name)
		c, err := newClient(ours, b.at(versions[1], flows, time.Duration(0)))
		if err != nil {
			return err
		}
		walk := mean(10*b.batch, all(flows, func() (int, error) { return c.walk(ctx, 100) }))
		runners = append(runners, runner{name, func() (float64, error) {
			each, err := walk()
			return each / float64(flows), err
		}})
	}
	t := b.report.section("Time a flow, by the length of the list",
		fmt.Sprintf("`%s` walks lists in pages of 100, without a delay. The ratio is to the first.", ours), "", columns...)
	if _, err := alternate(1, runners...); err != nil { // the server makes its bodies
		return err
	}
	got, err := alternate(max(b.turns/2, b.walks), runners...)
	if err != nil {
		return err
	}
	t.compare("time a flow", got, columns[0])
	for _, f := range got[1:] {
		b.report.near("time a flow, "+f.name+": of "+columns[0], 0.2, median(f.ratios(got[0])))
	}
	return nil
}

func (b *bench) build(ctx context.Context) error {
	if b.builds == 0 {
		return nil
	}
	programs := []struct{ name, dir string }{{ours, "authentik"}, {official, "official"}, {"net/http", "nethttp"}}
	t := b.report.section("Build",
		"A program of ten lines that lists flows (`tools/bench/programs`), with an empty build cache: the standard library is compiled too. CPU time is of all processes of the build.",
		"", ours, official, "net/http")
	wall, cpu, size := row{"time"}, row{"CPU time"}, row{"size of the program"}
	for _, program := range programs {
		var walls, cpus []float64
		var bytes int64
		for range b.builds {
			dir, err := os.MkdirTemp("", "bench-build-")
			if err != nil {
				return err
			}
			binary := filepath.Join(dir, "program")
			command := exec.CommandContext(ctx, "go", "build", "-o", binary, "./programs/"+program.dir)
			command.Env = append(os.Environ(), "GOCACHE="+filepath.Join(dir, "cache"))
			began := time.Now()
			output, err := command.CombinedOutput()
			walls = append(walls, time.Since(began).Seconds())
			if err != nil {
				return fmt.Errorf("%w: %s", err, strings.TrimSpace(string(output)))
			}
			cpus = append(cpus, (command.ProcessState.UserTime() + command.ProcessState.SystemTime()).Seconds())
			info, err := os.Stat(binary)
			if err != nil {
				return err
			}
			bytes = info.Size()
			if err := os.RemoveAll(dir); err != nil {
				return err
			}
		}
		wall = append(wall, cell(walls, nil))
		cpu = append(cpu, cell(cpus, nil))
		size = append(size, fmt.Sprintf("%.1f MB", float64(bytes)/1e6))
	}
	t.add(wall, cpu, size)
	return nil
}
