// Command report measures this library side by side with the official
// generated client and with net/http, with two releases of Go, and writes what
// it measured to RESULTS.md. The server is a process of its own, over loopback.
//
//	go run ./cmd/report           some twenty minutes; writes RESULTS.md
//	go run ./cmd/report -render   writes RESULTS.md of what was measured before
//	go run ./cmd/report -quick    about 20 seconds; prints, and is for CI
//
// It fails if a client fails, and never because one is slow. A release of Go
// that is not there yet is downloaded.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
		os.Exit(1)
	}
}

func run() error {
	quick := flag.Bool("quick", false, "measure less, with this Go alone, and print it")
	again := flag.Bool("render", false, "measure nothing")
	releases := flag.String("releases", "go1.26.8,go1.27.3", "the versions of Go to measure with")
	out := flag.String("o", ".", "the directory to write to")
	measured := flag.String("measure", "", "measure with this Go, and write a file of JSON")
	recordings := flag.String("recordings", "../../testdata/recordings", "the directory of the recordings")
	flag.Parse()
	switch {
	case flag.Arg(0) == "serve":
		return serve(*recordings, os.Stdin, os.Stdout)
	case *quick:
		r, err := measure(*recordings, brief)
		if err != nil {
			return err
		}
		r.Brief = true
		return render(os.Stdout, []results{r})
	case *measured != "":
		r, err := measure(*recordings, full)
		if err != nil {
			return err
		}
		return r.save(*measured)
	}
	names := strings.Split(*releases, ",")
	if !*again {
		for _, name := range names {
			if err := measureWith(context.Background(), name, resultsFile(*out, name)); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	return write(*out, names)
}

func resultsFile(dir, goVersion string) string {
	return filepath.Join(dir, "results", goVersion+".json")
}

// measureWith runs this program again, built by a release of Go.
func measureWith(ctx context.Context, goVersion, file string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
		return err
	}
	program := exec.CommandContext(ctx, "go", "run", "./cmd/report", "-measure", file)
	program.Env = append(os.Environ(), "GOTOOLCHAIN="+goVersion)
	program.Stderr = os.Stderr
	return program.Run()
}

// write writes RESULTS.md and the pictures.
func write(dir string, goVersions []string) error {
	var all []results
	for _, name := range goVersions {
		r, err := loadResults(resultsFile(dir, name))
		if err != nil {
			return err
		}
		all = append(all, r)
	}
	if err := alike(all); err != nil {
		return err
	}
	for i, s := range all[0].Sections {
		if s.Chart == nil {
			continue
		}
		var names []string
		var charts []*chart
		for _, r := range all {
			names = append(names, release(r.Go))
			charts = append(charts, r.Sections[i].Chart)
		}
		if err := draw(filepath.Join(dir, s.Chart.File), names, charts); err != nil {
			return err
		}
	}
	file, err := os.Create(filepath.Join(dir, "RESULTS.md"))
	if err != nil {
		return err
	}
	return errors.Join(render(file, all), file.Close())
}

// measure runs the cases against a server of its own.
func measure(recordings string, p plan) (results, error) {
	url, stop, err := startServer(recordings)
	if err != nil {
		return results{}, err
	}
	defer stop()
	content, err := newServer(recordings) // the same, for what is decoded without HTTP
	if err != nil {
		return results{}, err
	}
	b := &bench{url: url, content: content, plan: p, results: newResults(), log: os.Stderr}
	err = b.measure()
	b.Load = append(b.Load, load())
	return b.results, err
}

// startServer runs this program again, as the server.
func startServer(recordings string) (url string, stop func(), err error) {
	self, err := os.Executable()
	if err != nil {
		return "", nil, err
	}
	process := exec.Command(self, "-recordings", recordings, "serve")
	process.Stderr = os.Stderr
	in, err := process.StdinPipe()
	if err != nil {
		return "", nil, err
	}
	out, err := process.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := process.Start(); err != nil {
		return "", nil, err
	}
	stop = func() {
		_ = in.Close() // it ends then
		_ = process.Wait()
	}
	url, err = bufio.NewReader(out).ReadString('\n')
	if err != nil {
		stop()
		return "", nil, fmt.Errorf("the server did not start: %w", err)
	}
	return strings.TrimSpace(url), stop, nil
}
