package transport

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// decide records the outcome of an attempt, and whether another one follows.
func (c *call) decide(o outcome) {
	if o.err = unwrapURLError(o.err); !o.decodeFailed {
		o.err = withoutQuery(o.err, c.req.URL.RawQuery)
	}
	r := &c.result
	switch {
	case o.answer != nil:
		r.Answer = o.answer
	case r.Answer != nil && r.Answer.OK:
		r.Answer = nil // a truncated page of an earlier attempt is no answer
	}
	r.Err, r.DecodeFailed = o.err, o.decodeFailed
	r.PerhapsDone = r.PerhapsDone || c.req.changes() && o.mayBeDone()
	switch {
	case o.err == nil && o.answer.OK:
		c.retry = false
		c.t.budget.success()
	case c.ended() != nil:
		c.retry = false
		c.fail(c.ended())
	default:
		c.wait, c.retry, r.StopReason = c.next(o)
		if c.retry && c.req.Ahead && c.refused(o) {
			c.retry = false
			r.Postponed = &Postponed{time.Now().Add(c.wait), r.Attempts, c.tries, c.timeouts, c.startingBy}
		}
	}
	c.logAttempt(o)
}

// refused reports whether the server has no time for requests, whichever they
// are.
func (c *call) refused(o outcome) bool {
	return c.comingBack(o) || o.answer != nil && honorsRetryAfter(o.answer.StatusCode)
}

// fail ends the call with an error that is not about its answer.
func (c *call) fail(err error) { c.result.Err, c.result.DecodeFailed = err, false }

// accepts reports whether a response is a success.
func (c *call) accepts(resp *http.Response) bool {
	return resp.StatusCode/100 == 2 || c.req.Accept != nil && c.req.Accept(resp)
}

// next returns the wait before another attempt after a failure, or false with
// the reason, where the failure does not show it.
func (c *call) next(o outcome) (wait time.Duration, retry bool, stopReason string) {
	p := c.t.policy
	poll := p.StartupWait > 0 && c.comingBack(o)
	if p.MaxAttempts == 1 || !c.retryable(o, poll) {
		return 0, false, ""
	}
	if o.err == nil && timeoutStatus(o.answer.StatusCode) {
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

// delay returns the wait of our own choice, and the server's Retry-After where
// it is honored.
func (c *call) delay(o outcome, poll bool) (wait, after time.Duration) {
	status := 0
	if o.answer != nil {
		status = o.answer.StatusCode
		if o.answer.Starting || honorsRetryAfter(status) {
			after = o.answer.RetryAfter
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
// says that the server is coming back.
func (c *call) retryable(o outcome, poll bool) bool {
	switch {
	case !c.req.Repeatable && o.mayBeDone():
		return false
	case poll:
		return true
	case o.decodeFailed:
		return errors.Is(o.err, io.ErrUnexpectedEOF)
	case o.answer != nil:
		return o.answer.mayPass()
	default:
		return !permanent(o.err)
	}
}
