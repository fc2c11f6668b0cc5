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
	month := func(r Release) int {
		year, month, _ := strings.Cut(r.Name, ".")
		y, _ := strconv.Atoi(year)
		m, _ := strconv.Atoi(month)
		return y*100 + m
	}
	slices.SortFunc(all, func(a, b Release) int { return month(a) - month(b) })
	return all
}

// Resolve follows the references of a schema.
func (r Release) Resolve(s *Schema) *Schema {
	for s != nil && (s.Ref != "" || len(s.AllOf) == 1) {
		if s.Ref != "" {
			s = r.Components.Schemas[strings.TrimPrefix(s.Ref, "#/components/schemas/")]
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
