package gbcs

// CodeReadGSMEFirmwareVersion is the code of Read Firmware Version for a GSME (GCS38).
const CodeReadGSMEFirmwareVersion MessageCode = 0x0084

func init() {
	reads(CodeReadGSMEFirmwareVersion, Command, ParseReadGSMEFirmwareVersionCommand)
	reads(CodeReadGSMEFirmwareVersion, Response, ParseReadGSMEFirmwareVersionResponse)
}

// ReadGSMEFirmwareVersionCommand asks a gas proxy, or the GSME itself, for the
// meter's firmware version (message code 0x0084, GCS38). It is MACed, not
// signed. On the wire it is a GBZ payload with one ZCL Read Attributes for
// attribute 0x0206 (CurrentMeterID) of the Metering cluster, and always the same:
//
//	01 09 01                 profile, one component
//	01 0702 0005             last component, cluster, length
//	   00 00 00 06 02        ZCL frame, little-endian
type ReadGSMEFirmwareVersionCommand struct{}

var readCurrentMeterID = []byte{
	0x01, 0x09, 0x01,
	0x01, 0x07, 0x02, 0x00, 0x05,
	0x00, 0x00, 0x00, 0x06, 0x02,
}

// Append appends the 13 bytes payload.
func (ReadGSMEFirmwareVersionCommand) Append(b []byte) []byte {
	return append(b, readCurrentMeterID...)
}

// ParseReadGSMEFirmwareVersionCommand reads the 13 bytes payload.
func ParseReadGSMEFirmwareVersionCommand(payload []byte) (ReadGSMEFirmwareVersionCommand, error) {
	r := newReader("read GSME firmware version command", payload)
	r.expect("request", readCurrentMeterID...)
	return ReadGSMEFirmwareVersionCommand{}, r.done()
}

// Fields implements [Payload]: the command says nothing more than its code.
func (ReadGSMEFirmwareVersionCommand) Fields() []Field { return nil }
