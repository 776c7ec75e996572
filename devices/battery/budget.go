package battery

import (
	"time"

	"github.com/commshub/commshub/han/phy"
)

// Budget is what a meter allows itself in one heartbeat window. Zero fields do
// not limit.
type Budget struct {
	RadioOn time.Duration // radio-on time per window
	Reserve Charge        // charge that downloads never touch
}

// Window watches a budget during one heartbeat window.
type Window struct {
	budget  Budget
	radioOn time.Duration // the ledger's at the start of the window
	charge  Charge
}

// Open begins a window.
func (b Budget) Open(l *Ledger) Window {
	return Window{budget: b, radioOn: l.RadioOn(), charge: l.Active()}
}

// RadioOn returns the radio-on time spent in the window so far.
func (w *Window) RadioOn(l *Ledger) time.Duration { return l.RadioOn() - w.radioOn }

// Charge returns the charge spent on work in the window so far.
func (w *Window) Charge(l *Ledger) Charge { return l.Active() - w.charge }

// Allows reports whether an operation of the given cost still fits, and if not, why.
func (w *Window) Allows(l *Ledger, cost phy.Cost) (ok bool, reason string) {
	if w.budget.RadioOn > 0 && w.RadioOn(l)+cost.RadioOn() > w.budget.RadioOn {
		return false, "radio-on share of the window is spent"
	}
	if w.budget.Reserve > 0 && l.Remaining() < w.budget.Reserve {
		return false, "charge is under its reserve"
	}
	return true, ""
}
