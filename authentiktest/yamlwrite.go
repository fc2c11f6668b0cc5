package authentiktest

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// yamlWidth is the column after which PyYAML breaks a text.
const yamlWidth = 80

// yamlWriter writes YAML as PyYAML does: keys in their order, lists at the
// column of their key, texts in the plainest style that keeps them, in ASCII.
type yamlWriter struct {
	out    strings.Builder
	column int
}

// toYAML returns a document.
func toYAML(root object) []byte {
	var w yamlWriter
	w.object(root, 0)
	return []byte(w.out.String())
}

func (w *yamlWriter) write(text string) {
	w.out.WriteString(text)
	w.column += utf8.RuneCountInString(text)
}

// line starts a new line.
func (w *yamlWriter) line(indent int) {
	w.out.WriteByte('\n')
	w.column = 0
	w.write(strings.Repeat(" ", indent))
}

func (w *yamlWriter) object(o object, indent int) {
	o = slices.Clone(o)
	slices.SortStableFunc(o, func(a, b member) int { return strings.Compare(a.key, b.key) })
	for i, m := range o {
		if i > 0 {
			w.write(strings.Repeat(" ", indent))
		}
		w.scalar(m.key, indent+2)
		w.write(":")
		w.value(m.value, indent)
	}
}

// value writes a value after its key, and the end of the line.
func (w *yamlWriter) value(value any, indent int) {
	switch value := value.(type) {
	case object:
		if len(value) > 0 {
			w.line(indent + 2)
			w.object(value, indent+2)
			return
		}
		w.write(" {}")
	case []any:
		if len(value) > 0 {
			w.line(indent)
			w.list(value, indent)
			return
		}
		w.write(" []")
	default:
		w.write(" ")
		w.scalar(value, indent+2)
	}
	w.line(0)
}

func (w *yamlWriter) list(elements []any, indent int) {
	for i, element := range elements {
		if i > 0 {
			w.write(strings.Repeat(" ", indent))
		}
		w.write("-")
		if o, ok := element.(object); ok && len(o) > 0 {
			w.write(" ")
			w.object(o, indent+2)
			continue
		}
		w.value(element, indent)
	}
}

func (w *yamlWriter) scalar(value any, indent int) {
	text, ok := value.(string)
	switch {
	case !ok:
		w.write(string(appendJSON(nil, value))) // null, true, 7 and 1.5 look the same
	case plainStyle(text):
		w.plain(text, indent)
	case quotedStyle(text):
		w.quoted(text, indent)
	default:
		w.doubleQuoted(text, indent)
	}
}

var (
	// ambiguous matches a text that is no string unless it is quoted.
	ambiguous = regexp.MustCompile(`^(?:|~|(?i:null|true|false|yes|no|on|off)|<<|=` +
		`|[-+]?0b[01_]+|[-+]?0x[0-9a-fA-F_]+|[-+]?(?:0|[1-9][0-9_]*|0[0-7_]+)|[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+` +
		`|[-+]?(?:[0-9][0-9_]*)\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?` +
		`|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)` +
		`|[0-9]{4}-[0-9]{2}-[0-9]{2}` +
		`|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt]|[ \t]+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]*)?` +
		`(?:[ \t]*(?:Z|[-+][0-9]{1,2}(?::[0-9]{2})?))?)$`)
	// indicator matches a text that would have a meaning unless it is quoted.
	indicator = regexp.MustCompile("^[#,\\[\\]{}&*!|>'\"%@`]|^[?:](?:[ \n]|$)|^-(?:[ \n]|$)|^---|^\\.\\.\\." +
		"|:(?:[ \n]|$)|[ \n]#")
	ascii = regexp.MustCompile(`^[\n\x20-\x7e]*$`)
	// spaced matches a line break with a space beside it.
	spaced = regexp.MustCompile(`\n | \n`)
)

func plainStyle(text string) bool {
	return ascii.MatchString(text) && !strings.Contains(text, "\n") && !ambiguous.MatchString(text) &&
		!indicator.MatchString(text) && strings.Trim(text, " ") == text
}

func quotedStyle(text string) bool { return ascii.MatchString(text) && !spaced.MatchString(text) }

// plain writes a text, and breaks it at a space beyond the width.
func (w *yamlWriter) plain(text string, indent int) {
	words := strings.Split(text, " ")
	for i, word := range words {
		switch {
		case i == 0:
		case word != "" && words[i-1] != "" && w.column > yamlWidth: // a single space can be a break
			w.line(indent)
		default:
			w.write(" ")
		}
		w.write(word)
	}
}

func (w *yamlWriter) quoted(text string, indent int) {
	w.write("'")
	for at := 0; at < len(text); {
		switch c := text[at]; {
		case c == '\n':
			end := at
			for end < len(text) && text[end] == '\n' {
				end++
			}
			w.out.WriteString(strings.Repeat("\n", end-at))
			w.line(indent)
			at = end
			continue
		case c == '\'':
			w.write("''")
		case c == ' ' && w.column > yamlWidth && 0 < at && at < len(text)-1 && text[at-1] != ' ' && text[at+1] != ' ':
			w.line(indent)
		default:
			w.write(string(c))
		}
		at++
	}
	w.write("'")
}

// yamlEscapes are the characters that have an escape of their own.
var yamlEscapes = map[rune]string{
	0: "0", '\a': "a", '\b': "b", '\t': "t", '\n': "n", '\v': "v", '\f': "f", '\r': "r", 0x1b: "e", '"': `"`,
	'\\': `\`, 0x85: "N", 0xa0: "_", 0x2028: "L", 0x2029: "P",
}

func yamlEscape(r rune) string {
	switch {
	case yamlEscapes[r] != "":
		return `\` + yamlEscapes[r]
	case r <= 0xff:
		return fmt.Sprintf(`\x%02X`, r)
	case r <= 0xffff:
		return fmt.Sprintf(`\u%04X`, r)
	}
	return fmt.Sprintf(`\U%08X`, r)
}

// doubleQuoted writes a text with escapes, in lines that end with a backslash.
func (w *yamlWriter) doubleQuoted(text string, indent int) {
	w.write(`"`)
	runes := []rune(text)
	start := 0 // of what is not written yet
	for end := 0; end <= len(runes); end++ {
		last := end == len(runes)
		escaped := !last && (runes[end] == '"' || runes[end] == '\\' || runes[end] < ' ' || runes[end] > '~')
		if last || escaped {
			w.write(string(runes[start:end]))
			start = end
			if escaped {
				w.write(yamlEscape(runes[end]))
				start = end + 1
			}
		}
		breaks := !last && (runes[end] == ' ' || start >= end)
		if breaks && 0 < end && end < len(runes)-1 && w.column+end-start > yamlWidth {
			if start < end {
				w.write(string(runes[start:end]))
				start = end
			}
			w.write(`\`)
			w.line(indent)
			if runes[start] == ' ' {
				w.write(`\`)
			}
		}
	}
	w.write(`"`)
}
