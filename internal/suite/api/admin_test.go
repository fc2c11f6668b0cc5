package api_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/internal/testkit"
)

func TestServerVersion(t *testing.T) {
	t.Parallel()
	server := &testkit.Stub{
		Body: `{"version_current":"2024.10.0","version_latest":"2024.10.1","build_hash":"","outdated":true}`,
	}
	var asked *http.Request
	ak := testkit.NewClient(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		asked = req
		server.ServeHTTP(w, req)
	}))
	var response authentik.Response
	version, err := ak.ServerVersion(t.Context(), authentik.WithResponse(&response))
	require.NoError(t, err)
	assert.Equal(t, "2024.10.0", version)
	assert.Equal(t, server.Body, string(response.Body))
	assert.Equal(t, "GET /api/v3/admin/version/", asked.Method+" "+asked.URL.String())

	for body, want := range map[string]string{
		`{"version_current":""}`:   "version_current: empty",
		`{"version_current":null}`: "version_current: null, want a string: null",
		`{}`:                       "version_current: missing",
	} {
		version, err := testkit.NewClient(t, testkit.Reply(200, testkit.JSON, body)).ServerVersion(t.Context())
		assert.Empty(t, version)
		testkit.RequireType[*authentik.DecodeError](t, err)
		assert.EqualError(
			t,
			err,
			"authentik: ServerVersion: invalid response (200 OK, application/json): "+want+" (request "+testkit.RequestID+", 1 attempt)",
		)
	}
	_, err = testkit.NewClient(t, testkit.Reply(403, testkit.JSON, `{"detail":"Token invalid/expired"}`)).
		ServerVersion(t.Context())
	assert.ErrorIs(t, err, authentik.ErrForbidden)
}
