package faults_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/internal/testkit"
)

// retried is a fault that is worth another attempt: twice it is got over, for
// ever it is an error that tells.
func retried(faulty testkit.Turn, text string, is ...error) func(*testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		for _, times := range []int{2, 4} {
			server := testkit.NewConnServer(
				append(slices.Repeat([]testkit.Turn{faulty}, times), testkit.Send(testkit.TwoFlowsRaw))...)
			addr := server.Listen(t)
			testkit.AssertNoGoroutines(t, func() {
				ak := testkit.NewCheckedClient(t, "http://"+addr, testkit.NoWait)
				defer ak.Close()
				got := ak.List(t.Context(), t)
				if times == 2 {
					require.NoError(t, got.Err)
					assert.Len(t, got.Page.Results, 2)
					assert.Equal(t, 3, got.Response.Attempts)
					assert.EqualValues(t, 3, server.Requests.Load())
					return
				}
				for _, target := range is {
					require.ErrorIs(t, got.Err, target)
				}
				testkit.AssertListError(t, got.Err, text)
				assert.Equal(t, 4, got.Response.Attempts)
				assert.EqualValues(t, 4, server.Requests.Load())
			})
			testkit.AssertConnsClosed(t, server)
		}
	}
}

// permanent is a fault that is as good as certain to come again.
func permanent(faulty testkit.Turn, text string) func(*testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		server := testkit.NewConnServer(faulty)
		addr := server.Listen(t)
		testkit.AssertNoGoroutines(t, func() {
			ak := testkit.NewCheckedClient(t, "http://"+addr)
			defer ak.Close()
			got := ak.List(t.Context(), t)
			testkit.RequireType[*authentik.RequestError](t, got.Err)
			testkit.AssertListError(t, got.Err, text)
			assert.EqualValues(t, 1, server.Requests.Load())
		})
		testkit.AssertConnsClosed(t, server)
	}
}

// failsAfter asserts what comes of requests that never reach a server, or of which
// a server keeps no count.
func failsAfter(t testing.TB, ak *testkit.CheckedClient, attempts int, text string) error {
	t.Helper()
	got := ak.List(t.Context(), t)
	request := testkit.RequireType[*authentik.RequestError](t.(*testing.T), got.Err)
	assert.Equal(t, attempts, request.Attempts)
	assert.Equal(t, attempts, got.Response.Attempts)
	testkit.AssertListError(t, got.Err, text)
	return got.Err
}

// dials is a client whose connections end before they begin.
func dials(err error) authentik.ClientOption {
	return authentik.WithHTTPClient(&http.Client{Transport: &http.Transport{
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: err}
		},
	}})
}

// slow is a server that is too slow for an attempt, all four times.
func slow(text string, status int, turns ...testkit.Turn) func(*testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			server := testkit.NewConnServer(turns...)
			ak := testkit.NewCheckedClient(t, "http://127.0.0.1", authentik.WithHTTPClient(server.Pipe(t)), testkit.NoWait)
			got := ak.List(context.Background(), t)
			require.ErrorIs(t, got.Err, authentik.ErrAttemptTimeout)
			require.NotErrorIs(t, got.Err, context.DeadlineExceeded)
			testkit.AssertListError(t, got.Err, text)
			assert.Equal(t, 2*time.Minute, got.Took)
			assert.EqualValues(t, 2, server.Requests.Load())
			assert.Equal(t, status, got.Response.StatusCode)
		})
	}
}

// untrusted is a certificate that does not verify.
func untrusted(text string, configure func(*tls.Config), opts ...authentik.ClientOption) func(*testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		answered := &testkit.Stub{Body: testkit.TwoFlowsBody}
		server := testkit.NewTLSServer(t, answered, func(*httptest.Server) {})
		testkit.AssertNoGoroutines(t, func() {
			if configure != nil {
				opts = append(opts, authentik.WithHTTPClient(testkit.NewTLSClient(server, configure)))
			}
			err := failsAfter(t, testkit.NewCheckedClient(t, server.URL, opts...), 1, text)
			var verification *tls.CertificateVerificationError
			require.ErrorAs(t, err, &verification)
			assert.Zero(t, answered.Requests.Load())
		})
	}
}

var transportFaults = map[string]func(*testing.T){
	"T1": retried(
		testkit.SendAndReset(""),
		"read tcp 127.0.0.1:0->127.0.0.1:0: read: connection reset by peer (4 attempts)",
		syscall.ECONNRESET,
	),
	"T2": retried(testkit.SendAndClose(""), "127.0.0.1:0: EOF (4 attempts)", io.EOF),
	"T3": retried(
		testkit.SendAndClose(testkit.TwoFlowsRaw[:len(testkit.TwoFlowsRaw)-20]),
		"127.0.0.1:0: unexpected EOF (4 attempts)",
		io.ErrUnexpectedEOF,
	),
	"T4": retried(
		testkit.SendAndReset(testkit.TwoFlowsRaw[:len(testkit.TwoFlowsRaw)-20]),
		"read tcp 127.0.0.1:0->127.0.0.1:0: read: connection reset by peer (4 attempts)",
		syscall.ECONNRESET,
	),
	"T5": func(t *testing.T) {
		t.Parallel()
		chunk := fmt.Sprintf(
			"%sTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n",
			testkit.JSONHead,
			len(testkit.TwoFlowsBody),
			testkit.TwoFlowsBody,
		)
		t.Run("no last chunk", retried(testkit.SendAndClose(chunk), "127.0.0.1:0: unexpected EOF (4 attempts)", io.ErrUnexpectedEOF))
		t.Run(
			"a chunk of no size",
			retried(testkit.SendAndClose(chunk+"size\r\n"), "127.0.0.1:0: invalid byte in chunk length (4 attempts)"),
		)
	},
	// HTTP does not tell these two; JSON does.
	"T6": func(t *testing.T) {
		t.Parallel()
		const text = "invalid response (200 OK, application/json): results[1].export_url: unexpected EOF (4 attempts)"
		t.Run(
			"bytes",
			retried(
				testkit.SendAndClose(
					testkit.JSONHead+"Connection: close\r\n\r\n"+testkit.TwoFlowsBody[:len(testkit.TwoFlowsBody)-3],
				),
				text,
				io.ErrUnexpectedEOF,
			),
		)
		t.Run("everywhere", cutBodyIsRetried)
	},
	"T7": retried(
		testkit.SendAndClose(
			fmt.Sprintf("%sConnection: close\r\nContent-Length: %d\r\n\r\n%s", testkit.JSONHead, 20, testkit.TwoFlowsBody),
		),
		"invalid response (200 OK, application/json): pagination: unexpected EOF (4 attempts)",
		io.ErrUnexpectedEOF,
	),
	"T8": func(t *testing.T) {
		t.Parallel()
		for when, cut := range map[string]func(http.ResponseWriter){
			"before headers": func(http.ResponseWriter) {},
			"mid-body": func(w http.ResponseWriter) {
				w.Header().Set("Content-Type", testkit.JSON)
				_, _ = io.WriteString(w, testkit.TwoFlowsBody[:20])
				w.(http.Flusher).Flush()
			},
		} {
			for _, times := range []int32{2, 4} {
				t.Run(fmt.Sprint(when, times), func(t *testing.T) {
					t.Parallel()
					answers := &testkit.Stub{Body: testkit.TwoFlowsBody}
					var requests atomic.Int32
					server := testkit.NewTLSServer(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
						assert.Equal(t, 2, req.ProtoMajor)
						if requests.Add(1) <= times {
							cut(w)
							panic(http.ErrAbortHandler)
						}
						answers.ServeHTTP(w, req)
					}), func(s *httptest.Server) { s.EnableHTTP2 = true })
					testkit.AssertNoGoroutines(t, func() {
						client := testkit.NewTLSClient(server, func(*tls.Config) {})
						defer client.CloseIdleConnections()
						ak := testkit.NewCheckedClient(t, server.URL, authentik.WithHTTPClient(client), testkit.NoWait)
						if times == 4 {
							failsAfter(t, ak, 4, "127.0.0.1:0: stream error: stream ID 7; INTERNAL_ERROR; received from peer (4 attempts)")
						} else {
							got := ak.List(t.Context(), t)
							require.NoError(t, got.Err)
							assert.Equal(t, 3, got.Response.Attempts)
						}
						assert.Equal(t, min(times+1, 4), requests.Load())
					})
				})
			}
		}
	},
	"T9": func(t *testing.T) {
		t.Parallel()
		server := testkit.NewConnServer(
			testkit.Send(testkit.TwoFlowsRaw),
			testkit.SendAndClose(""),
			testkit.Send(testkit.TwoFlowsRaw),
		)
		addr := server.Listen(t)
		testkit.AssertNoGoroutines(t, func() {
			ak := testkit.NewCheckedClient(t, "http://"+addr)
			defer ak.Close()
			for range 2 {
				got := ak.List(t.Context(), t)
				require.NoError(t, got.Err)
				assert.Equal(t, 1, got.Response.Attempts)
			}
		})
		testkit.AssertConnsClosed(t, server)
	},
	"T10": func(t *testing.T) {
		t.Parallel()
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		require.NoError(t, listener.Close())
		err = failsAfter(
			t,
			testkit.NewCheckedClient(
				t,
				"http://"+listener.Addr().String(),
				authentik.WithRetry(authentik.RetryPolicy{BaseDelay: -1}),
			),
			4,
			"dial tcp 127.0.0.1:0: connect: connection refused (4 attempts)",
		)
		require.ErrorIs(t, err, syscall.ECONNREFUSED)
	},
	"T11": func(t *testing.T) {
		t.Parallel()
		missing := &net.DNSError{Err: "no such host", Name: "sso.example.com", IsNotFound: true}
		err := failsAfter(
			t,
			testkit.NewCheckedClient(t, "https://sso.example.com", dials(missing)),
			1,
			"dial tcp: lookup sso.example.com: no such host (1 attempt)",
		)
		require.ErrorIs(t, err, missing)
	},
	"T12": func(t *testing.T) {
		t.Parallel()
		for _, failing := range []*net.DNSError{
			{
				Err: "i/o timeout", Name: "sso.example.com", IsTimeout: true,
			}, {
				Err: "i/o timeout", Name: "sso.example.com",
				IsTemporary: true,
			},
		} {
			failsAfter(
				t,
				testkit.NewCheckedClient(t, "https://sso.example.com", dials(failing), testkit.NoWait),
				4,
				"dial tcp: lookup sso.example.com: i/o timeout (4 attempts)",
			)
		}
	},
	"T13": slow(
		"127.0.0.1: attempt timed out after 1m0s (2 attempts)",
		0,
		testkit.SendSlowly("HTTP/1.1 200 OK\r\n", "X-A: b\r\n", 50*time.Millisecond),
	),
	"T14": slow(
		"127.0.0.1: attempt timed out after 1m0s (2 attempts)",
		0,
		testkit.SendSlowly(testkit.JSONHead+"\r\n", " ", 50*time.Millisecond),
	),
	"T15": slow(
		"127.0.0.1: attempt timed out after 1m0s; before that 503 Service Unavailable (2 attempts)",
		503,
		testkit.SendSlowly(
			"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n\r\n",
			" ",
			50*time.Millisecond,
		),
	),
	"T16": slow("127.0.0.1: attempt timed out after 1m0s (2 attempts)", 0, func(conn net.Conn) bool {
		_, _ = io.Copy(io.Discard, conn)
		return false
	}),
	"T17": func(t *testing.T) {
		t.Parallel()
		t.Run(
			"unknown CA",
			untrusted("127.0.0.1:0: tls: failed to verify certificate: x509: certificate signed by unknown authority; use WithHTTPClient with the CA in RootCAs (1 attempt)", nil),
		)
		t.Run(
			"unknown CA, told by a middleware",
			untrusted(
				"127.0.0.1:0: of the middleware: tls: failed to verify certificate: x509: certificate signed by unknown authority; use WithHTTPClient with the CA in RootCAs (1 attempt)",
				nil,
				authentik.WithMiddleware(func(next http.RoundTripper) http.RoundTripper {
					return testkit.RoundTripFunc(func(req *http.Request) (*http.Response, error) {
						resp, err := next.RoundTrip(req)
						return resp, fmt.Errorf("of the middleware: %w", err)
					})
				}),
			),
		)
		t.Run(
			"wrong host",
			untrusted(
				"127.0.0.1:0: tls: failed to verify certificate: x509: certificate is valid for others, not sso.example.org (1 attempt)",
				func(c *tls.Config) { c.ServerName = "sso.example.org" },
			),
		)
		t.Run(
			"expired",
			untrusted(
				"127.0.0.1:0: tls: failed to verify certificate: x509: certificate has expired or is not yet valid: current time 2999-01-01T00:00:00Z is after that (1 attempt)",
				func(c *tls.Config) { c.Time = func() time.Time { return time.Date(2999, 1, 1, 0, 0, 0, 0, time.UTC) } },
			),
		)
	},
	"T18": func(t *testing.T) {
		t.Parallel()
		for name, c := range map[string]struct {
			text      string
			configure func(*tls.Config)
		}{
			"certificate required": {
				"127.0.0.1:0: remote error: tls: handshake failure (1 attempt)",
				func(c *tls.Config) { c.ClientAuth, c.MaxVersion = tls.RequireAnyClientCert, tls.VersionTLS12 },
			},
			"TLS 1.1": {
				"127.0.0.1:0: remote error: tls: protocol version not supported (1 attempt)",
				func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 },
			},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				server := testkit.NewTLSServer(t, &testkit.Stub{}, func(s *httptest.Server) { c.configure(s.TLS) })
				testkit.AssertNoGoroutines(t, func() {
					client := testkit.NewTLSClient(server, func(*tls.Config) {})
					defer client.CloseIdleConnections()
					failsAfter(t, testkit.NewCheckedClient(t, server.URL, authentik.WithHTTPClient(client)), 1, c.text)
				})
			})
		}
	},
	"T19": func(t *testing.T) {
		t.Parallel()
		answered := &testkit.Stub{Body: testkit.TwoFlowsBody}
		server := httptest.NewServer(answered)
		t.Cleanup(server.Close)
		testkit.AssertNoGoroutines(t, func() {
			err := failsAfter(
				t,
				testkit.NewCheckedClient(t, strings.Replace(server.URL, "http:", "https:", 1)),
				1,
				"127.0.0.1:0: http: server gave HTTP response to HTTPS client (1 attempt)",
			)
			require.ErrorIs(t, err, http.ErrSchemeMismatch)
			assert.Zero(t, answered.Requests.Load())
		})
	},
	"T20": func(t *testing.T) {
		t.Parallel()
		answered := &testkit.Stub{Body: testkit.TwoFlowsBody}
		server := testkit.NewTLSServer(t, answered, func(*httptest.Server) {})
		testkit.AssertNoGoroutines(t, func() {
			ak := testkit.NewCheckedClient(t, strings.Replace(server.URL, "https:", "http:", 1))
			defer ak.Close()
			got := ak.List(t.Context(), t)
			testkit.RequireType[*authentik.ValidationError](t, got.Err)
			testkit.AssertListError(t, got.Err, "400 Bad Request: Client sent an HTTP request to an HTTPS server. (sent by something in front of authentik, 1 attempt)")
			assert.Zero(t, answered.Requests.Load())
		})
	},
	"T21": func(t *testing.T) {
		t.Parallel()
		t.Run(
			"SSH",
			permanent(
				testkit.SendAndClose("SSH-2.0-OpenSSH_9.6\r\n"),
				`127.0.0.1:0: net/http: HTTP/1.x transport connection broken: malformed HTTP response "SSH-2.0-OpenSSH_9.6" (1 attempt)`,
			),
		)
		testkit.RunInBubble(t, "SSH, where TLS is expected", func(t *testing.T) {
			client := &http.Client{
				Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
					theirs, ours := net.Pipe()
					go func() { _, _ = io.Copy(io.Discard, ours) }()
					go func() { _, _ = io.WriteString(ours, "SSH-2.0-OpenSSH_9.6\r\n") }()
					return theirs, nil
				}},
			}
			err := failsAfter(
				t,
				testkit.NewCheckedClient(t, "https://sso.example.com", authentik.WithHTTPClient(client)),
				1,
				"sso.example.com: tls: first record does not look like a TLS handshake (1 attempt)",
			)
			var record tls.RecordHeaderError
			require.ErrorAs(t, err, &record)
		})
		t.Run(
			"two lengths",
			permanent(
				testkit.SendAndClose("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}"),
				`127.0.0.1:0: net/http: HTTP/1.x transport connection broken: http: message cannot contain multiple Content-Length headers; got ["2" "3"] (1 attempt)`,
			),
		)
	},
	"T22": permanent(
		testkit.SendAndClose("HTTP/1.1 200 OK\r\nX-Large: "+strings.Repeat("x", 2<<20)+"\r\n\r\n{}"),
		"127.0.0.1:0: net/http: HTTP/1.x transport connection broken: net/http: server response headers exceeded 1048576 bytes; aborted (1 attempt)",
	),
	"T23": func(t *testing.T) {
		t.Parallel()
		var asked atomic.Int32
		proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			asked.Add(1)
			assert.Equal(t, http.MethodConnect, req.Method)
			assert.Empty(t, req.Header.Get("Authorization"))
			w.WriteHeader(http.StatusProxyAuthRequired)
		}))
		t.Cleanup(proxy.Close)
		through, err := url.Parse(proxy.URL)
		require.NoError(t, err)
		testkit.AssertNoGoroutines(t, func() {
			client := &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(through)}}
			failsAfter(
				t,
				testkit.NewCheckedClient(t, "https://sso.example.com", authentik.WithHTTPClient(client)),
				1,
				"sso.example.com: proxy 127.0.0.1:0 refused CONNECT: 407 Proxy Authentication Required (1 attempt)",
			)
			assert.EqualValues(t, 1, asked.Load())
		})
	},
	"T24": func(t *testing.T) {
		t.Parallel()
		server := testkit.NewConnServer(
			testkit.Send(strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n", 50) + testkit.TwoFlowsRaw),
		)
		addr := server.Listen(t)
		testkit.AssertNoGoroutines(t, func() {
			ak := testkit.NewCheckedClient(t, "http://"+addr)
			defer ak.Close()
			got := ak.List(t.Context(), t)
			require.NoError(t, got.Err)
			assert.Equal(t, 1, got.Response.Attempts)
		})
		testkit.AssertConnsClosed(t, server)
	},
}
