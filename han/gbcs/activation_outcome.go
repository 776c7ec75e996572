package gbcs

import (
	"encoding/binary"
	"fmt"
)

// ActivationCode says how an activation ended (GBCS 11.5, CS06).
type ActivationCode uint8

// The activation codes.
const (
	ActivationSuccess     ActivationCode = iota
	ActivationNoImageHeld                // the device stores no image
	ActivationHashMismatch
	ActivationFailure // the image did not start
)

var activationCodeNames = [...]string{"success", "no image held", "hash mismatch", "activation failure"}

// String returns the code in words.
func (c ActivationCode) String() string {
	if int(c) < len(activationCodeNames) {
		return activationCodeNames[c]
	}
	return fmt.Sprintf("activation code %d", uint8(c))
}

// ActivationOutcome is the result of an activation.
type ActivationOutcome struct {
	Code ActivationCode
	// FirmwareVersion is the OTA file version of the firmware that runs now,
	// whatever the outcome.
	FirmwareVersion uint32
}

// firmwareVersionSize is the size of a firmware version in bytes, everywhere.
const firmwareVersionSize = 4

// append appends SEQUENCE { code INTEGER, firmwareVersion OCTET STRING (4) }.
func (o ActivationOutcome) append(b []byte) []byte {
	content := appendDERInteger(nil, uint64(o.Code))
	content = appendDEROctets(content, binary.BigEndian.AppendUint32(nil, o.FirmwareVersion))
	return appendDERSequence(b, content)
}

func (o ActivationOutcome) fields() []Field {
	return []Field{field("activation code", o.Code), versionField(o.FirmwareVersion)}
}

// activationOutcome takes an outcome that ends the payload.
func (r *reader) activationOutcome() ActivationOutcome {
	r.sequence("execution outcome")
	return ActivationOutcome{
		Code:            ActivationCode(r.integer("activation code", uint64(ActivationFailure))),
		FirmwareVersion: r.firmwareVersion(),
	}
}

// firmwareVersion takes an octet string with a firmware version.
func (r *reader) firmwareVersion() uint32 {
	r.expect("firmware version", derOctetString, firmwareVersionSize)
	return r.uint32()
}
