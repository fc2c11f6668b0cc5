package authentik

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/seed-299d42e7/authentik-go/internal/wire"
)

// FlowInspection is what the inspector shows of a flow.
type FlowInspection struct {
	// Plans holds the plan at each stage that has been solved.
	Plans []FlowInspectorPlan `json:"plans"`
	// CurrentPlan is the present plan, and the last one of a flow that has ended.
	// The server does not filter it by slug.
	CurrentPlan *FlowInspectorPlan `json:"current_plan,omitzero" optional:""`
	IsCompleted bool               `json:"is_completed"`
}

// FlowInspectorPlan is the plan of a flow at one stage.
type FlowInspectorPlan struct {
	// CurrentStage and NextPlannedStage are nil where there is no such stage. A
	// stage that another one has inserted, as to set up a device, has no Target.
	CurrentStage     *FlowStageBinding `json:"current_stage"`
	NextPlannedStage *FlowStageBinding `json:"next_planned_stage"`
	// PlanContext holds what the stages have collected. The server removes what
	// it takes for a secret; personal data stays.
	PlanContext map[string]any `json:"plan_context"`
	// SessionID is a hash of the ID of the session.
	SessionID string `json:"session_id"`
}

// Format prints the keys of PlanContext, whatever the verb, and no value.
func (p FlowInspectorPlan) Format(f fmt.State, _ rune) {
	keys := slices.Sorted(maps.Keys(p.PlanContext))
	_, _ = fmt.Fprintf(f, "authentik.FlowInspectorPlan{PlanContext: %q}", keys)
}

// UnmarshalJSON decodes a plan. The server sends a binding without values where
// there is none.
func (p *FlowInspectorPlan) UnmarshalJSON(data []byte) error {
	var plan struct {
		Current   json.RawMessage `json:"current_stage"`
		Next      json.RawMessage `json:"next_planned_stage"`
		Context   map[string]any  `json:"plan_context"`
		SessionID string          `json:"session_id"`
	}
	err := wire.Decode(data, &plan)
	if err != nil {
		return err
	}
	p.PlanContext, p.SessionID = plan.Context, plan.SessionID
	if p.CurrentStage, err = plannedStage(plan.Current); err != nil {
		return below("current_stage", err)
	}
	if p.NextPlannedStage, err = plannedStage(plan.Next); err != nil {
		return below("next_planned_stage", err)
	}
	return nil
}

func plannedStage(data []byte) (*FlowStageBinding, error) {
	var saved struct {
		PK     *json.RawMessage `json:"pk"`
		Target *json.RawMessage `json:"target"`
	}
	if json.Unmarshal(data, &saved) == nil && saved.PK == nil { // null, too
		return nil, nil //nolint:nilnil // there is no such stage
	}
	binding := new(FlowStageBinding)
	if saved.Target == nil && json.Unmarshal(data, binding) == nil {
		return binding, nil // another stage has inserted the stage: it has no flow
	}
	return binding, wire.Decode(data, binding)
}

// InspectorGet returns what the inspector shows of the flow that the session
// runs, or has run last.
//
//	GET /flows/inspector/{slug}/
//
// Requires a session of a superuser or, since 2025.10, of a user with the
// permission authentik_flows.inspect_flow. A token does not count.
//
// Errors: [ArgumentError] for an empty slug; [APIError] without the permission,
// where the status is 500 from 2023.10 to 2024.12 and 404 since 2025.10, and
// for a session that has run no flow (400); [RequestError]; [DecodeError].
//
// https://api.goauthentik.io/reference/flows-inspector-get/
func (s *Session) InspectorGet(ctx context.Context, slug string) (*FlowInspection, error) {
	const op = "InspectorGet"
	return inTurn(ctx, s, op, func() (*FlowInspection, error) {
		o := get(op, "flows/inspector/{slug}/", arg("slug", slug))
		return call(ctx, s.client, o, nil, object[FlowInspection]())
	})
}
