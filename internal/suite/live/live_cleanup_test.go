package live_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go/authentiktest"
	"github.com/seed-299d42e7/authentik-go/internal/testkit/conformance"
)

// TestLive_CleansUpAfterFailure runs TestLive in another process, with a fake
// that fails at one step: what the steps before have written is deleted.
func TestLive_CleansUpAfterFailure(t *testing.T) {
	t.Parallel()
	refuse := func(n int) func(*authentiktest.Route) {
		return func(r *authentiktest.Route) { r.FailNext(n, http.StatusTeapot, `{"detail":"injected"}`, nil) }
	}
	// Nobody knows that the flow or the binding exists.
	lose := func(r *authentiktest.Route) { r.FailAfterCommit(1) }
	for _, tt := range []struct {
		operation, version, step string
		fault                    func(*authentiktest.Route)
	}{
		{"flows_instances_import_flow_create", "2022.6", "import_of_stages", refuse(1)},
		{"managed_blueprints_import_create", "2026.8", "import_of_stages", lose},
		{"stages_all_retrieve", "2026.8", "stages", refuse(2 * tries)},
		{"flows_instances_create", "2026.8", "FlowsInstancesCreate", lose},
		{"flows_instances_update", "2021.12", "FlowsInstancesUpdate", refuse(1)},
		{"flows_instances_partial_update", "2026.8", "FlowsInstancesPartialUpdate", refuse(1)},
		{"flows_bindings_create", "2026.8", "BindingsCreate", lose},
		{"flows_bindings_partial_update", "2024.10", "BindingsPartialUpdate", refuse(1)},
		{"flows_bindings_update", "2026.8", "BindingsUpdate", refuse(1)},
		{"flows_instances_diagram_retrieve", "2026.8", "used_by_and_diagram", refuse(2 * tries)},
		{"flows_instances_export_retrieve", "2025.10", "export,_delete_and_import", refuse(1)},
		{"flows_bindings_destroy", "2026.8", "BindingsDestroy", refuse(1)},
		{"stages_all_destroy", "2026.8", "StagesAllDestroy", refuse(1)},
	} {
		t.Run(tt.operation, func(t *testing.T) {
			t.Parallel()
			srv := authentiktest.NewServer(t, authentiktest.Version(tt.version))
			before := contentOf(srv)
			tt.fault(srv.On(tt.operation))
			output, err := runLive(t, srv, "write", "write")
			require.Error(t, err, output)
			assert.Contains(t, output, "--- FAIL: TestLive/write/"+tt.step+" ")
			assert.NotContains(t, output, srv.Token)
			assert.Equal(t, before, contentOf(srv), output)
		})
	}
}

// TestLive_CleansUpEachObject lets the deletion of the second stage fail: the
// first one is deleted all the same, and the output names the other.
func TestLive_CleansUpEachObject(t *testing.T) {
	t.Parallel()
	srv := authentiktest.NewServer(t)
	stages := len(srv.Stages())
	const step, cleanup = 2*tries + 1, 1
	srv.On("stages_all_list").FailNext(step+cleanup, http.StatusTeapot, `{"detail":"injected"}`, nil)
	output, err := runLive(t, srv, "write", "write")
	require.Error(t, err, output)
	require.Len(t, srv.Stages(), stages+1, output)
	assert.Contains(t, output, srv.Stages()[stages].Name+" may be left")
}

// deleteLater deletes by hand what is left when the test ends. Each object is
// deleted even if another one cannot be.
func (w *writer) deleteLater(t *testing.T) {
	t.Helper()
	later := func(clean func(context.Context)) {
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
			defer cancel()
			clean(ctx)
		})
	}
	remove := func(ctx context.Context, target string) {
		answer := w.again(ctx, t, http.MethodDelete, target, payload{})
		assert.Contains(t, []int{http.StatusNoContent, http.StatusNotFound}, answer.Status, "DELETE %s: %s", target, answer.Text)
	}
	for _, name := range w.stages {
		later(func(ctx context.Context) {
			list := w.again(ctx, t, http.MethodGet, "stages/all/?"+url.Values{"name": {name}}.Encode(), payload{})
			require.Equal(t, http.StatusOK, list.Status, "%s may be left: %s", name, list.Text)
			for _, stage := range conformance.ParsePage(t, list.Body()).Results {
				remove(ctx, fmt.Sprintf("stages/all/%s/", stage["pk"]))
			}
		})
	}
	for _, slug := range []string{w.slug, w.renamed} {
		later(func(ctx context.Context) { remove(ctx, flowPath(slug)) })
	}
}
