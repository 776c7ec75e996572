package gbcs

// CodeTopUpGSME is the code of Apply Pre-payment Top Up to a GSME (CS01b).
const CodeTopUpGSME MessageCode = 0x0097

func init() {
	reads(CodeTopUpGSME, Command, ParseTopUpGSMECommand)
	reads(CodeTopUpGSME, Response, ParseTopUpGSMEResponse)
}

// UTRNSize is how many digits a top-up code has, see package utrn.
const UTRNSize = 20

// TopUpGSMECommand has a GSME credit a top-up (message code 0x0097, CS01b). It is MACed, not
// signed: what is paid is in the digits, with a MAC of their own. The originator counter of
// the message is the top-up's: its lower 32 bits are zero, and it is counted apart from that
// of other commands. On the wire it is a GBZ payload with one Consumer Top Up of the
// Prepayment cluster:
//
//	01 09 01                 profile, one component
//	01 0705 0019             last component, cluster, length
//	   01 00 04              ZCL header
//	   00                    originating device: the Energy Services Interface
//	   14 digits(20)         top-up code
type TopUpGSMECommand struct{ UTRN string } // of UTRNSize digits

var consumerTopUp = []byte{
	0x01, 0x09, 0x01,
	0x01, 0x07, 0x05, 0x00, 0x19,
	0x01, 0x00, 0x04,
	0x00,
	UTRNSize,
}

// Append appends the 33 bytes payload. A UTRN of another size is a programmer's error and
// panics.
func (c TopUpGSMECommand) Append(b []byte) []byte {
	if len(c.UTRN) != UTRNSize {
		panic("gbcs: append top-up: want a UTRN of 20 digits")
	}
	return append(append(b, consumerTopUp...), c.UTRN...)
}

// ParseTopUpGSMECommand reads the 33 bytes payload. Whether the code is one is for the meter
// to say.
func ParseTopUpGSMECommand(payload []byte) (TopUpGSMECommand, error) {
	r := newReader("top up GSME command", payload)
	r.expect("request", consumerTopUp...)
	c := TopUpGSMECommand{UTRN: string(r.take(UTRNSize))}
	if err := r.done(); err != nil {
		return TopUpGSMECommand{}, err
	}
	return c, nil
}

// Fields implements [Payload].
func (c TopUpGSMECommand) Fields() []Field { return []Field{field("top-up code", c.UTRN)} }
