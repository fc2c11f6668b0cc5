package schema

import (
	"fmt"
	"slices"
	"strconv"
)

// Validate returns why a server rejects value, which is what json.Unmarshal
// returns for a request. A server ignores keys that the schema does not have.
func (r Release) Validate(s *Schema, value any) (problems []string) {
	nullable := s.Nullable
	s = r.Resolve(s)
	if value == nil {
		if nullable || s.Nullable || s.Type == "" {
			return nil
		}
		return []string{": null"}
	}
	if len(s.Enum) > 0 && !slices.Contains(s.Enum, fmt.Sprint(value)) {
		problems = append(problems, fmt.Sprintf(": %v is none of %v", value, s.Enum))
	}
	if object, ok := value.(map[string]any); ok && s.Type == "object" {
		return append(problems, r.validateObject(s, object)...)
	}
	if !s.accepts(value) {
		problems = append(problems, fmt.Sprintf(": %v is no %s", value, s.Type))
	}
	return problems
}

func (r Release) validateObject(s *Schema, object map[string]any) (problems []string) {
	for _, key := range s.Required {
		if _, ok := object[key]; !ok {
			problems = append(problems, "."+key+": missing")
		}
	}
	for key, member := range object {
		if property := s.Properties[key]; property != nil {
			for _, problem := range r.Validate(property, member) {
				problems = append(problems, "."+key+problem)
			}
		}
	}
	return problems
}

// accepts reports whether a value that is no object has the type of a schema. A
// server accepts digits in a string for an integer.
func (s *Schema) accepts(value any) bool {
	text, isString := value.(string)
	switch s.Type {
	case "":
		return true
	case "string":
		return isString && len(text) >= s.MinLength && (s.MaxLength == nil || len(text) <= *s.MaxLength)
	case "integer":
		if isString {
			_, err := strconv.Atoi(text)
			return err == nil
		}
		number, ok := value.(float64)
		return ok && number == float64(int64(number))
	case "boolean":
		_, ok := value.(bool)
		return ok
	default: // no request has others
		return false
	}
}
