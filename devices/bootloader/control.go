package bootloader

import (
	"encoding/binary"
	"fmt"

	"github.com/commshub/commshub/devices/journal"
)

// Keys of the bootloader's journal.
const (
	keyControl journal.Key = 1
	keySlots   journal.Key = 2 // slot A's record, and behind it B's
)

// control is the bootloader's state: version(1) flags(1) active(1) trialBoots(1)
// minSequence(4, little-endian).
type control struct {
	Active              uint8 // slot that runs, 0 or 1
	Pending             bool  // the other slot is to be tried at the next boot
	Trial               bool  // the running slot is on trial
	TrialBoots          uint8
	CandidateIsPrevious bool // the other slot holds what ran before
	MinSequence         uint32
}

const (
	controlVersion = 1
	controlSize    = 8

	controlPending  = 1 << 0
	controlTrial    = 1 << 1
	controlPrevious = 1 << 2
)

func (c control) append(b []byte) []byte {
	var flags byte
	if c.Pending {
		flags |= controlPending
	}
	if c.Trial {
		flags |= controlTrial
	}
	if c.CandidateIsPrevious {
		flags |= controlPrevious
	}
	return binary.LittleEndian.AppendUint32(append(b, controlVersion, flags, c.Active, c.TrialBoots), c.MinSequence)
}

// parseControl reads what append wrote; the journal has checked that it is whole.
func parseControl(b []byte) (control, error) {
	if len(b) != controlSize || b[0] != controlVersion {
		return control{}, fmt.Errorf("bootloader control: %d bytes, want %d of layout %d", len(b), controlSize, controlVersion)
	}
	return control{
		Pending:             b[1]&controlPending != 0,
		Trial:               b[1]&controlTrial != 0,
		CandidateIsPrevious: b[1]&controlPrevious != 0,
		Active:              b[2] & 1,
		TrialBoots:          b[3],
		MinSequence:         binary.LittleEndian.Uint32(b[4:]),
	}, nil
}
