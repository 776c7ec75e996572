package gbcs

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs/dlms"
)

// What messages to the CHF name of its device log: class 104, ZigBee network control,
// 0-0:30.3.0.255 (published messages; Blue Book for the numbers).
const zigbeeNetworkControl = 104

var deviceLogObject = [6]byte{0, 0, 30, 3, 0, 255}

// deviceLogMember returns the descriptor of a member of the device log.
func deviceLogMember(choice dlms.Choice, member int8) dlms.Descriptor {
	return dlms.Descriptor{Choice: choice, Class: zigbeeNetworkControl, Object: deviceLogObject, Member: member}
}

// The members of the device log that commands name.
var (
	registerDevice   = deviceLogMember(dlms.Action, 1)
	unregisterDevice = deviceLogMember(dlms.Action, 2)
	restorePAN       = deviceLogMember(dlms.Action, 5)
	enableJoining    = deviceLogMember(dlms.Set, 2)
	joinTimeout      = deviceLogMember(dlms.Set, 3)
	activeDevices    = deviceLogMember(dlms.Get, 4)
)

// ActionResult says how it went with a part of a DLMS command: 0 is success.
type ActionResult uint8

// The results that are used here.
const (
	ActionSuccess     ActionResult = 0
	ActionOtherReason ActionResult = 250
)

// String returns the specification's words.
func (r ActionResult) String() string { return DataAccessResult(r).String() }

// accessHead returns what an access request or response starts with.
func accessHead(invokeID uint32) dlms.Head {
	h := dlms.Head{DateTime: []byte{0}}
	binary.BigEndian.PutUint32(h.InvokeID[:], dlmsInvokePriority<<24|invokeID&invokeIDMask)
	return h
}

func invokeIDIn(h dlms.Head) uint32 { return binary.BigEndian.Uint32(h.InvokeID[:]) & invokeIDMask }

// datum returns a value of one type.
func datum(tag dlms.Tag, value ...byte) dlms.Data {
	return dlms.Data{Tag: tag, Length: dlms.Length{N: len(value)}, Value: value}
}

func octetString(b []byte) dlms.Data { return datum(dlms.OctetString, b...) }

func entityIdentifier(eui han.EUI64) dlms.Data { return octetString(eui.AppendPrint(nil)) }

func structure(elements ...dlms.Data) dlms.Data {
	return dlms.Data{Tag: dlms.Structure, Elements: elements}
}

func arrayOf(elements []dlms.Data) dlms.Data { return dlms.Data{Tag: dlms.Array, Elements: elements} }

// cosemReader takes values out of DLMS data. It defers the error; what it does not look at
// is held against the bytes when all is read, see parseCOSEM.
type cosemReader struct{ err error }

func (r *cosemReader) failf(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
}

// value returns the bytes of a value of a type, of any size if size is negative.
func (r *cosemReader) value(field string, d dlms.Data, tag dlms.Tag, size int) []byte {
	switch {
	case d.Tag != tag:
		r.failf("%s is %s, want %s", field, d.Tag, tag)
	case size >= 0 && len(d.Value) != size:
		r.failf("%s has %d bytes, want %d", field, len(d.Value), size)
	}
	if r.err != nil {
		return make([]byte, max(size, 0))
	}
	return d.Value
}

func (r *cosemReader) eui(field string, d dlms.Data) han.EUI64 {
	return han.EUI64(binary.BigEndian.Uint64(r.value(field, d, dlms.OctetString, han.EUI64Size)))
}

// elements returns what an array or a structure has, which are so many unless n is negative.
func (r *cosemReader) elements(field string, d dlms.Data, tag dlms.Tag, n int) []dlms.Data {
	switch {
	case d.Tag != tag:
		r.failf("%s is %s, want %s", field, d.Tag, tag)
	case n >= 0 && len(d.Elements) != n:
		r.failf("%s has %d elements, want %d", field, len(d.Elements), n)
	}
	if r.err != nil {
		return make([]dlms.Data, max(n, 0))
	}
	return d.Elements
}

// parseCOSEM reads a payload of the DLMS core with read, and refuses what is not byte for
// byte what its values are written as: a length that is not minimal, an object or a member
// that is another.
func parseCOSEM[P Payload](what string, payload []byte, read func(r *cosemReader) (P, error)) (P, error) {
	var none P
	var r cosemReader
	c, err := read(&r)
	if err == nil {
		err = r.err
	}
	if err == nil && !bytes.Equal(c.Append(nil), payload) {
		err = errors.New("another object, member or form than this use case has")
	}
	if err != nil {
		return none, fmt.Errorf("parse %s: %w", what, err)
	}
	return c, nil
}

// request reads an access request with so many parts.
func (r *cosemReader) request(payload []byte, parts int) dlms.AccessRequest {
	a, err := dlms.ParseAccessRequest(payload, 0)
	switch {
	case err != nil:
		r.failf("%w", err)
	case len(a.Data) != parts:
		r.failf("%d data, want %d", len(a.Data), parts)
	}
	if r.err != nil {
		return dlms.AccessRequest{Data: make([]dlms.Data, parts)}
	}
	return a
}
