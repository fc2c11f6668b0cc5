package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/authentiktest"
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
		`attachment; filename*=UTF-8''a%FF.yaml`:        "a.yaml",
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
	ok := testkit.Reply(200, testkit.JSON, `{"logs":[`+importLog+`],"success":true}`)
	notAllowed := testkit.Reply(405, testkit.JSON, `{"detail":"Method \"POST\" not allowed."}`)
	crash := testkit.Reply(405, testkit.HTML, "")
	for name, c := range map[string]struct {
		answers map[string]recording.Response
		sent    []string
		status  int // of the error, negative if it is ErrUnsupported
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
			-405,
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
				assert.True(t, result.Success)
				assert.NotNil(t, result.Logs)
				again, err := ak.FlowsInstancesImportCreate(t.Context(), []byte("version: 1"))
				require.NoError(t, err)
				assert.Equal(t, result, again)
				assert.Equal(t, append(c.sent, c.sent[len(c.sent)-1]), sent, "the path is remembered")
				return
			}
			assert.Nil(t, result)
			assert.Equal(t, c.status < 0, errors.Is(err, authentik.ErrUnsupported))
			assert.Equal(t, c.status > 0, errors.Is(err, authentik.ErrPerhapsDone))
			assert.Equal(t, c.status > 0, errors.Is(err, authentik.ErrServer))
			api, ok := errors.AsType[*authentik.APIError](err)
			require.True(t, ok)
			assert.Equal(t, max(c.status, -c.status), api.StatusCode)
		})
	}
}

// A server that was upgraded may import elsewhere.
func TestFlowsInstancesImportCreate_FindsAPathThatMoved(t *testing.T) {
	t.Parallel()
	var sent []string
	has := "/api/v3/flows/instances/import/"
	ak := testkit.NewClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent = append(sent, r.URL.Path)
		answer := testkit.Reply(405, testkit.JSON, `{"detail":"Method \"POST\" not allowed."}`)
		if r.URL.Path == has {
			answer = testkit.Reply(200, testkit.JSON, `{"logs":[`+importLog+`],"success":true}`)
		}
		answer.ServeHTTP(w, r)
	}))
	for _, path := range []string{"/api/v3/flows/instances/import/", "/api/v3/managed/blueprints/import/"} {
		has = path
		_, err := ak.FlowsInstancesImportCreate(t.Context(), []byte("version: 1"))
		require.NoError(t, err)
	}
	_, err := ak.FlowsInstancesImportCreate(t.Context(), []byte("version: 1"))
	require.NoError(t, err)
	assert.Equal(t, []string{
		"/api/v3/flows/instances/import/", "/api/v3/flows/instances/import/", "/api/v3/flows/instances/import_flow/",
		"/api/v3/managed/blueprints/import/", "/api/v3/managed/blueprints/import/",
	}, sent)
}

// A proxy that does not allow POST proves nothing about the release.
func TestFlowsInstancesImportCreate_BelievesNoProxy(t *testing.T) {
	t.Parallel()
	sent := 0
	ak := testkit.NewClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent++
		testkit.StaticHandler(http.StatusMethodNotAllowed, testkit.JSON, `{"message":"Method Not Allowed"}`)(w, r)
	}))
	result, err := ak.FlowsInstancesImportCreate(t.Context(), []byte("version: 1"))
	assert.Nil(t, result)
	require.ErrorIs(t, err, authentik.ErrNotAuthentik)
	require.NotErrorIs(t, err, authentik.ErrUnsupported)
	testkit.RequireType[*authentik.APIError](t, err)
	assert.Equal(t, 1, sent, "no other path is tried")
}

// older reports whether a release came before another one.
func older(version, than string) bool {
	return slices.Index(authentiktest.Versions(), version) < slices.Index(authentiktest.Versions(), than)
}

func TestFlowsInstancesImportCreate_RejectedFile(t *testing.T) {
	t.Parallel()
	for _, version := range authentiktest.Versions()[10:] { // before 2022.10 there is no result
		srv := authentiktest.NewServer(t, authentiktest.Version(version))
		unknown := "version: 1\nentries:\n- model: authentik_flows.nothing\n  identifiers:\n    pk: 1\n"
		result, err := srv.Client().FlowsInstancesImportCreate(t.Context(), []byte(unknown))
		assert.Nil(t, result, version)
		if errors.Is(err, authentik.ErrServer) {
			assert.True(t, older(version, "2023.10"), "2022.12 crashes")
			continue
		}
		failed := testkit.RequireType[*authentik.ImportError](t, err)
		require.NotErrorIs(t, err, authentik.ErrNotApplied, version)
		assert.False(t, failed.Result.Success)
		require.NotEmpty(t, failed.Result.Logs)
		assert.EqualError(t, err, "authentik: FlowsInstancesImportCreate: the server did not import the file: "+
			"Result.Logs has the reason (messages: "+strconv.Itoa(len(failed.Result.Logs))+")")
		var log testkit.Log
		log.Logger().Info("failed", "err", err)
		assert.NotContains(t, log.String(), failed.Result.Logs[0].Event)
		assert.Contains(t, log.String(), "err.op=FlowsInstancesImportCreate err.not_applied=false")
	}
}

// A document that is no mapping, and one without entries, import nothing. Up
// to 2023.8 nothing shows that.
func TestFlowsInstancesImportCreate_NothingToImport(t *testing.T) {
	t.Parallel()
	for _, version := range authentiktest.Versions()[10:] {
		srv := authentiktest.NewServer(t, authentiktest.Version(version))
		ak := srv.Client()
		for _, file := range []string{"- a\n", "version: 1\nentries: []\n"} {
			result, err := ak.FlowsInstancesImportCreate(t.Context(), []byte(file))
			if older(version, "2023.10") {
				require.NoError(t, err, version)
				assert.True(t, result.Success)
				continue
			}
			assert.Nil(t, result, version)
			require.ErrorIs(t, err, authentik.ErrNotApplied, version)
			assert.True(t, testkit.RequireType[*authentik.ImportError](t, err).Result.Success)
			assert.EqualError(t, err,
				"authentik: FlowsInstancesImportCreate: the server found nothing to import in the file")
		}
		export, err := ak.FlowsInstancesExportRetrieve(t.Context(), "default-source-enrollment")
		require.NoError(t, err)
		_, err = ak.FlowsInstancesImportCreate(t.Context(), export.Content)
		require.NoError(t, err, "%s: what is there already is imported all the same", version)
	}
}

func TestImportError_Literal(t *testing.T) {
	t.Parallel()
	err := &authentik.ImportError{}
	require.EqualError(t, err, "authentik: the server did not import the file and gave no reason")
	assert.NotErrorIs(t, err, authentik.ErrNotApplied)
	err.Result = &authentik.FlowImportResult{Success: true}
	require.ErrorIs(t, err, authentik.ErrNotApplied)
	assert.NotErrorIs(t, err, authentik.ErrPerhapsDone)
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
	require.Error(t, new(authentik.FlowImportLog).UnmarshalJSON([]byte(`{"n":1e999}`)), "a number that Go cannot hold")
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
		"", " ", "a.png", "javascript:alert(1)", "//cdn/a.png", "https://", "ftp://cdn/a.png", "ftp:/a.png",
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
	all = append(all, refusal{
		"FlowsInstancesSetBackgroundURLCreate", "url", "must be valid UTF-8",
		func(ctx context.Context, ak *authentik.Client) error {
			return ak.FlowsInstancesSetBackgroundURLCreate(ctx, "s", "https://cdn/\xff")
		},
	})
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

// backgroundCalls are the operations that releases since 2025.12 lack.
var backgroundCalls = map[string]func(context.Context, *authentik.Client) error{
	"FlowsInstancesSetBackgroundCreate": func(ctx context.Context, ak *authentik.Client) error {
		return ak.FlowsInstancesSetBackgroundCreate(ctx, "s", authentik.FlowBackground{Clear: true})
	},
	"FlowsInstancesSetBackgroundURLCreate": func(ctx context.Context, ak *authentik.Client) error {
		return ak.FlowsInstancesSetBackgroundURLCreate(ctx, "s", "/static/a.png")
	},
}

func TestFlowsInstancesSetBackground_UnsupportedSince2025_12(t *testing.T) {
	t.Parallel()
	for _, version := range authentiktest.Versions() {
		srv := authentiktest.NewServer(t, authentiktest.Version(version), authentiktest.Empty())
		srv.AddFlow(authentik.Flow{Slug: "s"})
		ak := srv.Client()
		requests := 0
		for op, call := range backgroundCalls {
			err := call(t.Context(), ak)
			requests++
			if older(version, "2025.12") {
				require.NoError(t, err, version)
				continue
			}
			require.ErrorIs(t, err, authentik.ErrUnsupported)
			assert.NotErrorIs(t, err, authentik.ErrPerhapsDone)
			assert.NotErrorIs(t, err, authentik.ErrServer)
			api, ok := errors.AsType[*authentik.APIError](err)
			require.True(t, ok)
			assert.Equal(t, 405, api.StatusCode)
			assert.NotContains(t, api.Error(), "crashed")
			assert.EqualError(t, err, "authentik: "+op+": authentik "+version+" does not support this, "+
				"releases up to 2025.10 do: use FlowsInstancesPartialUpdate with Background")
			assert.Len(t, srv.Requests(), requests+1, "the version is read once")
		}
	}
}

// Where the release has the operation, or is unknown, the write has crashed.
func TestFlowsInstancesSetBackground_Crash(t *testing.T) {
	t.Parallel()
	gone := testkit.Reply(405, testkit.HTML, "")
	for version, reply := range map[string]recording.Response{
		"2025.10":   testkit.Reply(200, testkit.JSON, `{"version_current":"2025.10.3"}`),
		"2021.12":   testkit.Reply(200, testkit.JSON, `{"version_current":"2021.12.5"}`),
		"unknown":   testkit.Reply(200, testkit.JSON, `{"version_current":"main"}`),
		"forbidden": testkit.Reply(403, testkit.JSON, `{}`),
	} {
		for op, call := range backgroundCalls {
			err := call(t.Context(), testkit.NewClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/api/v3/admin/version/" {
					reply.ServeHTTP(w, r)
					return
				}
				gone.ServeHTTP(w, r)
			})))
			require.ErrorIs(t, err, authentik.ErrServer, "%s %s", version, op)
			require.ErrorIs(t, err, authentik.ErrPerhapsDone)
			require.NotErrorIs(t, err, authentik.ErrUnsupported)
		}
	}
}

// A request for the version that fails does not make the known one unknown.
func TestFlowsInstancesSetBackground_KeepsTheKnownRelease(t *testing.T) {
	t.Parallel()
	requests := 0
	ak := testkit.NewClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reply := testkit.Reply(405, testkit.HTML, "")
		switch r.URL.Path {
		case "/api/v3/admin/version/":
			if requests++; requests == 1 {
				reply = testkit.Reply(200, testkit.JSON, `{"version_current":"2024.10.0"}`)
			} else {
				reply = testkit.Reply(403, testkit.JSON, `{}`)
			}
		case "/api/v3/flows/instances/import/":
			reply = testkit.Reply(200, testkit.JSON, `{"logs":[],"success":true}`)
		}
		reply.ServeHTTP(w, r)
	}))
	for range 2 {
		clearing := authentik.FlowBackground{Clear: true}
		require.ErrorIs(t, ak.FlowsInstancesSetBackgroundCreate(t.Context(), "s", clearing), authentik.ErrServer)
	}
	_, err := ak.FlowsInstancesImportCreate(t.Context(), []byte("version: 1"))
	require.ErrorIs(t, err, authentik.ErrNotApplied, "since 2023.10 an import has logs")
	assert.Equal(t, 2, requests)
}

// A 404 that is not the API's is about the path; the API's own is about the
// flow. Another error of a proxy is about neither.
func TestFlowsInstancesSetBackground_NotFound(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status int
		body   string
		want   error
	}{
		{404, "<html>", authentik.ErrUnsupported},
		{404, `{"detail":"Not found."}`, authentik.ErrNotFound},
		{403, "<html>", authentik.ErrForbidden},
	} {
		for op, call := range backgroundCalls {
			err := call(t.Context(), testkit.NewClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/api/v3/admin/version/" {
					testkit.Reply(200, testkit.JSON, `{"version_current":"2026.2.1"}`).ServeHTTP(w, r)
					return
				}
				testkit.Reply(c.status, testkit.HTML, c.body).ServeHTTP(w, r)
			})))
			require.ErrorIs(t, err, c.want, "%s: %d %s", op, c.status, c.body)
			assert.Equal(t, c.want == authentik.ErrUnsupported, errors.Is(err, authentik.ErrUnsupported)) //nolint:errorlint // the row's
		}
	}
}
