// Package battery is a meter's charge ledger: what each action of radio,
// processor, flash and cryptography costs, what is left, and how long it will
// last.
//
// Charge is accounted per operation from a parameter set ([Set]) and the radio
// model (han/phy), not by subtracting clock readings, so that a ledger agrees in
// every driver and at every speed of the emulated clock. Only the base load and
// self-discharge follow elapsed time. All arithmetic is in integers, so that a
// ledger can stand in a golden trace.
package battery

import (
	"fmt"
	"time"
)

// Charge is an amount of charge in nanocoulombs, 1 µA for 1 ms. A 19 Ah cell
// holds 6.84e13 of them.
type Charge int64

// MicroampHour is one µAh.
const MicroampHour Charge = 3_600_000

// MicroampHours returns the charge in µAh for display; it is never persisted.
func (c Charge) MicroampHours() float64 { return float64(c) / float64(MicroampHour) }

// current is a current in microamperes.
type current = int64

// over returns the charge of a current flowing for d.
func over(i current, d time.Duration) Charge { return Charge(i * int64(d) / int64(time.Millisecond)) }

// Cause is what charge was spent on.
type Cause uint8

// The causes, in the order in which reports show them.
const (
	CauseSleep         Cause = iota // processor and radio asleep
	CauseBase                       // metrology, clock and display
	CauseSelfDischarge              // the cell itself
	CauseListen                     // receiver on without a frame
	CauseTransmit
	CauseReceive
	CauseProcessor // awake, handling frames
	CauseFlash
	CauseHash
	CauseSignature
	CauseReboot
	CauseDrained // by hand, for a test that wants a battery in use
	CauseCheck   // reading and hashing what is stored, in service and after a boot
	NumCauses    // how many there are
)

var causeNames = [NumCauses]string{
	"sleep", "base", "self-discharge", "listen", "transmit", "receive", "processor", "flash", "hash", "signature", "reboot",
	"drained", "check",
}

// IsWork reports whether the charge went into something that the meter did, not into
// being there, nor to somebody's hand.
func (c Cause) IsWork() bool {
	return c != CauseSleep && c != CauseBase && c != CauseSelfDischarge && c != CauseDrained
}

// StandingNames returns the names of the causes that are no work.
func StandingNames() []string {
	var out []string
	for _, c := range Causes() {
		if !c.IsWork() {
			out = append(out, c.String())
		}
	}
	return out
}

// String returns the cause's name as reports show it.
func (c Cause) String() string {
	if c >= NumCauses {
		return fmt.Sprintf("cause %d", c) // of a meter that tells more of them apart
	}
	return causeNames[c]
}

// Causes returns all causes in report order.
func Causes() []Cause {
	all := make([]Cause, NumCauses)
	for i := range all {
		all[i] = Cause(i)
	}
	return all
}
