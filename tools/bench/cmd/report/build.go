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

const bareProgram = "net/http"

func (b *bench) build(ctx context.Context) error {
	if !b.builds {
		return nil
	}
	t := b.section("Build",
		"A program of ten lines that lists flows (`tools/bench/programs`). The one with `net/http` is built with an empty build cache, which compiles the standard library. "+
			"The others are built with that cache, so that their times come on top. CPU time is of all processes of the build.",
		"", bareProgram, ours, official)
	cache, err := os.MkdirTemp("", "bench-build-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(cache) //nolint:errcheck // it is below the system's directory for what may be left
	var all []built
	for _, dir := range []string{"nethttp", "authentik", "official"} {
		one, err := buildProgram(ctx, dir, cache)
		if err != nil {
			return err
		}
		all = append(all, one)
	}
	bare := all[0]
	wall := row{"time", seconds(bare.wall)}
	cpu := row{"CPU time", seconds(bare.cpu)}
	size := row{"size of the program", fmt.Sprintf("%.1f MB", bare.size/1e6)}
	for _, one := range all[1:] {
		wall = append(wall, "+"+seconds(one.wall))
		cpu = append(cpu, "+"+seconds(one.cpu))
		size = append(size, fmt.Sprintf("%.1f MB<br>%+.1f MB", one.size/1e6, (one.size-bare.size)/1e6))
	}
	t.add(wall, cpu, size)
	return nil
}

func buildProgram(ctx context.Context, name, cache string) (built, error) {
	binary := filepath.Join(cache, "program")
	command := exec.CommandContext(ctx, "go", "build", "-o", binary, "./programs/"+name)
	command.Env = append(os.Environ(), "GOCACHE="+cache)
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
