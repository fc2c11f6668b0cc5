package transport_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/hashicorp/go-retryablehttp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/internal/testkit"
)

// What go-retryablehttp does by itself, and what this library does with it. A
// test that fails on the left side after an update of it says that something
// of internal/transport may not be needed any more.
func TestRetryableHTTP_Defaults(t *testing.T) {
	t.Parallel()
	type behaviour struct {
		requests int
		took     time.Duration
	}
	day := 24 * time.Hour
	missing := &net.OpError{Op: "dial", Err: &net.DNSError{Name: "sso.example.com", IsNotFound: true}}
	for name, c := range map[string]struct {
		steps         steps
		deadline      time.Duration
		plain, ours   behaviour
		plainSucceeds bool
	}{
		"503 for ever": {
			steps{testkit.RespondStatus(503)}, 0, behaviour{5, 15 * time.Second}, behaviour{4, 0}, false,
		},
		"a Retry-After of a day": {
			steps{testkit.RespondStatus(503, "86400"), success}, 0, behaviour{2, day}, behaviour{1, 0}, true,
		},
		"a Retry-After that overflows": {
			steps{testkit.RespondStatus(503, "9223372037"), success}, 0, behaviour{2, 0}, behaviour{1, 0}, true,
		},
		"a date for Retry-After": {
			steps{testkit.RespondStatus(503, "Sunday, 06-Nov-94 08:49:37 GMT"), success},
			0,
			behaviour{2, time.Second},
			behaviour{2, 0},
			true,
		},
		"a deadline before the wait": {
			steps{testkit.RespondStatus(503, "10")}, time.Second, behaviour{1, time.Second}, behaviour{1, 0}, false,
		},
		"408": {
			steps{testkit.RespondStatus(408), success}, 0, behaviour{1, 0}, behaviour{2, 0}, true,
		},
		"505": {
			steps{testkit.RespondStatus(505)}, 0, behaviour{5, 15 * time.Second}, behaviour{1, 0}, false,
		},
		"no such host": {
			steps{testkit.Fail(missing)}, 0, behaviour{5, 15 * time.Second}, behaviour{1, 0}, false,
		},
		"a body that is cut": {
			steps{testkit.Respond(testkit.Reply(200, testkit.JSON, "{")), success}, 0, behaviour{1, 0}, behaviour{2, 0}, true,
		},
		"canceled by the transport": {
			steps{testkit.Fail(context.Canceled)}, 0, behaviour{5, 15 * time.Second}, behaviour{1, 0}, false,
		},
	} {
		testkit.RunInBubble(t, name, func(t *testing.T) {
			ctx := t.Context()
			if c.deadline > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, c.deadline)
				defer cancel()
			}
			server := testkit.NewSequence(c.steps...)
			ours := server.Client(t, authentik.WithRetry(policy{BaseDelay: -1})).List(ctx, t)
			got := behaviour{server.Requests(), ours.Took}
			assert.Equal(t, c.ours, got, "this library")

			server = testkit.NewSequence(c.steps...)
			client := retryablehttp.NewClient()
			client.Logger = nil
			client.HTTPClient = &http.Client{Transport: testkit.RoundTripFunc(server.RoundTrip)}
			req, err := retryablehttp.NewRequestWithContext(ctx, http.MethodGet, "https://sso.example.com", nil)
			require.NoError(t, err)
			began := time.Now()
			resp, err := client.Do(req)
			got = behaviour{server.Requests(), time.Since(began)}
			assert.Equal(t, c.plain, got, "go-retryablehttp")
			if c.plainSucceeds {
				require.NoError(t, err)
				require.NoError(t, resp.Body.Close())
				return
			}
			require.Error(t, err)
			assert.Nil(t, resp)
		})
	}

	testkit.RunInBubble(t, "the last answer is lost, and all connections with it", func(t *testing.T) {
		pool := &testkit.Pool{RoundTripper: testkit.RoundTripFunc(testkit.NewSequence(testkit.RespondStatus(503)).RoundTrip)}
		client := retryablehttp.NewClient()
		client.Logger = nil
		client.HTTPClient = &http.Client{Transport: pool}
		resp, err := client.Get("https://sso.example.com") //nolint:bodyclose // there is none
		assert.Nil(t, resp)
		require.EqualError(t, err, "GET https://sso.example.com giving up after 5 attempt(s)")
		assert.NoError(t, errors.Unwrap(err))
		assert.Equal(t, 1, pool.Closed)
	})
	testkit.RunInBubble(t, "with a response handler CheckRetry is called twice an attempt", func(t *testing.T) {
		checks, handled := 0, 0
		client := retryablehttp.NewClient()
		client.Logger = nil
		client.HTTPClient = &http.Client{
			Transport: testkit.RoundTripFunc(testkit.NewSequence(testkit.RespondStatus(503), success).RoundTrip),
		}
		client.CheckRetry = func(ctx context.Context, resp *http.Response, err error) (bool, error) {
			checks++
			return retryablehttp.DefaultRetryPolicy(ctx, resp, err)
		}
		req, err := retryablehttp.NewRequestWithContext(t.Context(), http.MethodGet, "https://sso.example.com", nil)
		require.NoError(t, err)
		req.SetResponseHandler(func(resp *http.Response) error {
			handled++
			_, err := io.Copy(io.Discard, resp.Body)
			return err
		})
		resp, err := client.Do(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		assert.Equal(t, 1+2, checks, "once for the 503, which no handler sees, and twice for the 200")
		assert.Equal(t, 1, handled)
	})
}
