package session_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/authentiktest"
	"github.com/seed-299d42e7/authentik-go/challenge"
	"github.com/seed-299d42e7/authentik-go/internal/testkit"
)

// rewritesQuery passes a request on with its query written in another way, as
// some proxies do. Authentik then shows a redirect where it would send a 302.
func rewritesQuery(w *wire, req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.URL.RawQuery += "&"
	return w.pass(req)
}

// Whole flows, on every release, directly and behind a proxy that writes the
// query in another way.
func TestRun_WholeFlows(t *testing.T) {
	t.Parallel()
	for name, run := range map[string]func(*testing.T, *wire){
		"user settings": changesSettings, "enrollment": enrolls, "setup of a device": setsUpDevice,
		"a notice before the login": identifiesLate,
	} {
		for _, release := range authentiktest.Versions() {
			for route, f := range map[string]fault{"directly": nil, "behind a proxy": rewritesQuery} {
				testkit.RunInBubble(t, name+" "+release+" "+route, func(t *testing.T) {
					w := newWire(t, authentiktest.Version(release))
					w.fault, w.meets = f, from(1)
					run(t, w)
				})
			}
		}
	}
}

// changesSettings runs the flows of the user interface for one's own account.
func changesSettings(t *testing.T, w *wire) {
	w.server.AddAccount(authentiktest.Account{Username: username, Password: testkit.Token})
	old := authentik.Credentials{Username: username, Password: testkit.Token}
	session, _ := w.loggedIn(t, old)
	settings := map[string]any{"username": username, "name": "Alice", "email": "alice@example.com"}
	_, err := session.Run(t.Context(), "default-user-settings-flow", nil, authentik.Credentials{Prompt: settings})
	if !errors.Is(err, authentik.ErrNotFound) { // installs until 2022.11 do not have that flow
		require.NoError(t, err)
	}
	changed := authentik.Credentials{Username: username, Password: "CANARY of a new password"}
	_, err = session.Run(t.Context(), "default-password-change", nil, authentik.Credentials{
		Prompt: map[string]any{"password": changed.Password, "password_repeat": changed.Password},
	})
	require.NoError(t, err)
	require.NoError(t, session.Logout(t.Context(), logoutFlow))
	_, err = session.Login(t.Context(), loginFlow, old)
	require.ErrorIs(t, err, authentik.ErrBadCredentials)
	_, err = session.Login(t.Context(), loginFlow, changed)
	require.NoError(t, err)
}

// enrolls runs a flow that makes a user of an invitation and two forms.
func enrolls(t *testing.T, w *wire) {
	invitation := uuid.NewString()
	w.server.AddFlow(authentik.Flow{Slug: "enroll", Designation: authentik.FlowDesignationEnrollment})
	w.server.AddStages(
		"enroll", authentiktest.InvitationStage{Name: "invitation", Invitations: []string{invitation}},
		authentiktest.PromptStage{Name: "who", Fields: []authentiktest.PromptField{
			{Key: "username", Type: "username", Required: true},
			{Key: "line", Type: "separator"},
			{Key: "text", Type: "static", InitialValue: "Welcome!"},
			{Key: "news", Type: "checkbox", Required: true},
		}},
		authentiktest.PromptStage{Name: "password", Fields: []authentiktest.PromptField{
			{Key: "password", Type: "password", Required: true}, {Key: "password_repeat", Type: "password", Required: true},
		}},
		authentiktest.UserWriteStage{Name: "write"}, authentiktest.UserLoginStage{Name: "enrolled"},
	)
	query := url.Values{"itoken": {invitation}, "next": {"/if/user/?a=b c&d=é"}}
	solver := authentik.Credentials{Prompt: map[string]any{
		"username": "newcomer", "password": testkit.Token, "password_repeat": testkit.Token,
	}}
	session := w.session(t)
	end, err := session.Run(t.Context(), "enroll", query, solver)
	require.NoError(t, err)
	assert.Equal(t, query.Get("next"), end.To)
	loggedIn, err := session.LoggedIn(t.Context())
	require.NoError(t, err)
	assert.True(t, loggedIn)
	_, err = w.session(t).Run(t.Context(), "enroll", query, solver)
	testkit.RequireType[*authentik.FlowDeniedError](t, err)
}

// identifiesLate runs a login whose first stage is a form without inputs.
func identifiesLate(t *testing.T, w *wire) {
	w.server.AddAccount(authentiktest.Account{Username: username, Password: testkit.Token})
	w.server.AddFlow(authentik.Flow{Slug: "late", Designation: authentik.FlowDesignationAuthentication})
	w.server.AddStages(
		"late", authentiktest.PromptStage{Name: "notice", Fields: []authentiktest.PromptField{
			{Key: "text", Type: "static", InitialValue: "Welcome!"},
		}},
		authentiktest.IdentificationStage{Name: "late-who", WithPassword: true},
		authentiktest.UserLoginStage{Name: "late-in"},
	)
	credentials := authentik.Credentials{Username: username, Password: testkit.Token}
	user, err := w.session(t).Login(t.Context(), "late", credentials)
	require.NoError(t, err)
	assert.Equal(t, username, user.Username)
}

// setsUpDevice runs a login that requires a device, for a user without one.
func setsUpDevice(t *testing.T, w *wire) {
	w.server.AddAccount(authentiktest.Account{Username: username, Password: testkit.Token})
	w.server.AddFlow(authentik.Flow{Slug: "setup", Designation: authentik.FlowDesignationStageConfiguration})
	w.server.AddStages(
		"setup", authentiktest.AuthenticatorStaticStage{Name: "codes"}, authentiktest.AuthenticatorTOTPStage{Name: "totp"},
	)
	w.server.AddFlow(authentik.Flow{Slug: "strict"})
	w.server.AddStages(
		"strict", authentiktest.IdentificationStage{Name: "who", WithPassword: true},
		authentiktest.AuthenticatorValidateStage{
			Name: "device", NotConfigured: "configure", ConfigurationStages: []string{"codes", "totp"},
		},
		authentiktest.UserLoginStage{Name: "in", Duration: time.Hour},
	)
	credentials := authentik.Credentials{Username: username, Password: testkit.Token}
	setUp := false
	solver := authentik.SolverFunc(func(ctx context.Context, c challenge.Challenge) (challenge.Response, error) {
		switch c := c.(type) {
		case *challenge.AuthenticatorValidation:
			if len(c.ConfigurationStages) > 0 {
				return &challenge.AuthenticatorValidationResponse{SelectedStage: c.ConfigurationStages[0].PK}, nil
			}
		case *challenge.AuthenticatorStatic:
			setUp = true
			credentials.Static = gives(c.Codes[0])
			return &challenge.AuthenticatorStaticResponse{}, nil
		}
		return credentials.Solve(ctx, c)
	})
	session := w.session(t)
	user, err := session.Login(t.Context(), "strict", solver)
	require.NoError(t, err)
	assert.Equal(t, username, user.Username)
	assert.True(t, setUp)
	_, err = session.Login(t.Context(), "strict", solver)
	require.NoError(t, err, "with one of the codes")
}
