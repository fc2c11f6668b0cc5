package authentiktest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/authentiktest"
)

// tell sends a request with a JSON body and returns the status and the body of
// the response.
func tell(t *testing.T, srv *authentiktest.Server, token, method, path, body string) (int, string) {
	t.Helper()
	return tellAs(t, srv, token, method, path, "application/json", body)
}

func tellAs(t *testing.T, srv *authentiktest.Server, token, method, path, contentType, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, srv.URL+"/api/v3/"+path, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+token)
	if body != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := srv.RoundTrip(req)
	require.NoError(t, err)
	answer, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return resp.StatusCode, string(answer)
}

// since reports whether a release is the named one or a newer one.
func since(version, name string) bool {
	all := authentiktest.Versions()
	return slices.Index(all, version) >= slices.Index(all, name)
}

// importPath is where the release imports flows.
func importPath(version string) string {
	switch {
	case since(version, "2026.5"):
		return "managed/blueprints/import/"
	case since(version, "2022.10"):
		return "flows/instances/import/"
	default:
		return "flows/instances/import_flow/"
	}
}

func upload(t *testing.T, srv *authentiktest.Server, path, content string) (int, string) {
	t.Helper()
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	part, err := w.CreateFormFile("file", "flow.yaml")
	require.NoError(t, err)
	_, err = part.Write([]byte(content))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return tellAs(t, srv, srv.Token, http.MethodPost, path, w.FormDataContentType(), form.String())
}

func TestServer_StoresWrites(t *testing.T) {
	t.Parallel()
	for _, version := range authentiktest.Versions() {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			srv := authentiktest.RoundTripper(t, authentiktest.Version(version), authentiktest.Empty())
			stage := srv.AddStage(authentik.Stage{Name: "s"})

			status, body := tell(t, srv, srv.Token, http.MethodPost, "flows/instances/",
				`{"name": " n ", "slug": "a", "title": "t", "designation": "recovery", "cache_count": 7, "nonsense": 1}`)
			require.Equal(t, http.StatusCreated, status, body)
			var flow authentik.Flow
			require.NoError(t, json.Unmarshal([]byte(body), &flow))
			assert.Equal(t, "n", flow.Name, "trimmed")
			assert.Zero(t, flow.CacheCount, "read only")

			status, body = tell(t, srv, srv.Token, http.MethodPost, "flows/bindings/",
				fmt.Sprintf(`{"target": %q, "stage": %q, "order": "7"}`, flow.PK, stage.PK))
			require.Equal(t, http.StatusCreated, status, body)
			var binding authentik.FlowStageBinding
			require.NoError(t, json.Unmarshal([]byte(body), &binding))
			assert.Equal(t, 7, binding.Order)
			assert.Equal(t, since(version, "2023.3"), binding.ReEvaluatePolicies)
			assert.Equal(t, !since(version, "2023.3"), binding.EvaluateOnPlan)

			status, body = tell(t, srv, srv.Token, http.MethodPatch, "flows/instances/a/", `{"slug": "b", "compatibility_mode": true}`)
			require.Equal(t, http.StatusOK, status, body)
			status, _ = tell(t, srv, srv.Token, http.MethodGet, "flows/instances/a/", "")
			assert.Equal(t, http.StatusNotFound, status)
			status, body = tell(t, srv, srv.Token, http.MethodPut, "flows/instances/b/",
				`{"name": "n", "slug": "b", "title": "t", "designation": "recovery"}`)
			require.Equal(t, http.StatusOK, status, body)
			require.NoError(t, json.Unmarshal([]byte(body), &flow))
			assert.True(t, flow.CompatibilityMode, "PUT keeps what it leaves out")
			assert.Len(t, flow.Stages, 1)

			status, _ = tell(t, srv, srv.Token, http.MethodDelete, "stages/all/"+stage.PK.String()+"/", "")
			assert.Equal(t, http.StatusNoContent, status)
			assert.Empty(t, srv.Bindings(), "bindings go with their stage")
			assert.Empty(t, srv.Flows()[0].Stages)
			status, _ = tell(t, srv, srv.Token, http.MethodDelete, "flows/instances/b/", "")
			assert.Equal(t, http.StatusNoContent, status)
			assert.Empty(t, srv.Flows())
		})
	}
}

func TestServer_ImportsItsExports(t *testing.T) {
	t.Parallel()
	for _, version := range authentiktest.Versions() {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			const slug = "default-source-enrollment"
			srv := authentiktest.RoundTripper(t, authentiktest.Version(version))
			_, before := tell(t, srv, srv.Token, http.MethodGet, "flows/instances/"+slug+"/diagram/", "")
			status, export := tell(t, srv, srv.Token, http.MethodGet, "flows/instances/"+slug+"/export/", "")
			require.Equal(t, http.StatusOK, status, export)

			srv.DeleteFlow(slug)
			status, body := upload(t, srv, importPath(version), export)
			if !since(version, "2022.10") {
				require.Equal(t, http.StatusNoContent, status, body)
			} else {
				require.Contains(t, body, `"success":true`)
			}
			_, after := tell(t, srv, srv.Token, http.MethodGet, "flows/instances/"+slug+"/diagram/", "")
			assert.Equal(t, before, after)

			// A document is imported as a whole or not at all.
			flows := len(srv.Flows())
			status, body = upload(t, srv, importPath(version), `{"version": 1, "entries": [
				{"model": "authentik_flows.flow", "identifiers": {"slug": "x"}, "attrs": {"name": "x", "title": "x", "designation": "recovery"}},
				{"model": "authentik_flows.flow", "identifiers": {"slug": "y"}, "attrs": {"name": "y", "title": "y", "designation": "zz"}}]}`)
			assert.NotContains(t, body, `"success":true`)
			assert.NotEqual(t, http.StatusNoContent, status)
			assert.Len(t, srv.Flows(), flows)
		})
	}
}

func TestServerAddUser_PermitsWrites(t *testing.T) {
	t.Parallel()
	const create = `{"name": "n", "slug": "new", "title": "t", "designation": "recovery"}`
	for _, version := range []string{"2023.8", "2023.10", "2024.4", "2026.8"} {
		srv := authentiktest.RoundTripper(t, authentiktest.Version(version))
		flow := srv.Flows()[0]
		path := "flows/instances/" + flow.Slug + "/"
		old := version == "2023.8"
		want := func(status int) int {
			if old {
				return http.StatusForbidden
			}
			return status
		}
		with := func(permissions ...string) string { return srv.AddUser(permissions...) }
		status, _ := tell(t, srv, with("authentik_flows.add_flow"), http.MethodPost, "flows/instances/", create)
		assert.Equal(t, want(http.StatusCreated), status, version)
		status, _ = tell(t, srv, with("authentik_flows.view_flow"), http.MethodPatch, path, `{"title": "x"}`)
		assert.Equal(t, http.StatusForbidden, status, version)
		status, _ = tell(t, srv, with("authentik_flows.view_flow", "authentik_flows.change_flow"), http.MethodPatch, path, `{"title": "x"}`)
		assert.Equal(t, want(http.StatusOK), status, version)
		own := with("authentik_flows.view_flow:"+flow.PK.String(), "authentik_flows.change_flow:"+flow.PK.String())
		status, _ = tell(t, srv, own, http.MethodPatch, path, `{"title": "x"}`)
		if !since(version, "2024.4") { // the permission for all objects is checked first
			assert.Equal(t, http.StatusForbidden, status, version)
		} else {
			assert.Equal(t, http.StatusOK, status, version)
		}
		status, _ = tell(t, srv, with("authentik_flows.clear_flow_cache"), http.MethodPost, "flows/instances/cache_clear/", "")
		assert.Equal(t, http.StatusForbidden, status, "%s: a POST wants add_flow", version)
		status, _ = tell(t, srv, with("authentik_flows.clear_flow_cache", "authentik_flows.add_flow"), http.MethodPost, "flows/instances/cache_clear/", "")
		assert.Equal(t, want(http.StatusNoContent), status, version)
	}
}
