package authentik_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
)

// indiscreet is a type of a caller's whose error quotes what it is given.
type indiscreet struct{}

func (*indiscreet) UnmarshalJSON(data []byte) error { return fmt.Errorf("what is %s", data) }

func TestNothingOfAnUnusableAnswerShowsASecretThatTheServerRepeats(t *testing.T) {
	t.Parallel()
	long := strings.Repeat(canary, 40) // as long as a JWT
	for name, c := range map[string]struct {
		body string
		out  any
		opts []authentik.ClientOption
	}{
		"in the words of a caller's type":    {`{"a":"` + canary + `"}`, new(struct{ A indiscreet }), nil},
		"in the words of encoding/json":      {`{"a":"` + canary + `"}`, new(struct{ A time.Time }), nil},
		"in the place of a number":           {`{"a":` + canary + `}`, new(any), nil},
		"as a number":                        {`[1234567890123456789012345]`, new([]int), []authentik.ClientOption{authentik.WithHeader("X-Number", "1234567890123456789012345")}},
		"as a key":                           {`{"` + canary + `":null?}`, new(any), nil},
		"as a long key":                      {`{"` + long + `":?}`, new(authentik.Flow), []authentik.ClientOption{authentik.WithHeader("X-Long", long)}},
		"as a key of a type":                 {`{"` + canary + `":"x"}`, new(map[string]int), nil},
		"as a header's value":                {`{"a":"` + headerCanary + `"}`, new(struct{ A time.Time }), nil},
		"in a text that is cut":              {strings.Repeat("x", 190) + canary, new(any), nil},
		"at the end of a text, and cut":      {"a page" + canary[:12], new(any), nil},
		"in a string that is no UUID":        {`{"pk":"` + canary + `"}`, new(authentik.Flow), nil},
		"in a string that is not terminated": {`{"pk":"` + canary, new(authentik.Flow), nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answer := &stub{body: c.body}
			ak := newSubject(t, newServer(t, answer), append(c.opts, authentik.WithRetry(authentik.RetryPolicy{MaxAttempts: 1}))...)
			err := ak.Get(t.Context(), "core/groups/", url.Values{"search": {queryCanary}}, c.out)
			var decode *authentik.DecodeError
			require.ErrorAs(t, err, &decode)
			discreet(t, err)
			for _, text := range []string{err.Error(), fmt.Sprintf("%#v", decode), fmt.Sprint(decode.LogValue())} {
				for _, secret := range []string{"1234567890123456", "ANARY", "CANARY"} {
					assert.NotContains(t, text, secret)
				}
			}
		})
	}
}

// A transport's buffers hold what it sent.
func TestNothingThatIsReachableFromAClientIsASecret(t *testing.T) {
	t.Parallel()
	ak := newSubject(t, newServer(t, &stub{body: listReader.good}))
	require.NoError(t, ak.list(t.Context(), t).err)
	for _, v := range []any{ak.Client, *ak.Client, []any{ak.Client}, map[string]*authentik.Client{"a": ak.Client}, struct{ c authentik.Client }{*ak.Client}} {
		discreet(t, v)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		assert.Regexp(t, `^authentik\.Client\(http://127\.0\.0\.1:\d+/sub/path\)$`, fmt.Sprintf(verb, ak.Client))
		assert.Equal(t, "authentik.Client(not made by NewClient)", fmt.Sprintf(verb, authentik.Client{}))
	}
	discreet(t, authentik.WithHeader("X-Key", headerCanary))
	discreet(t, authentik.WithTokenFunc(func(context.Context) (string, error) { return canary, nil }))
}

func TestAMiddlewaresOwnClientDoesNotTellTheQuery(t *testing.T) {
	t.Parallel()
	cause := errors.New("no route")
	for name, wrap := range map[string]func(error) error{
		"as it is":     func(err error) error { return err },
		"wrapped":      func(err error) error { return fmt.Errorf("of the middleware: %w", err) },
		"twice":        func(err error) error { return &url.Error{Op: "Get", URL: "?" + queryCanary, Err: err} },
		"among others": func(err error) error { return errors.Join(io.ErrNoProgress, err) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			own := &http.Client{Transport: roundTripper(func(*http.Request) (*http.Response, error) { return nil, cause })}
			ak := newSubject(t, newServer(t, http.NotFoundHandler()), authentik.WithRetry(authentik.RetryPolicy{BaseDelay: -1}),
				authentik.WithMiddleware(func(http.RoundTripper) http.RoundTripper {
					return roundTripper(func(req *http.Request) (*http.Response, error) {
						resp, err := own.Do(req)
						return resp, wrap(err)
					})
				}))
			got := ak.list(t.Context(), t)
			require.ErrorIs(t, got.err, cause)
			assert.EqualError(t, got.err, "authentik: FlowsInstancesList: no route (4 attempts)")
		})
	}
}

// What a token's source says is its own business, and final.
func TestAnErrorOfATokenFunctionComesWhole(t *testing.T) {
	t.Parallel()
	cause := &url.Error{Op: "Post", URL: "https://vault.example.com/", Err: io.ErrUnexpectedEOF}
	ak, err := authentik.NewClient(newServer(t, http.NotFoundHandler()), "", authentik.WithTokenFunc(func(context.Context) (string, error) { return "", cause }))
	require.NoError(t, err)
	_, err = ak.FlowsInstancesList(t.Context(), nil)
	var got *url.Error
	require.ErrorAs(t, err, &got)
	assert.Same(t, cause, got)
	assert.EqualError(t, err, `authentik: FlowsInstancesList: no token: Post "https://vault.example.com/": unexpected EOF (1 attempt)`)
}

func TestASecretThatStraddlesTheEndOfWhatIsKeptIsBlotted(t *testing.T) {
	t.Parallel()
	const kept = 64 << 10
	for _, secret := range []string{canary, headerCanary} {
		for _, within := range []int{len(secret), len(secret) - 1, 16, 8} {
			body := strings.Repeat("x", kept-within) + secret + "yyy"
			ak := newSubject(t, newServer(t, reply(403, textType, body)))
			err := ak.list(t.Context(), t).err
			var api *authentik.APIError
			require.ErrorAs(t, err, &api)
			assert.Equal(t, (strings.Repeat("x", kept-within) + "[redacted]")[:min(kept-within+10, kept)], string(api.Body), within)
		}
	}
	// Seven bytes are no secret, but words.
	ak := newSubject(t, newServer(t, reply(403, textType, "not "+canary[:7])))
	assert.ErrorContains(t, ak.list(t.Context(), t).err, "not CANARY- (")
}

func TestASecretIsBlottedAsATextAndJSONAndAURLSpellIt(t *testing.T) {
	t.Parallel()
	const value = `pass "wörd" \ %2F?`
	for _, spelling := range []string{
		value, `pass \"wörd\" \\ %2F?`, `pass \"w\u00f6rd\" \\ %2F?`, // JSON, and JSON in ASCII
		`pass%20%22w%C3%B6rd%22%20%5C%20%252F%3F`, `pass+%22w%C3%B6rd%22+%5C+%252F%3F`, // a path, and a query
	} {
		ak := newSubject(t, newServer(t, reply(403, textType, "<"+spelling+">")), authentik.WithHeader("X-Password", value))
		var api *authentik.APIError
		require.ErrorAs(t, ak.list(t.Context(), t).err, &api)
		assert.Equal(t, "<[redacted]>", string(api.Body))
	}
}
