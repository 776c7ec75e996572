// Package chart draws what a sweep came to, as SVG and PNG: completion against
// charge with the Pareto front, completion against loss, and charge by cause.
//
// Colours are those of Okabe and Ito, which people tell apart whatever colours they
// see; where colours alone would tell things apart, shapes do too.
package chart

import (
	"bytes"
	"fmt"
	"image/color"
	"io"
	"os"
	"path/filepath"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"

	"github.com/commshub/commshub/internal/scenario/sweep"
)

// Size of a plot on paper, and dots per inch of its PNG.
const (
	width  = 20 * vg.Centimeter
	height = 12 * vg.Centimeter
	dpi    = 160
)

// The colours of Okabe and Ito, those with the most contrast first.
var colours = []color.RGBA{
	{0x00, 0x72, 0xB2, 0xFF}, // blue
	{0xD5, 0x5E, 0x00, 0xFF}, // vermilion
	{0x00, 0x9E, 0x73, 0xFF}, // bluish green
	{0xCC, 0x79, 0xA7, 0xFF}, // reddish purple
	{0xE6, 0x9F, 0x00, 0xFF}, // orange
	{0x56, 0xB4, 0xE9, 0xFF}, // sky blue
	{0x00, 0x00, 0x00, 0xFF}, // black
	{0xF0, 0xE4, 0x42, 0xFF}, // yellow
}

var shapes = []draw.GlyphDrawer{
	draw.CircleGlyph{}, draw.BoxGlyph{}, draw.PyramidGlyph{}, draw.RingGlyph{},
	draw.SquareGlyph{}, draw.TriangleGlyph{}, draw.CrossGlyph{}, draw.PlusGlyph{},
}

// maxSeries is how many series one plot tells apart.
const maxSeries = 8

var (
	ink  = color.Gray{0x30}
	thin = color.Gray{0xDD}
)

// Write draws all plots that a sweep gives reason for into a folder, each as SVG
// and as PNG, and returns the files' names.
func Write(dir string, s *sweep.Sweep, rows []sweep.Row) ([]string, error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	var files []string
	for _, c := range []struct {
		name string
		make func(*sweep.Sweep, []sweep.Row) *plot.Plot
	}{{"completion-charge", pareto}, {"completion-loss", loss}, {"charge-causes", causes}} {
		p := c.make(s, rows)
		if p == nil {
			continue
		}
		for _, format := range []string{".svg", ".png"} {
			file := filepath.Join(dir, c.name+format)
			if err := write(file, p); err != nil {
				return nil, err
			}
			files = append(files, file)
		}
	}
	return files, nil
}

func write(file string, p *plot.Plot) error {
	var canvas interface {
		vg.CanvasSizer
		io.WriterTo
	} = vgsvg.New(width, height)
	if filepath.Ext(file) == ".png" {
		canvas = vgimg.PngCanvas{Canvas: vgimg.NewWith(vgimg.UseWH(width, height), vgimg.UseDPI(dpi))}
	}
	c := draw.New(canvas)
	p.Draw(draw.Crop(c, vg.Millimeter*3, -vg.Millimeter*6, vg.Millimeter*2, -vg.Millimeter*2))
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		return err
	}
	// Readers without the font take one like it.
	text := bytes.ReplaceAll(b.Bytes(), []byte("font-family:Liberation Sans;"), []byte("font-family:Liberation Sans,Arial,Helvetica,sans-serif;"))
	return os.WriteFile(file, text, 0o666)
}

// newPlot returns an empty plot in the house's style.
func newPlot(title, x, y string) *plot.Plot {
	p := plot.New()
	sans := func(size font.Length) font.Font {
		return font.Font{Typeface: "Liberation", Variant: "Sans", Size: size}
	}
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = title, x, y
	p.Title.TextStyle.Font, p.Title.Padding = sans(13), vg.Millimeter*3
	p.Legend.TextStyle.Font, p.Legend.Padding = sans(9.5), vg.Millimeter*0.6
	p.Legend.ThumbnailWidth = vg.Millimeter * 5
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Label.TextStyle.Font, axis.Tick.Label.Font = sans(11), sans(9.5)
		axis.Label.Padding = vg.Millimeter * 2
		axis.Tick.Marker = roundTicks{}
		axis.Color, axis.Tick.Color, axis.Tick.Label.Color, axis.Label.TextStyle.Color = ink, ink, ink, ink
	}
	p.Title.TextStyle.Color, p.Legend.TextStyle.Color = ink, ink
	return p
}

func addGrid(p *plot.Plot) {
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = thin, thin
	p.Add(grid)
}

func hours(seconds float64) float64 { return seconds / 3600 }

// unit is a unit of charge.
type unit struct {
	name string
	size float64 // microampere-hours
}

// unitFor returns the unit in which a plot up to a charge has short numbers.
func unitFor(most float64) unit {
	if most < 1000 {
		return unit{"µAh", 1}
	}
	return unit{"mAh", 1000}
}

// title names the plot and the scenario.
func title(what string, s *sweep.Sweep) string {
	name := filepath.Base(s.File)
	return what + ", " + strings.TrimSuffix(name, filepath.Ext(name))
}

// series is a list of rows that are drawn alike.
type series struct {
	name string
	rows []*sweep.Row
}

// group puts rows with the same name into one series, in the order of the rows.
// Rows that were not completed in every run have no place in a plot of time.
func group(rows []sweep.Row, name func(*sweep.Row) string) (all []series, left int) {
	index := map[string]int{}
	for i := range rows {
		r := &rows[i]
		if r.Completed < r.Runs {
			left++
			continue
		}
		n := name(r)
		at, ok := index[n]
		if !ok {
			at = len(all)
			index[n] = at
			all = append(all, series{name: n})
		}
		all[at].rows = append(all[at].rows, r)
	}
	return all, left
}

// note says what a plot leaves out.
func note(title string, left, series int) string {
	if left > 0 {
		title += fmt.Sprintf(" (%d not always completed, not shown)", left)
	}
	if series > maxSeries {
		title += fmt.Sprintf(" (first %d of %d series)", maxSeries, series)
	}
	return title
}
