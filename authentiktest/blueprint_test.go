package authentiktest_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/authentiktest"
)

const blueprint = `version: 1
metadata:
  name: Recovery
entries:
- model: authentik_flows.flow
  id: flow
  identifiers:
    slug: recovery
  attrs:
    name: Recovery
    title: Recovery
    designation: recovery
- model: authentik_stages_dummy.dummystage
  id: stage
  identifiers: {name: dummy}
- model: authentik_policies_expression.expressionpolicy
  id: policy
  identifiers:
    name: always
  attrs:
    expression: return True
- model: authentik_flows.flowstagebinding
  id: binding
  identifiers:
    order: 0
    stage: !KeyOf stage
    target: !KeyOf flow
- model: authentik_flows.flowstagebinding
  identifiers:
    order: 10
    stage: !Find [authentik_stages_user_login.userloginstage, [name, default-authentication-login]]
    target: !Find
      - authentik_flows.flow
      - [slug, recovery]
- model: authentik_policies.policybinding
  identifiers:
    order: 0
    policy: !KeyOf policy
    target: !KeyOf binding
`

func TestServer_ImportsBlueprintsWithTags(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"2023.10", "2024.10", "2026.8"} {
		srv := authentiktest.RoundTripper(t, authentiktest.Version(version))
		for range 2 { // the second time changes nothing
			_, body := upload(t, srv, importPath(version), blueprint)
			require.Contains(t, body, `"success":true`, version)
			require.Len(t, srv.Bindings(), 22)
			require.Len(t, srv.Stages(), 19)
		}
		stages, err := srv.Client().StagesAllList(t.Context(), &authentik.StagesAllListOptions{Name: "default-authentication-login"})
		require.NoError(t, err)
		assert.Equal(t, stages.Results[0].PK, srv.Bindings()[21].Stage, "found by its name")
		uses, err := srv.Client().BindingsUsedByList(t.Context(), srv.Bindings()[20].PK)
		require.NoError(t, err)
		require.NotEmpty(t, uses)
		assert.Equal(t, "always", uses[len(uses)-1].Name, "the policy")
	}
}

func TestServer_ImportsIntoTheWantedState(t *testing.T) {
	t.Parallel()
	const version = "2024.10"
	flow := func(more, title string) string {
		return "version: 1\nentries:\n- model: authentik_flows.flow\n" + more +
			"  identifiers:\n    slug: a\n  attrs:\n    name: n\n    title: " + title + "\n    designation: recovery\n"
	}
	srv := authentiktest.RoundTripper(t, authentiktest.Version(version), authentiktest.Empty())
	for _, step := range []struct {
		document, success string
		titles            []string
	}{
		{flow("  conditions: [true, false]\n", "skipped"), "true", nil},
		{flow("  conditions: [true, 1, text]\n", "one"), "true", []string{"one"}},
		{flow("  state: created\n", "two"), "true", []string{"one"}},
		{flow("  state: must_created\n", "three"), "false", []string{"one"}},
		{flow("  state: present\n", "four"), "true", []string{"four"}},
		{"version: 1\nentries:\n- model: authentik_flows.flow\n  state: absent\n  identifiers:\n    slug: a\n", "true", nil},
		{flow("  state: absent\n", "nothing to delete"), "true", nil},
		{"version: 1\nentries:\n- model: authentik_flows.flow\n  state: absent\n  identifiers:\n    slug: a\n", "false", nil},
		{flow("  state: must_created\n", "five"), "true", []string{"five"}},
		{"version: 1\nentries:\n- model: authentik_flows.flowstagebinding\n  identifiers:\n    order: 0\n    target: !KeyOf nope\n", "false", []string{"five"}},
		{"version: 1\nentries:\n- model: authentik_flows.flowstagebinding\n  identifiers:\n    order: 0\n    stage: !Find [authentik_flows.stage, [name, nope]]\n", "false", []string{"five"}},
	} {
		_, body := upload(t, srv, importPath(version), step.document)
		assert.Contains(t, body, `"success":`+step.success, step.document)
		var titles []string
		for _, f := range srv.Flows() {
			titles = append(titles, f.Title)
		}
		assert.Equal(t, step.titles, titles, step.document)
	}
	_, body := upload(t, srv, importPath(version),
		"version: 1\nentries:\n- model: authentik_flows.flowstagebinding\n  identifiers:\n    target: !KeyOf nope\n")
	assert.Contains(t, body, "KeyOf: failed to find entry with `id` of `nope` and a model instance")
	_, body = upload(t, srv, importPath(version),
		"version: 1\nentries:\n- model: authentik_flows.flowstagebinding\n  identifiers:\n    stage: !Find [authentik_flows.stage, [name, nope]]\n")
	_, deleted := upload(t, srv, importPath(version), flow("  state: absent\n", "six"))
	assert.Contains(t, deleted, `"action":"model_deleted"`)
	assert.Contains(t, body, "'stage': [ErrorDetail(string='This field may not be null.', code='null')]")
}
