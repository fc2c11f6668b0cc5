package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
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

// provision runs the program against a server.
func provision(t *testing.T, srv *authentiktest.Server, args ...string) clitest.Result {
	t.Helper()
	return program.Input(t.Context(), t, srv.URL, srv.Token, "", args...)
}

// writes returns the requests that changed a server, or were to change it.
func writes(srv *authentiktest.Server) (all []string) {
	for _, r := range srv.Requests() {
		if r.Method != http.MethodGet {
			all = append(all, r.Method+" "+r.Operation)
		}
	}
	return all
}

// written puts a file where the program can read it.
func written(t *testing.T, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "flows.json")
	require.NoError(t, os.WriteFile(name, []byte(content), 0o600))
	return name
}

// stagesOf returns the stages of a flow in their order, as "10 name".
func stagesOf(t *testing.T, srv *authentiktest.Server, slug string) (stages []string) {
	t.Helper()
	client := srv.Client()
	defer client.Close()
	f, err := client.FlowsInstancesRetrieve(t.Context(), slug)
	require.NoError(t, err)
	bindings, err := authentik.Snapshot(client.BindingsAll(t.Context(), &authentik.BindingsListOptions{Target: f.PK}))
	require.NoError(t, err)
	for _, b := range bindings {
		stages = append(stages, fmt.Sprint(b.Order, " ", b.StageObj.Name))
	}
	return stages
}

// assertProvisioned compares a server with the file of the demo.
func assertProvisioned(t *testing.T, srv *authentiktest.Server) {
	t.Helper()
	flows := map[string]authentik.Flow{}
	for _, f := range srv.Flows() {
		flows[f.Slug] = f
	}
	assert.Equal(t, authentik.FlowAuthenticationRequireUnauthenticated, flows["staff-login"].Authentication)
	assert.Equal(t, "Welcome back!", flows["staff-login"].Title)
	assert.Equal(t, "Change your password", flows["default-password-change"].Title)
	assert.NotContains(t, flows, "initial-setup")
	assert.Equal(t, []string{
		"10 default-authentication-identification", "20 default-authentication-password",
		"30 default-authentication-mfa-validation", "100 default-authentication-login",
	}, stagesOf(t, srv, "staff-login"))
	assert.Equal(t, []string{
		"5 default-authentication-password", "10 default-password-change-prompt", "20 default-password-change-write",
	}, stagesOf(t, srv, "default-password-change"))
}

func TestASecondRunChangesNothing(t *testing.T) {
	t.Parallel()
	srv := authentiktest.NewServer(t)
	untouched := stagesOf(t, srv, "default-authentication-flow")
	got := provision(t, srv, "-yes", "flows.json")
	require.Equal(t, cli.OK, got.Code, got.Stderr)
	assertProvisioned(t, srv)
	assert.Equal(t, untouched, stagesOf(t, srv, "default-authentication-flow"))
	before := writes(srv)
	assert.Len(t, before, 10)

	got = provision(t, srv, "flows.json")
	assert.Equal(t, clitest.Result{Stdout: "nothing to change\n"}, got)
	assert.Equal(t, before, writes(srv))
}

func TestAPlanIsPrintedAndNotApplied(t *testing.T) {
	t.Parallel()
	srv := authentiktest.NewServer(t)
	want, err := os.ReadFile("output.txt")
	require.NoError(t, err)
	got := provision(t, srv, "-plan", "flows.json")
	assert.Equal(t, pending, got.Code)
	assert.Empty(t, got.Stderr)
	assert.Equal(t, string(want), got.Stdout+"all 10 changes were made\n")
	assert.Empty(t, writes(srv))

	require.Equal(t, cli.OK, provision(t, srv, "-yes", "flows.json").Code)
	got = provision(t, srv, "-plan", "flows.json")
	assert.Equal(t, clitest.Result{Stdout: "nothing to change\n"}, got)
}

// failing passes requests on to a fake server, but for the write with a number.
type failing struct {
	srv    *authentiktest.Server
	number int
	fail   func(w http.ResponseWriter, r *http.Request)
}

func (f *failing) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		if f.number--; f.number == 0 {
			f.fail(w, r)
			return
		}
	}
	f.srv.ServeHTTP(w, r)
}

func TestAnInterruptedRunIsFinishedByTheNextOne(t *testing.T) {
	t.Parallel()
	type failure func(srv *authentiktest.Server, w http.ResponseWriter, r *http.Request, stop func())
	for name, fail := range map[string]failure{
		"a request is lost": func(_ *authentiktest.Server, _ http.ResponseWriter, _ *http.Request, _ func()) {
			panic(http.ErrAbortHandler)
		},
		"a response is lost": func(srv *authentiktest.Server, _ http.ResponseWriter, r *http.Request, _ func()) {
			srv.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		},
		"the server refuses": func(_ *authentiktest.Server, w http.ResponseWriter, _ *http.Request, _ func()) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte(`{"detail":"not now"}`))
		},
		"somebody presses Ctrl-C": func(srv *authentiktest.Server, w http.ResponseWriter, r *http.Request, stop func()) {
			srv.ServeHTTP(w, r)
			stop()
			<-r.Context().Done()
		},
	} {
		for number := 1; number <= 10; number++ {
			t.Run(fmt.Sprint(name, " ", number), func(t *testing.T) {
				t.Parallel()
				srv := authentiktest.NewServer(t)
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				front := httptest.NewServer(&failing{srv, number, func(w http.ResponseWriter, r *http.Request) {
					fail(srv, w, r, stop)
				}})
				t.Cleanup(front.Close)

				got := program.Input(ctx, t, front.URL, srv.Token, "", "-yes", "flows.json")
				switch {
				case ctx.Err() != nil:
					assert.Equal(t, cli.Interrupted, got.Code)
				case got.Code == cli.OK: // what may be sent again was
				default:
					assert.Equal(t, cli.Failed, got.Code)
					assert.Contains(t, got.Stderr, fmt.Sprintf("%d of 10 changes were made.", number-1))
				}
				got = program.Input(t.Context(), t, front.URL, srv.Token, "", "-yes", "flows.json")
				assert.Equal(t, cli.OK, got.Code, got.Stderr)
				assertProvisioned(t, srv)
				assert.Len(t, srv.Flows(), 14, "one is new, and one is gone")
			})
		}
	}
}

func TestNothingIsDeletedWithoutAYes(t *testing.T) {
	t.Parallel()
	for typed, code := range map[string]int{
		"": declined, "\n": declined, "n\n": declined, "of course not\n": declined,
		"y\n": cli.OK, "YES\n": cli.OK, " yes": cli.OK,
	} {
		srv := authentiktest.NewServer(t)
		got := program.Input(t.Context(), t, srv.URL, srv.Token, typed, "flows.json")
		assert.Equal(t, code, got.Code, "%q: %s", typed, got.Stderr)
		assert.True(t, strings.HasPrefix(got.Stderr, "Delete flow initial-setup? [y/N] "), got.Stderr)
		if code == declined {
			assert.Empty(t, writes(srv), "%q", typed)
			assert.Contains(t, got.Stderr, "Nothing was changed.")
		} else {
			assertProvisioned(t, srv)
		}
	}
}

func TestCtrlCAtTheQuestionChangesNothing(t *testing.T) {
	t.Parallel()
	srv := authentiktest.NewServer(t)
	ctx, stop := context.WithCancel(t.Context())
	typing, end, err := os.Pipe()
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, end.Close()) })
	var stdout, stderr strings.Builder
	vars := clitest.Vars(srv.URL, srv.Token)
	code := run(ctx, cli.Env{
		Args: []string{"flows.json"}, Getenv: func(key string) string { return vars[key] }, Stdin: typing,
		Stdout: &stdout, Stderr: writer(func(p []byte) {
			stderr.Write(p)
			stop()
		}),
	})
	assert.Equal(t, cli.Interrupted, code)
	assert.Equal(t, "Delete flow initial-setup? [y/N] interrupted\n", stderr.String())
	assert.Empty(t, writes(srv))
}

type writer func([]byte)

func (w writer) Write(p []byte) (int, error) {
	w(p)
	return len(p), nil
}

func TestBindingsThatAreNotInTheFileAreRemovedAfterAYes(t *testing.T) {
	t.Parallel()
	srv := authentiktest.NewServer(t)
	name := written(t, `{"flows": [{"slug": "default-password-change", "bindings": [
		{"stage": "default-password-change-write", "order": 1}]}]}`)
	got := program.Input(t.Context(), t, srv.URL, srv.Token, "y\n", name)
	require.Equal(t, cli.OK, got.Code, got.Stderr)
	assert.Equal(t, "Delete binding default-password-change 0 default-password-change-prompt? [y/N] ", got.Stderr)
	assert.Equal(t, []string{"1 default-password-change-write"}, stagesOf(t, srv, "default-password-change"))
	assert.Equal(t, []string{"DELETE flows_bindings_destroy"}, writes(srv))

	name = written(t, `{"flows": [{"slug": "default-password-change", "title": "Change it"}]}`)
	require.Equal(t, cli.OK, provision(t, srv, name).Code)
	assert.Equal(t, []string{"1 default-password-change-write"}, stagesOf(t, srv, "default-password-change"))

	name = written(t, `{"flows": [{"slug": "default-password-change", "bindings": []}]}`)
	require.Equal(t, cli.OK, provision(t, srv, "-yes", name).Code)
	assert.Empty(t, stagesOf(t, srv, "default-password-change"))
}

func TestEveryReleaseIsProvisioned(t *testing.T) {
	t.Parallel()
	name := written(t, `{"flows": [
		{"slug": "a", "name": "A", "title": "A", "designation": "recovery", "compatibility_mode": false, "bindings": [
			{"stage": "default-authentication-login", "evaluate_on_plan": true, "re_evaluate_policies": false,
				"policy_engine_mode": "all"},
			{"stage": "default-authentication-login", "evaluate_on_plan": false, "re_evaluate_policies": true}]},
		{"slug": "default-password-change", "bindings": [
			{"stage": "default-password-change-write"}, {"stage": "default-password-change-prompt"}]}],
		"absent": ["default-source-enrollment", "there-is-none"]}`)
	for _, version := range authentiktest.Versions() {
		srv := authentiktest.NewServer(t, authentiktest.Version(version))
		got := provision(t, srv, "-yes", name)
		require.Equal(t, cli.OK, got.Code, "%s: %s", version, got.Stderr)
		twice := []string{"10 default-authentication-login", "20 default-authentication-login"}
		assert.Equal(t, twice, stagesOf(t, srv, "a"), version)
		reverse := []string{"10 default-password-change-write", "20 default-password-change-prompt"}
		assert.Equal(t, reverse, stagesOf(t, srv, "default-password-change"), version)
		assert.Equal(t, clitest.Result{Stdout: "nothing to change\n"}, provision(t, srv, name), version)
	}
}

func TestWhatTheServerCannotHaveIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	srv := authentiktest.NewServer(t, authentiktest.Version("2021.12"))
	name := written(t, `{"flows": [
		{"slug": "a", "name": "A", "title": "A", "designation": "recovery",
			"authentication": "require_superuser", "background": "x"},
		{"slug": "b", "bindings": [{"stage": "nobody-made-it"}, {"stage": "nor-this"}]}]}`)
	got := provision(t, srv, name)
	assert.Equal(t, cli.Refused, got.Code)
	assert.Empty(t, got.Stdout)
	assert.Equal(t, `wrong input: flow "a": authentication: this release of authentik cannot set it
flow "a": background: this release of authentik cannot set it
flow "b": does not exist: name, title and designation must be set
flow "b": there is no stage "nobody-made-it"
flow "b": there is no stage "nor-this"
`, got.Stderr)
	assert.Empty(t, writes(srv))
}

// Without a flow to tell by, what the server drops is found afterwards.
func TestWhatTheServerDropsIsAnError(t *testing.T) {
	t.Parallel()
	srv := authentiktest.NewServer(t, authentiktest.Version("2021.12"), authentiktest.Empty())
	name := written(t, `{"flows": [{"slug": "a", "name": "A", "title": "A", "designation": "recovery",
		"authentication": "require_superuser"}]}`)
	got := provision(t, srv, name)
	assert.Equal(t, cli.Failed, got.Code)
	assert.Contains(t, strings.ToLower(got.Stderr), "authentication")
}

func TestWhatSomebodyElseChangesMeanwhileIsAnError(t *testing.T) {
	t.Parallel()
	srv := authentiktest.NewServer(t)
	front := httptest.NewServer(&failing{srv, 10, func(w http.ResponseWriter, r *http.Request) {
		srv.UpdateFlow("staff-login", func(f *authentik.Flow) { f.Title = "Mine" })
		srv.DeleteFlow("initial-setup")
		srv.ServeHTTP(w, r)
	}})
	t.Cleanup(front.Close)
	got := program.Input(t.Context(), t, front.URL, srv.Token, "", "-yes", "flows.json")
	assert.Equal(t, cli.Failed, got.Code)
	assert.Equal(t, `~ flow staff-login
    title: "Mine" → "Welcome back!"
0 to add, 1 to change, 0 to remove
the server still differs from the file after 10 changes, as shown above
`, got.Stderr, "the flow that is gone already is none")
}

func TestWhatTheServerRefusesIsToldWithTheStep(t *testing.T) {
	t.Parallel()
	srv := authentiktest.NewServer(t)
	name := written(t, `{"flows": [{"slug": "a", "name": "A", "title": "A", "designation": "authentification"}]}`)
	got := provision(t, srv, name)
	assert.Equal(t, cli.Failed, got.Code)
	assert.Contains(t, got.Stderr, "0 of 1 changes were made. Another run makes the others.\n"+
		"+ flow a: authentik: FlowsInstancesCreate: 400 Bad Request: designation: ")
	assert.Contains(t, got.Stderr, "Change the value of designation.\n")

	const view = "authentik_flows.view_"
	token := srv.AddUser(view+"flow", view+"stage", view+"flowstagebinding")
	got = program.Input(t.Context(), t, srv.URL, token, "", "-yes", "flows.json")
	assert.Equal(t, cli.Failed, got.Code)
	assert.Contains(t, got.Stderr, "+ flow staff-login: authentik: FlowsInstancesCreate: 403 Forbidden: ")
	assert.Contains(t, got.Stderr, "lacks a permission, such as \"Can add Flow\".\n")
}

// What is bound to a binding goes with it.
func TestThePoliciesOfABindingAreNamedBeforeItIsRemoved(t *testing.T) {
	t.Parallel()
	srv := authentiktest.NewServer(t)
	name := written(t, `{"flows": [{"slug": "default-source-enrollment", "bindings": [
		{"stage": "default-source-enrollment-write", "order": 1},
		{"stage": "default-source-enrollment-login", "order": 2}]}]}`)
	got := provision(t, srv, "-plan", name)
	assert.Equal(t, pending, got.Code)
	assert.Regexp(t, `^- binding default-source-enrollment 0 default-source-enrollment-prompt
    deletes policybinding ".* to Policy default-source-enrollment-if-username"
0 to add, 0 to change, 1 to remove
$`, got.Stdout)
}

func TestAByteOrderMarkIsIgnored(t *testing.T) {
	t.Parallel()
	got := provision(t, authentiktest.NewServer(t), written(t, "\ufeff{}\n"))
	assert.Equal(t, clitest.Result{Stdout: "nothing to change\n"}, got)
}

func TestAMistakeInTheFileIsFoundBeforeAnythingIsSent(t *testing.T) {
	t.Parallel()
	two := func(a, b string) string {
		return `{"flows": [{"slug": "a", "bindings": [{"stage": "s"` + a + `}, {"stage": "s"` + b + `}]}]}`
	}
	const (
		space    = `flow "a": name and title: must not begin or end with a space`
		together = "evaluate_on_plan and re_evaluate_policies must be set together"
		never    = "evaluate_on_plan and re_evaluate_policies must not both be false"
	)
	for content, want := range map[string]string{
		``:                                 "must be one JSON object, in UTF-8",
		`null`:                             "must be one JSON object, in UTF-8",
		"\xff\xfe{\x00":                    "must be one JSON object, in UTF-8",
		`{} {}`:                            `line 1, at "": invalid character '{' after top-level value`,
		`{"flow": []}`:                     `line 1, at "/flow": unknown object member name`,
		`{"Flows": []}`:                    `line 1, at "/Flows": unknown object member name`,
		"{\n\"flows\": [\n{\"slug\": 7}]}": `line 3, at "/flows/0/slug": must not be a number`,
		`{"flows": [{"slug": "a", "title": "` + "\xff" + `"}]}`: `line 1, at "/flows/0/title": invalid UTF-8`,
		`{"flows": [{"slug": "a"}], "flows": []}`:               `line 1, at "/flows": duplicate object member name`,
		`{"flows": [{"slug": "a", "tittle": "x"}]}`:             `line 1, at "/flows/0/tittle": unknown object member name`,
		`{"flows": [{"slug": "a b"}]}`:                          `flow "a b": slug: must have letters`,
		`{"flows": [{"slug": "cache_info"}]}`:                   `flow "cache_info": slug: must have letters`,
		two(`, "order": 2147483647`, ``):                        `stage "s": order: 2147483657 is out of range`,
		two(`, "order": -2147483649`, ``):                       `stage "s": order: -2147483649 is out of range`,
		`{"flows": [{"title": "x"}]}`:                           "flow 1: slug: must not be empty",
		`{"flows": [{"slug": "a"}, {"slug": "a"}]}`:             `flow "a": must not come twice`,
		`{"flows": [{"slug": "a", "name": "x "}]}`:              space,
		`{"flows": [{"slug": "a", "title": " x"}]}`:             space,
		`{"flows": [{"slug": "a"}], "absent": ["a"]}`:           `absent: "a": must not be`,
		`{"absent": ["a", "a"]}`:                                `absent: "a": must not be`,
		`{"absent": [""]}`:                                      `absent: "": must not be empty`,
		`{"flows": [{"slug": "a", "bindings": [{}]}]}`:          `flow "a": binding 1: stage: must not be empty`,
		two(`, "order": 20`, `, "order": 20`):                   `stage "s": order: 20 must be more than the 20 before it`,
		two(`, "order": 20`, `, "order": -5`):                   `stage "s": order: -5 must be more than the 20 before it`,
		two(`, "evaluate_on_plan": true`, ``):                   together,
		two(`, "re_evaluate_policies": true`, ``):               together,

		two(``, `, "evaluate_on_plan": false, "re_evaluate_policies": false`): never,
	} {
		srv := authentiktest.NewServer(t)
		got := provision(t, srv, written(t, content))
		assert.Equal(t, cli.Refused, got.Code, content)
		assert.Empty(t, got.Stdout)
		assert.Contains(t, got.Stderr, "flows.json: ")
		assert.Contains(t, got.Stderr, want)
		assert.Empty(t, srv.Requests())
	}
}

func TestAFileMustBeNamedAndReadable(t *testing.T) {
	t.Parallel()
	srv := authentiktest.NewServer(t)
	assert.Equal(t, clitest.Result{Code: cli.Refused, Stderr: "wrong arguments: which file?\n"}, provision(t, srv))
	got := provision(t, srv, filepath.Join(t.TempDir(), "none.json"))
	assert.Equal(t, cli.Refused, got.Code)
	assert.Contains(t, got.Stderr, "none.json")
	assert.Empty(t, srv.Requests())
}
