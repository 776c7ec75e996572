package sweep

import (
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/internal/report"
	"github.com/commshub/commshub/internal/scenario/play"
)

// Row is what one combination came to: means over its seeds. Charge is in
// microampere-hours.
type Row struct {
	Values    []string `json:"values"` // of the axes, in their order
	Runs      int      `json:"runs"`
	Completed int      `json:"completed"` // runs in which the image was complete
	Held      int      `json:"held"`      // runs in which all expectations of the file hold
	// Complete is over the runs in which the image was complete; 0 if there is none.
	Complete    Mean `json:"complete_s"`
	Windows     Mean `json:"windows"`
	Retries     Mean `json:"retries"`
	Refetched   Mean `json:"blocks_refetched"`
	RadioOn     Mean `json:"radio_on_s"`
	Charge      Mean `json:"charge_uah"`           // of the windows of the update
	UsedPercent Mean `json:"battery_used_percent"` // the same
	// Causes is the charge from the start of the run to its end, without base load
	// and self-discharge, by groups of causes.
	Causes map[string]float64 `json:"charge_by_cause_uah"`
	// Spent is the charge of work over time in the first run, by the meter's reports; told of the
	// first combinations alone.
	Spent []report.Point `json:"-"`
	// Pareto tells that no other combination is better in both charge and time under
	// the same circumstances; see [Circumstances].
	Pareto bool `json:"pareto"`
}

// Mean is a mean and what it lies between.
type Mean struct {
	Mean float64 `json:"mean"`
	Min  float64 `json:"min"`
	Max  float64 `json:"max"`
}

func meanOf(values []float64) Mean {
	if len(values) == 0 {
		return Mean{}
	}
	var sum float64
	for _, v := range values {
		sum += v
	}
	return Mean{round(sum / float64(len(values))), round(slices.Min(values)), round(slices.Max(values))}
}

func round(v float64) float64 { return math.Round(v*1e6) / 1e6 }

// Groups are the groups of causes in the order of plots and tables.
var Groups = [numGroups]struct {
	Name   string
	causes []battery.Cause
}{
	{"listen", []battery.Cause{battery.CauseListen}},
	{"transmit", []battery.Cause{battery.CauseTransmit}},
	{"receive", []battery.Cause{battery.CauseReceive}},
	{"processor", []battery.Cause{battery.CauseProcessor, battery.CauseReboot}},
	{"flash", []battery.Cause{battery.CauseFlash}},
	{"crypto", []battery.Cause{battery.CauseHash, battery.CauseSignature, battery.CauseCheck}},
	{"sleep", []battery.Cause{battery.CauseSleep}},
}

// numGroups is the number of Groups.
const numGroups = 7

// sample is what one run came to.
type sample struct {
	complete                                     float64 // seconds; 0 if the image was never complete
	windows, retries, refetched, radioOn, charge float64
	used                                         float64
	causes                                       [numGroups]float64
	held                                         bool
	spent                                        []report.Point
}

func newSample(r *play.Result, meter string) sample {
	m := r.Meter(meter)
	s := sample{
		complete: m.CompleteIn().Seconds(), windows: float64(m.Windows), retries: float64(m.Retries),
		refetched: float64(m.Refetched), radioOn: m.RadioOn, charge: m.Charge, used: m.Share, held: r.Passed(),
	}
	if page := r.Report(); page != nil {
		s.spent = spent(page, meter)
	}
	for i, g := range Groups {
		for _, c := range g.causes {
			s.causes[i] += m.Causes[c.String()]
		}
	}
	return s
}

// spent returns the charge over time of a meter's newest update.
func spent(page *report.Report, meter string) []report.Point {
	for _, u := range slices.Backward(page.Updates) {
		if strings.HasPrefix(u.Device, meter+", ") {
			return report.Spent(u.Windows, true)
		}
	}
	return nil
}

func newRow(values []string, samples []sample) Row {
	r := Row{Values: values, Runs: len(samples), Causes: map[string]float64{}, Spent: samples[0].spent}
	pick := func(of func(s *sample) float64) Mean {
		var all []float64
		for i := range samples {
			all = append(all, of(&samples[i]))
		}
		return meanOf(all)
	}
	var complete []float64
	for i := range samples {
		if samples[i].complete > 0 {
			complete = append(complete, samples[i].complete)
		}
		if samples[i].held {
			r.Held++
		}
	}
	r.Completed, r.Complete = len(complete), meanOf(complete)
	r.Windows = pick(func(s *sample) float64 { return s.windows })
	r.Retries = pick(func(s *sample) float64 { return s.retries })
	r.Refetched = pick(func(s *sample) float64 { return s.refetched })
	r.RadioOn = pick(func(s *sample) float64 { return s.radioOn })
	r.Charge = pick(func(s *sample) float64 { return s.charge })
	r.UsedPercent = pick(func(s *sample) float64 { return s.used })
	for i, g := range Groups {
		r.Causes[g.Name] = pick(func(s *sample) float64 { return s.causes[i] }).Mean
	}
	return r
}

// Circumstances returns the values that nobody chooses, those of the link, as one
// text; "" if none of them is varied.
func Circumstances(axes []Axis, r *Row) string { return r.describe(axes, Axis.isLink) }

// Choices returns the values that somebody chooses as one text.
func Choices(axes []Axis, r *Row) string {
	return r.describe(axes, func(a Axis) bool { return !a.isLink() })
}

func (r *Row) describe(axes []Axis, take func(Axis) bool) string {
	var words []string
	for i, a := range axes {
		switch {
		case !take(a):
		case strings.Contains(r.Values[i], "="):
			words = append(words, r.Values[i]) // a pacing says what it is
		default:
			words = append(words, a.Name()+" "+a.plain(r.Values[i]))
		}
	}
	return strings.Join(words, ", ")
}

// markPareto finds the combinations that no other beats under the same
// circumstances. One in which not every run was completed is not among them.
func markPareto(axes []Axis, rows []Row) {
	for i := range rows {
		a := &rows[i]
		circumstances := Circumstances(axes, a)
		a.Pareto = a.Completed == a.Runs && !slices.ContainsFunc(rows, func(b Row) bool {
			return b.Completed == b.Runs && b.Charge.Mean <= a.Charge.Mean && b.Complete.Mean <= a.Complete.Mean &&
				(b.Charge.Mean < a.Charge.Mean || b.Complete.Mean < a.Complete.Mean) &&
				Circumstances(axes, &b) == circumstances
		})
	}
}

// WriteCSV writes rows with a header.
func WriteCSV(w io.Writer, axes []Axis, rows []Row) error {
	c := csv.NewWriter(w)
	var header []string
	for _, a := range axes {
		header = append(header, a.Path)
	}
	header = append(header, "runs", "completed", "held", "complete_s_mean", "complete_s_min", "complete_s_max",
		"windows_mean", "retries_mean", "blocks_refetched_mean", "radio_on_s_mean", "charge_uah_mean", "charge_uah_min", "charge_uah_max",
		"battery_used_percent_mean", "pareto")
	for _, g := range Groups {
		header = append(header, "charge_by_cause_uah_"+g.Name)
	}
	if err := c.Write(header); err != nil {
		return err
	}
	for i := range rows {
		if err := c.Write(rows[i].cells()); err != nil {
			return err
		}
	}
	c.Flush()
	return c.Error()
}

func (r *Row) cells() []string {
	cells := append([]string(nil), r.Values...)
	for _, n := range []int{r.Runs, r.Completed, r.Held} {
		cells = append(cells, strconv.Itoa(n))
	}
	for _, v := range []float64{r.Complete.Mean, r.Complete.Min, r.Complete.Max, r.Windows.Mean, r.Retries.Mean, r.Refetched.Mean,
		r.RadioOn.Mean, r.Charge.Mean, r.Charge.Min, r.Charge.Max, r.UsedPercent.Mean} {
		cells = append(cells, strconv.FormatFloat(v, 'f', -1, 64))
	}
	cells = append(cells, fmt.Sprint(r.Pareto))
	for _, g := range Groups {
		cells = append(cells, strconv.FormatFloat(r.Causes[g.Name], 'f', -1, 64))
	}
	return cells
}
