package authentiktest_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/authentiktest"
)

func TestStages_WithoutAUser(t *testing.T) {
	t.Parallel()
	const dummy, denied = "ak-stage-dummy", "ak-stage-access-denied"
	srv := authentiktest.RoundTripper(t)
	for _, c := range []struct {
		stage authentiktest.StageSettings
		want  string
	}{
		{authentiktest.AuthenticatorValidateStage{NotConfigured: "deny"}, dummy},
		{authentiktest.AuthenticatorTOTPStage{}, dummy},
		{authentiktest.AuthenticatorStaticStage{}, dummy},
		{authentiktest.InvitationStage{ContinueWithout: true}, dummy},
		{authentiktest.InvitationStage{}, denied},
		{authentiktest.EmailStage{}, denied},
	} {
		flow := srv.AddFlow(authentik.Flow{Designation: authentik.FlowDesignationEnrollment})
		srv.AddStages(flow.Slug, c.stage, authentiktest.DummyStage{})
		assert.Equal(t, c.want, newBrowser(srv).show(flow.Slug).Component, "%T", c.stage)
	}
}

func TestCaptchaStage_ComparesTheToken(t *testing.T) {
	t.Parallel()
	srv := authentiktest.RoundTripper(t)
	srv.AddFlow(authentik.Flow{Slug: "captcha"})
	srv.AddStages("captcha", authentiktest.CaptchaStage{Token: "human"}, authentiktest.DummyStage{})
	b := newBrowser(srv)
	assert.Equal(t, "Failed to validate token", b.solve("captcha", m{"token": "robot"}).error("token"))
	assert.Equal(t, "ak-stage-dummy", b.solve("captcha", m{"token": "human"}).Component)
}

func TestAuthenticatorValidateStage_OffersSeveralSetups(t *testing.T) {
	t.Parallel()
	const slug, validation = "default-authentication-flow", "default-authentication-mfa-validation"
	srv := authentiktest.RoundTripper(t)
	srv.ConfigureStage(validation, authentiktest.AuthenticatorValidateStage{NotConfigured: "configure"})
	assert.Equal(t, "ak-stage-access-denied", newBrowser(srv).logIn("akadmin", authentiktest.AdminPassword).Component, "nothing to set up")

	srv.ConfigureStage(validation, authentiktest.AuthenticatorValidateStage{
		NotConfigured:       "configure",
		ConfigurationStages: []string{"default-authenticator-static-setup", "default-authenticator-totp-setup"},
	})
	b := newBrowser(srv)
	choices := b.logIn("akadmin", authentiktest.AdminPassword).Choices
	require.Len(t, choices, 2)
	assert.Equal(t, "No compatible device class allowed", b.solve(slug, m{"code": "123456"}).error("code"))
	assert.Equal(t, "Selected stage is invalid", b.solve(slug, m{"selected_stage": "nope"}).error("selected_stage"))
	assert.Equal(t, `Expected a dictionary of items but got type "str".`,
		b.solve(slug, m{"selected_challenge": "static"}).error("selected_challenge"))
	for _, choice := range choices {
		if choice["name"] == "default-authenticator-totp-setup" {
			assert.Equal(t, "ak-stage-authenticator-totp", b.solve(slug, m{"selected_stage": choice["pk"]}).Component)
		}
	}
}

func TestExecutor_BeginsAnewAfterAnInvalidResponse(t *testing.T) {
	t.Parallel()
	for action, want := range map[authentik.InvalidResponseAction]string{
		authentik.InvalidResponseActionRetry:              "ak-stage-captcha",
		authentik.InvalidResponseActionRestart:            "ak-stage-dummy",
		authentik.InvalidResponseActionRestartWithContext: "ak-stage-dummy",
	} {
		srv := authentiktest.RoundTripper(t)
		flow := srv.AddFlow(authentik.Flow{Slug: "again"})
		srv.AddStages("again", authentiktest.DummyStage{})
		captcha := srv.AddStage(authentik.Stage{MetaModelName: "authentik_stages_captcha.captchastage"})
		srv.AddBinding(authentik.FlowStageBinding{Target: flow.PK, Stage: captcha.PK, Order: 100, InvalidResponseAction: action})
		b := newBrowser(srv)
		b.show("again")
		require.Equal(t, "ak-stage-captcha", b.solve("again", m{}).Component)
		assert.Equal(t, want, b.solve("again", m{"token": "robot"}).Component, action)
		b.solve("again", m{})
		srv.AddPolicy(flow.PK, func(authentiktest.PolicyRequest) error { return assert.AnError })
		s := b.solve("again", m{"token": "robot"})
		if action == authentik.InvalidResponseActionRetry {
			assert.Equal(t, "Failed to validate token", s.error("token"))
		} else {
			assert.Equal(t, assert.AnError.Error(), s.ErrorMessage, "the flow does not apply any more")
		}
	}
}

func TestExecutor_ShowsErrorsAsTheRelease(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]string{
		"2022.8":  "xak-flow-shell",
		"2022.9":  "xak-flow-error",
		"2022.11": "xak-flow-error",
		"2022.12": "ak-stage-flow-error",
	} {
		srv := authentiktest.RoundTripper(t, authentiktest.Version(version))
		srv.AddFlow(authentik.Flow{Slug: "broken"})
		srv.AddStages("broken", authentiktest.DummyStage{ThrowError: true})
		assert.Equal(t, want, newBrowser(srv).show("broken").Component, version)
	}
}

func TestIdentificationStage_ThatAsksForThePasswordSkipsTheNext(t *testing.T) {
	t.Parallel()
	const slug = "default-authentication-flow"
	srv := authentiktest.RoundTripper(t)
	srv.ConfigureStage("default-authentication-identification", authentiktest.IdentificationStage{WithPassword: true})
	b := newBrowser(srv)
	b.show(slug)
	s := b.solve(slug, m{"uid_field": "akadmin", "password": authentiktest.AdminPassword})
	assert.Equal(t, "/", s.To, s.Body)
	assert.Equal(t, "akadmin", b.me())
}

func TestPromptStage_KeepsWhatUsersMayNotChange(t *testing.T) {
	t.Parallel()
	const slug = "default-user-settings-flow"
	srv := authentiktest.RoundTripper(t)
	b := newBrowser(srv)
	b.logIn("akadmin", authentiktest.AdminPassword)
	email := b.email()
	b.show(slug)
	for _, c := range []struct{ username, email, want string }{
		{"akadmin", "other@example.com", "Not allowed to change email address."},
		{"ada", email, "Not allowed to change username."},
	} {
		s := b.solve(slug, m{"username": c.username, "name": "Ada", "email": c.email, "attributes.settings.locale": "de"})
		assert.Equal(t, c.want, s.error("non_field_errors"))
	}
	assert.Equal(t, "akadmin", b.me())
}

func TestPromptStage_ShowsWhatWasEntered(t *testing.T) {
	t.Parallel()
	srv := authentiktest.RoundTripper(t)
	srv.AddFlow(authentik.Flow{Slug: "enroll", Designation: authentik.FlowDesignationEnrollment})
	fields := func(keys ...string) authentiktest.PromptStage {
		var s authentiktest.PromptStage
		for _, key := range keys {
			s.Fields = append(s.Fields, authentiktest.PromptField{Key: key, InitialValue: "initial"})
		}
		return s
	}
	active := authentiktest.PromptStage{Fields: []authentiktest.PromptField{{Key: "is_active", Type: "checkbox"}}}
	srv.AddStages("enroll", fields("name"), fields("name", "color"), active, authentiktest.UserWriteStage{})
	b := newBrowser(srv)
	s := b.solve("enroll", m{"name": "Ada"})
	require.Len(t, s.Fields, 2)
	assert.Equal(t, "Ada", s.Fields[0]["initial_value"])
	assert.Equal(t, "initial", s.Fields[1]["initial_value"])
	b.solve("enroll", m{"name": "Bob", "color": "red"})
	s = b.solve("enroll", m{"is_active": false})
	assert.Equal(t, "ak-stage-access-denied", s.Component, "a user needs a username")
}

func TestUserWriteStage_Deactivates(t *testing.T) {
	t.Parallel()
	srv := authentiktest.RoundTripper(t)
	srv.AddAccount(authentiktest.Account{Username: "alice", Password: "p"})
	srv.AddFlow(authentik.Flow{Slug: "leave"})
	srv.AddStages("leave", authentiktest.PromptStage{
		Fields: []authentiktest.PromptField{{Key: "is_active", Type: "checkbox"}},
	}, authentiktest.UserWriteStage{})
	b := newBrowser(srv)
	b.logIn("alice", "p")
	require.Equal(t, "alice", b.me())
	b.show("leave")
	assert.Equal(t, "/", b.solve("leave", m{"is_active": false}).To)
	assert.Empty(t, b.me(), "the session ends")
	assert.Equal(t, "Invalid password", newBrowser(srv).logIn("alice", "p").error("password"))
}

func TestPages_LeadToFlows(t *testing.T) {
	t.Parallel()
	srv := authentiktest.RoundTripper(t)
	b := newBrowser(srv)
	const page = "/flows/-/default/authentication/"
	assert.Equal(t, "/if/flow/default-authentication-flow/", b.send(http.MethodGet, page, nil).Location)
	srv.AddFlow(authentik.Flow{Slug: "own", Designation: authentik.FlowDesignationAuthentication})
	srv.DeleteFlow("default-authentication-flow")
	srv.DeleteFlow("default-source-authentication")
	assert.Equal(t, "/if/flow/own/?next=%2Fa", b.send(http.MethodGet, page+"?next=/a", nil).Location)
	srv.AddFlow(authentik.Flow{Slug: "another", Designation: authentik.FlowDesignationAuthentication})
	closed := srv.AddFlow(authentik.Flow{Slug: "a", Designation: authentik.FlowDesignationAuthentication})
	srv.AddPolicy(closed.PK, func(authentiktest.PolicyRequest) error { return assert.AnError })
	assert.Equal(t, "/if/flow/another/", b.send(http.MethodGet, page, nil).Location, "the first by its slug that is open")
	for _, flow := range srv.Flows() {
		if flow.Designation == authentik.FlowDesignationAuthentication {
			srv.DeleteFlow(flow.Slug)
		}
	}
	assert.Equal(t, http.StatusNotFound, b.send(http.MethodGet, page, nil).Status)
}

func TestServerAddAccount_KeepsTheIdentifier(t *testing.T) {
	t.Parallel()
	srv := authentiktest.RoundTripper(t)
	alice := srv.AddAccount(authentiktest.Account{PK: 4711, Username: "alice"})
	assert.Equal(t, 4711, alice.PK)
	_, body := tell(t, srv, alice.Token, http.MethodGet, "core/users/me/", "")
	assert.Contains(t, body, `"user":{"pk":4711,"username":"alice"`)
}

func TestDevice_ShowsItsCode(t *testing.T) {
	t.Parallel()
	srv := authentiktest.RoundTripper(t)
	// The test vectors of RFC 6238, whose last six digits these are.
	device := srv.AddDevice("akadmin", authentiktest.Device{Secret: "gezdgnbvgy3tqojqgezdgnbvgy3tqojq"})
	for at, want := range map[int64]string{59: "287082", 1111111109: "081804", 20000000000: "353130"} {
		assert.Equal(t, want, device.Code(time.Unix(at, 0)))
	}
	assert.Equal(t, "once", authentiktest.Device{Codes: []string{"once", "more"}}.Code(time.Now()))
	for _, secret := range []string{"", "1", "ä"} {
		assert.Empty(t, authentiktest.Device{Secret: secret}.Code(time.Now()))
	}
	b := newBrowser(srv)
	require.Len(t, b.logIn("akadmin", authentiktest.AdminPassword).Devices, 1)
	assert.Equal(t, "/", b.solve("default-authentication-flow", m{"code": device.Code(time.Now())}).To)
}

func TestCaches_AskForCredentials(t *testing.T) {
	t.Parallel()
	const nobody = `{"detail":"Authentication credentials were not provided."}`
	srv := authentiktest.RoundTripper(t)
	for path, method := range map[string]string{
		"flows/instances/cache_info/": http.MethodGet, "flows/instances/cache_clear/": http.MethodPost,
	} {
		status, body := tell(t, srv, "", method, path, "")
		assert.Equal(t, http.StatusForbidden, status, path)
		assert.JSONEq(t, nobody, body, path)
	}
	status, body := tell(t, srv, srv.AddUser("authentik_flows.add_flow"), http.MethodPost, "flows/instances/cache_clear/", "")
	assert.Equal(t, http.StatusForbidden, status)
	assert.JSONEq(t, `{"detail":"You do not have permission to perform this action."}`, body)
}

func TestServer_ConfiguresAnImportedStageWithoutAFlow(t *testing.T) {
	t.Parallel()
	srv := authentiktest.RoundTripper(t, authentiktest.Version("2024.10"), authentiktest.Empty())
	_, body := upload(t, srv, importPath("2024.10"), "version: 1\nentries:\n"+
		"- {model: authentik_stages_authenticator_totp.authenticatortotpstage, identifiers: {name: a}, attrs: {configure_flow: null, friendly_name: Mine}}\n")
	require.Contains(t, body, `"success":true`)
	_, body = tell(t, srv, srv.Token, http.MethodGet, "stages/all/user_settings/", "")
	assert.JSONEq(t, `[{"title": "Mine", "component": "ak-user-settings-authenticator-totp", "object_uid": "`+
		srv.Stages()[0].PK.String()+`"}]`, body)
}
