package authentiktest

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"

	"github.com/google/uuid"

	"github.com/seed-299d42e7/authentik-go"
)

// object is a JSON object whose keys keep their order, as authentik's do.
type object []member

type member struct {
	key   string
	value any
}

// appendJSON appends a value as authentik writes it: without spaces, and
// without escapes that JSON does not require.
func appendJSON(dst []byte, value any) []byte {
	switch value := value.(type) {
	case nil:
		return append(dst, "null"...)
	case bool:
		return strconv.AppendBool(dst, value)
	case int:
		return strconv.AppendInt(dst, int64(value), 10)
	case uuid.UUID:
		return append(append(append(dst, '"'), value.String()...), '"')
	case json.RawMessage:
		return append(dst, value...)
	case string:
		var buf bytes.Buffer
		enc := json.NewEncoder(&buf)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(value); err != nil {
			panic(err) // a string has a JSON form
		}
		return append(dst, bytes.TrimSuffix(buf.Bytes(), []byte("\n"))...)
	case number:
		return append(dst, value.text...)
	case []any:
		return appendList(dst, value)
	case object:
		dst = append(dst, '{')
		for i, m := range value {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(appendJSON(dst, m.key), ':')
			dst = appendJSON(dst, m.value)
		}
		return append(dst, '}')
	case []object:
		return appendList(dst, value)
	case []uuid.UUID:
		return appendList(dst, value)
	case []string:
		return appendList(dst, value)
	}
	panic("authentiktest: no JSON form")
}

func appendList[T any](dst []byte, list []T) []byte {
	dst = append(dst, '[')
	for i, element := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendJSON(dst, element)
	}
	return append(dst, ']')
}

// field is one key of a model.
type field[T any] struct {
	key          string
	since, until string // releases, the last one excluded; "" is all
	sortable     bool   // whether a list may be ordered by the field
	value        func(*T) any
}

func (f field[T]) in(r rules) bool {
	return (f.since == "" || r.since(f.since)) && (f.until == "" || !r.since(f.until))
}

func fieldsIn[T any](r rules, all []field[T]) (fields []field[T]) {
	for _, f := range all {
		if f.in(r) {
			fields = append(fields, f)
		}
	}
	return fields
}

func render[T any](fields []field[T], of *T) object {
	o := make(object, len(fields))
	for i, f := range fields {
		o[i] = member{f.key, f.value(of)}
	}
	return o
}

// flowFields are the fields of a flow in authentik's order.
var flowFields = []field[authentik.Flow]{
	{"pk", "", "", true, func(f *authentik.Flow) any { return f.PK }},
	{"policybindingmodel_ptr_id", "", "", true, func(f *authentik.Flow) any { return f.PolicyBindingModelPtrID }},
	{"name", "", "", true, func(f *authentik.Flow) any { return f.Name }},
	{"slug", "", "", true, func(f *authentik.Flow) any { return f.Slug }},
	{"title", "", "", true, func(f *authentik.Flow) any { return f.Title }},
	{"designation", "", "", true, func(f *authentik.Flow) any { return string(f.Designation) }},
	{"background", "", "2025.12", false, func(f *authentik.Flow) any {
		if f.Background != "" {
			return f.Background
		}
		return staticBackground
	}},
	{"background", "2025.12", "", true, func(f *authentik.Flow) any { return f.Background }},
	{"background_url", "2025.12", "", false, backgroundURL},
	{"background_themed_urls", "2025.12.2", "", false, themedURLs},
	{"stages", "", "", false, func(f *authentik.Flow) any { return f.Stages }},
	{"policies", "", "", false, func(f *authentik.Flow) any { return f.Policies }},
	{"cache_count", "", "", false, func(f *authentik.Flow) any { return f.CacheCount }},
	{"policy_engine_mode", "", "", true, func(f *authentik.Flow) any { return string(f.PolicyEngineMode) }},
	{"compatibility_mode", "", "", true, func(f *authentik.Flow) any { return f.CompatibilityMode }},
	{"export_url", "", "", false, func(f *authentik.Flow) any { return "/api/v3/flows/instances/" + f.Slug + "/export/" }},
	{"layout", "2022.5", "", true, func(f *authentik.Flow) any { return string(f.Layout) }},
	{"denied_action", "2022.7", "", true, func(f *authentik.Flow) any { return string(f.DeniedAction) }},
	{"authentication", "2022.12", "", true, func(f *authentik.Flow) any { return string(f.Authentication) }},
}

// flowSetFields returns the fields of a flow in the flow_set of a stage. Up to
// 2022.9 they are all of them.
func flowSetFields(r rules) (fields []field[authentik.Flow]) {
	left := []string{"stages", "policies", "cache_count", "authentication", "background_themed_urls"}
	for _, f := range fieldsIn(r, flowFields) {
		leftOut := slices.Contains(left, f.key) || f.key == "background" && r.since("2025.12")
		if !leftOut || !r.since("2022.10") {
			fields = append(fields, f)
		}
	}
	return fields
}

// bindingFields returns the fields of a binding in authentik's order.
func (st *store) bindingFields() []field[authentik.FlowStageBinding] {
	type binding = authentik.FlowStageBinding
	stage := fieldsIn(st.rules, st.stageFields())
	return []field[binding]{
		{"pk", "", "", true, func(b *binding) any { return b.PK }},
		{"policybindingmodel_ptr_id", "", "", true, func(b *binding) any { return b.PolicyBindingModelPtrID }},
		{"target", "", "", true, func(b *binding) any { return b.Target }},
		{"stage", "", "", true, func(b *binding) any { return b.Stage }},
		{"stage_obj", "", "", false, func(b *binding) any { return render(stage, st.stage(b.Stage)) }},
		{"evaluate_on_plan", "", "", true, func(b *binding) any { return b.EvaluateOnPlan }},
		{"re_evaluate_policies", "", "", true, func(b *binding) any { return b.ReEvaluatePolicies }},
		{"order", "", "", true, func(b *binding) any { return b.Order }},
		{"policy_engine_mode", "", "", true, func(b *binding) any { return string(b.PolicyEngineMode) }},
		{"invalid_response_action", "", "", true, func(b *binding) any { return string(b.InvalidResponseAction) }},
	}
}

// stageFields returns the fields of a stage in authentik's order.
func (st *store) stageFields() []field[authentik.Stage] {
	type stage = authentik.Stage
	flow := flowSetFields(st.rules)
	return []field[stage]{
		{"pk", "", "", true, func(s *stage) any { return s.PK }},
		{"name", "", "", true, func(s *stage) any { return s.Name }},
		{"component", "", "", false, func(s *stage) any { return s.Component }},
		{"verbose_name", "", "", false, func(s *stage) any { return s.VerboseName }},
		{"verbose_name_plural", "", "", false, func(s *stage) any { return s.VerboseNamePlural }},
		{"meta_model_name", "", "", false, func(s *stage) any { return s.MetaModelName }},
		{"flow_set", "", "", false, func(s *stage) any {
			flows := []object{}
			for _, f := range st.flows {
				for _, bound := range f.Stages { // a stage may be bound repeatedly
					if bound == s.PK {
						flows = append(flows, render(flow, f))
					}
				}
			}
			return flows
		}},
	}
}

// choice is a value of an enum, and the first release that has it.
type choice struct{ value, since string }

// The values of each enum in authentik's order. The first one is the default,
// except for policyEngineModes.
var (
	designations = []choice{
		{"authentication", ""},
		{"authorization", ""},
		{"invalidation", ""},
		{"enrollment", ""},
		{"unenrollment", ""},
		{"recovery", ""},
		{"stage_configuration", ""},
	}
	deniedActions = []choice{{"message_continue", ""}, {"message", ""}, {"continue", ""}}
	layouts       = []choice{
		{"stacked", ""},
		{"content_left", ""},
		{"content_right", ""},
		{"sidebar_left", ""},
		{"sidebar_right", ""},
		{"sidebar_left_frame_background", "2026.2"},
		{"sidebar_right_frame_background", "2026.2"},
	}
	authentications = []choice{
		{"none", ""},
		{"require_authenticated", ""},
		{"require_unauthenticated", ""},
		{"require_superuser", ""},
		{"require_redirect", "2024.12"},
		{"require_outpost", "2023.10.7"}, // as recorded of a server on its way to 2024.2
		{"require_token", "2026.5"},
	}
	policyEngineModes      = []choice{{"all", ""}, {"any", ""}}
	invalidResponseActions = []choice{{"retry", ""}, {"restart", ""}, {"restart_with_context", ""}}
)

func allowed(r rules, choices []choice, value string) bool {
	return slices.ContainsFunc(choices, func(c choice) bool {
		return c.value == value && (c.since == "" || r.since(c.since))
	})
}
