package gbcs

import (
	"math"

	"github.com/commshub/commshub/han/zcl"
)

// CodeActivateFirmwareAlert is the code of the alert with the outcome of a dated
// activation.
const CodeActivateFirmwareAlert MessageCode = 0x00CA

func init() {
	reads(CodeActivateFirmwareAlert, Alert, ParseActivateFirmwareAlert)
}

// ActivateFirmwareAlert tells how a dated activation ended (message code
// 0x00CA, CS06). The device signs it and adds no MAC. On the wire:
//
//	SEQUENCE { alertCode INTEGER, executionDateTime GeneralizedTime,
//	originatorCounter INTEGER, executionOutcome }
type ActivateFirmwareAlert struct {
	Code              AlertCode   // AlertFutureDatedCommandActioned or …NotActioned
	ExecutionTime     zcl.UTCTime // as dated in the command
	OriginatorCounter uint64      // of the command
	Outcome           ActivationOutcome
}

// Append appends the payload.
func (c ActivateFirmwareAlert) Append(b []byte) []byte {
	content := appendDERInteger(nil, uint64(c.Code))
	content = appendDERTime(content, c.ExecutionTime)
	content = appendDERInteger(content, c.OriginatorCounter)
	return appendDERSequence(b, c.Outcome.append(content))
}

// ParseActivateFirmwareAlert reads the payload.
func ParseActivateFirmwareAlert(payload []byte) (ActivateFirmwareAlert, error) {
	r := newReader("activate firmware alert", payload)
	r.sequence("alert")
	c := ActivateFirmwareAlert{
		Code:              AlertCode(r.integer("alert code", math.MaxUint16)),
		ExecutionTime:     r.time("execution date-time"),
		OriginatorCounter: r.integer("originator counter", math.MaxUint64),
		Outcome:           r.activationOutcome(),
	}
	r.oneOf(c.Code, AlertFutureDatedCommandActioned, AlertFutureDatedCommandNotActioned)
	if err := r.done(); err != nil {
		return ActivateFirmwareAlert{}, err
	}
	return c, nil
}

// Fields implements [Payload].
func (c ActivateFirmwareAlert) Fields() []Field {
	return append([]Field{
		field("alert code", c.Code), timeField("execution date-time", c.ExecutionTime),
		field("originator counter", c.OriginatorCounter),
	}, c.Outcome.fields()...)
}
