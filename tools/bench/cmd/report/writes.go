package main

import (
	"context"
	"fmt"
	"testing"
)

// operations are the writes that are compared.
var operations = []struct {
	name string
	of   func(*client) func(context.Context, string) error
}{
	{"create", func(c *client) func(context.Context, string) error { return c.create }},
	{"patch", func(c *client) func(context.Context, string) error { return c.patch }},
	{"delete", func(c *client) func(context.Context, string) error { return c.remove }},
}

const writtenSlug = "benchmark"

func (b *bench) write(ctx context.Context) error {
	t := b.section("Write a flow",
		fmt.Sprintf("P50 of %d requests a turn, over HTTP; the server stores nothing. The ratio is to `net/http` + `encoding/json`. "+
			"`net/http, body only` has its request ready, and does not decode the response.", b.requests), "", contestants...)
	for _, version := range b.versions {
		for _, operation := range operations {
			var runners []runner
			counts := row{operation.name + ", " + version}
			above := 0.0
			for _, name := range contestants {
				c, err := newClient(name, b.at(version, 1, "0s"))
				if err != nil {
					return err
				}
				do := func() error { return operation.of(c)(ctx, writtenSlug) }
				runners = append(runners, runner{name, p50(b.requests, do)})
				n := testing.AllocsPerRun(200, func() {
					if e := do(); e != nil {
						err = e
					}
				})
				if err != nil {
					return fmt.Errorf("%s: %s: %w", name, operation.name, err)
				}
				counts = append(counts, allocs(n))
				switch name {
				case ours:
					above += n
				case bodyOnly:
					above -= n
				}
			}
			got, err := alternate(b.calls, runners...)
			if err != nil {
				return err
			}
			t.compare(fmt.Sprintf("%s, %s", operation.name, version), got, plain)
			t.add(counts)
			b.atMost(fmt.Sprintf("%s a flow, %s: P50 of net/http + encoding/json", operation.name, version), "×", 1.1,
				median(named(got, ours).ratios(named(got, plain))))
			b.atMost(fmt.Sprintf("%s a flow, %s: above net/http, body only", operation.name, version), " allocations", 45, above)
		}
	}
	return nil
}
