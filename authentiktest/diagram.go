package authentiktest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/seed-299d42e7/authentik-go"
)

// diagram responds to anybody. Who may not view the bindings of a flow gets a
// diagram without them.
func (st *store) diagram(q request) reply {
	anonymous := q.user == nil && q.denied == "" && st.anonymousDetail && acceptsJSON(q.Header.Values("Accept"))
	if a, refused := q.refused(true); refused && !anonymous {
		return a
	}
	flow := st.flow(q.segment(2))
	if flow == nil {
		return q.detail(http.StatusNotFound, st.flowTable().missing())
	}
	c := chart{st, flow, nil, q.may("authentik_policies.view_policybinding", uuid.Nil)}
	if q.may(permission("view", "flowstagebinding"), uuid.Nil) {
		c.bindings = st.bindingsOf(flow)
	}
	lines := c.flowchart
	if st.since("2022.9") {
		lines = c.mermaid
	}
	return q.json(http.StatusOK, object{{"diagram", strings.Join(lines(), "\n")}})
}

// chart is what a user may see of a flow.
type chart struct {
	*store
	flow         *authentik.Flow
	bindings     []*authentik.FlowStageBinding
	showPolicies bool
}

// policiesOf returns the policies of a flow or a binding.
func (c chart) policiesOf(target uuid.UUID) (all []*thing) {
	if c.showPolicies {
		for _, b := range c.policyBindingsOf(target) {
			all = append(all, c.thing(b.policy))
		}
	}
	return all
}

// flowchart returns the lines for flowchart.js.
func (c chart) flowchart() []string {
	const policy, stage = "condition", "operation"
	type box struct{ id, kind string }
	var boxes []box
	lines := []string{"st=>start: Start"}
	for i, b := range c.bindings {
		for n, bound := range c.policiesOf(b.PK) {
			boxes = append(boxes, box{fmt.Sprintf("stage_%d_policy_%d", i, n), policy})
			lines = append(lines, fmt.Sprintf("stage_%d_policy_%d=>condition: Policy\n%s", i, n, bound.name()))
		}
		boxes = append(boxes, box{fmt.Sprintf("stage_%d", i), stage})
		lines = append(lines, fmt.Sprintf("stage_%d=>operation: Stage\n%s", i, c.stage(b.Stage).Name))
	}
	boxes = append(boxes, box{"e", "end"})
	lines = append(lines, "e=>end: End|future", "st(right)->"+boxes[0].id)
	for i, from := range boxes {
		next := func(n int) string { return boxes[min(i+n, len(boxes)-1)].id }
		switch from.kind {
		case policy:
			lines = append(lines, from.id+"(yes, right)->"+next(1), from.id+"(no, bottom)->"+next(2))
		case stage:
			lines = append(lines, from.id+"(bottom)->"+next(1))
		}
	}
	return lines
}

// element is a box of a Mermaid chart, and the arrows to it.
type element struct {
	id, text, style string
	action          string   // on the arrows
	from            []string // the boxes that the arrows are from
	arrow           bool     // whether there is an arrow though it is from no box
}

const (
	rectangle  = "[]"
	subroutine = "[[]]"
	rhombus    = "{{}}"
	stadium    = "([])"
)

// lines returns the lines of an element, one an arrow.
func (e element) lines() (lines []string) {
	half := len(e.style) / 2
	box := e.id + e.style[:half] + `"` + e.text + `"` + e.style[half:]
	switch {
	case e.action != "":
		box = "--" + e.action + "--> " + box
	case e.arrow || e.from != nil:
		box = "--> " + box
	}
	if e.from == nil {
		return []string{box}
	}
	for _, from := range e.from {
		lines = append(lines, from+" "+box)
	}
	return lines
}

// mermaid returns the lines of a Mermaid chart.
func (c chart) mermaid() []string {
	elements := slices.Concat(c.requirement(), c.start(), c.steps())
	lines := []string{"graph TD"}
	for _, e := range elements {
		if c.since("2023.10") {
			e.text = strings.ReplaceAll(e.text, `"`, "#quot;")
		}
		lines = append(lines, e.lines()...)
	}
	return lines
}

func end(action string, from ...string) element {
	return element{id: "done", text: "End of the flow", style: subroutine, action: action, from: from}
}

// requirement returns the elements of what the flow requires of its user.
func (c chart) requirement() []element {
	if !c.since("2023.10") || c.flow.Authentication == "none" {
		return nil
	}
	const id = "flow_auth_requirement"
	return []element{
		{id: id, text: "Flow authentication requirement\n" + string(c.flow.Authentication), style: rectangle},
		end("Requirement not fulfilled", id),
		{id: "flow_start", text: "placeholder", style: rectangle, action: "Requirement fulfilled", from: []string{id}},
	}
}

func policyText(policy *thing) string {
	return "Policy (" + verboseName(policy.model) + ")\n" + policy.name()
}

// start returns the elements of the flow and of its policies.
func (c chart) start() (elements []element) {
	var ids []string
	policies := c.policyBindingsOf(c.flow.PK)
	for i, policy := range c.policiesOf(c.flow.PK) {
		id := fmt.Sprintf("flow_policy_%d", i)
		elements = append(elements, element{
			id: id, text: policyText(policy), style: rhombus,
			action: fmt.Sprintf("Binding %d", policies[i].order), from: []string{"flow_pre"},
		})
		ids = append(ids, id)
	}
	if ids != nil {
		denied := end("Policy denied", ids...)
		if !c.since("2023.10") {
			denied.style = rectangle
		}
		pre := element{id: "flow_pre", text: "Pre-flow policies", style: subroutine}
		elements = append(append([]element{pre}, elements...), denied)
	}
	return append(elements, element{id: "flow_start", text: "Flow\n" + c.flow.Name, style: subroutine, from: ids})
}

// steps returns the elements of the stages, and those of their policies.
func (c chart) steps() []element {
	var stages, rest []element
	before, policiesBefore := "flow_start", []string(nil)
	for i, b := range c.bindings {
		stage := c.stage(b.Stage)
		e := element{
			id: fmt.Sprintf("stage_%d", i), text: "Stage (" + stage.VerboseName + ")\n" + stage.Name,
			style: stadium, arrow: true,
		}
		for n, policy := range c.policiesOf(b.PK) {
			id := fmt.Sprintf("stage_%d_policy_%d", i, n)
			rest = append(rest, element{id: id, text: policyText(policy), style: rhombus, from: []string{before}})
			e.from, e.action = append(e.from, id), "Policy passed"
		}
		stages = append(stages, e)
		for _, policy := range policiesBefore {
			denied := e
			denied.action, denied.from = "Policy denied", []string{policy}
			rest = append(rest, denied)
		}
		before, policiesBefore = e.id, e.from
	}
	return append(append(stages, rest...), end("", before))
}
