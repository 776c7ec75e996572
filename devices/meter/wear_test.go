package meter_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/commshub/commshub/devices/board"
	"github.com/commshub/commshub/devices/bootloader"
	"github.com/commshub/commshub/devices/flash"
	"github.com/commshub/commshub/devices/journal"
	"github.com/commshub/commshub/devices/meter"
)

func wearOf(b *bench, region string) meter.RegionWear {
	i := slices.IndexFunc(b.Wear(), func(w meter.RegionWear) bool { return w.Region == region })
	return b.Wear()[i]
}

// TestWearIsCountedBySectorAndKept: three updates erase each slot's first sector as often as
// the slot was filled, and another process with the same bytes knows it.
func TestWearIsCountedBySectorAndKept(t *testing.T) {
	b := newBench(t, nil)
	for v := uint32(2); v <= 4; v++ {
		b.take(version(v, bootloader.ProgramWorks))
		b.activate()
		b.pass(time.Hour)
	}
	b.KeepLedger()
	b.KeepLedger() // keeping may erase a sector itself
	m := b.parts()
	if a, second := m.SlotA.Erases()[0], m.SlotB.Erases()[0]; a != 2 || second != 2 {
		t.Errorf("first sectors erased %d and %d times, want twice each: the factory's and version 3, versions 2 and 4", a, second)
	}
	want := b.Wear()
	if w := wearOf(b, "metrology firmware"); w != (meter.RegionWear{Region: "metrology firmware", Sectors: 1, Least: 1, Most: 1}) {
		t.Errorf("%+v", w)
	}
	if len(want) != len(m.Regions()) {
		t.Errorf("%d regions, want %d", len(want), len(m.Regions()))
	}

	b.chip = copyOf(b.chip)
	b.powerUp()
	if got := b.Wear(); !slices.Equal(got, want) {
		t.Errorf("after a restart %+v, want %+v", got, want)
	}
}

// copyOf returns a part with the same bytes, opened anew: it has not counted anything.
func copyOf(chip *flash.Chip) *flash.Chip {
	g := chip.Geometry()
	next := flash.New(g)
	next.Region(0, g.Sectors).Program(0, chip.Region(0, g.Sectors).View(0, g.Size()))
	return next
}

func TestWearThatCannotBeReadIsRefused(t *testing.T) {
	for name, data := range map[string][]byte{"another layout": {2, 1, 1}, "too few": {1, 1, 1}, "cut short": {1, 0x80}, "too many": {1, 0xFF, 0x7F, 1}} {
		b := onPart(t, func(m board.Map) {
			labelled(m).Commit(journal.Entry{Key: board.KeyWear, Data: data})
		})
		if b.On() || len(b.texts) != 1 || !strings.Contains(b.texts[0], "wear of the sectors") {
			t.Errorf("%s: on %v, %q", name, b.On(), b.texts)
		}
	}
}
