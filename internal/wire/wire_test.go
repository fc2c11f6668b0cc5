package wire_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"
	"unsafe"
	"weak"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go/internal/wire"
)

// thing has a field of every kind.
type thing struct {
	Text   string          `json:"text"`
	Null   string          `json:"null" optional:"" nullable:""`
	Kind   kind            `json:"kind" optional:""`
	ID     uuid.UUID       `json:"id" optional:""`
	IDs    []uuid.UUID     `json:"ids" optional:""`
	Flag   bool            `json:"flag" optional:""`
	Number int64           `json:"number" optional:""`
	Count  int             `json:"count" since:"2024.2"`
	Part   part            `json:"part" optional:""`
	Maybe  *part           `json:"maybe" optional:""`
	Parts  []part          `json:"parts" optional:""`
	Values []any           `json:"values" until:"2024.2"`
	Raw    json.RawMessage `json:"raw" optional:""`
	Hidden string
	Left   string `json:"-"`
}

type kind string

type part struct {
	Name  string  `json:"name"`
	Inner []inner `json:"inner" optional:""`
}

type inner struct {
	Name string `json:"name"`
}

const (
	knownKind = "known"
	lowerID   = "0123abcd-0000-4000-8000-00000000000f"
	upperID   = "0123ABCD-0000-4000-8000-00000000000E"
)

// members are those of whole, in the order of its fields, and extras are those of a
// newer server. A prefix of a number is not an integer or not in range.
var (
	members = []string{
		`"text":"é\ud83d\ude00\n"`,
		`"null":"n"`,
		`"kind":"known"`,
		`"id":"` + lowerID + `"`,
		`"ids":["` + lowerID + `", "` + upperID + `"]`,
		`"flag":true`,
		`"number":-1.5e1`,
		`"count":2.50E+1`,
		`"part":{"name":"p","inner":[{"name":"q"},{"name":"r"}]}`,
		`"maybe":{"name":"m"}`,
		`"parts":[{"name":"x","inner":[{"name":"y"}]},{"name":"z"}]`,
		`"values":[1,"v",{"w":[null]}]`,
	}
	extras = []string{
		`"\u0061 new\tkey":{"text":[{},[],-0,1` + strings.Repeat("0", 309) + `e-9,true,false,null]}`,
		`"":"\"\\\/\b\f\r\n\t\u00e9"`,
	}
	whole = thing{
		Text: "é😀\n", Null: "n", Kind: knownKind,
		ID: uuid.MustParse(lowerID), IDs: []uuid.UUID{uuid.MustParse(lowerID), uuid.MustParse(upperID)},
		Flag: true, Number: -15, Count: 25,
		Part:   part{"p", []inner{{"q"}, {"r"}}},
		Maybe:  &part{Name: "m"},
		Parts:  []part{{"x", []inner{{"y"}}}, {Name: "z"}},
		Values: []any{1.0, "v", map[string]any{"w": []any{nil}}},
	}
)

// grammar stands for a reason of jsontext, whose words may change.
const grammar = "jsontext's"

func object(members ...string) string { return "{" + strings.Join(members, ",") + "}" }

func decode(t *testing.T, document string) thing {
	t.Helper()
	var v thing
	require.NoError(t, wire.Decode([]byte(document), &v), "%.200q", document)
	return v
}

// refusal returns the error of a document, and the bytes that the error points at.
func refusal(t *testing.T, document string) (e *wire.Error, at string) {
	t.Helper()
	var v thing
	require.ErrorAs(t, wire.Decode([]byte(document), &v), &e, "%.200q", document)
	require.True(t, 0 <= e.Start && e.Start <= e.End && e.End <= len(document), "%+v", e)
	return e, document[e.Start:e.End]
}

func TestDecode_RequiresColons(t *testing.T) {
	t.Parallel()
	for _, document := range []string{`{"text" ""}`, `{"newer" 1,"text":""}`, `{"text":"","newer" {}}`, `{"text":"","newer":{"a" 1}}`} {
		refusal(t, document)
	}
}

func TestDecode_ReadsFieldsInAnyOrderAndSpacing(t *testing.T) {
	t.Parallel()
	assert.Equal(t, whole, decode(t, object(members...)))
	all := slices.Concat(members, extras)
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		document := object(all...)
		assert.Equal(t, whole, decode(t, document), document)

		var spaced bytes.Buffer
		require.NoError(t, json.Indent(&spaced, []byte(document), "\r\n", "\t "))
		assert.Equal(t, whole, decode(t, " \t\r\n"+spaced.String()+"\n"), document)
	}
}

func TestDecode_AbsentNullAndEmpty(t *testing.T) {
	t.Parallel()
	assert.Equal(t, thing{Text: "x"}, decode(t, `{"text":"x"}`), "absent")
	empty := thing{IDs: []uuid.UUID{}, Parts: []part{}, Values: []any{}}
	assert.Equal(t, empty, decode(t, `{"text":"","null":null,"kind":"","ids":[],"maybe":null,"parts":[ ],"values":[]}`))
	assert.Equal(t, thing{Raw: json.RawMessage(`{"a": null}`)}, decode(t, `{"text":"","raw": {"a": null} }`), "as it is")
	assert.Equal(t, thing{Kind: "newer"}, decode(t, `{"text":"","kind":"newer"}`), "an unknown value survives")
}

func TestDecode_ErrorsHavePathReasonAndBytes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ document, path, reason, at string }{
		// Not the thing.
		{`null`, ``, "null, want an object", `null`},
		{` [1] `, ``, "an array, want an object", `[1]`},
		{`"{}"`, ``, "a string, want an object", `"{}"`},
		{`true`, ``, "a boolean, want an object", `true`},
		{`-1.5e3`, ``, "a number, want an object", `-1.5e3`},
		{`<html>`, ``, grammar, `<`},
		{"\ufeff{}", ``, grammar, "\xef"},
		{"\x00", ``, grammar, "\x00"},
		{`{}`, `text`, "missing", ``},
		{`{"text":"x","part":{}}`, `part.name`, "missing", ``},
		{`{"text":"x"} {`, ``, "data after the end of the JSON value", `{`},
		{"{\"text\":\"x\"}\x00", ``, "data after the end of the JSON value", "\x00"},

		// Each kind of field, of another kind and of null.
		{`{"text":1}`, `text`, "a number, want a string", `1`},
		{`{"text": null}`, `text`, "null, want a string", `null`},
		{`{"null":[{"x":[]}]}`, `null`, "an array, want a string", `[{"x":[]}]`},
		{`{"kind":null}`, `kind`, "null, want a string", `null`},
		{`{"id":null}`, `id`, "null, want a string", `null`},
		{`{"id":"` + lowerID[1:] + `"}`, `id`, "not a UUID of 36 characters", `"` + lowerID[1:] + `"`},
		{`{"id": "g` + lowerID[1:] + `"}`, `id`, "not a UUID of 36 characters", `"g` + lowerID[1:] + `"`},
		{`{"id":"urn:uuid:` + lowerID + `"}`, `id`, "not a UUID of 36 characters", `"urn:uuid:` + lowerID + `"`},
		{`{"id":"{` + lowerID + `}"}`, `id`, "not a UUID of 36 characters", `"{` + lowerID + `}"`},
		{`{"id":"` + strings.ReplaceAll(lowerID, "-", "") + `"}`, `id`, "not a UUID of 36 characters", `"` + strings.ReplaceAll(lowerID, "-", "") + `"`},
		{`{"id":"` + lowerID + `0"}`, `id`, "not a UUID of 36 characters", `"` + lowerID + `0"`},
		{`{"id":'` + lowerID + `"}`, `id`, grammar, `'`},
		{`{"id":""}`, `id`, "not a UUID of 36 characters", `""`},
		{`{"ids":null}`, `ids`, "null, want an array", `null`},
		{`{"ids":["` + lowerID + `",null]}`, `ids[1]`, "null, want a string", `null`},
		{`{"flag":"true"}`, `flag`, "a string, want a boolean", `"true"`},
		{`{"flag":null}`, `flag`, "null, want a boolean", `null`},
		{`{"flag":trUe}`, `flag`, grammar, `U`},
		{`{"number":"2"}`, `number`, "a string, want an integer", `"2"`},
		{`{"number":null}`, `number`, "null, want an integer", `null`},
		{`{"count":{}}`, `count`, "an object, want an integer", `{}`},
		{`{"part":null}`, `part`, "null, want an object", `null`},
		{`{"maybe":0}`, `maybe`, "a number, want an object", `0`},
		{`{"maybe":nil}`, `maybe`, grammar, `i`},
		{`{"parts":{}}`, `parts`, "an object, want an array", `{}`},
		{`{"parts":null}`, `parts`, "null, want an array", `null`},
		{`{"parts":[{"name":"a"},null]}`, `parts[1]`, "null, want an object", `null`},
		{`{"parts":[{"name":"a"},{"name":"a","inner":[{}]}]}`, `parts[1].inner[0].name`, "missing", ``},
		{`{"values":null}`, `values`, "null, want an array", `null`},
		{`{"values":[0,1e400]}`, `values[1]`, "number out of range", `1e400`},

		// Keys.
		{`{"text":"a","text":"b"}`, `text`, "duplicate key", `"text"`},
		{`{"text":"a","te\u0078t":"b"}`, `text`, "duplicate key", `"te\u0078t"`},
		{`{"text":"a","new":1,"other":2,"n\u0065w":3}`, `new`, "duplicate key", ``},
		{`{"text":"a","part":{"name":"a","name":"b"}}`, `part.name`, "duplicate key", `"name"`},
		{`{"text":"a","parts":[{"name":"a","x":1,"x":1}]}`, `parts[0].x`, "duplicate key", ``},
		{`{"Text":"a"}`, `Text`, "wrong case of the key text", `"Text"`},
		{`{"text":"a","K\u0049ND":1}`, `KIND`, "wrong case of the key kind", `049ND"`},
		{`{"text":"a","` + "\u212a" + `ind":1}`, `["\u212aind"]`, "wrong case of the key kind", `"` + "\u212a" + `ind"`},
		{`{"parts":[{"NAME":"a"}]}`, `parts[0].NAME`, "wrong case of the key name", `"NAME"`},
		{`{"a b":?}`, `["a b"]`, grammar, `?`},
		{`{"\"":?}`, `["\""]`, grammar, `?`},
		{`{"":?}`, `[""]`, grammar, `?`},
		{`{"` + strings.Repeat("k", 65) + `":?}`, `["` + strings.Repeat("k", 65) + `"]`, grammar, `?`},
		{`{"` + strings.Repeat("k", 99_999) + `":?}`, `["` + strings.Repeat("k", 99_999) + `"]`, grammar, `?`},
		{`{"a":{"b":?}}`, `a.b`, grammar, `?`},

		// Grammar.
		{`{text:1}`, ``, grammar, `t`},
		{`{,"text":"x"}`, ``, grammar, `,`},
		{`{"text":"x",}`, ``, grammar, `}`},
		{`{"text":"x" "kind":"x"}`, ``, grammar, `"`},
		{`{"text":"x"]`, ``, grammar, `]`},
		{`{"text" "x"}`, `text`, grammar, `"`},
		{`{"text":,}`, `text`, grammar, `,`},
		{`{"ids":[,]}`, `ids`, grammar, `,`},
		{`{"ids":["` + lowerID + `",]}`, `ids`, grammar, `]`},
		{`{"ids":["` + lowerID + `"}`, `ids`, grammar, `}`},
		{`{"new":[1,]}`, `new`, grammar, `]`},
		{`{"new":{"a":1,}}`, `new`, grammar, `}`},
		{`{"new":{"a"}}`, `new.a`, grammar, `}`},
		{`{"new":["fine\n\x rest"]}`, `new[0]`, grammar, `\x rest`},
		{`{"text":"\u00e9\ud83d"}`, `text`, grammar, `\ud83d`},
		{`{"new":tru3}`, `new`, grammar, `3`},
		{`{"new":-a}`, `new`, grammar, `a`},
		{`{"new":1.}`, `new`, grammar, `}`},
		{`{"new":1e-}`, `new`, grammar, `}`},
		{`{"new":.5}`, `new`, grammar, `.`},
		{`{"new":1e309}`, `new`, "number out of range", `1e309`},
		{"{\"text\":\"x\"\v}", ``, grammar, "\v"},
		{"{\"text\":\"x\"\u00a0}", ``, grammar, "\xc2"},
	} {
		e, at := refusal(t, test.document)
		assert.Equal(t, test.path, e.Path, "path: %s", test.document)
		if test.reason == grammar {
			assert.NotEmpty(t, at, "bytes: %s", test.document)
			continue
		}
		assert.EqualError(t, e.Err, test.reason, "%s", test.document)
		assert.Equal(t, test.at, at, "bytes: %s", test.document)
	}
}

func TestError_TextIsPathAndReason(t *testing.T) {
	t.Parallel()
	e, _ := refusal(t, `{}`)
	assert.EqualError(t, e, "text: missing")
	e, _ = refusal(t, `null`)
	assert.EqualError(t, e, "null, want an object")
}

func TestPath_EndsAfter16KiB(t *testing.T) {
	t.Parallel()
	path := wire.Path(jsontext.Pointer(strings.Repeat("/key", 10_000)))
	assert.Greater(t, len(path), 16<<10)
	assert.Less(t, len(path), 16<<10+len(".key")+1)
}

func TestDecode_PanicsBeyond64Fields(t *testing.T) {
	t.Parallel()
	model := func(fields int) any {
		var all []reflect.StructField
		for i := range fields {
			name := "F" + strconv.Itoa(i)
			tag := reflect.StructTag(`json:"` + name + `" optional:""`)
			all = append(all, reflect.StructField{Name: name, Type: reflect.TypeFor[string](), Tag: tag})
		}
		return reflect.New(reflect.StructOf(all)).Interface()
	}
	require.NoError(t, wire.Decode([]byte(`{"F63":"last"}`), model(64)))
	assert.Panics(t, func() { _ = wire.Decode([]byte(`{}`), model(65)) }, "a bit of 64 for each field")
}

func TestDecode_IntegersInAnyForm(t *testing.T) {
	t.Parallel()
	zeros := strings.Repeat("0", 5000)
	for text, want := range map[string]int64{
		"2": 2, "2.0": 2, "2e0": 2, "20e-1": 2, "0.2e1": 2, "0.002E+3": 2, "2.000e-0": 2, "200.00e-2": 2,
		"0": 0, "-0": 0, "-0.0e-0": 0,
		"-7": -7, "-7.0": -7, "-70e-1": -7, "1e3": 1000, "12e003": 12000,
		"9223372036854775807": 1<<63 - 1, "-9223372036854775808": -1 << 63,
		"9007199254740993": 1<<53 + 1, // no float64
	} {
		assert.Equal(t, want, decode(t, `{"text":"","number":`+text+`}`).Number, "%.40s", text)
	}
	for _, text := range []string{
		"1.5", "-1.5", "25e-1", "1e-1", "0.1", "1e30", "-1e30", "1e18446744073709551616", "1e-18446744073709551616",
		"1e9223372036854775807", "1e4611686018427387904", "1.5e-9223372036854775808", "10e-9223372036854775807", "1e2147483647", "1e-2147483648",
		"9223372036854775808", "-9223372036854775809", "1e19", "922337203685477580.8", "1" + zeros, "1" + zeros + "e-4999.5", "1" + zeros + "e-5000", "3." + zeros, "9007199254740993.0", "1.0000000000000000001",
		"+1", "-.5", "-e5", "-", "01", "-01", "00", "1.", ".5", "1e", "1e+", "--1", "- 1", "0x10", "1_000", "NaN", "Infinity", `"2"`, "١",
	} {
		e, _ := refusal(t, `{"text":"","number":`+text+`}`)
		assert.NotErrorIs(t, e, io.ErrUnexpectedEOF, "%.40s", text)
	}
}

// A string may be kept, be skipped, or be a key.
func TestDecode_StringsWhereverTheyAre(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		``, `plain`, `é€😀`, `\"\\\/\b\f\n\r\t`, `\u0000\u001f\u007f`, `\u00e9\u20AC\ud83d\ude00\uD83D\uDE00`,
		`\uffff\ufffd\ue000\ud7ff`, "\u007f\u2028\ufeff", `a\u0062c`, "\xf4\x8f\xbf\xbf", `\\u0041`, `\\`, `x\\\"y`,
	} {
		quoted := `"` + body + `"`
		var want string
		require.NoError(t, json.Unmarshal([]byte(quoted), &want))
		v := decode(t, `{"text":`+quoted+`,"null":`+quoted+`,"kind":`+quoted+`,"part":{"name":`+quoted+`},"values":[`+quoted+`]}`)
		assert.Equal(t, thing{Text: want, Null: want, Kind: kind(want), Part: part{Name: want}, Values: []any{want}}, v)
		decode(t, `{"text":"",`+quoted+`:{`+quoted+`:[`+quoted+`]}}`)
	}
	assert.Equal(t, whole.ID, decode(t, `{"text":"","id":"\u0030`+lowerID[1:]+`"}`).ID, "an escaped UUID")
	assert.EqualValues(t, knownKind, decode(t, `{"text":"","kind":"\u006bnown"}`).Kind)

	for _, body := range []string{
		`\ud800`, `\udc00`, `\ud800x`,
		`\ud800\u0041`, `\udc00\ud800`, `\ud800\ud800\udc00`,
		`\ud800\n`, `\ud800\ufffd`, `ok\ud83d\ude0`,
		`\ud83dxude00`, `\ud83d\xde00`,
		`\x`, `\'`, `\u12`, `\u12g4`,
		`\U0041`, `\u 041`, "\\\n", "\\\x00",
		"\n", "\x00", "a\x1f", "\t",
		"\xff", "a\xc3", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", `\u0041` + "\x80",
	} {
		quoted := `"` + body + `"`
		for _, document := range []string{
			`{"text":` + quoted + `}`, `{"null":` + quoted + `}`, `{"kind":` + quoted + `}`, `{"id":` + quoted + `}`,
			`{"parts":[{"name":` + quoted + `}]}`, `{"values":[` + quoted + `]}`, `{` + quoted + `:0}`,
			`{"new":` + quoted + `}`, `{"new":{` + quoted + `:0}}`, `{"flag":` + quoted + `}`, `{"number":[` + quoted + `]}`,
		} {
			e, at := refusal(t, document)
			assert.NotErrorIs(t, e, io.ErrUnexpectedEOF, "%q", document)
			assert.Contains(t, quoted, at, "%q", document)
			assert.NotEmpty(t, at, "%q", document)
		}
	}
}

func TestDecode_ReportsTheFirstError(t *testing.T) {
	t.Parallel()
	e, at := refusal(t, `{"text":"fine","null":1,"kind":"`+"\xff"+`"}`)
	assert.Equal(t, "null", e.Path)
	assert.Equal(t, "1", at)
}

// A truncated response is retried, and an invalid one is not.
func TestDecode_TruncatedIsUnexpectedEOF(t *testing.T) {
	t.Parallel()
	document := "\n" + object(slices.Concat(members, extras)...)
	for cut := range len(document) {
		e, _ := refusal(t, document[:cut])
		assert.ErrorIs(t, e, io.ErrUnexpectedEOF, "%q", document[:cut])
		assert.Equal(t, []int{cut, cut}, []int{e.Start, e.End})
		require.ErrorIs(t, wire.Check([]byte(document[:cut])), io.ErrUnexpectedEOF, "%q", document[:cut])
	}
	require.NoError(t, wire.Check([]byte(document)))

	// A value of another kind than the field is read to its end first.
	for _, member := range []string{`"text":[1,"a",{}]`, `"number":"two"`, `"flag":{"a":null}`, `"id":1.5e1`, `"parts":12`, `"maybe":-0.5`} {
		for cut := 1; cut < len(member); cut++ {
			e, _ := refusal(t, "{"+member[:cut])
			assert.ErrorIs(t, e, io.ErrUnexpectedEOF, "%q", member[:cut])
		}
	}
}

// A prefix of a number may be a number, too, so that nothing shows the truncation.
func TestCheck_TruncatedNumber(t *testing.T) {
	t.Parallel()
	const document = "-10.5e+30"
	for cut := range len(document) {
		err := wire.Check([]byte(document[:cut]))
		if json.Valid([]byte(document[:cut])) {
			assert.NoError(t, err, document[:cut])
		} else {
			assert.ErrorIs(t, err, io.ErrUnexpectedEOF, document[:cut])
		}
	}
}

func TestCheck_ReadsDocumentToItsEnd(t *testing.T) {
	t.Parallel()
	for _, document := range []string{`null`, ` true `, `"x"`, `[]`, `[1,[2]]`, `{"a":{},"a":[]}`, "0\n"} {
		assert.NoError(t, wire.Check([]byte(document)), document)
	}
	for document, reason := range map[string]string{
		`{} {}`:      "data after the end of the JSON value",
		`[1]]`:       "data after the end of the JSON value",
		`01`:         "data after the end of the JSON value",
		"\"\xff\"":   grammar,
		`["\ud800"]`: grammar,
		`[1e999]`:    "[0]: number out of range",
		`{1:2}`:      grammar,
	} {
		err := wire.Check([]byte(document))
		require.Error(t, err, document)
		if reason != grammar {
			assert.EqualError(t, err, reason, document)
		}
	}
}

// The limit is encoding/json's, wherever the brackets are.
func TestDecode_LimitsNesting(t *testing.T) {
	t.Parallel()
	arrays := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	objects := func(n int) string { return strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n) }
	for name, document := range map[string]func(depth int) string{
		"arrays":          arrays,
		"objects":         objects,
		"skipped":         func(n int) string { return `{"text":"","new":` + arrays(n-1) + `}` },
		"of another kind": func(n int) string { return `{"text":` + arrays(n-1) + `}` },
		"in an element":   func(n int) string { return `{"text":"","parts":[{"name":"","new":` + objects(n-3) + `}]}` },
		"in values":       func(n int) string { return `{"text":"","values":[` + arrays(n-2) + `]}` },
		"after others": func(n int) string {
			return `{"text":"","part":{"name":"","inner":[]},"ids":[],"new":` + arrays(n-1) + `}`
		},
	} {
		for _, depth := range []int{9_999, 10_000, 10_001} {
			data := []byte(document(depth))
			require.Equal(t, depth <= 10_000, json.Valid(data))
			var v thing
			for _, err := range []error{wire.Check(data), wire.Decode(data, &v)} {
				if depth > 10_000 {
					assert.ErrorContains(t, err, "exceeded max depth", name)
				} else if err != nil {
					assert.NotContains(t, err.Error(), "exceeded max depth", name)
				}
			}
		}
	}
}

func TestDecode_FindsDuplicateOf10000UnknownKeys(t *testing.T) {
	t.Parallel()
	const n = 10_000
	for name, key := range map[string]func(i int) int{
		"ascending": func(i int) int { return i }, "descending": func(i int) int { return n - i }, "mixed": func(i int) int { return i * 7919 % n },
	} {
		keys := make([]string, n)
		for i := range keys {
			keys[i] = fmt.Sprintf(`"k%07d":0`, key(i))
		}
		decode(t, `{"text":"",`+strings.Join(keys, ",")+`}`)
		keys[n-1] = keys[n/2]
		e, _ := refusal(t, `{"text":"",`+strings.Join(keys, ",")+`}`)
		assert.EqualError(t, e, keys[n/2][1:9]+": duplicate key", name)
	}
}

// Remembering all of them would take many times the memory of the body.
func TestDecode_LimitsUnknownKeys(t *testing.T) {
	t.Parallel()
	document := []byte(`{"text":"","part":{"name":"","first":0`)
	for i := range 10_000 {
		document = fmt.Appendf(document, `,"%x":0`, i)
	}
	e, at := refusal(t, string(document)+"}}")
	assert.EqualError(t, e, "part.270f: more than 10000 unknown keys")
	assert.Equal(t, `"270f"`, at)

	many := `{"name":"","a":0,"b":0}`
	decode(t, `{"text":"","parts":[`+strings.Repeat(many+",", 10_000)+many+`]}`)
}

func TestDecode_SameUnknownKeyInTwoObjects(t *testing.T) {
	t.Parallel()
	decode(t, `{"new":1,"text":"","part":{"new":1,"name":""},"parts":[{"new":1,"name":""},{"name":"","new":1}],"more":{"new":1,"new":2}}`)
}

func TestDecode_DoesNotReferToTheInput(t *testing.T) {
	t.Parallel()
	data := []byte(object(slices.Concat(members, extras)...))
	var v thing
	require.NoError(t, wire.Decode(data, &v))
	for i := range data {
		data[i] = 'X'
	}
	assert.Equal(t, whole, v)
}

// Documents that are decoded at the same time, or one after another, share nothing,
// whether they are valid or not.
func TestDecode_DocumentsShareNothing(t *testing.T) {
	t.Parallel()
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for n := range 200 {
				text := fmt.Sprintf("text %d of %d", n, i)
				var v thing
				err := wire.Decode([]byte(object(`"text":"`+text+`"`, `"unknown":1`, `"parts":[{"name":"`+text+`"},{"name":""}]`)), &v)
				if !assert.NoError(t, err) || !assert.Equal(t, thing{Text: text, Parts: []part{{Name: text}, {}}}, v) {
					return
				}
				err = wire.Decode([]byte(object(`"text":"`+text+`"`, `"unknown":1`, `"parts":[{"name":"`+text+`"},{"name":7}]`)), &v)
				if !assert.EqualError(t, err, "parts[1].name: a number, want a string") {
					return
				}
			}
		})
	}
	all.Wait()
}

// An element keeps its own text alive, and neither the document nor the text of
// another element.
func TestDecode_ElementPinsNothingElse(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("long enough not to share a block ", 10)
	var document weak.Pointer[byte]
	var texts [3]weak.Pointer[byte]
	kept := func() part {
		data := []byte(object(`"text":"`+text+`0"`, `"parts":[{"name":"`+text+`1","inner":[{"name":"`+text+`2"}]},{"name":"`+text+`3"}]`))
		document = weak.Make(&data[0])
		v := decode(t, string(data))
		require.NoError(t, wire.Decode(data, &v))
		for i, s := range []string{v.Text, v.Parts[0].Inner[0].Name, v.Parts[1].Name} {
			texts[i] = weak.Make(unsafe.StringData(s))
		}
		return part{Name: v.Parts[0].Name}
	}()
	runtime.GC()
	assert.Nil(t, document.Value(), "the document")
	for i, w := range texts {
		assert.Nil(t, w.Value(), "text %d", i)
	}
	assert.Equal(t, text+"1", kept.Name)
}

// An element allocates its own text once, and neither the text around it nor the
// text that is skipped.
func TestDecode_ElementAllocatesItsOwnText(t *testing.T) { //nolint:paralleltest // it counts allocations
	long := `"\u006c` + strings.Repeat("ong", 1<<14) + `"`
	elements := func(members string) string { return `"parts":[` + strings.Repeat(members+",", 99) + members + `]` }
	for name, test := range map[string]struct {
		document string
		copies   int // of long
	}{
		"around":  {object(`"text":`+long, elements(`{"name":""}`)), 1},
		"skipped": {object(`"text":""`, elements(`{"name":"","new":`+long+`}`)), 0},
		"kept":    {object(`"text":""`, elements(`{"name":`+long+`}`)), 100},
	} {
		var v thing
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		require.NoError(t, wire.Decode([]byte(test.document), &v))
		runtime.ReadMemStats(&after)
		// The document, the buffer as it grows, and the strings, rounded up.
		limit := len(test.document) + (10+test.copies+test.copies/4)*len(long)
		assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(limit), name)
	}
}

func TestDecode_LocatesInvalidUTF8(t *testing.T) {
	t.Parallel()
	document := `{"text":"é\ufffd` + "\ufffd\xe2\x82" + `"}` // the U+FFFD was sent, and is not a replacement
	e, at := refusal(t, document)
	assert.EqualError(t, e, "text: invalid UTF-8")
	assert.Equal(t, "\xe2", at)
	assert.False(t, utf8.ValidString(document))
}
