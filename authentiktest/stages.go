package authentiktest

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/seed-299d42e7/authentik-go"
)

// StageSettings is a kind of stage with its settings, such as a
// [PasswordStage].
type StageSettings interface {
	// stage returns the name, which may be "", and how the stage behaves.
	stage() (name string, behavior stageKind)
}

// stageKind is how a kind of stage behaves.
type stageKind struct {
	model string // in kindModels
	since string // the first release that has it; "" is all

	// component is that of the challenge. A stage without one shows nothing:
	// it does its work when a request reaches it.
	component string
	shown     string // the type of the challenge up to 2024.4; "" is native
	user      bool   // whether the challenge names the user

	// enter runs before a GET shows the challenge. It may respond instead.
	enter func(*visit) *reply
	// members returns the rest of the challenge.
	members func(*visit) (object, error)
	// inputs are what a response may have, and check looks at them together.
	inputs func(*visit) []input
	check  func(*visit, answers, *problems)
	// refuse runs before a response that is invalid shows the challenge again.
	// It may respond instead.
	refuse func(*visit) *reply
	// accept runs after a response that is valid.
	accept func(*visit, answers) reply
}

func accepted(v *visit, _ answers) reply { return v.ok() }

// kindModel is what the API says about a kind of stage.
type kindModel struct{ class, verbose string }

var kindModels = map[string]kindModel{
	"authenticator_static":   {"authenticatorstaticstage", "Static Authenticator Setup Stage"},
	"authenticator_totp":     {"authenticatortotpstage", "TOTP Authenticator Setup Stage"},
	"authenticator_validate": {"authenticatorvalidatestage", "Authenticator Validation Stage"},
	"captcha":                {"captchastage", "Captcha Stage"},
	"consent":                {"consentstage", "Consent Stage"},
	"deny":                   {"denystage", "Deny Stage"},
	"dummy":                  {"dummystage", "Dummy Stage"},
	"email":                  {"emailstage", "Email Stage"},
	"identification":         {"identificationstage", "Identification Stage"},
	"invitation":             {"invitationstage", "Invitation Stage"},
	"password":               {"passwordstage", "Password Stage"},
	"prompt":                 {"promptstage", "Prompt Stage"},
	"redirect":               {"redirectstage", "Redirect Stage"},
	"user_login":             {"userloginstage", "User Login Stage"},
	"user_logout":            {"userlogoutstage", "User Logout Stage"},
	"user_write":             {"userwritestage", "User Write Stage"},
}

// metaModel returns the name of the model in the API.
func (k stageKind) metaModel() string {
	return "authentik_stages_" + k.model + "." + kindModels[k.model].class
}

// AddStages adds stages with settings to the flow with that slug and returns
// their bindings, in the order of the stages. A name that is empty is
// generated. A flow that does not exist, a name that exists already and a kind
// of stage that the release does not have are misuse.
func (s *Server) AddStages(slug string, stages ...StageSettings) []authentik.FlowStageBinding {
	s.t.Helper()
	var bindings []authentik.FlowStageBinding
	s.edit(func(st *store) (err error) {
		flow := st.flow(slug)
		if flow == nil {
			return fmt.Errorf("AddStages: no flow has the slug %q", slug)
		}
		bindings, err = st.bindStages(flow, stages)
		if err != nil {
			return fmt.Errorf("AddStages: %w", err)
		}
		return nil
	})
	return bindings
}

func (st *store) bindStages(
	flow *authentik.Flow, stages []StageSettings,
) (all []authentik.FlowStageBinding, err error) {
	order := 0
	if bound := st.bindingsOf(flow); len(bound) > 0 {
		order = bound[len(bound)-1].Order + 10
	}
	for i, settings := range stages {
		stage, err := st.storeStage(settings, fmt.Sprintf("%s-%d", flow.Slug, order+10*i))
		if err != nil {
			return all, err
		}
		binding := &authentik.FlowStageBinding{
			Target: flow.PK, Stage: stage.PK, Order: order + 10*i, ReEvaluatePolicies: true,
		}
		bindingDefaults(binding)
		st.insertBinding(binding)
		all = append(all, *binding)
	}
	return all, nil
}

// storeStage stores a stage with settings.
func (st *store) storeStage(settings StageSettings, fallbackName string) (*authentik.Stage, error) {
	if settings == nil {
		return nil, errors.New("a stage must not be nil")
	}
	name, behavior := settings.stage()
	fallback(&name, fallbackName)
	if behavior.model == "" {
		return nil, errors.New("a challenge must not be nil")
	}
	if behavior.since != "" && !st.since(behavior.since) {
		return nil, fmt.Errorf("authentik %s has no %s stage", st.name, behavior.model)
	}
	if slices.ContainsFunc(st.stages, func(s *authentik.Stage) bool { return s.Name == name }) {
		return nil, fmt.Errorf("a stage with the name %q exists already", name)
	}
	model := kindModels[behavior.model]
	stage := &authentik.Stage{
		PK: st.id("stage"), Name: name, VerboseName: model.verbose, VerboseNamePlural: model.verbose + "s",
		Component:     "ak-stage-" + strings.ReplaceAll(behavior.model, "_", "-") + "-form",
		MetaModelName: behavior.metaModel(),
	}
	st.stages = append(st.stages, stage)
	st.running.settings[stage.PK] = settings
	return stage, nil
}

// ConfigureStage changes the settings of the stage with that name, such as one
// of a fresh install. The name in the settings is ignored. A stage that does
// not exist, or of another kind, is misuse.
func (s *Server) ConfigureStage(name string, settings StageSettings) {
	s.t.Helper()
	s.edit(func(st *store) error {
		i := slices.IndexFunc(st.stages, func(stage *authentik.Stage) bool { return stage.Name == name })
		if i < 0 || settings == nil {
			return fmt.Errorf("ConfigureStage: no stage has the name %q, or there are no settings", name)
		}
		_, behavior := settings.stage()
		if behavior.metaModel() != st.stages[i].MetaModelName {
			return fmt.Errorf("ConfigureStage: the stage %q is one of the model %s", name, st.stages[i].MetaModelName)
		}
		st.running.settings[st.stages[i].PK] = settings
		return nil
	})
}

// kind returns how a stage behaves, and whether the fake knows it.
func (st *store) kind(stage *authentik.Stage) (stageKind, bool) {
	settings := st.running.settings[stage.PK]
	if settings == nil {
		settings = st.storedSettings(stage)
	}
	if settings == nil {
		settings = defaultSettings(stage)
	}
	if settings == nil {
		return stageKind{}, false
	}
	_, behavior := settings.stage()
	return behavior, true
}
