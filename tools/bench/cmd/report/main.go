// Command report measures this library side by side with the official
// generated client and with net/http, and writes what it measured to
// RESULTS.md. The server is a process of its own, over loopback.
//
//	go run ./cmd/report          about eight minutes; writes RESULTS.md
//	go run ./cmd/report -quick   less than 20 seconds; prints, and is for CI
//
// It fails if a client fails, and never because one is slow.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
		os.Exit(1)
	}
}

func run() error {
	quick := flag.Bool("quick", false, "measure less, and print it")
	out := flag.String("o", "RESULTS.md", "the file to write, unless -quick")
	recordings := flag.String("recordings", "../../testdata/recordings", "the directory of the recordings")
	flag.Parse()
	if flag.Arg(0) == "serve" {
		return serve(*recordings, os.Stdin, os.Stdout)
	}
	url, stop, err := startServer(*recordings)
	if err != nil {
		return err
	}
	defer stop()
	content, err := newServer(*recordings) // the same, for what is decoded without HTTP
	if err != nil {
		return err
	}
	b := &bench{url: url, content: content, plan: full, log: os.Stderr}
	if *quick {
		b.plan = brief
	}
	if err := b.measure(); err != nil {
		return err
	}
	if *quick {
		return b.write(os.Stdout)
	}
	file, err := os.Create(*out)
	if err != nil {
		return err
	}
	if err := b.write(file); err != nil {
		return err
	}
	return file.Close()
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
