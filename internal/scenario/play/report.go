package play

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"time"

	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/hub/observe"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/report"
	"github.com/commshub/commshub/internal/scenario/homefile"
)

// observeFor looks on for a report.
func (r *run) observeFor() {
	o := observe.New(r.config, r.sim.Store(), r.sim.Now())
	r.sim.Store().Accompany(o.Along)
	r.history = o
}

// report returns what a page says of the run.
func (r *run) report(result *Result) *report.Report {
	h := r.home
	ending := "all updates had ended"
	if !result.Settled {
		ending = "its time was over"
	}
	out := &report.Report{
		Title: orFile(string(h.Description), h.File),
		About: fmt.Sprintf("The scenario %s, played in virtual time from %s on, until %s.", filepath.Base(h.File), h.Start.UTC().Format("2 January 2006, 15:04 UTC"), ending),
		Facts: []report.Fact{
			{Name: "Seed", Value: fmt.Sprint(result.Seed)},
			{Name: "Emulated time", Value: span(time.Duration(result.Seconds * float64(time.Second)))},
			{Name: "Expectations that hold", Value: fmt.Sprintf("%d of %d", result.Checks-len(result.Failures), result.Checks)},
			{Name: "Pacing", Value: h.Pacing.String()},
			{Name: "Block size", Value: fmt.Sprintf("%d bytes", h.BlockSize)},
			{Name: "Frames lost", Value: h.Link.Loss.String()},
			{Name: "Battery set", Value: r.config.Battery.Name},
			{Name: "Trace SHA-256", Value: orFile(result.TraceSHA256, "not taken")},
		},
	}
	for i := range result.Meters {
		m := &result.Meters[i]
		for _, u := range r.sim.Store().UpdatesOf(m.watch.device.Address()) {
			out.Updates = append(out.Updates, r.reportUpdate(result, m, u))
		}
	}
	slices.SortStableFunc(out.Updates, func(a, b report.Update) int { return a.Steps[0].At.Compare(b.Steps[0].At) })
	return out
}

func (r *run) reportUpdate(result *Result, m *Meter, u store.Update) report.Update {
	im, _ := r.sim.Store().ImageByFileHash(u.FileHash)
	t, _ := r.history.Timeline(u.Device, u.FileHash, r.sim.Now())
	version := homefile.Version(im.FileVersion).String()
	out := report.Update{
		Device: fmt.Sprintf("%s, %s %s: version %s", m.Name, m.Kind, m.EUI64, version),
		Facts: []report.Fact{
			{Name: "State", Value: u.State.String()},
			{Name: "Runs at the end", Value: m.Version},
			{Name: "Image", Value: fmt.Sprintf("%d bytes, SHA-256 %x", im.Size, u.FileHash)},
			{Name: "Windows", Value: fmt.Sprint(u.Windows)},
			{Name: "Blocks", Value: fmt.Sprint(u.Blocks)},
			{Name: "Sent again", Value: fmt.Sprint(u.Retries)},
		},
		Steps: []report.Step{{At: micro(u.StartedAt), What: "distributed"}},
		Size:  im.Size, BlockSize: t.BlockSize, Served: runs(t.Served), Missed: runs(t.Missed),
	}
	if t.Earlier.Windows > 0 {
		out.Earlier = fmt.Sprintf("%d earlier windows with %d blocks are not listed one by one.", t.Earlier.Windows, t.Earlier.Blocks)
	}
	for i := range t.Windows {
		w := &t.Windows[i]
		out.Windows = append(out.Windows, report.Window{
			Number: w.Number, OpenedAt: w.OpenedAt, Blocks: w.Blocks, Repeats: w.Repeats, Runs: runs(w.Runs),
			RadioOn: w.RadioOn, Wait: w.Wait, Interrupted: w.Interrupted,
			Charge: battery.Charge(w.Charge).MicroampHours(), Causes: report.CausesOf(w.ByCause(), battery.StandingNames()),
		})
	}
	if m.watch.image != nil && m.watch.image.FileHash == u.FileHash {
		r.reportLast(result, m, u, &out)
	}
	out.Steps = append(out.Steps, report.Step{At: micro(u.ChangedAt), What: orFile(u.State.String()+": "+u.Outcome, u.State.String())})
	slices.SortStableFunc(out.Steps, func(a, b report.Step) int { return a.At.Compare(b.At) })
	for _, a := range r.sim.Store().Inbox(0, math.MaxInt) {
		if at := micro(a.At); a.Device == u.Device && a.Code != 0 && !at.Before(micro(u.StartedAt)) {
			out.Alerts = append(out.Alerts, report.Step{At: at, What: fmt.Sprintf("%04X %s", a.Code, gbcs.AlertCode(a.Code))})
		}
	}
	return out
}

// reportLast tells what is known of the image distributed last alone.
func (r *run) reportLast(result *Result, m *Meter, u store.Update, out *report.Update) {
	w := m.watch
	for _, s := range []report.Step{{At: w.verifiedAt, What: "complete, and found good"}, {At: w.confirmedAt, What: "the new firmware runs for good"}} {
		if !s.At.IsZero() {
			out.Steps = append(out.Steps, s)
		}
	}
	if u.ForeseenCompletesAt != 0 {
		out.ExpectedNote = "As the hub foresaw it when the image was distributed, or when the meter first asked, before it had measured how much this link loses."
		out.Expected = append(out.Expected,
			report.Comparison{What: "Complete after", Expected: span(micro(u.ForeseenCompletesAt).Sub(w.at)), Actual: span(m.CompleteIn())},
			report.Comparison{What: "Windows", Expected: fmt.Sprintf("%.1f", float64(u.ForeseenWindows)/10), Actual: fmt.Sprint(m.Windows)},
			report.Comparison{What: "Charge", Expected: fmt.Sprintf("%.1f µAh", battery.Charge(u.ForeseenCharge).MicroampHours()), Actual: fmt.Sprintf("%.1f µAh", m.Charge)},
			report.Comparison{What: "Radio on", Expected: (time.Duration(u.ForeseenRadioOn) * time.Microsecond).Round(time.Millisecond).String(), Actual: time.Duration(m.RadioOn * float64(time.Second)).Round(time.Millisecond).String()})
	}
	for _, f := range result.Failures {
		if f.Meter == m.Name {
			out.Expected = append(out.Expected, report.Comparison{What: "Does not hold", Expected: f.Expectation, Actual: f.Got})
		}
	}
	if !w.gas {
		out.ChargeNote = "The meter is on mains."
		return
	}
	out.Facts = append(out.Facts,
		report.Fact{Name: "Charge of the update", Value: fmt.Sprintf("%.3f µAh, %.6f %% of a new cell", m.Charge, m.Share)},
		report.Fact{Name: "Left of the cell", Value: left(m)},
		report.Fact{Name: "A new cell lasts", Value: fmt.Sprintf("%.0f days, if all are like these", m.Life)})
	out.ChargeNote = "Of the whole run, by the meter's own ledger."
	for _, c := range battery.Causes() {
		out.Charge = append(out.Charge, report.Cause{Name: c.String(), Charge: m.Causes[c.String()]})
	}
	readings, _, _ := r.history.History(w.device.Address())
	for _, reading := range readings {
		if reading.BatteryPercent != nil {
			out.Battery = append(out.Battery, report.Point{At: reading.At, Value: *reading.BatteryPercent})
		}
	}
	out.Battery = report.Finest(out.Battery)
}

// left says what is left of a gas meter's cell.
func left(m *Meter) string {
	text := battery.Percent(m.Left)
	if m.DaysLeft > 0 {
		text += ", " + battery.Days(m.DaysLeft) + " at an ordinary day's use"
	}
	return text
}

func runs(all []ota.Run) []report.Run {
	out := make([]report.Run, len(all))
	for i, r := range all {
		out[i] = report.Run{From: r.From, To: r.To}
	}
	return out
}

func micro(at int64) time.Time { return time.UnixMicro(at).UTC() }

func span(d time.Duration) string {
	if d == 0 {
		return "never"
	}
	return homefile.Duration(d.Round(time.Second)).String()
}

func orFile(text, other string) string {
	if text == "" {
		return other
	}
	return text
}
