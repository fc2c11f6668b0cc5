package session_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/challenge"
	"github.com/seed-299d42e7/authentik-go/internal/testkit"
)

func names(cookies []*http.Cookie) (all []string) {
	for _, c := range cookies {
		all = append(all, c.Name+"="+c.Value)
	}
	return all
}

func TestSession_Cookies(t *testing.T) {
	t.Parallel()
	newSession := func(t *testing.T) *authentik.Session {
		t.Helper()
		return newPlay(t, &challenge.Dummy{}).session(t)
	}
	testkit.RunInBubble(t, "expire", func(t *testing.T) {
		session := newSession(t)
		session.SetCookies([]*http.Cookie{
			{Name: "b", Value: "1", MaxAge: 60},
			{Name: "a", Value: "2", Expires: time.Now().Add(time.Hour)},
			nil,
			{Name: "c", Value: "3"},
			{Name: "past", Value: "4", Expires: time.Unix(0, 0)},
			{Name: "both", Value: "5", MaxAge: 60, Expires: time.Unix(0, 0)}, // Max-Age takes precedence
			{Name: "long", Value: "6", MaxAge: 1<<31 - 1},
		})
		assert.Equal(t, []string{"a=2", "b=1", "both=5", "c=3", "long=6"}, names(session.Cookies()), "sorted")
		testkit.Advance(59 * time.Second)
		assert.Equal(t, []string{"a=2", "b=1", "both=5", "c=3", "long=6"}, names(session.Cookies()))
		testkit.Advance(time.Second)
		assert.Equal(t, []string{"a=2", "c=3", "long=6"}, names(session.Cookies()))
		testkit.Advance(time.Hour)
		assert.Equal(t, []string{"c=3", "long=6"}, names(session.Cookies()))
		testkit.Advance(400 * 24 * time.Hour)
		assert.Equal(t, []string{"c=3"}, names(session.Cookies()), "as long as a browser keeps it")
	})
	testkit.RunInBubble(t, "expire in the middle of a session", func(t *testing.T) {
		session := newSession(t)
		session.SetCookies([]*http.Cookie{{Name: "authentik_session", Value: "1", MaxAge: 60}})
		_, err := session.Client()
		require.NoError(t, err)
		testkit.Advance(time.Minute)
		_, err = session.Client()
		require.EqualError(t, err, "authentik: Client: not logged in")
		require.ErrorIs(t, err, authentik.ErrNotLoggedIn)
	})
	testkit.RunInBubble(t, "are replaced and deleted", func(t *testing.T) {
		session := newSession(t)
		for _, step := range []struct {
			set  http.Cookie
			want []string
		}{
			{http.Cookie{Name: "a", Value: "1", MaxAge: 60}, []string{"a=1"}},
			{http.Cookie{Name: "a", Value: "2", Path: "/elsewhere", Domain: "example.com"}, []string{"a=2"}},
			{http.Cookie{Name: "a", Value: "", MaxAge: -1}, nil},
			{http.Cookie{Name: "a", Value: "3"}, []string{"a=3"}},
			{http.Cookie{Name: "a", Value: "4", Expires: time.Unix(0, 0)}, nil},
			{http.Cookie{Name: "b", Value: "", MaxAge: -1}, nil},
		} {
			session.SetCookies([]*http.Cookie{&step.set})
			assert.Equal(t, step.want, names(session.Cookies()))
		}
	})
	testkit.RunInBubble(t, "are at most 50", func(t *testing.T) {
		session := newSession(t)
		for i := range 60 {
			session.SetCookies([]*http.Cookie{{Name: fmt.Sprintf("c%02d", i), Value: "old", MaxAge: 60}})
		}
		require.Len(t, session.Cookies(), 50)
		assert.Equal(t, "c49", session.Cookies()[49].Name)
		session.SetCookies([]*http.Cookie{{Name: "c00", Value: "new", MaxAge: 60}, {Name: "z", Value: "one too many"}})
		assert.Len(t, session.Cookies(), 50)
		assert.Equal(t, "new", session.Cookies()[0].Value, "one that is known is replaced")
		session.SetCookies([]*http.Cookie{{Name: "c01", MaxAge: -1}, {Name: "z", Value: "in its place"}})
		require.Len(t, session.Cookies(), 50)
		assert.Equal(t, "z", session.Cookies()[49].Name)
		testkit.Advance(time.Minute)
		session.SetCookies([]*http.Cookie{{Name: "later", Value: "1"}})
		assert.Equal(t, []string{"later=1", "z=in its place"}, names(session.Cookies()), "expired ones do not count")
	})
	testkit.RunInBubble(t, "are copies", func(t *testing.T) {
		session := newSession(t)
		given := &http.Cookie{Name: "a", Value: "1"}
		session.SetCookies([]*http.Cookie{given})
		given.Value = "changed"
		session.Cookies()[0].Value = "changed"
		assert.Equal(t, []string{"a=1"}, names(session.Cookies()))
	})
}

// A later process goes on with the cookies of an earlier one, for as long as
// they would have lasted.
func TestSession_CookiesRoundTrip(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWire(t)
		first, _ := w.loggedIn(t, w.account())
		testkit.Advance(time.Minute)
		second := w.session(t)
		second.SetCookies(first.Cookies())
		assert.Equal(t, first.Cookies(), second.Cookies(), "also when they expire")
		third := w.session(t)
		for _, cookie := range first.Cookies() { // as text, such as in a file
			parsed, err := http.ParseSetCookie(cookie.String())
			require.NoError(t, err)
			third.SetCookies([]*http.Cookie{parsed})
		}
		for _, session := range []*authentik.Session{second, third} {
			loggedIn, err := session.LoggedIn(t.Context())
			require.NoError(t, err)
			assert.True(t, loggedIn)
			_, err = session.Client()
			require.NoError(t, err)
		}
	})
}

// Login forgets who was logged in before it sends anything, and Logout
// afterwards. Both keep what belongs to the device.
func TestSession_ForgetsLoginKeepsDevice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWire(t)
		credentials := w.account()
		session, _ := w.loggedIn(t, admin)
		session.SetCookies([]*http.Cookie{{Name: "authentik_mfa", Value: "of the device"}})
		var cookies []string // of the first request
		w.meets = once(len(w.requests()) + 1)
		w.fault = func(w *wire, req *http.Request) (*http.Response, error) {
			for _, cookie := range req.Cookies() {
				cookies = append(cookies, cookie.Name)
			}
			return w.pass(req)
		}
		user, err := session.Login(t.Context(), loginFlow, credentials)
		require.NoError(t, err)
		assert.Equal(t, username, user.Username)
		assert.NotContains(t, cookies, "authentik_session")
		assert.NotContains(t, cookies, "authentik_csrf")
		assert.Contains(t, cookies, "authentik_mfa")

		require.NoError(t, session.Logout(t.Context(), logoutFlow))
		left := strings.Join(names(session.Cookies()), " ")
		assert.NotContains(t, left, "authentik_session")
		assert.NotContains(t, left, "authentik_csrf")
		assert.Contains(t, left, "authentik_mfa=of the device")
	})
}
