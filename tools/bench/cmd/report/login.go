package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"strconv"
	"strings"
	"time"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/internal/testkit/recording"
)

// A recorded login of two stages: identification and password. The last two
// requests end the flow, and who has logged in is read after it.
const (
	loginSlug     = "default-authentication-flow"
	loginUser     = "alice"
	loginPassword = "alice-pw-123"
	loginRequests = 7
	bareLoop      = "a bare loop"
)

var errLogin = errors.New("somebody else has logged in")

// logins are the exchanges of the recorded login. The session's cookie counts
// them, so that the server needs no memory.
type logins struct{ exchanges []recording.Exchange }

func (l *logins) learn(exchanges []recording.Exchange) error {
	for _, e := range exchanges {
		if strings.HasPrefix(e.ID, "x_login_ok_") || e.ID == "x_login_me" {
			l.exchanges = append(l.exchanges, e)
		}
	}
	if len(l.exchanges) != loginRequests {
		return fmt.Errorf("%d requests of a login, want %d", len(l.exchanges), loginRequests)
	}
	return nil
}

// serve answers the request that is due. A redirect goes to where the request
// went.
func (l *logins) serve(w http.ResponseWriter, r *http.Request) {
	step := 0
	if cookie, err := r.Cookie("authentik_session"); err == nil {
		if _, err := fmt.Sscanf(cookie.Value, "step-%d", &step); err != nil {
			step = loginRequests
		}
	}
	if step >= loginRequests || l.exchanges[step].Request.Method != r.Method ||
		r.Method == http.MethodPost && !l.answers(step, r.Body) {
		http.Error(w, "this request is not due", http.StatusBadRequest)
		return
	}
	response := l.exchanges[step].Response
	for _, h := range response.Headers {
		switch h[0] {
		case "Location":
			w.Header().Set("Location", r.URL.RequestURI())
		case "Set-Cookie", "Content-Length", "Date":
		default:
			w.Header().Add(h[0], h[1])
		}
	}
	http.SetCookie(w, &http.Cookie{Name: "authentik_session", Value: fmt.Sprintf("step-%d", step+1), Path: "/", HttpOnly: true})
	w.WriteHeader(response.Status)
	_, _ = w.Write(response.Body()) // a client that has gone needs none
}

// answers reports whether a body answers the challenge that was shown.
func (l *logins) answers(step int, body io.Reader) bool {
	var sent, want map[string]any
	text, ok := l.exchanges[step].Request.Body.(string)
	if !ok || json.Unmarshal([]byte(text), &want) != nil || json.NewDecoder(body).Decode(&sent) != nil {
		return false
	}
	for key := range want {
		if sent[key] != want[key] {
			return false
		}
	}
	return true
}

// oursLogin logs in with a new session over a transport that is kept.
func oursLogin(url string, via http.RoundTripper) func(context.Context) error {
	return func(ctx context.Context) error {
		session, err := authentik.NewSession(url, authentik.WithHTTPClient(&http.Client{Transport: via}))
		if err != nil {
			return err
		}
		user, err := session.Login(ctx, loginSlug, authentik.Credentials{Username: loginUser, Password: loginPassword})
		if err == nil && user.Username != loginUser {
			err = errLogin
		}
		return err
	}
}

// bareLogin is what a user of net/http writes who knows what the server shows.
func bareLogin(url string, via http.RoundTripper) func(context.Context) error {
	executor := url + "/api/v3/flows/executor/" + loginSlug + "/?query="
	return func(ctx context.Context) error {
		jar, err := cookiejar.New(nil)
		if err != nil {
			return err
		}
		web := &http.Client{Transport: via, Jar: jar}
		var shown struct{ Component string }
		for {
			if err := exchange(ctx, web, http.MethodGet, executor, nil, &shown); err != nil {
				return err
			}
			var response map[string]string
			switch shown.Component {
			case "ak-stage-identification":
				response = map[string]string{"component": shown.Component, "uid_field": loginUser}
			case "ak-stage-password":
				response = map[string]string{"component": shown.Component, "password": loginPassword}
			case "xak-flow-redirect":
				var me struct{ User struct{ Username string } }
				err := exchange(ctx, web, http.MethodGet, url+"/api/v3/core/users/me/", nil, &me)
				if err == nil && me.User.Username != loginUser {
					err = errLogin
				}
				return err
			default:
				return fmt.Errorf("unknown challenge %q", shown.Component)
			}
			body, err := json.Marshal(response)
			if err != nil {
				return err
			}
			if err := exchange(ctx, web, http.MethodPost, executor, body, nil); err != nil {
				return err
			}
		}
	}
}

// exchange sends a request and decodes its response. Of a response that is not
// decoded, only that it is a redirect counts, which is not followed.
func exchange(ctx context.Context, web *http.Client, method, url string, sent []byte, into any) error {
	request, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(sent))
	if err != nil {
		return err
	}
	once := *web
	if into == nil {
		request.Header.Set("Content-Type", "application/json")
		once.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	response, err := once.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close() //nolint:errcheck // it is read to its end
	body, err := io.ReadAll(response.Body)
	switch {
	case err != nil:
		return err
	case into == nil && response.StatusCode == http.StatusFound:
		return nil
	case into == nil || response.StatusCode != http.StatusOK:
		return fmt.Errorf("%s: %s", method, response.Status)
	}
	return json.Unmarshal(body, into)
}

func (b *bench) login(ctx context.Context) error {
	t := b.section("Log in",
		fmt.Sprintf("A login of two stages, identification and password, and who has logged in: P50 of %d logins a turn, each with a new session over a connection that is kept. "+
			"The server answers as 2026.8.0-rc1 was recorded. The ratio is to a loop with `net/http`, `cookiejar` and `encoding/json` that knows these two challenges. "+
			"The official client does not keep cookies, nor answer challenges: it leaves the loop to its user.", b.requests),
		"", ours, bareLoop)
	url := b.at(versions[1], 1, time.Duration(0))
	var runners []runner
	requests := row{"requests"}
	for _, one := range []struct {
		name string
		of   func(string, http.RoundTripper) func(context.Context) error
	}{{ours, oursLogin}, {bareLoop, bareLogin}} {
		count := &counter{next: http.DefaultTransport}
		if err := one.of(url, count)(ctx); err != nil {
			return fmt.Errorf("%s: %w", one.name, err)
		}
		requests = append(requests, strconv.FormatInt(count.n.Load(), 10))
		if one.name == ours {
			b.atMost("login of two stages", " requests", loginRequests, float64(count.n.Load()))
		}
		login := one.of(url, http.DefaultTransport)
		runners = append(runners, runner{one.name, p50(b.requests, func() error { return login(ctx) })})
	}
	got, err := alternate(b.calls, runners...)
	if err != nil {
		return err
	}
	t.compare("time", got, bareLoop)
	t.add(requests)
	b.atMost("login of two stages: P50 of a bare loop", "×", 1.15, median(named(got, ours).ratios(named(got, bareLoop))))
	return nil
}
