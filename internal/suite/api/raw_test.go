package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/internal/testkit"
	"github.com/seed-299d42e7/authentik-go/internal/testkit/recording"
)

// getPaths are paths of Get and what is asked for; "" and the reason if it is
// refused.
var getPaths = map[string][2]string{
	"core/users/me/":                  {"core/users/me/"},
	"core/users/me":                   {"core/users/me/"},
	"/core/users/me/":                 {"core/users/me/"},
	"":                                {""},
	"/":                               {""},
	"schema":                          {"schema/"},
	"a%2Bb/c%20d":                     {"a%2Bb/c%20d/"},
	"a b/Süd+":                        {"a%20b/S%C3%BCd+/"},
	"flows/instances/%25/":            {"flows/instances/%25/"},
	"a:b@c/d;e=f,g":                   {"a:b@c/d;e=f,g/"},
	"apiary/v3":                       {"apiary/v3/"},
	"..":                              {"", `must not have a segment that is "." or "..", or that has a slash in it`},
	"../../if/admin":                  {"", `must not have a segment that is "." or "..", or that has a slash in it`},
	"core/../flows":                   {"", `must not have a segment that is "." or "..", or that has a slash in it`},
	"core/%2e%2e/flows":               {"", `must not have a segment that is "." or "..", or that has a slash in it`},
	"core/%2E./flows":                 {"", `must not have a segment that is "." or "..", or that has a slash in it`},
	"./core":                          {"", `must not have a segment that is "." or "..", or that has a slash in it`},
	"core/a%2Fb":                      {"", `must not have a segment that is "." or "..", or that has a slash in it`},
	`core\users`:                      {"", `must not have a segment that is "." or "..", or that has a slash in it`},
	"core//users":                     {"", "must not have an empty segment"},
	"core/users//":                    {"", "must not have an empty segment"},
	"core/%zz" + testkit.ServerSecret: {"", "must not have a malformed % escape"},
	"core/%0a":                        {"", "must be valid UTF-8 without control characters"},
	"core/\n":                         {"", "must be valid UTF-8 without control characters"},
	"core/%ff":                        {"", "must be valid UTF-8 without control characters"},
	"core/?a=" + testkit.ServerSecret: {"", "must not have a query or a fragment: the query is an argument of its own"},
	"core/#" + testkit.ServerSecret:   {"", "must not have a query or a fragment: the query is an argument of its own"},
	"https://sso.example.com":         {"", "must not be an absolute URL: use what follows /api/v3/"},
	"//sso.example.com/a":             {"", "must not be an absolute URL: use what follows /api/v3/"},
	"api/v3/core":                     {"", "must not begin with /api/v3: use what follows"},
	"/api/v3/":                        {"", "must not begin with /api/v3: use what follows"},
}

func TestClientGet_Path(t *testing.T) {
	t.Parallel()
	var sent []string
	ak := testkit.NewCheckedClient(
		t,
		"https://sso.example.com/sub",
		authentik.WithHTTPClient(
			&http.Client{Transport: testkit.RoundTripFunc(func(req *http.Request) (*http.Response, error) {
				sent = append(sent, req.Method+" "+req.URL.String())
				return testkit.HTTPResponse(testkit.TwoFlows), nil
			})},
		),
	)
	for path, want := range getPaths {
		sent = nil
		err := ak.Get(t.Context(), path, url.Values{"a": {"b&c", "d"}, "e": {""}}, new(any))
		if want[1] == "" {
			require.NoError(t, err, "%q", path)
			assert.Equal(t, []string{"GET https://sso.example.com/sub/api/v3/" + want[0] + "?a=b%26c&a=d&e="}, sent)
			continue
		}
		testkit.RequireType[*authentik.ArgumentError](t, err)
		assert.EqualError(t, err, "authentik: Get: path: "+want[1], "%q", path)
		testkit.AssertNoSecrets(t, err)
		assert.Empty(t, sent)
	}
}

func TestClientGet_WritesOutOnSuccessOnly(t *testing.T) {
	t.Parallel()
	type user struct {
		Username string
		Groups   []int
	}
	before := func() *user { return &user{"before", []int{1}} }
	for body, want := range map[string]string{
		`{"username":"after","groups":[2,3]}`: "",
		`{}`:                                  "", // encoding/json has no required keys, but what was there is gone
		`{"username":"after","groups":["x"]}`: `invalid response \(200 OK, application/json\): (?i:groups)(\.0)?: string, want int`,
		`null`:                                `invalid response \(200 OK, application/json\): null, want a value: null`,
		` `:                                   `invalid response \(200 OK, application/json\): empty body`,
		`{"username":"after"}x`:               `invalid response \(200 OK, application/json\): data after the end of the JSON value: x`,
		`{"username":"a","username":"b"}`:     "",
	} {
		out := before()
		err := testkit.NewClient(t, testkit.Reply(200, testkit.JSON, body)).Get(t.Context(), "core/users/me/", nil, out)
		if want == "" {
			require.NoError(t, err)
			var fresh user
			require.NoError(t, json.Unmarshal([]byte(body), &fresh))
			assert.Equal(t, fresh, *out)
			continue
		}
		assert.Regexp(t, "^authentik: Get /sub/path/api/v3/core/users/me/: "+want, err.Error())
		assert.Equal(t, before(), out)
	}

	var users []user
	require.NoError(t, testkit.NewClient(t, testkit.Reply(200, testkit.JSON, `[{"username":"a","new":1},{}]`)).
		Get(t.Context(), "a", nil, &users), "only the models of the library have required keys")
	assert.Equal(t, []user{{Username: "a"}, {}}, users)

	ak := testkit.NewClient(t, testkit.Reply(200, testkit.JSON, `null`))
	pointer, anything := before(), any(1)
	require.NoError(t, ak.Get(t.Context(), "a", nil, &pointer))
	assert.Nil(t, pointer)
	require.NoError(t, ak.Get(t.Context(), "a", nil, &anything))
	assert.Nil(t, anything)
	for _, out := range []any{user{}, "a", (*user)(nil), map[string]any{}, []int{}} {
		err := ak.Get(t.Context(), "a", nil, out)
		testkit.RequireType[*authentik.ArgumentError](t, err)
		assert.EqualError(t, err, "authentik: Get: out: must be a pointer to a value")
	}

	// Without an out nothing is decoded; an error is still one.
	var response authentik.Response
	for _, answer := range []recording.Response{testkit.Reply(200, testkit.HTML, "<p>"), testkit.Reply(204, "", ""), testkit.Reply(200, "", ""), testkit.Reply(206, testkit.Text, "a part")} {
		require.NoError(t, testkit.NewClient(t, answer).Get(t.Context(), "a", nil, nil, authentik.WithResponse(&response)))
		assert.Equal(t, answer.Text, string(response.Body))
		assert.Equal(t, answer.Status, response.StatusCode)
	}
	assert.ErrorIs(
		t,
		testkit.NewClient(t, testkit.Reply(404, testkit.HTML, "<p>")).Get(t.Context(), "a", nil, nil),
		authentik.ErrNotFound,
	)
}

// A method that returns a slice rejects what Get into such a slice rejects.
func TestClientGet_SlicesOfModels(t *testing.T) {
	t.Parallel()
	get := func(body string) ([]authentik.UsedBy, error) {
		var all []authentik.UsedBy
		err := testkit.NewClient(t, testkit.Reply(200, testkit.JSON, body)).Get(t.Context(), "a", nil, &all)
		return all, err
	}
	const use = `{"app":"a","model_name":"m","pk":"1","name":"n","action":"cascade"}`
	all, err := get(`[` + use + `]`)
	require.NoError(t, err)
	assert.Equal(t, []authentik.UsedBy{{App: "a", ModelName: "m", PK: "1", Name: "n", Action: "cascade"}}, all)
	for _, body := range []string{`[{"app":"a"}]`, `[null]`, `null`, `{}`, `[` + use + `,{}]`} {
		all, err := get(body)
		testkit.RequireType[*authentik.DecodeError](t, err)
		assert.Nil(t, all, body)
	}
}

func TestClientDo_SendsMethodBodyAndQuery(t *testing.T) {
	t.Parallel()
	for method, hasBody := range map[string]bool{
		"DELETE": true, "GET": false, "HEAD": false, "OPTIONS": false, "PATCH": true, "POST": true, "PUT": true,
	} {
		for _, in := range []any{nil, json.RawMessage(`{"a":1}`), map[string]int{"a": 1}, flowRequest, "text"} {
			var sent string
			ak := testkit.NewClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				assert.Equal(t, method+" /api/v3/core/groups/?a=b%26c", r.Method+" "+r.URL.String())
				sent = sentBody(t, r)
				testkit.StaticHandler(http.StatusOK, testkit.JSON, `{}`)(w, r)
			}))
			err := ak.Do(t.Context(), method, "core/groups", url.Values{"a": {"b&c"}}, in, nil)
			if in != nil && !hasBody {
				assertArgumentError(t, err, "Do", "in", "must be nil: the method has no body")
				continue
			}
			require.NoError(t, err)
			if in == nil {
				assert.Empty(t, sent)
				continue
			}
			want, err := json.Marshal(in)
			require.NoError(t, err)
			assert.Equal(t, string(want), sent, method)
		}
	}
}

func TestClientDo_DecodesEverySuccess(t *testing.T) {
	t.Parallel()
	for _, status := range []int{200, 201, 202} {
		for _, method := range []string{"DELETE", "GET", "OPTIONS", "PATCH", "POST", "PUT"} {
			var flow authentik.Flow
			ak := testkit.NewClient(t, testkit.Reply(status, testkit.JSON, testkit.MinimalFlow))
			require.NoError(t, ak.Do(t.Context(), method, "a", nil, nil, &flow))
			assert.Equal(t, "s", flow.Slug)
		}
	}
	// A type of this package is decoded strictly, another one by encoding/json.
	ak := testkit.NewClient(t, &testkit.Stub{Body: `{"slug":"s"}`})
	flow := authentik.Flow{Slug: "before"}
	err := ak.Do(t.Context(), "PUT", "a", nil, nil, &flow)
	assert.Equal(t, "pk", testkit.RequireType[*authentik.DecodeError](t, err).JSONPath)
	assert.Equal(t, "before", flow.Slug)
	var other struct{ Slug string }
	require.NoError(t, ak.Do(t.Context(), "PUT", "a", nil, nil, &other))
	assert.Equal(t, "s", other.Slug)

	// Without an out any body will do, and with one there must be a body.
	noContent := testkit.NewClient(t, testkit.Reply(204, "", ""))
	require.NoError(t, noContent.Do(t.Context(), "DELETE", "a", nil, nil, nil))
	err = noContent.Do(t.Context(), "DELETE", "a", nil, nil, &other)
	assert.Equal(t, 204, testkit.RequireType[*authentik.DecodeError](t, err).StatusCode)
	require.NoError(t, testkit.NewClient(t, &testkit.Stub{}).Do(t.Context(), "HEAD", "a", nil, nil, nil))
	require.NoError(t, testkit.NewClient(t, testkit.Reply(200, testkit.HTML, "<p>")).Do(t.Context(), "POST", "a", nil, 1, nil))
}

func TestClientDo_RetriesWhatMayBeSentTwice(t *testing.T) {
	t.Parallel()
	for method, requests := range map[string]int{
		"DELETE": 4, "GET": 4, "HEAD": 4, "OPTIONS": 4, "PUT": 4, "PATCH": 1, "POST": 1,
	} {
		server := &testkit.Stub{Status: http.StatusBadGateway, ContentType: testkit.HTML}
		err := testkit.NewClient(t, server).Do(t.Context(), method, "a", nil, nil, nil)
		require.ErrorIs(t, err, authentik.ErrServer)
		assert.EqualValues(t, requests, server.Requests.Load(), method)
	}
}

// unmarshalable fails to marshal, with an error that has a secret in it.
type unmarshalable struct{}

func (unmarshalable) MarshalJSON() ([]byte, error) { return nil, errors.New(testkit.ServerSecret) }

func TestClientDo_RefusesInvalid(t *testing.T) {
	t.Parallel()
	var all []refusal
	refuse := func(field, reason, method, path string, in, out any) {
		all = append(all, refusal{"Do", field, reason, func(ctx context.Context, ak *authentik.Client) error {
			return ak.Do(ctx, method, path, nil, in, out)
		}})
	}
	for _, method := range []string{"", "get", "Post", "TRACE", "CONNECT", "PROPFIND", "GET ", "POST\r\nA: b"} {
		refuse("method", "must be DELETE, GET, HEAD, OPTIONS, PATCH, POST or PUT", method, "a", nil, nil)
	}
	for path, want := range getPaths {
		if want[1] != "" {
			refuse("path", want[1], "POST", path, nil, nil)
		}
	}
	for _, method := range []string{"GET", "HEAD", "OPTIONS"} {
		refuse("in", "must be nil: the method has no body", method, "a", map[string]string{}, nil)
	}
	refuse("in", "must not be a []byte, which encoding/json writes as base64: use a json.RawMessage",
		"POST", "a", []byte(testkit.ServerSecret), nil)
	refuse("in", "must be a value that encoding/json can encode, not api_test.unmarshalable",
		"POST", "a", unmarshalable{}, nil)
	refuse("in", "must be a value that encoding/json can encode, not float64", "PATCH", "a", math.NaN(), nil)
	refuse("in", "must be a value that encoding/json can encode, not func()", "PUT", "a", func() {}, nil)
	refuse("out", "must be nil: the response has no body", "HEAD", "a", nil, new(any))
	refuse("out", "must be a pointer to a value", "POST", "a", nil, "")
	refuse("out", "must be a pointer to a value", "POST", "a", nil, (*string)(nil))
	testRefusals(t, all)
}

// A response to HEAD has the headers of the response to GET, and no body. Some
// proxies label a 204 in the same way.
func TestDo_IgnoresEncodingOfNoBody(t *testing.T) {
	t.Parallel()
	for method, status := range map[string]int{http.MethodHead: http.StatusOK, http.MethodDelete: http.StatusNoContent} {
		ak := testkit.NewClient(t, testkit.Reply(status, testkit.JSON, "", "Content-Encoding", "br"))
		assert.NoError(t, ak.Do(t.Context(), method, "core/users/1/", nil, nil, nil), method)
	}
}
