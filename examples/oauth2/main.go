// Command oauth2 lists flows with OAuth2 client credentials in the place of an
// API token: authentik issues a token that lives for minutes, and the client
// gets the next one in time.
//
//	cd examples/oauth2 && go run .
//
// With AUTHENTIK_URL, AUTHENTIK_CLIENT_ID and AUTHENTIK_CLIENT_SECRET set, the
// command uses that server, otherwise a fake one. In authentik, create an OAuth2
// provider whose scopes have "authentik API" (goauthentik.io/api) among them,
// run the command once, and give its service account, ak-<provider>-client_credentials,
// the permission "Can view Flow".
package main

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/examples/internal/cli"
)

const about = "Lists flows with OAuth 2 client credentials instead of an API token. " +
	"AUTHENTIK_URL, AUTHENTIK_CLIENT_ID and AUTHENTIK_CLIENT_SECRET name the server and the client; " +
	"without them the server is a fake one."

func main() { cli.Main(run) }

func run(ctx context.Context, env cli.Env) int {
	flags := flag.NewFlagSet("oauth2", flag.ContinueOnError)
	if err := env.Parse(flags, about); err != nil {
		return env.Exit(ctx, nil, err)
	}
	url, id := env.Getenv("AUTHENTIK_URL"), env.Getenv("AUTHENTIK_CLIENT_ID")
	secret := env.Getenv("AUTHENTIK_CLIENT_SECRET")
	tokenURL := strings.TrimSuffix(strings.TrimSuffix(url, "/"), "/api/v3") + "/application/o/token/"
	if url == "" && id == "" && secret == "" {
		server := env.Demo("AUTHENTIK_URL, AUTHENTIK_CLIENT_ID and AUTHENTIK_CLIENT_SECRET")
		defer server.Close()
		provider := httptest.NewServer(provider{id: "demo", secret: "demo", token: server.Token, lifetime: 300})
		defer provider.Close()
		url, id, secret, tokenURL = server.URL, "demo", "demo", provider.URL
	}
	if url == "" || id == "" || secret == "" {
		return env.Exit(ctx, nil, fmt.Errorf("%w: AUTHENTIK_URL, AUTHENTIK_CLIENT_ID and AUTHENTIK_CLIENT_SECRET "+
			"must be set, or none of them for the demo", cli.ErrInput))
	}
	tokens := newTokens(&clientcredentials.Config{
		ClientID: id, ClientSecret: secret, TokenURL: tokenURL, Scopes: []string{scope},
		AuthStyle: oauth2.AuthStyleInHeader, // otherwise a wrong secret is sent twice
	})
	client, err := authentik.NewClient(url, "", authentik.WithTokenFunc(tokens.get))
	if err != nil {
		return env.Exit(ctx, nil, err)
	}
	defer client.Close()

	pages := 0
	flows := 0
	for page, err := range client.FlowsInstancesPages(ctx, &authentik.FlowsInstancesListOptions{PageSize: 5}) {
		if err != nil {
			return env.Exit(ctx, &cli.Server{Client: client}, err)
		}
		pages++
		flows += len(page.Results)
	}
	_, err = fmt.Fprintf(env.Stdout, "%d flows in %d requests, tokens requested: %d\n", flows, pages, tokens.fetched)
	return env.Exit(ctx, nil, err)
}

// scope is what a token needs to be good for authentik's API.
const scope = "goauthentik.io/api"

// tokens keeps a token until it expires. Unlike a TokenSource of
// golang.org/x/oauth2, it requests a token with the context of the call that
// needs one, so that the timeout and the cancellation of that call apply.
type tokens struct {
	config  *clientcredentials.Config
	turn    chan struct{} // has one element while somebody has the rest
	last    *oauth2.Token
	fetched int
}

func newTokens(config *clientcredentials.Config) *tokens {
	return &tokens{config: config, turn: make(chan struct{}, 1)}
}

// get is for authentik.WithTokenFunc: many goroutines may call it at once.
func (t *tokens) get(ctx context.Context) (string, error) {
	select {
	case t.turn <- struct{}{}:
	case <-ctx.Done():
		return "", ctx.Err()
	}
	defer func() { <-t.turn }()
	if !t.last.Valid() { // nor is nil, or one with less than ten seconds to live
		fresh, err := t.config.Token(context.WithValue(ctx, oauth2.HTTPClient, noRedirects))
		if err != nil {
			return "", &cli.HintedError{Err: err, Hint: "Are AUTHENTIK_CLIENT_ID and AUTHENTIK_CLIENT_SECRET " +
				"those of an OAuth2 provider with the scope " + scope + "?"}
		}
		t.last = fresh
		t.fetched++
	}
	return t.last.AccessToken, nil
}

// noRedirects keeps the client's secret from being sent on.
var noRedirects = &http.Client{
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// provider is what the demo has of authentik's OAuth2 provider: its token
// endpoint.
type provider struct {
	id, secret, token string
	lifetime          int // of a token, in seconds
}

func (p provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	id, secret, _ := r.BasicAuth()
	if id != p.id || secret != p.secret ||
		r.PostFormValue("grant_type") != "client_credentials" || r.PostFormValue("scope") != scope {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = fmt.Fprint(w, `{"error":"invalid_client","error_description":"Client authentication failed"}`)
		return
	}
	_, _ = fmt.Fprintf(w, `{"access_token":%q,"token_type":"Bearer","expires_in":%d}`, p.token, p.lifetime)
}
