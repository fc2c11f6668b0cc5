package authentiktest

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/seed-299d42e7/authentik-go"
)

// use is an object that refers to another one. Its action is what becomes of
// the object when the other one is deleted.
type use struct{ app, model, pk, name, action string }

// usedBy responds to used_by with the objects that the user may view.
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

// otherUse is what uses an object, and is of a model that the fake does not
// have.
type otherUse struct {
	of uuid.UUID
	use
}

// AddUse adds an object of another kind, such as a provider or a brand, that
// uses the flow, stage or binding with that identifier, and returns the stored
// use. Fields that are zero get a value: App is authentik_core, ModelName is
// provider, PK and Name are generated, and Action is cascade. An object whose
// Action is cascade is deleted with what the object uses. An identifier that is
// unknown is misuse.
func (s *Server) AddUse(of uuid.UUID, by authentik.UsedBy) authentik.UsedBy {
	s.t.Helper()
	s.edit(func(st *store) error {
		if st.flowByPK(of) == nil && st.stage(of) == nil && st.binding(of) == nil {
			return fmt.Errorf("AddUse: no flow, stage or binding has the identifier %s", of)
		}
		st.ids["use"]++
		fallback(&by.App, "authentik_core")
		fallback(&by.ModelName, "provider")
		fallback(&by.PK, strconv.Itoa(st.ids["use"]))
		fallback(&by.Name, fmt.Sprintf("%s-%d", by.ModelName, st.ids["use"]))
		fallback(&by.Action, cascade)
		st.uses = append(st.uses, &otherUse{of, use{by.App, by.ModelName, by.PK, by.Name, string(by.Action)}})
		return nil
	})
	return by
}

// otherUses returns the objects of other models that use an object.
func (st *store) otherUses(of uuid.UUID) (uses []use) {
	for _, u := range st.uses {
		if u.of == of {
			uses = append(uses, u.use)
		}
	}
	return uses
}

// attribute returns the name by which Django's models refer to the uses of a
// model.
func (u use) attribute() string {
	switch u.model {
	case "policybinding":
		return "bindings"
	case "policy":
		return "policies"
	case "stage":
		return "stages"
	}
	return u.model
}

// inOrder sorts uses as authentik does.
func inOrder(uses []use) []use {
	slices.SortStableFunc(uses, func(a, b use) int { return strings.Compare(a.attribute(), b.attribute()) })
	return uses
}

// unuse removes the uses of an object that is deleted, and those of the objects
// that are deleted with it.
func (st *store) unuse(of uuid.UUID) {
	for _, u := range slices.Clone(st.uses) {
		if u.of == of && u.action == cascade {
			st.uses = slices.DeleteFunc(st.uses, func(other *otherUse) bool {
				return other.app == u.app && other.model == u.model && other.pk == u.pk
			})
		}
	}
	st.uses = slices.DeleteFunc(st.uses, func(u *otherUse) bool { return u.of == of })
}

// flowUses returns what uses a flow.
func (st *store) flowUses(f *authentik.Flow) []use {
	uses := slices.Concat(st.otherUses(f.PK), st.configureUses(f), st.linkUses(f.PK), st.policyUses(f.PK))
	for _, b := range st.bindingsOf(f) {
		uses = append(uses, st.bindingUse(b))
	}
	for _, stage := range st.stagesOf(f) {
		uses = append(uses, use{"authentik_flows", "stage", stage.PK.String(), "Stage " + stage.Name, cascadeMany})
	}
	return inOrder(uses)
}

// configureUses returns the stages that users set up with a flow.
func (st *store) configureUses(f *authentik.Flow) (uses []use) {
	for _, stage := range st.stages {
		kind := slices.IndexFunc(configurable, func(kind string) bool { return isConfigurable(stage, kind) })
		if kind < 0 || st.configureFlow(stage) != f {
			continue
		}
		name := stage.VerboseName
		switch configurable[kind] {
		case "authenticator_static":
			name = "Static Authenticator Stage"
		case "password":
			name = "Stage"
		}
		app, model, _ := strings.Cut(stage.MetaModelName, ".")
		uses = append(uses, use{app, model, stage.PK.String(), name + " " + stage.Name, "set_null"})
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

// defaultBrand returns the brand of a fresh install.
func (st *store) defaultBrand() use {
	pk := newID("brand", 1).String()
	if st.since("2023.10") {
		return use{"authentik_brands", "brand", pk, "Default brand", "set_null"}
	}
	return use{"authentik_tenants", "tenant", pk, "Default tenant", "set_null"}
}

// bindingUses returns what uses a binding.
func (st *store) bindingUses(b *authentik.FlowStageBinding) []use {
	return inOrder(slices.Concat(st.otherUses(b.PK), st.linkUses(b.PK), st.policyUses(b.PK)))
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
	return inOrder(slices.Concat(uses, bindings, st.otherUses(stage.PK)))
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
