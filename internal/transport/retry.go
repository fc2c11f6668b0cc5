package transport

import (
	"errors"
	"fmt"
	"io"
	"time"
)

// decide records the outcome of an attempt, and whether another one follows.
func (c *call) decide(o outcome) {
	if o.err = unwrapURLError(o.err); !o.decodeFailed {
		o.err = withoutQuery(o.err, c.req.URL.RawQuery)
	}
	r := &c.result
	switch {
	case o.response != nil:
		r.Response = o.response
	case r.Response != nil && r.Response.OK:
		r.Response = nil // a truncated page of an earlier attempt is not the last response
	}
	r.Err, r.DecodeFailed = o.err, o.decodeFailed
	r.PerhapsDone = r.PerhapsDone || c.req.changes() && o.mayBeDone()
	switch ended := c.ended(); {
	case o.err == nil && o.response.OK:
		c.retry = false
		c.t.budget.success()
	case ended != nil:
		c.retry = false
		c.fail(ended)
	default:
		c.wait, c.retry, r.StopReason = c.next(o)
		if c.retry && c.req.Ahead && c.refused(o) {
			c.retry = false
			r.Postponed = &Postponed{time.Now().Add(c.wait), r.Attempts, c.tries, c.timeouts, c.startingBy}
		}
	}
	c.logAttempt(o)
}

// refused reports whether the server accepts no requests at present.
func (c *call) refused(o outcome) bool {
	return c.comingBack(o) || o.response != nil && honorsRetryAfter(o.response.StatusCode)
}

// fail ends the call with an error that is not about its response.
func (c *call) fail(err error) { c.result.Err, c.result.DecodeFailed = err, false }

// next returns the wait before the attempt that follows a failure. If none
// follows, next returns false, and the reason unless the failure is the reason.
func (c *call) next(o outcome) (wait time.Duration, retry bool, stopReason string) {
	p := c.t.policy
	poll := p.StartupWait > 0 && c.comingBack(o)
	if p.MaxAttempts == 1 || !c.retryable(o, poll) {
		return 0, false, ""
	}
	if o.err == nil && timeoutStatus(o.response.StatusCode) {
		c.timeouts++
	}
	if !poll {
		c.tries++
		if c.tries >= p.MaxAttempts || c.timeouts > 1 {
			return 0, false, ""
		}
	}
	now := time.Now()
	if poll && c.startingBy.IsZero() {
		c.startingBy = now.Add(p.StartupWait)
	}
	wait, after := c.delay(o, poll)
	if after > p.MaxRetryAfter {
		return 0, false, fmt.Sprintf("the server asks to wait %v", after)
	}
	// All of what the server requires, and up to a tenth more, so that clients
	// with the same Retry-After do not come back at once.
	wait = plus(max(wait, after), jitter(after/10))
	switch {
	case poll && now.Add(wait).After(c.startingBy):
		return 0, false, fmt.Sprintf("still %s after %v", o.absence(), p.StartupWait)
	case !c.deadline.IsZero() && !now.Add(wait).Before(c.deadline):
		return 0, false, "no time left to wait and try again"
	case !poll && !c.t.budget.take():
		return 0, false, "retry budget exhausted"
	}
	return wait, true, ""
}

// delay returns the wait that the policy chooses, and the server's Retry-After
// if the status honors one.
func (c *call) delay(o outcome, poll bool) (wait, after time.Duration) {
	status := 0
	if o.response != nil {
		status = o.response.StatusCode
		if o.response.Starting || honorsRetryAfter(status) {
			after = o.response.RetryAfter
		}
	}
	switch {
	case !poll:
		wait = c.t.policy.backoff(c.tries-1, status)
	case after == 0:
		wait = time.Second + jitter(time.Second)
	}
	return wait, after
}

// retryable reports whether another attempt may succeed and does no harm. poll
// is true if the server is coming back.
func (c *call) retryable(o outcome, poll bool) bool {
	switch {
	case !c.req.Repeatable && o.mayBeDone():
		return false
	case poll:
		return true
	case o.decodeFailed:
		return errors.Is(o.err, io.ErrUnexpectedEOF)
	case o.response != nil:
		return o.response.mayPass()
	default:
		return !permanent(o.err)
	}
}
