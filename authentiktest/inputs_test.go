package authentiktest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/authentiktest"
)

// The values and the errors are those of the fields of Django's REST framework.
func TestPromptStage_ChecksTypes(t *testing.T) {
	t.Parallel()
	const noText, noDate = "Not a valid string.", "Date has wrong format. Use one of these formats instead: YYYY-MM-DD."
	const noTime = "Datetime has wrong format. Use one of these formats instead: YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z]."
	srv := authentiktest.RoundTripper(t)
	var got any
	types := []string{"text", "number", "checkbox", "dropdown", "date", "date-time", "file", "email"}
	for _, kind := range types {
		srv.AddFlow(authentik.Flow{Slug: kind})
		srv.AddStages(kind, authentiktest.PromptStage{
			Fields: []authentiktest.PromptField{{Key: "a", Type: kind, Required: true, Choices: []string{"2", "True"}}},
			Validate: func(values map[string]any, _ authentiktest.PolicyRequest) error {
				got = values["a"]
				return nil
			},
		})
	}
	for _, c := range []struct {
		kind, sent string
		want       any
		problem    string
	}{
		{"text", `" a "`, " a ", ""},
		{"text", `1.50`, "1.50", ""},
		{"text", `[1]`, nil, noText},
		{"text", `true`, nil, noText},
		{"text", `null`, nil, "This field may not be null."},
		{"text", `"a\u0000"`, nil, "Null characters are not allowed."},
		{"number", `" +7. "`, json.Number("7"), ""},
		{"number", `-7.0`, json.Number("-7"), ""},
		{"number", `7.5`, nil, "A valid integer is required."},
		{"number", `true`, nil, "A valid integer is required."},
		{"checkbox", `1`, true, ""},
		{"checkbox", `"off"`, false, ""},
		{"checkbox", `2`, nil, "Must be a valid boolean."},
		{"checkbox", `[]`, nil, "Must be a valid boolean."},
		{"dropdown", `2`, "2", ""},
		{"dropdown", `true`, "True", ""},
		{"dropdown", `"<no>"`, nil, `"<no>" is not a valid choice.`},
		{"dropdown", `false`, nil, `"False" is not a valid choice.`},
		{"dropdown", `[1, null, {"a": 1.50}]`, nil, `"[1, None, {'a': 1.5}]" is not a valid choice.`},
		{"date", `"2024-02-29"`, "2024-02-29", ""},
		{"date", `"2023-02-29"`, nil, noDate},
		{"date-time", `"2024-02-29 12:30"`, "2024-02-29 12:30", ""},
		{"date-time", `"2024-02-29"`, nil, noTime},
		{"file", `"data:,a"`, "data:,a", ""},
		{"file", `"https://a"`, nil, "Invalid scheme"},
		{"file", `{}`, nil, noText},
		{"email", `"a@example.com"`, "a@example.com", ""},
		{"email", `"a@b@c"`, nil, "Enter a valid email address."},
	} {
		got = nil
		b := newBrowser(srv)
		b.show(c.kind)
		s := b.solve(c.kind, m{"a": json.RawMessage(c.sent)})
		assert.Equal(t, c.problem, s.error("a"), "%s %s", c.kind, c.sent)
		assert.Equal(t, c.want, got, "%s %s", c.kind, c.sent)
	}
}

func TestExecutor_WantsAnObject(t *testing.T) {
	t.Parallel()
	srv := authentiktest.RoundTripper(t)
	srv.AddFlow(authentik.Flow{Slug: "a"})
	srv.AddStages("a", authentiktest.DummyStage{})
	const dictionary = "Invalid data. Expected a dictionary, but got "
	for body, want := range map[string]string{
		`null`: "No data provided",
		`"{}"`: dictionary + "str.", `true`: dictionary + "bool.", `[{}]`: dictionary + "list.",
		`1`: dictionary + "int.", `1.0`: dictionary + "float.", `1e3`: dictionary + "float.",
	} {
		b := newBrowser(srv)
		b.show("a")
		assert.Equal(t, want, b.solve("a", json.RawMessage(body)).error("non_field_errors"), body)
	}
	for _, body := range []string{`{} {}`, `{`, "{\"a\": \"\xff\"}"} {
		status, shown := tell(t, srv, srv.Token, http.MethodPost, "flows/executor/a/?query=", body)
		assert.Equal(t, http.StatusOK, status)
		assert.Contains(t, shown, `"component": "ak-stage-flow-error"`, body)
		assert.Contains(t, shown, `"error": "JSON parse error"`, body)
	}
	srv.AddDevice("akadmin", authentiktest.Device{})
	b := newBrowser(srv)
	b.logIn("akadmin", authentiktest.AdminPassword)
	for _, key := range []string{"webauthn", "selected_challenge"} {
		s := b.solve("default-authentication-flow", m{key: "a"})
		assert.Equal(t, `Expected a dictionary of items but got type "str".`, s.error(key))
	}
}

// importEntries imports a document with these entries.
func importEntries(t *testing.T, srv *authentiktest.Server, entries ...m) {
	t.Helper()
	document, err := json.Marshal(m{"version": 1, "entries": entries})
	require.NoError(t, err)
	result, err := once(srv).FlowsInstancesImportCreate(t.Context(), document)
	require.NoError(t, err)
	require.True(t, result.Success, "%v", result)
}

// importStage imports a stage into the flow with that slug.
func importStage(t *testing.T, srv *authentiktest.Server, slug, model string, attrs m) {
	t.Helper()
	importEntries(t, srv, m{"model": "authentik_stages_" + model, "identifiers": m{"name": slug}, "attrs": attrs})
	stages := srv.Stages()
	for _, flow := range srv.Flows() {
		if flow.Slug == slug {
			srv.AddBinding(authentik.FlowStageBinding{
				Target: flow.PK, Stage: stages[len(stages)-1].PK, Order: 100, ReEvaluatePolicies: true,
			})
		}
	}
}

func TestExecutor_KeepsTheSettingsOfImportedStages(t *testing.T) {
	t.Parallel()
	srv := authentiktest.RoundTripper(t)
	var static, logIn string
	for _, stage := range srv.Stages() {
		if stage.Name == "default-authenticator-static-setup" {
			static = stage.PK.String()
		}
	}
	for _, flow := range srv.Flows() {
		if flow.Slug == "default-authentication-flow" {
			logIn = flow.PK.String()
		}
	}
	prompt := authentiktest.PromptStage{Fields: []authentiktest.PromptField{{Key: "username", InitialValue: "new"}}}
	for i, c := range []struct {
		model  string
		attrs  m
		before []authentiktest.StageSettings
		want   string
	}{
		{"authenticator_static.authenticatorstaticstage", m{"token_count": 2, "token_length": 3}, nil, `"codes": \["\w{3}", "\w{3}"\]`},
		{"authenticator_static.authenticatorstaticstage", m{}, nil, `"codes": \[("\w{12}"(, )?){6}\]`},
		{
			"authenticator_validate.authenticatorvalidatestage",
			m{"not_configured_action": "configure", "configuration_stages": []string{static}},
			nil, `"component": "ak-stage-authenticator-static"`,
		},
		{"authenticator_validate.authenticatorvalidatestage", m{"not_configured_action": "deny"}, nil, "No \\(allowed\\) MFA"},
		{
			"captcha.captchastage",
			m{"public_key": "key", "js_url": "https://js", "interactive": true},
			nil, `"site_key": "key", "js_url": "https://js", "interactive": true`,
		},
		{"dummy.dummystage", m{"throw_error": true}, nil, "Test error"},
		{"dummy.dummystage", m{"throw_error": false}, nil, "ak-stage-dummy"},
		{"invitation.invitationstage", m{"continue_flow_without_invitation": true}, nil, `"to": "/"`},
		{"invitation.invitationstage", m{}, nil, "Invalid invite/invite not found"},
		{"consent.consentstage", m{"mode": "always_require"}, nil, "ak-stage-consent"},
		{"redirect.redirectstage", m{"target_static": "https://there"}, nil, `"to": "https://there"`},
		{"redirect.redirectstage", m{"target_flow": logIn}, nil, `"to": "/if/flow/default-authentication-flow/`},
		{"user_write.userwritestage", m{"user_creation_mode": "never_create"}, []authentiktest.StageSettings{authentiktest.UserLogoutStage{}, prompt}, "can't create new user"},
		{"user_write.userwritestage", m{}, []authentiktest.StageSettings{authentiktest.UserLogoutStage{}, prompt}, `"to": "/"`},
	} {
		slug := fmt.Sprint("stage-", i)
		srv.AddFlow(authentik.Flow{Slug: slug})
		srv.AddStages(slug, c.before...)
		importStage(t, srv, slug, c.model, c.attrs)
		b := newBrowser(srv)
		b.logIn("akadmin", authentiktest.AdminPassword)
		s := b.show(slug)
		if c.before != nil {
			s = b.solve(slug, m{})
		}
		assert.Regexp(t, c.want, s.Body, "%s %v", c.model, c.attrs)
	}

	for offset, remembers := range map[string]bool{"seconds=0": false, "days=30": true} {
		slug := "login-" + offset[:4]
		srv.AddFlow(authentik.Flow{Slug: slug})
		srv.AddStages(slug, authentiktest.IdentificationStage{WithPassword: true})
		importStage(t, srv, slug, "user_login.userloginstage", m{"remember_device": offset})
		b := newBrowser(srv)
		s := b.solve(slug, m{"uid_field": "akadmin", "password": authentiktest.AdminPassword})
		assert.Equal(t, "/", s.To)
		assert.Equal(t, remembers, b.cookie("authentik_device") != "", offset)
	}
}

func TestExecutor_ForgetsPromptsThatAnImportDeletes(t *testing.T) {
	t.Parallel()
	srv := authentiktest.RoundTripper(t)
	srv.AddFlow(authentik.Flow{Slug: "a"})
	prompt := m{
		"model": "authentik_stages_prompt.prompt", "identifiers": m{"pk": "00000000-0000-4000-8000-000000000001"},
		"attrs": m{"name": "p", "field_key": "color", "label": "Color", "type": "text", "required": true},
	}
	importEntries(t, srv, prompt)
	importStage(t, srv, "a", "prompt.promptstage", m{"fields": []string{"00000000-0000-4000-8000-000000000001"}})
	s := newBrowser(srv).show("a")
	require.Len(t, s.Fields, 1)
	assert.Equal(t, "color", s.Fields[0]["field_key"])
	prompt["state"] = "absent"
	importEntries(t, srv, prompt)
	s = newBrowser(srv).show("a")
	assert.Equal(t, "ak-stage-prompt", s.Component)
	assert.Empty(t, s.Fields)
}
