package tree

import (
	"fmt"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
)

const (
	tagGeneralCiphering = 0xDD
	tagGeneralSigning   = 0xDF

	longForm  = 0x80 // bit of a length: the number of bytes that follow
	maxLength = 4    // bytes of a length behind the first

	counterSize = 8
)

// emptyElements are the elements of the MAC header that GBCS leaves empty.
var emptyElements = []string{
	"transaction-id", "originator-system-title", "recipient-system-title", "date-time", "other-information", "key-info",
}

// message takes a whole message.
func (r *reader) message() {
	if len(r.data) == 0 {
		r.stop(0, "nothing there, want a message")
		return
	}
	end, maced := len(r.data), r.data[0] == tagGeneralCiphering
	if maced {
		r.group("MAC header", func() { r.macHeader(end) })
		end -= gbcs.MACSize
	}
	r.group("grouping header", r.groupingHeader)
	size := r.length(PayloadLength)
	if r.stopped {
		return
	}
	if left := end - r.at; size > left {
		r.stop(len(r.data), fmt.Sprintf("payload of %d bytes, but %d are left", size, left))
		return
	}
	r.readPayload(r.at + size)
	r.signed = r.data[r.signedStart:r.at:r.at]
	r.preCommand = r.at == end && !maced && r.cra == gbcs.Command
	if !r.preCommand {
		r.group("signature", r.readSignature)
	}
	if maced && !r.stopped {
		r.maced = r.data[r.signedStart-1 : r.at : r.at]
		r.mac = r.bytes("MAC", gbcs.MACSize, octets)
	}
	if !r.stopped && r.at < len(r.data) {
		r.stop(len(r.data), fmt.Sprintf("%d bytes after the last field", len(r.data)-r.at))
	}
}

func (r *reader) macHeader(end int) {
	r.expect("general ciphering", tagGeneralCiphering)
	for _, name := range emptyElements {
		r.expect(name, 0)
	}
	if size := r.length("length of the ciphered service"); !r.stopped && size != end-r.at {
		r.stop(end, fmt.Sprintf("ciphered service of %d bytes, but %d are left", size, end-r.at))
	}
	r.expect("security control", 0x11)
	if start, n := r.at, number(r.bytes("invocation counter", 4, decimal)); n != 0 {
		r.invocation = uint32(n)
		r.problem(start, "invocation counter %d, want 0", n)
	}
}

func (r *reader) groupingHeader() {
	r.expect("general signing", tagGeneralSigning)
	r.signedStart = r.at
	r.expect("length of transaction-id", 1+counterSize)
	if b := r.bytes("CRA flag", 1, func(b []byte) string { return gbcs.CRA(b[0]).String() }); b != nil {
		r.cra = gbcs.CRA(b[0])
		if r.cra < gbcs.Command || r.cra > gbcs.Alert {
			r.problem(r.at-1, "CRA flag %d, want 1 to 3", b[0])
		}
	}
	if b := r.bytes("originator counter", counterSize, decimal); b != nil {
		r.counter = number(b)
	}
	r.expect("length of the originator", han.EUI64Size)
	if b := r.bytes("originator", han.EUI64Size, eui); b != nil {
		r.originator = han.EUI64(number(b))
	}
	r.expect("length of the recipient", han.EUI64Size)
	if b := r.bytes("recipient", han.EUI64Size, eui); b != nil {
		r.recipient = han.EUI64(number(b))
	}
	if size := r.length("length of the date-time"); size > 0 {
		if b := r.bytes("date-time", size, func(b []byte) string { return octetsOr(dateTime(b))(b) }); b != nil && size != dateTimeSize {
			r.problem(r.at-size, "date-time of %d bytes, want %d", size, dateTimeSize)
		}
	}
	r.otherInformation(r.length("length of other-information"))
}

// octetsOr returns a function that shows the text, or bytes in hex if there is none.
func octetsOr(text string, ok bool) func([]byte) string {
	if !ok {
		return octets
	}
	return func([]byte) string { return text }
}

// otherInformation takes the message code and what may follow it: the supplementary
// remote party's identifier, its counter, and then its originator counter or its key
// agreement certificate.
func (r *reader) otherInformation(size int) {
	const codeSize = 2
	if !r.stopped && size < codeSize {
		r.stop(len(r.data), fmt.Sprintf("other-information of %d bytes, want %d or more", size, codeSize))
	}
	end := r.at + size
	if b := r.bytes("message code", codeSize, messageCode); b != nil {
		r.code = gbcs.MessageCode(number(b))
		if _, known := gbcs.UseCaseOf(r.code); !known {
			r.problem(r.at-2, "%s is not in the table of use cases", r.code)
		}
	}
	if r.stopped || end > len(r.data) {
		r.stop(len(r.data), fmt.Sprintf("other-information of %d bytes, but %d are left", size, len(r.data)-r.at))
		return
	}
	if end-r.at >= han.EUI64Size {
		r.supplementary = han.EUI64(number(r.bytes("supplementary remote party identifier", han.EUI64Size, eui)))
	}
	if end-r.at >= counterSize {
		r.bytes("supplementary remote party counter", counterSize, decimal)
	}
	switch left := end - r.at; {
	case left == counterSize:
		r.supplementaryCounter = number(r.bytes("supplementary originator counter", counterSize, decimal))
	case left > counterSize:
		const name = "supplementary remote party key agreement certificate"
		r.der(name, certificate(name), end)
	case left != 0:
		// The rest of the message can be read nevertheless.
		r.problem(r.at, "%d bytes of other-information, want 2, 10, 18, 26 or a certificate", size)
		r.put(Field{Name: NotRead}, end)
	}
}

// readSignature takes a signature with its length.
func (r *reader) readSignature() {
	size := r.length("length of the signature")
	if size > 0 {
		r.signature = r.bytes("r, s", size, octets)
	}
	if !r.stopped && size != 0 && size != gbcs.SignatureSize {
		r.problem(r.at-size, "signature of %d bytes, want 0 or %d", size, gbcs.SignatureSize)
	}
}

// expect takes a byte that has only one legal value.
func (r *reader) expect(name string, want byte) {
	if r.stopped {
		return
	}
	if r.at < len(r.data) && r.data[r.at] != want {
		r.stop(len(r.data), fmt.Sprintf("%s %02X, want %02X", name, r.data[r.at], want))
		return
	}
	r.bytes(name, 1, nothing)
}

// length takes a length in any of its forms (X.690 §8.1.3).
func (r *reader) length(name string) int {
	if r.stopped {
		return 0
	}
	size := 1
	if r.at < len(r.data) && r.data[r.at]&longForm != 0 {
		size += int(r.data[r.at] &^ longForm)
		if size == 1 || size > 1+maxLength {
			r.stop(len(r.data), fmt.Sprintf("%s starts with %02X, want at most %02X", name, r.data[r.at], longForm+maxLength))
			return 0
		}
	}
	value := func(b []byte) uint64 {
		if len(b) > 1 {
			b = b[1:]
		}
		return number(b)
	}
	b := r.bytes(name, size, func(b []byte) string { return fmt.Sprint(value(b)) })
	if b == nil {
		return 0
	}
	n := value(b)
	if left := len(r.data) - r.at; n > uint64(left) {
		r.stop(len(r.data), fmt.Sprintf("%s is %d, but %d bytes are left", name, n, left))
		return 0
	}
	return int(n)
}
