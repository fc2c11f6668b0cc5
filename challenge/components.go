package challenge

//go:generate go run ../internal/cmd/challenges
//go:generate go run ../internal/cmd/enums

// component is a component, the challenge that has it and the response to it.
type component struct {
	name      string
	challenge Challenge
	response  Response
}

// components is the one place that ties components to types. A type that comes
// twice had another component in older releases: its first line is the newest.
var components = []component{
	{"ak-provider-iframe-logout", new(IframeLogout), new(IframeLogoutResponse)},
	{"ak-provider-oauth2-device-code", new(OAuthDeviceCode), new(OAuthDeviceCodeResponse)},
	{"ak-provider-oauth2-device-code-finish", new(OAuthDeviceCodeFinish), new(OAuthDeviceCodeFinishResponse)},
	{"ak-provider-saml-native-logout", new(NativeLogout), new(NativeLogoutResponse)},
	{"ak-source-oauth-apple", new(AppleLogin), new(AppleResponse)},
	{"ak-flow-sources-oauth-apple", new(AppleLogin), new(AppleResponse)}, // until 2022.9
	{"ak-source-plex", new(PlexAuthentication), new(PlexAuthenticationResponse)},
	{"ak-flow-sources-plex", new(PlexAuthentication), new(PlexAuthenticationResponse)}, // until 2022.9
	{"ak-source-telegram", new(TelegramLogin), new(TelegramResponse)},
	{"ak-stage-access-denied", new(AccessDenied), nil},
	{"ak-stage-authenticator-duo", new(AuthenticatorDuo), new(AuthenticatorDuoResponse)},
	{"ak-stage-authenticator-email", new(AuthenticatorEmail), new(AuthenticatorEmailResponse)},
	{"ak-stage-authenticator-sms", new(AuthenticatorSMS), new(AuthenticatorSMSResponse)},
	{"ak-stage-authenticator-static", new(AuthenticatorStatic), new(AuthenticatorStaticResponse)},
	{"ak-stage-authenticator-totp", new(AuthenticatorTOTP), new(AuthenticatorTOTPResponse)},
	{"ak-stage-authenticator-validate", new(AuthenticatorValidation), new(AuthenticatorValidationResponse)},
	{"ak-stage-authenticator-webauthn", new(AuthenticatorWebAuthn), new(AuthenticatorWebAuthnResponse)},
	{"ak-stage-autosubmit", new(Autosubmit), new(AutoSubmitResponse)},
	{"ak-stage-captcha", new(Captcha), new(CaptchaResponse)},
	{"ak-stage-consent", new(Consent), new(ConsentResponse)},
	{"ak-stage-dummy", new(Dummy), new(DummyResponse)},
	{"ak-stage-email", new(Email), new(EmailResponse)},
	{"ak-stage-endpoint-agent", new(EndpointAgent), new(EndpointAgentResponse)},
	{"ak-stage-flow-error", new(FlowError), nil},
	{"xak-flow-error", new(FlowError), nil}, // until 2022.11
	{"ak-stage-identification", new(Identification), new(IdentificationResponse)},
	{"ak-stage-password", new(Password), new(PasswordResponse)},
	{"ak-stage-prompt", new(Prompt), new(PromptResponse)},
	{"ak-stage-session-end", new(SessionEnd), nil},
	{"ak-stage-user-login", new(UserLogin), new(UserLoginResponse)},
	{"xak-flow-frame", new(Frame), new(FrameResponse)},
	{"xak-flow-redirect", new(Redirect), new(RedirectResponse)},
	{"xak-flow-shell", new(Shell), nil},
}
