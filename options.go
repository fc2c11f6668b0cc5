package authentik

import (
	"context"
	"log/slog"
	"net/http"
	"net/textproto"
	"strings"
	"time"

	"github.com/seed-299d42e7/authentik-go/internal/transport"
)

// ClientOption configures a [Client]. A nil one is skipped; one that is given
// twice counts the last time, but for [WithMiddleware] and [WithHeader], which
// add up.
type ClientOption func(*clientConfig) error

type clientConfig struct {
	httpClient      *http.Client
	middleware      []func(http.RoundTripper) http.RoundTripper
	tokenFunc       func(context.Context) (string, error)
	header          http.Header
	policy          RetryPolicy
	timeout         time.Duration
	maxResponseSize int64
	logger          *slog.Logger
	userAgent       string
	insecureHTTP    bool
}

func refuse(option, reason string) error {
	return &ArgumentError{Op: "NewClient", Field: option, Reason: reason}
}

// WithHTTPClient configures the http.Client whose Transport sends requests. A
// Transport of nil is http.DefaultTransport, as it is at each request. If the
// Timeout of the client is shorter than [WithTimeout], it bounds an attempt. Its
// CheckRedirect and Jar are not used, because no redirect is followed and the
// API needs no cookies. The http.Client is not changed. NewClient rejects nil.
//
// Use WithHTTPClient for a private CA, a client certificate or another proxy:
// the README has an example of each. A Transport of the caller keeps its
// connections as net/http does. The transport of this package, which is used
// without WithHTTPClient, also dials after a timeout and replaces connections
// after 15 minutes. It gives way to an http.DefaultTransport that the program
// has replaced, such as by one that traces or mocks.
func WithHTTPClient(client *http.Client) ClientOption {
	return func(c *clientConfig) error {
		if client == nil {
			return refuse("WithHTTPClient", "the client is nil")
		}
		c.httpClient = client
		return nil
	}
}

// RetryPolicy configures when a failed request is sent again. A field that is
// zero has its default, and a negative duration means none.
//
// Retried are connections that fail or are cut off, and responses with status
// 408, 429, 500, 502, 503, 504, 520 to 527 and 530, and 404 if a proxy sent it:
// see [APIError.Foreign]. 504 and 524 are timeouts and retried once: see
// [WithTimeout]. Not retried are other responses, certificates that do not
// verify, hosts that do not exist, servers that do not speak HTTP, responses that
// net/http cannot parse, and a 4xx of a proxy to CONNECT. A request
// is not retried either if the caller's context ends, or if the next wait would
// exceed its deadline. Where the server may have executed a request, GET, PUT
// and DELETE are sent again and other writes are not: see [ErrPerhapsDone].
//
// A client has a budget of 500 tokens for all its calls: a retry costs 5 and a
// success returns 1. Without tokens, a failure is returned at once.
type RetryPolicy struct {
	// MaxAttempts limits the requests of one call, including the first one. The
	// default is 4, and 1 disables retries. NewClient rejects a negative number.
	MaxAttempts int
	// BaseDelay sets the wait before retry n (from 0): a random time from zero
	// to BaseDelay·2ⁿ, and to twice that after 429. The default is 500 ms.
	BaseDelay time.Duration
	// MaxDelay limits the wait that BaseDelay sets. The default is 20 s.
	MaxDelay time.Duration
	// MaxRetryAfter limits the Retry-After of a 429 or 503. The client waits
	// for all of it and up to a tenth more. With a longer one the call ends at
	// once, and [APIError.RetryAfter] has it. A date in it counts from the Date
	// of the response, and a 429 without it may have RateLimit headers instead.
	// The default is 60 s.
	MaxRetryAfter time.Duration
	// StartupWait limits the wait for a server that restarts. authentik needs 6
	// to 30 s for that. The default is 60 s; a negative value disables the wait.
	//
	// A server restarts if it says so. A server that has responded to this
	// client before also restarts if its host refuses connections, cannot be
	// reached or has no address, or if a proxy in front of it responds with 404,
	// 502, 503, 520 to 523 or 530. A 503 with a Retry-After is none of these: it
	// limits the rate of requests.
	//
	// A request is sent again after one to two seconds, or after the server's
	// Retry-After. These requests count in Attempts, but neither against
	// MaxAttempts nor against the budget.
	StartupWait time.Duration
	// MaxElapsed limits a call with all its attempts and waits if the caller's
	// context has no deadline. The default is 3 min; a negative value is no
	// limit. An iterator makes one call for each page.
	MaxElapsed time.Duration
	// WaitForServer extends StartupWait to a server that has not responded to
	// this client yet, such as one that starts together with the caller. A
	// wrong URL then fails after StartupWait, and not at once.
	WaitForServer bool
}

// WithRetry replaces the default [RetryPolicy].
func WithRetry(policy RetryPolicy) ClientOption {
	return func(c *clientConfig) error {
		if policy.MaxAttempts < 0 {
			return refuse("WithRetry", "MaxAttempts is negative")
		}
		c.policy = policy
		return nil
	}
}

// WithTimeout bounds one attempt, the reading of the body included; the
// default is 60 s, because a list of many flows may take a server that long.
// After a timeout there is one more attempt, then an error that is
// [ErrAttemptTimeout]. Zero and less are refused: bound a whole call with its
// context.
func WithTimeout(attempt time.Duration) ClientOption {
	return func(c *clientConfig) error {
		if attempt <= 0 {
			return refuse("WithTimeout", "it is not positive")
		}
		c.timeout = attempt
		return nil
	}
}

// WithLogger logs each attempt at level Debug, and each retry and wait at
// Warn. Logged are operation, method, path, status, request ID, duration,
// errors of the network, and the query with all values redacted but those of
// page, page_size and ordering; nothing that an answer says. nil is silence,
// the default.
func WithLogger(logger *slog.Logger) ClientOption {
	return func(c *clientConfig) error {
		c.logger = logger
		return nil
	}
}

// WithUserAgent puts product, such as "inventory/1.2", before this library's
// own User-Agent. An empty one and one with control characters are refused.
func WithUserAgent(product string) ClientOption {
	return func(c *clientConfig) error {
		if product == "" || strings.TrimSpace(product) != product || !validHeaderValue(product) {
			return refuse("WithUserAgent", "it is empty, begins or ends in a space, or has a control character")
		}
		c.userAgent = product
		return nil
	}
}

// WithHeader sets a header on every request, such as the ones that a proxy in
// front of the server wants. Its value is treated as a secret. Refused are
// malformed ones, those that this library or net/http set (Authorization,
// Host, Accept, Accept-Encoding, User-Agent, Content-…) and hop-by-hop ones.
func WithHeader(key, value string) ClientOption {
	return func(c *clientConfig) error {
		key := textproto.CanonicalMIMEHeaderKey(key)
		switch {
		case !validHeaderName(key):
			return refuse("WithHeader", "the name is not that of a header")
		case key == "User-Agent":
			return refuse("WithHeader", "use WithUserAgent")
		case reservedHeader(key):
			return refuse("WithHeader", "this header is not the caller's to set")
		case !validHeaderValue(value):
			return refuse("WithHeader", "the value has a control character")
		}
		c.header.Add(key, value)
		return nil
	}
}

func reservedHeader(key string) bool {
	switch key {
	case "Authorization", "Host", "Accept", "Accept-Encoding",
		"Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection",
		"Te", "Trailer", "Transfer-Encoding", "Upgrade":
		return true
	}
	return strings.HasPrefix(key, "Content-")
}

// validHeaderName goes by RFC 9110, 5.6.2.
func validHeaderName(name string) bool {
	for _, c := range []byte(name) {
		alphanumeric := c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !alphanumeric && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return name != ""
}

func validHeaderValue(value string) bool {
	for _, c := range []byte(value) {
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// WithMiddleware wraps the http.RoundTripper that sends a request, for tracing,
// metrics, or faults in a test. The first middleware is the outermost one. A
// middleware sees each attempt, without the Authorization header, which is set
// further in. [RequestInfo] returns the operation. NewClient rejects a nil
// function and one that returns nil.
func WithMiddleware(middleware func(http.RoundTripper) http.RoundTripper) ClientOption {
	return func(c *clientConfig) error {
		if middleware == nil {
			return refuse("WithMiddleware", "the function is nil")
		}
		c.middleware = append(c.middleware, middleware)
		return nil
	}
}

// RoundTripFunc is a function that implements http.RoundTripper.
type RoundTripFunc func(*http.Request) (*http.Response, error)

// RoundTrip calls f.
func (f RoundTripFunc) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// Info describes a request to a middleware.
type Info struct {
	// Op is the method, such as FlowsInstancesList.
	Op string
	// Route is the path below /api/v3 with names for its arguments, such as
	// /flows/bindings/{fsb_uuid}/. It is fit for the label of a metric. It is ""
	// for Get, Do and ListAll, whose path is the caller's.
	Route string
	// Attempt counts the requests of a call, from 1.
	Attempt int
	// Page is the requested page of a list, 0 if that is the server's choice or
	// if the operation is no list.
	Page int
}

// RequestInfo returns the Info in the context of a request that a middleware
// got from a [Client]. It returns false for any other context.
func RequestInfo(ctx context.Context) (Info, bool) {
	info, ok := transport.InfoOf(ctx)
	if info.Route != "" {
		info.Route = "/" + info.Route
	}
	return Info(info), ok
}

// WithInsecureHTTP allows a base URL with http:// for hosts other than this
// one. Everybody on the way can then read the token.
func WithInsecureHTTP() ClientOption {
	return func(c *clientConfig) error {
		c.insecureHTTP = true
		return nil
	}
}

// WithMaxResponseSize bounds the body of an answer, in bytes after
// decompression. The default is 8 MiB, about 15,000 flows; a larger one is a
// [DecodeError] that is [ErrResponseTooLarge]. Zero and less are refused.
func WithMaxResponseSize(bytes int64) ClientOption {
	return func(c *clientConfig) error {
		if bytes <= 0 {
			return refuse("WithMaxResponseSize", "it is not positive")
		}
		c.maxResponseSize = bytes
		return nil
	}
}

// RequestOption configures one call. Every method takes them; one that does
// not apply is ignored, and so is nil.
type RequestOption func(*requestConfig)

type requestConfig struct {
	response         *Response
	prefetch         int
	allowListChanges bool
	adopt            bool
}

func newRequestConfig(opts []RequestOption) requestConfig {
	if len(opts) == 0 {
		return requestConfig{} // without an allocation
	}
	var c requestConfig
	for _, opt := range opts {
		if opt != nil {
			opt(&c)
		}
	}
	return c
}

// reset empties the Response, which a call that is refused would leave as an
// earlier one filled it.
func (c requestConfig) reset() requestConfig {
	if c.response != nil {
		*c.response = Response{}
	}
	return c
}

// Response is what an answer had besides its value.
type Response struct {
	StatusCode int         // 0 if there was no answer
	Header     http.Header // as sent
	RequestID  string      // X-authentik-id, under which the server logs the request
	Attempts   int         // requests made for this answer
	Body       []byte      // as sent, decompressed; of an error at most 64 KiB, without the token
}

// WithResponse fills in r, on success and on error: for headers, the request
// ID, and fields that this library does not model; a call that is refused
// before it is sent empties it. On a walk it holds the page that is being
// delivered. r must not be shared by concurrent calls.
func WithResponse(r *Response) RequestOption {
	return func(c *requestConfig) { c.response = r }
}

// WithPrefetch makes an iterator request up to n pages before they are wanted,
// once it has the first one. The pages are yielded in order, with every
// guarantee of an iterator without WithPrefetch, and at most n+1 of them are in
// memory. After a refusal of the server, such as a 429, no page is requested
// ahead until a request got through. The default is 0; an iterator rejects a
// negative n.
//
// A stock authentik answers about two lists at a time, and more in flight only
// make each slower. For 1,000 flows in pages of 100, tools/bench/RESULTS.md
// has, as multiples of the walk without it:
//
//	n                       1     2     4     8     16
//	two requests at a time  1.0   0.6   0.6   0.6   0.6
//	    one request         1.0   1.0   2.0   2.0   2.5
//	any number at a time    1.0   0.6   0.4   0.3   0.2
//
// So 2 is for a stock server, more for one with more workers, and 1 only for a
// caller that is slow between two pages. Real stock servers became 1.0 to 1.9
// times as fast with two in flight, and no faster with four or eight. The size
// of the pages matters more: leave PageSize at 0.
func WithPrefetch(n int) RequestOption {
	return func(c *requestConfig) { c.prefetch = n }
}

// AllowListChanges lets a walk go on when the list changes under it, instead
// of ending with [ErrListChanged]: each flow is still delivered once, but some
// may be missed.
func AllowListChanges() RequestOption {
	return func(c *requestConfig) { c.allowListChanges = true }
}

// AdoptExisting configures [Client.FlowsInstancesCreate] and
// [Client.BindingsCreate] for programs that run more than once. If the outcome
// of the request is unknown ([ErrPerhapsDone]), or if the server rejects the
// request, the method reads the flow with that slug, or the binding with that
// target, stage and order. An object that equals the request in every field
// that was sent is returned as if it had been created. For an object that
// differs, the error names the fields. Without such an object, the error is
// that of the request. So a binding that was moved after its creation is
// created again: compare the bindings of the flow with [Client.BindingsAll]
// first.
//
// Reading requires the permission to view the object. [WithResponse] has the
// response that the returned object came in.
func AdoptExisting() RequestOption {
	return func(c *requestConfig) { c.adopt = true }
}
