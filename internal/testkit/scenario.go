package testkit

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
)

// Scenario is a call of FlowsInstancesList to a server, and its expected
// outcome. [RunScenarios] runs it in virtual time.
type Scenario struct {
	Name string
	// Steps are those of the server. See [Sequence].
	Steps  []Step
	Policy authentik.RetryPolicy
	// Requests are the smallest and the largest number of requests.
	Requests [2]int
	// Took are the shortest and the longest duration of the call.
	Took [2]time.Duration
	// Text is the text of the error after "authentik: FlowsInstancesList: ", with
	// %d for the number of requests. Empty means success, with two flows.
	Text string
	// Is lists errors that the error must be.
	Is []error
	// Check checks the APIError. It may be nil.
	Check func(*testing.T, *authentik.APIError)
}

// RunScenarios returns a test that runs each scenario as a parallel subtest.
func RunScenarios(all ...Scenario) func(*testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		for _, s := range all {
			RunInBubble(t, s.Name, s.run)
		}
	}
}

func (s Scenario) run(t *testing.T) {
	server := NewSequence(s.Steps...)
	ak := server.Client(t, authentik.WithRetry(s.Policy))
	got := ak.List(context.Background(), t)
	requests := server.Requests()
	assert.Equal(t, requests, got.Response.Attempts)
	assert.GreaterOrEqual(t, requests, s.Requests[0])
	assert.LessOrEqual(t, requests, s.Requests[1])
	assert.GreaterOrEqual(t, got.Took, s.Took[0])
	assert.LessOrEqual(t, got.Took, s.Took[1])
	if s.Text == "" {
		require.NoError(t, got.Err)
		assert.Len(t, got.Page.Results, 2)
		return
	}
	AssertListError(t, got.Err, strings.ReplaceAll(s.Text, "%d", strconv.Itoa(requests)))
	for _, target := range s.Is {
		require.ErrorIs(t, got.Err, target)
	}
	var api *authentik.APIError
	require.ErrorAs(t, got.Err, &api)
	assert.Equal(t, requests, api.Attempts)
	if s.Check != nil {
		s.Check(t, api)
	}
}

// Exactly returns a range for [Scenario] that contains n only.
func Exactly(n int) [2]int { return [2]int{n, n} }

// Between returns a range for [Scenario].
func Between(from, to time.Duration) [2]time.Duration { return [2]time.Duration{from, to} }

// Backoff returns the range of the time that n retries wait by default, without
// a Retry-After.
func Backoff(n int) [2]time.Duration { return Between(1, 500*time.Millisecond<<n-500*time.Millisecond) }

// NoStartupWait is a policy that does not wait for a server that is starting.
var NoStartupWait = authentik.RetryPolicy{StartupWait: -1}

// StartupWait is the range of the time that a call waits for a server that does
// not start, by default.
var StartupWait = Between(58*time.Second, 60*time.Second)
