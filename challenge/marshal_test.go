package challenge_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go/challenge"
)

func TestMarshalJSON_Responses(t *testing.T) {
	t.Parallel()
	pk := uuid.MustParse("6ca60e71-0cb0-4312-92eb-dfd27ba3d70b")
	for _, test := range []struct {
		want     string
		response challenge.Response
	}{
		{
			`{"component":"ak-stage-identification","uid_field":"alice"}`,
			&challenge.IdentificationResponse{UIDField: "alice"},
		},
		{
			`{"component":"ak-stage-identification","passkey":{"id":"x"}}`,
			&challenge.IdentificationResponse{Passkey: json.RawMessage(`{"id":"x"}`)},
		},
		{`{"component":"ak-stage-password","password":""}`, &challenge.PasswordResponse{}},
		{
			`{"component":"ak-stage-password","password":"<é\"\u2028>"}`,
			challenge.PasswordResponse{Password: "<é\"\u2028>"},
		},
		{`{"component":"ak-stage-user-login","remember_me":false}`, &challenge.UserLoginResponse{}},
		{`{"component":"ak-stage-dummy"}`, &challenge.DummyResponse{}},
		{`{"component":"ak-stage-consent"}`, &challenge.ConsentResponse{}},
		{
			`{"component":"ak-stage-authenticator-totp","code":"012345"}`,
			&challenge.AuthenticatorTOTPResponse{Code: "012345"},
		},
		{`{"component":"ak-stage-authenticator-webauthn","response":{}}`, &challenge.AuthenticatorWebAuthnResponse{}},
		{
			`{"component":"ak-stage-authenticator-validate","code":"012345"}`,
			&challenge.AuthenticatorValidationResponse{Code: "012345"},
		},
		{
			`{"component":"ak-stage-authenticator-validate","duo":7}`,
			&challenge.AuthenticatorValidationResponse{Duo: 7},
		},
		{
			`{"component":"ak-stage-authenticator-validate","selected_stage":"` + pk.String() + `"}`,
			&challenge.AuthenticatorValidationResponse{SelectedStage: pk},
		},
		{
			`{"component":"ak-stage-authenticator-validate","selected_challenge":
				{"device_class":"sms","device_uid":"7","challenge":{},"last_used":null}}`,
			&challenge.AuthenticatorValidationResponse{
				SelectedChallenge: &challenge.DeviceChallenge{DeviceClass: challenge.DeviceClassSMS, DeviceUID: "7"},
			},
		},
		{`{"component":"ak-stage-prompt"}`, &challenge.PromptResponse{}},
		{
			`{"component":"ak-stage-prompt","age":42,"agree":false,"username":"alice"}`,
			&challenge.PromptResponse{
				Values: map[string]any{"username": "alice", "agree": false, "age": 42},
			},
		},
		{`{"component":"mine"}`, &challenge.PromptResponse{Values: map[string]any{"component": "mine"}}},
		{
			`{"component":"ak-stage-newer","list":[],"raw":{"a":1},"text":null}`,
			&challenge.RawResponse{
				ComponentName: "ak-stage-newer",
				Values:        map[string]any{"raw": json.RawMessage(`{"a":1}`), "text": nil, "list": []string(nil)},
			},
		},
	} {
		got, err := json.Marshal(test.response)
		require.NoError(t, err)
		assert.JSONEq(t, test.want, string(got))
	}
}

// Values and pointers are responses of the same component.
func TestMarshalJSON_ResponsesHaveTheirComponent(t *testing.T) {
	t.Parallel()
	for _, kind := range challenge.ResponseTypes {
		response := reflect.New(kind)
		for _, v := range []any{response.Interface(), response.Elem().Interface()} {
			text, err := json.Marshal(v)
			require.NoError(t, err)
			var sent struct{ Component string }
			require.NoError(t, json.Unmarshal(text, &sent))
			assert.NotEmpty(t, sent.Component)
			assert.Equal(t, v.(challenge.Response).Component(), sent.Component)
		}
	}
}

func TestMarshalJSON_ChallengesAreAsServersSendThem(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		want string
		c    any
	}{
		{`{"component":"xak-flow-redirect","to":"/"}`, &challenge.Redirect{To: "/"}},
		{`{"component":"xak-flow-redirect","to":"/there"}`, challenge.Redirect{To: "/there"}},
		{
			`{"component":"ak-flow-sources-plex","client_id":"","slug":"plex"}`,
			&challenge.PlexAuthentication{
				Common: challenge.Common{ComponentName: "ak-flow-sources-plex"}, Slug: "plex",
			},
		},
		{
			`{"component":"ak-stage-authenticator-sms",
				"pending_user":"","pending_user_avatar":"","phone_number_required":false}`,
			&challenge.AuthenticatorSMS{},
		},
		{`{"component":"ak-stage-prompt","fields":[]}`, &challenge.Prompt{}},
		{`{"component":"ak-stage-autosubmit","url":"","attrs":{}}`, &challenge.Autosubmit{}},
		{
			`{"flow_info":{"title":"T","background":"","cancel_url":""},"component":"ak-stage-authenticator-validate",
				"response_errors":{"code":[{"string":"s","code":"c"}]},"pending_user":"","pending_user_avatar":"",
				"device_challenges":[{"device_class":"totp","device_uid":"1","challenge":{},"last_used":null}]}`,
			&challenge.AuthenticatorValidation{
				Common: challenge.Common{
					FlowInfo:       &challenge.FlowInfo{Title: "T"},
					ResponseErrors: map[string][]challenge.ErrorDetail{"code": {{String: "s", Code: "c"}}},
				},
				DeviceChallenges: []challenge.DeviceChallenge{{DeviceClass: challenge.DeviceClassTOTP, DeviceUID: "1"}},
			},
		},
		{`{"component":"newer"}`, &challenge.Unknown{Raw: json.RawMessage(`{"component":"newer"}`)}},
		{`null`, (*challenge.Redirect)(nil)},
	} {
		got, err := json.Marshal(test.c)
		require.NoError(t, err)
		assert.JSONEq(t, test.want, string(got))
	}
}

// failing is a value that cannot be marshaled.
type failing struct{}

func (failing) MarshalJSON() ([]byte, error) { return nil, errors.New("out of order") }

// A value that JSON cannot have is an error, and is not replaced.
func TestMarshalJSON_Errors(t *testing.T) {
	t.Parallel()
	for _, v := range []any{
		challenge.PasswordResponse{Password: secret + "\xff"},
		challenge.IdentificationResponse{UIDField: secret + "\xff", Password: secret + "\xff"},
		challenge.PromptResponse{Values: map[string]any{"password": secret + "\xff"}},
		challenge.RawResponse{Values: map[string]any{"x": json.RawMessage(`{"x":"` + secret + `"`)}},
		challenge.AuthenticatorWebAuthnResponse{Response: json.RawMessage(`"` + secret)},
		&challenge.Autosubmit{Attrs: map[string]string{"x": "\xff"}},
		&challenge.Unknown{Raw: json.RawMessage(`[`)},
		&challenge.Identification{
			Sources: []challenge.LoginSource{{Challenge: &challenge.Unknown{Raw: json.RawMessage(`{"x":"` + secret)}}},
		},
	} {
		_, err := json.Marshal(v)
		require.Error(t, err, "%T", v)
		assert.NotContains(t, err.Error(), secret)
	}
	_, err := json.Marshal(challenge.PromptResponse{Values: map[string]any{"x": failing{}}})
	assert.ErrorContains(t, err, "out of order")
}
