package authentik

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/seed-299d42e7/authentik-go/internal/transport"
	"github.com/seed-299d42e7/authentik-go/internal/wire"
)

// libraryVersion is what the User-Agent says.
const libraryVersion = "0.1.0"

const apiPath = "/api/v3/"

// Client asks one authentik server. Make it with [NewClient]; it is safe for
// concurrent use, and one for the whole program is best, because calls then
// share connections. Printing it shows the server's URL and no secret.
type Client struct{ c *client }

type client struct {
	base      url.URL // with the path of the API
	transport *transport.Transport
	// closeIdle is of the http.Transport we made, if we did: a closure, because
	// the buffers of its connections hold the token.
	closeIdle func()
}

// NewClient makes a client of the server at baseURL, with an API token of it
// (Directory → Tokens and App passwords, intent "API Token"). It sends nothing.
//
// baseURL is https://host or, if authentik is served below a path,
// https://host/path; /api/v3 and a trailing slash may follow. Plain http:// is
// for this host only: see [WithInsecureHTTP].
//
// What cannot work is refused as an [*ArgumentError] that repeats neither URL
// nor token: a URL without scheme or host, of another scheme, with user,
// query or fragment; a token that is empty or has spaces, control characters
// or "Bearer " in it; a token together with [WithTokenFunc]; and what each
// option refuses.
func NewClient(baseURL, token string, opts ...ClientOption) (*Client, error) {
	return newClient("baseURL", "token", baseURL, token, opts)
}

// NewClientFromEnv is [NewClient] with the URL in AUTHENTIK_URL and the token
// in AUTHENTIK_TOKEN, the names that authentik's Terraform provider uses. A
// variable that is not set counts as empty.
func NewClientFromEnv(opts ...ClientOption) (*Client, error) {
	return newClient("AUTHENTIK_URL", "AUTHENTIK_TOKEN", os.Getenv("AUTHENTIK_URL"), os.Getenv("AUTHENTIK_TOKEN"), opts)
}

func newClient(urlName, tokenName, baseURL, token string, opts []ClientOption) (*Client, error) {
	cfg := clientConfig{
		header:          http.Header{},
		timeout:         time.Minute,
		maxResponseSize: 8 << 20,
	}
	for _, opt := range opts {
		if opt == nil {
			continue
		}
		if err := opt(&cfg); err != nil {
			return nil, err
		}
	}
	base, err := parseBaseURL(baseURL, cfg.insecureHTTP)
	if err != nil {
		return nil, refuse(urlName, err.Error())
	}
	switch {
	case cfg.tokenFunc != nil && token != "":
		return nil, refuse(tokenName, "there is WithTokenFunc too: give one of them")
	case cfg.tokenFunc == nil:
		if err := checkToken(token); err != nil {
			return nil, refuse(tokenName, err.Error())
		}
		cfg.tokenFunc = func(context.Context) (string, error) { return token, nil }
	}

	c := &client{base: *base}
	send := http.DefaultTransport
	switch {
	case cfg.httpClient == nil:
		own := newHTTPTransport()
		send, c.closeIdle = own, own.CloseIdleConnections
	case cfg.httpClient.Transport != nil:
		send = cfg.httpClient.Transport
	}
	if cfg.httpClient != nil && cfg.httpClient.Timeout > 0 {
		cfg.timeout = min(cfg.timeout, cfg.httpClient.Timeout)
	}
	var secrets []string
	for _, values := range cfg.header {
		secrets = append(secrets, values...)
	}
	cfg.header.Set("Accept", "application/json") // exactly: it decides what a starting server says
	cfg.header.Set("User-Agent", strings.TrimSpace(cfg.userAgent+" authentik-go/"+libraryVersion))
	c.transport, err = transport.New(transport.Config{
		Base: send, Middleware: cfg.middleware,
		Token: cfg.tokenFunc, CheckToken: checkToken,
		Header: cfg.header, Secrets: secrets,
		Policy: transport.Policy(cfg.policy), Timeout: cfg.timeout,
		MaxBody: cfg.maxResponseSize, Logger: cfg.logger,
	})
	if err != nil {
		return nil, refuse("WithMiddleware", err.Error())
	}
	return &Client{c}, nil
}

// newHTTPTransport is net/http's default one with tighter limits, and with
// room for as many idle connections as a busy service keeps.
func newHTTPTransport() *http.Transport {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    10 * time.Second,
		ForceAttemptHTTP2:      true,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 5 * time.Second}, // golang/go#59690
		MaxIdleConnsPerHost:    32,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: 1 << 20,
	}
}

// parseBaseURL returns the URL of the API. Its errors do not repeat the input,
// which may hold a password.
func parseBaseURL(raw string, insecure bool) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil { // the error quotes the input
		return nil, errors.New("it is not a URL such as https://sso.example.com")
	}
	switch {
	case raw == "":
		return nil, errors.New("it is empty")
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, errors.New("it does not begin with https://")
	case u.User != nil:
		return nil, errors.New("it has a user or password in it: authentik takes a token")
	case u.Hostname() == "":
		return nil, errors.New("it has no host")
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(raw, "#"):
		return nil, errors.New("it has a query or fragment: give the server's root")
	}
	if _, port, ok := strings.Cut(u.Host[strings.LastIndexByte(u.Host, ']')+1:], ":"); ok {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return nil, errors.New("its port is not one of 1 to 65535")
		}
	}
	if u.Scheme == "http" && !insecure && !loopback(u.Hostname()) {
		return nil, errors.New("it is http://, where everybody on the way can read the token: use https://, or WithInsecureHTTP")
	}
	path := strings.TrimRight(u.EscapedPath(), "/")
	path = strings.TrimRight(strings.TrimSuffix(path, strings.TrimSuffix(apiPath, "/")), "/")
	if path != "" {
		path = strings.TrimPrefix(path, "/")
		if err := checkPath(path); err != nil {
			return nil, err
		}
		path = "/" + path
	}
	if strings.Contains(path+"/", apiPath) {
		return nil, errors.New("it goes on after /api/v3: give the server's root")
	}
	return withPath(url.URL{Scheme: u.Scheme, Host: u.Host}, path+apiPath), nil
}

func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, _ := netip.ParseAddr(host) // of a name there is none, which is no loopback
	return ip.Unmap().IsLoopback()
}

// checkPath refuses an escaped path, without a slash at its ends, that a
// server or a proxy might read as another one.
func checkPath(path string) error {
	for segment := range strings.SplitSeq(path, "/") {
		text, err := url.PathUnescape(segment)
		switch {
		case err != nil:
			return errors.New("its path has a malformed % escape")
		case text == "":
			return errors.New("its path has an empty segment")
		case text == "." || text == ".." || strings.ContainsAny(text, `/\`):
			return errors.New(`its path has a segment that is "." or "..", or has a slash in it`)
		case strings.ContainsFunc(text, unicode.IsControl) || !utf8.ValidString(text):
			return errors.New("its path has a control character or is not UTF-8")
		}
	}
	return nil
}

// withPath sets an escaped path that checkPath has passed.
func withPath(u url.URL, escaped string) *url.URL {
	u.Path, _ = url.PathUnescape(escaped) // checked
	u.RawPath = escaped                   // url.URL ignores it where Path says the same
	return &u
}

// Close drops the connections that are idle, if NewClient made the transport;
// one of [WithHTTPClient] is its owner's. Calls under way and later ones still
// work; Close may be called again.
func (c *Client) Close() {
	if c != nil && c.c != nil && c.c.closeIdle != nil {
		c.c.closeIdle()
	}
}

// Format prints the server's URL, whatever the verb.
func (c Client) Format(f fmt.State, _ rune) {
	if c.c == nil {
		_, _ = io.WriteString(f, "authentik.Client(not made by NewClient)")
		return
	}
	_, _ = io.WriteString(f, "authentik.Client("+strings.TrimSuffix(c.c.base.String(), apiPath)+")")
}

// ServerVersion returns the server's version, such as "2024.10.0": GET
// /admin/version/, version_current.
//
// Every server answers it for any valid token, without any permission. So it
// also tells whether the token is good, where a 403 of another method may mean
// either: see [PermissionError].
//
// Errors: [PermissionError], [APIError], [RequestError], [DecodeError].
//
// https://api.goauthentik.io/reference/admin-version-retrieve/
func (c *Client) ServerVersion(ctx context.Context, opts ...RequestOption) (string, error) {
	r := request{op: "ServerVersion", path: "admin/version/"}
	v, err := get(ctx, c, r, newRequestConfig(opts).reset(), func(body []byte) (*version, error) {
		v, err := decode(versionFields)(body)
		if err == nil && v.Current == "" {
			err = &wire.Error{Path: "version_current", Err: errors.New("empty")}
		}
		return v, err
	})
	if err != nil {
		return "", err
	}
	return v.Current, nil
}

type version struct{ Current string }

var versionFields = wire.NewObject(
	wire.String("version_current", wire.Required, func(v *version) *string { return &v.Current }),
)

// Get asks any endpoint below /api/v3 that is not modelled here, with the same
// transport and the same errors, and decodes its JSON into out with
// encoding/json: a pointer, which is written only if there is no error. With
// an out of nil the body is not decoded and may be of any kind: see
// [WithResponse]. [Page] is the envelope of authentik's lists:
//
//	var groups authentik.Page[Group]
//	err := client.Get(ctx, "core/groups/", url.Values{"page_size": {"100"}}, &groups)
//
// path is relative to /api/v3, such as "core/users/me/"; the slash at its end
// is added if it is missing. Refused, as an [ArgumentError], are a path with
// "..", an empty segment, a query or a fragment, an absolute URL, and an out
// that is not a pointer. What is put into a path must be escaped with
// url.PathEscape.
//
// Errors: [ArgumentError], [ValidationError], [PermissionError], [APIError],
// [RequestError], [DecodeError].
//
// https://api.goauthentik.io/reference/
func (c *Client) Get(ctx context.Context, path string, query url.Values, out any, opts ...RequestOption) error {
	r := request{op: "Get", query: query, anyBody: out == nil}
	cfg := newRequestConfig(opts).reset()
	path, err := cleanPath(path)
	if err != nil {
		return &ArgumentError{r.op, "path", err.Error()}
	}
	target := reflect.ValueOf(out)
	if out != nil && (target.Kind() != reflect.Pointer || target.IsNil()) {
		return &ArgumentError{r.op, "out", "it is not a pointer to a value"}
	}
	r.path = path
	_, err = get(ctx, c, r, cfg, func(body []byte) (*struct{}, error) {
		if out == nil {
			return nil, nil //nolint:nilnil // nothing is decoded
		}
		return nil, decodeInto(body, target)
	})
	return err
}

func cleanPath(path string) (string, error) {
	if strings.ContainsAny(path, "?#") {
		return "", errors.New("it has a query or a fragment: the query is an argument of its own")
	}
	if strings.Contains(path, "://") || strings.HasPrefix(path, "//") {
		return "", errors.New("it is an absolute URL: give what follows /api/v3/")
	}
	path = strings.TrimSuffix(strings.TrimPrefix(path, "/"), "/")
	if path == "" {
		return "", nil // the API's root
	}
	if strings.HasPrefix("/"+path+"/", apiPath) {
		return "", errors.New("it begins with /api/v3: give what follows")
	}
	if err := checkPath(path); err != nil {
		return "", err
	}
	return withPath(url.URL{}, path).EscapedPath() + "/", nil
}

// decodeInto decodes into a new value and then sets target to it: what fails
// half-way leaves nothing behind.
func decodeInto(body []byte, target reflect.Value) error {
	if err := wire.Check(body); err != nil {
		return err
	}
	kind := target.Elem().Kind()
	if bytes.Equal(bytes.TrimSpace(body), []byte("null")) && kind != reflect.Pointer && kind != reflect.Interface {
		return errors.New("null, want a value") // encoding/json would leave the zero value
	}
	fresh := reflect.New(target.Type().Elem())
	if err := wire.Unmarshal(body, fresh.Interface()); err != nil {
		var ours *DecodeError // a model's or a Page's: it knows the path
		if errors.As(err, &ours) {
			return &wire.Error{Path: ours.JSONPath, Err: ours.Err}
		}
		return err
	}
	target.Elem().Set(fresh.Elem())
	return nil
}

// request is one GET.
type request struct {
	op, path string // path below /api/v3/, escaped
	query    url.Values
	page     int  // of a walk, for its errors; 0 is none
	anyBody  bool // the body is not decoded
}

// get is the way of every operation: the request to the transport, the answer
// to decode (within the retry loop: a cut body is asked for again), and what
// goes wrong to one of the error types.
func get[T any](ctx context.Context, c *Client, r request, cfg requestConfig, decode func([]byte) (*T, error)) (*T, error) {
	if c == nil || c.c == nil {
		return nil, &ArgumentError{r.op, "Client", "it was not made by NewClient"}
	}
	if ctx == nil {
		return nil, &ArgumentError{r.op, "ctx", "it is nil"}
	}
	u := withPath(c.c.base, c.c.base.EscapedPath()+r.path)
	u.RawQuery = r.query.Encode()
	var value *T
	result := c.c.transport.Do(ctx, transport.Request{
		Op: r.op, Method: http.MethodGet, URL: *u,
		Judge: func(a *transport.Answer) (err error) {
			if !r.anyBody {
				if err := usable(a); err != nil {
					return err
				}
			}
			value, err = decode(a.Body)
			return err
		},
	})
	err := c.c.outcome(target{r.op, http.MethodGet, u.EscapedPath(), r.page}, result, cfg.response)
	if err != nil {
		return nil, err
	}
	return value, nil
}

// usable refuses an answer that cannot be a JSON value, before it is decoded.
func usable(a *transport.Answer) error {
	contentType := a.Header.Get("Content-Type")
	switch {
	case a.StatusCode != http.StatusOK:
		return errors.New("unexpected status")
	case len(bytes.TrimSpace(a.Body)) == 0:
		return errors.New("empty body")
	case contentType != "" && !jsonType(contentType):
		return errors.New("not JSON: is it authentik's API?")
	}
	return nil
}

func jsonType(contentType string) bool {
	mediaType, _, _ := strings.Cut(contentType, ";")
	mediaType = strings.ToLower(strings.TrimSpace(mediaType))
	return mediaType == "application/json" || strings.HasSuffix(mediaType, "+json")
}

// outcome turns a result into an error, if it is one, and fills in response.
func (c *client) outcome(t target, r transport.Result, response *Response) error {
	var err error
	var answer *APIError
	if a := r.Answer; a != nil && !a.OK() {
		answer, err = newAPIError(t, a, r, c.transport.Blot)
	}
	switch {
	case r.Judged:
		err = newDecodeError(t, r.Answer, r, c.transport.Blot)
	case r.Err != nil:
		err = &RequestError{t.op, t.method, t.path, r.Attempts, quiet(r.Err, c.transport.Blot), answer, t.note(r)}
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

// decode is for what has a table.
func decode[T any](fields *wire.Object[T]) func([]byte) (*T, error) {
	return func(body []byte) (*T, error) {
		v := new(T)
		return v, wire.Decode(body, fields, v)
	}
}

// unmarshal is UnmarshalJSON for what has a table: as tolerant and as strict
// as the client, and nothing is left of the earlier value.
func unmarshal[T any](data []byte, fields *wire.Object[T], v *T) error {
	var fresh T
	if err := wire.Decode(data, fields, &fresh); err != nil {
		return undecodable(data, err)
	}
	*v = fresh
	return nil
}

func undecodable(data []byte, err error) error {
	e := &DecodeError{Err: err}
	e.locate(err, data, func(s string) string { return s })
	return e
}

// marshal is json.Marshal but for its HTML escapes, which are then the outer
// encoder's to make.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// list keeps an empty list from being marshaled as null.
func list[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
