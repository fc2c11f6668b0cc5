package authentiktest

import (
	"net/http"
	"strings"

	"github.com/google/uuid"
)

const (
	badRequest           = http.StatusBadRequest
	unsupportedMediaType = http.StatusUnsupportedMediaType
)

// writes is how the objects of a model are written.
type writes[T any] struct {
	facts  func(own *T) []fact[T]
	check  func(own *T, sent values) string // the fields together
	blank  func() *T
	insert func(*T)
	moved  func(was, is *T) // after an update
	remove func(*T)
	// shown returns an object as the response to a write shows it.
	shown func(of *T, sent values) object
}

// verbs are the permissions that authentik requires for a method.
var verbs = map[string]string{post: "add", put: "change", patch: "change", del: "delete"}

// may reports whether the user has a permission, for all objects or for the
// one with that identifier.
func (q request) may(permission string, pk uuid.UUID) bool {
	switch {
	case q.user == nil:
		return false
	case q.user.superuser, q.rules.globalPermissions && q.user.may(permission):
		return true
	}
	return pk != uuid.Nil && q.user.may(permission+":"+pk.String())
}

// permission returns the name of a permission for a model.
func permission(verb, model string) string {
	return "authentik_flows." + verb + "_" + strings.ToLower(model)
}

// refusedTo returns the response to a request that does not reach its operation.
// Since 2024.4 requests about a single object get to the object first.
func (q request) refusedTo() (reply, bool) {
	if a, refused := q.refused(q.single); refused {
		return a, true
	}
	verb := verbs[q.Method]
	if verb == "" || q.single && q.rules.anonymousDetail || q.may(permission(verb, q.model), uuid.Nil) {
		return reply{}, false
	}
	return q.detail(http.StatusForbidden, noPermission), true
}

// crash is what a client sees of an error in authentik on a write: the method
// looks like one that the path does not have.
func crash() reply {
	return reply{status: http.StatusMethodNotAllowed, contentType: notJSON, allow: readOnly}
}

// done is the response to a write with nothing to show.
func (q request) done() reply {
	return reply{status: http.StatusNoContent, allow: q.allow, german: q.german}
}

func (t table[T]) create(q request) reply {
	if a, refused := q.refusedTo(); refused {
		return a
	}
	sent, problem := t.sent(q, nil)
	if problem != nil {
		return *problem
	}
	of := t.blank()
	apply(sent, of, t.facts(nil))
	t.insert(of)
	return q.json(http.StatusCreated, t.shown(of, sent))
}

// update handles PUT and PATCH. Both keep the fields that they leave out.
func (t table[T]) update(q request) reply {
	of, problem := t.writable(q)
	if problem != nil {
		return *problem
	}
	sent, problem := t.sent(q, of)
	if problem != nil {
		return *problem
	}
	was := *of
	apply(sent, of, t.facts(of))
	t.moved(&was, of)
	return q.json(http.StatusOK, t.shown(of, sent))
}

func (t table[T]) destroy(q request) reply {
	of, problem := t.writable(q)
	if problem != nil {
		return *problem
	}
	t.remove(of)
	return q.done()
}

// writable returns the object of a request that the user may write.
func (t table[T]) writable(q request) (*T, *reply) {
	if a, refused := q.refusedTo(); refused {
		return nil, &a
	}
	of, p := t.one(q)
	if p != nil {
		return nil, new(q.problem(p))
	}
	if !q.may(permission(verbs[q.Method], t.model), t.pk(of)) {
		return nil, new(q.detail(http.StatusForbidden, noPermission))
	}
	return of, nil
}

// sent returns the valid fields of a request, or the response that refuses
// them. own is the object that the request is about, or nil.
func (t table[T]) sent(q request, own *T) (values, *reply) {
	data, problem := q.object()
	if problem != nil {
		return nil, problem
	}
	v := validator{t.rules, t.model, q.Method == patch}
	sent, refusals := validate(v, t.facts(own), data)
	if refusals != nil {
		return nil, new(q.json(badRequest, body(refusals)))
	}
	if why := t.check(own, sent); why != "" {
		return nil, new(q.json(badRequest, refuse(why)))
	}
	return sent, nil
}
