package challenge

import (
	"encoding/json"
)

// Challenge is what a flow shows to its user at one of its stages. [Decode]
// returns a pointer to one of the structs of this package, and [*Unknown] for a
// component that this package does not know.
//
// Any type may implement Challenge, so that tests can have their own.
//
// https://api.goauthentik.io/reference/flows-executor-get/
type Challenge interface {
	// Component returns the name of the component that shows the challenge, such
	// as "ak-stage-password". The component decides the type of a challenge.
	Component() string
	// Info returns the title and the looks of the flow. It is nil where the
	// server sends none, as with most redirects.
	Info() *FlowInfo
	// Errors returns why the server rejected the response before, by field. The
	// field "non_field_errors" is for errors of no field. It is nil if the server
	// rejected none.
	Errors() map[string][]ErrorDetail
}

// Common is the part that all challenges have. Struct literals may omit it.
type Common struct {
	FlowInfo *FlowInfo `json:"flow_info,omitzero" optional:""`
	// ComponentName is the component that the server sent. In a literal it may be
	// "": Component then returns the component of the newest release.
	ComponentName string `json:"component" optional:""`
	// Type is how a user interface shows the challenge.
	Type Type `json:"type,omitzero" until:"2024.4"`
	// ResponseErrors holds the errors of the response before, by field.
	ResponseErrors map[string][]ErrorDetail `json:"response_errors,omitzero" optional:""`
}

// Info returns FlowInfo.
func (c *Common) Info() *FlowInfo { return c.FlowInfo }

// Errors returns ResponseErrors.
func (c *Common) Errors() map[string][]ErrorDetail { return c.ResponseErrors }

// component returns the component that the server sent, or else newest.
func (c *Common) component(newest string) string {
	if c.ComponentName != "" {
		return c.ComponentName
	}
	return newest
}

// FlowInfo is what a user interface shows beside a challenge.
type FlowInfo struct {
	Title string `json:"title" optional:""`
	// Background is the URL of an image.
	Background           string      `json:"background" optional:""`
	BackgroundThemedURLs *ThemedURLs `json:"background_themed_urls,omitzero" since:"2025.12"`
	// CancelURL is the path that ends the flow without a result.
	CancelURL string `json:"cancel_url"`
	// Layout is a value of authentik.FlowLayout.
	Layout string `json:"layout,omitzero" since:"2022.5"`
}

// ThemedURLs holds the URLs of an image for each theme.
type ThemedURLs struct {
	Light string `json:"light,omitzero" optional:""`
	Dark  string `json:"dark,omitzero" optional:""`
}

// ErrorDetail is one error of a response. Its text is the server's, which may
// be translated and may repeat what the user entered.
type ErrorDetail struct {
	String string `json:"string"`
	// Code is a word such as "required" or "invalid". Some errors have none.
	Code string `json:"code"`
}

// UnmarshalJSON accepts an object and a bare text.
func (d *ErrorDetail) UnmarshalJSON(data []byte) error {
	type plain ErrorDetail
	if isScalar(data) {
		return decode(data, &d.String)
	}
	return decode(data, (*plain)(d))
}

// Unknown is a challenge of which this package does not know the component. A
// newer server or a plugin may send one. Respond with a [RawResponse].
type Unknown struct {
	// Raw is the whole challenge as JSON.
	Raw json.RawMessage
}

// Component returns the component in Raw, or "" if there is none.
func (u *Unknown) Component() string { return u.common().ComponentName }

// Info returns the flow_info in Raw.
func (u *Unknown) Info() *FlowInfo { return u.common().FlowInfo }

// Errors returns the response_errors in Raw.
func (u *Unknown) Errors() map[string][]ErrorDetail { return u.common().ResponseErrors }

// common returns the parts of Raw that all challenges have. A part that does
// not look like one is left out: Raw still has it.
func (u *Unknown) common() (c Common) {
	var parts struct {
		Component json.RawMessage `json:"component"`
		Info      json.RawMessage `json:"flow_info"`
		Errors    json.RawMessage `json:"response_errors"`
	}
	if decode(u.Raw, &parts) != nil {
		return c
	}
	if decode(parts.Component, &c.ComponentName) != nil {
		c.ComponentName = ""
	}
	if decode(parts.Info, &c.FlowInfo) != nil {
		c.FlowInfo = nil
	}
	if decode(parts.Errors, &c.ResponseErrors) != nil {
		c.ResponseErrors = nil
	}
	return c
}

// MarshalJSON returns Raw.
func (u Unknown) MarshalJSON() ([]byte, error) { return u.Raw.MarshalJSON() }
