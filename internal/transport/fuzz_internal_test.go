package transport

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
)

// FuzzRetryAfter checks that a wait is never negative, that a plain number is that
// many seconds or the longest duration, that the longer one of two values counts,
// and that an invalid value is no wait.
func FuzzRetryAfter(f *testing.F) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	for _, seed := range []string{
		"5", "0", " 7 ", "1.5", "-5", "86400", "9223372037", "9223372036854775807", "99999999999999999999",
		"Fri, 31 Dec 2099 23:59:59 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
		"NaN", "Inf", "0x10", "1e3", ".", "..", "", "5, 6", "+5", "1_0",
	} {
		f.Add(seed, "")
		f.Add("3", seed)
	}
	f.Fuzz(func(t *testing.T, first, second string) {
		wait := func(values ...string) time.Duration { return retryAfter(503, http.Header{"Retry-After": values}, now) }
		a, b := wait(first), wait(second)
		assert.GreaterOrEqual(t, a, time.Duration(0))
		assert.Equal(t, max(a, b), wait(first, second))
		plain := strings.TrimSpace(first)
		if seconds, err := strconv.ParseUint(plain, 10, 64); err == nil && !strings.ContainsAny(plain, "+_") {
			if seconds <= math.MaxInt64/uint64(time.Second) {
				assert.InEpsilon(t, float64(seconds)+1, a.Seconds()+1, 1e-9)
			} else {
				assert.Equal(t, time.Duration(math.MaxInt64), a)
			}
		}
		if strings.ContainsAny(plain, "-+_xeENI") && !strings.Contains(plain, ":") { // no date
			assert.Zero(t, a)
		}
	})
}

// FuzzOneLine checks that the result can be printed on one line, is no longer than
// the limit, has all of a text that could be printed, and is a prefix of the result
// with a higher limit.
func FuzzOneLine(f *testing.F) {
	for _, seed := range []string{
		"plain", "a\nb", "\x1b[31m", "\xff\xfe", "\u202e", "é", "\u2028", "😀", strings.Repeat("é", 20), "\x00\x7f", `\n`,
	} {
		f.Add(seed, 16)
	}
	f.Fuzz(func(t *testing.T, text string, limit int) {
		limit = min(max(limit, 0), 1<<10)
		line := OneLine(text, limit)
		assert.True(t, utf8.ValidString(line))
		printable := true
		for _, r := range line {
			assert.True(t, strconv.IsPrint(r), "%q", r)
		}
		kept, cut := strings.CutSuffix(line, "…")
		assert.True(t, len(line) <= limit || cut && len(kept) <= limit, "%d bytes", len(line))
		if cut && len(line) > limit {
			assert.True(t, strings.HasPrefix(OneLine(text, 2*limit+10), kept))
		}
		for _, r := range text {
			printable = printable && strconv.IsPrint(r)
		}
		if printable && utf8.ValidString(text) && len(text) <= limit {
			assert.Equal(t, text, line)
		}
	})
}
