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
	v, err := call(ctx, c, get("ServerVersion", "admin/version/"), opts, object(func(v *version) error {
		if v.Current == "" {
			return &wire.Error{Path: "version_current", Err: errors.New("empty")}
		}
		return nil
	}))
	if err != nil {
		return "", err
	}
	return v.Current, nil
}

type version struct {
	Current string `json:"version_current"`
}
