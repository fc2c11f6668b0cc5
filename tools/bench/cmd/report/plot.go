package main

import (
	"fmt"
	"image/color"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
)

// The colors of the bars, in the order of the contestants. They differ in
// lightness, too.
var palette = []color.RGBA{
	{0x1b, 0x6c, 0xa8, 0xff}, {0x6f, 0xb1, 0xe0, 0xff}, {0xd9, 0x5f, 0x02, 0xff}, {0xf3, 0xb0, 0x7c, 0xff}, {0x7a, 0x7a, 0x7a, 0xff},
}

// draw writes a picture of a chart: a group of bars for each release.
func draw(file string, releases []string, charts []*chart) error {
	const width = 46 // of a bar, in points
	p := plot.New()
	p.BackgroundColor = color.White
	p.Title.Text = charts[0].Title
	p.Title.Padding = vg.Points(6)

	p.Y.Label.Text = charts[0].Unit
	p.Y.Min = 0
	p.Legend.Top = true
	p.Legend.Padding = vg.Points(2)
	p.X.Padding = vg.Points(4)
	contestants := len(charts[0].Bars)
	highest := 0.0
	for i := range contestants {
		var values plotter.Values
		var labels plotter.XYLabels
		offset := vg.Points(width) * vg.Length(float64(i)-float64(contestants-1)/2)
		for x, c := range charts {
			v := c.Bars[i].Value
			highest = max(highest, v)
			values = append(values, v)
			labels.XYs = append(labels.XYs, plotter.XY{X: float64(x), Y: v})
			labels.Labels = append(labels.Labels, short(v))
		}
		bars, err := plotter.NewBarChart(values, vg.Points(width))
		if err != nil {
			return err
		}
		bars.Color = palette[i%len(palette)]
		bars.LineStyle.Width = 0
		bars.Offset = offset
		texts, err := plotter.NewLabels(labels)
		if err != nil {
			return err
		}
		texts.Offset = vg.Point{X: offset, Y: vg.Points(2)}
		for k := range texts.TextStyle {
			texts.TextStyle[k].Font.Size = vg.Points(9)
			texts.TextStyle[k].XAlign = text.XCenter
		}
		p.Add(bars, texts)
		p.Legend.Add(charts[0].Bars[i].Name, bars)
	}
	p.Y.Max = highest * (1.12 + 0.09*float64(contestants)) // room for the legend
	p.NominalX(releases...)
	p.X.Min, p.X.Max = -0.5, float64(len(releases))-0.5
	return p.Save(vg.Points(560), vg.Points(320), file)
}

// short is a number with three digits.
func short(x float64) string {
	switch {
	case x >= 100:
		return fmt.Sprintf("%.0f", x)
	case x >= 10:
		return fmt.Sprintf("%.1f", x)
	default:
		return strconv.FormatFloat(x, 'f', 2, 64)
	}
}
