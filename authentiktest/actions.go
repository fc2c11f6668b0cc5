package authentiktest

import (
	"net/http"
	"slices"
	"strings"

	"github.com/seed-299d42e7/authentik-go"
)

// refusedWithout returns the answer to a user who has not all of the
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

// stageTypes answers any user.
func (st *store) stageTypes(q request) reply {
	if a, refused := q.refusedTo(); refused {
		return a
	}
	return q.json(http.StatusOK, st.types)
}

// execute plans a flow for the user of the token, in a new session.
func (st *store) execute(q request) reply {
	if q.denied != "" || !acceptsJSON(q.Header.Values("Accept")) {
		a, _ := q.refused(true)
		return a
	}
	a := st.plan(q)
	if a.status != http.StatusInternalServerError {
		a.cookie = "authentik_session=" + st.newToken() + "; HttpOnly; Path=/; SameSite=Lax"
	}
	return a
}

func (st *store) plan(q request) reply {
	if a, refused := q.refused(true); refused {
		return a
	}
	flow, p := st.flowTable().one(q)
	switch {
	case p != nil:
		return q.problem(p)
	case !st.applies(q, flow):
		a := html(badRequest)
		a.allow = q.allow
		return a
	case len(flow.Stages) == 0:
		return html(http.StatusInternalServerError)
	}
	if !st.since("2024.10") {
		flow.CacheCount++
	}
	link := "http://"
	if q.URL.Scheme == "https" || q.TLS != nil || q.Header.Get("X-Forwarded-Proto") == "https" {
		link = "https://"
	}
	return q.json(http.StatusOK, object{{"link", link + q.host() + "/if/flow/" + flow.Slug + "/"}})
}

// applies reports whether a flow applies to the user of a request.
func (st *store) applies(q request, flow *authentik.Flow) bool {
	switch flow.Authentication {
	case authentik.FlowAuthenticationNone, authentik.FlowAuthenticationRequireAuthenticated:
	case authentik.FlowAuthenticationRequireSuperuser:
		if !q.user.superuser {
			return false
		}
	default: // a session without a user, an outpost, a redirect or a link
		return false
	}
	var passed []bool
	for _, link := range st.policyBindingsOf(flow.PK) {
		negated, _ := link.settings.get("negate")
		passed = append(passed, st.thing(link.policy).passes() != (negated == true))
	}
	if flow.PolicyEngineMode == authentik.PolicyEngineModeAll {
		return !slices.Contains(passed, false)
	}
	return len(passed) == 0 || slices.Contains(passed, true)
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
