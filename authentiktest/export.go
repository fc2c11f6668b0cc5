package authentiktest

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/seed-299d42e7/authentik-go"
)

// exportPermissions are the permissions that an export requires beside export_flow.
var exportPermissions = []string{
	"authentik_flows.view_flow", "authentik_flows.view_flowstagebinding", "authentik_flows.view_stage",
	"authentik_policies.view_policy", "authentik_policies.view_policybinding", "authentik_stages_prompt.view_prompt",
}

func (st *store) export(q request) reply {
	a, refused := q.refused(true)
	if refused && (q.user != nil || q.denied != "") {
		return a
	}
	if a, refused := q.refusedWithout(exportPermissions...); refused {
		return a
	}
	flow, p := st.flowTable().one(q)
	switch {
	case p != nil:
		return q.problem(p)
	case !q.may("authentik_flows.export_flow", flow.PK):
		return q.detail(http.StatusForbidden, noPermission)
	}
	a = reply{status: http.StatusOK, allow: q.allow, german: q.german}
	if st.since("2022.8") {
		a.contentType, a.disposition = notJSON, `attachment; filename="`+flow.Slug+`.yaml"`
		a.body = toYAML(st.blueprint(flow))
	} else {
		a.contentType, a.disposition = "application/json", `attachment; filename="`+flow.Slug+`.akflow"`
		a.body = spacedJSON(object{{"version", 1}, {"entries", st.oldEntries(flow)}})
	}
	return a
}

// blueprint returns the document that exports a flow.
func (st *store) blueprint(flow *authentik.Flow) object {
	entries := []any{}
	for _, e := range st.entries(flow) {
		shown := object{
			{"model", e.model}, {"state", "present"}, {"conditions", []any{}}, {"identifiers", e.identifiers},
		}
		if st.since("2024.10") {
			shown = append(shown, member{"permissions", []any{}})
		} else {
			shown = append(shown, member{"id", nil})
		}
		if !st.since("2026.8") {
			e.attrs = filled(e.attrs)
		} else {
			e.attrs = complete(e.model, e.attrs)
		}
		entries = append(entries, append(shown, member{"attrs", e.attrs}))
	}
	return object{
		{"version", 1},
		{"metadata", object{
			{"name", "authentik Export - " + time.Now().UTC().Format("2006-01-02 15:04:05.000000+00:00")},
			{"labels", object{{"blueprints.goauthentik.io/generated", "true"}}},
		}},
		{"entries", entries},
		{"context", object{}},
	}
}

// oldEntries returns the entries of the exports before blueprints.
func (st *store) oldEntries(flow *authentik.Flow) []any {
	entries := []any{}
	for _, e := range st.entries(flow) {
		entries = append(entries, object{{"identifiers", e.identifiers}, {"model", e.model}, {"attrs", e.attrs}})
	}
	return entries
}

// filled returns the settings that differ from those of an empty form.
func filled(settings object) object {
	return slices.DeleteFunc(slices.Clone(settings), func(m member) bool {
		list, isList := m.value.([]any)
		return m.value == nil || isList && len(list) == 0 || !isList && (m.value == "" || m.value == false)
	})
}

// entries returns the objects that a flow consists of: the flow, the prompts of
// its stages, the policies of the flow and of its bindings, the stages, the
// bindings, and the bindings of the policies.
func (st *store) entries(flow *authentik.Flow) (all []entry) {
	all = append(all, st.flowEntry(flow))
	bindings := st.bindingsOf(flow)
	targets := []uuid.UUID{flow.PK}
	var stages []*authentik.Stage
	for _, b := range bindings {
		if stage := st.stage(b.Stage); !slices.Contains(stages, stage) {
			stages = append(stages, stage)
		}
	}
	for _, stage := range stages {
		fields, _ := st.settings[stage.PK].get("fields")
		prompts, _ := fields.([]any)
		for _, field := range prompts {
			if id := parseUUID(pyString(field)); id != nil && st.thing(*id) != nil {
				all = append(all, thingEntry(st.thing(*id)))
			}
		}
	}
	for _, b := range bindings {
		targets = append(targets, b.PK)
	}
	var links []*policyBinding
	for _, target := range targets {
		links = append(links, st.policyBindingsOf(target)...)
	}
	for _, policy := range st.things { // once for each binding
		for _, link := range links {
			if link.policy == policy.pk {
				all = append(all, thingEntry(policy))
			}
		}
	}
	for _, stage := range stages {
		id := object{{"pk", stage.PK.String()}, {"name", stage.Name}}
		all = append(all, entry{stage.MetaModelName, id, st.settings[stage.PK]})
	}
	for _, b := range bindings {
		all = append(all, bindingEntry(b))
	}
	for _, link := range links {
		all = append(all, entry{policyBindingModel, object{
			{"pk", link.pk.String()},
			{"policy", link.policy.String()},
			{"target", link.target.String()},
			{"order", number{strconv.Itoa(link.order), false}},
		}, link.settings})
	}
	return all
}

func thingEntry(t *thing) entry { return entry{t.model, object{{"pk", t.pk.String()}}, t.settings} }

func (st *store) flowEntry(f *authentik.Flow) entry {
	e := entry{model: flowModel, identifiers: object{{"pk", f.PK.String()}, {"slug", f.Slug}}}
	for _, field := range fieldsIn(st.rules, flowFields) {
		switch field.key {
		case "name", "title", "designation", "policy_engine_mode", "compatibility_mode", "layout", "denied_action",
			"authentication":
			e.attrs = append(e.attrs, member{field.key, field.value(f)})
		case "cache_count":
			if !st.since("2022.8") {
				e.attrs = append(e.attrs, member{field.key, field.value(f)})
			}
		case "background":
			if f.Background != "" || st.since("2025.12") {
				e.attrs = append(e.attrs, member{field.key, f.Background})
			}
		}
	}
	return e
}

func bindingEntry(b *authentik.FlowStageBinding) entry {
	return entry{bindingModel, object{
		{"pk", b.PK.String()},
		{"target", b.Target.String()},
		{"stage", b.Stage.String()},
		{"order", number{strconv.Itoa(b.Order), false}},
	}, object{
		{"evaluate_on_plan", b.EvaluateOnPlan},
		{"re_evaluate_policies", b.ReEvaluatePolicies},
		{"policy_engine_mode", string(b.PolicyEngineMode)},
		{"invalid_response_action", string(b.InvalidResponseAction)},
	}}
}

// spacedJSON returns JSON as Python's json.dumps writes it.
func spacedJSON(value any) []byte {
	switch value := value.(type) {
	case object:
		members := make([]string, len(value))
		for i, m := range value {
			members[i] = string(spacedJSON(m.key)) + ": " + string(spacedJSON(m.value))
		}
		return []byte("{" + strings.Join(members, ", ") + "}")
	case []any:
		elements := make([]string, len(value))
		for i, element := range value {
			elements[i] = string(spacedJSON(element))
		}
		return []byte("[" + strings.Join(elements, ", ") + "]")
	case string:
		return []byte(asciiOnly(string(appendJSON(nil, value))))
	}
	return appendJSON(nil, value)
}

// asciiOnly escapes the other characters of a JSON string.
func asciiOnly(text string) string {
	var escaped strings.Builder
	for _, r := range text {
		switch high, low := utf16.EncodeRune(r); {
		case r < utf8.RuneSelf:
			escaped.WriteRune(r)
		case high != utf8.RuneError:
			fmt.Fprintf(&escaped, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&escaped, `\u%04x`, r)
		}
	}
	return escaped.String()
}
