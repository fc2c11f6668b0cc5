package authentik_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/internal/testkit"
	"github.com/seed-299d42e7/authentik-go/internal/testkit/recording"
)

// operations says which method of the library a recorded request goes
// through, by its HTTP method and path. Where there is none, it says why. The
// first line that fits counts.
var operations = []struct {
	method, path string // path is a regular expression
	door         string
	notTyped     string
}{
	{"GET", `/api/v3/flows/instances/`, "FlowsInstancesList", ""},
	{"GET", `/api/v3/flows/bindings/[^/]+/`, "BindingsRetrieve", ""},
	{"GET", `/api/v3/admin/version/`, "ServerVersion", ""},
	{"GET", `/api/v3/.*`, "Get", ""},
	{"GET", `/.*`, "", "not below /api/v3, where Get asks"},

	{"POST", `/api/v3/flows/instances/`, "", "flows_instances_create: a write, with a FlowRequest that is not modelled"},
	{"PUT", `/api/v3/flows/instances/[^/]+/`, "", "flows_instances_update: a write, with a FlowRequest that is not modelled"},
	{"PATCH", `/api/v3/flows/instances/[^/]+/`, "", "flows_instances_partial_update: a write, in which absent must differ from zero"},
	{"DELETE", `/api/v3/flows/instances/[^/]+/`, "", "flows_instances_destroy: a write"},
	{"POST", `/api/v3/flows/instances/cache_clear/`, "", "flows_instances_cache_clear_create: a write"},
	{"POST", `/api/v3/flows/instances/import(_flow)?/`, "", "flows_instances_import_create: a write, multipart, gone in 2026.5"},
	{"POST", `/api/v3/flows/instances/[^/]+/set_background/`, "", "flows_instances_set_background_create: a write, multipart, gone in 2025.12"},
	{"POST", `/api/v3/flows/instances/[^/]+/set_background_url/`, "", "flows_instances_set_background_url_create: a write, gone in 2025.12"},
	{"POST", `/api/v3/managed/blueprints/import/`, "", "managed_blueprints_import_create: a write, multipart, and of blueprints"},
	{"POST", `/api/v3/flows/bindings/`, "", "flows_bindings_create: a write, with a FlowStageBindingRequest that is not modelled"},
	{"PUT", `/api/v3/flows/bindings/[^/]+/`, "", "flows_bindings_update: a write, with a FlowStageBindingRequest that is not modelled"},
	{"PATCH", `/api/v3/flows/bindings/[^/]+/`, "", "flows_bindings_partial_update: a write, in which absent must differ from zero"},
	{"DELETE", `/api/v3/flows/bindings/[^/]+/`, "", "flows_bindings_destroy: a write"},
	{"POST", `/api/v3/flows/executor/[^/]+/`, "", "flows_executor_solve: belongs to a browser's session, not to a token"},

	{"HEAD", `/api/v3/flows/instances/`, "", "no operation of the schema: the list without its body"},
	{"OPTIONS", `/api/v3/flows/instances/`, "", "no operation of the schema: the list's description"},
	{"PATCH", `/api/v3/flows/instances/`, "", "no operation of the schema: a list has no PATCH"},
	{"POST", `/api/v3/flows/[^/]+/?`, "", "no operation of the schema: a wrong path"},
}

// door is how a recorded request goes through the library.
type door struct {
	op         string // the method; "" if there is none
	reason     string // why it is not the operation's own method
	path       string // of the request that reaches the server, below /api/v3/
	query      url.Values
	call       func(ctx context.Context, ak *authentik.Client, opt authentik.RequestOption) (any, error)
	untyped    bool // call decodes into any
	answerOnly bool // the request cannot be made, but its answer replayed
}

func doorOf(t *testing.T, r recording.Request) door {
	t.Helper()
	target, err := url.Parse(r.Target)
	require.NoError(t, err)
	query := target.Query()
	path := strings.TrimPrefix(target.EscapedPath(), "/api/v3/")
	for _, o := range operations {
		if o.method != r.Method || !regexp.MustCompile("^"+o.path+"$").MatchString(target.EscapedPath()) {
			continue
		}
		switch o.door {
		case "FlowsInstancesList":
			opts, wire, reason := optionsFor(query)
			if reason != "" {
				return getDoor(path, query, reason)
			}
			return door{op: o.door, path: path, query: wire, call: func(ctx context.Context, ak *authentik.Client, opt authentik.RequestOption) (any, error) {
				return ak.FlowsInstancesList(ctx, opts, opt)
			}}
		case "BindingsRetrieve":
			id, err := uuid.Parse(strings.TrimSuffix(strings.TrimPrefix(path, "flows/bindings/"), "/"))
			if err != nil || len(query) > 0 {
				return getDoor(path, query, "id is a UUID")
			}
			return door{op: o.door, path: "flows/bindings/" + id.String() + "/", query: query, call: func(ctx context.Context, ak *authentik.Client, opt authentik.RequestOption) (any, error) {
				return ak.BindingsRetrieve(ctx, id, opt)
			}}
		case "ServerVersion":
			return door{op: o.door, path: path, query: query, call: func(ctx context.Context, ak *authentik.Client, opt authentik.RequestOption) (any, error) {
				version, err := ak.ServerVersion(ctx, opt)
				return struct {
					Version string `json:"version_current"`
				}{version}, err
			}}
		case "Get":
			return getDoor(path, query, "")
		default:
			// Whatever was asked, an error answer is an error answer.
			d := getDoor("replayed/", nil, o.notTyped)
			d.answerOnly = true
			return d
		}
	}
	require.FailNow(t, "no rule for this recording", "%s %s: add a line to operations", r.Method, r.Target)
	return door{}
}

func getDoor(path string, query url.Values, reason string) door {
	return door{
		op: "Get", reason: reason, path: strings.TrimPrefix(strings.TrimSuffix(path, "/")+"/", "/"), query: query, untyped: true,
		call: func(ctx context.Context, ak *authentik.Client, opt authentik.RequestOption) (any, error) {
			var value any
			err := ak.Get(ctx, path, query, &value, opt)
			return value, err
		},
	}
}

// orderings are the permitted ones of FlowsInstancesListOptions.Ordering.
var orderings = []string{
	"pk", "policybindingmodel_ptr_id", "name", "slug", "title", "designation", "policy_engine_mode",
	"compatibility_mode", "layout", "denied_action", "authentication", "background",
}

// optionsFor are the options for a query and the query that they are to
// send, or the reason why the options cannot express it.
func optionsFor(query url.Values) (opts *authentik.FlowsInstancesListOptions, wire url.Values, reason string) {
	opts, wire = &authentik.FlowsInstancesListOptions{}, maps.Clone(query)
	for _, key := range slices.Sorted(maps.Keys(query)) {
		value := query.Get(key)
		switch {
		case len(query[key]) > 1:
			return nil, nil, "an option has one value"
		case value == "":
			return nil, nil, "an empty option is not sent"
		}
		if strings.Trim(value, " ,\x00") == "" {
			return nil, nil, "a blank option is refused"
		}
		number, _ := strconv.Atoi(value)
		switch key {
		case "flow_uuid":
			id, err := uuid.Parse(value)
			if err != nil {
				return nil, nil, "FlowUUID is a UUID"
			}
			opts.FlowUUID = id
			wire.Set(key, id.String())
		case "name":
			opts.Name = value
		case "slug":
			opts.Slug = value
		case "designation":
			opts.Designation = authentik.FlowDesignation(value)
		case "denied_action":
			opts.DeniedAction = authentik.FlowDeniedAction(value)
		case "search":
			opts.Search = value
		case "ordering":
			fields := strings.Split(strings.ReplaceAll(value, "-", ""), ",")
			for _, field := range fields {
				if !slices.Contains(orderings, field) {
					return nil, nil, "Ordering refuses what servers ignore and what loses flows"
				}
			}
			opts.Ordering = value
			if !slices.Contains(fields, "slug") {
				wire.Set(key, value+",slug")
			}
		case "page":
			opts.Page = number
		case "page_size":
			opts.PageSize = number
		default:
			return nil, nil, "there is no such option"
		}
		if strings.HasPrefix(key, "page") && strconv.Itoa(max(number, 1)) != value {
			return nil, nil, "Page and PageSize are numbers from 1"
		}
	}
	return opts, wire, ""
}

func TestEveryRecordedExchangeHasItsTypedOutcome(t *testing.T) {
	t.Parallel()
	counts := map[string]int{}
	for version, exchanges := range testkit.Recordings(t) {
		for _, e := range exchanges {
			counts["exchanges with "+version]++
			counts[wayOf(doorOf(t, e.Request), e.Response)]++
		}
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			for _, e := range exchanges {
				t.Run(e.ID, func(t *testing.T) {
					if d := doorOf(t, e.Request); !d.answerOnly || e.Response.Status >= 300 {
						replayed(t, d, e.Response)
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

// wayOf says what an exchange goes through, and why not through more.
func wayOf(d door, answer recording.Response) string {
	switch {
	case d.answerOnly && answer.Status < 300:
		return "not typed: " + d.reason
	case d.answerOnly:
		return "not typed, its error answer through Get: " + d.reason
	case d.reason != "":
		return "Get, because " + d.reason
	default:
		return d.op
	}
}

// replayed serves an answer to the request of a door, and checks what comes of it.
func replayed(t *testing.T, d door, answer recording.Response) {
	t.Helper()
	var asked []string
	ak := testkit.NewClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.URL.EscapedPath()+"?"+r.URL.Query().Encode())
		answer.ServeHTTP(w, r)
	}), authentik.WithRetry(authentik.RetryPolicy{MaxAttempts: 1, StartupWait: -1}))
	var response authentik.Response
	value, err := d.call(t.Context(), ak, authentik.WithResponse(&response))

	require.Equal(t, []string{"GET /api/v3/" + d.path + "?" + d.query.Encode()}, asked)
	answer = inflated(t, answer)
	body := answer.Body()
	assert.Equal(t, answer.Status, response.StatusCode)
	assert.Equal(t, answer.Header("X-Authentik-Id"), response.RequestID)
	assert.Equal(t, answer.Header("Content-Type"), response.Header.Get("Content-Type"))
	assert.Equal(t, 1, response.Attempts)
	assert.Equal(t, string(body), string(response.Body))

	switch isJSON := strings.HasPrefix(answer.Header("Content-Type"), "application/json"); {
	case answer.Status >= 300 || starting(answer):
		requireErrorOf(t, answer, err, d.op, "/sub/path/api/v3/"+d.path, 1)
	case answer.Status != http.StatusOK || !isJSON:
		requireDecodeErrorOf(t, answer, err)
		assert.Nil(t, value)
		assert.NoError(t, ak.Get(t.Context(), d.path, d.query, nil, authentik.WithResponse(&response)), "without decoding")
		assert.Equal(t, string(body), string(response.Body))
	case d.untyped:
		require.NoError(t, err)
		assert.Equal(t, parsed(t, body), value)
	default:
		require.NoError(t, err)
		assert.Empty(t, jsonDifferences(t, body, value))
	}
}

// inflated is an answer as net/http's transport hands it on: without the
// compression that it asked for itself.
func inflated(t *testing.T, answer recording.Response) recording.Response {
	t.Helper()
	body := io.Reader(bytes.NewReader(answer.Body()))
	if answer.Header("Content-Encoding") == "gzip" {
		var err error
		body, err = gzip.NewReader(body)
		require.NoError(t, err)
	}
	text, err := io.ReadAll(body)
	require.NoError(t, err)
	answer.Text, answer.BodyBase64 = string(text), ""
	return answer
}

func parsed(t *testing.T, body []byte) any {
	t.Helper()
	var value any
	require.NoError(t, json.Unmarshal(body, &value), "%.200s", body)
	return value
}

// omissions are the keys of a server's JSON that the models leave out on
// purpose. An array's index is not part of a path.
var omissions = []struct {
	path string // a regular expression
	only any    // the value with which it is left out; anything: any
	why  string
}{
	{`autocomplete`, anything, "serves the admin interface's search box: {} for flows"},
	{`results\.background_themed_urls`, nil, "is left out where it is nil, as by servers that do not have it"},
	{`(results|stage_obj\.flow_set)\.background_url`, "", "is left out where it is empty, as by servers that do not have it"},
	{`stage_obj\.flow_set\.(stages|policies|cache_count|authentication)`, anything, "comes up to 2022.9 only, where a flow set holds whole flows"},
	{`(build_hash|outdated|outpost_outdated|version_.*)`, anything, "is not what ServerVersion is for"},
}

var anything = new(any)

// jsonDifferences are those between a server's JSON and what the library made of
// it, marshaled: a key that is missing, one that is invented, another value.
func jsonDifferences(t *testing.T, body []byte, value any) []string {
	t.Helper()
	ours, err := json.Marshal(value)
	require.NoError(t, err)
	return compare("", parsed(t, body), parsed(t, ours))
}

var index = regexp.MustCompile(`\[\d+\]`)

func compare(path string, want, got any) (all []string) {
	switch want := want.(type) {
	case map[string]any:
		got, ok := got.(map[string]any)
		if !ok {
			break
		}
		for _, key := range slices.Sorted(maps.Keys(want)) {
			below := strings.TrimPrefix(path+"."+key, ".")
			if ours, ok := got[key]; ok {
				all = append(all, compare(below, want[key], ours)...)
			} else if !isOmission(index.ReplaceAllString(below, ""), want[key]) {
				all = append(all, fmt.Sprintf("%s is missing, want %v", below, want[key]))
			}
		}
		for key := range got {
			if _, ok := want[key]; !ok {
				all = append(all, fmt.Sprintf("%s.%s is invented: %v", path, key, got[key]))
			}
		}
		return all
	case []any:
		got, ok := got.([]any)
		if !ok || len(got) != len(want) {
			break
		}
		for i := range want {
			all = append(all, compare(fmt.Sprintf("%s[%d]", path, i), want[i], got[i])...)
		}
		return all
	}
	if !reflect.DeepEqual(want, got) {
		all = append(all, fmt.Sprintf("%s is %v, want %v", path, got, want))
	}
	return all
}

func isOmission(path string, value any) bool {
	for _, o := range omissions {
		if (o.only == anything || o.only == value) && regexp.MustCompile("^"+o.path+"$").MatchString(path) {
			return true
		}
	}
	return false
}

// jsonDifferences sees a field by its JSON key; this makes sure that it is that
// key's field.
func TestFieldsOfModelsAreNamedAfterTheKeysOfTheAPI(t *testing.T) {
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
			assert.Truef(t, strings.EqualFold(field.Name, strings.ReplaceAll(key, "_", "")), "%T.%s is %s", model, field.Name, key)
		}
	}
}

// starting reports whether the router says that its backend is coming back.
func starting(answer recording.Response) bool {
	text := strings.TrimSpace(answer.Text)
	var object struct{ Error string }
	if json.Unmarshal([]byte(text), &object) == nil {
		text = object.Error
	}
	return strings.HasPrefix(text, "authentik starting") || strings.HasPrefix(text, "failed to connect to authentik backend:")
}

// requireErrorOf checks an error against the answer that it is made of.
func requireErrorOf(t *testing.T, answer recording.Response, err error, op, path string, attempts int) {
	t.Helper()
	require.Error(t, err)
	detail, fields, nonField := serverSays(answer)
	switch answer.Status {
	case http.StatusBadRequest:
		e := testkit.RequireType[*authentik.ValidationError](t, err)
		assert.Equal(t, fields, e.Fields)
		assert.Equal(t, nonField, e.NonFieldErrors)
	case http.StatusUnauthorized, http.StatusForbidden:
		testkit.RequireType[*authentik.PermissionError](t, err)
	default:
		testkit.RequireType[*authentik.APIError](t, err)
	}
	var e *authentik.APIError
	require.ErrorAs(t, err, &e)
	if location := answer.Header("Location"); location != "" {
		location, _, _ = strings.Cut(location, "?")
		detail = "redirected to " + location + "; no redirect is followed: is the base URL right?"
	}
	seconds, _ := strconv.Atoi(answer.Header("Retry-After"))
	assert.Equal(t, authentik.APIError{
		Op: op, Method: "GET", Path: path,
		StatusCode: answer.Status, RequestID: answer.Header("X-Authentik-Id"), Detail: detail,
		RetryAfter: time.Duration(seconds) * time.Second, Attempts: attempts, Body: answer.Body()[:min(len(answer.Text), 64<<10)],
	}, exported(e))

	for _, s := range []struct {
		sentinel error
		want     bool
	}{
		{authentik.ErrBadRequest, answer.Status == http.StatusBadRequest},
		{authentik.ErrUnauthorized, answer.Status == http.StatusUnauthorized},
		{authentik.ErrForbidden, answer.Status == http.StatusForbidden},
		{authentik.ErrNotFound, answer.Status == http.StatusNotFound},
		{authentik.ErrRateLimited, answer.Status == http.StatusTooManyRequests},
		{authentik.ErrServer, answer.Status >= http.StatusInternalServerError},
		{authentik.ErrStarting, starting(answer)},
	} {
		assert.Equal(t, s.want, errors.Is(err, s.sentinel), "is %q", s.sentinel)
	}
	text := err.Error()
	assert.Regexp(t, `^authentik: `+op+`: `+strconv.Itoa(answer.Status)+` [^\n\r]* attempts?\)$`, text)
	for _, said := range append(slices.Concat(slices.Collect(maps.Values(fields))...), append(nonField, detail)...) {
		assert.True(t, strings.Contains(text, said) || strings.Contains(text, "…"), "%q has %q", text, said)
	}
}

// exported is an error without what only its text is made of.
func exported(e *authentik.APIError) authentik.APIError {
	return authentik.APIError{
		Op: e.Op, Method: e.Method, Path: e.Path, StatusCode: e.StatusCode, RequestID: e.RequestID,
		Detail: e.Detail, RetryAfter: e.RetryAfter, Attempts: e.Attempts, Body: e.Body,
	}
}

// serverSays is what the body of an error says: the strings of its JSON by
// their paths, or else a text.
func serverSays(answer recording.Response) (detail string, fields map[string][]string, nonField []string) {
	var value any
	if json.Unmarshal(answer.Body(), &value) != nil {
		kind := answer.Header("Content-Type")
		if (kind == "" || strings.HasPrefix(kind, "text/plain")) && len(answer.Text) <= 512 {
			detail = strings.TrimSpace(answer.Text)
		}
		return detail, nil, nil
	}
	if object, ok := value.(map[string]any); ok {
		for _, key := range []string{"error", "detail"} { // detail wins
			if text, ok := object[key].(string); ok {
				detail = text
				delete(object, key)
			}
		}
	}
	said := map[string][]string{}
	var collect func(path string, value any)
	collect = func(path string, value any) {
		switch value := value.(type) {
		case string:
			said[path] = append(said[path], value)
		case []any:
			for i, element := range value {
				if _, text := element.(string); text {
					collect(path, element)
				} else {
					collect(fmt.Sprintf("%s[%d]", path, i), element)
				}
			}
		case map[string]any:
			for key, element := range value {
				collect(strings.TrimPrefix(path+"."+key, "."), element)
			}
		}
	}
	collect("", value)
	nonField = slices.Concat(said["non_field_errors"], said[""])
	delete(said, "non_field_errors")
	delete(said, "")
	if len(said) > 0 {
		fields = said
	}
	return detail, fields, nonField
}

func requireDecodeErrorOf(t *testing.T, answer recording.Response, err error) {
	t.Helper()
	e := testkit.RequireType[*authentik.DecodeError](t, err)
	assert.Equal(t, answer.Status, e.StatusCode)
	assert.Equal(t, answer.Header("X-Authentik-Id"), e.RequestID)
	assert.Equal(t, answer.Header("Content-Type"), e.ContentType)
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
		if e.Request.Method != http.MethodGet || target.Path != "/api/v3/flows/instances/" || e.Response.Status != http.StatusOK || err != nil {
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
			last = max(last, rawPage(t, page.Body()).Pagination.TotalPages)
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

// page is a list as net/http and encoding/json see it, without the library.
type page struct {
	Pagination struct {
		Next, Count int
		TotalPages  int `json:"total_pages"`
	}
	Results []map[string]any
}

func rawPage(t *testing.T, body []byte) page {
	t.Helper()
	var p page
	require.NoError(t, json.Unmarshal(body, &p))
	return p
}

// walked is what a walk over pages is to deliver, and whether they show that
// the list changed: in a row that comes again, or in a count that moves or
// is not reached. It ends with the page that shows it.
func walked(pages []page) (rows []any, changed bool) {
	seen := map[any]bool{}
	for i, p := range pages {
		for _, row := range p.Results {
			if seen[row["pk"]] {
				changed = true
				continue
			}
			seen[row["pk"]] = true
			rows = append(rows, row)
		}
		changed = changed || p.Pagination.Count != pages[0].Pagination.Count
		if changed {
			return rows, true
		}
		if i == len(pages)-1 {
			return rows, len(rows) != p.Pagination.Count
		}
	}
	return rows, changed
}

// walk is a way to walk a list.
type walk func(context.Context, *authentik.Client, *authentik.FlowsInstancesListOptions) ([]authentik.Flow, error)

var walks = map[string]walk{
	"All": func(ctx context.Context, ak *authentik.Client, opts *authentik.FlowsInstancesListOptions) ([]authentik.Flow, error) {
		return authentik.Collect(ak.FlowsInstancesAll(ctx, opts))
	},
	"All with prefetch": func(ctx context.Context, ak *authentik.Client, opts *authentik.FlowsInstancesListOptions) ([]authentik.Flow, error) {
		return authentik.Collect(ak.FlowsInstancesAll(ctx, opts, authentik.WithPrefetch(2)))
	},
	"Pages": func(ctx context.Context, ak *authentik.Client, opts *authentik.FlowsInstancesListOptions) (flows []authentik.Flow, err error) {
		pages, err := authentik.Collect(ak.FlowsInstancesPages(ctx, opts))
		for _, p := range pages {
			flows = append(flows, p.Results...)
		}
		return flows, err
	},
}

func TestRecordedWalksDeliverEveryFlowOnceOrTellThatTheListChanged(t *testing.T) {
	t.Parallel()
	for version, exchanges := range testkit.Recordings(t) {
		lists := series(t, exchanges)
		require.NotEmpty(t, lists, "%s has no list of several pages", version)
		for query, answers := range lists {
			for way, walk := range walks {
				t.Run(version+"/"+query+"/"+way, func(t *testing.T) {
					t.Parallel()
					values, err := url.ParseQuery(query)
					require.NoError(t, err)
					opts, wire, reason := optionsFor(values)
					if reason != "" { // such as an ordering that is refused: its pages are answered all the same
						opts, wire = nil, url.Values{}
					}
					if wire.Get("page_size") == "" {
						wire.Set("page_size", "100") // a walk's own
					}
					var mu sync.Mutex
					asked := map[string]int{}
					ak := testkit.NewClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						query := r.URL.Query()
						mu.Lock()
						asked[query.Get("page")]++
						mu.Unlock()
						number, _ := strconv.Atoi(query.Get("page"))
						query.Del("page")
						assert.Equal(t, wire, query)
						answers[number-1].ServeHTTP(w, r)
					}))
					var pages []page
					for _, answer := range answers {
						pages = append(pages, rawPage(t, answer.Body()))
					}
					rows, changed := walked(pages)
					want, err := json.Marshal(map[string]any{"results": rows})
					require.NoError(t, err)

					flows, err := walk(t.Context(), ak, opts)

					assert.Empty(t, jsonDifferences(t, want, map[string]any{"results": flows}))
					for number, times := range asked {
						assert.Equal(t, 1, times, "requests for page %s", number)
					}
					if changed {
						assert.ErrorIs(t, err, authentik.ErrListChanged)
						return
					}
					assert.NoError(t, err)
					assert.Len(t, asked, len(answers))
				})
			}
		}
	}
}
