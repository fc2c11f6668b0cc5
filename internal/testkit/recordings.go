package testkit

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go/internal/testkit/recording"
)

// ModuleFile returns the path of a file of this module, given relative to the
// module's root.
func ModuleFile(t testing.TB, name ...string) string {
	t.Helper()
	dir, err := os.Getwd()
	require.NoError(t, err)
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(append([]string{dir}, name...)...)
		}
		parent := filepath.Dir(dir)
		require.NotEqual(t, dir, parent, "outside of the module")
		dir = parent
	}
}

// Recordings returns all exchanges with real servers, by version.
func Recordings(t testing.TB) map[string][]recording.Exchange {
	t.Helper()
	all, err := recording.Versions(os.DirFS(ModuleFile(t, "testdata")), "recordings")
	require.NoError(t, err)
	require.NotEmpty(t, all)
	return all
}

// Recording returns the exchange with a server of this version that has this
// ID.
func Recording(t testing.TB, version, id string) recording.Exchange {
	t.Helper()
	for _, e := range Recordings(t)[version] {
		if e.ID == id {
			return e
		}
	}
	require.FailNow(t, "no such recording", "%s of %s", id, version)
	return recording.Exchange{}
}
