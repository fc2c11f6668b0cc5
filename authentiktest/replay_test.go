package authentiktest_test

import (
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seed-299d42e7/authentik-go/internal/testkit"
	"github.com/seed-299d42e7/authentik-go/internal/testkit/recording"
)

// rule is a reason for exchanges of some names and versions.
type rule struct {
	id, versions *regexp.Regexp
	reason       string
}

func whole(pattern string) *regexp.Regexp { return regexp.MustCompile("^(?:" + pattern + ")$") }

// exceptions are the recorded exchanges that the fake answers otherwise, and
// why. A rule all of whose exchanges have become equal fails the test, so that
// this list only shrinks.
var exceptions = []rule{
	{whole("walk_by_designation_p[12]"), whole("20(21|23|24|25|26).*"), "equals come in the order in which they are stored, and no recording shows that of a grown install"},
	{whole("walk_by_stages_p[12]"), whole(".*"), "equals come in the order in which they are stored, and no recording shows that of a grown install"},
	{whole("bindings_list_p1"), whole("2023.10.7"), "equals come in the order in which they are stored, and no recording shows that of bindings"},
	{whole("w_perm_binding_list_as_.*"), whole(".*"), "equals come in the order in which they are stored, and no recording shows that of bindings"},
	{whole("list_ordering_policies"), whole("2022.12.2|2023.10.7|2024.10.0|2025.10.0-rc1|2026.8.0-rc1"), "a join's equals come in an order of the query planner's"},
	{whole("list_ordering_stages"), whole("2025.10.0-rc1|2025.12.0-rc1"), "a join's equals come in an order of the query planner's"},
	{whole("s_all_(default|search|name|ordering|ordering_bad)"), whole(".*"), "a list of all stages of a server on which the recorder had made many, most of which no recording shows"},
	{whole("w_flow_post_slug_cache_info_get|w_perm_cache_info_as_pvc"), whole("2025.10.0-rc1|2026.8.0-rc1"), "flows, which are left out, had put plans in the cache, and others had expired"},
}

// left are the exchanges that the replay leaves out, and why.
var left = []struct {
	is     func(recording.Exchange) bool
	reason string
}{
	{func(e recording.Exchange) bool {
		return strings.Contains(e.Request.Target, "/flows/executor/") || strings.Contains(e.Request.Target, "/flows/inspector/")
	}, "a flow, which TestReplayFlows replays"},
	{func(e recording.Exchange) bool { return strings.Contains(cookies(e), "authentik_session") }, "the session of a browser, which TestReplayFlows replays"},
	{func(e recording.Exchange) bool {
		return !regexp.MustCompile(`^(/|/api/v3/|/api/v3/(flows|stages/all|admin/version|core/users/me|managed/blueprints/import)\b.*)$`).
			MatchString(e.Request.Target)
	}, "an operation that this module has no method for"},
}

func cookies(e recording.Exchange) (value string) {
	for _, h := range e.Request.Headers {
		if h[0] == "Cookie" {
			value += h[1]
		}
	}
	return value
}

// score counts exchanges.
type score struct {
	total, equal   int
	joined         int // of equal: but for the order of a join
	excepted, left map[string]int
	differed       map[*rule]bool // whether an exchange of the rule differs
}

// TestReplay sends the fake what real servers were sent, in the same order, and
// compares: status, the header fields that say something, and the body byte by
// byte, but for identifiers, times and tokens, and for the order of a join.
func TestReplay(t *testing.T) {
	t.Parallel()
	skipLong(t)
	s := score{excepted: map[string]int{}, left: map[string]int{}, differed: map[*rule]bool{}}
	for version, exchanges := range testkit.Recordings(t) {
		var walk, rest []recording.Exchange
		for _, e := range exchanges {
			if strings.HasPrefix(e.ID, "walk_") {
				walk = append(walk, e)
			} else {
				rest = append(rest, e)
			}
		}
		newPlayer(t, version, walk).play(&s)
		newPlayer(t, version, rest).play(&s)
	}
	for version, runs := range testkit.Sequences(t) {
		var exchanges []recording.Exchange
		for _, run := range runs {
			exchanges = append(exchanges, run.Exchanges...)
		}
		newPlayer(t, version, exchanges).play(&s)
	}
	percent := func(n int) float64 { return 100 * float64(n) / float64(s.total) }
	t.Logf("%d recorded exchanges: %d are equal byte for byte (%.1f %%), and %d if the order of a join does not count (%.1f %%); %d differ",
		s.total, s.equal-s.joined, percent(s.equal-s.joined), s.equal, percent(s.equal), s.total-s.equal)
	for rule, differed := range s.differed {
		assert.True(t, differed, "the exception %s of %s is none any more", rule.id, rule.versions)
	}
	for _, reason := range slices.Sorted(maps.Keys(s.excepted)) {
		t.Logf("%4d differ: %s", s.excepted[reason], reason)
	}
	for _, reason := range slices.Sorted(maps.Keys(s.left)) {
		t.Logf("%4d left out: %s", s.left[reason], reason)
	}
	assert.GreaterOrEqual(t, percent(s.equal), 97.0)
}

// skipLong leaves a long test, whose requests come one at a time, out of go
// test -short: the race detector finds nothing there.
func skipLong(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("long")
	}
}

// play sends the exchanges and counts.
func (p *player) play(s *score) {
	for i, e := range p.exchanges {
		p.t.Helper()
		if reason := p.leftOut(e); reason != "" {
			s.left[reason]++
			if strings.HasPrefix(e.ID, "w_cache_exec") { // the exchanges after it show the plan in the cache
				p.send(e) //nolint:bodyclose // send has closed it
			}
			continue
		}
		p.prepare(i)
		difference, joined := p.differs(e)
		p.srv.ClearFaults()
		s.total++
		x := slices.IndexFunc(exceptions, func(x rule) bool { return x.id.MatchString(e.ID) && x.versions.MatchString(p.version) })
		if x >= 0 {
			s.differed[&exceptions[x]] = s.differed[&exceptions[x]] || difference != ""
		}
		switch {
		case difference == "":
			s.equal++
			if joined {
				s.joined++
				p.learnCreated(e)
			}
			continue
		case x >= 0:
			s.excepted[exceptions[x].reason]++
		default:
			assert.Fail(p.t, "not what the server answered", "%s of %s: %s %s\n%s",
				e.ID, p.version, e.Request.Method, e.Request.Target, difference)
		}
		p.resume(e)
	}
}

func (p *player) leftOut(e recording.Exchange) string {
	for _, l := range left {
		if l.is(e) {
			return l.reason
		}
	}
	return ""
}

// isCreation reports whether an exchange has created the object in its body.
func isCreation(e recording.Exchange) bool {
	return e.Request.Method == http.MethodPost && e.Response.Status == http.StatusCreated
}
