package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/seed-299d42e7/authentik-go/internal/testkit/recording"
)

// The two shapes of an answer that differ: up to 2025.10, and since.
var versions = []string{"2024.10.0", "2026.8.0-rc1"}

// A stock server, as measured on real ones (2024.10.0, two cores, two
// workers): 46 ms for a page of 20 flows, 66 ms for one of 100, two requests
// at a time, whatever waits.
const (
	stock         = "stock"
	stockWorkers  = 2
	stockRequest  = 41 * time.Millisecond
	stockFlow     = 250 * time.Microsecond
	stockPageSize = 20
	stockMaxSize  = 100
)

// server answers as recorded servers did, with as many flows as it is asked
// for and as late: /{version}/{flows}/{delay}/api/v3/… . {flows} is the length
// of the list, or of a binding's flow_set; {delay} is that of an answer, such
// as 20ms, or "stock".
type server struct {
	http.ServeMux

	versions map[string]*content
	bodies   sync.Map // made once, so that the server costs next to nothing
	workers  chan struct{}
}

// content is what a version's servers send.
type content struct {
	templates []template
	binding   []byte   // as recorded
	bindingID string   // of binding
	flowSet   []byte   // the JSON array in it
	inFlowSet template // its first element
}

// template is a recorded flow, out of which others are made.
type template struct {
	json         []byte
	pk, ptr, own string // the values to be replaced
}

func newTemplate(flow json.RawMessage) (template, error) {
	var key struct {
		PK   string `json:"pk"`
		Ptr  string `json:"policybindingmodel_ptr_id"`
		Slug string `json:"slug"`
	}
	err := json.Unmarshal(flow, &key)
	return template{flow, key.PK, key.Ptr, key.Slug}, err
}

// number makes the flow of that number: the same but for what is unique.
func (t template) number(i int) []byte {
	id := func(kind string) string { return uuid.NewSHA1(uuid.Nil, fmt.Append(nil, kind, i)).String() }
	slug := fmt.Sprintf("%s-%d", t.own, i)
	return []byte(strings.NewReplacer(
		t.pk, id("pk"), t.ptr, id("ptr"),
		`"slug":"`+t.own+`"`, `"slug":"`+slug+`"`, "/"+t.own+"/", "/"+slug+"/",
	).Replace(string(t.json)))
}

func newServer(recordings string) (*server, error) {
	s := &server{versions: map[string]*content{}, workers: make(chan struct{}, stockWorkers)}
	s.HandleFunc("GET /{version}/{flows}/{delay}/api/v3/flows/instances/{$}", s.answer((*content).list))
	s.HandleFunc("GET /{version}/{flows}/{delay}/api/v3/flows/bindings/{id}/{$}", s.answer((*content).retrieve))
	for _, version := range versions {
		c, err := load(recordings, version)
		if err != nil {
			return nil, fmt.Errorf("recordings of %s: %w", version, err)
		}
		s.versions[version] = c
	}
	return s, nil
}

func load(recordings, version string) (*content, error) {
	exchanges, err := recording.Load(os.DirFS(recordings), version+".jsonl")
	if err != nil {
		return nil, err
	}
	c := &content{}
	for _, e := range exchanges {
		switch e.ID {
		case "walk_100_p1", "walk_100_p2":
			var page struct{ Results []json.RawMessage }
			if err := json.Unmarshal(e.Response.Body(), &page); err != nil {
				return nil, err
			}
			for _, flow := range page.Results {
				t, err := newTemplate(flow)
				if err != nil {
					return nil, err
				}
				c.templates = append(c.templates, t)
			}
		case "binding_retrieve_0":
			var binding struct {
				PK       string
				StageObj struct {
					FlowSet json.RawMessage `json:"flow_set"`
				} `json:"stage_obj"`
			}
			var flows []json.RawMessage
			c.binding = e.Response.Body()
			if err := errors.Join(json.Unmarshal(c.binding, &binding), json.Unmarshal(binding.StageObj.FlowSet, &flows)); err != nil {
				return nil, err
			}
			if len(flows) == 0 {
				return nil, errors.New("a binding without flows")
			}
			c.bindingID, c.flowSet = binding.PK, binding.StageObj.FlowSet
			if c.inFlowSet, err = newTemplate(flows[0]); err != nil {
				return nil, err
			}
		}
	}
	if len(c.templates) == 0 || c.binding == nil {
		return nil, errors.New("no flows, or no binding")
	}
	return c, nil
}

// list is the body of a page, or nil if there is no such page.
func (c *content) list(r *http.Request, flows int) []byte {
	size, most := 100, flows
	if r.PathValue("delay") == stock {
		size, most = stockPageSize, stockMaxSize
	}
	if n := parameter(r, "page_size"); n > 0 {
		size = max(min(n, most), 1)
	}
	number, pages := max(parameter(r, "page"), 1), (flows+size-1)/size
	if number > pages {
		return nil
	}
	from, to, next := (number-1)*size, min(number*size, flows), number+1
	if number == pages {
		next = 0
	}
	body := fmt.Appendf(nil, `{"pagination":{"next":%d,"previous":%d,"count":%d,"current":%d,"total_pages":%d,"start_index":%d,"end_index":%d},"results":[`,
		next, number-1, flows, number, pages, from+1, to)
	for i := from; i < to; i++ {
		body = append(append(body, c.templates[i%len(c.templates)].number(i)...), ',')
	}
	return append(bytes.TrimSuffix(body, []byte(",")), `],"autocomplete":{}}`...)
}

// parameter reads a parameter of the query: a number, or 0.
func parameter(r *http.Request, name string) int {
	n, _ := strconv.Atoi(r.URL.Query().Get(name))
	return n
}

// retrieve is the body of the binding, whose stage is part of that many flows.
func (c *content) retrieve(r *http.Request, flows int) []byte {
	if r.PathValue("id") != c.bindingID {
		return nil
	}
	set := make([][]byte, flows)
	for i := range set {
		set[i] = c.inFlowSet.number(i)
	}
	return bytes.Replace(c.binding, c.flowSet, fmt.Appendf(nil, "[%s]", bytes.Join(set, []byte(","))), 1)
}

func (s *server) answer(body func(*content, *http.Request, int) []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		delay, err := time.ParseDuration(r.PathValue("delay"))
		isStock := r.PathValue("delay") == stock
		flows, _ := strconv.Atoi(r.PathValue("flows"))
		c := s.versions[r.PathValue("version")]
		if c == nil || flows < 1 || err != nil && !isStock {
			http.Error(w, "the path is not /{version}/{flows}/{delay}/api/v3/…", http.StatusBadRequest)
			return
		}
		if isStock {
			s.workers <- struct{}{}
			defer func() { <-s.workers }()
			began = time.Now()
		}
		key := fmt.Sprint(r.PathValue("version"), flows, isStock, r.PathValue("id"), r.URL.RawQuery)
		made, _ := s.bodies.Load(key)
		answer, ok := made.([]byte)
		if !ok {
			answer = body(c, r, flows)
			s.bodies.Store(key, answer)
		}
		status := http.StatusOK
		if answer == nil {
			answer, status = []byte(`{"detail":"Not found."}`), http.StatusNotFound
		}
		if isStock {
			delay = stockRequest + time.Duration(bytes.Count(answer, []byte(`"slug":`)))*stockFlow
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(len(answer)))
		w.Header().Set("Vary", "Accept-Language, Cookie")
		w.Header().Set("X-Authentik-Id", "c571b49f69b74434976805b094dcbd52")
		time.Sleep(delay - time.Since(began)) // none if that is not positive
		w.WriteHeader(status)
		_, _ = w.Write(answer) // a client that has gone needs none
	}
}

// serve is the process of the server: it prints its URL, and ends when its
// standard input does, which is when the report's process ends.
func serve(recordings string, in io.Reader, out io.Writer) error {
	s, err := newServer(recordings)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(out, "http://%s\n", listener.Addr()); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- (&http.Server{Handler: s, ReadHeaderTimeout: time.Minute}).Serve(listener) }()
	go func() {
		_, err := io.Copy(io.Discard, in)
		ended <- err
	}()
	return <-ended
}
