package authentiktest

import (
	"fmt"
	"math/big"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/google/uuid"
)

// filter is a parameter that is compared with each row. Its parse returns what
// is wrong with an invalid value.
type filter[T any] struct {
	name  string
	parse func(text string) (keep func(*T) bool, problem string)
	// parseAll is for a parameter that may be repeated, in the place of parse.
	parseAll func(texts []string) (keep func(*T) bool, problem string)
}

// read returns what a query means to the filter.
func (f filter[T]) read(q request) (keep func(*T) bool, problem string) {
	if f.parseAll != nil {
		if texts := q.query[f.name]; len(texts) > 0 {
			return f.parseAll(texts)
		}
		return nil, ""
	}
	if text := strings.TrimSpace(q.get(f.name)); text != "" {
		return f.parse(text)
	}
	return nil, ""
}

// filtered returns the rows that a request selects, in the order in which they
// were stored.
func (t table[T]) filtered(q request) ([]*T, *problem) {
	rows := t.rows()
	search := func() *problem {
		terms, ok := t.terms(q.get("search"))
		if !ok {
			return &problem{http.StatusBadRequest, []string{"Null characters are not allowed."}}
		}
		for _, term := range terms {
			rows = slices.DeleteFunc(slices.Clone(rows), func(row *T) bool {
				return !slices.ContainsFunc(t.search, func(column func(*T) string) bool {
					return strings.Contains(strings.ToUpper(column(row)), strings.ToUpper(term))
				})
			})
		}
		return nil
	}
	if t.searchesFirst {
		if p := search(); p != nil {
			return nil, p
		}
	}
	if everything := q.user.superuser || t.globalPermissions && q.user.may(t.permission); !everything {
		rows = slices.DeleteFunc(slices.Clone(rows), func(row *T) bool {
			return !q.user.may(t.permission + ":" + t.pk(row).String())
		})
		if len(rows) == 0 && t.forbidsList {
			return nil, &problem{http.StatusForbidden, object{{"detail", noPermission}}}
		}
	}
	var wrong object
	for _, f := range t.filters {
		keep, problem := f.read(q)
		switch {
		case problem != "":
			wrong = append(wrong, member{f.name, []string{q.say(problem)}})
		case keep != nil:
			rows = slices.DeleteFunc(slices.Clone(rows), func(row *T) bool { return !keep(row) })
		}
	}
	if wrong != nil {
		return nil, &problem{http.StatusBadRequest, wrong}
	}
	if !t.searchesFirst {
		if p := search(); p != nil {
			return nil, p
		}
	}
	return rows, nil
}

// smartSplit is Django's, which keeps quoted phrases together.
var smartSplit = regexp.MustCompile(`(?:[^\s'"]*(?:(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')[^\s'"]*)+)|\S+`)

// terms returns the terms of a search, and false if authentik refuses a
// character of it.
func (t table[T]) terms(text string) (terms []string, ok bool) {
	switch {
	case len(t.search) == 0:
		return nil, true
	case !t.quotedSearch:
		return strings.Fields(strings.ReplaceAll(strings.ReplaceAll(text, "\x00", ""), ",", " ")), true
	case strings.ContainsRune(text, 0):
		return nil, false
	}
	for _, term := range smartSplit.FindAllString(text, -1) {
		term = strings.Trim(term, ",")
		if n := len(term); n > 1 && (term[0] == '"' || term[0] == '\'') && term[n-1] == term[0] {
			quote := term[:1]
			unquoted := strings.ReplaceAll(term[1:n-1], `\`+quote, quote)
			terms = append(terms, strings.ReplaceAll(unquoted, `\\`, `\`))
			continue
		}
		for word := range strings.SplitSeq(term, ",") {
			if word != "" {
				terms = append(terms, word)
			}
		}
	}
	return terms, true
}

const invalidUUID = "Enter a valid UUID."

// parseUUID parses a UUID as Python does: in any case, with or without dashes.
func parseUUID(text string) *uuid.UUID {
	hex := strings.Trim(strings.NewReplacer("urn:", "", "uuid:", "").Replace(text), "{}")
	hex = strings.ReplaceAll(hex, "-", "")
	if len(hex) != 32 {
		return nil
	}
	id, err := uuid.Parse(hex)
	if err != nil {
		return nil
	}
	return &id
}

func byUUID[T any](name string, of func(*T) uuid.UUID) filter[T] {
	return filter[T]{name: name, parse: func(text string) (func(*T) bool, string) {
		id := parseUUID(text)
		if id == nil {
			return nil, invalidUUID
		}
		return func(row *T) bool { return of(row) == *id }, ""
	}}
}

func byText[T any](name string, of func(*T) string) filter[T] {
	return filter[T]{name: name, parse: func(text string) (func(*T) bool, string) {
		if strings.ContainsRune(text, 0) {
			return nil, "Null characters are not allowed."
		}
		return func(row *T) bool { return of(row) == text }, ""
	}}
}

func byChoice[T any](r rules, name string, choices []choice, of func(*T) string) filter[T] {
	return filter[T]{name: name, parse: func(text string) (func(*T) bool, string) {
		if !allowed(r, choices, text) {
			return nil, fmt.Sprintf("Select a valid choice. %s is not one of the available choices.", text)
		}
		return func(row *T) bool { return of(row) == text }, ""
	}}
}

// byObject filters by an object that must exist.
func byObject[T any](name string, exists func(uuid.UUID) bool, of func(*T) uuid.UUID) filter[T] {
	return filter[T]{name: name, parse: func(text string) (func(*T) bool, string) {
		id := parseUUID(text)
		switch {
		case id == nil:
			return nil, fmt.Sprintf("“%s” is not a valid UUID.", text)
		case !exists(*id):
			return nil, "Select a valid choice. That choice is not one of the available choices."
		}
		return func(row *T) bool { return of(row) == *id }, ""
	}}
}

// byBool ignores a value that is neither true nor false.
func byBool[T any](name string, of func(*T) bool) filter[T] {
	return filter[T]{name: name, parse: func(text string) (func(*T) bool, string) {
		switch strings.ToLower(text) {
		case "true":
			return of, ""
		case "false":
			return func(row *T) bool { return !of(row) }, ""
		}
		return nil, ""
	}}
}

// byObjects filters by objects that must exist. A row must be related to one of
// them.
func byObjects[T any](name string, exists func(uuid.UUID) bool, of func(*T) []uuid.UUID) filter[T] {
	return filter[T]{name: name, parseAll: func(texts []string) (func(*T) bool, string) {
		var wanted []uuid.UUID
		for _, text := range texts {
			id := parseUUID(text)
			if id == nil {
				return nil, fmt.Sprintf("“%s” is not a valid UUID.", text)
			}
			wanted = append(wanted, *id)
		}
		for i, id := range wanted {
			if !exists(id) {
				return nil, fmt.Sprintf("Select a valid choice. %s is not one of the available choices.", texts[i])
			}
		}
		return func(row *T) bool {
			return slices.ContainsFunc(of(row), func(id uuid.UUID) bool { return slices.Contains(wanted, id) })
		}, ""
	}}
}

var decimal = regexp.MustCompile(`^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?$`)

// largest is the largest number that a filter accepts.
var largest = new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(50), nil))

func byNumber[T any](name string, of func(*T) int) filter[T] {
	return filter[T]{name: name, parse: func(text string) (func(*T) bool, string) {
		if !decimal.MatchString(text) {
			return nil, "Enter a number."
		}
		wanted, ok := new(big.Rat).SetString(text)
		switch {
		case !ok:
			return nil, "Enter a number."
		case wanted.Cmp(largest) > 0:
			return nil, "Ensure this value is less than or equal to 1e+50."
		}
		return func(row *T) bool { return wanted.Cmp(new(big.Rat).SetInt64(int64(of(row)))) == 0 }, ""
	}}
}
