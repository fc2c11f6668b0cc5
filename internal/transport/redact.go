package transport

import (
	"html"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Credentials that rotate make old values worthless, so that a few are enough,
// such as a token, or the cookies of a session with their predecessors. The values
// that the user of a session has entered are counted separately, because cookies
// may rotate with each response.
const (
	credentialsRemembered = 32
	enteredRemembered     = 64
)

const (
	// Shorter values are words. Redacting them would garble the text.
	secretMinLength = 4
	// The beginning of a secret is redacted at the end of a text only if the
	// beginning is longer than most words.
	secretMinPrefix = 8
)

const redacted = "[redacted]"

// secrets holds the values that no error and no log may repeat. Its fields are
// closures, because a field of any other type can be printed by reflection.
type secrets struct {
	credential func(secret string)
	entered    func(secret string)
	// redact replaces each secret in a text. A server may repeat what it
	// received, and a truncated text may end in the beginning of a secret.
	redact func(text string) string
}

func newSecrets(fixed []string) *secrets {
	var mu sync.Mutex
	var credentials, entered []string
	into := func(recent *[]string, limit int) func(string) {
		return func(secret string) {
			if len(secret) < secretMinLength {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			switch i := slices.Index(*recent, secret); {
			case i >= 0:
				*recent = slices.Delete(*recent, i, i+1)
			case len(*recent) == limit:
				*recent = slices.Delete(*recent, 0, 1)
			}
			*recent = append(*recent, secret)
		}
	}
	return &secrets{
		credential: into(&credentials, credentialsRemembered),
		entered:    into(&entered, enteredRemembered),
		redact: func(text string) string {
			mu.Lock()
			all := slices.Concat(credentials, entered, fixed)
			mu.Unlock()
			return redact(text, all)
		},
	}
}

func redact(text string, secrets []string) string {
	var spelled []string
	for _, secret := range secrets {
		if len(secret) >= secretMinLength {
			spelled = append(spelled, spellings(secret)...)
		}
	}
	// The longest first: one may be part of another.
	slices.SortFunc(spelled, func(a, b string) int { return len(b) - len(a) })
	for _, secret := range spelled {
		text = strings.ReplaceAll(text, secret, redacted)
	}
	end := len(text)
	for _, secret := range spelled {
		for n := min(len(secret), len(text)); n >= secretMinPrefix; n-- {
			if strings.HasSuffix(text, secret[:n]) {
				end = min(end, len(text)-n)
				break
			}
		}
	}
	if end < len(text) {
		text = text[:end] + redacted
	}
	return text
}

// spellings returns a secret as it looks in a text, in JSON, in a URL and in
// HTML.
func spellings(secret string) []string {
	quoted, ascii := strconv.Quote(secret), strconv.QuoteToASCII(secret)
	all := []string{
		secret, quoted[1 : len(quoted)-1], ascii[1 : len(ascii)-1],
		url.PathEscape(secret), url.QueryEscape(secret),
	}
	if strings.ContainsAny(secret, `<>&'"`) {
		page := html.EscapeString(secret)
		all = append(all, page, strings.NewReplacer("&#34;", "&quot;", "&#39;", "&#x27;").Replace(page)) // Go's, Django's
	}
	return all
}
