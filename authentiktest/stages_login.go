package authentiktest

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/seed-299d42e7/authentik-go"
)

// IdentificationStage requests the name of the user.
type IdentificationStage struct {
	Name string
	// UserFields are the attributes by which the stage finds a user: username,
	// email. The default is both.
	UserFields []string
	// WithPassword requests the password, too.
	WithPassword bool
	// RevealUnknown refuses a user that does not exist. The default is to go on
	// as if the user existed.
	RevealUnknown bool
	// HideMatchedUser shows what was entered, and not the name of the user.
	HideMatchedUser bool
}

func (s IdentificationStage) stage() (string, stageKind) {
	return s.Name, stageKind{
		model: "identification", component: "ak-stage-identification",
		members: s.members,
		inputs: func(v *visit) []input {
			// Since 2025.12 a passkey can be in the place of the name.
			optional := v.st.since("2025.12")
			return []input{
				{key: "uid_field", kind: textInput, optional: optional, null: optional, blank: optional},
				{key: "password", kind: textInput, optional: true, null: true, blank: true, untrimmed: true},
			}
		},
		check:  s.check,
		accept: accepted,
	}
}

func (s IdentificationStage) fields() []string {
	if s.UserFields == nil {
		return []string{"username", "email"}
	}
	return s.UserFields
}

func (s IdentificationStage) members(v *visit) (object, error) {
	action := "Continue"
	if v.flow.Designation == authentik.FlowDesignationAuthentication {
		action = "Log in"
	}
	o := object{}
	for _, f := range []struct {
		since, key string
		value      any
	}{
		{"", "user_fields", s.fields()},
		{"2026.2", "pending_user_identifier", nil},
		{"", "password_fields", s.WithPassword},
		{"2024.6", "allow_show_password", false},
		{"2024.2", "flow_designation", string(v.flow.Designation)},
		{"2024.10", "captcha_stage", nil},
		{"", "primary_action", action},
		{"", "sources", []object{}},
		{"2021.10", "show_source_labels", false},
		{"2025.4", "enable_remember_me", false},
		{"2025.12", "passkey_challenge", nil},
	} {
		if f.since == "" || v.st.since(f.since) {
			o = append(o, member{f.key, f.value})
		}
	}
	return o, nil
}

const notAuthenticated = "Failed to authenticate."

func (s IdentificationStage) check(v *visit, in answers, p *problems) {
	entered := in.text("uid_field")
	if entered == "" {
		p.add(noField, "No identification data provided.", "invalid")
		return
	}
	if s.HideMatchedUser {
		v.plan.identifier = entered
	}
	found := v.st.find(s.fields(), entered)
	if found == nil {
		v.plan.setUser(&user{username: entered, email: entered})
		v.st.score(entered, -1)
		if s.RevealUnknown || s.WithPassword {
			p.add(noField, notAuthenticated, "invalid")
		}
		return
	}
	if s.WithPassword && !v.authenticate(found, in.text("password")) {
		p.add(noField, notAuthenticated, "invalid")
		return
	}
	v.plan.setUser(found)
}

// find returns the user with that username or e-mail address, in any case, or
// nil.
func (st *store) find(fields []string, entered string) *user {
	i := slices.IndexFunc(st.people, func(u *user) bool {
		return slices.Contains(fields, "username") && strings.EqualFold(u.username, entered) ||
			slices.Contains(fields, "email") && u.email != "" && strings.EqualFold(u.email, entered)
	})
	if i < 0 {
		return nil
	}
	return st.people[i]
}

// authenticate compares a password, and remembers how the user proved to be
// the user.
func (v *visit) authenticate(u *user, password string) bool {
	if u.pk == 0 || !u.active || u.password == "" || u.password != password {
		v.st.score(u.username, -1)
		return false
	}
	args := object{}
	if v.st.since("2025.10") {
		args = object{{"known_device", v.knownDevice(u)}}
	}
	v.plan.set("auth_method", "password")
	v.plan.set("auth_method_args", args)
	return true
}

// knownDevice reports whether the user has a session already, or has logged in
// with this browser before.
func (v *visit) knownDevice(u *user) bool {
	return v.st.running.sessions.of[u] > 0 || v.remembered(deviceCookie, u)
}

// score counts a login for the reputation of a user.
func (st *store) score(username string, change int) {
	st.running.scores[username] = min(max(st.running.scores[username]+change, -5), 5)
}

// PasswordStage requests the password of the user.
type PasswordStage struct {
	Name string
	// Attempts is the number of wrong passwords after which access is denied.
	// The default is 5.
	Attempts int
}

func (s PasswordStage) stage() (string, stageKind) {
	return s.Name, stageKind{
		model: "password", component: "ak-stage-password", user: true,
		enter: func(v *visit) *reply {
			v.noteScore()
			return nil
		},
		members: func(v *visit) (object, error) {
			o := object{}
			if to := v.recoveryURL(); to != "" {
				o = append(o, member{"recovery_url", to})
			}
			if v.st.since("2024.6") {
				o = append(o, member{"allow_show_password", false})
			}
			return o, nil
		},
		inputs: func(*visit) []input {
			return []input{{key: "password", kind: textInput, untrimmed: true}}
		},
		check: func(v *visit, in answers, p *problems) {
			if u := v.plan.user; u != nil && !v.authenticate(u, in.text("password")) {
				p.add("password", wrongPassword, "invalid")
			}
		},
		refuse: func(v *visit) *reply {
			switch {
			case !v.outOfTries(orDefault(s.Attempts, 5)):
				return nil
			case !v.st.since("2024.10"):
				return new(v.deny(""))
			}
			return new(v.deny(wrongPassword))
		},
		accept: func(v *visit, _ answers) reply {
			if v.plan.user == nil {
				return v.deny("")
			}
			v.plan.set("user_backend", "authentik.core.auth.InbuiltBackend")
			return v.ok()
		},
	}
}

const (
	wrongPassword = "Invalid password"
	initialScore  = "goauthentik.io/stages/password/initial_score"
)

// noteScore notes the reputation of the user before the first password.
func (v *visit) noteScore() {
	if v.st.since("2026.2") && v.plan.user != nil && !v.plan.has(initialScore) {
		v.plan.set(initialScore, v.st.running.scores[v.plan.user.username])
	}
}

// outOfTries counts a response that is refused, and reports whether it was one
// too many. The session counts, whatever its flows. Since 2026.2 the reputation
// of the user does, which wrong passwords lower as far as its limit.
func (v *visit) outOfTries(attempts int) bool {
	if v.st.since("2026.2") {
		v.noteScore()
		before, noted := v.plan.value(initialScore).(int)
		return noted && before-v.st.running.scores[v.plan.user.username] >= attempts
	}
	if !v.st.since("2023.10") {
		attempts++
	}
	v.session.tries++
	if v.session.tries < attempts {
		return false
	}
	v.session.tries = 0
	return true
}

// recoveryURL returns the address of a flow for recovery, or "". Since 2025.10
// only the brand's recovery flow counts, and a fresh install has none.
func (v *visit) recoveryURL() string {
	if v.st.since("2025.10") {
		return ""
	}
	i := slices.IndexFunc(v.st.flows, func(f *authentik.Flow) bool {
		return f.Designation == authentik.FlowDesignationRecovery
	})
	if i < 0 {
		return ""
	}
	return v.origin() + "/if/flow/" + v.st.flows[i].Slug + "/"
}

// UserLoginStage logs the user of the flow in.
type UserLoginStage struct {
	Name string
	// Duration is how long the session lasts. The default is until the browser
	// is closed.
	Duration time.Duration
	// RememberMe is how much longer the session lasts for a user who chooses to
	// stay logged in. The default shows no challenge with that choice.
	RememberMe time.Duration
	// RememberDevice is how long authentik knows the browser again, since
	// 2025.10 and without RememberMe. The default is 30 days, and a negative
	// value is not at all.
	RememberDevice time.Duration
}

func (s UserLoginStage) stage() (string, stageKind) {
	behavior := stageKind{model: "user_login", enter: func(v *visit) *reply { return new(s.logIn(v, s.Duration)) }}
	if s.RememberMe > 0 {
		behavior = stageKind{
			model: "user_login", since: "2023.3", component: "ak-stage-user-login", user: true,
			inputs: func(*visit) []input { return []input{{key: "remember_me", kind: booleanInput}} },
			accept: func(v *visit, in answers) reply {
				if in["remember_me"] == true {
					return s.logIn(v, s.Duration+s.RememberMe)
				}
				return s.logIn(v, s.Duration)
			},
		}
	}
	return s.Name, behavior
}

func (s UserLoginStage) logIn(v *visit, lasts time.Duration) reply {
	u := v.plan.user
	switch {
	case u == nil:
		return v.deny("No Pending user to login.")
	case u.pk == 0 || !u.active:
		return v.deny("")
	}
	v.logIn(u)
	v.session.expires = time.Time{}
	if lasts > 0 {
		v.session.expires = v.now.Add(lasts)
	}
	v.st.score(u.username, 1)
	if known := cmp.Or(s.RememberDevice, 30*24*time.Hour); v.st.since("2025.10") && known > 0 && s.RememberMe == 0 {
		v.remember(deviceCookie, u, known)
	}
	return v.ok()
}

// UserLogoutStage logs the user of the session out.
type UserLogoutStage struct{ Name string }

func (s UserLogoutStage) stage() (string, stageKind) {
	return s.Name, stageKind{model: "user_logout", enter: func(v *visit) *reply {
		v.logOut()
		return new(v.ok())
	}}
}
