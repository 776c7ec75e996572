package capture

import (
	"encoding/binary"
	"fmt"
	"io"
	"time"
)

// maxBlock is the longest block of a capture, in bytes.
const maxBlock = 64 << 10

// Reader cuts the stream of one [Encoder] into its blocks, as they come, and keeps
// their statistics.
type Reader struct {
	in     io.Reader
	block  []byte
	offset int64
	stats  Statistics
}

// NewReader returns a reader of a stream.
func NewReader(in io.Reader) *Reader { return &Reader{in: in} }

// Statistics returns those of the blocks read.
func (r *Reader) Statistics() Statistics { return r.stats }

// Next returns the next whole block, which is valid until the next call. It returns
// io.EOF where the stream ends behind a block, io.ErrUnexpectedEOF within one, and an
// error of one line with the offset if it is no block.
func (r *Reader) Next() ([]byte, error) {
	r.block = append(r.block[:0], make([]byte, 8)...)
	if _, err := io.ReadFull(r.in, r.block); err != nil {
		return nil, err
	}
	kind, length := binary.LittleEndian.Uint32(r.block), binary.LittleEndian.Uint32(r.block[4:])
	if length < 12 || length > maxBlock || length%4 != 0 {
		return nil, fmt.Errorf("parse capture: offset %d: a block of %d bytes: want 12 to %d in steps of 4", r.offset, length, maxBlock)
	}
	if r.offset == 0 && kind != blockSection {
		return nil, fmt.Errorf("parse capture: offset 0: a block of type %08X: want %08X, the header of a pcapng section", kind, blockSection)
	}
	r.block = append(r.block, make([]byte, length-8)...)
	if _, err := io.ReadFull(r.in, r.block[8:]); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	if again := binary.LittleEndian.Uint32(r.block[length-4:]); again != length {
		return nil, fmt.Errorf("parse capture: offset %d: a block of %d bytes ends as one of %d", r.offset, length, again)
	}
	body := r.block[8 : length-4]
	var err error
	switch kind {
	case blockPacket:
		err = r.countPacket(body)
	case blockStatistics:
		err = r.countDropped(body)
	}
	if err != nil {
		return nil, fmt.Errorf("parse capture: offset %d: %w", r.offset, err)
	}
	r.offset += int64(length)
	return r.block, nil
}

// IsStatistics reports whether a whole block is one of statistics.
func IsStatistics(block []byte) bool { return binary.LittleEndian.Uint32(block) == blockStatistics }

const (
	packetHeader     = 20 // bytes of a packet's block that are before the packet
	statisticsHeader = 12 // and of one of statistics before its options
)

// countDropped takes over how many frames were dropped up to a block of statistics: those
// behind the last packet stand there alone.
func (r *Reader) countDropped(body []byte) error {
	if len(body) < statisticsHeader {
		return fmt.Errorf("a block of statistics with %d bytes: want at least %d", len(body), statisticsHeader)
	}
	r.stats.Dropped = max(r.stats.Dropped, number(body[statisticsHeader:], optionDropped))
	return nil
}

// countPacket adds a packet to the statistics.
func (r *Reader) countPacket(body []byte) error {
	if len(body) < packetHeader {
		return fmt.Errorf("a packet's block with %d bytes: want at least %d", len(body), packetHeader)
	}
	size := uint64(binary.LittleEndian.Uint32(body[12:]))
	padded := (size + 3) &^ 3
	options := body[packetHeader:]
	if padded > uint64(len(options)) {
		return fmt.Errorf("a packet of %d bytes in a block with %d", size, len(options))
	}
	at := time.Unix(0, int64(binary.LittleEndian.Uint32(body[4:]))<<32|int64(binary.LittleEndian.Uint32(body[8:]))).UTC()
	if r.stats.Packets == 0 {
		r.stats.First = at
	}
	r.stats.Last = at
	r.stats.Packets++
	r.stats.Dropped += number(options[padded:], optionDropCount)
	return nil
}

// number returns the value of an option of 64 bits, 0 if there is none.
func number(options []byte, wanted uint16) uint64 {
	for len(options) >= 4 {
		code, length := binary.LittleEndian.Uint16(options), int(binary.LittleEndian.Uint16(options[2:]))
		next := 4 + (length+3)&^3
		if code == optionEnd || next > len(options) {
			break
		}
		if code == wanted && length == 8 {
			return binary.LittleEndian.Uint64(options[4:])
		}
		options = options[next:]
	}
	return 0
}
