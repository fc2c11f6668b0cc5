package testkit

import (
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
)

// NewTLSServer serves handler over TLS until the test ends. The configure
// function may change the server before it starts. The server does not log.
func NewTLSServer(t testing.TB, handler http.Handler, configure func(*httptest.Server)) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	configure(server)
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

// NewTLSClient returns an HTTP client that trusts the server's certificate. The
// configure function may change the client's configuration.
func NewTLSClient(server *httptest.Server, configure func(*tls.Config)) *http.Client {
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	config := &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	configure(config)
	return &http.Client{Transport: &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}}
}
