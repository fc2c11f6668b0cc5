package authentiktest

import (
	"context"
	"crypto/x509"
	"errors"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"
)

// link holds the faults between the clients and a server. The server's mutex
// guards it.
type link struct {
	faults []*fault // each of a time; a dead connection has none
}

// listen starts to listen on loopback.
func (s *Server) listen(tls bool) {
	gate, err := newGate(s)
	if err != nil {
		panic(err) // as httptest does
	}
	s.gate = gate
	s.socket = &httptest.Server{Listener: gate, Config: &http.Server{Handler: s}} //nolint:gosec // of a test
	if tls {
		s.socket.Config.ErrorLog = log.New(quiet{log.Default()}, "", 0)
		s.socket.StartTLS()
	} else {
		s.socket.Start()
	}
	s.URL = s.socket.URL
}

// quiet drops what a server logs of clients that do not trust it.
type quiet struct{ to *log.Logger }

func (q quiet) Write(line []byte) (int, error) {
	if !strings.Contains(string(line), "TLS handshake error") {
		q.to.Print(string(line))
	}
	return len(line), nil
}

// Certificate returns the certificate of a server with [TLS], and else nil. A
// client that has the certificate in its tls.Config.RootCAs trusts the server.
func (s *Server) Certificate() *x509.Certificate {
	if s.socket == nil {
		return nil
	}
	return s.socket.Certificate()
}

// transport returns what a client needs to reach the server, or nil where any
// client can. With TLS, each client has connections of its own.
func (s *Server) transport() http.RoundTripper {
	switch {
	case s.socket == nil:
		return s
	case s.socket.TLS != nil:
		if trusting, ok := s.socket.Client().Transport.(*http.Transport); ok {
			return trusting.Clone()
		}
	}
	return nil
}

// interrupt makes connections fail with an error for a time.
func (s *Server) interrupt(call string, d time.Duration, err error) {
	f := &fault{call: call, where: caller(), until: time.Now().Add(d)}
	if d <= 0 {
		s.t.Helper()
		s.misuse("%s: the time must be positive", call)
		return
	}
	if s.gate != nil {
		s.gate.close(f.until)
		return
	}
	f.instead = func(request) outcome { return outcome{broken: err} }
	s.mu.Lock()
	defer s.mu.Unlock()
	s.link.faults = append(s.link.faults, f)
}

// kill makes the open connections lose what is sent.
func (s *Server) kill() {
	f := &fault{call: "KillConnections()", where: caller()}
	s.mu.Lock()
	s.link.faults = append(s.link.faults, f)
	s.mu.Unlock()
	if s.gate != nil {
		s.gate.kill(f)
	}
}

// lost remembers that a dead connection got something.
func (s *Server) lost(f *fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f.met = true
}

// restore removes the faults of connections, except for the dead ones.
func (s *Server) restore() {
	s.mu.Lock()
	s.link.faults = nil
	s.mu.Unlock()
	if s.gate != nil {
		s.gate.open()
	}
}

// reach returns the error of a connection without a socket that breaks. It
// waits for the client where nothing comes back.
func (s *Server) reach(ctx context.Context) (broken, err error) {
	if s.gate != nil {
		return nil, nil
	}
	f := s.meetLink()
	switch {
	case f == nil:
		return nil, nil
	case f.instead != nil:
		return f.instead(request{}).broken, nil
	}
	select {
	case <-s.done:
		return nil, errClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// meetLink returns the fault that a new request meets.
func (s *Server) meetLink() *fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.misused != "" {
		return nil
	}
	i := slices.IndexFunc(s.link.faults, func(f *fault) bool {
		return f.instead == nil && !f.met || f.instead != nil && !f.ended()
	})
	if i < 0 {
		return nil
	}
	s.link.faults[i].met = true
	return s.link.faults[i]
}

var errClosed = errors.New("authentiktest: the server is closed")

// errReset returns what a client's transport says of a reset.
func errReset() error { return opError("read", syscall.ECONNRESET) }

// errRefused returns the error of a client's transport if no server listens.
func errRefused() error { return opError("dial", os.NewSyscallError("connect", syscall.ECONNREFUSED)) }

// errNoSuchHost returns what a client's transport says of an unknown name.
func errNoSuchHost() error {
	return opError("dial", &net.DNSError{Err: "no such host", Name: "authentik.example.com", IsNotFound: true})
}

func opError(op string, err error) error { return &net.OpError{Op: op, Net: "tcp", Err: err} }
