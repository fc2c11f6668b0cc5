package session_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/authentiktest"
	"github.com/seed-299d42e7/authentik-go/challenge"
	"github.com/seed-299d42e7/authentik-go/internal/testkit"
)

// password has every character that some encoding changes.
const password = `CANARY pä"ss&w<o>rd/of'alice\ ☃🔑 + 100%`

// secretsOf returns what a request has in it that nothing may show.
func secretsOf(t *testing.T, req *http.Request) (secrets []string) {
	t.Helper()
	for _, cookie := range req.Cookies() {
		secrets = append(secrets, cookie.Value)
	}
	if req.Body == nil {
		return secrets
	}
	body, err := io.ReadAll(req.Body)
	require.NoError(t, err)
	req.Body = io.NopCloser(bytes.NewReader(body))
	var response map[string]any
	require.NoError(t, json.Unmarshal(body, &response))
	for _, key := range []string{"password", "code"} {
		if value, ok := response[key].(string); ok {
			secrets = append(secrets, value)
		}
	}
	return secrets
}

// printed returns every way to print, marshal and log a value, and the errors
// that it wraps.
func printed(v any) string {
	var all strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&all, verb+"\n"+verb+"\n", v, struct{ Field any }{v})
		switch v.(type) {
		case error, *authentik.Session, authentik.Session: // even where no method is called
			fmt.Fprintf(&all, verb+"\n", struct{ hidden any }{v})
		}
	}
	if encoded, err := json.Marshal(v); err == nil {
		all.Write(encoded)
	}
	var log testkit.Log
	log.Logger().Info("message", "value", v, slog.Group("group", "value", []any{v}))
	all.WriteString(log.String())
	switch wrapper := v.(type) {
	case interface{ Unwrap() error }:
		all.WriteString(printed(wrapper.Unwrap()))
	case interface{ Unwrap() []error }:
		for _, err := range wrapper.Unwrap() {
			all.WriteString(printed(err))
		}
	}
	return all.String()
}

func assertHidden(t *testing.T, what, output string, secrets []string) {
	t.Helper()
	for _, secret := range secrets {
		inJSON, err := json.Marshal(secret)
		require.NoError(t, err)
		for _, spelling := range []string{
			secret, string(inJSON[1 : len(inJSON)-1]), url.QueryEscape(secret), url.PathEscape(secret),
			html.EscapeString(secret), fmt.Sprintf("%x", secret), secret[:min(len(secret), 12)],
		} {
			if i := strings.Index(output, spelling); i >= 0 {
				assert.Fail(t, "a secret is shown", "%s: %q in %q", what, spelling, output[max(0, i-200):min(len(output), i+100)])
			}
		}
	}
}

// echoes are the ways in which a server may repeat what it got.
var echoes = map[string]func(echo string) (*http.Response, error){
	"errors of a challenge": func(echo string) (*http.Response, error) {
		details := []any{map[string]any{"string": "not " + echo, "code": echo}, echo}
		return respondJSON(200, map[string]any{
			"component": "ak-stage-password", "pending_user": echo, "pending_user_avatar": avatar(echo),
			"response_errors": map[string]any{"non_field_errors": details, echo: details},
		})
	},
	"component": echoChallenge(func(echo string) any { return map[string]any{"component": echo} }),
	"component with errors": echoChallenge(func(echo string) any {
		return map[string]any{"component": echo, "response_errors": map[string]any{"code": []any{echo}}}
	}),
	"access denied": echoChallenge(func(echo string) any {
		return map[string]any{"component": "ak-stage-access-denied", "error_message": "no " + echo}
	}),
	"error of a flow": echoChallenge(func(echo string) any {
		return map[string]any{"component": "ak-stage-flow-error", "request_id": echo, "error": echo, "traceback": echo}
	}),
	"captcha": echoChallenge(func(echo string) any {
		return map[string]any{
			"component": "ak-stage-captcha", "site_key": echo, "js_url": echo, "pending_user": echo,
			"pending_user_avatar": avatar(echo), "flow_info": map[string]any{"title": echo, "cancel_url": echo},
		}
	}),
	"end": echoChallenge(func(echo string) any {
		return map[string]any{"component": "xak-flow-redirect", "to": "/?token=" + url.QueryEscape(echo)}
	}),
	"wrong type": echoChallenge(func(echo string) any {
		return map[string]any{"component": "ak-stage-password", "pending_user": []any{echo}}
	}),
	"detail of a 400": func(echo string) (*http.Response, error) { return respondJSON(400, map[string]any{"detail": echo}) },
	"fields of a 400": func(echo string) (*http.Response, error) {
		return respondJSON(400, map[string]any{"code": []any{echo}, echo: []any{echo}})
	},
	"detail of a 403": func(echo string) (*http.Response, error) { return respondJSON(403, map[string]any{"detail": echo}) },
	"error of a 500":  func(echo string) (*http.Response, error) { return respondJSON(500, map[string]any{"error": echo}) },
	"text of a 500": func(echo string) (*http.Response, error) {
		return testkit.HTTPResponse(testkit.Reply(500, testkit.Text, echo)), nil
	},
	"page": func(echo string) (*http.Response, error) {
		return testkit.HTTPResponse(testkit.Reply(200, testkit.HTML, "<p>"+html.EscapeString(echo))), nil
	},
	"page of a 403": func(echo string) (*http.Response, error) {
		return testkit.HTTPResponse(testkit.Reply(403, testkit.HTML, "<p>"+html.EscapeString(echo))), nil
	},
	"no JSON": func(echo string) (*http.Response, error) {
		return testkit.HTTPResponse(testkit.Reply(200, testkit.JSON, "got "+echo)), nil
	},
	"broken JSON": func(echo string) (*http.Response, error) {
		return testkit.HTTPResponse(testkit.Reply(200, testkit.JSON, `{"component":"ak-stage-password","pending_user":`+echo)), nil
	},
	"redirect": func(echo string) (*http.Response, error) {
		location := "https://sso.example.net/" + url.PathEscape(echo) + "?q=" + url.QueryEscape(echo) + "#" + url.PathEscape(echo)
		return testkit.HTTPResponse(testkit.Reply(302, testkit.HTML, "", "Location", location)), nil
	},
	"headers": func(echo string) (*http.Response, error) {
		return testkit.HTTPResponse(testkit.Reply(500, echo, "", "X-authentik-id", echo, "Retry-After", echo, "Server", echo)), nil
	},
	"error of a RoundTripper": func(echo string) (*http.Response, error) { return nil, errors.New("got " + echo) },
}

func avatar(echo string) string {
	return "data:image/svg+xml;base64," + echo
}

func echoChallenge(shown func(echo string) any) func(string) (*http.Response, error) {
	return func(echo string) (*http.Response, error) { return respondJSON(200, shown(echo)) }
}

func respondJSON(status int, v any) (*http.Response, error) {
	body, err := json.Marshal(v)
	return testkit.HTTPResponse(testkit.Reply(status, testkit.JSON, string(body))), err
}

// A server that repeats what it got, at each request of a login, is not
// repeated by any error nor by the log.
func TestSecrets_AreNotShown(t *testing.T) {
	t.Parallel()
	for name, echo := range echoes {
		for step := range steps {
			testkit.RunInBubble(t, fmt.Sprintf("%s/%d %s", name, step+1, steps[step]), func(t *testing.T) {
				w := newWire(t)
				credentials := w.account()
				w.server.AddAccount(authentiktest.Account{Username: "bob", Password: password})
				device := w.server.AddDevice("bob", authentiktest.Device{})
				credentials.Username, credentials.Password = "bob", password
				credentials.TOTP = func(context.Context) (string, error) { return device.Code(time.Now()), nil }
				var secrets []string // of all requests so far
				w.meets = func(int) bool { return true }
				w.fault = func(w *wire, req *http.Request) (*http.Response, error) {
					secrets = append(secrets, secretsOf(t, req)...)
					if len(w.requests()) <= step {
						return w.pass(req)
					}
					return echo(strings.Join(slices.Compact(slices.Sorted(slices.Values(secrets))), " and "))
				}
				var log testkit.Log
				session := w.session(t, authentik.WithLogger(log.Logger()), authentik.WithRetry(authentik.RetryPolicy{BaseDelay: -1}))
				_, err := session.Login(t.Context(), loginFlow, credentials)
				require.Error(t, err)
				if step > 0 {
					require.NotEmpty(t, secrets)
				}
				assertHidden(t, "the error", printed(err), secrets)
				assertHidden(t, "the log", log.String(), secrets)
				assertHidden(t, "the session", printed(session)+printed(*session), secrets)
				assertHidden(t, "the credentials", printed(credentials)+printed(&credentials), secrets)
			})
		}
	}
}

// A cookie is a secret of the response that sets it.
func TestSecrets_NewCookieIsHidden(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWire(t)
		w.meets = from(1)
		w.fault = func(*wire, *http.Request) (*http.Response, error) {
			resp, err := echoes["detail of a 400"]("you are " + testkit.ServerSecret)
			resp.Header.Set("Set-Cookie", "authentik_session="+testkit.ServerSecret)
			return resp, err
		}
		_, err := w.session(t).ExecutorGet(t.Context(), loginFlow, nil)
		require.ErrorIs(t, err, authentik.ErrBadRequest)
		testkit.AssertNoSecrets(t, err)
	})
}

// What a solver enters as a number is as secret as a text.
func TestSecrets_NumbersAreHidden(t *testing.T) {
	t.Parallel()
	srv := authentiktest.NewServer(t)
	srv.Script("pin",
		&challenge.Prompt{Fields: []challenge.StagePrompt{{FieldKey: "pin", Type: challenge.PromptTypeNumber, Required: true}}},
		&challenge.AccessDenied{ErrorMessage: "The PIN 493817 is wrong."},
	)
	session, err := authentik.NewSession(srv.URL)
	require.NoError(t, err)
	t.Cleanup(session.Close)
	_, err = session.Run(t.Context(), "pin", nil, authentik.Credentials{Prompt: map[string]any{"pin": 493817}})
	require.EqualError(t, err, "authentik: Run: flow pin: access denied: The PIN [redacted] is wrong.")
}

// rawJSON is a response of a caller's own.
type rawJSON string

func (rawJSON) Component() string              { return "ak-stage-dummy" }
func (r rawJSON) MarshalJSON() ([]byte, error) { return []byte(r), nil }

// So is all else of a response but its component, wherever it is.
func TestSecrets_AllValuesOfAResponseAreHidden(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"list":             `{"codes": ["first-code", 493817], "component": "neither"}`,
		"after an object":  `{"list": [{"component": "neither"}, "first-code"], "code": 493817}`,
		"in a component":   `{"component": ["first-code", {"pin": 493817}]}`,
		"keys that repeat": `{"code": "first-code", "code": 493817}`,
		"lone surrogate":   `{"name": "\ud800", "codes": ["first-code", 493817]}`,
		"invalid UTF-8":    "{\"name\": \"\xff\", \"codes\": [\"first-code\", 493817]}",
	} {
		testkit.RunInBubble(t, name, func(t *testing.T) {
			server := newPlay(t, &challenge.Dummy{}, &challenge.AccessDenied{ErrorMessage: "neither first-code nor 493817"})
			_, err := server.session(t).Run(t.Context(), "codes", nil, responds(rawJSON(body)))
			require.EqualError(t, err, "authentik: Run: flow codes: access denied: neither [redacted] nor [redacted]")
		})
	}
}

// The component is no secret, even if the server alone knows it.
func TestSecrets_ComponentIsShown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		newer := challenge.RawResponse{ComponentName: "ak-stage-newer"}
		rejected := challenge.RawResponse{ComponentName: "ak-stage-newer", Values: map[string]any{
			"response_errors": map[string]any{"code": []any{"No."}},
		}}
		server := newPlay(t)
		server.Sequence = testkit.NewSequence(step(t, newer), step(t, rejected))
		_, err := server.session(t).Run(t.Context(), "codes", nil, responds(newer))
		require.EqualError(t, err, "authentik: Run: flow codes: the server rejected the response to ak-stage-newer: code: No.")
	})
}

// A token of the URL, such as that of an invitation or of an email.
func TestSecrets_QueryIsHidden(t *testing.T) {
	t.Parallel()
	const token = "CANARY-of-the-email"
	for name, run := range map[string]func(context.Context, *authentik.Session) error{
		"query": func(ctx context.Context, s *authentik.Session) error {
			_, err := s.ExecutorGet(ctx, loginFlow, url.Values{"itoken": {token}})
			return err
		},
		"link": func(ctx context.Context, s *authentik.Session) error {
			link := authentik.EmailLink("https://sso.example.com/if/flow/recovery/?flow_token=" + token)
			_, err := s.ExecutorSolve(ctx, loginFlow, nil, link)
			return err
		},
	} {
		testkit.RunInBubble(t, name, func(t *testing.T) {
			w := newWire(t)
			var log testkit.Log
			w.meets = from(1)
			w.fault = func(_ *wire, req *http.Request) (*http.Response, error) {
				assert.Contains(t, req.URL.RawQuery, token)
				return echoes["text of a 500"](req.URL.RawQuery)
			}
			err := run(t.Context(), w.session(t, authentik.WithLogger(log.Logger())))
			require.ErrorIs(t, err, authentik.ErrServer)
			assertHidden(t, "the error", printed(err), []string{token})
			assertHidden(t, "the log", log.String(), []string{token})
		})
	}
}

// Cookies that rotate with each response do not make the password forgotten.
func TestSecrets_OutliveRotatingCookies(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWire(t)
		credentials := w.account()
		session := w.session(t)
		_, err := session.Login(t.Context(), loginFlow, credentials)
		require.NoError(t, err)
		client, err := session.Client()
		require.NoError(t, err)
		w.meets = from(1)
		w.fault = func(w *wire, _ *http.Request) (*http.Response, error) {
			resp, err := respondJSON(200, map[string]any{})
			resp.Header.Set("Set-Cookie", fmt.Sprintf("authentik_session=value-%d", len(w.requests())))
			return resp, err
		}
		for range 100 {
			require.NoError(t, client.Get(t.Context(), "core/users/me/", nil, nil))
		}
		w.fault = func(*wire, *http.Request) (*http.Response, error) {
			return echoes["detail of a 400"](credentials.Password)
		}
		err = client.Get(t.Context(), "core/users/me/", nil, nil)
		require.ErrorIs(t, err, authentik.ErrBadRequest)
		testkit.AssertNoSecrets(t, err)
	})
}

// What a flow ends with, and what the inspector shows, prints no value.
func TestSecrets_EndsAreNotPrinted(t *testing.T) {
	t.Parallel()
	srv := authentiktest.NewServer(t)
	to := "/application/o/callback/?code=" + testkit.ServerSecret
	srv.Script("ends", &challenge.Redirect{To: to})
	session, err := authentik.NewSession(srv.URL)
	require.NoError(t, err)
	t.Cleanup(session.Close)
	end, err := session.Run(t.Context(), "ends", nil, authentik.Credentials{})
	require.NoError(t, err)
	assert.Equal(t, to, end.To)
	assertHidden(t, "the end", printed(end)+printed(*end), []string{testkit.ServerSecret})

	unsolved := &authentik.UnsolvedError{Challenge: &challenge.Password{PendingUserAvatar: avatar(testkit.ServerSecret)}}
	assertHidden(t, "the error", printed(unsolved), []string{testkit.ServerSecret})
	link := authentik.EmailLink("https://sso.example.com/?flow_token=" + testkit.ServerSecret)
	assertHidden(t, "the link", printed(link)+printed(&link), []string{testkit.ServerSecret})
	plan := authentik.FlowInspectorPlan{PlanContext: map[string]any{"password": testkit.ServerSecret}}
	inspection := authentik.FlowInspection{Plans: []authentik.FlowInspectorPlan{plan}, CurrentPlan: &plan}
	for _, verb := range []string{"%v", "%+v", "%#v"} {
		assertHidden(t, verb, fmt.Sprintf(verb+verb, plan, inspection), []string{testkit.ServerSecret})
	}
}
