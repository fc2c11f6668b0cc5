package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/authentiktest"
	"github.com/seed-299d42e7/authentik-go/examples/internal/cli"
	"github.com/seed-299d42e7/authentik-go/examples/internal/clitest"
)

var program clitest.Program = run

func TestTheDemoPrintsWhatLiesBesideIt(t *testing.T) {
	t.Parallel()
	program.Golden(t)
}

// assertShown compares what was printed with a binding.
func assertShown(t *testing.T, b *authentik.FlowStageBinding, got clitest.Result) {
	t.Helper()
	require.Equal(t, cli.OK, got.Code, got.Stderr)
	about, flows, ok := strings.Cut(got.Stdout, "\n\n")
	require.True(t, ok, got.Stdout)
	for _, want := range []any{
		b.PK, b.Order, b.PolicyEngineMode, b.InvalidResponseAction, b.StageObj.Name, b.StageObj.VerboseName,
	} {
		assert.Contains(t, about+"\n", fmt.Sprintf("  %v\n", want))
	}
	lines := strings.Split(strings.TrimSuffix(flows, "\n"), "\n")
	assert.Equal(t, []string{"FLOW", "DESIGNATION", "TITLE"}, strings.Fields(lines[0]))
	require.Len(t, lines[1:], len(b.StageObj.FlowSet))
	for i, flow := range b.StageObj.FlowSet {
		for _, want := range []string{flow.Slug, string(flow.Designation), flow.Title} {
			assert.Contains(t, lines[1+i], want)
		}
		assert.Equal(t, flow.PK == b.Target, strings.HasSuffix(lines[1+i], "← this binding"), lines[1+i])
	}
}

func TestEveryBindingIsShownWithItsStageAndFlows(t *testing.T) {
	t.Parallel()
	srv := authentiktest.NewServer(t)
	shared := false
	for _, binding := range srv.Bindings() {
		want, err := srv.Client().BindingsRetrieve(t.Context(), binding.PK)
		require.NoError(t, err)
		shared = shared || len(want.StageObj.FlowSet) > 1
		assertShown(t, want, program.Server(t, srv, binding.PK.String()))
		assertShown(t, want, program.Server(t, srv, strings.ToUpper(binding.PK.String())))
	}
	assert.True(t, shared, "some stage is in two flows")
}

func TestTheDemoHasABindingToShow(t *testing.T) {
	t.Parallel()
	srv := authentiktest.NewServer(t)
	want, err := srv.Client().BindingsRetrieve(t.Context(), srv.Bindings()[0].PK)
	require.NoError(t, err)
	got := program.Demo(t)
	assertShown(t, want, got)
	assert.Contains(t, got.Stderr, "AUTHENTIK_URL", "how to ask one's own server")
}

func TestWhenPoliciesAreEvaluated(t *testing.T) {
	t.Parallel()
	srv := authentiktest.NewServer(t, authentiktest.Empty())
	flow, stage := srv.AddFlow(authentik.Flow{}), srv.AddStage(authentik.Stage{})
	said := map[string]bool{}
	for i, evaluate := range [][2]bool{{false, false}, {false, true}, {true, false}, {true, true}} {
		b := srv.AddBinding(authentik.FlowStageBinding{
			Target: flow.PK, Stage: stage.PK, Order: i,
			EvaluateOnPlan: evaluate[0], ReEvaluatePolicies: evaluate[1],
		})
		got := program.Server(t, srv, b.PK.String())
		require.Equal(t, cli.OK, got.Code, got.Stderr)
		assert.Equal(t, evaluate[0], strings.Contains(got.Stdout, "when the flow is planned"))
		assert.Equal(t, evaluate[1], strings.Contains(got.Stdout, "when the stage is reached"))
		said[strings.SplitAfter(got.Stdout, "\n")[2]] = true
	}
	assert.Len(t, said, 4)
}

func TestAnIDOfAnotherFormIsRefused(t *testing.T) {
	t.Parallel()
	pk := uuid.NewString()
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
			srv := authentiktest.NewServer(t)
			got := program.Server(t, srv, args...)
			assert.Empty(t, srv.Requests())
			assert.Equal(t, cli.Refused, got.Code, got.Stderr)
			assert.Empty(t, got.Stdout)
			assert.NotEmpty(t, got.Stderr)
		})
	}
}

func TestAServersErrorExitsWith1(t *testing.T) {
	t.Parallel()
	got := program.Demo(t, uuid.NewString())
	assert.Equal(t, cli.Failed, got.Code)
	assert.Empty(t, got.Stdout)
	assert.Contains(t, got.Stderr,
		"authentik: BindingsRetrieve: 404 Not Found: No FlowStageBinding matches the given query.")
	assert.Contains(t, got.Stderr, "There is no such object, or the user of the token may not view it.\n")
}
