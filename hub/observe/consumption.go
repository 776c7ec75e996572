package observe

import (
	"math"
	"slices"
	"time"

	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/metering"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/hub/store"
)

// consumed takes what a meter says at the end of a window that it spent.
func (o *Observer) consumed(d *device, cluster uint16, h zcl.Header, payload []byte) {
	if !d.sleeps || cluster != metering.ClusterID || h.ClusterSpecific || h.Command != zcl.CommandReportAttributes ||
		!h.ManufacturerSpecific || h.Manufacturer != metering.Manufacturer {
		return
	}
	report, err := zcl.ParseReportAttributes(payload)
	if err != nil {
		return // the hub refuses it
	}
	d.awake = false // it is a meter's last word in a window
	for _, a := range report.Attributes {
		if a.ID != metering.AttributeConsumption {
			continue
		}
		if c, err := metering.ParseConsumption(a.Value.Bytes); err == nil {
			o.account(d, &c)
			d.consumption, d.consumedAt, d.toldAt = &c, d.heardAt, d.counts.Heartbeats
		}
	}
}

// account gives a window what it cost. What an earlier one cost whose report got lost
// is what the sums grew by besides, less the heartbeats of which the meter says nothing.
func (o *Observer) account(d *device, c *metering.Consumption) {
	t := d.current
	if t == nil || !t.inWindow(d, d.heardAt) {
		d.plain = int64(c.WindowCharge)
		if t != nil && t.next() == 1 {
			t.before = spentOf(c)
		}
		return
	}
	w := &t.windows[len(t.windows)-1]
	w.Told, w.Charge, w.RadioOn = true, int64(c.WindowCharge), c.WindowRadioOn
	w.Spent = spentOf(c)
	if t.next() == 2 && t.before == nil && isFirst(c) {
		t.before = make([]uint64, c.Causes) // when its cell was put in
	}
	if n := len(t.windows); n > 1 && d.consumption != nil && !t.windows[n-2].Told {
		grown := workOf(c) - workOf(d.consumption)
		const two = 2 // this window, and the earlier one
		silent := max(0, int64(d.counts.Heartbeats-d.toldAt)-two)
		last := &t.windows[n-2]
		last.Told, last.Charge = true, max(0, grown-int64(c.WindowCharge)-silent*d.plain)
		t.from = min(t.from, last.Number)
	}
	t.from = min(t.from, w.Number)
	o.windowEnded(t)
}

// isFirst reports whether the window that an account is of took at least half of all work
// since the cell was put in: a new meter's first. Then there is no account before it to wait
// for, and all that was spent belongs to it.
func isFirst(c *metering.Consumption) bool { return 2*int64(c.WindowCharge) >= workOf(c) }

// spentOf returns the sums of an account by cause; nil without one.
func spentOf(c *metering.Consumption) []uint64 {
	if c == nil {
		return nil
	}
	return slices.Clone(c.Charge[:c.Causes])
}

// spentBefore returns the last account before a window listed.
func (t *timeline) spentBefore(i int) []uint64 {
	for i--; i >= 0; i-- {
		if t.windows[i].Spent != nil {
			return t.windows[i].Spent
		}
	}
	return t.before
}

// addCauses fills in Causes of the windows that are listed last.
func (t *timeline) addCauses(windows []Window) {
	before := t.spentBefore(len(t.windows) - len(windows))
	for i := range windows {
		if w := &windows[i]; w.Spent != nil {
			w.Causes, before = grown(before, w.Spent), w.Spent
		}
	}
}

// grown returns by how much sums grew; nil if they are not those of the same cell.
func grown(before, now []uint64) []uint64 {
	if len(before) != len(now) {
		return nil
	}
	out := make([]uint64, len(now))
	for i := range now {
		if now[i] < before[i] {
			return nil
		}
		out[i] = now[i] - before[i]
	}
	return out
}

// ByCause returns Causes in microampere-hours, by the name of the cause, without those
// that took nothing; nil if it is not known.
func (w *Window) ByCause() map[string]float64 {
	if w.Causes == nil {
		return nil
	}
	out := map[string]float64{}
	for i, n := range w.Causes {
		if n > 0 {
			const thousandths = 1000
			charge := battery.Charge(n * metering.ChargeUnit).MicroampHours()
			out[battery.Cause(i).String()] = math.Round(charge*thousandths) / thousandths
		}
	}
	return out
}

// workOf returns the charge of all work in nanocoulombs.
func workOf(c *metering.Consumption) int64 {
	var sum int64
	for i, charge := range c.Charge[:c.Causes] {
		if battery.Cause(i).IsWork() {
			sum += int64(charge) * metering.ChargeUnit
		}
	}
	return sum
}

// recall takes what the store holds of a meter's consumption.
func (d *device) recall(m store.Mirror) {
	if c, err := metering.ParseConsumption(m.Consumption); err == nil {
		d.consumption, d.consumedAt = &c, time.UnixMicro(m.ConsumedAt).UTC()
	}
}

// Consumption returns what a meter said last that it spent, and when.
func (o *Observer) Consumption(eui han.EUI64) (c metering.Consumption, at time.Time, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	d, known := o.devices[eui]
	if !known || d.consumption == nil {
		return metering.Consumption{}, time.Time{}, false
	}
	return *d.consumption, d.consumedAt, true
}
