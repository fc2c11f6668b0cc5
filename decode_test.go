package authentik_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/internal/wire"
)

// stub answers every request alike, and counts them.
type stub struct {
	status   int    // 0 is 200
	media    string // 0 is authentik's; "none" is no Content-Type
	body     string
	requests atomic.Int32
}

func (s *stub) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	s.requests.Add(1)
	switch s.media {
	case "":
		w.Header().Set("Content-Type", "application/json")
	case "none":
		w.Header()["Content-Type"] = nil
	default:
		w.Header().Set("Content-Type", s.media)
	}
	w.Header().Set("X-authentik-id", "id-of-"+canary) // a server may say what it was told
	if s.status != 0 {
		w.WriteHeader(s.status)
	}
	_, _ = io.WriteString(w, s.body)
}

// reader is an operation that decodes a model.
type reader struct {
	op   string
	good string // a body it takes
	read func(context.Context, *authentik.Client) (any, error)
}

var (
	listReader = reader{
		"FlowsInstancesList", minimalPage(2, "["+minimalFlow+","+minimalFlow+"]"),
		func(ctx context.Context, ak *authentik.Client) (any, error) { return ak.FlowsInstancesList(ctx, nil) },
	}
	bindingReader = reader{
		"BindingsRetrieve", minimalBinding,
		func(ctx context.Context, ak *authentik.Client) (any, error) {
			return ak.BindingsRetrieve(ctx, uuid.MustParse(someID))
		},
	}
	readers = []reader{listReader, bindingReader}
)

// refused is the error of an answer that cannot be used: nothing came with it,
// and it holds no secret.
func (r reader) refused(t *testing.T, server http.Handler) *authentik.DecodeError {
	t.Helper()
	value, err := r.read(t.Context(), newClient(t, server))
	require.True(t, reflect.ValueOf(value).IsNil(), "%+v", value)
	var decodeError *authentik.DecodeError
	require.ErrorAs(t, err, &decodeError)
	assert.Equal(t, r.op, decodeError.Op)

	encoded, marshalError := json.Marshal(decodeError)
	require.NoError(t, marshalError)
	for _, text := range []string{err.Error(), string(encoded), fmt.Sprintf("%v %+v %#v %s %q %x", err, err, err, err, err, err), fmt.Sprint(decodeError.LogValue())} {
		assert.NotContains(t, text, canary)
		assert.NotContains(t, text, base64.StdEncoding.EncodeToString([]byte(canary)))
		assert.NotContains(t, text, canary[:20], "nor a part of it")
	}
	return decodeError
}

// P1, P2, P3, P5, P11 and H17.
func TestAnAnswerThatIsNoObjectOfItsKindIsADecodeError(t *testing.T) {
	t.Parallel()
	const page = `<!DOCTYPE html><title>Log in</title>` + canary
	for _, r := range readers {
		for name, test := range map[string]struct {
			answer       *stub
			path, reason string
		}{
			"a login page":                   {&stub{media: "text/html; charset=utf-8", body: page}, "", "not JSON: is it authentik's API?"},
			"JSON that is said to be HTML":   {&stub{media: "text/html", body: r.good}, "", "not JSON: is it authentik's API?"},
			"a page that is said to be JSON": {&stub{body: page}, "", "unexpected character, want a JSON value"},
			"a page of no type":              {&stub{media: "none", body: page}, "", "unexpected character, want a JSON value"},
			"null":                           {&stub{body: ` null `}, "", "null, want an object"},
			"an array":                       {&stub{body: "[" + r.good + "]"}, "", "an array, want an object"},
			"a string":                       {&stub{body: `"` + canary + `"`}, "", "a string, want an object"},
			"a page behind":                  {&stub{body: r.good + page}, "", "data after the end of the JSON value"},
			"another object behind":          {&stub{body: r.good + r.good}, "", "data after the end of the JSON value"},
			"a byte order mark":              {&stub{body: "\ufeff" + r.good}, "", "unexpected character, want a JSON value"},
			"empty":                          {&stub{}, "", "empty body"},
			"blank":                          {&stub{body: "\r\n"}, "", "empty body"},
			"no content":                     {&stub{status: http.StatusNoContent}, "", "unexpected status"},
			"created":                        {&stub{status: http.StatusCreated, body: r.good}, "", "unexpected status"},
			"created, empty":                 {&stub{status: http.StatusCreated}, "", "unexpected status"},
			"partial":                        {&stub{status: http.StatusPartialContent, body: r.good}, "", "unexpected status"},
			"partial, empty":                 {&stub{status: http.StatusPartialContent}, "", "unexpected status"},
			"another status of success":      {&stub{status: 299, body: r.good}, "", "unexpected status"},
			"the token as a key":             {&stub{body: `{"` + canary + `":?}`}, `["[redacted]"]`, "unexpected character, want a JSON value"},
			"the token in a long key":        {&stub{body: `{"` + strings.Repeat("k", 50) + canary + `":?}`}, `["` + strings.Repeat("k", 50) + `[redacted]"]`, "unexpected character, want a JSON value"},
		} {
			t.Run(r.op+"/"+name, func(t *testing.T) {
				t.Parallel()
				err := r.refused(t, test.answer)
				assert.Equal(t, test.path, err.JSONPath)
				require.EqualError(t, err.Err, test.reason)
				assert.EqualValues(t, 1, test.answer.requests.Load())
				assert.Equal(t, 1, err.Attempts)
				assert.LessOrEqual(t, len(err.Excerpt), 220)
			})
		}
		for name, answer := range map[string]*stub{
			"no Content-Type": {media: "none", body: r.good}, "a kind of JSON": {media: "application/problem+JSON; x=y", body: r.good}, "space around": {body: "\r\n " + r.good + "\t\n"},
		} {
			t.Run(r.op+"/"+name, func(t *testing.T) {
				t.Parallel()
				_, err := r.read(t.Context(), newClient(t, answer))
				assert.NoError(t, err)
			})
		}
	}
}

// P2 to P9 and P11, by what is put in the place of something in a good body.
func TestEveryFlawOfABodyIsToldWithItsPath(t *testing.T) {
	t.Parallel()
	flows := minimalPage(4, "["+strings.Repeat(minimalFlow+",", 3)+strings.Replace(minimalFlow, someID, otherID, 1)+"]")
	const fourth = `{"pk":"` + otherID + `"` // results[3], as only its pk is that
	undashed := strings.ReplaceAll(otherID, "-", "")
	for _, test := range []struct{ reader, old, new, path, reason string }{
		{"list", flows, `{}`, `pagination`, "missing"},
		{"list", flows, `{"detail":"` + canary + `"}`, `pagination`, "missing"},
		{"list", flows, minimalPage(0, `null`), `results`, "null, want an array"},
		{"list", flows, minimalPage(0, `{}`), `results`, "an object, want an array"},
		{"list", `"results"`, `"items"`, `results`, "missing"},
		{"list", `"next":0,`, ``, `pagination.next`, "missing"},
		{"list", `"pagination":{`, `"pagination":[],"x":{`, `pagination`, "an array, want an object"},

		{"list", `"results"`, `"results":[],"results"`, `results`, "duplicate key"},
		{"list", `"next":0`, `"next":0,"next":0`, `pagination.next`, "duplicate key"},
		{"list", fourth, `{"pk":"` + otherID + `","p\u006b":"` + otherID + `"`, `results[3].pk`, "duplicate key"},
		{"list", fourth, `{"new":1,"new":1,"pk":"` + otherID + `"`, `results[3].new`, "duplicate key"},
		{"list", fourth, `{"background_themed_urls":{"dark":null,"dark":"x"},"pk":"` + otherID + `"`, `results[3].background_themed_urls.dark`, "duplicate key"},

		{"list", `"pagination"`, `"Pagination"`, `Pagination`, "wrong case of the key pagination"},
		{"list", `"next"`, `"NEXT"`, `pagination.NEXT`, "wrong case of the key next"},
		{"list", fourth, `{"PK":"` + otherID + `"`, `results[3].PK`, "wrong case of the key pk"},

		{"list", `"next":0`, `"next":1.5`, `pagination.next`, "not an integer in range"},
		{"list", `"next":0`, `"next":-1`, `pagination.next`, "negative"},
		{"list", `"next":0`, `"next":1e30`, `pagination.next`, "not an integer in range"},
		{"list", `"next":0`, `"next":"2"`, `pagination.next`, "a string, want an integer"},
		{"list", `"next":0`, `"next":NaN`, `pagination.next`, "unexpected character, want a JSON value"},
		{"list", `"count":4`, `"count":-4`, `pagination.count`, "negative"},
		{"list", `"total_pages":1`, `"total_pages":-1`, `pagination.total_pages`, "negative"},
		{"list", `"count":4`, `"count":3`, `pagination.count`, "3, with 4 results on this page alone"},
		{"list", flows, minimalPage(1, `[]`), `pagination.count`, "1, without a result or a next page"},
		{"list", `"total_pages":1`, `"total_pages":0`, `pagination.total_pages`, "0, with 4 results"},

		{"list", fourth, `{"pk":null`, `results[3].pk`, "null, want a string"},
		{"list", fourth + ",", `{`, `results[3].pk`, "missing"},
		{"list", fourth, `{"pk":""`, `results[3].pk`, "not a UUID of 36 characters"},
		{"list", fourth, `{"pk":"` + canary + `"`, `results[3].pk`, "not a UUID of 36 characters"},
		{"list", fourth, `{"pk":"urn:uuid:` + otherID + `"`, `results[3].pk`, "not a UUID of 36 characters"},
		{"list", fourth, `{"pk":"{` + otherID + `}"`, `results[3].pk`, "not a UUID of 36 characters"},
		{"list", fourth, `{"pk":"` + undashed + `"`, `results[3].pk`, "not a UUID of 36 characters"},
		{"list", fourth, `{"pk":12`, `results[3].pk`, "a number, want a string"},
		{"list", `[` + minimalFlow, `[null,` + minimalFlow, `results[0]`, "null, want an object"},
		{"list", `[` + minimalFlow, `[` + minimalFlow + `,[]`, `results[1]`, "an array, want an object"},

		{"list", fourth, `{"title":"` + "\xff" + `"`, `results[3].title`, "invalid UTF-8"},
		{"list", fourth, `{"new":"` + "\xc3(" + `"`, `results[3].new`, "invalid UTF-8"},
		{"list", fourth, `{"title":"\ud83d"`, `results[3].title`, "invalid escape in a string"},

		{"binding", minimalBinding, `{}`, `pk`, "missing"},
		{"binding", minimalBinding, `{"detail":"` + canary + `"}`, `pk`, "missing"},
		{"binding", `{"pk":"` + someID + `"`, `{"pk":null`, `pk`, "null, want a string"},
		{"binding", `{"pk":"` + someID + `"`, `{"pk":""`, `pk`, "not a UUID of 36 characters"},
		{"binding", `{"pk":"` + someID + `"`, `{"pk":"` + otherID + `"`, `pk`, "response is for a different object"},
		{"binding", `{"pk":"` + someID + `"`, `{"pk":"` + uuid.Nil.String() + `"`, `pk`, "response is for a different object"},
		{"binding", `"order":-3`, `"order":-3,"order":-3`, `order`, "duplicate key"},
		{"binding", `"order":-3`, `"Order":-3`, `Order`, "wrong case of the key order"},
		{"binding", `"order":-3`, `"order":1e400`, `order`, "not an integer in range"},
		{"binding", minimalStage, `null`, `stage_obj`, "null, want an object"},
		{"binding", `{"pk":"` + otherID + `","name"`, `{"pk":null,"name"`, `stage_obj.pk`, "null, want a string"},
		{"binding", `"component":""`, `"component":"","component":""`, `stage_obj.component`, "duplicate key"},
		{"binding", `"component":""`, `"component":"","flow_set":[` + minimalSet + `,{}]`, `stage_obj.flow_set[1].pk`, "missing"},
		{"binding", `"component":""`, `"component":"","flow_set":[` + minimalSet + `,null]`, `stage_obj.flow_set[1]`, "null, want an object"},
		{"binding", `"component":""`, `"component":"\u0000` + "\x00" + `"`, `stage_obj.component`, "control character in a string"},
	} {
		r, good := bindingReader, minimalBinding
		if test.reader == "list" {
			r, good = listReader, flows
		}
		t.Run(test.path+" "+test.reason, func(t *testing.T) {
			t.Parallel()
			require.Contains(t, good, test.old)
			answer := &stub{body: strings.Replace(good, test.old, test.new, 1)}
			err := r.refused(t, answer)
			assert.Equal(t, test.path, err.JSONPath)
			require.EqualError(t, err.Err, test.reason)
			assert.EqualValues(t, 1, answer.requests.Load())
		})
	}
}

// P6 and the right object in other clothes.
func TestWhatMeansTheSameIsNoFlaw(t *testing.T) {
	t.Parallel()
	for _, next := range []string{"2", "2.0", "2e0", "20e-1", "0.02E+2"} {
		answer := &stub{body: strings.Replace(listReader.good, `"next":0`, `"next":`+next, 1)}
		page, err := newClient(t, answer).FlowsInstancesList(t.Context(), nil)
		require.NoError(t, err)
		assert.Equal(t, 2, page.Pagination.Next, next)
	}
	answer := &stub{body: strings.Replace(minimalBinding, someID, strings.ToUpper(someID), 1)}
	binding, err := newClient(t, answer).BindingsRetrieve(t.Context(), uuid.MustParse(someID))
	require.NoError(t, err)
	assert.Equal(t, someID, binding.PK.String())
}

// place is somewhere in a JSON value that a model has.
type place struct {
	path     string
	value    any
	set      func(any)
	remove   func() // nil for an element
	required bool
}

// places are all of a value, outermost first.
func places(path string, raw any, model reflect.Type) (all []place) {
	if model.Kind() == reflect.Pointer {
		model = model.Elem()
	}
	switch raw := raw.(type) {
	case map[string]any:
		for _, table := range authentik.Tables() {
			if table.Type != model {
				continue
			}
			for i, line := range table.Lines {
				value, ok := raw[line.Name]
				if !ok {
					continue // of other releases
				}
				at := strings.TrimPrefix(path+"."+line.Name, ".")
				all = append(all, place{at, value, func(v any) { raw[line.Name] = v }, func() { delete(raw, line.Name) }, line.When == wire.Required})
				all = append(all, places(at, value, model.Field(i).Type)...)
			}
		}
	case []any:
		for i, value := range raw {
			at := path + "[" + strconv.Itoa(i) + "]"
			all = append(all, place{at, value, func(v any) { raw[i] = v }, nil, true})
			all = append(all, places(at, value, model.Elem())...)
		}
	}
	return all
}

// P7, P9 and design: null is refused everywhere but for the themed URLs and in
// them; a key is missed if all releases promise it.
func TestEveryFieldIsHeldToItsKindAndPresence(t *testing.T) {
	t.Parallel()
	all := releases(t)
	newest := all[len(all)-1]
	for _, test := range []struct {
		reader   reader
		model    reflect.Type
		instance func() map[string]any
		nullable map[string]bool
	}{
		{listReader, reflect.TypeFor[authentik.Page[authentik.Flow]](), func() map[string]any { return new(variant).page(newest) }, map[string]bool{
			"results[0].background_themed_urls": true, "results[0].background_themed_urls.light": true, "results[0].background_themed_urls.dark": true,
			"results[1].background_themed_urls": true, "results[1].background_themed_urls.light": true, "results[1].background_themed_urls.dark": true,
		}},
		{bindingReader, reflect.TypeFor[authentik.FlowStageBinding](), func() map[string]any {
			binding := new(variant).instance(newest, newest.model("FlowStageBinding")).(map[string]any)
			binding["pk"] = someID
			return binding
		}, map[string]bool{}},
	} {
		t.Run(test.reader.op, func(t *testing.T) {
			t.Parallel()
			var body atomic.Value
			ak := newClient(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				_, _ = w.Write(body.Load().([]byte))
			}))
			read := func(doc any) error {
				data, err := json.Marshal(doc)
				require.NoError(t, err)
				body.Store(data)
				_, err = test.reader.read(t.Context(), ak)
				return err
			}
			require.NoError(t, read(test.instance()))
			nullable := map[string]bool{}
			for i, p := range places("", test.instance(), test.model) {
				for _, other := range []any{nil, true, 3, 1.5, "text", []any{}, map[string]any{}} {
					if reflect.TypeOf(other) == reflect.TypeOf(p.value) {
						continue
					}
					doc := test.instance()
					places("", doc, test.model)[i].set(other)
					err := read(doc)
					if other == nil && err == nil {
						nullable[p.path] = true
						continue
					}
					var decodeError *authentik.DecodeError
					require.ErrorAs(t, err, &decodeError, "%v as %s", other, p.path)
					require.Equal(t, p.path, decodeError.JSONPath, "%v", other)
				}
				if p.remove == nil {
					continue
				}
				doc := test.instance()
				places("", doc, test.model)[i].remove()
				err := read(doc)
				if !p.required {
					require.NoError(t, err, p.path)
					continue
				}
				var decodeError *authentik.DecodeError
				require.ErrorAs(t, err, &decodeError, p.path)
				require.EqualError(t, decodeError.Err, "missing")
				require.Equal(t, p.path, decodeError.JSONPath)
			}
			assert.Equal(t, test.nullable, nullable)
		})
	}
}

// T6: with Connection: close, HTTP does not tell that a body was cut.
func aCutBodyIsAskedForAgain(t *testing.T) {
	t.Parallel()
	for _, r := range readers {
		for _, cut := range []int{1, len(r.good) / 2, len(r.good) - 1} {
			for _, cuts := range []int32{2, 99} {
				t.Run(fmt.Sprintf("%s/%d/%d times", r.op, cut, cuts), func(t *testing.T) {
					t.Parallel()
					good, short := &stub{body: r.good}, &stub{body: r.good[:cut]}
					server := http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
						w.Header().Set("Connection", "close")
						if short.requests.Load() < cuts {
							short.ServeHTTP(w, req)
							w.(http.Flusher).Flush() // no Content-Length
							return
						}
						good.ServeHTTP(w, req)
					})
					if cuts == 2 {
						_, err := r.read(t.Context(), newClient(t, server))
						require.NoError(t, err)
						assert.EqualValues(t, 1, good.requests.Load())
						return
					}
					err := r.refused(t, server)
					require.ErrorIs(t, err, io.ErrUnexpectedEOF)
					assert.Equal(t, 4, err.Attempts)
					assert.EqualValues(t, 4, short.requests.Load())
				})
			}
		}
	}
}

func gzipped(t testing.TB, data []byte) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write(data)
	require.NoError(t, err)
	require.NoError(t, z.Close())
	return b.String()
}

// inGzip says that a body is compressed.
func inGzip(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		next.ServeHTTP(w, req)
	})
}

// P14.
func TestABrokenCompressionIsNoAnswer(t *testing.T) {
	t.Parallel()
	whole := gzipped(t, []byte(listReader.good))
	for name, test := range map[string]struct {
		body     string
		cause    error
		attempts int
	}{
		"cut":     {whole[:len(whole)/2], io.ErrUnexpectedEOF, 4},
		"no gzip": {listReader.good, gzip.ErrHeader, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answer := &stub{body: test.body}
			page, err := newClient(t, inGzip(answer)).FlowsInstancesList(t.Context(), nil)
			require.Nil(t, page)
			var requestError *authentik.RequestError
			require.ErrorAs(t, err, &requestError)
			require.ErrorIs(t, err, test.cause)
			assert.Equal(t, test.attempts, requestError.Attempts)
			assert.EqualValues(t, test.attempts, answer.requests.Load())
		})
	}
	page, err := newClient(t, inGzip(&stub{body: whole})).FlowsInstancesList(t.Context(), nil)
	require.NoError(t, err)
	assert.Len(t, page.Results, 2)
}

// P15.
func TestNestingUpToTheLimitIsNoError(t *testing.T) {
	t.Parallel()
	for _, r := range readers {
		for _, depth := range []int{9_999, 10_000, 10_001} {
			t.Run(fmt.Sprintf("%s/%d", r.op, depth), func(t *testing.T) {
				t.Parallel()
				answer := &stub{body: `{"new":` + strings.Repeat("[", depth-1) + strings.Repeat("]", depth-1) + "," + r.good[1:]}
				if depth <= 10_000 {
					_, err := r.read(t.Context(), newClient(t, answer))
					require.NoError(t, err)
					return
				}
				err := r.refused(t, answer)
				require.EqualError(t, err.Err, "nested too deeply")
				assert.Equal(t, "new", err.JSONPath)
				assert.EqualValues(t, 1, answer.requests.Load())
			})
		}
	}
}

// zeros is a body of n bytes that counts what is read of it.
type zeros struct{ n, read int64 }

func (z *zeros) Read(p []byte) (int, error) {
	n := min(int64(len(p)), z.n-z.read)
	clear(p[:n])
	if z.read += n; n == 0 {
		return 0, io.EOF
	}
	return int(n), nil
}

// allocated is how many bytes f allocates; the heap cannot grow by more. It
// must be alone: no test that uses it is parallel.
func allocated(f func()) int64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc)
}

// P12 and P13.
func TestABodyAboveTheLimitIsNotReadFurther(t *testing.T) { //nolint:paralleltest // it counts allocations
	const size = 64 << 20
	bomb := strings.Repeat(gzipped(t, make([]byte, 1<<20)), size>>20)
	for _, limit := range []int64{1 << 20, 3 << 20, 8 << 20} {
		opts := []authentik.ClientOption{authentik.WithMaxResponseSize(limit)}
		if limit == 8<<20 {
			opts = nil // the default
		}
		tooLarge := func(ak *authentik.Client) {
			page, err := ak.FlowsInstancesList(t.Context(), nil)
			require.Nil(t, page)
			var decodeError *authentik.DecodeError
			require.ErrorAs(t, err, &decodeError)
			require.ErrorIs(t, err, authentik.ErrResponseTooLarge)
			assert.Empty(t, decodeError.Excerpt)
			assert.Equal(t, 1, decodeError.Attempts)
		}
		for _, length := range []int64{size, -1, 10} { // -1 is unknown; 10 is a lie, of a transport other than net/http's
			body := &zeros{n: size}
			ak := socketless(t, func(req *http.Request) (*http.Response, error) {
				return &http.Response{
					StatusCode: http.StatusOK, ContentLength: length, Body: io.NopCloser(body), Request: req,
					Header: http.Header{"Content-Type": {"application/json"}},
				}, nil
			}, opts...)
			assert.Less(t, allocated(func() { tooLarge(ak) }), 4*limit, "%d of length %d", limit, length)
			assert.LessOrEqual(t, body.read, limit+1)
		}
		answer := &stub{body: bomb}
		ak := newClient(t, inGzip(answer), opts...)
		assert.Less(t, allocated(func() { tooLarge(ak) }), 4*limit, "a bomb, %d", limit)
		assert.EqualValues(t, 1, answer.requests.Load())
	}
}

// P16.
func TestABodyOfEmptyObjectsCostsAFewTimesItsSize(t *testing.T) { //nolint:paralleltest // it counts allocations
	body := minimalPage(1<<20, "["+strings.Repeat("{},", 1<<20-1)+"{}]")
	ak := newClient(t, &stub{body: body})
	var err error
	assert.Less(t, allocated(func() { _, err = ak.FlowsInstancesList(t.Context(), nil) }), int64(4*len(body)))
	var decodeError *authentik.DecodeError
	require.ErrorAs(t, err, &decodeError)
	assert.Equal(t, "results[0].pk", decodeError.JSONPath)
}

func TestGetTellsWhereAnElementOfAPageIsWrong(t *testing.T) {
	t.Parallel()
	type group struct{ Members []int }
	for body, path := range map[string]string{
		minimalPage(2, `[{},{"members":[1,"`+canary+`"]}]`): "results[1].Members",
		minimalPage(1, `[3]`):                               "results[0]",
		minimalPage(0, `[{}]`):                              "pagination.count",
		`{"results":[]}`:                                    "pagination",
	} {
		page := authentik.Page[group]{Results: []group{{}}}
		answer := &stub{body: body}
		err := newClient(t, answer).Get(t.Context(), "core/groups/", nil, &page)
		var decodeError *authentik.DecodeError
		require.ErrorAs(t, err, &decodeError)
		assert.Equal(t, path, decodeError.JSONPath)
		assert.NotContains(t, err.Error(), canary)
		assert.Len(t, page.Results, 1, "out is written if there is no error")
		assert.EqualValues(t, 1, answer.requests.Load())
	}
}
