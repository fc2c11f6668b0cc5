package authentik_test

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/internal/testkit"
)

// flowLists are the methods that take FlowsInstancesListOptions.
var flowLists = map[string]func(context.Context, *authentik.Client, *authentik.FlowsInstancesListOptions) error{
	"FlowsInstancesList": func(ctx context.Context, ak *authentik.Client, opts *authentik.FlowsInstancesListOptions) error {
		_, err := ak.FlowsInstancesList(ctx, opts)
		return err
	},
	"FlowsInstancesAll": func(ctx context.Context, ak *authentik.Client, opts *authentik.FlowsInstancesListOptions) error {
		_, err := authentik.Collect(ak.FlowsInstancesAll(ctx, opts))
		return err
	},
	"FlowsInstancesPages": func(ctx context.Context, ak *authentik.Client, opts *authentik.FlowsInstancesListOptions) error {
		_, err := authentik.Collect(ak.FlowsInstancesPages(ctx, opts))
		return err
	},
}

// newQueries returns a function that returns the query of the first request
// that a list makes.
func newQueries(t *testing.T) func(op string, opts *authentik.FlowsInstancesListOptions) url.Values {
	t.Helper()
	server := &testkit.FlowServer{Slugs: testkit.Letters("abcdefghijklmnopqrstuvwxyz")}
	ak := testkit.NewClient(t, server)
	return func(op string, opts *authentik.FlowsInstancesListOptions) url.Values {
		server.Reset()
		require.NoError(t, flowLists[op](t.Context(), ak, opts))
		return server.Queries()[0]
	}
}

func TestListOptionsAreSentUnlessTheyAreZero(t *testing.T) {
	t.Parallel()
	id := uuid.MustParse("A58A38A0-14B6-4A2A-A4FC-7C6B1E3C9C5D")
	tests := map[string]struct {
		opts authentik.FlowsInstancesListOptions
		key  string
		sent string
	}{
		"FlowUUID":     {authentik.FlowsInstancesListOptions{FlowUUID: id}, "flow_uuid", "a58a38a0-14b6-4a2a-a4fc-7c6b1e3c9c5d"},
		"Name":         {authentik.FlowsInstancesListOptions{Name: "Welcome to authentik!"}, "name", "Welcome to authentik!"},
		"Slug":         {authentik.FlowsInstancesListOptions{Slug: "default-authentication-flow"}, "slug", "default-authentication-flow"},
		"Designation":  {authentik.FlowsInstancesListOptions{Designation: authentik.FlowDesignationStageConfiguration}, "designation", "stage_configuration"},
		"DeniedAction": {authentik.FlowsInstancesListOptions{DeniedAction: authentik.FlowDeniedActionMessageContinue}, "denied_action", "message_continue"},
		"Search":       {authentik.FlowsInstancesListOptions{Search: `"two words", three`}, "search", `"two words", three`},
		"Ordering":     {authentik.FlowsInstancesListOptions{Ordering: "-slug"}, "ordering", "-slug"},
		"Page":         {authentik.FlowsInstancesListOptions{Page: 1}, "page", "1"},
		"PageSize":     {authentik.FlowsInstancesListOptions{PageSize: 7}, "page_size", "7"},
	}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[authentik.FlowsInstancesListOptions]()) {
		require.Contains(t, tests, field.Name)
	}
	var all authentik.FlowsInstancesListOptions
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
		assert.Equal(t, implied, query(op, &authentik.FlowsInstancesListOptions{}), op)
		assert.Equal(t, allSent, query(op, &all), op)
		for name, tc := range tests {
			want := maps.Clone(implied)
			want.Set(tc.key, tc.sent)
			assert.Equal(t, want, query(op, &tc.opts), "%s: %s", op, name)
		}
	}
}

func filterValuesArriveAsTheyAre(t *testing.T) {
	t.Parallel()
	query := newQueries(t)
	for _, value := range []string{
		"a&b=c", "a#b", "a;b", "a\r\nb", "a+b c%20d", "Süd \U0001F680 – 流れ", `"q" 'q' \`, "?page=2&page_size=1", " a ", "/../",
		"designation=recovery", "a\x00b", "\ufeffa", "<script>", "%", "%zz", "a,b",
	} {
		for op := range flowLists {
			sent := query(op, &authentik.FlowsInstancesListOptions{Name: value, Slug: value, Search: value, Designation: authentik.FlowDesignation(value), DeniedAction: authentik.FlowDeniedAction(value)})
			sent.Del("page") // a walk's own
			sent.Del("page_size")
			want := url.Values{}
			for _, key := range []string{"name", "slug", "search", "designation", "denied_action"} {
				want.Set(key, value)
			}
			assert.Equal(t, want, sent, "%s: %q", op, value)
		}
	}
	assert.Equal(t, url.Values{"name": {","}, "slug": {"\x00"}}, query("FlowsInstancesList", &authentik.FlowsInstancesListOptions{Name: ",", Slug: "\x00"}), "blank in a search only")
}

// Clause 9 of FlowsInstancesAll, and of a single list.
func TestOrderingIsMadeTotal(t *testing.T) {
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
			assert.Equal(t, []string{sent}, query(op, &authentik.FlowsInstancesListOptions{Ordering: ordering})["ordering"], "%s: %q", op, ordering)
		}
	}
}

func TestWhatServersWouldMisunderstandIsNotSent(t *testing.T) {
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
		opts          authentik.FlowsInstancesListOptions
		field, reason string
	}{
		{authentik.FlowsInstancesListOptions{Page: -1}, "Page", "must not be negative"},
		{authentik.FlowsInstancesListOptions{PageSize: -1}, "PageSize", "must not be negative"},
		{authentik.FlowsInstancesListOptions{Name: " "}, "Name", blank},
		{authentik.FlowsInstancesListOptions{Slug: "\t\n"}, "Slug", blank},
		{authentik.FlowsInstancesListOptions{Search: " , ,"}, "Search", blank},
		{authentik.FlowsInstancesListOptions{Search: "\x00"}, "Search", blank},
		{authentik.FlowsInstancesListOptions{Search: "\u00a0\u2003"}, "Search", blank},
		{authentik.FlowsInstancesListOptions{Designation: " "}, "Designation", blank},
		{authentik.FlowsInstancesListOptions{DeniedAction: " "}, "DeniedAction", blank},
		{authentik.FlowsInstancesListOptions{Name: "a\xff"}, "Name", notUTF8},
		{authentik.FlowsInstancesListOptions{Slug: "\xc3"}, "Slug", notUTF8},
		{authentik.FlowsInstancesListOptions{Search: "\xed\xa0\x80"}, "Search", notUTF8},
		{authentik.FlowsInstancesListOptions{Designation: "\xff"}, "Designation", notUTF8},
		{authentik.FlowsInstancesListOptions{DeniedAction: "\xff"}, "DeniedAction", notUTF8},
		{authentik.FlowsInstancesListOptions{Ordering: "stages"}, "Ordering", cannot("stages")},
		{authentik.FlowsInstancesListOptions{Ordering: "name,-policies"}, "Ordering", cannot("-policies")},
		{authentik.FlowsInstancesListOptions{Ordering: "flow_uuid"}, "Ordering", cannot("flow_uuid")},
		{authentik.FlowsInstancesListOptions{Ordering: "background_url"}, "Ordering", cannot("background_url")},
		{authentik.FlowsInstancesListOptions{Ordering: "cache_count"}, "Ordering", cannot("cache_count")},
		{authentik.FlowsInstancesListOptions{Ordering: "Name"}, "Ordering", cannot("Name")},
		{authentik.FlowsInstancesListOptions{Ordering: "--slug"}, "Ordering", cannot("--slug")},
		{authentik.FlowsInstancesListOptions{Ordering: "- slug"}, "Ordering", cannot("- slug")},
		{authentik.FlowsInstancesListOptions{Ordering: "+slug"}, "Ordering", cannot("+slug")},
		{authentik.FlowsInstancesListOptions{Ordering: "-"}, "Ordering", cannot("-")},
		{authentik.FlowsInstancesListOptions{Ordering: " "}, "Ordering", cannot("")},
		{authentik.FlowsInstancesListOptions{Ordering: "slug,"}, "Ordering", cannot("")},
		{authentik.FlowsInstancesListOptions{Ordering: "slug name"}, "Ordering", cannot("slug name")},
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

func TestListOfWhatIsNoClientOrNoContextIsRefused(t *testing.T) {
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

func TestBindingIsAskedForByItsUUID(t *testing.T) {
	t.Parallel()
	id := uuid.MustParse("A58A38A0-14B6-4A2A-A4FC-7C6B1E3C9C5D")
	var asked []string
	ak := testkit.NewClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.RequestURI)
		testkit.StaticHandler(http.StatusNotFound, "application/json", `{"detail":"Not found."}`)(w, r)
	}))
	_, err := ak.BindingsRetrieve(t.Context(), id)
	require.ErrorIs(t, err, authentik.ErrNotFound)
	_, err = ak.BindingsRetrieve(t.Context(), uuid.Nil)
	var argument *authentik.ArgumentError
	require.ErrorAs(t, err, &argument)
	assert.Equal(t, authentik.ArgumentError{Op: "BindingsRetrieve", Field: "id", Reason: "must not be empty"}, *argument)
	assert.Equal(t, []string{"GET /sub/path/api/v3/flows/bindings/a58a38a0-14b6-4a2a-a4fc-7c6b1e3c9c5d/"}, asked)
}
