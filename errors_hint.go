package authentik

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"

	"github.com/seed-299d42e7/authentik-go/internal/transport"
)

// Kinds of errors, as LogValue names them.
const (
	kindToken       = "token"
	kindUnreachable = "unreachable"
	kindTLS         = "tls"
	kindTimeout     = "timeout"
	kindCanceled    = "canceled"
	kindDeadline    = "deadline"
	kindNetwork     = "network"
)

// failureKind returns the kind of a failure without a response.
func failureKind(err error) string {
	switch {
	case transport.NoToken(err):
		return kindToken
	case transport.TLSFailed(err):
		return kindTLS
	case transport.Unreachable(err): // before the deadline: a dialer's timeout is one too
		return kindUnreachable
	case errors.Is(err, ErrAttemptTimeout):
		return kindTimeout
	case errors.Is(err, context.Canceled):
		return kindCanceled
	case errors.Is(err, context.DeadlineExceeded):
		return kindDeadline
	}
	return kindNetwork
}

// failure returns the kind of e, which a caller may have made.
func (e *RequestError) failure() string {
	if e.kind == "" && e.Err != nil {
		return failureKind(e.Err)
	}
	return e.kind
}

// hostFailed reports whether the host has caused the failure, as far as the client
// knows.
func (e *RequestError) hostFailed() bool {
	switch e.failure() {
	case "", kindToken, kindCanceled:
		return false
	}
	return e.Attempts > 0
}

// kindOf returns an attribute with one word for the kind of an error.
func kindOf(err error) slog.Attr {
	kind := "status"
	for _, k := range []struct {
		word     string
		sentinel error
	}{
		{"starting", ErrStarting},
		{"not_authentik", ErrNotAuthentik},
		{"validation", ErrBadRequest},
		{"permission", ErrUnauthorized},
		{"permission", ErrForbidden},
		{"not_found", ErrNotFound},
		{"rate_limit", ErrRateLimited},
		{"server", ErrServer},
	} {
		if errors.Is(err, k.sentinel) {
			kind = k.word
			break
		}
	}
	switch err := err.(type) { //nolint:errorlint // the logged error, not what it wraps
	case *RequestError:
		kind = err.failure()
	case *DecodeError:
		if kind == "status" {
			kind = "decode"
		}
	case *ArgumentError:
		kind = "argument"
	}
	return slog.String("kind", kind)
}

// sentinels has the sentinels that may apply to an error with a LogValue.
var sentinels = []struct {
	name  string
	value error
}{
	{"ErrBadRequest", ErrBadRequest},
	{"ErrUnauthorized", ErrUnauthorized},
	{"ErrForbidden", ErrForbidden},
	{"ErrNotFound", ErrNotFound},
	{"ErrRateLimited", ErrRateLimited},
	{"ErrServer", ErrServer},
	{"ErrStarting", ErrStarting},
	{"ErrNotAuthentik", ErrNotAuthentik},
	{"ErrUnreachable", ErrUnreachable},
	{"ErrTLS", ErrTLS},
	{"ErrAttemptTimeout", ErrAttemptTimeout},
	{"ErrResponseTooLarge", ErrResponseTooLarge},
	{"ErrPaginationStuck", ErrPaginationStuck},
	{"ErrNotLoggedIn", ErrNotLoggedIn},
	{"ErrPerhapsDone", ErrPerhapsDone},
}

// sentinelsOf returns an attribute with the names of the sentinels that apply.
func sentinelsOf(err error) slog.Attr {
	names := []string{}
	for _, s := range sentinels {
		if errors.Is(err, s.value) {
			names = append(names, s.name)
		}
	}
	return slog.Any("is", names)
}

// Hint returns one sentence on what to do about an error of this package, "" if
// there is nothing to advise beyond the text of the error.
func Hint(err error) string {
	var (
		api     *APIError
		request *RequestError
		decode  *DecodeError
	)
	switch {
	case errors.Is(err, ErrPerhapsDone):
		return "Read the object before sending the write again."
	case errors.Is(err, ErrListChanged):
		return "Repeat the iteration, or use Snapshot."
	case errors.As(err, &request):
		return request.hint()
	case errors.As(err, &decode):
		return decode.hint()
	case errors.As(err, &api):
		return api.hint()
	}
	return ""
}

const (
	hintBaseURL = "Check the base URL, and let the proxy in front of authentik pass /api/v3/."
	hintStarted = "Check that authentik is running, and read its log."
)

func (e *RequestError) hint() string {
	switch e.failure() {
	case kindUnreachable:
		return unreachableHint(e.Err)
	case kindTLS:
		return tlsHint(e.Err)
	case kindTimeout:
		return "Raise WithTimeout, or request fewer objects with PageSize."
	case kindDeadline:
		return "Use a context with a later deadline."
	case kindNetwork:
		if e.remedy == speaksTLS {
			return "Use https:// in the base URL."
		}
		if strings.Contains(e.Err.Error(), "malformed HTTP") {
			return "Check the port in the base URL: the server does not speak HTTP."
		}
	}
	return ""
}

func unreachableHint(err error) string {
	var (
		proxy *transport.ProxyError
		dns   *net.DNSError
	)
	switch {
	case errors.As(err, &proxy) && proxy.StatusCode == http.StatusProxyAuthRequired:
		return "Put the user and password of the proxy into HTTPS_PROXY, or the host into NO_PROXY."
	case errors.As(err, &proxy):
		return "Let the proxy connect to the host, or put the host into NO_PROXY."
	case transport.ProxyFailed(err):
		return "Check the proxy, such as that in HTTPS_PROXY."
	case errors.As(err, &dns):
		return "Check the host in the base URL, and the name servers."
	}
	return "Check the host and the port in the base URL, and that authentik is running."
}

func tlsHint(err error) string {
	var (
		unknown x509.UnknownAuthorityError
		host    x509.HostnameError
		invalid x509.CertificateInvalidError
		record  tls.RecordHeaderError
	)
	switch text := err.Error(); {
	case errors.As(err, &unknown) && transport.ProxyFailed(err):
		return "Use WithHTTPClient with the CA of the proxy in RootCAs."
	case transport.ProxyFailed(err):
		return "Check the proxy, such as that in HTTPS_PROXY: https:// there means that the proxy itself speaks TLS."
	case errors.As(err, &unknown):
		return "Use WithHTTPClient with the server's CA in RootCAs."
	case errors.As(err, &host):
		return "Use a host that the certificate names in the base URL, or renew the certificate."
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "Renew the certificate, or set the clock."
	case errors.Is(err, http.ErrSchemeMismatch), errors.As(err, &record):
		return "Check the scheme and the port in the base URL: the server does not speak TLS there."
	case strings.Contains(text, "certificate required"), strings.Contains(text, "bad certificate"):
		return "Use WithHTTPClient with a client certificate that the server accepts."
	case strings.Contains(text, "remote error: tls: handshake failure"):
		return "Use WithHTTPClient with a client certificate if the server requires one, and check its versions and ciphers."
	case strings.Contains(text, "protocol version"):
		return "Let the server speak TLS 1.2 or later."
	}
	return ""
}

func (e *DecodeError) hint() string {
	switch {
	case errors.Is(e, ErrNotAuthentik):
		return hintBaseURL
	case errors.Is(e, ErrResponseTooLarge):
		return "Request a smaller PageSize, or raise WithMaxResponseSize."
	}
	return ""
}

func (e *APIError) hint() string {
	status := e.StatusCode
	switch {
	case e.advice != "":
		return e.advice
	case errors.Is(e, ErrStarting):
		return hintStarted
	case status == http.StatusTooManyRequests, e.Foreign && e.RetryAfter > 0:
		return "Send fewer requests, and wait for RetryAfter."
	case e.Foreign && (status == http.StatusUnauthorized || status == http.StatusForbidden):
		return "Let the proxy in front of authentik pass /api/v3/ to it, or send what the proxy requires with WithHeader."
	case e.Foreign && (status == http.StatusNotFound || status == http.StatusMethodNotAllowed):
		return hintBaseURL
	case e.Foreign:
		return proxyHint(status)
	case status == http.StatusForbidden && e.Op == "ServerVersion":
		return `Use a token of the intent "API Token" that exists and has not expired.`
	case status == http.StatusForbidden:
		return "Call ServerVersion: if it succeeds, the token or the login is valid, and its user lacks a permission."
	case status == http.StatusNotFound && e.contentType == "":
		return "Check that the object exists, and that the user of the token may view it."
	case status >= http.StatusInternalServerError && e.RequestID != "":
		return "Search the log of authentik for the request ID."
	}
	return ""
}

// proxyHint returns the hint for the status of a proxy that depends on nothing
// else.
func proxyHint(status int) string {
	switch status {
	case http.StatusProxyAuthRequired:
		return "Put the user and password of the proxy into HTTP_PROXY, or the host into NO_PROXY."
	case http.StatusBadGateway, http.StatusServiceUnavailable, 520, 521, 522, 523, 530:
		return hintStarted
	case http.StatusGatewayTimeout, 524:
		return "Raise the timeout of the proxy in front of authentik, or request fewer objects with PageSize."
	case 525, 526:
		return "Check the certificate and the TLS settings between the proxy and authentik."
	case http.StatusNetworkAuthenticationRequired:
		return "Log in to the network that this program runs in."
	case http.StatusInternalServerError:
		return "Read the log of the proxy in front of authentik, and that of authentik."
	}
	return ""
}
