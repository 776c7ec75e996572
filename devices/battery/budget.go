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

// Spending watches a budget during one heartbeat window.
type Spending struct {
	budget  Budget
	radioOn time.Duration // the ledger's at the start of the window
	charge  Charge
}

// Open begins a window.
func (b Budget) Open(l *Ledger) Spending {
	return Spending{budget: b, radioOn: l.RadioOn(), charge: l.Active()}
}

// RadioOn returns the radio-on time spent in the window so far.
func (s *Spending) RadioOn(l *Ledger) time.Duration { return l.RadioOn() - s.radioOn }

// Charge returns the charge spent on work in the window so far.
func (s *Spending) Charge(l *Ledger) Charge { return l.Active() - s.charge }

// Allows reports whether an operation of the given cost still fits, and if not, why.
func (s *Spending) Allows(l *Ledger, cost phy.Cost) (ok bool, reason string) {
	if s.budget.RadioOn > 0 && s.RadioOn(l)+cost.RadioOn() > s.budget.RadioOn {
		return false, "radio-on share of the window is spent"
	}
	if s.budget.Reserve > 0 && l.Remaining() < s.budget.Reserve {
		return false, "charge is under its reserve"
	}
	return true, ""
}
