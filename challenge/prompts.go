package challenge

// Prompt requests the values of a form. A prompt stage sends it, as in
// enrollment, recovery and user settings. Respond with a [PromptResponse].
//
// Versions: all.
//
// https://docs.goauthentik.io/add-secure-apps/flows-stages/stages/prompt/
type Prompt struct {
	Common
	// Fields holds the inputs in the order in which they are shown.
	Fields []StagePrompt `json:"fields"`
}

// StagePrompt is an input of a [Prompt].
type StagePrompt struct {
	// FieldKey is the key of the input in [PromptResponse.Values].
	FieldKey string     `json:"field_key"`
	Label    string     `json:"label"`
	Type     PromptType `json:"type"`
	// Required reports whether the response must have a value. A required
	// checkbox may be false.
	Required    bool   `json:"required"`
	Placeholder string `json:"placeholder"`
	// InitialValue is what the input holds at first.
	InitialValue string `json:"initial_value,omitzero" since:"2023.4"`
	Order        int    `json:"order"`
	// SubText is HTML.
	SubText string `json:"sub_text"`
	// Choices holds the values of a radio button group or a dropdown.
	Choices []PromptChoice `json:"choices,omitzero" since:"2023.4"`
}

// PromptChoice is a value that a user can choose in a [StagePrompt].
type PromptChoice struct {
	Value string `json:"value"`
	// Label is the text that is shown for the value. Servers until 2025.8 have
	// no labels: Label is the value then.
	Label string `json:"label"`
}

// UnmarshalJSON accepts an object and, as servers sent until 2025.8, a bare
// value.
func (c *PromptChoice) UnmarshalJSON(data []byte) error {
	type plain PromptChoice
	if isScalar(data) {
		err := decode(data, &c.Value)
		c.Label = c.Value
		return err
	}
	return decode(data, (*plain)(c))
}

// PromptResponse responds to a [Prompt].
type PromptResponse struct {
	// Values holds the values by [StagePrompt.FieldKey]: a string for most types,
	// a bool for a checkbox, a number for a number.
	Values map[string]any
}

// MarshalJSON returns Values with the component.
func (r PromptResponse) MarshalJSON() ([]byte, error) { return marshalValues(r.Component(), r.Values) }

// Consent requests the user's permission for an application. A consent stage
// sends it. Respond with a [ConsentResponse].
//
// Versions: all.
//
// https://docs.goauthentik.io/add-secure-apps/flows-stages/stages/consent/
type Consent struct {
	Common
	PendingUser       string `json:"pending_user"`
	PendingUserAvatar string `json:"pending_user_avatar"`
	HeaderText        string `json:"header_text,omitzero" optional:""`
	// Permissions holds what the user has permitted before, and all permissions
	// at the first time.
	Permissions []ConsentPermission `json:"permissions"`
	// AdditionalPermissions holds what is new since the user permitted
	// Permissions.
	AdditionalPermissions []ConsentPermission `json:"additional_permissions,omitzero" since:"2022.7"`
	// Token proves that the response is to this challenge. Each challenge has a
	// new one.
	Token string `json:"token,omitzero" since:"2022.8"`
}

// ConsentPermission is something that an application may do, as a [Consent]
// shows it.
type ConsentPermission struct {
	Name string `json:"name"`
	ID   string `json:"id"`
}

// ConsentResponse responds to a [Consent]: the user permits. No response
// refuses.
type ConsentResponse struct {
	// Token is the Token of the last challenge. Servers until 2022.7 have none.
	Token string `json:"token,omitzero" since:"2022.8"`
}

// Dummy requests nothing. A dummy stage, which is for tests, sends it. Respond
// with a [DummyResponse].
//
// Versions: all.
type Dummy struct {
	Common
	// Name is the name of the stage.
	Name string `json:"name,omitzero" since:"2024.2"`
}

// DummyResponse responds to a [Dummy].
type DummyResponse struct{}

// OAuthDeviceCode requests the code that a device shows. The device flow of
// OAuth 2 sends it. Respond with an [OAuthDeviceCodeResponse].
//
// Versions: since 2022.10.
//
// https://docs.goauthentik.io/add-secure-apps/providers/oauth2/device_code/
type OAuthDeviceCode struct {
	Common
}

// OAuthDeviceCodeResponse responds to an [OAuthDeviceCode].
type OAuthDeviceCodeResponse struct {
	// Code is the code that the device shows.
	Code string `json:"code"`
}

// OAuthDeviceCodeFinish reports that the user can go back to the device. It
// ends the device flow of OAuth 2. Respond with an
// [OAuthDeviceCodeFinishResponse].
//
// Versions: since 2022.10.
//
// https://docs.goauthentik.io/add-secure-apps/providers/oauth2/device_code/
type OAuthDeviceCodeFinish struct {
	Common
}

// OAuthDeviceCodeFinishResponse responds to an [OAuthDeviceCodeFinish].
type OAuthDeviceCodeFinishResponse struct{}
