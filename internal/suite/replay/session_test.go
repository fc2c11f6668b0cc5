package replay_test

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/challenge"
	"github.com/seed-299d42e7/authentik-go/internal/testkit"
	"github.com/seed-299d42e7/authentik-go/internal/testkit/recording"
)

// A Session sends what the recorder sent, in the same order, and returns what
// the server responded, for every recorded sequence of every release.
//
//nolint:paralleltest // the sessions count together
func TestReplay_EverySession(t *testing.T) {
	requests, exceptions, runs := 0, map[string]int{}, 0
	for version, sequences := range testkit.Sequences(t) {
		for _, sequence := range sequences {
			for _, browser := range browsers(sequence.Exchanges) {
				runs++
				t.Run(version+"/"+browser[0].ID, func(t *testing.T) {
					p := &sessionPlayer{t: t, exchanges: browser, exceptions: exceptions}
					p.play()
					requests += p.sent
				})
			}
		}
	}
	t.Logf("%d sessions sent %d recorded requests", runs, requests)
	for _, reason := range slices.Sorted(maps.Keys(exceptions)) {
		t.Logf("%4d not sent: %s", exceptions[reason], reason)
	}
	assert.Greater(t, requests, 1000)
}

// browsers groups exchanges by the browser that the recorder stood for: a
// request without a session cookie begins one, and one with a cookie goes on
// with the browser that has received it.
func browsers(exchanges []recording.Exchange) (all [][]recording.Exchange) {
	owner := map[string]int{}
	for _, e := range exchanges {
		if !strings.Contains(e.Request.Target, "/flows/executor/") &&
			!strings.Contains(e.Request.Target, "/flows/inspector/") && len(cookiesOf(e.Request)) == 0 {
			continue
		}
		id, known := owner[cookiesOf(e.Request)["authentik_session"]]
		if !known || len(cookiesOf(e.Request)) == 0 {
			id = len(all)
			all = append(all, nil)
		}
		all[id] = append(all[id], e)
		for _, c := range setCookies(e) {
			if c.Name == "authentik_session" {
				owner[c.Value] = id
			}
		}
	}
	return all
}

// setCookies returns the cookies of a response.
func setCookies(e recording.Exchange) (cookies []*http.Cookie) {
	for _, h := range e.Response.Headers {
		if cookie, err := http.ParseSetCookie(h[1]); h[0] == "Set-Cookie" && err == nil {
			cookies = append(cookies, cookie)
		}
	}
	return cookies
}

func cookiesOf(r recording.Request) map[string]string {
	cookies := map[string]string{}
	for _, h := range r.Headers {
		if h[0] == "Cookie" {
			for _, c := range (&http.Request{Header: http.Header{"Cookie": {h[1]}}}).Cookies() {
				cookies[c.Name] = c.Value
			}
		}
	}
	return cookies
}

// sessionPlayer serves the exchanges of one browser to a session.
type sessionPlayer struct {
	t          *testing.T
	exchanges  []recording.Exchange
	exceptions map[string]int
	session    *authentik.Session
	next       int // the exchange that is to come
	sent       int
	beyond     int // requests that the recorder did not send
}

func (p *sessionPlayer) play() {
	var err error
	p.session, err = authentik.NewSession("http://127.0.0.1:9410",
		authentik.WithHTTPClient(&http.Client{Transport: testkit.RoundTripFunc(p.serve)}),
		authentik.WithRetry(authentik.RetryPolicy{MaxAttempts: 1, StartupWait: -1}))
	require.NoError(p.t, err)
	for p.next < len(p.exchanges) {
		e := p.exchanges[p.next]
		var cookies []*http.Cookie
		for name, value := range cookiesOf(e.Request) {
			cookies = append(cookies, &http.Cookie{Name: name, Value: value})
		}
		for _, kept := range p.session.Cookies() { // by the recorder, too?
			if _, ok := cookiesOf(e.Request)[kept.Name]; !ok {
				kept.MaxAge = -1
				cookies = append(cookies, kept)
			}
		}
		if reason := notOurs(e.Request); reason != "" {
			p.exceptions[reason]++
			p.next++
			p.session.SetCookies(setCookies(e))
			continue
		}
		if p.next == 0 || p.exchanges[p.next-1].Request.Target != e.Request.Target {
			p.session.SetCookies(cookies) // of another step of the recorder's
		}
		before := p.next
		p.step(e)
		if !assert.Greater(p.t, p.next, before, "%s was not sent", e.ID) {
			return
		}
	}
}

// executorPath is that of the executor or the inspector of a flow.
var executorPath = regexp.MustCompile(`/flows/(executor|inspector)/[^/]+/$`)

// notOurs says why a session never sends a request.
func notOurs(r recording.Request) string {
	u, _ := url.Parse(r.Target)
	query := u.Query()
	switch {
	case r.As() != "":
		return "with a token"
	case !strings.Contains(u.Path, "/flows/executor/") && r.Method != http.MethodGet:
		return "a write of a client, see TestReplay_EveryWrite"
	case !executorPath.MatchString(u.Path) && !strings.HasSuffix(u.Path, "/core/users/me/"):
		return "a read of a client"
	case r.Method != http.MethodGet && r.Method != http.MethodPost:
		return r.Method
	case strings.Contains(u.Path, "/flows/executor/") && (len(query) != 1 || len(query["query"]) != 1):
		return "without query, or with another parameter beside it"
	}
	for _, h := range r.Headers {
		switch {
		case h[0] == "Accept" && h[1] != "application/json":
			return "Accept: " + h[1]
		case r.Method == http.MethodPost && h[0] == "Content-Type" && h[1] != "application/json":
			return "Content-Type: " + h[1]
		case strings.HasPrefix(h[0], "X-") && h[0] != "X-authentik-CSRF":
			return h[0]
		}
	}
	var body map[string]any
	text, _ := r.Body.(string)
	if r.Method == http.MethodPost && json.Unmarshal([]byte(text), &body) != nil {
		return "a body that is no JSON object"
	}
	return ""
}

// step makes the session send the request of an exchange, and those that follow
// from it, and compares what it returns with the last response.
func (p *sessionPlayer) step(e recording.Exchange) {
	u, err := url.Parse(e.Request.Target)
	require.NoError(p.t, err)
	slug := strings.Split(strings.TrimPrefix(u.Path, "/api/v3/"), "/")[2]
	query, err := url.ParseQuery(u.Query().Get("query"))
	require.NoError(p.t, err)
	ctx := context.Background()
	beyond := p.beyond
	switch {
	case strings.Contains(u.Path, "/core/users/me/"):
		loggedIn, err := p.session.LoggedIn(ctx)
		require.NoError(p.t, err)
		assert.Equal(p.t, e.Response.Status == http.StatusOK, loggedIn)
	case strings.Contains(u.Path, "/flows/inspector/"):
		inspection, err := p.session.InspectorGet(ctx, slug)
		if e.Response.Status != http.StatusOK {
			assert.Error(p.t, err)
			return
		}
		require.NoError(p.t, err)
		p.compareInspection(e, inspection)
	default:
		var c challenge.Challenge
		if e.Request.Method == http.MethodGet {
			c, err = p.session.ExecutorGet(ctx, slug, query)
		} else {
			c, err = p.session.ExecutorSolve(ctx, slug, query, rawResponse(p.t, e.Request))
		}
		if p.beyond > beyond { // the recorder did not follow a 302
			p.exceptions["a request after a 302 that the recorder did not send"]++
			return
		}
		last := p.exchanges[p.next-1].Response
		if last.Status != http.StatusOK {
			assert.Error(p.t, err, e.ID)
			return
		}
		require.NoError(p.t, err, e.ID)
		want, err := challenge.Decode(last.Body())
		require.NoError(p.t, err)
		assert.Equal(p.t, want, c, e.ID)
	}
}

func rawResponse(t *testing.T, r recording.Request) challenge.Response {
	t.Helper()
	var values map[string]any
	text, _ := r.Body.(string)
	require.NoError(t, json.Unmarshal([]byte(text), &values))
	component, _ := values["component"].(string)
	return rawBody{component, json.RawMessage(text)}
}

// rawBody is a response as it was recorded, with a wrong component or none.
type rawBody struct {
	component string
	body      json.RawMessage
}

func (r rawBody) Component() string            { return r.component }
func (r rawBody) MarshalJSON() ([]byte, error) { return r.body, nil }

func (p *sessionPlayer) compareInspection(e recording.Exchange, got *authentik.FlowInspection) {
	p.t.Helper()
	var want struct {
		Plans []struct {
			Context map[string]any `json:"plan_context"`
			Next    struct {
				PK string `json:"pk"`
			} `json:"next_planned_stage"`
		} `json:"plans"`
		IsCompleted bool `json:"is_completed"`
	}
	require.NoError(p.t, json.Unmarshal(e.Response.Body(), &want))
	assert.Equal(p.t, want.IsCompleted, got.IsCompleted)
	require.Len(p.t, got.Plans, len(want.Plans))
	for i, plan := range want.Plans {
		assert.Equal(p.t, plan.Context, got.Plans[i].PlanContext)
		assert.Equal(p.t, plan.Next.PK == "", got.Plans[i].NextPlannedStage == nil)
	}
	require.NotNil(p.t, got.CurrentPlan)
}

// serve compares a request with the recorded one, and responds as recorded.
func (p *sessionPlayer) serve(r *http.Request) (*http.Response, error) {
	if p.next == len(p.exchanges) || p.beyondRecording(r) {
		p.beyond++
		return testkit.HTTPResponse(testkit.Reply(http.StatusTeapot, testkit.JSON, `{"detail":"not recorded"}`)), nil
	}
	e := p.exchanges[p.next]
	p.next++
	p.sent++
	want := e.Request
	assert.Equal(p.t, want.Method+" "+canonical(want.Target), r.Method+" "+canonical(r.URL.RequestURI()), e.ID)
	assert.Empty(p.t, r.Header.Get("Authorization"))
	assert.Equal(p.t, "application/json", r.Header.Get("Accept"))
	names := func(cookies map[string]string) []string { return slices.Sorted(maps.Keys(cookies)) }
	got := map[string]string{}
	for _, c := range r.Cookies() {
		got[c.Name] = c.Value
	}
	assert.Equal(p.t, names(cookiesOf(want)), names(got), "the cookies of %s", e.ID)
	if r.Method == http.MethodPost {
		var wantBody, gotBody any
		text, _ := want.Body.(string)
		require.NoError(p.t, json.Unmarshal([]byte(text), &wantBody))
		require.NoError(p.t, json.NewDecoder(r.Body).Decode(&gotBody))
		assert.Equal(p.t, wantBody, gotBody, e.ID)
		assert.Equal(p.t, got["authentik_csrf"], r.Header.Get("X-authentik-CSRF"))
	}
	resp := testkit.HTTPResponse(e.Response)
	resp.Request = r
	return resp, nil
}

// beyondRecording reports whether the session follows a 302 that the recorder
// did not follow.
func (p *sessionPlayer) beyondRecording(r *http.Request) bool {
	want := p.exchanges[p.next].Request
	return p.next > 0 && p.exchanges[p.next-1].Response.Status == http.StatusFound &&
		want.Method+" "+canonical(want.Target) != r.Method+" "+canonical(r.URL.RequestURI())
}

// canonical returns a path with its query in one spelling: the recorder did not
// escape slashes within it, for example.
func canonical(target string) string {
	u, err := url.Parse(target)
	if err != nil {
		return target
	}
	query := u.Query()
	for key, values := range query {
		for i, value := range values {
			if inner, err := url.ParseQuery(value); err == nil && key == "query" {
				values[i] = inner.Encode()
			}
		}
	}
	return u.EscapedPath() + "?" + query.Encode()
}
