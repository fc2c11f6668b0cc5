package schema

import (
	"maps"
	"slices"
	"strconv"
	"time"

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
	if g.Nulls && s.Nullable {
		return nil
	}
	g.count++
	number := strconv.Itoa(g.count)
	switch {
	case len(s.Discriminator.Mapping) > 0:
		components := slices.Sorted(maps.Keys(s.Discriminator.Mapping))
		component := components[g.count%len(components)]
		return g.Component(r, nameOf(s.Discriminator.Mapping[component]), component)
	case len(s.Enum) > 0 && g.Newer:
		return "newer_" + number
	case len(s.Enum) > 0:
		return s.Enum[g.count%len(s.Enum)]
	case s.Format == "uuid":
		return uuid.NewSHA1(uuid.NameSpaceOID, []byte(number)).String()
	case s.Format == "date-time":
		return time.Date(2024, 2, 29, 1, 2, 3, g.count*1000, time.UTC).Format(time.RFC3339Nano)
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
	case "object":
		return g.object(r, s)
	default: // anything
		return map[string]any{"any": []any{nil, g.count, "text"}}
	}
}

// Component returns an instance of the schema of a component, such as
// ak-stage-password.
func (g *Generator) Component(r Release, name, component string) map[string]any {
	object := g.Instance(r, r.Components.Schemas[name]).(map[string]any)
	object["component"] = component
	return object
}

func (g *Generator) object(r Release, s *Schema) map[string]any {
	object := map[string]any{}
	for _, key := range slices.Sorted(maps.Keys(s.Properties)) {
		if !g.RequiredOnly || slices.Contains(s.Required, key) {
			object[key] = g.Instance(r, s.Properties[key])
		}
	}
	if s.AdditionalProperties != nil && !g.RequiredOnly {
		for i := range 2 {
			object["key_"+strconv.Itoa(i)] = g.Instance(r, &s.AdditionalProperties.Schema)
		}
	} else if g.Newer {
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
