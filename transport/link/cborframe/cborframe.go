// Package cborframe is the encoding of a HAN frame inside a DTLS record: one
// CBOR array (RFC 8949) in deterministic encoding, as han/frame.cddl says.
//
//	[1, src, dst, srcEP, dstEP, profile, cluster, counter, asdu]
//
// A frame is an array of nine elements whose types are fixed, so the few lines
// of CBOR it needs are written out here: a decoder that knows what must come
// takes only the shortest form of each head, without reflection and without
// allocating. The tests compare it with a CBOR library.
package cborframe

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/commshub/commshub/han"
)

// MaxSize is the longest encoding of a frame: array head, version, two
// identifiers, two endpoints, profile, cluster, counter, payload.
const MaxSize = 1 + 1 + 2*9 + 2*2 + 3 + 3 + 2 + 3 + han.MaxPayload

const (
	version  = 1
	elements = 9

	// Major types (RFC 8949 §3.1), in the upper three bits of a head.
	majorUint  = 0 << 5
	majorBytes = 2 << 5
	majorArray = 4 << 5
)

// Append appends the encoding of f to b.
func Append(b []byte, f han.Frame) ([]byte, error) {
	if len(f.Payload) > han.MaxPayload {
		return b, fmt.Errorf("encode frame: payload of %d bytes, at most %d are allowed", len(f.Payload), han.MaxPayload)
	}
	b = appendHead(b, majorArray, elements)
	b = appendHead(b, majorUint, version)
	b = appendHead(b, majorUint, uint64(f.Src))
	b = appendHead(b, majorUint, uint64(f.Dst))
	b = appendHead(b, majorUint, uint64(f.SrcEndpoint))
	b = appendHead(b, majorUint, uint64(f.DstEndpoint))
	b = appendHead(b, majorUint, uint64(f.Profile))
	b = appendHead(b, majorUint, uint64(f.Cluster))
	b = appendHead(b, majorUint, uint64(f.Counter))
	b = appendHead(b, majorBytes, uint64(len(f.Payload)))
	return append(b, f.Payload...), nil
}

// Decode reads one frame. It refuses what han/frame.cddl does not allow, and any
// other encoding of what it does. The payload aliases the input.
func Decode(encoded []byte) (han.Frame, error) {
	if len(encoded) > MaxSize {
		return han.Frame{}, fmt.Errorf("decode frame: %d bytes, at most %d are allowed", len(encoded), MaxSize)
	}
	r := reader{rest: encoded}
	r.exactly("array", majorArray, elements)
	r.exactly("version", majorUint, version)
	f := han.Frame{
		Src:         han.EUI64(r.head("src", majorUint, 1<<64-1)),
		Dst:         han.EUI64(r.head("dst", majorUint, 1<<64-1)),
		SrcEndpoint: uint8(r.head("src-endpoint", majorUint, 1<<8-1)),
		DstEndpoint: uint8(r.head("dst-endpoint", majorUint, 1<<8-1)),
		Profile:     uint16(r.head("profile", majorUint, 1<<16-1)),
		Cluster:     uint16(r.head("cluster", majorUint, 1<<16-1)),
		Counter:     uint8(r.head("counter", majorUint, 1<<8-1)),
	}
	if n := r.head("asdu", majorBytes, han.MaxPayload); r.err == nil && n != uint64(len(r.rest)) {
		r.fail("asdu", "has another length than its head says")
	}
	if r.err != nil {
		return han.Frame{}, r.err
	}
	f.Payload = r.rest
	return f, nil
}

// appendHead appends the shortest head of a data item.
func appendHead(b []byte, major byte, v uint64) []byte {
	switch {
	case v < 24:
		return append(b, major|byte(v))
	case v < 1<<8:
		return append(b, major|24, byte(v))
	case v < 1<<16:
		return binary.BigEndian.AppendUint16(append(b, major|25), uint16(v))
	case v < 1<<32:
		return binary.BigEndian.AppendUint32(append(b, major|26), uint32(v))
	default:
		return binary.BigEndian.AppendUint64(append(b, major|27), v)
	}
}

// reader reads heads until the first error, which it keeps.
type reader struct {
	rest []byte
	err  error
}

func (r *reader) fail(element, what string) {
	r.err = errors.New("decode frame: " + element + " " + what)
}

// exactly reads a head that must have one value.
func (r *reader) exactly(element string, major byte, want uint64) {
	if got := r.head(element, major, 1<<64-1); r.err == nil && got != want {
		r.fail(element, fmt.Sprintf("is %d, want %d", got, want))
	}
}

// head reads the head of an item of the given major type, in its shortest form,
// and returns its argument, which may be at most limit.
func (r *reader) head(element string, major byte, limit uint64) uint64 {
	if r.err != nil {
		return 0
	}
	if len(r.rest) == 0 {
		r.fail(element, "is missing")
		return 0
	}
	if r.rest[0]&0xE0 != major {
		r.fail(element, "has the wrong type")
		return 0
	}
	short := r.rest[0] & 0x1F
	r.rest = r.rest[1:]
	if short < 24 {
		return r.within(element, uint64(short), limit)
	}
	if short > 27 {
		r.fail(element, "has no definite length")
		return 0
	}
	size := 1 << (short - 24)
	if len(r.rest) < size {
		r.fail(element, "is cut off")
		return 0
	}
	var v uint64
	for _, octet := range r.rest[:size] {
		v = v<<8 | uint64(octet)
	}
	r.rest = r.rest[size:]
	// A shorter head would have done for what is below 24, or fits half the size.
	if v < 24 || (size > 1 && v < 1<<(4*size)) {
		r.fail(element, "is not in its shortest form")
		return 0
	}
	return r.within(element, v, limit)
}

func (r *reader) within(element string, v, limit uint64) uint64 {
	if v > limit {
		r.fail(element, fmt.Sprintf("is %d, at most %d is allowed", v, limit))
		return 0
	}
	return v
}
