package authentik_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
)

func FuzzDecodeFlowPage(f *testing.F) {
	f.Add([]byte(listReader.good))
	fuzzDecode[authentik.Page[authentik.Flow]](f, "/api/v3/flows/instances/?")
}

func FuzzDecodeBinding(f *testing.F) {
	f.Add([]byte(minimalBinding))
	fuzzDecode[authentik.FlowStageBinding](f, "/api/v3/flows/bindings/")
}

// fuzzDecode decodes as the client does. What it accepts, encoding/json
// accepts, with equal values; it survives being encoded and decoded, and it
// does not refer to the input. What it refuses leaves nothing behind.
func fuzzDecode[T any](f *testing.F, target string) {
	for _, exchanges := range recordings(f) {
		for _, e := range exchanges {
			if body := e.Response.Body(); e.Request.Method == http.MethodGet && strings.HasPrefix(e.Request.Target, target) && len(body) < 2000 {
				f.Add(body)
			}
		}
	}
	all := releases(f)
	for _, v := range []variant{{}, {nulls: true}, {newer: true}} {
		for _, instance := range []any{v.page(all[0]), v.instance(all[0], all[0].model("FlowStageBinding")), v.page(all[len(all)-1])} {
			body, err := json.Marshal(instance)
			require.NoError(f, err)
			f.Add(body)
		}
	}
	for _, nasty := range []string{
		`null`, `{}`, `{"pk":"\u0036ca60e71-0cb0-4312-92eb-dfd27ba3d70b"}`, `{"order":-0.0e99999,"order":1}`, `{"Order":1}`, `{"order":10e-1}`,
		`{"results":[],"pagination":{"next":1e18,"previous":0,"count":0.0,"current":1,"total_pages":1,"start_index":9223372036854775807,"end_index":0}}`,
		"{\"name\":\"\xff\"}", `{"\ud800":1}`, `{"background_themed_urls":{"light":null,"dark":"\ud83d\ude00"}}`, "{\"\u017flug\":1}",
	} {
		f.Add([]byte(nasty))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		input, got := bytes.Clone(data), new(T)
		err := any(got).(json.Unmarshaler).UnmarshalJSON(input)
		clear(input)
		if err != nil {
			var decodeError *authentik.DecodeError
			require.ErrorAs(t, err, &decodeError)
			require.Zero(t, *got)
			assert.False(t, strings.ContainsFunc(err.Error(), func(r rune) bool { return !unicode.IsPrint(r) }), "%q", err)
			assert.Less(t, len(decodeError.Excerpt), 300)
			return
		}
		var theirs map[string]any
		require.NoError(t, json.Unmarshal(data, &theirs))
		require.Empty(t, differences("", rawJSON(t, data), reflect.ValueOf(*got)))
		roundTrip[T](t, data)
	})
}
