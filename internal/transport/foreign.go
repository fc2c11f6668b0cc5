package transport

import (
	"bytes"
	"encoding/json"
	"mime"
	"net/http"
	"slices"
	"strings"
)

// Foreign reports whether something in front of authentik sent the response, such
// as a proxy, a firewall or a login page. A response of authentik has a request
// ID, or the words of its router, or an error in the JSON of its API. A success is
// foreign only if it is an HTML page.
func (r *Response) Foreign() bool {
	switch {
	case r.Header.Get(RequestIDHeader) != "", r.Starting:
		return false
	case r.OK:
		return r.isPage()
	default:
		return !fromRouter(r.Body) && !errorShape(r.StatusCode, r.Body)
	}
}

// fromRouter reports whether a body is a message of authentik's router.
func fromRouter(body []byte) bool {
	text := routerText(body)
	return strings.TrimSuffix(text, "...") == startingWords || strings.HasPrefix(text, failedWords)
}

// errorShape reports whether a body is an error as Django REST framework writes
// it, which is {"detail": "…"}, and with status 400 also messages by field, or
// messages alone. An error of a gateway has other keys, or bare texts by key.
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

// isPage reports whether the body is an HTML page. The Content-Type alone proves
// nothing, because authentik exports YAML as text/html. Only a response to HEAD
// goes by its Content-Type.
func (r *Response) isPage() bool {
	body := bytes.TrimSpace(bytes.TrimPrefix(r.Body, []byte("\ufeff")))
	if !r.Bodiless && !bytes.HasPrefix(body, []byte("<")) {
		return false
	}
	mediaType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if mediaType == "text/html" || mediaType == "application/xhtml+xml" {
		return true
	}
	if bytes.HasPrefix(body, []byte("<?xml")) {
		_, body, _ = bytes.Cut(body, []byte("?>"))
	}
	return strings.HasPrefix(http.DetectContentType(body), "text/html")
}
