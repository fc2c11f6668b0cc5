package authentiktest

import (
	"encoding/json"
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
	uses     []*otherUse
	settings map[uuid.UUID]object // of a stage: the fields that only its model has
	users    map[string]*user     // by token
	people   []*user
	admin    json.RawMessage // the superuser in core/users/me
	types    json.RawMessage // what stages/all/types returns
	ids      map[string]int  // how many of each kind were made
	given    map[uuid.UUID]bool
	running  running // what flows need (engine.go)

	flowsBySlug map[string]*authentik.Flow
	flowsByPK   map[uuid.UUID]*authentik.Flow
}

type user struct {
	pk                    int
	username, name, email string
	uid                   string
	password              string // "": none is right
	passwords             int    // how often it was changed
	active, superuser     bool
	permissions           []string
	attributes            map[string]any
	devices               []*device
	// groups, roles and systemPermissions are what core/users/me returns.
	groups, roles, systemPermissions json.RawMessage
}

func (u *user) may(permission string) bool { return slices.Contains(u.permissions, permission) }

func newStore(r rules, empty bool) *store {
	st := &store{
		rules: r, users: map[string]*user{}, ids: map[string]int{}, given: map[uuid.UUID]bool{},
		settings:    map[uuid.UUID]object{},
		flowsBySlug: map[string]*authentik.Flow{}, flowsByPK: map[uuid.UUID]*authentik.Flow{},
	}
	st.running = newRunning()
	from := seedOf(r)
	st.admin, st.types = from.User, from.Types
	if !empty {
		st.load(from)
		st.configure()
	}
	return st
}

// id returns the next identifier of a kind that no object has. An import or a
// test may have brought one along from another server.
func (st *store) id(kind string) uuid.UUID {
	for {
		st.ids[kind]++
		if id := newID(kind, st.ids[kind]); !st.given[id] {
			return id
		}
	}
}

func (st *store) newToken() string {
	return "authentiktest-" + strings.ReplaceAll(st.id("token").String(), "-", "")
}

// fallback sets a value that is empty.
func fallback[S ~string](value *S, otherwise string) {
	if *value == "" {
		*value = S(otherwise)
	}
}

func flowDefaults(f *authentik.Flow) {
	fallback(&f.Designation, designations[0].value)
	fallback(&f.PolicyEngineMode, string(authentik.PolicyEngineModeAny))
	fallback(&f.Layout, layouts[0].value)
	fallback(&f.DeniedAction, deniedActions[0].value)
	fallback(&f.Authentication, authentications[0].value)
}

func bindingDefaults(b *authentik.FlowStageBinding) {
	fallback(&b.PolicyEngineMode, string(authentik.PolicyEngineModeAny))
	fallback(&b.InvalidResponseAction, invalidResponseActions[0].value)
}
