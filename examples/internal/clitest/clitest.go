// Package clitest runs the examples in their tests.
package clitest

import (
	"bytes"
	"context"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/authentiktest"
	"github.com/seed-299d42e7/authentik-go/examples/internal/cli"
)

// Program is an example's run.
type Program func(context.Context, cli.Env) int

// Result is what it came to.
type Result struct {
	Code           int
	Stdout, Stderr string
}

// Demo runs it with nothing set.
func (p Program) Demo(t *testing.T, args ...string) Result {
	t.Helper()
	return p.Env(t.Context(), t, nil, args...)
}

// Server runs it against a server.
func (p Program) Server(t *testing.T, srv *authentiktest.Server, args ...string) Result {
	t.Helper()
	return p.Env(t.Context(), t, Vars(srv.URL, srv.Token), args...)
}

// Input runs it against a server, and types something. The client does not wait
// between attempts.
func (p Program) Input(ctx context.Context, t *testing.T, url, token, typed string, args ...string) Result {
	t.Helper()
	return p.Run(ctx, t, Vars(url, token), typed, args...)
}

// Run is Input with these variables set.
func (p Program) Run(ctx context.Context, t *testing.T, vars map[string]string, typed string, args ...string) Result {
	t.Helper()
	return p.run(ctx, t, cli.Env{
		Args: args, Stdin: strings.NewReader(typed),
		Options: []authentik.ClientOption{authentik.WithRetry(authentik.RetryPolicy{BaseDelay: -1})},
	}, vars)
}

// Vars are the variables that name a server.
func Vars(url, token string) map[string]string {
	return map[string]string{"AUTHENTIK_URL": url, "AUTHENTIK_TOKEN": token}
}

// Env runs it with these variables set. It must not print the one that has a
// token.
func (p Program) Env(ctx context.Context, t *testing.T, vars map[string]string, args ...string) Result {
	t.Helper()
	return p.run(ctx, t, cli.Env{Args: args, Stdin: strings.NewReader("")}, vars)
}

func (p Program) run(ctx context.Context, t *testing.T, env cli.Env, vars map[string]string) Result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	env.Getenv, env.Stdout, env.Stderr = func(key string) string { return vars[key] }, &stdout, &stderr
	code := p(ctx, env)
	if token := vars["AUTHENTIK_TOKEN"]; token != "" && strings.Contains(stdout.String()+stderr.String(), token) {
		t.Fatal("the token is printed")
	}
	return Result{code, stdout.String(), stderr.String()}
}

// reads returns the variables that the program reads before it uses the demo.
func (p Program) reads(t *testing.T) map[string]bool {
	t.Helper()
	read := map[string]bool{}
	p(t.Context(), cli.Env{
		Getenv: func(key string) string { read[key] = true; return "" },
		Stdin:  strings.NewReader(""), Stdout: io.Discard, Stderr: io.Discard,
	})
	return read
}

// Golden checks that the demo prints what lies beside it, as .ci/run does, and
// that the help text names the variables that the program reads.
func (p Program) Golden(t *testing.T) {
	t.Helper()
	want, err := os.ReadFile("output.txt")
	if err != nil {
		t.Fatal(err)
	}
	help := p.Demo(t, "-h")
	if help.Code != cli.OK || help.Stdout != "" {
		t.Fatalf("exit code %d of -h, which is to print to stderr only: %s", help.Code, help.Stdout)
	}
	for variable := range p.reads(t) {
		if !strings.Contains(help.Stderr, variable) {
			t.Fatalf("-h does not name %s:\n%s", variable, help.Stderr)
		}
	}
	if got := p.Demo(t); got.Code != cli.OK || got.Stdout != string(want) {
		t.Fatalf("exit code %d, and if this is right, it belongs into output.txt:\n%s%s", got.Code, got.Stdout, got.Stderr)
	}
}
