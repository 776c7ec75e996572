package zcl

import "encoding/binary"

// AttributeStatus is one entry of a Read Attributes Response: a value, or the
// status that says why there is none.
type AttributeStatus struct {
	ID     uint16
	Status Status
	Value  Value // only with StatusSuccess
}

// ReadAttributesResponse answers [ReadAttributes] (ZCL §2.5.2).
type ReadAttributesResponse struct{ Attributes []AttributeStatus }

// Append implements [Command].
func (c ReadAttributesResponse) Append(b []byte) []byte {
	for _, a := range c.Attributes {
		b = binary.LittleEndian.AppendUint16(b, a.ID)
		b = append(b, byte(a.Status))
		if a.Status == StatusSuccess {
			b = a.Value.Append(append(b, byte(a.Value.Type)))
		}
	}
	return b
}

// Fitting returns the response with as many of its entries as fit size bytes; a
// client asks for the others again.
func (c ReadAttributesResponse) Fitting(size int) ReadAttributesResponse {
	b := make([]byte, 0, size)
	for i := range c.Attributes {
		b = ReadAttributesResponse{c.Attributes[i : i+1]}.Append(b)
		if len(b) > size {
			return ReadAttributesResponse{c.Attributes[:i]}
		}
	}
	return c
}

// ParseReadAttributesResponse reads the payload; it has at least one entry.
func ParseReadAttributesResponse(payload []byte) (ReadAttributesResponse, error) {
	const what = "read attributes response"
	r := NewReader(payload)
	var c ReadAttributesResponse
	for {
		a := AttributeStatus{ID: r.Uint16(), Status: Status(r.Uint8())}
		if err := r.Err(what); err != nil {
			return ReadAttributesResponse{}, err
		}
		if a.Status == StatusSuccess {
			if err := a.Value.readTyped(&r, what); err != nil {
				return ReadAttributesResponse{}, err
			}
		}
		c.Attributes = append(c.Attributes, a)
		if r.Remaining() == 0 {
			return c, nil
		}
	}
}

// readTyped reads a type octet and a value of that type into v, which is empty.
func (v *Value) readTyped(r *Reader, what string) error {
	t := DataType(r.Uint8())
	if err := r.Err(what); err != nil {
		return err
	}
	return v.read(r, t, what)
}
