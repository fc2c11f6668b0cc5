package transport_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/authentiktest"
	"github.com/seed-299d42e7/authentik-go/internal/testkit"
)

// A client in many hands: walks and calls with every option, some
// of them cancelled, out of time or beside a Close, over connections that fail
// now and then. Whatever happens to one does not happen to another.
func TestClient_ConcurrentUse(t *testing.T) {
	t.Parallel()
	const flows = 300
	srv := authentiktest.Start(authentiktest.Empty())
	t.Cleanup(srv.Close)
	srv.AddFlows(flows)
	stage := srv.AddStage(authentik.Stage{Name: "ask"})
	binding := srv.AddBinding(authentik.FlowStageBinding{Target: srv.Flows()[0].PK, Stage: stage.PK})

	var requests atomic.Int32
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch n := requests.Add(1); {
		case n%17 == 0:
			panic(http.ErrAbortHandler) // the connection is cut
		case n%13 == 0:
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
			srv.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(front.Close)

	testkit.AssertNoGoroutines(t, func() {
		var log testkit.Log
		var tokens, attempts atomic.Int32
		ak, err := authentik.NewClient(
			front.URL,
			"",
			authentik.WithTokenFunc(func(context.Context) (string, error) {
				tokens.Add(1)
				return srv.Token, nil
			}),
			authentik.WithMiddleware(func(next http.RoundTripper) http.RoundTripper {
				return testkit.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
					attempts.Add(1)
					return next.RoundTrip(r)
				})
			}),
			authentik.WithHeader(
				"X-Proxy-Key",
				testkit.HeaderSecret,
			),
			authentik.WithUserAgent("crowd/1"),
			authentik.WithLogger(log.Logger()),
			authentik.WithRetry(authentik.RetryPolicy{MaxAttempts: 10, BaseDelay: -1}),
		)
		require.NoError(t, err)
		defer ak.Close()

		testkit.Concurrently(64, func(hand int) {
			random := rand.New(rand.NewPCG(uint64(hand), 64))
			for range 6 {
				ctx, cancel := context.WithCancelCause(t.Context())
				disturbed := random.IntN(3) == 0
				switch {
				case disturbed && random.IntN(2) == 0:
					cancel(testkit.ErrTest)
				case disturbed:
					var done context.CancelFunc
					ctx, done = context.WithTimeout(ctx, 1) // nobody is as fast
					defer done()
				}
				if random.IntN(4) == 0 {
					ak.Close()
				}
				var r authentik.Response
				err := anyCall(ctx, ak, random, cancel, flows, binding.PK, &r)
				cancel(nil)
				switch {
				case !disturbed && !errors.Is(err, testkit.ErrTest): // but by itself, on its way
					assert.NoError(t, err)
					assert.Equal(t, http.StatusOK, r.StatusCode)
					assert.Len(t, r.RequestID, 32)
				default:
					assert.True(t, errors.Is(err, testkit.ErrTest) || errors.Is(err, context.DeadlineExceeded), "%v", err)
				}
			}
		})
		assert.Equal(t, attempts.Load(), tokens.Load(), "a token an attempt")
		testkit.AssertNoSecretsIn(t, "the log", log.String())
	})
}

// anyCall is one of everything that a client does; its error is also that of an
// answer that is not what it should be.
func anyCall(
	ctx context.Context,
	ak *authentik.Client,
	random *rand.Rand,
	cancel context.CancelCauseFunc,
	flows int,
	id uuid.UUID,
	r *authentik.Response,
) error {
	opts := &authentik.FlowsInstancesListOptions{PageSize: []int{0, 40, 150}[random.IntN(3)]}
	walkOpts := []authentik.RequestOption{authentik.WithResponse(r), authentik.WithPrefetch(random.IntN(4)), nil}
	switch random.IntN(6) {
	case 0: // a walk to its end
		all, err := authentik.Collect(ak.FlowsInstancesAll(ctx, opts, walkOpts...))
		return expect(err, len(all), flows)
	case 1: // one that is left
		for _, err := range ak.FlowsInstancesAll(ctx, opts, walkOpts...) {
			return err
		}
		return io.ErrUnexpectedEOF
	case 2: // one that is cancelled on its way
		seen := 0
		for page, err := range ak.FlowsInstancesPages(ctx, &authentik.FlowsInstancesListOptions{PageSize: 100}, walkOpts...) {
			if err != nil {
				return expect(err, seen, flows)
			}
			if seen += len(page.Results); seen == 200 {
				cancel(testkit.ErrTest)
			}
		}
		return expect(nil, seen, flows)
	case 3:
		page, err := ak.FlowsInstancesList(ctx, opts, walkOpts...)
		if err != nil {
			return err
		}
		return expect(nil, page.Pagination.Count, flows)
	case 4:
		binding, err := ak.BindingsRetrieve(ctx, id, walkOpts...)
		if err == nil && binding.PK != id {
			return io.ErrUnexpectedEOF
		}
		return err
	default:
		_, err := ak.ServerVersion(ctx, walkOpts...)
		return err
	}
}

func expect(err error, got, want int) error {
	if err == nil && got != want {
		return fmt.Errorf("%d, want %d", got, want)
	}
	return err
}

// Close is for connections that are idle: what is under way goes on.
func TestClientClose_KeepsActiveCalls(t *testing.T) {
	t.Parallel()
	came, closedMeanwhile := make(chan struct{}), make(chan struct{})
	answers := &testkit.Stub{Body: testkit.TwoFlowsBody}
	ak := testkit.NewCheckedClient(
		t,
		testkit.NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			came <- struct{}{}
			<-closedMeanwhile
			answers.ServeHTTP(w, req)
		})),
	)
	go func() {
		<-came
		ak.Close()
		close(closedMeanwhile)
	}()
	got := ak.List(t.Context(), t)
	require.NoError(t, got.Err)
	assert.Equal(t, 1, got.Response.Attempts)
	assert.EqualValues(t, 1, answers.Requests.Load())

	go func() { <-came }()
	require.NoError(t, ak.List(t.Context(), t).Err, "nor is it the end of the client")
}
