package board_test

import (
	"testing"

	"github.com/commshub/commshub/devices/board"
	"github.com/commshub/commshub/devices/flash"
)

const slotSectors = 3

// TestRegionsShareNothingAndLeaveNothing: each is programmed with its own mark, and
// then every byte of the part has the mark of exactly one.
func TestRegionsShareNothingAndLeaveNothing(t *testing.T) {
	chip := flash.New(board.Geometry(slotSectors))
	total := 0
	all := board.Cut(chip, slotSectors).Regions()
	for i, r := range all {
		size := r.Size()
		for at := 0; at < size; at += board.PageSize {
			page := make([]byte, board.PageSize)
			for j := range page {
				page[j] = byte(i)
			}
			r.Program(at, page)
		}
		total += size
	}
	if want := chip.Geometry().Size(); total != want {
		t.Errorf("the regions have %d bytes, the part %d", total, want)
	}
	for i, r := range all {
		for at, b := range r.View(0, r.Size()) {
			if b != byte(i) {
				t.Fatalf("byte %d of region %d was written by region %d", at, i, b)
			}
		}
	}
}

// TestTheMapIsThatOfThePartsInTheField: a region that moved would make every meter
// with a kept part forget what it holds there.
func TestTheMapIsThatOfThePartsInTheField(t *testing.T) {
	m := board.Cut(flash.New(board.Geometry(slotSectors)), slotSectors)
	want := []int{1, 4, 4, 4, slotSectors, slotSectors, 16, 4, 4}
	for i, r := range m.Regions() {
		if r.Size() != want[i]*board.SectorSize || r.SectorSize() != board.SectorSize {
			t.Errorf("region %d has %d bytes in sectors of %d, want %d sectors of %d", i, r.Size(), r.SectorSize(), want[i], board.SectorSize)
		}
	}
}

// TestErasingASlotLeavesTheRest.
func TestErasingASlotLeavesTheRest(t *testing.T) {
	chip := flash.New(board.Geometry(slotSectors))
	m := board.Cut(chip, slotSectors)
	for at := 0; at < m.SlotA.Size(); at += board.SectorSize {
		m.SlotA.Erase(at)
	}
	erased := 0
	for s := range chip.Geometry().Sectors {
		erased += int(chip.Erases(s))
	}
	if first := 1 + 4 + 4 + 4; erased != slotSectors || chip.Erases(first) != 1 || chip.Erases(first+slotSectors) != 0 {
		t.Errorf("%d sectors were erased", erased)
	}
}
