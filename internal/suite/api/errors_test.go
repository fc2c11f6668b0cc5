package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/internal/testkit"
	"github.com/seed-299d42e7/authentik-go/internal/testkit/recording"
)

// listError is what FlowsInstancesList makes of an answer.
func listError(t *testing.T, h http.Handler, opts ...authentik.ClientOption) error {
	t.Helper()
	page, err := testkit.NewClient(t, h, opts...).FlowsInstancesList(t.Context(), nil)
	require.Error(t, err)
	assert.Nil(t, page)
	return err
}

// endingContext ends as soon as it has been asked whether it has.
type endingContext struct {
	context.Context //nolint:containedctx // it is one
	end             func(error)
}

func (c endingContext) Err() error {
	defer c.end(errors.New("going home"))
	return c.Context.Err()
}

func TestRequestError_ContextEndsDuringCheck(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	ak := testkit.NewClientOver(t, func(r *http.Request) (*http.Response, error) { return nil, r.Context().Err() })

	_, err := ak.FlowsInstancesList(endingContext{ctx, cancel}, nil)

	request := testkit.RequireType[*authentik.RequestError](t, err)
	require.ErrorIs(t, request, context.Canceled)
	assert.Contains(t, err.Error(), "context canceled: going home")
}

func TestAPIErrorIs_ByStatus(t *testing.T) {
	t.Parallel()
	sentinels := []error{
		authentik.ErrBadRequest, authentik.ErrUnauthorized, authentik.ErrForbidden, authentik.ErrNotFound,
		authentik.ErrRateLimited, authentik.ErrServer, authentik.ErrStarting, authentik.ErrPaginationStuck,
		authentik.ErrListChanged, authentik.ErrResponseTooLarge, authentik.ErrAttemptTimeout,
		authentik.ErrNoResult, authentik.ErrMultipleResults, authentik.ErrNotAuthentik, context.DeadlineExceeded,
	}
	const starting = `{"error":"authentik starting"}`
	const unreachable = "failed to connect to authentik backend: dial unix: connection refused"
	for _, c := range []struct {
		status int
		body   string
		want   []error
		as     string
	}{
		{304, "", nil, "*authentik.APIError"},
		{400, "", []error{authentik.ErrBadRequest}, "*authentik.ValidationError"},
		{401, "", []error{authentik.ErrUnauthorized}, "*authentik.PermissionError"},
		{402, "", nil, "*authentik.APIError"},
		{403, "", []error{authentik.ErrForbidden}, "*authentik.PermissionError"},
		{404, "", []error{authentik.ErrNotFound}, "*authentik.APIError"},
		{404, starting, []error{authentik.ErrNotFound}, "*authentik.APIError"},
		{405, "", nil, "*authentik.APIError"},
		{406, "", nil, "*authentik.APIError"},
		{415, "", nil, "*authentik.APIError"},
		{429, "", []error{authentik.ErrRateLimited}, "*authentik.APIError"},
		{499, "", nil, "*authentik.APIError"},
		{500, "", []error{authentik.ErrServer}, "*authentik.APIError"},
		{500, starting, []error{authentik.ErrServer}, "*authentik.APIError"},
		{502, "", []error{authentik.ErrServer}, "*authentik.APIError"},
		{502, starting, []error{authentik.ErrServer, authentik.ErrStarting}, "*authentik.APIError"},
		{502, unreachable, []error{authentik.ErrServer, authentik.ErrStarting}, "*authentik.APIError"},
		{
			502, unreachable + strings.Repeat("!", 512),
			[]error{authentik.ErrServer, authentik.ErrStarting},
			"*authentik.APIError",
		},
		{503, "", []error{authentik.ErrServer}, "*authentik.APIError"},
		{503, starting, []error{authentik.ErrServer, authentik.ErrStarting}, "*authentik.APIError"},
		{200, starting, []error{authentik.ErrStarting}, "*authentik.APIError"},
		{599, "", []error{authentik.ErrServer}, "*authentik.APIError"},
		{700, "", []error{authentik.ErrServer}, "*authentik.APIError"},
	} {
		t.Run(fmt.Sprint(c.status, " ", c.body), func(t *testing.T) {
			t.Parallel()
			err := listError(t, testkit.Reply(c.status, "", c.body))
			assert.Equal(t, c.as, fmt.Sprintf("%T", err))
			wrapped := fmt.Errorf("list: %w", err)
			for _, sentinel := range sentinels {
				want := false
				for _, s := range c.want {
					want = want || s == sentinel //nolint:errorlint // the sentinels themselves
				}
				assert.Equal(t, want, errors.Is(wrapped, sentinel), "is %q", sentinel)
			}
			var api *authentik.APIError
			require.ErrorAs(t, wrapped, &api)
			assert.Equal(t, c.status, api.StatusCode)
			var validation *authentik.ValidationError
			assert.Equal(t, c.status == 400, errors.As(wrapped, &validation))
			var permission *authentik.PermissionError
			assert.Equal(t, c.status == 401 || c.status == 403, errors.As(wrapped, &permission))
		})
	}
}

// A response without a request ID is a proxy's, unless it looks like one of
// authentik's: a test server that is written by hand has no request ID.
func TestAPIErrorIs_NotAuthentik(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status     int
		body       string
		is, isNot  error
		validation bool
		permission bool
	}{
		{status: 404, body: "404 page not found\n", is: authentik.ErrNotAuthentik, isNot: authentik.ErrNotFound},
		{status: 404, body: `{"detail":"Not found."}`, is: authentik.ErrNotFound, isNot: authentik.ErrNotAuthentik},
		{status: 400, body: "<h1>400</h1>", is: authentik.ErrNotAuthentik, isNot: authentik.ErrNotFound, validation: true},
		{status: 401, body: `{"message":"No."}`, is: authentik.ErrNotAuthentik, isNot: authentik.ErrForbidden, permission: true},
		{status: 403, body: "", is: authentik.ErrForbidden, isNot: authentik.ErrUnauthorized, permission: true},
		{status: 502, body: "", is: authentik.ErrServer, isNot: authentik.ErrStarting},
		{status: 502, body: "authentik starting...", is: authentik.ErrStarting, isNot: authentik.ErrNotAuthentik},
	} {
		t.Run(fmt.Sprint(c.status, " ", c.body), func(t *testing.T) {
			t.Parallel()
			err := listError(t, testkit.StaticHandler(c.status, testkit.Text, c.body))
			require.ErrorIs(t, err, c.is)
			require.NotErrorIs(t, err, c.isNot)
			api, ok := errors.AsType[*authentik.APIError](err)
			require.True(t, ok)
			assert.Equal(t, errors.Is(err, authentik.ErrNotAuthentik), api.Foreign)
			_, validation := errors.AsType[*authentik.ValidationError](err)
			_, permission := errors.AsType[*authentik.PermissionError](err)
			assert.Equal(t, []bool{c.validation, c.permission}, []bool{validation, permission})
		})
	}
}

// An embedded pointer promotes its methods, and calls them with nil; and every
// exported field may hold anything.
func TestErrors_ZeroValues(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]interface {
		error
		Unwrap() error
		Is(error) bool
		slog.LogValuer
	}{
		"authentik: bad request":         &authentik.ValidationError{},
		"authentik: a: b c; bad request": &authentik.ValidationError{Fields: map[string][]string{"a": {"b", "c"}}},
		"authentik: no response":         &authentik.PermissionError{},
	} {
		assert.EqualError(t, err, want)
		assert.NoError(t, err.Unwrap())
		assert.NotPanics(t, func() { logged(t, err) })
		assert.NotErrorIs(t, err, authentik.ErrBadRequest)
		assert.NotErrorIs(t, err, authentik.ErrForbidden)
		var api *authentik.APIError
		assert.NotErrorAs(t, err, &api)
	}
	var none *authentik.APIError
	assert.EqualError(t, none, "authentik: no response")
	assert.NotErrorIs(t, none, authentik.ErrServer)
	assert.NotPanics(t, func() { logged(t, none) })
	assert.EqualError(t, &authentik.RequestError{Op: "Get"}, "authentik: Get: no response (0 attempts)")
	assert.EqualError(t, &authentik.DecodeError{}, "authentik: invalid response")
	assert.EqualError(
		t,
		&authentik.DecodeError{StatusCode: 200, ContentType: "a\n", JSONPath: "b\n", Err: errors.New("c\td")},
		`authentik: invalid response (200 OK, a\n): b\n: c\td`,
	)
}

func TestAPIError_MarshalsWithoutBody(t *testing.T) {
	t.Parallel()
	const secret = "what only the body says"
	for _, status := range []int{400, 403, 404, 500} {
		err := listError(t, testkit.Reply(status, testkit.HTML, secret))
		var api *authentik.APIError
		require.ErrorAs(t, err, &api)
		assert.Equal(t, secret, string(api.Body))
		text, jsonErr := json.Marshal(err)
		require.NoError(t, jsonErr)
		assert.NotContains(t, string(text), "Body")
		assert.NotContains(t, string(text), secret)
		assert.Contains(t, string(text), fmt.Sprintf(`"StatusCode":%d`, status))
	}
}

func TestValidationError_FieldsByPath(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, body string
		fields     map[string][]string
		nonField   []string
		detail     string
	}{
		{name: "a list of messages", body: `{"slug":["a","b"]}`, fields: map[string][]string{"slug": {"a", "b"}}},
		{name: "a single message", body: `{"slug":"a"}`, fields: map[string][]string{"slug": {"a"}}},
		{
			name: "a nested serializer", body: `{"user":{"email":["a"],"groups":{"name":["b"]}}}`,
			fields: map[string][]string{"user.email": {"a"}, "user.groups.name": {"b"}},
		},
		{
			name: "a list of serializers", body: `{"policies":[{},{"order":["a"]},{"order":["b"],"user":{"pk":["c"]}}]}`,
			fields: map[string][]string{"policies[1].order": {"a"}, "policies[2].order": {"b"}, "policies[2].user.pk": {"c"}},
		},
		{
			name: "a list of lists", body: `{"rows":[["a"],[["b"]]]}`,
			fields: map[string][]string{"rows[0]": {"a"}, "rows[1][0]": {"b"}},
		},
		{name: "of several objects at once", body: `[{},{"name":["a"]}]`, fields: map[string][]string{"[1].name": {"a"}}},
		{name: "non_field_errors", body: `{"non_field_errors":["a","b"]}`, nonField: []string{"a", "b"}},
		{name: "a bare array", body: `["a","b"]`, nonField: []string{"a", "b"}},
		{name: "a bare string", body: `"a"`, nonField: []string{"a"}},
		{name: "detail", body: `{"detail":"a"}`, detail: "a"},
		{
			name: "a field of that name", body: `{"detail":["a"],"error":["b"],"code":["c"]}`,
			fields: map[string][]string{"detail": {"a"}, "error": {"b"}, "code": {"c"}},
		},
		{
			name: "everything", body: `{"detail":"a","code":"invalid","non_field_errors":["b"],"c":["d"]}`,
			fields: map[string][]string{"c": {"d"}}, nonField: []string{"b"}, detail: "a",
		},
		{name: "no message", body: `{"logs":[],"success":false,"n":1,"null":null}`},
		{name: "null", body: `null`},
		{name: "a number", body: `1`},
		{name: "nothing", body: ``},
		{
			name: "nested as deep as is read", body: strings.Repeat(`{"a":`, 16) + `"b"` + strings.Repeat("}", 16),
			fields: map[string][]string{"a" + strings.Repeat(".a", 15): {"b"}},
		},
		{name: "nested deeper than any serializer", body: strings.Repeat(`{"a":`, 17) + `"b"` + strings.Repeat("}", 17)},
		{name: "10,000 brackets", body: strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000)},
		{name: "100,000 brackets", body: strings.Repeat("[", 100_000)},
		{name: "10,000 braces", body: strings.Repeat(`{"a":`, 10_000) + `"b"` + strings.Repeat("}", 10_000)},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			err := listError(t, testkit.Reply(400, testkit.JSON, c.body))
			e := testkit.RequireType[*authentik.ValidationError](t, err)
			assert.Equal(t, c.fields, e.Fields)
			assert.Equal(t, c.nonField, e.NonFieldErrors)
			assert.Equal(t, c.detail, e.Detail)
			assert.Less(t, len(err.Error()), 700)
		})
	}
}

func TestAPIError_Detail(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, contentType, body, detail string }{
		{"detail before error", testkit.JSON, `{"error":"b","detail":"a","code":"c"}`, "a"},
		{"error where there is no detail", testkit.JSON, `{"error":"b"}`, "b"},
		{"error where detail is empty", testkit.JSON, `{"detail":"","error":"b"}`, "b"},
		{"error where detail is no text", testkit.JSON, `{"detail":1,"error":"b"}`, "b"},
		{"JSON that is called text", testkit.Text, `{"detail":"a"}`, "a"},
		{"JSON that is called HTML", testkit.HTML, `{"detail":"a"}`, "a"},
		{"a text", testkit.Text, " a\n", "a"},
		{"a text without a type", "", "a", "a"},
		{"a text of 512 bytes", testkit.Text, strings.Repeat("a", 512), strings.Repeat("a", 512)},
		{"a longer text", testkit.Text, strings.Repeat("a", 513), ""},
		{"HTML", testkit.HTML, "<p>a", ""},
		{"nothing", testkit.Text, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var api *authentik.APIError
			require.ErrorAs(t, listError(t, testkit.Reply(404, c.contentType, c.body)), &api)
			assert.Equal(t, c.detail, api.Detail)
			assert.Equal(t, c.body, string(api.Body))
		})
	}
}

func TestAPIError_Keeps64KiBOfBody(t *testing.T) {
	t.Parallel()
	for _, size := range []int{64<<10 - 1, 64 << 10, 64<<10 + 1, 10 << 20} {
		body := strings.Repeat("<", size)
		var api *authentik.APIError
		err := listError(t, testkit.Reply(403, testkit.HTML, body))
		require.ErrorAs(t, err, &api)
		assert.Equal(t, body[:min(size, 64<<10)], string(api.Body))
		assert.Less(t, len(err.Error()), 300)
		testkit.RequireType[*authentik.PermissionError](t, err)
	}
}

func TestErrors_ConcurrentUse(t *testing.T) {
	t.Parallel()
	for _, a := range []recording.Response{
		testkit.Reply(400, testkit.JSON, `{"b":["c"],"a":["d"],"non_field_errors":["e"],"detail":"f"}`),
		testkit.Reply(403, testkit.JSON, `{"detail":"f"}`), testkit.Reply(500, testkit.HTML, "<p>"),
		testkit.Reply(200, testkit.HTML, "<p>"),
	} {
		err := listError(t, a)
		want := err.Error()
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				assert.Equal(t, want, err.Error())
				_ = err.(slog.LogValuer).LogValue()
				assert.NotErrorIs(t, err, authentik.ErrNoResult)
			})
		}
		all.Wait()
	}
}

// FuzzErrorBody checks that every response with an error status becomes an error
// of the type for that status. The error's text is one line of bounded length,
// the error does not contain the token, it keeps the rest of the body, and the
// call takes bounded memory.
func FuzzErrorBody(f *testing.F) {
	for _, exchanges := range testkit.Recordings(f) {
		for _, e := range exchanges {
			if body := e.Response.Body(); e.Response.Status >= 300 && len(body) < 1000 {
				f.Add(e.Response.Status, e.Response.Header("Content-Type"), body)
			}
		}
	}
	for _, nasty := range []string{
		`{"detail":"` + testkit.Token + `"}`, `{"a":{"b":[{"c":["d"]},[["e"]],1,null]}}`, `["x",{"y":["z"]}]`, `"text"`,
		`{"detail":["a"],"code":1}`,
		"\xff\x1b[31m\u202e", `{"non_field_errors":"one"}`, `{"error":"authentik starting"}`, strings.Repeat("[", 500),
		`{"` + testkit.Token + `":["\u0000"]}`,
	} {
		f.Add(http.StatusBadRequest, "application/json", []byte(nasty))
	}
	f.Fuzz(func(t *testing.T, status int, contentType string, body []byte) {
		status = 300 + int(uint(status-300)%700) // an error's
		ak := testkit.NewClientOver(t, func(*http.Request) (*http.Response, error) {
			return &http.Response{
				StatusCode: status, Header: http.Header{"Content-Type": {contentType}},
				Body: io.NopCloser(bytes.NewReader(body)), ContentLength: -1,
			}, nil
		}, authentik.WithRetry(authentik.RetryPolicy{MaxAttempts: 1}))
		var page *authentik.Page[authentik.Flow]
		var err error
		spent := testkit.Allocated(func() { page, err = ak.FlowsInstancesList(t.Context(), nil) })
		assert.Less(t, spent, int64(200*min(len(body), 64<<10)+256<<10)) // encoding/json makes maps and slices of it
		require.Nil(t, page)
		var api *authentik.APIError
		require.ErrorAs(t, err, &api)
		assert.Equal(t, status, api.StatusCode)
		var invalid *authentik.ValidationError
		assert.Equal(t, status == http.StatusBadRequest, errors.As(err, &invalid))
		var permission *authentik.PermissionError
		assert.Equal(t, status == http.StatusUnauthorized || status == http.StatusForbidden, errors.As(err, &permission))

		text := err.Error()
		assert.False(t, strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }), "%q", text)
		assert.Less(t, len(text), 2000)
		assert.NotContains(t, fmt.Sprintf("%s %+v %#v %q", err, api, invalid, api.Body), testkit.Token)
		want := bytes.ReplaceAll(body[:min(len(body), 64<<10)], []byte(testkit.Token), []byte("[redacted]"))
		if !bytes.ContainsRune(want, 'C') { // no part of the token can be at its end
			assert.Equal(t, string(want), string(api.Body))
		}
	})
}
