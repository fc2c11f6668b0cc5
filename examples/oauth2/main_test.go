package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/seed-299d42e7/authentik-go/authentiktest"
	"github.com/seed-299d42e7/authentik-go/examples/internal/cli"
	"github.com/seed-299d42e7/authentik-go/examples/internal/clitest"
)

var program clitest.Program = run

func TestTheDemoPrintsWhatLiesBesideIt(t *testing.T) {
	t.Parallel()
	program.Golden(t)
}

// They must not be printed.
const (
	secret = "CANARY-secret-c2VjcmV0"
	token  = "CANARY-token-dG9rZW4"
)

var good = provider{id: "inventory", secret: secret, token: token, lifetime: 300}

// tokensOf is of a provider at an address of its own.
func tokensOf(t *testing.T, provider http.Handler) *tokens {
	t.Helper()
	srv := httptest.NewServer(provider)
	t.Cleanup(srv.Close)
	return newTokens(&clientcredentials.Config{
		ClientID: "inventory", ClientSecret: secret, TokenURL: srv.URL, Scopes: []string{scope},
		AuthStyle: oauth2.AuthStyleInHeader,
	})
}

func TestAWalkTakesOneToken(t *testing.T) {
	t.Parallel()
	got := program.Demo(t)
	require.Equal(t, cli.OK, got.Code, got.Stderr)
	assert.Regexp(t, `^\d+ flows in 3 requests, tokens requested: 1\n$`, got.Stdout)
}

func TestTheServersOwnProviderIsAsked(t *testing.T) {
	t.Parallel()
	fake := authentiktest.NewServer(t)
	provider := good
	provider.token = fake.Token
	mux := http.NewServeMux()
	mux.Handle("POST /sub/application/o/token/", provider)
	mux.Handle("/sub/", http.StripPrefix("/sub", fake))
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	for _, url := range []string{"/sub", "/sub/", "/sub/api/v3", "/sub/api/v3/"} {
		got := program.Env(t.Context(), t, map[string]string{
			"AUTHENTIK_URL": srv.URL + url, "AUTHENTIK_CLIENT_ID": "inventory", "AUTHENTIK_CLIENT_SECRET": secret,
		})
		assert.Equal(t, cli.OK, got.Code, got.Stderr)
		assert.Contains(t, got.Stdout, "tokens requested: 1\n")
		assert.NotContains(t, got.Stdout+got.Stderr, fake.Token)
	}
}

func TestAWrongSecretIsToldAndNotPrinted(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		good.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	const wrong = secret + "x"
	got := program.Env(t.Context(), t, map[string]string{
		"AUTHENTIK_URL": srv.URL, "AUTHENTIK_CLIENT_ID": "inventory", "AUTHENTIK_CLIENT_SECRET": wrong,
	})
	assert.Equal(t, cli.Failed, got.Code)
	assert.Empty(t, got.Stdout)
	assert.Contains(t, got.Stderr, "no token: oauth2: \"invalid_client\"")
	assert.Contains(t, got.Stderr, "\nAre AUTHENTIK_CLIENT_ID and AUTHENTIK_CLIENT_SECRET those of")
	assert.NotContains(t, got.Stderr, wrong)
	assert.EqualValues(t, 1, asked.Load(), "it is sent once")
}

func TestVariablesThatAreMissingAreRefused(t *testing.T) {
	t.Parallel()
	for missing, vars := range map[string]map[string]string{
		"URL":    {"AUTHENTIK_CLIENT_ID": "inventory", "AUTHENTIK_CLIENT_SECRET": "secret"},
		"ID":     {"AUTHENTIK_URL": "https://sso.example.com", "AUTHENTIK_CLIENT_SECRET": "secret"},
		"secret": {"AUTHENTIK_URL": "https://sso.example.com", "AUTHENTIK_CLIENT_ID": "inventory"},
	} {
		got := program.Env(t.Context(), t, vars)
		assert.Equal(t, cli.Refused, got.Code, missing)
		assert.Equal(t, "wrong input: AUTHENTIK_URL, AUTHENTIK_CLIENT_ID and AUTHENTIK_CLIENT_SECRET "+
			"must be set, or none of them for the demo\n", got.Stderr, missing)
	}
}

func TestATokenIsKeptUntilShortlyBeforeItExpires(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ lifetime, fetched int }{"minutes": {300, 1}, "seconds": {5, 3}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			provider := good
			provider.lifetime = c.lifetime
			tokens := tokensOf(t, provider)
			for range 3 {
				got, err := tokens.get(t.Context())
				require.NoError(t, err)
				assert.Equal(t, token, got)
			}
			assert.Equal(t, c.fetched, tokens.fetched)
		})
	}
}

func TestManyCallsTakeOneToken(t *testing.T) {
	t.Parallel()
	tokens := tokensOf(t, good)
	var calls sync.WaitGroup
	for range 8 {
		calls.Go(func() {
			_, err := tokens.get(t.Context())
			assert.NoError(t, err)
		})
	}
	calls.Wait()
	assert.Equal(t, 1, tokens.fetched)
}

func TestACallsContextEndsItsWaitForAToken(t *testing.T) {
	t.Parallel()
	t.Run("from the provider", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		tokens := tokensOf(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			assert.Contains(t, r.FormValue("scope"), scope) // with its body unread, the end of a connection is not noticed
			cancel()
			<-r.Context().Done()
		}))
		_, err := tokens.get(ctx)
		require.ErrorIs(t, err, context.Canceled)
	})
	t.Run("while another call has its turn", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		tokens := tokensOf(t, good)
		tokens.turn <- struct{}{}
		_, err := tokens.get(ctx)
		require.ErrorIs(t, err, context.Canceled)
	})
}

func TestTheSecretFollowsNoRedirect(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		assert.Fail(t, "it was sent on", r.Header)
	}))
	t.Cleanup(elsewhere.Close)
	tokens := tokensOf(t, http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	_, err := tokens.get(t.Context())
	require.Error(t, err)
	assert.NotContains(t, err.Error(), secret)
}
