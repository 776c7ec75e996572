package observe

import (
	"math"
	"slices"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/metering"
	"github.com/commshub/commshub/hub/store"
)

// historySize is how many readings are kept of a device: a month of half-hours.
const historySize = 1500

// Reading is what a mirror held at one time. What a meter does not report is
// absent.
type Reading struct {
	At       time.Time
	Register *uint64 // of CurrentSummationDelivered
	// What is left of a battery: whole numbers from the mirror, or what a meter that
	// reports its consumption had told by then, to which one update shows.
	BatteryPercent  *float64
	BatteryDaysLeft *float64
}

// history is a ring of readings.
type history struct {
	since time.Time
	ring  []Reading
	next  int
}

// readingOf returns the reading that a mirror holds.
func readingOf(m store.Mirror) store.Reading {
	r := store.Reading{Device: m.Device, At: m.UpdatedAt}
	for i := range m.Attributes {
		n := m.Attributes[i].Number
		switch m.Attributes[i].ID {
		case metering.AttributeCurrentSummationDelivered:
			if m.RegisterAt == 0 { // or it is an older one, and what came with this report is not believed
				r.Register = &n
			}
		case metering.AttributeRemainingBatteryLife:
			v := uint8(n)
			r.BatteryPercent = &v
		case metering.AttributeRemainingBatteryLifeInDays:
			v := uint16(n)
			r.BatteryDaysLeft = &v
		}
	}
	if c, err := metering.ParseConsumption(m.Consumption); err == nil && r.BatteryPercent != nil {
		refine(&r, &c)
	}
	return r
}

// refine adds what a meter told of its consumption at the end of an earlier window, if
// the percentage that it reports now says that no more than a part of a percent went
// since: somebody may have drained the cell.
func refine(r *store.Reading, c *metering.Consumption) {
	const perMilliampereHour = 3_600_000_000 / metering.ChargeUnit
	const billion = 1_000_000_000
	capacity, spent := c.Capacity*perMilliampereHour, uint64(0)
	for _, charge := range c.Charge[:c.Causes] {
		spent += charge
	}
	if capacity == 0 || spent > capacity {
		return
	}
	left := float64(capacity-spent) / float64(capacity)
	if now := float64(*r.BatteryPercent); left*100 < now || left*100 >= now+2 {
		return
	}
	share := uint32(left * billion)
	r.BatteryLeft = &share
	if c.Day > 0 {
		lasts := uint32(min(float64(capacity-spent)/float64(c.Day)*secondsPerDay, math.MaxUint32))
		r.BatteryLasts = &lasts
	}
}

const secondsPerDay = 24 * 60 * 60

// kept returns a reading of the store.
func kept(r store.Reading) Reading {
	out := Reading{At: instant(r.At), Register: r.Register}
	if r.BatteryPercent != nil {
		percent := float64(*r.BatteryPercent)
		out.BatteryPercent = &percent
	}
	if r.BatteryDaysLeft != nil {
		days := float64(*r.BatteryDaysLeft)
		out.BatteryDaysLeft = &days
	}
	if r.BatteryLeft != nil {
		percent := float64(*r.BatteryLeft) / 1e7
		out.BatteryPercent = &percent
	}
	if r.BatteryLasts != nil {
		days := float64(*r.BatteryLasts) / secondsPerDay
		out.BatteryDaysLeft = &days
	}
	return out
}

// oldest returns the reading that the next one takes the place of.
func (h *history) oldest() (Reading, bool) {
	if len(h.ring) < historySize {
		return Reading{}, false
	}
	return h.ring[h.next], true
}

func (h *history) add(r Reading) {
	if len(h.ring) < historySize {
		h.ring = append(h.ring, r)
		return
	}
	h.ring[h.next] = r
	h.next = (h.next + 1) % historySize
}

// History returns the readings of a device, oldest first, and since when they are
// kept.
func (o *Observer) History(eui han.EUI64) (readings []Reading, since time.Time, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	d, ok := o.devices[eui]
	if !ok {
		return nil, time.Time{}, false
	}
	readings, since = slices.Concat(d.history.ring[d.history.next:], d.history.ring[:d.history.next]), d.history.since
	if len(readings) > 0 {
		since = readings[0].At
	}
	return readings, since, true
}
