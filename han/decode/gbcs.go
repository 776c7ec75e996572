package decode

import (
	"bytes"
	"fmt"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/gbcs/block"
	"github.com/commshub/commshub/han/gbcs/tree"
)

// messageText names the use case of a message.
func messageText(message []byte) string {
	if k, err := block.Parse(message); err == nil {
		return gbtText(k)
	}
	m, err := gbcs.ParseMessage(message)
	if err != nil {
		return byteCount(len(message))
	}
	return m.Code.String()
}

// gbtText names a block of a message that is sent in several.
func gbtText(k block.Block) string {
	last := ""
	if k.Last {
		last = ", the last"
	}
	return fmt.Sprintf("block %d%s, of %s", k.Number, last, k.Code)
}

// block takes a block.
func (c *cutter) block(k block.Block) {
	c.group("routing header", "", func() {
		c.fixed("general ciphering", 1)
		c.fixed("length of the counter", 1)
		c.take("CRA flag", 1, k.CRA)
		c.take("originator counter", 8, k.OriginatorCounter)
		c.fixed("length of the originator", 1)
		c.take("originator", han.EUI64Size, k.Originator)
		c.fixed("length of the recipient", 1)
		c.take("recipient", han.EUI64Size, k.Recipient)
		c.fixed("date-time", 1)
		c.fixed("length of the other information", 1)
		c.take("message code", 2, k.Code)
		c.fixed("key information", 1)
		c.length("length of the block", lengthBefore(len(c.data)-c.at))
		c.fixed("security header", securityHeader)
	})
	c.fixed("general block transfer", 1)
	c.fixed("block control", 1)
	c.take("block number", 2, k.Number)
	c.take("block acknowledged", 2, k.Acknowledged)
	c.length("length of the data", len(k.Data))
	if len(k.Data) > 0 {
		c.take("data", len(k.Data), octets(k.Data))
	}
}

// Sizes of what stands around the fields of a message, see package gbcs.
const (
	macHeaderStart = 7 // tag and six empty elements
	securityHeader = 5
	counterField   = 9
	codeField      = 2
)

// message takes a message. Its parser refuses lengths that are not in their
// shortest form, so that the values tell where everything is.
func (c *cutter) message(m gbcs.Message) {
	if m.HasMAC {
		c.group("MAC header", "", func() {
			c.fixed("general ciphering", macHeaderStart)
			c.length("length of the message", lengthBefore(len(c.data)-c.at))
			c.fixed("security header", securityHeader)
		})
	}
	c.group("grouping header", "", func() { c.groupingHeader(m) })
	if len(m.Payload) > 0 {
		c.usePayload(m)
	}
	if m.PreCommand {
		return
	}
	c.group("signature", "", func() {
		c.length("length of the signature", len(m.Signature))
		if len(m.Signature) > 0 {
			c.take("r, s", len(m.Signature), octets(m.Signature))
		}
	})
	if m.HasMAC {
		c.take("MAC", gbcs.MACSize, octets(m.MAC[:]))
	}
}

// usePayload takes the payload of a use case, with what its parser says of it.
func (c *cutter) usePayload(m gbcs.Message) {
	start := c.at
	c.take("payload", len(m.Payload), octets(m.Payload))
	payload, err := m.ParsePayload()
	field := &c.fields[len(c.fields)-1]
	if _, opaque := payload.(gbcs.Opaque); opaque && err == nil {
		if f := payloadOf(m); len(f.Raw) > 0 {
			field.Children = []Field{c.named(f, start-f.Start)}
		}
		return
	}
	if err != nil {
		field.Children = []Field{{Name: "not readable", Value: err.Error(), Start: start}}
		return
	}
	for _, f := range payload.Fields() {
		field.Children = append(field.Children, Field{Name: f.Name, Value: f.Text, Start: start})
	}
}

// payloadOf returns what the tables say of a payload; its offsets are in the message.
func payloadOf(m gbcs.Message) tree.Field {
	fields := tree.Decode(m.Append(nil)).Fields
	for i := 1; i < len(fields); i++ {
		if fields[i-1].Name == tree.PayloadLength && bytes.Equal(fields[i].Raw, m.Payload) {
			return fields[i]
		}
	}
	return tree.Field{}
}

// named returns a field of a message as one of the cutter's, whose data have the message
// further behind. The field's own head, in front of what is in it, is a field of its own
// here.
func (c *cutter) named(f tree.Field, shift int) Field {
	start, end := f.Start+shift, f.End()+shift
	field := Field{Name: f.Name, Value: f.Value, Start: start, Raw: c.data[start:end:end]}
	if len(f.Children) == 0 {
		return field
	}
	if inner := f.Children[0].Start + shift; inner > start {
		raw := c.data[start:inner:inner]
		field.Children = append(field.Children, Field{Name: "head", Value: octets(raw), Start: start, Raw: raw})
	}
	for _, inner := range f.Children {
		field.Children = append(field.Children, c.named(inner, shift))
	}
	return field
}

func (c *cutter) groupingHeader(m gbcs.Message) {
	c.fixed("general signing", 1)
	c.length("length of flag and counter", counterField)
	c.take("CRA flag", 1, m.CRA)
	c.take("originator counter", 8, m.OriginatorCounter)
	c.length("length of the originator", han.EUI64Size)
	c.take("originator", han.EUI64Size, m.Originator)
	c.length("length of the recipient", han.EUI64Size)
	c.take("recipient", han.EUI64Size, m.Recipient)
	if m.HasDateTime {
		c.length("length of the date-time", len(m.DateTime))
		c.take("date-time", len(m.DateTime), m.DateTime)
	} else {
		c.length("length of the date-time", 0)
	}
	c.length("length of the other information", codeField+len(m.OtherInfo))
	c.take("message code", codeField, fmt.Sprintf("%04X %s", uint16(m.Code), m.Code))
	if len(m.OtherInfo) > 0 {
		c.take("other information", len(m.OtherInfo), octets(m.OtherInfo))
	}
	c.length("length of the payload", len(m.Payload))
}

// length takes a length in its shortest form.
func (c *cutter) length(name string, n int) { c.take(name, lengthSize(n), n) }

// lengthBefore returns the length that is encoded at the start of size bytes and
// counts those behind it.
func lengthBefore(size int) int {
	n := size
	for n+lengthSize(n) > size {
		n--
	}
	return n
}

// lengthSize returns the size of a length, see gbcs: X.690 §8.1.3.
func lengthSize(n int) int {
	switch {
	case n < 0x80:
		return 1
	case n <= 0xFF:
		return 2
	default:
		return 3
	}
}
