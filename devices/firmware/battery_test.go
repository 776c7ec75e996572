package firmware

import (
	"testing"

	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/internal/trace"
)

// TestALowBatteryIsToldOnce: at the limit nothing, under it once, also over a
// restart; and again for another battery.
func TestALowBatteryIsToldOnce(t *testing.T) {
	const limit = 1000
	r := newRig(t)
	for _, step := range []struct {
		what      string
		remaining battery.Charge
		restart   bool
		told      int
	}{
		{"at the limit", limit, false, 0},
		{"under it", limit - 1, false, 1},
		{"further under it", limit - 2, false, 1},
		{"after a restart", limit - 3, true, 1},
		{"another battery", 5 * limit, false, 1},
		{"that one low", 0, false, 2},
	} {
		if step.restart {
			r.restart()
		}
		r.CheckBattery(r.now, &r.out, step.remaining, limit)
		if got := r.count(trace.BatteryLow); got != step.told {
			t.Errorf("%s: told %d times, want %d", step.what, got, step.told)
		}
	}
	low := 0
	for _, m := range r.delivered(t) {
		if m.Code == 0x1000 { // generic critical alert
			low++
		}
	}
	if low != 2 {
		t.Errorf("%d alerts wait for the supplier, want 2", low)
	}
}
