package authentik

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strings"

	"github.com/seed-299d42e7/authentik-go/internal/transport"
	"github.com/seed-299d42e7/authentik-go/internal/wire"
)

// Get sends a GET request to any endpoint below /api/v3 and decodes its JSON
// into out, a pointer, with encoding/json; a type of this package and a slice of
// one are decoded as strictly as their own methods do. out is written only if
// there is no error. If out is nil, the response is not decoded and may be of any
// kind: see [WithResponse].
//
//	GET /{path}
//
// [ListAll] iterates over a list. One page of it is a [Page]:
//
//	var groups authentik.Page[Group]
//	err := client.Get(ctx, "core/groups/", url.Values{"page_size": {"100"}}, &groups)
//
// path is relative to /api/v3, such as "core/users/me/"; a missing slash at its
// end is added. A value in a path must be escaped with url.PathEscape.
//
// Errors: [ArgumentError] for a path with "..", an empty segment, a query or a
// fragment, for an absolute URL, and for an out that is not a pointer;
// [ValidationError]; [PermissionError]; [APIError]; [RequestError];
// [DecodeError].
//
// https://api.goauthentik.io/reference/
func (c *Client) Get(ctx context.Context, path string, query url.Values, out any, opts ...RequestOption) error {
	return do(ctx, c, get("Get", ""), path, query, out, opts, func(resp *transport.Response) error {
		return status(resp, http.StatusOK)
	})
}

// Do sends a request of any method to any endpoint below /api/v3. It sends in
// as JSON, unless in is nil, and decodes the JSON of a response with a status
// of 2xx into out as [Client.Get] does. path and query are those of Get.
//
// DELETE, GET, HEAD, OPTIONS and PUT are retried like the reading methods of
// this package. POST and PATCH are sent again only if the server cannot have
// executed them. Use a json.RawMessage for an in that is JSON already.
//
// Errors: those of Get; [ArgumentError] also for a method that is not one of
// these, for an in that encoding/json cannot encode, that is a []byte, or that
// a method without a body would send, for a body larger than 32 MiB, and for an
// out with HEAD.
//
// https://api.goauthentik.io/reference/
func (c *Client) Do(
	ctx context.Context, method, path string, query url.Values, in, out any, opts ...RequestOption,
) error {
	o := operations(method, true)("Do", "")
	body := true
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		body = false
	case http.MethodPut, http.MethodDelete:
	case http.MethodPost, http.MethodPatch:
		o.repeatable = false
	default:
		o = o.refuse("method", "must be DELETE, GET, HEAD, OPTIONS, PATCH, POST or PUT")
	}
	switch _, isBytes := in.([]byte); {
	case in == nil:
	case !body:
		o = o.refuse("in", "must be nil: the method has no body")
	case isBytes:
		o = o.refuse("in", "must not be a []byte, which encoding/json writes as base64: use a json.RawMessage")
	default:
		o = o.withJSON("in", in)
	}
	if out != nil && method == http.MethodHead {
		o = o.refuse("out", "must be nil: the response has no body")
	}
	return do(ctx, c, o, path, query, out, opts, func(*transport.Response) error { return nil })
}

// do sends an operation to a caller's path, and decodes a response that is good.
func do(
	ctx context.Context, c *Client, o operation, path string, query url.Values, out any, opts []RequestOption,
	good func(*transport.Response) error,
) error {
	o = o.to(path, query)
	target := reflect.ValueOf(out)
	if out != nil && (target.Kind() != reflect.Pointer || target.IsNil()) {
		o = o.refuse("out", "must be a pointer to a value")
	}
	_, err := call(ctx, c, o, opts, func(resp *transport.Response) (none struct{}, err error) {
		if out == nil {
			return none, nil
		}
		if err = cmp.Or(good(resp), isJSON(resp)); err == nil {
			err = decodeInto(resp.Body, target)
		}
		return none, err
	})
	return err
}

// to sets a caller's path and query.
func (o operation) to(path string, query url.Values) operation {
	clean, err := cleanPath(path)
	if err != nil {
		o = o.refuse("path", err.Error())
	}
	o.path, o.query = clean, query
	return o
}

func cleanPath(path string) (string, error) {
	if strings.ContainsAny(path, "?#") {
		return "", errors.New("must not have a query or a fragment: the query is an argument of its own")
	}
	if strings.Contains(path, "://") || strings.HasPrefix(path, "//") {
		return "", errors.New("must not be an absolute URL: use what follows /api/v3/")
	}
	path = strings.TrimSuffix(strings.TrimPrefix(path, "/"), "/")
	if path == "" {
		return "", nil // the API's root
	}
	if strings.HasPrefix("/"+path+"/", apiPath) {
		return "", errors.New("must not begin with /api/v3: use what follows")
	}
	if err := checkPath(path); err != nil {
		return "", err
	}
	return withPath(url.URL{}, path).EscapedPath() + "/", nil
}

// decodeInto decodes into a new value and then sets target, so that an error leaves
// target as it was.
func decodeInto(body []byte, target reflect.Value) error {
	fresh := reflect.New(target.Type().Elem())
	if err := decodeAny(body, fresh.Interface()); err != nil {
		return err
	}
	target.Elem().Set(fresh.Elem())
	return nil
}

// decodeAny decodes a type of this package as strictly as the method that
// returns it, and any other with encoding/json.
func decodeAny(body []byte, out any) error {
	kind := reflect.TypeOf(out).Elem()
	if page, ok := out.(interface{ decode(body []byte) error }); ok {
		return page.decode(body)
	}
	if modeled(kind) || kind.Kind() == reflect.Slice && modeled(kind.Elem()) {
		return wire.Decode(body, out)
	}
	if err := wire.Check(body); err != nil {
		return err
	}
	return unmarshalValue(body, out)
}

// unmarshalValue rejects null where encoding/json would leave the zero value.
func unmarshalValue(data []byte, out any) error {
	kind := reflect.TypeOf(out).Elem().Kind()
	if bytes.Equal(bytes.TrimSpace(data), []byte("null")) && kind != reflect.Pointer && kind != reflect.Interface {
		return errors.New("null, want a value")
	}
	return unmarshal(data, out)
}

// modeled reports whether a type is one of this package's structs.
func modeled(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t.PkgPath() == reflect.TypeFor[Flow]().PkgPath()
}

// unmarshal is json.Unmarshal with the path that encoding/json reports.
func unmarshal(data []byte, v any) error {
	err := json.Unmarshal(data, v)
	// A wrapped error is that of another decoder, with a path in another value.
	if typed, ok := err.(*json.UnmarshalTypeError); ok { //nolint:errorlint // see above
		return &wire.Error{Path: typed.Field, Err: fmt.Errorf("%s, want %s", typed.Value, typed.Type)}
	}
	return err
}

// below returns an error about a part of the value at path.
func below(path string, err error) error {
	if in, ok := errors.AsType[*wire.Error](err); ok {
		return &wire.Error{Path: strings.TrimSuffix(path+"."+in.Path, "."), Err: in.Err}
	}
	return &wire.Error{Path: path, Err: err}
}
