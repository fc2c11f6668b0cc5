package transport

import (
	"context"
	"math"
	"net/http"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

// The loop is go-retryablehttp's, and only this file uses that package, because
// the project was asked to use it and its users know it. go-retryablehttp repeats
// an attempt, waits between two attempts on a timer, and ends a wait when the
// context ends. Everything else is decided here, because go-retryablehttp's own
// rules lose the body of the last response, retry what cannot succeed, repeat
// writes, and log URLs.
//
// Each RoundTrip makes an attempt that reads the whole response, decides what
// follows, and returns an empty response. So the loop sees neither bodies,
// redirects nor errors, has no reason to close idle connections, and follows only
// call.retry and call.wait.
func newLoop() *retryablehttp.Client {
	return &retryablehttp.Client{
		HTTPClient: &http.Client{Transport: roundTripper(func(req *http.Request) (*http.Response, error) {
			c := callOf(req.Context())
			if c.looping {
				c.decide(c.attempt())
			}
			c.looping = true
			c.empty = http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: req}
			return &c.empty, nil
		})},
		RetryMax: math.MaxInt,
		CheckRetry: func(ctx context.Context, _ *http.Response, _ error) (bool, error) {
			return callOf(ctx).retry, nil
		},
		Backoff: func(_, _ time.Duration, _ int, resp *http.Response) time.Duration {
			return callOf(resp.Request.Context()).wait
		},
		ErrorHandler: retryablehttp.PassthroughErrorHandler,
	}
}

// repeat makes attempts until decide wants no further one. Nearly all calls need
// one, so that the loop begins after it, and its first RoundTrip makes none.
func (c *call) repeat() {
	c.decide(c.attempt())
	if !c.retry {
		return
	}
	// The context of an attempt does not have the call, because a connection keeps
	// its last context, and would keep the last body with it.
	ctx := context.WithValue(c.ctx, callKey{}, c)
	req := (&http.Request{Method: c.req.Method, URL: &c.req.URL, Header: http.Header{}}).WithContext(ctx)
	_, _ = c.t.loop.Do(&retryablehttp.Request{Request: req}) //nolint:bodyclose // there is none; decide has the error
	if c.retry {                                             // the context ended during the wait
		c.fail(c.ended())
	}
}

type callKey struct{}

// callOf returns the call of a context that repeat made.
func callOf(ctx context.Context) *call {
	c, _ := ctx.Value(callKey{}).(*call)
	return c
}
