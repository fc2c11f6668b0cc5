package authentiktest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"math/big"
	"mime"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// answers are the values of a response that have passed their validation.
type answers map[string]any

func (in answers) text(key string) string {
	text, _ := in[key].(string)
	return text
}

// input is a value that a response may have. Its validation is that of
// Django's REST framework.
type input struct {
	key      string
	kind     inputKind
	optional bool
	blank    bool // a text may be empty
	null     bool
	untrimmed,
	ignored bool // the value that was sent does not count
	value   any // in the place of one that is missing; nil is none
	choices []string
	check   func(text string) (problem string)
}

// inputKind is what an input accepts: the value, or its error.
type inputKind func(i input, sent any) (value any, text, code string)

var (
	emailPattern = regexp.MustCompile(`(?i)^[-!#$%&'*+/=?^_` + "`" + `{}|~0-9a-z]+(\.[-!#$%&'*+/=?^_` + "`" + `{}|~0-9a-z]+)*` +
		`@(localhost|([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{1,62}[a-z0-9])$`)
	wholePattern = regexp.MustCompile(`^[+-]?[0-9]+(\.0*)?$`)
	truths       = []string{"t", "T", "y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON", "1"}
	falsehoods   = []string{"f", "F", "n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF", "0"}
)

func textInput(i input, sent any) (any, string, string) {
	var value string
	switch sent := sent.(type) {
	case string:
		value = sent
	case json.Number:
		value = sent.String()
	default:
		return nil, "Not a valid string.", "invalid"
	}
	if !i.untrimmed {
		value = strings.TrimSpace(value)
	}
	switch {
	case value == "" && !i.blank:
		return nil, "This field may not be blank.", "blank"
	case strings.ContainsRune(value, 0):
		return nil, "Null characters are not allowed.", "null_characters_not_allowed"
	}
	return value, "", ""
}

func emailInput(i input, sent any) (any, string, string) {
	value, problem, code := textInput(i, sent)
	if address, _ := value.(string); address != "" && !emailPattern.MatchString(address) {
		return nil, "Enter a valid email address.", "invalid"
	}
	return value, problem, code
}

func wholeInput(_ input, sent any) (any, string, string) {
	var digits string
	switch sent := sent.(type) {
	case string:
		digits = strings.TrimSpace(sent)
	case json.Number:
		digits = sent.String()
	}
	if !wholePattern.MatchString(digits) {
		return nil, "A valid integer is required.", "invalid"
	}
	digits, _, _ = strings.Cut(digits, ".")
	n, _ := new(big.Int).SetString(digits, 10)
	return json.Number(n.String()), "", ""
}

func booleanInput(_ input, sent any) (any, string, string) {
	word, _ := sent.(string)
	if n, ok := sent.(json.Number); ok {
		word = n.String()
	}
	switch {
	case sent == true, slices.Contains(truths, word):
		return true, "", ""
	case sent == false, slices.Contains(falsehoods, word):
		return false, "", ""
	}
	return nil, "Must be a valid boolean.", "invalid"
}

func choiceInput(i input, sent any) (any, string, string) {
	word := pyString(documentOf(sent))
	if !slices.Contains(i.choices, word) {
		return nil, `"` + word + `" is not a valid choice.`, "invalid_choice"
	}
	return word, "", ""
}

func mapInput(_ input, sent any) (any, string, string) {
	if value, ok := sent.(map[string]any); ok {
		return value, "", ""
	}
	return nil, `Expected a dictionary of items but got type "` + pyType(documentOf(sent)) + `".`, "not_a_dict"
}

func dateInput(_ input, sent any) (any, string, string) {
	value, _ := sent.(string)
	if _, err := time.Parse(time.DateOnly, value); err != nil {
		return nil, "Date has wrong format. Use one of these formats instead: YYYY-MM-DD.", "invalid"
	}
	return value, "", ""
}

func dateTimeInput(_ input, sent any) (any, string, string) {
	value, _ := sent.(string)
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05.999999"} {
		for _, zone := range []string{"", "Z07:00"} {
			if _, err := time.Parse(layout+zone, strings.Replace(value, " ", "T", 1)); err == nil {
				return value, "", ""
			}
		}
	}
	return nil, "Datetime has wrong format. Use one of these formats instead: " +
		"YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z].", "invalid"
}

func fileInput(i input, sent any) (any, string, string) {
	value, problem, code := textInput(i, sent)
	if link, _ := value.(string); problem == "" && !strings.HasPrefix(link, "data:") {
		return nil, "Invalid scheme", "invalid"
	}
	return value, problem, code
}

// validate returns the values of a response that the inputs of the current
// stage accept. It adds the problems of the others.
func (v *visit) validate(body any, p *problems) answers {
	if body == nil {
		p.add(noField, "No data provided", "null")
		return nil
	}
	sent, ok := body.(map[string]any)
	if !ok {
		p.add(noField, "Invalid data. Expected a dictionary, but got "+pyType(documentOf(body))+".", "invalid")
		return nil
	}
	in := answers{}
	var inputs []input
	if v.kind.inputs != nil {
		inputs = v.kind.inputs(v)
	}
	for _, i := range inputs {
		i.read(sent, in, p)
	}
	if len(p.all) == 0 && v.kind.check != nil {
		v.kind.check(v, in, p)
	}
	return in
}

// read adds the value of an input, or its problem.
func (i input) read(sent map[string]any, in answers, p *problems) {
	value, ok := sent[i.key]
	switch {
	case i.ignored, !ok && i.value != nil:
		in[i.key] = i.value
	case !ok && !i.optional:
		p.add(i.key, "This field is required.", "required")
	case !ok:
	case value == nil && i.null:
		in[i.key] = nil
	case value == nil:
		p.add(i.key, "This field may not be null.", "null")
	default:
		value, text, code := i.kind(i, value)
		if text == "" && i.check != nil {
			word, _ := value.(string)
			text, code = i.check(word), "invalid"
		}
		if text != "" {
			p.add(i.key, text, code)
			return
		}
		in[i.key] = value
	}
}

// decode returns the body of a response as JSON. An empty body is an empty
// object.
func (q request) decode() (any, error) {
	if len(q.body) == 0 {
		return map[string]any{}, nil
	}
	header := q.Header.Get("Content-Type")
	if kind, _, err := mime.ParseMediaType(header); err != nil || kind != "application/json" {
		return nil, shown(`Unsupported media type "` + header + `" in request.`)
	}
	var body any
	decoder := json.NewDecoder(bytes.NewReader(q.body))
	decoder.UseNumber()
	if err := decoder.Decode(&body); err != nil || !utf8.Valid(q.body) {
		return nil, shown("JSON parse error")
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, shown("JSON parse error")
	}
	return body, nil
}

// documentOf returns a value of encoding/json as [parseJSON] returns it, for its
// texts in Python. The members of an object are in the order of their keys.
func documentOf(value any) any {
	switch value := value.(type) {
	case json.Number:
		return numberOf(value.String())
	case []any:
		elements := make([]any, len(value))
		for i, element := range value {
			elements[i] = documentOf(element)
		}
		return elements
	case map[string]any:
		members := object{}
		for _, key := range slices.Sorted(maps.Keys(value)) {
			members = append(members, member{key, documentOf(value[key])})
		}
		return members
	}
	return value
}
