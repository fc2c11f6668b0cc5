package authentiktest_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/authentiktest"
)

func TestInspector_ShowsTheContext(t *testing.T) {
	t.Parallel()
	srv := authentiktest.RoundTripper(t)
	srv.AddFlow(authentik.Flow{Slug: "recover", Designation: authentik.FlowDesignationRecovery})
	srv.AddStages("recover",
		authentiktest.IdentificationStage{},
		authentiktest.PromptStage{Fields: []authentiktest.PromptField{{Key: "color"}, {Key: "password", Type: "password"}}},
		authentiktest.DummyStage{})
	b := newBrowser(srv)
	b.logIn(authentiktest.AdminUsername, authentiktest.AdminPassword)
	b.solve("recover", m{"uid_field": "nobody"})
	require.Equal(t, "ak-stage-dummy", b.solve("recover", m{"color": "red", "password": "canary"}).Component)
	var shown struct {
		Current struct {
			Context map[string]json.RawMessage `json:"plan_context"`
		} `json:"current_plan"`
	}
	s := b.send(http.MethodGet, "/api/v3/flows/inspector/recover/", nil)
	require.Equal(t, http.StatusOK, s.Status)
	require.NoError(t, json.Unmarshal([]byte(s.Body), &shown), s.Body)
	assert.JSONEq(t, `{"username": "nobody", "pk": null, "email": "nobody"}`, string(shown.Current.Context["pending_user"]))
	assert.JSONEq(t, `{"color": "red", "password": "********************"}`, string(shown.Current.Context["prompt_data"]))
	assert.NotContains(t, s.Body, "canary")
}
