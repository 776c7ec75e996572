package meter_test

import (
	"testing"

	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/internal/trace"
)

// TestALowBatteryIsToldOnce: at the limit nothing, under it once, also over a power
// cut; and again for another battery.
func TestALowBatteryIsToldOnce(t *testing.T) {
	b := newBench(t, nil)
	for _, step := range []struct {
		what   string
		above  battery.Charge // the limit, by which it is under or over it
		powers bool           // power was cut before
		told   int
	}{
		{"at the limit", 0, false, 0},
		{"under it", -1, false, 1},
		{"further under it", -2, false, 1},
		{"after a power cut", -3, true, 1},
		{"another battery", 1000, false, 1},
		{"that one low", -1, false, 2},
	} {
		if step.powers {
			b.powerUp()
		}
		b.CheckBattery(b.now, &b.out, b.Ledger.Remaining()-step.above)
		b.settle()
		got := 0
		for _, k := range b.kinds {
			if k == trace.BatteryLow {
				got++
			}
		}
		if got != step.told {
			t.Errorf("%s: told %d times, want %d", step.what, got, step.told)
		}
	}
	low := 0
	for message, ok := b.Remote.Outgoing(); ok; message, ok = b.Remote.Outgoing() {
		if p, err := must(gbcs.ParseMessage(message)).ParsePayload(); err == nil && p.(gbcs.GenericAlert).Code == gbcs.AlertLowBatteryCapacity {
			low++
		}
		b.Remote.Delivered(b.now, &b.out)
	}
	if low != 2 {
		t.Errorf("%d alerts wait for the supplier, want 2", low)
	}
}
