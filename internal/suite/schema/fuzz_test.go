package schema_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/internal/testkit"
	"github.com/seed-299d42e7/authentik-go/internal/testkit/schema"
	"github.com/seed-299d42e7/authentik-go/internal/wire"
)

func FuzzDecodeFlowPage(f *testing.F) {
	f.Add([]byte(testkit.TwoFlowsBody))
	fuzzDecode[authentik.Page[authentik.Flow]](f, "/api/v3/flows/instances/?")
}

func FuzzDecodeBinding(f *testing.F) {
	f.Add([]byte(testkit.MinimalBinding))
	fuzzDecode[authentik.FlowStageBinding](f, "/api/v3/flows/bindings/")
}

// fuzzDecode decodes as the client does. What it accepts, encoding/json
// accepts, with equal values; it survives being encoded and decoded, and it
// does not refer to the input. What it refuses leaves nothing behind. Either
// takes no more memory than a few times the input.
func fuzzDecode[T any](f *testing.F, target string) {
	for _, exchanges := range testkit.Recordings(f) {
		for _, e := range exchanges {
			if body := e.Response.Body(); e.Request.Method == http.MethodGet && strings.HasPrefix(e.Request.Target, target) &&
				len(body) < 2000 {
				f.Add(body)
			}
		}
	}
	all := schema.Releases(f)
	for _, v := range []schema.Generator{{}, {Nulls: true}, {Newer: true}} {
		for _, instance := range []any{v.FlowPage(all[0]), v.Instance(all[0], all[0].Model("FlowStageBinding")), v.FlowPage(all[len(all)-1])} {
			body, err := json.Marshal(instance)
			require.NoError(f, err)
			f.Add(body)
		}
	}
	for _, nasty := range []string{
		`null`, `{}`, `{"pk":"\u0036ca60e71-0cb0-4312-92eb-dfd27ba3d70b"}`, `{"order":-0.0e99999,"order":1}`, `{"Order":1}`,
		`{"order":10e-1}`,
		`{"results":[],"pagination":{"next":1e18,"previous":0,"count":0.0,"current":1,"total_pages":1,"start_index":9223372036854775807,"end_index":0}}`,
		"{\"name\":\"\xff\"}", `{"\ud800":1}`, `{"background_themed_urls":{"light":null,"dark":"\ud83d\ude00"}}`,
		"{\"\u017flug\":1}",
	} {
		f.Add([]byte(nasty))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		input, got := bytes.Clone(data), new(T)
		var err error
		spent := testkit.Allocated(func() { err = wire.Decode(input, got) })
		assert.Less(t, spent, int64(8*len(data)+64<<10))
		clear(input)
		if err != nil {
			var e *wire.Error
			require.ErrorAs(t, err, &e)
			assert.True(t, 0 <= e.Start && e.Start <= e.End && e.End <= len(data), "%+v", e)
			return
		}
		var theirs map[string]any
		require.NoError(t, json.Unmarshal(data, &theirs))
		require.Empty(t, differences("", rawJSON(t, data), reflect.ValueOf(*got)))
		roundTrip[T](t, data)
	})
}
