package audit_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/authentiktest"
	audit "github.com/seed-299d42e7/authentik-go/examples/testing"
)

// Stages of a fresh install.
var stages = []string{
	"default-authentication-identification", "default-authentication-password", "default-authentication-login",
}

// assertLogin compares what the server has with what it should have.
func assertLogin(t *testing.T, srv *authentiktest.Server) {
	t.Helper()
	const slug = "staff"
	names := map[string]string{}
	for _, s := range srv.Stages() {
		names[s.PK.String()] = s.Name
	}
	flows := 0
	for _, f := range srv.Flows() {
		if f.Slug != slug {
			continue
		}
		flows++
		assert.Equal(t, authentik.FlowAuthenticationRequireUnauthenticated, f.Authentication)
		var bound []string
		for _, b := range srv.Bindings() {
			if b.Target == f.PK {
				bound = append(bound, names[b.Stage.String()])
				assert.Equal(t, 10*len(bound), b.Order)
			}
		}
		assert.Equal(t, stages, bound)
	}
	assert.Equal(t, 1, flows)
}

// A write is asserted by what the server has afterwards.
func TestCreateLogin(t *testing.T) {
	t.Parallel()
	srv := authentiktest.NewServer(t)
	flow, err := audit.CreateLogin(t.Context(), srv.Client(), "staff", stages...)
	require.NoError(t, err)
	assert.Equal(t, "staff", flow.Slug)
	assertLogin(t, srv)
}

// A response is lost after the server has done what it was asked to do: once
// for the flow, and once for a binding. Nothing is there twice.
func TestCreateLoginWhoseResponsesAreLost(t *testing.T) {
	t.Parallel()
	srv := authentiktest.NewServer(t)
	srv.On("flows_instances_create").FailAfterCommit(1)
	srv.On("flows_bindings_create").FailAfterCommit(1)
	_, err := audit.CreateLogin(t.Context(), srv.Client(), "staff", stages...)
	require.NoError(t, err)
	assertLogin(t, srv)
}

// A proxy fails between two bindings. The next call binds the other stages.
func TestCreateLoginAfterAnError(t *testing.T) {
	t.Parallel()
	srv := authentiktest.NewServer(t)
	client := srv.Client()
	srv.ChangeListAfterPage(1, func() { // when the stages were listed
		srv.On("flows_bindings_create").FailNext(1, http.StatusInternalServerError, "", nil)
	})
	_, err := audit.CreateLogin(t.Context(), client, "staff", stages...)
	require.ErrorIs(t, err, authentik.ErrServer)
	_, err = audit.CreateLogin(t.Context(), client, "staff", stages...)
	require.NoError(t, err)
	assertLogin(t, srv)
}

// What cannot be done changes nothing.
func TestCreateLoginRefuses(t *testing.T) {
	t.Parallel()
	srv := authentiktest.NewServer(t)
	before := srv.Flows()
	_, err := audit.CreateLogin(t.Context(), srv.Client(), "staff", "nobody-made-it")
	require.ErrorIs(t, err, audit.ErrNoStage)

	viewer := srv.ClientAs(srv.AddUser("authentik_flows.view_flow", "authentik_flows.view_stage"))
	_, err = audit.CreateLogin(t.Context(), viewer, "staff", stages...)
	require.ErrorIs(t, err, authentik.ErrForbidden)
	assert.Equal(t, before, srv.Flows())
}

// Up to 2022.11 a flow cannot be restricted. The server says nothing of it, but
// the client does.
func TestCreateLoginOfEveryRelease(t *testing.T) {
	t.Parallel()
	restricts := false
	for _, version := range authentiktest.Versions() {
		srv := authentiktest.NewServer(t, authentiktest.Version(version))
		_, err := audit.CreateLogin(t.Context(), srv.Client(), "staff", stages...)
		restricts = restricts || version == "2022.12" // since then
		if restricts {
			require.NoError(t, err, version)
			assertLogin(t, srv)
		} else {
			require.ErrorIs(t, err, authentik.ErrNotApplied, version)
		}
	}
}

// The fake runs flows, those that a test made too: with users, passwords and
// sessions.
func TestCheckLogin(t *testing.T) {
	t.Parallel()
	srv := authentiktest.NewServer(t)
	_, err := audit.CreateLogin(t.Context(), srv.Client(), "staff", stages...)
	require.NoError(t, err)
	srv.AddAccount(authentiktest.Account{Username: "alice", Password: "correct horse"})

	login := func(slug, username, password string) error {
		session, err := authentik.NewSession(srv.URL)
		require.NoError(t, err)
		defer session.Close()
		return audit.CheckLogin(t.Context(), session, slug, username, password)
	}
	require.NoError(t, login("staff", "alice", "correct horse"))
	require.ErrorIs(t, login("staff", "alice", "battery staple"), authentik.ErrBadCredentials)
	require.ErrorIs(t, login("no-such-flow", "alice", "correct horse"), authentik.ErrNotFound)

	// A policy lets nobody in, whatever the password.
	for _, f := range srv.Flows() {
		if f.Slug == "staff" {
			srv.AddPolicy(f.PK, func(authentiktest.PolicyRequest) error { return assert.AnError })
		}
	}
	var denied *authentik.FlowDeniedError
	require.ErrorAs(t, login("staff", "alice", "correct horse"), &denied)
}
