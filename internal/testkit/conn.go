package testkit

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Turn responds to one request on a connection of a [ConnServer]. The server
// closes the connection if Turn returns false.
type Turn func(net.Conn) bool

// ConnServer is a server that controls what is sent byte by byte. It responds
// to the first request with its first turn, to the second request with its
// second turn, and so on, whatever the connection; the last turn responds to
// all further requests. Create it with [NewConnServer].
type ConnServer struct {
	// Requests counts the requests.
	Requests atomic.Int32
	// Opened counts the connections.
	Opened atomic.Int32

	turns   []Turn
	open    atomic.Int32
	serving sync.WaitGroup
}

// NewConnServer returns a server with these turns, of which there must be at
// least one.
func NewConnServer(turns ...Turn) *ConnServer { return &ConnServer{turns: turns} }

// Listen serves on loopback until the test ends, and returns the address.
func (s *ConnServer) Listen(t testing.TB) (addr string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() {
		_ = listener.Close()
		s.serving.Wait()
	})
	s.serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			s.serve(conn)
		}
	})
	return listener.Addr().String()
}

// Pipe returns an HTTP client that is connected to the server in memory, for
// use in [testing/synctest].
func (s *ConnServer) Pipe(t testing.TB) *http.Client {
	t.Helper()
	transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		theirs, ours := net.Pipe()
		s.serve(ours)
		return theirs, nil
	}}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		s.serving.Wait()
	})
	return &http.Client{Transport: transport}
}

func (s *ConnServer) serve(conn net.Conn) {
	s.Opened.Add(1)
	s.open.Add(1)
	s.serving.Go(func() {
		defer s.open.Add(-1)
		defer func() { _ = conn.Close() }()
		in := bufio.NewReader(conn)
		for {
			req, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, req.Body)
			n := int(s.Requests.Add(1))
			if !s.turns[min(n, len(s.turns))-1](conn) {
				return
			}
		}
	})
}

// AssertConnsClosed asserts that all connections of s are closed. It waits up
// to ten seconds for that.
func AssertConnsClosed(t testing.TB, s *ConnServer) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); s.open.Load() > 0; runtime.Gosched() {
		require.True(t, time.Now().Before(end), "a connection is left open")
	}
}

// Send returns a turn that sends raw and keeps the connection open.
func Send(raw string) Turn {
	return func(conn net.Conn) bool {
		_, err := io.WriteString(conn, raw)
		return err == nil
	}
}

// SendAndClose returns a turn that sends raw and closes the connection.
func SendAndClose(raw string) Turn {
	return func(conn net.Conn) bool {
		_, _ = io.WriteString(conn, raw)
		return false
	}
}

// SendAndReset returns a turn that sends raw and resets the connection. It
// needs a server that listens.
func SendAndReset(raw string) Turn {
	return func(conn net.Conn) bool {
		_, _ = io.WriteString(conn, raw)
		_ = conn.(*net.TCPConn).SetLinger(0)
		return false
	}
}

// SendSlowly returns a turn that sends start, and then drip again and again
// until the client closes the connection.
func SendSlowly(start, drip string, every time.Duration) Turn {
	return func(conn net.Conn) bool {
		_, err := io.WriteString(conn, start)
		for err == nil {
			time.Sleep(every)
			_, err = io.WriteString(conn, drip)
		}
		return false
	}
}

// JSONHead is the beginning of a response with a JSON body, as it is sent over
// a connection. It lacks the header that says how the body ends.
const JSONHead = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nSet-Cookie: session=" + ServerSecret + "\r\n"

// TwoFlowsRaw is a response with [TwoFlowsBody], as it is sent over a
// connection.
var TwoFlowsRaw = fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", JSONHead, len(TwoFlowsBody), TwoFlowsBody)
