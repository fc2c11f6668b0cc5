package session_test

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/authentiktest"
)

const (
	loginFlow  = "default-authentication-flow"
	logoutFlow = "default-invalidation-flow"
)

// fault is what becomes of a request. It may pass the request on to the server.
type fault func(w *wire, req *http.Request) (*http.Response, error)

// wire is the network between a session and a fake server. It records the
// requests, and a fault happens to some of them.
type wire struct {
	server *authentiktest.Server
	fault  fault
	meets  func(n int) bool // whether request n, from 1, meets the fault

	mu   sync.Mutex
	sent []string // the requests, each with its method and its component or path
	// inDoubt counts the responses to challenges that the server has got, or may
	// have got, by component.
	inDoubt map[string]int
}

func newWire(t *testing.T, opts ...authentiktest.Option) *wire {
	t.Helper()
	return &wire{server: authentiktest.RoundTripper(t, opts...), inDoubt: map[string]int{}}
}

// session returns a session over the wire.
func (w *wire) session(t *testing.T, opts ...authentik.ClientOption) *authentik.Session {
	t.Helper()
	opts = append([]authentik.ClientOption{authentik.WithHTTPClient(&http.Client{Transport: w})}, opts...)
	session, err := authentik.NewSession(w.server.URL, opts...)
	require.NoError(t, err)
	return session
}

// RoundTrip implements [http.RoundTripper].
func (w *wire) RoundTrip(req *http.Request) (*http.Response, error) {
	name, err := name(req)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	w.sent = append(w.sent, name)
	f := (*wire).pass
	if w.fault != nil && w.meets(len(w.sent)) {
		f = w.fault
	}
	w.mu.Unlock()
	resp, err := f(w, req)
	if req.Method == http.MethodPost && !refused(resp, err) {
		w.mu.Lock()
		w.inDoubt[name]++
		w.mu.Unlock()
	}
	return resp, err
}

// pass passes a request on to the server.
func (w *wire) pass(req *http.Request) (*http.Response, error) { return w.server.RoundTrip(req) }

// requests returns the requests so far.
func (w *wire) requests() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.sent
}

// name returns the method of a request, and its path or the component that it
// responds to.
func name(req *http.Request) (string, error) {
	if req.Body == nil {
		return req.Method + " " + req.URL.Path, nil
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return "", err
	}
	req.Body = io.NopCloser(strings.NewReader(string(body)))
	var response struct{ Component string }
	err = json.Unmarshal(body, &response)
	return req.Method + " " + response.Component, err
}

// refused reports whether a request cannot have reached authentik.
func refused(resp *http.Response, err error) bool {
	if err != nil {
		var op *net.OpError
		return errors.As(err, &op) && op.Op == "dial"
	}
	foreign := resp.Header.Get("X-authentik-id") == ""
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return true
	case http.StatusForbidden, http.StatusNotFound, http.StatusFound:
		return foreign
	}
	return false
}

// once returns a meets for one request.
func once(n int) func(int) bool { return func(i int) bool { return i == n } }

// from returns a meets for a request and all further ones.
func from(n int) func(int) bool { return func(i int) bool { return i >= n } }

// during returns a meets for a request and for all further ones for a time.
func during(n int, d time.Duration) func(int) bool {
	var until time.Time
	return func(i int) bool {
		if i == n {
			until = time.Now().Add(d)
		}
		return i >= n && time.Now().Before(until)
	}
}
