package authentik

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/seed-299d42e7/authentik-go/internal/transport"
)

// unknownVersion is the version where the build does not know it, as in tests.
const unknownVersion = "devel"

// libraryVersion returns the version of this module for the User-Agent.
var libraryVersion = sync.OnceValue(func() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return moduleVersion(info)
	}
	return unknownVersion
})

// moduleVersion returns the version of this module in a build.
func moduleVersion(info *debug.BuildInfo) string {
	for _, m := range append([]*debug.Module{&info.Main}, info.Deps...) {
		if m.Path != "github.com/seed-299d42e7/authentik-go" {
			continue
		}
		if m.Replace != nil {
			m = m.Replace
		}
		if version, ok := strings.CutPrefix(m.Version, "v"); ok {
			return version
		}
	}
	return unknownVersion
}

const apiPath = "/api/v3/"

// Client talks to one authentik server. Create one with [NewClient] for the whole
// program, so that calls share connections. A Client is safe for concurrent use.
// Printing a Client shows the URL of the server and no secret.
type Client struct {
	base      url.URL // with the path of the API
	transport *transport.Transport
	learned   *learned
	// insecureEnv is true if AUTHENTIK_INSECURE is set, which errors of TLS mention.
	insecureEnv bool
	// closeIdle closes the idle connections of the http.Transport of our own, and is
	// nil if the transport is the caller's. It is a closure, because the buffers of
	// the connections hold the token.
	closeIdle func()
	// track prepares the context of a call for refused; nil changes nothing.
	track func(context.Context) context.Context
	// refused handles a PermissionError. It returns a context to send the request
	// once more with, or the error to return. nil for a token that cannot change.
	refused func(ctx context.Context, err error) (context.Context, error)
}

// NewClient returns a client for the server at baseURL that sends an API token
// (Directory → Tokens and App passwords, intent "API Token"). NewClient sends no
// request.
//
// baseURL is https://host or, if authentik is served below a path,
// https://host/path. It may end in /api/v3 and a slash. Plain http:// is accepted
// only for loopback hosts: see [WithInsecureHTTP].
//
// Errors: [ArgumentError], which contains neither the URL nor the token, for a URL
// without a scheme or host, of another scheme, or with a user, query or fragment;
// for a token that is empty, or has spaces, control characters or "Bearer " in
// it; for a token together with [WithTokenFunc]; and for an option that is
// invalid.
func NewClient(baseURL, token string, opts ...ClientOption) (*Client, error) {
	return newClient("baseURL", "token", baseURL, token, opts)
}

// NewClientFromEnv returns a [NewClient] with the URL in AUTHENTIK_URL and the
// token in AUTHENTIK_TOKEN, the names that authentik's Terraform provider uses.
// A variable that is not set counts as empty.
//
// AUTHENTIK_INSECURE, which disables the verification of certificates in that
// provider, is not supported. If it is set, the logger of [WithLogger] receives
// a warning, and errors of this function and of certificates mention it.
func NewClientFromEnv(opts ...ClientOption) (*Client, error) {
	c, err := newClient("AUTHENTIK_URL", "AUTHENTIK_TOKEN", os.Getenv("AUTHENTIK_URL"), os.Getenv("AUTHENTIK_TOKEN"), opts)
	value := os.Getenv("AUTHENTIK_INSECURE")
	if insecure, parseErr := strconv.ParseBool(value); value == "" || parseErr == nil && !insecure {
		return c, err
	}
	if err != nil {
		if refused, ok := errors.AsType[*ArgumentError](err); ok {
			err = &ArgumentError{refused.Op, refused.Field, refused.Reason + "; " + insecureIgnored}
		}
		return nil, err
	}
	c.insecureEnv = true
	c.transport.Warn("authentik: AUTHENTIK_INSECURE is not supported, certificates are verified")
	return c, nil
}

func newClient(urlName, tokenName, baseURL, token string, opts []ClientOption) (*Client, error) {
	const op = "NewClient"
	cfg, base, err := newConfig(op, urlName, baseURL, opts)
	if err != nil {
		return nil, err
	}
	switch {
	case cfg.tokenFunc != nil && token != "":
		return nil, refuse(tokenName, "must be empty together with WithTokenFunc")
	case cfg.tokenFunc == nil:
		if err := checkToken(token); err != nil {
			return nil, refuse(tokenName, err.Error())
		}
		fixed := func(context.Context) (string, error) { return token, nil }
		return cfg.connect(op, base, transport.Config{Authorize: transport.NewTokens(fixed).Authorize})
	}
	fresh := checked(cfg.tokenFunc)
	tokens := transport.NewTokens(fresh)
	c, err := cfg.connect(op, base, transport.Config{Authorize: tokens.Authorize})
	if err != nil {
		return nil, err
	}
	c.track, c.refused = tokens.Track, c.tokenRefresher(tokens, fresh)
	return c, nil
}

// newConfig applies options to the defaults. op is the function that they were
// passed to.
func newConfig(op, urlName, baseURL string, opts []ClientOption) (*clientConfig, *url.URL, error) {
	cfg := &clientConfig{
		header:          http.Header{},
		timeout:         time.Minute,
		maxResponseSize: 8 << 20,
	}
	for _, opt := range opts {
		if opt == nil {
			continue
		}
		if err := opt(cfg); err != nil {
			return nil, nil, withOp(op, err)
		}
	}
	base, err := parseBaseURL(baseURL, cfg.insecureHTTP)
	if err != nil {
		return nil, nil, &ArgumentError{op, urlName, err.Error()}
	}
	return cfg, base, nil
}

// withOp sets the function that an option was passed to in the option's error.
func withOp(op string, err error) error {
	if refused, ok := errors.AsType[*ArgumentError](err); ok {
		return &ArgumentError{op, refused.Field, refused.Reason}
	}
	return err
}

// connect returns a client with the credentials in credentials.
func (cfg *clientConfig) connect(op string, base *url.URL, credentials transport.Config) (*Client, error) {
	c := &Client{base: *base, learned: &learned{}}
	send := transport.Default
	switch {
	case cfg.httpClient == nil:
		own := transport.NewPool(newHTTPTransport)
		send, c.closeIdle = own, own.CloseIdleConnections
	case cfg.httpClient.Transport != nil:
		send = cfg.httpClient.Transport
	}
	timeout := cfg.timeout
	if cfg.httpClient != nil && cfg.httpClient.Timeout > 0 {
		timeout = min(timeout, cfg.httpClient.Timeout)
	}
	var secrets []string
	for _, values := range cfg.header {
		secrets = append(secrets, values...)
	}
	cfg.header.Set("Accept", "application/json") // exactly this, on which the text of a starting server depends
	cfg.header.Set("User-Agent", strings.TrimSpace(cfg.userAgent+" authentik-go/"+libraryVersion()))
	var err error
	c.transport, err = transport.New(transport.Config{
		Base: send, Middleware: cfg.middleware,
		Authorize: credentials.Authorize, Received: credentials.Received,
		Header: cfg.header, Secrets: secrets,
		Policy: transport.Policy(cfg.policy), Timeout: timeout,
		MaxBody: cfg.maxResponseSize, Logger: cfg.logger,
	})
	if err != nil {
		return nil, &ArgumentError{op, "WithMiddleware", err.Error()}
	}
	return c, nil
}

// newHTTPTransport returns net/http's default transport with tighter limits, and
// with room for as many idle connections as a busy service keeps. HTTP/2 sends
// pings, because a dead connection would be used until TCP gives up
// (golang/go#59690).
func newHTTPTransport() *http.Transport {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		OnProxyConnectResponse: transport.CheckConnect,
		DialContext:            (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    10 * time.Second,
		ForceAttemptHTTP2:      true,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 5 * time.Second},
		MaxIdleConnsPerHost:    32,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: 1 << 20,
	}
}

// Close closes idle connections, unless [WithHTTPClient] has set the transport.
// Requests under way and later ones still work. Close may be called again.
func (c *Client) Close() {
	if c != nil && c.closeIdle != nil {
		c.closeIdle()
	}
}

// Format prints the server's URL, whatever the verb.
func (c Client) Format(f fmt.State, _ rune) {
	if c.transport == nil {
		_, _ = io.WriteString(f, "authentik.Client(not made by NewClient)")
		return
	}
	_, _ = io.WriteString(f, "authentik.Client("+strings.TrimSuffix(c.base.String(), apiPath)+")")
}
