package testkit

import "runtime"

// Allocated returns the number of bytes that f allocates. A test that uses it
// must not be parallel.
func Allocated(f func()) int64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc)
}
