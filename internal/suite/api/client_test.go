package api_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/internal/testkit"
)

// refusedTokens are what no token looks like, and why.
var refusedTokens = map[string][]string{
	"must not be empty": {"", " \n"},
	"must not begin or end with a space or a line break": {
		testkit.Token + "\n",
		testkit.Token + "\r\n",
		" " + testkit.Token,
		testkit.Token + " ",
		testkit.Token + "\t",
	},
	"must not have quotation marks around it": {
		`"` + testkit.Token + `"`,
		"'" + testkit.Token + "'",
		testkit.Token + `"`,
		"`" + testkit.Token,
		"“" + testkit.Token + "”",
		"‘" + testkit.Token + "’",
		"«" + testkit.Token,
		testkit.Token + "“",
	},
	"must not be a placeholder such as ${VARIABLE}, which nothing has replaced": {
		"${AUTHENTIK_TOKEN}",
		"$(cat token)",
		"{{ .Values.token }}",
		"$AUTHENTIK_TOKEN",
		"$env:TOKEN",
		"%AUTHENTIK_TOKEN%",
		"<your-token>",
	},
	"must not begin with Bearer, which is not part of a token": {
		"Bearer " + testkit.Token,
		"bearer " + testkit.Token,
		"BEARER " + testkit.Token,
		"Bearer ",
	},
	"must not have a space, a line break or any other character that no token has": {
		"\x00" + testkit.Token,
		testkit.Token + " " + testkit.Token,
		testkit.Token + "\x7f",
		testkit.Token + "é",
		"\ufeff" + testkit.Token,
		"\x80",
	},
}

func TestNewClient_RejectsToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for reason, tokens := range refusedTokens {
			for _, token := range tokens {
				ak, err := authentik.NewClient("https://sso.example.com", token)
				require.Nil(t, ak)
				testkit.RequireType[*authentik.ArgumentError](t, err)
				assert.EqualError(t, err, "authentik: NewClient: token: "+reason)
				require.NoError(t, errors.Unwrap(err))
				testkit.AssertNoSecrets(t, err)

				server := testkit.NewSequence(testkit.Respond(testkit.TwoFlows))
				rotating, err := authentik.NewClient(
					"https://sso.example.com",
					"",
					authentik.WithHTTPClient(&http.Client{Transport: testkit.RoundTripFunc(server.RoundTrip)}),
					authentik.WithTokenFunc(func(context.Context) (string, error) { return token, nil }),
				)
				require.NoError(t, err)
				_, err = rotating.FlowsInstancesList(t.Context(), nil)
				testkit.AssertListError(t, err, "no token: the token "+reason+" (1 attempt)")
				testkit.AssertNoSecrets(t, err)
				assert.Zero(t, server.Requests())
			}
		}
	})
	for _, token := range []string{"a", "Bearer", "bearerX" + testkit.Token, "!~", "$aB3", "a$TOKEN", "100%A", "%41%42", "x<y>", strings.Repeat("x", 4096)} {
		_, err := authentik.NewClient("https://sso.example.com", token)
		assert.NoError(t, err)
	}
}

func TestNewClientFromEnv(t *testing.T) { //nolint:paralleltest // it sets the environment
	var sent *http.Request
	opt := authentik.WithHTTPClient(
		&http.Client{Transport: testkit.RoundTripFunc(func(req *http.Request) (*http.Response, error) {
			sent = req
			return testkit.HTTPResponse(testkit.TwoFlows), nil
		})},
	)
	for _, c := range []struct{ url, token, want string }{
		{"", testkit.Token, "authentik: NewClient: AUTHENTIK_URL: must not be empty"},
		{"sso.example.com", testkit.Token, "authentik: NewClient: AUTHENTIK_URL: must begin with https://"},
		{"https://sso.example.com", "", "authentik: NewClient: AUTHENTIK_TOKEN: must not be empty"},
		{
			"https://sso.example.com", testkit.Token + "\n",
			"authentik: NewClient: AUTHENTIK_TOKEN: must not begin or end with a space or a line break",
		},
		{"https://sso.example.com/sub/", testkit.Token, ""},
	} {
		t.Setenv("AUTHENTIK_URL", c.url)
		t.Setenv("AUTHENTIK_TOKEN", c.token)
		ak, err := authentik.NewClientFromEnv(opt)
		if c.want != "" {
			require.Nil(t, ak)
			assert.EqualError(t, err, c.want)
			continue
		}
		require.NoError(t, err)
		_, err = ak.FlowsInstancesList(t.Context(), nil)
		require.NoError(t, err)
		assert.Equal(t, "https://sso.example.com/sub/api/v3/flows/instances/", sent.URL.String())
		assert.Equal(t, "Bearer "+testkit.Token, sent.Header.Get("Authorization"))
	}
	// Nothing else reads it.
	_, err := authentik.NewClient("", "")
	assert.Error(t, err)
	_, err = authentik.NewClientFromEnv(
		authentik.WithTokenFunc(func(context.Context) (string, error) { return testkit.Token, nil }),
	)
	assert.EqualError(t, err, "authentik: NewClient: AUTHENTIK_TOKEN: must be empty together with WithTokenFunc")
}

// Other clients read AUTHENTIK_INSECURE, and a user who has set it must learn that
// this one does not.
func TestNewClientFromEnv_WarnsOfInsecure(t *testing.T) {
	t.Setenv("AUTHENTIK_URL", "https://sso.example.com")
	t.Setenv("AUTHENTIK_TOKEN", testkit.Token)
	for value, warns := range map[string]bool{"": false, "false": false, "0": false, "1": true, "yes": true} {
		t.Setenv("AUTHENTIK_INSECURE", value)
		_, err := authentik.NewClientFromEnv()
		require.NoError(t, err)
		var log bytes.Buffer
		_, err = authentik.NewClientFromEnv(authentik.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
		require.NoError(t, err)
		assert.Equal(t, warns, strings.Contains(log.String(), "level=WARN msg=\"authentik: AUTHENTIK_INSECURE"), value)
		_, err = authentik.NewClientFromEnv(authentik.WithTimeout(-1))
		assert.Equal(t, warns, strings.Contains(err.Error(), "AUTHENTIK_INSECURE"), value)
	}
}

func TestNewClientFromEnv_ErrorsOfCertificatesNameInsecure(t *testing.T) {
	t.Setenv("AUTHENTIK_URL", "https://sso.example.com")
	t.Setenv("AUTHENTIK_TOKEN", testkit.Token)
	t.Setenv("AUTHENTIK_INSECURE", "true")
	const (
		ca       = "; use WithHTTPClient with the CA in RootCAs"
		insecure = "; AUTHENTIK_INSECURE is set, and not supported"
	)
	for _, c := range []struct {
		cause error
		want  string
	}{
		{&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}, ca + insecure},
		{x509.UnknownAuthorityError{}, ca + insecure}, // of a VerifyConnection, or of a middleware
		{&tls.CertificateVerificationError{Err: errors.New("x509: “sso” certificate is not trusted")}, ca + insecure},
		{&tls.CertificateVerificationError{Err: x509.CertificateInvalidError{Reason: x509.Expired}}, insecure},
		{errors.New("socks connect: the user is not trusted"), ""},
	} {
		ak, err := authentik.NewClientFromEnv(
			authentik.WithRetry(authentik.RetryPolicy{MaxAttempts: 1}),
			authentik.WithHTTPClient(&http.Client{Transport: testkit.NewSequence(testkit.Fail(c.cause))}),
		)
		require.NoError(t, err)
		_, err = ak.FlowsInstancesList(t.Context(), nil)
		assert.EqualError(t, err, "authentik: FlowsInstancesList: sso.example.com: "+c.cause.Error()+c.want+" (1 attempt)")
	}
}

func TestClientClose_KeepsCallersTransport(t *testing.T) {
	t.Parallel()
	transport := &testkit.Pool{
		RoundTripper: testkit.RoundTripFunc(func(*http.Request) (*http.Response, error) { return nil, io.ErrNoProgress }),
	}
	ak := testkit.NewCheckedClient(
		t,
		"https://sso.example.com",
		authentik.WithHTTPClient(&http.Client{Transport: transport}),
		testkit.NoWait,
	)
	require.Error(t, ak.List(t.Context(), t).Err)
	ak.Close()
	ak.Close()
	assert.Zero(t, transport.Closed)
	assert.NotPanics(t, func() {
		new(authentik.Client).Close()
		(*authentik.Client)(nil).Close()
	})
}
