package authentik

import (
	"crypto/tls"
	"net/http"
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
