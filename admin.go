package authentik

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/seed-299d42e7/authentik-go/internal/wire"
)

// ServerVersion returns the version of the server, such as "2024.10.0".
//
//	GET /admin/version/
//
// Requires no permission beyond a valid token. ServerVersion thus shows whether
// a token is valid, which a 403 of another method does not: see
// [PermissionError].
//
// Errors: [PermissionError], [APIError], [RequestError], [DecodeError].
//
// https://api.goauthentik.io/reference/admin-version-retrieve/
func (c *Client) ServerVersion(ctx context.Context, opts ...RequestOption) (string, error) {
	v, err := call(ctx, c, get(opVersion, "admin/version/"), opts, object(func(v *version) error {
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

const opVersion = "ServerVersion"

type version struct {
	Current string `json:"version_current"`
}

// release is a release of authentik.
type release struct{ year, month int }

func (r release) String() string { return fmt.Sprintf("%d.%d", r.year, r.month) }

// parseRelease returns the release of a version such as 2025.10.0-rc1.
func parseRelease(version string) (r release, ok bool) {
	n, _ := fmt.Sscanf(version, "%d.%d", &r.year, &r.month)
	return r, n == 2
}

func (r release) before(other release) bool {
	return r.year < other.year || r.year == other.year && r.month < other.month
}

// learned holds what a client has found out about its server. Client has a
// pointer to it, so that a Client can be copied for printing.
type learned struct {
	release    atomic.Pointer[release]
	importPath atomic.Pointer[string]
}

// since reports whether the server is known to be of a release, or of a later
// one. A server does not become older, so that one request is enough for a
// server that is new enough.
func (c *Client) since(ctx context.Context, r release) bool {
	if known := c.learned.release.Load(); known != nil && !known.before(r) {
		return true
	}
	version, err := c.ServerVersion(ctx)
	if err != nil {
		return false
	}
	now, _ := parseRelease(version) // if that is not known, a release before all others
	c.learned.release.Store(&now)
	return !now.before(r)
}
