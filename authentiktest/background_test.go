package authentiktest_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/authentiktest"
)

func TestServer_ShowsABackgroundOfEachTheme(t *testing.T) {
	t.Parallel()
	srv := authentiktest.RoundTripper(t, authentiktest.Version("2026.8"), authentiktest.Empty())
	srv.AddFlow(authentik.Flow{Slug: "a"})
	status, body := tell(t, srv, srv.Token, http.MethodPatch, "flows/instances/a/", `{"background": "sky %(theme)s.png"}`)
	assert.Equal(t, http.StatusBadRequest, status, body)
	status, body = tell(t, srv, srv.Token, http.MethodPatch, "flows/instances/a/", `{"background": "sky-%(theme)s.png"}`)
	require.Equal(t, http.StatusOK, status, body)
	var flow authentik.Flow
	require.NoError(t, json.Unmarshal([]byte(body), &flow))
	require.NotNil(t, flow.BackgroundThemedURLs)
	assert.Regexp(t, `^/files/media/public/sky-light\.png\?token=[\w-]+\.[\w-]+\.[\w-]+$`, flow.BackgroundThemedURLs.Light)
	assert.Regexp(t, `^/files/media/public/sky-dark\.png\?token=`, flow.BackgroundThemedURLs.Dark)

	own := &authentik.ThemedURLs{Light: "/light.png", Dark: "/dark.png"}
	srv.UpdateFlow("a", func(f *authentik.Flow) { f.BackgroundThemedURLs = own })
	got, err := srv.Client().FlowsInstancesRetrieve(t.Context(), "a")
	require.NoError(t, err)
	assert.Equal(t, own, got.BackgroundThemedURLs, "those of the test")
	status, body = tell(t, srv, srv.Token, http.MethodPatch, "flows/instances/a/", `{"background": "plain.png"}`)
	assert.Equal(t, http.StatusOK, status)
	assert.Contains(t, body, `"background_themed_urls":null`)
}

func TestServer_RefusesNamesOfBackgrounds(t *testing.T) {
	t.Parallel()
	srv := authentiktest.RoundTripper(t, authentiktest.Version("2026.8"), authentiktest.Empty())
	srv.AddFlow(authentik.Flow{Slug: "a"})
	for name, want := range map[string]string{
		"a//b.png":                      "File name cannot contain duplicate /",
		"/a.png":                        "Absolute paths are not allowed",
		"a/../b.png":                    "Parent directory references ('..') are not allowed",
		".a.png":                        "Paths cannot start with '.'",
		"a/" + strings.Repeat("b", 256): "Path component too long (max 255 characters)",
		strings.Repeat("a/", 512) + "b": "File name too long (max 1024 characters)",
		"a/" + strings.Repeat("b", 255): "",
	} {
		status, body := tell(t, srv, srv.Token, http.MethodPatch, "flows/instances/a/", `{"background": "`+name+`"}`)
		if want == "" {
			assert.Equal(t, http.StatusOK, status, name)
			continue
		}
		assert.Equal(t, http.StatusBadRequest, status, name)
		assert.JSONEq(t, `{"background":["`+want+`"]}`, body, name)
	}
}

func TestServer_RefusesBackgrounds(t *testing.T) {
	t.Parallel()
	const byFile, byURL, form = "flows/instances/a/set_background/", "flows/instances/a/set_background_url/", "multipart/form-data"
	srv := authentiktest.RoundTripper(t, authentiktest.Version("2024.2"), authentiktest.Empty())
	srv.AddFlow(authentik.Flow{Slug: "a"})
	adder := srv.AddUser("authentik_flows.add_flow", "authentik_flows.view_flow")
	for _, c := range []struct {
		token, path, contentType, sent string
		status                         int
		want                           string
	}{
		{adder, byFile, "", "", http.StatusForbidden, `{"detail":"You do not have permission to perform this action."}`},
		{
			srv.Token, byFile, form, "no boundary", http.StatusBadRequest,
			`{"detail":"Multipart form parse error - Invalid boundary in multipart: None"}`,
		},
		{"", byURL, "", "", http.StatusForbidden, `{"detail":"Authentication credentials were not provided."}`},
		{adder, byURL, "", "", http.StatusMethodNotAllowed, ""},
		{srv.Token, strings.Replace(byURL, "/a/", "/b/", 1), "", "", http.StatusNotFound, `{"detail":"Not found."}`},
		{srv.Token, byURL, "text/plain", "x", http.StatusUnsupportedMediaType, `{"detail":"Unsupported media type \"text/plain\" in request."}`},
		{srv.Token, byURL, "application/json", `[]`, http.StatusMethodNotAllowed, ""},
		{srv.Token, byURL, "application/json", `{"url": 7}`, http.StatusMethodNotAllowed, ""},
		{srv.Token, byURL, "application/json", `{"url": null}`, http.StatusBadRequest, ""},
		{srv.Token, byURL, "application/json", `{"url": "../sky.png"}`, http.StatusOK, `{}`},
	} {
		status, body := tellAs(t, srv, c.token, http.MethodPost, c.path, c.contentType, c.sent)
		assert.Equal(t, c.status, status, "%s: %s", c.path, c.sent)
		assert.Equal(t, c.want, body, "%s: %s", c.path, c.sent)
	}
	assert.Equal(t, "/media/public/sky.png", srv.Flows()[0].Background, "what was accepted")
}

func TestServer_RefusesBodiesAsPython(t *testing.T) {
	t.Parallel()
	const undecodable = `{"detail":"JSON parse error - 'utf-8' codec can't decode `
	srv := authentiktest.RoundTripper(t, authentiktest.Version("2026.8"))
	flow := "flows/instances/" + srv.Flows()[0].Slug + "/"
	for sent, want := range map[string]string{
		"\xff":              undecodable + `byte 0xff in position 0: invalid start byte"}`,
		"{\x80":             undecodable + `byte 0x80 in position 1: invalid start byte"}`,
		"\"é\xc3\"":         undecodable + `byte 0xc3 in position 3: invalid continuation byte"}`,
		"\xe2\x82\"":        undecodable + `bytes in position 0-1: invalid continuation byte"}`,
		"\xed\xa0\x80":      undecodable + `byte 0xed in position 0: invalid continuation byte"}`,
		"\xf0\x9f\x98 ":     undecodable + `bytes in position 0-2: invalid continuation byte"}`,
		"{}\xc3":            undecodable + `byte 0xc3 in position 2: unexpected end of data"}`,
		"\xe2\x82":          undecodable + `bytes in position 0-1: unexpected end of data"}`,
		`null`:              `{"non_field_errors":["No data provided"]}`,
		`[1]`:               `{"non_field_errors":["Invalid data. Expected a dictionary, but got list."]}`,
		`{"name": "\u00e9"`: "",
	} {
		status, body := tell(t, srv, srv.Token, http.MethodPatch, flow, sent)
		assert.Equal(t, http.StatusBadRequest, status, sent)
		if want == "" {
			assert.Contains(t, body, "JSON parse error - ")
			continue
		}
		assert.Equal(t, want, body, sent)
	}
	binding := "flows/bindings/" + srv.Bindings()[0].PK.String() + "/"
	for sent, want := range map[string]string{
		`{"target": true}`: `{"target":["Incorrect type. Expected pk value, received bool."]}`,
		`{"order": "` + strings.Repeat("1", 1001) + `"}`: `{"order":["String value too large."]}`,
	} {
		_, body := tell(t, srv, srv.Token, http.MethodPatch, binding, sent)
		assert.Equal(t, want, body)
	}
}
