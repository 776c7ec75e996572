package gbcs

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/zcl"
)

// CodeFirmwareTransferAlert is the code of the hub's report on a transfer (CCS08).
const CodeFirmwareTransferAlert MessageCode = 0x0128

func init() {
	reads(CodeFirmwareTransferAlert, Alert, ParseFirmwareTransferAlert)
}

// TransferOutcome says how the transfer of an image to a device ended.
type TransferOutcome uint8

// The transfer outcomes (CCS08).
const (
	TransferSuccess TransferOutcome = iota
	TransferImageDiscarded
	TransferHardwareVersionMismatch
	TransferFailure
)

var transferOutcomeNames = [...]string{"success", "image discarded", "hardware version mismatch", "file transfer failure"}

// String returns the outcome in words.
func (o TransferOutcome) String() string {
	if int(o) < len(transferOutcomeNames) {
		return transferOutcomeNames[o]
	}
	return fmt.Sprintf("transfer outcome %d", uint8(o))
}

// Alert returns the code of the alert that tells the outcome.
func (o TransferOutcome) Alert() AlertCode {
	if o == TransferSuccess {
		return AlertFirmwareTransferSuccess
	}
	return AlertFirmwareTransferFail
}

// FirmwareTransferAlert tells the access control broker how the hub fared with
// an image for a device (message code 0x0128, CCS08). The hub signs it and adds
// no MAC. The one published example is about a PPMID; whether meters are
// reported so too is unknown. On the wire:
//
//	SEQUENCE { alertCode INTEGER, time GeneralizedTime, entityIdentifier
//	OCTET STRING (8), firmwareVersion OCTET STRING (4), outcome INTEGER }
type FirmwareTransferAlert struct {
	Code            AlertCode // AlertFirmwareTransferSuccess or AlertFirmwareTransferFail
	Time            zcl.UTCTime
	Device          han.EUI64
	FirmwareVersion uint32 // OTA file version of the image
	Outcome         TransferOutcome
}

// Append appends the payload.
func (c FirmwareTransferAlert) Append(b []byte) []byte {
	content := appendDERInteger(nil, uint64(c.Code))
	content = appendDERTime(content, c.Time)
	content = appendDEROctets(content, c.Device.AppendPrint(nil))
	content = appendDEROctets(content, binary.BigEndian.AppendUint32(nil, c.FirmwareVersion))
	content = appendDERInteger(content, uint64(c.Outcome))
	return appendDERSequence(b, content)
}

// ParseFirmwareTransferAlert reads the payload.
func ParseFirmwareTransferAlert(payload []byte) (FirmwareTransferAlert, error) {
	r := newReader("firmware transfer alert", payload)
	r.sequence("alert")
	c := FirmwareTransferAlert{
		Code: AlertCode(r.integer("alert code", math.MaxUint16)),
		Time: r.time("time"),
	}
	r.expect("entity identifier", derOctetString, han.EUI64Size)
	c.Device = han.EUI64(r.uint64())
	c.FirmwareVersion = r.firmwareVersion()
	c.Outcome = TransferOutcome(r.integer("outcome", uint64(TransferFailure)))
	r.oneOf(c.Code, AlertFirmwareTransferSuccess, AlertFirmwareTransferFail)
	if err := r.done(); err != nil {
		return FirmwareTransferAlert{}, err
	}
	return c, nil
}

// Fields implements [Payload].
func (c FirmwareTransferAlert) Fields() []Field {
	return []Field{
		field("alert code", c.Code), timeField("time", c.Time), field("entity identifier", c.Device),
		versionField(c.FirmwareVersion), field("outcome", c.Outcome),
	}
}
