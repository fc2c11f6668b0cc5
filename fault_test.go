package authentik_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/internal/recorded"
)

func TestFault(t *testing.T) { //nolint:paralleltest // its subtests are, but for those that count allocations
	for _, faults := range []map[string]func(*testing.T){transportFaults, httpFaults, concurrencyFaults} {
		for row, test := range faults {
			t.Run(row, test)
		}
	}
}

// subject is a client with every secret a client can have. Each of its errors
// and all of its log are held to be discreet.
type subject struct {
	*authentik.Client
	log *lines
}

func newSubject(t testing.TB, url string, opts ...authentik.ClientOption) *subject {
	t.Helper()
	s := &subject{log: &lines{}}
	var err error
	s.Client, err = authentik.NewClient(url, canary, append([]authentik.ClientOption{
		authentik.WithHeader("X-Proxy-Key", headerCanary), authentik.WithLogger(s.log.logger()),
	}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(func() {
		s.Close()
		discreet(t, s.Client)
		undisclosed(t, "the log", s.log.String())
	})
	return s
}

// listed is what came of a FlowsInstancesList.
type listed struct {
	page     *authentik.Page[authentik.Flow]
	err      error
	response authentik.Response
	took     time.Duration
}

// list searches for queryCanary, which a server's message may quote.
func (s *subject) list(ctx context.Context, t testing.TB, quoted ...string) (l listed) {
	t.Helper()
	began := time.Now()
	l.page, l.err = s.FlowsInstancesList(ctx, &listOptions{Search: queryCanary}, authentik.WithResponse(&l.response))
	l.took = time.Since(began)
	assert.Equal(t, l.err == nil, l.page != nil, "either an error or a page")
	if l.err != nil {
		discreet(t, l.err, quoted...)
	}
	return l
}

// step is what a server does with a request.
type step func(*http.Request) (*http.Response, error)

// script is a server without a socket: a step a request, the last one for ever.
type script struct {
	steps []step
	began time.Time

	mu   sync.Mutex
	came []time.Duration // when each request did
}

func newScript(steps ...step) *script { return &script{steps: steps, began: time.Now()} }

func (s *script) roundTrip(req *http.Request) (*http.Response, error) {
	s.mu.Lock()
	do := s.steps[min(len(s.came), len(s.steps)-1)]
	s.came = append(s.came, time.Since(s.began))
	s.mu.Unlock()
	return do(req)
}

func (s *script) requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.came)
}

// waits are the times between requests.
func (s *script) waits() (all []time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := 1; i < len(s.came); i++ {
		all = append(all, s.came[i]-s.came[i-1])
	}
	return all
}

func (s *script) subject(t testing.TB, opts ...authentik.ClientOption) *subject {
	t.Helper()
	client := &http.Client{Transport: roundTripper(s.roundTrip)}
	return newSubject(t, "https://sso.example.com", append([]authentik.ClientOption{authentik.WithHTTPClient(client)}, opts...)...)
}

func says(a recorded.Response) step {
	return func(*http.Request) (*http.Response, error) { return responseOf(a), nil }
}

func fails(err error) step {
	return func(*http.Request) (*http.Response, error) { return nil, err }
}

// hangs is a server that never answers.
func hangs(req *http.Request) (*http.Response, error) {
	<-req.Context().Done()
	return nil, req.Context().Err()
}

// hangsAfter is one that never ends its answer.
func hangsAfter(a recorded.Response) step {
	return func(req *http.Request) (*http.Response, error) {
		resp := responseOf(a)
		resp.Body = io.NopCloser(io.MultiReader(resp.Body, readerFunc(func([]byte) (int, error) {
			<-req.Context().Done()
			return 0, req.Context().Err()
		})))
		return resp, nil
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// good is an answer of two flows.
var good = reply(http.StatusOK, jsonType, listReader.good)

// bodyOf is a body that ends in an error.
func bodyOf(text string, err error) io.ReadCloser {
	return io.NopCloser(io.MultiReader(strings.NewReader(text), readerFunc(func([]byte) (int, error) { return 0, err })))
}
