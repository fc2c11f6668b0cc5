package authentik

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
)

// query collects the parameters of a list. The first value that the server
// would ignore or misunderstand is kept in err.
type query struct {
	name   string // of the method
	values url.Values
	page   int
	err    error
}

func newQuery(name string) *query { return &query{name: name, values: url.Values{}} }

func (q *query) operation(path string) operation {
	o := get(q.name, path)
	o.query, o.number, o.err = q.values, q.page, q.err
	return o
}

func (q *query) refuse(field, reason string) {
	if q.err == nil {
		q.err = &ArgumentError{q.name, field, reason}
	}
}

// text sets a parameter unless value is "".
func (q *query) text(field, key, value string) { q.separated(field, key, value, "") }

// search sets the words to search for, which commas and NULs separate too.
func (q *query) search(value string) { q.separated("Search", "search", value, ",\x00") }

func (q *query) separated(field, key, value, separators string) {
	blank := func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(separators, r) }
	switch {
	case value == "":
		return
	case !utf8.ValidString(value):
		q.refuse(field, "must be valid UTF-8")
	case strings.TrimFunc(value, blank) == "":
		q.refuse(field, "must not be blank (authentik would ignore the filter and list everything)")
	}
	q.values.Set(key, value)
}

// id sets a parameter unless value is uuid.Nil.
func (q *query) id(key string, value uuid.UUID) {
	if value != uuid.Nil {
		q.values.Set(key, value.String())
	}
}

// flag sets a parameter unless value is nil.
func (q *query) flag(key string, value *bool) {
	if value != nil {
		q.values.Set(key, strconv.FormatBool(*value))
	}
}

// paging sets the page and its size unless they are 0.
func (q *query) paging(page, size int) {
	for _, number := range []struct {
		field, key string
		value      int
	}{{"Page", "page", page}, {"PageSize", "page_size", size}} {
		if number.value < 0 {
			q.refuse(number.field, "must not be negative")
		}
		if number.value > 0 {
			q.values.Set(number.key, strconv.Itoa(number.value))
		}
	}
	q.page = page
}

// ordering sets an order and makes it total: unique, a field without equal
// values, becomes its last one.
func (q *query) ordering(value string, allowed []string, unique string) {
	if value == "" {
		return
	}
	var fields []string
	total := false
	for field := range strings.SplitSeq(value, ",") {
		field = strings.TrimSpace(field)
		name := strings.TrimPrefix(field, "-")
		if !slices.Contains(allowed, name) {
			q.refuse("Ordering", fmt.Sprintf("cannot order by %.60q; use %s", field, strings.Join(allowed, ", ")))
		}
		total = total || name == unique
		fields = append(fields, field)
	}
	if !total {
		fields = append(fields, unique)
	}
	q.values.Set("ordering", strings.Join(fields, ","))
}
