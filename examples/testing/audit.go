// Package audit is an example of a package that uses authentik, and of how it
// is tested: see its test.
package audit

import (
	"context"
	"errors"
	"fmt"

	"github.com/seed-299d42e7/authentik-go"
)

// ErrTooOld is of servers that do not tell who may start a flow.
var ErrTooOld = errors.New("authentik is older than 2022.12")

// OpenFlows returns the slugs of the flows that anybody may start, whether
// they are logged in or not, in order.
func OpenFlows(ctx context.Context, client *authentik.Client) ([]string, error) {
	flows, err := authentik.Snapshot(client.FlowsInstancesAll(ctx, nil))
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	var open []string
	for _, flow := range flows {
		switch flow.Authentication {
		case "":
			return nil, fmt.Errorf("audit: %w", ErrTooOld)
		case authentik.FlowAuthenticationNone:
			open = append(open, flow.Slug)
		}
	}
	return open, nil
}
