package main

import (
	"context"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go/authentiktest"
	"github.com/seed-299d42e7/authentik-go/examples/internal/cli"
	"github.com/seed-299d42e7/authentik-go/examples/internal/clitest"
)

var program clitest.Program = run

func TestTheDemoPrintsWhatLiesBesideIt(t *testing.T) {
	t.Parallel()
	program.Golden(t)
}

// errorsOf are the error types and sentinels that the library has.
func errorsOf(t *testing.T) (names []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../../errors.go", nil, parser.SkipObjectResolution)
	require.NoError(t, err)
	for _, declaration := range file.Decls {
		general, ok := declaration.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, spec := range general.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				if spec.Name.IsExported() {
					names = append(names, "*authentik."+spec.Name.Name)
				}
			case *ast.ValueSpec:
				if spec.Names[0].IsExported() {
					names = append(names, spec.Names[0].Name)
				}
			}
		}
	}
	return names
}

func TestEveryErrorOfTheLibraryIsProvokedCaughtAndExplained(t *testing.T) {
	t.Parallel()
	got := program.Demo(t)
	require.Equal(t, cli.OK, got.Code, got.Stderr)
	provoked := map[string]bool{}
	for line := range strings.Lines(got.Stdout) {
		if names, ok := strings.CutPrefix(line, "  caught: "); ok {
			for name := range strings.SplitSeq(strings.TrimSuffix(names, "\n"), ", ") {
				provoked[name] = true
			}
		}
	}
	names := errorsOf(t)
	require.GreaterOrEqual(t, len(names), 19)
	for _, name := range names {
		assert.True(t, provoked[name], "%s was not provoked", name)
	}
	assert.NotContains(t, got.Stdout, meaning(nil))
	assert.NotContains(t, got.Stdout, meaning(errors.New("of nobody knows whom")))
	assert.Equal(t, len(scenes), strings.Count(got.Stdout, "\n\n"))
}

func TestARealServerIsAskedOnlyForWhatItDoes(t *testing.T) {
	t.Parallel()
	srv := authentiktest.NewServer(t)
	got := program.Server(t, srv)
	require.Equal(t, cli.OK, got.Code, got.Stderr)
	for _, s := range scenes {
		assert.Equal(t, s.fault == nil, strings.Contains(got.Stdout, s.title+"\n"), s.title)
	}
	for _, request := range srv.Requests() {
		assert.Equal(t, "GET", request.Method)
	}
}

func TestCtrlCEndsIt(t *testing.T) {
	t.Parallel()
	ctx, interrupt := context.WithCancel(t.Context())
	interrupt()
	got := program.Env(ctx, t, nil)
	assert.Equal(t, cli.Interrupted, got.Code)
	assert.Empty(t, got.Stdout)
}

func TestArgumentsAreRefused(t *testing.T) {
	t.Parallel()
	assert.Equal(t, cli.Refused, program.Demo(t, "x").Code)
}
