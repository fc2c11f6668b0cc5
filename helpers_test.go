package authentik_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	recorded "github.com/seed-299d42e7/authentik-go/internal/testkit/recording"
)

// canary is the token of every test: no error, log or print may show it.
const canary = "CANARY-token-bVZ0cGpQd1ZxT2xX"

// Further secrets.
const (
	headerCanary = "CANARY-header-c2VjcmV0LWhlYWRlcg" // the value of a WithHeader
	serverCanary = "CANARY-server-b3RoZXJzLXNlY3JldA" // of the server's: a cookie, a password in a Location
	queryCanary  = "CANARY-query-alice@example.com"   // what is searched for
)

// canaries are all of them, and how each may look in an output.
var canaries = map[string][]string{
	canary: spelt(canary), headerCanary: spelt(headerCanary), serverCanary: spelt(serverCanary), queryCanary: spelt(queryCanary),
}

// spelt is how a secret, or enough of it, may look in an output.
func spelt(secret string) []string {
	part := []byte(secret[:16])
	all := []string{
		string(part), strings.ToLower(string(part)), url.QueryEscape(secret),
		hex.EncodeToString(part), strings.ToUpper(hex.EncodeToString(part)),
		strings.Trim(fmt.Sprintf("%d", part), "[]"), strings.Trim(fmt.Sprintf("%#v", part), "[]byte{}"),
	}
	for shift := range 3 { // what is in the middle of an encoding does not depend on what is around
		encoded := base64.StdEncoding.EncodeToString(append(make([]byte, shift), part...))
		all = append(all, encoded[4:len(encoded)-4])
	}
	return all
}

// discreet asserts that no way to print, marshal, log or walk through a value
// shows a secret; but a server's message may quote what is searched for.
func discreet(t testing.TB, v any, quoted ...string) {
	t.Helper()
	outputs := map[string]string{"reflection": reachable(v)}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		outputs[verb] = fmt.Sprintf(verb, v)
		outputs[verb+" in a struct"] = fmt.Sprintf(verb, struct{ hidden any }{v})
	}
	if encoded, err := json.Marshal(v); err == nil {
		outputs["JSON"] = string(encoded)
	}
	var log lines
	log.logger().Info("message", "value", v)
	outputs["slog"] = log.String()
	if _, ok := v.(slog.LogValuer); ok {
		undisclosed(t, "slog", outputs["slog"]) // not even what a server quotes
		delete(outputs, "slog")
	}
	for way, output := range outputs {
		undisclosed(t, way, output, quoted...)
	}
}

func undisclosed(t testing.TB, what, output string, quoted ...string) {
	t.Helper()
	for secret, spellings := range canaries {
		if slices.Contains(quoted, secret) {
			continue
		}
		for _, spelling := range spellings {
			if strings.Contains(output, spelling) {
				assert.Fail(t, "a secret is shown", "%s: %q in %q", what, spelling, output)
			}
		}
	}
}

// reachable is every text that reflection finds in a value, unexported fields
// included.
func reachable(v any) string {
	var all strings.Builder
	seen := map[any]bool{}
	var visit func(reflect.Value)
	visit = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.String:
			all.WriteString(v.String() + "\n")
		case reflect.Pointer:
			at := struct {
				reflect.Type
				uintptr
			}{v.Type(), v.Pointer()}
			if !seen[at] {
				seen[at] = true
				visit(v.Elem())
			}
		case reflect.Interface:
			visit(v.Elem())
		case reflect.Struct:
			for i := range v.NumField() {
				visit(v.Field(i))
			}
		case reflect.Slice, reflect.Array:
			if v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8 {
				all.Write(v.Bytes())
				return
			}
			for i := range v.Len() {
				visit(v.Index(i))
			}
		case reflect.Map:
			for _, key := range v.MapKeys() {
				visit(key)
				visit(v.MapIndex(key))
			}
		default: // numbers; and what keeps its secret: functions, channels
		}
	}
	visit(reflect.ValueOf(v))
	return all.String()
}

// lines is a log, as both of slog's handlers write it.
type lines struct {
	mu  sync.Mutex
	log bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.log.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.log.String()
}

func (l *lines) logger() *slog.Logger {
	everything := &slog.HandlerOptions{Level: slog.LevelDebug}
	return slog.New(bothHandlers{slog.NewTextHandler(l, everything), slog.NewJSONHandler(l, everything)})
}

// bothHandlers hands a record to two handlers.
type bothHandlers [2]slog.Handler

func (b bothHandlers) Enabled(context.Context, slog.Level) bool { return true }
func (b bothHandlers) WithAttrs([]slog.Attr) slog.Handler       { return b }
func (b bothHandlers) WithGroup(string) slog.Handler            { return b }

func (b bothHandlers) Handle(ctx context.Context, r slog.Record) error {
	if err := b[0].Handle(ctx, r); err != nil {
		return err
	}
	return b[1].Handle(ctx, r)
}

// newServer serves handler below a path, because a base URL may have one.
func newServer(t testing.TB, handler http.Handler) (url string) {
	t.Helper()
	srv := httptest.NewServer(http.StripPrefix("/sub/path", handler))
	t.Cleanup(srv.Close)
	return srv.URL + "/sub/path"
}

// newClient is a client of newServer. Its retries do not wait.
func newClient(t testing.TB, handler http.Handler, opts ...authentik.ClientOption) *authentik.Client {
	t.Helper()
	return newClientOf(t, newServer(t, handler), opts...)
}

func newClientOf(t testing.TB, url string, opts ...authentik.ClientOption) *authentik.Client {
	t.Helper()
	noWaits := authentik.WithRetry(authentik.RetryPolicy{BaseDelay: -1, MaxRetryAfter: -1, StartupWait: -1})
	ak, err := authentik.NewClient(url, canary, append([]authentik.ClientOption{noWaits}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(ak.Close)
	return ak
}

// roundTripper is a transport without a socket, for use with synctest.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// socketless is a client whose requests go to f.
func socketless(t testing.TB, f roundTripper, opts ...authentik.ClientOption) *authentik.Client {
	t.Helper()
	opts = append([]authentik.ClientOption{authentik.WithHTTPClient(&http.Client{Transport: f})}, opts...)
	ak, err := authentik.NewClient("https://sso.example.com", canary, opts...)
	require.NoError(t, err)
	return ak
}

// recordings are the exchanges with real servers, by version.
func recordings(t testing.TB) map[string][]recorded.Exchange {
	t.Helper()
	all, err := recorded.Versions(os.DirFS("testdata"), "recordings")
	require.NoError(t, err)
	require.NotEmpty(t, all)
	return all
}

// recording is one of them.
func recording(t testing.TB, version, id string) recorded.Exchange {
	t.Helper()
	for _, e := range recordings(t)[version] {
		if e.ID == id {
			return e
		}
	}
	require.FailNow(t, "no such recording", "%s of %s", id, version)
	return recorded.Exchange{}
}
