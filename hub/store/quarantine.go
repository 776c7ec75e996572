package store

import (
	"encoding/binary"

	"github.com/commshub/commshub/han"
)

// Quarantined is a reading of a device that is not believed. There is one of each
// attribute at most.
type Quarantined struct {
	Device    han.EUI64       `cbor:"1,keyasint"`
	Attribute MirrorAttribute `cbor:"2,keyasint"` // as it was reported last
	Rule      string          `cbor:"3,keyasint,omitempty"`
	Since     int64           `cbor:"4,keyasint,omitempty"`
	At        int64           `cbor:"5,keyasint,omitempty"`
	Count     uint32          `cbor:"6,keyasint,omitempty"`
	Over      bool            `cbor:"7,keyasint,omitempty"` // a later one is believed
}

func (Quarantined) table() Table { return TableQuarantine }

func (q Quarantined) appendKey(b []byte) []byte {
	return binary.BigEndian.AppendUint16(q.Device.AppendPrint(b), q.Attribute.ID)
}

func (q Quarantined) check() error {
	if err := checkLength("quarantined reading", "rule", len(q.Rule), MaxText); err != nil {
		return err
	}
	return checkLength("quarantined reading", "value", len(q.Attribute.Bytes), MaxBytes)
}

func (q Quarantined) detached() Record {
	q.Attribute.Bytes = detach(q.Attribute.Bytes)
	return q
}

// QuarantineOf returns the readings of a device in quarantine, sorted by attribute.
func (s *Store) QuarantineOf(device han.EUI64) []Quarantined {
	return all[Quarantined](s, TableQuarantine, device.AppendPrint(nil))
}
