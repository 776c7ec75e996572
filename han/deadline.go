package han

import (
	"math/bits"
	"time"
)

// Deadline is the instant a node waits for.
type Deadline struct {
	At time.Time
	// Patience tells a deadline for a peer's answer from a scheduled one. No driver
	// treats them differently: what is on its way comes before the patience is over,
	// by the radio's times.
	Patience bool
}

// Before reports whether d is due before e; at the same instant a scheduled
// deadline comes first.
func (d Deadline) Before(e Deadline) bool {
	if !d.At.Equal(e.At) {
		return d.At.Before(e.At)
	}
	return !d.Patience && e.Patience
}

// maxTimers bounds a machine's deadline table. A machine that needs more wants
// splitting.
const maxTimers = 8

// Deadlines is the deadline table of one machine, indexed by the machine's own
// enum of timers. The zero value has no deadline set.
type Deadlines[Timer ~uint8] struct {
	at       [maxTimers]time.Time
	set      uint8 // bit per timer
	patience uint8
}

// Schedule sets timer to a scheduled instant, replacing what it was set to.
func (d *Deadlines[Timer]) Schedule(timer Timer, at time.Time) {
	d.at[timer] = at
	d.set |= 1 << timer
	d.patience &^= 1 << timer
}

// Await sets timer to the instant at which a peer's answer is overdue.
func (d *Deadlines[Timer]) Await(timer Timer, at time.Time) {
	d.at[timer] = at
	d.set |= 1 << timer
	d.patience |= 1 << timer
}

// Clear unsets timer.
func (d *Deadlines[Timer]) Clear(timer Timer) { d.set &^= 1 << timer }

// IsSet reports whether timer is set.
func (d *Deadlines[Timer]) IsSet(timer Timer) bool { return d.set&(1<<timer) != 0 }

// At returns the instant timer is set to; only meaningful if it is set.
func (d *Deadlines[Timer]) At(timer Timer) time.Time { return d.at[timer] }

// Next returns the earliest deadline.
func (d *Deadlines[Timer]) Next() (Deadline, bool) {
	timer, ok := d.earliest()
	if !ok {
		return Deadline{}, false
	}
	return d.deadline(timer), true
}

// Expired unsets and returns the earliest timer that is due at now. Callers
// loop until ok is false, so that timers fire in the order of their instants.
func (d *Deadlines[Timer]) Expired(now time.Time) (timer Timer, ok bool) {
	timer, ok = d.earliest()
	if !ok || d.at[timer].After(now) {
		return 0, false
	}
	d.Clear(timer)
	return timer, true
}

func (d *Deadlines[Timer]) deadline(timer Timer) Deadline {
	return Deadline{At: d.at[timer], Patience: d.patience&(1<<timer) != 0}
}

func (d *Deadlines[Timer]) earliest() (Timer, bool) {
	if d.set == 0 {
		return 0, false
	}
	set := d.set
	best := Timer(bits.TrailingZeros8(set))
	for set &= set - 1; set != 0; set &= set - 1 {
		if t := Timer(bits.TrailingZeros8(set)); d.deadline(t).Before(d.deadline(best)) {
			best = t
		}
	}
	return best, true
}

// Earlier returns the earlier of two optional deadlines, for a machine that is
// made of machines.
func Earlier(a Deadline, aSet bool, b Deadline, bSet bool) (Deadline, bool) {
	if !aSet {
		return b, bSet
	}
	if !bSet || !b.Before(a) {
		return a, true
	}
	return b, true
}
