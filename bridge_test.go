package authentik_test

import (
	"strconv"

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
