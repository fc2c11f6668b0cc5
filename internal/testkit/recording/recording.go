// Package recording reads the recorded responses of real servers, which are in
// testdata/recordings, and serves them again.
package recording

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"
)

// Exchange is one request to a real server, and the response.
type Exchange struct {
	ID       string   `json:"id"`
	Version  string   `json:"version"` // the version of the server
	Note     string   `json:"note"`
	Request  Request  `json:"request"`
	Response Response `json:"response"`
}

// Request is a recorded request.
type Request struct {
	Method  string      `json:"method"`
	Target  string      `json:"target"` // path and query
	Headers [][2]string `json:"headers"`
	Body    any         `json:"body"`
}

// As returns the user whose token was sent, such as admin, viewer or limited, ""
// for a request without a token.
func (r Request) As() string {
	for _, h := range r.Headers {
		if h[0] == "Authorization" {
			if name, ok := strings.CutPrefix(h[1], "Bearer <"); ok {
				return strings.TrimSuffix(name, "-token>")
			}
			return h[1]
		}
	}
	return ""
}

// Response is a recorded response.
type Response struct {
	Status     int         `json:"status"`
	Headers    [][2]string `json:"headers"`
	Text       string      `json:"body"`
	BodyBase64 string      `json:"body_base64,omitempty"` // replaces Text for a body that is not text
}

// Header returns the first header with a name.
func (r Response) Header(name string) string {
	for _, h := range r.Headers {
		if strings.EqualFold(h[0], name) {
			return h[1]
		}
	}
	return ""
}

// Body returns the bytes that were sent.
func (r Response) Body() []byte {
	if r.BodyBase64 == "" {
		return []byte(r.Text)
	}
	body, err := base64.StdEncoding.DecodeString(r.BodyBase64)
	if err != nil {
		panic(err) // in our own testdata
	}
	return body
}

// ServeHTTP sends the recorded status, headers and body, byte for byte.
func (r Response) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	clear(w.Header())
	w.Header()["Content-Type"] = nil // else net/http would guess one
	for _, h := range r.Headers {
		if h[0] != "Transfer-Encoding" { // which net/http sets
			w.Header().Add(h[0], h[1]) // some were recorded in lower case
		}
	}
	w.WriteHeader(r.Status)
	_, _ = w.Write(r.Body()) // an error means that the client has gone
}

// Load reads the exchanges with a server, in the order in which they were made.
func Load(fsys fs.FS, file string) ([]Exchange, error) {
	f, err := fsys.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // the file was only read
	all, err := Read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return all, nil
}

// Read reads exchanges, one from each line.
func Read(r io.Reader) (all []Exchange, err error) {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		var e Exchange
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, fmt.Errorf("line %d: %w", len(all)+1, err)
		}
		all = append(all, e)
	}
}

// Versions reads the exchanges with every server below a directory, by version.
func Versions(fsys fs.FS, dir string) (map[string][]Exchange, error) {
	files, err := fs.Glob(fsys, path.Join(dir, "*.jsonl"))
	if err != nil {
		return nil, err
	}
	all := map[string][]Exchange{}
	for _, file := range files {
		if all[strings.TrimSuffix(path.Base(file), ".jsonl")], err = Load(fsys, file); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// Sequence is a series of exchanges of one client with a server, each of which
// depends on those before.
type Sequence struct {
	Name      string
	Exchanges []Exchange
}

// Sequences reads the sequences below a directory, by version. Those of a
// version are in the order in which they were made.
func Sequences(fsys fs.FS, dir string) (map[string][]Sequence, error) {
	files, err := fs.Glob(fsys, path.Join(dir, "*", "*.jsonl"))
	if err != nil {
		return nil, err
	}
	all, made := map[string][]Sequence{}, map[string]time.Time{}
	for _, file := range files {
		exchanges, err := Load(fsys, file)
		if err != nil {
			return nil, err
		}
		if len(exchanges) == 0 {
			return nil, fmt.Errorf("%s: no exchanges", file)
		}
		version, name := path.Base(path.Dir(file)), strings.TrimSuffix(path.Base(file), ".jsonl")
		if made[version+name], err = http.ParseTime(exchanges[0].Response.Header("Date")); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		all[version] = append(all[version], Sequence{name, exchanges})
	}
	for version, sequences := range all {
		slices.SortStableFunc(sequences, func(a, b Sequence) int {
			return made[version+a.Name].Compare(made[version+b.Name])
		})
	}
	return all, nil
}
