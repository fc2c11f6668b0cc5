package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/seed-299d42e7/authentik-go"
)

// writeMermaid writes a graph as Mermaid text in which no name can be anything
// but text.
func writeMermaid(w io.Writer, _ *authentik.Flow, g *graph) error {
	var b strings.Builder
	b.WriteString("graph TD\n")
	for _, n := range g.nodes {
		fmt.Fprintf(&b, "    %s%s\"%s\"%s\n", n.id, n.shape.open, encode(n.text), n.shape.close)
	}
	for _, e := range g.edges {
		label := "-->"
		if e.label != "" {
			label = fmt.Sprintf(`-- "%s" -->`, encode(e.label))
		}
		fmt.Fprintf(&b, "    %s %s %s\n", e.from.id, label, e.to.id)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// writeMarkdown writes a graph as GitHub shows it in a README.
func writeMarkdown(w io.Writer, flow *authentik.Flow, g *graph) error {
	var b strings.Builder
	b.WriteString("```mermaid\n")
	if err := writeMermaid(&b, flow, g); err != nil {
		return err
	}
	b.WriteString("```\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// encode writes a text so that Mermaid shows it. What means something to
// Mermaid, to Markdown or to HTML becomes an entity.
func encode(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '\n':
			b.WriteString("<br/>")
		case r < ' ' || strings.ContainsRune("\"#&<>`\\|", r):
			fmt.Fprintf(&b, "#%d;", r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
