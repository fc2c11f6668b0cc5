package main

import (
	"context"
	"net/http"
	"net/url"

	"github.com/google/uuid"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/challenge"
)

var _ func(string, ...authentik.ClientOption) (*authentik.Session, error) = authentik.NewSession

type session interface {
	ExecutorGet(context.Context, string, url.Values) (challenge.Challenge, error)
	ExecutorSolve(context.Context, string, url.Values, challenge.Response) (challenge.Challenge, error)
	Run(context.Context, string, url.Values, authentik.Solver) (*authentik.FlowEnd, error)
	Login(context.Context, string, authentik.Solver) (*authentik.User, error)
	LoggedIn(context.Context) (bool, error)
	Logout(context.Context, string) error
	InspectorGet(context.Context, string) (*authentik.FlowInspection, error)
	Client() (*authentik.Client, error)
	Cookies() []*http.Cookie
	SetCookies([]*http.Cookie)
	Close()
}

var (
	_ session            = (*authentik.Session)(nil)
	_ authentik.Solver   = authentik.Credentials{}
	_ authentik.Solver   = authentik.SolverFunc(nil)
	_ challenge.Response = authentik.EmailLink("")

	_ = authentik.Credentials{
		Username: "", Password: "", TOTP: code, Static: code, Email: code, SMS: code,
		Prompt: map[string]any{}, RememberMe: false, Consent: false,
	}
	_ = authentik.User{
		PK: int(0), Username: "", Name: "", Email: "", UID: "", IsSuperuser: false, Groups: []authentik.UserGroup{},
	}
	_ = authentik.UserGroup{PK: uuid.UUID{}, Name: ""}
	_ = authentik.FlowEnd{Challenge: challenge.Challenge(nil), To: "", Slug: ""}
	_ = authentik.FlowInspection{
		Plans: []authentik.FlowInspectorPlan{}, CurrentPlan: &authentik.FlowInspectorPlan{}, IsCompleted: false,
	}
	_ = authentik.FlowInspectorPlan{
		CurrentStage: &authentik.FlowStageBinding{}, NextPlannedStage: &authentik.FlowStageBinding{},
		PlanContext: map[string]any{}, SessionID: "",
	}
	_ error = &authentik.FlowDeniedError{Message: ""}
	_ error = &authentik.FlowFailedError{RequestID: "", Message: ""}
	_ error = &authentik.ChallengeError{Component: "", Errors: map[string][]challenge.ErrorDetail{}}
	_ error = &authentik.UnsolvedError{Challenge: challenge.Challenge(nil)}

	_ = []error{
		authentik.ErrBadCredentials, authentik.ErrNotLoggedIn, authentik.ErrStillLoggedIn,
		authentik.ErrFlowRestarted, authentik.ErrFlowStuck,
	}
)

func code(context.Context) (string, error) { return "", nil }
