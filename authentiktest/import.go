package authentiktest

import (
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/seed-299d42e7/authentik-go"
)

// importPermissions are the permissions that an import requires beside add_flow.
var importPermissions = []string{
	"authentik_flows.change_flow", "authentik_flows.add_flowstagebinding", "authentik_flows.change_flowstagebinding",
	"authentik_flows.add_stage", "authentik_flows.change_stage", "authentik_policies.add_policy",
	"authentik_policies.change_policy", "authentik_policies.add_policybinding",
	"authentik_policies.change_policybinding", "authentik_stages_prompt.add_prompt",
	"authentik_stages_prompt.change_prompt",
}

// importFlow handles the three paths of imports. An import that is refused as
// a whole changes nothing.
func (st *store) importFlow(q request) reply {
	if a, refused := q.refusedTo(); refused {
		return a
	}
	if a, refused := q.refusedWithout(importPermissions...); refused {
		return a
	}
	form, problem := q.form()
	if problem != nil {
		return *problem
	}
	content, ok := upload(form)
	switch {
	case len(form.Value["path"]) > 0 && st.since("2026.5"):
		return crash()
	case !ok && st.since("2026.5"):
		return q.json(badRequest, []string{"Either path or file must be set"})
	case !ok:
		return q.imported(badRequest, nil, false)
	case len(content) == 0 && st.since("2026.5"):
		return q.json(badRequest, object{{"file", []string{"The submitted file is empty."}}})
	}
	document, err := parseYAML(content)
	blueprint, isObject := document.(object)
	_, isList := document.([]any)
	switch {
	case isList: // nobody looks into it
		return q.imported(http.StatusOK, nil, true)
	case err != nil || !isObject:
		return crash()
	}
	return st.importBlueprint(q, blueprint)
}

// imported returns the result of an import.
func (q request) imported(status int, logs []object, success bool) reply {
	if logs == nil {
		logs = []object{}
	}
	return q.json(status, object{{"logs", logs}, {"success", success}})
}

func (st *store) importBlueprint(q request, blueprint object) reply {
	if version, ok := blueprint.get("version"); ok && pyString(version) != "1" {
		if !st.since("2022.10") {
			return q.emptyHTML()
		}
		return q.imported(http.StatusOK, st.versionLog(), false)
	}
	entries, _ := blueprint.get("entries")
	list, _ := entries.([]any)
	var documents []object
	for _, e := range list {
		document, isObject := e.(object)
		if !isObject {
			return crash()
		}
		documents = append(documents, document)
	}
	// authentik tries an import and rolls it back, and only then runs it. The
	// logs are those of the trial.
	trial := st.clone().importer(q)
	success := trial.run(documents)
	switch {
	case trial.unknown:
		return unknown(q)
	case success:
		run := st.importer(q)
		run.run(documents)
	case !st.since("2022.10"):
		return q.emptyHTML()
	case !st.since("2023.10"):
		return crash()
	}
	if !st.since("2022.10") {
		return q.done()
	}
	return q.imported(http.StatusOK, trial.logs, success)
}

// clone returns a copy of the objects. It shares the count of identifiers, so
// that none is given twice.
func (st *store) clone() *store {
	c := *st
	c.flowsBySlug, c.flowsByPK = map[string]*authentik.Flow{}, map[uuid.UUID]*authentik.Flow{}
	c.flows = nil
	for _, f := range st.flows {
		c.insertFlow(cloneFlow(f))
	}
	c.stages, c.bindings = cloned(st.stages), cloned(st.bindings)
	c.things, c.links = cloned(st.things), cloned(st.links)
	c.settings = maps.Clone(st.settings)
	return &c
}

func cloned[T any](all []*T) (copies []*T) {
	for _, of := range all {
		copies = append(copies, new(*of))
	}
	return copies
}

// importer runs the entries of a blueprint.
type importer struct {
	*store
	q       request
	moved   map[uuid.UUID]uuid.UUID // identifiers of the blueprint that objects did not get
	ids     map[string]uuid.UUID    // what !KeyOf stands for
	logs    []object
	request string // the identifier of the request
	unknown bool   // whether an entry needs a model that the fake does not have
}

func (st *store) importer(q request) *importer {
	return &importer{store: st, q: q, moved: map[uuid.UUID]uuid.UUID{}, ids: map[string]uuid.UUID{}}
}

// saved is an object that an entry has stored.
type saved struct {
	pk      uuid.UUID
	name    string
	created bool
	deleted bool
	asSent  bool // whether the object has the identifier of the blueprint
}

// otherModel matches models that authentik has and the fake does not.
var otherModel = regexp.MustCompile(`^authentik_(blueprints|brands|core|crypto|endpoints|enterprise|events|` +
	`outposts|providers_\w+|rbac|sources_\w+|tasks|tenants)\.`)

func (im *importer) run(documents []object) bool {
	for _, document := range documents {
		if !skipped(document) && !im.entry(document) {
			return false
		}
	}
	return true
}

// entry runs an entry, and reports whether the entry is valid.
func (im *importer) entry(document object) bool {
	e := entryOf(document)
	save := im.model(e.model)
	if save == nil {
		im.unknown = otherModel.MatchString(e.model)
		im.logUnknown(e.model)
		return false
	}
	value, problem := im.resolve(document)
	if problem != "" {
		im.logProblem(object{{"model", e.model}}, entry{model: e.model}, problem)
		return false
	}
	document, _ = value.(object)
	e = entryOf(document)
	sent, data := e.uuid("pk"), im.data(e)
	e.identifiers = data.only(e.identifiers)
	of, refused := im.inState(document, e, data, save)
	if refused != nil {
		im.logRefused(document, entryOf(document), refused)
		return false
	}
	if of.pk != uuid.Nil && sent != of.pk {
		im.moved[sent] = of.pk
	}
	if id, ok := document.get("id"); ok && of.pk != uuid.Nil {
		im.ids[pyString(id)] = of.pk
	}
	return true
}

// model returns what stores an entry of a model, or nil.
func (im *importer) model(name string) func(entry, object) (saved, []refusals) {
	switch {
	case name == flowModel:
		return im.saveFlow
	case name == bindingModel:
		return im.saveBinding
	case name == policyBindingModel:
		return im.savePolicyBinding
	case name == promptModel, policyNames[name] != "":
		return im.saveThing
	case im.stageType(name) != nil:
		return im.saveStage
	}
	return nil
}

// data returns the fields of an entry, with the identifiers that objects have
// got here.
func (im *importer) data(e entry) object {
	data := object{}
	for _, m := range slices.Concat(e.attrs, e.identifiers) {
		data = data.with(m.key, im.here(m.value))
	}
	return data
}

func (im *importer) here(value any) any {
	switch value := value.(type) {
	case string:
		if id := parseUUID(value); id != nil && im.moved[*id] != uuid.Nil {
			return im.moved[*id].String()
		}
	case []any:
		list := make([]any, len(value))
		for i, element := range value {
			list[i] = im.here(element)
		}
		return list
	}
	return value
}

func (im *importer) saveFlow(e entry, data object) (saved, []refusals) {
	slug, _ := data.get("slug")
	own := im.flowByPK(e.uuid("pk"))
	if own == nil {
		own = im.flow(pyString(slug))
	}
	facts := im.flowFacts(own)
	if !im.since("2025.12") { // the API does not write it, an import does
		facts = slices.Insert(facts, 4, fact[authentik.Flow]{key: "background", set: setBackground})
	}
	sent, refused := validate(validator{im.rules, "Flow", own != nil}, facts, data)
	switch {
	case refused != nil:
		return saved{}, refused
	case own != nil:
		was := *own
		apply(sent, own, facts)
		im.movedFlow(&was, own)
		return saved{pk: own.PK, name: own.Name}, nil
	}
	f := im.newFlow()
	apply(sent, f, facts)
	f.PK = e.uuid("pk")
	f.PolicyBindingModelPtrID = f.PK
	im.insertFlow(f)
	return saved{pk: f.PK, name: f.Name, created: true, asSent: e.uuid("pk") != uuid.Nil}, nil
}

func (im *importer) saveBinding(e entry, data object) (saved, []refusals) {
	own := im.identifiedBinding(e, data)
	facts := im.bindingFacts(nil)
	sent, refused := validate(validator{im.rules, "FlowStageBinding", own != nil}, facts, data)
	if refused != nil {
		return saved{}, refused
	}
	if why := im.checkBinding(own, sent); why != "" {
		return saved{}, []refusals{{nonField, []refusal{{why, "invalid"}}}}
	}
	if own != nil {
		was := *own
		apply(sent, own, facts)
		im.movedBinding(&was, own)
		return saved{pk: own.PK, name: im.bindingName(own)}, nil
	}
	b := im.newBinding()
	apply(sent, b, facts)
	b.PK = e.uuid("pk")
	b.PolicyBindingModelPtrID = b.PK
	im.insertBinding(b)
	return saved{pk: b.PK, name: im.bindingName(b), created: true, asSent: e.uuid("pk") != uuid.Nil}, nil
}

// policyBindingFacts are the facts of a policy binding. Its target is a flow or
// a binding.
func (im *importer) policyBindingFacts() []fact[policyBinding] {
	return []fact[policyBinding]{
		{
			key: "policy", kind: reference, set: valueOf(func(b *policyBinding) *uuid.UUID { return &b.policy }),
			accepts: exists(func(pk uuid.UUID) bool { return im.thing(pk) != nil }),
		},
		{
			key: "target", kind: reference, required: true, set: valueOf(func(b *policyBinding) *uuid.UUID { return &b.target }),
			accepts: exists(func(pk uuid.UUID) bool { return im.flowByPK(pk) != nil || im.binding(pk) != nil }),
		},
		{key: "order", kind: integer, required: true, set: valueOf(func(b *policyBinding) *int { return &b.order })},
	}
}

func (im *importer) savePolicyBinding(e entry, data object) (saved, []refusals) {
	facts := im.policyBindingFacts()
	sent, refused := validate(validator{im.rules, "PolicyBinding", false}, facts, data)
	if refused != nil {
		return saved{}, refused
	}
	own := im.identifiedLink(e, sent)
	if own != nil {
		apply(sent, own, facts)
		own.settings = merged(own.settings, e.attrs)
		im.links = last(im.links, own)
		return saved{pk: own.pk, name: im.linkName(own)}, nil
	}
	b := &policyBinding{pk: e.uuid("pk"), settings: complete(policyBindingModel, e.attrs)}
	apply(sent, b, facts)
	im.identify("policybinding", &b.pk)
	im.insertPolicyBinding(b)
	return saved{pk: b.pk, name: im.linkName(b), created: true, asSent: e.uuid("pk") != uuid.Nil}, nil
}

func (im *importer) saveStage(e entry, data object) (saved, []refusals) {
	name, _ := data.get("name")
	own := find(im.stages, func(s *authentik.Stage) bool {
		return s.MetaModelName == e.model && (s.PK == e.uuid("pk") || s.Name == name)
	})
	free := func(name any) bool {
		return !slices.ContainsFunc(im.stages, func(s *authentik.Stage) bool { return s != own && s.Name == name })
	}
	facts := []fact[authentik.Stage]{{
		key: "name", required: true, accepts: free, set: textOf(func(s *authentik.Stage) *string { return &s.Name }),
	}}
	sent, refused := validate(validator{im.rules, "Stage", own != nil}, facts, data)
	refused = append(refused, im.refusedFlows(data)...)
	if refused != nil {
		return saved{}, refused
	}
	settings := data.only(e.attrs).without("name")
	if own != nil {
		apply(sent, own, facts)
		im.stages = last(im.stages, own)
		im.settings[own.PK] = merged(im.settings[own.PK], settings)
		return saved{pk: own.PK, name: own.Name}, nil
	}
	s := im.newStage(e.model)
	apply(sent, s, facts)
	im.identify("stage", &s.PK)
	im.stages = append(im.stages, s)
	im.settings[s.PK] = complete(e.model, settings)
	return saved{pk: s.PK, name: s.Name, created: true}, nil
}

// refusedFlows returns the refusals of fields that name a flow that is missing.
func (im *importer) refusedFlows(data object) (all []refusals) {
	for _, m := range data {
		if !strings.HasSuffix(m.key, "_flow") || m.value == nil {
			continue
		}
		id := parseUUID(pyString(m.value))
		if id == nil || im.flowByPK(*id) == nil {
			all = append(all, refusals{m.key, []refusal{noObject(m.value)}})
		}
	}
	return all
}

// saveThing stores a policy or a prompt. A new policy gets an identifier of
// its own, as the rows of two tables do.
func (im *importer) saveThing(e entry, data object) (saved, []refusals) {
	own := im.identifiedThing(e)
	isPrompt := e.model == promptModel
	kind := "Policy"
	if isPrompt {
		kind = "Prompt"
	}
	free := func(name any) bool {
		return !slices.ContainsFunc(im.things, func(t *thing) bool {
			return t != own && (t.model == promptModel) == isPrompt && t.name() == name
		})
	}
	facts := []fact[thing]{{key: "name", required: true, accepts: free, set: func(*thing, any) {}}}
	if _, refused := validate(validator{im.rules, kind, own != nil}, facts, data); refused != nil {
		return saved{}, refused
	}
	settings := data.only(e.attrs)
	if name, ok := e.identifiers.get("name"); ok {
		settings = settings.with("name", name)
	}
	if own != nil {
		own.settings = merged(own.settings, settings)
		im.things = last(im.things, own)
		return saved{pk: own.pk, name: own.name()}, nil
	}
	t := &thing{model: e.model, settings: complete(e.model, settings)}
	if isPrompt {
		t.pk = e.uuid("pk")
	}
	im.identify("thing", &t.pk)
	im.things = append(im.things, t)
	return saved{pk: t.pk, name: t.name(), created: true, asSent: isPrompt && t.pk == e.uuid("pk")}, nil
}

// merged returns the settings of an object after an update.
func merged(settings, update object) object {
	settings = slices.Clone(settings)
	for _, m := range update {
		settings = settings.with(m.key, m.value)
	}
	return settings
}

// only returns the members whose keys another object has.
func (o object) only(keys object) object {
	return slices.DeleteFunc(slices.Clone(o), func(m member) bool {
		_, ok := keys.get(m.key)
		return !ok
	})
}

// without returns the other members.
func (o object) without(key string) object {
	return slices.DeleteFunc(slices.Clone(o), func(m member) bool { return m.key == key })
}
