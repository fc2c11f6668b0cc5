package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/internal/testkit"
)

// walkKind is one of the ways to walk.
type walkKind struct {
	byPage   bool // with FlowsInstancesPages, else with FlowsInstancesAll
	prefetch int
}

func eachWalk(t *testing.T, test func(*testing.T, walkKind)) {
	t.Helper()
	for op, byPage := range map[string]bool{"All": false, "Pages": true} {
		for _, prefetch := range []int{0, 1, 2, 5} {
			t.Run(fmt.Sprintf("%s with prefetch %d", op, prefetch), func(t *testing.T) {
				t.Parallel()
				test(t, walkKind{byPage, prefetch})
			})
		}
	}
}

func (k walkKind) op() string {
	if k.byPage {
		return "FlowsInstancesPages"
	}
	return "FlowsInstancesAll"
}

// walk yields slugs. It goes on after an error if its consumer does.
func (k walkKind) walk(
	ctx context.Context,
	t testing.TB,
	ak *authentik.Client,
	opts *authentik.FlowsInstancesListOptions,
	reqOpts ...authentik.RequestOption,
) iter.Seq2[string, error] {
	if k.prefetch > 0 {
		reqOpts = append(slices.Clone(reqOpts), authentik.WithPrefetch(k.prefetch))
	}
	if !k.byPage {
		flows := ak.FlowsInstancesAll(ctx, opts, reqOpts...)
		return func(yield func(string, error) bool) {
			for flow, err := range flows {
				if err != nil {
					assert.Zero(t, flow, "next to the error")
				}
				if !yield(flow.Slug, err) {
					return
				}
			}
		}
	}
	pages := ak.FlowsInstancesPages(ctx, opts, reqOpts...)
	return func(yield func(string, error) bool) {
		for page, err := range pages {
			if err != nil {
				assert.Nil(t, page, "next to the error")
				if !yield("", err) {
					return
				}
				continue
			}
			for _, flow := range page.Results {
				if !yield(flow.Slug, nil) {
					return
				}
			}
		}
	}
}

// drain ranges over all of a walk, past its error too: it must be the end.
func drain(t testing.TB, walk iter.Seq2[string, error]) (slugs string, err error) {
	t.Helper()
	for slug, e := range walk {
		require.NoError(t, err, "something was yielded after the error")
		err = e
		slugs += slug
	}
	return slugs, err
}

var pagesOfTwo = &authentik.FlowsInstancesListOptions{PageSize: 2}

// Clause 1 of the contract in FlowsInstancesAll's documentation; the other nine
// are below, and the ninth is in TestFlowsInstancesListOptions_OrderingIsTotal.
func TestFlowsInstancesAll_SendsNothingBeforeFirstStep(t *testing.T) {
	t.Parallel()
	eachWalk(t, func(t *testing.T, kind walkKind) {
		synctest.Test(t, func(t *testing.T) {
			server := &testkit.FlowServer{Slugs: testkit.Letters("abcdefgh")}
			walk := kind.walk(t.Context(), t, testkit.NewClientOver(t, server.RoundTrip), pagesOfTwo)
			synctest.Wait()
			assert.Empty(t, server.Pages())

			next, stop := iter.Pull2(walk)
			defer stop()
			synctest.Wait()
			assert.Empty(t, server.Pages())

			slug, err, ok := next()
			require.NoError(t, err)
			require.True(t, ok)
			assert.Equal(t, "a", slug)
			synctest.Wait()
			assert.Equal(t, []int{1, 2, 3, 4}[:min(1+kind.prefetch, 4)], server.Pages())
		})
	})
}

// Clause 2.
func TestFlowsInstancesAll_CopiesOptions(t *testing.T) {
	t.Parallel()
	eachWalk(t, func(t *testing.T, kind walkKind) {
		server := &testkit.FlowServer{Slugs: testkit.ChangingLetters("abcdef", 2, "abcdefg")}
		opts := authentik.FlowsInstancesListOptions{PageSize: 2, Search: "before", Ordering: "name"}
		reqOpts := []authentik.RequestOption{authentik.AllowListChanges()}
		walk := kind.walk(t.Context(), t, testkit.NewClient(t, server), &opts, reqOpts...)
		opts = authentik.FlowsInstancesListOptions{PageSize: -1, Search: "after", Page: 2}
		reqOpts[0] = authentik.WithPrefetch(-1)

		slugs, err := drain(t, walk)
		require.NoError(t, err)
		assert.Equal(t, "abcdefg", slugs)
		assert.Equal(
			t,
			authentik.FlowsInstancesListOptions{PageSize: -1, Search: "after", Page: 2},
			opts,
			"it is the caller's",
		)
		for _, query := range server.Queries() {
			query.Del("page")
			assert.Equal(t, url.Values{"page_size": {"2"}, "search": {"before"}, "ordering": {"name,slug"}}, query)
		}
	})
}

// Clause 3.
func TestFlowsInstancesAll_RestartsAtEachRange(t *testing.T) {
	t.Parallel()
	eachWalk(t, func(t *testing.T, kind walkKind) {
		server := &testkit.FlowServer{Slugs: testkit.Letters("abcdef")}
		walk := kind.walk(t.Context(), t, testkit.NewClient(t, server), pagesOfTwo)

		var outer string
		for slug, err := range walk {
			require.NoError(t, err)
			outer += slug
			inner, err := drain(t, walk)
			require.NoError(t, err)
			assert.Equal(t, "abcdef", inner, "within another range")
		}
		assert.Equal(t, "abcdef", outer)
		assert.Len(t, server.Pages(), 3+6*3)

		var ranges sync.WaitGroup
		for range 4 {
			ranges.Go(func() {
				slugs, err := drain(t, walk)
				assert.NoError(t, err)
				assert.Equal(t, "abcdef", slugs, "beside another range")
			})
		}
		ranges.Wait()
	})
}

// lagging is a transport that takes its time for an answer, which is virtual,
// and a second to notice that its request was cancelled.
type lagging struct {
	server   *testkit.FlowServer
	lag      func(page int) time.Duration
	inFlight atomic.Int32
	most     atomic.Int32 // in flight at once
}

func (l *lagging) roundTrip(req *http.Request) (*http.Response, error) {
	page, err := strconv.Atoi(req.URL.Query().Get("page"))
	if err != nil {
		return nil, err
	}
	now := l.inFlight.Add(1)
	defer l.inFlight.Add(-1)
	for {
		if most := l.most.Load(); now <= most || l.most.CompareAndSwap(most, now) {
			break
		}
	}
	resp, err := l.server.RoundTrip(req)
	select {
	case <-time.After(l.lag(page)):
		return resp, err
	case <-req.Context().Done():
		<-time.After(time.Second)
		return nil, req.Context().Err()
	}
}

// Clause 4.
func TestFlowsInstancesAll_BreakLeavesNothingRunning(t *testing.T) {
	t.Parallel()
	leave := func(after string) func(iter.Seq2[string, error]) {
		return func(walk iter.Seq2[string, error]) {
			for slug := range walk {
				if slug == after {
					break
				}
			}
		}
	}
	for _, tc := range []struct {
		name  string
		pages int // that are needed
		walk  func(iter.Seq2[string, error])
	}{
		{"at the first item", 1, leave("a")},
		{"in the middle of a page", 2, leave("d")},
		{"at the end of a page", 2, leave("f")},
		{"by a panic", 1, func(walk iter.Seq2[string, error]) {
			defer func() { _ = recover() }()
			for slug := range walk {
				panic(slug)
			}
		}},
		{"by Goexit", 1, func(walk iter.Seq2[string, error]) {
			done := make(chan struct{})
			go func() {
				defer close(done)
				for range walk {
					runtime.Goexit()
				}
			}()
			<-done
		}},
		{"by the stop of iter.Pull2", 2, func(walk iter.Seq2[string, error]) {
			next, stop := iter.Pull2(walk)
			for range 5 {
				_, _, _ = next()
			}
			stop()
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			eachWalk(t, func(t *testing.T, kind walkKind) {
				synctest.Test(t, func(t *testing.T) {
					transport := &lagging{
						server: &testkit.FlowServer{Slugs: testkit.Letters("abcdefghijklmnopqrstuvwxyz")},
						lag: func(page int) time.Duration {
							if page > tc.pages {
								return time.Hour // nobody waits for it
							}
							return time.Second
						},
					}
					walk := kind.walk(
						t.Context(),
						t,
						testkit.NewClientOver(t, transport.roundTrip),
						&authentik.FlowsInstancesListOptions{PageSize: 3},
					)
					start := time.Now()
					tc.walk(walk)
					assert.Zero(t, transport.inFlight.Load(), "it returned before its requests had")
					// A second a page, and one for those under way to be cancelled.
					assert.LessOrEqual(t, time.Since(start), time.Duration(tc.pages+min(1, kind.prefetch))*time.Second)
					sent := transport.server.Pages()
					assert.GreaterOrEqual(t, len(sent), tc.pages)
					assert.LessOrEqual(t, len(sent), tc.pages+kind.prefetch)
					synctest.Wait()
					assert.Equal(t, sent, transport.server.Pages())
				})
			})
		})
	}
}

// Clause 5.
func TestFlowsInstancesAll_YieldsErrorOnce(t *testing.T) {
	t.Parallel()
	for status, attempts := range map[int]int{http.StatusServiceUnavailable: 4, http.StatusForbidden: 1} {
		t.Run(strconv.Itoa(status), func(t *testing.T) {
			t.Parallel()
			eachWalk(t, func(t *testing.T, kind walkKind) {
				server := &testkit.FlowServer{
					Slugs:    testkit.Letters("abcdefgh"),
					Override: map[int]http.HandlerFunc{3: testkit.StaticHandler(status, "application/json", `{"detail":"no"}`)},
				}
				slugs, err := drain(t, kind.walk(t.Context(), t, testkit.NewClient(t, server), pagesOfTwo))
				assert.Equal(t, "abcd", slugs)
				var api *authentik.APIError
				require.ErrorAs(t, err, &api)
				assert.Equal(t, status, api.StatusCode)
				assert.Equal(t, attempts, api.Attempts)
				assert.Equal(t, kind.op(), api.Op)
				assert.ErrorContains(t, err, ", page 3)")
				assert.NotErrorIs(t, err, authentik.ErrListChanged)
				third := slices.DeleteFunc(server.Pages(), func(page int) bool { return page != 3 })
				assert.Len(t, third, attempts)
			})
		})
	}
}

// Clause 6.
func TestFlowsInstancesAll_ChecksContextBeforeEachPage(t *testing.T) {
	t.Parallel()
	eachWalk(t, func(t *testing.T, kind walkKind) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			reason := errors.New("enough")
			server := &testkit.FlowServer{Slugs: testkit.Letters("abcdefgh")}
			var sent []int
			slugs, err := drain(t, func(yield func(string, error) bool) {
				for slug, err := range kind.walk(ctx, t, testkit.NewClientOver(t, server.RoundTrip), pagesOfTwo) {
					if slug == "b" {
						synctest.Wait() // until the pages ahead are there
						cancel(reason)
						sent = server.Pages()
					}
					if !yield(slug, err) {
						return
					}
				}
			})
			assert.Equal(t, "ab", slugs)
			assert.Equal(t, sent, server.Pages())
			require.ErrorIs(t, err, context.Canceled)
			require.ErrorIs(t, err, reason)
			var request *authentik.RequestError
			require.ErrorAs(t, err, &request)
			assert.Zero(t, request.Attempts)
		})
	})
}

// Clause 6.
func TestFlowsInstancesAll_EndedContextSendsNothing(t *testing.T) {
	t.Parallel()
	eachWalk(t, func(t *testing.T, kind walkKind) {
		server := &testkit.FlowServer{Slugs: testkit.Letters("abc")}
		ctx, cancel := context.WithCancel(t.Context())
		walk := kind.walk(ctx, t, testkit.NewClient(t, server), nil)
		cancel()
		slugs, err := drain(t, walk)
		assert.Empty(t, slugs)
		require.ErrorIs(t, err, context.Canceled)
		assert.Empty(t, server.Pages())
	})
}

// Clause 6.
func TestFlowsInstancesAll_ContextInterruptsWait(t *testing.T) {
	t.Parallel()
	for name, second := range map[string]func(*http.Request) (*http.Response, error){
		"for an answer": func(req *http.Request) (*http.Response, error) {
			<-req.Context().Done()
			return nil, req.Context().Err()
		},
		"for another attempt": func(*http.Request) (*http.Response, error) {
			w := httptest.NewRecorder()
			w.Header().Set("Retry-After", "30")
			w.WriteHeader(http.StatusServiceUnavailable)
			return w.Result(), nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachWalk(t, func(t *testing.T, kind walkKind) {
				synctest.Test(t, func(t *testing.T) {
					ctx, cancel := context.WithCancel(t.Context())
					time.AfterFunc(10*time.Second, cancel)
					server := &testkit.FlowServer{Slugs: testkit.Letters("abcdefgh")}
					ak := testkit.NewClientOver(t, func(req *http.Request) (*http.Response, error) {
						if req.URL.Query().Get("page") == "2" {
							return second(req)
						}
						return server.RoundTrip(req)
					})
					start := time.Now()
					slugs, err := drain(t, kind.walk(ctx, t, ak, pagesOfTwo))
					assert.Equal(t, "ab", slugs)
					require.ErrorIs(t, err, context.Canceled)
					assert.Equal(t, 10*time.Second, time.Since(start))
				})
			})
		})
	}
}

// Clause 7.
func TestFlowsInstancesAll_RejectsPageOutOfOrder(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name      string
		lie       func(*authentik.Pagination)
		page      int // that lies
		delivered string
		text      string
	}{
		{"next is the same page", func(p *authentik.Pagination) { p.Next = 2 }, 2, "ab", "page 2 after page 2"},
		{"next is an earlier page", func(p *authentik.Pagination) { p.Next = 1 }, 2, "ab", "page 1 after page 2"},
		{"next leaves pages out", func(p *authentik.Pagination) { p.Next = 4 }, 2, "ab", "page 4 after page 2"},
		{"next is beyond the last page", func(p *authentik.Pagination) { p.TotalPages = 2 }, 2, "ab", "page 3 of 2"},
		{"next is a page of none", func(p *authentik.Pagination) { p.TotalPages = 0 }, 2, "ab", "page 3 of 0"},
		{
			"an earlier page came", func(p *authentik.Pagination) { p.Current = 1 }, 2, "ab",
			"page 1 instead of page 2",
		},
		{
			"a later page came", func(p *authentik.Pagination) { p.Current = 3 }, 2, "ab",
			"page 3 instead of page 2",
		},
		{"the first page is its own next", func(p *authentik.Pagination) { p.Next = 1 }, 1, "", "page 1 after page 1"},
		{
			"the first page is another one", func(p *authentik.Pagination) { p.Current, p.Next = 2, 3 }, 1, "",
			"page 2 instead of page 1",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			eachWalk(t, func(t *testing.T, kind walkKind) {
				for _, reqOpts := range [][]authentik.RequestOption{nil, {authentik.AllowListChanges()}} {
					server := &testkit.FlowServer{Slugs: testkit.Letters("abcdefgh"), Alter: func(p *authentik.Pagination) {
						if p.Current == tc.page {
							tc.lie(p)
						}
					}}
					slugs, err := drain(t, kind.walk(t.Context(), t, testkit.NewClient(t, server), pagesOfTwo, reqOpts...))
					assert.Equal(t, tc.delivered, slugs)
					require.ErrorIs(t, err, authentik.ErrPaginationStuck)
					require.NotErrorIs(t, err, authentik.ErrListChanged)
					assert.ErrorContains(t, err, authentik.ErrPaginationStuck.Error()+": "+tc.text)
					var decode *authentik.DecodeError
					require.ErrorAs(t, err, &decode)
					assert.Contains(t, []string{"pagination.next", "pagination.current"}, decode.JSONPath)
					lying := slices.DeleteFunc(server.Pages(), func(page int) bool { return page != tc.page })
					assert.Len(t, lying, 1, "requests for the page")
				}
			})
		})
	}
}

// Clause 7.
func TestFlowsInstancesAll_StopsAtPageWithoutNewItems(t *testing.T) {
	t.Parallel()
	const forever = 1000
	for name, tc := range map[string]struct {
		list      func(page int) []string
		size      int
		delivered string
		page      int   // that has nothing new
		strict    error // without AllowListChanges
	}{
		"the first page again": {testkit.Letters(strings.Repeat("ab", forever)), 2, "ab", 2, authentik.ErrPaginationStuck},
		"one flow again":       {testkit.Letters(strings.Repeat("a", forever)), 1, "a", 2, authentik.ErrPaginationStuck},
		"one flow again, although the list grew by another": {
			testkit.ChangingLetters(strings.Repeat("a", forever), 2, strings.Repeat("a", forever+1)), 1, "a", 3,
			authentik.ErrListChanged,
		},
		"the first page again, although the list shrank": {
			testkit.ChangingLetters(strings.Repeat("ab", forever), 2, strings.Repeat("ab", forever-1)), 2, "ab", 2,
			authentik.ErrListChanged,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachWalk(t, func(t *testing.T, kind walkKind) {
				opts := &authentik.FlowsInstancesListOptions{PageSize: tc.size}
				slugs, err := drain(t, kind.walk(t.Context(), t, testkit.NewClient(t, &testkit.FlowServer{Slugs: tc.list}), opts))
				assert.Equal(t, tc.delivered, slugs)
				require.ErrorIs(t, err, tc.strict)

				server := &testkit.FlowServer{Slugs: tc.list}
				slugs, err = drain(t, kind.walk(t.Context(), t, testkit.NewClient(t, server), opts, authentik.AllowListChanges()))
				assert.Equal(t, tc.delivered, slugs)
				require.ErrorIs(t, err, authentik.ErrPaginationStuck)
				assert.EqualError(
					t,
					err,
					fmt.Sprintf("authentik: %s: pagination is stuck: page %d has nothing new but a next page", kind.op(), tc.page),
				)
				assert.LessOrEqual(t, len(server.Pages()), tc.page+max(0, kind.prefetch-1))
			})
		})
	}
	t.Run("an empty page", func(t *testing.T) {
		t.Parallel()
		eachWalk(t, func(t *testing.T, kind walkKind) {
			const empty = `{"pagination":{"next":2,"previous":0,"count":4,"current":1,"total_pages":2,"start_index":1,"end_index":0},"results":[]}`
			for _, reqOpts := range [][]authentik.RequestOption{nil, {authentik.AllowListChanges()}} {
				server := &testkit.FlowServer{
					Override: map[int]http.HandlerFunc{1: testkit.StaticHandler(http.StatusOK, "application/json", empty)},
				}
				slugs, err := drain(t, kind.walk(t.Context(), t, testkit.NewClient(t, server), nil, reqOpts...))
				assert.Empty(t, slugs)
				require.ErrorIs(t, err, authentik.ErrPaginationStuck)
				assert.Equal(t, []int{1}, server.Pages())
			}
		})
	})
}

func TestFlowsInstancesList_RejectsContradictingPagination(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		path string
		list string
		lie  func(*authentik.Pagination)
	}{
		{"pagination.next", "abc", func(p *authentik.Pagination) { p.Next = -1 }},
		{"pagination.previous", "abc", func(p *authentik.Pagination) { p.Previous = -1 }},
		{"pagination.count", "abc", func(p *authentik.Pagination) { p.Count = -1 }},
		{"pagination.current", "abc", func(p *authentik.Pagination) { p.Current = -1 }},
		{"pagination.total_pages", "abc", func(p *authentik.Pagination) { p.TotalPages = -1 }},
		{"pagination.start_index", "abc", func(p *authentik.Pagination) { p.StartIndex = -1 }},
		{"pagination.end_index", "abc", func(p *authentik.Pagination) { p.EndIndex = -1 }},
		{"pagination.count", "abc", func(p *authentik.Pagination) { p.Count = 2 }},
		{"pagination.count", "", func(p *authentik.Pagination) { p.Count = 3 }},
		{"pagination.total_pages", "abc", func(p *authentik.Pagination) { p.TotalPages = 0 }},
	} {
		for op, list := range flowLists {
			server := &testkit.FlowServer{Slugs: testkit.Letters(tc.list), Alter: tc.lie}
			var decode *authentik.DecodeError
			require.ErrorAs(t, list(t.Context(), testkit.NewClient(t, server), nil), &decode, "%s: %s", op, tc.path)
			assert.Equal(t, tc.path, decode.JSONPath, op)
			assert.Len(t, server.Pages(), 1)
		}
	}
}

// Clause 8.
func TestFlowsInstancesAll_PageSize(t *testing.T) {
	t.Parallel()
	var all []string
	for i := range 250 {
		all = append(all, fmt.Sprintf("%03d", i))
	}
	for _, tc := range []struct {
		name    string
		opts    *authentik.FlowsInstancesListOptions
		maxSize int
		size    string // asked for
		first   int
		pages   []int
	}{
		{"by default", nil, 0, "100", 0, []int{1, 2, 3}},
		{"with other options", &authentik.FlowsInstancesListOptions{Search: "0"}, 0, "100", 0, []int{1, 2, 3}},
		{"as the caller says", &authentik.FlowsInstancesListOptions{PageSize: 50}, 0, "50", 0, []int{1, 2, 3, 4, 5}},
		{
			"where the server gives 100 at most", &authentik.FlowsInstancesListOptions{PageSize: 1000}, 100, "1000", 0,
			[]int{1, 2, 3},
		},
		{"where the server gives 20 at most", nil, 20, "100", 0, []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13}},
		{"from a page on", &authentik.FlowsInstancesListOptions{Page: 2}, 0, "100", 100, []int{2, 3}},
		{"from the last page on", &authentik.FlowsInstancesListOptions{Page: 5, PageSize: 50}, 0, "50", 200, []int{5}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			eachWalk(t, func(t *testing.T, kind walkKind) {
				server := &testkit.FlowServer{Slugs: func(int) []string { return all }, MaxPageSize: tc.maxSize}
				slugs, err := drain(t, kind.walk(t.Context(), t, testkit.NewClient(t, server), tc.opts))
				require.NoError(t, err)
				assert.Equal(t, strings.Join(all[tc.first:], ""), slugs)
				assert.Equal(t, tc.pages, server.Pages())
				for _, query := range server.Queries() {
					assert.Equal(t, []string{tc.size}, query["page_size"])
				}
			})
		})
	}
}

func TestFlowsInstancesAll_FromMissingPage(t *testing.T) {
	t.Parallel()
	eachWalk(t, func(t *testing.T, kind walkKind) {
		server := &testkit.FlowServer{Slugs: testkit.Letters("abc")}
		ak := testkit.NewClient(t, server)
		for _, reqOpts := range [][]authentik.RequestOption{nil, {authentik.AllowListChanges()}} {
			slugs, err := drain(t, kind.walk(t.Context(), t, ak, &authentik.FlowsInstancesListOptions{Page: 2}, reqOpts...))
			assert.Empty(t, slugs)
			require.ErrorIs(t, err, authentik.ErrNotFound)
			assert.NotErrorIs(t, err, authentik.ErrListChanged, "the caller's number, not a list that changed")
		}
	})
}

func TestFlowsInstancesAll_EmptyList(t *testing.T) {
	t.Parallel()
	eachWalk(t, func(t *testing.T, kind walkKind) {
		server := &testkit.FlowServer{Slugs: func(int) []string { return nil }}
		slugs, err := drain(t, kind.walk(t.Context(), t, testkit.NewClient(t, server), nil))
		require.NoError(t, err)
		assert.Empty(t, slugs)
		assert.Equal(t, []int{1}, server.Pages())

		server.Alter = func(p *authentik.Pagination) { p.TotalPages = 0 } // as some count
		_, err = drain(t, kind.walk(t.Context(), t, testkit.NewClient(t, server), nil))
		require.NoError(t, err)
	})
}

// Clause 10, in pages of two unless it says otherwise. What no client can see is here
// too, because the documentation says so.
func TestFlowsInstancesAll_ReportsListChange(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name     string
		list     func(page int) []string
		size     int
		lie      func(*authentik.Pagination)
		strict   string // delivered before ErrListChanged
		text     string // of the error; "" if there is none
		tolerant string // delivered with AllowListChanges
	}{
		{
			"a deletion before the cursor", testkit.ChangingLetters("abcdef", 2, "bcdef"), 2, nil, "abde",
			"page 2: the count went from 6 to 5", "abdef",
		},
		{
			"a deletion behind the cursor", testkit.ChangingLetters("abcdef", 2, "abcde"), 2, nil, "abcd",
			"page 2: the count went from 6 to 5", "abcde",
		},
		{
			"an insertion before the cursor", testkit.ChangingLetters("bcdefg", 2, "abcdefg"), 2, nil, "bcd",
			"page 2: the count went from 6 to 7", "bcdefg",
		},
		{
			"an insertion behind the cursor", testkit.ChangingLetters("abcdef", 2, "abcdefg"), 2, nil, "abcd",
			"page 2: the count went from 6 to 7", "abcdefg",
		},
		{
			"an insertion before the cursor and a deletion behind it", testkit.ChangingLetters("bcdefg", 2, "abcdef"), 2, nil,
			"bcd", "page 2: 1 repeated results", "bcdef",
		},
		{
			"a deletion before the cursor and an insertion behind it", testkit.ChangingLetters("abcdef", 2, "bcdefg"), 2, nil,
			"abdefg", "", "abdefg",
		},
		{
			"the last page is gone", testkit.ChangingLetters("abcde", 3, "abcd"), 2, nil, "abcd", "page 3 is gone: authentik: ",
			"abcd",
		},
		{"the list is empty", testkit.ChangingLetters("abcdef", 2, ""), 2, nil, "ab", "page 2 is gone: authentik: ", "ab"},
		{
			"a change on the last page", testkit.ChangingLetters("abcde", 3, "abcdef"), 2, nil, "abcdef",
			"page 3: the count went from 5 to 6", "abcdef",
		},
		{"a flow twice on a page", testkit.Letters("aabcde"), 2, nil, "a", "page 1: 1 repeated results", "abcde"},
		{
			"too few flows", testkit.Letters("abcdef"), 2, func(p *authentik.Pagination) { p.Count = 9 }, "abcdef",
			"page 3: 6 results in all, but the count is 9", "abcdef",
		},
		{
			"too many flows", testkit.Letters("abcdef"), 2, func(p *authentik.Pagination) { p.Count = 5 }, "abcdef",
			"page 3: 6 results in all, but the count is 5", "abcdef",
		},
		{
			"pages of one, an insertion before the cursor", testkit.ChangingLetters("bcd", 2, "abcd"), 1, nil, "b",
			"page 2: the count went from 3 to 4", "bcd",
		},
		{"pages of one, a deletion behind the cursor and then an insertion before it", func(page int) []string {
			return strings.Split([]string{"bcdef", "bcde", "abcde"}[min(page, 3)-1], "")
		}, 1, nil, "bc", "page 2: the count went from 5 to 4", "bcde"},
		{
			"pages of one, two insertions before the cursor", testkit.ChangingLetters("cde", 3, "abcde"), 1, nil, "cd",
			"page 3: the count went from 3 to 5", "cde",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			eachWalk(t, func(t *testing.T, kind walkKind) {
				ak := testkit.NewClient(t, &testkit.FlowServer{Slugs: tc.list, Alter: tc.lie})
				opts := &authentik.FlowsInstancesListOptions{PageSize: tc.size}

				slugs, err := drain(t, kind.walk(t.Context(), t, ak, opts))
				assert.Equal(t, tc.strict, slugs)
				if tc.text == "" {
					assert.NoError(t, err)
				} else {
					require.ErrorIs(t, err, authentik.ErrListChanged)
					require.NotErrorIs(t, err, authentik.ErrPaginationStuck)
					assert.ErrorContains(t, err, "authentik: "+kind.op()+": the list changed during the iteration: "+tc.text)
				}

				slugs, err = drain(t, kind.walk(t.Context(), t, ak, opts, authentik.AllowListChanges()))
				require.NoError(t, err)
				assert.Equal(t, tc.tolerant, slugs)
			})
		})
	}
}

func TestFlowsInstancesAll_StopsAtLastPage(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		list    func(page int) []string
		next    int // of page 2
		reqOpts []authentik.RequestOption
	}{
		{"the list changed", testkit.ChangingLetters("abcdefghij", 2, "abcdefghi"), 3, nil},
		{"no next page", testkit.Letters("abcdefghij"), 0, []authentik.RequestOption{authentik.AllowListChanges()}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			eachWalk(t, func(t *testing.T, kind walkKind) {
				synctest.Test(t, func(t *testing.T) {
					server := &testkit.FlowServer{Slugs: tc.list, Alter: func(p *authentik.Pagination) {
						if p.Current == 2 {
							p.Next = tc.next
						}
					}}
					slugs, err := drain(t, func(yield func(string, error) bool) {
						for slug, err := range kind.walk(t.Context(), t, testkit.NewClientOver(t, server.RoundTrip), pagesOfTwo, tc.reqOpts...) {
							if synctest.Wait(); !yield(slug, err) {
								return
							}
						}
					})
					assert.Equal(t, tc.reqOpts == nil, errors.Is(err, authentik.ErrListChanged))
					assert.Equal(t, "abcd", slugs)
					assert.Equal(t, []int{1, 2, 3, 4, 5}[:min(max(2, 1+kind.prefetch), 5)], server.Pages())
				})
			})
		})
	}
}

func TestFlowsInstancesAll_FromLaterPage(t *testing.T) {
	t.Parallel()
	eachWalk(t, func(t *testing.T, kind walkKind) {
		ak := testkit.NewClient(t, &testkit.FlowServer{Slugs: testkit.ChangingLetters("abcdef", 3, "abcdefg")})
		slugs, err := drain(t, kind.walk(t.Context(), t, ak, &authentik.FlowsInstancesListOptions{Page: 2, PageSize: 2}))
		assert.Equal(t, "cdef", slugs)
		require.ErrorIs(t, err, authentik.ErrListChanged)
		assert.ErrorContains(t, err, "page 3: the count went from 6 to 7")
	})
}

func TestFlowsInstancesAll_MissingPageIsListChange(t *testing.T) {
	t.Parallel()
	for contentType, tolerated := range map[string]bool{
		"application/json":                true,
		"application/json; charset=utf-8": true,
		"text/html; charset=utf-8":        false,
		"text/plain":                      false,
	} {
		t.Run(contentType, func(t *testing.T) {
			t.Parallel()
			eachWalk(t, func(t *testing.T, kind walkKind) {
				ak := testkit.NewClient(t, &testkit.FlowServer{
					Slugs: testkit.Letters("abcdef"),
					Override: map[int]http.HandlerFunc{
						3: testkit.StaticHandler(http.StatusNotFound, contentType, `{"detail":"Invalid page."}`),
					},
				})
				for _, reqOpts := range [][]authentik.RequestOption{nil, {authentik.AllowListChanges()}} {
					slugs, err := drain(t, kind.walk(t.Context(), t, ak, pagesOfTwo, reqOpts...))
					assert.Equal(t, "abcd", slugs)
					if tolerated && reqOpts != nil {
						require.NoError(t, err)
						continue
					}
					require.ErrorIs(t, err, authentik.ErrListChanged)
					require.ErrorIs(t, err, authentik.ErrNotFound)
					var api *authentik.APIError
					require.ErrorAs(t, err, &api)
					assert.Equal(t, http.StatusNotFound, api.StatusCode)
				}
			})
		})
	}
}

// A proxy that has lost its backend says nothing about the list.
func TestFlowsInstancesAll_ForeignNotFoundIsNoListChange(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"404 page not found\n", `{"message":"no route"}`, `{"error":"not found"}`, ""} {
		eachWalk(t, func(t *testing.T, kind walkKind) {
			ak := testkit.NewClient(t, &testkit.FlowServer{
				Slugs:    testkit.Letters("abcdef"),
				Override: map[int]http.HandlerFunc{3: testkit.StaticHandler(http.StatusNotFound, testkit.Text, body)},
			})
			for _, reqOpts := range [][]authentik.RequestOption{nil, {authentik.AllowListChanges()}} {
				slugs, err := drain(t, kind.walk(t.Context(), t, ak, pagesOfTwo, reqOpts...))
				assert.Equal(t, "abcd", slugs)
				require.ErrorIs(t, err, authentik.ErrNotAuthentik)
				require.NotErrorIs(t, err, authentik.ErrListChanged)
				require.NotErrorIs(t, err, authentik.ErrNotFound)
			}
		})
	}
}

func TestFlowsInstancesPages_DropsRepeatedItems(t *testing.T) {
	t.Parallel()
	for size, repeating := range map[int]int{2: 2, 1: 2} { // page 2 begins with what page 1 ended with
		list := testkit.ChangingLetters("bcdef", repeating, "abcdef")
		ak := testkit.NewClient(t, &testkit.FlowServer{Slugs: list})
		pages, err := authentik.Collect(
			ak.FlowsInstancesPages(
				t.Context(),
				&authentik.FlowsInstancesListOptions{PageSize: size},
				authentik.AllowListChanges(),
			),
		)
		require.NoError(t, err)
		require.Len(t, pages, (6+size-1)/size)
		for i, page := range pages {
			sent := testkit.FlowPage(list(i+1), i+1, size)
			assert.Equal(t, sent.Pagination, page.Pagination)
			if page.Pagination.Current == repeating {
				sent.Results = sent.Results[1:]
			}
			require.Len(t, page.Results, len(sent.Results))
			for j := range sent.Results {
				assert.Equal(t, sent.Results[j].Slug, page.Results[j].Slug)
			}
			assert.NotNil(t, page.Results)
		}
	}
}

func TestWithPrefetch_OrderAndLimit(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ prefetch, pages, most int }{
		{0, 6, 1},
		{1, 6, 1},
		{2, 6, 2},
		{5, 6, 5},
		{1000, 6, 5}, // all but the first
		{3, 1, 1},
	} {
		t.Run(fmt.Sprintf("%d of %d pages", tc.prefetch, tc.pages), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				slugs := "abcdefghijklmnopqrstuvwxyz"[:2*tc.pages]
				server := &testkit.FlowServer{Slugs: testkit.Letters(slugs)}
				transport := &lagging{server: server, lag: func(page int) time.Duration {
					return time.Duration(tc.pages+1-page) * time.Second // the last one is the first
				}}
				ak := testkit.NewClientOver(t, transport.roundTrip)
				got, err := drain(t, walkKind{prefetch: tc.prefetch}.walk(t.Context(), t, ak, pagesOfTwo))
				require.NoError(t, err)
				assert.Equal(t, slugs, got)
				assert.Equal(t, tc.most, int(transport.most.Load()), "in flight at once")
				assert.Equal(t, []int{1, 2, 3, 4, 5, 6}[:tc.pages], server.Pages(), "each page once, and none beyond the last")
			})
		})
	}
}

func TestWithPrefetch_HoldsPagesAheadOnly(t *testing.T) {
	t.Parallel()
	for _, prefetch := range []int{0, 1, 2, 5} {
		t.Run(strconv.Itoa(prefetch), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				const pages = 9
				server := &testkit.FlowServer{Slugs: testkit.Letters("abcdefghijklmnopqr")}
				for page, err := range testkit.NewClientOver(t, server.RoundTrip).FlowsInstancesPages(t.Context(), pagesOfTwo, authentik.WithPrefetch(prefetch)) {
					require.NoError(t, err)
					// All that it asks for by itself is there now; what it let
					// go of is what the consumer has had.
					synctest.Wait()
					had := page.Pagination.Current - 1
					assert.Len(t, server.Pages(), min(had+1+prefetch, pages))
				}
			})
		})
	}
}

func TestWithPrefetch_YieldsErrorInTurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &testkit.FlowServer{
			Slugs:    testkit.Letters("abcdefgh"),
			Override: map[int]http.HandlerFunc{3: testkit.StaticHandler(http.StatusForbidden, "application/json", "{}")},
		}
		transport := &lagging{server: server, lag: func(page int) time.Duration {
			return time.Duration(3-page) * time.Second // page 3 at once
		}}
		slugs, err := drain(
			t,
			walkKind{prefetch: 2}.walk(t.Context(), t, testkit.NewClientOver(t, transport.roundTrip), pagesOfTwo),
		)
		assert.Equal(t, "abcd", slugs)
		require.ErrorIs(t, err, authentik.ErrForbidden)
	})
}

func TestWithPrefetch_RejectsNegative(t *testing.T) {
	t.Parallel()
	server := &testkit.FlowServer{Slugs: testkit.Letters("abc")}
	ak := testkit.NewClient(t, server)
	for _, byPage := range []bool{false, true} {
		kind := walkKind{byPage: byPage}
		slugs, err := drain(t, kind.walk(t.Context(), t, ak, nil, authentik.WithPrefetch(-1)))
		assert.Empty(t, slugs)
		var argument *authentik.ArgumentError
		require.ErrorAs(t, err, &argument)
		assert.Equal(
			t,
			authentik.ArgumentError{Op: kind.op(), Field: "WithPrefetch", Reason: "must not be negative"},
			*argument,
		)
	}
	assert.Empty(t, server.Pages())

	_, err := ak.FlowsInstancesList(t.Context(), nil, authentik.WithPrefetch(-1))
	require.NoError(t, err, "where it does not apply, it is ignored")
}

func TestWithResponse_IsOfYieldedPage(t *testing.T) {
	t.Parallel()
	eachWalk(t, func(t *testing.T, kind walkKind) {
		ak := testkit.NewClient(t, &testkit.FlowServer{
			Slugs:    testkit.Letters("abcdefgh"),
			Override: map[int]http.HandlerFunc{4: testkit.StaticHandler(http.StatusForbidden, "application/json", "{}")},
		})
		var resp authentik.Response
		delivered := 0
		for slug, err := range kind.walk(t.Context(), t, ak, pagesOfTwo, authentik.WithResponse(&resp)) {
			if err != nil {
				assert.Equal(t, http.StatusForbidden, resp.StatusCode)
				break
			}
			delivered++
			assert.Equal(t, http.StatusOK, resp.StatusCode)
			assert.Contains(t, string(resp.Body), `"slug":"`+slug+`"`)
		}
		assert.Equal(t, 6, delivered)
	})
}

// sequence yields its items, and then its error if there is one.
func sequence(err error, items ...int) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		for _, item := range items {
			if !yield(item, nil) {
				return
			}
		}
		if err != nil {
			yield(0, err)
		}
	}
}

var errOfSequence = errors.New("broken")

func TestCollect_ReturnsItemsBeforeError(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		err   error
		items []int
	}{
		{nil, nil},
		{nil, []int{1, 2, 3}},
		{errOfSequence, []int{1, 2}},
		{errOfSequence, nil},
	} {
		items, err := authentik.Collect(sequence(tc.err, tc.items...))
		assert.Equal(t, tc.err, err)
		assert.Equal(t, tc.items, items)
	}
}

func TestOne_RequiresExactlyOneItem(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		err   error // of the sequence
		items []int
		want  error
		text  string
	}{
		{"one", nil, []int{7}, nil, ""},
		{"none", nil, nil, authentik.ErrNoResult, "authentik: One: no result of type int"},
		{"two", nil, []int{7, 8}, authentik.ErrMultipleResults, "authentik: One: more than one result of type int"},
		{
			"two, and no error read after them", errOfSequence,
			[]int{7, 8},
			authentik.ErrMultipleResults,
			"authentik: One: more than one result of type int",
		},
		{"an error", errOfSequence, nil, errOfSequence, "broken"},
		{"one and an error", errOfSequence, []int{7}, errOfSequence, "broken"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			one, err := authentik.One(sequence(tc.err, tc.items...))
			require.ErrorIs(t, err, tc.want)
			if tc.want == nil {
				assert.Equal(t, 7, one)
				return
			}
			assert.EqualError(t, err, tc.text)
			assert.Zero(t, one)
		})
	}
}

func TestOne_StopsAtSecondItem(t *testing.T) {
	t.Parallel()
	server := &testkit.FlowServer{Slugs: testkit.Letters("abcdef")}
	ak := testkit.NewClient(t, server)
	_, err := authentik.One(ak.FlowsInstancesAll(t.Context(), &authentik.FlowsInstancesListOptions{PageSize: 1}))
	require.ErrorIs(t, err, authentik.ErrMultipleResults)
	assert.Equal(t, []int{1, 2}, server.Pages())
}

func TestSnapshot_RepeatsOnListChangeOnly(t *testing.T) {
	t.Parallel()
	changed := fmt.Errorf("page 2: %w", authentik.ErrListChanged)
	for _, tc := range []struct {
		name  string
		walks []error // how each ends
		want  int     // walks
	}{
		{"no change", []error{nil}, 1},
		{"one change", []error{changed, nil}, 2},
		{"two changes", []error{changed, changed, nil}, 3},
		{"one change after another", []error{changed, changed, changed, nil}, 3},
		{"another error", []error{errOfSequence, nil}, 1},
		{"another error after a change", []error{changed, errOfSequence, nil}, 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			walks := 0
			items, err := authentik.Snapshot(func(yield func(int, error) bool) {
				walks++
				sequence(tc.walks[walks-1], 10*walks+1, 10*walks+2)(yield)
			})
			assert.Equal(t, tc.want, walks)
			assert.Equal(t, tc.walks[tc.want-1], err)
			assert.Equal(t, []int{10*walks + 1, 10*walks + 2}, items, "of the last walk")
		})
	}
}

func TestSnapshot_ReturnsListAfterChange(t *testing.T) {
	t.Parallel()
	walks := 0
	server := &testkit.FlowServer{Slugs: func(page int) []string {
		if page == 1 {
			walks++
		}
		if walks == 1 && page == 1 {
			return strings.Split("abcdef", "")
		}
		return strings.Split("bcdef", "")
	}}
	flows, err := authentik.Snapshot(testkit.NewClient(t, server).FlowsInstancesAll(t.Context(), pagesOfTwo))
	require.NoError(t, err)
	var slugs string
	for _, flow := range flows {
		slugs += flow.Slug
	}
	assert.Equal(t, "bcdef", slugs)
	assert.Equal(t, []int{1, 1, 2, 2, 3}, server.Pages())
}

// restlessList is a list in the order of its slugs. It changes at random
// before each request but the first.
type restlessList struct {
	random  *rand.Rand
	changes int // that are still to come
	size    int // of a page

	mu      sync.Mutex
	slugs   []string
	found   [][]string       // the list, by request
	served  map[int][]string // by page
	swapped bool             // flows were deleted and others inserted before the same request
	shifted bool             // deleted at or before the last one served, and inserted behind it
}

func (l *restlessList) insert() string {
	slug := fmt.Sprintf("%016x", l.random.Uint64())
	l.slugs = slices.Sorted(slices.Values(append(slices.Clone(l.slugs), slug)))
	return slug
}

func (l *restlessList) remove() string {
	i := l.random.IntN(len(l.slugs))
	slug := l.slugs[i]
	l.slugs = slices.Delete(slices.Clone(l.slugs), i, i+1)
	return slug
}

// at is the list as the next request finds it.
func (l *restlessList) at(page int) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	cursor := "" // the last flow of the page before, if pages are asked for in order
	if before := l.served[page-1]; len(before) > 0 {
		cursor = before[len(before)-1]
	}
	var deleted, inserted, deletedBefore, insertedBehind bool
	for len(l.found) > 0 && l.changes > 0 && l.random.IntN(3) > 0 {
		l.changes--
		kind := l.random.IntN(4) // 2 and 3 keep the count
		if kind != 0 && len(l.slugs) > 0 {
			deleted = true
			deletedBefore = l.remove() <= cursor || deletedBefore
		}
		if kind != 1 {
			inserted = true
			insertedBehind = l.insert() > cursor || insertedBehind
		}
	}
	l.swapped = l.swapped || deleted && inserted
	l.shifted = l.shifted || deletedBefore && insertedBehind
	l.found = append(l.found, l.slugs)
	from, to := (page-1)*l.size, page*l.size
	l.served[page] = l.slugs[min(from, len(l.slugs)):min(to, len(l.slugs))]
	return l.slugs
}

// lasting are the flows that every request found in the list.
func (l *restlessList) lasting() []string {
	return slices.DeleteFunc(slices.Clone(l.found[0]), func(slug string) bool {
		return slices.ContainsFunc(l.found, func(list []string) bool { return !slices.Contains(list, slug) })
	})
}

// A list changes at random while it is walked. Whatever happens, the walk ends
// and repeats nothing; it is stuck only at a page that has nothing new. One
// that ends without an error, and without AllowListChanges,
//   - found as many flows as every answer counted;
//   - is the list, if never was a flow deleted and another one inserted
//     between the same two requests;
//   - misses nothing that was there all the time, if never was a flow deleted
//     before the cursor and another one inserted behind it between the same
//     two requests, for pages that are asked for in order.
func TestFlowsInstancesAll_RandomListChanges(t *testing.T) {
	t.Parallel()
	outcomes := map[string]int{}
	for seed := range uint64(1000) {
		random := rand.New(rand.NewPCG(seed, 0))
		list := &restlessList{
			random: random, changes: random.IntN(8), size: 1 + random.IntN(6),
			slugs: []string{}, served: map[int][]string{},
		}
		for range random.IntN(20) {
			list.insert()
		}
		most := len(list.slugs) + list.changes + 1 // requests, were it pages of one
		prefetch, tolerant := random.IntN(4), random.IntN(2) == 0
		reqOpts := []authentik.RequestOption{authentik.WithPrefetch(prefetch)}
		if tolerant {
			reqOpts = append(reqOpts, authentik.AllowListChanges())
		}
		ak := testkit.NewClientOver(t, (&testkit.FlowServer{Slugs: list.at}).RoundTrip)
		pages, err := authentik.Collect(
			ak.FlowsInstancesPages(t.Context(), &authentik.FlowsInstancesListOptions{PageSize: list.size}, reqOpts...),
		)
		got := []string{}
		for _, page := range pages {
			for _, flow := range page.Results {
				got = append(got, flow.Slug)
			}
		}

		in := fmt.Sprintf("seed %d: pages of %d, prefetch %d, AllowListChanges %v", seed, list.size, prefetch, tolerant)
		require.LessOrEqual(t, len(list.found), most, in)
		require.Len(t, slices.Compact(slices.Sorted(slices.Values(got))), len(got), in)
		switch {
		case errors.Is(err, authentik.ErrPaginationStuck):
			outcomes["stuck"]++
			require.Subset(t, got, list.served[len(pages)+1], in)
		case tolerant:
			outcomes["tolerated"]++
			require.NoError(t, err, in)
		case err != nil:
			outcomes["told"]++
			require.ErrorIs(t, err, authentik.ErrListChanged, in)
		default:
			for _, found := range list.found {
				require.Len(t, found, len(got), in)
			}
			ordered := prefetch <= 1
			switch {
			case !list.swapped:
				outcomes["unchanged"]++
				require.Equal(t, list.found[0], got, in)
			case ordered && !list.shifted:
				outcomes["swapped"]++
				require.Subset(t, got, list.lasting(), in)
			case ordered:
				outcomes["blind"]++
			}
		}
	}
	for _, outcome := range []string{"stuck", "tolerated", "told", "unchanged", "swapped", "blind"} {
		assert.NotZero(t, outcomes[outcome], outcome)
	}
	t.Log(outcomes)
}

// anyList serves pages of numbers at core/groups/, and keeps the queries.
type anyList struct {
	count   int
	sizes   []int // of the pages
	alter   func(page int, p *authentik.Pagination)
	queries []url.Values
}

func (s *anyList) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	s.queries = append(s.queries, query)
	number, _ := strconv.Atoi(query.Get("page"))
	if number > len(s.sizes) || r.URL.Path != "/api/v3/core/groups/" {
		testkit.StaticHandler(http.StatusNotFound, testkit.JSON, `{"detail":"Invalid page."}`)(w, r)
		return
	}
	page := authentik.Page[int]{
		Pagination: authentik.Pagination{Count: s.count, Current: number, TotalPages: len(s.sizes)}, Results: []int{},
	}
	for range s.sizes[number-1] {
		page.Results = append(page.Results, number)
	}
	if number < len(s.sizes) {
		page.Pagination.Next = number + 1
	}
	if s.alter != nil {
		s.alter(number, &page.Pagination)
	}
	body, err := json.Marshal(page)
	if err != nil {
		panic(err)
	}
	testkit.StaticHandler(http.StatusOK, testkit.JSON, string(body))(w, r)
}

// Some lists count what a policy then hides: pages may be empty, and items are
// fewer than the count.
func TestListAll_AcceptsWhatPoliciesHide(t *testing.T) {
	t.Parallel()
	for _, sizes := range [][]int{{2, 2, 1}, {2, 0, 1}, {0, 0, 0, 2}, {1, 0}, {0}, {1}} {
		for _, prefetch := range []int{0, 2} {
			server := &lockedList{anyList: anyList{count: 7, sizes: sizes}}
			seq := authentik.ListAll[int](t.Context(), testkit.NewClient(t, server), "core/groups", nil,
				authentik.WithPrefetch(prefetch))
			var want []int
			for i, size := range sizes {
				want = append(want, slices.Repeat([]int{i + 1}, size)...)
			}
			for range 2 { // it starts again
				got, err := authentik.Collect(seq)
				require.NoError(t, err, "%v", sizes)
				assert.Equal(t, want, got)
			}
			assert.Len(t, server.queries, 2*len(sizes), "requests for %v", sizes)
		}
	}
	got, err := authentik.Collect(authentik.ListAll[int](t.Context(),
		testkit.NewClient(t, &anyList{sizes: []int{0}}), "core/groups", nil))
	require.NoError(t, err)
	assert.Empty(t, got)
}

// lockedList is an anyList that several requests may reach at once.
type lockedList struct {
	anyList
	mu sync.Mutex
}

func (s *lockedList) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.anyList.ServeHTTP(w, r)
}

// A policy hides an item by leaving it out, so that null is no item.
func TestListAll_RejectsNull(t *testing.T) {
	t.Parallel()
	body := testkit.FlowPageBody(2, "[null,null]")
	client := testkit.NewClient(t, testkit.Reply(200, testkit.JSON, body))
	_, err := authentik.Collect(authentik.ListAll[struct{}](t.Context(), client, "core/groups/", nil))
	require.ErrorContains(t, err, "results[0]: null, want a value")
	pointers, err := authentik.Collect(authentik.ListAll[*struct{}](t.Context(), client, "core/groups/", nil))
	require.NoError(t, err)
	assert.Equal(t, []*struct{}{nil, nil}, pointers)
}

func TestListAll_SendsQuery(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ query, sent url.Values }{
		{nil, url.Values{"page": {"1"}, "page_size": {"100"}}},
		{
			url.Values{"a": {"b", "c&d"}, "page_size": {"7"}},
			url.Values{"a": {"b", "c&d"}, "page_size": {"7"}, "page": {"1"}},
		},
		{url.Values{"page": {"3"}}, url.Values{"page": {"3"}, "page_size": {"100"}}},
	} {
		server := &anyList{count: 3, sizes: []int{1, 1, 1}}
		seq := authentik.ListAll[int](t.Context(), testkit.NewClient(t, server), "/core/groups/", c.query)
		if c.query != nil {
			c.query.Set("a", "changed later")
			c.query["page_size"] = []string{"changed later"}
		}
		_, err := authentik.Collect(seq)
		require.NoError(t, err)
		assert.Equal(t, c.sent, server.queries[0])
	}
}

func TestListAll_ReportsChangesAndLoops(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		alter    func(page int, p *authentik.Pagination)
		err      error
		items    []int
		requests int
	}{
		"the count moves": {func(page int, p *authentik.Pagination) { p.Count += page }, authentik.ErrListChanged, []int{1, 2}, 2},
		"a page comes again": {func(_ int, p *authentik.Pagination) {
			p.Current, p.Next = 1, 2
		}, authentik.ErrPaginationStuck, []int{1}, 2},
		"a page is left out": {func(_ int, p *authentik.Pagination) {
			p.Next = 3
		}, authentik.ErrPaginationStuck, nil, 1},
		"a page beyond the last": {func(_ int, p *authentik.Pagination) {
			p.TotalPages = 1
		}, authentik.ErrPaginationStuck, nil, 1},
		"more pages than items": {func(page int, p *authentik.Pagination) {
			p.Next, p.TotalPages = page+1, 8
		}, authentik.ErrPaginationStuck, nil, 1},
		"a page is gone": {func(page int, p *authentik.Pagination) {
			p.Next, p.TotalPages = page+1, 5
		}, authentik.ErrListChanged, []int{1, 2, 3}, 4},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := &anyList{count: 7, sizes: []int{1, 1, 1}, alter: c.alter}
			got, err := authentik.Collect(
				authentik.ListAll[int](t.Context(), testkit.NewClient(t, server), "core/groups/", nil))
			require.ErrorIs(t, err, c.err)
			assert.Regexp(t, "^authentik: ListAll( /sub/path/api/v3/core/groups/)?: ", err.Error())
			assert.Equal(t, c.items, got)
			assert.Len(t, server.queries, c.requests)
		})
	}
	server := &anyList{count: 7, sizes: []int{1, 1, 1}, alter: func(page int, p *authentik.Pagination) { p.Count += page }}
	got, err := authentik.Collect(authentik.ListAll[int](t.Context(), testkit.NewClient(t, server), "core/groups/", nil,
		authentik.AllowListChanges()))
	require.NoError(t, err)
	assert.Equal(t, []int{1, 2, 3}, got)
}

func TestListAll_DecodesModelsStrictly(t *testing.T) {
	t.Parallel()
	all := func(body string) ([]authentik.Flow, error) {
		ak := testkit.NewClient(t, &testkit.Stub{Body: body})
		return authentik.Collect(authentik.ListAll[authentik.Flow](t.Context(), ak, "flows/instances", nil))
	}
	flows, err := all(testkit.FlowPageBody(1, `[`+testkit.MinimalFlow+`]`))
	require.NoError(t, err)
	assert.Equal(t, "s", flows[0].Slug)
	_, err = all(testkit.FlowPageBody(1, `[{"slug":"s"}]`))
	assert.Equal(t, "results[0].pk", testkit.RequireType[*authentik.DecodeError](t, err).JSONPath)
	_, err = all(testkit.FlowPageBody(1, `[]`))
	assert.Equal(t, "pagination.count", testkit.RequireType[*authentik.DecodeError](t, err).JSONPath)
	_, err = all(`[]`)
	testkit.RequireType[*authentik.DecodeError](t, err)
}

func TestListAll_RejectsWhatIsNoList(t *testing.T) {
	t.Parallel()
	for body, path := range map[string]string{
		`[]`:             "",
		`{"results":[]}`: "pagination",
		strings.Replace(testkit.FlowPageBody(0, `[]`), `,"results":[]`, "", 1):             "results",
		strings.Replace(testkit.FlowPageBody(0, `[]`), `"previous":0`, `"previous":-1`, 1): "pagination.previous",
	} {
		client := testkit.NewClient(t, testkit.Reply(200, testkit.JSON, body))
		_, err := authentik.Collect(authentik.ListAll[any](t.Context(), client, "core/groups/", nil))
		assert.Equal(t, path, testkit.RequireType[*authentik.DecodeError](t, err).JSONPath, body)
		require.NotErrorIs(t, err, authentik.ErrPaginationStuck)
	}
}

func TestListAll_RefusesInvalid(t *testing.T) {
	t.Parallel()
	var all []refusal
	refuse := func(field, reason, path string, query url.Values, opts ...authentik.RequestOption) {
		all = append(all, refusal{"ListAll", field, reason, func(ctx context.Context, ak *authentik.Client) error {
			_, err := authentik.Collect(authentik.ListAll[any](ctx, ak, path, query, opts...))
			return err
		}})
	}
	for path, want := range getPaths {
		if want[1] != "" {
			refuse("path", want[1], path, nil)
		}
	}
	for _, number := range []string{"", "0", "-1", "last", "1.5", "99999999999999999999"} {
		refuse("query", "page must be a positive number", "a", url.Values{"page": {number}})
		refuse("query", "page_size must be a positive number", "a", url.Values{"page_size": {number}})
	}
	refuse("WithPrefetch", "must not be negative", "a", nil, authentik.WithPrefetch(-1))
	testRefusals(t, all)
	for _, ak := range []*authentik.Client{nil, {}} {
		_, err := authentik.Collect(authentik.ListAll[any](t.Context(), ak, "a", nil))
		assertArgumentError(t, err, "ListAll", "Client", "must be made by NewClient")
	}
}
