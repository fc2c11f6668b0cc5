package authentik

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/seed-299d42e7/authentik-go/internal/transport"
)

// WithTokenFunc configures the function that returns the token, for tokens that
// rotate or expire. The client calls token once for each attempt, with the
// context of that attempt. Concurrent calls of the client call token
// concurrently. A token is checked as [NewClient] checks one. An error of the
// function ends the call, as the cause of a [RequestError]. The token of
// NewClient must then be "". NewClient rejects a nil function.
//
// If authentik rejects a token, the client calls the function once more with a
// context for which [RefreshToken] returns true. If that token differs, the
// client sends the request once more with it; an iterator goes on at its page. A
// 401 or 403 is about the token if [Client.ServerVersion] fails, too. For a
// missing permission the function is not called.
func WithTokenFunc(token func(context.Context) (string, error)) ClientOption {
	return func(c *clientConfig) error {
		if token == nil {
			return refuse("WithTokenFunc", "must not be nil")
		}
		c.tokenFunc = token
		return nil
	}
}

type refreshKey struct{}

// RefreshToken reports whether the server has rejected the token that the
// function of [WithTokenFunc] returned before, so that the function must not
// return that one from a cache.
func RefreshToken(ctx context.Context) bool { return ctx.Value(refreshKey{}) != nil }

// tokenRefresher returns a Client.refused that calls the token function again. It
// returns a context with another token for the request, or the error to return.
func (c *Client) tokenRefresher(
	tokens *transport.Tokens, token func(context.Context) (string, error),
) func(context.Context, error) (context.Context, error) {
	var mu sync.Mutex
	var stale []string // the first and the last token that fresh has replaced
	var fresh string   // "" before the first refresh
	return func(ctx context.Context, err error) (context.Context, error) {
		denied, ok := errors.AsType[*PermissionError](err)
		used, last := tokens.Of(ctx)
		if !ok || denied.Foreign || last {
			return nil, err
		}
		if denied.Op != opVersion {
			_, failed := c.ServerVersion(tokens.With(ctx, used, true))
			if refusal, ok := errors.AsType[*PermissionError](failed); !ok || refusal.Foreign {
				return nil, err
			}
		}
		mu.Lock() // pages ahead are refused together
		defer mu.Unlock()
		if slices.Contains(stale, used) { // another call has refreshed it, perhaps long ago
			return tokens.With(ctx, fresh, false), nil
		}
		value, failed := token(context.WithValue(ctx, refreshKey{}, true))
		if failed != nil {
			return nil, &refreshError{denied, redactError(failed, c.transport.Redact)}
		}
		if value == used {
			return nil, err
		}
		if used != fresh {
			stale = nil
		}
		stale, fresh = append(stale[:min(len(stale), 1)], used), value
		// A token that replaced itself would be sent again and again.
		stale = slices.DeleteFunc(stale, func(old string) bool { return old == fresh })
		return tokens.With(ctx, fresh, true), nil
	}
}

// refreshError is a refusal of a token that could not be refreshed.
type refreshError struct {
	*PermissionError

	cause error
}

func (e *refreshError) Error() string {
	return e.PermissionError.Error() + "; refreshing the token: " + oneLine(e.cause.Error())
}

func (e *refreshError) Unwrap() []error { return []error{e.PermissionError, e.cause} }

// checkToken rejects what cannot be a token, and does not repeat it.
func checkToken(token string) error {
	if len(token) >= 7 && strings.EqualFold(token[:7], "Bearer ") {
		return errors.New("must not begin with Bearer, which is not part of a token")
	}
	if err := checkText(token); err != nil {
		return err
	}
	for _, c := range []byte(token) {
		if c <= ' ' || c >= 0x7f {
			return errors.New("must not have a space, a line break or any other character that no token has")
		}
	}
	return nil
}

// checked returns a token function whose tokens checkToken accepts.
func checked(token func(context.Context) (string, error)) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		value, err := token(ctx)
		if err != nil {
			return "", err
		}
		if err := checkToken(value); err != nil {
			return "", fmt.Errorf("the token %w", err)
		}
		return value, nil
	}
}

// checkText rejects what a shell or a configuration file has left in a value.
func checkText(text string) error {
	first, _ := utf8.DecodeRuneInString(text)
	last, _ := utf8.DecodeLastRuneInString(text)
	switch trimmed := strings.TrimSpace(text); {
	case trimmed == "":
		return errors.New("must not be empty")
	case trimmed != text:
		return errors.New("must not begin or end with a space or a line break")
	case strings.ContainsRune(quotes, first), strings.ContainsRune(quotes, last):
		return errors.New("must not have quotation marks around it")
	case strings.Contains(text, "${"), strings.Contains(text, "$("), strings.Contains(text, "{{"),
		placeholder.FindString(text) == text:
		return errPlaceholder
	}
	return nil
}

const quotes = "\"'`“”„‟‘’‚‛«»‹›"

// placeholder is a name that a shell, a batch file, PowerShell or a reader is
// expected to replace.
var placeholder = regexp.MustCompile(`\$(?:env:)?[A-Z_][A-Z0-9_]+|%[A-Z_][A-Z0-9_]+%|<[^<>]*>`)

var errPlaceholder = errors.New("must not be a placeholder such as ${VARIABLE}, which nothing has replaced")
