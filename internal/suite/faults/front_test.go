package faults_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/internal/testkit"
)

// through is a client of a server behind a proxy.
func through(t *testing.T, proxy string) *testkit.CheckedClient {
	t.Helper()
	u, err := url.Parse(proxy)
	require.NoError(t, err)
	client := &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(u)}}
	return testkit.NewCheckedClient(t, "https://sso.example.com", authentik.WithHTTPClient(client), testkit.NoWait)
}

// hinted has what a response says to do. Without words, no hint is given.
var hinted = map[string]struct {
	step testkit.Step
	want string
}{
	"407":                     {fromProxy(407, "text/html", ""), "HTTP_PROXY"},
	"429":                     {fromProxy(429, "text/html", ""), "fewer requests"},
	"500":                     {fromProxy(500, "text/html", ""), "log of the proxy"},
	"501":                     {fromProxy(501, "text/html", ""), ""},
	"502":                     {fromProxy(502, "text/html", ""), "authentik is running"},
	"503":                     {fromProxy(503, "text/html", ""), "authentik is running"},
	"503 with a Retry-After":  {fromProxy(503, "text/html", "", "Retry-After", "120"), "RetryAfter"},
	"504":                     {fromProxy(504, "text/html", ""), "timeout of the proxy"},
	"511":                     {fromProxy(511, "text/html", ""), "Log in to the network"},
	"521":                     {fromProxy(521, "text/html", ""), "authentik is running"},
	"524":                     {fromProxy(524, "text/html", ""), "timeout of the proxy"},
	"525":                     {fromProxy(525, "text/html", ""), "TLS settings between the proxy and authentik"},
	"526":                     {fromProxy(526, "text/html", ""), "TLS settings between the proxy and authentik"},
	"413":                     {fromProxy(413, "text/html", ""), ""},
	"a SOCKS proxy":           {socksFails("unknown error connection not allowed by ruleset"), "Check the proxy"},
	"a server without TLS":    {testkit.Fail(http.ErrSchemeMismatch), "scheme and the port in the base URL"},
	"a client certificate":    {testkit.Fail(alert("tls: certificate required")), "client certificate"},
	"another certificate":     {testkit.Fail(alert("tls: bad certificate")), "client certificate"},
	"a failed TLS handshake":  {testkit.Fail(alert("tls: handshake failure")), "client certificate if the server requires one"},
	"TLS 1.1":                 {testkit.Fail(alert("tls: protocol version not supported")), "TLS 1.2"},
	"TLS 1.1, seen by us":     {testkit.Fail(errors.New("tls: server selected unsupported protocol version 302")), "TLS 1.2"},
	"something else with TLS": {testkit.Fail(alert("tls: internal error")), ""},
}

func alert(text string) error { return &net.OpError{Op: "remote error", Err: errors.New(text)} }

var frontFaults = map[string]func(*testing.T){
	"F1": func(t *testing.T) {
		for _, text := range []string{
			"unknown error connection not allowed by ruleset", "unknown error command not supported",
			"no acceptable authentication methods", "username/password authentication failed",
			"invalid username/password", "unexpected protocol version 72",
		} {
			testkit.RunInBubble(t, text, func(t *testing.T) {
				server := testkit.NewSequence(success, socksFails(text))
				ak := server.Client(t)
				require.NoError(t, ak.List(t.Context(), t).Err)
				got := ak.List(t.Context(), t)
				require.ErrorIs(t, got.Err, authentik.ErrUnreachable)
				require.ErrorContains(t, got.Err, text)
				assert.Equal(t, 2, server.Requests())
			})
		}
	},
	"F2": func(t *testing.T) {
		t.Parallel()
		plain := httptest.NewServer(http.NotFoundHandler())
		t.Cleanup(plain.Close)
		got := through(t, strings.Replace(plain.URL, "http:", "https:", 1)).List(t.Context(), t)
		require.ErrorIs(t, got.Err, authentik.ErrTLS)
		require.ErrorContains(t, got.Err, "proxyconnect tcp: tls: first record does not look like a TLS handshake (1 attempt)")
		assert.Contains(t, authentik.Hint(got.Err), "https:// there means that the proxy itself speaks TLS")

		secure := testkit.NewTLSServer(t, http.NotFoundHandler(), func(*httptest.Server) {})
		got = through(t, secure.URL).List(t.Context(), t)
		require.ErrorIs(t, got.Err, authentik.ErrTLS)
		require.ErrorContains(t, got.Err, "proxyconnect tcp: tls: failed to verify certificate")
		assert.Contains(t, authentik.Hint(got.Err), "CA of the proxy")
	},
	"F3": func(t *testing.T) {
		for name, c := range hinted {
			testkit.RunInBubble(t, name, func(t *testing.T) {
				err := testkit.NewSequence(c.step).Client(t).List(t.Context(), t).Err
				require.Error(t, err)
				if c.want == "" {
					assert.Empty(t, authentik.Hint(err))
				}
				assert.Contains(t, authentik.Hint(err), c.want)
			})
		}
	},
	"F4": func(t *testing.T) {
		t.Parallel()
		page := testkit.NewClient(t, testkit.StaticHandler(200, testkit.HTML, "<!DOCTYPE html><title>Sign in</title>"))
		err := page.Do(t.Context(), http.MethodHead, "core/users/me/", nil, nil, nil)
		require.ErrorIs(t, err, authentik.ErrNotAuthentik)
		require.NoError(t, testkit.NewClient(t, testkit.StaticHandler(200, testkit.JSON, "{}")).
			Do(t.Context(), http.MethodHead, "core/users/me/", nil, nil, nil))
	},
	"F5": func(t *testing.T) {
		t.Parallel()
		for _, encoding := range []string{"UTF-8", "none", "binary", "gzip, utf-8"} {
			client := testkit.NewClient(t, testkit.Reply(200, testkit.JSON, testkit.TwoFlows.Text, "Content-Encoding", encoding))
			page, err := client.FlowsInstancesList(t.Context(), nil)
			require.NoError(t, err, encoding)
			assert.Len(t, page.Results, 2)
		}
	},
	"F6": testkit.InBubble(func(t *testing.T) {
		for _, wraps := range []error{io.ErrNoProgress, nil} {
			var log bytes.Buffer
			client := testkit.NewClientOver(t, func(req *http.Request) (*http.Response, error) {
				if wraps == nil {
					return nil, errors.New("sent " + req.URL.RawQuery)
				}
				return nil, fmt.Errorf("traced: %w", fmt.Errorf("GET %s: %w", req.URL, wraps))
			}, authentik.WithLogger(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))))
			_, err := client.FlowsInstancesList(t.Context(), &authentik.FlowsInstancesListOptions{Search: "alice@corp.test"})
			require.Error(t, err)
			if wraps != nil {
				require.ErrorIs(t, err, wraps)
				require.ErrorContains(t, err, "traced: GET https://sso.example.com/api/v3/flows/instances/: multiple Read")
			}
			for cause := err; cause != nil; cause = errors.Unwrap(cause) {
				assert.NotContains(t, cause.Error(), "alice")
			}
			assert.NotContains(t, log.String(), "alice")
		}
	}),
}
