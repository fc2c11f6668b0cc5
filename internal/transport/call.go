package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

// call is the state of one Do. After each attempt go-retryablehttp asks
// checkRetry; where there is a response it then hands it to handle, and asks
// checkRetry again.
type call struct {
	t        *Transport
	loop     retryablehttp.Client
	req      Request
	ctx      context.Context //nolint:containedctx // a call lives as long as Do
	deadline time.Time       // the caller's, or MaxElapsed's; zero is none

	// of the attempt under way
	began    time.Time
	attempt  context.Context //nolint:containedctx // an attempt lives shorter still
	cancel   context.CancelFunc
	location []string
	handled  bool

	// over all attempts
	tries      int       // attempts that count against MaxAttempts
	timeouts   int       // attempts that timed out
	startingBy time.Time // until when a starting server is waited for

	// the verdict on the last attempt
	again  bool
	wait   time.Duration
	result Result
}

// RoundTrip makes one attempt: its timeout covers all of it, the body too.
func (c *call) RoundTrip(req *http.Request) (*http.Response, error) {
	c.began, c.handled = time.Now(), false
	c.result.Attempts++
	timeout := c.t.timeout
	if !c.deadline.IsZero() {
		timeout = min(timeout, c.deadline.Sub(c.began))
	}
	c.attempt, c.cancel = context.WithTimeoutCause(req.Context(), timeout, ErrAttemptTimeout)
	req = req.WithContext(c.attempt)
	req.Header = c.t.header() // set here, http.Client does not copy it once more
	if c.req.ContentType != "" {
		req.Header.Set("Content-Type", c.req.ContentType)
	}
	resp, err := c.t.chain.RoundTrip(req)
	if err == nil && resp == nil {
		err = errors.New("a RoundTripper returned neither a response nor an error")
	}
	if err != nil {
		if resp != nil && resp.Body != nil {
			_ = resp.Body.Close()
		}
		err = c.timedOut(err)
		c.cancel()
		return nil, err
	}
	if resp.Body == nil {
		resp.Body = http.NoBody
	}
	c.t.answered.Store(true)
	// http.Client follows a Location, and chokes on a malformed one. Without
	// it a 3xx is an answer like any other.
	if c.location = resp.Header["Location"]; c.location != nil {
		delete(resp.Header, "Location")
	}
	return resp, nil
}

// timedOut puts the attempt's timeout in the place of the error it caused.
func (c *call) timedOut(err error) error {
	if context.Cause(c.attempt) == ErrAttemptTimeout { //nolint:errorlint // our own cause
		c.timeouts++
		return fmt.Errorf("%w after %v", ErrAttemptTimeout, time.Since(c.began).Round(time.Millisecond))
	}
	return err
}

// checkRetry lets the first call after a response pass, so that handle sees
// every status, and gives the verdict otherwise.
func (c *call) checkRetry(_ context.Context, _ *http.Response, err error) (bool, error) {
	if err == nil && !c.handled {
		return false, nil
	}
	if !c.handled {
		c.settle(outcome{err: err})
	}
	return c.again, nil
}

// handle reads the response, as part of the attempt.
func (c *call) handle(resp *http.Response) error {
	c.handled = true
	defer c.cancel()
	defer resp.Body.Close() //nolint:errcheck // the body has been read
	if c.location != nil {
		resp.Header["Location"] = c.location
	}
	good := resp.StatusCode/100 == 2
	limit := int64(MaxErrorBody)
	if good {
		limit = c.t.maxBody
	}
	body, err := readBody(resp.Body, resp.ContentLength, limit)
	a := &Answer{
		StatusCode: resp.StatusCode, Header: resp.Header, Body: body,
		Starting:   err == nil && Starting(resp.StatusCode, body),
		RetryAfter: retryAfter(resp.Header, time.Now()),
	}
	switch {
	case errors.Is(err, ErrTooLarge) && good:
		a.Body = nil
		c.settle(outcome{answer: a, err: err, judged: true})
	case err != nil && good:
		c.settle(outcome{err: c.timedOut(err)})
	case !good || a.Starting:
		// The status says it all: a body that is cut or too large is no reason
		// to lose it. That it took too long is told where it decides what follows.
		o := outcome{answer: a}
		if err != nil && retryStatus(a.StatusCode) {
			if err = c.timedOut(err); errors.Is(err, ErrAttemptTimeout) {
				o.err = err
			}
		}
		c.settle(o)
	default:
		err = c.req.Decode(a)
		c.settle(outcome{answer: a, err: err, judged: err != nil})
	}
	return nil
}

// ended is the end of the caller's context. A dialer that was given the same
// deadline may notice it first.
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

// endedError is a context's error with the cause that it was given.
type endedError struct{ err, cause error }

func (e *endedError) Error() string   { return e.err.Error() + ": " + e.cause.Error() }
func (e *endedError) Unwrap() []error { return []error{e.err, e.cause} }

// outcome is how an attempt went: an answer, or an error, or both where the
// answer is not what was asked for.
type outcome struct {
	answer *Answer
	err    error
	judged bool // err is about answer
}

// settle records an outcome and decides what follows.
func (c *call) settle(o outcome) {
	o.err = bare(o.err)
	r := &c.result
	switch {
	case o.answer != nil:
		r.Answer = o.answer
	case r.Answer != nil && r.Answer.OK():
		r.Answer = nil // a cut page of an earlier attempt is no answer
	}
	r.Err, r.Judged = o.err, o.judged
	switch {
	case o.err == nil && o.answer.OK():
		c.again = false
		c.t.budget.success()
	case c.ended() != nil:
		c.again = false
		r.Err, r.Judged = c.ended(), false
	default:
		c.wait, c.again, r.GaveUp = c.next(o)
	}
	c.logAttempt(o)
}

// next says whether to try again after a failure, and after what wait; or
// why not, where that is not plain from the failure.
func (c *call) next(o outcome) (wait time.Duration, again bool, gaveUp string) {
	p := c.t.policy
	if p.MaxAttempts == 1 || !c.retryable(o) {
		return 0, false, ""
	}
	now := time.Now()
	var after time.Duration
	poll := p.StartupWait > 0 && c.comingBack(o)
	if poll {
		if c.startingBy.IsZero() {
			c.startingBy = now.Add(p.StartupWait)
		}
		wait = time.Second + jitter(time.Second)
		if o.answer != nil && o.answer.RetryAfter > 0 {
			after = o.answer.RetryAfter
			wait = 0
		}
	} else {
		c.tries++
		if c.tries >= p.MaxAttempts || c.timeouts > 1 {
			return 0, false, ""
		}
		status := 0
		if o.answer != nil {
			status = o.answer.StatusCode
			if heeded(status) || o.answer.Starting {
				after = o.answer.RetryAfter
			}
		}
		wait = p.backoff(c.tries-1, status)
	}
	if after > p.MaxRetryAfter {
		return 0, false, fmt.Sprintf("the server asks to wait %v", after)
	}
	// All of what the server asks, and up to a tenth more, so that those who
	// were told the same do not come back at once.
	wait = plus(max(wait, after), jitter(after/10))
	switch {
	case poll && now.Add(wait).After(c.startingBy):
		return 0, false, fmt.Sprintf("still starting after %v", p.StartupWait)
	case !c.deadline.IsZero() && !now.Add(wait).Before(c.deadline):
		return 0, false, "no time left to wait and try again"
	case !poll && !c.t.budget.take():
		return 0, false, "retry budget exhausted"
	}
	return wait, true, ""
}

// retryable reports whether trying again could help and does no harm.
func (c *call) retryable(o outcome) bool {
	switch {
	case !c.req.Repeatable:
		return nothingSent(o.err) && !permanent(o.err)
	case o.judged:
		return errors.Is(o.err, io.ErrUnexpectedEOF)
	case o.answer != nil:
		return o.answer.Starting || retryStatus(o.answer.StatusCode)
	default:
		return !permanent(o.err)
	}
}

// comingBack reports whether the server is being started: it says so, or
// nobody listens where there was a server before. Without that before, a
// refused connection is more likely a wrong port.
func (c *call) comingBack(o outcome) bool {
	if o.answer != nil {
		return o.answer.Starting
	}
	return refused(o.err) && c.t.answered.Load()
}
