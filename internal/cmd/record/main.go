// Command record asks an authentik what another one was asked before, and
// writes the exchanges as testdata/recordings has them:
//
//	AUTHENTIK_URL=… AUTHENTIK_TOKEN=… go run ./internal/cmd/record >testdata/recordings/2026.11.0.jsonl
//
// It only reads, and leaves out what needs more than a fresh install: objects
// that were created, walks of many flows, a server that starts or dies, and
// sessions. AUTHENTIK_TOKEN is a superuser's. The tokens of other users, of
// whom testdata/README.md tells, are in variables such as
// AUTHENTIK_TOKEN_VIEWER; without one, what that user asked is left out too.
// None of them is written, nor a cookie's value, nor the words of a page.
package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/internal/testkit/recording"
)

func main() {
	like := flag.String("like", "testdata/recordings/2026.8.0-rc1.jsonl", "the recording whose requests are made again")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Stdout, os.Stderr, *like, os.Getenv)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "record:", err)
		os.Exit(1)
	}
}

// beyond is what a fresh install does not answer, or what does not only read.
var beyond = regexp.MustCompile(`^(walk|starting|crash|execute|executor)_|_(created|without_stages)$|_(after|renamed)_`)

func run(ctx context.Context, out, log io.Writer, like string, getenv func(string) string) error {
	file, err := os.Open(like) //nolint:gosec // it is named by whoever runs this
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // it was only read
	exchanges, err := recording.Read(file)
	if err != nil {
		return fmt.Errorf("%s: %w", like, err)
	}
	r, err := newRecorder(ctx, getenv, exchanges)
	if err != nil {
		return err
	}
	lines := json.NewEncoder(out)
	lines.SetEscapeHTML(false)
	asked := 0
	for _, e := range exchanges {
		if e.Request.Method != http.MethodGet {
			continue
		}
		if reason, err := r.again(ctx, &e); err != nil {
			return fmt.Errorf("%s: %w", e.ID, err)
		} else if reason != "" {
			_, _ = fmt.Fprintf(log, "left out: %s: %s\n", e.ID, reason)
			continue
		}
		asked++
		if err := lines.Encode(e); err != nil {
			return err
		}
	}
	_, _ = fmt.Fprintf(log, "%d exchanges with authentik %s\n", asked, r.version)
	return nil
}

// recorder is a server, and what stands for what another one had.
type recorder struct {
	root    string // without the slash at its end
	version string
	tokens  map[string]string // by user
	secrets *strings.Replacer // takes tokens out of what is written
	ids     *strings.Replacer // of the other server
	client  *http.Client
}

func newRecorder(ctx context.Context, getenv func(string) string, exchanges []recording.Exchange) (*recorder, error) {
	r := &recorder{
		root:   strings.TrimSuffix(strings.TrimRight(getenv("AUTHENTIK_URL"), "/"), "/api/v3"),
		tokens: map[string]string{"admin": getenv("AUTHENTIK_TOKEN")},
		client: &http.Client{
			Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, DisableCompression: true}, // as it is sent
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Timeout:       2 * time.Minute,
		},
	}
	client, err := authentik.NewClient(r.root, r.tokens["admin"])
	if err != nil {
		return nil, err
	}
	defer client.Close()
	if r.version, err = client.ServerVersion(ctx); err != nil {
		return nil, err
	}
	var secrets []string
	for _, e := range exchanges {
		user := e.Request.As()
		if token := getenv("AUTHENTIK_TOKEN_" + strings.ToUpper(user)); token != "" {
			r.tokens[user] = token
		}
	}
	for user, token := range r.tokens {
		secrets = append(secrets, token, placeholder(user))
	}
	r.secrets = strings.NewReplacer(secrets...)
	r.tokens["bogus"] = "bogus" // no secret, and a word that an answer may have

	theirs, err := recordedNames(exchanges)
	if err != nil {
		return nil, err
	}
	ours, err := names(func(path string, into any) error {
		return client.Get(ctx, path, url.Values{"page_size": {"100"}}, into)
	})
	if err != nil {
		return nil, err
	}
	var ids []string
	for name, id := range theirs {
		if own := ours[name]; own != "" {
			undashed := strings.NewReplacer("-", "")
			ids = append(ids, id, own, strings.ToUpper(id), strings.ToUpper(own), undashed.Replace(id), undashed.Replace(own))
		}
	}
	r.ids = strings.NewReplacer(ids...)
	return r, nil
}

func placeholder(user string) string { return "<" + user + "-token>" }

// names are the identifiers of a fresh install's objects, by what is the same
// on each server.
func names(list func(path string, into any) error) (map[string]string, error) {
	var flows, stages, bindings struct {
		Results []struct {
			PK, Slug, Name, Target, Stage string
			Order                         int
		}
	}
	if err := errors.Join(list("flows/instances/", &flows), list("stages/all/", &stages), list("flows/bindings/", &bindings)); err != nil {
		return nil, err
	}
	ids, name := map[string]string{}, map[string]string{}
	add := func(id, of string) { ids[of], name[id] = id, of }
	for _, flow := range flows.Results {
		add(flow.PK, "flow "+flow.Slug)
	}
	for _, stage := range stages.Results {
		add(stage.PK, "stage "+stage.Name)
	}
	for _, b := range bindings.Results {
		add(b.PK, fmt.Sprintf("%s at %d in %s", name[b.Stage], b.Order, name[b.Target]))
	}
	return ids, nil
}

func recordedNames(exchanges []recording.Exchange) (map[string]string, error) {
	lists := map[string]string{"flows/instances/": "list_page_size_100", "stages/all/": "stages_all_list", "flows/bindings/": "bindings_list"}
	return names(func(path string, into any) error {
		i := slices.IndexFunc(exchanges, func(e recording.Exchange) bool { return e.ID == lists[path] })
		if i < 0 {
			return fmt.Errorf("it has no %s", lists[path])
		}
		return json.Unmarshal(exchanges[i].Response.Body(), into)
	})
}

// maxBody is far above the longest answer of a fresh install.
const maxBody = 16 << 20

var identifier = regexp.MustCompile(`(?i)[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}`)

// again makes a request of an exchange anew, and puts the answer into it; or
// says why not.
func (r *recorder) again(ctx context.Context, e *recording.Exchange) (reason string, err error) {
	target := r.ids.Replace(e.Request.Target)
	id := identifier.FindString(target)
	user := e.Request.As()
	token, known := r.tokens[user]
	switch {
	case beyond.MatchString(e.ID):
		return "it needs more than a fresh install", nil
	case id != "" && !strings.HasPrefix(id, "00000000") && target == e.Request.Target:
		return "there is no such object", nil
	case !known && slices.Contains(e.Request.Headers, [2]string{"Authorization", "Bearer " + placeholder(user)}):
		return "no AUTHENTIK_TOKEN_" + strings.ToUpper(user), nil
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.root+target, http.NoBody)
	if err != nil {
		return "", err
	}
	for _, h := range e.Request.Headers {
		request.Header.Set(h[0], strings.ReplaceAll(h[1], placeholder(user), token))
	}
	response, err := r.client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close() //nolint:errcheck // it is read to its end
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBody+1))
	if err != nil {
		return "", err
	}
	if len(body) > maxBody {
		return "", fmt.Errorf("the answer is larger than %d bytes", maxBody)
	}
	e.Version, e.Request.Target, e.Note = r.version, target, ""
	e.Response = recording.Response{Status: response.StatusCode}
	for _, key := range slices.Sorted(maps.Keys(response.Header)) {
		for _, value := range response.Header[key] {
			if name, _, ok := strings.Cut(value, "="); ok && key == "Set-Cookie" {
				value = name + "=<cookie>"
			}
			e.Response.Headers = append(e.Response.Headers, [2]string{key, r.secrets.Replace(value)})
		}
	}
	switch {
	case strings.HasPrefix(response.Header.Get("Content-Type"), "text/html") && len(body) > 0 && !strings.HasSuffix(e.Request.Target, "/export/"):
		e.Note = fmt.Sprintf("HTML page of %d bytes, its words left out", len(body))
		e.Response.Text = "<!DOCTYPE html>\n<html lang=\"en\">\n<head><title>authentik</title></head>\n<body>page left out</body>\n</html>\n"
	case utf8.Valid(body):
		e.Response.Text = r.secrets.Replace(string(body))
	default:
		e.Response.BodyBase64 = base64.StdEncoding.EncodeToString(body)
	}
	return "", nil
}
