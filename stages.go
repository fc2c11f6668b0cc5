package authentik

import "github.com/google/uuid"

// Stage is one step of a flow, without the settings of its type.
type Stage struct {
	PK   uuid.UUID `json:"pk"`
	Name string    `json:"name"`
	// Component is the element of the admin interface that edits the stage, ""
	// if there is none.
	Component string `json:"component"`
	// VerboseName is the translated name of the stage's type.
	VerboseName       string `json:"verbose_name"`
	VerboseNamePlural string `json:"verbose_name_plural"`
	// MetaModelName is the type of the stage, such as
	// authentik_stages_identification.identificationstage.
	MetaModelName string `json:"meta_model_name,omitzero" since:"2021.12"`
	// FlowSet holds the flows that use the stage. A flow that uses it twice
	// comes twice.
	FlowSet []FlowSet `json:"flow_set,omitzero" optional:"schema"`
}

// FlowSet is a flow as a [Stage] refers to it. No release sends its stages,
// policies, cached plans or authentication there.
type FlowSet struct {
	PK                      uuid.UUID        `json:"pk"`
	PolicyBindingModelPtrID uuid.UUID        `json:"policybindingmodel_ptr_id"`
	Name                    string           `json:"name"`
	Slug                    string           `json:"slug"`
	Title                   string           `json:"title"`
	Designation             FlowDesignation  `json:"designation"`
	Background              string           `json:"background,omitzero" until:"2025.10"`
	BackgroundURL           string           `json:"background_url,omitzero" since:"2025.12"`
	PolicyEngineMode        PolicyEngineMode `json:"policy_engine_mode" optional:"schema"`
	CompatibilityMode       bool             `json:"compatibility_mode" optional:"schema"`
	ExportURL               string           `json:"export_url"`
	Layout                  FlowLayout       `json:"layout,omitzero" since:"2022.5"`
	DeniedAction            FlowDeniedAction `json:"denied_action,omitzero" since:"2022.7"`
}
