package authentik_test

import (
	"maps"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go/internal/testkit"
)

// The names that the tests of decoding still use. They go when those tests
// move to internal/suite.
const (
	canary    = testkit.Token
	requestID = testkit.RequestID
	raced     = testkit.Race
)

type roundTripper = testkit.RoundTripFunc

var (
	newClient      = testkit.NewClient
	newClientOf    = testkit.NewClientAt
	socketless     = testkit.NewClientOver
	reply          = testkit.Reply
	recordings     = testkit.Recordings
	recordingNamed = testkit.Recording
)

func atoi(s string) int {
	n, _ := strconv.Atoi(s) // "" is 0
	return n
}

// TestFault runs the rows of the fault matrix that are about payloads.
func TestFault(t *testing.T) { //nolint:paralleltest // its subtests are, but for those that count allocations
	tests := maps.Clone(payloadFaults)
	for _, row := range []string{"S9", "S11", "G15"} {
		tests[row] = payload(row)
	}
	tests["T6"] = aCutBodyIsAskedForAgain
	for _, r := range readers {
		for _, answer := range r.unusable() {
			require.Contains(t, tests, answer.row, answer.name)
		}
	}
	for _, flaw := range flaws() {
		require.Contains(t, tests, flaw.row, flaw.name)
	}
	for row, test := range tests {
		t.Run(row, test)
	}
}
