package main

import (
	"fmt"
	"io"
	"math"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	api "goauthentik.io/api/v3"
)

type officialPage = api.PaginatedFlowList

// report is what was measured, as it will be written.
type report struct {
	sections []*section
	targets  []row
	missed   int
	took     time.Duration
}

type section struct {
	title, text string
	columns     []string
	rows        []row
}

type row []string

func (r *report) section(title, text, first string, columns ...string) *section {
	s := &section{title: title, text: text, columns: append([]string{first}, columns...)}
	r.sections = append(r.sections, s)
	return s
}

func (s *section) add(rows ...row) { s.rows = append(s.rows, rows...) }

// compare adds a row: every runner's time, and its ratio to base's, in the
// order of the columns.
func (s *section) compare(name string, all []figures, base string) {
	line := row{name}
	for _, column := range s.columns[1:] {
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
func (r *report) atMost(what, unit string, limit, got float64) {
	r.target(what, "≤ "+number(limit, unit), number(got, unit), got/limit-1)
}

func (r *report) atLeast(what, unit string, limit, got float64) {
	r.target(what, "≥ "+number(limit, unit), number(got, unit), 1-got/limit)
}

// near is a ratio that is 1, more or less.
func (r *report) near(what string, most, got float64) {
	r.target(what, fmt.Sprintf("1 ± %.2f×", most), number(got, "×"), math.Abs(got-1)-most)
}

func (r *report) target(what, limit, got string, excess float64) {
	verdict := "met"
	if excess > 0 {
		r.missed++
		verdict = fmt.Sprintf("**missed by %.1f %%**", 100*excess)
	}
	r.targets = append(r.targets, row{what, limit, got, verdict})
}

func number(x float64, unit string) string {
	if unit == "×" {
		return fmt.Sprintf("%.2f×", x)
	}
	return fmt.Sprintf("%.0f%s", x, unit)
}

func (b *bench) write(out io.Writer) error {
	var text strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&text, format+"\n", args...) }
	p("# Side by side\n")
	p("`go run ./cmd/report` in `tools/bench/` wrote this file, in %.0f s.\n", b.report.took.Seconds())
	p("Machine: %d cores, %s/%s, %s. Versions: %s.\n", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version(), strings.Join(modules(), ", "))
	p("The server is another process, over loopback HTTP. It sends what real servers (%s) were recorded to send, multiplied to as many flows as are needed, each with its own pk and slug. ", strings.Join(versions, ", "))
	p("The contestants take short turns; figures are medians over the turns, a ratio is the median of the ratios within each turn, and the smallest and largest of the turns are in parentheses.\n")
	p("## Targets\n")
	table(p, row{"", "target", "measured", ""}, b.report.targets)
	p("\n%d of %d met.", len(b.report.targets)-b.report.missed, len(b.report.targets))
	for _, s := range b.report.sections {
		p("\n## %s\n\n%s\n", s.title, s.text)
		table(p, s.columns, s.rows)
	}
	_, err := io.WriteString(out, text.String())
	return err
}

func table(p func(string, ...any), head row, rows []row) {
	p("| %s |", strings.Join(head, " | "))
	p("|%s", strings.Repeat("---|", len(head)))
	for _, r := range rows {
		p("| %s |", strings.Join(r, " | "))
	}
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
