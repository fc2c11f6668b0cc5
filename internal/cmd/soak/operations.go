package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/seed-299d42e7/authentik-go"
)

// create creates a flow. If the answer is lost, AdoptExisting reads it back
// every other time, and settle does otherwise.
func (w *writer) create(ctx context.Context, ak *authentik.Client) {
	slug, want := w.slug(), &ownFlow{fields: w.someFields(), bindings: map[uuid.UUID]ownBinding{}}
	var opts []authentik.RequestOption
	if w.rand.IntN(2) == 0 {
		opts = append(opts, authentik.AdoptExisting())
	}
	got, err := ak.FlowsInstancesCreate(ctx, want.fields.request(slug), opts...)
	if err == nil {
		want.pk = got.PK
		w.compare("create", slug, *got, want)
	}
	w.settle(ctx, ak, "create", err, place{slug, nil}, place{slug, want})
}

func (w *writer) slug() string { return fmt.Sprintf("%s-%d", w.name, w.next()) }

// compare compares the flow in an answer with the one that was asked for.
func (w *writer) compare(operation, slug string, got authentik.Flow, want *ownFlow) {
	if got.Slug != slug || got.PK != want.pk || fieldsOf(got) != want.fields {
		w.problem("%s: %s came back as %+v, want %+v", operation, slug, got, want)
	}
}

func (w *writer) patch(ctx context.Context, ak *authentik.Client, slug string) {
	from := w.flows[slug]
	to := from.clone()
	to.fields.title = fmt.Sprintf("Title %d", w.next())
	got, err := ak.FlowsInstancesPartialUpdate(ctx, slug, authentik.FlowRequest{Title: to.fields.title})
	if err == nil {
		w.compare("patch", slug, *got, to)
	}
	w.settle(ctx, ak, "patch", err, place{slug, from}, place{slug, to})
}

func (w *writer) update(ctx context.Context, ak *authentik.Client, slug string) {
	from := w.flows[slug]
	to := from.clone()
	to.fields = w.someFields()
	got, err := ak.FlowsInstancesUpdate(ctx, slug, to.fields.request(slug))
	if err == nil {
		w.compare("update", slug, *got, to)
	}
	w.settle(ctx, ak, "update", err, place{slug, from}, place{slug, to})
}

func (w *writer) rename(ctx context.Context, ak *authentik.Client, slug string) {
	from, renamed := w.flows[slug], w.slug()
	got, err := ak.FlowsInstancesPartialUpdate(ctx, slug, authentik.FlowRequest{Slug: renamed})
	if err == nil {
		w.compare("rename", renamed, *got, from)
	}
	w.settle(ctx, ak, "rename", err, place{slug, from}, place{renamed, from.clone()})
}

func (w *writer) remove(ctx context.Context, ak *authentik.Client, slug string) {
	err := ak.FlowsInstancesDestroy(ctx, slug)
	w.settle(ctx, ak, "delete", err, place{slug, w.flows[slug]}, place{slug, nil})
}

// importNew imports a flow that does not exist.
func (w *writer) importNew(ctx context.Context, ak *authentik.Client) {
	slug, want := w.slug(), &ownFlow{fields: w.someFields(), bindings: map[uuid.UUID]ownBinding{}}
	w.importFlow(ctx, ak, place{slug, nil}, place{slug, want})
}

// importAgain imports a flow that exists, and so changes it.
func (w *writer) importAgain(ctx context.Context, ak *authentik.Client, slug string) {
	from := w.flows[slug]
	to := from.clone()
	to.fields = w.someFields()
	w.importFlow(ctx, ak, place{slug, from}, place{slug, to})
}

func (w *writer) importFlow(ctx context.Context, ak *authentik.Client, from, to place) {
	result, err := ak.FlowsInstancesImportCreate(ctx, blueprint(to.slug, to.flow.fields))
	if err == nil && !result.Success {
		w.problem("import of %s failed: %+v", to.slug, result.Logs)
	}
	if err == nil { // nothing but reading tells the pk
		got, ok := w.read(ctx, ak, to.slug)
		switch {
		case !ok:
			w.mu.Lock()
			w.unsure = append(w.unsure, to.slug)
			w.mu.Unlock()
			to.flow = nil
		case !same(got, to.flow):
			w.problem("import: %s is %+v, want %+v", to.slug, got, to.flow)
			to.flow = got
		default:
			to.flow = got
		}
	}
	w.settle(ctx, ak, "import", err, from, to)
}

// blueprint is a file to import, as an export has it.
func blueprint(slug string, f fields) []byte {
	return fmt.Appendf(nil, `context: {}
entries:
- attrs:
    authentication: %s
    compatibility_mode: %t
    denied_action: %s
    designation: %s
    layout: %s
    name: %s
    policy_engine_mode: %s
    title: %s
  conditions: []
  identifiers:
    slug: %s
  model: authentik_flows.flow
  permissions: []
  state: present
version: 1
`, f.authentication, f.compatible, f.denied, f.designation, f.layout, f.name, f.engine, f.title, slug)
}

// bind binds a stage that the flow does not have yet.
func (w *writer) bind(ctx context.Context, ak *authentik.Client, slug string) {
	from := w.flows[slug]
	stage := pick(w, w.stages...)
	if _, bound := from.bindings[stage]; bound || len(from.bindings) >= mostBindings {
		return
	}
	to := from.clone()
	onPlan := pick(w, true, false)
	fields := bindingFields{
		stage: stage, order: w.rand.IntN(100), onPlan: onPlan, reEval: !onPlan || pick(w, true, false),
		engine:           pick(w, authentik.PolicyEngineModeAny, authentik.PolicyEngineModeAll),
		invalidResponses: pick(w, authentik.InvalidResponseActionRetry, authentik.InvalidResponseActionRestart),
	}
	var opts []authentik.RequestOption
	if w.rand.IntN(2) == 0 {
		opts = append(opts, authentik.AdoptExisting())
	}
	got, err := ak.BindingsCreate(ctx, fields.request(from.pk), opts...)
	added := ownBinding{fields: fields}
	if err == nil {
		added.pk = got.PK
		w.compareBinding("bind", *got, from.pk, added)
	}
	to.bindings[stage] = added
	w.settle(ctx, ak, "bind", err, place{slug, from}, place{slug, to})
}

func (w *writer) compareBinding(operation string, got authentik.FlowStageBinding, target uuid.UUID, want ownBinding) {
	if got.PK != want.pk || got.Target != target || got.StageObj.PK != want.fields.stage || bindingFieldsOf(got) != want.fields {
		w.problem("%s: binding came back as %+v, want %+v", operation, got, want)
	}
}

// sorted are the stages of a flow's bindings, in an order of their own.
func (f *ownFlow) sorted() []uuid.UUID {
	return slices.SortedFunc(maps.Keys(f.bindings), func(a, b uuid.UUID) int { return strings.Compare(a.String(), b.String()) })
}

// reorder gives each binding of a flow another place, one after the other.
func (w *writer) reorder(ctx context.Context, ak *authentik.Client, slug string) {
	stages := w.flows[slug].sorted()
	w.rand.Shuffle(len(stages), func(i, j int) { stages[i], stages[j] = stages[j], stages[i] })
	for i, stage := range stages {
		from := w.flows[slug]
		if from == nil {
			return // it could not be read back
		}
		to := from.clone()
		changed := to.bindings[stage]
		changed.fields.order = 10 * i
		to.bindings[stage] = changed
		var got *authentik.FlowStageBinding
		var err error
		if w.rand.IntN(2) == 0 {
			got, err = ak.BindingsPartialUpdate(ctx, changed.pk, authentik.FlowStageBindingRequest{Order: new(10 * i)})
		} else {
			got, err = ak.BindingsUpdate(ctx, changed.pk, changed.fields.request(from.pk))
		}
		if err == nil {
			w.compareBinding("reorder", *got, from.pk, changed)
		}
		w.settle(ctx, ak, "reorder", err, place{slug, from}, place{slug, to})
	}
}

func (w *writer) unbind(ctx context.Context, ak *authentik.Client, slug string) {
	from := w.flows[slug]
	stages := from.sorted()
	if len(stages) == 0 {
		return
	}
	stage := pick(w, stages...)
	to := from.clone()
	delete(to.bindings, stage)
	err := ak.BindingsDestroy(ctx, from.bindings[stage].pk)
	w.settle(ctx, ak, "unbind", err, place{slug, from}, place{slug, to})
}

// listBindings reads the bindings of a flow, which must be all of them, in
// their order.
func (w *writer) listBindings(ctx context.Context, ak *authentik.Client, slug string) {
	want := w.flows[slug]
	list, err := authentik.Collect(ak.BindingsAll(ctx, &authentik.BindingsListOptions{Target: want.pk}))
	if err != nil {
		w.fault("list", err)
		return
	}
	w.count("list")
	got := &ownFlow{want.pk, want.fields, map[uuid.UUID]ownBinding{}}
	for i, b := range list {
		got.bindings[b.Stage] = ownBinding{b.PK, bindingFieldsOf(b)}
		if i > 0 && b.Order < list[i-1].Order {
			w.problem("the bindings of %s came in no order", slug)
		}
	}
	if len(list) != len(got.bindings) || !same(got, want) {
		w.problem("lost or doubled: the bindings of %s are %+v, want %+v", slug, got.bindings, want.bindings)
	}
}

// listFlows finds the flows of this writer among those of all.
func (w *writer) listFlows(ctx context.Context, ak *authentik.Client) {
	list, err := authentik.Collect(ak.FlowsInstancesAll(ctx, &authentik.FlowsInstancesListOptions{Search: w.name}))
	if err != nil {
		if !errors.Is(err, authentik.ErrListChanged) {
			w.fault("list", err)
			return
		}
		w.problem("a change that was none: %v", err)
	}
	w.count("list")
	got := map[string]authentik.Flow{}
	for _, flow := range list {
		if _, again := got[flow.Slug]; again {
			w.problem("doubled: %s", flow.Slug)
		}
		got[flow.Slug] = flow
	}
	for slug, want := range w.flows {
		flow, ok := got[slug]
		if !ok {
			w.problem("lost: %s", slug)
			continue
		}
		w.compare("list", slug, flow, want)
		delete(got, slug)
	}
	for slug := range got {
		if !w.isUnsure(slug) {
			w.problem("%s is there, and ought not to be", slug)
		}
	}
}

func (w *writes) isUnsure(slug string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Contains(w.unsure, slug)
}

// check compares what the server has in the end with what the writers know.
func (w *writes) check() {
	got := map[string]*ownFlow{}
	slugs := map[uuid.UUID]string{}
	for _, flow := range w.server.Flows() {
		if before, ok := w.before[flow.PK]; ok {
			if fieldsOf(flow) != fieldsOf(before) || flow.Slug != before.Slug {
				w.problem("a flow of nobody has changed: %+v", flow)
			}
			continue
		}
		got[flow.Slug] = &ownFlow{flow.PK, fieldsOf(flow), map[uuid.UUID]ownBinding{}}
		slugs[flow.PK] = flow.Slug
	}
	for _, b := range w.server.Bindings() {
		if flow := got[slugs[b.Target]]; flow != nil {
			if _, again := flow.bindings[b.Stage]; again {
				w.problem("doubled: a binding of %s", slugs[b.Target])
			}
			flow.bindings[b.Stage] = ownBinding{b.PK, bindingFieldsOf(b)}
		}
	}
	for _, writer := range w.writers {
		for slug, want := range writer.flows {
			if !same(got[slug], want) {
				w.problem("in the end %s is %+v, want %+v", slug, got[slug], want)
			}
			delete(got, slug)
		}
	}
	for slug := range got {
		if !w.isUnsure(slug) {
			w.problem("in the end %s is there, and ought not to be", slug)
		}
	}
}
