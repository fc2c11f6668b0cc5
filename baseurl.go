package authentik

import (
	"errors"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// parseBaseURL returns the URL of the API. Its errors do not repeat the input,
// which may hold a password.
func parseBaseURL(raw string, insecure bool) (*url.URL, error) {
	if err := checkText(raw); err != nil {
		return nil, err
	}
	_, rest, _ := strings.Cut(raw, "://")
	authority, _, _ := strings.Cut(rest, "/")
	switch {
	case placeholder.MatchString(authority):
		return nil, errPlaceholder
	case strings.ContainsFunc(raw, invisible):
		return nil, errors.New("must not have a character that cannot be seen, " +
			"such as a tab, a line break or a byte order mark")
	case strings.ContainsFunc(raw, unicode.IsSpace):
		return nil, errors.New("must not have a space")
	case strings.Contains(rest, "://"):
		return nil, errors.New("must be one URL, with :// once")
	}
	u, err := url.Parse(raw)
	if err != nil { // the error quotes the input
		return nil, errors.New("must be a URL such as https://sso.example.com")
	}
	switch {
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, errors.New("must begin with https://")
	case u.User != nil:
		return nil, errors.New("must not have a user or a password: authentik requires a token")
	case u.Hostname() == "":
		return nil, errors.New("must have a host")
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(raw, "#"):
		return nil, errors.New("must not have a query or a fragment: use the root of the server")
	}
	if _, port, ok := strings.Cut(u.Host[strings.LastIndexByte(u.Host, ']')+1:], ":"); ok {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return nil, errors.New("must have a port from 1 to 65535")
		}
	}
	if u.Scheme == "http" && !insecure && !loopback(u.Hostname()) {
		return nil, errors.New("must not be http://, " +
			"which lets anyone on the network path read the token: use https:// or WithInsecureHTTP")
	}
	path := strings.TrimRight(u.EscapedPath(), "/")
	path = strings.TrimRight(strings.TrimSuffix(path, strings.TrimSuffix(apiPath, "/")), "/")
	if path != "" {
		path = strings.TrimPrefix(path, "/")
		if err := checkPath(path); err != nil {
			return nil, err
		}
		path = "/" + path
	}
	if strings.Contains(path+"/", apiPath) {
		return nil, errors.New("must not go on after /api/v3: use the root of the server")
	}
	return withPath(url.URL{Scheme: u.Scheme, Host: u.Host}, path+apiPath), nil
}

// invisible reports characters that an editor or a clipboard adds unseen. Two of
// their kind are part of words in some scripts.
func invisible(r rune) bool {
	const nonJoiner, joiner = '\u200c', '\u200d'
	return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) && r != nonJoiner && r != joiner
}

func loopback(host string) bool {
	if strings.EqualFold(strings.TrimSuffix(host, "."), "localhost") {
		return true
	}
	ip, _ := netip.ParseAddr(host) // the zero Addr of a name is no loopback
	return ip.Unmap().IsLoopback()
}

// checkPath rejects an escaped path, without a slash at its ends, that a server
// or a proxy might interpret as another one.
func checkPath(path string) error {
	for segment := range strings.SplitSeq(path, "/") {
		text, err := url.PathUnescape(segment)
		switch {
		case err != nil:
			return errors.New("must not have a malformed % escape")
		case text == "":
			return errors.New("must not have an empty segment")
		case text == "." || text == ".." || strings.ContainsAny(text, `/\`):
			return errors.New(`must not have a segment that is "." or "..", or that has a slash in it`)
		case strings.ContainsFunc(text, unicode.IsControl) || !utf8.ValidString(text):
			return errors.New("must be valid UTF-8 without control characters")
		}
	}
	return nil
}

// withPath sets an escaped path that checkPath has accepted.
func withPath(u url.URL, escaped string) *url.URL {
	u.Path, _ = url.PathUnescape(escaped) // checked
	u.RawPath = escaped                   // url.URL ignores it if Path is equivalent
	return &u
}
