package api_test

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/authentiktest"
	"github.com/seed-299d42e7/authentik-go/internal/testkit"
)

// creation is one of the methods that create an object on a fake server.
type creation struct {
	srv       *authentiktest.Server
	operation string // of the API, that creates
	create    func(context.Context, *authentik.Client, ...requestOption) (any, error)
	exists    func()     // makes an object that equals the request
	differs   func()     // makes one that differs in the fields of text
	text      string     // of the error
	count     func() int // of the objects of this kind
	read      string     // the request that reads the object back
}

func creations(t *testing.T, version string) map[string]creation {
	t.Helper()
	srv := authentiktest.NewServer(t, authentiktest.Version(version), authentiktest.Empty())
	target := srv.AddFlow(authentik.Flow{Slug: "target"})
	stage := srv.AddStage(authentik.Stage{Name: "stage"})
	flow := authentik.FlowRequest{
		Name: " N\u2028", Slug: "s", Title: "T ", Designation: authentik.FlowDesignationRecovery,
		CompatibilityMode: new(false), Layout: authentik.FlowLayoutStacked,
	}
	binding := authentik.FlowStageBindingRequest{
		Target: target.PK, Stage: stage.PK, Order: new(7), EvaluateOnPlan: new(false), ReEvaluatePolicies: new(true),
	}
	addFlow := func(title string, layout authentik.FlowLayout) func() {
		return func() {
			srv.AddFlow(authentik.Flow{
				Slug: "s", Name: "N", Title: title, Designation: "recovery", Layout: layout, DeniedAction: "continue",
			})
		}
	}
	addBinding := func(onPlan, onRun bool) func() {
		return func() {
			srv.AddBinding(authentik.FlowStageBinding{
				Target: target.PK, Stage: stage.PK, Order: 7, EvaluateOnPlan: onPlan, ReEvaluatePolicies: onRun,
				InvalidResponseAction: authentik.InvalidResponseActionRestart,
			})
		}
	}
	return map[string]creation{
		"FlowsInstancesCreate": {
			srv: srv, operation: "flows_instances_create",
			create: func(ctx context.Context, ak *authentik.Client, opts ...requestOption) (any, error) {
				return ak.FlowsInstancesCreate(ctx, flow, opts...)
			},
			exists: addFlow("T", "stacked"), differs: addFlow("other", "content_left"), text: "Title, Layout",
			count: func() int { return len(srv.Flows()) - 1 },
			read:  "GET /api/v3/flows/instances/s/?",
		},
		"BindingsCreate": {
			srv: srv, operation: "flows_bindings_create",
			create: func(ctx context.Context, ak *authentik.Client, opts ...requestOption) (any, error) {
				return ak.BindingsCreate(ctx, binding, opts...)
			},
			exists: addBinding(false, true), differs: addBinding(true, true), text: "EvaluateOnPlan",
			count: func() int { return len(srv.Bindings()) },
			read: "GET /api/v3/flows/bindings/?order=7&stage=" + stage.PK.String() +
				"&target=" + target.PK.String(),
		},
	}
}

// forEachCreation runs a test with a server of its own for each method.
func forEachCreation(t *testing.T, test func(*testing.T, creation)) {
	for _, name := range []string{"FlowsInstancesCreate", "BindingsCreate"} {
		for _, version := range []string{"2022.5", "2024.10", "2026.8"} {
			t.Run(name+" "+version, func(t *testing.T) {
				t.Parallel()
				test(t, creations(t, version)[name])
			})
		}
	}
}

// sent returns the requests that the server got.
func (c creation) sent() (all []string) {
	for _, r := range c.srv.Requests() {
		all = append(all, r.Method+" "+r.Path+"?"+r.Query.Encode())
	}
	return all
}

func TestAdoptExisting_ReturnsWhatEqualsTheRequest(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(creation){
		"exists":      func(c creation) { c.exists() },
		"lost answer": func(c creation) { c.srv.On(c.operation).CutBody(0) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			forEachCreation(t, func(t *testing.T, c creation) {
				prepare(c)
				var response authentik.Response
				got, err := c.create(t.Context(), c.srv.Client(testkit.NoWait),
					authentik.AdoptExisting(), authentik.WithResponse(&response))
				require.NoError(t, err)
				assert.False(t, reflect.ValueOf(got).IsNil())
				assert.Equal(t, 1, c.count(), "it is created once")
				require.Len(t, c.sent(), 2)
				assert.Equal(t, c.read, c.sent()[1])
				assert.Equal(t, http.StatusOK, response.StatusCode, "of the read")
			})
		})
	}
}

func TestAdoptExisting_NamesTheFieldsThatDiffer(t *testing.T) {
	t.Parallel()
	forEachCreation(t, func(t *testing.T, c creation) {
		c.differs()
		got, err := c.create(t.Context(), c.srv.Client(testkit.NoWait), authentik.AdoptExisting())
		assert.Nil(t, got)
		require.Error(t, err)
		_, text, _ := strings.Cut(strings.TrimPrefix(err.Error(), "authentik: "), ": ")
		assert.Equal(t, "the object exists and differs in "+c.text, text)
		var invalid *authentik.ValidationError
		require.ErrorAs(t, err, &invalid, "the response to the request")
		assert.NotErrorIs(t, err, authentik.ErrPerhapsDone)
		assert.Equal(t, 1, c.count())
	})
}

// The server removes the spaces around a text, and no other characters.
func TestAdoptExisting_IgnoresSpacesAroundText(t *testing.T) {
	t.Parallel()
	srv := authentiktest.NewServer(t)
	srv.AddFlow(authentik.Flow{Slug: "s", Name: "n", Title: "t", Designation: flowRequest.Designation})
	for name, equal := range map[string]bool{"\u0085 \x1cn\x1f": true, "\x01n": false, "n\x1b": false} {
		request := flowRequest
		request.Name = name
		_, err := srv.Client().FlowsInstancesCreate(t.Context(), request, authentik.AdoptExisting())
		if equal {
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, err, "the object exists and differs in Name", "%q", name)
	}
}

// Without an object there is nothing to adopt, and nothing is created again.
func TestAdoptExisting_KeepsTheErrorOfTheRequest(t *testing.T) {
	t.Parallel()
	forEachCreation(t, func(t *testing.T, c creation) {
		ak := c.srv.Client(testkit.NoWait)
		adopt := authentik.AdoptExisting()

		c.srv.On(c.operation).Reset()
		got, err := c.create(t.Context(), ak, adopt)
		assert.Nil(t, got)
		testkit.RequireType[*authentik.RequestError](t, err)
		require.ErrorIs(t, err, authentik.ErrPerhapsDone)
		assert.Len(t, c.sent(), 2, "it was looked for")

		c.srv.On(c.operation).FailNext(1, http.StatusBadRequest, `{"name":["Too short."]}`, nil)
		_, err = c.create(t.Context(), ak, adopt)
		testkit.RequireType[*authentik.ValidationError](t, err)
		assert.Len(t, c.sent(), 4, "it was looked for")

		c.exists()
		c.srv.On(c.operation).FailNext(1, http.StatusForbidden, `{}`, nil)
		_, err = c.create(t.Context(), ak, adopt)
		testkit.RequireType[*authentik.PermissionError](t, err)
		assert.Len(t, c.sent(), 5, "what is refused was not executed")

		_, err = c.create(t.Context(), ak)
		testkit.RequireType[*authentik.ValidationError](t, err)
		assert.Len(t, c.sent(), 6, "nothing is adopted unless it is allowed")
		assert.Equal(t, 1, c.count())
	})
}

func TestAdoptExisting_ReportsThatItCannotRead(t *testing.T) {
	t.Parallel()
	forEachCreation(t, func(t *testing.T, c creation) {
		read := map[string]string{
			"flows_instances_create": "flows_instances_retrieve", "flows_bindings_create": "flows_bindings_list",
		}[c.operation]
		c.srv.On(c.operation).CutBody(0)
		c.srv.On(read).FailNext(1, http.StatusForbidden, `{}`, nil)
		_, err := c.create(t.Context(), c.srv.Client(testkit.NoWait), authentik.AdoptExisting())
		require.ErrorIs(t, err, authentik.ErrPerhapsDone)
		require.ErrorIs(t, err, authentik.ErrForbidden)
		assert.NotContains(t, err.Error(), "\n")
		testkit.AssertNoSecrets(t, err)
	})
}

// A caller that has gone gets the error that it caused.
func TestAdoptExisting_SendsNothingForACallerThatHasGone(t *testing.T) {
	t.Parallel()
	requests := 0
	ctx, cancel := context.WithCancel(t.Context())
	ak := testkit.NewClientOver(t, func(r *http.Request) (*http.Response, error) {
		requests++
		cancel()
		return nil, r.Context().Err()
	})
	_, err := ak.FlowsInstancesCreate(ctx, flowRequest, authentik.AdoptExisting())
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, err, authentik.ErrPerhapsDone)
	testkit.RequireType[*authentik.RequestError](t, err)
	assert.Equal(t, 1, requests)
}

// A server that ignores a filter has other bindings to offer.
func TestAdoptExisting_ComparesWhatIdentifiesABinding(t *testing.T) {
	t.Parallel()
	ak := testkit.NewClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			testkit.StaticHandler(http.StatusBadRequest, testkit.JSON, `{"non_field_errors":["unique"]}`)(w, r)
			return
		}
		testkit.StaticHandler(http.StatusOK, testkit.JSON, testkit.FlowPageBody(1, `[`+testkit.MinimalBinding+`]`))(w, r)
	}))
	same, err := ak.BindingsCreate(t.Context(), bindingRequest, authentik.AdoptExisting())
	require.NoError(t, err)
	assert.Equal(t, flowID, same.PK)
	other := bindingRequest
	other.Order = new(7)
	_, err = ak.BindingsCreate(t.Context(), other, authentik.AdoptExisting())
	testkit.RequireType[*authentik.ValidationError](t, err)
}

// No binding can be that of a flow or a stage that does not exist.
func TestAdoptExisting_OfAFlowThatDoesNotExist(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"2021.12", "2024.10", "2026.8"} {
		srv := authentiktest.NewServer(t, authentiktest.Version(version))
		request := bindingRequest
		request.Target, request.Stage = uuid.New(), srv.Stages()[0].PK
		_, err := srv.Client().BindingsCreate(t.Context(), request, authentik.AdoptExisting())
		invalid := testkit.RequireType[*authentik.ValidationError](t, err)
		assert.Contains(t, invalid.Fields, "target", version)
		assert.NotContains(t, err.Error(), "reading it back", version)

		srv.On("flows_bindings_create").Reset()
		_, err = srv.Client().BindingsCreate(t.Context(), request, authentik.AdoptExisting())
		testkit.RequireType[*authentik.RequestError](t, err)
		require.ErrorIs(t, err, authentik.ErrPerhapsDone)
	}
}

// choice is a field of a request that a server may drop.
type choice struct {
	field string
	sent  string // JSON of a request with the field alone
	other string // JSON of an object that has another value
}

var (
	flowChoices = []choice{
		{"Designation", `{"designation":"recovery"}`, `{"designation":"enrollment"}`},
		{"PolicyEngineMode", `{"policy_engine_mode":"all"}`, `{"policy_engine_mode":"any"}`},
		{"CompatibilityMode", `{"compatibility_mode":false}`, `{"compatibility_mode":true}`},
		{"CompatibilityMode", `{"compatibility_mode":true}`, `{"compatibility_mode":false}`},
		{"Layout", `{"layout":"stacked"}`, `{"layout":""}`},
		{"DeniedAction", `{"denied_action":"message"}`, `{"denied_action":"continue"}`},
		{"Authentication", `{"authentication":"require_superuser"}`, `{}`},
		{"Background", `{"background":"a.png"}`, `{"background":"/static/dist/a.jpg"}`},
		{"Background", `{"background":""}`, `{"background":"a.png"}`},
	}
	bindingChoices = []choice{
		{
			"EvaluateOnPlan", `{"evaluate_on_plan":false,"re_evaluate_policies":true}`,
			`{"evaluate_on_plan":true,"re_evaluate_policies":true}`,
		},
		{
			"ReEvaluatePolicies", `{"evaluate_on_plan":true,"re_evaluate_policies":true}`,
			`{"evaluate_on_plan":true,"re_evaluate_policies":false}`,
		},
		{"PolicyEngineMode", `{"policy_engine_mode":"all"}`, `{"policy_engine_mode":"any"}`},
		{"InvalidResponseAction", `{"invalid_response_action":"restart"}`, `{"invalid_response_action":"retry"}`},
	}
)

// testNotApplied sends each choice to a server that stores another value, and
// to one that stores the value.
func testNotApplied[T any](
	t *testing.T, minimal string, choices []choice, calls map[string]func(*authentik.Client, string) (*T, error),
) {
	for op, call := range calls {
		for _, c := range choices {
			for shown, dropped := range map[string]bool{c.other: true, c.sent: false} {
				status := http.StatusOK
				if strings.HasSuffix(op, "Create") {
					status = http.StatusCreated
				}
				body := merged(t, minimal, shown)
				got, err := call(testkit.NewClient(t, testkit.Reply(status, testkit.JSON, body)), c.sent)
				assert.NotNil(t, got, "%s: %s", op, c.sent)
				if !dropped {
					require.NoError(t, err, "%s: %s", op, c.sent)
					continue
				}
				require.ErrorIs(t, err, authentik.ErrNotApplied)
				assert.EqualError(t, err, "authentik: "+op+": the server did not apply "+c.field)
			}
		}
	}
}

// merged returns a JSON object with the fields of all; the last one counts.
func merged(t *testing.T, objects ...string) string {
	t.Helper()
	all := map[string]any{}
	for _, object := range objects {
		require.NoError(t, json.Unmarshal([]byte(object), &all))
	}
	text, err := json.Marshal(all)
	require.NoError(t, err)
	return string(text)
}

func TestErrNotApplied_Flow(t *testing.T) {
	t.Parallel()
	request := func(base authentik.FlowRequest, sent string) authentik.FlowRequest {
		require.NoError(t, json.Unmarshal([]byte(sent), &base))
		return base
	}
	testNotApplied(t, testkit.MinimalFlow, flowChoices, map[string]func(*authentik.Client, string) (*authentik.Flow, error){
		"FlowsInstancesCreate": func(ak *authentik.Client, sent string) (*authentik.Flow, error) {
			return ak.FlowsInstancesCreate(t.Context(), request(flowRequest, sent))
		},
		"FlowsInstancesUpdate": func(ak *authentik.Client, sent string) (*authentik.Flow, error) {
			return ak.FlowsInstancesUpdate(t.Context(), "s", request(flowRequest, sent))
		},
		"FlowsInstancesPartialUpdate": func(ak *authentik.Client, sent string) (*authentik.Flow, error) {
			return ak.FlowsInstancesPartialUpdate(t.Context(), "s", request(authentik.FlowRequest{}, sent))
		},
	})
}

func TestErrNotApplied_Binding(t *testing.T) {
	t.Parallel()
	type (
		request = authentik.FlowStageBindingRequest
		binding = authentik.FlowStageBinding
	)
	with := func(base request, sent string) request {
		require.NoError(t, json.Unmarshal([]byte(sent), &base))
		return base
	}
	testNotApplied(t, testkit.MinimalBinding, bindingChoices, map[string]func(*authentik.Client, string) (*binding, error){
		"BindingsCreate": func(ak *authentik.Client, sent string) (*binding, error) {
			return ak.BindingsCreate(t.Context(), with(bindingRequest, sent))
		},
		"BindingsUpdate": func(ak *authentik.Client, sent string) (*binding, error) {
			return ak.BindingsUpdate(t.Context(), flowID, with(bindingRequest, sent))
		},
		"BindingsPartialUpdate": func(ak *authentik.Client, sent string) (*binding, error) {
			return ak.BindingsPartialUpdate(t.Context(), flowID, with(request{}, sent))
		},
	})
}

// A flow for superusers is one for everybody on a server that does not know
// the field.
func TestErrNotApplied_OldServer(t *testing.T) {
	t.Parallel()
	srv := authentiktest.NewServer(t, authentiktest.Version("2021.12"))
	request := flowRequest
	request.Layout = authentik.FlowLayoutStacked
	request.Authentication = authentik.FlowAuthenticationRequireSuperuser
	flow, err := srv.Client().FlowsInstancesCreate(t.Context(), request)
	require.ErrorIs(t, err, authentik.ErrNotApplied)
	assert.EqualError(t, err, "authentik: FlowsInstancesCreate: the server did not apply Layout, Authentication")
	assert.Equal(t, "s", flow.Slug)
	request.Slug, request.Background = "b", new("a.png")
	_, err = srv.Client().FlowsInstancesCreate(t.Context(), request)
	require.EqualError(t, err,
		"authentik: FlowsInstancesCreate: the server did not apply Layout, Authentication, Background")
	assert.True(t, slices.ContainsFunc(srv.Flows(), func(f authentik.Flow) bool { return f.Slug == "s" }))
}
