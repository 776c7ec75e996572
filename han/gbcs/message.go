package gbcs

import (
	"encoding/binary"
	"fmt"

	"github.com/commshub/commshub/han"
)

const (
	tagGeneralCiphering = 0xDD // starts the MAC header
	tagGeneralSigning   = 0xDF // starts the grouping header

	counterFieldSize = 9 // CRA flag and originator counter
	messageCodeSize  = 2
)

// Behind the tag, the MAC header has six empty elements, and in front of the
// grouping header a security header: authenticated only, invocation counter 0.
var (
	macHeaderStart = []byte{tagGeneralCiphering, 0, 0, 0, 0, 0, 0}
	securityHeader = []byte{0x11, 0, 0, 0, 0}
)

// Message is a GBCS message: the grouping header, the use case's payload, and
// the signature and MAC as far as the message has them.
//
// Commands that change something are signed by the supplier and MACed by the
// access control broker, other commands are only MACed; responses and alerts
// are signed or MACed by the device.
type Message struct {
	CRA CRA
	// OriginatorCounter defeats replay: a device refuses a command whose counter
	// does not exceed the last one. Responses echo the command's.
	OriginatorCounter     uint64
	Originator, Recipient han.EUI64
	HasDateTime           bool
	DateTime              DateTime // only with HasDateTime; see Form.DateTime of the table of use cases
	Code                  MessageCode
	// OtherInfo is what follows the message code in the other-information
	// field: nothing, the supplementary remote party's identifier (8 bytes) and
	// counter (8), and its originator counter (8) or key agreement certificate.
	OtherInfo []byte
	Payload   []byte // see the payload types for Code

	// PreCommand tells a command as a supplier's adapter takes it for signing:
	// it ends behind the payload and has not even a signature length.
	PreCommand bool
	Signature  []byte // empty or SignatureSize bytes
	HasMAC     bool
	MAC        [MACSize]byte // only with HasMAC
}

// Append appends the message. A signature of another size, or a pre-command
// that is no bare command, is a programmer's error and panics.
func (m Message) Append(b []byte) []byte {
	if n := len(m.Signature); n != 0 && n != SignatureSize {
		panic(fmt.Sprintf("gbcs: append message: signature of %d bytes, want 0 or %d", n, SignatureSize))
	}
	if m.PreCommand && (m.CRA != Command || len(m.Signature) > 0 || m.HasMAC) {
		panic("gbcs: append message: a pre-command is a command without signature and MAC")
	}
	if !m.HasMAC {
		return m.AppendMACed(b)
	}
	return AppendWithMAC(b, m.AppendMACed(nil), m.MAC)
}

// AppendWithMAC appends the message whose MAC covers what is given: the MAC header, that,
// and the MAC.
func AppendWithMAC(b, covered []byte, mac [MACSize]byte) []byte {
	b = append(b, macHeaderStart...)
	b = appendLength(b, len(securityHeader)+len(covered)+MACSize)
	b = append(b, securityHeader...)
	return append(append(b, covered...), mac[:]...)
}

// AppendMACed appends what a MAC covers of the message: grouping header, payload, and
// signature with its length.
func (m Message) AppendMACed(b []byte) []byte {
	b = m.AppendSigned(append(b, tagGeneralSigning))
	if m.PreCommand {
		return b
	}
	return append(append(b, byte(len(m.Signature))), m.Signature...)
}

// AppendSigned appends what the originator signs of the message: the grouping header
// without its tag, and the payload.
func (m Message) AppendSigned(b []byte) []byte {
	b = append(b, counterFieldSize, byte(m.CRA))
	b = binary.BigEndian.AppendUint64(b, m.OriginatorCounter)
	b = m.Originator.AppendPrint(append(b, han.EUI64Size))
	b = m.Recipient.AppendPrint(append(b, han.EUI64Size))
	if m.HasDateTime {
		b = append(append(b, byte(len(m.DateTime))), m.DateTime[:]...)
	} else {
		b = append(b, 0)
	}
	b = appendLength(b, messageCodeSize+len(m.OtherInfo))
	b = binary.BigEndian.AppendUint16(b, uint16(m.Code))
	b = append(b, m.OtherInfo...)
	return append(appendLength(b, len(m.Payload)), m.Payload...)
}

// ParseMessage reads a whole message of at most MaxMessage bytes. It does not
// look into the payload. The message's slices alias data.
func ParseMessage(data []byte) (Message, error) {
	const what = "GBCS message"
	if len(data) > MaxMessage {
		return Message{}, fmt.Errorf("parse %s: %d bytes, want at most %d", what, len(data), MaxMessage)
	}
	r := newReader(what, data)
	var m Message
	if r.peek() == tagGeneralCiphering {
		m.HasMAC = true
		r.expect("MAC header", macHeaderStart...)
		if n := r.length("MAC header"); r.err == nil && n != r.remaining() {
			r.failf("MAC header announces %d bytes, but %d follow", n, r.remaining())
		}
		r.expect("security header", securityHeader...)
	}
	m.readGroupingHeader(&r)
	m.Payload = r.take(r.length("payload"))
	m.readSignature(&r)
	if m.HasMAC {
		copy(m.MAC[:], r.take(MACSize))
	}
	if err := r.done(); err != nil {
		return Message{}, err
	}
	return m, nil
}

func (m *Message) readGroupingHeader(r *reader) {
	r.expect("grouping header", tagGeneralSigning, counterFieldSize)
	m.CRA = CRA(r.uint8())
	if r.err == nil && (m.CRA < Command || m.CRA > Alert) {
		r.failf("CRA flag %d, want 1 to 3", m.CRA)
	}
	m.OriginatorCounter = r.uint64()
	r.expect("length of the originator", han.EUI64Size)
	m.Originator = han.EUI64(r.uint64())
	r.expect("length of the recipient", han.EUI64Size)
	m.Recipient = han.EUI64(r.uint64())
	switch n := r.uint8(); int(n) {
	case 0:
	case len(m.DateTime):
		m.HasDateTime = true
		copy(m.DateTime[:], r.take(len(m.DateTime)))
	default:
		r.failf("length of the date-time %d, want 0 or %d", n, len(m.DateTime))
	}
	n := r.length("other information")
	if r.err == nil && n < messageCodeSize {
		r.failf("length of other information %d, want at least %d", n, messageCodeSize)
	}
	m.Code = MessageCode(r.uint16())
	if r.err == nil {
		m.OtherInfo = r.take(n - messageCodeSize)
	}
}

// readSignature takes the signature. A command without a MAC may end in front
// of it; then it is a pre-command.
func (m *Message) readSignature(r *reader) {
	if r.err == nil && r.remaining() == 0 && m.CRA == Command && !m.HasMAC {
		m.PreCommand = true
		return
	}
	switch n := r.uint8(); n {
	case 0:
	case SignatureSize:
		m.Signature = r.take(SignatureSize)
	default:
		r.failf("signature of %d bytes, want 0 or %d", n, SignatureSize)
	}
}
