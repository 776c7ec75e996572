package gbcs

import "fmt"

// Lengths are encoded as in BER (X.690 §8.1.3): one byte below 128, else 81 or
// 82 and the length in one or two bytes, always in the shortest form.
const (
	lengthOneByte  = 0x81
	lengthTwoBytes = 0x82
	lengthShortEnd = 0x80
)

// appendLength appends a length of at most 65535; more is a programmer's error
// and panics.
func appendLength(b []byte, n int) []byte {
	switch {
	case n < lengthShortEnd:
		return append(b, byte(n))
	case n <= 0xFF:
		return append(b, lengthOneByte, byte(n))
	case n <= 0xFFFF:
		return append(b, lengthTwoBytes, byte(n>>8), byte(n))
	default:
		panic(fmt.Sprintf("gbcs: append length: %d, want at most 65535", n))
	}
}

// length takes a length in its shortest form.
func (r *reader) length(field string) int {
	first := r.uint8()
	n, least := int(first), 0
	switch {
	case first < lengthShortEnd:
	case first == lengthOneByte:
		n, least = int(r.uint8()), lengthShortEnd
	case first == lengthTwoBytes:
		n, least = int(r.uint16()), 0x100
	default:
		r.failf("length of %s starts with %02X, want at most 82", field, first)
		return 0
	}
	if r.err == nil && n < least {
		r.failf("length %d of %s is not in its shortest form", n, field)
	}
	if r.err != nil {
		return 0
	}
	return n
}
