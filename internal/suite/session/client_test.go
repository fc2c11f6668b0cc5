package session_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
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

var admin = authentik.Credentials{Username: authentiktest.AdminUsername, Password: authentiktest.AdminPassword}

// A proxy serves authentik below a path that authentik does not know. Over
// https, authentik also requires the Referer.
func TestSession_BehindProxyThatStripsPrefix(t *testing.T) {
	t.Parallel()
	server := authentiktest.NewServer(t)
	server.Script("scripted", &challenge.Dummy{Name: "1"}, &challenge.Dummy{Name: "2"},
		&challenge.Redirect{To: "/if/flow/next/?next=%2F"})
	server.Script("next", &challenge.Dummy{Name: "3"}, &challenge.Redirect{To: "/"})
	target, err := url.Parse(server.URL)
	require.NoError(t, err)
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.SetXForwarded()
		r.Out.Host = r.In.Host
	}}
	mux := http.NewServeMux()
	mux.Handle("/auth/", http.StripPrefix("/auth", proxy))
	front := testkit.NewTLSServer(t, mux, func(*httptest.Server) {})

	session, err := authentik.NewSession(front.URL+"/auth/", authentik.WithHTTPClient(front.Client()))
	require.NoError(t, err)
	user, err := session.Login(t.Context(), loginFlow, admin)
	require.NoError(t, err)
	assert.Equal(t, authentiktest.AdminUsername, user.Username)
	client, err := session.Client()
	require.NoError(t, err)
	flow, err := client.FlowsInstancesPartialUpdate(t.Context(), "initial-setup", authentik.FlowRequest{Title: "Hello"})
	require.NoError(t, err)
	assert.Equal(t, "Hello", flow.Title)
	end, err := session.Run(t.Context(), "scripted", nil, authentik.Credentials{})
	require.NoError(t, err)
	assert.Equal(t, "next", end.Slug)
	_, err = session.InspectorGet(t.Context(), "scripted")
	require.NoError(t, err)
	require.NoError(t, session.Logout(t.Context(), logoutFlow))
}

// loggedIn returns a client of a session over the wire that has logged in.
func (w *wire) loggedIn(t *testing.T, credentials authentik.Credentials) (*authentik.Session, *authentik.Client) {
	t.Helper()
	session := w.session(t)
	_, err := session.Login(t.Context(), loginFlow, credentials)
	require.NoError(t, err)
	client, err := session.Client()
	require.NoError(t, err)
	return session, client
}

func TestClient_ErrNotLoggedIn(t *testing.T) {
	t.Parallel()
	const list = "GET /api/v3/flows/instances/"
	const me = "GET /api/v3/core/users/me/"
	lose := func(_ *wire, s *authentik.Session) {
		s.SetCookies([]*http.Cookie{{Name: "authentik_session", Value: "nobody's"}})
	}
	at := func(n int, f fault) func(*wire, *authentik.Session) {
		return func(w *wire, s *authentik.Session) {
			lose(w, s)
			w.fault, w.meets = f, once(len(w.requests())+n)
		}
	}
	forbidden := `{"detail":"Forbidden."}`
	for name, test := range map[string]struct {
		happens     func(*wire, *authentik.Session)
		notLoggedIn bool
		foreign     bool
		more        []string // requests
	}{
		"lost session": {lose, true, false, []string{list, me}},
		"missing permission": {
			func(*wire, *authentik.Session) {}, false, false, []string{list, me},
		},
		"page of a proxy": {at(1, respond(403, testkit.HTML, "<title>Forbidden</title>")), false, true, []string{list}},
		"JSON of a proxy": {at(1, respond(403, testkit.JSON, `{"message":"no"}`)), false, true, []string{list}},
		// Only a 403 of authentik to the second request proves it.
		"proxy answers the second":  {at(2, respond(403, testkit.HTML, "<title>Forbidden</title>")), false, false, []string{list, me}},
		"second request is crashed": {at(2, crash(400, testkit.JSON, forbidden)), false, false, []string{list, me}},
	} {
		testkit.RunInBubble(t, name, func(t *testing.T) {
			w := newWire(t)
			session, client := w.loggedIn(t, w.account())
			test.happens(w, session)
			before := len(w.requests())
			_, err := client.FlowsInstancesList(t.Context(), nil)
			denied := testkit.RequireType[*authentik.PermissionError](t, err)
			require.ErrorIs(t, err, authentik.ErrForbidden)
			assert.Equal(t, test.foreign, denied.Foreign)
			assert.Equal(t, "FlowsInstancesList", denied.Op)
			assert.Equal(t, test.more, w.requests()[before:])
			if test.notLoggedIn {
				require.ErrorIs(t, err, authentik.ErrNotLoggedIn)
				assert.True(t, strings.HasSuffix(err.Error(), ": the session is not logged in"), err)
			} else {
				require.NotErrorIs(t, err, authentik.ErrNotLoggedIn)
				assert.NotContains(t, err.Error(), "not logged in")
			}
		})
	}
	testkit.RunInBubble(t, "the user itself", func(t *testing.T) {
		w := newWire(t)
		session, client := w.loggedIn(t, w.account())
		lose(w, session)
		before := len(w.requests())
		require.ErrorIs(t, client.Get(t.Context(), "core/users/me/", nil, nil), authentik.ErrNotLoggedIn)
		assert.Equal(t, []string{me}, w.requests()[before:], "no second request")
	})
	testkit.RunInBubble(t, "the context has ended", func(t *testing.T) {
		w := newWire(t)
		_, client := w.loggedIn(t, w.account())
		ctx, cancel := context.WithCancel(t.Context())
		w.meets, w.fault = from(1), func(w *wire, req *http.Request) (*http.Response, error) {
			resp, err := w.pass(req)
			if err == nil {
				resp.Body = closing{resp.Body, cancel}
			}
			return resp, err
		}
		before := len(w.requests())
		_, err := client.FlowsInstancesList(ctx, nil)
		require.Error(t, err)
		require.NotErrorIs(t, err, authentik.ErrNotLoggedIn)
		assert.Equal(t, []string{list}, w.requests()[before:])
	})
}

func TestSession_LoggedIn(t *testing.T) {
	t.Parallel()
	testkit.RunInBubble(t, "reports errors", func(t *testing.T) {
		w := newWire(t)
		session, _ := w.loggedIn(t, w.account())
		yes, err := session.LoggedIn(t.Context())
		require.NoError(t, err)
		assert.True(t, yes)
		w.meets, w.fault = from(1), respond(403, testkit.HTML, "<title>Forbidden</title>")
		yes, err = session.LoggedIn(t.Context())
		require.ErrorIs(t, err, authentik.ErrForbidden)
		require.NotErrorIs(t, err, authentik.ErrNotLoggedIn)
		assert.False(t, yes)
	})
}

// Of each request to authentik, the headers that a browser would send.
func TestSession_SendsCSRF(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWire(t)
		w.server.Script("scripted", &challenge.Dummy{}, &challenge.Redirect{})
		last := map[string]http.Header{} // by method
		w.meets = from(1)
		w.fault = func(w *wire, req *http.Request) (*http.Response, error) {
			last[req.Method] = req.Header.Clone()
			return w.pass(req)
		}
		session := w.session(t)
		csrf := func(method string) []string {
			require.Contains(t, last, method)
			header := last[method]
			delete(last, method)
			assert.Equal(t, []string{w.server.URL + "/"}, header["Referer"], method)
			assert.Empty(t, header["Authorization"])
			return header.Values("X-authentik-CSRF")
		}
		_, err := session.ExecutorSolve(t.Context(), "scripted", nil, &challenge.DummyResponse{})
		require.NoError(t, err)
		assert.Empty(t, csrf(http.MethodPost), "nobody is logged in")

		_, err = session.Login(t.Context(), loginFlow, admin)
		require.NoError(t, err)
		assert.Empty(t, csrf(http.MethodGet))
		var token string
		for _, cookie := range session.Cookies() {
			if cookie.Name == "authentik_csrf" {
				token = cookie.Value
			}
		}
		require.NotEmpty(t, token)
		client, err := session.Client()
		require.NoError(t, err)
		flow, err := client.FlowsInstancesCreate(t.Context(), authentik.FlowRequest{
			Name: "New", Slug: "new", Title: "New", Designation: authentik.FlowDesignationEnrollment,
		})
		require.NoError(t, err)
		assert.Equal(t, []string{token}, csrf(http.MethodPost))
		_, err = client.FlowsInstancesPartialUpdate(t.Context(), flow.Slug, authentik.FlowRequest{Title: "Newer"})
		require.NoError(t, err)
		assert.Equal(t, []string{token}, csrf(http.MethodPatch))
		require.NoError(t, client.FlowsInstancesDestroy(t.Context(), flow.Slug))
		assert.Equal(t, []string{token}, csrf(http.MethodDelete))
		require.NoError(t, client.Do(t.Context(), http.MethodHead, "flows/instances/", nil, nil, nil))
		assert.Empty(t, csrf(http.MethodHead))
		_, err = session.ExecutorGet(t.Context(), "scripted", nil)
		require.NoError(t, err)
		_, err = session.ExecutorSolve(t.Context(), "scripted", nil, &challenge.DummyResponse{})
		require.NoError(t, err)
		assert.Equal(t, []string{token}, csrf(http.MethodPost), "the executor, too")
	})
}

func TestNewSession_RefusesOptions(t *testing.T) {
	t.Parallel()
	const url = "https://sso.example.com"
	for field, test := range map[string]struct {
		url    string
		option authentik.ClientOption
	}{
		"WithTokenFunc":       {url, authentik.WithTokenFunc(gives(testkit.Token))},
		"WithHTTPClient":      {url, authentik.WithHTTPClient(nil)},
		"WithRetry":           {url, authentik.WithRetry(authentik.RetryPolicy{MaxAttempts: -1})},
		"WithTimeout":         {url, authentik.WithTimeout(0)},
		"WithUserAgent":       {url, authentik.WithUserAgent("")},
		"WithHeader":          {url, authentik.WithHeader("Cookie\n", "a")},
		"WithMiddleware":      {url, authentik.WithMiddleware(nil)},
		"WithMaxResponseSize": {url, authentik.WithMaxResponseSize(-1)},
		"baseURL":             {"http://sso.example.com", nil},
	} {
		t.Run(field, func(t *testing.T) {
			t.Parallel()
			session, err := authentik.NewSession(test.url, test.option)
			assert.Nil(t, session)
			refused := testkit.RequireType[*authentik.ArgumentError](t, err)
			assert.Equal(t, "NewSession", refused.Op)
			assert.Equal(t, field, refused.Field)
			assert.True(t, strings.HasPrefix(err.Error(), "authentik: NewSession: "+field+": "), err)
		})
	}
	t.Run("middleware that returns nil", func(t *testing.T) {
		t.Parallel()
		none := func(http.RoundTripper) http.RoundTripper { return nil }
		_, err := authentik.NewSession(url, authentik.WithMiddleware(none))
		assert.Equal(t, "NewSession", testkit.RequireType[*authentik.ArgumentError](t, err).Op)
	})
	t.Run("a nil option is none", func(t *testing.T) {
		t.Parallel()
		session, err := authentik.NewSession(url, nil)
		require.NoError(t, err)
		session.Close()
	})
}

// Close closes the connection that a request has left open.
func TestSession_ClosesConnections(t *testing.T) {
	t.Parallel()
	closed := make(chan struct{})
	server := httptest.NewUnstartedServer(testkit.Reply(http.StatusForbidden, testkit.JSON, `{"detail":"No."}`))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateClosed {
			close(closed)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	session, err := authentik.NewSession(server.URL)
	require.NoError(t, err)
	loggedIn, err := session.LoggedIn(t.Context())
	require.NoError(t, err)
	assert.False(t, loggedIn)
	select {
	case <-closed:
		require.Fail(t, "the connection is kept")
	default:
	}
	session.Close()
	select {
	case <-closed:
	case <-t.Context().Done():
	case <-time.After(10 * time.Second):
		require.Fail(t, "the connection is still open")
	}
}

// No method panics, whatever it is called with, and nothing is sent.
func TestSession_RefusesArguments(t *testing.T) {
	t.Parallel()
	made := newPlay(t, &challenge.Dummy{})
	working := made.session(t)
	var none context.Context
	var nilSolver *authentik.Credentials
	var nilResponse *challenge.DummyResponse
	for name, test := range map[string]struct {
		call  func(*authentik.Session, context.Context) error
		bound bool // whether it sends
	}{
		"ExecutorGet": {func(s *authentik.Session, ctx context.Context) error {
			_, err := s.ExecutorGet(ctx, "slug", nil)
			return err
		}, true},
		"ExecutorSolve": {func(s *authentik.Session, ctx context.Context) error {
			_, err := s.ExecutorSolve(ctx, "slug", nil, &challenge.DummyResponse{})
			return err
		}, true},
		"InspectorGet": {func(s *authentik.Session, ctx context.Context) error {
			_, err := s.InspectorGet(ctx, "slug")
			return err
		}, true},
		"Run": {func(s *authentik.Session, ctx context.Context) error {
			_, err := s.Run(ctx, "slug", nil, authentik.Credentials{})
			return err
		}, true},
		"Login": {func(s *authentik.Session, ctx context.Context) error {
			_, err := s.Login(ctx, "slug", authentik.Credentials{})
			return err
		}, true},
		"Logout": {func(s *authentik.Session, ctx context.Context) error { return s.Logout(ctx, "slug") }, true},
		"LoggedIn": {func(s *authentik.Session, ctx context.Context) error {
			_, err := s.LoggedIn(ctx)
			return err
		}, true},
		"Client": {func(s *authentik.Session, _ context.Context) error {
			_, err := s.Client()
			return err
		}, false},
	} {
		for _, session := range []*authentik.Session{nil, {}} {
			require.EqualError(t, test.call(session, t.Context()), "authentik: "+name+": Session: must be made by NewSession")
		}
		if test.bound {
			require.EqualError(t, test.call(working, none), "authentik: "+name+": ctx: must not be nil")
		}
	}
	for _, session := range []*authentik.Session{nil, {}} {
		assert.Nil(t, session.Cookies())
		session.SetCookies([]*http.Cookie{{Name: "a", Value: "b"}})
		assert.Nil(t, session.Cookies())
		session.Close()
	}
	assert.Equal(t, "authentik.Session(not made by NewSession)", fmt.Sprintf("%+v", authentik.Session{}))

	for name, err := range map[string]error{
		"Run: solver: must not be nil":             second(working.Run(t.Context(), "slug", nil, nil)),
		"Login: solver: must not be nil":           second(working.Login(t.Context(), "slug", nilSolver)),
		"ExecutorSolve: response: must not be nil": second(working.ExecutorSolve(t.Context(), "slug", nil, nilResponse)),
	} {
		require.EqualError(t, err, "authentik: "+name)
	}
	unencodable := &challenge.PromptResponse{Values: map[string]any{"a": func() {}}}
	_, err := working.ExecutorSolve(t.Context(), "slug", nil, unencodable)
	assert.Equal(t, "response", testkit.RequireType[*authentik.ArgumentError](t, err).Field)
	_, err = working.ExecutorGet(t.Context(), "", nil)
	assert.Equal(t, "slug", testkit.RequireType[*authentik.ArgumentError](t, err).Field)
	_, err = working.InspectorGet(t.Context(), "")
	assert.Equal(t, "slug", testkit.RequireType[*authentik.ArgumentError](t, err).Field)
	assert.Empty(t, made.sent)

	// A solver whose response is a nil pointer does not know the challenge.
	_, err = working.Run(t.Context(), "slug", nil, responds(nilResponse))
	testkit.RequireType[*authentik.UnsolvedError](t, err)
	assert.Len(t, made.sent, 1)
}

func second[T any](_ T, err error) error { return err }

// closing is a body that calls a function when it is closed.
type closing struct {
	io.ReadCloser
	closed func()
}

func (c closing) Close() error {
	c.closed()
	return c.ReadCloser.Close()
}

// The end of a flow proves nothing: the server knows who is logged in.
func TestLogin_ProvesUser(t *testing.T) {
	t.Parallel()
	testkit.RunInBubble(t, "a flow that logs nobody in", func(t *testing.T) {
		w := newWire(t)
		w.server.Script("scripted", &challenge.Dummy{}, &challenge.Redirect{To: "/"})
		user, err := w.session(t).Login(t.Context(), "scripted", authentik.Credentials{})
		require.ErrorIs(t, err, authentik.ErrNotLoggedIn)
		assert.Nil(t, user)
	})
	testkit.RunInBubble(t, "a flow that denies", func(t *testing.T) {
		w := newWire(t)
		w.server.Script("scripted", &challenge.AccessDenied{ErrorMessage: "No."})
		user, err := w.session(t).Login(t.Context(), "scripted", authentik.Credentials{})
		require.EqualError(t, err, "authentik: Login: flow scripted: access denied: No.")
		assert.Nil(t, user)
		assert.Len(t, w.requests(), 2, "the user was requested")
	})
	testkit.RunInBubble(t, "a solver that gives up", func(t *testing.T) {
		w := newWire(t)
		w.server.Script("scripted", &challenge.Captcha{})
		_, err := w.session(t).Login(t.Context(), "scripted", authentik.Credentials{})
		testkit.RequireType[*authentik.UnsolvedError](t, err)
		assert.Len(t, w.requests(), 1)
	})
	testkit.RunInBubble(t, "a denial after the login", func(t *testing.T) {
		w := newWire(t)
		w.account()
		binding := w.server.AddStages(loginFlow, authentiktest.DenyStage{Name: "late"})
		require.NotEmpty(t, binding)
		user, err := w.session(t).Login(t.Context(), loginFlow, admin)
		require.NoError(t, err)
		assert.Equal(t, authentiktest.AdminUsername, user.Username)
	})
}

func TestLogout_ErrStillLoggedIn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWire(t)
		w.server.Script("scripted", &challenge.Redirect{To: "/"})
		session, client := w.loggedIn(t, admin)
		err := session.Logout(t.Context(), "scripted")
		require.EqualError(t, err, "authentik: Logout: flow scripted: still logged in")
		require.ErrorIs(t, err, authentik.ErrStillLoggedIn)
		require.NoError(t, client.Get(t.Context(), "core/users/me/", nil, nil), "the cookies are kept")

		w.server.Script("asks", &challenge.Password{})
		testkit.RequireType[*authentik.UnsolvedError](t, session.Logout(t.Context(), "asks"))
		require.NoError(t, client.Get(t.Context(), "core/users/me/", nil, nil), "the cookies are kept")

		w.server.Script("denies", &challenge.AccessDenied{})
		testkit.RequireType[*authentik.FlowDeniedError](t, session.Logout(t.Context(), "denies"))
		w.meets, w.fault = once(len(w.requests())+2), respond(403, testkit.HTML, "<title>Forbidden</title>")
		err = session.Logout(t.Context(), logoutFlow)
		require.ErrorIs(t, err, authentik.ErrForbidden)
		require.NotErrorIs(t, err, authentik.ErrNotLoggedIn, "nothing is proven")
	})
}

// A flow that requires a login denies one who has none: the logout is done. So
// does a session that has ended, and a logout whose response was lost.
func TestLogout_DeniedWithoutLogin(t *testing.T) {
	t.Parallel()
	requires := func(w *wire) {
		w.server.AddFlow(authentik.Flow{
			Slug: "logs-out", Designation: authentik.FlowDesignationInvalidation,
			Authentication: authentik.FlowAuthenticationRequireAuthenticated,
		})
		w.server.AddStages("logs-out", authentiktest.UserLogoutStage{Name: "logs-out"})
	}
	testkit.RunInBubble(t, "nobody", func(t *testing.T) {
		w := newWire(t)
		requires(w)
		session := w.session(t)
		_, err := session.Run(t.Context(), "logs-out", nil, authentik.Credentials{})
		testkit.RequireType[*authentik.FlowDeniedError](t, err)
		require.NoError(t, session.Logout(t.Context(), "logs-out"))
	})
	testkit.RunInBubble(t, "lost response", func(t *testing.T) {
		w := newWire(t)
		requires(w)
		session, _ := w.loggedIn(t, admin)
		w.meets, w.fault = once(len(w.requests())+1), after(closed)
		require.NoError(t, session.Logout(t.Context(), "logs-out"))
		_, err := session.Client()
		require.ErrorIs(t, err, authentik.ErrNotLoggedIn)
	})
	testkit.RunInBubble(t, "nothing is proven", func(t *testing.T) {
		w := newWire(t)
		requires(w)
		w.meets, w.fault = once(2), respond(403, testkit.HTML, "<title>Forbidden</title>")
		testkit.RequireType[*authentik.FlowDeniedError](t, w.session(t).Logout(t.Context(), "logs-out"))
	})
}
