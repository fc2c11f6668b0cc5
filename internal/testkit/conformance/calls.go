// Package conformance compares the library with a server's raw responses. It
// maps a request to the call of the library that sends the request, and says
// what the call must return for a response.
//
// The replay suite uses recorded responses, and the live suite those of a
// running server.
package conformance

import (
	"context"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/internal/testkit/recording"
)

// operations maps HTTP method and path to the method of the library that sends
// such a request. The first line that matches counts.
var operations = []struct {
	// path is a regular expression.
	method, path string
	// op is the method of the library, or empty.
	op string
	// reason says why op is empty.
	reason string
}{
	{"GET", `/api/v3/flows/instances/`, "FlowsInstancesList", ""},
	{"GET", `/api/v3/flows/bindings/[^/]+/`, "BindingsRetrieve", ""},
	{"GET", `/api/v3/admin/version/`, "ServerVersion", ""},
	{"GET", `/api/v3/.*`, "Get", ""},
	{"GET", `/.*`, "", "not below /api/v3, where Get sends requests"},

	{"POST", `/api/v3/flows/instances/`, "", write},
	{"PUT", `/api/v3/flows/instances/[^/]+/`, "", write},
	{"PATCH", `/api/v3/flows/instances/[^/]+/`, "", write},
	{"DELETE", `/api/v3/flows/instances/[^/]+/`, "", write},
	{"POST", `/api/v3/flows/instances/cache_clear/`, "", write},
	{"POST", `/api/v3/flows/instances/import(_flow)?/`, "", write},
	{"POST", `/api/v3/managed/blueprints/import/`, "", write},
	{"POST", `/api/v3/flows/instances/[^/]+/set_background(_url)?/`, "", write},
	{"POST", `/api/v3/flows/bindings/`, "", write},
	{"PUT", `/api/v3/flows/bindings/[^/]+/`, "", write},
	{"PATCH", `/api/v3/flows/bindings/[^/]+/`, "", write},
	{"DELETE", `/api/v3/flows/bindings/[^/]+/`, "", write},
	{"POST", `/api/v3/flows/executor/[^/]+/`, "", "a Session sends it, without a token"},

	{"HEAD", `/api/v3/flows/instances/`, "", "no operation of the schema: the list without its body"},
	{"OPTIONS", `/api/v3/flows/instances/`, "", "no operation of the schema: the list's description"},
	{"PATCH", `/api/v3/flows/instances/`, "", "no operation of the schema: a list has no PATCH"},
	{"POST", `/api/v3/flows/[^/]+/?`, "", "no operation of the schema: a wrong path"},
}

// write is the reason for a write, whose method and body are of no importance for
// an error response. TestReplay_EveryOperation sends the writes themselves.
const write = "a write"

// Call is the call of the library that sends a request.
type Call struct {
	// Op is the method of the client.
	Op string
	// Reason says why Op is not the operation's own method. Empty if it is.
	Reason string
	// Path is the path below /api/v3/ that the call requests.
	Path string
	// Query is the query that the call sends.
	Query url.Values
	// Do makes the call.
	Do func(ctx context.Context, ak *authentik.Client, opt authentik.RequestOption) (any, error)
	// Untyped reports whether Do decodes into an any.
	Untyped bool
	// ResponseOnly reports whether the library cannot send the request. Do sends
	// another request then, to which the same response can be replayed.
	ResponseOnly bool
}

// CallFor returns the call that sends a request. The test fails if operations
// has no line for the request.
func CallFor(t *testing.T, r recording.Request) Call {
	t.Helper()
	target, err := url.Parse(r.Target)
	require.NoError(t, err)
	query := target.Query()
	path := strings.TrimPrefix(target.EscapedPath(), "/api/v3/")
	for _, o := range operations {
		if o.method != r.Method || !regexp.MustCompile("^"+o.path+"$").MatchString(target.EscapedPath()) {
			continue
		}
		switch o.op {
		case "FlowsInstancesList":
			opts, wire, reason := OptionsFor(query)
			if reason != "" {
				return getCall(path, query, reason)
			}
			return Call{
				Op:    o.op,
				Path:  path,
				Query: wire,
				Do: func(ctx context.Context, ak *authentik.Client, opt authentik.RequestOption) (any, error) {
					return ak.FlowsInstancesList(ctx, opts, opt)
				},
			}
		case "BindingsRetrieve":
			id, err := uuid.Parse(strings.TrimSuffix(strings.TrimPrefix(path, "flows/bindings/"), "/"))
			if err != nil || len(query) > 0 {
				return getCall(path, query, "id is a UUID")
			}
			return Call{
				Op:    o.op,
				Path:  "flows/bindings/" + id.String() + "/",
				Query: query,
				Do: func(ctx context.Context, ak *authentik.Client, opt authentik.RequestOption) (any, error) {
					return ak.BindingsRetrieve(ctx, id, opt)
				},
			}
		case "ServerVersion":
			return Call{
				Op:    o.op,
				Path:  path,
				Query: query,
				Do: func(ctx context.Context, ak *authentik.Client, opt authentik.RequestOption) (any, error) {
					version, err := ak.ServerVersion(ctx, opt)
					return struct {
						Version string `json:"version_current"`
					}{version}, err
				},
			}
		case "Get":
			return getCall(path, query, "")
		default:
			// The library handles an error response alike, whatever the request was.
			call := getCall("replayed/", nil, o.reason)
			call.ResponseOnly = true
			return call
		}
	}
	require.FailNow(t, "no rule for this recording", "%s %s: add a line to operations", r.Method, r.Target)
	return Call{}
}

// getCall returns a call of Get.
func getCall(path string, query url.Values, reason string) Call {
	return Call{
		Op:      "Get",
		Reason:  reason,
		Path:    strings.TrimPrefix(strings.TrimSuffix(path, "/")+"/", "/"),
		Query:   query,
		Untyped: true,
		Do: func(ctx context.Context, ak *authentik.Client, opt authentik.RequestOption) (any, error) {
			var value any
			err := ak.Get(ctx, path, query, &value, opt)
			return value, err
		},
	}
}

// Orderings are the fields that FlowsInstancesListOptions.Ordering may name.
var Orderings = []string{
	"pk", "policybindingmodel_ptr_id", "name", "slug", "title", "designation", "policy_engine_mode",
	"compatibility_mode", "layout", "denied_action", "authentication", "background",
}

// OptionsFor returns the options that express a query, and the query that a
// list with these options must send. If the options cannot express the query, it
// returns the reason.
func OptionsFor(query url.Values) (opts *authentik.FlowsInstancesListOptions, wire url.Values, reason string) {
	opts, wire = &authentik.FlowsInstancesListOptions{}, maps.Clone(query)
	for _, key := range slices.Sorted(maps.Keys(query)) {
		value := query.Get(key)
		switch {
		case len(query[key]) > 1:
			return nil, nil, "an option has one value"
		case value == "":
			return nil, nil, "an empty option is not sent"
		}
		if strings.Trim(value, " ,\x00") == "" {
			return nil, nil, "a blank option is refused"
		}
		number, _ := strconv.Atoi(value)
		switch key {
		case "flow_uuid":
			id, err := uuid.Parse(value)
			if err != nil {
				return nil, nil, "FlowUUID is a UUID"
			}
			opts.FlowUUID = id
			wire.Set(key, id.String())
		case "name":
			opts.Name = value
		case "slug":
			opts.Slug = value
		case "designation":
			opts.Designation = authentik.FlowDesignation(value)
		case "denied_action":
			opts.DeniedAction = authentik.FlowDeniedAction(value)
		case "search":
			opts.Search = value
		case "ordering":
			fields := strings.Split(strings.ReplaceAll(value, "-", ""), ",")
			for _, field := range fields {
				if !slices.Contains(Orderings, field) {
					return nil, nil, "Ordering refuses what servers ignore and what loses flows"
				}
			}
			opts.Ordering = value
			if !slices.Contains(fields, "slug") {
				wire.Set(key, value+",slug")
			}
		case "page":
			opts.Page = number
		case "page_size":
			opts.PageSize = number
		default:
			return nil, nil, "there is no such option"
		}
		if strings.HasPrefix(key, "page") && strconv.Itoa(max(number, 1)) != value {
			return nil, nil, "Page and PageSize are numbers from 1"
		}
	}
	return opts, wire, ""
}
