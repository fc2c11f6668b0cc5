package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/authentiktest"
	"github.com/seed-299d42e7/authentik-go/internal/testkit/recording"
)

const like = "../../../testdata/recordings/2026.8.0-rc1.jsonl"

// A server of another release, with other identifiers, is asked the same.
func TestRun_RepeatsRecordedRequests(t *testing.T) {
	t.Parallel()
	srv := authentiktest.NewServer(t, authentiktest.Version("2024.10"))
	env := map[string]string{
		"AUTHENTIK_URL": srv.URL + "/api/v3/", "AUTHENTIK_TOKEN": srv.Token,
		"AUTHENTIK_TOKEN_VIEWER": srv.AddUser("authentik_flows.view_flow"),
	}
	var out, log bytes.Buffer
	require.NoError(t, run(t.Context(), &out, &log, like, func(key string) string { return env[key] }))
	for key, value := range env {
		if strings.Contains(key, "TOKEN") {
			assert.NotContains(t, out.String(), value)
		}
	}
	exchanges, err := recording.Read(&out)
	require.NoError(t, err)
	of := func(id string) recording.Exchange {
		i := slices.IndexFunc(exchanges, func(e recording.Exchange) bool { return e.ID == id })
		require.GreaterOrEqual(t, i, 0, id)
		return exchanges[i]
	}
	for _, e := range exchanges {
		assert.Equal(t, "2024.10.5", e.Version)
		assert.Equal(t, http.MethodGet, e.Request.Method)
	}

	list := of("list")
	assert.Equal(t, "admin", list.Request.As())
	assert.Equal(t, http.StatusOK, list.Response.Status)
	assert.Equal(t, "application/json; charset=utf-8", list.Response.Header("Content-Type"))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL+"/api/v3/flows/instances/", http.NoBody)
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+srv.Token)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	assert.Equal(t, string(body), list.Response.Text)

	for id, status := range map[string]int{
		"list_flow_uuid_upper": 200, "binding_retrieve_0": 200, "binding_retrieve_undashed": 200, "stages_all_retrieve": 200,
		"bindings_list_target": 200, "binding_retrieve_unknown": 404, "list_as_viewer": 200, "list_as_bogus": 403, "list_anonymous": 403,
		"list_basic_auth": 403, "list_bearer_empty": 403, "wrong_path": 404, "root": 302,
	} {
		assert.Equal(t, status, of(id).Response.Status, id)
	}
	assert.NotContains(t, of("list_flow_uuid").Response.Text, `"count":0`, "the other server's identifier is replaced")
	assert.Contains(t, of("wrong_path").Note, "its words left out")

	for id, reason := range map[string]string{
		"list_as_limited": "no AUTHENTIK_TOKEN_LIMITED", "walk_100_p1": "more than a fresh install", "executor_get": "more than a fresh install",
	} {
		assert.False(t, slices.ContainsFunc(exchanges, func(e recording.Exchange) bool { return e.ID == id }))
		assert.Regexp(t, "(?m)^left out: "+id+": .*"+reason, log.String())
	}
	for _, r := range srv.Requests() {
		assert.Equal(t, http.MethodGet, r.Method, "it only reads")
	}
}

// What a server echoes of a token is not written, nor what it puts into a
// cookie; an answer that is too large to be written whole is an error.
func TestRun_WritesNoSecretAndNoPartialResponse(t *testing.T) {
	t.Parallel()
	srv := authentiktest.NewServer(t)
	large := false
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Set-Cookie", "authentik_session=hush; Path=/")
		w.Header().Set("X-Echo", r.Header.Get("Authorization"))
		if r.URL.Path == "/api/v3/flows/instances/nope/" {
			_, _ = io.WriteString(w, `{"echo":"`+r.Header.Get("Authorization")+`"}`)
			if large {
				_, _ = w.Write(make([]byte, maxBody))
			}
			return
		}
		srv.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	env := map[string]string{"AUTHENTIK_URL": front.URL, "AUTHENTIK_TOKEN": srv.Token}
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out, io.Discard, like, func(key string) string { return env[key] }))
	assert.NotContains(t, out.String(), srv.Token)
	assert.NotContains(t, out.String(), "hush")
	assert.Contains(t, out.String(), `["Set-Cookie","authentik_session=<cookie>"]`)
	assert.Contains(t, out.String(), `["X-Echo","Bearer <admin-token>"]`)
	assert.Contains(t, out.String(), `{\"echo\":\"Bearer <admin-token>\"}`)

	large = true
	err := run(t.Context(), io.Discard, io.Discard, like, func(key string) string { return env[key] })
	require.EqualError(t, err, "retrieve_unknown: the answer is larger than 16777216 bytes")
}

// An object that the server does not have is left out, not asked for by an
// identifier of another server.
func TestRun_EmptyServer(t *testing.T) {
	t.Parallel()
	srv := authentiktest.NewServer(t, authentiktest.Empty())
	env := map[string]string{"AUTHENTIK_URL": srv.URL, "AUTHENTIK_TOKEN": srv.Token}
	var out, log bytes.Buffer
	require.NoError(t, run(t.Context(), &out, &log, like, func(key string) string { return env[key] }))
	assert.Contains(t, log.String(), "left out: binding_retrieve_0: there is no such object\n")
	assert.NotContains(t, out.String(), `"id":"binding_retrieve_0"`)
	assert.Contains(t, out.String(), `"id":"binding_retrieve_unknown"`)
}

func TestRun_ReportsErrors(t *testing.T) {
	t.Parallel()
	srv := authentiktest.NewServer(t)
	env := func(url, token string) func(string) string {
		return func(key string) string { return map[string]string{"AUTHENTIK_URL": url, "AUTHENTIK_TOKEN": token}[key] }
	}
	var refused *authentik.ArgumentError
	require.ErrorAs(t, run(t.Context(), io.Discard, io.Discard, like, env("", "")), &refused)
	var denied *authentik.PermissionError
	require.ErrorAs(t, run(t.Context(), io.Discard, io.Discard, like, env(srv.URL, "nobodys")), &denied)
	require.ErrorContains(t, run(t.Context(), io.Discard, io.Discard, "nowhere.jsonl", env(srv.URL, srv.Token)), "nowhere.jsonl")
	require.ErrorContains(t, run(t.Context(), io.Discard, io.Discard, "main.go", env(srv.URL, srv.Token)), "main.go: line 1: ")
}
