package authentiktest

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/seed-299d42e7/authentik-go"
)

// plan is what is left of a flow that runs, and what its stages have found
// out.
type plan struct {
	flow     uuid.UUID
	bindings []*authentik.FlowStageBinding
	context  object // what the inspector shows, in the order in which it was set

	user       *user // who is to be logged in, created or changed
	identifier string
	device     *device // that is being set up
	codes      []string
	devices    []object // challenges of the devices that are accepted
	choices    []*authentik.Stage
	chosen     *authentik.Stage
	consent    string // the token of the last challenge
	uncached   bool
	prompt     map[string]any
}

// set adds a value to the context, in the place of an older one.
func (p *plan) set(key string, value any) {
	i := slices.IndexFunc(p.context, func(m member) bool { return m.key == key })
	if i < 0 {
		p.context = append(p.context, member{key, value})
		return
	}
	p.context[i].value = value
}

func (p *plan) has(key string) bool {
	return slices.ContainsFunc(p.context, func(m member) bool { return m.key == key })
}

// value returns a value of the context, or nil.
func (p *plan) value(key string) any {
	for _, m := range p.context {
		if m.key == key {
			return m.value
		}
	}
	return nil
}

// setUser makes a user the one that the flow is about.
func (p *plan) setUser(u *user) {
	p.user = u
	p.set("pending_user", u)
}

// setPrompt adds what a prompt collected.
func (p *plan) setPrompt(values map[string]any) {
	if p.prompt == nil {
		p.prompt = map[string]any{}
	}
	maps.Copy(p.prompt, values)
	p.set("prompt_data", p.prompt)
}

// snapshot returns a copy that does not change with the plan.
func (p *plan) snapshot() plan {
	copied := *p
	copied.bindings, copied.context = slices.Clone(p.bindings), slices.Clone(p.context)
	return copied
}

// insert makes a stage the one after the current one.
func (p *plan) insert(st *store, stage *authentik.Stage) {
	b := &authentik.FlowStageBinding{Target: p.flow, Stage: stage.PK, ReEvaluatePolicies: true}
	st.identify("binding", &b.PK, &b.PolicyBindingModelPtrID)
	bindingDefaults(b)
	p.bindings = slices.Insert(p.bindings, 1, b)
}

// next returns the current binding, after it has dropped those whose policies
// do not pass. It returns nil if no binding is left.
func (p *plan) next(v *visit) *authentik.FlowStageBinding {
	for len(p.bindings) > 0 {
		b := p.bindings[0]
		if v.st.stage(b.Stage) != nil && (!b.ReEvaluatePolicies || v.passes(b.PK, b.PolicyEngineMode, p) == nil) {
			return b
		}
		p.bindings = p.bindings[1:]
	}
	return nil
}

// errNoStages is the error of a plan that has no stage.
var errNoStages = errors.New("the flow has no stages")

// shown is an error whose text authentik shows to the user.
type shown string

func (text shown) Error() string { return string(text) }

// errNotForUser is for a user to whom a flow does not apply.
const errNotForUser shown = "Flow does not apply to current user."

// begin makes a plan for the session. A plan before it may pass on what it
// knows. The error says why the flow does not apply to the user.
func (v *visit) begin(before *plan) error {
	p := &plan{flow: v.flow.PK}
	if before != nil {
		copied := before.snapshot()
		copied.flow, copied.bindings = v.flow.PK, nil
		p = &copied
	}
	v.plan = p
	if err := v.admitted(); err != nil {
		return err
	}
	if err := v.passes(v.flow.PK, v.flow.PolicyEngineMode, p); err != nil {
		if err.Error() == "" {
			err = errNotForUser
		}
		return err
	}
	for _, b := range v.st.bindingsOf(v.flow) {
		if !b.EvaluateOnPlan || v.passes(b.PK, b.PolicyEngineMode, p) == nil {
			p.bindings = append(p.bindings, b)
		}
	}
	if len(p.bindings) == 0 {
		return errNoStages
	}
	if !p.uncached {
		v.cached()
	}
	v.session.plan = p
	return nil
}

// admitted compares the session with the authentication of the flow.
func (v *visit) admitted() error {
	ok := true
	switch v.flow.Authentication {
	case authentik.FlowAuthenticationRequireAuthenticated:
		ok = v.browser != nil
	case authentik.FlowAuthenticationRequireUnauthenticated:
		ok = v.browser == nil
	case authentik.FlowAuthenticationRequireSuperuser:
		ok = v.browser != nil && v.browser.superuser
	case authentik.FlowAuthenticationRequireToken:
		return shown("This link is invalid or has expired. Please request a new one.")
	case authentik.FlowAuthenticationRequireOutpost, authentik.FlowAuthenticationRequireRedirect:
		ok = false // the fake has no outposts, and no flow continues in another one
	}
	if !ok {
		return errNotForUser
	}
	return nil
}

// cached counts a plan: authentik keeps one for each user.
func (v *visit) cached() {
	planned, of := v.st.running.planned, 0
	if v.browser != nil {
		of = v.browser.pk
	}
	switch {
	case v.flow.CacheCount == 0:
		planned[v.flow.PK] = nil
	case planned[v.flow.PK] == nil: // a fresh install has one of nobody
		planned[v.flow.PK] = []int{0}
	}
	if !slices.Contains(planned[v.flow.PK], of) {
		planned[v.flow.PK] = append(planned[v.flow.PK], of)
		v.flow.CacheCount++
	}
}

// Policy decides whether a flow, or the stage of a binding, applies to a user.
// A policy returns nil if so. Otherwise, the server shows the text of the error
// to the user. The text may be empty.
type Policy func(PolicyRequest) error

// PolicyRequest describes the user and the request to a [Policy].
type PolicyRequest struct {
	// Username is the user of the flow, or else of the session, and "" without
	// one.
	Username string
	// LoggedIn reports whether the session is logged in.
	LoggedIn  bool
	Superuser bool
	// Prompt has what the prompts of the flow have collected.
	Prompt map[string]any
	// Query is the query that the user's browser passes on, such as next.
	Query url.Values

	email         string
	authenticated bool // a stage has compared the password
}

// AddPolicy adds a policy to the flow or the binding with that identifier. The
// PolicyEngineMode of a flow or binding decides whether all its policies must
// pass, or any of them. The policies of a flow run when a plan is made, and
// those of a binding when its EvaluateOnPlan and ReEvaluatePolicies say so. Uses,
// diagrams and exports show an expression policy with a generated name. A policy
// must not use the server. An identifier that is unknown is misuse.
func (s *Server) AddPolicy(target uuid.UUID, policy Policy) {
	s.t.Helper()
	s.edit(func(st *store) error {
		switch {
		case policy == nil:
			return errors.New("AddPolicy: the policy must not be nil")
		case st.flowByPK(target) == nil && st.binding(target) == nil:
			return errors.New("AddPolicy: no flow or binding has the identifier " + target.String())
		}
		st.link(target, policy)
		return nil
	})
}

// link binds a Go function to a flow or binding, as an expression policy.
func (st *store) link(target uuid.UUID, policy Policy) {
	t := &thing{model: expressionPolicy, pk: st.id("policy"), run: policy}
	t.settings = complete(expressionPolicy, object{
		{"name", fmt.Sprintf("policy-%d", st.ids["policy"])}, {"expression", "return True"},
	})
	st.things = append(st.things, t)
	st.insertPolicyBinding(&policyBinding{
		pk: st.id("policybinding"), policy: t.pk, target: target, order: len(st.policyBindingsOf(target)),
		settings: complete(policyBindingModel, nil),
	})
}

// passes returns nil if the policies of a flow or binding pass. Otherwise, the
// error has their texts.
func (v *visit) passes(target uuid.UUID, mode authentik.PolicyEngineMode, p *plan) error {
	var policies []Policy
	for _, link := range v.st.policyBindingsOf(target) {
		policies = append(policies, v.st.linked(link))
	}
	if len(policies) == 0 {
		return nil
	}
	var texts []string
	failed := 0
	for _, policy := range policies {
		if err := policy(v.policyRequest(p)); err != nil {
			failed++
			if err.Error() != "" {
				texts = append(texts, err.Error())
			}
		}
	}
	if failed == 0 || failed < len(policies) && mode == authentik.PolicyEngineModeAny {
		return nil
	}
	return shown(strings.Join(texts, "\n"))
}

// linked returns the policy of a policy binding.
func (st *store) linked(link *policyBinding) Policy {
	policy := st.thing(link.policy)
	if policy != nil && policy.run != nil {
		return policy.run
	}
	return func(PolicyRequest) error {
		negated, _ := link.settings.get("negate")
		if policy != nil && policy.passes() == (negated == true) {
			return shown("")
		}
		return nil
	}
}

func (v *visit) policyRequest(p *plan) PolicyRequest {
	r := PolicyRequest{LoggedIn: v.browser != nil, Prompt: maps.Clone(p.prompt), Query: v.session.query}
	if u := v.pending(); u != nil {
		r.Username, r.Superuser, r.email = u.username, u.superuser, u.email
	}
	r.authenticated = p.has("auth_method")
	return r
}

// inspected returns the context of a plan as the inspector shows it.
func (p *plan) inspected() object {
	shown := object{}
	for _, m := range p.context {
		switch value := m.value.(type) {
		case *user:
			m.value = object{{"username", value.username}, {"pk", value.pk}, {"email", value.email}}
			if value.pk == 0 {
				m.value = object{{"username", value.username}, {"pk", nil}, {"email", value.email}}
			}
		case map[string]any:
			m.value = cleansed(value)
		}
		shown = append(shown, m)
	}
	return shown
}

// cleansed returns values without passwords.
func cleansed(values map[string]any) json.RawMessage {
	values = maps.Clone(values)
	for key := range values {
		if secretKey.MatchString(key) {
			values[key] = "********************"
		}
	}
	return plainJSON(values)
}
