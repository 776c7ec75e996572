package report

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// The drawings are 960 units wide and as wide as the page.
const width = 960

// Rect is a rectangle of a drawing.
type Rect struct {
	X, Y, W, H float64
	Class      string
	Title      string
}

// maxRects bounds the rectangles of a strip; beyond them only what is served is drawn.
const maxRects = 600

// strip draws the image from left to right, windows in alternating tones.
func strip(u Update) []Rect {
	const height = 28
	var out []Rect
	add := func(r Run, class, title string) {
		x := float64(r.From) / float64(max(1, u.Size)) * width
		out = append(out, Rect{X: x, W: float64(r.To)/float64(max(1, u.Size))*width - x, H: height, Class: class, Title: title})
	}
	for _, r := range u.Served {
		add(r, "odd", "")
	}
	for _, r := range u.Missed {
		add(r, "missed", "not recorded")
	}
	for _, w := range u.Windows {
		if len(out)+len(w.Runs) > maxRects {
			break
		}
		for _, r := range w.Runs {
			add(r, tone(w.Number), fmt.Sprintf("window %d", w.Number))
		}
	}
	return out
}

func tone(window uint32) string {
	if window%2 == 1 {
		return "odd"
	}
	return "even"
}

// titled is for how many windows a column says in words what it shows.
const titled = 100

// bars draws a column for each window, at its time: blocks, and on top what was sent
// again.
func bars(u Update) []Rect {
	const height = 160
	if len(u.Windows) == 0 {
		return nil
	}
	var most uint32 = 1
	for _, w := range u.Windows {
		most = max(most, w.Blocks+w.Repeats)
	}
	wide := columnWidth(u.Windows)
	var out []Rect
	for i, w := range u.Windows {
		x := columnAt(u.Windows, i)
		served, again := float64(w.Blocks)/float64(most)*height, float64(w.Repeats)/float64(most)*height
		title := fmt.Sprintf("window %d: %d blocks, %d sent again", w.Number, w.Blocks, w.Repeats)
		if len(u.Windows) > titled {
			title = "" // the table has the figures
		}
		if w.Interrupted {
			out = append(out, Rect{X: x, Y: 0, W: wide, H: height, Class: "missed", Title: fmt.Sprintf("window %d: interrupted, not recorded", w.Number)})
		}
		out = append(out, Rect{X: x, Y: height - served, W: wide, H: served, Class: tone(w.Number), Title: title})
		if w.Repeats > 0 {
			out = append(out, Rect{X: x, Y: height - served - again, W: wide, H: again, Class: "again", Title: title})
		}
	}
	return out
}

// columnWidth returns how wide the columns of windows are.
func columnWidth(windows []Window) float64 { return min(28, width/float64(len(windows))*0.7) }

// columnAt returns where the column of a window begins: at its time.
func columnAt(windows []Window, i int) float64 {
	first, last := windows[0].OpenedAt, windows[len(windows)-1].OpenedAt
	return windows[i].OpenedAt.Sub(first).Seconds() / max(1, last.Sub(first).Seconds()) * (width - columnWidth(windows))
}

// Spending is what work took in windows, by cause.
type Spending struct {
	Most  float64 // of a window, microampere-hours
	Names []string
	Paths []string // the columns of each cause
}

// hue returns the class of the n-th cause of a drawing; the page has nine.
func hue(n int) string { return fmt.Sprintf("c%d", n%9) }

// gave draws a column for each window, at its time: what work took, one cause on top of
// another. It is nil if no window has it.
func gave(windows []Window) *Spending {
	const height = 160
	s := &Spending{}
	for _, c := range causes(windows) {
		if !c.Standing {
			s.Names = append(s.Names, c.Name)
		}
	}
	for _, w := range windows {
		s.Most = max(s.Most, workOf(&w))
	}
	if s.Most == 0 {
		return nil
	}
	below := make([]float64, len(windows))
	for _, name := range s.Names {
		var path strings.Builder
		for i := range windows {
			h := of(&windows[i], name) / s.Most * height
			if h >= 0.1 {
				x := columnAt(windows, i)
				fmt.Fprintf(&path, "M%.1f %.1fh%.1fv-%.1fH%.1fz", x, height-below[i], columnWidth(windows), h, x)
			}
			below[i] += h
		}
		s.Paths = append(s.Paths, path.String())
	}
	return s
}

// workOf returns what work took in a window.
func workOf(w *Window) (sum float64) {
	for _, c := range w.Causes {
		if !c.Standing {
			sum += c.Charge
		}
	}
	return sum
}

// of returns what one cause took in a window.
func of(w *Window, cause string) float64 {
	for _, c := range w.Causes {
		if c.Name == cause {
			return c.Charge
		}
	}
	return 0
}

// causes returns all causes that windows have, with their sums: those of work first.
func causes(windows []Window) []Cause {
	var out []Cause
	for i := range windows {
		for _, c := range windows[i].Causes {
			at := slices.IndexFunc(out, func(o Cause) bool { return o.Name == c.Name })
			if at < 0 {
				out = append(out, c)
			} else {
				out[at].Charge += c.Charge
			}
		}
	}
	slices.SortStableFunc(out, func(a, b Cause) int {
		switch {
		case a.Standing == b.Standing:
			return 0
		case b.Standing:
			return -1
		default:
			return 1
		}
	})
	return out
}

// cells returns what each cause took in a window, as text.
func cells(w Window, all []Cause) []string {
	out := make([]string, len(all))
	for i := range all {
		out[i] = "–"
		if len(w.Causes) > 0 {
			out[i] = fmt.Sprintf("%.1f", of(&w, all[i].Name))
		}
	}
	return out
}

// Spent returns the charge that windows took, added up from the first one on, in
// microampere-hours: of all causes, or of work alone.
func Spent(windows []Window, work bool) []Point {
	var out []Point
	var sum float64
	for i := range windows {
		for _, c := range windows[i].Causes {
			if !work || !c.Standing {
				sum += c.Charge
			}
		}
		if i == 0 || len(windows[i].Causes) > 0 {
			out = append(out, Point{At: windows[i].OpenedAt, Value: sum})
		}
	}
	return out
}

func overTime(windows []Window) []Curve {
	return []Curve{
		{Name: "all, with what flows whether or not the meter works", Points: Spent(windows, false)},
		{Name: "work", Points: Spent(windows, true)},
	}
}

// Line is a curve and its scale.
type Line struct {
	Points    string // of a polyline
	Low, High float64
}

// Finest returns the points of a battery that are known to a fraction of a percent, if
// there are some: until a meter first tells of its consumption, the hub knows whole
// percents alone, and beside the others they would be jumps that never happened.
func Finest(points []Point) []Point {
	var fine []Point
	for _, p := range points {
		if p.Value != math.Trunc(p.Value) {
			fine = append(fine, p)
		}
	}
	if fine == nil {
		return points
	}
	return fine
}

// maxPoints bounds a curve.
const maxPoints = 500

// line draws a figure over time. It is nil for less than two points.
func line(points []Point) *Line {
	const height = 100
	if len(points) < 2 {
		return nil
	}
	low, high := points[0].Value, points[0].Value
	for _, p := range points {
		low, high = min(low, p.Value), max(high, p.Value)
	}
	l := &Line{Low: low, High: high}
	if high == low {
		low, high = low-0.5, high+0.5
	}
	first, span := points[0].At, max(1, points[len(points)-1].At.Sub(points[0].At).Seconds())
	step := max(1, len(points)/maxPoints)
	for i := 0; i < len(points); i += step {
		p := points[i]
		l.Points += fmt.Sprintf("%.1f,%.1f ", p.At.Sub(first).Seconds()/span*width, height-(p.Value-low)/(high-low)*height)
	}
	return l
}

// Drawing is curves over each other, and their scale.
type Drawing struct {
	Lines   []Line
	Names   []string
	High    float64
	Longest time.Duration
}

// curves draws curves from their first points on. It is nil if none has two points.
func curves(all []Curve) *Drawing {
	const height = 200
	d := &Drawing{}
	for _, c := range all {
		if n := len(c.Points); n > 1 {
			d.Longest = max(d.Longest, c.Points[n-1].At.Sub(c.Points[0].At))
			for _, p := range c.Points {
				d.High = max(d.High, p.Value)
			}
		}
	}
	if d.High == 0 || d.Longest == 0 {
		return nil
	}
	for _, c := range all {
		if len(c.Points) < 2 {
			continue
		}
		var l Line
		step := max(1, len(c.Points)/maxPoints)
		for i := 0; i < len(c.Points); i += step {
			p := c.Points[i]
			l.Points += fmt.Sprintf("%.1f,%.1f ", p.At.Sub(c.Points[0].At).Seconds()/d.Longest.Seconds()*width, height-p.Value/d.High*height)
		}
		d.Lines, d.Names = append(d.Lines, l), append(d.Names, c.Name)
	}
	return d
}

// Share is a cause with its part of the whole.
type Share struct {
	Cause
	Percent float64
}

// shares returns the causes that took something, the greatest first.
func shares(causes []Cause) []Share {
	var total float64
	for _, c := range causes {
		total += c.Charge
	}
	var out []Share
	for _, c := range causes {
		if c.Charge > 0 {
			out = append(out, Share{c, c.Charge / total * 100})
		}
	}
	slices.SortStableFunc(out, func(a, b Share) int {
		switch {
		case a.Charge > b.Charge:
			return -1
		case a.Charge < b.Charge:
			return 1
		default:
			return 0
		}
	})
	return out
}
