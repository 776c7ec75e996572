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

// Sectors of the fixed regions.
const (
	metrologyFirmwareSectors = 1
	metrologyJournalSectors  = 2
	controlSectors           = 2
	applicationSectors       = 4
)

// Map is the part cut into regions.
type Map struct {
	MetrologyFirmware  flash.Region
	MetrologyRegisters flash.Region
	Control            flash.Region // bootloader
	Application        flash.Region // journal of the application
	SlotA, SlotB       flash.Region
}

// Geometry returns the part needed for slots that hold an image of capacity
// bytes, given what a slot of that capacity needs.
func Geometry(slotSectors int) flash.Geometry {
	fixed := metrologyFirmwareSectors + metrologyJournalSectors + controlSectors + applicationSectors
	return flash.Geometry{SectorSize: SectorSize, PageSize: PageSize, Sectors: fixed + 2*slotSectors}
}

// Cut returns the regions of a part made with Geometry.
func Cut(chip *flash.Chip, slotSectors int) Map {
	next := 0
	take := func(sectors int) flash.Region {
		r := chip.Region(next, sectors)
		next += sectors
		return r
	}
	return Map{
		MetrologyFirmware:  take(metrologyFirmwareSectors),
		MetrologyRegisters: take(metrologyJournalSectors),
		Control:            take(controlSectors),
		Application:        take(applicationSectors),
		SlotA:              take(slotSectors),
		SlotB:              take(slotSectors),
	}
}
