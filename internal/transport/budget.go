package transport

import "sync"

// A retry costs 5 tokens, and a success returns 1. So a client whose server is
// down stops adding its retries to the load, and one with a rare failure never
// notices.
const (
	budgetSize    = 500
	budgetRetry   = 5
	budgetSuccess = 1
)

type budget struct {
	mu     sync.Mutex
	tokens int
}

// take pays for a retry, and reports whether there were tokens enough.
func (b *budget) take() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.tokens < budgetRetry {
		return false
	}
	b.tokens -= budgetRetry
	return true
}

func (b *budget) success() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tokens = min(b.tokens+budgetSuccess, budgetSize)
}
