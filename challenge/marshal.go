package challenge

import (
	"bytes"
	stdjson "encoding/json"
	"maps"
	"reflect"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// options sort the keys of maps, and write an empty object for a
// [stdjson.RawMessage] that is not set: all of them are objects.
var options = json.JoinOptions(json.Deterministic(true), json.WithMarshalers(
	json.MarshalFunc(func(raw stdjson.RawMessage) ([]byte, error) {
		if len(raw) == 0 {
			return []byte("{}"), nil
		}
		return raw, nil
	}),
))

// marshal returns a struct as JSON with the component. Lists that are nil
// become [], as the server sends them.
func marshal(component string, v any) ([]byte, error) {
	value := reflect.ValueOf(v)
	var out bytes.Buffer
	e := jsontext.NewEncoder(&out)
	_ = e.WriteToken(jsontext.BeginObject) // no buffer fails
	if _, ok := v.(Response); ok {
		_ = writeMember(e, "component", component)
	}
	err := writeFields(e, component, value)
	if err == nil {
		err = e.WriteToken(jsontext.EndObject)
	}
	return bytes.TrimSpace(out.Bytes()), err
}

func writeFields(e *jsontext.Encoder, component string, v reflect.Value) error {
	for field, value := range v.Fields() {
		var err error
		key, option, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case field.Anonymous:
			err = writeFields(e, component, value)
		case key == "component":
			err = writeMember(e, key, component)
		case option == "omitzero" && value.IsZero():
		default:
			err = writeMember(e, key, value.Interface())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func writeMember(e *jsontext.Encoder, key string, value any) error {
	_ = e.WriteToken(jsontext.String(key)) // no key of a struct is invalid
	return json.MarshalEncode(e, value, options)
}

// marshalValues returns a map as JSON with the component, unless the map has
// one of its own.
func marshalValues(component string, values map[string]any) ([]byte, error) {
	all := map[string]any{"component": component}
	maps.Copy(all, values)
	return json.Marshal(all, options)
}
