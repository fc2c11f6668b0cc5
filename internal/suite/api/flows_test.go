package api_test

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/internal/testkit"
)

type listOptions = authentik.FlowsInstancesListOptions

// flowLists are the methods that take FlowsInstancesListOptions.
var flowLists = map[string]func(context.Context, *authentik.Client, *listOptions) error{
	"FlowsInstancesList": func(ctx context.Context, ak *authentik.Client, opts *listOptions) error {
		_, err := ak.FlowsInstancesList(ctx, opts)
		return err
	},
	"FlowsInstancesAll": func(ctx context.Context, ak *authentik.Client, opts *listOptions) error {
		_, err := authentik.Collect(ak.FlowsInstancesAll(ctx, opts))
		return err
	},
	"FlowsInstancesPages": func(ctx context.Context, ak *authentik.Client, opts *listOptions) error {
		_, err := authentik.Collect(ak.FlowsInstancesPages(ctx, opts))
		return err
	},
}

// newQueries returns a function that returns the query of the first request
// that a list makes.
func newQueries(t *testing.T) func(op string, opts *listOptions) url.Values {
	t.Helper()
	server := &testkit.FlowServer{Slugs: testkit.Letters("abcdefghijklmnopqrstuvwxyz")}
	ak := testkit.NewClient(t, server)
	return func(op string, opts *listOptions) url.Values {
		server.Reset()
		require.NoError(t, flowLists[op](t.Context(), ak, opts))
		return server.Queries()[0]
	}
}

func TestFlowsInstancesListOptions_SendsNonZero(t *testing.T) {
	t.Parallel()
	id := uuid.MustParse("A58A38A0-14B6-4A2A-A4FC-7C6B1E3C9C5D")
	tests := map[string]struct {
		opts listOptions
		key  string
		sent string
	}{
		"FlowUUID": {listOptions{FlowUUID: id}, "flow_uuid", "a58a38a0-14b6-4a2a-a4fc-7c6b1e3c9c5d"},
		"Name":     {listOptions{Name: "Welcome to authentik!"}, "name", "Welcome to authentik!"},
		"Slug":     {listOptions{Slug: "default-authentication-flow"}, "slug", "default-authentication-flow"},
		"Designation": {
			listOptions{Designation: authentik.FlowDesignationStageConfiguration},
			"designation",
			"stage_configuration",
		},
		"DeniedAction": {
			listOptions{DeniedAction: authentik.FlowDeniedActionMessageContinue},
			"denied_action",
			"message_continue",
		},
		"Search":   {listOptions{Search: `"two words", three`}, "search", `"two words", three`},
		"Ordering": {listOptions{Ordering: "-slug"}, "ordering", "-slug"},
		"Page":     {listOptions{Page: 1}, "page", "1"},
		"PageSize": {listOptions{PageSize: 7}, "page_size", "7"},
	}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[listOptions]()) {
		require.Contains(t, tests, field.Name)
	}
	var all listOptions
	allSent := url.Values{}
	for name, tc := range tests {
		reflect.ValueOf(&all).Elem().FieldByName(name).Set(reflect.ValueOf(tc.opts).FieldByName(name))
		allSent.Set(tc.key, tc.sent)
	}
	query := newQueries(t)
	for op := range flowLists {
		implied := url.Values{}
		if op != "FlowsInstancesList" {
			implied = url.Values{"page": {"1"}, "page_size": {"100"}}
		}
		assert.Equal(t, implied, query(op, nil), op)
		assert.Equal(t, implied, query(op, &listOptions{}), op)
		assert.Equal(t, allSent, query(op, &all), op)
		for name, tc := range tests {
			want := maps.Clone(implied)
			want.Set(tc.key, tc.sent)
			assert.Equal(t, want, query(op, &tc.opts), "%s: %s", op, name)
		}
	}
}

func TestFlowsInstancesListOptions_SendsValuesUnchanged(t *testing.T) {
	t.Parallel()
	query := newQueries(t)
	for _, value := range []string{
		"a&b=c", "a#b", "a;b", "a\r\nb", "a+b c%20d", "Süd \U0001F680 – 流れ", `"q" 'q' \`, "?page=2&page_size=1", " a ",
		"/../",
		"designation=recovery", "a\x00b", "\ufeffa", "<script>", "%", "%zz", "a,b",
	} {
		for op := range flowLists {
			sent := query(
				op,
				&listOptions{
					Name:         value,
					Slug:         value,
					Search:       value,
					Designation:  authentik.FlowDesignation(value),
					DeniedAction: authentik.FlowDeniedAction(value),
				},
			)
			sent.Del("page") // a walk's own
			sent.Del("page_size")
			want := url.Values{}
			for _, key := range []string{"name", "slug", "search", "designation", "denied_action"} {
				want.Set(key, value)
			}
			assert.Equal(t, want, sent, "%s: %q", op, value)
		}
	}
	assert.Equal(
		t,
		url.Values{"name": {","}, "slug": {"\x00"}},
		query("FlowsInstancesList", &listOptions{Name: ",", Slug: "\x00"}),
		"blank in a search only",
	)
}

// Clause 9 of FlowsInstancesAll, and of a single list.
func TestFlowsInstancesListOptions_OrderingIsTotal(t *testing.T) {
	t.Parallel()
	query := newQueries(t)
	for ordering, sent := range map[string]string{
		"name":                          "name,slug",
		"-name":                         "-name,slug",
		"designation, -name":            "designation,-name,slug",
		" pk ":                          "pk,slug",
		"policybindingmodel_ptr_id":     "policybindingmodel_ptr_id,slug",
		"title,policy_engine_mode":      "title,policy_engine_mode,slug",
		"compatibility_mode,layout":     "compatibility_mode,layout,slug",
		"denied_action,-authentication": "denied_action,-authentication,slug",
		"background":                    "background,slug",
		"slug":                          "slug",
		"-slug":                         "-slug",
		"designation,slug":              "designation,slug",
		"designation,-slug":             "designation,-slug",
		"slug,designation":              "slug,designation",
	} {
		for op := range flowLists {
			assert.Equal(t, []string{sent}, query(op, &listOptions{Ordering: ordering})["ordering"], "%s: %q", op, ordering)
		}
	}
}

func TestFlowsInstancesListOptions_RejectsInvalid(t *testing.T) {
	t.Parallel()
	const (
		blank   = "must not be blank (authentik would ignore the filter and list everything)"
		notUTF8 = "must be valid UTF-8"
	)
	cannot := func(field string) string {
		return `cannot order by "` + field + `"; use pk, policybindingmodel_ptr_id, name, slug, title, designation, ` +
			`policy_engine_mode, compatibility_mode, layout, denied_action, authentication, background`
	}
	server := &testkit.FlowServer{Slugs: testkit.Letters("a")}
	ak := testkit.NewClient(t, server)
	for _, tc := range []struct {
		opts          listOptions
		field, reason string
	}{
		{listOptions{Page: -1}, "Page", "must not be negative"},
		{listOptions{PageSize: -1}, "PageSize", "must not be negative"},
		{listOptions{Name: " "}, "Name", blank},
		{listOptions{Slug: "\t\n"}, "Slug", blank},
		{listOptions{Search: " , ,"}, "Search", blank},
		{listOptions{Search: "\x00"}, "Search", blank},
		{listOptions{Search: "\u00a0\u2003"}, "Search", blank},
		{listOptions{Designation: " "}, "Designation", blank},
		{listOptions{DeniedAction: " "}, "DeniedAction", blank},
		{listOptions{Name: "a\xff"}, "Name", notUTF8},
		{listOptions{Slug: "\xc3"}, "Slug", notUTF8},
		{listOptions{Search: "\xed\xa0\x80"}, "Search", notUTF8},
		{listOptions{Designation: "\xff"}, "Designation", notUTF8},
		{listOptions{DeniedAction: "\xff"}, "DeniedAction", notUTF8},
		{listOptions{Ordering: "stages"}, "Ordering", cannot("stages")},
		{listOptions{Ordering: "name,-policies"}, "Ordering", cannot("-policies")},
		{listOptions{Ordering: "flow_uuid"}, "Ordering", cannot("flow_uuid")},
		{listOptions{Ordering: "background_url"}, "Ordering", cannot("background_url")},
		{listOptions{Ordering: "cache_count"}, "Ordering", cannot("cache_count")},
		{listOptions{Ordering: "Name"}, "Ordering", cannot("Name")},
		{listOptions{Ordering: "--slug"}, "Ordering", cannot("--slug")},
		{listOptions{Ordering: "- slug"}, "Ordering", cannot("- slug")},
		{listOptions{Ordering: "+slug"}, "Ordering", cannot("+slug")},
		{listOptions{Ordering: "-"}, "Ordering", cannot("-")},
		{listOptions{Ordering: " "}, "Ordering", cannot("")},
		{listOptions{Ordering: "slug,"}, "Ordering", cannot("")},
		{listOptions{Ordering: "slug name"}, "Ordering", cannot("slug name")},
	} {
		for op, list := range flowLists {
			err := list(t.Context(), ak, &tc.opts)
			var argument *authentik.ArgumentError
			require.ErrorAs(t, err, &argument, "%s: %+v", op, tc.opts)
			assert.Equal(t, authentik.ArgumentError{Op: op, Field: tc.field, Reason: tc.reason}, *argument)
			assert.EqualError(t, err, "authentik: "+op+": "+tc.field+": "+tc.reason)
		}
	}
	assert.Empty(t, server.Pages())
}

func TestFlowsInstancesList_RejectsNilClientAndContext(t *testing.T) {
	t.Parallel()
	server := &testkit.FlowServer{Slugs: testkit.Letters("a")}
	for op, list := range flowLists {
		for _, tc := range []struct {
			field string
			ctx   context.Context //nolint:containedctx // the argument under test
			ak    *authentik.Client
		}{
			{"ctx", nil, testkit.NewClient(t, server)},
			{"Client", t.Context(), nil},
			{"Client", t.Context(), &authentik.Client{}},
		} {
			var argument *authentik.ArgumentError
			require.ErrorAs(t, list(tc.ctx, tc.ak, nil), &argument, op)
			assert.Equal(t, op, argument.Op)
			assert.Equal(t, tc.field, argument.Field)
		}
	}
	var none context.Context
	_, err := authentik.Collect(testkit.NewClient(t, server).FlowsInstancesAll(none, nil, authentik.WithPrefetch(2)))
	var argument *authentik.ArgumentError
	require.ErrorAs(t, err, &argument)
	assert.Equal(t, "ctx", argument.Field)
	assert.Empty(t, server.Pages())
}

// refusedFlow is a refusal of each method that takes a FlowRequest.
func refusedFlow(flow authentik.FlowRequest, field, reason string, ops ...string) (all []refusal) {
	calls := map[string]func(context.Context, *authentik.Client) error{
		"FlowsInstancesCreate": func(ctx context.Context, ak *authentik.Client) error {
			_, err := ak.FlowsInstancesCreate(ctx, flow)
			return err
		},
		"FlowsInstancesUpdate": func(ctx context.Context, ak *authentik.Client) error {
			_, err := ak.FlowsInstancesUpdate(ctx, "s", flow)
			return err
		},
		"FlowsInstancesPartialUpdate": func(ctx context.Context, ak *authentik.Client) error {
			_, err := ak.FlowsInstancesPartialUpdate(ctx, "s", flow)
			return err
		},
	}
	for _, op := range ops {
		all = append(all, refusal{op, field, reason, calls[op]})
	}
	return all
}

func TestFlowRequest_RefusesInvalid(t *testing.T) {
	t.Parallel()
	complete := []string{"FlowsInstancesCreate", "FlowsInstancesUpdate"}
	every := append([]string{"FlowsInstancesPartialUpdate"}, complete...)
	with := func(change func(*authentik.FlowRequest)) authentik.FlowRequest {
		flow := flowRequest
		change(&flow)
		return flow
	}
	all := refusedFlow(authentik.FlowRequest{}, "FlowRequest", "must have a field that is set", every[0])
	for _, blank := range []string{"", " ", "\t\u2003"} {
		all = slices.Concat(all,
			refusedFlow(with(func(f *authentik.FlowRequest) { f.Name = blank }), "Name", "must not be blank", complete...),
			refusedFlow(with(func(f *authentik.FlowRequest) { f.Slug = blank }), "Slug", "must not be blank", complete...),
			refusedFlow(with(func(f *authentik.FlowRequest) { f.Title = blank }), "Title", "must not be blank", complete...),
			refusedFlow(with(func(f *authentik.FlowRequest) { f.Designation = authentik.FlowDesignation(blank) }),
				"Designation", "must not be blank", complete...),
		)
	}
	for slug, reason := range refusedSlugs {
		flow := with(func(f *authentik.FlowRequest) { f.Slug = slug })
		all = append(all, refusedFlow(flow, "Slug", reason, every...)...)
	}
	for _, field := range textsOf(authentik.FlowRequest{}) {
		if field == "Slug" {
			continue // its letters are checked
		}
		for _, text := range []string{"a\xff", "\xed\xa0\x80"} {
			flow := with(func(f *authentik.FlowRequest) { setText(f, field, text) })
			all = append(all, refusedFlow(flow, field, "must be valid UTF-8", every...)...)
		}
	}
	testRefusals(t, all)
}

// textsOf returns the names of the fields of a request that are texts.
func textsOf(request any) (names []string) {
	for field := range reflect.TypeOf(request).Fields() {
		if field.Type.Kind() == reflect.String || field.Type == reflect.TypeFor[*string]() {
			names = append(names, field.Name)
		}
	}
	return names
}

// setText sets a field of the request that the pointer points to.
func setText(request any, field, text string) {
	value := reflect.ValueOf(request).Elem().FieldByName(field)
	if value.Kind() == reflect.Pointer {
		value.Set(reflect.ValueOf(&text))
		return
	}
	value.SetString(text)
}

const (
	notASlug = "must consist of letters, digits, hyphens and underscores"
	aRoute   = "must not be the name of one of the API's own paths"
)

// refusedSlugs are slugs that no flow can have, and why.
var refusedSlugs = map[string]string{
	"a b": notASlug, "a.b": notASlug, "ü": notASlug, "a/b": notASlug, "..": notASlug, "a\n": notASlug, "a\xff": notASlug,
	"\uff41": notASlug, "a%2Fb": notASlug, "import": aRoute, "cache_info": aRoute, "cache_clear": aRoute,
}

func TestFlowsInstances_RefuseSlugs(t *testing.T) {
	t.Parallel()
	reads := map[string]func(context.Context, *authentik.Client, string) error{
		"FlowsInstancesRetrieve": func(ctx context.Context, ak *authentik.Client, slug string) error {
			_, err := ak.FlowsInstancesRetrieve(ctx, slug)
			return err
		},
		"FlowsInstancesUsedByList": func(ctx context.Context, ak *authentik.Client, slug string) error {
			_, err := ak.FlowsInstancesUsedByList(ctx, slug)
			return err
		},
		"FlowsInstancesDiagramRetrieve": func(ctx context.Context, ak *authentik.Client, slug string) error {
			_, err := ak.FlowsInstancesDiagramRetrieve(ctx, slug)
			return err
		},
		"FlowsInstancesExportRetrieve": func(ctx context.Context, ak *authentik.Client, slug string) error {
			_, err := ak.FlowsInstancesExportRetrieve(ctx, slug)
			return err
		},
		"FlowsInstancesExecuteRetrieve": func(ctx context.Context, ak *authentik.Client, slug string) error {
			_, err := ak.FlowsInstancesExecuteRetrieve(ctx, slug)
			return err
		},
	}
	writes := map[string]func(context.Context, *authentik.Client, string) error{
		"FlowsInstancesUpdate": func(ctx context.Context, ak *authentik.Client, slug string) error {
			_, err := ak.FlowsInstancesUpdate(ctx, slug, flowRequest)
			return err
		},
		"FlowsInstancesPartialUpdate": func(ctx context.Context, ak *authentik.Client, slug string) error {
			_, err := ak.FlowsInstancesPartialUpdate(ctx, slug, flowRequest)
			return err
		},
		"FlowsInstancesDestroy": func(ctx context.Context, ak *authentik.Client, slug string) error {
			return ak.FlowsInstancesDestroy(ctx, slug)
		},
		"FlowsInstancesSetBackgroundCreate": func(ctx context.Context, ak *authentik.Client, slug string) error {
			return ak.FlowsInstancesSetBackgroundCreate(ctx, slug, authentik.FlowBackground{Clear: true})
		},
		"FlowsInstancesSetBackgroundURLCreate": func(ctx context.Context, ak *authentik.Client, slug string) error {
			return ak.FlowsInstancesSetBackgroundURLCreate(ctx, slug, "https://cdn/a.png")
		},
	}
	var all []refusal
	add := func(op, slug, reason string, call func(context.Context, *authentik.Client, string) error) {
		all = append(all, refusal{op, "slug", reason, func(ctx context.Context, ak *authentik.Client) error {
			return call(ctx, ak, slug)
		}})
	}
	const notASegment = `must not be "." or "..", nor contain a slash or a control character`
	for op, call := range reads {
		add(op, "", "must not be empty", call)
		for _, slug := range []string{".", "..", "a/b", `a\b`, "a\n", "a\xff", "/"} {
			add(op, slug, notASegment, call)
		}
		for _, slug := range []string{"import", "cache_info", "cache_clear"} {
			add(op, slug, aRoute, call)
		}
	}
	for op, call := range writes {
		add(op, "", "must not be empty", call)
		for slug, reason := range refusedSlugs {
			add(op, slug, reason, call)
		}
	}
	testRefusals(t, all)
}

// A pointer is sent whatever it points to, and a zero value is not sent.
func TestFlowRequest_OmitsZero(t *testing.T) {
	t.Parallel()
	for want, flow := range map[string]authentik.FlowRequest{
		`{}`:                           {},
		`{"compatibility_mode":false}`: {CompatibilityMode: new(false)},
		`{"background":""}`:            {Background: new("")},
		`{"name":"n","slug":"s","title":"t","designation":"recovery","policy_engine_mode":"all",` +
			`"compatibility_mode":true,"layout":"stacked","denied_action":"message",` +
			`"authentication":"require_superuser","background":"b.png"}`: {
			Name: "n", Slug: "s", Title: "t", Designation: "recovery", PolicyEngineMode: "all", CompatibilityMode: new(true),
			Layout: "stacked", DeniedAction: "message", Authentication: "require_superuser", Background: new("b.png"),
		},
	} {
		got, err := json.Marshal(flow)
		require.NoError(t, err)
		assert.Equal(t, want, string(got))
	}
}

func TestFlow_Request(t *testing.T) {
	t.Parallel()
	flow := authentik.Flow{
		PK: flowID, Name: "n", Slug: "s", Title: "t", Designation: "recovery", Background: "/static/b.jpg",
		Stages: []uuid.UUID{otherID}, PolicyEngineMode: "all", CompatibilityMode: true, ExportURL: "/e",
		Layout: "stacked", DeniedAction: "message", Authentication: "none",
	}
	want := authentik.FlowRequest{
		Name: "n", Slug: "s", Title: "t", Designation: "recovery", PolicyEngineMode: "all", CompatibilityMode: new(true),
		Layout: "stacked", DeniedAction: "message", Authentication: "none",
	}
	assert.Equal(t, want, flow.Request(), "up to 2025.10 a background is read only")
	flow.BackgroundURL = "/static/b.jpg"
	want.Background = new("/static/b.jpg")
	assert.Equal(t, want, flow.Request())
	flow.CompatibilityMode = false
	flow.Background = ""
	want.CompatibilityMode, want.Background = new(false), new("")
	assert.Equal(t, want, flow.Request())
}

// What a rename sends would not find the flow a second time.
func TestFlowsInstancesUpdate_IsRetriedUnlessItRenames(t *testing.T) {
	t.Parallel()
	for slug, requests := range map[string]int{"s": 4, "old": 1} {
		for name, call := range map[string]func(*authentik.Client) error{
			"PUT": func(ak *authentik.Client) error {
				_, err := ak.FlowsInstancesUpdate(t.Context(), slug, flowRequest)
				return err
			},
			"PATCH": func(ak *authentik.Client) error {
				_, err := ak.FlowsInstancesPartialUpdate(t.Context(), slug, authentik.FlowRequest{Slug: "s"})
				return err
			},
		} {
			server := &testkit.Stub{Status: http.StatusBadGateway, ContentType: testkit.HTML}
			require.ErrorIs(t, call(testkit.NewClient(t, server)), authentik.ErrServer)
			assert.EqualValues(t, requests, server.Requests.Load(), "%s of %s", name, slug)
		}
	}
}

// The response to the first DELETE is lost, and the 404 to the second one is cut
// off: the flow is gone all the same. A 404 in HTML is of a path that does not
// exist. Whole JSON needs no Content-Type.
func TestFlowsInstancesDestroy_AcceptsTruncated404OfRepeatedDelete(t *testing.T) {
	t.Parallel()
	const whole, truncated = `{"detail":"Not found."}`, `{"detail":"Not fou`
	for response, gone := range map[[2]string]bool{
		{testkit.JSON, truncated}: true, {testkit.HTML, truncated}: false, {testkit.Text, whole}: true,
	} {
		sequence := testkit.NewSequence(
			testkit.Fail(io.ErrUnexpectedEOF),
			func(*http.Request) (*http.Response, error) {
				resp := testkit.HTTPResponse(testkit.Reply(http.StatusNotFound, response[0], response[1]))
				if response[1] == truncated {
					resp.Body = testkit.BrokenBody(truncated, io.ErrUnexpectedEOF)
				}
				return resp, nil
			},
		)
		client := sequence.Client(t, authentik.WithRetry(authentik.RetryPolicy{BaseDelay: -1}))
		err := client.FlowsInstancesDestroy(t.Context(), "signup")
		if gone {
			require.NoError(t, err)
		} else {
			require.ErrorIs(t, err, authentik.ErrNotFound)
		}
		assert.Equal(t, 2, sequence.Requests())
	}
}
