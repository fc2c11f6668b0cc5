package transport

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Policy configures retries. Zero is the default, and a negative duration means
// none. The public RetryPolicy documents each field.
type Policy struct {
	MaxAttempts   int
	BaseDelay     time.Duration
	MaxDelay      time.Duration
	MaxRetryAfter time.Duration
	StartupWait   time.Duration
	MaxElapsed    time.Duration
	WaitForServer bool
}

// WithDefaults resolves zero and negative values. A duration that is 0
// afterwards means none, and a MaxElapsed of 0 is no bound.
func (p Policy) WithDefaults() Policy {
	if p.MaxAttempts == 0 {
		p.MaxAttempts = 4
	}
	for _, d := range []struct {
		value *time.Duration
		zero  time.Duration
	}{
		{&p.BaseDelay, 500 * time.Millisecond},
		{&p.MaxDelay, 20 * time.Second},
		{&p.MaxRetryAfter, time.Minute},
		{&p.StartupWait, time.Minute},
		{&p.MaxElapsed, 3 * time.Minute},
	} {
		if *d.value == 0 {
			*d.value = d.zero
		}
		*d.value = max(*d.value, 0)
	}
	return p
}

// deadline returns the end of a call that begins now, zero if it has none.
func (p Policy) deadline(ctx context.Context) time.Time {
	if deadline, ok := ctx.Deadline(); ok {
		return deadline
	}
	if p.MaxElapsed == 0 {
		return time.Time{}
	}
	return time.Now().Add(p.MaxElapsed)
}

// backoff returns the wait before retry n (from 0). It has full jitter, because
// clients that fail together and wait alike come back together.
func (p Policy) backoff(n, status int) time.Duration {
	if status == http.StatusTooManyRequests {
		n++
	}
	delay := p.BaseDelay
	for ; n > 0 && delay < p.MaxDelay; n-- {
		delay = plus(delay, delay)
	}
	return jitter(min(delay, p.MaxDelay))
}

// jitter returns a random duration, uniform from 0 to d.
func jitter(d time.Duration) time.Duration {
	return rand.N(plus(d, 1)) //nolint:gosec // waits need no cryptography
}

// plus adds durations that are not negative. Overflow must not turn the longest
// wait into none.
func plus(a, b time.Duration) time.Duration {
	if b > math.MaxInt64-a {
		return math.MaxInt64
	}
	return a + b
}

// retryStatus reports a status that may pass by itself: timeouts, throttling,
// failures of the server and of the proxies in front (520 to 527 and 530 are
// Cloudflare's). The other 5xx say what the server cannot do, and 4xx what is
// wrong with the request.
func retryStatus(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	default:
		return status >= 520 && status <= 527 || status == 530
	}
}

// honorsRetryAfter reports whether Retry-After counts with this status.
func honorsRetryAfter(status int) bool {
	return status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable
}

// timeoutStatus reports a proxy that has waited for the server for too long.
func timeoutStatus(status int) bool { return status == http.StatusGatewayTimeout || status == 524 }

// retryAfter returns the wait that a response requires: the longest one that
// its Retry-After headers have or, with 429 and no Retry-After, its RateLimit
// headers. Without a valid header that lies in the future, the wait is 0. A date
// counts from the response's own Date, because clocks differ.
func retryAfter(status int, header http.Header, now time.Time) time.Duration {
	after := header.Values("Retry-After")
	limits := status == http.StatusTooManyRequests && header.Get("Retry-After") == ""
	if len(after) == 0 && !limits {
		return 0 // nearly always, and then without the cost of reading the Date
	}
	if date := header.Get("Date"); date != "" { // its errors cost allocations
		if sent, err := http.ParseTime(date); err == nil {
			now = sent
		}
	}
	var longest time.Duration
	for _, value := range after {
		if at, err := http.ParseTime(strings.TrimSpace(value)); err == nil {
			longest = max(longest, at.Sub(now))
		} else {
			longest = max(longest, ofSeconds(number(value)))
		}
	}
	if limits {
		longest = max(longest, rateLimitReset(header, now))
	}
	return longest
}

// rateLimitReset returns the longest wait that the RateLimit headers have, in
// any of the forms that servers use.
func rateLimitReset(header http.Header, now time.Time) (longest time.Duration) {
	for _, name := range []string{"RateLimit-Reset", "X-RateLimit-Reset", "X-Rate-Limit-Reset"} {
		for _, value := range header.Values(name) {
			longest = max(longest, reset(value, now))
		}
	}
	for policy := range strings.SplitSeq(strings.Join(header.Values("RateLimit"), ","), ",") {
		remaining, wait := "", ""
		for parameter := range strings.SplitSeq(policy, ";") {
			switch key, value, _ := strings.Cut(strings.TrimSpace(parameter), "="); key {
			case "r":
				remaining = value
			case "t", "reset":
				wait = value
			}
		}
		if remaining == "" || remaining == "0" {
			longest = max(longest, reset(wait, now))
		}
	}
	return longest
}

// reset returns the wait of one value, which is a number of seconds, or a time as
// a date, in seconds or in milliseconds.
func reset(value string, now time.Time) time.Duration {
	value, _, _ = strings.Cut(value, ";")
	value = strings.TrimSpace(value)
	for _, form := range []string{http.TimeFormat, time.RFC3339} {
		if at, err := time.Parse(form, value); err == nil {
			return at.Sub(now)
		}
	}
	seconds := number(value)
	if seconds >= 1000*epoch {
		seconds /= 1000
	}
	if seconds >= epoch {
		seconds -= float64(now.UnixMilli()) / 1000
	}
	return ofSeconds(seconds)
}

// epoch separates durations from times, in seconds. No limit resets after 15
// years.
const epoch = 5e8

// number returns a number that is not negative, 0 for any other text.
func number(text string) float64 {
	text = strings.TrimSpace(text)
	// Digits and a point only: ParseFloat reads NaN, Inf and 0x1p3 too.
	if strings.Trim(text, "0123456789.") != "" {
		return 0
	}
	value, err := strconv.ParseFloat(text, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0
	}
	return value
}

// ofSeconds returns a duration, at most the longest one. Overflow must not become
// a short wait.
func ofSeconds(seconds float64) time.Duration {
	if seconds >= math.MaxInt64/float64(time.Second) {
		return math.MaxInt64
	}
	return time.Duration(seconds * float64(time.Second))
}
