package authentik_test

import (
	"math"
	"net/http"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
)

func TestMaxResponseSizeIsToTheByte(t *testing.T) {
	t.Parallel()
	size := int64(len(listReader.good))
	for limit, enough := range map[int64]bool{1: false, size - 1: false, size: true, size + 1: true, math.MaxInt64 - 1: true, math.MaxInt64: true} {
		for _, chunked := range []bool{false, true} {
			ak := newClient(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				if chunked {
					w.(http.Flusher).Flush()
				}
				(&stub{body: listReader.good}).ServeHTTP(w, req)
			}), authentik.WithMaxResponseSize(limit))
			_, err := ak.FlowsInstancesList(t.Context(), nil)
			if enough {
				assert.NoError(t, err, limit)
			} else {
				assert.ErrorIs(t, err, authentik.ErrResponseTooLarge, limit)
			}
		}
	}
}

func TestServerVersion(t *testing.T) {
	t.Parallel()
	server := &stub{body: `{"version_current":"2024.10.0","version_latest":"2024.10.1","build_hash":"","outdated":true}`}
	var asked *http.Request
	ak := newClient(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		asked = req
		server.ServeHTTP(w, req)
	}))
	var response authentik.Response
	version, err := ak.ServerVersion(t.Context(), authentik.WithResponse(&response))
	require.NoError(t, err)
	assert.Equal(t, "2024.10.0", version)
	assert.Equal(t, server.body, string(response.Body))
	assert.Equal(t, "GET /api/v3/admin/version/", asked.Method+" "+asked.URL.String())

	for body, want := range map[string]string{
		`{"version_current":""}`:   "version_current: empty",
		`{"version_current":null}`: "version_current: null, want a string: null",
		`{}`:                       "version_current: missing",
	} {
		version, err := newClient(t, reply(200, jsonType, body)).ServerVersion(t.Context())
		assert.Empty(t, version)
		exactly[*authentik.DecodeError](t, err)
		assert.EqualError(t, err, "authentik: ServerVersion: unusable answer (200 OK, application/json): "+want+" (request "+requestID+", 1 attempt)")
	}
	_, err = newClient(t, reply(403, jsonType, `{"detail":"Token invalid/expired"}`)).ServerVersion(t.Context())
	assert.ErrorIs(t, err, authentik.ErrForbidden)
}

// What is left of an earlier call would be taken for this one's.
func TestResponseOfACallThatIsRefusedIsEmpty(t *testing.T) {
	t.Parallel()
	ak := newClient(t, &stub{body: listReader.good})
	ctx := t.Context()
	for name, refused := range map[string]func(authentik.RequestOption) error{
		"FlowsInstancesList": func(opt authentik.RequestOption) error {
			_, err := ak.FlowsInstancesList(ctx, &listOptions{Page: -1}, opt)
			return err
		},
		"FlowsInstancesAll": func(opt authentik.RequestOption) error {
			_, err := authentik.Collect(ak.FlowsInstancesAll(ctx, &listOptions{Page: -1}, opt))
			return err
		},
		"FlowsInstancesPages": func(opt authentik.RequestOption) error {
			_, err := authentik.Collect(ak.FlowsInstancesPages(ctx, nil, opt, authentik.WithPrefetch(-1)))
			return err
		},
		"BindingsRetrieve": func(opt authentik.RequestOption) error {
			_, err := ak.BindingsRetrieve(ctx, uuid.Nil, opt)
			return err
		},
		"Get, its path": func(opt authentik.RequestOption) error { return ak.Get(ctx, "..", nil, nil, opt) },
		"Get, its out":  func(opt authentik.RequestOption) error { return ak.Get(ctx, "", nil, 1, opt) },
		"ServerVersion of no client": func(opt authentik.RequestOption) error {
			_, err := new(authentik.Client).ServerVersion(ctx, opt)
			return err
		},
	} {
		var response authentik.Response
		_, err := ak.FlowsInstancesList(ctx, nil, authentik.WithResponse(&response))
		require.NoError(t, err)
		require.NotEmpty(t, response.Body)
		exactly[*authentik.ArgumentError](t, refused(authentik.WithResponse(&response)))
		assert.Zero(t, response, name)
	}
}
