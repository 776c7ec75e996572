package chart

import (
	"fmt"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
)

// names are the names of points that are still to be placed.
type names struct {
	points []plotter.XY
	texts  []string
	more   []int // points in the same place
}

// add enters a name. Points in one place share the first one's.
func (n *names) add(at plotter.XY, name string) {
	if last := len(n.points) - 1; last >= 0 && n.points[last] == at {
		n.more[last]++
		return
	}
	n.points, n.texts, n.more = append(n.points, at), append(n.texts, name), append(n.more, 0)
}

func (n *names) text(i int) string {
	if n.more[i] == 0 {
		return n.texts[i]
	}
	return fmt.Sprintf("%s and %d more", n.texts[i], n.more[i])
}

// About how large things are on paper, in points.
const (
	letterWidth  = 5.1
	lineHeight   = 12.0
	plotWidth    = 500.0
	plotHeight   = 270.0
	glyph        = 5.0
	besideOffset = 8.0
	aboveOffset  = 12.0
)

// box is a place on paper, in points from the plot's lower left corner.
type box struct{ left, bottom, right, top float64 }

func (b box) meets(c box) bool {
	return b.left < c.right && c.left < b.right && b.bottom < c.top && c.bottom < b.top
}

func (b box) inside() bool {
	return b.left >= 0 && b.bottom >= 0 && b.right <= plotWidth && b.top <= plotHeight
}

// places are where a name may stand, the best first: how far from its point, and
// which share of it is to the left of there.
var places = []struct {
	dx, dy float64
	align  text.XAlignment
	share  float64
}{
	{besideOffset, 0, text.XLeft, 0},
	{-besideOffset, 0, text.XRight, 1},
	{0, aboveOffset, text.XCenter, 0.5},
	{0, -aboveOffset, text.XCenter, 0.5},
	{-glyph, -aboveOffset, text.XLeft, 0},
	{-glyph, aboveOffset, text.XLeft, 0},
	{glyph, -aboveOffset, text.XRight, 1},
	{glyph, aboveOffset, text.XRight, 1},
}

// place draws each name where it meets no other and none of the points: beside its
// point, else above or below. A name without such a place is left out. The axes
// must have their final ranges. It returns how many were drawn.
func (n *names) place(p *plot.Plot, all []plotter.XY) (drawn int) {
	paper := func(at plotter.XY) (x, y float64) {
		return (at.X - p.X.Min) / (p.X.Max - p.X.Min) * plotWidth, (at.Y - p.Y.Min) / (p.Y.Max - p.Y.Min) * plotHeight
	}
	var taken []box
	for _, at := range all {
		x, y := paper(at)
		taken = append(taken, box{x - glyph, y - glyph, x + glyph, y + glyph})
	}
	for i, at := range n.points {
		x, y := paper(at)
		name := n.text(i)
		w := float64(len(name)) * letterWidth
		for _, try := range places {
			left := x + try.dx - w*try.share
			b := box{left, y + try.dy - lineHeight/2, left + w, y + try.dy + lineHeight/2}
			if !b.inside() || meetsAny(b, taken) {
				continue
			}
			taken = append(taken, b)
			p.Add(&plotter.Labels{
				XYs: plotter.XYs{at}, Labels: []string{name},
				Offset: vg.Point{X: vg.Points(try.dx), Y: vg.Points(try.dy)},
				TextStyle: []text.Style{{
					Color: ink, Font: p.Legend.TextStyle.Font, XAlign: try.align, YAlign: text.YCenter, Handler: plot.DefaultTextHandler,
				}},
			})
			drawn++
			break
		}
	}
	return drawn
}

func meetsAny(b box, others []box) bool {
	for _, o := range others {
		if b.meets(o) {
			return true
		}
	}
	return false
}
