package authentik

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/seed-299d42e7/authentik-go/internal/wire"
)

// FlowStageBinding ties a [Stage] to a [Flow], at a place in its order.
//
// https://api.goauthentik.io/reference/flows-bindings-retrieve/
type FlowStageBinding struct {
	PK                      uuid.UUID             `json:"pk"`
	PolicyBindingModelPtrID uuid.UUID             `json:"policybindingmodel_ptr_id"`
	Target                  uuid.UUID             `json:"target"` // the flow's PK
	Stage                   uuid.UUID             `json:"stage"`  // the stage's PK
	StageObj                Stage                 `json:"stage_obj"`
	EvaluateOnPlan          bool                  `json:"evaluate_on_plan"`     // evaluate its policies when the flow is planned
	ReEvaluatePolicies      bool                  `json:"re_evaluate_policies"` // and when the stage is reached
	Order                   int                   `json:"order"`                // ascending; two stages of a flow may have the same
	PolicyEngineMode        PolicyEngineMode      `json:"policy_engine_mode"`
	InvalidResponseAction   InvalidResponseAction `json:"invalid_response_action"`
}

var bindingFields = wire.NewObject(
	wire.UUID("pk", wire.Required, func(b *FlowStageBinding) *uuid.UUID { return &b.PK }),
	wire.UUID("policybindingmodel_ptr_id", wire.Required, func(b *FlowStageBinding) *uuid.UUID { return &b.PolicyBindingModelPtrID }),
	wire.UUID("target", wire.Required, func(b *FlowStageBinding) *uuid.UUID { return &b.Target }),
	wire.UUID("stage", wire.Required, func(b *FlowStageBinding) *uuid.UUID { return &b.Stage }),
	wire.Nested("stage_obj", wire.Required, stageFields, func(b *FlowStageBinding) *Stage { return &b.StageObj }),
	wire.Bool("evaluate_on_plan", wire.Optional, func(b *FlowStageBinding) *bool { return &b.EvaluateOnPlan }),
	wire.Bool("re_evaluate_policies", wire.Optional, func(b *FlowStageBinding) *bool { return &b.ReEvaluatePolicies }),
	wire.Int("order", wire.Required, func(b *FlowStageBinding) *int { return &b.Order }),
	wire.Enum("policy_engine_mode", wire.Optional, policyEngineModes, func(b *FlowStageBinding) *string { return (*string)(&b.PolicyEngineMode) }),
	wire.Enum("invalid_response_action", wire.Optional, invalidResponseActions, func(b *FlowStageBinding) *string { return (*string)(&b.InvalidResponseAction) }),
)

// UnmarshalJSON is as of [Flow].
func (b *FlowStageBinding) UnmarshalJSON(data []byte) error {
	return unmarshal(data, bindingFields, b)
}

func (*FlowStageBinding) fields() *wire.Object[FlowStageBinding] { return bindingFields }

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
	r := request{op: "BindingsRetrieve", path: "flows/bindings/" + id.String() + "/"}
	cfg := newRequestConfig(opts).reset()
	if id == uuid.Nil {
		return nil, &ArgumentError{r.op, "id", "it is uuid.Nil"}
	}
	return get(ctx, c, r, cfg, func(body []byte) (*FlowStageBinding, error) {
		b, err := decode(bindingFields)(body)
		if err == nil && b.PK != id {
			err = &wire.Error{Path: "pk", Err: errors.New("response is for a different object")}
		}
		return b, err
	})
}
