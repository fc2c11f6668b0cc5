package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go/examples/internal/cli"
	"github.com/seed-299d42e7/authentik-go/examples/internal/clitest"
)

var program clitest.Program = run

// assertShown compares what was printed with a recorded binding.
func assertShown(t *testing.T, binding map[string]any, got clitest.Result) {
	t.Helper()
	require.Equal(t, cli.OK, got.Code, got.Stderr)
	stage := binding["stage_obj"].(map[string]any)
	about, flows, ok := strings.Cut(got.Stdout, "\n\n")
	require.True(t, ok, got.Stdout)
	for _, want := range []any{binding["pk"], binding["order"], binding["policy_engine_mode"], binding["invalid_response_action"], stage["name"], stage["verbose_name"]} {
		assert.Contains(t, about+"\n", fmt.Sprintf("  %v\n", want))
	}
	lines := strings.Split(strings.TrimSuffix(flows, "\n"), "\n")
	assert.Equal(t, []string{"FLOW", "DESIGNATION", "TITLE"}, strings.Fields(lines[0]))
	set := stage["flow_set"].([]any)
	require.Len(t, lines[1:], len(set))
	for i, flow := range set {
		flow := flow.(map[string]any)
		for _, key := range []string{"slug", "designation", "title"} {
			assert.Contains(t, lines[1+i], flow[key])
		}
		assert.Equal(t, flow["pk"] == binding["target"], strings.HasSuffix(lines[1+i], "← this binding"), lines[1+i])
	}
}

func TestEveryRecordedBindingIsShownWithItsStageAndFlows(t *testing.T) {
	t.Parallel()
	for i := range 4 {
		id := fmt.Sprintf("binding_retrieve_%d", i)
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			binding := clitest.Object(t, id)
			assertShown(t, binding, program.Demo(t, binding["pk"].(string)))
		})
	}
	t.Run("upper case", func(t *testing.T) {
		t.Parallel()
		binding := clitest.Object(t, "binding_retrieve_0")
		assertShown(t, binding, program.Demo(t, strings.ToUpper(binding["pk"].(string))))
	})
}

func TestTheDemoHasABindingToShow(t *testing.T) {
	t.Parallel()
	got := program.Demo(t)
	require.Equal(t, cli.OK, got.Code, got.Stderr)
	for _, binding := range clitest.Results(t, "bindings_list") {
		if strings.Contains(got.Stdout, binding["pk"].(string)) {
			assertShown(t, binding, got)
			return
		}
	}
	assert.Fail(t, "it is none of the server's", got.Stdout)
}

func TestWhenPoliciesAreEvaluated(t *testing.T) {
	t.Parallel()
	said := map[string]bool{}
	for _, plan := range []string{"true", "false"} {
		for _, stage := range []string{"true", "false"} {
			answer := clitest.Recorded(t, "binding_retrieve_0")
			answer.Headers = [][2]string{{"Content-Type", "application/json"}}
			answer.Text = strings.NewReplacer(
				`"evaluate_on_plan":false`, `"evaluate_on_plan":`+plan,
				`"re_evaluate_policies":true`, `"re_evaluate_policies":`+stage,
			).Replace(answer.Text)
			got := program.Server(t.Context(), t, answer, clitest.Object(t, "binding_retrieve_0")["pk"].(string))
			require.Equal(t, cli.OK, got.Code, got.Stderr)
			assert.Equal(t, plan == "true", strings.Contains(got.Stdout, "when the flow is planned"))
			assert.Equal(t, stage == "true", strings.Contains(got.Stdout, "when the stage is reached"))
			said[got.Stdout] = true
		}
	}
	assert.Len(t, said, 4)
}

func TestAnIDOfAnotherFormIsRefused(t *testing.T) {
	t.Parallel()
	pk := clitest.Object(t, "binding_retrieve_0")["pk"].(string)
	server := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { assert.Fail(t, "a request", r.URL) })
	for name, args := range map[string][]string{
		"undashed":     {strings.ReplaceAll(pk, "-", "")},
		"in braces":    {"{" + pk + "}"},
		"a URN":        {"urn:uuid:" + pk},
		"no digits":    {strings.Repeat("z", len(pk))},
		"empty":        {""},
		"the nil UUID": {"00000000-0000-0000-0000-000000000000"},
		"two of them":  {pk, pk},
		"none":         nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := program.Server(t.Context(), t, server, args...)
			assert.Equal(t, cli.Refused, got.Code, got.Stderr)
			assert.Empty(t, got.Stdout)
			assert.NotEmpty(t, got.Stderr)
		})
	}
}

func TestAServersErrorExitsWith1(t *testing.T) {
	t.Parallel()
	got := program.Demo(t, "00000000-0000-4000-8000-000000000000")
	assert.Equal(t, cli.Failed, got.Code)
	assert.Empty(t, got.Stdout)
	assert.Contains(t, got.Stderr, "authentik: BindingsRetrieve: 404 Not Found: Not found.")
	assert.Contains(t, got.Stderr, "There is no such object, or the token may not see it.\n")
}
