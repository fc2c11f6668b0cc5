package authentik

import (
	"crypto/tls"
	"net/http"
	"runtime/debug"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What cannot be seen from outside without waiting for it, or because net/http
// has the same default today.
func TestOurOwnTransportIsBounded(t *testing.T) {
	t.Parallel()
	transport := newHTTPTransport()
	assert.EqualValues(t, tls.VersionTLS12, transport.TLSClientConfig.MinVersion)
	assert.False(t, transport.TLSClientConfig.InsecureSkipVerify)
	assert.Equal(t, 10*time.Second, transport.TLSHandshakeTimeout)
	assert.Equal(t, 90*time.Second, transport.IdleConnTimeout)
	assert.True(t, transport.ForceAttemptHTTP2)
	require.NotNil(t, transport.HTTP2)
	assert.Equal(t, http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 5 * time.Second}, *transport.HTTP2)
	assert.Zero(t, transport.ResponseHeaderTimeout, "an attempt's timeout covers it")
}

// A test binary does not know the version of its own module.
func TestModuleVersion(t *testing.T) {
	t.Parallel()
	const path = "github.com/seed-299d42e7/authentik-go"
	other := &debug.Module{Path: "example.com/other", Version: "v9.9.9"}
	for name, c := range map[string]struct {
		main *debug.Module
		deps []*debug.Module
		want string
	}{
		"as a dependency":            {other, []*debug.Module{other, {Path: path, Version: "v0.1.0"}}, "0.1.0"},
		"as the main module":         {&debug.Module{Path: path, Version: "v0.2.0-rc.1"}, nil, "0.2.0-rc.1"},
		"built from a checkout":      {&debug.Module{Path: path, Version: "(devel)"}, nil, "devel"},
		"replaced by a fork":         {other, []*debug.Module{{Path: path, Version: "v0.1.0", Replace: &debug.Module{Version: "v0.1.1"}}}, "0.1.1"},
		"replaced by a directory":    {other, []*debug.Module{{Path: path, Version: "v0.1.0", Replace: &debug.Module{}}}, "devel"},
		"in a build without modules": {&debug.Module{}, nil, "devel"},
	} {
		assert.Equal(t, c.want, moduleVersion(&debug.BuildInfo{Main: *c.main, Deps: c.deps}, "devel"), name)
	}
}
