package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go/examples/internal/cli"
	"github.com/seed-299d42e7/authentik-go/examples/internal/clitest"
)

var program clitest.Program = run

// rowsOf are the cells of recorded flows.
func rowsOf(t *testing.T, id string) [][]string {
	t.Helper()
	var rows [][]string
	for _, flow := range clitest.Results(t, id) {
		var row []string
		for _, key := range []string{"slug", "designation", "authentication", "layout"} {
			row = append(row, flow[key].(string))
		}
		stages, err := json.Marshal(len(flow["stages"].([]any)))
		require.NoError(t, err)
		rows = append(rows, append(row, string(stages), flow["title"].(string)))
	}
	return rows
}

// tableOf are the cells of a table that was printed, without its heading.
func tableOf(t *testing.T, stdout string) [][]string {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(stdout, "\n"), "\n")
	require.Equal(t, "SLUG DESIGNATION AUTHENTICATION LAYOUT STAGES TITLE", strings.Join(strings.Fields(lines[0]), " "))
	var rows [][]string
	for _, line := range lines[1:] {
		rows = append(rows, regexp.MustCompile(` {2,}`).Split(line, -1))
	}
	return rows
}

func TestTheTableHasEveryFlowOfTheRecordedServer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args      []string
		recording string
	}{
		"all":                      {nil, "list"},
		"in pages":                 {[]string{"-page-size", "5"}, "list"},
		"in pages, ahead":          {[]string{"-page-size", "5", "-prefetch", "2"}, "list"},
		"of a designation":         {[]string{"-designation", "authentication"}, "list_designation_authentication"},
		"found":                    {[]string{"-search", "default totp"}, "list_search_two_terms"},
		"the other way round":      {[]string{"-ordering", "-slug"}, "list_ordering_-slug"},
		"by designation, and slug": {[]string{"-ordering", "designation,-slug"}, "list_ordering_designation+-slug"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := program.Demo(t, c.args...)
			require.Equal(t, cli.OK, got.Code, got.Stderr)
			assert.Equal(t, rowsOf(t, c.recording), tableOf(t, got.Stdout))
			assert.Contains(t, got.Stderr, "AUTHENTIK_URL", "how to ask one's own server")
		})
	}
}

func TestNoFlowIsAnEmptyTable(t *testing.T) {
	t.Parallel()
	got := program.Demo(t, "-designation", "recovery")
	assert.Equal(t, cli.OK, got.Code, got.Stderr)
	assert.Empty(t, tableOf(t, got.Stdout))
}

func TestJSONLinesAreWhatTheServerSent(t *testing.T) {
	t.Parallel()
	got := program.Demo(t, "-json")
	require.Equal(t, cli.OK, got.Code, got.Stderr)
	var flows []map[string]any
	for line := range strings.Lines(got.Stdout) {
		var flow map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &flow), line)
		flows = append(flows, flow)
	}
	assert.Equal(t, clitest.Results(t, "list"), flows)
}

func TestCSVHasAHeadingAndARowForEachFlow(t *testing.T) {
	t.Parallel()
	got := program.Demo(t, "-csv", "-page-size", "5")
	require.Equal(t, cli.OK, got.Code, got.Stderr)
	rows, err := csv.NewReader(strings.NewReader(got.Stdout)).ReadAll()
	require.NoError(t, err)
	assert.Equal(t, []string{"slug", "designation", "authentication", "layout", "stages", "title"}, rows[0])
	assert.Equal(t, rowsOf(t, "list"), rows[1:])
}

func TestFlagsReachTheServer(t *testing.T) {
	t.Parallel()
	var asked []url.Values
	list := clitest.Recorded(t, "list")
	server := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "Bearer "+clitest.Token, r.Header.Get("Authorization"))
		asked = append(asked, r.URL.Query())
		list.ServeHTTP(w, r)
	})
	got := program.Server(t.Context(), t, server,
		"-designation", "recovery", "-search", "a b", "-ordering", "-title", "-page-size", "30", "-prefetch", "3")
	assert.Equal(t, cli.OK, got.Code, got.Stderr)
	assert.Empty(t, got.Stderr, "it is not the demo, and no terminal")
	assert.Equal(t, []url.Values{{
		"designation": {"recovery"}, "search": {"a b"}, "ordering": {"-title,slug"}, "page_size": {"30"}, "page": {"1"},
	}}, asked)
}

func TestRefusedArgumentsExitWith2(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"page size":         {[]string{"-page-size", "-1"}, "authentik: FlowsInstancesPages: PageSize: it is negative\n"},
		"prefetch":          {[]string{"-prefetch", "-1"}, "authentik: FlowsInstancesPages: WithPrefetch: it is negative\n"},
		"ordering":          {[]string{"-ordering", "stages"}, "authentik: FlowsInstancesPages: Ordering: by stages or policies, servers repeat some flows and omit others\n"},
		"search":            {[]string{"-search", " , "}, "authentik: FlowsInstancesPages: Search: it is blank: servers ignore it, and list every flow\n"},
		"no number":         {[]string{"-page-size", "many"}, `wrong arguments: invalid value "many" for flag -page-size: parse error` + "\n"},
		"an unknown flag":   {[]string{"-slug", "x"}, "wrong arguments: flag provided but not defined: -slug\n"},
		"an argument":       {[]string{"x"}, "wrong arguments: 1 of them, besides flags at most 0\n"},
		"two kinds at once": {[]string{"-json", "-csv"}, "wrong arguments: -json and -csv exclude each other\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { assert.Fail(t, "a request", r.URL) })
			got := program.Server(t.Context(), t, server, c.args...)
			assert.Equal(t, clitest.Result{Code: cli.Refused, Stderr: c.want}, got)
		})
	}
}

func TestAServersErrorIsToldWithWhatToDoAndExitsWith1(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		list, version string // recordings
		want          string
		hint          string
	}{
		"a bad token":            {"list_as_bogus", "list_as_bogus", "403 Forbidden", "does not accept the token"},
		"a missing permission":   {"list_as_limited", "admin_version", "403 Forbidden", "The token is good"},
		"a filter it refuses":    {"list_designation_foo", "", "designation: Select a valid choice", "Change the value of designation."},
		"not authentik":          {"list_no_slash", "", "404 Not Found", "no such object"},
		"not authentik, but 200": {"export_default-source-enrollment", "", "not JSON", "Is AUTHENTIK_URL the root"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mux := http.NewServeMux()
			mux.Handle("/api/v3/flows/instances/{$}", clitest.Recorded(t, c.list))
			if c.version != "" {
				mux.Handle("/api/v3/admin/version/{$}", clitest.Recorded(t, c.version))
			}
			got := program.Server(t.Context(), t, mux)
			assert.Equal(t, cli.Failed, got.Code)
			assert.Empty(t, got.Stdout)
			said, hint, _ := strings.Cut(got.Stderr, "\n")
			assert.Contains(t, said, "authentik: FlowsInstancesPages: ")
			assert.Contains(t, said, c.want)
			assert.Contains(t, hint, c.hint)
		})
	}
}

func TestCtrlCEndsAWalkAfterWhatItHas(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{"table": nil, "ahead": {"-prefetch", "2"}, "csv": {"-csv"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, interrupt := context.WithCancel(t.Context())
			first := clitest.Recorded(t, "list_p1_of_3")
			server := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Query().Get("page") == "1" {
					first.ServeHTTP(w, r)
					return
				}
				interrupt()
				<-r.Context().Done()
			})
			got := program.Server(ctx, t, server, append(args, "-page-size", "5")...)
			assert.Equal(t, cli.Interrupted, got.Code)
			assert.Equal(t, "interrupted\n", got.Stderr)
			assert.Equal(t, 1+len(clitest.Results(t, "list_p1_of_3")), strings.Count(got.Stdout, "\n"))
		})
	}
}

func TestATitleCannotMoveColumnsOrTheCursor(t *testing.T) {
	t.Parallel()
	list := clitest.Recorded(t, "list_slug")
	list.Text = strings.Replace(list.Text, `"title":"`, `"title":"a\tb\u001b[31m\nc `, 1)
	list.Headers = [][2]string{{"Content-Type", "application/json"}}
	got := program.Server(t.Context(), t, list)
	require.Equal(t, cli.OK, got.Code, got.Stderr)
	assert.Contains(t, got.Stdout, "a·b·[31m·c ")
	assert.Equal(t, 2, strings.Count(got.Stdout, "\n"))
	assert.NotContains(t, got.Stdout, "\x1b")
}

// full is a disk with no room left.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestOutputThatCannotBeWrittenIsAnError(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{nil, {"-csv"}, {"-json"}} {
		var stderr strings.Builder
		code := run(t.Context(), cli.Env{
			Args: args, Getenv: func(string) string { return "" }, Stdout: full{}, Stderr: &stderr,
		})
		assert.Equal(t, cli.Failed, code, args)
		assert.Contains(t, stderr.String(), "no space left\n", args)
	}
}
