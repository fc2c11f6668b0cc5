package transport

import (
	"context"
	"net/http"
)

// authorize returns the base with the credentials around it, as near to the
// wire as can be. The middleware never sees them, neither in the request nor,
// in Response.Request, afterwards.
func authorize(cfg Config, remember func(string)) http.RoundTripper {
	if cfg.Authorize == nil && cfg.Received == nil {
		return cfg.Base
	}
	seen := len(cfg.Middleware) > 0 // by others: the headers are not ours alone
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		authorized := req
		if seen {
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

// Tokens authorizes requests with the token that a function returns, if check
// accepts it. Its fields are closures, because a field of any other type can be
// printed by reflection.
type Tokens struct {
	token func(context.Context) (string, error)
	check func(string) error
}

// NewTokens returns a Tokens.
func NewTokens(token func(context.Context) (string, error), check func(string) error) *Tokens {
	return &Tokens{token, check}
}

// callToken is the token of one call: the one that its last attempt has sent, or
// the one that all its attempts must send.
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

func (t *Tokens) choose(ctx context.Context, call *callToken) (string, error) {
	if call != nil && call.fixed {
		return call.value(), nil
	}
	value, err := t.token(ctx)
	if err == nil {
		err = t.check(value)
	}
	return value, err
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

// With returns a context for a call that sends this token. last says that no
// other token is to follow it.
func (t *Tokens) With(ctx context.Context, token string, last bool) context.Context {
	return context.WithValue(ctx, t, &callToken{value: func() string { return token }, fixed: true, last: last})
}

// Of returns the token that the last attempt of a call has sent, and whether
// [Tokens.With] has set it as the last one.
func (t *Tokens) Of(ctx context.Context) (token string, last bool) {
	call, ok := ctx.Value(t).(*callToken)
	if !ok {
		return "", false
	}
	return call.value(), call.last
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// tokenError reports that there is no token. Nothing was sent. Another attempt
// at getting one is the business of the function that provides it.
type tokenError struct{ err error }

func (e *tokenError) Error() string { return "no token: " + e.err.Error() }
func (e *tokenError) Unwrap() error { return e.err }
