package authentiktest

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/seed-299d42e7/authentik-go"
)

// seedFile is what fresh installs ship, taken from the recorded answers of
// seven real servers by the test TestSeed, which also checks it: run it with
// -update to write it anew. Left out is what follows from the rest and what is
// a default. Objects stand in the order in which that server stored them: a
// list ordered by what all flows have in common shows it.
//
//go:embed seed.json
var seedFile []byte

// seed is what a fresh install of one version ships. These are the models
// without their methods, so that a key may be missing.
type seed struct {
	Version  string            `json:"version"`
	User     json.RawMessage   `json:"user"` // akadmin, as core/users/me tells
	Stages   []json.RawMessage `json:"stages"`
	Flows    []json.RawMessage `json:"flows"`
	Bindings []json.RawMessage `json:"bindings"`
}

var seeds = sync.OnceValue(func() (all []seed) {
	if err := json.Unmarshal(seedFile, &all); err != nil {
		panic(err) // our own file
	}
	return all
})

// load fills an empty store with what the newest server ships that was
// recorded and is not newer than this one.
func (st *store) load() {
	from := seeds()[0]
	for _, seed := range seeds() {
		if st.since(seed.Version) {
			from = seed
		}
	}
	type (
		stage   authentik.Stage
		flow    authentik.Flow
		binding authentik.FlowStageBinding
	)
	st.admin = from.User
	for _, raw := range from.Stages {
		v := seeded[stage](raw)
		st.stages = append(st.stages, (*authentik.Stage)(v))
	}
	for _, raw := range from.Flows {
		v := (*authentik.Flow)(seeded[flow](raw))
		flowDefaults(v)
		st.flows = append(st.flows, v)
	}
	for _, raw := range from.Bindings {
		v := (*authentik.FlowStageBinding)(seeded[binding](raw))
		bindingDefaults(v)
		st.bindings = append(st.bindings, v)
	}
}

func seeded[T any](raw json.RawMessage) *T {
	v := new(T)
	if err := json.Unmarshal(raw, v); err != nil {
		panic(fmt.Errorf("%w: %s", err, raw)) // our own file
	}
	return v
}
