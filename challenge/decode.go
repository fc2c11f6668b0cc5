package challenge

import (
	"bytes"
	stdjson "encoding/json"
	"errors"
	"reflect"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/seed-299d42e7/authentik-go/internal/wire"
)

// Decode returns the challenge in a response of authentik's flow executor: a
// pointer to the struct of its component, or an [*Unknown].
//
// Decode accepts what any release sends: keys that are missing, null or
// unknown, unknown values of enums, numbers in place of strings and numeric
// strings in place of numbers.
//
// Errors: data is not one JSON object with a component, is not valid UTF-8, has
// a duplicate key, a value of another type or more than 200,000 tokens. The
// error has the path of the invalid value, but does not quote it.
func Decode(data []byte) (Challenge, error) {
	if err := wire.Check(data); err != nil {
		return nil, err
	}
	if err := checkSize(data); err != nil {
		return nil, err
	}
	return decodeAs(data, func(string) bool { return true })
}

// decodeNested decodes the challenge of a [LoginSource]. Any other than those
// that sources have is unknown, so that no input can nest further.
func decodeNested(data []byte) (Challenge, error) {
	return decodeAs(data, func(component string) bool {
		return component == "xak-flow-redirect" ||
			strings.HasPrefix(component, "ak-source-") || strings.HasPrefix(component, "ak-flow-sources-")
	})
}

// decodeAs decodes a challenge of an allowed component.
func decodeAs(data []byte, allowed func(component string) bool) (Challenge, error) {
	if kind := jsontext.Value(data).Kind(); kind != jsontext.KindBeginObject {
		return nil, &wire.Error{Err: mismatch(kind, "an object")}
	}
	var head struct {
		Component stdjson.RawMessage `json:"component"`
	}
	if err := decode(data, &head); err != nil {
		return nil, err
	}
	var component string
	switch kind := jsontext.Value(head.Component).Kind(); kind {
	case jsontext.KindInvalid: // absent or null
		return nil, &wire.Error{Path: "component", Err: errors.New("missing")}
	case jsontext.KindString:
		if err := decode(head.Component, &component); err != nil {
			return nil, below("component", err)
		}
	default:
		return nil, &wire.Error{Path: "component", Err: mismatch(kind, "a string")}
	}
	if component == "" {
		return nil, &wire.Error{Path: "component", Err: errors.New("empty")}
	}
	prototype, ok := challengeTypes[component]
	if !ok || !allowed(component) {
		return &Unknown{Raw: bytes.Clone(data)}, nil
	}
	challenge := reflect.New(prototype).Interface().(Challenge) //nolint:errcheck,forcetypeassert // see challengeTypes
	if err := decode(data, challenge); err != nil {
		return nil, err
	}
	return challenge, nil
}

// challengeTypes maps each component to the struct of its challenge.
var challengeTypes = func() map[string]reflect.Type {
	types := map[string]reflect.Type{}
	for _, c := range components {
		types[c.name] = reflect.TypeOf(c.challenge).Elem()
	}
	return types
}()

// maxTokens bounds the memory that a challenge takes, because an input of three
// bytes can become a struct of 160. Challenges of servers have a few hundred
// tokens, and a dropdown has six for each choice.
const maxTokens = 200_000

func checkSize(data []byte) error {
	if len(data) < maxTokens {
		return nil
	}
	tokens := jsontext.NewDecoder(bytes.NewReader(data), jsontext.AllowDuplicateNames(true))
	for n := 1; ; n++ {
		if _, err := tokens.ReadToken(); err != nil {
			return nil //nolint:nilerr // the end: wire.Check found no other error
		}
		if n > maxTokens {
			return &wire.Error{Path: wire.Path(tokens.StackPointer()), Err: errors.New("more than 200000 tokens")}
		}
	}
}

// tolerant holds what is accepted beyond what encoding/json/v2 accepts.
var tolerant = json.WithUnmarshalers(json.JoinUnmarshalers(
	json.UnmarshalFromFunc(readString),
	json.UnmarshalFromFunc(readInt[int]),
	json.UnmarshalFromFunc(readInt[int64]),
	json.UnmarshalFromFunc(readRaw),
))

// decode decodes JSON into the pointer v. An error of it has no value of the
// input.
func decode(data []byte, v any) error {
	err := json.Unmarshal(data, v, tolerant)
	if err == nil {
		return nil
	}
	if syntax, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		if errors.Is(err, jsontext.ErrDuplicateName) {
			return &wire.Error{Path: wire.Path(syntax.JSONPointer), Err: errors.New("duplicate key")}
		}
		return &wire.Error{Path: wire.Path(syntax.JSONPointer), Err: errors.New("not JSON")}
	}
	semantic, ok := errors.AsType[*json.SemanticError](err)
	if !ok {
		return &wire.Error{Err: errors.New("not decodable")}
	}
	path := wire.Path(semantic.JSONPointer)
	if inner, ok := errors.AsType[*wire.Error](semantic.Err); ok {
		return below(path, inner)
	}
	return &wire.Error{Path: path, Err: mismatch(semantic.JSONKind, typeName(semantic.GoType))}
}

// below returns an error about a part of the value at path.
func below(path string, err error) error {
	inner, ok := errors.AsType[*wire.Error](err)
	if !ok {
		return &wire.Error{Path: path, Err: err}
	}
	if inner.Path != "" && inner.Path[0] != '[' && path != "" {
		path += "."
	}
	return &wire.Error{Path: path + inner.Path, Err: inner.Err}
}

func mismatch(kind jsontext.Kind, want string) error {
	return errors.New(kindNames[kind] + ", want " + want)
}

var kindNames = map[jsontext.Kind]string{
	jsontext.KindNull: "null", jsontext.KindTrue: "a boolean", jsontext.KindFalse: "a boolean",
	jsontext.KindNumber: "a number", jsontext.KindString: "a string",
	jsontext.KindBeginArray: "an array", jsontext.KindBeginObject: "an object",
}

// typeName returns what an error says of the type that was wanted.
func typeName(t reflect.Type) string {
	switch {
	case t == nil:
		return "something else"
	case t.PkgPath() != "" && !strings.HasSuffix(t.PkgPath(), "/challenge"):
		return "a " + t.String() // such as time.Time
	}
	switch t.Kind() { //nolint:exhaustive // no model has others
	case reflect.Bool:
		return "a boolean"
	case reflect.String:
		return "a string"
	case reflect.Slice:
		return "an array"
	default:
		return "an object"
	}
}

// isScalar reports whether JSON is neither an object nor an array.
func isScalar(data []byte) bool {
	data = bytes.TrimLeft(data, " \t\r\n")
	return len(data) > 0 && data[0] != '{' && data[0] != '['
}

// readString accepts any scalar. Null is "".
func readString(d *jsontext.Decoder, s *string) error {
	value, err := d.ReadValue()
	if err != nil {
		return err
	}
	switch value.Kind() {
	case jsontext.KindNull:
		*s = ""
	case jsontext.KindString:
		text, err := jsontext.AppendUnquote(nil, value)
		*s = string(text)
		return err
	case jsontext.KindBeginObject, jsontext.KindBeginArray:
		return &wire.Error{Err: mismatch(value.Kind(), "a string")}
	default:
		*s = string(value)
	}
	return nil
}

// readInt accepts a number, also as a string. Null is 0.
func readInt[T int | int64](d *jsontext.Decoder, n *T) error {
	value, err := d.ReadValue()
	if err != nil {
		return err
	}
	text := string(value)
	switch value.Kind() {
	case jsontext.KindNull:
		*n = 0
		return nil
	case jsontext.KindString:
		unquoted, err := jsontext.AppendUnquote(nil, value)
		if err != nil {
			return err
		}
		text = string(unquoted)
	case jsontext.KindNumber:
	default:
		return &wire.Error{Err: mismatch(value.Kind(), "an integer")}
	}
	parsed, err := strconv.ParseInt(text, 10, reflect.TypeFor[T]().Bits())
	if err != nil {
		return &wire.Error{Err: errors.New("not an integer in range")}
	}
	*n = T(parsed)
	return nil
}

// readRaw keeps any value but null, which is nil.
func readRaw(d *jsontext.Decoder, raw *stdjson.RawMessage) error {
	value, err := d.ReadValue()
	if err != nil {
		return err
	}
	*raw = nil
	if value.Kind() != jsontext.KindNull {
		*raw = stdjson.RawMessage(bytes.Clone(value))
	}
	return nil
}
