package authentiktest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/seed-299d42e7/authentik-go"
)

// store is the database. Its objects are in the order in which they were
// stored.
type store struct {
	rules
	stages   []*authentik.Stage
	flows    []*authentik.Flow
	bindings []*authentik.FlowStageBinding
	things   []*thing // policies and prompts
	links    []*policyBinding
	settings map[uuid.UUID]object // of a stage: the fields that only its model has
	users    map[string]*user     // by token
	admin    json.RawMessage      // the superuser in core/users/me
	types    json.RawMessage      // what stages/all/types returns
	ids      map[string]int       // how many of each kind were made

	flowsBySlug map[string]*authentik.Flow
	flowsByPK   map[uuid.UUID]*authentik.Flow
}

type user struct {
	superuser   bool
	permissions []string
	me          json.RawMessage // the user in core/users/me
}

func (u *user) may(permission string) bool { return slices.Contains(u.permissions, permission) }

func newStore(r rules, empty bool) *store {
	st := &store{
		rules: r, users: map[string]*user{}, ids: map[string]int{}, settings: map[uuid.UUID]object{},
		flowsBySlug: map[string]*authentik.Flow{}, flowsByPK: map[uuid.UUID]*authentik.Flow{},
	}
	from := seedOf(r)
	st.admin, st.types = from.User, from.Types
	if !empty {
		st.load(from)
	}
	return st
}

// id returns the next identifier of a kind.
func (st *store) id(kind string) uuid.UUID {
	st.ids[kind]++
	return newID(kind, st.ids[kind])
}

func (st *store) addUser(superuser bool, permissions []string) (token string) {
	u := &user{superuser: superuser, permissions: permissions, me: st.admin}
	if !superuser {
		u.me = st.plain()
	}
	token = st.newToken()
	st.users[token] = u
	return token
}

func (st *store) newToken() string {
	return "authentiktest-" + strings.ReplaceAll(st.id("token").String(), "-", "")
}

// plain returns what core/users/me returns of a user who is no superuser: the
// keys of the superuser with other values.
func (st *store) plain() json.RawMessage {
	var admin map[string]json.RawMessage
	if err := json.Unmarshal(st.admin, &admin); err != nil {
		panic(err) // our own file
	}
	n := st.ids["token"] + 1
	name := fmt.Sprintf("user-%d", n)
	me := object{}
	for _, m := range (object{
		{"pk", 100 + n},
		{"username", name},
		{"name", name},
		{"is_active", true},
		{"is_superuser", false},
		{"groups", []object{}},
		{"roles", []object{}},
		{"email", name + "@example.com"},
		{"avatar", admin["avatar"]},
		{"uid", newID("uid", n).String()},
		{"settings", object{}},
		{"type", "internal"},
		{"system_permissions", []string{}},
	}) {
		if admin[m.key] != nil {
			me = append(me, m)
		}
	}
	return appendJSON(nil, me)
}

// fallback sets a value that is empty.
func fallback[S ~string](value *S, otherwise string) {
	if *value == "" {
		*value = S(otherwise)
	}
}

func flowDefaults(f *authentik.Flow) {
	fallback(&f.Designation, designations[0].value)
	fallback(&f.PolicyEngineMode, policyEngineModes[0].value)
	fallback(&f.Layout, layouts[0].value)
	fallback(&f.DeniedAction, deniedActions[0].value)
	fallback(&f.Authentication, authentications[0].value)
}

func bindingDefaults(b *authentik.FlowStageBinding) {
	fallback(&b.PolicyEngineMode, policyEngineModes[0].value)
	fallback(&b.InvalidResponseAction, invalidResponseActions[0].value)
}
