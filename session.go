package authentik

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/seed-299d42e7/authentik-go/challenge"
	"github.com/seed-299d42e7/authentik-go/internal/transport"
)

// The cookies of authentik that this file uses by name. A session keeps all other
// cookies, too.
const (
	sessionCookie = "authentik_session"
	csrfCookie    = "authentik_csrf"
)

// Session is a client with cookies instead of a token, as a browser without a
// screen. A Session runs flows, such as the login, and acts as the user who has
// logged in. Create one with [NewSession] for each user.
//
// A Session is safe for concurrent use. Its executor requests are sent one
// after another, because authentik keeps one running flow for each session.
// Printing a Session shows the URL of the server and no cookie.
type Session struct {
	client *Client
	jar    cookieJar
	turn   chan struct{} // full while an executor request is under way
	run    chan struct{} // full while Run, Login or Logout is under way
	// shown identifies the stage that was shown last. It is a hash, because a
	// server may put any text there, and a pointer, because Format copies the
	// Session. Only the owner of turn may use it.
	shown *[sha256.Size]byte
}

// NewSession returns a session without cookies for the server at baseURL, and
// sends no request. baseURL and the options are those of [NewClient].
//
// Errors: [ArgumentError] as with NewClient, and for [WithTokenFunc], because a
// session has no token.
func NewSession(baseURL string, opts ...ClientOption) (*Session, error) {
	const op = "NewSession"
	cfg, base, err := newConfig(op, "baseURL", baseURL, opts)
	if err != nil {
		return nil, err
	}
	if cfg.tokenFunc != nil {
		return nil, &ArgumentError{op, "WithTokenFunc", "must not be given: a session has no token"}
	}
	s := &Session{
		jar: newCookieJar(), turn: make(chan struct{}, 1), run: make(chan struct{}, 1), shown: new([sha256.Size]byte),
	}
	referer := strings.TrimSuffix(base.String(), strings.TrimPrefix(apiPath, "/"))
	s.client, err = cfg.connect(op, base, transport.Config{
		Authorize: func(req *http.Request, secret func(string)) error {
			req.Header.Set("Referer", referer) // over https, Django requires that of its own host
			for _, cookie := range s.jar.get() {
				secret(cookie.Value)
				req.AddCookie(cookie) // only its name and value
				if cookie.Name == csrfCookie && req.Method != http.MethodGet && req.Method != http.MethodHead {
					req.Header.Set("X-authentik-CSRF", cookie.Value)
				}
			}
			return nil
		},
		Received: func(resp *http.Response, secret func(string)) {
			for _, cookie := range resp.Cookies() {
				secret(cookie.Value)
				s.jar.set(cookie)
			}
		},
	})
	if err != nil {
		return nil, err
	}
	s.client.refused = func(ctx context.Context, err error) (context.Context, error) {
		return nil, s.explain(ctx, err)
	}
	return s, nil
}

// Client returns a client that acts as the user who has logged in. The client
// shares the cookies of the session, and sends the CSRF token and the Referer
// that authentik requires of writes. Its requests may run in parallel.
//
// If the session has ended, the errors of the client are [ErrNotLoggedIn], and
// each is a [PermissionError].
//
// Errors: [ErrNotLoggedIn] if the session has no cookie of authentik's.
// [Session.LoggedIn] reports whether the cookie is still valid.
func (s *Session) Client() (*Client, error) {
	if s == nil || s.client == nil {
		return nil, &ArgumentError{"Client", "Session", "must be made by NewSession"}
	}
	if !s.jar.has(sessionCookie) {
		return nil, fmt.Errorf("authentik: Client: %w", ErrNotLoggedIn)
	}
	return s.client, nil
}

// Cookies returns the cookies of the session. They are as secret as a password.
// [Session.SetCookies] restores them in a later process.
func (s *Session) Cookies() []*http.Cookie {
	if s == nil || s.client == nil {
		return nil
	}
	return s.jar.get()
}

// SetCookies adds cookies to the session, such as those that [Session.Cookies]
// returned. A cookie replaces the one with the same name.
func (s *Session) SetCookies(cookies []*http.Cookie) {
	if s == nil || s.client == nil {
		return
	}
	for _, cookie := range cookies {
		if cookie != nil {
			s.jar.set(cookie)
		}
	}
}

// Close closes idle connections as [Client.Close] does. Close does not log out:
// see [Session.Logout].
func (s *Session) Close() {
	if s != nil {
		s.client.Close()
	}
}

// Format prints the URL of the server, whatever the verb.
func (s Session) Format(f fmt.State, _ rune) {
	if s.client == nil {
		_, _ = io.WriteString(f, "authentik.Session(not made by NewSession)")
		return
	}
	_, _ = io.WriteString(f, "authentik.Session("+strings.TrimSuffix(s.client.base.String(), apiPath)+")")
}

// explain adds to a refusal that the session has ended. Another request must prove
// that, because authentik translates its message.
func (s *Session) explain(ctx context.Context, err error) error {
	denied, ok := errors.AsType[*PermissionError](err)
	if !ok || denied.Foreign {
		return err
	}
	if !strings.HasSuffix(denied.Path, apiPath+usersMe) { // which every user may read
		if _, err := s.user(ctx, denied.Op); !errors.Is(err, ErrNotLoggedIn) {
			return denied
		}
	}
	return &PermissionError{APIError: denied.APIError, notLoggedIn: true}
}

// ExecutorGet starts a flow, or goes on with the one that the session runs, and
// returns the challenge of its present stage. A flow of another slug ends the
// flow before.
//
//	GET /flows/executor/{slug}/?query={query}
//
// query is what a browser would have in the URL of the flow, such as next; nil
// is an empty one. Send the same query with each request of a flow.
//
// ExecutorGet requests again while authentik redirects to the same flow, up to
// 64 times, because stages without a challenge do so. A request has effects: a
// stage may send an email, or log the user in.
//
// Requires no permission. Policies of the flow decide.
//
// Errors: [ArgumentError] for an empty slug; [APIError], which is [ErrNotFound]
// if there is no such flow, and for a redirect to elsewhere; [ErrFlowStuck];
// [RequestError]; [DecodeError]. The ends of a flow are challenges:
// [challenge.Redirect], [challenge.AccessDenied], [challenge.FlowError].
//
// https://api.goauthentik.io/reference/flows-executor-get/
func (s *Session) ExecutorGet(ctx context.Context, slug string, query url.Values) (challenge.Challenge, error) {
	const op = "ExecutorGet"
	return inTurn(ctx, s, op, func() (challenge.Challenge, error) { return s.look(ctx, op, slug, query) })
}

// ExecutorSolve sends the response to a challenge, and returns the next one. If the
// server rejects the response, ExecutorSolve returns the same challenge again with
// the reasons in its Errors, and no error. [Session.Run] returns an error then.
//
//	POST /flows/executor/{slug}/?query={query}
//
// ExecutorSolve sends a response at most once. If the outcome is unknown,
// ExecutorSolve requests the present challenge. The challenge of another stage
// proves that the server has accepted the response, and is returned. Otherwise
// the error is [ErrPerhapsDone]. An [EmailLink] is requested instead of sent.
//
// Requires no permission.
//
// Errors: those of [Session.ExecutorGet]; [ArgumentError] also for a response
// that is nil or that encoding/json cannot encode; [ErrPerhapsDone].
//
// https://api.goauthentik.io/reference/flows-executor-solve/
func (s *Session) ExecutorSolve(
	ctx context.Context, slug string, query url.Values, response challenge.Response,
) (challenge.Challenge, error) {
	const op = "ExecutorSolve"
	return inTurn(ctx, s, op, func() (challenge.Challenge, error) { return s.solve(ctx, op, slug, query, response) })
}

// look returns the present challenge.
func (s *Session) look(ctx context.Context, op, slug string, query url.Values) (challenge.Challenge, error) {
	for range maxSteps {
		c, err := call(ctx, s.client, s.executor(get, op, slug, query), nil, shown)
		if err != nil {
			return nil, err
		}
		if !s.goesOn(slug, c) {
			return s.show(slug, c), nil
		}
	}
	return nil, fmt.Errorf("authentik: %s: %w: %d redirects without a challenge", op, ErrFlowStuck, maxSteps)
}

// solve sends a response and returns the next challenge.
func (s *Session) solve(
	ctx context.Context, op, slug string, query url.Values, response challenge.Response,
) (challenge.Challenge, error) {
	if isNil(response) {
		return nil, &ArgumentError{op, "response", "must not be nil"}
	}
	if link, ok := responseAs[EmailLink](response); ok {
		target, err := link.parse(op)
		if err != nil {
			return nil, err
		}
		return s.look(ctx, op, cmp.Or(target.slug, slug), target.query)
	}
	o := s.executor(post, op, slug, query).withJSON("response", response)
	s.remember(o.body)
	before := *s.shown
	c, err := call(ctx, s.client, o, nil, shown)
	switch {
	case errors.Is(err, ErrPerhapsDone):
		now, failed := s.look(ctx, op, slug, query)
		if failed != nil || *s.shown == before || before == [sha256.Size]byte{} {
			return nil, err
		}
		return now, nil
	case err != nil:
		return nil, err
	case s.goesOn(slug, c): // accepted
		return s.look(ctx, op, slug, query)
	}
	return s.show(slug, c), nil
}

// goesOn reports whether a response only says that the stage has ended: a 302
// to the executor, or a challenge that redirects there. authentik sends that
// challenge where a proxy has written the query in another way.
func (s *Session) goesOn(slug string, c challenge.Challenge) bool {
	if c == nil {
		return true
	}
	redirect, ok := c.(*challenge.Redirect)
	if !ok {
		return false
	}
	path, _ := s.own(redirect.To)
	return strings.HasSuffix(path, apiPath+"flows/executor/"+slug+"/")
}

// own returns the path and the query of a URL of this server, and no path for the
// URL of another one.
func (s *Session) own(to string) (path string, query url.Values) {
	u, err := url.Parse(to)
	if err != nil || u.Host != "" && !sameHost(u, &s.client.base) {
		return "", nil
	}
	return u.Path, u.Query()
}

// sameHost compares hosts as browsers do. A URL without a scheme has the scheme of
// base.
func sameHost(u, base *url.URL) bool {
	port := func(u *url.URL) string {
		return cmp.Or(u.Port(), map[string]string{"http": "80", "https": "443"}[cmp.Or(u.Scheme, base.Scheme)])
	}
	return strings.EqualFold(u.Hostname(), base.Hostname()) && port(u) == port(base)
}

// show remembers which stage a challenge belongs to.
func (s *Session) show(slug string, c challenge.Challenge) challenge.Challenge {
	*s.shown = sha256.Sum256([]byte(slug + " " + stageOf(c)))
	return c
}

// stageOf identifies the stage of a challenge, as far as the challenge shows.
func stageOf(c challenge.Challenge) string {
	switch c := c.(type) {
	case *challenge.Prompt:
		var id strings.Builder
		id.WriteString(c.Component())
		for _, field := range c.Fields {
			id.WriteString(" " + field.FieldKey)
		}
		return id.String()
	case *challenge.Dummy:
		return c.Component() + " " + c.Name
	}
	return c.Component()
}

// remember redacts the texts and the numbers of a response from errors and logs,
// except for components, which are not the user's.
func (s *Session) remember(body []byte) {
	// encoding/json lets a MarshalJSON of the caller's repeat keys and write invalid UTF-8.
	d := jsontext.NewDecoder(bytes.NewBuffer(body), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	for component := false; ; {
		token, err := d.ReadToken()
		if err != nil {
			return // the end, because encoding/json has accepted body
		}
		if in, length := d.StackIndex(d.StackDepth()); in == '{' && length%2 == 1 { // a key
			component = token.String() == "component"
			continue
		}
		if kind := token.Kind(); !component && (kind == '"' || kind == '0') {
			s.client.transport.Remember(token.String())
		}
		component = false
	}
}

// executor returns a request to the executor of a flow. The values of the query,
// such as the token of an invitation, are redacted from errors and logs.
func (s *Session) executor(
	method func(name, path string, args ...argument) operation, op, slug string, query url.Values,
) operation {
	for name, values := range query {
		for _, value := range values {
			if name != "next" { // whose value is a path, which an error may name
				s.client.transport.Remember(value)
			}
		}
	}
	o := method(op, "flows/executor/{slug}/", arg("slug", slug))
	o.query = url.Values{"query": {query.Encode()}}
	path := apiPath + o.path
	o.accept = func(resp *http.Response) bool {
		// Only the path counts: behind a proxy, authentik may know another host
		// and no prefix. No redirect is followed.
		if resp.StatusCode != http.StatusFound {
			return false
		}
		location, err := url.Parse(resp.Header.Get("Location"))
		return err == nil && strings.HasSuffix(location.EscapedPath(), path)
	}
	return o
}

// shown reads a challenge, which is nil for a redirect to the executor. Then the
// stage has ended, and the caller must request the next one.
func shown(resp *transport.Response) (challenge.Challenge, error) {
	if resp.StatusCode == http.StatusFound {
		return nil, nil //nolint:nilnil // see above
	}
	if err := cmp.Or(status(resp, http.StatusOK), isJSON(resp)); err != nil {
		return nil, err
	}
	return challenge.Decode(resp.Body)
}

// inTurn calls f while no other executor request of the session is under way.
func inTurn[T any](ctx context.Context, s *Session, op string, f func() (T, error)) (none T, err error) {
	if err := s.check(ctx, op); err != nil {
		return none, err
	}
	if err := acquire(ctx, op, s.turn); err != nil {
		return none, err
	}
	defer func() { <-s.turn }()
	return f()
}

// check rejects a session that NewSession did not make, and a nil context.
func (s *Session) check(ctx context.Context, op string) error {
	switch {
	case s == nil || s.client == nil:
		return &ArgumentError{op, "Session", "must be made by NewSession"}
	case ctx == nil:
		return &ArgumentError{op, "ctx", "must not be nil"}
	}
	return nil
}

// acquire waits until lock is empty, and fills it, unless the context ends first.
func acquire(ctx context.Context, op string, lock chan struct{}) error {
	select {
	case lock <- struct{}{}:
		return nil
	case <-ctx.Done():
		return &RequestError{Op: op, Err: context.Cause(ctx)}
	}
}

// maxCookies is the number of cookies that RFC 6265 requires a browser to keep for
// one host.
const maxCookies = 50

// maxCookieAge is how long a browser keeps a cookie at most, in seconds.
const maxCookieAge = 400 * 24 * 60 * 60

// cookieJar holds the cookies of one server by name. The jar of net/http also
// compares paths, which is wrong behind a proxy that strips a prefix. The fields
// are closures, because a field of any other type can be printed by reflection.
type cookieJar struct {
	get    func() []*http.Cookie // sorted by name
	set    func(*http.Cookie)
	has    func(name string) bool
	forget func(names ...string)
}

func newCookieJar() cookieJar {
	var mu sync.Mutex
	jar := map[string]*http.Cookie{}
	get := func() (cookies []*http.Cookie) {
		mu.Lock()
		defer mu.Unlock()
		now := time.Now()
		for _, name := range slices.Sorted(maps.Keys(jar)) {
			if c := *jar[name]; !expired(&c, now) {
				cookies = append(cookies, &c)
			}
		}
		return cookies
	}
	return cookieJar{
		get: get,
		set: func(c *http.Cookie) {
			mu.Lock()
			defer mu.Unlock()
			now := time.Now()
			kept := *c //nolint:gosec // the attributes are the server's
			if c.MaxAge > 0 {
				age := time.Duration(min(c.MaxAge, maxCookieAge)) * time.Second
				kept.Expires, kept.MaxAge = now.Add(age), 0
			}
			delete(jar, c.Name)
			maps.DeleteFunc(jar, func(_ string, c *http.Cookie) bool { return expired(c, now) })
			if c.MaxAge >= 0 && len(jar) < maxCookies {
				jar[c.Name] = &kept
			}
		},
		has: func(name string) bool {
			return slices.ContainsFunc(get(), func(c *http.Cookie) bool { return c.Name == name })
		},
		forget: func(names ...string) {
			mu.Lock()
			defer mu.Unlock()
			for _, name := range names {
				delete(jar, name)
			}
		},
	}
}

func expired(c *http.Cookie, now time.Time) bool { return !c.Expires.IsZero() && !c.Expires.After(now) }
