package schema_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
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

// requests are the request types, by the names that schemas give them.
var requests = map[string]reflect.Type{
	"FlowRequest":                    reflect.TypeFor[authentik.FlowRequest](),
	"PatchedFlowRequest":             reflect.TypeFor[authentik.FlowRequest](),
	"FlowStageBindingRequest":        reflect.TypeFor[authentik.FlowStageBindingRequest](),
	"PatchedFlowStageBindingRequest": reflect.TypeFor[authentik.FlowStageBindingRequest](),
}

// Each writable property of each release has a field, and each field is a
// property of the releases that its tag says.
func TestRequests_TagsAgreeWithSchemas(t *testing.T) {
	t.Parallel()
	all := schema.Releases(t)
	for name, request := range requests {
		want := map[string]string{}
		for _, r := range all {
			require.NotEmpty(t, r.Model(name).Properties, "%s of %s", name, r.Name)
			for property := range r.Model(name).Properties {
				if want[property] == "" {
					want[property] = "since " + r.Name
				}
			}
		}
		for property, since := range want {
			if since == "since "+all[0].Name {
				want[property] = "required" // in every release, by the tag's default
			}
		}
		if want["authentication"] != "" {
			require.Equal(t, "since 2022.11", want["authentication"], "no longer early")
			want["authentication"] = "since 2022.12"
		}
		got := map[string]string{}
		for field := range request.Fields() {
			key, omitzero := schema.Key(field)
			assert.True(t, omitzero, "%s.%s", name, field.Name)
			got[key] = schema.Presence(field)
		}
		assert.Equal(t, want, got, name)
	}
}

// samples are values of a request's field: each of an enum's constants that the
// release has, both booleans, the bounds of an order.
func samples(t *testing.T, r schema.Release, field reflect.StructField, property *schema.Schema) (all []reflect.Value) {
	t.Helper()
	add := func(v any) {
		value := reflect.ValueOf(v)
		if field.Type.Kind() == reflect.Pointer {
			pointer := reflect.New(field.Type.Elem())
			pointer.Elem().Set(value.Convert(field.Type.Elem()))
			value = pointer
		}
		all = append(all, value.Convert(field.Type))
	}
	switch property = r.Resolve(property); {
	case len(property.Enum) > 0:
		for _, value := range property.Enum {
			add(value)
		}
	case property.Format == "uuid":
		add(uuid.New())
	case property.Type == "boolean":
		add(true)
		add(false)
	case property.Type == "integer":
		for _, n := range []int{0, -5, math.MinInt32, math.MaxInt32} {
			add(n)
		}
	case property.Pattern != "":
		for _, slug := range []string{"a", "Partner-login_2", "-", "_", "0", strings.Repeat("a", 50)} {
			add(slug)
		}
	default:
		for _, text := range []string{"x", " <b>\u2028 \"'\\", "ü\U0001F680", strings.Repeat("a", 300)} {
			add(text)
		}
		if field.Type.Kind() == reflect.Pointer {
			add("")
		}
	}
	require.NotEmpty(t, all)
	return all
}

// newCapture returns a client, and what returns the body of its last request
// after a method has made it.
func newCapture(t *testing.T) func(call func(context.Context, *authentik.Client) error) (map[string]any, error) {
	t.Helper()
	var body []byte
	ak := testkit.NewClientOver(t, func(r *http.Request) (*http.Response, error) {
		var err error
		body, err = io.ReadAll(r.Body)
		assert.NoError(t, err)
		return testkit.HTTPResponse(testkit.Reply(http.StatusTeapot, "", "")), nil
	})
	return func(call func(context.Context, *authentik.Client) error) (map[string]any, error) {
		body = nil
		err := call(t.Context(), ak)
		if _, ok := errors.AsType[*authentik.ArgumentError](err); ok {
			assert.Nil(t, body, "it was sent all the same")
			return nil, err
		}
		assert.ErrorContains(t, err, "418")
		return rawJSON(t, body).(map[string]any), nil
	}
}

// calls are the methods that send a request, by the name of its schema.
func calls(request any) map[string]func(context.Context, *authentik.Client) error {
	switch request := request.(type) {
	case authentik.FlowRequest:
		return map[string]func(context.Context, *authentik.Client) error{
			"FlowRequest": func(ctx context.Context, ak *authentik.Client) error {
				_, err := ak.FlowsInstancesCreate(ctx, request)
				_, again := ak.FlowsInstancesUpdate(ctx, "s", request)
				return errors.Join(err, again)
			},
			"PatchedFlowRequest": func(ctx context.Context, ak *authentik.Client) error {
				_, err := ak.FlowsInstancesPartialUpdate(ctx, "s", request)
				return err
			},
		}
	case authentik.FlowStageBindingRequest:
		return map[string]func(context.Context, *authentik.Client) error{
			"FlowStageBindingRequest": func(ctx context.Context, ak *authentik.Client) error {
				_, err := ak.BindingsCreate(ctx, request)
				return err
			},
			"PatchedFlowStageBindingRequest": func(ctx context.Context, ak *authentik.Client) error {
				_, err := ak.BindingsPartialUpdate(ctx, uuid.New(), request)
				return err
			},
		}
	}
	panic("no such request")
}

// What is sent conforms to the schema of each release, property by property.
func TestRequests_ConformToEverySchema(t *testing.T) {
	t.Parallel()
	binding := authentik.FlowStageBindingRequest{Target: uuid.New(), Stage: uuid.New(), Order: new(1)}
	complete := map[string]any{
		"FlowRequest":                    authentik.FlowRequest{Name: "n", Slug: "s", Title: "t", Designation: "recovery"},
		"PatchedFlowRequest":             authentik.FlowRequest{},
		"FlowStageBindingRequest":        binding,
		"PatchedFlowStageBindingRequest": authentik.FlowStageBindingRequest{},
	}
	sent := newCapture(t)
	checked := 0
	for _, r := range schema.Releases(t) {
		for name, request := range requests {
			model := r.Model(name)
			full := reflect.New(request).Elem()
			full.Set(reflect.ValueOf(complete[name]))
			for field := range request.Fields() {
				key, _ := schema.Key(field)
				property := model.Properties[key]
				if property == nil {
					continue // of a later release
				}
				for _, sample := range samples(t, r, field, property) {
					value := reflect.New(request).Elem()
					value.Set(reflect.ValueOf(complete[name]))
					value.FieldByIndex(field.Index).Set(sample)
					full.FieldByIndex(field.Index).Set(sample)
					if key == "evaluate_on_plan" || key == "re_evaluate_policies" { // one of them must be true
						value.FieldByName("EvaluateOnPlan").Set(reflect.ValueOf(new(true)))
						value.FieldByName("ReEvaluatePolicies").Set(reflect.ValueOf(new(true)))
						value.FieldByIndex(field.Index).Set(sample)
						full.FieldByName("EvaluateOnPlan").Set(reflect.ValueOf(new(true)))
					}
					body, err := sent(calls(value.Interface())[name])
					require.NoError(t, err, "%s.%s of %s", name, key, r.Name)
					require.Contains(t, body, key)
					require.Empty(t, r.ValidateStrictly(model, body), "%s.%s of %s", name, key, r.Name)
					checked++
				}
			}
			body, err := sent(calls(full.Interface())[name])
			require.NoError(t, err)
			require.Empty(t, r.ValidateStrictly(model, body), "%s of %s", name, r.Name)
			require.Len(t, body, len(model.Properties), "%s of %s: every property", name, r.Name)
		}
	}
	t.Logf("%d bodies", checked)
	assert.Greater(t, checked, 38*60)
}

// What a schema rejects is refused before it is sent, or cannot be said.
func TestRequests_RefuseWhatEverySchemaRejects(t *testing.T) {
	t.Parallel()
	sent := newCapture(t)
	for _, r := range schema.Releases(t) {
		pattern := &schema.Schema{Type: "string", Pattern: r.Model("FlowRequest").Properties["slug"].Pattern}
		for _, slug := range []string{"a b", "a.b", "ü", "a/b", "a\n", ""} {
			require.NotEmpty(t, r.ValidateStrictly(pattern, slug))
			request := authentik.FlowRequest{Name: "n", Slug: slug, Title: "t", Designation: "recovery"}
			_, err := sent(calls(request)["FlowRequest"])
			require.Error(t, err, "%q", slug)
		}
		for _, name := range []string{"FlowRequest", "FlowStageBindingRequest"} {
			for _, key := range r.Model(name).Required {
				value := reflect.New(requests[name]).Elem()
				if name == "FlowRequest" {
					value.Set(reflect.ValueOf(authentik.FlowRequest{Name: "n", Slug: "s", Title: "t", Designation: "recovery"}))
				} else {
					binding := authentik.FlowStageBindingRequest{Target: uuid.New(), Stage: uuid.New(), Order: new(1)}
					value.Set(reflect.ValueOf(binding))
				}
				index := slices.IndexFunc(reflect.VisibleFields(requests[name]), func(f reflect.StructField) bool {
					has, _ := schema.Key(f)
					return has == key
				})
				require.GreaterOrEqual(t, index, 0, key)
				value.Field(index).SetZero()
				_, err := sent(calls(value.Interface())[name])
				require.Error(t, err, "%s.%s of %s", name, key, r.Name)
			}
		}
		order := r.Model("FlowStageBindingRequest").Properties["order"]
		for _, beyond := range []int64{math.MaxInt32 + 1, math.MinInt32 - 1} {
			text, err := json.Marshal(beyond)
			require.NoError(t, err)
			require.NotEmpty(t, r.ValidateStrictly(order, json.Number(text)))
			n := int(beyond)
			if strconv.IntSize == 32 {
				break // an int cannot be too large
			}
			_, err = sent(calls(authentik.FlowStageBindingRequest{Order: &n})["PatchedFlowStageBindingRequest"])
			require.Error(t, err)
		}
	}
}
