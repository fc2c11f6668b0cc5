package authentik

import (
	"cmp"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"github.com/seed-299d42e7/authentik-go/challenge"
)

// FlowDeniedError reports a flow that ended with access denied.
type FlowDeniedError struct {
	// Message is the server's reason, which may be translated. It is "" if the
	// server gives none.
	Message string

	op, slug string
}

// Error returns one line: operation, flow and the server's reason.
func (e *FlowDeniedError) Error() string {
	return flowText(e.op, e.slug, "access denied", e.Message)
}

// LogValue returns the flow for log/slog, and no text of the server.
func (e *FlowDeniedError) LogValue() slog.Value { return flowAttrs("denied", e.slug) }

// FlowFailedError reports a flow in which the server failed.
type FlowFailedError struct {
	// RequestID finds the error in the server's log.
	RequestID string
	// Message is the text of the error. Only superusers get it.
	Message string

	op, slug string
}

// Error returns one line: operation, flow, the server's error and request ID.
func (e *FlowFailedError) Error() string {
	text := flowText(e.op, e.slug, "the server failed", e.Message)
	if e.RequestID != "" {
		text += " (request " + oneLine(e.RequestID) + ")"
	}
	return text
}

// LogValue returns the flow and the request ID for log/slog.
func (e *FlowFailedError) LogValue() slog.Value {
	return flowAttrs("failed", e.slug, slog.String("request_id", oneLine(e.RequestID)))
}

// ChallengeError reports a response that the server rejected. The session
// still runs the flow: see [Session.Run].
//
// A wrong password or an unknown user is [ErrBadCredentials]; a missing one is
// not. After a wrong code, authentik rejects the right one, too, for a second or
// more.
type ChallengeError struct {
	// Component is the component of the challenge, such as "ak-stage-password".
	Component string
	// Errors holds the server's reasons by field, with what the response had in
	// it redacted. The field "non_field_errors" is for errors of no field.
	Errors map[string][]challenge.ErrorDetail

	op, slug       string
	badCredentials bool // before a field was redacted
}

// Error returns one line: operation, flow, component, and the reasons by field.
func (e *ChallengeError) Error() string {
	var reasons []string
	for _, field := range slices.Sorted(maps.Keys(e.Errors)) {
		for _, detail := range e.Errors[field] {
			reasons = append(reasons, field+": "+detail.String)
		}
	}
	what := "the server rejected the response to " + oneLine(e.Component)
	text := flowText(e.op, e.slug, what, strings.Join(reasons, "; "))
	if e.Component == new(challenge.AuthenticatorValidation).Component() && len(e.Errors["code"]) > 0 {
		text += " (after an invalid code, the server may reject valid ones for some seconds)"
	}
	return text
}

// Is reports whether target is [ErrBadCredentials] and applies.
func (e *ChallengeError) Is(target error) bool {
	if e.op == "" { // a caller made the error
		return target == ErrBadCredentials && badCredentials(e.Component, e.Errors)
	}
	return target == ErrBadCredentials && e.badCredentials
}

// badCredentials reports whether a server rejected a user or a password, and not
// only that one was missing.
func badCredentials(component string, errors map[string][]challenge.ErrorDetail) bool {
	switch component {
	case new(challenge.Identification).Component(), new(challenge.Password).Component():
	default:
		return false
	}
	wrong := func(detail challenge.ErrorDetail) bool {
		return !slices.Contains([]string{"required", "blank", "null"}, detail.Code)
	}
	return slices.ContainsFunc([]string{"uid_field", "password", "non_field_errors"}, func(field string) bool {
		return slices.ContainsFunc(errors[field], wrong)
	})
}

// noUser reports whether a response to an identification is empty. Since 2026.8
// the server rejects such a response as it rejects an unknown user.
func noUser(response challenge.Response) bool {
	identification, ok := responseAs[challenge.IdentificationResponse](response)
	return ok && identification.UIDField == "" && identification.Passkey == nil
}

// LogValue returns the flow, the component, and the fields with their codes
// for log/slog.
func (e *ChallengeError) LogValue() slog.Value {
	common := &challenge.Common{ResponseErrors: e.Errors}
	return flowAttrs("rejected", e.slug, slog.String("component", oneLine(e.Component)), slog.Any("errors", common))
}

// UnsolvedError reports a challenge that the [Solver] does not know. The
// session still runs the flow: [Session.ExecutorSolve] goes on.
type UnsolvedError struct {
	Challenge challenge.Challenge `json:"-"`

	op, slug  string
	component string // of Challenge, redacted
}

// Error returns one line: operation, flow and component.
func (e *UnsolvedError) Error() string {
	component := cmp.Or(e.component, componentOf(e.Challenge))
	return flowText(e.op, e.slug, "the solver has no response to "+component, "")
}

// LogValue returns the flow and the component for log/slog.
func (e *UnsolvedError) LogValue() slog.Value {
	return flowAttrs("unsolved", e.slug, slog.String("component", cmp.Or(e.component, componentOf(e.Challenge))))
}

// Format prints the text of Error, whatever the verb, because a challenge may
// hold secrets.
func (e *UnsolvedError) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, e.Error()) }

// flowText returns one line with the operation, the flow, what happened and the
// reason. op, slug and reason may be "".
func flowText(op, slug, what, reason string) string {
	text := "authentik: "
	if op != "" {
		text += op + ": "
	}
	if slug != "" {
		text += "flow " + oneLine(slug) + ": "
	}
	text += what
	if reason != "" {
		text += ": " + oneLine(reason)
	}
	return text
}

// flowAttrs returns the attributes that the errors of flows share, and more.
func flowAttrs(kind, slug string, more ...slog.Attr) slog.Value {
	return slog.GroupValue(append([]slog.Attr{slog.String("kind", kind), slog.String("slug", oneLine(slug))}, more...)...)
}
