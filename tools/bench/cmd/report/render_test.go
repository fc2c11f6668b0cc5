package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func someResults(goVersion string, time float64) results {
	r := results{Go: goVersion, Machine: "1 core", Modules: []string{"a v1"}, Seconds: 7, Load: []float64{1, 2}}
	r.atMost("a", "×", 2, time)
	r.atMost("b", " B", 100, 150)
	r.atLeast("c", "×", 4, 3)
	r.near("d", 0.2, 0.75)
	r.near("e", 0.2, 1.1)
	s := r.section("Title", "Text.", "what", "x", "y")
	all := []figures{{"x", []float64{2, 1, 4}}, {"y", []float64{1, 1, 1}}}
	s.compare("case", all, "x")
	s.Chart = picture("chart", "Chart", "ms", 1000, all)
	return r
}

func TestReport_NamesMissedGoals(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	require.NoError(t, render(&out, []results{someResults("go1.26.8", 2), someResults("go1.27.3", 3)}))
	for _, line := range []string{
		"- Go 1.26, one run of 7 s: go1.26.8, 1 core, load 1.0 before and 2.0 after it.",
		"|  | target | Go 1.26 |  | Go 1.27 |  |",
		"| a | ≤ 2.00× | 2.00× | met | 3.00× | **missed by 50.0 %** |",
		"| b | ≤ 100 B | 150 B | **missed by 50.0 %** | 150 B | **missed by 50.0 %** |",
		"| c | ≥ 4.00× | 3.00× | **missed by 25.0 %** | 3.00× | **missed by 25.0 %** |",
		"| d | 1 ± 0.20× | 0.75× | **missed by 5.0 %** | 0.75× | **missed by 5.0 %** |",
		"| e | 1 ± 0.20× | 1.10× | met | 1.10× | met |",
		"Go 1.26: 2 of 5 met.",
		"Go 1.27: 1 of 5 met.",
		"- a; b; c; d.\n  " + noReason,
		"## Title",
		"![Chart](chart.svg)",
		"| what | x | y |",
		"| case | 2.00 s (1.00 s to 4.00 s) | 1.00 s (1.00 s to 1.00 s)<br>0.50× (0.25× to 1.00×) |",
	} {
		assert.Contains(t, out.String(), line+"\n")
	}
}

func TestResults_OfDifferentCasesStandApart(t *testing.T) {
	t.Parallel()
	one, other := someResults("go1.26.8", 2), someResults("go1.27.3", 2)
	require.NoError(t, alike([]results{one, other}))
	other.Targets[1].What = "z"
	require.ErrorContains(t, alike([]results{one, other}), "different targets: z")
	other.Targets = other.Targets[:1]
	require.ErrorContains(t, alike([]results{one, other}), "different cases")
}

func TestResults_AreWrittenAgainWithoutMeasuring(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "results"), 0o750))
	var want bytes.Buffer
	all := []results{someResults("go1.26.8", 2), someResults("go1.27.3", 3)}
	require.NoError(t, render(&want, all))
	for _, r := range all {
		require.NoError(t, r.save(resultsFile(dir, r.Go)))
	}
	require.NoError(t, write(dir, []string{"go1.26.8", "go1.27.3"}))
	got, err := os.ReadFile(filepath.Join(dir, "RESULTS.md"))
	require.NoError(t, err)
	assert.Equal(t, want.String(), string(got))
	assert.Error(t, write(dir, []string{"go1.25.0"}))
}

// RESULTS.md says what results/ has, the pictures are there, and each target
// that is missed has its reason.
func TestResults_AreTheMeasuredOnes(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../results/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	var all []results
	for _, file := range files {
		r, err := loadResults(file)
		require.NoError(t, err)
		all = append(all, r)
	}
	var want bytes.Buffer
	require.NoError(t, render(&want, all))
	got, err := os.ReadFile("../../RESULTS.md")
	require.NoError(t, err)
	assert.Equal(t, want.String(), string(got), "go run ./cmd/report -render")
	assert.NotContains(t, want.String(), noReason)
	for _, s := range all[0].Sections {
		if s.Chart != nil {
			assert.FileExists(t, "../../"+s.Chart.File)
		}
	}
}

// A picture is SVG that shows each bar's value, each contestant and each
// release.
func TestPicture_ShowsEachBar(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "chart.svg")
	one := &chart{Title: "Chart", Unit: "ms", Bars: []bar{{"ours", 1.234}, {"theirs", 56.78}}}
	other := &chart{Title: "Chart", Unit: "ms", Bars: []bar{{"ours", 2.345}, {"theirs", 678.9}}}
	require.NoError(t, draw(file, []string{"Go 1.26", "Go 1.27"}, []*chart{one, other}))
	picture, err := os.ReadFile(file)
	require.NoError(t, err)
	var texts []string
	for decoder := xml.NewDecoder(bytes.NewReader(picture)); ; {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		if text, ok := token.(xml.CharData); ok {
			texts = append(texts, strings.TrimSpace(string(text)))
		}
	}
	for _, want := range []string{"Chart", "ms", "ours", "theirs", "Go 1.26", "Go 1.27", "1.23", "56.8", "2.35", "679"} {
		assert.Contains(t, texts, want)
	}
}
