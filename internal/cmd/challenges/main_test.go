package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const dir = "../../../challenge"

func TestGenerate_FilesAreUpToDate(t *testing.T) {
	t.Parallel()
	files, err := generate(dir)
	require.NoError(t, err)
	require.Len(t, files, 2)
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		assert.Equal(t, string(want), string(got), "run go generate ./challenge")
	}
}

func TestGenerate_OmitsMethodsWrittenByHand(t *testing.T) {
	t.Parallel()
	into := t.TempDir()
	write := func(name, source string) {
		require.NoError(t, os.WriteFile(filepath.Join(into, name), []byte(source), 0o600))
	}
	_, err := generate(into)
	require.EqualError(t, err, "no table in components.go")
	write("components.go", `package challenge
var components = []component{{"a", new(A), new(AResponse)}, {"old-a", new(A), new(AResponse)}, {"b", new(B), nil}}`)
	write("by_hand.go", `package challenge
func (r AResponse) MarshalJSON() ([]byte, error) { return nil, nil }
func (b *B) Format() {}
func other() {}`)
	require.NoError(t, run(into))
	for name, want := range map[string][]string{
		challengeFile: {
			"func (c *A) Component() string", `c.component("a")`, "func (c A) MarshalJSON()", "func (c A) Format(",
			"func (c A) LogValue()", "func (c *B) Component()", "func (c B) MarshalJSON()", "func (c B) LogValue()",
		},
		responseFile: {
			`func (r AResponse) Component() string { return "a" }`, "func (r AResponse) Format(",
			"func (r AResponse) LogValue()",
		},
	} {
		got, err := os.ReadFile(filepath.Join(into, name))
		require.NoError(t, err)
		for _, text := range want {
			assert.Contains(t, string(got), text)
		}
		assert.NotContains(t, string(got), "old-a")
		assert.NotContains(t, string(got), "func (c B) Format(")
		assert.NotContains(t, string(got), "func (r AResponse) MarshalJSON(")
	}
	write("broken.go", "package")
	require.Error(t, run(into))
}
