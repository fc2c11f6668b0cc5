package session_test

import (
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/challenge"
	"github.com/seed-299d42e7/authentik-go/internal/testkit"
)

// everything is credentials that lack nothing.
var everything = authentik.Credentials{
	Username: "alice", Password: testkit.Token,
	TOTP: gives("of TOTP"), Static: gives("of static"), Email: gives("of email"), SMS: gives("of SMS"),
	Prompt: map[string]any{"name": "Alice"}, RememberMe: true, Consent: true,
}

// without returns everything but what remove removes.
func without(remove func(*authentik.Credentials)) authentik.Credentials {
	c := everything
	remove(&c)
	return c
}

func gives(code string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return code, nil }
}

func fails(context.Context) (string, error) { return "", testkit.ErrTest }

func TestCredentials_SolvesLogin(t *testing.T) {
	t.Parallel()
	fields := []string{"username", "email"}
	for name, test := range map[string]struct {
		credentials authentik.Credentials
		shown       challenge.Challenge
		want        challenge.Response // nil for a challenge that the credentials do not know
	}{
		"identification": {
			everything, &challenge.Identification{UserFields: fields},
			&challenge.IdentificationResponse{UIDField: "alice"},
		},
		"identification with password": {
			everything, &challenge.Identification{UserFields: fields, PasswordFields: true},
			&challenge.IdentificationResponse{UIDField: "alice", Password: testkit.Token},
		},
		"identification beside sources": {everything, &challenge.Identification{
			UserFields: fields, Sources: []challenge.LoginSource{{Name: "GitHub", Challenge: &challenge.Redirect{}}},
		}, &challenge.IdentificationResponse{UIDField: "alice"}},
		"identification by sources only": {everything, &challenge.Identification{
			Sources: []challenge.LoginSource{{Name: "GitHub", Challenge: &challenge.Redirect{}}},
		}, nil},
		"identification with captcha": {
			everything,
			&challenge.Identification{UserFields: fields, CaptchaStage: &challenge.Captcha{SiteKey: "site"}}, nil,
		},
		"identification without a username": {
			without(func(c *authentik.Credentials) { c.Username = "" }),
			&challenge.Identification{UserFields: fields}, nil,
		},
		"identification lacks the password": {
			without(func(c *authentik.Credentials) { c.Password = "" }),
			&challenge.Identification{UserFields: fields, PasswordFields: true}, nil,
		},
		"identification needs no password": {
			without(func(c *authentik.Credentials) { c.Password = "" }),
			&challenge.Identification{UserFields: fields}, &challenge.IdentificationResponse{UIDField: "alice"},
		},
		"password": {everything, &challenge.Password{}, &challenge.PasswordResponse{Password: testkit.Token}},
		"password without one": {
			without(func(c *authentik.Credentials) { c.Password = "" }),
			&challenge.Password{}, nil,
		},
		"user login remembers": {everything, &challenge.UserLogin{}, &challenge.UserLoginResponse{RememberMe: true}},
		"user login forgets": {
			without(func(c *authentik.Credentials) { c.RememberMe = false }),
			&challenge.UserLogin{}, &challenge.UserLoginResponse{},
		},
		"consent": {
			everything, &challenge.Consent{Token: "of the consent"},
			&challenge.ConsentResponse{Token: "of the consent"},
		},
		"consent of a server without tokens": {everything, &challenge.Consent{}, &challenge.ConsentResponse{}},
		"no consent": {
			without(func(c *authentik.Credentials) { c.Consent = false }),
			&challenge.Consent{Token: "of the consent"}, nil,
		},
		"email": {everything, &challenge.Email{}, authentik.EmailLink("of email")},
		"email without a mailbox": {
			without(func(c *authentik.Credentials) { c.Email = nil }),
			&challenge.Email{}, nil,
		},
		"dummy":   {authentik.Credentials{}, &challenge.Dummy{}, &challenge.DummyResponse{}},
		"captcha": {everything, &challenge.Captcha{}, nil},
		"setup":   {everything, &challenge.AuthenticatorTOTP{}, nil},
		"unknown": {everything, &challenge.Unknown{Raw: []byte(`{"component":"new"}`)}, nil},
		"nil":     {everything, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := test.credentials.Solve(t.Context(), test.shown)
			require.NoError(t, err)
			assert.Equal(t, test.want, got)
		})
	}
}

// devices are one of each class, in an order that is not that of preference.
var devices = []challenge.DeviceChallenge{
	{DeviceClass: challenge.DeviceClassWebAuthn, DeviceUID: "-1"},
	{DeviceClass: challenge.DeviceClassDuo, DeviceUID: "17"},
	{DeviceClass: challenge.DeviceClassStatic, DeviceUID: "2"},
	{DeviceClass: challenge.DeviceClassSMS, DeviceUID: "3"},
	{DeviceClass: challenge.DeviceClassEmail, DeviceUID: "4"},
	{DeviceClass: challenge.DeviceClassTOTP, DeviceUID: "5"},
}

// only returns the devices of these classes.
func only(classes ...challenge.DeviceClass) []challenge.DeviceChallenge {
	return slices.DeleteFunc(slices.Clone(devices), func(d challenge.DeviceChallenge) bool {
		return !slices.Contains(classes, d.DeviceClass)
	})
}

func TestCredentials_ChoosesDevice(t *testing.T) {
	t.Parallel()
	const (
		totp, email, sms      = challenge.DeviceClassTOTP, challenge.DeviceClassEmail, challenge.DeviceClassSMS
		static, duo, webAuthn = challenge.DeviceClassStatic, challenge.DeviceClassDuo, challenge.DeviceClassWebAuthn
	)
	code := func(code string) challenge.Response {
		return &challenge.AuthenticatorValidationResponse{Code: code}
	}
	selects := func(class challenge.DeviceClass) challenge.Response {
		return &challenge.AuthenticatorValidationResponse{SelectedChallenge: &only(class)[0]}
	}
	sent := map[string][]challenge.ErrorDetail{"non_field_errors": {{String: "Empty response", Code: "invalid"}}}
	for name, test := range map[string]struct {
		credentials authentik.Credentials
		devices     []challenge.DeviceChallenge
		errors      map[string][]challenge.ErrorDetail
		want        challenge.Response
	}{
		"all":                  {everything, devices, nil, code("of TOTP")},
		"all but TOTP":         {everything, only(email, sms, static, duo, webAuthn), nil, selects(email)},
		"all but the next":     {everything, only(sms, static, duo, webAuthn), nil, selects(sms)},
		"recovery codes":       {everything, only(static, duo, webAuthn), nil, code("of static")},
		"Duo":                  {everything, only(duo, webAuthn), nil, &challenge.AuthenticatorValidationResponse{Duo: 17}},
		"WebAuthn":             {everything, only(webAuthn), nil, nil},
		"none":                 {everything, nil, nil, nil},
		"TOTP":                 {everything, only(totp), nil, code("of TOTP")},
		"TOTP again":           {everything, only(totp), sent, code("of TOTP")},
		"email was sent":       {everything, only(email, sms), sent, code("of email")},
		"SMS was sent":         {everything, only(sms, static), sent, code("of SMS")},
		"static only":          {authentik.Credentials{Static: gives("of static")}, devices, nil, code("of static")},
		"email only":           {authentik.Credentials{Email: gives("of email")}, devices, nil, selects(email)},
		"SMS only":             {authentik.Credentials{SMS: gives("of SMS")}, devices, nil, selects(sms)},
		"SMS only, and sent":   {authentik.Credentials{SMS: gives("of SMS")}, devices, sent, code("of SMS")},
		"Duo needs nothing":    {authentik.Credentials{}, devices, nil, &challenge.AuthenticatorValidationResponse{Duo: 17}},
		"Duo without a number": {authentik.Credentials{}, []challenge.DeviceChallenge{{DeviceClass: duo, DeviceUID: "x"}}, nil, nil},
		"no function, no Duo":  {authentik.Credentials{}, only(totp, email, sms, static, webAuthn), nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			shown := &challenge.AuthenticatorValidation{DeviceChallenges: test.devices}
			shown.ResponseErrors = test.errors
			got, err := test.credentials.Solve(t.Context(), shown)
			require.NoError(t, err)
			assert.Equal(t, test.want, got)
		})
	}
}

// The error of a function is that of Solve, and of the whole run.
func TestCredentials_ReturnsErrorOfFunction(t *testing.T) {
	t.Parallel()
	empty := map[string][]challenge.ErrorDetail{"non_field_errors": {{String: "Empty response"}}}
	for name, test := range map[string]struct {
		credentials authentik.Credentials
		shown       challenge.Challenge
	}{
		"TOTP":   {authentik.Credentials{TOTP: fails}, &challenge.AuthenticatorValidation{DeviceChallenges: devices}},
		"static": {authentik.Credentials{Static: fails}, &challenge.AuthenticatorValidation{DeviceChallenges: devices}},
		"SMS": {authentik.Credentials{SMS: fails}, &challenge.AuthenticatorValidation{
			DeviceChallenges: devices, Common: challenge.Common{ResponseErrors: empty},
		}},
		"email": {authentik.Credentials{Email: fails}, &challenge.AuthenticatorValidation{
			DeviceChallenges: devices, Common: challenge.Common{ResponseErrors: empty},
		}},
		"link": {authentik.Credentials{Email: fails}, &challenge.Email{}},
	} {
		testkit.RunInBubble(t, name, func(t *testing.T) {
			_, err := test.credentials.Solve(t.Context(), test.shown)
			require.ErrorIs(t, err, testkit.ErrTest)

			w := newWire(t)
			w.server.Script("scripted", test.shown, &challenge.Redirect{To: "/"})
			_, err = w.session(t).Run(t.Context(), "scripted", nil, test.credentials)
			assert.Equal(t, testkit.ErrTest, err, "as it is")
			assert.Len(t, w.requests(), 1)
		})
	}
}

// inputs is every type of a prompt. A browser sends what is shown in it.
var inputs = []challenge.PromptType{
	challenge.PromptTypeText, challenge.PromptTypeTextArea, challenge.PromptTypeTextReadOnly,
	challenge.PromptTypeTextAreaReadOnly, challenge.PromptTypeUsername, challenge.PromptTypeEmail,
	challenge.PromptTypePassword, challenge.PromptTypeNumber, challenge.PromptTypeRadioButtonGroup,
	challenge.PromptTypeDropdown, challenge.PromptTypeDate, challenge.PromptTypeDateTime, challenge.PromptTypeFile,
	challenge.PromptTypeSeparator, challenge.PromptTypeHidden, challenge.PromptTypeStatic,
	challenge.PromptTypeAlertInfo, challenge.PromptTypeAlertWarning, challenge.PromptTypeAlertDanger,
	challenge.PromptTypeAKLocale, "of a newer server",
}

// noInputs is the types that only show something. A server says that they are
// required, and accepts a response without them.
var noInputs = []challenge.PromptType{
	challenge.PromptTypeSeparator, challenge.PromptTypeHidden, challenge.PromptTypeStatic,
	challenge.PromptTypeAlertInfo, challenge.PromptTypeAlertWarning, challenge.PromptTypeAlertDanger,
}

func TestCredentials_FillsPrompt(t *testing.T) {
	t.Parallel()
	values := func(pairs map[string]any) challenge.Response { return &challenge.PromptResponse{Values: pairs} }
	fill := func(t *testing.T, given map[string]any, fields ...challenge.StagePrompt) challenge.Response {
		t.Helper()
		got, err := authentik.Credentials{Prompt: given}.Solve(t.Context(), &challenge.Prompt{Fields: fields})
		require.NoError(t, err)
		return got
	}
	for _, kind := range inputs {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			for _, required := range []bool{false, true} {
				field := challenge.StagePrompt{FieldKey: "key", Type: kind, Required: required, InitialValue: "initial"}
				assert.Equal(t, values(map[string]any{"key": "given"}), fill(t, map[string]any{"key": "given"}, field))
				assert.Equal(t, values(map[string]any{"key": ""}), fill(t, map[string]any{"key": ""}, field), "given as empty")
				assert.Equal(t, values(map[string]any{"key": "initial"}), fill(t, map[string]any{}, field))
			}
			field := challenge.StagePrompt{FieldKey: "key", Type: kind, Placeholder: "is no value"}
			assert.Equal(t, values(map[string]any{}), fill(t, map[string]any{"other": "given"}, field))

			field.Required = true
			if slices.Contains(noInputs, kind) {
				assert.Equal(t, values(map[string]any{}), fill(t, map[string]any{"other": "given"}, field))
				return
			}
			if kind == challenge.PromptTypeAKLocale { // no language is the browser's
				assert.Equal(t, values(map[string]any{"key": ""}), fill(t, map[string]any{}, field))
				return
			}
			got, err := authentik.Credentials{Prompt: map[string]any{"other": "given"}}.
				Solve(t.Context(), &challenge.Prompt{Fields: []challenge.StagePrompt{field}})
			require.EqualError(t, err,
				`authentik: Run: Credentials.Prompt["key"]: must have a value: the field is required`)
			assert.Equal(t, "Run", testkit.RequireType[*authentik.ArgumentError](t, err).Op)
			assert.Nil(t, got)
		})
	}
	t.Run("checkbox", func(t *testing.T) {
		t.Parallel()
		for initial, want := range map[string]bool{"": false, "true": true, "True": true, "false": false, "on": false} {
			for _, required := range []bool{false, true} {
				field := challenge.StagePrompt{
					FieldKey: "key", Type: challenge.PromptTypeCheckbox, InitialValue: initial, Required: required,
				}
				assert.Equal(t, values(map[string]any{"key": want}), fill(t, map[string]any{}, field), initial)
				assert.Equal(t, values(map[string]any{"key": !want}), fill(t, map[string]any{"key": !want}, field), initial)
			}
		}
	})
	t.Run("several", func(t *testing.T) {
		t.Parallel()
		got := fill(t, map[string]any{"given": 7, "surplus": true},
			challenge.StagePrompt{FieldKey: "given", Type: challenge.PromptTypeNumber, Required: true, InitialValue: "3"},
			challenge.StagePrompt{FieldKey: "initial", Type: challenge.PromptTypeText, InitialValue: "as it was"},
			challenge.StagePrompt{FieldKey: "none", Type: challenge.PromptTypeText},
		)
		assert.Equal(t, values(map[string]any{"given": 7, "initial": "as it was"}), got)
	})
	t.Run("credentials without Prompt", func(t *testing.T) {
		t.Parallel()
		assert.Nil(t, fill(t, nil, challenge.StagePrompt{FieldKey: "key", Type: challenge.PromptTypeText, InitialValue: "a"}))
	})
	// A page with a text and a button, such as a notice before the login.
	t.Run("nothing to enter, without Prompt", func(t *testing.T) {
		t.Parallel()
		for _, kind := range noInputs {
			field := challenge.StagePrompt{FieldKey: "key", Type: kind, Required: true}
			assert.Equal(t, values(map[string]any{}), fill(t, nil, field))
			input := challenge.StagePrompt{FieldKey: "other", Type: challenge.PromptTypeText}
			assert.Nil(t, fill(t, nil, field, input))
		}
	})
	t.Run("a key is printed as one line", func(t *testing.T) {
		t.Parallel()
		field := challenge.StagePrompt{FieldKey: "a\nb\x1b", Type: challenge.PromptTypeText, Required: true}
		_, err := everything.Solve(t.Context(), &challenge.Prompt{Fields: []challenge.StagePrompt{field}})
		require.Error(t, err)
		assert.NotContains(t, err.Error(), "\n")
		assert.NotContains(t, err.Error(), "\x1b")
	})
}
