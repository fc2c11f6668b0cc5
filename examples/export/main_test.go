package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"
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

// exported makes an export of the demo, and returns its file and the flows.
func exported(t *testing.T) (file string, flows []authentik.Flow) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "flows.json")
	got := program.Demo(t, file)
	require.Equal(t, cli.OK, got.Code, got.Stderr)
	assert.Regexp(t, `^\d+ flows, and no earlier file\n$`, got.Stdout)
	flows, err := read(file)
	require.NoError(t, err)
	require.NotEmpty(t, flows)
	return file, flows
}

func TestAnExportHasEveryFlowAsTheServerSendsIt(t *testing.T) {
	t.Parallel()
	srv := authentiktest.NewServer(t)
	var sent authentik.Page[map[string]any]
	require.NoError(t, srv.Client().Get(t.Context(), "flows/instances/", nil, &sent))
	for _, flow := range sent.Results {
		delete(flow, "background_url")
		delete(flow, "background_themed_urls")
		flow["cache_count"] = 0
		for _, key := range []string{"stages", "policies"} {
			slices.SortFunc(flow[key].([]any), func(a, b any) int { return strings.Compare(a.(string), b.(string)) })
		}
	}
	want, err := json.Marshal(sent.Results)
	require.NoError(t, err)

	got := program.Server(t, srv)
	require.Equal(t, cli.OK, got.Code, got.Stderr)
	assert.JSONEq(t, string(want), got.Stdout)

	file, flows := exported(t)
	assert.Len(t, flows, len(sent.Results))
	written, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, got.Stdout, string(written))
}

func TestNoFlowsAreAnEmptyListInTheFile(t *testing.T) {
	t.Parallel()
	got := program.Server(t, authentiktest.NewServer(t, authentiktest.Empty()))
	assert.Equal(t, clitest.Result{Stdout: "[]\n"}, got)
}

func TestALongListIsWholeAlthoughItChangesMeanwhile(t *testing.T) {
	t.Parallel()
	srv := authentiktest.NewServer(t)
	srv.AddFlows(250)
	srv.ChangeListAfterPage(1, func() { srv.DeleteFlow("default-password-change") })
	file := filepath.Join(t.TempDir(), "flows.json")
	got := program.Server(t, srv, file)
	require.Equal(t, cli.OK, got.Code, got.Stderr)
	flows, err := read(file)
	require.NoError(t, err)
	assert.Len(t, flows, len(srv.Flows()))
}

func TestASecondExportOfTheSameServerHasNoDifferences(t *testing.T) {
	t.Parallel()
	file, flows := exported(t)
	got := program.Demo(t, file)
	assert.Equal(t, cli.OK, got.Code, got.Stderr)
	assert.Regexp(t, `^\d+ flows: 0 added, 0 removed, 0 changed\n$`, got.Stdout)
	again, err := read(file)
	require.NoError(t, err)
	assert.Equal(t, flows, again)
}

func TestDifferencesAreToldByFlowAndField(t *testing.T) {
	t.Parallel()
	file, now := exported(t)
	require.GreaterOrEqual(t, len(now), 3)
	earlier := slices.Clone(now)
	earlier[0].Slug = "the-old-slug"
	earlier[0].Title = "a <b>\u202e\n"
	earlier[0].CompatibilityMode = !now[0].CompatibilityMode
	earlier[0].Stages = []uuid.UUID{}
	earlier[1].Layout = "" // as of a release that has none
	gone := authentik.Flow{PK: uuid.New(), Slug: "a-flow-that-is-gone"}
	earlier[2] = gone
	encoded, err := json.Marshal(earlier)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, encoded, 0o600))

	got := program.Demo(t, file)

	require.Equal(t, cli.OK, got.Code, got.Stderr)
	stages, err := json.Marshal(now[0].Stages)
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSuffix(got.Stdout, "\n"), "\n")
	require.NotEmpty(t, lines)
	assert.Equal(t, []string{
		"~ " + now[0].Slug,
		"    compatibility_mode: true → false",
		`    slug: "the-old-slug" → "` + now[0].Slug + `"`,
		"    stages: [] → " + string(stages),
		`    title: "a <b>·\n" → "` + now[0].Title + `"`,
		"~ " + now[1].Slug,
		`    layout: none → "` + string(now[1].Layout) + `"`,
		"+ " + now[2].Slug,
		"- a-flow-that-is-gone",
	}, lines[:len(lines)-1])
	assert.Regexp(t, `^\d+ flows: 1 added, 1 removed, 2 changed$`, lines[len(lines)-1])
	again, err := read(file)
	require.NoError(t, err)
	assert.Equal(t, now, again, "the file is the server's again")
}

// The address of an uploaded background is signed anew at each read, and
// whoever has it can read the file.
func TestSignedAddressesAndPlansAreNeitherWrittenNorCompared(t *testing.T) {
	t.Parallel()
	srv := authentiktest.NewServer(t)
	slug := srv.AddFlow(authentik.Flow{}).Slug
	file := filepath.Join(t.TempDir(), "flows.json")
	for i := range 2 {
		signed := "/files/x?token=SIGNED" + strconv.Itoa(i)
		srv.UpdateFlow(slug, func(f *authentik.Flow) {
			f.BackgroundURL, f.BackgroundThemedURLs, f.CacheCount = signed, &authentik.ThemedURLs{Light: signed}, 1+i
		})
		got := program.Server(t, srv, file)
		require.Equal(t, cli.OK, got.Code, got.Stderr)
		if i > 0 {
			assert.Contains(t, got.Stdout, " flows: 0 added, 0 removed, 0 changed\n")
		}
		written, err := os.ReadFile(file)
		require.NoError(t, err)
		assert.NotContains(t, string(written), "SIGNED")
		assert.NotContains(t, string(written), `"cache_count": 1`)
	}
}

func TestAnEarlierFileStaysWhenSomethingIsWrong(t *testing.T) {
	t.Parallel()
	t.Run("the server", func(t *testing.T) {
		t.Parallel()
		file, _ := exported(t)
		before, err := os.ReadFile(file)
		require.NoError(t, err)
		srv := authentiktest.NewServer(t)
		srv.AddFlows(250)
		srv.FailNext(1, http.StatusForbidden, `{"detail":"not any more"}`, nil)
		got := program.Server(t, srv, file)
		assert.Equal(t, cli.Failed, got.Code)
		assert.Empty(t, got.Stdout)
		after, err := os.ReadFile(file)
		require.NoError(t, err)
		assert.Equal(t, string(before), string(after))
	})
	t.Run("the file", func(t *testing.T) {
		t.Parallel()
		for _, content := range []string{"", "{}", `[{"pk":1}]`, "my only copy"} {
			file := filepath.Join(t.TempDir(), "flows.json")
			require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
			got := program.Demo(t, file)
			assert.Equal(t, cli.Failed, got.Code)
			assert.Contains(t, got.Stderr, file+" is not an earlier export: ")
			assert.NotContains(t, got.Stderr, "the root of an authentik", "it is not the server's fault")
			after, err := os.ReadFile(file)
			require.NoError(t, err)
			assert.Equal(t, content, string(after))
		}
	})
	t.Run("its directory", func(t *testing.T) {
		t.Parallel()
		got := program.Demo(t, filepath.Join(t.TempDir(), "no", "flows.json"))
		assert.Equal(t, cli.Failed, got.Code)
	})
}

func TestAFailedReplacementLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	directory := filepath.Join(dir, "flows.json")
	require.NoError(t, os.Mkdir(directory, 0o700))
	require.Error(t, replace(directory, []byte("x")), "a file cannot replace a directory")
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, entries, 1)
}
