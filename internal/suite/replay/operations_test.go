package replay_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/internal/testkit"
	"github.com/seed-299d42e7/authentik-go/internal/testkit/conformance"
	"github.com/seed-299d42e7/authentik-go/internal/testkit/recording"
)

// An operation sends what the recorder sent, and returns what the server
// responded, for every recorded exchange of every release. The log has the
// counts, and the exchanges that are exceptions with their reasons.
//
//nolint:paralleltest // the exchanges count together
func TestReplay_EveryOperation(t *testing.T) {
	r := &operationReplay{calls: map[string]int{}, outcomes: map[string]int{}, exceptions: map[string]int{}}
	for version, exchanges := range operationExchanges(t) {
		for _, e := range exchanges {
			if call, ok := operationOf(e); ok {
				t.Run(version+"/"+e.ID, func(t *testing.T) { r.replay(t, e, call) })
			}
		}
	}
	total := 0
	for _, op := range slices.Sorted(maps.Keys(r.calls)) {
		t.Logf("%4d %s", r.calls[op], op)
		total += r.calls[op]
	}
	t.Logf("%d exchanges replayed: %v", total, r.outcomes)
	for _, reason := range slices.Sorted(maps.Keys(r.exceptions)) {
		t.Logf("%4d not replayed: %s", r.exceptions[reason], reason)
	}
	assert.Greater(t, total, 1300)
	for op := range operationsByName {
		assert.NotZero(t, r.calls[op], "no recording goes through %s", op)
	}
}

func operationExchanges(t *testing.T) map[string][]recording.Exchange {
	t.Helper()
	all := testkit.Recordings(t)
	for version, runs := range testkit.Sequences(t) {
		for _, run := range runs {
			all[version] = append(all[version], run.Exchanges...)
		}
	}
	return all
}

type operationReplay struct{ calls, outcomes, exceptions map[string]int }

// operationCall is a call that is to send a recorded request.
type operationCall struct {
	op    string
	do    func(context.Context, *authentik.Client, authentik.RequestOption) (any, error)
	query url.Values // that the call sends
	// reason is why no call sends the request; do is then nil.
	reason string
}

func (r *operationReplay) replay(t *testing.T, e recording.Exchange, call operationCall) {
	if call.do == nil {
		r.exceptions[call.reason]++
		return
	}
	server := &exchangeServer{t: t, exchange: e}
	ak := testkit.NewClient(t, server, authentik.WithRetry(authentik.RetryPolicy{MaxAttempts: 1, StartupWait: -1}))
	var response authentik.Response
	value, err := call.do(t.Context(), ak, authentik.WithResponse(&response))
	if refused, ok := errors.AsType[*authentik.ArgumentError](err); ok {
		assert.Zero(t, server.matches, "nothing is sent")
		r.exceptions["refused before sending: "+refused.Field+" "+refused.Reason]++
		return
	}
	r.calls[call.op]++
	require.Equal(t, 1, server.matches, "it is sent once, error %v", err)
	assert.Equal(t, call.query, server.query)
	assert.Equal(t, e.Response.Status, response.StatusCode)
	r.outcomes[outcomeOf(t, e, value, err)]++
}

// exchangeServer responds to a recorded request, and to what a call sends
// beside it.
type exchangeServer struct {
	t        *testing.T
	exchange recording.Exchange
	matches  int
	query    url.Values
}

func (s *exchangeServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path, _, _ := strings.Cut(s.exchange.Request.Target, "?")
	switch {
	case r.Method == s.exchange.Request.Method && r.URL.EscapedPath() == path:
		s.matches++
		s.query = r.URL.Query()
		s.compareBody(r)
		s.exchange.Response.ServeHTTP(w, r)
	case r.URL.Path == "/api/v3/admin/version/":
		testkit.StaticHandler(200, testkit.JSON, `{"version_current":"`+s.exchange.Version+`"}`)(w, r)
	case importPath.MatchString(r.URL.Path):
		testkit.StaticHandler(405, testkit.JSON, `{"detail":"Method \"POST\" not allowed."}`)(w, r)
	default:
		assert.Fail(s.t, "not what was recorded", "%s %s", r.Method, r.URL)
	}
}

// compareBody compares JSON after it is normalized, and the file of a form.
func (s *exchangeServer) compareBody(r *http.Request) {
	sent, err := io.ReadAll(r.Body)
	assert.NoError(s.t, err)
	recorded, _ := s.exchange.Request.Body.(string)
	if strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/") {
		assert.Equal(s.t, formOf(s.exchange.Request), form(r.Header.Get("Content-Type"), string(sent)))
		return
	}
	assert.Equal(s.t, normalized(recorded), normalized(string(sent)))
}

// normalized returns JSON as json.Marshal writes it, and any other text as it is.
func normalized(text string) string {
	var value any
	if json.Unmarshal([]byte(text), &value) != nil {
		return text
	}
	encoded, err := json.Marshal(value)
	if err != nil {
		return text
	}
	return string(encoded)
}

// form returns the contents of a form by the names of its parts, without the
// names of files, which the library chooses, and nil for what is no form.
func form(contentType, body string) map[string]string {
	_, params, err := mime.ParseMediaType(contentType)
	if err != nil || params["boundary"] == "" {
		return nil
	}
	parts := map[string]string{}
	for reader := multipart.NewReader(strings.NewReader(body), params["boundary"]); ; {
		part, err := reader.NextRawPart()
		if errors.Is(err, io.EOF) {
			return parts
		}
		if err != nil {
			return nil
		}
		content, err := io.ReadAll(part)
		if _, twice := parts[part.FormName()]; err != nil || twice {
			return nil // nothing that the library sends
		}
		parts[part.FormName()] = string(content)
	}
}

func formOf(r recording.Request) map[string]string {
	body, _ := r.Body.(string)
	for _, h := range r.Headers {
		if strings.EqualFold(h[0], "Content-Type") {
			return form(h[1], body)
		}
	}
	return nil
}

// outcomeOf checks what a call returned for a response, and names the kind of
// result.
func outcomeOf(t *testing.T, e recording.Exchange, value any, err error) string {
	t.Helper()
	status := e.Response.Status
	if status >= http.StatusMultipleChoices {
		return failureOf(t, e, value, err)
	}
	if failed, ok := errors.AsType[*authentik.ImportError](err); ok {
		assert.Equal(t, strings.Contains(e.Response.Text, `"success":true`), failed.Result.Success)
		return "ImportError"
	}
	body := inflated(t, e.Response).Body()
	kind := "value"
	if errors.Is(err, authentik.ErrNotApplied) {
		kind = "ErrNotApplied beside the value"
	} else {
		require.NoError(t, err)
	}
	switch value := value.(type) {
	case nil:
		assert.Contains(t, []string{"", "{}"}, string(body))
	case *authentik.FlowExport:
		assert.Equal(t, string(body), string(value.Content))
	case *authentik.FlowImportResult:
		assert.True(t, value.Success)
		assert.Len(t, value.Logs, strings.Count(string(body), `"log_level"`))
	default:
		assert.Empty(t, operationDifferences(t, body, value))
	}
	return kind
}

// operationDifferences are those of models, but for the spelling of the actions
// of older releases.
func operationDifferences(t *testing.T, body []byte, value any) []string {
	t.Helper()
	if _, ok := value.([]authentik.UsedBy); ok {
		body = usedByAction.ReplaceAllFunc(body, bytes.ToLower)
	}
	// A list may hold stages, too, and a created object is like one of a list.
	omitted := func(d string) bool { return omittedModel.MatchString(d) }
	return slices.DeleteFunc(conformance.Differences(t, body, value), omitted)
}

var (
	usedByAction = regexp.MustCompile(`"action":"[A-Z_]+"`)
	// omittedModel matches what conformance leaves out of pages and single
	// bindings, in other places. The flow of a flow set is whole up to 2022.9.
	omittedModel = regexp.MustCompile(
		`^(background_themed_urls is missing, want <nil>|` +
			`(.*\.)?flow_set(\[\d+\])?\.(stages|policies|cache_count|authentication) is missing.*|` +
			`(.*\.)?background_url is missing, want ?|` +
			`(.*\])?\.?icon_url is missing, want <nil>|` +
			`(.*\])?\.?(requires_enterprise|deprecated) is missing, want false)$`)
)

func failureOf(t *testing.T, e recording.Exchange, value any, err error) string {
	t.Helper()
	require.Error(t, err)
	assert.True(t, value == nil || reflect.ValueOf(value).IsZero(), "no value beside an error")
	api, ok := errors.AsType[*authentik.APIError](err)
	require.True(t, ok, "%v", err)
	recorded := e.Response
	if recorded.Status == http.StatusMethodNotAllowed && recorded.Text != "" && importPath.MatchString(e.Request.Target) {
		require.ErrorIs(t, err, authentik.ErrUnsupported, "exchangeServer allows no other path either")
		require.NotErrorIs(t, err, authentik.ErrPerhapsDone)
		return "the next path of imports"
	}
	assert.Equal(t, recorded.Status, api.StatusCode)
	assert.Equal(t, recorded.Header("X-Authentik-Id"), api.RequestID)
	assert.Equal(t, e.Request.Method, api.Method)
	gone := backgroundPath.MatchString(e.Request.Target) && e.Version >= "2025.12"
	crashed := recorded.Status == http.StatusMethodNotAllowed && recorded.Text == "" && !gone
	for sentinel, want := range map[error]bool{
		authentik.ErrBadRequest:  recorded.Status == http.StatusBadRequest,
		authentik.ErrForbidden:   recorded.Status == http.StatusForbidden,
		authentik.ErrNotFound:    recorded.Status == http.StatusNotFound,
		authentik.ErrServer:      recorded.Status >= http.StatusInternalServerError || crashed,
		authentik.ErrUnsupported: gone && recorded.Status == http.StatusMethodNotAllowed,
	} {
		assert.Equal(t, want, errors.Is(err, sentinel), "is %q: %v", sentinel, err)
	}
	if crashed {
		assert.ErrorIs(t, err, authentik.ErrPerhapsDone)
	}
	if gone {
		return "ErrUnsupported"
	}
	if invalid, ok := errors.AsType[*authentik.ValidationError](err); ok && strings.HasPrefix(recorded.Text, `{"`) {
		assert.NotZero(t, len(invalid.Fields)+len(invalid.NonFieldErrors)+len(invalid.Detail), recorded.Text)
	}
	return strings.TrimPrefix(reflect.TypeOf(err).String(), "*authentik.")
}

var (
	importPath     = regexp.MustCompile(`^/api/v3/(flows/instances/import(_flow)?|managed/blueprints/import)/$`)
	backgroundPath = regexp.MustCompile(`/set_background(_url)?/$`)
)

// operationOf returns the call that sends a recorded request, if the request is
// one of an operation on flows, bindings or stages. TestReplay_EveryExchange
// replays FlowsInstancesList.
func operationOf(e recording.Exchange) (operationCall, bool) {
	target, err := url.Parse(e.Request.Target)
	if err != nil {
		return operationCall{}, false
	}
	for _, op := range byPattern {
		o := operationsByName[op]
		match := o.path.FindStringSubmatch(target.EscapedPath())
		if match == nil || e.Request.Method != o.method {
			continue
		}
		segment := ""
		if len(match) > 1 {
			segment, _ = url.PathUnescape(match[1])
		}
		call := o.call(recorded{e.Request, segment, target.Query()})
		if call.op = op; call.query == nil {
			call.query = url.Values{}
			if len(target.Query()) > 0 {
				return operationCall{op: op, reason: "a query that the operation does not have"}, true
			}
		}
		for _, h := range e.Request.Headers {
			switch {
			case h[0] == "Accept" && h[1] != "application/json", h[0] == "Accept-Language":
				return operationCall{op: op, reason: "another " + h[0]}, true
			case h[0] == "Cookie":
				return operationCall{op: op, reason: "a session of a browser, which TestReplay_EverySession replays"}, true
			}
		}
		return call, true
	}
	return operationCall{}, false
}

// recorded is a request with what its path and query say.
type recorded struct {
	recording.Request

	segment string
	query   url.Values
}

// none is the result of a call that has none.
func none(err error) (any, error) { return nil, err }

type requestOption = authentik.RequestOption

// bySlug is an operation on the flow of a path.
func bySlug[T any](
	call func(*authentik.Client, context.Context, string, ...requestOption) (T, error),
) func(recorded) operationCall {
	return func(r recorded) operationCall {
		return operationCall{do: func(ctx context.Context, ak *authentik.Client, opt requestOption) (any, error) {
			return call(ak, ctx, r.segment, opt)
		}}
	}
}

// byID is an operation on the object of a path.
func byID[T any](
	call func(*authentik.Client, context.Context, uuid.UUID, ...requestOption) (T, error),
) func(recorded) operationCall {
	return func(r recorded) operationCall {
		id, err := uuid.Parse(r.segment)
		if err != nil || id.String() != r.segment {
			return operationCall{reason: "a path without a UUID"}
		}
		return operationCall{do: func(ctx context.Context, ak *authentik.Client, opt requestOption) (any, error) {
			return call(ak, ctx, id, opt)
		}}
	}
}

// plain is an operation without arguments.
func plain[T any](call func(*authentik.Client, context.Context, ...requestOption) (T, error)) func(recorded) operationCall {
	return func(recorded) operationCall {
		return operationCall{do: func(ctx context.Context, ak *authentik.Client, opt requestOption) (any, error) {
			return call(ak, ctx, opt)
		}}
	}
}

// withBody is an operation with a request of type B.
func withBody[B any](
	call func(ctx context.Context, ak *authentik.Client, r recorded, body B, opt requestOption) (any, error),
) func(recorded) operationCall {
	return func(r recorded) operationCall {
		var body B
		text, _ := r.Body.(string)
		decoder := json.NewDecoder(strings.NewReader(text))
		decoder.DisallowUnknownFields()
		if decoder.Decode(&body) != nil || encoded(body) != normalized(text) {
			return operationCall{reason: "a body that the request type cannot express"}
		}
		b, isBinding := any(body).(authentik.FlowStageBindingRequest)
		if _, err := uuid.Parse(r.segment); isBinding && r.segment != "" && err != nil {
			return operationCall{reason: "a path without a UUID"}
		}
		if isBinding && r.Method != http.MethodPost && (b.EvaluateOnPlan == nil) != (b.ReEvaluatePolicies == nil) {
			return operationCall{reason: "one flag of a binding, of which the library sends both"}
		}
		return operationCall{do: func(ctx context.Context, ak *authentik.Client, opt requestOption) (any, error) {
			return call(ctx, ak, r, body, opt)
		}}
	}
}

func encoded(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return normalized(string(text))
}

// listOf is a list whose options set returns, with the first key that no option
// expresses.
func listOf[O, T any](
	call func(*authentik.Client, context.Context, *O, ...requestOption) (T, error), set func(*O, string, string) bool,
) func(recorded) operationCall {
	return func(r recorded) operationCall {
		opts := new(O)
		for key, values := range r.query {
			if len(values) != 1 || values[0] == "" || !set(opts, key, values[0]) {
				return operationCall{reason: "a query that the options do not express"}
			}
		}
		return operationCall{query: r.query, do: func(ctx context.Context, ak *authentik.Client, opt requestOption) (any, error) {
			return call(ak, ctx, opts, opt)
		}}
	}
}

// setNumber sets a number if the text is how the library writes the number.
func setNumber(to *int, text string) bool {
	n, err := strconv.Atoi(text)
	*to = n
	return err == nil && n > 0 && strconv.Itoa(n) == text
}

func setID(to *uuid.UUID, text string) bool {
	id, err := uuid.Parse(text)
	*to = id
	return err == nil && id.String() == text
}

func setBool(to **bool, text string) bool {
	*to = new(text == "true")
	return text == "true" || text == "false"
}

func setBindingOption(o *authentik.BindingsListOptions, key, value string) bool {
	switch key {
	case "fsb_uuid":
		return setID(&o.FSBUUID, value)
	case "pbm_uuid":
		return setID(&o.PBMUUID, value)
	case "target":
		return setID(&o.Target, value)
	case "stage":
		return setID(&o.Stage, value)
	case "order":
		o.Order = new(0)
		return setNumber(o.Order, value)
	case "evaluate_on_plan":
		return setBool(&o.EvaluateOnPlan, value)
	case "re_evaluate_policies":
		return setBool(&o.ReEvaluatePolicies, value)
	case "policy_engine_mode":
		o.PolicyEngineMode = authentik.PolicyEngineMode(value)
	case "invalid_response_action":
		o.InvalidResponseAction = authentik.InvalidResponseAction(value)
	case "search":
		o.Search = value
	case "ordering":
		o.Ordering = value
		return value == "pk" || strings.HasSuffix(value, ",pk")
	case "page":
		return setNumber(&o.Page, value)
	case "page_size":
		return setNumber(&o.PageSize, value)
	default:
		return false
	}
	return strings.Trim(value, " ,\x00") != ""
}

func setStageOption(o *authentik.StagesAllListOptions, key, value string) bool {
	switch key {
	case "name":
		o.Name = value
	case "search":
		o.Search = value
	case "ordering":
		o.Ordering = value
		return strings.TrimPrefix(value, "-") == "name"
	case "page":
		return setNumber(&o.Page, value)
	case "page_size":
		return setNumber(&o.PageSize, value)
	default:
		return false
	}
	return strings.Trim(value, " ,\x00") != ""
}

type (
	flowRequest    = authentik.FlowRequest
	bindingRequest = authentik.FlowStageBindingRequest
	client         = authentik.Client
)

// operationByName is an operation with the requests that its method sends.
type operationByName struct {
	method string
	path   *regexp.Regexp
	call   func(recorded) operationCall
}

func pathOf(pattern string) *regexp.Regexp { return regexp.MustCompile("^/api/v3/" + pattern + "$") }

// operationsByName are the methods of a Client, but for those that
// TestReplay_EveryExchange replays.
var operationsByName = map[string]operationByName{
	"FlowsInstancesRetrieve": {"GET", pathOf(`flows/instances/([^/]+)/`), bySlug((*client).FlowsInstancesRetrieve)},
	"FlowsInstancesCreate": {"POST", pathOf(`flows/instances/`), withBody(
		func(ctx context.Context, ak *client, _ recorded, body flowRequest, opt requestOption) (any, error) {
			return ak.FlowsInstancesCreate(ctx, body, opt)
		})},
	"FlowsInstancesUpdate": {"PUT", pathOf(`flows/instances/([^/]+)/`), withBody(
		func(ctx context.Context, ak *client, r recorded, body flowRequest, opt requestOption) (any, error) {
			return ak.FlowsInstancesUpdate(ctx, r.segment, body, opt)
		})},
	"FlowsInstancesPartialUpdate": {"PATCH", pathOf(`flows/instances/([^/]+)/`), withBody(
		func(ctx context.Context, ak *client, r recorded, body flowRequest, opt requestOption) (any, error) {
			return ak.FlowsInstancesPartialUpdate(ctx, r.segment, body, opt)
		})},
	"FlowsInstancesDestroy": {"DELETE", pathOf(`flows/instances/([^/]+)/`), func(r recorded) operationCall {
		if text, _ := r.Body.(string); text != "" {
			return operationCall{reason: "a body of a DELETE"}
		}
		return operationCall{do: func(ctx context.Context, ak *client, opt requestOption) (any, error) {
			return none(ak.FlowsInstancesDestroy(ctx, r.segment, opt))
		}}
	}},
	"FlowsInstancesUsedByList": {
		"GET", pathOf(`flows/instances/([^/]+)/used_by/`), bySlug((*client).FlowsInstancesUsedByList),
	},
	"FlowsInstancesDiagramRetrieve": {
		"GET", pathOf(`flows/instances/([^/]+)/diagram/`), bySlug((*client).FlowsInstancesDiagramRetrieve),
	},
	"FlowsInstancesExportRetrieve": {
		"GET", pathOf(`flows/instances/([^/]+)/export/`), bySlug((*client).FlowsInstancesExportRetrieve),
	},
	"FlowsInstancesExecuteRetrieve": {
		"GET", pathOf(`flows/instances/([^/]+)/execute/`), bySlug((*client).FlowsInstancesExecuteRetrieve),
	},
	"FlowsInstancesCacheInfoRetrieve": {
		"GET", pathOf(`flows/instances/cache_info/`), plain((*client).FlowsInstancesCacheInfoRetrieve),
	},
	"FlowsInstancesCacheClearCreate": {"POST", pathOf(`flows/instances/cache_clear/`), func(recorded) operationCall {
		return operationCall{do: func(ctx context.Context, ak *client, opt requestOption) (any, error) {
			return none(ak.FlowsInstancesCacheClearCreate(ctx, opt))
		}}
	}},
	"FlowsInstancesImportCreate": {
		"POST", pathOf(`(?:flows/instances/import(?:_flow)?|managed/blueprints/import)/`), importCall,
	},
	"FlowsInstancesSetBackgroundCreate": {
		"POST", pathOf(`flows/instances/([^/]+)/set_background/`), setBackgroundCall,
	},
	"FlowsInstancesSetBackgroundURLCreate": {"POST", pathOf(`flows/instances/([^/]+)/set_background_url/`), withBody(
		func(ctx context.Context, ak *client, r recorded, body backgroundURL, opt requestOption) (any, error) {
			return none(ak.FlowsInstancesSetBackgroundURLCreate(ctx, r.segment, body.URL, opt))
		})},
	"BindingsList": {"GET", pathOf(`flows/bindings/`), listOf((*client).BindingsList, setBindingOption)},
	"BindingsCreate": {"POST", pathOf(`flows/bindings/`), withBody(
		func(ctx context.Context, ak *client, _ recorded, body bindingRequest, opt requestOption) (any, error) {
			return ak.BindingsCreate(ctx, body, opt)
		})},
	"BindingsUpdate": {"PUT", pathOf(`flows/bindings/([^/]+)/`), withBody(
		func(ctx context.Context, ak *client, r recorded, body bindingRequest, opt requestOption) (any, error) {
			return ak.BindingsUpdate(ctx, uuid.MustParse(r.segment), body, opt)
		})},
	"BindingsPartialUpdate": {"PATCH", pathOf(`flows/bindings/([^/]+)/`), withBody(
		func(ctx context.Context, ak *client, r recorded, body bindingRequest, opt requestOption) (any, error) {
			return ak.BindingsPartialUpdate(ctx, uuid.MustParse(r.segment), body, opt)
		})},
	"BindingsDestroy": {"DELETE", pathOf(`flows/bindings/([^/]+)/`), byID(
		func(ak *client, ctx context.Context, id uuid.UUID, opts ...requestOption) (any, error) {
			return none(ak.BindingsDestroy(ctx, id, opts...))
		})},
	"BindingsUsedByList": {"GET", pathOf(`flows/bindings/([^/]+)/used_by/`), byID((*client).BindingsUsedByList)},
	"StagesAllList":      {"GET", pathOf(`stages/all/`), listOf((*client).StagesAllList, setStageOption)},
	"StagesAllRetrieve":  {"GET", pathOf(`stages/all/([^/]+)/`), byID((*client).StagesAllRetrieve)},
	"StagesAllTypesList": {"GET", pathOf(`stages/all/types/`), plain((*client).StagesAllTypesList)},
	"StagesAllUsedByList": {
		"GET", pathOf(`stages/all/([^/]+)/used_by/`), byID((*client).StagesAllUsedByList),
	},
	"StagesAllDestroy": {"DELETE", pathOf(`stages/all/([^/]+)/`), byID(
		func(ak *client, ctx context.Context, id uuid.UUID, opts ...requestOption) (any, error) {
			return none(ak.StagesAllDestroy(ctx, id, opts...))
		})},
}

// byPattern are the names of the operations, those without a segment first:
// cache_info is no slug.
var byPattern = slices.SortedFunc(maps.Keys(operationsByName), func(a, b string) int {
	return operationsByName[a].path.NumSubexp() - operationsByName[b].path.NumSubexp()
})

type backgroundURL struct {
	URL string `json:"url"`
}

const otherForm = "a form that the library does not send"

func importCall(r recorded) operationCall {
	parts := formOf(r.Request)
	file, ok := parts["file"]
	if !ok || len(parts) != 1 {
		return operationCall{reason: otherForm}
	}
	return operationCall{do: func(ctx context.Context, ak *client, opt requestOption) (any, error) {
		return ak.FlowsInstancesImportCreate(ctx, []byte(file), opt)
	}}
}

func setBackgroundCall(r recorded) operationCall {
	parts := formOf(r.Request)
	file, ok := parts["file"]
	background := authentik.FlowBackground{Filename: "a.png", Content: []byte(file)}
	if !ok {
		background = authentik.FlowBackground{Clear: true}
		ok = parts["clear"] == "true"
	}
	if !ok || len(parts) != 1 {
		return operationCall{reason: otherForm}
	}
	return operationCall{do: func(ctx context.Context, ak *client, opt requestOption) (any, error) {
		return none(ak.FlowsInstancesSetBackgroundCreate(ctx, r.segment, background, opt))
	}}
}
