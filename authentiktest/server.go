package authentiktest

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"github.com/seed-299d42e7/authentik-go"
)

// Server is a fake authentik server. A Server is safe for concurrent use, also
// while a test changes what the server has.
//
// A Server is an [http.Handler], which a test can put behind a handler of its
// own, and an [http.RoundTripper], which needs no socket.
type Server struct {
	// URL is the address of the server without a path and without a final
	// slash, as [authentik.NewClient] takes it.
	URL string
	// Token is the token of a superuser.
	Token string

	t      reporter
	socket *httptest.Server
	gate   *gate         // of the socket
	done   chan struct{} // closed by Close

	mu        sync.Mutex // guards what follows
	store     *store
	endpoints []endpoint
	requests  []Request
	misused   string // the body of status 599
	closed    bool
	all       *faults            // of all operations together
	on        map[string]*faults // by operation
	link      link
}

// reporter is a test, or nil without one.
type reporter interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

type nobody struct{}

func (nobody) Helper()                           {}
func (nobody) Errorf(string, ...any)             {}
func (nobody) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

// Option configures a server.
type Option func(*config) error

type config struct {
	version string
	empty   bool
	tls     bool
}

// Version selects the authentik release of the server: a release such as
// 2024.10, which stands for its last patch, or a patch such as 2025.10.0.
// [Versions] returns the releases. The default is the newest one.
func Version(name string) Option {
	return func(c *config) error {
		c.version = name
		return nil
	}
}

// TLS makes the server of [NewServer] and [Start] listen with TLS. The server
// has a certificate of its own, which the clients of [Server.Client] trust, and
// [Server.Certificate] returns. The URL of [RoundTripper] has https anyway.
func TLS() Option {
	return func(c *config) error {
		c.tls = true
		return nil
	}
}

// Empty removes the flows, stages and bindings of a fresh install.
func Empty() Option {
	return func(c *config) error {
		c.empty = true
		return nil
	}
}

// NewServer starts a server on loopback and closes it when the test ends.
//
// Misuse of the server, such as an unknown version, fails the test. The server
// then responds to every request with status 599. A fault that no request has met
// when the server is closed fails the test, too.
func NewServer(t testing.TB, opts ...Option) *Server {
	t.Helper()
	s, c := newServer(t, opts)
	s.listen(c.tls)
	return s
}

// Start starts a server on loopback without a test, for demonstrations. The
// caller must close it with [Server.Close]. Start panics if an option is
// invalid or if it cannot listen. Later misuse shows as status 599 alone.
func Start(opts ...Option) *Server {
	s, c := newServer(nil, opts)
	s.listen(c.tls)
	return s
}

// RoundTripper returns a server without a socket, for use in a bubble of
// [testing/synctest], where a socket would stop the clock. The URL of the
// server does not resolve. The clients of [Server.Client] reach the server,
// and so does an [http.Client] whose Transport is the server. Misuse is
// reported as by [NewServer]. If t is nil, misuse is reported as by [Start].
func RoundTripper(t testing.TB, opts ...Option) *Server {
	if t != nil {
		t.Helper()
	}
	s, _ := newServer(t, opts)
	s.URL = "https://authentik.example.com"
	return s
}

func newServer(t testing.TB, opts []Option) (*Server, config) {
	s := &Server{t: nobody{}, done: make(chan struct{}), all: &faults{}, on: map[string]*faults{}}
	if t != nil {
		s.t = t
		t.Helper()
		t.Cleanup(s.Close)
	}
	var c config
	var failed error
	for _, opt := range opts {
		if opt != nil {
			failed = errors.Join(failed, opt(&c))
		}
	}
	newest := Versions()[len(releases)-1]
	if c.version == "" {
		c.version = newest
	}
	r, err := rulesOf(c.version)
	if failed = errors.Join(failed, err); failed != nil {
		if t == nil {
			panic(fmt.Sprintf("authentiktest: %v", failed))
		}
		r, _ = rulesOf(newest) // of a table of ours
		s.misuse("%v", failed)
	}
	s.store = newStore(r, c.empty)
	s.endpoints = endpoints(s.store.routes())
	s.Token = s.store.addAdmin()
	return s, c
}

// Close closes the server, the connections of its clients, and the requests in
// flight. A fault that no request has met fails the test. Further calls of
// Close do nothing.
func (s *Server) Close() {
	s.mu.Lock()
	closed := s.closed
	s.closed = true
	s.mu.Unlock()
	if closed {
		return
	}
	close(s.done)
	if s.socket != nil {
		s.socket.Close()
	}
	s.t.Helper()
	for _, fault := range s.unmet() {
		s.t.Errorf("authentiktest: %s", fault)
	}
}

// Client returns a client of the server that sends [Server.Token]. An invalid
// option ends the test, or panics without a test.
//
// The client waits between attempts as any client does. A test that must be
// quick uses [RoundTripper] in a bubble of testing/synctest, or
// [authentik.WithRetry] with a negative BaseDelay.
func (s *Server) Client(opts ...authentik.ClientOption) *authentik.Client {
	s.t.Helper()
	return s.ClientAs(s.Token, opts...)
}

// ClientAs returns a client of the server that sends the token of another
// user. [Server.AddUser] returns such tokens.
func (s *Server) ClientAs(token string, opts ...authentik.ClientOption) *authentik.Client {
	s.t.Helper()
	if transport := s.transport(); transport != nil {
		opts = slices.Concat([]authentik.ClientOption{authentik.WithHTTPClient(&http.Client{Transport: transport})}, opts)
	}
	client, err := authentik.NewClient(s.URL, token, opts...)
	if err != nil {
		s.t.Fatalf("authentiktest: %v", err)
	}
	return client
}

// misuse reports misuse to the test, and from then on to every request.
func (s *Server) misuse(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	s.mu.Lock()
	if s.misused == "" {
		s.misused = text
	}
	closed := s.closed // then the test may have ended, and must not be called
	s.mu.Unlock()
	if !closed {
		s.t.Helper()
		s.t.Errorf("authentiktest: %s", text)
	}
}
