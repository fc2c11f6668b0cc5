package main

import (
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// graph is what a diagram shows.
type graph struct {
	nodes []*node // in the order in which the server sends them
	edges []edge
}

// node is a box of a diagram. Its text has lines.
type node struct {
	id, text string
	shape    shape
}

// edge is an arrow of a diagram.
type edge struct {
	from, to *node
	label    string
}

// shape is a kind of box.
type shape struct {
	name        string
	open, close string // in Mermaid
}

// Those of authentik. The longer brackets come first.
var (
	subroutine = shape{"subroutine", "[[", "]]"}
	hexagon    = shape{"hexagon", "{{", "}}"}
	stadium    = shape{"stadium", "([", "])"}
	rectangle  = shape{"rectangle", "[", "]"}
	shapes     = []shape{subroutine, hexagon, stadium, rectangle}
)

// How large a diagram may be: more is not readable anyway.
const (
	maxNodes = 200
	maxEdges = 400
)

var (
	errUnknown = errors.New("the server sent a diagram in a language that this program does not know")
	errLarge   = errors.New("the diagram has too many boxes to be drawn")
)

// parse reads the diagram of any release: flowchart.js up to 2022.8, and
// Mermaid since.
func parse(text string) (*graph, error) {
	var g graph
	var err error
	text = strings.ToValidUTF8(strings.ReplaceAll(text, "\r\n", "\n"), string(utf8.RuneError))
	if rest, ok := strings.CutPrefix(text, "graph TD"); ok {
		err = g.mermaid(rest)
	} else {
		err = g.flowchart(text)
	}
	switch {
	case err != nil:
		return nil, err
	case len(g.nodes) == 0:
		return nil, errUnknown
	case g.large():
		return nil, errLarge
	}
	return &g, nil
}

// node returns the node with an ID, which may be new.
func (g *graph) node(id string) *node {
	i := slices.IndexFunc(g.nodes, func(n *node) bool { return n.id == id })
	if i < 0 {
		i = len(g.nodes)
		g.nodes = append(g.nodes, &node{id: id, text: id, shape: rectangle})
	}
	return g.nodes[i]
}

func (g *graph) large() bool { return len(g.nodes) > maxNodes || len(g.edges) > maxEdges }

// connect adds an edge, once.
func (g *graph) connect(from, to *node, label string) {
	e := edge{from, to, label}
	if !slices.Contains(g.edges, e) {
		g.edges = append(g.edges, e)
	}
}

// An arrow with its label, if it has one, and the ID of a box.
var (
	arrow = regexp.MustCompile(`^--(?:> *|[ ]*([^\n]*?)[ ]*--> *)`)
	ident = regexp.MustCompile(`^[A-Za-z0-9_]+`)
)

// mermaid reads what authentik writes of Mermaid: on each line a box, with an
// arrow to it from another one or from the box of the line before. The text of
// a box may have lines. Names stand in it as they are, so that a box ends only
// where its line does.
func (g *graph) mermaid(text string) error {
	var last *node
	for {
		text = strings.TrimLeft(text, " \n")
		if text == "" {
			return nil
		}
		if g.large() {
			return errLarge
		}
		from := last
		if id := ident.FindString(text); id != "" {
			from = g.box(id, &text)
			last, text = from, strings.TrimLeft(text, " ")
		}
		match := arrow.FindStringSubmatch(text)
		if match == nil {
			if text != "" && text[0] != '\n' {
				return errUnknown
			}
			continue
		}
		text = text[len(match[0]):]
		id := ident.FindString(text)
		if from == nil || id == "" {
			return errUnknown
		}
		last = g.box(id, &text)
		g.connect(from, last, decode(strings.Trim(match[1], `"`)))
	}
}

// box reads a box after its ID is found, and advances text beyond it.
func (g *graph) box(id string, text *string) *node {
	n := g.node(id)
	*text = (*text)[len(id):]
	for _, s := range shapes {
		rest, ok := strings.CutPrefix(*text, s.open+`"`)
		if !ok {
			continue
		}
		closing := `"` + s.close
		end := strings.Index(rest+"\n", closing+"\n")
		if end >= 0 {
			n.text, n.shape = decode(rest[:end]), s
			*text = rest[end+len(closing):]
		}
		break
	}
	return n
}

// A definition and an arrow of flowchart.js.
var (
	definition = regexp.MustCompile(`^([A-Za-z0-9_]+)=>([a-z]+): (.*)$`)
	way        = regexp.MustCompile(`^([A-Za-z0-9_]+)(?:\(([a-z, ]*)\))?->([A-Za-z0-9_]+)$`)
)

// flowchart reads what authentik wrote of flowchart.js: all boxes, the last of
// which is the end, and then all arrows.
func (g *graph) flowchart(text string) error {
	kinds := map[string]shape{"start": subroutine, "end": subroutine, "operation": stadium, "condition": hexagon}
	var last *node
	ended := false
	for line := range strings.SplitSeq(text, "\n") {
		if g.large() {
			return errLarge
		}
		if match := definition.FindStringSubmatch(line); match != nil && !ended {
			last = g.node(match[1])
			last.text, last.shape = match[3], kinds[match[2]]
			if last.shape == (shape{}) {
				return errUnknown
			}
			if ended = match[2] == "end"; ended {
				last.text, _, _ = strings.Cut(last.text, "|") // a style
			}
		} else if match := way.FindStringSubmatch(line); match != nil && ended {
			label, _, _ := strings.Cut(match[2], ",")
			if label != "yes" && label != "no" {
				label = "" // a direction
			}
			g.connect(g.node(match[1]), g.node(match[3]), label)
		} else if last != nil && !ended {
			last.text += "\n" + line
		} else if line != "" {
			return errUnknown
		}
	}
	if !ended {
		return errUnknown
	}
	return nil
}

// entity is a character in the text of a Mermaid diagram.
var entity = regexp.MustCompile(`#(?:quot|[0-9]{1,7});`)

// decode returns the text that Mermaid shows.
func decode(text string) string {
	text = strings.ReplaceAll(text, "<br/>", "\n")
	return entity.ReplaceAllStringFunc(text, func(code string) string {
		code = code[1 : len(code)-1]
		if code == "quot" {
			return `"`
		}
		number, err := strconv.ParseInt(code, 10, 32)
		if err != nil || !utf8.ValidRune(rune(number)) {
			return string(utf8.RuneError)
		}
		return string(rune(number))
	})
}
