package main

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/authentiktest"
	"github.com/seed-299d42e7/authentik-go/examples/internal/cli"
	"github.com/seed-299d42e7/authentik-go/examples/internal/clitest"
)

var program clitest.Program = run

func TestTheDemoPrintsWhatLiesBesideIt(t *testing.T) {
	t.Parallel()
	program.Golden(t)
}

// described returns what a graph shows, one line for each box and arrow.
func described(g *graph) (lines []string) {
	for _, n := range g.nodes {
		lines = append(lines, fmt.Sprintf("%s %s %q", n.id, n.shape.name, n.text))
	}
	for _, e := range g.edges {
		lines = append(lines, fmt.Sprintf("%s -%s-> %s", e.from.id, e.label, e.to.id))
	}
	return lines
}

func TestEveryStockFlowOfEveryReleaseIsDrawn(t *testing.T) {
	t.Parallel()
	for _, version := range authentiktest.Versions() {
		srv := authentiktest.NewServer(t, authentiktest.Version(version))
		client := srv.Client()
		stages := map[string]string{}
		for _, s := range srv.Stages() {
			stages[s.PK.String()] = s.Name
		}
		for _, flow := range srv.Flows() {
			sent, err := client.FlowsInstancesDiagramRetrieve(t.Context(), flow.Slug)
			require.NoError(t, err)
			g, err := parse(sent.Diagram)
			require.NoError(t, err, "%s %s", version, flow.Slug)
			var drawn, bound []string
			for _, n := range g.nodes {
				if n.shape == stadium {
					_, name, _ := strings.Cut(n.text, "\n")
					drawn = append(drawn, name)
				}
				assert.NotEqual(t, n.id, n.text, "%s %s: a box without a definition", version, flow.Slug)
			}
			bindings := srv.Bindings()
			slices.SortStableFunc(bindings, func(a, b authentik.FlowStageBinding) int { return a.Order - b.Order })
			for _, b := range bindings {
				if b.Target == flow.PK {
					bound = append(bound, stages[b.Stage.String()])
				}
			}
			assert.Equal(t, bound, drawn, "%s %s", version, flow.Slug)
			assert.Equal(t, len(bound), g.stages())
			assertReachable(t, g)
			assertRewritten(t, g)
			assertLaidOut(t, g)
		}
		client.Close()
	}
}

// assertReachable checks that each box has an arrow, and that one ends it all.
func assertReachable(t *testing.T, g *graph) {
	t.Helper()
	reached := map[*node]bool{}
	for _, e := range g.edges {
		reached[e.from], reached[e.to] = true, true
	}
	for _, n := range g.nodes {
		assert.True(t, reached[n], n.id)
	}
}

// assertRewritten checks that the Mermaid text of a graph is that graph.
func assertRewritten(t *testing.T, g *graph) {
	t.Helper()
	var text strings.Builder
	require.NoError(t, writeMermaid(&text, nil, g))
	again, err := parse(text.String())
	require.NoError(t, err, text.String())
	assert.Equal(t, described(g), described(again), text.String())
}

// assertLaidOut checks that boxes are within the picture and apart, and that
// arrows lead down.
func assertLaidOut(t *testing.T, g *graph) {
	t.Helper()
	p := layout(g)
	require.Len(t, p.Boxes, len(g.nodes))
	for i, a := range p.Boxes {
		assert.GreaterOrEqual(t, a.Left(), margin-0.01)
		assert.GreaterOrEqual(t, a.Top(), margin-0.01)
		assert.LessOrEqual(t, a.X+a.W/2, p.Width-margin+0.01)
		assert.LessOrEqual(t, a.Y+a.H/2, p.Height-margin+0.01)
		for _, b := range p.Boxes[:i] {
			apart := a.Left() > b.Left()+b.W || b.Left() > a.Left()+a.W || a.Top() > b.Top()+b.H || b.Top() > a.Top()+a.H
			assert.True(t, apart, "%v %v", a.Text, b.Text)
		}
		for _, below := range a.down {
			assert.Greater(t, below.Y, a.Y)
		}
	}
}

func TestRandomGraphsAreDrawn(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2)) // the same each time
	for range 200 {
		var g graph
		n := 1 + random.IntN(12)
		for i := range n {
			b := g.node(fmt.Sprint("box_", i))
			b.text = strings.Repeat("word ", random.IntN(30)) + strings.Repeat("x", random.IntN(100))
			b.shape = shapes[random.IntN(len(shapes))]
		}
		for range random.IntN(2 * n) { // circles and loops, too
			g.connect(g.nodes[random.IntN(n)], g.nodes[random.IntN(n)], []string{"", "no", "a|b"}[random.IntN(3)])
		}
		assertRewritten(t, &g)
		assertLaidOut(t, &g)
	}
}

// The texts of the releases whose language it is.
func TestBothLanguagesAreRead(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"flowchart.js": {
			"st=>start: Start\nstage_0_policy_0=>condition: Policy\nif-new\nstage_0=>operation: Stage\nform\nwith two lines\n" +
				"stage_1=>operation: Stage\nst(right)->x\ne=>end: End|future\nst(right)->stage_0_policy_0\n" +
				"stage_0_policy_0(yes, right)->stage_0\nstage_0_policy_0(no, bottom)->stage_1\n" +
				"stage_0(bottom)->stage_1\nstage_1(bottom)->e",
			[]string{
				`st subroutine "Start"`, `stage_0_policy_0 hexagon "Policy\nif-new"`,
				`stage_0 stadium "Stage\nform\nwith two lines"`,
				`stage_1 stadium "Stage\nst(right)->x"`, // the name of a stage
				`e subroutine "End"`,
				`st --> stage_0_policy_0`, `stage_0_policy_0 -yes-> stage_0`, `stage_0_policy_0 -no-> stage_1`,
				`stage_0 --> stage_1`, `stage_1 --> e`,
			},
		},
		"Mermaid": {
			"graph TD\nflow_pre[[\"Pre-flow policies\"]]\n" +
				"flow_pre --Binding 0--> flow_policy_0{{\"Policy\na \"quoted\" name\"}}\n" +
				"flow_policy_0 --Policy denied--> done[\"End\"]\nflow_policy_0 --> flow_start[[\"Flow\nx\"] --> y\"]]\n" +
				"--> stage_0([\"Stage\n#quot;one#quot;\"])\n--> stage_1([\"two\"])\nstage_1 --> done[[\"End of the flow\"]]",
			[]string{
				`flow_pre subroutine "Pre-flow policies"`, `flow_policy_0 hexagon "Policy\na \"quoted\" name"`,
				`done subroutine "End of the flow"`, // the last one counts
				`flow_start subroutine "Flow\nx\"] --> y"`, `stage_0 stadium "Stage\n\"one\""`, `stage_1 stadium "two"`,
				`flow_pre -Binding 0-> flow_policy_0`, `flow_policy_0 -Policy denied-> done`, `flow_policy_0 --> flow_start`,
				`flow_start --> stage_0`, `stage_0 --> stage_1`, `stage_1 --> done`,
			},
		},
	} {
		g, err := parse(c.text)
		require.NoError(t, err, name)
		assert.Equal(t, c.want, described(g), name)
	}
}

func TestAnotherLanguageIsAnError(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "graph TD", "digraph {}", "graph TD\n(x)", "graph TD\n--> a",
		"graph TD\na --> ", "graph TD\na ==> b", "graph TD\na b",
		"st=>start: Start", "st=>cloud: Start\ne=>end: End", "e=>end: End\nst", "x\nst=>start: Start\ne=>end: End",
	} {
		_, err := parse(text)
		assert.ErrorIs(t, err, errUnknown, text)
	}
	many := "graph TD\n"
	for i := range maxNodes + 1 {
		many += fmt.Sprintf("s%d[\"x\"]\n", i)
	}
	_, err := parse(many)
	require.ErrorIs(t, err, errLarge)
	_, err = parse(many[:strings.LastIndex(many, "s200")])
	require.NoError(t, err)
	lines := "graph TD\n"
	for i := range maxEdges + 1 {
		lines += fmt.Sprintf("a --%d--> b\n", i)
	}
	_, err = parse(lines)
	require.ErrorIs(t, err, errLarge)
	_, err = parse(lines[:strings.LastIndex(lines, "a --400")])
	require.NoError(t, err)
	old := strings.NewReplacer(`["`, "=>start: ", `"]`, "").Replace(many[len("graph TD\n"):])
	_, err = parse(old + "e=>end: e")
	require.ErrorIs(t, err, errLarge)
}

// hostile are names that want to be more than names.
var hostile = []string{
	`<script>document.title="owned"</script>`,
	`<img src=x onerror="document.title='owned'">`,
	`"]] --> evil["x`, `"])`, "```\n# heading", "`x` #quot; &amp; | \\ \u202eback", "</svg></style>]]>",
	"bell\a null\x00 and a very long name that has to be broken into lines " + strings.Repeat("somewhere", 30),
	strings.Repeat("名前はとても長いので、どこかで改行しなければなりません。", 2),
}

// hostileServer has a flow with such names. Up to 2023.10 the server does not
// escape them at all.
func hostileServer(t *testing.T, version, name string) *authentiktest.Server {
	t.Helper()
	srv := authentiktest.NewServer(t, authentiktest.Version(version))
	flow := srv.AddFlow(authentik.Flow{Slug: "hostile", Name: name, Title: name})
	stage := srv.AddStage(authentik.Stage{Name: name, VerboseName: name})
	srv.AddBinding(authentik.FlowStageBinding{Target: flow.PK, Stage: stage.PK})
	return srv
}

func TestNamesAreOnlyNames(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"2022.4", "2022.12", "2026.8"} {
		for _, name := range hostile {
			srv := hostileServer(t, version, name)
			for as := range formats {
				got := program.Server(t, srv, "-as", as, "hostile")
				require.Equal(t, cli.OK, got.Code, "%q: %s", name, got.Stderr)
				switch as {
				case "svg":
					assertXML(t, got.Stdout)
					fallthrough
				case "html":
					for _, tag := range []string{"<script", "<img", "</style>]]", "onerror=\""} {
						assert.NotContains(t, got.Stdout, tag, "%q", name)
					}
				default:
					// Each line is one of ours, whatever the names are.
					for line := range strings.Lines(got.Stdout) {
						assert.Regexp(t, "^(```mermaid|```|graph TD|    [a-z0-9_]+[\\[({]+\"[^\"`<>&|]*(<br/>[^\"`<>&|]*)*\"[\\])}]+"+
							"|    [a-z0-9_]+ (-->|-- \"[^\"<>]*\" -->) [a-z0-9_]+)\n$", line)
					}
				}
			}
		}
	}
}

// A name that ends its box and its line cannot be told from what the server
// writes. Nothing is drawn, rather than something else.
func TestANameThatBreaksTheDiagramIsAnError(t *testing.T) {
	t.Parallel()
	got := program.Server(t, hostileServer(t, "2022.12", "\"])\nstage_9 --> done"), "hostile")
	assert.Equal(t, cli.Failed, got.Code)
	assert.Empty(t, got.Stdout)
	assert.Contains(t, got.Stderr, errUnknown.Error())
}

func assertXML(t *testing.T, text string) {
	t.Helper()
	decoder := xml.NewDecoder(strings.NewReader(text))
	for {
		_, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		require.NoError(t, err, text)
	}
}

func TestAPageNeedsNoNetwork(t *testing.T) {
	t.Parallel()
	for _, as := range []string{"svg", "html"} {
		got := program.Demo(t, "-as", as)
		require.Equal(t, cli.OK, got.Code)
		rest := strings.ReplaceAll(got.Stdout, "http://www.w3.org/2000/svg", "")
		for _, outside := range []string{"http:", "https:", "src=", "@import", "<link", "<script"} {
			assert.NotContains(t, rest, outside)
		}
	}
	assert.Contains(t, program.Demo(t, "-as", "html").Stdout, "default-src 'none'")
}

func TestMarkdownIsMermaidInAFence(t *testing.T) {
	t.Parallel()
	mermaid := program.Demo(t).Stdout
	assert.Equal(t, "```mermaid\n"+mermaid+"```\n", program.Demo(t, "-as", "markdown").Stdout)
}

func TestStagesThatTheTokenMayNotSeeAreMissed(t *testing.T) {
	t.Parallel()
	srv := authentiktest.NewServer(t)
	token := srv.AddUser("authentik_flows.view_flow")
	got := program.Env(t.Context(), t, clitest.Vars(srv.URL, token), "default-authentication-flow")
	assert.Equal(t, cli.OK, got.Code)
	assert.NotContains(t, got.Stdout, "stage_0")
	assert.Equal(t, "The token may see 0 of 4 stages of the flow: "+
		"it needs the permission \"Can view Flow Stage Binding\".\n", got.Stderr)
	assert.Empty(t, program.Server(t, srv, "default-authentication-flow").Stderr)
}

func TestWrongArgumentsAreRefused(t *testing.T) {
	t.Parallel()
	srv := authentiktest.NewServer(t)
	for _, args := range [][]string{nil, {"-as", "png", "default-authentication-flow"}, {"a", "b"}} {
		got := program.Server(t, srv, args...)
		assert.Equal(t, cli.Refused, got.Code)
		assert.Empty(t, srv.Requests())
	}
	got := program.Server(t, srv, "no-such-flow")
	assert.Equal(t, cli.Failed, got.Code)
	assert.Contains(t, got.Stderr, "There is no such object")
}

func TestWrappedLinesAreShortAndHaveEveryWord(t *testing.T) {
	t.Parallel()
	assert.Equal(t, []string{"a b", "c"}, wrapped("a  b\nc"))
	assert.Equal(t, []string{""}, wrapped(""))
	assert.Equal(t, []string{"default-authentication-flow-authenticator-", "validate-stage"},
		wrapped("default-authentication-flow-authenticator-validate-stage"))
	for _, name := range hostile {
		lines := wrapped(name)
		for _, line := range lines {
			assert.LessOrEqual(t, columns(line), maxColumns)
		}
		join := strings.NewReplacer(" ", "", "\n", "")
		assert.Equal(t, join.Replace(printable(name)), join.Replace(strings.Join(lines, "")))
	}
}

func FuzzParse(f *testing.F) {
	for _, version := range []string{"2022.4", "2022.12", "2026.8"} {
		srv := authentiktest.RoundTripper(nil, authentiktest.Version(version))
		sent, err := srv.Client().FlowsInstancesDiagramRetrieve(f.Context(), "default-source-enrollment")
		require.NoError(f, err)
		f.Add(sent.Diagram)
	}
	f.Fuzz(func(t *testing.T, text string) {
		g, err := parse(text)
		if err != nil {
			return
		}
		assertRewritten(t, g)
		assertLaidOut(t, g)
	})
}
