package authentiktest

import (
	"errors"
	"net/http"
	"strings"

	"github.com/seed-299d42e7/authentik-go"
)

// page returns what responds to a request for a page that leads to a flow, or
// nil.
func (st *store) page(q request) func(request) reply {
	path := q.URL.Path
	slug, flow := strings.CutPrefix(path, "/if/flow/")
	slug, whole := strings.CutSuffix(slug, "/")
	switch {
	case !q.reads():
		return nil
	case path == "/flows/-/cancel/":
		return st.cancelPage
	case path == "/flows/-/default/authentication/":
		return st.defaultPage(authentik.FlowDesignationAuthentication, "default-authentication-flow")
	case path == "/flows/-/default/invalidation/":
		return st.defaultPage(authentik.FlowDesignationInvalidation, "default-invalidation-flow")
	case flow && whole && st.flow(slug) != nil:
		return func(request) reply { return html(http.StatusOK) }
	}
	return nil
}

// cancelPage ends the flow that the session runs.
func (st *store) cancelPage(q request) reply {
	a := reply{status: http.StatusFound, contentType: notJSON, location: "/flows/-/default/invalidation/"}
	if q.session != nil && q.session.plan != nil {
		q.session.plan = nil
		a.cookies = []string{q.cookieFor(q.session, q.session.user)}
	}
	return a
}

// defaultPage leads to the brand's flow of a designation, or else to the first
// one by slug whose policies pass. It ends another flow that the session runs.
func (st *store) defaultPage(designation authentik.FlowDesignation, slug string) func(request) reply {
	return func(q request) reply {
		flow := st.flow(slug)
		for _, f := range st.flows {
			if f.Designation != designation || flow != nil && (flow.Slug == slug || flow.Slug < f.Slug) {
				continue
			}
			if st.visit(q).passes(f.PK, f.PolicyEngineMode, &plan{}) == nil {
				flow = f
			}
		}
		if flow == nil {
			return html(http.StatusNotFound)
		}
		a := reply{status: http.StatusFound, contentType: notJSON, location: "/if/flow/" + flow.Slug + "/"}
		if q.URL.RawQuery != "" {
			a.location += "?" + encodeQuery(q.URL.RawQuery)
		}
		if s := q.session; s != nil && s.plan != nil && s.plan.flow != flow.PK {
			s.plan = nil
			a.cookies = []string{q.cookieFor(s, s.user)}
		}
		return a
	}
}

// execute begins a flow for the user of the request, whose session then
// continues it.
func (st *store) execute(q request) reply {
	found := st.flowTable().retrieve(q)
	if found.status == http.StatusNotAcceptable || q.denied != "" || q.user == nil && !st.anonymousDetail {
		return found
	}
	v := st.visit(q)
	v.session.history = []plan{}
	if found.status == http.StatusOK {
		v.flow = st.flow(q.segment(2))
		v.browser, v.user = q.user, q.user
		before := &plan{}
		before.setUser(q.user)
		before.uncached = st.since("2024.10")
		switch err := v.begin(before); {
		case errors.Is(err, errNoStages):
			return html(http.StatusInternalServerError)
		case err != nil:
			found = html(http.StatusBadRequest)
			found.allow = q.allow
		default:
			found = q.json(http.StatusOK, object{{"link", q.origin() + "/if/flow/" + v.flow.Slug + "/"}})
		}
	}
	a := v.finish(found)
	a.framed = false
	return a
}
