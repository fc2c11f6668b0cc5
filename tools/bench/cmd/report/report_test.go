package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
)

func testServer(t *testing.T) *server {
	t.Helper()
	s, err := newServer("../../../../testdata/recordings")
	require.NoError(t, err)
	return s
}

func TestContestants_ReadAll(t *testing.T) {
	t.Parallel()
	s := testServer(t)
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	for _, version := range versions {
		for _, name := range contestants {
			t.Run(version+" "+name, func(t *testing.T) {
				t.Parallel()
				c, err := newClient(name, srv.URL+"/"+version+"/250/0s")
				require.NoError(t, err)
				for _, tc := range []struct{ size, pages, onTheLast int }{{0, 3, 50}, {20, 13, 10}} {
					flows, err := c.walk(t.Context(), tc.size)
					require.NoError(t, err)
					assert.Equal(t, 250, flows)
					flows, more, err := c.list(t.Context(), tc.pages, tc.size)
					require.NoError(t, err)
					assert.False(t, more)
					assert.Equal(t, tc.onTheLast, flows)
				}
				require.NoError(t, c.create(t.Context(), "a-flow"))
				require.NoError(t, c.patch(t.Context(), "a-flow"))
				require.NoError(t, c.remove(t.Context(), "a-flow"))
				require.NoError(t, c.retrieve(t.Context(), s.versions[version].bindingID))
				require.Error(t, c.retrieve(t.Context(), "00000000-0000-4000-8000-000000000000"))
			})
		}
	}
}

func TestFlows_DifferInUniqueFields(t *testing.T) {
	t.Parallel()
	b := &bench{content: testServer(t)}
	for _, version := range versions {
		var page authentik.Page[authentik.Flow]
		require.NoError(t, json.Unmarshal(b.page(version, 1_000), &page))
		pks, ptrs, slugs := map[any]bool{}, map[any]bool{}, map[any]bool{}
		for _, f := range page.Results {
			pks[f.PK], ptrs[f.PolicyBindingModelPtrID], slugs[f.Slug] = true, true, true
			assert.Contains(t, f.ExportURL, "/"+f.Slug+"/")
		}
		assert.Equal(t, []int{1_000, 1_000, 1_000}, []int{len(pks), len(ptrs), len(slugs)})

		id := b.content.versions[version].bindingID
		var binding authentik.FlowStageBinding
		require.NoError(t, json.Unmarshal(b.body(version, 200, "flows/bindings/"+id+"/"), &binding))
		assert.Len(t, binding.StageObj.FlowSet, 200)
	}
}

// A recorded flow comes back as it was but for what is unique.
func TestFlows_AreTheRecordedOnes(t *testing.T) {
	t.Parallel()
	for version, c := range testServer(t).versions {
		for i, template := range c.templates {
			made := string(template.number(i))
			var key unique
			require.NoError(t, json.Unmarshal([]byte(made), &key))
			back := strings.NewReplacer(key.PK, template.pk, key.Ptr, template.ptr, key.Slug, template.own).Replace(made)
			assert.JSONEq(t, string(template.json), back, version)
		}
	}
}

type unique struct {
	PK   string `json:"pk"`
	Ptr  string `json:"policybindingmodel_ptr_id"`
	Slug string `json:"slug"`
}

func TestServer_RespondsAfterItsDelay(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		path    string
		atATime int
		each    time.Duration
		flows   int
	}{
		{"/2024.10.0/1000/20ms/api/v3/flows/instances/", 4, 20 * time.Millisecond, 100},
		{"/2024.10.0/1000/20ms/api/v3/flows/instances/?page_size=1000", 4, 20 * time.Millisecond, 1_000},
		{"/2026.8.0-rc1/1000/stock/api/v3/flows/instances/", 2, 46 * time.Millisecond, 20},
		{"/2026.8.0-rc1/1000/stock/api/v3/flows/instances/?page_size=100", 2, 66 * time.Millisecond, 100},
		{"/2026.8.0-rc1/1000/stock/api/v3/flows/instances/?page_size=500", 2, 66 * time.Millisecond, 100},
		{"/2026.8.0-rc1/1000/stock-2026/api/v3/flows/instances/", 2, 77 * time.Millisecond, 20},
		{"/2026.8.0-rc1/1000/stock-2026/api/v3/flows/instances/?page_size=100", 2, 150 * time.Millisecond, 100},
	} {
		t.Run(tc.path, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := testServer(t)
				began := time.Now()
				var all sync.WaitGroup
				for i := range 4 {
					all.Go(func() {
						w := httptest.NewRecorder()
						s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, tc.path, http.NoBody))
						assert.Equal(t, tc.flows, bytes.Count(w.Body.Bytes(), []byte(`"slug":`)), "answer %d", i)
					})
				}
				all.Wait()
				assert.Equal(t, time.Duration(4/tc.atATime)*tc.each, time.Since(began))
			})
		})
	}
}

func TestServer_RejectsOtherRequests(t *testing.T) {
	t.Parallel()
	s := testServer(t)
	for path, status := range map[string]int{
		"/1.0/10/0s/api/v3/flows/instances/":              http.StatusBadRequest,
		"/2024.10.0/0/0s/api/v3/flows/instances/":         http.StatusBadRequest,
		"/2024.10.0/10/soon/api/v3/flows/instances/":      http.StatusBadRequest,
		"/2024.10.0/10/0s/api/v3/flows/instances/?page=2": http.StatusNotFound,
		"/2024.10.0/10/0s/api/v3/flows/bindings/x/":       http.StatusNotFound,
	} {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, http.NoBody))
		assert.Equal(t, status, w.Code, path)
	}
}

func TestServe_EndsWithStandardInput(t *testing.T) {
	t.Parallel()
	in, closeIn := io.Pipe()
	out, writeOut := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- serve("../../../../testdata/recordings", in, writeOut) }()
	url := make([]byte, 100)
	n, err := out.Read(url)
	require.NoError(t, err)
	assert.Regexp(t, `^http://127\.0\.0\.1:\d+\n$`, string(url[:n]))
	require.NoError(t, closeIn.Close())
	require.NoError(t, <-ended)
}

func TestRunners_TakeTurns(t *testing.T) {
	t.Parallel()
	order := ""
	who := func(name string, figure float64) runner {
		return runner{name, func() (float64, error) {
			order += name
			return figure * float64(len(order)), nil
		}}
	}
	got, err := alternate(3, who("a", 1), who("b", 10), who("c", 100))
	require.NoError(t, err)
	assert.Equal(t, "abcbcacab", order)
	assert.Equal(t, []figures{{"a", []float64{1, 6, 8}}, {"b", []float64{20, 40, 90}}, {"c", []float64{300, 500, 700}}}, got)
	assert.Equal(t, []float64{20, 40.0 / 6, 90.0 / 8}, named(got, "b").ratios(named(got, "a")))

	errBroken := errors.New("broken")
	_, err = alternate(1, runner{"d", func() (float64, error) { return 0, errBroken }})
	require.ErrorIs(t, err, errBroken)
	assert.EqualError(t, err, "d: broken")
}

func TestMedian(t *testing.T) {
	t.Parallel()
	assert.InDelta(t, 2, median([]float64{3, 1, 2}), 0)
	assert.InDelta(t, 2.5, median([]float64{4, 1, 3, 2}), 0)
}

func TestTimes_AreOfOneCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		late := func() error { time.Sleep(time.Millisecond); return nil }
		for name, measure := range map[string]func() (float64, error){
			"mean": mean(20*time.Millisecond, late), "p50": p50(9, late), "once": once(late),
		} {
			figure, err := measure()
			require.NoError(t, err)
			assert.InDelta(t, 0.001, figure, 1e-9, name)
		}
	})
}

func TestIdealTime(t *testing.T) {
	t.Parallel()
	for prefetch, rounds := range map[int]float64{0: 10, 1: 10, 2: 6, 4: 4, 8: 3, 16: 2} {
		assert.InDelta(t, rounds, ideal(10, prefetch, time.Second), 0, "%d", prefetch)
	}
}
