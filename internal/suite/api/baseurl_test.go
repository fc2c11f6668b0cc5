package api_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/internal/testkit"
)

// refusedURLs are base URLs that cannot work, by the row of the fault matrix,
// and why.
var refusedURLs = map[string]map[string][]string{
	"S3": {
		"must not be http://, which lets anyone on the network path read the token: use https:// or WithInsecureHTTP": {
			"http://sso.example.com",
			"http://192.0.2.1",
			"http://[2001:db8::1]",
			"http://localhost.example.com",
			"http://127.0.0.1.example.com",
			"http://0.0.0.0",
			"HTTP://sso.example.com",
		},
	},
	"S4": {
		"must not have a user or a password: authentik requires a token": {
			"https://user:" + testkit.ServerSecret + "@sso.example.com",
			"https://" + testkit.ServerSecret + "@sso.example.com",
			"https://:" + testkit.ServerSecret + "@sso.example.com",
			"https://@sso.example.com",
			"http://user:" + testkit.ServerSecret + "@127.0.0.1",
		},
	},
	"S5": {
		"must be a URL such as https://sso.example.com": {
			"https://user:" + testkit.ServerSecret + "%zz@sso.example.com",
			"https://sso.example.com/%zz?token=" + testkit.ServerSecret,
			"https://sso.example.com:" + testkit.ServerSecret,
			"https://[" + testkit.ServerSecret,
			":" + testkit.ServerSecret,
			"https://%sso.example.com/" + testkit.ServerSecret,
		},
		"must not have a character that cannot be seen, such as a tab, a line break or a byte order mark": {
			"https://sso.example.com\n" + testkit.ServerSecret,
			"https://sso\t.example.com/" + testkit.ServerSecret,
			"\x7f" + testkit.ServerSecret,
			"\ufeffhttps://sso.example.com",
			"https://sso.example.com\u200b",
			"https://sso\u00ad.example.com",
		},
		"must not have a space": {
			"https://sso.example.com /" + testkit.ServerSecret,
			"https://sso .example.com",
			"https://sso.example.com\u00a0/a",
		},
		"must be one URL, with :// once": {
			"https://https://sso.example.com",
			"https://a.example.com,https://b.example.com/" + testkit.ServerSecret,
		},
		"must not have quotation marks around it": {
			"“https://sso.example.com”",
			"„https://sso.example.com“",
			"‘https://sso.example.com",
			"https://sso.example.com»",
		},
		"must not be a placeholder such as ${VARIABLE}, which nothing has replaced": {
			"$AUTHENTIK_URL",
			"$env:AUTHENTIK_URL",
			"%AUTHENTIK_URL%",
			"<url>",
			"https://$HOST",
			"https://sso.$DOMAIN/auth",
			"https://%HOST%/",
			"https://<host>/",
			"https://${HOST}/",
		},
	},
	"S6": {
		"must not be empty": {""},
		"must begin with https://": {
			"sso.example.com",
			"localhost:9000",
			"//sso.example.com",
			"/api/v3",
			"ftp://sso.example.com",
			"unix:///run/authentik.sock",
			"httpss://sso.example.com",
			"mailto:" + testkit.ServerSecret,
			"sso.example.com?token=" + testkit.ServerSecret,
			"?https://sso.example.com",
		},
		"must have a host": {
			"https:",
			"https://",
			"https:sso.example.com",
			"https:/sso.example.com",
			"https:///api/v3",
			"https://:443",
			"http://",
		},
		"must not have a query or a fragment: use the root of the server": {
			"https://sso.example.com?token=" + testkit.ServerSecret,
			"https://sso.example.com/?",
			"https://sso.example.com/#" + testkit.ServerSecret,
			"https://sso.example.com#",
		},
		"must have a port from 1 to 65535": {
			"https://sso.example.com:0",
			"https://sso.example.com:65536",
			"https://sso.example.com:99999",
			"https://sso.example.com:",
			"https://[::1]:99999",
		},
		"must not have an empty segment": {
			"https://sso.example.com/a//b",
			"https://sso.example.com//a",
		},
		`must not have a segment that is "." or "..", or that has a slash in it`: {
			"https://sso.example.com/..",
			"https://sso.example.com/a/../b",
			"https://sso.example.com/%2e%2e/a",
			"https://sso.example.com/./a",
			"https://sso.example.com/a%2fb",
			`https://sso.example.com/a\b`,
			"https://sso.example.com/a%5cb",
		},
		"must be valid UTF-8 without control characters": {
			"https://sso.example.com/%00",
			"https://sso.example.com/a%0d%0ab",
			"https://sso.example.com/%ff",
		},
		"must not go on after /api/v3: use the root of the server": {
			"https://sso.example.com/api/v3/flows",
			"https://sso.example.com/api/v3/api/v3",
			"https://sso.example.com/a/api/v3/b/api/v3/",
		},
	},
}

func TestNewClient_RejectsBaseURL(t *testing.T) {
	t.Parallel()
	for row, reasons := range refusedURLs {
		t.Run(row, func(t *testing.T) {
			t.Parallel()
			for reason, urls := range reasons {
				for _, base := range urls {
					ak, err := authentik.NewClient(base, testkit.Token)
					require.Nil(t, ak, "%q", base)
					testkit.RequireType[*authentik.ArgumentError](t, err)
					assert.Equal(t, "authentik: NewClient: baseURL: "+reason, err.Error(), "%q", base)
					require.NoError(t, errors.Unwrap(err))
					testkit.AssertNoSecrets(t, err)
				}
			}
		})
	}
}

func TestNewClient_JoinsBaseURL(t *testing.T) {
	t.Parallel()
	for base, want := range map[string]string{
		"https://sso.example.com":                    "https://sso.example.com/api/v3/",
		"https://sso.example.com/":                   "https://sso.example.com/api/v3/",
		"https://sso.example.com//":                  "https://sso.example.com/api/v3/",
		"https://sso.example.com/api/v3":             "https://sso.example.com/api/v3/",
		"https://sso.example.com/api/v3/":            "https://sso.example.com/api/v3/",
		"https://sso.example.com/sub/path":           "https://sso.example.com/sub/path/api/v3/",
		"https://sso.example.com/sub/path/":          "https://sso.example.com/sub/path/api/v3/",
		"https://sso.example.com/sub/path/api/v3/":   "https://sso.example.com/sub/path/api/v3/",
		"https://sso.example.com/api/v3x":            "https://sso.example.com/api/v3x/api/v3/",
		"https://sso.example.com/xapi/v3":            "https://sso.example.com/xapi/v3/api/v3/",
		"https://sso.example.com/api":                "https://sso.example.com/api/api/v3/",
		"https://sso.example.com/a%20b/S%C3%BCd/%25": "https://sso.example.com/a%20b/S%C3%BCd/%25/api/v3/",
		"https://sso.example.com/Süd":                "https://sso.example.com/S%C3%BCd/api/v3/",
		"https://sso.example.com/\u200c/\u200d":      "https://sso.example.com/%E2%80%8C/%E2%80%8D/api/v3/",
		"https://sso.example.com/a%21b":              "https://sso.example.com/a%21b/api/v3/",
		"HTTPS://SSO.example.com:8443":               "https://SSO.example.com:8443/api/v3/",
		"https://[2001:db8::1]:9443/sub":             "https://[2001:db8::1]:9443/sub/api/v3/",
		"http://localhost:9000":                      "http://localhost:9000/api/v3/",
		"http://LocalHost":                           "http://LocalHost/api/v3/",
		"http://localhost.:9000":                     "http://localhost.:9000/api/v3/",
		"http://127.0.0.1:9000":                      "http://127.0.0.1:9000/api/v3/",
		"http://127.8.8.8":                           "http://127.8.8.8/api/v3/",
		"http://[::1]:9000":                          "http://[::1]:9000/api/v3/",
		"http://[::ffff:127.0.0.1]":                  "http://[::ffff:127.0.0.1]/api/v3/",
		"https://sso.example.com:1":                  "https://sso.example.com:1/api/v3/",
		"https://sso.example.com:65535":              "https://sso.example.com:65535/api/v3/",
		"insecure http://sso.example.com:9000/sub/":  "http://sso.example.com:9000/sub/api/v3/",
		"insecure https://sso.example.com":           "https://sso.example.com/api/v3/",
	} {
		var sent *http.Request
		opts := []authentik.ClientOption{
			nil,
			authentik.WithHTTPClient(
				&http.Client{Transport: testkit.RoundTripFunc(func(req *http.Request) (*http.Response, error) {
					sent = req
					return testkit.HTTPResponse(testkit.TwoFlows), nil
				})},
			),
		}
		root, insecure := strings.CutPrefix(base, "insecure ")
		if insecure {
			opts = append(opts, authentik.WithInsecureHTTP())
		}
		ak, err := authentik.NewClient(root, testkit.Token, opts...)
		require.NoError(t, err, base)
		_, err = ak.FlowsInstancesList(t.Context(), &authentik.FlowsInstancesListOptions{Slug: "a/b"})
		require.NoError(t, err)
		assert.Equal(t, want+"flows/instances/?slug=a%2Fb", sent.URL.String(), base)
		assert.Equal(t, sent.URL.Host, sent.Host)
		assert.Equal(t, "authentik.Client("+strings.TrimSuffix(want, "/api/v3/")+")", fmt.Sprint(ak))
	}
}

// FuzzBaseURL checks that NewClient either rejects a base URL without repeating
// it, or sends requests to its host and below its path, with nothing added but
// the path of the API.
func FuzzBaseURL(f *testing.F) {
	for _, seed := range []string{
		"https://sso.example.com", "https://sso.example.com/", "https://h/prefix/api/v3/", "http://[::1]:9000",
		"http://127.0.0.1/a%20b", "HTTPS://H",
		"https://user:secret-password@h", "https://h?q=secret", "https://h#f", "https://h/..", "https://h/%2e%2e/x",
		"https://h//x", "https://h:99999", "//h", "h:443", "",
		"https://h/api/v3/flows", "https://h\\@evil", "https://h/%zz", "https://[fe80::1%25en0]/", "https://h/a%2fb",
		"https://ü.example/",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		var asked *url.URL
		ak, err := authentik.NewClient(
			raw,
			testkit.Token,
			authentik.WithHTTPClient(
				&http.Client{Transport: testkit.RoundTripFunc(func(req *http.Request) (*http.Response, error) {
					asked = req.URL
					return nil, io.EOF
				})},
			),
			authentik.WithRetry(authentik.RetryPolicy{MaxAttempts: 1}),
		)
		if err != nil {
			require.Nil(t, ak)
			var refused *authentik.ArgumentError
			require.ErrorAs(t, err, &refused)
			if len(raw) > 12 {
				own := strings.ReplaceAll(err.Error(), "https://sso.example.com", "") // the text's example
				assert.NotContains(t, own, raw)
			}
			assert.NotContains(t, err.Error(), testkit.Token)
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
