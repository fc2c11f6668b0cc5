package audit_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/authentiktest"
	audit "github.com/seed-299d42e7/authentik-go/examples/testing"
)

// A test has its own server, with what it needs in it.
func TestOpenFlows(t *testing.T) {
	t.Parallel()
	srv := authentiktest.NewServer(t, authentiktest.Empty())
	srv.AddFlow(authentik.Flow{Slug: "enrol", Authentication: authentik.FlowAuthenticationNone})
	srv.AddFlow(authentik.Flow{Slug: "change-password", Authentication: authentik.FlowAuthenticationRequireAuthenticated})

	open, err := audit.OpenFlows(t.Context(), srv.Client())
	require.NoError(t, err)
	assert.Equal(t, []string{"enrol"}, open)
}

// It is the same with every release, or it says that it is not.
func TestOpenFlowsOfEveryRelease(t *testing.T) {
	t.Parallel()
	told := false
	for _, version := range authentiktest.Versions() {
		srv := authentiktest.NewServer(t, authentiktest.Version(version))
		srv.AddFlow(authentik.Flow{Slug: "enrol"})
		open, err := audit.OpenFlows(t.Context(), srv.Client())
		told = told || version == "2022.12" // since then
		if told {
			assert.NoError(t, err, version)
			assert.Contains(t, open, "enrol", version)
		} else {
			assert.ErrorIs(t, err, audit.ErrTooOld, version)
		}
	}
}

// A token with too few permissions is an error, not an empty list.
func TestOpenFlowsWithoutPermission(t *testing.T) {
	t.Parallel()
	srv := authentiktest.NewServer(t)
	_, err := audit.OpenFlows(t.Context(), srv.ClientAs(srv.AddUser()))
	assert.ErrorIs(t, err, authentik.ErrForbidden)
}

// Somebody deletes a flow between two pages: the list is read again.
func TestOpenFlowsWhileTheyChange(t *testing.T) {
	t.Parallel()
	srv := authentiktest.NewServer(t, authentiktest.Empty())
	flows := srv.AddFlows(150)
	srv.ChangeListAfterPage(1, func() { srv.DeleteFlow(flows[0].Slug) })

	open, err := audit.OpenFlows(t.Context(), srv.Client())
	require.NoError(t, err)
	assert.Len(t, open, 149)
}

// The server restarts, a proxy fails, and every answer takes ten seconds. On
// synctest's clock none of it takes any time.
func TestOpenFlowsWhenThingsGoWrong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := authentiktest.RoundTripper(t)
		srv.Latency(10 * time.Second)
		srv.Starting(3)
		srv.FailNext(1, http.StatusServiceUnavailable, "", http.Header{"Retry-After": {"20"}})
		srv.CutBody(1000)

		start := time.Now()
		open, err := audit.OpenFlows(t.Context(), srv.Client())
		require.NoError(t, err)
		assert.Len(t, open, 6)
		assert.Len(t, srv.Requests(), 6)
		assert.Greater(t, time.Since(start), 90*time.Second)
	})
}
