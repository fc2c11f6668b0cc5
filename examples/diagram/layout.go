package main

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode"
)

// Sizes of a picture, in pixels. The font is monospaced, so that texts can be
// measured here.
const (
	charWidth  = 7.3 // of 12px
	lineHeight = 16.0
	padding    = 12.0
	gapX       = 28.0 // between boxes of a row
	gapY       = 64.0 // between rows, where the arrows are
	margin     = 16.0
	maxColumns = 48 // of a line
)

// picture is a graph with places.
type picture struct {
	Width, Height float64
	Boxes         []*box
	Lines         []line
}

// box is a node in a picture, or a place that a long edge passes through.
type box struct {
	X, Y, W, H float64 // the center, and the size
	Text       []textLine
	Shape      string

	row        int
	at         float64 // its place in the row, from the middle
	up, down   []*box  // neighbors
	isWaypoint bool
}

// textLine is a line of text with its center.
type textLine struct {
	X, Y float64
	Text string
}

// line is an edge in a picture.
type line struct {
	Path  string
	Label textLine
	// LabelW and LabelH are the size of the label.
	LabelW, LabelH float64
}

// layout places the boxes of a graph in rows from top to bottom, such that
// each arrow leads down.
func layout(g *graph) *picture {
	boxes := map[*node]*box{}
	var p picture
	for _, n := range g.nodes {
		boxes[n] = newBox(n)
		p.Boxes = append(p.Boxes, boxes[n])
	}
	edges := downward(g)
	rank(p.Boxes, edges, boxes)
	rows := make([][]*box, 0, len(p.Boxes))
	place := func(b *box) {
		for len(rows) <= b.row {
			rows = append(rows, nil)
		}
		rows[b.row] = append(rows[b.row], b)
	}
	for _, b := range p.Boxes {
		place(b)
	}
	ways := make([][]*box, len(edges)) // of each edge, from box to box
	for i, e := range edges {
		ways[i] = waypoints(boxes[e.from], boxes[e.to])
		for _, w := range ways[i][1 : len(ways[i])-1] {
			place(w)
		}
	}
	order(rows)
	p.place(rows)
	for i, e := range edges {
		p.Lines = append(p.Lines, drawn(ways[i], rows, e.label))
	}
	return &p
}

// newBox returns a box that has room for the text of a node.
func newBox(n *node) *box {
	b := &box{Shape: n.shape.name}
	width := 0
	for _, text := range wrapped(n.text) {
		b.Text = append(b.Text, textLine{Text: text})
		width = max(width, columns(text))
	}
	b.W, b.H = float64(width)*charWidth+2*padding, float64(len(b.Text))*lineHeight+2*padding
	switch n.shape {
	case hexagon, stadium: // the sides are not straight
		b.W += b.H / 2
	case subroutine:
		b.W += padding
	}
	return b
}

// wrapped returns the lines of a text, none too long, and nothing in them that
// does not print. Lines break at spaces, at hyphens, or else anywhere.
func wrapped(text string) (lines []string) {
	for part := range strings.SplitSeq(text, "\n") {
		line := ""
		flush := func() { lines, line = append(lines, strings.TrimSpace(line)), "" }
		for word := range strings.SplitAfterSeq(strings.Join(strings.Fields(printable(part)), " "), " ") {
			for piece := range strings.SplitAfterSeq(word, "-") {
				if line != "" && columns(line)+columns(strings.TrimSpace(piece)) > maxColumns {
					flush()
				}
				for _, r := range piece {
					if columns(line)+columns(string(r)) > maxColumns {
						flush()
					}
					line += string(r)
				}
			}
		}
		flush()
	}
	return lines
}

// printable replaces what XML does not allow, or what changes the direction or
// the place of the text around it.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		if !unicode.IsPrint(r) {
			return '·'
		}
		return r
	}, text)
}

// columns returns how wide a text may be, counted in characters of ASCII.
func columns(text string) (n int) {
	for _, r := range text {
		if n++; r >= 0x1100 { // CJK, emoji and others that may be wide
			n++
		}
	}
	return n
}

// downward returns the edges without those that close a circle.
func downward(g *graph) (edges []edge) {
	out := map[*node][]edge{}
	for _, e := range g.edges {
		out[e.from] = append(out[e.from], e)
	}
	const open, done = 1, 2
	state := map[*node]int{}
	var visit func(n *node)
	visit = func(n *node) {
		state[n] = open
		for _, e := range out[n] {
			if state[e.to] == 0 {
				visit(e.to)
			}
			if state[e.to] == done {
				edges = append(edges, e)
			}
		}
		state[n] = done
	}
	for _, n := range g.nodes {
		if state[n] == 0 {
			visit(n)
		}
	}
	return edges
}

// rank puts each box into the row below all that lead to it.
func rank(all []*box, edges []edge, boxes map[*node]*box) {
	for range all {
		moved := false
		for _, e := range edges {
			if from, to := boxes[e.from], boxes[e.to]; to.row <= from.row {
				to.row, moved = from.row+1, true
			}
		}
		if !moved {
			return
		}
	}
}

// waypoints connects two boxes, with a waypoint in each row between them.
func waypoints(from, to *box) []*box {
	way := []*box{from}
	for row := from.row + 1; row < to.row; row++ {
		way = append(way, &box{row: row, W: padding, isWaypoint: true})
	}
	way = append(way, to)
	for i := range way[1:] {
		way[i].down = append(way[i].down, way[i+1])
		way[i+1].up = append(way[i+1].up, way[i])
	}
	return way
}

// order sorts each row by where the neighbors are, so that few arrows cross.
func order(rows [][]*box) {
	number := func(row []*box) {
		for i, b := range row {
			b.at = float64(i) - float64(len(row)-1)/2
		}
	}
	for _, row := range rows {
		number(row)
	}
	for sweep := range 12 {
		for i := range rows {
			up := sweep%2 == 0
			if !up {
				i = len(rows) - 1 - i
			}
			center := func(b *box) float64 {
				return mean(neighbors(b, up), b.at, func(n *box) float64 { return n.at })
			}
			slices.SortStableFunc(rows[i], func(a, b *box) int { return cmp.Compare(center(a), center(b)) })
			number(rows[i])
		}
	}
}

func neighbors(b *box, up bool) []*box {
	if up {
		return b.up
	}
	return b.down
}

func mean(boxes []*box, none float64, of func(*box) float64) float64 {
	if len(boxes) == 0 {
		return none
	}
	sum := 0.0
	for _, b := range boxes {
		sum += of(b)
	}
	return sum / float64(len(boxes))
}

// place sets the places of all boxes, each as near below its neighbors as the
// others of its row allow.
func (p *picture) place(rows [][]*box) {
	for _, row := range rows {
		spread(row, func(*box) float64 { return 0 })
	}
	for sweep := range 24 {
		for i := range rows {
			up := sweep%2 == 0
			if !up {
				i = len(rows) - 1 - i
			}
			spread(rows[i], func(b *box) float64 {
				return mean(neighbors(b, up), b.X, func(n *box) float64 { return n.X })
			})
		}
	}
	left, right := math.Inf(1), math.Inf(-1)
	y := margin
	for _, row := range rows {
		height := rowHeight(row)
		for _, b := range row {
			b.Y = y + height/2
			left, right = min(left, b.X-b.W/2), max(right, b.X+b.W/2)
		}
		y += height + gapY
	}
	p.Width, p.Height = right-left+2*margin, y-gapY+margin
	for _, row := range rows {
		for _, b := range row {
			b.X += margin - left
			for i := range b.Text {
				b.Text[i].X = b.X
				b.Text[i].Y = b.Y + (float64(i)-float64(len(b.Text)-1)/2)*lineHeight
			}
		}
	}
}

// spread sets the X of the boxes of a row to what they want, but apart. The
// mean of two such rows, packed from either end, is one too.
func spread(row []*box, wants func(*box) float64) {
	fromLeft, fromRight := make([]float64, len(row)), make([]float64, len(row))
	apart := func(i int) float64 { return (row[i].W+row[i+1].W)/2 + gapX }
	for i := range row {
		fromLeft[i] = wants(row[i])
		if i > 0 {
			fromLeft[i] = max(fromLeft[i], fromLeft[i-1]+apart(i-1))
		}
	}
	for i := len(row) - 1; i >= 0; i-- {
		fromRight[i] = wants(row[i])
		if i < len(row)-1 {
			fromRight[i] = min(fromRight[i], fromRight[i+1]-apart(i))
		}
	}
	for i := range row {
		row[i].X = (fromLeft[i] + fromRight[i]) / 2
	}
}

func rowHeight(row []*box) (height float64) {
	for _, b := range row {
		height = max(height, b.H)
	}
	return height
}

// drawn returns the line along a way. It bends between rows only, where no
// boxes are, and has its label where it bends first.
func drawn(way []*box, rows [][]*box, label string) line {
	var path strings.Builder
	first := way[0]
	fmt.Fprintf(&path, "M%.1f %.1f", first.X, first.Y+first.H/2)
	var l line
	for i, to := range way[1:] {
		from := way[i]
		top := from.Y + rowHeight(rows[from.row])/2
		bottom := to.Y - rowHeight(rows[to.row])/2 - 2 // so that the tip points down
		middle := (top + bottom) / 2
		end := to.Y - to.H/2 - 1
		if to.isWaypoint {
			end = to.Y + rowHeight(rows[to.row])/2
		}
		fmt.Fprintf(&path, "V%.1fC%.1f %.1f %.1f %.1f %.1f %.1fV%.1f",
			top, from.X, middle, to.X, middle, to.X, bottom, end)
		if i == 0 {
			// Where the curve is at 0.6 of its length, and apart from others.
			l.Label = textLine{X: from.X + (to.X-from.X)*0.648, Y: middle + (bottom-top)*0.076}
			l.Label.Text = strings.Join(wrapped(label), " ")
		}
	}
	l.LabelW, l.LabelH = float64(columns(l.Label.Text))*charWidth*11/12+6, lineHeight
	l.Path = path.String()
	return l
}
