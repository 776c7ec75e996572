// Package gbz takes the GBZ payloads of GBCS apart and puts them together again without
// loss: ZCL frames in an envelope, as gas meters and the gas proxy have them. What
// clusters, commands and fields are called is in package tree.
//
//	0109  n                                   profile, number of components
//	  control  cluster(2)  length(2)          of each component; big-endian
//	    control frame-counter                 additional header, if control has 02
//	    time(4)                               from date-time, if control has 10
//	    frame-control transaction command     ZCL header
//	    payload                               little-endian
//
// With control bit 02 the payload is encrypted:
//
//	length(2)  31 00000000  ciphertext  tag(12)
//
// An alert has its code and time behind the number of components; what a use case adds is
// in [Payload.Rest]. Parse and Append are inverse to each other on everything that
// Parse takes. Parsed bytes alias the input. No input panics; memory is bounded by the
// input's length.
package gbz

import (
	"encoding/binary"
	"fmt"
)

// Profile is the Smart Energy profile.
const Profile = 0x0109

// The bits of the control field.
const (
	ControlLast      = 0x01 // the last component
	ControlEncrypted = 0x02 // the payload of the ZCL frame is encrypted
	ControlFrom      = 0x10 // the response has to start at a date-time
)

// The bits of a ZCL frame control.
const (
	frameTypeMask        = 0x03
	frameCluster         = 0x01 // the command is the cluster's, not the profile's
	manufacturerSpecific = 0x04
	fromServer           = 0x08
)

// Sizes in bytes of a time, and of the length before an encrypted payload.
const (
	TimeSize         = 4
	SealedLengthSize = 2
)

// Sizes in bytes.
const (
	headSize       = 3 // profile and number of components
	componentHead  = 5 // control, cluster, length
	additionalSize = 2
	alertHeadSize  = 2 + TimeSize
	securityHead   = 5
	tagSize        = 12
)

// Payload is a GBZ payload.
type Payload struct {
	Profile    uint16
	Count      uint8 // of components, as found; of an alert, of what the use case adds
	Alert      *Alert
	Components []Component
	Rest       []byte // of an alert, what the use case adds
}

// Alert is the head of an alert.
type Alert struct {
	Code uint16
	Time uint32 // seconds since 2000, UTC
}

// Component is a ZCL frame in its envelope.
type Component struct {
	Control    byte
	Cluster    uint16
	Additional *Additional // with ControlEncrypted
	From       *uint32     // with ControlFrom: seconds since 2000, UTC
	Frame      Frame
	Sealed     *Sealed // with ControlEncrypted, in place of the frame's payload
	// Start and End are the offsets in what was parsed.
	Start, End int
}

// Additional is the additional header of an encrypted component.
type Additional struct{ Control, FrameCounter byte }

// Frame is a ZCL frame.
type Frame struct {
	Control      byte
	Manufacturer uint16 // only if the control says so
	Transaction  byte
	Command      byte
	Payload      []byte
}

// ClusterSpecific reports whether the command is the cluster's, not the profile's.
func (f Frame) ClusterSpecific() bool { return f.Control&frameTypeMask == frameCluster }

// ManufacturerSpecific reports whether the command is one of the manufacturer's own.
func (f Frame) ManufacturerSpecific() bool { return f.Control&manufacturerSpecific != 0 }

// FromServer reports whether the cluster's server sends the command.
func (f Frame) FromServer() bool { return f.Control&fromServer != 0 }

// Answered returns the head of the cluster's command that a default response answers:
// it went the other way.
func (f Frame) Answered(command byte) Frame {
	return Frame{Control: f.Control&fromServer ^ fromServer | frameCluster, Command: command}
}

// Sealed is an encrypted payload.
type Sealed struct {
	Length         uint16 // of all that follows
	SecurityHeader [securityHead]byte
	Ciphertext     []byte
	Tag            [tagSize]byte
}

// Append appends the payload.
func (p Payload) Append(b []byte) []byte {
	b = append(binary.BigEndian.AppendUint16(b, p.Profile), p.Count)
	if p.Alert != nil {
		b = binary.BigEndian.AppendUint16(b, p.Alert.Code)
		b = binary.BigEndian.AppendUint32(b, p.Alert.Time)
	}
	for _, c := range p.Components {
		b = c.Append(b)
	}
	return append(b, p.Rest...)
}

// Append appends the component.
func (c Component) Append(b []byte) []byte {
	var body []byte
	if c.Additional != nil {
		body = append(body, c.Additional.Control, c.Additional.FrameCounter)
	}
	if c.From != nil {
		body = binary.BigEndian.AppendUint32(body, *c.From)
	}
	body = append(body, c.Frame.Control)
	if c.Frame.ManufacturerSpecific() {
		body = binary.LittleEndian.AppendUint16(body, c.Frame.Manufacturer)
	}
	body = append(append(body, c.Frame.Transaction, c.Frame.Command), c.Frame.Payload...)
	if s := c.Sealed; s != nil {
		body = binary.BigEndian.AppendUint16(body, s.Length)
		body = append(append(body, s.SecurityHeader[:]...), s.Ciphertext...)
		body = append(body, s.Tag[:]...)
	}
	b = binary.BigEndian.AppendUint16(append(b, c.Control), c.Cluster)
	return append(binary.BigEndian.AppendUint16(b, uint16(len(body))), body...)
}

// Parse reads data from an offset on, which is the payload of a command or response.
// Offsets, in errors too, count from the start of data.
func Parse(data []byte, offset int) (Payload, error) {
	p, offset, err := parseHead(data, offset, false)
	for i := 0; err == nil && i < int(p.Count); i++ {
		var c Component
		c, err = ParseComponent(data, offset)
		p.Components = append(p.Components, c)
		offset = c.End
	}
	if err == nil && offset < len(data) {
		err = at(offset, "%d bytes after the last component", len(data)-offset)
	}
	if err != nil {
		return Payload{}, err
	}
	return p, nil
}

// ParseAlert reads data from an offset on, which is the payload of an alert.
func ParseAlert(data []byte, offset int) (Payload, error) {
	p, offset, err := parseHead(data, offset, true)
	if err != nil {
		return Payload{}, err
	}
	p.Rest = data[offset:len(data):len(data)]
	return p, nil
}

func at(offset int, format string, args ...any) error {
	return fmt.Errorf("parse GBZ at byte %d: %s", offset, fmt.Sprintf(format, args...))
}

// parseHead returns the payload's head and the offset behind it.
func parseHead(data []byte, offset int, alert bool) (Payload, int, error) {
	head := data[offset:]
	want := headSize
	if alert {
		want += alertHeadSize
	}
	if len(head) < want {
		return Payload{}, 0, at(len(data), "head of %d bytes, want %d", len(head), want)
	}
	p := Payload{Profile: binary.BigEndian.Uint16(head), Count: head[2]}
	if p.Profile != Profile {
		return Payload{}, 0, at(offset, "profile %04X, want %04X", p.Profile, Profile)
	}
	if alert {
		p.Alert = &Alert{Code: binary.BigEndian.Uint16(head[headSize:]), Time: binary.BigEndian.Uint32(head[headSize+2:])}
	}
	return p, offset + want, nil
}

// ParseComponent reads the component of data that starts at an offset.
func ParseComponent(data []byte, offset int) (Component, error) {
	if left := len(data) - offset; left < componentHead {
		return Component{}, at(offset, "component of %d bytes, want at least %d", left, componentHead)
	}
	c := Component{Start: offset, Control: data[offset], Cluster: binary.BigEndian.Uint16(data[offset+1:])}
	length := int(binary.BigEndian.Uint16(data[offset+3:]))
	offset += componentHead
	if left := len(data) - offset; length > left {
		return Component{}, at(offset-2, "component of %d bytes, but %d are left", length, left)
	}
	c.End = offset + length
	if c.Control&^(ControlLast|ControlEncrypted|ControlFrom) != 0 || c.Control&ControlEncrypted != 0 && c.Control&ControlFrom != 0 {
		return Component{}, at(c.Start, "control %02X, want 01 with 02 or 10", c.Control)
	}
	body := bodyReader{data: data[:c.End], off: offset}
	switch {
	case c.Control&ControlEncrypted != 0:
		if b := body.take(additionalSize, "additional header"); b != nil {
			c.Additional = &Additional{b[0], b[1]}
		}
	case c.Control&ControlFrom != 0:
		if b := body.take(TimeSize, "from date-time"); b != nil {
			from := binary.BigEndian.Uint32(b)
			c.From = &from
		}
	}
	body.header(&c.Frame)
	if c.Control&ControlEncrypted != 0 {
		c.Sealed = body.sealed()
	} else if n := len(body.data) - body.off; n > 0 {
		c.Frame.Payload = body.take(n, "payload")
	}
	if body.err != nil {
		return Component{}, body.err
	}
	return c, nil
}

// bodyReader takes fields off a component. It defers the error.
type bodyReader struct {
	data []byte
	off  int
	err  error
}

func (r *bodyReader) take(n int, what string) []byte {
	if r.err != nil {
		return nil
	}
	if left := len(r.data) - r.off; n > left {
		r.err = at(r.off, "%s of %d bytes, but %d are left in the component", what, n, left)
		return nil
	}
	b := r.data[r.off : r.off+n : r.off+n]
	r.off += n
	return b
}

func (r *bodyReader) header(f *Frame) {
	if b := r.take(1, "frame control"); b != nil {
		f.Control = b[0]
	}
	if f.ManufacturerSpecific() {
		if b := r.take(2, "manufacturer"); b != nil {
			f.Manufacturer = binary.LittleEndian.Uint16(b)
		}
	}
	if b := r.take(2, "ZCL header"); b != nil {
		f.Transaction, f.Command = b[0], b[1]
	}
}

func (r *bodyReader) sealed() *Sealed {
	start := r.off
	b := r.take(SealedLengthSize, "length of the encrypted payload")
	if b == nil {
		return nil
	}
	s := Sealed{Length: binary.BigEndian.Uint16(b)}
	left := len(r.data) - r.off
	if int(s.Length) != left || left < securityHead+tagSize {
		r.err = at(start, "encrypted payload of %d bytes, but %d are left in the component, and %d are the least",
			s.Length, left, securityHead+tagSize)
		return nil
	}
	copy(s.SecurityHeader[:], r.take(securityHead, "security header"))
	s.Ciphertext = r.take(left-securityHead-tagSize, "ciphertext")
	copy(s.Tag[:], r.take(tagSize, "tag"))
	return &s
}
