package authentik_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
)

// turn is what a peer does with a request; the connection ends if it returns
// false.
type turn func(net.Conn) bool

// peer is a server byte by byte: a turn a request, the last one for ever.
type peer struct {
	turns    []turn
	requests atomic.Int32
	open     atomic.Int32 // connections
	opened   atomic.Int32
	serving  sync.WaitGroup
}

func newPeer(turns ...turn) *peer { return &peer{turns: turns} }

func (p *peer) serve(conn net.Conn) {
	p.opened.Add(1)
	p.open.Add(1)
	p.serving.Go(func() {
		defer p.open.Add(-1)
		defer func() { _ = conn.Close() }()
		in := bufio.NewReader(conn)
		for {
			req, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, req.Body)
			n := int(p.requests.Add(1))
			if !p.turns[min(n, len(p.turns))-1](conn) {
				return
			}
		}
	})
}

// listen serves on loopback.
func (p *peer) listen(t testing.TB) (addr string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() {
		_ = listener.Close()
		p.serving.Wait()
	})
	p.serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			p.serve(conn)
		}
	})
	return listener.Addr().String()
}

// pipe serves without a socket, so that it can be in a bubble.
func (p *peer) pipe(t testing.TB) *http.Client {
	t.Helper()
	transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		theirs, ours := net.Pipe()
		p.serve(ours)
		return theirs, nil
	}}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		p.serving.Wait()
	})
	return &http.Client{Transport: transport}
}

func sends(bytes string) turn {
	return func(conn net.Conn) bool {
		_, err := io.WriteString(conn, bytes)
		return err == nil
	}
}

func sendsAndCloses(bytes string) turn {
	return func(conn net.Conn) bool {
		_, _ = io.WriteString(conn, bytes)
		return false
	}
}

func sendsAndResets(bytes string) turn {
	return func(conn net.Conn) bool {
		_, _ = io.WriteString(conn, bytes)
		_ = conn.(*net.TCPConn).SetLinger(0)
		return false
	}
}

// sendsSlowly is one byte at a time, as long as somebody listens.
func sendsSlowly(start, drip string, every time.Duration) turn {
	return func(conn net.Conn) bool {
		_, err := io.WriteString(conn, start)
		for err == nil {
			time.Sleep(every)
			_, err = io.WriteString(conn, drip)
		}
		return false
	}
}

const jsonHead = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nSet-Cookie: session=" + serverCanary + "\r\n"

// whole is listReader.good on the wire.
var whole = fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", jsonHead, len(listReader.good), listReader.good)

// tidy asserts that what f starts has ended, once it has returned.
func tidy(t *testing.T, f func()) {
	t.Helper()
	pprof.Do(t.Context(), pprof.Labels("tidy", t.Name()), func(context.Context) { f() })
	label := fmt.Appendf(nil, `"tidy":%q`, t.Name())
	var running bytes.Buffer
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); runtime.Gosched() {
		running.Reset()
		require.NoError(t, pprof.Lookup("goroutine").WriteTo(&running, 1))
		if !bytes.Contains(running.Bytes(), label) {
			return
		}
	}
	assert.Fail(t, "a goroutine is left", "%s", running.String())
}

// incidental is what is not the same in every run and with every Go release.
var incidental = []struct {
	pattern *regexp.Regexp
	instead string
}{
	{regexp.MustCompile(`127\.0\.0\.1:\d+`), "127.0.0.1:0"},
	{regexp.MustCompile(`valid for .*, not`), "valid for others, not"},
	{regexp.MustCompile(`is after \S+Z`), "is after that"},
}

// tells asserts the text of an error, but for what is incidental.
func tells(t testing.TB, err error, want string) {
	t.Helper()
	require.Error(t, err)
	text := err.Error()
	for _, i := range incidental {
		text = i.pattern.ReplaceAllString(text, i.instead)
	}
	assert.Equal(t, "authentik: FlowsInstancesList: "+want, text)
}

var noWaits = authentik.WithRetry(authentik.RetryPolicy{BaseDelay: -1, StartupWait: -1})

// retried is a fault that is worth another attempt: twice it is got over, for
// ever it is an error that tells.
func retried(faulty turn, text string, is ...error) func(*testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		for _, times := range []int{2, 4} {
			server := newPeer(append(slices.Repeat([]turn{faulty}, times), sends(whole))...)
			addr := server.listen(t)
			tidy(t, func() {
				ak := newSubject(t, "http://"+addr, noWaits)
				defer ak.Close()
				got := ak.list(t.Context(), t)
				if times == 2 {
					require.NoError(t, got.err)
					assert.Len(t, got.page.Results, 2)
					assert.Equal(t, 3, got.response.Attempts)
					assert.EqualValues(t, 3, server.requests.Load())
					return
				}
				for _, target := range is {
					require.ErrorIs(t, got.err, target)
				}
				tells(t, got.err, text)
				assert.Equal(t, 4, got.response.Attempts)
				assert.EqualValues(t, 4, server.requests.Load())
			})
			closed(t, server)
		}
	}
}

// permanent is a fault that is as good as certain to come again.
func permanent(faulty turn, text string) func(*testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		server := newPeer(faulty)
		addr := server.listen(t)
		tidy(t, func() {
			ak := newSubject(t, "http://"+addr)
			defer ak.Close()
			got := ak.list(t.Context(), t)
			exactly[*authentik.RequestError](t, got.err)
			tells(t, got.err, text)
			assert.EqualValues(t, 1, server.requests.Load())
		})
		closed(t, server)
	}
}

// closed asserts that no connection is open any more.
func closed(t testing.TB, p *peer) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); p.open.Load() > 0; runtime.Gosched() {
		require.True(t, time.Now().Before(end), "a connection is left open")
	}
}

// failsAfter asserts what comes of requests that never reach a server, or of which
// a server keeps no count.
func failsAfter(t testing.TB, ak *subject, attempts int, text string) error {
	t.Helper()
	got := ak.list(t.Context(), t)
	request := exactly[*authentik.RequestError](t.(*testing.T), got.err)
	assert.Equal(t, attempts, request.Attempts)
	assert.Equal(t, attempts, got.response.Attempts)
	tells(t, got.err, text)
	return got.err
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
func slow(text string, status int, turns ...turn) func(*testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			server := newPeer(turns...)
			ak := newSubject(t, "http://127.0.0.1", authentik.WithHTTPClient(server.pipe(t)), noWaits)
			got := ak.list(context.Background(), t)
			require.ErrorIs(t, got.err, authentik.ErrAttemptTimeout)
			require.NotErrorIs(t, got.err, context.DeadlineExceeded)
			tells(t, got.err, text)
			assert.Equal(t, 2*time.Minute, got.took)
			assert.EqualValues(t, 2, server.requests.Load())
			assert.Equal(t, status, got.response.StatusCode)
		})
	}
}

// secured is a TLS server whose handshakes, and whose complaints, are the test's.
func secured(t testing.TB, h http.Handler, configure func(*httptest.Server)) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(h)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	configure(server)
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

func trusting(server *httptest.Server, configure func(*tls.Config)) *http.Client {
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	config := &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	configure(config)
	return &http.Client{Transport: &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}}
}

// untrusted is a certificate that does not verify.
func untrusted(text string, configure func(*tls.Config), opts ...authentik.ClientOption) func(*testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		answered := &stub{body: listReader.good}
		server := secured(t, answered, func(*httptest.Server) {})
		tidy(t, func() {
			if configure != nil {
				opts = append(opts, authentik.WithHTTPClient(trusting(server, configure)))
			}
			err := failsAfter(t, newSubject(t, server.URL, opts...), 1, text)
			var verification *tls.CertificateVerificationError
			require.ErrorAs(t, err, &verification)
			assert.Zero(t, answered.requests.Load())
		})
	}
}

var transportFaults = map[string]func(*testing.T){
	"T1": retried(sendsAndResets(""), "read tcp 127.0.0.1:0->127.0.0.1:0: read: connection reset by peer (4 attempts)", syscall.ECONNRESET),
	"T2": retried(sendsAndCloses(""), "EOF (4 attempts)", io.EOF),
	"T3": retried(sendsAndCloses(whole[:len(whole)-20]), "unexpected EOF (4 attempts)", io.ErrUnexpectedEOF),
	"T4": retried(sendsAndResets(whole[:len(whole)-20]), "read tcp 127.0.0.1:0->127.0.0.1:0: read: connection reset by peer (4 attempts)", syscall.ECONNRESET),
	"T5": func(t *testing.T) {
		t.Parallel()
		chunk := fmt.Sprintf("%sTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", jsonHead, len(listReader.good), listReader.good)
		t.Run("no last chunk", retried(sendsAndCloses(chunk), "unexpected EOF (4 attempts)", io.ErrUnexpectedEOF))
		t.Run("a chunk of no size", retried(sendsAndCloses(chunk+"size\r\n"), "invalid byte in chunk length (4 attempts)"))
	},
	// HTTP does not tell these two; JSON does.
	"T6": func(t *testing.T) {
		t.Parallel()
		const text = "unusable answer (200 OK, application/json): results[1].export_url: unexpected EOF (4 attempts)"
		t.Run("bytes", retried(sendsAndCloses(jsonHead+"Connection: close\r\n\r\n"+listReader.good[:len(listReader.good)-3]), text, io.ErrUnexpectedEOF))
		t.Run("everywhere", aCutBodyIsAskedForAgain)
	},
	"T7": retried(sendsAndCloses(fmt.Sprintf("%sConnection: close\r\nContent-Length: %d\r\n\r\n%s", jsonHead, 20, listReader.good)),
		"unusable answer (200 OK, application/json): pagination: unexpected EOF (4 attempts)", io.ErrUnexpectedEOF),
	"T8": func(t *testing.T) {
		t.Parallel()
		for when, cut := range map[string]func(http.ResponseWriter){
			"before headers": func(http.ResponseWriter) {},
			"mid-body": func(w http.ResponseWriter) {
				w.Header().Set("Content-Type", jsonType)
				_, _ = io.WriteString(w, listReader.good[:20])
				w.(http.Flusher).Flush()
			},
		} {
			for _, times := range []int32{2, 4} {
				t.Run(fmt.Sprint(when, times), func(t *testing.T) {
					t.Parallel()
					answers := &stub{body: listReader.good}
					var requests atomic.Int32
					server := secured(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
						assert.Equal(t, 2, req.ProtoMajor)
						if requests.Add(1) <= times {
							cut(w)
							panic(http.ErrAbortHandler)
						}
						answers.ServeHTTP(w, req)
					}), func(s *httptest.Server) { s.EnableHTTP2 = true })
					tidy(t, func() {
						client := trusting(server, func(*tls.Config) {})
						defer client.CloseIdleConnections()
						ak := newSubject(t, server.URL, authentik.WithHTTPClient(client), noWaits)
						if times == 4 {
							failsAfter(t, ak, 4, "stream error: stream ID 7; INTERNAL_ERROR; received from peer (4 attempts)")
						} else {
							got := ak.list(t.Context(), t)
							require.NoError(t, got.err)
							assert.Equal(t, 3, got.response.Attempts)
						}
						assert.Equal(t, min(times+1, 4), requests.Load())
					})
				})
			}
		}
	},
	"T9": func(t *testing.T) {
		t.Parallel()
		server := newPeer(sends(whole), sendsAndCloses(""), sends(whole))
		addr := server.listen(t)
		tidy(t, func() {
			ak := newSubject(t, "http://"+addr)
			defer ak.Close()
			for range 2 {
				got := ak.list(t.Context(), t)
				require.NoError(t, got.err)
				assert.Equal(t, 1, got.response.Attempts)
			}
		})
		closed(t, server)
	},
	"T10": func(t *testing.T) {
		t.Parallel()
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		require.NoError(t, listener.Close())
		err = failsAfter(t, newSubject(t, "http://"+listener.Addr().String(), authentik.WithRetry(authentik.RetryPolicy{BaseDelay: -1})), 4,
			"dial tcp 127.0.0.1:0: connect: connection refused (4 attempts)")
		require.ErrorIs(t, err, syscall.ECONNREFUSED)
	},
	"T11": func(t *testing.T) {
		t.Parallel()
		missing := &net.DNSError{Err: "no such host", Name: "sso.example.com", IsNotFound: true}
		err := failsAfter(t, newSubject(t, "https://sso.example.com", dials(missing)), 1, "dial tcp: lookup sso.example.com: no such host (1 attempt)")
		require.ErrorIs(t, err, missing)
	},
	"T12": func(t *testing.T) {
		t.Parallel()
		for _, failing := range []*net.DNSError{
			{Err: "i/o timeout", Name: "sso.example.com", IsTimeout: true}, {Err: "i/o timeout", Name: "sso.example.com", IsTemporary: true},
		} {
			failsAfter(t, newSubject(t, "https://sso.example.com", dials(failing), noWaits), 4, "dial tcp: lookup sso.example.com: i/o timeout (4 attempts)")
		}
	},
	"T13": slow("attempt timed out after 1m0s (2 attempts)", 0, sendsSlowly("HTTP/1.1 200 OK\r\n", "X-A: b\r\n", 50*time.Millisecond)),
	"T14": slow("attempt timed out after 1m0s (2 attempts)", 0, sendsSlowly(jsonHead+"\r\n", " ", 50*time.Millisecond)),
	"T15": slow("attempt timed out after 1m0s; before that 503 Service Unavailable (2 attempts)", 503,
		sendsSlowly("HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n\r\n", " ", 50*time.Millisecond)),
	"T16": slow("attempt timed out after 1m0s (2 attempts)", 0, func(conn net.Conn) bool {
		_, _ = io.Copy(io.Discard, conn)
		return false
	}),
	"T17": func(t *testing.T) {
		t.Parallel()
		t.Run("unknown CA", untrusted("tls: failed to verify certificate: x509: certificate signed by unknown authority (1 attempt)", nil))
		t.Run("unknown CA, told by a middleware", untrusted("of the middleware: tls: failed to verify certificate: x509: certificate signed by unknown authority (1 attempt)", nil,
			authentik.WithMiddleware(func(next http.RoundTripper) http.RoundTripper {
				return roundTripper(func(req *http.Request) (*http.Response, error) {
					resp, err := next.RoundTrip(req)
					return resp, fmt.Errorf("of the middleware: %w", err)
				})
			})))
		t.Run("wrong host", untrusted("tls: failed to verify certificate: x509: certificate is valid for others, not sso.example.org (1 attempt)",
			func(c *tls.Config) { c.ServerName = "sso.example.org" }))
		t.Run("expired", untrusted("tls: failed to verify certificate: x509: certificate has expired or is not yet valid: current time 2999-01-01T00:00:00Z is after that (1 attempt)",
			func(c *tls.Config) { c.Time = func() time.Time { return time.Date(2999, 1, 1, 0, 0, 0, 0, time.UTC) } }))
	},
	"T18": func(t *testing.T) {
		t.Parallel()
		for name, c := range map[string]struct {
			text      string
			configure func(*tls.Config)
		}{
			"certificate required": {"remote error: tls: handshake failure (1 attempt)", func(c *tls.Config) { c.ClientAuth, c.MaxVersion = tls.RequireAnyClientCert, tls.VersionTLS12 }},
			"TLS 1.1":              {"remote error: tls: protocol version not supported (1 attempt)", func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				server := secured(t, &stub{}, func(s *httptest.Server) { c.configure(s.TLS) })
				tidy(t, func() {
					client := trusting(server, func(*tls.Config) {})
					defer client.CloseIdleConnections()
					failsAfter(t, newSubject(t, server.URL, authentik.WithHTTPClient(client)), 1, c.text)
				})
			})
		}
	},
	"T19": func(t *testing.T) {
		t.Parallel()
		answered := &stub{body: listReader.good}
		server := httptest.NewServer(answered)
		t.Cleanup(server.Close)
		tidy(t, func() {
			err := failsAfter(t, newSubject(t, strings.Replace(server.URL, "http:", "https:", 1)), 1, "http: server gave HTTP response to HTTPS client (1 attempt)")
			require.ErrorIs(t, err, http.ErrSchemeMismatch)
			assert.Zero(t, answered.requests.Load())
		})
	},
	"T20": func(t *testing.T) {
		t.Parallel()
		answered := &stub{body: listReader.good}
		server := secured(t, answered, func(*httptest.Server) {})
		tidy(t, func() {
			ak := newSubject(t, strings.Replace(server.URL, "https:", "http:", 1))
			defer ak.Close()
			got := ak.list(t.Context(), t)
			exactly[*authentik.ValidationError](t, got.err)
			tells(t, got.err, "400 Bad Request: Client sent an HTTP request to an HTTPS server. (1 attempt)")
			assert.Zero(t, answered.requests.Load())
		})
	},
	"T21": func(t *testing.T) {
		t.Parallel()
		t.Run("SSH", permanent(sendsAndCloses("SSH-2.0-OpenSSH_9.6\r\n"), `net/http: HTTP/1.x transport connection broken: malformed HTTP response "SSH-2.0-OpenSSH_9.6" (1 attempt)`))
		bubble(t, "SSH, where TLS is expected", func(t *testing.T) {
			client := &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
				theirs, ours := net.Pipe()
				go func() { _, _ = io.Copy(io.Discard, ours) }()
				go func() { _, _ = io.WriteString(ours, "SSH-2.0-OpenSSH_9.6\r\n") }()
				return theirs, nil
			}}}
			err := failsAfter(t, newSubject(t, "https://sso.example.com", authentik.WithHTTPClient(client)), 1, "tls: first record does not look like a TLS handshake (1 attempt)")
			var record tls.RecordHeaderError
			require.ErrorAs(t, err, &record)
		})
		t.Run("two lengths", permanent(sendsAndCloses("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}"),
			`net/http: HTTP/1.x transport connection broken: http: message cannot contain multiple Content-Length headers; got ["2" "3"] (1 attempt)`))
	},
	"T22": permanent(sendsAndCloses("HTTP/1.1 200 OK\r\nX-Large: "+strings.Repeat("x", 2<<20)+"\r\n\r\n{}"),
		"net/http: HTTP/1.x transport connection broken: net/http: server response headers exceeded 1048576 bytes; aborted (1 attempt)"),
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
		tidy(t, func() {
			client := &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(through)}}
			failsAfter(t, newSubject(t, "https://sso.example.com", authentik.WithHTTPClient(client)), 1, "Proxy Authentication Required (1 attempt)")
			assert.EqualValues(t, 1, asked.Load())
		})
	},
	"T24": func(t *testing.T) {
		t.Parallel()
		server := newPeer(sends(strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n", 50) + whole))
		addr := server.listen(t)
		tidy(t, func() {
			ak := newSubject(t, "http://"+addr)
			defer ak.Close()
			got := ak.list(t.Context(), t)
			require.NoError(t, got.err)
			assert.Equal(t, 1, got.response.Attempts)
		})
		closed(t, server)
	},
}
