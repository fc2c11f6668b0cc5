package authentik

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed-299d42e7/authentik-go/internal/transport"
	"github.com/seed-299d42e7/authentik-go/internal/wire"
)

// What errors.Is answers. The first six go by the status of an [*APIError].
var (
	// ErrBadRequest is status 400: see [ValidationError].
	ErrBadRequest = errors.New("bad request")
	// ErrUnauthorized is status 401, which authentik itself never sends.
	ErrUnauthorized = errors.New("unauthorized")
	// ErrForbidden is status 403: see [PermissionError].
	ErrForbidden = errors.New("forbidden")
	// ErrNotFound is status 404: no such object, or none that the token may see.
	ErrNotFound = errors.New("not found")
	// ErrRateLimited is status 429, which comes from a proxy in front:
	// authentik throttles no token.
	ErrRateLimited = errors.New("rate limited")
	// ErrServer is status 500 and above.
	ErrServer = errors.New("server error")
	// ErrStarting is a server that says that it is coming back, with status
	// 200, 502 or 503. It has been waited for: see [RetryPolicy].
	ErrStarting = errors.New("server is starting")

	// ErrPaginationStuck is a walk that would not end: a page that is not the
	// one asked for, that names a next page other than the following one, or
	// that has nothing new and yet a next one.
	ErrPaginationStuck = errors.New("pagination is stuck")
	// ErrListChanged is a list that changed while it was walked, so that flows
	// may have been missed. Walk again, or let [Snapshot] do so.
	ErrListChanged = errors.New("the list changed during the walk")
	// ErrResponseTooLarge is a body above [WithMaxResponseSize].
	ErrResponseTooLarge = transport.ErrTooLarge
	// ErrAttemptTimeout is an attempt that took longer than [WithTimeout]. It
	// is not the caller's context.DeadlineExceeded.
	ErrAttemptTimeout = transport.ErrAttemptTimeout
	// ErrNoResult is what [One] returns for an empty sequence.
	ErrNoResult = errors.New("no result")
	// ErrMultipleResults is what [One] returns for more than one item.
	ErrMultipleResults = errors.New("more than one result")
)

// APIError is an answer with a status other than 2xx, or a 2xx in which the
// server says that it is starting. A 400 is a [*ValidationError] and a 401 or
// 403 a [*PermissionError]; errors.As reaches the APIError in them too.
type APIError struct {
	Op         string        // the method, such as FlowsInstancesList
	Method     string        // of HTTP
	Path       string        // of the URL, without the query
	StatusCode int           // as sent
	RequestID  string        // X-authentik-id: the server logs it as request_id; "" from a proxy
	Detail     string        // the server's message: "detail", else "error", else a bare text or list of texts
	Code       string        // declared in authentik's schema, never seen
	RetryAfter time.Duration // as sent; 0 if it was not
	Attempts   int           // requests made
	Body       []byte        `json:"-"` // at most 64 KiB, without the token

	contentType string // of a body that is not JSON
	note        string // which page, and why there were no more attempts
}

// ValidationError is a 400: what the server did not accept, by field.
type ValidationError struct {
	*APIError
	// Fields has the messages of each field, by its path if it is nested
	// ("policies[0].order"). They are translated: match on the names.
	Fields map[string][]string
	// NonFieldErrors are those about no field or several.
	NonFieldErrors []string
}

// PermissionError is a 403 or a 401: a bad or expired token, or one that lacks
// a permission. authentik answers 403 for all of them, with a translated
// message; [Client.ServerVersion] succeeds with any valid token, and so tells
// which it is.
type PermissionError struct{ *APIError }

// RequestError is a request without a usable answer: network, TLS, a timeout,
// a token that could not be had, or the caller's context.
type RequestError struct {
	Op, Method, Path string
	Attempts         int // requests made, 0 if the context had ended before
	Err              error

	last *APIError // an earlier attempt's answer
	note string
}

// DecodeError is an answer that is not what was asked for. No part of it is
// ever passed off as a result.
type DecodeError struct {
	Op, Method, Path string
	StatusCode       int
	RequestID        string
	ContentType      string
	JSONPath         string // where, such as results[3].pk; "" is the whole body; at most 200 bytes
	Excerpt          string // at most 200 bytes of what is wrong, printable
	Attempts         int
	Err              error

	note string
}

// ArgumentError is a value that was refused before anything was sent. It does
// not repeat the value.
type ArgumentError struct {
	Op     string // the function or method
	Field  string // the argument, option or field of it
	Reason string
}

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
	fmt.Fprintf(&b, "authentik: %s: %s", e.Op, statusText(e.StatusCode))
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
		return e.StatusCode == http.StatusNotFound
	case ErrRateLimited:
		return e.StatusCode == http.StatusTooManyRequests
	case ErrServer:
		return e.StatusCode >= http.StatusInternalServerError
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

// Error is as of [APIError].
func (e *PermissionError) Error() string { return e.APIError.Error() }

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
		text += "; before that " + statusText(e.last.StatusCode)
		if e.last.Detail != "" {
			text += ": " + oneLine(e.last.Detail)
		}
	}
	return text + trailer("", e.Attempts, e.note)
}

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

// target is what a request asked, as its errors tell it.
type target struct {
	op, method, path string
	page             int // of a walk; 0 is none
}

// note is what else there is to say of a result, in an error's trailer.
func (t target) note(r transport.Result) string {
	switch {
	case t.page == 0:
		return r.GaveUp
	case r.GaveUp == "":
		return fmt.Sprintf("page %d", t.page)
	default:
		return fmt.Sprintf("page %d, %s", t.page, r.GaveUp)
	}
}

// newAPIError makes the error of an answer: an APIError, or the kind of it
// that belongs to the status.
func newAPIError(t target, a *transport.Answer, r transport.Result, blot func(string) string) (*APIError, error) {
	body := blot(string(a.Body))
	e := &APIError{
		Op: t.op, Method: t.method, Path: t.path,
		StatusCode: a.StatusCode, RequestID: blot(a.Header.Get(transport.RequestIDHeader)),
		RetryAfter: a.RetryAfter, Attempts: r.Attempts, Body: []byte(body[:min(len(body), transport.MaxErrorBody)]), note: t.note(r),
	}
	said := serverWords{blot: blot}
	mediaType, _, _ := mime.ParseMediaType(blot(a.Header.Get("Content-Type")))
	var value any
	switch {
	case json.Unmarshal([]byte(body), &value) == nil: // whatever it is called: routers call it text/plain
		said.read(value)
	case a.Starting, (mediaType == "text/plain" || mediaType == "") && len(body) <= maxMessage:
		said.detail = strings.TrimSpace(body)
	case body != "" && !jsonType(mediaType): // JSON that is cut is the API's all the same
		e.contentType = cmp.Or(mediaType, "something else")
	}
	e.Detail, e.Code = said.detail, said.code
	switch a.StatusCode {
	case http.StatusBadRequest:
		return e, &ValidationError{APIError: e, Fields: said.fields, NonFieldErrors: said.nonField}
	case http.StatusUnauthorized, http.StatusForbidden:
		return e, &PermissionError{e}
	}
	e.Detail = cmp.Or(e.Detail, strings.Join(said.nonField, "; ")) // a bare array or string, as of a proxy
	if location := a.Header.Get("Location"); a.StatusCode/100 == 3 && location != "" {
		e.Detail = "redirected to " + blot(origin(location)) + "; no redirect is followed: is the base URL right?"
	}
	return e, e
}

// quiet replaces an error in whose text the server repeats a secret, such as a
// malformed header, or what UnmarshalJSON of a caller's type says of a value.
// Nothing can then be left of it to unwrap.
func quiet(err error, blot func(string) string) error {
	if text := err.Error(); blot(text) != text {
		return errors.New(blot(text))
	}
	return err
}

// origin is what may be told of a Location: no user, query or fragment.
func origin(location string) string {
	u, err := url.Parse(location)
	if err != nil {
		return "a malformed URL"
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

// serverWords is what an error's JSON body says.
type serverWords struct {
	blot         func(string) string
	detail, code string
	fields       map[string][]string
	nonField     []string
}

func (w *serverWords) read(value any) {
	object, ok := value.(map[string]any)
	if !ok {
		w.flatten("", value, 0)
		return
	}
	text := func(key string) string {
		s, ok := object[key].(string)
		if ok {
			delete(object, key) // a list under that name would be a field's
		}
		return w.blot(s)
	}
	detail, err := text("detail"), text("error")
	w.detail, w.code = cmp.Or(detail, err), text("code")
	if messages, ok := object["non_field_errors"]; ok {
		delete(object, "non_field_errors")
		w.flatten("", messages, 0)
	}
	w.flatten("", object, 0)
}

// maxNesting bounds what is flattened: nested serializers go two or three
// levels deep, and a body of brackets 64 thousand.
const maxNesting = 16

// flatten collects messages by the path of their field.
func (w *serverWords) flatten(path string, value any, depth int) {
	if depth > maxNesting {
		return
	}
	switch value := value.(type) {
	case string:
		if path == "" {
			w.nonField = append(w.nonField, w.blot(value))
			return
		}
		if w.fields == nil {
			w.fields = map[string][]string{}
		}
		w.fields[path] = append(w.fields[path], w.blot(value))
	case []any:
		for i, element := range value {
			if _, ok := element.(string); ok {
				w.flatten(path, element, depth+1)
			} else {
				w.flatten(path+"["+strconv.Itoa(i)+"]", element, depth+1)
			}
		}
	case map[string]any:
		for key, element := range value {
			if key = w.blot(key); path != "" {
				key = path + "." + key
			}
			w.flatten(key, element, depth+1)
		}
	}
}

// maxExcerpt is what a DecodeError repeats of a body.
const maxExcerpt = 200

// newDecodeError is for an answer that is not what was asked for.
func newDecodeError(t target, a *transport.Answer, r transport.Result, blot func(string) string) *DecodeError {
	e := &DecodeError{
		Op: t.op, Method: t.method, Path: t.path, StatusCode: a.StatusCode, Attempts: r.Attempts,
		RequestID:   blot(a.Header.Get(transport.RequestIDHeader)),
		ContentType: blot(a.Header.Get("Content-Type")),
		Err:         r.Err,
		note:        t.note(r),
	}
	e.locate(r.Err, a.Body, blot)
	e.Err = quiet(e.Err, blot)
	if errors.Is(r.Err, ErrResponseTooLarge) {
		e.Err = fmt.Errorf("%w: ask for a smaller PageSize, or raise WithMaxResponseSize", r.Err)
	}
	return e
}

// locate fills in where in body err is, and what is there. Of a body that is
// JSON only that is shown: the rest is somebody's data.
func (e *DecodeError) locate(err error, body []byte, blot func(string) string) {
	trimmed := bytes.TrimLeft(body, " \t\r\n")
	object := bytes.HasPrefix(trimmed, []byte("{")) || bytes.HasPrefix(trimmed, []byte("["))
	var in *wire.Error
	if errors.As(err, &in) {
		e.JSONPath, e.Err = transport.OneLine(blot(in.Path), maxExcerpt), in.Err
		if object {
			body = body[in.Start:in.End]
		}
	} else if object {
		body = nil
	}
	// Blotted before it is cut: a token cut in two would not be found.
	e.Excerpt = transport.OneLine(blot(string(body)), maxExcerpt)
}
