package authentik

import (
	"errors"
	"time"

	"github.com/seed-299d42e7/authentik-go/internal/transport"
)

// What errors.Is answers. The first six go by the status of an [*APIError].
var (
	// ErrBadRequest is status 400: see [ValidationError].
	ErrBadRequest = errors.New("bad request")
	// ErrUnauthorized is status 401, which authentik itself never sends.
	ErrUnauthorized = errors.New("unauthorized")
	// ErrForbidden is status 403: see [PermissionError].
	ErrForbidden = errors.New("forbidden")
	// ErrNotFound is status 404 of authentik: no such object, or none that the
	// token may see. A 404 of a proxy is [ErrNotAuthentik] instead.
	ErrNotFound = errors.New("not found")
	// ErrRateLimited is status 429, which comes from a proxy in front:
	// authentik throttles no token.
	ErrRateLimited = errors.New("rate limited")
	// ErrServer is status 500 and above.
	ErrServer = errors.New("server error")
	// ErrStarting is a server that says that it is coming back, with status
	// 200, 502 or 503. It has been waited for: see [RetryPolicy].
	ErrStarting = errors.New("server is starting")
	// ErrNotAuthentik reports a response of something in front of authentik,
	// such as a proxy, a firewall or a login page, with any status. It says
	// nothing about the object or the token: see [APIError].Foreign.
	ErrNotAuthentik = errors.New("the response is not authentik's")

	// ErrPaginationStuck is a walk that would not end: a page that is not the
	// one asked for, that names a next page other than the following one, or
	// that has nothing new and yet a next one.
	ErrPaginationStuck = errors.New("pagination is stuck")
	// ErrListChanged is a list that changed while it was walked, so that flows
	// may have been missed. Walk again, or let [Snapshot] do so.
	ErrListChanged = errors.New("the list changed during the walk")
	// ErrResponseTooLarge is a body above [WithMaxResponseSize].
	ErrResponseTooLarge = transport.ErrTooLarge
	// ErrAttemptTimeout is an attempt that took longer than [WithTimeout]. It
	// is not the caller's context.DeadlineExceeded.
	ErrAttemptTimeout = transport.ErrAttemptTimeout
	// ErrPerhapsDone reports a write whose outcome is unknown: the server may
	// have executed it, or an earlier attempt of it. Read the object before
	// sending the write again. A write that repeats without harm, such as a PUT
	// or a DELETE, has been retried first; any other has not.
	ErrPerhapsDone = errors.New("the server may have executed the request")
	// ErrBadCredentials reports a [ChallengeError] at the identification or the
	// password: a wrong password, or a user that does not exist or is inactive.
	// authentik does not say which.
	ErrBadCredentials = errors.New("bad credentials")
	// ErrNotLoggedIn reports a [Session] without a user: it has not logged in, it
	// has logged out, or the login has expired.
	ErrNotLoggedIn = errors.New("not logged in")
	// ErrStillLoggedIn reports a [Session.Logout] whose flow does not log out.
	ErrStillLoggedIn = errors.New("still logged in")
	// ErrFlowRestarted reports a flow that the server has begun anew, because the
	// session was lost, or because a stage is configured to restart the flow.
	ErrFlowRestarted = errors.New("the server restarted the flow")
	// ErrFlowStuck reports a flow that does not go on.
	ErrFlowStuck = errors.New("the flow is stuck")
	// ErrNotApplied reports a write of which the server dropped a part, as
	// servers do with what their release does not have. What was written is
	// returned beside the error.
	ErrNotApplied = errors.New("not applied")
	// ErrUnsupported reports an operation that the release of the server does
	// not have. Nothing was executed.
	ErrUnsupported = errors.New("not supported by this release")
	// ErrNoResult is what [One] returns for an empty sequence.
	ErrNoResult = errors.New("no result")
	// ErrMultipleResults is what [One] returns for more than one item.
	ErrMultipleResults = errors.New("more than one result")
)

// APIError is an answer with a status other than 2xx, or a 2xx in which the
// server says that it is starting. A 400 is a [*ValidationError] and a 401 or
// 403 a [*PermissionError]; errors.As reaches the APIError in them too.
type APIError struct {
	Op         string        // the method, such as FlowsInstancesList
	Method     string        // of HTTP
	Path       string        // of the URL, without the query
	StatusCode int           // as sent
	RequestID  string        // X-authentik-id: the server logs it as request_id; "" from a proxy
	Detail     string        // the server's message: "detail", else "error", else a bare text or list of texts
	RetryAfter time.Duration // as sent; 0 if it was not
	Attempts   int           // requests made
	Body       []byte        `json:"-"` // at most 64 KiB, without the token
	// Foreign reports that authentik did not send the response: it has no
	// X-authentik-id, is not an error in the JSON of authentik's API, and not
	// one of the texts of authentik's router.
	Foreign bool

	contentType string // of a body that is not JSON
	crashed     bool   // an empty 405 that stands for a 500
	ending
}

// ending says how a call ended beside its error.
type ending struct {
	note        string // which page, and why there were no more attempts
	perhapsDone bool
}

// ValidationError is a 400: what the server did not accept, by field.
type ValidationError struct {
	*APIError
	// Fields has the messages of each field, by its path if it is nested
	// ("policies[0].order"). They are translated: match on the names.
	Fields map[string][]string
	// NonFieldErrors are those about no field or several.
	NonFieldErrors []string
}

// PermissionError is a 403 or a 401: a bad or expired token, or one that lacks
// a permission. authentik answers 403 for all of them, with a translated
// message; [Client.ServerVersion] succeeds with any valid token, and so tells
// which it is.
type PermissionError struct {
	*APIError

	notLoggedIn bool
}

// RequestError is a request without a usable answer: network, TLS, a timeout,
// a token that could not be had, or the caller's context.
type RequestError struct {
	Op, Method, Path string
	Attempts         int // requests made, 0 if the context had ended before
	Err              error

	last *APIError // an earlier attempt's answer
	ending
}

// DecodeError is an answer that is not what was asked for. No part of it is
// ever passed off as a result.
type DecodeError struct {
	Op, Method, Path string
	StatusCode       int
	RequestID        string
	ContentType      string
	JSONPath         string // where, such as results[3].pk; "" is the whole body; at most 200 bytes
	Excerpt          string // at most 200 bytes of what is wrong, printable
	Attempts         int
	Err              error

	ending
}

// ImportError reports a file that was not imported: the server rejected the
// file, or found nothing to import in it. The latter is [ErrNotApplied], and
// Success of its Result is true.
type ImportError struct {
	// Result has what the server logged, with user names and addresses. The
	// text of the error and its LogValue leave the logs out.
	Result *FlowImportResult

	op string
}

// ArgumentError is a value that was refused before anything was sent. It does
// not repeat the value.
type ArgumentError struct {
	Op     string // the function or method
	Field  string // the argument, option or field of it
	Reason string
}
