package faults_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/authentiktest"
	"github.com/seed-299d42e7/authentik-go/internal/testkit"
)

// written is a write and a server on which it has not happened yet.
type written struct {
	srv       *authentiktest.Server
	operation string
	// repeatable reports whether a client may send it again after an attempt
	// that may have been executed.
	repeatable bool
	bodyless   bool // its success has no body that could be cut
	call       func(context.Context, *authentik.Client, ...authentik.RequestOption) error
	done       func() bool // whether it has happened
}

// writesOf are the writes of a Client, by name. A write that renames is not one
// that repeats: the old slug is gone.
var writesOf = map[string]func(*authentiktest.Server) written{
	"FlowsInstancesCreate":                 createFlow,
	"FlowsInstancesUpdate":                 updateFlow("s"),
	"FlowsInstancesUpdate, rename":         updateFlow("renamed"),
	"FlowsInstancesPartialUpdate":          patchFlow("s"),
	"FlowsInstancesPartialUpdate, rename":  patchFlow("renamed"),
	"FlowsInstancesDestroy":                destroyFlow,
	"FlowsInstancesImportCreate":           importFlow,
	"FlowsInstancesCacheClearCreate":       clearCache,
	"FlowsInstancesSetBackgroundCreate":    setBackground,
	"FlowsInstancesSetBackgroundURLCreate": setBackgroundURL,
	"BindingsCreate":                       createBinding,
	"BindingsUpdate":                       updateBinding,
	"BindingsPartialUpdate":                patchBinding,
	"BindingsDestroy":                      destroyBinding,
	"StagesAllDestroy":                     destroyStage,
}

func flowOf(srv *authentiktest.Server, slug string) *authentik.Flow {
	flows := srv.Flows()
	if i := slices.IndexFunc(flows, func(f authentik.Flow) bool { return f.Slug == slug }); i >= 0 {
		return &flows[i]
	}
	return nil
}

var newFlow = authentik.FlowRequest{
	Name: "N", Slug: "new", Title: "T", Designation: authentik.FlowDesignationRecovery,
}

func createFlow(srv *authentiktest.Server) written {
	return written{
		srv: srv, operation: "flows_instances_create",
		call: func(ctx context.Context, ak *authentik.Client, opts ...authentik.RequestOption) error {
			_, err := ak.FlowsInstancesCreate(ctx, newFlow, opts...)
			return err
		},
		done: func() bool { return flowOf(srv, "new") != nil },
	}
}

func updateFlow(slug string) func(*authentiktest.Server) written {
	return func(srv *authentiktest.Server) written {
		return written{
			srv: srv, operation: "flows_instances_update", repeatable: slug == "s",
			call: func(ctx context.Context, ak *authentik.Client, opts ...authentik.RequestOption) error {
				flow := newFlow
				flow.Slug = slug
				_, err := ak.FlowsInstancesUpdate(ctx, "s", flow, opts...)
				return err
			},
			done: func() bool { f := flowOf(srv, slug); return f != nil && f.Title == "T" },
		}
	}
}

func patchFlow(slug string) func(*authentiktest.Server) written {
	return func(srv *authentiktest.Server) written {
		return written{
			srv: srv, operation: "flows_instances_partial_update", repeatable: slug == "s",
			call: func(ctx context.Context, ak *authentik.Client, opts ...authentik.RequestOption) error {
				_, err := ak.FlowsInstancesPartialUpdate(ctx, "s", authentik.FlowRequest{Slug: slug, Title: "T"}, opts...)
				return err
			},
			done: func() bool { f := flowOf(srv, slug); return f != nil && f.Title == "T" },
		}
	}
}

func destroyFlow(srv *authentiktest.Server) written {
	return written{
		srv: srv, operation: "flows_instances_destroy", repeatable: true, bodyless: true,
		call: func(ctx context.Context, ak *authentik.Client, opts ...authentik.RequestOption) error {
			return ak.FlowsInstancesDestroy(ctx, "s", opts...)
		},
		done: func() bool { return flowOf(srv, "s") == nil },
	}
}

func importFlow(srv *authentiktest.Server) written {
	const file = `{"version":1,"entries":[{"model":"authentik_flows.flow","identifiers":{"slug":"imported"},` +
		`"attrs":{"name":"N","title":"T","designation":"recovery"}}]}`
	return written{
		srv: srv, operation: "flows_instances_import_create",
		call: func(ctx context.Context, ak *authentik.Client, opts ...authentik.RequestOption) error {
			_, err := ak.FlowsInstancesImportCreate(ctx, []byte(file), opts...)
			return err
		},
		done: func() bool { return flowOf(srv, "imported") != nil },
	}
}

func clearCache(srv *authentiktest.Server) written {
	srv.UpdateFlow("s", func(f *authentik.Flow) { f.CacheCount = 3 })
	return written{
		srv: srv, operation: "flows_instances_cache_clear_create", repeatable: true, bodyless: true,
		call: func(ctx context.Context, ak *authentik.Client, opts ...authentik.RequestOption) error {
			return ak.FlowsInstancesCacheClearCreate(ctx, opts...)
		},
		done: func() bool { return flowOf(srv, "s").CacheCount == 0 },
	}
}

func setBackground(srv *authentiktest.Server) written {
	before := flowOf(srv, "s").Background
	return written{
		srv: srv, operation: "flows_instances_set_background_create",
		call: func(ctx context.Context, ak *authentik.Client, opts ...authentik.RequestOption) error {
			image := authentik.FlowBackground{Filename: "a.png", Content: []byte("\x89PNG")}
			return ak.FlowsInstancesSetBackgroundCreate(ctx, "s", image, opts...)
		},
		done: func() bool { return flowOf(srv, "s").Background != before },
	}
}

func setBackgroundURL(srv *authentiktest.Server) written {
	before := flowOf(srv, "s").Background
	return written{
		srv: srv, operation: "flows_instances_set_background_url_create",
		call: func(ctx context.Context, ak *authentik.Client, opts ...authentik.RequestOption) error {
			return ak.FlowsInstancesSetBackgroundURLCreate(ctx, "s", "https://cdn.example.com/a.png", opts...)
		},
		done: func() bool { return flowOf(srv, "s").Background != before },
	}
}

// bindingOf adds a binding of the flow with the slug s.
func bindingOf(srv *authentiktest.Server) authentik.FlowStageBinding {
	return srv.AddBinding(authentik.FlowStageBinding{
		Target: flowOf(srv, "s").PK, Stage: srv.AddStage(authentik.Stage{}).PK, Order: 1, EvaluateOnPlan: true,
	})
}

func orderOf(srv *authentiktest.Server, pk uuid.UUID) (order int, ok bool) {
	for _, b := range srv.Bindings() {
		if b.PK == pk {
			return b.Order, true
		}
	}
	return 0, false
}

func createBinding(srv *authentiktest.Server) written {
	stage := srv.AddStage(authentik.Stage{}).PK
	request := authentik.FlowStageBindingRequest{Target: flowOf(srv, "s").PK, Stage: stage, Order: new(7)}
	return written{
		srv: srv, operation: "flows_bindings_create",
		call: func(ctx context.Context, ak *authentik.Client, opts ...authentik.RequestOption) error {
			_, err := ak.BindingsCreate(ctx, request, opts...)
			return err
		},
		done: func() bool { return len(srv.Bindings()) == 1 },
	}
}

func updateBinding(srv *authentiktest.Server) written {
	b := bindingOf(srv)
	return written{
		srv: srv, operation: "flows_bindings_update", repeatable: true,
		call: func(ctx context.Context, ak *authentik.Client, opts ...authentik.RequestOption) error {
			request := authentik.FlowStageBindingRequest{Target: b.Target, Stage: b.Stage, Order: new(7)}
			_, err := ak.BindingsUpdate(ctx, b.PK, request, opts...)
			return err
		},
		done: func() bool { order, _ := orderOf(srv, b.PK); return order == 7 },
	}
}

func patchBinding(srv *authentiktest.Server) written {
	b := bindingOf(srv)
	return written{
		srv: srv, operation: "flows_bindings_partial_update", repeatable: true,
		call: func(ctx context.Context, ak *authentik.Client, opts ...authentik.RequestOption) error {
			_, err := ak.BindingsPartialUpdate(ctx, b.PK, authentik.FlowStageBindingRequest{Order: new(7)}, opts...)
			return err
		},
		done: func() bool { order, _ := orderOf(srv, b.PK); return order == 7 },
	}
}

func destroyBinding(srv *authentiktest.Server) written {
	b := bindingOf(srv)
	return written{
		srv: srv, operation: "flows_bindings_destroy", repeatable: true, bodyless: true,
		call: func(ctx context.Context, ak *authentik.Client, opts ...authentik.RequestOption) error {
			return ak.BindingsDestroy(ctx, b.PK, opts...)
		},
		done: func() bool { _, ok := orderOf(srv, b.PK); return !ok },
	}
}

func destroyStage(srv *authentiktest.Server) written {
	stage := srv.AddStage(authentik.Stage{}).PK
	return written{
		srv: srv, operation: "stages_all_destroy", repeatable: true, bodyless: true,
		call: func(ctx context.Context, ak *authentik.Client, opts ...authentik.RequestOption) error {
			return ak.StagesAllDestroy(ctx, stage, opts...)
		},
		done: func() bool { return len(srv.Stages()) == 0 },
	}
}

// onEachWrite runs a test in virtual time with a server and a client for each
// write. The client has had a response from the server.
func onEachWrite(test func(*testing.T, written, *authentik.Client)) func(*testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		for name, write := range writesOf {
			testkit.RunInBubble(t, name, func(t *testing.T) {
				// The last release that has all of the operations.
				srv := authentiktest.RoundTripper(t, authentiktest.Version("2025.10"), authentiktest.Empty())
				srv.AddFlow(authentik.Flow{Slug: "s"})
				w := write(srv)
				ak := srv.Client()
				_, err := ak.ServerVersion(t.Context())
				require.NoError(t, err)
				require.False(t, w.done())
				test(t, w, ak)
			})
		}
	}
}

// requests returns how often the operation reached the server.
func (w written) requests() (n int) {
	for _, r := range w.srv.Requests() {
		if r.Operation == w.operation {
			n++
		}
	}
	return n
}

// neverExecuted is a fault after which every write is sent again.
func neverExecuted(requests int, fault func(written)) func(*testing.T) {
	return onEachWrite(func(t *testing.T, w written, ak *authentik.Client) {
		fault(w)
		require.NoError(t, w.call(t.Context(), ak))
		assert.True(t, w.done())
		assert.Equal(t, requests, w.requests())
	})
}

// perhapsExecuted is a fault after which a write is sent again only if it
// repeats without harm. The error of another one says that it may have
// happened, and AdoptExisting finds out.
func perhapsExecuted(executed bool, is error, fault func(written)) func(*testing.T) {
	return onEachWrite(func(t *testing.T, w written, ak *authentik.Client) {
		if w.bodyless && errors.Is(is, errCut) {
			return
		}
		fault(w)
		err := w.call(t.Context(), ak)
		if w.repeatable {
			require.NoError(t, err)
			assert.True(t, w.done())
			assert.Equal(t, 2, w.requests())
			return
		}
		require.ErrorIs(t, err, authentik.ErrPerhapsDone)
		if is != nil && !errors.Is(is, errCut) {
			require.ErrorIs(t, err, is)
		}
		assert.Equal(t, executed, w.done())
		assert.Equal(t, 1, w.requests(), "it is not sent again")
	})
}

// errCut marks a fault of responses that have a body.
var errCut = errors.New("cut")

// adopted is a fault of a write that creates, with AdoptExisting.
func adopted(executed bool, fault func(written)) func(*testing.T) {
	return onEachWrite(func(t *testing.T, w written, ak *authentik.Client) {
		if w.operation != "flows_instances_create" && w.operation != "flows_bindings_create" {
			return
		}
		fault(w)
		err := w.call(t.Context(), ak, authentik.AdoptExisting())
		assert.Equal(t, 1, w.requests(), "it is not sent again")
		assert.Equal(t, executed, w.done())
		if executed {
			require.NoError(t, err)
			return
		}
		require.ErrorIs(t, err, authentik.ErrPerhapsDone)
	})
}

const (
	backendRefused = `{"error":"failed to connect to authentik backend: dial unix /dev/shm/authentik-core.sock: ` +
		`connect: connection refused"}`
	methodNotAllowed = `{"detail":"Method \"POST\" not allowed."}`
)

var emptyHTML = http.Header{"Content-Type": {testkit.HTML}, "Allow": {"GET, HEAD, OPTIONS"}}

// writeFaults are the rows about writes.
var writeFaults = map[string]func(*testing.T){
	"W1": neverExecuted(1, func(w written) { w.srv.Down(3 * time.Second) }),
	"W2": perhapsExecuted(false, nil, func(w written) { w.srv.On(w.operation).Reset() }),
	"W3": perhapsExecuted(true, nil, func(w written) { w.srv.On(w.operation).FailAfterCommit(1) }),
	"W4": perhapsExecuted(true, errCut, func(w written) {
		if !w.bodyless {
			w.srv.On(w.operation).CutBody(1)
		}
	}),
	"W5": neverExecuted(2, func(w written) {
		w.srv.On(w.operation).FailNext(1, http.StatusBadGateway, backendRefused, nil)
	}),
	"W6": perhapsExecuted(false, nil, func(w written) { w.srv.On(w.operation).Crashed(1) }),
	"W7": neverExecuted(4, func(w written) { w.srv.On(w.operation).Starting(3) }),
	"W8": perhapsExecuted(false, authentik.ErrServer, func(w written) {
		w.srv.On(w.operation).FailNext(1, http.StatusMethodNotAllowed, "", emptyHTML)
	}),
	"W9": onEachWrite(func(t *testing.T, w written, ak *authentik.Client) {
		w.srv.On(w.operation).FailNext(1, http.StatusMethodNotAllowed, methodNotAllowed, http.Header{"Allow": {"GET"}})
		err := w.call(t.Context(), ak)
		var api *authentik.APIError
		require.ErrorAs(t, err, &api)
		assert.Equal(t, http.StatusMethodNotAllowed, api.StatusCode)
		require.NotErrorIs(t, err, authentik.ErrPerhapsDone)
		require.NotErrorIs(t, err, authentik.ErrServer)
		isImport := w.operation == "flows_instances_import_create"
		assert.Equal(t, isImport, errors.Is(err, authentik.ErrUnsupported), "an import has no further path")
		assert.False(t, w.done())
		assert.Equal(t, 1, w.requests())
	}),
	"W10": onEachWrite(func(t *testing.T, w written, ak *authentik.Client) {
		w.srv.On(w.operation).FailNext(1, http.StatusBadRequest, `{"slug":["Flow with this slug already exists."]}`, nil)
		err := w.call(t.Context(), ak)
		testkit.RequireType[*authentik.ValidationError](t, err)
		require.NotErrorIs(t, err, authentik.ErrPerhapsDone)
		assert.False(t, w.done())
		assert.Equal(t, 1, w.requests())
	}),
	"W11": onEachWrite(func(t *testing.T, w written, ak *authentik.Client) {
		w.srv.On(w.operation).Latency(time.Hour) // after the write has happened
		err := w.call(t.Context(), ak)
		require.ErrorIs(t, err, authentik.ErrAttemptTimeout)
		require.ErrorIs(t, err, authentik.ErrPerhapsDone)
		assert.True(t, w.done())
		assert.Equal(t, map[bool]int{true: 2, false: 1}[w.repeatable], w.requests())
	}),
	"W12": adopted(true, func(w written) { w.srv.On(w.operation).FailAfterCommit(1) }),
	"W13": adopted(true, func(w written) { w.srv.On(w.operation).CutBody(1) }),
	"W14": adopted(true, func(w written) { w.srv.On(w.operation).Latency(2 * time.Minute) }),
	"W15": adopted(false, func(w written) { w.srv.On(w.operation).Reset() }),
	"W16": adopted(false, func(w written) { w.srv.On(w.operation).Crashed(1) }),
	"W17": adopted(false, func(w written) {
		w.srv.On(w.operation).FailNext(1, http.StatusMethodNotAllowed, "", emptyHTML)
	}),
}
