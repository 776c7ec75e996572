package capture

import (
	"encoding/binary"
	"fmt"
	"time"
)

// Types of blocks, codes of options and other values of pcapng.
const (
	blockSection    uint32 = 0x0A0D0D0A
	blockInterface  uint32 = 1
	blockStatistics uint32 = 5
	blockPacket     uint32 = 6

	byteOrder uint32 = 0x1A2B3C4D
	linkType  uint16 = 195 // LINKTYPE_IEEE802_15_4_WITHFCS

	optionEnd         uint16 = 0
	optionComment     uint16 = 1
	optionSoftware    uint16 = 4 // of a section
	optionName        uint16 = 2 // of an interface
	optionDescription uint16 = 3
	optionResolution  uint16 = 9
	optionFlags       uint16 = 2 // of a packet
	optionDropCount   uint16 = 4 // frames that are missing before it
	optionStart       uint16 = 2 // of statistics
	optionStop        uint16 = 3
	optionReceived    uint16 = 4
	optionDropped     uint16 = 5

	// Directions, as the hub sees them.
	flagsInbound  = 1
	flagsOutbound = 2
)

// Statistics are what a capture ends with.
type Statistics struct {
	First, Last time.Time // of the frames in it
	Packets     uint64    // radio frames in it
	Dropped     uint64    // frames of the HAN that are not
}

// String returns a line for a person.
func (s Statistics) String() string {
	text := "no radio frame"
	if s.Packets > 0 {
		const layout = "2006-01-02 15:04:05Z"
		text = fmt.Sprintf("%d radio frames from %s to %s", s.Packets, s.First.UTC().Format(layout), s.Last.UTC().Format(layout))
	}
	if s.Dropped > 0 {
		text += fmt.Sprintf("; %d frames of the HAN are missing, because they came faster than they were taken", s.Dropped)
	}
	return text
}

// Append appends the block of an interface's statistics.
func (s Statistics) Append(b []byte) []byte {
	b, at := beginBlock(b, blockStatistics)
	b = binary.LittleEndian.AppendUint32(b, 0) // the interface
	b = appendTime(b, s.Last)
	if s.Packets > 0 {
		b = appendOptionHeader(b, optionStart, 8)
		b = appendTime(b, s.First)
		b = appendOptionHeader(b, optionStop, 8)
		b = appendTime(b, s.Last)
	}
	b = appendOptionHeader(b, optionReceived, 8)
	b = binary.LittleEndian.AppendUint64(b, s.Packets)
	b = appendOptionHeader(b, optionDropped, 8)
	b = binary.LittleEndian.AppendUint64(b, s.Dropped)
	return endBlock(b, at)
}

// beginBlock appends the head of a block, whose length endBlock fills in.
func beginBlock(b []byte, kind uint32) (out []byte, at int) {
	at = len(b)
	b = binary.LittleEndian.AppendUint32(b, kind)
	return binary.LittleEndian.AppendUint32(b, 0), at
}

// endBlock ends the options and the block that began at an offset.
func endBlock(b []byte, at int) []byte {
	b = appendOptionHeader(b, optionEnd, 0)
	length := uint32(len(b) - at + 4)
	binary.LittleEndian.PutUint32(b[at+4:], length)
	return binary.LittleEndian.AppendUint32(b, length)
}

func appendOptionHeader(b []byte, code, length uint16) []byte {
	b = binary.LittleEndian.AppendUint16(b, code)
	return binary.LittleEndian.AppendUint16(b, length)
}

func appendOption(b []byte, code uint16, text string) []byte {
	b = appendOptionHeader(b, code, uint16(len(text)))
	return appendPadded(b, text)
}

// appendPadded appends bytes and fills up to a multiple of four of them.
func appendPadded[B []byte | string](b []byte, text B) []byte {
	b = append(b, text...)
	return append(b, "\x00\x00\x00"[:-len(text)&3]...)
}

// appendTime appends an instant in nanoseconds, its upper half first; 0 for none.
func appendTime(b []byte, t time.Time) []byte {
	var ns uint64
	if !t.IsZero() {
		ns = uint64(t.UnixNano())
	}
	b = binary.LittleEndian.AppendUint32(b, uint32(ns>>32))
	return binary.LittleEndian.AppendUint32(b, uint32(ns))
}
