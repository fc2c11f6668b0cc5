package authentiktest

import (
	"math"
	"net/http"
	"regexp"
	"strings"

	"github.com/seed-299d42e7/authentik-go"
)

// options handles OPTIONS, whose response describes the fields that the user
// may write.
func (t table[T]) options(q request) reply {
	if a, refused := q.barred(); refused {
		return a
	}
	suffix, method := " List", post
	if q.single {
		suffix, method = " Instance", put
	}
	o := object{
		{"name", strings.TrimSpace(capital.ReplaceAllString(t.model, " $0")) + suffix},
		{"description", t.model + " Viewset"},
		{"renders", []string{"application/json"}},
		{"parses", []string{"application/json"}},
	}
	if t.describe != nil && t.permits(q, method) {
		o = append(o, member{"actions", object{{method, t.describe()}}})
	}
	return q.json(http.StatusOK, o)
}

var capital = regexp.MustCompile(`[A-Z]`)

// permits reports whether the user may send another method to the same path.
func (t table[T]) permits(q request, method string) bool {
	q.Request = q.WithContext(q.Context())
	q.Method = method
	if !q.single {
		_, refused := q.refusedTo()
		return !refused
	}
	_, problem := t.writable(q)
	return problem == nil
}

// helpTexts are what authentik says about fields.
var helpTexts = map[string]string{
	"slug":  "Visible in the URL.",
	"title": "Shown as the Title in Flow pages.",
	"designation": "Decides what this Flow is used for. For example, the Authentication flow is redirect to " +
		"when an un-authenticated user visits authentik.",
	"background": "Background shown during execution",
	"compatibility_mode": "Enable compatibility mode, increases compatibility with password managers on " +
		"mobile devices.",
	"denied_action":    "Configure what should happen when a flow denies access to a user.",
	"authentication":   "Required level of authentication and authorization to access a flow.",
	"evaluate_on_plan": "Evaluate policies during the Flow planning process.",
	"invalid_response_action": "Configure how the flow executor should handle an invalid response to a " +
		"challenge. RETRY returns the error message and a similar challenge to the executor. RESTART restarts the " +
		"flow from the beginning, and RESTART_WITH_CONTEXT restarts the flow while keeping the current context.",
}

func (r rules) helpText(key string) string {
	switch {
	case key == "re_evaluate_policies" && r.since("2025.10"):
		return "Evaluate policies when the Stage is presented to the user."
	case key == "re_evaluate_policies":
		return "Evaluate policies when the Stage is present to the user."
	}
	return helpTexts[key]
}

// described returns the description of a field, before what depends on its
// type.
func described(kind string, required, readOnly bool, label string) object {
	return object{{"type", kind}, {"required", required}, {"read_only", readOnly}, {"label", label}}
}

// label returns the words of a key.
func label(key string) string {
	words := strings.ReplaceAll(key, "_", " ")
	return strings.ToUpper(words[:1]) + words[1:]
}

// describe returns the description of the fields of a model. nested has those
// that are objects themselves.
func describe[T any](r rules, pk string, fields []field[T], facts []fact[T], nested map[string]object) object {
	all := object{}
	for _, f := range fields {
		o := described("field", false, true, label(f.key))
		fact := find(pointers(facts), func(fact *fact[T]) bool { return fact.key == f.key })
		switch {
		case f.key == "pk":
			o = described("string", false, true, pk)
		case nested[f.key] != nil:
			o = nested[f.key]
		case fact != nil:
			o = describeFact(r, *fact)
		}
		all = append(all, member{f.key, o})
	}
	return all
}

func pointers[T any](all []T) (to []*T) {
	for i := range all {
		to = append(to, &all[i])
	}
	return to
}

func describeFact[T any](r rules, f fact[T]) object {
	kind := map[kind]string{choiceOf: "choice", boolean: "boolean", integer: "integer", reference: "field"}[f.kind]
	if kind == "" {
		kind = "string"
	}
	if f.kind == slugText && !r.since("2025.12") {
		kind = "slug"
	}
	o := described(kind, f.required, false, label(f.key))
	if help := r.helpText(f.key); help != "" {
		o = append(o, member{"help_text", help})
	}
	if f.maxLength > 0 {
		o = append(o, member{"max_length", f.maxLength})
	}
	if f.kind == integer {
		o = append(o, member{"min_value", math.MinInt32}, member{"max_value", math.MaxInt32})
	}
	if f.kind == choiceOf {
		o = append(o, member{"choices", r.describeChoices(f.choices)})
	}
	return o
}

func (r rules) describeChoices(choices []choice) []object {
	all := []object{}
	for _, c := range choices {
		if c.since == "" || r.since(c.since) {
			all = append(all, object{{"value", c.value}, {"display_name", r.choiceName(c.value)}})
		}
	}
	return all
}

// choiceName returns how authentik names a value.
func (r rules) choiceName(value string) string {
	switch value {
	case "all", "any":
		name := value
		if !r.since("2023.10") {
			name = strings.ToUpper(value)
		}
		return name + ", " + value + map[string]string{"all": " policies", "any": " policy"}[value] + " must pass"
	case "unenrollment":
		return "Unrenollment"
	}
	words := strings.Split(value, "_")
	for i := range words {
		words[i] = label(words[i])
	}
	return strings.Join(words, " ")
}

func (st *store) describeFlow() object {
	themed := object{
		{"light", described("string", false, false, "Light")}, {"dark", described("string", false, false, "Dark")},
	}
	return describe(st.rules, "Flow uuid", fieldsIn(st.rules, flowFields), st.flowFacts(nil), map[string]object{
		"background_themed_urls": append(described("nested object", false, true, "Background themed urls"),
			member{"children", themed}),
	})
}

func (st *store) describeBinding() object {
	readOnly := st.since("2025.12")
	flow := object{
		{"type", "nested object"},
		{"required", false},
		{"read_only", readOnly},
		{"children", describe(st.rules, "Flow uuid", flowSetFields(st.rules), st.flowFacts(nil), nil)},
	}
	stage := describe(st.rules, "Stage uuid", fieldsIn(st.rules, st.stageFields()),
		[]fact[authentik.Stage]{{key: "name", required: true}}, map[string]object{
			"flow_set": append(described("field", false, readOnly, "Flow set"), member{"child", flow}),
		})
	return describe(st.rules, "Fsb uuid", fieldsIn(st.rules, st.bindingFields()), st.bindingFacts(nil), map[string]object{
		"stage_obj": append(described("nested object", false, true, "Stage obj"), member{"children", stage}),
	})
}
