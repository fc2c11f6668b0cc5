// Command diagram draws a flow: as Mermaid text, which GitHub shows in a README,
// or as an HTML page or an SVG image that need no network.
//
//	go run ./examples/diagram default-authentication-flow
//	go run ./examples/diagram -as html default-authentication-flow >flow.html
//
// With AUTHENTIK_URL and AUTHENTIK_TOKEN set it draws a flow of that server,
// otherwise one of a fake server.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/examples/internal/cli"
)

const about = "Draws a flow as Mermaid text, an SVG image or an HTML page. " +
	cli.ServerVariables

func main() { cli.Main(run) }

// formats are what the command writes.
var formats = map[string]func(w io.Writer, flow *authentik.Flow, g *graph) error{
	"mermaid":  writeMermaid,
	"markdown": writeMarkdown,
	"svg":      writeSVG,
	"html":     writeHTML,
}

func run(ctx context.Context, env cli.Env) int {
	var as string
	flags := flag.NewFlagSet("diagram", flag.ContinueOnError)
	flags.StringVar(&as, "as", "mermaid", "mermaid, markdown, svg or html")
	if err := env.Parse(flags, about, "[SLUG]"); err != nil {
		return env.Exit(ctx, nil, err)
	}
	write := formats[as]
	if write == nil {
		return env.Exit(ctx, nil, fmt.Errorf("%w: -as must be mermaid, markdown, svg or html", cli.ErrUsage))
	}
	server, err := env.Connect()
	if err != nil {
		return env.Exit(ctx, nil, err)
	}
	defer server.Close()
	slug := flags.Arg(0)
	if slug == "" {
		if server.Demo == nil {
			return env.Exit(ctx, server, fmt.Errorf("%w: which flow? Give its slug", cli.ErrUsage))
		}
		slug = "default-authentication-flow"
	}
	return env.Exit(ctx, server, draw(ctx, env, server.Client, slug, write))
}

func draw(
	ctx context.Context, env cli.Env, client *authentik.Client, slug string,
	write func(io.Writer, *authentik.Flow, *graph) error,
) error {
	flow, err := client.FlowsInstancesRetrieve(ctx, slug)
	if err != nil {
		return err
	}
	diagram, err := client.FlowsInstancesDiagramRetrieve(ctx, slug)
	if err != nil {
		return err
	}
	g, err := parse(diagram.Diagram)
	if err != nil {
		return err
	}
	if drawn := g.stages(); drawn < len(flow.Stages) {
		// The server draws a flow for anybody, and leaves out what the token
		// may not see.
		_, _ = fmt.Fprintf(env.Stderr, "The token may see %d of %d stages of the flow: it needs the permission %q.\n",
			drawn, len(flow.Stages), "Can view Flow Stage Binding")
	}
	var out strings.Builder
	if err := write(&out, flow, g); err != nil {
		return err
	}
	_, err = io.WriteString(env.Stdout, out.String())
	return err
}

// stages returns how many stages are drawn.
func (g *graph) stages() (n int) {
	for _, node := range g.nodes {
		if number, ok := strings.CutPrefix(node.id, "stage_"); ok && !strings.Contains(number, "_") {
			n++
		}
	}
	return n
}
