package transport

import (
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
)

// The errors of gateways, load balancers and servers, in their own forms.
// A text is cut between two characters.
func TestTruncate(t *testing.T) {
	t.Parallel()
	exact := strings.Repeat("x", maxReason)
	assert.Equal(t, exact, truncate(exact))
	assert.Equal(t, exact+"…", truncate(exact+"y"))
	assert.Equal(t, exact[2:]+"…", truncate(exact[2:]+"€ and more"))
}

func TestReason_OfKnownSenders(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		status int
		body   string
		want   string
		header http.Header
	}{
		{name: "nothing", status: 502},
		{name: "Kong", status: 401, body: `{"message":"No API key found in request","request_id":"9d0d"}`, want: "No API key found in request"},
		{name: "AWS", status: 403, body: `{"Message":"User is not authorized","__type":"x"}`, want: "User is not authorized"},
		{name: "AWS, no more than the status", status: 403, body: `{"message":"Forbidden"}`},
		{name: "Azure", status: 401, body: `{"statusCode":401,"message":"Missing subscription key."}`, want: "Missing subscription key."},
		{
			name: "Google", status: 403, body: `{"error":{"code":403,"message":"Permission denied","status":"PERMISSION_DENIED"}}`,
			want: "Permission denied",
		},
		{
			name: "Cloudflare", status: 403, body: `{"success":false,"errors":[{"code":1010,"message":"banned"},{"message":"again"}]}`,
			want: "banned; again",
		},
		{name: "RFC 9457", status: 403, body: `{"type":"about:blank","title":"Blocked","status":403,"detail":"Rule 7"}`, want: "Blocked: Rule 7"},
		{name: "RFC 9457, title", status: 403, body: `{"title":"Blocked by WAF","status":403}`, want: "Blocked by WAF"},
		{name: "RFC 9457, status as title", status: 403, body: `{"title":"Forbidden","detail":"Rule 7"}`, want: "Rule 7"},
		{name: "Spring", status: 404, body: `{"status":404,"error":"Not Found","message":"No route for /api"}`, want: "No route for /api"},
		{name: "Spring, no message", status: 404, body: `{"status":404,"error":"Not Found","message":""}`},
		{name: "OAuth", status: 401, body: `{"error":"invalid_token","error_description":"The token expired"}`, want: "The token expired"},
		{name: "Apigee", status: 401, body: `{"fault":{"faultstring":"Invalid ApiKey","detail":{"errorcode":"x"}}}`, want: "Invalid ApiKey"},
		{name: "Vault", status: 403, body: `{"errors":["permission denied"]}`, want: "permission denied"},
		{name: "Tyk", status: 403, body: `{"error":"Access disallowed"}`, want: "Access disallowed"},
		{name: "Elastic", status: 503, body: `{"error":{"root_cause":[],"reason":"no shard"}}`, want: "no shard"},
		{name: "unknown keys", status: 403, body: "{\n \"rule\": 7 }", want: `{ "rule": 7 }`},
		{name: "too deep", status: 403, body: `{"error":{"error":{"error":{"error":{"error":"x"}}}}}`, want: `{"error":{"error":{"error":{"error":{"error":"x"}}}}}`},
		{name: "a number", status: 403, body: "7", want: "7"},
		{name: "nginx", status: 502, body: page("502 Bad Gateway", "<center><h1>502 Bad Gateway</h1></center><hr><center>nginx/1.22.1</center>"), header: http.Header{"Server": {"nginx/1.22.1"}}},
		{
			name: "nginx, large token", status: 400, body: page("400 Request Header Or Cookie Too Large", "<h1>400 Bad Request</h1>"),
			want: "Request Header Or Cookie Too Large",
		},
		{
			name: "haproxy", status: 503, body: "<html><body><h1>503 Service Unavailable</h1>\nNo server is available to handle this request.\n</body></html>",
			want: "No server is available to handle this request.",
		},
		{
			name: "Apache", status: 400, body: page("400 Bad Request", "<h1>Bad Request</h1><p>Reason: You're speaking plain HTTP to an SSL-enabled server port.<br />"),
			want: "Reason: You're speaking plain HTTP to an SSL-enabled server port.",
		},
		{name: "IIS", status: 503, body: page("Service Unavailable", "<h2>Service Unavailable</h2><hr><p>HTTP Error 503. The service is unavailable.</p>"), want: "The service is unavailable."},
		{name: "Cloudflare's page", status: 502, body: page("sso.example.com | 502: Bad gateway", ""), want: "sso.example.com | 502: Bad gateway"},
		{name: "a title in capitals and entities", status: 403, body: "<HTML><TITLE>\n Tom &amp; Jerry&#39;s </TITLE>", want: "Tom & Jerry's"},
		{name: "scripts and comments", status: 403, body: "<!-- a --><script>b</script><STYLE>c</style ><p>Blocked <b>here</b></p>", want: "Blocked here"},
		{name: "an open script", status: 403, body: "<p>Blocked<script>b", want: "Blocked"},
		{name: "a title of an error", status: 403, body: page("Error", "Request blocked."), want: "Request blocked."},
		{name: "S3", status: 403, body: `<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>No.</Message></Error>`, want: "AccessDenied No."},
		{name: "Traefik", status: 404, body: "404 page not found\n", want: "page not found"},
		{name: "Traefik, no server", status: 503, body: "no available server\n", want: "no available server"},
		{name: "Traefik, no more than the status", status: 502, body: "Bad Gateway"},
		{name: "Kubernetes", status: 404, body: "default backend - 404", want: "default backend - 404"},
		{name: "Go", status: 400, body: "Client sent an HTTP request to an HTTPS server.\n", want: "Client sent an HTTP request to an HTTPS server."},
		{name: "an image", status: 404, body: "GIF89a", header: http.Header{"Content-Type": {"image/gif"}}},
		{name: "JSON that is cut", status: 404, body: `{"message":"No`, header: http.Header{"Content-Type": {"application/json"}}, want: `{"message":"No`},
		{name: "Basic", status: 401, header: http.Header{"Www-Authenticate": {`Basic realm="Restricted \"A\"", charset="UTF-8"`}}, want: `requires Basic authentication for realm "Restricted \"A\""`},
		{
			name: "Bearer", status: 401, body: page("401 Authorization Required", ""), want: "Authorization Required; requires Bearer authentication: expired",
			header: http.Header{"Www-Authenticate": {`Bearer realm="x", error=invalid_token, error_description="expired"`}},
		},
		{name: "Bearer, error", status: 401, header: http.Header{"Www-Authenticate": {"Bearer error=invalid_token", "Negotiate", " "}}, want: "requires Bearer authentication: invalid_token; requires Negotiate authentication"},
		{name: "brotli", status: 502, body: "\x00\x01", header: http.Header{"Content-Encoding": {"br"}}, want: "the body is encoded as br, which was not requested"},
		{name: "a charset for an encoding", status: 403, body: `{"message":"Rule 7"}`, header: http.Header{"Content-Encoding": {"UTF-8"}}, want: "Rule 7"},
		{name: "no encoding", status: 403, body: page("Rule 7", ""), header: http.Header{"Content-Encoding": {"none"}}, want: "Rule 7"},
		{name: "nothing that is encoded", status: 403, header: http.Header{"Content-Encoding": {"br"}}, want: "the body is encoded as br, which was not requested"},
		{name: "text of no type", status: 403, body: "Rule 7", header: http.Header{"Content-Type": {"application/octet-stream"}}, want: "Rule 7"},
		{name: "bytes of no type", status: 403, body: "Rule\x00 7", header: http.Header{"Content-Type": {"application/octet-stream"}}},
		{name: "HAL", status: 404, body: `{"_embedded":{"errors":[{"message":"No tenant"}]},"message":"Not Found"}`, want: "No tenant"},
		{name: "further in", status: 403, body: `{"meta":{"status":{"message":"Suspended"}},"code":7}`, want: "Suspended"},
		{
			name: "Google's load balancer", status: 502, body: page("502 Server Error", "<h1>Error: Server Error</h1><h2>A temporary error.</h2>"),
			want: "Server Error A temporary error.",
		},
		{name: "bytes of an image", status: 502, body: "\x00\x01", header: http.Header{"Content-Encoding": {"identity"}, "Content-Type": {"image/gif"}}},
		{name: "text of a type of XML", status: 403, body: "AccessDenied", header: http.Header{"Content-Type": {"application/xml"}}, want: "AccessDenied"},
		{name: "the next one says more", status: 403, body: `{"a":{"message":"Forbidden"},"b":{"message":"Suspended"}}`, want: "Suspended"},
		{name: "a comment with a bracket", status: 403, body: "<!-- if a > b --><p>Blocked", want: "Blocked"},
		{name: "a script with brackets", status: 403, body: "<script>if (a<b && c>d) x()</script><p>Blocked", want: "Blocked"},
		{name: "a word that begins as the status", status: 403, body: "Forbiddens are here", want: "Forbiddens are here"},
		{name: "identity", status: 502, body: "no upstream", header: http.Header{"Content-Encoding": {"Identity"}}, want: "no upstream"},
	} {
		if c.header == nil {
			c.header = http.Header{}
		}
		assert.Equal(t, c.want, Reason(c.status, c.header, c.body), c.name)
	}
}

func page(title, body string) string {
	return "<html>\r\n<head><title>" + title + "</title></head>\r\n<body>" + body + "</body></html>\n"
}

// FuzzReason checks that the result is bounded, and valid UTF-8 for a valid input,
// and that no input causes a panic.
func FuzzReason(f *testing.F) {
	for _, seed := range []string{
		page("502 Bad Gateway", "x"), `{"error":{"message":"x"}}`, "plain", "<script>", "<!--", "<", "</title>", "<title>",
		strings.Repeat("<p>", 100), `["a",["b",{"title":"c","detail":"d"}]]`, "502 502 502", "\xff<",
	} {
		f.Add(502, seed, `Basic realm="x"`)
	}
	f.Fuzz(func(t *testing.T, status int, body, challenge string) {
		header := http.Header{"Www-Authenticate": {challenge, challenge, challenge, challenge}}
		text := Reason(status, header, body)
		assert.LessOrEqual(t, len(text), 4*(maxReason+8))
		if utf8.ValidString(body) && utf8.ValidString(challenge) {
			assert.True(t, utf8.ValidString(text), "%q", text)
		}
	})
}
