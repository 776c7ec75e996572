package meter

import (
	"time"

	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/devices/bootloader"
	"github.com/commshub/commshub/devices/journal"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
)

// DefaultCheckPeriod is how often a running meter checks its memory: an assumption.
const DefaultCheckPeriod = 24 * time.Hour

// hashed remembers the last check of bytes that are hashed as a whole.
type hashed struct {
	done    bool
	touched uint64 // of the region, when its bytes were read last
	bad     bool
}

// again hashes n bytes unless nothing touched them since the last time, and reports
// whether they have become bad. Their charge is booked in any case: the emulation saves
// time of this machine, not of the meter.
func (h *hashed) again(l *battery.Ledger, touched uint64, n int, good func() bool) (becameBad bool) {
	l.Check(n)
	if h.done && h.touched == touched {
		return false
	}
	was := h.bad
	h.done, h.touched, h.bad = true, touched, !good()
	return h.bad && !was
}

// checks are what a running meter knows of its last checks.
type checks struct {
	due                           time.Time
	metrology, running, candidate hashed
}

// CheckMemory, once in each check period, reads what is stored while the meter runs: the
// copies of what it must not forget, its metrology firmware and its images. What has a
// second copy is mended; if the image that runs is spoilt, the meter restarts with the
// one before (8F1B), if it has it.
func (c *Chassis) CheckMemory(now time.Time, out *han.Outbox) {
	if now.Before(c.checks.due) {
		return
	}
	c.checks.due = now.Add(c.cfg.CheckPeriod)
	c.checkStored()
	c.checkMetrology(now, out)
	c.checkRunning()
	if c.checkCandidate() {
		c.Agent.Restart() // the OTA client reckons with the image that was dropped
	}
	c.tellDamages(now, out)
}

// checkStored compares the copies of what must not be forgotten. The running meter has
// all of it but its outbox in memory as well, so that even two bad copies lose nothing.
func (c *Chassis) checkStored() {
	c.Ledger.Check(c.storedBytes())
	for _, j := range []struct {
		region string
		check  func() journal.Condition
	}{
		{"application", c.Journal.Check},
		{"metrology registers", c.Metrology.Check},
		{"bootloader control", c.boot.CheckControl},
		{"event log", c.Logs[gbcs.EventLog].Check},
		{"security log", c.Logs[gbcs.SecurityLog].Check},
	} {
		if found := j.check(); found == journal.Lost {
			c.note(j.region, journal.Healed)
		} else {
			c.note(j.region, found)
		}
	}
	c.checkSlots()
	c.note("outbox", c.Remote.Check())
}

// storedBytes is how much a check of what is stored reads: two live sectors of each journal,
// and the outbox.
func (c *Chassis) storedBytes() int {
	const journals, copies = 5, 2
	return journals*copies*c.chip.Geometry().SectorSize + c.regions.Outbox.Size()
}

// checkMetrology verifies the certified firmware. It cannot be mended: the supplier is
// told when it went bad, and at each boot.
func (c *Chassis) checkMetrology(now time.Time, out *han.Outbox) {
	if c.checks.metrology.again(c.Ledger, c.regions.MetrologyFirmware.Touched(), c.Metrology.FirmwareSize(), func() bool { return c.Metrology.SelfCheck() == nil }) {
		c.Remote.Alert(now, out, gbcs.AlertMetrologyFirmwareVerificationFailure)
		c.Remote.Commit()
	}
}

// checkRunning hashes the image that runs. A spoilt one is left by a restart if there is
// an image to go back to; otherwise the meter runs on, as long as it can.
func (c *Chassis) checkRunning() {
	slot := c.boot.Running()
	if !c.checks.running.again(c.Ledger, slot.Touched(), int(slot.Size()), slot.Intact) {
		return
	}
	const text = "the running image is spoilt"
	if c.boot.CanFallBack() {
		c.damages = append(c.damages, damage{text: text + ": back to the one before"})
		c.Agent.Restart() // secure boot finds it too, and tells: 8F1B
		return
	}
	c.damages = append(c.damages, damage{text + ", and there is none to go back to", gbcs.AlertProgramStorage})
}

// checkCandidate hashes the image in the other slot. A spoilt one is dropped: no boot may
// run it, and one that waits to be activated can be had again. It reports whether one that
// waits was dropped. While new firmware is on trial nothing is dropped.
func (c *Chassis) checkCandidate() (dropped bool) {
	slot := c.boot.Candidate()
	if c.boot.Trial() || slot.State() != bootloader.SlotVerified ||
		!c.checks.candidate.again(c.Ledger, slot.Touched(), int(slot.Size()), slot.Intact) {
		return false
	}
	text := "the image to go back to is spoilt, and dropped"
	if dropped = c.boot.HoldsImage(); dropped {
		text = "the image to activate is spoilt, and dropped"
	}
	slot.Discard()
	c.damages = append(c.damages, damage{text, gbcs.AlertProgramStorage})
	return dropped
}
