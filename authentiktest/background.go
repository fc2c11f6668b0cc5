package authentiktest

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"path"
	"regexp"
	"strings"
	"time"

	"github.com/seed-299d42e7/authentik-go"
)

// staticBackground is the background of flows that have none of their own.
const staticBackground = "/static/dist/assets/images/flow_background.jpg"

// setBackground sets the background of a flow, from which its URLs follow.
func setBackground(f *authentik.Flow, v any) {
	f.Background, f.BackgroundURL, f.BackgroundThemedURLs = pyString(v), "", nil
}

func backgroundURL(f *authentik.Flow) any {
	if f.BackgroundURL != "" {
		return f.BackgroundURL
	}
	return fileURL(f.Background)
}

// theme is a placeholder in the name of a file of which each theme has its own.
const theme = "%(theme)s"

func themedURLs(f *authentik.Flow) any {
	switch {
	case f.BackgroundThemedURLs != nil:
		return object{{"light", f.BackgroundThemedURLs.Light}, {"dark", f.BackgroundThemedURLs.Dark}}
	case !strings.Contains(f.Background, theme):
		return nil
	}
	themed := func(name string) string { return fileURL(strings.ReplaceAll(f.Background, theme, name)) }
	return object{{"light", themed("light")}, {"dark", themed("dark")}}
}

// fileURL returns the URL of a file of authentik, with a token that expires.
func fileURL(name string) string {
	switch {
	case name == "":
		return staticBackground
	case passedThrough.MatchString(name):
		return name
	}
	const lifetime = 15 * time.Minute
	now := time.Now()
	claims := appendJSON(nil, object{
		{"exp", int(now.Add(lifetime).Unix())}, {"nbf", int(now.Add(-15 * time.Second).Unix())}, {"path", "media/public/" + name},
	})
	token := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." +
		base64.RawURLEncoding.EncodeToString(claims) + "." + base64.RawURLEncoding.EncodeToString([]byte(authentiktest))
	return "/files/media/public/" + quotePath(name) + "?token=" + token
}

const authentiktest = "authentiktest"

var unquoted = regexp.MustCompile(`^[a-zA-Z0-9/_.~!*()'-]$`)

// quotePath escapes a path as Django does.
func quotePath(name string) string {
	var quoted strings.Builder
	for _, c := range []byte(name) {
		if unquoted.Match([]byte{c}) {
			quoted.WriteByte(c)
		} else {
			fmt.Fprintf(&quoted, "%%%02X", c)
		}
	}
	return quoted.String()
}

// setBackground handles set_background.
func (st *store) setBackground(q request) reply {
	flow, problem := st.flowTable().writable(q)
	if problem != nil {
		return *problem
	}
	if !q.may(permission("change", q.model), flow.PK) {
		return q.detail(http.StatusForbidden, noPermission)
	}
	form, problem := q.form()
	if problem != nil {
		return *problem
	}
	cleared := len(form.Value["clear"]) > 0 && strings.EqualFold(form.Value["clear"][0], "true")
	files := form.File["file"]
	switch {
	case cleared:
		flow.Background = ""
	case len(files) == 0:
		return q.emptyHTML()
	default:
		flow.Background = st.media() + "flow-backgrounds/" + quotePath(st.freeName(files[len(files)-1].Filename))
	}
	return q.json(http.StatusOK, object{})
}

// setBackgroundURL handles set_background_url. Authentik checks a permission
// that does not exist for anybody but a superuser, and fails.
func (st *store) setBackgroundURL(q request) reply {
	if a, refused := q.refusedTo(); refused {
		return a
	}
	flow, p := st.flowTable().one(q)
	if p != nil {
		return q.problem(p)
	}
	if !q.user.superuser {
		return crash()
	}
	data, problem := q.data()
	if problem != nil {
		return *problem
	}
	sent, isObject := data.(object)
	url, _ := sent.get("url")
	name, isText := url.(string)
	switch {
	case !isObject, url != nil && !isText:
		return crash()
	case url == nil:
		return q.emptyHTML()
	case name == "", strings.HasPrefix(name, "http"), strings.HasPrefix(name, "/static"):
		flow.Background = name
	default:
		flow.Background = st.media() + quotePath(strings.TrimPrefix(path.Clean("/"+name), "/"))
	}
	return q.json(http.StatusOK, object{})
}

// emptyHTML is the response to an upload that lacks a part.
func (q request) emptyHTML() reply {
	return reply{status: badRequest, contentType: notJSON, allow: q.allow, german: q.german}
}

// media returns the path of uploaded files.
func (st *store) media() string {
	if st.since("2024.2") {
		return "/media/public/"
	}
	return "/media/"
}

var fileNoise = regexp.MustCompile(`[^-\w.]`)

// freeName returns the name of a new file: the base of the name that was sent,
// made unique.
func (st *store) freeName(sent string) string {
	name := path.Base(strings.ReplaceAll(sent, `\`, "/"))
	name = fileNoise.ReplaceAllString(strings.ReplaceAll(strings.TrimSpace(name), " ", "_"), "")
	if st.ids["file "+name]++; st.ids["file "+name] > 1 {
		extension := path.Ext(name)
		name = strings.TrimSuffix(name, extension) + "_" + st.id("file").String()[:7] + extension
	}
	return name
}

// form returns the parts of a multipart body, or the response that refuses it.
func (q request) form() (*multipart.Form, *reply) {
	if len(q.body) == 0 {
		return &multipart.Form{}, nil
	}
	media, params, err := mime.ParseMediaType(q.Header.Get("Content-Type"))
	if err != nil || media != "multipart/form-data" {
		return nil, q.unsupported()
	}
	form, err := multipart.NewReader(bytes.NewReader(q.body), params["boundary"]).ReadForm(maxBody)
	if err != nil {
		return nil, new(q.detail(badRequest, "Multipart form parse error - Invalid boundary in multipart: None"))
	}
	return form, nil
}

// upload returns the content of the last file of a form, and whether there is
// one.
func upload(form *multipart.Form) (content []byte, ok bool) {
	files := form.File["file"]
	if len(files) == 0 {
		return nil, false
	}
	file, err := files[len(files)-1].Open()
	if err != nil {
		return nil, false
	}
	defer file.Close() //nolint:errcheck // it was only read
	content, err = io.ReadAll(file)
	return content, err == nil
}
