// Package metrology is the certified part of a meter. It counts, whatever the
// application firmware does: through download, verification, switching and
// rollback not one unit is lost. The application reads it and has it verified, and
// can change nothing: the registers' flash region is opened here and nowhere else,
// and the metrology firmware's region is read-only to everybody.
//
// Divergence: the load is constant. The register follows from the origin that was stored in
// the factory and from emulated time. Metrology has a clock and supply of its
// own, so a power cut of the application processor does not stop it.
package metrology

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/commshub/commshub/devices/flash"
	"github.com/commshub/commshub/devices/journal"
)

// Config is a unit's type and load.
type Config struct {
	FirmwareVersion uint32
	// Initial is the register at the factory, in units of the register.
	Initial uint64
	// PerHour is the constant load: litres for gas, watt-hours for electricity.
	PerHour uint64
}

// Unit is a metrology unit.
type Unit struct {
	firmware flash.Region
	journal  *journal.Journal
	found    journal.Condition
	version  uint32
	initial  uint64
	perHour  uint64
	since    time.Time
	digest   [sha256.Size]byte
}

const (
	keyOrigin    journal.Key = 1
	originLayout             = 1
	originSize               = 1 + 4 + 8 + 8 + 8 + sha256.Size
)

// Open returns the unit on its two flash regions. kept is the origin as the meter
// keeps it besides, nil in the factory: there the firmware is written and the
// register's origin is set to now. On any other part cfg is ignored, and an origin
// whose two copies are lost is the one kept. It fails on an origin that another
// release stored.
func Open(cfg Config, firmware, registers flash.Region, kept []byte, now time.Time) (*Unit, error) {
	u := &Unit{firmware: firmware.ReadOnly(), journal: journal.Open(registers)}
	u.found = u.journal.Check()
	switch _, ok := u.journal.Get(keyOrigin); {
	case ok:
	case kept != nil:
		u.found = journal.Lost
		u.journal.Commit(journal.Entry{Key: keyOrigin, Data: kept})
	default:
		u.manufacture(cfg, firmware, now)
	}
	b, _ := u.journal.Get(keyOrigin)
	if len(b) != originSize || b[0] != originLayout {
		return nil, fmt.Errorf("origin of the register: %d bytes, want %d of layout %d", len(b), originSize, originLayout)
	}
	b = b[1:]
	le := binary.LittleEndian
	u.version, u.initial, u.perHour = le.Uint32(b), le.Uint64(b[4:]), le.Uint64(b[12:])
	u.since = time.UnixMicro(int64(le.Uint64(b[20:]))).UTC()
	u.digest = [sha256.Size]byte(b[28:])
	return u, nil
}

// manufacture writes the firmware, a stand-in of one sector that depends on the
// version, and then the origin, whose presence means that the unit is complete.
func (u *Unit) manufacture(cfg Config, firmware flash.Region, now time.Time) {
	image := make([]byte, 0, firmware.SectorSize())
	for len(image) < firmware.SectorSize() {
		block := sha256.Sum256(binary.LittleEndian.AppendUint32(image, cfg.FirmwareVersion))
		image = append(image, block[:]...)
	}
	firmware.Erase(0)
	firmware.Program(0, image)
	digest := sha256.Sum256(image)
	le := binary.LittleEndian
	b := le.AppendUint32([]byte{originLayout}, cfg.FirmwareVersion)
	b = le.AppendUint64(b, cfg.Initial)
	b = le.AppendUint64(b, cfg.PerHour)
	b = le.AppendUint64(b, uint64(now.UnixMicro()))
	u.journal.Commit(journal.Entry{Key: keyOrigin, Data: append(b, digest[:]...)})
}

// Origin returns what Open wants kept. It must not be written to.
func (u *Unit) Origin() []byte {
	b, _ := u.journal.Get(keyOrigin)
	return b
}

// Found returns in which condition Open found the origin's copies.
func (u *Unit) Found() journal.Condition { return u.found }

// Check reads both copies of the origin and mends a bad one. The running unit has it in
// memory, so that two bad ones are mended too.
func (u *Unit) Check() journal.Condition { return u.journal.Check() }

// Since returns the instant at which the register left its initial value.
func (u *Unit) Since() time.Time { return u.since }

// Register returns the total register at now: litres of gas, or watt-hours.
func (u *Unit) Register(now time.Time) uint64 {
	elapsed := max(0, now.Sub(u.since))
	hours, rest := uint64(elapsed/time.Hour), uint64(elapsed%time.Hour)
	return u.initial + u.perHour*hours + u.perHour*rest/uint64(time.Hour)
}

// Load returns the present load in units of the register per hour.
func (u *Unit) Load() uint64 { return u.perHour }

// FirmwareVersion returns the version of the metrology firmware.
func (u *Unit) FirmwareVersion() uint32 { return u.version }

// FirmwareSize returns how many bytes SelfCheck hashes.
func (u *Unit) FirmwareSize() int { return u.firmware.SectorSize() }

// SelfCheck verifies the metrology firmware against the digest made in the
// factory. A failure is alert 0x81AD.
func (u *Unit) SelfCheck() error {
	if sha256.Sum256(u.firmware.View(0, u.firmware.SectorSize())) != u.digest {
		return errors.New("metrology firmware does not match its factory digest")
	}
	return nil
}
