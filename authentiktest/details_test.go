package authentiktest_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/authentiktest"
)

func TestFiltersOfBindings_Policies(t *testing.T) {
	t.Parallel()
	srv := authentiktest.RoundTripper(t)
	var bindings []authentik.FlowStageBinding
	var policies []string
	for i := range 3 {
		stage := srv.AddStage(authentik.Stage{})
		bindings = append(bindings, srv.AddBinding(authentik.FlowStageBinding{
			Target: srv.Flows()[0].PK, Stage: stage.PK, Order: 100 + i,
		}))
		srv.AddPolicy(bindings[i].PK, func(authentiktest.PolicyRequest) error { return nil })
		uses, err := srv.Client().BindingsUsedByList(t.Context(), bindings[i].PK)
		require.NoError(t, err)
		for _, use := range uses {
			if use.ModelName == "policy" {
				policies = append(policies, use.PK)
			}
		}
	}
	require.Len(t, policies, 3)
	unknown := uuid.NewString()
	for query, want := range map[string]string{
		"policies=" + policies[1]:                                        "1",
		"policies=" + policies[2] + "&policies=" + policies[0]:           "0 2",
		"policies=" + policies[0] + "&policies=" + unknown:               `{"policies":["Select a valid choice. ` + unknown + ` is not one of the available choices."]}`,
		"policies=" + unknown + "&policies=zz":                           `{"policies":["“zz” is not a valid UUID."]}`,
		"policies=":                                                      `{"policies":["“” is not a valid UUID."]}`,
		"policies=" + bindings[0].PK.String() + "&order=x&pbm_uuid=zz&x": "",
	} {
		found := ask(t, srv, srv.Token, "flows/bindings/", query)
		var got []string
		for _, b := range found.Results {
			got = append(got, strconv.Itoa(b.Order-100))
		}
		switch {
		case want == "":
			order := []int{strings.Index(found.body, "pbm_uuid"), strings.Index(found.body, "policies"), strings.Index(found.body, "order")}
			assert.IsIncreasing(t, order, found.body)
		case strings.HasPrefix(want, "{"):
			assert.Equal(t, want, found.body, query)
			assert.Equal(t, http.StatusBadRequest, found.status, query)
		default:
			assert.Equal(t, want, strings.Join(got, " "), query)
		}
	}
}

func TestServer_AcceptsWordsForBooleans(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"2025.2", "2025.4"} {
		srv := authentiktest.RoundTripper(t, authentiktest.Version(version))
		for word, want := range map[string]string{
			`"yes"`: "true", `"Yes"`: "true", `"YES"`: "true", `"T"`: "true", `1.0`: "true", `"off"`: "false", `-0.0`: "false",
			`"yEs"`: "", `"tRUE"`: "", `" on"`: "-", `2`: "-", `"1.0"`: "-", `-0.5`: "-", `"É"`: "-",
		} {
			if want == "" && since(version, "2025.4") {
				want = "true"
			}
			status, body := tell(t, srv, srv.Token, http.MethodPatch, "flows/instances/default-authentication-flow/",
				`{"compatibility_mode": `+word+`}`)
			if want == "true" || want == "false" {
				assert.Contains(t, body, `"compatibility_mode":`+want, "%s: %s", version, word)
				continue
			}
			assert.Equal(t, http.StatusBadRequest, status, "%s: %s", version, word)
			assert.JSONEq(t, `{"compatibility_mode":["Must be a valid boolean."]}`, body)
		}
	}
}

func TestServer_RefusesNullCharacters(t *testing.T) {
	t.Parallel()
	const null = `"Null characters are not allowed."`
	for version, slug := range map[string]string{
		"2025.10": null + `,"Enter a valid \"slug\" consisting of letters, numbers, underscores or hyphens."`,
		"2025.12": `"Enter a valid “slug” consisting of letters, numbers, underscores or hyphens.",` + null,
	} {
		srv := authentiktest.RoundTripper(t, authentiktest.Version(version))
		_, body := tell(t, srv, srv.Token, http.MethodPatch, "flows/instances/default-authentication-flow/",
			`{"name": "a\u0000", "slug": "\u0000a", "title": "\u0000", "designation": "\u0000"}`)
		assert.Equal(t, `{"name":[`+null+`],"slug":[`+slug+`],"title":[`+null+`],`+
			`"designation":["\"\u0000\" is not a valid choice."]}`, body, version)
		_, body = tell(t, srv, srv.Token, http.MethodPatch, "flows/instances/default-authentication-flow/", `{"background": "\u0000 "}`)
		if since(version, "2025.12") {
			assert.Regexp(t, `^{"background":\["File name can only contain [^"]*",`+null+`\]}$`, body)
		}
	}
}

func TestServer_RoutesAsDjango(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"2024.2", "2024.4", "2026.8"} {
		srv := authentiktest.RoundTripper(t, authentiktest.Version(version))
		found := func(token, method, path string) int {
			status, _ := tell(t, srv, token, method, path, "")
			return status
		}
		const flow = "flows/instances/default-authentication-flow/"
		assert.Equal(t, http.StatusInternalServerError, found(srv.Token, http.MethodGet, "stages/all/?ordering=-flow_set"))
		assert.Equal(t, http.StatusOK, found(srv.Token, http.MethodGet, "stages/all/?ordering=component"))
		assert.Equal(t, http.StatusOK, found(srv.Token, http.MethodGet, "flows/instances/?format=json"))
		status, body := tell(t, srv, srv.Token, http.MethodGet, "flows/instances/?format=api", "")
		assert.Equal(t, http.StatusNotFound, status)
		assert.JSONEq(t, `{"detail":"Not found."}`, body)
		status, body = tell(t, srv, srv.Token, http.MethodGet, "flows/instances/a%2Fb/", "")
		assert.Equal(t, http.StatusNotFound, status)
		assert.Contains(t, body, "<html", "the slash is one of the path")

		// Since 2024.4, nobody gets to a single object as anybody else does.
		assert.Equal(t, http.StatusForbidden, found("", http.MethodPost, "flows/instances/"))
		assert.Equal(t, http.StatusForbidden, found("nonsense", http.MethodPost, flow))
		if want := http.StatusForbidden; since(version, "2024.4") {
			want = http.StatusMethodNotAllowed
			assert.Equal(t, want, found("", http.MethodPost, flow), version)
		} else {
			assert.Equal(t, want, found("", http.MethodPost, flow), version)
		}
	}
}

func TestServer_DescribesWhatTheUserMayWrite(t *testing.T) {
	t.Parallel()
	srv := authentiktest.RoundTripper(t, authentiktest.Version("2026.8"))
	viewer := srv.AddUser("authentik_flows.view_flow", "authentik_flows.view_stage")
	writer := srv.AddUser("authentik_flows.view_flow", "authentik_flows.change_flow")
	const plain = `"renders":["application/json"],"parses":["application/json"]}`
	const flow = "flows/instances/default-authentication-flow/"
	for _, c := range []struct{ token, path, want string }{
		{viewer, "flows/instances/", `{"name":"Flow List","description":"Flow Viewset",` + plain},
		{viewer, flow, `{"name":"Flow Instance","description":"Flow Viewset",` + plain},
		{"", flow, `{"name":"Flow Instance","description":"Flow Viewset",` + plain},
		{"", "flows/bindings/", `{"detail":"Authentication credentials were not provided."}`},
		{srv.Token, "flows/instances/nope/", `{"name":"Flow Instance","description":"Flow Viewset",` + plain},
		{srv.Token, "stages/all/", `{"name":"Stage List","description":"Stage Viewset",` + plain},
	} {
		_, body := tell(t, srv, c.token, http.MethodOptions, c.path, "")
		assert.JSONEq(t, c.want, body, c.path)
	}
	_, body := tell(t, srv, writer, http.MethodOptions, flow, "")
	assert.Contains(t, body, `"actions":{"PUT":{"pk":{"type":"string","required":false,"read_only":true,"label":"Flow uuid"},`)
	_, body = tell(t, srv, writer, http.MethodOptions, "flows/instances/", "")
	assert.NotContains(t, body, "actions", "a POST wants add_flow")
}

func TestServer_ListsTheStagesThatUsersConfigure(t *testing.T) {
	t.Parallel()
	for version, want := range map[string][]string{
		"2023.3": {"Static Authenticator Stage", "Mine", "TOTP Authenticator Setup Stage", "WebAuthn Authenticator Setup Stage", "Password Stage"},
		"2023.4": {"Static tokens", "Mine", "TOTP Device", "WebAuthn device", "Password Stage"},
	} {
		srv := authentiktest.RoundTripper(t, authentiktest.Version(version))
		srv.AddStage(authentik.Stage{
			Name: "z", VerboseName: "Mine", MetaModelName: "authentik_stages_authenticator_static.authenticatorstaticstage",
		})
		srv.AddStages("default-authentication-flow", authentiktest.PasswordStage{}, authentiktest.DummyStage{})
		srv.DeleteFlow("default-authenticator-totp-setup")
		_, body := tell(t, srv, srv.AddUser(), http.MethodGet, "stages/all/user_settings/", "")
		var settings []struct {
			Title     string
			Component string
			Configure string    `json:"configure_url"`
			PK        uuid.UUID `json:"object_uid"`
		}
		require.NoError(t, json.Unmarshal([]byte(body), &settings))
		var titles []string
		for i, setting := range settings {
			titles = append(titles, setting.Title)
			if configured := i != 1 && i != 2; configured {
				assert.Equal(t, "/flows/-/configure/"+setting.PK.String()+"/", setting.Configure, setting.Title)
			} else {
				assert.Empty(t, setting.Configure, setting.Title)
			}
		}
		assert.Equal(t, want, titles, version)
		srv.DeleteFlow("default-password-change")
		_, body = tell(t, srv, srv.Token, http.MethodGet, "stages/all/user_settings/", "")
		assert.NotContains(t, body, "ak-user-settings-password")
		status, _ := tell(t, srv, "", http.MethodGet, "stages/all/user_settings/", "")
		assert.Equal(t, http.StatusForbidden, status)
	}
}

func TestServer_ListsUsesInTheOrderOfDjango(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]string{
		"2021.12": "flowstagebinding2 passwordstage policy provider stage2 tenant",
		"2026.8":  "policybinding brand flowstagebinding2 passwordstage policy provider stage2",
	} {
		srv := authentiktest.RoundTripper(t, authentiktest.Version(version))
		uses := func(token, slug string) (models, names []string) {
			_, body := tell(t, srv, token, http.MethodGet, "flows/instances/"+slug+"/used_by/", "")
			var all []authentik.UsedBy
			require.NoError(t, json.Unmarshal([]byte(body), &all))
			for i, use := range all {
				if i > 0 && use.ModelName == all[i-1].ModelName {
					models[len(models)-1] += "2"
				} else {
					models = append(models, use.ModelName)
				}
				names = append(names, use.Name+" "+strings.ToLower(string(use.Action)))
			}
			return models, names
		}
		const slug = "default-password-change"
		flow := srv.Flows()[slices.IndexFunc(srv.Flows(), func(f authentik.Flow) bool { return f.Slug == slug })]
		brand := "brand"
		if version == "2021.12" {
			brand = "tenant"
		}
		srv.AddUse(flow.PK, authentik.UsedBy{App: "authentik_" + brand + "s", ModelName: brand, Action: "set_null"})
		srv.AddUse(flow.PK, authentik.UsedBy{})
		srv.AddPolicy(flow.PK, func(authentiktest.PolicyRequest) error { return nil })
		models, names := uses(srv.Token, slug)
		assert.Equal(t, want, strings.Join(models, " "), version)
		assert.Contains(t, names, "Stage default-authentication-password set_null", version)
		models, _ = uses(srv.AddUser("authentik_flows.view_flow:"+flow.PK.String()), slug)
		assert.Empty(t, models, "who may view nothing else")

		for kind, name := range map[string]string{
			"static": "Static Authenticator Stage", "totp": "TOTP Authenticator Setup Stage", "webauthn": "WebAuthn Authenticator Setup Stage",
		} {
			stage := "default-authenticator-" + kind + "-setup"
			_, names = uses(srv.Token, stage)
			assert.Equal(t, name+" "+stage+" set_null", names[0], version)
		}
	}
}
