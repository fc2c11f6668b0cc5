package recording_test

import (
	"os"
	"regexp"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go/internal/testkit/recording"
)

const date = `"response":{"status":200,"headers":[["Date","Thu, 26 Nov 2026 `

func TestSequences_AreInTheOrderInWhichTheyWereMade(t *testing.T) {
	t.Parallel()
	all, err := recording.Sequences(fstest.MapFS{
		"s/1.0/a.jsonl": {Data: []byte(`{"id":"late",` + date + `19:40:00 GMT"]]}}` + "\n")},
		"s/1.0/b.jsonl": {Data: []byte(`{"id":"one",` + date + `19:39:00 GMT"]]}}` + "\n" + `{"id":"two"}` + "\n")},
		"s/2.0/a.jsonl": {Data: []byte(`{"id":"other",` + date + `19:38:00 GMT"]]}}` + "\n")},
		"s/README.md":   {Data: []byte("no sequence")},
	}, "s")
	require.NoError(t, err)
	ids := map[string][][]string{}
	for version, sequences := range all {
		for _, sequence := range sequences {
			names := []string{sequence.Name}
			for _, e := range sequence.Exchanges {
				names = append(names, e.ID)
			}
			ids[version] = append(ids[version], names)
		}
	}
	assert.Equal(t, map[string][][]string{"1.0": {{"b", "one", "two"}, {"a", "late"}}, "2.0": {{"a", "other"}}}, ids)
}

func TestSequences_RefuseWhatIsNone(t *testing.T) {
	t.Parallel()
	for name, data := range map[string]string{
		"empty":   "",
		"no date": `{"id":"a"}` + "\n",
		"no JSON": "a\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := recording.Sequences(fstest.MapFS{"s/1.0/a.jsonl": {Data: []byte(data)}}, "s")
			assert.ErrorContains(t, err, "s/1.0/a.jsonl: ")
		})
	}
}

// The recordings of this project have no token and no cookie of a server.
func TestSequences_HaveNoSecrets(t *testing.T) {
	t.Parallel()
	all, err := recording.Sequences(os.DirFS("../../../testdata"), "sequences")
	require.NoError(t, err)
	require.Len(t, all, 3)
	exchanges := 0
	placeholder := regexp.MustCompile(`^(?:Bearer <[\w-]+-token>|authentik_\w+=(?:<\w+#\d+>|""|made-up-value-\d+)(?:; .*)?)$`)
	for version, sequences := range all {
		assert.Len(t, sequences, 9)
		for _, sequence := range sequences {
			for _, e := range sequence.Exchanges {
				exchanges++
				assert.Equal(t, version, e.Version)
				for _, h := range append(e.Request.Headers, e.Response.Headers...) {
					switch h[0] {
					case "Authorization", "Cookie", "Set-Cookie":
						assert.Regexp(t, placeholder, h[1], "%s of %s", e.ID, version)
					}
				}
			}
		}
	}
	assert.Greater(t, exchanges, 2800)
}
