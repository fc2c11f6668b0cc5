package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/authentiktest"
	"github.com/seed-299d42e7/authentik-go/examples/internal/cli"
	"github.com/seed-299d42e7/authentik-go/examples/internal/clitest"
)

var program clitest.Program = run

func TestTheDemoPrintsWhatLiesBesideIt(t *testing.T) {
	t.Parallel()
	program.Golden(t)
}

// rowsOf are the cells of the flows of a server, by slug.
func rowsOf(srv *authentiktest.Server, include func(authentik.Flow) bool) [][]string {
	var rows [][]string
	for _, f := range srv.Flows() {
		if include == nil || include(f) {
			rows = append(rows, []string{
				f.Slug, string(f.Designation), string(f.Authentication), string(f.Layout),
				strconv.Itoa(len(f.Stages)), f.Title,
			})
		}
	}
	slices.SortFunc(rows, func(a, b []string) int { return strings.Compare(a[0], b[0]) })
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

func TestTheTableHasEveryFlowOfAFreshServer(t *testing.T) {
	t.Parallel()
	got := program.Demo(t)
	require.Equal(t, cli.OK, got.Code, got.Stderr)
	assert.Equal(t, rowsOf(authentiktest.NewServer(t), nil), tableOf(t, got.Stdout))
	assert.Contains(t, got.Stderr, "AUTHENTIK_URL", "how to ask one's own server")
}

func TestFlagsSayWhatIsListed(t *testing.T) {
	t.Parallel()
	srv := authentiktest.NewServer(t)
	srv.AddFlows(250)
	reversed := rowsOf(srv, nil)
	slices.Reverse(reversed)
	byDesignation := rowsOf(srv, nil)
	slices.SortStableFunc(byDesignation, func(a, b []string) int { return strings.Compare(a[1], b[1]) })
	for name, c := range map[string]struct {
		args []string
		want [][]string
	}{
		"all":             {nil, rowsOf(srv, nil)},
		"in pages":        {[]string{"-page-size", "7"}, rowsOf(srv, nil)},
		"in pages, ahead": {[]string{"-page-size", "7", "-prefetch", "3"}, rowsOf(srv, nil)},
		"of a designation": {[]string{"-designation", "recovery"}, rowsOf(srv, func(f authentik.Flow) bool {
			return f.Designation == authentik.FlowDesignationRecovery
		})},
		"found": {[]string{"-search", "default totp"}, rowsOf(srv, func(f authentik.Flow) bool {
			return strings.Contains(f.Slug, "totp")
		})},
		"none":               {[]string{"-search", "no-such-flow"}, nil},
		"the other way":      {[]string{"-ordering", "-slug"}, reversed},
		"in order, by pages": {[]string{"-ordering", "designation", "-page-size", "20"}, byDesignation},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := program.Server(t, srv, c.args...)
			require.Equal(t, cli.OK, got.Code, got.Stderr)
			assert.Empty(t, got.Stderr, "it is not the demo, and no terminal")
			assert.Equal(t, c.want, tableOf(t, got.Stdout))
		})
	}
}

func TestFlagsReachTheServer(t *testing.T) {
	t.Parallel()
	srv := authentiktest.NewServer(t)
	got := program.Server(t, srv, "-designation", "recovery", "-search", "a b", "-ordering", "-title",
		"-page-size", "30", "-prefetch", "3")
	require.Equal(t, cli.OK, got.Code, got.Stderr)
	requests := srv.Requests()
	require.Len(t, requests, 1)
	assert.Equal(t, url.Values{
		"designation": {"recovery"}, "search": {"a b"}, "ordering": {"-title,slug"}, "page_size": {"30"}, "page": {"1"},
	}, requests[0].Query)
}

func TestJSONLinesAreWhatTheServerSends(t *testing.T) {
	t.Parallel()
	srv := authentiktest.NewServer(t)
	srv.AddFlow(authentik.Flow{Slug: "a", Title: "<&>\u2028"})
	var sent authentik.Page[map[string]any]
	require.NoError(t, srv.Client().Get(t.Context(), "flows/instances/", nil, &sent))

	got := program.Server(t, srv, "-json", "-page-size", "4")

	require.Equal(t, cli.OK, got.Code, got.Stderr)
	var flows []map[string]any
	for line := range strings.Lines(got.Stdout) {
		var flow map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &flow), line)
		flows = append(flows, flow)
	}
	for _, flow := range sent.Results {
		delete(flow, "background_themed_urls") // null and absent are the same to a Flow
	}
	assert.Equal(t, sent.Results, flows)
	assert.Contains(t, got.Stdout, `"title":"<&>`, "it is for people, too")
}

func TestCSVHasAHeadingAndARowForEachFlow(t *testing.T) {
	t.Parallel()
	srv := authentiktest.NewServer(t)
	srv.AddFlow(authentik.Flow{Slug: "a", Title: "commas, \"quotes\"\nand lines"})
	got := program.Server(t, srv, "-csv", "-page-size", "5")
	require.Equal(t, cli.OK, got.Code, got.Stderr)
	rows, err := csv.NewReader(strings.NewReader(got.Stdout)).ReadAll()
	require.NoError(t, err)
	assert.Equal(t, []string{"slug", "designation", "authentication", "layout", "stages", "title"}, rows[0])
	assert.Equal(t, rowsOf(srv, nil), rows[1:])
}

func TestRefusedArgumentsExitWith2(t *testing.T) {
	t.Parallel()
	const op = "authentik: FlowsInstancesPages: "
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"page size": {[]string{"-page-size", "-1"}, op + "PageSize: must not be negative\n"},
		"prefetch":  {[]string{"-prefetch", "-1"}, op + "WithPrefetch: must not be negative\n"},
		"ordering": {[]string{"-ordering", "stages"}, op + "Ordering: cannot order by \"stages\"; use pk, " +
			"policybindingmodel_ptr_id, name, slug, title, designation, policy_engine_mode, compatibility_mode, " +
			"layout, denied_action, authentication, background\n"},
		"search": {[]string{"-search", " , "}, op + "Search: must not be blank " +
			"(authentik would ignore the filter and list everything)\n"},
		"no number": {[]string{"-page-size", "many"}, "wrong arguments: " +
			"invalid value \"many\" for flag -page-size: parse error\n"},
		"an unknown flag":   {[]string{"-slug", "x"}, "wrong arguments: flag provided but not defined: -slug\n"},
		"an argument":       {[]string{"x"}, "wrong arguments: 1 of them, besides flags at most 0\n"},
		"two kinds at once": {[]string{"-json", "-csv"}, "wrong arguments: -json and -csv exclude each other\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := authentiktest.NewServer(t)
			got := program.Server(t, srv, c.args...)
			assert.Equal(t, clitest.Result{Code: cli.Refused, Stderr: c.want}, got)
			assert.Empty(t, srv.Requests())
		})
	}
}

func TestAServersErrorIsToldWithWhatToDoAndExitsWith1(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(srv *authentiktest.Server) (token string)
		args  []string
		want  string
		hint  string
	}{
		"a bad token": {
			func(*authentiktest.Server) string { return "of-another-server" }, nil,
			"403 Forbidden: Token invalid/expired", "rejects the token",
		},
		"a missing permission": {
			func(srv *authentiktest.Server) string { return srv.AddUser() }, nil,
			"403 Forbidden: You do not have permission", "The token is valid",
		},
		"a filter it refuses": {
			nil,
			[]string{"-designation", "foo"},
			"designation: Select a valid choice", "Change the value of designation.",
		},
		"a page to log in": {
			func(srv *authentiktest.Server) string { srv.HTMLPage(1); return srv.Token }, nil,
			"an HTML page", "not of a login page in front of it",
		},
		"another API": {
			func(srv *authentiktest.Server) string {
				srv.FailNext(1, http.StatusNotFound, `{"detail":"Not found."}`, nil)
				return srv.Token
			}, nil,
			"404 Not Found", "There is no such object",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := authentiktest.NewServer(t)
			token := srv.Token
			if c.spoil != nil {
				token = c.spoil(srv)
			}
			got := program.Env(t.Context(), t, clitest.Vars(srv.URL, token), c.args...)
			assert.Equal(t, cli.Failed, got.Code)
			assert.Empty(t, got.Stdout)
			said, hint, _ := strings.Cut(got.Stderr, "\n")
			assert.Contains(t, said, "authentik: FlowsInstancesPages: ")
			assert.Contains(t, said, c.want)
			assert.Contains(t, hint, c.hint)
		})
	}
}

func TestAListThatChangesMeanwhileIsPrintedAndTold(t *testing.T) {
	t.Parallel()
	srv := authentiktest.NewServer(t)
	srv.ChangeListAfterPage(1, func() { srv.AddFlow(authentik.Flow{Slug: "zzz"}) })
	got := program.Server(t, srv, "-page-size", "10")
	assert.Equal(t, cli.Failed, got.Code)
	assert.Equal(t, rowsOf(srv, nil), tableOf(t, got.Stdout))
	assert.Contains(t, got.Stderr, "the list changed during the iteration")
	assert.Contains(t, got.Stderr, "Run it again.")
}

func TestCtrlCEndsAWalkAfterWhatItHas(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{"table": nil, "ahead": {"-prefetch", "2"}, "csv": {"-csv"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, interrupt := context.WithCancel(t.Context())
			fake := authentiktest.NewServer(t)
			hanging := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Query().Get("page") == "1" {
					fake.ServeHTTP(w, r)
					return
				}
				interrupt()
				<-r.Context().Done()
			}))
			t.Cleanup(hanging.Close)
			got := program.Env(ctx, t, clitest.Vars(hanging.URL, fake.Token), append(args, "-page-size", "5")...)
			assert.Equal(t, cli.Interrupted, got.Code)
			assert.Equal(t, "interrupted\n", got.Stderr)
			assert.Equal(t, 1+5, strings.Count(got.Stdout, "\n"), "a heading and the first page")
		})
	}
}

func TestATitleCannotMoveColumnsOrTheCursor(t *testing.T) {
	t.Parallel()
	srv := authentiktest.NewServer(t, authentiktest.Empty())
	srv.AddFlow(authentik.Flow{Slug: "a", Title: "a\tb\u001b[31m\nc"})
	got := program.Server(t, srv)
	require.Equal(t, cli.OK, got.Code, got.Stderr)
	assert.Equal(t, "a·b·[31m·c", tableOf(t, got.Stdout)[0][5])
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
