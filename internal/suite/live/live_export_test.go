package live_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/internal/testkit/conformance"
	"github.com/seed-299d42e7/authentik-go/internal/testkit/recording"
)

// restore exports the flow, deletes it, and imports it again: all of it is as
// before, but for the identifier in another table.
func (w *writer) restore(t *testing.T) {
	export := w.export(t)
	before := w.state(t)
	require.NoError(t, w.ak.FlowsInstancesDestroy(t.Context(), w.renamed))
	_, err := w.ak.FlowsInstancesRetrieve(t.Context(), w.renamed)
	w.gone(t, flowPath(w.renamed), err)

	result, err := w.ak.FlowsInstancesImportCreate(t.Context(), export.Content)
	require.NoError(t, err)
	assert.True(t, result.Success)
	assert.Equal(t, before, w.state(t))
	w.sameAs(t, flowPath(w.renamed), asFlow, func(ctx context.Context) (any, error) {
		return w.ak.FlowsInstancesRetrieve(ctx, w.renamed)
	})
	w.sameImports(t, export.Content)
	assert.Equal(t, before, w.state(t))
}

// exportTime is what differs between two exports of a flow.
var exportTime = regexp.MustCompile(`authentik Export - [-0-9]+ [0-9:.+]+`)

func (w *writer) export(t *testing.T) (export *authentik.FlowExport) {
	t.Helper()
	w.eventually(t, func() (all []string) {
		answer := w.fetch(t, flowPath(w.renamed)+"export/", nil)
		require.Equal(t, http.StatusOK, answer.Status)
		var err error
		export, err = w.ak.FlowsInstancesExportRetrieve(t.Context(), w.renamed)
		require.NoError(t, err)
		_, params, err := mime.ParseMediaType(answer.Header("Content-Disposition"))
		require.NoError(t, err)
		assert.Equal(t, params["filename"], export.Filename)
		assert.Equal(t, answer.Header("Content-Type"), export.ContentType)
		if !bytes.Equal(exportTime.ReplaceAll(answer.Body(), nil), exportTime.ReplaceAll(export.Content, nil)) {
			all = append(all, fmt.Sprintf("the export is %q, want %q", export.Content, answer.Text))
		}
		return all
	})
	return export
}

// state is the flow with its bindings, by hand, without what an import changes.
func (w *writer) state(t *testing.T) map[string]any {
	t.Helper()
	flow := w.fetch(t, flowPath(w.renamed), nil)
	require.Equal(t, http.StatusOK, flow.Status)
	list := rows(w.pages(t, "flows/bindings/", url.Values{"target": {w.flow.PK.String()}}))
	require.Len(t, list, 2)
	state := map[string]any{"flow": steady("", conformance.ParseJSON(t, flow.Body()))}
	for _, binding := range list {
		state[fmt.Sprint(binding["pk"])] = steady("", binding)
	}
	return without(state, "policybindingmodel_ptr_id", "cache_count").(map[string]any)
}

// without removes keys from an object and the objects in it.
func without(value any, keys ...string) any {
	switch value := value.(type) {
	case map[string]any:
		maps.DeleteFunc(value, func(key string, _ any) bool { return slices.Contains(keys, key) })
		for _, element := range value {
			without(element, keys...)
		}
	case []any:
		for _, element := range value {
			without(element, keys...)
		}
	}
	return value
}

// sameImports imports what exists already, through the library and by hand, and
// requires the same of both.
func (w *writer) sameImports(t *testing.T, content []byte) {
	t.Helper()
	w.eventually(t, func() []string {
		result, err := w.ak.FlowsInstancesImportCreate(t.Context(), content)
		require.NoError(t, err)
		answer := w.importByHand(t, content)
		if answer.Status == http.StatusNoContent { // up to 2022.9
			assert.Equal(t, &authentik.FlowImportResult{Success: true, Logs: []authentik.FlowImportLog{}}, result)
			return nil
		}
		require.Equal(t, http.StatusOK, answer.Status, answer.Text)
		var sent struct {
			Success bool
			Logs    []struct {
				LogLevel string `json:"log_level"`
				Logger   string
				Event    string
			}
		}
		require.NoError(t, json.Unmarshal(answer.Body(), &sent))
		assert.Equal(t, sent.Success, result.Success)
		if len(sent.Logs) != len(result.Logs) {
			return []string{fmt.Sprintf("%d logs, want %d", len(result.Logs), len(sent.Logs))}
		}
		for i, log := range result.Logs {
			if sent.Logs[i].LogLevel != log.LogLevel || sent.Logs[i].Logger != log.Logger || sent.Logs[i].Event != log.Event {
				return []string{fmt.Sprintf("log %d is %+v, want %+v", i, log, sent.Logs[i])}
			}
		}
		return nil
	})
}

// importByHand imports at the path that the release has: each of the others
// says that it does not allow POST.
func (w *writer) importByHand(t *testing.T, content []byte) (answer recording.Response) {
	t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("file", "flow.yaml")
	require.NoError(t, err)
	_, err = part.Write(content)
	require.NoError(t, err)
	require.NoError(t, form.Close())
	for _, target := range []string{"flows/instances/import/", "flows/instances/import_flow/", "managed/blueprints/import/"} {
		answer = w.again(t.Context(), t, http.MethodPost, target, payload{form.FormDataContentType(), body.Bytes()})
		if answer.Status != http.StatusMethodNotAllowed {
			break
		}
	}
	return answer
}
