package challenge

import (
	"encoding/json"
	"strings"
)

// Identification requests the name of the user. An identification stage sends
// it, most often first in a flow. Respond with an [IdentificationResponse].
//
// Versions: all.
//
// https://docs.goauthentik.io/add-secure-apps/flows-stages/stages/identification/
type Identification struct {
	Common
	// UserFields holds the attributes of a user that UIDField may be: username,
	// email, upn. None means that a user can only choose one of the Sources.
	UserFields []string `json:"user_fields"`
	// PasswordFields reports whether the response must have the password, too.
	PasswordFields bool `json:"password_fields"`
	// PrimaryAction is the text of the button.
	PrimaryAction string `json:"primary_action"`
	// Sources holds the other ways to log in.
	Sources []LoginSource `json:"sources,omitzero" optional:""`
	// ApplicationPre is the name of the application that the user came from.
	ApplicationPre       string `json:"application_pre,omitzero" optional:""`
	ApplicationPreLaunch string `json:"application_pre_launch,omitzero" since:"2026.2"`
	// EnrollURL, RecoveryURL and PasswordlessURL are URLs of other flows.
	EnrollURL        string `json:"enroll_url,omitzero" optional:""`
	RecoveryURL      string `json:"recovery_url,omitzero" optional:""`
	PasswordlessURL  string `json:"passwordless_url,omitzero" since:"2021.12"`
	ShowSourceLabels bool   `json:"show_source_labels,omitzero" since:"2021.10"`
	// FlowDesignation is a value of authentik.FlowDesignation.
	FlowDesignation   string `json:"flow_designation,omitzero" since:"2024.2"`
	AllowShowPassword bool   `json:"allow_show_password,omitzero" since:"2024.6"`
	// CaptchaStage is a captcha that the response must solve, too. Send its token
	// as the CaptchaToken.
	CaptchaStage *Captcha `json:"captcha_stage,omitzero" since:"2024.10"`
	// EnableRememberMe offers to remember the user's name.
	EnableRememberMe bool `json:"enable_remember_me,omitzero" since:"2025.4"`
	// PasskeyChallenge holds the options of a WebAuthn assertion (an object). Send
	// the assertion as the Passkey instead of a UIDField.
	PasskeyChallenge json.RawMessage `json:"passkey_challenge,omitzero" since:"2025.12"`
	// PendingUserIdentifier is the user that the stage suggests.
	PendingUserIdentifier string `json:"pending_user_identifier,omitzero" since:"2026.2"`
}

// LoginSource is a way to log in that an [Identification] offers beside its
// fields.
type LoginSource struct {
	Name    string `json:"name"`
	IconURL string `json:"icon_url,omitzero" optional:""`
	// Challenge is a [*Redirect], [*PlexAuthentication], [*AppleLogin] or
	// [*TelegramLogin], else an [*Unknown]. All of them need a browser.
	Challenge Challenge `json:"challenge"`
	// Promoted reports whether the source is shown first.
	Promoted bool `json:"promoted,omitzero" since:"2025.12"`
}

// UnmarshalJSON decodes the source with its challenge.
func (s *LoginSource) UnmarshalJSON(data []byte) error {
	type plain LoginSource
	v := struct {
		*plain
		Challenge *nested `json:"challenge"`
	}{plain: (*plain)(s)}
	err := decode(data, &v)
	if v.Challenge != nil {
		s.Challenge = v.Challenge.challenge
	}
	return err
}

// nested is the challenge of a [LoginSource].
type nested struct{ challenge Challenge }

// UnmarshalJSON decodes any other challenge than those that sources have as an
// [Unknown], so that no input can nest further.
func (n *nested) UnmarshalJSON(data []byte) (err error) {
	n.challenge, err = decodeAs(data, func(component string) bool {
		return component == "xak-flow-redirect" ||
			strings.HasPrefix(component, "ak-source-") || strings.HasPrefix(component, "ak-flow-sources-")
	})
	return err
}

// IdentificationResponse responds to an [Identification].
type IdentificationResponse struct {
	// UIDField is the user's name, email address or other attribute, one of the
	// UserFields of the challenge.
	UIDField string `json:"uid_field,omitzero" optional:""`
	// Password is for a challenge with PasswordFields only.
	Password     string `json:"password,omitzero" optional:""`
	CaptchaToken string `json:"captcha_token,omitzero" since:"2024.10"`
	// Passkey is the WebAuthn assertion (an object).
	Passkey json.RawMessage `json:"passkey,omitzero" since:"2025.12"`
}

// Password requests the password of the user. A password stage sends it, even
// for a user that does not exist. Respond with a [PasswordResponse].
//
// Versions: all.
//
// https://docs.goauthentik.io/add-secure-apps/flows-stages/stages/password/
type Password struct {
	Common
	PendingUser       string `json:"pending_user"`
	PendingUserAvatar string `json:"pending_user_avatar"`
	// RecoveryURL is the URL of the recovery flow.
	RecoveryURL       string `json:"recovery_url,omitzero" optional:""`
	AllowShowPassword bool   `json:"allow_show_password,omitzero" since:"2024.6"`
}

// PasswordResponse responds to a [Password]. The stage counts wrong passwords,
// and denies access after a few.
type PasswordResponse struct {
	Password string `json:"password"`
}

// UserLogin offers to stay signed in. A user login stage sends it, unless it
// has nothing to offer. Respond with a [UserLoginResponse].
//
// Versions: since 2023.3.
//
// https://docs.goauthentik.io/add-secure-apps/flows-stages/stages/user_login/
type UserLogin struct {
	Common
	PendingUser       string `json:"pending_user"`
	PendingUserAvatar string `json:"pending_user_avatar"`
}

// UserLoginResponse responds to a [UserLogin].
type UserLoginResponse struct {
	// RememberMe makes the session last as long as the stage offers.
	RememberMe bool `json:"remember_me"`
}

// Captcha requests the token of a captcha. A captcha stage sends it. A browser
// loads JSURL with the SiteKey. Respond with a [CaptchaResponse].
//
// Versions: all.
//
// https://docs.goauthentik.io/add-secure-apps/flows-stages/stages/captcha/
type Captcha struct {
	Common
	PendingUser       string `json:"pending_user"`
	PendingUserAvatar string `json:"pending_user_avatar"`
	SiteKey           string `json:"site_key"`
	// JSURL is the URL of the captcha's script.
	JSURL string `json:"js_url,omitzero" since:"2022.11"`
	// Interactive reports whether the user has to do something.
	Interactive bool `json:"interactive,omitzero" since:"2024.12"`
}

// CaptchaResponse responds to a [Captcha].
type CaptchaResponse struct {
	// Token is what the captcha's script returned.
	Token string `json:"token"`
}

// Email reports that the server has sent a link to the user. An email stage
// sends it. The flow goes on when the link is opened. An [EmailResponse]
// requests another email.
//
// Versions: all.
//
// https://docs.goauthentik.io/add-secure-apps/flows-stages/stages/email/
type Email struct {
	Common
}

// EmailResponse responds to an [Email]: the server sends the email again. It
// confirms with the same challenge, which then has an error with the code
// "email-sent".
type EmailResponse struct{}

// EndpointAgent requests a signature of the authentik agent on the user's
// device. An endpoint stage sends it. Respond with an [EndpointAgentResponse].
//
// Versions: since 2025.12.
//
// https://docs.goauthentik.io/add-secure-apps/flows-stages/stages/endpoint/
type EndpointAgent struct {
	Common
	// Challenge is the token to sign.
	Challenge string `json:"challenge"`
	// ChallengeIdleTimeout is the number of seconds to wait for an agent.
	ChallengeIdleTimeout int `json:"challenge_idle_timeout"`
}

// EndpointAgentResponse responds to an [EndpointAgent].
type EndpointAgentResponse struct {
	// Response is the token that the agent signed; "" reports that there is no
	// agent.
	Response string `json:"response,omitzero" optional:""`
}
