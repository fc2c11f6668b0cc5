package authentiktest

import (
	"fmt"
	"math"
	"math/big"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// values are the validated fields of a request.
type values map[string]any

// apply sets the fields of an object.
func apply[T any](v values, of *T, facts []fact[T]) {
	for _, f := range facts {
		if value, ok := v[f.key]; ok {
			f.set(of, value)
		}
	}
}

// refusal is why a value is refused: a text, and the code that logs show.
type refusal struct{ text, code string }

// refusals are those of a field.
type refusals struct {
	key  string
	whys []refusal
}

// body returns refusals as a response shows them.
func body(all []refusals) object {
	o := object{}
	for _, r := range all {
		var texts []string
		for _, why := range r.whys {
			texts = append(texts, why.text)
		}
		o = append(o, member{r.key, texts})
	}
	return o
}

const nonField = "non_field_errors"

// refuse returns the body of a response that refuses the fields together.
func refuse(text string) object { return object{{nonField, []string{text}}} }

// validator validates the fields of a model.
type validator struct {
	rules   rules
	model   string // in "Flow with this slug already exists."
	partial bool   // whether required fields may be missing
}

// validate returns the fields of data that the facts know, or the refusals.
// Other fields are dropped.
func validate[T any](v validator, facts []fact[T], data object) (values, []refusals) {
	valid := values{}
	var all []refusals
	for _, f := range facts {
		sentValue, sent := data.get(f.key)
		value := sentValue
		var whys []refusal
		switch {
		case !sent && (v.partial || !f.required):
			continue
		case !sent:
			whys = []refusal{{"This field is required.", "required"}}
		case value == nil || f.kind == reference && value == "":
			whys = []refusal{{"This field may not be null.", "null"}}
		default:
			value, whys = v.value(f.kind, f.choices, sentValue)
			if whys == nil {
				whys = limits(v, f, value, sentValue)
			}
		}
		if whys != nil {
			all = append(all, refusals{f.key, whys})
			continue
		}
		valid[f.key] = value
	}
	return valid, all
}

// value returns a value as its kind stores it.
func (v validator) value(k kind, choices []choice, value any) (any, []refusal) {
	switch k {
	case boolean:
		return v.asBool(value)
	case integer:
		return asInteger(value)
	case choiceOf:
		if chosen := pyString(value); allowed(v.rules, choices, chosen) {
			return chosen, nil
		}
		return nil, []refusal{{quoted(pyString(value)) + " is not a valid choice.", "invalid_choice"}}
	case reference:
		return asReference(value)
	case text, slugText, fileName:
	}
	return v.text(k, value)
}

func quoted(text string) string { return `"` + text + `"` }

const invalidSlug = `Enter a valid %s consisting of letters, numbers, underscores or hyphens.`

// quotedSlug returns the word of the refusal of a slug.
func (v validator) quotedSlug() string {
	if v.rules.since("2025.12") {
		return "“slug”"
	}
	return `"slug"`
}

func (v validator) text(k kind, value any) (any, []refusal) {
	var text string
	switch value := value.(type) {
	case string:
		text = value
	case number:
		text = value.text
	default:
		if k == slugText && !v.rules.since("2025.12") {
			return nil, []refusal{{fmt.Sprintf(invalidSlug, v.quotedSlug()), "invalid"}}
		}
		return nil, []refusal{{"Not a valid string.", "invalid"}}
	}
	text = pyTrim(text)
	if text == "" && k != fileName {
		return nil, []refusal{{"This field may not be blank.", "blank"}}
	}
	return text, nil
}

// limits returns the refusals of a value that its kind accepts.
func limits[T any](v validator, f fact[T], value, sent any) (whys []refusal) {
	text, isText := value.(string)
	if f.accepts != nil && !f.accepts(value) {
		if f.kind == reference {
			return []refusal{noObject(sent)}
		}
		whys = append(whys, refusal{v.model + " with this " + f.key + " already exists.", "unique"})
	}
	if isText && f.maxLength > 0 && utf8.RuneCountInString(text) > f.maxLength {
		whys = append(whys, refusal{
			fmt.Sprintf("Ensure this field has no more than %d characters.", f.maxLength), "max_length",
		})
	}
	hasNull := isText && f.kind != choiceOf && strings.ContainsRune(text, 0)
	null := refusal{"Null characters are not allowed.", "null_characters_not_allowed"}
	if hasNull && !v.rules.since("2025.12") {
		whys = append(whys, null)
	}
	if f.kind == slugText && !slug.MatchString(text) {
		whys = append(whys, refusal{fmt.Sprintf(invalidSlug, v.quotedSlug()), "invalid"})
	}
	if f.kind == fileName && refusedFile(text) != "" {
		whys = append(whys, refusal{refusedFile(text), "invalid"})
	}
	if hasNull && v.rules.since("2025.12") { // whose check of a slug is the model's, and comes first
		whys = append(whys, null)
	}
	return whys
}

// truth returns what a word or a number means as a boolean. Since 2025.4 the
// case of a word does not count; before, a word is in lower case, in upper case
// or capitalized.
func (r rules) truth(word string) (truth, ok bool) {
	lower := strings.ToLower(word)
	capitalized := len(word) > 0 && word == strings.ToUpper(word[:1])+lower[1:]
	if !r.since("2025.4") && word != lower && word != strings.ToUpper(word) && !capitalized {
		return false, false
	}
	switch lower {
	case "t", "y", "yes", "true", "on", "1":
		return true, true
	case "f", "n", "no", "false", "off", "0":
		return false, true
	}
	return false, false
}

func (v validator) asBool(value any) (any, []refusal) {
	var word string
	switch value := value.(type) {
	case bool:
		return value, nil
	case string:
		word = value
	case number:
		if word = strings.TrimSuffix(value.text, ".0"); word == "-0" {
			word = "0"
		}
	}
	if truth, ok := v.rules.truth(word); ok {
		return truth, nil
	}
	return nil, []refusal{{"Must be a valid boolean.", "invalid"}}
}

var (
	zeroFraction = regexp.MustCompile(`\.0*\s*$`)
	wholeNumber  = regexp.MustCompile(`^[+-]?[0-9]+(?:_[0-9]+)*$`)
)

func asInteger(value any) (any, []refusal) {
	text := pyString(value)
	if s, ok := value.(string); ok && len(s) > 1000 {
		return nil, []refusal{{"String value too large.", "max_string_length"}}
	}
	text = pyTrim(zeroFraction.ReplaceAllString(text, ""))
	if !wholeNumber.MatchString(text) {
		return nil, []refusal{{"A valid integer is required.", "invalid"}}
	}
	n, _ := new(big.Int).SetString(strings.ReplaceAll(text, "_", ""), 10)
	switch {
	case n.Cmp(big.NewInt(math.MaxInt32)) > 0:
		return nil, []refusal{{
			"Ensure this value is less than or equal to " + strconv.Itoa(math.MaxInt32) + ".", "max_value",
		}}
	case n.Cmp(big.NewInt(math.MinInt32)) < 0:
		return nil, []refusal{{
			"Ensure this value is greater than or equal to " + strconv.Itoa(math.MinInt32) + ".", "min_value",
		}}
	}
	return int(n.Int64()), nil
}

// asReference returns the identifier that Python's uuid.UUID makes of a value.
func asReference(value any) (any, []refusal) {
	invalid := []refusal{{fmt.Sprintf("“%s” is not a valid UUID.", pyString(value)), "invalid"}}
	switch value := value.(type) {
	case bool:
		return nil, []refusal{{"Incorrect type. Expected pk value, received bool.", "incorrect_type"}}
	case string:
		if id := parseUUID(value); id != nil {
			return *id, nil
		}
	case number:
		n, whole := new(big.Int).SetString(value.text, 10)
		if whole && n.Sign() >= 0 && n.BitLen() <= 128 {
			// No object has such an identifier. The refusal shows the number.
			return nil, []refusal{noObject(value)}
		}
	}
	return nil, invalid
}

func noObject(pk any) refusal {
	return refusal{"Invalid pk " + quoted(pyString(pk)) + " - object does not exist.", "does_not_exist"}
}

const (
	maxFileName = 1024
	maxFilePart = 255
)

// refusedFile returns why a name of a background is refused, or "".
func refusedFile(name string) string {
	themed := strings.ReplaceAll(name, "%(theme)s", "theme")
	parts := strings.Split(themed, "/")
	switch {
	case name == "", passedThrough.MatchString(name):
		return ""
	case !fileCharacters.MatchString(themed):
		return "File name can only contain letters (a-z, A-Z), numbers (0-9), dots (.), hyphens (-), " +
			"underscores (_), forward slashes (/), and the placeholder %(theme)s for theme-specific files"
	case strings.Contains(name, "//"):
		return "File name cannot contain duplicate /"
	case path.IsAbs(name):
		return "Absolute paths are not allowed"
	case slices.Contains(parts, ".."):
		return "Parent directory references ('..') are not allowed"
	case strings.HasPrefix(path.Clean(name), "."):
		return "Paths cannot start with '.'"
	case len(path.Clean(name)) > maxFileName:
		return fmt.Sprintf("File name too long (max %d characters)", maxFileName)
	case slices.ContainsFunc(parts, func(part string) bool { return len(part) > maxFilePart }):
		return fmt.Sprintf("Path component too long (max %d characters)", maxFilePart)
	}
	return ""
}

// object returns the data of a request as a JSON object, or the response that
// refuses the data.
func (q request) object() (object, *reply) {
	data, problem := q.data()
	if problem != nil {
		return nil, problem
	}
	switch data := data.(type) {
	case object:
		return data, nil
	case nil:
		return nil, new(q.json(badRequest, refuse("No data provided")))
	default:
		return nil, new(q.json(badRequest, refuse("Invalid data. Expected a dictionary, but got "+pyType(data)+".")))
	}
}

// data returns the JSON of a request, or the response that refuses it. No body
// at all is an empty object.
func (q request) data() (any, *reply) {
	kind := q.Header.Get("Content-Type")
	media, _, _ := strings.Cut(kind, ";")
	switch {
	case len(q.body) == 0:
		return object{}, nil
	case !strings.EqualFold(strings.TrimSpace(media), "application/json"):
		return nil, q.unsupported()
	}
	if why := invalidUTF8(q.body); why != "" {
		if !q.rules.since("2026.8") {
			return nil, new(crash())
		}
		return nil, new(q.detail(badRequest, "JSON parse error - "+why))
	}
	data, why := parseJSON(string(q.body), q.rules.since("2024.10"))
	if why != "" {
		return nil, new(q.detail(badRequest, "JSON parse error - "+why))
	}
	return data, nil
}

// unsupported returns the response to a body of another media type.
func (q request) unsupported() *reply {
	return new(q.detail(unsupportedMediaType,
		"Unsupported media type "+quoted(q.Header.Get("Content-Type"))+" in request."))
}

// invalidUTF8 returns what Python says of invalid UTF-8, or "".
func invalidUTF8(text []byte) string {
	for at := 0; at < len(text); {
		r, size := utf8.DecodeRune(text[at:])
		if r != utf8.RuneError || size != 1 {
			at += size
			continue
		}
		end := at + 1 // of what may begin a character
		for end < len(text) && !utf8.FullRune(text[at:end+1]) {
			end++
		}
		why := "invalid continuation byte"
		switch c := text[at]; {
		case c < 0xc2 || c > 0xf4:
			why = "invalid start byte"
		case end == len(text):
			why = "unexpected end of data"
		}
		where := fmt.Sprintf("byte 0x%02x in position %d", text[at], at)
		if end > at+1 {
			where = fmt.Sprintf("bytes in position %d-%d", at, end-1)
		}
		return "'utf-8' codec can't decode " + where + ": " + why
	}
	return ""
}
