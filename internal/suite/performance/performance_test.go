// Package performance_test has the limits for time, memory and allocations, and
// the benchmarks. A comparison with other clients is in tools/bench.
package performance_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/internal/testkit"
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
	require.NoError(t, json.Unmarshal(testkit.Recording(t, "2026.8.0-rc1", "walk_100_p1").Response.Body(), &page))
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
	number, err := strconv.Atoi(req.URL.Query().Get("page"))
	if err != nil {
		return nil, err
	}
	body := l.body(number)
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

func walkAll(t testing.TB, list *largeList, prefetch int) time.Duration {
	t.Helper()
	start := time.Now()
	n := 0
	for _, err := range testkit.NewClientOver(t, list.roundTrip).FlowsInstancesAll(t.Context(), nil, authentik.WithPrefetch(prefetch)) {
		if n++; err != nil {
			require.NoError(t, err)
		}
	}
	require.Equal(t, list.flows, n)
	return time.Since(start)
}

func TestWithPrefetch_TakesIdealTime(t *testing.T) {
	t.Parallel()
	for _, prefetch := range []int{0, 2, 8, 1000} {
		t.Run(strconv.Itoa(prefetch), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				taken := walkAll(t, newLargeList(t, 100*timedPages, timedLatency), prefetch)
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
				walkAll(b, list, prefetch)
			}
			b.ReportMetric(float64(b.Elapsed())/float64(b.N)/float64(idealTime(prefetch)), "×ideal")
		})
	}
}

func TestFlowsInstancesAll_HoldsPagesInFlightAnd64BytesAFlow(t *testing.T) { //nolint:paralleltest // measures the heap
	for prefetch, flows := range map[int]int{0: 20_000, 8: 100_000} {
		synctest.Test(t, func(t *testing.T) {
			list := newLargeList(t, flows, 0)
			page := len(list.page(1))
			ak := testkit.NewClientOver(t, list.roundTrip)
			_, err := ak.FlowsInstancesList(t.Context(), &authentik.FlowsInstancesListOptions{Page: 1}) // makes what stays
			require.NoError(t, err)
			before := liveHeap()
			seen := 0
			for _, err := range ak.FlowsInstancesAll(t.Context(), nil, authentik.WithPrefetch(prefetch)) {
				if err != nil {
					require.NoError(t, err)
				}
				if seen++; seen%10_000 != 50 {
					continue
				}
				synctest.Wait() // until the pages ahead are there, and what brought them is garbage
				held := liveHeap() - before
				assert.LessOrEqual(t, held, (1+prefetch)*page*5/4+64*seen, "%d flows seen, %d pages ahead", seen, prefetch)
			}
			require.Equal(t, flows, seen)
		})
	}
}

func TestFlow_PinsOwnDataOnly(t *testing.T) { //nolint:paralleltest // measures the heap
	list := newLargeList(t, 100, 0)
	ak := testkit.NewClientOver(t, list.roundTrip)
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

func TestFlow_TakesAtMost1KB(t *testing.T) { //nolint:paralleltest // measures the heap
	list := newLargeList(t, 10_000, 0)
	ak := testkit.NewClientOver(t, list.roundTrip)
	before := liveHeap()
	flows, err := authentik.Collect(ak.FlowsInstancesAll(t.Context(), nil))
	require.NoError(t, err)
	require.Len(t, flows, list.flows)
	assert.LessOrEqual(t, (liveHeap()-before)/len(flows), 1<<10, "bytes a flow")
	runtime.KeepAlive(flows)
}

// The time a flow is the same, however long the list.
func BenchmarkTimeAFlow(b *testing.B) {
	for _, flows := range []int{100, 1_000, 10_000, 100_000} {
		b.Run(strconv.Itoa(flows), func(b *testing.B) {
			list := newLargeList(b, flows, 0).prepared()
			for b.Loop() {
				walkAll(b, list, 0)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*flows), "ns/flow")
		})
	}
}

// sameAnswer is a server that answers every request with body, and that
// allocates nothing once there is a connection: what is counted is the client's.
func sameAnswer(t testing.TB, body []byte) (url string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	answer := fmt.Appendf(
		nil,
		"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		len(body),
		body,
	)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // closed
			}
			go func() {
				defer conn.Close() //nolint:errcheck // the client has gone
				lines := bufio.NewReader(conn)
				for {
					line, err := lines.ReadSlice('\n')
					if err != nil {
						return
					}
					if string(line) == "\r\n" {
						_, _ = conn.Write(answer) // a client that has gone is seen at the next read
					}
				}
			}()
		}
	}()
	return "http://" + listener.Addr().String()
}

// allocations are those of a call with the library, and of a GET that reads the
// same body with net/http alone.
func allocations(t *testing.T, body []byte, call func(*authentik.Client) error) (library, bare float64) {
	t.Helper()
	if testkit.Race {
		t.Skip("the race detector allocates, too")
	}
	url := sameAnswer(t, body)
	ak := testkit.NewClientAt(t, url)
	library = testing.AllocsPerRun(50, func() {
		require.NoError(t, call(ak))
	})
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: transport}
	bare = testing.AllocsPerRun(50, func() {
		resp, err := client.Get(url)
		require.NoError(t, err)
		read, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		require.NoError(t, err)
		require.Len(t, read, len(body))
	})
	return library, bare
}

func TestBindingsRetrieve_TakesFewAllocations(t *testing.T) { //nolint:paralleltest // counts allocations
	for _, version := range []string{"2024.10.0", "2026.8.0-rc1"} {
		body := testkit.Recording(t, version, "binding_retrieve_0").Response.Body()
		var binding struct{ PK uuid.UUID }
		require.NoError(t, json.Unmarshal(body, &binding))
		library, bare := allocations(t, body, func(ak *authentik.Client) error {
			_, err := ak.BindingsRetrieve(t.Context(), binding.PK)
			return err
		})
		assert.LessOrEqual(t, library, bare+40, version)
	}
}

func TestFlowsInstancesList_TakesAtMost220Allocations(t *testing.T) { //nolint:paralleltest // counts allocations
	for _, version := range []string{"2024.10.0", "2026.8.0-rc1"} {
		library, _ := allocations(
			t,
			testkit.Recording(t, version, "walk_100_p1").Response.Body(),
			func(ak *authentik.Client) error {
				page, err := ak.FlowsInstancesList(t.Context(), &authentik.FlowsInstancesListOptions{Page: 1, PageSize: 100})
				assert.Len(t, page.Results, 100)
				return err
			},
		)
		assert.LessOrEqual(t, library, 220.0, version)
	}
}

// liveHeap is what a garbage collection leaves, and another one of each
// sync.Pool.
func liveHeap() int {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int(stats.HeapAlloc)
}
