package authentiktest

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/seed-299d42e7/authentik-go"
)

// edit runs f on the store, alone, and tells misuse.
func (s *Server) edit(f func(*store) error) {
	err := func() error {
		s.mu.Lock()
		defer s.mu.Unlock() // also if the test's own function ends the test
		return f(s.store)
	}()
	if err != nil {
		s.t.Helper()
		s.misuse("%v", err)
	}
}

// AddFlow adds a flow and returns it as it is stored. What is zero gets a
// value: the identifiers new ones, Slug one of its own, Name the Slug, Title
// the Name, and the enums authentik's defaults (Designation: authentication).
// [Server.AddBinding] adds to its Stages. A slug or identifier that there is
// already, and a value that the release does not have, are misuse.
func (s *Server) AddFlow(flow authentik.Flow) authentik.Flow {
	s.t.Helper()
	s.edit(func(st *store) error { return st.addFlow(&flow) })
	return flow
}

// AddFlows adds n flows, as a large install has them: each designation in
// turn, and slugs from brand-0000-authentication on.
func (s *Server) AddFlows(n int) []authentik.Flow {
	s.t.Helper()
	flows := make([]authentik.Flow, n)
	s.edit(func(st *store) error {
		for i := range flows {
			number := st.ids["brand"]
			st.ids["brand"]++
			designation := designations[number%len(designations)].value
			flows[i] = authentik.Flow{
				Slug: fmt.Sprintf("brand-%04d-%s", number, designation), Name: fmt.Sprintf("Brand %d: %s", number, designation),
				Title: fmt.Sprintf("Brand %d", number), Designation: authentik.FlowDesignation(designation),
			}
			if err := st.addFlow(&flows[i]); err != nil {
				return err
			}
		}
		return nil
	})
	return flows
}

func (st *store) addFlow(f *authentik.Flow) error {
	if err := st.checkFlow(f, nil); err != nil {
		return fmt.Errorf("AddFlow: %w", err)
	}
	fallback(&f.Title, f.Name)
	st.flows = append(st.flows, cloneFlow(f))
	return nil
}

func cloneFlow(f *authentik.Flow) *authentik.Flow {
	stored := *f
	stored.Stages, stored.Policies = slices.Clone(f.Stages), slices.Clone(f.Policies)
	return &stored
}

// checkFlow gives what is zero a value, and refuses what authentik would not
// store beside the other flows.
func (st *store) checkFlow(f, old *authentik.Flow) error {
	st.identify("flow", &f.PK, &f.PolicyBindingModelPtrID)
	fallback(&f.Slug, fmt.Sprintf("flow-%d", len(st.flows)+1))
	fallback(&f.Name, f.Slug)
	flowDefaults(f)
	for _, enum := range []struct {
		name, value string
		choices     []choice
	}{
		{"designation", string(f.Designation), designations},
		{"policy_engine_mode", string(f.PolicyEngineMode), policyEngineModes},
		{"layout", string(f.Layout), layouts},
		{"denied_action", string(f.DeniedAction), deniedActions},
		{"authentication", string(f.Authentication), authentications},
	} {
		if !allowed(st.rules, enum.choices, enum.value) {
			return fmt.Errorf("authentik %s has no %s %q", st.name, enum.name, enum.value)
		}
	}
	if !slug.MatchString(f.Slug) {
		return fmt.Errorf("a slug has letters, digits, - and _ only; %q has others", f.Slug)
	}
	for _, other := range st.flows {
		if other != old && (other.Slug == f.Slug || other.PK == f.PK) {
			return fmt.Errorf("there is a flow %q already, or one with its identifier", f.Slug)
		}
	}
	return nil
}

var slug = regexp.MustCompile(`^[-a-zA-Z0-9_]+$`)

// UpdateFlow changes a flow that there is: edit is given a copy of it, and
// what it leaves is stored. It must not use the server.
func (s *Server) UpdateFlow(slug string, edit func(*authentik.Flow)) {
	s.t.Helper()
	s.edit(func(st *store) error {
		i := slices.IndexFunc(st.flows, func(f *authentik.Flow) bool { return f.Slug == slug })
		if i < 0 {
			return fmt.Errorf("UpdateFlow: there is no flow %q", slug)
		}
		flow := cloneFlow(st.flows[i])
		edit(flow)
		if err := st.checkFlow(flow, st.flows[i]); err != nil {
			return fmt.Errorf("UpdateFlow: %w", err)
		}
		st.flows[i] = cloneFlow(flow)
		return nil
	})
}

func (st *store) identify(kind string, ids ...*uuid.UUID) {
	for _, id := range ids {
		if *id == uuid.Nil {
			*id = st.id(kind)
		}
	}
}

func (st *store) flow(slug string) *authentik.Flow {
	for _, f := range st.flows {
		if f.Slug == slug {
			return f
		}
	}
	return nil
}

// AddStage adds a stage and returns it as it is stored. What is zero gets a
// value: a new identifier, a name, and the kind of a bare stage. FlowSet is
// the server's to tell, and ignored. A name or identifier that there is
// already is misuse.
func (s *Server) AddStage(stage authentik.Stage) authentik.Stage {
	s.t.Helper()
	s.edit(func(st *store) error {
		st.identify("stage", &stage.PK)
		stage.FlowSet = nil
		fallback(&stage.Name, fmt.Sprintf("stage-%d", len(st.stages)+1))
		fallback(&stage.VerboseName, "stage")
		fallback(&stage.VerboseNamePlural, "stages")
		fallback(&stage.MetaModelName, "authentik_flows.stage")
		if slices.ContainsFunc(st.stages, func(other *authentik.Stage) bool { return other.Name == stage.Name || other.PK == stage.PK }) {
			return fmt.Errorf("AddStage: there is a stage %q already, or one with its identifier", stage.Name)
		}
		stored := stage
		st.stages = append(st.stages, &stored)
		return nil
	})
	return stage
}

// AddBinding binds a stage to a flow and returns the binding as it is stored.
// Target and Stage are the identifiers of the two, which must be there. New
// identifiers and authentik's defaults stand for what is zero, but not for
// Order and the booleans. StageObj is the server's to tell, and ignored. The
// same stage twice in a flow at the same place is misuse.
func (s *Server) AddBinding(binding authentik.FlowStageBinding) authentik.FlowStageBinding {
	s.t.Helper()
	s.edit(func(st *store) error {
		st.identify("binding", &binding.PK, &binding.PolicyBindingModelPtrID)
		bindingDefaults(&binding)
		binding.StageObj = authentik.Stage{}
		flow := st.flowByPK(binding.Target)
		switch {
		case flow == nil:
			return fmt.Errorf("AddBinding: Target %s is no flow of the server", binding.Target)
		case st.stage(binding.Stage) == nil:
			return fmt.Errorf("AddBinding: Stage %s is no stage of the server", binding.Stage)
		case !allowed(st.rules, policyEngineModes, string(binding.PolicyEngineMode)), !allowed(st.rules, invalidResponseActions, string(binding.InvalidResponseAction)):
			return fmt.Errorf("AddBinding: authentik has no PolicyEngineMode %q or no InvalidResponseAction %q", binding.PolicyEngineMode, binding.InvalidResponseAction)
		}
		for _, other := range st.bindings {
			if other.PK == binding.PK || other.Target == binding.Target && other.Stage == binding.Stage && other.Order == binding.Order {
				return fmt.Errorf("AddBinding: there is such a binding already: target, stage and order, or identifier %s", other.PK)
			}
		}
		stored := binding
		st.bindings = append(st.bindings, &stored)
		flow.Stages = append(flow.Stages, binding.Stage)
		return nil
	})
	return binding
}

// DeleteFlow deletes a flow and its bindings. One that is not there is misuse,
// as with the other deletions.
func (s *Server) DeleteFlow(slug string) {
	s.t.Helper()
	s.edit(func(st *store) error {
		flow := st.flow(slug)
		if flow == nil {
			return fmt.Errorf("DeleteFlow: there is no flow %q", slug)
		}
		st.flows = slices.DeleteFunc(st.flows, func(f *authentik.Flow) bool { return f == flow })
		st.bindings = slices.DeleteFunc(st.bindings, func(b *authentik.FlowStageBinding) bool { return b.Target == flow.PK })
		return nil
	})
}

// DeleteBinding takes a stage out of a flow.
func (s *Server) DeleteBinding(pk uuid.UUID) {
	s.t.Helper()
	s.edit(func(st *store) error {
		i := slices.IndexFunc(st.bindings, func(b *authentik.FlowStageBinding) bool { return b.PK == pk })
		if i < 0 {
			return fmt.Errorf("DeleteBinding: there is no binding %s", pk)
		}
		b := st.bindings[i]
		st.bindings = slices.Delete(st.bindings, i, i+1)
		flow := st.flowByPK(b.Target)
		if i := slices.Index(flow.Stages, b.Stage); i >= 0 {
			flow.Stages = slices.Delete(flow.Stages, i, i+1)
		}
		return nil
	})
}

// DeleteStage deletes a stage and its bindings.
func (s *Server) DeleteStage(pk uuid.UUID) {
	s.t.Helper()
	s.edit(func(st *store) error {
		stage := st.stage(pk)
		if stage == nil {
			return fmt.Errorf("DeleteStage: there is no stage %s", pk)
		}
		st.stages = slices.DeleteFunc(st.stages, func(other *authentik.Stage) bool { return other == stage })
		st.bindings = slices.DeleteFunc(st.bindings, func(b *authentik.FlowStageBinding) bool { return b.Stage == pk })
		for _, flow := range st.flows {
			flow.Stages = slices.DeleteFunc(flow.Stages, func(id uuid.UUID) bool { return id == pk })
		}
		return nil
	})
}

// Flows returns the flows that there are, in the order in which they came.
func (s *Server) Flows() (flows []authentik.Flow) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.store.flows {
		flows = append(flows, *cloneFlow(f))
	}
	return flows
}

// Stages returns the stages that there are, without their FlowSet.
func (s *Server) Stages() (stages []authentik.Stage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, stage := range s.store.stages {
		stages = append(stages, *stage)
	}
	return stages
}

// Bindings returns the bindings that there are, without their StageObj.
func (s *Server) Bindings() (bindings []authentik.FlowStageBinding) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.store.bindings {
		bindings = append(bindings, *b)
	}
	return bindings
}

// AddUser adds a user and returns a token of that user's, who may do what the
// permissions say: authentik_flows.view_flow, .view_flowstagebinding,
// .view_stage or .view_flow_cache; for a single object its identifier follows
// after a colon, as in "authentik_flows.view_flow:" + flow.PK.String(). Up to
// 2023.8 authentik knows only those for single objects. Without permissions,
// a user may ask for no more than the version and who they are.
func (s *Server) AddUser(permissions ...string) (token string) {
	s.t.Helper()
	s.edit(func(st *store) error {
		for _, permission := range permissions {
			name, id, single := strings.Cut(permission, ":")
			if !slices.Contains([]string{"authentik_flows.view_flow", "authentik_flows.view_flowstagebinding", "authentik_flows.view_stage", "authentik_flows.view_flow_cache"}, name) || single && uuid.Validate(id) != nil {
				return fmt.Errorf("AddUser: the fake has no permission %q", permission)
			}
		}
		token = st.addUser(false, slices.Clone(permissions))
		return nil
	})
	return token
}

// RotateToken replaces a token, as authentik does when it expires: the old
// one is not valid any more, and the new one is returned.
func (s *Server) RotateToken(token string) (fresh string) {
	s.t.Helper()
	s.edit(func(st *store) error {
		u := st.users[token]
		if u == nil {
			return errors.New("RotateToken: that is no valid token")
		}
		delete(st.users, token)
		fresh = st.newToken()
		st.users[fresh] = u
		return nil
	})
	return fresh
}
