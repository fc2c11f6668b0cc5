package plan_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/authentiktest"
	"github.com/seed-299d42e7/authentik-go/examples/internal/plan"
)

// Whatever order the stages of a flow have, and shall have, they get it without
// a moment in which one is missing, and bindings that can stay do.
func TestAnyOrderBecomesAnyOther(t *testing.T) {
	t.Parallel()
	srv := authentiktest.NewServer(t, authentiktest.Empty())
	client := srv.Client()
	t.Cleanup(client.Close)
	var names []string
	for range 4 {
		names = append(names, srv.AddStage(authentik.Stage{}).Name)
	}
	pks := map[string]uuid.UUID{}
	for _, s := range srv.Stages() {
		pks[s.Name] = s.PK
	}
	random := rand.New(rand.NewPCG(1, 2)) // the same each time
	list := func() (bindings []plan.Binding) {
		for range random.IntN(6) {
			bindings = append(bindings, plan.Binding{Stage: names[random.IntN(len(names))], Order: new(0)})
		}
		for i := range bindings {
			*bindings[i].Order = 10*i + random.IntN(10)
		}
		return append([]plan.Binding{}, bindings...)
	}
	for range 100 {
		have, want := list(), list()
		f := srv.AddFlow(authentik.Flow{})
		for _, b := range have {
			srv.AddBinding(authentik.FlowStageBinding{Target: f.PK, Stage: pks[b.Stage], Order: *b.Order})
		}
		before, kept := bound(srv, f.PK), 0
		wanted := &plan.File{Flows: []plan.Flow{{FlowRequest: authentik.FlowRequest{Slug: f.Slug}, Bindings: want}}}
		steps := planned(t, client, wanted)
		for _, s := range steps {
			require.NoError(t, s.Run(t.Context(), client), "%v → %v", have, want)
			now := count(bound(srv, f.PK))
			for stage, n := range count(before) {
				assert.GreaterOrEqual(t, now[stage], min(n, timesIn(want, stage, pks)), "%v → %v", have, want)
			}
		}
		after := bound(srv, f.PK)
		require.Len(t, after, len(want))
		slices.SortFunc(after, func(a, b authentik.FlowStageBinding) int { return a.Order - b.Order })
		for i, b := range after {
			assert.Equal(t, pks[want[i].Stage], b.Stage)
			assert.Equal(t, *want[i].Order, b.Order)
			if slices.ContainsFunc(before, func(old authentik.FlowStageBinding) bool { return old.PK == b.PK }) {
				kept++
			}
		}
		could := 0
		for stage, n := range count(before) {
			could += min(n, timesIn(want, stage, pks))
		}
		assert.Equal(t, could, kept, "policies are bound to bindings: %v → %v", have, want)
	}
}

func planned(t *testing.T, client *authentik.Client, wanted *plan.File) []plan.Step {
	t.Helper()
	server, err := plan.Look(t.Context(), client)
	require.NoError(t, err)
	steps, err := server.Steps(t.Context(), wanted)
	require.NoError(t, err)
	return steps
}

func bound(srv *authentiktest.Server, flow uuid.UUID) []authentik.FlowStageBinding {
	return slices.DeleteFunc(srv.Bindings(), func(b authentik.FlowStageBinding) bool { return b.Target != flow })
}

func count(bindings []authentik.FlowStageBinding) map[uuid.UUID]int {
	n := map[uuid.UUID]int{}
	for _, b := range bindings {
		n[b.Stage]++
	}
	return n
}

func timesIn(want []plan.Binding, stage uuid.UUID, pks map[string]uuid.UUID) (n int) {
	for _, b := range want {
		if pks[b.Stage] == stage {
			n++
		}
	}
	return n
}

// Of stages that move, none passes another one, not even for a moment: nobody
// is to log in before the password.
func TestStagesThatMoveDoNotPassEachOther(t *testing.T) {
	t.Parallel()
	for name, orders := range map[string][2][]int{ // of the same stages; 0 is not bound
		"later":   {{10, 20, 30}, {20, 30, 40}},
		"sooner":  {{20, 30, 40}, {10, 20, 30}},
		"between": {{10, 0, 20}, {10, 20, 30}},
	} {
		srv := authentiktest.NewServer(t, authentiktest.Empty())
		client := srv.Client()
		f := srv.AddFlow(authentik.Flow{})
		wanted := &plan.File{Flows: []plan.Flow{{FlowRequest: authentik.FlowRequest{Slug: f.Slug}}}}
		rank := map[uuid.UUID]int{}
		for i, order := range orders[0] {
			s := srv.AddStage(authentik.Stage{})
			rank[s.PK] = i
			if order != 0 {
				srv.AddBinding(authentik.FlowStageBinding{Target: f.PK, Stage: s.PK, Order: order})
			}
			wanted.Flows[0].Bindings = append(wanted.Flows[0].Bindings, plan.Binding{Stage: s.Name, Order: &orders[1][i]})
		}
		for _, s := range planned(t, client, wanted) {
			require.NoError(t, s.Run(t.Context(), client))
			now := bound(srv, f.PK)
			slices.SortFunc(now, func(a, b authentik.FlowStageBinding) int { return a.Order - b.Order })
			for i := range now[1:] {
				assert.Less(t, now[i].Order, now[i+1].Order, name)
				assert.Less(t, rank[now[i].Stage], rank[now[i+1].Stage], name)
			}
		}
		assert.Len(t, bound(srv, f.PK), 3, name)
		client.Close()
	}
}
