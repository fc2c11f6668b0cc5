package authentik_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/internal/recorded"
)

// canary is the token of every test: no error, log or print may show it.
const canary = "CANARY-token-bVZ0cGpQd1ZxT2xX"

// newServer serves handler below a path, because a base URL may have one.
func newServer(t testing.TB, handler http.Handler) (url string) {
	t.Helper()
	srv := httptest.NewServer(http.StripPrefix("/sub/path", handler))
	t.Cleanup(srv.Close)
	return srv.URL + "/sub/path"
}

// newClient is a client of newServer. Its retries do not wait.
func newClient(t testing.TB, handler http.Handler, opts ...authentik.ClientOption) *authentik.Client {
	t.Helper()
	return newClientOf(t, newServer(t, handler), opts...)
}

func newClientOf(t testing.TB, url string, opts ...authentik.ClientOption) *authentik.Client {
	t.Helper()
	noWaits := authentik.WithRetry(authentik.RetryPolicy{BaseDelay: -1, MaxRetryAfter: -1, StartupWait: -1})
	ak, err := authentik.NewClient(url, canary, append([]authentik.ClientOption{noWaits}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(ak.Close)
	return ak
}

// roundTripper is a transport without a socket, for use with synctest.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// socketless is a client whose requests go to f.
func socketless(t testing.TB, f roundTripper, opts ...authentik.ClientOption) *authentik.Client {
	t.Helper()
	opts = append([]authentik.ClientOption{authentik.WithHTTPClient(&http.Client{Transport: f})}, opts...)
	ak, err := authentik.NewClient("https://sso.example.com", canary, opts...)
	require.NoError(t, err)
	return ak
}

// recordings are the exchanges with real servers, by version.
func recordings(t testing.TB) map[string][]recorded.Exchange {
	t.Helper()
	all, err := recorded.Versions(os.DirFS("testdata"), "recordings")
	require.NoError(t, err)
	require.NotEmpty(t, all)
	return all
}

// recording is one of them.
func recording(t testing.TB, version, id string) recorded.Exchange {
	t.Helper()
	for _, e := range recordings(t)[version] {
		if e.ID == id {
			return e
		}
	}
	require.FailNow(t, "no such recording", "%s of %s", id, version)
	return recorded.Exchange{}
}
