package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"math"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/authentiktest"
	"github.com/seed-299d42e7/authentik-go/internal/testkit"
)

func TestBindingsRetrieve_RequestsByUUID(t *testing.T) {
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

// emptyList serves an empty list and keeps the query of the last request.
type emptyList struct{ query url.Values }

func (s *emptyList) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.query = r.URL.Query()
	body := testkit.FlowPageBody(0, `[]`)
	if page := s.query.Get("page"); page != "" {
		body = strings.Replace(body, `"current":1`, `"current":`+page, 1)
	}
	testkit.StaticHandler(http.StatusOK, testkit.JSON, body)(w, r)
}

// listCall is a method that lists, with its options.
type listCall[O any] func(context.Context, *authentik.Client, *O) error

var bindingLists = map[string]listCall[authentik.BindingsListOptions]{
	"BindingsList": func(ctx context.Context, ak *authentik.Client, opts *authentik.BindingsListOptions) error {
		_, err := ak.BindingsList(ctx, opts)
		return err
	},
	"BindingsAll": func(ctx context.Context, ak *authentik.Client, opts *authentik.BindingsListOptions) error {
		_, err := authentik.Collect(ak.BindingsAll(ctx, opts))
		return err
	},
	"BindingsPages": func(ctx context.Context, ak *authentik.Client, opts *authentik.BindingsListOptions) error {
		_, err := authentik.Collect(ak.BindingsPages(ctx, opts))
		return err
	},
}

// testListOptions tests that each field of options is sent under its key, alone
// and with all others, and that no field is forgotten. tests are by field.
func testListOptions[O any](
	t *testing.T, lists map[string]listCall[O], tests map[string]url.Values, fields map[string]O,
) {
	t.Helper()
	for _, field := range reflect.VisibleFields(reflect.TypeFor[O]()) {
		require.Contains(t, tests, field.Name)
		require.Contains(t, fields, field.Name)
	}
	server := &emptyList{}
	ak := testkit.NewClient(t, server)
	for op, list := range lists {
		sent := func(opts *O) url.Values {
			require.NoError(t, list(t.Context(), ak, opts))
			if !strings.HasSuffix(op, "List") { // an iterator's own
				for key, value := range map[string]string{"page": "1", "page_size": "100"} {
					require.True(t, server.query.Has(key))
					if server.query.Get(key) == value {
						server.query.Del(key)
					}
				}
			}
			return server.query
		}
		assert.Empty(t, sent(nil), op)
		assert.Empty(t, sent(new(O)), op)
		var all O
		allSent := url.Values{}
		for name, want := range tests {
			opts := fields[name]
			assert.Equal(t, want, sent(&opts), "%s: %s", op, name)
			reflect.ValueOf(&all).Elem().FieldByName(name).Set(reflect.ValueOf(opts).FieldByName(name))
			maps.Copy(allSent, want)
		}
		assert.Equal(t, allSent, sent(&all), op)
	}
}

func TestBindingsListOptions_SendsNonZero(t *testing.T) {
	t.Parallel()
	type opts = authentik.BindingsListOptions
	testListOptions(t, bindingLists, map[string]url.Values{
		"FSBUUID":               {"fsb_uuid": {testkit.FlowID}},
		"PBMUUID":               {"pbm_uuid": {testkit.FlowID}},
		"Target":                {"target": {testkit.FlowID}},
		"Stage":                 {"stage": {testkit.OtherID}},
		"Policies":              {"policies": {testkit.FlowID, testkit.OtherID}},
		"Order":                 {"order": {"0"}},
		"EvaluateOnPlan":        {"evaluate_on_plan": {"false"}},
		"ReEvaluatePolicies":    {"re_evaluate_policies": {"true"}},
		"PolicyEngineMode":      {"policy_engine_mode": {"all"}},
		"InvalidResponseAction": {"invalid_response_action": {"retry"}},
		"Search":                {"search": {"a b"}},
		"Ordering":              {"ordering": {"-order,pk"}},
		"Page":                  {"page": {"3"}},
		"PageSize":              {"page_size": {"7"}},
	}, map[string]opts{
		"FSBUUID": {FSBUUID: flowID}, "PBMUUID": {PBMUUID: flowID}, "Target": {Target: flowID}, "Stage": {Stage: otherID},
		"Policies": {Policies: []uuid.UUID{flowID, otherID}}, "Order": {Order: new(0)},
		"EvaluateOnPlan": {EvaluateOnPlan: new(false)}, "ReEvaluatePolicies": {ReEvaluatePolicies: new(true)},
		"PolicyEngineMode":      {PolicyEngineMode: authentik.PolicyEngineModeAll},
		"InvalidResponseAction": {InvalidResponseAction: authentik.InvalidResponseActionRetry},
		"Search":                {Search: "a b"}, "Ordering": {Ordering: "-order"},
		"Page": {Page: 3}, "PageSize": {PageSize: 7},
	})
}

func TestBindingsListOptions_OrderingIsTotal(t *testing.T) {
	t.Parallel()
	server := &emptyList{}
	ak := testkit.NewClient(t, server)
	for ordering, sent := range map[string]string{
		"order": "order,pk", "-order": "-order,pk", "stage__name, -order": "stage__name,-order,pk",
		"pk": "pk", "order,-pk": "order,-pk",
	} {
		for op, list := range bindingLists {
			require.NoError(t, list(t.Context(), ak, &authentik.BindingsListOptions{Ordering: ordering}))
			assert.Equal(t, sent, server.query.Get("ordering"), op)
		}
	}
}

// listRefusals are refusals of every method that takes the options.
func listRefusals[O any](lists map[string]listCall[O], opts O, field, reason string) (all []refusal) {
	for op, list := range lists {
		all = append(all, refusal{op, field, reason, func(ctx context.Context, ak *authentik.Client) error {
			return list(ctx, ak, &opts)
		}})
	}
	return all
}

const blankFilter = "must not be blank (authentik would ignore the filter and list everything)"

func TestBindingsListOptions_RejectsInvalid(t *testing.T) {
	t.Parallel()
	type opts = authentik.BindingsListOptions
	refuse := func(o opts, field, reason string) []refusal { return listRefusals(bindingLists, o, field, reason) }
	const cannot = `cannot order by "target__uuid"; use order, stage__name, pk`
	all := slices.Concat(
		refuse(opts{Policies: []uuid.UUID{flowID, uuid.Nil}}, "Policies[1]", "must not be empty"),
		refuse(opts{PolicyEngineMode: " "}, "PolicyEngineMode", blankFilter),
		refuse(opts{InvalidResponseAction: " "}, "InvalidResponseAction", blankFilter),
		refuse(opts{Search: ","}, "Search", blankFilter),
		refuse(opts{Ordering: "target__uuid"}, "Ordering", cannot),
		refuse(opts{Page: -1}, "Page", "must not be negative"),
		refuse(opts{PageSize: -1}, "PageSize", "must not be negative"),
	)
	if order := int64(1 << 31); strconv.IntSize == 64 {
		all = append(all, refuse(opts{Order: new(int(order))}, "Order", "must fit into 32 bits")...)
	}
	testRefusals(t, all)
}

func TestFlowStageBindingRequest_RefusesInvalid(t *testing.T) {
	t.Parallel()
	type request = authentik.FlowStageBindingRequest
	refuse := func(field, reason string, change func(*request)) (all []refusal) {
		binding := bindingRequest
		change(&binding)
		all = append(all,
			refusal{"BindingsCreate", field, reason, func(ctx context.Context, ak *authentik.Client) error {
				_, err := ak.BindingsCreate(ctx, binding)
				return err
			}},
			refusal{"BindingsUpdate", field, reason, func(ctx context.Context, ak *authentik.Client) error {
				_, err := ak.BindingsUpdate(ctx, flowID, binding)
				return err
			}},
		)
		if reason != "must be set" && reason != "must not be empty" {
			call := func(ctx context.Context, ak *authentik.Client) error {
				_, err := ak.BindingsPartialUpdate(ctx, flowID, binding)
				return err
			}
			all = append(all, refusal{"BindingsPartialUpdate", field, reason, call})
		}
		return all
	}
	all := slices.Concat(
		refuse("Target", "must not be empty", func(r *request) { r.Target = uuid.Nil }),
		refuse("Stage", "must not be empty", func(r *request) { r.Stage = uuid.Nil }),
		refuse("Order", "must be set", func(r *request) { r.Order = nil }),
		refuse("EvaluateOnPlan", "must not be false together with ReEvaluatePolicies", func(r *request) {
			r.EvaluateOnPlan, r.ReEvaluatePolicies = new(false), new(false)
		}),
	)
	for _, field := range textsOf(request{}) {
		all = append(all, refuse(field, "must be valid UTF-8", func(r *request) { setText(r, field, "a\xff") })...)
	}
	for _, order := range []int64{math.MaxInt32 + 1, math.MinInt32 - 1, math.MaxInt64, math.MinInt64} {
		order := int(order)
		if strconv.IntSize == 32 {
			break // an int cannot be too large
		}
		all = append(all, refuse("Order", "must fit into 32 bits", func(r *request) { r.Order = &order })...)
	}
	testRefusals(t, append(all, refusal{
		"BindingsPartialUpdate", "FlowStageBindingRequest", "must have a field that is set",
		func(ctx context.Context, ak *authentik.Client) error {
			_, err := ak.BindingsPartialUpdate(ctx, flowID, request{})
			return err
		},
	}))
}

func TestBindings_RefuseUUIDNil(t *testing.T) {
	t.Parallel()
	var all []refusal
	for op, call := range map[string]func(context.Context, *authentik.Client) error{
		"BindingsUpdate": func(ctx context.Context, ak *authentik.Client) error {
			_, err := ak.BindingsUpdate(ctx, uuid.Nil, bindingRequest)
			return err
		},
		"BindingsPartialUpdate": func(ctx context.Context, ak *authentik.Client) error {
			_, err := ak.BindingsPartialUpdate(ctx, uuid.Nil, bindingRequest)
			return err
		},
		"BindingsDestroy": func(ctx context.Context, ak *authentik.Client) error {
			return ak.BindingsDestroy(ctx, uuid.Nil)
		},
		"BindingsUsedByList": func(ctx context.Context, ak *authentik.Client) error {
			_, err := ak.BindingsUsedByList(ctx, uuid.Nil)
			return err
		},
	} {
		all = append(all, refusal{op, "id", "must not be empty", call})
	}
	testRefusals(t, all)
}

// The server chooses the PK of a new binding. What the request chose must be as
// requested.
func TestBindingsCreate_RejectsAnotherBinding(t *testing.T) {
	t.Parallel()
	for _, field := range []string{`"target":"`, `"stage":"`} {
		body := strings.Replace(testkit.MinimalBinding, field+testkit.OtherID, field+testkit.FlowID, 1)
		_, err := testkit.NewClient(t, testkit.Reply(201, testkit.JSON, body)).BindingsCreate(t.Context(), bindingRequest)
		assert.ErrorContains(t, testkit.RequireType[*authentik.DecodeError](t, err), "response is for a different object", field)
	}
}

func TestUsedByAction_RejectsWhatIsNoString(t *testing.T) {
	t.Parallel()
	for _, action := range []string{`null`, `7`, `{}`} {
		require.Error(t, new(authentik.UsedByAction).UnmarshalJSON([]byte(action)), action)
		body := strings.Replace(usedBy, `"CASCADE_MANY"`, action, 1)
		require.NotEqual(t, usedBy, body)
		_, err := testkit.NewClient(t, testkit.Reply(200, testkit.JSON, body)).BindingsUsedByList(t.Context(), flowID)
		assert.Equal(t, "[0].action", testkit.RequireType[*authentik.DecodeError](t, err).JSONPath, action)
	}
}

// A pointer is sent whatever it points to, and a zero value is not sent.
func TestFlowStageBindingRequest_OmitsZero(t *testing.T) {
	t.Parallel()
	for want, binding := range map[string]authentik.FlowStageBindingRequest{
		`{}`:          {},
		`{"order":0}`: {Order: new(0)},
		`{"evaluate_on_plan":false,"re_evaluate_policies":true}`: {EvaluateOnPlan: new(false), ReEvaluatePolicies: new(true)},
		`{"target":"` + testkit.FlowID + `","stage":"` + testkit.OtherID + `","order":-2147483648,` +
			`"policy_engine_mode":"any","invalid_response_action":"restart"}`: {
			Target: flowID, Stage: otherID, Order: new(math.MinInt32), PolicyEngineMode: "any", InvalidResponseAction: "restart",
		},
	} {
		got, err := json.Marshal(binding)
		require.NoError(t, err)
		assert.Equal(t, want, string(got))
	}
}

func TestFlowStageBinding_Request(t *testing.T) {
	t.Parallel()
	binding := authentik.FlowStageBinding{
		PK: flowID, Target: flowID, Stage: otherID, StageObj: authentik.Stage{PK: otherID}, EvaluateOnPlan: true, Order: 7,
		PolicyEngineMode: "any", InvalidResponseAction: "restart",
	}
	assert.Equal(t, authentik.FlowStageBindingRequest{
		Target: flowID, Stage: otherID, Order: new(7), EvaluateOnPlan: new(true), ReEvaluatePolicies: new(false),
		PolicyEngineMode: "any", InvalidResponseAction: "restart",
	}, binding.Request())
}

// flagUpdates are the methods that change the flags of a binding.
var flagUpdates = map[string]func(
	context.Context, *authentik.Client, authentik.FlowStageBinding, authentik.FlowStageBindingRequest,
) (*authentik.FlowStageBinding, error){
	"BindingsPartialUpdate": func(
		ctx context.Context, ak *authentik.Client, b authentik.FlowStageBinding, r authentik.FlowStageBindingRequest,
	) (*authentik.FlowStageBinding, error) {
		return ak.BindingsPartialUpdate(ctx, b.PK, r)
	},
	"BindingsUpdate": func(
		ctx context.Context, ak *authentik.Client, b authentik.FlowStageBinding, r authentik.FlowStageBindingRequest,
	) (*authentik.FlowStageBinding, error) {
		r.Target, r.Stage, r.Order = b.Target, b.Stage, &b.Order
		return ak.BindingsUpdate(ctx, b.PK, r)
	},
}

// flags are EvaluateOnPlan and ReEvaluatePolicies, nil if they are not sent.
type flags struct{ onPlan, onRun *bool }

func (f flags) request() authentik.FlowStageBindingRequest {
	return authentik.FlowStageBindingRequest{EvaluateOnPlan: f.onPlan, ReEvaluatePolicies: f.onRun}
}

// Every change of the flags has the same result on every release. One flag is
// sent with what the server has of the other.
func TestBindings_FlagsAreSentTogether(t *testing.T) {
	t.Parallel()
	yes, no := new(true), new(false)
	for _, version := range authentiktest.Versions() {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			srv := authentiktest.NewServer(t, authentiktest.Version(version), authentiktest.Empty())
			target, stage := srv.AddFlow(authentik.Flow{}).PK, srv.AddStage(authentik.Stage{}).PK
			ak := srv.Client()
			order := 0
			for op, update := range flagUpdates {
				for _, stored := range []flags{{yes, no}, {no, yes}, {yes, yes}} {
					for _, sent := range []flags{{yes, nil}, {no, nil}, {nil, yes}, {nil, no}, {no, yes}, {}} {
						order++
						binding := srv.AddBinding(authentik.FlowStageBinding{
							Target: target, Stage: stage, Order: order,
							EvaluateOnPlan: *stored.onPlan, ReEvaluatePolicies: *stored.onRun,
						})
						want := flags{stored.onPlan, stored.onRun}
						if sent.onPlan != nil {
							want.onPlan = sent.onPlan
						}
						if sent.onRun != nil {
							want.onRun = sent.onRun
						}
						request := sent.request()
						request.InvalidResponseAction = authentik.InvalidResponseActionRestart
						before := len(srv.Requests())
						got, err := update(t.Context(), ak, binding, request)
						requests := srv.Requests()[before:]
						reads := (sent.onPlan == nil) != (sent.onRun == nil)
						if !*want.onPlan && !*want.onRun {
							refused := testkit.RequireType[*authentik.ArgumentError](t, err)
							assert.Equal(t, op, refused.Op)
							assert.Len(t, requests, 1, "nothing is written")
							assert.Contains(t, srv.Bindings(), binding)
							continue
						}
						require.NoError(t, err)
						assert.Equal(t, want, flags{&got.EvaluateOnPlan, &got.ReEvaluatePolicies})
						assert.Len(t, requests, map[bool]int{true: 2, false: 1}[reads])
						body := requests[len(requests)-1].Body
						for _, key := range []string{"evaluate_on_plan", "re_evaluate_policies"} {
							assert.Equal(t, sent != flags{}, strings.Contains(body, key), body)
						}
					}
				}
			}
		})
	}
}

func TestBindings_FlagsAreNotReadInVain(t *testing.T) {
	t.Parallel()
	for op, update := range flagUpdates {
		server := &testkit.Stub{Status: http.StatusNotFound, Body: `{"detail":"Not found."}`}
		ak := testkit.NewClient(t, server)
		binding := authentik.FlowStageBinding{PK: flowID, Target: flowID, Stage: otherID}
		_, err := update(t.Context(), ak, binding, flags{onPlan: new(true)}.request())
		require.ErrorIs(t, err, authentik.ErrNotFound)
		assert.Equal(t, op, testkit.RequireType[*authentik.APIError](t, err).Op)
		assert.EqualValues(t, 1, server.Requests.Load(), "without the binding nothing is written")

		if strconv.IntSize == 32 {
			continue // an int cannot be too large
		}
		large := int64(1 << 31)
		request := flags{onPlan: new(true)}.request()
		request.Order = new(int(large))
		binding.Order = *request.Order
		_, err = update(t.Context(), ak, binding, request)
		assert.Equal(t, "Order", testkit.RequireType[*authentik.ArgumentError](t, err).Field)
		assert.EqualValues(t, 1, server.Requests.Load(), "what must not be sent needs no flag")
	}
}

// addBindings adds flows with as many bindings each, all of the same order. The
// first flow has none.
func addBindings(srv *authentiktest.Server, flows, each int) (targets []uuid.UUID) {
	targets = []uuid.UUID{srv.AddFlow(authentik.Flow{}).PK}
	for range flows {
		target := srv.AddFlow(authentik.Flow{}).PK
		for range each {
			stage := srv.AddStage(authentik.Stage{}).PK
			srv.AddBinding(authentik.FlowStageBinding{Target: target, Stage: stage, Order: 10, EvaluateOnPlan: true})
		}
		targets = append(targets, target)
	}
	return targets
}

// distinct returns the number of different bindings.
func distinct(all []authentik.FlowStageBinding) int {
	seen := map[uuid.UUID]bool{}
	for _, b := range all {
		seen[b.PK] = true
	}
	return len(seen)
}

// listPages are the parameters of lists that are read in several pages.
var listPages = map[string]authentik.BindingsListOptions{
	"default":            {},
	"pages of 20":        {PageSize: 20},
	"pages of 100":       {PageSize: 100},
	"an order":           {Ordering: "order"},
	"an order, in pages": {Ordering: "-order", PageSize: 50},
}

func TestBindingsAll_WholeOnEveryRelease(t *testing.T) {
	t.Parallel()
	for _, version := range authentiktest.Versions() {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			srv := authentiktest.NewServer(t, authentiktest.Version(version), authentiktest.Empty())
			targets := addBindings(srv, 8, 40)
			ak := srv.Client()
			for name, opts := range listPages {
				if name != "default" && !slices.Contains([]string{"2022.5", "2024.10", "2025.10", "2026.8"}, version) {
					continue // each takes a while
				}
				for _, ahead := range []int{0, 3} {
					all, err := authentik.Collect(ak.BindingsAll(t.Context(), &opts, authentik.WithPrefetch(ahead)))
					require.NoError(t, err, name)
					assert.Len(t, all, 320, name)
					assert.Equal(t, 320, distinct(all), name)
				}
			}
			for _, target := range targets {
				of, err := authentik.Collect(ak.BindingsAll(t.Context(), &authentik.BindingsListOptions{Target: target}))
				require.NoError(t, err)
				assert.Len(t, of, map[bool]int{true: 0, false: 40}[target == targets[0]])
			}
			_, err := authentik.Collect(ak.BindingsAll(t.Context(), &authentik.BindingsListOptions{Target: uuid.Max}))
			testkit.RequireType[*authentik.ValidationError](t, err)
		})
	}
}

// The server does lose bindings where an iterator must not read page by page,
// and an iterator that may does so.
func TestBindingsAll_RequestsOnePageWhereTheOrderIsNotTotal(t *testing.T) {
	t.Parallel()
	for version, total := range map[string]bool{
		"2021.12": false, "2024.10": false, "2025.8": false, "2025.10": true, "2025.12": true, "2026.8": true,
	} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			if testing.Short() && version != "2025.8" && version != "2025.10" && version != "2026.8" {
				t.Skip("2000 bindings take the race detector long")
			}
			srv := authentiktest.NewServer(t, authentiktest.Version(version), authentiktest.Empty())
			addBindings(srv, 100, 20)
			ak := srv.Client()
			var single []authentik.FlowStageBinding
			for number := 1; number <= 29; number++ {
				page, err := ak.BindingsList(t.Context(), &authentik.BindingsListOptions{Page: number, PageSize: 70})
				require.NoError(t, err)
				single = append(single, page.Results...)
			}
			assert.Equal(t, total, distinct(single) == 2000, "%d of 2000", distinct(single))

			before := len(srv.Requests())
			all, err := authentik.Collect(ak.BindingsAll(t.Context(), nil, authentik.WithPrefetch(2)))
			require.NoError(t, err)
			assert.Equal(t, 2000, distinct(all))
			requests := srv.Requests()[before:]
			if total && older(version, "2025.12") {
				assert.Len(t, requests, 21, "a version and 20 pages")
				return
			}
			if total {
				assert.Len(t, requests, 20, "pages, which show that the order is total")
				return
			}
			assert.Len(t, requests, 3, "a page, the version, and all")
			assert.Equal(t, "2100", requests[2].Query.Get("page_size"))
		})
	}
}

// The page that has all begins where the caller begins.
func TestBindingsPages_WholeFromAPageOn(t *testing.T) {
	t.Parallel()
	srv := authentiktest.NewServer(t, authentiktest.Version("2024.10"), authentiktest.Empty())
	addBindings(srv, 8, 40)
	ak := srv.Client()
	for page, want := range map[int]int{1: 320, 2: 300, 7: 200, 16: 20} {
		var response authentik.Response
		opts := &authentik.BindingsListOptions{Page: page, PageSize: 20}
		pages, err := authentik.Collect(ak.BindingsPages(t.Context(), opts, authentik.WithResponse(&response)))
		require.NoError(t, err)
		require.Len(t, pages, 1)
		assert.Len(t, pages[0].Results, want)
		assert.Contains(t, string(response.Body), pages[0].Results[0].PK.String())
	}
	_, err := authentik.Collect(ak.BindingsPages(t.Context(), &authentik.BindingsListOptions{Page: 17, PageSize: 20}))
	require.ErrorIs(t, err, authentik.ErrNotFound)
}

func TestBindingsAll_ByFlowWhereAllIsTooLarge(t *testing.T) {
	t.Parallel()
	srv := authentiktest.NewServer(t, authentiktest.Version("2024.10"), authentiktest.Empty())
	targets := addBindings(srv, 8, 40)
	ak := srv.Client(authentik.WithMaxResponseSize(200 << 10)) // a page of 100 has 100 KiB
	all, err := authentik.Collect(ak.BindingsAll(t.Context(), nil))
	require.NoError(t, err)
	assert.Equal(t, 320, distinct(all))

	var pages int
	for page, err := range ak.BindingsPages(t.Context(), &authentik.BindingsListOptions{PageSize: 30}) {
		require.NoError(t, err)
		assert.Len(t, page.Results, 40, "PageSize does not divide what must be whole")
		if pages++; pages == 3 {
			break
		}
	}
	assert.Equal(t, 3, pages)

	_, err = authentik.Collect(ak.BindingsAll(t.Context(), &authentik.BindingsListOptions{Page: 2}))
	require.ErrorIs(t, err, authentik.ErrResponseTooLarge, "flow by flow there is no page 2")

	gone := func(r *http.Request) bool { return r.URL.Query().Get("target") == targets[4].String() }
	deleting := srv.Client(authentik.WithMaxResponseSize(200<<10), authentik.WithMiddleware(
		func(next http.RoundTripper) http.RoundTripper {
			return testkit.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
				if gone(r) {
					srv.DeleteFlow(srv.Flows()[4].Slug)
				}
				return next.RoundTrip(r)
			})
		}))
	_, err = authentik.Collect(deleting.BindingsAll(t.Context(), nil))
	require.ErrorIs(t, err, authentik.ErrListChanged)
	require.ErrorIs(t, err, authentik.ErrBadRequest)

	srv.On("flows_instances_list").FailNext(1, http.StatusForbidden, `{"detail":"No."}`, nil)
	some, err := authentik.Collect(ak.BindingsAll(t.Context(), nil))
	require.ErrorIs(t, err, authentik.ErrForbidden, "without the flows")
	assert.Empty(t, some)

	small := srv.Client(authentik.WithMaxResponseSize(20 << 10))
	_, err = authentik.Collect(small.BindingsAll(t.Context(), &authentik.BindingsListOptions{Target: targets[1], PageSize: 10}))
	require.ErrorIs(t, err, authentik.ErrResponseTooLarge, "a flow cannot be divided")
}

// A token that sees some flows alone does not see all bindings flow by flow.
func TestBindingsAll_ByFlowReportsWhatItCannotSee(t *testing.T) {
	t.Parallel()
	srv := authentiktest.NewServer(t, authentiktest.Version("2024.10"), authentiktest.Empty())
	targets := addBindings(srv, 8, 40)
	token := srv.AddUser("authentik_flows.view_flowstagebinding", "authentik_flows.view_flow:"+targets[1].String())
	ak := srv.ClientAs(token, authentik.WithMaxResponseSize(200<<10))
	some, err := authentik.Collect(ak.BindingsAll(t.Context(), nil))
	require.ErrorIs(t, err, authentik.ErrListChanged)
	assert.Len(t, some, 40)
	some, err = authentik.Collect(ak.BindingsAll(t.Context(), nil, authentik.AllowListChanges()))
	require.NoError(t, err)
	assert.Len(t, some, 40)
}

// A server whose version is unknown may limit its pages, which shows that its
// order is total, as does a field of the newer releases.
func TestBindingsAll_WithoutAVersion(t *testing.T) {
	t.Parallel()
	for version, requests := range map[string]int{"2024.10": 3, "2026.8": 6} {
		srv := authentiktest.NewServer(t, authentiktest.Version(version), authentiktest.Empty())
		addBindings(srv, 8, 40)
		srv.On("admin_version_retrieve").FailNext(1, http.StatusForbidden, `{}`, nil)
		client := srv.Client(authentik.WithMiddleware(func(next http.RoundTripper) http.RoundTripper {
			return authentik.RoundTripFunc(func(req *http.Request) (*http.Response, error) {
				resp, err := next.RoundTrip(req)
				require.NoError(t, err)
				body, err := io.ReadAll(resp.Body)
				require.NoError(t, err)
				require.NoError(t, resp.Body.Close())
				body = bytes.ReplaceAll(body, []byte(`"background_url"`), []byte(`"not_for_this_test"`))
				resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
				return resp, nil
			})
		}))
		all, err := authentik.Collect(client.BindingsAll(t.Context(), nil))
		require.NoError(t, err, version)
		assert.Equal(t, 320, distinct(all), version)
		assert.Len(t, srv.Requests(), requests, version)
	}
}

// A list that grows while it is read has room in the page that has all; one
// that grows faster is a list that changed.
func TestBindingsAll_WholeWhileItGrows(t *testing.T) {
	t.Parallel()
	for _, each := range []int{50, 400} {
		srv := authentiktest.NewServer(t, authentiktest.Version("2024.10"), authentiktest.Empty())
		addBindings(srv, 4, 40)
		ak := srv.Client(authentik.WithMiddleware(func(next http.RoundTripper) http.RoundTripper {
			return testkit.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
				if size := r.URL.Query().Get("page_size"); size != "" && size != "100" {
					addBindings(srv, 1, each)
				}
				return next.RoundTrip(r)
			})
		}))
		all, err := authentik.Collect(ak.BindingsAll(t.Context(), nil))
		if each == 50 {
			require.NoError(t, err)
			assert.Equal(t, 210, distinct(all))
			continue
		}
		require.ErrorIs(t, err, authentik.ErrListChanged)
		assert.Len(t, srv.Requests(), 5, "it ends")
	}
}
