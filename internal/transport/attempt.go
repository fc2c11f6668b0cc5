package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"
)

// call is the state of one Do.
type call struct {
	t        *Transport
	req      Request
	ctx      context.Context //nolint:containedctx // a call lives as long as Do
	deadline time.Time       // the caller's, or MaxElapsed's; zero is none

	// over all attempts
	tries      int       // attempts that count against MaxAttempts
	timeouts   int       // attempts that timed out
	startingBy time.Time // until when a starting server is polled; zero before the first poll

	// of the last attempt
	began   time.Time
	looping bool          // the loop has begun
	empty   http.Response // the response that the loop gets
	retry   bool          // another attempt follows
	wait    time.Duration // before the next attempt
	result  Result
}

// outcome is how one attempt ended: with a response, or an error, or both where
// the error is about the response.
type outcome struct {
	response     *Response
	err          error
	decodeFailed bool // err is about response
	unsent       bool // no byte of the request left this client
}

// attempt sends the request once, reads the whole response, and decodes a
// success. Its timeout covers all of that.
func (c *call) attempt() outcome {
	c.began = time.Now()
	c.result.Attempts++
	timeout := c.t.timeout
	if !c.deadline.IsZero() {
		timeout = min(timeout, c.deadline.Sub(c.began))
	}
	ctx, cancel := context.WithTimeoutCause(c.ctx, timeout, ErrAttemptTimeout)
	defer cancel()
	conn := &connection{Context: ctx, info: Info{c.req.Op, c.req.Route, c.result.Attempts, c.req.Page}}
	conn.record(c.req.changes())
	ctx = httptrace.WithClientTrace(conn, &conn.trace)

	resp, err := send(c.t.chain, c.newRequest(ctx))
	if err != nil {
		err = c.timedOut(ctx, err)
		if conn.reused.Load() && !errors.Is(ctx.Err(), context.Canceled) {
			c.t.renew(c.began) // the others are as old; the caller's deadline proves no more than an error
		}
		return outcome{err: err, unsent: conn.unused(err)}
	}
	defer resp.Body.Close() //nolint:errcheck // the body has been read
	c.t.responded.Store(true)

	r, err := c.read(resp)
	if !r.OK && !r.Foreign() {
		c.t.reached.Store(true)
	}
	err = c.timedOut(ctx, err)
	switch {
	case errors.Is(err, ErrTooLarge) && r.OK:
		r.Body = nil
		return outcome{response: r, err: err, decodeFailed: true}
	case err != nil && r.OK:
		return outcome{err: err}
	case r.OK:
		if err = c.req.Decode(r); err == nil {
			c.t.reached.Store(true)
		}
		return outcome{response: r, err: err, decodeFailed: err != nil}
	case r.mayPass() && errors.Is(err, ErrAttemptTimeout):
		return outcome{response: r, err: err}
	default:
		// The status decides: an error's body that is truncated or too large is
		// no reason to lose it.
		return outcome{response: r}
	}
}

// newRequest returns the request of one attempt. Its headers are a copy, because
// middleware may change them.
func (c *call) newRequest(ctx context.Context) *http.Request {
	req := (&http.Request{
		Method: c.req.Method, URL: &c.req.URL, Host: c.req.URL.Host, Header: c.t.header(),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}).WithContext(ctx)
	if c.req.ContentType != "" {
		req.Header.Set("Content-Type", c.req.ContentType)
	}
	if body := c.req.Body; len(body) > 0 {
		req.ContentLength = int64(len(body))
		// For net/http, which sends a request again that found its connection
		// closed before a byte was written.
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
		req.Body, _ = req.GetBody()
	}
	return req
}

// send makes sure that there is either a response with a body, or an error.
func send(chain http.RoundTripper, req *http.Request) (*http.Response, error) {
	resp, err := chain.RoundTrip(req)
	switch {
	case err != nil:
		if resp != nil && resp.Body != nil {
			_ = resp.Body.Close()
		}
		return nil, namesScheme(err)
	case resp == nil:
		return nil, errors.New("a RoundTripper returned neither a response nor an error")
	case resp.Body == nil:
		resp.Body = http.NoBody
	}
	return resp, nil
}

// read reads the body as far as the status allows. The Response is never nil.
func (c *call) read(resp *http.Response) (*Response, error) {
	success := resp.StatusCode/100 == 2 || c.req.Accept != nil && c.req.Accept(resp)
	limit := int64(MaxErrorBody)
	if success {
		limit = c.t.maxBody
	}
	body, err := readBody(resp.Body, resp.ContentLength, limit)
	r := &Response{
		StatusCode: resp.StatusCode, Header: resp.Header, Body: body, Bodiless: c.req.Method == http.MethodHead,
		Starting:   err == nil && Starting(resp.StatusCode, body),
		Crashed:    err == nil && c.req.changes() && crashed(resp, body),
		RetryAfter: retryAfter(resp.StatusCode, resp.Header, time.Now()),
	}
	r.OK = success && !r.Starting
	return r, err
}

// timedOut returns ErrAttemptTimeout in place of the error that it caused.
func (c *call) timedOut(ctx context.Context, err error) error {
	if err == nil || context.Cause(ctx) != ErrAttemptTimeout { //nolint:errorlint // the cause that attempt gave
		return err
	}
	c.timeouts++
	c.t.renew(c.began)
	return fmt.Errorf("%w after %v", ErrAttemptTimeout, time.Since(c.began).Round(time.Millisecond))
}

// ended returns the error of the caller's context, nil while it has none. A
// dialer with the same deadline may notice the end before the context does.
func (c *call) ended() error {
	err := c.ctx.Err()
	if deadline, ok := c.ctx.Deadline(); err == nil && ok && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	// Without err, the context may yet end before the cause is looked at.
	if cause := context.Cause(c.ctx); err != nil && cause != err { //nolint:errorlint // is it the very same value?
		return &endedError{err, cause}
	}
	return err
}

// endedError is a context's error with the cause that its canceler gave.
type endedError struct{ err, cause error }

func (e *endedError) Error() string   { return e.err.Error() + ": " + e.cause.Error() }
func (e *endedError) Unwrap() []error { return []error{e.err, e.cause} }

// Info describes the attempt that a request is of.
type Info struct {
	Op, Route     string
	Attempt, Page int
}

// InfoOf returns the Info in the context of a request.
func InfoOf(ctx context.Context) (Info, bool) {
	info, ok := ctx.Value(infoKey{}).(Info)
	return info, ok
}

type infoKey struct{}

// connection is the context of an attempt. It holds the Info, and records the
// connection that an http.Transport used. A request that waited for a connection
// and got none was not sent, whatever the error is.
type connection struct {
	context.Context //nolint:containedctx // a connection is a context

	info                Info
	trace               httptrace.ClientTrace
	wanted, had, reused atomic.Bool
	quiet               *quietConn
}

// Value implements context.Context.
func (c *connection) Value(key any) any {
	if key == (infoKey{}) {
		return c.info
	}
	return c.Context.Value(key)
}

// record sets the trace. Only a write has to know whether it was sent.
func (c *connection) record(write bool) {
	c.trace.GotConn = func(got httptrace.GotConnInfo) {
		c.had.Store(true)
		c.reused.Store(got.Reused)
		if c.quiet = quiet(got.Conn); c.quiet != nil {
			c.quiet.taken.Add(1)
		}
	}
	c.trace.PutIdleConn = func(error) { // after an error, net/http closes the connection
		if c.quiet != nil {
			c.quiet.returned.Add(1)
		}
	}
	if write {
		c.trace.GetConn = func(string) { c.wanted.Store(true) }
	}
}

// unused reports whether nothing was sent. Without a trace, and with a
// RoundTripper that is no http.Transport, only the error can tell.
func (c *connection) unused(err error) bool {
	if !c.wanted.Load() {
		return nothingSent(err)
	}
	return !c.had.Load()
}
