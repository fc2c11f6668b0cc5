package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Both log in, with the requests of the recorded login and no more.
func TestLogin_BothClientsLogIn(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(testServer(t))
	t.Cleanup(srv.Close)
	b := &bench{url: srv.URL}
	for _, login := range []func(string, http.RoundTripper) func(context.Context) error{oursLogin, bareLogin} {
		count := &counter{next: http.DefaultTransport}
		require.NoError(t, login(b.at(versions[1], 1, "0s"), count)(t.Context()))
		assert.EqualValues(t, loginRequests, count.n.Load())
	}
}
