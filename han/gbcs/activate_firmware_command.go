package gbcs

import (
	"math"

	"github.com/commshub/commshub/han/zcl"
)

// CodeActivateFirmware is the code of Activate Firmware (CS06).
const CodeActivateFirmware MessageCode = 0x0012

func init() {
	reads(CodeActivateFirmware, Command, ParseActivateFirmwareCommand)
	reads(CodeActivateFirmware, Response, ParseActivateFirmwareResponse)
}

// Execution says when a device carries an [ActivateFirmwareCommand] out.
type Execution uint8

// The executions.
const (
	ExecuteNow    Execution = iota // no execution date-time on the wire
	ExecuteAt                      // at ExecutionTime
	ExecuteCancel                  // never: drops the dated activation the device holds
)

var executionNames = [...]string{"now", "dated", "cancel"}

// String returns the execution in a word.
func (e Execution) String() string { return executionNames[e] }

// cancellationTime is the execution date-time of a cancellation. DUIS writes it
// as 3000-12-31T00:00:00Z.
const cancellationTime = "99991231235959Z"

// ActivateFirmwareCommand tells a device to switch to the image it holds
// (message code 0x0012, CS06, GBCS 11.5). It is critical: signed by the supplier
// and MACed by the access control broker. On the wire:
//
//	SEQUENCE { manufacturerImageHash OCTET STRING (32), originatorCounter
//	INTEGER, executionDateTime GeneralizedTime OPTIONAL }
type ActivateFirmwareCommand struct {
	ImageHash         [HashSize]byte // of the Manufacturer Image alone
	OriginatorCounter uint64         // the same as in the grouping header
	Execution         Execution
	ExecutionTime     zcl.UTCTime // only with ExecuteAt
}

// Append appends the payload.
func (c ActivateFirmwareCommand) Append(b []byte) []byte {
	content := appendDEROctets(nil, c.ImageHash[:])
	content = appendDERInteger(content, c.OriginatorCounter)
	switch c.Execution {
	case ExecuteNow:
	case ExecuteAt:
		content = appendDERTime(content, c.ExecutionTime)
	case ExecuteCancel:
		content = appendDERTimeText(content, cancellationTime)
	}
	return appendDERSequence(b, content)
}

// ParseActivateFirmwareCommand reads the payload.
func ParseActivateFirmwareCommand(payload []byte) (ActivateFirmwareCommand, error) {
	r := newReader("activate firmware command", payload)
	r.sequence("command")
	var c ActivateFirmwareCommand
	copy(c.ImageHash[:], r.octets("manufacturer image hash", HashSize))
	c.OriginatorCounter = r.integer("originator counter", math.MaxUint64)
	if r.err == nil && r.remaining() > 0 {
		const field = "execution date-time"
		if text := r.timeText(field); text == cancellationTime {
			c.Execution = ExecuteCancel
		} else {
			c.Execution, c.ExecutionTime = ExecuteAt, r.parseTime(field, text)
		}
	}
	if err := r.done(); err != nil {
		return ActivateFirmwareCommand{}, err
	}
	return c, nil
}

// Fields implements [Payload].
func (c ActivateFirmwareCommand) Fields() []Field {
	fields := []Field{
		bytesField("manufacturer image hash", c.ImageHash[:]), field("originator counter", c.OriginatorCounter),
		field("execution", c.Execution),
	}
	if c.Execution == ExecuteAt {
		fields = append(fields, timeField("execution date-time", c.ExecutionTime))
	}
	return fields
}
