package zcl

import "encoding/binary"

// ReadAttributes asks for attributes by identifier (ZCL §2.5.1).
type ReadAttributes struct{ IDs []uint16 }

// Append implements [Command].
func (c ReadAttributes) Append(b []byte) []byte {
	for _, id := range c.IDs {
		b = binary.LittleEndian.AppendUint16(b, id)
	}
	return b
}

// ParseReadAttributes reads the payload; it asks for at least one attribute. An
// odd last byte is a truncated identifier and refused.
func ParseReadAttributes(payload []byte) (ReadAttributes, error) {
	const what = "read attributes"
	r := NewReader(payload)
	c := ReadAttributes{IDs: make([]uint16, 0, len(payload)/2)}
	for {
		c.IDs = append(c.IDs, r.Uint16())
		if err := r.Err(what); err != nil {
			return ReadAttributes{}, err
		}
		if r.Remaining() == 0 {
			return c, nil
		}
	}
}
