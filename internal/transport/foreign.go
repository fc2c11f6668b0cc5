package transport

import (
	"bytes"
	"encoding/json"
	"mime"
	"net/http"
	"slices"
	"strings"
)

// Foreign reports whether something in front of authentik sent the response: a
// proxy, a firewall, a login page. A response of authentik has a request ID, or
// the words of its router, or an error in the JSON of its API. A success is
// foreign only if it is an HTML page.
func (a *Answer) Foreign() bool {
	switch {
	case a.Header.Get(RequestIDHeader) != "", a.Starting:
		return false
	case a.OK:
		return a.isPage()
	default:
		return !fromRouter(a.Body) && !errorShape(a.StatusCode, a.Body)
	}
}

// fromRouter reports whether a body is one that authentik's router sends of its
// own.
func fromRouter(body []byte) bool {
	text := routerText(body)
	return strings.TrimSuffix(text, "...") == startingWords || strings.HasPrefix(text, failedWords)
}

// errorShape reports whether a body is an error as Django REST framework writes
// it: {"detail": "…"}, and with status 400 also messages by field, or messages
// alone. What gateways write has other keys, or bare texts by key.
func errorShape(status int, body []byte) bool {
	var value any
	if json.Unmarshal(body, &value) != nil {
		return false
	}
	if object, ok := value.(map[string]any); ok {
		_, detail := object["detail"].(string)
		for _, key := range []string{"detail", "code"} {
			if _, ok := object[key].(string); ok {
				delete(object, key)
			}
		}
		if detail && len(object) == 0 {
			return true
		}
	}
	return status == http.StatusBadRequest && messages(value)
}

// messages reports whether a value has texts in lists only, by field, at any
// depth.
func messages(value any) bool {
	switch value := value.(type) {
	case map[string]any:
		for _, element := range value {
			if !messages(element) {
				return false
			}
		}
		return len(value) > 0
	case []any:
		return len(value) > 0 && !slices.ContainsFunc(value, func(element any) bool {
			_, text := element.(string)
			object, isObject := element.(map[string]any)
			valid := isObject && len(object) == 0 // the element of a list that has no error
			return !text && !valid && !messages(element)
		})
	}
	return false
}

// isPage reports whether the body is an HTML page. The Content-Type alone does
// not make one, because authentik exports YAML as text/html, unless there is no
// body to look at.
func (a *Answer) isPage() bool {
	body := bytes.TrimSpace(bytes.TrimPrefix(a.Body, []byte("\ufeff")))
	if !a.Bodiless && !bytes.HasPrefix(body, []byte("<")) {
		return false
	}
	mediaType, _, _ := mime.ParseMediaType(a.Header.Get("Content-Type"))
	if mediaType == "text/html" || mediaType == "application/xhtml+xml" {
		return true
	}
	if bytes.HasPrefix(body, []byte("<?xml")) {
		_, body, _ = bytes.Cut(body, []byte("?>"))
	}
	return strings.HasPrefix(http.DetectContentType(body), "text/html")
}
