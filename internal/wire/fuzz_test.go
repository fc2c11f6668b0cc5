package wire_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go/internal/wire"
)

var surrogate = regexp.MustCompile(`\\u[dD][89a-fA-F]`)

// FuzzCheck compares Check with encoding/json. encoding/json accepts every document
// that Check accepts. A document that only encoding/json accepts is not UTF-8, or
// may have a lone surrogate.
func FuzzCheck(f *testing.F) {
	for _, seed := range []string{
		object(slices.Concat(members, extras)...), `null`, `{}`, ` [ ] `, `-0.0E-0`, `1e308`, `1e309`, `1e-999999`, `01`, `1.`, `-.5`, `-e5`, `"`, `"\`,
		`"\ud83d\ude00"`, `"\ud800"`, `"\udc00\ud800"`, `{"a":1,"a":2}`, `{"a":1,}`, `[1 2]`, `{"a"}`, "\ufeff{}", "\"\xff\"", "\"\x00\"", "\x00", "1 1",
		strings.Repeat("[", 20) + strings.Repeat("]", 20),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		err := wire.Check(data)
		var v any
		theirs := json.Unmarshal(data, &v)
		switch {
		case err == nil:
			require.NoError(t, theirs)
			require.True(t, utf8.Valid(data))
		case theirs == nil && utf8.Valid(data) && !surrogate.Match(data):
			require.NoError(t, err)
		default:
			var e *wire.Error
			require.ErrorAs(t, err, &e)
			assert.True(t, 0 <= e.Start && e.Start <= e.End && e.End <= len(data), "%+v", e)
		}
	})
}
