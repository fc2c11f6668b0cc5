package main

import (
	"bytes"
	"context"
	"encoding/json"
	"image"
	"image/color"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/authentiktest"
	"github.com/seed-299d42e7/authentik-go/examples/internal/cli"
)

// browse opens a page in Chromium, without a network, and returns what a flag
// makes it print. The test is skipped without a Chromium.
func browse(t *testing.T, dir, content, file string, flags ...string) []byte {
	t.Helper()
	var program string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			program = found
			break
		}
	}
	if program == "" {
		t.Skip("there is no Chromium")
	}
	name := filepath.Join(dir, file)
	require.NoError(t, os.WriteFile(name, []byte(content), 0o600))
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	args := append([]string{
		"--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--force-device-scale-factor=1",
		"--host-resolver-rules=MAP * ~NOTFOUND", "--user-data-dir=" + filepath.Join(dir, "profile"),
	}, flags...)
	browser := exec.CommandContext(ctx, program, append(args, "file://"+name)...)
	var stdout, stderr bytes.Buffer
	browser.Stdout, browser.Stderr = &stdout, &stderr
	require.NoError(t, browser.Run(), stderr.String())
	return stdout.Bytes()
}

// drawnFlows are those of a browser test, as graphs.
func drawnFlows(t *testing.T) map[string]*graph {
	t.Helper()
	graphs := map[string]*graph{}
	for _, flow := range [][2]string{
		{"2022.4", "default-source-enrollment"},
		{"2026.8", "default-source-enrollment"},
		{"2026.8", "default-authentication-flow"},
	} {
		srv := authentiktest.NewServer(t, authentiktest.Version(flow[0]))
		client := srv.Client()
		t.Cleanup(client.Close)
		sent, err := client.FlowsInstancesDiagramRetrieve(t.Context(), flow[1])
		require.NoError(t, err)
		graphs[flow[0]+" "+flow[1]], err = parse(sent.Diagram)
		require.NoError(t, err)
	}
	return graphs
}

var fills = map[string]color.RGBA{
	"stadium": {0xdd, 0xf4, 0xff, 0xff}, "hexagon": {0xff, 0xf8, 0xc5, 0xff},
	"subroutine": {0xea, 0xee, 0xf2, 0xff}, "rectangle": {0xf6, 0xf8, 0xfa, 0xff},
}

// A screenshot has each box in its color where it should be, and the tip of an
// arrow at each box that an arrow leads to.
func TestAScreenshotShowsEveryBox(t *testing.T) {
	t.Parallel()
	for name, g := range drawnFlows(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := layout(g)
			var svg strings.Builder
			require.NoError(t, writeSVG(&svg, &authentik.Flow{Slug: "x"}, g))
			dir := t.TempDir()
			shot := filepath.Join(dir, "shot.png")
			browse(t, dir, svg.String(), "flow.svg", "--screenshot="+shot, "--window-size=1200,2000")
			picture := screenshot(t, shot)
			at := func(x, y float64) color.RGBA {
				return color.RGBAModel.Convert(picture.At(int(x), int(y))).(color.RGBA)
			}
			white := color.RGBA{0xff, 0xff, 0xff, 0xff}
			assert.Equal(t, white, at(2, 2))
			for _, b := range p.Boxes {
				assert.Equal(t, fills[b.Shape], at(b.X, b.Top()+4), "%v", b.Text)
				assert.Equal(t, white, at(b.Left()-4, b.Y), "beside %v", b.Text)
				if b.up != nil {
					assert.Equal(t, color.RGBA{0x57, 0x60, 0x6a, 0xff}, at(b.X, b.Top()-5), "the arrow to %v", b.Text)
				}
			}
		})
	}
}

func screenshot(t *testing.T, name string) image.Image {
	t.Helper()
	file, err := os.Open(name)
	require.NoError(t, err)
	defer file.Close() //nolint:errcheck // it is read only
	picture, err := png.Decode(file)
	require.NoError(t, err)
	return picture
}

// measure is a script that reports texts that do not fit into their boxes,
// labels that cover each other, and elements that names have made.
const measure = `<script>
const wrong = [];
for (const g of document.querySelectorAll("svg g")) {
	const box = g.firstElementChild.getBoundingClientRect();
	for (const text of g.querySelectorAll("text")) {
		const t = text.getBoundingClientRect();
		const inside = t.left >= box.left && t.right <= box.right && t.top >= box.top && t.bottom <= box.bottom;
		if (!inside) wrong.push("too large: " + text.textContent);
	}
}
for (const svg of document.querySelectorAll("svg")) {
	const labels = [...svg.querySelectorAll(".label")].map(l => [l.textContent, l.getBoundingClientRect()]);
	labels.forEach(([a, x], i) => labels.slice(0, i).forEach(([b, y]) => {
		const apart = x.left >= y.right || y.left >= x.right || x.top >= y.bottom || y.top >= x.bottom;
		if (!apart) wrong.push("covered: " + a + ", " + b);
	}));
}
if (document.querySelectorAll("img, script").length != 1) wrong.push("an element of a name");
if (document.title != "test") wrong.push("another title");
const report = document.createElement("output");
report.textContent = JSON.stringify({wrong, 
	boxes: [...document.querySelectorAll("svg")].map(svg => svg.querySelectorAll("g").length),
	headings: [...document.querySelectorAll("h1")].map(h => h.textContent)});
document.body.append(report);
</script>`

// report is what the script measures.
type report struct {
	Wrong    []string
	Boxes    []int // of each picture
	Headings []string
}

// A script can only be in a page of the test, because a page of the program
// forbids scripts.
func measured(t *testing.T, pages []string) (r report) {
	t.Helper()
	body := regexp.MustCompile(`(?s)<body>(.*)</body>`)
	all := "<!doctype html><meta charset=utf-8><title>test</title><body>"
	for _, page := range pages {
		match := body.FindStringSubmatch(page)
		require.NotNil(t, match, page)
		all += match[1]
	}
	dom := browse(t, t.TempDir(), all+measure, "flow.html", "--dump-dom", "--window-size=1600,3000")
	output := regexp.MustCompile(`<output>(.*)</output>`).FindSubmatch(dom)
	require.NotNil(t, output, string(dom))
	text := strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(string(output[1]))
	require.NoError(t, json.Unmarshal([]byte(text), &r), text)
	return r
}

func TestABrowserShowsNamesAsTextThatFits(t *testing.T) {
	t.Parallel()
	var pages, names []string
	var boxes []int
	for _, name := range hostile {
		got := program.Server(t, hostileServer(t, "2022.12", name), "-as", "html", "hostile")
		require.Equal(t, cli.OK, got.Code)
		pages, boxes = append(pages, got.Stdout), append(boxes, 3)
		names = append(names, strings.ReplaceAll(name, "\x00", "\ufffd")) // as html/template has it
	}
	for _, g := range drawnFlows(t) {
		var page strings.Builder
		require.NoError(t, writeHTML(&page, &authentik.Flow{Name: "a flow"}, g))
		pages, boxes, names = append(pages, page.String()), append(boxes, len(g.nodes)), append(names, "a flow")
	}
	assert.Equal(t, report{Wrong: []string{}, Boxes: boxes, Headings: names}, measured(t, pages))
}
