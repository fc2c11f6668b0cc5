package authentiktest_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/authentiktest"
	"github.com/seed-299d42e7/authentik-go/internal/testkit"
)

// sent returns the status and the header of the response to one request of a
// client that is not ours.
func sent(t *testing.T, srv *authentiktest.Server, path string) (status int, header http.Header, err error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL+path, http.NoBody)
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+srv.Token)
	req.Header.Set("Accept", "application/json")
	resp, err := srv.RoundTrip(req)
	if err != nil {
		return 0, nil, err
	}
	require.NoError(t, resp.Body.Close())
	return resp.StatusCode, resp.Header, nil
}

const version = "/api/v3/admin/version/"

func TestServerFailAfterCommit_ExecutesTheRequest(t *testing.T) {
	t.Parallel()
	for kind, start := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			srv := start(t, authentiktest.Empty())
			srv.On("flows_instances_create").FailAfterCommit(1)
			srv.FailAfterCommit(1)
			create := func(slug string) error {
				_, err := once(srv).FlowsInstancesCreate(t.Context(), authentik.FlowRequest{
					Name: "n", Title: "t", Slug: slug, Designation: authentik.FlowDesignationRecovery,
				})
				return err
			}
			for _, slug := range []string{"a", "b"} {
				err := create(slug)
				assert.ErrorIs(t, err, syscall.ECONNRESET)
				assert.ErrorIs(t, err, authentik.ErrPerhapsDone)
			}
			require.NoError(t, create("c"))
			assert.Len(t, srv.Flows(), 3)
			assert.Zero(t, srv.Requests()[0].Status)
		})
	}
}

func TestServerBehind_RespondsAsTheProxy(t *testing.T) {
	t.Parallel()
	for proxy, want := range map[authentiktest.Proxy]struct {
		status            int
		server, body, typ string
	}{
		authentiktest.Router:              {503, "", `^{"error":"authentik starting"}`, "application/json"},
		authentiktest.Nginx:               {502, "nginx/1.22.1", `<center>nginx/`, "text/html"},
		authentiktest.HAProxy:             {503, "", `No server is available`, "text/html"},
		authentiktest.Traefik:             {502, "", `^Bad Gateway$`, "text/plain; charset=utf-8"},
		authentiktest.TraefikWithoutRoute: {404, "", `^404 page not found\n$`, "text/plain; charset=utf-8"},
		authentiktest.Cloudflare:          {521, "cloudflare", `^error code: 521$`, "text/plain; charset=UTF-8"},
		authentiktest.CloudflareTunnel:    {530, "cloudflare", `^error code: 1033$`, "text/plain; charset=UTF-8"},
	} {
		for kind, start := range kinds {
			t.Run(proxy.String()+" "+kind, func(t *testing.T) {
				t.Parallel()
				srv := start(t)
				srv.Behind(proxy, time.Hour)
				for range 2 {
					var r authentik.Response
					err := once(srv).Get(t.Context(), "flows/instances/", nil, nil, authentik.WithResponse(&r))
					require.Error(t, err)
					assert.Equal(t, want.status, r.StatusCode)
					assert.Regexp(t, want.body, string(r.Body))
					assert.Equal(t, want.server, r.Header.Get("Server"))
					assert.Equal(t, want.typ, r.Header.Get("Content-Type"))
					assert.Empty(t, r.RequestID)
				}
				srv.ClearFaults()
				assert.NoError(t, once(srv).Get(t.Context(), "flows/instances/", nil, nil))
			})
		}
	}
	assert.Equal(t, "Proxy(99)", authentiktest.Proxy(99).String())
}

// statuses sends a request each second, and returns the statuses.
func statuses(t *testing.T, srv *authentiktest.Server, path string, n int) (all []int) {
	t.Helper()
	for i := range n {
		if i > 0 {
			testkit.Advance(time.Second)
		}
		status, _, _ := sent(t, srv, path) // 0 with an error
		all = append(all, status)
	}
	return all
}

func TestServerBehind_EndsInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := authentiktest.RoundTripper(t)
		srv.Behind(authentiktest.HAProxy, 3*time.Second)
		srv.On("admin_version_retrieve").Behind(authentiktest.Nginx, 2*time.Second)
		assert.Equal(t, []int{502, 502, 503, 200}, statuses(t, srv, version, 4))
		assert.Equal(t, []int{200}, statuses(t, srv, version, 1))
	})
}

func TestServerRateLimit_CountsRequests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := authentiktest.RoundTripper(t)
		srv.RateLimit(authentiktest.Limit{Requests: 2, Per: 4 * time.Second})
		assert.Equal(t, []int{200, 200, 429, 429, 200, 200, 429, 429, 200}, statuses(t, srv, version, 9))
		assert.Len(t, srv.Requests(), 9)

		srv.RateLimit(authentiktest.Limit{Requests: 1, Per: time.Hour, Status: 503})
		srv.On("core_users_me_retrieve").RateLimit(authentiktest.Limit{Requests: 1, Per: time.Minute})
		assert.Equal(t, []int{200, 503}, statuses(t, srv, version, 2))
		assert.Equal(t, []int{503, 429}, statuses(t, srv, "/api/v3/core/users/me/", 2), "its own limit first")
		srv.ClearFaults()
		assert.Equal(t, []int{200}, statuses(t, srv, version, 1))
	})
}

func TestServerRateLimit_SaysWhen(t *testing.T) {
	t.Parallel()
	for header, want := range map[authentiktest.LimitHeader]http.Header{
		authentiktest.LimitRetryAfter:     {"Retry-After": {"8"}},
		authentiktest.LimitRetryAfterDate: {"Retry-After": {"Sat, 01 Jan 2000 00:00:11 GMT"}, "Date": {"Sat, 01 Jan 2000 00:00:03 GMT"}},
		authentiktest.LimitReset:          {"Ratelimit-Limit": {"1"}, "Ratelimit-Remaining": {"0"}, "Ratelimit-Reset": {"8"}},
		authentiktest.LimitSilent:         {},
	} {
		synctest.Test(t, func(t *testing.T) {
			srv := authentiktest.RoundTripper(t)
			srv.RateLimit(authentiktest.Limit{Requests: 1, Per: 10 * time.Second, Header: header})
			testkit.Advance(500 * time.Millisecond)
			assert.Equal(t, []int{200}, statuses(t, srv, version, 1))
			testkit.Advance(2500 * time.Millisecond) // 7.5 s are left
			status, got, err := sent(t, srv, version)
			require.NoError(t, err)
			assert.Equal(t, 429, status)
			assert.Equal(t, "text/plain; charset=utf-8", got.Get("Content-Type"))
			got.Del("Content-Type")
			got.Del("X-Content-Type-Options")
			assert.Equal(t, want, got)
		})
	}
}

func TestServerDown_RefusesInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := authentiktest.RoundTripper(t)
		srv.Down(2 * time.Second)
		_, _, err := sent(t, srv, version)
		assert.EqualError(t, err, "dial tcp: connect: connection refused")
		assert.ErrorIs(t, err, syscall.ECONNREFUSED)
		assert.Empty(t, srv.Requests(), "it did not get there")
		assert.Equal(t, []int{0, 0, 200}, statuses(t, srv, version, 3))

		srv.Unresolvable(time.Hour)
		_, _, err = sent(t, srv, version)
		var dns *net.DNSError
		require.ErrorAs(t, err, &dns)
		assert.True(t, dns.IsNotFound)
		srv.ClearFaults()
		assert.Equal(t, []int{200}, statuses(t, srv, version, 1))

		ak := srv.Client()
		_, err = ak.ServerVersion(t.Context())
		require.NoError(t, err)
		srv.Down(10 * time.Second)
		_, err = ak.ServerVersion(t.Context())
		assert.NoError(t, err, "the client waits for a restart")
	})
}

func TestServerDown_ClosesTheSocket(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]authentiktest.Option{"TCP": nil, "TLS": {authentiktest.TLS()}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testkit.AssertNoGoroutines(t, func() {
				srv := authentiktest.Start(opts...)
				defer srv.Close()
				ak := once(srv)
				defer ak.Close()
				ask := func() error {
					_, err := ak.ServerVersion(context.Background())
					return err
				}
				require.NoError(t, ask())
				srv.Down(time.Hour)
				for range 3 { // the first may still take the connection of before
					_ = ask()
				}
				assert.ErrorIs(t, ask(), syscall.ECONNREFUSED)
				srv.ClearFaults()
				assert.NoError(t, ask(), "at the same address")

				srv.Down(time.Nanosecond)
				assert.Eventually(t, func() bool { return ask() == nil }, 10*time.Second, time.Millisecond)
				srv.Down(time.Hour)
				srv.Down(time.Minute)
			})
		})
	}
}

func TestServerDown_WaitsForItsPort(t *testing.T) {
	t.Parallel()
	srv := authentiktest.NewServer(t)
	ak := once(srv)
	defer ak.Close()
	srv.Down(time.Hour)
	other, err := new(net.ListenConfig).Listen(t.Context(), "tcp", strings.TrimPrefix(srv.URL, "http://"))
	require.NoError(t, err)
	srv.ClearFaults()
	_ = other.(*net.TCPListener).SetDeadline(time.Now().Add(50 * time.Millisecond)) // while the server tries
	_, err = other.Accept()
	assert.Error(t, err)
	require.NoError(t, other.Close())
	assert.Eventually(t, func() bool {
		_, err := ak.ServerVersion(t.Context())
		return err == nil
	}, 10*time.Second, time.Millisecond)
	srv.Close()
	srv.Down(time.Hour)
	_, err = ak.ServerVersion(t.Context())
	assert.ErrorIs(t, err, syscall.ECONNREFUSED, "Down after Close does nothing")
}

func TestServerKillConnections_LosesRequests(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]authentiktest.Option{"TCP": nil, "TLS": {authentiktest.TLS()}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testkit.AssertNoGoroutines(t, func() {
				tb := &told{TB: t}
				srv := authentiktest.NewServer(tb, opts...)
				ak := srv.Client(authentik.WithRetry(authentik.RetryPolicy{MaxAttempts: 1}), authentik.WithTimeout(20*time.Millisecond))
				defer ak.Close()
				other := once(srv)
				defer other.Close()
				for { // a slow machine needs more than one
					if _, err := ak.ServerVersion(context.Background()); err == nil {
						break
					}
				}
				before := len(srv.Requests())
				srv.KillConnections()
				_, err := ak.ServerVersion(context.Background())
				assert.ErrorIs(t, err, authentik.ErrAttemptTimeout)
				assert.Len(t, srv.Requests(), before)
				_, err = other.ServerVersion(context.Background())
				assert.NoError(t, err, "a connection of after")
				srv.Close()
				assert.Empty(t, tb.errors)
			})
		})
	}
}

func TestServerKillConnections_LosesTheResponseUnderWay(t *testing.T) {
	t.Parallel()
	for killed := false; !killed; { // a slow machine needs more than one server
		tb := &told{TB: t}
		srv := authentiktest.NewServer(tb)
		ak := srv.Client(authentik.WithRetry(authentik.RetryPolicy{MaxAttempts: 1}), authentik.WithTimeout(50*time.Millisecond))
		responding := make(chan struct{})
		srv.ChangeListAfterPage(1, func() {
			srv.KillConnections()
			close(responding)
		})
		_, err := ak.FlowsInstancesList(t.Context(), nil)
		require.ErrorIs(t, err, authentik.ErrAttemptTimeout)
		select {
		case <-responding:
			killed = true
		default:
		}
		ak.Close()
		srv.Close()
		assert.True(t, !killed || len(tb.errors) == 0, "%v", tb.errors)
	}
}

func TestServerKillConnections_LosesTheNextRequestWithoutASocket(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := authentiktest.RoundTripper(t)
		ak := srv.Client(authentik.WithTimeout(time.Minute))
		srv.KillConnections()
		start := time.Now()
		_, err := ak.ServerVersion(t.Context())
		require.NoError(t, err, "the second attempt")
		assert.GreaterOrEqual(t, time.Since(start), time.Minute)
		assert.Len(t, srv.Requests(), 1)

		srv.KillConnections()
		time.AfterFunc(time.Second, srv.Close)
		_, _, err = sent(t, srv, version)
		assert.ErrorContains(t, err, "the server is closed")
	})
}

func TestTLS_TrustsOwnClientsAlone(t *testing.T) {
	t.Parallel()
	srv := authentiktest.NewServer(t, authentiktest.TLS())
	assert.True(t, strings.HasPrefix(srv.URL, "https://"))
	_, err := once(srv).ServerVersion(t.Context())
	require.NoError(t, err)

	stranger, err := authentik.NewClient(srv.URL, srv.Token)
	require.NoError(t, err)
	defer stranger.Close()
	_, err = stranger.ServerVersion(t.Context())
	var unknown *tls.CertificateVerificationError
	assert.ErrorAs(t, err, &unknown)

	pool := x509.NewCertPool()
	pool.AddCert(srv.Certificate())
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}
	defer transport.CloseIdleConnections()
	friend, err := authentik.NewClient(srv.URL, srv.Token, authentik.WithHTTPClient(&http.Client{Transport: transport}))
	require.NoError(t, err)
	_, err = friend.ServerVersion(t.Context())
	require.NoError(t, err)

	srv.Reset()
	_, err = once(srv).ServerVersion(t.Context())
	assert.ErrorIs(t, err, syscall.ECONNRESET, "also through TLS")
	assert.Nil(t, authentiktest.RoundTripper(t, authentiktest.TLS()).Certificate())
	assert.Nil(t, authentiktest.NewServer(t).Certificate())
}

func TestServerClose_ReportsUnmetCircumstances(t *testing.T) {
	t.Parallel()
	const op = "flows_instances_list"
	limit := authentiktest.Limit{Requests: 1, Per: time.Second}
	for call, set := range map[string]func(srv *authentiktest.Server){
		"FailAfterCommit(1)":                   func(srv *authentiktest.Server) { srv.FailAfterCommit(1) },
		"Behind(Nginx, 1s)":                    func(srv *authentiktest.Server) { srv.Behind(authentiktest.Nginx, time.Second) },
		"RateLimit(1 per 1s)":                  func(srv *authentiktest.Server) { srv.RateLimit(limit) },
		"Down(1s)":                             func(srv *authentiktest.Server) { srv.Down(time.Second) },
		"Unresolvable(1s)":                     func(srv *authentiktest.Server) { srv.Unresolvable(time.Second) },
		"KillConnections()":                    func(srv *authentiktest.Server) { srv.KillConnections() },
		`On("` + op + `").FailAfterCommit(1)`:  func(srv *authentiktest.Server) { srv.On(op).FailAfterCommit(1) },
		`On("` + op + `").Behind(HAProxy, 1s)`: func(srv *authentiktest.Server) { srv.On(op).Behind(authentiktest.HAProxy, time.Second) },
		`On("` + op + `").RateLimit(1 per 1s)`: func(srv *authentiktest.Server) { srv.On(op).RateLimit(limit) },
	} {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				tb := &told{TB: t}
				srv := authentiktest.RoundTripper(tb)
				set(srv)
				if strings.HasPrefix(call, "On") {
					assert.Equal(t, []int{200, 200}, statuses(t, srv, version, 2), "another operation")
				}
				testkit.Advance(time.Hour)
				srv.Close()
				require.Len(t, tb.errors, 2)
				assert.Regexp(t, `^circumstances_test\.go:\d+: no request met the fault `+regexp.QuoteMeta(call)+`$`, tb.errors[1])
			})
		})
	}
	tb := &told{TB: t}
	srv := authentiktest.NewServer(tb)
	srv.KillConnections()
	srv.Close()
	assert.Len(t, tb.errors, 2, "there was no connection")
}

func TestServerClose_AcceptsCircumstancesThatWereMet(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tb := &told{TB: t}
		srv := authentiktest.RoundTripper(tb)
		srv.Down(time.Second)
		srv.Behind(authentiktest.Nginx, 2*time.Second)
		srv.Behind(authentiktest.HAProxy, 3*time.Second)
		srv.RateLimit(authentiktest.Limit{Requests: 1, Per: time.Hour})
		assert.Equal(t, []int{0, 502, 503, 200, 429}, statuses(t, srv, version, 5))
		srv.Close()
		assert.Empty(t, tb.errors)
	})
}

func TestMisuseOfCircumstances(t *testing.T) {
	t.Parallel()
	for name, misuse := range map[string]func(srv *authentiktest.Server){
		"no request":     func(srv *authentiktest.Server) { srv.FailAfterCommit(0) },
		"no time":        func(srv *authentiktest.Server) { srv.Behind(authentiktest.Nginx, 0) },
		"no proxy":       func(srv *authentiktest.Server) { srv.Behind(0, time.Second) },
		"no such proxy":  func(srv *authentiktest.Server) { srv.Behind(authentiktest.CloudflareTunnel+1, time.Second) },
		"no limit":       func(srv *authentiktest.Server) { srv.RateLimit(authentiktest.Limit{Per: time.Second}) },
		"no period":      func(srv *authentiktest.Server) { srv.RateLimit(authentiktest.Limit{Requests: 1}) },
		"no status":      func(srv *authentiktest.Server) { srv.RateLimit(authentiktest.Limit{Requests: 1, Per: 1, Status: 42}) },
		"no such header": func(srv *authentiktest.Server) { srv.RateLimit(authentiktest.Limit{Requests: 1, Per: 1, Header: 4}) },
		"no header":      func(srv *authentiktest.Server) { srv.RateLimit(authentiktest.Limit{Requests: 1, Per: 1, Header: -1}) },
		"never down":     func(srv *authentiktest.Server) { srv.Down(0) },
		"a name of none": func(srv *authentiktest.Server) { srv.Unresolvable(time.Second) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tb := &told{TB: t}
			srv := authentiktest.NewServer(tb)
			t.Cleanup(srv.Close)
			misuse(srv)
			assert.NotEmpty(t, tb.errors)
			var answered *authentik.APIError
			_, err := once(srv).ServerVersion(t.Context())
			require.ErrorAs(t, err, &answered)
			assert.Equal(t, 599, answered.StatusCode)
		})
	}
}
