package authentiktest

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// gate is a listener that can be closed for a time, and whose connections can
// die.
type gate struct {
	server *Server
	addr   net.Addr
	done   chan struct{} // closed by Close

	mu       sync.Mutex // guards what follows
	listener net.Listener
	opened   chan struct{} // closed when the gate opens
	until    time.Time     // when the gate opens
	timer    *time.Timer   // that opens it
	conns    map[*gateConn]bool
	ended    bool
}

func newGate(s *Server) (*gate, error) {
	listener, err := listen("tcp", "127.0.0.1:0")
	if err != nil {
		if listener, err = listen("tcp6", "[::1]:0"); err != nil {
			return nil, err
		}
	}
	return &gate{
		server: s, addr: listener.Addr(), done: make(chan struct{}),
		listener: listener, conns: map[*gateConn]bool{},
	}, nil
}

func listen(network, addr string) (net.Listener, error) {
	return new(net.ListenConfig).Listen(context.Background(), network, addr)
}

// Addr returns the address, also of a gate that is closed.
func (g *gate) Addr() net.Addr { return g.addr }

// Accept returns the next connection. It waits while the gate is closed.
func (g *gate) Accept() (net.Conn, error) {
	for {
		g.mu.Lock()
		listener, opened := g.listener, g.opened
		g.mu.Unlock()
		if listener == nil {
			select {
			case <-opened:
				continue
			case <-g.done:
				return nil, net.ErrClosed
			}
		}
		conn, err := listener.Accept()
		if passed := g.pass(listener, conn); passed != nil {
			return passed, nil
		} else if err != nil && g.listensTo(listener) {
			return nil, err
		}
	}
}

func (g *gate) listensTo(listener net.Listener) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.listener == listener
}

// pass returns the connection, unless the gate has been closed meanwhile.
func (g *gate) pass(listener net.Listener, conn net.Conn) net.Conn {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case conn == nil:
		return nil
	case g.listener != listener:
		_ = conn.Close()
		return nil
	}
	passed := &gateConn{Conn: conn, gate: g}
	g.conns[passed] = true
	return passed
}

// close refuses connections until then, and closes those that there are.
func (g *gate) close(until time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ended {
		return
	}
	if until.After(g.until) {
		g.until = until
	}
	if g.listener != nil {
		_ = g.listener.Close()
		g.listener, g.opened = nil, make(chan struct{})
		g.timer = time.AfterFunc(time.Until(g.until), g.openInTime)
	}
	for conn := range g.conns {
		_ = conn.Conn.Close()
	}
	clear(g.conns)
}

// patience is how long a gate waits for its port, if another process has it.
const patience = 5 * time.Second

// openInTime opens the gate, or waits once more.
func (g *gate) openInTime() {
	g.mu.Lock()
	defer g.mu.Unlock()
	wait := time.Until(g.until)
	if wait <= 0 && !g.tryOpen() {
		if wait = 10 * time.Millisecond; time.Since(g.until) > patience {
			g.server.misuse("Down: another process has taken the port of %s", g.addr)
			return
		}
	}
	if g.listener == nil && !g.ended {
		g.timer.Reset(wait)
	}
}

// open opens the gate now.
func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.listener != nil || g.ended {
		return
	}
	g.until = time.Now()
	if !g.tryOpen() {
		g.timer.Reset(0)
	}
}

// tryOpen reports whether the gate is open.
func (g *gate) tryOpen() bool {
	if g.listener != nil || g.ended {
		return true
	}
	listener, err := listen(g.addr.Network(), g.addr.String())
	if err != nil {
		return false
	}
	g.listener = listener
	g.timer.Stop()
	close(g.opened)
	return true
}

// kill makes the connections lose what they get from now on.
func (g *gate) kill(f *fault) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for conn := range g.conns {
		conn.dead.Store(f)
	}
}

// Close closes the gate for good.
func (g *gate) Close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ended {
		return nil
	}
	g.ended = true
	close(g.done)
	if g.timer != nil {
		g.timer.Stop()
	}
	if g.listener != nil {
		return g.listener.Close()
	}
	return nil
}

// gateConn is a connection through a gate.
type gateConn struct {
	net.Conn
	gate *gate
	dead atomic.Pointer[fault]
}

// Read reads what the client sends. A dead connection loses all of that, until
// the client closes it.
func (c *gateConn) Read(p []byte) (n int, err error) {
	for {
		n, err = c.Conn.Read(p)
		f := c.dead.Load()
		if f == nil || err != nil {
			return n, err
		}
		if n > 0 {
			c.gate.server.lost(f)
		}
	}
}

// Write sends to the client, who gets nothing over a dead connection.
func (c *gateConn) Write(p []byte) (int, error) {
	if f := c.dead.Load(); f != nil {
		c.gate.server.lost(f)
		return len(p), nil
	}
	return c.Conn.Write(p)
}

// Close closes the connection.
func (c *gateConn) Close() error {
	c.gate.mu.Lock()
	delete(c.gate.conns, c)
	c.gate.mu.Unlock()
	return c.Conn.Close()
}

// SetLinger is that of the TCP connection.
func (c *gateConn) SetLinger(seconds int) error {
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		return tcp.SetLinger(seconds)
	}
	return nil
}
