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

	"github.com/google/uuid"
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

// What an import or a test brings along from another server may have the
// identifiers that this server would generate next.
func TestServer_GeneratesNoIdentifierTwice(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"2022.10", "2024.10", "2026.8"} {
		from := authentiktest.RoundTripper(t, authentiktest.Version(version), authentiktest.Empty())
		flow := from.AddFlow(authentik.Flow{Slug: "other"})
		stage := from.AddStage(authentik.Stage{MetaModelName: "authentik_stages_dummy.dummystage"})
		binding := from.AddBinding(authentik.FlowStageBinding{Target: flow.PK, Stage: stage.PK, ReEvaluatePolicies: true})
		_, export := tell(t, from, from.Token, http.MethodGet, "flows/instances/other/export/", "")

		for name, bring := range map[string]func(*authentiktest.Server){
			"import": func(srv *authentiktest.Server) {
				_, body := upload(t, srv, importPath(version), export)
				require.Contains(t, body, `"success":true`)
			},
			"test": func(srv *authentiktest.Server) {
				srv.AddFlow(flow)
				srv.AddStage(stage)
				srv.AddBinding(binding)
			},
		} {
			srv := authentiktest.RoundTripper(t, authentiktest.Version(version), authentiktest.Empty())
			bring(srv)
			own := srv.AddFlow(authentik.Flow{})
			step := srv.AddStage(authentik.Stage{})
			srv.AddBinding(authentik.FlowStageBinding{Target: own.PK, Stage: step.PK})
			var all []uuid.UUID
			for _, f := range srv.Flows() {
				all = append(all, f.PK)
			}
			for _, s := range srv.Stages() {
				all = append(all, s.PK)
			}
			for _, b := range srv.Bindings() {
				all = append(all, b.PK)
			}
			require.Len(t, all, 6, "%s: %s", version, name)
			slices.SortFunc(all, func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
			assert.Len(t, slices.Compact(all), 6, "%s: %s", version, name)
		}
	}
}

// Up to 2022.9 a file with another version is a bad request without a text.
func TestServer_RefusesTheVersionOfAnImport(t *testing.T) {
	t.Parallel()
	for _, version := range authentiktest.Versions() {
		srv := authentiktest.RoundTripper(t, authentiktest.Version(version))
		status, body := upload(t, srv, importPath(version), `{"version": 9, "entries": []}`)
		if since(version, "2022.10") {
			assert.Equal(t, http.StatusOK, status, version)
			assert.Contains(t, body, `"success":false`, version)
		} else {
			assert.Equal(t, http.StatusBadRequest, status, version)
			assert.Empty(t, body, version)
		}
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

func TestServerAddUse_ShowsAndDeletes(t *testing.T) {
	t.Parallel()
	for version, brand := range map[string]string{"2021.12": "tenant", "2026.8": "brand"} {
		srv := authentiktest.RoundTripper(t, authentiktest.Version(version))
		ak := srv.Client()
		used := func(as, slug string) (shown []string) {
			uses, err := srv.ClientAs(as).FlowsInstancesUsedByList(t.Context(), slug)
			require.NoError(t, err)
			for _, use := range uses {
				if use.App != "authentik_flows" {
					shown = append(shown, use.ModelName+" "+use.Name+" "+string(use.Action))
				}
			}
			return shown
		}
		flows := map[string]authentik.Flow{}
		for _, flow := range srv.Flows() {
			flows[flow.Slug] = flow
		}
		login, logout := flows["default-authentication-flow"].PK, flows["default-invalidation-flow"].PK
		srv.AddUse(login, authentik.UsedBy{ModelName: "source", Name: "s", Action: "set_null"})
		provider := srv.AddUse(login, authentik.UsedBy{})
		srv.AddUse(logout, authentik.UsedBy{PK: provider.PK, Name: provider.Name, Action: authentik.UsedByActionSetDefault})

		source := "source s set_null"
		byDefault := brand + " Default " + brand + " set_null"
		want := []string{byDefault, "provider provider-2 cascade", source}
		if version < "2023" { // tenants come after the flows
			want = []string{"provider provider-2 cascade", source, byDefault}
		}
		assert.Equal(t, want, used(srv.Token, "default-authentication-flow"), version)
		if version > "2023.10" {
			assert.Equal(t, []string{"provider provider-2 cascade"},
				used(srv.AddUser("authentik_flows.view_flow", "authentik_core.view_provider"), "default-authentication-flow"))
		}
		assert.ElementsMatch(t, []string{byDefault, "provider provider-2 set_default"}, used(srv.Token, "default-invalidation-flow"))
		require.NoError(t, ak.FlowsInstancesDestroy(t.Context(), "default-authentication-flow"))
		assert.Equal(t, []string{byDefault}, used(srv.Token, "default-invalidation-flow"), "the provider is deleted with the flow")
	}
}

func TestServer_StoresUpdatedObjectsLast(t *testing.T) {
	t.Parallel()
	srv := authentiktest.RoundTripper(t, authentiktest.Empty())
	for _, slug := range []string{"a", "b", "c"} {
		srv.AddFlow(authentik.Flow{Slug: slug, Title: "same"})
	}
	status, body := tell(t, srv, srv.Token, http.MethodPatch, "flows/instances/a/", `{"name": "changed"}`)
	require.Equal(t, http.StatusOK, status, body)
	_, body = tell(t, srv, srv.Token, http.MethodGet, "flows/instances/?ordering=title", "")
	var page struct{ Results []authentik.Flow }
	require.NoError(t, json.Unmarshal([]byte(body), &page))
	var slugs []string
	for _, flow := range page.Results {
		slugs = append(slugs, flow.Slug)
	}
	assert.Equal(t, []string{"b", "c", "a"}, slugs)
}

func TestServer_CountsCharactersOfSlugs(t *testing.T) {
	t.Parallel()
	srv := authentiktest.RoundTripper(t, authentiktest.Version("2025.10"))
	for length, tooLong := range map[int]bool{50: false, 51: true} {
		status, body := tell(t, srv, srv.Token, http.MethodPost, "flows/instances/",
			fmt.Sprintf(`{"name": "n", "slug": %q, "title": "t", "designation": "recovery"}`, strings.Repeat("é", length)))
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Contains(t, body, "valid", "letters of ASCII only")
		assert.Equal(t, tooLong, strings.Contains(body, "no more than 50 characters"), body)
	}
}

func TestServerAddUse_OfStagesAndBindings(t *testing.T) {
	t.Parallel()
	srv := authentiktest.RoundTripper(t)
	binding := srv.Bindings()[0]
	srv.AddUse(binding.PK, authentik.UsedBy{Name: "of the binding"})
	srv.AddUse(binding.Stage, authentik.UsedBy{Name: "of the stage", App: "authentik_sources_saml", Action: "set_null"})
	uses, err := srv.Client().BindingsUsedByList(t.Context(), binding.PK)
	require.NoError(t, err)
	require.Len(t, uses, 1)
	assert.Equal(t, "of the binding", uses[0].Name)
	uses, err = srv.Client().StagesAllUsedByList(t.Context(), binding.Stage)
	require.NoError(t, err)
	assert.Equal(t, "of the stage", uses[len(uses)-1].Name)

	srv.DeleteStage(binding.Stage)
	tb := &told{TB: t}
	other := authentiktest.RoundTripper(tb)
	other.AddUse(uuid.Max, authentik.UsedBy{})
	assert.Len(t, tb.errors, 2)
}

func TestServerAddPolicy_ShowsThePolicy(t *testing.T) {
	t.Parallel()
	srv := authentiktest.RoundTripper(t)
	flow := srv.AddFlow(authentik.Flow{Slug: "guarded"})
	srv.AddPolicy(flow.PK, func(authentiktest.PolicyRequest) error { return nil })
	uses, err := srv.Client().FlowsInstancesUsedByList(t.Context(), "guarded")
	require.NoError(t, err)
	require.Len(t, uses, 2)
	assert.Equal(t, "policybinding", uses[0].ModelName)
	assert.Equal(t, "policy-1", uses[1].Name)
	shown, err := srv.Client().FlowsInstancesRetrieve(t.Context(), "guarded")
	require.NoError(t, err)
	assert.Equal(t, uses[1].PK, shown.Policies[0].String())
	diagram, err := srv.Client().FlowsInstancesDiagramRetrieve(t.Context(), "guarded")
	require.NoError(t, err)
	assert.Contains(t, diagram.Diagram, "policy-1")
}
