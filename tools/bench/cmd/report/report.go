package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"slices"

	api "goauthentik.io/api/v3"
)

type officialPage = api.PaginatedFlowList

// results are what was measured with one Go release. They are kept as JSON, so
// that a change of the words needs no other run.
type results struct {
	Go      string // such as go1.26.8
	Machine string
	Modules []string
	Seconds float64
	// Load is that of the machine before the run and after it, averaged over
	// five minutes. More than a core can do delays all contestants.
	Load  []float64
	Brief bool `json:",omitempty"` // too little was measured to explain it

	Targets  []target
	Sections []*section
}

type target struct {
	What, Limit, Got string
	Excess           float64 // more than 0 is missed
}

type section struct {
	Title, Text string
	Columns     []string
	Rows        []row
	Chart       *chart `json:",omitempty"`
}

type row []string

// chart is what a picture shows of a section.
type chart struct {
	File, Title, Unit string
	Bars              []bar
}

type bar struct {
	Name  string
	Value float64
}

// picture shows the medians of figures, times scale.
func picture(file, title, unit string, scale float64, all []figures) *chart {
	c := &chart{File: file + ".svg", Title: title, Unit: unit}
	for _, f := range all {
		c.Bars = append(c.Bars, bar{f.name, scale * median(f.turns)})
	}
	return c
}

// load is the machine's, or 0 where it cannot be read.
func load() float64 {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0
	}
	var one, five float64
	if _, err := fmt.Sscan(string(text), &one, &five); err != nil {
		return 0
	}
	return five
}

func newResults() results {
	return results{
		Go:      runtime.Version(),
		Machine: fmt.Sprintf("%d cores, %s/%s", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH),
		Modules: modules(),
		Load:    []float64{load()},
	}
}

func loadResults(file string) (results, error) {
	var r results
	text, err := os.ReadFile(file)
	if err != nil {
		return r, err
	}
	return r, json.Unmarshal(text, &r)
}

func (r *results) save(file string) error {
	text, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o600)
}

func (r *results) section(title, text, first string, columns ...string) *section {
	s := &section{Title: title, Text: text, Columns: append([]string{first}, columns...)}
	r.Sections = append(r.Sections, s)
	return s
}

func (s *section) add(rows ...row) { s.Rows = append(s.Rows, rows...) }

// compare adds a row: every runner's time, and its ratio to base's, in the
// order of the columns.
func (s *section) compare(name string, all []figures, base string) {
	line := row{name}
	for _, column := range s.Columns[1:] {
		f := named(all, column)
		if column == base {
			line = append(line, cell(f.turns, nil))
			continue
		}
		line = append(line, cell(f.turns, f.ratios(named(all, base))))
	}
	s.add(line)
}

// cell is a median time and, below it, a median ratio, each with the smallest
// and the largest of the turns.
func cell(times, ratios []float64) string {
	text := spread(times, seconds)
	if ratios != nil {
		text += "<br>" + spread(ratios, func(x float64) string { return fmt.Sprintf("%.2f×", x) })
	}
	return text
}

func spread(x []float64, text func(float64) string) string {
	if len(x) == 1 {
		return text(x[0])
	}
	return fmt.Sprintf("%s (%s to %s)", text(median(x)), text(slices.Min(x)), text(slices.Max(x)))
}

func seconds(s float64) string {
	switch {
	case s < 1e-6:
		return fmt.Sprintf("%.0f ns", s*1e9)
	case s < 1e-3:
		return fmt.Sprintf("%.1f µs", s*1e6)
	case s < 1:
		return fmt.Sprintf("%.2f ms", s*1e3)
	default:
		return fmt.Sprintf("%.2f s", s)
	}
}

func flowCount(n int) string {
	switch {
	case n == 1:
		return "1 flow"
	case n < 1_000:
		return fmt.Sprintf("%d flows", n)
	default:
		return fmt.Sprintf("%d,%03d flows", n/1_000, n%1_000)
	}
}

// atMost, atLeast and near record a target.
func (r *results) atMost(what, unit string, limit, got float64) {
	r.target(what, "≤ "+number(limit, unit), number(got, unit), got/limit-1)
}

func (r *results) atLeast(what, unit string, limit, got float64) {
	r.target(what, "≥ "+number(limit, unit), number(got, unit), 1-got/limit)
}

// near is a ratio that is 1, more or less.
func (r *results) near(what string, most, got float64) {
	r.target(what, fmt.Sprintf("1 ± %.2f×", most), number(got, "×"), math.Abs(got-1)-most)
}

func (r *results) target(what, limit, got string, excess float64) {
	r.Targets = append(r.Targets, target{what, limit, got, excess})
}

func number(x float64, unit string) string {
	if unit == "×" {
		return fmt.Sprintf("%.2f×", x)
	}
	return fmt.Sprintf("%.0f%s", x, unit)
}

// modules are those that are compared, as they were built.
func modules() []string {
	var all []string
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return nil
	}
	for _, m := range info.Deps {
		switch m.Path {
		case official, "github.com/hashicorp/go-retryablehttp":
			all = append(all, m.Path+" "+m.Version)
		}
	}
	return all
}
