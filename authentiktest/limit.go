package authentiktest

import (
	"cmp"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// Limit is a rate limiter in front of authentik. [Server.RateLimit] sets one
// up.
type Limit struct {
	// Requests is the number of requests that pass in a period. A period begins
	// with the first request after the last period.
	Requests int
	Per      time.Duration
	// Status is the status of the response to further requests. The default is
	// 429. The limit_req of nginx sends 503.
	Status int
	// Header is the header field that says when the period ends.
	Header LimitHeader
}

// LimitHeader is a header field of the response of a rate limiter.
type LimitHeader int

// The header fields that say when to send the next request.
const (
	// LimitRetryAfter is Retry-After with a number of seconds.
	LimitRetryAfter LimitHeader = iota
	// LimitRetryAfterDate is Retry-After with a date, beside Date.
	LimitRetryAfterDate
	// LimitReset is RateLimit-Reset with a number of seconds, beside
	// RateLimit-Limit and RateLimit-Remaining.
	LimitReset
	// LimitSilent is no header field.
	LimitSilent
)

// limiter is a limit and what remains of its period.
type limiter struct {
	fault
	limit Limit
	left  int
	end   time.Time
}

func (s scope) rateLimit(limit Limit) {
	s.server.t.Helper()
	limit.Status = cmp.Or(limit.Status, http.StatusTooManyRequests)
	l := &limiter{limit: limit}
	l.call = fmt.Sprintf("RateLimit(%d per %v)", limit.Requests, limit.Per)
	switch {
	case limit.Requests < 1 || limit.Per <= 0:
		s.server.misuse("%s: Requests and Per must be positive", l.call)
		return
	case limit.Status < 200 || limit.Status > 999:
		s.server.misuse("%s: %d is not the status of a response", l.call, limit.Status)
		return
	case limit.Header < LimitRetryAfter || limit.Header > LimitSilent:
		s.server.misuse("%s: there is no such LimitHeader", l.call)
		return
	}
	l.instead = func(request) outcome { return l.refusal() }
	s.set(&l.fault, func(all *faults) { all.limiter = l })
}

// refuses counts a request, and reports whether it is one too many.
func (l *limiter) refuses() bool {
	if now := time.Now(); !now.Before(l.end) {
		l.left, l.end = l.limit.Requests, now.Add(l.limit.Per)
	}
	l.left--
	return l.left < 0
}

func (l *limiter) refusal() outcome {
	text := http.StatusText(l.limit.Status)
	h := http.Header{"Content-Type": {"text/plain; charset=utf-8"}, "X-Content-Type-Options": {"nosniff"}}
	seconds := strconv.Itoa(int((time.Until(l.end) + time.Second - 1) / time.Second))
	switch l.limit.Header {
	case LimitRetryAfter:
		h.Set("Retry-After", seconds)
	case LimitRetryAfterDate:
		now := time.Now().UTC()
		h.Set("Date", now.Format(http.TimeFormat))
		h.Set("Retry-After", l.end.Add(time.Second-1).UTC().Format(http.TimeFormat))
	case LimitReset:
		h.Set("RateLimit-Limit", strconv.Itoa(l.limit.Requests))
		h.Set("RateLimit-Remaining", "0")
		h.Set("RateLimit-Reset", seconds)
	case LimitSilent:
	}
	return outcome{status: l.limit.Status, header: h, body: []byte(text + "\n"), cut: -1}
}
