// Package board is the flash map of a meter's board: which sectors belong to
// whom. Handing out regions here is what keeps the firmware parts apart; nobody
// holds the whole part.
package board

import "github.com/commshub/commshub/devices/flash"

// Sizes of a part's units in bytes, those of a common 8 Mbit SPI NOR part.
const (
	SectorSize = 4096
	PageSize   = 256
)

// sectors are those of the fixed regions.
type sectors struct{ metrologyFirmware, metrologyRegisters, control, application, outbox, eventLog, securityLog int }

// present is how this release cuts a part: a journal has two copies of two sectors, and
// the outbox two of eight.
var present = sectors{metrologyFirmware: 1, metrologyRegisters: 4, control: 4, application: 4, outbox: 16, eventLog: 4, securityLog: 4}

func (s sectors) geometry(slotSectors int) flash.Geometry {
	fixed := s.metrologyFirmware + s.metrologyRegisters + s.control + s.application + s.outbox + s.eventLog + s.securityLog
	return flash.Geometry{SectorSize: SectorSize, PageSize: PageSize, Sectors: fixed + 2*slotSectors}
}

// Map is the part cut into regions.
type Map struct {
	MetrologyFirmware  flash.Region
	MetrologyRegisters flash.Region
	Control            flash.Region // bootloader
	Application        flash.Region // journal of the application
	SlotA, SlotB       flash.Region
	Outbox             flash.Region // messages for remote parties
	EventLog           flash.Region
	SecurityLog        flash.Region
}

// NamedRegion is a region of the map and what it is called in records and alerts.
type NamedRegion struct {
	Name string
	flash.Region
}

// Regions returns the map in the order in which it lies on the part.
func (m Map) Regions() []NamedRegion {
	return []NamedRegion{
		{"metrology firmware", m.MetrologyFirmware}, {"metrology registers", m.MetrologyRegisters},
		{"bootloader control", m.Control}, {"application", m.Application},
		{"slot A", m.SlotA}, {"slot B", m.SlotB}, {"outbox", m.Outbox},
		{"event log", m.EventLog}, {"security log", m.SecurityLog},
	}
}

// Geometry returns the part needed for slots that hold an image of capacity
// bytes, given what a slot of that capacity needs.
func Geometry(slotSectors int) flash.Geometry { return present.geometry(slotSectors) }

// Cut returns the regions of a part made with Geometry.
func Cut(chip *flash.Chip, slotSectors int) Map { return present.cut(chip, slotSectors) }

func (s sectors) cut(chip *flash.Chip, slotSectors int) Map {
	next := 0
	take := func(sectors int) flash.Region {
		if sectors == 0 { // an older layout has no such region
			return flash.Region{}
		}
		r := chip.Region(next, sectors)
		next += sectors
		return r
	}
	return Map{
		MetrologyFirmware:  take(s.metrologyFirmware),
		MetrologyRegisters: take(s.metrologyRegisters),
		Control:            take(s.control),
		Application:        take(s.application),
		SlotA:              take(slotSectors),
		SlotB:              take(slotSectors),
		Outbox:             take(s.outbox),
		EventLog:           take(s.eventLog),
		SecurityLog:        take(s.securityLog),
	}
}
