package transport

import (
	"mime"
	"net/http"
	"strings"
)

// mayBeDone reports whether the server may have executed a request whose
// outcome the client does not know. A success and a refusal are known.
func (o outcome) mayBeDone() bool {
	switch {
	case o.response == nil:
		return !o.unsent
	case o.decodeFailed:
		return true
	default:
		return o.response.mayBeDone()
	}
}

func (r *Response) mayBeDone() bool {
	switch {
	case r.OK:
		return false
	case r.Starting:
		return !neverForwarded(routerText(r.Body))
	case bodyRefused(r):
		return false
	case r.Crashed:
		return true
	}
	switch r.StatusCode {
	case http.StatusRequestTimeout:
		return true
	case http.StatusNotImplemented, http.StatusHTTPVersionNotSupported, http.StatusNetworkAuthenticationRequired:
		return false // these refuse the request
	}
	return r.StatusCode >= http.StatusInternalServerError
}

// mayPass reports whether a later attempt may get another response.
func (r *Response) mayPass() bool {
	switch {
	case r.Starting, r.Crashed:
		return true
	case r.StatusCode == http.StatusNotFound:
		return r.Foreign() // a proxy that has lost its backend
	default:
		return retryStatus(r.StatusCode) && !bodyRefused(r)
	}
}

// crashed reports an empty 405 of type text/html. authentik's error pages accept
// GET only, so authentik responds in this way to a write that crashed, and to
// one with an unknown path. A 405 that refuses a method has JSON, and proves
// that nothing was executed.
func crashed(resp *http.Response, body []byte) bool {
	if resp.StatusCode != http.StatusMethodNotAllowed || len(body) > 0 {
		return false
	}
	mediaType, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	return mediaType == "text/html"
}

// MaxRequestBody is the largest body that authentik's router accepts. To a larger
// body, the router responds as if its backend were down.
const MaxRequestBody = 32 << 20

// bodyRefused reports that the router's response is to a body that is too large.
func bodyRefused(r *Response) bool {
	return r.StatusCode == http.StatusBadGateway && routerText(r.Body) == failedWords+tooLargeWords
}

// neverForwarded reports whether the router's text says that the backend did
// not get the request.
func neverForwarded(text string) bool {
	cause := strings.TrimSpace(strings.TrimPrefix(text, failedWords))
	return strings.HasPrefix(cause, startingWords) ||
		strings.HasPrefix(cause, "dial ") || strings.HasSuffix(cause, "connection refused")
}
