package challenge

// DeviceClass is the kind of an authenticator. A newer server may send a value
// that this library does not know: see Known.
type DeviceClass string

// The values of DeviceClass.
const (
	DeviceClassStatic   DeviceClass = "static"
	DeviceClassTOTP     DeviceClass = "totp"
	DeviceClassWebAuthn DeviceClass = "webauthn"
	DeviceClassDuo      DeviceClass = "duo"
	DeviceClassSMS      DeviceClass = "sms"   // since 2021.10
	DeviceClassEmail    DeviceClass = "email" // since 2025.2
)

// PromptType is the type of an input in a [Prompt]. A newer server may send a
// value that this library does not know: see Known.
type PromptType string

// The values of PromptType. The separator, static and alert types only show
// text: a response has no value for them.
const (
	PromptTypeText             PromptType = "text"
	PromptTypeTextArea         PromptType = "text_area" // since 2023.4
	PromptTypeTextReadOnly     PromptType = "text_read_only"
	PromptTypeTextAreaReadOnly PromptType = "text_area_read_only" // since 2023.4
	PromptTypeUsername         PromptType = "username"
	PromptTypeEmail            PromptType = "email"
	PromptTypePassword         PromptType = "password"
	PromptTypeNumber           PromptType = "number"
	PromptTypeCheckbox         PromptType = "checkbox"
	PromptTypeRadioButtonGroup PromptType = "radio-button-group" // since 2023.4
	PromptTypeDropdown         PromptType = "dropdown"           // since 2023.4
	PromptTypeDate             PromptType = "date"
	PromptTypeDateTime         PromptType = "date-time"
	PromptTypeFile             PromptType = "file" // since 2022.7
	PromptTypeSeparator        PromptType = "separator"
	PromptTypeHidden           PromptType = "hidden"
	PromptTypeStatic           PromptType = "static"
	PromptTypeAlertInfo        PromptType = "alert_info"    // since 2026.5
	PromptTypeAlertWarning     PromptType = "alert_warning" // since 2026.5
	PromptTypeAlertDanger      PromptType = "alert_danger"  // since 2026.5
	PromptTypeAKLocale         PromptType = "ak-locale"     // since 2022.3
)

// SAMLBinding is how a SAML message reaches a provider. A newer server may send
// a value that this library does not know: see Known.
type SAMLBinding string

// The values of SAMLBinding.
const (
	SAMLBindingRedirect SAMLBinding = "redirect" // since 2026.5
	SAMLBindingPost     SAMLBinding = "post"     // since 2026.5
)

// Type is how a user interface shows a challenge. Servers sent it until 2024.4.
// See Known for other values.
type Type string

// The values of Type.
const (
	TypeNative   Type = "native"
	TypeShell    Type = "shell"
	TypeRedirect Type = "redirect"
)
