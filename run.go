package authentik

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"reflect"
	"strings"

	"github.com/seed-299d42e7/authentik-go/challenge"
)

// maxSteps bounds the challenges of one Run, and the redirects between two.
const maxSteps = 64

// maxRepeats bounds how often one challenge may come in a row.
const maxRepeats = 3

// Solver responds to the challenges of a flow. [Credentials] is one.
type Solver interface {
	// Solve returns the response to a challenge. A nil response without an error
	// says that the solver does not know the challenge. An error ends the run
	// and is returned as it is.
	//
	// Solve must not call Run, Login or Logout of the same session. A solver may
	// pass a challenge on to another one.
	Solve(ctx context.Context, c challenge.Challenge) (challenge.Response, error)
}

// SolverFunc is a function that is a [Solver].
type SolverFunc func(context.Context, challenge.Challenge) (challenge.Response, error)

// Solve calls the function.
func (f SolverFunc) Solve(ctx context.Context, c challenge.Challenge) (challenge.Response, error) {
	return f(ctx, c)
}

// EmailLink responds to a [challenge.Email] with the link that the server has
// sent. The link, or its query alone, holds a token.
//
// Printing an EmailLink shows no part of it. Package fmt cannot know that of an
// unexported field of another struct: do not print such a struct.
type EmailLink string

// Component returns "ak-stage-email".
func (EmailLink) Component() string { return new(challenge.Email).Component() }

// responseAs returns a response that is a T or points to one. A response must not
// be a nil pointer: see isNil.
func responseAs[T any](response challenge.Response) (value T, ok bool) {
	switch response := any(response).(type) {
	case *T:
		return *response, true
	case T:
		return response, true
	}
	return value, false
}

// Format prints no part of the link, whatever the verb.
func (EmailLink) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "authentik.EmailLink([redacted])")
}

// MarshalText returns no part of the link.
func (EmailLink) MarshalText() ([]byte, error) { return []byte("[redacted]"), nil }

func (l EmailLink) parse(op string) (flowURL, error) {
	u, err := url.Parse(string(l))
	if err != nil || u.Query().Get("flow_token")+u.Query().Get("etoken") == "" { // etoken until 2021.10
		return flowURL{}, &ArgumentError{op, "response", "must be the link of the email, with a flow_token"}
	}
	target := flowURL{query: u.Query()}
	if _, slug, ok := strings.Cut(u.Path, flowPath); ok {
		target.slug = strings.Trim(slug, "/")
	}
	return target, nil
}

// FlowEnd describes the end of a flow that ended without an error.
type FlowEnd struct {
	// Challenge is the last challenge. Most often that is a [challenge.Redirect], or
	// else one that only a browser can go on with, such as a [challenge.SessionEnd]
	// or a [challenge.Autosubmit].
	Challenge challenge.Challenge `json:"-"`
	// To is the URL or path that the flow leads to, "" if there is none. The query
	// of To may hold secrets.
	To string `json:"-"`
	// Slug is the slug of the flow that ended, if one flow led to another.
	Slug string
}

// Format prints the slug and the challenge without its texts, whatever the verb.
func (e FlowEnd) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "authentik.FlowEnd{Slug: %q, Challenge: %v}", e.Slug, e.Challenge)
}

// LogValue returns the slug and the component for log/slog.
func (e FlowEnd) LogValue() slog.Value {
	return slog.GroupValue(slog.String("slug", e.Slug), slog.String("component", componentOf(e.Challenge)))
}

// Run runs a flow to its end. Run passes each challenge to solver, and sends the
// response. Run follows a redirect to another flow of the server within the same
// session, and no other redirect. query is that of [Session.ExecutorGet].
//
//	GET  /flows/executor/{slug}/?query={query}
//	POST /flows/executor/{slug}/?query={query}
//
// A run that ends without an error proves nothing about the user, unlike
// [Session.Login]. After an error the session still runs the flow. Another Run, or
// [Session.ExecutorSolve], goes on at the challenge that caused the error. Only
// one Run, Login or Logout of a session is under way at a time.
//
// Errors: [FlowDeniedError], [FlowFailedError]; [ChallengeError] for a response
// that the server rejected; [UnsolvedError] for a challenge that solver does not
// know; the error of solver; [ErrFlowRestarted] if the server begins anew, as
// after a lost cookie; [ErrFlowStuck] for a challenge that comes three times in
// a row and for more than 64 challenges; those of [Session.ExecutorSolve].
//
// https://docs.goauthentik.io/developer-docs/api/flow-executor/
func (s *Session) Run(ctx context.Context, slug string, query url.Values, solver Solver) (*FlowEnd, error) {
	const op = "Run"
	var end *FlowEnd
	err := s.withRun(ctx, op, func(ctx context.Context) (err error) {
		end, err = s.runFlow(ctx, op, slug, query, solver)
		return err
	})
	return end, err
}

type runKey struct{}

// withRun calls f while no other run of the session is under way.
func (s *Session) withRun(ctx context.Context, op string, f func(context.Context) error) error {
	if err := s.check(ctx, op); err != nil {
		return err
	}
	if ctx.Value(runKey{}) == s {
		return &ArgumentError{op, "ctx", "must not be that of a Solver of the same session"}
	}
	if err := acquire(ctx, op, s.run); err != nil {
		return err
	}
	defer func() { <-s.run }()
	return f(context.WithValue(ctx, runKey{}, s))
}

// flowRun is the state of a Run.
type flowRun struct {
	session *Session
	op      string
	slug    string
	query   url.Values

	first    string             // the stage that was solved first
	last     string             // the stage of the last challenge
	repeats  int                // how often that stage has come in a row
	response challenge.Response // the last one, nil at the beginning of a flow
}

func (s *Session) runFlow(
	ctx context.Context, op, slug string, query url.Values, solver Solver,
) (*FlowEnd, error) {
	if isNil(solver) {
		return nil, &ArgumentError{op, "solver", "must not be nil"}
	}
	r := &flowRun{session: s, op: op, slug: slug, query: query}
	c, err := r.get(ctx)
	for range maxSteps {
		if err != nil {
			return nil, err
		}
		if err := r.check(c); err != nil {
			return nil, err
		}
		switch shown := c.(type) {
		case *challenge.Redirect:
			if !r.follow(shown.To) {
				return &FlowEnd{Challenge: c, To: shown.To, Slug: r.slug}, nil
			}
			c, err = r.get(ctx)
			continue
		case *challenge.SessionEnd:
			return &FlowEnd{Challenge: c, Slug: r.slug}, nil
		}
		response, failed := solver.Solve(ctx, c)
		switch {
		case failed != nil:
			return nil, failed
		case isNil(response):
			return r.unsolved(c)
		}
		c, err = r.solve(ctx, c, response)
	}
	if err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("authentik: %s: %w: more than %d challenges", op, ErrFlowStuck, maxSteps)
}

// get requests the present challenge.
func (r *flowRun) get(ctx context.Context) (challenge.Challenge, error) {
	return inTurn(ctx, r.session, r.op, func() (challenge.Challenge, error) {
		return r.session.look(ctx, r.op, r.slug, r.query)
	})
}

// solve sends the response to the challenge c, and returns the next challenge.
func (r *flowRun) solve(
	ctx context.Context, c challenge.Challenge, response challenge.Response,
) (challenge.Challenge, error) {
	r.first, r.response = cmp.Or(r.first, stageOf(c)), response
	if link, ok := responseAs[EmailLink](response); ok {
		target, err := link.parse(r.op)
		if err != nil {
			return nil, err
		}
		r.slug, r.query = cmp.Or(target.slug, r.slug), target.query
		return r.get(ctx)
	}
	return inTurn(ctx, r.session, r.op, func() (challenge.Challenge, error) {
		return r.session.solve(ctx, r.op, r.slug, r.query, response)
	})
}

// check returns the error of a challenge that ends the flow, that rejects the
// response, or that shows that the flow does not go on.
func (r *flowRun) check(c challenge.Challenge) error {
	redact := r.session.client.transport.Redact
	switch c := c.(type) {
	case *challenge.AccessDenied:
		return &FlowDeniedError{Message: redact(c.ErrorMessage), op: r.op, slug: r.slug}
	case *challenge.FlowError:
		return &FlowFailedError{RequestID: redact(c.RequestID), Message: redact(c.Error), op: r.op, slug: r.slug}
	}
	stage := stageOf(c)
	if stage == r.last {
		r.repeats++
	} else {
		r.repeats = 1
	}
	before := r.last
	r.last = stage
	_, identification := c.(*challenge.Identification)
	_, linked := responseAs[EmailLink](r.response)
	switch {
	case r.response == nil: // the beginning
		return nil
	case len(c.Errors()) > 0 && stage == before:
		if !expected(r.response, c) {
			return r.rejected(c)
		}
	case len(c.Errors()) > 0, stage == r.first && (stage != before || identification),
		linked && identification: // the link was used before, or is too old
		return fmt.Errorf("authentik: %s: %w: %s shows %s", r.op, ErrFlowRestarted, r.slug, r.component(c))
	}
	if r.repeats == maxRepeats {
		return fmt.Errorf("authentik: %s: %w: %s shows %s %d times in a row",
			r.op, ErrFlowStuck, r.slug, r.component(c), maxRepeats)
	}
	return nil
}

// expected reports whether the errors of a challenge only say that the server
// has done what the response requested: it has sent a code or another email.
func expected(response challenge.Response, c challenge.Challenge) bool {
	if validation, ok := responseAs[challenge.AuthenticatorValidationResponse](response); ok {
		unknownDevice := len(c.Errors()["selected_challenge"]) > 0
		return validation.SelectedChallenge != nil && !unknownDevice
	}
	for _, details := range c.Errors() {
		for _, detail := range details {
			if detail.Code != "email-sent" {
				return false
			}
		}
	}
	return true
}

func (r *flowRun) rejected(c challenge.Challenge) error {
	redact := r.session.client.transport.Redact
	e := &ChallengeError{
		Component: r.component(c), Errors: map[string][]challenge.ErrorDetail{}, op: r.op, slug: r.slug,
		badCredentials: badCredentials(c.Component(), c.Errors()) && !noUser(r.response),
	}
	for field, details := range c.Errors() {
		field = redact(field)
		for _, detail := range details {
			detail.String, detail.Code = redact(detail.String), redact(detail.Code)
			e.Errors[field] = append(e.Errors[field], detail)
		}
	}
	return e
}

// component returns the component of a challenge for an error. Only that of an
// unknown challenge is the server's text, and may repeat a secret.
func (r *flowRun) component(c challenge.Challenge) string {
	if _, unknown := c.(*challenge.Unknown); !unknown {
		return componentOf(c)
	}
	return r.session.client.transport.Redact(componentOf(c))
}

// unsolved ends a run at a challenge that the solver does not know. A challenge
// that leads out of authentik ends the flow without an error.
func (r *flowRun) unsolved(c challenge.Challenge) (*FlowEnd, error) {
	end := &FlowEnd{Challenge: c, Slug: r.slug}
	switch c := c.(type) {
	case *challenge.Autosubmit:
		end.To = c.URL
	case *challenge.IframeLogout, *challenge.NativeLogout, *challenge.OAuthDeviceCodeFinish:
	default:
		return nil, &UnsolvedError{Challenge: c, op: r.op, slug: r.slug, component: r.component(c)}
	}
	return end, nil
}

// flowPath is the path of a flow's page for browsers, before the slug.
const flowPath = "/if/flow/"

// flowURL holds the parts of the URL of a flow's page.
type flowURL struct {
	slug  string
	query url.Values
}

// follow reports whether a redirect leads to a flow of the server, and goes on with
// that flow. No request is sent to the URL of the redirect.
func (r *flowRun) follow(to string) bool {
	path, query := r.session.own(to)
	_, slug, _ := strings.Cut(path, flowPath)
	slug = strings.TrimSuffix(slug, "/")
	if slug == "" || strings.Contains(slug, "/") {
		return false
	}
	*r = flowRun{session: r.session, op: r.op, slug: slug, query: query}
	return true
}

// isNil reports whether an interface is nil, or holds a nil.
func isNil(v any) bool {
	value := reflect.ValueOf(v)
	switch value.Kind() { //nolint:exhaustive // the others cannot be nil
	case reflect.Invalid:
		return true
	case reflect.Pointer, reflect.Func, reflect.Map:
		return value.IsNil()
	}
	return false
}

// componentOf returns the component of a challenge, for errors and logs. A
// server may put any text there.
func componentOf(c challenge.Challenge) string {
	if isNil(c) {
		return "no challenge"
	}
	return oneLine(c.Component())
}
