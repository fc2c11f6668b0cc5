package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
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

// servers are those that a flow is copied between.
type servers struct {
	from, to *authentiktest.Server
	front    http.Handler // of the target, if it is not to itself
}

func newServers(t *testing.T, from, to string, target ...authentiktest.Option) *servers {
	t.Helper()
	s := &servers{
		from: authentiktest.NewServer(t, authentiktest.Version(from)),
		to:   authentiktest.NewServer(t, append(target, authentiktest.Version(to))...),
	}
	s.front = s.to
	return s
}

// partners adds a flow of which the target has nothing.
func (s *servers) partners() *servers {
	s.from.AddFlow(authentik.Flow{Slug: "partners", Name: "Partners", Title: "Join us!", Designation: "enrollment"})
	s.from.AddStages("partners",
		authentiktest.PromptStage{Name: "partners-form", Fields: []authentiktest.PromptField{{Key: "username"}}},
		authentiktest.UserWriteStage{Name: "partners-write"}, authentiktest.UserLoginStage{Name: "partners-login"},
	)
	return s
}

func (s *servers) run(ctx context.Context, t *testing.T, typed string, args ...string) clitest.Result {
	t.Helper()
	front := httptest.NewServer(s.front)
	t.Cleanup(front.Close)
	vars := clitest.Vars(s.from.URL, s.from.Token)
	vars["AUTHENTIK_TARGET_URL"], vars["AUTHENTIK_TARGET_TOKEN"] = front.URL, s.to.Token
	got := program.Run(ctx, t, vars, typed, args...)
	assert.Empty(t, writes(s.from), "the source is only read")
	assert.NotContains(t, got.Stdout+got.Stderr, s.to.Token)
	return got
}

// writes returns the operations that changed a server, or were to change it.
func writes(srv *authentiktest.Server) (all []string) {
	for _, r := range srv.Requests() {
		if r.Method != http.MethodGet {
			all = append(all, r.Operation)
		}
	}
	return all
}

func flowOf(t *testing.T, srv *authentiktest.Server, slug string) authentik.Flow {
	t.Helper()
	flows := srv.Flows()
	i := slices.IndexFunc(flows, func(f authentik.Flow) bool { return f.Slug == slug })
	require.GreaterOrEqual(t, i, 0, slug)
	return flows[i]
}

// bindingsOf returns what a flow has, with the names of stages.
func bindingsOf(
	t *testing.T, srv *authentiktest.Server, slug string,
) (all []authentik.FlowStageBindingRequest, names []string) {
	t.Helper()
	pk := flowOf(t, srv, slug).PK
	bindings := slices.DeleteFunc(srv.Bindings(), func(b authentik.FlowStageBinding) bool { return b.Target != pk })
	slices.SortFunc(bindings, func(a, b authentik.FlowStageBinding) int { return a.Order - b.Order })
	for _, b := range bindings {
		r := b.Request()
		for _, s := range srv.Stages() {
			if s.PK == b.Stage {
				names = append(names, s.Name)
			}
		}
		r.Target, r.Stage = [16]byte{}, [16]byte{}
		all = append(all, r)
	}
	return all, names
}

func assertCopied(t *testing.T, s *servers, slug string) {
	t.Helper()
	want, wantNames := bindingsOf(t, s.from, slug)
	got, names := bindingsOf(t, s.to, slug)
	assert.Equal(t, want, got)
	assert.Equal(t, wantNames, names)
	from, to := flowOf(t, s.from, slug), flowOf(t, s.to, slug)
	assert.Equal(t, []any{from.Name, from.Title, from.Designation, from.PolicyEngineMode, from.CompatibilityMode},
		[]any{to.Name, to.Title, to.Designation, to.PolicyEngineMode, to.CompatibilityMode})
}

// Releases whose exports, imports or fields differ.
var releases = []string{"2021.12", "2022.8", "2022.12", "2024.10", "2025.10", "2026.8"}

func TestAFlowWithStagesOfItsOwnIsImported(t *testing.T) {
	t.Parallel()
	for _, from := range releases {
		for _, to := range releases {
			t.Run(from+" to "+to, func(t *testing.T) {
				t.Parallel()
				s := newServers(t, from, to).partners()
				got := s.run(t.Context(), t, "", "partners")
				require.Equal(t, cli.OK, got.Code, got)
				assert.Contains(t, got.Stdout, "by export and import")
				assert.Contains(t, got.Stdout, "compared: the flow, its 3 bindings and 0 policies are the same")
				assertCopied(t, s, "partners")
				done := writes(s.to)

				got = s.run(t.Context(), t, "", "partners")
				assert.Equal(t, cli.OK, got.Code, got)
				assert.True(t, strings.HasSuffix(got.Stdout, "nothing to change\n"), got.Stdout)
				assert.Equal(t, done, writes(s.to))
			})
		}
	}
}

func TestAFlowOfKnownStagesIsCopiedByOperations(t *testing.T) {
	t.Parallel()
	for _, from := range releases {
		for _, to := range releases {
			t.Run(from+" to "+to, func(t *testing.T) {
				t.Parallel()
				s := newServers(t, from, to)
				const slug = "default-source-enrollment"
				s.from.UpdateFlow(slug, func(f *authentik.Flow) { f.Title, f.PolicyEngineMode = "Who are you?", "all" })
				s.to.DeleteFlow(slug)
				got := s.run(t.Context(), t, "", slug, "-plan")
				assert.Equal(t, cli.Refused, got.Code, "flags come first")

				got = s.run(t.Context(), t, "n\n", slug)
				assert.Equal(t, declined, got.Code, got)
				assert.Empty(t, writes(s.to))
				assert.Contains(t, got.Stdout, `cannot be carried over:
    policy "default-source-enrollment-if-sso" of the flow
    policy "default-source-enrollment-if-username" of stage default-source-enrollment-prompt
`)

				got = s.run(t.Context(), t, "y\n", slug)
				assert.Equal(t, cli.OK, got.Code, got)
				assert.Contains(t, got.Stdout, "compared: the flow, its 3 bindings and 0 policies are the same")
				assertCopied(t, s, slug)
			})
		}
	}
}

// Stock flows of 2021.12 have no title, which nobody may write.
func TestAFlowWithoutATitleGetsItsName(t *testing.T) {
	t.Parallel()
	s := newServers(t, "2021.12", "2026.8")
	i := slices.IndexFunc(s.from.Flows(), func(f authentik.Flow) bool { return f.Title == "" })
	require.GreaterOrEqual(t, i, 0)
	flow := s.from.Flows()[i]
	s.to.DeleteFlow(flow.Slug)
	require.Equal(t, cli.OK, s.run(t.Context(), t, "", "-yes", flow.Slug).Code)
	assert.Equal(t, flow.Name, flowOf(t, s.to, flow.Slug).Title)
}

func TestPoliciesAreImportedAndCompared(t *testing.T) {
	t.Parallel()
	s := newServers(t, "2024.10", "2026.8", authentiktest.Empty())
	got := s.run(t.Context(), t, "", "default-source-enrollment")
	assert.Equal(t, cli.OK, got.Code, got)
	assert.Contains(t, got.Stdout, "by export and import")
	assert.Contains(t, got.Stdout, "its 3 bindings and 2 policies are the same")

	s = newServers(t, "2024.10", "2026.8", authentiktest.Empty())
	s.front = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/used_by/") {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte("[]"))
			return
		}
		s.to.ServeHTTP(w, r)
	})
	got = s.run(t.Context(), t, "", "default-source-enrollment")
	assert.Equal(t, cli.Failed, got.Code)
	assert.Contains(t, got.Stderr, "+ policy \"default-source-enrollment-if-sso\" of the flow\n")
}

func TestAChangeIsPromoted(t *testing.T) {
	t.Parallel()
	s := newServers(t, "2024.10", "2026.8")
	const slug = "default-authentication-flow"
	s.from.UpdateFlow(slug, func(f *authentik.Flow) { f.Title = "Hello" })
	pk := flowOf(t, s.from, slug).PK
	for _, b := range s.from.Bindings() {
		if b.Target == pk && b.Order == 30 {
			s.from.DeleteBinding(b.PK)
		}
	}
	got := s.run(t.Context(), t, "", "-plan", slug)
	assert.Equal(t, pending, got.Code)
	assert.Contains(t, got.Stdout, "~ flow "+slug+"\n    title: \"Welcome to authentik!\" → \"Hello\"\n"+
		"- binding "+slug+" 30 default-authentication-mfa-validation\n    deletes policybinding \"")
	assert.Contains(t, got.Stdout, "\n0 to add, 1 to change, 1 to remove\n")
	assert.NotContains(t, got.Stdout, "cannot be carried over", "the target has the policies")
	assert.NotContains(t, got.Stdout, "only on the target", "the policy goes with the binding")
	assert.Empty(t, writes(s.to))

	got = s.run(t.Context(), t, "y\n", slug)
	assert.Equal(t, cli.OK, got.Code, got)
	assert.Equal(t, "Delete binding "+slug+" 30 default-authentication-mfa-validation? [y/N] ", got.Stderr)
	assert.Contains(t, got.Stdout, "compared: the flow, its 3 bindings and 1 policies are the same")
	assertCopied(t, s, slug)
}

func TestPoliciesThatOnlyTheTargetHasAreNamed(t *testing.T) {
	t.Parallel()
	s := newServers(t, "2026.8", "2026.8")
	const slug = "default-authentication-flow"
	s.to.AddPolicy(flowOf(t, s.to, slug).PK, func(authentiktest.PolicyRequest) error { return nil })
	got := s.run(t.Context(), t, "", slug)
	assert.Equal(t, cli.OK, got.Code, got)
	assert.True(t, strings.HasSuffix(got.Stdout, `nothing to change
only on the target, and left there:
    policy "policy-1" of the flow
`), got.Stdout)
}

// Names of any characters arrive, from the JSON of old releases too.
func TestNamesOfAnyCharactersAreImported(t *testing.T) {
	t.Parallel()
	for _, from := range releases {
		for _, to := range []string{"2021.12", "2022.12", "2026.8"} {
			t.Run(from+" to "+to, func(t *testing.T) {
				t.Parallel()
				s := newServers(t, from, to)
				s.from.AddFlow(authentik.Flow{Slug: "x", Name: `N: é "q" #c 's' - {{a}} 😀`, Title: "!Find [x] %s & <b>\n"})
				s.from.AddStages("x", authentiktest.DummyStage{Name: "näme 😀 -->"}, authentiktest.DummyStage{Name: "- b: c"},
					authentiktest.DummyStage{Name: "!Find [c]"})
				got := s.run(t.Context(), t, "", "x")
				require.Equal(t, cli.OK, got.Code, got)
				_, names := bindingsOf(t, s.to, "x")
				assert.Equal(t, []string{"näme 😀 -->", "- b: c", "!Find [c]"}, names)
				flow := flowOf(t, s.to, "x")
				assert.Equal(t, `N: é "q" #c 's' - {{a}} 😀`, flow.Name)
				assert.Equal(t, "!Find [x] %s & <b>", flow.Title, "servers drop the space at the end")
				assert.Contains(t, s.run(t.Context(), t, "", "x").Stdout, "nothing to change\n")
			})
		}
	}
}

func TestWhatTheTargetCannotHaveIsLeftOutAfterAYes(t *testing.T) {
	t.Parallel()
	s := newServers(t, "2026.8", "2022.4").partners()
	s.from.UpdateFlow("partners", func(f *authentik.Flow) {
		f.Authentication, f.Layout, f.DeniedAction = "require_superuser", "content_left", "message"
		f.Background = "party.png"
	})
	got := s.run(t.Context(), t, "", "partners")
	assert.Equal(t, declined, got.Code, got)
	assert.True(t, strings.HasSuffix(got.Stdout, `cannot be carried over:
    background: the file "party.png"
    authentication: "require_superuser", which authentik 2022.4.1 does not know
    denied_action: "message", which authentik 2022.4.1 does not know
    layout: "content_left", which authentik 2022.4.1 does not know
`), got.Stdout)
	assert.Contains(t, got.Stderr, "Leave out what cannot be carried over? [y/N] \nNothing was changed.")
	assert.Empty(t, writes(s.to))

	require.Equal(t, cli.OK, s.run(t.Context(), t, "", "-yes", "partners").Code)
	assertCopied(t, s, "partners")
}

func TestAFlowThatCannotBeCopiedIsRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(s *servers)
		want  string
	}{
		"some stages exist": {
			func(s *servers) {
				s.to.AddStage(authentik.Stage{Name: "partners-form", Component: "ak-stage-prompt-form"})
			},
			"create them there: partners-login, partners-write",
		},
		"the flow exists": {
			func(s *servers) { s.to.AddFlow(authentik.Flow{Slug: "partners"}) },
			"create them there: partners-form, partners-login, partners-write",
		},
		"the flow has another slug": {
			func(s *servers) { s.to.AddFlow(authentik.Flow{PK: flowOf(t, s.from, "partners").PK}) },
			"create them there: partners-form",
		},
		"a stage has another name": {
			func(s *servers) {
				for _, stage := range s.from.Stages() {
					if stage.Name == "partners-form" {
						s.to.AddStage(authentik.Stage{PK: stage.PK})
					}
				}
			},
			"create them there: partners-form",
		},
		"a stage is of another kind": {
			func(s *servers) {
				for _, stage := range s.from.Stages() {
					if strings.HasPrefix(stage.Name, "partners-") {
						stage := authentik.Stage{Name: stage.Name, Component: "ak-stage-deny-form", VerboseName: "Deny Stage"}
						s.to.AddStage(stage)
					}
				}
			},
			`stage "partners-form" is a Prompt Stage on the source, but a Deny Stage on the target`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServers(t, "2024.10", "2026.8").partners()
			c.spoil(s)
			got := s.run(t.Context(), t, "", "-yes", "partners")
			assert.Equal(t, cli.Failed, got.Code)
			assert.Empty(t, got.Stdout)
			assert.Contains(t, got.Stderr, c.want)
			assert.Empty(t, writes(s.to))
		})
	}
}

// around passes requests on to a server, but for the first that changes it.
func around(srv *authentiktest.Server, write func(w http.ResponseWriter, r *http.Request)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/blueprints/import/") {
			write(w, r)
			return
		}
		srv.ServeHTTP(w, r)
	})
}

func TestAnImportWhoseResponseIsLostIsCompared(t *testing.T) {
	t.Parallel()
	s := newServers(t, "2024.10", "2026.8").partners()
	s.front = around(s.to, func(_ http.ResponseWriter, r *http.Request) {
		s.to.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	})
	got := s.run(t.Context(), t, "", "partners")
	assert.Equal(t, cli.OK, got.Code, got)
	assertCopied(t, s, "partners")

	s = newServers(t, "2024.10", "2026.8").partners()
	s.front = around(s.to, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	got = s.run(t.Context(), t, "", "partners")
	assert.Equal(t, cli.Failed, got.Code)
	assert.Contains(t, got.Stderr, "+ flow partners\n")
	assert.Contains(t, got.Stderr, "target: the flow differs on the target, as shown above\n")
	assert.Len(t, s.to.Flows(), 14, "nothing is half there")
	s.front = s.to
	assert.Equal(t, cli.OK, s.run(t.Context(), t, "", "partners").Code, "the next run copies it")
}

func TestAnImportThatIsRefusedIsExplained(t *testing.T) {
	t.Parallel()
	s := newServers(t, "2024.10", "2026.8").partners()
	s.front = around(s.to, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"success":false,"logs":[
			{"timestamp":"","log_level":"info","logger":"","event":"Created","attributes":{}},
			{"timestamp":"","log_level":"warning","logger":"","event":"Entry invalid: name taken",
				"attributes":{"user":"alice"}}]}`))
	})
	got := s.run(t.Context(), t, "", "partners")
	assert.Equal(t, cli.Failed, got.Code)
	assert.Contains(t, got.Stderr, "Entry invalid: name taken\ntarget: ")
	assert.NotContains(t, got.Stderr, "Created")
	assert.NotContains(t, got.Stderr, "alice")
	assert.NotContains(t, got.Stdout, "compared")
}

func TestADifferenceAfterwardsIsAnError(t *testing.T) {
	t.Parallel()
	s := newServers(t, "2024.10", "2026.8").partners()
	s.front = around(s.to, func(w http.ResponseWriter, r *http.Request) {
		s.to.ServeHTTP(w, r)
		bindings := s.to.Bindings()
		s.to.DeleteBinding(bindings[len(bindings)-1].PK)
	})
	got := s.run(t.Context(), t, "", "partners")
	assert.Equal(t, cli.Failed, got.Code)
	assert.Contains(t, got.Stderr, "+ binding partners 20 partners-login\n")
	assert.Contains(t, got.Stderr, "target: the flow differs on the target, as shown above\n")
}

func TestAnErrorSaysOfWhichServerItIs(t *testing.T) {
	t.Parallel()
	s := newServers(t, "2024.10", "2026.8")
	got := s.run(t.Context(), t, "", "no-such-flow")
	assert.Equal(t, cli.Failed, got.Code)
	assert.Contains(t, got.Stderr, "source: authentik: FlowsInstancesRetrieve: 404 Not Found")

	for server, want := range map[string]string{"source": "source: ", "target": "target: "} {
		s := newServers(t, "2024.10", "2026.8").partners()
		if server == "source" {
			s.from.Token = "of-nobody"
		} else {
			s.to.Token = "of-nobody"
		}
		got := s.run(t.Context(), t, "", "partners")
		assert.Equal(t, cli.Failed, got.Code)
		assert.True(t, strings.HasPrefix(got.Stderr, want), got.Stderr)
		assert.Contains(t, got.Stderr, "rejects the token")
	}
	for server, permission := range map[string]string{"source": "Stage Binding", "target": "Can view"} {
		s := newServers(t, "2024.10", "2026.8").partners()
		if server == "source" {
			s.from.Token = s.from.AddUser("authentik_flows.view_flow")
		} else {
			s.to.Token = s.to.AddUser("authentik_flows.view_flow")
		}
		got := s.run(t.Context(), t, "", "partners")
		assert.Equal(t, cli.Failed, got.Code)
		assert.Contains(t, got.Stderr, "The token is valid", server)
		assert.Contains(t, got.Stderr, permission)
	}
}

func TestVariablesThatAreMissingAreRefused(t *testing.T) {
	t.Parallel()
	fake := authentiktest.NewServer(t)
	vars := clitest.Vars(fake.URL, fake.Token)
	got := program.Env(t.Context(), t, vars, "partners")
	assert.Equal(t, cli.Refused, got.Code)
	assert.Contains(t, got.Stderr, "AUTHENTIK_TARGET_URL, AUTHENTIK_TARGET_TOKEN: ")
	assert.Contains(t, got.Stderr, "\nSet AUTHENTIK_TARGET_URL to your server's root")

	vars["AUTHENTIK_TARGET_URL"], vars["AUTHENTIK_TARGET_TOKEN"] = fake.URL+"/", fake.Token
	got = program.Env(t.Context(), t, vars, "partners")
	assert.Equal(t, cli.Refused, got.Code)
	assert.Equal(t, "wrong arguments: AUTHENTIK_URL and AUTHENTIK_TARGET_URL are the same server\n", got.Stderr)
	assert.Empty(t, fake.Requests())

	s := newServers(t, "2024.10", "2026.8")
	got = s.run(t.Context(), t, "")
	assert.Equal(t, clitest.Result{Code: cli.Refused, Stderr: "wrong arguments: which flow? Give its slug\n"}, got)
	assert.Empty(t, s.to.Requests())
}
