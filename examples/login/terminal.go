package main

import (
	"context"
	"fmt"
	"os"

	"golang.org/x/term"

	"github.com/seed-299d42e7/authentik-go/examples/internal/cli"
)

// asker returns a function that makes questions of their words. A question is
// asked at the terminal, which does not show what is typed. Without a terminal
// a question is an error.
func asker(env cli.Env) func(question string) func(context.Context) (string, error) {
	return func(question string) func(context.Context) (string, error) {
		return func(ctx context.Context) (string, error) {
			stdin, ok := env.Stdin.(*os.File)
			if !ok || !term.IsTerminal(int(stdin.Fd())) {
				return "", fmt.Errorf("%w: %s: there is no terminal to type that at", cli.ErrInput, question)
			}
			if _, err := fmt.Fprint(env.Stderr, question+": "); err != nil {
				return "", err
			}
			defer fmt.Fprintln(env.Stderr) //nolint:errcheck // the newline was not shown either
			return readHidden(ctx, int(stdin.Fd()))
		}
	}
}

// readHidden reads a line from a terminal that shows none of it. When the
// context ends first, as at Ctrl-C, the terminal is left as it was.
func readHidden(ctx context.Context, terminal int) (string, error) {
	before, err := term.GetState(terminal)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return "", err
	}
	type line struct {
		text []byte
		err  error
	}
	got := make(chan line, 1)
	go func() { // a terminal cannot be read with a context; Ctrl-C ends the program, and so this
		text, err := term.ReadPassword(terminal)
		got <- line{text, err}
	}()
	select {
	case <-ctx.Done():
		if err := term.Restore(terminal, before); err != nil {
			return "", err
		}
		return "", ctx.Err()
	case l := <-got:
		return string(l.text), l.err
	}
}
