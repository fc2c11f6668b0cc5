package transport_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go/internal/testkit"
	"github.com/seed-299d42e7/authentik-go/internal/transport"
)

// Responses of real servers and of their routers are not foreign. Without the
// request ID, as behind a proxy that drops it, those that are JSON are not foreign
// either.
func TestForeign_NoRecordedResponse(t *testing.T) {
	t.Parallel()
	errors := 0
	for version, exchanges := range testkit.Recordings(t) {
		for _, e := range exchanges {
			header := http.Header{}
			for _, h := range e.Response.Headers {
				header.Add(h[0], h[1])
			}
			body := e.Response.Body()
			a := &transport.Response{StatusCode: e.Response.Status, Header: header, Body: body, Starting: transport.Starting(e.Response.Status, body)}
			a.OK = a.StatusCode/100 == 2 && !a.Starting
			assert.False(t, a.Foreign(), "%s %s", version, e.ID)
			json := strings.HasPrefix(header.Get("Content-Type"), "application/json")
			if json && !strings.Contains(string(body), `"success"`) {
				header.Del(transport.RequestIDHeader)
				assert.False(t, a.Foreign(), "%s %s without its ID: %s", version, e.ID, body)
				if !a.OK {
					errors++
				}
			}
		}
	}
	require.Greater(t, errors, 300)
}

func TestForeign_ByBody(t *testing.T) {
	t.Parallel()
	const page = "<html><head><title>502 Bad Gateway</title></head></html>"
	for _, c := range []struct {
		status            int
		contentType, body string
		foreign           bool
	}{
		{404, "application/json", `{"detail":"Not found."}`, false},
		{403, "", ` {"detail":"No.","code":"permission_denied"}`, false},
		{400, "", `["Null characters are not allowed."]`, false},
		{400, "", `{"slug":["Taken."],"policies":[{},{"order":["Not a number."]}]}`, false},
		{400, "", `{"detail":"No.","slug":["Taken."]}`, false},
		{502, "", "authentik starting...", false},
		{502, "", `{"error":"failed to connect to authentik backend: http: request body too large"}`, false},
		{500, "", `{"error":"failed to connect to authentik backend: dial unix"}`, false},
		{404, "", "", true},
		{404, "text/plain", "404 page not found\n", true},
		{404, "", `{"errors":["no route"]}`, true},
		{404, "", `{"detail":["no route"]}`, true},
		{404, "", `["no route"]`, true},
		{404, "", `"no route"`, true},
		{404, "", `{}`, true},
		{404, "", `{"code":"no_route"}`, true},
		{404, "", `{"type":"about:blank","title":"No route","detail":"to that"}`, true},
		{400, "", `{"message":"No."}`, true},
		{400, "", `{"detail":[{"loc":["query"],"msg":"No."}]}`, true},
		{400, "", `{"errors":[]}`, true},
		{400, "", `{}`, true},
		{400, "", `[{}, 3]`, true},
		{403, "", `{"success":false,"errors":[{"code":1010,"message":"banned"}]}`, true},
		{503, "", `{"error":"upstream unavailable"}`, true},
		{502, "text/html", page, true},
		{502, "", "<p>failed to connect to authentik backend: no</p>", true},
		{302, "text/html", "", true},
		{200, "text/html", page, true},
		{200, "text/plain", "\ufeff \n<!DOCTYPE html><p>Log in", true},
		{200, "", `<?xml version="1.0"?><!DOCTYPE html>`, true},
		{200, "application/xhtml+xml", "<a/>", true},
		{200, "text/html", "version: 1\n", false},
		{200, "text/html", "", false},
		{204, "", "", false},
		{200, "", "{}", false},
		{200, "application/xml", `<?xml version="1.0"?><EntityDescriptor/>`, false},
	} {
		a := &transport.Response{StatusCode: c.status, Header: http.Header{"Content-Type": {c.contentType}}, Body: []byte(c.body)}
		a.OK = c.status/100 == 2
		assert.Equal(t, c.foreign, a.Foreign(), "%d %s", c.status, c.body)
		a.Header.Set("x-authentik-id", "0123")
		assert.False(t, a.Foreign(), "%d %s with a request ID", c.status, c.body)
	}
	assert.False(t, (&transport.Response{StatusCode: 200, Starting: true}).Foreign())
	head := &transport.Response{StatusCode: 200, OK: true, Bodiless: true, Header: http.Header{"Content-Type": {"text/html"}}}
	assert.True(t, head.Foreign(), "a response to HEAD has no page to look at")
	head.Header.Set("Content-Type", "application/json")
	assert.False(t, head.Foreign())
}
