package authentiktest

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/seed-299d42e7/authentik-go"
)

// running is what flows need beside the objects of the store.
type running struct {
	sessions    sessions
	settings    map[uuid.UUID]StageSettings // by stage
	scores      map[string]int              // logins that succeeded less those that failed, by username
	planned     map[uuid.UUID][]int         // users with a cached plan, by flow
	invitations map[string]bool             // that were used
}

func newRunning() running {
	return running{
		sessions:    sessions{byID: map[string]*session{}, of: map[*user]int{}},
		settings:    map[uuid.UUID]StageSettings{},
		scores:      map[string]int{},
		planned:     map[uuid.UUID][]int{},
		invitations: map[string]bool{},
	}
}

// visit is a request to a flow. Its user is the session's until the request
// has passed the checks of the API's framework, which knows tokens, too.
type visit struct {
	request
	st      *store
	flow    *authentik.Flow
	plan    *plan
	binding *authentik.FlowStageBinding // the current one; nil before and after the stages
	stage   *authentik.Stage
	kind    stageKind
	now     time.Time
	caller  *user // by token or session
	browser *user // by session
	id      string
	cookies []string
	csrf    string // the new value of the cookie, or ""
}

// visit returns the request with its session, which may be a new one.
func (st *store) visit(q request) *visit {
	v := &visit{request: q, st: st, now: time.Now(), caller: q.user, id: st.hex("request")}
	if v.session == nil {
		v.session = &session{id: st.hex("session")}
	}
	v.browser = v.session.user
	v.user = v.browser
	return v
}

// finish adds the session's cookie to a reply.
func (v *visit) finish(a reply) reply {
	a.requestID, a.framed, a.cookies = v.id, true, v.cookies
	if v.csrf != "" {
		a.cookies = append(a.cookies, cookie(csrfCookie, v.csrf, csrfAge))
	}
	if !v.session.empty() {
		v.st.running.sessions.keep(v.session)
		a.cookies = append(a.cookies, v.cookieFor(v.session, v.user))
	} else if _, err := v.Cookie(sessionCookie); err == nil {
		v.st.running.sessions.drop(v.session)
		a.cookies = append(a.cookies, removedSession)
	}
	return a
}

// executor responds to a request to a flow, whatever its method.
func (st *store) executor(q request) reply {
	flow := st.flow(q.segment(2))
	if flow == nil {
		return html(http.StatusNotFound)
	}
	v := st.visit(q)
	v.flow = flow
	return v.finish(v.run())
}

// run continues the plan of the session, or begins one.
func (v *visit) run() reply {
	v.session.query, _ = url.ParseQuery(v.get("query")) // Django, too, skips what is no pair
	if v.session.plan != nil && v.session.plan.flow != v.flow.PK {
		v.cancel()
		v.session.query, _ = url.ParseQuery(v.get("query"))
	}
	if v.session.plan == nil {
		v.session.history = []plan{}
		if err := v.begin(nil); err != nil {
			v.plan = nil
			return v.notApplicable(err)
		}
	}
	v.plan = v.session.plan
	if v.binding = v.plan.next(v); v.binding == nil {
		return v.done()
	}
	v.stage = v.st.stage(v.binding.Stage)
	a := v.respond()
	a.allow = v.allow
	return a
}

// respond is the part of a request that the API's framework checks. What the
// framework refuses shows as an error of the flow.
func (v *visit) respond() reply {
	if !acceptsJSON(v.Header.Values("Accept")) {
		return v.fail("Could not satisfy the request Accept header.")
	}
	v.user = v.caller
	switch {
	case v.denied != "":
		return v.fail(v.denied)
	case v.Method == http.MethodHead:
		return reply{status: http.StatusMethodNotAllowed, contentType: notJSON}
	case v.Method == http.MethodOptions:
		return v.json(http.StatusOK, object{
			{"name", "Flow Executor"},
			{"description", "Flow executor, passing requests to Stage Views"},
			{"renders", []string{"application/json"}},
			{"parses", []string{"application/json"}},
		})
	case v.Method != http.MethodGet && v.Method != http.MethodPost:
		return v.fail(`Method "` + v.Method + `" not allowed.`)
	}
	kind, known := v.st.kind(v.stage)
	if !known {
		return unknownStage(v.stage)
	}
	v.kind = kind
	if v.Method == http.MethodGet || kind.component == "" {
		return v.show()
	}
	body, err := v.decode()
	if err != nil {
		return v.fail(err.Error())
	}
	return v.solve(body)
}

// show responds to a GET with the current stage.
func (v *visit) show() reply {
	if v.kind.enter != nil {
		if a := v.kind.enter(v); a != nil {
			return *a
		}
	}
	return v.challenge(nil)
}

// solve applies a POST to the current stage.
func (v *visit) solve(body any) reply {
	p := &problems{}
	in := v.validate(body, p)
	if len(p.all) == 0 {
		return v.kind.accept(v, in)
	}
	if a := v.restarted(); a != nil {
		return *a
	}
	return v.refuse(p)
}

// refuse shows the challenge again, with the errors of the response.
func (v *visit) refuse(p *problems) reply {
	if v.kind.refuse != nil {
		if a := v.kind.refuse(v); a != nil {
			return *a
		}
	}
	return v.challenge(p)
}

// ok passes the current stage.
func (v *visit) ok() reply {
	if v.session.history != nil {
		v.session.history = append(v.session.history, v.plan.snapshot())
	}
	v.plan.bindings = v.plan.bindings[1:]
	v.session.plan = v.plan
	if len(v.plan.bindings) == 0 {
		return v.done()
	}
	return v.again()
}

// again sends the browser to the same address, where the plan continues.
func (v *visit) again() reply {
	to := v.URL.EscapedPath()
	if len(v.query) > 0 {
		to += "?" + encodeQuery(v.URL.RawQuery)
	}
	return v.redirect(to)
}

// encodeQuery returns a query as Django writes it, the parameters in the order
// of their first values.
func encodeQuery(raw string) string {
	values, names := map[string][]string{}, []string{}
	for pair := range strings.SplitSeq(raw, "&") {
		name, value, _ := strings.Cut(pair, "=")
		name, err1 := url.QueryUnescape(name)
		value, err2 := url.QueryUnescape(value)
		if pair == "" || err1 != nil || err2 != nil {
			continue
		}
		if values[name] == nil {
			names = append(names, name)
		}
		values[name] = append(values[name], value)
	}
	var pairs []string
	for _, name := range names {
		for _, value := range values[name] {
			pairs = append(pairs, url.QueryEscape(name)+"="+url.QueryEscape(value))
		}
	}
	return strings.Join(pairs, "&")
}

// redirect sends the browser to an address: with status 302 to the address of
// the request, and by a challenge to any other.
func (v *visit) redirect(to string) reply {
	own := v.URL.EscapedPath()
	if v.URL.RawQuery != "" {
		own += "?" + v.URL.RawQuery
	}
	if to == own {
		return reply{status: http.StatusFound, contentType: notJSON, location: to, german: v.german}
	}
	return v.write(object{{"component", "xak-flow-redirect"}, {"to", to}}, "redirect")
}

// done ends a flow whose stages are passed.
func (v *visit) done() reply {
	next, given := "/", v.session.query["next"]
	if len(given) > 0 {
		next = given[len(given)-1]
	}
	v.cancel()
	if next == "" || foreign(next) {
		return v.deny("Invalid next URL")
	}
	return v.redirect(next)
}

// foreign reports whether an address leads to another host.
func foreign(address string) bool {
	to, err := url.Parse(address)
	return err != nil || to.Host != ""
}

// cancel ends the plan of the session.
func (v *visit) cancel() { v.session.plan, v.session.query = nil, nil }

// deny ends the flow, or begins it anew if the binding says so. An empty
// message is one that the user does not get.
func (v *visit) deny(message string) reply {
	if a := v.restarted(); a != nil {
		return *a
	}
	v.cancel()
	return v.accessDenied(message)
}

func (v *visit) accessDenied(message string) reply {
	if message == "" {
		message = "Unknown error"
	}
	o := object{{"flow_info", v.flowInfo()}, {"component", "ak-stage-access-denied"}}
	return v.write(append(append(o, v.pendingUser()...), member{"error_message", message}), "native")
}

// restarted begins the plan anew if the binding of the current stage requires
// that after a response that is refused. Otherwise, it returns nil.
func (v *visit) restarted() *reply {
	if v.binding == nil {
		return nil
	}
	var context *plan
	switch v.binding.InvalidResponseAction {
	case authentik.InvalidResponseActionRestart:
	case authentik.InvalidResponseActionRestartWithContext:
		context = v.plan
	default:
		return nil
	}
	if err := v.begin(context); err != nil {
		return new(v.notApplicable(err))
	}
	return new(v.again())
}

// notApplicable responds to a user to whom the flow does not apply.
func (v *visit) notApplicable(err error) reply {
	v.binding = nil
	if errors.Is(err, errNoStages) {
		return v.done()
	}
	login := v.flow.Designation == authentik.FlowDesignationAuthentication
	if v.st.since("2025.10") && login && v.browser != nil {
		return v.done()
	}
	next := v.get("next")
	switch v.flow.DeniedAction {
	case authentik.FlowDeniedActionContinue, authentik.FlowDeniedActionMessageContinue:
		if next != "" && !foreign(next) {
			return v.redirect(next)
		}
		if v.flow.DeniedAction == authentik.FlowDeniedActionContinue {
			return v.redirect("/")
		}
	}
	v.cancel()
	return v.accessDenied(err.Error())
}

// fail ends a request with an error of the server. The plan goes on. Only a
// superuser gets the text.
func (v *visit) fail(text string) reply {
	switch {
	case !v.st.since("2022.9"):
		return v.write(object{{"component", "xak-flow-shell"}, {"body", htmlPage}}, "shell")
	case !v.st.since("2022.12"):
		o := append(object{{"component", "xak-flow-error"}}, v.pendingUser()...)
		return v.write(append(o, member{"request_id", v.id}), "native")
	}
	o := object{{"component", "ak-stage-flow-error"}, {"request_id", v.id}}
	if v.user != nil && v.user.superuser {
		o = append(o, member{"error", text}, member{"traceback", "Traceback (most recent call last):\n" + text})
	}
	return v.write(o, "native")
}

// logIn makes a user the one of the session, which gets a new identifier.
func (v *visit) logIn(u *user) {
	v.renewSession()
	v.session.user, v.session.passwords = u, u.passwords
	v.browser, v.user = u, u
	v.csrf = v.st.hex("csrf")
}

// renewSession gives the session a new identifier.
func (v *visit) renewSession() {
	v.st.running.sessions.drop(v.session)
	v.session.id = v.st.hex("session")
}

// logOut forgets everything that the session had.
func (v *visit) logOut() {
	v.st.running.sessions.drop(v.session)
	v.session = &session{id: v.st.hex("session")}
	v.browser, v.user = nil, nil
}

// pending returns the user of the flow, or else of the request.
func (v *visit) pending() *user {
	if v.plan != nil && v.plan.user != nil {
		return v.plan.user
	}
	return v.user
}

// unknownStage is the response of a stage that the fake does not have.
func unknownStage(stage *authentik.Stage) reply {
	return reply{
		status: http.StatusNotImplemented, contentType: "text/plain; charset=utf-8", router: true,
		body: []byte("authentiktest: the fake has no stage of the type " + stage.MetaModelName +
			"; Script shows its challenge"),
	}
}
