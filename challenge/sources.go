package challenge

// PlexAuthentication logs in with Plex, in a browser. Respond with a
// [PlexAuthenticationResponse].
//
// Versions: all. The component was ak-flow-sources-plex until 2022.9.
//
// https://docs.goauthentik.io/users-sources/sources/social-logins/plex/
type PlexAuthentication struct {
	Common
	ClientID string `json:"client_id"`
	// Slug is the source's.
	Slug string `json:"slug"`
}

// PlexAuthenticationResponse responds to a [PlexAuthentication].
type PlexAuthenticationResponse struct{}

// AppleLogin logs in with Apple, in a browser. Respond with an [AppleResponse].
//
// Versions: since 2021.12. The component was ak-flow-sources-oauth-apple until
// 2022.9.
//
// https://docs.goauthentik.io/users-sources/sources/social-logins/apple/
type AppleLogin struct {
	Common
	ClientID    string `json:"client_id"`
	Scope       string `json:"scope"`
	RedirectURI string `json:"redirect_uri"`
	State       string `json:"state"`
}

// AppleResponse responds to an [AppleLogin].
type AppleResponse struct{}

// TelegramLogin logs in with Telegram, in a browser. Respond with a
// [TelegramResponse].
//
// Versions: since 2025.10.
//
// https://docs.goauthentik.io/users-sources/sources/social-logins/telegram/
type TelegramLogin struct {
	Common
	BotUsername string `json:"bot_username"`
	// RequestMessageAccess requests permission for the bot to send messages.
	RequestMessageAccess bool `json:"request_message_access"`
}

// TelegramResponse responds to a [TelegramLogin] with what Telegram's login
// widget returns.
type TelegramResponse struct {
	ID        int64  `json:"id"`
	FirstName string `json:"first_name,omitzero" optional:""`
	LastName  string `json:"last_name,omitzero" optional:""`
	Username  string `json:"username,omitzero" optional:""`
	PhotoURL  string `json:"photo_url,omitzero" optional:""`
	// AuthDate is a Unix time.
	AuthDate int64  `json:"auth_date"`
	Hash     string `json:"hash"`
}
