package authentik

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/seed-299d42e7/authentik-go/internal/transport"
	"github.com/seed-299d42e7/authentik-go/internal/wire"
)

// request is one GET.
type request struct {
	op, path string // path below /api/v3/, escaped
	query    url.Values
	page     int  // of a walk, for its errors; 0 is none
	anyBody  bool // the body is not decoded
}

// get is the way of every operation: the request to the transport, the answer
// to decode (within the retry loop: a cut body is asked for again), and what
// goes wrong to one of the error types.
func get[T any](ctx context.Context, c *Client, r request, cfg requestConfig, decode func([]byte) (*T, error)) (*T, error) {
	if c == nil || c.c == nil {
		return nil, &ArgumentError{r.op, "Client", "it was not made by NewClient"}
	}
	if ctx == nil {
		return nil, &ArgumentError{r.op, "ctx", "it is nil"}
	}
	u := withPath(c.c.base, c.c.base.EscapedPath()+r.path)
	u.RawQuery = r.query.Encode()
	var value *T
	result := c.c.transport.Do(ctx, transport.Request{
		Op: r.op, Method: http.MethodGet, URL: *u,
		Judge: func(a *transport.Answer) (err error) {
			if !r.anyBody {
				if err := usable(a); err != nil {
					return err
				}
			}
			value, err = decode(a.Body)
			return err
		},
	})
	err := c.c.outcome(target{r.op, http.MethodGet, u.EscapedPath(), r.page}, result, cfg.response)
	if err != nil {
		return nil, err
	}
	return value, nil
}

// usable refuses an answer that cannot be a JSON value, before it is decoded.
func usable(a *transport.Answer) error {
	contentType := a.Header.Get("Content-Type")
	switch {
	case a.StatusCode != http.StatusOK:
		return errors.New("unexpected status")
	case len(bytes.TrimSpace(a.Body)) == 0:
		return errors.New("empty body")
	case contentType != "" && !jsonType(contentType):
		return errors.New("not JSON: is it authentik's API?")
	}
	return nil
}

func jsonType(contentType string) bool {
	mediaType, _, _ := strings.Cut(contentType, ";")
	mediaType = strings.ToLower(strings.TrimSpace(mediaType))
	return mediaType == "application/json" || strings.HasSuffix(mediaType, "+json")
}

// outcome turns a result into an error, if it is one, and fills in response.
func (c *client) outcome(t target, r transport.Result, response *Response) error {
	var err error
	var answer *APIError
	if a := r.Answer; a != nil && !a.OK() {
		answer, err = newAPIError(t, a, r, c.transport.Blot)
	}
	switch {
	case r.Judged:
		err = newDecodeError(t, r.Answer, r, c.transport.Blot)
	case r.Err != nil:
		err = &RequestError{t.op, t.method, t.path, r.Attempts, quiet(r.Err, c.transport.Blot), answer, t.note(r)}
	}
	if response != nil {
		*response = Response{Attempts: r.Attempts}
		if a := r.Answer; a != nil {
			response.StatusCode, response.Header, response.Body = a.StatusCode, a.Header, a.Body
			response.RequestID = a.Header.Get(transport.RequestIDHeader)
		}
		if answer != nil {
			response.Body = bytes.Clone(answer.Body)
		}
	}
	return err
}

// decode is for what has a table.
func decode[T any](fields *wire.Object[T]) func([]byte) (*T, error) {
	return func(body []byte) (*T, error) {
		v := new(T)
		return v, wire.Decode(body, fields, v)
	}
}

// unmarshal is UnmarshalJSON for what has a table: as tolerant and as strict
// as the client, and nothing is left of the earlier value.
func unmarshal[T any](data []byte, fields *wire.Object[T], v *T) error {
	var fresh T
	if err := wire.Decode(data, fields, &fresh); err != nil {
		return undecodable(data, err)
	}
	*v = fresh
	return nil
}

func undecodable(data []byte, err error) error {
	e := &DecodeError{Err: err}
	e.locate(err, data, func(s string) string { return s })
	return e
}

// marshal is json.Marshal but for its HTML escapes, which are then the outer
// encoder's to make.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// list keeps an empty list from being marshaled as null.
func list[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
