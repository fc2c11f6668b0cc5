package authentik

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/seed-299d42e7/authentik-go/internal/transport"
)

// Error returns one line with the operation, the status, the message of the
// server, the request ID and the attempts. The message is escaped, and truncated
// at 512 bytes.
func (e *APIError) Error() string {
	if e == nil { // as in a PermissionError{}
		return "authentik: no response"
	}
	return e.text(e.Detail)
}

func (e *APIError) text(messages ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "authentik: %s: %s", subject(e.Op, e.Method, e.Path), e.status())
	if text := transport.JoinReasons(messages...); text != "" {
		b.WriteString(": " + oneLine(text))
	} else if e.contentType != "" {
		fmt.Fprintf(&b, ": the body is %s, not JSON", oneLine(e.contentType))
	}
	b.WriteString(trailer(e.RequestID, e.sender, e.Attempts, e.note))
	return b.String()
}

// subject names an operation, with the path if the method sends to any path.
func subject(op, method, path string) string {
	switch {
	case path == "":
	case op == "Get", op == "ListAll":
		return op + " " + oneLine(path)
	case op == "Do":
		return op + " " + oneLine(method+" "+path)
	}
	return op
}

// status returns the text of the status. The usual words for 405 would be wrong for
// a 405 that stands for a crash.
func (e *APIError) status() string {
	if e.crashed {
		return "server error (405 without a body: the write crashed, or its path is unknown)"
	}
	return statusText(e.StatusCode)
}

// Is reports whether target is a sentinel that applies to the response.
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

// LogValue returns attributes for log/slog: the kind of the error, the sentinels
// that apply, and no text of the server, which may quote a search term.
func (e *APIError) LogValue() slog.Value {
	if e == nil {
		return slog.Value{}
	}
	return slog.GroupValue(e.attrs(e)...)
}

// attrs returns the attributes of outer, which is e or wraps it.
func (e *APIError) attrs(outer error) []slog.Attr {
	return []slog.Attr{
		kindOf(outer), sentinelsOf(outer),
		slog.String("op", e.Op), slog.String("method", e.Method), slog.String("path", e.Path),
		slog.Int("status", e.StatusCode), slog.String("request_id", oneLine(e.RequestID)), slog.Int("attempts", e.Attempts),
	}
}

// Error returns the line of [APIError] with the messages of each field, sorted by
// name.
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

// LogValue returns the attributes of [APIError] and the names of the fields.
func (e *ValidationError) LogValue() slog.Value {
	var attrs []slog.Attr
	if e.APIError != nil {
		attrs = e.attrs(e)
	}
	fields := slices.Sorted(maps.Keys(e.Fields))
	for i := range fields {
		fields[i] = oneLine(fields[i])
	}
	return slog.GroupValue(append(attrs, slog.Any("fields", fields))...)
}

// Error returns the line of [APIError], and whether the session is not logged in.
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

// LogValue returns the attributes of [APIError].
func (e *PermissionError) LogValue() slog.Value {
	if e.APIError == nil {
		return slog.Value{}
	}
	return slog.GroupValue(e.attrs(e)...)
}

// unwrap keeps a nil *APIError from becoming an error that is not nil.
func unwrap(e *APIError) error {
	if e == nil {
		return nil
	}
	return e
}

// Error returns one line with the operation, the host, the cause, the status of
// an earlier attempt, and the attempts.
func (e *RequestError) Error() string {
	cause := "no response"
	if e.Err != nil {
		cause = e.Err.Error()
	}
	host, _, _ := strings.Cut(e.Host, ":")
	if e.hostFailed() && !strings.Contains(cause, strings.Trim(host, "[]")) {
		cause = e.Host + ": " + cause
	}
	text := fmt.Sprintf("authentik: %s: %s", subject(e.Op, e.Method, e.Path), oneLine(cause))
	if e.remedy != "" {
		text += "; " + e.remedy
	}
	if e.last != nil {
		text += "; before that " + e.last.status()
		if e.last.Detail != "" {
			text += ": " + oneLine(e.last.Detail)
		}
	}
	return text + trailer("", "", e.Attempts, e.note)
}

// Is reports whether target is [ErrUnreachable], [ErrTLS] or [ErrPerhapsDone]
// and applies.
func (e *RequestError) Is(target error) bool {
	switch target {
	case ErrUnreachable:
		return e.failure() == kindUnreachable
	case ErrTLS:
		return e.failure() == kindTLS
	case ErrPerhapsDone:
		return e.perhapsDone
	}
	return false
}

// Unwrap returns the cause and, if an earlier attempt got a response, its
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

// LogValue returns attributes for log/slog.
func (e *RequestError) LogValue() slog.Value {
	attrs := []slog.Attr{
		kindOf(e), sentinelsOf(e),
		slog.String("op", e.Op), slog.String("method", e.Method), slog.String("host", e.Host), slog.String("path", e.Path),
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

// Error returns one line with the operation, the status, the media type, the
// place and the reason, an excerpt, the request ID and the attempts.
func (e *DecodeError) Error() string {
	var b strings.Builder
	b.WriteString("authentik: ")
	if e.Op != "" {
		fmt.Fprintf(&b, "%s: ", subject(e.Op, e.Method, e.Path))
	}
	b.WriteString("invalid response")
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
	if titled := errors.Is(e.Err, errPage) && errors.Unwrap(e.Err) != nil; e.Excerpt != "" && !titled {
		b.WriteString(": " + e.Excerpt)
	}
	if e.Attempts != 0 {
		b.WriteString(trailer(e.RequestID, e.sender, e.Attempts, e.note))
	}
	return b.String()
}

// Is reports whether target is [ErrNotAuthentik] or [ErrPerhapsDone] and applies.
func (e *DecodeError) Is(target error) bool {
	return target == ErrPerhapsDone && e.perhapsDone || target == ErrNotAuthentik && e.sender != ""
}

// Unwrap returns the reason.
func (e *DecodeError) Unwrap() error { return e.Err }

// LogValue returns attributes for log/slog.
func (e *DecodeError) LogValue() slog.Value {
	return slog.GroupValue(
		kindOf(e), sentinelsOf(e),
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
	if e.messages() == 0 {
		return text + "the server did not import the file and gave no reason"
	}
	return text + fmt.Sprintf(
		"the server did not import the file: Result.Logs has the reason (messages: %d)", e.messages())
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

// Error returns one line with the operation, the field and the reason.
func (e *ArgumentError) Error() string {
	return fmt.Sprintf("authentik: %s: %s: %s", e.Op, e.Field, e.Reason)
}

// LogValue returns attributes for log/slog.
func (e *ArgumentError) LogValue() slog.Value {
	return slog.GroupValue(kindOf(e),
		slog.String("op", e.Op), slog.String("field", e.Field), slog.String("reason", oneLine(e.Reason)))
}

// maxMessage bounds what an error repeats of the server's words, in bytes.
const maxMessage = 512

func oneLine(s string) string { return transport.OneLine(s, maxMessage) }

// statusText returns the status with net/http's words, because the server may choose
// any reason phrase.
func statusText(code int) string {
	return strings.TrimSpace(strconv.Itoa(code) + " " + http.StatusText(code))
}

func trailer(requestID, sender string, attempts int, note string) string {
	var parts []string
	if requestID != "" {
		parts = append(parts, "request "+oneLine(requestID))
	}
	if sender != "" {
		parts = append(parts, "sent by "+sender+" in front of authentik")
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
