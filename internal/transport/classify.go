package transport

import (
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
)

// unwrapURLError returns the cause of the *url.Error that an http.Client of a
// middleware adds, without everything around it, because it prints the query.
// The error of a token function stays as it is.
func unwrapURLError(err error) error {
	for err != nil {
		if token, ok := errors.AsType[*tokenError](err); ok {
			return token
		}
		var u *url.Error
		if !errors.As(err, &u) {
			return err
		}
		err = u.Err
	}
	return nil
}

// withoutQuery returns an error without the query of its request, which a
// middleware may quote with the URL. The error keeps those wrapped errors that do
// not quote the query.
func withoutQuery(err error, query string) error {
	if err == nil || query == "" || !strings.Contains(err.Error(), query) {
		return err
	}
	text := strings.ReplaceAll(strings.ReplaceAll(err.Error(), "?"+query, ""), query, redacted)
	for err != nil && strings.Contains(err.Error(), query) {
		err = errors.Unwrap(err)
	}
	return &quietError{text, err}
}

// quietError is an error with a text of which a part was removed.
type quietError struct {
	text string
	err  error
}

func (e *quietError) Error() string { return e.text }
func (e *quietError) Unwrap() error { return e.err }

// namesScheme returns http.ErrSchemeMismatch, as http.Client does, where TLS met
// a server that speaks plain HTTP. Where a proxy does, the error names the proxy.
func namesScheme(err error) error {
	var record tls.RecordHeaderError
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == proxyConnect {
		return err
	}
	if errors.As(err, &record) && string(record.RecordHeader[:]) == "HTTP/" {
		return http.ErrSchemeMismatch
	}
	return err
}

// permanent reports whether every attempt will fail with the same error. An
// unknown error may pass, because net/http has no list of its errors.
func permanent(err error) bool {
	var (
		token       *tokenError
		certificate *tls.CertificateVerificationError
		record      tls.RecordHeaderError
		op          *net.OpError
		dns         *net.DNSError
		proxy       *ProxyError
		syntax      textproto.ProtocolError
	)
	switch {
	case errors.As(err, &token),
		errors.As(err, &syntax), // of the header
		errors.As(err, &proxy) && proxy.StatusCode/100 == 4,
		errors.Is(err, context.Canceled), // by middleware: the caller's context is checked before
		errors.As(err, &certificate),
		errors.As(err, &record),
		errors.Is(err, http.ErrSchemeMismatch),
		errors.Is(err, gzip.ErrHeader),
		errors.As(err, &dns) && dns.IsNotFound,
		// A TLS alert: the server wants another version, or a certificate.
		errors.As(err, &op) && (op.Op == "remote error" || socksRefused(op)):
		return true
	}
	// net/http gives these no type.
	return containsAny(err.Error(),
		"malformed HTTP",                   // the server does not speak HTTP
		"Content-Length",                   // more than one, or not a number: RFC 9112, 6.3
		"transfer encoding",                // unsupported, or more than one
		"railer",                           // Trailer or trailer: invalid, or too long
		"like an HTTP/1.1 header",          // where HTTP/2 was agreed on
		"header list larger than",          // a header above the limit, over HTTP/2
		"server response headers exceeded", // the same over HTTP/1.1
		"unsupported protocol scheme",      // of the URL, for this http.Transport
		"invalid header field",             // of the request, from a middleware
	)
}

func containsAny(text string, parts ...string) bool {
	return slices.ContainsFunc(parts, func(part string) bool { return strings.Contains(text, part) })
}

// The Op of a *net.OpError where there is a proxy.
const (
	proxyConnect = "proxyconnect"
	socksConnect = "socks connect"
)

// connects reports whether a connection failed before there was one.
func connects(op *net.OpError) bool {
	return op.Op == "dial" || op.Op == proxyConnect || op.Op == socksConnect
}

// nothingSent reports whether an error proves that the request was not sent:
// there was no token, no connection, or no TLS.
func nothingSent(err error) bool {
	var (
		token       *tokenError
		op          *net.OpError
		dns         *net.DNSError
		proxy       *ProxyError
		certificate *tls.CertificateVerificationError
		record      tls.RecordHeaderError
	)
	return errors.As(err, &token) || errors.As(err, &dns) || errors.As(err, &proxy) ||
		errors.As(err, &op) && connects(op) ||
		errors.As(err, &certificate) || errors.As(err, &record) || errors.Is(err, http.ErrSchemeMismatch)
}
