// Package transport sends requests and returns whole responses. It retries,
// waits, limits, authenticates and logs. It knows HTTP and no model.
//
// A request passes through these, in this order:
//
//	Transport.Do   one call with all its attempts
//	loop           makes further attempts (loop.go, go-retryablehttp)
//	call.attempt   one request and its whole response (attempt.go)
//	middleware     the caller's
//	authorize      sets the credentials (auth.go)
//	Config.Base    the caller's http.RoundTripper, or ours
//
// After each attempt, call.decide records the outcome and chooses between
// another attempt and the result (retry.go).
package transport

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

// RequestIDHeader is on every response of authentik's backend, and on none of
// the router in front of it.
const RequestIDHeader = "X-Authentik-Id"

var (
	// ErrAttemptTimeout reports an attempt that exceeded its own timeout, as
	// opposed to the caller's deadline.
	ErrAttemptTimeout = errors.New("attempt timed out")
	// ErrTooLarge reports a body above the limit.
	ErrTooLarge = errors.New("response too large")

	errNoAttempt = errors.New("no attempt was made")
)

// Config configures a Transport. The caller has validated all of it.
type Config struct {
	Base http.RoundTripper
	// Middleware wraps Base. The first one sees a request first.
	Middleware []func(http.RoundTripper) http.RoundTripper
	// Authorize sets the headers that authenticate an attempt, such as
	// Authorization or Cookie. The middleware does not see them. Authorize
	// calls secret with each value that no error and no log may repeat. An error
	// of Authorize ends the call before anything is sent. nil sends no
	// credentials.
	Authorize func(req *http.Request, secret func(string)) error
	// Received gets every response first, including 3xx and errors, so that it can
	// keep cookies. Received must not read the body, and calls secret as Authorize
	// does. nil is allowed.
	Received func(resp *http.Response, secret func(string))
	// Header is set on every request.
	Header http.Header
	// Secrets are further values that no error and no log may repeat.
	Secrets []string
	Policy  Policy
	// Timeout bounds one attempt.
	Timeout time.Duration
	// MaxBody bounds the body of a success, in bytes.
	MaxBody int64
	// Logger logs attempts. nil logs nothing.
	Logger *slog.Logger
}

// Transport sends requests. It is safe for concurrent use.
type Transport struct {
	loop  *retryablehttp.Client
	chain http.RoundTripper
	// renew is Pool.Renew, or does nothing. The Pool itself is not a field, because its
	// buffers may hold secrets, which reflection would print.
	renew func(time.Time)
	// header returns a copy of Config.Header. It is a closure for the same reason.
	header    func() http.Header
	secrets   *secrets
	policy    Policy
	timeout   time.Duration
	maxBody   int64
	log       *slog.Logger
	budget    budget
	responded atomic.Bool // a server, a proxy or any other has responded before
	reached   atomic.Bool // authentik has responded before
}

// New returns a Transport. It fails only if a middleware returns nil.
func New(cfg Config) (*Transport, error) {
	renew := func(time.Time) {}
	if pool, ok := cfg.Base.(*Pool); ok {
		cfg.Base, renew = roundTripper(pool.RoundTrip), pool.Renew
	}
	cfg.Base = namesProxy(cfg.Base)
	known := newSecrets(cfg.Secrets)
	chain := authorize(cfg, known.credential)
	for _, wrap := range slices.Backward(cfg.Middleware) {
		if chain = wrap(chain); chain == nil {
			return nil, errors.New("must not return nil")
		}
	}
	return &Transport{
		loop:    newLoop(),
		chain:   chain,
		renew:   renew,
		header:  cfg.Header.Clone,
		secrets: known,
		policy:  cfg.Policy.WithDefaults(),
		timeout: cfg.Timeout,
		maxBody: cfg.MaxBody,
		log:     cfg.Logger,
		budget:  budget{units: budgetSize},
	}, nil
}

// Redact replaces the credentials and the other secrets in a text.
func (t *Transport) Redact(text string) string { return t.secrets.redact(text) }

// Remember adds a value that no error and no log may repeat from now on. The
// last 64 values are kept.
func (t *Transport) Remember(secret string) { t.secrets.entered(secret) }

// Request is one operation.
type Request struct {
	Op          string // for logs
	Route       string // the path with {names} in it, for middleware
	Page        int    // of an iterator, for middleware; 0 is none
	Method      string
	URL         url.URL
	ContentType string // of Body; "" sets no header
	// Body is never logged.
	Body []byte
	// Repeatable allows another attempt after one that the server may have
	// executed. Without it, only failures that prove that nothing was executed
	// are retried.
	Repeatable bool
	// Ahead ends the call where it would wait for a server that refuses requests
	// or restarts: Result.Postponed is set.
	Ahead bool
	// Resume continues a call that was postponed. nil begins a new one.
	Resume *Postponed
	// Accept reports whether a response with a status other than 2xx is a
	// success. nil accepts none. A redirect is never followed, even if Accept
	// accepts the redirect.
	Accept func(*http.Response) bool
	// Decode reads a success. An error of Decode ends the call, except one that Is
	// io.ErrUnexpectedEOF, which means a truncated body and is retried.
	Decode func(*Response) error
}

// changes reports whether a request may change the server's state.
func (r *Request) changes() bool {
	return r.Method != http.MethodGet && r.Method != http.MethodHead
}

// Response is a response that has been read to its end, or to 64 KiB if it is
// not a success.
type Response struct {
	StatusCode int
	Header     http.Header
	Body       []byte
	// Bodiless reports a response to HEAD.
	Bodiless bool
	// OK reports a 2xx or an accepted status. A starting server is not OK.
	OK bool
	// Starting reports authentik's router saying that its backend is coming back.
	Starting bool
	// Crashed reports a 405 that stands for a write that crashed, or for one with
	// an unknown path: see crashed.
	Crashed bool
	// RetryAfter is the delay that the server requires, 0 if there is none.
	RetryAfter time.Duration
}

// Result is how a call ended.
type Result struct {
	// Response is the last one, nil if there was none.
	Response *Response
	Attempts int
	// Err is nil if Decode accepted Response, or if Response is not OK and no
	// other error came after it.
	Err error
	// DecodeFailed reports that Err is about Response: Decode rejected it, or
	// its body is too large.
	DecodeFailed bool
	// Postponed is set if there would be another attempt without Request.Ahead.
	Postponed *Postponed
	// StopReason says why there was no further attempt, where neither Response
	// nor Err shows it.
	StopReason string
	// PerhapsDone reports that the server may have executed an attempt whose
	// outcome is unknown. It is never set for GET and HEAD. With it, a 404 on
	// a DELETE means that an earlier attempt has deleted the object.
	PerhapsDone bool
}

// Postponed is a call that ended before a wait.
type Postponed struct {
	Until time.Time // when the wait is over

	attempts, tries, timeouts int
	startingBy                time.Time
}

// Do sends a request until there is a result.
func (t *Transport) Do(ctx context.Context, req Request) Result {
	c := &call{t: t, req: req, ctx: ctx, result: Result{Err: errNoAttempt}}
	if err := c.ended(); err != nil {
		return Result{Err: err}
	}
	c.deadline = t.policy.deadline(ctx)
	if p := req.Resume; p != nil {
		c.result.Attempts, c.tries, c.timeouts, c.startingBy = p.attempts, p.tries, p.timeouts, p.startingBy
	}
	c.repeat()
	return c.result
}
