package board

import (
	"errors"
	"fmt"

	"github.com/commshub/commshub/devices/flash"
	"github.com/commshub/commshub/devices/journal"
)

// firstLayout is how a part was cut before layouts were labelled: a journal has one copy,
// and messages for remote parties wait in the application's.
var firstLayout = sectors{metrologyFirmware: 1, metrologyRegisters: 2, control: 2, application: 4}

// First is a part of layout 1, the one that has no label.
type First struct {
	Registers, Control, Application []journal.Entry

	old         Map
	slotSectors int
}

// FirstSize returns how many bytes a part of layout 1 has.
func FirstSize(slotSectors int) int { return firstLayout.geometry(slotSectors).Size() }

// ReadFirst reads the bytes of a part of layout 1. One whose journals cannot be proved to be
// whole is refused.
func ReadFirst(bytes []byte, slotSectors int) (*First, error) {
	chip := flash.New(firstLayout.geometry(slotSectors))
	g := chip.Geometry()
	chip.Region(0, g.Sectors).Program(0, bytes)
	f := &First{old: firstLayout.cut(chip, slotSectors), slotSectors: slotSectors}
	for _, j := range []struct {
		name    string
		from    flash.Region
		entries *[]journal.Entry
	}{
		{"metrology registers", f.old.MetrologyRegisters, &f.Registers},
		{"bootloader control", f.old.Control, &f.Control},
		{"application", f.old.Application, &f.Application},
	} {
		var whole bool
		if *j.entries, whole = journal.ReadSingle(j.from); !whole {
			return nil, fmt.Errorf("%s damaged", j.name)
		}
	}
	// The factory wrote them in this order.
	switch made, loaded := len(f.Registers) > 0, len(f.Control) > 0; {
	case !made && (loaded || len(f.Application) > 0):
		return nil, errors.New("metrology registers lost")
	case !loaded && len(f.Application) > 0:
		return nil, errors.New("bootloader control lost")
	}
	return f, nil
}

// Blank reports whether the meter never left the factory.
func (f *First) Blank() bool { return len(f.Registers) == 0 }

// Renew returns a part of the present layout with the same metrology firmware and the same
// slots. Unless the old one is blank it is labelled; its journals hold nothing else.
func (f *First) Renew() *flash.Chip {
	chip := flash.New(Geometry(f.slotSectors))
	if f.Blank() {
		return chip
	}
	m := Cut(chip, f.slotSectors)
	Label(journal.Open(m.Application), f.slotSectors)
	for _, c := range []struct{ to, from flash.Region }{
		{m.MetrologyFirmware, f.old.MetrologyFirmware}, {m.SlotA, f.old.SlotA}, {m.SlotB, f.old.SlotB},
	} {
		c.to.Program(0, c.from.View(0, c.from.Size()))
	}
	return chip
}
