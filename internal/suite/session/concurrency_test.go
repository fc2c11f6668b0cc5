package session_test

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/authentiktest"
	"github.com/seed-299d42e7/authentik-go/challenge"
	"github.com/seed-299d42e7/authentik-go/internal/testkit"
)

// One session in many goroutines: the race detector watches.
func TestSession_ManyGoroutines(t *testing.T) {
	t.Parallel()
	w := newWire(t)
	w.server.Script("another", &challenge.Dummy{}, &challenge.Redirect{To: "/"})
	var running, most atomic.Int32 // requests to the executor
	w.meets = func(int) bool { return true }
	w.fault = func(w *wire, req *http.Request) (*http.Response, error) {
		if req.URL.Path != "/api/v3/flows/executor/another/" {
			return w.pass(req)
		}
		most.Store(max(most.Load(), running.Add(1)))
		defer running.Add(-1)
		return w.pass(req)
	}
	session := w.session(t)
	admin := authentik.Credentials{Username: authentiktest.AdminUsername, Password: authentiktest.AdminPassword}
	_, err := session.Login(t.Context(), loginFlow, admin)
	require.NoError(t, err)
	client, err := session.Client()
	require.NoError(t, err)
	testkit.Concurrently(24, func(i int) {
		var err error
		switch i % 6 {
		case 0: // each run has the flow for itself, but for case 1
			_, err = session.Run(t.Context(), "another", nil, authentik.Credentials{})
		case 1:
			_, err = session.ExecutorGet(t.Context(), "another", nil)
		case 2:
			_, err = client.FlowsInstancesList(t.Context(), nil)
		case 3:
			_, err = client.FlowsInstancesPartialUpdate(t.Context(), "initial-setup", authentik.FlowRequest{Title: "Hi"})
		case 4:
			session.SetCookies(session.Cookies())
			_, err = session.LoggedIn(t.Context())
		case 5:
			_, err = session.InspectorGet(t.Context(), "another")
			assert.NotContains(t, fmt.Sprintf("%+v", session), "CANARY")
		}
		assert.NoError(t, err, "case %d", i%6)
	})
	assert.EqualValues(t, 1, most.Load(), "requests to the executor are sent one after another")
}

// Of runs at the same time one is under way, so that none ends another's flow.
func TestRun_OneAtATime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWire(t)
		w.server.Script("one", &challenge.Dummy{Name: "1"}, &challenge.Dummy{Name: "2"}, &challenge.Redirect{To: "/1"})
		w.server.Script("two", &challenge.Dummy{Name: "3"}, &challenge.Dummy{Name: "4"}, &challenge.Redirect{To: "/2"})
		session := w.session(t)
		slow := authentik.SolverFunc(func(context.Context, challenge.Challenge) (challenge.Response, error) {
			time.Sleep(time.Second)
			return &challenge.DummyResponse{}, nil
		})
		testkit.Concurrently(2, func(i int) {
			end, err := session.Run(t.Context(), []string{"one", "two"}[i], nil, slow)
			if assert.NoError(t, err) {
				assert.Equal(t, []string{"/1", "/2"}[i], end.To)
			}
		})
		assert.Len(t, w.inDoubt, 1)
		assert.Equal(t, 4, w.inDoubt["POST ak-stage-dummy"])
	})
}

// A context that ends also ends the wait for another run or request.
func TestSession_ContextEndsWait(t *testing.T) {
	t.Parallel()
	credentials := authentik.Credentials{Username: "alice"}
	for name, call := range map[string]func(context.Context, *authentik.Session) error{
		"ExecutorGet": func(ctx context.Context, s *authentik.Session) error {
			_, err := s.ExecutorGet(ctx, loginFlow, nil)
			return err
		},
		"ExecutorSolve": func(ctx context.Context, s *authentik.Session) error {
			_, err := s.ExecutorSolve(ctx, loginFlow, nil, &challenge.DummyResponse{})
			return err
		},
		"InspectorGet": func(ctx context.Context, s *authentik.Session) error {
			_, err := s.InspectorGet(ctx, loginFlow)
			return err
		},
		"Run": func(ctx context.Context, s *authentik.Session) error {
			_, err := s.Run(ctx, loginFlow, nil, credentials)
			return err
		},
		"Login": func(ctx context.Context, s *authentik.Session) error {
			_, err := s.Login(ctx, loginFlow, credentials)
			return err
		},
		"Logout": func(ctx context.Context, s *authentik.Session) error { return s.Logout(ctx, logoutFlow) },
	} {
		testkit.RunInBubble(t, name, func(t *testing.T) {
			w := newWire(t)
			w.meets, w.fault = from(1), hang
			session := w.session(t, authentik.WithTimeout(time.Hour))
			busy, stop := context.WithCancel(t.Context())
			stopped := make(chan error)
			go func() {
				_, err := session.Run(busy, loginFlow, nil, credentials)
				stopped <- err
			}()
			synctest.Wait()
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(time.Second, func() { cancel(testkit.ErrTest) })
			began := time.Now()
			err := call(ctx, session)
			require.EqualError(t, err, "authentik: "+name+": enough (0 attempts)")
			require.ErrorIs(t, err, testkit.ErrTest)
			assert.Equal(t, time.Second, time.Since(began))
			assert.Len(t, w.requests(), 1)
			stop()
			require.ErrorIs(t, <-stopped, context.Canceled)
		})
	}
}

// A context that ends during a request is its error. A response that may have
// arrived is not sent again, and no further request looks.
func TestLogin_ContextEndsInRequest(t *testing.T) {
	t.Parallel()
	for i, step := range steps {
		testkit.RunInBubble(t, fmt.Sprintf("%d %s", i+1, step), func(t *testing.T) {
			w := newWire(t)
			credentials := w.account()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			w.meets, w.fault = once(i+1), hang
			_, err := w.session(t).Login(ctx, loginFlow, credentials)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			assert.Len(t, w.requests(), i+1)
			if step[:4] == "POST" {
				require.ErrorIs(t, err, authentik.ErrPerhapsDone)
			}
		})
	}
}

func TestRun_RejectsCallOfItsSolver(t *testing.T) {
	t.Parallel()
	credentials := authentik.Credentials{Username: "alice"}
	for name, call := range map[string]func(context.Context, *authentik.Session) error{
		"Run": func(ctx context.Context, s *authentik.Session) error {
			_, err := s.Run(ctx, "another", nil, credentials)
			return err
		},
		"Login": func(ctx context.Context, s *authentik.Session) error {
			_, err := s.Login(ctx, "another", credentials)
			return err
		},
		"Logout": func(ctx context.Context, s *authentik.Session) error { return s.Logout(ctx, "another") },
	} {
		testkit.RunInBubble(t, name, func(t *testing.T) {
			w := newWire(t)
			w.server.Script("another", &challenge.Dummy{}, &challenge.Redirect{To: "/"})
			session := w.session(t)
			other := newWire(t).session(t)
			var solver authentik.SolverFunc = func(ctx context.Context, _ challenge.Challenge) (challenge.Response, error) {
				_, err := other.LoggedIn(ctx)
				require.NoError(t, err, "another session may be used")
				_, err = other.Run(ctx, logoutFlow, nil, credentials)
				require.NoError(t, err)
				return nil, call(ctx, session)
			}
			_, err := session.Run(t.Context(), "another", nil, solver)
			require.EqualError(t, err, "authentik: "+name+": ctx: must not be that of a Solver of the same session")
			assert.Len(t, w.requests(), 1)
		})
	}
}
