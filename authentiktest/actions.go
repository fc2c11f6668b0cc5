package authentiktest

import (
	"net/http"
	"slices"
	"strings"

	"github.com/seed-299d42e7/authentik-go"
)

// refusedWithout returns the response to a user who has not all of the
// permissions for all objects.
func (q request) refusedWithout(permissions ...string) (reply, bool) {
	for _, permission := range permissions {
		switch {
		case q.user == nil:
			return q.detail(http.StatusForbidden, noCredentials), true
		case !q.user.superuser && !q.user.may(permission):
			return q.detail(http.StatusForbidden, noPermission), true
		}
	}
	return reply{}, false
}

func (st *store) cacheInfo(q request) reply {
	if a, refused := q.refusedTo(); refused {
		return a
	}
	if a, refused := q.refusedWithout("authentik_flows.view_flow_cache"); refused {
		return a
	}
	count := 0
	for _, flow := range st.flows {
		count += flow.CacheCount
	}
	return q.json(http.StatusOK, object{{"count", count}})
}

func (st *store) cacheClear(q request) reply {
	if a, refused := q.refusedTo(); refused {
		return a
	}
	if a, refused := q.refusedWithout("authentik_flows.clear_flow_cache"); refused {
		return a
	}
	for _, flow := range st.flows {
		flow.CacheCount = 0
	}
	return q.done()
}

// stageTypes responds to any user.
func (st *store) stageTypes(q request) reply {
	if a, refused := q.refusedTo(); refused {
		return a
	}
	return q.json(http.StatusOK, st.types)
}

// configurable are the kinds of stages that users configure, in the order of
// the response.
var configurable = []string{
	"authenticator_duo", "authenticator_email", "authenticator_sms", "authenticator_static", "authenticator_totp",
	"authenticator_webauthn", "password",
}

// stockConfigured are the stages of a fresh install that a flow configures: the
// slug of the flow, and the name that users see since 2023.4.
var stockConfigured = map[string]struct{ flow, friendly string }{
	"default-authenticator-static-setup":   {"default-authenticator-static-setup", "Static tokens"},
	"default-authenticator-totp-setup":     {"default-authenticator-totp-setup", "TOTP Device"},
	"default-authenticator-webauthn-setup": {"default-authenticator-webauthn-setup", "WebAuthn device"},
	"default-authentication-password":      {"default-password-change", ""},
}

// userSettings responds to any user with the stages that users configure. A
// password stage is one only if a flow configures it.
func (st *store) userSettings(q request) reply {
	if a, refused := q.refusedTo(); refused {
		return a
	}
	stages := slices.SortedFunc(slices.Values(st.stages), func(a, b *authentik.Stage) int {
		return strings.Compare(a.Name, b.Name)
	})
	all := []object{}
	for _, kind := range configurable {
		for _, stage := range stages {
			configured := st.configureFlow(stage) != nil
			if !isConfigurable(stage, kind) || kind == "password" && !configured {
				continue
			}
			setting := object{
				{"title", st.friendlyName(stage)},
				{"component", "ak-user-settings-" + strings.ReplaceAll(kind, "_", "-")},
				{"object_uid", stage.PK},
			}
			if configured {
				setting = append(setting, member{"configure_url", "/flows/-/configure/" + stage.PK.String() + "/"})
			}
			all = append(all, setting)
		}
	}
	return q.json(http.StatusOK, all)
}

func isConfigurable(stage *authentik.Stage, kind string) bool {
	return strings.HasPrefix(stage.MetaModelName, stageModels+kind+".")
}

func (st *store) friendlyName(stage *authentik.Stage) string {
	name := fields{st.settings[stage.PK]}.text("friendly_name")
	if name == "" && st.since("2023.4") {
		name = stockConfigured[stage.Name].friendly
	}
	fallback(&name, stage.VerboseName)
	return name
}

// configureFlow returns the flow with which users set up a stage, or nil.
func (st *store) configureFlow(stage *authentik.Stage) *authentik.Flow {
	stored := fields{st.settings[stage.PK]}
	if _, known := stored.get("configure_flow"); !known {
		return st.flow(stockConfigured[stage.Name].flow)
	}
	if flow := parseUUID(stored.text("configure_flow")); flow != nil {
		return st.flowByPK(*flow)
	}
	return nil
}

// passes reports the result of a policy, as far as its last line shows it: the
// fake does not execute Python.
func (t *thing) passes() bool {
	expression, _ := t.settings.get("expression")
	code, _ := expression.(string)
	switch code[strings.LastIndex(code, "\n")+1:] {
	case "return False", "return ak_is_sso_flow":
		return false
	}
	return true
}
