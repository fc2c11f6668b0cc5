package schema

import (
	"maps"
	"slices"
	"strconv"

	"github.com/google/uuid"
)

// Generator generates JSON values that conform to a schema. No two values are
// equal. The zero value generates every property.
type Generator struct {
	// RequiredOnly leaves out the properties that are not required.
	RequiredOnly bool
	// Nulls makes every value null that may be null.
	Nulls bool
	// Newer adds unknown properties of every kind and unknown enum values, as a
	// newer release may send them.
	Newer bool

	// count is the number of values so far.
	count int
}

// Instance returns a value that conforms to s.
func (g *Generator) Instance(r Release, s *Schema) any {
	if g.Nulls && s.Nullable {
		return nil
	}
	s = r.Resolve(s)
	g.count++
	number := strconv.Itoa(g.count)
	switch {
	case len(s.Enum) > 0 && g.Newer:
		return "newer_" + number
	case len(s.Enum) > 0:
		return s.Enum[g.count%len(s.Enum)]
	case s.Format == "uuid":
		return uuid.NewSHA1(uuid.NameSpaceOID, []byte(number)).String()
	}
	switch s.Type {
	case "string":
		return "text é\u2028 " + number
	case "integer", "number":
		return g.count
	case "boolean":
		return true
	case "array":
		return []any{g.Instance(r, s.Items), g.Instance(r, s.Items)}
	}
	object := map[string]any{}
	for _, key := range slices.Sorted(maps.Keys(s.Properties)) {
		if !g.RequiredOnly || slices.Contains(s.Required, key) {
			object[key] = g.Instance(r, s.Properties[key])
		}
	}
	if g.Newer {
		for i, value := range []any{nil, true, 1.5e-300, "text", []any{nil, "x"}, map[string]any{"pk": nil, "PK": []any{}}} {
			object["newer_"+strconv.Itoa(i)] = value
		}
	}
	return object
}

// FlowPage returns a page of flows whose count is the number of its flows.
func (g *Generator) FlowPage(r Release) map[string]any {
	page := g.Instance(r, r.Components.Schemas["PaginatedFlowList"]).(map[string]any)
	page["pagination"].(map[string]any)["count"] = len(page["results"].([]any))
	return page
}
