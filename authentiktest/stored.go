package authentiktest

import (
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/seed-299d42e7/authentik-go"
)

// fields are the fields of a stage, a prompt or another object as an export has
// them.
type fields struct{ object }

func (f fields) text(key string) string {
	value, _ := f.get(key)
	text, _ := value.(string)
	return text
}

func (f fields) is(key string, wanted bool) bool {
	value, _ := f.get(key)
	return value == wanted
}

func (f fields) whole(key string) int {
	value, ok := f.get(key)
	if !ok {
		return 0
	}
	n, _ := strconv.Atoi(pyString(value)) // what is no number is a default
	return n
}

func (f fields) texts(key string) (all []string) {
	value, _ := f.get(key)
	list, _ := value.([]any)
	for _, element := range list {
		if text, ok := element.(string); ok {
			all = append(all, text)
		}
	}
	return all
}

// units are those of a duration such as hours=1;minutes=30.
var units = map[string]time.Duration{
	"microseconds": time.Microsecond, "milliseconds": time.Millisecond, "seconds": time.Second,
	"minutes": time.Minute, "hours": time.Hour, "days": 24 * time.Hour, "weeks": 7 * 24 * time.Hour,
}

func (f fields) duration(key string) (sum time.Duration) {
	for part := range strings.SplitSeq(f.text(key), ";") {
		unit, count, _ := strings.Cut(part, "=")
		n, _ := strconv.ParseFloat(count, 64) // what is no number is none
		sum += time.Duration(n * float64(units[strings.TrimSpace(unit)]))
	}
	return sum
}

// storedSettings returns the settings of a stage that an install or an import
// has stored, or nil if none are stored.
func (st *store) storedSettings(stage *authentik.Stage) StageSettings {
	f := fields{st.settings[stage.PK]}
	if f.object == nil {
		return nil
	}
	model := strings.TrimPrefix(stage.MetaModelName, stageModels)
	switch model, _, _ = strings.Cut(model, "."); model {
	case "authenticator_static":
		return AuthenticatorStaticStage{Count: f.whole("token_count"), Length: f.whole("token_length")}
	case "authenticator_validate":
		return AuthenticatorValidateStage{
			DeviceClasses: f.texts("device_classes"),
			NotConfigured: f.text("not_configured_action"),
			ConfigurationStages: st.stageNames(
				f.texts("configuration_stages"),
			),
			Remember: f.duration("last_auth_threshold"),
		}
	case "captcha":
		return CaptchaStage{
			SiteKey:     f.text("public_key"),
			JSURL:       f.text("js_url"),
			Interactive: f.is("interactive", true),
		}
	case "deny":
		return DenyStage{Message: f.text("deny_message")}
	case "dummy":
		return DummyStage{ThrowError: f.is("throw_error", true)}
	case "identification":
		_, asks := f.get("password_stage")
		return IdentificationStage{
			UserFields: f.texts("user_fields"), WithPassword: asks && !f.null("password_stage"),
			RevealUnknown: f.is("pretend_user_exists", false), HideMatchedUser: f.is("show_matched_user", false),
		}
	case "invitation":
		return InvitationStage{ContinueWithout: f.is("continue_flow_without_invitation", true)}
	case "password":
		return PasswordStage{Attempts: f.whole("failed_attempts_before_cancel")}
	case "prompt":
		return PromptStage{Fields: st.storedPrompts(f.texts("fields"))}
	case "redirect":
		return RedirectStage{To: f.text("target_static"), Flow: st.slugOf(f.text("target_flow"))}
	case "user_login":
		return storedLogin(f)
	case "user_write":
		mode := f.text("user_creation_mode")
		return UserWriteStage{
			NeverCreate: mode == "never_create", AlwaysCreate: mode == "always_create",
			CreateInactive: f.is("create_users_as_inactive", true),
		}
	}
	return nil
}

func (f fields) null(key string) bool {
	value, _ := f.get(key)
	return value == nil
}

func storedLogin(f fields) UserLoginStage {
	s := UserLoginStage{
		Duration: f.duration("session_duration"), RememberMe: f.duration("remember_me_offset"),
		RememberDevice: f.duration("remember_device"),
	}
	if f.text("remember_device") != "" && s.RememberDevice == 0 {
		s.RememberDevice = -1
	}
	return s
}

// storedPrompts returns the fields of a prompt stage.
func (st *store) storedPrompts(pks []string) (all []PromptField) {
	for _, pk := range pks {
		id, err := uuid.Parse(pk)
		thing := st.thing(id)
		if err != nil || thing == nil {
			continue
		}
		f := fields{thing.settings}
		all = append(all, PromptField{
			Key: f.text("field_key"), Label: f.text("label"), Type: f.text("type"), Required: f.is("required", true),
			Placeholder: f.text("placeholder"), InitialValue: f.text("initial_value"), SubText: f.text("sub_text"),
			Order: f.whole("order"),
		})
	}
	return all
}

func (st *store) stageNames(pks []string) (names []string) {
	for _, stage := range st.stages {
		for _, pk := range pks {
			if stage.PK.String() == pk {
				names = append(names, stage.Name)
			}
		}
	}
	return names
}

func (st *store) slugOf(pk string) string {
	for _, flow := range st.flows {
		if flow.PK.String() == pk {
			return flow.Slug
		}
	}
	return ""
}
