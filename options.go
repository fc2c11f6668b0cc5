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

// ClientOption configures a [Client]. A nil option is skipped. If an option is
// repeated, the last one counts, except for [WithMiddleware] and [WithHeader],
// which accumulate.
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

// refuse returns the error of an option. newConfig names the function to which the
// option was passed.
func refuse(option, reason string) error {
	return &ArgumentError{Op: "NewClient", Field: option, Reason: reason}
}

// WithHTTPClient configures the http.Client whose Transport sends requests. If
// the Transport is nil, each request uses http.DefaultTransport. If the Timeout
// of the http.Client is shorter than [WithTimeout], that Timeout bounds an
// attempt. CheckRedirect and Jar are not used, because no redirect is followed
// and the API needs no cookies. The http.Client is not changed. NewClient
// rejects nil.
//
// Use WithHTTPClient for a private CA, a client certificate or another proxy.
// The README has an example. A Transport of the caller keeps its connections as
// net/http does. The transport of this package, which is used without
// WithHTTPClient, also dials after a timeout and replaces connections after 15
// minutes. If the program has replaced http.DefaultTransport, for example by one
// that traces or mocks, the client uses the replacement.
func WithHTTPClient(client *http.Client) ClientOption {
	return func(c *clientConfig) error {
		if client == nil {
			return refuse("WithHTTPClient", "must not be nil")
		}
		c.httpClient = client
		return nil
	}
}

// RetryPolicy configures when a failed request is sent again. A field that is
// zero has its default, and a negative duration means none.
//
// The client retries connections that fail or are cut off, and responses with
// status 408, 429, 500, 502, 503, 504, 520 to 527 and 530, and 404 if a proxy
// sent it: see [APIError.Foreign]. 504 and 524 are timeouts and retried once:
// see [WithTimeout]. The client does not retry other responses, certificates
// that do not verify, hosts that do not exist, servers that do not speak HTTP,
// responses that net/http cannot parse, and a 4xx of a proxy to CONNECT. Nor
// does it retry if the caller's context ends, or if the next wait would exceed
// its deadline. Where the server may have executed a request, GET, PUT and
// DELETE are sent again and other writes are not: see [ErrPerhapsDone].
//
// A client has a budget of 500 units for all its calls. A retry costs 5 units,
// and a success returns 1. Without units, a failure is returned at once.
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
			return refuse("WithRetry", "MaxAttempts must not be negative")
		}
		c.policy = policy
		return nil
	}
}

// WithTimeout limits the duration of one attempt, the reading of the body
// included. The default is 60 s, because a server may need that long for a list
// of many flows. After a timeout the client sends the request once more, and
// then returns an error that is [ErrAttemptTimeout]. NewClient rejects zero and
// less. The context of a call limits the whole call.
func WithTimeout(attempt time.Duration) ClientOption {
	return func(c *clientConfig) error {
		if attempt <= 0 {
			return refuse("WithTimeout", "must be positive")
		}
		c.timeout = attempt
		return nil
	}
}

// WithLogger logs each attempt at level Debug, and each retry and wait at Warn.
// A record has the operation, the method, the path, the status, the request ID,
// the duration, errors of the network, and the query. In the query all values
// are redacted but those of page, page_size and ordering. No record has a text
// of a response. The default is nil, which logs nothing.
func WithLogger(logger *slog.Logger) ClientOption {
	return func(c *clientConfig) error {
		c.logger = logger
		return nil
	}
}

// WithUserAgent puts product, such as "inventory/1.2", before this library's
// own User-Agent. NewClient rejects a product that is empty or has a control
// character.
func WithUserAgent(product string) ClientOption {
	return func(c *clientConfig) error {
		if product == "" || strings.TrimSpace(product) != product || !validHeaderValue(product) {
			return refuse("WithUserAgent", "must not be empty, begin or end with a space, or have a control character")
		}
		c.userAgent = product
		return nil
	}
}

// WithHeader adds a header to every request, such as one that a proxy in front
// of the server requires. Its value is treated as a secret. NewClient rejects a
// malformed header, a header that this library or net/http sets (Authorization,
// Host, Accept, Accept-Encoding, User-Agent, Content-…), and a hop-by-hop
// header.
func WithHeader(key, value string) ClientOption {
	return func(c *clientConfig) error {
		key := textproto.CanonicalMIMEHeaderKey(key)
		switch {
		case !validHeaderName(key):
			return refuse("WithHeader", "must have the name of a header")
		case key == "User-Agent":
			return refuse("WithHeader", "use WithUserAgent")
		case reservedHeader(key):
			return refuse("WithHeader", "must not set this header, which the client or net/http sets")
		case !validHeaderValue(value):
			return refuse("WithHeader", "must not have a control character in its value")
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
			return refuse("WithMiddleware", "must not be nil")
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
	// /flows/bindings/{fsb_uuid}/. Route is fit for the label of a metric.
	// Route is "" for Get, Do and ListAll, whose path is the caller's.
	Route string
	// Attempt counts the requests of a call, from 1.
	Attempt int
	// Page is the requested page of a list, 0 if that is the server's choice or
	// if the operation is no list.
	Page int
}

// RequestInfo returns the Info in the context of a request that a middleware
// got from a [Client], and false for any other context.
func RequestInfo(ctx context.Context) (Info, bool) {
	info, ok := transport.InfoOf(ctx)
	if info.Route != "" {
		info.Route = "/" + info.Route
	}
	return Info(info), ok
}

// WithInsecureHTTP allows a base URL with http:// for hosts other than the
// loopback ones. Anyone on the network path can then read the token.
func WithInsecureHTTP() ClientOption {
	return func(c *clientConfig) error {
		c.insecureHTTP = true
		return nil
	}
}

// WithMaxResponseSize limits the body of a response, in bytes after
// decompression. The default is 8 MiB, about 15,000 flows. A larger body is a
// [DecodeError] that is [ErrResponseTooLarge]. NewClient rejects zero and less.
func WithMaxResponseSize(bytes int64) ClientOption {
	return func(c *clientConfig) error {
		if bytes <= 0 {
			return refuse("WithMaxResponseSize", "must be positive")
		}
		c.maxResponseSize = bytes
		return nil
	}
}

// RequestOption configures one call. Every method takes request options. An option
// that does not apply to the method is ignored, and so is nil.
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

// reset empties the Response. A call that is rejected before it is sent would
// otherwise leave the response of an earlier call in it.
func (c requestConfig) reset() {
	if c.response != nil {
		*c.response = Response{}
	}
}

// Response describes the HTTP response of a call.
type Response struct {
	// StatusCode is 0 if there was no response.
	StatusCode int
	Header     http.Header
	// RequestID is the X-authentik-id header. authentik logs it as request_id.
	RequestID string
	// Attempts is the number of requests of the call.
	Attempts int
	// Body is the decompressed body. The Body of an error has at most 64 KiB, with
	// secrets redacted.
	Body []byte
}

// WithResponse stores the HTTP response of the call in r, on success and on
// error. r has the headers, the request ID, and the fields that this library
// does not model. A call that is rejected before it is sent empties r. During
// an iteration r has the response of the page whose items are yielded.
// Concurrent calls must not share r.
func WithResponse(r *Response) RequestOption {
	return func(c *requestConfig) { c.response = r }
}

// WithPrefetch makes an iterator request up to n pages before they are wanted,
// once the first page has arrived. The pages are yielded in order, with every
// guarantee of an iterator without WithPrefetch, and at most n+1 of them are in
// memory. After a refusal of the server, such as a 429, no page is requested
// ahead until a request has succeeded. The default is 0, and an iterator rejects
// a negative n.
//
// A stock authentik handles about two lists at a time, and more in flight only
// slow each other down. For 1,000 flows in pages of 100, tools/bench/RESULTS.md
// has these times as multiples of the time without WithPrefetch:
//
//	n                       1     2     4     8     16
//	two requests at a time  1.0   0.6   0.6   0.6   0.6
//	    one request         1.0   1.0   2.0   2.0   2.5
//	any number at a time    1.0   0.6   0.4   0.3   0.2
//
// So 2 is for a stock server, more for a server with more workers, and 1 only
// for a caller that is slow between two pages. Real stock servers became 1.0 to
// 1.9 times as fast with two in flight, and no faster with four or eight. The
// size of the pages matters more: leave PageSize at 0.
func WithPrefetch(n int) RequestOption {
	return func(c *requestConfig) { c.prefetch = n }
}

// AllowListChanges makes an iterator continue when the list changes, instead of
// ending with [ErrListChanged]. Each item is yielded once, but some may be
// missed.
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
