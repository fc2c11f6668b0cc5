package authentiktest

import (
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/seed-299d42e7/authentik-go"
)

// yamlTag is a value of a blueprint that stands for another one: !KeyOf or
// !Find.
type yamlTag struct {
	name  string
	value any
}

// tags are the tags that the fake knows beside !Env.
var tags = []string{"KeyOf", "Find"}

// resolve returns a value with what its tags stand for, or why a tag stands
// for nothing.
func (im *importer) resolve(value any) (is any, problem string) {
	switch value := value.(type) {
	case yamlTag:
		inner, problem := im.resolve(value.value)
		if problem != "" {
			return nil, problem
		}
		if value.name == "Find" {
			return im.found(inner), ""
		}
		pk, ok := im.ids[pyString(inner)]
		if !ok {
			return nil, "KeyOf: failed to find entry with `id` of `" + pyString(inner) + "` and a model instance"
		}
		return pk.String(), ""
	case object:
		copied := object{}
		for _, m := range value {
			if m.value, problem = im.resolve(m.value); problem != "" {
				return nil, problem
			}
			copied = append(copied, m)
		}
		return copied, ""
	case []any:
		copied := make([]any, len(value))
		for i := range value {
			if copied[i], problem = im.resolve(value[i]); problem != "" {
				return nil, problem
			}
		}
		return copied, ""
	}
	return value, ""
}

// found returns the identifier of the object that !Find names by a model and
// fields, or nil.
func (im *importer) found(value any) any {
	list, _ := value.([]any)
	if len(list) == 0 {
		return nil
	}
	wanted := object{}
	for _, condition := range list[1:] {
		if pair, _ := condition.([]any); len(pair) == 2 {
			wanted = wanted.with(pyString(pair[0]), pair[1])
		}
	}
	for _, candidate := range im.candidates(pyString(list[0])) {
		if !slices.ContainsFunc(wanted, func(m member) bool {
			has, ok := candidate.get(m.key)
			return !ok || pyString(has) != pyString(m.value)
		}) {
			pk, _ := candidate.get("pk")
			return pk
		}
	}
	return nil
}

// candidates returns what an object of a model can be found by.
func (im *importer) candidates(model string) (all []object) {
	if model == flowModel {
		for _, f := range im.flows {
			all = append(all, object{
				{"pk", f.PK.String()}, {"slug", f.Slug}, {"name", f.Name}, {"designation", string(f.Designation)},
			})
		}
	}
	for _, s := range im.stages {
		if model == s.MetaModelName || model == "authentik_flows.stage" {
			all = append(all, object{{"pk", s.PK.String()}, {"name", s.Name}})
		}
	}
	for _, t := range im.things {
		if model == t.model || model == "authentik_policies.policy" && strings.HasPrefix(t.model, policyModels) {
			all = append(all, object{{"pk", t.pk.String()}, {"name", t.name()}})
		}
	}
	return all
}

// skipped reports whether an entry has a condition that is not met.
func skipped(document object) bool {
	conditions, _ := document.get("conditions")
	list, _ := conditions.([]any)
	return slices.ContainsFunc(list, func(condition any) bool {
		switch condition := condition.(type) {
		case nil:
			return true
		case bool:
			return !condition
		case string:
			return condition == ""
		case number:
			return condition.text == "0" || condition.text == "0.0"
		case []any:
			return len(condition) == 0
		case object:
			return len(condition) == 0
		}
		return false
	})
}

// existing returns the object that an entry identifies, and what deletes the
// object.
func (im *importer) existing(e entry, data object) (pk uuid.UUID, remove func()) {
	switch {
	case e.model == flowModel:
		slug, _ := data.get("slug")
		own := im.flowByPK(e.uuid("pk"))
		if own == nil {
			own = im.flow(pyString(slug))
		}
		if own != nil {
			return own.PK, func() { im.removeFlow(own) }
		}
	case e.model == bindingModel:
		if own := im.identifiedBinding(e, data); own != nil {
			return own.PK, func() { im.removeBinding(own) }
		}
	case e.model == policyBindingModel:
		sent, _ := validate(validator{im.rules, "PolicyBinding", true}, im.policyBindingFacts(), data)
		if own := im.identifiedLink(e, sent); own != nil {
			return own.pk, func() { im.links = without(im.links, own) }
		}
	case im.stageType(e.model) != nil:
		name, _ := data.get("name")
		own := find(im.stages, func(s *authentik.Stage) bool {
			return s.MetaModelName == e.model && (s.PK == e.uuid("pk") || s.Name == name)
		})
		if own != nil {
			return own.PK, func() { im.removeStage(own) }
		}
	default:
		if own := im.identifiedThing(e); own != nil {
			return own.pk, func() {
				im.things = without(im.things, own)
				im.links = slices.DeleteFunc(im.links, func(b *policyBinding) bool { return b.policy == own.pk })
			}
		}
	}
	return uuid.Nil, nil
}

// identifiedThing returns the policy or prompt that an entry identifies.
func (im *importer) identifiedThing(e entry) *thing {
	if own := im.thing(e.uuid("pk")); own != nil {
		return own
	}
	name, named := e.identifiers.get("name")
	return find(im.things, func(t *thing) bool { return named && t.model == e.model && t.name() == pyString(name) })
}

// identifiedLink returns the policy binding that an entry identifies.
func (im *importer) identifiedLink(e entry, sent values) *policyBinding {
	return find(im.links, func(b *policyBinding) bool {
		return b.pk == e.uuid("pk") || b.policy == sent["policy"] && b.target == sent["target"] && b.order == sent["order"]
	})
}

// identifiedBinding returns the binding that an entry identifies.
func (im *importer) identifiedBinding(e entry, data object) *authentik.FlowStageBinding {
	if own := im.binding(e.uuid("pk")); own != nil {
		return own
	}
	sent, _ := validate(validator{im.rules, "FlowStageBinding", true}, im.bindingFacts(nil), data)
	return find(im.bindings, func(b *authentik.FlowStageBinding) bool {
		return b.Target == sent["target"] && b.Stage == sent["stage"] && b.Order == sent["order"]
	})
}

// inState brings the object of an entry to the state that the entry wants.
func (im *importer) inState(
	document object, e entry, data object, save func(entry, object) (saved, []refusals),
) (saved, []refusals) {
	wanted, _ := document.get("state")
	state, _ := wanted.(string)
	pk, remove := im.existing(e, data)
	switch {
	case remove == nil:
	case state == "absent":
		remove()
		im.logSaved(e, saved{pk: pk, deleted: true})
		return saved{}, nil
	case state == "created":
		return saved{pk: pk}, nil
	case state == "must_created":
		var all []refusals
		for _, m := range e.identifiers {
			all = append(all, refusals{m.key, []refusal{{mustCreated, "unique"}}})
		}
		return saved{}, all
	}
	of, refused := save(e, data)
	switch {
	case refused != nil:
		return saved{}, refused
	case state == "absent": // there was nothing to delete
		if _, remove = im.existing(e, data); remove != nil {
			remove()
		}
		return saved{}, nil
	}
	im.logSaved(e, of)
	return of, nil
}

const mustCreated = "State is set to BlueprintEntryDesiredState.MUST_CREATED and object exists already"
