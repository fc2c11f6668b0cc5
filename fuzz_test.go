package authentik_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/internal/wire"
)

func FuzzDecodeFlowPage(f *testing.F) {
	f.Add([]byte(listReader.good))
	fuzzDecode[authentik.Page[authentik.Flow]](f, "/api/v3/flows/instances/?")
}

func FuzzDecodeBinding(f *testing.F) {
	f.Add([]byte(minimalBinding))
	fuzzDecode[authentik.FlowStageBinding](f, "/api/v3/flows/bindings/")
}

// fuzzDecode decodes as the client does. What it accepts, encoding/json
// accepts, with equal values; it survives being encoded and decoded, and it
// does not refer to the input. What it refuses leaves nothing behind. Either
// takes no more memory than a few times the input.
func fuzzDecode[T any](f *testing.F, target string) {
	for _, exchanges := range recordings(f) {
		for _, e := range exchanges {
			if body := e.Response.Body(); e.Request.Method == http.MethodGet && strings.HasPrefix(e.Request.Target, target) && len(body) < 2000 {
				f.Add(body)
			}
		}
	}
	all := releases(f)
	for _, v := range []variant{{}, {nulls: true}, {newer: true}} {
		for _, instance := range []any{v.page(all[0]), v.instance(all[0], all[0].model("FlowStageBinding")), v.page(all[len(all)-1])} {
			body, err := json.Marshal(instance)
			require.NoError(f, err)
			f.Add(body)
		}
	}
	for _, nasty := range []string{
		`null`, `{}`, `{"pk":"\u0036ca60e71-0cb0-4312-92eb-dfd27ba3d70b"}`, `{"order":-0.0e99999,"order":1}`, `{"Order":1}`, `{"order":10e-1}`,
		`{"results":[],"pagination":{"next":1e18,"previous":0,"count":0.0,"current":1,"total_pages":1,"start_index":9223372036854775807,"end_index":0}}`,
		"{\"name\":\"\xff\"}", `{"\ud800":1}`, `{"background_themed_urls":{"light":null,"dark":"\ud83d\ude00"}}`, "{\"\u017flug\":1}",
	} {
		f.Add([]byte(nasty))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		input, got := bytes.Clone(data), new(T)
		var err error
		spent := allocated(func() { err = wire.Decode(input, got) })
		assert.Less(t, spent, int64(8*len(data)+64<<10))
		clear(input)
		if err != nil {
			var e *wire.Error
			require.ErrorAs(t, err, &e)
			assert.True(t, 0 <= e.Start && e.Start <= e.End && e.End <= len(data), "%+v", e)
			return
		}
		var theirs map[string]any
		require.NoError(t, json.Unmarshal(data, &theirs))
		require.Empty(t, differences("", rawJSON(t, data), reflect.ValueOf(*got)))
		roundTrip[T](t, data)
	})
}

// FuzzErrorBody: whatever a server says with an error status, there is an
// error of the status' type and no value; its text is one line of bounded
// length; the token is in no part of it; the body is kept, but for that; and
// all of it takes bounded memory.
func FuzzErrorBody(f *testing.F) {
	for _, exchanges := range recordings(f) {
		for _, e := range exchanges {
			if body := e.Response.Body(); e.Response.Status >= 300 && len(body) < 1000 {
				f.Add(e.Response.Status, e.Response.Header("Content-Type"), body)
			}
		}
	}
	for _, nasty := range []string{
		`{"detail":"` + canary + `"}`, `{"a":{"b":[{"c":["d"]},[["e"]],1,null]}}`, `["x",{"y":["z"]}]`, `"text"`, `{"detail":["a"],"code":1}`,
		"\xff\x1b[31m\u202e", `{"non_field_errors":"one"}`, `{"error":"authentik starting"}`, strings.Repeat("[", 500), `{"` + canary + `":["\u0000"]}`,
	} {
		f.Add(http.StatusBadRequest, "application/json", []byte(nasty))
	}
	f.Fuzz(func(t *testing.T, status int, contentType string, body []byte) {
		status = 300 + int(uint(status-300)%700) // an error's
		ak := socketless(t, func(*http.Request) (*http.Response, error) {
			return &http.Response{
				StatusCode: status, Header: http.Header{"Content-Type": {contentType}},
				Body: io.NopCloser(bytes.NewReader(body)), ContentLength: -1,
			}, nil
		}, authentik.WithRetry(authentik.RetryPolicy{MaxAttempts: 1}))
		var page *authentik.Page[authentik.Flow]
		var err error
		spent := allocated(func() { page, err = ak.FlowsInstancesList(t.Context(), nil) })
		assert.Less(t, spent, int64(200*min(len(body), 64<<10)+256<<10)) // encoding/json makes maps and slices of it
		require.Nil(t, page)
		var api *authentik.APIError
		require.ErrorAs(t, err, &api)
		assert.Equal(t, status, api.StatusCode)
		var invalid *authentik.ValidationError
		assert.Equal(t, status == http.StatusBadRequest, errors.As(err, &invalid))
		var permission *authentik.PermissionError
		assert.Equal(t, status == http.StatusUnauthorized || status == http.StatusForbidden, errors.As(err, &permission))

		text := err.Error()
		assert.False(t, strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }), "%q", text)
		assert.Less(t, len(text), 2000)
		assert.NotContains(t, fmt.Sprintf("%s %+v %#v %q", err, api, invalid, api.Body), canary)
		want := bytes.ReplaceAll(body[:min(len(body), 64<<10)], []byte(canary), []byte("[redacted]"))
		if !bytes.ContainsRune(want, 'C') { // no part of the token can be at its end
			assert.Equal(t, string(want), string(api.Body))
		}
	})
}

// FuzzBaseURL: a base URL is refused without being repeated, or the request
// goes to its host, below its path, with nothing added but the API's path.
func FuzzBaseURL(f *testing.F) {
	for _, seed := range []string{
		"https://sso.example.com", "https://sso.example.com/", "https://h/prefix/api/v3/", "http://[::1]:9000", "http://127.0.0.1/a%20b", "HTTPS://H",
		"https://user:secret-password@h", "https://h?q=secret", "https://h#f", "https://h/..", "https://h/%2e%2e/x", "https://h//x", "https://h:99999", "//h", "h:443", "",
		"https://h/api/v3/flows", "https://h\\@evil", "https://h/%zz", "https://[fe80::1%25en0]/", "https://h/a%2fb", "https://ü.example/",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		var asked *url.URL
		ak, err := authentik.NewClient(raw, canary, authentik.WithHTTPClient(&http.Client{Transport: roundTripper(func(req *http.Request) (*http.Response, error) {
			asked = req.URL
			return nil, io.EOF
		})}), authentik.WithRetry(authentik.RetryPolicy{MaxAttempts: 1}))
		if err != nil {
			require.Nil(t, ak)
			var refused *authentik.ArgumentError
			require.ErrorAs(t, err, &refused)
			if len(raw) > 12 {
				own := strings.ReplaceAll(err.Error(), "https://sso.example.com", "") // the text's example
				assert.NotContains(t, own, raw)
			}
			assert.NotContains(t, err.Error(), canary)
			return
		}
		u, err := url.Parse(raw)
		require.NoError(t, err)
		_, err = ak.ServerVersion(t.Context())
		require.ErrorIs(t, err, io.EOF)
		assert.Equal(t, u.Scheme, asked.Scheme)
		assert.Equal(t, u.Host, asked.Host)
		assert.Nil(t, asked.User)
		assert.Empty(t, asked.RawQuery+asked.Fragment)
		own := strings.TrimSuffix(strings.TrimRight(u.EscapedPath(), "/"), "/api/v3")
		assert.Equal(t, strings.TrimRight(own, "/")+"/api/v3/admin/version/", asked.EscapedPath())
		for segment := range strings.SplitSeq(strings.Trim(asked.Path, "/"), "/") {
			assert.NotContains(t, []string{"", ".", ".."}, segment)
		}
	})
}
