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

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/examples/internal/cli"
	"github.com/seed-299d42e7/authentik-go/examples/internal/plan"
)

// Exit codes, beside those of package cli.
const (
	pending  = 3 // with -plan: the server differs from the file
	declined = 4 // nobody agreed to a deletion, so nothing was changed
)

//go:embed flows.json
var demoFile []byte

const about = "Makes the flows of a server those of a JSON file. " +
	cli.ServerVariables

func main() { cli.Main(run) }

func run(ctx context.Context, env cli.Env) int {
	var onlyPlan, agreed bool
	flags := flag.NewFlagSet("provision", flag.ContinueOnError)
	flags.BoolVar(&onlyPlan, "plan", false, "only print the changes; exit with 3 if there are any")
	flags.BoolVar(&agreed, "yes", false, "delete without asking")
	if err := env.Parse(flags, about, "[FILE]"); err != nil {
		return env.Exit(ctx, nil, err)
	}
	server, err := env.Connect()
	if err != nil {
		return env.Exit(ctx, nil, err)
	}
	defer server.Close()
	var wanted *plan.File
	switch {
	case flags.NArg() > 0:
		wanted, err = plan.Read(flags.Arg(0))
	case server.Demo != nil:
		wanted, err = plan.Parse("flows.json", demoFile)
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
	if question := plan.Question(steps); question != "" && !agreed && server.Demo == nil {
		if agreed, err = env.Confirm(ctx, question); err != nil {
			return env.Exit(ctx, server, err)
		} else if !agreed {
			_, _ = fmt.Fprintln(env.Stderr, "Nothing was changed. Answer y, or use -yes.")
			return declined
		}
	}
	return env.Exit(ctx, server, plan.Apply(ctx, env, server.Client, wanted, steps))
}

// prepare prints and returns what there is to do.
func prepare(ctx context.Context, client *authentik.Client, wanted *plan.File, out io.Writer) ([]plan.Step, error) {
	server, err := plan.Look(ctx, client)
	if err == nil {
		err = server.Possible(wanted)
	}
	if err != nil {
		return nil, err
	}
	steps, err := server.Steps(ctx, wanted)
	if err == nil {
		err = plan.Show(out, steps)
	}
	return steps, err
}
