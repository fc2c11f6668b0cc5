// Package wire decodes JSON into structs by tables of fields: strict
// where encoding/json is lenient (duplicate keys, case, UTF-8, null, missing
// keys), with the path of what is wrong, and without reflection.
//
// What it accepts, encoding/json accepts too, with equal values; that is
// fuzzed. What it decodes never refers to the input.
package wire

import (
	"bytes"
	"errors"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/google/uuid"
)

// maxDepth is encoding/json's own limit.
const maxDepth = 10_000

// maxUnknown bounds the keys that are remembered to find one that comes twice:
// a newer server has a few, and a body of nothing else would cost 25 times its
// size.
const maxUnknown = 10_000

// Error says what is wrong with a document, and where.
type Error struct {
	Path       string // such as results[3].pk; "" is the whole document
	Start, End int    // the bytes of the input it is about
	Err        error  // the reason; io.ErrUnexpectedEOF if the input ends early
}

func (e *Error) Error() string {
	if e.Path == "" {
		return e.Err.Error()
	}
	return e.Path + ": " + e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// scanner reads one document. Strings go to text first and are handed out as
// parts of one allocation an element (see flush).
type scanner struct {
	data    []byte
	pos     int
	depth   int
	badUTF8 int // offset of the first byte that is not UTF-8, or MaxInt

	text    []byte
	pending []pendingString
	uuids   []uuid.UUID
	extra   [][]byte // keys not in the table, of the objects being read

	// What text and pending begin with: enough for an ordinary element.
	firstText    [512]byte
	firstPending [16]pendingString
}

type pendingString struct {
	to         *string
	start, end int // in text
}

// Decode reads a whole document into v. On an error v is partly written.
func Decode[T any](data []byte, fields *Object[T], v *T) error {
	s := newScanner(data)
	if err := fields.read(s, v); err != nil {
		return err
	}
	s.flush(0, 0)
	return s.end()
}

func newScanner(data []byte) *scanner {
	s := &scanner{data: data, badUTF8: math.MaxInt}
	s.text, s.pending = s.firstText[:0], s.firstPending[:0]
	if !utf8.Valid(data) {
		s.badUTF8 = firstInvalid(data)
	}
	return s
}

func (s *scanner) end() error {
	if s.space(); s.pos < len(s.data) {
		return s.fail(s.pos, s.pos+1, "data after the end of the JSON value")
	}
	return nil
}

func firstInvalid(data []byte) int {
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return math.MaxInt
}

// flush hands out the strings collected since the marks. They share one
// allocation, so that an element that is kept pins its own text only, and
// costs one allocation for all of it.
func (s *scanner) flush(textMark, pendingMark int) {
	all := string(s.text[textMark:])
	for _, p := range s.pending[pendingMark:] {
		*p.to = all[p.start-textMark : p.end-textMark]
	}
	s.text = s.text[:textMark]
	s.pending = s.pending[:pendingMark]
}

func (s *scanner) fail(start, end int, reason string) error {
	return &Error{Start: start, End: min(end, len(s.data)), Err: errors.New(reason)}
}

func (s *scanner) truncated() error {
	return &Error{Start: len(s.data), End: len(s.data), Err: io.ErrUnexpectedEOF}
}

// mismatch reports the value at pos as not being what was wanted.
func (s *scanner) mismatch(want string) error {
	start := s.pos
	got := kind(s.peek())
	if err := s.skip(); err != nil {
		return err // not even JSON, or cut off
	}
	return s.fail(start, s.pos, got+", want "+want)
}

// kind is what begins with c.
func kind(c byte) string {
	switch c {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a string"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	default:
		return "a number"
	}
}

// under puts the name of an enclosing key in front of an error's path.
func under(err error, key string) error {
	var e *Error
	if !errors.As(err, &e) {
		return err
	}
	if !plainKey(key) {
		key = "[" + strconv.QuoteToASCII(clip(key)) + "]"
	}
	if e.Path != "" && e.Path[0] != '[' {
		key += "."
	}
	e.Path = key + e.Path
	return e
}

// at puts an array's index in front of an error's path.
func at(err error, index int) error {
	var e *Error
	if !errors.As(err, &e) {
		return err
	}
	i := "[" + strconv.Itoa(index) + "]"
	if e.Path != "" { // a key's: no array is an array's element
		i += "."
	}
	e.Path = i + e.Path
	return e
}

// clip leaves more than an error shows, and than a server takes of a header, so
// that a secret is found whole before the path is cut.
func clip(key string) string { return key[:min(len(key), 16<<10)] }

func plainKey(key string) bool {
	for _, c := range []byte(key) {
		if c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return key != "" && len(key) <= 64
}

func (s *scanner) space() {
	for s.pos < len(s.data) {
		switch s.data[s.pos] {
		case ' ', '\t', '\r', '\n':
			s.pos++
		default:
			return
		}
	}
}

// peek returns the first byte of the next token, 0 at the end.
func (s *scanner) peek() byte {
	if s.pos < len(s.data) && s.data[s.pos] > ' ' {
		return s.data[s.pos]
	}
	if s.space(); s.pos < len(s.data) {
		return s.data[s.pos]
	}
	return 0
}

func (s *scanner) unexpected(want string) error {
	if s.pos >= len(s.data) {
		return s.truncated()
	}
	return s.fail(s.pos, s.pos+1, "unexpected character, want "+want)
}

func (s *scanner) enter() error {
	s.pos++
	if s.depth++; s.depth > maxDepth {
		return s.fail(s.pos-1, s.pos, "nested too deeply")
	}
	return nil
}

func (s *scanner) leave() {
	s.pos++
	s.depth--
}

// more reports whether another member follows in an object or array that
// ends with end, and moves to it (past the comma) or past the end.
func (s *scanner) more(end byte, first bool) (bool, error) {
	c := s.peek()
	if c == end {
		s.leave()
		return false, nil
	}
	if first {
		return true, nil
	}
	if c != ',' {
		return false, s.unexpected("',' or '" + string(end) + "'")
	}
	s.pos++
	s.space()
	return true, nil
}

// literal reads true, false or null.
func (s *scanner) literal(word string) error {
	for i := range len(word) {
		if s.pos+i >= len(s.data) {
			return s.truncated()
		}
		if s.data[s.pos+i] != word[i] {
			return s.fail(s.pos+i, s.pos+i+1, "unexpected character in a literal")
		}
	}
	s.pos += len(word)
	return nil
}

// raw reads a string token and returns what is between its quotes.
func (s *scanner) raw() (body []byte, escaped bool, err error) {
	if s.peek() != '"' {
		return nil, false, s.unexpected("a string")
	}
	start := s.pos + 1
	data := s.data
	for i := start; i < len(data); i++ {
		switch c := data[i]; {
		case c == '"':
			if s.badUTF8 < i {
				return nil, false, s.fail(s.badUTF8, s.badUTF8+1, "invalid UTF-8")
			}
			s.pos = i + 1
			return data[start:i], escaped, nil
		case c == '\\':
			escaped = true
			i++
		case c < ' ':
			return nil, false, s.fail(i, i+1, "control character in a string")
		}
	}
	s.pos = len(s.data)
	return nil, false, s.truncated()
}

// unescape appends the meaning of an escaped string body to dst.
func (s *scanner) unescape(dst, body []byte) ([]byte, error) {
	bad := func() error {
		end := s.pos - 1 // body ends before the closing quote
		return s.fail(end-len(body), end, "invalid escape in a string")
	}
	for len(body) > 0 {
		i := bytes.IndexByte(body, '\\')
		if i < 0 {
			return append(dst, body...), nil
		}
		dst = append(dst, body[:i]...)
		body = body[i:]
		c := body[1] // raw never ends a body in a lone backslash
		if n := strings.IndexByte(`"\/bfnrt`, c); n >= 0 {
			dst = append(dst, "\"\\/\b\f\n\r\t"[n])
			body = body[2:]
			continue
		}
		r, ok := hexRune(body)
		if !ok {
			return nil, bad()
		}
		size := 6
		if utf16.IsSurrogate(r) {
			low, _ := hexRune(body[6:]) // 0 is no surrogate
			if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
				return nil, bad() // a lone surrogate has no meaning to keep
			}
			size = 12
		}
		dst = utf8.AppendRune(dst, r)
		body = body[size:]
	}
	return dst, nil
}

// hexRune reads \uXXXX.
func hexRune(b []byte) (rune, bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range b[2:6] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// bytes reads a string value; the result is valid until text is next used.
func (s *scanner) bytes() ([]byte, error) {
	if c := s.peek(); c != '"' {
		return nil, s.mismatch("a string")
	}
	body, escaped, err := s.raw()
	if !escaped {
		return body, err
	}
	mark := len(s.text)
	text, err := s.unescape(s.text, body)
	if err != nil {
		return nil, err
	}
	s.text = text[:mark]
	return text[mark:], nil
}

// str reads a string into to, once flush is called.
func (s *scanner) str(to *string) error {
	b, err := s.bytes()
	if err != nil {
		return err
	}
	s.keep(to, b)
	return nil
}

func (s *scanner) keep(to *string, b []byte) {
	start := len(s.text)
	s.text = append(s.text, b...)
	s.pending = append(s.pending, pendingString{to, start, len(s.text)})
}

func (s *scanner) uuid(to *uuid.UUID) (err error) {
	start := s.pos
	// Straight to it, as long as it is one: UUIDs are a third of all bytes.
	if start+38 <= len(s.data) && s.data[start] == '"' && s.data[start+37] == '"' {
		if *to, err = uuid.ParseBytes(s.data[start+1 : start+37]); err == nil {
			s.pos += 38
			return nil
		}
	}
	b, err := s.bytes()
	if err != nil {
		return err
	}
	// The length first: uuid.ParseBytes reads urn:uuid:…, {…} and undashed
	// forms too, which no server sends.
	if len(b) == 36 {
		*to, err = uuid.ParseBytes(b)
	}
	if len(b) != 36 || err != nil {
		return s.fail(start, s.pos, "not a UUID of 36 characters")
	}
	return nil
}

func (s *scanner) boolean(to *bool) error {
	switch s.peek() {
	case 't':
		*to = true
		return s.literal("true")
	case 'f':
		*to = false
		return s.literal("false")
	default:
		return s.mismatch("a boolean")
	}
}

// number reads a number token.
func (s *scanner) number() ([]byte, error) {
	start := s.pos
	digits := func() bool {
		from := s.pos
		for s.pos < len(s.data) && s.data[s.pos]-'0' <= 9 {
			s.pos++
		}
		return s.pos > from
	}
	next := func(set string) bool {
		if s.pos < len(s.data) && strings.IndexByte(set, s.data[s.pos]) >= 0 {
			s.pos++
			return true
		}
		return false
	}
	next("-")
	ok := next("0") || digits()
	if ok && next(".") {
		ok = digits()
	}
	if ok && next("eE") {
		next("+-")
		ok = digits()
	}
	if !ok {
		return nil, s.unexpected("a digit")
	}
	if s.pos == len(s.data) && s.depth > 0 {
		return nil, s.truncated() // 1.5 may have been 1.5e1, which is whole
	}
	return s.data[start:s.pos], nil
}

// integer reads a number that is a whole one, in any form: 2, 2.0, 2e0.
func (s *scanner) integer(to *int) error {
	if c := s.peek(); c != '-' && c-'0' > 9 {
		return s.mismatch("an integer")
	}
	start := s.pos
	token, err := s.number()
	if err != nil {
		return err
	}
	n, ok := wholeNumber(token)
	if !ok {
		return s.fail(start, s.pos, "not an integer in range")
	}
	*to = n
	return nil
}

// wholeNumber is exact: it never goes through a float.
func wholeNumber(token []byte) (int, bool) {
	if n, err := strconv.Atoi(string(token)); err == nil {
		return n, true // as nearly always, and then without an allocation
	}
	negative := token[0] == '-'
	if negative {
		token = token[1:]
	}
	exponent := 0
	if i := bytes.IndexAny(token, "eE"); i >= 0 {
		exponent, _ = strconv.Atoi(string(token[i+1:])) // out of range it is the limit, and only zero is still an int
		token = token[:i]
	}
	whole, fraction, _ := bytes.Cut(token, []byte("."))
	digits := bytes.TrimLeft(slices.Concat(whole, fraction), "0")
	if len(digits) == 0 {
		return 0, true
	}
	exponent = max(exponent, -len(token)) - len(fraction)
	for ; exponent < 0; exponent++ {
		if digits[len(digits)-1] != '0' { // the first one is not
			return 0, false
		}
		digits = digits[:len(digits)-1]
	}
	if exponent > 19 {
		return 0, false
	}
	text := string(digits) + strings.Repeat("0", exponent)
	if negative {
		text = "-" + text
	}
	n, err := strconv.Atoi(text)
	return n, err == nil
}

// skip reads a value that nobody wants, as strictly as one that is kept.
func (s *scanner) skip() error {
	switch c := s.peek(); c {
	case '{':
		if err := s.enter(); err != nil {
			return err
		}
		for first := true; ; first = false {
			ok, err := s.more('}', first)
			if !ok {
				return err
			}
			if err := s.skipString(); err != nil {
				return err
			}
			if err := s.colon(); err != nil {
				return err
			}
			if err := s.skip(); err != nil {
				return err
			}
		}
	case '[':
		if err := s.enter(); err != nil {
			return err
		}
		for first := true; ; first = false {
			ok, err := s.more(']', first)
			if !ok {
				return err
			}
			if err := s.skip(); err != nil {
				return err
			}
		}
	case '"':
		return s.skipString()
	case 't':
		return s.literal("true")
	case 'f':
		return s.literal("false")
	case 'n':
		return s.literal("null")
	default:
		if c != '-' && c-'0' > 9 {
			return s.unexpected("a JSON value")
		}
		start := s.pos
		token, err := s.number()
		if err != nil {
			return err
		}
		// encoding/json refuses what no float64 holds; so do we.
		if _, err := strconv.ParseFloat(string(token), 64); err != nil {
			return s.fail(start, s.pos, "number out of range")
		}
		return nil
	}
}

func (s *scanner) skipString() error {
	body, escaped, err := s.raw()
	if escaped {
		mark := len(s.text)
		var text []byte
		if text, err = s.unescape(s.text, body); err == nil {
			s.text = text[:mark]
		}
	}
	return err
}

func (s *scanner) colon() error {
	if s.peek() != ':' {
		return s.unexpected("':'")
	}
	s.pos++
	s.space()
	return nil
}

// Check reads a whole document that is to be decoded by other means.
func Check(data []byte) error {
	s := newScanner(data)
	if err := s.skip(); err != nil {
		return err
	}
	return s.end()
}
