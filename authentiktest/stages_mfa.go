package authentiktest

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed-299d42e7/authentik-go"
)

// AuthenticatorValidateStage requests a code of a device of the user. The fake
// has TOTP and static devices.
type AuthenticatorValidateStage struct {
	Name string
	// DeviceClasses are the devices that the stage accepts: static, totp. The
	// default is both.
	DeviceClasses []string
	// NotConfigured is what happens to a user without a device: skip the stage,
	// deny access, or configure a device. The default is skip.
	NotConfigured string
	// ConfigurationStages are the names of the stages that set up a device.
	ConfigurationStages []string
	// Remember is how long a browser needs no other code. The default is not
	// at all.
	Remember time.Duration
}

func (s AuthenticatorValidateStage) stage() (string, stageKind) {
	return s.Name, stageKind{
		model: "authenticator_validate", component: "ak-stage-authenticator-validate", user: true,
		enter:   s.enter,
		members: s.members,
		inputs:  s.inputs,
		check: func(_ *visit, in answers, p *problems) {
			for _, key := range []string{"code", "webauthn", "duo", "selected_stage"} {
				if _, ok := in[key]; ok {
					return
				}
			}
			p.add(noField, "Empty response", "invalid")
		},
		accept: s.accept,
	}
}

const deviceChallenges = "goauthentik.io/stages/authenticator_validate/device_challenges"

func (s AuthenticatorValidateStage) enter(v *visit) *reply {
	u := v.pending()
	switch {
	case u == nil && v.flow.Designation != authentik.FlowDesignationAuthentication:
		return new(v.ok())
	case u != nil && s.Remember > 0 && v.remembered(mfaCookie, u):
		return new(v.ok())
	}
	v.plan.devices = []object{}
	if u != nil {
		v.plan.devices = s.challenges(v, u)
	}
	v.plan.set(deviceChallenges, v.plan.devices)
	if len(v.plan.devices) > 0 {
		return nil
	}
	switch s.NotConfigured {
	case "deny":
		return new(v.deny("No (allowed) MFA authenticator configured."))
	case "configure":
		return s.configure(v)
	}
	return new(v.ok())
}

// challenges returns the devices of a user that the stage accepts, the first of
// each class. The stage accepts the codes of the others, too.
func (s AuthenticatorValidateStage) challenges(v *visit, u *user) []object {
	all := []object{}
	seen := map[string]bool{}
	for _, d := range u.ordered() {
		if seen[d.class] || s.DeviceClasses != nil && !slices.Contains(s.DeviceClasses, d.class) {
			continue
		}
		seen[d.class] = true
		o := object{{"device_class", d.class}, {"device_uid", strconv.Itoa(d.id)}, {"challenge", object{}}}
		if v.st.since("2024.10") {
			var used any
			if !d.lastUsed.IsZero() {
				used = d.lastUsed.UTC().Format("2006-01-02T15:04:05.999999Z")
			}
			o = append(o, member{"last_used", used})
		}
		all = append(all, o)
	}
	return all
}

// configure offers the stages that set up a device. A single one is not
// offered, but comes next.
func (s AuthenticatorValidateStage) configure(v *visit) *reply {
	var stages []*authentik.Stage
	for _, stage := range v.st.stages {
		if slices.Contains(s.ConfigurationStages, stage.Name) {
			stages = append(stages, stage)
		}
	}
	switch {
	case len(stages) == 0:
		return new(v.deny(""))
	case len(stages) == 1, !v.st.since("2022.1"): // which cannot offer several
		v.plan.insert(v.st, stages[0])
		return new(v.ok())
	}
	v.plan.choices = stages
	return nil
}

func (s AuthenticatorValidateStage) members(v *visit) (object, error) {
	devices, stages := v.plan.devices, []object{}
	if devices == nil {
		devices = []object{}
	}
	for _, stage := range v.plan.choices {
		var name any = stage.Name
		if v.st.since("2023.10") && !v.st.since("2025.10") {
			name = nil // authentik shows the friendly name, which the fake has not
		}
		stages = append(stages, object{
			{"pk", stage.PK},
			{"name", name},
			{"verbose_name", strings.TrimSpace(strings.Replace(stage.VerboseName, "Setup Stage", "", 1))},
			{"meta_model_name", stage.MetaModelName},
		})
	}
	o := object{{"device_challenges", devices}}
	if v.st.since("2022.1") {
		o = append(o, member{"configuration_stages", stages})
	}
	return o, nil
}

func (s AuthenticatorValidateStage) inputs(v *visit) []input {
	return []input{
		{key: "selected_challenge", kind: s.selected(v), optional: true},
		{key: "selected_stage", kind: textInput, optional: true, check: func(pk string) string {
			for _, stage := range v.plan.choices {
				if stage.PK.String() == pk {
					v.plan.chosen = stage
					return ""
				}
			}
			return "Selected stage is invalid"
		}},
		{key: "code", kind: textInput, optional: true, check: func(code string) string {
			if !v.plan.accepts("static", "totp") {
				return noSuchDevice
			}
			u := v.pending()
			if u != nil && u.verify(code, v.now) != nil {
				return ""
			}
			if u != nil && v.st.since("2026.2") {
				v.st.score(u.username, -1)
			}
			return "Invalid Token. Please ensure the time on your device is accurate and try again."
		}},
		{key: "webauthn", kind: mapInput, optional: true, check: func(string) string { return noSuchDevice }},
		{key: "duo", kind: wholeInput, optional: true, check: func(string) string { return noSuchDevice }},
	}
}

const noSuchDevice = "No compatible device class allowed"

// accepts reports whether the challenge had a device of one of the classes.
func (p *plan) accepts(classes ...string) bool {
	return slices.ContainsFunc(p.devices, func(o object) bool {
		class, _ := o[0].value.(string)
		return slices.Contains(classes, class)
	})
}

// selected is the kind of a device that the user has chosen from the
// challenge. Since 2025.8 the class must be one that authentik knows.
func (s AuthenticatorValidateStage) selected(v *visit) inputKind {
	classes := []string{"static", "totp", "webauthn", "duo", "sms", "email"}
	return func(i input, sent any) (any, string, string) {
		value, problem, code := mapInput(i, sent)
		chosen, ok := value.(map[string]any)
		if !ok {
			return nil, problem, code
		}
		class, _ := chosen["device_class"].(string)
		uid, _ := chosen["device_uid"].(string)
		if v.st.since("2025.8") && !slices.Contains(classes, class) {
			return nil, "device_class", ""
		}
		known := slices.ContainsFunc(v.plan.devices, func(o object) bool {
			return o[0].value == class && o[1].value == uid
		})
		if !known {
			return nil, "invalid challenge selected", "invalid"
		}
		return chosen, "", ""
	}
}

func (s AuthenticatorValidateStage) accept(v *visit, in answers) reply {
	if v.plan.chosen != nil && s.NotConfigured == "configure" {
		v.plan.insert(v.st, v.plan.chosen)
		v.plan.chosen, v.plan.choices = nil, nil
		return v.ok()
	}
	if s.Remember > 0 && in.text("code") != "" {
		v.remember(mfaCookie, v.pending(), s.Remember)
	}
	return v.ok()
}

// AuthenticatorTOTPStage sets up a TOTP device of the user.
type AuthenticatorTOTPStage struct{ Name string }

func (s AuthenticatorTOTPStage) stage() (string, stageKind) {
	return s.Name, stageKind{
		model: "authenticator_totp", component: "ak-stage-authenticator-totp", user: true,
		enter: func(v *visit) *reply {
			if v.pending() == nil {
				return new(v.ok())
			}
			if v.plan.device == nil {
				v.plan.device = v.st.newDevice("totp")
			}
			return nil
		},
		members: func(v *visit) (object, error) {
			link := ""
			if v.plan.device != nil && v.pending() != nil {
				link = v.plan.device.configURL(v.pending().username)
			}
			return object{{"config_url", link}}, nil
		},
		inputs: func(v *visit) []input {
			accepts := textInput
			if !v.st.since("2025.12") {
				accepts = wholeInput
			}
			return []input{{key: "code", kind: func(i input, sent any) (any, string, string) {
				value, problem, code := accepts(i, sent)
				if problem == "" && (v.plan.device == nil || !v.plan.device.accepts(pyString(documentOf(value)), v.now)) {
					return nil, "Code does not match", "invalid"
				}
				return value, problem, code
			}}}
		},
		accept: func(v *visit, _ answers) reply {
			v.st.confirm(v.pending(), v.plan.device)
			v.plan.device = nil
			return v.ok()
		},
	}
}

// AuthenticatorStaticStage sets up a static device of the user, with codes to
// be used once.
type AuthenticatorStaticStage struct {
	Name string
	// Count is the number of codes. The default is 6.
	Count int
	// Length is the length of the codes. The default is 12.
	Length int
}

func (s AuthenticatorStaticStage) stage() (string, stageKind) {
	return s.Name, stageKind{
		model: "authenticator_static", component: "ak-stage-authenticator-static", user: true,
		enter: func(v *visit) *reply {
			if v.pending() == nil {
				return new(v.ok())
			}
			if v.plan.codes == nil {
				v.plan.codes = v.st.newCodes(orDefault(s.Count, 6), orDefault(s.Length, 12))
			}
			return nil
		},
		members: func(v *visit) (object, error) {
			return object{{"codes", slices.Clone(v.plan.codes)}}, nil
		},
		accept: func(v *visit, _ answers) reply {
			if len(v.plan.codes) > 0 {
				d := v.st.newDevice("static")
				d.codes = v.plan.codes
				v.st.confirm(v.pending(), d)
			}
			v.plan.codes = nil
			return v.ok()
		},
	}
}

func orDefault(n, otherwise int) int {
	if n <= 0 {
		return otherwise
	}
	return n
}
