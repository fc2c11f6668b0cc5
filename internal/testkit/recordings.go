package testkit

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
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

// Recordings returns all exchanges with real servers, by version. They are read
// once; a test must not change one.
func Recordings(t testing.TB) map[string][]recording.Exchange {
	t.Helper()
	return read(t, exchanges)
}

// Sequences returns all sequences of exchanges with real servers, by version.
// They are read once; a test must not change one.
func Sequences(t testing.TB) map[string][]recording.Sequence {
	t.Helper()
	return read(t, sequences)
}

var (
	exchanges = reader(recording.Versions, "recordings")
	sequences = reader(recording.Sequences, "sequences")
)

// reader returns a function that reads a directory of testdata at its first
// call. Reading takes seconds with the race detector.
func reader[T any](
	parse func(fs.FS, string) (map[string][]T, error), dir string,
) func(testdata string) (map[string][]T, error) {
	var once sync.Once
	var all map[string][]T
	var err error
	return func(testdata string) (map[string][]T, error) {
		once.Do(func() { all, err = parse(os.DirFS(testdata), dir) })
		return all, err
	}
}

// read returns a map that the test may change.
func read[T any](t testing.TB, from func(testdata string) (map[string][]T, error)) map[string][]T {
	t.Helper()
	all, err := from(ModuleFile(t, "testdata"))
	require.NoError(t, err)
	require.NotEmpty(t, all)
	all = maps.Clone(all)
	for version := range all {
		all[version] = slices.Clip(all[version])
	}
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
