package authentik_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
)

// release is a release's OpenAPI schema.
type release struct {
	name       string
	Components struct{ Schemas map[string]*schema }
}

type schema struct {
	Ref        string `json:"$ref"`
	AllOf      []*schema
	Type       string
	Format     string
	Properties map[string]*schema
	Required   []string
	Items      *schema
	Enum       []string
	Nullable   bool
}

// releases are all of them, from the oldest to the newest.
func releases(t testing.TB) []release {
	t.Helper()
	files, err := filepath.Glob("testdata/schemas/*.json")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(files), 38)
	var all []release
	for _, file := range files {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		r := release{name: strings.TrimSuffix(filepath.Base(file), ".json")}
		require.NoError(t, json.Unmarshal(data, &r), r.name)
		all = append(all, r)
	}
	month := func(r release) int {
		year, month, _ := strings.Cut(r.name, ".")
		y, _ := strconv.Atoi(year)
		m, _ := strconv.Atoi(month)
		return y*100 + m
	}
	slices.SortFunc(all, func(a, b release) int { return month(a) - month(b) })
	return all
}

// resolve follows references.
func (r release) resolve(s *schema) *schema {
	for s != nil && (s.Ref != "" || len(s.AllOf) == 1) {
		if s.Ref != "" {
			s = r.Components.Schemas[strings.TrimPrefix(s.Ref, "#/components/schemas/")]
		} else {
			s = s.AllOf[0]
		}
	}
	return s
}

// model is the schema of a model, or an empty one. Two of them had no names in
// the first releases.
func (r release) model(name string) *schema {
	schemas := r.Components.Schemas
	var s *schema
	switch name {
	case "Pagination":
		s = r.resolve(schemas["PaginatedFlowList"].Properties["pagination"])
	case "FlowSet":
		s = r.resolve(schemas["Stage"].Properties["flow_set"].Items)
	default:
		s = schemas[name]
	}
	if s == nil {
		return &schema{}
	}
	return s
}

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
}

// enums are the types of which the values are constants.
var enums = []reflect.Type{
	reflect.TypeFor[authentik.FlowDesignation](),
	reflect.TypeFor[authentik.FlowLayout](),
	reflect.TypeFor[authentik.FlowDeniedAction](),
	reflect.TypeFor[authentik.FlowAuthentication](),
	reflect.TypeFor[authentik.PolicyEngineMode](),
	reflect.TypeFor[authentik.InvalidResponseAction](),
}

// presence is what the tags of a field say: required, optional, since a
// release or until one.
func presence(f reflect.StructField) string {
	for _, tag := range []string{"since", "until"} {
		if release, ok := f.Tag.Lookup(tag); ok {
			return tag + " " + release
		}
	}
	if _, ok := f.Tag.Lookup("optional"); ok {
		return "optional"
	}
	return "required"
}

func TestModels_TagsAgreeWithSchemas(t *testing.T) {
	t.Parallel()
	all := releases(t)
	for name, model := range models {
		want := map[string]string{}
		for _, newest := range all {
			for property := range newest.model(name).Properties {
				var has, requires []string
				for _, r := range all {
					m := r.model(name)
					if m.Properties[property] != nil {
						has = append(has, r.name)
					}
					if slices.Contains(m.Required, property) {
						requires = append(requires, r.name)
					}
				}
				switch {
				case len(requires) == len(all):
					want[property] = "required"
				case len(has) == len(all):
					want[property] = "optional"
				case has[len(has)-1] == all[len(all)-1].name:
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
			key, omitzero := jsonKey(f)
			got[key] = presence(f)
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
	for _, r := range releases(t) {
		for name, model := range models {
			for i := range model.NumField() {
				field := model.Field(i)
				key, _ := jsonKey(field)
				property := r.resolve(r.model(name).Properties[key])
				enum, ok := enumType(field)
				if !ok || property == nil {
					continue
				}
				require.NotEmpty(t, property.Enum, "%s.%s of %s", name, key, r.name)
				if all[enum] == nil {
					all[enum] = map[string]string{}
				}
				for _, value := range property.Enum {
					if all[enum][value] == "" {
						all[enum][value] = r.name
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
	firstRelease := releases(t)[0].name
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
	for _, file := range []string{"flows.go", "bindings.go", "stages.go", "enums.go"} {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		require.NoError(t, err)
		ast.Inspect(parsed, func(n ast.Node) bool {
			visit(n)
			return true
		})
	}
}

// variant is how an instance of a schema is made.
type variant struct {
	requiredOnly bool
	nulls        bool // where they are allowed
	newer        bool // unknown properties of every kind, and unknown enum values

	count int // of values made, so that no two are equal
}

func (v *variant) instance(r release, s *schema) any {
	if v.nulls && s.Nullable {
		return nil
	}
	s = r.resolve(s)
	v.count++
	number := strconv.Itoa(v.count)
	switch {
	case len(s.Enum) > 0 && v.newer:
		return "newer_" + number
	case len(s.Enum) > 0:
		return s.Enum[v.count%len(s.Enum)]
	case s.Format == "uuid":
		return uuid.NewSHA1(uuid.NameSpaceOID, []byte(number)).String()
	}
	switch s.Type {
	case "string":
		return "text é\u2028 " + number
	case "integer", "number":
		return v.count
	case "boolean":
		return true
	case "array":
		return []any{v.instance(r, s.Items), v.instance(r, s.Items)}
	}
	object := map[string]any{}
	for _, key := range slices.Sorted(maps.Keys(s.Properties)) {
		if !v.requiredOnly || slices.Contains(s.Required, key) {
			object[key] = v.instance(r, s.Properties[key])
		}
	}
	if v.newer {
		for i, value := range []any{nil, true, 1.5e-300, "text", []any{nil, "x"}, map[string]any{"pk": nil, "PK": []any{}}} {
			object["newer_"+strconv.Itoa(i)] = value
		}
	}
	return object
}

// page is an instance of a page of flows, with as many on it as it says.
func (v *variant) page(r release) map[string]any {
	page := v.instance(r, r.Components.Schemas["PaginatedFlowList"]).(map[string]any)
	page["pagination"].(map[string]any)["count"] = len(page["results"].([]any))
	return page
}

// Whatever a release may send by its schema decodes, and nothing that the
// models have is lost.
func TestModels_DecodeInstancesOfEverySchema(t *testing.T) {
	t.Parallel()
	for _, r := range releases(t) {
		for name, v := range map[string]variant{
			"every property": {}, "required only": {requiredOnly: true}, "nulls": {nulls: true}, "newer": {newer: true},
		} {
			t.Run(r.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				raw := v.page(r)
				page, err := newClient(t, instanceServer(t, raw)).FlowsInstancesList(t.Context(), nil)
				require.NoError(t, err)
				requireEqualJSON(t, raw, page)

				raw = v.instance(r, r.Components.Schemas["FlowStageBinding"]).(map[string]any)
				binding, err := newClient(t, instanceServer(t, raw)).BindingsRetrieve(t.Context(), uuid.MustParse(raw["pk"].(string)))
				require.NoError(t, err)
				requireEqualJSON(t, raw, binding)
			})
		}
	}
}

func instanceServer(t testing.TB, raw any) *stub {
	t.Helper()
	body, err := json.Marshal(raw)
	require.NoError(t, err)
	return &stub{body: string(body)}
}

func requireEqualJSON[T any](t testing.TB, raw any, got *T) {
	t.Helper()
	body, err := json.Marshal(raw)
	require.NoError(t, err)
	require.Empty(t, differences("", rawJSON(t, body), reflect.ValueOf(*got)))
	roundTrip[T](t, body)
}
