package challenge

import (
	"encoding/json"
	"time"

	"github.com/google/uuid"
)

// AuthenticatorValidation requests a second factor. An authenticator validation
// stage sends it. Respond with an [AuthenticatorValidationResponse].
//
// Versions: all.
//
// https://docs.goauthentik.io/add-secure-apps/flows-stages/stages/authenticator_validate/
type AuthenticatorValidation struct {
	Common
	PendingUser       string `json:"pending_user"`
	PendingUserAvatar string `json:"pending_user_avatar"`
	// DeviceChallenges holds the user's devices that the stage accepts.
	DeviceChallenges []DeviceChallenge `json:"device_challenges"`
	// ConfigurationStages holds the stages that set up a device. A user without a
	// device must select one of them.
	ConfigurationStages []ConfigurationStage `json:"configuration_stages,omitzero" since:"2022.1"`
}

// DeviceChallenge is a device of the user in an [AuthenticatorValidation].
type DeviceChallenge struct {
	DeviceClass DeviceClass `json:"device_class"`
	// DeviceUID is the ID of the device. It is -1 for a WebAuthn device that need
	// not be known before.
	DeviceUID string `json:"device_uid"`
	// Challenge is an object: the options of a WebAuthn assertion, else empty.
	Challenge json.RawMessage `json:"challenge"`
	// LastUsed is nil for a device that was never used, and until 2024.8. It is
	// not omitted from JSON, because a selected challenge must have it.
	LastUsed *time.Time `json:"last_used" since:"2024.10"`
}

// ConfigurationStage is a stage that sets up a device. The schema of the API
// names it SelectableStage.
type ConfigurationStage struct {
	PK uuid.UUID `json:"pk"`
	// Name is "" on some servers, although the API's schema requires it.
	Name        string `json:"name"`
	VerboseName string `json:"verbose_name"`
	// MetaModelName is the type of the stage, such as
	// authentik_stages_authenticator_totp.authenticatortotpstage.
	MetaModelName string `json:"meta_model_name"`
}

// AuthenticatorValidationResponse responds to an [AuthenticatorValidation]. Set
// one field.
type AuthenticatorValidationResponse struct {
	// Code is the code of a static, TOTP, SMS or email device.
	Code string `json:"code,omitzero" optional:""`
	// WebAuthn is the assertion of a WebAuthn device (an object).
	WebAuthn json.RawMessage `json:"webauthn,omitzero" optional:""`
	// Duo is the DeviceUID of a Duo device. The server responds when the user has
	// confirmed the push notification.
	Duo int `json:"duo,omitzero" optional:""`
	// SelectedChallenge is one of the DeviceChallenges. It makes the server send
	// an SMS or email. The server sends the challenge again with the error
	// "Empty response", which means that it now waits for the Code.
	SelectedChallenge *DeviceChallenge `json:"selected_challenge,omitzero" since:"2021.10"`
	// SelectedStage is the PK of one of the ConfigurationStages.
	SelectedStage uuid.UUID `json:"selected_stage,omitzero" since:"2022.1"`
}

// AuthenticatorTOTP sets up a TOTP device. A TOTP setup stage sends it. Respond
// with an [AuthenticatorTOTPResponse].
//
// Versions: all.
//
// https://docs.goauthentik.io/add-secure-apps/flows-stages/stages/authenticator_totp/
type AuthenticatorTOTP struct {
	Common
	PendingUser       string `json:"pending_user"`
	PendingUserAvatar string `json:"pending_user_avatar"`
	// ConfigURL is an otpauth URL, which has the secret of the new device.
	ConfigURL string `json:"config_url"`
}

// AuthenticatorTOTPResponse responds to an [AuthenticatorTOTP].
type AuthenticatorTOTPResponse struct {
	// Code is the present code of the new device.
	Code string `json:"code"`
}

// AuthenticatorStatic sets up recovery codes. A static setup stage sends it.
// Respond with an [AuthenticatorStaticResponse].
//
// Versions: all.
//
// https://docs.goauthentik.io/add-secure-apps/flows-stages/stages/authenticator_static/
type AuthenticatorStatic struct {
	Common
	PendingUser       string `json:"pending_user"`
	PendingUserAvatar string `json:"pending_user_avatar"`
	// Codes holds the new codes. The server does not show them again.
	Codes []string `json:"codes"`
}

// AuthenticatorStaticResponse responds to an [AuthenticatorStatic]: the user
// has stored the codes.
type AuthenticatorStaticResponse struct{}

// AuthenticatorWebAuthn sets up a WebAuthn device, such as a security key or a
// passkey. A WebAuthn setup stage sends it. A browser or another WebAuthn
// client registers the device. Respond with an [AuthenticatorWebAuthnResponse].
//
// Versions: all.
//
// https://docs.goauthentik.io/add-secure-apps/flows-stages/stages/authenticator_webauthn/
type AuthenticatorWebAuthn struct {
	Common
	PendingUser       string `json:"pending_user"`
	PendingUserAvatar string `json:"pending_user_avatar"`
	// Registration holds the options of the WebAuthn registration (an object).
	Registration json.RawMessage `json:"registration"`
}

// AuthenticatorWebAuthnResponse responds to an [AuthenticatorWebAuthn].
type AuthenticatorWebAuthnResponse struct {
	// Response is the WebAuthn attestation (an object).
	Response json.RawMessage `json:"response"`
}

// AuthenticatorDuo sets up Duo. A Duo setup stage sends it. The user scans the
// barcode with a phone. Respond with an [AuthenticatorDuoResponse] after that.
//
// Versions: all.
//
// https://docs.goauthentik.io/add-secure-apps/flows-stages/stages/authenticator_duo/
type AuthenticatorDuo struct {
	Common
	PendingUser       string `json:"pending_user"`
	PendingUserAvatar string `json:"pending_user_avatar"`
	// ActivationBarcode is the URL of an image.
	ActivationBarcode string `json:"activation_barcode"`
	// ActivationCode is what the image encodes.
	ActivationCode string `json:"activation_code"`
	// StageUUID is the PK of the stage.
	StageUUID string `json:"stage_uuid"`
}

// AuthenticatorDuoResponse responds to an [AuthenticatorDuo].
type AuthenticatorDuoResponse struct{}

// AuthenticatorSMS sets up codes by SMS. An SMS setup stage sends it. Respond
// with an [AuthenticatorSMSResponse].
//
// Versions: since 2021.10.
//
// https://docs.goauthentik.io/add-secure-apps/flows-stages/stages/authenticator_sms/
type AuthenticatorSMS struct {
	Common
	PendingUser       string `json:"pending_user"`
	PendingUserAvatar string `json:"pending_user_avatar"`
	// PhoneNumberRequired reports whether the server does not know the number
	// yet.
	PhoneNumberRequired bool `json:"phone_number_required" optional:""`
}

// AuthenticatorSMSResponse responds to an [AuthenticatorSMS]. Send the phone
// number first if it is required, then the code.
type AuthenticatorSMSResponse struct {
	Code        string `json:"code,omitzero" optional:""`
	PhoneNumber string `json:"phone_number,omitzero" optional:""`
}

// AuthenticatorEmail sets up codes by email. An email authenticator setup stage
// sends it. Respond with an [AuthenticatorEmailResponse].
//
// Versions: since 2025.2.
//
// https://docs.goauthentik.io/add-secure-apps/flows-stages/stages/authenticator_email/
type AuthenticatorEmail struct {
	Common
	PendingUser       string `json:"pending_user"`
	PendingUserAvatar string `json:"pending_user_avatar"`
	// Email is the address, in part, that the server has sent a code to.
	Email string `json:"email,omitzero" optional:""`
	// EmailRequired reports whether the server does not know the address yet.
	EmailRequired bool `json:"email_required" optional:""`
}

// AuthenticatorEmailResponse responds to an [AuthenticatorEmail]. Send the
// address first if it is required, then the code.
type AuthenticatorEmailResponse struct {
	Code  string `json:"code,omitzero" optional:""`
	Email string `json:"email,omitzero" optional:""`
}
