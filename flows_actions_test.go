package authentik_test

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/internal/testkit"
	"github.com/seed-299d42e7/authentik-go/internal/testkit/recording"
)

func TestFlowsInstancesExportRetrieve_ReturnsBytesUnchanged(t *testing.T) {
	t.Parallel()
	for content, contentType := range map[string]string{
		"context: {}\r\nentries:\n- !Find [a]\n": testkit.HTML,
		`{"version": 1}`:                         testkit.JSON,
		"\xef\xbb\xbf\x00\xff\u2028":             "",
		" ":                                      testkit.Text,
	} {
		answer := testkit.Reply(200, contentType, content, "Content-Disposition", `attachment; filename="s.akflow"`)
		export, err := testkit.NewClient(t, answer).FlowsInstancesExportRetrieve(t.Context(), "s")
		require.NoError(t, err)
		want := authentik.FlowExport{Filename: "s.akflow", ContentType: contentType, Content: []byte(content)}
		assert.Equal(t, want, *export)
	}
}

func TestFlowsInstancesExportRetrieve_FilenameIsABaseName(t *testing.T) {
	t.Parallel()
	for sent, want := range map[string]string{
		`attachment; filename="a_B-9.yaml"`:             "a_B-9.yaml",
		`attachment; filename=a.yaml`:                   "a.yaml",
		`ATTACHMENT; FileName="a.yaml"`:                 "a.yaml",
		`attachment; filename*=UTF-8''%C3%BC.yaml`:      "ü.yaml",
		`attachment; filename="../../etc/passwd"`:       "passwd",
		`attachment; filename="/etc/passwd"`:            "passwd",
		`attachment; filename="..\\..\\a.yaml"`:         "a.yaml",
		`attachment; filename="C:a.yaml"`:               "a.yaml",
		`attachment; filename*=UTF-8''..%2F..%2Fa.yaml`: "a.yaml",
		`attachment; filename*=UTF-8''a%00%0Ab.yaml`:    "ab.yaml",
		`attachment; filename=".bashrc"`:                "bashrc",
		`attachment; filename="a.yaml. "`:               "a.yaml",
		`attachment; filename=".."`:                     "s.yaml",
		`attachment; filename="a/"`:                     "s.yaml",
		`attachment; filename=""`:                       "s.yaml",
		`attachment`:                                    "s.yaml",
	} {
		answer := testkit.Reply(200, testkit.HTML, "version: 1", "Content-Disposition", sent)
		export, err := testkit.NewClient(t, answer).FlowsInstancesExportRetrieve(t.Context(), "s")
		require.NoError(t, err, sent)
		assert.Equal(t, want, export.Filename, sent)
	}
}

// A page of HTML is no export, although authentik calls an export so.
func TestFlowsInstancesExportRetrieve_RejectsWhatIsNoFile(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]recording.Response{
		"a page":       testkit.Reply(200, testkit.HTML, "<html>log in</html>"),
		"inline":       testkit.Reply(200, testkit.HTML, "x", "Content-Disposition", `inline; filename="a.yaml"`),
		"malformed":    testkit.Reply(200, testkit.HTML, "x", "Content-Disposition", `attachment; filename=`),
		"empty":        testkit.Reply(200, testkit.HTML, "", "Content-Disposition", `attachment; filename="a.yaml"`),
		"other status": testkit.Reply(206, testkit.HTML, "x", "Content-Disposition", `attachment; filename="a.yaml"`),
	} {
		export, err := testkit.NewClient(t, answer).FlowsInstancesExportRetrieve(t.Context(), "s")
		assert.Nil(t, export, name)
		testkit.RequireType[*authentik.DecodeError](t, err)
	}
}

func TestFlowsInstancesImportCreate_TriesThePathsOfEachRelease(t *testing.T) {
	t.Parallel()
	const (
		current    = "/api/v3/flows/instances/import/"
		old        = "/api/v3/flows/instances/import_flow/"
		blueprints = "/api/v3/managed/blueprints/import/"
	)
	ok := testkit.Reply(200, testkit.JSON, `{"logs":[],"success":true}`)
	notAllowed := testkit.Reply(405, testkit.JSON, `{"detail":"Method \"POST\" not allowed."}`)
	crash := testkit.Reply(405, testkit.HTML, "")
	for name, c := range map[string]struct {
		answers map[string]recording.Response
		sent    []string
		status  int // of the error
	}{
		"2022.10 to 2026.2": {map[string]recording.Response{current: ok}, []string{current}, 0},
		"up to 2022.9": {
			map[string]recording.Response{current: notAllowed, old: testkit.Reply(204, "", "")}, []string{current, old}, 0,
		},
		"since 2026.5": {
			map[string]recording.Response{current: notAllowed, old: notAllowed, blueprints: ok},
			[]string{current, old, blueprints},
			0,
		},
		"none": {
			map[string]recording.Response{current: notAllowed, old: notAllowed, blueprints: notAllowed},
			[]string{current, old, blueprints},
			405,
		},
		"a crash": {map[string]recording.Response{current: crash}, []string{current}, 405},
		"a crash of 2026.5": {
			map[string]recording.Response{current: notAllowed, old: notAllowed, blueprints: crash},
			[]string{current, old, blueprints},
			405,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var sent []string
			ak := testkit.NewClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				sent = append(sent, r.URL.Path)
				assert.Equal(t, "file=flow.yaml:version: 1", sentBody(t, r))
				c.answers[r.URL.Path].ServeHTTP(w, r)
			}))
			result, err := ak.FlowsInstancesImportCreate(t.Context(), []byte("version: 1"))
			assert.Equal(t, c.sent, sent)
			if c.status == 0 {
				require.NoError(t, err)
				assert.Equal(t, authentik.FlowImportResult{Success: true, Logs: []authentik.FlowImportLog{}}, *result)
				return
			}
			assert.Nil(t, result)
			assert.Equal(t, c.status, testkit.RequireType[*authentik.APIError](t, err).StatusCode)
		})
	}
}

func TestFlowImportLog_DecodesBothShapes(t *testing.T) {
	t.Parallel()
	for document, want := range map[string]authentik.FlowImportLog{
		`{"timestamp":"2026-11-22T22:31:02.106997Z","log_level":"warning","logger":"authentik.blueprints",` +
			`"event":"Entry invalid","attributes":{"error":{"a":[1]},"event":"inner"}}`: {
			Timestamp: "2026-11-22T22:31:02.106997Z", LogLevel: "warning", Logger: "authentik.blueprints",
			Event: "Entry invalid", Attributes: map[string]any{"error": map[string]any{"a": []any{1.0}}, "event": "inner"},
		},
		`{"timestamp":"t","log_level":"info","logger":null,"event":"e","attributes":{}}`: {
			Timestamp: "t", LogLevel: "info", Event: "e", Attributes: map[string]any{},
		},
		`{"action":"model_updated","event":"Created Event","log_level":"info","attributes":{"a":1}}`: {
			LogLevel: "info", Event: "Created Event",
			Attributes: map[string]any{"action": "model_updated", "attributes": map[string]any{"a": 1.0}},
		},
		`{"event":7}`: {Attributes: map[string]any{"event": 7.0}},
		`{}`:          {Attributes: map[string]any{}},
	} {
		var got authentik.FlowImportLog
		require.NoError(t, json.Unmarshal([]byte(document), &got))
		assert.Equal(t, want, got, document)
		encoded, err := json.Marshal(got)
		require.NoError(t, err)
		var again authentik.FlowImportLog
		require.NoError(t, json.Unmarshal(encoded, &again))
		assert.Equal(t, want, again, document)
	}
	for _, document := range []string{`null`, `[]`, `"x"`, `7`} {
		require.Error(t, new(authentik.FlowImportLog).UnmarshalJSON([]byte(document)), document)
		answer := testkit.Reply(200, testkit.JSON, `{"logs":[{},`+document+`],"success":true}`)
		_, err := testkit.NewClient(t, answer).FlowsInstancesImportCreate(t.Context(), []byte("x"))
		assert.Equal(t, "logs[1]", testkit.RequireType[*authentik.DecodeError](t, err).JSONPath)
	}
}

func TestFlowsInstancesSetBackgroundCreate_SendsAFileOrClear(t *testing.T) {
	t.Parallel()
	for want, background := range map[string]authentik.FlowBackground{
		"clear=true":        {Clear: true},
		"file=a.png:\x00\n": {Filename: "a.png", Content: []byte("\x00\n")},
	} {
		ak := testkit.NewClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			assert.Equal(t, want, sentBody(t, r))
			testkit.StaticHandler(http.StatusOK, testkit.JSON, `{}`)(w, r)
		}))
		require.NoError(t, ak.FlowsInstancesSetBackgroundCreate(t.Context(), "s", background))
	}
}

func TestFlowsInstancesActions_RefuseInvalid(t *testing.T) {
	t.Parallel()
	background := func(field, reason string, b authentik.FlowBackground) refusal {
		const op = "FlowsInstancesSetBackgroundCreate"
		return refusal{op, field, reason, func(ctx context.Context, ak *authentik.Client) error {
			return ak.FlowsInstancesSetBackgroundCreate(ctx, "s", b)
		}}
	}
	const (
		both   = "must not be set together with a file"
		noFile = "must not be empty unless Clear is set"
		noBase = "must be the name of a file without a directory"
	)
	all := []refusal{
		background("Clear", both, authentik.FlowBackground{Clear: true, Content: []byte("x")}),
		background("Clear", both, authentik.FlowBackground{Clear: true, Filename: "a.png"}),
		background("Content", noFile, authentik.FlowBackground{}),
		background("Content", noFile, authentik.FlowBackground{Filename: "a.png", Content: []byte{}}),
		{"FlowsInstancesImportCreate", "content", "must not be empty", func(ctx context.Context, ak *authentik.Client) error {
			_, err := ak.FlowsInstancesImportCreate(ctx, nil)
			return err
		}},
	}
	for _, name := range []string{"", ".", "..", "a/b.png", `a\b.png`, "C:b.png", "a\n.png", ".a.png", "a\xff.png"} {
		all = append(all, background("Filename", noBase, authentik.FlowBackground{Filename: name, Content: []byte("x")}))
	}
	for _, link := range []string{
		"", " ", "a.png", "javascript:alert(1)", "//cdn/a.png", "https://", "ftp://cdn/a.png",
		"https:a.png", "http://[", "?a",
	} {
		const reason = "must begin with https:// or http://, or with a slash"
		all = append(all, refusal{
			"FlowsInstancesSetBackgroundURLCreate", "url", reason,
			func(ctx context.Context, ak *authentik.Client) error {
				return ak.FlowsInstancesSetBackgroundURLCreate(ctx, "s", link)
			},
		})
	}
	testRefusals(t, all)
	for _, link := range []string{"https://cdn/a.png?b=c", "http://cdn", "/static/a.png"} {
		ak := testkit.NewClient(t, &testkit.Stub{Body: `{}`})
		require.NoError(t, ak.FlowsInstancesSetBackgroundURLCreate(t.Context(), "s", link), link)
	}
}

func TestFlowsInstancesExecuteRetrieve_RejectsAnEmptyLink(t *testing.T) {
	t.Parallel()
	_, err := testkit.NewClient(t, &testkit.Stub{Body: `{"link":""}`}).FlowsInstancesExecuteRetrieve(t.Context(), "s")
	assert.Equal(t, "link", testkit.RequireType[*authentik.DecodeError](t, err).JSONPath)
}
