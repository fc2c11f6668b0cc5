package authentik_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/authentiktest"
	"github.com/seed-299d42e7/authentik-go/challenge"
)

const loginSlug = "default-authentication-flow"

// admin is the administrator of the fake.
var admin = authentik.Credentials{Username: authentiktest.AdminUsername, Password: authentiktest.AdminPassword}

func ExampleNewSession() {
	srv := authentiktest.Start()
	defer srv.Close()
	srv.AddAccount(authentiktest.Account{Username: "alice", Name: "Alice", Password: "correct horse"})

	session, err := authentik.NewSession(srv.URL) // such as https://sso.example.com
	if err != nil {
		fmt.Println(err)
		return
	}
	defer session.Close()
	user, err := session.Login(context.Background(), loginSlug,
		authentik.Credentials{Username: "alice", Password: "correct horse"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("logged in as", user.Name)
	// Output: logged in as Alice
}

func ExampleSession_Login() {
	srv := authentiktest.Start()
	defer srv.Close()
	srv.AddAccount(authentiktest.Account{Username: "alice", Password: "correct horse"})
	device := srv.AddDevice("alice", authentiktest.Device{})

	session, err := authentik.NewSession(srv.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer session.Close()
	credentials := authentik.Credentials{
		Username: "alice",
		Password: "wrong",
		TOTP:     func(context.Context) (string, error) { return device.Code(time.Now()), nil },
	}
	_, err = session.Login(context.Background(), loginSlug, credentials)
	fmt.Println(err)
	fmt.Println(errors.Is(err, authentik.ErrBadCredentials))

	credentials.Password = "correct horse"
	user, err := session.Login(context.Background(), loginSlug, credentials)
	fmt.Println(user.Username, err)
	// Output:
	// authentik: Login: flow default-authentication-flow: the server rejected the response to ak-stage-password: password: Invalid password
	// true
	// alice <nil>
}

// A client of the session reads and writes as the user.
func ExampleSession_Client() {
	srv := authentiktest.Start()
	defer srv.Close()
	session, err := authentik.NewSession(srv.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer session.Close()
	if _, err := session.Login(context.Background(), loginSlug, admin); err != nil {
		fmt.Println(err)
		return
	}

	client, err := session.Client()
	if err != nil {
		fmt.Println(err)
		return
	}
	flow, err := client.FlowsInstancesPartialUpdate(context.Background(), "initial-setup",
		authentik.FlowRequest{Title: "Hello"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(flow.Title)
	// Output: Hello
}

// A solver responds to what Credentials does not know, and leaves the rest to
// them.
func ExampleSession_Run() {
	srv := authentiktest.Start()
	defer srv.Close()
	srv.Script("enroll",
		&challenge.Captcha{SiteKey: "site"},
		&challenge.Prompt{Fields: []challenge.StagePrompt{
			{FieldKey: "username", Type: challenge.PromptTypeUsername, Required: true},
		}},
		&challenge.Redirect{To: "/welcome"},
	)

	session, err := authentik.NewSession(srv.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer session.Close()
	credentials := authentik.Credentials{Prompt: map[string]any{"username": "alice"}}
	solver := authentik.SolverFunc(func(ctx context.Context, c challenge.Challenge) (challenge.Response, error) {
		fmt.Println(c.Component())
		if _, ok := c.(*challenge.Captcha); ok {
			return &challenge.CaptchaResponse{Token: "solved"}, nil
		}
		return credentials.Solve(ctx, c)
	})
	end, err := session.Run(context.Background(), "enroll", url.Values{"next": {"/welcome"}}, solver)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("led to", end.To)
	// Output:
	// ak-stage-captcha
	// ak-stage-prompt
	// led to /welcome
}

// A challenge that no solver knows stops the run, and the caller goes on.
func ExampleUnsolvedError() {
	srv := authentiktest.Start()
	defer srv.Close()
	srv.Script("guarded", &challenge.Captcha{SiteKey: "site"}, &challenge.AccessDenied{ErrorMessage: "Not today."})

	session, err := authentik.NewSession(srv.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer session.Close()
	_, err = session.Run(context.Background(), "guarded", nil, authentik.Credentials{Username: "alice"})
	if unsolved, ok := errors.AsType[*authentik.UnsolvedError](err); ok {
		fmt.Println("stopped at", unsolved.Challenge.Component())
	}
	next, err := session.ExecutorSolve(context.Background(), "guarded", nil, &challenge.CaptchaResponse{Token: "solved"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(next.Component())
	// Output:
	// stopped at ak-stage-captcha
	// ak-stage-access-denied
}

func ExampleFlowDeniedError() {
	srv := authentiktest.Start()
	defer srv.Close()
	srv.Script("closed", &challenge.AccessDenied{ErrorMessage: "Not today."})

	session, err := authentik.NewSession(srv.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer session.Close()
	_, err = session.Run(context.Background(), "closed", nil, authentik.Credentials{})
	if denied, ok := errors.AsType[*authentik.FlowDeniedError](err); ok {
		fmt.Println(denied.Message)
	}
	// Output: Not today.
}

// The steps of a login, by hand.
func ExampleSession_ExecutorSolve() {
	srv := authentiktest.Start()
	defer srv.Close()
	session, err := authentik.NewSession(srv.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer session.Close()

	ctx := context.Background()
	c, err := session.ExecutorGet(ctx, loginSlug, nil)
	for err == nil {
		fmt.Println(c.Component(), len(c.Errors()))
		switch c.(type) {
		case *challenge.Identification:
			c, err = session.ExecutorSolve(ctx, loginSlug, nil, &challenge.IdentificationResponse{UIDField: "akadmin"})
		case *challenge.Password:
			password := &challenge.PasswordResponse{Password: authentiktest.AdminPassword}
			c, err = session.ExecutorSolve(ctx, loginSlug, nil, password)
		default:
			return
		}
	}
	fmt.Println(err)
	// Output:
	// ak-stage-identification 0
	// ak-stage-password 0
	// xak-flow-redirect 0
}

func ExampleSession_ExecutorGet() {
	srv := authentiktest.Start()
	defer srv.Close()
	session, err := authentik.NewSession(srv.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer session.Close()
	c, err := session.ExecutorGet(context.Background(), loginSlug, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	if c, ok := c.(*challenge.Identification); ok {
		fmt.Println(c.Info().Title, c.UserFields)
	}
	// Output: Welcome to authentik! [email username]
}

// Printing a session, credentials or what a flow shows prints no secret.
func ExampleSession_Format() {
	session, err := authentik.NewSession("https://sso.example.com")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%+v\n", session)
	// Output: authentik.Session(https://sso.example.com)
}

func ExampleCredentials_Format() {
	fmt.Printf("%+v\n", authentik.Credentials{Username: "alice", Password: "correct horse"})
	// Output: authentik.Credentials{[redacted]}
}

func ExampleEmailLink_Format() {
	link := authentik.EmailLink("https://sso.example.com/if/flow/recovery/?flow_token=secret")
	fmt.Printf("%s %q\n", link, link)
	// Output: authentik.EmailLink([redacted]) authentik.EmailLink([redacted])
}

func ExampleEmailLink_MarshalText() {
	text, err := json.Marshal(authentik.EmailLink("https://sso.example.com/if/flow/recovery/?flow_token=secret"))
	fmt.Println(string(text), err)
	// Output: "[redacted]" <nil>
}

func ExampleFlowEnd_Format() {
	const to = "/?token=secret"
	fmt.Printf("%+v\n", authentik.FlowEnd{Slug: "login", To: to, Challenge: &challenge.Redirect{To: to}})
	// Output: authentik.FlowEnd{Slug: "login", Challenge: challenge.Redirect{Component: xak-flow-redirect, To: [redacted]}}
}

func ExampleFlowInspectorPlan_Format() {
	fmt.Printf("%+v\n", authentik.FlowInspectorPlan{PlanContext: map[string]any{"pending_user": "alice"}})
	// Output: authentik.FlowInspectorPlan{PlanContext: ["pending_user"]}
}

func ExampleUnsolvedError_Format() {
	err := &authentik.UnsolvedError{Challenge: &challenge.AuthenticatorTOTP{ConfigURL: "otpauth://totp/?secret=secret"}}
	fmt.Printf("%+v\n", err)
	// Output: authentik: the solver has no response to ak-stage-authenticator-totp
}

func ExampleCredentials_Solve() {
	credentials := authentik.Credentials{Username: "alice", Password: "correct horse"}
	shown := &challenge.Identification{UserFields: []string{"username"}, PasswordFields: true}
	response, err := credentials.Solve(context.Background(), shown)
	fmt.Println(response, err)
	// Output: challenge.IdentificationResponse{Component: ak-stage-identification, UIDField: [redacted], Password: [redacted]} <nil>
}

func ExampleSolverFunc_Solve() {
	accept := authentik.SolverFunc(func(context.Context, challenge.Challenge) (challenge.Response, error) {
		return &challenge.DummyResponse{}, nil
	})
	response, err := accept.Solve(context.Background(), &challenge.Dummy{})
	fmt.Println(response.Component(), err)
	// Output: ak-stage-dummy <nil>
}

func ExampleSession_LoggedIn() {
	srv := authentiktest.Start()
	defer srv.Close()
	session, err := authentik.NewSession(srv.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer session.Close()
	fmt.Println(session.LoggedIn(context.Background()))
	// Output: false <nil>
}

func ExampleSession_SetCookies() {
	session, err := authentik.NewSession("https://sso.example.com")
	if err != nil {
		fmt.Println(err)
		return
	}
	session.SetCookies([]*http.Cookie{{Name: "authentik_session", Value: "of-an-earlier-process"}})
	fmt.Println(len(session.Cookies()))
	// Output: 1
}

func ExampleSession_Close() {
	session, err := authentik.NewSession("https://sso.example.com")
	if err != nil {
		fmt.Println(err)
		return
	}
	session.Close()
	session.Close()
	fmt.Println("closed")
	// Output: closed
}

// Cookies outlive the process that logged in.
func ExampleSession_Cookies() {
	srv := authentiktest.Start()
	defer srv.Close()
	first, err := authentik.NewSession(srv.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer first.Close()
	if _, err := first.Login(context.Background(), loginSlug, admin); err != nil {
		fmt.Println(err)
		return
	}
	saved := first.Cookies() // keep them like a password

	second, err := authentik.NewSession(srv.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer second.Close()
	second.SetCookies(saved)
	loggedIn, err := second.LoggedIn(context.Background())
	fmt.Println(loggedIn, err)
	// Output: true <nil>
}

func ExampleSession_Logout() {
	srv := authentiktest.Start()
	defer srv.Close()
	session, err := authentik.NewSession(srv.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer session.Close()
	ctx := context.Background()
	if _, err := session.Login(ctx, loginSlug, admin); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(session.Logout(ctx, "default-invalidation-flow"))
	fmt.Println(session.LoggedIn(ctx))
	// Output:
	// <nil>
	// false <nil>
}

func ExampleSession_InspectorGet() {
	srv := authentiktest.Start()
	defer srv.Close()
	session, err := authentik.NewSession(srv.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer session.Close()
	ctx := context.Background()
	if _, err := session.Login(ctx, loginSlug, admin); err != nil {
		fmt.Println(err)
		return
	}
	inspection, err := session.InspectorGet(ctx, loginSlug)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(inspection.IsCompleted, inspection.CurrentPlan.CurrentStage.StageObj.Name)
	// Output: true default-authentication-login
}

// A link that came by email finishes its flow.
func ExampleEmailLink() {
	solver := authentik.Credentials{
		Username: "alice",
		Email: func(context.Context) (string, error) {
			return "https://sso.example.com/if/flow/recovery/?flow_token=of-the-email", nil // from the mailbox
		},
	}
	response, err := solver.Solve(context.Background(), &challenge.Email{})
	fmt.Println(response, err)
	// Output: authentik.EmailLink([redacted]) <nil>
}
