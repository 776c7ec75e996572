package observe

import (
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
	At              time.Time
	Register        *uint64 // of CurrentSummationDelivered
	BatteryPercent  *uint8
	BatteryDaysLeft *uint16
}

// history is a ring of readings.
type history struct {
	since time.Time
	ring  []Reading
	next  int
}

// add keeps the reading that a mirror holds now.
func (h *history) add(at time.Time, m store.Mirror) {
	r := Reading{At: at}
	for i := range m.Attributes {
		n := m.Attributes[i].Number
		switch m.Attributes[i].ID {
		case metering.AttributeCurrentSummationDelivered:
			r.Register = &n
		case metering.AttributeRemainingBatteryLife:
			v := uint8(n)
			r.BatteryPercent = &v
		case metering.AttributeRemainingBatteryLifeInDays:
			v := uint16(n)
			r.BatteryDaysLeft = &v
		}
	}
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
	return slices.Concat(d.history.ring[d.history.next:], d.history.ring[:d.history.next]), d.history.since, true
}
