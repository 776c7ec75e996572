package board

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/commshub/commshub/devices/flash"
	"github.com/commshub/commshub/devices/journal"
)

// older are the layouts that Upgrade reads. Layout 2 has one copy of each journal; layouts
// 2 and 3 have one of the outbox, and of a slot's record; up to layout 4 there are no logs.
var older = map[uint16]sectors{
	2: {metrologyFirmware: 1, metrologyRegisters: 2, control: 2, application: 4, outbox: 8},
	3: {metrologyFirmware: 1, metrologyRegisters: 4, control: 4, application: 4, outbox: 8},
	4: {metrologyFirmware: 1, metrologyRegisters: 4, control: 4, application: 4, outbox: 16},
}

// firstLayout is the part before layouts were labelled, without a region for the outbox.
var firstLayout = sectors{metrologyFirmware: 1, metrologyRegisters: 2, control: 2, application: 4}

// Upgrade makes the bytes of a part of an older layout those of one of this layout; nil if
// they are not of an older layout's size. What the records say stays as it is. A part that
// cannot be read for certain is refused.
func Upgrade(bytes []byte, slotSectors int) ([]byte, error) {
	for layout, s := range older {
		if g := s.geometry(slotSectors); g.Size() == len(bytes) {
			chip := flash.New(g)
			chip.Region(0, g.Sectors).Program(0, bytes)
			return upgrade(s.cut(chip, slotSectors), layout, slotSectors)
		}
	}
	if firstLayout.geometry(slotSectors).Size() == len(bytes) {
		return nil, fmt.Errorf("flash layout 1, whose records do not say how they are laid out: %s", remedy)
	}
	return nil, nil
}

func upgrade(old Map, layout uint16, slotSectors int) ([]byte, error) {
	g := Geometry(slotSectors)
	chip := flash.New(g)
	m := Cut(chip, slotSectors)
	var registers, control, application []journal.Entry
	for _, j := range []struct {
		name    string
		from    flash.Region
		entries *[]journal.Entry
	}{{"metrology registers", old.MetrologyRegisters, &registers}, {"bootloader control", old.Control, &control}, {"application", old.Application, &application}} {
		var whole bool
		if *j.entries, whole = records(j.from, layout); !whole {
			return nil, fmt.Errorf("flash layout %d, its %s damaged: start it once with the release that wrote it", layout, j.name)
		}
	}
	if len(registers)+len(control)+len(application) > 0 {
		if err := labelled(application, layout, slotSectors); err != nil {
			return nil, err
		}
		Label(journal.Open(m.Application), slotSectors)
	}
	for _, j := range []struct {
		to      flash.Region
		entries []journal.Entry
	}{{m.MetrologyRegisters, registers}, {m.Control, control}, {m.Application, carried(application, layout)}} {
		journal.Open(j.to).Commit(j.entries...)
	}
	half := m.Outbox.Size() / SectorSize / 2
	second := old.Outbox // the one copy that there is
	if old.Outbox.Size() == m.Outbox.Size() {
		second = old.Outbox.Sub(half, half)
	}
	for _, c := range []struct{ to, from flash.Region }{
		{m.MetrologyFirmware, old.MetrologyFirmware}, {m.SlotA, old.SlotA}, {m.SlotB, old.SlotB},
		{m.Outbox.Sub(0, half), old.Outbox.Sub(0, half)}, {m.Outbox.Sub(half, half), second},
	} {
		c.to.Program(0, c.from.View(0, c.from.Size()))
	}
	return chip.Region(0, g.Sectors).View(0, g.Size()), nil
}

// records returns the records of a journal of an older layout, and whether they can be
// proved to be all.
func records(r flash.Region, layout uint16) (entries []journal.Entry, whole bool) {
	if layout == 2 {
		return journal.ReadSingle(r)
	}
	j := journal.Open(r)
	return j.Records(), j.Check() != journal.Lost
}

// labelled holds the label against what the size of the file says.
func labelled(application []journal.Entry, layout uint16, slotSectors int) error {
	for _, e := range application {
		if e.Key == KeyLabel && len(e.Data) == labelSize && layoutOf(e.Data) == layout && int(binary.LittleEndian.Uint16(e.Data[2:])) == slotSectors {
			return nil
		}
	}
	return fmt.Errorf("no label of flash layout %d with slots of %d bytes: give the slot size that it was made for, or %s", layout, slotSectors*SectorSize, remedy)
}

// carried returns the records that an application keeps. Its label is made anew. Wear was
// not counted before layout 4; that of the logs' sectors, which come last, begins at 0.
func carried(entries []journal.Entry, layout uint16) (kept []journal.Entry) {
	for _, e := range entries {
		switch {
		case e.Key == KeyLabel, e.Key == KeyWear && layout < 4:
			continue
		case e.Key == KeyWear: // runs of sectors with the same count; see devices/meter
			e.Data = append(slices.Clone(e.Data), byte(present.eventLog+present.securityLog), 0)
		}
		kept = append(kept, e)
	}
	return kept
}
