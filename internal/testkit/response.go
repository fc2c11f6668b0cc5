package testkit

import (
	"io"
	"net/http"
	"strings"

	"github.com/seed-299d42e7/authentik-go/internal/testkit/recording"
)

// Values of the Content-Type header that authentik sends.
const (
	JSON = "application/json"
	HTML = "text/html; charset=utf-8"
	Text = "text/plain; charset=utf-8"
)

const (
	// RequestID is the X-authentik-id header of each [Reply].
	RequestID = "0123456789abcdef0123456789abcdef"
	// StartingBody is the body that authentik's router sends while its backend
	// starts.
	StartingBody = `{"error":"authentik starting"}`
)

// Reply returns a response of authentik's backend, which has a [RequestID]. It
// is an [http.Handler]; [Respond] makes a [Step] of it. Further headers are
// pairs of a name and a value.
func Reply(status int, contentType, body string, headers ...string) recording.Response {
	r := recording.Response{Status: status, Text: body, Headers: [][2]string{{"X-authentik-id", RequestID}}}
	if contentType != "" {
		headers = append(headers, "Content-Type", contentType)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Headers = append(r.Headers, [2]string{headers[i], headers[i+1]})
	}
	return r
}

// HTTPResponse returns r as an [http.RoundTripper] returns it. Its status line
// has an unusual reason phrase, which no error may repeat.
func HTTPResponse(r recording.Response) *http.Response {
	resp := &http.Response{
		StatusCode: r.Status, Status: "777 the server's own words", Header: http.Header{},
		Body: io.NopCloser(strings.NewReader(r.Text)), ContentLength: -1,
	}
	for _, h := range r.Headers {
		resp.Header.Add(h[0], h[1])
	}
	return resp
}

// StaticHandler returns a handler that sends a response without an
// X-authentik-id header.
func StaticHandler(status int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body) // an error means that the client has gone
	}
}

// RawHandler returns a handler that writes raw to the connection, even if it is
// not HTTP, and closes the connection.
func RawHandler(raw string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			panic(err)
		}
		_, _ = io.WriteString(conn, raw) // an error means that the client has gone
		_ = conn.Close()
	})
}
