package board

import (
	"encoding/binary"
	"fmt"

	"github.com/commshub/commshub/devices/flash"
	"github.com/commshub/commshub/devices/journal"
)

// Layout numbers how a meter's part is cut into regions and how each record in them
// is laid out. Whoever changes one of them in a way that older bytes are not read
// right raises it, and has [Upgrade] read them.
const Layout = 5

const labelSize = 4

// remedy is what to do about a part that this release cannot read.
const remedy = "run the release that wrote it, or remove the meter's files to begin with a new one"

// Inspect tells why this release cannot run a part: another release laid it out, or
// for slots of another size. A blank part is fine: nothing stands on it but, if power
// failed, the beginning of its label. One whose label is lost is fine as well, if
// another journal shows that it is of this layout. Nothing is written.
func Inspect(chip *flash.Chip, slotSectors int) error {
	m := Cut(chip, slotSectors)
	application := journal.Open(m.Application)
	label, ok := application.Get(KeyLabel)
	switch {
	case !ok && application.Empty() && (blank(m) || LeftFactory(m)):
		return nil
	case !ok:
		return fmt.Errorf("no label of flash layout %d, but the part is not blank (another release wrote it, or its memory is damaged): %s", Layout, remedy)
	case len(label) != labelSize || binary.LittleEndian.Uint16(label) != Layout:
		return fmt.Errorf("flash layout %d; this release reads layout %d: %s", layoutOf(label), Layout, remedy)
	}
	if n := int(binary.LittleEndian.Uint16(label[2:])); n != slotSectors {
		return fmt.Errorf("flash made for slots of %d bytes, not of %d: give the slot size that it was made for, or remove the meter's files to begin with a new one",
			n*chip.Geometry().SectorSize, slotSectors*chip.Geometry().SectorSize)
	}
	return nil
}

// LeftFactory reports whether a part has been more than labelled: metrology or the
// bootloader has kept something.
func LeftFactory(m Map) bool {
	return !journal.Open(m.MetrologyRegisters).Empty() || !journal.Open(m.Control).Empty()
}

// blank reports whether each sector of the journals begins erased, but for the one
// that the label is written to first.
func blank(m Map) bool {
	for i, r := range []flash.Region{m.Application, m.MetrologyRegisters, m.Control} {
		for at := 0; at < r.Size(); at += r.SectorSize() {
			if i+at > 0 && !flash.IsErased(r.View(at, PageSize)) {
				return false
			}
		}
	}
	return true
}

func layoutOf(label []byte) uint16 {
	if len(label) < 2 {
		return 0
	}
	return binary.LittleEndian.Uint16(label)
}

// Label marks a blank part as one of this layout, before anything else is written:
// layout(2) ‖ sectors of a slot(2), little-endian.
func Label(application *journal.Journal, slotSectors int) {
	b := binary.LittleEndian.AppendUint16(nil, Layout)
	application.Commit(journal.Entry{Key: KeyLabel, Data: binary.LittleEndian.AppendUint16(b, uint16(slotSectors))})
}
