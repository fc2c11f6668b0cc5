package authentik

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/seed-299d42e7/authentik-go/internal/transport"
	"github.com/seed-299d42e7/authentik-go/internal/wire"
)

// Page is one page of a list.
type Page[T any] struct {
	Pagination Pagination `json:"pagination"`
	Results    []T        `json:"results"`
}

// Pagination is the place of a page in its list, as the server sent it.
type Pagination struct {
	// Next is the number of the next page, 0 if there is none.
	Next int `json:"next"`
	// Previous is the number of the previous page, 0 if there is none.
	Previous int `json:"previous"`
	// Count is the number of items on all pages.
	Count int `json:"count"`
	// Current is the number of this page, from 1.
	Current int `json:"current"`
	// TotalPages is 1 for an empty list.
	TotalPages int `json:"total_pages"`
	// StartIndex is the index of the first item of this page, from 1, and 0
	// for an empty list.
	StartIndex int `json:"start_index"`
	// EndIndex is the index of the last item of this page, 0 for an empty list.
	EndIndex int `json:"end_index"`
}

// check rejects numbers that contradict the results.
func (p *Page[T]) check() error {
	n, rows := p.Pagination, len(p.Results)
	wrong := func(field, reason string) error {
		return &wire.Error{Path: "pagination." + field, Err: errors.New(reason)}
	}
	for _, number := range []struct {
		field string
		value int
	}{
		{"next", n.Next},
		{"previous", n.Previous},
		{"count", n.Count},
		{"current", n.Current},
		{"total_pages", n.TotalPages},
		{"start_index", n.StartIndex},
		{"end_index", n.EndIndex},
	} {
		if number.value < 0 {
			return wrong(number.field, "negative")
		}
	}
	switch {
	case n.Count < rows:
		return wrong("count", fmt.Sprintf("%d, with %d results on this page alone", n.Count, rows))
	case n.Count > 0 && rows == 0 && n.Current == 1 && n.Next == 0 && modeled(reflect.TypeFor[T]()):
		// Other lists may count what a policy then hides.
		return wrong("count", fmt.Sprintf("%d, without a result or a next page", n.Count))
	case n.TotalPages == 0 && rows > 0 && n.Next == 0:
		return wrong("total_pages", fmt.Sprintf("0, with %d results", rows))
	}
	return nil
}

// decode decodes a page whose items are of any type.
func (p *Page[T]) decode(body []byte) error {
	if modeled(reflect.TypeFor[T]()) {
		if err := wire.Decode(body, p); err != nil {
			return err
		}
		return p.check()
	}
	var raw Page[json.RawMessage]
	if err := wire.Decode(body, &raw); err != nil {
		return err
	}
	*p = Page[T]{raw.Pagination, make([]T, len(raw.Results))}
	if err := p.check(); err != nil {
		return err
	}
	for i := range raw.Results {
		if err := unmarshalValue(raw.Results[i], &p.Results[i]); err != nil {
			return below("results["+strconv.Itoa(i)+"]", err)
		}
	}
	return nil
}

// follows rejects a page other than the requested one, and a page whose next
// page is not the following one, such as in a loop or in a page of another list
// from a cache. Without keys, a list must not have more pages than items.
func (p *Page[T]) follows(number int, keyless bool) error {
	n := p.Pagination
	stuck := func(field, reason string, args ...any) error {
		reason = fmt.Sprintf(reason, args...)
		return &wire.Error{Path: "pagination." + field, Err: fmt.Errorf("%w: %s", ErrPaginationStuck, reason)}
	}
	switch {
	case n.Current != number:
		return stuck("current", "page %d instead of page %d", n.Current, number)
	case n.Next != 0 && n.Next != number+1:
		return stuck("next", "page %d after page %d", n.Next, number)
	case n.Next > n.TotalPages:
		return stuck("next", "page %d of %d", n.Next, n.TotalPages)
	case keyless && n.TotalPages > max(n.Count, 1):
		return stuck("total_pages", "%d pages of %d results", n.TotalPages, n.Count)
	}
	return nil
}

// walkPageSize is the page size of iterators. A page of 100 costs a server about
// as much as a page of 20, and is the largest that every release sends.
const walkPageSize = "100"

// list describes a list of the API by its path and the key of its items.
type list[T any] struct {
	path string
	key  func(*T) uuid.UUID // nil if the items have no known key
}

// one requests one page.
func (l list[T]) one(ctx context.Context, c *Client, q *query, opts []RequestOption) (*Page[T], error) {
	return call(ctx, c, q.operation(l.path), opts, page[T]())
}

// pages returns an iterator over the pages.
func (l list[T]) pages(ctx context.Context, c *Client, q *query, opts []RequestOption) iter.Seq2[*Page[T], error] {
	return newWalk(l, c, q.operation(l.path), q.page, opts).pages(ctx)
}

// all returns an iterator over the items.
func (l list[T]) all(ctx context.Context, c *Client, q *query, opts []RequestOption) iter.Seq2[T, error] {
	return items(l.pages(ctx, c, q, opts))
}

// ListAll returns an iterator over the items of any list below /api/v3, such as
// core/groups/. T is decoded with encoding/json, and a type of this package as
// strictly as its own method does.
//
//	GET /{path} (once for each page)
//
// path and query are those of [Client.Get]. Page and page size in query are
// those of FlowsInstancesListOptions. An ordering in query must be total; most
// lists of authentik are in an order that is.
//
//	for group, err := range authentik.ListAll[Group](ctx, client, "core/groups/", nil) {
//		if err != nil {
//			return err
//		}
//		fmt.Println(group.Name)
//	}
//
// The contract is that of [Client.FlowsInstancesAll], except for what needs a
// key. An item that comes again is not recognized. The items need not add up to
// the count, because some lists count items that a policy then hides.
//
// Errors: those of Get, [ErrPaginationStuck] and [ErrListChanged].
//
// https://api.goauthentik.io/reference/
func ListAll[T any](
	ctx context.Context, c *Client, path string, query url.Values, opts ...RequestOption,
) iter.Seq2[T, error] {
	copied := url.Values{}
	for key, values := range query {
		copied[key] = slices.Clone(values)
	}
	o := get("ListAll", "").to(path, copied)
	first := 0
	for _, key := range []string{"page_size", "page"} {
		if !copied.Has(key) {
			continue
		}
		var err error
		if first, err = strconv.Atoi(copied.Get(key)); err != nil || first < 1 {
			o = o.refuse("query", key+" must be a positive number")
		}
	}
	if !copied.Has("page") {
		first = 1
	}
	return items(newWalk(list[T]{}, c, o, first, opts).pages(ctx))
}

// walk is the configuration of an iterator, whose contract is that of
// FlowsInstancesAll.
type walk[T any] struct {
	list[T]
	client  *Client
	request operation
	first   int                  // the page to start at
	ahead   bool                 // the page is fetched before it is wanted
	resume  *transport.Postponed // of the page that is fetched next; or nil
	config  requestConfig
	head    *fetched[T] // the first page, if it has been fetched
}

func newWalk[T any](l list[T], c *Client, o operation, first int, opts []RequestOption) walk[T] {
	w := walk[T]{list: l, client: c, request: o, first: max(first, 1), config: newRequestConfig(opts)}
	if w.config.prefetch < 0 {
		w.request = w.request.refuse("WithPrefetch", "must not be negative")
	}
	return w
}

func (w walk[T]) pages(ctx context.Context) iter.Seq2[*Page[T], error] {
	return func(yield func(*Page[T], error) bool) {
		w.config.reset()
		ahead := w.newLookahead(ctx)
		defer ahead.stop()
		seen := tally{keys: map[uuid.UUID]struct{}{}, keyless: w.key == nil, tolerant: w.config.allowListChanges}
		for number := w.first; ; number++ {
			got := w.head
			if got == nil || number != w.first {
				got = ahead.get(number)
			}
			if w.config.response != nil {
				*w.config.response = got.response
			}
			if got.err != nil {
				switch {
				case number == w.first, !errors.Is(got.err, ErrNotFound):
				case w.config.allowListChanges && got.fromAPI():
					return
				default:
					got.err = w.changed(ctx, "page %d is gone: %w", number, got.err)
				}
				yield(nil, got.err)
				return
			}
			page := got.page
			repeats := 0
			if w.key != nil {
				repeats = dropRepeats(page, seen.keys, w.key)
			}
			change, stuck := seen.add(page.Pagination, len(page.Results), repeats, w.first == 1)
			if stuck {
				yield(nil, fmt.Errorf("authentik: %s: %w: page %d has nothing new but a next page",
					w.request.name, ErrPaginationStuck, number))
				return
			}
			stop := change != "" && !w.config.allowListChanges
			if !stop && page.Pagination.Next != 0 {
				ahead.start(number+1, page.Pagination.TotalPages)
			}
			if !yield(page, nil) {
				return
			}
			if stop {
				yield(nil, w.changed(ctx, "page %d: %s", number, change))
				return
			}
			if page.Pagination.Next == 0 {
				return
			}
		}
	}
}

// changed returns an ErrListChanged.
func (w walk[T]) changed(ctx context.Context, format string, args ...any) error {
	return &changedError{
		fmt.Errorf("authentik: %s: %w: "+format, append([]any{w.request.name, ErrListChanged}, args...)...),
		func(wait time.Duration) bool { return waitWithin(ctx, wait) },
	}
}

// dropRepeats removes the items that an earlier page had, and returns their
// number.
func dropRepeats[T any](p *Page[T], seen map[uuid.UUID]struct{}, key func(*T) uuid.UUID) int {
	fresh := p.Results[:0]
	for i := range p.Results {
		k := key(&p.Results[i])
		if _, ok := seen[k]; !ok {
			seen[k] = struct{}{}
			fresh = append(fresh, p.Results[i])
		}
	}
	repeats := len(p.Results) - len(fresh)
	clear(p.Results[len(fresh):])
	p.Results = fresh
	return repeats
}

// tally counts what an iteration has received.
type tally struct {
	keys     map[uuid.UUID]struct{}
	keyless  bool // the items have no known key, and some may be hidden
	tolerant bool // the iteration continues when the list changes
	pages    int
	count    int // of the last page
	grown    int // sum of the increases of the count
	repeats  int
}

// add counts a page, and returns how the page shows that the list has changed, ""
// if it does not, and whether the iteration is stuck.
func (t *tally) add(n Pagination, fresh, repeats int, fromStart bool) (change string, stuck bool) {
	before := t.count
	moved := t.pages > 0 && n.Count != before
	if moved {
		t.grown += max(n.Count-before, 0)
	}
	t.pages++
	t.count = n.Count
	t.repeats += repeats
	switch {
	// A page of nothing but repeats looks like a loop. A small page after
	// insertions looks the same. An iteration that ends at a change trusts the
	// count, and one that continues allows as many repeats as the count has grown.
	case t.keyless && moved:
		return fmt.Sprintf("the count went from %d to %d", before, n.Count), false
	case t.keyless:
		return "", false
	case n.Next != 0 && fresh == 0 && (repeats == 0 || t.tolerant && t.repeats > t.grown || !t.tolerant && !moved):
		return "", true
	case moved:
		return fmt.Sprintf("the count went from %d to %d", before, n.Count), false
	case repeats > 0:
		return fmt.Sprintf("%d repeated results", repeats), false
	case fromStart && n.Next == 0 && len(t.keys) != n.Count:
		return fmt.Sprintf("%d results in all, but the count is %d", len(t.keys), n.Count), false
	}
	return "", false
}

// items returns an iterator over the results of pages.
func items[T any](pages iter.Seq2[*Page[T], error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for page, err := range pages {
			if err != nil {
				var zero T
				yield(zero, err)
				return
			}
			for _, item := range page.Results {
				if !yield(item, nil) {
					return
				}
			}
		}
	}
}

// Collect returns the items of a sequence. With an error, Collect also returns the
// items before the error. The items of an empty sequence are nil.
func Collect[T any](seq iter.Seq2[T, error]) ([]T, error) {
	var all []T
	for item, err := range seq {
		if err != nil {
			return all, err
		}
		all = append(all, item)
	}
	return all, nil
}

// One returns the only item of a sequence. The error is [ErrNoResult] if there
// is none, [ErrMultipleResults] if there is a second one, or the sequence's own.
// One reads no third item.
//
//	flow, err := authentik.One(client.FlowsInstancesAll(ctx, &authentik.FlowsInstancesListOptions{Slug: slug}))
func One[T any](seq iter.Seq2[T, error]) (T, error) {
	var one, zero T
	n := 0
	for item, err := range seq {
		if err != nil {
			return zero, err
		}
		if n++; n > 1 {
			return zero, fmt.Errorf("authentik: One: %w of type %v", ErrMultipleResults, reflect.TypeFor[T]())
		}
		one = item
	}
	if n == 0 {
		return zero, fmt.Errorf("authentik: One: %w of type %v", ErrNoResult, reflect.TypeFor[T]())
	}
	return one, nil
}

// snapshotWaits are the waits of Snapshot between two passes, without jitter.
var snapshotWaits = [...]time.Duration{500 * time.Millisecond, 2 * time.Second}

// Snapshot returns the items of a list that may change while it is read. If the
// sequence ends with [ErrListChanged], Snapshot ranges over it again, at most
// three times in all. Snapshot waits half a second before the second pass and
// two seconds before the third one, and up to half of that more, because a
// change needs time to reach every replica.
//
// Items without an error were read without a change that a client can detect.
// Otherwise Snapshot returns the items and the error of the last pass. Snapshot
// does not wait beyond the deadline of the context that an iterator of this
// package was made with.
func Snapshot[T any](seq iter.Seq2[T, error]) ([]T, error) {
	for pass := 0; ; pass++ {
		all, err := Collect(seq)
		if pass == len(snapshotWaits) || !errors.Is(err, ErrListChanged) {
			return all, err
		}
		wait := snapshotWaits[pass]
		wait += rand.N(wait / 2) //nolint:gosec // waits need no cryptography
		if changed, ok := errors.AsType[*changedError](err); !ok {
			<-time.After(wait)
		} else if !changed.wait(wait) {
			return all, err
		}
	}
}

// changedError is an ErrListChanged. Its wait ends with the context of the
// iterator, and reports false if the context would end first.
type changedError struct {
	error

	wait func(time.Duration) bool
}

func (e *changedError) Unwrap() error { return e.error }

// waitWithin waits unless the context's deadline comes before that.
func waitWithin(ctx context.Context, wait time.Duration) bool {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= wait {
		return false
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done(): // the next request returns its error
	}
	return true
}
