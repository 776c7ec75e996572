package dtls

import "encoding/binary"

// Records and handshake messages (RFC 6347 §4.1, §4.2.2). A datagram holds one
// or more records:
//
//	type 1 | version 2 | epoch 2 | sequence 6 | length 2 | body
//
// and a ClientHello starts, in epoch 0, with
//
//	message type 1 | length 3 | message_seq 2 | offset 3 | fragment length 3 | version 2 | random 32 …
const (
	recordHeader    = 13
	handshakeHeader = 12
	randomOffset    = handshakeHeader + 2
	randomSize      = 32

	typeChangeCipherSpec = 20
	typeAlert            = 21
	typeHandshake        = 22
	typeApplicationData  = 23

	messageClientHello = 1

	alertFatal        = 2
	alertBadRecordMAC = 20
	alertAccessDenied = 49
)

// kind is what a datagram means to somebody who has no keys.
type kind uint8

const (
	// malformed datagrams, and plaintext ones that no side sends in their form,
	// never reach pion: it answers some of them with a fatal alert under the
	// keys of an established association, which would let anybody end it.
	malformed kind = iota
	// hello begins a handshake: the first fragment of a plaintext ClientHello.
	hello
	// flight is any other plaintext handshake datagram.
	flight
	// alert is a single plaintext alert.
	alert
	// protected datagrams start with an encrypted record.
	protected
)

// random is the client's random value, which tells one handshake from another.
type random [randomSize]byte

// classify looks at the record headers of a datagram. The random value is only
// meaningful for a hello.
func classify(datagram []byte) (kind, random) {
	first, ok := classifyRecord(datagram)
	if !ok {
		return malformed, random{}
	}
	for rest := datagram[recordLength(datagram):]; len(rest) > 0; rest = rest[recordLength(rest):] {
		next, ok := classifyRecord(rest)
		if !ok || next == alert || first == alert || (first == protected && next != protected) {
			return malformed, random{}
		}
	}
	if first != hello {
		return first, random{}
	}
	return hello, random(datagram[recordHeader+randomOffset:])
}

// recordLength returns the length of the first record, which classifyRecord has
// found complete.
func recordLength(b []byte) int {
	return recordHeader + int(binary.BigEndian.Uint16(b[recordHeader-2:]))
}

// classifyRecord looks at the first record of b.
func classifyRecord(b []byte) (kind, bool) {
	if len(b) <= recordHeader || b[1] != 0xFE || (b[2] != 0xFD && b[2] != 0xFF) || recordLength(b) == recordHeader || recordLength(b) > len(b) {
		return malformed, false
	}
	body := b[recordHeader:recordLength(b)]
	if epoch := binary.BigEndian.Uint16(b[3:]); epoch > 0 {
		return protected, b[0] >= typeChangeCipherSpec && b[0] <= typeApplicationData
	}
	switch b[0] {
	case typeChangeCipherSpec:
		return flight, len(body) == 1 && body[0] == 1
	case typeAlert:
		return alert, len(body) == 2
	case typeHandshake:
		if len(body) >= randomOffset+randomSize && body[0] == messageClientHello && body[6]|body[7]|body[8] == 0 {
			return hello, true
		}
		return flight, len(body) >= handshakeHeader
	default: // application data in plaintext
		return malformed, false
	}
}

// plaintextAlert returns a fatal alert outside any association.
func plaintextAlert(description byte) []byte {
	return []byte{typeAlert, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, alertFatal, description}
}
