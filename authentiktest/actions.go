package authentiktest

import (
	"net/http"
	"strings"
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
