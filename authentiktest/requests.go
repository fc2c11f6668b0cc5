package authentiktest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Request is a request that the server received.
type Request struct {
	// Operation is the operationId, such as flows_instances_list, or "" if
	// the path and method are not an operation of the fake.
	Operation string
	Method    string
	Host      string
	// Path is escaped as it was sent.
	Path  string
	Query url.Values
	// Header has the request's header. Of Authorization only the scheme is
	// left, of Cookie only the names.
	Header http.Header
	// Body is the body up to 16 KiB. Passwords, codes and tokens in it are
	// replaced by [redacted].
	Body string
	// Status is the status of the response, or 0 if there was none.
	Status int
}

const (
	keptRequests = 10_000
	keptBody     = 16 << 10
)

// Requests returns the requests that the server received, oldest first. The server
// keeps the last 10,000.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

func (s *Server) record(q request, status int) {
	if len(s.requests) == keptRequests {
		s.requests = slices.Delete(s.requests, 0, keptRequests/10)
	}
	s.requests = append(s.requests, Request{
		q.operation, q.Method, q.host(), q.URL.EscapedPath(), q.URL.Query(),
		redactHeader(q.Header), s.redactBody(q.body), status,
	})
}

const redacted = "[redacted]"

func redactHeader(header http.Header) http.Header {
	header = header.Clone()
	for i, value := range header["Authorization"] {
		scheme, _, ok := strings.Cut(value, " ")
		if header["Authorization"][i] = redacted; ok {
			header["Authorization"][i] = scheme + " " + redacted
		}
	}
	for i, value := range header["Cookie"] {
		header["Cookie"][i] = cookieValue.ReplaceAllString(value, "="+redacted)
	}
	if header.Get(csrfHeader) != "" {
		header.Set(csrfHeader, redacted)
	}
	return header
}

const csrfHeader = "X-Authentik-Csrf"

var (
	cookieValue = regexp.MustCompile(`=[^;]*`)
	// secretKey matches the names whose values are secret.
	secretKey = regexp.MustCompile(`(?i)password|passwd|secret|token|^(.*_)?code$`)
	// jsonString matches a string, and the value after it if the string is the
	// key of one that is neither an object nor an array.
	jsonString = regexp.MustCompile(
		`("(?:[^"\\]|\\.)*")(?:(\s*:\s*)("(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*|true|false))?`)
	// secretText matches a secret of a form or of YAML.
	secretText = regexp.MustCompile(
		`(?im)([\w-]*(?:password|passwd|secret|token)[\w-]*|\b(?:\w*_)?code)(["']?\s*[=:]\s*)([^&\r\n]+)`)
)

// redactBody returns the body of a request as a test may see it.
func (s *Server) redactBody(body []byte) string {
	if len(body) == 0 {
		return ""
	}
	json := json.Valid(body)
	body = redactStrings(body)
	if !json {
		body = secretText.ReplaceAll(body, []byte("${1}${2}"+redacted))
	}
	for token := range s.store.users {
		body = bytes.ReplaceAll(body, []byte(token), []byte(redacted))
	}
	return string(body[:min(len(body), keptBody)])
}

// redactStrings replaces the values of the secret keys of a JSON text, and
// leaves the rest of the text as it is.
func redactStrings(text []byte) []byte {
	var edited []byte
	at := 0
	for _, m := range jsonString.FindAllSubmatchIndex(text, -1) {
		var key string
		if m[6] < 0 || json.Unmarshal(text[m[2]:m[3]], &key) != nil || !secretKey.MatchString(key) {
			continue
		}
		edited = append(append(edited, text[at:m[6]]...), `"`+redacted+`"`...)
		at = m[7]
	}
	return append(edited, text[at:]...)
}
