package conformance

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
)

// Page is a page of a list as encoding/json decodes it, without the library.
type Page struct {
	Pagination struct {
		Next, Count int
		TotalPages  int `json:"total_pages"`
	}
	Results []map[string]any
}

// ParsePage decodes a page.
func ParsePage(t *testing.T, body []byte) Page {
	t.Helper()
	var p Page
	require.NoError(t, json.Unmarshal(body, &p))
	return p
}

// Expected returns the rows that an iterator over these pages must yield, and
// reports whether the pages show that the list changed: a row is on two pages,
// the count is not the same on each page, or the rows are not as many as the
// count. The rows end with the page that shows the change.
func Expected(pages []Page) (rows []any, changed bool) {
	seen := map[any]bool{}
	for i, p := range pages {
		for _, row := range p.Results {
			if seen[row["pk"]] {
				changed = true
				continue
			}
			seen[row["pk"]] = true
			rows = append(rows, row)
		}
		changed = changed || p.Pagination.Count != pages[0].Pagination.Count
		if changed {
			return rows, true
		}
		if i == len(pages)-1 {
			return rows, len(rows) != p.Pagination.Count
		}
	}
	return rows, changed
}

// Walk is a way to read all flows.
type Walk func(context.Context, *authentik.Client, *authentik.FlowsInstancesListOptions) ([]authentik.Flow, error)

// Walks are the ways to read all flows, by name.
var Walks = map[string]Walk{
	"All": func(ctx context.Context, ak *authentik.Client, opts *authentik.FlowsInstancesListOptions) ([]authentik.Flow, error) {
		return authentik.Collect(ak.FlowsInstancesAll(ctx, opts))
	},
	"All with prefetch": func(ctx context.Context, ak *authentik.Client, opts *authentik.FlowsInstancesListOptions) ([]authentik.Flow, error) {
		return authentik.Collect(ak.FlowsInstancesAll(ctx, opts, authentik.WithPrefetch(2)))
	},
	"Pages": func(ctx context.Context, ak *authentik.Client, opts *authentik.FlowsInstancesListOptions) (flows []authentik.Flow, err error) {
		pages, err := authentik.Collect(ak.FlowsInstancesPages(ctx, opts))
		for _, p := range pages {
			flows = append(flows, p.Results...)
		}
		return flows, err
	},
}
