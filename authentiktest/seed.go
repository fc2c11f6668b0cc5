package authentiktest

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/seed-299d42e7/authentik-go"
)

// seedFile has the objects of fresh installs, from the recorded responses of
// seven real servers. The test TestSeed checks the file, and writes it when run
// with -update. Values that follow from others are left out, and so are
// defaults. The objects are in the order in which the server had stored them,
// which a list shows that is ordered by a key that all flows have in common.
//
//go:embed seed.json
var seedFile []byte

// seed has the objects of a fresh install of one version.
type seed struct {
	Version  string            `json:"version"`
	User     json.RawMessage   `json:"user"` // akadmin in core/users/me
	Stages   []json.RawMessage `json:"stages"`
	Flows    []json.RawMessage `json:"flows"`
	Bindings []json.RawMessage `json:"bindings"`
	// Entries are objects of other models and the settings of stages, as far
	// as a recorded export or diagram shows them.
	Entries []json.RawMessage `json:"entries"`
	Types   json.RawMessage   `json:"types"` // what stages/all/types returns
}

var seeds = sync.OnceValue(func() (all []seed) {
	if err := json.Unmarshal(seedFile, &all); err != nil {
		panic(err) // our own file
	}
	return all
})

// seedOf returns the newest recorded server that is not newer than the release.
func seedOf(r rules) seed {
	from := seeds()[0]
	for _, seed := range seeds() {
		if r.since(seed.Version) {
			from = seed
		}
	}
	return from
}

// load fills an empty store.
func (st *store) load(from seed) {
	type (
		stage   authentik.Stage
		flow    authentik.Flow
		binding authentik.FlowStageBinding
	)
	for _, raw := range from.Stages {
		v := seeded[stage](raw)
		st.stages = append(st.stages, (*authentik.Stage)(v))
	}
	for _, raw := range from.Flows {
		v := (*authentik.Flow)(seeded[flow](raw))
		flowDefaults(v)
		st.insertFlow(v)
	}
	for _, raw := range from.Bindings {
		v := (*authentik.FlowStageBinding)(seeded[binding](raw))
		bindingDefaults(v)
		st.bindings = append(st.bindings, v)
	}
	for _, raw := range from.Entries {
		st.loadEntry(raw)
	}
}

func seeded[T any](raw json.RawMessage) *T {
	v := new(T)
	if err := json.Unmarshal(raw, v); err != nil {
		panic(fmt.Errorf("%w: %s", err, raw)) // our own file
	}
	return v
}
