package meter

import (
	"errors"
	"time"

	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/devices/board"
	"github.com/commshub/commshub/devices/bootloader"
	"github.com/commshub/commshub/devices/journal"
	"github.com/commshub/commshub/devices/metrology"
	"github.com/commshub/commshub/devices/remote"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/internal/trace"
)

// damage is what a check found, and the alert that tells the supplier of it, if nothing
// else does.
type damage struct {
	text string
	code gbcs.AlertCode
}

// note keeps a check's finding to be told: 81AE of a copy that was bad and is mended,
// 81A0 of what is lost in both copies. What power cut short was mended, and is no damage.
func (c *Chassis) note(region string, found journal.Condition) {
	switch found {
	case journal.Healed:
		c.damages = append(c.damages, damage{region + ": a bad copy was rebuilt from the other", gbcs.AlertNonVolatileMemory})
	case journal.Lost:
		c.damages = append(c.damages, damage{region + ": lost in both copies", gbcs.AlertIntegrityIssue})
	case journal.Whole, journal.CutShort:
	}
}

// tellDamages records what checks found and tells the supplier.
func (c *Chassis) tellDamages(now time.Time, out *han.Outbox) {
	for _, d := range c.damages {
		out.Record(trace.Record{At: now, Node: uint64(c.cfg.EUI64), Kind: trace.MemoryDamaged, Text: d.text})
		if d.code != 0 {
			c.Remote.Alert(now, out, d.code)
		}
	}
	if len(c.damages) > 0 {
		c.damages = c.damages[:0]
		c.Remote.Commit()
	}
}

// openMemory opens and mends what the meter must not forget. It makes a meter of a part
// that never left the factory, and of no other.
func (c *Chassis) openMemory(m board.Map, slotSectors int, now time.Time) error {
	left := board.LeftFactory(m)
	c.Journal = journal.Open(m.Application)
	found := c.Journal.Check()
	if c.Journal.Empty() {
		if left {
			found = journal.Lost
		}
		board.Label(c.Journal, slotSectors)
	}
	c.note("application", found)
	if found == journal.Lost {
		if err := remote.Doubt(c.Journal, c.Clock.Read(now)); err != nil {
			return err
		}
	}
	if err := c.openLogs(m); err != nil {
		return err
	}
	if err := c.openMetrology(m, now); err != nil {
		return err
	}
	if _, ok := c.Journal.Get(board.KeyLedger); !ok && found == journal.Lost && c.Agent == nil {
		// No battery is full again: at least the base load flowed all the time.
		c.Ledger = battery.NewLedger(c.cfg.Battery, c.Metrology.Since())
	}
	if err := c.openBootloader(m); err != nil {
		return err
	}
	if _, ok := c.Journal.Get(board.KeyMade); !ok {
		c.Journal.Commit(journal.Entry{Key: board.KeyMade, Data: c.Metrology.Origin()})
	}
	return nil
}

func (c *Chassis) openMetrology(m board.Map, now time.Time) error {
	kept, made := c.Journal.Get(board.KeyMade)
	if !made && journal.Open(m.MetrologyRegisters).Empty() && !journal.Open(m.Control).Empty() {
		return errors.New("origin of the register: lost in all copies")
	}
	var err error
	c.Metrology, err = metrology.Open(c.cfg.Metrology, m.MetrologyFirmware, m.MetrologyRegisters, kept, now)
	if err != nil {
		return err
	}
	c.note("metrology registers", c.Metrology.Found())
	return nil
}

func (c *Chassis) openBootloader(m board.Map) error {
	var err error
	c.boot, err = bootloader.Open(c.cfg.Policy, m.Control,
		bootloader.OpenSlot(m.SlotA, c.cfg.SlotCapacity), bootloader.OpenSlot(m.SlotB, c.cfg.SlotCapacity))
	if err != nil {
		return err
	}
	found := c.boot.CheckControl()
	_, made := c.Journal.Get(board.KeyMade)
	if c.boot.Blank() && made {
		found = journal.Lost
	}
	c.note("bootloader control", found)
	switch {
	case found == journal.Lost:
		err = c.boot.Recover()
	case c.boot.Blank():
		err = c.boot.Factory(c.cfg.Factory)
	}
	c.checkSlots()
	return err
}

// checkSlots mends the records in the slots' trailers.
func (c *Chassis) checkSlots() {
	for i, found := range c.boot.CheckSlots() {
		c.note("slot "+string("AB"[i]), found)
	}
}
