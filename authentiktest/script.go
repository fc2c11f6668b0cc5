package authentiktest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"github.com/google/uuid"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/challenge"
)

// Script replaces the stages of the flow with that slug by challenges, which
// the executor shows one after the other. The executor accepts every response
// without validation; [Server.Requests] returns the responses. A challenge with
// response_errors is the response to an invalid response to the challenge
// before. A challenge that takes no response ends the flow. If there is no such
// flow, Script adds one for authentication.
func (s *Server) Script(slug string, challenges ...challenge.Challenge) {
	s.t.Helper()
	s.edit(func(st *store) error {
		if st.flow(slug) == nil {
			if err := st.addFlow(&authentik.Flow{Slug: slug}); err != nil {
				return err
			}
		}
		flow := st.flow(slug)
		of := func(b *authentik.FlowStageBinding) bool { return b.Target == flow.PK }
		st.bindings = slices.DeleteFunc(st.bindings, of)
		flow.Stages = []uuid.UUID{}
		st.ids["script"]++
		for i, one := range challenges {
			name := fmt.Sprintf("%s-script-%d-%d", slug, st.ids["script"], i)
			if _, err := st.bindStages(flow, []StageSettings{ChallengeStage{Name: name, Challenge: one}}); err != nil {
				return fmt.Errorf("Script: %w", err)
			}
		}
		return nil
	})
}

// ChallengeStage shows a challenge as it is, and accepts every response. It
// stands for the kinds of stages that the fake does not have.
type ChallengeStage struct {
	Name      string
	Challenge challenge.Challenge
}

func (s ChallengeStage) stage() (string, stageKind) {
	if s.Challenge == nil {
		return s.Name, stageKind{}
	}
	return s.Name, stageKind{model: "dummy", component: s.Challenge.Component(), enter: s.enter, accept: s.accept}
}

func (s ChallengeStage) enter(v *visit) *reply {
	text, err := json.Marshal(s.Challenge)
	if err != nil || !bytes.HasPrefix(text, []byte("{")) {
		return new(v.fail(fmt.Sprintf("the challenge is no object in JSON: %v", err)))
	}
	if s.Challenge.Info() == nil && v.kind.component != "xak-flow-redirect" && len(text) > len("{}") {
		text = append(appendJSON([]byte(`{"flow_info":`), v.flowInfo()), append([]byte(","), text[1:]...)...)
	}
	if s.ends() {
		v.cancel()
	}
	return &reply{status: http.StatusOK, contentType: "application/json", german: v.german, body: pythonJSON(text)}
}

// ends reports whether the challenge takes no response.
func (s ChallengeStage) ends() bool {
	switch s.Challenge.Component() {
	case "ak-stage-access-denied", "ak-stage-flow-error", "xak-flow-error", "ak-stage-session-end",
		"xak-flow-redirect", "xak-flow-shell":
		return true
	}
	return false
}

func (s ChallengeStage) accept(v *visit, _ answers) reply {
	a := v.ok()
	if v.session.plan == nil {
		return a
	}
	next, _ := v.st.running.settings[v.plan.bindings[0].Stage].(ChallengeStage)
	if next.Challenge == nil || len(next.Challenge.Errors()) == 0 {
		return a
	}
	return *next.enter(v)
}
