package authentik

import (
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// write sends an operation to a server that sends the responses in turn. A response
// is a status and a body, or "reset", which loses the response.
func write(t *testing.T, o operation, responses ...[2]any) (Response, error) {
	t.Helper()
	var response Response
	n := 0
	ak, err := NewClient("https://sso.example.com", "token-of-the-test", WithRetry(RetryPolicy{BaseDelay: -1}),
		WithHTTPClient(&http.Client{Transport: RoundTripFunc(func(req *http.Request) (*http.Response, error) {
			if req.Body != nil {
				_ = req.Body.Close()
			}
			sent := responses[min(n, len(responses)-1)]
			n++
			if sent[0] == "reset" {
				return nil, errors.New("connection reset by peer")
			}
			body := sent[1].(string) //nolint:forcetypeassert // by the tests below
			contentType := "text/html; charset=utf-8"
			if strings.HasPrefix(body, "{") {
				contentType = "application/json"
			}
			return &http.Response{
				StatusCode: sent[0].(int),
				Header:     http.Header{"Content-Type": {contentType}}, //nolint:forcetypeassert // likewise
				Body:       io.NopCloser(strings.NewReader(body)),
			}, nil
		})}))
	require.NoError(t, err)
	_, err = call(t.Context(), ak, o, []RequestOption{WithResponse(&response)}, nothing)
	return response, err
}

func TestOutcome_ReportsErrPerhapsDone(t *testing.T) {
	t.Parallel()
	const done = ", the server may have executed the request)"
	const proxy = " (sent by something in front of authentik, "
	const crash = "server error (405 without a body: the write crashed, or its path is unknown)"
	const tooLarge = "failed to connect to authentik backend: http: request body too large"
	lost := [2]any{"reset", ""}
	create := post("Create", "flows/instances/").withJSON("in", map[string]string{"slug": "a"})
	replace := put("Replace", "flows/instances/{slug}/", arg("slug", "a")).withJSON("in", map[string]string{"slug": "a"})
	for name, c := range map[string]struct {
		operation operation
		responses [][2]any
		text      string
		perhaps   bool
		is        error
		attempts  int
	}{
		"no response": {
			create,
			[][2]any{lost},
			"Create: sso.example.com: connection reset by peer (1 attempt" + done, true, nil, 1,
		},
		"no response, after retries": {
			replace,
			[][2]any{{503, `{"detail":"busy"}`}, lost},
			"Replace: sso.example.com: connection reset by peer; before that 503 Service Unavailable: busy (4 attempts" + done,
			true, ErrServer, 4,
		},
		"a server error": {
			create,
			[][2]any{{500, "<h1>Server Error</h1>"}},
			"Create: 500 Internal Server Error: Server Error" + proxy +
				"1 attempt" + done, true, ErrServer, 1,
		},
		"a crash": {
			create,
			[][2]any{{405, ""}},
			"Create: " + crash + proxy + "1 attempt" + done, true, ErrServer, 1,
		},
		"a crash, before that": {
			replace,
			[][2]any{{405, ""}, lost},
			"Replace: sso.example.com: connection reset by peer; before that " + crash + " (4 attempts" + done, true, ErrServer, 4,
		},
		"a success that is none": {
			create,
			[][2]any{{200, "<h1>Log in</h1>"}},
			"Create: invalid response (200 OK, text/html; charset=utf-8): an HTML page: Log in" + proxy +
				"1 attempt" + done, true, nil, 1,
		},
		"a refusal": {
			create,
			[][2]any{{405, `{"detail":"Method \"POST\" not allowed."}`}},
			`Create: 405 Method Not Allowed: Method "POST" not allowed. (1 attempt)`, false, nil, 1,
		},
		"a refusal, of what was lost": {
			replace,
			[][2]any{lost, {400, `{"slug":["taken"]}`}},
			"Replace: 400 Bad Request: slug: taken (2 attempts" + done, true, ErrBadRequest, 2,
		},
		"a permission, where it fails": {
			replace,
			[][2]any{lost, {403, `{"detail":"no"}`}},
			"Replace: 403 Forbidden: no (2 attempts" + done, true, ErrForbidden, 2,
		},
		"a body that is too large": {
			create,
			[][2]any{{502, `{"error":"` + tooLarge + `"}`}},
			"Create: 502 Bad Gateway: " + tooLarge + " (1 attempt)", false, ErrServer, 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			response, err := write(t, c.operation, c.responses...)
			require.EqualError(t, err, "authentik: "+c.text)
			assert.Equal(t, c.perhaps, errors.Is(err, ErrPerhapsDone))
			assert.Equal(t, c.attempts, response.Attempts)
			assert.NotErrorIs(t, err, ErrStarting)
			if c.is != nil {
				assert.ErrorIs(t, err, c.is)
			}
		})
	}
}

// A 404 for a DELETE whose first response was lost proves that the first one has
// deleted the object. A 404 without a lost response is an error, and so is a 404
// of a proxy.
func TestOutcome_NotFoundAfterALostDeleteIsSuccess(t *testing.T) {
	t.Parallel()
	gone := [2]any{404, `{"detail":"Not found."}`}
	for name, c := range map[string]struct {
		responses [][2]any
		deleted   bool
	}{
		"lost":              {[][2]any{{"reset", ""}, gone}, true},
		"crashed":           {[][2]any{{500, "<h1>Server Error</h1>"}, gone}, true},
		"throttled":         {[][2]any{{429, "{}"}, gone}, false},
		"first":             {[][2]any{gone}, false},
		"a proxy's 404":     {[][2]any{{"reset", ""}, {404, "<h1>404</h1>"}}, false},
		"lost, and refused": {[][2]any{{"reset", ""}, {403, `{"detail":"no"}`}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			response, err := write(t, del("Destroy", "flows/instances/{slug}/", arg("slug", "a")), c.responses...)
			if c.deleted {
				require.NoError(t, err)
				assert.Equal(t, http.StatusNotFound, response.StatusCode)
				return
			}
			require.Error(t, err)
		})
	}
	_, err := write(t, put("Replace", "flows/instances/{slug}/", arg("slug", "a")), [2]any{"reset", ""}, gone)
	require.ErrorIs(t, err, ErrNotFound, "only a DELETE means it")
	require.ErrorIs(t, err, ErrPerhapsDone)
}

// A test from outside would have to wait for these limits, or could not tell them
// from the defaults of net/http.
func TestNewHTTPTransport_IsBounded(t *testing.T) {
	t.Parallel()
	transport := newHTTPTransport()
	assert.EqualValues(t, tls.VersionTLS12, transport.TLSClientConfig.MinVersion)
	assert.False(t, transport.TLSClientConfig.InsecureSkipVerify)
	assert.Equal(t, 10*time.Second, transport.TLSHandshakeTimeout)
	assert.Equal(t, 90*time.Second, transport.IdleConnTimeout)
	assert.True(t, transport.ForceAttemptHTTP2)
	require.NotNil(t, transport.HTTP2)
	assert.Equal(t, http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 5 * time.Second}, *transport.HTTP2)
	assert.Zero(t, transport.ResponseHeaderTimeout, "an attempt's timeout covers it")
}

// A test binary does not know the version of its own module.
func TestModuleVersion(t *testing.T) {
	t.Parallel()
	const path = "github.com/seed-299d42e7/authentik-go"
	other := &debug.Module{Path: "example.com/other", Version: "v9.9.9"}
	for name, c := range map[string]struct {
		main *debug.Module
		deps []*debug.Module
		want string
	}{
		"as a dependency":            {other, []*debug.Module{other, {Path: path, Version: "v0.1.0"}}, "0.1.0"},
		"as the main module":         {&debug.Module{Path: path, Version: "v0.2.0-rc.1"}, nil, "0.2.0-rc.1"},
		"built from a checkout":      {&debug.Module{Path: path, Version: "(devel)"}, nil, "devel"},
		"replaced by a fork":         {other, []*debug.Module{{Path: path, Version: "v0.1.0", Replace: &debug.Module{Version: "v0.1.1"}}}, "0.1.1"},
		"replaced by a directory":    {other, []*debug.Module{{Path: path, Version: "v0.1.0", Replace: &debug.Module{}}}, "devel"},
		"in a build without modules": {&debug.Module{}, nil, "devel"},
	} {
		assert.Equal(t, c.want, moduleVersion(&debug.BuildInfo{Main: *c.main, Deps: c.deps}), name)
	}
}
