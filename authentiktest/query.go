package authentiktest

import (
	"fmt"
	"math"
	"math/big"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/seed-299d42e7/authentik-go"
)

// table is a model as the API lists and retrieves it.
type table[T any] struct {
	rules
	model      string // as a 404 calls it
	permission string
	allow      [2]string // the methods of the list and of an object
	rows       func() []*T
	pk         func(*T) uuid.UUID
	named      func(segment string) func(*T) bool // what a path means; nil: nothing
	render     func(*T) object
	filters    []filter[T]
	search     []func(*T) string
	// orderings are what a list can be ordered by. More or fewer than one
	// value is a join, as in SQL.
	orderings map[string]func(*T) []string
	defaults  []string
}

// filter compares a parameter with each row, or says what is wrong with it.
type filter[T any] struct {
	name  string
	parse func(text string) (keep func(*T) bool, problem string)
}

// problem is an answer in the place of rows.
type problem struct {
	status int
	body   any
}

// filtered are the rows that a request is about, in stored order.
func (t table[T]) filtered(q request) ([]*T, *problem) {
	rows := t.rows()
	search := func() *problem {
		terms, ok := t.terms(q.get("search"))
		if !ok {
			return &problem{http.StatusBadRequest, []string{"Null characters are not allowed."}}
		}
		for _, term := range terms {
			rows = slices.DeleteFunc(slices.Clone(rows), func(row *T) bool {
				return !slices.ContainsFunc(t.search, func(column func(*T) string) bool {
					return strings.Contains(strings.ToUpper(column(row)), strings.ToUpper(term))
				})
			})
		}
		return nil
	}
	if t.searchesFirst {
		if p := search(); p != nil {
			return nil, p
		}
	}
	if everything := q.user.superuser || t.globalPermissions && q.user.may(t.permission); !everything {
		rows = slices.DeleteFunc(slices.Clone(rows), func(row *T) bool { return !q.user.may(t.permission + ":" + t.pk(row).String()) })
		if len(rows) == 0 && t.forbidsList {
			return nil, &problem{http.StatusForbidden, object{{"detail", noPermission}}}
		}
	}
	var wrong object
	for _, f := range t.filters {
		text := strings.TrimSpace(q.get(f.name))
		if text == "" {
			continue
		}
		keep, problem := f.parse(text)
		switch {
		case problem != "":
			wrong = append(wrong, member{f.name, []string{q.say(problem)}})
		case keep != nil:
			rows = slices.DeleteFunc(slices.Clone(rows), func(row *T) bool { return !keep(row) })
		}
	}
	if wrong != nil {
		return nil, &problem{http.StatusBadRequest, wrong}
	}
	if !t.searchesFirst {
		if p := search(); p != nil {
			return nil, p
		}
	}
	return rows, nil
}

// say translates what was recorded in German; the rest stays English.
func (q request) say(text string) string {
	if q.german && text == invalidUUID {
		return "Bitte eine gültige UUID eingeben."
	}
	return text
}

// smartSplit is Django's, which keeps quoted phrases together.
var smartSplit = regexp.MustCompile(`(?:[^\s'"]*(?:(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')[^\s'"]*)+)|\S+`)

// terms are what a search looks for; false if it has a character that is refused.
func (t table[T]) terms(text string) (terms []string, ok bool) {
	switch {
	case len(t.search) == 0:
		return nil, true
	case !t.quotedSearch:
		return strings.Fields(strings.ReplaceAll(strings.ReplaceAll(text, "\x00", ""), ",", " ")), true
	case strings.ContainsRune(text, 0):
		return nil, false
	}
	for _, term := range smartSplit.FindAllString(text, -1) {
		term = strings.Trim(term, ",")
		if n := len(term); n > 1 && (term[0] == '"' || term[0] == '\'') && term[n-1] == term[0] {
			quote := term[:1]
			terms = append(terms, strings.ReplaceAll(strings.ReplaceAll(term[1:n-1], `\`+quote, quote), `\\`, `\`))
			continue
		}
		for word := range strings.SplitSeq(term, ",") {
			if word != "" {
				terms = append(terms, word)
			}
		}
	}
	return terms, true
}

func (t table[T]) retrieve(q request) reply {
	if a, refused := q.refused(t.rules, t.allow[1], true); refused {
		return a
	}
	row, p := t.one(q)
	if p != nil {
		return q.json(t.rules, t.allow[1], p.status, p.body)
	}
	return q.json(t.rules, t.allow[1], http.StatusOK, t.render(row))
}

// usedBy is the answer for a model that nothing refers to.
func (t table[T]) usedBy(q request) reply {
	if a, refused := q.refused(t.rules, readOnly, true); refused {
		return a
	}
	if _, p := t.one(q); p != nil {
		return q.json(t.rules, readOnly, p.status, p.body)
	}
	return q.json(t.rules, readOnly, http.StatusOK, []object{})
}

// one is the object that the path names. The query narrows it, too.
func (t table[T]) one(q request) (*T, *problem) {
	rows, p := t.filtered(q)
	if p != nil {
		return nil, p
	}
	missing := "Not found."
	if t.namesMissing {
		missing = fmt.Sprintf("No %s matches the given query.", t.model)
	}
	is := t.named(q.segment(2))
	if is == nil {
		missing = "Not found." // it is not even looked for
	} else if i := slices.IndexFunc(rows, is); i >= 0 {
		return rows[i], nil
	}
	return nil, &problem{http.StatusNotFound, object{{"detail", missing}}}
}

func (t table[T]) list(q request) reply {
	if a, refused := q.refused(t.rules, t.allow[0], false); refused {
		return a
	}
	found, p := t.filtered(q)
	if p != nil {
		return q.json(t.rules, t.allow[0], p.status, p.body)
	}
	ordering := t.ordering(q.get("ordering"))
	size := t.pageSize(q)
	if size == 0 || slices.Contains(ordering, brokenOrdering) || slices.Contains(ordering, "-"+brokenOrdering) {
		return html(http.StatusInternalServerError)
	}
	pages := max(1, (len(found)+size-1)/size)
	var current int
	ok := true
	switch number := strings.TrimSpace(q.get("page")); {
	case !q.query.Has("page"), number == "" && t.emptyPageIsFirst:
		current = 1
	case number == "last":
		current = pages
	default:
		var err error
		current, err = strconv.Atoi(number)
		ok = err == nil
	}
	if !ok || current < 1 || current > pages {
		return q.detail(t.rules, t.allow[0], http.StatusNotFound, "Invalid page.")
	}
	first := (current - 1) * size
	last := min(first+size, len(found))
	results := []object{}
	for _, row := range t.page(found, ordering, first, last-first) {
		results = append(results, t.render(row))
	}
	numbers := object{
		{"next", 0},
		{"previous", current - 1},
		{"count", len(found)},
		{"current", current},
		{"total_pages", pages},
		{"start_index", min(first+1, len(found))},
		{"end_index", last},
	}
	if current < pages {
		numbers[0].value = current + 1
	}
	body := object{{"pagination", numbers}, {"results", results}}
	if !t.bareResults {
		body = append(body, member{"autocomplete", object{}})
	}
	a := q.json(t.rules, t.allow[0], http.StatusOK, body)
	a.page = current
	return a
}

// ordering are the fields of a parameter that a list may be ordered by; the
// rest is ignored.
func (t table[T]) ordering(text string) (fields []string) {
	for field := range strings.SplitSeq(text, ",") {
		field = strings.TrimSpace(field)
		if name := strings.TrimPrefix(field, "-"); t.orderings[name] != nil {
			fields = append(fields, field)
		}
	}
	if fields == nil {
		return t.defaults
	}
	return fields
}

// pageSize is how many rows are on a page; 0 is what the server stumbles over.
func (t table[T]) pageSize(q request) int {
	if !q.query.Has("page_size") {
		return t.defaultPageSize
	}
	text := strings.TrimSpace(q.get("page_size"))
	size, err := strconv.Atoi(text)
	switch {
	case err != nil && len(strings.Trim(text, "0123456789")) == 0 && text != "":
		size = math.MaxInt32 // longer than an int
	case err != nil || size < 1:
		if t.badPageSizeFails {
			return 0
		}
		return t.defaultPageSize
	}
	if t.maxPageSize > 0 {
		return min(size, t.maxPageSize)
	}
	return min(size, math.MaxInt32)
}

// page orders rows and takes limit of them. A field that joins makes several
// rows of one, and so others fall off the end.
func (t table[T]) page(found []*T, ordering []string, offset, limit int) (on []*T) {
	rows := make([]row[T], len(found))
	for i, of := range found {
		rows[i].of = of
	}
	var descending []bool
	for _, field := range ordering {
		name := strings.TrimPrefix(field, "-")
		descending = append(descending, name != field)
		var joined []row[T]
		for _, r := range rows {
			values := t.orderings[name](r.of)
			if len(values) == 0 {
				values = []string{"\xff\xff"} // NULL, the last one
			}
			for _, value := range values {
				joined = append(joined, row[T]{r.of, append(slices.Clip(r.keys), value)})
			}
		}
		rows = joined
	}
	if len(ordering) > 0 {
		rows = page(rows, descending, offset, limit)
	} else {
		rows = rows[offset : offset+limit]
	}
	for _, r := range rows {
		on = append(on, r.of)
	}
	return on
}

// bytewise makes values compare as bytes the way they compare in the database.
func bytewise(value any) string {
	switch value := value.(type) {
	case uuid.UUID:
		return string(value[:])
	case bool:
		return strconv.FormatBool(value) // false, true
	case int:
		return fmt.Sprintf("%012d", value+1<<31) // a database's integer has 32 bits
	case string:
		return value
	}
	panic("authentiktest: nothing to order by")
}

func sortable[T any](fields []field[T]) map[string]func(*T) []string {
	orderings := map[string]func(*T) []string{}
	for _, f := range fields {
		if f.sortable {
			orderings[f.key] = func(of *T) []string { return []string{bytewise(f.value(of))} }
		}
	}
	return orderings
}

// The parameters that filter.

const invalidUUID = "Enter a valid UUID."

// parseUUID reads a UUID as Python does: in any case, with or without dashes.
func parseUUID(text string) *uuid.UUID {
	hex := strings.ReplaceAll(strings.Trim(strings.ReplaceAll(strings.ReplaceAll(text, "urn:", ""), "uuid:", ""), "{}"), "-", "")
	if len(hex) != 32 {
		return nil
	}
	id, err := uuid.Parse(hex)
	if err != nil {
		return nil
	}
	return &id
}

func byUUID[T any](name string, of func(*T) uuid.UUID) filter[T] {
	return filter[T]{name, func(text string) (func(*T) bool, string) {
		id := parseUUID(text)
		if id == nil {
			return nil, invalidUUID
		}
		return func(row *T) bool { return of(row) == *id }, ""
	}}
}

func byText[T any](name string, of func(*T) string) filter[T] {
	return filter[T]{name, func(text string) (func(*T) bool, string) {
		if strings.ContainsRune(text, 0) {
			return nil, "Null characters are not allowed."
		}
		return func(row *T) bool { return of(row) == text }, ""
	}}
}

func byChoice[T any](r rules, name string, choices []choice, of func(*T) string) filter[T] {
	return filter[T]{name, func(text string) (func(*T) bool, string) {
		if !allowed(r, choices, text) {
			return nil, fmt.Sprintf("Select a valid choice. %s is not one of the available choices.", text)
		}
		return func(row *T) bool { return of(row) == text }, ""
	}}
}

// byObject is a filter by an object that must exist.
func byObject[T any](name string, exists func(uuid.UUID) bool, of func(*T) uuid.UUID) filter[T] {
	return filter[T]{name, func(text string) (func(*T) bool, string) {
		id := parseUUID(text)
		switch {
		case id == nil:
			return nil, fmt.Sprintf("“%s” is not a valid UUID.", text)
		case !exists(*id):
			return nil, "Select a valid choice. That choice is not one of the available choices."
		}
		return func(row *T) bool { return of(row) == *id }, ""
	}}
}

// byBool ignores what is neither true nor false.
func byBool[T any](name string, of func(*T) bool) filter[T] {
	return filter[T]{name, func(text string) (func(*T) bool, string) {
		switch strings.ToLower(text) {
		case "true":
			return of, ""
		case "false":
			return func(row *T) bool { return !of(row) }, ""
		}
		return nil, ""
	}}
}

var number = regexp.MustCompile(`^[+-]?(\d+\.?\d*|\.\d+)$`)

func byNumber[T any](name string, of func(*T) int) filter[T] {
	return filter[T]{name, func(text string) (func(*T) bool, string) {
		wanted, ok := new(big.Rat).SetString(text)
		if !ok || !number.MatchString(text) {
			return nil, "Enter a number."
		}
		return func(row *T) bool { return wanted.Cmp(new(big.Rat).SetInt64(int64(of(row)))) == 0 }, ""
	}}
}

// byPK is for paths that have an identifier.
func byPK[T any](pk func(*T) uuid.UUID) func(string) func(*T) bool {
	return func(segment string) func(*T) bool {
		id := parseUUID(segment)
		if id == nil {
			return nil
		}
		return func(row *T) bool { return pk(row) == *id }
	}
}

// The models.

func (st *store) flowTable() table[authentik.Flow] {
	type flow = authentik.Flow
	fields := fieldsIn(st.rules, flowFields)
	name, slug, title := func(f *flow) string { return f.Name }, func(f *flow) string { return f.Slug }, func(f *flow) string { return f.Title }
	designation, denied := func(f *flow) string { return string(f.Designation) }, func(f *flow) string { return string(f.DeniedAction) }
	t := table[flow]{
		rules: st.rules, model: "Flow", permission: "authentik_flows.view_flow",
		allow:  [2]string{"GET, POST, HEAD, OPTIONS", "GET, PUT, PATCH, DELETE, HEAD, OPTIONS"},
		rows:   func() []*flow { return st.flows },
		pk:     func(f *flow) uuid.UUID { return f.PK },
		named:  func(segment string) func(*flow) bool { return func(f *flow) bool { return f.Slug == segment } },
		render: func(f *flow) object { return render(fields, f) },
		filters: []filter[flow]{
			byUUID("flow_uuid", func(f *flow) uuid.UUID { return f.PK }), byText("name", name), byText("slug", slug),
			byChoice(st.rules, "designation", designations, designation),
		},
		search:    []func(*flow) string{name, slug, designation, title},
		orderings: sortable(fields),
		defaults:  []string{"slug", "name"},
	}
	t.orderings["stages"] = func(f *flow) (ids []string) { return bytewiseAll(f.Stages) }
	t.orderings["policies"] = func(f *flow) (ids []string) { return bytewiseAll(f.Policies) }
	if st.since("2022.7") {
		t.filters = append(t.filters, byChoice(st.rules, "denied_action", deniedActions, denied))
		t.search = append(t.search, denied)
	}
	return t
}

func bytewiseAll(ids []uuid.UUID) (values []string) {
	for _, id := range ids {
		values = append(values, bytewise(id))
	}
	return values
}

func (st *store) bindingTable() table[authentik.FlowStageBinding] {
	type binding = authentik.FlowStageBinding
	fields := fieldsIn(st.rules, bindingFields)
	stage := st.stageTable().render
	t := table[binding]{
		rules: st.rules, model: "FlowStageBinding", permission: "authentik_flows.view_flowstagebinding",
		allow: [2]string{"GET, POST, HEAD, OPTIONS", "GET, PUT, PATCH, DELETE, HEAD, OPTIONS"},
		rows:  func() []*binding { return st.bindings },
		pk:    func(b *binding) uuid.UUID { return b.PK },
		named: byPK(func(b *binding) uuid.UUID { return b.PK }),
		render: func(b *binding) object {
			return slices.Insert(render(fields, b), 4, member{"stage_obj", stage(st.stage(b.Stage))})
		},
		filters: []filter[binding]{
			byUUID("pbm_uuid", func(b *binding) uuid.UUID { return b.PolicyBindingModelPtrID }),
			byChoice(st.rules, "policy_engine_mode", policyEngineModes, func(b *binding) string { return string(b.PolicyEngineMode) }),
			byUUID("fsb_uuid", func(b *binding) uuid.UUID { return b.PK }),
			byObject("target", func(id uuid.UUID) bool { return st.flowByPK(id) != nil }, func(b *binding) uuid.UUID { return b.Target }),
			byObject("stage", func(id uuid.UUID) bool { return st.stage(id) != nil }, func(b *binding) uuid.UUID { return b.Stage }),
			byBool("evaluate_on_plan", func(b *binding) bool { return b.EvaluateOnPlan }),
			byBool("re_evaluate_policies", func(b *binding) bool { return b.ReEvaluatePolicies }),
			byNumber("order", func(b *binding) int { return b.Order }),
			byChoice(st.rules, "invalid_response_action", invalidResponseActions, func(b *binding) string { return string(b.InvalidResponseAction) }),
		},
		orderings: sortable(fields),
		defaults:  st.bindingDefault,
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
	fields, flowSet := fieldsIn(st.rules, stageFields), flowSetFields(st.rules)
	name := func(s *stage) string { return s.Name }
	return table[stage]{
		rules: st.rules, model: "Stage", permission: "authentik_flows.view_stage",
		allow: [2]string{readOnly, "GET, DELETE, HEAD, OPTIONS"},
		rows:  func() []*stage { return st.stages },
		pk:    func(s *stage) uuid.UUID { return s.PK },
		named: byPK(func(s *stage) uuid.UUID { return s.PK }),
		render: func(s *stage) object {
			flows := []object{}
			for _, flow := range st.flows {
				if slices.Contains(flow.Stages, s.PK) {
					flows = append(flows, render(flowSet, flow))
				}
			}
			return append(render(fields, s), member{"flow_set", flows})
		},
		filters:   []filter[stage]{byText("name", name)},
		search:    []func(*stage) string{name},
		orderings: sortable(fields),
	}
}
