package transport_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go/internal/transport"
)

func TestDo_SendsNoAuthorizationWithoutAuthorize(t *testing.T) {
	t.Parallel()
	tr := newTransport(t, roundTripper(func(req *http.Request) (*http.Response, error) {
		assert.NotContains(t, req.Header, "Authorization")
		assert.NotContains(t, req.Header, "Cookie")
		return response(http.StatusOK, typeJSON, `"ok"`), nil
	}))
	require.NoError(t, tr.Do(t.Context(), request(http.MethodGet, "https://sso.example.com", true)).Err)
}

// The cookies of every response, redirects and errors included, are sent with the
// next request, and no middleware sees them.
func TestDo_LetsASessionKeepItsCookies(t *testing.T) {
	t.Parallel()
	var hits int
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hits++
		if hits > 1 {
			cookie, err := r.Cookie("session")
			if assert.NoError(t, err) {
				assert.Equal(t, "cookie-value-"+strconv.Itoa(hits-1), cookie.Value)
			}
			assert.Equal(t, cookie.Value, r.Header.Get("X-Authentik-CSRF"))
		}
		assert.Equal(t, "http://"+r.Host+"/flow/", r.Referer())
		http.SetCookie(w, &http.Cookie{Name: "session", Value: "cookie-value-" + strconv.Itoa(hits)})
		switch hits {
		case 1:
			w.WriteHeader(http.StatusTooManyRequests)
		case 2:
			w.Header().Set("Location", "/flow/?next=1")
			w.WriteHeader(http.StatusFound)
		default:
			http.Error(w, "who sent "+r.Header.Get("Cookie")+"?", http.StatusForbidden)
		}
	}))
	t.Cleanup(server.Close)
	base := &http.Transport{}
	t.Cleanup(base.CloseIdleConnections)

	var cookie string
	for _, middleware := range []int{0, 1} {
		hits, cookie = 0, ""
		tr := newTransport(t, base, func(cfg *transport.Config) {
			cfg.Authorize = func(req *http.Request, secret func(string)) error {
				assert.Equal(t, "/flow/", req.URL.Path)
				req.Header.Set("Referer", req.URL.String())
				if cookie != "" {
					secret(cookie)
					req.Header.Set("Cookie", "session="+cookie)
					if req.Method == http.MethodPost {
						req.Header.Set("X-Authentik-CSRF", cookie)
					}
				}
				return nil
			}
			cfg.Received = func(resp *http.Response, secret func(string)) {
				for _, c := range resp.Cookies() {
					secret(c.Value)
					cookie = c.Value
				}
			}
			for range middleware {
				cfg.Middleware = append(cfg.Middleware, func(next http.RoundTripper) http.RoundTripper {
					return roundTripper(func(req *http.Request) (*http.Response, error) {
						resp, err := next.RoundTrip(req)
						assert.NotContains(t, req.Header, "Cookie")
						assert.NotContains(t, resp.Request.Header, "Cookie")
						return resp, err
					})
				})
			}
		})
		r := request(http.MethodPost, server.URL+"/flow/", false)
		r.Accept = func(resp *http.Response) bool { return resp.Header.Get("Location") == "/flow/?next=1" }
		r.Decode = func(a *transport.Response) error {
			assert.Equal(t, http.StatusFound, a.StatusCode)
			assert.Equal(t, "/flow/?next=1", a.Header.Get("Location"))
			assert.True(t, a.OK)
			return nil
		}
		result := tr.Do(t.Context(), r)
		require.NoError(t, result.Err)
		assert.Equal(t, 2, result.Attempts)
		assert.Equal(t, 2, hits, "the redirect was not followed")
		assert.Equal(t, "cookie-value-2", cookie)

		result = tr.Do(t.Context(), r)
		assert.Equal(t, http.StatusForbidden, result.Response.StatusCode)
		assert.Equal(t, "cookie-value-3", cookie)
		assert.Equal(t, "who sent session=[redacted]?", strings.TrimSpace(tr.Redact(string(result.Response.Body))))
		assert.Equal(t, "is it [redacted]?", tr.Redact("is it cookie-value-3?"), "that came with the response")
	}
}

// Only Accept makes a success of a redirect.
func TestDo_FollowsNoRedirect(t *testing.T) {
	t.Parallel()
	for _, status := range []int{301, 302, 303, 307, 308} {
		tr := newTransport(t, roundTripper(func(*http.Request) (*http.Response, error) {
			return response(status, "", "", "Location", "http://[malformed"), nil
		}))
		r := request(http.MethodGet, "https://sso.example.com", true)
		result := tr.Do(t.Context(), r)
		require.NoError(t, result.Err)
		assert.False(t, result.Response.OK)
		assert.Equal(t, 1, result.Attempts)
		assert.Equal(t, "http://[malformed", result.Response.Header.Get("Location"))

		r.Decode = func(*transport.Response) error { return nil }
		r.Accept = func(resp *http.Response) bool { return resp.StatusCode == status }
		assert.True(t, tr.Do(t.Context(), r).Response.OK)
	}
}

// Nothing was sent, and there is no second attempt.
func TestDo_EndsWithTheErrorOfAuthorize(t *testing.T) {
	t.Parallel()
	lost := errors.New("vault is sealed")
	tr := newTransport(t, roundTripper(func(*http.Request) (*http.Response, error) {
		t.Error("sent without a token")
		return response(http.StatusOK, typeJSON, `"ok"`), nil
	}), func(cfg *transport.Config) {
		cfg.Authorize = transport.NewTokens(func(context.Context) (string, error) { return "", lost }).Authorize
	})
	result := tr.Do(t.Context(), request(http.MethodPost, "https://sso.example.com", false))
	require.ErrorIs(t, result.Err, lost)
	require.EqualError(t, result.Err, "no token: vault is sealed")
	assert.Equal(t, 1, result.Attempts)
	assert.False(t, result.PerhapsDone)
}

func TestTransport_Remember(t *testing.T) {
	t.Parallel()
	tr := newTransport(t, roundTripper(nil))
	assert.Equal(t, "it was correct horse", tr.Redact("it was correct horse"))
	tr.Remember("correct horse")
	assert.Equal(t, "it was [redacted]", tr.Redact("it was correct horse"))
}
