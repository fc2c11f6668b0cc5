package authentik

import (
	"context"
	"maps"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/seed-299d42e7/authentik-go/internal/transport"
)

// fetched is a page, or the error of its request.
type fetched[T any] struct {
	page      *Page[T]
	err       error
	response  Response
	postponed *transport.Postponed // a page ahead that the server refused; or nil

	done     chan struct{} // closed when the other fields are set
	panicked any           // value of a panic of the caller's middleware
	exited   bool          // the middleware called runtime.Goexit
}

// fromAPI reports whether a 404 is the API's own, and not that of a proxy without
// its backend.
func (f *fetched[T]) fromAPI() bool {
	return jsonType(f.response.Header.Get("Content-Type"))
}

// raise repeats the panic or the exit of the goroutine that fetched the page.
func (f *fetched[T]) raise() {
	if f.panicked != nil {
		panic(f.panicked)
	}
	if f.exited {
		runtime.Goexit()
	}
}

// fetch requests a page.
func (w walk[T]) fetch(ctx context.Context, number int) *fetched[T] {
	f := &fetched[T]{postponed: w.resume}
	r := w.request
	r.number, r.ahead, r.postponed = number, w.ahead, &f.postponed
	if number != w.first {
		r.page = number
	}
	r.query = maps.Clone(r.query)
	r.query.Set("page", strconv.Itoa(number))
	if r.query.Get("page_size") == "" {
		r.query.Set("page_size", walkPageSize)
	}
	f.page, f.err = callWith(ctx, w.client, r, requestConfig{response: &f.response}, page(func(p *Page[T]) error {
		return p.follows(number, w.key == nil)
	}))
	if w.config.response == nil {
		f.response.Body = nil // saves half of the memory of a page that is fetched ahead
	}
	return f
}

// lookahead fetches the pages of one iteration, some of them before they are
// wanted. When the server refuses one of these, no page is fetched ahead until
// the next wanted page has arrived. After that, each page allows one more.
type lookahead[T any] struct {
	walk   walk[T]
	caller context.Context //nolint:containedctx // both end with the iteration
	ctx    context.Context //nolint:containedctx // ends with the iteration
	cancel context.CancelFunc
	ahead  map[int]*fetched[T] // by number; at most WithPrefetch's n
	most   int                 // present limit of ahead

	mu      sync.Mutex
	refused time.Time // when the server accepts requests again; zero if it does
}

func (w walk[T]) newLookahead(ctx context.Context) *lookahead[T] {
	l := &lookahead[T]{walk: w, caller: ctx, ctx: ctx, cancel: func() {}}
	if w.config.prefetch > 0 && ctx != nil {
		l.ctx, l.cancel = context.WithCancel(ctx) //nolint:gosec // stop calls it
		l.ahead = map[int]*fetched[T]{}
		l.most = w.config.prefetch
	}
	return l
}

// start fetches the pages from number to last, at most as many as may be held.
func (l *lookahead[T]) start(number, last int) {
	if !l.refusal().IsZero() {
		return
	}
	for n := number; n <= last && n-number < l.most; n++ {
		if l.ahead[n] == nil {
			l.ahead[n] = l.fetch(n)
		}
	}
}

// fetch starts a goroutine that requests a page.
func (l *lookahead[T]) fetch(number int) *fetched[T] {
	slot := &fetched[T]{done: make(chan struct{}), exited: true}
	w := l.walk
	w.ahead = true
	go func() {
		defer close(slot.done)
		defer func() { slot.panicked = recover() }()
		f := w.fetch(l.ctx, number)
		slot.page, slot.err, slot.response, slot.postponed = f.page, f.err, f.response, f.postponed
		slot.exited = false
		l.mu.Lock()
		defer l.mu.Unlock()
		if p := slot.postponed; p != nil && p.Until.After(l.refused) {
			l.refused = p.Until
		}
	}()
	return slot
}

// refusal returns when the server accepts requests again, zero if it does now.
func (l *lookahead[T]) refusal() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.refused
}

// get returns a page when it has arrived.
func (l *lookahead[T]) get(number int) *fetched[T] {
	slot, w := l.ahead[number], l.walk
	// A page that has arrived is not returned to a caller whose context has
	// ended. Instead, fetch returns the error and sends nothing.
	if slot != nil && l.caller.Err() == nil {
		<-slot.done
		delete(l.ahead, number)
		slot.raise()
		if slot.postponed == nil {
			l.most = min(l.most+1, w.config.prefetch)
			return slot
		}
		w.resume = slot.postponed
	}
	until := l.refusal()
	if until.IsZero() {
		return w.fetch(l.caller, number)
	}
	waitWithin(l.caller, time.Until(until))
	f := w.fetch(l.caller, number)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.refused.Equal(until) {
		l.refused, l.most = time.Time{}, 1
	}
	return f
}

// stop cancels the requests under way, and waits for their goroutines.
func (l *lookahead[T]) stop() {
	l.cancel()
	for _, slot := range l.ahead {
		<-slot.done
	}
	for _, slot := range l.ahead {
		slot.raise()
	}
}
