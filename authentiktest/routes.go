package authentiktest

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// route is an operation of the API. Its path is that below /api/v3/, with *
// for a segment that names an object. An operation without a handler is one
// that authentik has and the fake does not.
type route struct {
	operation    string
	method       string
	path         string
	since, until string // releases, the last one excluded; "" is all
	answer       func(request) reply
}

const (
	get   = http.MethodGet
	post  = http.MethodPost
	put   = http.MethodPut
	patch = http.MethodPatch
	del   = http.MethodDelete
	// anyMethod is every method that the path has no other route for.
	anyMethod = "*"
)

// routes returns the operations of the release, the first that matches first.
func (st *store) routes() []route {
	flows, bindings, stages := st.flowTable(), st.bindingTable(), st.stageTable()
	all := []route{
		{"flows_instances_list", get, "flows/instances/", "", "", flows.list},
		{"flows_instances_create", post, "flows/instances/", "", "", flows.create},
		{"flows_instances_cache_info_retrieve", get, "flows/instances/cache_info/", "", "", st.cacheInfo},
		{"flows_instances_cache_clear_create", post, "flows/instances/cache_clear/", "", "", st.cacheClear},
		{"flows_instances_import_flow_create", post, "flows/instances/import_flow/", "", "2022.10", st.importFlow},
		{"flows_instances_import_create", post, "flows/instances/import/", "2022.10", "2026.5", st.importFlow},
		{"flows_instances_retrieve", get, "flows/instances/*/", "", "", flows.retrieve},
		{"flows_instances_update", put, "flows/instances/*/", "", "", flows.update},
		{"flows_instances_partial_update", patch, "flows/instances/*/", "", "", flows.update},
		{"flows_instances_destroy", del, "flows/instances/*/", "", "", flows.destroy},
		{"flows_instances_used_by_list", get, "flows/instances/*/used_by/", "", "", flows.usedBy(st.flowUses)},
		{"flows_instances_diagram_retrieve", get, "flows/instances/*/diagram/", "", "", st.diagram},
		{"flows_instances_export_retrieve", get, "flows/instances/*/export/", "", "", st.export},
		{"flows_instances_execute_retrieve", get, "flows/instances/*/execute/", "", "", st.execute},
		{"flows_instances_set_background_create", post, "flows/instances/*/set_background/", "", "2025.12", st.setBackground},
		{
			"flows_instances_set_background_url_create", post, "flows/instances/*/set_background_url/", "", "2025.12",
			st.setBackgroundURL,
		},
		{"flows_bindings_list", get, "flows/bindings/", "", "", bindings.list},
		{"flows_bindings_create", post, "flows/bindings/", "", "", bindings.create},
		{"flows_bindings_retrieve", get, "flows/bindings/*/", "", "", bindings.retrieve},
		{"flows_bindings_update", put, "flows/bindings/*/", "", "", bindings.update},
		{"flows_bindings_partial_update", patch, "flows/bindings/*/", "", "", bindings.update},
		{"flows_bindings_destroy", del, "flows/bindings/*/", "", "", bindings.destroy},
		{"flows_bindings_used_by_list", get, "flows/bindings/*/used_by/", "", "", bindings.usedBy(st.bindingUses)},
		{"flows_executor_get", get, "flows/executor/*/", "", "", st.executor},
		{"flows_executor_solve", post, "flows/executor/*/", "", "", st.executor},
		{"", anyMethod, "flows/executor/*/", "", "", st.executor},
		{"flows_inspector_get", get, "flows/inspector/*/", "", "", st.inspector},
		{"stages_all_list", get, "stages/all/", "", "", stages.list},
		{"stages_all_types_list", get, "stages/all/types/", "", "", st.stageTypes},
		{"stages_all_user_settings_list", get, "stages/all/user_settings/", "", "", st.userSettings},
		{"stages_all_retrieve", get, "stages/all/*/", "", "", stages.retrieve},
		{"stages_all_destroy", del, "stages/all/*/", "", "", stages.destroy},
		{"stages_all_used_by_list", get, "stages/all/*/used_by/", "", "", stages.usedBy(st.stageUses)},
		{"managed_blueprints_import_create", post, "managed/blueprints/import/", "2026.5", "", st.importFlow},
		{"managed_blueprints_retrieve", get, "managed/blueprints/*/", "2022.8", "", nil},
		{"managed_blueprints_update", put, "managed/blueprints/*/", "2022.8", "", nil},
		{"managed_blueprints_partial_update", patch, "managed/blueprints/*/", "2022.8", "", nil},
		{"managed_blueprints_destroy", del, "managed/blueprints/*/", "2022.8", "", nil},
		{"admin_version_retrieve", get, "admin/version/", "", "", st.adminVersion},
		{"core_users_me_retrieve", get, "core/users/me/", "", "", st.usersMe},
	}
	for path, answer := range map[string]func(request) reply{
		"flows/instances/": flows.options, "flows/instances/*/": flows.options,
		"flows/bindings/": bindings.options, "flows/bindings/*/": bindings.options,
		"stages/all/": stages.options, "stages/all/*/": stages.options,
	} {
		all = append(all, route{"", http.MethodOptions, path, "", "", answer})
	}
	return slices.DeleteFunc(all, func(r route) bool {
		return r.since != "" && !st.since(r.since) || r.until != "" && st.since(r.until)
	})
}

// endpoint is a path of the API, and its operations by method.
type endpoint struct {
	segments []string
	allow    string
	routes   map[string]route
}

// endpoints returns the paths of the routes, in their order.
func endpoints(routes []route) (all []endpoint) {
	index := map[string]int{}
	for _, r := range routes {
		i, known := index[r.path]
		if !known {
			i = len(all)
			index[r.path] = i
			all = append(all, endpoint{segments: strings.Split(r.path, "/"), routes: map[string]route{}})
		}
		all[i].routes[r.method] = r
	}
	for i := range all {
		var methods []string
		for _, method := range []string{get, post, put, patch, del} {
			if _, ok := all[i].routes[method]; ok {
				methods = append(methods, method)
			}
		}
		if slices.Contains(methods, get) {
			methods = append(methods, http.MethodHead)
		}
		all[i].allow = strings.Join(append(methods, http.MethodOptions), ", ")
	}
	return all
}

// model returns the model whose permissions the path requires.
func (e endpoint) model() string {
	switch e.segments[1] {
	case "instances":
		return "flow"
	case "bindings":
		return "flowstagebinding"
	default:
		return "stage"
	}
}

// matches compares a path segment by segment. No object's name has a dot in
// it.
func (e endpoint) matches(path []string) bool {
	if len(e.segments) != len(path) {
		return false
	}
	for i, segment := range e.segments {
		if segment != path[i] && (segment != "*" || path[i] == "" || strings.Contains(path[i], ".")) {
			return false
		}
	}
	return true
}

// knows reports whether the fake has an operation.
func (s *Server) knows(operation string) bool {
	for _, e := range s.endpoints {
		for _, r := range e.routes {
			if r.operation == operation && operation != "" {
				return r.answer != nil
			}
		}
	}
	return false
}

// route returns the handler of a request, and completes the request with what
// its path determines.
func (s *Server) route(q request) (request, func(request) reply) {
	path, api := strings.CutPrefix(q.URL.Path, "/api/v3/")
	switch {
	case q.URL.Path == "/":
		return q, func(request) reply {
			return reply{status: http.StatusFound, contentType: notJSON, location: "/flows/-/default/authentication/?next=/"}
		}
	case path == "" && q.reads():
		return q, func(request) reply { return html(http.StatusOK) } // the API's browser
	case !api && s.store.page(q) != nil:
		return q, s.store.page(q)
	case !api:
		return q, noSuchPath
	}
	if e := s.endpoint(path); e != nil {
		q.allow, q.model, q.single = e.allow, e.model(), slices.Contains(e.segments, "*")
		method := q.Method
		if _, own := e.routes[anyMethod]; own && e.routes[method].answer == nil {
			method = anyMethod
		} else if method == http.MethodHead {
			method = get
		}
		route, ok := e.routes[method]
		switch {
		case !ok && method == http.MethodOptions, ok && route.answer == nil:
			return q, unknown
		case !ok:
			return q, notAllowed
		}
		q.operation = route.operation
		return q, route.answer
	}
	if s.store.redirectsSlash && s.endpoint(path+"/") != nil {
		return q, func(q request) reply {
			to := url.URL{Path: q.URL.Path + "/", RawQuery: q.URL.RawQuery}
			return reply{status: http.StatusMovedPermanently, contentType: notJSON, location: to.String()}
		}
	}
	if !known.MatchString(path) && strings.HasSuffix(path, "/") {
		return q, unknown // it may exist, or not
	}
	return q, noSuchPath
}

func (s *Server) endpoint(path string) *endpoint {
	segments := strings.Split(path, "/")
	for i := range s.endpoints {
		if s.endpoints[i].matches(segments) {
			return &s.endpoints[i]
		}
	}
	return nil
}

// known matches the paths of which the fake knows all.
var known = regexp.MustCompile(`^(flows|managed/blueprints)/`)

// notAllowed is the response to a method that a path does not have.
func notAllowed(q request) reply {
	if a, refused := q.barred(); refused {
		return a
	}
	return q.detail(http.StatusMethodNotAllowed, `Method "`+q.Method+`" not allowed.`)
}

// barred returns the response to a request that does not reach the operations
// of its path. Since 2024.4 nobody is kept from those of a single object.
func (q request) barred() (reply, bool) {
	nobody := q.user == nil && q.denied == "" && q.single && q.rules.anonymousDetail
	a, refused := q.refusedTo()
	return a, refused && (!nobody || a.status != http.StatusForbidden)
}

// noSuchPath is the response to a path that authentik does not have.
func noSuchPath(q request) reply {
	if q.reads() {
		return html(http.StatusNotFound)
	}
	return crash()
}

// unknown is the response to what authentik can do and the fake cannot.
func unknown(q request) reply {
	return reply{
		status: http.StatusNotImplemented, contentType: "text/plain; charset=utf-8", router: true,
		body: []byte("authentiktest: the fake does not know " + q.Method + " " + q.URL.EscapedPath() + "; authentik may"),
	}
}

const readOnly = "GET, HEAD, OPTIONS"
