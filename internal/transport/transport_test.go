package transport_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go/internal/transport"
)

const (
	typeJSON = "application/json"
	htmlType = "text/html; charset=utf-8"
	backend  = "failed to connect to authentik backend: "
)

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// newTransport returns a Transport without waits over base.
func newTransport(t *testing.T, base http.RoundTripper, configure ...func(*transport.Config)) *transport.Transport {
	t.Helper()
	cfg := transport.Config{
		Base: base, Header: http.Header{}, Policy: transport.Policy{BaseDelay: -1},
		Timeout: time.Minute, MaxBody: 1 << 20,
	}
	for _, f := range configure {
		f(&cfg)
	}
	tr, err := transport.New(cfg)
	require.NoError(t, err)
	return tr
}

// request returns a request whose 2xx responses must say ok.
func request(method, rawURL string, repeatable bool) transport.Request {
	u, err := url.Parse(rawURL)
	if err != nil {
		panic(err)
	}
	r := transport.Request{
		Op:         "Op",
		Method:     method,
		URL:        *u,
		Repeatable: repeatable,
		Decode: func(a *transport.Response) error {
			switch body, whole := string(a.Body), `"ok"`; {
			case body == whole:
				return nil
			case strings.HasPrefix(whole, body):
				return fmt.Errorf("truncated: %w", io.ErrUnexpectedEOF)
			default:
				return errors.New("not ok")
			}
		},
	}
	if method != http.MethodGet {
		r.Body, r.ContentType = []byte(`{"name":"a"}`), typeJSON
	}
	return r
}

func response(status int, contentType, body string, header ...string) *http.Response {
	resp := &http.Response{
		StatusCode:    status,
		Header:        http.Header{},
		ContentLength: int64(len(body)),
		Body:          io.NopCloser(strings.NewReader(body)),
	}
	if contentType != "" {
		resp.Header.Set("Content-Type", contentType)
	}
	for i := 0; i < len(header); i += 2 {
		resp.Header.Add(header[i], header[i+1])
	}
	return resp
}

// failure is the outcome of every attempt of a call, and the expected result.
type failure struct {
	status            int
	contentType, body string
	cut               bool // the body ends early
	err               error
	hangs             bool

	read    int  // attempts of a GET; -1 if it is polled
	write   int  // attempts of a write that must not be repeated
	perhaps bool // the outcome of a write is unknown
}

func dialError(err error) error { return &net.OpError{Op: "dial", Net: "tcp", Err: err} }

var failures = map[string]failure{
	// Nothing was executed: any method is sent again.
	"connection refused": {
		err:   dialError(os.NewSyscallError("connect", syscall.ECONNREFUSED)),
		read:  4,
		write: 4,
	},
	"no connection to the proxy": {
		err:   &net.OpError{Op: "proxyconnect", Net: "tcp", Err: syscall.ECONNREFUSED},
		read:  4,
		write: 4,
	},
	"no connection to the SOCKS proxy": {
		err:   &net.OpError{Op: "socks connect", Net: "tcp", Err: io.EOF},
		read:  4,
		write: 4,
	},
	"not allowed by the SOCKS proxy": {
		err:   &net.OpError{Op: "socks connect", Net: "tcp", Err: errors.New("connection not allowed by ruleset")},
		read:  1,
		write: 1,
	},
	"no address of this family": {
		err:   dialError(os.NewSyscallError("connect", syscall.EAFNOSUPPORT)), // "not supported", as SOCKS says
		read:  4,
		write: 4,
	},
	"DNS is slow":                    {err: dialError(&net.DNSError{IsTimeout: true}), read: 4, write: 4},
	"no such host, without a dialer": {err: &net.DNSError{IsNotFound: true}, read: 1, write: 1},
	"no such host":                   {err: dialError(&net.DNSError{IsNotFound: true}), read: 1, write: 1},
	"unknown certificate": {
		err:   &tls.CertificateVerificationError{Err: errors.New("unknown authority")},
		read:  1,
		write: 1,
	},
	"plain HTTP":        {err: http.ErrSchemeMismatch, read: 1, write: 1},
	"no TLS":            {err: tls.RecordHeaderError{Msg: "no TLS"}, read: 1, write: 1},
	"429":               {status: 429, body: "{}", read: 4, write: 4},
	"starting, 2021.12": {status: 502, body: "authentik starting...", read: -1, write: -1},
	"starting, 2023.10": {
		status: 502,
		body:   `{"error":"` + backend + `authentik starting"}`,
		read:   -1,
		write:  -1,
	},
	"starting, 2025.10.0": {status: 200, body: `{"error":"authentik starting"}`, read: -1, write: -1},
	"starting, 2026.8":    {status: 503, body: `{"error":"authentik starting"}`, read: -1, write: -1},
	"router cannot dial a socket": {
		status: 502,
		body:   `{"error":"` + backend + `dial unix /dev/shm/authentik-core.sock: connect: no such file or directory"}`,
		read:   -1,
		write:  -1,
	},
	"router is refused": {
		status: 502,
		body:   backend + "dial tcp [::1]:8000: connect: connection refused",
		read:   -1,
		write:  -1,
	},
	"router is refused, briefly": {status: 502, body: backend + "connection refused", read: -1, write: -1},
	"body above 32 MiB": {
		status: 502,
		body:   `{"error":"` + backend + `http: request body too large"}`,
		read:   1,
		write:  1,
	},
	"method not allowed": {
		status:      405,
		contentType: typeJSON,
		body:        `{"detail":"Method \"POST\" not allowed."}`,
		read:        1,
		write:       1,
	},
	"405 of a proxy":      {status: 405, read: 1, write: 1},
	"405 page of a proxy": {status: 405, contentType: "text/html", body: "<h1>405</h1>", read: 1, write: 1},
	"400":                 {status: 400, body: "{}", read: 1, write: 1},
	"404":                 {status: 404, body: `{"detail":"Not found."}`, read: 1, write: 1},
	"404 of a proxy":      {status: 404, body: "404 page not found", read: 4, write: 4},
	"302":                 {status: 302, read: 1, write: 1},
	"501":                 {status: 501, read: 1, write: 1},
	"505":                 {status: 505, read: 1, write: 1},
	"511":                 {status: 511, read: 1, write: 1},

	// The server may have executed it: only repeatable requests are sent again.
	"reset": {
		err:     &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET},
		read:    4,
		write:   1,
		perhaps: true,
	},
	"broken pipe": {
		err:     &net.OpError{Op: "write", Net: "tcp", Err: syscall.EPIPE},
		read:    4,
		write:   1,
		perhaps: true,
	},
	"EOF":                {err: io.EOF, read: 4, write: 1, perhaps: true},
	"unknown error":      {err: errors.New("http2: stream closed"), read: 4, write: 1, perhaps: true},
	"malformed response": {err: errors.New("malformed HTTP response"), read: 1, write: 1, perhaps: true},
	"attempt timeout":    {hangs: true, read: 2, write: 1, perhaps: true},
	"router loses its backend": {
		status:  502,
		body:    `{"error":"` + backend + `read unix @->/dev/shm/authentik-core.sock: read: connection reset by peer"}`,
		read:    -1,
		write:   1,
		perhaps: true,
	},
	"router reads an early end": {status: 502, body: backend + "EOF", read: -1, write: 1, perhaps: true},
	"truncated success":         {status: 200, body: `"o`, read: 4, write: 1, perhaps: true},
	"cut success":               {status: 201, body: `"o`, cut: true, read: 4, write: 1, perhaps: true},
	"undecodable success":       {status: 200, body: `"no"`, read: 1, write: 1, perhaps: true},
	"success above the limit":   {status: 200, body: strings.Repeat(" ", 1<<20+1), read: 1, write: 1, perhaps: true},
	"crash disguised as 405":    {status: 405, contentType: htmlType, read: 1, write: 1, perhaps: true},
	"408":                       {status: 408, read: 4, write: 1, perhaps: true},
	"500": {
		status:      500,
		contentType: htmlType,
		body:        "<h1>500</h1>",
		read:        4,
		write:       1,
		perhaps:     true,
	},
	"502 of a proxy": {
		status:      502,
		contentType: "text/html",
		body:        "<h1>502 Bad Gateway</h1>",
		read:        4,
		write:       1,
		perhaps:     true,
	},
	"503 of a proxy":             {status: 503, body: "no server is available", read: 4, write: 1, perhaps: true},
	"503 that quotes the router": {status: 503, body: "<p>authentik starting</p>", read: 4, write: 1, perhaps: true},
	"504":                        {status: 504, read: 2, write: 1, perhaps: true},
	"507":                        {status: 507, read: 1, write: 1, perhaps: true},
	"520":                        {status: 520, read: 4, write: 1, perhaps: true},
}

// roundTrip returns the outcome that f describes.
func (f failure) roundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		_, _ = io.Copy(io.Discard, req.Body)
		_ = req.Body.Close()
	}
	switch {
	case f.hangs:
		<-req.Context().Done()
		return nil, req.Context().Err()
	case f.err != nil:
		return nil, f.err
	}
	resp := response(f.status, f.contentType, f.body)
	if f.cut {
		resp.Body = io.NopCloser(io.MultiReader(strings.NewReader(f.body), cutReader{}))
	}
	return resp, nil
}

type cutReader struct{}

func (cutReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// An attempt that proves that nothing was executed is followed by another one,
// whatever the method. Any other failure ends a write that must not be
// repeated, and says that its outcome is unknown.
func TestDo_SendsAWriteTwiceOnlyIfTheFirstWasNotExecuted(t *testing.T) {
	t.Parallel()
	for name, f := range failures {
		crash := f.status == http.StatusMethodNotAllowed && f.perhaps
		for _, c := range []struct {
			method     string
			repeatable bool
			attempts   int
			perhaps    bool
		}{
			{http.MethodGet, true, f.read, false},
			{http.MethodHead, true, f.read, false},
			{http.MethodPost, false, f.write, f.perhaps},
			{http.MethodPatch, false, f.write, f.perhaps},
			{http.MethodPut, true, map[bool]int{false: f.read, true: 4}[crash], f.perhaps},
			{http.MethodDelete, true, map[bool]int{false: f.read, true: 4}[crash], f.perhaps},
		} {
			t.Run(name+"/"+c.method, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					attempts := 0
					tr := newTransport(t, roundTripper(func(req *http.Request) (*http.Response, error) {
						attempts++
						assert.Equal(t, c.method, req.Method)
						return f.roundTrip(req)
					}))
					began := time.Now()
					result := tr.Do(t.Context(), request(c.method, "https://sso.example.com", c.repeatable))
					assert.Equal(t, attempts, result.Attempts)
					if c.attempts < 0 { // it was polled
						assert.Greater(t, attempts, 25)
						assert.InDelta(t, time.Minute, time.Since(began), float64(2*time.Second))
					} else {
						assert.Equal(t, c.attempts, attempts)
					}
					assert.Equal(t, c.perhaps, result.PerhapsDone)
					if f.err != nil {
						require.ErrorIs(t, result.Err, f.err)
					} else if f.status != 0 && !f.cut {
						require.NotNil(t, result.Response)
						assert.Equal(t, f.status, result.Response.StatusCode)
						assert.Equal(t, crash && c.method != http.MethodGet && c.method != http.MethodHead, result.Response.Crashed)
					}
				})
			})
		}
	}
}

// The first attempt that may have been executed ends a write that must not be
// repeated. Of a write that is repeated, PerhapsDone remembers that attempt.
func TestDo_KeepsPerhapsDoneOfAnEarlierAttempt(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		repeatable bool
		sequence   []string
		attempts   int
		perhaps    bool
	}{
		"post": {false, []string{"connection refused", "429", "starting, 2026.8", "reset", "429"}, 4, true},
		"put":  {true, []string{"429", "reset", "400"}, 3, true},
		"gone": {true, []string{"EOF", "404"}, 2, true},
		"none": {true, []string{"429", "connection refused", "404"}, 3, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				attempts := 0
				tr := newTransport(t, roundTripper(func(req *http.Request) (*http.Response, error) {
					attempts++
					return failures[c.sequence[attempts-1]].roundTrip(req)
				}))
				result := tr.Do(t.Context(), request(http.MethodPut, "https://sso.example.com", c.repeatable))
				assert.Equal(t, c.attempts, attempts)
				assert.Equal(t, c.perhaps, result.PerhapsDone)
			})
		})
	}
}

func TestDo_TreatsTheEndOfTheContextAsUnknown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		tr := newTransport(t, roundTripper(failure{hangs: true}.roundTrip))
		result := tr.Do(ctx, request(http.MethodPost, "https://sso.example.com", false))
		require.ErrorIs(t, result.Err, context.DeadlineExceeded)
		assert.True(t, result.PerhapsDone)

		result = tr.Do(ctx, request(http.MethodPost, "https://sso.example.com", false))
		require.ErrorIs(t, result.Err, context.DeadlineExceeded)
		assert.Zero(t, result.Attempts)
		assert.False(t, result.PerhapsDone, "nothing was sent")
	})
}

// With an http.Transport, the connection proves that nothing was sent. The types of
// these errors prove nothing.
func TestDo_ProvesByTheConnectionThatNothingWasSent(t *testing.T) { //nolint:paralleltest // counts what the servers do
	var executed atomic.Int64
	count := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		executed.Add(1)
		panic(http.ErrAbortHandler)
	})
	secure := httptest.NewUnstartedServer(count)
	secure.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	secure.StartTLS()
	t.Cleanup(secure.Close)
	plain := httptest.NewServer(count)
	t.Cleanup(plain.Close)
	refusing := httptest.NewServer(
		http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }),
	)
	t.Cleanup(refusing.Close)
	proxy, err := url.Parse(refusing.URL)
	require.NoError(t, err)

	for name, c := range map[string]struct { //nolint:paralleltest // likewise
		url       string
		base      *http.Transport
		attempts  int
		perhaps   bool
		executed  int64
		timeout   time.Duration
		wantError string
	}{
		"no connection in time": {
			url: "http://sso.example.com", attempts: 2, timeout: 20 * time.Millisecond, wantError: "attempt timed out",
			base: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			}},
		},
		"an error of an unknown kind, of the dialer": {
			url: "http://sso.example.com", attempts: 4, wantError: "quota",
			base: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
				return nil, errors.New("quota")
			}},
		},
		"a proxy that refuses CONNECT": {
			url: "https://sso.example.com", attempts: 4, wantError: "Bad Gateway",
			base: &http.Transport{Proxy: http.ProxyURL(proxy)},
		},
		"a certificate that is not trusted": {
			url: secure.URL, attempts: 1, wantError: "certificate", base: &http.Transport{},
		},
		"a request that was sent": {
			url: plain.URL, attempts: 1, perhaps: true, executed: 1, wantError: "EOF", base: &http.Transport{},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Cleanup(c.base.CloseIdleConnections)
			before := executed.Load()
			tr := newTransport(t, c.base, func(cfg *transport.Config) {
				if c.timeout > 0 {
					cfg.Timeout = c.timeout
				}
			})
			result := tr.Do(t.Context(), request(http.MethodPost, c.url, false))
			require.ErrorContains(t, result.Err, c.wantError)
			assert.Equal(t, c.attempts, result.Attempts)
			assert.Equal(t, c.perhaps, result.PerhapsDone)
			assert.Equal(t, c.executed, executed.Load()-before)
		})
	}
}

// If the server has closed an idle connection, net/http sends a write on another
// one, with the same body, unless it had begun to send the write.
func TestDo_SendsTheBodyWithEveryAttempt(t *testing.T) {
	t.Parallel()
	var bodies []string
	tr := newTransport(t, roundTripper(func(req *http.Request) (*http.Response, error) {
		body, err := io.ReadAll(req.Body)
		assert.NoError(t, err)
		assert.NoError(t, req.Body.Close())
		again, err := req.GetBody()
		assert.NoError(t, err)
		copied, err := io.ReadAll(again)
		assert.NoError(t, err)
		assert.Equal(t, body, copied)
		assert.Equal(t, int64(len(body)), req.ContentLength)
		assert.Equal(t, []string{typeJSON}, req.Header["Content-Type"])
		if bodies = append(bodies, string(body)); len(bodies) < 3 {
			return response(http.StatusTooManyRequests, "", ""), nil
		}
		return response(http.StatusOK, typeJSON, `"ok"`), nil
	}))
	result := tr.Do(t.Context(), request(http.MethodPost, "https://sso.example.com", false))
	require.NoError(t, result.Err)
	assert.Equal(t, []string{`{"name":"a"}`, `{"name":"a"}`, `{"name":"a"}`}, bodies)
	assert.False(t, result.PerhapsDone)
}

func TestDo_NeverLogsABody(t *testing.T) {
	t.Parallel()
	for name, f := range failures {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				tr := newTransport(t, roundTripper(f.roundTrip), func(cfg *transport.Config) {
					cfg.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
				})
				r := request(http.MethodPost, "https://sso.example.com", true)
				r.Body = []byte(`{"password":"correct horse"}`)
				tr.Do(t.Context(), r)
				assert.Contains(t, log.String(), "method=POST")
				assert.NotContains(t, log.String(), "horse")
			})
		})
	}
}
