package gbcs

import (
	"encoding/binary"
	"fmt"
)

// TopUpResult is what became of a top-up, in a response (ZCL "Result Type").
type TopUpResult uint8

// The results; some of those that say "accepted" say also what it did to the supply.
const (
	TopUpAccepted         TopUpResult = 0x00
	TopUpInvalid          TopUpResult = 0x01
	TopUpDuplicate        TopUpResult = 0x02
	TopUpError            TopUpResult = 0x03
	TopUpMaxCreditReached TopUpResult = 0x04
	TopUpKeypadLocked     TopUpResult = 0x05
	TopUpValueTooLarge    TopUpResult = 0x06
	TopUpAcceptedEnabled  TopUpResult = 0x10
	TopUpAcceptedDisabled TopUpResult = 0x11
	TopUpAcceptedArmed    TopUpResult = 0x12
)

var topUpResultNames = map[TopUpResult]string{
	TopUpAccepted: "accepted", TopUpInvalid: "invalid", TopUpDuplicate: "duplicate", TopUpError: "error",
	TopUpMaxCreditReached: "the balance would be too high", TopUpKeypadLocked: "keypad locked", TopUpValueTooLarge: "too much at once",
	TopUpAcceptedEnabled: "accepted, supply enabled", TopUpAcceptedDisabled: "accepted, supply disabled", TopUpAcceptedArmed: "accepted, supply armed",
}

// String returns what the result says.
func (r TopUpResult) String() string {
	if name, ok := topUpResultNames[r]; ok {
		return name
	}
	return fmt.Sprintf("result %02X", uint8(r))
}

// Accepted reports whether the top-up was credited.
func (r TopUpResult) Accepted() bool {
	return r == TopUpAccepted || r >= TopUpAcceptedEnabled && r <= TopUpAcceptedArmed
}

// TopUpGSMEResponse answers a [TopUpGSMECommand] (message code 0x0097, CS01b). It is MACed and
// dated, not signed. On the wire it is a GBZ payload with one Consumer Top Up Response of the
// Prepayment cluster:
//
//	01 09 01                 profile, one component
//	01 0705 000D             last component, cluster, length
//	   09 00 03              ZCL header
//	   result(1)
//	   value(4) 00 credit(4) little-endian; source: the Energy Services Interface
type TopUpGSMEResponse struct {
	Result TopUpResult
	// Value is what was paid in, Balance what is there now, in thousandths of a penny; both are
	// NoAmount if nothing was credited.
	Value, Balance int32
}

// NoAmount stands for an amount that is not told.
const NoAmount int32 = -1

var consumerTopUpResponse = []byte{
	0x01, 0x09, 0x01,
	0x01, 0x07, 0x05, 0x00, 0x0D,
	0x09, 0x00, 0x03,
}

// Append appends the 21 bytes payload.
func (c TopUpGSMEResponse) Append(b []byte) []byte {
	b = append(append(b, consumerTopUpResponse...), byte(c.Result))
	b = binary.LittleEndian.AppendUint32(b, uint32(c.Value))
	return binary.LittleEndian.AppendUint32(append(b, 0), uint32(c.Balance))
}

// ParseTopUpGSMEResponse reads the 21 bytes payload.
func ParseTopUpGSMEResponse(payload []byte) (TopUpGSMEResponse, error) {
	r := newReader("top up GSME response", payload)
	r.expect("response", consumerTopUpResponse...)
	c := TopUpGSMEResponse{Result: TopUpResult(r.uint8())}
	c.Value = r.amount()
	r.expect("source of the top-up", 0)
	c.Balance = r.amount()
	if err := r.done(); err != nil {
		return TopUpGSMEResponse{}, err
	}
	return c, nil
}

func (r *reader) amount() int32 {
	if b := r.take(4); b != nil {
		return int32(binary.LittleEndian.Uint32(b))
	}
	return 0
}

// Fields implements [Payload].
func (c TopUpGSMEResponse) Fields() []Field {
	return []Field{field("result", c.Result), amountField("value", c.Value), amountField("balance", c.Balance)}
}

// amountField returns a field with an amount in thousandths of a penny.
func amountField(name string, millipence int32) Field {
	if millipence == NoAmount {
		return Field{name, millipence, "not told"}
	}
	return Field{name, millipence, fmt.Sprintf("%d millipence", millipence)}
}
