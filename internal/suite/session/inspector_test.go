package session_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/authentiktest"
	"github.com/seed-299d42e7/authentik-go/challenge"
	"github.com/seed-299d42e7/authentik-go/internal/testkit"
)

// The inspector shows each stage of a flow and the next one, in each release.
// After the last stage, next_planned_stage is a binding without values.
func TestInspectorGet_EveryRelease(t *testing.T) {
	t.Parallel()
	for _, release := range authentiktest.Versions() {
		testkit.RunInBubble(t, release, func(t *testing.T) {
			w := newWire(t, authentiktest.Version(release))
			w.server.AddFlow(authentik.Flow{Slug: "inspected"})
			w.server.AddStages("inspected", authentiktest.DummyStage{Name: "one"}, authentiktest.DummyStage{Name: "two"})
			session, _ := w.loggedIn(t, admin)

			inspect := func() *authentik.FlowInspection {
				inspection, err := session.InspectorGet(t.Context(), "inspected")
				require.NoError(t, err)
				require.NotNil(t, inspection.CurrentPlan)
				require.NotNil(t, inspection.CurrentPlan.CurrentStage)
				assert.Regexp(t, "^[0-9a-f]{64}$", inspection.CurrentPlan.SessionID)
				return inspection
			}
			_, err := session.ExecutorGet(t.Context(), "inspected", nil)
			require.NoError(t, err)
			start := inspect()
			assert.False(t, start.IsCompleted)
			assert.Equal(t, "one", start.CurrentPlan.CurrentStage.StageObj.Name)
			require.NotNil(t, start.CurrentPlan.NextPlannedStage)
			assert.Equal(t, "two", start.CurrentPlan.NextPlannedStage.StageObj.Name)

			_, err = session.ExecutorSolve(t.Context(), "inspected", nil, &challenge.DummyResponse{})
			require.NoError(t, err)
			last := inspect()
			assert.False(t, last.IsCompleted)
			assert.Equal(t, "two", last.CurrentPlan.CurrentStage.StageObj.Name)
			assert.Nil(t, last.CurrentPlan.NextPlannedStage, "there is none")
			assert.Len(t, last.Plans, len(start.Plans)+1, "one more for each stage that was solved")

			_, err = session.ExecutorSolve(t.Context(), "inspected", nil, &challenge.DummyResponse{})
			require.NoError(t, err)
			end := inspect()
			assert.True(t, end.IsCompleted)
			assert.Equal(t, "two", end.CurrentPlan.CurrentStage.StageObj.Name, "the last one")
			assert.Nil(t, end.CurrentPlan.NextPlannedStage)
		})
	}
}

func TestInspectorGet_Refused(t *testing.T) {
	t.Parallel()
	for release, status := range map[string]int{
		"2021.12": http.StatusOK, "2024.10": http.StatusInternalServerError, "2026.8": http.StatusNotFound,
	} {
		testkit.RunInBubble(t, release, func(t *testing.T) {
			w := newWire(t, authentiktest.Version(release))
			session, _ := w.loggedIn(t, w.account())
			_, err := session.InspectorGet(t.Context(), loginFlow)
			if status == http.StatusOK {
				require.NoError(t, err, "anybody's own session")
				return
			}
			assert.Equal(t, status, testkit.RequireType[*authentik.APIError](t, err).StatusCode)
		})
	}
}

func TestInspectorGet_Decodes(t *testing.T) {
	t.Parallel()
	const plan = `"plan_context":{"a":1},"session_id":"s"`
	for name, test := range map[string]struct{ body, text string }{
		"null":            {`{"plans":[],"current_plan":{"current_stage":null,"next_planned_stage":null,` + plan + `},"is_completed":true}`, ""},
		"no current plan": {`{"plans":[],"is_completed":true}`, ""},
		"no value":        {`{"plans":[],"current_plan":{"current_stage":{},"next_planned_stage":{"target":null},` + plan + `},"is_completed":true}`, ""},
		"wrong current": {
			`{"plans":[],"current_plan":{"current_stage":{"pk":7},"next_planned_stage":null,` + plan + `},"is_completed":true}`,
			"current_plan.current_stage.pk",
		},
		"wrong next": {
			`{"plans":[{"current_stage":null,"next_planned_stage":{"pk":7},` + plan + `}],"is_completed":true}`,
			"plans[0].next_planned_stage.pk",
		},
		"a text instead": {
			`{"plans":[],"current_plan":{"current_stage":"x","next_planned_stage":null,` + plan + `},"is_completed":true}`,
			"current_plan.current_stage",
		},
		"wrong session": {
			`{"plans":[{"current_stage":null,"next_planned_stage":null,"plan_context":{},"session_id":7}],"is_completed":true}`,
			"plans[0].session_id",
		},
	} {
		testkit.RunInBubble(t, name, func(t *testing.T) {
			server := newPlay(t, &challenge.Dummy{})
			server.Sequence = testkit.NewSequence(testkit.Respond(testkit.Reply(http.StatusOK, testkit.JSON, test.body)))
			inspection, err := server.session(t).InspectorGet(t.Context(), "inspected")
			if test.text != "" {
				invalid := testkit.RequireType[*authentik.DecodeError](t, err)
				assert.Equal(t, test.text, invalid.JSONPath)
				assert.Empty(t, invalid.Excerpt, "the context of a plan is somebody's data")
				return
			}
			require.NoError(t, err)
			assert.True(t, inspection.IsCompleted)
			if inspection.CurrentPlan != nil {
				assert.Nil(t, inspection.CurrentPlan.CurrentStage)
				assert.Nil(t, inspection.CurrentPlan.NextPlannedStage)
				assert.Equal(t, "s", inspection.CurrentPlan.SessionID)
				assert.NotEmpty(t, inspection.CurrentPlan.PlanContext)
			}
		})
	}
}

// A stage that another one has inserted, as to set up a device, belongs to no
// flow: authentik shows its binding with nulls.
func TestInspectorGet_InsertedStage(t *testing.T) {
	t.Parallel()
	const inserted = `{"pk":"6ca60e71-0cb0-4312-92eb-dfd27ba3d70b","policybindingmodel_ptr_id":null,"target":null,
		"stage":"28f7a864-a58b-4942-9486-124e9f3af668","order":0,"evaluate_on_plan":false,"re_evaluate_policies":true,
		"policy_engine_mode":"any","invalid_response_action":"retry","stage_obj":{
			"pk":"28f7a864-a58b-4942-9486-124e9f3af668","name":"setup","component":"","verbose_name":"Stage",
			"verbose_name_plural":"Stages","meta_model_name":"authentik_flows.stage","flow_set":[]}}`
	body := `{"plans":[],"is_completed":false,"current_plan":{"plan_context":{},"session_id":"s",
		"current_stage":` + inserted + `,"next_planned_stage":` + inserted + `}}`
	inspect := func(t *testing.T, body string) (*authentik.FlowInspection, error) {
		t.Helper()
		server := newPlay(t)
		server.Sequence = testkit.NewSequence(testkit.Respond(testkit.Reply(http.StatusOK, testkit.JSON, body)))
		return server.session(t).InspectorGet(t.Context(), "inspected")
	}
	inspection, err := inspect(t, body)
	require.NoError(t, err)
	for _, stage := range []*authentik.FlowStageBinding{
		inspection.CurrentPlan.CurrentStage, inspection.CurrentPlan.NextPlannedStage,
	} {
		require.NotNil(t, stage)
		assert.Equal(t, uuid.Nil, stage.Target)
		assert.Equal(t, "setup", stage.StageObj.Name)
	}
	for old, invalid := range map[string]string{
		`"order":0`: `"order":"0"`, `"target":null`: `"target":"6ca60e71-0cb0-4312-92eb-dfd27ba3d70b"`,
	} {
		_, err = inspect(t, strings.Replace(body, old, invalid, 1))
		unusable := testkit.RequireType[*authentik.DecodeError](t, err)
		assert.Equal(t, "current_plan.current_stage.policybindingmodel_ptr_id", unusable.JSONPath)
	}
}
