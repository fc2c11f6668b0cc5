package challenge_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go/challenge"
	"github.com/seed-299d42e7/authentik-go/internal/testkit"
)

// decode decodes a challenge that has to be a T.
func decode[T challenge.Challenge](t testing.TB, data string) T {
	t.Helper()
	decoded, err := challenge.Decode([]byte(data))
	require.NoError(t, err)
	c, ok := decoded.(T)
	require.True(t, ok, "%T", decoded)
	return c
}

func TestDecode_OldComponentsAreOfTheSameType(t *testing.T) {
	t.Parallel()
	for component, want := range map[string]challenge.Challenge{
		"ak-flow-sources-plex": &challenge.PlexAuthentication{}, "ak-source-plex": &challenge.PlexAuthentication{},
		"ak-flow-sources-oauth-apple": &challenge.AppleLogin{}, "ak-source-oauth-apple": &challenge.AppleLogin{},
		"xak-flow-error": &challenge.FlowError{}, "ak-stage-flow-error": &challenge.FlowError{},
	} {
		data := `{"component":"` + component + `"}`
		got, err := challenge.Decode([]byte(data))
		require.NoError(t, err)
		assert.IsType(t, want, got)
		assert.Equal(t, component, got.Component())
		encoded, err := json.Marshal(got)
		require.NoError(t, err)
		assert.Contains(t, string(encoded), data[1:len(data)-1])
	}
}

func TestDecode_AcceptsChoicesOfAllReleases(t *testing.T) {
	t.Parallel()
	for choices, want := range map[string][]challenge.PromptChoice{
		`["a","b"]`: {{Value: "a", Label: "a"}, {Value: "b", Label: "b"}},
		`[{"value":"a","label":"A"},{"value":1,"label":null}]`: {{Value: "a", Label: "A"}, {Value: "1"}},
		`[1,true,null]`: {{Value: "1", Label: "1"}, {Value: "true", Label: "true"}, {}},
		`[]`:            {}, `null`: nil,
	} {
		c := decode[*challenge.Prompt](t, `{"component":"ak-stage-prompt","fields":[{"choices":`+choices+`}]}`)
		assert.Equal(t, want, c.Fields[0].Choices, choices)
	}
}

// Until 2026.2 the schema allowed anything for a URL.
func TestDecode_AcceptsURLsOfAllReleases(t *testing.T) {
	t.Parallel()
	c := decode[*challenge.IframeLogout](t, `{"component":"ak-provider-iframe-logout",
		"logout_urls":["https://a.example/",{"url":"https://b.example/","binding":null},null]}`)
	assert.Equal(t, []challenge.LogoutURL{{URL: "https://a.example/"}, {URL: "https://b.example/"}, {}}, c.LogoutURLs)
}

func TestDecode_AcceptsNumbersAndStrings(t *testing.T) {
	t.Parallel()
	validation := decode[*challenge.AuthenticatorValidation](t, `{"component":"ak-stage-authenticator-validate",
		"device_challenges":[{"device_uid":-1,"device_class":"newer"},{"device_uid":"12345678901234567890"}]}`)
	assert.Equal(t, "-1", validation.DeviceChallenges[0].DeviceUID)
	assert.Equal(t, challenge.DeviceClass("newer"), validation.DeviceChallenges[0].DeviceClass)
	assert.Equal(t, "12345678901234567890", validation.DeviceChallenges[1].DeviceUID)

	static := decode[*challenge.AuthenticatorStatic](t,
		`{"component":"ak-stage-authenticator-static","codes":[123456,"0123"]}`)
	assert.Equal(t, []string{"123456", "0123"}, static.Codes)

	prompt := decode[*challenge.Prompt](t, `{"component":"ak-stage-prompt","fields":[{"order":"7"},{"order":7}]}`)
	assert.Equal(t, 7, prompt.Fields[0].Order)
	assert.Equal(t, 7, prompt.Fields[1].Order)

	denied := decode[*challenge.AccessDenied](t, `{"component":"ak-stage-access-denied",
		"response_errors":{"code":["bare",{"string":"no code"},{"string":1,"code":2}]}}`)
	assert.Equal(t, map[string][]challenge.ErrorDetail{
		"code": {{String: "bare"}, {String: "no code"}, {String: "1", Code: "2"}},
	}, denied.Errors())
}

func TestDecode_AcceptsAbsentAndNull(t *testing.T) {
	t.Parallel()
	for component := range challenge.ChallengeTypes {
		bare, err := challenge.Decode([]byte(`{"component":"` + component + `"}`))
		require.NoError(t, err, component)
		assert.Nil(t, bare.Info())
		assert.Nil(t, bare.Errors())
		nulls := []string{`"component":"` + component + `"`}
		for key := range fields(t, challenge.ChallengeTypes[component]) {
			if key != "component" {
				nulls = append(nulls, `"`+key+`":null`)
			}
		}
		null, err := challenge.Decode([]byte("{" + strings.Join(nulls, ",") + "}"))
		require.NoError(t, err, component)
		assert.Equal(t, bare, null)
	}
	stages := decode[*challenge.AuthenticatorValidation](t, `{"component":"ak-stage-authenticator-validate",
		"configuration_stages":[null,{"pk":null,"name":null}],
		"device_challenges":[null,{"challenge":null,"last_used":null}]}`)
	assert.Equal(t, []challenge.ConfigurationStage{{}, {}}, stages.ConfigurationStages)
	assert.Equal(t, []challenge.DeviceChallenge{{}, {}}, stages.DeviceChallenges)
	sources := decode[*challenge.Identification](t,
		`{"component":"ak-stage-identification","sources":[null,{"name":"x"},{"challenge":null}]}`)
	assert.Equal(t, []challenge.LoginSource{{}, {Name: "x"}, {}}, sources.Sources)
}

func TestDecode_ReadsEachKindOfField(t *testing.T) {
	t.Parallel()
	pk := uuid.MustParse("6ca60e71-0cb0-4312-92eb-dfd27ba3d70b")
	used := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	want := &challenge.AuthenticatorValidation{
		Common: challenge.Common{
			ComponentName:  "ak-stage-authenticator-validate",
			Type:           challenge.TypeNative,
			FlowInfo:       &challenge.FlowInfo{Title: "Log in", Layout: "stacked", CancelURL: "/cancel"},
			ResponseErrors: map[string][]challenge.ErrorDetail{"code": {{String: "Invalid", Code: "invalid"}}},
		},
		PendingUser: "alice",
		DeviceChallenges: []challenge.DeviceChallenge{{
			DeviceClass: challenge.DeviceClassWebAuthn, DeviceUID: "7",
			Challenge: json.RawMessage(`{"rpId":"example.com", "big": 12345678901234567890}`), LastUsed: &used,
		}},
		ConfigurationStages: []challenge.ConfigurationStage{
			{PK: pk, Name: "totp", VerboseName: "TOTP", MetaModelName: "m"},
		},
	}
	got := decode[*challenge.AuthenticatorValidation](t, `{
		"component":"ak-stage-authenticator-validate","type":"native",
		"flow_info":{"title":"Log in","layout":"stacked","cancel_url":"/cancel"},"pending_user":"alice",
		"response_errors":{"code":[{"string":"Invalid","code":"invalid"}]},
		"device_challenges":[{"device_class":"webauthn","device_uid":"7","last_used":"2026-01-02T03:04:05Z",
		"challenge":{"rpId":"example.com", "big": 12345678901234567890}}],
		"configuration_stages":[{"pk":"`+pk.String()+`","name":"totp","verbose_name":"TOTP","meta_model_name":"m"}]}`)
	assert.Equal(t, want, got)

	identification := decode[*challenge.Identification](t, `{"component":"ak-stage-identification","sources":[
		{"name":"GitHub","challenge":{"component":"xak-flow-redirect","to":"/source/"}},
		{"name":"Plex","challenge":{"component":"ak-flow-sources-plex","slug":"plex"}},
		{"name":"Newer","challenge":{"component":"ak-source-newer","key":"value"}}],
		"captcha_stage":{"component":"ak-stage-captcha","site_key":"key"}}`)
	assert.Equal(t, "/source/", identification.Sources[0].Challenge.(*challenge.Redirect).To)
	assert.Equal(t, "plex", identification.Sources[1].Challenge.(*challenge.PlexAuthentication).Slug)
	assert.JSONEq(t, `{"component":"ak-source-newer","key":"value"}`,
		string(identification.Sources[2].Challenge.(*challenge.Unknown).Raw))
	assert.Equal(t, "key", identification.CaptchaStage.SiteKey)
}

// What was decoded of a source can be decoded by encoding/json, too.
func TestUnmarshalJSON_OfEncodingJSON(t *testing.T) {
	t.Parallel()
	var c challenge.Identification
	require.NoError(t, json.Unmarshal([]byte(`{"component":"ak-stage-identification",
		"sources":[{"name":"GitHub","challenge":{"component":"xak-flow-redirect","to":"/source/"}}]}`), &c))
	assert.Equal(t, "/source/", c.Sources[0].Challenge.(*challenge.Redirect).To)
	var p challenge.Prompt
	require.NoError(t, json.Unmarshal([]byte(`{"fields":[{"choices":["a",{"value":"b","label":"B"}]}],
		"response_errors":{"a":["text",{"string":"s","code":"c"}]}}`), &p))
	assert.Equal(t, []challenge.PromptChoice{{Value: "a", Label: "a"}, {Value: "b", Label: "B"}}, p.Fields[0].Choices)
	assert.Equal(t, []challenge.ErrorDetail{{String: "text"}, {String: "s", Code: "c"}}, p.Errors()["a"])
}

// UnmarshalJSON finds what encoding/json lets pass, and what nobody has checked.
func TestUnmarshalJSON_Errors(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		input, want string
		into        any
	}{
		{`{"fields":[{"choices":["` + secret + "\xff" + `"]}]}`, "not JSON", new(challenge.Prompt)},
		{`{"response_errors":{"a":["` + secret + "\xff" + `"]}}`, "not JSON", new(challenge.Prompt)},
		{`{"response_errors":{"a":[{"code":"a","code":"b"}]}}`, "code: duplicate key", new(challenge.Prompt)},
		{`{"logout_urls":[{"url":"a","url":"b"}]}`, "url: duplicate key", new(challenge.IframeLogout)},
		{
			`{"sources":[{"challenge":{"component":"xak-flow-redirect","to":"` + "\xff" + `"}}]}`,
			"challenge.to: not JSON", new(challenge.Identification),
		},
		{
			`{"sources":[{"challenge":{"component":"xak-flow-redirect","to":[]}}]}`,
			"challenge.to: an array, want a string", new(challenge.Identification),
		},
		{
			`{"sources":[{"challenge":{"component":"xak-flow-redirect"},"name":[]}]}`,
			"name: an array, want a string", new(challenge.Identification),
		},
	} {
		assert.EqualError(t, json.Unmarshal([]byte(test.input), test.into), test.want, test.input)
	}
	for _, v := range []json.Unmarshaler{
		new(challenge.ErrorDetail), new(challenge.LoginSource), new(challenge.LogoutURL), new(challenge.PromptChoice),
	} {
		for _, input := range []string{"", " ", "{", `"` + secret, secret, "{}{}"} {
			assert.EqualError(t, v.UnmarshalJSON([]byte(input)), "not JSON", "%T: %s", v, input)
		}
	}
}

func TestDecode_Unknown(t *testing.T) {
	t.Parallel()
	input := []byte(`{"component":"ak-stage-newer","flow_info":{"title":"Newer"},"key":"value",
		"response_errors":{"key":[{"string":"s","code":"c"}]}}`)
	c := decode[*challenge.Unknown](t, string(input))
	assert.Equal(t, "ak-stage-newer", c.Component())
	assert.Equal(t, "Newer", c.Info().Title)
	assert.Equal(t, "c", c.Errors()["key"][0].Code)
	assert.Equal(t, input, []byte(c.Raw))
	encoded, err := json.Marshal(c)
	require.NoError(t, err)
	assert.JSONEq(t, string(input), string(encoded))

	// Parts of another shape are in Raw only.
	c = decode[*challenge.Unknown](t, ` {"flow_info":{},"\u0063omponent":"ak-stage-n\u0065wer"} `)
	assert.Equal(t, "ak-stage-newer", c.Component())
	c = decode[*challenge.Unknown](t, `{"component":"ak-stage-newer","flow_info":[],"response_errors":[1]}`)
	assert.Equal(t, "ak-stage-newer", c.Component())
	assert.Nil(t, c.Info())
	assert.Nil(t, c.Errors())
	for _, raw := range []string{"", "null", "[", `{"component":[]}`} {
		assert.Empty(t, (&challenge.Unknown{Raw: json.RawMessage(raw)}).Component(), raw)
	}
}

const secret = "CANARY-c2VjcmV0"

func TestDecode_Errors(t *testing.T) {
	t.Parallel()
	grammar := "not JSON"
	for _, test := range []struct{ input, want string }{
		{``, "unexpected EOF"},
		{`{"component":"a"`, "component: unexpected EOF"},
		{`<html>` + secret, grammar},
		{`{'component':'a'}`, grammar},
		{`{"component":"a",}`, grammar},
		{`{"component":"a"} x`, "data after the end of the JSON value"},
		{`{"component":"a"}{}`, "data after the end of the JSON value"},
		{`null`, "null, want an object"},
		{`[]`, "an array, want an object"},
		{`"` + secret + `"`, "a string, want an object"},
		{`{}`, "component: missing"},
		{`{"component":null}`, "component: missing"},
		{`{"component":""}`, "component: empty"},
		{`{"component":1}`, "component: a number, want a string"},
		{`{"Component":"a"}`, "component: missing"},
		{`{"component":["` + secret + `"]}`, "component: an array, want a string"},
		{"{\"component\":\"" + secret + "\xff\"}", grammar},
		{"{\"component\":\"a\",\"x\":\"" + secret + "\xff\"}", grammar},
		{`{"component":"a","x":"` + secret + `\ud800"}`, grammar},
		{`{"component":"a","component":"b"}`, "component: duplicate key"},
		{`{"component":"a","x":{"y":1,"y":2}}`, "x.y: duplicate key"},
		{
			`{"component":"ak-stage-password","pending_user":{"` + secret + `":1}}`,
			"pending_user: an object, want a string",
		},
		{
			`{"component":"ak-stage-identification","password_fields":"` + secret + `"}`,
			"password_fields: a string, want a boolean",
		},
		{`{"component":"ak-stage-identification","user_fields":{}}`, "user_fields: an object, want an array"},
		{`{"component":"ak-stage-identification","captcha_stage":1}`, "captcha_stage: a number, want an object"},
		{
			`{"component":"ak-stage-identification","sources":[{"challenge":{}}]}`,
			"sources[0].challenge.component: missing",
		},
		{
			`{"component":"ak-stage-identification","sources":[{"challenge":"` + secret + `"}]}`,
			"sources[0].challenge: a string, want an object",
		},
		{
			`{"component":"ak-stage-identification","sources":[{"name":[]}]}`,
			"sources[0].name: an array, want a string",
		},
		{
			`{"component":"ak-stage-identification",
				"sources":[{},{"challenge":{"component":"xak-flow-redirect","to":[]}}]}`,
			"sources[1].challenge.to: an array, want a string",
		},
		{
			`{"component":"ak-stage-prompt","fields":[{},{"label":["` + secret + `"]}]}`,
			"fields[1].label: an array, want a string",
		},
		{
			`{"component":"ak-stage-prompt","fields":[{"order":"` + secret + `"}]}`,
			"fields[0].order: not an integer in range",
		},
		{`{"component":"ak-stage-prompt","fields":[{"order":1.5}]}`, "fields[0].order: not an integer in range"},
		{`{"component":"ak-stage-prompt","fields":[{"order":[]}]}`, "fields[0].order: an array, want an integer"},
		{
			`{"component":"ak-stage-prompt","fields":[{"choices":[{"label":[]}]}]}`,
			"fields[0].choices[0].label: an array, want a string",
		},
		{
			`{"component":"ak-stage-prompt","fields":[{"choices":[[]]}]}`,
			"fields[0].choices[0]: an array, want an object",
		},
		{`{"component":"ak-stage-prompt","fields":[{"type":1}]}`, "fields[0].type: a number, want a string"},
		{
			`{"component":"ak-stage-prompt","response_errors":{"a b":"` + secret + `"}}`,
			`response_errors["a b"]: a string, want an array`,
		},
		{`{"component":"ak-stage-autosubmit","attrs":{"a":[]}}`, "attrs.a: an array, want a string"},
		{`{"component":"ak-stage-autosubmit","attrs":[]}`, "attrs: an array, want an object"},
		{
			`{"component":"ak-stage-authenticator-validate","device_challenges":[{"last_used":"` + secret + `"}]}`,
			"device_challenges[0].last_used: a string, want a time.Time",
		},
		{
			`{"component":"ak-stage-authenticator-validate","configuration_stages":[{"pk":"` + secret + `"}]}`,
			"configuration_stages[0].pk: a string, want a uuid.UUID",
		},
		{
			`{"component":"ak-stage-authenticator-validate","configuration_stages":[{"pk":1}]}`,
			"configuration_stages[0].pk: a number, want a uuid.UUID",
		},
		{`{"component":"a","x":[` + strings.Repeat("0,", 200_000) + `0]}`, "x[199995]: more than 200000 tokens"},
	} {
		shown := test.input[:min(len(test.input), 200)]
		c, err := challenge.Decode([]byte(test.input))
		require.Error(t, err, shown)
		assert.Nil(t, c, shown)
		assert.NotContains(t, err.Error(), secret)
		if test.want != grammar {
			assert.EqualError(t, err, test.want, shown)
		}
	}
}

// Tokens count, not bytes.
func TestDecode_Accepts200000Tokens(t *testing.T) {
	t.Parallel()
	decode[*challenge.Unknown](t, `{"component":"a","x":[`+strings.Repeat("0,", 199_992)+`0]}`)
	_, err := challenge.Decode([]byte(`{"component":"a","x":[` + strings.Repeat("0,", 199_993) + `0]}`))
	require.EqualError(t, err, "more than 200000 tokens")
	decode[*challenge.Shell](t, `{"component":"xak-flow-shell","body":"`+strings.Repeat("<b>", 200_000)+`"}`)
}

// A malicious server cannot make a challenge of challenges.
func TestDecode_NestedChallengesAreThoseOfSources(t *testing.T) {
	t.Parallel()
	ofSources := []string{
		"ak-flow-sources-oauth-apple", "ak-flow-sources-plex",
		"ak-source-oauth-apple", "ak-source-plex", "ak-source-telegram", "xak-flow-redirect",
	}
	for component, kind := range challenge.ChallengeTypes {
		inner := `{"component":"` + component + `"}`
		c := decode[*challenge.Identification](t,
			`{"component":"ak-stage-identification","sources":[{"challenge":`+inner+`}]}`)
		if slices.Contains(ofSources, component) {
			assert.IsType(t, reflect.New(kind).Interface(), c.Sources[0].Challenge, component)
		} else {
			assert.Equal(t, &challenge.Unknown{Raw: json.RawMessage(inner)}, c.Sources[0].Challenge)
		}
	}
}

func TestDecode_KeepsNothingOfTheInput(t *testing.T) {
	t.Parallel()
	for _, r := range recordedChallenges(t) {
		input := bytes.Clone(r.body)
		c, err := challenge.Decode(input)
		require.NoError(t, err)
		before, err := json.Marshal(c)
		require.NoError(t, err)
		clear(input)
		after, err := json.Marshal(c)
		require.NoError(t, err)
		require.Equal(t, before, after)
	}
}

// The body of a response has at most 8 MiB by default. What makes the most of
// each byte is refused, or takes a few times the memory of the body.
func TestDecode_MemoryIsBounded(t *testing.T) { //nolint:paralleltest // it measures
	if testkit.Race {
		t.Skip("the race detector allocates, too")
	}
	for _, test := range []struct{ start, element, end string }{
		{`"ak-stage-prompt","fields":[{}`, `,{}`, `]`},
		{`"ak-stage-prompt","fields":[{"choices":[""`, `,""`, `]}]`},
		{`"ak-stage-identification","sources":[{}`, `,{}`, `]`},
		{`"ak-stage-identification","user_fields":[""`, `,""`, `]`},
		{`"newer","x":[0`, `,0`, `]`},
		{`"newer","x":`, `[`, ``},
		{`"xak-flow-shell","body":"`, `<b>`, `"`},
	} {
		for _, n := range []int{90_000, 190_000, 2_500_000} {
			data := []byte(`{"component":` + test.start + strings.Repeat(test.element, n) + test.end + `}`)
			var err error
			spent := testkit.Allocated(func() { _, err = challenge.Decode(data) })
			t.Logf("%s: %d bytes, %d KiB allocated, error: %t", test.start, len(data), spent>>10, err != nil)
			assert.Less(t, spent, int64(4*len(data)+96<<20), test.start)
		}
	}
}
