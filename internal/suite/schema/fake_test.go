package schema_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/authentiktest"
	"github.com/seed-299d42e7/authentik-go/internal/testkit/schema"
)

// asked is what the fake answers, as it is on the wire.
func asked(t testing.TB, srv *authentiktest.Server, path string, status int) (value map[string]json.RawMessage) {
	t.Helper()
	var r authentik.Response
	err := srv.Client().Get(t.Context(), path, nil, nil, authentik.WithResponse(&r))
	require.Equal(t, status, r.StatusCode, "%s: %v", path, err)
	require.NoError(t, json.Unmarshal(r.Body, &value))
	return value
}

func first(t testing.TB, list json.RawMessage) (value map[string]json.RawMessage) {
	t.Helper()
	var rows []map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(list, &rows))
	require.NotEmpty(t, rows)
	return rows[0]
}

// TestFake_FieldsAgreeWithSchemas compares the keys of what the fake answers
// with the schema of that release.
func TestFake_FieldsAgreeWithSchemas(t *testing.T) {
	t.Parallel()
	compared := 0
	for _, r := range schema.Releases(t) {
		if !slices.Contains(authentiktest.Versions(), r.Name) {
			continue
		}
		srv := authentiktest.RoundTripper(t, authentiktest.Version(r.Name))
		flows := asked(t, srv, "flows/instances/", http.StatusOK)
		binding := first(t, asked(t, srv, "flows/bindings/", http.StatusOK)["results"])
		var stage map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(binding["stage_obj"], &stage))
		for name, got := range map[string]map[string]json.RawMessage{
			"PaginatedFlowList": flows, "Flow": first(t, flows["results"]), "FlowStageBinding": binding, "Stage": stage,
			"FlowSet": first(t, stage["flow_set"]),
		} {
			want := slices.Collect(maps.Keys(r.Model(name).Properties))
			if name == "Flow" && r.Name == "2022.11" {
				require.Contains(t, want, "authentication", "no longer early")
				want = slices.DeleteFunc(want, func(key string) bool { return key == "authentication" })
			}
			if name == "PaginatedFlowList" && got["autocomplete"] != nil && !slices.Contains(want, "autocomplete") {
				require.Contains(
					t,
					[]string{"2025.8", "2025.10", "2025.12", "2026.2"},
					r.Name,
					"sent, but not in the schema before 2026.5",
				)
				want = append(want, "autocomplete")
			}
			assert.ElementsMatch(t, want, slices.Collect(maps.Keys(got)), "%s of %s", name, r.Name)
			compared++
		}
	}
	assert.Equal(t, 5*len(authentiktest.Versions()), compared)
}

// TestFake_EnumValuesAgreeWithSchemas adds flows with each value: what the
// fake takes is in the schema of that release, and what it does not is not in
// that of the one before.
func TestFake_EnumValuesAgreeWithSchemas(t *testing.T) {
	t.Parallel()
	seen := enumValues(t)
	set := map[string]func(f *authentik.Flow, value string){
		"Designation":      func(f *authentik.Flow, v string) { f.Designation = authentik.FlowDesignation(v) },
		"Layout":           func(f *authentik.Flow, v string) { f.Layout = authentik.FlowLayout(v) },
		"DeniedAction":     func(f *authentik.Flow, v string) { f.DeniedAction = authentik.FlowDeniedAction(v) },
		"Authentication":   func(f *authentik.Flow, v string) { f.Authentication = authentik.FlowAuthentication(v) },
		"PolicyEngineMode": func(f *authentik.Flow, v string) { f.PolicyEngineMode = authentik.PolicyEngineMode(v) },
	}
	all := schema.Releases(t)
	for i, r := range all {
		if !slices.Contains(authentiktest.Versions(), r.Name) {
			continue
		}
		for name, with := range set {
			field, _ := reflect.TypeFor[authentik.Flow]().FieldByName(name)
			key, _ := schema.Key(field)
			values := func(r schema.Release) []string {
				if property := r.Resolve(r.Model("Flow").Properties[key]); property != nil {
					return property.Enum
				}
				return nil
			}
			for value := range seen[field.Type] {
				refused := &deaf{TB: t}
				srv := authentiktest.RoundTripper(refused, authentiktest.Version(r.Name))
				var flow authentik.Flow
				with(&flow, value)
				srv.AddFlow(flow)
				switch {
				case refused.told:
					assert.NotContains(t, values(all[i-1]), value, "%s of %s", name, r.Name)
				case len(values(r)) > 0: // else it has no such field, and does not tell
					assert.Contains(t, values(r), value, "%s of %s", name, r.Name)
				}
			}
		}
	}
}

// deaf is a test that is not failed by what it is told.
type deaf struct {
	testing.TB
	told bool
}

func (d *deaf) Errorf(string, ...any) { d.told = true }
