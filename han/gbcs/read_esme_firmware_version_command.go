package gbcs

// CodeReadESMEFirmwareVersion is the code of Read Firmware Version for an ESME or
// a communications hub (ECS52).
const CodeReadESMEFirmwareVersion MessageCode = 0x0059

func init() {
	reads(CodeReadESMEFirmwareVersion, Command, ParseReadESMEFirmwareVersionCommand)
	reads(CodeReadESMEFirmwareVersion, Response, ParseReadESMEFirmwareVersionResponse)
}

// ReadESMEFirmwareVersionCommand asks an ESME or a communications hub for its
// firmware version (message code 0x0059, ECS52). It is MACed, not signed. On
// the wire it is a DLMS access request with one Get and no data:
//
//	D9 20 invoke-id(3) 00
//	01 01 0001 00 00 00 02 01 FF 02    class 1, 0-0:0.2.1.255, attribute 2
//	01 00                              null
type ReadESMEFirmwareVersionCommand struct {
	InvokeID uint32 // [InvokeIDOf] the message's counter
}

const dlmsAccessRequest = 0xD9

// firmwareVersionGet is everything behind the invoke identifier.
var firmwareVersionGet = []byte{
	0x00,       // no date-time
	0x01,       // one request:
	0x01,       // Get
	0x00, 0x01, // class 1, Data
	0x00, 0x00, 0x00, 0x02, // 0-0:0.2.1.255, active firmware identifier
	0x01, 0xFF,
	0x02, // attribute 2, value
	0x01, // one datum:
	0x00, // null
}

// Append appends the 19 bytes payload.
func (c ReadESMEFirmwareVersionCommand) Append(b []byte) []byte {
	b = appendInvokeID(append(b, dlmsAccessRequest), c.InvokeID)
	return append(b, firmwareVersionGet...)
}

// ParseReadESMEFirmwareVersionCommand reads the 19 bytes payload.
func ParseReadESMEFirmwareVersionCommand(payload []byte) (ReadESMEFirmwareVersionCommand, error) {
	r := newReader("read ESME firmware version command", payload)
	r.expect("access request", dlmsAccessRequest)
	c := ReadESMEFirmwareVersionCommand{InvokeID: r.invokeID()}
	r.expect("request", firmwareVersionGet...)
	if err := r.done(); err != nil {
		return ReadESMEFirmwareVersionCommand{}, err
	}
	return c, nil
}

// Fields implements [Payload].
func (c ReadESMEFirmwareVersionCommand) Fields() []Field {
	return []Field{field("invoke identifier", c.InvokeID)}
}
