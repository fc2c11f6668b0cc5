package authentiktest_test

import (
	"encoding/json"
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
	"github.com/seed-299d42e7/authentik-go/internal/testkit"
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
		require.Equal(
			t,
			"xak-flow-redirect",
			b.logIn(authentiktest.AdminUsername, authentiktest.AdminPassword).Component,
		)
		require.Equal(t, "akadmin", b.me())

		const change = "default-password-change"
		require.Equal(t, "ak-stage-prompt", b.show(change).Component)
		assert.Equal(
			t,
			"Passwords don't match.",
			b.solve(change, m{"password": "a", "password_repeat": "b"}).error("non_field_errors"),
		)
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
		tries, message := 5, "Invalid password"
		if !atLeast(version, "2024.10") {
			message = "Unknown error"
		}
		if !atLeast(version, "2023.10") {
			tries = 6
		}
		for range tries - 1 {
			s := b.solve(slug, m{"password": "wrong"})
			assert.Equal(t, "Invalid password", s.error("password"))
			assert.Equal(t, "ak-stage-password", s.Component)
		}
		s := b.solve(slug, m{"password": "wrong"})
		assert.Equal(t, "ak-stage-access-denied", s.Component)
		assert.Equal(t, message, s.ErrorMessage)
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
		testkit.Advance(time.Second)
		assert.Equal(t, refused, b.solve(slug, m{"code": wrong}).error("code"))
		testkit.Advance(time.Second)
		assert.Equal(
			t,
			refused,
			b.solve(slug, m{"code": device.Code(time.Now())}).error("code"),
			"it waits two seconds",
		)
		testkit.Advance(time.Second)
		used := device.Code(time.Now())
		assert.Equal(t, "/", b.solve(slug, m{"code": used}).To)
		again := newBrowser(srv)
		again.logIn("akadmin", authentiktest.AdminPassword)
		assert.Equal(t, refused, again.solve(slug, m{"code": used}).error("code"), "a code is accepted once")
		testkit.Advance(30 * time.Second)
		assert.Equal(t, "/", again.solve(slug, m{"code": device.Code(time.Now())}).To)
	})
}

func number(t *testing.T, code string) (n int) {
	t.Helper()
	_, err := fmt.Sscanf(code, "%d", &n)
	require.NoError(t, err)
	return n
}

func TestAccount_IsMisusedLoudly(t *testing.T) {
	t.Parallel()
	type server = authentiktest.Server
	passes := func(authentiktest.PolicyRequest) error { return nil }
	account := func(a authentiktest.Account) func(*server) { return func(s *server) { s.AddAccount(a) } }
	device := func(username string, d authentiktest.Device) func(*server) {
		return func(s *server) { s.AddDevice(username, d) }
	}
	stage := func(slug string, stage authentiktest.StageSettings) func(*server) {
		return func(s *server) { s.AddStages(slug, stage) }
	}
	configure := func(name string) func(*server) {
		return func(s *server) { s.ConfigureStage(name, authentiktest.DenyStage{}) }
	}
	const login = "default-authentication-login"
	for want, misuse := range map[string]func(*server){
		`AddAccount: a user with the username "akadmin" exists already`: account(authentiktest.Account{Username: "akadmin"}),
		`AddAccount: the fake does not know the permission "x"`:         account(authentiktest.Account{Permissions: []string{"x"}}),
		`AddDevice: no user has the username "bob"`:                     device("bob", authentiktest.Device{}),
		"AddDevice: the secret is not base 32":                          device("akadmin", authentiktest.Device{Secret: "1"}),
		`DeleteDevices: no user has the username "bob"`:                 func(s *server) { s.DeleteDevices("bob") },
		`AddStages: no flow has the slug "nope"`:                        stage("nope", authentiktest.DenyStage{}),
		"AddStages: a stage must not be nil":                            stage("initial-setup", nil),
		"AddStages: authentik 2023.10.7 has no redirect stage":          stage("initial-setup", authentiktest.RedirectStage{}),
		"Script: a challenge must not be nil":                           func(s *server) { s.Script("initial-setup", nil) },
		"AddPolicy: the policy must not be nil":                         func(s *server) { s.AddPolicy(uuid.Max, nil) },

		`AddStages: a stage with the name "` + login + `" exists already`: stage(
			"initial-setup", authentiktest.DenyStage{Name: login},
		),
		`ConfigureStage: no stage has the name "nope", or there are no settings`: configure("nope"),
		`ConfigureStage: the stage "` + login + `" is one of the model authentik_stages_user_login.userloginstage`: configure(
			login,
		),
		"AddPolicy: no flow or binding has the identifier " + uuid.Max.String(): func(s *server) {
			s.AddPolicy(uuid.Max, passes)
		},
	} {
		tb := &told{TB: t}
		misuse(authentiktest.RoundTripper(tb, authentiktest.Version("2023.10")))
		assert.Equal(t, []string{"authentiktest: %s", want}, tb.errors)
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
	s := b.sendWith(
		http.MethodPost,
		executor("dummy"),
		m{},
		http.Header{"Origin": {srv.URL}, "X-Authentik-Csrf": {csrf}},
	)
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

func TestExecutor_RunsImportedStages(t *testing.T) {
	t.Parallel()
	srv := authentiktest.RoundTripper(t)
	entry := func(model string, pk int, attrs m) m {
		return m{
			"model":       model,
			"identifiers": m{"pk": fmt.Sprintf("00000000-0000-4000-8000-%012d", pk)},
			"attrs":       attrs,
		}
	}
	bind := func(stage, order int) m {
		return m{"model": "authentik_flows.flowstagebinding", "attrs": m{}, "identifiers": m{
			"target": "00000000-0000-4000-8000-000000000001", "order": order,
			"stage": fmt.Sprintf("00000000-0000-4000-8000-%012d", stage),
		}}
	}
	document, err := json.Marshal(m{"version": 1, "entries": []m{
		entry("authentik_flows.flow", 1, m{"slug": "imported", "name": "n", "title": "t", "designation": "enrollment"}),
		entry("authentik_stages_prompt.prompt", 2, m{
			"name": "p", "field_key": "color", "label": "Color", "type": "text", "required": true, "order": 7,
		}),
		entry(
			"authentik_stages_prompt.promptstage",
			3,
			m{"name": "imported-prompt", "fields": []string{"00000000-0000-4000-8000-000000000002"}},
		),
		entry("authentik_stages_deny.denystage", 4, m{"name": "imported-deny", "deny_message": "not today"}),
		bind(3, 0),
		bind(4, 10),
	}})
	require.NoError(t, err)
	result, err := srv.Client(
		authentik.WithRetry(authentik.RetryPolicy{MaxAttempts: 1}),
	).FlowsInstancesImportCreate(
		t.Context(),
		document,
	)
	require.NoError(t, err)
	require.True(t, result.Success, "%v", result)
	b := newBrowser(srv)
	s := b.show("imported")
	require.Len(t, s.Fields, 1, "%v", s)
	assert.Equal(t, "Color", s.Fields[0]["label"])
	assert.Equal(t, "This field is required.", b.solve("imported", m{}).error("color"))
	assert.Equal(t, "not today", b.solve("imported", m{"color": "red"}).ErrorMessage)
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
