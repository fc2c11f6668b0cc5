package api_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/authentiktest"
)

const (
	loginFlow  = "default-authentication-flow"
	logoutFlow = "default-invalidation-flow"
)

var admin = authentik.Credentials{
	Username: authentiktest.AdminUsername, Password: authentiktest.AdminPassword,
}

func newSession(t *testing.T, server *authentiktest.Server, opts ...authentik.ClientOption) *authentik.Session {
	t.Helper()
	session, err := authentik.NewSession(server.URL, opts...)
	require.NoError(t, err)
	t.Cleanup(session.Close)
	return session
}

// Every release is logged in to and out of, in as few requests as it allows.
func TestSession_LogsInAndOut(t *testing.T) {
	t.Parallel()
	for _, release := range authentiktest.Versions() {
		t.Run(release, func(t *testing.T) {
			t.Parallel()
			server := authentiktest.NewServer(t, authentiktest.Version(release))
			session := newSession(t, server)
			loggedIn, err := session.LoggedIn(t.Context())
			require.NoError(t, err)
			assert.False(t, loggedIn)
			_, err = session.Client()
			require.ErrorIs(t, err, authentik.ErrNotLoggedIn)

			before := len(server.Requests())
			user, err := session.Login(t.Context(), loginFlow, admin)
			require.NoError(t, err)
			assert.Equal(t, authentiktest.AdminUsername, user.Username)
			assert.True(t, user.IsSuperuser)
			// Two challenges, each requested and solved; the stages without one
			// redirect once; then the user.
			assert.LessOrEqual(t, len(server.Requests())-before, 7)

			client, err := session.Client()
			require.NoError(t, err)
			_, err = client.FlowsInstancesCreate(t.Context(), authentik.FlowRequest{
				Name: "New", Slug: "new", Title: "New", Designation: authentik.FlowDesignationEnrollment,
			})
			require.NoError(t, err, "a write has the CSRF token")

			require.NoError(t, session.Logout(t.Context(), logoutFlow))
			_, err = client.FlowsInstancesRetrieve(t.Context(), "new")
			require.ErrorIs(t, err, authentik.ErrNotLoggedIn)
		})
	}
}

func TestSession_LogsInWithTOTP(t *testing.T) {
	t.Parallel()
	server := authentiktest.NewServer(t)
	device := server.AddDevice(authentiktest.AdminUsername, authentiktest.Device{})
	credentials := admin
	credentials.TOTP = func(context.Context) (string, error) { return device.Code(time.Now()), nil }
	user, err := newSession(t, server).Login(t.Context(), loginFlow, credentials)
	require.NoError(t, err)
	assert.Equal(t, authentiktest.AdminUsername, user.Username)
}
