package authentiktest

import (
	"slices"

	"github.com/google/uuid"

	"github.com/seed-299d42e7/authentik-go"
)

// table is a model as the API lists and retrieves it.
type table[T any] struct {
	rules
	model      string // as a 404 calls it
	permission string // to view an object
	rows       func() []*T
	pk         func(*T) uuid.UUID
	named      func(segment string) func(*T) bool // what a path means; nil: nothing
	fields     []field[T]
	filters    []filter[T]
	search     []func(*T) string
	// orderings are the fields that a list can be ordered by. More or fewer
	// than one value is a join, as in SQL.
	orderings map[string]func(*T) []string
	defaults  []string
	describe  func() object // for OPTIONS; nil: nothing can be written
	writes[T]
}

func (st *store) flowTable() table[authentik.Flow] {
	type flow = authentik.Flow
	fields := fieldsIn(st.rules, flowFields)
	name := func(f *flow) string { return f.Name }
	slug := func(f *flow) string { return f.Slug }
	title := func(f *flow) string { return f.Title }
	designation := func(f *flow) string { return string(f.Designation) }
	denied := func(f *flow) string { return string(f.DeniedAction) }
	t := table[flow]{
		rules: st.rules, model: "Flow", permission: "authentik_flows.view_flow",
		rows:   func() []*flow { return st.flows },
		pk:     func(f *flow) uuid.UUID { return f.PK },
		named:  func(segment string) func(*flow) bool { return func(f *flow) bool { return f.Slug == segment } },
		fields: fields,
		filters: []filter[flow]{
			byUUID("flow_uuid", func(f *flow) uuid.UUID { return f.PK }), byText("name", name), byText("slug", slug),
			byChoice(st.rules, "designation", designations, designation),
		},
		search:    []func(*flow) string{name, slug, designation, title},
		orderings: sortable(fields),
		defaults:  []string{"slug", "name"},
		writes: writes[flow]{
			facts: st.flowFacts, check: func(*flow, values) string { return "" }, blank: st.newFlow,
			insert: st.insertFlow, moved: st.movedFlow, remove: st.removeFlow,
		},
	}
	t.describe = st.describeFlow
	t.shown = func(f *flow, _ values) object { return t.render(f) }
	t.orderings["stages"] = func(f *flow) []string { return bytewiseAll(f.Stages) }
	t.orderings["policies"] = func(f *flow) []string { return bytewiseAll(f.Policies) }
	if st.since("2022.7") {
		t.filters = append(t.filters, byChoice(st.rules, "denied_action", deniedActions, denied))
		t.search = append(t.search, denied)
	}
	return t
}

func (st *store) bindingTable() table[authentik.FlowStageBinding] {
	type binding = authentik.FlowStageBinding
	fields := fieldsIn(st.rules, st.bindingFields())
	isFlow := func(id uuid.UUID) bool { return st.flowByPK(id) != nil }
	isStage := func(id uuid.UUID) bool { return st.stage(id) != nil }
	mode := func(b *binding) string { return string(b.PolicyEngineMode) }
	action := func(b *binding) string { return string(b.InvalidResponseAction) }
	t := table[binding]{
		rules: st.rules, model: "FlowStageBinding", permission: "authentik_flows.view_flowstagebinding",
		rows:   func() []*binding { return st.bindings },
		pk:     func(b *binding) uuid.UUID { return b.PK },
		named:  byPK(func(b *binding) uuid.UUID { return b.PK }),
		fields: fields,
		filters: []filter[binding]{
			byUUID("pbm_uuid", func(b *binding) uuid.UUID { return b.PolicyBindingModelPtrID }),
			byObjects("policies", st.isPolicy, func(b *binding) []uuid.UUID { return st.policiesOf(b.PK) }),
			byChoice(st.rules, "policy_engine_mode", policyEngineModes, mode),
			byUUID("fsb_uuid", func(b *binding) uuid.UUID { return b.PK }),
			byObject("target", isFlow, func(b *binding) uuid.UUID { return b.Target }),
			byObject("stage", isStage, func(b *binding) uuid.UUID { return b.Stage }),
			byBool("evaluate_on_plan", func(b *binding) bool { return b.EvaluateOnPlan }),
			byBool("re_evaluate_policies", func(b *binding) bool { return b.ReEvaluatePolicies }),
			byNumber("order", func(b *binding) int { return b.Order }),
			byChoice(st.rules, "invalid_response_action", invalidResponseActions, action),
		},
		orderings: sortable(fields),
		defaults:  st.bindingDefault,
		writes: writes[binding]{
			facts: st.bindingFacts, check: st.checkBinding, blank: st.newBinding,
			insert: st.insertBinding, moved: st.movedBinding, remove: st.removeBinding,
		},
	}
	t.describe = st.describeBinding
	t.shown = func(b *binding, sent values) object {
		shown := t.render(b)
		if sent["stage"] != nil {
			shown.with("stage_obj", st.bareStage(b.Stage))
		}
		return shown
	}
	stageName := func(b *binding) string { return st.stage(b.Stage).Name }
	if st.bindingSearch {
		t.search = append(t.search, stageName)
	}
	if permitted := st.bindingOrderings; permitted != nil {
		t.orderings["stage__name"] = func(b *binding) []string { return []string{stageName(b)} }
		t.orderings[brokenOrdering] = func(*binding) []string { return nil }
		for name := range t.orderings {
			if !slices.Contains(permitted, name) {
				delete(t.orderings, name)
			}
		}
	}
	return t
}

func (st *store) stageTable() table[authentik.Stage] {
	type stage = authentik.Stage
	fields := fieldsIn(st.rules, st.stageFields())
	name := func(s *stage) string { return s.Name }
	t := table[stage]{
		rules: st.rules, model: "Stage", permission: "authentik_flows.view_stage",
		rows:      func() []*stage { return st.stages },
		pk:        func(s *stage) uuid.UUID { return s.PK },
		named:     byPK(func(s *stage) uuid.UUID { return s.PK }),
		fields:    fields,
		filters:   []filter[stage]{byText("name", name)},
		search:    []func(*stage) string{name},
		orderings: sortable(fields),
		writes:    writes[stage]{remove: st.removeStage},
	}
	t.orderings[brokenStageOrdering] = func(*stage) []string { return nil }
	return t
}

// bareStage returns a stage as the response to a write shows the one that was
// sent: without what only its model has.
func (st *store) bareStage(pk uuid.UUID) object {
	bare := *st.stage(pk)
	bare.Component, bare.MetaModelName = "", "authentik_flows.stage"
	bare.VerboseName, bare.VerboseNamePlural = "stage", "stages"
	return render(fieldsIn(st.rules, st.stageFields()), &bare)
}

func (t table[T]) render(of *T) object { return render(t.fields, of) }
