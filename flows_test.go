package authentik_test

import (
	"context"
	"maps"
	"net/url"
	"reflect"
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
