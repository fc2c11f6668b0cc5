package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// built is what building a program took.
type built struct{ wall, cpu, size float64 } // seconds and bytes

func (b *bench) build(ctx context.Context) error {
	if !b.builds {
		return nil
	}
	t := b.section("Build",
		"A program of ten lines that lists flows (`tools/bench/programs`), with an empty build cache: the standard library is compiled too. CPU time is of all processes of the build. "+
			"The second lines are what it is above the program with `net/http`.",
		"", ours, official, "net/http")
	var all []built
	for _, dir := range []string{"authentik", "official", "nethttp"} {
		one, err := buildProgram(ctx, dir)
		if err != nil {
			return err
		}
		all = append(all, one)
	}
	for _, line := range []struct {
		name string
		of   func(built) float64
		text func(float64) string
	}{
		{"time", func(b built) float64 { return b.wall }, seconds},
		{"CPU time", func(b built) float64 { return b.cpu }, seconds},
		{"size of the program", func(b built) float64 { return b.size }, func(x float64) string { return fmt.Sprintf("%.1f MB", x/1e6) }},
	} {
		base := line.of(all[2])
		t.add(row{
			line.name,
			line.text(line.of(all[0])) + above(line.text, line.of(all[0])-base),
			line.text(line.of(all[1])) + above(line.text, line.of(all[1])-base),
			line.text(base),
		})
	}
	return nil
}

// above is the second line of a cell: a difference.
func above(text func(float64) string, x float64) string {
	if x < 0 {
		return "<br>−" + text(-x)
	}
	return "<br>+" + text(x)
}

func buildProgram(ctx context.Context, name string) (built, error) {
	dir, err := os.MkdirTemp("", "bench-build-")
	if err != nil {
		return built{}, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // it is below the system's directory for what may be left
	binary := filepath.Join(dir, "program")
	command := exec.CommandContext(ctx, "go", "build", "-o", binary, "./programs/"+name)
	command.Env = append(os.Environ(), "GOCACHE="+filepath.Join(dir, "cache"))
	began := time.Now()
	output, err := command.CombinedOutput()
	wall := time.Since(began)
	if err != nil {
		return built{}, fmt.Errorf("%w: %s", err, output)
	}
	info, err := os.Stat(binary)
	if err != nil {
		return built{}, err
	}
	cpu := command.ProcessState.UserTime() + command.ProcessState.SystemTime()
	return built{wall.Seconds(), cpu.Seconds(), float64(info.Size())}, nil
}
