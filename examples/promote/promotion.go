package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/examples/internal/cli"
	"github.com/seed-299d42e7/authentik-go/examples/internal/plan"
)

// Errors say which of the servers they are of.
var (
	errSource = errors.New("source")
	errTarget = errors.New("target")
)

// promotion is a flow on its way from one server to another.
type promotion struct {
	env      cli.Env
	from, to *cli.Server

	fromVersion, toVersion string

	// flow, its bindings, and the policies of both are those of the source.
	flow     *authentik.Flow
	bindings []authentik.FlowStageBinding
	policies []string

	byImport bool
	wanted   *plan.File // the flow as the target shall have it
	steps    []plan.Step
	losses   []string
	extras   []string // policies of the target
}

// prepare reads both servers, and decides how to copy the flow.
func (p *promotion) prepare(ctx context.Context, slug string) error {
	if err := p.read(ctx, slug); err != nil {
		return fmt.Errorf("%w: %w", errSource, err)
	}
	var err error
	if p.toVersion, err = p.to.ServerVersion(ctx); err != nil {
		return fmt.Errorf("%w: %w", errTarget, err)
	}
	target, err := plan.Look(ctx, p.to.Client)
	if err != nil {
		return fmt.Errorf("%w: %w", errTarget, err)
	}
	if err := p.choose(target); err != nil {
		return err
	}
	request := p.request(target)
	p.wanted = &plan.File{Flows: []plan.Flow{{FlowRequest: request, Bindings: []plan.Binding{}}}}
	for _, b := range p.bindings {
		p.wanted.Flows[0].Bindings = append(p.wanted.Flows[0].Bindings, plan.Binding{
			Stage: b.StageObj.Name, Order: &b.Order,
			EvaluateOnPlan: &b.EvaluateOnPlan, ReEvaluatePolicies: &b.ReEvaluatePolicies,
			PolicyEngineMode: b.PolicyEngineMode, InvalidResponseAction: b.InvalidResponseAction,
		})
	}
	if p.byImport {
		return nil
	}
	has, err := p.targetPolicies(ctx, target)
	if err == nil {
		p.steps, err = target.Steps(ctx, p.wanted)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errTarget, err)
	}
	for _, policy := range p.policies {
		if !slices.Contains(has, policy) {
			p.losses = append(p.losses, policy)
		}
	}
	for _, policy := range has {
		if !slices.Contains(p.policies, policy) && p.keeps(policy) {
			p.extras = append(p.extras, policy)
		}
	}
	return nil
}

// keeps reports whether a policy of the target is of the flow, or of a stage
// that stays bound.
func (p *promotion) keeps(policy string) bool {
	return strings.HasSuffix(policy, " of the flow") ||
		slices.ContainsFunc(p.bindings, func(b authentik.FlowStageBinding) bool {
			return strings.HasSuffix(policy, " of stage "+b.StageObj.Name)
		})
}

// read reads the source.
func (p *promotion) read(ctx context.Context, slug string) (err error) {
	if p.fromVersion, err = p.from.ServerVersion(ctx); err != nil {
		return err
	}
	if p.flow, err = p.from.FlowsInstancesRetrieve(ctx, slug); err != nil {
		return err
	}
	p.bindings, p.policies, err = contents(ctx, p.from.Client, p.flow)
	return err
}

// contents returns the bindings of a flow, in their order, and the policies of
// both.
func contents(
	ctx context.Context, client *authentik.Client, flow *authentik.Flow,
) (bindings []authentik.FlowStageBinding, policies []string, err error) {
	bindings, err = authentik.Snapshot(client.BindingsAll(ctx, &authentik.BindingsListOptions{Target: flow.PK}))
	if err != nil {
		return nil, nil, err
	}
	uses, err := client.FlowsInstancesUsedByList(ctx, flow.Slug)
	policies = policiesAmong(uses, "the flow")
	for _, b := range bindings {
		if err == nil {
			uses, err = client.BindingsUsedByList(ctx, b.PK)
			policies = append(policies, policiesAmong(uses, "stage "+b.StageObj.Name)...)
		}
	}
	return bindings, policies, err
}

// policiesAmong returns the policies in a list of uses, and the users and
// groups that are bound in the place of policies.
func policiesAmong(uses []authentik.UsedBy, of string) (policies []string) {
	for _, use := range uses {
		bound := use.ModelName == "policybinding" && strings.Contains(use.Name, " to Policy ")
		if use.App == "authentik_policies" && !bound {
			policies = append(policies, fmt.Sprintf("%s %q of %s", use.ModelName, use.Name, of))
		}
	}
	return policies
}

// targetPolicies returns the policies of the flow that the target has already.
func (p *promotion) targetPolicies(ctx context.Context, target *plan.Server) (policies []string, err error) {
	if flow, exists := target.Flows[p.flow.Slug]; exists {
		_, policies, err = contents(ctx, p.to.Client, &flow)
	}
	return policies, err
}

// choose decides between an import and operations. An import identifies
// objects by primary key or name, and changes what it finds. So it is for a
// flow of which the target has nothing. Operations cannot create stages.
func (p *promotion) choose(target *plan.Server) error {
	var missing []string
	stages := map[string]authentik.Stage{}
	for _, b := range p.bindings {
		stages[b.StageObj.Name] = b.StageObj
	}
	for _, name := range slices.Sorted(maps.Keys(stages)) {
		has, exists := target.Stages[name]
		switch {
		case !exists:
			missing = append(missing, name)
		case has.Component != stages[name].Component: // meta_model_name was renamed once
			return fmt.Errorf("stage %q is a %s on the source, but a %s on the target",
				name, stages[name].VerboseName, has.VerboseName)
		}
	}
	if missing == nil {
		return nil
	}
	if len(missing) == len(stages) && !p.overlaps(target, stages) {
		p.byImport = true
		return nil
	}
	return fmt.Errorf("the target lacks stages, and an import would change the parts of the flow that it has; "+
		"create them there: %s", strings.Join(missing, ", "))
}

// overlaps reports whether the target has the flow or one of its stages, if
// only by primary key.
func (p *promotion) overlaps(target *plan.Server, stages map[string]authentik.Stage) bool {
	for _, f := range target.Flows {
		if f.Slug == p.flow.Slug || f.PK == p.flow.PK {
			return true
		}
	}
	var pks []uuid.UUID
	for _, s := range target.Stages {
		pks = append(pks, s.PK)
	}
	for _, s := range stages {
		if slices.Contains(pks, s.PK) {
			return true
		}
	}
	return false
}

// defaults are the values of fields that a server without the field acts by.
var defaults = map[string]string{
	"layout": `"stacked"`, "denied_action": `"message_continue"`, "authentication": `"none"`, "background": `""`,
}

// request returns the flow as far as the target can have it.
func (p *promotion) request(target *plan.Server) authentik.FlowRequest {
	request := p.flow.Request()
	// A blueprint may have set what a server trims when it is written again.
	request.Name, request.Title = strings.TrimSpace(request.Name), strings.TrimSpace(request.Title)
	if request.Title == "" { // as stock flows of 2021.12
		request.Title = request.Name
	}
	if name := p.flow.Background; !portable(name) {
		p.losses = append(p.losses, fmt.Sprintf("background: the file %q", name))
		request.Background = nil
	}
	lacks := target.Lacks(request)
	var fields map[string]json.RawMessage
	if recode(request, &fields); lacks == nil {
		return request
	}
	for _, key := range lacks {
		if value := string(fields[key]); value != defaults[key] {
			p.losses = append(p.losses, fmt.Sprintf("%s: %s, which authentik %s does not know", key, value, p.toVersion))
		}
		delete(fields, key)
	}
	request = authentik.FlowRequest{}
	recode(fields, &request)
	return request
}

// portable reports whether a background is none, a part of authentik, or on
// another server. Up to 2025.10 it is a URL in any case.
func portable(background string) bool {
	return background == "" || strings.Contains(background, "/static/") || strings.Contains(background, "://")
}

// recode copies between values that have the same JSON.
func recode(from, to any) {
	encoded, err := json.Marshal(from)
	if err == nil {
		err = json.Unmarshal(encoded, to)
	}
	if err != nil {
		panic(err) // structs of strings, numbers and booleans
	}
}

// run copies the flow, and compares.
func (p *promotion) run(ctx context.Context) error {
	if p.byImport {
		if err := p.exportAndImport(ctx); err != nil {
			return err
		}
		if err := p.correct(ctx); err != nil {
			return fmt.Errorf("%w: %w", errTarget, err)
		}
	}
	if len(p.steps) > 0 {
		if err := plan.Apply(ctx, p.env, p.to.Client, p.wanted, p.steps); err != nil {
			return fmt.Errorf("%w: %w", errTarget, err)
		}
	}
	if err := p.compare(ctx); err != nil {
		return fmt.Errorf("%w: %w", errTarget, err)
	}
	return nil
}

// correct plans what an import leaves to change: exports up to 2025.10 leave out
// flags that are false, whose defaults differ between releases. What else is
// different is for compare to tell.
func (p *promotion) correct(ctx context.Context) error {
	target, err := plan.Look(ctx, p.to.Client)
	if err != nil {
		return err
	}
	steps, err := target.Steps(ctx, p.wanted)
	other := func(s plan.Step) bool { return s.Sign != plan.Change }
	if err != nil || len(steps) == 0 || slices.ContainsFunc(steps, other) {
		return err
	}
	p.steps = steps
	return plan.Show(p.env.Stdout, steps)
}

func (p *promotion) exportAndImport(ctx context.Context) error {
	export, err := p.from.FlowsInstancesExportRetrieve(ctx, p.flow.Slug)
	if err != nil {
		return fmt.Errorf("%w: %w", errSource, err)
	}
	content := export.Content
	if json.Valid(content) {
		// Exports before 2022.8 escape characters in UTF-16, which servers that
		// read an export as YAML do not join.
		var entries any
		recode(json.RawMessage(content), &entries)
		if content, err = json.Marshal(entries); err != nil {
			return fmt.Errorf("%w: %w", errSource, err)
		}
	}
	if p.wanted.Flows[0].Background == nil {
		// Servers that have no name of a file there refuse an empty one.
		content = bytes.Replace(content, []byte("\n    background: ''\n"), []byte("\n"), 1)
	}
	_, err = p.to.FlowsInstancesImportCreate(ctx, content)
	if errors.Is(err, authentik.ErrPerhapsDone) {
		return nil // the comparison tells
	}
	if rejected, ok := errors.AsType[*authentik.ImportError](err); ok {
		// Not the attributes of a message, which have the names of users.
		for _, log := range rejected.Result.Logs {
			if log.LogLevel != "info" {
				_, _ = fmt.Fprintln(p.env.Stderr, cli.Printable(log.Event))
			}
		}
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errTarget, err)
	}
	return nil
}

// compare reads the flow on the target, and compares it with that on the
// source. The settings of stages are not compared.
func (p *promotion) compare(ctx context.Context) error {
	target, err := plan.Look(ctx, p.to.Client)
	if err != nil {
		return err
	}
	if err := p.choose(target); err != nil { // the kinds of the stages
		return err
	}
	left, err := target.Steps(ctx, p.wanted)
	if err != nil {
		return err
	}
	has, err := p.targetPolicies(ctx, target)
	if err != nil {
		return err
	}
	policies := 0
	for _, policy := range p.policies {
		switch {
		case slices.Contains(has, policy):
			policies++
		case !slices.Contains(p.losses, policy):
			left = append(left, plan.Step{Sign: plan.Add, Title: policy})
		}
	}
	if len(left) > 0 {
		if err := plan.Show(p.env.Stderr, left); err != nil {
			return err
		}
		return errors.New("the flow differs on the target, as shown above")
	}
	return p.print("compared: the flow, its %d bindings and %d policies are the same on both servers\n",
		len(p.bindings), policies)
}
