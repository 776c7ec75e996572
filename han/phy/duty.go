package phy

import (
	"fmt"
	"time"
)

// DutyLimits are how long a transmitter may be on within any hour. Zero does not
// limit.
type DutyLimits struct {
	Critical  time.Duration // from here on only what cannot wait is sent
	Regulated time.Duration // from here on nothing may be sent
}

// DutyState is how near a transmitter is to its limits. The names are those of
// the GB Sub-GHz cluster.
type DutyState uint8

// The states, from the least to the most restrictive.
const (
	DutyNormal DutyState = iota
	DutyCritical
	DutyRegulated
)

var dutyStateNames = [...]string{"normal", "critical", "regulated"}

// String returns the state's name.
func (s DutyState) String() string {
	if int(s) < len(dutyStateNames) {
		return dutyStateNames[s]
	}
	return fmt.Sprintf("duty state %d", uint8(s))
}

// The hour is watched in steps of a minute: what was sent in a minute counts until
// an hour after the end of that minute, so that a limit is never overrun.
const (
	dutyStep  = time.Minute
	dutySteps = int64(DutyMemory / dutyStep)
)

// DutyMemory is how long a transmission counts at most.
const DutyMemory = time.Hour + dutyStep

// Duty adds up how long a transmitter was on in the last hour. The zero value has
// no limits and adds up all the same.
type Duty struct {
	limits DutyLimits
	spent  [dutySteps]time.Duration
	sum    time.Duration
	step   int64 // number of the newest step since the epoch
}

// NewDuty returns the account of a transmitter that was silent until now.
func NewDuty(limits DutyLimits) Duty { return Duty{limits: limits} }

// Limits returns the limits.
func (d *Duty) Limits() DutyLimits { return d.limits }

// Add accounts time on the air.
func (d *Duty) Add(now time.Time, on time.Duration) {
	d.roll(now)
	d.spent[d.step%dutySteps] += on
	d.sum += on
}

// Spent returns the time on the air within the last hour.
func (d *Duty) Spent(now time.Time) time.Duration {
	d.roll(now)
	return d.sum
}

// State returns how near the transmitter is to its limits.
func (d *Duty) State(now time.Time) DutyState {
	spent := d.Spent(now)
	switch {
	case d.limits.Regulated > 0 && spent >= d.limits.Regulated:
		return DutyRegulated
	case d.limits.Critical > 0 && spent >= d.limits.Critical:
		return DutyCritical
	default:
		return DutyNormal
	}
}

// Allows reports whether so much more stays under the critical limit.
func (d *Duty) Allows(now time.Time, on time.Duration) bool {
	return d.limits.Critical == 0 || d.Spent(now)+on < d.limits.Critical
}

// NormalAt returns when at most keep of what was sent until now still counts.
func (d *Duty) NormalAt(now time.Time, keep time.Duration) time.Time {
	d.roll(now)
	left := d.sum
	if left <= keep {
		return now
	}
	for i := d.step - dutySteps + 1; i <= d.step; i++ {
		if i < 0 {
			continue
		}
		if left -= d.spent[i%dutySteps]; left <= keep {
			return time.Unix(0, (i+dutySteps)*int64(dutyStep)).UTC()
		}
	}
	return now.Add(time.Hour)
}

// roll forgets the steps that are more than an hour old. A clock that was set back
// forgets nothing.
func (d *Duty) roll(now time.Time) {
	step := now.UnixNano() / int64(dutyStep)
	if step <= d.step {
		return
	}
	if step-d.step >= dutySteps {
		d.spent, d.sum, d.step = [dutySteps]time.Duration{}, 0, step
		return
	}
	for d.step < step {
		d.step++
		slot := &d.spent[d.step%dutySteps]
		d.sum -= *slot
		*slot = 0
	}
}
