package authentiktest_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/authentiktest"
)

// PyYAML 6.0.4 reads these documents as the same values, but for the variable
// of the environment, which is that of authentik.
func TestImport_ReadsYAMLAsPython(t *testing.T) {
	t.Parallel()
	for document, want := range map[string]string{
		"---\na: 1\n":                           `{"a":1}`,
		"a: 1\n...\n":                           `{"a":1}`,
		"# first\na: b  # last\n# end\n":        `{"a":"b"}`,
		"a: b # c: d\ne f : 1 # g\n":            `{"a":"b","e f":1}`,
		"- 7  # one\n- b#c\n":                   `[7,"b#c"]`,
		"[a # one\n, b]\n":                      `["a","b"]`,
		"a: b\n  c\n\n  d\n":                    `{"a":"b c\nd"}`,
		"a: 'b\n\n\n  it''s'\n":                 `{"a":"b\n\nit's"}`,
		`a: "b\` + "\n    \\ c\"\n":             `{"a":"b c"}`,
		`"\x41\u00e9\U0001F600\t\/\ \"" : 1`:    `{"Aé😀\t/ \"":1}`,
		"'it''s': [{x: ~, y: [Yes, off]}, 1.0]": `{"it's":[{"x":null,"y":[true,false]},1.0]}`,
		"{\"a\": {}, b: [], c: 'd'}":            `{"a":{},"b":[],"c":"d"}`,
		"a:\n- - 1\n  - b: 2\n    c: 3\n- []\n": `{"a":[[1,{"b":2,"c":3}],[]]}`,
		"a:\nb:\n  http://c:d\n":                `{"a":null,"b":"http://c:d"}`,
		"a: !Env HOME\nb: [!Env HOME, 1]\n":     `{"a":"/root","b":["/root",1]}`,
		"a: !Env NOT_SET\n":                     `{"a":null}`,
	} {
		got, err := authentiktest.ParseYAML([]byte(document))
		require.NoError(t, err, document)
		assert.Equal(t, want, string(got), document)
	}
}

// PyYAML refuses these documents, too, but for the anchor, the block scalar and
// the pair in a list, which the fake does not read.
func TestImport_RefusesYAMLAsPython(t *testing.T) {
	t.Parallel()
	for _, document := range []string{
		"a: b: c\n", "a: - b\n", "a: b\n  c: d\n", "a: \"b\"\n  c: d\n", "a: 1\nb\n", "- \"a\"\n  b\n", "\"a\" b\n",
		`"a`, "'a", `"\q"`, `"\q": 1`, `"\U00110000"`, `"\UFFFFFFFF"`, "\"\x01\"", "\"\xff\"",
		"a: !Unknown b\n", "a: *b\n", "a: @b\n", "a: `b\n", "a: %b\n", "[", "[a", "[a b: {", "{a: 1", "{a}b", "[a] b", "]",
		"a: &b 1\n", "a: |\n  b\n", "[a: 1]\n",
		strings.Repeat("[", 101), strings.Repeat("- ", 101) + "a\n",
	} {
		_, err := authentiktest.ParseYAML([]byte(document))
		assert.EqualError(t, err, "authentiktest: not the YAML that the fake reads", document)
	}
	srv := authentiktest.RoundTripper(t, authentiktest.Version("2026.8"))
	status, _ := upload(t, srv, importPath("2026.8"), "version: 1\nentries: yes: no\n")
	assert.Equal(t, http.StatusMethodNotAllowed, status, "as after any error of authentik")
}

// PyYAML 6.0.4 writes these titles so, in the document of an export.
func TestExport_BreaksLinesAsPython(t *testing.T) {
	t.Parallel()
	const words = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
	for title, want := range map[string]string{
		"\u4f60\u00e9": `title: "\u4F60\xE9"` + "\n",
		words: "title: one two three four five six seven eight nine ten eleven twelve thirteen\n" +
			"      fourteen fifteen sixteen\n",
		"# " + words: "title: '# one two three four five six seven eight nine ten eleven twelve thirteen\n" +
			"      fourteen fifteen sixteen'\n",
		"\U0001F600 \x7f " + words: `title: "\U0001F600 \x7F one two three four five six seven eight nine ten eleven\` +
			"\n      \\ twelve thirteen fourteen fifteen sixteen\"\n",
		"it's\n\n" + words: "title: 'it''s\n\n\n      one two three four five six seven eight nine ten eleven twelve thirteen fourteen\n" +
			"      fifteen sixteen'\n",
	} {
		srv := authentiktest.RoundTripper(t, authentiktest.Empty())
		srv.AddFlow(authentik.Flow{Slug: "a", Title: title})
		_, export := tell(t, srv, srv.Token, http.MethodGet, "flows/instances/a/export/", "")
		assert.Contains(t, export, want)
		document, err := authentiktest.ParseYAML([]byte(export))
		require.NoError(t, err)
		quoted, err := json.Marshal(title)
		require.NoError(t, err)
		assert.Contains(t, string(document), `"title":`+string(quoted))
	}
}
