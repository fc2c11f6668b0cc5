package authentiktest

import (
	"fmt"
	"net/http"
	"slices"
	"time"
)

// Proxy is a kind of proxy in front of authentik. [Server.Behind] makes it
// respond in the place of authentik.
type Proxy int

// The proxies, and their responses while authentik is down. None of the
// responses has X-authentik-id.
const (
	// Router is authentik's own router, whose response is that of
	// [Server.Starting].
	Router Proxy = iota + 1
	// Nginx responds with status 502 and a page.
	Nginx
	// HAProxy responds with status 503 and a page.
	HAProxy
	// Traefik responds with status 502 and a text.
	Traefik
	// TraefikWithoutRoute responds with status 404 and a text: Traefik forgets
	// the route to a container that is not healthy.
	TraefikWithoutRoute
	// Cloudflare responds with status 521 and a text.
	Cloudflare
	// CloudflareTunnel responds with status 530 and a text.
	CloudflareTunnel
)

// String returns the name of the constant.
func (p Proxy) String() string {
	if p < 1 || int(p) > len(proxies) {
		return fmt.Sprintf("Proxy(%d)", int(p))
	}
	return proxies[p-1].name
}

// proxies are what the proxies respond with, in the order of the constants. Of
// nginx 1.22 and HAProxy 2.6 the responses were recorded.
var proxies = []struct {
	name   string
	status int
	header http.Header
	body   string
}{
	{name: "Router"}, // see startingAnswer
	{"Nginx", http.StatusBadGateway, http.Header{
		"Server": {"nginx/1.22.1"}, "Content-Type": {"text/html"},
	}, "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n" +
		"<hr><center>nginx/1.22.1</center>\r\n</body>\r\n</html>\r\n"},
	{"HAProxy", http.StatusServiceUnavailable, http.Header{
		"Cache-Control": {"no-cache"}, "Content-Type": {"text/html"},
	}, "<html><body><h1>503 Service Unavailable</h1>\nNo server is available to handle this request.\n</body></html>\n"},
	{"Traefik", http.StatusBadGateway, http.Header{
		"Content-Type": {"text/plain; charset=utf-8"},
	}, "Bad Gateway"},
	{"TraefikWithoutRoute", http.StatusNotFound, http.Header{
		"Content-Type": {"text/plain; charset=utf-8"}, "X-Content-Type-Options": {"nosniff"},
	}, "404 page not found\n"},
	{"Cloudflare", 521, cloudflareHeader, "error code: 521"},
	{"CloudflareTunnel", 530, cloudflareHeader, "error code: 1033"},
}

var cloudflareHeader = http.Header{
	"Server": {"cloudflare"}, "Cf-Ray": {"8c2f4e6a8b0d1f3a-FRA"}, "Content-Type": {"text/plain; charset=UTF-8"},
	"Cache-Control":   {"private, max-age=0, no-store, no-cache, must-revalidate, post-check=0, pre-check=0"},
	"Expires":         {"Thu, 01 Jan 1970 00:00:01 GMT"},
	"Referrer-Policy": {"same-origin"}, "X-Frame-Options": {"SAMEORIGIN"},
}

// behind sets up what a proxy responds with from now on, for d.
func (s scope) behind(p Proxy, d time.Duration) {
	s.server.t.Helper()
	f := &fault{call: fmt.Sprintf("Behind(%v, %v)", p, d), until: time.Now().Add(d)}
	if p < 1 || int(p) > len(proxies) {
		s.server.misuse("%s: there is no such proxy", f.call)
		return
	}
	f.instead = func(q request) outcome {
		if p == Router {
			return s.server.sent(q.rules.startingAnswer(acceptsExactlyJSON(q)))
		}
		sent := proxies[p-1]
		return outcome{status: sent.status, header: sent.header.Clone(), body: []byte(sent.body), cut: -1}
	}
	s.forTime(f, d)
}

// forTime sets up a fault of all requests before its end.
func (s scope) forTime(f *fault, d time.Duration) {
	if d <= 0 {
		s.server.t.Helper()
		s.server.misuse("%s: the time must be positive", f.call)
		return
	}
	s.set(f, func(all *faults) {
		all.windows = slices.DeleteFunc(all.windows, func(f *fault) bool { return f.met && f.ended() })
		all.windows = append(all.windows, f)
	})
}

func (f *fault) ended() bool { return !time.Now().Before(f.until) }
