package authentiktest

import (
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// yamlReader reads the YAML that exports and small blueprints consist of: block
// mappings and lists, flow mappings and lists (and so JSON), and scalars that
// are plain or in quotes, over several lines, too. It knows of no anchors, no
// block scalars, and of no tag but !Env, !KeyOf and !Find.
type yamlReader struct {
	text     string
	at       int
	depth    int
	brackets int // the flow collections around
	err      error
}

var errYAML = errors.New("authentiktest: not the YAML that the fake reads")

const yamlDepth = 100

// documentEnd matches the mark of the end of a document, if it is the last line.
var documentEnd = regexp.MustCompile(`(^|\n)\.\.\.\s*$`)

// parseYAML returns the value of a document: nil, bool, string, [number], []any
// or [object].
func parseYAML(content []byte) (any, error) {
	if !utf8.Valid(content) || slices.ContainsFunc([]rune(string(content)), func(r rune) bool {
		return r < ' ' && r != '\n' && r != '\r' && r != '\t'
	}) {
		return nil, errYAML
	}
	text := documentEnd.ReplaceAllString(strings.ReplaceAll(string(content), "\r\n", "\n"), "$1")
	r := yamlReader{text: text + "\n"}
	r.gap()
	if strings.HasPrefix(r.text[r.at:], "---\n") {
		r.at += len("---")
		r.gap()
	}
	value := r.block(0)
	if r.gap(); r.err == nil && r.at < len(r.text) {
		r.fail()
	}
	return value, r.err
}

func (r *yamlReader) fail() {
	r.err = errYAML
	r.at = len(r.text)
}

// gap skips spaces, line breaks and comments.
func (r *yamlReader) gap() {
	for r.at < len(r.text) {
		switch c := r.text[r.at]; {
		case c == '#' && (r.at == 0 || strings.IndexByte(" \n", r.text[r.at-1]) >= 0):
			r.at += strings.IndexByte(r.text[r.at:], '\n')
		case c == ' ' || c == '\n' || c == '\t' && r.brackets > 0:
			r.at++
		default:
			return
		}
	}
}

// column returns the column of the next character.
func (r *yamlReader) column() int { return r.at - strings.LastIndexByte(r.text[:r.at], '\n') - 1 }

func (r *yamlReader) peek() byte {
	if r.at < len(r.text) {
		return r.text[r.at]
	}
	return 0
}

var (
	listMark = regexp.MustCompile(`^-[ \n]`)
	yamlKey  = regexp.MustCompile(`^(?:"(?:[^"\\\n]|\\.)*" *|'(?:[^'\n]|'')*' *` +
		`|(?:[^\s\[\]{}&*!|>'"%@,#` + "`" + `?:-]|[-?:][^\s])(?:[^\n ]| +[^\n #])*? *):[ \n]`)
)

// block reads the value at the next character, whose lines are indented by at
// least indent.
func (r *yamlReader) block(indent int) any {
	if r.depth++; r.depth > yamlDepth {
		r.fail()
	}
	defer func() { r.depth-- }()
	rest := r.text[r.at:]
	switch {
	case r.at >= len(r.text) || r.column() < indent:
		return nil
	case listMark.MatchString(rest):
		return r.blockList()
	case isBlock(rest):
		return r.blockObject()
	case strings.HasPrefix(rest, "!"):
		return r.tag(func() any { return r.block(indent) })
	}
	return r.flow(indent, "")
}

// isBlock reports whether a list or an object in lines begins a text.
func isBlock(text string) bool {
	return listMark.MatchString(text) || yamlKey.MatchString(text) && text[0] != '{' && text[0] != '['
}

func (r *yamlReader) blockList() any {
	column, elements := r.column(), []any{}
	for r.err == nil && r.at < len(r.text) && r.column() == column && listMark.MatchString(r.text[r.at:]) {
		r.at++
		r.gap()
		elements = append(elements, r.block(column+1))
		r.gap()
	}
	if r.column() > column {
		r.fail()
	}
	return elements
}

func (r *yamlReader) blockObject() any {
	column, members := r.column(), object{}
	for r.err == nil && r.at < len(r.text) && r.column() == column {
		key := yamlKey.FindString(r.text[r.at:])
		if key == "" {
			r.fail()
			break
		}
		name, ok := r.key(key[:len(key)-2])
		if !ok {
			r.fail()
			break
		}
		r.at += len(key) - 1
		end := r.at
		r.gap()
		if !strings.Contains(r.text[end:r.at], "\n") && isBlock(r.text[r.at:]) {
			r.fail() // which begins on a line of its own
		}
		indent := column + 1
		if r.column() == column && listMark.MatchString(r.text[min(r.at, len(r.text)):]) {
			indent = column // a list may be at the column of its key
		}
		members = members.with(name, r.block(indent))
		r.gap()
	}
	if r.at < len(r.text) && r.column() > column {
		r.fail()
	}
	return members
}

// key returns the text of a key.
func (r *yamlReader) key(text string) (string, bool) {
	inner := yamlReader{text: strings.TrimRight(text, " ") + "\n"}
	value := inner.flow(0, "")
	return pyString(value), inner.err == nil
}

// tag reads a tag and the value after it.
func (r *yamlReader) tag(value func() any) any {
	for _, name := range tags {
		if rest, ok := strings.CutPrefix(r.text[r.at:], "!"+name); ok && strings.IndexByte(" \n", rest[0]) >= 0 {
			r.at += len("!") + len(name)
			r.gap()
			return yamlTag{name, value()}
		}
	}
	return r.env()
}

// env reads !Env NAME: a variable of the environment of authentik.
func (r *yamlReader) env() any {
	name, ok := strings.CutPrefix(r.text[r.at:], "!Env ")
	if !ok {
		r.fail()
		return nil
	}
	r.at += len("!Env ")
	end := strings.IndexAny(name, ",]}\n ")
	r.at += end
	if name[:end] == "HOME" {
		return "/root"
	}
	return nil
}

// flow reads a flow collection or a scalar, up to one of the characters of
// until, if there are any, and lines that are indented less.
func (r *yamlReader) flow(indent int, until string) any {
	switch r.peek() {
	case '{':
		return r.flowObject()
	case '[':
		return r.flowList()
	case '"', '\'':
		return r.quoted()
	case '!':
		return r.tag(func() any { return r.flow(indent, until) })
	}
	return r.plain(indent, until)
}

func (r *yamlReader) flowObject() any {
	members := object{}
	for r.open(); r.err == nil; r.comma('}') {
		if r.shut('}') {
			break
		}
		key := pyString(r.flow(0, ":,}"))
		if r.gap(); r.peek() != ':' {
			r.fail()
			break
		}
		r.at++
		r.gap()
		members = members.with(key, r.flow(0, ",}"))
	}
	return members
}

func (r *yamlReader) flowList() any {
	elements := []any{}
	for r.open(); r.err == nil; r.comma(']') {
		if r.shut(']') {
			break
		}
		elements = append(elements, r.flow(0, ",]"))
	}
	return elements
}

// open skips an opening bracket.
func (r *yamlReader) open() {
	if r.brackets++; r.brackets > yamlDepth {
		r.fail()
		return
	}
	r.at++
	r.gap()
}

// shut skips a closing bracket, if it is the next character.
func (r *yamlReader) shut(bracket byte) bool {
	if r.peek() != bracket {
		return false
	}
	r.at++
	r.brackets--
	return true
}

// comma skips a comma, which must follow unless the collection is shut.
func (r *yamlReader) comma(shut byte) {
	switch r.gap(); r.peek() {
	case ',':
		r.at++
		r.gap()
	case shut:
	default:
		r.fail()
	}
}

var lineBreak = regexp.MustCompile(` *\n( *\n)* *`)

// fold joins the lines of a scalar: a break is a space, and each empty line a
// break.
func fold(text string) string {
	return lineBreak.ReplaceAllStringFunc(text, func(gap string) string {
		if breaks := strings.Count(gap, "\n"); breaks > 1 {
			return strings.Repeat("\n", breaks-1)
		}
		return " "
	})
}

func (r *yamlReader) quoted() any {
	quote := r.peek()
	start := r.at + 1
	for r.at++; r.at < len(r.text); r.at++ {
		switch c := r.text[r.at]; {
		case c == '\\' && quote == '"':
			r.at++
		case c == quote && quote == '\'' && strings.HasPrefix(r.text[r.at+1:], "'"):
			r.at++
		case c == quote:
			r.at++
			inner := r.text[start : r.at-1]
			if quote == '\'' {
				return strings.ReplaceAll(fold(inner), "''", "'")
			}
			return r.unescaped(inner)
		}
	}
	r.fail()
	return nil
}

var (
	continued   = regexp.MustCompile(`\\\n *`)
	yamlEscaped = regexp.MustCompile(`\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|(?s:.))`)
)

// unescaped returns the text that is written in double quotes.
func (r *yamlReader) unescaped(text string) any {
	// A line that ends with a backslash goes on after the space of the next.
	text = fold(continued.ReplaceAllString(text, ""))
	return yamlEscaped.ReplaceAllStringFunc(text, func(escape string) string {
		if len(escape) > 2 {
			code, err := strconv.ParseInt(escape[2:], 16, 32)
			if err != nil || code > utf8.MaxRune {
				r.fail()
			}
			return string(rune(code))
		}
		for char, name := range yamlEscapes {
			if name == escape[1:] {
				return string(char)
			}
		}
		if escape[1:] == " " || escape[1:] == "/" {
			return escape[1:]
		}
		r.fail()
		return ""
	})
}

func (r *yamlReader) plain(indent int, until string) any {
	start := r.at
	if strings.IndexByte("&*|>%@`{}[],:", r.peek()) >= 0 || r.at >= len(r.text) {
		r.fail()
		return nil
	}
	end := r.at
	for r.at < len(r.text) {
		c := r.text[r.at]
		rest := r.text[r.at:]
		switch {
		case until != "" && strings.IndexByte(until, c) >= 0 && (c != ':' || strings.IndexByte(" \n", rest[1]) >= 0):
			return resolved(fold(strings.TrimRight(r.text[start:end], " ")))
		case strings.HasPrefix(rest, ": ") || strings.HasPrefix(rest, ":\n"):
			r.fail()
			return nil
		case strings.HasPrefix(rest, " #"):
			r.gap()
			return resolved(fold(strings.TrimRight(r.text[start:end], " ")))
		case c == '\n':
			end = r.at
			r.gap()
			if until == "" && (r.column() < max(indent, 1) || r.at >= len(r.text)) {
				return resolved(fold(strings.TrimRight(r.text[start:end], " ")))
			}
			continue
		}
		r.at++
		end = r.at
	}
	if until != "" {
		r.fail()
	}
	return resolved(fold(strings.TrimRight(r.text[start:end], " \n")))
}

var yamlNumber = regexp.MustCompile(`^[-+]?(?:0|[1-9][0-9]*)(?:\.[0-9]*)?(?:[eE][-+][0-9]+)?$`)

// resolved returns the value of a plain scalar.
func resolved(text string) any {
	switch strings.ToLower(text) {
	case "", "~", "null":
		return nil
	case "true", "yes", "on":
		return true
	case "false", "no", "off":
		return false
	}
	if yamlNumber.MatchString(text) {
		return numberOf(strings.TrimPrefix(text, "+"))
	}
	return text
}
