package authentiktest

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"

	"github.com/seed-299d42e7/authentik-go"
)

// inspector returns what has become of the flow that the session runs.
func (st *store) inspector(q request) reply {
	flow := st.flow(q.segment(2))
	if flow == nil {
		return html(http.StatusNotFound)
	}
	var browser *user
	if q.session != nil {
		browser = q.session.user
	}
	superuser := browser != nil && browser.superuser
	inspects := browser != nil && (browser.may("authentik_flows.inspect_flow") ||
		browser.may("authentik_flows.inspect_flow:"+flow.PK.String()))
	switch {
	case st.since("2025.10") && !superuser && !inspects:
		return html(http.StatusNotFound)
	case st.since("2023.10") && !st.since("2025.10") && !superuser:
		a := html(http.StatusInternalServerError) // authentik checks a permission that does not exist
		a.framed = st.since("2024.10")
		return a
	}
	a := st.inspected(q, flow)
	a.framed = true
	return a
}

func (st *store) inspected(q request, flow *authentik.Flow) reply {
	if a, refused := q.refused(false); refused {
		return a
	}
	var current *plan
	completed := true
	if s := q.session; s != nil && s.plan != nil {
		current, completed = s.plan, false
	} else if s != nil && len(s.history) > 0 {
		current = &s.history[len(s.history)-1]
	}
	if current == nil || len(current.bindings) == 0 {
		a := reply{status: http.StatusBadRequest, allow: q.allow}
		if !st.since("2022.1") {
			a = reply{status: http.StatusBadRequest, contentType: notJSON}
		}
		return a
	}
	plans := []object{}
	for _, p := range q.session.history {
		// Since 2025.10 the plans of other flows are left out, but for the
		// current one.
		if p.flow == flow.PK || !st.since("2025.10") {
			plans = append(plans, st.inspectedPlan(q, &p))
		}
	}
	return q.json(http.StatusOK, object{
		{"plans", plans}, {"current_plan", st.inspectedPlan(q, current)}, {"is_completed", completed},
	})
}

func (st *store) inspectedPlan(q request, p *plan) object {
	var next *authentik.FlowStageBinding
	if len(p.bindings) > 1 {
		next = p.bindings[1]
	}
	return object{
		{"current_stage", st.inspectedBinding(p.bindings[0])},
		{"next_planned_stage", st.inspectedBinding(next)},
		{"plan_context", p.inspected()},
		{"session_id", inspectedID(q.session)},
	}
}

// inspectedBinding returns a binding; none is one without values.
func (st *store) inspectedBinding(b *authentik.FlowStageBinding) object {
	if b == nil {
		return object{
			{"target", nil},
			{"stage", nil},
			{"evaluate_on_plan", false},
			{"re_evaluate_policies", false},
			{"order", nil},
			{"policy_engine_mode", nil},
			{"invalid_response_action", nil},
		}
	}
	if st.stage(b.Stage) == nil {
		return st.inspectedBinding(nil) // it was deleted
	}
	return render(fieldsIn(st.rules, st.bindingFields()), b)
}

// inspectedID is what the inspector names a session.
func inspectedID(s *session) string {
	sum := sha256.Sum256([]byte(s.id))
	return hex.EncodeToString(sum[:])
}
