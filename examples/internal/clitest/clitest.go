// Package clitest runs the examples in their tests.
package clitest

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/seed-299d42e7/authentik-go/examples/internal/cli"
	"github.com/seed-299d42e7/authentik-go/examples/internal/demo"
	"github.com/seed-299d42e7/authentik-go/internal/recorded"
	"github.com/seed-299d42e7/authentik-go/testdata"
)

// Token is what a Program asks a server with; it must not be printed.
const Token = "CANARY-token-ZXhhbXBsZXM"

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
	return p.run(t.Context(), t, nil, args)
}

// Env runs it with these variables set.
func (p Program) Env(t *testing.T, env map[string]string, args ...string) Result {
	t.Helper()
	return p.run(t.Context(), t, env, args)
}

// Server runs it against a server.
func (p Program) Server(ctx context.Context, t *testing.T, handler http.Handler, args ...string) Result {
	t.Helper()
	srv := httptest.NewServer(handler)
	t.Cleanup(srv.Close)
	return p.run(ctx, t, map[string]string{"AUTHENTIK_URL": srv.URL, "AUTHENTIK_TOKEN": Token}, args)
}

func (p Program) run(ctx context.Context, t *testing.T, env map[string]string, args []string) Result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := p(ctx, cli.Env{
		Args: args, Getenv: func(key string) string { return env[key] },
		Stdout: &stdout, Stderr: &stderr,
	})
	if strings.Contains(stdout.String()+stderr.String(), Token) {
		t.Fatal("the token is printed")
	}
	return Result{code, stdout.String(), stderr.String()}
}

// Recorded is an exchange of the server whose recording the demo replays.
func Recorded(t *testing.T, id string) recorded.Response {
	t.Helper()
	all, err := recorded.Load(testdata.Recordings, "recordings/"+demo.Version+".jsonl")
	i := slices.IndexFunc(all, func(e recorded.Exchange) bool { return e.ID == id })
	if err != nil || i < 0 {
		t.Fatal("no recording", id, err)
	}
	return all[i].Response
}

// Results are the objects of a recorded list, as JSON has them.
func Results(t *testing.T, id string) []map[string]any {
	t.Helper()
	list, ok := Object(t, id)["results"].([]any)
	if !ok || len(list) == 0 {
		t.Fatal("no list", id)
	}
	var results []map[string]any
	for _, result := range list {
		results = append(results, result.(map[string]any))
	}
	return results
}

// Object is a recorded object, as JSON has it.
func Object(t *testing.T, id string) map[string]any {
	t.Helper()
	var object map[string]any
	if err := json.Unmarshal(Recorded(t, id).Body(), &object); err != nil {
		t.Fatal(err)
	}
	return object
}
