package challenge_test

import (
	"encoding/json"
	"fmt"
	"log"
	"log/slog"
	"net/url"
	"os"
	"strconv"

	"github.com/seed-299d42e7/authentik-go/challenge"
)

// respond is a function that responds to the challenges of a login.
func respond(c challenge.Challenge) (challenge.Response, error) {
	switch c := c.(type) {
	case *challenge.Identification:
		response := &challenge.IdentificationResponse{UIDField: "alice"}
		if c.PasswordFields {
			response.Password = "correct horse"
		}
		return response, nil
	case *challenge.Password:
		return &challenge.PasswordResponse{Password: "correct horse"}, nil
	default:
		return nil, fmt.Errorf("no response to %s", c.Component())
	}
}

// mustDecode is [challenge.Decode] for the examples.
func mustDecode(data string) challenge.Challenge {
	c, err := challenge.Decode([]byte(data))
	if err != nil {
		log.Fatal(err)
	}
	return c
}

// printJSON prints what a server gets or sends.
func printJSON(v any) {
	data, err := json.Marshal(v)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(data))
}

func Example() {
	for _, data := range []string{
		`{"component": "ak-stage-identification", "user_fields": ["username"], "password_fields": false}`,
		`{"component": "ak-stage-password", "pending_user": "alice"}`,
		`{"component": "ak-stage-captcha", "site_key": "6Lc"}`,
	} {
		response, err := respond(mustDecode(data))
		if err != nil {
			fmt.Println(err)
			continue
		}
		printJSON(response)
	}
	// Output:
	// {"component":"ak-stage-identification","uid_field":"alice"}
	// {"component":"ak-stage-password","password":"correct horse"}
	// no response to ak-stage-captcha
}

func ExampleDecode() {
	c, err := challenge.Decode([]byte(`{
		"flow_info": {"title": "Welcome to authentik!", "cancel_url": "/flows/-/cancel/"},
		"component": "ak-stage-password",
		"response_errors": {"password": [{"string": "Invalid password", "code": "invalid"}]},
		"pending_user": "alice"
	}`))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(c.Component(), "of", c.Info().Title)
	for field, details := range c.Errors() {
		fmt.Printf("%s: %s (%s)\n", field, details[0].String, details[0].Code)
	}
	if c, ok := c.(*challenge.Password); ok {
		fmt.Println("password of", c.PendingUser)
	}
	_, err = challenge.Decode([]byte(`{"component": "ak-stage-prompt", "fields": [{"label": ["secret"]}]}`))
	fmt.Println(err)
	// Output:
	// ak-stage-password of Welcome to authentik!
	// password: Invalid password (invalid)
	// password of alice
	// fields[0].label: an array, want a string
}

// A test can show any challenge: a literal needs no component.
func ExampleChallenge() {
	var c challenge.Challenge = &challenge.Password{PendingUser: "alice"}
	fmt.Println(c.Component(), c.Info() == nil, len(c.Errors()))
	printJSON(c)
	// Output:
	// ak-stage-password true 0
	// {"component":"ak-stage-password","pending_user":"alice","pending_user_avatar":""}
}

// Responses are safe to print and to log.
func ExampleResponse() {
	var r challenge.Response = &challenge.IdentificationResponse{UIDField: "alice", Password: "correct horse"}
	fmt.Println(r)
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	}))
	logger.Info("sending", "response", &challenge.PasswordResponse{Password: "correct horse"})
	// Output:
	// challenge.IdentificationResponse{Component: ak-stage-identification, UIDField: [redacted], Password: [redacted]}
	// level=INFO msg=sending response="challenge.PasswordResponse{Component: ak-stage-password, Password: [redacted]}"
}

func ExampleIdentification() {
	c := mustDecode(`{"component": "ak-stage-identification", "user_fields": ["email", "username"],
		"password_fields": true, "sources": [{"name": "GitHub",
		"challenge": {"component": "xak-flow-redirect", "to": "/source/oauth/login/github/"}}]}`)
	if c, ok := c.(*challenge.Identification); ok {
		fmt.Println("log in by", c.UserFields, "with the password at once:", c.PasswordFields)
		for _, source := range c.Sources {
			if redirect, ok := source.Challenge.(*challenge.Redirect); ok {
				fmt.Println("or with", source.Name, "at", redirect.To)
			}
		}
	}
	// Output:
	// log in by [email username] with the password at once: true
	// or with GitHub at /source/oauth/login/github/
}

func ExampleAuthenticatorValidation() {
	c := &challenge.AuthenticatorValidation{DeviceChallenges: []challenge.DeviceChallenge{
		{DeviceClass: challenge.DeviceClassSMS, DeviceUID: "3"},
		{DeviceClass: challenge.DeviceClassDuo, DeviceUID: "7"},
	}}
	for _, device := range c.DeviceChallenges {
		switch device.DeviceClass {
		case challenge.DeviceClassSMS, challenge.DeviceClassEmail: // the server sends a code to the user
			printJSON(&challenge.AuthenticatorValidationResponse{SelectedChallenge: &device})
		case challenge.DeviceClassDuo: // the user confirms with a phone
			if id, err := strconv.Atoi(device.DeviceUID); err == nil {
				printJSON(&challenge.AuthenticatorValidationResponse{Duo: id})
			}
		}
	}
	printJSON(&challenge.AuthenticatorValidationResponse{Code: "012345"})
	// Output:
	// {"component":"ak-stage-authenticator-validate","selected_challenge":{"device_class":"sms","device_uid":"3","challenge":{},"last_used":null}}
	// {"component":"ak-stage-authenticator-validate","duo":7}
	// {"component":"ak-stage-authenticator-validate","code":"012345"}
}

// The secret of a new device is in the URL, and nowhere else.
func ExampleAuthenticatorTOTP() {
	c := &challenge.AuthenticatorTOTP{
		ConfigURL: "otpauth://totp/authentik:alice?secret=JBSWY3DPEHPK3PXP&digits=6&issuer=authentik",
	}
	fmt.Println(c)
	config, err := url.Parse(c.ConfigURL)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("secret:", config.Query().Get("secret"))
	// Output:
	// challenge.AuthenticatorTOTP{Component: ak-stage-authenticator-totp, ConfigURL: [redacted]}
	// secret: JBSWY3DPEHPK3PXP
}

// The choices have the same type with each release.
func ExamplePrompt() {
	c := mustDecode(`{"component": "ak-stage-prompt", "fields": [
		{"field_key": "name", "label": "Full name", "type": "text", "required": true},
		{"field_key": "plan", "label": "Plan", "type": "dropdown", "choices": [{"value": "s", "label": "Small"}]},
		{"field_key": "size", "label": "Size", "type": "dropdown", "choices": ["M", "L"]}]}`)
	if c, ok := c.(*challenge.Prompt); ok {
		for _, field := range c.Fields {
			fmt.Println(field.FieldKey, field.Type, field.Required, field.Choices)
		}
	}
	printJSON(&challenge.PromptResponse{Values: map[string]any{"name": "Alice", "plan": "s", "size": "L"}})
	// Output:
	// name text true []
	// plan dropdown false [{s Small}]
	// size dropdown false [{M M} {L L}]
	// {"component":"ak-stage-prompt","name":"Alice","plan":"s","size":"L"}
}

func ExampleConsent() {
	c := mustDecode(`{"component": "ak-stage-consent", "header_text": "You're about to sign into Grafana.",
		"permissions": [{"id": "email", "name": "Email address"}], "token": "8540a976"}`)
	if c, ok := c.(*challenge.Consent); ok {
		fmt.Println(c.HeaderText)
		for _, permission := range c.Permissions {
			fmt.Println("-", permission.Name)
		}
		printJSON(&challenge.ConsentResponse{Token: c.Token})
	}
	// Output:
	// You're about to sign into Grafana.
	// - Email address
	// {"component":"ak-stage-consent","token":"8540a976"}
}

// The ends of a flow.
func ExampleRedirect() {
	for _, data := range []string{
		`{"component": "xak-flow-redirect", "to": "/"}`,
		`{"component": "ak-stage-access-denied", "error_message": "Flow does not apply to current user."}`,
		`{"component": "ak-stage-flow-error", "request_id": "d6007492f4324304b27dc5bc7c20915f"}`,
	} {
		switch c := mustDecode(data).(type) {
		case *challenge.Redirect:
			fmt.Println("done, go to", c.To)
		case *challenge.AccessDenied:
			fmt.Println("denied:", c.ErrorMessage)
		case *challenge.FlowError:
			fmt.Println("failed, see the server's log for request", c.RequestID)
		}
	}
	// Output:
	// done, go to /
	// denied: Flow does not apply to current user.
	// failed, see the server's log for request d6007492f4324304b27dc5bc7c20915f
}

// A challenge of a newer server or of a plugin is no error.
func ExampleUnknown() {
	c := mustDecode(`{"component": "ak-stage-newer", "question": "What is your quest?"}`)
	if c, ok := c.(*challenge.Unknown); ok {
		var fields struct{ Question string }
		if err := json.Unmarshal(c.Raw, &fields); err != nil {
			log.Fatal(err)
		}
		fmt.Println(c.Component(), fields.Question)
		printJSON(&challenge.RawResponse{ComponentName: c.Component(), Values: map[string]any{"answer": "the grail"}})
	}
	// Output:
	// ak-stage-newer What is your quest?
	// {"answer":"the grail","component":"ak-stage-newer"}
}

func ExamplePromptType_Known() {
	fmt.Println(challenge.PromptTypeDropdown.Known(), challenge.PromptType("color").Known())
	// Output: true false
}
