package authentiktest

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"

	"github.com/google/uuid"
)

// reply is the response of an operation. The header fields that every response
// has are added when the reply is sent.
type reply struct {
	status      int
	contentType string
	body        []byte
	allow       string
	location    string
	retryAfter  string
	disposition string
	german      bool
	page        int  // of a list
	router      bool // from the router in front of Django

	requestID string   // "": a new one
	cookies   []string // each a Set-Cookie
	framed    bool     // a page of the server's own may show it in a frame
}

const notJSON = "text/html; charset=utf-8"

// htmlPage stands for authentik's own pages.
const htmlPage = `<!DOCTYPE html>
<html lang="en">
<head><title>authentik</title></head>
<body>page left out</body>
</html>
`

// statusMisuse is the status of no server.
const statusMisuse = 599

func html(status int) reply {
	return reply{status: status, contentType: notJSON, body: []byte(htmlPage)}
}

func (s *Server) header(a reply) http.Header {
	h := http.Header{}
	set := func(key, value string) {
		if value != "" {
			h.Set(key, value)
		}
	}
	set("Content-Type", a.contentType)
	set("Retry-After", a.retryAfter)
	if a.router {
		return h
	}
	r := s.store.rules
	set("Allow", a.allow)
	set("Location", a.location)
	set("Content-Disposition", a.disposition)
	set("Referrer-Policy", "same-origin")
	set("X-Content-Type-Options", "nosniff")
	set("X-Frame-Options", "DENY")
	if a.framed || r.framed {
		set("X-Frame-Options", "SAMEORIGIN")
	}
	set("X-Authentik-Id", cmp.Or(a.requestID, s.store.hex("request")))
	if a.cookies != nil {
		h["Set-Cookie"] = a.cookies
	}
	vary := "Cookie"
	if r.language {
		vary = "Accept-Language, Cookie"
		set("Content-Language", map[bool]string{false: "en", true: "de"}[a.german])
	}
	set("Vary", vary)
	if r.poweredBy {
		set("X-Powered-By", "authentik")
	} else {
		set("Server", "authentik")
	}
	return h
}

// answer returns the outcome of a request. Every request passes through it.
func (s *Server) answer(r *http.Request) (outcome, error) {
	if broken, err := s.reach(r.Context()); broken != nil || err != nil {
		return outcome{broken: broken}, err
	}
	body, err := readBody(r)
	if err != nil {
		return outcome{}, err
	}
	o := s.decide(r, body)
	return o, s.settle(r, o)
}

// maxBody is the longest body that authentik's router accepts.
const maxBody = 32 << 20

// readBody reads the body of a request, and one byte more than the router
// accepts of one that is longer. A body that ends too early is an error:
// authentik does not act on half a request.
func readBody(r *http.Request) ([]byte, error) {
	if r.Body == nil {
		return nil, nil
	}
	return io.ReadAll(io.LimitReader(r.Body, maxBody+1))
}

func (s *Server) decide(r *http.Request, body []byte) outcome {
	s.mu.Lock()
	defer s.mu.Unlock()
	q, handle := s.route(s.store.request(r, body))
	o := s.outcome(q, handle)
	s.record(q, o.status)
	return o
}

// ServeHTTP responds to a request as authentik does.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o, err := s.answer(r)
	switch {
	case err != nil:
		panic(http.ErrAbortHandler) // the client has gone, or the server was closed
	case o.broken != nil:
		reset(w)
		return
	}
	w.Header()["Content-Type"] = nil // unless there is one: net/http would guess
	maps.Copy(w.Header(), o.header)
	if len(o.body) > 0 {
		w.Header().Set("Content-Length", strconv.Itoa(len(o.body)))
	}
	w.WriteHeader(o.status)
	sent := o.body
	if o.cut >= 0 {
		sent = o.body[:o.cut]
	}
	_, _ = w.Write(sent) // an error means that the client has gone
	if o.cut >= 0 {
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
}

// RoundTrip responds to a request without a socket, for use as the Transport of
// an [http.Client]. A request to another host than that of the server is misuse.
func (s *Server) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		defer r.Body.Close() //nolint:errcheck // it was only read
	}
	if own, err := url.Parse(s.URL); err == nil && r.URL.Host != own.Host {
		s.misuse("a request to %s reached the server of %s", r.URL.Host, own.Host)
	}
	select {
	case <-s.done:
		return nil, errClosed
	case <-r.Context().Done():
		return nil, r.Context().Err()
	default:
	}
	o, err := s.answer(r)
	if err = cmp.Or(err, o.broken); err != nil {
		return nil, err
	}
	length := int64(len(o.body))
	var body io.Reader = bytes.NewReader(o.body)
	switch {
	case r.Method == http.MethodHead:
		body = http.NoBody
	case o.cut >= 0:
		body = io.MultiReader(bytes.NewReader(o.body[:o.cut]), cutReader{})
	}
	return &http.Response{
		Status: fmt.Sprintf("%d %s", o.status, http.StatusText(o.status)), StatusCode: o.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: o.header, Body: io.NopCloser(body), ContentLength: length, Request: r,
	}, nil
}

// newID makes identifiers that are the same in every run. Their derivation is
// one that FIPS 140 permits.
func newID(kind string, n int) uuid.UUID {
	sum := sha256.Sum256(fmt.Appendf(nil, "authentiktest:%s:%d", kind, n))
	id := uuid.UUID(sum[:16])
	id[6] = id[6]&0x0f | 0x40 // version 4
	id[8] = id[8]&0x3f | 0x80 // the variant of RFC 9562
	return id
}
