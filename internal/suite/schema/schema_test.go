// Package schema_test compares the models, the enums and the fake with the
// OpenAPI schemas of all releases: tags and constants in schema_test.go, values
// that are decoded and encoded again in models_test.go and fuzz_test.go, and the
// fake's responses in fake_test.go.
package schema_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/internal/testkit"
	"github.com/seed-299d42e7/authentik-go/internal/testkit/schema"
)

// Schemas up to 2025 were cut from the main branch: some have what the release
// of that name did not yet have.
var earlyInSchemas = map[string]string{
	"Flow.authentication": "since 2022.12", // in the schema of 2022.11
}

// Properties that no model has, and why.
var omitted = map[string]string{
	"FlowSet.stages":                 "whole flows were sent up to 2022.9 only",
	"FlowSet.policies":               "likewise",
	"FlowSet.cache_count":            "likewise",
	"PaginatedFlowList.autocomplete": "always {} for flows",
}

// models are the structs of the package, by the names that schemas give them.
var models = map[string]reflect.Type{
	"Flow":              reflect.TypeFor[authentik.Flow](),
	"FlowSet":           reflect.TypeFor[authentik.FlowSet](),
	"FlowStageBinding":  reflect.TypeFor[authentik.FlowStageBinding](),
	"Stage":             reflect.TypeFor[authentik.Stage](),
	"ThemedUrls":        reflect.TypeFor[authentik.ThemedURLs](),
	"Pagination":        reflect.TypeFor[authentik.Pagination](),
	"PaginatedFlowList": reflect.TypeFor[authentik.Page[authentik.Flow]](),
	"UsedBy":            reflect.TypeFor[authentik.UsedBy](),
	"FlowDiagram":       reflect.TypeFor[authentik.FlowDiagram](),
	"Link":              reflect.TypeFor[authentik.Link](),
	"Cache":             reflect.TypeFor[authentik.Cache](),
	"FlowImportResult":  reflect.TypeFor[authentik.FlowImportResult](),
	"LogEvent":          reflect.TypeFor[authentik.FlowImportLog](),
}

// partOfReleases are the models that some releases lack, with the releases that
// have them. Their tags are about these. Blueprints, which import flows since
// 2026.5, are not among the operations of the schemas.
var partOfReleases = map[string]string{
	"FlowImportResult": "2022.10 to 2026.2",
	"LogEvent":         "2024.2 to 2026.2",
}

// enums are the types of which the values are constants.
var enums = []reflect.Type{
	reflect.TypeFor[authentik.FlowDesignation](),
	reflect.TypeFor[authentik.FlowLayout](),
	reflect.TypeFor[authentik.FlowDeniedAction](),
	reflect.TypeFor[authentik.FlowAuthentication](),
	reflect.TypeFor[authentik.PolicyEngineMode](),
	reflect.TypeFor[authentik.InvalidResponseAction](),
	reflect.TypeFor[authentik.UsedByAction](),
}

func TestModels_TagsAgreeWithSchemas(t *testing.T) {
	t.Parallel()
	for name, model := range models {
		all := schema.Releases(t)
		if which, ok := partOfReleases[name]; ok {
			all = slices.DeleteFunc(all, func(r schema.Release) bool { return r.Components.Schemas[name] == nil })
			require.NotEmpty(t, all)
			assert.Equal(t, which, all[0].Name+" to "+all[len(all)-1].Name, name)
		}
		want := map[string]string{}
		for _, newest := range all {
			for property := range newest.Model(name).Properties {
				var has, requires []string
				for _, r := range all {
					m := r.Model(name)
					if m.Properties[property] != nil {
						has = append(has, r.Name)
					}
					if slices.Contains(m.Required, property) {
						requires = append(requires, r.Name)
					}
				}
				switch {
				case len(requires) == len(all):
					want[property] = "required"
				case len(has) == len(all):
					want[property] = "optional"
				case has[len(has)-1] == all[len(all)-1].Name:
					want[property] = "since " + has[0]
				default:
					want[property] = "until " + has[len(has)-1]
				}
			}
		}
		for property := range want {
			if early, ok := earlyInSchemas[name+"."+property]; ok {
				require.NotEqual(t, want[property], early, "no longer early: %s.%s", name, property)
				want[property] = early
			}
		}
		got := map[string]string{}
		for f := range model.Fields() {
			key, omitzero := schema.Key(f)
			got[key] = schema.Presence(f)
			list := f.Type.Kind() == reflect.Slice // nil would become null
			assert.Equal(t, omitzero, got[key] != "required" && (got[key] != "optional" || list), "%s.%s", name, key)
		}
		for place := range omitted {
			if model, property, _ := strings.Cut(place, "."); model == name {
				require.Contains(t, want, property, "no longer omitted: %s", place)
				delete(want, property)
			}
		}
		assert.Equal(t, want, got, name)
	}
}

// enumType is the type of a field, if it is one of the enums.
func enumType(f reflect.StructField) (reflect.Type, bool) {
	return f.Type, slices.Contains(enums, f.Type)
}

// enumValues are the values of each enum, each with the first release that has it.
func enumValues(t testing.TB) map[reflect.Type]map[string]string {
	t.Helper()
	all := map[reflect.Type]map[string]string{}
	for _, r := range schema.Releases(t) {
		for name, model := range models {
			for field := range model.Fields() {
				key, _ := schema.Key(field)
				property := r.Resolve(r.Model(name).Properties[key])
				enum, ok := enumType(field)
				if !ok || property == nil {
					continue
				}
				require.NotEmpty(t, property.Enum, "%s.%s of %s", name, key, r.Name)
				if all[enum] == nil {
					all[enum] = map[string]string{}
				}
				for _, value := range property.Enum {
					if enum == reflect.TypeFor[authentik.UsedByAction]() {
						value = strings.ToLower(value) // as it is decoded
					}
					if all[enum][value] == "" {
						all[enum][value] = r.Name
					}
				}
			}
		}
	}
	return all
}

func TestEnums_KnowTheValuesOfEveryRelease(t *testing.T) {
	t.Parallel()
	seen := enumValues(t)
	require.Len(t, seen, len(enums))
	known := func(enum reflect.Type, value string) bool {
		return reflect.ValueOf(value).Convert(enum).Interface().(interface{ Known() bool }).Known()
	}
	for enum, values := range seen {
		for value := range values {
			assert.True(t, known(enum, value), "%s %q", enum, value)
			assert.False(t, known(enum, strings.ToUpper(value)), "%s %q", enum, value)
		}
		assert.False(t, known(enum, "made_up"), enum)
		assert.False(t, known(enum, ""), enum)
	}
}

// The values that main had before the release of which the schema has the name.
var earlyValues = map[string]string{
	"FlowAuthenticationNone":                   "2022.12",
	"FlowAuthenticationRequireAuthenticated":   "2022.12",
	"FlowAuthenticationRequireUnauthenticated": "2022.12",
	"FlowAuthenticationRequireSuperuser":       "2022.12",
	"FlowAuthenticationRequireOutpost":         "2024.2",
}

func TestEnums_ConstantsAgreeWithSchemas(t *testing.T) {
	t.Parallel()
	firstRelease := schema.Releases(t)[0].Name
	want := map[string]string{}
	for enum, values := range enumValues(t) {
		for value, since := range values {
			name := enum.Name()
			for word := range strings.SplitSeq(value, "_") {
				name += strings.ToUpper(word[:1]) + word[1:]
			}
			if early := earlyValues[name]; early != "" {
				require.NotEqual(t, since, early, "no longer early: %s", name)
				since = early
			}
			want[name] = value + ", since " + since
			if since == firstRelease {
				want[name] = value + ", "
			}
		}
	}
	got := map[string]string{}
	inspectModels(t, func(n ast.Node) {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || spec.Type == nil || len(spec.Values) != 1 {
			return
		}
		value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		require.NoError(t, err)
		comment, _, _ := strings.Cut(strings.TrimSpace(spec.Comment.Text()), ";")
		got[spec.Names[0].Name] = value + ", " + comment
	})
	assert.Equal(t, want, got)
}

// inspectModels shows the nodes of the files that have models.
func inspectModels(t testing.TB, visit func(ast.Node)) {
	t.Helper()
	for _, file := range []string{"flows.go", "flows_actions.go", "bindings.go", "stages.go", "enums.go"} {
		parsed, err := parser.ParseFile(token.NewFileSet(), testkit.ModuleFile(t, file), nil, parser.ParseComments)
		require.NoError(t, err)
		ast.Inspect(parsed, func(n ast.Node) bool {
			visit(n)
			return true
		})
	}
}

// Whatever a release may send by its schema decodes, and nothing that the
// models have is lost.
func TestModels_DecodeInstancesOfEverySchema(t *testing.T) {
	t.Parallel()
	for _, r := range schema.Releases(t) {
		for name, v := range map[string]schema.Generator{
			"every property": {}, "required only": {RequiredOnly: true}, "nulls": {Nulls: true}, "newer": {Newer: true},
		} {
			t.Run(r.Name+"/"+name, func(t *testing.T) {
				t.Parallel()
				raw := v.FlowPage(r)
				page, err := testkit.NewClient(t, instanceServer(t, raw)).FlowsInstancesList(t.Context(), nil)
				require.NoError(t, err)
				requireEqualJSON(t, raw, page)

				raw = v.Instance(r, r.Components.Schemas["FlowStageBinding"]).(map[string]any)
				binding, err := testkit.NewClient(t, instanceServer(t, raw)).
					BindingsRetrieve(t.Context(), uuid.MustParse(raw["pk"].(string)))
				require.NoError(t, err)
				requireEqualJSON(t, raw, binding)

				requireDecodes(t, &v, r, "Flow", func(ak *authentik.Client, raw map[string]any) (*authentik.Flow, error) {
					return ak.FlowsInstancesRetrieve(t.Context(), raw["slug"].(string))
				})
				requireDecodes(t, &v, r, "Stage", func(ak *authentik.Client, raw map[string]any) (*authentik.Stage, error) {
					return ak.StagesAllRetrieve(t.Context(), uuid.MustParse(raw["pk"].(string)))
				})
				requireDecodes(t, &v, r, "FlowDiagram",
					func(ak *authentik.Client, _ map[string]any) (*authentik.FlowDiagram, error) {
						return ak.FlowsInstancesDiagramRetrieve(t.Context(), "s")
					})
				requireDecodes(t, &v, r, "Link", func(ak *authentik.Client, _ map[string]any) (*authentik.Link, error) {
					return ak.FlowsInstancesExecuteRetrieve(t.Context(), "s")
				})
				requireDecodes(t, &v, r, "Cache", func(ak *authentik.Client, _ map[string]any) (*authentik.Cache, error) {
					return ak.FlowsInstancesCacheInfoRetrieve(t.Context())
				})
			})
		}
	}
}

// requireDecodes requires that a call decodes an instance of a model, and
// nothing that the model has is lost.
func requireDecodes[T any](
	t *testing.T, v *schema.Generator, r schema.Release, model string,
	call func(*authentik.Client, map[string]any) (*T, error),
) {
	t.Helper()
	raw := v.Instance(r, r.Components.Schemas[model]).(map[string]any)
	got, err := call(testkit.NewClient(t, instanceServer(t, raw)), raw)
	require.NoError(t, err)
	requireEqualJSON(t, raw, got)
}

// The actions of old releases are upper case, and unknown ones are kept.
func TestUsedBy_DecodesInstancesOfEverySchema(t *testing.T) {
	t.Parallel()
	actions := map[string]int{}
	for _, r := range schema.Releases(t) {
		for _, v := range []schema.Generator{{}, {RequiredOnly: true}, {Newer: true}} {
			var raw []any
			for range 2 * len(r.Resolve(r.Model("UsedBy").Properties["action"]).Enum) { // each action
				raw = append(raw, v.Instance(r, r.Components.Schemas["UsedBy"]))
			}
			got, err := testkit.NewClient(t, instanceServer(t, raw)).BindingsUsedByList(t.Context(), uuid.New())
			require.NoError(t, err)
			for i := range raw {
				object := raw[i].(map[string]any)
				want := strings.ToLower(object["action"].(string))
				assert.EqualValues(t, want, got[i].Action)
				assert.Equal(t, !v.Newer, got[i].Action.Known())
				if got[i].Action.Known() {
					actions[want]++
				}
				object["action"] = want
				requireEqualJSON(t, object, &got[i])
			}
		}
	}
	assert.Len(t, actions, 5)
}

// The messages of an import are free objects up to 2023.10, and have a model
// since. No part of them is lost.
func TestFlowImportResult_DecodesInstancesOfEverySchema(t *testing.T) {
	t.Parallel()
	free, modelled := 0, 0
	for _, r := range schema.Releases(t) {
		if r.Components.Schemas["FlowImportResult"] == nil {
			continue
		}
		var v schema.Generator
		raw := v.Instance(r, r.Components.Schemas["FlowImportResult"]).(map[string]any)
		want := authentik.FlowImportResult{Success: true}
		for _, log := range raw["logs"].([]any) {
			log := log.(map[string]any)
			kept := authentik.FlowImportLog{Attributes: map[string]any{"entry": "x", "error": []any{1.0}}}
			if r.Components.Schemas["LogEvent"] == nil {
				clear(log) // of what the generator made up
				log["entry"], log["error"], log["event"], log["log_level"] = "x", []any{1.0}, "e", "info"
				kept.Event, kept.LogLevel = "e", "info"
				free++
			} else {
				log["attributes"] = kept.Attributes
				kept.Event, kept.LogLevel = log["event"].(string), log["log_level"].(string)
				kept.Timestamp, kept.Logger = log["timestamp"].(string), log["logger"].(string)
				modelled++
			}
			want.Logs = append(want.Logs, kept)
		}
		got, err := testkit.NewClient(t, instanceServer(t, raw)).FlowsInstancesImportCreate(t.Context(), []byte("x"))
		require.NoError(t, err, r.Name)
		assert.Equal(t, want, *got, r.Name)
	}
	assert.NotZero(t, free)
	assert.NotZero(t, modelled)
}

func instanceServer(t testing.TB, raw any) *testkit.Stub {
	t.Helper()
	body, err := json.Marshal(raw)
	require.NoError(t, err)
	return &testkit.Stub{Body: string(body)}
}

func requireEqualJSON[T any](t testing.TB, raw any, got *T) {
	t.Helper()
	body, err := json.Marshal(raw)
	require.NoError(t, err)
	require.Empty(t, differences("", rawJSON(t, body), reflect.ValueOf(*got)))
	roundTrip[T](t, body)
}
