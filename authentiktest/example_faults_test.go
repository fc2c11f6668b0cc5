package authentiktest_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/authentiktest"
)

// never is a policy without a second attempt.
var never = authentik.WithRetry(authentik.RetryPolicy{MaxAttempts: 1})

// A write whose response is lost has happened all the same.
func ExampleServer_FailAfterCommit() {
	srv := authentiktest.RoundTripper(nil)
	srv.FailAfterCommit(1)
	_, err := srv.Client().FlowsInstancesCreate(context.Background(), authentik.FlowRequest{
		Name: "Log in", Title: "Log in", Slug: "log-in", Designation: authentik.FlowDesignationAuthentication,
	})
	fmt.Println(errors.Is(err, authentik.ErrPerhapsDone))
	flow, err := srv.Client().FlowsInstancesRetrieve(context.Background(), "log-in")
	fmt.Println(flow.Title, err)
	// Output:
	// true
	// Log in <nil>
}

// Authentik restarts behind nginx. In a bubble of testing/synctest, a minute
// takes no time.
func ExampleServer_Behind() {
	srv := authentiktest.RoundTripper(nil)
	srv.Behind(authentiktest.Nginx, time.Minute)
	err := srv.Client(never).Get(context.Background(), "flows/instances/", nil, nil)
	var answered *authentik.APIError
	fmt.Println(errors.As(err, &answered), answered.StatusCode)
	// Output: true 502
}

func ExampleProxy_String() {
	fmt.Println(authentiktest.CloudflareTunnel)
	// Output: CloudflareTunnel
}

func ExampleServer_RateLimit() {
	srv := authentiktest.RoundTripper(nil)
	srv.RateLimit(authentiktest.Limit{Requests: 2, Per: time.Minute})
	for range 3 {
		_, err := srv.Client(never).ServerVersion(context.Background())
		var limited *authentik.APIError
		fmt.Println(errors.As(err, &limited), errors.Is(err, authentik.ErrRateLimited))
	}
	// Output:
	// false false
	// false false
	// true true
}

func ExampleServer_Down() {
	srv := authentiktest.Start()
	defer srv.Close()
	srv.Down(time.Hour)
	resp, err := http.Get(srv.URL)
	if err == nil {
		_ = resp.Body.Close()
	}
	fmt.Println(err != nil)
	srv.ClearFaults()
	_, err = srv.Client().ServerVersion(context.Background())
	fmt.Println(err)
	// Output:
	// true
	// <nil>
}

func ExampleServer_Unresolvable() {
	srv := authentiktest.RoundTripper(nil)
	srv.Unresolvable(time.Hour)
	resp, err := (&http.Client{Transport: srv}).Get(srv.URL)
	if err == nil {
		_ = resp.Body.Close()
	}
	fmt.Println(err)
	// Output: Get "https://authentik.example.com": dial tcp: lookup authentik.example.com: no such host
}

// A load balancer has forgotten the connections that a service keeps open.
func ExampleServer_KillConnections() {
	srv := authentiktest.RoundTripper(nil)
	srv.KillConnections()
	client := srv.Client(authentik.WithTimeout(10*time.Millisecond), quick)
	var r authentik.Response
	_, err := client.ServerVersion(context.Background(), authentik.WithResponse(&r))
	fmt.Println(err, r.Attempts, "attempts")
	// Output: <nil> 2 attempts
}

func ExampleTLS() {
	srv := authentiktest.Start(authentiktest.TLS())
	defer srv.Close()
	_, err := srv.Client().ServerVersion(context.Background())
	fmt.Println(srv.URL[:8], err)
	// Output: https:// <nil>
}

// A client of the test's own trusts the server.
func ExampleServer_Certificate() {
	srv := authentiktest.Start(authentiktest.TLS())
	defer srv.Close()
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
	defer transport.CloseIdleConnections()
	ak, err := authentik.NewClient(srv.URL, srv.Token, authentik.WithHTTPClient(&http.Client{Transport: transport}))
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = ak.ServerVersion(context.Background())
	fmt.Println(err)
	// Output: <nil>
}
