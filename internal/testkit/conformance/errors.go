package conformance

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/internal/testkit"
	"github.com/seed-299d42e7/authentik-go/internal/testkit/recording"
)

// Starting reports whether a response says that authentik's backend is starting
// again.
func Starting(r recording.Response) bool {
	text := strings.TrimSpace(r.Text)
	var object struct{ Error string }
	if json.Unmarshal([]byte(text), &object) == nil {
		text = object.Error
	}
	return strings.HasPrefix(text, "authentik starting") ||
		strings.HasPrefix(text, "failed to connect to authentik backend:")
}

// RequireErrorOf requires that err is the error that the library must return for
// a response.
func RequireErrorOf(t *testing.T, r recording.Response, err error, op, path string, attempts int) {
	t.Helper()
	require.Error(t, err)
	detail, fields, nonField := messages(r)
	switch r.Status {
	case http.StatusBadRequest:
		e := testkit.RequireType[*authentik.ValidationError](t, err)
		assert.Equal(t, fields, e.Fields)
		assert.Equal(t, nonField, e.NonFieldErrors)
	case http.StatusUnauthorized, http.StatusForbidden:
		testkit.RequireType[*authentik.PermissionError](t, err)
	default:
		testkit.RequireType[*authentik.APIError](t, err)
	}
	var e *authentik.APIError
	require.ErrorAs(t, err, &e)
	if location := r.Header("Location"); location != "" {
		location, _, _ = strings.Cut(location, "?")
		detail = "redirected to " + location + "; no redirect is followed"
	}
	seconds, _ := strconv.Atoi(r.Header("Retry-After"))
	assert.Equal(t, authentik.APIError{
		Op: op, Method: "GET", Path: path,
		StatusCode: r.Status, RequestID: r.Header("X-Authentik-Id"), Detail: detail,
		RetryAfter: time.Duration(seconds) * time.Second, Attempts: attempts, Body: r.Body()[:min(len(r.Text), 64<<10)],
	}, exported(e))

	for _, s := range []struct {
		sentinel error
		want     bool
	}{
		{authentik.ErrBadRequest, r.Status == http.StatusBadRequest},
		{authentik.ErrUnauthorized, r.Status == http.StatusUnauthorized},
		{authentik.ErrForbidden, r.Status == http.StatusForbidden},
		{authentik.ErrNotFound, r.Status == http.StatusNotFound},
		{authentik.ErrRateLimited, r.Status == http.StatusTooManyRequests},
		{authentik.ErrServer, r.Status >= http.StatusInternalServerError},
		{authentik.ErrStarting, Starting(r)},
	} {
		assert.Equal(t, s.want, errors.Is(err, s.sentinel), "is %q", s.sentinel)
	}
	text := err.Error()
	assert.Regexp(t, `^authentik: `+op+`( /[^ ]*)?: `+strconv.Itoa(r.Status)+` [^\n\r]* attempts?\)$`, text)
	for _, said := range append(slices.Concat(slices.Collect(maps.Values(fields))...), append(nonField, detail)...) {
		assert.True(t, strings.Contains(text, said) || strings.Contains(text, "…"), "%q has %q", text, said)
	}
}

// exported returns an error without its unexported fields, which only its text
// needs.
func exported(e *authentik.APIError) authentik.APIError {
	return authentik.APIError{
		Op: e.Op, Method: e.Method, Path: e.Path, StatusCode: e.StatusCode, RequestID: e.RequestID,
		Detail: e.Detail, RetryAfter: e.RetryAfter, Attempts: e.Attempts, Body: e.Body,
	}
}

// messages returns the messages in the body of an error: the strings of its JSON
// by their path, or a text.
func messages(r recording.Response) (detail string, fields map[string][]string, nonField []string) {
	var value any
	if json.Unmarshal(r.Body(), &value) != nil {
		kind := r.Header("Content-Type")
		if (kind == "" || strings.HasPrefix(kind, "text/plain")) && len(r.Text) <= 512 {
			detail = strings.TrimSpace(r.Text)
		}
		return detail, nil, nil
	}
	if object, ok := value.(map[string]any); ok {
		for _, key := range []string{"error", "detail"} { // detail wins
			if text, ok := object[key].(string); ok {
				detail = text
				delete(object, key)
			}
		}
	}
	said := map[string][]string{}
	var collect func(path string, value any)
	collect = func(path string, value any) {
		switch value := value.(type) {
		case string:
			said[path] = append(said[path], value)
		case []any:
			for i, element := range value {
				if _, text := element.(string); text {
					collect(path, element)
				} else {
					collect(fmt.Sprintf("%s[%d]", path, i), element)
				}
			}
		case map[string]any:
			for key, element := range value {
				collect(strings.TrimPrefix(path+"."+key, "."), element)
			}
		}
	}
	collect("", value)
	nonField = slices.Concat(said["non_field_errors"], said[""])
	delete(said, "non_field_errors")
	delete(said, "")
	if len(said) > 0 {
		fields = said
	}
	return detail, fields, nonField
}
