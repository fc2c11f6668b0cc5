package transport_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/internal/testkit"
)

// proxies are those that are tried as they are, where they are installed. Each
// has a configuration with the directory of its files and the address to listen
// on; the backend listens on the socket named backend in that directory.
var proxies = map[string]struct{ config, arguments string }{
	"nginx": {
		config: `daemon off; worker_processes 1; pid %[1]s/pid; error_log %[1]s/log;
events { worker_connections 256; }
http {
	access_log off;
	client_body_temp_path %[1]s/a; proxy_temp_path %[1]s/b; fastcgi_temp_path %[1]s/c; uwsgi_temp_path %[1]s/d;
	scgi_temp_path %[1]s/e;
	server { listen %[2]s; location / { proxy_pass http://unix:%[1]s/backend:; } }
}`,
		arguments: "-p %[1]s -e %[1]s/log -c %[1]s/config",
	},
	"haproxy": {
		config: `defaults
	mode http
	timeout connect 1s
	timeout client 30s
	timeout server 30s
	retries 1
listen authentik
	bind %[2]s
	server backend unix@%[1]s/backend check inter 500
`,
		arguments: "-db -f %[1]s/config",
	},
}

// startProxy runs a proxy until the test ends, and returns its address.
func startProxy(t *testing.T, name, dir string) (addr string) {
	t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr = free.Addr().String()
	config := fmt.Sprintf(proxies[name].config, dir, addr)
	if os.Geteuid() == 0 && name == "nginx" {
		config = "user root; " + config // whose workers could not enter dir
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "config"), []byte(config), 0o600))
	require.NoError(t, free.Close())

	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	arguments := strings.Fields(fmt.Sprintf(proxies[name].arguments, dir))
	proxy := exec.CommandContext(ctx, name, arguments...)
	output := filepath.Join(dir, "output")
	file, err := os.Create(output)
	require.NoError(t, err)
	proxy.Stdout, proxy.Stderr = file, file
	proxy.Cancel = func() error { return proxy.Process.Signal(os.Interrupt) }
	proxy.WaitDelay = 10 * time.Second
	require.NoError(t, proxy.Start())
	t.Cleanup(func() {
		cancel()
		_ = proxy.Wait()
		assert.NoError(t, file.Close())
		if said, err := os.ReadFile(output); t.Failed() && err == nil {
			t.Logf("%s: %s", name, said)
		}
	})
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	}, 10*time.Second, 10*time.Millisecond, "%s does not listen", name)
	return addr
}

// backend serves a handler on a socket until it is stopped. Connections end
// with it.
func backend(t *testing.T, socket string, handler http.Handler) (stop func()) {
	t.Helper()
	listener, err := net.Listen("unix", socket)
	if !assert.NoError(t, err) {
		return func() {}
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(listener) })
	return func() {
		_ = server.Close()
		serving.Wait()
	}
}

// The only test that takes real time, because the clock of a proxy is not ours.
// It is left out by go test -short.
func TestFlowsInstancesAll_SurvivesRestartBehindProxy(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes 12 seconds")
	}
	const restart, walks = 12 * time.Second, 8
	for name := range proxies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := exec.LookPath(name); err != nil {
				t.Skip("not installed")
			}
			dir, err := os.MkdirTemp("", "proxy") //nolint:usetesting // a socket must have a short path
			require.NoError(t, err)
			t.Cleanup(func() { assert.NoError(t, os.RemoveAll(dir)) })
			socket := filepath.Join(dir, "backend")
			slugs := "abcdefghijklmnopqrstuvwxyz"
			flows := &testkit.FlowServer{Slugs: testkit.Letters(slugs)}
			stop := backend(t, socket, flows)
			ak, err := authentik.NewClient("http://"+startProxy(t, name, dir), testkit.Token)
			require.NoError(t, err)
			defer ak.Close()

			var halfway, all sync.WaitGroup
			halfway.Add(walks)
			down := make(chan struct{})
			for i := range walks {
				all.Go(func() {
					opts := &authentik.FlowsInstancesListOptions{PageSize: 2}
					seen := ""
					atHalf := sync.OnceFunc(halfway.Done)
					defer atHalf()
					for flow, err := range ak.FlowsInstancesAll(t.Context(), opts, authentik.WithPrefetch(i/2)) {
						if !assert.NoError(t, err, "after %s", seen) {
							break
						}
						if seen += flow.Slug; len(seen) == len(slugs)/2 {
							atHalf()
							<-down
						}
					}
					assert.Equal(t, slugs, seen, "each flow once, in order")
				})
			}
			halfway.Wait()
			stop()
			began := time.Now()
			up := make(chan func(), 1)
			time.AfterFunc(restart, func() { up <- backend(t, socket, flows) })
			close(down)
			all.Wait()
			assert.Greater(t, time.Since(began), restart)
			assert.Less(t, time.Since(began), restart+10*time.Second)
			(<-up)()
		})
	}
}
