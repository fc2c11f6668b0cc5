package authentiktest_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/authentiktest"
)

func BenchmarkServerAddFlows(b *testing.B) {
	for b.Loop() {
		authentiktest.RoundTripper(b).AddFlows(10_000)
	}
}

func BenchmarkServer_ListsFlows(b *testing.B) {
	srv := authentiktest.RoundTripper(b)
	srv.AddFlows(10_000)
	ak := srv.Client()
	for b.Loop() {
		flows, err := authentik.Collect(ak.FlowsInstancesAll(b.Context(), nil))
		require.NoError(b, err)
		assert.Len(b, flows, 10_014)
	}
}

func BenchmarkServer_LogsIn(b *testing.B) {
	srv := authentiktest.RoundTripper(b)
	srv.AddAccount(authentiktest.Account{Username: "alice", Password: "correct horse"})
	for b.Loop() {
		require.Equal(b, "/", newBrowser(srv).logIn("alice", "correct horse").To)
	}
}
