package authentiktest

import (
	"regexp"

	"github.com/google/uuid"

	"github.com/seed-299d42e7/authentik-go"
)

// kind is what a field of a request accepts.
type kind int

const (
	text      kind = iota // a string or a number, trimmed and not blank
	slugText              // a text of letters, digits, - and _
	fileName              // a text that may be blank: the name of a file, or a URL
	choiceOf              // one of the choices
	boolean               // true or false, also in words
	integer               // 32 bits, also in words
	reference             // the identifier of an object
)

// fact is a field that a request may set. The facts of a model are in the
// order in which authentik reports errors.
type fact[T any] struct {
	key       string
	kind      kind
	required  bool
	set       func(*T, any)
	maxLength int
	choices   []choice
	// accepts reports whether the value is free: unique, or an object.
	accepts func(any) bool
	since   string
	until   string
}

// valueOf returns what sets a field.
func valueOf[T, V any](field func(*T) *V) func(*T, any) {
	return func(of *T, value any) { *field(of), _ = value.(V) }
}

// textOf returns what sets a field of a string type.
func textOf[T any, S ~string](field func(*T) *S) func(*T, any) {
	return func(of *T, value any) { *field(of) = S(pyString(value)) }
}

// exists returns what accepts the identifier of an object.
func exists(is func(uuid.UUID) bool) func(any) bool {
	return func(value any) bool {
		pk, ok := value.(uuid.UUID)
		return ok && is(pk)
	}
}

// factsIn returns the facts of the release.
func factsIn[T any](r rules, all []fact[T]) (facts []fact[T]) {
	for _, f := range all {
		if (f.since == "" || r.since(f.since)) && (f.until == "" || !r.since(f.until)) {
			facts = append(facts, f)
		}
	}
	return facts
}

// flowFacts returns the facts of a flow. own is the flow that the request is
// about, or nil.
func (st *store) flowFacts(own *authentik.Flow) []fact[authentik.Flow] {
	type flow = authentik.Flow
	free := func(slug any) bool {
		other := st.flow(pyString(slug))
		return other == nil || other == own
	}
	setSlug := textOf(func(f *flow) *string { return &f.Slug })
	return factsIn(st.rules, []fact[flow]{
		{key: "name", required: true, set: textOf(func(f *flow) *string { return &f.Name })},
		{key: "slug", kind: slugText, required: true, set: setSlug, accepts: free, maxLength: 50, until: "2025.12"},
		{key: "slug", kind: slugText, required: true, set: setSlug, accepts: free, since: "2025.12"},
		{key: "title", required: true, set: textOf(func(f *flow) *string { return &f.Title })},
		{
			key: "designation", kind: choiceOf, required: true, choices: designations,
			set: textOf(func(f *flow) *authentik.FlowDesignation { return &f.Designation }),
		},
		{key: "background", kind: fileName, set: setBackground, since: "2025.12"},
		{
			key: "policy_engine_mode", kind: choiceOf, choices: policyEngineModes,
			set: textOf(func(f *flow) *authentik.PolicyEngineMode { return &f.PolicyEngineMode }),
		},
		{key: "compatibility_mode", kind: boolean, set: valueOf(func(f *flow) *bool { return &f.CompatibilityMode })},
		{
			key: "layout", kind: choiceOf, choices: layouts, since: "2022.5",
			set: textOf(func(f *flow) *authentik.FlowLayout { return &f.Layout }),
		},
		{
			key: "denied_action", kind: choiceOf, choices: deniedActions, since: "2022.7",
			set: textOf(func(f *flow) *authentik.FlowDeniedAction { return &f.DeniedAction }),
		},
		{
			key: "authentication", kind: choiceOf, choices: authentications, since: "2022.12",
			set: textOf(func(f *flow) *authentik.FlowAuthentication { return &f.Authentication }),
		},
	})
}

// bindingFacts returns the facts of a binding.
func (st *store) bindingFacts(*authentik.FlowStageBinding) []fact[authentik.FlowStageBinding] {
	type binding = authentik.FlowStageBinding
	return []fact[binding]{
		{
			key: "target", kind: reference, required: true,
			set:     valueOf(func(b *binding) *uuid.UUID { return &b.Target }),
			accepts: exists(func(pk uuid.UUID) bool { return st.flowByPK(pk) != nil }),
		},
		{
			key: "stage", kind: reference, required: true,
			set:     valueOf(func(b *binding) *uuid.UUID { return &b.Stage }),
			accepts: exists(func(pk uuid.UUID) bool { return st.stage(pk) != nil }),
		},
		{key: "evaluate_on_plan", kind: boolean, set: valueOf(func(b *binding) *bool { return &b.EvaluateOnPlan })},
		{key: "re_evaluate_policies", kind: boolean, set: valueOf(func(b *binding) *bool { return &b.ReEvaluatePolicies })},
		{key: "order", kind: integer, required: true, set: valueOf(func(b *binding) *int { return &b.Order })},
		{
			key: "policy_engine_mode", kind: choiceOf, choices: policyEngineModes,
			set: textOf(func(b *binding) *authentik.PolicyEngineMode { return &b.PolicyEngineMode }),
		},
		{
			key: "invalid_response_action", kind: choiceOf, choices: invalidResponseActions,
			set: textOf(func(b *binding) *authentik.InvalidResponseAction { return &b.InvalidResponseAction }),
		},
	}
}

// newFlow returns a flow as authentik stores one that a request sets nothing of.
func (st *store) newFlow() *authentik.Flow {
	f := &authentik.Flow{Stages: []uuid.UUID{}, Policies: []uuid.UUID{}}
	flowDefaults(f)
	return f
}

// newBinding returns a binding as authentik stores one that a request sets
// nothing of.
func (st *store) newBinding() *authentik.FlowStageBinding {
	b := &authentik.FlowStageBinding{EvaluateOnPlan: !st.evaluatesOnRun, ReEvaluatePolicies: st.evaluatesOnRun}
	bindingDefaults(b)
	return b
}

// checkBinding returns the errors of the fields of a binding together.
func (st *store) checkBinding(own *authentik.FlowStageBinding, sent values) string {
	b := st.newBinding()
	if own != nil {
		*b = *own
	}
	apply(sent, b, st.bindingFacts(nil))
	for _, other := range st.bindings {
		if other != own && other.Target == b.Target && other.Stage == b.Stage && other.Order == b.Order {
			return "The fields target, stage, order must make a unique set."
		}
	}
	// The request alone decides, not what is stored.
	onPlan, ok := sent["evaluate_on_plan"].(bool)
	onPlan = ok && onPlan
	onRun, ok := sent["re_evaluate_policies"].(bool)
	if onRun = onRun || !ok; st.evaluatesOnRun && !onPlan && !onRun {
		return "Either evaluation on plan or evaluation on run must be enabled"
	}
	return ""
}

var (
	fileCharacters = regexp.MustCompile(`^[a-zA-Z0-9._/-]+$`)
	passedThrough  = regexp.MustCompile(`^(https?://|fa://|/static/)`)
)
