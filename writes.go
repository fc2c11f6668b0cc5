package authentik

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// create sends an operation that creates an object. With [AdoptExisting] it
// returns the object that find finds, if the object may have been created by
// an earlier request and differs in nothing that was requested.
func create[T any](
	ctx context.Context, c *Client, o operation, opts []RequestOption, same func(*T) error,
	find func(requestConfig) (*T, error), differing func(*T) []string,
) (*T, error) {
	cfg := newRequestConfig(opts).reset()
	value, err := callWith(ctx, c, o, cfg, created(same))
	mayExist := errors.Is(err, ErrPerhapsDone) || errors.Is(err, ErrBadRequest)
	if !cfg.adopt || !mayExist || ctx.Err() != nil {
		return value, err
	}
	var response Response
	found, notFound := find(requestConfig{response: &response})
	switch {
	case errors.Is(notFound, ErrNotFound):
		return nil, err
	case notFound != nil:
		return nil, fmt.Errorf("%w; reading it back: %w", err, notFound)
	}
	if fields := differing(found); len(fields) > 0 {
		text := "the object exists and differs in " + strings.Join(fields, ", ")
		return nil, &writeError{op: o.name, text: text, causes: []error{err}}
	}
	if cfg.response != nil {
		*cfg.response = response
	}
	return found, nil
}

// writeError reports a write whose response shows another outcome than the one
// that was requested. Its text repeats nothing of the response.
type writeError struct {
	op, text string
	causes   []error
}

func (e *writeError) Error() string   { return "authentik: " + e.op + ": " + e.text }
func (e *writeError) Unwrap() []error { return e.causes }

// comparison is a field of a request, and whether an object has another value
// there. A field that is not sent does not differ.
type comparison struct {
	field   string
	differs bool
}

func compare[T comparable](field string, sent, got T) comparison {
	var unsent T
	return comparison{field, sent != unsent && sent != got}
}

func comparePointer[T comparable](field string, sent *T, got T) comparison {
	return comparison{field, sent != nil && *sent != got}
}

// compareText compares a text that the server trims.
func compareText(field, sent, got string) comparison {
	return compare(field, strings.TrimFunc(sent, isSpace), strings.TrimFunc(got, isSpace))
}

// isSpace reports what Python's str.strip removes.
func isSpace(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }

func differing(all []comparison) (fields []string) {
	for _, c := range all {
		if c.differs {
			fields = append(fields, c.field)
		}
	}
	return fields
}

// choices compares the enums and booleans of a request with those of a flow.
func (r FlowRequest) choices(f *Flow) []comparison {
	return []comparison{
		compare("Designation", r.Designation, f.Designation),
		compare("PolicyEngineMode", r.PolicyEngineMode, f.PolicyEngineMode),
		comparePointer("CompatibilityMode", r.CompatibilityMode, f.CompatibilityMode),
		compare("Layout", r.Layout, f.Layout),
		compare("DeniedAction", r.DeniedAction, f.DeniedAction),
		compare("Authentication", r.Authentication, f.Authentication),
	}
}

// differing returns the fields of a request in which a flow differs.
func (r FlowRequest) differing(f *Flow) []string {
	return differing(append([]comparison{
		compareText("Name", r.Name, f.Name),
		compare("Slug", r.Slug, f.Slug),
		compareText("Title", r.Title, f.Title),
		comparePointer("Background", r.Background, f.Background),
	}, r.choices(f)...))
}

// find returns the flow with the slug of a request.
func (r FlowRequest) find(ctx context.Context, c *Client, name string) func(requestConfig) (*Flow, error) {
	o := get(name, "flows/instances/{slug}/", writeSlug(r.Slug))
	return func(cfg requestConfig) (*Flow, error) { return callWith(ctx, c, o, cfg, object(sameSlug(r.Slug))) }
}

// choices compares the enums and booleans of a request with those of a binding.
func (r FlowStageBindingRequest) choices(b *FlowStageBinding) []comparison {
	return []comparison{
		comparePointer("EvaluateOnPlan", r.EvaluateOnPlan, b.EvaluateOnPlan),
		comparePointer("ReEvaluatePolicies", r.ReEvaluatePolicies, b.ReEvaluatePolicies),
		compare("PolicyEngineMode", r.PolicyEngineMode, b.PolicyEngineMode),
		compare("InvalidResponseAction", r.InvalidResponseAction, b.InvalidResponseAction),
	}
}

// find returns the binding with the target, stage and order of a request, of
// which there is one at most.
func (r FlowStageBindingRequest) find(
	ctx context.Context, c *Client, name string,
) func(requestConfig) (*FlowStageBinding, error) {
	filter := &BindingsListOptions{Target: r.Target, Stage: r.Stage, Order: r.Order}
	return func(cfg requestConfig) (*FlowStageBinding, error) {
		found, err := callWith(ctx, c, filter.query(name).operation(bindings.path), cfg, page[FlowStageBinding]())
		if err != nil {
			return nil, err
		}
		for i := range found.Results {
			if r.created(&found.Results[i]) == nil {
				return &found.Results[i], nil
			}
		}
		return nil, ErrNotFound
	}
}
