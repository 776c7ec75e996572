// Package dlms takes the DLMS payloads of GBCS apart and puts them together again
// without loss: access requests, access responses and data notifications in A-XDR
// (DLMS Green Book; IEC 61334-6), with the [Data] in them. What objects and elements
// are called is in package tree.
//
//	D9 invoke-id(4) date-time  n descriptors  n data            access request
//	DA invoke-id(4) date-time 00  n data  n results             access response
//	0F invoke-id(4) date-time  data                             data notification
//
// Parse and Append functions are inverse to each other on everything that Parse takes.
// Parsed bytes alias the input. No input panics; memory is bounded by the input's
// length, and depth by MaxDepth.
package dlms

import (
	"fmt"
	"math"
)

// MaxDepth is how deep data may lie in each other. The deepest published lies 6 deep.
const MaxDepth = 24

const (
	longForm  = 0x80 // bit of a length: the number of bytes that follow
	maxLength = 4    // bytes of a length behind the first
)

// Length is a length or a count, and in how many bytes it stands.
type Length struct {
	N    int
	Size int // 1 to 5, as found
}

// append appends the length. One that does not fit into its size takes what it needs.
func (l Length) append(b []byte) []byte {
	size := 1
	if l.N >= longForm {
		for n := l.N; n > 0; n >>= 8 {
			size++
		}
	}
	size = max(size, l.Size)
	if size == 1 {
		return append(b, byte(l.N))
	}
	b = append(b, longForm|byte(size-1))
	for i := size - 2; i >= 0; i-- {
		b = append(b, byte(l.N>>(8*i)))
	}
	return b
}

// reader takes fields off a payload. It defers the error: after the first field that
// does not fit, every read returns zero.
type reader struct {
	data []byte
	off  int
	err  error
}

// failf keeps the first error, with the offset.
func (r *reader) failf(offset int, format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("parse DLMS at byte %d: %s", offset, fmt.Sprintf(format, args...))
	}
}

func (r *reader) left() int { return len(r.data) - r.off }

// take returns the next n bytes, nil for none.
func (r *reader) take(n int, what string) []byte {
	if r.err != nil || n == 0 {
		return nil
	}
	if n > r.left() {
		r.failf(r.off, "%s of %d bytes, but %d are left", what, n, r.left())
		return nil
	}
	b := r.data[r.off : r.off+n : r.off+n]
	r.off += n
	return b
}

func (r *reader) byte(what string) byte {
	if b := r.take(1, what); b != nil {
		return b[0]
	}
	return 0
}

// length takes a length of what has at least so many bytes for each it counts.
func (r *reader) length(what string, least int) Length {
	start := r.off
	l := r.anyLength(what)
	if r.err == nil && l.N > r.left()/least {
		r.failf(start, "%d of %s, but %d bytes are left", l.N, what, r.left())
		return Length{}
	}
	return l
}

// bits takes a length that counts bits.
func (r *reader) bits(what string) Length {
	start := r.off
	l := r.anyLength(what)
	if r.err == nil && bytesOf(l.N) > r.left() {
		r.failf(start, "%d bits of %s, but %d bytes are left", l.N, what, r.left())
		return Length{}
	}
	return l
}

// bytesOf returns in how many bytes so many bits lie.
func bytesOf(bits int) int { return bits/8 + min(bits%8, 1) }

// anyLength takes a length, whatever it counts.
func (r *reader) anyLength(what string) Length {
	start := r.off
	first := r.byte("length of " + what)
	if first&longForm == 0 {
		return Length{N: int(first), Size: 1}
	}
	size := int(first &^ longForm)
	if size == 0 || size > maxLength {
		r.failf(start, "length %02X of %s, want one of 1 to %d bytes", first, what, maxLength)
		return Length{}
	}
	var n uint64
	for _, b := range r.take(size, "length of "+what) {
		n = n<<8 | uint64(b)
	}
	if n > math.MaxInt32 { // more than any payload has, and than an int of 32 bits
		r.failf(start, "%d of %s, but %d bytes are left", n, what, r.left())
	}
	if r.err != nil {
		return Length{}
	}
	return Length{N: int(n), Size: 1 + size}
}

// done returns the first error; bytes behind the last field are one.
func (r *reader) done() error {
	if r.err == nil && r.left() > 0 {
		r.failf(r.off, "%d bytes after the last field", r.left())
	}
	return r.err
}
