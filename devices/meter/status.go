package meter

import (
	"crypto/sha256"
	"time"

	"github.com/commshub/commshub/devices/firmware"
	"github.com/commshub/commshub/devices/otaclient"
	"github.com/commshub/commshub/han"
)

// Status is a meter seen from outside, as a test engineer with a debugger would.
type Status struct {
	EUI64    han.EUI64
	Version  uint32 // running application
	Slot     string // that it runs from, "A" or "B"
	SlotHash [sha256.Size]byte
	Trial    bool
	Bricked  bool
	Client   otaclient.State
	Offset   uint32 // bytes of the candidate image stored
	Size     uint32 // bytes of the candidate image
	Update   firmware.UpdateReport
	RadioOn  time.Duration // ever
	Register uint64        // litres or watt-hours
	Battery  float64       // left, in percent of a new cell
}

// Status returns the meter's status. SlotHash is computed from the bytes in the
// running slot.
func (c *Chassis) Status(now time.Time) Status {
	s := Status{EUI64: c.cfg.EUI64, Bricked: c.bricked}
	if c.boot == nil || c.Agent == nil {
		return s
	}
	running, candidate := c.boot.Running(), c.boot.Candidate()
	s.Version = c.Agent.Running().ID.FileVersion
	s.Slot = c.boot.RunningName()
	s.SlotHash = sha256.Sum256(running.File())
	s.Trial = c.boot.Trial()
	s.Client = c.Agent.Client().State()
	s.Offset, s.Size = candidate.Offset(), candidate.Size()
	s.Update = c.Agent.UpdateReport()
	s.RadioOn = c.Ledger.RadioOn()
	s.Register = c.Metrology.Register(now)
	s.Battery = c.Ledger.PercentLeft()
	return s
}
