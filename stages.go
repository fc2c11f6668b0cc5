package authentik

import (
	"context"
	"iter"

	"github.com/google/uuid"
)

// Stage is one step of a flow, without the settings of its type.
//
// https://api.goauthentik.io/reference/stages-all-retrieve/
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

// StageType is a type of stages.
type StageType struct {
	// Name is the translated name of the type.
	Name        string `json:"name"`
	Description string `json:"description"`
	// Component is the element of the admin interface that edits a stage of
	// the type.
	Component string `json:"component"`
	// ModelName is the last part of [Stage].MetaModelName.
	ModelName string `json:"model_name"`
	// IconURL is "" if there is none.
	IconURL            string `json:"icon_url,omitzero" since:"2024.10" nullable:"true"`
	RequiresEnterprise bool   `json:"requires_enterprise,omitzero" since:"2024.2"`
	Deprecated         bool   `json:"deprecated,omitzero" since:"2025.12"`
}

// StagesAllListOptions holds the parameters of a list of stages. A zero field
// is not sent.
type StagesAllListOptions struct {
	// Name selects the stage with exactly this name, which is unique.
	Name string
	// Search matches each of its words, which spaces and commas separate,
	// anywhere in the name, without regard to case.
	Search string
	// Ordering is "name", which is the server's own order, or "-name".
	Ordering string
	// Page is the number of a page, from 1. An iterator starts there.
	Page int
	// PageSize is the number of stages on a page. 0 is the server's choice for
	// a single list (100 up to 2025.10, 20 since) and 100 for an iterator.
	// Servers since 2025.12 silently limit it to 100.
	PageSize int
}

func (o *StagesAllListOptions) query(name string) *query {
	q := newQuery(name)
	if o == nil {
		return q
	}
	q.text("Name", "name", o.Name)
	q.search(o.Search)
	q.ordering(o.Ordering, []string{"name"}, "name")
	q.paging(o.Page, o.PageSize)
	return q
}

var stages = list[Stage]{"stages/all/", func(s *Stage) uuid.UUID { return s.PK }}

// StagesAllList returns one page of stages of all types. opts may be nil.
//
//	GET /stages/all/
//
// Requires the permission authentik_flows.view_stage, globally or on some
// stages; the list then has only those. Without any, servers respond with 403,
// and those up to 2023.8 with an empty list.
//
// Page and PageSize of 0 are the server's choice. An empty list is a page
// without results, not an error.
//
// Errors: [ArgumentError] before anything is sent; [ValidationError];
// [PermissionError]; [APIError], which is [ErrNotFound] for a page beyond the
// last; [RequestError]; [DecodeError].
//
// https://api.goauthentik.io/reference/stages-all-list/
func (c *Client) StagesAllList(
	ctx context.Context, opts *StagesAllListOptions, reqOpts ...RequestOption,
) (*Page[Stage], error) {
	return stages.one(ctx, c, opts.query("StagesAllList"), reqOpts)
}

// StagesAllPages returns an iterator over the pages of a list of stages. opts
// may be nil.
//
//	GET /stages/all/ (once for each page)
//
// A page keeps its Pagination as sent; its Results are without the stages that
// an earlier page had. [Client.FlowsInstancesAll] has the contract of the
// iterator, and [Client.StagesAllList] the permission and the errors.
//
// https://api.goauthentik.io/reference/stages-all-list/
func (c *Client) StagesAllPages(
	ctx context.Context, opts *StagesAllListOptions, reqOpts ...RequestOption,
) iter.Seq2[*Page[Stage], error] {
	return stages.pages(ctx, c, opts.query("StagesAllPages"), reqOpts)
}

// StagesAllAll returns an iterator over the stages of a list. opts may be nil.
//
//	GET /stages/all/ (once for each page)
//
// [Client.FlowsInstancesAll] has the contract of the iterator, and
// [Client.StagesAllList] the permission and the errors.
//
// https://api.goauthentik.io/reference/stages-all-list/
func (c *Client) StagesAllAll(
	ctx context.Context, opts *StagesAllListOptions, reqOpts ...RequestOption,
) iter.Seq2[Stage, error] {
	return stages.all(ctx, c, opts.query("StagesAllAll"), reqOpts)
}

// StagesAllRetrieve returns the stage with a PK, without the settings of its
// type.
//
//	GET /stages/all/{stage_uuid}/
//
// Requires the permission authentik_flows.view_stage, globally or on the stage.
//
// Errors: [ArgumentError] for uuid.Nil; [PermissionError]; [APIError], which is
// [ErrNotFound] if there is no such stage or the token may not see it;
// [RequestError]; [DecodeError], also for a stage other than the requested one.
//
// https://api.goauthentik.io/reference/stages-all-retrieve/
func (c *Client) StagesAllRetrieve(ctx context.Context, id uuid.UUID, opts ...RequestOption) (*Stage, error) {
	o := get("StagesAllRetrieve", "stages/all/{stage_uuid}/", arg("id", id.String()))
	return call(ctx, c, o, opts, object(func(s *Stage) error { return sameKey("pk", s.PK, id) }))
}

// StagesAllTypesList returns the types of stages that the server has.
//
//	GET /stages/all/types/
//
// Requires no permission beyond a valid token.
//
// Errors: [PermissionError], [APIError], [RequestError], [DecodeError].
//
// https://api.goauthentik.io/reference/stages-all-types-list/
func (c *Client) StagesAllTypesList(ctx context.Context, opts ...RequestOption) ([]StageType, error) {
	return call(ctx, c, get("StagesAllTypesList", "stages/all/types/"), opts, array[StageType]())
}

// StagesAllUsedByList returns the objects that refer to a stage, each with what
// happens to it when the stage is deleted.
//
//	GET /stages/all/{stage_uuid}/used_by/
//
// The list leaves out the objects that the token may not see. Each
// binding is listed, and a flow that uses the stage twice is listed twice.
//
// Requires the permission authentik_flows.view_stage, globally or on the stage.
//
// Errors: those of [Client.StagesAllRetrieve].
//
// https://api.goauthentik.io/reference/stages-all-used-by-list/
func (c *Client) StagesAllUsedByList(ctx context.Context, id uuid.UUID, opts ...RequestOption) ([]UsedBy, error) {
	o := get("StagesAllUsedByList", "stages/all/{stage_uuid}/used_by/", arg("id", id.String()))
	return call(ctx, c, o, opts, array[UsedBy]())
}

// StagesAllDestroy deletes a stage of any type with its bindings. The server
// does not check whether the stage is in use.
//
//	DELETE /stages/all/{stage_uuid}/
//
// Requires the permission authentik_flows.delete_stage, globally or on the
// stage.
//
// Errors: [ArgumentError] for uuid.Nil; [PermissionError]; [APIError], which is
// [ErrNotFound] if there is no such stage; [RequestError]; [DecodeError] for a
// success that is not authentik's.
//
// https://api.goauthentik.io/reference/stages-all-destroy/
func (c *Client) StagesAllDestroy(ctx context.Context, id uuid.UUID, opts ...RequestOption) error {
	o := del("StagesAllDestroy", "stages/all/{stage_uuid}/", arg("id", id.String()))
	_, err := call(ctx, c, o, opts, nothing)
	return err
}
