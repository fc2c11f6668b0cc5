package authentik

import (
	"context"
	"errors"
	"iter"
	"maps"
	"slices"
	"strconv"
)

// totalBindings is the first release that lists bindings in a total order. Older
// releases list bindings with the same Order in any order, so that pages repeat
// some of them and omit others.
var totalBindings = release{2025, 10}

// bindingWalk is a walk that is whole on every release.
type bindingWalk struct{ walk[FlowStageBinding] }

// bindingPages returns an iterator over the pages of a list that is whole on
// every release.
func bindingPages(
	ctx context.Context, c *Client, q *query, opts []RequestOption,
) iter.Seq2[*Page[FlowStageBinding], error] {
	return bindingWalk{newWalk(bindings, c, q.operation(bindings.path), q.page, opts)}.pages(ctx)
}

func (w bindingWalk) pages(ctx context.Context) iter.Seq2[*Page[FlowStageBinding], error] {
	return func(yield func(*Page[FlowStageBinding], error) bool) {
		w := w // each iteration has a first page of its own
		w.head = w.fetch(ctx, w.first)
		if w.head.err == nil && w.head.page.Pagination.Next != 0 && !w.total(ctx) {
			whole := w.whole(ctx)
			if errors.Is(whole.err, ErrResponseTooLarge) && w.first == 1 && !w.request.query.Has("target") {
				w.byTarget(ctx, yield)
				return
			}
			w.head = whole
		}
		w.walk.pages(ctx)(yield)
	}
}

// total reports whether the server lists bindings in a total order. A field of
// 2025.12 on the first page proves that without a request.
func (w bindingWalk) total(ctx context.Context) bool {
	for _, b := range w.head.page.Results {
		if slices.ContainsFunc(b.StageObj.FlowSet, func(f FlowSet) bool { return f.BackgroundURL != "" }) {
			return true
		}
	}
	return w.client.since(ctx, totalBindings)
}

const (
	// wholeTries bounds the requests for one page with all bindings. Each but the
	// first follows a list that has outgrown the page.
	wholeTries = 3
	// wholeSlack is the room for bindings that are added meanwhile.
	wholeSlack = 100
)

// whole returns one page with all bindings, without those before the page that was
// requested first. If the server limits the size of a page, whole returns the first
// page, because such servers list bindings in a total order.
func (w bindingWalk) whole(ctx context.Context) *fetched[FlowStageBinding] {
	first, all := w.head.page.Pagination, w
	all.request.query = maps.Clone(w.request.query)
	size := first.Count
	for range wholeTries {
		size += wholeSlack
		all.request.query.Set("page_size", strconv.Itoa(size))
		f := all.fetch(ctx, 1)
		switch {
		case f.err != nil:
			return f
		case f.page.Pagination.Next == 0:
			skip := min(first.StartIndex-1, len(f.page.Results))
			f.page.Results = f.page.Results[max(skip, 0):]
			return f
		case len(f.page.Results) < size:
			return w.head
		}
		size = f.page.Pagination.Count
	}
	return &fetched[FlowStageBinding]{err: w.changed(ctx, "it grows faster than it can be read")}
}

// byTarget yields the bindings of each flow, for a list that is too large for
// one response.
func (w bindingWalk) byTarget(ctx context.Context, yield func(*Page[FlowStageBinding], error) bool) {
	want, got := w.head.page.Pagination.Count, 0
	for flow, err := range flows.all(ctx, w.client, newQuery(w.request.name), nil) {
		if err != nil {
			yield(nil, err)
			return
		}
		of := w
		of.request.query = maps.Clone(w.request.query)
		of.request.query.Set("target", flow.PK.String())
		for page, err := range of.pages(ctx) {
			if errors.Is(err, ErrBadRequest) { // there is no such flow any more
				err = w.changed(ctx, "a flow is gone: %w", err)
			}
			if err != nil {
				yield(nil, err)
				return
			}
			if got += len(page.Results); len(page.Results) > 0 && !yield(page, nil) {
				return
			}
		}
	}
	if got != want && !w.config.allowListChanges {
		yield(nil, w.changed(ctx, "%d results in all flows, where the count is %d", got, want))
	}
}
