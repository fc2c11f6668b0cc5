package authentiktest

import (
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/seed-299d42e7/authentik-go"
)

// thing is an object of a model that has no table: a policy or a prompt.
type thing struct {
	model    string // such as authentik_policies_expression.expressionpolicy
	pk       uuid.UUID
	settings object
	run      Policy // of a policy that is a Go function
}

func (t *thing) name() string {
	name, _ := t.settings.get("name")
	text, _ := name.(string)
	return text
}

// policyBinding binds a policy to a flow or to a binding of a flow.
type policyBinding struct {
	pk, policy uuid.UUID
	target     uuid.UUID // of the flow or the binding
	order      int
	settings   object
}

func (st *store) flow(slug string) *authentik.Flow      { return st.flowsBySlug[slug] }
func (st *store) flowByPK(pk uuid.UUID) *authentik.Flow { return st.flowsByPK[pk] }

func (st *store) stage(pk uuid.UUID) *authentik.Stage {
	return find(st.stages, func(s *authentik.Stage) bool { return s.PK == pk })
}

func (st *store) binding(pk uuid.UUID) *authentik.FlowStageBinding {
	return find(st.bindings, func(b *authentik.FlowStageBinding) bool { return b.PK == pk })
}

func (st *store) thing(pk uuid.UUID) *thing {
	return find(st.things, func(t *thing) bool { return t.pk == pk })
}

// find returns the first object that is the one, or nil.
func find[T any](all []*T, is func(*T) bool) *T {
	if i := slices.IndexFunc(all, is); i >= 0 {
		return all[i]
	}
	return nil
}

// without removes an object.
func without[T any](all []*T, of *T) []*T {
	if i := slices.Index(all, of); i >= 0 {
		return slices.Delete(all, i, i+1)
	}
	return all
}

// last moves an object to the end, where PostgreSQL stores what was updated.
func last[T any](all []*T, of *T) []*T { return append(without(all, of), of) }

func (st *store) insertFlow(f *authentik.Flow) {
	st.identify("flow", &f.PK, &f.PolicyBindingModelPtrID)
	st.flows = append(st.flows, f)
	st.flowsBySlug[f.Slug], st.flowsByPK[f.PK] = f, f
}

// replaceFlow stores a flow in the place of another one.
func (st *store) replaceFlow(old, flow *authentik.Flow) {
	delete(st.flowsBySlug, old.Slug)
	delete(st.flowsByPK, old.PK)
	st.flows[slices.Index(st.flows, old)] = flow
	st.flowsBySlug[flow.Slug], st.flowsByPK[flow.PK] = flow, flow
}

// movedFlow stores a flow that was updated.
func (st *store) movedFlow(was, is *authentik.Flow) {
	delete(st.flowsBySlug, was.Slug)
	st.flowsBySlug[is.Slug] = is
	st.flows = last(st.flows, is)
}

// removeFlow removes a flow and its bindings.
func (st *store) removeFlow(f *authentik.Flow) {
	delete(st.flowsBySlug, f.Slug)
	delete(st.flowsByPK, f.PK)
	st.flows = without(st.flows, f)
	for _, b := range st.bindingsOf(f) {
		st.removeBinding(b)
	}
	st.unlink(f.PK)
	st.unuse(f.PK)
}

// bindingsOf returns the bindings of a flow in the order of its stages.
func (st *store) bindingsOf(f *authentik.Flow) (all []*authentik.FlowStageBinding) {
	for _, b := range st.bindings {
		if b.Target == f.PK {
			all = append(all, b)
		}
	}
	slices.SortStableFunc(all, func(a, b *authentik.FlowStageBinding) int { return a.Order - b.Order })
	return all
}

func (st *store) insertBinding(b *authentik.FlowStageBinding) {
	st.identify("binding", &b.PK, &b.PolicyBindingModelPtrID)
	st.bindings = append(st.bindings, b)
	flow := st.flowByPK(b.Target)
	flow.Stages = append(flow.Stages, b.Stage)
}

// movedBinding stores a binding that was updated.
func (st *store) movedBinding(was, is *authentik.FlowStageBinding) {
	st.unbind(was)
	st.bindings = last(st.bindings, is)
	flow := st.flowByPK(is.Target)
	flow.Stages = append(flow.Stages, is.Stage)
}

func (st *store) removeBinding(b *authentik.FlowStageBinding) {
	st.unbind(b)
	st.bindings = without(st.bindings, b)
	st.unlink(b.PK)
	st.unuse(b.PK)
}

// unbind removes a binding's stage from the stages of its flow. Of a stage that
// is bound repeatedly the place of the binding is removed.
func (st *store) unbind(b *authentik.FlowStageBinding) {
	flow := st.flowByPK(b.Target)
	if flow == nil {
		return
	}
	before := 0
	for _, other := range st.bindings {
		if other.PK == b.PK {
			break
		}
		if other.Target == b.Target && other.Stage == b.Stage {
			before++
		}
	}
	for i, stage := range flow.Stages {
		if stage != b.Stage {
			continue
		}
		if before == 0 {
			flow.Stages = slices.Delete(flow.Stages, i, i+1)
			return
		}
		before--
	}
}

// removeStage removes a stage and its bindings.
func (st *store) removeStage(stage *authentik.Stage) {
	for _, b := range slices.Clone(st.bindings) {
		if b.Stage == stage.PK {
			st.removeBinding(b)
		}
	}
	for _, flow := range st.flows { // a flow may have stages without bindings
		flow.Stages = slices.DeleteFunc(flow.Stages, func(pk uuid.UUID) bool { return pk == stage.PK })
	}
	st.stages = without(st.stages, stage)
	delete(st.settings, stage.PK)
	st.unuse(stage.PK)
}

// policyBindingsOf returns the policies of a flow or a binding in their order.
func (st *store) policyBindingsOf(target uuid.UUID) (all []*policyBinding) {
	for _, b := range st.links {
		if b.target == target {
			all = append(all, b)
		}
	}
	slices.SortStableFunc(all, func(a, b *policyBinding) int { return a.order - b.order })
	return all
}

// policiesOf returns the identifiers of those policies.
func (st *store) policiesOf(target uuid.UUID) (all []uuid.UUID) {
	for _, link := range st.policyBindingsOf(target) {
		all = append(all, link.policy)
	}
	return all
}

// isPolicy reports whether a policy has the identifier.
func (st *store) isPolicy(pk uuid.UUID) bool {
	t := st.thing(pk)
	return t != nil && strings.HasPrefix(t.model, policyModels)
}

func (st *store) insertPolicyBinding(b *policyBinding) {
	st.links = append(st.links, b)
	if flow := st.flowByPK(b.target); flow != nil && !slices.Contains(flow.Policies, b.policy) {
		flow.Policies = append(flow.Policies, b.policy)
	}
}

// unlink removes the policy bindings of a flow or a binding.
func (st *store) unlink(target uuid.UUID) {
	st.links = slices.DeleteFunc(st.links, func(b *policyBinding) bool { return b.target == target })
}
