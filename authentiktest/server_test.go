package authentiktest_test

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/authentiktest"
	"github.com/seed-299d42e7/authentik-go/internal/testkit/doccheck"
)

// kinds are the ways to have a server.
var kinds = map[string]func(testing.TB, ...authentiktest.Option) *authentiktest.Server{
	"NewServer":    authentiktest.NewServer,
	"RoundTripper": authentiktest.RoundTripper,
	"Start": func(t testing.TB, opts ...authentiktest.Option) *authentiktest.Server {
		srv := authentiktest.Start(opts...)
		t.Cleanup(srv.Close)
		return srv
	},
}

func TestServer(t *testing.T) {
	t.Parallel()
	for kind, start := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			srv := start(t, authentiktest.Version("2024.10"))
			ak := srv.Client()
			version, err := ak.ServerVersion(t.Context())
			require.NoError(t, err)
			assert.Equal(t, "2024.10.5", version)

			flows, err := authentik.Collect(ak.FlowsInstancesAll(t.Context(), nil))
			require.NoError(t, err)
			assert.Len(t, flows, 14)

			want := srv.Bindings()[3]
			binding, err := ak.BindingsRetrieve(t.Context(), want.PK)
			require.NoError(t, err)
			assert.Equal(t, want.Stage, binding.StageObj.PK)
			assert.NotEmpty(t, binding.StageObj.FlowSet)

			var operations []string
			for _, r := range srv.Requests() {
				operations = append(operations, r.Operation)
				assert.Equal(t, "Bearer [redacted]", r.Header.Get("Authorization"))
				assert.Equal(t, http.StatusOK, r.Status)
			}
			assert.Equal(t, []string{"admin_version_retrieve", "flows_instances_list", "flows_bindings_retrieve"}, operations)

			srv.Close()
			srv.Close()
			err = srv.ClientAs(srv.Token, authentik.WithRetry(authentik.RetryPolicy{MaxAttempts: 1})).Get(t.Context(), "flows/instances/", nil, nil)
			var failed *authentik.RequestError
			assert.ErrorAs(t, err, &failed, "a closed server answers nothing")
		})
	}
}

func TestEveryVersionStarts(t *testing.T) {
	t.Parallel()
	assert.Len(t, authentiktest.Versions(), 36)
	for _, version := range append(authentiktest.Versions(), "") {
		srv := authentiktest.RoundTripper(t, authentiktest.Version(version))
		got, err := srv.Client().ServerVersion(t.Context())
		require.NoError(t, err)
		if version == "" {
			version = "2026.8"
		}
		assert.Contains(t, got, version+".")
	}
}

// told is a test that takes down what it is told.
type told struct {
	testing.TB
	errors []string
}

func (t *told) Helper()        {}
func (t *told) Cleanup(func()) {}
func (t *told) Errorf(format string, args ...any) {
	t.errors = append(t.errors, format)
	for _, arg := range args {
		if text, ok := arg.(string); ok {
			t.errors = append(t.errors, text)
		}
	}
}

func TestMisuse(t *testing.T) {
	t.Parallel()
	for name, misuse := range map[string]func(tb testing.TB) *authentiktest.Server{
		"no such release": func(tb testing.TB) *authentiktest.Server {
			return authentiktest.RoundTripper(tb, authentiktest.Version("2024.11"))
		},
		"no version": func(tb testing.TB) *authentiktest.Server {
			return authentiktest.RoundTripper(tb, authentiktest.Version("newest"))
		},
		"an option that fails": func(tb testing.TB) *authentiktest.Server {
			return authentiktest.RoundTripper(tb, authentiktest.Version("2024.10"), nil, authentiktest.Version("1"))
		},
		"a slug twice": func(tb testing.TB) *authentiktest.Server {
			srv := authentiktest.RoundTripper(tb)
			srv.AddFlow(authentik.Flow{Slug: "initial-setup"})
			return srv
		},
		"another server": func(tb testing.TB) *authentiktest.Server {
			srv := authentiktest.RoundTripper(tb)
			resp, err := (&http.Client{Transport: srv}).Get("https://elsewhere.example.com/api/v3/admin/version/")
			if assert.NoError(t, err) {
				assert.NoError(t, resp.Body.Close())
			}
			return srv
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tb := &told{TB: t}
			srv := misuse(tb)
			t.Cleanup(srv.Close)
			assert.NotEmpty(t, tb.errors)
			err := srv.Client().Get(t.Context(), "admin/version/", nil, nil)
			var answered *authentik.APIError
			require.ErrorAs(t, err, &answered)
			assert.Equal(t, 599, answered.StatusCode)
			assert.Contains(t, string(answered.Body), tb.errors[1])
		})
	}
}

func TestStart_PanicsOnInvalidOptions(t *testing.T) {
	t.Parallel()
	assert.PanicsWithValue(t, "authentiktest: the fake does not know authentik 2024.11: Versions returns the releases that it knows", func() {
		authentiktest.Start(authentiktest.Version("2024.11")).Close()
	})
	assert.Panics(t, func() { authentiktest.RoundTripper(nil, authentiktest.Version("newest")) })
}

// A test that ends within UpdateFlow must not hang in Close.
func TestAnUpdateThatPanicsLeavesTheServerUsable(t *testing.T) {
	t.Parallel()
	srv := authentiktest.RoundTripper(t)
	assert.Panics(t, func() {
		srv.UpdateFlow("initial-setup", func(flow *authentik.Flow) {
			flow.Title = "half done"
			panic("enough")
		})
	})
	for _, flow := range srv.Flows() {
		assert.NotEqual(t, "half done", flow.Title)
	}
}

func TestWhatTheFakeDoesNotKnow(t *testing.T) {
	t.Parallel()
	srv := authentiktest.RoundTripper(t)
	for _, asked := range []struct {
		method, path string
		status       int
	}{
		{http.MethodPost, "/api/v3/core/groups/", http.StatusNotImplemented},
		{http.MethodOptions, "/api/v3/flows/instances/cache_info/", http.StatusNotImplemented},
		{http.MethodGet, "/api/v3/core/groups/", http.StatusNotImplemented},
		{http.MethodGet, "/api/v3/flows/nope/", http.StatusNotFound},
		{http.MethodPost, "/api/v3/flows/nope/", http.StatusMethodNotAllowed},
		{http.MethodHead, "/api/v3/flows/instances/", http.StatusForbidden},
	} {
		req, err := http.NewRequestWithContext(t.Context(), asked.method, srv.URL+asked.path, http.NoBody)
		require.NoError(t, err)
		resp, err := srv.RoundTrip(req)
		require.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, errors.Join(err, resp.Body.Close()))
		assert.Equal(t, asked.status, resp.StatusCode, "%s %s", asked.method, asked.path)
		if asked.status == http.StatusNotImplemented {
			assert.Contains(t, string(body), "the fake does not know "+asked.method+" "+asked.path)
		}
	}
}

func TestDocumentation_IsComplete(t *testing.T) {
	t.Parallel()
	doccheck.Package(t, ".", "github.com/seed-299d42e7/authentik-go/authentiktest", func(method string) bool {
		return strings.HasPrefix(method, "Route.") // they are Server's
	})
}

// A method that an embedded type promotes would be undocumented.
func TestExportedTypes_EmbedNothingUnexported(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob("*.go")
	require.NoError(t, err)
	types := 0
	for _, name := range names {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for node := range ast.Preorder(file) {
			spec, ok := node.(*ast.TypeSpec)
			if !ok || !spec.Name.IsExported() || strings.HasSuffix(name, "_test.go") {
				continue
			}
			types++
			fields, ok := spec.Type.(*ast.StructType)
			if !ok {
				continue
			}
			for _, field := range fields.Fields.List {
				assert.NotEmpty(t, field.Names, "%s embeds a type", spec.Name)
			}
		}
	}
	assert.Greater(t, types, 20)
}
