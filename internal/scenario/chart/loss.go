package chart

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/commshub/commshub/internal/scenario/homefile"
	"github.com/commshub/commshub/internal/scenario/sweep"
)

// loss draws completion against loss, if loss is varied: a line for each
// combination of the other values, with bars from the fastest run to the slowest.
func loss(s *sweep.Sweep, rows []sweep.Row) *plot.Plot {
	axis := slices.IndexFunc(s.Axes, sweep.Axis.IsLoss)
	if axis < 0 {
		return nil
	}
	all, left := group(rows, func(r *sweep.Row) string { return otherValues(s, r, axis) })
	if len(all) == 0 {
		return nil
	}
	name := title("Completion against loss", s)
	if s.Seeds > 1 {
		name += ", mean and range of " + strconv.Itoa(s.Seeds) + " runs"
	}
	p := newPlot(note(name, left, len(all)), "loss of frames in %", "time to complete in hours")
	addGrid(p)
	all = all[:min(len(all), maxSeries)]
	for i, line := range all {
		// Bars at the same loss stand beside each other.
		drawLoss(p, i, line, axis, (float64(i)-float64(len(all)-1)/2)*0.12)
	}
	p.Legend.Top, p.Legend.Left = true, true
	p.Y.Min = 0
	p.Y.Max *= 1.08
	return p
}

// otherValues names a row by all values but that of one axis.
func otherValues(s *sweep.Sweep, r *sweep.Row, axis int) string {
	rest := sweep.Row{}
	var axes []sweep.Axis
	for i, a := range s.Axes {
		if i != axis {
			axes, rest.Values = append(axes, a), append(rest.Values, r.Values[i])
		}
	}
	var words []string
	for _, text := range []string{sweep.Choices(axes, &rest), sweep.Circumstances(axes, &rest)} {
		if text != "" {
			words = append(words, text)
		}
	}
	return strings.Join(words, ", ")
}

// spread is a line with its range.
type spread struct {
	plotter.XYs
	plotter.YErrors
}

func drawLoss(p *plot.Plot, i int, line series, axis int, aside float64) {
	slices.SortFunc(line.rows, func(a, b *sweep.Row) int { return cmp.Compare(percent(a.Values[axis]), percent(b.Values[axis])) })
	var s spread
	for _, r := range line.rows {
		s.XYs = append(s.XYs, plotter.XY{X: percent(r.Values[axis]) + aside, Y: hours(r.Complete.Mean)})
		s.YErrors = append(s.YErrors, struct{ Low, High float64 }{
			hours(r.Complete.Mean - r.Complete.Min), hours(r.Complete.Max - r.Complete.Mean)})
	}
	path := &plotter.Line{XYs: s.XYs, LineStyle: draw.LineStyle{Color: colours[i], Width: vg.Points(1.5)}}
	dots := scatter(i, s.XYs, vg.Points(3.5))
	if bars, err := plotter.NewYErrorBars(s); err == nil { // the values are numbers, so there is none
		bars.LineStyle = draw.LineStyle{Color: colours[i], Width: vg.Points(0.8)}
		p.Add(bars)
	}
	p.Add(path, dots)
	if line.name != "" {
		p.Legend.Add(line.name, path, dots)
	}
}

// percent reads a share, which was checked.
func percent(text string) float64 {
	share, err := homefile.ParseShare(text)
	if err != nil {
		return 0
	}
	return share.Percent()
}
