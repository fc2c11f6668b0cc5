package authentik

import (
	"bytes"
	"context"
	"errors"
	"net/url"
	"reflect"
	"strings"

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
