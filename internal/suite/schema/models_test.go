package schema_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/internal/testkit"
	"github.com/seed-299d42e7/authentik-go/internal/testkit/schema"
	"github.com/seed-299d42e7/authentik-go/internal/wire"
)

// rawJSON is a document as encoding/json reads it, with exact numbers.
func rawJSON(t testing.TB, data []byte) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var v any
	require.NoError(t, d.Decode(&v))
	return v
}

// differences are the places where what was decoded is not what the JSON
// says. It goes by the type's tags alone: a field that the decoder forgot
// differs, and a key that the type does not have is none of its business.
func differences(path string, raw any, v reflect.Value) (all []string) {
	differ := func(equal bool) []string {
		if equal {
			return nil
		}
		return []string{fmt.Sprintf("%s: %#v came of %#v", path, v.Interface(), raw)}
	}
	if id, ok := reflect.TypeAssert[uuid.UUID](v); ok {
		text, _ := raw.(string)
		return differ(strings.ToLower(text) == id.String())
	}
	switch v.Kind() {
	case reflect.Struct:
		object, ok := raw.(map[string]any)
		if !ok {
			return differ(false)
		}
		for i := range v.NumField() {
			key, _ := schema.Key(v.Type().Field(i))
			if value, ok := object[key]; ok {
				all = append(all, differences(path+"."+key, value, v.Field(i))...)
			} else if !v.Field(i).IsZero() {
				all = append(all, path+"."+key+": came of nothing")
			}
		}
		return all
	case reflect.Slice:
		list, ok := raw.([]any)
		if !ok || len(list) != v.Len() || v.IsNil() {
			return differ(false)
		}
		for i := range list {
			all = append(all, differences(fmt.Sprintf("%s[%d]", path, i), list[i], v.Index(i))...)
		}
		return all
	case reflect.Pointer:
		if raw == nil || v.IsNil() {
			return differ(raw == nil && v.IsNil())
		}
		return differences(path, raw, v.Elem())
	case reflect.Int:
		number, ok := raw.(json.Number)
		if !ok {
			return differ(false)
		}
		exact, ok := new(big.Rat).SetString(number.String())
		return differ(ok && exact.Cmp(new(big.Rat).SetInt64(v.Int())) == 0)
	case reflect.Bool:
		return differ(raw == v.Bool())
	default:
		text, ok := raw.(string)
		return differ((ok || raw == nil) && text == v.String())
	}
}

// unmodelled takes out of a JSON value what a type does not have, and what it
// leaves out when it is zero.
func unmodelled(raw any, t reflect.Type) any {
	switch t.Kind() {
	case reflect.Pointer:
		return unmodelled(raw, t.Elem())
	case reflect.Slice:
		list, _ := raw.([]any)
		for i := range list {
			list[i] = unmodelled(list[i], t.Elem())
		}
	case reflect.Struct:
		object, _ := raw.(map[string]any)
		kept := map[string]any{}
		for field := range t.Fields() {
			key, omitzero := schema.Key(field)
			value, ok := object[key]
			if ok && (!omitzero || value != nil && value != "") {
				kept[key] = unmodelled(value, field.Type)
			}
		}
		return kept
	}
	return raw
}

// roundTrip is decode → encode → decode, without a difference. It returns what
// was encoded.
func roundTrip[T any](t testing.TB, data []byte) []byte {
	t.Helper()
	var first, second T
	require.NoError(t, wire.Decode(data, &first))
	require.Empty(t, differences("", rawJSON(t, data), reflect.ValueOf(first)))
	encoded, err := json.Marshal(first)
	require.NoError(t, err)
	require.NoError(t, wire.Decode(encoded, &second))
	require.Equal(t, first, second)
	return encoded
}

// marshalsAlike is for what a real server sent: json.Marshal writes it again,
// as far as the model has it.
func marshalsAlike[T any](t testing.TB, data []byte) {
	t.Helper()
	require.Equal(t, unmodelled(rawJSON(t, data), reflect.TypeFor[T]()), rawJSON(t, roundTrip[T](t, data)))
}

func TestModels_RoundTripRecordedResponses(t *testing.T) {
	t.Parallel()
	for version, exchanges := range testkit.Recordings(t) {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			flows, bindings := 0, 0
			seen := map[string]bool{}
			for _, e := range exchanges {
				path, _, _ := strings.Cut(e.Request.Target, "?")
				body := e.Response.Body()
				if e.Request.Method != http.MethodGet || e.Response.Status != http.StatusOK || seen[string(body)] ||
					!json.Valid(body) {
					continue
				}
				seen[string(body)] = true
				object, _ := rawJSON(t, body).(map[string]any)
				results, isList := object["results"].([]any)
				switch {
				case path == "/api/v3/flows/instances/" && isList:
					marshalsAlike[authentik.Page[authentik.Flow]](t, body)
					for _, flow := range results {
						keepsAll(t, flow.(map[string]any))
						flows++
					}
				case path == "/api/v3/flows/bindings/" && isList:
					marshalsAlike[authentik.Page[authentik.FlowStageBinding]](t, body)
				case path == "/api/v3/stages/all/" && isList:
					marshalsAlike[authentik.Page[authentik.Stage]](t, body)
				case object["stage_obj"] != nil:
					marshalsAlike[authentik.FlowStageBinding](t, body)
					bindings++
				case object["cache_count"] != nil:
					marshalsAlike[authentik.Flow](t, body)
				}
			}
			assert.NotZero(t, flows)
			assert.NotZero(t, bindings)
		})
	}
}

// keepsAll is for a flow, of which nothing is left out but what is empty.
func keepsAll(t testing.TB, raw map[string]any) {
	t.Helper()
	flow := reflect.TypeFor[authentik.Flow]()
	kept := unmodelled(maps.Clone(raw), flow)
	maps.DeleteFunc(raw, func(_ string, value any) bool { return value == nil || value == "" })
	require.Subset(t, kept, raw)
}

// filled sets all of a value to something.
func filled(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for _, field := range v.Fields() {
			filled(field)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		filled(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fallthrough
	case reflect.Array:
		for i := range v.Len() {
			filled(v.Index(i))
		}
	case reflect.String:
		v.SetString("before")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Uint8:
		v.SetUint(7)
	default:
		v.SetInt(7)
	}
}

// Get decodes a type of this package as strictly as the method that returns it.
func TestClientGet_OverwritesAllOfAModelOrNothing(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		value           any
		document        string
		broken, badPath string
	}{
		{
			new(authentik.Flow), testkit.MinimalFlow, strings.Replace(testkit.MinimalFlow, `"name":"n"`, `"name":null`, 1),
			"name",
		},
		{
			new(authentik.FlowSet), testkit.MinimalFlowSet, strings.Replace(testkit.MinimalFlowSet, `"/e"`, `1`, 1),
			"export_url",
		},
		{new(authentik.ThemedURLs), `{}`, `{"light":"l","dark":2}`, "dark"},
		{
			new(authentik.Stage), testkit.MinimalStage,
			strings.Replace(testkit.MinimalStage, `"component"`, `"flow_set":[`+testkit.MinimalFlowSet+`,{}],"component"`, 1),
			"flow_set[1].pk",
		},
		{
			new(authentik.FlowStageBinding), testkit.MinimalBinding, strings.Replace(testkit.MinimalBinding, `-3`, `0.5`, 1),
			"order",
		},
		{
			new(authentik.Pagination),
			`{"next":0,"previous":0,"count":0,"current":0,"total_pages":0,"start_index":0,"end_index":0}`, `{"next":1}`,
			"previous",
		},
		{
			new(authentik.Page[authentik.Flow]), testkit.FlowPageBody(0, `[]`),
			testkit.FlowPageBody(1, `[`+testkit.MinimalFlow+`,null]`), "results[1]",
		},
		{
			new(authentik.Page[authentik.Stage]), testkit.FlowPageBody(1, `[`+testkit.MinimalStage+`]`),
			testkit.FlowPageBody(0, `[`+testkit.MinimalStage+`]`), "pagination.count",
		},
		{
			new(authentik.Page[authentik.FlowStageBinding]), testkit.FlowPageBody(1, `[`+testkit.MinimalBinding+`]`),
			testkit.FlowPageBody(1, `{}`), "results",
		},
		{new(authentik.Page[string]), testkit.FlowPageBody(2, `["a","b"]`), testkit.FlowPageBody(2, `["a",3]`), "results[1]"},
	} {
		value := reflect.ValueOf(test.value).Elem()
		t.Run(value.Type().String(), func(t *testing.T) {
			t.Parallel()
			get := func(body string, out any) error {
				return testkit.NewClient(t, &testkit.Stub{Body: body}).Get(t.Context(), "any/", nil, out)
			}
			fresh := reflect.New(value.Type())
			require.NoError(t, get(test.document, fresh.Interface()))
			require.Empty(t, differences("", rawJSON(t, []byte(test.document)), fresh.Elem()))

			filled(value)
			before := reflect.New(value.Type()).Elem()
			filled(before)
			for _, broken := range []string{test.broken, `null`, `[]`, `"x"`} {
				err := get(broken, test.value)
				var decodeError *authentik.DecodeError
				require.ErrorAs(t, err, &decodeError)
				if broken == test.broken {
					assert.Equal(t, test.badPath, decodeError.JSONPath)
				} else {
					assert.Empty(t, decodeError.JSONPath)
				}
				require.Equal(t, before.Interface(), value.Interface())
			}
			require.NoError(t, get(test.document, test.value))
			require.Equal(t, fresh.Elem().Interface(), value.Interface())
		})
	}
}

func TestModels_UnmarshalInsideOtherTypes(t *testing.T) {
	t.Parallel()
	var v struct {
		Flows  []authentik.Flow
		ByName map[string]*authentik.FlowStageBinding
		None   *authentik.Flow
	}
	require.NoError(
		t,
		json.Unmarshal(
			[]byte(`{"flows":[`+testkit.MinimalFlow+`],"ByName":{"a":`+testkit.MinimalBinding+`,"b":null},"none":null}`),
			&v,
		),
	)
	require.Len(t, v.Flows, 1)
	assert.Equal(t, testkit.FlowID, v.Flows[0].PK.String())
	assert.Equal(t, -3, v.ByName["a"].Order)
	assert.Nil(t, v.ByName["b"])
	assert.Nil(t, v.None)
}

// Items of any other type are read by encoding/json, and other lists may count
// what a policy hides.
func TestClientGet_ReadsAPageOfAnyType(t *testing.T) {
	t.Parallel()
	type group struct {
		Name string            `json:"name"`
		Sub  struct{ N []int } `json:"sub"`
		Flow *authentik.Flow   `json:"flow"`
	}
	get := func(body string) (page authentik.Page[group], err error) {
		err = testkit.NewClient(t, &testkit.Stub{Body: body}).Get(t.Context(), "any/", nil, &page)
		return page, err
	}
	page, err := get(testkit.FlowPageBody(7, `[{"name":"é","flow":`+testkit.MinimalFlow+`,"new":1},{"sub":{"n":[1]}}]`))
	require.NoError(t, err)
	assert.Equal(t, 7, page.Pagination.Count)
	assert.Equal(t, "é", page.Results[0].Name)
	assert.Equal(t, "recovery", string(page.Results[0].Flow.Designation))
	assert.Equal(t, []int{1}, page.Results[1].Sub.N)

	for document, path := range map[string]string{
		testkit.FlowPageBody(2, `[{},{"sub":{"n":[1,"2"]}}]`):                                      "results[1].sub.",
		testkit.FlowPageBody(1, `[{"flow":[]}]`):                                                   "results[0].flow",
		strings.TrimSuffix(testkit.FlowPageBody(2, `[{},`), "}"):                                   "results[0]",
		testkit.FlowPageBody(1, `null`):                                                            "results",
		strings.Replace(testkit.FlowPageBody(1, `[{}]`), `"next"`, `"Next"`, 1):                    "pagination.Next",
		strings.Replace(testkit.FlowPageBody(1, `[{}]`), `"results"`, `"results":[],"results"`, 1): "results",
	} {
		_, err := get(document)
		var decodeError *authentik.DecodeError
		require.ErrorAs(t, err, &decodeError, document)
		if strings.HasSuffix(path, ".") { // the rest is encoding/json's, and differs by release of Go
			assert.True(t, strings.HasPrefix(decodeError.JSONPath, path), decodeError.JSONPath)
		} else {
			assert.Equal(t, path, decodeError.JSONPath, document)
		}
	}
}
