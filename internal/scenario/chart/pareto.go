package chart

import (
	"cmp"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/commshub/commshub/internal/scenario/sweep"
)

// pareto draws completion against charge: a point for each combination, and a line
// through those that no other beats under the same circumstances.
func pareto(s *sweep.Sweep, rows []sweep.Row) *plot.Plot {
	all, left := group(rows, func(r *sweep.Row) string { return sweep.Circumstances(s.Axes, r) })
	if len(all) == 0 {
		return nil
	}
	most := 0.0
	for i := range rows {
		most = max(most, rows[i].Charge.Mean)
	}
	u := unitFor(most)
	p := newPlot(note(title("Completion against charge", s), left, len(all)), "charge of the update in "+u.name, "time to complete in hours")
	addGrid(p)
	all = all[:min(len(all), maxSeries)]
	var labels names
	var points plotter.XYs
	for i, line := range all {
		front, others := split(line.rows)
		steps := stairs(p, i, pointsOf(front, u))
		dots := scatter(i, pointsOf(front, u), vg.Points(4.5))
		p.Add(scatter(i, pointsOf(others, u), vg.Points(2.5)), dots)
		if line.name != "" {
			p.Legend.Add(line.name, dots, steps)
		}
		points = append(append(points, pointsOf(front, u)...), pointsOf(others, u)...)
		for j, at := range pointsOf(front, u) {
			if name := sweep.Choices(s.Axes, front[j]); name != "" {
				labels.add(at, name)
			}
		}
	}
	p.Legend.Top, p.Legend.Left = true, true
	roomFor(p)
	labels.place(p, points)
	return p
}

// split tells the front, by charge, from what something beats.
func split(rows []*sweep.Row) (front, others []*sweep.Row) {
	for _, r := range rows {
		if r.Pareto {
			front = append(front, r)
		} else {
			others = append(others, r)
		}
	}
	slices.SortFunc(front, func(a, b *sweep.Row) int { return cmp.Compare(a.Charge.Mean, b.Charge.Mean) })
	return front, others
}

func pointsOf(rows []*sweep.Row, u unit) plotter.XYs {
	points := make(plotter.XYs, 0, len(rows))
	for _, r := range rows {
		points = append(points, plotter.XY{X: r.Charge.Mean / u.size, Y: hours(r.Complete.Mean)})
	}
	return points
}

// stairs draws a front: between two of its points nothing is known to be better
// than the worse of the two.
func stairs(p *plot.Plot, i int, corners plotter.XYs) *plotter.Line {
	line := &plotter.Line{XYs: corners, LineStyle: draw.LineStyle{Color: colours[i], Width: vg.Points(1.2)}, StepStyle: plotter.PostStep}
	if len(corners) > 1 {
		p.Add(line)
	}
	return line
}

func scatter(i int, points plotter.XYs, radius vg.Length) *plotter.Scatter {
	return &plotter.Scatter{XYs: points, GlyphStyle: draw.GlyphStyle{Color: colours[i], Radius: radius, Shape: shapes[i]}}
}

// roomFor widens the axes, so that points and their names do not touch the edge.
func roomFor(p *plot.Plot) {
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		span := axis.Max - axis.Min
		if span == 0 {
			span = max(axis.Max, 1)
		}
		axis.Min, axis.Max = axis.Min-span*0.09, axis.Max+span*0.15
	}
}
