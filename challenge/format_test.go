package challenge_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go/challenge"
	"github.com/seed-299d42e7/authentik-go/internal/testkit/schema"
)

// printed returns v as each way to print and log it shows it. JSON is for the
// server and is not one of them.
func printed(v any) map[string]string {
	all := map[string]string{}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t"} {
		all[verb] = fmt.Sprintf(verb, v)
		all[verb+" in a struct"] = fmt.Sprintf(verb, struct{ V any }{v})
		all[verb+" in a list"] = fmt.Sprintf(verb, []any{v})
		all[verb+" in a map"] = fmt.Sprintf(verb, map[string]any{"v": v})
	}
	all["error"] = fmt.Errorf("unsolved: %v", v).Error()
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("message", "v", v, slog.Group("g", "v", v))
	slog.New(slog.NewJSONHandler(&log, nil)).Info("message", "v", v, slog.Group("g", "v", v))
	all["slog"] = log.String()
	return all
}

// requireRedacted asserts that no way to print v shows the secret, although v
// has it.
func requireRedacted(t *testing.T, v any) {
	t.Helper()
	encoded, err := json.Marshal(v)
	require.NoError(t, err)
	require.Contains(t, string(encoded), secret, "%T is without a secret", v)
	for way, output := range printed(v) {
		require.NotContains(t, strings.ToLower(output), strings.ToLower(secret[:10]), "%T: %s", v, way)
		require.NotContains(t, strings.ToLower(output), fmt.Sprintf("%x", secret[:10]), "%T: %s", v, way)
	}
}

// planted returns a value in which every string is a secret, but for the
// component and for what has a type of its own.
func planted(v any, key string) any {
	switch v := v.(type) {
	case map[string]any:
		all := map[string]any{}
		for key, member := range v {
			all[key] = planted(member, key)
		}
		return all
	case []any:
		for i := range v {
			v[i] = planted(v[i], key)
		}
	case string:
		switch key {
		case "component", "last_used", "pk":
		default:
			return secret + " " + v
		}
	}
	return v
}

// Nothing of what a server sends is printed: it may be a token, or what the
// user entered.
func TestFormat_ChallengesShowNoText(t *testing.T) {
	t.Parallel()
	releases := schema.Releases(t)
	for _, r := range []schema.Release{releases[0], releases[len(releases)-1]} {
		for component, name := range r.Union("ChallengeTypes") {
			var v schema.Generator
			data, err := json.Marshal(planted(v.Component(r, name, component), ""))
			require.NoError(t, err)
			c, err := challenge.Decode(data)
			require.NoError(t, err)
			requireRedacted(t, c)
			requireRedacted(t, reflect.ValueOf(c).Elem().Interface())
			assert.Contains(t, fmt.Sprint(c), "Component: "+component)
			requireRedactedParts(t, reflect.ValueOf(c).Elem())
		}
	}
	requireRedacted(t, &challenge.Unknown{Raw: json.RawMessage(`{"component":"` + secret + `"}`)})
	requireRedacted(t, challenge.Unknown{Raw: json.RawMessage(`{"component":"newer","x":"` + secret + `"}`)})
}

// requireRedactedParts asserts the same for the structs within a challenge that
// have secrets.
func requireRedactedParts(t *testing.T, v reflect.Value) {
	t.Helper()
	for field, value := range v.Fields() {
		if value.Kind() == reflect.Slice && value.Len() > 0 {
			value = value.Index(0)
		}
		if value.Kind() == reflect.Pointer && !value.IsNil() {
			value = value.Elem()
		}
		switch value.Interface().(type) {
		case challenge.Common, challenge.FlowInfo, challenge.LoginSource, challenge.StagePrompt,
			challenge.DeviceChallenge, challenge.LogoutURL, challenge.Captcha:
			requireRedacted(t, value.Interface())
		}
		if field.Anonymous {
			requireRedactedParts(t, value)
		}
	}
}

// No value that a user enters is printed, but true and false and numbers.
func TestFormat_ResponsesShowNoText(t *testing.T) {
	t.Parallel()
	for _, kind := range challenge.ResponseTypes {
		response := reflect.New(kind)
		if kind.NumField() == 0 {
			empty := response.Elem().Interface().(challenge.Response)
			want := "challenge." + kind.Name() + "{Component: " + empty.Component() + "}"
			assert.Equal(t, want, fmt.Sprintf("%+v", empty))
			assert.Equal(t, want, empty.(slog.LogValuer).LogValue().String())
			continue
		}
		plant(response.Elem())
		if kind == reflect.TypeFor[challenge.UserLoginResponse]() {
			assert.Contains(t, fmt.Sprint(response.Interface()), "RememberMe: true")
			assert.Contains(t, response.Interface().(slog.LogValuer).LogValue().String(), "RememberMe: true")
			continue
		}
		requireRedacted(t, response.Interface())
		requireRedacted(t, response.Elem().Interface())
		component := response.Interface().(challenge.Response).Component()
		assert.Contains(t, fmt.Sprint(response.Interface()), "Component: "+component)
	}
	requireRedacted(t, challenge.RawResponse{ComponentName: "ak-stage-newer", Values: map[string]any{"code": secret}})
	requireRedacted(t, &challenge.RawResponse{ComponentName: secret})
}

// plant sets all fields of a response to secrets.
func plant(v reflect.Value) {
	for field, value := range v.Fields() {
		switch target := value.Addr().Interface().(type) {
		case *string:
			*target = secret + field.Name
		case *json.RawMessage:
			*target = json.RawMessage(`{"id":"` + secret + `"}`)
		case **challenge.DeviceChallenge:
			*target = &challenge.DeviceChallenge{DeviceUID: secret, LastUsed: new(time.Now())}
		case *map[string]any:
			*target = map[string]any{"password": secret, secret: 1}
		case *bool:
			*target = true
		}
	}
}

func TestFormat_ShowsWhatIsNoText(t *testing.T) {
	t.Parallel()
	ten, many := map[string][]challenge.ErrorDetail{}, map[string][]challenge.ErrorDetail{}
	for i := range 20 {
		many[fmt.Sprintf("field_%02d", i)] = nil
	}
	for i := range 10 {
		ten[fmt.Sprintf("field_%02d", i)] = nil
	}
	for _, test := range []struct {
		v    any
		want string
	}{
		{&challenge.PasswordResponse{}, "challenge.PasswordResponse{Component: ak-stage-password}"},
		{
			challenge.IdentificationResponse{UIDField: "alice", Password: "x"},
			"challenge.IdentificationResponse{Component: ak-stage-identification, " +
				"UIDField: [redacted], Password: [redacted]}",
		},
		{
			challenge.AuthenticatorValidationResponse{
				Duo:               7,
				SelectedChallenge: &challenge.DeviceChallenge{DeviceClass: challenge.DeviceClassSMS, DeviceUID: "7"},
			},
			"challenge.AuthenticatorValidationResponse{Component: ak-stage-authenticator-validate, Duo: 7, " +
				"SelectedChallenge: challenge.DeviceChallenge{DeviceClass: sms, DeviceUID: [redacted]}}",
		},
		{
			&challenge.Password{
				Common: challenge.Common{
					Type: challenge.TypeNative, FlowInfo: &challenge.FlowInfo{Title: "Log in"},
					ResponseErrors: map[string][]challenge.ErrorDetail{
						"password": {{String: "hunter2 is invalid", Code: "invalid"}, {Code: "Hunter2"}, {}},
						"a b":      nil,
					},
				},
				PendingUser: "alice",
			},
			"challenge.Password{Component: ak-stage-password, " +
				"FlowInfo: challenge.FlowInfo{Title: [redacted]}, Type: native, " +
				`ResponseErrors: {[redacted]: [], password: [invalid, [redacted], ""]}, PendingUser: [redacted]}`,
		},
		{
			&challenge.Identification{
				UserFields: make([]string, 12), PasswordFields: true,
				Sources: []challenge.LoginSource{{Name: "x", Challenge: &challenge.Redirect{To: "/?token=x"}}},
			},
			"challenge.Identification{Component: ak-stage-identification, " +
				"UserFields: [" + strings.Repeat("[redacted], ", 10) + "…], " +
				"PasswordFields: true, Sources: [challenge.LoginSource{Name: [redacted], " +
				"Challenge: challenge.Redirect{Component: xak-flow-redirect, To: [redacted]}}]}",
		},
		{
			challenge.StagePrompt{Type: challenge.PromptTypeHidden, Order: 3, Choices: []challenge.PromptChoice{{}}},
			"challenge.StagePrompt{Type: hidden, Order: 3, Choices: [[redacted]]}",
		},
		{challenge.StagePrompt{Type: "newer"}, "challenge.StagePrompt{Type: [redacted]}"},
		{
			&challenge.FlowError{Common: challenge.Common{ComponentName: "xak-flow-error", ResponseErrors: many}},
			"challenge.FlowError{Component: xak-flow-error, ResponseErrors: {" +
				"field_00: [], field_01: [], field_02: [], field_03: [], field_04: [], " +
				"field_05: [], field_06: [], field_07: [], field_08: [], field_09: [], …}}",
		},
		{
			challenge.Common{ResponseErrors: ten},
			"challenge.Common{ResponseErrors: {" +
				"field_00: [], field_01: [], field_02: [], field_03: [], field_04: [], " +
				"field_05: [], field_06: [], field_07: [], field_08: [], field_09: []}}",
		},
		{
			challenge.AuthenticatorWebAuthnResponse{Response: json.RawMessage(`{}`)},
			"challenge.AuthenticatorWebAuthnResponse{Component: ak-stage-authenticator-webauthn, Response: [redacted]}",
		},
		{&challenge.Unknown{}, `challenge.Unknown{Component: ""}`},
		{
			&challenge.Dummy{Common: challenge.Common{ComponentName: strings.Repeat("x", 65)}},
			"challenge.Dummy{Component: [redacted]}",
		},
		{(*challenge.Password)(nil), "<nil>"},
	} {
		assert.Equal(t, test.want, fmt.Sprint(test.v))
		assert.Equal(t, test.want, fmt.Sprintf("%+v", test.v))
		if valuer, ok := test.v.(slog.LogValuer); ok && test.want != "<nil>" {
			assert.Equal(t, test.want, valuer.LogValue().String())
		}
	}
}
