package authentiktest_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"

	"github.com/seed-299d42e7/authentik-go/authentiktest"
)

// browser is a client with cookies that runs flows.
type browser struct {
	http.Client
	srv *authentiktest.Server
}

func newBrowser(srv *authentiktest.Server) *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		panic(err)
	}
	b := &browser{srv: srv}
	b.Jar, b.Transport = jar, srv
	b.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return b
}

// seen is a response.
type seen struct {
	Status        int    `json:"-"`
	Location      string `json:"-"`
	Body          string `json:"-"`
	Component     string
	To            string
	PendingUser   string                         `json:"pending_user"`
	ErrorMessage  string                         `json:"error_message"`
	Errors        map[string][]map[string]string `json:"response_errors"`
	Name          string
	ConfigURL     string `json:"config_url"`
	Codes, Detail any
	Token         string
	Fields        []map[string]any
	Devices       []map[string]any `json:"device_challenges"`
	Choices       []map[string]any `json:"configuration_stages"`
	FlowInfo      map[string]any   `json:"flow_info"`
}

// error returns the text of the first error of a field.
func (s seen) error(field string) string {
	if len(s.Errors[field]) == 0 {
		return ""
	}
	return s.Errors[field][0]["string"]
}

// send sends a request, with what authentik wants of a browser over https.
func (b *browser) send(method, path string, body any) seen {
	return b.sendWith(method, path, body, http.Header{
		"Referer": {b.srv.URL + "/"}, "X-Authentik-Csrf": {b.cookie("authentik_csrf")},
	})
}

func (b *browser) sendWith(method, path string, body any, header http.Header) seen {
	var text io.Reader = http.NoBody
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			panic(err)
		}
		text = strings.NewReader(string(encoded))
	}
	req, err := http.NewRequest(method, b.srv.URL+path, text)
	if err != nil {
		panic(err)
	}
	req.Header = header
	req.Header.Set("Content-Type", "application/json")
	resp, err := b.Do(req)
	if err != nil {
		panic(err)
	}
	got, err := io.ReadAll(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		panic(err)
	}
	s := seen{Status: resp.StatusCode, Location: resp.Header.Get("Location"), Body: string(got)}
	if err := json.Unmarshal(
		got,
		&s,
	); err != nil &&
		strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") {
		panic(fmt.Sprintf("%v: %s", err, got))
	}
	return s
}

func (b *browser) cookie(name string) string {
	to, err := url.Parse(b.srv.URL)
	if err != nil {
		panic(err)
	}
	for _, cookie := range b.Jar.Cookies(to) {
		if cookie.Name == name {
			return cookie.Value
		}
	}
	return ""
}

func executor(slug string) string { return "/api/v3/flows/executor/" + slug + "/?query=" }

// show returns the challenge of a flow.
func (b *browser) show(slug string) seen {
	for range 20 {
		if s := b.send(http.MethodGet, executor(slug), nil); s.Status != http.StatusFound {
			return s
		}
	}
	panic("the flow does not stop redirecting")
}

// solve responds to a challenge and returns what comes next.
func (b *browser) solve(slug string, response any) seen {
	if s := b.send(http.MethodPost, executor(slug), response); s.Status != http.StatusFound {
		return s
	}
	return b.show(slug)
}

type m = map[string]any

// logIn runs the default flow.
func (b *browser) logIn(username, password string) seen {
	const slug = "default-authentication-flow"
	b.show(slug)
	b.solve(slug, m{"uid_field": username})
	return b.solve(slug, m{"password": password})
}

// me returns the name of the user who is logged in, or "".
func (b *browser) me() string {
	s := b.send(http.MethodGet, "/api/v3/core/users/me/", nil)
	var body struct{ User struct{ Username string } }
	if err := json.Unmarshal([]byte(s.Body), &body); err != nil {
		panic(err)
	}
	return body.User.Username
}
