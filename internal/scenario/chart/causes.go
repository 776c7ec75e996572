package chart

import (
	"fmt"
	"image/color"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/commshub/commshub/internal/scenario/sweep"
)

// maxBars is how many bars stand beside each other.
const maxBars = 18

// causeColours are those of the groups of causes; sleep, which is not work, is grey.
var causeColours = append(slices.Clone(colours[:6]), color.RGBA{0xBB, 0xBB, 0xBB, 0xFF})

// causes draws the charge of each combination by what it was spent on.
func causes(s *sweep.Sweep, rows []sweep.Row) *plot.Plot {
	shown, name := bars(s, rows)
	most := 0.0
	for _, r := range shown {
		sum := 0.0
		for _, v := range r.Causes {
			sum += v
		}
		most = max(most, sum)
	}
	u := unitFor(most)
	p := newPlot(name, "", "charge until the update ended in "+u.name)
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = nil, thin
	p.Add(grid)
	width := vg.Points(math.Min(40, 330/float64(len(shown))))
	var below *plotter.BarChart
	var thumbs []plot.Thumbnailer
	for g, group := range sweep.Groups {
		values := make(plotter.Values, len(shown))
		for i, r := range shown {
			values[i] = r.Causes[group.Name] / u.size
		}
		bar, err := plotter.NewBarChart(values, width)
		if err != nil {
			return nil // no rows
		}
		bar.Color, bar.LineStyle = causeColours[g], draw.LineStyle{Color: ink, Width: vg.Points(0.4)}
		if below != nil {
			bar.StackOn(below)
		}
		below = bar
		p.Add(bar)
		thumbs = append(thumbs, bar)
	}
	for g := len(thumbs) - 1; g >= 0; g-- { // as they are stacked
		p.Legend.Add(sweep.Groups[g].Name, thumbs[g])
	}
	nameBars(p, s, shown)
	p.Legend.Top, p.Legend.XOffs = true, vg.Millimeter*2
	p.Y.Min, p.Y.Max = 0, most/u.size*1.05
	p.X.Min, p.X.Max = -0.7, float64(len(shown))*1.18 // room for the legend
	return p
}

// bars chooses what is shown: all combinations, or those under the first
// circumstances if that would be too many.
func bars(s *sweep.Sweep, rows []sweep.Row) (shown []*sweep.Row, name string) {
	name = title("Charge by cause", s)
	first := sweep.Circumstances(s.Axes, &rows[0])
	for i := range rows {
		if len(rows) <= maxBars || sweep.Circumstances(s.Axes, &rows[i]) == first {
			shown = append(shown, &rows[i])
		}
	}
	if len(rows) > maxBars && first != "" {
		name += ", " + first
	}
	if n := len(shown); n > maxBars {
		name += fmt.Sprintf(" (first %d of %d combinations)", maxBars, n)
		shown = shown[:maxBars]
	}
	return shown, name
}

// nameBars writes under each bar what it is, slanting if there are many, upright if
// the names are long.
func nameBars(p *plot.Plot, s *sweep.Sweep, shown []*sweep.Row) {
	var ticks []plot.Tick
	longest := 0
	alike := sweep.Circumstances(s.Axes, shown[0]) == sweep.Circumstances(s.Axes, shown[len(shown)-1])
	for i, r := range shown {
		name := sweep.Choices(s.Axes, r)
		if c := sweep.Circumstances(s.Axes, r); c != "" && (!alike || name == "") {
			if name != "" {
				name += ", "
			}
			name += c
		}
		longest = max(longest, len(name))
		ticks = append(ticks, plot.Tick{Value: float64(i), Label: name})
	}
	p.X.Tick.Marker = plot.ConstantTicks(ticks)
	p.X.Tick.Length = 0
	p.X.Width = 0
	if longest*len(shown) > 70 {
		p.X.Tick.Label.Rotation = math.Pi / 4
		if longest > 24 {
			p.X.Tick.Label.Rotation = math.Pi / 2
		}
		p.X.Tick.Label.XAlign, p.X.Tick.Label.YAlign = text.XRight, text.YCenter
	}
}
