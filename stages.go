package authentik

import (
	"github.com/google/uuid"

	"github.com/seed-299d42e7/authentik-go/internal/wire"
)

// Stage is one step of a flow, without what is particular to its kind.
type Stage struct {
	PK                uuid.UUID `json:"pk"`
	Name              string    `json:"name"`
	Component         string    `json:"component"`                // the admin interface's form of its kind; "" for none
	VerboseName       string    `json:"verbose_name"`             // its kind, translated
	VerboseNamePlural string    `json:"verbose_name_plural"`      // likewise
	MetaModelName     string    `json:"meta_model_name,omitzero"` // its kind, such as authentik_stages_identification.identificationstage; since 2021.12
	FlowSet           []FlowSet `json:"flow_set"`                 // the flows that use it; nil if none
}

var stageFields = wire.NewObject(
	wire.UUID("pk", wire.Required, func(s *Stage) *uuid.UUID { return &s.PK }),
	wire.String("name", wire.Required, func(s *Stage) *string { return &s.Name }),
	wire.String("component", wire.Required, func(s *Stage) *string { return &s.Component }),
	wire.String("verbose_name", wire.Required, func(s *Stage) *string { return &s.VerboseName }),
	wire.String("verbose_name_plural", wire.Required, func(s *Stage) *string { return &s.VerboseNamePlural }),
	wire.String("meta_model_name", wire.Since("2021.12"), func(s *Stage) *string { return &s.MetaModelName }),
	wire.List("flow_set", wire.Optional, flowSetFields, nil, func(s *Stage) *[]FlowSet { return &s.FlowSet }),
)

// UnmarshalJSON is as of [Flow].
func (s *Stage) UnmarshalJSON(data []byte) error { return unmarshal(data, stageFields, s) }

// MarshalJSON writes authentik's JSON.
func (s Stage) MarshalJSON() ([]byte, error) {
	type plain Stage
	s.FlowSet = list(s.FlowSet)
	return marshal(plain(s))
}

func (*Stage) fields() *wire.Object[Stage] { return stageFields }

// FlowSet is a flow as a [Stage] refers to it: without its stages, policies,
// cached plans and authentication, which no release sends there.
type FlowSet struct {
	PK                      uuid.UUID        `json:"pk"`
	PolicyBindingModelPtrID uuid.UUID        `json:"policybindingmodel_ptr_id"`
	Name                    string           `json:"name"`
	Slug                    string           `json:"slug"`
	Title                   string           `json:"title"`
	Designation             FlowDesignation  `json:"designation"`
	Background              string           `json:"background,omitzero"`     // up to 2025.10
	BackgroundURL           string           `json:"background_url,omitzero"` // since 2025.12
	PolicyEngineMode        PolicyEngineMode `json:"policy_engine_mode"`
	CompatibilityMode       bool             `json:"compatibility_mode"`
	ExportURL               string           `json:"export_url"`
	Layout                  FlowLayout       `json:"layout,omitzero"`        // since 2022.5
	DeniedAction            FlowDeniedAction `json:"denied_action,omitzero"` // since 2022.7
}

var flowSetFields = wire.NewObject(
	wire.UUID("pk", wire.Required, func(f *FlowSet) *uuid.UUID { return &f.PK }),
	wire.UUID("policybindingmodel_ptr_id", wire.Required, func(f *FlowSet) *uuid.UUID { return &f.PolicyBindingModelPtrID }),
	wire.String("name", wire.Required, func(f *FlowSet) *string { return &f.Name }),
	wire.String("slug", wire.Required, func(f *FlowSet) *string { return &f.Slug }),
	wire.String("title", wire.Required, func(f *FlowSet) *string { return &f.Title }),
	wire.Enum("designation", wire.Required, flowDesignations, func(f *FlowSet) *string { return (*string)(&f.Designation) }),
	wire.String("background", wire.Until("2025.10"), func(f *FlowSet) *string { return &f.Background }),
	wire.String("background_url", wire.Since("2025.12"), func(f *FlowSet) *string { return &f.BackgroundURL }),
	wire.Enum("policy_engine_mode", wire.Optional, policyEngineModes, func(f *FlowSet) *string { return (*string)(&f.PolicyEngineMode) }),
	wire.Bool("compatibility_mode", wire.Optional, func(f *FlowSet) *bool { return &f.CompatibilityMode }),
	wire.String("export_url", wire.Required, func(f *FlowSet) *string { return &f.ExportURL }),
	wire.Enum("layout", wire.Since("2022.5"), flowLayouts, func(f *FlowSet) *string { return (*string)(&f.Layout) }),
	wire.Enum("denied_action", wire.Since("2022.7"), flowDeniedActions, func(f *FlowSet) *string { return (*string)(&f.DeniedAction) }),
)

// UnmarshalJSON is as of [Flow].
func (f *FlowSet) UnmarshalJSON(data []byte) error { return unmarshal(data, flowSetFields, f) }
