package authentik

import (
	"context"
	"errors"
	"iter"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/seed-299d42e7/authentik-go/internal/wire"
)

// Flow is an ordered set of stages: log in, enrol, recover a password.
//
// It marshals to authentik's own JSON: the keys that every release has are
// always written, those that only some have when they are not zero. It
// unmarshals as the client decodes: see the package's notes on decoding.
//
// https://api.goauthentik.io/reference/flows-instances-list/
type Flow struct {
	PK                      uuid.UUID          `json:"pk"` // identifies it; bindings call it their target
	PolicyBindingModelPtrID uuid.UUID          `json:"policybindingmodel_ptr_id"`
	Name                    string             `json:"name"`
	Slug                    string             `json:"slug"` // unique; it is in the flow's URL
	Title                   string             `json:"title"`
	Designation             FlowDesignation    `json:"designation"`
	Background              string             `json:"background"`                      // up to 2025.10 a URL; since 2025.12 a file's name, "" if unset
	BackgroundURL           string             `json:"background_url,omitzero"`         // since 2025.12; of an uploaded file signed, and another one at each read
	BackgroundThemedURLs    *ThemedURLs        `json:"background_themed_urls,omitzero"` // since 2025.12.2; nil if null or absent
	Stages                  []uuid.UUID        `json:"stages"`                          // in no order; nil if there are none
	Policies                []uuid.UUID        `json:"policies"`                        // nil if there are none
	CacheCount              int                `json:"cache_count"`                     // cached plans
	PolicyEngineMode        PolicyEngineMode   `json:"policy_engine_mode"`
	CompatibilityMode       bool               `json:"compatibility_mode"`
	ExportURL               string             `json:"export_url"`              // a path on the server
	Layout                  FlowLayout         `json:"layout,omitzero"`         // since 2022.5
	DeniedAction            FlowDeniedAction   `json:"denied_action,omitzero"`  // since 2022.7
	Authentication          FlowAuthentication `json:"authentication,omitzero"` // since 2022.12
}

var flowFields = wire.NewObject(
	wire.UUID("pk", wire.Required, func(f *Flow) *uuid.UUID { return &f.PK }),
	wire.UUID("policybindingmodel_ptr_id", wire.Required, func(f *Flow) *uuid.UUID { return &f.PolicyBindingModelPtrID }),
	wire.String("name", wire.Required, func(f *Flow) *string { return &f.Name }),
	wire.String("slug", wire.Required, func(f *Flow) *string { return &f.Slug }),
	wire.String("title", wire.Required, func(f *Flow) *string { return &f.Title }),
	wire.Enum("designation", wire.Required, flowDesignations, func(f *Flow) *string { return (*string)(&f.Designation) }),
	wire.String("background", wire.Optional, func(f *Flow) *string { return &f.Background }),
	wire.String("background_url", wire.Since("2025.12"), func(f *Flow) *string { return &f.BackgroundURL }),
	wire.NullNested("background_themed_urls", wire.Since("2025.12"), themedURLsFields, func(f *Flow) **ThemedURLs { return &f.BackgroundThemedURLs }),
	wire.UUIDs("stages", wire.Required, func(f *Flow) *[]uuid.UUID { return &f.Stages }),
	wire.UUIDs("policies", wire.Required, func(f *Flow) *[]uuid.UUID { return &f.Policies }),
	wire.Int("cache_count", wire.Required, func(f *Flow) *int { return &f.CacheCount }),
	wire.Enum("policy_engine_mode", wire.Optional, policyEngineModes, func(f *Flow) *string { return (*string)(&f.PolicyEngineMode) }),
	wire.Bool("compatibility_mode", wire.Optional, func(f *Flow) *bool { return &f.CompatibilityMode }),
	wire.String("export_url", wire.Required, func(f *Flow) *string { return &f.ExportURL }),
	wire.Enum("layout", wire.Since("2022.5"), flowLayouts, func(f *Flow) *string { return (*string)(&f.Layout) }),
	wire.Enum("denied_action", wire.Since("2022.7"), flowDeniedActions, func(f *Flow) *string { return (*string)(&f.DeniedAction) }),
	wire.Enum("authentication", wire.Since("2022.12"), flowAuthentications, func(f *Flow) *string { return (*string)(&f.Authentication) }),
)

// UnmarshalJSON reads authentik's JSON and overwrites all of f. Its error is a
// [*DecodeError].
func (f *Flow) UnmarshalJSON(data []byte) error { return unmarshal(data, flowFields, f) }

// MarshalJSON writes authentik's JSON.
func (f Flow) MarshalJSON() ([]byte, error) {
	type plain Flow
	f.Stages, f.Policies = list(f.Stages), list(f.Policies)
	return marshal(plain(f))
}

func (*Flow) fields() *wire.Object[Flow] { return flowFields }

// ThemedURLs are the background's URLs by theme, "" where there is none.
type ThemedURLs struct {
	Light string `json:"light,omitzero"`
	Dark  string `json:"dark,omitzero"`
}

var themedURLsFields = wire.NewObject(
	wire.NullString("light", wire.Since("2025.12"), func(t *ThemedURLs) *string { return &t.Light }),
	wire.NullString("dark", wire.Since("2025.12"), func(t *ThemedURLs) *string { return &t.Dark }),
)

// UnmarshalJSON is as of [Flow].
func (t *ThemedURLs) UnmarshalJSON(data []byte) error { return unmarshal(data, themedURLsFields, t) }

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

// values returns the query, or what the server would ignore or misunderstand.
func (o *FlowsInstancesListOptions) values(op string) (url.Values, error) {
	query := url.Values{}
	if o == nil {
		return query, nil
	}
	bad := func(field, reason string) (url.Values, error) { return nil, &ArgumentError{op, field, reason} }
	for _, text := range []struct{ field, key, value, separators string }{
		{"Name", "name", o.Name, ""},
		{"Slug", "slug", o.Slug, ""},
		{"Designation", "designation", string(o.Designation), ""},
		{"DeniedAction", "denied_action", string(o.DeniedAction), ""},
		{"Search", "search", o.Search, ",\x00"},
	} {
		blank := func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(text.separators, r) }
		switch {
		case text.value == "":
			continue
		case !utf8.ValidString(text.value):
			return bad(text.field, "it is not UTF-8")
		case strings.TrimFunc(text.value, blank) == "":
			return bad(text.field, "it is blank: servers ignore it, and list every flow")
		}
		query.Set(text.key, text.value)
	}
	if o.FlowUUID != uuid.Nil {
		query.Set("flow_uuid", o.FlowUUID.String())
	}
	if o.Page < 0 {
		return bad("Page", "it is negative")
	}
	if o.PageSize < 0 {
		return bad("PageSize", "it is negative")
	}
	if o.Page > 0 {
		query.Set("page", strconv.Itoa(o.Page))
	}
	if o.PageSize > 0 {
		query.Set("page_size", strconv.Itoa(o.PageSize))
	}
	if o.Ordering != "" {
		ordering, err := totalOrder(o.Ordering)
		if err != nil {
			return bad("Ordering", err.Error())
		}
		query.Set("ordering", ordering)
	}
	return query, nil
}

// totalOrder checks an ordering and makes slug, which is unique, its last word.
func totalOrder(ordering string) (string, error) {
	var fields []string
	total := false
	for field := range strings.SplitSeq(ordering, ",") {
		field = strings.TrimSpace(field)
		name := strings.TrimPrefix(field, "-")
		switch {
		case name == "stages" || name == "policies":
			return "", errors.New("by stages or policies, servers repeat some flows and omit others")
		case !slices.Contains(flowOrderings, name):
			return "", errors.New("it has a field that flows are not ordered by: servers ignore it")
		}
		total = total || name == "slug"
		fields = append(fields, field)
	}
	if !total {
		fields = append(fields, "slug")
	}
	return strings.Join(fields, ","), nil
}

var decodeFlowPage = decodePage(flowFields)

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
	r := request{op: "FlowsInstancesList", path: "flows/instances/"}
	cfg := newRequestConfig(reqOpts).reset()
	var err error
	if r.query, err = opts.values(r.op); err != nil {
		return nil, err
	}
	return get(ctx, c, r, cfg, decodeFlowPage)
}

// FlowsInstancesPages walks the pages of a list of flows: GET
// /flows/instances/, once for each page. opts may be nil. It needs what
// [Client.FlowsInstancesList] needs, and [Client.FlowsInstancesAll] describes
// the walk. A page keeps its Pagination as sent; its Results are without the
// flows that an earlier page had.
func (c *Client) FlowsInstancesPages(ctx context.Context, opts *FlowsInstancesListOptions, reqOpts ...RequestOption) iter.Seq2[*Page[Flow], error] {
	return c.flowPages("FlowsInstancesPages", ctx, opts, reqOpts)
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
	return items(c.flowPages("FlowsInstancesAll", ctx, opts, reqOpts))
}

func (c *Client) flowPages(op string, ctx context.Context, opts *FlowsInstancesListOptions, reqOpts []RequestOption) iter.Seq2[*Page[Flow], error] { //nolint:revive // op names what ctx is for
	w := walk[Flow]{
		client: c, request: request{op: op, path: "flows/instances/"}, config: newRequestConfig(reqOpts),
		decode: decodeFlowPage, key: func(f *Flow) uuid.UUID { return f.PK },
	}
	w.request.query, w.refused = opts.values(op)
	if opts != nil {
		w.first = opts.Page
	}
	return w.pages(ctx)
}
