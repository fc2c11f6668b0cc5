// Command promote copies a flow from one server to another, such as from the
// one where it was tried out to the one that people use. The servers may be of
// different releases.
//
//	go run ./examples/promote -plan partners
//	go run ./examples/promote partners
//
// The command prints how it is about to copy the flow, and what cannot be
// carried over. It asks before it leaves anything out or deletes anything, and
// compares both servers in the end. A second run changes nothing.
//
// AUTHENTIK_URL and AUTHENTIK_TOKEN name the server to copy from, and
// AUTHENTIK_TARGET_URL and AUTHENTIK_TARGET_TOKEN the server to copy to.
// Without any of them, the command copies between two fake servers.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/authentiktest"
	"github.com/seed-299d42e7/authentik-go/examples/internal/cli"
	"github.com/seed-299d42e7/authentik-go/examples/internal/plan"
)

// Exit codes, beside those of package cli.
const (
	pending  = 3 // with -plan: the servers differ
	declined = 4 // nobody agreed, so nothing was changed
)

const about = "Copies a flow from one server to another. " +
	"AUTHENTIK_URL and AUTHENTIK_TOKEN name the server to copy from, AUTHENTIK_TARGET_URL and " +
	"AUTHENTIK_TARGET_TOKEN the server to copy to; without all of them, both are fake ones."

func main() { cli.Main(run) }

func run(ctx context.Context, env cli.Env) int {
	var onlyPlan, agreed bool
	flags := flag.NewFlagSet("promote", flag.ContinueOnError)
	flags.BoolVar(&onlyPlan, "plan", false, "only print the changes; exit with 3 if there are any")
	flags.BoolVar(&agreed, "yes", false, "leave out what cannot be carried over, and delete, without asking")
	if err := env.Parse(flags, about, "[SLUG]"); err != nil {
		return env.Exit(ctx, nil, err)
	}
	from, to, err := connect(env)
	if err != nil {
		return env.Exit(ctx, nil, err)
	}
	defer from.Close()
	defer to.Close()
	slug := flags.Arg(0)
	if slug == "" {
		if from.Demo == nil {
			return env.Exit(ctx, from, fmt.Errorf("%w: which flow? Give its slug", cli.ErrUsage))
		}
		slug = demoSlug
	}
	p := &promotion{env: env, from: from, to: to}
	exit := func(err error) int {
		if errors.Is(err, errSource) {
			return env.Exit(ctx, from, err)
		}
		return env.Exit(ctx, to, err)
	}
	if err := p.prepare(ctx, slug); err != nil {
		return exit(err)
	}
	if err := p.show(); err != nil {
		return exit(err)
	}
	switch {
	case !p.byImport && len(p.steps) == 0:
		return cli.OK
	case onlyPlan:
		return pending
	}
	if question := p.question(); question != "" && !agreed {
		if agreed, err = env.Confirm(ctx, question); err != nil {
			return exit(err)
		} else if !agreed {
			_, _ = fmt.Fprintln(env.Stderr, "Nothing was changed. Answer y, or use -yes.")
			return declined
		}
	}
	return exit(p.run(ctx))
}

// demoSlug is a flow that the demo's first server has and its second one lacks.
const demoSlug = "partners"

var variables = [...]string{"AUTHENTIK_URL", "AUTHENTIK_TOKEN", "AUTHENTIK_TARGET_URL", "AUTHENTIK_TARGET_TOKEN"}

// connect makes clients of both servers, or of two fake ones.
func connect(env cli.Env) (from, to *cli.Server, err error) {
	if !slices.ContainsFunc(variables[:], func(name string) bool { return env.Getenv(name) != "" }) {
		_, _ = fmt.Fprintf(env.Stderr, "These are two fake servers. Set %s to use your own.\n",
			strings.Join(variables[:], ", "))
		if from, err = env.Fake(demoSource()); err == nil {
			to, err = env.Fake(authentiktest.Start())
		}
	} else if url := root(env, variables[0]); url != "" && url == root(env, variables[2]) {
		err = fmt.Errorf("%w: %s and %s are the same server", cli.ErrUsage, variables[0], variables[2])
	} else if from, err = env.Real(variables[0], variables[1]); err == nil {
		if to, err = env.Real(variables[2], variables[3]); err != nil {
			err = fmt.Errorf("%s, %s: %w", variables[2], variables[3], err)
		}
	}
	if err != nil && from != nil {
		from.Close()
	}
	return from, to, err
}

// root is a URL as two servers are compared by it.
func root(env cli.Env, variable string) string { return strings.TrimRight(env.Getenv(variable), "/") }

// demoSource is a server with a flow of its own.
func demoSource() *authentiktest.Server {
	srv := authentiktest.Start(authentiktest.Version("2024.10"))
	srv.AddFlow(authentik.Flow{
		Slug: demoSlug, Name: "Partners", Title: "Join us!", Designation: authentik.FlowDesignationEnrollment,
		Authentication: authentik.FlowAuthenticationRequireUnauthenticated, Layout: authentik.FlowLayoutContentLeft,
	})
	srv.AddStages(demoSlug,
		authentiktest.PromptStage{Name: "partners-form", Fields: []authentiktest.PromptField{{Key: "username"}}},
		authentiktest.UserWriteStage{Name: "partners-write", AlwaysCreate: true},
		authentiktest.UserLoginStage{Name: "partners-login"},
	)
	return srv
}

// show prints how the flow is about to be copied, and what is left out.
func (p *promotion) show() error {
	err := p.print("%s: from authentik %s to authentik %s, %s\n", p.flow.Slug, p.fromVersion, p.toVersion, p.way())
	if err == nil && p.byImport {
		err = p.print("+ flow %s\n", p.flow.Slug)
		for _, b := range p.bindings {
			if err == nil {
				err = p.print("+ stage %s (%s), order %d\n", b.StageObj.Name, b.StageObj.VerboseName, b.Order)
			}
		}
	} else if err == nil {
		err = plan.Show(p.env.Stdout, p.steps)
	}
	for _, list := range []struct {
		title string
		lines []string
	}{{"cannot be carried over", p.losses}, {"only on the target, and left there", p.extras}} {
		if err == nil && list.lines != nil {
			err = p.print("%s:\n", list.title)
		}
		for _, line := range list.lines {
			if err == nil {
				err = p.print("    %s\n", line)
			}
		}
	}
	return err
}

func (p *promotion) way() string {
	if p.byImport {
		return "by export and import, because the target has none of its stages"
	}
	return "by operations, with the target's own stages of the same names"
}

// question is what to ask before the flow is copied, "" for nothing.
func (p *promotion) question() string {
	question := plan.Question(p.steps)
	if p.losses != nil {
		question = "Leave out what cannot be carried over? [y/N] "
		if deletes := plan.Question(p.steps); deletes != "" {
			question = "Leave out what cannot be carried over? " + deletes
		}
	}
	return question
}

func (p *promotion) print(format string, args ...any) error {
	for i, arg := range args {
		if text, ok := arg.(string); ok {
			args[i] = cli.Printable(text)
		}
	}
	_, err := fmt.Fprintf(p.env.Stdout, format, args...)
	return err
}
