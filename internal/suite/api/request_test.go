package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/internal/testkit"
	"github.com/seed-299d42e7/authentik-go/internal/testkit/recording"
)

// operation is a call of the library with what it sends, and a response with
// what the call returns.
type operation struct {
	call func(context.Context, *authentik.Client, ...authentik.RequestOption) (any, error)

	method, path, body string // body is JSON, or the parts of a form
	status             int    // of the success
	response           string
	result             string // JSON of what is returned; "" is the response itself
}

var (
	flowID  = uuid.MustParse(testkit.FlowID)
	otherID = uuid.MustParse(testkit.OtherID)
)

// A minimal flow and binding as json.Marshal writes them.
var (
	marshaledFlow = strings.TrimSuffix(testkit.MinimalFlow, `}`) +
		`,"background":"","policy_engine_mode":"","compatibility_mode":false}`
	marshaledBinding = strings.TrimSuffix(testkit.MinimalBinding, `}`) +
		`,"evaluate_on_plan":false,"re_evaluate_policies":false,"policy_engine_mode":"","invalid_response_action":""}`
)

const (
	importLog = `{"timestamp":"t","log_level":"info","logger":"l","event":"Created Event","attributes":{}}`

	usedBy         = `[{"app":"a","model_name":"m","pk":"7","name":"n","action":"CASCADE_MANY"}]`
	usedByReturned = `[{"app":"a","model_name":"m","pk":"7","name":"n","action":"cascade_many"}]`
)

var (
	flowRequest = authentik.FlowRequest{
		Name: "n", Slug: "s", Title: "t", Designation: authentik.FlowDesignationRecovery,
	}
	bindingRequest = authentik.FlowStageBindingRequest{Target: otherID, Stage: otherID, Order: new(-3)}
)

const (
	flowBody    = `{"name":"n","slug":"s","title":"t","designation":"recovery"}`
	bindingBody = `{"target":"` + testkit.OtherID + `","stage":"` + testkit.OtherID + `","order":-3}`
)

// nothing returns what a method without a result does.
func nothing(err error) (any, error) { return nil, err }

type requestOption = authentik.RequestOption

// operations are all methods that send a single request, by name.
var operations = map[string]operation{
	"FlowsInstancesList": {
		call: func(ctx context.Context, ak *authentik.Client, opts ...requestOption) (any, error) {
			return ak.FlowsInstancesList(ctx, nil, opts...)
		},
		method: "GET", path: "flows/instances/", status: 200, response: testkit.FlowPageBody(1, `[`+marshaledFlow+`]`),
	},
	"FlowsInstancesRetrieve": {
		call: func(ctx context.Context, ak *authentik.Client, opts ...requestOption) (any, error) {
			return ak.FlowsInstancesRetrieve(ctx, "s", opts...)
		},
		method: "GET", path: "flows/instances/s/", status: 200, response: testkit.MinimalFlow, result: marshaledFlow,
	},
	"FlowsInstancesCreate": {
		call: func(ctx context.Context, ak *authentik.Client, opts ...requestOption) (any, error) {
			return ak.FlowsInstancesCreate(ctx, flowRequest, opts...)
		},
		method: "POST", path: "flows/instances/", body: flowBody,
		status: 201, response: testkit.MinimalFlow, result: marshaledFlow,
	},
	"FlowsInstancesUpdate": {
		call: func(ctx context.Context, ak *authentik.Client, opts ...requestOption) (any, error) {
			return ak.FlowsInstancesUpdate(ctx, "old", flowRequest, opts...)
		},
		method: "PUT", path: "flows/instances/old/", body: flowBody,
		status: 200, response: testkit.MinimalFlow, result: marshaledFlow,
	},
	"FlowsInstancesPartialUpdate": {
		call: func(ctx context.Context, ak *authentik.Client, opts ...requestOption) (any, error) {
			flow := authentik.FlowRequest{Title: "<t>", CompatibilityMode: new(false)}
			return ak.FlowsInstancesPartialUpdate(ctx, "s", flow, opts...)
		},
		method: "PATCH", path: "flows/instances/s/", body: `{"title":"<t>","compatibility_mode":false}`,
		status: 200, response: testkit.MinimalFlow, result: marshaledFlow,
	},
	"FlowsInstancesDestroy": {
		call: func(ctx context.Context, ak *authentik.Client, opts ...requestOption) (any, error) {
			return nothing(ak.FlowsInstancesDestroy(ctx, "s", opts...))
		},
		method: "DELETE", path: "flows/instances/s/", status: 204, result: `null`,
	},
	"FlowsInstancesUsedByList": {
		call: func(ctx context.Context, ak *authentik.Client, opts ...requestOption) (any, error) {
			return ak.FlowsInstancesUsedByList(ctx, "s", opts...)
		},
		method: "GET", path: "flows/instances/s/used_by/", status: 200, response: usedBy, result: usedByReturned,
	},
	"FlowsInstancesDiagramRetrieve": {
		call: func(ctx context.Context, ak *authentik.Client, opts ...requestOption) (any, error) {
			return ak.FlowsInstancesDiagramRetrieve(ctx, "s", opts...)
		},
		method: "GET", path: "flows/instances/s/diagram/", status: 200, response: `{"diagram":"graph TD"}`,
	},
	"FlowsInstancesExecuteRetrieve": {
		call: func(ctx context.Context, ak *authentik.Client, opts ...requestOption) (any, error) {
			return ak.FlowsInstancesExecuteRetrieve(ctx, "s", opts...)
		},
		method: "GET", path: "flows/instances/s/execute/", status: 200, response: `{"link":"https://sso/if/flow/s/"}`,
	},
	"FlowsInstancesCacheInfoRetrieve": {
		call: func(ctx context.Context, ak *authentik.Client, opts ...requestOption) (any, error) {
			return ak.FlowsInstancesCacheInfoRetrieve(ctx, opts...)
		},
		method: "GET", path: "flows/instances/cache_info/", status: 200, response: `{"count":3}`,
	},
	"FlowsInstancesCacheClearCreate": {
		call: func(ctx context.Context, ak *authentik.Client, opts ...requestOption) (any, error) {
			return nothing(ak.FlowsInstancesCacheClearCreate(ctx, opts...))
		},
		method: "POST", path: "flows/instances/cache_clear/", status: 204, result: `null`,
	},
	"FlowsInstancesImportCreate": {
		call: func(ctx context.Context, ak *authentik.Client, opts ...requestOption) (any, error) {
			return ak.FlowsInstancesImportCreate(ctx, []byte("version: 1\r\n\x00"), opts...)
		},
		method: "POST", path: "flows/instances/import/", body: "file=flow.yaml:version: 1\r\n\x00",
		status: 200, response: `{"logs":[` + importLog + `],"success":true}`,
	},
	"FlowsInstancesSetBackgroundCreate": {
		call: func(ctx context.Context, ak *authentik.Client, opts ...requestOption) (any, error) {
			background := authentik.FlowBackground{Filename: "ü.png", Content: []byte("\x89PNG")}
			return nothing(ak.FlowsInstancesSetBackgroundCreate(ctx, "s", background, opts...))
		},
		method: "POST", path: "flows/instances/s/set_background/", body: "file=ü.png:\x89PNG",
		status: 200, response: `{}`, result: `null`,
	},
	"FlowsInstancesSetBackgroundURLCreate": {
		call: func(ctx context.Context, ak *authentik.Client, opts ...requestOption) (any, error) {
			return nothing(ak.FlowsInstancesSetBackgroundURLCreate(ctx, "s", "https://cdn/a.png", opts...))
		},
		method: "POST", path: "flows/instances/s/set_background_url/", body: `{"url":"https://cdn/a.png"}`,
		status: 200, response: `{}`, result: `null`,
	},
	"BindingsList": {
		call: func(ctx context.Context, ak *authentik.Client, opts ...requestOption) (any, error) {
			return ak.BindingsList(ctx, nil, opts...)
		},
		method: "GET", path: "flows/bindings/", status: 200, response: testkit.FlowPageBody(1, `[`+marshaledBinding+`]`),
	},
	"BindingsRetrieve": {
		call: func(ctx context.Context, ak *authentik.Client, opts ...requestOption) (any, error) {
			return ak.BindingsRetrieve(ctx, flowID, opts...)
		},
		method: "GET", path: "flows/bindings/" + testkit.FlowID + "/",
		status: 200, response: testkit.MinimalBinding, result: marshaledBinding,
	},
	"BindingsCreate": {
		call: func(ctx context.Context, ak *authentik.Client, opts ...requestOption) (any, error) {
			return ak.BindingsCreate(ctx, bindingRequest, opts...)
		},
		method: "POST", path: "flows/bindings/", body: bindingBody,
		status: 201, response: testkit.MinimalBinding, result: marshaledBinding,
	},
	"BindingsUpdate": {
		call: func(ctx context.Context, ak *authentik.Client, opts ...requestOption) (any, error) {
			return ak.BindingsUpdate(ctx, flowID, bindingRequest, opts...)
		},
		method: "PUT", path: "flows/bindings/" + testkit.FlowID + "/", body: bindingBody,
		status: 200, response: testkit.MinimalBinding, result: marshaledBinding,
	},
	"BindingsPartialUpdate": {
		call: func(ctx context.Context, ak *authentik.Client, opts ...requestOption) (any, error) {
			return ak.BindingsPartialUpdate(ctx, flowID, authentik.FlowStageBindingRequest{Order: new(0)}, opts...)
		},
		method: "PATCH", path: "flows/bindings/" + testkit.FlowID + "/", body: `{"order":0}`,
		status: 200, response: testkit.MinimalBinding, result: marshaledBinding,
	},
	"BindingsDestroy": {
		call: func(ctx context.Context, ak *authentik.Client, opts ...requestOption) (any, error) {
			return nothing(ak.BindingsDestroy(ctx, flowID, opts...))
		},
		method: "DELETE", path: "flows/bindings/" + testkit.FlowID + "/", status: 204, result: `null`,
	},
	"BindingsUsedByList": {
		call: func(ctx context.Context, ak *authentik.Client, opts ...requestOption) (any, error) {
			return ak.BindingsUsedByList(ctx, flowID, opts...)
		},
		method: "GET", path: "flows/bindings/" + testkit.FlowID + "/used_by/",
		status: 200, response: usedBy, result: usedByReturned,
	},
	"StagesAllList": {
		call: func(ctx context.Context, ak *authentik.Client, opts ...requestOption) (any, error) {
			return ak.StagesAllList(ctx, nil, opts...)
		},
		method: "GET", path: "stages/all/", status: 200, response: testkit.FlowPageBody(1, `[`+testkit.MinimalStage+`]`),
	},
	"StagesAllRetrieve": {
		call: func(ctx context.Context, ak *authentik.Client, opts ...requestOption) (any, error) {
			return ak.StagesAllRetrieve(ctx, otherID, opts...)
		},
		method: "GET", path: "stages/all/" + testkit.OtherID + "/", status: 200, response: testkit.MinimalStage,
	},
	"StagesAllTypesList": {
		call: func(ctx context.Context, ak *authentik.Client, opts ...requestOption) (any, error) {
			return ak.StagesAllTypesList(ctx, opts...)
		},
		method: "GET", path: "stages/all/types/",
		status: 200, response: `[{"name":"n","description":"d","component":"c","model_name":"m"}]`,
	},
	"StagesAllUsedByList": {
		call: func(ctx context.Context, ak *authentik.Client, opts ...requestOption) (any, error) {
			return ak.StagesAllUsedByList(ctx, otherID, opts...)
		},
		method: "GET", path: "stages/all/" + testkit.OtherID + "/used_by/",
		status: 200, response: usedBy, result: usedByReturned,
	},
	"StagesAllDestroy": {
		call: func(ctx context.Context, ak *authentik.Client, opts ...requestOption) (any, error) {
			return nothing(ak.StagesAllDestroy(ctx, otherID, opts...))
		},
		method: "DELETE", path: "stages/all/" + testkit.OtherID + "/", status: 204, result: `null`,
	},
	"Do": {
		call: func(ctx context.Context, ak *authentik.Client, opts ...requestOption) (any, error) {
			out := map[string]any{}
			err := ak.Do(ctx, "POST", "core/groups", nil, map[string]string{"name": "n"}, &out, opts...)
			return out, err
		},
		method: "POST", path: "core/groups/", body: `{"name":"n"}`, status: 201, response: `{"name":"n"}`,
	},
}

// Methods that are tested elsewhere.
var otherMethods = map[string]string{
	"FlowsInstancesExportRetrieve": "flows_actions_test.go",
	"Get":                          "raw_test.go",
	"ServerVersion":                "admin_test.go",
	"FlowsInstancesAll":            "pagination_test.go",
	"FlowsInstancesPages":          "pagination_test.go",
	"BindingsAll":                  "bindings_test.go",
	"BindingsPages":                "bindings_test.go",
	"StagesAllAll":                 "stages_test.go",
	"StagesAllPages":               "stages_test.go",
}

func TestClient_EveryOperationIsTested(t *testing.T) {
	t.Parallel()
	for method := range reflect.TypeFor[*authentik.Client]().Methods() {
		if !method.Type.IsVariadic() {
			continue // sends nothing
		}
		_, here := operations[method.Name]
		_, elsewhere := otherMethods[method.Name]
		assert.NotEqual(t, here, elsewhere, "%s must be in one of the lists", method.Name)
	}
}

// sentBody returns the body of a request: its JSON, or the parts of its form.
func sentBody(t testing.TB, r *http.Request) string {
	t.Helper()
	mediaType, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if mediaType != "multipart/form-data" {
		body, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		if len(body) == 0 {
			assert.Empty(t, mediaType, "there is no body")
		} else {
			assert.Equal(t, "application/json", mediaType)
		}
		return string(body)
	}
	assert.NoError(t, err)
	var all []string
	for form := multipart.NewReader(r.Body, params["boundary"]); ; {
		part, err := form.NextPart()
		if errors.Is(err, io.EOF) {
			return strings.Join(all, "&")
		}
		if !assert.NoError(t, err) {
			return ""
		}
		content, err := io.ReadAll(part)
		assert.NoError(t, err)
		text := string(content)
		if part.FileName() != "" {
			text = part.FileName() + ":" + text
		}
		all = append(all, part.FormName()+"="+text)
	}
}

func TestClient_OperationsSendRequestsAndReturnResponses(t *testing.T) {
	t.Parallel()
	for name, o := range operations {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requests := 0
			ak := testkit.NewClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				requests++
				assert.Equal(t, o.method+" /api/v3/"+o.path, r.Method+" "+r.URL.EscapedPath())
				assert.Empty(t, r.URL.RawQuery)
				assert.Equal(t, "application/json", r.Header.Get("Accept"))
				if body := sentBody(t, r); strings.HasPrefix(o.body, "{") {
					assert.JSONEq(t, o.body, body)
				} else {
					assert.Equal(t, o.body, body)
				}
				testkit.Reply(o.status, testkit.JSON, o.response).ServeHTTP(w, r)
			}))
			var response authentik.Response
			got, err := o.call(t.Context(), ak, authentik.WithResponse(&response))
			require.NoError(t, err)
			assert.Equal(t, 1, requests)
			assert.Equal(t, o.status, response.StatusCode)
			assert.Equal(t, o.response, string(response.Body))
			assert.Equal(t, testkit.RequestID, response.RequestID)
			encoded, err := json.Marshal(got)
			require.NoError(t, err)
			want := o.result
			if want == "" {
				want = o.response
			}
			assert.JSONEq(t, want, string(encoded))
		})
	}
}

// No response but the expected one is a success, whatever the operation.
func TestClient_OperationsRejectOtherResponses(t *testing.T) {
	t.Parallel()
	for name, o := range operations {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			call := func(r recording.Response) error {
				got, err := o.call(t.Context(), testkit.NewClient(t, r))
				require.Error(t, err, "%d %s", r.Status, r.Text)
				if name != "Do" { // whose value is the test's own
					assert.Empty(t, got)
				}
				testkit.AssertNoSecrets(t, err)
				assert.Regexp(t, "^authentik: "+name+"( POST /sub/path/api/v3/core/groups/)?: ", err.Error())
				return err
			}
			for _, r := range []recording.Response{
				testkit.Reply(202, testkit.JSON, o.response),
				testkit.Reply(200, testkit.HTML, "<html>log in</html>"),
				testkit.Reply(200, testkit.JSON, ""),
				testkit.Reply(200, testkit.JSON, `null`),
				testkit.Reply(o.status, testkit.JSON, o.response+"x"),
				testkit.Reply(o.status, testkit.JSON, `"x"`),
				testkit.Reply(o.status, testkit.JSON, `{"pk":`),
			} {
				switch {
				case r.Status == 202 && name == "Do": // any success is one
				case r.Status == 204: // has no body
				case r.Text == "null" && name == "Do": // a map may be null
				default:
					testkit.RequireType[*authentik.DecodeError](t, call(r))
				}
			}
			require.ErrorIs(t, call(testkit.Reply(404, testkit.JSON, `{"detail":"Not found."}`)), authentik.ErrNotFound)
			require.ErrorIs(t, call(testkit.Reply(500, testkit.HTML, `<html>`)), authentik.ErrServer)
			denied := testkit.Reply(403, testkit.JSON, `{"detail":"You do not have permission to perform this action."}`)
			testkit.RequireType[*authentik.PermissionError](t, call(denied))
			invalid := call(testkit.Reply(400, testkit.JSON, `{"slug":["Flow with this slug already exists."]}`))
			assert.Contains(t, testkit.RequireType[*authentik.ValidationError](t, invalid).Fields, "slug")
		})
	}
}

// An object other than the requested one is never returned.
func TestClient_OperationsRejectAnotherObject(t *testing.T) {
	t.Parallel()
	another := strings.NewReplacer(
		`"pk":"`+testkit.FlowID, `"pk":"`+uuid.NewString(), `"pk":"`+testkit.OtherID, `"pk":"`+uuid.NewString(),
		`"slug":"s"`, `"slug":"another"`, `"order":-3`, `"order":-4`,
	)
	for _, name := range []string{
		"FlowsInstancesRetrieve", "FlowsInstancesCreate", "FlowsInstancesUpdate", "FlowsInstancesPartialUpdate",
		"BindingsRetrieve", "BindingsCreate", "BindingsUpdate", "BindingsPartialUpdate", "StagesAllRetrieve",
	} {
		o := operations[name]
		_, err := o.call(t.Context(), testkit.NewClient(t, testkit.Reply(o.status, testkit.JSON, another.Replace(o.response))))
		assert.ErrorContains(t, testkit.RequireType[*authentik.DecodeError](t, err), "response is for a different object", name)
	}
}

func TestClient_OperationsRefuseWhatIsNotAClient(t *testing.T) {
	t.Parallel()
	for name, o := range operations {
		for _, ak := range []*authentik.Client{nil, {}} {
			_, err := o.call(t.Context(), ak)
			assertArgumentError(t, err, name, "Client", "must be made by NewClient")
		}
		_, err := o.call(nil, testkit.NewClient(t, testkit.TwoFlows))
		assertArgumentError(t, err, name, "ctx", "must not be nil")
	}
}

// assertArgumentError asserts that an argument was refused.
func assertArgumentError(t testing.TB, err error, op, field, reason string) {
	t.Helper()
	var argument *authentik.ArgumentError
	if assert.ErrorAs(t, err, &argument, "%s: %s", op, field) {
		assert.Equal(t, authentik.ArgumentError{Op: op, Field: field, Reason: reason}, *argument)
	}
}

// refusal is a call that must be refused before anything is sent.
type refusal struct {
	op, field, reason string
	call              func(context.Context, *authentik.Client) error
}

// testRefusals makes the calls with a client that can send nothing.
func testRefusals(t *testing.T, refusals []refusal) {
	t.Helper()
	ak := testkit.NewClientOver(t, func(r *http.Request) (*http.Response, error) {
		assert.Fail(t, "a request was sent", "%s %s", r.Method, r.URL)
		return nil, http.ErrServerClosed
	}, testkit.NoWait)
	for _, r := range refusals {
		err := r.call(t.Context(), ak)
		assertArgumentError(t, err, r.op, r.field, r.reason)
		testkit.AssertNoSecrets(t, err)
	}
}

// A path argument never changes which path a request goes to.
func TestClient_OperationsEscapeArguments(t *testing.T) {
	t.Parallel()
	var sent []string
	ak := testkit.NewClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent = append(sent, r.RequestURI)
		testkit.StaticHandler(http.StatusNotFound, testkit.JSON, `{"detail":"Not found."}`)(w, r)
	}))
	for slug, path := range map[string]string{
		"a-b_C9": "a-b_C9", "ü": "%C3%BC", "a b": "a%20b", "a.b": "a.b", "50%": "50%25", "?a#b": "%3Fa%23b",
		"{slug}": "%7Bslug%7D", "a+b&c=d": "a+b&c=d", "%2F": "%252F", "Import": "Import",
	} {
		sent = nil
		_, err := ak.FlowsInstancesUsedByList(t.Context(), slug)
		require.ErrorIs(t, err, authentik.ErrNotFound, "%q", slug)
		assert.Equal(t, []string{"/sub/path/api/v3/flows/instances/" + path + "/used_by/"}, sent)
		_, err = url.ParseRequestURI(sent[0])
		require.NoError(t, err)
	}
}

// 32 MiB is what authentik's router accepts: a larger body looks like a server
// that is starting.
func TestClient_OperationsRefuseLargeBodies(t *testing.T) {
	t.Parallel()
	const limit = 32 << 20
	const reason = "must not be larger than 32 MiB, as it is sent"
	large := bytes.Repeat([]byte("a"), limit+1)
	testRefusals(t, []refusal{
		{"FlowsInstancesImportCreate", "content", reason, func(ctx context.Context, ak *authentik.Client) error {
			_, err := ak.FlowsInstancesImportCreate(ctx, large)
			return err
		}},
		{"FlowsInstancesImportCreate", "content", reason, func(ctx context.Context, ak *authentik.Client) error {
			_, err := ak.FlowsInstancesImportCreate(ctx, large[:limit]) // the form is larger
			return err
		}},
		{"FlowsInstancesSetBackgroundCreate", "Content", reason, func(ctx context.Context, ak *authentik.Client) error {
			background := authentik.FlowBackground{Filename: "a.png", Content: large}
			return ak.FlowsInstancesSetBackgroundCreate(ctx, "s", background)
		}},
		{"FlowsInstancesCreate", "FlowRequest", reason, func(ctx context.Context, ak *authentik.Client) error {
			request := flowRequest
			request.Title = string(large)
			_, err := ak.FlowsInstancesCreate(ctx, request)
			return err
		}},
		{"Do", "in", reason, func(ctx context.Context, ak *authentik.Client) error {
			return ak.Do(ctx, "POST", "core/groups/", nil, string(large[:limit-1]), nil) // with its quotes
		}},
	})
	ak := testkit.NewClientOver(t, func(r *http.Request) (*http.Response, error) {
		body, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		assert.Len(t, body, limit)
		return testkit.HTTPResponse(testkit.Reply(201, "", "")), nil
	})
	require.NoError(t, ak.Do(t.Context(), "POST", "core/groups/", nil, string(large[:limit-2]), nil))
}
