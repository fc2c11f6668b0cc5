package transport_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go/internal/transport"
)

const okRaw = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 4\r\n\r\n\"ok\""

// network is a network in memory with a firewall that can forget connections.
type network struct {
	mu       sync.Mutex
	open     []net.Conn // the server's ends
	forgot   int        // of open
	dials    int
	serving  sync.WaitGroup
	respond  func(conn net.Conn, request int) bool // false closes the connection
	requests atomic.Int64
}

func (n *network) dial(context.Context, string, string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	n.mu.Lock()
	n.open = append(n.open, theirs)
	i := len(n.open)
	n.dials++
	n.mu.Unlock()
	n.serving.Go(func() {
		defer func() { _ = theirs.Close() }()
		in := bufio.NewReader(theirs)
		for {
			req, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			if _, err = io.Copy(io.Discard, req.Body); err != nil {
				return
			}
			n.mu.Lock()
			dead := i <= n.forgot
			n.mu.Unlock()
			if !dead && !n.respond(theirs, int(n.requests.Add(1))) {
				return
			}
		}
	})
	return ours, nil
}

// forget makes the open connections drop everything that is sent.
func (n *network) forget() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.forgot = len(n.open)
}

func always(raw string) func(net.Conn, int) bool {
	return func(conn net.Conn, _ int) bool {
		_, err := io.WriteString(conn, raw)
		return err == nil
	}
}

// inBubble runs a test in virtual time with a Transport over n.
func (n *network) inBubble(t *testing.T, test func(t *testing.T, tr *transport.Transport)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		pool := transport.NewPool(func() *http.Transport {
			return &http.Transport{DialContext: n.dial, MaxIdleConnsPerHost: 32}
		})
		test(t, newTransport(t, pool))
		pool.CloseIdleConnections()
		n.serving.Wait()
	})
}

func get() transport.Request { return request(http.MethodGet, "http://sso.example.com/", true) }

// fiveAtOnce sends requests at the same time, so that five connections stay.
func fiveAtOnce(t *testing.T, tr *transport.Transport) {
	t.Helper()
	var all sync.WaitGroup
	for range 5 {
		all.Go(func() { assert.NoError(t, tr.Do(t.Context(), get()).Err) })
	}
	all.Wait()
}

func slowly(conn net.Conn, _ int) bool {
	time.Sleep(time.Second)
	return always(okRaw)(conn, 0)
}

func TestPool_DialsAfterATimeout(t *testing.T) {
	t.Parallel()
	n := &network{respond: slowly}
	n.inBubble(t, func(t *testing.T, tr *transport.Transport) {
		fiveAtOnce(t, tr)
		assert.Equal(t, 5, n.dials)
		n.forget()
		result := tr.Do(t.Context(), get())
		require.NoError(t, result.Err)
		assert.Equal(t, 2, result.Attempts)
		assert.Equal(t, 6, n.dials)

		n.forget()
		fiveAtOnce(t, tr)
		assert.LessOrEqual(t, n.dials, 6+4+5, "four more at once, then five that time out dial")
		fiveAtOnce(t, tr)
		assert.LessOrEqual(t, n.dials, 6+4+5, "and share what the first of them renewed")
	})
}

// A caller whose deadlines are shorter than the timeout of an attempt would
// otherwise meet each of the dead connections in turn.
func TestPool_DialsAfterTheDeadlineOfTheCaller(t *testing.T) {
	t.Parallel()
	n := &network{respond: slowly}
	n.inBubble(t, func(t *testing.T, tr *transport.Transport) {
		fiveAtOnce(t, tr)
		n.forget()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		require.ErrorIs(t, tr.Do(withoutDeadline{ctx}, get()).Err, context.DeadlineExceeded)
		result := tr.Do(t.Context(), get())
		require.NoError(t, result.Err)
		assert.Equal(t, 1, result.Attempts, "a dead connection costs a minute and an attempt")
		assert.Equal(t, 6, n.dials)
	})
}

// withoutDeadline is a context with a deadline that it does not return, so that it
// ends before the timeout of an attempt.
type withoutDeadline struct{ context.Context } //nolint:containedctx // it is a context

func (withoutDeadline) Deadline() (none time.Time, ok bool) { return none, false }

func TestPool_KeepsConnectionsOfACanceledCall(t *testing.T) {
	t.Parallel()
	n := &network{respond: slowly}
	n.inBubble(t, func(t *testing.T, tr *transport.Transport) {
		fiveAtOnce(t, tr)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Millisecond, cancel)
		require.ErrorIs(t, tr.Do(ctx, get()).Err, context.Canceled)
		require.NoError(t, tr.Do(t.Context(), get()).Err)
		assert.Equal(t, 5, n.dials)
	})
}

// net/http sends a request again by itself where that is safe. Where it is not,
// the call gets the error, and the other connections are as old.
func TestPool_DialsAfterASilentEnd(t *testing.T) {
	t.Parallel()
	n := &network{respond: slowly}
	n.inBubble(t, func(t *testing.T, tr *transport.Transport) {
		fiveAtOnce(t, tr)
		n.respond = func(net.Conn, int) bool { return false }
		result := tr.Do(t.Context(), request(http.MethodPost, "http://sso.example.com/", false))
		require.Error(t, result.Err)
		assert.Equal(t, 1, result.Attempts)
		n.forget() // a request on one of the other four would wait a minute
		n.respond = slowly
		began := time.Now()
		require.NoError(t, tr.Do(t.Context(), get()).Err)
		assert.Equal(t, time.Second, time.Since(began))
		assert.Equal(t, 6, n.dials)
	})
}

func TestPool_KeepsConnectionsAfterAResponse(t *testing.T) {
	t.Parallel()
	n := &network{respond: always("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n")}
	n.inBubble(t, func(t *testing.T, tr *transport.Transport) {
		for range 3 {
			tr.Do(t.Context(), get())
		}
		ctx, cancel := context.WithCancel(t.Context())
		n.respond = func(conn net.Conn, _ int) bool {
			cancel()
			return slowly(conn, 0)
		}
		require.ErrorIs(t, tr.Do(ctx, get()).Err, context.Canceled)
		n.respond = always(okRaw)
		require.NoError(t, tr.Do(t.Context(), get()).Err)
		assert.Equal(t, 2, n.dials, "one for the request that its caller canceled")
	})
}

// A connection that fails when it is new says nothing of the others.
func TestPool_KeepsConnectionsWhenANewOneFails(t *testing.T) {
	t.Parallel()
	n := &network{}
	n.inBubble(t, func(t *testing.T, tr *transport.Transport) {
		var first, second sync.WaitGroup
		n.respond = slowly
		first.Go(func() { assert.NoError(t, tr.Do(t.Context(), get()).Err) })
		synctest.Wait()
		n.respond = func(net.Conn, int) bool { return false }
		second.Go(func() {
			assert.Error(t, tr.Do(t.Context(), request(http.MethodPost, "http://sso.example.com/", false)).Err)
		})
		second.Wait()
		n.respond = always(okRaw)
		first.Wait()
		require.NoError(t, tr.Do(t.Context(), get()).Err)
		assert.Equal(t, 2, n.dials, "the first connection is used again")
	})
}

func TestPool_BoundsTheAgeOfConnections(t *testing.T) {
	t.Parallel()
	n := &network{respond: always(okRaw)}
	n.inBubble(t, func(t *testing.T, tr *transport.Transport) {
		for minute := range 60 {
			require.NoError(t, tr.Do(t.Context(), get()).Err)
			assert.Equal(t, 1+minute/15, n.dials)
			time.Sleep(time.Minute)
		}
		assert.Equal(t, 4, n.dials)
	})
}

// lockedBuffer receives the log of net/http's goroutines.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// The test is not parallel, because net/http logs to the log of the process.
func TestPool_KeepsNetHTTPQuiet(t *testing.T) { //nolint:paralleltest // see above
	const more = "HTTP/1.1 400 Bad Request\r\nContent-Length: 9\r\n\r\nCANARY-\r\n"
	head := "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
	var logged lockedBuffer
	log.SetOutput(&logged)
	defer log.SetOutput(log.Default().Writer())
	for name, respond := range map[string]func(net.Conn, int) bool{
		"with the response": always(okRaw + more),
		"with chunks":       always(head + "Transfer-Encoding: chunked\r\n\r\n4\r\n\"ok\"\r\n0\r\n\r\n" + more),
		"with long chunks": always(head + "Transfer-Encoding: chunked\r\n\r\n2\r\n\"o\r\n2\r\nk\"\r\n0\r\n" +
			"X-Trailer: " + strings.Repeat("x", 200) + "\r\n\r\n" + more),
		"with a 204": always("HTTP/1.1 204 No Content\r\n\r\n" + more),
		"a second later": func(conn net.Conn, _ int) bool {
			ok := always(okRaw)(conn, 0)
			time.AfterFunc(time.Second, func() { _, _ = io.WriteString(conn, more) })
			return ok
		},
		"as a body that is too long": always(okRaw + "}"),
	} {
		n := &network{respond: respond}
		n.inBubble(t, func(t *testing.T, tr *transport.Transport) {
			r := get()
			r.Decode = func(*transport.Response) error { return nil }
			for range 3 {
				result := tr.Do(t.Context(), r)
				require.NoError(t, result.Err, name)
				assert.Equal(t, 1, result.Attempts, name)
				time.Sleep(2 * time.Second)
			}
			assert.Equal(t, 3, n.dials, "%s: the connection is not trusted again", name)
		})
	}
	assert.Empty(t, logged.String())
}

// Over TLS, the unwanted bytes arrive in a later record.
func TestPool_KeepsNetHTTPQuietOverTLS(t *testing.T) { //nolint:paralleltest // as above
	var logged lockedBuffer
	log.SetOutput(&logged)
	defer log.SetOutput(log.Default().Writer())
	closed := make(chan struct{}, 8)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `"ok"`)
	}))
	server.Config.ConnState = func(conn net.Conn, state http.ConnState) {
		switch state {
		case http.StateIdle:
			_, _ = io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\n\r\n")
		case http.StateClosed:
			closed <- struct{}{}
		}
	}
	server.StartTLS()
	t.Cleanup(server.Close)
	pool := transport.NewPool(func() *http.Transport {
		return &http.Transport{
			DialContext:     new(net.Dialer).DialContext,
			TLSClientConfig: &tls.Config{RootCAs: server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs, MinVersion: tls.VersionTLS12},
		}
	})
	tr := newTransport(t, pool)
	for range 3 {
		r := request(http.MethodGet, server.URL, true)
		require.NoError(t, tr.Do(t.Context(), r).Err)
		<-closed
	}
	assert.Empty(t, logged.String())
}
