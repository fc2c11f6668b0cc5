package performance_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/internal/testkit"
	"github.com/seed-299d42e7/authentik-go/internal/wire"
)

// What encoding/json is compared with: the same fields, without our decoder.
type (
	plainPage struct {
		Pagination plainPagination `json:"pagination"`
		Results    []plainFlow     `json:"results"`
	}
	plainPagination authentik.Pagination
	plainFlow       authentik.Flow
	plainBinding    struct {
		PK                      uuid.UUID  `json:"pk"`
		PolicyBindingModelPtrID uuid.UUID  `json:"policybindingmodel_ptr_id"`
		Target                  uuid.UUID  `json:"target"`
		Stage                   uuid.UUID  `json:"stage"`
		StageObj                plainStage `json:"stage_obj"`
		EvaluateOnPlan          bool       `json:"evaluate_on_plan"`
		ReEvaluatePolicies      bool       `json:"re_evaluate_policies"`
		Order                   int        `json:"order"`
		PolicyEngineMode        string     `json:"policy_engine_mode"`
		InvalidResponseAction   string     `json:"invalid_response_action"`
	}
	plainStage struct {
		PK                uuid.UUID      `json:"pk"`
		Name              string         `json:"name"`
		Component         string         `json:"component"`
		VerboseName       string         `json:"verbose_name"`
		VerboseNamePlural string         `json:"verbose_name_plural"`
		MetaModelName     string         `json:"meta_model_name"`
		FlowSet           []plainFlowSet `json:"flow_set"`
	}
	plainFlowSet authentik.FlowSet
)

// decode decodes a body as the client does.
func decode[T any](body []byte) (*T, error) {
	v := new(T)
	return v, wire.Decode(body, v)
}

// recordedBodies returns the bodies of a recorded response, by version.
func recordedBodies(t testing.TB, id string) map[string][]byte {
	t.Helper()
	bodies := map[string][]byte{}
	for _, version := range []string{"2024.10.0", "2026.8.0-rc1"} {
		bodies[version] = testkit.Recording(t, version, id).Response.Body()
	}
	return bodies
}

// benchmarkDecoding compares ours with the two of the standard library.
func benchmarkDecoding[T, P any](b *testing.B, id string) {
	b.Helper()
	for version, body := range recordedBodies(b, id) {
		for _, with := range []struct {
			name string
			read func() bool
		}{
			{"authentik", func() bool { _, err := decode[T](body); return err == nil }},
			{"json.Valid", func() bool { return json.Valid(body) }},
			{"json.Unmarshal", func() bool { return json.Unmarshal(body, new(P)) == nil }},
		} {
			b.Run(version+"/"+with.name, func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(len(body)))
				for b.Loop() {
					if !with.read() {
						b.Fatal("not read")
					}
				}
			})
		}
	}
}

func BenchmarkListPage100(b *testing.B) {
	benchmarkDecoding[authentik.Page[authentik.Flow], plainPage](b, "walk_100_p1")
}

func BenchmarkBindingRetrieve(b *testing.B) {
	benchmarkDecoding[authentik.FlowStageBinding, plainBinding](b, "binding_retrieve_0")
}

// Over loopback: all that the library does, and the least that it could do.
func BenchmarkBindingRetrieveCall(b *testing.B) {
	body := recordedBodies(b, "binding_retrieve_0")["2026.8.0-rc1"]
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body)
	}))
	b.Cleanup(server.Close)
	b.Run("authentik", func(b *testing.B) {
		ak, err := authentik.NewClient(server.URL, "token")
		require.NoError(b, err)
		defer ak.Close()
		want, err := decode[authentik.FlowStageBinding](body)
		require.NoError(b, err)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := ak.BindingsRetrieve(b.Context(), want.PK); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("net http and encoding json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			resp, err := http.Get(server.URL)
			if err != nil {
				b.Fatal(err)
			}
			all, err := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if err != nil || json.Unmarshal(all, new(plainBinding)) != nil {
				b.Fatal("not read")
			}
		}
	})
}

func TestPage_TakesAtMost200Allocations(t *testing.T) { //nolint:paralleltest // counts allocations
	for version, body := range recordedBodies(t, "walk_100_p1") {
		n := testing.AllocsPerRun(20, func() {
			page, err := decode[authentik.Page[authentik.Flow]](body)
			require.NoError(t, err)
			require.Len(t, page.Results, 100)
		})
		assert.LessOrEqual(t, n, 200.0, version)
	}
}

func TestBinding_TakesAFewAllocations(t *testing.T) { //nolint:paralleltest // counts allocations
	for version, body := range recordedBodies(t, "binding_retrieve_0") {
		objects := 0
		n := testing.AllocsPerRun(20, func() {
			binding, err := decode[authentik.FlowStageBinding](body)
			require.NoError(t, err)
			objects = 2 + len(binding.StageObj.FlowSet)
		})
		assert.LessOrEqual(t, n, 12+float64(objects), version)
	}
}
