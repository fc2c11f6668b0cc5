// Command binding shows a flow stage binding with its stage and the flows that
// use that stage.
//
//	go run ./examples/binding 2578105f-19a7-4043-99e4-dbb46c8e382b
//
// With AUTHENTIK_URL and AUTHENTIK_TOKEN set, the command reads that server.
// Otherwise it reads a fake one, and shows any binding if none is named.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/google/uuid"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/examples/internal/cli"
)

const about = "Shows a binding of a stage to a flow, its stage, and the flows that use the stage. " +
	cli.ServerVariables

func main() { cli.Main(run) }

func run(ctx context.Context, env cli.Env) int {
	flags := flag.NewFlagSet("binding", flag.ContinueOnError)
	if err := env.Parse(flags, about, "[UUID]"); err != nil {
		return env.Exit(ctx, nil, err)
	}
	var id uuid.UUID
	if flags.NArg() > 0 {
		var err error
		if id, err = parseID(flags.Arg(0)); err != nil {
			return env.Exit(ctx, nil, fmt.Errorf("%w: UUID: %w", cli.ErrUsage, err))
		}
	}

	server, err := env.Connect()
	if err != nil {
		return env.Exit(ctx, nil, err)
	}
	defer server.Close()
	if flags.NArg() == 0 {
		if server.Demo == nil {
			return env.Exit(ctx, server, fmt.Errorf("%w: the UUID of a binding is missing", cli.ErrUsage))
		}
		id = server.Demo.Bindings()[0].PK
	}
	binding, err := server.BindingsRetrieve(ctx, id)
	if err == nil {
		err = show(env.Stdout, binding)
	}
	return env.Exit(ctx, server, err)
}

// parseID takes the form that authentik shows, and none of the others that
// uuid.Parse knows.
func parseID(s string) (uuid.UUID, error) {
	if len(s) != len(uuid.UUID{}.String()) {
		return uuid.Nil, errors.New("must have 36 characters, as 2578105f-19a7-4043-99e4-dbb46c8e382b")
	}
	return uuid.Parse(s)
}

// show prints a binding, its stage, and the flows that use the stage.
func show(w io.Writer, b *authentik.FlowStageBinding) error {
	var page bytes.Buffer
	t := tabwriter.NewWriter(&page, 0, 0, 2, ' ', 0)
	line := func(cells ...any) {
		for i, cell := range cells {
			if i > 0 {
				_, _ = fmt.Fprint(t, "\t")
			}
			_, _ = fmt.Fprint(t, cli.Printable(fmt.Sprint(cell)))
		}
		_, _ = fmt.Fprintln(t)
	}
	line("binding", b.PK)
	line("order", b.Order)
	line("policies evaluated", evaluated(b))
	line("policies needed", b.PolicyEngineMode)
	line("on a wrong answer", b.InvalidResponseAction)
	line("stage", b.StageObj.Name)
	line("kind", b.StageObj.VerboseName)
	line()
	line("FLOW", "DESIGNATION", "TITLE")
	for _, flow := range b.StageObj.FlowSet {
		if flow.PK == b.Target {
			line(flow.Slug, flow.Designation, flow.Title, "← this binding")
		} else {
			line(flow.Slug, flow.Designation, flow.Title)
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := w.Write(page.Bytes())
	return err
}

func evaluated(b *authentik.FlowStageBinding) string {
	switch {
	case b.EvaluateOnPlan && b.ReEvaluatePolicies:
		return "when the flow is planned, and when the stage is reached"
	case b.EvaluateOnPlan:
		return "when the flow is planned"
	case b.ReEvaluatePolicies:
		return "when the stage is reached"
	}
	return "never"
}
