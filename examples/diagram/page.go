package main

import (
	_ "embed"
	"html/template"
	"io"
	"strings"

	"github.com/seed-299d42e7/authentik-go"
)

//go:embed page.html
var pageText string

// Names are escaped by html/template, wherever they stand.
var pages = template.Must(template.New("").Parse(pageText))

// page is what the templates show.
type page struct {
	Flow    *authentik.Flow
	Picture *picture
	Mermaid string
}

func writeSVG(w io.Writer, flow *authentik.Flow, g *graph) error {
	return pages.ExecuteTemplate(w, "svg", page{Flow: flow, Picture: layout(g)})
}

func writeHTML(w io.Writer, flow *authentik.Flow, g *graph) error {
	var mermaid strings.Builder
	if err := writeMermaid(&mermaid, flow, g); err != nil {
		return err
	}
	return pages.ExecuteTemplate(w, "html", page{flow, layout(g), mermaid.String()})
}

// Left and Top are the corner of a box.
func (b *box) Left() float64 { return b.X - b.W/2 }
func (b *box) Top() float64  { return b.Y - b.H/2 }

// Round is the radius of its corners.
func (b *box) Round() float64 {
	if b.Shape == stadium.name {
		return b.H / 2
	}
	return 3
}

// Inner is the box within the sides of a subroutine.
func (b *box) Inner() *box {
	if b.Shape != subroutine.name {
		return nil
	}
	return &box{X: b.X, Y: b.Y, W: b.W - padding, H: b.H}
}

// Hexagon are its corners, nil for another shape.
func (b *box) Hexagon() []float64 {
	if b.Shape != hexagon.name {
		return nil
	}
	w, h := b.W/2, b.H/2
	return []float64{
		b.X - w, b.Y, b.X - w + h/2, b.Y - h, b.X + w - h/2, b.Y - h,
		b.X + w, b.Y, b.X + w - h/2, b.Y + h, b.X - w + h/2, b.Y + h,
	}
}

// LabelLeft and LabelTop are the corner of a label.
func (l line) LabelLeft() float64 { return l.Label.X - l.LabelW/2 }
func (l line) LabelTop() float64  { return l.Label.Y - l.LabelH/2 }
