package main

import (
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
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

// A request that the server has executed must not come again; one that the
// server has refused, or that may be repeated, may.
func TestNetwork_NoticesWhatIsSentAgain(t *testing.T) {
	t.Parallel()
	srv := authentiktest.NewServer(t)
	n := newNetwork(srv, 0, 1)
	send := func(method, path, body string) int {
		r := httptest.NewRequest(method, "/api/v3/"+path, strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+srv.Token)
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		n.ServeHTTP(w, r)
		return w.Code
	}
	const flow = `{"name":"a","slug":"a","title":"a","designation":"recovery"}`
	for _, tc := range []struct {
		method, path, body string
		status, doubled    int
	}{
		{http.MethodPost, "flows/instances/", `{}`, http.StatusBadRequest, 0},
		{http.MethodPost, "flows/instances/", `{}`, http.StatusBadRequest, 0},
		{http.MethodPost, "flows/instances/", flow, http.StatusCreated, 0},
		{http.MethodPatch, "flows/instances/a/", `{"title":"b"}`, http.StatusOK, 0},
		{http.MethodPatch, "flows/instances/a/", `{"title":"b"}`, http.StatusOK, 0},
		{http.MethodPost, "flows/instances/", flow, http.StatusBadRequest, 1},
		{http.MethodPatch, "flows/instances/a/", `{"slug":"b"}`, http.StatusOK, 1},
		{http.MethodPatch, "flows/instances/a/", `{"slug":"b"}`, http.StatusNotFound, 2},
	} {
		assert.Equal(t, tc.status, send(tc.method, tc.path, tc.body), "%+v", tc)
		assert.Len(t, n.doubled, tc.doubled, "%+v", tc)
	}
}

func TestExecuted_RemembersTheLastOnes(t *testing.T) {
	t.Parallel()
	e := newExecuted()
	for i := range 3*remembered + 1 {
		e.add(strconv.Itoa(i))
	}
	assert.False(t, e.has("0"))
	assert.True(t, e.has(strconv.Itoa(2*remembered+1)))
	assert.True(t, e.has(strconv.Itoa(3*remembered)))
	assert.LessOrEqual(t, len(e.young)+len(e.older), 2*remembered)
}

func TestSame_ComparesFlowsAndBindings(t *testing.T) {
	t.Parallel()
	flow, stage := uuid.New(), uuid.New()
	known := &ownFlow{flow, fields{title: "a"}, map[uuid.UUID]ownBinding{stage: {pk: flow, fields: bindingFields{order: 1}}}}
	assert.True(t, same(nil, nil))
	assert.True(t, same(known, known.clone()))
	assert.False(t, same(nil, known))
	assert.False(t, same(known, nil))
	for name, change := range map[string]func(*ownFlow){
		"pk":    func(f *ownFlow) { f.pk = stage },
		"title": func(f *ownFlow) { f.fields.title = "b" },
		"none":  func(f *ownFlow) { delete(f.bindings, stage) },
		"more":  func(f *ownFlow) { f.bindings[flow] = ownBinding{} },
		"order": func(f *ownFlow) { f.bindings[stage] = ownBinding{pk: flow} },
		"other": func(f *ownFlow) { f.bindings[stage] = ownBinding{stage, bindingFields{order: 1}} },
	} {
		other := known.clone()
		change(other)
		assert.False(t, same(other, known), name)
	}
	unknown := known.clone()
	unknown.pk, unknown.bindings[stage] = uuid.Nil, ownBinding{fields: bindingFields{order: 1}}
	assert.True(t, same(known, unknown), "a pk that is not known yet")
}

// A write that was done without its error saying so, and one that was lost, are
// problems; after an error the state is the one that the server has.
func TestWriter_SettlesWhatAWriteCameTo(t *testing.T) {
	t.Parallel()
	lost := &authentik.RequestError{Op: "test", Err: authentik.ErrAttemptTimeout}
	for name, tc := range map[string]struct {
		err           error
		done, problem bool
	}{
		"not done":              {lost, false, false},
		"done though refused":   {lost, true, true},
		"perhaps done":          {authentik.ErrPerhapsDone, true, false},
		"perhaps done, but not": {authentik.ErrPerhapsDone, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, err := newWrites(1, 1)
			require.NoError(t, err)
			t.Cleanup(w.server.Close)
			ak, writer := w.server.Client(), w.writers[0]
			writer.create(t.Context(), ak)
			slug := slices.Collect(maps.Keys(writer.flows))[0]
			from := writer.flows[slug]
			to := from.clone()
			to.fields.title = "changed"
			if tc.done {
				_, err := ak.FlowsInstancesPartialUpdate(t.Context(), slug, authentik.FlowRequest{Title: "changed"})
				require.NoError(t, err)
			}
			err = tc.err
			if !errors.Is(err, lost) {
				err = errors.Join(lost, err)
			}
			writer.settle(t.Context(), ak, "patch", err, place{slug, from}, place{slug, to})
			assert.Equal(t, tc.problem, len(w.problems) > 0, "%v", w.problems)
			assert.Equal(t, tc.done, writer.flows[slug].fields.title == "changed")
			w.problems = nil
			w.check()
			assert.Empty(t, w.problems)

			w.server.DeleteFlow(slug)
			w.check()
			assert.NotEmpty(t, w.problems, "a flow was lost")
		})
	}
}
