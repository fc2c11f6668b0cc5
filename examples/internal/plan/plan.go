// Package plan compares the flows of a server with those of a file, and makes
// the one like the other.
package plan

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/google/uuid"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/examples/internal/cli"
)

// Signs of steps.
const (
	Add    = "+"
	Change = "~"
	Remove = "-"
)

// Step is one request that changes a server.
type Step struct {
	Sign, Title string
	Lines       []string // what the step changes
	Run         func(context.Context, *authentik.Client) error
}

// Server is what a server has.
type Server struct {
	Flows  map[string]authentik.Flow  // by slug
	Stages map[string]authentik.Stage // by name

	client *authentik.Client
	// writable are the fields of a flow that the release has, as far as its
	// flows show.
	writable map[string]json.RawMessage
	steps    []Step
}

// Look reads what a server has.
func Look(ctx context.Context, client *authentik.Client) (*Server, error) {
	server := &Server{
		Flows: map[string]authentik.Flow{}, Stages: map[string]authentik.Stage{},
		client: client, writable: map[string]json.RawMessage{},
	}
	// With half of a list, the rest of the flows would be created again.
	flows, err := authentik.Snapshot(client.FlowsInstancesAll(ctx, nil))
	if err != nil {
		return nil, err
	}
	stages, err := authentik.Snapshot(client.StagesAllAll(ctx, nil))
	if err != nil {
		return nil, err
	}
	for _, flow := range flows {
		server.Flows[flow.Slug] = flow
		maps.Copy(server.writable, fields(flow.Request()))
	}
	for _, stage := range stages {
		server.Stages[stage.Name] = stage
	}
	return server, nil
}

// Steps returns the steps from what the server has to what the file wants. No
// request of it changes anything.
func (s *Server) Steps(ctx context.Context, wanted *File) ([]Step, error) {
	s.steps = nil
	for _, f := range wanted.Flows {
		if err := s.flow(ctx, f); err != nil {
			return nil, err
		}
	}
	for _, slug := range wanted.Absent {
		if err := s.absent(ctx, slug); err != nil {
			return nil, err
		}
	}
	return s.steps, nil
}

// Possible returns everything that the file wants and this server cannot have.
func (s *Server) Possible(wanted *File) error {
	var problems []error
	for _, f := range wanted.Flows {
		if _, exists := s.Flows[f.Slug]; !exists && (f.Name == "" || f.Title == "" || f.Designation == "") {
			problems = append(problems, fmt.Errorf("flow %q: does not exist: name, title and designation must be set", f.Slug))
		}
		for _, key := range s.Lacks(f.FlowRequest) {
			problems = append(problems, fmt.Errorf("flow %q: %s: this release of authentik cannot set it", f.Slug, key))
		}
		for _, b := range f.Bindings {
			if _, exists := s.Stages[b.Stage]; !exists {
				problems = append(problems, fmt.Errorf("flow %q: there is no stage %q", f.Slug, b.Stage))
			}
		}
	}
	if problems == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", cli.ErrInput, errors.Join(problems...))
}

// Lacks returns the fields of a request that the release of the server cannot
// set, as far as its flows show. The server would ignore them, and a flow for
// superusers would be open to everybody.
func (s *Server) Lacks(request authentik.FlowRequest) (keys []string) {
	for _, key := range slices.Sorted(maps.Keys(fields(request))) {
		if _, has := s.writable[key]; len(s.Flows) > 0 && !has {
			keys = append(keys, key)
		}
	}
	return keys
}

// flow plans a flow and its bindings.
func (s *Server) flow(ctx context.Context, f Flow) error {
	have, exists := s.Flows[f.Slug]
	var bound []authentik.FlowStageBinding
	switch {
	case !exists:
		lines := differences(nil, fields(f.FlowRequest))
		s.step(Add, "flow "+f.Slug, lines, func(ctx context.Context, client *authentik.Client) error {
			created, err := client.FlowsInstancesCreate(ctx, f.FlowRequest, authentik.AdoptExisting())
			if err == nil {
				have = *created
			}
			return err
		})
	default:
		if lines := differences(fields(have.Request()), fields(f.FlowRequest)); lines != nil {
			s.step(Change, "flow "+f.Slug, lines, func(ctx context.Context, client *authentik.Client) error {
				_, err := client.FlowsInstancesPartialUpdate(ctx, f.Slug, f.FlowRequest)
				return err
			})
		}
		if f.Bindings == nil {
			return nil
		}
		var err error
		bound, err = authentik.Snapshot(s.client.BindingsAll(ctx, &authentik.BindingsListOptions{Target: have.PK}))
		if err != nil {
			return err
		}
	}
	return s.bindings(ctx, f, func() uuid.UUID { return have.PK }, bound)
}

// bindings plans the bindings of a flow. Stages that move up make room first,
// and what is not wanted goes last: in between, and after an interruption, no
// stage is missing that the flow has before and after. A binding is moved, not
// made anew, because its policies are bound to it.
func (s *Server) bindings(
	ctx context.Context, f Flow, target func() uuid.UUID, bound []authentik.FlowStageBinding,
) error {
	var later, missing, sooner []func()
	bound = slices.Clone(bound)
	take := func(match func(authentik.FlowStageBinding) bool) *authentik.FlowStageBinding {
		i := slices.IndexFunc(bound, match)
		if i < 0 {
			return nil
		}
		b := bound[i]
		bound = slices.Delete(bound, i, i+1)
		return &b
	}
	// A stage may be bound twice, so those that stay where they are come first.
	pairs := make([]*authentik.FlowStageBinding, len(f.Bindings))
	for i, want := range f.Bindings {
		pairs[i] = take(func(b authentik.FlowStageBinding) bool {
			return b.Stage == s.Stages[want.Stage].PK && b.Order == *want.Order
		})
	}
	for i, want := range f.Bindings {
		if pairs[i] == nil {
			pairs[i] = take(func(b authentik.FlowStageBinding) bool { return b.Stage == s.Stages[want.Stage].PK })
		}
		request := want.request(s.Stages[want.Stage].PK)
		switch have := pairs[i]; {
		case have == nil:
			missing = append(missing, func() { s.bind(f.Slug, want.Stage, request, target) })
		case have.Order < *want.Order:
			later = append(later, func() { s.rebind(f.Slug, *have, request) })
		default:
			sooner = append(sooner, func() { s.rebind(f.Slug, *have, request) })
		}
	}
	slices.Reverse(later)
	for _, planned := range slices.Concat(later, missing, sooner) {
		planned()
	}
	for _, b := range bound {
		unbind := func(ctx context.Context, client *authentik.Client) error {
			return gone(client.BindingsDestroy(ctx, b.PK))
		}
		uses, err := s.client.BindingsUsedByList(ctx, b.PK)
		if err != nil {
			return err
		}
		s.step(Remove, title(f.Slug, b.Order, b.StageObj.Name), consequences(uses), unbind)
	}
	return nil
}

func (s *Server) bind(slug, stage string, request authentik.FlowStageBindingRequest, target func() uuid.UUID) {
	lines := differences(nil, fields(request))
	s.step(Add, title(slug, *request.Order, stage), lines, func(ctx context.Context, client *authentik.Client) error {
		request.Target = target()
		_, err := client.BindingsCreate(ctx, request, authentik.AdoptExisting())
		return err
	})
}

func (s *Server) rebind(slug string, have authentik.FlowStageBinding, request authentik.FlowStageBindingRequest) {
	lines := differences(fields(have.Request()), fields(request))
	if lines == nil {
		return
	}
	rebind := func(ctx context.Context, client *authentik.Client) error {
		_, err := client.BindingsPartialUpdate(ctx, have.PK, request)
		return err
	}
	s.step(Change, title(slug, have.Order, have.StageObj.Name), lines, rebind)
}

// absent plans the deletion of a flow, and says what goes with it.
func (s *Server) absent(ctx context.Context, slug string) error {
	if _, exists := s.Flows[slug]; !exists {
		return nil
	}
	uses, err := s.client.FlowsInstancesUsedByList(ctx, slug)
	if err != nil {
		return err
	}
	s.step(Remove, "flow "+slug, consequences(uses), func(ctx context.Context, client *authentik.Client) error {
		return gone(client.FlowsInstancesDestroy(ctx, slug))
	})
	return nil
}

// consequences are what a deletion does to the users of an object.
func consequences(uses []authentik.UsedBy) (lines []string) {
	for _, use := range uses {
		switch use.Action {
		case authentik.UsedByActionCascadeMany: // such as its stages, which stay
		case authentik.UsedByActionCascade:
			lines = append(lines, fmt.Sprintf("deletes %s %q", use.ModelName, use.Name))
		default:
			lines = append(lines, fmt.Sprintf("leaves %s %q without it", use.ModelName, use.Name))
		}
	}
	return lines
}

func (s *Server) step(sign, title string, lines []string, run func(context.Context, *authentik.Client) error) {
	s.steps = append(s.steps, Step{sign, title, lines, run})
}

func title(slug string, order int, stage string) string {
	return fmt.Sprintf("binding %s %d %s", slug, order, stage)
}

// gone is the error of a deletion, nil if somebody else was faster.
func gone(err error) error {
	if errors.Is(err, authentik.ErrNotFound) {
		return nil
	}
	return err
}

func (b Binding) request(stage uuid.UUID) authentik.FlowStageBindingRequest {
	return authentik.FlowStageBindingRequest{
		Stage: stage, Order: b.Order,
		EvaluateOnPlan: b.EvaluateOnPlan, ReEvaluatePolicies: b.ReEvaluatePolicies,
		PolicyEngineMode: b.PolicyEngineMode, InvalidResponseAction: b.InvalidResponseAction,
	}
}

// fields are those of a request that would be sent.
func fields(request any) map[string]json.RawMessage {
	var m map[string]json.RawMessage
	encoded, err := json.Marshal(request)
	if err == nil {
		err = json.Unmarshal(encoded, &m)
	}
	if err != nil {
		panic(err) // a struct of strings, numbers and booleans
	}
	return m
}

// differences are the fields to set that have another value now.
func differences(now, want map[string]json.RawMessage) (lines []string) {
	for _, key := range slices.Sorted(maps.Keys(want)) {
		from, to := now[key], want[key]
		switch {
		case bytes.Equal(from, to):
		case now == nil && (key == "stage" || key == "order"): // in the title
		case now == nil:
			lines = append(lines, fmt.Sprintf("%s: %s", key, to))
		default:
			lines = append(lines, fmt.Sprintf("%s: %s → %s", key, cmp.Or(string(from), "none"), to))
		}
	}
	return lines
}
