package live_test

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/authentiktest"
	"github.com/seed-299d42e7/authentik-go/internal/testkit/conformance"
)

const (
	loginFlow  = "default-authentication-flow"
	logoutFlow = "default-invalidation-flow"
)

// TestLive_FakeLogin logs in to the fake of every release, as TestLive does.
func TestLive_FakeLogin(t *testing.T) {
	t.Parallel()
	for _, version := range authentiktest.Versions() {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			srv := authentiktest.NewServer(t, authentiktest.Version(version))
			alice := srv.AddAccount(authentiktest.Account{
				Username: "alice", Name: "Alice Grüße", Password: "wonderland", Groups: []string{"Staff", "Friends"},
			})
			compareLogin(t, srv.URL, authentiktest.AdminUsername, authentiktest.AdminPassword)
			compareLogin(t, srv.URL, alice.Username, alice.Password)
		})
	}
}

// TestLive_LogsOutAfterFailure runs TestLive in another process, with a fake
// whose version cannot be read: the session of the login ends all the same.
func TestLive_LogsOutAfterFailure(t *testing.T) {
	t.Parallel()
	srv := authentiktest.NewServer(t)
	srv.On("admin_version_retrieve").FailNext(2*tries, http.StatusOK, `{"version_current": 7}`, nil)
	output, err := runLive(t, srv, "1", "login")
	require.Error(t, err, output)
	assert.Contains(t, output, "--- FAIL: TestLive/login/Client ")
	assert.NotContains(t, output, authentiktest.AdminPassword)
	logouts := 0
	for _, r := range srv.Requests() {
		if r.Path == "/api/v3/flows/executor/"+logoutFlow+"/" {
			logouts++
		}
	}
	assert.Equal(t, 1, logouts, output)
	last := srv.Requests()[len(srv.Requests())-1]
	assert.Equal(t, "core_users_me_retrieve", last.Operation, "proves the logout")
	assert.Contains(t, []int{http.StatusUnauthorized, http.StatusForbidden}, last.Status)
}

// compareLogin logs in and out, and compares what the library says of the user
// with requests by hand that have the cookies of the session.
func compareLogin(t *testing.T, baseURL, username, password string) {
	t.Helper()
	session, err := authentik.NewSession(baseURL)
	require.NoError(t, err)
	t.Cleanup(session.Close)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
		defer cancel()
		if in, err := session.LoggedIn(ctx); in || err != nil {
			assert.NoError(t, session.Logout(ctx, logoutFlow))
		}
	})

	user, err := session.Login(t.Context(), loginFlow, authentik.Credentials{Username: username, Password: password})
	require.NoError(t, err)
	ak, err := session.Client()
	require.NoError(t, err)
	l := live{apiOf(baseURL), http.Header{}, ak}
	for _, cookie := range session.Cookies() {
		l.header.Add("Cookie", cookie.Name+"="+cookie.Value)
	}
	same := t.Run("Login", func(t *testing.T) {
		answer := l.fetch(t, "core/users/me/", nil)
		require.Equal(t, http.StatusOK, answer.Status)
		sent, _ := conformance.ParseJSON(t, answer.Body()).(map[string]any)
		ours, err := json.Marshal(user)
		require.NoError(t, err)
		got := conformance.ParseJSON(t, ours)
		assert.Empty(t, conformance.Compare("", within(sent["user"], got), got))
	})
	same = t.Run("Client", func(t *testing.T) {
		for _, path := range []string{"core/users/me/", "admin/version/", "flows/instances/?page_size=5"} {
			t.Logf("%s: status %d", path, l.same(t, path).Status)
		}
	}) && same
	require.True(t, same)
	in, err := session.LoggedIn(t.Context())
	require.NoError(t, err)
	assert.True(t, in)

	require.NoError(t, session.Logout(t.Context(), logoutFlow))
	in, err = session.LoggedIn(t.Context())
	require.NoError(t, err)
	assert.False(t, in)
	status := l.fetch(t, "core/users/me/", nil).Status
	assert.Contains(t, []int{http.StatusUnauthorized, http.StatusForbidden}, status, "the cookies of before")
	_, err = session.Client()
	assert.ErrorIs(t, err, authentik.ErrNotLoggedIn)
}

// within returns what a value has of the keys of another one: a User has some
// of the server's.
func within(value, keys any) any {
	switch keys := keys.(type) {
	case map[string]any:
		object, _ := value.(map[string]any)
		some := map[string]any{}
		for key, below := range keys {
			if element, ok := object[key]; ok {
				some[key] = within(element, below)
			}
		}
		return some
	case []any:
		list, _ := value.([]any)
		if len(list) != len(keys) {
			return value
		}
		some := make([]any, len(list))
		for i := range list {
			some[i] = within(list[i], keys[i])
		}
		return some
	}
	return value
}
