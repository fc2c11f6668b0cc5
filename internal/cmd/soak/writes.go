package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/google/uuid"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/authentiktest"
)

// How much a writer has at a time.
const (
	mostFlows    = 6
	mostBindings = 5
)

// writes is an install whose flows and bindings are written, and what came of
// it. Each writer has flows of its own, so that it knows their state.
type writes struct {
	server  *authentiktest.Server
	stages  []uuid.UUID
	users   int
	before  map[uuid.UUID]authentik.Flow // those of nobody
	writers []*writer

	mu       sync.Mutex
	counts   map[string]int // operations that succeeded
	failed   map[string]int // errors, by kind
	perhaps  int            // errors that say perhaps done
	executed int            // of those, the ones that were
	unsure   []string       // slugs that could not be read back
	problems []string
}

func newWrites(seed uint64, writers int) (*writes, error) {
	w := &writes{
		server: authentiktest.Start(authentiktest.Version("2024.10")),
		before: map[uuid.UUID]authentik.Flow{}, counts: map[string]int{}, failed: map[string]int{},
	}
	for flow, err := range w.server.Client().FlowsInstancesAll(context.Background(), nil) {
		if err != nil {
			return nil, err
		}
		flow.CacheCount = 0 // logins make plans
		w.before[flow.PK] = flow
	}
	for _, stage := range w.server.Stages() {
		w.stages = append(w.stages, stage.PK)
	}
	w.addUsers(writers)
	for i := range writers {
		w.writers = append(w.writers, &writer{
			writes: w, name: fmt.Sprintf("soak%02dx", i), flows: map[string]*ownFlow{},
			rand: rand.New(rand.NewPCG(seed, uint64(i)+1)), //nolint:gosec // to be repeatable
		})
	}
	return w, nil
}

func (w *writes) problem(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.add(format, args...)
}

// add is problem for those who hold mu.
func (w *writes) add(format string, args ...any) {
	if len(w.problems) < 20 {
		w.problems = append(w.problems, fmt.Sprintf(format, args...))
	}
}

func (w *writes) count(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.counts[name]++
}

// writer writes flows and bindings, one thing after the other, and keeps the
// state that the server must have.
type writer struct {
	*writes

	name  string // begins each slug, and no other writer's
	rand  *rand.Rand
	flows map[string]*ownFlow // by slug
	made  int                 // numbers that came
}

// ownFlow is a flow as the server must have it. A pk that is not known yet is
// uuid.Nil.
type ownFlow struct {
	pk       uuid.UUID
	fields   fields
	bindings map[uuid.UUID]ownBinding // by stage: no stage is bound twice
}

func (f *ownFlow) clone() *ownFlow {
	return &ownFlow{f.pk, f.fields, maps.Clone(f.bindings)}
}

type ownBinding struct {
	pk     uuid.UUID
	fields bindingFields
}

// same reports whether the flow that the server has is the one that it must
// have. nil is no flow.
func same(got, want *ownFlow) bool {
	if got == nil || want == nil {
		return got == want
	}
	samePK := func(got, want uuid.UUID) bool { return want == uuid.Nil || got == want }
	return samePK(got.pk, want.pk) && got.fields == want.fields &&
		maps.EqualFunc(got.bindings, want.bindings, func(got, want ownBinding) bool {
			return samePK(got.pk, want.pk) && got.fields == want.fields
		})
}

// fields are those of a flow that a request sets.
type fields struct {
	name, title    string
	designation    authentik.FlowDesignation
	engine         authentik.PolicyEngineMode
	compatible     bool
	layout         authentik.FlowLayout
	denied         authentik.FlowDeniedAction
	authentication authentik.FlowAuthentication
}

func fieldsOf(f authentik.Flow) fields {
	return fields{
		f.Name, f.Title, f.Designation, f.PolicyEngineMode, f.CompatibilityMode, f.Layout, f.DeniedAction, f.Authentication,
	}
}

func (f fields) request(slug string) authentik.FlowRequest {
	return authentik.FlowRequest{
		Name: f.name, Slug: slug, Title: f.title, Designation: f.designation, PolicyEngineMode: f.engine,
		CompatibilityMode: new(f.compatible), Layout: f.layout, DeniedAction: f.denied, Authentication: f.authentication,
	}
}

type bindingFields struct {
	stage            uuid.UUID
	order            int
	onPlan, reEval   bool
	engine           authentik.PolicyEngineMode
	invalidResponses authentik.InvalidResponseAction
}

func bindingFieldsOf(b authentik.FlowStageBinding) bindingFields {
	return bindingFields{b.Stage, b.Order, b.EvaluateOnPlan, b.ReEvaluatePolicies, b.PolicyEngineMode, b.InvalidResponseAction}
}

func (f bindingFields) request(target uuid.UUID) authentik.FlowStageBindingRequest {
	return authentik.FlowStageBindingRequest{
		Target: target, Stage: f.stage, Order: new(f.order), EvaluateOnPlan: new(f.onPlan),
		ReEvaluatePolicies: new(f.reEval), PolicyEngineMode: f.engine, InvalidResponseAction: f.invalidResponses,
	}
}

// next is a number that comes once.
func (w *writer) next() int {
	w.made++
	return w.made
}

func pick[T any](w *writer, values ...T) T { return values[w.rand.IntN(len(values))] }

func (w *writer) someFields() fields {
	return fields{
		name: fmt.Sprintf("%s %d", w.name, w.next()), title: fmt.Sprintf("Title %d", w.next()),
		designation:    pick(w, authentik.FlowDesignationAuthorization, authentik.FlowDesignationEnrollment, authentik.FlowDesignationRecovery),
		engine:         pick(w, authentik.PolicyEngineModeAny, authentik.PolicyEngineModeAll),
		compatible:     pick(w, true, false),
		layout:         pick(w, authentik.FlowLayoutStacked, authentik.FlowLayoutSidebarLeft),
		denied:         pick(w, authentik.FlowDeniedActionMessage, authentik.FlowDeniedActionContinue),
		authentication: pick(w, authentik.FlowAuthenticationNone, authentik.FlowAuthenticationRequireSuperuser),
	}
}

// step does one thing.
func (w *writer) step(ctx context.Context, to *front) {
	if w.rand.IntN(100) < 8 {
		w.login(ctx, to.server.URL)
		return
	}
	w.write(ctx, to.client)
}

func (w *writer) write(ctx context.Context, ak *authentik.Client) {
	slugs := make([]string, 0, len(w.flows))
	for slug := range w.flows {
		slugs = append(slugs, slug)
	}
	slices.Sort(slugs) // so that the same seed does the same
	if len(slugs) == 0 {
		w.create(ctx, ak)
		return
	}
	slug := pick(w, slugs...)
	switch n := w.rand.IntN(100); {
	case n < 10 && len(slugs) < mostFlows:
		w.create(ctx, ak)
	case n < 15 && len(slugs) < mostFlows:
		w.importNew(ctx, ak)
	case n < 20:
		w.importAgain(ctx, ak, slug)
	case n < 30:
		w.patch(ctx, ak, slug)
	case n < 36:
		w.update(ctx, ak, slug)
	case n < 42:
		w.rename(ctx, ak, slug)
	case n < 60:
		w.bind(ctx, ak, slug)
	case n < 75:
		w.reorder(ctx, ak, slug)
	case n < 80:
		w.unbind(ctx, ak, slug)
	case n < 85:
		w.remove(ctx, ak, slug)
	case n < 93:
		w.listBindings(ctx, ak, slug)
	default:
		w.listFlows(ctx, ak)
	}
}

// place is a flow, or none, at a slug.
type place struct {
	slug string
	flow *ownFlow
}

// settle takes down what a write came to, which leads from one state to
// another. After an error the state is read back: it must be the one before, or
// the other one if the error says that the write was perhaps done.
func (w *writer) settle(ctx context.Context, ak *authentik.Client, operation string, err error, from, to place) {
	if err == nil {
		w.count(operation)
		w.put(from, to)
		return
	}
	w.fault(operation, err)
	perhaps := errors.Is(err, authentik.ErrPerhapsDone)
	atFrom, read := w.read(ctx, ak, from.slug)
	atTo, readTo := atFrom, true
	if to.slug != from.slug {
		atTo, readTo = w.read(ctx, ak, to.slug)
	}
	asBefore := same(atFrom, from.flow) && (to.slug == from.slug || atTo == nil)
	done := same(atTo, to.flow) && (to.slug == from.slug || atFrom == nil)
	w.mu.Lock()
	defer w.mu.Unlock()
	if perhaps {
		w.perhaps++
	}
	switch {
	case !read || !readTo:
		w.unsure = append(w.unsure, from.slug, to.slug)
		delete(w.flows, from.slug)
	case asBefore:
	case done && perhaps:
		w.executed++
		w.put(from, place{to.slug, atTo})
	default:
		w.add("%s of %s was done, or done in part, and the error does not say so: %v", operation, from.slug, err)
		w.put(from, place{to.slug, atTo})
	}
}

func (w *writer) put(from, to place) {
	delete(w.flows, from.slug)
	if to.flow != nil {
		w.flows[to.slug] = to.flow
	}
}

// read reads a flow and its bindings, nil if there is none.
func (w *writer) read(ctx context.Context, ak *authentik.Client, slug string) (flow *ownFlow, ok bool) {
	for range 20 {
		got, err := ak.FlowsInstancesRetrieve(ctx, slug)
		if errors.Is(err, authentik.ErrNotFound) {
			return nil, true
		}
		if err != nil {
			w.fault("read", err)
			continue
		}
		flow = &ownFlow{got.PK, fieldsOf(*got), map[uuid.UUID]ownBinding{}}
		bindings, err := authentik.Collect(ak.BindingsAll(ctx, &authentik.BindingsListOptions{Target: got.PK}))
		if err != nil {
			w.fault("read", err)
			continue
		}
		for _, b := range bindings {
			flow.bindings[b.Stage] = ownBinding{b.PK, bindingFieldsOf(b)}
		}
		return flow, true
	}
	return nil, false
}

// fault counts an error, which the network must have caused.
func (w *writer) fault(operation string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	name := kind(err)
	w.failed[name]++
	if name == "other" {
		w.add("%s: an error that nothing caused: %v", operation, err)
	}
}
