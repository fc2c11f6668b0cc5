package main

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/seed-299d42e7/authentik-go"
)

// counter counts the requests of a client.
type counter struct {
	next http.RoundTripper
	n    atomic.Int64
}

func (c *counter) RoundTrip(r *http.Request) (*http.Response, error) {
	c.n.Add(1)
	return c.next.RoundTrip(r)
}

const (
	natural = official + ", bindings flow by flow"
	paged   = official + ", pages of 100"
)

// install reads all flows of an install and all bindings with their stages. It
// returns how many it read, and how many requests it took.
type install func(ctx context.Context) (flows, bindings int, requests int64, err error)

// oursWhole reads the lists from end to end.
func oursWhole(url string, opts ...authentik.RequestOption) (install, error) {
	count := &counter{}
	ak, err := authentik.NewClient(url, token, authentik.WithMiddleware(func(next http.RoundTripper) http.RoundTripper {
		count.next = next
		return count
	}))
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) (flows, bindings int, requests int64, err error) {
		before := count.n.Load()
		for _, err := range ak.FlowsInstancesAll(ctx, nil, opts...) {
			if err != nil {
				return flows, bindings, 0, err
			}
			flows++
		}
		for _, err := range ak.BindingsAll(ctx, nil, opts...) {
			if err != nil {
				return flows, bindings, 0, err
			}
			bindings++
		}
		return flows, bindings, count.n.Load() - before, nil
	}, nil
}

// officialWhole reads page after page with the generated client: the bindings
// of each flow, or those of all flows.
func officialWhole(url string, byFlow bool) install {
	count := &counter{next: http.DefaultTransport}
	ak := officialAPI(url, &http.Client{Transport: count})
	return func(ctx context.Context) (flows, bindings int, requests int64, err error) {
		before := count.n.Load()
		readBindings := func(target string) error {
			for page := int32(1); ; page++ {
				request := ak.FlowsBindingsList(ctx).Page(page)
				if byFlow {
					request = request.Target(target)
				} else {
					request = request.PageSize(100)
				}
				p, _, err := request.Execute() //nolint:bodyclose // it has closed it
				if err != nil {
					return err
				}
				if bindings += len(p.Results); p.Pagination.Next == 0 {
					return nil
				}
			}
		}
		var targets []string
		for page := int32(1); ; page++ {
			request := ak.FlowsInstancesList(ctx).Page(page)
			if !byFlow {
				request = request.PageSize(100)
			}
			p, _, err := request.Execute() //nolint:bodyclose // it has closed it
			if err != nil {
				return flows, bindings, 0, err
			}
			flows += len(p.Results)
			for _, flow := range p.Results {
				targets = append(targets, flow.Pk)
			}
			if p.Pagination.Next == 0 {
				break
			}
		}
		if !byFlow {
			targets = []string{""}
		}
		for _, target := range targets {
			if err := readBindings(target); err != nil {
				return flows, bindings, 0, err
			}
		}
		return flows, bindings, count.n.Load() - before, nil
	}
}

// reader is one that reads a whole install.
type reader struct {
	name     string
	read     install
	requests int64
}

func (b *bench) readers(url string) ([]*reader, error) {
	one, err := oursWhole(url)
	if err != nil {
		return nil, err
	}
	two, err := oursWhole(url, authentik.WithPrefetch(2))
	if err != nil {
		return nil, err
	}
	return []*reader{
		{name: ours, read: one},
		{name: withPrefetch(2), read: two},
		{name: natural, read: officialWhole(url, true)},
		{name: paged, read: officialWhole(url, false)},
	}, nil
}

// time reads the install once.
func (r *reader) time(ctx context.Context, wantFlows int) func() (float64, error) {
	return func() (float64, error) {
		began := time.Now()
		flows, bindings, requests, err := r.read(ctx)
		r.requests = requests
		if err == nil && (flows != wantFlows || bindings != bindingsOfAFlow*wantFlows) {
			err = fmt.Errorf("%w: %d, and %d bindings", errFlows, flows, bindings)
		}
		return time.Since(began).Seconds(), err
	}
}

func (b *bench) whole(ctx context.Context) error {
	bindings := bindingsOfAFlow * b.install
	t := b.section("The whole configuration of an install",
		fmt.Sprintf("%s and their %d bindings with the stages, once, against a server that takes its time: pages of %d by default, two requests at a time. %s "+
			"How long a list of bindings takes was not measured on a real server: a binding is taken to cost as much as a flow. "+
			"The official client has no iterator. Its natural way reads the flows page by page and then the bindings of each flow; with pages of 100 for both lists it does what a careful user writes. "+
			"The ratio is how many times as long as `%s` with no option set.",
			flowCount(b.install), bindings, paces[stock].size, paceText, ours),
		"server", ours, withPrefetch(2), natural, paged)
	for _, server := range b.servers() {
		readers, err := b.readers(b.at(server.version, b.install, server.pace))
		if err != nil {
			return err
		}
		var runners []runner
		for _, r := range readers {
			runners = append(runners, runner{r.name, r.time(ctx, b.install)})
		}
		got, err := alternate(1, runners...) // nearly all of it is the server's
		if err != nil {
			return err
		}
		t.compare(server.name, got, ours)
		line := row{"requests"}
		for _, r := range readers {
			line = append(line, strconv.FormatInt(r.requests, 10))
		}
		t.add(line)
		b.atMost("whole install, "+server.name, " requests", float64((b.install+99)/100+(bindings+99)/100), float64(readers[0].requests))
		for _, name := range []string{ours, withPrefetch(2)} {
			if b.install < 1_000 {
				break // the target is for a large one
			}
			b.atLeast(fmt.Sprintf("whole install, %s, %s: faster than the official client's natural way", name, server.name), "×", 20,
				median(named(got, natural).ratios(named(got, name))))
		}
		if server.pace == stock2026 {
			t.Chart = picture("install", fmt.Sprintf("%s and %d bindings, server like 2026.8", flowCount(b.install), bindings), "s", 1, got)
		}
	}
	return nil
}
