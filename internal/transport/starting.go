package transport

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
)

// Starting reports whether an answer is authentik's router saying that the
// backend is coming back, as it does for 6 to 30 seconds at every restart: as
// a text or as the value of "error", with status 502 (up to 2025.8), 200
// (2025.10.0) or 503 (since). It is the whole body, so that a page in which
// some title says so is still a page.
func Starting(status int, body []byte) bool {
	switch status {
	case http.StatusOK, http.StatusBadGateway, http.StatusServiceUnavailable:
	default:
		return false
	}
	if len(body) > 4<<10 || !bytes.Contains(body, []byte(startingWords)) && !bytes.Contains(body, []byte(failedWords)) {
		return false // as nearly always, and then without the cost of decoding
	}
	body = bytes.TrimSpace(body)
	if bytes.HasPrefix(body, []byte("{")) {
		var object map[string]any
		if json.Unmarshal(body, &object) != nil || len(object) != 1 {
			return false
		}
		text, _ := object["error"].(string)
		return startingText(text)
	}
	return startingText(string(body))
}

const (
	startingWords = "authentik starting" // with "..." after it in older releases
	failedWords   = "failed to connect to authentik backend:"
)

func startingText(text string) bool {
	return strings.TrimSuffix(text, "...") == startingWords || strings.HasPrefix(text, failedWords)
}
