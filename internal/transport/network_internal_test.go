package transport

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestUnreachable_AndTLSFailed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err              error
		unreachable, tls bool
	}{
		{&net.DNSError{IsNotFound: true}, true, false},
		{&net.OpError{Op: "dial", Err: errors.New("i/o timeout")}, true, false},
		{&net.OpError{Op: "proxyconnect", Err: io.EOF}, true, false},
		{&net.OpError{Op: "socks connect", Err: io.EOF}, true, false},
		{&ProxyError{StatusCode: 403}, true, false},
		{os.NewSyscallError("connect", syscall.ECONNREFUSED), true, false},
		{os.NewSyscallError("read", syscall.EHOSTUNREACH), true, false},
		{os.NewSyscallError("connect", syscall.ENETUNREACH), true, false},
		{syscall.Errno(10061), true, false},
		{syscall.Errno(10065), true, false},
		{syscall.Errno(10051), true, false},
		{&net.OpError{Op: "read", Err: syscall.ECONNRESET}, false, false},
		{&net.OpError{Op: "proxyconnect", Err: x509.UnknownAuthorityError{}}, true, true},
		{&tls.CertificateVerificationError{Err: io.EOF}, false, true},
		{tls.RecordHeaderError{}, false, true},
		{tls.AlertError(40), false, true},
		{x509.UnknownAuthorityError{}, false, true},
		{x509.HostnameError{Certificate: &x509.Certificate{}}, false, true},
		{x509.CertificateInvalidError{}, false, true},
		{http.ErrSchemeMismatch, false, true},
		{&net.OpError{Op: "remote error", Err: io.EOF}, false, true},
		{&net.OpError{Op: "local error", Err: io.EOF}, false, true},
		{errors.New("tls: server selected unsupported protocol version"), false, true},
		{errors.New("net/http: TLS handshake timeout"), false, true},
		{io.EOF, false, false},
		{ErrAttemptTimeout, false, false},
	} {
		wrapped := c.err
		if !strings.HasPrefix(c.err.Error(), "tls: server") { // known by the beginning of its text
			wrapped = fmt.Errorf("of a middleware: %w", c.err)
		}
		assert.Equal(t, c.unreachable, Unreachable(wrapped), "%v", c.err)
		assert.Equal(t, c.tls, TLSFailed(wrapped), "%v", c.err)
	}
}

// Only the proxy's status line shows the error, and the proxy chooses its words.
func TestProxyError_HasStatusLine(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]*ProxyError{
		"403 Forbidden":         {StatusCode: 403, Status: "403 Forbidden"},
		"502 Bad Gateway":       {StatusCode: 502, Status: "502 Bad Gateway"},
		"403 Blocked by policy": {StatusCode: 403, Status: "403 Blocked by policy"},
		"407":                   {StatusCode: 407, Status: "407"},
	} {
		proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack() //nolint:forcetypeassert // it is one
			if assert.NoError(t, err) {
				_, _ = io.WriteString(conn, "HTTP/1.1 "+line+"\r\nContent-Length: 0\r\n\r\n")
				_ = conn.Close()
			}
		}))
		t.Cleanup(proxy.Close)
		u, err := url.Parse(proxy.URL)
		require.NoError(t, err)
		want.Proxy = u.Host

		connect := func(transport http.RoundTripper) *ProxyError {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://sso.example.com/", http.NoBody)
			require.NoError(t, err)
			_, err = namesProxy(transport).RoundTrip(req) //nolint:bodyclose // there is none
			refused, ok := errors.AsType[*ProxyError](err)
			require.True(t, ok, "%s: %v", line, err)
			return refused
		}
		assert.Equal(t, want, connect(&http.Transport{Proxy: http.ProxyURL(u), OnProxyConnectResponse: CheckConnect}))

		_, words, named := strings.Cut(line, " ") // net/http drops the number
		if http.StatusText(want.StatusCode) != words {
			want.StatusCode, want.Status = 0, words
		}
		if !named {
			want.Status = "unknown status code"
		}
		assert.Equal(t, want, connect(&http.Transport{Proxy: http.ProxyURL(u)}))
	}
	assert.EqualError(t, &ProxyError{Proxy: "proxy:3128", Status: "403 Forbidden"}, "proxy proxy:3128 refused CONNECT: 403 Forbidden")
	assert.EqualError(t, &ProxyError{Status: "403 Forbidden"}, "proxy refused CONNECT: 403 Forbidden")
}

func TestProxyError_NotOfAConnection(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		there, err := new(net.Dialer).DialContext(req.Context(), "tcp", req.Host)
		if !assert.NoError(t, err) {
			return
		}
		w.WriteHeader(http.StatusOK)
		here, in, err := w.(http.Hijacker).Hijack() //nolint:forcetypeassert // it is one
		if !assert.NoError(t, err) {
			return
		}
		go func() { _, _ = io.Copy(here, there); _ = here.Close() }()
		_, _ = io.Copy(there, in) // which may have read ahead
		_ = there.Close()
	}))
	t.Cleanup(proxy.Close)
	u, err := url.Parse(proxy.URL)
	require.NoError(t, err)
	transport := server.Client().Transport.(*http.Transport).Clone() //nolint:forcetypeassert // it is one
	transport.Proxy = http.ProxyURL(u)
	t.Cleanup(transport.CloseIdleConnections)
	get := func() (*http.Response, error) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, http.NoBody)
		require.NoError(t, err)
		return namesProxy(transport).RoundTrip(req)
	}
	for range 2 {
		resp, err := get()
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		assert.Equal(t, http.StatusNotFound, resp.StatusCode)
		transport = transport.Clone()
		transport.OnProxyConnectResponse = CheckConnect
	}

	pin := errors.New("Forbidden")
	transport = transport.Clone()
	transport.OnProxyConnectResponse = func(context.Context, *url.URL, *http.Request, *http.Response) error { return pin }
	_, err = get() //nolint:bodyclose // there is none
	assert.Equal(t, pin, err, "the caller's own")
}

// These errors look like the words of a status line.
func TestProxyError_NotOfOtherErrors(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	pin, forbidden := errors.New("no such pin"), errors.New("Forbidden")
	for name, transport := range map[string]*http.Transport{
		"of a certificate": {TLSClientConfig: &tls.Config{
			InsecureSkipVerify: true,
			VerifyConnection:   func(tls.ConnectionState) error { return pin },
		}},
		"of a dialer": {DialContext: func(context.Context, string, string) (net.Conn, error) { return nil, pin }},
		"of a TLS dialer": {DialTLSContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, addr)
			if assert.NoError(t, err) {
				_ = conn.Close()
			}
			return nil, pin
		}},
		"of a TLS dialer without a context": {DialTLS: func(network, addr string) (net.Conn, error) {
			conn, err := net.Dial(network, addr)
			if assert.NoError(t, err) {
				_ = conn.Close()
			}
			return nil, forbidden
		}},
	} {
		transport.Proxy = http.ProxyFromEnvironment
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, http.NoBody)
		require.NoError(t, err)
		_, err = namesProxy(transport).RoundTrip(req) //nolint:bodyclose // there is none
		require.True(t, errors.Is(err, pin) || errors.Is(err, forbidden), "%s: %v", name, err)
		transport.CloseIdleConnections()
	}
	addr := "192.0.2.1:443"
	wordless := &dialing{}
	wordless.connected.Store(&addr)
	assert.Equal(t, &ProxyError{Proxy: addr}, wordless.proxyError(errors.New("")))
	for _, err := range []error{io.EOF, io.ErrUnexpectedEOF, errors.New("http: server closed idle connection"), fmt.Errorf("%w", pin)} {
		d := &dialing{}
		d.connected.Store(&addr)
		assert.Equal(t, err, d.proxyError(err))
	}
	assert.Equal(t, pin, new(dialing).proxyError(pin))
	refused, ok := errors.AsType[*ProxyError](new(dialing).proxyError(errors.New("Forbidden")))
	require.True(t, ok)
	assert.Equal(t, 403, refused.StatusCode)
	encrypted := &dialing{}
	encrypted.encrypted.Store(true)
	assert.Equal(t, pin, encrypted.proxyError(pin))
}
