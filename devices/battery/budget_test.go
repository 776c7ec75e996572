package battery

import (
	"testing"
	"time"

	"github.com/commshub/commshub/han/phy"
)

func TestAWindowAllowsWhatFitsItsBudget(t *testing.T) {
	block := phy.Cost{Transmit: 5 * time.Millisecond, Listen: 6 * time.Millisecond, Receive: 4 * time.Millisecond}
	tests := []struct {
		name   string
		budget Budget
		spent  int // blocks
		drain  Charge
		want   bool
	}{
		{"no limit", Budget{}, 10_000, 0, true},
		{"a first block", Budget{RadioOn: 45 * time.Millisecond}, 0, 0, true},
		{"the last one that fits", Budget{RadioOn: 45 * time.Millisecond}, 2, 0, true},
		{"one more", Budget{RadioOn: 45 * time.Millisecond}, 3, 0, false},
		{"a nanosecond short", Budget{RadioOn: 45*time.Millisecond - 1}, 2, 0, false},
		{"charge just at the reserve", Budget{Reserve: 1_000_000}, 0, -1_000_000, true},
		{"charge under the reserve", Budget{Reserve: 1_000_000}, 0, -999_999, false},
		{"both limits, charge short", Budget{RadioOn: time.Hour, Reserve: 1_000_000}, 0, 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			set := Default()
			l := NewLedger(set, installed)
			l.Radio(phy.Cost{Listen: time.Hour}) // before the window
			if tt.drain != 0 || tt.budget.Reserve > 0 {
				l.Drain(l.Remaining() + tt.drain)
			}
			w := tt.budget.Open(l)
			for range tt.spent {
				l.Radio(block)
			}
			ok, reason := w.Allows(l, block)
			if ok != tt.want || ok != (reason == "") {
				t.Errorf("allowed %v (%q), want %v", ok, reason, tt.want)
			}
			if got, want := w.RadioOn(l), time.Duration(tt.spent)*15*time.Millisecond; got != want {
				t.Errorf("%v of radio in the window, want %v", got, want)
			}
		})
	}
}

func TestAWindowCountsOnlyWorkDoneInIt(t *testing.T) {
	l := NewLedger(Default(), installed)
	l.Reboot()
	w := Budget{}.Open(l)
	l.Elapse(installed.Add(time.Hour))
	l.Hash(4096)
	if got := w.Charge(l); got != 26_624 {
		t.Errorf("%d nC in the window, want the hash's 26,624", got)
	}
}
