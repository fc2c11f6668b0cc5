package authentiktest_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/authentiktest"
	"github.com/seed-299d42e7/authentik-go/internal/testkit/recording"
)

// player replays exchanges with one server.
//
// The server of the recordings had objects that no recorded request made: those
// of its own fresh install, with other identifiers than the fake's, and those
// that the recorder prepared. The player gives the fake an object when the
// first exchange shows it, unless that exchange creates it.
type player struct {
	t         *testing.T
	version   string
	srv       *authentiktest.Server
	exchanges []recording.Exchange
	tokens    map[string]string // by the name of the user

	// ours are the fake's identifiers by the recorded ones, theirs the reverse.
	ours, theirs map[string]string
	flows        map[uuid.UUID]authentik.Flow
	stages       map[uuid.UUID]authentik.Stage
	bindings     map[uuid.UUID]authentik.FlowStageBinding
	created      map[uuid.UUID]bool // by a recorded request
	exports      map[string]recording.Exchange
	last         []byte // the fake's last answer
}

// permissions are those of the recorder's users.
var permissions = map[string][]string{
	"viewer":  {"authentik_flows.view_flow"},
	"limited": nil, "inactive": nil,
	"pcf":     {"authentik_flows.change_flow", "authentik_flows.view_flow"},
	"pcfonly": {"authentik_flows.change_flow"},
	"paf":     {"authentik_flows.add_flow"},
	"paf2":    {"authentik_flows.add_flow", "authentik_flows.view_flow"},
	"pdf":     {"authentik_flows.delete_flow", "authentik_flows.view_flow"},
	"pxf":     {"authentik_flows.export_flow", "authentik_flows.view_flow"},
	"pvc":     {"authentik_flows.view_flow_cache"},
	"pins":    {"authentik_flows.inspect_flow"},
	"pvb":     {"authentik_flows.view_flowstagebinding"},
	"pcb":     {"authentik_flows.change_flowstagebinding", "authentik_flows.view_flowstagebinding"},
}

func newPlayer(t *testing.T, version string, exchanges []recording.Exchange) *player {
	t.Helper()
	p := &player{
		t: t, version: version, srv: authentiktest.RoundTripper(t, authentiktest.Version(version)), exchanges: exchanges,
		tokens: map[string]string{}, ours: map[string]string{}, theirs: map[string]string{},
		flows: map[uuid.UUID]authentik.Flow{}, stages: map[uuid.UUID]authentik.Stage{},
		bindings: map[uuid.UUID]authentik.FlowStageBinding{}, created: map[uuid.UUID]bool{}, exports: map[string]recording.Exchange{},
	}
	p.tokens["admin"] = p.srv.Token
	for name, permissions := range permissions {
		p.tokens[name] = p.srv.AddUser(permissions...)
	}
	if version > "2023" {
		p.srv.RotateToken(p.tokens["inactive"]) // before, it was as good as one without permissions
	}
	for _, e := range exchanges {
		p.learn(e)
	}
	p.meet()
	for _, id := range []string{"walk_100_p1", "walk_100_p2"} { // two pages that show all there is
		p.load(exchange(exchanges, id))
	}
	return p
}

// meet notes the identifiers that the fake has already. They are those of the
// server whose recordings the fake's objects are from.
func (p *player) meet() {
	for _, f := range p.srv.Flows() {
		if _, ok := p.flows[f.PK]; ok {
			p.same(f.PK, f.PK)
			p.same(f.PolicyBindingModelPtrID, f.PolicyBindingModelPtrID)
		}
	}
	for _, s := range p.srv.Stages() {
		if _, ok := p.stages[s.PK]; ok {
			p.same(s.PK, s.PK)
		}
	}
	for _, b := range p.srv.Bindings() {
		if _, ok := p.bindings[b.PK]; ok {
			p.same(b.PK, b.PK)
			p.same(b.PolicyBindingModelPtrID, b.PolicyBindingModelPtrID)
		}
	}
}

// load gives the fake the flows of a page, as they are there.
func (p *player) load(e recording.Exchange) {
	var page struct {
		Results []authentik.Flow `json:"results"`
	}
	if e.ID == "" {
		return // internal/cmd/record makes none of what needs more than a fresh install
	}
	require.NoError(p.t, json.Unmarshal(plain(p.t, e.Response), &page))
	for _, flow := range page.Results {
		if slices.ContainsFunc(p.srv.Flows(), func(own authentik.Flow) bool { return own.Slug == flow.Slug }) {
			p.srv.UpdateFlow(flow.Slug, func(own *authentik.Flow) { *own = flow })
		} else {
			p.srv.AddFlow(flow)
		}
		p.same(flow.PK, flow.PK)
		p.same(flow.PolicyBindingModelPtrID, flow.PolicyBindingModelPtrID)
	}
}

// learn keeps the objects of a response as they are when they first appear.
func (p *player) learn(e recording.Exchange) {
	if strings.HasSuffix(e.Request.Target, "/export/") && e.Response.Status == http.StatusOK && e.Request.Method == http.MethodGet {
		slug := strings.Split(e.Request.Target, "/")[5]
		if p.exports[slug].ID == "" {
			p.exports[slug] = e
		}
	}
	p.learnUses(e)
	if e.Response.Status >= 300 || !strings.HasPrefix(e.Response.Header("Content-Type"), "application/json") {
		return
	}
	p.learnSettings(e)
	objects(plain(p.t, e.Response), func(kind string, raw []byte) {
		switch kind {
		case "flow":
			keep(p.t, p.flows, raw, func(f authentik.Flow) uuid.UUID { return f.PK })
		case "stage":
			if !strings.Contains(string(raw), `"authentik_flows.stage"`) { // as the response to a write shows it
				keep(p.t, p.stages, raw, func(s authentik.Stage) uuid.UUID { return s.PK })
			}
		case "binding":
			keep(p.t, p.bindings, raw, func(b authentik.FlowStageBinding) uuid.UUID { return b.PK })
		}
	})
	var body struct {
		PK uuid.UUID `json:"pk"`
	}
	if isCreation(e) && json.Unmarshal(plain(p.t, e.Response), &body) == nil {
		p.created[body.PK] = true
	}
}

func keep[T any](t *testing.T, in map[uuid.UUID]T, raw []byte, pk func(T) uuid.UUID) {
	t.Helper()
	var of T
	if json.Unmarshal(raw, &of) != nil {
		return // an object in a list, without some of its fields
	}
	if _, known := in[pk(of)]; !known {
		in[pk(of)] = of
	}
}

// objects calls found for each flow, stage and binding in a JSON text.
func objects(text []byte, found func(kind string, raw []byte)) {
	var list []json.RawMessage
	var members map[string]json.RawMessage
	switch {
	case json.Unmarshal(text, &list) == nil:
		for _, element := range list {
			objects(element, found)
		}
	case json.Unmarshal(text, &members) == nil:
		_, isFlow := members["designation"]
		_, isStage := members["meta_model_name"]
		_, isBinding := members["target"]
		for _, value := range members {
			if len(value) > 0 && (value[0] == '{' || value[0] == '[') {
				objects(value, found)
			}
		}
		switch {
		case members["pk"] == nil:
		case isFlow:
			found("flow", text)
		case isStage:
			found("stage", text)
		case isBinding && members["stage"] != nil:
			found("binding", text)
		}
	}
}

// prepare gives the fake what it needs for the exchange with that number.
func (p *player) prepare(i int) {
	e := p.exchanges[i]
	if strings.HasPrefix(e.ID, "starting_") {
		p.srv.Starting(1)
	}
	if strings.HasPrefix(e.ID, "crash_") {
		p.srv.Crashed(2)
		if !strings.Contains(e.Response.Text, "reset by peer") { // not the request that was under way
			_ = p.srv.Client(authentik.WithRetry(authentik.RetryPolicy{MaxAttempts: 1})).Get(p.t.Context(), "", nil, nil)
		}
	}
	p.catchUp(e)
	text := e.Request.Target + fmt.Sprint(e.Request.Body)
	if !isCreation(e) {
		text += string(plain(p.t, e.Response))
	}
	objects(plain(p.t, e.Response), func(_ string, raw []byte) { text += string(raw) })
	own := uuid.Nil
	if isCreation(e) {
		var body struct {
			PK uuid.UUID `json:"pk"`
		}
		require.NoError(p.t, json.Unmarshal(plain(p.t, e.Response), &body))
		own = body.PK
	}
	for _, id := range slices.Compact(dashed.FindAllString(text, -1)) {
		if pk := uuid.MustParse(id); pk != own {
			p.ensure(pk)
		}
	}
}

var dashed = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)

// ensure adds an object that no recorded request creates.
func (p *player) ensure(pk uuid.UUID) {
	if p.ours[hexadecimal(pk.String())] != "" || p.created[pk] {
		return
	}
	if f, ok := p.flows[pk]; ok {
		p.ensureFlow(f)
	}
	if s, ok := p.stages[pk]; ok {
		has := slices.IndexFunc(p.srv.Stages(), func(own authentik.Stage) bool { return own.Name == s.Name })
		if has < 0 {
			s.FlowSet = nil
			s = p.srv.AddStage(s)
		} else {
			s = p.srv.Stages()[has]
		}
		p.same(pk, s.PK)
	}
	if b, ok := p.bindings[pk]; ok {
		p.ensureBinding(b)
	}
}

func (p *player) ensureFlow(f authentik.Flow) {
	for _, own := range p.srv.Flows() {
		if own.Slug == f.Slug {
			p.same(f.PK, own.PK)
			p.same(f.PolicyBindingModelPtrID, own.PolicyBindingModelPtrID)
			return
		}
	}
	stages := f.Stages
	if f.Stages, f.CacheCount = nil, 0; strings.HasPrefix(f.Background, "/static/") {
		f.Background = ""
	}
	p.srv.AddFlow(f)
	p.same(f.PK, f.PK)
	p.same(f.PolicyBindingModelPtrID, f.PolicyBindingModelPtrID)
	for _, b := range inOrder(p.bindings) {
		if b.Target == f.PK && !p.created[b.PK] {
			p.ensure(b.PK)
		}
	}
	p.bindRest(f.Slug, stages)
}

// inOrder returns objects in an order that every run has.
func inOrder[T any](all map[uuid.UUID]T) (sorted []T) {
	for _, pk := range slices.SortedFunc(maps.Keys(all), func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) }) {
		sorted = append(sorted, all[pk])
	}
	return sorted
}

// bindRest gives a flow the stages that it is shown with though no binding is.
func (p *player) bindRest(slug string, stages []uuid.UUID) {
	if len(stages) == 0 {
		return
	}
	for _, pk := range stages {
		p.ensure(pk)
	}
	p.srv.UpdateFlow(slug, func(f *authentik.Flow) {
		f.Stages = nil
		for _, pk := range stages {
			f.Stages = append(f.Stages, p.our(pk))
		}
	})
}

func (p *player) ensureBinding(b authentik.FlowStageBinding) {
	p.ensure(b.Target)
	p.ensure(b.Stage)
	if p.ours[hexadecimal(b.PK.String())] != "" {
		return // it came with its flow
	}
	b.Target, b.Stage = p.our(b.Target), p.our(b.Stage)
	for _, own := range p.srv.Bindings() {
		if own.Target == b.Target && own.Stage == b.Stage && own.Order == b.Order {
			p.same(b.PK, own.PK)
			p.same(b.PolicyBindingModelPtrID, own.PolicyBindingModelPtrID)
			return
		}
	}
	p.srv.AddBinding(b)
	p.same(b.PK, b.PK)
	p.same(b.PolicyBindingModelPtrID, b.PolicyBindingModelPtrID)
}

// same notes that a recorded identifier is one of the fake's.
func (p *player) same(theirs, ours uuid.UUID) {
	p.ours[hexadecimal(theirs.String())], p.theirs[hexadecimal(ours.String())] = hexadecimal(ours.String()), hexadecimal(theirs.String())
}

// our returns the fake's identifier.
func (p *player) our(theirs uuid.UUID) uuid.UUID {
	if ours := p.ours[hexadecimal(theirs.String())]; ours != "" {
		return uuid.MustParse(ours)
	}
	return theirs
}

func hexadecimal(id string) string { return strings.ReplaceAll(id, "-", "") }

// translated returns a text of a recorded request with the fake's identifiers.
func (p *player) translated(text string) string {
	return dashed.ReplaceAllStringFunc(text, func(id string) string { return p.our(uuid.MustParse(id)).String() })
}

func (p *player) send(e recording.Exchange) (*http.Response, []byte) {
	target, err := url.Parse(p.translated(e.Request.Target))
	require.NoError(p.t, err)
	text, _ := e.Request.Body.(string)
	// Bytes that are no UTF-8 were not recorded. One error names them.
	content := bytes.ReplaceAll([]byte(p.translated(text)), []byte("\ufffd"), []byte{0xe9})
	req := (&http.Request{
		Method: e.Request.Method, URL: target, Header: http.Header{}, Host: "127.0.0.1", RemoteAddr: "127.0.0.1:1",
		Body: io.NopCloser(bytes.NewReader(content)), ContentLength: int64(len(content)),
	}).WithContext(p.t.Context())
	for _, h := range e.Request.Headers {
		req.Header.Add(h[0], h[1])
	}
	if as := e.Request.As(); p.tokens[as] != "" {
		req.Header.Set("Authorization", "Bearer "+p.tokens[as])
	}
	req.Header.Set("User-Agent", "recorder")
	recorder := httptest.NewRecorder()
	p.srv.ServeHTTP(recorder, req)
	resp := recorder.Result()
	body, err := io.ReadAll(resp.Body)
	require.NoError(p.t, err)
	require.NoError(p.t, resp.Body.Close())
	if req.Method == http.MethodHead { // net/http sends none
		body = nil
	}
	p.last = body
	return resp, body
}

func plain(t *testing.T, r recording.Response) []byte {
	t.Helper()
	body := r.Body()
	if r.Header("Content-Encoding") == "gzip" {
		reader, err := gzip.NewReader(bytes.NewReader(body))
		require.NoError(t, err)
		body, err = io.ReadAll(reader)
		require.NoError(t, err)
	}
	return body
}
