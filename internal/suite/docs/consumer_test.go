package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go/internal/testkit"
)

// Every public name stands in testdata/consumer, a program of its own, and so
// it compiles: a name that changes or goes breaks it.
func TestConsumer_UsesEveryPublicName(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(testkit.ModuleFile(t, "testdata", "consumer", "*.go"))
	require.NoError(t, err)
	var consumer strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		consumer.Write(text)
	}
	names := publicNames(t)
	require.Greater(t, len(names), 100)
	for _, name := range names {
		assert.Regexp(t, `\b`+regexp.QuoteMeta(name)+`\b`, consumer.String(), "%s is missing", name)
	}
	build := exec.CommandContext(t.Context(), "go", "vet", ".")
	build.Dir = testkit.ModuleFile(t, "testdata", "consumer")
	build.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=readonly")
	output, err := build.CombinedOutput()
	require.NoError(t, err, "%s", output)
}

// publicNames are the exported functions, types, fields, constants and
// variables of the package. The methods are in the consumer's interfaces.
func publicNames(t *testing.T) (names []string) {
	t.Helper()
	add := func(ids ...*ast.Ident) {
		for _, id := range ids {
			if id.IsExported() {
				names = append(names, id.Name)
			}
		}
	}
	entries, err := os.ReadDir(testkit.ModuleFile(t))
	require.NoError(t, err)
	for _, entry := range entries {
		if !strings.HasSuffix(entry.Name(), ".go") || strings.HasSuffix(entry.Name(), "_test.go") {
			continue
		}
		file, err := parser.ParseFile(
			token.NewFileSet(),
			testkit.ModuleFile(t, entry.Name()),
			nil,
			parser.SkipObjectResolution,
		)
		require.NoError(t, err)
		for _, declaration := range file.Decls {
			switch d := declaration.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil {
					add(d.Name)
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					switch s := spec.(type) {
					case *ast.ValueSpec:
						add(s.Names...)
					case *ast.TypeSpec:
						add(s.Name)
						if fields, ok := s.Type.(*ast.StructType); ok && s.Name.IsExported() {
							for _, field := range fields.Fields.List {
								add(field.Names...)
							}
						}
					}
				}
			}
		}
	}
	return names
}
