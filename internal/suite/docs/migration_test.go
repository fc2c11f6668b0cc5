package docs_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
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
	require.Len(t, blocks, 2*10)
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

	flow, err := authentik.One(client.FlowsInstancesAll(ctx, &authentik.FlowsInstancesListOptions{
		Slug: "default-authentication-flow",
	}))
	if errors.Is(err, authentik.ErrNoResult) {
		return errors.New("there is no such flow")
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

	var groups authentik.Page[struct{ Name string }]
	err = client.Get(ctx, "core/groups/", nil, &groups)
	return err
}

func TestMigration_CodeRuns(t *testing.T) {
	t.Parallel()
	_, err := migrationClient(testkit.Token)
	require.NoError(t, err)
	list := testkit.Recording(t, "2026.8.0-rc1", "list")
	err = migration(t.Context(), testkit.NewClient(t, list.Response), &http.Transport{}, testkit.Token, uuid.New())
	var decode *authentik.DecodeError
	require.ErrorAs(t, err, &decode, "it gets as far as the binding")
	assert.True(t, strings.HasSuffix(decode.Op, "Retrieve"))
}
