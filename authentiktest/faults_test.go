package authentiktest_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"regexp"
	"runtime/pprof"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/authentiktest"
)

// once is a client that does not try again.
func once(srv *authentiktest.Server) *authentik.Client {
	return srv.Client(authentik.WithRetry(authentik.RetryPolicy{MaxAttempts: 1}))
}

func TestFaults(t *testing.T) {
	t.Parallel()
	status := func(want int, body string) func(t *testing.T, r authentik.Response, err error) {
		return func(t *testing.T, r authentik.Response, err error) {
			t.Helper()
			var answered *authentik.APIError
			require.ErrorAs(t, err, &answered)
			assert.Equal(t, want, answered.StatusCode)
			assert.Equal(t, body, string(r.Body))
			assert.Empty(t, r.RequestID, "a proxy adds no X-authentik-id")
		}
	}
	for name, fault := range map[string]struct {
		set   func(srv *authentiktest.Server)
		check func(t *testing.T, r authentik.Response, err error)
	}{
		"FailNext": {
			func(srv *authentiktest.Server) {
				srv.FailNext(2, 429, `{"detail":"later"}`, http.Header{"Retry-After": {"7"}})
			},
			func(t *testing.T, r authentik.Response, err error) {
				t.Helper()
				status(429, `{"detail":"later"}`)(t, r, err)
				assert.ErrorIs(t, err, authentik.ErrRateLimited)
				assert.Equal(t, "7", r.Header.Get("Retry-After"))
				assert.Equal(t, "application/json", r.Header.Get("Content-Type"))
			},
		},
		"FailNext without a body": {
			func(srv *authentiktest.Server) { srv.FailNext(2, 502, "", nil) },
			status(502, ""),
		},
		"FailNext with status 204": {
			func(srv *authentiktest.Server) { srv.FailNext(2, 204, "unwanted", nil) },
			func(t *testing.T, r authentik.Response, err error) {
				t.Helper()
				var undecodable *authentik.DecodeError
				require.ErrorAs(t, err, &undecodable)
				assert.Equal(t, 204, r.StatusCode)
			},
		},
		"HTMLPage": {
			func(srv *authentiktest.Server) { srv.HTMLPage(2) },
			func(t *testing.T, _ authentik.Response, err error) {
				t.Helper()
				var undecodable *authentik.DecodeError
				require.ErrorAs(t, err, &undecodable)
				assert.Contains(t, undecodable.ContentType, "text/html")
				assert.Equal(t, 200, undecodable.StatusCode)
			},
		},
		"Starting": {
			func(srv *authentiktest.Server) { srv.Starting(2) },
			func(t *testing.T, r authentik.Response, err error) {
				t.Helper()
				assert.ErrorIs(t, err, authentik.ErrStarting)
				assert.Equal(t, "5", r.Header.Get("Retry-After"))
			},
		},
		"Crashed": {
			func(srv *authentiktest.Server) { srv.Crashed(2) },
			func(t *testing.T, r authentik.Response, err error) {
				t.Helper()
				assert.ErrorIs(t, err, authentik.ErrStarting)
				assert.Equal(t, 502, r.StatusCode)
				assert.Empty(t, r.RequestID, "the router's, which has none")
			},
		},
		"CutBody": {
			func(srv *authentiktest.Server) { srv.CutBody(9); srv.CutBody(9) },
			func(t *testing.T, _ authentik.Response, err error) {
				t.Helper()
				assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
			},
		},
		"CutBody of more than there is": {
			func(srv *authentiktest.Server) { srv.CutBody(1 << 20); srv.CutBody(1 << 20) },
			func(t *testing.T, _ authentik.Response, err error) {
				t.Helper()
				assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
			},
		},
		"Reset": {
			func(srv *authentiktest.Server) { srv.Reset(); srv.Reset() },
			func(t *testing.T, r authentik.Response, err error) {
				t.Helper()
				assert.ErrorIs(t, err, syscall.ECONNRESET)
				assert.Zero(t, r.StatusCode)
			},
		},
	} {
		for kind, start := range kinds {
			t.Run(name+" "+kind, func(t *testing.T) {
				t.Parallel()
				srv := start(t)
				ak := once(srv)
				fault.set(srv)
				for range 2 {
					var r authentik.Response
					_, err := ak.FlowsInstancesList(t.Context(), nil, authentik.WithResponse(&r))
					fault.check(t, r, err)
				}
				_, err := ak.FlowsInstancesList(t.Context(), nil)
				assert.NoError(t, err, "the third request of two")

				fault.set(srv)
				srv.ClearFaults()
				_, err = ak.FlowsInstancesList(t.Context(), nil)
				assert.NoError(t, err, "nothing is left of it")
			})
		}
	}
}

// Before 2022.12 the router says the same of a server that died as of one that
// starts.
func TestCrashedOfAnOldRelease(t *testing.T) {
	t.Parallel()
	srv := authentiktest.RoundTripper(t, authentiktest.Version("2021.12"))
	srv.Crashed(2)
	for range 2 {
		_, err := once(srv).ServerVersion(t.Context())
		assert.EqualError(t, err, "authentik: ServerVersion: 502 Bad Gateway: authentik starting... (1 attempt)")
	}
}

func TestFaultsOfOneOperation(t *testing.T) {
	t.Parallel()
	srv := authentiktest.RoundTripper(t)
	ak := once(srv)
	srv.FailNext(1, 500, "", nil)
	srv.On("flows_instances_list").FailNext(1, 502, "", nil)
	srv.On("flows_instances_list").FailNext(1, 503, "", nil)
	list := func() int {
		var r authentik.Response
		_ = ak.Get(t.Context(), "flows/instances/", nil, nil, authentik.WithResponse(&r)) // the status tells
		return r.StatusCode
	}
	assert.Equal(t, []int{502, 503, 500, 200}, []int{list(), list(), list(), list()}, "its own first, in their order")

	srv.On("flows_instances_list").FailNext(1, 502, "", nil)
	_, err := ak.ServerVersion(t.Context())
	assert.NoError(t, err, "another operation")
	srv.ClearFaults()
	assert.Equal(t, 502, list(), "not the server's to clear")
}

func TestLatency(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := authentiktest.RoundTripper(t)
		took := func(ctx context.Context, ask func(context.Context) error) (time.Duration, error) {
			start := time.Now()
			err := ask(ctx)
			return time.Since(start), err
		}
		ak := srv.Client()
		version := func(ctx context.Context) error {
			_, err := ak.ServerVersion(ctx)
			return err
		}
		list := func(ctx context.Context) error {
			_, err := ak.FlowsInstancesList(ctx, nil)
			return err
		}
		srv.Latency(time.Hour / 2)
		srv.On("flows_instances_list").Latency(time.Second)
		waited, err := took(t.Context(), version)
		assert.ErrorIs(t, err, authentik.ErrAttemptTimeout)
		assert.GreaterOrEqual(t, waited, 2*time.Minute)

		srv.Latency(10 * time.Second)
		waited, err = took(t.Context(), version)
		assert.NoError(t, err)
		assert.Equal(t, 10*time.Second, waited)
		waited, err = took(t.Context(), list)
		assert.NoError(t, err)
		assert.Equal(t, 11*time.Second, waited)

		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		waited, err = took(ctx, version)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, 3*time.Second, waited)

		time.AfterFunc(time.Second, srv.Close)
		waited, err = took(t.Context(), func(ctx context.Context) error {
			_, err := once(srv).ServerVersion(ctx)
			return err
		})
		assert.ErrorContains(t, err, "the server is closed")
		assert.Equal(t, time.Second, waited)
	})
}

func TestRetriesWithoutWaiting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := authentiktest.RoundTripper(t)
		srv.FailNext(2, http.StatusServiceUnavailable, "", http.Header{"Retry-After": {"30"}})
		start := time.Now()
		_, err := srv.Client().ServerVersion(t.Context())
		require.NoError(t, err)
		assert.GreaterOrEqual(t, time.Since(start), time.Minute)
		assert.Len(t, srv.Requests(), 3)
	})
}

func TestChangeListAfterPage(t *testing.T) {
	t.Parallel()
	for kind, start := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			srv := start(t, authentiktest.Empty())
			srv.AddFlows(50)
			changes := 0
			srv.ChangeListAfterPage(2, func() {
				changes++
				srv.DeleteFlow("brand-0003-enrollment")
			})
			ak := once(srv)
			opts := &authentik.FlowsInstancesListOptions{PageSize: 20}
			flows, err := authentik.Collect(ak.FlowsInstancesAll(t.Context(), opts))
			assert.ErrorIs(t, err, authentik.ErrListChanged)
			assert.Len(t, flows, 49)

			flows, err = authentik.Collect(ak.FlowsInstancesAll(t.Context(), opts))
			require.NoError(t, err)
			assert.Len(t, flows, 49)
			assert.Equal(t, 1, changes)
		})
	}
}

func TestMisuseOfFaults(t *testing.T) {
	t.Parallel()
	for name, misuse := range map[string]func(srv *authentiktest.Server){
		"no request":        func(srv *authentiktest.Server) { srv.HTMLPage(0) },
		"no status":         func(srv *authentiktest.Server) { srv.FailNext(1, 42, "", nil) },
		"no page":           func(srv *authentiktest.Server) { srv.ChangeListAfterPage(0, func() {}) },
		"no change":         func(srv *authentiktest.Server) { srv.ChangeListAfterPage(1, nil) },
		"no operation":      func(srv *authentiktest.Server) { srv.On("flows_instances").Reset() },
		"one it cannot do":  func(srv *authentiktest.Server) { srv.On("managed_blueprints_retrieve").Reset() },
		"no such flow":      func(srv *authentiktest.Server) { srv.DeleteFlow("nope") },
		"an update of none": func(srv *authentiktest.Server) { srv.UpdateFlow("nope", func(*authentik.Flow) {}) },
		"an unsound update": func(srv *authentiktest.Server) {
			srv.UpdateFlow("initial-setup", func(f *authentik.Flow) { f.Slug = "a b" })
		},
		"another's slug": func(srv *authentiktest.Server) {
			srv.UpdateFlow("initial-setup", func(f *authentik.Flow) { f.Slug = "default-password-change" })
		},
		"a value too new": func(srv *authentiktest.Server) {
			srv.AddFlow(authentik.Flow{Layout: authentik.FlowLayoutSidebarLeftFrameBackground})
		},
		"a stage's name":    func(srv *authentiktest.Server) { srv.AddStage(authentik.Stage{Name: "default-authentication-login"}) },
		"a binding of none": func(srv *authentiktest.Server) { srv.AddBinding(authentik.FlowStageBinding{Stage: srv.Stages()[0].PK}) },
		"a binding to none": func(srv *authentiktest.Server) { srv.AddBinding(authentik.FlowStageBinding{Target: srv.Flows()[0].PK}) },
		"a binding twice":   func(srv *authentiktest.Server) { srv.AddBinding(srv.Bindings()[0]) },
		"a binding's values": func(srv *authentiktest.Server) {
			srv.AddBinding(authentik.FlowStageBinding{Target: srv.Flows()[0].PK, Stage: srv.Stages()[0].PK, InvalidResponseAction: "no"})
		},
		"a binding's mode": func(srv *authentiktest.Server) {
			srv.AddBinding(authentik.FlowStageBinding{Target: srv.Flows()[0].PK, Stage: srv.Stages()[0].PK, PolicyEngineMode: "no"})
		},
		"fewer flows than none": func(srv *authentiktest.Server) { srv.AddFlows(-1) },
		"a flow in the way": func(srv *authentiktest.Server) {
			srv.AddFlow(authentik.Flow{Slug: "brand-0000-authentication"})
			srv.AddFlows(1)
		},
		"no such binding": func(srv *authentiktest.Server) { srv.DeleteBinding(srv.Flows()[0].PK) },
		"no such stage":   func(srv *authentiktest.Server) { srv.DeleteStage(srv.Flows()[0].PK) },
		"a permission":    func(srv *authentiktest.Server) { srv.AddUser("view_flow") },
		"an object's":     func(srv *authentiktest.Server) { srv.AddUser("authentik_flows.view_flow:my-flow") },
		"a token":         func(srv *authentiktest.Server) { srv.RotateToken("nope") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tb := &told{TB: t}
			srv := authentiktest.RoundTripper(tb, authentiktest.Version("2024.10"))
			t.Cleanup(srv.Close)
			misuse(srv)
			assert.NotEmpty(t, tb.errors)
			var r authentik.Response
			assert.Error(t, once(srv).Get(t.Context(), "flows/instances/", nil, nil, authentik.WithResponse(&r)))
			assert.Equal(t, 599, r.StatusCode)
		})
	}
}

func TestServerClose_ReportsUnmetFaults(t *testing.T) {
	t.Parallel()
	const op = "flows_instances_list"
	for call, set := range map[string]func(srv *authentiktest.Server){
		"FailNext(2, 503, …)": func(srv *authentiktest.Server) { srv.FailNext(2, 503, "", nil) },
		"HTMLPage(1)":         func(srv *authentiktest.Server) { srv.HTMLPage(1) },
		"Starting(1)":         func(srv *authentiktest.Server) { srv.Starting(1) },
		"Crashed(1)":          func(srv *authentiktest.Server) { srv.Crashed(1) },
		"CutBody(9)":          func(srv *authentiktest.Server) { srv.CutBody(9) },
		"Reset()":             func(srv *authentiktest.Server) { srv.Reset() },
		"Latency(1s)":         func(srv *authentiktest.Server) { srv.Latency(time.Second) },
		"ChangeListAfterPage(2, …)": func(srv *authentiktest.Server) {
			srv.ChangeListAfterPage(2, func() {})
		},
		`On("flows_instances_list").FailNext(1, 503, …)`:       func(srv *authentiktest.Server) { srv.On(op).FailNext(1, 503, "", nil) },
		`On("flows_instances_list").HTMLPage(1)`:               func(srv *authentiktest.Server) { srv.On(op).HTMLPage(1) },
		`On("flows_instances_list").Starting(1)`:               func(srv *authentiktest.Server) { srv.On(op).Starting(1) },
		`On("flows_instances_list").Crashed(1)`:                func(srv *authentiktest.Server) { srv.On(op).Crashed(1) },
		`On("flows_instances_list").CutBody(9)`:                func(srv *authentiktest.Server) { srv.On(op).CutBody(9) },
		`On("flows_instances_list").Reset()`:                   func(srv *authentiktest.Server) { srv.On(op).Reset() },
		`On("flows_instances_list").Latency(1s)`:               func(srv *authentiktest.Server) { srv.On(op).Latency(time.Second) },
		`On("flows_instances_list").ChangeListAfterPage(1, …)`: func(srv *authentiktest.Server) { srv.On(op).ChangeListAfterPage(1, func() {}) },
	} {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			tb := &told{TB: t}
			srv := authentiktest.RoundTripper(tb)
			set(srv)
			if strings.HasPrefix(call, "On") {
				_, err := once(srv).ServerVersion(t.Context()) // another operation
				require.NoError(t, err)
			}
			srv.Close()
			require.Len(t, tb.errors, 2)
			assert.Regexp(t, `^faults_test\.go:\d+: no request met the fault `+regexp.QuoteMeta(call)+`$`, tb.errors[1])
			srv.Close()
			assert.Len(t, tb.errors, 2, "once")
		})
	}
}

func TestServerClose_AcceptsFaultsThatWereMet(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tb := &told{TB: t}
		srv := authentiktest.RoundTripper(tb)
		srv.FailNext(100, 503, "", nil)
		srv.On("admin_version_retrieve").Latency(time.Second)
		_, err := once(srv).ServerVersion(t.Context())
		require.Error(t, err)
		srv.On("admin_version_retrieve").Latency(0)
		srv.Reset()
		srv.ClearFaults()
		srv.Close()
		assert.Empty(t, tb.errors, "one request met them, or they were removed")
	})
}

// TestNothingIsLeft looks for goroutines by a label that they inherit.
func TestNothingIsLeft(t *testing.T) {
	t.Parallel()
	pprof.Do(t.Context(), pprof.Labels("test", t.Name()), func(ctx context.Context) {
		srv := authentiktest.Start()
		ak := once(srv)
		_, err := ak.ServerVersion(ctx)
		require.NoError(t, err)
		srv.Latency(time.Hour)
		waits, ended := make(chan struct{}), make(chan error)
		srv.ChangeListAfterPage(1, func() { close(waits) })
		go func() {
			_, err := ak.FlowsInstancesList(ctx, nil)
			ended <- err
		}()
		<-waits
		srv.Close() // while one is being answered
		require.Error(t, <-ended)
		assert.Eventually(t, func() bool {
			var profile bytes.Buffer
			require.NoError(t, errors.Join(pprof.Lookup("goroutine").WriteTo(&profile, 1)))
			return bytes.Count(profile.Bytes(), []byte(`"test":"`+t.Name()+`"`)) <= 2 // this test, and this function
		}, 10*time.Second, 5*time.Millisecond)
	})
}
