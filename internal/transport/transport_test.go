package transport_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go/internal/transport"
)

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// The client sends GET only, so far: what is so of other methods cannot be
// seen from there.
func TestTransport_RetriesReadsOnly(t *testing.T) {
	t.Parallel()
	dial := func(err error) error { return &net.OpError{Op: "dial", Net: "tcp", Err: err} }
	for name, c := range map[string]struct {
		status      int
		err         error
		read, write int // attempts
	}{
		"an answer that may pass":        {http.StatusServiceUnavailable, nil, 4, 1},
		"a reset":                        {0, &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}, 4, 1},
		"an unexpected end":              {0, io.ErrUnexpectedEOF, 4, 1},
		"no connection, so nothing sent": {0, dial(syscall.ECONNREFUSED), 4, 4},
		"no connection to the proxy":     {0, &net.OpError{Op: "proxyconnect", Net: "tcp", Err: syscall.ECONNREFUSED}, 4, 4},
		"no such host":                   {0, dial(&net.DNSError{IsNotFound: true}), 1, 1},
	} {
		for method, want := range map[string]int{
			http.MethodGet: c.read, http.MethodHead: c.read,
			http.MethodPost: c.write, http.MethodPut: c.write, http.MethodPatch: c.write, http.MethodDelete: c.write,
		} {
			t.Run(name+"/"+method, func(t *testing.T) {
				t.Parallel()
				attempts := 0
				tr, err := transport.New(transport.Config{
					Base: roundTripper(func(req *http.Request) (*http.Response, error) {
						attempts++
						assert.Equal(t, method, req.Method)
						if c.err != nil {
							return nil, c.err
						}
						return &http.Response{StatusCode: c.status}, nil
					}),
					Header:     http.Header{},
					Token:      func(context.Context) (string, error) { return "token", nil },
					CheckToken: func(string) error { return nil },
					Policy:     transport.Policy{BaseDelay: -1},
					Timeout:    1 << 40,
					MaxBody:    1 << 20,
				})
				require.NoError(t, err)
				result := tr.Do(t.Context(), transport.Request{
					Op: "Op", Method: method, Repeatable: method == http.MethodGet || method == http.MethodHead, URL: url.URL{Scheme: "https", Host: "sso.example.com"},
					Decode: func(*transport.Answer) error { return errors.New("no answer is good") },
				})
				assert.Equal(t, want, attempts)
				assert.Equal(t, want, result.Attempts)
				require.ErrorIs(t, result.Err, c.err)
			})
		}
	}
}
