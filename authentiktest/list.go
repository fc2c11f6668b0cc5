package authentiktest

import (
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

func (t table[T]) retrieve(q request) reply {
	if a, refused := q.refused(true); refused {
		return a
	}
	row, p := t.one(q)
	if p != nil {
		return q.problem(p)
	}
	return q.json(http.StatusOK, t.render(row))
}

// one returns the object that the path names. The query narrows it, too.
func (t table[T]) one(q request) (*T, *problem) {
	rows, p := t.filtered(q)
	if p != nil {
		return nil, p
	}
	missing := t.missing()
	is := t.named(q.segment(2))
	if is == nil {
		missing = "Not found." // authentik does not even look for it
	} else if i := slices.IndexFunc(rows, is); i >= 0 {
		return rows[i], nil
	}
	return nil, &problem{http.StatusNotFound, object{{"detail", missing}}}
}

// missing returns what a 404 says.
func (t table[T]) missing() string {
	if t.namesMissing {
		return fmt.Sprintf("No %s matches the given query.", t.model)
	}
	return "Not found."
}

func (t table[T]) list(q request) reply {
	if a, refused := q.refused(false); refused {
		return a
	}
	found, p := t.filtered(q)
	if p != nil {
		return q.problem(p)
	}
	ordering, size := t.ordering(q.get("ordering")), t.pageSize(q)
	if size == 0 || slices.ContainsFunc(ordering, fails) {
		return html(http.StatusInternalServerError)
	}
	pages := max(1, (len(found)+size-1)/size)
	current := t.pageNumber(q, pages)
	if current < 1 || current > pages {
		return q.detail(http.StatusNotFound, "Invalid page.")
	}
	first := (current - 1) * size
	last := min(first+size, len(found))
	next := current + 1
	if current == pages {
		next = 0
	}
	results := []object{}
	for _, row := range t.page(found, ordering, first, last-first) {
		results = append(results, t.render(row))
	}
	body := object{
		{"pagination", object{
			{"next", next},
			{"previous", current - 1},
			{"count", len(found)},
			{"current", current},
			{"total_pages", pages},
			{"start_index", min(first+1, len(found))},
			{"end_index", last},
		}},
		{"results", results},
	}
	if !t.bareResults {
		body = append(body, member{"autocomplete", object{}})
	}
	a := q.json(http.StatusOK, body)
	a.page = current
	return a
}

// pageNumber returns the number of the page that is wanted, or 0 for none.
func (t table[T]) pageNumber(q request, pages int) int {
	switch number := strings.TrimSpace(q.get("page")); {
	case !q.query.Has("page"), number == "" && t.emptyPageIsFirst:
		return 1
	case number == "last":
		return pages
	default:
		current, err := strconv.Atoi(number)
		if err != nil {
			return 0
		}
		return current
	}
}

// ordering returns the fields of a parameter that a list may be ordered by;
// the rest is ignored.
func (t table[T]) ordering(text string) (fields []string) {
	for field := range strings.SplitSeq(text, ",") {
		field = strings.TrimSpace(field)
		if name := strings.TrimPrefix(field, "-"); t.orderings[name] != nil {
			fields = append(fields, field)
		}
	}
	if fields == nil {
		return t.defaults
	}
	return fields
}

// pageSize returns how many rows are on a page. Zero makes the server fail.
func (t table[T]) pageSize(q request) int {
	if !q.query.Has("page_size") {
		return t.defaultPageSize
	}
	text := strings.TrimSpace(q.get("page_size"))
	size, err := strconv.Atoi(text)
	switch {
	case err != nil && len(strings.Trim(text, "0123456789")) == 0 && text != "":
		size = math.MaxInt32 // longer than an int
	case err != nil || size < 1:
		if t.badPageSizeFails {
			return 0
		}
		return t.defaultPageSize
	}
	if t.maxPageSize > 0 {
		return min(size, t.maxPageSize)
	}
	return min(size, math.MaxInt32)
}

// page orders rows and returns limit of them. A field that joins makes several
// rows of one, and so others fall off the end.
func (t table[T]) page(found []*T, ordering []string, offset, limit int) (on []*T) {
	rows, keys := make([]row[T], len(found)), make([]string, len(found)*len(ordering))
	for i, of := range found {
		rows[i].of, rows[i].keys = of, keys[i*len(ordering):i*len(ordering):(i+1)*len(ordering)]
	}
	var descending []bool
	for _, field := range ordering {
		name := strings.TrimPrefix(field, "-")
		descending = append(descending, name != field)
		joined := make([]row[T], 0, len(rows))
		for _, r := range rows {
			values := t.orderings[name](r.of)
			if len(values) == 0 {
				values = []string{"\xff\xff"} // NULL, the last one
			}
			joined = append(joined, row[T]{r.of, append(r.keys, values[0])})
			for _, value := range values[1:] {
				joined = append(joined, row[T]{r.of, append(slices.Clip(r.keys), value)})
			}
		}
		rows = joined
	}
	if len(ordering) > 0 {
		rows = page(rows, descending, offset, limit)
	} else {
		rows = rows[offset : offset+limit]
	}
	for _, r := range rows {
		on = append(on, r.of)
	}
	return on
}

// bytewise returns a value in a form that compares as bytes like the value in
// the database.
func bytewise(value any) string {
	switch value := value.(type) {
	case uuid.UUID:
		return string(value[:])
	case bool:
		return strconv.FormatBool(value) // false, true
	case int:
		return fmt.Sprintf("%012d", int64(value)+1<<31) // a database's integer has 32 bits
	case string:
		return value
	}
	panic("authentiktest: nothing to order by")
}

func sortable[T any](fields []field[T]) map[string]func(*T) []string {
	orderings := map[string]func(*T) []string{}
	for _, f := range fields {
		if f.sortable {
			orderings[f.key] = func(of *T) []string { return []string{bytewise(f.value(of))} }
		}
	}
	return orderings
}

func bytewiseAll(ids []uuid.UUID) (values []string) {
	for _, id := range ids {
		values = append(values, bytewise(id))
	}
	return values
}

// byPK is for paths with an identifier.
func byPK[T any](pk func(*T) uuid.UUID) func(string) func(*T) bool {
	return func(segment string) func(*T) bool {
		id := parseUUID(segment)
		if id == nil {
			return nil
		}
		return func(row *T) bool { return pk(row) == *id }
	}
}
