package authentiktest

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
)

// number is a number of a document as Python writes it.
type number struct {
	text  string
	float bool
}

// numberOf returns a number of JSON or YAML.
func numberOf(text string) number {
	if !strings.ContainsAny(text, ".eE") {
		if text == "-0" {
			text = "0"
		}
		return number{text, false}
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil && math.IsInf(f, 0) {
		return number{strings.ToLower(strings.TrimPrefix(strconv.FormatFloat(f, 'g', -1, 64), "+")), true}
	}
	return number{pyFloat(f), true}
}

// pyFloat returns the repr of a Python float.
func pyFloat(f float64) string {
	format := byte('f')
	if exponent := math.Floor(math.Log10(math.Abs(f))); f != 0 && (exponent < -4 || exponent >= 16) {
		format = 'e'
	}
	text := strconv.FormatFloat(f, format, -1, 64)
	if !strings.ContainsAny(text, ".e") {
		text += ".0"
	}
	return text
}

// pyString returns what str returns of a value.
func pyString(value any) string {
	if text, ok := value.(string); ok {
		return text
	}
	return pyRepr(value)
}

// pyRepr returns what repr returns of a value.
func pyRepr(value any) string {
	switch value := value.(type) {
	case nil:
		return "None"
	case bool:
		if value {
			return "True"
		}
		return "False"
	case string:
		return pyQuote(value)
	case number:
		return value.text
	case yamlTag:
		return "!" + value.name + " " + pyRepr(value.value)
	case []any:
		elements := make([]string, len(value))
		for i, element := range value {
			elements[i] = pyRepr(element)
		}
		return "[" + strings.Join(elements, ", ") + "]"
	}
	o, _ := value.(object) // a document has no other values
	members := make([]string, len(o))
	for i, m := range o {
		members[i] = pyQuote(m.key) + ": " + pyRepr(m.value)
	}
	return "{" + strings.Join(members, ", ") + "}"
}

// pyQuote returns the repr of a Python string.
func pyQuote(text string) string {
	quote := "'"
	if strings.Contains(text, "'") && !strings.Contains(text, `"`) {
		quote = `"`
	}
	var quoted strings.Builder
	quoted.WriteString(quote)
	for _, r := range text {
		switch {
		case r == '\\' || string(r) == quote:
			quoted.WriteString(`\` + string(r))
		case r == '\n':
			quoted.WriteString(`\n`)
		case r == '\r':
			quoted.WriteString(`\r`)
		case r == '\t':
			quoted.WriteString(`\t`)
		case unicode.IsPrint(r):
			quoted.WriteRune(r)
		case r <= 0xff:
			fmt.Fprintf(&quoted, `\x%02x`, r)
		case r <= 0xffff:
			fmt.Fprintf(&quoted, `\u%04x`, r)
		default:
			fmt.Fprintf(&quoted, `\U%08x`, r)
		}
	}
	return quoted.String() + quote
}

// pyType returns the name of the type of a value that is neither null nor an
// object.
func pyType(value any) string {
	switch value := value.(type) {
	case bool:
		return "bool"
	case string:
		return "str"
	case number:
		if value.float {
			return "float"
		}
		return "int"
	default:
		return "list"
	}
}

// pyTrim removes the space that str.strip removes.
func pyTrim(text string) string {
	return strings.TrimFunc(text, func(r rune) bool {
		return unicode.IsSpace(r) || '\x1c' <= r && r <= '\x1f'
	})
}
