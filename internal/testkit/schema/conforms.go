package schema

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"unicode/utf8"

	"github.com/google/uuid"
)

// Conforms returns an error if a JSON value, as encoding/json decodes it with
// UseNumber, does not conform to s. Unlike a server, it also rejects properties
// that s does not have.
func (r Release) Conforms(s *Schema, value any) error {
	s = r.Resolve(s)
	switch value := value.(type) {
	case nil:
		if !s.Nullable {
			return fmt.Errorf("null, want %s", s.Type)
		}
	case string:
		return s.conformsString(value)
	case bool:
		if s.Type != "boolean" {
			return fmt.Errorf("a boolean, want %s", s.Type)
		}
	case json.Number:
		n, err := value.Int64()
		switch {
		case s.Type != "integer" || err != nil:
			return fmt.Errorf("%s, want %s", value, s.Type)
		case s.Minimum != nil && n < *s.Minimum, s.Maximum != nil && n > *s.Maximum:
			return fmt.Errorf("%s is out of range", value)
		}
	case map[string]any:
		for key, value := range value {
			if s.Properties[key] == nil {
				return fmt.Errorf("unknown property %s", key)
			}
			if err := r.Conforms(s.Properties[key], value); err != nil {
				return fmt.Errorf("%s: %w", key, err)
			}
		}
		for _, key := range s.Required {
			if _, ok := value[key]; !ok {
				return fmt.Errorf("%s is missing", key)
			}
		}
	default:
		return fmt.Errorf("%T is not supported", value)
	}
	return nil
}

func (s *Schema) conformsString(value string) error {
	length := utf8.RuneCountInString(value)
	switch _, err := uuid.Parse(value); {
	case len(s.Enum) == 0 && s.Type != "string":
		return fmt.Errorf("a string, want %s", s.Type)
	case len(s.Enum) > 0 && !slices.Contains(s.Enum, value):
		return fmt.Errorf("%q is not one of %q", value, s.Enum)
	case s.Format == "uuid" && err != nil:
		return err
	case length < s.MinLength, s.MaxLength != nil && length > *s.MaxLength:
		return fmt.Errorf("%q has %d characters", value, length)
	case s.Pattern != "" && !regexp.MustCompile(s.Pattern).MatchString(value):
		return fmt.Errorf("%q does not match %s", value, s.Pattern)
	}
	return nil
}
