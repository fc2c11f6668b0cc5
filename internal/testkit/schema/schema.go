// Package schema reads the OpenAPI schemas of authentik's releases, which are in
// testdata/schemas, and generates JSON that conforms to them.
package schema

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go/internal/testkit"
)

// Release is the OpenAPI schema of a release.
type Release struct {
	// Name is the release, such as 2024.10.
	Name       string `json:"-"`
	Components struct{ Schemas map[string]*Schema }
}

// Schema is the schema of a value.
type Schema struct {
	Ref        string `json:"$ref"`
	AllOf      []*Schema
	Type       string
	Format     string
	Properties map[string]*Schema
	Required   []string
	Items      *Schema
	Enum       []string
	Nullable   bool
	Pattern    string
	MinLength  int
	MaxLength  *int
	Minimum    *int64
	Maximum    *int64
	// Discriminator is that of a union of schemas, such as ChallengeTypes.
	Discriminator struct{ Mapping map[string]string }
	// AdditionalProperties is the schema of the properties without a name. It is
	// nil if there can be none.
	AdditionalProperties *Additional
}

// Additional is the schema of properties without a name.
type Additional struct{ Schema }

// UnmarshalJSON accepts a schema, true and false.
func (a *Additional) UnmarshalJSON(data []byte) error {
	if string(data) == "true" || string(data) == "false" {
		return nil
	}
	return json.Unmarshal(data, &a.Schema)
}

// Releases returns the schemas of all releases, from the oldest to the newest.
func Releases(t testing.TB) []Release {
	t.Helper()
	files, err := filepath.Glob(testkit.ModuleFile(t, "testdata", "schemas", "*.json"))
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(files), 38)
	var all []Release
	for _, file := range files {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		r := Release{Name: strings.TrimSuffix(filepath.Base(file), ".json")}
		require.NoError(t, json.Unmarshal(data, &r), r.Name)
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b Release) int { return Compare(a.Name, b.Name) })
	return all
}

// Compare compares two versions, such as 2024.10 and 2024.10.0-rc1, by year and
// month.
func Compare(a, b string) int {
	month := func(version string) int {
		parts := strings.SplitN(version, ".", 3)
		y, _ := strconv.Atoi(parts[0])
		m, _ := strconv.Atoi(parts[1])
		return y*100 + m
	}
	return month(a) - month(b)
}

// Union returns the name of the schema of each component in a union of schemas,
// such as ChallengeTypes.
func (r Release) Union(name string) map[string]string {
	names := map[string]string{}
	for component, ref := range r.Model(name).Discriminator.Mapping {
		names[component] = nameOf(ref)
	}
	return names
}

// nameOf returns the name of the schema that a reference is to.
func nameOf(ref string) string { return strings.TrimPrefix(ref, "#/components/schemas/") }

// Resolve follows the references of a schema.
func (r Release) Resolve(s *Schema) *Schema {
	for s != nil && (s.Ref != "" || len(s.AllOf) == 1) {
		if s.Ref != "" {
			s = r.Components.Schemas[nameOf(s.Ref)]
		} else {
			s = s.AllOf[0]
		}
	}
	return s
}

// Model returns the schema of a model, or an empty one if the release has no such
// model. Pagination and FlowSet have no names in the first releases.
func (r Release) Model(name string) *Schema {
	schemas := r.Components.Schemas
	var s *Schema
	switch name {
	case "Pagination":
		s = r.Resolve(schemas["PaginatedFlowList"].Properties["pagination"])
	case "FlowSet":
		s = r.Resolve(schemas["Stage"].Properties["flow_set"].Items)
	default:
		s = schemas[name]
	}
	if s == nil {
		return &Schema{}
	}
	return s
}
