package authentiktest

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"
)

// request is a request to an operation, with what authentik determines before
// the operation runs.
type request struct {
	*http.Request
	rules     rules
	body      []byte
	operation string // "" for a path that is no operation
	allow     string // the methods of the path
	model     string // whose permissions the path requires
	single    bool   // whether the path is about one object
	query     url.Values
	user      *user    // nil without credentials
	session   *session // nil without a valid one
	denied    string   // why the credentials are not accepted
	german    bool
}

func (st *store) request(r *http.Request, body []byte) request {
	q := request{Request: r, rules: st.rules, body: body, query: r.URL.Query()}
	q.session = st.session(r)
	q.german = st.germanTexts && strings.HasPrefix(r.Header.Get("Accept-Language"), "de")
	scheme, token, ok := strings.Cut(strings.TrimSpace(r.Header.Get("Authorization")), " ")
	bearer := strings.EqualFold(scheme, "Bearer")
	switch {
	case !ok, !bearer && st.basicAuth == schemeIgnored:
		q = q.fromSession()
	case !bearer && st.basicAuth == schemeRefused:
		q.denied = "Unsupported authentication type"
	default:
		q.user = st.users[token]
		if q.user == nil || !bearer || !q.user.active && st.since("2023.1") {
			q.user, q.denied = nil, "Token invalid/expired"
		}
	}
	return q
}

// fromSession takes the user of the session, unless another site may have
// made the browser send the request.
func (q request) fromSession() request {
	if q.session == nil || q.session.user == nil {
		return q
	}
	q.user = q.session.user
	safe := []string{http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace}
	if slices.Contains(safe, q.Method) {
		return q
	}
	if reason := q.forged(); reason != "" {
		q.user, q.denied = nil, "CSRF Failed: "+reason
	}
	return q
}

// get returns the last value of a parameter: authentik takes no other.
func (q request) get(name string) string {
	if values := q.query[name]; len(values) > 0 {
		return values[len(values)-1]
	}
	return ""
}

// host returns the host that a request is for.
func (q request) host() string {
	if q.Host == "" {
		return q.URL.Host // of a request that a client made
	}
	return q.Host
}

// segment returns the nth segment of the path below /api/v3/.
func (q request) segment(n int) string { //nolint:unparam // 2 is an object's so far
	return strings.Split(q.URL.Path, "/")[3+n]
}

// reads reports whether the request is one that net/http handles like GET.
func (q request) reads() bool { return q.Method == http.MethodGet || q.Method == http.MethodHead }

// json returns a response in JSON.
func (q request) json(status int, value any) reply {
	a := reply{status: status, contentType: "application/json", allow: q.allow, german: q.german}
	a.body = appendJSON(nil, value)
	if q.rules.charset {
		a.contentType += "; charset=utf-8"
	}
	return a
}

func (q request) detail(status int, text string) reply {
	return q.json(status, object{{"detail", text}})
}

// problem is a response in the place of rows.
type problem struct {
	status int
	body   any
}

func (q request) problem(p *problem) reply { return q.json(p.status, p.body) }

const (
	noCredentials = "Authentication credentials were not provided."
	noPermission  = "You do not have permission to perform this action."
)

// refused returns the response to a request that does not reach its operation,
// because it accepts no JSON or has no valid token. single is whether the
// operation is about one object.
func (q request) refused(single bool) (reply, bool) {
	switch format := q.get("format"); {
	case format != "" && format != "json":
		return q.detail(http.StatusNotFound, "Not found."), true
	case !acceptsJSON(q.Header.Values("Accept")):
		return q.detail(http.StatusNotAcceptable, "Could not satisfy the request Accept header."), true
	case q.denied != "":
		return q.detail(http.StatusForbidden, q.denied), true
	case q.user == nil && single && q.rules.anonymousDetail:
		return q.detail(http.StatusForbidden, noPermission), true
	case q.user == nil:
		return q.detail(http.StatusForbidden, noCredentials), true
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

// say returns a text in German where a German text was recorded.
func (q request) say(text string) string {
	if q.german && text == invalidUUID {
		return "Bitte eine gültige UUID eingeben."
	}
	return text
}
