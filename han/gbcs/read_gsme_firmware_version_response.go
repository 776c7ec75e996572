package gbcs

import (
	"encoding/binary"

	"github.com/commshub/commshub/han/zcl"
)

// ReadGSMEFirmwareVersionResponse answers a [ReadGSMEFirmwareVersionCommand]
// (message code 0x0084, GCS38). It is MACed, not signed. On the wire it is a
// GBZ payload with one ZCL Read Attributes Response:
//
//	01 09 01                 profile, one component
//	01 0702 length(2)        last component, cluster
//	   08 00 01              ZCL header
//	   06 02 status          CurrentMeterID
//	   41 04 version(4)      octet string, most significant byte first; only with SUCCESS
type ReadGSMEFirmwareVersionResponse struct {
	Status          zcl.Status
	FirmwareVersion uint32 // OTA file version; only with zcl.StatusSuccess
}

var (
	currentMeterIDComponent = []byte{0x01, 0x09, 0x01, 0x01, 0x07, 0x02}
	currentMeterIDRead      = []byte{0x08, 0x00, 0x01, 0x06, 0x02}
	currentMeterIDType      = []byte{byte(zcl.TypeOctetString), firmwareVersionSize}
)

// Append appends the 20 or 14 bytes payload.
func (c ReadGSMEFirmwareVersionResponse) Append(b []byte) []byte {
	frame := append(append([]byte(nil), currentMeterIDRead...), byte(c.Status))
	if c.Status == zcl.StatusSuccess {
		frame = append(frame, currentMeterIDType...)
		frame = binary.BigEndian.AppendUint32(frame, c.FirmwareVersion)
	}
	b = append(b, currentMeterIDComponent...)
	return append(binary.BigEndian.AppendUint16(b, uint16(len(frame))), frame...)
}

// ParseReadGSMEFirmwareVersionResponse reads the 20 or 14 bytes payload.
func ParseReadGSMEFirmwareVersionResponse(payload []byte) (ReadGSMEFirmwareVersionResponse, error) {
	r := newReader("read GSME firmware version response", payload)
	r.expect("component", currentMeterIDComponent...)
	if n := int(r.uint16()); r.err == nil && n != r.remaining() {
		r.failf("component announces %d bytes, but %d follow", n, r.remaining())
	}
	r.expect("read attributes response", currentMeterIDRead...)
	c := ReadGSMEFirmwareVersionResponse{Status: zcl.Status(r.uint8())}
	if r.err == nil && c.Status == zcl.StatusSuccess {
		r.expect("type of the firmware version", currentMeterIDType...)
		c.FirmwareVersion = r.uint32()
	}
	if err := r.done(); err != nil {
		return ReadGSMEFirmwareVersionResponse{}, err
	}
	return c, nil
}

// Fields implements [Payload].
func (c ReadGSMEFirmwareVersionResponse) Fields() []Field {
	fields := []Field{field("status", c.Status)}
	if c.Status == zcl.StatusSuccess {
		fields = append(fields, versionField(c.FirmwareVersion))
	}
	return fields
}
