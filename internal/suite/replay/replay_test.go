// Package replay_test replays the responses of real servers, which are in
// testdata/recordings, to the calls of the library that would request them.
package replay_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/internal/testkit"
	"github.com/seed-299d42e7/authentik-go/internal/testkit/conformance"
	"github.com/seed-299d42e7/authentik-go/internal/testkit/recording"
)

func TestReplay_EveryExchange(t *testing.T) {
	t.Parallel()
	counts := map[string]int{}
	for version, exchanges := range testkit.Recordings(t) {
		for _, e := range exchanges {
			counts["exchanges with "+version]++
			counts[wayOf(conformance.CallFor(t, e.Request), e.Response)]++
		}
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			for _, e := range exchanges {
				t.Run(e.ID, func(t *testing.T) {
					if call := conformance.CallFor(t, e.Request); !call.ResponseOnly || e.Response.Status >= 300 {
						replay(t, call, e.Response)
					}
				})
			}
		})
	}
	for _, way := range slices.Sorted(maps.Keys(counts)) {
		t.Logf("%4d %s", counts[way], way)
	}
	for _, op := range []string{"FlowsInstancesList", "BindingsRetrieve", "ServerVersion", "Get"} {
		assert.NotZero(t, counts[op], "no recording goes through %s", op)
	}
}

// wayOf returns the method that an exchange is replayed to, and the reason if that
// is not the method of the operation.
func wayOf(call conformance.Call, response recording.Response) string {
	switch {
	case call.ResponseOnly && response.Status < 300:
		return "not replayed: " + call.Reason
	case call.ResponseOnly:
		return "only the error response, to Get: " + call.Reason
	case call.Reason != "":
		return "Get, because " + call.Reason
	default:
		return call.Op
	}
}

// replay serves a recorded response to a call, and checks the result of the call.
func replay(t *testing.T, call conformance.Call, recorded recording.Response) {
	t.Helper()
	var requests []string
	ak := testkit.NewClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests = append(requests, r.Method+" "+r.URL.EscapedPath()+"?"+r.URL.Query().Encode())
		recorded.ServeHTTP(w, r)
	}), authentik.WithRetry(authentik.RetryPolicy{MaxAttempts: 1, StartupWait: -1}))
	var response authentik.Response
	value, err := call.Do(t.Context(), ak, authentik.WithResponse(&response))

	require.Equal(t, []string{"GET /api/v3/" + call.Path + "?" + call.Query.Encode()}, requests)
	recorded = inflated(t, recorded)
	body := recorded.Body()
	assert.Equal(t, recorded.Status, response.StatusCode)
	assert.Equal(t, recorded.Header("X-Authentik-Id"), response.RequestID)
	assert.Equal(t, recorded.Header("Content-Type"), response.Header.Get("Content-Type"))
	assert.Equal(t, 1, response.Attempts)
	assert.Equal(t, string(body), string(response.Body))

	switch isJSON := strings.HasPrefix(recorded.Header("Content-Type"), "application/json"); {
	case recorded.Status >= 300 || conformance.Starting(recorded):
		conformance.RequireErrorOf(t, recorded, err, call.Op, "/sub/path/api/v3/"+call.Path, 1)
	case recorded.Status != http.StatusOK || !isJSON:
		requireDecodeErrorOf(t, recorded, err)
		assert.Nil(t, value)
		assert.NoError(t, ak.Get(t.Context(), call.Path, call.Query, nil, authentik.WithResponse(&response)), "without decoding")
		assert.Equal(t, string(body), string(response.Body))
	case call.Untyped:
		require.NoError(t, err)
		assert.Equal(t, conformance.ParseJSON(t, body), value)
	default:
		require.NoError(t, err)
		assert.Empty(t, conformance.Differences(t, body, value))
	}
}

// inflated returns a response as net/http's transport returns it, decompressed.
func inflated(t *testing.T, recorded recording.Response) recording.Response {
	t.Helper()
	body := io.Reader(bytes.NewReader(recorded.Body()))
	if recorded.Header("Content-Encoding") == "gzip" {
		var err error
		body, err = gzip.NewReader(body)
		require.NoError(t, err)
	}
	text, err := io.ReadAll(body)
	require.NoError(t, err)
	recorded.Text, recorded.BodyBase64 = string(text), ""
	return recorded
}

// Differences compares fields by their JSON key, so that each field must have the
// key that belongs to its name.
func TestModels_FieldsNamedAfterKeys(t *testing.T) {
	t.Parallel()
	for _, model := range []any{
		authentik.Page[authentik.Flow]{},
		authentik.Pagination{},
		authentik.Flow{},
		authentik.ThemedURLs{},
		authentik.FlowStageBinding{},
		authentik.Stage{},
		authentik.FlowSet{},
	} {
		for _, field := range reflect.VisibleFields(reflect.TypeOf(model)) {
			key, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			assert.Truef(
				t,
				strings.EqualFold(field.Name, strings.ReplaceAll(key, "_", "")),
				"%T.%s is %s",
				model,
				field.Name,
				key,
			)
		}
	}
}

func requireDecodeErrorOf(t *testing.T, recorded recording.Response, err error) {
	t.Helper()
	e := testkit.RequireType[*authentik.DecodeError](t, err)
	assert.Equal(t, recorded.Status, e.StatusCode)
	assert.Equal(t, recorded.Header("X-Authentik-Id"), e.RequestID)
	assert.Equal(t, recorded.Header("Content-Type"), e.ContentType)
	assert.NotContains(t, err.Error(), "\n")
}

// series are the lists that were recorded page by page to their end: the
// pages of each, by the query without the page's number.
func series(t *testing.T, exchanges []recording.Exchange) map[string][]recording.Response {
	t.Helper()
	byNumber := map[string]map[int]recording.Response{}
	for _, e := range exchanges {
		target, err := url.Parse(e.Request.Target)
		require.NoError(t, err)
		query := target.Query()
		number, err := strconv.Atoi(query.Get("page"))
		if e.Request.Method != http.MethodGet || target.Path != "/api/v3/flows/instances/" ||
			e.Response.Status != http.StatusOK ||
			err != nil {
			continue
		}
		query.Del("page")
		key := query.Encode()
		if byNumber[key] == nil {
			byNumber[key] = map[int]recording.Response{}
		}
		byNumber[key][number] = e.Response
	}
	all := map[string][]recording.Response{}
	for key, pages := range byNumber {
		last := 0
		for _, page := range pages {
			last = max(last, conformance.ParsePage(t, page.Body()).Pagination.TotalPages)
		}
		var inOrder []recording.Response
		for number := 1; number <= last; number++ {
			if page, ok := pages[number]; ok {
				inOrder = append(inOrder, page)
			}
		}
		if last > 1 && len(inOrder) == last {
			all[key] = inOrder
		}
	}
	return all
}

func TestReplay_Lists(t *testing.T) {
	t.Parallel()
	for version, exchanges := range testkit.Recordings(t) {
		lists := series(t, exchanges)
		require.NotEmpty(t, lists, "%s has no list of several pages", version)
		for query, responses := range lists {
			for way, walk := range conformance.Walks {
				t.Run(version+"/"+query+"/"+way, func(t *testing.T) {
					t.Parallel()
					values, err := url.ParseQuery(query)
					require.NoError(t, err)
					opts, wire, reason := conformance.OptionsFor(values)
					if reason != "" { // such as an ordering that the library rejects and the server accepts
						opts, wire = nil, url.Values{}
					}
					if wire.Get("page_size") == "" {
						wire.Set("page_size", "100") // a walk's own
					}
					var mu sync.Mutex
					requests := map[string]int{}
					ak := testkit.NewClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						query := r.URL.Query()
						mu.Lock()
						requests[query.Get("page")]++
						mu.Unlock()
						number, _ := strconv.Atoi(query.Get("page"))
						query.Del("page")
						assert.Equal(t, wire, query)
						responses[number-1].ServeHTTP(w, r)
					}))
					var pages []conformance.Page
					for _, recorded := range responses {
						pages = append(pages, conformance.ParsePage(t, recorded.Body()))
					}
					rows, changed := conformance.Expected(pages)
					want, err := json.Marshal(map[string]any{"results": rows})
					require.NoError(t, err)

					flows, err := walk(t.Context(), ak, opts)

					assert.Empty(t, conformance.Differences(t, want, map[string]any{"results": flows}))
					for number, times := range requests {
						assert.Equal(t, 1, times, "requests for page %s", number)
					}
					if changed {
						assert.ErrorIs(t, err, authentik.ErrListChanged)
						return
					}
					assert.NoError(t, err)
					assert.Len(t, requests, len(responses))
				})
			}
		}
	}
}
