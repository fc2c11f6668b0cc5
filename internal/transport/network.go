package transport

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"sync/atomic"
)

// ProxyError reports that a proxy refused to connect to the server: its
// response to CONNECT had a status other than 200.
type ProxyError struct {
	Proxy      string // its host or address, and port; "" if unknown
	StatusCode int    // 0 if unknown
	Status     string // such as "403 Forbidden"
}

func (e *ProxyError) Error() string {
	return strings.Join(strings.Fields("proxy "+e.Proxy+" refused CONNECT: "+e.Status), " ")
}

// CheckConnect returns a *ProxyError if a proxy refused CONNECT. It is the
// OnProxyConnectResponse of an http.Transport.
func CheckConnect(_ context.Context, proxy *url.URL, _ *http.Request, resp *http.Response) error {
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	return &ProxyError{proxy.Host, resp.StatusCode, resp.Status}
}

// namesProxy wraps base so that its errors name the proxy that refused CONNECT.
// Without CheckConnect, an http.Transport returns only the words of the status
// line.
func namesProxy(base http.RoundTripper) http.RoundTripper {
	t, ok := base.(*http.Transport)
	if !ok || t.Proxy == nil || t.OnProxyConnectResponse != nil {
		return base
	}
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		if req.URL.Scheme != "https" {
			return t.RoundTrip(req)
		}
		d := &dialing{}
		resp, err := t.RoundTrip(req.WithContext(httptrace.WithClientTrace(req.Context(), d.trace())))
		if err != nil && t.DialTLSContext == nil && t.DialTLS == nil { //nolint:staticcheck // deprecated, and may be set
			err = d.proxyError(err)
		}
		return resp, err
	})
}

// dialing records how far the making of a connection came.
type dialing struct {
	connected atomic.Pointer[string] // the address
	encrypted atomic.Bool            // TLS was begun
}

func (d *dialing) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		ConnectDone: func(_, addr string, err error) {
			if err == nil {
				d.connected.Store(&addr)
			}
		},
		TLSHandshakeStart: func() { d.encrypted.Store(true) },
		GotConn:           func(httptrace.GotConnInfo) { d.encrypted.Store(true) },
	}
}

// proxyError returns a *ProxyError for an error that has the words of a status
// line. Such an error has no type, and belongs to a connection without TLS yet.
func (d *dialing) proxyError(err error) error {
	words := err.Error()
	plain := reflect.TypeOf(err) == reflect.TypeOf(io.EOF) &&
		err != io.EOF && err != io.ErrUnexpectedEOF //nolint:errorlint // not what wraps them
	if !plain || d.encrypted.Load() || strings.Contains(words, "http: ") {
		return err
	}
	e := &ProxyError{Status: words}
	for code := 300; code < 600; code++ {
		if http.StatusText(code) == words && words != "" {
			e.StatusCode, e.Status = code, strconv.Itoa(code)+" "+words
		}
	}
	switch addr := d.connected.Load(); {
	case addr != nil:
		e.Proxy = *addr
	case e.StatusCode == 0: // it may be of a DialContext that is not net's
		return err
	}
	return e
}

// Unreachable reports whether no connection to the server could be made, because
// the host does not exist, nothing listens, there is no route, or a proxy refused
// to connect.
func Unreachable(err error) bool {
	if _, ok := errors.AsType[*ProxyError](err); ok || away(err) {
		return true
	}
	op, ok := errors.AsType[*net.OpError](err)
	return ok && connects(op)
}

// TLSFailed reports whether the two sides could not agree on TLS, because a
// certificate does not verify, one side sent an alert, or the peer does not speak
// TLS.
func TLSFailed(err error) bool {
	var (
		certificate *tls.CertificateVerificationError
		record      tls.RecordHeaderError
		alert       tls.AlertError
		ca          x509.UnknownAuthorityError
		host        x509.HostnameError
		invalid     x509.CertificateInvalidError
		op          *net.OpError
	)
	switch {
	case errors.As(err, &certificate), errors.As(err, &record), errors.As(err, &alert),
		errors.As(err, &ca), errors.As(err, &host), errors.As(err, &invalid),
		errors.Is(err, http.ErrSchemeMismatch),
		errors.As(err, &op) && (op.Op == "remote error" || op.Op == "local error"):
		return true
	}
	// crypto/tls and net/http give these no type.
	text := err.Error()
	return strings.HasPrefix(text, "tls: ") || strings.Contains(text, "TLS handshake timeout")
}

// ProxyFailed reports whether the connection to a proxy failed, or whether the
// proxy refused a connection to the server.
func ProxyFailed(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && (op.Op == proxyConnect || op.Op == socksConnect)
}

// NoToken reports whether the function that returns the token failed. Nothing
// was sent then.
func NoToken(err error) bool {
	_, ok := errors.AsType[*tokenError](err)
	return ok
}
