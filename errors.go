package authentik

import (
	"errors"
	"time"

	"github.com/seed-299d42e7/authentik-go/internal/transport"
)

// Sentinels for errors.Is. The first six depend on the status of an
// [*APIError].
var (
	// ErrBadRequest reports status 400. See [ValidationError].
	ErrBadRequest = errors.New("bad request")
	// ErrUnauthorized reports status 401. Only a proxy sends it: authentik
	// rejects a token with 403.
	ErrUnauthorized = errors.New("unauthorized")
	// ErrForbidden reports status 403. See [PermissionError].
	ErrForbidden = errors.New("forbidden")
	// ErrNotFound reports status 404 of authentik: the object does not exist, or
	// the token may not see it. A 404 of a proxy is [ErrNotAuthentik] instead.
	ErrNotFound = errors.New("not found")
	// ErrRateLimited reports status 429. Only a proxy sends it: authentik does
	// not limit the rate of a token.
	ErrRateLimited = errors.New("rate limited")
	// ErrServer reports status 500 and above.
	ErrServer = errors.New("server error")
	// ErrStarting reports a server that says that it is starting, with status
	// 200, 502 or 503. The client has waited for the server: see [RetryPolicy].
	ErrStarting = errors.New("server is starting")
	// ErrNotAuthentik reports a response of something in front of authentik,
	// such as a proxy, a firewall or a login page, with any status. Such a
	// response proves nothing about an object or a token. See
	// [APIError.Foreign].
	ErrNotAuthentik = errors.New("the response is not authentik's")
	// ErrUnreachable reports a [RequestError] without a connection: the host
	// does not exist, refuses connections or has no route, or a proxy refuses
	// CONNECT.
	ErrUnreachable = errors.New("the server is unreachable")
	// ErrTLS reports a [RequestError] of TLS: a certificate that does not
	// verify, versions that do not match, or a server that does not use TLS.
	ErrTLS = errors.New("TLS failed")

	// ErrPaginationStuck reports an iterator that would not end: the server
	// returned another page than the requested one, named a next page other than
	// the following one, or returned nothing new and yet a next page.
	ErrPaginationStuck = errors.New("pagination is stuck")
	// ErrListChanged reports a list that changed during an iteration, so that
	// items may have been missed. Repeat the iteration, or use [Snapshot].
	ErrListChanged = errors.New("the list changed during the iteration")
	// ErrResponseTooLarge reports a body above [WithMaxResponseSize].
	ErrResponseTooLarge = transport.ErrTooLarge
	// ErrAttemptTimeout reports an attempt that took longer than [WithTimeout].
	// The caller's own deadline is context.DeadlineExceeded instead.
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
	// servers do with what their release does not have. The object that was written
	// is returned beside the error.
	ErrNotApplied = errors.New("not applied")
	// ErrUnsupported reports an operation that the release of the server does
	// not have. Nothing was executed.
	ErrUnsupported = errors.New("not supported by this release")
	// ErrNoResult reports an empty sequence to the caller of [One].
	ErrNoResult = errors.New("no result")
	// ErrMultipleResults reports more than one item to the caller of [One].
	ErrMultipleResults = errors.New("more than one result")
)

// APIError reports a response with a status other than 2xx, or one with a
// status of 2xx in which the server says that it is starting. A 400 is a
// [*ValidationError], and a 401 or 403 is a [*PermissionError]. errors.As finds
// the APIError in both of them.
type APIError struct {
	// Op is the method of this package, such as FlowsInstancesList.
	Op string
	// Method is the HTTP method.
	Method string
	// Path is the path of the URL. The query is not kept.
	Path       string
	StatusCode int
	// RequestID is the X-authentik-id header. authentik logs it as request_id.
	RequestID string
	// Detail is the message of the server: "detail", else "error", else a bare
	// text or list of texts. If Foreign is set, Detail is the message of a
	// gateway, the title of a page, or what WWW-Authenticate requires.
	Detail string
	// RetryAfter is the delay that the server requires, 0 if there is none.
	RetryAfter time.Duration
	// Attempts is the number of requests of the call.
	Attempts int
	// Body has at most 64 KiB of the body, with secrets redacted.
	Body []byte `json:"-"`
	// Foreign reports that authentik did not send the response. A response of
	// authentik has an X-authentik-id, or is an error in the JSON of its API, or
	// one of the texts of its router.
	Foreign bool

	contentType string // of a body without a message
	sender      string // of a foreign response
	advice      string // for Hint
	crashed     bool   // an empty 405 that stands for a 500
	ending
}

// ending describes how a call ended.
type ending struct {
	note        string // which page, and why there were no more attempts
	perhapsDone bool
}

// ValidationError reports a 400 with the messages of each field.
type ValidationError struct {
	*APIError
	// Fields has the messages by the path of the field, such as
	// "policies[0].order". authentik translates messages, but not paths.
	Fields map[string][]string
	// NonFieldErrors has the messages that concern no single field.
	NonFieldErrors []string
}

// PermissionError reports a 401 or 403. authentik sends 403 for an invalid or
// expired token and for a missing permission alike, and translates the message.
// [Client.ServerVersion] distinguishes them: it succeeds with every valid token.
// If Foreign is set, a proxy rejected the request, and the token may be valid.
type PermissionError struct {
	*APIError

	notLoggedIn bool
}

// RequestError reports a request without a usable response: the network, TLS or
// the timeout failed, the token function failed, or the caller's context ended.
// See [ErrUnreachable], [ErrTLS] and [ErrAttemptTimeout].
type RequestError struct {
	Op, Method, Path string
	// Host is the host of the base URL, with its port.
	Host string
	// Attempts is the number of requests of the call. It is 0 if the context had
	// ended before.
	Attempts int
	Err      error

	last   *APIError // an earlier attempt's response
	kind   string    // see failureKind
	remedy string    // what the text adds to Err
	ending
}

// DecodeError reports a response that is not of the requested kind. No part of
// the response is returned as a result.
type DecodeError struct {
	Op, Method, Path string
	StatusCode       int
	RequestID        string
	ContentType      string
	// JSONPath locates the error, such as results[3].pk. It is empty for the
	// whole body, and has at most 200 bytes.
	JSONPath string
	// Excerpt has at most 200 bytes of the invalid part, in printable form.
	Excerpt  string
	Attempts int
	Err      error

	sender string // of a response that is not authentik's
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

// ArgumentError reports an argument that was rejected before a request was
// sent. The text does not repeat the value.
type ArgumentError struct {
	// Op is the function or method.
	Op string
	// Field is the argument, the option, or a field of it.
	Field string
	// Reason continues the name of the field, such as "must not be empty".
	Reason string
}
