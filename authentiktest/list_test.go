package authentiktest_test

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/authentiktest"
)

// found is a page of a list, by hand: whatever the query is.
type found struct {
	Pagination struct{ Next, Count, Current int }
	Results    []struct {
		PK    uuid.UUID
		Slug  string // of a flow
		Order int    // of a binding
		Name  string // of a stage
	}
	status int
	body   string
}

func (f found) slugs() (slugs []string) {
	for _, flow := range f.Results {
		slugs = append(slugs, flow.Slug)
	}
	return slugs
}

func ask(t testing.TB, srv *authentiktest.Server, token, path, query string) (f found) {
	t.Helper()
	values, err := url.ParseQuery(query)
	require.NoError(t, err)
	var r authentik.Response
	ak := srv.ClientAs(token, authentik.WithRetry(authentik.RetryPolicy{MaxAttempts: 1}))
	_ = ak.Get(t.Context(), path, values, &f, authentik.WithResponse(&r)) // the status tells
	f.status, f.body = r.StatusCode, string(r.Body)
	return f
}

func flows(t testing.TB, srv *authentiktest.Server, query string) found {
	t.Helper()
	return ask(t, srv, srv.Token, "flows/instances/", query)
}

// walk reads all pages of a list.
func walk(t testing.TB, srv *authentiktest.Server, query string) (slugs []string) {
	t.Helper()
	for page := 1; page > 0; {
		f := flows(t, srv, query+"&page="+strconv.Itoa(page))
		require.Equal(t, http.StatusOK, f.status, f.body)
		slugs = append(slugs, f.slugs()...)
		page = f.Pagination.Next
	}
	return slugs
}

func distinct(slugs []string) int {
	slugs = slices.Clone(slugs)
	slices.Sort(slugs)
	return len(slices.Compact(slugs))
}

func TestAnOrderThatIsNotTotalLosesFlows(t *testing.T) {
	t.Parallel()
	srv := authentiktest.RoundTripper(t)
	srv.AddFlows(300)
	for _, total := range []string{"", "ordering=slug", "ordering=-slug", "ordering=designation,slug", "ordering=layout,-slug", "ordering=pk"} {
		for _, size := range []int{7, 20, 100} {
			all := walk(t, srv, total+"&page_size="+strconv.Itoa(size))
			assert.Len(t, all, 314)
			assert.Equal(t, 314, distinct(all), "%s in pages of %d", total, size)
		}
	}
	for _, partial := range []string{"designation", "layout", "-denied_action", "stages", "policies"} {
		all := walk(t, srv, "page_size=20&ordering="+partial)
		assert.Len(t, all, 314, "the rows add up")
		assert.Less(t, distinct(all), 314, "%s loses none", partial)
		assert.Equal(t, all, walk(t, srv, "page_size=20&ordering="+partial), "each time the same")
	}
	assert.True(t, slices.IsSorted(flows(t, srv, "ordering=slug&page_size=100").slugs()))
}

func TestPageSizes(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]struct {
		byDefault, of1000 int
		of0               int // status
	}{
		"2021.12": {100, 311, 200}, "2025.10": {100, 314, 200}, "2025.12.0": {20, 100, 500}, "2025.12": {20, 100, 500}, "2026.2": {20, 100, 200},
	} {
		srv := authentiktest.RoundTripper(t, authentiktest.Version(version))
		srv.AddFlows(300)
		assert.Len(t, flows(t, srv, "").Results, want.byDefault, version)
		assert.Len(t, flows(t, srv, "page_size=1000").Results, want.of1000, version)
		assert.Len(t, flows(t, srv, "page_size=99999999999999999999").Results, want.of1000, version)
		for _, bad := range []string{"0", "-1", "abc", ""} {
			f := flows(t, srv, "page_size="+bad)
			assert.Equal(t, want.of0, f.status, "%s: page_size=%s", version, bad)
			if f.status == http.StatusOK {
				assert.Len(t, f.Results, want.byDefault, version)
			}
		}
		for _, none := range []string{"0", "-1", "abc", "1.5", "1000", "99999999999999999999"} {
			f := flows(t, srv, "page="+none)
			assert.Equal(t, http.StatusNotFound, f.status, "%s: page=%s", version, none)
			assert.JSONEq(t, `{"detail":"Invalid page."}`, f.body)
		}
		last := flows(t, srv, "page=last&page_size=50")
		assert.Equal(t, 7, last.Pagination.Current, version)
		assert.Zero(t, last.Pagination.Next, version)
	}
}

func TestPermissions(t *testing.T) {
	t.Parallel()
	const view = "authentik_flows.view_flow"
	for version, want := range map[string]struct {
		nothing  int // status of a list without permissions
		missing  int // and of a flow
		globally int // flows with a permission for all
		search   int // status of one that finds nothing visible
	}{
		"2021.12": {200, 404, 0, 200}, "2023.8": {200, 404, 0, 200}, "2023.10": {403, 403, 13, 200}, "2025.6": {403, 403, 14, 200}, "2025.8": {403, 403, 14, 403}, "2026.8": {403, 403, 14, 403},
	} {
		srv := authentiktest.RoundTripper(t, authentiktest.Version(version))
		list := func(token, query string) found { return ask(t, srv, token, "flows/instances/", query) }
		retrieve := func(token, slug string) int { return ask(t, srv, token, "flows/instances/"+slug+"/", "").status }

		none := srv.AddUser()
		f := list(none, "")
		assert.Equal(t, want.nothing, f.status, version)
		assert.Empty(t, f.Results, version)
		assert.Equal(t, want.missing, retrieve(none, "default-authentication-flow"), version)
		assert.Equal(t, http.StatusOK, ask(t, srv, none, "core/users/me/", "").status, version)

		assert.Len(t, list(srv.AddUser(view), "").Results, want.globally, version)
		assert.Equal(t, want.nothing, ask(t, srv, srv.AddUser(view), "flows/bindings/", "").status, version)

		all := srv.Flows()
		some := srv.AddUser(view+":"+all[0].PK.String(), view+":"+all[3].PK.String())
		f = list(some, "")
		assert.Equal(t, 2, f.Pagination.Count, "%s: what is not to be seen is not counted", version)
		assert.ElementsMatch(t, []string{all[0].Slug, all[3].Slug}, f.slugs(), version)
		assert.Equal(t, http.StatusOK, retrieve(some, all[3].Slug), version)
		assert.Equal(t, http.StatusNotFound, retrieve(some, all[1].Slug), version)
		assert.Equal(t, want.search, list(some, "search=nothing-has-this").status, version)

		fresh := srv.RotateToken(some)
		assert.Equal(t, http.StatusForbidden, list(some, "").status, version)
		assert.Equal(t, 2, list(fresh, "").Pagination.Count, version)
		assert.Equal(t, http.StatusForbidden, ask(t, srv, none, "flows/instances/cache_info/", "").status, version)
		assert.Equal(t, http.StatusOK, ask(t, srv, srv.AddUser("authentik_flows.view_flow_cache"), "flows/instances/cache_info/", "").status, version)
	}
}

func TestSearch(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"2022.6", "2025.2", "2025.4"} {
		srv := authentiktest.RoundTripper(t, authentiktest.Version(version), authentiktest.Empty())
		srv.AddFlow(authentik.Flow{Slug: "a", Title: "Say friend, and enter", DeniedAction: authentik.FlowDeniedActionContinue})
		srv.AddFlow(authentik.Flow{Slug: "b", Title: "Enter friend", Name: "GRÜSSE"})
		srv.AddFlow(authentik.Flow{Slug: "c", Title: `The "quoted" one`, Designation: authentik.FlowDesignationRecovery})
		quoted := version == "2025.4"
		choose := func(yes, no string) string {
			if quoted {
				return yes
			}
			return no
		}
		for query, want := range map[string]string{
			"":                "a b c",
			"enter":           "a b",
			"ENTER,friend":    "a b",
			" enter  ,say ":   "a",
			"grüsse":          "b",
			"recov":           "c",
			"message":         map[bool]string{true: "b c"}[version != "2022.6"], // a denied action
			`"enter friend"`:  choose("b", ""),
			`'and enter'`:     choose("a", ""),
			`"friend, and"`:   choose("a", ""),
			`"quoted"`:        "c",
			`"\"quoted\""`:    choose("c", ""),
			`enter "friend,"`: choose("a", ""),
			"nothing":         "",
			"say recov":       "",
		} {
			f := flows(t, srv, url.Values{"search": {query}}.Encode())
			assert.Equal(t, want, strings.Join(f.slugs(), " "), "%s: %s", version, query)
		}
		nul := flows(t, srv, "search=%00")
		if quoted {
			assert.Equal(t, http.StatusBadRequest, nul.status)
			assert.JSONEq(t, `["Null characters are not allowed."]`, nul.body)
		} else {
			assert.Len(t, nul.Results, 3)
		}
	}
}

func TestFiltersOfBindings(t *testing.T) {
	t.Parallel()
	srv := authentiktest.RoundTripper(t)
	flow := srv.AddFlow(authentik.Flow{Slug: "mine"})
	var ids []uuid.UUID
	for i := range 3 {
		stage := srv.AddStage(authentik.Stage{Name: "stage-" + strconv.Itoa(i)})
		ids = append(ids, srv.AddBinding(authentik.FlowStageBinding{
			Target: flow.PK, Stage: stage.PK, Order: 20 - 10*i, EvaluateOnPlan: i == 1, ReEvaluatePolicies: i != 1,
			PolicyEngineMode: authentik.PolicyEngineModeAll, InvalidResponseAction: authentik.InvalidResponseActionRestart,
		}).PK)
	}
	bindings := srv.Bindings()[20:]
	list := func(query string) found {
		return ask(t, srv, srv.Token, "flows/bindings/", "target="+flow.PK.String()+"&"+query)
	}
	for query, want := range map[string][]int{
		"":                                    {2, 1, 0},
		"ordering=-order":                     {0, 1, 2},
		"ordering=stage__name":                {0, 1, 2},
		"ordering=nope":                       {2, 1, 0},
		"ordering=target":                     {2, 1, 0}, // not permitted since 2024.4
		"order=10":                            {1},
		"order=%2B10.0":                       {1},
		"order=10.5":                          {},
		"order=1e1":                           {1},
		"evaluate_on_plan=true":               {1},
		"evaluate_on_plan=FALSE":              {2, 0},
		"evaluate_on_plan=maybe":              {2, 1, 0},
		"re_evaluate_policies=true":           {2, 0},
		"policy_engine_mode=all":              {2, 1, 0},
		"policy_engine_mode=any":              {},
		"invalid_response_action=restart":     {2, 1, 0},
		"search=STAGE-1":                      {1},
		"fsb_uuid=" + ids[2].String():         {2},
		"stage=" + bindings[0].Stage.String(): {0},
		"pbm_uuid=" + bindings[0].PolicyBindingModelPtrID.String(): {0},
	} {
		f := list(query)
		require.Equal(t, http.StatusOK, f.status, "%s: %s", query, f.body)
		got := []int{}
		for _, b := range f.Results {
			got = append(got, slices.Index(ids, b.PK))
		}
		assert.Equal(t, want, got, query)
	}
	for query, want := range map[string]string{
		"order=ten":                   `{"order":["Enter a number."]}`,
		"order=1e":                    `{"order":["Enter a number."]}`,
		"order=2e50":                  `{"order":["Ensure this value is less than or equal to 1e+50."]}`,
		"stage=zzz":                   `{"stage":["“zzz” is not a valid UUID."]}`,
		"stage=" + uuid.NewString():   `{"stage":["Select a valid choice. That choice is not one of the available choices."]}`,
		"fsb_uuid=zzz":                `{"fsb_uuid":["Enter a valid UUID."]}`,
		"invalid_response_action=zzz": `{"invalid_response_action":["Select a valid choice. zzz is not one of the available choices."]}`,
	} {
		f := list(query)
		assert.Equal(t, http.StatusBadRequest, f.status, query)
		assert.JSONEq(t, want, f.body)
	}
	assert.Equal(t, http.StatusInternalServerError, list("ordering=-target__uuid").status)

	srv.DeleteFlow("mine")
	assert.Equal(t, http.StatusBadRequest, list("").status, "the bindings of a flow that is gone are no empty list")
}

func TestEditing(t *testing.T) {
	t.Parallel()
	srv := authentiktest.RoundTripper(t)
	flow := srv.AddFlow(authentik.Flow{})
	stage := srv.AddStage(authentik.Stage{})
	stages := func() []uuid.UUID {
		i := slices.IndexFunc(srv.Flows(), func(f authentik.Flow) bool { return f.PK == flow.PK })
		return srv.Flows()[i].Stages
	}
	one := srv.AddBinding(authentik.FlowStageBinding{Target: flow.PK, Stage: stage.PK})
	srv.AddBinding(authentik.FlowStageBinding{Target: flow.PK, Stage: stage.PK, Order: 1})
	assert.Equal(t, []uuid.UUID{stage.PK, stage.PK}, stages(), "bound twice")
	srv.DeleteBinding(one.PK)
	assert.Equal(t, []uuid.UUID{stage.PK}, stages())
	srv.DeleteStage(stage.PK)
	assert.Empty(t, stages())
	assert.Len(t, srv.Bindings(), 20)
	assert.Len(t, srv.Stages(), 18)

	got := srv.Flows()
	got[0].Stages[0] = uuid.Nil
	assert.NotEqual(t, uuid.Nil, srv.Flows()[0].Stages[0], "what is returned is a copy")
}
