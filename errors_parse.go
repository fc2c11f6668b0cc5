package authentik

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/seed-299d42e7/authentik-go/internal/transport"
	"github.com/seed-299d42e7/authentik-go/internal/wire"
)

// target describes a request in its errors.
type target struct {
	op, method, path string
	page             int // of a walk; 0 is none
}

// ending returns how a result ended, for an error's trailer and its Is.
func (t target) ending(r transport.Result) ending {
	var notes []string
	if t.page != 0 {
		notes = append(notes, fmt.Sprintf("page %d", t.page))
	}
	if r.StopReason != "" {
		notes = append(notes, r.StopReason)
	}
	if r.PerhapsDone {
		notes = append(notes, "the server may have executed the request")
	}
	return ending{note: strings.Join(notes, ", "), perhapsDone: r.PerhapsDone}
}

// outcome turns a result into an error, if it is one, and fills in response.
func (c *Client) outcome(t target, r transport.Result, response *Response) error {
	var err error
	var answer *APIError
	if a := r.Answer; a != nil && !a.OK {
		answer, err = newAPIError(t, a, r, c.transport.Redact)
	}
	switch {
	case r.DecodeFailed:
		err = newDecodeError(t, r.Answer, r, c.transport.Redact)
	case r.Err != nil:
		err = &RequestError{t.op, t.method, t.path, r.Attempts, redactError(r.Err, c.transport.Redact), answer, t.ending(r)}
	case t.method == http.MethodDelete && r.PerhapsDone && errors.Is(err, ErrNotFound) && json.Valid(answer.Body):
		err, answer = nil, nil // an earlier attempt, whose response was lost, has deleted it
	}
	if response != nil {
		*response = Response{Attempts: r.Attempts}
		if a := r.Answer; a != nil {
			response.StatusCode, response.Header, response.Body = a.StatusCode, a.Header, a.Body
			response.RequestID = a.Header.Get(transport.RequestIDHeader)
		}
		if answer != nil {
			response.Body = bytes.Clone(answer.Body)
		}
	}
	return err
}

// newAPIError makes the error of an answer: an APIError, or the kind of it
// that belongs to the status.
func newAPIError(t target, a *transport.Answer, r transport.Result, redact func(string) string) (*APIError, error) {
	body := redact(string(a.Body))
	e := &APIError{
		Op: t.op, Method: t.method, Path: t.path,
		StatusCode: a.StatusCode, RequestID: redact(a.Header.Get(transport.RequestIDHeader)),
		RetryAfter: a.RetryAfter, Attempts: r.Attempts, Body: []byte(body[:min(len(body), transport.MaxErrorBody)]),
		Foreign: a.Foreign(), crashed: a.Crashed, ending: t.ending(r),
	}
	said := errorBody{redact: redact}
	mediaType, _, _ := mime.ParseMediaType(redact(a.Header.Get("Content-Type")))
	var value any
	switch {
	case json.Unmarshal([]byte(body), &value) == nil: // whatever it is called: routers call it text/plain
		said.read(value)
	case a.Starting, (mediaType == "text/plain" || mediaType == "") && len(body) <= maxMessage:
		said.detail = strings.TrimSpace(body)
	case body != "" && !jsonType(mediaType): // JSON that is cut is the API's all the same
		e.contentType = cmp.Or(mediaType, "something else")
	}
	e.Detail = said.detail
	switch a.StatusCode {
	case http.StatusBadRequest:
		return e, &ValidationError{APIError: e, Fields: said.fields, NonFieldErrors: said.nonField}
	case http.StatusUnauthorized, http.StatusForbidden:
		return e, &PermissionError{APIError: e}
	}
	e.Detail = cmp.Or(e.Detail, strings.Join(said.nonField, "; ")) // a bare array or string, as of a proxy
	if location := a.Header.Get("Location"); a.StatusCode/100 == 3 && location != "" {
		e.Detail = "redirected to " + redact(origin(location)) + "; no redirect is followed: is the base URL right?"
	}
	return e, e
}

// redactError replaces an error whose text repeats a secret, such as one about
// a malformed header, or one of a caller's UnmarshalJSON. Nothing is then left
// of it to unwrap.
func redactError(err error, redact func(string) string) error {
	if text := err.Error(); redact(text) != text {
		return errors.New(redact(text))
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

// errorBody collects the messages of an error's JSON body.
type errorBody struct {
	redact   func(string) string
	detail   string
	fields   map[string][]string
	nonField []string
}

func (b *errorBody) read(value any) {
	object, ok := value.(map[string]any)
	if !ok {
		b.flatten("", value, 0)
		return
	}
	text := func(key string) string {
		s, ok := object[key].(string)
		if ok {
			delete(object, key) // a list under that name would be a field's
		}
		return b.redact(s)
	}
	detail, err := text("detail"), text("error")
	b.detail = cmp.Or(detail, err)
	_ = text("code") // declared in the schema; no server sends it
	if messages, ok := object["non_field_errors"]; ok {
		delete(object, "non_field_errors")
		b.flatten("", messages, 0)
	}
	b.flatten("", object, 0)
}

// maxNesting bounds what is flattened: nested serializers go two or three
// levels deep, and a body of brackets 64 thousand.
const maxNesting = 16

// flatten collects messages by the path of their field.
func (b *errorBody) flatten(path string, value any, depth int) {
	if depth > maxNesting {
		return
	}
	switch value := value.(type) {
	case string:
		if path == "" {
			b.nonField = append(b.nonField, b.redact(value))
			return
		}
		if b.fields == nil {
			b.fields = map[string][]string{}
		}
		b.fields[path] = append(b.fields[path], b.redact(value))
	case []any:
		for i, element := range value {
			if _, ok := element.(string); ok {
				b.flatten(path, element, depth+1)
			} else {
				b.flatten(path+"["+strconv.Itoa(i)+"]", element, depth+1)
			}
		}
	case map[string]any:
		for key, element := range value {
			if key = b.redact(key); path != "" {
				key = path + "." + key
			}
			b.flatten(key, element, depth+1)
		}
	}
}

// maxExcerpt is what a DecodeError repeats of a body.
const maxExcerpt = 200

// newDecodeError is for an answer that is not what was asked for.
func newDecodeError(t target, a *transport.Answer, r transport.Result, redact func(string) string) *DecodeError {
	e := &DecodeError{
		Op: t.op, Method: t.method, Path: t.path, StatusCode: a.StatusCode, Attempts: r.Attempts,
		RequestID:   redact(a.Header.Get(transport.RequestIDHeader)),
		ContentType: redact(a.Header.Get("Content-Type")),
		Err:         r.Err,
		ending:      t.ending(r),
	}
	e.locate(r.Err, a.Body, redact)
	e.Err = redactError(e.Err, redact)
	if errors.Is(r.Err, ErrResponseTooLarge) {
		e.Err = fmt.Errorf("%w: ask for a smaller PageSize, or raise WithMaxResponseSize", r.Err)
	}
	return e
}

// locate fills in where in body err is, and what is there. Of a body that is
// JSON only that is shown: the rest is somebody's data.
func (e *DecodeError) locate(err error, body []byte, redact func(string) string) {
	trimmed := bytes.TrimLeft(body, " \t\r\n")
	object := bytes.HasPrefix(trimmed, []byte("{")) || bytes.HasPrefix(trimmed, []byte("["))
	if in, ok := errors.AsType[*wire.Error](err); ok {
		e.JSONPath, e.Err = transport.OneLine(redact(in.Path), maxExcerpt), in.Err
		if object {
			body = body[in.Start:in.End]
		}
	} else if object {
		body = nil
	}
	// Redacted before it is truncated: half a token would not be found.
	e.Excerpt = transport.OneLine(redact(string(body)), maxExcerpt)
}

func jsonType(contentType string) bool {
	mediaType, _, _ := strings.Cut(contentType, ";")
	mediaType = strings.ToLower(strings.TrimSpace(mediaType))
	return mediaType == "application/json" || strings.HasSuffix(mediaType, "+json")
}
