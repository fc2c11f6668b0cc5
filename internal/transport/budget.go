package transport

import "sync"

// The retry budget in units. A retry takes 5 units, and a success returns 1 unit.
// So a client whose server is down stops adding its retries to the load, and a
// client with a rare failure always has units left.
const (
	budgetSize    = 500
	budgetRetry   = 5
	budgetSuccess = 1
)

type budget struct {
	mu    sync.Mutex
	units int
}

// take takes the units of a retry, and reports whether there were enough.
func (b *budget) take() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.units < budgetRetry {
		return false
	}
	b.units -= budgetRetry
	return true
}

func (b *budget) success() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.units = min(b.units+budgetSuccess, budgetSize)
}
