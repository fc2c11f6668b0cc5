package transport

import (
	"context"
	"net/http"
)

// authorize wraps the base with the credentials. This is the innermost layer, so
// that the middleware sees them neither in the request nor in Response.Request.
func authorize(cfg Config, remember func(string)) http.RoundTripper {
	shared := len(cfg.Middleware) > 0 // the middleware may keep the request
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		authorized := req
		if shared {
			authorized = new(http.Request)
			*authorized = *req
			authorized.Header = req.Header.Clone()
		}
		if cfg.Authorize != nil {
			if err := cfg.Authorize(authorized, remember); err != nil {
				if req.Body != nil {
					_ = req.Body.Close() // as a RoundTripper must
				}
				return nil, err
			}
		}
		resp, err := cfg.Base.RoundTrip(authorized)
		if resp != nil {
			if cfg.Received != nil {
				cfg.Received(resp, remember)
			}
			resp.Request = req
		}
		return resp, err
	})
}

// Tokens authorizes requests with the token that a function returns. Its field is
// a closure, because a field of any other type can be printed by reflection.
type Tokens struct {
	token func(context.Context) (string, error)
}

// NewTokens returns a Tokens.
func NewTokens(token func(context.Context) (string, error)) *Tokens { return &Tokens{token} }

// callToken is the token of one call. The token is the one that the last attempt
// has sent or, if fixed, the one that all attempts must send.
type callToken struct {
	value func() string
	fixed bool
	last  bool // no other token follows it in this call
}

func (c *callToken) set(value string) { c.value = func() string { return value } }

// Authorize sets the Authorization header: see [Config].
func (t *Tokens) Authorize(req *http.Request, secret func(string)) error {
	call, _ := req.Context().Value(t).(*callToken)
	value, err := t.choose(req.Context(), call)
	if err != nil {
		return &tokenError{err}
	}
	if call != nil {
		call.set(value)
	}
	secret(value)
	req.Header.Set("Authorization", "Bearer "+value)
	return nil
}

// choose returns the token to send. call is nil if the context tracks no token.
func (t *Tokens) choose(ctx context.Context, call *callToken) (string, error) {
	if call != nil && call.fixed {
		return call.value(), nil
	}
	return t.token(ctx)
}

// Track returns a context that keeps the token which the attempts of a call
// send, unless the context has a token already. The key is t, so that no other
// client sees the token.
func (t *Tokens) Track(ctx context.Context) context.Context {
	if call, ok := ctx.Value(t).(*callToken); ok && call.fixed {
		return ctx
	}
	return context.WithValue(ctx, t, &callToken{value: func() string { return "" }})
}

// With returns a context for a call that sends this token. last is true if no
// other token is to follow.
func (t *Tokens) With(ctx context.Context, token string, last bool) context.Context {
	return context.WithValue(ctx, t, &callToken{value: func() string { return token }, fixed: true, last: last})
}

// Of returns the token that the last attempt of a tracked call has sent, and
// whether [Tokens.With] has set it as the last one.
func (t *Tokens) Of(ctx context.Context) (token string, last bool) {
	call := ctx.Value(t).(*callToken) //nolint:errcheck,forcetypeassert // set by Track
	return call.value(), call.last
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// tokenError reports that there is no token, so that nothing was sent. The call is
// not retried, because the function that returns the token may retry by itself.
type tokenError struct{ err error }

func (e *tokenError) Error() string { return "no token: " + e.err.Error() }
func (e *tokenError) Unwrap() error { return e.err }
