package challenge

import (
	"fmt"
	"io"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// redacted stands for a value that may be, or may repeat, a secret.
const redacted = "[redacted]"

// format prints v as describe does, whatever the verb.
func format(s fmt.State, v any) { _, _ = io.WriteString(s, describe(v)) }

func logValue(v any) slog.Value { return slog.StringValue(describe(v)) }

// describe returns the component and the fields that are set. It shows values
// only where no server and no user can put text: booleans, numbers, known values
// of enums, components, and the fields and codes of errors.
func describe(v any) string {
	value := reflect.ValueOf(v)
	members := []string{}
	pointer := reflect.New(value.Type())
	pointer.Elem().Set(value)
	if c, ok := reflect.TypeAssert[interface{ Component() string }](pointer); ok {
		members = append(members, "Component: "+word(c.Component()))
	}
	return "challenge." + value.Type().Name() + "{" + strings.Join(describeFields(members, value), ", ") + "}"
}

func describeFields(members []string, v reflect.Value) []string {
	for field, value := range v.Fields() {
		switch {
		case field.Anonymous:
			members = describeFields(members, value)
		case field.Name != "ComponentName" && !value.IsZero():
			members = append(members, field.Name+": "+describeValue(value))
		}
	}
	return members
}

// maxElements is how many elements of a list are shown.
const maxElements = 10

func describeValue(v reflect.Value) string {
	switch value := v.Interface().(type) {
	case map[string][]ErrorDetail:
		return describeErrors(value)
	case interface{ Known() bool }:
		if value.Known() {
			return v.String()
		}
		return redacted
	case fmt.Formatter: // a challenge of its own, or a part of one
		return fmt.Sprint(value)
	}
	switch v.Kind() { //nolint:exhaustive // all others are redacted
	case reflect.Bool:
		return strconv.FormatBool(v.Bool())
	case reflect.Int, reflect.Int64:
		return strconv.FormatInt(v.Int(), 10)
	case reflect.Slice:
		if kind := v.Type().Elem().Kind(); kind == reflect.Uint8 {
			return redacted
		}
		elements := []string{}
		for i := range min(v.Len(), maxElements) {
			elements = append(elements, describeValue(v.Index(i)))
		}
		if v.Len() > maxElements {
			elements = append(elements, "…")
		}
		return "[" + strings.Join(elements, ", ") + "]"
	}
	return redacted
}

// describeErrors returns the fields of errors with their codes.
func describeErrors(errors map[string][]ErrorDetail) string {
	fields := []string{}
	for _, key := range slices.Sorted(maps.Keys(errors)) {
		codes := []string{}
		for _, detail := range errors[key] {
			codes = append(codes, word(detail.Code))
		}
		fields = append(fields, word(key)+": ["+strings.Join(codes, ", ")+"]")
		if len(fields) == maxElements && len(errors) > maxElements {
			fields = append(fields, "…")
			break
		}
	}
	return "{" + strings.Join(fields, ", ") + "}"
}

// word returns a name that a program has given, such as a component or a code.
// Anything else may be text that a user entered.
func word(s string) string {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789-_."
	if s == "" {
		return `""`
	}
	if len(s) > 64 || strings.Trim(s, letters) != "" {
		return redacted
	}
	return s
}

// Format prints which fields are set, and no text of the server.
func (c Common) Format(s fmt.State, _ rune) { format(s, c) }

// LogValue returns the text of Format.
func (c Common) LogValue() slog.Value { return logValue(c) }

// Format prints which fields are set, and no text of the server.
func (f FlowInfo) Format(s fmt.State, _ rune) { format(s, f) }

// LogValue returns the text of Format.
func (f FlowInfo) LogValue() slog.Value { return logValue(f) }

// Format prints which fields are set, and no text of the server.
func (s LoginSource) Format(state fmt.State, _ rune) { format(state, s) }

// LogValue returns the text of Format.
func (s LoginSource) LogValue() slog.Value { return logValue(s) }

// Format prints which fields are set, and no text of the server.
func (p StagePrompt) Format(s fmt.State, _ rune) { format(s, p) }

// LogValue returns the text of Format.
func (p StagePrompt) LogValue() slog.Value { return logValue(p) }

// Format prints which fields are set, and no text of the server.
func (d DeviceChallenge) Format(s fmt.State, _ rune) { format(s, d) }

// LogValue returns the text of Format.
func (d DeviceChallenge) LogValue() slog.Value { return logValue(d) }

// Format prints which fields are set, and no text of the server.
func (u LogoutURL) Format(s fmt.State, _ rune) { format(s, u) }

// LogValue returns the text of Format.
func (u LogoutURL) LogValue() slog.Value { return logValue(u) }

// Format prints the component, and no other text of the server.
func (u Unknown) Format(s fmt.State, _ rune) { format(s, u) }

// LogValue returns the text of Format.
func (u Unknown) LogValue() slog.Value { return logValue(u) }

// Format prints the component, and no value.
func (r RawResponse) Format(s fmt.State, _ rune) { format(s, r) }

// LogValue returns the text of Format.
func (r RawResponse) LogValue() slog.Value { return logValue(r) }
