package transport

import (
	"errors"
	"io"
	"log/slog"
	"net/url"
	"slices"
	"time"
)

// loggedQuery lists the parameters whose values may be logged. Of any other
// parameter only the name is logged, because a search may be for a person.
var loggedQuery = []string{"page", "page_size", "ordering"}

// logAttempt logs the outcome of an attempt (Debug), and that another one
// follows (Warn). No body is ever logged, neither of a request nor of a response.
func (c *call) logAttempt(o outcome) {
	log := c.t.log
	if log == nil {
		return
	}
	now := time.Now()
	attrs := func(more ...slog.Attr) []slog.Attr {
		a := []slog.Attr{
			slog.String("op", c.req.Op),
			slog.String("method", c.req.Method),
			slog.String("path", c.req.URL.EscapedPath()),
			slog.Int("attempt", c.result.Attempts),
		}
		if o.response != nil {
			a = append(a, slog.Int("status", o.response.StatusCode))
			if id := o.response.Header.Get(RequestIDHeader); id != "" {
				a = append(a, slog.String("request_id", c.text(id)))
			}
		}
		if o.err != nil {
			a = append(a, slog.String("error", c.errorText(o)))
		}
		return append(a, more...)
	}
	if log.Enabled(c.ctx, slog.LevelDebug) {
		log.LogAttrs(c.ctx, slog.LevelDebug, "authentik: attempt", attrs(
			slog.String("query", safeQuery(c.req.URL.RawQuery)),
			slog.Duration("took", now.Sub(c.began)),
		)...)
	}
	if c.retry {
		message := "authentik: retry"
		if c.comingBack(o) {
			message = "authentik: waiting for the server to start"
		}
		log.LogAttrs(c.ctx, slog.LevelWarn, message, attrs(slog.Duration("wait", c.wait))...)
	}
}

// Warn logs a message of the client's own.
func (t *Transport) Warn(message string) {
	if t.log != nil {
		t.log.Warn(message)
	}
}

// errorText returns a network error's text. The text of an invalid response may
// quote the response, and is not logged.
func (c *call) errorText(o outcome) string {
	switch {
	case !o.decodeFailed, errors.Is(o.err, ErrTooLarge):
		return c.text(LogText(o.err))
	case errors.Is(o.err, io.ErrUnexpectedEOF):
		return "cut off"
	default:
		return "unusable"
	}
}

// text redacts a server's text and fits it into one line, whatever the handler
// does.
func (c *call) text(s string) string { return OneLine(c.t.Redact(s), 200) }

// LogText returns the text of an error that may be logged.
func LogText(err error) string {
	if _, ok := errors.AsType[*tokenError](err); ok {
		return "no token" // the text of its source may hold a secret
	}
	return err.Error()
}

// safeQuery returns a query in which only the values of loggedQuery are left.
func safeQuery(raw string) string {
	query, _ := url.ParseQuery(raw) // a malformed part, which no query of ours has, is left out
	for name, values := range query {
		if !slices.Contains(loggedQuery, name) {
			for i := range values {
				values[i] = "REDACTED"
			}
		}
	}
	return query.Encode()
}
