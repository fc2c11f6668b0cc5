// Package transport sends requests and brings back whole answers: retries,
// waits, limits, the token and the log. It knows HTTP and no model.
//
// A request's way: Do → go-retryablehttp's loop → attempt (timeout, log) →
// the caller's middleware → auth → the caller's or our http.Transport. The
// body is read and judged inside the loop, so that a cut one is tried again.
package transport

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"net/url"
	"slices"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

// RequestIDHeader is on every answer of authentik's backend, and on none of
// the router in front of it.
const RequestIDHeader = "X-Authentik-Id"

var (
	// ErrAttemptTimeout is an attempt that took too long, as opposed to the
	// caller's own deadline.
	ErrAttemptTimeout = errors.New("attempt timed out")
	// ErrTooLarge is a body above the limit.
	ErrTooLarge = errors.New("response too large")
)

// Config is what a Transport is made of. Everything is validated already.
type Config struct {
	Base       http.RoundTripper
	Middleware []func(http.RoundTripper) http.RoundTripper // the first one sees a request first
	Token      func(context.Context) (string, error)
	CheckToken func(string) error
	Header     http.Header // set on every request
	Secrets    []string    // values that no error may repeat, the token aside
	Policy     Policy
	Timeout    time.Duration // of one attempt
	MaxBody    int64         // of a 2xx
	Logger     *slog.Logger  // nil is silent
}

// Transport is safe for concurrent use.
type Transport struct {
	chain    http.RoundTripper
	header   func() http.Header // a closure, because values may be secrets
	blot     func(string) string
	policy   Policy
	timeout  time.Duration
	maxBody  int64
	log      *slog.Logger
	budget   budget
	answered atomic.Bool // the server has answered this client before
}

// New makes a Transport. Its only error is middleware that returns nil.
func New(cfg Config) (*Transport, error) {
	remember, blot := newSecrets(cfg.Secrets)
	chain := authenticate(cfg.Base, cfg.Token, cfg.CheckToken, remember)
	for _, wrap := range slices.Backward(cfg.Middleware) {
		if chain = wrap(chain); chain == nil {
			return nil, errors.New("the function returns nil")
		}
	}
	return &Transport{
		chain:   chain,
		header:  cfg.Header.Clone,
		blot:    blot,
		policy:  cfg.Policy.WithDefaults(),
		timeout: cfg.Timeout,
		maxBody: cfg.MaxBody,
		log:     cfg.Logger,
		budget:  budget{tokens: budgetSize},
	}, nil
}

// Blot takes the token and the other secrets out of a server's text.
func (t *Transport) Blot(text string) string { return t.blot(text) }

// Request is one operation.
type Request struct {
	Op          string
	Method      string
	URL         url.URL
	ContentType string
	Body        []byte
	// Repeatable requests are retried although the server may have executed
	// them.
	Repeatable bool
	// Decode reads a 2xx; its error ends the call. An error that Is
	// io.ErrUnexpectedEOF is a body that was cut off, and is retried.
	Decode func(*Answer) error
}

// Answer is a response, read to its end (or, if it is an error's, to 64 KiB).
type Answer struct {
	StatusCode int
	Header     http.Header
	Body       []byte
	Starting   bool          // the server says that it is coming back
	RetryAfter time.Duration // as sent; 0 if there was none
}

// OK reports whether the answer is what was asked for, as far as HTTP goes.
func (a *Answer) OK() bool { return a.StatusCode/100 == 2 && !a.Starting }

// Result is how a call ended.
type Result struct {
	Answer   *Answer // the last one, nil if there was none
	Attempts int
	// Err is nil if the last attempt brought Answer and Judge took it, or if
	// Answer is an error's.
	Err    error
	Judged bool   // Err is about Answer: Judge refused it, or it is too large
	GaveUp string // why it was not tried again, where Answer and Err do not tell
}

// Do sends a request until there is a result.
func (t *Transport) Do(ctx context.Context, req Request) Result {
	c := &call{t: t, req: req, ctx: ctx}
	if c.result.Err = c.ended(); c.result.Err != nil {
		return c.result
	}
	if deadline, ok := ctx.Deadline(); ok {
		c.deadline = deadline
	} else if t.policy.MaxElapsed > 0 {
		c.deadline = time.Now().Add(t.policy.MaxElapsed)
	}
	r, err := retryablehttp.FromRequest((&http.Request{
		Method: req.Method, URL: &c.req.URL, Host: req.URL.Host, Header: http.Header{},
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}).WithContext(ctx))
	if err == nil && req.Body != nil {
		err = r.SetBody(req.Body)
	}
	if err != nil { // of a reader; bytes do not fail
		c.result.Err = err
		return c.result
	}
	r.SetResponseHandler(c.handle)
	c.loop = retryablehttp.Client{
		// A RoundTripper a call, over one shared chain. As it has no
		// CloseIdleConnections, go-retryablehttp, which calls that after every
		// failure, does not empty the pool that all calls share.
		HTTPClient:   &http.Client{Transport: c},
		RetryMax:     math.MaxInt, // our own counters end the loop
		CheckRetry:   c.checkRetry,
		Backoff:      func(_, _ time.Duration, _ int, _ *http.Response) time.Duration { return c.wait },
		ErrorHandler: retryablehttp.PassthroughErrorHandler,
	}
	// settle has recorded the outcome, but for one that only the loop sees:
	// the caller's context ended during a wait.
	_, _ = c.loop.Do(r) //nolint:bodyclose // handle has closed it
	if c.again {
		c.result.Err, c.result.Judged = c.ended(), false
	}
	return c.result
}
