// Package block is General Block Transfer: how a GBCS message of more than [MaxWhole] bytes
// passes a tunnel. Such a message goes in blocks, each behind a header of its own that
// names the message:
//
//	routing header   DD 09 CRA counter(8)
//	                 08 originator(8) 08 recipient(8)
//	                 00 02 message-code(2) 00
//	                 length 00 00000000               of what follows, itself included
//	block            E0 control(1) number(2) acknowledged(2)
//	                 length data
//
// A [Sender] cuts, a [Receiver] puts together:
//
//	Sender                                 Receiver
//	  block 1 ────────────────────────────►  keeps it
//	  ◄───────────────────────── Confirmed
//	  block 1 again, if that was lost ─────►  has it: confirmed, kept once
//	  block 2, the last ──────────────────►  the whole message
//	  ◄──────────── Confirmed, or Refused: from block 1 again
//
// One block is under way at a time. What confirms or refuses it is the tunnel's answer, a
// Default Response; a block without data, which acknowledges others, is taken and changes
// nothing. The sender keeps the message until its last block is confirmed, and the
// receiver keeps blocks in memory alone: whichever of them starts anew, the message is sent
// from its first block again. A block that is not answered is cut anew, with half of its
// data. Integers are big-endian.
//
// The layout is that of stock Wireshark's dissector. Divergence: the rules of GBCS for
// windows, streaming and retries are not public; these are ours.
package block

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
)

// Sizes in bytes.
const (
	MaxWhole = 1200 // the longest message that goes as it is
	MaxData  = 1200 // of a message in one block
)

const (
	tagRouting  = 0xDD
	tagBlock    = 0xE0
	counterSize = 9
	codeSize    = 2

	controlLast      = 0x80
	controlStreaming = 0x40

	securitySize = 5 // in front of a block: control byte and invocation counter, all 0
	blockSize    = 6 // of a block's header, without the length of its data
)

// Header names the message that a block is of.
type Header struct {
	CRA                   gbcs.CRA
	OriginatorCounter     uint64
	Originator, Recipient han.EUI64
	Code                  gbcs.MessageCode
}

// HeaderOf returns the header of a message's blocks, or why the message is none.
func HeaderOf(message []byte) (Header, error) {
	m, err := gbcs.ParseMessage(message)
	return Header{m.CRA, m.OriginatorCounter, m.Originator, m.Recipient, m.Code}, err
}

// Block is one block.
type Block struct {
	Header
	Last         bool
	Streaming    bool
	Window       uint8  // 0 to 63
	Number       uint16 // from 1
	Acknowledged uint16 // number of a block that came the other way
	Data         []byte // at most MaxData bytes; none in a block that only acknowledges
}

// Append appends the block.
func (k Block) Append(b []byte) []byte {
	b = append(b, tagRouting, counterSize, byte(k.CRA))
	b = binary.BigEndian.AppendUint64(b, k.OriginatorCounter)
	b = k.Originator.AppendPrint(append(b, han.EUI64Size))
	b = k.Recipient.AppendPrint(append(b, han.EUI64Size))
	b = binary.BigEndian.AppendUint16(append(b, 0, codeSize), uint16(k.Code))
	data := appendLength(nil, len(k.Data))
	b = appendLength(append(b, 0), securitySize+blockSize+len(data)+len(k.Data))
	b = append(b, make([]byte, securitySize)...)
	control := k.Window
	if k.Last {
		control |= controlLast
	}
	if k.Streaming {
		control |= controlStreaming
	}
	b = binary.BigEndian.AppendUint16(append(b, tagBlock, control), k.Number)
	b = binary.BigEndian.AppendUint16(b, k.Acknowledged)
	return append(append(b, data...), k.Data...)
}

// Is reports whether data begins as a block does, and not as a message.
func Is(data []byte) bool {
	return len(data) >= 2 && data[0] == tagRouting && data[1] == counterSize
}

// Parse reads a block. It is strict: lengths are minimal and add up, and what GBCS leaves
// empty is. Data aliases the input, and is nil if there is none.
func Parse(data []byte) (Block, error) {
	r := reader{rest: data}
	var k Block
	r.expect(tagRouting, counterSize)
	k.CRA = gbcs.CRA(r.take(1)[0])
	k.OriginatorCounter = binary.BigEndian.Uint64(r.take(8))
	r.expect(han.EUI64Size)
	k.Originator = han.EUI64(binary.BigEndian.Uint64(r.take(han.EUI64Size)))
	r.expect(han.EUI64Size)
	k.Recipient = han.EUI64(binary.BigEndian.Uint64(r.take(han.EUI64Size)))
	r.expect(0, codeSize)
	k.Code = gbcs.MessageCode(binary.BigEndian.Uint16(r.take(codeSize)))
	r.expect(0)
	if n := r.length(); r.err == nil && n != len(r.rest) {
		r.fail("%d bytes follow the routing header, which says %d", len(r.rest), n)
	}
	r.expect(make([]byte, securitySize)...)
	r.expect(tagBlock)
	control := r.take(1)[0]
	k.Last, k.Streaming, k.Window = control&controlLast != 0, control&controlStreaming != 0, control&^(controlLast|controlStreaming)
	k.Number = binary.BigEndian.Uint16(r.take(2))
	k.Acknowledged = binary.BigEndian.Uint16(r.take(2))
	if n := r.length(); r.err == nil && (n != len(r.rest) || n > MaxData) {
		r.fail("%d bytes of data, of which the header says %d; want at most %d", len(r.rest), n, MaxData)
	}
	switch {
	case r.err != nil:
	case k.CRA < gbcs.Command || k.CRA > gbcs.Alert:
		r.fail("CRA flag %02X, want 01 to 03", byte(k.CRA))
	case k.Number == 0:
		r.fail("its number is 0, want one from 1")
	case len(r.rest) > 0:
		k.Data = r.rest
	}
	if r.err != nil {
		return Block{}, fmt.Errorf("parse GBCS block: %w", r.err)
	}
	return k, nil
}

// reader takes what it is asked for as long as there was no error.
type reader struct {
	rest []byte
	err  error
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
}

// take returns the next n bytes; zeros after an error.
func (r *reader) take(n int) []byte {
	if len(r.rest) < n && r.err == nil {
		r.err = errors.New("it is cut short")
	}
	if r.err != nil {
		return make([]byte, n)
	}
	taken := r.rest[:n:n]
	r.rest = r.rest[n:]
	return taken
}

func (r *reader) expect(want ...byte) {
	if got := r.take(len(want)); r.err == nil && !bytes.Equal(got, want) {
		r.fail("% X where it wants % X", got, want)
	}
}

// length reads a BER length, which must be as short as it can be.
func (r *reader) length() int {
	first := r.take(1)[0]
	n := int(first)
	switch {
	case first < 0x80:
		return n
	case first == 0x81:
		n = int(r.take(1)[0])
	case first == 0x82:
		n = int(binary.BigEndian.Uint16(r.take(2)))
	default:
		r.fail("a length that begins with %02X", first)
	}
	if r.err == nil && (n < 0x80 || first == 0x82 && n <= 0xFF) {
		r.fail("length %d in more bytes than it takes", n)
	}
	return n
}

func appendLength(b []byte, n int) []byte {
	switch {
	case n < 0x80:
		return append(b, byte(n))
	case n <= 0xFF:
		return append(b, 0x81, byte(n))
	default:
		return binary.BigEndian.AppendUint16(append(b, 0x82), uint16(n))
	}
}
