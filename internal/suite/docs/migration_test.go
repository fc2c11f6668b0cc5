package docs_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/authentiktest"
	"github.com/seed-299d42e7/authentik-go/internal/testkit"
)

// Of docs/MIGRATION.md's pairs of code blocks the second ones stand in this file
// too, and so are compiled.
func TestMigration_CodeCompiles(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile(testkit.ModuleFile(t, "docs", "MIGRATION.md"))
	require.NoError(t, err)
	here, err := os.ReadFile("migration_test.go")
	require.NoError(t, err)
	unindented := regexp.MustCompile(`(?m)^[\t ]+`)
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(guide), -1)
	require.Len(t, blocks, 2*13)
	for i := 1; i < len(blocks); i += 2 {
		assert.Contains(t, unindented.ReplaceAllString(string(here), ""), unindented.ReplaceAllString(blocks[i][1], ""))
	}
}

func migrationClient(token string) (*authentik.Client, error) {
	client, err := authentik.NewClient("https://sso.example.com", token)
	return client, err
}

func migration(
	ctx context.Context,
	client *authentik.Client,
	transport *http.Transport,
	token string,
	id uuid.UUID,
) error {
	page, err := client.FlowsInstancesList(ctx, &authentik.FlowsInstancesListOptions{
		Designation: authentik.FlowDesignationRecovery,
	})
	if err != nil {
		return err
	}
	flows := page.Results
	_ = flows

	for flow, err := range client.FlowsInstancesAll(ctx, nil) {
		if err != nil {
			return err
		}
		fmt.Println(flow.Slug)
	}

	flow, err := client.FlowsInstancesRetrieve(ctx, "default-authentication-flow")
	if err != nil {
		return err
	}
	_ = flow

	binding, err := client.BindingsRetrieve(ctx, id)
	if err != nil {
		return err
	}
	fmt.Println(binding.StageObj.Name)

	if invalid, ok := errors.AsType[*authentik.ValidationError](err); ok {
		fmt.Println(invalid.Fields["designation"])
	}

	if errors.Is(err, authentik.ErrNotFound) {
		fmt.Println("no such binding")
	}

	if _, ok := errors.AsType[*authentik.PermissionError](err); ok {
		_, err := client.ServerVersion(ctx)
		fmt.Println("the token itself is good:", err == nil)
	}

	retrying, err := authentik.NewClient("https://sso.example.com", token,
		authentik.WithRetry(authentik.RetryPolicy{MaxAttempts: 6}),
		authentik.WithTimeout(10*time.Second))
	if err != nil {
		return err
	}
	_ = retrying

	private, err := authentik.NewClient("https://sso.example.com", token,
		authentik.WithHTTPClient(&http.Client{Transport: transport}))
	if err != nil {
		return err
	}
	_ = private

	created, err := client.FlowsInstancesCreate(ctx, authentik.FlowRequest{
		Name: "Sign up", Slug: "sign-up", Title: "Welcome", Designation: authentik.FlowDesignationEnrollment,
	})
	if err != nil {
		return err
	}
	_ = created

	changed, err := client.BindingsPartialUpdate(ctx, id, authentik.FlowStageBindingRequest{Order: new(0)})
	if err != nil {
		return err
	}
	_ = changed

	var groups authentik.Page[struct{ Name string }]
	err = client.Get(ctx, "core/groups/", nil, &groups)
	return err
}

func migrateLogin(ctx context.Context, password string) error {
	session, err := authentik.NewSession("https://sso.example.com")
	if err != nil {
		return err
	}
	user, err := session.Login(ctx, "default-authentication-flow",
		authentik.Credentials{Username: "alice", Password: password})
	_ = user
	return err
}

func TestMigration_CodeRuns(t *testing.T) {
	t.Parallel()
	_, err := migrationClient(testkit.Token)
	require.NoError(t, err)
	srv := authentiktest.NewServer(t)
	binding := srv.Bindings()[0]
	err = migration(t.Context(), srv.Client(), &http.Transport{}, testkit.Token, binding.PK)
	require.ErrorContains(t, err, "core/groups/", "the fake does not know it; all before it succeeds")
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, migrateLogin(canceled, "secret"), context.Canceled)
}
