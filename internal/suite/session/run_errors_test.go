package session_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/authentiktest"
	"github.com/seed-299d42e7/authentik-go/challenge"
	"github.com/seed-299d42e7/authentik-go/internal/testkit"
)

// logged returns what log/slog writes of a value.
func logged(t *testing.T, v any) string {
	t.Helper()
	var b bytes.Buffer
	slog.New(slog.NewJSONHandler(&b, nil)).Info("", "value", v)
	var record struct {
		Value json.RawMessage `json:"value"`
	}
	require.NoError(t, json.Unmarshal(b.Bytes(), &record))
	return string(record.Value)
}

// The errors of challenges, each with its text and what is logged of it.
func TestRun_Errors(t *testing.T) {
	t.Parallel()
	const flow = "authentik: Run: flow fails: "
	known := authentik.Credentials{
		Username: "alice", Password: "right", TOTP: gives("123456"), Prompt: map[string]any{},
	}
	for name, test := range map[string]struct {
		shown          []challenge.Challenge
		want           error // its exported fields
		text           string
		logged         string
		badCredentials bool
	}{
		"denied": {
			shown: []challenge.Challenge{&challenge.AccessDenied{ErrorMessage: "Not\ntoday."}},
			want:  &authentik.FlowDeniedError{Message: "Not\ntoday."}, text: `access denied: Not\ntoday.`,
			logged: `{"kind":"denied","slug":"fails"}`,
		},
		"denied without a reason": {
			shown: []challenge.Challenge{&challenge.Dummy{}, &challenge.AccessDenied{}},
			want:  &authentik.FlowDeniedError{}, text: "access denied", logged: `{"kind":"denied","slug":"fails"}`,
		},
		"failed": {
			shown: []challenge.Challenge{&challenge.Dummy{}, &challenge.FlowError{RequestID: "of the log"}},
			want:  &authentik.FlowFailedError{RequestID: "of the log"}, text: "the server failed (request of the log)",
			logged: `{"kind":"failed","slug":"fails","request_id":"of the log"}`,
		},
		"failed for a superuser": {
			shown: []challenge.Challenge{&challenge.FlowError{RequestID: "1", Error: "Dummy error", Traceback: "at line 1"}},
			want:  &authentik.FlowFailedError{RequestID: "1", Message: "Dummy error"},
			text:  "the server failed: Dummy error (request 1)", logged: `{"kind":"failed","slug":"fails","request_id":"1"}`,
		},
		"failed at an old server": {
			shown: []challenge.Challenge{&challenge.FlowError{Common: challenge.Common{ComponentName: "xak-flow-error"}}},
			want:  &authentik.FlowFailedError{}, text: "the server failed", logged: `{"kind":"failed","slug":"fails","request_id":""}`,
		},
		"wrong password": {
			shown: []challenge.Challenge{
				&challenge.Password{}, &challenge.Password{Common: withErrors("password", "Invalid password", "invalid")},
			},
			want: &authentik.ChallengeError{
				Component: "ak-stage-password", Errors: withErrors("password", "Invalid password", "invalid").ResponseErrors,
			},
			text: "the server rejected the response to ak-stage-password: password: Invalid password",
			logged: `{"kind":"rejected","slug":"fails","component":"ak-stage-password",
				"errors":"challenge.Common{ResponseErrors: {password: [invalid]}}"}`,
			badCredentials: true,
		},
		"unknown user": {
			shown: []challenge.Challenge{
				&challenge.Identification{UserFields: []string{"email"}},
				&challenge.Identification{Common: withErrors("non_field_errors", "Failed to authenticate.", "invalid")},
			},
			want: &authentik.ChallengeError{
				Component: "ak-stage-identification",
				Errors:    withErrors("non_field_errors", "Failed to authenticate.", "invalid").ResponseErrors,
			},
			text: "the server rejected the response to ak-stage-identification: non_field_errors: Failed to authenticate.",
			logged: `{"kind":"rejected","slug":"fails","component":"ak-stage-identification",
				"errors":"challenge.Common{ResponseErrors: {non_field_errors: [invalid]}}"}`,
			badCredentials: true,
		},
		"wrong code": {
			shown: []challenge.Challenge{
				&challenge.AuthenticatorValidation{DeviceChallenges: devices},
				&challenge.AuthenticatorValidation{Common: withErrors("code", "Invalid Token", "invalid")},
			},
			want: &authentik.ChallengeError{
				Component: "ak-stage-authenticator-validate", Errors: withErrors("code", "Invalid Token", "invalid").ResponseErrors,
			},
			text: "the server rejected the response to ak-stage-authenticator-validate: code: Invalid Token " +
				"(after an invalid code, the server may reject valid ones for some seconds)",
			logged: `{"kind":"rejected","slug":"fails","component":"ak-stage-authenticator-validate",
				"errors":"challenge.Common{ResponseErrors: {code: [invalid]}}"}`,
		},
		"several fields": {
			shown: []challenge.Challenge{&challenge.Prompt{}, &challenge.Prompt{Common: challenge.Common{
				ResponseErrors: map[string][]challenge.ErrorDetail{
					"b": {{String: "Second.", Code: "unique"}, {String: "Third."}}, "a": {{String: "First.", Code: "blank"}},
				},
			}}},
			want: &authentik.ChallengeError{Component: "ak-stage-prompt", Errors: map[string][]challenge.ErrorDetail{
				"b": {{String: "Second.", Code: "unique"}, {String: "Third."}}, "a": {{String: "First.", Code: "blank"}},
			}},
			text: "the server rejected the response to ak-stage-prompt: a: First.; b: Second.; b: Third.",
			logged: `{"kind":"rejected","slug":"fails","component":"ak-stage-prompt",
				"errors":"challenge.Common{ResponseErrors: {a: [blank], b: [unique, \"\"]}}"}`,
		},
		"unsolved": {
			shown: []challenge.Challenge{&challenge.Dummy{}, &challenge.Captcha{SiteKey: "site"}},
			want:  &authentik.UnsolvedError{Challenge: &challenge.Captcha{SiteKey: "site", Common: challenge.Common{ComponentName: "ak-stage-captcha"}}},
			text:  "the solver has no response to ak-stage-captcha", logged: `{"kind":"unsolved","slug":"fails","component":"ak-stage-captcha"}`,
		},
	} {
		testkit.RunInBubble(t, name, func(t *testing.T) {
			server := newPlay(t, test.shown...)
			end, err := server.session(t).Run(t.Context(), "fails", nil, known)
			assert.Nil(t, end)
			require.EqualError(t, err, flow+test.text)
			assert.Equal(t, exported(test.want), exported(err))
			assert.Equal(t, test.badCredentials, errors.Is(err, authentik.ErrBadCredentials))
			require.NotErrorIs(t, err, authentik.ErrFlowRestarted)
			assert.JSONEq(t, test.logged, logged(t, err))
			assert.Len(t, server.sent, len(test.shown))
		})
	}
}

// exported returns the exported fields of an error of a flow.
func exported(err error) any {
	switch err := err.(type) { //nolint:errorlint // of the error itself
	case *authentik.FlowDeniedError:
		return authentik.FlowDeniedError{Message: err.Message}
	case *authentik.FlowFailedError:
		return authentik.FlowFailedError{RequestID: err.RequestID, Message: err.Message}
	case *authentik.ChallengeError:
		return authentik.ChallengeError{Component: err.Component, Errors: err.Errors}
	case *authentik.UnsolvedError:
		return authentik.UnsolvedError{Challenge: err.Challenge}
	}
	return err
}

// What a server says of a response is about the credentials only where it has
// rejected a user or a password. The fields and codes are those of recordings.
func TestChallengeError_IsBadCredentials(t *testing.T) {
	t.Parallel()
	const identification, password = "ak-stage-identification", "ak-stage-password"
	named := &challenge.IdentificationResponse{UIDField: "alice"}
	for _, test := range []struct {
		component, field, code string
		response               challenge.Response
		want                   bool
	}{
		{identification, "non_field_errors", "invalid", named, true},
		{identification, "non_field_errors", "invalid", *named, true},
		{identification, "password", "invalid", named, true},
		{identification, "uid_field", "required", named, false},
		{identification, "uid_field", "blank", named, false},
		{identification, "uid_field", "null", named, false},
		{identification, "password", "required", named, false},
		{identification, "captcha_token", "invalid", named, false},
		// Since 2026.8, no user is rejected as an unknown user is.
		{identification, "non_field_errors", "invalid", &challenge.IdentificationResponse{}, false},
		{identification, "non_field_errors", "invalid", challenge.IdentificationResponse{}, false},
		{
			identification, "non_field_errors", "invalid",
			&challenge.IdentificationResponse{Passkey: json.RawMessage("{}")}, true,
		},
		{password, "password", "invalid", &challenge.PasswordResponse{Password: "wrong"}, true},
		{password, "password", "", &challenge.PasswordResponse{Password: "wrong"}, true},
		{password, "password", "required", &challenge.DummyResponse{}, false},
		{password, "password", "blank", &challenge.PasswordResponse{}, false},
		{"ak-stage-authenticator-validate", "code", "invalid", &challenge.AuthenticatorValidationResponse{Code: "1"}, false},
		{"ak-stage-prompt", "password", "invalid", &challenge.PromptResponse{}, false},
		{"ak-stage-consent", "non_field_errors", "invalid", &challenge.ConsentResponse{}, false},
	} {
		testkit.RunInBubble(t, test.component+" "+test.field+" "+test.code, func(t *testing.T) {
			shown := challenge.RawResponse{ComponentName: test.component}
			rejected := challenge.RawResponse{ComponentName: test.component, Values: map[string]any{
				"response_errors": map[string]any{test.field: []any{map[string]any{"string": "No.", "code": test.code}}},
			}}
			server := newPlay(t)
			server.Sequence = testkit.NewSequence(step(t, shown), step(t, rejected))
			_, err := server.session(t).Run(t.Context(), "fails", nil, responds(test.response))
			testkit.RequireType[*authentik.ChallengeError](t, err)
			assert.Equal(t, test.want, errors.Is(err, authentik.ErrBadCredentials), err)
		})
	}
	made := &authentik.ChallengeError{Component: password, Errors: withErrors("password", "No.", "invalid").ResponseErrors}
	require.ErrorIs(t, made, authentik.ErrBadCredentials, "made by a caller")
	require.NotErrorIs(t, made, authentik.ErrNotLoggedIn)
	require.NotErrorIs(t, &authentik.ChallengeError{Component: password}, authentik.ErrBadCredentials)
}

// step responds with a value as JSON.
func step(t *testing.T, v any) testkit.Step {
	t.Helper()
	body, err := json.Marshal(v)
	require.NoError(t, err)
	return testkit.Respond(testkit.Reply(http.StatusOK, testkit.JSON, string(body)))
}

// The errors that a program makes itself, as for its tests, have a text, too.
func TestFlowErrors_MadeByCaller(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		err          error
		text, logged string
	}{
		{&authentik.FlowDeniedError{Message: "No."}, "authentik: access denied: No.", `{"kind":"denied","slug":""}`},
		{&authentik.FlowFailedError{}, "authentik: the server failed", `{"kind":"failed","slug":"","request_id":""}`},
		{
			&authentik.ChallengeError{Component: "a\nb"}, `authentik: the server rejected the response to a\nb`,
			`{"kind":"rejected","slug":"","component":"a\\nb","errors":"challenge.Common{}"}`,
		},
		{
			&authentik.ChallengeError{Component: "ak-stage-authenticator-totp", Errors: withErrors("code", "No.", "invalid").ResponseErrors},
			"authentik: the server rejected the response to ak-stage-authenticator-totp: code: No.",
			`{"kind":"rejected","slug":"","component":"ak-stage-authenticator-totp","errors":"challenge.Common{ResponseErrors: {code: [invalid]}}"}`,
		},
		{
			&authentik.UnsolvedError{}, "authentik: the solver has no response to no challenge",
			`{"kind":"unsolved","slug":"","component":"no challenge"}`,
		},
		{
			&authentik.UnsolvedError{Challenge: &challenge.Captcha{}}, "authentik: the solver has no response to ak-stage-captcha",
			`{"kind":"unsolved","slug":"","component":"ak-stage-captcha"}`,
		},
	} {
		require.EqualError(t, test.err, test.text)
		assert.JSONEq(t, test.logged, logged(t, test.err))
	}
}

func TestRun_ErrFlowRestarted(t *testing.T) {
	t.Parallel()
	identification := &challenge.Identification{UserFields: []string{"username"}}
	credentials := authentik.Credentials{Username: "alice", Password: "right", Email: gives("?flow_token=used")}
	for name, test := range map[string]struct {
		shown []challenge.Challenge
		text  string // after "the server restarted the flow: ", "" for an end
	}{
		// A response that belonged to another stage.
		"errors of another stage": {
			[]challenge.Challenge{identification, &challenge.Password{Common: withErrors("password", "Required.", "required")}},
			"again shows ak-stage-password",
		},
		// The first stage after another one.
		"first stage":                    {[]challenge.Challenge{identification, &challenge.Password{}, identification}, "again shows ak-stage-identification"},
		"first stage, no identification": {dummies("1", "2", "1"), "again shows ak-stage-dummy"},
		// The identification is never shown twice without an error.
		"identification at once": {[]challenge.Challenge{identification, identification}, "again shows ak-stage-identification"},
		"same stage once":        {append(dummies("1", "1"), &challenge.Redirect{}), ""},
		"a later stage twice":    {append(dummies("1", "2", "3", "2"), &challenge.Redirect{}), ""},
		"identification again after a redirect": {
			[]challenge.Challenge{
				identification, &challenge.Redirect{To: "/auth/api/v3/flows/executor/again/"}, identification,
			},
			"again shows ak-stage-identification",
		},
		// authentik begins anew where it does not know the token of a link.
		"a link that was used": {
			[]challenge.Challenge{identification, &challenge.Email{}, identification}, "again shows ak-stage-identification",
		},
		"a link that was used, in a run that began there": {
			[]challenge.Challenge{&challenge.Email{}, identification}, "again shows ak-stage-identification",
		},
		"a link that leads to the email again": {
			[]challenge.Challenge{&challenge.Email{}, &challenge.Dummy{}, &challenge.Email{}}, "again shows ak-stage-email",
		},
		"identification of the next flow": {
			[]challenge.Challenge{
				identification, &challenge.Redirect{To: "/auth/if/flow/next/"}, identification, &challenge.Redirect{},
			}, "",
		},
	} {
		testkit.RunInBubble(t, name, func(t *testing.T) {
			server := newPlay(t, test.shown...)
			_, err := server.session(t).Run(t.Context(), "again", nil, credentials)
			assert.Len(t, server.sent, len(test.shown))
			if test.text == "" {
				require.NoError(t, err)
				return
			}
			require.EqualError(t, err, "authentik: Run: the server restarted the flow: "+test.text)
			require.ErrorIs(t, err, authentik.ErrFlowRestarted)
		})
	}
}

func TestRun_ErrFlowStuck(t *testing.T) {
	t.Parallel()
	names := make([]string, 0, 80)
	for i := range cap(names) {
		names = append(names, fmt.Sprint("dummy ", i))
	}
	self := &challenge.Redirect{To: "https://sso.example.com/auth/api/v3/flows/executor/long/?query="}
	pair := []challenge.Challenge{}
	for i := range 70 {
		pair = append(pair, &challenge.Redirect{To: fmt.Sprintf("/auth/if/flow/flow-%d/", i%2)})
	}
	for name, test := range map[string]struct {
		shown    []challenge.Challenge
		text     string // after "the flow is stuck: ", "" for an end
		requests int
	}{
		"three times in a row":         {dummies("same"), "long shows ak-stage-dummy 3 times in a row", 3},
		"three times, after others":    {dummies("1", "2", "same", "same", "same"), "long shows ak-stage-dummy 3 times in a row", 5},
		"twice in a row, and again":    {append(dummies("1", "a", "a", "2", "a", "a", "3"), &challenge.Redirect{}), "", 8},
		"other fields are another one": {prompts("a", "b", "c", "d"), "", 5},
		"the same fields":              {prompts("a", "a", "a"), "long shows ak-stage-prompt 3 times in a row", 3},
		"64 challenges":                {append(dummies(names[:63]...), &challenge.Redirect{}), "", 64},
		"more than 64 challenges":      {dummies(names...), "more than 64 challenges", 65},
		"a redirect to itself":         {[]challenge.Challenge{&challenge.Dummy{}, self}, "64 redirects without a challenge", 66},
		"only redirects":               {[]challenge.Challenge{self}, "64 redirects without a challenge", 64},
		"two flows lead to each other": {pair, "more than 64 challenges", 65},
	} {
		testkit.RunInBubble(t, name, func(t *testing.T) {
			server := newPlay(t, test.shown...)
			_, err := server.session(t).Run(t.Context(), "long", nil, authentik.Credentials{Prompt: map[string]any{}})
			assert.Len(t, server.sent, test.requests)
			if test.text == "" {
				require.NoError(t, err)
				return
			}
			require.EqualError(t, err, "authentik: Run: the flow is stuck: "+test.text)
			require.ErrorIs(t, err, authentik.ErrFlowStuck)
		})
	}
}

// The error of the last request that a run may send is not that of the limit.
func TestRun_LastRequestFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := newPlay(t, &challenge.Dummy{}, &challenge.Captcha{})
		ctx, cancel := context.WithCancelCause(t.Context())
		solved := 0
		_, err := server.session(t).Run(ctx, "long", nil, authentik.SolverFunc(
			func(context.Context, challenge.Challenge) (challenge.Response, error) {
				if solved++; solved == 64 {
					cancel(testkit.ErrTest)
				}
				server.Sequence = newPlay(t, &challenge.Dummy{Name: strconv.Itoa(solved)}).Sequence
				return &challenge.DummyResponse{}, nil
			}))
		assert.Equal(t, 64, solved)
		require.ErrorIs(t, err, testkit.ErrTest)
		require.NotErrorIs(t, err, authentik.ErrFlowStuck)
	})
}

// prompts returns forms with one field each, and an end.
func prompts(keys ...string) (all []challenge.Challenge) {
	for _, key := range keys {
		all = append(all, &challenge.Prompt{Fields: []challenge.StagePrompt{{FieldKey: key, Type: challenge.PromptTypeText}}})
	}
	return append(all, &challenge.Redirect{})
}

// A server that redirects from one stage to the next without end.
func TestExecutorGet_ErrFlowStuck(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWire(t)
		w.meets, w.fault = from(1), redirectsToItself
		_, err := w.session(t).ExecutorGet(t.Context(), loginFlow, nil)
		require.EqualError(t, err, "authentik: ExecutorGet: the flow is stuck: 64 redirects without a challenge")
		require.ErrorIs(t, err, authentik.ErrFlowStuck)
		assert.Len(t, w.requests(), 64)
	})
}

// A password that is part of a component does not hide what has happened.
func TestRun_NamesComponentThatContainsPassword(t *testing.T) {
	t.Parallel()
	server := authentiktest.NewServer(t)
	session, err := authentik.NewSession(server.URL)
	require.NoError(t, err)
	_, err = session.Login(t.Context(), "default-authentication-flow",
		authentik.Credentials{Username: authentiktest.AdminUsername, Password: "password"})
	require.ErrorIs(t, err, authentik.ErrBadCredentials)
	rejected, ok := errors.AsType[*authentik.ChallengeError](err)
	require.True(t, ok)
	assert.Equal(t, "ak-stage-password", rejected.Component)
	assert.ErrorContains(t, err, "Invalid [redacted]")
}
