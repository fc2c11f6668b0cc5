package authentik

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"mime/multipart"
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
	path        string // below /api/v3/, escaped
	query       url.Values
	contentType string
	body        []byte
	repeatable  bool // sending it twice is as good as once
	page        int  // of an iterator, for its errors; 0 is none
	err         error
}

// Operations by method. Each %s of a path is replaced by the next argument,
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
		o := operation{name: name, method: method, path: path, repeatable: repeatable}
		for _, a := range args {
			switch {
			case a.reason != "":
				o = o.refuse(a.field, a.reason)
			case a.segment == "" || a.segment == uuid.Nil.String():
				o = o.refuse(a.field, "must not be empty")
			case checkPath(url.PathEscape(a.segment)) != nil:
				o = o.refuse(a.field, `must not be "." or "..", nor contain a slash or a control character`)
			}
			o.path = strings.Replace(o.path, "%s", url.PathEscape(a.segment), 1)
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

// withJSON sends v as the body.
func (o operation) withJSON(v any) operation {
	body, err := json.Marshal(v)
	if err != nil {
		return o.refuse("body", err.Error())
	}
	o.contentType, o.body = "application/json", body
	return o
}

// withForm sends a file and further fields as multipart/form-data.
func (o operation) withForm(filename string, content []byte, fields ...[2]string) operation {
	var b bytes.Buffer // no write to it fails
	form := multipart.NewWriter(&b)
	for _, f := range fields {
		_ = form.WriteField(f[0], f[1])
	}
	if content != nil {
		part, _ := form.CreateFormFile("file", filename)
		_, _ = part.Write(content)
	}
	_ = form.Close()
	o.contentType, o.body = form.FormDataContentType(), b.Bytes()
	return o
}

// reader makes a value of a response. It runs inside the retry loop: an error
// that Is io.ErrUnexpectedEOF is a body that was cut off, and is retried.
type reader[T any] func(*transport.Answer) (T, error)

// call sends an operation and reads its response.
func call[T any](ctx context.Context, c *Client, o operation, opts []RequestOption, read reader[T]) (T, error) {
	return callWith(ctx, c, o, newRequestConfig(opts).reset(), read)
}

func callWith[T any](ctx context.Context, c *Client, o operation, cfg requestConfig, read reader[T]) (T, error) {
	var value, none T
	switch {
	case c == nil || c.transport == nil:
		return none, &ArgumentError{o.name, "Client", "must be made by NewClient"}
	case ctx == nil:
		return none, &ArgumentError{o.name, "ctx", "must not be nil"}
	case o.err != nil:
		return none, o.err
	}
	u := withPath(c.base, c.base.EscapedPath()+o.path)
	u.RawQuery = o.query.Encode()
	result := c.transport.Do(ctx, transport.Request{
		Op: o.name, Method: o.method, URL: *u, ContentType: o.contentType, Body: o.body, Repeatable: o.repeatable,
		Decode: func(a *transport.Answer) (err error) { value, err = read(a); return err },
	})
	if err := c.outcome(target{o.name, o.method, u.EscapedPath(), o.page}, result, cfg.response); err != nil {
		return none, err
	}
	return value, nil
}

// Readers, one for each kind of response. The status is part of the kind.

// object reads a JSON object with status 200.
func object[T any](checks ...func(*T) error) reader[*T] { return model(http.StatusOK, checks...) }

// created reads a JSON object with status 201.
func created[T any](checks ...func(*T) error) reader[*T] { return model(http.StatusCreated, checks...) }

// page reads a page of a list.
func page[T any](checks ...func(*Page[T]) error) reader[*Page[T]] {
	return model(http.StatusOK, append([]func(*Page[T]) error{(*Page[T]).check}, checks...)...)
}

// array reads a JSON array.
func array[T any]() reader[[]T] {
	read := model[[]T](http.StatusOK)
	return func(a *transport.Answer) ([]T, error) {
		list, err := read(a)
		if err != nil {
			return nil, err
		}
		return *list, nil
	}
}

// nothing reads a response without a body.
func nothing(a *transport.Answer) (struct{}, error) {
	return struct{}{}, status(a, http.StatusNoContent)
}

// file reads the body as it is.
func file(a *transport.Answer) (*transport.Answer, error) { return a, status(a, http.StatusOK) }

func model[T any](want int, checks ...func(*T) error) reader[*T] {
	return func(a *transport.Answer) (*T, error) {
		v := new(T)
		err := cmp.Or(status(a, want), isJSON(a))
		if err == nil {
			err = wire.Decode(a.Body, v)
		}
		for _, check := range checks {
			if err == nil {
				err = check(v)
			}
		}
		return v, err
	}
}

func status(a *transport.Answer, want int) error {
	if a.StatusCode != want {
		return errors.New("unexpected status")
	}
	return nil
}

// isJSON rejects a body that begins like no JSON value. The Content-Type
// decides nothing: test servers and proxies leave it out or fold it.
func isJSON(a *transport.Answer) error {
	body := bytes.TrimLeft(a.Body, " \t\r\n")
	if len(body) == 0 {
		return errors.New("empty body")
	}
	if !strings.ContainsRune(`{["-0123456789tfn`, rune(body[0])) {
		return errors.New("not JSON: is it authentik's API?")
	}
	return nil
}
