package authentik

import (
	"context"
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/seed-299d42e7/authentik-go/internal/transport"
	"github.com/seed-299d42e7/authentik-go/internal/wire"
)

// FlowDiagram is a drawing of a flow.
type FlowDiagram struct {
	// Diagram is the source of a flowchart.js diagram up to 2022.8, and of a
	// Mermaid diagram ("graph TD") since. The names of flows, stages and
	// policies stand in it unescaped: do not insert it into HTML.
	Diagram string `json:"diagram"`
}

// FlowExport is a file that [Client.FlowsInstancesImportCreate] accepts.
type FlowExport struct {
	// Filename is a name without a directory, such as
	// default-authentication-flow.yaml.
	Filename string
	// ContentType is that of the response. Servers send YAML as text/html.
	ContentType string
	// Content is the file, as sent: JSON up to 2022.7, and YAML since.
	Content []byte
}

// Link is a URL.
type Link struct {
	Link string `json:"link"`
}

// Cache describes a cache.
type Cache struct {
	// Count is the number of entries.
	Count int `json:"count"`
}

// FlowImportResult is the result of an import.
type FlowImportResult struct {
	// Success reports whether the server accepted the file, even if the file
	// had nothing in it.
	Success bool `json:"success"`
	// Logs are what the server logged during the import, possibly with user names
	// and addresses.
	Logs []FlowImportLog `json:"logs"`
}

// FlowImportLog is one message that the server logged during an import. This
// library never logs it.
type FlowImportLog struct {
	// Timestamp is as sent, "" up to 2023.10.
	Timestamp string `json:"timestamp"`
	LogLevel  string `json:"log_level"`
	// Logger is the part of the server that logged the message, "" if it is
	// unknown.
	Logger string `json:"logger"`
	// Event is the message.
	Event string `json:"event"`
	// Attributes are the further values of the message.
	Attributes map[string]any `json:"attributes"`
}

// UnmarshalJSON decodes the messages of every release. Up to 2023.10 the
// attributes are keys of the message itself.
func (l *FlowImportLog) UnmarshalJSON(data []byte) error {
	var keys map[string]any
	if err := json.Unmarshal(data, &keys); err != nil || keys == nil {
		return errors.New("want an object")
	}
	take := func(key string) string {
		text, ok := keys[key].(string)
		if ok || keys[key] == nil {
			delete(keys, key)
		}
		return text
	}
	*l = FlowImportLog{
		Timestamp: take("timestamp"), LogLevel: take("log_level"), Logger: take("logger"), Event: take("event"),
		Attributes: keys,
	}
	if attributes, ok := keys["attributes"].(map[string]any); ok && len(keys) == 1 {
		l.Attributes = attributes
	}
	return nil
}

// FlowBackground is an image to show behind a flow, or none.
type FlowBackground struct {
	// Filename is a name without a directory. The server makes it unique.
	Filename string
	Content  []byte
	// Clear restores the default image. Filename and Content must be empty.
	Clear bool
}

// FlowsInstancesDiagramRetrieve returns a diagram of a flow.
//
//	GET /flows/instances/{slug}/diagram/
//
// Requires no permission: the server draws a flow for anybody, without the
// stages that the token may not see. A diagram without stages may thus be that
// of a flow with stages.
//
// Errors: those of [Client.FlowsInstancesRetrieve].
//
// https://api.goauthentik.io/reference/flows-instances-diagram-retrieve/
func (c *Client) FlowsInstancesDiagramRetrieve(
	ctx context.Context, slug string, opts ...RequestOption,
) (*FlowDiagram, error) {
	o := get("FlowsInstancesDiagramRetrieve", "flows/instances/{slug}/diagram/", readSlug(slug))
	return call(ctx, c, o, opts, object[FlowDiagram]())
}

// FlowsInstancesExportRetrieve returns a flow as a file, with its stages,
// policies and bindings.
//
//	GET /flows/instances/{slug}/export/
//
// The file has the primary keys of the objects. Another server may have
// objects of the same names under other keys, and then rejects the file.
//
// Requires the permission authentik_flows.export_flow, and the global
// permissions to view flows, flow stage bindings, stages, policies, policy
// bindings and prompts.
//
// Errors: those of [Client.FlowsInstancesRetrieve]. A response that is not a
// file is a [DecodeError].
//
// Versions: a JSON file (.akflow) up to 2022.7, and a blueprint in YAML since. Up
// to 2026.5 the file omits flags that are false, so that an import sets them to
// the default of the server.
//
// https://api.goauthentik.io/reference/flows-instances-export-retrieve/
func (c *Client) FlowsInstancesExportRetrieve(
	ctx context.Context, slug string, opts ...RequestOption,
) (*FlowExport, error) {
	o := get("FlowsInstancesExportRetrieve", "flows/instances/{slug}/export/", readSlug(slug))
	return call(ctx, c, o, opts, file(slug+".yaml"))
}

// file reads a response that is an attachment, which an error page or a login page
// is not. The Content-Type does not count, because authentik sends YAML as
// text/html.
func file(name string) reader[*FlowExport] {
	return func(resp *transport.Response) (*FlowExport, error) {
		if err := status(resp, http.StatusOK); err != nil {
			return nil, err
		}
		disposition, params, err := mime.ParseMediaType(resp.Header.Get("Content-Disposition"))
		switch {
		case err != nil || !strings.EqualFold(disposition, "attachment"):
			return nil, errors.New("not a file: the response is no attachment")
		case len(resp.Body) == 0:
			return nil, errors.New("empty body")
		}
		if sent := baseName(params["filename"]); sent != "" {
			name = sent
		}
		return &FlowExport{Filename: name, ContentType: resp.Header.Get("Content-Type"), Content: resp.Body}, nil
	}
}

// baseName returns the last element of a path of any system, without control
// characters, and without dots and spaces at its ends, which could make it the
// name of another file.
func baseName(path string) string {
	name := path[strings.LastIndexAny(path, `/\:`)+1:]
	name = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, name)
	return strings.Trim(name, ". ")
}

// FlowsInstancesExecuteRetrieve starts a flow for the user of the token and
// returns the URL of the page that shows it.
//
//	GET /flows/instances/{slug}/execute/
//
// The flow belongs to a session, of which the response sets a cookie: see
// [WithResponse]. Without the cookie, the page starts the flow for the visitor.
//
// Requires the permission authentik_flows.view_flow, globally or on the flow.
//
// Errors: those of [Client.FlowsInstancesRetrieve]. A flow that does not apply
// to the user is a [ValidationError], and one without stages an [APIError] that
// is [ErrServer].
//
// https://api.goauthentik.io/reference/flows-instances-execute-retrieve/
func (c *Client) FlowsInstancesExecuteRetrieve(ctx context.Context, slug string, opts ...RequestOption) (*Link, error) {
	o := get("FlowsInstancesExecuteRetrieve", "flows/instances/{slug}/execute/", readSlug(slug))
	return call(ctx, c, o, opts, object(func(l *Link) error {
		if l.Link == "" {
			return &wire.Error{Path: "link", Err: errors.New("empty")}
		}
		return nil
	}))
}

// FlowsInstancesCacheInfoRetrieve returns the number of cached plans of all
// flows.
//
//	GET /flows/instances/cache_info/
//
// Requires the global permission authentik_flows.view_flow_cache.
//
// Errors: [PermissionError], [APIError], [RequestError], [DecodeError].
//
// https://api.goauthentik.io/reference/flows-instances-cache-info-retrieve/
func (c *Client) FlowsInstancesCacheInfoRetrieve(ctx context.Context, opts ...RequestOption) (*Cache, error) {
	o := get("FlowsInstancesCacheInfoRetrieve", "flows/instances/cache_info/")
	return call(ctx, c, o, opts, object[Cache]())
}

// FlowsInstancesCacheClearCreate deletes the cached plans of all flows.
//
//	POST /flows/instances/cache_clear/
//
// Requires the global permissions authentik_flows.clear_flow_cache and
// add_flow.
//
// Errors: [PermissionError]; [APIError]; [RequestError]; [DecodeError] for a
// success that is not authentik's.
//
// https://api.goauthentik.io/reference/flows-instances-cache-clear-create/
func (c *Client) FlowsInstancesCacheClearCreate(ctx context.Context, opts ...RequestOption) error {
	o := post("FlowsInstancesCacheClearCreate", "flows/instances/cache_clear/")
	o.repeatable = true
	_, err := call(ctx, c, o, opts, nothing)
	return err
}

// FlowsInstancesImportCreate imports a file, such as a [FlowExport].
//
//	POST /flows/instances/import/ (2022.10 to 2026.2)
//	POST /flows/instances/import_flow/ (up to 2022.9)
//	POST /managed/blueprints/import/ (since 2026.5)
//
// An import can do damage. The server identifies objects by primary key or by
// slug, so that the export of a flow with another slug renames the flow that
// exists. The server evaluates tags such as !Env in the file, and rolls back a
// file of which it rejects a part.
//
// Requires the permissions to add and to change flows, flow stage bindings,
// stages, policies, policy bindings and prompts.
//
// Errors: [ArgumentError] for a file that is empty or larger than 32 MiB;
// [ImportError] for a file that the server rejects or that has nothing in it;
// [ValidationError]; [PermissionError]; [APIError], which is [ErrServer] for a
// file that is no YAML; [RequestError]; [DecodeError]; [ErrUnsupported] for a
// server with none of the paths.
//
// Versions: up to 2022.9 the result has no logs. Up to 2023.8 nothing shows
// that a file had nothing in it.
//
// https://api.goauthentik.io/reference/flows-instances-import-create/
func (c *Client) FlowsInstancesImportCreate(
	ctx context.Context, content []byte, opts ...RequestOption,
) (*FlowImportResult, error) {
	o := post("FlowsInstancesImportCreate", "")
	if len(content) == 0 {
		o = o.refuse("content", "must not be empty")
	}
	o = o.withFile("content", "flow.yaml", content)
	var result *FlowImportResult
	var err error
	logged := false
	read := func(resp *transport.Response) (*FlowImportResult, error) {
		logged = resp.StatusCode != http.StatusNoContent
		return imported(resp)
	}
	for _, o.path = range c.importPaths() {
		o.route = o.path
		if result, err = call(ctx, c, o, opts, read); !isMethodNotAllowed(err) {
			break
		}
	}
	switch e, _ := errors.AsType[*APIError](err); {
	case isMethodNotAllowed(err):
		return nil, unsupported(o, e, "the server has none of the paths where releases from 2021.9 to 2026.8 import: "+
			"import the file as a blueprint in the admin interface")
	case err != nil:
		return nil, err
	}
	c.learned.importPath.Store(&o.path)
	if !result.Success || logged && len(result.Logs) == 0 && c.since(ctx, importLogs) {
		return nil, &ImportError{Result: result, op: o.name}
	}
	return result, nil
}

// importLogs is the first release whose imports log every change.
var importLogs = release{2023, 10}

// importPaths are where releases import: 2022.10 to 2026.2, up to 2022.9, since
// 2026.5. In this order, each release that lacks one takes "import" and
// "import_flow" for the slug of a flow, and says that it does not allow POST.
// The path that this server is known to have comes first.
func (c *Client) importPaths() []string {
	paths := []string{"flows/instances/import/", "flows/instances/import_flow/", "managed/blueprints/import/"}
	if c == nil || c.learned == nil || c.learned.importPath.Load() == nil {
		return paths
	}
	known := *c.learned.importPath.Load()
	return append([]string{known}, slices.DeleteFunc(paths, func(path string) bool { return path == known })...)
}

// imported reads the result of an import. Servers up to 2022.9 send none.
func imported(resp *transport.Response) (*FlowImportResult, error) {
	if resp.StatusCode == http.StatusNoContent {
		return &FlowImportResult{Success: true, Logs: []FlowImportLog{}}, nil
	}
	return object[FlowImportResult]()(resp)
}

// isMethodNotAllowed reports a 405 in JSON, which proves that the API does not allow
// the method for the path and that nothing was executed. A write that crashed has
// the same status and an empty body.
func isMethodNotAllowed(err error) bool {
	e, ok := errors.AsType[*APIError](err)
	return ok && e.StatusCode == http.StatusMethodNotAllowed && !e.Foreign && json.Valid(e.Body)
}

// FlowsInstancesSetBackgroundCreate uploads the background of a flow, or
// restores the default one.
//
//	POST /flows/instances/{slug}/set_background/
//
// Requires the permissions authentik_flows.change_flow on the flow and add_flow
// globally.
//
// Errors: [ArgumentError] for a background without a file and without Clear or
// with both, and for a file larger than 32 MiB; [ValidationError];
// [PermissionError]; [APIError]; [RequestError]; [DecodeError];
// [ErrUnsupported].
//
// Versions: up to 2025.10. Since 2025.12 Background of a [FlowRequest] is
// writable, and the operation is ErrUnsupported.
//
// https://api.goauthentik.io/reference/flows-instances-set-background-create/
func (c *Client) FlowsInstancesSetBackgroundCreate(
	ctx context.Context, slug string, background FlowBackground, opts ...RequestOption,
) error {
	o := post("FlowsInstancesSetBackgroundCreate", "flows/instances/{slug}/set_background/", writeSlug(slug))
	switch {
	case background.Clear && (len(background.Content) > 0 || background.Filename != ""):
		o = o.refuse("Clear", "must not be set together with a file")
	case background.Clear:
		o = o.withFile("Content", "", nil, [2]string{"clear", "true"})
	case len(background.Content) == 0:
		o = o.refuse("Content", "must not be empty unless Clear is set")
	case background.Filename == "" || baseName(background.Filename) != background.Filename:
		o = o.refuse("Filename", "must be the name of a file without a directory")
	default:
		o = o.withFile("Content", background.Filename, background.Content)
	}
	_, err := call(ctx, c, o, opts, object[struct{}]())
	return setBackground.replace(ctx, c, o, err)
}

// setBackground are the operations that became a field of FlowRequest.
var setBackground = retired{release{2025, 12}, "2025.10", "FlowsInstancesPartialUpdate with Background"}

// FlowsInstancesSetBackgroundURLCreate sets the background of a flow to an
// image on another server.
//
//	POST /flows/instances/{slug}/set_background_url/
//
// Requires the permissions that [Client.FlowsInstancesSetBackgroundCreate]
// requires, and authentik_core.change_application.
//
// Errors: [ArgumentError] for a URL that is neither absolute (https:// or
// http://) nor a path on the server; [ValidationError]; [PermissionError];
// [APIError]; [RequestError]; [DecodeError]; [ErrUnsupported].
//
// Versions: up to 2025.10. Since 2025.12 Background of a [FlowRequest] is
// writable, and the operation is ErrUnsupported.
//
// https://api.goauthentik.io/reference/flows-instances-set-background-url-create/
func (c *Client) FlowsInstancesSetBackgroundURLCreate(
	ctx context.Context, slug, url string, opts ...RequestOption,
) error {
	o := post("FlowsInstancesSetBackgroundURLCreate", "flows/instances/{slug}/set_background_url/", writeSlug(slug))
	if !isImageURL(url) {
		o = o.refuse("url", "must begin with https:// or http://, or with a slash")
	}
	if !utf8.ValidString(url) {
		o = o.refuse("url", "must be valid UTF-8")
	}
	o = o.withJSON("url", struct {
		URL string `json:"url"`
	}{url})
	_, err := call(ctx, c, o, opts, object[struct{}]())
	return setBackground.replace(ctx, c, o, err)
}

// isImageURL reports whether text is the URL of an image.
func isImageURL(text string) bool {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return false
	case u.Scheme == "https" || u.Scheme == "http":
		return u.Host != ""
	}
	return u.Scheme == "" && u.Host == "" && strings.HasPrefix(u.Path, "/")
}
