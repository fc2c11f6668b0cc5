package authentik

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go/internal/wire"
)

// TableLine is a line of a model's table.
type TableLine struct {
	Name string
	When wire.Presence
}

// Table is what the decoder and encoding/json know of a model.
type Table struct {
	Type  reflect.Type
	Lines []TableLine
}

func tableOf[T any](fields *wire.Object[T]) Table {
	t := Table{Type: reflect.TypeFor[T]()}
	for _, f := range fields.Fields() {
		t.Lines = append(t.Lines, TableLine{f.Name, f.When})
	}
	return t
}

// Tables are those of all models, by the names that schemas give them.
func Tables() map[string]Table {
	return map[string]Table{
		"Flow":              tableOf(flowFields),
		"FlowSet":           tableOf(flowSetFields),
		"FlowStageBinding":  tableOf(bindingFields),
		"Stage":             tableOf(stageFields),
		"ThemedUrls":        tableOf(themedURLsFields),
		"Pagination":        tableOf(paginationFields),
		"PaginatedFlowList": tableOf(pageFields(resultsOf(flowFields))),
	}
}

// Enums are the values that are known, by the names of their types.
func Enums() map[string][]string {
	return map[string][]string{
		"FlowDesignation":       flowDesignations,
		"FlowLayout":            flowLayouts,
		"FlowDeniedAction":      flowDeniedActions,
		"FlowAuthentication":    flowAuthentications,
		"PolicyEngineMode":      policyEngineModes,
		"InvalidResponseAction": invalidResponseActions,
	}
}

// someReleasesOnly reports whether there are servers that do not have the key.
func (l TableLine) someReleasesOnly() bool {
	return l.When != wire.Required && l.When != wire.Optional
}

func TestEachModelsTableStructAndTagsAgree(t *testing.T) {
	t.Parallel()
	for name, table := range Tables() {
		var lines, tags []string
		for _, line := range table.Lines {
			tag := line.Name
			if line.someReleasesOnly() {
				tag += ",omitzero"
			}
			lines = append(lines, tag)
		}
		for _, f := range reflect.VisibleFields(table.Type) {
			require.True(t, f.IsExported(), "%s.%s: == and reflect.DeepEqual would compare it", name, f.Name)
			tags = append(tags, f.Tag.Get("json"))
		}
		assert.Equal(t, tags, lines, name)
	}
}

func TestAZeroModelMarshalsToTheKeysOfEveryRelease(t *testing.T) {
	t.Parallel()
	for name, table := range Tables() {
		data, err := json.Marshal(reflect.Zero(table.Type).Interface())
		require.NoError(t, err)
		var keys map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(data, &keys))
		for _, line := range table.Lines {
			value, written := keys[line.Name]
			assert.Equal(t, !line.someReleasesOnly(), written, "%s.%s", name, line.Name)
			assert.NotEqual(t, "null", string(value), "%s.%s: a nil list is []", name, line.Name)
			delete(keys, line.Name)
		}
		assert.Empty(t, keys, name)
	}
}
