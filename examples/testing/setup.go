package audit

import (
	"context"
	"errors"
	"fmt"

	"github.com/seed-299d42e7/authentik-go"
)

// ErrNoStage is a stage that authentik does not have.
var ErrNoStage = errors.New("no such stage")

// CreateLogin creates a flow for people to log in with, of stages that exist
// already, in their order. It can be called again, for instance after an
// error, and then completes what is missing.
func CreateLogin(
	ctx context.Context, client *authentik.Client, slug string, stages ...string,
) (*authentik.Flow, error) {
	ids := map[string]authentik.Stage{}
	for stage, err := range client.StagesAllAll(ctx, nil) {
		if err != nil {
			return nil, fmt.Errorf("audit: %w", err)
		}
		ids[stage.Name] = stage
	}
	for _, name := range stages {
		if _, exists := ids[name]; !exists {
			return nil, fmt.Errorf("audit: %w: %s", ErrNoStage, name)
		}
	}
	flow, err := client.FlowsInstancesCreate(ctx, authentik.FlowRequest{
		Slug: slug, Name: slug, Title: "Log in", Designation: authentik.FlowDesignationAuthentication,
		Authentication: authentik.FlowAuthenticationRequireUnauthenticated,
	}, authentik.AdoptExisting())
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	for i, name := range stages {
		_, err := client.BindingsCreate(ctx, authentik.FlowStageBindingRequest{
			Target: flow.PK, Stage: ids[name].PK, Order: new(10 * (i + 1)),
		}, authentik.AdoptExisting())
		if err != nil {
			return nil, fmt.Errorf("audit: stage %s: %w", name, err)
		}
	}
	return flow, nil
}

// CheckLogin reports whether a flow lets a user in: nil if so, and otherwise
// an error with the reason.
func CheckLogin(ctx context.Context, session *authentik.Session, slug, username, password string) error {
	user, err := session.Login(ctx, slug, authentik.Credentials{Username: username, Password: password})
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	if user.Username != username {
		return fmt.Errorf("audit: logged in as %s", user.Username)
	}
	return nil
}
