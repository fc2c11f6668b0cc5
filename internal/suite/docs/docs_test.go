// Package docs_test checks the documentation of the root package and all
// Markdown files: every exported name has a doc comment and an example, links
// lead somewhere, and the code of README.md and docs/MIGRATION.md compiles.
package docs_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/seed-299d42e7/authentik-go/internal/testkit"
	"github.com/seed-299d42e7/authentik-go/internal/testkit/doccheck"
)

func TestDocumentation_IsComplete(t *testing.T) {
	t.Parallel()
	// What errors and models have for fmt, errors, slog and encoding/json is in
	// the examples of their types.
	others := []string{"Error", "Unwrap", "Is", "LogValue", "MarshalJSON", "UnmarshalJSON", "Known"}
	doccheck.Package(t, testkit.ModuleFile(t), "github.com/seed-299d42e7/authentik-go", func(method string) bool {
		return method == "EmailLink.Component" || slices.Contains(others, method[strings.LastIndex(method, ".")+1:])
	})
	data := slices.Concat(others, []string{"Component", "Info", "Errors", "Format"})
	const challenge = "github.com/seed-299d42e7/authentik-go/challenge"
	doccheck.Package(t, testkit.ModuleFile(t, "challenge"), challenge, func(method string) bool {
		return slices.Contains(data, method[strings.LastIndex(method, ".")+1:])
	})
	doccheck.Markdown(t, testkit.ModuleFile(t))
}
