package zigbee2mqtt

import (
	"fmt"
	"slices"
	"time"
)

// phase is where a device stands with Zigbee2MQTT.
type phase string

// The phases. Waiting is also that of a device without an update.
const (
	phaseWaiting      phase = ""
	phaseOrdered      phase = "ordered"      // published, not answered
	phaseScheduled    phase = "scheduled"    // Zigbee2MQTT took the order, the transfer did not begin
	phaseUpdating     phase = "updating"     // blocks flow
	phaseAborting     phase = "aborting"     // the supplier withdrew it; then the schedule goes
	phaseUnscheduling phase = "unscheduling" // …
	phaseDone         phase = "done"
	phaseFailed       phase = "failed"
)

// String returns the phase in a word.
func (p phase) String() string {
	if p == phaseWaiting {
		return "waiting"
	}
	return string(p)
}

func (p phase) known() bool {
	switch p {
	case phaseWaiting, phaseOrdered, phaseScheduled, phaseUpdating, phaseAborting, phaseUnscheduling, phaseDone, phaseFailed:
		return true
	default:
		return false
	}
}

// busy reports whether a device counts against the concurrency.
func (p phase) busy() bool {
	return p == phaseOrdered || p == phaseScheduled || p == phaseUpdating || p == phaseAborting || p == phaseUnscheduling
}

// become moves a device to another phase from one of those named; from any other is
// a programmer's error and panics.
func (d *device) become(to phase, now time.Time, from ...phase) {
	if !slices.Contains(from, d.Phase) {
		panic(fmt.Sprintf("zigbee2mqtt: %s: a device that is %s cannot become %s", d.config.EUI64, d.Phase, to))
	}
	d.Phase, d.Since = to, now
}

// becomeWaiting: the order was not answered, the transfer failed, or the device gave
// way and its schedule is gone.
func (d *device) becomeWaiting(now time.Time) {
	d.become(phaseWaiting, now, phaseOrdered, phaseScheduled, phaseUpdating, phaseAborting, phaseUnscheduling)
}

// becomeOrdered: the order was published.
func (d *device) becomeOrdered(now time.Time) { d.become(phaseOrdered, now, phaseWaiting) }

// becomeScheduled: Zigbee2MQTT took the order, or keeps it after a transfer that failed.
func (d *device) becomeScheduled(now time.Time) {
	d.become(phaseScheduled, now, phaseOrdered, phaseScheduled, phaseUpdating)
}

// becomeUpdating: blocks flow; for a device that waits, another bridge ordered them.
func (d *device) becomeUpdating(now time.Time) {
	d.become(phaseUpdating, now, phaseWaiting, phaseOrdered, phaseScheduled)
	d.moved = now
}

// becomeAborting: a transfer is withdrawn, perhaps not for the first time.
func (d *device) becomeAborting(now time.Time) {
	d.become(phaseAborting, now, phaseUpdating, phaseAborting)
}

// becomeUnscheduling: an order or what is left of it is taken back, perhaps not for the
// first time.
func (d *device) becomeUnscheduling(now time.Time) {
	d.become(phaseUnscheduling, now, phaseOrdered, phaseScheduled, phaseAborting, phaseUnscheduling)
}

// becomeDone: the device runs the image; one that waits did so already.
func (d *device) becomeDone(now time.Time) {
	d.become(phaseDone, now, phaseWaiting, phaseOrdered, phaseScheduled, phaseUpdating)
}

// becomeFailed: too many transfers failed, or the image cannot be ordered.
func (d *device) becomeFailed(now time.Time) {
	d.become(phaseFailed, now, phaseWaiting, phaseOrdered, phaseScheduled, phaseUpdating)
}

// forget ends a case that the supplier does not want any more: it waits for the next.
func (d *device) forget(now time.Time) {
	d.become(phaseWaiting, now, phaseAborting, phaseUnscheduling, phaseDone, phaseFailed)
	d.keptCase = keptCase{Since: now}
}
