package authentik

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/uuid"

	"github.com/seed-299d42e7/authentik-go/internal/transport"
	"github.com/seed-299d42e7/authentik-go/internal/wire"
)

// operation is one API operation with its arguments. Building one never
// fails: an argument that must not be sent is kept in err, and call returns it.
type operation struct {
	name        string // of the method, for errors and logs
	method      string
	route       string // path with {names} for its arguments; "" if it is the caller's
	path        string // below /api/v3/, escaped
	query       url.Values
	contentType string
	body        []byte
	repeatable  bool                  // sending it twice has the effect of sending it once
	page        int                   // of an iterator, for its errors; 0 is none
	number      int                   // of the requested page, for middleware; 0 is none
	ahead       bool                  // the page is not wanted yet
	postponed   **transport.Postponed // in: what to resume; out: where the call ended; or nil
	err         error
	accept      func(*http.Response) bool // see transport.Request
}

// nilUUID is uuid.Nil as a segment of a path.
var nilUUID = uuid.Nil.String()

// Operations by method. Each {name} in a path is replaced by the next argument,
// escaped as one segment.
var (
	get   = operations(http.MethodGet, true)
	put   = operations(http.MethodPut, true)
	del   = operations(http.MethodDelete, true)
	post  = operations(http.MethodPost, false)
	patch = operations(http.MethodPatch, false)
)

func operations(method string, repeatable bool) func(name, path string, args ...argument) operation {
	return func(name, path string, args ...argument) operation {
		o := operation{name: name, method: method, route: path, path: path, repeatable: repeatable}
		for _, a := range args {
			switch {
			case a.segment == "" || a.segment == nilUUID:
				o = o.refuse(a.field, "must not be empty")
			case a.reason != "":
				o = o.refuse(a.field, a.reason)
			case checkPath(url.PathEscape(a.segment)) != nil:
				o = o.refuse(a.field, `must not be "." or "..", nor contain a slash or a control character`)
			}
			before, name, _ := strings.Cut(o.path, "{")
			_, after, _ := strings.Cut(name, "}")
			o.path = before + url.PathEscape(a.segment) + after
		}
		return o
	}
}

// argument is one segment of a path.
type argument struct{ field, segment, reason string }

func arg(field, segment string) argument { return argument{field: field, segment: segment} }

// refuse keeps the first reason why an operation must not be sent.
func (o operation) refuse(field, reason string) operation {
	if o.err == nil {
		o.err = &ArgumentError{o.name, field, reason}
	}
	return o
}

// reader makes a value of a response, inside the retry loop. An error that Is
// io.ErrUnexpectedEOF reports a truncated body, and is retried.
type reader[T any] func(*transport.Response) (T, error)

// call sends an operation and reads its response.
func call[T any](ctx context.Context, c *Client, o operation, opts []RequestOption, read reader[T]) (T, error) {
	return callWith(ctx, c, o, newRequestConfig(opts), read)
}

func callWith[T any](ctx context.Context, c *Client, o operation, cfg requestConfig, read reader[T]) (T, error) {
	var value, none T
	cfg.reset()
	switch {
	case c == nil || c.transport == nil:
		return none, &ArgumentError{o.name, "Client", "must be made by NewClient"}
	case ctx == nil:
		return none, &ArgumentError{o.name, "ctx", "must not be nil"}
	case o.err != nil:
		return none, o.err
	}
	if c.track != nil {
		ctx = c.track(ctx)
	}
	u := withPath(c.base, c.base.EscapedPath()+o.path)
	u.RawQuery = o.query.Encode()
	var resume *transport.Postponed
	if o.postponed != nil {
		resume = *o.postponed
	}
	result := c.transport.Do(ctx, transport.Request{
		Op: o.name, Method: o.method, URL: *u, ContentType: o.contentType, Body: o.body, Repeatable: o.repeatable,
		Route: o.route, Page: o.number,
		Accept: o.accept, Ahead: o.ahead, Resume: resume,
		Decode: func(resp *transport.Response) (err error) {
			if err = readable(resp); err == nil {
				value, err = read(resp)
			}
			return err
		},
	})
	if o.postponed != nil {
		*o.postponed = result.Postponed
	}
	if err := c.outcome(target{o.name, o.method, u.EscapedPath(), o.page}, result, cfg.response); err != nil {
		if c.refused == nil {
			return none, err
		}
		again, err := c.refused(ctx, err)
		if again == nil {
			return none, err
		}
		return callWith(again, c, o, cfg, read)
	}
	return value, nil
}

// Readers, one for each kind of response. The status is part of the kind.

// object reads a JSON object with status 200.
func object[T any](checks ...func(*T) error) reader[*T] { return model(http.StatusOK, checks...) }

// created reads a JSON object with status 201.
func created[T any](checks ...func(*T) error) reader[*T] { return model(http.StatusCreated, checks...) }

// page reads a page of a list with status 200.
func page[T any](checks ...func(*Page[T]) error) reader[*Page[T]] {
	return model(http.StatusOK, checks...)
}

// array reads a JSON array with status 200.
func array[T any]() reader[[]T] {
	read := model[[]T](http.StatusOK)
	return func(resp *transport.Response) ([]T, error) {
		list, err := read(resp)
		if err != nil {
			return nil, err
		}
		return *list, nil
	}
}

// nothing reads a response without a body, with status 204.
func nothing(resp *transport.Response) (struct{}, error) {
	return struct{}{}, status(resp, http.StatusNoContent)
}

func model[T any](want int, checks ...func(*T) error) reader[*T] {
	return func(resp *transport.Response) (*T, error) {
		v := new(T)
		err := cmp.Or(status(resp, want), isJSON(resp))
		switch page, ok := any(v).(interface{ decode(body []byte) error }); {
		case err != nil:
		case ok:
			err = page.decode(resp.Body)
		default:
			err = wire.Decode(resp.Body, v)
		}
		for _, check := range checks {
			if err == nil {
				err = check(v)
			}
		}
		return v, err
	}
}

// status rejects a status other than the wanted one.
func status(resp *transport.Response, want int) error {
	if resp.StatusCode != want {
		return errors.New("unexpected status")
	}
	return nil
}
