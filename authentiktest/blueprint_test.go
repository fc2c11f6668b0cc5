package authentiktest_test

import (
	"fmt"
	"net/http"
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
  identifiers: {order: 0, policy: !KeyOf policy, target: !KeyOf binding}
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
		{"version: !KeyOf one\nentries: []\n", "false", nil},
		{flow("  conditions: [true, false]\n", "skipped"), "true", nil},
		{flow("  conditions: [null]\n", "skipped"), "true", nil},
		{flow("  conditions: [[]]\n", "skipped"), "true", nil},
		{flow("  conditions: [{}]\n", "skipped"), "true", nil},
		{flow("  conditions: [true, 1, text, [0], {a: 0}]\n", "one"), "true", []string{"one"}},
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

func TestServer_ImportsAndDeletesWhatTagsFind(t *testing.T) {
	t.Parallel()
	const version = "2024.10"
	srv := authentiktest.RoundTripper(t, authentiktest.Version(version), authentiktest.Empty())
	step := func(success bool, entries string) string {
		t.Helper()
		status, body := upload(t, srv, importPath(version), "version: 1\nentries:\n"+entries)
		require.Equal(t, http.StatusOK, status, body)
		require.Contains(t, body, fmt.Sprintf(`"success":%t`, success), entries)
		return body
	}
	const objects = `
- {model: authentik_flows.flow, identifiers: {slug: a}, attrs: {name: n, title: t, designation: recovery}}
- {model: authentik_stages_dummy.dummystage, identifiers: {name: dummy}}
- {model: authentik_policies_expression.expressionpolicy, identifiers: {name: never}, attrs: {expression: return False}}
`
	const binding = `
- model: authentik_flows.flowstagebinding
  identifiers:
    order: 0
    stage: !Find [authentik_flows.stage, [name, dummy]]
    target: !Find [authentik_flows.flow, [designation, recovery]]
`
	const guard = `
- model: authentik_policies.policybinding
  identifiers:
    order: 0
    policy: !Find [authentik_policies.policy, [name, never]]
    target: !Find [authentik_flows.flow, [slug, a]]
`
	step(true, objects+binding+guard)
	assert.Equal(t, "Flow does not apply to current user.", newBrowser(srv).show("a").ErrorMessage)
	step(true, guard+"  state: absent\n")
	assert.Equal(t, "ak-stage-dummy", newBrowser(srv).show("a").Component, "the policy does not apply any more")
	step(true, guard)
	const policy = "- {model: authentik_policies_expression.expressionpolicy, identifiers: {name: never}, state: absent}\n"
	body := step(true, policy)
	assert.Contains(t, body, `"action":"model_deleted"`)
	assert.Equal(t, "ak-stage-dummy", newBrowser(srv).show("a").Component, "its binding went with it")
	assert.Contains(t, step(false, guard), "'policy': [ErrorDetail(string='This field may not be null.', code='null')]")
	assert.Contains(t, step(false, `
- model: authentik_policies.policybinding
  identifiers: {order: 0, policy: 00000000-0000-4000-8000-000000000001, target: !Find [authentik_flows.flow, [slug, a]]}
`), "object does not exist")

	step(true, binding+"  state: absent\n")
	assert.Empty(t, srv.Bindings())
	step(true, binding)
	step(true, "- {model: authentik_stages_dummy.dummystage, identifiers: {name: dummy}, state: absent}\n")
	assert.Empty(t, srv.Stages())
	assert.Empty(t, srv.Bindings(), "bindings go with their stage")
}

func TestServer_RefusesImports(t *testing.T) {
	t.Parallel()
	const unknown = "KeyOf: failed to find entry with `id` of `nope` and a model instance"
	for _, version := range []string{"2024.10", "2026.5"} {
		srv := authentiktest.RoundTripper(t, authentiktest.Version(version), authentiktest.Empty())
		flow := srv.AddFlow(authentik.Flow{Slug: "a"})
		stage := srv.AddStage(authentik.Stage{})
		var bindings []authentik.FlowStageBinding
		for order := range 2 {
			bindings = append(bindings, srv.AddBinding(authentik.FlowStageBinding{Target: flow.PK, Stage: stage.PK, Order: order}))
		}
		for entry, want := range map[string]struct {
			status int
			body   string
		}{
			"text": {http.StatusMethodNotAllowed, ""},
			"{model: authentik_core.user, identifiers: {username: bob}}": {
				http.StatusNotImplemented, "authentiktest: the fake does not know POST /api/v3/" + importPath(version) + "; authentik may",
			},
			"{model: authentik_stages_dummy.dummystage, identifiers: {name: !Find [authentik_flows.flow, [slug, !KeyOf nope]]}}": {
				http.StatusOK, unknown,
			},
			"{model: authentik_stages_dummy.dummystage, identifiers: {name: x}, attrs: {list: [!KeyOf nope]}}": {http.StatusOK, unknown},
			"{model: authentik_flows.flowstagebinding, identifiers: {pk: " + bindings[1].PK.String() + "}, attrs: {order: 0, stage: " +
				stage.PK.String() + ", target: " + flow.PK.String() + "}}": {
				http.StatusOK, "The fields target, stage, order must make a unique set.",
			},
		} {
			status, body := upload(t, srv, importPath(version), "version: 1\nentries:\n- "+entry+"\n")
			assert.Equal(t, want.status, status, "%s: %s", version, entry)
			assert.Contains(t, body, want.body, "%s: %s", version, entry)
			assert.NotContains(t, body, `"success":true`, entry)
		}
		assert.Equal(t, bindings, srv.Bindings(), "a refused import changes nothing")
		assert.Len(t, srv.Stages(), 1)

		adder := srv.AddUser("authentik_flows.add_flow")
		status, body := tell(t, srv, adder, http.MethodPost, importPath(version), "")
		assert.Equal(t, http.StatusForbidden, status, version)
		assert.JSONEq(t, `{"detail":"You do not have permission to perform this action."}`, body)
	}
}

// Since 2026.5 a form may name a file of the server, of which the fake has none.
func TestServer_ImportsNoFileOfTheServer(t *testing.T) {
	t.Parallel()
	srv := authentiktest.RoundTripper(t, authentiktest.Version("2026.5"))
	const form = "--b\r\nContent-Disposition: form-data; name=\"path\"\r\n\r\nx.yaml\r\n--b--\r\n"
	status, _ := tellAs(t, srv, srv.Token, http.MethodPost, importPath("2026.5"), "multipart/form-data; boundary=b", form)
	assert.Equal(t, http.StatusMethodNotAllowed, status)
}
