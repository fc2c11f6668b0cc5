package authentiktest

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"github.com/seed-299d42e7/authentik-go"
)

// use is an object that refers to another one. Its action is what becomes of
// the object when the other one is deleted.
type use struct{ app, model, pk, name, action string }

// usedBy answers used_by with the objects that the user may view.
func (t table[T]) usedBy(uses func(*T) []use) func(request) reply {
	return func(q request) reply {
		if a, refused := q.refused(true); refused {
			return a
		}
		of, p := t.one(q)
		if p != nil {
			return q.problem(p)
		}
		shown := []object{}
		for _, u := range uses(of) {
			if !q.may(u.app+".view_"+u.model, uuid.Nil) {
				continue
			}
			if !t.since("2024.2") {
				u.action = strings.ToUpper(u.action)
			}
			shown = append(shown, object{
				{"app", u.app}, {"model_name", u.model}, {"pk", u.pk}, {"name", u.name}, {"action", u.action},
			})
		}
		return q.json(http.StatusOK, shown)
	}
}

const cascade, cascadeMany = "cascade", "cascade_many"

// flowUses returns what uses a flow.
func (st *store) flowUses(f *authentik.Flow) (uses []use) {
	brand := st.brandUses(f)
	if st.since("2023.10") { // its app comes first since tenants have become brands
		uses = append(uses, brand...)
	}
	uses = append(uses, st.linkUses(f.PK)...)
	for _, b := range st.bindingsOf(f) {
		uses = append(uses, st.bindingUse(b))
	}
	uses = append(uses, st.policyUses(f.PK)...)
	for _, stage := range st.stagesOf(f) {
		uses = append(uses, use{"authentik_flows", "stage", stage.PK.String(), "Stage " + stage.Name, cascadeMany})
	}
	if !st.since("2023.10") {
		uses = append(uses, brand...)
	}
	return uses
}

// stagesOf returns the stages of a flow, once for each binding. Since 2023.10
// they come in the order in which they were stored.
func (st *store) stagesOf(f *authentik.Flow) (all []*authentik.Stage) {
	if !st.since("2023.10") {
		for _, pk := range f.Stages {
			all = append(all, st.stage(pk))
		}
		return all
	}
	for _, stage := range st.stages {
		for _, pk := range f.Stages {
			if pk == stage.PK {
				all = append(all, stage)
			}
		}
	}
	return all
}

// brandUses returns the default brand, if it has the flow.
func (st *store) brandUses(f *authentik.Flow) []use {
	switch f.Slug {
	case "default-authentication-flow", "default-invalidation-flow", "default-user-settings-flow":
		pk := newID("brand", 1).String()
		if st.since("2023.10") {
			return []use{{"authentik_brands", "brand", pk, "Default brand", "set_null"}}
		}
		return []use{{"authentik_tenants", "tenant", pk, "Default tenant", "set_null"}}
	}
	return nil
}

// bindingUses returns what uses a binding.
func (st *store) bindingUses(b *authentik.FlowStageBinding) []use {
	return append(st.linkUses(b.PK), st.policyUses(b.PK)...)
}

// stageUses returns what uses a stage: each binding of it, and its flow.
func (st *store) stageUses(stage *authentik.Stage) (uses []use) {
	var bindings []use
	for _, b := range st.bindings {
		if b.Stage == stage.PK {
			uses = append(uses, use{
				"authentik_flows", "flow", b.Target.String(), flowName(st.flowByPK(b.Target)), cascadeMany,
			})
			bindings = append(bindings, st.bindingUse(b))
		}
	}
	return append(uses, bindings...)
}

func (st *store) bindingUse(b *authentik.FlowStageBinding) use {
	return use{"authentik_flows", "flowstagebinding", b.PK.String(), st.bindingName(b), cascade}
}

// linkUses returns the policy bindings of a flow or a binding.
func (st *store) linkUses(target uuid.UUID) (uses []use) {
	if !st.since("2025.10") {
		return nil
	}
	for _, link := range st.policyBindingsOf(target) {
		uses = append(uses, use{"authentik_policies", "policybinding", link.pk.String(), st.linkName(link), cascade})
	}
	return uses
}

// policyUses returns the policies of a flow or a binding.
func (st *store) policyUses(target uuid.UUID) (uses []use) {
	for _, link := range st.policyBindingsOf(target) {
		uses = append(uses, use{
			"authentik_policies", "policy", link.policy.String(), st.thing(link.policy).name(), cascadeMany,
		})
	}
	return uses
}

func flowName(f *authentik.Flow) string { return fmt.Sprintf("Flow %s (%s)", f.Name, f.Slug) }

func (st *store) bindingName(b *authentik.FlowStageBinding) string {
	target := b.Target.String()
	if !st.since("2022.12") {
		target = flowName(st.flowByPK(b.Target))
	}
	return fmt.Sprintf("Flow-stage binding #%d to %s", b.Order, target)
}

func (st *store) linkName(link *policyBinding) string {
	var target string
	if flow := st.flowByPK(link.target); flow != nil {
		target = flowName(flow)
	} else {
		target = st.bindingName(st.binding(link.target))
	}
	return fmt.Sprintf("Binding from %s #%d to Policy %s", target, link.order, st.thing(link.policy).name())
}
