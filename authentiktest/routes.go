package authentiktest

import (
	"net/http"
	"net/url"
	"strings"
	"unicode"
)

// route is an operation of the API: its path below /api/v3/, with * for a
// segment that names an object. Without an answer it is one that authentik
// has and the fake does not.
type route struct {
	operation string
	path      string
	answer    func(request) reply
}

func (st *store) routes() []route {
	flows, bindings, stages := st.flowTable(), st.bindingTable(), st.stageTable()
	return []route{
		{"flows_instances_list", "flows/instances/", flows.list},
		{"flows_instances_cache_info_retrieve", "flows/instances/cache_info/", st.cacheInfo},
		{"flows_instances_retrieve", "flows/instances/*/", flows.retrieve},
		{"flows_bindings_list", "flows/bindings/", bindings.list},
		{"flows_bindings_retrieve", "flows/bindings/*/", bindings.retrieve},
		{"flows_bindings_used_by_list", "flows/bindings/*/used_by/", bindings.usedBy},
		{"stages_all_list", "stages/all/", stages.list},
		{"stages_all_retrieve", "stages/all/*/", stages.retrieve},
		{"admin_version_retrieve", "admin/version/", st.adminVersion},
		{"core_users_me_retrieve", "core/users/me/", st.usersMe},

		{"flows_instances_cache_clear_create", "flows/instances/cache_clear/", nil},
		{"flows_instances_import_create", "flows/instances/import/", nil},
		{"flows_instances_import_flow_create", "flows/instances/import_flow/", nil},
		{"flows_instances_used_by_list", "flows/instances/*/used_by/", nil},
		{"flows_instances_diagram_retrieve", "flows/instances/*/diagram/", nil},
		{"flows_instances_export_retrieve", "flows/instances/*/export/", nil},
		{"flows_instances_execute_retrieve", "flows/instances/*/execute/", nil},
		{"flows_instances_set_background_create", "flows/instances/*/set_background/", nil},
		{"flows_instances_set_background_url_create", "flows/instances/*/set_background_url/", nil},
		{"flows_executor_get", "flows/executor/*/", nil},
		{"flows_inspector_get", "flows/inspector/*/", nil},
		{"stages_all_types_list", "stages/all/types/", nil},
	}
}

// route finds what answers a request.
func (s *Server) route(r *http.Request) (operation string, answer func(request) reply) {
	path, api := strings.CutPrefix(r.URL.EscapedPath(), "/api/v3/")
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	switch {
	case r.URL.Path == "/":
		return "", func(request) reply {
			return reply{status: http.StatusFound, contentType: notJSON, location: "/flows/-/default/authentication/?next=/"}
		}
	case path == "" && reads:
		return "", func(request) reply { return html(http.StatusOK) } // the API's browser
	}
	for _, route := range s.routes {
		switch {
		case !api:
		case match(route.path, path) && (!reads || route.answer == nil):
			return "", unknown
		case match(route.path, path):
			return route.operation, route.answer
		case match(route.path, path+"/") && reads && s.store.redirectsSlash:
			return "", func(q request) reply {
				to := url.URL{Path: q.URL.Path + "/", RawQuery: q.URL.RawQuery}
				return reply{status: http.StatusMovedPermanently, contentType: notJSON, location: to.String()}
			}
		}
	}
	if api && !strings.HasPrefix(path, "flows/") && strings.HasSuffix(path, "/") {
		return "", unknown // it may exist, or not
	}
	return "", func(request) reply {
		if reads {
			return html(http.StatusNotFound)
		}
		return reply{status: http.StatusMethodNotAllowed, contentType: notJSON, allow: "GET, HEAD, OPTIONS"}
	}
}

// unknown is the answer to what authentik can do and the fake cannot.
func unknown(q request) reply {
	return reply{
		status: http.StatusNotImplemented, contentType: "text/plain; charset=utf-8", router: true,
		body: []byte("authentiktest: the fake does not know " + q.Method + " " + q.URL.EscapedPath() + "; authentik may"),
	}
}

// match compares paths segment by segment. No object's name has a dot in it.
func match(pattern, path string) bool {
	wanted, given := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(wanted) != len(given) {
		return false
	}
	for i, segment := range wanted {
		if segment != given[i] && (segment != "*" || given[i] == "" || strings.Contains(given[i], ".")) {
			return false
		}
	}
	return true
}

// request is one to an operation, on its way through what authentik does
// before it looks at what is asked.
type request struct {
	*http.Request
	query  url.Values
	user   *user // nil: there are no credentials
	german bool
	denied string // why the credentials are not accepted
}

func (st *store) request(r *http.Request) request {
	q := request{Request: r, query: r.URL.Query()}
	q.german = st.germanTexts && strings.HasPrefix(r.Header.Get("Accept-Language"), "de")
	scheme, token, ok := strings.Cut(strings.TrimSpace(r.Header.Get("Authorization")), " ")
	bearer := strings.EqualFold(scheme, "Bearer")
	switch {
	case !ok, !bearer && st.basicAuth == schemeIgnored:
	case !bearer && st.basicAuth == schemeRefused:
		q.denied = "Unsupported authentication type"
	default:
		if q.user = st.users[token]; q.user == nil || !bearer {
			q.denied = "Token invalid/expired"
		}
	}
	return q
}

// get is the last value of a parameter: authentik takes no other.
func (q request) get(name string) string {
	if values := q.query[name]; len(values) > 0 {
		return values[len(values)-1]
	}
	return ""
}

// segment is the nth of the path below /api/v3/.
func (q request) segment(n int) string { return strings.Split(q.URL.Path, "/")[3+n] }

// json makes an answer of the operation whose methods are allow.
func (q request) json(r rules, allow string, status int, value any) reply {
	a := reply{status: status, contentType: "application/json", allow: allow, german: q.german, body: appendJSON(nil, value)}
	if r.charset {
		a.contentType += "; charset=utf-8"
	}
	return a
}

func (q request) detail(r rules, allow string, status int, text string) reply {
	return q.json(r, allow, status, object{{"detail", text}})
}

const (
	noCredentials = "Authentication credentials were not provided."
	noPermission  = "You do not have permission to perform this action."
)

// refused is the answer to a request that does not get as far as the
// operation: it accepts no JSON, or shows no valid token. single is whether
// one object is asked for.
func (q request) refused(r rules, allow string, single bool) (reply, bool) {
	switch {
	case !acceptsJSON(q.Header.Values("Accept")):
		return q.detail(r, allow, http.StatusNotAcceptable, "Could not satisfy the request Accept header."), true
	case q.denied != "":
		return q.detail(r, allow, http.StatusForbidden, q.denied), true
	case q.user == nil && single && r.anonymousDetail:
		return q.detail(r, allow, http.StatusForbidden, noPermission), true
	case q.user == nil:
		return q.detail(r, allow, http.StatusForbidden, noCredentials), true
	}
	return reply{}, false
}

func acceptsJSON(accept []string) bool {
	if len(accept) == 0 {
		return true
	}
	for element := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		switch kind, _, _ := strings.Cut(element, ";"); strings.TrimFunc(kind, unicode.IsSpace) {
		case "*/*", "application/*", "application/json":
			return true
		}
	}
	return false
}

const readOnly = "GET, HEAD, OPTIONS"

func (st *store) adminVersion(q request) reply {
	if a, refused := q.refused(st.rules, readOnly, false); refused {
		return a
	}
	version := object{{"version_current", st.name}, {"version_latest", st.name}}
	if st.since("2024.10") {
		version = append(version, member{"version_latest_valid", true})
	}
	version = append(version, member{"build_hash", ""}, member{"outdated", false})
	if st.since("2024.10") {
		version = append(version, member{"outpost_outdated", false})
	}
	return q.json(st.rules, readOnly, http.StatusOK, version)
}

func (st *store) usersMe(q request) reply {
	if a, refused := q.refused(st.rules, readOnly, false); refused {
		return a
	}
	return q.json(st.rules, readOnly, http.StatusOK, object{{"user", q.user.me}})
}

func (st *store) cacheInfo(q request) reply {
	if a, refused := q.refused(st.rules, readOnly, false); refused {
		return a
	}
	if !q.user.superuser && !q.user.may("authentik_flows.view_flow_cache") {
		return q.detail(st.rules, readOnly, http.StatusForbidden, noPermission)
	}
	count := 0
	for _, flow := range st.flows {
		count += flow.CacheCount
	}
	return q.json(st.rules, readOnly, http.StatusOK, object{{"count", count}})
}
