package authentik_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
)

// largeList is a transport without a socket that answers with pages of 100 out
// of a list of any length, all made of one recorded flow.
type largeList struct {
	flow, pk string // JSON, and the PK in it
	flows    int
	latency  time.Duration
	body     func(page int) []byte
}

func newLargeList(t testing.TB, flows int, latency time.Duration) *largeList {
	t.Helper()
	var page struct{ Results []json.RawMessage }
	require.NoError(t, json.Unmarshal(recording(t, "2026.8.0-rc1", "walk_100_p1").Response.Body(), &page))
	var flow struct{ PK string }
	require.NoError(t, json.Unmarshal(page.Results[0], &flow))
	l := &largeList{flow: string(page.Results[0]), pk: flow.PK, flows: flows, latency: latency}
	l.body = l.page
	return l
}

// prepared has its pages made in advance.
func (l *largeList) prepared() *largeList {
	bodies := make([][]byte, l.flows/100+1)
	for i := range bodies {
		bodies[i] = l.page(i)
	}
	l.body = func(page int) []byte { return bodies[page] }
	return l
}

func (l *largeList) page(number int) []byte {
	p := authentik.Pagination{
		Next: number + 1, Previous: number - 1, Count: l.flows, Current: number, TotalPages: l.flows / 100,
		StartIndex: number*100 - 99, EndIndex: number * 100,
	}
	if number == p.TotalPages {
		p.Next = 0
	}
	head, err := json.Marshal(p)
	if err != nil {
		panic(err)
	}
	b := fmt.Appendf(nil, `{"pagination":%s,"results":[`, head)
	for i := range 100 {
		b = append(b, strings.ReplaceAll(l.flow, l.pk, fmt.Sprintf("00000000-0000-4000-8000-%012x", number*100+i))...)
		b = append(b, ',')
	}
	b[len(b)-1] = ']'
	return append(b, '}')
}

func (l *largeList) roundTrip(req *http.Request) (*http.Response, error) {
	if l.latency > 0 {
		<-time.After(l.latency)
	}
	body := l.body(atoi(req.URL.Query().Get("page")))
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
	}, nil
}

// What is walked to measure its time: 10,000 flows at 20 ms a request.
const (
	timedPages   = 100
	timedLatency = 20 * time.Millisecond
)

// idealTime is that of the first page and then of all others, as many at a
// time as are prefetched.
func idealTime(prefetch int) time.Duration {
	prefetch = max(prefetch, 1)
	return time.Duration(1+(timedPages-1+prefetch-1)/prefetch) * timedLatency
}

func timedWalk(t testing.TB, list *largeList, prefetch int) time.Duration {
	t.Helper()
	start := time.Now()
	n := 0
	for _, err := range socketless(t, list.roundTrip).FlowsInstancesAll(t.Context(), nil, authentik.WithPrefetch(prefetch)) {
		if n++; err != nil {
			require.NoError(t, err)
		}
	}
	require.Equal(t, list.flows, n)
	return time.Since(start)
}

func TestWalkWithPrefetchTakesTheIdealTime(t *testing.T) {
	t.Parallel()
	for _, prefetch := range []int{0, 2, 8, 1000} {
		t.Run(strconv.Itoa(prefetch), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				taken := timedWalk(t, newLargeList(t, 100*timedPages, timedLatency), prefetch)
				assert.LessOrEqual(t, float64(taken), 1.1*float64(idealTime(prefetch)))
			})
		})
	}
}

func BenchmarkWalk(b *testing.B) {
	list := newLargeList(b, 100*timedPages, timedLatency).prepared()
	for _, prefetch := range []int{0, 2, 8} {
		b.Run(fmt.Sprintf("prefetch=%d", prefetch), func(b *testing.B) {
			for b.Loop() {
				timedWalk(b, list, prefetch)
			}
			b.ReportMetric(float64(b.Elapsed())/float64(b.N)/float64(idealTime(prefetch)), "×ideal")
		})
	}
}

func TestWalkHoldsItsPagesInFlightAnd64BytesAFlow(t *testing.T) { //nolint:paralleltest // measures the heap
	for prefetch, flows := range map[int]int{0: 20_000, 8: 100_000} {
		synctest.Test(t, func(t *testing.T) {
			list := newLargeList(t, flows, 0)
			page := len(list.page(1))
			before := liveHeap()
			seen := 0
			for _, err := range socketless(t, list.roundTrip).FlowsInstancesAll(t.Context(), nil, authentik.WithPrefetch(prefetch)) {
				if err != nil {
					require.NoError(t, err)
				}
				if seen++; seen%10_000 != 50 {
					continue
				}
				synctest.Wait() // until the pages ahead are there, and what brought them is garbage
				held := liveHeap() - before
				assert.LessOrEqual(t, held, (1+prefetch)*page+64*seen, "%d flows seen, %d pages ahead", seen, prefetch)
			}
			require.Equal(t, flows, seen)
		})
	}
}

func TestKeptFlowPinsItsOwnDataOnly(t *testing.T) { //nolint:paralleltest // measures the heap
	list := newLargeList(t, 100, 0)
	ak := socketless(t, list.roundTrip)
	before := liveHeap()
	kept := make([]authentik.Flow, 100)
	for i := range kept {
		page, err := ak.FlowsInstancesList(t.Context(), &authentik.FlowsInstancesListOptions{Page: 1})
		require.NoError(t, err)
		kept[i] = page.Results[i]
	}
	assert.Less(t, (liveHeap()-before)/len(kept), 1<<10, "bytes a flow")
	runtime.KeepAlive(kept)
}

// liveHeap is what a garbage collection leaves.
func liveHeap() int {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int(stats.HeapAlloc)
}
