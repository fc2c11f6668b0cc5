package transport

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// maxAge bounds the age of a connection, so that a change of the server's
// address is followed.
const maxAge = 15 * time.Minute

// Pool is an http.RoundTripper over an http.Transport, which Pool replaces when
// its connections are too old or have failed. Requests under way keep their
// connections. Later ones dial, with HTTP/2 too.
type Pool struct {
	dial func() *http.Transport

	mu      sync.Mutex
	current *http.Transport
	retired *http.Transport // the one before, which may still have connections
	born    time.Time       // of current
}

// NewPool returns a Pool. It calls fresh for each http.Transport that it uses.
func NewPool(fresh func() *http.Transport) *Pool {
	return &Pool{dial: func() *http.Transport {
		t := fresh()
		t.DialContext = quietly(t.DialContext)
		t.ReadBufferSize = smallRead
		return t
	}}
}

// standard is http.DefaultTransport as net/http made it.
var standard, _ = http.DefaultTransport.(*http.Transport)

// Default sends each request with http.DefaultTransport as it is at that time.
var Default http.RoundTripper = roundTripper(func(req *http.Request) (*http.Response, error) {
	return namesProxy(http.DefaultTransport).RoundTrip(req)
})

// RoundTrip implements http.RoundTripper. If the program has replaced
// http.DefaultTransport, RoundTrip uses the replacement, which is meant for every
// request of the program.
func (p *Pool) RoundTrip(req *http.Request) (*http.Response, error) {
	if t, ok := http.DefaultTransport.(*http.Transport); !ok || t != standard {
		return Default.RoundTrip(req)
	}
	return p.use(time.Now().Add(-maxAge)).RoundTrip(req)
}

// Renew makes later requests dial. began is when the request began that failed.
// Renew does nothing if the http.Transport is younger than that.
func (p *Pool) Renew(began time.Time) { p.use(began) }

// use returns an http.Transport that was made after oldest.
func (p *Pool) use(oldest time.Time) *http.Transport {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.born.After(oldest) {
		p.closeIdle()
		p.retired, p.current, p.born = p.current, p.dial(), time.Now()
	}
	return p.current
}

// CloseIdleConnections closes the connections that no request uses.
func (p *Pool) CloseIdleConnections() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closeIdle()
}

func (p *Pool) closeIdle() {
	for _, t := range []*http.Transport{p.retired, p.current} {
		if t != nil {
			t.CloseIdleConnections()
		}
	}
}

// quiet returns the quietConn below TLS, nil if there is none.
func quiet(conn net.Conn) *quietConn {
	for {
		switch c := conn.(type) {
		case *quietConn:
			return c
		case interface{ NetConn() net.Conn }:
			conn = c.NetConn()
		default:
			return nil
		}
	}
}

// quietConn is a connection that ends when bytes arrive that no request waits for.
// net/http would log such bytes. Bytes in the same TLS record as a response are not
// recognized.
type quietConn struct {
	net.Conn

	in              *bufio.Reader
	secure          atomic.Bool  // TLS was begun
	record          int          // what is left of a TLS record
	body            int          // what is left of a body whose length its header says
	taken, returned atomic.Int64 // how often requests did; HTTP/2 never returns
}

// smallRead is the size of net/http's buffer, and also the longest trailer. A
// larger read is of a body, which net/http does not read beyond its end.
const smallRead = 1 << 10

// quietly wraps a dial function so that its connections are quiet.
func quietly(
	dial func(ctx context.Context, network, addr string) (net.Conn, error),
) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &quietConn{Conn: conn, in: bufio.NewReader(conn)}, nil
	}
}

// Write notices where TLS begins.
func (c *quietConn) Write(p []byte) (int, error) {
	if len(p) > 0 && p[0] == tlsHandshake {
		c.secure.Store(true)
	}
	return c.Conn.Write(p)
}

// Read returns no more than the rest of a response or TLS record, so that what
// follows stays here until the connection is idle.
func (c *quietConn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	// This Peek waits for the first byte. Only here an error of the connection is
	// returned.
	if _, err := c.in.Peek(1); err != nil {
		return 0, err
	}
	if c.secure.Load() {
		p = p[:min(len(p), c.restOfRecord())]
	} else if len(p) <= smallRead {
		p = p[:min(len(p), c.restOfResponse())]
	}
	n, err := c.in.Read(p)
	c.record, c.body = max(c.record-n, 0), max(c.body-n, 0)
	if taken := c.taken.Load(); n > 0 && taken > 0 && taken == c.returned.Load() {
		return 0, io.EOF
	}
	return n, err
}

// restOfResponse returns what is left of a body, or the length of a header that has
// arrived as a whole. Of anything else net/http gets one byte at a time.
func (c *quietConn) restOfResponse() int {
	if c.body > 0 {
		return c.body
	}
	header, _ := c.in.Peek(c.in.Buffered())
	end := bytes.Index(header, []byte("\r\n\r\n"))
	if end < 0 || !bytes.HasPrefix(header, []byte("HTTP/")) {
		return 1
	}
	end += len("\r\n\r\n")
	c.body = end + bodyLength(header[:end]) // Read subtracts the header
	return end
}

// bodyLength returns the length that a header says its body has, 0 if the header
// says none or there is no body.
func bodyLength(header []byte) (length int) {
	status, rest, _ := bytes.Cut(header, []byte("\r\n"))
	if code := bytes.Fields(status); len(code) < 2 || code[1][0] == '1' || string(code[1]) == "204" ||
		string(code[1]) == "304" {
		return 0
	}
	for line := range bytes.SplitSeq(rest, []byte("\r\n")) {
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch {
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			return 0
		case bytes.EqualFold(name, []byte("Content-Length")):
			length, _ = strconv.Atoi(string(bytes.TrimSpace(value))) // net/http refuses others
		}
	}
	return max(length, 0)
}

const (
	tlsHandshake = 22 // a record's type
	tlsHeader    = 5  // type, version, length
)

// restOfRecord returns what is left of a TLS record, its header included. What is
// no record has some length, too, and crypto/tls refuses its first bytes.
func (c *quietConn) restOfRecord() int {
	if c.record == 0 {
		header, err := c.in.Peek(tlsHeader)
		if err != nil {
			return c.in.Buffered()
		}
		c.record = tlsHeader + int(header[3])<<8 + int(header[4])
	}
	return c.record
}
