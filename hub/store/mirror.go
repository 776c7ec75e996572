package store

import (
	"fmt"

	"github.com/commshub/commshub/han"
)

// Mirror is the Gas Proxy Function's copy of a sleeping meter's attributes.
type Mirror struct {
	Device     han.EUI64         `cbor:"1,keyasint"`
	Attributes []MirrorAttribute `cbor:"2,keyasint,omitempty"`
	UpdatedAt  int64             `cbor:"3,keyasint,omitempty"`
	Sequence   uint64            `cbor:"4,keyasint,omitempty"` // of the report it was last updated from
}

// MirrorAttribute is one attribute value, of whatever cluster the mirror is for.
type MirrorAttribute struct {
	ID     uint16 `cbor:"1,keyasint,omitempty"`
	Type   uint8  `cbor:"2,keyasint,omitempty"` // ZCL data type
	Number uint64 `cbor:"3,keyasint,omitempty"` // value of a number, sign extended
	Bytes  []byte `cbor:"4,keyasint,omitempty"` // value of a string
}

func (Mirror) table() Table                { return TableMirrors }
func (m Mirror) appendKey(b []byte) []byte { return m.Device.AppendPrint(b) }

func (m Mirror) check() error {
	if n := len(m.Attributes); n > MaxMirrorAttributes {
		return fmt.Errorf("put mirror: %d attributes, want at most %d", n, MaxMirrorAttributes)
	}
	for _, a := range m.Attributes {
		if len(a.Bytes) > MaxBytes { // asked for at each report; a name is made only for the error
			return checkLength("mirror", fmt.Sprintf("attribute %04X", a.ID), len(a.Bytes), MaxBytes)
		}
	}
	return nil
}

func (m Mirror) detached() Record {
	m.Attributes = append([]MirrorAttribute(nil), m.Attributes...)
	for i := range m.Attributes {
		m.Attributes[i].Bytes = detach(m.Attributes[i].Bytes)
	}
	return m
}

// Mirror returns the mirror of one device.
func (s *Store) Mirror(device han.EUI64) (Mirror, bool) {
	return first[Mirror](s, TableMirrors, device.AppendPrint(nil))
}

// Mirrors returns all mirrors, sorted by device.
func (s *Store) Mirrors() []Mirror { return whole[Mirror](s, TableMirrors) }
