package challenge

// Redirect ends most flows. A redirect stage sends it, too, since 2024.12. If
// To is the URL of another flow, that flow is next.
//
// Versions: all.
//
// https://docs.goauthentik.io/add-secure-apps/flows-stages/stages/redirect/
type Redirect struct {
	Common
	// To is the URL or path to go to. Its query may hold secrets.
	To string `json:"to"`
}

// RedirectResponse responds to a [Redirect]. No client has to send it.
//
// Versions: since 2024.12.
type RedirectResponse struct {
	// To is the To of the challenge.
	To string `json:"to"`
}

// AccessDenied ends a flow whose policies deny it, that has a deny stage, or
// that got too many invalid responses. It has no response.
//
// Versions: all.
//
// https://docs.goauthentik.io/add-secure-apps/flows-stages/stages/deny/
type AccessDenied struct {
	Common
	PendingUser       string `json:"pending_user,omitzero" since:"2021.12"`
	PendingUserAvatar string `json:"pending_user_avatar,omitzero" since:"2021.12"`
	// ErrorMessage is the reason, if the server has one for the user.
	ErrorMessage string `json:"error_message,omitzero" optional:""`
}

// FlowError reports an error of the server; it is not a Go error. It has no
// response. If the request was invalid, for example without a CSRF header, the
// flow goes on at the same stage.
//
// Versions: since 2022.9. The component was xak-flow-error until 2022.11.
type FlowError struct {
	Common
	PendingUser       string `json:"pending_user,omitzero" until:"2022.11"`
	PendingUserAvatar string `json:"pending_user_avatar,omitzero" until:"2022.11"`
	// RequestID finds the error in the server's log.
	RequestID string `json:"request_id"`
	// Error is the text of the error. Only superusers get it.
	Error string `json:"error,omitzero" optional:""`
	// Traceback locates the error in the server. Only superusers get it.
	Traceback string `json:"traceback,omitzero" optional:""`
}

// Shell shows a page of HTML in a browser. Stages without a component of their
// own send it. It has no response.
//
// Versions: all.
type Shell struct {
	Common
	// Body is HTML.
	Body string `json:"body"`
}

// Frame shows a page in a frame of a browser. Stages that work in the
// background send it. Respond with a [FrameResponse].
//
// Versions: since 2024.10.
type Frame struct {
	Common
	URL            string `json:"url"`
	LoadingOverlay bool   `json:"loading_overlay" optional:""`
	LoadingText    string `json:"loading_text"`
}

// FrameResponse responds to a [Frame].
type FrameResponse struct{}

// Autosubmit makes a browser send a form to another site, for example to log in
// there by SAML. Respond with an [AutoSubmitResponse], or end the flow there.
//
// Versions: all.
//
// https://docs.goauthentik.io/add-secure-apps/providers/saml/
type Autosubmit struct {
	Common
	// URL is the address to send the form to.
	URL string `json:"url"`
	// Attrs holds the inputs of the form.
	Attrs map[string]string `json:"attrs"`
	Title string            `json:"title,omitzero" since:"2022.5"`
}

// AutoSubmitResponse responds to an [Autosubmit].
type AutoSubmitResponse struct{}

// SessionEnd ends a logout from an application, and offers to log out of
// authentik. It has no response.
//
// Versions: since 2024.10.
type SessionEnd struct {
	Common
	PendingUser          string `json:"pending_user"`
	PendingUserAvatar    string `json:"pending_user_avatar"`
	ApplicationName      string `json:"application_name,omitzero" optional:""`
	ApplicationLaunchURL string `json:"application_launch_url,omitzero" optional:""`
	// InvalidationFlowURL is the URL of the flow that logs out of authentik.
	InvalidationFlowURL string `json:"invalidation_flow_url,omitzero" optional:""`
	BrandName           string `json:"brand_name"`
	OverviewURL         string `json:"overview_url,omitzero" since:"2026.8"`
}

// IframeLogout logs out of several applications at once, each in a frame of a
// browser. Respond with an [IframeLogoutResponse].
//
// Versions: since 2025.10.
//
// https://docs.goauthentik.io/add-secure-apps/flows-stages/stages/single_logout/
type IframeLogout struct {
	Common
	LogoutURLs []LogoutURL `json:"logout_urls" optional:""`
}

// LogoutURL is an application in an [IframeLogout].
type LogoutURL struct {
	// URL is the address to send the request to. Its query may hold tokens.
	URL          string `json:"url"`
	ProviderName string `json:"provider_name,omitzero" optional:""`
	// Binding is how to send it, a value of [SAMLBinding] for SAML.
	Binding        string `json:"binding,omitzero" optional:""`
	SAMLRequest    string `json:"saml_request,omitzero" optional:""`
	SAMLResponse   string `json:"saml_response,omitzero" optional:""`
	SAMLRelayState string `json:"saml_relay_state,omitzero" optional:""`
	// RelayState is the SAMLRelayState of older servers.
	RelayState string `json:"relay_state,omitzero" until:"2026.2"`
}

// UnmarshalJSON accepts an object and a bare URL.
func (u *LogoutURL) UnmarshalJSON(data []byte) error {
	type plain LogoutURL
	if isScalar(data) {
		return decode(data, &u.URL)
	}
	return decode(data, (*plain)(u))
}

// IframeLogoutResponse responds to an [IframeLogout].
type IframeLogoutResponse struct{}

// NativeLogout logs out of one SAML application in the window of a browser.
// Respond with a [NativeLogoutResponse].
//
// Versions: since 2025.10.
//
// https://docs.goauthentik.io/add-secure-apps/flows-stages/stages/single_logout/
type NativeLogout struct {
	Common
	ProviderName string `json:"provider_name,omitzero" optional:""`
	// IsComplete reports that there is no application left.
	IsComplete bool `json:"is_complete" optional:""`
	// PostURL is the address to send the SAML message to as a form, and
	// RedirectURL the address to redirect to. One of them is set.
	PostURL        string      `json:"post_url,omitzero" optional:""`
	RedirectURL    string      `json:"redirect_url,omitzero" optional:""`
	SAMLBinding    SAMLBinding `json:"saml_binding,omitzero" since:"2026.5"`
	SAMLRequest    string      `json:"saml_request,omitzero" optional:""`
	SAMLResponse   string      `json:"saml_response,omitzero" since:"2026.5"`
	SAMLRelayState string      `json:"saml_relay_state,omitzero" since:"2026.5"`
	// Binding and RelayState are the SAMLBinding and SAMLRelayState of older
	// servers.
	Binding    string `json:"binding,omitzero" until:"2026.2"`
	RelayState string `json:"relay_state,omitzero" until:"2026.2"`
}

// NativeLogoutResponse responds to a [NativeLogout].
type NativeLogoutResponse struct{}
