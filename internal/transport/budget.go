package transport

import "sync"

// A retry costs 5 tokens, a success brings 1 back: a client whose server is
// down stops adding its retries to the load, and one with the odd failure
// never notices.
const (
	budgetSize    = 500
	budgetRetry   = 5
	budgetSuccess = 1
)

type budget struct {
	mu     sync.Mutex
	tokens int
}

// take pays for a retry, if it can be paid for.
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
