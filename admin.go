package authentik

import (
	"context"
	"errors"

	"github.com/seed-299d42e7/authentik-go/internal/wire"
)

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
