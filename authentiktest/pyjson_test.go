package authentiktest_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go/authentiktest"
)

// TestServer_WordsSyntaxErrors compares with what Python's json and orjson
// 3.10.7 say of the same documents.
func TestServer_WordsSyntaxErrors(t *testing.T) {
	t.Parallel()
	python := authentiktest.RoundTripper(t, authentiktest.Version("2023.10"))
	orjson := authentiktest.RoundTripper(t, authentiktest.Version("2024.10"))
	for _, c := range []struct{ document, python, orjson string }{
		{`{"a":01}`, "Expecting ',' delimiter: line 1 column 7 (char 6)", "number with leading zero is not allowed: line 1 column 6 (char 5)"},
		{"-", "Expecting value: line 1 column 1 (char 0)", "unexpected end of data: line 1 column 2 (char 1)"},
		{`{"a":-}`, "Expecting value: line 1 column 6 (char 5)", "no digit after minus sign: line 1 column 7 (char 6)"},
		{`{"a":NaN}`, "Out of range float values are not JSON compliant: 'NaN'", "unexpected character: line 1 column 6 (char 5)"},
		{`{"a":-Infinity}`, "Out of range float values are not JSON compliant: '-Infinity'", "no digit after minus sign: line 1 column 7 (char 6)"},
		{`{"a":1.}`, "Expecting ',' delimiter: line 1 column 7 (char 6)", "no digit after decimal point: line 1 column 8 (char 7)"},
		{`{"a":1.x}`, "Expecting ',' delimiter: line 1 column 7 (char 6)", "no digit after decimal point: line 1 column 8 (char 7)"},
		{`{"a":1e}`, "Expecting ',' delimiter: line 1 column 7 (char 6)", "no digit after exponent sign: line 1 column 8 (char 7)"},
		{`{"a":1e+}`, "Expecting ',' delimiter: line 1 column 7 (char 6)", "no digit after exponent sign: line 1 column 9 (char 8)"},
		{`{"a":-x}`, "Expecting value: line 1 column 6 (char 5)", "no digit after minus sign: line 1 column 7 (char 6)"},
		{`{"a":-01}`, "Expecting ',' delimiter: line 1 column 8 (char 7)", "number with leading zero is not allowed: line 1 column 7 (char 6)"},
		{`{"a":.5}`, "Expecting value: line 1 column 6 (char 5)", "unexpected character: line 1 column 6 (char 5)"},
		{"tru", "Expecting value: line 1 column 1 (char 0)", "unexpected end of data: line 1 column 4 (char 3)"},
		{`{"a":tru}`, "Expecting value: line 1 column 6 (char 5)", "invalid literal: line 1 column 6 (char 5)"},
		{`{"a":1`, "Expecting ',' delimiter: line 1 column 7 (char 6)", "unexpected end of data: line 1 column 7 (char 6)"},
		{`{"a"`, "Expecting ':' delimiter: line 1 column 5 (char 4)", "unexpected end of data: line 1 column 5 (char 4)"},
		{"{", "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)", "unexpected end of data: line 1 column 2 (char 1)"},
		{"[", "Expecting value: line 1 column 2 (char 1)", "unexpected end of data: line 1 column 2 (char 1)"},
		{"[1,", "Expecting value: line 1 column 4 (char 3)", "unexpected end of data: line 1 column 4 (char 3)"},
		{"[1,]", "Expecting value: line 1 column 4 (char 3)", "trailing comma is not allowed: line 1 column 3 (char 2)"},
		{"[1 , ]", "Expecting value: line 1 column 6 (char 5)", "trailing comma is not allowed: line 1 column 4 (char 3)"},
		{`{"a":1,}`, "Expecting property name enclosed in double quotes: line 1 column 8 (char 7)", "trailing comma is not allowed: line 1 column 7 (char 6)"},
		{`{"a":1 , }`, "Expecting property name enclosed in double quotes: line 1 column 10 (char 9)", "trailing comma is not allowed: line 1 column 8 (char 7)"},
		{"{,}", "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)", "unexpected character: line 1 column 2 (char 1)"},
		{"[,]", "Expecting value: line 1 column 2 (char 1)", "unexpected character: line 1 column 2 (char 1)"},
		{"[1 2]", "Expecting ',' delimiter: line 1 column 4 (char 3)", "unexpected character: line 1 column 4 (char 3)"},
		{`{"a":1 2}`, "Expecting ',' delimiter: line 1 column 8 (char 7)", "unexpected character: line 1 column 8 (char 7)"},
		{`{"a" 1}`, "Expecting ':' delimiter: line 1 column 6 (char 5)", "unexpected character: line 1 column 6 (char 5)"},
		{`{"a":"b`, "Unterminated string starting at: line 1 column 6 (char 5)", "unexpected end of data: line 1 column 8 (char 7)"},
		{`"`, "Unterminated string starting at: line 1 column 1 (char 0)", "unexpected end of data: line 1 column 2 (char 1)"},
		{`{"a":1}}`, "Extra data: line 1 column 8 (char 7)", "unexpected content after document: line 1 column 8 (char 7)"},
		{`{"a":"	"}`, "Invalid control character at: line 1 column 7 (char 6)", "unexpected control character in string: line 1 column 7 (char 6)"},
		{`{"a":"\u12"}`, `Invalid \uXXXX escape: line 1 column 8 (char 7)`, "invalid escaped sequence in string: line 1 column 7 (char 6)"},
		{`{"a":"\u12`, `Invalid \uXXXX escape: line 1 column 8 (char 7)`, "unexpected end of data: line 1 column 11 (char 10)"},
		{`{"a":"\x"}`, `Invalid \escape: line 1 column 7 (char 6)`, "invalid escaped character in string: line 1 column 8 (char 7)"},
		{`{"a":"é\x"}`, `Invalid \escape: line 1 column 8 (char 7)`, "invalid escaped character in string: line 1 column 9 (char 8)"},
		{" ", "Expecting value: line 1 column 2 (char 1)", "input data is empty: line 1 column 1 (char 0)"},
		{`{"a":Infinity}`, "Out of range float values are not JSON compliant: 'Infinity'", "unexpected character: line 1 column 6 (char 5)"},
		{"nul", "Expecting value: line 1 column 1 (char 0)", "unexpected end of data: line 1 column 4 (char 3)"},
		{"n", "Expecting value: line 1 column 1 (char 0)", "unexpected end of data: line 1 column 2 (char 1)"},
		{"x", "Expecting value: line 1 column 1 (char 0)", "unexpected character: line 1 column 1 (char 0)"},
		{"{1:2}", "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)", "unexpected character: line 1 column 2 (char 1)"},
		{"{'a'", "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)", "unexpected character: line 1 column 2 (char 1)"},
		{`{"a":"\`, "Unterminated string starting at: line 1 column 6 (char 5)", "unexpected end of data: line 1 column 8 (char 7)"},
		{`{"a":1.5`, "Expecting ',' delimiter: line 1 column 9 (char 8)", "unexpected end of data: line 1 column 9 (char 8)"},
		{`{"a":-`, "Expecting value: line 1 column 6 (char 5)", "unexpected end of data: line 1 column 7 (char 6)"},
		{`{"a":`, "Expecting value: line 1 column 6 (char 5)", "unexpected end of data: line 1 column 6 (char 5)"},
		{`{"a":nulL}`, "Expecting value: line 1 column 6 (char 5)", "invalid literal: line 1 column 6 (char 5)"},
		{"1 2", "Extra data: line 1 column 3 (char 2)", "unexpected content after document: line 1 column 3 (char 2)"},
		{`{"a":1}
x`, "Extra data: line 2 column 1 (char 8)", "unexpected content after document: line 2 column 1 (char 8)"},
		{`

{"a" }`, "Expecting ':' delimiter: line 3 column 6 (char 7)", "unexpected character: line 3 column 6 (char 7)"},
		{"1.5.5", "Extra data: line 1 column 4 (char 3)", "unexpected content after document: line 1 column 4 (char 3)"},
		{"1e5e", "Extra data: line 1 column 4 (char 3)", "unexpected content after document: line 1 column 4 (char 3)"},
		{`{"a":5-}`, "Expecting ',' delimiter: line 1 column 7 (char 6)", "unexpected character: line 1 column 7 (char 6)"},
		{`"\u00"`, `Invalid \uXXXX escape: line 1 column 3 (char 2)`, "invalid escaped sequence in string: line 1 column 2 (char 1)"},
		{`"\ug000"`, `Invalid \uXXXX escape: line 1 column 3 (char 2)`, "invalid escaped sequence in string: line 1 column 2 (char 1)"},
		{"}", "Expecting value: line 1 column 1 (char 0)", "unexpected character: line 1 column 1 (char 0)"},
		{"]", "Expecting value: line 1 column 1 (char 0)", "unexpected character: line 1 column 1 (char 0)"},
	} {
		for srv, want := range map[*authentiktest.Server]string{python: c.python, orjson: c.orjson} {
			status, body := tell(t, srv, srv.Token, http.MethodPost, "flows/instances/", c.document)
			assert.Equal(t, http.StatusBadRequest, status, c.document)
			var answer struct{ Detail string }
			require.NoError(t, json.Unmarshal([]byte(body), &answer), body)
			assert.Equal(t, "JSON parse error - "+want, answer.Detail, c.document)
		}
	}
}

// TestServer_ReadsValuesAsPython compares with what str, repr and type of Python
// say of the same values.
func TestServer_ReadsValuesAsPython(t *testing.T) {
	t.Parallel()
	python := authentiktest.RoundTripper(t, authentiktest.Version("2023.10"))
	orjson := authentiktest.RoundTripper(t, authentiktest.Version("2024.10"))
	const dictionary = "Invalid data. Expected a dictionary, but got "
	const noChoice = ` is not a valid choice."]}`
	nested := strings.Repeat("[", 1025) + strings.Repeat("]", 1025)
	for _, c := range []struct {
		srv            *authentiktest.Server
		document, want string
	}{
		{python, `null`, `{"non_field_errors":["No data provided"]}`},
		{python, `true`, `{"non_field_errors":["` + dictionary + `bool."]}`},
		{python, `"{}"`, `{"non_field_errors":["` + dictionary + `str."]}`},
		{python, `[{}]`, `{"non_field_errors":["` + dictionary + `list."]}`},
		{python, `-7`, `{"non_field_errors":["` + dictionary + `int."]}`},
		{python, `7.0`, `{"non_field_errors":["` + dictionary + `float."]}`},
		{python, `-1e999`, `{"non_field_errors":["` + dictionary + `float."]}`},
		{orjson, ` -1e999`, `{"detail":"JSON parse error - number is infinity when parsed as double: line 1 column 2 (char 1)"}`},
		{
			orjson, nested,
			`{"detail":"JSON parse error - array and object recursion depth exceeded: line 1 column 1026 (char 1025)"}`,
		},
		{orjson, nested[1 : len(nested)-1], `{"non_field_errors":["` + dictionary + `list."]}`},
		{python, `{"designation": 1e999}`, `{"designation":["\"inf\"` + noChoice},
		{python, `{"designation": [1e16, 1.0e-5, -0, -0.0]}`, `{"designation":["\"[1e+16, 1e-05, 0, -0.0]\"` + noChoice},
		{python, `{"designation": {"a": null, "it's": true}}`, `{"designation":["\"{'a': None, \"it's\": True}\"` + noChoice},
		{python, `{"designation": ["'\""]}`, `{"designation":["\"['\\'\"']\"` + noChoice},
		{
			python, `{"designation": ["\n\r\t\\\u007f\u00a0\u2028é\udb40\udc01"]}`,
			`{"designation":["\"['\\n\\r\\t\\\\\\x7f\\xa0\\u2028é\\U000e0001']\"` + noChoice,
		},
	} {
		status, body := tell(t, c.srv, c.srv.Token, http.MethodPatch, "flows/instances/default-authentication-flow/", c.document)
		assert.Equal(t, http.StatusBadRequest, status, c.document)
		assert.Equal(t, c.want, body, c.document)
	}
}
