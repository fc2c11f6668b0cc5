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

// Bearer returns an Authorize that sends the token that a function returns, if
// check accepts it. The token lives in a closure, because a field of any type
// can be printed by reflection.
func Bearer(
	token func(context.Context) (string, error),
	check func(string) error,
) func(*http.Request, func(string)) error {
	return func(req *http.Request, secret func(string)) error {
		value, err := token(req.Context())
		if err == nil {
			err = check(value)
		}
		if err != nil {
			return &tokenError{err}
		}
		secret(value)
		req.Header.Set("Authorization", "Bearer "+value)
		return nil
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// tokenError reports that there is no token. Nothing was sent. Another attempt
// at getting one is the business of the function that provides it.
type tokenError struct{ err error }

func (e *tokenError) Error() string { return "no token: " + e.err.Error() }
func (e *tokenError) Unwrap() error { return e.err }
