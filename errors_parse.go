package authentik

import (
	"bytes"
	"cmp"
	"crypto/tls"
	"crypto/x509"
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
		answer, err = c.newAPIError(t, a, r)
	}
	switch {
	case r.DecodeFailed:
		err = newDecodeError(t, r.Answer, r, c.transport.Redact)
	case r.Err != nil:
		err = c.newRequestError(t, r, answer)
	case t.method == http.MethodDelete && r.PerhapsDone && errors.Is(err, ErrNotFound) && saysJSON(r.Answer):
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

// saysJSON reports whether a response is JSON, or would be if it were whole. The
// 404 of a path that does not exist is HTML.
func saysJSON(a *transport.Answer) bool {
	return json.Valid(a.Body) || jsonType(a.Header.Get("Content-Type"))
}

// newAPIError makes the error of a response: an APIError, or the kind of it
// that belongs to the status.
func (c *Client) newAPIError(t target, a *transport.Answer, r transport.Result) (*APIError, error) {
	redact := c.transport.Redact
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
	case e.Foreign:
		e.sender = sender(a, redact)
		said.detail = redact(transport.Reason(a.StatusCode, a.Header, body))
	case json.Unmarshal([]byte(body), &value) == nil: // whatever it is called: routers call it text/plain
		said.read(value)
	case a.Starting, (mediaType == "text/plain" || mediaType == "") && len(body) <= maxMessage:
		said.detail = strings.TrimSpace(body)
	}
	if said.detail == "" && value == nil && body != "" && !jsonType(mediaType) { // truncated JSON is the API's
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
		e.Detail, e.advice = c.redirect(t.path, location)
	}
	return e, e
}

// sender names who sent a response that is not authentik's.
func sender(a *transport.Answer, redact func(string) string) string {
	return cmp.Or(transport.OneLine(redact(a.Header.Get("Server")), maxSender), "something")
}

const maxSender = 64

// redirect says where a response redirects to, and what to do about it.
func (c *Client) redirect(path, location string) (detail, advice string) {
	base := url.URL{Scheme: c.base.Scheme, Host: c.base.Host, Path: path}
	to, err := base.Parse(location)
	if err != nil {
		return "redirected to a malformed URL; no redirect is followed", ""
	}
	to.User, to.RawQuery, to.Fragment, to.ForceQuery = nil, "", "", false
	sameHost := strings.EqualFold(to.Hostname(), base.Hostname())
	samePath := strings.TrimSuffix(to.EscapedPath(), "/") == strings.TrimSuffix(path, "/")
	same := to.Scheme == base.Scheme && strings.EqualFold(to.Host, base.Host) && samePath
	shown := to.String()
	if relative, err := url.Parse(location); err == nil && relative.Host == "" {
		shown = to.EscapedPath()
	}
	detail = "redirected to " + c.transport.Redact(shown)
	switch {
	case same && to.EscapedPath() == path:
		detail = "redirected to the same URL"
		advice = "Let the proxy in front of authentik pass the path " + apiPath + " without a cookie or a login."
	case same:
		detail = "redirected to the same URL without the slash at its end"
		advice = "Configure the proxy in front of authentik so that it keeps the slash at the end of a path."
	case sameHost && samePath && base.Scheme == "http" && to.Scheme == "https":
		advice = "Use https:// in the base URL."
	case sameHost && base.Scheme == "https" && to.Scheme == "http":
		advice = "Tell the proxy in front of authentik that it is reached over https://: it redirects to http://."
	case samePath:
		advice = "Use the URL that the redirect leads to as the base URL, up to " + apiPath + "."
	default:
		advice = "Check the base URL, and let the proxy in front of authentik pass " + apiPath + " without a login."
	}
	return detail + "; no redirect is followed", advice
}

// newRequestError makes the error of a request without a usable response. last
// is the response of an earlier attempt.
func (c *Client) newRequestError(t target, r transport.Result, last *APIError) *RequestError {
	return &RequestError{
		Op: t.op, Method: t.method, Path: t.path, Host: c.base.Host, Attempts: r.Attempts,
		Err: redactError(r.Err, c.transport.Redact), last: last,
		kind: failureKind(r.Err), remedy: c.remedy(r.Err), ending: t.ending(r),
	}
}

// remedy returns what solves a failure for certain, "" if nothing does.
func (c *Client) remedy(err error) string {
	_, untrusted := errors.AsType[x509.UnknownAuthorityError](err)
	_, certificate := errors.AsType[*tls.CertificateVerificationError](err)
	var all []string
	switch text := err.Error(); {
	case untrusted, certificate && strings.Contains(text, "not trusted"): // the latter is macOS's
		all = append(all, "use WithHTTPClient with the CA in RootCAs")
	case c.base.Scheme == "http" && strings.Contains(text, tlsAlert):
		all = append(all, "the server speaks TLS, use https://")
	}
	if c.insecureEnv && (certificate || untrusted) {
		all = append(all, insecureIgnored)
	}
	return strings.Join(all, "; ")
}

// tlsAlert is how net/http quotes the response of a TLS port to plain HTTP.
const tlsAlert = `malformed HTTP response "\x15\x03`

const insecureIgnored = "AUTHENTIK_INSECURE is set, and not supported"

// redactError replaces an error whose text repeats a secret, such as one about
// a malformed header, or one of a caller's UnmarshalJSON. Nothing is then left
// of it to unwrap.
func redactError(err error, redact func(string) string) error {
	if text := err.Error(); redact(text) != text {
		return errors.New(redact(text))
	}
	return err
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

// errNotJSON reports a body that begins like no JSON value.
var errNotJSON = errors.New("not JSON")

// readable rejects a success whose body cannot be authentik's: an HTML page
// without a request ID, and an encoding that was not requested.
func readable(a *transport.Answer) error {
	if encoding := transport.Encoding(a.Header, a.Body); encoding != "" && len(a.Body) > 0 {
		return encodingError(encoding)
	}
	if a.Foreign() {
		return errPage
	}
	return nil
}

var errPage = errors.New("an HTML page")

// encodingError is a content encoding that was not requested.
type encodingError string

func (e encodingError) Error() string {
	return "the body is encoded as " + string(e) + ", which was not requested"
}

// newDecodeError makes the error of a response that is not of the requested
// kind.
func newDecodeError(t target, a *transport.Answer, r transport.Result, redact func(string) string) *DecodeError {
	e := &DecodeError{
		Op: t.op, Method: t.method, Path: t.path, StatusCode: a.StatusCode, Attempts: r.Attempts,
		RequestID:   redact(a.Header.Get(transport.RequestIDHeader)),
		ContentType: redact(a.Header.Get("Content-Type")),
		Err:         r.Err,
		ending:      t.ending(r),
	}
	if e.RequestID == "" && (errors.Is(r.Err, errPage) || errors.Is(r.Err, errNotJSON)) {
		e.sender = sender(a, redact)
	}
	e.locate(r.Err, a.Body, redact)
	e.Err = redactError(e.Err, redact)
	_, encoded := errors.AsType[encodingError](r.Err)
	switch {
	case encoded:
		e.Excerpt = ""
	case errors.Is(r.Err, errPage):
		if title := transport.PageReason(a.StatusCode, a.Header.Get("Server"), redact(string(a.Body))); title != "" {
			e.Err = fmt.Errorf("%w: %s", errPage, transport.OneLine(redact(title), maxExcerpt))
		}
	case errors.Is(r.Err, ErrResponseTooLarge):
		e.Err = fmt.Errorf("%w: request a smaller PageSize, or raise WithMaxResponseSize", r.Err)
	}
	return e
}

// locate fills in where in body err is, and what is there. Of a body that is
// JSON only that is shown: the rest is somebody's data.
func (e *DecodeError) locate(err error, body []byte, redact func(string) string) {
	trimmed := bytes.TrimLeft(body, " \t\r\n")
	object := bytes.HasPrefix(trimmed, []byte("{")) || bytes.HasPrefix(trimmed, []byte("["))
	if in, ok := errors.AsType[*wire.Error](err); ok {
		path, reason := in.Path, in.Err
		below, nested := errors.AsType[*wire.Error](reason) // of an UnmarshalJSON
		if nested {
			path, reason = strings.Trim(path+"."+below.Path, "."), below.Err
			body = nil
		}
		e.JSONPath, e.Err = transport.OneLine(redact(path), maxExcerpt), reason
		if object && !nested {
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

// isJSON rejects a body that begins like no JSON value. The Content-Type
// decides nothing: test servers and proxies leave it out or fold it.
func isJSON(a *transport.Answer) error {
	body := bytes.TrimLeft(a.Body, " \t\r\n")
	if len(body) == 0 {
		return errors.New("empty body")
	}
	if !strings.ContainsRune(`{["-0123456789tfn`, rune(body[0])) {
		return errNotJSON
	}
	return nil
}
