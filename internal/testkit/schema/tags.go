package schema

import (
	"reflect"
	"strings"
)

// Presence returns what the tags of a field say about the releases that send it:
// "required", "optional", "since 2022.12" or "until 2025.8".
func Presence(f reflect.StructField) string {
	for _, tag := range []string{"since", "until"} {
		if release, ok := f.Tag.Lookup(tag); ok {
			return tag + " " + release
		}
	}
	if _, ok := f.Tag.Lookup("optional"); ok {
		return "optional"
	}
	return "required"
}

// Key returns the JSON key of a field, and reports whether a zero value is left
// out.
func Key(f reflect.StructField) (key string, omitzero bool) {
	key, options, _ := strings.Cut(f.Tag.Get("json"), ",")
	return key, options == "omitzero"
}
