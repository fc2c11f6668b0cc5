package authentiktest_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/authentiktest"
	"github.com/seed-299d42e7/authentik-go/internal/testkit/recording"
)

type exception struct {
	id, versions *regexp.Regexp
	reason       string
}

// exceptions are the recorded GETs that the fake answers otherwise, and why.
// One that has become equal fails the test, so that this list only shrinks.
var exceptions = []exception{
	{whole("used_by_.*|diagram_.*|export_.*|execute_api|stages_all_types|executor_.*|inspector"), whole(".*"), "an operation that the fake does not know: it says so with status 501"},
	{whole("walk_by_designation_p[12]"), whole("20(21|23|24|25|26).*"), "equals come in the order in which they are stored, and no recording shows that of a grown install"},
	{whole("walk_by_stages_p[12]"), whole(".*"), "equals come in the order in which they are stored, and no recording shows that of a grown install"},
	{whole("bindings_list_p1"), whole("2023.10.7"), "equals come in the order in which they are stored, and no recording shows that of bindings"},
	{whole("list_ordering_policies"), whole("2022.12.2|2023.10.7|2024.10.0|2025.10.0-rc1|2026.8.0-rc1"), "a join's equals come in an order of the query planner's"},
	{whole("list_ordering_stages"), whole("2025.10.0-rc1|2025.12.0-rc1"), "a join's equals come in an order of the query planner's"},
	{whole("list_designation_stage_configuration"), whole("2023.10.7"), "the stages of a flow have no order, and had another one in this answer"},
	{whole("stages_all_list"), whole("2025.10.0-rc1"), "the flow_set of a stage has no order, and had another one in this answer"},
	{whole("binding_retrieve_created"), whole("2023.10.7|2024.10.0|2025.12.0-rc1|2026.8.0-rc1"), "the flow_set of a stage has no order, and had another one in this answer"},
	{whole("cache_info"), whole("2021.12.5|2023.10.7"), "execute_api had put a plan in the cache, which the fake cannot execute"},
}

// TestReplay asks the fake what seven real servers were asked, and compares:
// status, the header fields that say something, and the body byte by byte,
// with identifiers and signatures replaced by the order of their appearance.
func TestReplay(t *testing.T) {
	t.Parallel()
	total, equal := 0, 0
	excepted := map[string]int{}
	for version, exchanges := range recordings(t) {
		ids := map[string]recording.Exchange{}
		for _, e := range exchanges {
			ids[e.ID] = e
		}
		servers, tokens := make([]*authentiktest.Server, len(phases)), make([]map[string]string, len(phases))
		for i, phase := range phases {
			servers[i] = authentiktest.RoundTripper(t, authentiktest.Version(version))
			load(t, servers[i], ids, phase.from...)
			tokens[i] = people(servers[i], version)
		}
		for _, e := range exchanges {
			if e.Request.Method != http.MethodGet {
				continue
			}
			phase := slices.IndexFunc(phases, func(p phase) bool { return p.of.MatchString(e.ID) })
			srv := servers[phase]
			if strings.HasPrefix(e.ID, "starting_") {
				srv.Starting(1)
			}
			if strings.HasPrefix(e.ID, "crash_") {
				srv.Crashed(2)
				if !strings.Contains(e.Response.Text, "reset by peer") { // not the request that was under way
					_ = srv.Client(authentik.WithRetry(authentik.RetryPolicy{MaxAttempts: 1})).Get(t.Context(), "", nil, nil)
				}
			}
			total++
			difference := differs(t, srv, tokens[phase], e)
			srv.ClearFaults()
			i := slices.IndexFunc(exceptions, func(x exception) bool {
				return x.id.MatchString(e.ID) && x.versions.MatchString(version)
			})
			switch {
			case difference == "":
				equal++
				assert.Negative(t, i, "%s of %s is no exception any more", e.ID, version)
			case i >= 0:
				excepted[exceptions[i].reason]++
			default:
				assert.Fail(t, "not what the server answered", "%s of %s: GET %s\n%s", e.ID, version, e.Request.Target, difference)
			}
		}
	}
	t.Logf("%d recorded GETs: %d answered equally, %d are exceptions", total, equal, total-equal)
	for _, reason := range slices.Sorted(maps.Keys(excepted)) {
		t.Logf("%4d %s", excepted[reason], reason)
	}
}

func whole(pattern string) *regexp.Regexp { return regexp.MustCompile("^(?:" + pattern + ")$") }

// phase is what a server had been given beside what it shipped, when the
// recordings of that name were made: what other recordings show.
type phase struct {
	of   *regexp.Regexp
	from []string
}

var phases = []phase{
	{whole("walk_.*"), []string{"walk_100_p1", "walk_100_p2"}},
	{whole("retrieve_after_background"), []string{"retrieve_after_background"}},
	{whole("binding_retrieve_created"), []string{"retrieve_created", "binding_create"}},
	{whole(".*_created"), []string{"retrieve_created"}},
	{whole(".*"), nil},
}

// load adds objects from recorded answers.
func load(t *testing.T, srv *authentiktest.Server, ids map[string]recording.Exchange, from ...string) {
	t.Helper()
	var has []string
	for _, flow := range srv.Flows() {
		has = append(has, flow.Slug)
	}
	for _, id := range from {
		var body struct {
			Results []authentik.Flow
			Target  uuid.UUID
		}
		if ids[id].ID == "" {
			continue // internal/cmd/record makes none of what needs more than a fresh install
		}
		raw := ids[id].Response.Body()
		require.NoError(t, json.Unmarshal(raw, &body))
		if body.Target != uuid.Nil {
			var binding authentik.FlowStageBinding
			require.NoError(t, json.Unmarshal(raw, &binding))
			srv.AddBinding(binding)
			continue
		}
		if body.Results == nil {
			body.Results = make([]authentik.Flow, 1)
			require.NoError(t, json.Unmarshal(raw, &body.Results[0]))
		}
		for _, flow := range body.Results {
			if slices.Contains(has, flow.Slug) {
				srv.UpdateFlow(flow.Slug, func(f *authentik.Flow) { *f = flow })
			} else {
				srv.AddFlow(flow)
			}
		}
	}
}

// people are the users of the recordings: their tokens by name.
func people(srv *authentiktest.Server, version string) map[string]string {
	tokens := map[string]string{
		"admin": srv.Token, "viewer": srv.AddUser("authentik_flows.view_flow"), "limited": srv.AddUser(), "inactive": srv.AddUser(),
	}
	if version > "2023" {
		srv.RotateToken(tokens["inactive"]) // before, it was as good as one without permissions
	}
	return tokens
}

var compared = []string{"Content-Type", "Allow", "Content-Language", "Location", "Retry-After", "Referrer-Policy", "X-Content-Type-Options"}

func differs(t *testing.T, srv *authentiktest.Server, tokens map[string]string, e recording.Exchange) string {
	t.Helper()
	target, err := url.Parse(srv.URL + e.Request.Target)
	require.NoError(t, err)
	req := (&http.Request{Method: http.MethodGet, URL: target, Header: http.Header{}}).WithContext(t.Context())
	for _, h := range e.Request.Headers {
		req.Header.Add(h[0], h[1])
	}
	if as := e.Request.As(); tokens[as] != "" {
		req.Header.Set("Authorization", "Bearer "+tokens[as])
	}
	resp, err := srv.RoundTrip(req)
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())

	want := e.Response
	if want.Status != resp.StatusCode {
		return fmt.Sprintf("status %d, recorded %d", resp.StatusCode, want.Status)
	}
	for _, key := range compared {
		if got := resp.Header.Get(key); got != want.Header(key) {
			return fmt.Sprintf("%s is %q, recorded %q", key, got, want.Header(key))
		}
	}
	if got := resp.Header.Get("X-Authentik-Id"); (got != "") != (want.Header("X-Authentik-Id") != "") {
		return fmt.Sprintf("X-Authentik-Id is %q", got)
	}
	ours, theirs := string(body), string(plain(t, want))
	if ours != theirs {
		ours, theirs = normal(ours), normal(theirs)
	}
	if ours == theirs {
		return ""
	}
	at := 0
	for at < min(len(ours), len(theirs)) && ours[at] == theirs[at] {
		at++
	}
	return fmt.Sprintf("body at %d: %.200q\nrecorded: %.200q", at, ours[max(0, at-40):], theirs[max(0, at-40):])
}

func plain(t *testing.T, r recording.Response) []byte {
	t.Helper()
	body := r.Body()
	if r.Header("Content-Encoding") == "gzip" {
		reader, err := gzip.NewReader(bytes.NewReader(body))
		require.NoError(t, err)
		body, err = io.ReadAll(reader)
		require.NoError(t, err)
	}
	return body
}

var named = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|token=[\w.-]+`)

// normal numbers what has a new name on each server.
func normal(body string) string {
	names := map[string]string{}
	return strings.TrimSpace(named.ReplaceAllStringFunc(body, func(name string) string {
		if names[name] == "" {
			names[name] = fmt.Sprintf("#%d", len(names))
		}
		return names[name]
	}))
}
