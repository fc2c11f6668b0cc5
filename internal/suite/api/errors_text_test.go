package api_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/internal/testkit"
	"github.com/seed-299d42e7/authentik-go/internal/testkit/recording"
)

// errorText is a response and the text of the error for it, after
// "authentik: FlowsInstancesList: ".
type errorText struct {
	name   string
	answer http.Handler
	want   string
}

// once ends the text of an error whose response was sent by authentik.
const once = " (request " + testkit.RequestID + ", 1 attempt)"

func assertErrorTexts(t *testing.T, all []errorText) {
	t.Helper()
	for _, c := range all {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			err := listError(t, c.answer)
			assert.Equal(t, "authentik: FlowsInstancesList: "+c.want, err.Error())
			assert.NotRegexp(t, `[[:cntrl:]]`, err.Error())
		})
	}
}

func TestValidationErrorError_SaysWhatWentWrong(t *testing.T) {
	t.Parallel()
	assertErrorTexts(t, []errorText{
		{
			"one field",
			testkit.Reply(
				400,
				testkit.JSON,
				`{"designation":["Select a valid choice. foo is not one of the available choices."]}`,
			),
			"400 Bad Request: designation: Select a valid choice. foo is not one of the available choices." + once,
		},
		{
			"two fields, sorted", testkit.Reply(400, testkit.JSON, `{"slug":["Too long.","Not a slug."],"name":["Required."]}`),
			"400 Bad Request: name: Required.; slug: Too long. Not a slug." + once,
		},
		{
			"nested fields",
			testkit.Reply(400, testkit.JSON, `{"policies":[{},{"order":["A number."],"user":{"pk":["Unknown."]}}]}`),
			"400 Bad Request: policies[1].order: A number.; policies[1].user.pk: Unknown." + once,
		},
		{
			"no field",
			testkit.Reply(
				400,
				testkit.JSON,
				`{"non_field_errors":["The fields target, stage, order must make a unique set."],"order":["Bad."]}`,
			),
			"400 Bad Request: The fields target, stage, order must make a unique set.; order: Bad." + once,
		},
		{
			"bare array", testkit.Reply(400, testkit.JSON, `["Null characters are not allowed.","Again."]`),
			"400 Bad Request: Null characters are not allowed.; Again." + once,
		},
		{
			"detail", testkit.Reply(400, testkit.JSON, `{"detail":"JSON parse error - Expecting value"}`),
			"400 Bad Request: JSON parse error - Expecting value" + once,
		},
		{
			"another object", testkit.Reply(400, testkit.JSON, `{"logs":[],"success":false}`),
			"400 Bad Request" + once,
		},
		{
			"empty, typed HTML", testkit.Reply(400, testkit.HTML, ""),
			"400 Bad Request" + once,
		},
		{
			"HTML",
			testkit.Reply(400, testkit.HTML, "<html>Bad</html>"),
			"400 Bad Request: the body is text/html, not JSON" + once,
		},
	})
}

func TestAPIErrorError_OfRedirectsAndClientErrors(t *testing.T) {
	t.Parallel()
	assertErrorTexts(t, []errorText{
		{
			"redirect",
			testkit.Reply(301, testkit.HTML, "moved", "Location", "https://user:secret@sso.example.com/flows/?next=/#top"),
			"301 Moved Permanently: redirected to https://sso.example.com/flows/; no redirect is followed" + once,
		},
		{
			"redirect to nowhere",
			testkit.Reply(302, "", "", "Location", "https://%zz/"),
			"302 Found: redirected to a malformed URL; no redirect is followed" + once,
		},
		{
			"redirect without a location", testkit.Reply(307, "", ""),
			"307 Temporary Redirect" + once,
		},
		{
			"a location that is no redirect's",
			testkit.Reply(404, testkit.JSON, `{"detail":"Gone."}`, "Location", "https://sso.example.com/"),
			"404 Not Found: Gone." + once,
		},
		{
			"401", testkit.Reply(401, testkit.JSON, `{"detail":"Log in."}`),
			"401 Unauthorized: Log in." + once,
		},
		{
			"403", testkit.Reply(403, testkit.JSON, `{"detail":"Token invalid/expired"}`),
			"403 Forbidden: Token invalid/expired" + once,
		},
		{
			"404", testkit.Reply(404, testkit.JSON, `{"detail":"Invalid page."}`),
			"404 Not Found: Invalid page." + once,
		},
		{
			"404 HTML",
			testkit.Reply(404, testkit.HTML, "<html>Not found</html>"),
			"404 Not Found: the body is text/html, not JSON" + once,
		},
		{
			"404 of a proxy",
			recording.Response{Status: 404, Text: "404 page not found\n", Headers: [][2]string{{"Content-Type", testkit.Text}}},
			"404 Not Found: page not found (sent by something in front of authentik, 4 attempts)",
		},
		{
			"405", testkit.Reply(405, testkit.JSON, `{"detail":"Method \"PATCH\" not allowed."}`, "Allow", "GET"),
			`405 Method Not Allowed: Method "PATCH" not allowed.` + once,
		},
		{
			"406", testkit.Reply(406, testkit.JSON, `{"detail":"Could not satisfy the request Accept header."}`),
			"406 Not Acceptable: Could not satisfy the request Accept header." + once,
		},
		{
			"415",
			testkit.Reply(415, testkit.JSON, `{"detail":"Unsupported media type \"text/plain\" in request."}`),
			`415 Unsupported Media Type: Unsupported media type "text/plain" in request.` + once,
		},
		{
			"429",
			testkit.Reply(429, testkit.JSON, `{"detail":"Request was throttled."}`, "Retry-After", "90"),
			"429 Too Many Requests: Request was throttled. (request " + testkit.RequestID + ", 1 attempt, the server asks to wait 1m30s)",
		},
	})
}

func TestAPIErrorError_OfServerErrors(t *testing.T) {
	t.Parallel()
	assertErrorTexts(t, []errorText{
		{
			"500 HTML",
			testkit.Reply(500, testkit.HTML, "<html>Oops</html>"),
			"500 Internal Server Error: the body is text/html, not JSON (request " + testkit.RequestID + ", 4 attempts)",
		},
		{
			"502 text",
			recording.Response{Status: 502, Text: "no healthy upstream", Headers: [][2]string{{"Content-Type", testkit.Text}}},
			"502 Bad Gateway: no healthy upstream (sent by something in front of authentik, 4 attempts)",
		},
		{
			"503 starting",
			recording.Response{
				Status:  503,
				Text:    `{"error":"authentik starting"}`,
				Headers: [][2]string{{"Content-Type", testkit.JSON}},
			},
			"503 Service Unavailable: authentik starting (4 attempts)",
		},
		{
			"200 starting",
			recording.Response{
				Status:  200,
				Text:    `{"error":"authentik starting"}`,
				Headers: [][2]string{{"Content-Type", testkit.JSON}},
			},
			"200 OK: authentik starting (4 attempts)",
		},
		{
			"a status without a name", testkit.Reply(599, "", ""),
			"599" + once,
		},
	})
}

func TestAPIErrorError_QuotesServer(t *testing.T) {
	t.Parallel()
	assertErrorTexts(t, []errorText{
		{
			"error in the place of detail", testkit.Reply(404, testkit.JSON, `{"error":"gone","code":"nope"}`),
			"404 Not Found: gone" + once,
		},
		{
			"a bare array of another status than 400", testkit.Reply(409, testkit.JSON, `["Taken.","Twice."]`),
			"409 Conflict: Taken.; Twice." + once,
		},
		{
			"a bare string", testkit.Reply(404, testkit.Text, `"gone"`),
			"404 Not Found: gone" + once,
		},
		{
			"a long text",
			testkit.Reply(404, testkit.Text, strings.Repeat("x", 513)),
			"404 Not Found: the body is text/plain, not JSON" + once,
		},
		{
			"JSON that is cut", testkit.Reply(404, testkit.JSON, `{"detail":"Not fou`),
			"404 Not Found" + once,
		},
		{
			"JSON with a suffix that is cut", testkit.Reply(404, "application/problem+json", `{"detail":"Not fou`),
			"404 Not Found" + once,
		},
		{
			"JSON without a message that is called text", testkit.Reply(404, testkit.Text, `{"found":false}`),
			"404 Not Found" + once,
		},
		{
			"no type that makes sense",
			testkit.Reply(404, ";", strings.Repeat("x", 513)),
			"404 Not Found: the body is something else, not JSON" + once,
		},
		{
			"control characters, bidi and line ends",
			testkit.Reply(404, testkit.JSON, `{"detail":"a\u001b[31m\r\nb\u202ec\u0085\u2028"}`),
			`404 Not Found: a\x1b[31m\r\nb\u202ec\u0085\u2028` + once,
		},
		{
			"control characters in a field's name", testkit.Reply(400, testkit.JSON, `{"a\nb":["c"]}`),
			`400 Bad Request: a\nb: c` + once,
		},
		{
			"invalid UTF-8 in a text", testkit.Reply(404, testkit.Text, "a\xff\xc3"),
			`404 Not Found: a\xff\xc3` + once,
		},
		{
			"invalid UTF-8 in JSON", testkit.Reply(404, testkit.JSON, "{\"detail\":\"a\xff\"}"),
			"404 Not Found: a\uFFFD" + once,
		},
		{
			"more than 512 bytes",
			testkit.Reply(400, testkit.JSON, `{"a":["`+strings.Repeat("é", 100)+`"],"b":["`+strings.Repeat("é", 200)+`"]}`),
			"400 Bad Request: a: " + strings.Repeat(
				"é",
				100,
			) + "; b: " + strings.Repeat(
				"é",
				152,
			) + "…" + once,
		},
		{
			"more than 512 bytes when escaped",
			testkit.Reply(404, testkit.JSON, `{"detail":"`+strings.Repeat(`\u001b`, 200)+`"}`),
			"404 Not Found: " + strings.Repeat(`\x1b`, 128) + "…" + once,
		},
		{
			"a request ID with bidi",
			recording.Response{Status: 404, Headers: [][2]string{{"X-authentik-id", "a\u202eb"}}},
			`404 Not Found (request a\u202eb, 1 attempt)`,
		},
		{
			"the server's reason phrase", testkit.RawHandler("HTTP/1.1 410 All is well\r\nContent-Length: 0\r\n\r\n"),
			"410 Gone (sent by something in front of authentik, 1 attempt)",
		},
	})
}

func TestDecodeErrorError_SaysWhereAndWhat(t *testing.T) {
	t.Parallel()
	const flow = `{"pk":null,"slug":"x"}`
	const page = `{"pagination":{"next":0,"previous":0,"count":1,"current":1,"total_pages":1,"start_index":1,"end_index":1},"results":[` + flow + `]}`
	for _, c := range []struct {
		name   string
		answer http.Handler
		want   string // after "authentik: FlowsInstancesList: invalid response "
	}{
		{
			"a page of HTML", testkit.Reply(200, testkit.HTML, "<html>\n<title>Log in</title>"),
			`(200 OK, text/html; charset=utf-8): not JSON: <html>\n<title>Log in</title>` + once,
		},
		{
			"a text of something else", testkit.StaticHandler(200, testkit.Text, "pong"),
			"(200 OK, text/plain; charset=utf-8): not JSON: pong (sent by something in front of authentik, 1 attempt)",
		},
		{
			"a text that begins as JSON", testkit.Reply(200, testkit.Text, "no healthy upstream"),
			"(200 OK, text/plain; charset=utf-8): invalid character 'o' in literal null (expecting 'u'): no healthy upstream" + once,
		},
		{
			"an empty body", testkit.Reply(200, testkit.JSON, ""),
			"(200 OK, application/json): empty body" + once,
		},
		{
			"no content", testkit.Reply(204, "", ""),
			"(204 No Content): unexpected status" + once,
		},
		{
			"another success, whose data is not shown", testkit.Reply(201, testkit.JSON, flow),
			"(201 Created, application/json): unexpected status" + once,
		},
		{
			"null", testkit.Reply(200, testkit.JSON, "null"),
			"(200 OK, application/json): null, want an object: null" + once,
		},
		{
			"an empty object", testkit.Reply(200, testkit.JSON, "{}"),
			"(200 OK, application/json): pagination: missing" + once,
		},
		{
			"an error's object", testkit.Reply(200, testkit.JSON, `{"detail":"x"}`),
			"(200 OK, application/json): pagination: missing" + once,
		},
		{
			"null inside", testkit.Reply(200, testkit.JSON, page),
			"(200 OK, application/json): results[0].pk: null, want a string: null" + once,
		},
		{
			"numbers that contradict", testkit.Reply(200, testkit.JSON, strings.Replace(page, flow, "", 1)),
			"(200 OK, application/json): pagination.count: 1, without a result or a next page" + once,
		},
		{
			"cut", testkit.Reply(200, testkit.JSON, page[:20]),
			"(200 OK, application/json): pagination: unexpected EOF (request " + testkit.RequestID + ", 4 attempts)",
		},
		{
			"more than 200 bytes", testkit.Reply(200, "text/x", strings.Repeat("\x1b", 300)),
			"(200 OK, text/x): not JSON: " + strings.Repeat(`\x1b`, 50) + "…" + once,
		},
		{
			"too large", testkit.Reply(200, testkit.JSON, strings.Repeat(" ", 2048)),
			"(200 OK, application/json): response too large: more than 1024 bytes: request a smaller PageSize, or raise WithMaxResponseSize" + once,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			err := listError(t, c.answer, authentik.WithMaxResponseSize(1024))
			testkit.RequireType[*authentik.DecodeError](t, err)
			assert.Equal(t, "authentik: FlowsInstancesList: invalid response "+c.want, err.Error())
		})
	}
	t.Run("of another object", func(t *testing.T) {
		t.Parallel()
		binding, err := json.Marshal(authentik.FlowStageBinding{PK: uuid.New(), StageObj: authentik.Stage{FlowSet: []authentik.FlowSet{}}})
		require.NoError(t, err)
		_, err = testkit.NewClient(t, testkit.Reply(200, testkit.JSON, string(binding))).
			BindingsRetrieve(t.Context(), uuid.New())
		assert.EqualError(
			t,
			err,
			"authentik: BindingsRetrieve: invalid response (200 OK, application/json): pk: response is for a different object"+once,
		)
	})
}

func TestRequestErrorError_HasCauseAndLastResponse(t *testing.T) {
	t.Parallel()
	reset := errors.New("connection reset\nby peer")
	starting := testkit.Reply(503, testkit.JSON, `{"error":"authentik starting"}`)
	for _, c := range []struct {
		name  string
		send  func(ctx context.Context, cancel context.CancelCauseFunc, attempt int) (*http.Response, error)
		token func(context.Context) (string, error)
		want  string // after "authentik: FlowsInstancesList: "
		is    []error
	}{
		{
			name: "of the network",
			send: func(context.Context, context.CancelCauseFunc, int) (*http.Response, error) { return nil, reset },
			want: `sso.example.com: connection reset\nby peer (4 attempts)`, is: []error{reset},
		},
		{
			name: "of the network after an answer",
			send: func(_ context.Context, _ context.CancelCauseFunc, attempt int) (*http.Response, error) {
				if attempt == 1 {
					return testkit.HTTPResponse(starting), nil
				}
				return nil, reset
			},
			want: `sso.example.com: connection reset\nby peer; before that 503 Service Unavailable: authentik starting (4 attempts)`,
			is:   []error{reset, authentik.ErrServer, authentik.ErrStarting},
		},
		{
			name: "of the caller's context",
			send: func(ctx context.Context, cancel context.CancelCauseFunc, _ int) (*http.Response, error) {
				cancel(errors.New("going home"))
				return nil, ctx.Err()
			},
			want: "context canceled: going home (1 attempt)", is: []error{context.Canceled},
		},
		{
			name: "of the caller's context before the first attempt",
			send: nil, want: "context canceled (0 attempts)", is: []error{context.Canceled},
		},
		{
			name: "of two attempts that took too long",
			send: func(ctx context.Context, _ context.CancelCauseFunc, _ int) (*http.Response, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			},
			want: "sso.example.com: attempt timed out after 1m0s (2 attempts)", is: []error{authentik.ErrAttemptTimeout},
		},
		{
			name:  "of a token that could not be had",
			send:  func(context.Context, context.CancelCauseFunc, int) (*http.Response, error) { return nil, reset },
			token: func(context.Context) (string, error) { return "", io.ErrNoProgress },
			want:  "no token: multiple Read calls return no data or error (1 attempt)", is: []error{io.ErrNoProgress},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				if c.send == nil {
					cancel(nil)
				}
				attempts := 0
				token := testkit.Token
				opts := []authentik.ClientOption{
					authentik.WithHTTPClient(
						&http.Client{Transport: testkit.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
							attempts++
							return c.send(r.Context(), cancel, attempts)
						})},
					),
					authentik.WithRetry(authentik.RetryPolicy{StartupWait: -1, MaxRetryAfter: -1}),
				}
				if c.token != nil {
					token, opts = "", append(opts, authentik.WithTokenFunc(c.token))
				}
				ak, err := authentik.NewClient("https://sso.example.com", token, opts...)
				require.NoError(t, err)

				_, err = ak.FlowsInstancesList(ctx, nil)

				request := testkit.RequireType[*authentik.RequestError](t, err)
				assert.Equal(t, "authentik: FlowsInstancesList: "+c.want, err.Error())
				for _, target := range c.is {
					assert.ErrorIs(t, err, target)
				}
				var last *authentik.APIError
				assert.Equal(t, strings.Contains(c.want, "before that"), errors.As(err, &last), "the last answer")
				assert.Equal(t, "/api/v3/flows/instances/", request.Path)
			})
		})
	}
}

func TestFlowsInstancesAll_ErrorNamesPageAndReason(t *testing.T) {
	t.Parallel()
	page := func(next, count, current, total int, results ...authentik.Flow) recording.Response {
		body, err := json.Marshal(authentik.Page[authentik.Flow]{
			Pagination: authentik.Pagination{Next: next, Count: count, Current: current, TotalPages: total}, Results: append([]authentik.Flow{}, results...),
		})
		require.NoError(t, err)
		return testkit.Reply(200, testkit.JSON, string(body))
	}
	first := page(2, 2, 1, 2, authentik.Flow{PK: uuid.New(), Stages: []uuid.UUID{}, Policies: []uuid.UUID{}})
	gone := testkit.Reply(404, testkit.JSON, `{"detail":"Invalid page."}`)
	for _, c := range []struct {
		name  string
		pages []recording.Response
		want  string // after "authentik: FlowsInstancesAll: "
		is    []error
	}{
		{
			"a page other than the one asked for",
			[]recording.Response{page(0, 0, 7, 7)},
			"invalid response (200 OK, application/json): pagination.current: pagination is stuck: page 7 instead of page 1" + once,
			[]error{authentik.ErrPaginationStuck},
		},
		{
			"a page without anything",
			[]recording.Response{page(2, 0, 1, 2)},
			"pagination is stuck: page 1 has nothing new but a next page",
			[]error{authentik.ErrPaginationStuck},
		},
		{
			"a page that is gone",
			[]recording.Response{first, gone},
			"the list changed during the iteration: page 2 is gone: authentik: FlowsInstancesAll: 404 Not Found: Invalid page. (request " + testkit.RequestID + ", 1 attempt, page 2)",
			[]error{authentik.ErrListChanged, authentik.ErrNotFound},
		},
		{
			"a later page of another list",
			[]recording.Response{first, page(0, 0, 7, 7)},
			"invalid response (200 OK, application/json): pagination.current: pagination is stuck: page 7 instead of page 2 (request " + testkit.RequestID + ", 1 attempt, page 2)",
			[]error{authentik.ErrPaginationStuck},
		},
		{
			"a later page that is refused",
			[]recording.Response{first, testkit.Reply(403, testkit.JSON, `{"detail":"no"}`)},
			"403 Forbidden: no (request " + testkit.RequestID + ", 1 attempt, page 2)",
			[]error{authentik.ErrForbidden},
		},
		{
			"a later page that would take an hour",
			[]recording.Response{first, testkit.Reply(429, "", "", "Retry-After", "3600")},
			"429 Too Many Requests (request " + testkit.RequestID + ", 1 attempt, page 2, the server asks to wait 1h0m0s)",
			[]error{authentik.ErrRateLimited},
		},
		{
			"a list that changed",
			[]recording.Response{first, page(0, 1, 2, 2)},
			"the list changed during the iteration: page 2: the count went from 2 to 1",
			[]error{authentik.ErrListChanged},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			n := -1
			ak := testkit.NewClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				n++
				c.pages[n].ServeHTTP(w, r)
			}))
			_, err := authentik.Collect(ak.FlowsInstancesAll(t.Context(), nil))
			assert.EqualError(t, err, "authentik: FlowsInstancesAll: "+c.want)
			for _, target := range c.is {
				assert.ErrorIs(t, err, target)
			}
		})
	}
}

func TestArgumentErrorError_OmitsValue(t *testing.T) {
	t.Parallel()
	ak := testkit.NewClient(t, http.NotFoundHandler())
	_, noURL := authentik.NewClient("sso.example.com", testkit.Token)
	_, listed := ak.FlowsInstancesList(t.Context(), &authentik.FlowsInstancesListOptions{Ordering: "secret"})
	_, walked := authentik.Collect(ak.FlowsInstancesAll(t.Context(), &authentik.FlowsInstancesListOptions{Page: -7}))
	_, binding := ak.BindingsRetrieve(t.Context(), uuid.Nil)
	for want, err := range map[string]error{
		"NewClient: baseURL: must begin with https://": noURL,
		`FlowsInstancesList: Ordering: cannot order by "secret"; use pk, policybindingmodel_ptr_id, name, slug, title, designation, policy_engine_mode, compatibility_mode, layout, denied_action, authentication, background`: listed,
		"FlowsInstancesAll: Page: must not be negative":                                     walked,
		"BindingsRetrieve: id: must not be empty":                                           binding,
		"Get: path: must not be an absolute URL: use what follows /api/v3/":                 ak.Get(t.Context(), "https://secret/", nil, nil),
		`Get: path: must not have a segment that is "." or "..", or that has a slash in it`: ak.Get(t.Context(), "../secret/", nil, nil),
		"Get: out: must be a pointer to a value":                                            ak.Get(t.Context(), "core/users/me/", nil, "secret"),
	} {
		assert.EqualError(t, err, "authentik: "+want)
		testkit.RequireType[*authentik.ArgumentError](t, err)
	}
}

func TestOne_ErrorText(t *testing.T) {
	t.Parallel()
	assert.EqualError(t, oneOf(), "authentik: One: no result of type int")
	assert.ErrorIs(t, oneOf(), authentik.ErrNoResult)
	assert.EqualError(t, oneOf(1, 2), "authentik: One: more than one result of type int")
	assert.ErrorIs(t, oneOf(1, 2), authentik.ErrMultipleResults)
}

func oneOf(items ...int) error {
	_, err := authentik.One(func(yield func(int, error) bool) {
		for _, item := range items {
			if !yield(item, nil) {
				return
			}
		}
	})
	return err
}

// failing answers once, and then closes each connection.
func failing(status int, body string) http.Handler {
	var n atomic.Int32
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1) > 1 {
			panic(http.ErrAbortHandler)
		}
		testkit.StaticHandler(status, testkit.Text, body)(w, r)
	})
}

// logged is what slog's two handlers write of an error.
func logged(t *testing.T, err error) (text string, fields map[string]any) {
	t.Helper()
	var asText, asJSON bytes.Buffer
	slog.New(slog.NewTextHandler(&asText, nil)).Info("failed", "err", err)
	slog.New(slog.NewJSONHandler(&asJSON, nil)).Info("failed", "err", err)
	var line struct{ Err map[string]any }
	require.NoError(t, json.Unmarshal(asJSON.Bytes(), &line), "%s", asJSON.String())
	_, text, _ = strings.Cut(strings.TrimSpace(asText.String()), "msg=failed ")
	return text, line.Err
}

func TestAPIErrorError_NamesPathOfAnyOperation(t *testing.T) {
	t.Parallel()
	ak := testkit.NewClient(t, testkit.Reply(404, testkit.JSON, `{"detail":"Gone."}`))
	_, listed := authentik.Collect(authentik.ListAll[authentik.Flow](t.Context(), ak, "flows/instances/", nil))
	for want, err := range map[string]error{
		"Get /sub/path/api/v3/core/users/":          ak.Get(t.Context(), "core/users/", nil, nil),
		"Do DELETE /sub/path/api/v3/core/users/1/":  ak.Do(t.Context(), http.MethodDelete, "core/users/1/", nil, nil, nil),
		"ListAll /sub/path/api/v3/flows/instances/": listed,
	} {
		require.EqualError(t, err, "authentik: "+want+": 404 Not Found: Gone."+once)
	}
}

func TestRequestError_LogsKindOfCause(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		cause error
		kind  string
	}{
		{authentik.ErrAttemptTimeout, "timeout"},
		{context.DeadlineExceeded, "deadline"},
		{context.Canceled, "canceled"},
		{syscall.ECONNREFUSED, "unreachable"},
		{&net.DNSError{IsNotFound: true}, "unreachable"},
		{&net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}, "unreachable"},
		{x509.UnknownAuthorityError{}, "tls"},
		{io.EOF, "network"},
		{nil, ""},
	} {
		err := &authentik.RequestError{Err: c.cause, Attempts: 1}
		if c.cause != nil {
			err.Err = fmt.Errorf("made by a caller: %w", c.cause)
		}
		kind := ""
		for _, attr := range err.LogValue().Group() {
			if attr.Key == "kind" {
				kind = attr.Value.String()
			}
		}
		assert.Equal(t, c.kind, kind, "%v", c.cause)
	}
}

func TestLogValue_OmitsServerText(t *testing.T) {
	t.Parallel()
	const searched = "alice@example.com"
	const words = "No match for " + searched
	list := func(h http.Handler) error {
		_, err := testkit.NewClient(t, h).
			FlowsInstancesList(t.Context(), &authentik.FlowsInstancesListOptions{Search: searched})
		return err
	}
	common := map[string]any{
		"op":         "FlowsInstancesList",
		"method":     "GET",
		"path":       "/sub/path/api/v3/flows/instances/",
		"request_id": testkit.RequestID,
		"attempts":   1.0,
		"is":         []any{},
	}
	with := func(more map[string]any) map[string]any {
		all := map[string]any{}
		for _, m := range []map[string]any{common, more} {
			for key, value := range m {
				if all[key] = value; value == nil {
					delete(all, key)
				}
			}
		}
		return all
	}
	noToken := func(context.Context) (string, error) { return "", errors.New("vault: no secret at " + searched) }
	tokenless, err := authentik.NewClient("https://sso.example.com", "", authentik.WithTokenFunc(noToken))
	require.NoError(t, err)
	_, noTokenErr := tokenless.FlowsInstancesList(t.Context(), nil)

	for _, c := range []struct {
		err  error
		want map[string]any
	}{
		{
			list(testkit.Reply(400, testkit.JSON, `{"search":["`+words+`"],"a\nb":[{"c":["`+words+`"]}]}`)),
			with(map[string]any{"kind": "validation", "is": []any{"ErrBadRequest"}, "status": 400.0, "fields": []any{`a\nb[0].c`, "search"}}),
		},
		{list(testkit.Reply(403, testkit.JSON, `{"detail":"`+words+`"}`)), with(map[string]any{"kind": "permission", "is": []any{"ErrForbidden"}, "status": 403.0})},
		{
			list(testkit.Reply(404, testkit.Text, words, "X-authentik-id", "a\u202eb")),
			with(map[string]any{"kind": "not_found", "is": []any{"ErrNotFound"}, "status": 404.0, "request_id": testkit.RequestID}),
		},
		{
			list(recording.Response{Status: 404, Text: words, Headers: [][2]string{{"X-authentik-id", "a\u202eb"}}}),
			with(map[string]any{"kind": "not_found", "is": []any{"ErrNotFound"}, "status": 404.0, "request_id": `a\u202eb`}),
		},
		{
			list(testkit.Reply(200, "text/x\u202e", words)),
			with(map[string]any{"kind": "decode", "status": 200.0, "content_type": `text/x\u202e`, "json_path": ""}),
		},
		{
			list(testkit.Reply(200, testkit.JSON, `{"pagination":"`+words+`"}`)),
			with(map[string]any{"kind": "decode", "status": 200.0, "content_type": testkit.JSON, "json_path": "pagination"}),
		},
		{
			list(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })),
			with(map[string]any{"kind": "network", "host": "127.0.0.1", "attempts": 4.0, "cause": "EOF", "request_id": nil}),
		},
		{
			list(failing(503, words)),
			with(map[string]any{
				"kind": "network", "is": []any{"ErrServer", "ErrNotAuthentik"}, "host": "127.0.0.1",
				"attempts": 4.0, "cause": "EOF", "request_id": nil, "status": 503.0,
			}),
		},
		{
			noTokenErr,
			with(map[string]any{"kind": "token", "host": "sso.example.com", "cause": "no token", "path": "/api/v3/flows/instances/", "request_id": nil}),
		},
	} {
		t.Run(c.err.Error(), func(t *testing.T) {
			t.Parallel()
			text, fields := logged(t, c.err)
			if host, ok := fields["host"].(string); ok {
				fields["host"], _, _ = strings.Cut(host, ":")
			}
			assert.Equal(t, c.want, fields)
			for key := range c.want {
				assert.Contains(t, text, "err."+key+"=")
			}
			assert.NotContains(t, text, searched)
			assert.NotContains(t, text, "alice%40")
		})
	}
}

// A media type is read in lower case, and a token of another case is not found
// in it any more.
func TestAPIErrorError_RedactsTokenInMediaType(t *testing.T) {
	t.Parallel()
	for _, token := range []string{testkit.Token, "canary-token-in-lower-case"} {
		ak, err := authentik.NewClient(
			testkit.NewServer(t, testkit.Reply(404, "text/"+token, strings.Repeat("x", 513))),
			token,
		)
		require.NoError(t, err)
		t.Cleanup(ak.Close)
		_, err = ak.FlowsInstancesList(t.Context(), nil)
		assert.EqualError(
			t,
			err,
			"authentik: FlowsInstancesList: 404 Not Found: the body is something else, not JSON"+once,
		)
		assert.NotContains(t, fmt.Sprintf("%#v", err), strings.ToLower(token))
	}
}
