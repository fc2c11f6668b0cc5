package cli

import (
	"bufio"
	"context"
	"fmt"
	"strings"
)

// Confirm asks a question on stderr, and reports whether the next line of
// stdin is y or yes. The end of stdin, where nobody is there, is a no.
func (e Env) Confirm(ctx context.Context, question string) (bool, error) {
	if _, err := fmt.Fprint(e.Stderr, question); err != nil {
		return false, err
	}
	type answer struct {
		line string
		end  bool
		err  error
	}
	got := make(chan answer, 1)
	go func() { // a terminal cannot be read with a context; Ctrl-C ends the program, and so this
		lines := bufio.NewScanner(e.Stdin)
		end := !lines.Scan()
		got <- answer{lines.Text(), end, lines.Err()}
	}()
	select {
	case <-ctx.Done():
		return false, ctx.Err()
	case a := <-got:
		if a.end { // nobody has typed the end of the line
			_, _ = fmt.Fprintln(e.Stderr)
		}
		switch strings.ToLower(strings.TrimSpace(a.line)) {
		case "y", "yes":
			return true, nil
		}
		return false, a.err
	}
}
