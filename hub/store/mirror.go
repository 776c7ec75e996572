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
	// Consumption is what the meter said last that it spent, a metering.Consumption, and
	// ConsumedAt when it said so.
	Consumption []byte `cbor:"5,keyasint,omitempty"`
	ConsumedAt  int64  `cbor:"6,keyasint,omitempty"`
	// RegisterAt is when the register was believed last, if that was not at UpdatedAt.
	RegisterAt int64 `cbor:"7,keyasint,omitempty"`
	// Account is of the Prepayment cluster: what a prepayment meter said last of its account, and
	// AccountAt when it came.
	Account   []MirrorAttribute `cbor:"8,keyasint,omitempty"`
	AccountAt int64             `cbor:"9,keyasint,omitempty"`
}

// maxConsumption is the longest consumption in bytes, that of an octet string.
const maxConsumption = 255

// MirrorAttribute is one attribute value, of whatever cluster the mirror is for.
type MirrorAttribute struct {
	Bytes  []byte `cbor:"4,keyasint,omitempty"` // value of a string
	Number uint64 `cbor:"3,keyasint,omitempty"` // value of a number, sign extended
	ID     uint16 `cbor:"1,keyasint,omitempty"`
	Type   uint8  `cbor:"2,keyasint,omitempty"` // ZCL data type
}

func (Mirror) table() Table                { return TableMirrors }
func (m Mirror) appendKey(b []byte) []byte { return m.Device.AppendPrint(b) }

func (m Mirror) check() error {
	if n := max(len(m.Attributes), len(m.Account)); n > MaxMirrorAttributes {
		return fmt.Errorf("put mirror: %d attributes, want at most %d", n, MaxMirrorAttributes)
	}
	if len(m.Consumption) > maxConsumption {
		return checkLength("mirror", "consumption", len(m.Consumption), maxConsumption)
	}
	for _, a := range m.Account {
		if len(a.Bytes) > MaxBytes {
			return checkLength("mirror", fmt.Sprintf("attribute %04X of the account", a.ID), len(a.Bytes), MaxBytes)
		}
	}
	for _, a := range m.Attributes {
		if len(a.Bytes) > MaxBytes { // asked for at each report; a name is made only for the error
			return checkLength("mirror", fmt.Sprintf("attribute %04X", a.ID), len(a.Bytes), MaxBytes)
		}
	}
	return nil
}

func (m Mirror) detached() Record {
	m.Attributes, m.Account = detachedAttributes(m.Attributes), detachedAttributes(m.Account)
	m.Consumption = detach(m.Consumption)
	return m
}

func detachedAttributes(all []MirrorAttribute) []MirrorAttribute {
	all = append([]MirrorAttribute(nil), all...)
	for i := range all {
		all[i].Bytes = detach(all[i].Bytes)
	}
	return all
}

// Mirror returns the mirror of one device.
func (s *Store) Mirror(device han.EUI64) (Mirror, bool) {
	return first[Mirror](s, TableMirrors, device.AppendPrint(nil))
}

// Mirrors returns all mirrors, sorted by device.
func (s *Store) Mirrors() []Mirror { return whole[Mirror](s, TableMirrors) }
