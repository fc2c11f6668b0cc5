package authentiktest_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/seed-299d42e7/authentik-go/internal/testkit/recording"
)

var compared = []string{
	"Content-Type", "Allow", "Content-Language", "Content-Disposition", "Location", "Retry-After", "Referrer-Policy",
	"X-Content-Type-Options",
}

// differs sends a recorded request and returns how the answer differs, and
// whether it is equal but for the order of a join.
func (p *player) differs(e recording.Exchange) (difference string, joined bool) {
	resp, body := p.send(e) //nolint:bodyclose // send has closed it
	want := e.Response
	if want.Status != resp.StatusCode {
		return fmt.Sprintf("status %d, recorded %d\n%.300s\n%.300s", resp.StatusCode, want.Status, body, want.Text), false
	}
	for _, key := range compared {
		if got := resp.Header.Get(key); got != want.Header(key) {
			return fmt.Sprintf("%s is %q, recorded %q", key, got, want.Header(key)), false
		}
	}
	for _, key := range []string{"X-Authentik-Id", "Set-Cookie"} {
		got, want := cookieShape.ReplaceAllString(resp.Header.Get(key), "="), cookieShape.ReplaceAllString(want.Header(key), "=")
		if (got != "") != (want != "") || key == "Set-Cookie" && got != want {
			return fmt.Sprintf("%s is %q, recorded %q", key, got, want), false
		}
	}
	return p.compare(string(body), string(plain(p.t, want)))
}

var cookieShape = regexp.MustCompile(`=[^;]*`)

var (
	// varying are the parts of a body that differ from server to server, and
	// from one time to the next: times, tokens, hosts, what makes the name of a
	// file unique, and the order of the context of a log.
	varying = []struct{ pattern, with string }{
		{`\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\.\d+(Z|\+00:00)`, "<time>"},
		{`token=[\w.-]+`, "<token>"},
		{`127\.0\.0\.1(:\d+)?`, "<host>"},
		{`(/flow-backgrounds/\w+)_[0-9A-Za-z]{7}(\.\w+)"`, `$1$2"`},
		{`"(auth_via|request_id|host)":"[^"]*","(auth_via|request_id|host)":"[^"]*","(auth_via|request_id|host)":"[^"]*"`, "<context>"},
	}
	varies = compiled()
	names  = regexp.MustCompile(`\b[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}\b`)
)

// page matches what stands for an HTML page in some recordings.
var page = regexp.MustCompile(`^<html, \d+ bytes, title: authentik>$`)

const htmlPage = `<!DOCTYPE html>
<html lang="en">
<head><title>authentik</title></head>
<body>page left out</body>
</html>`

func compiled() (all []*regexp.Regexp) {
	for _, v := range varying {
		all = append(all, regexp.MustCompile(v.pattern))
	}
	return all
}

// compare returns how a body differs from a recorded one. Identifiers must be
// the same ones throughout. joined is whether the bodies are equal but for the
// order of what a join returns, which in SQL has none.
func (p *player) compare(ours, theirs string) (difference string, joined bool) {
	ours, theirs = strings.TrimSpace(ours), strings.TrimSpace(page.ReplaceAllString(theirs, htmlPage))
	for i, v := range varies {
		ours, theirs = v.ReplaceAllString(ours, varying[i].with), v.ReplaceAllString(theirs, varying[i].with)
	}
	if difference = p.identical(ours, theirs, true); difference == "" {
		return "", false
	}
	return p.identical(unordered(ours, func(id string) string { return id }), unordered(theirs, p.translated), false), true
}

// identical compares bodies. sure is whether a new identifier of the one must be
// that of the other at the same place.
func (p *player) identical(ours, theirs string, sure bool) string {
	shape := func(body string) string { return names.ReplaceAllString(body, "<id>") }
	if a, b := shape(ours), shape(theirs); a != b {
		return difference(a, b)
	}
	our, their := names.FindAllString(ours, -1), names.FindAllString(theirs, -1)
	met := map[string]string{}
	listed, ourListed := idsOfStages(theirs), idsOfStages(ours)
	for i := range our {
		a, b := hexadecimal(our[i]), hexadecimal(their[i])
		known := p.ours[b]
		if known == "" {
			known = met[b]
		}
		switch {
		case slices.Contains(listed, b) && (known == "" || !sure && slices.Contains(ourListed, known)):
		case known == "" && p.theirs[a] == "":
			met[b] = a
		case known != a:
			return fmt.Sprintf("identifier %d is %s (recorded %s), and should be %s", i, a, b, known)
		}
	}
	for b, a := range met {
		if sure {
			p.ours[b], p.theirs[a] = a, b
		}
	}
	return ""
}

var stageList = regexp.MustCompile(`"stages":\[[^\]]+\]`)

// idsOfStages returns the identifiers in the lists of stages of flows. Those
// lists have no order.
func idsOfStages(body string) (ids []string) {
	for _, list := range stageList.FindAllString(body, -1) {
		for _, id := range names.FindAllString(list, -1) {
			ids = append(ids, hexadecimal(id))
		}
	}
	return ids
}

func difference(ours, theirs string) string {
	at := 0
	for at < min(len(ours), len(theirs)) && ours[at] == theirs[at] {
		at++
	}
	return fmt.Sprintf("body at %d: %.200q\nrecorded: %.200q", at, ours[max(0, at-40):], theirs[max(0, at-40):])
}
