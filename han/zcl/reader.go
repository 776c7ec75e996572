package zcl

import (
	"encoding/binary"
	"fmt"
)

// Reader takes little-endian fields off a payload. It defers the error, so that
// a parser reads like the table in the specification: after the first field
// that does not fit, every read returns zero and Err says what was missing.
type Reader struct {
	data []byte
	off  int
	want int // bytes needed by the first read that failed, 0 if none did
}

// NewReader returns a Reader over payload. Bytes returned by the reader alias it.
func NewReader(payload []byte) Reader { return Reader{data: payload} }

// take returns the next n bytes, or nil after a failure.
func (r *Reader) take(n int) []byte {
	if r.want != 0 {
		return nil
	}
	if n > len(r.data)-r.off {
		r.want = r.off + n
		return nil
	}
	b := r.data[r.off : r.off+n : r.off+n]
	r.off += n
	return b
}

// Uint8 reads one byte.
func (r *Reader) Uint8() uint8 {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

// Uint16 reads two bytes.
func (r *Reader) Uint16() uint16 {
	if b := r.take(2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

// Uint24 reads three bytes.
func (r *Reader) Uint24() uint32 {
	if b := r.take(3); b != nil {
		return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16
	}
	return 0
}

// Uint32 reads four bytes.
func (r *Reader) Uint32() uint32 {
	if b := r.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

// Uint64 reads eight bytes.
func (r *Reader) Uint64() uint64 {
	if b := r.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// Bytes reads n bytes; the result aliases the payload.
func (r *Reader) Bytes(n int) []byte { return r.take(n) }

// Remaining returns how many bytes are left.
func (r *Reader) Remaining() int { return len(r.data) - r.off }

// Rest reads all bytes that are left; the result aliases the payload.
func (r *Reader) Rest() []byte { return r.take(r.Remaining()) }

// Err returns nil if every read so far fitted, or an error that names what was
// being parsed.
func (r *Reader) Err(what string) error {
	if r.want == 0 {
		return nil
	}
	return r.tooShort(what) // apart, so that asking costs no call
}

func (r *Reader) tooShort(what string) error {
	return fmt.Errorf("parse %s: payload too short (got %d, want at least %d)", what, len(r.data), r.want)
}
