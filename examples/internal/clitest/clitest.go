// Package clitest runs the examples in their tests.
package clitest

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"

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

// Vars are the variables that name a server.
func Vars(url, token string) map[string]string {
	return map[string]string{"AUTHENTIK_URL": url, "AUTHENTIK_TOKEN": token}
}

// Env runs it with these variables set. It must not print the one that has a
// token.
func (p Program) Env(ctx context.Context, t *testing.T, vars map[string]string, args ...string) Result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := p(ctx, cli.Env{
		Args: args, Getenv: func(key string) string { return vars[key] },
		Stdout: &stdout, Stderr: &stderr,
	})
	if token := vars["AUTHENTIK_TOKEN"]; token != "" && strings.Contains(stdout.String()+stderr.String(), token) {
		t.Fatal("the token is printed")
	}
	return Result{code, stdout.String(), stderr.String()}
}

// Golden checks that the demo prints what lies beside it, as .ci/run does.
func (p Program) Golden(t *testing.T) {
	t.Helper()
	want, err := os.ReadFile("output.txt")
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Demo(t); got.Code != cli.OK || got.Stdout != string(want) {
		t.Fatalf("exit code %d, and if this is right, it belongs into output.txt:\n%s%s", got.Code, got.Stdout, got.Stderr)
	}
}
