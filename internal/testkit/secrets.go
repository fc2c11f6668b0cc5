package testkit

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// Secrets that no error, log or printed value may contain. Each begins with
// "CANARY-".
const (
	// Token is the API token of every test.
	Token = "CANARY-token-bVZ0cGpQd1ZxT2xX"
	// HeaderSecret is the value of a header that WithHeader sets.
	HeaderSecret = "CANARY-header-c2VjcmV0LWhlYWRlcg"
	// ServerSecret is a secret of the server, such as a cookie or a password in a
	// Location.
	ServerSecret = "CANARY-server-b3RoZXJzLXNlY3JldA"
	// SearchSecret is a search term.
	SearchSecret = "CANARY-query-alice@example.com"
)

// AssertNoSecrets asserts that no way to print, marshal or log v shows a
// secret, and that reflection does not find one. The secrets in quoted are
// allowed, but not in what a [slog.LogValuer] logs.
func AssertNoSecrets(t testing.TB, v any, quoted ...string) {
	t.Helper()
	outputs := map[string]string{"reflection": reachable(v)}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		outputs[verb] = fmt.Sprintf(verb, v)
		outputs[verb+" in a struct"] = fmt.Sprintf(verb, struct{ hidden any }{v})
	}
	if encoded, err := json.Marshal(v); err == nil {
		outputs["JSON"] = string(encoded)
	}
	var log Log
	log.Logger().Info("message", "value", v)
	outputs["slog"] = log.String()
	if _, ok := v.(slog.LogValuer); ok {
		AssertNoSecretsIn(t, "slog", outputs["slog"]) // not even what a server quotes
		delete(outputs, "slog")
	}
	for way, output := range outputs {
		AssertNoSecretsIn(t, way, output, quoted...)
	}
}

// AssertNoSecretsIn asserts that output contains no secret, neither as it is
// nor encoded. The secrets in quoted are allowed. A failure names what.
func AssertNoSecretsIn(t testing.TB, what, output string, quoted ...string) {
	t.Helper()
	for secret, all := range secrets {
		if slices.Contains(quoted, secret) {
			continue
		}
		for _, encoding := range all {
			if strings.Contains(output, encoding) {
				assert.Fail(t, "a secret is shown", "%s: %q in %q", what, encoding, output)
			}
		}
	}
}

// secrets maps each secret to its encodings.
var secrets = map[string][]string{
	Token: encodings(Token), HeaderSecret: encodings(HeaderSecret),
	ServerSecret: encodings(ServerSecret), SearchSecret: encodings(SearchSecret),
}

// encodings returns what a secret, or a large part of it, may look like in an
// output.
func encodings(secret string) []string {
	part := []byte(secret[:16])
	all := []string{
		string(part), strings.ToLower(string(part)), url.QueryEscape(secret),
		hex.EncodeToString(part), strings.ToUpper(hex.EncodeToString(part)),
		strings.Trim(fmt.Sprintf("%d", part), "[]"), strings.Trim(fmt.Sprintf("%#v", part), "[]byte{}"),
	}
	for shift := range 3 { // the middle of an encoding does not depend on what is around it
		encoded := base64.StdEncoding.EncodeToString(append(make([]byte, shift), part...))
		all = append(all, encoded[4:len(encoded)-4])
	}
	return all
}

// reachable returns every string that reflection finds in v, in unexported
// fields too.
func reachable(v any) string {
	var all strings.Builder
	seen := map[any]bool{}
	var visit func(reflect.Value)
	visit = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.String:
			all.WriteString(v.String() + "\n")
		case reflect.Pointer:
			at := struct {
				reflect.Type
				uintptr
			}{v.Type(), v.Pointer()}
			if !seen[at] {
				seen[at] = true
				visit(v.Elem())
			}
		case reflect.Interface:
			visit(v.Elem())
		case reflect.Struct:
			for _, field := range v.Fields() {
				visit(field)
			}
		case reflect.Slice, reflect.Array:
			if v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8 {
				all.Write(v.Bytes())
				return
			}
			for i := range v.Len() {
				visit(v.Index(i))
			}
		case reflect.Map:
			for _, key := range v.MapKeys() {
				visit(key)
				visit(v.MapIndex(key))
			}
		default: // numbers hold no secret, and reflection does not enter functions and channels
		}
	}
	visit(reflect.ValueOf(v))
	return all.String()
}
