package meter

import (
	"errors"
	"fmt"
	"slices"

	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/devices/board"
	"github.com/commshub/commshub/devices/bootloader"
	"github.com/commshub/commshub/devices/firmware"
	"github.com/commshub/commshub/devices/flash"
	"github.com/commshub/commshub/devices/journal"
	"github.com/commshub/commshub/devices/metrology"
	"github.com/commshub/commshub/devices/remote"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	core "github.com/commshub/commshub/han/remote"
)

// Keys of the application's journal in flash layout 1, of which some are others today.
const (
	firstState    journal.Key = 0x01
	firstResponse journal.Key = 0x02
	firstOutbox   journal.Key = 0x10 // a ring of firstOutboxSize keys
	firstLedger   journal.Key = 0x80
	firstJoin     journal.Key = 0x81

	firstOutboxSize = 16
)

// IsOlder reports whether bytes have the size of a part that [Upgrade] reads.
func IsOlder(part []byte, slotCapacity int) bool {
	return len(part) == board.FirstSize(bootloader.SlotSectors(slotCapacity, board.SectorSize))
}

// Upgrade makes the bytes of a part of flash layout 1, the one before this, those of one that
// the meter can go on with. It fails on a part that cannot be read for certain, or that is
// another meter's.
func Upgrade(cfg Config, role gbcs.Roles, part []byte) ([]byte, error) {
	chip, err := upgrade(cfg, role, part)
	if err != nil {
		return nil, fmt.Errorf("flash layout 1, written by the release before this: %w: "+
			"start it once with that release, put it back from a copy, or remove the meter's files to begin with a new one", err)
	}
	g := chip.Geometry()
	return chip.Region(0, g.Sectors).View(0, g.Size()), nil
}

func upgrade(cfg Config, role gbcs.Roles, part []byte) (*flash.Chip, error) {
	slotSectors := bootloader.SlotSectors(cfg.SlotCapacity, board.SectorSize)
	old, err := board.ReadFirst(part, slotSectors)
	if err != nil {
		return nil, err
	}
	chip := old.Renew()
	if old.Blank() {
		return chip, nil
	}
	m := board.Cut(chip, slotSectors)
	origin, err := metrology.Upgrade(old.Registers)
	if err != nil {
		return nil, err
	}
	journal.Open(m.MetrologyRegisters).Commit(origin)
	if len(old.Control) > 0 {
		journal.Open(m.Control).Commit(old.Control...)
	}
	if err := upgradeApplication(cfg, role, old.Application, m); err != nil {
		return nil, err
	}
	b, err := bootloader.Open(cfg.Policy, m.Control, bootloader.OpenSlot(m.SlotA, cfg.SlotCapacity), bootloader.OpenSlot(m.SlotB, cfg.SlotCapacity))
	switch {
	case err != nil:
		return nil, err
	case !b.Blank() && !b.Running().Intact():
		return nil, fmt.Errorf("slot %s, which runs, damaged", b.RunningName())
	}
	return chip, nil
}

// upgradeApplication writes the application's records as this release keeps them.
func upgradeApplication(cfg Config, role gbcs.Roles, records []journal.Entry, m board.Map) error {
	var messages remote.First
	var waiting []journal.Entry
	var kept []journal.Entry
	stateful := false
	for _, e := range records {
		switch {
		case e.Key == firstState:
			f, err := firmware.Upgrade(e.Data, cfg.Supplier)
			if err != nil {
				return err
			}
			stateful = true
			messages.AlertCounter, messages.CommandCounter = f.AlertCounter, f.CommandCounter
			kept = append(kept, journal.Entry{Key: board.KeyFirmware, Data: f.State}, toldLow(f.BatteryLow))
		case e.Key == firstResponse:
			messages.Response = e.Data
		case e.Key >= firstOutbox && e.Key < firstOutbox+firstOutboxSize && len(e.Data) > 0:
			waiting = append(waiting, e)
		case e.Key == firstLedger:
			ledger, err := battery.Upgrade(e.Data)
			if err != nil {
				return err
			}
			kept = append(kept, journal.Entry{Key: board.KeyLedger, Data: ledger})
		case e.Key == firstJoin && len(e.Data) == joinSize(role):
			kept = append(kept, journal.Entry{Key: board.KeyJoin, Data: e.Data})
		default:
			return fmt.Errorf("a record %02X of %d bytes, which no such meter has", uint8(e.Key), len(e.Data))
		}
	}
	if !stateful && (messages.Response != nil || len(waiting) > 0) {
		return errors.New("state of the firmware agent lost")
	}
	messages.Waiting = inOrder(waiting)
	j := journal.Open(m.Application)
	if stateful {
		parties := []han.EUI64{cfg.Supplier}
		if err := messages.Keep(core.Config{Device: cfg.EUI64, Parties: parties, Security: cfg.Security}, j, m.Outbox); err != nil {
			return err
		}
	}
	j.Commit(kept...)
	return nil
}

// inOrder returns messages of the ring, oldest first. Each has its sequence number in front,
// which wraps.
func inOrder(ring []journal.Entry) (messages [][]byte) {
	slices.SortFunc(ring, func(a, b journal.Entry) int { return int(int8(a.Data[0] - b.Data[0])) })
	for _, e := range ring {
		messages = append(messages, e.Data[1:])
	}
	return messages
}

// joinSize returns how many bytes a kind of meter keeps of its joining.
func joinSize(role gbcs.Roles) int {
	if role == gbcs.RoleGSME {
		return 5
	}
	return 2
}
