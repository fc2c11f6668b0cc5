// Package demo serves, on loopback, what a real authentik answered just after
// it was installed, so that the examples need no server.
package demo

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/seed-299d42e7/authentik-go/internal/recorded"
	"github.com/seed-299d42e7/authentik-go/testdata"
)

// Version is the server's, and Token what it is asked with.
const (
	Version = "2024.10.0"
	Token   = "demo"
)

// Server is a demo that is running.
type Server struct {
	URL     string
	Binding uuid.UUID // one that it has

	http *http.Server
}

// Start starts a server; Close ends it.
func Start() (*Server, error) {
	all, err := recorded.Load(testdata.Recordings, "recordings/"+Version+".jsonl")
	if err != nil {
		return nil, err
	}
	answers := answersOf(all)
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it does not wait
	if err != nil {
		return nil, err
	}
	s := &Server{
		URL:  "http://" + listener.Addr().String(),
		http: &http.Server{Handler: answers, ReadHeaderTimeout: 10 * time.Second},
	}
	for question, answer := range answers {
		id, ok := strings.CutPrefix(question, "/api/v3/flows/bindings/")
		if pk, err := uuid.Parse(strings.TrimSuffix(id, "/")); ok && err == nil && answer.Status == http.StatusOK {
			if s.Binding == uuid.Nil || pk.String() < s.Binding.String() {
				s.Binding = pk
			}
		}
	}
	go func() { _ = s.http.Serve(listener) }() // until Close
	return s, nil
}

// Close ends the server and its connections.
func (s *Server) Close() { _ = s.http.Close() }

// answers are recorded ones, by question.
type answers map[string]recorded.Response

// answersOf takes the first answer to each of an administrator's questions.
// About flows it takes none from after the server was first changed: it is one
// state of one server.
func answersOf(all []recorded.Exchange) answers {
	answers := answers{}
	changed := false
	for _, e := range all {
		changed = changed || e.Response.Status == http.StatusCreated
		u, err := url.Parse(e.Request.Target)
		if err != nil || e.Request.Method != http.MethodGet || e.Request.As() != "admin" ||
			changed && !strings.HasPrefix(u.Path, "/api/v3/admin/") {
			continue
		}
		if key := question(u); answers[key].Status == 0 {
			answers[key] = e.Response
		}
	}
	return answers
}

// question leaves out of a URL what makes no difference to this release: the
// first page and pages of 100 are what it gives unasked.
func question(u *url.URL) string {
	query := u.Query()
	for key, unasked := range map[string]string{"page": "1", "page_size": "100"} {
		if query.Get(key) == unasked {
			query.Del(key)
		}
	}
	return (&url.URL{Path: u.Path, RawQuery: query.Encode()}).String()
}

// ServeHTTP never guesses: what was not recorded is not answered.
func (a answers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer, ok := a[question(r.URL)]
	if !ok || r.Method != http.MethodGet {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusNotImplemented)
		_, _ = fmt.Fprintf(w, `{"detail":"the demo replays recordings, and has none of this request; a server of yours can answer it"}`)
		return
	}
	answer.ServeHTTP(w, r)
}
