package authentiktest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// releases are those that the fake knows, each by its last patch of which a
// schema is at hand. What they do is told by the rules below.
var releases = []string{
	"2021.12.5",
	"2022.1.5", "2022.2.1", "2022.3.3", "2022.4.1", "2022.5.3", "2022.6.3", "2022.7.3", "2022.8.2", "2022.9.0", "2022.10.1", "2022.11.4", "2022.12.2",
	"2023.1.2", "2023.2.2", "2023.3.1", "2023.4.1", "2023.5.4", "2023.6.1", "2023.8.3", "2023.10.7",
	"2024.2.3", "2024.4.2", "2024.6.4", "2024.8.3", "2024.10.5", "2024.12.3",
	"2025.2.4", "2025.4.4", "2025.6.4", "2025.8.6", "2025.10.4", "2025.12.4",
	"2026.2.2", "2026.5.0-rc1", "2026.8.0-rc1",
}

// Versions returns the releases that [Version] knows, oldest first: from
// 2021.12 to 2026.8.
func Versions() []string {
	names := make([]string, len(releases))
	for i, release := range releases {
		names[i] = release[:strings.LastIndex(release, ".")]
	}
	return names
}

// version is a release and a patch. Release candidates count as patch 0.
type version struct{ year, month, patch int }

// parseVersion reads 2024.10, 2024.10.3 or 2024.10.0-rc1.
func parseVersion(name string) (v version, err error) {
	numbers, _, _ := strings.Cut(name, "-")
	parts := strings.Split(numbers, ".")
	if len(parts) < 2 || len(parts) > 3 {
		return v, fmt.Errorf("%q is not a version of authentik, such as 2024.10 or 2025.10.0", name)
	}
	for i, number := range []*int{&v.year, &v.month, &v.patch}[:len(parts)] {
		if *number, err = strconv.Atoi(parts[i]); err != nil || *number < 0 {
			return v, fmt.Errorf("%q is not a version of authentik, such as 2024.10 or 2025.10.0", name)
		}
	}
	return v, nil
}

// since reports whether v is the named release or patch, or a newer one.
func (v version) since(name string) bool {
	other, err := parseVersion(name)
	if err != nil {
		panic(err) // a mistake in one of our tables
	}
	return slices.Compare([]int{v.year, v.month, v.patch}, []int{other.year, other.month, other.patch}) >= 0
}

// rules are what differs between releases, apart from the fields and enum
// values, which are in the tables of models.go. Where a server was recorded
// (testdata/recordings) they are what it did; between two recorded releases,
// what authentik's source says, or else what the older one did.
type rules struct {
	version
	name string // with its patch, as admin/version tells it

	bareResults      bool // an answer has no "autocomplete" beside pagination and results
	defaultPageSize  int
	maxPageSize      int  // 0: there is none
	badPageSizeFails bool // a page size that is no positive number is a 500; elsewhere it is ignored
	emptyPageIsFirst bool // page= is page 1; before, a 404

	quotedSearch  bool // "a phrase" in quotes is one term of a search, and NUL is refused
	searchesFirst bool // the search comes before the permissions
	germanTexts   bool // messages go by Accept-Language

	forbidsList       bool // a token without any permission gets a 403; before, an empty list and 404
	globalPermissions bool // a permission for a whole model counts; before, only those for single objects
	anonymousDetail   bool // without credentials, a single object is "no permission", as for a token
	namesMissing      bool // the 404 says what was looked for
	basicAuth         int  // what is said of a scheme other than Bearer: see store.request
	redirectsSlash    bool // a path without its last slash is redirected; since, a 404

	bindingSearch    bool // bindings can be searched
	bindingDefault   []string
	bindingOrderings []string

	charset   bool // the content type of JSON names its charset
	poweredBy bool // the router in front says X-Powered-By; before, Server
	language  bool // Content-Language is sent
}

func rulesOf(name string) (r rules, err error) {
	if r.version, err = parseVersion(name); err != nil {
		return r, err
	}
	release := fmt.Sprintf("%d.%d", r.year, r.month)
	known := slices.Index(Versions(), release)
	if known < 0 {
		return r, fmt.Errorf("the fake does not know authentik %s: Versions returns the releases that it knows", release)
	}
	r.name = name
	if name == release {
		r.name = releases[known]
		r.version, _ = parseVersion(r.name) // as it is in releases
	}
	r.bareResults = !r.since("2025.8")
	r.defaultPageSize = 100
	if r.since("2025.12") {
		r.defaultPageSize, r.maxPageSize = 20, 100
	}
	r.badPageSizeFails = r.since("2025.12") && !r.since("2026.2")
	r.emptyPageIsFirst = r.since("2025.4")
	r.quotedSearch = r.since("2025.4")
	r.searchesFirst = r.since("2025.8")
	r.germanTexts = r.since("2025.10")
	r.forbidsList = r.since("2023.10")
	r.globalPermissions = r.since("2023.10")
	r.anonymousDetail = r.since("2024.4")
	r.namesMissing = r.since("2025.4")
	switch {
	case r.since("2025.12"):
		r.basicAuth = schemeIgnored
	case r.since("2022.4"):
		r.basicAuth = schemeRefused
	default:
		r.basicAuth = schemeTried
	}
	r.redirectsSlash = !r.since("2023.10")
	r.bindingSearch = r.since("2022.6")
	switch {
	case r.since("2025.10"):
		r.bindingDefault, r.bindingOrderings = []string{"order", "pk"}, []string{"order", "stage__name", "pk", brokenOrdering}
	case r.since("2024.4"):
		r.bindingDefault, r.bindingOrderings = []string{"order"}, []string{"order", "stage__name"}
	case r.since("2023.10"):
		r.bindingDefault = []string{"order"}
	default:
		r.bindingDefault = []string{"target", "order"}
	}
	r.charset = r.since("2024.10") && !r.since("2026.8")
	r.poweredBy = r.since("2022.1.5")
	r.language = r.since("2025.10")
	return r, nil
}

// brokenOrdering is permitted, and a 500.
const brokenOrdering = "target__uuid"

// What is made of an Authorization that is not Bearer.
const (
	schemeTried   = iota // its text is looked for among the tokens
	schemeRefused        // it is told to be unsupported
	schemeIgnored        // as if there were none
)

// startingAnswer is what the router in front answers while the server starts,
// to whoever accepts exactly JSON and to others.
func (r rules) startingAnswer(inJSON bool) reply {
	switch {
	case r.since("2025.10") && !r.since("2025.10.1") && inJSON: // it was forgotten to say otherwise
		return r.routerAnswer(http.StatusOK, "authentik starting", "5", inJSON)
	case r.since("2025.10"):
		return r.routerAnswer(http.StatusServiceUnavailable, "authentik starting", "5", inJSON)
	case r.since("2023.10"):
		return r.routerAnswer(http.StatusBadGateway, failedToConnect+"authentik starting", "", inJSON)
	default:
		return r.routerAnswer(http.StatusBadGateway, "authentik starting...", "", inJSON)
	}
}

// crashedAnswer is what it answers once the server has died: to the request
// that was under way, and to those that come after it.
func (r rules) crashedAnswer(inJSON, underWay bool) reply {
	const socket = "/dev/shm/authentik-core.sock"
	switch {
	case !r.since("2022.12"):
		return r.startingAnswer(inJSON)
	case underWay:
		return r.routerAnswer(http.StatusBadGateway, failedToConnect+"read unix @->"+socket+": read: connection reset by peer", "", inJSON)
	default:
		return r.routerAnswer(http.StatusBadGateway, failedToConnect+"dial unix "+socket+": connect: connection refused", "", inJSON)
	}
}

const failedToConnect = "failed to connect to authentik backend: "

// routerAnswer is a text, or in JSON the value of "error".
func (r rules) routerAnswer(status int, text, retryAfter string, inJSON bool) reply {
	inJSON = inJSON && r.since("2022.12")
	a := reply{status: status, contentType: "text/plain; charset=utf-8", body: []byte(text), router: true, retryAfter: retryAfter}
	if inJSON {
		body, err := json.Marshal(map[string]string{"error": text})
		if err != nil {
			panic(err) // a string has a JSON form
		}
		if r.since("2023.10") {
			body = append(body, '\n')
		}
		a.body = body
	}
	if r.since("2025.10") {
		a.contentType = "text/plain"
		if inJSON {
			a.contentType = "application/json"
		}
	}
	return a
}
