// Package wire decodes JSON into structs whose tags describe each key:
//
//	Layout FlowLayout `json:"layout,omitzero" since:"2022.5"`
//
// A key without a since, until or optional tag must be present; only a pointer
// or a field tagged nullable may be null. Duplicate keys, keys in the wrong case
// and invalid UTF-8 are errors too. Decoded values never refer to the input.
package wire

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Error describes an invalid document.
type Error struct {
	Path       string // such as results[3].pk; "" is the whole document
	Start, End int    // the invalid bytes of the input
	Err        error  // the reason; io.ErrUnexpectedEOF if the input ends early
}

func (e *Error) Error() string { return strings.TrimPrefix(e.Path+": "+e.Err.Error(), ": ") }
func (e *Error) Unwrap() error { return e.Err }

// Decode decodes a document into the pointer v, partly if there is an error.
func Decode(data []byte, v any) error {
	return run(data, func(d *decoder) {
		value := reflect.ValueOf(v).Elem()
		readerOf(value.Type())(d, value)
		d.flush(0, 0)
	})
}

// Check returns an error if data is not one JSON value.
func Check(data []byte) error { return run(data, (*decoder).skip) }

// run reads a document that has one value. As in encoding/json, the functions that
// read a part of the document panic with an *Error.
func run(data []byte, read func(*decoder)) (err error) {
	d := decoders.Get().(*decoder) //nolint:errcheck,forcetypeassert // nothing else is in the pool
	d.data = data
	d.Reset(bytes.NewBuffer(data), jsontext.AllowDuplicateNames(true)) // see model.read
	defer func() {
		if failure := recover(); failure != nil {
			err = failure.(*Error) //nolint:errcheck,forcetypeassert // any other panic goes on
		}
		clear(d.pending[:cap(d.pending)]) // the pool keeps buffers, and nothing that they held
		d.Reset(bytes.NewBuffer(nil))
		*d = decoder{Decoder: d.Decoder, text: d.text[:0], pending: d.pending[:0]}
		decoders.Put(d)
	}()
	read(d)
	if rest := bytes.TrimLeft(d.data[d.InputOffset():], " \t\r\n"); len(rest) > 0 {
		start := len(d.data) - len(rest)
		return &Error{Start: start, End: start + 1, Err: errors.New("data after the end of the JSON value")}
	}
	return nil
}

// must panics if jsontext returns an error, with the place of the error.
func (d *decoder) must(err error) {
	if err == nil {
		return
	}
	var syntax *jsontext.SyntacticError
	if errors.Is(err, io.ErrUnexpectedEOF) || !errors.As(err, &syntax) { // io.EOF
		panic(&Error{Path(d.StackPointer()), len(d.data), len(d.data), io.ErrUnexpectedEOF})
	}
	start := min(int(syntax.ByteOffset), len(d.data)-1)
	panic(&Error{Path(syntax.JSONPointer), start, start + 1, syntax.Err})
}

// fail panics with an error about the last size bytes read. more are the keys
// of its path below the value that was read last.
func (d *decoder) fail(size int, err error, more ...string) {
	pointer, end := d.StackPointer(), int(d.InputOffset())
	if end == len(d.data) && d.StackDepth() > 0 {
		d.must(io.ErrUnexpectedEOF) // the invalid value may only be truncated
	}
	for _, key := range more {
		pointer = pointer.AppendToken(key)
	}
	panic(&Error{Path(pointer), end - size, end, err})
}

// next returns the offset of the next token.
func (d *decoder) next() int {
	return len(d.data) - len(bytes.TrimLeft(d.data[d.InputOffset():], " \t\r\n:,"))
}

// Path returns results[3].pk for /results/3/pk, truncated after 16 KiB.
func Path(pointer jsontext.Pointer) (path string) {
	const plain = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"
	for token := range pointer.Tokens() {
		if _, err := strconv.ParseUint(token, 10, 64); err == nil {
			path += "[" + token + "]"
		} else if strings.Trim(token, plain) == "" && token != "" && len(token) <= 64 {
			path = strings.TrimPrefix(path+"."+token, ".")
		} else {
			path += "[" + strconv.QuoteToASCII(token) + "]"
		}
		if len(path) > 16<<10 {
			return path
		}
	}
	return path
}
