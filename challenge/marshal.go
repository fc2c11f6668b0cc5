package challenge

import (
	stdjson "encoding/json"
	"maps"

	"github.com/go-json-experiment/json"
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

// withComponent is a response with its component. T has the fields of a response, and
// not its methods.
type withComponent[T any] struct {
	Component string `json:"component"`
	Fields    T      `json:",embed"`
}

// marshal returns JSON. Lists that are nil become [], as the server sends them.
func marshal(v any) ([]byte, error) { return json.Marshal(v, options) }

// marshalValues returns a map as JSON with the component, unless the map has
// one of its own.
func marshalValues(component string, values map[string]any) ([]byte, error) {
	all := map[string]any{"component": component}
	maps.Copy(all, values)
	return marshal(all)
}
