package testkit

import (
	"cmp"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/google/uuid"

	"github.com/seed-299d42e7/authentik-go"
)

// FlowServer is an [http.Handler] that serves a list of flows page by page, as
// authentik does, and records the requests.
type FlowServer struct {
	// Slugs returns the slugs of all flows at the time when a page is requested.
	Slugs func(page int) []string
	// MaxPageSize limits the size of a page. Zero means no limit.
	MaxPageSize int
	// Alter changes the pagination of each page before it is sent.
	Alter func(*authentik.Pagination)
	// Override handles the requests for the pages that it contains.
	Override map[int]http.HandlerFunc

	mu      sync.Mutex
	queries []url.Values
}

// Letters returns a list for [FlowServer] that has a flow for each letter.
func Letters(slugs string) func(page int) []string {
	return ChangingLetters(slugs, 0, slugs)
}

// ChangingLetters returns a list for [FlowServer] that has a flow for each
// letter of slugs, and from a page on a flow for each letter of then.
func ChangingLetters(slugs string, from int, then string) func(page int) []string {
	return func(page int) []string {
		if page < from {
			return strings.Split(slugs, "")
		}
		return strings.Split(then, "")
	}
}

// ServeHTTP implements [http.Handler].
func (s *FlowServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	s.mu.Lock()
	s.queries = append(s.queries, query)
	s.mu.Unlock()
	number := cmp.Or(atoi(query.Get("page")), 1)
	if handler := s.Override[number]; handler != nil {
		handler(w, r)
		return
	}
	size := cmp.Or(atoi(query.Get("page_size")), 20)
	if s.MaxPageSize > 0 {
		size = min(size, s.MaxPageSize)
	}
	page := FlowPage(s.Slugs(number), number, size)
	if page == nil || r.URL.Path != "/api/v3/flows/instances/" {
		StaticHandler(http.StatusNotFound, JSON, `{"detail":"Invalid page."}`)(w, r)
		return
	}
	if s.Alter != nil {
		s.Alter(&page.Pagination)
	}
	body, err := json.Marshal(page)
	if err != nil {
		panic(err)
	}
	StaticHandler(http.StatusOK, JSON, string(body))(w, r)
}

// RoundTrip implements [http.RoundTripper], for use without a socket.
func (s *FlowServer) RoundTrip(req *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	s.ServeHTTP(w, req)
	return w.Result(), nil
}

// Pages returns the numbers of the pages that were requested, sorted.
func (s *FlowServer) Pages() []int {
	pages := []int{}
	for _, query := range s.Queries() {
		pages = append(pages, atoi(query.Get("page")))
	}
	slices.Sort(pages)
	return pages
}

// Queries returns the queries of all requests, in the order of their arrival.
func (s *FlowServer) Queries() []url.Values {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.queries)
}

// Reset forgets the requests so far.
func (s *FlowServer) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queries = nil
}

// FlowPage returns a page of a list as Django REST framework cuts it, or nil if
// the list has no such page.
func FlowPage(slugs []string, number, size int) *authentik.Page[authentik.Flow] {
	pages := max(1, (len(slugs)+size-1)/size)
	if number > pages {
		return nil
	}
	start, end := (number-1)*size, min(number*size, len(slugs))
	page := &authentik.Page[authentik.Flow]{Pagination: authentik.Pagination{
		Previous: number - 1, Count: len(slugs), Current: number, TotalPages: pages,
		StartIndex: min(start+1, end), EndIndex: end,
	}, Results: []authentik.Flow{}}
	if number < pages {
		page.Pagination.Next = number + 1
	}
	for _, slug := range slugs[start:end] {
		page.Results = append(page.Results, authentik.Flow{
			PK: uuid.NewSHA1(uuid.NameSpaceURL, []byte(slug)), Name: slug, Slug: slug, Title: slug,
			Stages: []uuid.UUID{}, Policies: []uuid.UUID{},
		})
	}
	return page
}

func atoi(s string) int {
	n, _ := strconv.Atoi(s) // "" is 0
	return n
}
