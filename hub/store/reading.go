package store

import (
	"encoding/binary"

	"github.com/commshub/commshub/han"
)

// Reading is what a mirror held at one time. What a meter did not report is absent.
type Reading struct {
	Device          han.EUI64 `cbor:"1,keyasint"`
	At              int64     `cbor:"2,keyasint"` // when the mirror was updated
	Register        *uint64   `cbor:"3,keyasint,omitempty"`
	BatteryPercent  *uint8    `cbor:"4,keyasint,omitempty"`
	BatteryDaysLeft *uint16   `cbor:"5,keyasint,omitempty"`
	// What a meter that reports its consumption had told by then, so that one update
	// shows: the share of a new cell that is left, in parts per billion, and how many
	// seconds that lasts if all days are ordinary.
	BatteryLeft  *uint32 `cbor:"6,keyasint,omitempty"`
	BatteryLasts *uint32 `cbor:"7,keyasint,omitempty"`
}

func (Reading) table() Table { return TableReadings }

func (r Reading) appendKey(b []byte) []byte {
	return binary.BigEndian.AppendUint64(r.Device.AppendPrint(b), uint64(r.At))
}

func (Reading) check() error { return nil }

func (r Reading) detached() Record {
	r.Register, r.BatteryPercent, r.BatteryDaysLeft = copied(r.Register), copied(r.BatteryPercent), copied(r.BatteryDaysLeft)
	r.BatteryLeft, r.BatteryLasts = copied(r.BatteryLeft), copied(r.BatteryLasts)
	return r
}

// copied returns a pointer to a copy.
func copied[V any](v *V) *V {
	if v == nil {
		return nil
	}
	c := *v
	return &c
}

// ReadingsOf returns the readings of one device, oldest first.
func (s *Store) ReadingsOf(device han.EUI64) []Reading {
	return all[Reading](s, TableReadings, device.AppendPrint(nil))
}

// Readings returns all readings, sorted by device, oldest first.
func (s *Store) Readings() []Reading { return whole[Reading](s, TableReadings) }
