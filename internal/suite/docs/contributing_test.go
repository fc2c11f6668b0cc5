package docs_test

import (
	"encoding/json"
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

// newField is the line that CONTRIBUTING.md asks for, for a field of a release
// to come.
const newField = "\tColor string `json:\"color,omitzero\" since:\"2027.2\"`\n"

// program reads a flow that has the new field from a server, and writes it back.
const program = `package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/authentiktest"
)

func main() {
	srv := authentiktest.Start()
	defer srv.Close()
	client, err := authentik.NewClient(srv.URL, srv.Token)
	if err != nil {
		panic(err)
	}
	old, err := client.FlowsInstancesRetrieve(context.Background(), "initial-setup")
	if err != nil {
		panic(err)
	}
	old.Color = "red"
	body, err := json.Marshal(old)
	if err != nil {
		panic(err)
	}
	srv.FailNext(1, 200, string(body), nil)
	flow, err := client.FlowsInstancesRetrieve(context.Background(), "initial-setup")
	if err != nil {
		panic(err)
	}
	fmt.Printf("%q", flow.Color)
	srv.FailNext(1, 200, strings.ReplaceAll(string(body), "\"red\"", "1"), nil)
	_, err = client.FlowsInstancesRetrieve(context.Background(), "initial-setup")
	fmt.Print(err)
}
`

// One line in the struct is all that a new field needs: with it, the library
// decodes, checks and encodes the field.
func TestCONTRIBUTING_NewFieldIsOneLine(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(testkit.ModuleFile(t, ".github", "CONTRIBUTING.md"))
	require.NoError(t, err)
	line := regexp.MustCompile("(?m)^Layout FlowLayout `json:.*`$").FindString(string(text))
	require.NotEmpty(t, line, "CONTRIBUTING.md shows a line of Flow")

	source, err := os.ReadFile(testkit.ModuleFile(t, "flows.go"))
	require.NoError(t, err)
	before, after, found := strings.Cut(string(source), "type Flow struct {\n")
	require.True(t, found)
	dir := t.TempDir()
	changed := filepath.Join(dir, "flows.go")
	require.NoError(t, os.WriteFile(changed, []byte(before+"type Flow struct {\n"+newField+after), 0o600))
	main := filepath.Join(dir, "main.go")
	require.NoError(t, os.WriteFile(main, []byte(program), 0o600))
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {
		testkit.ModuleFile(t, "flows.go"):                        changed,
		testkit.ModuleFile(t, "internal", "newfield", "main.go"): main,
	}})
	require.NoError(t, err)
	overlayFile := filepath.Join(dir, "overlay.json")
	require.NoError(t, os.WriteFile(overlayFile, overlay, 0o600))

	run := exec.CommandContext(t.Context(), "go", "run", "-overlay", overlayFile, "./internal/newfield")
	run.Dir = testkit.ModuleFile(t)
	output, err := run.CombinedOutput()
	require.NoError(t, err, "%s", output)
	assert.Contains(t, string(output), `"red"authentik: FlowsInstancesRetrieve: `)
	assert.Contains(t, string(output), "color: a number, want a string")
}
