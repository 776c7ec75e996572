package zcl

import "encoding/binary"

// Attribute is an attribute with its value.
type Attribute struct {
	ID    uint16
	Value Value
}

// ReportAttributes tells attribute values unasked (ZCL §2.5.11).
type ReportAttributes struct{ Attributes []Attribute }

// Append implements [Command].
func (c ReportAttributes) Append(b []byte) []byte {
	for _, a := range c.Attributes {
		b = binary.LittleEndian.AppendUint16(b, a.ID)
		b = a.Value.Append(append(b, byte(a.Value.Type)))
	}
	return b
}

// ParseReportAttributes reads the payload; it has at least one attribute.
func ParseReportAttributes(payload []byte) (ReportAttributes, error) {
	all, err := AppendReportAttributes(nil, payload)
	return ReportAttributes{Attributes: all}, err
}

// AppendReportAttributes reads the payload as ParseReportAttributes does, into the
// memory behind all.
func AppendReportAttributes(all []Attribute, payload []byte) ([]Attribute, error) {
	const what = "report attributes"
	r := NewReader(payload)
	for {
		id := r.Uint16()
		if err := r.Err(what); err != nil {
			return nil, err
		}
		all = append(all, Attribute{})
		a := &all[len(all)-1]
		a.ID = id
		if err := a.Value.readTyped(&r, what); err != nil {
			return nil, err
		}
		if r.Remaining() == 0 {
			return all, nil
		}
	}
}
