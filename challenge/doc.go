// Package challenge holds what authentik's flows show to a user, and what the
// user responds with: plain structs for every release since 2021.9.
//
// A flow sends one [Challenge] after another. Each has a component, which says
// what to show, and which decides the type:
//
//	switch c := c.(type) {
//	case *challenge.Identification:
//		return &challenge.IdentificationResponse{UIDField: "alice"}, nil
//	case *challenge.Password:
//		return &challenge.PasswordResponse{Password: password}, nil
//	case *challenge.AuthenticatorValidation:
//		return &challenge.AuthenticatorValidationResponse{Code: code}, nil
//	case *challenge.Redirect, *challenge.AccessDenied, *challenge.FlowError:
//		return nil, nil // the end of the flow
//	default:
//		return nil, fmt.Errorf("no response to %s", c.Component())
//	}
//
// The package is data only. A Session of package authentik sends requests,
// decodes their challenges and runs whole flows.
//
// # Challenges
//
// The types are named as in the schema of authentik's API, without the words
// Challenge and ChallengeResponseRequest. Those marked with b need a browser or
// another program on the user's side, those with h need a human or a message
// that a human gets, and those with e end a flow.
//
//	component                              challenge                    response
//	ak-stage-identification                Identification               IdentificationResponse
//	ak-stage-password                      Password                     PasswordResponse
//	ak-stage-authenticator-validate        AuthenticatorValidation   h  AuthenticatorValidationResponse
//	ak-stage-user-login                    UserLogin                    UserLoginResponse
//	ak-stage-captcha                       Captcha                   b  CaptchaResponse
//	ak-stage-consent                       Consent                      ConsentResponse
//	ak-stage-prompt                        Prompt                       PromptResponse
//	ak-stage-email                         Email                     h  EmailResponse
//	ak-stage-dummy                         Dummy                        DummyResponse
//	ak-stage-endpoint-agent                EndpointAgent             b  EndpointAgentResponse
//	ak-stage-authenticator-totp            AuthenticatorTOTP            AuthenticatorTOTPResponse
//	ak-stage-authenticator-static          AuthenticatorStatic          AuthenticatorStaticResponse
//	ak-stage-authenticator-webauthn        AuthenticatorWebAuthn     b  AuthenticatorWebAuthnResponse
//	ak-stage-authenticator-duo             AuthenticatorDuo          h  AuthenticatorDuoResponse
//	ak-stage-authenticator-sms             AuthenticatorSMS          h  AuthenticatorSMSResponse
//	ak-stage-authenticator-email           AuthenticatorEmail        h  AuthenticatorEmailResponse
//	ak-source-plex                         PlexAuthentication        b  PlexAuthenticationResponse
//	ak-source-oauth-apple                  AppleLogin                b  AppleResponse
//	ak-source-telegram                     TelegramLogin             b  TelegramResponse
//	ak-provider-oauth2-device-code         OAuthDeviceCode           h  OAuthDeviceCodeResponse
//	ak-provider-oauth2-device-code-finish  OAuthDeviceCodeFinish        OAuthDeviceCodeFinishResponse
//	xak-flow-frame                         Frame                     b  FrameResponse
//	ak-stage-autosubmit                    Autosubmit                b  AutoSubmitResponse
//	ak-provider-iframe-logout              IframeLogout              b  IframeLogoutResponse
//	ak-provider-saml-native-logout         NativeLogout              b  NativeLogoutResponse
//	xak-flow-shell                         Shell                     b
//	xak-flow-redirect                      Redirect                  e  RedirectResponse
//	ak-stage-access-denied                 AccessDenied              e
//	ak-stage-flow-error                    FlowError                 e
//	ak-stage-session-end                   SessionEnd                e
//	any other                              Unknown                      RawResponse
//
// Three components had other names: ak-flow-sources-plex and
// ak-flow-sources-oauth-apple until 2022.9, and xak-flow-error until 2022.11.
//
// # Releases
//
// A struct has the fields of all releases. Their tags say which release has
// them: a field tagged since is zero with an older server, one tagged until with
// a newer one. [Decode] accepts what any release sends, and ignores what is
// unknown.
//
// An older server ignores the fields of a response that it does not know. Codes
// are strings. Servers until 2025.10 declare some of them as integers, and accept
// digits in a string.
//
// # Secrets
//
// Responses hold passwords and codes. Challenges hold tokens and the secrets of
// new devices, and may repeat what the user entered. Therefore packages fmt and
// log/slog print which fields of them are set, and no text. An error of Decode
// does not quote the input.
//
// [encoding/json.Marshal] does not redact. It returns the JSON that authentik
// sends or accepts, with the component, so that a test can serve a challenge and
// a client can send a response. Do not log that JSON.
//
// # Links
//
//   - https://docs.goauthentik.io/add-secure-apps/flows-stages/stages/
//   - https://api.goauthentik.io/reference/flows-executor-get/
//   - https://api.goauthentik.io/reference/flows-executor-solve/
package challenge
