// Command provision makes the flows of a server those of a JSON file: it
// creates and changes flows, binds stages that exist to them in the order of
// the file, and deletes what the file does not want.
//
//	go run ./examples/provision -plan flows.json
//	go run ./examples/provision flows.json
//
// A second run changes nothing, and a run that was interrupted is finished by
// the next one, because each run compares the file with the server. The
// command prints what it is about to do, and asks before it deletes anything.
//
// With AUTHENTIK_URL and AUTHENTIK_TOKEN set it provisions that server.
// Otherwise it provisions a fake one, with the file beside this program if none
// is named.
package main

import (
	"context"
	_ "embed"
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/examples/internal/cli"
)

// Exit codes, beside those of package cli.
const (
	pending  = 3 // with -plan: the server differs from the file
	declined = 4 // nobody agreed to a deletion, so nothing was changed
)

//go:embed flows.json
var demoFile []byte

func main() { cli.Main(run) }

func run(ctx context.Context, env cli.Env) int {
	var onlyPlan, agreed bool
	flags := flag.NewFlagSet("provision", flag.ContinueOnError)
	flags.BoolVar(&onlyPlan, "plan", false, "only print the changes; exit with 3 if there are any")
	flags.BoolVar(&agreed, "yes", false, "delete without asking")
	if err := env.Parse(flags, "[FILE]"); err != nil {
		return env.Exit(ctx, nil, err)
	}
	server, err := env.Connect()
	if err != nil {
		return env.Exit(ctx, nil, err)
	}
	defer server.Close()
	var wanted *file
	switch {
	case flags.NArg() > 0:
		wanted, err = read(flags.Arg(0))
	case server.Demo != nil:
		wanted, err = parse("flows.json", demoFile)
	default:
		err = fmt.Errorf("%w: which file?", cli.ErrUsage)
	}
	if err != nil {
		return env.Exit(ctx, server, err)
	}

	steps, err := prepare(ctx, server.Client, wanted, env.Stdout)
	switch {
	case err != nil:
		return env.Exit(ctx, server, err)
	case onlyPlan && len(steps) > 0:
		return pending
	case onlyPlan || len(steps) == 0:
		return cli.OK
	}
	if question := deletions(steps); question != "" && !agreed && server.Demo == nil {
		if agreed, err = env.Confirm(ctx, question); err != nil {
			return env.Exit(ctx, server, err)
		} else if !agreed {
			_, _ = fmt.Fprintln(env.Stderr, "Nothing was changed. Answer y, or use -yes.")
			return declined
		}
	}
	return env.Exit(ctx, server, apply(ctx, server.Client, wanted, steps, env))
}

// prepare prints and returns what there is to do.
func prepare(ctx context.Context, client *authentik.Client, wanted *file, out io.Writer) ([]step, error) {
	p, err := look(ctx, client)
	if err == nil {
		err = p.possible(wanted)
	}
	if err != nil {
		return nil, err
	}
	steps, err := p.plan(ctx, wanted)
	if err == nil {
		err = show(out, steps)
	}
	return steps, err
}

// show prints steps, and how many they are.
func show(w io.Writer, steps []step) error {
	var b strings.Builder
	counts := map[string]int{}
	for _, s := range steps {
		counts[s.sign]++
		fmt.Fprintf(&b, "%s %s\n", s.sign, cli.Printable(s.title))
		for _, line := range s.lines {
			fmt.Fprintf(&b, "    %s\n", cli.Printable(line))
		}
	}
	if len(steps) == 0 {
		b.WriteString("nothing to change\n")
	} else {
		fmt.Fprintf(&b, "%d to add, %d to change, %d to remove\n", counts[add], counts[change], counts[remove])
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// deletions is the question to ask before steps, "" if they delete nothing.
func deletions(steps []step) string {
	var titles []string
	for _, s := range steps {
		if s.sign == remove {
			titles = append(titles, cli.Printable(s.title))
		}
	}
	if titles == nil {
		return ""
	}
	return "Delete " + strings.Join(titles, ", ") + "? [y/N] "
}

// apply runs steps, and then makes sure that the server is as the file wants
// it: a server ignores the fields that its release lacks, and somebody else may
// have changed something, too.
func apply(ctx context.Context, client *authentik.Client, wanted *file, steps []step, env cli.Env) error {
	for i, s := range steps {
		if err := s.run(ctx, client); err != nil {
			_, _ = fmt.Fprintf(env.Stderr, "%d of %d changes were made. Another run makes the others.\n", i, len(steps))
			return fmt.Errorf("%s %s: %w", s.sign, s.title, err)
		}
	}
	p, err := look(ctx, client)
	if err != nil {
		return err
	}
	left, err := p.plan(ctx, wanted)
	if err != nil {
		return err
	}
	if len(left) > 0 {
		if err := show(env.Stderr, left); err != nil {
			return err
		}
		return fmt.Errorf("the server still differs from the file after %d changes, as shown above", len(steps))
	}
	_, err = fmt.Fprintf(env.Stdout, "all %d changes were made\n", len(steps))
	return err
}
