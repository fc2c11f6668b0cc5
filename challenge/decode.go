package challenge

import (
	"bytes"
	"cmp"
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
	if err := checkSize(data); err != nil {
		return nil, err
	}
	c, err := decodeAs(data, func(string) bool { return true })
	if err != nil {
		return nil, cmp.Or(wire.Check(data), err) // a truncated document may only look like another error
	}
	return c, nil
}

// decodeAs decodes a challenge of an allowed component.
func decodeAs(data []byte, allowed func(component string) bool) (Challenge, error) {
	component, err := componentIn(data)
	if err != nil {
		return nil, err
	}
	prototype, ok := challengeTypes[component]
	if !ok || !allowed(component) {
		var raw stdjson.RawMessage
		if err := decode(data, &raw); err != nil {
			return nil, err
		}
		return &Unknown{Raw: raw}, nil
	}
	challenge := reflect.New(prototype).Interface().(Challenge) //nolint:errcheck,forcetypeassert // see challengeTypes
	if err := decode(data, challenge); err != nil {
		return nil, err
	}
	return challenge, nil
}

// componentIn returns the component of a challenge.
func componentIn(data []byte) (string, error) {
	if kind := jsontext.Value(data).Kind(); kind != jsontext.KindBeginObject {
		return "", &wire.Error{Err: mismatch(kind, "an object")}
	}
	fail := func(reason error) (string, error) { return "", &wire.Error{Path: "component", Err: reason} }
	value := member(data, "component")
	switch kind := value.Kind(); {
	case len(value) == 0 || kind == jsontext.KindNull:
		return fail(errors.New("missing"))
	case kind != jsontext.KindString:
		return fail(mismatch(kind, "a string"))
	case len(value) == len(`""`):
		return fail(errors.New("empty"))
	}
	return unquoted(value), nil
}

// member returns the value of a key in an object, and reads no further. The value is
// nil if the key is missing, or if the object is invalid before that.
func member(object []byte, name string) jsontext.Value {
	d := jsontext.NewDecoder(bytes.NewBuffer(object), jsontext.AllowDuplicateNames(true))
	for _, err := d.ReadToken(); err == nil && d.PeekKind() == jsontext.KindString; err = d.SkipValue() {
		if key, _ := d.ReadToken(); key.String() == name { // after an error, SkipValue has one, too
			value, _ := d.ReadValue()
			return value
		}
	}
	return nil
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
			return nil //nolint:nilerr // the end, or what Decode rejects
		}
		if n > maxTokens {
			return &wire.Error{Path: wire.Path(tokens.StackPointer()), Err: errors.New("more than 200000 tokens")}
		}
	}
}

// tolerant holds what is accepted beyond what encoding/json/v2 accepts.
var tolerant = json.WithUnmarshalers(json.JoinUnmarshalers(
	json.UnmarshalFromFunc(readString),
	json.UnmarshalFunc(readInt[int]),
	json.UnmarshalFunc(readInt[int64]),
	json.UnmarshalFunc(readRaw),
))

// decode decodes JSON into the pointer v. An error of it has no value of the
// input.
func decode(data []byte, v any) error {
	if err := json.Unmarshal(data, v, tolerant); err != nil {
		return failure(err)
	}
	return nil
}

// failure returns an error of json or jsontext without a value of the input.
func failure(err error) error {
	if semantic, ok := errors.AsType[*json.SemanticError](err); ok {
		path := wire.Path(semantic.JSONPointer)
		inner, ok := errors.AsType[*wire.Error](semantic.Err)
		if !ok {
			return &wire.Error{Path: path, Err: mismatch(semantic.JSONKind, typeName(semantic.GoType))}
		}
		if inner.Path != "" { // which begins with a key: only objects decode themselves
			path += "."
		}
		return &wire.Error{Path: path + inner.Path, Err: inner.Err}
	}
	invalid := &wire.Error{Err: errors.New("not JSON")}
	if errors.Is(err, jsontext.ErrDuplicateName) {
		invalid.Err = errors.New("duplicate key")
	}
	if syntax, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		invalid.Path = wire.Path(syntax.JSONPointer)
	}
	return invalid
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
	if t.PkgPath() != "" && !strings.HasSuffix(t.PkgPath(), "/challenge") {
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
	kind := jsontext.Value(data).Kind()
	return kind != jsontext.KindBeginObject && kind != jsontext.KindBeginArray
}

// readString accepts any scalar. Null is "".
func readString(d *jsontext.Decoder, s *string) error {
	if d.PeekKind() == jsontext.KindString {
		return errors.ErrUnsupported // encoding/json/v2 reads strings faster
	}
	value, err := d.ReadValue()
	if err != nil {
		return err
	}
	switch kind := value.Kind(); kind {
	case jsontext.KindNull:
		*s = ""
	case jsontext.KindBeginObject, jsontext.KindBeginArray:
		return &wire.Error{Err: mismatch(kind, "a string")}
	default:
		*s = string(value)
	}
	return nil
}

// readInt accepts a number, also as a string. Null is 0.
func readInt[T int | int64](data []byte, n *T) error {
	text := string(data)
	switch kind := jsontext.Value(data).Kind(); kind {
	case jsontext.KindNull:
		*n = 0
		return nil
	case jsontext.KindString:
		text = unquoted(data)
	case jsontext.KindNumber:
	default:
		return &wire.Error{Err: mismatch(kind, "an integer")}
	}
	parsed, err := strconv.ParseInt(text, 10, reflect.TypeFor[T]().Bits())
	if err != nil {
		return &wire.Error{Err: errors.New("not an integer in range")}
	}
	*n = T(parsed)
	return nil
}

// unquoted returns the text of a string that encoding/json/v2 has read, and
// which is valid for that reason.
func unquoted(data []byte) string {
	text, _ := jsontext.AppendUnquote(nil, data)
	return string(text)
}

// readRaw keeps any value but null, which is nil.
func readRaw(data []byte, raw *stdjson.RawMessage) error {
	*raw = nil
	if jsontext.Value(data).Kind() != jsontext.KindNull {
		*raw = bytes.Clone(data)
	}
	return nil
}
