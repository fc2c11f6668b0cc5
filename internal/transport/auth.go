package transport

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// authenticate sets the token, as near to the wire as can be: the middleware
// around it never sees it, neither on the way out nor, in Response.Request, on
// the way back. The token lives in a closure, because a field of any type can
// be printed by reflection.
func authenticate(next http.RoundTripper, token func(context.Context) (string, error), check func(string) error, remember func(string)) http.RoundTripper {
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		value, err := token(req.Context())
		if err == nil {
			err = check(value)
		}
		if err != nil {
			if req.Body != nil {
				_ = req.Body.Close() // as RoundTripper must
			}
			return nil, &tokenError{err}
		}
		remember(value)
		authorized := *req
		authorized.Header = req.Header.Clone()
		authorized.Header.Set("Authorization", "Bearer "+value)
		resp, err := next.RoundTrip(&authorized)
		if resp != nil {
			resp.Request = req
		}
		return resp, err
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// tokenError is a token that could not be had: nothing was sent, and asking
// again is the business of whoever provides it.
type tokenError struct{ err error }

func (e *tokenError) Error() string { return "no token: " + e.err.Error() }
func (e *tokenError) Unwrap() error { return e.err }

// A rotating token makes old values worthless; a few are enough to remember.
const secretsRemembered = 8

// Shorter values are words, and blotting them would garble what is said.
const secretMinLength = 8

const redacted = "[redacted]"

// newSecrets returns what remembers a token and what blots all of them, and
// the fixed ones, out of a text: a server may echo what it was sent, and a
// text that is cut may end in the beginning of it.
func newSecrets(fixed []string) (remember func(string), blot func(string) string) {
	var mu sync.Mutex
	var tokens []string
	remember = func(token string) {
		mu.Lock()
		defer mu.Unlock()
		if slices.Contains(tokens, token) {
			return
		}
		if len(tokens) == secretsRemembered {
			tokens = slices.Delete(tokens, 0, 1)
		}
		tokens = append(tokens, token)
	}
	blot = func(text string) string {
		var secrets []string
		mu.Lock()
		for _, secret := range slices.Concat(tokens, fixed) {
			if len(secret) >= secretMinLength {
				secrets = append(secrets, spellings(secret)...)
			}
		}
		mu.Unlock()
		// The longest first: one may be part of another.
		slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) })
		for _, secret := range secrets {
			text = strings.ReplaceAll(text, secret, redacted)
		}
		end := len(text)
		for _, secret := range secrets {
			for n := min(len(secret), len(text)); n >= secretMinLength; n-- {
				if strings.HasSuffix(text, secret[:n]) {
					end = min(end, len(text)-n)
					break
				}
			}
		}
		if end < len(text) {
			text = text[:end] + redacted
		}
		return text
	}
	return remember, blot
}

// spellings are what a secret looks like in a text, in JSON and in a URL.
func spellings(secret string) []string {
	quoted, ascii := strconv.Quote(secret), strconv.QuoteToASCII(secret)
	return []string{
		secret, quoted[1 : len(quoted)-1], ascii[1 : len(ascii)-1],
		url.PathEscape(secret), url.QueryEscape(secret),
	}
}
