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
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/seed-299d42e7/authentik-go/internal/testkit/recording"
)

// The two shapes of an answer that differ: up to 2025.10, and since.
var versions = []string{"2024.10.0", "2026.8.0-rc1"}

// pace is how a server answers: late, two requests at a time, in pages of its
// own size.
type pace struct {
	request, row time.Duration // of an answer, and more for each flow or binding
	size, most   int           // flows of a page by default, and at most
}

const workers = 2 // of a server with a pace

// The pace of real servers (two cores, two workers). A page of 20 flows took
// 2024.10.0 46 ms, and one of 100 flows 66 ms; 2026.8.0-rc1 77 and 150 ms.
// Pages of 20 by default came with 2025.10. The time of a list of bindings was
// not measured: a binding is taken to cost what a flow does.
const (
	stock     = "stock"      // as fast as 2024.10.0, in pages of 20
	stock2026 = "stock-2026" // 2026.8.0-rc1
)

var paces = map[string]pace{
	stock:     {41 * time.Millisecond, 250 * time.Microsecond, 20, 100},
	stock2026: {58750 * time.Microsecond, 912500 * time.Nanosecond, 20, 100},
}

// answer is the time of an answer with that many flows or bindings.
func (p pace) answer(rows int) time.Duration { return p.request + time.Duration(rows)*p.row }

// server answers as recorded servers did, with as many flows as it is asked
// for and as late: /{version}/{flows}/{delay}/api/v3/… . {flows} is the length
// of the list, of which each has two bindings, or of a binding's flow_set;
// {delay} is that of an answer, such as 20ms, or the name of a pace.
type server struct {
	http.ServeMux

	versions map[string]*content
	logins   logins
	made     sync.Map // answers, so that the server costs next to nothing
	workers  chan struct{}
}

// answer is what a server sends.
type answer struct {
	status int
	body   []byte
	rows   int
}

// content is what a version's servers send.
type content struct {
	templates []template
	created   template
	bindings  []bindingTemplate
	version   []byte // as recorded, and so is the binding
	binding   []byte
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
	return t.with(id("pk", i), id("ptr", i), fmt.Sprintf("%s-%d", t.own, i))
}

func (t template) with(pk, ptr, slug string) []byte {
	return []byte(strings.NewReplacer(
		t.pk, pk, t.ptr, ptr,
		`"slug":"`+t.own+`"`, `"slug":"`+slug+`"`, "/"+t.own+"/", "/"+slug+"/",
	).Replace(string(t.json)))
}

// id is the identifier of the thing of that kind and number.
func id(kind string, i int) string { return uuid.NewSHA1(uuid.Nil, fmt.Append(nil, kind, i)).String() }

// bindingTemplate is a recorded binding, out of which others are made.
type bindingTemplate struct {
	json            []byte
	pk, ptr, target string // the values to be replaced
}

// bindingsOfAFlow is how many bindings each flow has.
const bindingsOfAFlow = 2

// number makes the binding of that number.
func (t bindingTemplate) number(i int) []byte {
	return []byte(strings.NewReplacer(
		t.pk, id("binding", i), t.ptr, id("binding ptr", i), t.target, id("pk", i/bindingsOfAFlow),
	).Replace(string(t.json)))
}

func newServer(recordings string) (*server, error) {
	s := &server{versions: map[string]*content{}, workers: make(chan struct{}, workers)}
	const base = " /{version}/{flows}/{delay}/api/v3/flows/"
	for pattern, content := range map[string]func(*content, *http.Request, int) answer{
		"GET" + base + "instances/{$}":           (*content).list,
		"POST" + base + "instances/{$}":          (*content).create,
		"PATCH" + base + "instances/{slug}/{$}":  (*content).change,
		"DELETE" + base + "instances/{slug}/{$}": (*content).remove,
		"GET" + base + "bindings/{$}":            (*content).listBindings,
		"GET" + base + "bindings/{id}/{$}":       (*content).retrieve,

		"GET /{version}/{flows}/{delay}/api/v3/admin/version/{$}": (*content).release,
	} {
		s.HandleFunc(pattern, s.answer(content))
	}
	s.HandleFunc("/{version}/{flows}/{delay}/api/v3/flows/executor/{slug}/{$}", s.logins.serve)
	s.HandleFunc("GET /{version}/{flows}/{delay}/api/v3/core/users/me/{$}", s.logins.serve)
	for _, version := range versions {
		c, err := loadContent(recordings, version)
		if err != nil {
			return nil, fmt.Errorf("recordings of %s: %w", version, err)
		}
		s.versions[version] = c
	}
	sequence := path.Join("sequences", versions[1], "login.jsonl")
	login, err := recording.Load(os.DirFS(filepath.Dir(recordings)), sequence)
	if err != nil {
		return nil, err
	}
	return s, s.logins.learn(login)
}

func loadContent(recordings, version string) (*content, error) {
	exchanges, err := recording.Load(os.DirFS(recordings), version+".jsonl")
	if err != nil {
		return nil, err
	}
	c := &content{}
	for _, e := range exchanges {
		if err := c.learn(e); err != nil {
			return nil, fmt.Errorf("%s: %w", e.ID, err)
		}
	}
	if len(c.templates) == 0 || len(c.bindings) == 0 || c.binding == nil || c.created.json == nil || c.version == nil {
		return nil, errors.New("no flows, or no bindings")
	}
	return c, nil
}

// learn keeps what a recorded exchange shows.
func (c *content) learn(e recording.Exchange) error {
	var page struct{ Results []json.RawMessage }
	switch e.ID {
	case "walk_100_p1", "walk_100_p2":
		if err := json.Unmarshal(e.Response.Body(), &page); err != nil {
			return err
		}
		for _, flow := range page.Results {
			t, err := newTemplate(flow)
			if err != nil {
				return err
			}
			c.templates = append(c.templates, t)
		}
	case "admin_version":
		c.version = e.Response.Body()
	case "create_minimal":
		var err error
		c.created, err = newTemplate(e.Response.Body())
		return err
	case "bindings_list":
		if err := json.Unmarshal(e.Response.Body(), &page); err != nil {
			return err
		}
		for _, binding := range page.Results {
			var key struct {
				PK     string `json:"pk"`
				Ptr    string `json:"policybindingmodel_ptr_id"`
				Target string `json:"target"`
			}
			if err := json.Unmarshal(binding, &key); err != nil {
				return err
			}
			c.bindings = append(c.bindings, bindingTemplate{binding, key.PK, key.Ptr, key.Target})
		}
	case "binding_retrieve_0":
		return c.learnBinding(e.Response.Body())
	}
	return nil
}

func (c *content) learnBinding(body []byte) error {
	var binding struct {
		PK       string
		StageObj struct {
			FlowSet json.RawMessage `json:"flow_set"`
		} `json:"stage_obj"`
	}
	var flows []json.RawMessage
	if err := errors.Join(json.Unmarshal(body, &binding), json.Unmarshal(binding.StageObj.FlowSet, &flows)); err != nil {
		return err
	}
	if len(flows) == 0 {
		return errors.New("a binding without flows")
	}
	c.binding, c.bindingID, c.flowSet = body, binding.PK, binding.StageObj.FlowSet
	var err error
	c.inFlowSet, err = newTemplate(flows[0])
	return err
}

var notFound = answer{http.StatusNotFound, []byte(`{"detail":"Not found."}`), 0}

// list is a page of flows.
func (c *content) list(r *http.Request, flows int) answer {
	return pageOf(r, 0, flows, func(i int) []byte { return c.templates[i%len(c.templates)].number(i) })
}

// listBindings is a page of the bindings of all flows, or of one.
func (c *content) listBindings(r *http.Request, flows int) answer {
	first, count := 0, bindingsOfAFlow*flows
	if target := r.URL.Query().Get("target"); target != "" {
		n := 0
		for n < flows && id("pk", n) != target {
			n++
		}
		if n == flows {
			return answer{http.StatusBadRequest, []byte(`{"target":["Select a valid choice."]}`), 0}
		}
		first, count = n*bindingsOfAFlow, bindingsOfAFlow
	}
	return pageOf(r, first, count, func(i int) []byte { return c.bindings[i%len(c.bindings)].number(i) })
}

// pageOf is the page that is requested of a list, whose items are numbered from
// first.
func pageOf(r *http.Request, first, count int, item func(int) []byte) answer {
	size, most := 100, count
	if p, ok := paces[r.PathValue("delay")]; ok {
		size, most = p.size, p.most
	}
	if n := parameter(r, "page_size"); n > 0 {
		size = max(min(n, most), 1)
	}
	number, pages := max(parameter(r, "page"), 1), (count+size-1)/size
	if number > pages {
		return notFound
	}
	from, to, next := (number-1)*size, min(number*size, count), number+1
	if number == pages {
		next = 0
	}
	body := fmt.Appendf(nil, `{"pagination":{"next":%d,"previous":%d,"count":%d,"current":%d,"total_pages":%d,"start_index":%d,"end_index":%d},"results":[`,
		next, number-1, count, number, pages, from+1, to)
	for i := from; i < to; i++ {
		body = append(append(body, item(first+i)...), ',')
	}
	return answer{http.StatusOK, append(bytes.TrimSuffix(body, []byte(",")), `],"autocomplete":{}}`...), to - from}
}

// parameter reads a parameter of the query: a number, or 0.
func parameter(r *http.Request, name string) int {
	n, _ := strconv.Atoi(r.URL.Query().Get(name))
	return n
}

// retrieve is the binding, whose stage is part of that many flows.
func (c *content) retrieve(r *http.Request, flows int) answer {
	if r.PathValue("id") != c.bindingID {
		return notFound
	}
	set := make([][]byte, flows)
	for i := range set {
		set[i] = c.inFlowSet.number(i)
	}
	return answer{http.StatusOK, bytes.Replace(c.binding, c.flowSet, fmt.Appendf(nil, "[%s]", bytes.Join(set, []byte(","))), 1), 1}
}

// create answers with the flow that it would create. Nothing is stored, so that
// the flow can be created again.
func (c *content) create(r *http.Request, _ int) answer {
	var flow struct{ Name, Slug, Title, Designation string }
	if err := json.NewDecoder(r.Body).Decode(&flow); err != nil || flow.Name == "" || flow.Slug == "" || flow.Title == "" || flow.Designation == "" {
		return answer{http.StatusBadRequest, []byte(`{"name":["This field is required."]}`), 0}
	}
	return answer{http.StatusCreated, c.created.with(c.created.pk, c.created.ptr, flow.Slug), 1}
}

// change answers with the flow, as if it had been changed.
func (c *content) change(r *http.Request, _ int) answer {
	if !json.Valid(bodyOf(r)) {
		return answer{http.StatusBadRequest, []byte(`{"detail":"JSON parse error"}`), 0}
	}
	return answer{http.StatusOK, c.created.with(c.created.pk, c.created.ptr, r.PathValue("slug")), 1}
}

func (c *content) release(*http.Request, int) answer { return answer{http.StatusOK, c.version, 0} }

func (c *content) remove(*http.Request, int) answer { return answer{status: http.StatusNoContent} }

func bodyOf(r *http.Request) []byte {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil
	}
	return body
}

func (s *server) answer(build func(*content, *http.Request, int) answer) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		delay, err := time.ParseDuration(r.PathValue("delay"))
		p, paced := paces[r.PathValue("delay")]
		flows, _ := strconv.Atoi(r.PathValue("flows"))
		c := s.versions[r.PathValue("version")]
		if c == nil || flows < 1 || err != nil && !paced {
			http.Error(w, "the path is not /{version}/{flows}/{delay}/api/v3/…", http.StatusBadRequest)
			return
		}
		if paced {
			s.workers <- struct{}{}
			defer func() { <-s.workers }()
			began = time.Now()
		}
		a, ok := s.kept(r)
		if !ok {
			a = build(c, r, flows)
			s.keep(r, a)
		}
		if paced {
			delay = p.answer(a.rows)
		}
		if a.body != nil {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
		}
		w.Header().Set("Vary", "Accept-Language, Cookie")
		w.Header().Set("X-Authentik-Id", "c571b49f69b74434976805b094dcbd52")
		time.Sleep(delay - time.Since(began)) // none if that is not positive
		w.WriteHeader(a.status)
		_, _ = w.Write(a.body) // a client that has gone needs none
	}
}

// kept is the answer that was given before to a request that only reads.
func (s *server) kept(r *http.Request) (answer, bool) {
	if r.Method != http.MethodGet {
		return answer{}, false
	}
	made, ok := s.made.Load(r.URL.RequestURI())
	if !ok {
		return answer{}, false
	}
	return made.(answer), true //nolint:forcetypeassert,errcheck // keep stores no other
}

func (s *server) keep(r *http.Request, a answer) {
	if r.Method == http.MethodGet {
		s.made.Store(r.URL.RequestURI(), a)
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
