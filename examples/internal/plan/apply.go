package plan

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/examples/internal/cli"
)

// Show prints steps, and how many they are.
func Show(w io.Writer, steps []Step) error {
	var b strings.Builder
	counts := map[string]int{}
	for _, s := range steps {
		counts[s.Sign]++
		fmt.Fprintf(&b, "%s %s\n", s.Sign, cli.Printable(s.Title))
		for _, line := range s.Lines {
			fmt.Fprintf(&b, "    %s\n", cli.Printable(line))
		}
	}
	if len(steps) == 0 {
		b.WriteString("nothing to change\n")
	} else {
		fmt.Fprintf(&b, "%d to add, %d to change, %d to remove\n", counts[Add], counts[Change], counts[Remove])
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Question is the question to ask before steps, "" if they delete nothing.
func Question(steps []Step) string {
	var titles []string
	for _, s := range steps {
		if s.Sign == Remove {
			titles = append(titles, cli.Printable(s.Title))
		}
	}
	if titles == nil {
		return ""
	}
	return "Delete " + strings.Join(titles, ", ") + "? [y/N] "
}

// Apply runs steps, and then makes sure that the server is as the file wants
// it: a server ignores the fields that its release lacks, and somebody else may
// have changed something, too.
func Apply(ctx context.Context, env cli.Env, client *authentik.Client, wanted *File, steps []Step) error {
	for i, s := range steps {
		if err := s.Run(ctx, client); err != nil {
			_, _ = fmt.Fprintf(env.Stderr, "%d of %d changes were made. Another run makes the others.\n", i, len(steps))
			return fmt.Errorf("%s %s: %w", s.Sign, s.Title, err)
		}
	}
	server, err := Look(ctx, client)
	if err != nil {
		return err
	}
	left, err := server.Steps(ctx, wanted)
	if err != nil {
		return err
	}
	if len(left) > 0 {
		if err := Show(env.Stderr, left); err != nil {
			return err
		}
		return fmt.Errorf("the server still differs from the file after %d changes, as shown above", len(steps))
	}
	_, err = fmt.Fprintf(env.Stdout, "all %d changes were made\n", len(steps))
	return err
}
