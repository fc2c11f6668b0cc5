package authentiktest_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/authentiktest"
	"github.com/seed-299d42e7/authentik-go/challenge"
	"github.com/seed-299d42e7/authentik-go/internal/testkit/schema"
)

// TestStages_FollowTheSchemas shows the challenge of every stage in every
// release, and compares it with the schema of the release: the keys that are
// required, those that are known, and their types.
func TestStages_FollowTheSchemas(t *testing.T) {
	t.Parallel()
	skipLong(t)
	for _, r := range schema.Releases(t) {
		if !slices.Contains(authentiktest.Versions(), r.Name) {
			continue // an older one
		}
		srv := authentiktest.RoundTripper(t, authentiktest.Version(r.Name))
		codes := make([]string, 40)
		for i := range codes {
			codes[i] = fmt.Sprint("code-", i)
		}
		srv.AddDevice("akadmin", authentiktest.Device{Codes: codes})
		union := r.Union("ChallengeTypes")
		for name, stages := range stagesOf(r.Name) {
			srv.AddFlow(authentik.Flow{Slug: name})
			srv.AddStages(name, stages...)
			b := newBrowser(srv)
			b.logIn("akadmin", authentiktest.AdminPassword)
			b.solve("default-authentication-flow", m{"code": codes[0]})
			codes = codes[1:]
			require.Equal(t, "akadmin", b.me())
			for _, s := range []seen{b.show(name), b.solve(name, m{})} {
				model := union[s.Component]
				require.NotEmpty(t, model, "%s of %s: %s", name, r.Name, s.Body)
				var value any
				require.NoError(t, json.Unmarshal([]byte(s.Body), &value))
				assert.Empty(t, conforms(r, r.Model(model), value), "%s of %s: %s", name, r.Name, s.Body)
				decoded, err := challenge.Decode([]byte(s.Body))
				require.NoError(t, err)
				assert.Equal(t, s.Component, decoded.Component())
				_, unknown := decoded.(*challenge.Unknown)
				assert.False(t, unknown)
			}
		}
	}
}

// conforms returns where a challenge differs from its schema, but for where
// servers differ from theirs: a captcha_stage may be null, and 2024.10.0 has no
// interactive yet.
func conforms(r schema.Release, s *schema.Schema, value any) (problems []string) {
	nullable := s.Nullable
	s = r.Resolve(s)
	switch value := value.(type) {
	case nil:
		if !nullable && !s.Nullable && s.Type != "" {
			return []string{": null"}
		}
	case map[string]any:
		for _, key := range s.Required {
			if _, ok := value[key]; !ok && (key != "interactive" || r.Name != "2024.10") {
				problems = append(problems, "."+key+": missing")
			}
		}
		for _, key := range slices.Sorted(maps.Keys(value)) {
			property := s.Properties[key]
			if property == nil && len(s.Properties) > 0 {
				problems = append(problems, "."+key+": unknown")
			}
			if property == nil || key == "captcha_stage" && value[key] == nil {
				continue
			}
			for _, problem := range conforms(r, property, value[key]) {
				problems = append(problems, "."+key+problem)
			}
		}
	case []any:
		for _, element := range value {
			for _, problem := range conforms(r, s.Items, element) {
				problems = append(problems, "[]"+problem)
			}
		}
	default:
		if len(s.Enum) > 0 && !slices.Contains(s.Enum, fmt.Sprint(value)) {
			problems = append(problems, fmt.Sprintf(": %v is none of %v", value, s.Enum))
		}
	}
	kind := map[string]string{
		"map[string]interface {}": "object",
		"[]interface {}":          "array",
		"string":                  "string",
		"bool":                    "boolean",
		"float64":                 "integer",
	}
	if is := kind[fmt.Sprintf("%T", value)]; value != nil && s.Type != "" && is != s.Type {
		problems = append(problems, fmt.Sprintf(": %s instead of %s", is, s.Type))
	}
	return problems
}

// stagesOf returns stages whose first one shows a challenge, by a name.
func stagesOf(release string) map[string][]authentiktest.StageSettings {
	one := func(s authentiktest.StageSettings) []authentiktest.StageSettings {
		return []authentiktest.StageSettings{s}
	}
	all := map[string][]authentiktest.StageSettings{
		"identification": one(authentiktest.IdentificationStage{WithPassword: true}),
		"password":       one(authentiktest.PasswordStage{}),
		"validate":       one(authentiktest.AuthenticatorValidateStage{}),
		"totp":           one(authentiktest.AuthenticatorTOTPStage{}),
		"static":         one(authentiktest.AuthenticatorStaticStage{}),
		"consent":        one(authentiktest.ConsentStage{}),
		"dummy":          one(authentiktest.DummyStage{}),
		"email":          one(authentiktest.EmailStage{}),
		"captcha":        one(authentiktest.CaptchaStage{SiteKey: "key"}),
		"deny":           one(authentiktest.DenyStage{}),
		"prompt": one(authentiktest.PromptStage{Fields: []authentiktest.PromptField{
			{Key: "a", Required: true}, {Key: "b", Type: "checkbox"},
		}}),
	}
	if atLeast(release, "2023.3") {
		all["login"] = one(authentiktest.UserLoginStage{RememberMe: time.Hour})
	}
	if atLeast(release, "2022.12") {
		all["throw"] = one(authentiktest.DummyStage{ThrowError: true})
	}
	if atLeast(release, "2024.12") {
		all["redirect"] = one(authentiktest.RedirectStage{To: "/"})
	}
	if atLeast(release, "2023.4") {
		all["choices"] = one(authentiktest.PromptStage{Fields: []authentiktest.PromptField{
			{Key: "a", Type: "dropdown", Choices: []string{strings.Repeat("x", 3)}, Required: true},
		}})
	}
	return all
}
