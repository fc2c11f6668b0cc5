package faults_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/internal/testkit"
	"github.com/seed-299d42e7/authentik-go/internal/testkit/recording"
	"github.com/seed-299d42e7/authentik-go/internal/transport"
)

// fromProxy is a response that is not authentik's.
func fromProxy(status int, contentType, body string, headers ...string) testkit.Step {
	r := recording.Response{Status: status, Text: body, Headers: [][2]string{{"Content-Type", contentType}}}
	for i := 0; i < len(headers); i += 2 {
		r.Headers = append(r.Headers, [2]string{headers[i], headers[i+1]})
	}
	return testkit.Respond(r)
}

// proxiesDown has what proxies send while their backend is away.
var proxiesDown = map[string]testkit.Step{
	"nginx, 502": fromProxy(502, "text/html",
		"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n"),
	"haproxy, 503": fromProxy(503, "text/html",
		"<html><body><h1>503 Service Unavailable</h1>\nNo server is available to handle this request.\n</body></html>\n"),
	"Traefik, 404":    fromProxy(404, "text/plain; charset=utf-8", "404 page not found\n"),
	"Traefik, 502":    fromProxy(502, "text/plain; charset=utf-8", "Bad Gateway"),
	"Traefik, 503":    fromProxy(503, "text/plain; charset=utf-8", "no available server\n"),
	"Caddy, 502":      fromProxy(502, "", ""),
	"Envoy, 503":      fromProxy(503, "text/plain", "upstream connect error or disconnect/reset before headers"),
	"Kong, 503":       fromProxy(503, testkit.JSON, `{"message":"failure to get a peer from the ring-balancer"}`),
	"Cloudflare, 520": fromProxy(520, "text/plain; charset=UTF-8", "error code: 520"),
	"Cloudflare, 521": fromProxy(521, "text/html", "<!DOCTYPE html><title>521: Web server is down</title>"),
	"Cloudflare, 522": fromProxy(522, "text/plain; charset=UTF-8", "error code: 522"),
	"Cloudflare, 523": fromProxy(523, "text/plain; charset=UTF-8", "error code: 523"),
	"Cloudflare, 530": fromProxy(530, "text/plain; charset=UTF-8", "error code: 1033"),
}

func dialFails(err error) testkit.Step {
	return testkit.Fail(&net.OpError{Op: "dial", Net: "tcp", Err: err})
}

func connectFails(errno syscall.Errno) testkit.Step {
	return dialFails(os.NewSyscallError("connect", errno))
}

// socksFails is what net/http makes of the words of a SOCKS proxy.
func socksFails(text string) testkit.Step {
	return testkit.Fail(&net.OpError{Op: "socks connect", Net: "tcp", Err: errors.New(text)})
}

// hostDown is what macOS and Linux return for a host that is off. Other systems
// have no such error.
func hostDown() syscall.Errno {
	for errno := range syscall.Errno(200) {
		if errno.Error() == "host is down" {
			return errno
		}
	}
	return syscall.EHOSTUNREACH
}

// networkDown has what the network says while a host is away.
var networkDown = map[string]testkit.Step{
	"connection refused":              connectFails(syscall.ECONNREFUSED),
	"connection refused, Windows":     connectFails(10061),
	"no route to host":                connectFails(syscall.EHOSTUNREACH),
	"no route to host, Windows":       connectFails(10065),
	"network is unreachable":          connectFails(syscall.ENETUNREACH),
	"network is unreachable, Windows": connectFails(10051),
	"host is down":                    connectFails(hostDown()),
	"host is down, Windows":           connectFails(10064),
	"network is down":                 connectFails(syscall.ENETDOWN),
	"network is down, Windows":        connectFails(10050),
	"no answer to a dial":             dialFails(os.ErrDeadlineExceeded),
	"no answer to a dial, Linux":      connectFails(syscall.ETIMEDOUT),
	"no answer to a dial, Windows":    connectFails(10060),
	"no such host":                    dialFails(&net.DNSError{Err: "no such host", IsNotFound: true}),
	"the name server fails":           dialFails(&net.DNSError{Err: "server misbehaving", IsTemporary: true}),
	"its proxy refuses CONNECT":       testkit.Fail(&transport.ProxyError{StatusCode: 502, Status: "502 Bad Gateway"}),
	"its proxy has no server for it":  testkit.Fail(&transport.ProxyError{StatusCode: 503, Status: "503 Service Unavailable"}),
	"its proxy is refused": testkit.Fail(
		&net.OpError{Op: "proxyconnect", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}),
	"its SOCKS proxy is refused by it":     socksFails("unknown error connection refused"),
	"its SOCKS proxy does not reach it":    socksFails("unknown error host unreachable"),
	"its SOCKS proxy has no route":         socksFails("unknown error network unreachable"),
	"its SOCKS proxy gets no answer":       socksFails("unknown error TTL expired"),
	"its SOCKS proxy does not say why not": socksFails("unknown error general SOCKS server failure"),
}

// everyDown runs a test in virtual time for each way in which a server is away.
func everyDown(t *testing.T, test func(t *testing.T, down testkit.Step)) {
	t.Helper()
	for _, kind := range []map[string]testkit.Step{proxiesDown, networkDown} {
		for name, down := range kind {
			testkit.RunInBubble(t, name, func(t *testing.T) { test(t, down) })
		}
	}
}

// outage is a server that can go away for a time.
type outage struct {
	down   testkit.Step
	until  time.Time
	during int // requests while it was away
}

func (s *outage) fail(d time.Duration) { s.until, s.during = time.Now().Add(d), 0 }

func (s *outage) RoundTrip(req *http.Request) (*http.Response, error) {
	if time.Now().Before(s.until) {
		s.during++
		return s.down(req)
	}
	return success(req)
}

var success = testkit.Respond(testkit.TwoFlows)

func (s *outage) client(t *testing.T, opts ...authentik.ClientOption) *testkit.CheckedClient {
	t.Helper()
	return testkit.NewSequence(s.RoundTrip).Client(t, opts...)
}

const restart = 12 * time.Second

var restartFaults = map[string]func(*testing.T){
	"R1": func(t *testing.T) {
		everyDown(t, func(t *testing.T, down testkit.Step) {
			server := &outage{down: down}
			ak := server.client(t)
			require.NoError(t, ak.List(t.Context(), t).Err)
			for range 2 {
				server.fail(restart)
				got := ak.List(t.Context(), t)
				require.NoError(t, got.Err)
				assert.GreaterOrEqual(t, got.Took, restart)
				assert.Less(t, got.Took, restart+2*time.Second)
				assert.GreaterOrEqual(t, server.during, 6, "once in two seconds")
				assert.LessOrEqual(t, server.during, 12, "once in a second")
				assert.Equal(t, server.during+1, got.Response.Attempts)
			}
		})
	},
	"R2": func(t *testing.T) {
		everyDown(t, func(t *testing.T, down testkit.Step) {
			server := &outage{down: down}
			server.fail(restart)
			got := server.client(t).List(t.Context(), t)
			require.Error(t, got.Err, "a wrong URL looks the same")
			assert.LessOrEqual(t, server.during, 4)
			assert.Less(t, got.Took, 4*time.Second)
		})
		testkit.RunInBubble(t, "another server responded", func(t *testing.T) {
			steps := []testkit.Step{proxiesDown["nginx, 502"], proxiesDown["Traefik, 404"]}
			server := testkit.NewSequence(steps...)
			got := server.Client(t).List(t.Context(), t)
			require.Error(t, got.Err)
			assert.Equal(t, 4, server.Requests(), "a proxy's response is not authentik's")
		})
		testkit.RunInBubble(t, "another API responded", func(t *testing.T) {
			server := &outage{down: fromProxy(200, testkit.JSON, `{"status":"ok"}`)}
			server.fail(time.Minute)
			ak := server.client(t)
			require.Error(t, ak.List(t.Context(), t).Err)
			server.down = proxiesDown["nginx, 502"]
			server.fail(restart)
			require.Error(t, ak.List(t.Context(), t).Err, "which was not authentik")
			assert.LessOrEqual(t, server.during, 4)
		})
	},
	"R3": func(t *testing.T) {
		wait := authentik.WithRetry(authentik.RetryPolicy{WaitForServer: true})
		everyDown(t, func(t *testing.T, down testkit.Step) {
			server := &outage{down: down}
			server.fail(restart)
			got := server.client(t, wait).List(t.Context(), t)
			require.NoError(t, got.Err)
			assert.GreaterOrEqual(t, got.Took, restart)
			assert.Less(t, got.Took, restart+2*time.Second)

			server.fail(time.Hour)
			got = server.client(t, wait).List(t.Context(), t)
			require.ErrorContains(t, got.Err, "still down after 1m0s")
			assert.Greater(t, got.Took, 57*time.Second)
			assert.LessOrEqual(t, got.Took, time.Minute)
		})
	},
	"R4": func(t *testing.T) {
		for name, c := range map[string]struct {
			step testkit.Step
			most int // requests
			took time.Duration
		}{
			"429":                         {testkit.RespondStatus(429), 4, 7 * time.Second},
			"429 of a proxy":              {fromProxy(429, "text/html", "<h1>429</h1>"), 4, 7 * time.Second},
			"429 of a proxy, with a time": {fromProxy(429, "text/html", "", "Retry-After", "2"), 4, 9 * time.Second},
			"503 of a proxy, with a time": {fromProxy(503, "text/html", "", "Retry-After", "2"), 4, 7 * time.Second},
			"503 of a proxy, with none":   {fromProxy(503, "text/html", "", "Retry-After", "0"), 4, 4 * time.Second},
			"503 of authentik":            {testkit.RespondStatus(503), 4, 4 * time.Second},
			"502 of authentik":            {testkit.RespondStatus(502), 4, 4 * time.Second},
			"404 of authentik":            {testkit.RespondStatus(404), 1, 0},
			"500 of a proxy":              {fromProxy(500, "text/html", "<h1>500</h1>"), 4, 4 * time.Second},
			"403 of a proxy":              {fromProxy(403, "text/html", "<h1>403</h1>"), 1, 0},
			"410 of a proxy":              {fromProxy(410, "text/html", "<h1>410</h1>"), 1, 0},
			"a reset":                     {testkit.Fail(syscall.ECONNRESET), 4, 4 * time.Second},
			"a read that takes too long": {
				testkit.Fail(&net.OpError{Op: "read", Net: "tcp", Err: os.ErrDeadlineExceeded}), 4, 4 * time.Second,
			},
			"the words of no SOCKS proxy": {dialFails(errors.New("host unreachable")), 4, 4 * time.Second},
			"an unknown error":            {testkit.Fail(errors.New("unknown")), 4, 4 * time.Second},
		} {
			testkit.RunInBubble(t, name, func(t *testing.T) {
				server := &outage{down: c.step}
				ak := server.client(t)
				require.NoError(t, ak.List(t.Context(), t).Err)
				server.fail(time.Hour)
				got := ak.List(t.Context(), t)
				require.Error(t, got.Err)
				assert.Equal(t, c.most, server.during)
				assert.LessOrEqual(t, got.Took, c.took)
				assert.NotContains(t, got.Err.Error(), "still down")
			})
		}
	},
	"R5": func(t *testing.T) {
		everyDown(t, func(t *testing.T, down testkit.Step) {
			const deadline = 20 * time.Second
			server := &outage{down: down}
			ak := server.client(t)
			require.NoError(t, ak.List(t.Context(), t).Err)
			server.fail(time.Hour)
			ctx, cancel := context.WithTimeout(t.Context(), deadline)
			defer cancel()
			got := ak.List(ctx, t)
			require.ErrorContains(t, got.Err, "no time left")
			require.NotErrorIs(t, got.Err, context.DeadlineExceeded)
			assert.Greater(t, got.Took, deadline-2*time.Second)
			assert.Less(t, got.Took, deadline)

			for _, policy := range []authentik.RetryPolicy{{MaxAttempts: 1}, {StartupWait: -1}} {
				server.until = time.Time{}
				ak := server.client(t, authentik.WithRetry(policy))
				require.NoError(t, ak.List(t.Context(), t).Err)
				server.fail(time.Hour)
				require.Error(t, ak.List(t.Context(), t).Err)
				assert.LessOrEqual(t, server.during, 4)
			}
		})
	},
	"R6": func(t *testing.T) {
		executed := map[string]bool{ // perhaps
			"nginx, 502": true, "haproxy, 503": true, "Traefik, 502": true, "Traefik, 503": true, "Caddy, 502": true,
			"Envoy, 503": true, "Kong, 503": true, "Cloudflare, 520": true, "Cloudflare, 521": true,
			"Cloudflare, 522": true, "Cloudflare, 523": true, "Cloudflare, 530": true,
		}
		for _, kind := range []map[string]testkit.Step{proxiesDown, networkDown} {
			for name, down := range kind {
				testkit.RunInBubble(t, name, func(t *testing.T) {
					server := &outage{down: down}
					ak := server.client(t)
					require.NoError(t, ak.List(t.Context(), t).Err)
					server.fail(restart)
					err := ak.Do(t.Context(), http.MethodPost, "core/groups/", nil, nil, nil)
					if executed[name] {
						require.ErrorIs(t, err, authentik.ErrPerhapsDone)
						assert.Equal(t, 1, server.during)
						return
					}
					require.NoError(t, err)
					assert.Greater(t, server.during, 1)
				})
			}
		}
	},
}
