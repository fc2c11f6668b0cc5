package authentik

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/seed-299d42e7/authentik-go/challenge"
)

// Credentials is a [Solver] for the challenges of a login, and for prompts and
// consent. Each function is called when the server requests what it returns.
//
// Printing Credentials shows no value. Package fmt cannot know that of an
// unexported field of another struct: do not print such a struct.
type Credentials struct {
	// Username is what the user enters first. The identification stage decides
	// whether that is a name or an email address.
	Username string `json:"-"`
	// Password is sent with the Username if the stage requests both.
	Password string `json:"-"`
	// TOTP returns the present code of the user's TOTP device.
	TOTP func(context.Context) (string, error) `json:"-"`
	// Static returns one of the user's recovery codes.
	Static func(context.Context) (string, error) `json:"-"`
	// Email returns the code that the server has sent to the user by email. At an
	// email stage, Email returns the link that the server has sent.
	Email func(context.Context) (string, error) `json:"-"`
	// SMS returns the code that the server has sent to the user's phone.
	SMS func(context.Context) (string, error) `json:"-"`
	// Prompt holds the values of prompts by their field key. A field that is not
	// in Prompt keeps its initial value. Servers until 2023.3 send none.
	Prompt map[string]any `json:"-"`
	// RememberMe makes the session last longer, if a stage offers it.
	RememberMe bool `json:"-"`
	// Consent permits what an application requests. Without it, a consent
	// challenge is an [UnsolvedError].
	Consent bool `json:"-"`
}

// unknown is the response to a challenge that a solver does not know.
var unknown challenge.Response

// Format prints no value, whatever the verb.
func (c Credentials) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "authentik.Credentials{[redacted]}")
}

// Solve responds to an identification, password, authenticator validation, user
// login, consent, prompt, email or dummy challenge. Solve returns nil for any
// other, for one that needs a value which c does not have, and for an
// identification with a captcha.
//
// Of several authenticator devices Solve uses the first one of TOTP, email, SMS,
// static and Duo for which c has a function; Duo needs none, and waits until the
// user has confirmed, up to [WithTimeout].
//
// Errors: [ArgumentError] for a required prompt without a value; the error of a
// function.
func (c Credentials) Solve(ctx context.Context, shown challenge.Challenge) (challenge.Response, error) {
	switch shown := shown.(type) {
	case *challenge.Identification:
		if c.Username == "" || len(shown.UserFields) == 0 || shown.CaptchaStage != nil ||
			shown.PasswordFields && c.Password == "" {
			return unknown, nil
		}
		response := &challenge.IdentificationResponse{UIDField: c.Username}
		if shown.PasswordFields {
			response.Password = c.Password
		}
		return response, nil
	case *challenge.Password:
		if c.Password == "" {
			return unknown, nil
		}
		return &challenge.PasswordResponse{Password: c.Password}, nil
	case *challenge.AuthenticatorValidation:
		return c.validate(ctx, shown)
	case *challenge.UserLogin:
		return &challenge.UserLoginResponse{RememberMe: c.RememberMe}, nil
	case *challenge.Consent:
		if !c.Consent {
			return unknown, nil
		}
		return &challenge.ConsentResponse{Token: shown.Token}, nil
	case *challenge.Prompt:
		return c.fill(shown)
	case *challenge.Email:
		if c.Email == nil {
			return unknown, nil
		}
		link, err := c.Email(ctx)
		return EmailLink(link), err
	case *challenge.Dummy:
		return &challenge.DummyResponse{}, nil
	}
	return unknown, nil
}

// validate responds for the first device that c can respond for.
func (c Credentials) validate(
	ctx context.Context, shown *challenge.AuthenticatorValidation,
) (challenge.Response, error) {
	for _, option := range []struct {
		class challenge.DeviceClass
		code  func(context.Context) (string, error)
		sent  bool // the server sends the code, once the device is selected
	}{
		{challenge.DeviceClassTOTP, c.TOTP, false},
		{challenge.DeviceClassEmail, c.Email, true},
		{challenge.DeviceClassSMS, c.SMS, true},
		{challenge.DeviceClassStatic, c.Static, false},
	} {
		i := slices.IndexFunc(shown.DeviceChallenges, func(d challenge.DeviceChallenge) bool {
			return d.DeviceClass == option.class
		})
		if i < 0 || option.code == nil {
			continue
		}
		if option.sent && len(shown.Errors()) == 0 {
			return &challenge.AuthenticatorValidationResponse{SelectedChallenge: &shown.DeviceChallenges[i]}, nil
		}
		code, err := option.code(ctx)
		if err != nil {
			return nil, err
		}
		return &challenge.AuthenticatorValidationResponse{Code: code}, nil
	}
	for _, device := range shown.DeviceChallenges {
		if id, err := strconv.Atoi(device.DeviceUID); err == nil && device.DeviceClass == challenge.DeviceClassDuo {
			return &challenge.AuthenticatorValidationResponse{Duo: id}, nil
		}
	}
	return unknown, nil
}

// fill returns the values of a form, as a browser would send them.
func (c Credentials) fill(shown *challenge.Prompt) (challenge.Response, error) {
	isInput := func(f challenge.StagePrompt) bool { return !shownOnly(f.Type) }
	if c.Prompt == nil && slices.ContainsFunc(shown.Fields, isInput) {
		return unknown, nil
	}
	values := map[string]any{}
	for _, field := range shown.Fields {
		value, given := c.Prompt[field.FieldKey]
		switch {
		case given:
			values[field.FieldKey] = value
		case field.Type == challenge.PromptTypeCheckbox:
			values[field.FieldKey] = strings.EqualFold(field.InitialValue, "true")
		case field.InitialValue != "":
			values[field.FieldKey] = field.InitialValue
		case field.Required && field.Type == challenge.PromptTypeAKLocale:
			values[field.FieldKey] = "" // the language of the browser
		case field.Required && !shownOnly(field.Type):
			key := strconv.Quote(oneLine(field.FieldKey))
			return nil, &ArgumentError{"Run", "Credentials.Prompt[" + key + "]", "must have a value: the field is required"}
		}
	}
	return &challenge.PromptResponse{Values: values}, nil
}

// shownOnly reports whether a field has nothing to enter. A server may say that such
// a field is required, and accepts a response without the field.
func shownOnly(kind challenge.PromptType) bool {
	switch kind { //nolint:exhaustive // all others are inputs
	case challenge.PromptTypeSeparator, challenge.PromptTypeHidden, challenge.PromptTypeStatic,
		challenge.PromptTypeAlertInfo, challenge.PromptTypeAlertWarning, challenge.PromptTypeAlertDanger:
		return true
	}
	return false
}

// User is the user of a session.
type User struct {
	PK       int    `json:"pk"`
	Username string `json:"username"`
	Name     string `json:"name" optional:""`
	Email    string `json:"email" optional:""`
	// UID is a hash that identifies the user, and does not change.
	UID         string      `json:"uid" optional:""`
	IsSuperuser bool        `json:"is_superuser" optional:""`
	Groups      []UserGroup `json:"groups" optional:""`
}

// UserGroup is a group of a [User].
type UserGroup struct {
	PK   uuid.UUID `json:"pk"`
	Name string    `json:"name"`
}

// currentUser is the response of usersMe.
type currentUser struct {
	User User `json:"user"`
}

const usersMe = "core/users/me/"

// Login runs a flow that logs in, such as default-authentication-flow, and
// returns the user. Login requests the user from the server, because the end of a
// flow proves nothing.
//
//	GET  /flows/executor/{slug}/?query=
//	POST /flows/executor/{slug}/?query=
//	GET  /core/users/me/
//
// solver is a [Credentials] most often. Login forgets an earlier login of the
// session first, but keeps the other cookies, such as that of a remembered
// device.
//
// Requires no permission.
//
// Errors: those of [Session.Run]: [ErrBadCredentials] for a wrong password or an
// unknown user, [FlowDeniedError], [UnsolvedError]; [ErrNotLoggedIn] if the flow
// has ended without a login.
//
// https://docs.goauthentik.io/add-secure-apps/flows-stages/flow/
func (s *Session) Login(ctx context.Context, slug string, solver Solver) (*User, error) {
	const op = "Login"
	var user *User
	err := s.withRun(ctx, op, func(ctx context.Context) error {
		s.jar.forget(sessionCookie, csrfCookie)
		_, err := s.runFlow(ctx, op, slug, nil, solver)
		// A flow may deny access after the login, as with a next that the server
		// does not allow. A flow seems to restart if the response with its end was
		// truncated after the cookies.
		_, denied := errors.AsType[*FlowDeniedError](err)
		if err != nil && !denied && !errors.Is(err, ErrFlowRestarted) {
			return err
		}
		me, failed := s.user(ctx, op)
		switch {
		case failed == nil:
			user = me
			return nil
		case err != nil:
			return err
		default:
			return failed
		}
	})
	return user, err
}

// LoggedIn reports whether the session belongs to a user.
//
//	GET /core/users/me/
//
// Errors: [PermissionError] of a proxy; [APIError]; [RequestError];
// [DecodeError].
//
// https://api.goauthentik.io/reference/core-users-me-retrieve/
func (s *Session) LoggedIn(ctx context.Context) (bool, error) {
	const op = "LoggedIn"
	if err := s.check(ctx, op); err != nil {
		return false, err
	}
	_, err := s.user(ctx, op)
	if errors.Is(err, ErrNotLoggedIn) {
		return false, nil
	}
	return err == nil, err
}

// user requests the user of the session.
func (s *Session) user(ctx context.Context, op string) (*User, error) {
	me, err := call(ctx, s.client, get(op, usersMe), nil, object[currentUser]())
	if err != nil {
		return nil, err
	}
	return &me.User, nil
}

// Logout runs a flow that logs out, such as default-invalidation-flow, and
// proves that the session has no user any more. Logout forgets the cookies of the
// session, except those of devices.
//
//	GET /flows/executor/{slug}/?query=
//	GET /core/users/me/
//
// A flow that denies access because nobody is logged in, as after a session that
// has ended, is no error.
//
// Errors: those of [Session.Run]; [ErrStillLoggedIn] if the flow has ended
// without a logout.
//
// https://docs.goauthentik.io/add-secure-apps/flows-stages/stages/user_logout/
func (s *Session) Logout(ctx context.Context, slug string) error {
	const op = "Logout"
	return s.withRun(ctx, op, func(ctx context.Context) error {
		_, ended := s.runFlow(ctx, op, slug, nil, Credentials{})
		_, denied := errors.AsType[*FlowDeniedError](ended)
		if ended != nil && !denied {
			return ended
		}
		switch _, err := s.user(ctx, op); {
		case errors.Is(err, ErrNotLoggedIn):
		case ended != nil:
			return ended
		case err == nil:
			return fmt.Errorf("authentik: %s: flow %s: %w", op, oneLine(slug), ErrStillLoggedIn)
		default:
			return err
		}
		s.jar.forget(sessionCookie, csrfCookie)
		return nil
	})
}
