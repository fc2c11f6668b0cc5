package demo_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/examples/internal/clitest"
	"github.com/seed-299d42e7/authentik-go/examples/internal/demo"
)

func start(t *testing.T) (*demo.Server, *authentik.Client) {
	t.Helper()
	server, err := demo.Start()
	require.NoError(t, err)
	t.Cleanup(server.Close)
	client, err := authentik.NewClient(server.URL, demo.Token)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return server, client
}

func TestTheDemoAnswersAsRecorded(t *testing.T) {
	t.Parallel()
	_, client := start(t)
	version, err := client.ServerVersion(t.Context())
	require.NoError(t, err)
	assert.Equal(t, demo.Version, version)

	var got authentik.Response
	page, err := client.FlowsInstancesList(t.Context(), &authentik.FlowsInstancesListOptions{Page: 1, PageSize: 100}, authentik.WithResponse(&got))
	require.NoError(t, err)
	assert.JSONEq(t, string(clitest.Recorded(t, "list").Body()), string(got.Body))
	assert.NotEmpty(t, page.Results)

	var flow authentik.Flow
	err = client.Get(t.Context(), "flows/instances/"+page.Results[0].Slug+"/", nil, &flow)
	require.NoError(t, err, "others were refused this before an administrator got it")
	assert.Equal(t, page.Results[0].PK, flow.PK)
}

// What was recorded after the server had been changed would contradict the
// rest.
func TestTheDemoIsOneStateOfOneServer(t *testing.T) {
	t.Parallel()
	_, client := start(t)
	all, err := client.FlowsInstancesList(t.Context(), nil)
	require.NoError(t, err)
	for _, opts := range []authentik.FlowsInstancesListOptions{{PageSize: 1}, {PageSize: 5}, {PageSize: 50}, {PageSize: 1000}, {Ordering: "slug"}, {Ordering: "-slug"}, {Ordering: "designation,slug"}} {
		page, err := client.FlowsInstancesList(t.Context(), &opts)
		if err != nil {
			assert.Equal(t, http.StatusNotImplemented, apiError(t, err).StatusCode, "%+v", opts)
			continue
		}
		assert.Equal(t, all.Pagination.Count, page.Pagination.Count, "%+v", opts)
	}
	flow, err := authentik.One(client.FlowsInstancesAll(t.Context(), &authentik.FlowsInstancesListOptions{Slug: "default-authentication-flow"}))
	require.NoError(t, err)
	found := slices.ContainsFunc(all.Results, func(f authentik.Flow) bool { return f.PK == flow.PK })
	assert.True(t, found, "%+v", flow)
}

func apiError(t *testing.T, err error) *authentik.APIError {
	t.Helper()
	var e *authentik.APIError
	require.ErrorAs(t, err, &e)
	return e
}

func TestTheDemoDoesNotGuess(t *testing.T) {
	t.Parallel()
	server, client := start(t)
	for _, opts := range []authentik.FlowsInstancesListOptions{{Search: "e"}, {PageSize: 3}, {Ordering: "name"}, {Designation: "authentication", Search: "authenticator"}} {
		_, err := client.FlowsInstancesList(t.Context(), &opts)
		e := apiError(t, err)
		assert.Equal(t, http.StatusNotImplemented, e.StatusCode, "%+v", opts)
		assert.Contains(t, e.Detail, "recordings")
		assert.Equal(t, 1, e.Attempts, "it is not tried again")
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/api/v3/flows/instances/", nil)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close() //nolint:errcheck // it was only read
	var said struct{ Detail string }
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&said))
	assert.Equal(t, http.StatusNotImplemented, resp.StatusCode)
}

func TestTheDemoEnds(t *testing.T) {
	t.Parallel()
	server, _ := start(t)
	server.Close()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
	require.NoError(t, err)
	_, err = http.DefaultClient.Do(req) //nolint:bodyclose // there is none
	require.Error(t, err)
}
