package transport_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/internal/testkit"
	"github.com/seed-299d42e7/authentik-go/internal/testkit/recording"
)

// pipes is a network in memory: what it carries, synctest can wait for.
type pipes struct {
	conns   chan net.Conn
	refused atomic.Bool // nobody listens
}

func (p *pipes) Accept() (net.Conn, error) {
	if conn, ok := <-p.conns; ok {
		return conn, nil
	}
	return nil, net.ErrClosed
}

func (p *pipes) Close() error   { return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	if p.refused.Load() {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	}
	ours, theirs := net.Pipe()
	select {
	case p.conns <- theirs:
		return ours, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// serve runs an HTTP server on the pipes until the test ends, and returns the
// transport that reaches it.
func (p *pipes) serve(t *testing.T, handler http.Handler) *http.Transport {
	t.Helper()
	p.conns = make(chan net.Conn)
	server := &http.Server{Handler: handler}
	go func() { _ = server.Serve(p) }()
	transport := &http.Transport{DialContext: p.dial, MaxIdleConnsPerHost: 32}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		close(p.conns)
		assert.NoError(t, server.Close())
	})
	return transport
}

// What routers said when their backend had been killed, and when it started
// again: recorded, by version. Not every version was killed.
func restarts(t *testing.T) map[string][]recording.Exchange {
	t.Helper()
	all := map[string][]recording.Exchange{}
	for version, exchanges := range testkit.Recordings(t) {
		for _, prefix := range []string{"crash_json", "starting_json"} {
			for _, e := range exchanges {
				if strings.HasPrefix(e.ID, prefix) {
					all[version] = append(all[version], e)
				}
			}
		}
	}
	require.NotEmpty(t, all)
	return all
}

// A restart as it was seen on real servers: for six seconds the backend is
// gone, then it starts for seven more. Before and after, one connection in a
// thousand is closed without an answer, as recycled workers do.
func TestFlowsInstancesAll_SurvivesServerRestart(t *testing.T) {
	t.Parallel()
	var slugs []string
	for i := range 1250 {
		slugs = append(slugs, fmt.Sprintf("flow-%05d", i))
	}
	test := func(t *testing.T, gone, starting []recording.Exchange) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			const goneAt, startsAt, upAt = 3 * time.Second, 9 * time.Second, 16 * time.Second
			began := time.Now()
			var network pipes
			var requests atomic.Int64
			flows := &testkit.FlowServer{Slugs: func(int) []string { return slugs }}
			transport := network.serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				<-time.After(50 * time.Millisecond)
				n := requests.Add(1)
				switch up := time.Since(began); {
				case up >= startsAt && up < upAt && len(starting) > 0:
					starting[int(n)%len(starting)].Response.ServeHTTP(w, r)
				case up >= goneAt && up < upAt && len(gone) > 0:
					gone[int(n)%len(gone)].Response.ServeHTTP(w, r)
				case n%1000 == 0, network.refused.Load():
					panic(http.ErrAbortHandler)
				default:
					flows.ServeHTTP(w, r)
				}
			}))
			if len(starting) == 0 { // the router restarts, too
				time.AfterFunc(goneAt, func() { network.refused.Store(true) })
				time.AfterFunc(upAt, func() { network.refused.Store(false) })
			}
			ak, err := authentik.NewClient(
				"http://localhost",
				testkit.Token,
				authentik.WithHTTPClient(&http.Client{Transport: transport}),
			)
			require.NoError(t, err)

			var walks sync.WaitGroup
			for i := range 8 {
				walks.Go(func() {
					opts := &authentik.FlowsInstancesListOptions{PageSize: 5}
					got, err := authentik.Collect(ak.FlowsInstancesAll(t.Context(), opts, authentik.WithPrefetch(i/2)))
					if !assert.NoError(t, err) {
						return
					}
					var order []string
					for _, flow := range got {
						order = append(order, flow.Slug)
					}
					assert.True(t, slices.Equal(slugs, order), "each flow once, in order: %d of %d", len(order), len(slugs))
				})
			}
			walks.Wait()
			assert.Greater(t, time.Since(began), upAt, "the restart was on the way")
			assert.Less(t, time.Since(began), upAt+time.Minute)
			assert.Greater(t, requests.Load(), int64(2000), "more than once was a connection cut")
		})
	}
	all := restarts(t)
	killed := slices.DeleteFunc(
		slices.Clone(all["2024.10.0"]),
		func(e recording.Exchange) bool { return !strings.HasPrefix(e.ID, "crash") },
	)
	for version, exchanges := range all {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			i := slices.IndexFunc(exchanges, func(e recording.Exchange) bool { return strings.HasPrefix(e.ID, "starting") })
			require.GreaterOrEqual(t, i, 0, "no server that is starting")
			gone := exchanges[:i]
			if len(gone) == 0 {
				gone = killed
			}
			test(t, gone, exchanges[i:])
		})
	}
	t.Run("with its router", func(t *testing.T) {
		t.Parallel()
		test(t, nil, nil)
	})
}

// A wrong port looks like a server that is down, and must not be waited for.
func TestRetryPolicy_FailsFastWhenNeverReached(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var network pipes
		transport := network.serve(t, http.NotFoundHandler())
		network.refused.Store(true)
		ak, err := authentik.NewClient(
			"http://localhost",
			testkit.Token,
			authentik.WithHTTPClient(&http.Client{Transport: transport}),
		)
		require.NoError(t, err)
		began := time.Now()
		_, err = authentik.Collect(ak.FlowsInstancesAll(t.Context(), nil, authentik.WithPrefetch(2)))
		var failed *authentik.RequestError
		require.ErrorAs(t, err, &failed)
		require.ErrorIs(t, err, syscall.ECONNREFUSED)
		assert.Equal(t, 4, failed.Attempts)
		assert.LessOrEqual(t, time.Since(began), (500+1000+2000)*time.Millisecond)
	})
}
