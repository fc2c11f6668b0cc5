package authentiktest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// The cookies of authentik.
const (
	csrfCookie    = "authentik_csrf"
	deviceCookie  = "authentik_device"
	mfaCookie     = "authentik_mfa"
	sessionCookie = "authentik_session"
)

const csrfAge = 364 * 24 * time.Hour

// session is what authentik remembers of a browser.
type session struct {
	id        string
	user      *user // nil is nobody
	passwords int   // of the user, when the session logged in
	expires   time.Time

	plan    *plan
	history []plan     // as they were before each stage that was passed
	query   url.Values // of the last request to the executor; nil if there was none
	tries   int        // wrong passwords, up to 2025.12
}

// keptSessions is how many sessions the server remembers.
const keptSessions = 10_000

// sessions are the sessions of a server.
type sessions struct {
	byID map[string]*session
	of   map[*user]int // how many each user is logged in to
	ids  []string      // oldest first, also of sessions that have ended
}

// keep stores a session under its identifier.
func (all *sessions) keep(s *session) {
	if all.byID[s.id] != nil {
		return
	}
	if len(all.ids) == keptSessions {
		for _, id := range all.ids[:keptSessions/10] {
			if old := all.byID[id]; old != nil {
				all.drop(old)
			}
		}
		all.ids = append([]string(nil), all.ids[keptSessions/10:]...)
	}
	all.ids = append(all.ids, s.id)
	all.byID[s.id] = s
	if s.user != nil {
		all.of[s.user]++
	}
}

func (all *sessions) drop(s *session) {
	if all.byID[s.id] == nil {
		return
	}
	delete(all.byID, s.id)
	if s.user == nil {
		return
	}
	if all.of[s.user]--; all.of[s.user] == 0 {
		delete(all.of, s.user)
	}
}

// empty reports whether there is nothing to remember.
func (s *session) empty() bool {
	return s.user == nil && s.plan == nil && s.history == nil && s.query == nil
}

// hex returns the next identifier of a kind without hyphens.
func (st *store) hex(kind string) string { return strings.ReplaceAll(st.id(kind).String(), "-", "") }

// session returns the session of a request, or nil if there is none that is
// valid. A session whose user has a new password since is not.
func (st *store) session(r *http.Request) *session {
	cookie, err := r.Cookie(sessionCookie)
	if err != nil {
		return nil
	}
	s := st.running.sessions.byID[sessionID(cookie.Value)]
	switch {
	case s == nil:
		return nil
	case !s.expires.IsZero() && !time.Now().Before(s.expires),
		s.user != nil && (!s.user.active || s.user.passwords != s.passwords):
		st.running.sessions.drop(s)
		return nil
	}
	return s
}

// The value of the session cookie is a JSON web token, which names the session
// and the user.
var tokenHeader = encode(`{"alg":"HS256","typ":"JWT"}`)

func encode(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// signed returns a JSON web token.
func signed(claims object) string {
	text := tokenHeader + "." + encode(string(appendJSON(nil, claims)))
	return text + "." + signature(text)
}

func signature(text string) string {
	mac := hmac.New(sha256.New, []byte("authentiktest: the key of no real server"))
	mac.Write([]byte(text))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// claims decodes the claims of a token that this package has signed.
func claims(token string, into any) bool {
	dot := strings.LastIndexByte(token, '.')
	if dot < 0 || !hmac.Equal([]byte(signature(token[:dot])), []byte(token[dot+1:])) {
		return false
	}
	_, payload, _ := strings.Cut(token[:dot], ".")
	text, err := base64.RawURLEncoding.DecodeString(payload)
	return err == nil && json.Unmarshal(text, into) == nil
}

// sessionID returns the identifier in the value of a session cookie, or "".
func sessionID(value string) string {
	var token struct {
		SID string `json:"sid"`
	}
	if !claims(value, &token) {
		return ""
	}
	return token.SID
}

// cookieFor returns the Set-Cookie of a session, for the user that the request
// turned out to be from.
func (q request) cookieFor(s *session, as *user) string {
	sub := "anonymous"
	if as != nil {
		sub = as.uid
	}
	value := signed(object{
		{"sid", s.id},
		{"iss", "authentik"},
		{"sub", sub},
		{"authenticated", as != nil},
		{"acr", "goauthentik.io/core/default"},
	})
	site := "SameSite=Lax"
	if q.secure() {
		site = "SameSite=None; Secure"
	}
	expires, age := "", ""
	if !s.expires.IsZero() {
		left := max(0, time.Until(s.expires)-1) // authentik has worked a moment since it set the time
		expires = "expires=" + s.expires.UTC().Format(http.TimeFormat) + "; "
		age = fmt.Sprintf("Max-Age=%d; ", int(left/time.Second))
	}
	return sessionCookie + "=" + value + "; " + expires + "HttpOnly; " + age + "Path=/; " + site
}

// cookie returns a Set-Cookie of a cookie that scripts may read.
func cookie(name, value string, age time.Duration) string {
	return fmt.Sprintf("%s=%s; expires=%s; Max-Age=%d; Path=/; SameSite=Lax", name, value,
		time.Now().Add(age).UTC().Format(http.TimeFormat), int(age/time.Second))
}

// remember sets a cookie that outlasts the session and names a user.
func (v *visit) remember(name string, u *user, lasts time.Duration) {
	value := signed(object{{"sub", u.uid}, {"exp", int(v.now.Add(lasts).Unix())}})
	v.cookies = append(v.cookies, cookie(name, value, lasts))
}

// remembered reports whether the browser has such a cookie of a user.
func (v *visit) remembered(name string, u *user) bool {
	sent, err := v.Cookie(name)
	var token struct {
		Sub string `json:"sub"`
		Exp int64  `json:"exp"`
	}
	return err == nil && claims(sent.Value, &token) && token.Sub == u.uid && v.now.Unix() < token.Exp
}

// removedSession is the Set-Cookie that ends a session.
const removedSession = sessionCookie + `=""; expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/; SameSite=Lax`

// secure reports whether the browser used https.
func (q request) secure() bool {
	return q.TLS != nil || q.URL.Scheme == "https" || q.Header.Get("X-Forwarded-Proto") == "https"
}

// origin returns the scheme and host that the browser used.
func (q request) origin() string {
	scheme := "http://"
	if q.secure() {
		scheme = "https://"
	}
	if q.Host != "" {
		return scheme + q.Host
	}
	return scheme + q.URL.Host
}

// forged returns why a request with a session is not accepted, or "". It may
// come from the page of another site.
func (q request) forged() string {
	if origin := q.Header.Get("Origin"); origin != "" {
		if origin != q.origin() {
			return "Origin checking failed - " + origin + " does not match any trusted origins."
		}
	} else if q.secure() {
		if reason := q.foreignReferer(); reason != "" {
			return "Referer checking failed - " + reason
		}
	}
	cookie, err := q.Cookie(csrfCookie)
	if err != nil {
		return "CSRF cookie not set."
	}
	if reason := malformed(cookie.Value); reason != "" {
		return "CSRF cookie " + reason
	}
	sent := q.Header.Values(csrfHeader)
	if len(sent) == 0 {
		return "CSRF token missing."
	}
	reason := malformed(sent[0])
	if reason == "" && sent[0] != cookie.Value {
		reason = "incorrect."
	}
	if reason != "" {
		reason = "CSRF token from the '" + csrfHeader + "' HTTP header " + reason
	}
	return reason
}

// malformed returns why a text is no token against forgery, or "".
func malformed(token string) string {
	switch {
	case len(token) != csrfLength && len(token) != 2*csrfLength:
		return "has incorrect length."
	case strings.ContainsFunc(token, func(r rune) bool { return !strings.ContainsRune(csrfLetters, r) }):
		return "has invalid characters."
	}
	return ""
}

const (
	csrfLength  = 32
	csrfLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
)

// foreignReferer returns the error of the Referer of a request over
// https, or "".
func (q request) foreignReferer() string {
	text := q.Header.Get("Referer")
	referer, err := url.Parse(text)
	switch {
	case text == "":
		return "no Referer."
	case err != nil || referer.Scheme == "" || referer.Host == "":
		return "Referer is malformed."
	case referer.Scheme != "https":
		return "Referer is insecure while host is secure."
	case referer.Scheme+"://"+referer.Host != q.origin():
		return text + " does not match any trusted origins."
	}
	return ""
}
