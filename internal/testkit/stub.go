package testkit

import (
	"io"
	"net/http"
	"sync/atomic"
)

// Stub is an [http.Handler] that sends the same response to every request and
// counts the requests. The zero value sends an empty JSON response with status
// 200.
type Stub struct {
	// Status is the status code. Zero means 200.
	Status int
	// ContentType is the Content-Type. Empty means [JSON], and "none" sends no
	// Content-Type.
	ContentType string
	// Body is the response body.
	Body string
	// Requests counts the requests.
	Requests atomic.Int32
}

// ServeHTTP implements [http.Handler]. The X-authentik-id header contains
// [Token], because a server may repeat what it received.
func (s *Stub) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	s.Requests.Add(1)
	switch s.ContentType {
	case "":
		w.Header().Set("Content-Type", JSON)
	case "none":
		w.Header()["Content-Type"] = nil
	default:
		w.Header().Set("Content-Type", s.ContentType)
	}
	w.Header().Set("X-authentik-id", "id-of-"+Token)
	if s.Status != 0 {
		w.WriteHeader(s.Status)
	}
	_, _ = io.WriteString(w, s.Body) // an error means that the client has gone
}
