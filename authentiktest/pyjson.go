package authentiktest

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// jsonParser parses the JSON of a request into nil, bool, string, [number],
// []any and [object], and words errors as the parsers of authentik do: Python's
// own, and later orjson.
type jsonParser struct {
	text    string
	at      int
	orjson  bool
	problem string
}

// jsonDepth is how deep orjson lets a document be nested. Python would crash, at
// about that depth.
const jsonDepth = 1024

// parseJSON returns the value of a document, or an error.
func parseJSON(text string, orjson bool) (value any, problem string) {
	p := jsonParser{text: text, orjson: orjson}
	if p.space(); p.at == len(text) && orjson {
		return nil, "input data is empty: line 1 column 1 (char 0)"
	}
	if value = p.value(0); p.problem == "" {
		if p.space(); p.at < len(text) {
			p.fail(p.at, "Extra data", "unexpected content after document")
		}
	}
	return value, p.problem
}

// fail keeps the first error. python and orjson are its texts.
func (p *jsonParser) fail(at int, python, orjson string) { p.failAt(at, python, at, orjson) }

// failAt keeps the first error, which the parsers find at different places.
// orjson has another text for a document that ends too early.
func (p *jsonParser) failAt(at int, message string, orjsonAt int, orjson string) {
	if p.problem != "" {
		return
	}
	if p.orjson {
		if at, message = orjsonAt, orjson; at >= len(p.text) {
			message = "unexpected end of data"
		}
	}
	before := p.text[:min(at, len(p.text))]
	line := strings.Count(before, "\n") + 1
	column := utf8.RuneCountInString(before[strings.LastIndex(before, "\n")+1:]) + 1
	p.problem = fmt.Sprintf("%s: line %d column %d (char %d)", message, line, column, utf8.RuneCountInString(before))
	p.at = len(p.text)
}

func (p *jsonParser) space() {
	for p.at < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.at]) >= 0 {
		p.at++
	}
}

// skip skips a character, if it is the next one.
func (p *jsonParser) skip(c byte) bool {
	if p.at < len(p.text) && p.text[p.at] == c {
		p.at++
		return true
	}
	return false
}

func (p *jsonParser) value(depth int) any {
	rest := p.text[p.at:]
	switch {
	case depth >= jsonDepth && (strings.HasPrefix(rest, "{") || strings.HasPrefix(rest, "[")):
		p.failAt(p.at, "Too many nested values", p.at+1, "array and object recursion depth exceeded")
	case strings.HasPrefix(rest, "{"):
		return p.object(depth)
	case strings.HasPrefix(rest, "["):
		return p.array(depth)
	case strings.HasPrefix(rest, `"`):
		return p.string()
	case rest != "" && (rest[0] == '-' || '0' <= rest[0] && rest[0] <= '9'):
		return p.number()
	}
	return p.literal(rest)
}

func (p *jsonParser) literal(rest string) any {
	const missing = "Expecting value"
	for literal, value := range map[string]any{"null": nil, "true": true, "false": false} {
		switch {
		case rest == "" || rest[0] != literal[0]:
		case strings.HasPrefix(rest, literal):
			p.at += len(literal)
			return value
		case strings.HasPrefix(literal, rest):
			p.failAt(p.at, missing, len(p.text), "")
		default:
			p.fail(p.at, missing, "invalid literal")
		}
	}
	for _, constant := range []string{"NaN", "Infinity", "-Infinity"} {
		if !p.orjson && strings.HasPrefix(rest, constant) && p.problem == "" {
			p.problem = "Out of range float values are not JSON compliant: '" + constant + "'"
		}
	}
	p.fail(p.at, missing, "unexpected character")
	return nil
}

func (p *jsonParser) object(depth int) any {
	p.at++
	members := object{}
	if p.space(); p.skip('}') {
		return members
	}
	for comma := -1; p.problem == ""; {
		if p.at >= len(p.text) || p.text[p.at] != '"' {
			p.trailing(comma, '}', "Expecting property name enclosed in double quotes")
			p.fail(p.at, "Expecting property name enclosed in double quotes", "unexpected character")
			break
		}
		key := p.string()
		if p.space(); !p.skip(':') {
			p.fail(p.at, "Expecting ':' delimiter", "unexpected character")
		}
		p.space()
		members = members.with(key, p.value(depth+1))
		if p.space(); p.skip('}') {
			break
		}
		if !p.skip(',') {
			p.fail(p.at, "Expecting ',' delimiter", "unexpected character")
		}
		comma = p.at - 1
		p.space()
	}
	return members
}

// with returns an object with a value for a key. The last one wins.
func (o object) with(key string, value any) object {
	for i := range o {
		if o[i].key == key {
			o[i].value = value
			return o
		}
	}
	return append(o, member{key, value})
}

// get returns the value of a key.
func (o object) get(key string) (value any, ok bool) {
	for _, m := range o {
		if m.key == key {
			return m.value, true
		}
	}
	return nil, false
}

func (p *jsonParser) array(depth int) any {
	p.at++
	elements := []any{}
	if p.space(); p.skip(']') {
		return elements
	}
	for comma := -1; p.problem == ""; {
		p.trailing(comma, ']', "Expecting value")
		elements = append(elements, p.value(depth+1))
		if p.space(); p.skip(']') {
			break
		}
		if !p.skip(',') {
			p.fail(p.at, "Expecting ',' delimiter", "unexpected character")
		}
		comma = p.at - 1
		p.space()
	}
	return elements
}

// trailing refuses a comma before the end of a list.
func (p *jsonParser) trailing(comma int, end byte, python string) {
	if comma >= 0 && p.at < len(p.text) && p.text[p.at] == end {
		p.failAt(p.at, python, comma, "trailing comma is not allowed")
	}
}

func (p *jsonParser) string() string {
	start := p.at
	for p.at++; p.at < len(p.text); p.at++ {
		switch c := p.text[p.at]; {
		case c == '"':
			p.at++
			var text string
			_ = json.Unmarshal([]byte(p.text[start:p.at]), &text) // the loop has accepted it
			return text
		case c == '\\':
			p.at++
			p.escape(p.at)
		case c < ' ':
			p.fail(p.at, "Invalid control character at", "unexpected control character in string")
		}
	}
	p.failAt(start, "Unterminated string starting at", len(p.text), "")
	return ""
}

var (
	fourDigits = regexp.MustCompile(`^u[0-9a-fA-F]{4}`)
	cutEscape  = regexp.MustCompile(`^u[0-9a-fA-F]{0,3}$`)
)

// escape refuses what may not follow the backslash before at.
func (p *jsonParser) escape(at int) {
	switch rest := p.text[min(at, len(p.text)):]; {
	case rest == "", strings.IndexByte(`"\/bfnrt`, rest[0]) >= 0, fourDigits.MatchString(rest):
	case rest[0] != 'u':
		p.failAt(at-1, "Invalid \\escape", at, "invalid escaped character in string")
	case cutEscape.MatchString(rest):
		p.failAt(at, "Invalid \\uXXXX escape", len(p.text), "")
	default:
		p.failAt(at, "Invalid \\uXXXX escape", at-1, "invalid escaped sequence in string")
	}
}

var (
	numberPrefix = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?`)
	// numberEnds are what orjson refuses after the part of a number.
	numberEnds = []struct {
		refused *regexp.Regexp
		message string
	}{
		{regexp.MustCompile(`^-?()0[0-9]`), "number with leading zero is not allowed"},
		{regexp.MustCompile(`^-()([^0-9]|$)`), "no digit after minus sign"},
		{regexp.MustCompile(`^-?[0-9]+\.()([^0-9]|$)`), "no digit after decimal point"},
		{regexp.MustCompile(`^-?[0-9]+(?:\.[0-9]+)?[eE][-+]?()([^-+0-9]|$)`), "no digit after exponent sign"},
	}
)

func (p *jsonParser) number() any {
	rest := p.text[p.at:]
	if p.orjson {
		for _, end := range numberEnds {
			if found := end.refused.FindStringSubmatchIndex(rest); found != nil {
				p.fail(p.at+found[2], "", end.message)
				return nil
			}
		}
	}
	text := numberPrefix.FindString(rest)
	if text == "" {
		return p.literal(rest)
	}
	n := numberOf(text)
	if p.orjson && strings.HasSuffix(n.text, "inf") { // which Python accepts
		p.fail(p.at, "", "number is infinity when parsed as double")
		return nil
	}
	p.at += len(text)
	return n
}
