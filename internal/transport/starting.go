package transport

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
)

// Starting reports whether a response is authentik's router saying that its
// backend is coming back. The router does so for 6 to 30 seconds at every restart,
// as a text or as the value of "error", with status 502 (up to 2025.8), 200
// (2025.10.0) or 503 (since).
func Starting(status int, body []byte) bool {
	switch status {
	case http.StatusOK, http.StatusBadGateway, http.StatusServiceUnavailable:
	default:
		return false
	}
	return fromRouter(body) && !strings.HasSuffix(routerText(body), tooLargeWords)
}

const (
	startingWords = "authentik starting" // with "..." after it in older releases
	failedWords   = "failed to connect to authentik backend:"
	tooLargeWords = " http: request body too large"
)

// routerText returns the message of authentik's router, "" if the body is not the
// router's. The message must be the whole body, because a flow's title on a page
// may have the same words.
func routerText(body []byte) string {
	body = bytes.TrimSpace(body)
	head := body[:min(len(body), 128)] // where the message begins
	if len(body) > 4<<10 || !bytes.Contains(head, []byte(startingWords)) && !bytes.Contains(head, []byte(failedWords)) {
		return "" // nearly always, and then without the cost of decoding
	}
	if !bytes.HasPrefix(body, []byte("{")) {
		return string(body)
	}
	var object map[string]any
	if json.Unmarshal(body, &object) != nil || len(object) != 1 {
		return ""
	}
	text, _ := object["error"].(string)
	return text
}
