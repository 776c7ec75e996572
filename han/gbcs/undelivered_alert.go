package gbcs

import (
	"encoding/binary"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs/dlms"
)

func init() { reads(CodeFailureToDeliverToESMEAlert, Alert, ParseUndeliveredAlert) }

// UndeliveredAlert tells the access control broker of a message that the CHF could not hand
// to a device (message code 0x00D5, alert code 8F84). It is MACed, not signed. On the wire
// it is a DLMS alert with one element, an octet-string of 25 bytes:
//
//	originator(8) target(8) CRA flag(1) originator counter(8)
//
// None is published; the layout is that of DBCH10, whose message was dropped for the duty
// cycle (gbcs-parser 0.5.0 has both alike).
type UndeliveredAlert struct {
	AlertHead          // in LayoutDLMS
	Originator, Target han.EUI64
	CRA                CRA
	Counter            uint64 // originator counter
}

// Append appends the payload.
func (c UndeliveredAlert) Append(b []byte) []byte {
	message := append(c.Target.AppendPrint(c.Originator.AppendPrint(nil)), byte(c.CRA))
	return octetString(binary.BigEndian.AppendUint64(message, c.Counter)).Append(c.append(b, 1))
}

// ParseUndeliveredAlert reads the payload.
func ParseUndeliveredAlert(payload []byte) (UndeliveredAlert, error) {
	const size = 2*han.EUI64Size + counterFieldSize
	r := newReader("undelivered message alert", payload)
	c := UndeliveredAlert{AlertHead: r.alertHead(1)}
	r.expect("message", byte(dlms.OctetString), size)
	c.Originator, c.Target, c.CRA, c.Counter = han.EUI64(r.uint64()), han.EUI64(r.uint64()), CRA(r.uint8()), r.uint64()
	if err := r.done(); err != nil {
		return UndeliveredAlert{}, err
	}
	return c, nil
}

// Fields implements [Payload].
func (c UndeliveredAlert) Fields() []Field {
	return append(c.fields(), field("originator", c.Originator), field("target", c.Target), field("CRA flag", c.CRA), field("counter", c.Counter))
}
