package testkit

import (
	"errors"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// ErrTest is an error of the test's own, such as the cause of a cancellation.
// Its text is "enough".
var ErrTest = errors.New("enough")

// Forever is the longest duration, 292 years.
const Forever = time.Duration(math.MaxInt64)

// InBubble returns a parallel test that runs in virtual time. See
// [testing/synctest].
func InBubble(test func(*testing.T)) func(*testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, test)
	}
}

// RunInBubble runs a parallel subtest in virtual time.
func RunInBubble(t *testing.T, name string, test func(*testing.T)) {
	t.Helper()
	t.Run(name, InBubble(test))
}

// Advance lets virtual time pass. Outside of a bubble, Advance panics.
func Advance(d time.Duration) {
	synctest.Wait()
	time.Sleep(d)
}

// Concurrently runs n calls at the same time and returns when all have
// returned.
func Concurrently(n int, call func(i int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { call(i) })
	}
	all.Wait()
}
