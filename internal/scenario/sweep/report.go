package sweep

import (
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/commshub/commshub/internal/report"
	"github.com/commshub/commshub/internal/scenario/homefile"
)

// Report returns the page on a sweep, from what Run returned.
func (sw *Sweep) Report(rows []Row) report.Report {
	var head []string
	for _, a := range sw.Axes {
		head = append(head, a.Name())
	}
	t := report.Table{
		Caption: "Combinations", Head: append(head, "Done", "Complete", "Slowest", "Windows", "Retries", "Radio on", "Charge", "Of a new cell", "Holds", "Not beaten"),
	}
	for i := range rows {
		r := &rows[i]
		star := ""
		if r.Pareto {
			star = "yes"
		}
		t.Rows = append(t.Rows, append(slices.Clone(r.Values),
			fmt.Sprintf("%d of %d", r.Completed, r.Runs), Span(r.Completed, r.Complete.Mean), Span(r.Completed, r.Complete.Max),
			fmt.Sprintf("%.1f", r.Windows.Mean), fmt.Sprintf("%.1f", r.Retries.Mean),
			time.Duration(r.RadioOn.Mean*float64(time.Second)).Round(10*time.Millisecond).String(),
			fmt.Sprintf("%.4f mAh", r.Charge.Mean/1000), fmt.Sprintf("%.6f %%", r.UsedPercent.Mean), fmt.Sprintf("%d of %d", r.Held, r.Runs), star))
	}
	byCause := report.Table{Caption: "Charge by cause", Head: append(slices.Clone(head[:len(sw.Axes)]), groupNames()...)}
	var curves []report.Curve
	for i := range rows {
		r := &rows[i]
		cells := slices.Clone(r.Values)
		for _, g := range Groups {
			cells = append(cells, fmt.Sprintf("%.4f mAh", r.Causes[g.Name]/1000))
		}
		byCause.Rows = append(byCause.Rows, cells)
		if r.Spent != nil {
			curves = append(curves, report.Curve{Name: r.describe(sw.Axes, func(Axis) bool { return true }), Points: r.Spent})
		}
	}
	notes := []string{
		"Not beaten: no other combination is better in both charge and time under the same link.",
		"Charge by cause is of the whole run, means of all seeds, without base load and self-discharge.",
	}
	if len(curves) > 0 {
		notes = append(notes, fmt.Sprintf("Charge over time is of the first seed of each combination, at most %d of them.", maxCurves))
	}
	return report.Report{
		Title:  "Sweep of " + filepath.Base(sw.File),
		About:  fmt.Sprintf("What each combination of values costs the meter %s in time and charge; %s of each, with seeds from the file's on.", sw.Meter, runs(sw.Seeds)),
		Facts:  []report.Fact{{Name: "Scenario", Value: filepath.Base(sw.File)}, {Name: "Combinations", Value: fmt.Sprint(len(rows))}, {Name: "Runs", Value: fmt.Sprint(sw.Runs())}},
		Tables: []report.Table{t, byCause},
		Curves: curves,
		Notes:  notes,
	}
}

func groupNames() []string {
	var names []string
	for _, g := range Groups {
		names = append(names, g.Name)
	}
	return names
}

func runs(n int) string {
	if n == 1 {
		return "1 run"
	}
	return fmt.Sprintf("%d runs", n)
}

// Span returns a mean time of the runs that were completed, in words.
func Span(completed int, seconds float64) string {
	if completed == 0 {
		return "never"
	}
	return homefile.Seconds(seconds).String()
}
