package live_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/authentiktest"
	"github.com/seed-299d42e7/authentik-go/internal/testkit/conformance"
)

// TestLive_FakeWrites writes to the fake of every release, as TestLive does.
func TestLive_FakeWrites(t *testing.T) {
	t.Parallel()
	for _, version := range authentiktest.Versions() {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			srv := authentiktest.NewServer(t, authentiktest.Version(version))
			before := contentOf(srv)
			t.Cleanup(func() { assert.Equal(t, before, contentOf(srv)) }) // after that of compareWrites
			compareWrites(t, srv.URL, srv.Token)
		})
	}
}

// contentOf is what a fake holds.
func contentOf(srv *authentiktest.Server) []any {
	return []any{srv.Flows(), srv.Stages(), srv.Bindings()}
}

// writer compares writes, to a flow, bindings and stages of its own.
type writer struct {
	live
	slug, renamed string // of its flow, before and after it is renamed
	stages        []string
	stage         []uuid.UUID
	flow          *authentik.Flow
	first, second *authentik.FlowStageBinding
}

// step is one step of compareWrites. A step needs those before.
type step struct {
	name string
	run  func(*writer, *testing.T)
}

var steps = []step{
	{"import of stages", (*writer).importStages},
	{"stages", (*writer).readStages},
	{"FlowsInstancesCreate", (*writer).createFlow},
	{"FlowsInstancesUpdate", (*writer).updateFlow},
	{"FlowsInstancesPartialUpdate", (*writer).patchFlow},
	{"rename", (*writer).renameFlow},
	{"BindingsCreate", (*writer).bind},
	{"BindingsPartialUpdate", (*writer).patchBinding},
	{"BindingsUpdate", (*writer).updateBinding},
	{"order", (*writer).readBindings},
	{"used_by and diagram", (*writer).readUses},
	{"export, delete and import", (*writer).restore},
	{"BindingsDestroy", (*writer).unbind},
	{"FlowsInstancesDestroy", (*writer).destroyFlow},
	{"StagesAllDestroy", (*writer).destroyStages},
}

// compareWrites creates, changes, exports, imports and deletes objects of its
// own, and compares what the library returns with the server's answers to
// requests by hand. Nothing of it is left on the server, also if it fails.
func compareWrites(t *testing.T, baseURL, token string) {
	t.Helper()
	slug := "authentik-go-live-" + strings.ReplaceAll(uuid.NewString(), "-", "")[:12]
	w := &writer{
		live: newLive(t, baseURL, token), slug: slug, renamed: slug + "-renamed",
		stages: []string{slug + "-first", slug + "-second"},
	}
	w.deleteLater(t)
	for _, s := range steps {
		if !t.Run(s.name, func(t *testing.T) { s.run(w, t) }) {
			t.FailNow() // what follows needs it
		}
	}
}

func flowPath(slug string) string { return "flows/instances/" + slug + "/" }

func bindingPath(id uuid.UUID) string { return "flows/bindings/" + id.String() + "/" }

func stagePath(id uuid.UUID) string { return "stages/all/" + id.String() + "/" }

// What the models leave out depends on where an object is: conformance.Compare
// knows these places.
const (
	asFlow    = "results"
	asStage   = "stage_obj"
	asBinding = ""
)

// sameAs requires that a value of the library has what the server answers to a
// GET by hand.
func (w *writer) sameAs(t *testing.T, target, place string, read func(context.Context) (any, error)) {
	t.Helper()
	w.eventually(t, func() []string {
		answer := w.again(t.Context(), t, http.MethodGet, target, payload{})
		value, err := read(t.Context())
		if err != nil || answer.Status != http.StatusOK {
			return []string{fmt.Sprintf("%s: status %d by hand, through the library %v", target, answer.Status, err)}
		}
		return differ(t, place, conformance.ParseJSON(t, answer.Body()), value)
	})
}

// differ returns the differences between a server's JSON and a value.
func differ(t *testing.T, place string, sent, value any) []string {
	t.Helper()
	ours, err := json.Marshal(value)
	require.NoError(t, err)
	return conformance.Compare(place, steady("", sent), steady("", conformance.ParseJSON(t, ours)))
}

// is returns a value that was read before.
func is(value any) func(context.Context) (any, error) {
	return func(context.Context) (any, error) { return value, nil }
}

// sameRows requires that a list of the library has the rows of one by hand.
func sameRows[T any](t *testing.T, w *writer, target, place string, read func(context.Context) ([]T, error)) {
	t.Helper()
	w.eventually(t, func() (all []string) {
		page := conformance.ParsePage(t, w.again(t.Context(), t, http.MethodGet, target, payload{}).Body())
		list, err := read(t.Context())
		if err != nil || len(list) != len(page.Results) {
			return []string{fmt.Sprintf("%s: %d by hand, %d through the library: %v", target, len(page.Results), len(list), err)}
		}
		for i, row := range page.Results {
			all = append(all, differ(t, place, row, list[i])...)
		}
		return all
	})
}

// byHand sends a write that may be repeated, and returns the object that the
// server answers.
func (w *writer) byHand(t *testing.T, method, target string, object map[string]any) any {
	t.Helper()
	answer := w.again(t.Context(), t, method, target, jsonOf(t, object))
	require.Equal(t, http.StatusOK, answer.Status, answer.Text)
	return conformance.ParseJSON(t, answer.Body())
}

func jsonOf(t *testing.T, object map[string]any) payload {
	t.Helper()
	content, err := json.Marshal(object)
	require.NoError(t, err)
	return payload{"application/json", content}
}

// gone requires that an object does not exist, by hand and for the library.
func (w *writer) gone(t *testing.T, target string, err error) {
	t.Helper()
	answer := w.again(t.Context(), t, http.MethodGet, target, payload{})
	assert.Equal(t, http.StatusNotFound, answer.Status, answer.Text)
	require.ErrorIs(t, err, authentik.ErrNotFound)
	var api *authentik.APIError
	require.ErrorAs(t, err, &api)
	sent, _ := conformance.ParseJSON(t, answer.Body()).(map[string]any)
	assert.Equal(t, sent["detail"], api.Detail)
}

// importStages creates stages: of their models, the library has no methods.
func (w *writer) importStages(t *testing.T) {
	var entries []map[string]any
	for i, model := range []string{"authentik_stages_dummy.dummystage", "authentik_stages_deny.denystage"} {
		entries = append(entries, map[string]any{
			"model":       model,
			"identifiers": map[string]any{"pk": uuid.NewString(), "name": w.stages[i]},
			"attrs":       map[string]any{"name": w.stages[i]},
		})
	}
	file := jsonOf(t, map[string]any{"version": 1, "entries": entries})
	result, err := w.ak.FlowsInstancesImportCreate(t.Context(), file.content)
	require.NoError(t, err)
	assert.True(t, result.Success)
}

func (w *writer) readStages(t *testing.T) {
	for _, name := range w.stages {
		list := func(ctx context.Context) ([]authentik.Stage, error) {
			return authentik.Collect(w.ak.StagesAllAll(ctx, &authentik.StagesAllListOptions{Name: name}))
		}
		sameRows(t, w, "stages/all/?"+url.Values{"name": {name}}.Encode(), asStage, list)
		found, err := list(t.Context())
		require.NoError(t, err)
		require.Len(t, found, 1)
		id := found[0].PK
		w.stage = append(w.stage, id)
		w.sameAs(t, stagePath(id), asStage, func(ctx context.Context) (any, error) { return w.ak.StagesAllRetrieve(ctx, id) })
	}
}

// request is the flow, with another number for each write.
func (w *writer) request(n int) authentik.FlowRequest {
	return authentik.FlowRequest{
		Name: fmt.Sprintf("authentik-go live test %d", n), Slug: w.slug, Title: fmt.Sprintf(`Grüße 🚀 "%d" <&>`, n),
		Designation: authentik.FlowDesignationStageConfiguration,
	}
}

func (w *writer) createFlow(t *testing.T) {
	flow, err := w.ak.FlowsInstancesCreate(t.Context(), w.request(1))
	require.NoError(t, err)
	w.flow = flow
	w.sameAs(t, flowPath(w.slug), asFlow, is(flow))
	w.sameAs(t, flowPath(w.slug), asFlow, func(ctx context.Context) (any, error) {
		return w.ak.FlowsInstancesRetrieve(ctx, w.slug)
	})

	_, err = w.ak.FlowsInstancesCreate(t.Context(), w.request(1))
	var refused *authentik.ValidationError
	require.ErrorAs(t, err, &refused)
	answer, err := w.send(t.Context(), http.MethodPost, "flows/instances/", jsonOf(t, map[string]any{
		"name": "n", "slug": w.slug, "title": "t", "designation": "stage_configuration",
	}))
	require.NoError(t, err)
	assert.Equal(t, http.StatusBadRequest, answer.Status)
	assert.Empty(t, differ(t, "", conformance.ParseJSON(t, answer.Body()), refused.Fields))
}

// updateFlow sends the same PUT twice: through the library and by hand, each with
// what was read before.
func (w *writer) updateFlow(t *testing.T) {
	object, _ := conformance.ParseJSON(t, w.fetch(t, flowPath(w.slug), nil).Body()).(map[string]any)
	request, wanted := w.flow.Request(), w.request(2)
	request.Name, request.Title = wanted.Name, wanted.Title
	request.PolicyEngineMode, request.CompatibilityMode = authentik.PolicyEngineModeAll, new(true)
	flow, err := w.ak.FlowsInstancesUpdate(t.Context(), w.slug, request)
	require.NoError(t, err)
	w.sameAs(t, flowPath(w.slug), asFlow, is(flow))
	maps.Copy(object, map[string]any{
		"name": wanted.Name, "title": wanted.Title, "policy_engine_mode": "all", "compatibility_mode": true,
	})
	sent := w.byHand(t, http.MethodPut, flowPath(w.slug), object)
	assert.Empty(t, differ(t, asFlow, sent, flow))
	assert.Empty(t, differ(t, asFlow, object, flow), "the other fields are as before")
}

// patchFlow changes those fields that the release has.
func (w *writer) patchFlow(t *testing.T) {
	answer := w.fetch(t, flowPath(w.slug), nil)
	has, _ := conformance.ParseJSON(t, answer.Body()).(map[string]any)
	request := authentik.FlowRequest{Title: "patched", CompatibilityMode: new(false)}
	object := map[string]any{"title": "patched", "compatibility_mode": false}
	if _, ok := has["layout"]; ok {
		request.Layout, object["layout"] = authentik.FlowLayoutSidebarLeft, "sidebar_left"
	}
	if _, ok := has["denied_action"]; ok {
		request.DeniedAction, object["denied_action"] = authentik.FlowDeniedActionContinue, "continue"
	}
	if _, ok := has["authentication"]; ok {
		request.Authentication = authentik.FlowAuthenticationRequireSuperuser
		object["authentication"] = "require_superuser"
	}
	flow, err := w.ak.FlowsInstancesPartialUpdate(t.Context(), w.slug, request)
	require.NoError(t, err)
	w.sameAs(t, flowPath(w.slug), asFlow, is(flow))
	sent, _ := w.byHand(t, http.MethodPatch, flowPath(w.slug), object).(map[string]any)
	assert.Empty(t, differ(t, asFlow, sent, flow))
	for key, value := range object {
		assert.Equal(t, value, sent[key], key)
	}
}

func (w *writer) renameFlow(t *testing.T) {
	flow, err := w.ak.FlowsInstancesPartialUpdate(t.Context(), w.slug, authentik.FlowRequest{Slug: w.renamed})
	require.NoError(t, err)
	assert.Equal(t, w.flow.PK, flow.PK)
	w.sameAs(t, flowPath(w.renamed), asFlow, is(flow))
	_, err = w.ak.FlowsInstancesRetrieve(t.Context(), w.slug)
	w.gone(t, flowPath(w.slug), err)
}

// bind binds both stages. A write shows less of its stage than a read.
func (w *writer) bind(t *testing.T) {
	for i, to := range []**authentik.FlowStageBinding{&w.first, &w.second} {
		binding, err := w.ak.BindingsCreate(t.Context(), authentik.FlowStageBindingRequest{
			Target: w.flow.PK, Stage: w.stage[i], Order: new(10 * (i + 1)),
			EvaluateOnPlan: new(true), ReEvaluatePolicies: new(true),
		})
		require.NoError(t, err)
		*to = binding
		w.sameAs(t, bindingPath(binding.PK), asBinding, func(ctx context.Context) (any, error) {
			return w.ak.BindingsRetrieve(ctx, binding.PK)
		})
		stored, err := w.ak.BindingsRetrieve(t.Context(), binding.PK)
		require.NoError(t, err)
		assert.Equal(t, stored.StageObj.Name, binding.StageObj.Name)
		stored.StageObj = binding.StageObj
		assert.Equal(t, stored, binding)
	}
}

// patchBinding moves the first binding behind the second. Each of its writes has
// one of the two flags, and keeps the other.
func (w *writer) patchBinding(t *testing.T) {
	binding, err := w.ak.BindingsPartialUpdate(t.Context(), w.first.PK, authentik.FlowStageBindingRequest{
		Order: new(30), ReEvaluatePolicies: new(false), InvalidResponseAction: authentik.InvalidResponseActionRestart,
	})
	require.NoError(t, err)
	assert.Equal(t, 30, binding.Order)
	sent := w.byHand(t, http.MethodPatch, bindingPath(w.first.PK), map[string]any{
		"order": 30, "evaluate_on_plan": true, "re_evaluate_policies": false, "invalid_response_action": "restart",
	})
	assert.Empty(t, differ(t, asBinding, sent, binding))

	// Up to 2026.5 exports leave out what is false, though the default may be
	// true.
	binding, err = w.ak.BindingsPartialUpdate(
		t.Context(), w.first.PK, authentik.FlowStageBindingRequest{ReEvaluatePolicies: new(true)},
	)
	require.NoError(t, err)
	sent = w.byHand(t, http.MethodPatch, bindingPath(w.first.PK), map[string]any{
		"evaluate_on_plan": true, "re_evaluate_policies": true,
	})
	assert.Empty(t, differ(t, asBinding, sent, binding))
}

// updateBinding moves the second binding, each time with what was read before.
func (w *writer) updateBinding(t *testing.T) {
	object, _ := conformance.ParseJSON(t, w.fetch(t, bindingPath(w.second.PK), nil).Body()).(map[string]any)
	request := w.second.Request()
	request.Order, request.PolicyEngineMode = new(5), authentik.PolicyEngineModeAll
	binding, err := w.ak.BindingsUpdate(t.Context(), w.second.PK, request)
	require.NoError(t, err)
	object["order"], object["policy_engine_mode"] = 5, "all"
	sent := w.byHand(t, http.MethodPut, bindingPath(w.second.PK), object)
	assert.Empty(t, differ(t, asBinding, sent, binding))
}

func (w *writer) readBindings(t *testing.T) {
	list := func(ctx context.Context) ([]authentik.FlowStageBinding, error) {
		return authentik.Collect(w.ak.BindingsAll(ctx, &authentik.BindingsListOptions{Target: w.flow.PK}))
	}
	target := "flows/bindings/?" + url.Values{"target": {w.flow.PK.String()}}.Encode()
	sameRows(t, w, target, asBinding, list)
	sameRows(t, w, target, asBinding, func(ctx context.Context) ([]authentik.FlowStageBinding, error) {
		page, err := w.ak.BindingsList(ctx, &authentik.BindingsListOptions{Target: w.flow.PK})
		if err != nil {
			return nil, err
		}
		return page.Results, nil
	})
	bindings, err := list(t.Context())
	require.NoError(t, err)
	require.Len(t, bindings, 2)
	assert.Equal(t, []uuid.UUID{w.second.PK, w.first.PK}, []uuid.UUID{bindings[0].PK, bindings[1].PK})
	w.sameAs(t, flowPath(w.renamed), asFlow, func(ctx context.Context) (any, error) {
		return w.ak.FlowsInstancesRetrieve(ctx, w.renamed)
	})
}

// readUses compares what uses an object, but for the case of the actions: up to
// 2023.10 servers write CASCADE.
func (w *writer) readUses(t *testing.T) {
	for target, read := range map[string]func(context.Context) ([]authentik.UsedBy, error){
		flowPath(w.renamed): func(ctx context.Context) ([]authentik.UsedBy, error) {
			return w.ak.FlowsInstancesUsedByList(ctx, w.renamed)
		},
		bindingPath(w.first.PK): func(ctx context.Context) ([]authentik.UsedBy, error) {
			return w.ak.BindingsUsedByList(ctx, w.first.PK)
		},
		stagePath(w.stage[0]): func(ctx context.Context) ([]authentik.UsedBy, error) {
			return w.ak.StagesAllUsedByList(ctx, w.stage[0])
		},
	} {
		w.eventually(t, func() []string {
			sent, _ := conformance.ParseJSON(t, w.fetch(t, target+"used_by/", nil).Body()).([]any)
			for _, use := range sent {
				use, _ := use.(map[string]any)
				use["action"] = strings.ToLower(fmt.Sprint(use["action"]))
			}
			uses, err := read(t.Context())
			require.NoError(t, err)
			isFirst := func(u authentik.UsedBy) bool { return u.PK == w.first.PK.String() }
			assert.Equal(t, target != bindingPath(w.first.PK), slices.ContainsFunc(uses, isFirst), "%s: %+v", target, uses)
			return differ(t, "", sent, uses)
		})
	}
	w.sameAs(t, flowPath(w.renamed)+"diagram/", "", func(ctx context.Context) (any, error) {
		return w.ak.FlowsInstancesDiagramRetrieve(ctx, w.renamed)
	})
	diagram, err := w.ak.FlowsInstancesDiagramRetrieve(t.Context(), w.renamed)
	require.NoError(t, err)
	assert.Contains(t, diagram.Diagram, w.stages[0])
}

func (w *writer) unbind(t *testing.T) {
	id := w.second.PK
	require.NoError(t, w.ak.BindingsDestroy(t.Context(), id))
	_, err := w.ak.BindingsRetrieve(t.Context(), id)
	w.gone(t, bindingPath(id), err)
	w.gone(t, bindingPath(id), w.ak.BindingsDestroy(t.Context(), id))
}

func (w *writer) destroyFlow(t *testing.T) {
	require.NoError(t, w.ak.FlowsInstancesDestroy(t.Context(), w.renamed))
	_, err := w.ak.FlowsInstancesRetrieve(t.Context(), w.renamed)
	w.gone(t, flowPath(w.renamed), err)
	w.gone(t, flowPath(w.renamed), w.ak.FlowsInstancesDestroy(t.Context(), w.renamed))
	_, err = w.ak.BindingsRetrieve(t.Context(), w.first.PK)
	w.gone(t, bindingPath(w.first.PK), err)
}

func (w *writer) destroyStages(t *testing.T) {
	for _, id := range w.stage {
		require.NoError(t, w.ak.StagesAllDestroy(t.Context(), id))
		_, err := w.ak.StagesAllRetrieve(t.Context(), id)
		w.gone(t, stagePath(id), err)
	}
}
