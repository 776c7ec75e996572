package gbcs

import (
	"encoding/binary"

	"github.com/commshub/commshub/han/zcl"
)

// AlertHead is what alerts outside ASN.1 start with. In [LayoutDLMS] it is a data
// notification:
//
//	0F 20 invoke-id(3) 00         no date-time
//	02 n                          structure of n elements
//	   12 alert-code(2)           long-unsigned
//	   09 0C date-time(12)        octet string
//	   …                          what the use case adds
//
// and in [LayoutGBZ] the GBZ form:
//
//	01 09                         profile
//	n                             number of what the use case adds
//	alert-code(2)
//	time(4)                       UTCTime, big-endian
//	…                             what the use case adds
type AlertHead struct {
	Layout   Layout
	InvokeID uint32 // only with LayoutDLMS: [InvokeIDOf] the message's counter
	Code     AlertCode
	Time     zcl.UTCTime
}

const (
	dlmsDataNotification = 0x0F
	dlmsInvokePriority   = 0x20 // top byte of long-invoke-id-and-priority
	dlmsStructure        = 0x02
	dlmsOctetString      = 0x09
	dlmsLongUnsigned     = 0x12

	alertHeadElements = 2 // of the DLMS structure

	invokeIDMask = 1<<24 - 1
)

var gbzProfile = []byte{0x01, 0x09}

// InvokeIDOf returns the DLMS invoke identifier of a message: the low 24 bits
// of its originator counter.
func InvokeIDOf(originatorCounter uint64) uint32 { return uint32(originatorCounter & invokeIDMask) }

// appendInvokeID appends long-invoke-id-and-priority.
func appendInvokeID(b []byte, id uint32) []byte {
	return binary.BigEndian.AppendUint32(b, dlmsInvokePriority<<24|id&invokeIDMask)
}

func (r *reader) invokeID() uint32 {
	r.expect("priority of the invoke identifier", dlmsInvokePriority)
	high := uint32(r.uint8())
	return high<<16 | uint32(r.uint16())
}

func (h AlertHead) fields() []Field {
	return []Field{field("alert code", h.Code), timeField("time", h.Time)}
}

// append appends the head of an alert to which the use case adds extra elements.
func (h AlertHead) append(b []byte, extra byte) []byte {
	if h.Layout == LayoutGBZ {
		b = append(append(b, gbzProfile...), extra)
		b = binary.BigEndian.AppendUint16(b, uint16(h.Code))
		return binary.BigEndian.AppendUint32(b, uint32(h.Time))
	}
	b = append(appendInvokeID(append(b, dlmsDataNotification), h.InvokeID), 0)
	b = append(b, dlmsStructure, alertHeadElements+extra, dlmsLongUnsigned)
	b = binary.BigEndian.AppendUint16(b, uint16(h.Code))
	date := DateTimeOf(h.Time)
	return append(append(b, dlmsOctetString, byte(len(date))), date[:]...)
}

// alertHead takes the head of an alert to which the use case adds extra elements.
func (r *reader) alertHead(extra byte) AlertHead {
	if r.peek() != dlmsDataNotification {
		return r.alertHeadGBZ(extra)
	}
	h := AlertHead{Layout: LayoutDLMS}
	r.expect("data notification", dlmsDataNotification)
	h.InvokeID = r.invokeID()
	r.expect("date-time of the notification", 0)
	r.expect("structure", dlmsStructure, alertHeadElements+extra)
	r.expect("alert code", dlmsLongUnsigned)
	h.Code = AlertCode(r.uint16())
	var date DateTime
	r.expect("time", dlmsOctetString, byte(len(date)))
	copy(date[:], r.take(len(date)))
	if r.err != nil {
		return AlertHead{}
	}
	u, err := date.UTCTime()
	if err != nil {
		r.failf("%v", err)
	}
	h.Time = u
	return h
}

func (r *reader) alertHeadGBZ(extra byte) AlertHead {
	r.expect("profile", gbzProfile...)
	r.expect("number of components", extra)
	h := AlertHead{Layout: LayoutGBZ, Code: AlertCode(r.uint16()), Time: zcl.UTCTime(r.uint32())}
	if h.Time == zcl.UTCTimeInvalid {
		r.failf("time %08X is not a time", uint32(h.Time))
	}
	return h
}

// oneOf refuses an alert code that the use case does not have.
func (r *reader) oneOf(got, a, b AlertCode) {
	if got != a && got != b {
		r.failf("alert code %04X, want %04X or %04X", uint16(got), uint16(a), uint16(b))
	}
}
