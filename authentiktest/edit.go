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

// edit runs f on the store while no request is served, and reports misuse.
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

// AddFlow adds a flow and returns the stored flow. Fields that are zero get a
// value: identifiers are generated, Slug is generated, Name is the Slug, Title
// is the Name, Designation is authentication, and the other enums have
// authentik's defaults. [Server.AddBinding] adds stages to the flow. A slug or
// identifier that exists already is misuse, and so is an enum value that the
// release does not have.
func (s *Server) AddFlow(flow authentik.Flow) authentik.Flow {
	s.t.Helper()
	s.edit(func(st *store) error { return st.addFlow(&flow) })
	return flow
}

// AddFlows adds n flows and returns the stored flows. Their designations take
// turns, and the first slug is brand-0000-authentication.
func (s *Server) AddFlows(n int) []authentik.Flow {
	s.t.Helper()
	if n < 0 {
		s.misuse("AddFlows: n must not be negative")
		return nil
	}
	flows := make([]authentik.Flow, n)
	s.edit(func(st *store) error {
		for i := range flows {
			number := st.ids["brand"]
			st.ids["brand"]++
			designation := designations[number%len(designations)].value
			flows[i] = authentik.Flow{
				Name:        fmt.Sprintf("Brand %d: %s", number, designation),
				Slug:        fmt.Sprintf("brand-%04d-%s", number, designation),
				Title:       fmt.Sprintf("Brand %d", number),
				Designation: authentik.FlowDesignation(designation),
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
	st.insertFlow(cloneFlow(f))
	return nil
}

func cloneFlow(f *authentik.Flow) *authentik.Flow {
	stored := *f
	stored.Stages, stored.Policies = slices.Clone(f.Stages), slices.Clone(f.Policies)
	return &stored
}

// checkFlow sets the fields that are zero, and returns an error for what
// authentik would not store beside the other flows.
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
		return fmt.Errorf("the slug %q must consist of letters, digits, - and _", f.Slug)
	}
	for _, other := range []*authentik.Flow{st.flow(f.Slug), st.flowByPK(f.PK)} {
		if other != nil && other != old {
			return fmt.Errorf("a flow with the slug %q or its identifier exists already", f.Slug)
		}
	}
	return nil
}

var slug = regexp.MustCompile(`^[-a-zA-Z0-9_]+$`)

// UpdateFlow changes the flow with that slug. edit gets a copy of the flow,
// which is then stored. edit must not use the server.
func (s *Server) UpdateFlow(slug string, edit func(*authentik.Flow)) {
	s.t.Helper()
	s.edit(func(st *store) error {
		old := st.flow(slug)
		if old == nil {
			return fmt.Errorf("UpdateFlow: no flow has the slug %q", slug)
		}
		flow := cloneFlow(old)
		edit(flow)
		if err := st.checkFlow(flow, old); err != nil {
			return fmt.Errorf("UpdateFlow: %w", err)
		}
		st.replaceFlow(old, cloneFlow(flow))
		return nil
	})
}

func (st *store) identify(kind string, ids ...*uuid.UUID) {
	for _, id := range ids {
		if *id == uuid.Nil {
			*id = st.id(kind)
		}
		st.given[*id] = true
	}
}

// AddStage adds a stage and returns the stored stage. Fields that are zero get
// a value: the identifier and the name are generated, and the other fields are
// those of a bare stage. FlowSet is ignored, because it follows from the
// bindings. A name or identifier that exists already is misuse.
func (s *Server) AddStage(stage authentik.Stage) authentik.Stage {
	s.t.Helper()
	s.edit(func(st *store) error {
		st.identify("stage", &stage.PK)
		stage.FlowSet = nil
		fallback(&stage.Name, fmt.Sprintf("stage-%d", len(st.stages)+1))
		fallback(&stage.VerboseName, "stage")
		fallback(&stage.VerboseNamePlural, "stages")
		fallback(&stage.MetaModelName, "authentik_flows.stage")
		for _, other := range st.stages {
			if other.Name == stage.Name || other.PK == stage.PK {
				return fmt.Errorf("AddStage: a stage with the name %q or its identifier exists already", stage.Name)
			}
		}
		stored := stage
		st.stages = append(st.stages, &stored)
		return nil
	})
	return stage
}

// AddBinding binds a stage to a flow and returns the stored binding. Target
// and Stage are the identifiers of the flow and the stage, which must exist.
// Other fields that are zero get a generated identifier or authentik's
// default, except for Order and the booleans. StageObj is ignored, because it
// follows from Stage. A second binding with the same target, stage and order
// is misuse.
func (s *Server) AddBinding(binding authentik.FlowStageBinding) authentik.FlowStageBinding {
	s.t.Helper()
	s.edit(func(st *store) error {
		st.identify("binding", &binding.PK, &binding.PolicyBindingModelPtrID)
		bindingDefaults(&binding)
		binding.StageObj = authentik.Stage{}
		flow := st.flowByPK(binding.Target)
		switch {
		case flow == nil:
			return fmt.Errorf("AddBinding: the Target %s is no flow of the server", binding.Target)
		case st.stage(binding.Stage) == nil:
			return fmt.Errorf("AddBinding: the Stage %s is no stage of the server", binding.Stage)
		case !allowed(st.rules, policyEngineModes, string(binding.PolicyEngineMode)):
			return fmt.Errorf("AddBinding: authentik has no PolicyEngineMode %q", binding.PolicyEngineMode)
		case !allowed(st.rules, invalidResponseActions, string(binding.InvalidResponseAction)):
			return fmt.Errorf("AddBinding: authentik has no InvalidResponseAction %q", binding.InvalidResponseAction)
		}
		for _, other := range st.bindings {
			same := other.Target == binding.Target && other.Stage == binding.Stage && other.Order == binding.Order
			if same || other.PK == binding.PK {
				return fmt.Errorf("AddBinding: the binding %s has the same target, stage and order, or identifier", other.PK)
			}
		}
		st.insertBinding(new(binding))
		return nil
	})
	return binding
}

// DeleteFlow deletes the flow with that slug, and its bindings. A flow that
// does not exist is misuse.
func (s *Server) DeleteFlow(slug string) {
	s.t.Helper()
	s.edit(func(st *store) error {
		flow := st.flow(slug)
		if flow == nil {
			return fmt.Errorf("DeleteFlow: no flow has the slug %q", slug)
		}
		st.removeFlow(flow)
		return nil
	})
}

// DeleteBinding deletes a binding. A binding that does not exist is misuse.
func (s *Server) DeleteBinding(pk uuid.UUID) {
	s.t.Helper()
	s.edit(func(st *store) error {
		i := slices.IndexFunc(st.bindings, func(b *authentik.FlowStageBinding) bool { return b.PK == pk })
		if i < 0 {
			return fmt.Errorf("DeleteBinding: no binding has the identifier %s", pk)
		}
		st.removeBinding(st.bindings[i])
		return nil
	})
}

// DeleteStage deletes a stage and its bindings. A stage that does not exist is
// misuse.
func (s *Server) DeleteStage(pk uuid.UUID) {
	s.t.Helper()
	s.edit(func(st *store) error {
		stage := st.stage(pk)
		if stage == nil {
			return fmt.Errorf("DeleteStage: no stage has the identifier %s", pk)
		}
		st.removeStage(stage)
		return nil
	})
}

// Flows returns the flows of the server in the order in which they were stored.
func (s *Server) Flows() (flows []authentik.Flow) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.store.flows {
		flows = append(flows, *cloneFlow(f))
	}
	return flows
}

// Stages returns the stages of the server without their FlowSet.
func (s *Server) Stages() (stages []authentik.Stage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, stage := range s.store.stages {
		stages = append(stages, *stage)
	}
	return stages
}

// Bindings returns the bindings of the server without their StageObj.
func (s *Server) Bindings() (bindings []authentik.FlowStageBinding) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.store.bindings {
		bindings = append(bindings, *b)
	}
	return bindings
}

// AddUser adds a user with the given permissions and returns the token of the
// user. The permissions are those of authentik that the operations require:
// view_flow, add_flow, change_flow, delete_flow, the same of flowstagebinding
// and stage, export_flow, inspect_flow, view_flow_cache and clear_flow_cache,
// each with the prefix "authentik_flows."; view_policy, add_policy,
// change_policy, and the same of policybinding, with the prefix
// "authentik_policies."; view_prompt, add_prompt and change_prompt with the
// prefix "authentik_stages_prompt."; and authentik_core.view_provider,
// authentik_brands.view_brand and authentik_tenants.view_tenant. A permission
// for a single object has the object's identifier after a colon:
//
//	srv.AddUser("authentik_flows.view_flow:" + flow.PK.String())
//
// Up to 2023.8 authentik knows only those, and only a superuser writes. A
// user without permissions may read the version and the current user. An
// unknown permission is misuse.
func (s *Server) AddUser(permissions ...string) (token string) {
	s.t.Helper()
	s.edit(func(st *store) error {
		if err := checkPermissions("AddUser", permissions); err != nil {
			return err
		}
		u := st.newUser()
		u.permissions = slices.Clone(permissions)
		token = st.addUser(u)
		return nil
	})
	return token
}

func checkPermissions(call string, permissions []string) error {
	for _, permission := range permissions {
		name, id, single := strings.Cut(permission, ":")
		if !knownPermission.MatchString(name) || single && uuid.Validate(id) != nil {
			return fmt.Errorf("%s: the fake does not know the permission %q", call, permission)
		}
	}
	return nil
}

var knownPermission = regexp.MustCompile(
	`^authentik_flows\.((view|add|change|delete)_(flow|flowstagebinding|stage)|(export|inspect)_flow)$` +
		`|^authentik_flows\.(view|clear)_flow_cache$` +
		`|^authentik_policies\.(view|add|change)_(policy|policybinding)$` +
		`|^authentik_(core\.view_provider|brands\.view_brand|tenants\.view_tenant)$` +
		`|^authentik_stages_prompt\.(view|add|change)_prompt$`)

// RotateToken invalidates a token and returns a new token of the same user, as
// authentik does when a token expires. An invalid token is misuse.
func (s *Server) RotateToken(token string) (fresh string) {
	s.t.Helper()
	s.edit(func(st *store) error {
		u := st.users[token]
		if u == nil {
			return errors.New("RotateToken: the token is invalid")
		}
		delete(st.users, token)
		fresh = st.newToken()
		st.users[fresh] = u
		return nil
	})
	return fresh
}
