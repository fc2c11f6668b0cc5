package authentiktest_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/authentiktest"
	"github.com/seed-299d42e7/authentik-go/internal/testkit"
)

// whoIs returns the status of the request for the user of a session cookie.
func whoIs(t *testing.T, srv *authentiktest.Server, cookie string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL+"/api/v3/core/users/me/", http.NoBody)
	require.NoError(t, err)
	req.AddCookie(&http.Cookie{Name: "authentik_session", Value: cookie})
	resp, err := srv.RoundTrip(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return resp.StatusCode
}

// loggedIn returns the session cookie of a login that lasts.
func loggedIn(srv *authentiktest.Server, lasts time.Duration) string {
	srv.AddFlow(authentik.Flow{Slug: "login", Designation: authentik.FlowDesignationAuthentication})
	srv.AddStages("login", authentiktest.IdentificationStage{WithPassword: true}, authentiktest.UserLoginStage{Duration: lasts})
	b := newBrowser(srv)
	b.show("login")
	b.solve("login", m{"uid_field": authentiktest.AdminUsername, "password": authentiktest.AdminPassword})
	return b.cookie("authentik_session")
}

// The cookie expires, too, but a client may send it all the same.
func TestServer_EndsSessionsInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := authentiktest.RoundTripper(t)
		cookie := loggedIn(srv, time.Hour)
		testkit.Advance(time.Hour - time.Second)
		assert.Equal(t, http.StatusOK, whoIs(t, srv, cookie))
		testkit.Advance(time.Second)
		assert.Equal(t, http.StatusForbidden, whoIs(t, srv, cookie))
	})
}

func TestServer_AcceptsItsOwnCookiesOnly(t *testing.T) {
	t.Parallel()
	srv := authentiktest.RoundTripper(t)
	cookie := loggedIn(srv, 0)
	require.Equal(t, http.StatusOK, whoIs(t, srv, cookie))
	header, rest, _ := strings.Cut(cookie, ".")
	claims, signature, _ := strings.Cut(rest, ".")
	for name, forged := range map[string]string{
		"another signature": header + "." + claims + "." + strings.Repeat("A", len(signature)),
		"no signature":      header + "." + claims + ".",
		"other claims":      header + "." + claims[:len(claims)-4] + "." + signature,
		"no token":          "token",
	} {
		assert.Equal(t, http.StatusForbidden, whoIs(t, srv, forged), name)
	}
}

func TestServer_SetsCookiesForOtherSitesOverHTTPS(t *testing.T) {
	t.Parallel()
	for srv, want := range map[*authentiktest.Server]string{
		authentiktest.RoundTripper(t): "SameSite=None; Secure",
		authentiktest.NewServer(t):    "SameSite=Lax",
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet,
			srv.URL+executor("default-authentication-flow"), http.NoBody)
		require.NoError(t, err)
		resp, err := srv.RoundTrip(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		for _, cookie := range resp.Header.Values("Set-Cookie") {
			if strings.HasPrefix(cookie, "authentik_session=") {
				assert.True(t, strings.HasSuffix(cookie, "; "+want), cookie)
				want = ""
			}
		}
		assert.Empty(t, want, "no session cookie")
	}
}

func TestServer_NamesEachUpload(t *testing.T) {
	t.Parallel()
	srv := authentiktest.RoundTripper(t, authentiktest.Version("2024.10"), authentiktest.Empty())
	ak := srv.Client()
	var names []string
	for _, slug := range []string{"a", "b"} {
		srv.AddFlow(authentik.Flow{Slug: slug})
		require.NoError(t, ak.FlowsInstancesSetBackgroundCreate(t.Context(), slug, authentik.FlowBackground{Filename: "sky.png", Content: []byte("\x89PNG")}))
		flow, err := ak.FlowsInstancesRetrieve(t.Context(), slug)
		require.NoError(t, err)
		names = append(names, flow.Background)
	}
	assert.Contains(t, names[0], "sky.png")
	assert.Regexp(t, `sky_\w{7}\.png`, names[1])
}

func TestServer_SaysWhatIsWrongWithATokenAgainstForgery(t *testing.T) {
	t.Parallel()
	srv := authentiktest.RoundTripper(t)
	b := newBrowser(srv)
	b.logIn(authentiktest.AdminUsername, authentiktest.AdminPassword)
	session, own := b.cookie("authentik_session"), b.cookie("authentik_csrf")
	dashes, other := strings.Repeat("-", 32), strings.Repeat("a", 32)
	const header = "CSRF token from the 'X-Authentik-Csrf' HTTP header "
	for _, row := range []struct {
		cookie string
		header []string
		want   string
	}{
		{"", []string{own}, "CSRF cookie not set."},
		{"short", []string{"short"}, "CSRF cookie has incorrect length."},
		{dashes, []string{dashes}, "CSRF cookie has invalid characters."},
		{own, nil, "CSRF token missing."},
		{own, []string{""}, header + "has incorrect length."},
		{own, []string{dashes}, header + "has invalid characters."},
		{own, []string{other}, header + "incorrect."},
		{other, []string{other}, ""},
	} {
		sent := http.Header{"Origin": {srv.URL}, "Cookie": {"authentik_session=" + session}}
		if row.cookie != "" {
			sent.Add("Cookie", "authentik_csrf="+row.cookie)
		}
		sent["X-Authentik-Csrf"] = row.header
		s := (&browser{srv: srv, Client: http.Client{Transport: srv}}).sendWith(
			http.MethodPatch, "/api/v3/flows/instances/default-authentication-flow/", m{}, sent)
		if row.want == "" {
			assert.Equal(t, http.StatusOK, s.Status, s.Body)
		} else {
			assert.Equal(t, "CSRF Failed: "+row.want, s.Detail)
		}
	}
}

func TestServer_ForgetsTheOldestSessions(t *testing.T) {
	t.Parallel()
	srv := authentiktest.RoundTripper(t)
	oldest, newest := loggedIn(srv, 0), ""
	require.Equal(t, http.StatusOK, whoIs(t, srv, oldest))
	for range 10_000 {
		b := newBrowser(srv)
		b.send(http.MethodGet, executor("login"), nil)
		newest = b.cookie("authentik_session")
	}
	require.NotEmpty(t, newest)
	assert.Equal(t, http.StatusForbidden, whoIs(t, srv, oldest))
	b := newBrowser(srv)
	b.show("login")
	b.solve("login", m{"uid_field": authentiktest.AdminUsername, "password": authentiktest.AdminPassword})
	assert.Equal(t, authentiktest.AdminUsername, b.me(), "there is room for others")
}
