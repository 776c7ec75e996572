package play

import (
	"encoding/hex"
	"fmt"
	"hash"
	"math"
	"slices"
	"time"

	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/home"
	"github.com/commshub/commshub/internal/report"
	"github.com/commshub/commshub/internal/scenario/homefile"
	"github.com/commshub/commshub/internal/scenario/judge"
)

// Result is how a run went.
type Result struct {
	File        string  `json:"file"`
	Description string  `json:"description,omitempty"`
	Seed        uint64  `json:"seed"`
	Settled     bool    `json:"settled"`    // all updates ended before the duration was over
	Seconds     float64 `json:"duration_s"` // of the run, emulated
	TraceSHA256 string  `json:"trace_sha256,omitempty"`
	Meters      []Meter `json:"meters"`
	// Failures are the expectations that do not hold.
	Failures []Failure `json:"failures"`
	// Checks counts all expectations.
	Checks int `json:"expectations"`
	// Broken are the promises that a judge saw broken, which are failures too. Seen is
	// what the home went through. Both are of runs with a judge.
	Broken []judge.Broken `json:"-"`
	Seen   judge.Seen     `json:"-"`

	report *report.Report
}

// Report returns what a page tells of the run; nil unless the options asked for it.
func (r *Result) Report() *report.Report { return r.report }

// Meter is how one meter came out of a run. Times are counted from the
// distribution of the image distributed last; charge is in microampere-hours.
type Meter struct {
	Name      string  `json:"name"`
	EUI64     string  `json:"eui64"`
	Kind      string  `json:"kind"`
	Target    bool    `json:"target"` // the image was distributed to it
	State     string  `json:"state,omitempty"`
	Reason    string  `json:"reason,omitempty"`
	Before    string  `json:"version_before,omitempty"`
	Version   string  `json:"version_after"`
	Bricked   bool    `json:"bricked"`
	Complete  float64 `json:"complete_s,omitempty"`
	Activated float64 `json:"activated_s,omitempty"`

	Heartbeats uint32  `json:"heartbeats"`
	Windows    uint32  `json:"windows"`
	Blocks     uint32  `json:"blocks"`
	Refetched  uint32  `json:"blocks_refetched"`
	Retries    uint32  `json:"retries"`
	PowerCuts  uint32  `json:"power_cuts"`
	RadioOn    float64 `json:"radio_on_s"` // in the windows of the update
	Charge     float64 `json:"charge_uah"` // in the windows of the update
	Share      float64 `json:"battery_used_percent"`
	// Left is what is left of a gas meter's new cell, and DaysLeft how long that lasts
	// if all days are ordinary; not of a meter whose power is off.
	Left     float64 `json:"battery_left_percent,omitempty"`
	DaysLeft float64 `json:"battery_left_days,omitempty"`
	// Life is how many days a gas meter's new cell lasts until it tells that it is low,
	// if it goes on as in this run.
	Life float64 `json:"battery_life_days,omitempty"`
	// Causes is the charge of the whole run.
	Causes map[string]float64 `json:"charge_by_cause_uah"`
	Alerts []string           `json:"alerts"`

	watch  *watch
	charge battery.Charge
	alerts []uint16
	state  store.UpdateState
}

// CompleteIn returns how long the image took; 0 if it never was complete.
func (m *Meter) CompleteIn() time.Duration { return m.watch.after(m.watch.verifiedAt) }

// ActivatedIn returns how long it took until the new firmware stayed; 0 if it never did.
func (m *Meter) ActivatedIn() time.Duration { return m.watch.after(m.watch.confirmedAt) }

// Meter returns the meter of a name.
func (r *Result) Meter(name string) Meter {
	for i := range r.Meters {
		if r.Meters[i].Name == name {
			return r.Meters[i]
		}
	}
	panic(fmt.Sprintf("play: no meter %q in %s", name, r.File))
}

// Passed reports whether all expectations hold.
func (r *Result) Passed() bool { return len(r.Failures) == 0 }

// result reads everything off at the end of a run.
func (r *run) result(seed uint64, took time.Duration) *Result {
	out := &Result{
		File: r.home.File, Description: string(r.home.Description), Seed: seed, Settled: r.ended, Seconds: took.Seconds(),
		Failures: []Failure{},
	}
	for _, w := range r.watches {
		out.Meters = append(out.Meters, r.meterResult(w))
	}
	out.check(r.home)
	return out
}

func (r *run) meterResult(w *watch) Meter {
	eui := w.device.Address()
	s := r.sim.MeterStatus(eui)
	ledger := r.sim.Ledger(eui)
	ledger.Elapse(r.sim.Now())
	m := Meter{
		Name: string(w.device.Name), EUI64: eui.String(), Kind: w.device.Kind.String(), Target: w.target,
		Version: homefile.Version(s.Version).String(), Bricked: s.Bricked, Reason: w.reason,
		Heartbeats: w.heartbeats, Windows: w.windows, Blocks: w.blocks, Refetched: w.refetched, Retries: w.retries,
		PowerCuts: w.cuts, Causes: map[string]float64{}, Alerts: []string{},
		watch: w,
	}
	if w.gas {
		m.Life = round(r.lifeDays(ledger), 1)
		m.Left = round(ledger.PercentLeft(), 6)
		days, _ := r.sim.DaysLeft(eui)
		m.DaysLeft = round(days, 3)
	}
	for _, c := range battery.Causes() {
		m.Causes[c.String()] = microampHours(ledger.Spent(c))
	}
	for _, a := range r.sim.Store().Inbox(0, math.MaxInt) {
		if a.Device == eui && a.Code != 0 && !slices.Contains(m.alerts, a.Code) {
			m.alerts = append(m.alerts, a.Code)
			m.Alerts = append(m.Alerts, fmt.Sprintf("%04X", a.Code))
		}
	}
	if w.target {
		r.updateResult(&m, w)
		m.charge = s.Update.Charge
		m.RadioOn, m.Charge = round(s.Update.RadioOn.Seconds(), 3), microampHours(m.charge)
		m.Share = round(100*float64(m.charge)/float64(w.set.Capacity()), 6)
	}
	return m
}

// yearDays are the days of a year, as life is told to a person.
const yearDays = 365.25

// lifeDays returns how long a new cell lasts until the meter tells that it is low, if
// every day is like those of this run.
func (r *run) lifeDays(l *battery.Ledger) float64 {
	usable := l.Set().Capacity() / 100 * (100 - home.DefaultLowBattery)
	spent := l.Total() - l.Spent(battery.CauseDrained)
	return float64(usable) / float64(max(1, spent)) * r.sim.Now().Sub(r.home.Start.Time).Hours() / 24
}

func (r *run) updateResult(m *Meter, w *watch) {
	u, _ := r.sim.Store().Update(w.device.Address(), w.image.FileHash)
	m.state = u.State
	m.State = m.state.String()
	m.Before = homefile.Version(w.before).String()
	if m.Reason == "" && m.state == store.UpdateFailed {
		m.Reason = u.Outcome
	}
	m.Complete, m.Activated = m.CompleteIn().Seconds(), m.ActivatedIn().Seconds()
}

func microampHours(c battery.Charge) float64 { return round(c.MicroampHours(), 3) }

func round(v float64, digits int) float64 {
	scale := math.Pow10(digits)
	return math.Round(v*scale) / scale
}

func hexHash(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)) }
