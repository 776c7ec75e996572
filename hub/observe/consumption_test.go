package observe_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestTheFirstWindowOfANewMeterHasItsCauses: nothing was spent before its cell was put in. A
// meter that worked before, elsewhere, tells nothing of what it spent in one window.
func TestTheFirstWindowOfANewMeterHasItsCauses(t *testing.T) {
	for name, tt := range map[string]struct {
		charge, work uint64 // of the window in nC; since the cell was put in, in 10 µC
		want         map[string]float64
	}{
		"new":                {600_000, 72, map[string]float64{"base": 2777.778, "transmit": 0.2}},
		"that worked before": {600_000, 144, nil},
	} {
		h, _ := kept(t)
		h.window(start, 0, 1)
		h.consumed(start.Add(2*time.Minute), tt.charge, tt.work)
		h.keep(start.Add(2*time.Minute), false)
		h.restart(start.Add(10 * time.Minute))
		windows := h.timeline(gsme, start.Add(time.Hour)).Windows
		if diff := cmp.Diff(tt.want, windows[0].ByCause()); diff != "" {
			t.Errorf("a meter %s: %s", name, diff)
		}
	}
}

// TestAnAccountBeforeTheFirstBlockCounts, also if it came after the distribution.
func TestAnAccountBeforeTheFirstBlockCounts(t *testing.T) {
	h, _ := kept(t)
	h.beat(start)
	h.consumed(start.Add(2*time.Minute), 600_000, 144)
	h.window(start.Add(30*time.Minute), 0, 1)
	h.consumed(start.Add(32*time.Minute), 600_000, 216)
	windows := h.timeline(gsme, start.Add(time.Hour)).Windows
	if diff := cmp.Diff(map[string]float64{"transmit": 0.2}, windows[0].ByCause()); diff != "" {
		t.Error(diff)
	}
}

// TestWhatTheCellGaveByCause: each account adds what flowed since the one before, be that
// of a heartbeat before the transfer. Nothing is made up for a window whose account got
// lost; the next one has it. It outlives the hub.
func TestWhatTheCellGaveByCause(t *testing.T) {
	h, _ := kept(t)
	tell := func(i int, charge, work uint64) {
		at := start.Add(time.Duration(i) * 30 * time.Minute)
		h.window(at, uint32(i)*48, 1)
		if charge > 0 {
			h.consumed(at.Add(2*time.Minute), charge, work)
		}
		h.keep(at.Add(2*time.Minute), false)
	}
	for i, window := range []struct{ charge, work uint64 }{{50_000, 100}, {0, 0}, {70_000, 136}} {
		tell(i, window.charge, window.work)
	}
	h.restart(start.Add(80 * time.Minute))
	tell(3, 80_000, 172)
	var got []map[string]float64
	windows := h.timeline(gsme, start.Add(2*time.Hour)).Windows
	for i := range windows {
		got = append(got, windows[i].ByCause())
	}
	// 36 units of 10 µC are 0.1 µAh.
	if diff := cmp.Diff([]map[string]float64{nil, nil, {"transmit": 0.1}, {"transmit": 0.1}}, got); diff != "" {
		t.Error(diff)
	}
	last, _ := h.o.Windows(gsme, image, 4, start.Add(2*time.Hour))
	if diff := cmp.Diff(map[string]float64{"transmit": 0.1}, last[0].ByCause()); len(last) != 1 || diff != "" {
		t.Errorf("%d windows from the fourth on: %s", len(last), diff)
	}
}
