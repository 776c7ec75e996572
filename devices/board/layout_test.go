package board_test

import (
	"strings"
	"testing"

	"github.com/commshub/commshub/devices/board"
	"github.com/commshub/commshub/devices/flash"
	"github.com/commshub/commshub/devices/journal"
)

// TestAPartOfAnotherReleaseIsRefused in one line that says which layout it has and
// what to do. The parts are made by hand as those releases made them.
func TestAPartOfAnotherReleaseIsRefused(t *testing.T) {
	label := func(b ...byte) func(board.Map) {
		return func(m board.Map) {
			journal.Open(m.Application).Commit(journal.Entry{Key: board.KeyLabel, Data: append([]byte{}, b...)})
		}
	}
	tests := []struct {
		name string
		make func(m board.Map)
		want string // "" = it is taken
	}{
		{"a blank one", func(board.Map) {}, ""},
		{"this layout", label(board.Layout, 0, slotSectors, 0), ""},
		{"with a bootloader's record, its label lost", func(m board.Map) {
			journal.Open(m.Control).Commit(journal.Entry{Key: 1, Data: []byte{1, 0, 0, 0, 1, 0, 0, 0}})
		}, ""},
		{"with a register, its label lost", func(m board.Map) {
			journal.Open(m.MetrologyRegisters).Commit(journal.Entry{Key: 1, Data: make([]byte, 60)})
		}, ""},
		{"of layout 2", func(m board.Map) {
			m.Control.Program(0, []byte("CHJ1"))
		}, "no label of flash layout 5, but the part is not blank"},
		{"a label cut short", func(m board.Map) {
			m.Application.Program(12, []byte{7, 0})
		}, ""},
		{"with an agent's state, but no label", func(m board.Map) {
			journal.Open(m.Application).Commit(journal.Entry{Key: board.KeyFirmware, Data: []byte{2}})
		}, "no label of flash layout 5"},
		{"a later layout", label(board.Layout+1, 0, slotSectors, 0), "flash layout 6; this release reads layout 5"},
		{"a longer label", label(board.Layout, 0, slotSectors, 0, 0), "flash layout 5"},
		{"no label to speak of", label(), "flash layout 0"},
		{"other slots", label(board.Layout, 0, slotSectors+1, 0), "made for slots of 16384 bytes, not of 12288"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			chip := flash.New(board.Geometry(slotSectors))
			tt.make(board.Cut(chip, slotSectors))
			before := chip.Stats()
			err := board.Inspect(chip, slotSectors)
			if (tt.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("%v, want %q", err, tt.want)
			}
			if err != nil && (strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "remove the meter's files")) {
				t.Errorf("not one line that says what to do: %v", err)
			}
			if chip.Stats() != before {
				t.Error("it wrote to the part")
			}
		})
	}
}

func TestALabelledPartIsTaken(t *testing.T) {
	chip := flash.New(board.Geometry(slotSectors))
	board.Label(journal.Open(board.Cut(chip, slotSectors).Application), slotSectors)
	if err := board.Inspect(chip, slotSectors); err != nil {
		t.Error(err)
	}
}
