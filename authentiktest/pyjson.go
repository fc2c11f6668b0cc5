package authentiktest

import (
	"encoding/json"
	"fmt"
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

// jsonDepth is how deep a document may be nested.
const jsonDepth = 1000

// parseJSON returns the value of a document, or an error.
func parseJSON(text string, orjson bool) (value any, problem string) {
	p := jsonParser{text: text, orjson: orjson}
	p.space()
	if value = p.value(0); p.problem == "" {
		if p.space(); p.at < len(text) {
			p.fail(p.at, "Extra data", "unexpected content after document")
		}
	}
	return value, p.problem
}

// fail keeps the first error. python and orjson are its texts.
func (p *jsonParser) fail(at int, python, orjson string) {
	if p.problem != "" {
		return
	}
	message := python
	if p.orjson {
		if message = orjson; at >= len(p.text) {
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
	case depth > jsonDepth:
		p.fail(p.at, "Too many nested values", "recursion limit exceeded")
	case strings.HasPrefix(rest, "{"):
		return p.object(depth)
	case strings.HasPrefix(rest, "["):
		return p.array(depth)
	case strings.HasPrefix(rest, `"`):
		return p.string()
	case rest != "" && (rest[0] == '-' || '0' <= rest[0] && rest[0] <= '9'):
		return p.number()
	}
	for literal, value := range map[string]any{"null": nil, "true": true, "false": false} {
		if strings.HasPrefix(rest, literal) {
			p.at += len(literal)
			return value
		}
	}
	p.fail(p.at, "Expecting value", "unexpected character")
	return nil
}

func (p *jsonParser) object(depth int) any {
	p.at++
	members := object{}
	if p.space(); p.skip('}') {
		return members
	}
	for p.problem == "" {
		if p.at >= len(p.text) || p.text[p.at] != '"' {
			p.fail(p.at, "Expecting property name enclosed in double quotes",
				"unexpected character, expected a string for object key")
			break
		}
		key := p.string()
		if p.space(); !p.skip(':') {
			p.fail(p.at, "Expecting ':' delimiter", "unexpected character, expected a colon after object key")
		}
		p.space()
		members = members.with(key, p.value(depth+1))
		if p.space(); p.skip('}') {
			break
		}
		if !p.skip(',') {
			p.fail(p.at, "Expecting ',' delimiter", "unexpected character, expected a comma or a closing brace")
		}
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
	for p.problem == "" {
		elements = append(elements, p.value(depth+1))
		if p.space(); p.skip(']') {
			break
		}
		if !p.skip(',') {
			p.fail(p.at, "Expecting ',' delimiter", "unexpected character, expected a comma or a closing bracket")
		}
		p.space()
	}
	return elements
}

func (p *jsonParser) string() string {
	start := p.at
	for p.at++; p.at < len(p.text); p.at++ {
		switch c := p.text[p.at]; {
		case c == '"':
			p.at++
			var text string
			if err := json.Unmarshal([]byte(p.text[start:p.at]), &text); err != nil {
				p.fail(start, "Invalid \\escape", "invalid escaped character in string")
			}
			return text
		case c == '\\':
			p.at++
		case c < ' ':
			p.fail(p.at, "Invalid control character at", "unexpected control character in string")
		}
	}
	at := start
	if p.orjson {
		at = len(p.text)
	}
	p.fail(at, "Unterminated string starting at", "unclosed string")
	return ""
}

func (p *jsonParser) number() any {
	start := p.at
	for p.at < len(p.text) && strings.IndexByte("+-.0123456789eE", p.text[p.at]) >= 0 {
		p.at++
	}
	text := p.text[start:p.at]
	if !json.Valid([]byte(text)) {
		p.fail(start, "Expecting value", "invalid number")
	}
	return numberOf(text)
}
