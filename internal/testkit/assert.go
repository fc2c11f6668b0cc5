package testkit

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"runtime"
	"runtime/pprof"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// RequireType returns err as a T, and fails the test if err is not a T itself.
// Errors that err wraps do not count.
func RequireType[T error](t testing.TB, err error) T {
	t.Helper()
	e, ok := err.(T) //nolint:errorlint // not what it wraps
	require.True(t, ok, "%T: %v", err, err)
	return e
}

// AssertListError asserts the text of an error of FlowsInstancesList after
// "authentik: FlowsInstancesList: ". Ports are replaced by 0, and so is what
// differs between Go releases: see varying.
func AssertListError(t testing.TB, err error, want string) {
	t.Helper()
	require.Error(t, err)
	text := err.Error()
	for _, v := range varying {
		text = v.pattern.ReplaceAllString(text, v.replacement)
	}
	assert.Equal(t, "authentik: FlowsInstancesList: "+want, text)
}

// varying matches the parts of an error's text that differ between two runs or
// two Go releases.
var varying = []struct {
	pattern     *regexp.Regexp
	replacement string
}{
	{regexp.MustCompile(`127\.0\.0\.1:\d+`), "127.0.0.1:0"},
	{regexp.MustCompile(`valid for .*, not`), "valid for others, not"},
	{regexp.MustCompile(`is after \S+Z`), "is after that"},
}

// AssertNoGoroutines runs f, and asserts that all goroutines that f started
// have ended. It waits up to ten seconds for them.
func AssertNoGoroutines(t testing.TB, f func()) {
	t.Helper()
	pprof.Do(t.Context(), pprof.Labels("started by", t.Name()), func(context.Context) { f() })
	label := fmt.Appendf(nil, `"started by":%q`, t.Name())
	var running bytes.Buffer
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); runtime.Gosched() {
		running.Reset()
		require.NoError(t, pprof.Lookup("goroutine").WriteTo(&running, 1))
		if !bytes.Contains(running.Bytes(), label) {
			return
		}
	}
	assert.Fail(t, "a goroutine is left", "%s", running.String())
}
