package schema_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seed-299d42e7/authentik-go/internal/testkit/schema"
)

// Each rule rejects a value, and accepts the one nearest to it.
func TestRelease_ValidateRejectsWhatAServerRejects(t *testing.T) {
	t.Parallel()
	text := &schema.Schema{Type: "string", MinLength: 1, MaxLength: new(3)}
	integer := &schema.Schema{Type: "integer", Minimum: new(int64(-2)), Maximum: new(int64(5))}
	object := &schema.Schema{
		Type: "object", Required: []string{"a"}, Properties: map[string]*schema.Schema{"a": integer},
	}
	for _, test := range []struct {
		schema   *schema.Schema
		accepted any
		rejected any
		problem  string
	}{
		{&schema.Schema{Type: "string", Nullable: true}, nil, true, ": true is a bool"},
		{&schema.Schema{Nullable: true, AllOf: []*schema.Schema{text}}, nil, "", `: "" has 0 characters`},
		{text, "a", nil, ": null"},
		{text, "ü\U0001F680x", strings.Repeat("a", 4), ": \"aaaa\" has 4 characters"},
		{text, "a", json.Number("1"), ": 1 is a json.Number"},
		{text, "a", []any{"a"}, ": [a] is a []interface {}"},
		{text, "a", map[string]any{}, ": map[] is a map"},
		{&schema.Schema{Type: "string", Enum: []string{"a", "b"}}, "b", "c", ": c is not one of"},
		{&schema.Schema{Type: "string", Pattern: "^a$"}, "a", "b", `: "b" does not match`},
		{
			&schema.Schema{Type: "string", Format: "uuid"}, "a6a42b4f-42dc-4fb0-921c-c0cc0046cf7e",
			"a6a42b4f", `: "a6a42b4f" is not a UUID`,
		},
		{&schema.Schema{Type: "boolean"}, false, "false", ": false is a string"},
		{integer, json.Number("-2"), json.Number("-3"), ": -3 is out of range"},
		{integer, 5.0, 6.0, ": 6 is out of range"},
		{integer, 1.0, 1.5, ": 1.5 is not an integer"},
		{integer, 1.0, 1e300, ": 1e+300 is not an integer"},
		{integer, json.Number("1"), json.Number("1.5"), ": 1.5 is not an integer"},
		{integer, 1.0, true, ": true is a bool"},
		{object, map[string]any{"a": 1.0}, map[string]any{}, ".a: missing"},
		{object, map[string]any{"a": 1.0}, map[string]any{"a": nil}, ".a: null"},
		{object, map[string]any{"a": 1.0}, "a", ": a is a string"},
		{&schema.Schema{Type: "array"}, nil, []any{}, ": [] is a []interface {}, want array"},
	} {
		r := schema.Release{}
		for _, validate := range []func(*schema.Schema, any) []string{r.Validate, r.ValidateStrictly} {
			if test.accepted != nil || test.schema.Nullable {
				assert.Empty(t, validate(test.schema, test.accepted))
			}
			problems := validate(test.schema, test.rejected)
			if assert.Len(t, problems, 1, "%v", test.rejected) {
				assert.True(t, strings.HasPrefix(problems[0], test.problem), problems[0])
			}
		}
	}
}

// A server tolerates what a request should not have.
func TestRelease_ValidateStrictlyRejectsWhatAServerTolerates(t *testing.T) {
	t.Parallel()
	integer := &schema.Schema{Type: "integer"}
	for _, test := range []struct {
		schema  *schema.Schema
		value   any
		problem string
	}{
		{integer, "12", ": 12 is a string, want integer"},
		{&schema.Schema{Type: "object"}, map[string]any{"b": 1.0}, ".b: unknown property"},
		{&schema.Schema{}, "a", ": the schema has no type"},
		{&schema.Schema{}, nil, ": the schema has no type"},
	} {
		assert.Empty(t, schema.Release{}.Validate(test.schema, test.value))
		assert.Equal(t, []string{test.problem}, schema.Release{}.ValidateStrictly(test.schema, test.value))
	}
	problems := schema.Release{}.Validate(integer, "a")
	assert.Equal(t, []string{": a is not an integer"}, problems, "only digits are tolerated")
}
