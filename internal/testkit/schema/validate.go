package schema

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/google/uuid"
)

// Validate returns why a server rejects value, which encoding/json has decoded,
// with UseNumber or without. A server ignores properties that s does not have,
// and accepts a string of digits for an integer.
func (r Release) Validate(s *Schema, value any) (problems []string) {
	return validator{release: r}.validate(s, value)
}

// ValidateStrictly returns why Validate rejects value, and also reports what a
// server tolerates.
func (r Release) ValidateStrictly(s *Schema, value any) (problems []string) {
	return validator{release: r, strict: true}.validate(s, value)
}

type validator struct {
	release Release
	strict  bool
}

func (v validator) validate(s *Schema, value any) []string {
	nullable := s.Nullable
	s = v.release.Resolve(s)
	object, isObject := value.(map[string]any)
	problem := ""
	switch {
	case v.strict && s.Type == "":
		problem = "the schema has no type"
	case value == nil:
		if !nullable && !s.Nullable && s.Type != "" {
			problem = "null, want " + s.Type
		}
	case len(s.Enum) > 0 && !slices.Contains(s.Enum, fmt.Sprint(value)):
		problem = fmt.Sprintf("%v is not one of %q", value, s.Enum)
	case isObject && s.Type == "object":
		return v.validateObject(s, object)
	default:
		problem = v.validateScalar(s, value)
	}
	if problem == "" {
		return nil
	}
	return []string{": " + problem}
}

func (v validator) validateObject(s *Schema, object map[string]any) (problems []string) {
	for _, key := range s.Required {
		if _, ok := object[key]; !ok {
			problems = append(problems, "."+key+": missing")
		}
	}
	for _, key := range slices.Sorted(maps.Keys(object)) {
		property := s.Properties[key]
		switch {
		case property != nil:
			for _, problem := range v.validate(property, object[key]) {
				problems = append(problems, "."+key+problem)
			}
		case v.strict:
			problems = append(problems, "."+key+": unknown property")
		}
	}
	return problems
}

// validateScalar returns what is wrong with a value that is neither null nor an
// object. No request has arrays.
func (v validator) validateScalar(s *Schema, value any) string {
	text, isString := value.(string)
	_, isBool := value.(bool)
	switch {
	case s.Type == "", s.Type == "boolean" && isBool:
		return ""
	case s.Type == "string" && isString:
		return s.validateString(text)
	case s.Type == "integer" && (!v.strict || !isString):
		return s.validateInteger(value)
	default:
		return fmt.Sprintf("%v is a %T, want %s", value, value, s.Type)
	}
}

func (s *Schema) validateString(text string) string {
	length := utf8.RuneCountInString(text)
	switch {
	case s.Format == "uuid" && uuid.Validate(text) != nil:
		return fmt.Sprintf("%q is not a UUID", text)
	case length < s.MinLength, s.MaxLength != nil && length > *s.MaxLength:
		return fmt.Sprintf("%q has %d characters", text, length)
	case s.Pattern != "" && !regexp.MustCompile(s.Pattern).MatchString(text):
		return fmt.Sprintf("%q does not match %s", text, s.Pattern)
	}
	return ""
}

func (s *Schema) validateInteger(value any) string {
	var n int64
	var err error
	switch value := value.(type) {
	case string:
		n, err = strconv.ParseInt(value, 10, 64)
	case json.Number:
		n, err = value.Int64()
	case float64:
		// 1<<63 is the first float64 that is too large.
		if value != math.Trunc(value) || value < math.MinInt64 || value >= 1<<63 {
			return fmt.Sprintf("%v is not an integer", value)
		}
		n = int64(value)
	default:
		return fmt.Sprintf("%v is a %T, want an integer", value, value)
	}
	switch {
	case err != nil:
		return fmt.Sprintf("%v is not an integer", value)
	case s.Minimum != nil && n < *s.Minimum, s.Maximum != nil && n > *s.Maximum:
		return fmt.Sprintf("%d is out of range", n)
	}
	return ""
}
