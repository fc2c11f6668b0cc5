package authentik

import (
	"cmp"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/seed-299d42e7/authentik-go/internal/transport"
)

// Error is one line: operation, status, the server's message, request ID and
// attempts. The message is escaped, and cut at 512 bytes.
func (e *APIError) Error() string {
	if e == nil { // as in a PermissionError{}
		return "authentik: no answer"
	}
	return e.text(e.Detail)
}

// text is one line: operation, status, messages, request ID, attempts.
func (e *APIError) text(messages ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "authentik: %s: %s", e.Op, e.status())
	var text []string
	for _, m := range messages {
		if m != "" {
			text = append(text, m)
		}
	}
	if len(text) > 0 {
		b.WriteString(": " + oneLine(strings.Join(text, "; ")))
	} else if e.contentType != "" {
		fmt.Fprintf(&b, ": %s %s answered with %s, not JSON", e.Method, oneLine(e.Path), oneLine(e.contentType))
		if e.StatusCode < http.StatusInternalServerError { // authentik's own 500 is a page too
			b.WriteString(": is it authentik's API?")
		}
	}
	b.WriteString(trailer(e.RequestID, e.Attempts, e.note))
	return b.String()
}

// status names the status. The usual words for 405 would be wrong where it
// stands for a crash.
func (e *APIError) status() string {
	if e.crashed {
		return "server error (405 without a body: the write crashed, or its path is unknown)"
	}
	return statusText(e.StatusCode)
}

// Is makes errors.Is answer by status.
func (e *APIError) Is(target error) bool {
	if e == nil {
		return false
	}
	switch target {
	case ErrBadRequest:
		return e.StatusCode == http.StatusBadRequest
	case ErrUnauthorized:
		return e.StatusCode == http.StatusUnauthorized
	case ErrForbidden:
		return e.StatusCode == http.StatusForbidden
	case ErrNotFound:
		return e.StatusCode == http.StatusNotFound && !e.Foreign
	case ErrNotAuthentik:
		return e.Foreign
	case ErrRateLimited:
		return e.StatusCode == http.StatusTooManyRequests
	case ErrServer:
		return e.StatusCode >= http.StatusInternalServerError || e.crashed
	case ErrPerhapsDone:
		return e.perhapsDone
	case ErrStarting:
		return transport.Starting(e.StatusCode, []byte(cmp.Or(string(e.Body), e.Detail))) // a copy may lack the body
	}
	return false
}

// LogValue is for log/slog: what tells one error from another, and no text of
// the server's, because that may quote what the caller searched for.
func (e *APIError) LogValue() slog.Value {
	if e == nil {
		return slog.Value{}
	}
	return slog.GroupValue(e.attrs()...)
}

func (e *APIError) attrs() []slog.Attr {
	return []slog.Attr{
		slog.String("op", e.Op), slog.String("method", e.Method), slog.String("path", e.Path),
		slog.Int("status", e.StatusCode), slog.String("request_id", oneLine(e.RequestID)), slog.Int("attempts", e.Attempts),
	}
}

// Error is as of [APIError], with the messages of each field, sorted by name.
func (e *ValidationError) Error() string {
	messages := slices.Clone(e.NonFieldErrors)
	for _, field := range slices.Sorted(maps.Keys(e.Fields)) {
		messages = append(messages, field+": "+strings.Join(e.Fields[field], " "))
	}
	if e.APIError == nil {
		return "authentik: " + oneLine(strings.Join(append(messages, "bad request"), "; "))
	}
	return e.text(append(messages, e.Detail)...)
}

// Unwrap returns the APIError.
func (e *ValidationError) Unwrap() error { return unwrap(e.APIError) }

// LogValue is for log/slog: as of [APIError], and the fields' names.
func (e *ValidationError) LogValue() slog.Value {
	var attrs []slog.Attr
	if e.APIError != nil {
		attrs = e.attrs()
	}
	fields := slices.Sorted(maps.Keys(e.Fields))
	for i := range fields {
		fields[i] = oneLine(fields[i])
	}
	return slog.GroupValue(append(attrs, slog.Any("fields", fields))...)
}

// Error is as of [APIError]. It says so if the session is not logged in.
func (e *PermissionError) Error() string {
	if e.notLoggedIn {
		return e.APIError.Error() + ": the session is not logged in"
	}
	return e.APIError.Error()
}

// Is reports whether target is [ErrNotLoggedIn] and applies.
func (e *PermissionError) Is(target error) bool { return target == ErrNotLoggedIn && e.notLoggedIn }

// Unwrap returns the APIError.
func (e *PermissionError) Unwrap() error { return unwrap(e.APIError) }

// LogValue is for log/slog.
func (e *PermissionError) LogValue() slog.Value { return e.APIError.LogValue() }

// unwrap keeps a nil *APIError from becoming an error that is not nil.
func unwrap(e *APIError) error {
	if e == nil {
		return nil
	}
	return e
}

// Error is one line: operation, cause, an earlier attempt's status, attempts.
func (e *RequestError) Error() string {
	cause := "no answer"
	if e.Err != nil {
		cause = e.Err.Error()
	}
	text := fmt.Sprintf("authentik: %s: %s", e.Op, oneLine(cause))
	if e.last != nil {
		text += "; before that " + e.last.status()
		if e.last.Detail != "" {
			text += ": " + oneLine(e.last.Detail)
		}
	}
	return text + trailer("", e.Attempts, e.note)
}

// Is reports whether target is [ErrPerhapsDone] and applies.
func (e *RequestError) Is(target error) bool { return target == ErrPerhapsDone && e.perhapsDone }

// Unwrap returns the cause and, if an earlier attempt had an answer, its
// *APIError.
func (e *RequestError) Unwrap() []error {
	var all []error
	if e.Err != nil {
		all = append(all, e.Err)
	}
	if e.last != nil {
		all = append(all, e.last)
	}
	return all
}

// LogValue is for log/slog.
func (e *RequestError) LogValue() slog.Value {
	attrs := []slog.Attr{
		slog.String("op", e.Op), slog.String("method", e.Method), slog.String("path", e.Path),
		slog.Int("attempts", e.Attempts),
	}
	if e.Err != nil {
		attrs = append(attrs, slog.String("cause", oneLine(transport.LogText(e.Err))))
	}
	if e.last != nil {
		attrs = append(attrs, slog.Int("status", e.last.StatusCode))
	}
	return slog.GroupValue(attrs...)
}

// Error is one line: operation, status, media type, where it is wrong and why,
// what is there, request ID and attempts.
func (e *DecodeError) Error() string {
	var b strings.Builder
	b.WriteString("authentik: ")
	if e.Op != "" {
		fmt.Fprintf(&b, "%s: ", e.Op)
	}
	b.WriteString("unusable answer")
	if e.StatusCode != 0 {
		b.WriteString(" (" + statusText(e.StatusCode))
		if e.ContentType != "" {
			b.WriteString(", " + oneLine(e.ContentType))
		}
		b.WriteString(")")
	}
	if e.JSONPath != "" {
		b.WriteString(": " + oneLine(e.JSONPath))
	}
	if e.Err != nil {
		b.WriteString(": " + oneLine(e.Err.Error()))
	}
	if e.Excerpt != "" {
		b.WriteString(": " + e.Excerpt)
	}
	if e.Attempts != 0 {
		b.WriteString(trailer(e.RequestID, e.Attempts, e.note))
	}
	return b.String()
}

// Is reports whether target is [ErrPerhapsDone] and applies.
func (e *DecodeError) Is(target error) bool { return target == ErrPerhapsDone && e.perhapsDone }

// Unwrap returns the reason.
func (e *DecodeError) Unwrap() error { return e.Err }

// LogValue is for log/slog.
func (e *DecodeError) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("op", e.Op), slog.String("method", e.Method), slog.String("path", e.Path),
		slog.Int("status", e.StatusCode), slog.String("request_id", oneLine(e.RequestID)), slog.Int("attempts", e.Attempts),
		slog.String("content_type", oneLine(e.ContentType)), slog.String("json_path", oneLine(e.JSONPath)),
	)
}

// Error returns one line without the logs of the import.
func (e *ImportError) Error() string {
	text := "authentik: "
	if e.op != "" {
		text += e.op + ": "
	}
	if e.Is(ErrNotApplied) {
		return text + "the server found nothing to import in the file"
	}
	return text + fmt.Sprintf("the server did not import the file: Result.Logs has the reason (messages: %d)", e.messages())
}

// Is reports whether target is [ErrNotApplied] and applies.
func (e *ImportError) Is(target error) bool {
	return target == ErrNotApplied && e.Result != nil && e.Result.Success
}

// LogValue returns the operation and the number of messages for log/slog.
func (e *ImportError) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("op", e.op), slog.Bool("not_applied", e.Is(ErrNotApplied)), slog.Int("messages", e.messages()),
	)
}

func (e *ImportError) messages() int {
	if e.Result == nil {
		return 0
	}
	return len(e.Result.Logs)
}

// Error is one line: operation, field and reason.
func (e *ArgumentError) Error() string {
	return fmt.Sprintf("authentik: %s: %s: %s", e.Op, e.Field, e.Reason)
}

// maxMessage is what an error repeats of the server's words.
const maxMessage = 512

func oneLine(s string) string { return transport.OneLine(s, maxMessage) }

// statusText goes by the number: the reason phrase is the server's to choose.
func statusText(code int) string {
	return strings.TrimSpace(strconv.Itoa(code) + " " + http.StatusText(code))
}

func trailer(requestID string, attempts int, note string) string {
	var parts []string
	if requestID != "" {
		parts = append(parts, "request "+oneLine(requestID))
	}
	if attempts == 1 {
		parts = append(parts, "1 attempt")
	} else {
		parts = append(parts, strconv.Itoa(attempts)+" attempts")
	}
	if note != "" {
		parts = append(parts, note)
	}
	return " (" + strings.Join(parts, ", ") + ")"
}
