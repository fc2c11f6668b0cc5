package authentiktest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// releases are the releases that the fake knows, each by the last patch whose
// schema is known.
var releases = []string{
	"2021.12.5",
	"2022.1.5", "2022.2.1", "2022.3.3", "2022.4.1", "2022.5.3", "2022.6.3",
	"2022.7.3", "2022.8.2", "2022.9.0", "2022.10.1", "2022.11.4", "2022.12.2",
	"2023.1.2", "2023.2.2", "2023.3.1", "2023.4.1", "2023.5.4", "2023.6.1", "2023.8.3", "2023.10.7",
	"2024.2.3", "2024.4.2", "2024.6.4", "2024.8.3", "2024.10.5", "2024.12.3",
	"2025.2.4", "2025.4.4", "2025.6.4", "2025.8.6", "2025.10.4", "2025.12.4",
	"2026.2.2", "2026.5.0-rc1", "2026.8.0-rc1",
}

// Versions returns the releases that [Version] knows, from 2021.12 to 2026.8,
// oldest first.
func Versions() []string {
	names := make([]string, len(releases))
	for i, release := range releases {
		names[i] = release[:strings.LastIndex(release, ".")]
	}
	return names
}

// version is a release and a patch. A release candidate is patch 0.
type version struct{ year, month, patch int }

// parseVersion parses 2024.10, 2024.10.3 or 2024.10.0-rc1.
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

// rules are the differences between releases, except for those of fields and
// enum values, which are in models.go. The rules of a recorded release are
// what its server did (testdata/recordings). Those of a release between two
// recorded ones follow authentik's source, or else the older one.
type rules struct {
	version
	name string // with its patch, as admin/version returns it

	// bareResults: a list has no "autocomplete".
	bareResults     bool
	defaultPageSize int
	maxPageSize     int // 0: there is none
	// badPageSizeFails: a page size that is no positive number is a 500.
	// Other releases ignore it.
	badPageSizeFails bool
	// emptyPageIsFirst: page= is page 1. Older releases respond 404.
	emptyPageIsFirst bool

	// quotedSearch: "a phrase" in quotes is one term, and NUL is refused.
	quotedSearch bool
	// searchesFirst: the search precedes the permissions.
	searchesFirst bool
	// germanTexts: messages follow Accept-Language.
	germanTexts bool

	// forbidsList: a token without any permission gets 403. Older releases
	// respond with an empty list, and 404.
	forbidsList bool
	// globalPermissions: a permission for a whole model counts. Older
	// releases know permissions for single objects alone.
	globalPermissions bool
	// anonymousDetail: a single object without credentials is "no
	// permission", as for a token.
	anonymousDetail bool
	// namesMissing: the 404 names the model.
	namesMissing   bool
	basicAuth      int  // what a scheme other than Bearer means
	redirectsSlash bool // a path without its last slash is redirected

	// evaluatesOnRun: by default, the policies of a binding are evaluated when
	// a stage is reached. Before, they were when the flow was planned.
	evaluatesOnRun bool

	bindingSearch    bool // bindings can be searched
	bindingDefault   []string
	bindingOrderings []string

	charset   bool // the content type of JSON names its charset
	poweredBy bool // the router sends X-Powered-By; before, Server
	language  bool // responses have Content-Language
	framed    bool // all responses may be shown in a frame
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
	r.evaluatesOnRun = r.since("2023.3")
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
	r.framed = r.since("2024.10") && !r.since("2025.10")
	return r, nil
}

// Orderings that authentik accepts and then fails with status 500.
const (
	brokenOrdering      = "target__uuid" // of bindings
	brokenStageOrdering = "flow_set"
)

// fails reports whether an ordering is such a one.
func fails(ordering string) bool {
	name := strings.TrimPrefix(ordering, "-")
	return name == brokenOrdering || name == brokenStageOrdering
}

// What a scheme other than Bearer means.
const (
	schemeTried   = iota // the text after it is looked up as a token
	schemeRefused        // it is an error
	schemeIgnored        // the request has no credentials
)

// startingAnswer returns what the router sends while the server behind it
// starts. inJSON is whether the request accepts exactly JSON.
func (r rules) startingAnswer(inJSON bool) reply {
	switch {
	case r.since("2025.10") && !r.since("2025.10.1") && inJSON: // upstream did not set the status
		return r.routerAnswer(http.StatusOK, "authentik starting", "5", inJSON)
	case r.since("2025.10"):
		return r.routerAnswer(http.StatusServiceUnavailable, "authentik starting", "5", inJSON)
	case r.since("2023.10"):
		return r.routerAnswer(http.StatusBadGateway, failedToConnect+"authentik starting", "", inJSON)
	default:
		return r.routerAnswer(http.StatusBadGateway, "authentik starting...", "", inJSON)
	}
}

const (
	failedToConnect = "failed to connect to authentik backend: "
	resetByPeer     = "read unix @->/dev/shm/authentik-core.sock: read: connection reset by peer"
	backendRefused  = "dial unix /dev/shm/authentik-core.sock: connect: connection refused"
)

// crashedAnswer returns what the router sends once the server behind it has
// died, to the request that was in flight and to later ones.
func (r rules) crashedAnswer(inJSON, inFlight bool) reply {
	switch {
	case !r.since("2022.12"):
		return r.startingAnswer(inJSON)
	case inFlight:
		return r.routerAnswer(http.StatusBadGateway, failedToConnect+resetByPeer, "", inJSON)
	default:
		return r.routerAnswer(http.StatusBadGateway, failedToConnect+backendRefused, "", inJSON)
	}
}

// routerAnswer returns a response of the router: a text, or in JSON the value
// of "error".
func (r rules) routerAnswer(status int, text, retryAfter string, inJSON bool) reply {
	inJSON = inJSON && r.since("2022.12")
	a := reply{status: status, body: []byte(text), router: true, retryAfter: retryAfter}
	a.contentType = "text/plain; charset=utf-8"
	if inJSON {
		body, err := json.Marshal(map[string]string{"error": text}) // the router escapes for HTML
		if err != nil {
			panic(err) // a string has a JSON form
		}
		a.body = body
		if r.since("2023.10") {
			a.body = append(a.body, '\n')
		}
	}
	if r.since("2025.10") {
		a.contentType = "text/plain"
		if inJSON {
			a.contentType = "application/json"
		}
	}
	return a
}
