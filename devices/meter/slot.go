package meter

import (
	"crypto/sha256"

	"github.com/commshub/commshub/devices/bootloader"
)

// Slot is one of a meter's two slots, as a test engineer with a debugger sees it.
type Slot struct {
	Name    string // "A" or "B"
	State   bootloader.SlotState
	Version uint32
	Size    uint32 // bytes of the image that it is for
	Stored  uint32 // bytes of it that are there
	Running bool
	Trial   bool // runs, and was not confirmed yet
	Hash    [sha256.Size]byte
}

// Slots returns both slots, or nil while the meter is off. Hash is computed from
// the bytes in the slot, if they are complete.
func (c *Chassis) Slots() []Slot {
	if c.boot == nil {
		return nil
	}
	running, other := "A", "B"
	if c.boot.RunningName() != running {
		running, other = other, running
	}
	slots := []Slot{slotOf(running, c.boot.Running()), slotOf(other, c.boot.Candidate())}
	slots[0].Running, slots[0].Trial = true, c.boot.Trial()
	if running == "B" {
		slots[0], slots[1] = slots[1], slots[0]
	}
	return slots
}

func slotOf(name string, s *bootloader.Slot) Slot {
	out := Slot{Name: name, State: s.State(), Version: s.ID().FileVersion, Size: s.Size(), Stored: s.Offset()}
	if s.State() >= bootloader.SlotComplete {
		out.Hash = sha256.Sum256(s.File())
	}
	return out
}
