package authentik

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime/multipart"
	"net/http"
	"reflect"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/seed-299d42e7/authentik-go/internal/transport"
)

// withBody sets the body. An error names the field that the body was made from.
func (o operation) withBody(field, contentType string, body []byte) operation {
	if len(body) > transport.MaxRequestBody {
		return o.refuse(field, "must not be larger than 32 MiB, as it is sent")
	}
	o.contentType, o.body = contentType, body
	return o
}

// withJSON sets v as the body.
func (o operation) withJSON(field string, v any) operation {
	body, err := json.Marshal(v)
	if err != nil { // whose text may quote the value
		return o.refuse(field, fmt.Sprintf("must be a value that encoding/json can encode, not %T", v))
	}
	return o.withBody(field, "application/json", body)
}

// withFields sets a request as the body. Its texts must be UTF-8, because
// encoding/json would replace invalid bytes.
func (o operation) withFields(name string, request any) operation {
	fields := reflect.ValueOf(request)
	for i := range fields.NumField() {
		text := reflect.Indirect(fields.Field(i))
		if text.Kind() == reflect.String && !utf8.ValidString(text.String()) {
			o = o.refuse(fields.Type().Field(i).Name, "must be valid UTF-8")
		}
	}
	return o.withJSON(name, request)
}

// withFile sets a file and further fields as the body, as multipart/form-data. If
// content is nil there is no file.
func (o operation) withFile(field, name string, content []byte, fields ...[2]string) operation {
	if len(content) > transport.MaxRequestBody {
		return o.withBody(field, "", content) // which refuses the content, without a copy
	}
	var b bytes.Buffer // whose writes do not fail
	form := multipart.NewWriter(&b)
	for _, f := range fields {
		_ = form.WriteField(f[0], f[1])
	}
	if content != nil {
		part, _ := form.CreateFormFile("file", name)
		_, _ = part.Write(content)
	}
	_ = form.Close()
	return o.withBody(field, form.FormDataContentType(), b.Bytes())
}

// create sends an operation that creates an object. With [AdoptExisting], and if an
// earlier request may have created the object, create returns the object that find
// returns, unless it differs in a field that was sent.
func create[T any](
	ctx context.Context, c *Client, o operation, opts []RequestOption, same func(*T) error,
	find func(requestConfig) (*T, error), choices, others func(*T) []comparison,
) (*T, error) {
	cfg := newRequestConfig(opts)
	value, err := callWith(ctx, c, o, cfg, created(same))
	mayExist := errors.Is(err, ErrPerhapsDone) || errors.Is(err, ErrBadRequest)
	if !cfg.adopt || !mayExist || ctx.Err() != nil {
		return applied(o, value, err, choices)
	}
	var response Response
	found, notFound := find(requestConfig{response: &response})
	switch {
	case errors.Is(notFound, ErrNotFound):
		return nil, err
	case notFound != nil:
		return nil, fmt.Errorf("%w; reading it back: %w", err, notFound)
	}
	if fields := differing(append(others(found), choices(found)...)); fields != "" {
		return nil, &writeError{o.name, "the object exists and differs in " + fields, []error{err}}
	}
	if cfg.response != nil {
		*cfg.response = response
	}
	return found, nil
}

// change sends an operation that changes an object.
func change[T any](
	ctx context.Context, c *Client, o operation, opts []RequestOption, same func(*T) error, choices func(*T) []comparison,
) (*T, error) {
	value, err := call(ctx, c, o, opts, object(same))
	return applied(o, value, err, choices)
}

// applied returns ErrNotApplied beside an object that lacks what was requested,
// because a server ignores the fields that its release does not have.
func applied[T any](o operation, value *T, err error, choices func(*T) []comparison) (*T, error) {
	if err != nil {
		return nil, err
	}
	if fields := differing(choices(value)); fields != "" {
		return value, &writeError{o.name, "the server did not apply " + fields, []error{ErrNotApplied}}
	}
	return value, nil
}

// retired is an operation that newer releases lack.
type retired struct {
	gone    release // the first one without the operation
	last    string  // the last one with the operation
	instead string  // what to use since
}

// replace returns ErrUnsupported in the place of an error that is about the path of
// the operation, if the server is of a release without that operation. An empty
// 405 stands for a path that does not exist and for a write that crashed, and only
// the release distinguishes the two.
func (r retired) replace(ctx context.Context, c *Client, o operation, err error) error {
	e, ok := errors.AsType[*APIError](err)
	if !ok || !e.crashed && (e.StatusCode != http.StatusNotFound || json.Valid(e.Body)) || !c.since(ctx, r.gone) {
		return err
	}
	text := fmt.Sprintf("authentik %v does not support this, releases up to %s do: use %s",
		c.learned.release.Load(), r.last, r.instead)
	return unsupported(o, e, text)
}

// unsupported returns ErrUnsupported with a response that proves it.
func unsupported(o operation, e *APIError, text string) error {
	proof := *e
	proof.crashed, proof.ending = false, ending{} // nothing was executed
	return &writeError{o.name, text, []error{ErrUnsupported, &proof}}
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

// differing returns the names of the fields that differ.
func differing(all []comparison) string {
	var fields []string
	for _, c := range all {
		if c.differs {
			fields = append(fields, c.field)
		}
	}
	return strings.Join(fields, ", ")
}

// choices compares the enums and booleans of a request, and its background,
// with those of a flow. Servers up to 2025.10 ignore the background.
func (r FlowRequest) choices(f *Flow) []comparison {
	return []comparison{
		compare("Designation", r.Designation, f.Designation),
		compare("PolicyEngineMode", r.PolicyEngineMode, f.PolicyEngineMode),
		comparePointer("CompatibilityMode", r.CompatibilityMode, f.CompatibilityMode),
		compare("Layout", r.Layout, f.Layout),
		compare("DeniedAction", r.DeniedAction, f.DeniedAction),
		compare("Authentication", r.Authentication, f.Authentication),
		comparePointer("Background", r.Background, f.Background),
	}
}

// texts compares the other fields of a request, but for the slug.
func (r FlowRequest) texts(f *Flow) []comparison {
	return []comparison{
		compareText("Name", r.Name, f.Name),
		compareText("Title", r.Title, f.Title),
	}
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
		switch {
		case errors.Is(err, ErrBadRequest): // there is no such flow or stage
			return nil, ErrNotFound
		case err != nil:
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
