package session_test

import (
	"io"
	"net"
	"net/http"
	"os"
	"syscall"

	"github.com/seed-299d42e7/authentik-go/internal/testkit"
)

// fail fails a request that the server does not get.
func fail(err error) fault {
	return func(*wire, *http.Request) (*http.Response, error) { return nil, err }
}

// respond responds in the place of the server, as a proxy does.
func respond(status int, contentType, body string, headers ...string) fault {
	return func(*wire, *http.Request) (*http.Response, error) {
		r := testkit.Reply(status, contentType, body, append(headers, "Set-Cookie", "proxy="+testkit.ServerSecret)...)
		r.Headers = r.Headers[1:] // without authentik's ID
		return testkit.HTTPResponse(r), nil
	}
}

// crash responds as authentik does where a request has failed in it.
func crash(status int, contentType, body string) fault {
	return func(*wire, *http.Request) (*http.Response, error) {
		return testkit.HTTPResponse(testkit.Reply(status, contentType, body)), nil
	}
}

// after lets the server execute a request before a fault.
func after(f fault) fault {
	return func(w *wire, req *http.Request) (*http.Response, error) {
		resp, err := w.pass(req)
		if err != nil {
			return nil, err
		}
		if err := resp.Body.Close(); err != nil {
			return nil, err
		}
		return f(w, req)
	}
}

// The faults of more than one row.
var (
	reset   = fail(&net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)})
	closed  = fail(io.EOF)
	nobody  = fail(&net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)})
	gateway = respond(http.StatusBadGateway, testkit.HTML, "<html><title>502 Bad Gateway</title></html>")
	died    = respond(http.StatusBadGateway, testkit.JSON,
		`{"error":"failed to connect to authentik backend: read unix @->/x.sock: read: connection reset by peer"}`)
	failure = crash(http.StatusInternalServerError, testkit.HTML, "<html><title>Server Error</title></html>")
)

// hang does not respond.
func hang(_ *wire, req *http.Request) (*http.Response, error) { return testkit.Hang(req) }

// cutBody passes a request on, and cuts the body of the response in two. The
// headers arrive.
func cutBody(w *wire, req *http.Request) (*http.Response, error) {
	resp, err := w.pass(req)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	resp.Body = testkit.BrokenBody(string(body[:len(body)/2]), io.ErrUnexpectedEOF)
	resp.ContentLength = -1
	return resp, nil
}

// losesCookies passes a request on without its cookies.
func losesCookies(w *wire, req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.Header.Del("Cookie")
	return w.pass(req)
}

// losesSetCookie passes a response on without its cookies.
func losesSetCookie(w *wire, req *http.Request) (*http.Response, error) {
	resp, err := w.pass(req)
	if err == nil {
		resp.Header.Del("Set-Cookie")
	}
	return resp, err
}

// runsAnotherFlow starts another flow in the same session before a request, as
// another tab of a browser does.
func runsAnotherFlow(w *wire, req *http.Request) (*http.Response, error) {
	other := req.Clone(req.Context())
	other.Method, other.Body, other.ContentLength = http.MethodGet, nil, 0
	other.URL.Path = "/api/v3/flows/executor/another/"
	resp, err := w.pass(other)
	if err != nil {
		return nil, err
	}
	if err := resp.Body.Close(); err != nil {
		return nil, err
	}
	return w.pass(req)
}

// redirectsToItself responds as authentik does after a stage, for ever.
func redirectsToItself(_ *wire, req *http.Request) (*http.Response, error) {
	r := testkit.Reply(http.StatusFound, testkit.HTML, "", "Location", req.URL.RequestURI())
	return testkit.HTTPResponse(r), nil
}
