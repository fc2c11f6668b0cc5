package authentiktest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/seed-299d42e7/authentik-go"
)

// Server is a fake authentik. It may be used by many goroutines at once, and
// edited while it is being asked.
//
// It is also an [http.Handler], to be put behind a handler of one's own, and
// an [http.RoundTripper], which answers without a socket.
type Server struct {
	// URL is the server's address, without a path and the last slash:
	// what [authentik.NewClient] takes.
	URL string
	// Token is that of a superuser.
	Token string

	t      reporter
	socket *httptest.Server
	done   chan struct{} // closed by Close

	mu        sync.Mutex // of all that follows
	store     *store
	endpoints []endpoint
	requests  []Request
	misused   string // what 599 says
	closed    bool
	on        map[string]*faults // by operation

	*faults // of all operations
}

// reporter is who is told of misuse: a test, or nobody.
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
}

// Version is the authentik release that the server is, such as 2024.10, which
// is its last patch, or one patch of it, such as 2025.10.0. [Versions] has the
// releases. The default is the newest.
func Version(name string) Option {
	return func(c *config) error {
		c.version = name
		return nil
	}
}

// Empty leaves out the flows, stages and bindings that a fresh authentik has.
func Empty() Option {
	return func(c *config) error {
		c.empty = true
		return nil
	}
}

// NewServer starts a server on loopback, which ends with the test. Misuse of
// it, such as a version that does not exist, is an error of the test, and from
// then on the server answers with status 599.
func NewServer(t testing.TB, opts ...Option) *Server {
	t.Helper()
	s := newServer(t, opts)
	s.listen()
	return s
}

// Start starts a server on loopback without a test, for demonstrations: to be
// ended with [Server.Close]. Like [httptest.NewServer] it panics if it cannot
// listen. Misuse is told by status 599 alone.
func Start(opts ...Option) *Server {
	s := newServer(nil, opts)
	s.listen()
	return s
}

// RoundTripper makes a server without a socket: its URL leads nowhere, and
// those of its clients and of http.Clients that have it as their Transport
// reach it. This is the one for use inside [testing/synctest], where a socket
// would keep the clock from moving. t may be nil, as with [Start].
func RoundTripper(t testing.TB, opts ...Option) *Server {
	if t != nil {
		t.Helper()
	}
	s := newServer(t, opts)
	s.URL = "https://authentik.example.com"
	return s
}

func newServer(t testing.TB, opts []Option) *Server {
	s := &Server{t: nobody{}, done: make(chan struct{}), on: map[string]*faults{}}
	s.faults = &faults{server: s}
	if t != nil {
		s.t = t
		s.t.Helper()
		t.Cleanup(s.Close)
	}
	var c config
	var failed error
	for _, opt := range opts {
		if opt != nil {
			failed = errors.Join(failed, opt(&c))
		}
	}
	if c.version == "" {
		c.version = Versions()[len(releases)-1]
	}
	r, err := rulesOf(c.version)
	if failed = errors.Join(failed, err); failed != nil {
		r, _ = rulesOf(Versions()[len(releases)-1])
		s.misuse("%v", failed)
	}
	s.store = newStore(r, c.empty)
	s.endpoints = endpoints(s.store.routes())
	s.Token = s.store.addUser(true, nil)
	return s
}

func (s *Server) listen() {
	s.socket = httptest.NewServer(s)
	s.URL = s.socket.URL
}

// Close ends the server, the requests that are under way, and with them the
// connections of its clients. Calling it again does nothing.
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
}

// Client returns a client of the server with its Token. An option that is
// refused ends the test; without a test it is a panic. The client waits before it tries again, as ever: in a test that is to
// be quick, use [RoundTripper] in a bubble of testing/synctest, or
// authentik.WithRetry with a negative BaseDelay.
func (s *Server) Client(opts ...authentik.ClientOption) *authentik.Client {
	return s.ClientAs(s.Token, opts...)
}

// ClientAs is [Server.Client] with another token: see [Server.AddUser].
func (s *Server) ClientAs(token string, opts ...authentik.ClientOption) *authentik.Client {
	if s.socket == nil {
		opts = slices.Concat([]authentik.ClientOption{authentik.WithHTTPClient(&http.Client{Transport: s})}, opts)
	}
	client, err := authentik.NewClient(s.URL, token, opts...)
	if err != nil {
		s.t.Helper()
		s.t.Fatalf("authentiktest: %v", err)
	}
	return client
}

// misuse tells the test, and from now on every request.
func (s *Server) misuse(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	s.mu.Lock()
	if s.misused == "" {
		s.misused = text
	}
	closed := s.closed // then the test may be over, and must not be told
	s.mu.Unlock()
	if !closed {
		s.t.Helper()
		s.t.Errorf("authentiktest: %s", text)
	}
}

// Request is what the server was asked.
type Request struct {
	Operation string // its operationId, such as flows_instances_list; "" if the fake knows none
	Method    string
	Path      string // escaped, as it was sent
	Query     url.Values
	Header    http.Header // of Authorization only the scheme
	Status    int         // answered; 0 if there was none
}

// keptRequests is how many [Server.Requests] remembers.
const keptRequests = 10_000

// Requests returns what was asked so far, oldest first: the last 10,000.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// reply is an answer before it is one to a request: what the header fields
// that every answer has are made of.
type reply struct {
	status      int
	contentType string
	body        []byte
	allow       string
	location    string
	retryAfter  string
	german      bool
	page        int  // of a list
	router      bool // it is the router's, which is in front of Django
}

const notJSON = "text/html; charset=utf-8"

// htmlPage stands for authentik's own pages.
const htmlPage = "<!DOCTYPE html>\n<html lang=\"en\">\n<head><title>authentik</title></head>\n<body>page left out</body>\n</html>\n"

func html(status int) reply {
	return reply{status: status, contentType: notJSON, body: []byte(htmlPage)}
}

func (s *Server) header(a reply) http.Header {
	h := http.Header{}
	set := func(key, value string) {
		if value != "" {
			h.Set(key, value)
		}
	}
	set("Content-Type", a.contentType)
	set("Retry-After", a.retryAfter)
	if a.router {
		return h
	}
	r := s.store.rules
	set("Allow", a.allow)
	set("Location", a.location)
	set("Referrer-Policy", "same-origin")
	set("X-Content-Type-Options", "nosniff")
	set("X-Frame-Options", "DENY")
	set("X-Authentik-Id", strings.ReplaceAll(s.store.id("request").String(), "-", ""))
	vary := "Cookie"
	if r.language {
		vary = "Accept-Language, Cookie"
		set("Content-Language", map[bool]string{false: "en", true: "de"}[a.german])
	}
	set("Vary", vary)
	if r.poweredBy {
		set("X-Powered-By", "authentik")
	} else {
		set("Server", "authentik")
	}
	return h
}

// answer is the one way from a request to what becomes of it.
func (s *Server) answer(r *http.Request) (outcome, error) {
	o := s.decide(r)
	return o, s.settle(r, o)
}

func (s *Server) decide(r *http.Request) outcome {
	s.mu.Lock()
	defer s.mu.Unlock()
	q, handle := s.route(s.store.request(r))
	operation := q.operation
	a := reply{status: statusMisuse, contentType: "text/plain; charset=utf-8", body: []byte("authentiktest: " + s.misused), router: true}
	if s.misused == "" {
		a = handle(q)
	}
	o := outcome{status: a.status, header: s.header(a), body: a.body, cut: -1}
	if s.misused == "" {
		s.spoil(&o, operation, q, a.page)
	}
	header := r.Header.Clone()
	if scheme, _, ok := strings.Cut(header.Get("Authorization"), " "); ok {
		header.Set("Authorization", scheme+" [redacted]")
	}
	if len(s.requests) == keptRequests {
		s.requests = slices.Delete(s.requests, 0, keptRequests/10)
	}
	s.requests = append(s.requests, Request{operation, r.Method, r.URL.EscapedPath(), r.URL.Query(), header, o.status})
	return o
}

// statusMisuse is no server's.
const statusMisuse = 599

// ServeHTTP answers as authentik does.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o, err := s.answer(r)
	switch {
	case err != nil:
		panic(http.ErrAbortHandler) // nobody waits for it any more
	case o.status == 0:
		reset(w)
		return
	}
	w.Header()["Content-Type"] = nil // unless there is one: net/http would guess
	maps.Copy(w.Header(), o.header)
	if len(o.body) > 0 {
		w.Header().Set("Content-Length", strconv.Itoa(len(o.body)))
	}
	w.WriteHeader(o.status)
	sent := o.body
	if o.cut >= 0 {
		sent = o.body[:o.cut]
	}
	_, _ = w.Write(sent) // a client that is gone is its own business
	if o.cut >= 0 {
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
}

// RoundTrip answers without a socket, for use as the Transport of an
// [http.Client]. A request to another host than the server's is misuse.
func (s *Server) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		defer r.Body.Close() //nolint:errcheck // nothing of it was wanted
	}
	if own, err := url.Parse(s.URL); err == nil && r.URL.Host != own.Host {
		s.misuse("a request to %s came to the server of %s", r.URL.Host, own.Host)
	}
	select {
	case <-s.done:
		return nil, errClosed
	case <-r.Context().Done():
		return nil, r.Context().Err()
	default:
	}
	o, err := s.answer(r)
	if err == nil && o.status == 0 {
		err = errReset()
	}
	if err != nil {
		return nil, err
	}
	length := int64(len(o.body))
	var body io.Reader = bytes.NewReader(o.body)
	switch {
	case r.Method == http.MethodHead:
		body = http.NoBody
	case o.cut >= 0:
		body = io.MultiReader(bytes.NewReader(o.body[:o.cut]), cutReader{})
	}
	return &http.Response{
		Status: fmt.Sprintf("%d %s", o.status, http.StatusText(o.status)), StatusCode: o.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: o.header, Body: io.NopCloser(body), ContentLength: length, Request: r,
	}, nil
}

// newID makes identifiers that are the same in every run.
func newID(kind string, n int) uuid.UUID {
	return uuid.NewSHA1(uuid.NameSpaceURL, fmt.Appendf(nil, "authentiktest:%s:%d", kind, n))
}
