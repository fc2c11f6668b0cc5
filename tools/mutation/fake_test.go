package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// A rule that the fake no longer has in this form would end a run after an hour.
func TestFakeRules_AreOnceInTheirFile(t *testing.T) {
	t.Parallel()
	for _, r := range fakeRules {
		source, err := os.ReadFile(filepath.Join("..", "..", fakePackage, r.file))
		if err != nil {
			t.Fatal(err)
		}
		if n := bytes.Count(source, []byte(r.is)); n != 1 {
			t.Errorf("%s: %d times in %s", r.name, n, r.file)
		}
	}
}
