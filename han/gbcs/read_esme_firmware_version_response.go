package gbcs

import (
	"encoding/binary"
	"fmt"
)

// DataAccessResult is the DLMS result of a Get (Blue Book, Data-Access-Result).
type DataAccessResult uint8

// The results a firmware version is read with.
const (
	AccessSuccess          DataAccessResult = 0
	AccessHardwareFault    DataAccessResult = 1
	AccessTemporaryFailure DataAccessResult = 2
	AccessReadWriteDenied  DataAccessResult = 3
	AccessObjectUndefined  DataAccessResult = 4
	AccessOtherReason      DataAccessResult = 250
)

var dataAccessResultNames = map[DataAccessResult]string{
	AccessSuccess:          "success",
	AccessHardwareFault:    "hardware fault",
	AccessTemporaryFailure: "temporary failure",
	AccessReadWriteDenied:  "read-write denied",
	AccessObjectUndefined:  "object undefined",
	AccessOtherReason:      "other reason",
}

// String returns the specification's words.
func (a DataAccessResult) String() string {
	if name, ok := dataAccessResultNames[a]; ok {
		return name
	}
	return fmt.Sprintf("data access result %d", uint8(a))
}

// ReadESMEFirmwareVersionResponse answers a [ReadESMEFirmwareVersionCommand]
// (message code 0x0059, ECS52). It is MACed, not signed. On the wire it is a
// DLMS access response:
//
//	DA 20 invoke-id(3) 00 00
//	01 09 04 version(4)     one datum; null (00) if the result is no success
//	01 01 result            of one Get
type ReadESMEFirmwareVersionResponse struct {
	InvokeID        uint32 // of the command
	Result          DataAccessResult
	FirmwareVersion uint32 // OTA file version; only with AccessSuccess
}

const dlmsAccessResponse = 0xDA

// Append appends the 17 or 12 bytes payload.
func (c ReadESMEFirmwareVersionResponse) Append(b []byte) []byte {
	b = appendInvokeID(append(b, dlmsAccessResponse), c.InvokeID)
	b = append(b, 0x00, 0x00, 0x01) // no date-time, no requests echoed, one datum
	if c.Result == AccessSuccess {
		b = append(b, dlmsOctetString, firmwareVersionSize)
		b = binary.BigEndian.AppendUint32(b, c.FirmwareVersion)
	} else {
		b = append(b, 0x00)
	}
	return append(b, 0x01, 0x01, byte(c.Result))
}

// ParseReadESMEFirmwareVersionResponse reads the 17 or 12 bytes payload.
func ParseReadESMEFirmwareVersionResponse(payload []byte) (ReadESMEFirmwareVersionResponse, error) {
	r := newReader("read ESME firmware version response", payload)
	r.expect("access response", dlmsAccessResponse)
	c := ReadESMEFirmwareVersionResponse{InvokeID: r.invokeID()}
	r.expect("start of the data", 0x00, 0x00, 0x01)
	null := r.peek() == 0
	if null {
		r.expect("firmware version", 0x00)
	} else {
		r.expect("firmware version", dlmsOctetString, firmwareVersionSize)
		c.FirmwareVersion = r.uint32()
	}
	r.expect("start of the result", 0x01, 0x01)
	c.Result = DataAccessResult(r.uint8())
	if r.err == nil && null == (c.Result == AccessSuccess) {
		r.failf("result %d contradicts the firmware version before it", uint8(c.Result))
	}
	if err := r.done(); err != nil {
		return ReadESMEFirmwareVersionResponse{}, err
	}
	return c, nil
}

// Fields implements [Payload].
func (c ReadESMEFirmwareVersionResponse) Fields() []Field {
	fields := []Field{field("invoke identifier", c.InvokeID), field("result", c.Result)}
	if c.Result == AccessSuccess {
		fields = append(fields, versionField(c.FirmwareVersion))
	}
	return fields
}
