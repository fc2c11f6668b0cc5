package transport

import (
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
)

// bare takes off the *url.Error that an http.Client puts on, ours or a
// middleware's, with all that is around it: it prints the query. What a token
// function returns is its own business.
func bare(err error) error {
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

// permanent reports whether an attempt's error will come again every time.
// Anything unknown may pass: net/http has no list of its errors.
func permanent(err error) bool {
	var (
		token       *tokenError
		certificate *tls.CertificateVerificationError
		record      tls.RecordHeaderError
		op          *net.OpError
		dns         *net.DNSError
	)
	switch {
	case errors.As(err, &token),
		errors.Is(err, context.Canceled), // by middleware: the caller's context is checked before
		errors.As(err, &certificate),
		errors.As(err, &record),
		errors.Is(err, http.ErrSchemeMismatch),
		errors.Is(err, gzip.ErrHeader),
		errors.As(err, &dns) && dns.IsNotFound,
		// A TLS alert: the server wants another version, or a certificate.
		errors.As(err, &op) && op.Op == "remote error":
		return true
	}
	// net/http gives these no type.
	for _, text := range []string{
		"malformed HTTP",                   // no HTTP server at all
		"multiple Content-Length headers",  // RFC 9112, 6.3: smuggling
		"server response headers exceeded", // as often as it is asked
		"unsupported protocol scheme",      // a transport's
		"Proxy Authentication Required",    // CONNECT answered 407
		"invalid header field",             // a middleware's
	} {
		if strings.Contains(err.Error(), text) {
			return true
		}
	}
	return false
}

// nothingSent reports whether the attempt ended before there was a connection.
func nothingSent(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && (op.Op == "dial" || op.Op == "proxyconnect")
}

func refused(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, wsaECONNREFUSED)
}

// wsaECONNREFUSED is Windows's, where syscall.ECONNREFUSED is a number that no
// call returns.
const wsaECONNREFUSED = syscall.Errno(10061) //nolint:errname // what Windows calls it
