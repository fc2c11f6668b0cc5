package main

import (
	"fmt"
	"io"
	"math"
	"strings"
)

// command is what writes RESULTS.md.
const command = "cd tools/bench && go run ./cmd/report"

// render writes the results of one release or more, side by side.
func render(out io.Writer, all []results) error {
	var text strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&text, format+"\n", args...) }
	p("# Side by side\n")
	p("`%s` measures everything again and writes this file, the pictures, and `results/`, which has what was measured as JSON. It takes about ten minutes for each Go release.\n", command)
	for _, r := range all {
		p("- %s, one run of %.0f s: %s, %s, load %.1f before and %.1f after it.", release(r.Go), r.Seconds, r.Go, r.Machine, r.Load[0], r.Load[1])
	}
	p("\nVersions: %s.\n", strings.Join(all[0].Modules, ", "))
	p("The server is another process, over loopback HTTP. It sends what real servers (%s) were recorded to send, multiplied to as many flows and bindings as are needed, each with its own identifiers. ", strings.Join(versions, ", "))
	p("The contestants take short turns; figures are medians over the turns, a ratio is the median of the ratios within each turn, and the smallest and largest of the turns are in parentheses.\n")
	p("## Targets\n")
	targets(p, all)
	for i, s := range all[0].Sections {
		p("\n## %s\n\n%s\n", s.Title, s.Text)
		if s.Chart != nil {
			p("![%s](%s)\n", s.Chart.Title, s.Chart.File)
		}
		for _, r := range all {
			if len(all) > 1 {
				p("%s:\n", release(r.Go))
			}
			table(p, r.Sections[i].Columns, r.Sections[i].Rows)
			if len(all) > 1 {
				p("")
			}
		}
	}
	_, err := io.WriteString(out, strings.TrimRight(text.String(), "\n")+"\n")
	return err
}

// release is the release of a version of Go: Go 1.26 for go1.26.8.
func release(version string) string {
	parts := strings.SplitN(strings.TrimPrefix(version, "go"), ".", 3)
	return "Go " + strings.Join(parts[:min(len(parts), 2)], ".")
}

// targets are the rows of all runs, and what is said of those that are missed.
func targets(p func(string, ...any), all []results) {
	head := row{"", "target"}
	for _, r := range all {
		head = append(head, release(r.Go), "")
	}
	var rows []row
	var missed []string                // reasons
	targetsOf := map[string][]string{} // by reason
	met := make([]int, len(all))
	for i, t := range all[0].Targets {
		line := row{t.What, t.Limit}
		anyMissed := false
		for k, r := range all {
			got := r.Targets[i]
			verdict := "met"
			if got.Excess > 0 {
				verdict = fmt.Sprintf("**missed by %.1f %%**", 100*got.Excess)
				anyMissed = true
			} else {
				met[k]++
			}
			line = append(line, got.Got, verdict)
		}
		rows = append(rows, line)
		if anyMissed && !all[0].Brief {
			reason := why(t.What)
			if targetsOf[reason] == nil {
				missed = append(missed, reason)
			}
			targetsOf[reason] = append(targetsOf[reason], t.What)
		}
	}
	table(p, head, rows)
	p("")
	for k, r := range all {
		p("%s: %d of %d met.", release(r.Go), met[k], len(r.Targets))
	}
	if len(missed) > 0 {
		p("\nWhat is missed, and why:\n")
	}
	for _, reason := range missed {
		p("- %s.\n  %s", strings.Join(targetsOf[reason], "; "), reason)
	}
}

func table(p func(string, ...any), head row, rows []row) {
	p("| %s |", strings.Join(head, " | "))
	p("|%s", strings.Repeat("---|", len(head)))
	for _, r := range rows {
		p("| %s |", strings.Join(r, " | "))
	}
}

// alike reports whether results are of the same cases, so that they can stand
// side by side.
func alike(all []results) error {
	for _, r := range all[1:] {
		if len(r.Targets) != len(all[0].Targets) || len(r.Sections) != len(all[0].Sections) {
			return fmt.Errorf("the results of %s and %s are of different cases", all[0].Go, r.Go)
		}
		for i, t := range r.Targets {
			if t.What != all[0].Targets[i].What || math.IsNaN(t.Excess) {
				return fmt.Errorf("the results of %s and %s are of different targets: %s", all[0].Go, r.Go, t.What)
			}
		}
	}
	return nil
}
