package challenge_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go/challenge"
	"github.com/seed-299d42e7/authentik-go/internal/testkit/schema"
)

// enums are the types of which the values are constants.
var enums = map[string]reflect.Type{
	"ChallengeChoices":  reflect.TypeFor[challenge.Type](),
	"DeviceClassesEnum": reflect.TypeFor[challenge.DeviceClass](),
	"PromptTypeEnum":    reflect.TypeFor[challenge.PromptType](),
	"SAMLBindingsEnum":  reflect.TypeFor[challenge.SAMLBinding](),
}

// sinceOthers are the releases of values that the schemas lack: classes
// of devices were any string until 2025.6, and types of prompts in 2021.9. Each
// stage says since when there is a class.
var sinceOthers = map[string]string{
	"static": "", "totp": "", "webauthn": "", "duo": "", // their stages are in the oldest schema
	"sms":   "2021.10", // as ak-stage-authenticator-sms
	"email": "2025.2",  // as ak-stage-authenticator-email
}

func TestEnums_ConstantsAgreeWithSchemas(t *testing.T) {
	t.Parallel()
	releases := schema.Releases(t)
	want := map[string]string{}
	for schemaName, enum := range enums {
		first := ""
		for _, r := range releases {
			s := r.Components.Schemas[schemaName]
			if s == nil {
				continue
			}
			if first == "" {
				first = r.Name
			}
			for _, value := range s.Enum {
				name := enum.Name() + constantName(value)
				if want[name] != "" {
					continue
				}
				since := r.Name
				if other, ok := sinceOthers[value]; ok && schemaName == "DeviceClassesEnum" {
					since = other
				} else if since == first && schemaName != "SAMLBindingsEnum" {
					since = ""
				}
				want[name] = value + ", " + strings.TrimSuffix("since "+since, "since ")
				assert.True(t, known(enum, value), value)
			}
		}
		assert.False(t, known(enum, "made_up"), enum)
		assert.False(t, known(enum, ""), enum)
	}
	assert.Equal(t, want, constants(t))
}

func known(enum reflect.Type, value string) bool {
	return reflect.ValueOf(value).Convert(enum).Interface().(interface{ Known() bool }).Known()
}

// constantName returns the part of a constant's name that is from its value.
func constantName(value string) (name string) {
	words := map[string]string{"totp": "TOTP", "sms": "SMS", "webauthn": "WebAuthn", "ak": "AK"}
	for _, word := range strings.FieldsFunc(value, func(r rune) bool { return r == '_' || r == '-' }) {
		if words[word] == "" {
			words[word] = strings.ToUpper(word[:1]) + word[1:]
		}
		name += words[word]
	}
	return name
}

// constants returns the value and the comment of each constant in enums.go.
func constants(t *testing.T) map[string]string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "enums.go", nil, parser.ParseComments)
	require.NoError(t, err)
	got := map[string]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok {
			value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			require.NoError(t, err)
			comment := strings.TrimSpace(spec.Comment.Text())
			got[spec.Names[0].Name] = value + ", " + comment
		}
		return true
	})
	return got
}
