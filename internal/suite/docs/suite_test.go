package docs_test

import (
	"os"
	"regexp"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/authentiktest"
	"github.com/seed-299d42e7/authentik-go/internal/testkit"
)

// The tests below are those of internal/suite/README.md.
func TestSuiteREADME_CodeCompiles(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile(testkit.ModuleFile(t, "internal", "suite", "README.md"))
	require.NoError(t, err)
	here, err := os.ReadFile("suite_test.go")
	require.NoError(t, err)
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllSubmatch(readme, -1)
	require.Len(t, blocks, 6)
	for _, block := range blocks {
		assert.Contains(t, string(here), "\n"+string(block[1]))
	}
}

func TestBindingsRetrieve_NotFound(t *testing.T) {
	t.Parallel()
	ak := testkit.NewClient(t, testkit.Reply(404, testkit.JSON, `{"detail":"Not found."}`))
	_, err := ak.BindingsRetrieve(t.Context(), uuid.New())
	require.ErrorIs(t, err, authentik.ErrNotFound)
}

func TestRetryPolicy_WaitsForRetryAfter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := testkit.NewSequence(testkit.RespondStatus(503, "5"), testkit.Respond(testkit.TwoFlows))
		got := server.Client(t).List(t.Context(), t)
		require.NoError(t, got.Err)
		assert.Equal(t, 2, server.Requests())
		assert.GreaterOrEqual(t, got.Took, 5*time.Second)
	})
}

func TestClient_RetriesCutBody(t *testing.T) {
	t.Parallel()
	server := testkit.NewConnServer(testkit.SendAndClose(testkit.TwoFlowsRaw[:100]), testkit.Send(testkit.TwoFlowsRaw))
	addr := server.Listen(t)
	testkit.AssertNoGoroutines(t, func() {
		ak := testkit.NewCheckedClient(t, "http://"+addr, testkit.NoWait)
		defer ak.Close()
		require.NoError(t, ak.List(t.Context(), t).Err)
	})
	testkit.AssertConnsClosed(t, server)
}

func TestFlowsInstancesAll_RequestsEachPageOnce(t *testing.T) {
	t.Parallel()
	server := &testkit.FlowServer{Slugs: testkit.Letters("abcdef")}
	opts := &authentik.FlowsInstancesListOptions{PageSize: 2}
	flows, err := authentik.Collect(testkit.NewClient(t, server).FlowsInstancesAll(t.Context(), opts))
	require.NoError(t, err)
	assert.Len(t, flows, 6)
	assert.Equal(t, []int{1, 2, 3}, server.Pages())
}

func TestServerVersion_OfRecordedServer(t *testing.T) {
	t.Parallel()
	recorded := testkit.Recording(t, "2024.10.0", "admin_version")
	version, err := testkit.NewClient(t, recorded.Response).ServerVersion(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "2024.10.0", version)
}

func TestFlowsInstancesList_OfFakeServer(t *testing.T) {
	t.Parallel()
	srv := authentiktest.NewServer(t, authentiktest.Version("2024.10"), authentiktest.Empty())
	srv.AddFlow(authentik.Flow{Slug: "recovery", Designation: authentik.FlowDesignationRecovery})
	page, err := srv.Client().FlowsInstancesList(t.Context(), nil)
	require.NoError(t, err)
	assert.Len(t, page.Results, 1)
}
