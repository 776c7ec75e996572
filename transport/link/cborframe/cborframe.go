// Package cborframe is the encoding of a HAN frame inside a DTLS record: one
// CBOR array (RFC 8949) in deterministic encoding, as han/frame.cddl says.
//
//	[1, src, dst, srcEP, dstEP, profile, cluster, counter, asdu]                              a frame
//	[1, src, dst, srcEP, dstEP, profile, cluster, counter, asdu, due, number, seen, promise]  with a stamp
//	[2, due, number, seen, promise, asks]                                                     a stamp alone
//
// The types of all elements are fixed, so the few lines
// of CBOR it needs are written out here: a decoder that knows what must come
// takes only the shortest form of each head, without reflection and without
// allocating. The tests compare it with a CBOR library.
package cborframe

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/commshub/commshub/han"
)

// MaxSize is the longest encoding: array head, version, two identifiers, two
// endpoints, profile, cluster, counter, payload, and the four numbers of a stamp.
const MaxSize = 1 + 1 + 2*9 + 2*2 + 3 + 3 + 2 + 3 + han.MaxPayload + 4*9

const (
	versionFrame = 1
	versionStamp = 2

	elements        = 9
	elementsStamped = 13
	elementsStamp   = 6

	// Major types (RFC 8949 §3.1), in the upper three bits of a head.
	majorUint  = 0 << 5
	majorBytes = 2 << 5
	majorArray = 4 << 5
)

// Message is what a record holds: a frame, a stamp, or both.
type Message struct {
	HasFrame bool
	Frame    han.Frame // only with HasFrame; its payload aliases the record
	HasStamp bool
	Stamp    han.Stamp // only with HasStamp
}

// Append appends the encoding of f to b, with a stamp unless st is nil.
func Append(b []byte, f han.Frame, st *han.Stamp) ([]byte, error) {
	if len(f.Payload) > han.MaxPayload {
		return b, fmt.Errorf("encode frame: payload of %d bytes, at most %d are allowed", len(f.Payload), han.MaxPayload)
	}
	n := uint64(elements)
	if st != nil {
		n = elementsStamped
	}
	b = appendHead(b, majorArray, n)
	b = appendHead(b, majorUint, versionFrame)
	b = appendHead(b, majorUint, uint64(f.Src))
	b = appendHead(b, majorUint, uint64(f.Dst))
	b = appendHead(b, majorUint, uint64(f.SrcEndpoint))
	b = appendHead(b, majorUint, uint64(f.DstEndpoint))
	b = appendHead(b, majorUint, uint64(f.Profile))
	b = appendHead(b, majorUint, uint64(f.Cluster))
	b = appendHead(b, majorUint, uint64(f.Counter))
	b = appendHead(b, majorBytes, uint64(len(f.Payload)))
	b = append(b, f.Payload...)
	if st == nil {
		return b, nil
	}
	return appendStamp(b, st), nil
}

// AppendStamp appends the encoding of a stamp without a frame.
func AppendStamp(b []byte, st *han.Stamp) []byte {
	b = appendHead(b, majorArray, elementsStamp)
	b = appendHead(b, majorUint, versionStamp)
	b = appendStamp(b, st)
	asks := uint64(0)
	if st.Asks {
		asks = 1
	}
	return appendHead(b, majorUint, asks)
}

func appendStamp(b []byte, st *han.Stamp) []byte {
	b = appendTime(b, st.Due)
	b = appendHead(b, majorUint, st.Number)
	b = appendHead(b, majorUint, st.Seen)
	return appendTime(b, st.Promise)
}

// appendTime appends an instant as nanoseconds since 1970, 0 if it is before that.
func appendTime(b []byte, t time.Time) []byte {
	if t.Year() < 1970 {
		return appendHead(b, majorUint, 0)
	}
	return appendHead(b, majorUint, uint64(t.UnixNano()))
}

// Decode reads one message. It refuses what han/frame.cddl does not allow, and any
// other encoding of what it does.
func Decode(encoded []byte) (Message, error) {
	if len(encoded) > MaxSize {
		return Message{}, fmt.Errorf("decode frame: %d bytes, at most %d are allowed", len(encoded), MaxSize)
	}
	r := reader{rest: encoded}
	var m Message
	switch n := r.head("array", majorArray, 1<<64-1); n {
	case elements, elementsStamped:
		m.HasFrame, m.HasStamp = true, n == elementsStamped
		r.exactly("version", majorUint, versionFrame)
		m.Frame = r.frame(m.HasStamp)
	case elementsStamp:
		m.HasStamp = true
		r.exactly("version", majorUint, versionStamp)
	default:
		r.fail("array", fmt.Sprintf("is %d, want %d, %d or %d", n, elements, elementsStamped, elementsStamp))
	}
	if m.HasStamp {
		m.Stamp = han.Stamp{Due: r.time("due"), Number: r.head("number", majorUint, 1<<64-1),
			Seen: r.head("seen", majorUint, 1<<64-1), Promise: r.time("promise")}
		m.Stamp.Asks = !m.HasFrame && r.head("asks", majorUint, 1) == 1
	}
	if r.err == nil && len(r.rest) > 0 {
		r.fail("array", "is followed by more")
	}
	if r.err != nil {
		return Message{}, r.err
	}
	return m, nil
}

// frame reads the elements of a frame behind the version. Without a stamp its payload
// is the rest.
func (r *reader) frame(stamped bool) han.Frame {
	f := han.Frame{
		Src:         han.EUI64(r.head("src", majorUint, 1<<64-1)),
		Dst:         han.EUI64(r.head("dst", majorUint, 1<<64-1)),
		SrcEndpoint: uint8(r.head("src-endpoint", majorUint, 1<<8-1)),
		DstEndpoint: uint8(r.head("dst-endpoint", majorUint, 1<<8-1)),
		Profile:     uint16(r.head("profile", majorUint, 1<<16-1)),
		Cluster:     uint16(r.head("cluster", majorUint, 1<<16-1)),
		Counter:     uint8(r.head("counter", majorUint, 1<<8-1)),
	}
	n := r.head("asdu", majorBytes, han.MaxPayload)
	if r.err != nil {
		return han.Frame{}
	}
	if n > uint64(len(r.rest)) || !stamped && n < uint64(len(r.rest)) {
		r.fail("asdu", "has another length than its head says")
		return han.Frame{}
	}
	f.Payload, r.rest = r.rest[:n:n], r.rest[n:]
	return f
}

// latest is the last instant that a stamp can name.
const latest = 1<<63 - 1

func (r *reader) time(element string) time.Time {
	return time.Unix(0, int64(r.head(element, majorUint, latest))).UTC()
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
	if r.err != nil {
		return
	}
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
