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
	o := get("Get", "")
	o.query = query
	var err error
	if o.path, err = cleanPath(path); err != nil {
		o = o.refuse("path", err.Error())
	}
	target := reflect.ValueOf(out)
	if out != nil && (target.Kind() != reflect.Pointer || target.IsNil()) {
		o = o.refuse("out", "must be a pointer to a value")
	}
	_, err = call(ctx, c, o, opts, func(a *transport.Answer) (none struct{}, err error) {
		if out == nil {
			return none, nil
		}
		if err = cmp.Or(status(a, http.StatusOK), isJSON(a)); err == nil {
			err = decodeInto(a.Body, target)
		}
		return none, err
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

// decodeInto decodes into a new value and then sets target to it: an error
// leaves nothing behind.
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
	if modeled(kind) {
		return wire.Decode(body, out)
	}
	if err := wire.Check(body); err != nil {
		return err
	}
	if bytes.Equal(bytes.TrimSpace(body), []byte("null")) && kind.Kind() != reflect.Pointer && kind.Kind() != reflect.Interface {
		return errors.New("null, want a value") // encoding/json would leave the zero value
	}
	return unmarshal(body, out)
}

// modeled reports whether a type is one of this package's structs.
func modeled(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t.PkgPath() == reflect.TypeFor[Flow]().PkgPath()
}

// unmarshal is json.Unmarshal with the path that encoding/json reports.
func unmarshal(data []byte, v any) error {
	err := json.Unmarshal(data, v)
	// A wrapped one is another decoder's, with a path from elsewhere.
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
