package api_test

import (
	"context"
	"net/url"
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/internal/testkit"
)

var stageLists = map[string]listCall[authentik.StagesAllListOptions]{
	"StagesAllList": func(ctx context.Context, ak *authentik.Client, opts *authentik.StagesAllListOptions) error {
		_, err := ak.StagesAllList(ctx, opts)
		return err
	},
	"StagesAllAll": func(ctx context.Context, ak *authentik.Client, opts *authentik.StagesAllListOptions) error {
		_, err := authentik.Collect(ak.StagesAllAll(ctx, opts))
		return err
	},
	"StagesAllPages": func(ctx context.Context, ak *authentik.Client, opts *authentik.StagesAllListOptions) error {
		_, err := authentik.Collect(ak.StagesAllPages(ctx, opts))
		return err
	},
}

func TestStagesAllListOptions_SendsNonZero(t *testing.T) {
	t.Parallel()
	testListOptions(t, stageLists, map[string]url.Values{
		"Name": {"name": {"a b"}}, "Search": {"search": {"a,b"}}, "Ordering": {"ordering": {"-name"}},
		"Page": {"page": {"2"}}, "PageSize": {"page_size": {"7"}},
	}, map[string]authentik.StagesAllListOptions{
		"Name": {Name: "a b"}, "Search": {Search: "a,b"}, "Ordering": {Ordering: "-name"},
		"Page": {Page: 2}, "PageSize": {PageSize: 7},
	})
}

func TestStagesAllListOptions_RejectsInvalid(t *testing.T) {
	t.Parallel()
	type opts = authentik.StagesAllListOptions
	refuse := func(o opts, field, reason string) []refusal { return listRefusals(stageLists, o, field, reason) }
	testRefusals(t, slices.Concat(
		refuse(opts{Name: " "}, "Name", blankFilter),
		refuse(opts{Name: "\xff"}, "Name", "must be valid UTF-8"),
		refuse(opts{Search: ","}, "Search", blankFilter),
		refuse(opts{Ordering: "pk"}, "Ordering", `cannot order by "pk"; use name`),
		refuse(opts{Page: -1}, "Page", "must not be negative"),
		refuse(opts{PageSize: -1}, "PageSize", "must not be negative"),
	))
}

func TestStagesAll_RefuseUUIDNil(t *testing.T) {
	t.Parallel()
	var all []refusal
	for op, call := range map[string]func(context.Context, *authentik.Client) error{
		"StagesAllRetrieve": func(ctx context.Context, ak *authentik.Client) error {
			_, err := ak.StagesAllRetrieve(ctx, uuid.Nil)
			return err
		},
		"StagesAllUsedByList": func(ctx context.Context, ak *authentik.Client) error {
			_, err := ak.StagesAllUsedByList(ctx, uuid.Nil)
			return err
		},
		"StagesAllDestroy": func(ctx context.Context, ak *authentik.Client) error {
			return ak.StagesAllDestroy(ctx, uuid.Nil)
		},
	} {
		all = append(all, refusal{op, "id", "must not be empty", call})
	}
	testRefusals(t, all)
}

func TestStagesAllTypesList_DecodesTheTypesOfEachRelease(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]authentik.StageType{
		"2021.12.5": {
			Name: "Captcha Stage", Description: "Verify the user is human using Google's reCaptcha.",
			Component: "ak-stage-captcha-form", ModelName: "captchastage",
		},
		"2026.8.0-rc1": {
			Name: "Account Lockdown Stage", Description: "Lock down a target user account.",
			Component: "ak-stage-account-lockdown-form", ModelName: "accountlockdownstage", RequiresEnterprise: true,
		},
	} {
		answer := testkit.Recording(t, version, "stages_all_types").Response
		types, err := testkit.NewClient(t, answer).StagesAllTypesList(t.Context())
		require.NoError(t, err)
		assert.Contains(t, types, want)
	}
	answer := testkit.Reply(200, testkit.JSON, `[{"name":"n","description":"d","component":"c","model_name":"m",`+
		`"icon_url":"/i.svg","requires_enterprise":true,"deprecated":true}]`)
	types, err := testkit.NewClient(t, answer).StagesAllTypesList(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []authentik.StageType{{
		Name: "n", Description: "d", Component: "c", ModelName: "m", IconURL: "/i.svg", RequiresEnterprise: true, Deprecated: true,
	}}, types)
}
