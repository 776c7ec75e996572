package meter_test

import (
	"encoding/binary"
	"hash/crc32"
	"slices"
	"strings"
	"testing"

	"github.com/commshub/commshub/devices/board"
	"github.com/commshub/commshub/devices/bootloader"
	"github.com/commshub/commshub/devices/flash"
	"github.com/commshub/commshub/devices/journal"
	"github.com/commshub/commshub/devices/meter"
	"github.com/commshub/commshub/han/gbcs"
)

// asOlder returns the bytes of a meter's part as a release of layout 2 to 4 left them:
// without logs; before layout 4 with one copy of the outbox and of each slot's record, and
// with layout 2 one copy of each journal, without sequence numbers. change may still spoil
// them.
func (b *bench) asOlder(layout byte, change func(chip *flash.Chip)) []byte {
	m := b.parts()
	journals, outbox := 4, 8
	switch layout {
	case 2:
		journals = 2
	case 4:
		outbox = 16
	}
	slot := m.SlotA.Size() / board.SectorSize
	g := flash.Geometry{SectorSize: board.SectorSize, PageSize: board.PageSize, Sectors: 1 + 2*journals + 4 + 2*slot + outbox}
	chip := flash.New(g)
	next := 0
	take := func(sectors int) flash.Region {
		next += sectors
		return chip.Region(next-sectors, sectors)
	}
	same := func(r flash.Region) { take(r.Size()/board.SectorSize).Program(0, r.View(0, r.Size())) }
	keep := func(sectors int, entries []journal.Entry) {
		r := take(sectors)
		if layout >= 3 {
			journal.Open(r).Commit(entries...)
			return
		}
		le := binary.LittleEndian
		header := le.AppendUint32([]byte("CHJ1"), 7)
		header = le.AppendUint32(header, crc32.ChecksumIEEE(header))
		var body []byte
		for _, e := range entries {
			body = append(le.AppendUint16(append(body, byte(e.Key)), uint16(len(e.Data))), e.Data...)
		}
		record := le.AppendUint32(le.AppendUint16(nil, uint16(len(body))), crc32.ChecksumIEEE(body))
		r.Program(board.SectorSize, append(append(header, record...), body...)) // in the second sector
	}
	only := func(r flash.Region, keep func(journal.Key) bool) (entries []journal.Entry) {
		for _, e := range journal.Open(r).Records() {
			if keep(e.Key) {
				entries = append(entries, e)
			}
		}
		return entries
	}
	same(m.MetrologyFirmware)
	keep(journals, only(m.MetrologyRegisters, func(journal.Key) bool { return true }))
	keep(journals, only(m.Control, func(k journal.Key) bool { return k == 1 || layout >= 4 }))
	application := only(m.Application, func(k journal.Key) bool {
		return k != board.KeyLabel && k != board.KeyWear && (layout >= 3 || k != board.KeyMade)
	})
	if layout >= 4 {
		application = append(application, journal.Entry{Key: board.KeyWear, Data: []byte{1, byte(g.Sectors), 3}}) // three erases each
	}
	keep(4, append(application, journal.Entry{Key: board.KeyLabel, Data: []byte{layout, 0, byte(slot), 0}}))
	same(m.SlotA)
	same(m.SlotB)
	same(m.Outbox.Sub(0, outbox))
	change(chip)
	return chip.Region(0, g.Sectors).View(0, g.Size())
}

// TestAPartOfAnOlderLayoutGoesOn where it was, and nothing is told: register, version,
// counters, charge, and the message that waits.
func TestAPartOfAnOlderLayoutGoesOn(t *testing.T) {
	for _, layout := range []byte{2, 3, 4} {
		b := updated(t)
		b.Remote.Alert(b.now, &b.out, gbcs.AlertTilt)
		b.Remote.Commit()
		register, spent := b.Metrology.Register(b.now), b.Ledger.Total()
		b.KeepLedger()
		part, err := meter.Upgrade(b.asOlder(layout, func(*flash.Chip) {}), b.cfg.SlotCapacity)
		if err != nil {
			t.Fatal(err)
		}
		b.chip = flash.New(b.chip.Geometry())
		b.chip.Region(0, b.chip.Geometry().Sectors).Program(0, part)
		if err := meter.Inspect(b.chip, b.cfg.SlotCapacity, b.cfg.Policy); err != nil {
			t.Fatalf("layout %d: %v", layout, err)
		}
		b.texts = nil
		b.powerUp()
		if !b.On() || b.Metrology.Register(b.now) != register || b.Agent.Running().ID.FileVersion != 2 || b.Ledger.Total() < spent {
			t.Fatalf("layout %d: on %v, %+v; want register %d, %d nC spent: %q", layout, b.On(), b.Status(b.now), register, spent, b.texts)
		}
		if wear := b.Wear(); layout == 4 && (wear[0].Least != 3 || wear[6].Least < 3) || wear[7].Least != 0 {
			t.Errorf("layout %d: wear %+v", layout, wear)
		}
		if told := b.alerts(); !slices.Equal(told, []gbcs.AlertCode{gbcs.AlertTilt}) {
			t.Errorf("layout %d: alerts %v, want the one that waited", layout, told)
		}
		if b.command(lastCommand-1) || !b.command(lastCommand+1) {
			t.Errorf("layout %d: an old command was taken, or a new one refused", layout)
		}
		if again, err := meter.Upgrade(b.chip.Region(0, b.chip.Geometry().Sectors).View(0, b.chip.Geometry().Size()), b.cfg.SlotCapacity); again != nil || err != nil {
			t.Errorf("layout %d: upgraded again: %v", layout, err)
		}
	}
}

// TestAPartThatCannotBeReadForCertainIsNotUpgraded, in one line that says what to do.
func TestAPartThatCannotBeReadForCertainIsNotUpgraded(t *testing.T) {
	b := updated(t)
	slot := bootloader.SlotSectors(b.cfg.SlotCapacity, board.SectorSize)
	for name, tt := range map[string]struct {
		part []byte
		want string
	}{
		"layout 1":                {make([]byte, (1+2+2+4+2*slot)*board.SectorSize), "flash layout 1"},
		"a record with a bad bit": {b.asOlder(2, func(c *flash.Chip) { c.Flip(2*board.SectorSize+30, 2) }), "flash layout 2, its metrology registers damaged"},
		"a header with a bad bit": {b.asOlder(2, func(c *flash.Chip) { c.Flip(4*board.SectorSize+5, 2) }), "flash layout 2, its bootloader control damaged"},
		"both copies bad": {b.asOlder(3, func(c *flash.Chip) {
			c.Flip(9*board.SectorSize+30, 2)
			c.Flip(11*board.SectorSize+30, 2)
		}), "flash layout 3, its application damaged"},
		"both copies of layout 4 bad": {b.asOlder(4, func(c *flash.Chip) {
			c.Flip(9*board.SectorSize+30, 2)
			c.Flip(11*board.SectorSize+30, 2)
		}), "flash layout 4, its application damaged"},
	} {
		part, err := meter.Upgrade(tt.part, b.cfg.SlotCapacity)
		if part != nil || err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

// TestABlankPartOfAnOlderLayoutIsABlankOne: a meter that was made and never started.
func TestABlankPartOfAnOlderLayoutIsABlankOne(t *testing.T) {
	b := newBench(t, nil)
	for _, sectors := range []int{1 + 2 + 2 + 4 + 8, 1 + 4 + 4 + 4 + 8, 1 + 4 + 4 + 4 + 16} {
		size := (sectors + 2*bootloader.SlotSectors(b.cfg.SlotCapacity, board.SectorSize)) * board.SectorSize
		part, err := meter.Upgrade(slices.Repeat([]byte{flash.Erased}, size), b.cfg.SlotCapacity)
		if err != nil || len(part) != b.chip.Geometry().Size() || !flash.IsErased(part) {
			t.Errorf("%d bytes: %d bytes, %v", size, len(part), err)
		}
	}
}
