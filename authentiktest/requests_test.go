package authentiktest_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go/authentiktest"
)

func TestServerRequests_HaveHostAndBody(t *testing.T) {
	const sent = `{"name": "x"}`
	t.Parallel()
	for kind, start := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			srv := start(t)
			transport := http.RoundTripper(srv)
			if kind != "RoundTripper" {
				transport = http.DefaultTransport
			}
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL+"/api/v3/flows/nope/?a=b", strings.NewReader(sent))
			require.NoError(t, err)
			resp, err := transport.RoundTrip(req)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			require.Len(t, srv.Requests(), 1)
			got := srv.Requests()[0]
			assert.Equal(t, strings.TrimPrefix(strings.TrimPrefix(srv.URL, "https://"), "http://"), got.Host)
			assert.Equal(t, sent, got.Body) //nolint:testifylint // byte for byte, not only the same JSON
			assert.Equal(t, "POST /api/v3/flows/nope/ a=b", got.Method+" "+got.Path+" "+got.Query.Encode())

			req.Host, req.Body = "sso.example.com", http.NoBody
			resp, err = transport.RoundTrip(req)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			assert.Equal(t, "sso.example.com", srv.Requests()[1].Host)
			assert.Empty(t, srv.Requests()[1].Body)
		})
	}
}

func TestServerRequests_RedactSecrets(t *testing.T) {
	t.Parallel()
	srv := authentiktest.RoundTripper(t)
	for name, c := range map[string]struct{ sent, kept string }{
		"a password":         {`{"component": "ak-stage-password", "password": "hush"}`, `{"component": "ak-stage-password", "password": "[redacted]"}`},
		"a code as a number": {`{"code":123456,"order":7}`, `{"code":"[redacted]","order":7}`},
		"nested":             {`{"a":[{"new_password":"hush\"hush"},{"b":{"token" : "hush"}}]}`, `{"a":[{"new_password":"[redacted]"},{"b":{"token" : "[redacted]"}}]}`},
		"escapes":            {`{"pass\u0077ord":"hush"}`, `{"pass\u0077ord":"[redacted]"}`},
		"what looks like it": {`{"name":"\"password\": \"x\"","codec":"y","title":"code"}`, `{"name":"\"password\": \"x\"","codec":"y","title":"code"}`},
		"broken JSON":        {`{"password": "hush", "code": 12`, `{"password": [redacted]`},
		"a form":             {`uid_field=alice&password=hush&code=123`, `uid_field=alice&password=[redacted]&code=[redacted]`},
		"YAML":               {"attrs:\n  password: hush\n  name: x\n", "attrs:\n  password: [redacted]\n  name: x\n"},
		"the token itself":   {`{"name":"` + srv.Token + `"}`, `{"name":"[redacted]"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := authentiktest.RoundTripper(t)
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL+"/api/v3/flows/nope/", strings.NewReader(c.sent))
			require.NoError(t, err)
			resp, err := srv.RoundTrip(req)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			requests := srv.Requests()
			got := requests[len(requests)-1].Body
			assert.Equal(t, c.kept, got)
			assert.NotContains(t, got, "hush")
		})
	}

	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL+"/api/v3/flows/nope/", strings.NewReader(strings.Repeat("x", 1<<20)))
	require.NoError(t, err)
	req.Header = http.Header{
		"Authorization": {"hush"}, "Cookie": {"authentik_session=hush; authentik_csrf=hush"}, "X-Authentik-Csrf": {"hush"}, "Accept": {"application/json"},
	}
	resp, err := srv.RoundTrip(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	requests := srv.Requests()
	got := requests[len(requests)-1]
	assert.Equal(t, http.Header{
		"Authorization": {"[redacted]"}, "Cookie": {"authentik_session=[redacted]; authentik_csrf=[redacted]"}, "X-Authentik-Csrf": {"[redacted]"}, "Accept": {"application/json"},
	}, got.Header)
	assert.Len(t, got.Body, 16<<10)
}
