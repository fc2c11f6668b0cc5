package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
)

// decoder reads one document. The strings of an element of a list are collected in
// text and share one allocation, so that an element keeps no other one alive.
type decoder struct {
	*jsontext.Decoder
	data    []byte
	text    []byte
	pending []pendingString
	unknown [][]byte // the unknown keys of the objects being read
}

type pendingString struct {
	to         reflect.Value
	start, end int // in text
}

var decoders = sync.Pool{New: func() any { return &decoder{Decoder: new(jsontext.Decoder)} }}

// flush sets the strings that were collected since the marks.
func (d *decoder) flush(text, pending int) {
	all := string(d.text[text:])
	for _, p := range d.pending[pending:] {
		p.to.SetString(all[p.start-text : p.end-text])
	}
	d.text, d.pending = d.text[:text], d.pending[:pending]
}

// model is what the tags of a struct describe.
type model []field

type field struct {
	name               string
	index              int
	required, nullable bool
	read               reader
}

func modelOf(t reflect.Type) (m model) {
	for i := range t.NumField() {
		f := t.Field(i)
		has := func(tag string) bool { _, ok := f.Tag.Lookup(tag); return ok }
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" && name != "-" {
			nullable := has("nullable") || f.Type.Kind() == reflect.Pointer
			m = append(m, field{name, i, !has("since") && !has("until") && !has("optional"), nullable, readerOf(f.Type)})
		}
	}
	if len(m) > 64 {
		panic("wire: more than 64 fields in " + t.String()) // the bits of model.read's seen
	}
	return m
}

type reader func(*decoder, reflect.Value)

var readers sync.Map // of reader, by reflect.Type

func readerOf(t reflect.Type) reader {
	r, ok := readers.Load(t)
	if !ok {
		r, _ = readers.LoadOrStore(t, newReader(t))
	}
	return r.(reader) //nolint:errcheck,forcetypeassert // nothing else is stored
}

func newReader(t reflect.Type) reader {
	if t == reflect.TypeFor[uuid.UUID]() {
		return readUUID
	}
	if reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]()) {
		return readOther
	}
	switch t.Kind() { //nolint:exhaustive // encoding/json reads the others
	case reflect.String:
		return readString
	case reflect.Bool:
		return readBool
	case reflect.Int, reflect.Int64:
		return readInt
	case reflect.Struct:
		m := sync.OnceValue(func() model { return modelOf(t) })
		return func(d *decoder, v reflect.Value) { m().read(d, v) }
	case reflect.Pointer:
		element := readerOf(t.Elem())
		return func(d *decoder, v reflect.Value) {
			v.Set(reflect.New(t.Elem()))
			element(d, v.Elem())
		}
	case reflect.Slice:
		return listReader(readerOf(t.Elem()), reflect.MakeSlice(t, 0, 0))
	}
	return readOther
}

func (m model) read(d *decoder, v reflect.Value) {
	d.expect('{', "an object")
	d.token()
	var seen uint64
	unknownMark := len(d.unknown)
	for next := 0; d.PeekKind() != '}'; {
		raw := d.value()
		key := unquote(raw)
		i := next // the most likely one
		if i == len(m) || string(key) != m[i].name {
			i = slices.IndexFunc(m, func(f field) bool { return string(key) == f.name })
		}
		if i < 0 {
			m.other(d, key)
			continue
		}
		if seen&(1<<i) != 0 {
			d.fail(len(raw), errors.New("duplicate key"))
		}
		next, seen = i+1, seen|1<<i
		if m[i].nullable && d.PeekKind() == 'n' {
			d.token()
		} else {
			m[i].read(d, v.Field(m[i].index))
		}
	}
	d.token()
	for i, f := range m {
		if f.required && seen&(1<<i) == 0 {
			d.fail(0, errors.New("missing"), f.name)
		}
	}
	d.distinct(unknownMark)
}

// other skips a member that the model lacks, such as one of a newer server. A key
// that differs from a known one in case only is an error.
func (m model) other(d *decoder, key []byte) {
	for _, f := range m {
		if bytes.EqualFold(key, []byte(f.name)) {
			d.fail(len(key)+2, errors.New("wrong case of the key "+f.name))
		}
	}
	if len(d.unknown) == 10_000 { // all are remembered; a newer server has a few
		d.fail(len(key)+2, errors.New("more than 10000 unknown keys"))
	}
	d.unknown = append(d.unknown, key)
	d.skip()
}

// distinct fails if an object has an unknown key twice, and forgets its keys.
func (d *decoder) distinct(mark int) {
	keys := d.unknown[mark:]
	d.unknown = d.unknown[:mark]
	slices.SortFunc(keys, bytes.Compare)
	for i := 1; i < len(keys); i++ {
		if bytes.Equal(keys[i-1], keys[i]) {
			d.fail(0, errors.New("duplicate key"), string(keys[i]))
		}
	}
}

// listReader reads an array. An empty array is not nil, so that it marshals to [].
func listReader(element reader, empty reflect.Value) reader {
	return func(d *decoder, v reflect.Value) {
		d.expect('[', "an array")
		d.token()
		v.Set(empty)
		for n := 0; d.PeekKind() != ']'; n++ {
			if n == v.Cap() {
				v.Grow(max(1, 4*n-n%4)) // to 1, 4, 20, 100, because a page has 20 or 100 items
			}
			v.SetLen(n + 1)
			text, pending := len(d.text), len(d.pending)
			element(d, v.Index(n))
			d.flush(text, pending)
		}
		d.token()
	}
}

func readString(d *decoder, v reflect.Value) {
	d.expect('"', "a string")
	start := len(d.text)
	d.text, _ = jsontext.AppendUnquote(d.text, d.value()) // no error, because the decoder has accepted the string
	d.pending = append(d.pending, pendingString{v, start, len(d.text)})
}

func readBool(d *decoder, v reflect.Value) {
	if d.PeekKind() != 't' {
		d.expect('f', "a boolean")
	}
	v.SetBool(d.token().Bool())
}

// readInt reads a whole number in any form: 2, 2.0, 2e0.
func readInt(d *decoder, v reflect.Value) {
	d.expect('0', "an integer")
	text := string(d.value())
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil && len(text) <= 15 { // a float64 has no fewer digits
		f, _ := strconv.ParseFloat(text, 64)
		if n = int64(f); float64(n) == f && (n != 0 || strings.Trim(text, "-0.eE") == "") {
			err = nil
		}
	}
	if err != nil || v.OverflowInt(n) {
		d.fail(len(text), errors.New("not an integer in range"))
	}
	v.SetInt(n)
}

func readUUID(d *decoder, v reflect.Value) {
	d.expect('"', "a string")
	text := unquote(d.value())
	// uuid.ParseBytes accepts other forms too, which no server sends.
	id, err := uuid.ParseBytes(text)
	if err != nil || len(text) != 36 {
		d.fail(len(text)+2, errors.New("not a UUID of 36 characters"))
	}
	*v.Addr().Interface().(*uuid.UUID) = id //nolint:errcheck,forcetypeassert // see readerOf
}

// readOther leaves a value to encoding/json.
func readOther(d *decoder, v reflect.Value) {
	start := d.next()
	d.skip()
	raw := d.data[start:d.InputOffset()]
	if err := json.Unmarshal(raw, v.Addr().Interface()); err != nil {
		d.fail(len(raw), err)
	}
}

func (d *decoder) token() jsontext.Token {
	token, err := d.ReadToken()
	d.must(err)
	return token
}

func (d *decoder) value() jsontext.Value {
	value, err := d.ReadValue()
	d.must(err)
	return value
}

// expect checks the kind of the next value. A value of another kind is read to its
// end first, because the input may be truncated or not even JSON.
func (d *decoder) expect(kind jsontext.Kind, want string) {
	if got := d.PeekKind(); got != kind {
		start := d.next()
		d.skip()
		d.fail(int(d.InputOffset())-start, errors.New(kindNames[got]+", want "+want))
	}
}

var kindNames = map[jsontext.Kind]string{
	'n': "null", 't': "a boolean", 'f': "a boolean", '0': "a number", '"': "a string", '[': "an array", '{': "an object",
}

// skip reads any value. As in encoding/json, numbers must fit into a float64.
func (d *decoder) skip() {
	for depth, more := d.StackDepth(), true; more; more = d.StackDepth() > depth {
		if token := d.token(); token.Kind() == '0' {
			if _, err := strconv.ParseFloat(token.String(), 64); err != nil {
				d.fail(len(token.String()), errors.New("number out of range"))
			}
		}
	}
}

// unquote returns a string that the decoder has accepted.
func unquote(raw jsontext.Value) []byte {
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw[1 : len(raw)-1]
	}
	text, _ := jsontext.AppendUnquote(nil, raw)
	return text
}
