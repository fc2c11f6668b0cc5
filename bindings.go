package authentik

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"math"
	"strconv"

	"github.com/google/uuid"
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
	// Order is ascending. Two stages of a flow may have the same Order.
	Order                 int                   `json:"order"`
	PolicyEngineMode      PolicyEngineMode      `json:"policy_engine_mode" optional:"schema"`
	InvalidResponseAction InvalidResponseAction `json:"invalid_response_action" optional:"schema"`
}

// FlowStageBindingRequest holds the fields of a binding to create or to change.
// A field with its zero value is not sent: the server uses its default for a
// new binding and keeps the value of an existing one.
//
// Target, Stage and Order are required by [Client.BindingsCreate] and
// [Client.BindingsUpdate].
type FlowStageBindingRequest struct {
	// Target is the PK of the flow.
	Target uuid.UUID `json:"target,omitzero"`
	// Stage is the PK of the stage.
	Stage uuid.UUID `json:"stage,omitzero"`
	// Order is a pointer because 0 is a value: new(0). Order must fit into 32
	// bits. No two bindings of a flow may have the same Stage and Order.
	Order *int `json:"order,omitzero"`
	// EvaluateOnPlan and ReEvaluatePolicies are pointers because false is a
	// value: new(false). One of the two must be true. An update with one of
	// them reads the other from the server first, and sends both.
	EvaluateOnPlan        *bool                 `json:"evaluate_on_plan,omitzero"`
	ReEvaluatePolicies    *bool                 `json:"re_evaluate_policies,omitzero"`
	PolicyEngineMode      PolicyEngineMode      `json:"policy_engine_mode,omitzero"`
	InvalidResponseAction InvalidResponseAction `json:"invalid_response_action,omitzero"`
}

// Request returns the request that would write the binding as it was read.
func (b FlowStageBinding) Request() FlowStageBindingRequest {
	return FlowStageBindingRequest{
		Target: b.Target, Stage: b.Stage, Order: new(b.Order),
		EvaluateOnPlan: new(b.EvaluateOnPlan), ReEvaluatePolicies: new(b.ReEvaluatePolicies),
		PolicyEngineMode: b.PolicyEngineMode, InvalidResponseAction: b.InvalidResponseAction,
	}
}

// send adds the request to an operation, or the reason why it must not be sent.
func (r FlowStageBindingRequest) send(o operation) operation {
	if r.Order != nil && !fitsInt32(*r.Order) {
		o = o.refuse("Order", "must fit into 32 bits")
	}
	if r.EvaluateOnPlan != nil && r.ReEvaluatePolicies != nil && !*r.EvaluateOnPlan && !*r.ReEvaluatePolicies {
		o = o.refuse("EvaluateOnPlan", "must not be false together with ReEvaluatePolicies")
	}
	return o.withFields("FlowStageBindingRequest", r)
}

// withFlags returns a request with both flags if it has one of them. The other flag
// is read from the server. Without it, the server would use its default for the
// missing flag, and so reject valid flags and store two that are false. o is the
// operation without the missing flag. If o must not be sent, nothing is read.
func (r FlowStageBindingRequest) withFlags(
	ctx context.Context, c *Client, o operation, id uuid.UUID, opts []RequestOption,
) (FlowStageBindingRequest, error) {
	if (r.EvaluateOnPlan == nil) == (r.ReEvaluatePolicies == nil) {
		return r, nil
	}
	read := get(o.name, "flows/bindings/{fsb_uuid}/", arg("id", id.String()))
	read.err = o.err
	stored, err := call(ctx, c, read, opts, object(sameBinding(id)))
	if err != nil {
		return r, err
	}
	r.EvaluateOnPlan = cmp.Or(r.EvaluateOnPlan, &stored.EvaluateOnPlan)
	r.ReEvaluatePolicies = cmp.Or(r.ReEvaluatePolicies, &stored.ReEvaluatePolicies)
	return r, nil
}

// sendAll is send for an operation that requires a complete binding.
func (r FlowStageBindingRequest) sendAll(o operation) operation {
	if r.Target == uuid.Nil {
		o = o.refuse("Target", "must not be empty")
	}
	if r.Stage == uuid.Nil {
		o = o.refuse("Stage", "must not be empty")
	}
	if r.Order == nil {
		o = o.refuse("Order", "must be set")
	}
	return r.send(o)
}

func fitsInt32(n int) bool { return n >= math.MinInt32 && n <= math.MaxInt32 }

// sameBinding rejects a binding other than the one with a PK.
func sameBinding(id uuid.UUID) func(*FlowStageBinding) error {
	return func(b *FlowStageBinding) error { return sameKey("pk", b.PK, id) }
}

// created rejects a binding other than the one that the request describes.
func (r FlowStageBindingRequest) created(b *FlowStageBinding) error {
	if b.Target != r.Target || b.Stage != r.Stage || b.Order != *r.Order {
		return errOtherObject
	}
	return nil
}

// BindingsListOptions holds the parameters of a list of bindings. A zero field
// is not sent.
type BindingsListOptions struct {
	// FSBUUID selects the binding with this PK.
	FSBUUID uuid.UUID
	// PBMUUID selects the binding with this PolicyBindingModelPtrID.
	PBMUUID uuid.UUID
	// Target selects the bindings of the flow with this PK. The server rejects
	// one that does not exist with a [ValidationError].
	Target uuid.UUID
	// Stage selects the bindings of the stage with this PK. The server rejects
	// one that does not exist with a [ValidationError].
	Stage uuid.UUID
	// Policies selects the bindings that have one of these policies.
	Policies []uuid.UUID
	// Order selects the bindings with this order, which must fit into 32 bits.
	Order              *int
	EvaluateOnPlan     *bool
	ReEvaluatePolicies *bool
	// PolicyEngineMode is sent as it is. The server rejects a value that it
	// does not know with a [ValidationError].
	PolicyEngineMode PolicyEngineMode
	// InvalidResponseAction is sent as it is. The server rejects a value that
	// it does not know with a [ValidationError].
	InvalidResponseAction InvalidResponseAction
	// Search matches each of its words, which spaces and commas separate,
	// anywhere in the name of the stage, without regard to case. Servers
	// before 2022.6 ignore it.
	Search string
	// Ordering is a list of fields with commas between them, each with a "-"
	// before it for the reverse: order, stage__name and pk, which servers from
	// 2024.4 to 2025.8 ignore. ",pk" is added where pk is not among them. The
	// server's own order is by order.
	Ordering string
	// Page is the number of a page, from 1. An iterator starts there.
	Page int
	// PageSize is the number of bindings on a page. 0 is the server's choice
	// for a single list (100 up to 2025.10, 20 since) and 100 for an iterator.
	// Servers since 2025.12 silently limit it to 100.
	PageSize int
}

// bindingOrderings are the fields that every server orders by or ignores. Some
// servers also order by target__uuid, on which others fail.
var bindingOrderings = []string{"order", "stage__name", "pk"}

func (o *BindingsListOptions) query(name string) *query {
	q := newQuery(name)
	if o == nil {
		return q
	}
	q.id("fsb_uuid", o.FSBUUID)
	q.id("pbm_uuid", o.PBMUUID)
	q.id("target", o.Target)
	q.id("stage", o.Stage)
	for i, policy := range o.Policies {
		if policy == uuid.Nil {
			q.refuse(fmt.Sprintf("Policies[%d]", i), "must not be empty")
		}
		q.values.Add("policies", policy.String())
	}
	if o.Order != nil {
		if !fitsInt32(*o.Order) {
			q.refuse("Order", "must fit into 32 bits")
		}
		q.values.Set("order", strconv.Itoa(*o.Order))
	}
	q.flag("evaluate_on_plan", o.EvaluateOnPlan)
	q.flag("re_evaluate_policies", o.ReEvaluatePolicies)
	q.text("PolicyEngineMode", "policy_engine_mode", string(o.PolicyEngineMode))
	q.text("InvalidResponseAction", "invalid_response_action", string(o.InvalidResponseAction))
	q.search(o.Search)
	q.ordering(o.Ordering, bindingOrderings, "pk")
	q.paging(o.Page, o.PageSize)
	return q
}

var bindings = list[FlowStageBinding]{"flows/bindings/", func(b *FlowStageBinding) uuid.UUID { return b.PK }}

// BindingsList returns one page of bindings. opts may be nil.
//
//	GET /flows/bindings/
//
// Requires the permission authentik_flows.view_flowstagebinding, globally or on
// some bindings; the list then has only those. Without any, servers respond
// with 403, and those up to 2023.8 with an empty list.
//
// Page and PageSize of 0 are the server's choice. An empty list is a page
// without results, not an error.
//
// Errors: [ArgumentError] before anything is sent; [ValidationError] for a
// filter that the server rejects, such as a Target that does not exist;
// [PermissionError]; [APIError], which is [ErrNotFound] for a page beyond the
// last; [RequestError]; [DecodeError].
//
// Versions: up to 2025.8 the order of bindings is not total, so that pages
// repeat some bindings and omit others; see [Client.BindingsAll].
//
// https://api.goauthentik.io/reference/flows-bindings-list/
func (c *Client) BindingsList(
	ctx context.Context, opts *BindingsListOptions, reqOpts ...RequestOption,
) (*Page[FlowStageBinding], error) {
	return bindings.one(ctx, c, opts.query("BindingsList"), reqOpts)
}

// BindingsPages returns an iterator over the pages of a list of bindings. opts
// may be nil.
//
//	GET /flows/bindings/ (once for each page)
//
// A page keeps its Pagination as sent; its Results are without the bindings
// that an earlier page had. [Client.FlowsInstancesAll] has the contract of the
// iterator, and [Client.BindingsList] the permission and the errors.
//
// Versions: up to 2025.8 a list of several pages arrives as one, whatever
// PageSize is; see [Client.BindingsAll].
//
// https://api.goauthentik.io/reference/flows-bindings-list/
func (c *Client) BindingsPages(
	ctx context.Context, opts *BindingsListOptions, reqOpts ...RequestOption,
) iter.Seq2[*Page[FlowStageBinding], error] {
	return bindingPages(ctx, c, opts.query("BindingsPages"), reqOpts)
}

// BindingsAll returns an iterator over the bindings of a list. opts may be nil.
//
//	GET /flows/bindings/ (once for each page)
//
// The bindings of one flow, in their order, are those of its PK as Target. A
// flow without bindings is an empty list.
//
// [Client.FlowsInstancesAll] has the contract of the iterator, and
// [Client.BindingsList] the permission and the errors.
//
// Versions: up to 2025.8 the order of bindings is not total, and pages repeat
// some and omit others. The iterator then requests one page that has all, for
// which servers had no maximum. Of a list that exceeds [WithMaxResponseSize] it
// requests the bindings of each flow, which requires the permission
// authentik_flows.view_flow. Up to 2025.10 it also requests the release after a
// first page that is not the last, as [Client.ServerVersion] does, and goes on
// if that fails.
//
// https://api.goauthentik.io/reference/flows-bindings-list/
func (c *Client) BindingsAll(
	ctx context.Context, opts *BindingsListOptions, reqOpts ...RequestOption,
) iter.Seq2[FlowStageBinding, error] {
	return items(bindingPages(ctx, c, opts.query("BindingsAll"), reqOpts))
}

// BindingsRetrieve returns the binding with a PK, and its stage.
//
//	GET /flows/bindings/{fsb_uuid}/
//
// Requires the permission authentik_flows.view_flowstagebinding, globally or on
// the binding.
//
// Errors: [ArgumentError] for uuid.Nil; [PermissionError]; [APIError], which is
// [ErrNotFound] if there is no such binding or the token may not see it;
// [RequestError]; [DecodeError], also for a binding other than the requested
// one.
//
// Versions: a token without the permission gets a 404 up to 2023.8 and a 403
// since. Up to 2022.9 the FlowSet of the stage has whole flows, of which the
// fields of a [FlowSet] are kept.
//
// https://api.goauthentik.io/reference/flows-bindings-retrieve/
func (c *Client) BindingsRetrieve(ctx context.Context, id uuid.UUID, opts ...RequestOption) (*FlowStageBinding, error) {
	o := get("BindingsRetrieve", "flows/bindings/{fsb_uuid}/", arg("id", id.String()))
	return call(ctx, c, o, opts, object(sameBinding(id)))
}

// BindingsCreate binds a stage to a flow and returns the binding.
//
//	POST /flows/bindings/
//
// Requires the global permission authentik_flows.add_flowstagebinding.
//
// Errors: [ArgumentError] for a missing Target, Stage or Order, for an Order
// that does not fit into 32 bits, and for two flags that are false;
// [ValidationError], also if the flow has the same stage with the same order,
// or if the flow or the stage does not exist; [PermissionError]; [APIError];
// [RequestError]; [DecodeError]; [ErrNotApplied] beside the binding.
//
// Versions: EvaluateOnPlan and ReEvaluatePolicies default to true and false up
// to 2023.2, and to false and true since.
//
// https://api.goauthentik.io/reference/flows-bindings-create/
func (c *Client) BindingsCreate(
	ctx context.Context, binding FlowStageBindingRequest, opts ...RequestOption,
) (*FlowStageBinding, error) {
	o := binding.sendAll(post("BindingsCreate", "flows/bindings/"))
	others := func(*FlowStageBinding) []comparison { return nil }
	return create(ctx, c, o, opts, binding.created, binding.find(ctx, c, o.name), binding.choices, others)
}

// BindingsUpdate changes the required fields of a binding, and those other ones
// that are set, and returns the binding. Every release keeps the fields that
// are left out.
//
//	PUT /flows/bindings/{fsb_uuid}/
//
// EvaluateOnPlan and ReEvaluatePolicies are sent together: see
// [Client.BindingsPartialUpdate].
//
// Requires the permissions authentik_flows.change_flowstagebinding and
// view_flowstagebinding, globally or on the binding.
//
// Errors: those of [Client.BindingsCreate], and [ErrNotFound] if there is no
// such binding.
//
// https://api.goauthentik.io/reference/flows-bindings-update/
func (c *Client) BindingsUpdate(
	ctx context.Context, id uuid.UUID, binding FlowStageBindingRequest, opts ...RequestOption,
) (*FlowStageBinding, error) {
	o := put("BindingsUpdate", "flows/bindings/{fsb_uuid}/", arg("id", id.String()))
	binding, err := binding.withFlags(ctx, c, binding.sendAll(o), id, opts)
	if err != nil {
		return nil, err
	}
	return change(ctx, c, binding.sendAll(o), opts, sameBinding(id), binding.choices)
}

// BindingsPartialUpdate changes those fields of a binding that are set, and
// returns the binding. A different Target moves it to another flow.
//
//	PATCH /flows/bindings/{fsb_uuid}/
//
// The server rejects or misunderstands EvaluateOnPlan without
// ReEvaluatePolicies, and the other way round. A request with one of them reads
// the binding first and sends both.
//
// Requires the permissions authentik_flows.change_flowstagebinding and
// view_flowstagebinding, globally or on the binding.
//
// Errors: those of [Client.BindingsUpdate], with [ArgumentError] if no field is
// set, and not for a missing one.
//
// https://api.goauthentik.io/reference/flows-bindings-partial-update/
func (c *Client) BindingsPartialUpdate(
	ctx context.Context, id uuid.UUID, binding FlowStageBindingRequest, opts ...RequestOption,
) (*FlowStageBinding, error) {
	o := patch("BindingsPartialUpdate", "flows/bindings/{fsb_uuid}/", arg("id", id.String()))
	if binding == (FlowStageBindingRequest{}) {
		o = o.refuse("FlowStageBindingRequest", "must have a field that is set")
	}
	o.repeatable = true // the new values do not depend on the old ones
	binding, err := binding.withFlags(ctx, c, binding.send(o), id, opts)
	if err != nil {
		return nil, err
	}
	return change(ctx, c, binding.send(o), opts, sameBinding(id), binding.choices)
}

// BindingsDestroy deletes a binding. Its flow and its stage remain.
//
//	DELETE /flows/bindings/{fsb_uuid}/
//
// Requires the permission authentik_flows.delete_flowstagebinding, globally or
// on the binding.
//
// Errors: [ArgumentError] for uuid.Nil; [PermissionError]; [APIError], which is
// [ErrNotFound] if there is no such binding; [RequestError]; [DecodeError] for a
// success that is not authentik's.
//
// https://api.goauthentik.io/reference/flows-bindings-destroy/
func (c *Client) BindingsDestroy(ctx context.Context, id uuid.UUID, opts ...RequestOption) error {
	o := del("BindingsDestroy", "flows/bindings/{fsb_uuid}/", arg("id", id.String()))
	_, err := call(ctx, c, o, opts, nothing)
	return err
}

// BindingsUsedByList returns the objects that refer to a binding, each with
// what happens to it when the binding is deleted.
//
//	GET /flows/bindings/{fsb_uuid}/used_by/
//
// The list leaves out the objects that the token may not see.
//
// Requires the permission authentik_flows.view_flowstagebinding, globally or on
// the binding.
//
// Errors: those of [Client.BindingsRetrieve].
//
// https://api.goauthentik.io/reference/flows-bindings-used-by-list/
func (c *Client) BindingsUsedByList(ctx context.Context, id uuid.UUID, opts ...RequestOption) ([]UsedBy, error) {
	o := get("BindingsUsedByList", "flows/bindings/{fsb_uuid}/used_by/", arg("id", id.String()))
	return call(ctx, c, o, opts, array[UsedBy]())
}
