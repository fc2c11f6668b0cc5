package api_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/internal/testkit"
)

func TestHint_OfFailures(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		cause error
		want  string
	}{
		{authentik.ErrAttemptTimeout, "Raise WithTimeout, or request fewer objects with PageSize."},
		{context.DeadlineExceeded, "Use a context with a later deadline."},
		{context.Canceled, ""},
		{syscall.ECONNREFUSED, "Check the host and the port in the base URL, and that authentik is running."},
		{&net.DNSError{IsNotFound: true}, "Check the host in the base URL, and the name servers."},
		{&net.OpError{Op: "proxyconnect", Err: syscall.ECONNREFUSED}, "Check the proxy, such as that in HTTPS_PROXY."},
		{x509.UnknownAuthorityError{}, "Use WithHTTPClient with the server's CA in RootCAs."},
		{
			x509.HostnameError{Certificate: &x509.Certificate{}, Host: "sso"},
			"Use a host that the certificate names in the base URL, or renew the certificate.",
		},
		{x509.CertificateInvalidError{Reason: x509.Expired}, "Renew the certificate, or set the clock."},
		{x509.CertificateInvalidError{Reason: x509.NotAuthorizedToSign}, ""},
		{http.ErrSchemeMismatch, "Check the scheme and the port in the base URL: the server does not speak TLS there."},
		{tls.RecordHeaderError{Msg: "no TLS"}, "Check the scheme and the port in the base URL: the server does not speak TLS there."},
		{errors.New(`malformed HTTP response "SSH-2.0"`), "Check the port in the base URL: the server does not speak HTTP."},
		{errors.New("unknown"), ""},
	} {
		err := &authentik.RequestError{Err: fmt.Errorf("made by a caller: %w", c.cause), Attempts: 1}
		assert.Equal(t, c.want, authentik.Hint(fmt.Errorf("wrapped: %w", err)), "%v", c.cause)
	}
	for _, c := range []struct {
		err  error
		want string
	}{
		{nil, ""},
		{errors.New("not of this package"), ""},
		{&authentik.ArgumentError{}, ""},
		{&authentik.RequestError{}, ""},
		{fmt.Errorf("%w: %w", &authentik.RequestError{Err: syscall.ECONNREFUSED}, authentik.ErrPerhapsDone), "Read the object before sending the write again."},
		{fmt.Errorf("%w: %w", &authentik.APIError{StatusCode: 404}, authentik.ErrListChanged), "Repeat the iteration, or use Snapshot."},
	} {
		assert.Equal(t, c.want, authentik.Hint(c.err), "%v", c.err)
	}
}

// Behind a base URL with https://, a proxy sends plain HTTP to the TLS port.
func TestHint_OfTLSPort(t *testing.T) {
	t.Parallel()
	const alert = `malformed HTTP response "\x15\x03\x01\x00\x02\x02\x16"`
	for base, want := range map[string][2]string{
		"http":  {"; the server speaks TLS, use https://", "Use https:// in the base URL."},
		"https": {"", "Check the port in the base URL: the server does not speak HTTP."},
	} {
		ak, err := authentik.NewClient(
			base+"://sso.example.com", testkit.Token, authentik.WithInsecureHTTP(),
			authentik.WithRetry(authentik.RetryPolicy{MaxAttempts: 1}),
			authentik.WithHTTPClient(&http.Client{Transport: testkit.NewSequence(testkit.Fail(errors.New(alert)))}),
		)
		require.NoError(t, err)
		_, err = ak.FlowsInstancesList(t.Context(), nil)
		assert.EqualError(t, err, "authentik: FlowsInstancesList: sso.example.com: "+alert+want[0]+" (1 attempt)")
		assert.Equal(t, want[1], authentik.Hint(err))
	}
}

func TestHint_OfResponses(t *testing.T) {
	t.Parallel()
	const (
		baseURL = "Check the base URL, and let the proxy in front of authentik pass /api/v3/."
		started = "Check that authentik is running, and read its log."
		passes  = "Let the proxy in front of authentik pass /api/v3/ to it, or send what the proxy requires with WithHeader."
		slower  = "Send fewer requests, and wait for RetryAfter."
		refused = `{"detail":"No."}`
	)
	foreign := func(status int) http.Handler { return testkit.StaticHandler(status, testkit.HTML, "<p>No.") }
	for name, c := range map[string]struct {
		response http.Handler
		want     string
	}{
		"a login page":             {foreign(200), baseURL},
		"a body that is too large": {testkit.Reply(200, testkit.JSON, string(make([]byte, 2<<10))), "Request a smaller PageSize, or raise WithMaxResponseSize."},
		"another body":             {testkit.Reply(200, testkit.JSON, "{}"), ""},
		"starting":                 {testkit.Reply(503, testkit.JSON, testkit.StartingBody), started},
		"a limit":                  {testkit.Reply(429, testkit.JSON, refused), slower},
		"a limit of a proxy":       {foreign(429), slower},
		"401 of a proxy":           {foreign(401), passes},
		"403 of a proxy":           {foreign(403), passes},
		"404 of a proxy":           {foreign(404), baseURL},
		"405 of a proxy":           {foreign(405), baseURL},
		"502 of a proxy":           {foreign(502), started},
		"418 of a proxy":           {foreign(418), ""},
		"403":                      {testkit.Reply(403, testkit.JSON, refused), "Call ServerVersion: if it succeeds, the token or the login is valid, and its user lacks a permission."},
		"404":                      {testkit.Reply(404, testkit.JSON, refused), "Check that the object exists, and that the user of the token may view it."},
		"404 of an unknown path":   {testkit.Reply(404, testkit.HTML, "<p>Not found"), ""},
		"400":                      {testkit.Reply(400, testkit.JSON, refused), ""},
		"500":                      {testkit.Reply(500, testkit.JSON, refused), "Search the log of authentik for the request ID."},
		"404 in plain text":        {testkit.Reply(404, testkit.Text, "Gone."), "Check that the object exists, and that the user of the token may view it."},
		"403 with a Retry-After":   {testkit.Reply(403, testkit.JSON, refused, "Retry-After", "9"), "Call ServerVersion: if it succeeds, the token or the login is valid, and its user lacks a permission."},
		"500 without a request ID": {testkit.StaticHandler(500, testkit.JSON, refused), ""},
		"503 of a limiter, with a time": {http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(http.StatusServiceUnavailable)
		}), slower},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ak := testkit.NewClient(t, c.response, authentik.WithMaxResponseSize(1<<10))
			_, err := ak.FlowsInstancesList(t.Context(), nil)
			require.Error(t, err)
			assert.Equal(t, c.want, authentik.Hint(err))
		})
	}
	for status, want := range map[int]string{
		403: `Use a token of the intent "API Token" that exists and has not expired.`,
		404: "Check that the object exists, and that the user of the token may view it.",
	} {
		_, err := testkit.NewClient(t, testkit.Reply(status, testkit.JSON, refused)).ServerVersion(t.Context())
		assert.Equal(t, want, authentik.Hint(err))
	}
}

func TestHint_OfRedirects(t *testing.T) {
	t.Parallel()
	const (
		https     = "https://sso.example.com"
		http8     = "http://sso.example.com:8000"
		path      = "/api/v3/core/users/a%20b/"
		sameURL   = "the same URL"
		malformed = "a malformed URL"
		noSlash   = "the same URL without the slash at its end"
		pass      = "Let the proxy in front of authentik pass the path /api/v3/ without a cookie or a login."
		keepSlash = "Configure the proxy in front of authentik so that it keeps the slash at the end of a path."
		useHTTPS  = "Use https:// in the base URL."
		tellProxy = "Tell the proxy in front of authentik that it is reached over https://: it redirects to http://."
		useTarget = "Use the URL that the redirect leads to as the base URL, up to /api/v3/."
		check     = "Check the base URL, and let the proxy in front of authentik pass /api/v3/ without a login."
	)
	for _, c := range []struct{ base, location, to, hint string }{
		{https, https + path, sameURL, pass},
		{https, "HTTPS://SSO.example.com" + path + "?page=2#top", sameURL, pass},
		{https, path, sameURL, pass},
		{https, "?sid=" + testkit.ServerSecret, sameURL, pass},
		{https, "#", sameURL, pass},
		{https, "https://user:" + testkit.ServerSecret + "@sso.example.com" + path, sameURL, pass},
		{https, strings.TrimSuffix(path, "/"), noSlash, keepSlash},
		{https, https + strings.TrimSuffix(path, "/"), noSlash, keepSlash},
		{http8, strings.TrimSuffix(path, "/"), noSlash, keepSlash},

		{http8, "https://sso.example.com" + path, https + path, useHTTPS},
		{http8, "https://sso.example.com:8443" + path, "https://sso.example.com:8443" + path, useHTTPS},
		{http8, "https://sso.example.com/if/flow/x/?next=/", https + "/if/flow/x/", check},
		{http8, "https://new.example.com" + path, "https://new.example.com" + path, useTarget},
		{https, "http://sso.example.com" + path, "http://sso.example.com" + path, tellProxy},
		{https, "http://sso.example.com:9000/if/flow/x/", "http://sso.example.com:9000/if/flow/x/", tellProxy},
		{https, "http://new.example.com/if/flow/x/", "http://new.example.com/if/flow/x/", check},

		{https, "https://new.example.com" + path, "https://new.example.com" + path, useTarget},
		{https, "//new.example.com" + path, "https://new.example.com" + path, useTarget},
		{https, "https://sso.example.com:9443" + path, "https://sso.example.com:9443" + path, useTarget},
		{http8, "http://sso.example.com" + path, "http://sso.example.com" + path, useTarget},
		{http8, "http://sso.example.com/login", "http://sso.example.com/login", check},
		{https, "https://sso.example.com:9443/login", "https://sso.example.com:9443/login", check},
		{https, "https://sso.example.com/auth" + path, "https://sso.example.com/auth" + path, check},
		{https, "/if/flow/x/?next=" + testkit.ServerSecret, "/if/flow/x/", check},
		{https, "../../groups/", "/api/v3/core/groups/", check},
		{
			https, "https://user:" + testkit.ServerSecret + "@login.example.net/auth?" + testkit.ServerSecret,
			"https://login.example.net/auth", check,
		},

		{https, "https://%zz/", malformed, ""},
		{https, "https:/if/flow/x/", malformed, ""},
		{https, "https:user:" + testkit.ServerSecret + "@sso.example.com", malformed, ""},
		{https, "https://user:" + testkit.ServerSecret + "@/if/flow/x/", malformed, ""},
		{https, "mailto:admin@example.com", malformed, ""},
	} {
		sequence := testkit.NewSequence(testkit.Respond(testkit.Reply(http.StatusFound, "", "", "Location", c.location)))
		ak, err := authentik.NewClient(
			c.base, testkit.Token, authentik.WithInsecureHTTP(),
			authentik.WithHTTPClient(&http.Client{Transport: sequence}),
		)
		require.NoError(t, err)
		err = ak.Get(t.Context(), "core/users/a b/", nil, nil)
		assert.EqualError(
			t, err, "authentik: Get "+path+": 302 Found: redirected to "+c.to+"; no redirect is followed"+once,
			"%s from %s", c.location, c.base,
		)
		assert.Equal(t, c.hint, authentik.Hint(err), "%s from %s", c.location, c.base)
		assert.NotContains(t, fmt.Sprintf("%#v", err), testkit.ServerSecret)
		assert.Equal(t, 1, sequence.Requests())
	}
}
