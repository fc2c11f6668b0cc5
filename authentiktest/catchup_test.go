package authentiktest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/internal/testkit/recording"
)

// catchUp does what the recorder did before an exchange and did not record. It
// shows in the names of the exchanges and in what they are about.
func (p *player) catchUp(e recording.Exchange) {
	p.ensureSlug(e)
	p.ensurePolicies(e)
	p.ensureUses(e)
	p.ensureImported(e)
	switch name := strings.Replace(e.ID, "w_bpimport_", "w_import_", 1); name {
	case "w_import_after_delete", "w_import_after_delete_all":
		for _, slug := range []string{"wm-branch", "wm-imported"} {
			if slices.ContainsFunc(p.srv.Flows(), func(f authentik.Flow) bool { return f.Slug == slug }) {
				p.srv.DeleteFlow(slug)
			}
		}
		if name == "w_import_after_delete" {
			return
		}
		for _, s := range p.srv.Stages() {
			if strings.HasPrefix(s.Name, "wm-d") {
				p.srv.DeleteStage(s.PK)
			}
		}
	case "w_perm_patch_as_pcf": // the background was removed
		p.srv.UpdateFlow("w-full", func(f *authentik.Flow) { f.Background, f.BackgroundURL = "", "" })
	case "w_binding_patch_collision": // the binding was moved back
		id := uuid.MustParse(strings.Split(e.Request.Target, "/")[5])
		b := p.bindings[id]
		p.ask(http.MethodPut, "flows/bindings/"+p.our(id).String()+"/", "application/json",
			fmt.Appendf(nil, `{"target": %q, "stage": %q, "order": %d}`, p.our(b.Target), p.our(b.Stage), b.Order))
	}
}

// ask sends a request of the player's own, as the superuser.
func (p *player) ask(method, path, contentType string, body []byte) []byte {
	p.t.Helper()
	req := httptest.NewRequest(method, "/api/v3/"+path, bytes.NewReader(body))
	req.Header.Set("Authorization", "Bearer "+p.srv.Token)
	req.Header.Set("Content-Type", contentType)
	recorder := httptest.NewRecorder()
	p.srv.ServeHTTP(recorder, req)
	require.Less(p.t, recorder.Code, 300, "%s %s: %s", method, path, recorder.Body)
	return recorder.Body.Bytes()
}

// importAll imports a blueprint.
func (p *player) importAll(content []byte) {
	p.t.Helper()
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	part, err := w.CreateFormFile("file", "flow.yaml")
	require.NoError(p.t, err)
	_, _ = part.Write(content) // into memory
	require.NoError(p.t, w.Close())
	path := "flows/instances/import/"
	if p.version > "2026.5" {
		path = "managed/blueprints/import/"
	}
	result := p.ask(http.MethodPost, path, w.FormDataContentType(), form.Bytes())
	require.Contains(p.t, string(result), `"success":true`, "%s", content)
}

// ensureSlug adds the flow whose slug is in the path, if authentik had it.
func (p *player) ensureSlug(e recording.Exchange) {
	slug, ok := strings.CutPrefix(e.Request.Target, "/api/v3/flows/instances/")
	slug, _, _ = strings.Cut(slug, "/")
	has := slices.ContainsFunc(p.srv.Flows(), func(f authentik.Flow) bool { return f.Slug == slug })
	if !ok || has || e.Response.Status >= 300 || strings.HasPrefix(slug, "cache_") || strings.HasPrefix(slug, "import") || strings.HasPrefix(slug, "?") || slug == "" {
		return
	}
	var shown authentik.Flow
	_ = json.Unmarshal(plain(p.t, e.Response), &shown) // or it shows no flow
	export, exported := p.exports[slug]
	if exported {
		shown.Stages, shown.Policies = nil, nil
	}
	switch i := p.flowNamed(slug); {
	case shown.PK != uuid.Nil && p.ours[hexadecimal(shown.PK.String())] == "": // it is renamed
		shown.Slug = slug
		p.ensureFlow(shown)
	case i != nil:
		if exported {
			i.Stages, i.Policies = nil, nil
		}
		p.ensureFlow(*i)
	default:
		p.srv.AddFlow(authentik.Flow{Name: slug, Slug: slug, Title: "Title " + slug, Designation: "stage_configuration"})
	}
	if exported {
		p.importExport(slug, export)
	}
}

// flowNamed returns the flow that other exchanges show with a slug, or nil.
func (p *player) flowNamed(slug string) *authentik.Flow {
	for _, f := range inOrder(p.flows) {
		if f.Slug == slug && p.ours[hexadecimal(f.PK.String())] == "" {
			return &f
		}
	}
	return nil
}

// importExport gives the fake what a recorded export shows.
func (p *player) importExport(slug string, e recording.Exchange) {
	content := plain(p.t, e.Response)
	p.importAll([]byte(p.translated(string(content))))
	ours := recording.Exchange{Response: recording.Response{Text: string(p.ask(http.MethodGet, "flows/instances/"+slug+"/export/", "", nil))}}
	for _, their := range exported(p.t, e) {
		for _, our := range exported(p.t, ours) {
			if our.Model == their.Model && p.key(our) == p.key(p.here(their)) {
				p.same(uuid.MustParse(their.Identifiers.PK), uuid.MustParse(our.Identifiers.PK))
			}
		}
	}
}

// here returns an entry with the fake's identifiers.
func (p *player) here(e seedEntry) seedEntry {
	e.Identifiers.Policy, e.Identifiers.Target = p.translated(e.Identifiers.Policy), p.translated(e.Identifiers.Target)
	return e
}

// key returns what an entry has beside its identifier.
func (p *player) key(e seedEntry) string {
	var attrs struct {
		Name string `json:"name"`
	}
	require.NoError(p.t, json.Unmarshal(e.Attrs, &attrs))
	order := ""
	if e.Identifiers.Order != nil {
		order = strconv.Itoa(*e.Identifiers.Order)
	}
	return strings.Join([]string{e.Identifiers.Name, attrs.Name, e.Identifiers.Policy, e.Identifiers.Target, order}, "|")
}

// ensurePolicies binds the policies that used_by shows.
func (p *player) ensurePolicies(e recording.Exchange) {
	var uses []struct {
		Model string `json:"model_name"`
		PK    string `json:"pk"`
		Name  string `json:"name"`
	}
	if !strings.HasSuffix(e.Request.Target, "/used_by/") || json.Unmarshal(plain(p.t, e.Response), &uses) != nil {
		return
	}
	for _, use := range uses {
		if use.Model != "policy" || strings.HasPrefix(use.Name, "default-") {
			continue
		}
		segments := strings.Split(e.Request.Target, "/")
		target := p.translated(segments[5])
		for _, f := range p.srv.Flows() {
			if f.Slug == target {
				target = f.PK.String()
			}
		}
		p.importAll(fmt.Appendf(nil, `{"version": 1, "entries": [
			{"model": "authentik_policies_expression.expressionpolicy", "identifiers": {"pk": %[1]q},
			 "attrs": {"name": %[2]q, "expression": "return True"}},
			{"model": "authentik_policies.policybinding",
			 "identifiers": {"policy": %[1]q, "target": %[3]q, "order": 0}, "attrs": {}}]}`,
			p.translated(use.PK), use.Name, target))
		p.learnPolicy(use.PK, target)
	}
}

// ensureUses adds the providers and brands that the recorder made, the last one
// first: the fake has an order of its own.
func (p *player) ensureUses(e recording.Exchange) {
	var uses []authentik.UsedBy
	if !strings.HasPrefix(e.ID, "w_used_by_wu-") || json.Unmarshal(plain(p.t, e.Response), &uses) != nil {
		return
	}
	slices.Reverse(uses)
	for _, f := range p.srv.Flows() {
		for _, use := range uses {
			if f.Slug == strings.Split(e.Request.Target, "/")[5] && slices.Contains([]string{"brand", "provider"}, use.ModelName) {
				p.srv.AddUse(f.PK, use)
			}
		}
	}
}

// boundName matches the name of a binding.
var boundName = regexp.MustCompile(`^Flow-stage binding #(-?\d+) to ([0-9a-f-]{36})$`)

// learnUses keeps the bindings that used_by of a stage shows.
func (p *player) learnUses(e recording.Exchange) {
	var uses []struct {
		PK   string `json:"pk"`
		Name string `json:"name"`
	}
	if !strings.HasPrefix(e.Request.Target, "/api/v3/stages/all/") || json.Unmarshal(plain(p.t, e.Response), &uses) != nil {
		return
	}
	stage, err := uuid.Parse(strings.Split(e.Request.Target, "/")[5])
	for _, use := range uses {
		m := boundName.FindStringSubmatch(use.Name)
		pk, noUUID := uuid.Parse(use.PK)
		if _, known := p.bindings[pk]; m == nil || err != nil || noUUID != nil || known {
			continue
		}
		order, _ := strconv.Atoi(m[1])
		p.bindings[pk] = authentik.FlowStageBinding{PK: pk, Target: uuid.MustParse(m[2]), Stage: stage, Order: order, ReEvaluatePolicies: true}
	}
}

// ensureImported adds the flows that an import has updated.
func (p *player) ensureImported(e recording.Exchange) {
	var result struct {
		Logs []struct {
			Attributes struct {
				Action  string `json:"action"`
				Context struct {
					Model struct {
						PK   string `json:"pk"`
						Name string `json:"model_name"`
					} `json:"model"`
				} `json:"context"`
			} `json:"attributes"`
		} `json:"logs"`
	}
	if !strings.HasSuffix(e.Request.Target, "/import/") || json.Unmarshal(plain(p.t, e.Response), &result) != nil {
		return
	}
	text, _ := e.Request.Body.(string)
	for _, log := range result.Logs {
		model := log.Attributes.Context.Model
		slug := importedSlug.FindStringSubmatch(text)
		if log.Attributes.Action != "model_updated" || model.Name != "flow" || slug == nil || p.ours[model.PK] != "" {
			continue
		}
		if !slices.ContainsFunc(p.srv.Flows(), func(f authentik.Flow) bool { return f.Slug == slug[1] }) {
			p.srv.AddFlow(authentik.Flow{PK: uuid.MustParse(model.PK), Slug: slug[1]})
			p.same(uuid.MustParse(model.PK), uuid.MustParse(model.PK))
		}
	}
}

var importedSlug = regexp.MustCompile(`\bslug"?: ?"?([\w-]+)`)

// learnPolicy notes the identifier of the policy that was bound to a target.
func (p *player) learnPolicy(theirs, target string) {
	path := "flows/bindings/" + target + "/used_by/"
	for _, f := range p.srv.Flows() {
		if f.PK.String() == target {
			path = "flows/instances/" + f.Slug + "/used_by/"
		}
	}
	var uses []struct {
		Model string `json:"model_name"`
		PK    string `json:"pk"`
	}
	require.NoError(p.t, json.Unmarshal(p.ask(http.MethodGet, path, "", nil), &uses))
	for _, use := range uses {
		if use.Model == "policy" {
			p.same(uuid.MustParse(theirs), uuid.MustParse(use.PK))
		}
	}
}

// resume gives the fake the object that a response shows, so that the exchanges
// after one that differs are judged by themselves.
func (p *player) resume(e recording.Exchange) {
	if e.Response.Status >= 300 || e.Request.Method == http.MethodHead {
		return
	}
	if isCreation(e) {
		p.learnCreated(e)
		return
	}
	var f authentik.Flow
	if !strings.HasPrefix(e.Request.Target, "/api/v3/flows/instances/") || json.Unmarshal(plain(p.t, e.Response), &f) != nil || f.Slug == "" {
		return
	}
	p.ensure(f.PK)
	for _, own := range p.srv.Flows() {
		if own.PK != p.our(f.PK) {
			continue
		}
		p.srv.UpdateFlow(own.Slug, func(own *authentik.Flow) {
			f.PK, f.PolicyBindingModelPtrID, f.Stages, f.Policies = own.PK, own.PolicyBindingModelPtrID, own.Stages, own.Policies
			if *own = f; strings.HasPrefix(f.Background, "/static/") {
				own.Background = ""
			}
		})
	}
}

// learnCreated notes the identifiers of the object that a request has created.
func (p *player) learnCreated(e recording.Exchange) {
	var their, our struct {
		PK  uuid.UUID `json:"pk"`
		PBM uuid.UUID `json:"policybindingmodel_ptr_id"`
	}
	if isCreation(e) && json.Unmarshal(plain(p.t, e.Response), &their) == nil && json.Unmarshal(p.last, &our) == nil {
		p.same(their.PK, our.PK)
		p.same(their.PBM, our.PBM)
	}
}

// learnSettings keeps the stages that only the settings of users show. Those of
// a fresh install have a title, the recorder's have that of their kind.
func (p *player) learnSettings(e recording.Exchange) {
	var settings []struct {
		Title string    `json:"title"`
		Kind  string    `json:"component"`
		PK    uuid.UUID `json:"object_uid"`
	}
	if !strings.HasSuffix(e.Request.Target, "/user_settings/") || json.Unmarshal(plain(p.t, e.Response), &settings) != nil {
		return
	}
	for _, setting := range settings {
		kind := strings.ReplaceAll(strings.TrimPrefix(setting.Kind, "ak-user-settings-"), "-", "_")
		stage := authentik.Stage{
			PK: setting.PK, Name: "xs-" + kind, VerboseName: setting.Title,
			MetaModelName: "authentik_stages_" + kind + "." + strings.ReplaceAll(kind, "_", "") + "stage",
		}
		if !strings.HasSuffix(setting.Title, "Stage") {
			stage.Name = "default-" + strings.ReplaceAll(kind, "_", "-") + "-setup"
		}
		if known := p.stages[setting.PK]; known.Name != "" {
			stage.Name = known.Name
		}
		p.stages[setting.PK] = stage
	}
}
