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
	page             int // of an iterator; 0 is none
}

// ending returns how a result ended, for an error's trailer and its Is.
func (t target) ending(result transport.Result) ending {
	var notes []string
	if t.page != 0 {
		notes = append(notes, fmt.Sprintf("page %d", t.page))
	}
	if result.StopReason != "" {
		notes = append(notes, result.StopReason)
	}
	if result.PerhapsDone {
		notes = append(notes, ErrPerhapsDone.Error())
	}
	return ending{note: strings.Join(notes, ", "), perhapsDone: result.PerhapsDone}
}

// outcome returns the error of a result, nil for a success, and fills in response.
func (c *Client) outcome(t target, result transport.Result, response *Response) error {
	var err error
	var failure *APIError
	resp := result.Response
	if resp != nil && !resp.OK {
		failure, err = c.newAPIError(t, result)
	}
	switch {
	case result.DecodeFailed:
		err = newDecodeError(t, result, c.transport.Redact)
	case result.Err != nil:
		err = c.newRequestError(t, result, failure)
	case t.method == http.MethodDelete && result.PerhapsDone && errors.Is(err, ErrNotFound) && saysJSON(resp):
		err, failure = nil, nil // an earlier attempt, whose response was lost, has deleted it
	}
	if response != nil {
		*response = Response{Attempts: result.Attempts}
		if resp != nil {
			response.StatusCode, response.Header, response.Body = resp.StatusCode, resp.Header, resp.Body
			response.RequestID = resp.Header.Get(transport.RequestIDHeader)
		}
		if failure != nil {
			response.Body = bytes.Clone(failure.Body)
		}
	}
	return err
}

// saysJSON reports whether a response is JSON, or would be if it were whole. The
// 404 of a path that does not exist is HTML.
func saysJSON(resp *transport.Response) bool {
	return json.Valid(resp.Body) || jsonType(resp.Header.Get("Content-Type"))
}

// newAPIError returns the APIError of a response, and the error of its status,
// which is or wraps the APIError.
func (c *Client) newAPIError(t target, result transport.Result) (*APIError, error) {
	resp, redact := result.Response, c.transport.Redact
	body := redact(string(resp.Body))
	e := &APIError{
		Op: t.op, Method: t.method, Path: t.path,
		StatusCode: resp.StatusCode, RequestID: redact(resp.Header.Get(transport.RequestIDHeader)),
		RetryAfter: resp.RetryAfter, Attempts: result.Attempts, Body: []byte(body[:min(len(body), transport.MaxErrorBody)]),
		Foreign: resp.Foreign(), crashed: resp.Crashed, ending: t.ending(result),
	}
	said := errorBody{redact: redact}
	mediaType, _, _ := mime.ParseMediaType(redact(resp.Header.Get("Content-Type")))
	var value any
	switch {
	case e.Foreign:
		e.sender = sender(resp, redact)
		said.detail = redact(transport.Reason(resp.StatusCode, resp.Header, body))
	case json.Unmarshal([]byte(body), &value) == nil: // whatever the Content-Type: routers send text/plain
		said.read(value)
	case resp.Starting, (mediaType == "text/plain" || mediaType == "") && len(body) <= maxMessage:
		said.detail = strings.TrimSpace(body)
	}
	if said.detail == "" && value == nil && body != "" && !jsonType(mediaType) { // truncated JSON is the API's
		e.contentType = cmp.Or(mediaType, "something else")
	}
	e.Detail = said.detail
	switch resp.StatusCode {
	case http.StatusBadRequest:
		return e, &ValidationError{APIError: e, Fields: said.fields, NonFieldErrors: said.nonField}
	case http.StatusUnauthorized, http.StatusForbidden:
		return e, &PermissionError{APIError: e}
	}
	e.Detail = cmp.Or(e.Detail, strings.Join(said.nonField, "; ")) // a bare array or string, as of a proxy
	if location := resp.Header.Get("Location"); resp.StatusCode/100 == 3 && location != "" {
		e.Detail, e.advice = c.redirect(t.path, location)
	}
	return e, e
}

// sender names who sent a response that is not authentik's.
func sender(resp *transport.Response, redact func(string) string) string {
	return cmp.Or(transport.OneLine(redact(resp.Header.Get("Server")), maxSender), "something")
}

const maxSender = 64

// redirect returns where a response redirects to, and advice for Hint.
func (c *Client) redirect(path, location string) (detail, advice string) {
	const malformed = "redirected to a malformed URL; no redirect is followed"
	base := withPath(url.URL{Scheme: c.base.Scheme, Host: c.base.Host}, path)
	reference, err := url.Parse(location)
	if err != nil {
		return malformed, ""
	}
	to := base.ResolveReference(reference)
	if to.Hostname() == "" { // as in https:/if/flow/
		return malformed, ""
	}
	to.User, to.RawQuery, to.Fragment, to.ForceQuery = nil, "", "", false
	hostMatches := strings.EqualFold(to.Hostname(), base.Hostname())
	samePath := strings.TrimSuffix(to.EscapedPath(), "/") == strings.TrimSuffix(path, "/")
	same := to.Scheme == base.Scheme && strings.EqualFold(to.Host, base.Host) && samePath
	shown := to.String()
	if reference.Host == "" {
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
	case hostMatches && samePath && base.Scheme == "http" && to.Scheme == "https":
		advice = "Use https:// in the base URL."
	case hostMatches && base.Scheme == "https" && to.Scheme == "http":
		advice = "Tell the proxy in front of authentik that it is reached over https://: it redirects to http://."
	case samePath:
		advice = "Use the URL that the redirect leads to as the base URL, up to " + apiPath + "."
	default:
		advice = "Check the base URL, and let the proxy in front of authentik pass " + apiPath + " without a login."
	}
	return detail + "; no redirect is followed", advice
}

// newRequestError returns the error of a request without a usable response. last
// is the response of an earlier attempt.
func (c *Client) newRequestError(t target, result transport.Result, last *APIError) *RequestError {
	return &RequestError{
		Op: t.op, Method: t.method, Path: t.path, Host: c.base.Host, Attempts: result.Attempts,
		Err: redactError(result.Err, c.transport.Redact), last: last,
		kind: failureKind(result.Err), remedy: c.remedy(result.Err), ending: t.ending(result),
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
		all = append(all, speaksTLS)
	}
	if c.insecureEnv && (certificate || untrusted) {
		all = append(all, insecureIgnored)
	}
	return strings.Join(all, "; ")
}

// tlsAlert is how net/http quotes the response of a TLS port to plain HTTP.
const tlsAlert = `malformed HTTP response "\x15\x03`

const speaksTLS = "the server speaks TLS, use https://"

const insecureIgnored = "AUTHENTIK_INSECURE is set, and not supported"

// redactError replaces an error whose text repeats a secret, such as one about
// a malformed header, or one of a caller's UnmarshalJSON. The replacement wraps
// nothing.
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
			delete(object, key) // a list with this key would be that of a field
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

// maxNesting bounds the depth of flatten. Nested serializers are two or three
// levels deep, and a body of nothing but brackets is 64 thousand levels deep.
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

// maxExcerpt bounds what a DecodeError repeats of a body, in bytes.
const maxExcerpt = 200

// errNotJSON reports a body that does not begin as a JSON value.
var errNotJSON = errors.New("not JSON")

// readable rejects a success whose body cannot be authentik's: an HTML page
// without a request ID, and an encoding that was not requested.
func readable(resp *transport.Response) error {
	if err := transport.CheckEncoding(resp.Header, resp.Body); err != nil && len(resp.Body) > 0 {
		return err
	}
	if resp.Foreign() {
		return errPage
	}
	return nil
}

var errPage = errors.New("an HTML page")

// newDecodeError returns the error of a response that is not of the requested
// kind.
func newDecodeError(t target, result transport.Result, redact func(string) string) *DecodeError {
	resp := result.Response
	e := &DecodeError{
		Op: t.op, Method: t.method, Path: t.path, StatusCode: resp.StatusCode, Attempts: result.Attempts,
		RequestID:   redact(resp.Header.Get(transport.RequestIDHeader)),
		ContentType: redact(resp.Header.Get("Content-Type")),
		Err:         result.Err,
		ending:      t.ending(result),
	}
	if e.RequestID == "" && (errors.Is(result.Err, errPage) || errors.Is(result.Err, errNotJSON)) {
		e.sender = sender(resp, redact)
	}
	e.locate(result.Err, resp.Body, redact)
	e.Err = redactError(e.Err, redact)
	_, encoded := errors.AsType[transport.EncodingError](result.Err)
	switch {
	case encoded:
		e.Excerpt = ""
	case errors.Is(result.Err, errPage):
		if title := transport.PageReason(resp.StatusCode, resp.Header.Get("Server"), redact(string(resp.Body))); title != "" {
			e.Err = fmt.Errorf("%w: %s", errPage, transport.OneLine(redact(title), maxExcerpt))
		}
	case errors.Is(result.Err, ErrResponseTooLarge):
		e.Err = fmt.Errorf("%w: request a smaller PageSize, or raise WithMaxResponseSize", result.Err)
	}
	return e
}

// locate sets the place of err in body and the excerpt. The excerpt of JSON has
// only the invalid part, because the rest is somebody's data.
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
	// The text is redacted before it is truncated, because half a token would not be
	// found.
	e.Excerpt = transport.OneLine(redact(string(body)), maxExcerpt)
}

// errOtherObject reports a response that has another object than the requested one.
var errOtherObject = errors.New("response is for a different object")

// sameKey rejects an object whose key, which is at path, is another one.
func sameKey[T comparable](path string, got, want T) error {
	if got != want {
		return &wire.Error{Path: path, Err: errOtherObject}
	}
	return nil
}

// jsonType reports whether a Content-Type is that of JSON.
func jsonType(contentType string) bool {
	mediaType, _, _ := strings.Cut(contentType, ";")
	mediaType = strings.ToLower(strings.TrimSpace(mediaType))
	return mediaType == "application/json" || strings.HasSuffix(mediaType, "+json")
}

// isJSON rejects a body that does not begin as a JSON value. The Content-Type
// does not count, because test servers and proxies omit or misspell it.
func isJSON(resp *transport.Response) error {
	body := bytes.TrimLeft(resp.Body, " \t\r\n")
	if len(body) == 0 {
		return errors.New("empty body")
	}
	if !strings.ContainsRune(`{["-0123456789tfn`, rune(body[0])) {
		return errNotJSON
	}
	return nil
}
