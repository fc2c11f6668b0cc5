package authentiktest_test

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go/authentiktest"
	"github.com/seed-299d42e7/authentik-go/internal/testkit"
	"github.com/seed-299d42e7/authentik-go/internal/testkit/recording"
)

// flowExceptions are the exchanges with flows and sessions that the fake
// answers otherwise, and why.
var flowExceptions = []flowException{
	{whole("x_webauthn_setup_.*"), whole(".*"), "the fake has no WebAuthn stage"},
	{whole("i_before_super"), whole("2026.8.0-rc1"), "the reputation counts logins that are in no recording"},
	{whole("x_throw_super_01_get"), whole(".*"), "the traceback names lines of the server's source"},
}

type flowException struct {
	id, versions *regexp.Regexp
	reason       string
}

func (x flowException) of(e recording.Exchange) bool {
	return x.id.MatchString(e.ID) && x.versions.MatchString(e.Version)
}

// aboutFlows is what the replay of the flows covers, beside every request with
// a cookie: the executor, the inspector, and what begins and ends sessions.
var aboutFlows = regexp.MustCompile(`/flows/(executor|inspector)/|/execute/|/core/users/me/|^/flows/-/|^/if/flow/`)

// TestReplayFlows sends the fake the requests that three real servers got from
// clients that ran flows, in their order, with their sessions and at their
// times, and compares the responses like TestReplay.
func TestReplayFlows(t *testing.T) {
	t.Parallel()
	skipLong(t)
	all := testkit.Sequences(t)
	r := &flowReplay{excepted: map[string]int{}}
	for version, exchanges := range testkit.Recordings(t) {
		synctest.Test(t, func(t *testing.T) {
			in := &install{
				Server:  authentiktest.RoundTripper(t, authentiktest.Version(version)),
				t:       t,
				version: version,
			}
			in.tokens = map[string]string{"admin": in.Token}
			r.replay(t, in, recording.Sequence{Name: "fresh install", Exchanges: exchanges})
		})
	}
	for _, version := range slices.Sorted(maps.Keys(all)) {
		synctest.Test(t, func(t *testing.T) {
			in := newInstall(t, version)
			for _, sequence := range all[version] {
				r.replay(t, in, sequence)
			}
		})
	}
	t.Logf("%d recorded exchanges with flows: %d answered equally (%.1f %%), %d are exceptions",
		r.total, r.equal, 100*float64(r.equal)/float64(r.total), r.total-r.equal)
	for _, reason := range slices.Sorted(maps.Keys(r.excepted)) {
		t.Logf("%4d %s", r.excepted[reason], reason)
	}
	assert.GreaterOrEqual(t, float64(r.equal), .97*float64(r.total))
}

type flowReplay struct {
	total, equal int
	excepted     map[string]int
}

func (r *flowReplay) replay(t *testing.T, in *install, sequence recording.Sequence) {
	t.Helper()
	ours := &aliases{ours: map[string]string{}, theirs: map[string]string{}}
	in.URL = hostOf(sequence)
	seen := map[string]bool{}
	if sequence.Name == "extra2" { // he had set one up in another sequence, and logs in without it
		in.DeleteDevices("dave")
	}
	for _, e := range sequence.Exchanges {
		cookies := slices.ContainsFunc(e.Request.Headers, func(h [2]string) bool { return h[0] == "Cookie" })
		if !cookies && !aboutFlows.MatchString(e.Request.Target) {
			continue
		}
		if seen[e.ID] { // the client began anew
			clear(ours.ours)
			clear(ours.theirs)
			clear(seen)
		}
		seen[e.ID] = true
		r.total++
		until(t, e)
		difference := ours.exchange(t, in, e)
		i := 0
		for i < len(flowExceptions) && !flowExceptions[i].of(e) {
			i++
		}
		switch {
		case difference == "":
			r.equal++
			assert.Equal(t, len(flowExceptions), i, "%s of %s is no exception any more", e.ID, e.Version)
		case i < len(flowExceptions):
			r.excepted[flowExceptions[i].reason]++
		default:
			assert.Fail(
				t,
				"not what the server answered",
				"%s of %s: %s %s\n%s",
				e.ID,
				e.Version,
				e.Request.Method,
				e.Request.Target,
				difference,
			)
		}
	}
}

// hostOf returns the URL of the server that a sequence was recorded from.
func hostOf(sequence recording.Sequence) string {
	for _, e := range sequence.Exchanges {
		for _, text := range []string{e.Response.Text, fmt.Sprint(e.Request.Headers)} {
			if host := own.FindString(text); host != "" {
				return host
			}
		}
	}
	return "http://127.0.0.1"
}

// own matches the URL of a recorded server.
var own = regexp.MustCompile(`http://127\.0\.0\.1:\d{4}`)

// late is how much later than its Date an exchange was, where it matters: the
// Date is that of the server's clock some time before.
var late = map[string]time.Duration{
	"x_mfa_totp_right_04_post 2024.10.0":      1300 * time.Millisecond,
	"x_mfa_totp_right_05_post 2024.10.0":      time.Second,
	"x_mfa_totp_right_06_post 2024.10.0":      1730 * time.Millisecond,
	"x_mfa_totp_right_04_post 2025.10.0-rc1":  1600 * time.Millisecond,
	"x_mfa_totp_right_05_post 2025.10.0-rc1":  1300 * time.Millisecond,
	"x_mfa_totp_right_06_post 2025.10.0-rc1":  1930 * time.Millisecond,
	"x_mfa_totp_reused_04_post 2025.10.0-rc1": time.Second,
	"x_mfa_totp_right_06_post 2026.8.0-rc1":   1850 * time.Millisecond,
	"x_mfa_totp_reused_04_post 2026.8.0-rc1":  time.Second,
}

// until waits until an exchange was made.
func until(t *testing.T, e recording.Exchange) {
	t.Helper()
	date, err := http.ParseTime(e.Response.Header("Date"))
	require.NoError(t, err)
	testkit.Advance(time.Until(date.Add(late[e.ID+" "+e.Version])))
}

// aliases are the names that a client got from the recorded server, and those
// that it gets from the fake instead: cookies, identifiers, codes.
type aliases struct{ ours, theirs map[string]string }

// learn remembers that two names stand for the same.
func (n *aliases) learn(theirs, ours string) {
	n.ours[theirs], n.theirs[ours] = ours, theirs
}

var (
	placeholder = regexp.MustCompile(`<authentik_\w+#\d+>|<cookie>`)
	// given matches what has another name on each server, or another time.
	given = regexp.MustCompile(
		`[0-9a-f]{64}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32}|secret=[A-Z2-7]+` +
			`|"pk":\s?\d+|"device_uid": "\d+"|"\d{4}-\d\d-\d\dT[\d:.]+Z"|"[A-Za-z0-9]{12}"(?:, |\])`,
	)
	flowSet = regexp.MustCompile(`"flow_set":\[(\{[^]]*\})\]`)
	totps   = regexp.MustCompile(`"code": "?(\d{6})"?`)
)

// sent returns a text of a request with our names.
func (n *aliases) sent(text string) string {
	text = placeholder.ReplaceAllStringFunc(text, func(name string) string {
		if n.ours[name] == "" {
			return name
		}
		return n.ours[name]
	})
	return given.ReplaceAllStringFunc(text, func(name string) string {
		if n.ours[name] == "" {
			return name
		}
		return n.ours[name]
	})
}

func (n *aliases) exchange(t *testing.T, in *install, e recording.Exchange) string {
	t.Helper()
	target, err := url.Parse(in.URL + e.Request.Target)
	require.NoError(t, err)
	body, _ := e.Request.Body.(string)
	body = n.sent(body)
	body = strings.ReplaceAll(body, "sdk-test-password", authentiktest.AdminPassword)
	body = n.rightCodes(in, body)
	req := (&http.Request{
		Method: e.Request.Method, URL: target, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)),
	}).WithContext(t.Context())
	for _, h := range e.Request.Headers {
		req.Header.Add(h[0], n.sent(h[1]))
	}
	if as := e.Request.As(); in.tokens[as] != "" {
		req.Header.Set("Authorization", "Bearer "+in.tokens[as])
	}
	resp, err := in.RoundTrip(req)
	require.NoError(t, err)
	got, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return n.compare(t, resp, got, e.Response)
}

func (n *aliases) compare(t *testing.T, resp *http.Response, got []byte, want recording.Response) string {
	t.Helper()
	if want.Status != resp.StatusCode {
		return fmt.Sprintf(
			"status %d, recorded %d: %.300s\nrecorded: %.300s",
			resp.StatusCode,
			want.Status,
			got,
			want.Text,
		)
	}
	for _, key := range append(compared, "X-Frame-Options") {
		if ours := resp.Header.Get(key); ours != want.Header(key) {
			return fmt.Sprintf("%s is %q, recorded %q", key, ours, want.Header(key))
		}
	}
	if difference := n.cookies(resp.Header.Values("Set-Cookie"), want); difference != "" {
		return difference
	}
	theirs := string(plain(t, want))
	if strings.HasPrefix(theirs, "<html, ") {
		if !bytes.HasPrefix(got, []byte("<!DOCTYPE html>")) {
			return fmt.Sprintf("%.100q is no page", got)
		}
		return ""
	}
	return n.bodies(string(got), theirs)
}

// cookies compares the cookies that a response sets: a name for each value
// that the recorded client had a name for.
func (n *aliases) cookies(ours []string, want recording.Response) string {
	var theirs []string
	for _, h := range want.Headers {
		if strings.EqualFold(h[0], "Set-Cookie") {
			theirs = append(theirs, h[1])
		}
	}
	if len(ours) != len(theirs) {
		return fmt.Sprintf("cookies: %q\nrecorded: %q", ours, theirs)
	}
	expires := regexp.MustCompile(`expires=\w+, [^;]*`)
	for i, cookie := range ours {
		name := placeholder.FindString(theirs[i])
		_, value, _ := strings.Cut(cookie, "=")
		value, rest, _ := strings.Cut(value, ";")
		if name != "" {
			if n.ours[name] == "" && n.theirs[value] == "" {
				n.learn(name, value)
			}
			if n.ours[name] != value && name != "<cookie>" {
				return fmt.Sprintf("cookie %s has another value, that of %q", name, n.theirs[value])
			}
			_, theirs[i], _ = strings.Cut(theirs[i], ">;")
			cookie = rest
		}
		if cookie, their := expires.ReplaceAllString(
			cookie,
			"expires",
		), expires.ReplaceAllString(
			theirs[i],
			"expires",
		); cookie != their {
			return fmt.Sprintf("cookie: %q\nrecorded: %q", cookie, their)
		}
	}
	return ""
}

// bodies compares two bodies but for what each server gives other names. The
// client goes on with ours.
func (n *aliases) bodies(ours, theirs string) string {
	ours, theirs = sorted(ours), sorted(theirs)
	a, b := given.FindAllString(ours, -1), given.FindAllString(theirs, -1)
	for i := range min(len(a), len(b)) {
		n.learn(b[i], a[i])
	}
	ours, theirs = strings.TrimSpace(numbered(ours)), strings.TrimSpace(numbered(theirs))
	if ours == theirs {
		return ""
	}
	at := 0
	for at < min(len(ours), len(theirs)) && ours[at] == theirs[at] {
		at++
	}
	return fmt.Sprintf("body at %d: %.300q\nrecorded: %.300q", at, ours[max(0, at-40):], theirs[max(0, at-40):])
}

// numbered numbers what has another name on each server.
func numbered(body string) string {
	numbers := map[string]string{}
	return given.ReplaceAllStringFunc(body, func(name string) string {
		if numbers[name] == "" {
			numbers[name] = fmt.Sprintf("#%d", len(numbers))
		}
		return numbers[name]
	})
}

// sorted sorts the flows in the flow_set of stages, which has no order.
func sorted(body string) string {
	return flowSet.ReplaceAllStringFunc(body, func(set string) string {
		flows := strings.Split(flowSet.FindStringSubmatch(set)[1], "},{")
		for i := range flows {
			flows[i] = strings.Trim(flows[i], "{}")
		}
		slices.SortFunc(flows, func(a, b string) int {
			_, a, _ = strings.Cut(a, `"slug":`)
			_, b, _ = strings.Cut(b, `"slug":`)
			return strings.Compare(a, b)
		})
		return `"flow_set":[{` + strings.Join(flows, "},{") + "}]"
	})
}

// rightCodes replaces the codes of TOTP devices: those that a client had
// calculated from a secret in a challenge or, for bob, before the recording.
func (n *aliases) rightCodes(in *install, body string) string {
	return totps.ReplaceAllStringFunc(body, func(found string) string {
		code := totps.FindStringSubmatch(found)[1]
		if code == "000000" {
			return found
		}
		if n.ours[code] == "" {
			device := in.bob
			for theirs, ours := range n.ours {
				secret, ok := strings.CutPrefix(theirs, "secret=")
				if !ok {
					continue
				}
				for step := -1; step <= 1; step++ {
					if (authentiktest.Device{Secret: secret}).Code(
						time.Now().Add(time.Duration(30*step)*time.Second),
					) == code {
						device.Secret = strings.TrimPrefix(ours, "secret=")
					}
				}
			}
			n.learn(code, device.Code(time.Now()))
		}
		ours := n.ours[code]
		if !strings.Contains(found, `"`+code) {
			ours = strings.TrimLeft(ours, "0") // it is a number
		}
		return strings.Replace(found, code, ours, 1)
	})
}
