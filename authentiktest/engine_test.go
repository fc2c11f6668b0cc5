package authentiktest_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/authentiktest"
	"github.com/seed-299d42e7/authentik-go/challenge"
)

func everyRelease(t *testing.T, test func(t *testing.T, srv *authentiktest.Server, version string)) {
	t.Helper()
	for _, version := range authentiktest.Versions() {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			test(t, authentiktest.RoundTripper(t, authentiktest.Version(version)), version)
		})
	}
}

// atLeast compares two releases.
func atLeast(version, other string) bool {
	all := authentiktest.Versions()
	return slices.Index(all, version) >= slices.Index(all, other)
}

func TestExecutor_RunsStockFlows(t *testing.T) {
	t.Parallel()
	everyRelease(t, func(t *testing.T, srv *authentiktest.Server, _ string) {
		b := newBrowser(srv)
		require.Equal(t, "xak-flow-redirect", b.logIn(authentiktest.AdminUsername, authentiktest.AdminPassword).Component)
		require.Equal(t, "akadmin", b.me())

		const change = "default-password-change"
		require.Equal(t, "ak-stage-prompt", b.show(change).Component)
		assert.Equal(t, "Passwords don't match.", b.solve(change, m{"password": "a", "password_repeat": "b"}).error("non_field_errors"))
		assert.Equal(t, "/", b.solve(change, m{"password": "new", "password_repeat": "new"}).To)
		assert.Equal(t, "akadmin", b.me(), "the session goes on")

		if srv.Flows(); b.show("default-user-settings-flow").Status == http.StatusOK {
			next := b.solve("default-user-settings-flow", m{
				"username": "akadmin", "name": "Ada", "email": b.email(), "attributes.settings.locale": "de",
			})
			assert.Equal(t, "/", next.To, "%v", next)
			assert.Contains(t, b.send(http.MethodGet, "/api/v3/core/users/me/", nil).Body, `"name":"Ada"`)
		}
		assert.Equal(t, "/", b.show("default-invalidation-flow").To)
		assert.Empty(t, b.me())
		assert.Equal(t, "Invalid password", b.logIn("akadmin", authentiktest.AdminPassword).error("password"))
		assert.Equal(t, "/", b.solve("default-authentication-flow", m{"password": "new"}).To)
	})
}

// email returns the address of who is logged in.
func (b *browser) email() string {
	_, text, _ := strings.Cut(b.send(http.MethodGet, "/api/v3/core/users/me/", nil).Body, `"email":"`)
	text, _, _ = strings.Cut(text, `"`)
	return text
}

func TestExecutor_RunsStockSetups(t *testing.T) {
	t.Parallel()
	everyRelease(t, func(t *testing.T, srv *authentiktest.Server, version string) {
		b := newBrowser(srv)
		b.logIn("akadmin", authentiktest.AdminPassword)
		const static, totp = "default-authenticator-static-setup", "default-authenticator-totp-setup"
		codes, _ := b.show(static).Codes.([]any)
		require.Len(t, codes, 6)
		assert.Equal(t, "/", b.solve(static, m{}).To)
		_, secret, _ := strings.Cut(b.show(totp).ConfigURL, "secret=")
		secret, _, _ = strings.Cut(secret, "&")
		device := authentiktest.Device{Secret: secret}
		assert.Equal(t, "/", b.solve(totp, m{"code": device.Code(time.Now())}).To)

		other := newBrowser(srv)
		next := other.logIn("akadmin", authentiktest.AdminPassword)
		require.Len(t, next.Devices, 2)
		assert.Equal(t, atLeast(version, "2024.10"), strings.Contains(next.Body, "last_used"))
		assert.Equal(t, "/", other.solve("default-authentication-flow", m{"code": codes[3]}).To)
	})
}

func TestExecutor_CountsWrongPasswords(t *testing.T) {
	t.Parallel()
	everyRelease(t, func(t *testing.T, srv *authentiktest.Server, version string) {
		const slug = "default-authentication-flow"
		b := newBrowser(srv)
		b.solve(slug, m{"uid_field": "akadmin"})
		for range 4 {
			s := b.solve(slug, m{"password": "wrong"})
			assert.Equal(t, "Invalid password", s.error("password"))
			assert.Equal(t, "ak-stage-password", s.Component)
		}
		s := b.solve(slug, m{"password": "wrong"})
		assert.Equal(t, "ak-stage-access-denied", s.Component)
		assert.Equal(t, "Invalid password", s.ErrorMessage)
		assert.Equal(t, "akadmin", s.PendingUser)
		s = b.solve(slug, m{"password": authentiktest.AdminPassword})
		assert.Equal(t, "ak-stage-identification", s.Component)
		field, text := "uid_field", "This field is required."
		if atLeast(version, "2025.12") {
			field, text = "non_field_errors", "No identification data provided."
		}
		assert.Equal(t, text, s.error(field))
		assert.Empty(t, b.me())
	})
}

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
	srv.AddStages("login", authentiktest.IdentificationStage{RevealUnknown: true}, authentiktest.PasswordStage{}, authentiktest.UserLoginStage{})
	b := newBrowser(srv)
	assert.Equal(t, "Failed to authenticate.", b.solve("login", m{"uid_field": "nobody"}).error("non_field_errors"))
	assert.Equal(t, "ak-stage-password", b.solve("login", m{"uid_field": "old"}).Component)
	assert.Equal(t, "Invalid password", b.solve("login", m{"password": "p"}).error("password"))
}

func TestIdentificationStage_HideMatchedUser(t *testing.T) {
	t.Parallel()
	srv := authentiktest.RoundTripper(t)
	srv.AddAccount(authentiktest.Account{Username: "alice", Email: "a@example.com"})
	srv.ConfigureStage("default-authentication-identification", authentiktest.IdentificationStage{HideMatchedUser: true})
	assert.Equal(t, "a@example.com", newBrowser(srv).solve("default-authentication-flow", m{"uid_field": "a@example.com"}).PendingUser)
}

func TestExecutor_AppliesARepeatedResponseToTheNextStage(t *testing.T) {
	t.Parallel()
	srv := authentiktest.RoundTripper(t)
	const slug = "default-authentication-flow"
	b := newBrowser(srv)
	for range 2 {
		b.send(http.MethodPost, executor(slug), m{"uid_field": "akadmin"})
	}
	s := b.show(slug)
	assert.Equal(t, "ak-stage-password", s.Component)
	for range 2 {
		s = b.send(http.MethodPost, executor(slug), m{"password": authentiktest.AdminPassword})
	}
	assert.Equal(t, "Empty response", s.error("non_field_errors"))
	assert.Equal(t, "/", b.show(slug).To)
}

func TestExecutor_KeepsOnePlanForASession(t *testing.T) {
	t.Parallel()
	srv := authentiktest.RoundTripper(t)
	srv.AddFlow(authentik.Flow{Slug: "other"})
	srv.AddStages("other", authentiktest.DummyStage{}, authentiktest.DummyStage{})
	b := newBrowser(srv)
	b.solve("default-authentication-flow", m{"uid_field": "akadmin"})
	assert.Equal(t, "ak-stage-dummy", b.show("other").Component)
	assert.Equal(t, "ak-stage-identification", b.show("default-authentication-flow").Component)
}

func TestExecutor_ForgetsSessionsAfterANewPassword(t *testing.T) {
	t.Parallel()
	srv := authentiktest.RoundTripper(t)
	first, second := newBrowser(srv), newBrowser(srv)
	first.logIn("akadmin", authentiktest.AdminPassword)
	second.logIn("akadmin", authentiktest.AdminPassword)
	first.show("default-password-change")
	first.solve("default-password-change", m{"password": "n", "password_repeat": "n"})
	assert.Equal(t, "akadmin", first.me())
	assert.Empty(t, second.me())
}

func TestExecutor_SlowsDownAfterAWrongCode(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := authentiktest.RoundTripper(t)
		device := srv.AddDevice("akadmin", authentiktest.Device{})
		b := newBrowser(srv)
		require.Len(t, b.logIn("akadmin", authentiktest.AdminPassword).Devices, 1)
		const slug = "default-authentication-flow"
		wrong := fmt.Sprintf("%06d", (number(t, device.Code(time.Now()))+1)%1_000_000)
		refused := "Invalid Token. Please ensure the time on your device is accurate and try again."
		assert.Equal(t, refused, b.solve(slug, m{"code": wrong}).error("code"))
		assert.Equal(t, refused, b.solve(slug, m{"code": device.Code(time.Now())}).error("code"), "it waits a second")
		time.Sleep(time.Second)
		assert.Equal(t, refused, b.solve(slug, m{"code": wrong}).error("code"))
		time.Sleep(time.Second)
		assert.Equal(t, refused, b.solve(slug, m{"code": device.Code(time.Now())}).error("code"), "it waits two seconds")
		time.Sleep(time.Second)
		used := device.Code(time.Now())
		assert.Equal(t, "/", b.solve(slug, m{"code": used}).To)
		again := newBrowser(srv)
		again.logIn("akadmin", authentiktest.AdminPassword)
		assert.Equal(t, refused, again.solve(slug, m{"code": used}).error("code"), "a code is accepted once")
		time.Sleep(30 * time.Second)
		assert.Equal(t, "/", again.solve(slug, m{"code": device.Code(time.Now())}).To)
	})
}

func number(t *testing.T, code string) (n int) {
	t.Helper()
	_, err := fmt.Sscanf(code, "%d", &n)
	require.NoError(t, err)
	return n
}

func TestAuthenticatorValidateStage_ConfiguresADevice(t *testing.T) {
	t.Parallel()
	srv := authentiktest.RoundTripper(t)
	srv.ConfigureStage("default-authentication-mfa-validation", authentiktest.AuthenticatorValidateStage{
		NotConfigured: "configure", ConfigurationStages: []string{"default-authenticator-static-setup"}, Remember: time.Hour,
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
	srv.ConfigureStage("default-authentication-mfa-validation", authentiktest.AuthenticatorValidateStage{NotConfigured: "deny"})
	srv.DeleteDevices("akadmin")
	assert.Equal(t, "No (allowed) MFA authenticator configured.", newBrowser(srv).logIn("akadmin", authentiktest.AdminPassword).ErrorMessage)
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
	assert.Equal(t, "Username is already taken.", other.solve("enroll", m{"username": "new", "password": "pass"}).error("username"))
	assert.Equal(t, "/", other.logIn("new", "pass").To)
}

func TestUserWriteStage_Denies(t *testing.T) {
	t.Parallel()
	srv := authentiktest.RoundTripper(t)
	for i, stages := range [][]authentiktest.StageSettings{
		{authentiktest.UserWriteStage{}},
		{authentiktest.PromptStage{Fields: []authentiktest.PromptField{{Key: "name"}}}, authentiktest.UserWriteStage{NeverCreate: true}},
		{authentiktest.PromptStage{Fields: []authentiktest.PromptField{{Key: "username"}}}, authentiktest.UserWriteStage{}},
	} {
		slug := fmt.Sprintf("write-%d", i)
		srv.AddFlow(authentik.Flow{Slug: slug})
		srv.AddStages(slug, stages...)
		b := newBrowser(srv)
		s := b.show(slug)
		if s.Component == "ak-stage-prompt" {
			s = b.solve(slug, m{"username": "akadmin"})
		}
		want := []string{"No Pending data.", "No user found and can't create new user.", "Failed to update user. Please try again later."}
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
		time.Sleep(59 * time.Minute)
		assert.Equal(t, "akadmin", b.me())
		time.Sleep(time.Minute)
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

func TestAccount_IsMisusedLoudly(t *testing.T) {
	t.Parallel()
	for _, misuse := range []struct {
		do   func(*authentiktest.Server)
		want string
	}{
		{func(s *authentiktest.Server) { s.AddAccount(authentiktest.Account{Username: "akadmin"}) }, `AddAccount: a user with the username "akadmin" exists already`},
		{func(s *authentiktest.Server) { s.AddAccount(authentiktest.Account{Permissions: []string{"x"}}) }, `AddAccount: the fake does not know the permission "x"`},
		{func(s *authentiktest.Server) { s.AddDevice("bob", authentiktest.Device{}) }, `AddDevice: no user has the username "bob"`},
		{func(s *authentiktest.Server) { s.AddDevice("akadmin", authentiktest.Device{Secret: "1"}) }, "AddDevice: the secret is not base 32"},
		{func(s *authentiktest.Server) { s.DeleteDevices("bob") }, `DeleteDevices: no user has the username "bob"`},
		{func(s *authentiktest.Server) { s.AddStages("nope") }, `AddStages: no flow has the slug "nope"`},
		{func(s *authentiktest.Server) { s.AddStages("initial-setup", nil) }, "AddStages: a stage must not be nil"},
		{func(s *authentiktest.Server) {
			s.AddStages("initial-setup", authentiktest.DenyStage{Name: "default-authentication-login"})
		}, `AddStages: a stage with the name "default-authentication-login" exists already`},
		{func(s *authentiktest.Server) { s.AddStages("initial-setup", authentiktest.RedirectStage{}) }, "AddStages: authentik 2023.10.7 has no redirect stage"},
		{func(s *authentiktest.Server) { s.Script("initial-setup", nil) }, "Script: a challenge must not be nil"},
		{func(s *authentiktest.Server) { s.ConfigureStage("nope", authentiktest.DenyStage{}) }, `ConfigureStage: no stage has the name "nope", or there are no settings`},
		{func(s *authentiktest.Server) {
			s.ConfigureStage("default-authentication-login", authentiktest.DenyStage{})
		}, `ConfigureStage: the stage "default-authentication-login" is one of the model authentik_stages_user_login.userloginstage`},
		{func(s *authentiktest.Server) {
			s.AddPolicy(uuid.Max, func(authentiktest.PolicyRequest) error { return nil })
		}, "AddPolicy: no flow or binding has the identifier " + uuid.Max.String()},
		{func(s *authentiktest.Server) { s.AddPolicy(uuid.Max, nil) }, "AddPolicy: the policy must not be nil"},
	} {
		tb := &told{TB: t}
		misuse.do(authentiktest.RoundTripper(tb, authentiktest.Version("2023.10")))
		assert.Equal(t, []string{"authentiktest: %s", misuse.want}, tb.errors)
	}
}

func TestExecutor_WantsAProofAgainstForgery(t *testing.T) {
	t.Parallel()
	srv := authentiktest.RoundTripper(t)
	srv.AddFlow(authentik.Flow{Slug: "dummy"})
	srv.AddStages("dummy", authentiktest.DummyStage{})
	b := newBrowser(srv)
	b.logIn("akadmin", authentiktest.AdminPassword)
	csrf, own := b.cookie("authentik_csrf"), srv.URL+"/"
	for _, forged := range []http.Header{
		{"Referer": {own}},
		{"X-Authentik-Csrf": {csrf}},
		{"Referer": {own}, "X-Authentik-Csrf": {strings.Repeat("a", len(csrf))}},
		{"Referer": {own}, "X-Authentik-Csrf": {csrf[1:]}},
		{"Referer": {own}, "X-Authentik-Csrf": {"ü" + csrf[2:]}},
		{"Referer": {"http://authentik.example.com/"}, "X-Authentik-Csrf": {csrf}},
		{"Referer": {"https://other.example/"}, "X-Authentik-Csrf": {csrf}},
		{"Referer": {"authentik"}, "X-Authentik-Csrf": {csrf}},
		{"Referer": {own}, "Origin": {"https://other.example"}, "X-Authentik-Csrf": {csrf}},
	} {
		s := b.sendWith(http.MethodPost, executor("dummy"), m{}, forged)
		assert.Equal(t, "ak-stage-flow-error", s.Component, "%v", forged)
		assert.NotContains(t, s.Body, "traceback")
	}
	s := b.sendWith(http.MethodPost, executor("dummy"), m{}, http.Header{"Origin": {srv.URL}, "X-Authentik-Csrf": {csrf}})
	assert.Equal(t, "/", s.To)
}

func TestExecutor_ShowsErrorsToSuperusers(t *testing.T) {
	t.Parallel()
	srv := authentiktest.RoundTripper(t)
	srv.AddAccount(authentiktest.Account{Username: "alice", Password: "p"})
	srv.AddFlow(authentik.Flow{Slug: "broken"})
	srv.AddStages("broken", authentiktest.DummyStage{ThrowError: true})
	for name, password := range map[string]string{"akadmin": authentiktest.AdminPassword, "alice": "p", "nobody": "p"} {
		b := newBrowser(srv)
		b.logIn(name, password)
		s := b.show("broken")
		assert.Equal(t, "ak-stage-flow-error", s.Component)
		assert.Equal(t, name == "akadmin", strings.Contains(s.Body, "Test error"), s.Body)
	}
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

func TestExecutor_RedactsResponses(t *testing.T) {
	t.Parallel()
	srv := authentiktest.RoundTripper(t)
	b := newBrowser(srv)
	b.logIn("akadmin", authentiktest.AdminPassword)
	b.send(http.MethodPost, executor("default-authentication-flow"), m{"code": "123456", "token": "canary"})
	session, csrf := b.cookie("authentik_session"), b.cookie("authentik_csrf")
	require.NotEmpty(t, session)
	require.NotEmpty(t, csrf)
	for _, r := range srv.Requests() {
		text := fmt.Sprintf("%+v", r)
		for _, secret := range []string{authentiktest.AdminPassword, "123456", "canary", session, csrf} {
			assert.NotContains(t, text, secret)
		}
	}
}

func TestExecutor_ServesManyAtOnce(t *testing.T) {
	t.Parallel()
	srv := authentiktest.NewServer(t)
	var all sync.WaitGroup
	for i := range 8 {
		name := srv.AddAccount(authentiktest.Account{Password: "p"}).Username
		all.Go(func() {
			b := newBrowser(srv)
			b.Transport = nil
			if i%2 == 0 {
				srv.AddDevice("akadmin", authentiktest.Device{})
			}
			if b.logIn(name, "p").To != "/" || b.me() != name {
				t.Errorf("%s cannot log in", name)
			}
		})
	}
	all.Wait()
}

func BenchmarkLogin(b *testing.B) {
	srv := authentiktest.RoundTripper(nil)
	for b.Loop() {
		if newBrowser(srv).logIn("akadmin", authentiktest.AdminPassword).To != "/" {
			b.Fatal("not logged in")
		}
	}
}
