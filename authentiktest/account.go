package authentiktest

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// The superuser of a fresh install, to whom [Server.Token] belongs.
const (
	AdminUsername = "akadmin"
	AdminPassword = "akadmin-password"
)

// Account is a user who can log in. [Server.AddAccount] adds one.
type Account struct {
	PK       int
	Username string
	Name     string
	Email    string
	// Password is what the user logs in with. Without a Password, every
	// password is wrong.
	Password  string
	Superuser bool
	// Inactive users cannot log in.
	Inactive bool
	// Permissions are permissions as [Server.AddUser] describes.
	Permissions []string
	// Groups and Roles are the names of groups and, since authentik 2025.12,
	// roles, which core/users/me returns.
	Groups []string
	Roles  []string
	// Token is a token of the user, which [Server.AddAccount] generates.
	Token string
}

// AddAccount adds a user and returns the stored user with a token. Fields that
// are zero get a value: PK and Username are generated, Name is the Username,
// and Email is the Username at example.com. A username that exists already and
// an unknown permission are misuse.
func (s *Server) AddAccount(account Account) Account {
	s.t.Helper()
	s.edit(func(st *store) error {
		if err := checkPermissions("AddAccount", account.Permissions); err != nil {
			return err
		}
		u := st.newUser()
		setIf(&u.username, account.Username)
		setIf(&u.name, account.Name, account.Username)
		setIf(&u.email, account.Email, u.username+"@example.com")
		if st.person(u.username) != nil {
			return fmt.Errorf("AddAccount: a user with the username %q exists already", u.username)
		}
		if account.PK != 0 {
			u.pk = account.PK
		}
		u.password, u.active, u.superuser = account.Password, !account.Inactive, account.Superuser
		u.permissions = slices.Clone(account.Permissions)
		u.groups, u.roles = st.named(account.Groups), st.named(account.Roles)
		account.Token = st.addUser(u)
		account.PK, account.Username, account.Name, account.Email = u.pk, u.username, u.name, u.email
		return nil
	})
	return account
}

// setIf sets a text to the first of the values that is not empty.
func setIf(text *string, values ...string) {
	for _, value := range values {
		if value != "" {
			*text = value
			return
		}
	}
}

// Device is a second factor of a user. A device with Codes is a static device,
// any other is a TOTP device.
type Device struct {
	// Secret is the key of a TOTP device in base 32.
	Secret string
	// Codes are the codes of a static device. Each is accepted once.
	Codes []string
}

// AddDevice adds a device to the user with that name and returns the stored
// device. Without Codes it is a TOTP device; a Secret that is empty is
// generated. [Device.Code] returns its codes. An unknown user and a Secret that
// is not base 32 are misuse.
func (s *Server) AddDevice(username string, device Device) Device {
	s.t.Helper()
	s.edit(func(st *store) error {
		u := st.person(username)
		if u == nil {
			return fmt.Errorf("AddDevice: no user has the username %q", username)
		}
		d := st.newDevice("totp")
		if len(device.Codes) > 0 {
			d.class, d.codes = "static", slices.Clone(device.Codes)
		}
		if device.Secret != "" {
			key, err := base32.StdEncoding.DecodeString(strings.ToUpper(device.Secret))
			if err != nil || len(key) == 0 {
				return errors.New("AddDevice: the secret is not base 32")
			}
			d.key = key
		}
		if device.Codes == nil {
			device.Secret = base32.StdEncoding.EncodeToString(d.key)
		}
		st.confirm(u, d)
		return nil
	})
	return device
}

// DeleteDevices deletes the devices of the user with that name. An unknown
// user is misuse.
func (s *Server) DeleteDevices(username string) {
	s.t.Helper()
	s.edit(func(st *store) error {
		u := st.person(username)
		if u == nil {
			return fmt.Errorf("DeleteDevices: no user has the username %q", username)
		}
		u.devices = nil
		return nil
	})
}

// Code returns the code that a TOTP device shows at a time, or the first code
// of a static device. Authentik accepts a code once, and the codes before and
// after the current one, too. Code returns "" for a secret that is not base 32.
func (d Device) Code(at time.Time) string {
	if len(d.Codes) > 0 {
		return d.Codes[0]
	}
	key, err := base32.StdEncoding.DecodeString(strings.ToUpper(d.Secret))
	if err != nil || len(key) == 0 {
		return ""
	}
	return fmt.Sprintf("%06d", totp(key, totpStep(at)))
}

// newUser returns a user with generated names, who is not stored yet.
func (st *store) newUser() *user {
	n := st.ids["token"] + 1
	name := fmt.Sprintf("user-%d", n)
	uid := sha256.Sum256(fmt.Appendf(nil, "authentiktest:uid:%d", n))
	return &user{
		pk: 100 + n, username: name, name: name, email: name + "@example.com",
		uid: hex.EncodeToString(uid[:]), active: true,
	}
}

// addUser stores a user and returns a token.
func (st *store) addUser(u *user) (token string) {
	if st.person(u.username) == nil {
		st.people = append(st.people, u)
	}
	token = st.newToken()
	st.users[token] = u
	return token
}

// addAdmin stores the superuser of a fresh install.
func (st *store) addAdmin() (token string) {
	var seeded struct {
		PK                int             `json:"pk"`
		Username          string          `json:"username"`
		Name              string          `json:"name"`
		Email             string          `json:"email"`
		UID               string          `json:"uid"`
		Groups            json.RawMessage `json:"groups"`
		Roles             json.RawMessage `json:"roles"`
		SystemPermissions json.RawMessage `json:"system_permissions"`
	}
	if err := json.Unmarshal(st.admin, &seeded); err != nil {
		panic(err) // our own file
	}
	return st.addUser(&user{
		pk: seeded.PK, username: seeded.Username, name: seeded.Name, email: seeded.Email,
		uid: seeded.UID, password: AdminPassword, active: true, superuser: true,
		groups: seeded.Groups, roles: seeded.Roles, systemPermissions: seeded.SystemPermissions,
	})
}

// person returns the user with that name, or nil.
func (st *store) person(username string) *user {
	i := slices.IndexFunc(st.people, func(u *user) bool { return u.username == username })
	if i < 0 {
		return nil
	}
	return st.people[i]
}

// named returns groups or roles with those names, as core/users/me has them.
func (st *store) named(names []string) json.RawMessage {
	all := []object{}
	for _, name := range names {
		all = append(all, object{{"name", name}, {"pk", newID("group:"+name, 0)}})
	}
	return appendJSON(nil, all)
}

// me returns a user as core/users/me does: the keys of the superuser, who was
// recorded for each release.
func (st *store) me(u *user) object {
	var admin map[string]json.RawMessage
	if err := json.Unmarshal(st.admin, &admin); err != nil {
		panic(err) // our own file
	}
	settings, _ := u.attributes["settings"].(map[string]any)
	me := object{}
	for _, m := range (object{
		{"pk", u.pk},
		{"username", u.username},
		{"name", u.name},
		{"is_active", u.active},
		{"is_superuser", u.superuser},
		{"groups", orEmpty(u.groups)},
		{"roles", orEmpty(u.roles)},
		{"email", u.email},
		{"avatar", st.avatar(u)},
		{"uid", u.uid},
		{"settings", plainJSON(settings)},
		{"type", "internal"},
		{"system_permissions", orEmpty(u.systemPermissions)},
	}) {
		if admin[m.key] != nil {
			me = append(me, m)
		}
	}
	return me
}

func orEmpty(list json.RawMessage) json.RawMessage {
	if list == nil {
		return json.RawMessage("[]")
	}
	return list
}

// plainJSON returns the JSON of values that came from JSON.
func plainJSON(values map[string]any) json.RawMessage {
	if values == nil {
		return json.RawMessage("{}")
	}
	text, err := json.Marshal(values)
	if err != nil {
		panic(err) // they came from JSON
	}
	return text
}
