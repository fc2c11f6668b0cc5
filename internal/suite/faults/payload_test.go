package faults_test

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
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/internal/testkit"
	"github.com/seed-299d42e7/authentik-go/internal/testkit/schema"
)

// reader is an operation that decodes a model.
type reader struct {
	op   string
	good string // a body it takes
	read func(context.Context, *authentik.Client) (any, error)
}

var (
	listReader = reader{
		"FlowsInstancesList", testkit.FlowPageBody(2, "["+testkit.MinimalFlow+","+testkit.MinimalFlow+"]"),
		func(ctx context.Context, ak *authentik.Client) (any, error) { return ak.FlowsInstancesList(ctx, nil) },
	}
	bindingReader = reader{
		"BindingsRetrieve", testkit.MinimalBinding,
		func(ctx context.Context, ak *authentik.Client) (any, error) {
			return ak.BindingsRetrieve(ctx, uuid.MustParse(testkit.FlowID))
		},
	}
	readers = []reader{listReader, bindingReader}
)

// refused is the error of an answer that cannot be used: nothing came with it,
// and it holds no secret.
func (r reader) refused(t *testing.T, server http.Handler) *authentik.DecodeError {
	t.Helper()
	value, err := r.read(t.Context(), testkit.NewClient(t, server))
	require.True(t, reflect.ValueOf(value).IsNil(), "%+v", value)
	var decodeError *authentik.DecodeError
	require.ErrorAs(t, err, &decodeError)
	assert.Equal(t, r.op, decodeError.Op)

	encoded, marshalError := json.Marshal(decodeError)
	require.NoError(t, marshalError)
	for _, text := range []string{err.Error(), string(encoded), fmt.Sprintf("%v %+v %#v %s %q %x", err, err, err, err, err, err), fmt.Sprint(decodeError.LogValue())} {
		assert.NotContains(t, text, testkit.Token)
		assert.NotContains(t, text, base64.StdEncoding.EncodeToString([]byte(testkit.Token)))
		assert.NotContains(t, text, testkit.Token[:20], "nor a part of it")
	}
	return decodeError
}

// payload is the test of a row of the fault matrix: every answer below that
// has it.
func payload(row string, more ...func(*testing.T)) func(*testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		for _, r := range readers {
			for _, test := range r.unusable() {
				if test.row == row {
					t.Run(r.op+"/"+test.name, func(t *testing.T) { r.tells(t, test) })
				}
			}
		}
		for _, test := range flaws() {
			if test.row == row {
				t.Run(test.reader.op+"/"+test.name, func(t *testing.T) { test.reader.tells(t, test.unusable) })
			}
		}
		for i, test := range more {
			t.Run(strconv.Itoa(i), test)
		}
	}
}

// unusable is an answer that is not what was asked for, by the row of the
// fault matrix.
type unusable struct {
	row, name    string
	answer       *testkit.Stub
	path, reason string
}

// tells asserts that nothing is made of an answer, and that it is said why.
func (r reader) tells(t *testing.T, test unusable) {
	t.Helper()
	t.Parallel()
	err := r.refused(t, test.answer)
	assert.Equal(t, test.path, err.JSONPath)
	require.EqualError(t, err.Err, test.reason)
	assert.EqualValues(t, 1, test.answer.Requests.Load())
	assert.Equal(t, 1, err.Attempts)
	assert.LessOrEqual(t, len(err.Excerpt), 220)
}

// unusable are answers that are no object of the reader's kind.
func (r reader) unusable() []unusable {
	const page = `<!DOCTYPE html><title>Log in</title>` + testkit.Token
	return []unusable{
		{
			"P1",
			"a login page",
			&testkit.Stub{ContentType: "text/html; charset=utf-8", Body: page},
			"",
			"not JSON",
		},
		{"P1", "a page that is said to be JSON", &testkit.Stub{Body: page}, "", "not JSON"},
		{"P1", "a page of no type", &testkit.Stub{ContentType: "none", Body: page}, "", "not JSON"},
		{"P2", "null", &testkit.Stub{Body: ` null `}, "", "null, want an object"},
		{"P2", "an array", &testkit.Stub{Body: "[" + r.good + "]"}, "", "an array, want an object"},
		{"P2", "a string", &testkit.Stub{Body: `"` + testkit.Token + `"`}, "", "a string, want an object"},
		{"P3", "a page behind", &testkit.Stub{Body: r.good + page}, "", "data after the end of the JSON value"},
		{"P3", "another object behind", &testkit.Stub{Body: r.good + r.good}, "", "data after the end of the JSON value"},
		{"P11", "a byte order mark", &testkit.Stub{Body: "\ufeff" + r.good}, "", "not JSON"},
		{"H17", "empty", &testkit.Stub{}, "", "empty body"},
		{"H17", "blank", &testkit.Stub{Body: "\r\n"}, "", "empty body"},
		{"H17", "no content", &testkit.Stub{Status: http.StatusNoContent}, "", "unexpected status"},
		{"H17", "created", &testkit.Stub{Status: http.StatusCreated, Body: r.good}, "", "unexpected status"},
		{"H17", "created, empty", &testkit.Stub{Status: http.StatusCreated}, "", "unexpected status"},
		{"H17", "partial", &testkit.Stub{Status: http.StatusPartialContent, Body: r.good}, "", "unexpected status"},
		{"H17", "partial, empty", &testkit.Stub{Status: http.StatusPartialContent}, "", "unexpected status"},
		{"H17", "another status of success", &testkit.Stub{Status: 299, Body: r.good}, "", "unexpected status"},
		{
			"S11",
			"the token as a key",
			&testkit.Stub{Body: `{"` + testkit.Token + `":?}`},
			`["[redacted]"]`,
			"invalid character '?' at start of value",
		},
		{
			"S11",
			"the token in a long key",
			&testkit.Stub{Body: `{"` + strings.Repeat("k", 50) + testkit.Token + `":?}`},
			`["` + strings.Repeat("k", 50) + `[redacted]"]`,
			"invalid character '?' at start of value",
		},
	}
}

func TestClient_IgnoresContentTypeOfJSON(t *testing.T) {
	t.Parallel()
	for _, r := range readers {
		for name, answer := range map[string]*testkit.Stub{
			"no Content-Type": {ContentType: "none", Body: r.good}, "said to be HTML": {ContentType: "text/html", Body: r.good},
			"said to be text": {
				ContentType: "text/plain; charset=utf-8", Body: r.good,
			}, "two folded": {
				ContentType: "application/json, text/json",
				Body:        r.good,
			}, "a kind of JSON": {
				ContentType: "application/problem+JSON; x=y",
				Body:        r.good,
			}, "space around": {Body: "\r\n " + r.good + "\t\n"},
		} {
			t.Run(r.op+"/"+name, func(t *testing.T) {
				t.Parallel()
				_, err := r.read(t.Context(), testkit.NewClient(t, answer))
				assert.NoError(t, err)
			})
		}
	}
}

// flaw is a good body with something in the place of something else.
type flaw struct {
	unusable
	reader reader
}

func flaws() (all []flaw) {
	flows := testkit.FlowPageBody(
		4,
		"["+strings.Repeat(
			testkit.MinimalFlow+",",
			3,
		)+strings.Replace(
			testkit.MinimalFlow,
			testkit.FlowID,
			testkit.OtherID,
			1,
		)+"]",
	)
	const fourth = `{"pk":"` + testkit.OtherID + `"` // results[3], as only its pk is that
	undashed := strings.ReplaceAll(testkit.OtherID, "-", "")
	for _, test := range []struct {
		row                    string
		reader                 reader
		old, new, path, reason string
	}{
		{"P2", listReader, flows, `{}`, `pagination`, "missing"},
		{"P2", listReader, flows, `{"detail":"` + testkit.Token + `"}`, `pagination`, "missing"},
		{"P2", listReader, flows, testkit.FlowPageBody(0, `null`), `results`, "null, want an array"},
		{"P2", listReader, flows, testkit.FlowPageBody(0, `{}`), `results`, "an object, want an array"},
		{"P2", listReader, `"results"`, `"items"`, `results`, "missing"},
		{"P2", listReader, `"next":0,`, ``, `pagination.next`, "missing"},
		{"P2", listReader, `"pagination":{`, `"pagination":[],"x":{`, `pagination`, "an array, want an object"},

		{"P4", listReader, `"results"`, `"results":[],"results"`, `results`, "duplicate key"},
		{"P4", listReader, `"next":0`, `"next":0,"next":0`, `pagination.next`, "duplicate key"},
		{
			"P4", listReader, fourth, `{"pk":"` + testkit.OtherID + `","p\u006b":"` + testkit.OtherID + `"`, `results[3].pk`,
			"duplicate key",
		},
		{"P4", listReader, fourth, `{"new":1,"new":1,"pk":"` + testkit.OtherID + `"`, `results[3].new`, "duplicate key"},
		{
			"P4", listReader, fourth, `{"background_themed_urls":{"dark":null,"dark":"x"},"pk":"` + testkit.OtherID + `"`,
			`results[3].background_themed_urls.dark`, "duplicate key",
		},

		{"P5", listReader, `"pagination"`, `"Pagination"`, `Pagination`, "wrong case of the key pagination"},
		{"P5", listReader, `"next"`, `"NEXT"`, `pagination.NEXT`, "wrong case of the key next"},
		{"P5", listReader, fourth, `{"PK":"` + testkit.OtherID + `"`, `results[3].PK`, "wrong case of the key pk"},

		{"P6", listReader, `"next":0`, `"next":1.5`, `pagination.next`, "not an integer in range"},
		{"P6", listReader, `"next":0`, `"next":-1`, `pagination.next`, "negative"},
		{"P6", listReader, `"next":0`, `"next":1e30`, `pagination.next`, "not an integer in range"},
		{"P6", listReader, `"next":0`, `"next":"2"`, `pagination.next`, "a string, want an integer"},
		{"P6", listReader, `"next":0`, `"next":NaN`, `pagination.next`, "invalid character 'N' at start of value"},
		{"G15", listReader, `"count":4`, `"count":-4`, `pagination.count`, "negative"},
		{"G15", listReader, `"total_pages":1`, `"total_pages":-1`, `pagination.total_pages`, "negative"},
		{"G15", listReader, `"count":4`, `"count":3`, `pagination.count`, "3, with 4 results on this page alone"},
		{"G15", listReader, flows, testkit.FlowPageBody(1, `[]`), `pagination.count`, "1, without a result or a next page"},
		{"G15", listReader, `"total_pages":1`, `"total_pages":0`, `pagination.total_pages`, "0, with 4 results"},

		{"P7", listReader, fourth, `{"pk":null`, `results[3].pk`, "null, want a string"},
		{"P7", listReader, fourth + ",", `{`, `results[3].pk`, "missing"},
		{"P8", listReader, fourth, `{"pk":""`, `results[3].pk`, "not a UUID of 36 characters"},
		{"P8", listReader, fourth, `{"pk":"` + testkit.Token + `"`, `results[3].pk`, "not a UUID of 36 characters"},
		{
			"S9", listReader, fourth, `{"pk":"urn:uuid:` + testkit.OtherID + `"`, `results[3].pk`, "not a UUID of 36 characters",
		},
		{"S9", listReader, fourth, `{"pk":"{` + testkit.OtherID + `}"`, `results[3].pk`, "not a UUID of 36 characters"},
		{"S9", listReader, fourth, `{"pk":"` + undashed + `"`, `results[3].pk`, "not a UUID of 36 characters"},
		{"P7", listReader, fourth, `{"pk":12`, `results[3].pk`, "a number, want a string"},
		{"P9", listReader, `[` + testkit.MinimalFlow, `[null,` + testkit.MinimalFlow, `results[0]`, "null, want an object"},
		{
			"P9", listReader, `[` + testkit.MinimalFlow, `[` + testkit.MinimalFlow + `,[]`, `results[1]`,
			"an array, want an object",
		},

		{"P11", listReader, fourth, `{"title":"` + "\xff" + `"`, `results[3].title`, "invalid UTF-8"},
		{"P11", listReader, fourth, `{"new":"` + "\xc3(" + `"`, `results[3].new`, "invalid UTF-8"},
		{
			"P11", listReader, fourth, `{"title":"\ud83d"`, `results[3].title`,
			"invalid surrogate pair `\\ud83d\",\"pol` in string",
		},

		{"P2", bindingReader, testkit.MinimalBinding, `{}`, `pk`, "missing"},
		{"P2", bindingReader, testkit.MinimalBinding, `{"detail":"` + testkit.Token + `"}`, `pk`, "missing"},
		{"P7", bindingReader, `{"pk":"` + testkit.FlowID + `"`, `{"pk":null`, `pk`, "null, want a string"},
		{"P8", bindingReader, `{"pk":"` + testkit.FlowID + `"`, `{"pk":""`, `pk`, "not a UUID of 36 characters"},
		{
			"P17", bindingReader, `{"pk":"` + testkit.FlowID + `"`, `{"pk":"` + testkit.OtherID + `"`, `pk`,
			"response is for a different object",
		},
		{
			"P17", bindingReader, `{"pk":"` + testkit.FlowID + `"`, `{"pk":"` + uuid.Nil.String() + `"`, `pk`,
			"response is for a different object",
		},
		{"P4", bindingReader, `"order":-3`, `"order":-3,"order":-3`, `order`, "duplicate key"},
		{"P5", bindingReader, `"order":-3`, `"Order":-3`, `Order`, "wrong case of the key order"},
		{"P6", bindingReader, `"order":-3`, `"order":1e400`, `order`, "not an integer in range"},
		{"P9", bindingReader, testkit.MinimalStage, `null`, `stage_obj`, "null, want an object"},
		{
			"P7", bindingReader, `{"pk":"` + testkit.OtherID + `","name"`, `{"pk":null,"name"`, `stage_obj.pk`,
			"null, want a string",
		},
		{"P4", bindingReader, `"component":""`, `"component":"","component":""`, `stage_obj.component`, "duplicate key"},
		{
			"P7", bindingReader, `"component":""`, `"component":"","flow_set":[` + testkit.MinimalFlowSet + `,{}]`,
			`stage_obj.flow_set[1].pk`, "missing",
		},
		{
			"P9", bindingReader, `"component":""`, `"component":"","flow_set":[` + testkit.MinimalFlowSet + `,null]`,
			`stage_obj.flow_set[1]`, "null, want an object",
		},
		{
			"P11", bindingReader, `"component":""`, `"component":"\u0000` + "\x00" + `"`, `stage_obj.component`,
			"invalid character '\\x00' in string (expecting non-control character)",
		},
	} {
		good := testkit.MinimalBinding
		if test.reader.op == listReader.op {
			good = flows
		}
		if !strings.Contains(good, test.old) {
			panic("not in a good body: " + test.old)
		}
		body := strings.Replace(good, test.old, test.new, 1)
		all = append(
			all,
			flaw{
				unusable{test.row, test.path + " " + test.reason, &testkit.Stub{Body: body}, test.path, test.reason},
				test.reader,
			},
		)
	}
	return all
}

func equivalentJSONIsNoError(t *testing.T) {
	t.Parallel()
	for _, next := range []string{"2", "2.0", "2e0", "20e-1", "0.02E+2"} {
		answer := &testkit.Stub{Body: strings.Replace(listReader.good, `"next":0`, `"next":`+next, 1)}
		page, err := testkit.NewClient(t, answer).FlowsInstancesList(t.Context(), nil)
		require.NoError(t, err)
		assert.Equal(t, 2, page.Pagination.Next, next)
	}
	answer := &testkit.Stub{
		Body: strings.Replace(testkit.MinimalBinding, testkit.FlowID, strings.ToUpper(testkit.FlowID), 1),
	}
	binding, err := testkit.NewClient(t, answer).BindingsRetrieve(t.Context(), uuid.MustParse(testkit.FlowID))
	require.NoError(t, err)
	assert.Equal(t, testkit.FlowID, binding.PK.String())
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
		for f := range model.Fields() {
			key, _ := schema.Key(f)
			value, ok := raw[key]
			if !ok {
				continue // of other releases
			}
			at := strings.TrimPrefix(path+"."+key, ".")
			all = append(
				all,
				place{at, value, func(v any) { raw[key] = v }, func() { delete(raw, key) }, schema.Presence(f) == "required"},
			)
			all = append(all, places(at, value, f.Type)...)
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

// Null is refused everywhere but for the themed URLs and in
// them; a key is missed if all releases promise it.
func everyFieldIsChecked(t *testing.T) {
	t.Parallel()
	all := schema.Releases(t)
	newest := all[len(all)-1]
	for _, test := range []struct {
		reader   reader
		model    reflect.Type
		instance func() map[string]any
		nullable map[string]bool
	}{
		{listReader, reflect.TypeFor[authentik.Page[authentik.Flow]](), func() map[string]any { return new(schema.Generator).FlowPage(newest) }, map[string]bool{
			"results[0].background_themed_urls": true, "results[0].background_themed_urls.light": true,
			"results[0].background_themed_urls.dark": true,
			"results[1].background_themed_urls":      true, "results[1].background_themed_urls.light": true,
			"results[1].background_themed_urls.dark": true,
		}},
		{bindingReader, reflect.TypeFor[authentik.FlowStageBinding](), func() map[string]any {
			binding := new(schema.Generator).Instance(newest, newest.Model("FlowStageBinding")).(map[string]any)
			binding["pk"] = testkit.FlowID
			return binding
		}, map[string]bool{}},
	} {
		t.Run(test.reader.op, func(t *testing.T) {
			t.Parallel()
			var body atomic.Value
			ak := testkit.NewClient(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
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

// With Connection: close, HTTP does not tell that a body was cut.
func cutBodyIsRetried(t *testing.T) {
	t.Parallel()
	for _, r := range readers {
		for _, cut := range []int{1, len(r.good) / 2, len(r.good) - 1} {
			for _, cuts := range []int32{2, 99} {
				t.Run(fmt.Sprintf("%s/%d/%d times", r.op, cut, cuts), func(t *testing.T) {
					t.Parallel()
					good, short := &testkit.Stub{Body: r.good}, &testkit.Stub{Body: r.good[:cut]}
					server := http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
						w.Header().Set("Connection", "close")
						if short.Requests.Load() < cuts {
							short.ServeHTTP(w, req)
							w.(http.Flusher).Flush() // no Content-Length
							return
						}
						good.ServeHTTP(w, req)
					})
					if cuts == 2 {
						_, err := r.read(t.Context(), testkit.NewClient(t, server))
						require.NoError(t, err)
						assert.EqualValues(t, 1, good.Requests.Load())
						return
					}
					err := r.refused(t, server)
					require.ErrorIs(t, err, io.ErrUnexpectedEOF)
					assert.Equal(t, 4, err.Attempts)
					assert.EqualValues(t, 4, short.Requests.Load())
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

func brokenCompressionIsAnError(t *testing.T) {
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
			answer := &testkit.Stub{Body: test.body}
			page, err := testkit.NewClient(t, inGzip(answer)).FlowsInstancesList(t.Context(), nil)
			require.Nil(t, page)
			var requestError *authentik.RequestError
			require.ErrorAs(t, err, &requestError)
			require.ErrorIs(t, err, test.cause)
			assert.Equal(t, test.attempts, requestError.Attempts)
			assert.EqualValues(t, test.attempts, answer.Requests.Load())
		})
	}
	page, err := testkit.NewClient(t, inGzip(&testkit.Stub{Body: whole})).FlowsInstancesList(t.Context(), nil)
	require.NoError(t, err)
	assert.Len(t, page.Results, 2)
}

func nestingIsLimited(t *testing.T) {
	t.Parallel()
	for _, r := range readers {
		for _, depth := range []int{9_999, 10_000, 10_001} {
			t.Run(fmt.Sprintf("%s/%d", r.op, depth), func(t *testing.T) {
				t.Parallel()
				answer := &testkit.Stub{
					Body: `{"new":` + strings.Repeat("[", depth-1) + strings.Repeat("]", depth-1) + "," + r.good[1:],
				}
				if depth <= 10_000 {
					_, err := r.read(t.Context(), testkit.NewClient(t, answer))
					require.NoError(t, err)
					return
				}
				err := r.refused(t, answer)
				require.EqualError(t, err.Err, "exceeded max depth")
				assert.True(t, strings.HasPrefix(err.JSONPath, "new[0][0]"), err.JSONPath)
				assert.Less(t, len(err.JSONPath), 300)
				assert.EqualValues(t, 1, answer.Requests.Load())
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

// largeBodyIsNotRead counts allocations, and so is not parallel.
// large answers with 64 MiB.
func largeBodyIsNotRead(
	large func(*testing.T, ...authentik.ClientOption) (ak *authentik.Client, check func(limit int64)),
) func(*testing.T) {
	return func(t *testing.T) {
		for _, limit := range []int64{1 << 20, 3 << 20, 8 << 20} {
			opts := []authentik.ClientOption{authentik.WithMaxResponseSize(limit)}
			if limit == 8<<20 {
				opts = nil // the default
			}
			ak, check := large(t, opts...)
			var page *authentik.Page[authentik.Flow]
			var err error
			assert.Less(t, testkit.Allocated(func() { page, err = ak.FlowsInstancesList(t.Context(), nil) }), 4*limit)
			require.Nil(t, page)
			var decodeError *authentik.DecodeError
			require.ErrorAs(t, err, &decodeError)
			require.ErrorIs(t, err, authentik.ErrResponseTooLarge)
			assert.Empty(t, decodeError.Excerpt)
			assert.Equal(t, 1, decodeError.Attempts)
			check(limit)
		}
	}
}

const large = 64 << 20

// zeroes are a large body of a length that is known, or not (-1), or a lie of
// a transport other than net/http's.
func zeroes(length int64) func(*testing.T, ...authentik.ClientOption) (*authentik.Client, func(int64)) {
	return func(t *testing.T, opts ...authentik.ClientOption) (*authentik.Client, func(int64)) {
		t.Helper()
		body := &zeros{n: large}
		ak := testkit.NewClientOver(t, func(req *http.Request) (*http.Response, error) {
			return &http.Response{
				StatusCode: http.StatusOK, ContentLength: length, Body: io.NopCloser(body), Request: req,
				Header: http.Header{"Content-Type": {"application/json"}},
			}, nil
		}, opts...)
		return ak, func(limit int64) { assert.LessOrEqual(t, body.read, limit+1) }
	}
}

// bomb is a small body that becomes a large one.
func bomb(t *testing.T, opts ...authentik.ClientOption) (*authentik.Client, func(int64)) {
	t.Helper()
	answer := &testkit.Stub{Body: strings.Repeat(gzipped(t, make([]byte, 1<<20)), large>>20)}
	return testkit.NewClient(t, inGzip(answer), opts...), func(int64) { assert.EqualValues(t, 1, answer.Requests.Load()) }
}

// emptyObjectsTakeBoundedMemory counts allocations, and so is not
// parallel.
func emptyObjectsTakeBoundedMemory(t *testing.T) {
	body := testkit.FlowPageBody(1<<20, "["+strings.Repeat("{},", 1<<20-1)+"{}]")
	ak := testkit.NewClient(t, &testkit.Stub{Body: body})
	var err error
	assert.Less(t, testkit.Allocated(func() { _, err = ak.FlowsInstancesList(t.Context(), nil) }), int64(4*len(body)))
	var decodeError *authentik.DecodeError
	require.ErrorAs(t, err, &decodeError)
	assert.Equal(t, "results[0].pk", decodeError.JSONPath)
}

func newerServerIsNoError(t *testing.T) {
	t.Parallel()
	body := strings.Replace(
		listReader.good,
		`"designation":"recovery"`,
		`"designation":"quantum","new":{"a":[1,"b",null]}`,
		1,
	)
	body = strings.Replace(body, `{"pagination"`, `{"autocomplete":{},"pagination"`, 1)
	require.NotContains(t, body, testkit.Token)
	page, err := testkit.NewClient(t, &testkit.Stub{Body: body}).FlowsInstancesList(t.Context(), nil)
	require.NoError(t, err)
	assert.Equal(t, authentik.FlowDesignation("quantum"), page.Results[0].Designation)
	assert.False(t, page.Results[0].Designation.Known())
	assert.True(t, page.Results[1].Designation.Known())
}

func TestClientGet_PathOfInvalidElement(t *testing.T) {
	t.Parallel()
	type group struct{ Members []int }
	for body, path := range map[string]string{
		testkit.FlowPageBody(2, `[{},{"members":[1,"`+testkit.Token+`"]}]`): "results[1].",
		testkit.FlowPageBody(1, `[3]`):                                      "results[0]",
		`{"results":[]}`:                                                    "pagination",
	} {
		page := authentik.Page[group]{Results: []group{{}}}
		answer := &testkit.Stub{Body: body}
		err := testkit.NewClient(t, answer).Get(t.Context(), "core/groups/", nil, &page)
		var decodeError *authentik.DecodeError
		require.ErrorAs(t, err, &decodeError)
		assert.True(t, strings.HasPrefix(decodeError.JSONPath, path), decodeError.JSONPath)
		assert.NotContains(t, err.Error(), testkit.Token)
		assert.Len(t, page.Results, 1, "out is written if there is no error")
		assert.EqualValues(t, 1, answer.Requests.Load())
	}
}

var payloadFaults = map[string]func(*testing.T){
	"H17": payload("H17", func(t *testing.T) {
		t.Parallel()
		for _, r := range readers {
			_, err := r.read(t.Context(), testkit.NewClient(t, testkit.Reply(http.StatusNotModified, "", "")))
			assert.EqualError(t, err, "authentik: "+r.op+": 304 Not Modified (request "+testkit.RequestID+", 1 attempt)")
		}
	}),
	"P1":  payload("P1"),
	"P2":  payload("P2"),
	"P3":  payload("P3"),
	"P4":  payload("P4"),
	"P5":  payload("P5"),
	"P6":  payload("P6", equivalentJSONIsNoError),
	"P7":  payload("P7", everyFieldIsChecked),
	"P8":  payload("P8"),
	"P9":  payload("P9"),
	"P10": newerServerIsNoError,
	"P11": payload("P11"),
	"P12": func(t *testing.T) {
		t.Run("of known length", largeBodyIsNotRead(zeroes(large)))
		t.Run("of unknown length", largeBodyIsNotRead(zeroes(-1)))
		t.Run("of another length", largeBodyIsNotRead(zeroes(10)))
	},
	"P13": largeBodyIsNotRead(bomb),
	"P14": brokenCompressionIsAnError,
	"P15": nestingIsLimited,
	"P16": emptyObjectsTakeBoundedMemory,
	"P17": payload("P17"),
	"G15": payload("G15"),
}
