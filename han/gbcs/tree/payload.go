package tree

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/gbcs/dlms"
	"github.com/commshub/commshub/han/gbcs/gbz"
)

// readPayload takes the payload up to end. Which of the three encodings it has, its first
// bytes tell: no DER of GBCS starts with them.
func (r *reader) readPayload(end int) {
	start := r.at
	r.payloadStart = start
	if start == end {
		r.problem(start, "payload is empty")
		return
	}
	data := r.data[:end]
	first := data[start]
	switch {
	case first == dlms.TagAccessRequest:
		r.accessRequest(data)
	case first == dlms.TagAccessResponse:
		r.accessResponse(data)
	case first == dlms.TagDataNotification:
		r.dataNotification(data)
	case end-start >= 2 && binary.BigEndian.Uint16(data[start:]) == gbz.Profile:
		r.gbz(data)
	default:
		r.asn1(end)
	}
	if r.at < end {
		r.unread(end, "payload is not read")
	}
	if len(r.payload) == 0 { // nothing of it was parsed
		r.payload = bytes.Clone(data[start:])
	}
	if len(r.payload) != end-start {
		r.problem(start, "payload of %d bytes is written again as %d", end-start, len(r.payload))
		r.payload = bytes.Clone(data[start:])
	}
}

// unread makes what is left up to end a field that could not be read; what follows it
// can be.
func (r *reader) unread(end int, format string, args ...any) {
	r.problem(r.at, format, args...)
	if end > r.at {
		r.put(Field{Name: NotRead}, end)
	}
}

// asn1 takes a payload in DER.
func (r *reader) asn1(end int) {
	key := derMessage{r.code, r.cra}
	schema, known := derMessages[key]
	if !known {
		name := fmt.Sprintf("%s of message code %04X", r.cra, uint16(r.code))
		r.problem(r.at, "the ASN.1 of the %s is not in the tables", name)
		schema = anything("payload")
	}
	if e, ok := r.der("payload", schema, end); ok {
		r.payload = e.Append(nil)
	}
}

// derMessage names a payload in DER.
type derMessage struct {
	code gbcs.MessageCode
	cra  gbcs.CRA
}
