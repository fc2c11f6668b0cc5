package transport

import (
	"bytes"
	"cmp"
	"encoding/json"
	"html"
	"maps"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// EncodingError is the content encoding of a body that cannot be read.
type EncodingError string

func (e EncodingError) Error() string {
	return "the body is encoded as " + string(e) + ", which was not requested"
}

// CheckEncoding returns an EncodingError for a body that cannot be read. The
// requests of this library accept gzip only, which net/http decodes. A body that
// is text is not encoded, because some servers put a charset into the header.
func CheckEncoding(header http.Header, body []byte) error {
	encoding := strings.ToLower(strings.TrimSpace(strings.Join(header.Values("Content-Encoding"), ", ")))
	if encoding == "" || encoding == "identity" || isText(body) {
		return nil
	}
	return EncodingError(encoding)
}

// isText reports whether a body is text in UTF-8.
func isText(body []byte) bool {
	return len(body) > 0 && utf8.Valid(body) && !bytes.ContainsFunc(body, func(r rune) bool {
		return unicode.IsControl(r) && !strings.ContainsRune("\t\r\n\f", r)
	})
}

// Reason returns the cause that a response which is not authentik's gives, "" if
// the response says no more than its status. body is the redacted body.
func Reason(status int, header http.Header, body string) string {
	if err := CheckEncoding(header, []byte(body)); err != nil {
		return err.Error()
	}
	return JoinReasons(bodyReason(status, header, body), requiredAuth(header))
}

// JoinReasons joins the reasons that are not empty.
func JoinReasons(reasons ...string) string {
	return strings.Join(slices.DeleteFunc(slices.Clone(reasons), func(reason string) bool { return reason == "" }), "; ")
}

// bodyReason returns the cause that a body gives, as JSON, as a page or as a text.
func bodyReason(status int, header http.Header, body string) string {
	body = strings.TrimSpace(strings.TrimPrefix(body, "\ufeff"))
	var value any
	if json.Unmarshal([]byte(body), &value) == nil {
		text, known := message(value, status, 0)
		if !known {
			text = strings.Join(strings.Fields(body), " ")
		}
		return truncate(text)
	}
	mediaType, _, _ := mime.ParseMediaType(header.Get("Content-Type"))
	kind, _, _ := strings.Cut(mediaType, "/")
	switch {
	case strings.HasPrefix(body, "<"):
		return truncate(PageReason(status, header.Get("Server"), body))
	case kind == "text" || mediaType == "" || jsonOrXML(mediaType),
		mediaType == "application/octet-stream" && isText([]byte(body)):
		return truncate(withoutStatus(status, body))
	}
	return ""
}

func jsonOrXML(mediaType string) bool {
	return strings.HasSuffix(mediaType, "json") || strings.HasSuffix(mediaType, "xml")
}

// maxReason bounds the words of a proxy, in bytes.
const maxReason = 300

func truncate(text string) string {
	if len(text) <= maxReason {
		return text
	}
	cut := maxReason
	for !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + "…"
}

// messageKeys are the keys of messages in the JSON of gateways, the most specific
// first.
var messageKeys = []string{
	"message", "error_description", "errormessage", "error_message", "faultstring", "detail", "title",
	"description", "reason", "msg", "errors", "error", "fault", "exception",
}

// message returns the message in the JSON of a gateway, and whether the JSON has
// one of messageKeys. Keys are compared without regard to case.
func message(value any, status, depth int) (text string, known bool) {
	if depth > 4 {
		return "", false
	}
	switch value := value.(type) {
	case string:
		return withoutStatus(status, value), true
	case []any:
		var all []string
		for _, element := range value[:min(len(value), 3)] {
			t, k := message(element, status, depth+1)
			if known = known || k; t != "" {
				all = append(all, t)
			}
		}
		return strings.Join(all, "; "), known
	case map[string]any:
		return objectMessage(value, status, depth)
	}
	return "", false
}

// objectMessage is message for an object.
func objectMessage(object map[string]any, status, depth int) (text string, known bool) {
	lower := make(map[string]any, len(object))
	for key, value := range object {
		lower[strings.ToLower(key)] = value
	}
	for _, key := range messageKeys {
		t, k := message(lower[key], status, depth+1)
		known = known || k
		if t == "" {
			continue
		}
		if title, _ := lower["title"].(string); key == "detail" { // RFC 9457 has both
			if title = withoutStatus(status, title); title != "" {
				t = title + ": " + t
			}
		}
		return t, true
	}
	for _, key := range slices.Sorted(maps.Keys(lower)) { // the message may be in a nested value
		switch lower[key].(type) {
		case map[string]any, []any:
			if t, _ := message(lower[key], status, depth+1); t != "" {
				return t, true
			}
		}
	}
	return "", known
}

// PageReason returns the title of an HTML page, or its text if the title says
// nothing beyond the status. server is the Server header, which pages repeat.
func PageReason(status int, server, page string) string {
	title, text := pageText(page)
	if title = withoutStatus(status, title); title != "" && !slices.Contains(blandTitles, strings.ToLower(title)) {
		return title
	}
	text = withoutStatus(status, text)
	product, _, _ := strings.Cut(server, "/")
	if name, _, _ := strings.Cut(text, "/"); strings.EqualFold(name, product) {
		return ""
	}
	return text
}

// blandTitles say no more than a status does.
var blandTitles = []string{"error", "server error", "error page", "an error occurred", "oops"}

// pageText returns the title and the visible text of an HTML page, with spaces
// for tags.
func pageText(page string) (title, text string) {
	var titled, visible strings.Builder
	out := &visible
	for page != "" {
		before, tag, _ := strings.Cut(page, "<")
		out.WriteString(before)
		if strings.HasPrefix(tag, "!--") {
			_, page, _ = strings.Cut(tag, "-->")
			continue
		}
		name, rest, _ := strings.Cut(tag, ">")
		page = rest
		name, _, _ = strings.Cut(strings.ToLower(strings.TrimSpace(name)), " ")
		switch name {
		case "title":
			out = &titled
		case "/title":
			out = &visible
		case "script", "style", "template", "svg", "noscript":
			page = afterTag(page, "</"+name)
		default:
			out.WriteByte(' ')
		}
	}
	clean := func(b *strings.Builder) string {
		return strings.Join(strings.Fields(html.UnescapeString(b.String())), " ")
	}
	return clean(&titled), clean(&visible)
}

// afterTag returns what follows a closing tag, "" if there is none.
func afterTag(page, tag string) string {
	for at := 0; at+len(tag) <= len(page); at++ {
		if strings.EqualFold(page[at:at+len(tag)], tag) {
			_, rest, _ := strings.Cut(page[at:], ">")
			return rest
		}
	}
	return ""
}

// withoutStatus removes the status and its name from the beginning of a text,
// because the text of an error has them already.
func withoutStatus(status int, text string) string {
	text = strings.TrimSpace(text)
	for {
		rest := text
		for _, prefix := range []string{strconv.Itoa(status), http.StatusText(status), "HTTP Error", "Error:"} {
			if len(rest) >= len(prefix) && strings.EqualFold(rest[:len(prefix)], prefix) && wordEnds(rest[len(prefix):]) {
				rest = strings.TrimLeft(rest[len(prefix):], " \t\r\n:.,-–—|!")
			}
		}
		if rest == text {
			return text
		}
		text = rest
	}
}

// wordEnds reports whether a word ends before rest.
func wordEnds(rest string) bool {
	r, _ := utf8.DecodeRuneInString(rest)
	return rest == "" || strings.ContainsRune(" \t\r\n:.,-–—|!", r)
}

var challengeParameter = regexp.MustCompile(
	`(?i)\b(realm|error|error_description)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))`)

// requiredAuth returns the authentication that the WWW-Authenticate header
// requires.
func requiredAuth(header http.Header) string {
	var all []string
	values := header.Values("WWW-Authenticate")
	for _, value := range values[:min(len(values), 3)] {
		scheme, parameters, _ := strings.Cut(strings.TrimSpace(value), " ")
		if scheme = strings.TrimRight(scheme, ","); scheme == "" {
			continue
		}
		found := map[string]string{}
		for _, m := range challengeParameter.FindAllStringSubmatch(parameters, -1) {
			found[strings.ToLower(m[1])] = strings.ReplaceAll(m[2], `\"`, `"`) + m[3]
		}
		text := "requires " + scheme + " authentication"
		switch cause := cmp.Or(found["error_description"], found["error"]); {
		case cause != "":
			text += ": " + cause
		case found["realm"] != "":
			text += " for realm " + strconv.Quote(found["realm"])
		}
		all = append(all, truncate(text))
	}
	return strings.Join(all, "; ")
}
