package testkit

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
)

// NoWait makes a client retry without waiting. The client does not wait for a
// server that is starting either.
var NoWait = authentik.WithRetry(authentik.RetryPolicy{BaseDelay: -1, StartupWait: -1})

// NewServer serves handler on loopback until the test ends, and returns the
// base URL. The URL has the path /sub/path, because a base URL may have one;
// the handler does not see that path.
func NewServer(t testing.TB, handler http.Handler) (url string) {
	t.Helper()
	srv := httptest.NewServer(http.StripPrefix("/sub/path", handler))
	t.Cleanup(srv.Close)
	return srv.URL + "/sub/path"
}

// NewClient returns a client of a server that [NewServer] starts for handler.
// The client retries without waiting.
func NewClient(t testing.TB, handler http.Handler, opts ...authentik.ClientOption) *authentik.Client {
	t.Helper()
	return NewClientAt(t, NewServer(t, handler), opts...)
}

// NewClientAt returns a client of the server at url. The client retries
// without waiting.
func NewClientAt(t testing.TB, url string, opts ...authentik.ClientOption) *authentik.Client {
	t.Helper()
	noWait := authentik.WithRetry(authentik.RetryPolicy{BaseDelay: -1, MaxRetryAfter: -1, StartupWait: -1})
	ak, err := authentik.NewClient(url, Token, append([]authentik.ClientOption{noWait}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(ak.Close)
	return ak
}

// NewClientOver returns a client that sends its requests through roundTrip. No
// socket is involved, so the client can be used in [testing/synctest].
func NewClientOver(t testing.TB, roundTrip RoundTripFunc, opts ...authentik.ClientOption) *authentik.Client {
	t.Helper()
	opts = append([]authentik.ClientOption{authentik.WithHTTPClient(&http.Client{Transport: roundTrip})}, opts...)
	ak, err := authentik.NewClient("https://sso.example.com", Token, opts...)
	require.NoError(t, err)
	return ak
}

// RoundTripFunc is a function that implements [http.RoundTripper].
type RoundTripFunc func(*http.Request) (*http.Response, error)

// RoundTrip implements [http.RoundTripper].
func (f RoundTripFunc) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// Pool is an [http.RoundTripper] that counts how often its idle connections
// were closed.
type Pool struct {
	http.RoundTripper
	Closed int
}

// CloseIdleConnections counts the call.
func (p *Pool) CloseIdleConnections() { p.Closed++ }

// CheckedClient is a client that was given a secret of every kind. Create it
// with [NewCheckedClient]. The test fails if an error of List, the log or the
// client itself contains a secret.
type CheckedClient struct {
	*authentik.Client

	log *Log
}

// NewCheckedClient returns a client of the server at url.
func NewCheckedClient(t testing.TB, url string, opts ...authentik.ClientOption) *CheckedClient {
	t.Helper()
	c := &CheckedClient{log: &Log{}}
	var err error
	c.Client, err = authentik.NewClient(url, Token, append([]authentik.ClientOption{
		authentik.WithHeader("X-Proxy-Key", HeaderSecret), authentik.WithLogger(c.log.Logger()),
	}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(func() {
		c.Close()
		AssertNoSecrets(t, c.Client)
		AssertNoSecretsIn(t, "the log", c.log.String())
	})
	return c
}

// ListResult is the outcome of [CheckedClient.List].
type ListResult struct {
	Page     *authentik.Page[authentik.Flow]
	Err      error
	Response authentik.Response
	// Took is the duration of the call.
	Took time.Duration
}

// List calls FlowsInstancesList with [SearchSecret] as the search term. The
// error may contain the secrets in quoted, which a server's message may repeat.
func (c *CheckedClient) List(ctx context.Context, t testing.TB, quoted ...string) (r ListResult) {
	t.Helper()
	began := time.Now()
	opts := &authentik.FlowsInstancesListOptions{Search: SearchSecret}
	r.Page, r.Err = c.FlowsInstancesList(ctx, opts, authentik.WithResponse(&r.Response))
	r.Took = time.Since(began)
	assert.Equal(t, r.Err == nil, r.Page != nil, "either an error or a page")
	if r.Err != nil {
		AssertNoSecrets(t, r.Err, quoted...)
	}
	return r
}
