package authentik

import (
	"cmp"
	"context"
	"iter"
	"strings"

	"github.com/google/uuid"
)

// Flow is an ordered set of stages, for example to log in, to enroll or to
// recover a password.
//
// https://api.goauthentik.io/reference/flows-instances-retrieve/
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

// FlowRequest holds the fields of a flow to create or to change. A field with
// its zero value is not sent: the server uses its default for a new flow and
// keeps the value of an existing one.
//
// Name, Slug, Title and Designation are required by
// [Client.FlowsInstancesCreate] and [Client.FlowsInstancesUpdate].
type FlowRequest struct {
	// Name is trimmed by the server.
	Name string `json:"name,omitzero"`
	// Slug consists of letters, digits, hyphens and underscores. Servers up to
	// 2025.10 accept at most 50 of them.
	Slug             string           `json:"slug,omitzero"`
	Title            string           `json:"title,omitzero"`
	Designation      FlowDesignation  `json:"designation,omitzero"`
	PolicyEngineMode PolicyEngineMode `json:"policy_engine_mode,omitzero"`
	// CompatibilityMode is a pointer because false is a value: new(false).
	CompatibilityMode *bool              `json:"compatibility_mode,omitzero"`
	Layout            FlowLayout         `json:"layout,omitzero" since:"2022.5"`
	DeniedAction      FlowDeniedAction   `json:"denied_action,omitzero" since:"2022.7"`
	Authentication    FlowAuthentication `json:"authentication,omitzero" since:"2022.12"`
	// Background is the name of a file on the server or a URL. A pointer to ""
	// restores the default. Servers up to 2025.10 ignore the field, which is
	// [ErrNotApplied]; use [Client.FlowsInstancesSetBackgroundCreate] there.
	Background *string `json:"background,omitzero" since:"2025.12"`
}

// Request returns the request that would write the flow as it was read.
// Background is left out unless the server has a BackgroundURL, which shows
// that the field can be written.
func (f Flow) Request() FlowRequest {
	r := FlowRequest{
		Name: f.Name, Slug: f.Slug, Title: f.Title, Designation: f.Designation,
		PolicyEngineMode: f.PolicyEngineMode, CompatibilityMode: new(f.CompatibilityMode),
		Layout: f.Layout, DeniedAction: f.DeniedAction, Authentication: f.Authentication,
	}
	if f.BackgroundURL != "" {
		r.Background = new(f.Background)
	}
	return r
}

// send adds the request to an operation, or the reason why it must not be sent.
func (r FlowRequest) send(o operation) operation {
	if reason := slugReason(r.Slug); reason != "" {
		o = o.refuse("Slug", reason)
	}
	return o.withFields("FlowRequest", r)
}

// sendAll is send for an operation that requires a complete flow.
func (r FlowRequest) sendAll(o operation) operation {
	for _, required := range []struct{ field, value string }{
		{"Name", r.Name},
		{"Slug", r.Slug},
		{"Title", r.Title},
		{"Designation", string(r.Designation)},
	} {
		if strings.TrimSpace(required.value) == "" {
			o = o.refuse(required.field, "must not be blank")
		}
	}
	return r.send(o)
}

// slugReason returns why a slug cannot be that of a flow, "" if it can.
func slugReason(slug string) string {
	other := func(r rune) bool {
		return r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	}
	if strings.ContainsFunc(slug, other) {
		return "must consist of letters, digits, hyphens and underscores"
	}
	return routeReason(slug)
}

// routeReason returns why a slug cannot be part of a path, "" if it can. A flow with
// one of these slugs cannot be reached, because the server has operations there.
func routeReason(slug string) string {
	switch slug {
	case "import", "cache_info", "cache_clear":
		return "must not be the name of one of the API's own paths"
	}
	return ""
}

// readSlug is the slug of a flow to read. A slug that no flow can have is sent, and
// not found.
func readSlug(slug string) argument {
	return argument{field: "slug", segment: slug, reason: routeReason(slug)}
}

// writeSlug is the slug of a flow to change.
func writeSlug(slug string) argument {
	return argument{field: "slug", segment: slug, reason: slugReason(slug)}
}

// sameSlug rejects a flow other than the one with a slug.
func sameSlug(want string) func(*Flow) error {
	return func(f *Flow) error { return sameKey("slug", f.Slug, want) }
}

// UsedBy is an object that refers to another one.
type UsedBy struct {
	// App is the Django application of the object, such as authentik_flows.
	App string `json:"app"`
	// ModelName is the type of the object, such as flowstagebinding.
	ModelName string `json:"model_name"`
	// PK identifies the object among those of its type.
	PK string `json:"pk"`
	// Name is a description of the object.
	Name string `json:"name"`
	// Action is what happens to the object when the other one is deleted.
	Action UsedByAction `json:"action"`
}

// FlowsInstancesListOptions holds the parameters of a list of flows. A zero
// field is not sent.
type FlowsInstancesListOptions struct {
	// FlowUUID selects the flow with this PK.
	FlowUUID uuid.UUID
	// Name selects the flows with exactly this name.
	Name string
	// Slug selects the flow with exactly this slug.
	Slug string
	// Designation is sent as it is. The server rejects a value that it does
	// not know with a [ValidationError].
	Designation FlowDesignation
	// DeniedAction is sent as it is. Servers before 2022.7 ignore it.
	DeniedAction FlowDeniedAction
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
	// Page is the number of a page, from 1. An iterator starts there.
	Page int
	// PageSize is the number of flows on a page. 0 is the server's choice for
	// a single list (100 up to 2025.10, 20 since) and 100 for an iterator.
	// Servers since 2025.12 silently limit it to 100.
	PageSize int
}

// flowOrderings are the fields that servers order by, without stages and policies.
// These two join another table, which repeats flows and loses others.
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

// FlowsInstancesList returns one page of flows. opts may be nil.
//
//	GET /flows/instances/
//
// Requires the permission authentik_flows.view_flow, globally or on some
// flows; the list then has only those. Without any, servers respond with 403,
// and those up to 2023.8 with an empty list. The count leaves out what the
// token may not see, so that no client can detect it.
//
// Page and PageSize of 0 are the server's choice. An empty list is a page
// without results, not an error.
//
// Errors: [ArgumentError] before anything is sent; [ValidationError] for a
// filter that the server rejects; [PermissionError]; [APIError], which is
// [ErrNotFound] for a page beyond the last; [RequestError]; [DecodeError].
//
// https://api.goauthentik.io/reference/flows-instances-list/
func (c *Client) FlowsInstancesList(
	ctx context.Context, opts *FlowsInstancesListOptions, reqOpts ...RequestOption,
) (*Page[Flow], error) {
	return flows.one(ctx, c, opts.query("FlowsInstancesList"), reqOpts)
}

// FlowsInstancesPages returns an iterator over the pages of a list of flows.
// opts may be nil.
//
//	GET /flows/instances/ (once for each page)
//
// A page keeps its Pagination as sent; its Results are without the flows that
// an earlier page had. [Client.FlowsInstancesAll] has the contract of the
// iterator and its errors, and [Client.FlowsInstancesList] the permission.
//
// https://api.goauthentik.io/reference/flows-instances-list/
func (c *Client) FlowsInstancesPages(
	ctx context.Context, opts *FlowsInstancesListOptions, reqOpts ...RequestOption,
) iter.Seq2[*Page[Flow], error] {
	return flows.pages(ctx, c, opts.query("FlowsInstancesPages"), reqOpts)
}

// FlowsInstancesAll returns an iterator over the flows of a list. opts may be
// nil.
//
//	GET /flows/instances/ (once for each page)
//
// A loop looks like this:
//
//	for flow, err := range client.FlowsInstancesAll(ctx, nil) {
//		if err != nil {
//			return err
//		}
//		fmt.Println(flow.Slug)
//	}
//
// Every iterator of this package keeps to this contract:
//
//  1. Nothing is sent before the first step.
//  2. opts and reqOpts are copied at the call.
//  3. Each range over the iterator starts again.
//  4. break sends nothing more and leaves no goroutine.
//  5. An error is yielded once, with the zero value, and ends the iteration;
//     items that were yielded before it remain valid.
//  6. ctx is checked before each page, and interrupts a wait.
//  7. The iteration ends. A page other than the requested one, a next page
//     other than the following one or beyond the last, and a page that has
//     nothing new and yet a next one are [ErrPaginationStuck].
//  8. Page is where the iteration starts. PageSize 0 means 100, because the
//     server's default of 20 costs five times the requests; smaller pages from
//     the server are accepted.
//  9. The order is total: a unique field is added to an Ordering that lacks
//     one.
//  10. Changes of the list are reported. Each item is yielded once. The
//     iteration ends with [ErrListChanged], after the items of that page, when
//     the count moves, an item comes again, a later page is gone, or the items
//     do not add up to the count. [Snapshot] then starts again;
//     [AllowListChanges] goes on. No client can see that one item is inserted
//     and another one deleted between two pages.
//
// [WithPrefetch] keeps all of this.
//
// Requires what [Client.FlowsInstancesList] requires.
//
// Errors: those of FlowsInstancesList, ErrPaginationStuck and ErrListChanged;
// a refused argument is yielded at the first step.
//
// https://api.goauthentik.io/reference/flows-instances-list/
func (c *Client) FlowsInstancesAll(
	ctx context.Context, opts *FlowsInstancesListOptions, reqOpts ...RequestOption,
) iter.Seq2[Flow, error] {
	return flows.all(ctx, c, opts.query("FlowsInstancesAll"), reqOpts)
}

// FlowsInstancesRetrieve returns the flow with a slug.
//
//	GET /flows/instances/{slug}/
//
// Requires the permission authentik_flows.view_flow, globally or on the flow.
//
// Errors: [ArgumentError] for an empty slug and one that is part of the API's
// own paths; [PermissionError]; [APIError], which is [ErrNotFound] if there is
// no such flow or the token may not see it; [RequestError]; [DecodeError], also
// for a flow other than the requested one.
//
// Versions: a token without the permission gets a 404 up to 2023.8 and a 403
// since.
//
// https://api.goauthentik.io/reference/flows-instances-retrieve/
func (c *Client) FlowsInstancesRetrieve(ctx context.Context, slug string, opts ...RequestOption) (*Flow, error) {
	o := get("FlowsInstancesRetrieve", "flows/instances/{slug}/", readSlug(slug))
	return call(ctx, c, o, opts, object(sameSlug(slug)))
}

// FlowsInstancesCreate creates a flow and returns it.
//
//	POST /flows/instances/
//
// Requires the global permission authentik_flows.add_flow.
//
// Errors: [ArgumentError] for a missing Name, Slug, Title or Designation and
// for a Slug that the server would reject or could not serve;
// [ValidationError], also if the slug exists; [PermissionError]; [APIError];
// [RequestError]; [DecodeError]; [ErrNotApplied] beside the flow.
//
// Versions: a server ignores the fields that it lacks, so that a flow of which
// Authentication is [FlowAuthenticationRequireSuperuser] is open to everybody
// on servers before 2022.12. ErrNotApplied reports an enum, a boolean or a
// Background that was ignored; the flow exists all the same.
//
// https://api.goauthentik.io/reference/flows-instances-create/
func (c *Client) FlowsInstancesCreate(ctx context.Context, flow FlowRequest, opts ...RequestOption) (*Flow, error) {
	o := flow.sendAll(post("FlowsInstancesCreate", "flows/instances/"))
	return create(ctx, c, o, opts, sameSlug(flow.Slug), flow.find(ctx, c, o.name), flow.choices, flow.texts)
}

// FlowsInstancesUpdate changes all required fields of a flow, and those other
// ones that are set, and returns the flow. Every release keeps the fields that
// are left out.
//
//	PUT /flows/instances/{slug}/
//
// slug is the present slug of the flow; a different flow.Slug renames it, and
// its PK and bindings remain.
//
// Requires the permissions authentik_flows.change_flow and view_flow, globally
// or on the flow.
//
// Errors: those of [Client.FlowsInstancesCreate], and [ErrNotFound] if there is
// no such flow.
//
// https://api.goauthentik.io/reference/flows-instances-update/
func (c *Client) FlowsInstancesUpdate(
	ctx context.Context, slug string, flow FlowRequest, opts ...RequestOption,
) (*Flow, error) {
	o := flow.sendAll(put("FlowsInstancesUpdate", "flows/instances/{slug}/", writeSlug(slug)))
	o.repeatable = flow.Slug == slug // renamed, the flow would not be found again
	return change(ctx, c, o, opts, sameSlug(flow.Slug), flow.choices)
}

// FlowsInstancesPartialUpdate changes those fields of a flow that are set, and
// returns the flow.
//
//	PATCH /flows/instances/{slug}/
//
// slug is the present slug of the flow; a flow.Slug renames it, and its PK and
// bindings remain.
//
// Requires the permissions authentik_flows.change_flow and view_flow, globally
// or on the flow.
//
// Errors: those of [Client.FlowsInstancesUpdate], with [ArgumentError] if no
// field is set, and not for a missing one.
//
// https://api.goauthentik.io/reference/flows-instances-partial-update/
func (c *Client) FlowsInstancesPartialUpdate(
	ctx context.Context, slug string, flow FlowRequest, opts ...RequestOption,
) (*Flow, error) {
	o := patch("FlowsInstancesPartialUpdate", "flows/instances/{slug}/", writeSlug(slug))
	if flow == (FlowRequest{}) {
		o = o.refuse("FlowRequest", "must have a field that is set")
	}
	want := cmp.Or(flow.Slug, slug)
	o.repeatable = want == slug // renamed, the flow would not be found again
	return change(ctx, c, flow.send(o), opts, sameSlug(want), flow.choices)
}

// FlowsInstancesDestroy deletes a flow with its bindings.
//
//	DELETE /flows/instances/{slug}/
//
// The server does not check whether the flow is in use. The server also deletes
// the providers that authorize by the flow, and empties the references of brands
// and identification stages. [Client.FlowsInstancesUsedByList] shows most of
// the objects that are affected.
//
// Requires the permission authentik_flows.delete_flow, globally or on the
// flow.
//
// Errors: [ArgumentError]; [PermissionError]; [APIError], which is
// [ErrNotFound] if there is no such flow; [RequestError]; [DecodeError] for a
// success that is not authentik's.
//
// https://api.goauthentik.io/reference/flows-instances-destroy/
func (c *Client) FlowsInstancesDestroy(ctx context.Context, slug string, opts ...RequestOption) error {
	o := del("FlowsInstancesDestroy", "flows/instances/{slug}/", writeSlug(slug))
	_, err := call(ctx, c, o, opts, nothing)
	return err
}

// FlowsInstancesUsedByList returns the objects that refer to a flow, each with
// what happens to it when the flow is deleted.
//
//	GET /flows/instances/{slug}/used_by/
//
// The list is not complete: it leaves out the objects that the token may not
// see, and the identification stages that link to the flow. Each binding is
// listed, and a stage that is bound twice is listed twice.
//
// Requires the permission authentik_flows.view_flow, globally or on the flow.
//
// Errors: those of [Client.FlowsInstancesRetrieve].
//
// https://api.goauthentik.io/reference/flows-instances-used-by-list/
func (c *Client) FlowsInstancesUsedByList(ctx context.Context, slug string, opts ...RequestOption) ([]UsedBy, error) {
	o := get("FlowsInstancesUsedByList", "flows/instances/{slug}/used_by/", readSlug(slug))
	return call(ctx, c, o, opts, array[UsedBy]())
}
