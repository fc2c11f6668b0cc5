package main

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCheck_ReportsWhatOneSystemLacks(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, text := range map[string]string{
		"go.mod":      "module example.com/m\n\ngo 1.26.0\n",
		"m.go":        "package m\n\nimport \"fmt\"\n\nvar Large int = 1 << 40\n\nfunc Print() { fmt.Println(Large) }\n",
		"m_linux.go":  "package m\n\nconst Linux = true\n",
		"m_test.go":   "package m\n\nvar inTest int = 1 << 41\n",
		"x_test.go":   "package m_test\n\nimport \"example.com/m\"\n\nvar _ = m.Linux\n",
		"sub/sub.go":  "package sub\n\nimport \"example.com/m\"\n\nvar _ = m.Large\n",
		"sub/none.go": "//go:build ignore\n\npackage none\n\nvar broken int = \"text\"\n",
	} {
		require.NoError(t, os.MkdirAll("sub", 0o700))
		require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
	}
	for system, want := range map[string][]string{
		"linux/amd64":   nil,
		"linux/386":     {"m.go:5:17: cannot use 1 << 40", "m_test.go:3:18: cannot use 1 << 41"},
		"windows/amd64": {"x_test.go:5:11: undefined: m.Linux"},
		"linux/none":    {"must be a system such as linux/386"},
		"linux":         {"must be a system such as linux/386"},
	} {
		n, err := check(system)
		if want == nil {
			require.NoError(t, err, system)
			assert.Equal(t, 4, n, "two packages, one of them again for each kind of test")
		}
		for _, text := range want {
			assert.ErrorContains(t, err, text, system)
		}
	}
}
