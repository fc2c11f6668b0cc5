package authentiktest

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/seed-299d42e7/authentik-go"
)

// entry is an object of an export.
type entry struct {
	model              string
	identifiers, attrs object
}

const (
	flowModel          = "authentik_flows.flow"
	bindingModel       = "authentik_flows.flowstagebinding"
	policyBindingModel = "authentik_policies.policybinding"
	promptModel        = "authentik_stages_prompt.prompt"
	stageModels        = "authentik_stages_"
	policyModels       = "authentik_policies_"
	expressionPolicy   = "authentik_policies_expression.expressionpolicy"
)

// policyNames are the verbose names of the policies.
var policyNames = map[string]string{
	"authentik_policies_dummy.dummypolicy":                "Dummy Policy",
	"authentik_policies_event_matcher.eventmatcherpolicy": "Event Matcher Policy",
	"authentik_policies_expiry.passwordexpirypolicy":      "Password Expiry Policy",
	expressionPolicy:                                          "Expression Policy",
	"authentik_policies_geoip.geoippolicy":                    "GeoIP Policy",
	"authentik_policies_password.passwordpolicy":              "Password Policy",
	"authentik_policies_reputation.reputationpolicy":          "Reputation Policy",
	"authentik_policies_unique_password.uniquepasswordpolicy": "Password Uniqueness Policy",
}

func verboseName(model string) string { return policyNames[model] }

// stageType is what stages/all/types returns for a model of stages.
type stageType struct {
	Name      string `json:"name"`
	Component string `json:"component"`
	ModelName string `json:"model_name"`
}

// stageType returns the type of a model of stages, or nil.
func (st *store) stageType(model string) *stageType {
	app, name, _ := strings.Cut(model, ".")
	var types []*stageType
	if err := json.Unmarshal(st.types, &types); err != nil {
		panic(err) // our own file
	}
	if !strings.HasPrefix(app, stageModels) {
		return nil
	}
	types = append(types, &stageType{"Dummy Stage", "ak-stage-dummy-form", "dummystage"}) // which no list shows
	return find(types, func(t *stageType) bool { return t.ModelName == name })
}

// newStage returns a stage of a model.
func (st *store) newStage(model string) *authentik.Stage {
	kind := st.stageType(model)
	return &authentik.Stage{
		Component: kind.Component, VerboseName: kind.Name, VerboseNamePlural: kind.Name + "s", MetaModelName: model,
	}
}

// modelDefaults are the fields of models as a new object has them, as far as a
// recording shows them. Fields that only newer releases have are left out.
var modelDefaults = map[string]object{
	"authentik_stages_dummy.dummystage":   {{"throw_error", false}},
	"authentik_stages_deny.denystage":     {{"deny_message", ""}},
	"authentik_stages_prompt.promptstage": {{"fields", []any{}}, {"validation_policies", []any{}}},
	"authentik_stages_user_login.userloginstage": {
		{"session_duration", "seconds=0"},
		{"terminate_other_sessions", false},
		{"remember_me_offset", "seconds=0"},
		{"network_binding", "no_binding"},
		{"geoip_binding", "no_binding"},
		{"remember_device", "days=30"},
	},
	"authentik_stages_user_write.userwritestage": {
		{"user_creation_mode", "create_when_required"},
		{"create_users_as_inactive", false},
		{"create_users_group", nil},
		{"user_type", "external"},
		{"user_path_template", ""},
	},
	expressionPolicy: {{"execution_logging", false}},
	policyBindingModel: {
		{"negate", false},
		{"enabled", true},
		{"timeout", number{"30", false}},
		{"failure_result", false},
		{"group", nil},
		{"user", nil},
	},
}

// complete returns the settings of an object with those that it lacks.
func complete(model string, settings object) object {
	all := slices.Clone(settings)
	for _, m := range modelDefaults[model] {
		if _, ok := all.get(m.key); !ok {
			all = append(all, m)
		}
	}
	return all
}

func (st *store) loadEntry(raw json.RawMessage) {
	value, problem := parseJSON(string(raw), false)
	if problem != "" {
		panic(problem) // our own file
	}
	document, _ := value.(object)
	e := entryOf(document)
	pk := e.uuid("pk")
	switch stage := st.stage(pk); {
	case e.model == policyBindingModel:
		order, _ := e.identifiers.get("order")
		link := &policyBinding{pk: pk, policy: e.uuid("policy"), target: e.uuid("target"), settings: e.attrs}
		whole, _ := asInteger(order)
		link.order, _ = whole.(int)
		st.insertPolicyBinding(link)
	case stage != nil:
		st.settings[pk] = e.attrs
	default:
		st.things = append(st.things, &thing{model: e.model, pk: pk, settings: e.attrs})
	}
}

// entryOf returns the entry of a document.
func entryOf(o object) (e entry) {
	model, _ := o.get("model")
	identifiers, _ := o.get("identifiers")
	attrs, _ := o.get("attrs")
	e.model, _ = model.(string)
	e.identifiers, _ = identifiers.(object)
	e.attrs, _ = attrs.(object)
	return e
}

// uuid returns an identifier of the entry.
func (e entry) uuid(key string) uuid.UUID {
	value, _ := e.identifiers.get(key)
	if id := parseUUID(pyString(value)); id != nil {
		return *id
	}
	return uuid.Nil
}
