package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
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
	calls     int   // turns of single requests, whose times vary more than they differ
	requests  int   // of such a turn
	pageSizes []int // to be decoded

	walks      int // turns of what takes seconds
	walked     int // flows
	delays     []time.Duration
	ahead      []int // pages that the walks prefetch
	met        int   // flows, of the walk as a user meets it
	lengths    []int // of the walks whose time a flow is compared
	stockAhead []int // that a stock server is walked with

	builds  bool
	install int // flows, of the whole install
}

var (
	full = plan{
		versions: versions, turns: 21, batch: 20 * time.Millisecond, calls: 81, requests: 101, pageSizes: []int{1, 20, 100, 1_000, 10_000},
		walks: 3, walked: 10_000, delays: ms(0, 5, 20, 50), ahead: []int{2, 4, 8, 16},
		met: 1_000, lengths: []int{100, 1_000, 10_000, 100_000},
		stockAhead: []int{1, 2, 4, 8, 16},
		builds:     true, install: 1_000,
	}
	brief = plan{
		versions: versions[1:], turns: 5, batch: 5 * time.Millisecond, calls: 5, requests: 21, pageSizes: []int{1, 100},
		walks: 2, walked: 1_000, delays: ms(0, 20), ahead: []int{2, 8},
		met: 200, lengths: []int{100, 10_000}, install: 20,
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
	results

	url     string  // of the server
	content *server // the same, in this process
	log     io.Writer
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
		{"write", b.write},
		{"login", b.login},
		{"walk", b.walk},
		{"walk as met", b.asMet},
		{"whole install", b.whole},
		{"prefetch", b.prefetch},
		{"length", b.length},
		{"build", b.build},
	} {
		_, _ = fmt.Fprintf(b.log, "%4.0f s  %s\n", time.Since(began).Seconds(), c.name)
		if err := c.run(context.Background()); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	b.Seconds = time.Since(began).Seconds()
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
	t := b.section("Decode a page",
		"The bytes are in memory. The ratio is to `encoding/json`, into structs with the same fields. "+
			"This library decodes as its client does.", "page", ours, official, plain)
	for _, version := range b.versions {
		for _, flows := range b.pageSizes {
			body := b.page(version, flows)
			var runners []runner
			for _, name := range contestants[:3] {
				decode := decoder(name)
				runners = append(runners, runner{name, mean(b.batch, all(flows, func() (int, error) { return decode(body) }))})
			}
			got, err := alternate(b.turns, runners...)
			if err != nil {
				return err
			}
			t.compare(fmt.Sprintf("%s, %s", version, flowCount(flows)), got, plain)
			if flows != 100 {
				continue
			}
			b.atMost("decode a page of 100, "+version+": of "+official, "×", 0.6, median(named(got, ours).ratios(named(got, official))))
			b.atMost("decode a page of 100, "+version+": of encoding/json", "×", 1.0, median(named(got, ours).ratios(named(got, plain))))
			if version == versions[1] {
				t.Chart = picture("decode", "Decode a page of 100 flows", "µs", 1e6, got)
			}
		}
	}
	return nil
}

func (b *bench) memory(ctx context.Context) error {
	t := b.section("Memory",
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
					b.atMost("decode a page of 100, "+version, " allocations", 200, n)
					b.atMost("live heap a collected flow, "+version, " B", 1024, heap)
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
		b.atMost("retrieve a binding, "+version+": above a GET that reads the body", " allocations", 35, above)
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
	t := b.section("List a page",
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
	t := b.section("Retrieve a binding",
		fmt.Sprintf("P50 of %d requests a turn, over HTTP. The ratio is to `net/http` + `encoding/json`.", b.requests), "flows of its stage", contestants...)
	for _, version := range b.versions {
		for _, set := range []struct {
			flows int
			limit float64
		}{{1, 1.15}, {200, 1}} {
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
			got, err := alternate(b.calls, runners...)
			if err != nil {
				return err
			}
			t.compare(fmt.Sprintf("%s, %s", version, flowCount(flows)), got, plain)
			b.atMost(fmt.Sprintf("retrieve a binding with %s, %s: P50 of net/http + encoding/json", flowCount(flows), version), "×",
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
	t := b.section("Walk "+flowCount(b.walked),
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
				b.atMost(fmt.Sprintf("walk of %s at %v, WithPrefetch(%d): of the ideal", flowCount(b.walked), delay, n), "×", 1.1, median(r))
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
	t := b.section("The walk as a user meets it",
		fmt.Sprintf("%s, no option set, against a server that takes its time: pages of %d by default, two requests at a time. %s "+
			"The ratio is how many times as long as `%s` with no option set.",
			flowCount(b.met), paces[stock].size, paceText, ours),
		"server", ours, official, plain, withPrefetch(2))
	for _, server := range b.servers() {
		runners, err := b.walkers(ctx, b.at(server.version, b.met, server.pace), b.met, 0, contestants[:3], []int{2})
		if err != nil {
			return err
		}
		got, err := alternate(b.walks, runners...)
		if err != nil {
			return err
		}
		t.compare(server.name, got, ours)
		for _, target := range []struct {
			name  string
			limit float64
		}{{ours, 3.2}, {withPrefetch(2), 5}} {
			b.atLeast(fmt.Sprintf("walk as met, %s, %s: faster than the official client", target.name, server.name), "×",
				target.limit, median(named(got, official).ratios(named(got, target.name))))
		}
		if server.pace == stock2026 {
			t.Chart = picture("walk", fmt.Sprintf("All of %s, no option set, server like 2026.8", flowCount(b.met)), "s", 1, got)
		}
	}
	return nil
}

// pacedServer is a version whose server takes its time.
type pacedServer struct{ name, version, pace string }

func (b *bench) servers() []pacedServer {
	return []pacedServer{
		{"2026.8", versions[1], stock2026},
		{"2026.8 as fast as 2024.10", versions[1], stock},
	}
}

// paceText says how late the servers with a pace answer.
var paceText = fmt.Sprintf("\"2026.8\" answers after %v with 20 flows and after %v with 100, as 2026.8.0-rc1 was measured; "+
	"\"as fast as 2024.10\" after %v and %v.", paces[stock2026].answer(20), paces[stock2026].answer(100), paces[stock].answer(20), paces[stock].answer(100))

func (b *bench) prefetch(ctx context.Context) error {
	if b.stockAhead == nil {
		return nil
	}
	columns := []string{ours}
	for _, n := range b.stockAhead {
		columns = append(columns, withPrefetch(n))
	}
	t := b.section("Which prefetch",
		flowCount(b.met)+" in pages of 100, against a server as fast as 2024.10, and against one that answers any number of requests at once, each after 66ms. The ratio is to the walk without prefetch. "+
			"Below it is the time of one request.",
		"server", columns...)
	for _, server := range []struct {
		name  string
		delay any
	}{{"two at a time", stock}, {"any number", paces[stock].answer(100)}} {
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
	t := b.section("Time a flow, by the length of the list",
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
		b.near("time a flow, "+f.name+": of "+columns[0], 0.2, median(f.ratios(got[0])))
	}
	return nil
}
