package authentiktest_test

import (
	"errors"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/authentiktest"
	"github.com/seed-299d42e7/authentik-go/challenge"
	"github.com/seed-299d42e7/authentik-go/internal/testkit"
)

func TestIdentificationStage_WithPassword(t *testing.T) {
	t.Parallel()
	srv := authentiktest.RoundTripper(t)
	srv.AddAccount(authentiktest.Account{Username: "alice", Password: "right"})
	srv.AddFlow(authentik.Flow{Slug: "login"})
	srv.AddStages("login", authentiktest.IdentificationStage{WithPassword: true}, authentiktest.UserLoginStage{})
	for _, response := range []m{
		{"uid_field": "alice"},
		{"uid_field": "alice", "password": nil},
		{"uid_field": "alice", "password": ""},
		{"uid_field": "alice", "password": "wrong"},
		{"uid_field": "nobody", "password": "right"},
	} {
		s := newBrowser(srv).solve("login", response)
		assert.Equal(t, "Failed to authenticate.", s.error("non_field_errors"), "%v", response)
		assert.Equal(t, "ak-stage-identification", s.Component)
	}
	b := newBrowser(srv)
	assert.Equal(t, "/", b.solve("login", m{"uid_field": "ALICE@example.com", "password": "right"}).To)
	assert.Equal(t, "alice", b.me())
}

func TestIdentificationStage_RevealUnknown(t *testing.T) {
	t.Parallel()
	srv := authentiktest.RoundTripper(t)
	srv.AddAccount(authentiktest.Account{Username: "old", Password: "p", Inactive: true})
	srv.AddFlow(authentik.Flow{Slug: "login"})
	srv.AddStages(
		"login",
		authentiktest.IdentificationStage{RevealUnknown: true},
		authentiktest.PasswordStage{},
		authentiktest.UserLoginStage{},
	)
	b := newBrowser(srv)
	assert.Equal(t, "Failed to authenticate.", b.solve("login", m{"uid_field": "nobody"}).error("non_field_errors"))
	assert.Equal(t, "ak-stage-password", b.solve("login", m{"uid_field": "old"}).Component)
	assert.Equal(t, "Invalid password", b.solve("login", m{"password": "p"}).error("password"))
}

func TestIdentificationStage_HideMatchedUser(t *testing.T) {
	t.Parallel()
	srv := authentiktest.RoundTripper(t)
	srv.AddAccount(authentiktest.Account{Username: "alice", Email: "a@example.com"})
	srv.ConfigureStage(
		"default-authentication-identification",
		authentiktest.IdentificationStage{HideMatchedUser: true},
	)
	assert.Equal(
		t,
		"a@example.com",
		newBrowser(srv).solve("default-authentication-flow", m{"uid_field": "a@example.com"}).PendingUser,
	)
}

func TestAuthenticatorValidateStage_ConfiguresADevice(t *testing.T) {
	t.Parallel()
	srv := authentiktest.RoundTripper(t)
	srv.ConfigureStage("default-authentication-mfa-validation", authentiktest.AuthenticatorValidateStage{
		NotConfigured:       "configure",
		ConfigurationStages: []string{"default-authenticator-static-setup"},
		Remember:            time.Hour,
	})
	b := newBrowser(srv)
	s := b.logIn("akadmin", authentiktest.AdminPassword)
	require.Equal(t, "ak-stage-authenticator-static", s.Component, "the only choice comes next")
	codes, _ := s.Codes.([]any)
	assert.Equal(t, "/", b.solve("default-authentication-flow", m{}).To)

	b = newBrowser(srv)
	b.logIn("akadmin", authentiktest.AdminPassword)
	assert.Equal(t, "/", b.solve("default-authentication-flow", m{"code": codes[0]}).To)
	b.show("default-invalidation-flow")
	assert.Equal(t, "/", b.logIn("akadmin", authentiktest.AdminPassword).To, "the browser is remembered")
	srv.ConfigureStage(
		"default-authentication-mfa-validation",
		authentiktest.AuthenticatorValidateStage{NotConfigured: "deny"},
	)
	srv.DeleteDevices("akadmin")
	assert.Equal(
		t,
		"No (allowed) MFA authenticator configured.",
		newBrowser(srv).logIn("akadmin", authentiktest.AdminPassword).ErrorMessage,
	)
}

func TestUserWriteStage_Enrolls(t *testing.T) {
	t.Parallel()
	srv := authentiktest.RoundTripper(t)
	srv.AddFlow(authentik.Flow{Slug: "enroll", Designation: authentik.FlowDesignationEnrollment})
	srv.AddStages("enroll",
		authentiktest.PromptStage{
			Fields: []authentiktest.PromptField{
				{Key: "username", Type: "username", Required: true},
				{Key: "password", Type: "password", Required: true},
				{Key: "attributes.team.name"},
				{Key: "plan", Type: "dropdown", Choices: []string{"free", "paid"}},
			},
			Validate: func(values map[string]any, request authentiktest.PolicyRequest) error {
				if len(values["password"].(string)) < 4 && !request.LoggedIn {
					return errors.New("too short")
				}
				return nil
			},
		},
		authentiktest.UserWriteStage{}, authentiktest.UserLoginStage{})
	b := newBrowser(srv)
	assert.Equal(t, "too short", b.solve("enroll", m{"username": "new", "password": "p"}).error("non_field_errors"))
	assert.Equal(t, "/", b.solve("enroll", m{"username": "new", "password": "pass", "attributes.team.name": "red"}).To)
	assert.Equal(t, "new", b.me())
	other := newBrowser(srv)
	assert.Equal(
		t,
		"Username is already taken.",
		other.solve("enroll", m{"username": "new", "password": "pass"}).error("username"),
	)
	assert.Equal(t, "/", other.logIn("new", "pass").To)
}

func TestUserWriteStage_Denies(t *testing.T) {
	t.Parallel()
	srv := authentiktest.RoundTripper(t)
	prompt := func(key string) authentiktest.PromptStage {
		return authentiktest.PromptStage{Fields: []authentiktest.PromptField{{Key: key}}}
	}
	for i, stages := range [][]authentiktest.StageSettings{
		{authentiktest.UserWriteStage{}},
		{prompt("name"), authentiktest.UserWriteStage{NeverCreate: true}},
		{prompt("username"), authentiktest.UserWriteStage{}},
	} {
		slug := fmt.Sprintf("write-%d", i)
		srv.AddFlow(authentik.Flow{Slug: slug})
		srv.AddStages(slug, stages...)
		b := newBrowser(srv)
		s := b.show(slug)
		if s.Component == "ak-stage-prompt" {
			s = b.solve(slug, m{"username": "akadmin"})
		}
		want := []string{
			"No Pending data.",
			"No user found and can't create new user.",
			"Failed to update user. Please try again later.",
		}
		assert.Equal(t, want[i], s.ErrorMessage)
	}
}

func TestUserLoginStage_EndsTheSession(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := authentiktest.RoundTripper(t)
		srv.ConfigureStage("default-authentication-login", authentiktest.UserLoginStage{Duration: time.Hour})
		b := newBrowser(srv)
		b.logIn("akadmin", authentiktest.AdminPassword)
		testkit.Advance(59 * time.Minute)
		assert.Equal(t, "akadmin", b.me())
		testkit.Advance(time.Minute)
		assert.Empty(t, b.me())
	})
}

func TestAddPolicy_Decides(t *testing.T) {
	t.Parallel()
	srv := authentiktest.RoundTripper(t)
	fails := func(authentiktest.PolicyRequest) error { return errors.New("closed") }
	passes := func(authentiktest.PolicyRequest) error { return nil }
	for _, mode := range []authentik.PolicyEngineMode{authentik.PolicyEngineModeAny, authentik.PolicyEngineModeAll} {
		flow := srv.AddFlow(authentik.Flow{Slug: string(mode), PolicyEngineMode: mode})
		srv.AddStages(flow.Slug, authentiktest.DummyStage{})
		srv.AddPolicy(flow.PK, fails)
		srv.AddPolicy(flow.PK, passes)
	}
	assert.Equal(t, "ak-stage-dummy", newBrowser(srv).show("any").Component)
	assert.Equal(t, "closed", newBrowser(srv).show("all").ErrorMessage)

	var got authentiktest.PolicyRequest
	binding := srv.AddStages("any", authentiktest.DummyStage{Name: "second"})[0]
	srv.AddPolicy(binding.PK, func(r authentiktest.PolicyRequest) error {
		got = r
		return errors.New("skip")
	})
	b := newBrowser(srv)
	b.logIn("akadmin", authentiktest.AdminPassword)
	b.show("any")
	assert.Equal(t, "/", b.solve("any", m{}).To, "the second stage is skipped")
	assert.Equal(t, "akadmin", got.Username)
	assert.True(t, got.LoggedIn && got.Superuser)
}

func TestScript_ShowsChallenges(t *testing.T) {
	t.Parallel()
	srv := authentiktest.RoundTripper(t)
	srv.Script("default-authentication-flow",
		&challenge.Password{PendingUser: "alice"},
		&challenge.Password{PendingUser: "alice", Common: challenge.Common{
			ResponseErrors: map[string][]challenge.ErrorDetail{"password": {{String: "no", Code: "invalid"}}},
		}},
		&challenge.Redirect{To: "/there"},
	)
	const slug = "default-authentication-flow"
	b := newBrowser(srv)
	s := b.show(slug)
	assert.Equal(t, "alice", s.PendingUser)
	assert.Equal(t, "Welcome to authentik!", s.FlowInfo["title"])
	s = b.send(http.MethodPost, executor(slug), m{"password": "p"})
	assert.Equal(t, "no", s.error("password"), "it is the response")
	s = b.solve(slug, m{"password": "q"})
	assert.Equal(t, "/there", s.To)
	assert.Equal(t, "ak-stage-password", b.show(slug).Component, "it begins anew")

	srv.Script("new", &challenge.Dummy{})
	assert.Equal(t, "ak-stage-dummy", b.show("new").Component)
	assert.Equal(t, "/", b.solve("new", m{}).To)
	srv.Script("new", &challenge.Unknown{Raw: []byte(`{"component": "ak-new", "text": "\u00fc"}`)})
	s = b.show("new")
	assert.Equal(t, "ak-new", s.Component)
	assert.Contains(t, s.Body, `"text": "\u00fc"`)
}

// Up to 2025.12 a session counts what a password stage has refused, and since
// then the reputation of the user does.
func TestPasswordStage_CountsTries(t *testing.T) {
	t.Parallel()
	const slug = "default-authentication-flow"
	for _, version := range []string{"2025.12", "2026.2"} {
		srv := authentiktest.RoundTripper(t, authentiktest.Version(version))
		begin := func(b *browser, username string) {
			b.show("initial-setup") // ends the plan
			b.solve(slug, m{"uid_field": username})
		}
		try := func(b *browser, n int, response m) (last string) {
			for range n {
				last = b.solve(slug, response).Component
			}
			return last
		}
		const again, denied = "ak-stage-password", "ak-stage-access-denied"
		session := !since(version, "2026.2")
		either := func(inSession, byReputation string) string {
			if session {
				return inSession
			}
			return byReputation
		}
		b := newBrowser(srv)
		begin(b, "akadmin")
		assert.Equal(t, either(denied, again), try(b, 5, m{}), "no password")
		b = newBrowser(srv)
		begin(b, "akadmin")
		assert.Equal(t, again, try(b, 3, m{"password": "wrong"}))
		begin(b, "akadmin")
		assert.Equal(t, either(denied, again), try(b, 2, m{"password": "wrong"}), "in two plans")
		b = newBrowser(srv)
		begin(b, "akadmin")
		assert.Equal(t, either(denied, again), try(b, 5, m{"password": "wrong"}), "at the limit of the reputation")
		b = newBrowser(srv)
		begin(b, "nobody")
		assert.Equal(t, either(denied, again), try(b, 5, m{"password": "wrong"}), "one below the limit")

		srv.AddAccount(authentiktest.Account{Username: "bob", Password: "secret"})
		srv.AddDevice("bob", authentiktest.Device{Codes: []string{"once"}})
		b = newBrowser(srv)
		begin(b, "bob")
		b.solve(slug, m{"password": "secret"})
		assert.Equal(t, "ak-stage-authenticator-validate", try(b, 1, m{"code": "wrong"}))
		b = newBrowser(srv)
		begin(b, "bob")
		assert.Equal(t, either(denied, again), try(b, 5, m{"password": "wrong"}), "a wrong code counts, too")
	}
}

func TestPasswordStage_DeniesWithoutAUser(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"2021.12", "2026.8"} {
		srv := authentiktest.RoundTripper(t, authentiktest.Version(version))
		srv.AddFlow(authentik.Flow{Slug: "bare"})
		srv.AddStages("bare", authentiktest.PasswordStage{}, authentiktest.DummyStage{})
		b := newBrowser(srv)
		assert.Equal(t, "This field is required.", b.solve("bare", m{}).error("password"))
		s := b.solve("bare", m{"password": "any"})
		assert.Equal(t, "ak-stage-access-denied", s.Component)
		assert.Equal(t, "Unknown error", s.ErrorMessage)
	}
}

func TestAuthenticatorValidateStage_ShowsOneDeviceOfEachClass(t *testing.T) {
	t.Parallel()
	srv := authentiktest.RoundTripper(t)
	for _, code := range []string{"first", "second"} {
		srv.AddDevice("akadmin", authentiktest.Device{Codes: []string{code}})
		srv.AddDevice("akadmin", authentiktest.Device{})
	}
	b := newBrowser(srv)
	var shown []any
	for _, device := range b.logIn("akadmin", authentiktest.AdminPassword).Devices {
		shown = append(shown, device["device_class"], device["device_uid"])
	}
	assert.Equal(t, []any{"static", "1", "totp", "1"}, shown)
	const slug = "default-authentication-flow"
	assert.Equal(t, "invalid challenge selected", b.solve(slug, m{
		"selected_challenge": m{"device_class": "static", "device_uid": "2", "challenge": m{}, "last_used": nil},
	}).error("selected_challenge"))
	assert.Equal(t, "/", b.solve(slug, m{"code": "second"}).To)
}

func TestExecutor_FormatsTitles(t *testing.T) {
	t.Parallel()
	srv := authentiktest.RoundTripper(t)
	for title, want := range map[string]string{
		"To %(app)s":          "To ",
		"Welcome, %(user)s":   "Welcome, AnonymousUser",
		"100%% for %(user)s":  "100% for AnonymousUser",
		"100% for %(user)s":   "100% for %(user)s",
		"%(app)s %(unknown)s": "%(app)s %(unknown)s",
	} {
		flow := srv.AddFlow(authentik.Flow{Title: title})
		srv.AddStages(flow.Slug, authentiktest.DummyStage{})
		assert.Equal(t, want, newBrowser(srv).show(flow.Slug).FlowInfo["title"])
	}
	flow := srv.AddFlow(authentik.Flow{
		Title: "%(user)s", Authentication: "require_unauthenticated", Designation: authentik.FlowDesignationEnrollment,
	})
	srv.AddStages(flow.Slug, authentiktest.IdentificationStage{HideMatchedUser: true}, authentiktest.DummyStage{})
	b := newBrowser(srv)
	assert.Equal(t, "akadmin@x", b.solve(flow.Slug, m{"uid_field": "akadmin@x"}).FlowInfo["title"])
	b.logIn("akadmin", authentiktest.AdminPassword)
	assert.Equal(t, "%(user)s", b.show(flow.Slug).FlowInfo["title"], "without a plan")
}
