package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/google/uuid"
)

// Object is what is known of a JSON object: a line a field, in the order in
// which servers send them (any other order is read too, only slower).
type Object[T any] struct{ fields []Field[T] }

// Field is one key of an object. Make it with String, UUID and the others.
type Field[T any] struct {
	Name   string
	When   Presence
	quoted string
	read   func(*scanner, *T) error // from the first byte of the value on
}

// Presence says which answers have a key.
type Presence string

// The presence of a key in every release.
const (
	Required Presence = "required" // all; a missing one is an error
	Optional Presence = "optional" // every release has it, but its schema does not promise it
)

// Since is for a key that servers have since a release; they may not promise
// it even then.
func Since(release string) Presence { return Presence("since " + release) }

// Until is for a key that servers have had up to a release.
func Until(release string) Presence { return Presence("until " + release) }

// NewObject makes the table of a model.
func NewObject[T any](fields ...Field[T]) *Object[T] {
	if len(fields) > 64 {
		panic("wire: more than 64 fields") // the bits of a set of seen ones
	}
	return &Object[T]{fields}
}

// Fields returns the table's lines.
func (o *Object[T]) Fields() []Field[T] { return slices.Clone(o.fields) }

func field[T, V any](name string, when Presence, to func(*T) *V, read func(*scanner, *V) error) Field[T] {
	return Field[T]{name, when, `"` + name + `"`, func(s *scanner, v *T) error { return read(s, to(v)) }}
}

// String is a string.
func String[T any](name string, when Presence, to func(*T) *string) Field[T] {
	return field(name, when, to, (*scanner).str)
}

// NullString is a string or null, which is read as "".
func NullString[T any](name string, when Presence, to func(*T) *string) Field[T] {
	return field(name, when, to, func(s *scanner, v *string) error {
		if s.peek() == 'n' {
			return s.literal("null")
		}
		return s.str(v)
	})
}

// Enum is a string that is most often one of known, which then costs no
// memory. Any other is read too: a newer server has newer values.
func Enum[T any](name string, when Presence, known []string, to func(*T) *string) Field[T] {
	return field(name, when, to, func(s *scanner, v *string) error {
		b, err := s.bytes()
		if err != nil {
			return err
		}
		for _, k := range known {
			if string(b) == k {
				*v = k
				return nil
			}
		}
		s.keep(v, b)
		return nil
	})
}

// UUID is a UUID in its form of 36 characters.
func UUID[T any](name string, when Presence, to func(*T) *uuid.UUID) Field[T] {
	return field(name, when, to, (*scanner).uuid)
}

// UUIDs is an array of them; an empty one is read as nil.
func UUIDs[T any](name string, when Presence, to func(*T) *[]uuid.UUID) Field[T] {
	return field(name, when, to, func(s *scanner, v *[]uuid.UUID) error {
		s.uuids = s.uuids[:0]
		err := s.array(func(int) error {
			s.uuids = append(s.uuids, uuid.UUID{})
			return s.uuid(&s.uuids[len(s.uuids)-1])
		})
		if len(s.uuids) > 0 {
			*v = append(make([]uuid.UUID, 0, len(s.uuids)), s.uuids...)
		}
		return err
	})
}

// Bool is true or false.
func Bool[T any](name string, when Presence, to func(*T) *bool) Field[T] {
	return field(name, when, to, (*scanner).boolean)
}

// Int is a whole number in any JSON form: 2, 2.0, 2e0.
func Int[T any](name string, when Presence, to func(*T) *int) Field[T] {
	return field(name, when, to, (*scanner).integer)
}

// Count is an Int that is not negative.
func Count[T any](name string, when Presence, to func(*T) *int) Field[T] {
	return field(name, when, to, func(s *scanner, v *int) error {
		start := s.pos
		if err := s.integer(v); err != nil {
			return err
		}
		if *v < 0 {
			return s.fail(start, s.pos, "negative")
		}
		return nil
	})
}

// Nested is an object of its own.
func Nested[T, V any](name string, when Presence, fields *Object[V], to func(*T) *V) Field[T] {
	return field(name, when, to, fields.read)
}

// NullNested is an object or null, which is read as nil.
func NullNested[T, V any](name string, when Presence, fields *Object[V], to func(*T) **V) Field[T] {
	return field(name, when, to, func(s *scanner, v **V) error {
		if s.peek() == 'n' {
			return s.literal("null")
		}
		*v = new(V)
		return fields.read(s, *v)
	})
}

// List is an array of objects; an empty one is read as nil. Each element owns
// its strings, so that one that is kept pins none of the others. size, which
// may be nil, guesses the number of elements.
func List[T, V any](name string, when Presence, fields *Object[V], size func(*T) int, to func(*T) *[]V) Field[T] {
	return Field[T]{name, when, `"` + name + `"`, func(s *scanner, v *T) error {
		list := to(v)
		return s.array(func(i int) error {
			if i == 1 && size != nil {
				// The first one was good, and the server says how many there
				// are: believed as far as there is room for them.
				*list = slices.Grow(*list, max(0, min(size(v)-1, (len(s.data)-s.pos)/fields.minSize())))
			}
			*list = append(*list, *new(V))
			textMark, pendingMark := len(s.text), len(s.pending)
			if err := fields.read(s, &(*list)[len(*list)-1]); err != nil {
				return err
			}
			s.flush(textMark, pendingMark)
			return nil
		})
	}}
}

// Values is an array of anything, whose elements encoding/json decodes.
func Values[T, V any](name string, when Presence, to func(*T) *[]V) Field[T] {
	return field(name, when, to, func(s *scanner, list *[]V) error {
		return s.array(func(int) error {
			start := s.pos
			if err := s.skip(); err != nil {
				return err
			}
			*list = append(*list, *new(V))
			err := Unmarshal(s.data[start:s.pos], &(*list)[len(*list)-1])
			if err != nil {
				err.Start, err.End = start, s.pos
				return err
			}
			return nil
		})
	})
}

// Unmarshal is json.Unmarshal; its error has the path that encoding/json knows.
func Unmarshal(data []byte, v any) *Error {
	err := json.Unmarshal(data, v)
	if err == nil {
		return nil
	}
	// One that is wrapped is another decoder's, with a path from elsewhere.
	if typed, ok := err.(*json.UnmarshalTypeError); ok { //nolint:errorlint // not a wrapped one
		return &Error{Path: typed.Field, Err: fmt.Errorf("%s, want %s", typed.Value, typed.Type)}
	}
	return &Error{Err: err}
}

// minSize is the least number of bytes that an object of this kind takes.
func (o *Object[T]) minSize() int {
	n := len("{}")
	for _, f := range o.fields {
		if f.When == Required {
			n += len(f.quoted) + len(":0,") // the last comma is the list's
		}
	}
	return n
}

func (s *scanner) array(element func(i int) error) error {
	if s.peek() != '[' {
		return s.mismatch("an array")
	}
	if err := s.enter(); err != nil {
		return err
	}
	for i := 0; ; i++ {
		ok, err := s.more(']', i == 0)
		if !ok {
			return err
		}
		if err := element(i); err != nil {
			return at(err, i)
		}
	}
}

// read reads one object into v.
func (o *Object[T]) read(s *scanner, v *T) error {
	if s.peek() != '{' {
		return s.mismatch("an object")
	}
	if err := s.enter(); err != nil {
		return err
	}
	var seen uint64
	extraMark := len(s.extra)
	for next, first := 0, true; ; first = false {
		ok, err := s.more('}', first)
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		keyStart := s.pos
		i, key, err := o.key(s, next)
		if err != nil {
			return err
		}
		if i < 0 {
			if err := o.other(s, key, keyStart); err != nil {
				return under(err, string(key))
			}
			continue
		}
		if next = i + 1; seen&(1<<i) != 0 {
			return under(s.fail(keyStart, s.pos, "duplicate key"), o.fields[i].Name)
		}
		seen |= 1 << i
		if err := s.colon(); err != nil {
			return under(err, o.fields[i].Name)
		}
		if err := o.fields[i].read(s, v); err != nil {
			return under(err, o.fields[i].Name)
		}
	}
	for i, f := range o.fields {
		if f.When == Required && seen&(1<<i) == 0 {
			return under(s.fail(s.pos, s.pos, "missing"), f.Name)
		}
	}
	return s.distinct(extraMark)
}

// key reads a key: the index of its field, or -1 and the key. next is the
// index of the field that is likely to come.
func (o *Object[T]) key(s *scanner, next int) (int, []byte, error) {
	rest := s.data[s.pos:]
	for i := next; i < len(o.fields); i++ {
		q := o.fields[i].quoted
		if len(rest) >= len(q) && string(rest[:len(q)]) == q {
			s.pos += len(q)
			return i, nil, nil
		}
	}
	key, escaped, err := s.raw()
	if err != nil {
		return 0, nil, err
	}
	if escaped {
		if key, err = s.unescape(nil, key); err != nil {
			return 0, nil, err
		}
	}
	for i := range o.fields {
		if string(key) == o.fields[i].Name {
			return i, nil, nil
		}
	}
	return -1, key, nil
}

// other reads a member that the table does not have: a newer server's. A key
// that differs from a known one in case only is no server's.
func (o *Object[T]) other(s *scanner, key []byte, keyStart int) error {
	for _, f := range o.fields {
		if bytes.EqualFold(key, []byte(f.Name)) {
			return s.fail(keyStart, s.pos, "wrong case of the key "+f.Name)
		}
	}
	if len(s.extra) == maxUnknown {
		return s.fail(keyStart, s.pos, "more than "+strconv.Itoa(maxUnknown)+" unknown keys")
	}
	s.extra = append(s.extra, key)
	if err := s.colon(); err != nil {
		return err
	}
	return s.skip()
}

// distinct refuses an unknown key that came twice in one object, and forgets
// that object's unknown keys.
func (s *scanner) distinct(mark int) error {
	keys := s.extra[mark:]
	if s.extra = s.extra[:mark]; len(keys) < 2 {
		return nil
	}
	slices.SortFunc(keys, bytes.Compare)
	for i := range keys {
		if i > 0 && bytes.Equal(keys[i-1], keys[i]) {
			return under(s.fail(s.pos, s.pos, "duplicate key"), string(keys[i]))
		}
	}
	return nil
}
