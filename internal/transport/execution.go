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
	case o.answer == nil:
		return !o.unsent
	case o.decodeFailed:
		return true
	default:
		return o.answer.mayBeDone()
	}
}

func (a *Answer) mayBeDone() bool {
	switch {
	case a.OK:
		return false
	case a.Starting:
		return !neverForwarded(routerText(a.Body))
	case bodyRefused(a):
		return false
	case a.Crashed:
		return true
	}
	switch a.StatusCode {
	case http.StatusRequestTimeout:
		return true
	case http.StatusNotImplemented, http.StatusHTTPVersionNotSupported, http.StatusNetworkAuthenticationRequired:
		return false // they refuse the request
	}
	return a.StatusCode >= http.StatusInternalServerError
}

// mayPass reports whether a later attempt may have another answer.
func (a *Answer) mayPass() bool {
	switch {
	case a.Starting, a.Crashed:
		return true
	case a.StatusCode == http.StatusNotFound:
		return a.Foreign() // a proxy that has lost its backend
	default:
		return retryStatus(a.StatusCode) && !bodyRefused(a)
	}
}

// crashed reports a 405 without a body that calls itself HTML. authentik's
// error pages know GET only, so that it answers in this way where a write
// crashed, and also where its path is unknown. A 405 that refuses a method has
// JSON, and proves that nothing was executed.
func crashed(resp *http.Response, body []byte) bool {
	mediaType, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	return resp.StatusCode == http.StatusMethodNotAllowed && len(body) == 0 && mediaType == "text/html"
}

// MaxRequestBody is the largest body that authentik's router accepts. It
// answers a larger one as if its backend were away.
const MaxRequestBody = 32 << 20

func bodyRefused(a *Answer) bool {
	return a.StatusCode == http.StatusBadGateway && routerText(a.Body) == failedWords+tooLargeWords
}

// neverForwarded reports whether the router's text says that the backend did
// not get the request.
func neverForwarded(text string) bool {
	cause, failed := strings.CutPrefix(text, failedWords)
	cause = strings.TrimSpace(cause)
	return !failed || strings.HasPrefix(cause, startingWords) ||
		strings.HasPrefix(cause, "dial ") || strings.HasSuffix(cause, "connection refused")
}
