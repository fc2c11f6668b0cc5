package authentik

import (
	"context"
	"iter"

	"github.com/google/uuid"
)

// Flow is an ordered set of stages: log in, enroll, recover a password.
//
// https://api.goauthentik.io/reference/flows-instances-list/
type Flow struct {
	// PK identifies the flow. Bindings call it their target.
	PK                      uuid.UUID `json:"pk"`
	PolicyBindingModelPtrID uuid.UUID `json:"policybindingmodel_ptr_id"`
	Name                    string    `json:"name"`
	// Slug is unique and part of the flow's URL.
	Slug        string          `json:"slug"`
	Title       string          `json:"title"`
	Designation FlowDesignation `json:"designation"`
	// Background is a URL up to 2025.10, and since 2025.12 the name of a file,
	// "" if none is set.
	Background string `json:"background" optional:"schema"`
	// BackgroundURL of an uploaded file is signed and differs on every read.
	BackgroundURL string `json:"background_url,omitzero" since:"2025.12"`
	// BackgroundThemedURLs is nil if the server sends null or nothing. The
	// first release that sends it is 2025.12.2.
	BackgroundThemedURLs *ThemedURLs `json:"background_themed_urls,omitzero" since:"2025.12"`
	// Stages are in no order. A stage that is bound twice comes twice.
	Stages []uuid.UUID `json:"stages"`
	// Policies are the bound policies, without groups and users.
	Policies []uuid.UUID `json:"policies"`
	// CacheCount is the number of cached plans.
	CacheCount        int              `json:"cache_count"`
	PolicyEngineMode  PolicyEngineMode `json:"policy_engine_mode" optional:"schema"`
	CompatibilityMode bool             `json:"compatibility_mode" optional:"schema"`
	// ExportURL is a path on the server.
	ExportURL      string             `json:"export_url"`
	Layout         FlowLayout         `json:"layout,omitzero" since:"2022.5"`
	DeniedAction   FlowDeniedAction   `json:"denied_action,omitzero" since:"2022.7"`
	Authentication FlowAuthentication `json:"authentication,omitzero" since:"2022.12"`
}

// ThemedURLs holds the URLs of a background by theme. An unset theme is "".
type ThemedURLs struct {
	Light string `json:"light,omitzero" since:"2025.12" nullable:"true"`
	Dark  string `json:"dark,omitzero" since:"2025.12" nullable:"true"`
}

// FlowsInstancesListOptions are the parameters of a list of flows. A zero
// field is not sent.
type FlowsInstancesListOptions struct {
	FlowUUID     uuid.UUID        // the one with this PK
	Name         string           // equal to it, case and all
	Slug         string           // equal to it, case and all: at most one flow
	Designation  FlowDesignation  // a value that the server does not know is a ValidationError
	DeniedAction FlowDeniedAction // likewise; servers before 2022.7 ignore it
	// Search matches each of its words, which spaces and commas separate,
	// anywhere in name, slug, designation, title or denied action, without
	// regard to case. Since 2025.4 "a phrase" in quotes is one word.
	Search string
	// Ordering is a list of fields with commas between them, each with a "-"
	// before it for the reverse: pk, policybindingmodel_ptr_id, name, slug,
	// title, designation, policy_engine_mode, compatibility_mode, layout,
	// denied_action, authentication and, since 2025.12, background. Servers
	// ignore what they do not know. ",slug" is added where slug is not among
	// them: without a total order, pages repeat some flows and omit others.
	// The server's own order is by slug.
	Ordering string
	// Page is the number of a page, from 1; of a walk the first one.
	Page int
	// PageSize is the number of flows on a page. 0 is the server's choice for
	// a single list (100 up to 2025.10, 20 since) and 100 for a walk. Since
	// 2025.12 servers give 100 at the most, without saying so.
	PageSize int
}

// flowOrderings are what servers order by, without the two that join another
// table (stages, policies), which repeat flows and lose others.
var flowOrderings = []string{
	"pk", "policybindingmodel_ptr_id", "name", "slug", "title", "designation", "policy_engine_mode",
	"compatibility_mode", "layout", "denied_action", "authentication", "background",
}

func (o *FlowsInstancesListOptions) query(name string) *query {
	q := newQuery(name)
	if o == nil {
		return q
	}
	q.id("flow_uuid", o.FlowUUID)
	q.text("Name", "name", o.Name)
	q.text("Slug", "slug", o.Slug)
	q.text("Designation", "designation", string(o.Designation))
	q.text("DeniedAction", "denied_action", string(o.DeniedAction))
	q.search(o.Search)
	q.ordering(o.Ordering, flowOrderings, "slug")
	q.paging(o.Page, o.PageSize)
	return q
}

var flows = list[Flow]{"flows/instances/", func(f *Flow) uuid.UUID { return f.PK }}

// FlowsInstancesList returns one page of flows: GET /flows/instances/. opts
// may be nil.
//
// It needs the permission authentik_flows.view_flow, globally or on some
// flows, and then returns those. Without any, servers answer 403; up to 2023.8
// they answer with an empty list. What a token may not see is not counted
// either: no client can tell.
//
// Page and PageSize of 0 are the server's choice. An empty list is a page
// without results, not an error.
//
// Errors: [ArgumentError] before anything is sent; [ValidationError] for a
// filter that the server does not accept; [PermissionError]; [APIError], which
// is [ErrNotFound] for a page beyond the last; [RequestError]; [DecodeError].
//
// https://api.goauthentik.io/reference/flows-instances-list/
func (c *Client) FlowsInstancesList(ctx context.Context, opts *FlowsInstancesListOptions, reqOpts ...RequestOption) (*Page[Flow], error) {
	return flows.one(ctx, c, opts.query("FlowsInstancesList"), reqOpts)
}

// FlowsInstancesPages walks the pages of a list of flows: GET
// /flows/instances/, once for each page. opts may be nil. It needs what
// [Client.FlowsInstancesList] needs, and [Client.FlowsInstancesAll] describes
// the walk. A page keeps its Pagination as sent; its Results are without the
// flows that an earlier page had.
func (c *Client) FlowsInstancesPages(ctx context.Context, opts *FlowsInstancesListOptions, reqOpts ...RequestOption) iter.Seq2[*Page[Flow], error] {
	return flows.pages(ctx, c, opts.query("FlowsInstancesPages"), reqOpts)
}

// FlowsInstancesAll walks the flows of a list: GET /flows/instances/, once for
// each page. opts may be nil. It needs what [Client.FlowsInstancesList] needs.
//
//	for flow, err := range client.FlowsInstancesAll(ctx, nil) {
//		if err != nil {
//			return err
//		}
//		fmt.Println(flow.Slug)
//	}
//
// What it guarantees:
//
//  1. Nothing is sent before the first step.
//  2. opts and reqOpts are copied at the call.
//  3. Each range over it starts again.
//  4. break sends nothing more and leaves no goroutine.
//  5. An error is yielded once, with the zero Flow, and ends the sequence;
//     what was delivered stays delivered.
//  6. ctx is checked before each page, and interrupts a wait.
//  7. It ends. A page other than the one asked for, a next page other than
//     the following one or beyond the last, and a page that has nothing new
//     and yet a next one are [ErrPaginationStuck].
//  8. Page is where it starts. PageSize 0 means 100, because the server's
//     default of 20 costs five times the requests; a server that gives fewer
//     than asked is followed.
//  9. The order is total: slug is added to an Ordering that lacks it.
//  10. A list that changes meanwhile is told. Each flow is delivered once;
//     when the count moves, a flow comes again, a later page is gone, or the
//     flows do not add up to the count, it ends with [ErrListChanged], after
//     what that page had. [Snapshot] then walks again; [AllowListChanges] goes
//     on. What no client can see: a flow that is inserted and another one
//     deleted between two pages.
//
// [WithPrefetch] keeps all of this. Errors are those of FlowsInstancesList,
// ErrPaginationStuck and ErrListChanged; a refused argument is yielded at the
// first step.
//
// https://api.goauthentik.io/reference/flows-instances-list/
func (c *Client) FlowsInstancesAll(ctx context.Context, opts *FlowsInstancesListOptions, reqOpts ...RequestOption) iter.Seq2[Flow, error] {
	return flows.all(ctx, c, opts.query("FlowsInstancesAll"), reqOpts)
}
