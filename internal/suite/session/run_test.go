package session_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/authentiktest"
	"github.com/seed-299d42e7/authentik-go/challenge"
	"github.com/seed-299d42e7/authentik-go/internal/testkit"
)

// play is a server that shows one challenge for each request, and records the
// requests.
type play struct {
	*testkit.Sequence

	sent []string // method, path and decoded query, and the body of a POST
}

func newPlay(t *testing.T, challenges ...challenge.Challenge) *play {
	t.Helper()
	p := &play{}
	steps := make([]testkit.Step, 0, len(challenges))
	for _, c := range challenges {
		body, err := json.Marshal(c)
		require.NoError(t, err)
		steps = append(steps, testkit.Respond(testkit.Reply(http.StatusOK, testkit.JSON, string(body))))
	}
	p.Sequence = testkit.NewSequence(steps...)
	return p
}

// RoundTrip implements [http.RoundTripper].
func (p *play) RoundTrip(req *http.Request) (*http.Response, error) {
	sent := req.Method + " " + req.URL.Host + req.URL.Path + " " + req.URL.Query().Get("query")
	if req.Body != nil {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		sent += " " + string(body)
	}
	p.sent = append(p.sent, sent)
	return p.Sequence.RoundTrip(req)
}

func (p *play) session(t *testing.T) *authentik.Session {
	t.Helper()
	session, err := authentik.NewSession("https://sso.example.com/auth",
		authentik.WithHTTPClient(&http.Client{Transport: p}))
	require.NoError(t, err)
	return session
}

const playPath = "sso.example.com/auth/api/v3/flows/executor/"

// responds is a solver that has one response for all challenges.
func responds(response challenge.Response) authentik.Solver {
	return authentik.SolverFunc(func(context.Context, challenge.Challenge) (challenge.Response, error) {
		return response, nil
	})
}

// withErrors returns a challenge's common part with one error of a field.
func withErrors(field, text, code string) challenge.Common {
	return challenge.Common{ResponseErrors: map[string][]challenge.ErrorDetail{field: {{String: text, Code: code}}}}
}

func dummies(names ...string) (all []challenge.Challenge) {
	for _, name := range names {
		all = append(all, &challenge.Dummy{Name: name})
	}
	return all
}

func TestRun_Ends(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		end challenge.Challenge
		to  string
	}{
		"redirect":               {&challenge.Redirect{To: "/application/?code=1"}, "/application/?code=1"},
		"redirect elsewhere":     {&challenge.Redirect{To: "https://app.example/"}, "https://app.example/"},
		"session end":            {&challenge.SessionEnd{}, ""},
		"autosubmit":             {&challenge.Autosubmit{URL: "https://app.example/acs", Attrs: map[string]string{}}, "https://app.example/acs"},
		"iframe logout":          {&challenge.IframeLogout{}, ""},
		"native logout":          {&challenge.NativeLogout{PostURL: "https://app.example/slo"}, ""},
		"device code is entered": {&challenge.OAuthDeviceCodeFinish{}, ""},
	} {
		testkit.RunInBubble(t, name, func(t *testing.T) {
			server := newPlay(t, &challenge.Dummy{}, test.end)
			end, err := server.session(t).Run(t.Context(), "ends", nil, authentik.Credentials{})
			require.NoError(t, err)
			assert.IsType(t, test.end, end.Challenge)
			assert.Equal(t, test.to, end.To)
			assert.Equal(t, "ends", end.Slug)
			assert.Equal(t, test.end.Component(), end.Challenge.Component())
			assert.Len(t, server.sent, 2)
			assert.JSONEq(t, fmt.Sprintf(`{"slug":"ends","component":%q}`, end.Challenge.Component()), logged(t, end))
		})
	}
}

// An end that a solver has a response to is none.
func TestRun_GoesOnAfterAutosubmit(t *testing.T) {
	t.Parallel()
	server := newPlay(t, &challenge.Autosubmit{URL: "https://app.example/"}, &challenge.Redirect{To: "/"})
	end, err := server.session(t).Run(t.Context(), "ends", nil, responds(&challenge.AutoSubmitResponse{}))
	require.NoError(t, err)
	assert.Equal(t, "/", end.To)
}

// A real conversation: the fake validates.
func TestRun_BadCredentials(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		credentials authentik.Credentials
		component   string
		posts       int
	}{
		"wrong password": {authentik.Credentials{Username: username, Password: "wrong"}, "ak-stage-password", 2},
		"unknown user":   {authentik.Credentials{Username: "nobody", Password: testkit.Token}, "ak-stage-identification", 1},
	} {
		testkit.RunInBubble(t, name, func(t *testing.T) {
			w := newWire(t)
			w.account()
			w.server.ConfigureStage("default-authentication-identification", authentiktest.IdentificationStage{RevealUnknown: true})
			_, err := w.session(t).Run(t.Context(), loginFlow, nil, test.credentials)
			require.ErrorIs(t, err, authentik.ErrBadCredentials)
			assert.Equal(t, test.component, testkit.RequireType[*authentik.ChallengeError](t, err).Component)
			posts := 0
			for _, n := range w.inDoubt {
				posts += n
			}
			assert.Equal(t, test.posts, posts, "none is sent twice")
		})
	}
}

// A challenge that confirms has an error, which is none of the run.
func TestRun_ConfirmationIsNoError(t *testing.T) {
	t.Parallel()
	sent := &challenge.Email{Common: withErrors("email", "email sent", "email-sent")}
	empty := &challenge.AuthenticatorValidation{
		Common: withErrors("non_field_errors", "Empty response", "invalid"), DeviceChallenges: devices,
	}
	selected := challenge.AuthenticatorValidationResponse{SelectedChallenge: &devices[0]}
	mixed := &challenge.Email{Common: withErrors("email", "email sent", "email-sent")}
	mixed.ResponseErrors["email"] = append(mixed.ResponseErrors["email"], challenge.ErrorDetail{String: "No.", Code: "invalid"})
	validation := &challenge.AuthenticatorValidation{DeviceChallenges: devices}
	for name, test := range map[string]struct {
		shown    []challenge.Challenge
		response challenge.Response
		text     string // of the error, "" for an end
		is       error
	}{
		"another email": {[]challenge.Challenge{&challenge.Email{}, sent, &challenge.Redirect{}}, &challenge.EmailResponse{}, "", nil},
		"emails without end": {
			[]challenge.Challenge{&challenge.Email{}, sent},
			&challenge.EmailResponse{},
			"authentik: Run: the flow is stuck: confirms shows ak-stage-email 3 times in a row", authentik.ErrFlowStuck,
		},
		"another error beside": {
			[]challenge.Challenge{&challenge.Email{}, mixed},
			&challenge.EmailResponse{},
			"authentik: Run: flow confirms: the server rejected the response to ak-stage-email: email: email sent; email: No.", nil,
		},
		"device":           {[]challenge.Challenge{validation, empty, &challenge.Redirect{}}, &selected, "", nil},
		"device, by value": {[]challenge.Challenge{validation, empty, &challenge.Redirect{}}, selected, "", nil},
		"devices without end": {
			[]challenge.Challenge{validation, empty},
			selected,
			"authentik: Run: the flow is stuck: confirms shows ak-stage-authenticator-validate 3 times in a row", authentik.ErrFlowStuck,
		},
		"no such device": {
			[]challenge.Challenge{validation, &challenge.AuthenticatorValidation{
				Common: withErrors("selected_challenge", "invalid challenge selected", "invalid"),
			}}, &selected, "authentik: Run: flow confirms: the server rejected the response to " +
				"ak-stage-authenticator-validate: selected_challenge: invalid challenge selected", nil,
		},
		"no such device, by value": {
			[]challenge.Challenge{validation, &challenge.AuthenticatorValidation{
				Common: withErrors("selected_challenge", "invalid challenge selected", "invalid"),
			}}, selected, "authentik: Run: flow confirms: the server rejected the response to " +
				"ak-stage-authenticator-validate: selected_challenge: invalid challenge selected", nil,
		},
		"empty response to a code": {
			[]challenge.Challenge{validation, empty},
			&challenge.AuthenticatorValidationResponse{Code: "1"},
			"authentik: Run: flow confirms: the server rejected the response to " +
				"ak-stage-authenticator-validate: non_field_errors: Empty response", nil,
		},
		"empty response to a code, by value": {
			[]challenge.Challenge{validation, empty},
			challenge.AuthenticatorValidationResponse{Code: "1"},
			"authentik: Run: flow confirms: the server rejected the response to " +
				"ak-stage-authenticator-validate: non_field_errors: Empty response", nil,
		},
	} {
		testkit.RunInBubble(t, name, func(t *testing.T) {
			server := newPlay(t, test.shown...)
			_, err := server.session(t).Run(t.Context(), "confirms", nil, responds(test.response))
			if test.text == "" {
				require.NoError(t, err)
				return
			}
			require.EqualError(t, err, test.text)
			if test.is != nil {
				require.ErrorIs(t, err, test.is)
			}
		})
	}
}

// A code by email or SMS is requested first, and entered when it was sent.
func TestRun_EntersSentCode(t *testing.T) {
	t.Parallel()
	for class, credentials := range map[challenge.DeviceClass]authentik.Credentials{
		challenge.DeviceClassEmail: {Email: gives("123456")}, challenge.DeviceClassSMS: {SMS: gives("123456")},
	} {
		testkit.RunInBubble(t, string(class), func(t *testing.T) {
			shown := &challenge.AuthenticatorValidation{DeviceChallenges: only(class)}
			sent := &challenge.AuthenticatorValidation{
				DeviceChallenges: only(class), Common: withErrors("non_field_errors", "Empty response", "invalid"),
			}
			server := newPlay(t, shown, sent, &challenge.Redirect{To: "/"})
			_, err := server.session(t).Run(t.Context(), "login", nil, credentials)
			require.NoError(t, err)
			require.Len(t, server.sent, 3)
			assert.Contains(t, server.sent[1], fmt.Sprintf(`"selected_challenge":{"device_class":%q`, class))
			assert.NotContains(t, server.sent[1], "123456")
			assert.Contains(t, server.sent[2], `"code":"123456"`)
		})
	}
}

// What no solver knows stops the run, and by hand or with another solver it
// goes on where it stopped.
func TestRun_GoesOnAfterUnsolved(t *testing.T) {
	t.Parallel()
	for name, goOn := range map[string]func(context.Context, *authentik.Session) (challenge.Challenge, error){
		"by hand": func(ctx context.Context, s *authentik.Session) (challenge.Challenge, error) {
			return s.ExecutorSolve(ctx, "guarded", nil, &challenge.CaptchaResponse{Token: "solved"})
		},
		"with another solver": func(ctx context.Context, s *authentik.Session) (challenge.Challenge, error) {
			end, err := s.Run(ctx, "guarded", nil, responds(&challenge.CaptchaResponse{Token: "solved"}))
			if err != nil {
				return nil, err
			}
			return end.Challenge, nil
		},
	} {
		testkit.RunInBubble(t, name, func(t *testing.T) {
			w := newWire(t)
			w.server.Script("guarded", &challenge.Dummy{}, &challenge.Captcha{SiteKey: "site"}, &challenge.Redirect{To: "/in"})
			session := w.session(t)
			_, err := session.Run(t.Context(), "guarded", nil, authentik.Credentials{})
			unsolved := testkit.RequireType[*authentik.UnsolvedError](t, err)
			assert.Equal(t, "site", unsolved.Challenge.(*challenge.Captcha).SiteKey)
			next, err := goOn(t.Context(), session)
			require.NoError(t, err)
			require.IsType(t, &challenge.Redirect{}, next)
			assert.Equal(t, "/in", next.(*challenge.Redirect).To)
			assert.Equal(t, map[string]int{"POST ak-stage-dummy": 1, "POST ak-stage-captcha": 1}, w.inDoubt)
		})
	}
}

func TestRun_FollowsFlowsOfTheServer(t *testing.T) {
	t.Parallel()
	for to, next := range map[string]string{
		"/auth/if/flow/second/":                                  "second/ ",
		"/if/flow/second/":                                       "second/ ", // of a server that knows no prefix
		"/auth/if/flow/second":                                   "second/ ",
		"/auth/if/flow/second/?next=%2Fapp%3Fa%3D1&itoken=x":     "second/ itoken=x&next=%2Fapp%3Fa%3D1",
		"https://sso.example.com/auth/if/flow/second/?a=b":       "second/ a=b",
		"//sso.example.com/auth/if/flow/second/":                 "second/ ",
		"https://SSO.Example.com/auth/if/flow/second/":           "second/ ",
		"https://sso.example.com:443/auth/if/flow/second/":       "second/ ",
		"//sso.example.com:443/auth/if/flow/second/":             "second/ ",
		"http://sso.example.com/auth/if/flow/second/":            "",
		"//sso.example.com:80/auth/if/flow/second/":              "",
		"/auth/api/v3/flows/executor/first/?query=next%3D%252F":  "first/ next=%2F", // the flow itself goes on
		"https://evil.example/auth/if/flow/second/":              "",
		"//evil.example/if/flow/second/":                         "",
		"https://sso.example.com:8443/auth/if/flow/second/":      "",
		"https://sso.example.com@evil.example/if/flow/second/":   "",
		"https://evil.example/auth/api/v3/flows/executor/first/": "",
		"mailto:alice@example.com/if/flow/second/":               "",
		"/auth/if/flow/":                     "",
		"/auth/if/flow/a/b/":                 "",
		"/auth/if/user/":                     "",
		"/auth/api/v3/flows/executor/other/": "",
		"https://[broken":                    "",
		"":                                   "",
	} {
		testkit.RunInBubble(t, to, func(t *testing.T) {
			server := newPlay(t, &challenge.Dummy{}, &challenge.Redirect{To: to}, &challenge.Redirect{To: "/app"})
			end, err := server.session(t).Run(t.Context(), "first", url.Values{"next": {"/"}}, authentik.Credentials{})
			require.NoError(t, err)
			assert.Equal(t, "GET "+playPath+"first/ next=%2F", server.sent[0])
			assert.True(t, strings.HasPrefix(server.sent[1], "POST "+playPath+"first/ next=%2F "), server.sent[1])
			if next == "" {
				assert.Equal(t, to, end.To)
				assert.Equal(t, "first", end.Slug)
				assert.Len(t, server.sent, 2)
				return
			}
			assert.Equal(t, "/app", end.To)
			slug, _, _ := strings.Cut(next, "/")
			assert.Equal(t, slug, end.Slug)
			assert.Equal(t, []string{"GET " + playPath + next}, server.sent[2:])
		})
	}
}

func TestRun_EmailLink(t *testing.T) {
	t.Parallel()
	for link, next := range map[string]string{
		"https://sso.example.com/auth/if/flow/recovery/?flow_token=" + testkit.Token: "recovery/ flow_token=" + testkit.Token,
		"https://elsewhere.example/if/flow/recovery?flow_token=" + testkit.Token:     "recovery/ flow_token=" + testkit.Token,
		"https://sso.example.com/if/flow/recovery/?etoken=" + testkit.Token:          "recovery/ etoken=" + testkit.Token, // until 2021.10
		"?flow_token=" + testkit.Token + "&next=%2F":                                 "reset/ flow_token=" + testkit.Token + "&next=%2F",
	} {
		testkit.RunInBubble(t, link, func(t *testing.T) {
			server := newPlay(t, &challenge.Email{}, &challenge.Dummy{}, &challenge.Redirect{To: "/"})
			credentials := authentik.Credentials{Email: gives(link)}
			end, err := server.session(t).Run(t.Context(), "reset", nil, credentials)
			require.NoError(t, err)
			slug, _, _ := strings.Cut(next, "/")
			assert.Equal(t, slug, end.Slug)
			require.Len(t, server.sent, 3)
			assert.Equal(t, []string{"GET " + playPath + "reset/ ", "GET " + playPath + next}, server.sent[:2], "the link is not sent")
			assert.True(t, strings.HasPrefix(server.sent[2], "POST "+playPath+next+" "), "the flow of the link goes on")
		})
		testkit.RunInBubble(t, "ExecutorSolve "+link, func(t *testing.T) {
			server := newPlay(t, &challenge.Dummy{Name: "of the link"})
			session := server.session(t)
			for _, response := range []challenge.Response{authentik.EmailLink(link), new(authentik.EmailLink(link))} {
				c, err := session.ExecutorSolve(t.Context(), "reset", nil, response)
				require.NoError(t, err)
				assert.IsType(t, &challenge.Dummy{}, c)
			}
			assert.Equal(t, []string{"GET " + playPath + next, "GET " + playPath + next}, server.sent)
		})
	}
	assert.Equal(t, new(challenge.Email).Component(), authentik.EmailLink("").Component())
	for _, link := range []string{"", "https://sso.example.com/if/flow/recovery/", "?flow_token=", "%zz?flow_token=a"} {
		testkit.RunInBubble(t, "invalid "+link, func(t *testing.T) {
			server := newPlay(t, &challenge.Email{})
			_, err := server.session(t).Run(t.Context(), "reset", nil, authentik.Credentials{Email: gives(link)})
			require.EqualError(t, err, "authentik: Run: response: must be the link of the email, with a flow_token")
			_, err = server.session(t).ExecutorSolve(t.Context(), "reset", nil, authentik.EmailLink(link))
			require.EqualError(t, err, "authentik: ExecutorSolve: response: must be the link of the email, with a flow_token")
			assert.Len(t, server.sent, 1)
		})
	}
}

// Behind a proxy that writes the query in another way, authentik shows a
// redirect to the executor in the place of a 302. Stages without a challenge do
// so one after the other, as at the end of an enrollment.
func TestRun_RedirectsToExecutor(t *testing.T) {
	t.Parallel()
	self := &challenge.Redirect{To: "/api/v3/flows/executor/enroll/?query="}
	input := &challenge.Prompt{Fields: []challenge.StagePrompt{{FieldKey: "name", Type: challenge.PromptTypeText}}}
	end := &challenge.Redirect{To: "/"}
	for name, shown := range map[string][]challenge.Challenge{
		"user write and login":  {input, self, self, end},
		"many stages":           {self, input, self, self, self, self, self, end},
		"between two responses": {input, self, self, self, &challenge.Dummy{}, self, self, self, end},
	} {
		testkit.RunInBubble(t, name, func(t *testing.T) {
			server := newPlay(t, shown...)
			got, err := server.session(t).Run(t.Context(), "enroll", nil, authentik.Credentials{Prompt: map[string]any{}})
			require.NoError(t, err)
			assert.Equal(t, "/", got.To)
			assert.Len(t, server.sent, len(shown))
		})
	}
	testkit.RunInBubble(t, "by hand", func(t *testing.T) {
		server := newPlay(t, self, input, self, self, &challenge.Dummy{})
		session := server.session(t)
		c, err := session.ExecutorGet(t.Context(), "enroll", nil)
		require.NoError(t, err)
		assert.IsType(t, input, c)
		c, err = session.ExecutorSolve(t.Context(), "enroll", nil, &challenge.PromptResponse{})
		require.NoError(t, err)
		assert.IsType(t, &challenge.Dummy{}, c)
		posts := slices.DeleteFunc(server.sent, func(sent string) bool { return strings.HasPrefix(sent, http.MethodGet) })
		assert.Len(t, posts, 1)
	})
}

// A link is a response: the first stage after it is a restart.
func TestRun_EmailLinkLeadsBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		identification := &challenge.Identification{UserFields: []string{"username"}}
		server := newPlay(t, identification, &challenge.Email{}, identification)
		credentials := authentik.Credentials{Username: "alice", Email: gives("?flow_token=used")}
		_, err := server.session(t).Run(t.Context(), "reset", nil, credentials)
		require.ErrorIs(t, err, authentik.ErrFlowRestarted)
		assert.Len(t, server.sent, 3)
	})
}

// Only status 200 with a challenge and a 302 to the executor are of a flow.
func TestExecutorGet_RefusesOtherResponses(t *testing.T) {
	t.Parallel()
	const body = `{"component":"ak-stage-dummy"}`
	const path = "https://authentik.example.com/api/v3/flows/executor/" + loginFlow + "/"
	for name, test := range map[string]struct {
		reply   fault
		status  int // of an APIError, 0 for a DecodeError
		foreign bool
	}{
		"created":                   {crash(http.StatusCreated, testkit.JSON, body), 0, false},
		"redirect without Location": {crash(http.StatusFound, testkit.HTML, ""), http.StatusFound, false},
		"other redirect": {
			respond(http.StatusTemporaryRedirect, testkit.HTML, "", "Location", path), http.StatusTemporaryRedirect, true,
		},
		"malformed redirect": {
			respond(http.StatusFound, testkit.HTML, "", "Location", path+"?%zz\x7f"), http.StatusFound, true,
		},
		"redirect elsewhere": {
			respond(http.StatusFound, testkit.HTML, "", "Location", "/if/flow/other/"), http.StatusFound, true,
		},
	} {
		testkit.RunInBubble(t, name, func(t *testing.T) {
			w := newWire(t)
			w.meets, w.fault = once(1), test.reply
			c, err := w.session(t).ExecutorGet(t.Context(), loginFlow, nil)
			if test.status == 0 {
				unusable := testkit.RequireType[*authentik.DecodeError](t, err)
				assert.Equal(t, http.StatusCreated, unusable.StatusCode)
			} else {
				refused := testkit.RequireType[*authentik.APIError](t, err)
				assert.Equal(t, test.status, refused.StatusCode)
				assert.Equal(t, test.foreign, refused.Foreign)
			}
			assert.Nil(t, c)
			assert.Len(t, w.requests(), 1)
		})
	}
}

// Where nothing was shown before, the present challenge proves nothing.
func TestExecutorSolve_LostFirstResponse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWire(t)
		w.server.Script("scripted", &challenge.Dummy{}, &challenge.Dummy{})
		w.meets, w.fault = once(1), after(closed)
		_, err := w.session(t).ExecutorSolve(t.Context(), "scripted", nil, &challenge.DummyResponse{})
		require.ErrorIs(t, err, authentik.ErrPerhapsDone)
		assert.Len(t, w.requests(), 2)
	})
}
