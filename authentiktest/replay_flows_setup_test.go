package authentiktest_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/authentiktest"
)

// install is a fake with what the recorded servers had been given before the
// sequences were recorded. The recordings do not show how.
type install struct {
	*authentiktest.Server
	t       testing.TB
	version string
	tokens  map[string]string
	bob     authentiktest.Device
	stages  map[string]uuid.UUID // by name
}

func newInstall(t testing.TB, version string) *install {
	t.Helper()
	in := &install{Server: authentiktest.RoundTripper(t, authentiktest.Version(version)), t: t, version: version}
	in.tokens = map[string]string{"admin": in.Token}
	in.stages = map[string]uuid.UUID{}
	for _, stage := range in.Stages() {
		in.stages[stage.Name] = stage.PK
	}
	in.addUsers()
	in.addLoginFlows()
	in.addStageFlows()
	in.addPromptFlows()
	in.addPolicyFlows()
	return in
}

func (in *install) addUsers() {
	accounts := []authentiktest.Account{
		{Username: "viewer", Permissions: []string{"authentik_flows.view_flow"}},
		{Username: "limited"},
		{Username: "inact", Inactive: true, Password: "inact-pw-123"},
		{Username: "nopw"},
		{Username: "alice"},
		{Username: "bob"},
		{Username: "carol"},
		{Username: "dave"},
		{Username: "erin"},
		{Username: "super", Superuser: true},
		{Username: "pins", Permissions: []string{"authentik_flows.inspect_flow"}},
	}
	if in.version < "2025.12" {
		accounts[0].Groups = []string{"group-viewer"}
	} else {
		accounts[0].Roles = []string{"role-viewer"}
	}
	for _, a := range accounts {
		a.Name = strings.ToUpper(a.Username[:1]) + a.Username[1:]
		if a.Password == "" && a.Username != "nopw" {
			a.Password = a.Username + "-pw-123"
		}
		in.tokens[a.Username] = in.AddAccount(a).Token
	}
	// These may do more, which neither the inspector nor the executor asks for.
	for _, name := range []string{"pxf", "pvc", "pvb", "pcb", "pcfonly", "paf"} {
		in.tokens[name] = in.AddUser()
	}
	for _, name := range []string{"pcf", "paf2", "pdf"} {
		in.tokens[name] = in.AddUser("authentik_flows.view_flow")
	}
	other := in.AddAccount(authentiktest.Account{Username: "other"}) // so that a device of bob's is no other's namesake
	in.AddDevice(other.Username, authentiktest.Device{})
	in.bob = in.AddDevice("bob", authentiktest.Device{})
	in.AddDevice("bob", authentiktest.Device{Codes: []string{"static-bob-0", "static-bob-1", "static-bob-2"}})
	in.AddDevice("carol", authentiktest.Device{Codes: []string{"static-carol-0", "static-carol-1", "static-carol-2"}})
}

// flow adds a flow with stages. One that has been added before is a string.
func (in *install) flow(flow authentik.Flow, stages ...any) authentik.Flow {
	flow.Title = "Title " + flow.Slug
	if flow.Designation == "" {
		flow.Designation = authentik.FlowDesignationStageConfiguration
	}
	flow = in.AddFlow(flow)
	for i, stage := range stages {
		if settings, ok := stage.(authentiktest.StageSettings); ok {
			b := in.AddStages(flow.Slug, settings)[0]
			all := in.Stages()
			in.stages[all[len(all)-1].Name] = b.Stage
			continue
		}
		in.bind(flow, stage.(string), 10*i, "")
	}
	return flow
}

// bind binds a stage that has been added before.
func (in *install) bind(
	flow authentik.Flow,
	stage string,
	order int,
	action authentik.InvalidResponseAction,
) authentik.FlowStageBinding {
	require.NotEqual(in.t, uuid.Nil, in.stages[stage], stage)
	return in.AddBinding(authentik.FlowStageBinding{
		Target: flow.PK, Stage: in.stages[stage], Order: order, ReEvaluatePolicies: true, InvalidResponseAction: action,
	})
}

func (in *install) addLoginFlows() {
	login := authentik.FlowDesignationAuthentication
	if in.version < "2025" {
		in.flow(authentik.Flow{Slug: "w-background-empty", Designation: authentik.FlowDesignationRecovery})
	}
	in.flow(authentik.Flow{Slug: "x-csrf"})
	in.flow(
		authentik.Flow{Slug: "x-dummy-flow"},
		authentiktest.DummyStage{Name: "x-dummy"},
		authentiktest.DummyStage{Name: "x-dummy2"},
	)
	in.UpdateFlow("x-dummy-flow", func(*authentik.Flow) {})
	in.flow(authentik.Flow{
		Slug: "x-unauth", Designation: authentik.FlowDesignationEnrollment,
		Authentication: authentik.FlowAuthenticationRequireUnauthenticated,
	}, "x-dummy")
	in.flow(authentik.Flow{Slug: "x-super", Authentication: authentik.FlowAuthenticationRequireSuperuser}, "x-dummy")
	in.flow(
		authentik.Flow{Slug: "x-require-outpost", Authentication: authentik.FlowAuthenticationRequireOutpost},
		"x-dummy",
	)
	if in.version > "2025" {
		in.flow(
			authentik.Flow{Slug: "x-require-redirect", Authentication: authentik.FlowAuthenticationRequireRedirect},
			"x-dummy",
		)
	}
	if in.version > "2026.5" {
		in.flow(
			authentik.Flow{Slug: "x-require-token", Authentication: authentik.FlowAuthenticationRequireToken},
			"x-dummy",
		)
	}
	in.flow(authentik.Flow{Slug: "x-remember", Designation: login},
		authentiktest.IdentificationStage{Name: "x-ident-pw", WithPassword: true},
		authentiktest.UserLoginStage{Name: "x-login", Duration: time.Hour, RememberMe: 7 * 24 * time.Hour})
	in.flow(authentik.Flow{Slug: "x-ident-pw", Designation: login}, "x-ident-pw", "default-authentication-login")
	in.flow(authentik.Flow{Slug: "x-ident-nopretend", Designation: login},
		authentiktest.IdentificationStage{Name: "x-ident-nopretend", RevealUnknown: true},
		"default-authentication-password", "default-authentication-login")
}

func (in *install) addStageFlows() {
	login := authentik.FlowDesignationAuthentication
	configuration := []string{"xs-totp", "xs-static"}
	setup := []any{
		authentiktest.AuthenticatorTOTPStage{Name: "xs-totp"},
		authentiktest.AuthenticatorStaticStage{Name: "xs-static", Count: 3},
	}
	if in.version == "2025.10.0-rc1" { // these stages have no order, and had another one there
		slices.Reverse(setup)
	}
	in.flow(authentik.Flow{Slug: "xs-setup"}, setup...)
	for _, action := range []string{"skip", "deny", "configure"} {
		flow := in.flow(authentik.Flow{Slug: "xs-mfa-" + action, Designation: login})
		if action == "skip" {
			b := in.AddStages(flow.Slug, authentiktest.IdentificationStage{
				Name: "xs-ident", UserFields: []string{"username"}, WithPassword: true,
			})
			in.stages["xs-ident"] = b[0].Stage
		} else {
			in.bind(flow, "xs-ident", 0, "")
		}
		in.AddStages(flow.Slug, authentiktest.AuthenticatorValidateStage{
			Name: "xs-mfa-" + action, NotConfigured: action, ConfigurationStages: configuration,
		})
		in.bind(flow, "default-authentication-login", 20, "")
	}
	for _, mode := range []string{"always_require", "permanent"} {
		in.flow(authentik.Flow{Slug: "xs-consent-" + mode}, authentiktest.ConsentStage{Name: "xs-consent-" + mode})
	}
	in.flow(authentik.Flow{Slug: "xs-deny"}, authentiktest.DenyStage{Name: "xs-deny"})
	in.flow(authentik.Flow{Slug: "xs-deny-msg"}, authentiktest.DenyStage{Name: "xs-deny-msg", Message: "no <b>way</b>"})
	in.flow(authentik.Flow{Slug: "xs-throw"}, authentiktest.DummyStage{Name: "xs-throw", ThrowError: true})
	in.flow(authentik.Flow{Slug: "xs-empty"})
	in.flow(
		authentik.Flow{Slug: "xs-captcha"},
		authentiktest.CaptchaStage{Name: "xs-captcha", SiteKey: "pub", JSURL: "http://127.0.0.1:1/x.js"},
	)
	in.flow(
		authentik.Flow{Slug: "xs-email", Designation: authentik.FlowDesignationRecovery},
		"xs-ident",
		authentiktest.EmailStage{Name: "xs-email"},
	)
	in.flow(
		authentik.Flow{Slug: "xs-dummies"},
		authentiktest.DummyStage{Name: "xs-du"},
		authentiktest.DummyStage{Name: "xs-du2"},
	)
	in.flow(
		authentik.Flow{Slug: "xs-inv"},
		authentiktest.InvitationStage{Name: "xs-inv", Invitations: []string{invitation[in.version]}},
		"xs-du",
	)
	if in.version > "2025" {
		in.flow(
			authentik.Flow{Slug: "xs-redirect-static"},
			authentiktest.RedirectStage{Name: "xs-redirect-static", To: "https://example.com/there"},
		)
		in.flow(
			authentik.Flow{Slug: "xs-redirect-flow"},
			authentiktest.RedirectStage{Name: "xs-redirect-flow", Flow: "xs-deny"},
		)
	}
	for _, action := range []authentik.InvalidResponseAction{"retry", "restart", "restart_with_context"} {
		flow := in.flow(authentik.Flow{Slug: "xs-ira-" + string(action)}, "xs-du2")
		in.bind(flow, "xs-deny", 10, action)
	}
}

func (in *install) addPromptFlows() {
	all := []authentiktest.PromptField{
		{Type: "text", InitialValue: "init"},
		{Type: "text_area"},
		{Type: "text_read_only", InitialValue: "init"},
		{Type: "text_area_read_only"},
		{Type: "username"},
		{Type: "email"},
		{Type: "password"},
		{Type: "number"},
		{Type: "checkbox"},
		{Type: "radio-button-group", Choices: []string{"one", "two"}},
		{Type: "dropdown", Choices: []string{"one", "two"}},
		{Type: "date"},
		{Type: "date-time"},
		{Type: "file"},
		{Type: "separator"},
		{Type: "hidden", InitialValue: "init"},
		{Type: "static"},
		{Type: "ak-locale"},
	}
	for i := range all {
		f := &all[i]
		f.Key, f.Label = "f_"+strings.ReplaceAll(f.Type, "-", "_"), "L "+f.Type
		f.Placeholder, f.SubText, f.Required, f.Order = "P "+f.Type, "S <b>", f.Type != "hidden", i
	}
	if in.version > "2026" { // the server had stored some of them in free space before the others
		first := slices.IndexFunc(all, func(f authentiktest.PromptField) bool { return f.Type == "dropdown" })
		last := slices.IndexFunc(all, func(f authentiktest.PromptField) bool { return f.Type == "file" }) + 1
		all = slices.Concat(all[first:last], all[:first], all[last:])
	}
	in.flow(
		authentik.Flow{Slug: "xs-prompt"},
		authentiktest.PromptStage{Name: "xs-prompt", Fields: all},
		authentiktest.DummyStage{Name: "xs-after-prompt"},
	)
	in.flow(authentik.Flow{Slug: "xs-enroll", Designation: authentik.FlowDesignationEnrollment},
		authentiktest.PromptStage{Name: "xs-enroll", Fields: []authentiktest.PromptField{
			{Key: "username", Type: "username", Required: true, Placeholder: "username"},
			{Key: "name", Required: true, Placeholder: "name"},
			{Key: "email", Type: "email", Placeholder: "email"},
			{Key: "password", Type: "password", Required: true, Placeholder: "password"},
			{Key: "password_repeat", Type: "password", Required: true, Placeholder: "password_repeat"},
		}},
		authentiktest.UserWriteStage{Name: "xs-write"}, "default-authentication-login")
}

func (in *install) addPolicyFlows() {
	fails := func(text string) authentiktest.Policy {
		return func(authentiktest.PolicyRequest) error { return errors.New(text) }
	}
	for _, action := range []authentik.FlowDeniedAction{"message", "message_continue", "continue"} {
		flow := in.flow(authentik.Flow{Slug: "xs-pol-" + string(action), DeniedAction: action}, "xs-du")
		in.AddPolicy(flow.PK, fails("because"))
	}
	in.AddPolicy(in.flow(authentik.Flow{Slug: "xs-pol-raise"}, "xs-du").PK, fails("boom"))
	flow := in.flow(authentik.Flow{Slug: "xs-pol-bind"})
	in.AddPolicy(in.bind(flow, "xs-du", 0, "").PK, fails(""))
	in.bind(flow, "xs-du2", 10, "")
	flow = in.flow(authentik.Flow{Slug: "xs-pol-all"})
	in.AddPolicy(in.bind(flow, "xs-du", 0, "").PK, fails(""))
}

// invitation is the one that each server had.
var invitation = map[string]string{
	"2024.10.0":     "2195bc34-8287-4267-84f7-cb36907faa4d",
	"2025.10.0-rc1": "31f31795-dc96-4f39-a5cc-4bcc085a5a8b",
	"2026.8.0-rc1":  "39599138-533a-42b0-93ac-38390ab4c7d8",
}
