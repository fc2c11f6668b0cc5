package plan

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/examples/internal/cli"
)

// File is how the flows of a server should be. Its keys are those of
// authentik's API.
type File struct {
	Flows []Flow `json:"flows"`
	// Absent are the slugs of flows that must not exist.
	Absent []string `json:"absent"`
}

// Flow is a flow that must exist. A field that is left out is not managed: the
// server uses its default for a new flow and keeps the value of an existing
// one.
type Flow struct {
	authentik.FlowRequest

	// Bindings are all stages of the flow, in their order. If they are left
	// out, they are not managed; an empty list removes all.
	Bindings []Binding `json:"bindings"`
}

// Binding is a stage in a flow.
type Binding struct {
	// Stage is the name of a stage.
	Stage string `json:"stage"`
	// Order is 10 more than that of the binding before, if it is left out.
	Order                 *int                            `json:"order"`
	EvaluateOnPlan        *bool                           `json:"evaluate_on_plan"`
	ReEvaluatePolicies    *bool                           `json:"re_evaluate_policies"`
	PolicyEngineMode      authentik.PolicyEngineMode      `json:"policy_engine_mode"`
	InvalidResponseAction authentik.InvalidResponseAction `json:"invalid_response_action"`
}

// Read reads a file with this name.
func Read(name string) (*File, error) {
	content, err := os.ReadFile(name) //nolint:gosec // the user names it
	if err != nil {
		return nil, fmt.Errorf("%w: %w", cli.ErrInput, err)
	}
	return Parse(name, content)
}

// Parse reads a file with a name that errors have. A mistake in it is found
// before anything is sent.
func Parse(name string, content []byte) (*File, error) {
	var f File
	content = bytes.TrimPrefix(content, []byte("\ufeff")) // of some editors
	err := errors.New("must be one JSON object, in UTF-8")
	if bytes.HasPrefix(bytes.TrimSpace(content), []byte("{")) {
		// Unlike encoding/json, the package refuses a key that comes twice.
		err = located(content, json.Unmarshal(content, &f, json.RejectUnknownMembers(true)))
	}
	if err == nil {
		err = f.check()
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", cli.ErrInput, name, err)
	}
	return &f, nil
}

// located is the error of a decoder with the line and the place of the mistake.
func located(content []byte, err error) error {
	at := func(offset int64, pointer jsontext.Pointer, reason any) error {
		return fmt.Errorf("line %d, at %q: %v", 1+bytes.Count(content[:offset], []byte("\n")), pointer, reason)
	}
	if e, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return at(e.ByteOffset, e.JSONPointer, e.Err)
	}
	if e, ok := errors.AsType[*json.SemanticError](err); ok && e.Err != nil {
		return at(e.ByteOffset, e.JSONPointer, e.Err)
	} else if ok {
		return at(e.ByteOffset, e.JSONPointer, "must not be a "+e.JSONKind.String())
	}
	return err
}

// slugs are those that a flow can have, but for reserved ones.
var (
	slugs    = regexp.MustCompile(`^[-\w]+$`)
	reserved = []string{"import", "cache_info", "cache_clear"} // paths of the API
)

// check returns what is wrong with the file, and fills in the orders.
func (f *File) check() error {
	seen := map[string]bool{}
	for i := range f.Flows {
		slug, name, title := f.Flows[i].Slug, f.Flows[i].Name, f.Flows[i].Title
		switch {
		case slug == "":
			return fmt.Errorf("flow %d: slug: must not be empty", i+1)
		case !slugs.MatchString(slug), slices.Contains(reserved, slug):
			return fmt.Errorf("flow %q: slug: must have letters, digits, - and _ only, and not be one of %q", slug, reserved)
		case seen[slug]:
			return fmt.Errorf("flow %q: must not come twice", slug)
		case name != strings.TrimSpace(name), title != strings.TrimSpace(title):
			return fmt.Errorf("flow %q: name and title: must not begin or end with a space, which authentik drops", slug)
		}
		seen[slug] = true
		if err := checkBindings(f.Flows[i].Bindings); err != nil {
			return fmt.Errorf("flow %q: %w", slug, err)
		}
	}
	for _, slug := range f.Absent {
		if seen[slug] || slug == "" {
			return fmt.Errorf("absent: %q: must not be empty, come twice, or be one of the flows", slug)
		}
		seen[slug] = true
	}
	return nil
}

// checkBindings wants the list to be in ascending order, because authentik runs
// stages of the same order in any order.
func checkBindings(bindings []Binding) error {
	before := 0
	for i := range bindings {
		b := &bindings[i]
		if b.Order == nil {
			b.Order = new(before + 10)
		}
		switch {
		case b.Stage == "":
			return fmt.Errorf("binding %d: stage: must not be empty", i+1)
		case i > 0 && *b.Order <= before:
			return fmt.Errorf("stage %q: order: %d must be more than the %d before it", b.Stage, *b.Order, before)
		case *b.Order < math.MinInt32, *b.Order > math.MaxInt32:
			return fmt.Errorf("stage %q: order: %d is out of range", b.Stage, *b.Order)
		case (b.EvaluateOnPlan == nil) != (b.ReEvaluatePolicies == nil):
			// The default of the other one depends on the release.
			return fmt.Errorf("stage %q: evaluate_on_plan and re_evaluate_policies must be set together", b.Stage)
		case b.EvaluateOnPlan != nil && !*b.EvaluateOnPlan && !*b.ReEvaluatePolicies:
			return fmt.Errorf("stage %q: evaluate_on_plan and re_evaluate_policies must not both be false", b.Stage)
		}
		before = *b.Order
	}
	return nil
}
