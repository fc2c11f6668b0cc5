package authentik

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/seed-299d42e7/authentik-go/internal/wire"
)

// FlowStageBinding ties a [Stage] to a [Flow] at a place in its order.
//
// https://api.goauthentik.io/reference/flows-bindings-retrieve/
type FlowStageBinding struct {
	PK                      uuid.UUID `json:"pk"`
	PolicyBindingModelPtrID uuid.UUID `json:"policybindingmodel_ptr_id"`
	// Target is the PK of the flow.
	Target uuid.UUID `json:"target"`
	// Stage is the PK of the stage.
	Stage    uuid.UUID `json:"stage"`
	StageObj Stage     `json:"stage_obj"`
	// EvaluateOnPlan makes authentik evaluate the binding's policies when it
	// plans the flow.
	EvaluateOnPlan bool `json:"evaluate_on_plan" optional:"schema"`
	// ReEvaluatePolicies makes authentik evaluate the binding's policies when
	// the flow reaches the stage.
	ReEvaluatePolicies bool `json:"re_evaluate_policies" optional:"schema"`
	// Order is ascending. Two stages of a flow may have the same.
	Order                 int                   `json:"order"`
	PolicyEngineMode      PolicyEngineMode      `json:"policy_engine_mode" optional:"schema"`
	InvalidResponseAction InvalidResponseAction `json:"invalid_response_action" optional:"schema"`
}

// BindingsRetrieve returns a binding with its stage: GET
// /flows/bindings/{fsb_uuid}/.
//
// It needs the permission authentik_flows.view_flowstagebinding, globally or
// on this binding; up to 2023.8 a token without it gets a 404.
//
// Errors: [ArgumentError] for uuid.Nil, before anything is sent;
// [PermissionError]; [APIError], which is [ErrNotFound] for a binding that
// does not exist or is not to be seen; [RequestError]; [DecodeError], also for
// a binding other than the one asked for.
//
// The FlowSet of its Stage has whole flows up to 2022.9, of which the fields
// of a [FlowSet] are kept. EvaluateOnPlan and ReEvaluatePolicies of a new
// binding default to true and false up to 2023.2, and to the opposite since.
//
// https://api.goauthentik.io/reference/flows-bindings-retrieve/
func (c *Client) BindingsRetrieve(ctx context.Context, id uuid.UUID, opts ...RequestOption) (*FlowStageBinding, error) {
	o := get("BindingsRetrieve", "flows/bindings/{fsb_uuid}/", arg("id", id.String()))
	return call(ctx, c, o, opts, object(func(b *FlowStageBinding) error { return samePK(b.PK, id) }))
}

// samePK rejects an object other than the requested one.
func samePK(got, want uuid.UUID) error {
	if got != want {
		return &wire.Error{Path: "pk", Err: errors.New("response is for a different object")}
	}
	return nil
}
