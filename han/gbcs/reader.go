package gbcs

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// reader takes big-endian fields off a message. Like zcl.Reader it defers the
// error, so that a parser reads like the table in the specification: after the
// first field that does not fit, every read returns zero.
type reader struct {
	what string // the message being parsed, for errors
	data []byte
	off  int
	err  error
}

func newReader(what string, data []byte) reader { return reader{what: what, data: data} }

// failf keeps the first error.
func (r *reader) failf(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("parse %s: %s", r.what, fmt.Sprintf(format, args...))
	}
}

func (r *reader) remaining() int { return len(r.data) - r.off }

// peek returns the next byte without taking it, 0 at the end.
func (r *reader) peek() byte {
	if r.err != nil || r.remaining() == 0 {
		return 0
	}
	return r.data[r.off]
}

// take returns the next n bytes, or nil after a failure. For n = 0 it returns
// nil too, so that an empty field compares equal to one never set.
func (r *reader) take(n int) []byte {
	if r.err != nil || n == 0 {
		return nil
	}
	if n > r.remaining() {
		r.failf("too short (got %d, want at least %d)", len(r.data), r.off+n)
		return nil
	}
	b := r.data[r.off : r.off+n : r.off+n]
	r.off += n
	return b
}

func (r *reader) uint8() uint8 {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uint16() uint16 {
	if b := r.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (r *reader) uint32() uint32 {
	if b := r.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (r *reader) uint64() uint64 {
	if b := r.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// expect takes bytes that have only one legal value.
func (r *reader) expect(field string, want ...byte) {
	if got := r.take(len(want)); r.err == nil && !bytes.Equal(got, want) {
		r.failf("%s % X, want % X", field, got, want)
	}
}

// done returns the first error; bytes behind the last field are one.
func (r *reader) done() error {
	if r.err == nil && r.remaining() > 0 {
		r.failf("%d bytes after the last field", r.remaining())
	}
	return r.err
}
