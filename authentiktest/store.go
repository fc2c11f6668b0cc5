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
	users    map[string]*user // by token
	admin    json.RawMessage  // the superuser in core/users/me
	ids      map[string]int   // how many of each kind were made
}

type user struct {
	superuser   bool
	permissions []string
	me          json.RawMessage // the user in core/users/me
}

func (u *user) may(permission string) bool { return slices.Contains(u.permissions, permission) }

func newStore(r rules, empty bool) *store {
	st := &store{rules: r, users: map[string]*user{}, ids: map[string]int{}}
	st.load()
	if empty {
		st.stages, st.flows, st.bindings = nil, nil, nil
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

func (st *store) stage(pk uuid.UUID) *authentik.Stage {
	for _, s := range st.stages {
		if s.PK == pk {
			return s
		}
	}
	return nil
}

func (st *store) flowByPK(pk uuid.UUID) *authentik.Flow {
	for _, f := range st.flows {
		if f.PK == pk {
			return f
		}
	}
	return nil
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
