package testkit

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/internal/testkit/recording"
)

// Step handles one request of a [Sequence].
type Step func(*http.Request) (*http.Response, error)

// Sequence is a server in memory. It handles the first request with its first
// step, the second request with its second step, and so on; the last step
// handles all further requests. Create it with [NewSequence].
type Sequence struct {
	steps []Step
	began time.Time

	mu       sync.Mutex
	arrivals []time.Duration
}

// NewSequence returns a server with these steps, of which there must be at
// least one.
func NewSequence(steps ...Step) *Sequence { return &Sequence{steps: steps, began: time.Now()} }

// RoundTrip implements [http.RoundTripper].
func (s *Sequence) RoundTrip(req *http.Request) (*http.Response, error) {
	s.mu.Lock()
	step := s.steps[min(len(s.arrivals), len(s.steps)-1)]
	s.arrivals = append(s.arrivals, time.Since(s.began))
	s.mu.Unlock()
	return step(req)
}

// Client returns a client of this server.
func (s *Sequence) Client(t testing.TB, opts ...authentik.ClientOption) *CheckedClient {
	t.Helper()
	client := &http.Client{Transport: RoundTripFunc(s.RoundTrip)}
	opts = append([]authentik.ClientOption{authentik.WithHTTPClient(client)}, opts...)
	return NewCheckedClient(t, "https://sso.example.com", opts...)
}

// Requests returns the number of requests so far.
func (s *Sequence) Requests() int { return len(s.Arrivals()) }

// Arrivals returns the times at which requests arrived, measured from
// [NewSequence].
func (s *Sequence) Arrivals() []time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.arrivals)
}

// Waits returns the times between two requests.
func (s *Sequence) Waits() (all []time.Duration) {
	arrivals := s.Arrivals()
	for i := 1; i < len(arrivals); i++ {
		all = append(all, arrivals[i]-arrivals[i-1])
	}
	return all
}

// Respond returns a step that responds with r.
func Respond(r recording.Response) Step {
	return func(*http.Request) (*http.Response, error) { return HTTPResponse(r), nil }
}

// RespondStatus returns a step that responds with a status code, the message
// "Later." and these Retry-After headers. The response does not say that the
// server is starting.
func RespondStatus(status int, retryAfter ...string) Step {
	r := Reply(status, JSON, `{"detail":"Later."}`, "Set-Cookie", ServerSecret)
	for _, value := range retryAfter {
		r.Headers = append(r.Headers, [2]string{"Retry-After", value})
	}
	return Respond(r)
}

// Fail returns a step that fails with err.
func Fail(err error) Step {
	return func(*http.Request) (*http.Response, error) { return nil, err }
}

// Hang is a step that does not respond.
func Hang(req *http.Request) (*http.Response, error) {
	<-req.Context().Done()
	return nil, req.Context().Err()
}

// HangInBody returns a step that responds with r, but never ends the body.
func HangInBody(r recording.Response) Step {
	return func(req *http.Request) (*http.Response, error) {
		resp := HTTPResponse(r)
		resp.Body = io.NopCloser(io.MultiReader(resp.Body, readerFunc(func([]byte) (int, error) {
			<-req.Context().Done()
			return 0, req.Context().Err()
		})))
		return resp, nil
	}
}

// BrokenBody returns a body that has text in it and then fails with err.
func BrokenBody(text string, err error) io.ReadCloser {
	return io.NopCloser(io.MultiReader(strings.NewReader(text), readerFunc(func([]byte) (int, error) { return 0, err })))
}

// readerFunc is a function that implements [io.Reader].
type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
