package gbcs

import (
	"encoding/binary"

	"github.com/commshub/commshub/han/zcl"
)

// The codes of Read Event Log and Read Security Log of an ESME (ECS35a, ECS35b).
const (
	CodeReadESMEEventLog    MessageCode = 0x0048
	CodeReadESMESecurityLog MessageCode = 0x0049
)

func init() {
	for code, log := range map[MessageCode]Log{CodeReadESMEEventLog: EventLog, CodeReadESMESecurityLog: SecurityLog} {
		reads(code, Command, func(payload []byte) (ReadESMELogCommand, error) { return parseReadESMELogCommand(log, payload) })
		reads(code, Response, func(payload []byte) (ReadESMELogResponse, error) { return parseReadESMELogResponse(log, payload) })
	}
}

// ReadESMELogCommand asks an ESME for the entries of a log from an instant to another
// (message codes 0x0048 and 0x0049, ECS35a and ECS35b). It is MACed, not signed. On the
// wire it is a DLMS access request with one Get with selection and no data:
//
//	D9 20 invoke-id(3) 00
//	01 04 0007 00 00 63 62 00 FF 02    class 7, 0-0:99.98.0.255, attribute 2; the security log is 99.98.1
//	   01 02 04                        by range:
//	      02 04 12 0001 09 06 00 00 5E 2C 64 FF 0F 02 12 0000    of 0-0:94.44.100.255, UTC
//	      06 from(4) 06 to(4) 01 00
//	01 00                              null
type ReadESMELogCommand struct {
	InvokeID uint32 // [InvokeIDOf] the message's counter
	Log      Log
	From, To zcl.UTCTime // both included
}

var (
	esmeLogRange = []byte{
		0x02, 0x01, 0x02, 0x04,
		0x02, 0x04, 0x12, 0x00, 0x01, 0x09, 0x06, 0x00, 0x00, 0x5E, 0x2C, 0x64, 0xFF, 0x0F, 0x02, 0x12, 0x00, 0x00,
	}
	esmeLogRangeEnd = []byte{0x01, 0x00, 0x01, 0x00}
)

const dlmsUint32 = 0x06

// esmeLogObject is where a log stands.
func esmeLogObject(l Log) []byte {
	return []byte{0x00, 0x01, 0x04, 0x00, 0x07, 0x00, 0x00, 0x63, 0x62, byte(l), 0xFF}
}

// Append appends the 55 bytes payload.
func (c ReadESMELogCommand) Append(b []byte) []byte {
	b = appendInvokeID(append(b, dlmsAccessRequest), c.InvokeID)
	b = append(append(b, esmeLogObject(c.Log)...), esmeLogRange...)
	b = binary.BigEndian.AppendUint32(append(b, dlmsUint32), uint32(c.From))
	b = binary.BigEndian.AppendUint32(append(b, dlmsUint32), uint32(c.To))
	return append(b, esmeLogRangeEnd...)
}

func parseReadESMELogCommand(log Log, payload []byte) (ReadESMELogCommand, error) {
	r := newReader("read ESME "+log.String()+" command", payload)
	r.expect("access request", dlmsAccessRequest)
	c := ReadESMELogCommand{InvokeID: r.invokeID(), Log: log}
	r.expect("object", esmeLogObject(log)...)
	r.expect("range", esmeLogRange...)
	r.expect("type of the first time", dlmsUint32)
	c.From = zcl.UTCTime(r.uint32())
	r.expect("type of the last time", dlmsUint32)
	c.To = zcl.UTCTime(r.uint32())
	r.expect("end of the range", esmeLogRangeEnd...)
	if err := r.done(); err != nil {
		return ReadESMELogCommand{}, err
	}
	return c, nil
}

// Fields implements [Payload].
func (c ReadESMELogCommand) Fields() []Field {
	return []Field{field("invoke identifier", c.InvokeID), timeField("from", c.From), timeField("to", c.To)}
}

// ReadESMELogResponse answers a [ReadESMELogCommand]. It is MACed, not signed. On the wire
// it is a DLMS access response with a compact array:
//
//	DA 20 invoke-id(3) 00 00
//	01 13 02 03 06 12 09 length    one datum: structures of time(4), code(2), octet string;
//	   time(4) code(2) n information(n) …
//	01 01 result                   of one Get
//
// In the security log structures have no octet string (13 02 02 06 12). Without a success
// the datum is null (00).
type ReadESMELogResponse struct {
	InvokeID uint32 // of the command
	Log      Log
	Result   DataAccessResult
	Entries  []LogEntry // oldest first; only with AccessSuccess
}

// esmeLogEntries is the head of the compact array.
func esmeLogEntries(l Log) []byte {
	if l == SecurityLog {
		return []byte{0x13, 0x02, 0x02, 0x06, 0x12}
	}
	return []byte{0x13, 0x02, 0x03, 0x06, 0x12, 0x09}
}

// Append appends the payload.
func (c ReadESMELogResponse) Append(b []byte) []byte {
	b = appendInvokeID(append(b, dlmsAccessResponse), c.InvokeID)
	b = append(b, 0x00, 0x00, 0x01) // no date-time, no requests echoed, one datum
	if c.Result != AccessSuccess {
		return append(b, 0x00, 0x01, 0x01, byte(c.Result))
	}
	var entries []byte
	for _, e := range c.Entries {
		entries = binary.BigEndian.AppendUint32(entries, uint32(e.Time))
		entries = binary.BigEndian.AppendUint16(entries, uint16(e.Code))
		if c.Log == EventLog {
			entries = append(append(entries, byte(len(e.Information))), e.Information...)
		}
	}
	b = appendLength(append(b, esmeLogEntries(c.Log)...), len(entries))
	return append(append(b, entries...), 0x01, 0x01, byte(c.Result))
}

func parseReadESMELogResponse(log Log, payload []byte) (ReadESMELogResponse, error) {
	r := newReader("read ESME "+log.String()+" response", payload)
	r.expect("access response", dlmsAccessResponse)
	c := ReadESMELogResponse{InvokeID: r.invokeID(), Log: log}
	r.expect("start of the data", 0x00, 0x00, 0x01)
	null := r.peek() == 0
	if null {
		r.expect("entries", 0x00)
	} else {
		r.expect("entries", esmeLogEntries(log)...)
		n := r.length("entries")
		for end := r.off + n; r.err == nil && r.off < end; {
			e := LogEntry{Time: zcl.UTCTime(r.uint32()), Code: AlertCode(r.uint16())}
			if log == EventLog {
				e.Information = r.take(int(r.uint8()))
			}
			if r.off > end {
				r.failf("entry of %d bytes, but %d are left of the entries", r.off-end+n, n)
			}
			c.Entries = append(c.Entries, e)
		}
	}
	r.expect("start of the result", 0x01, 0x01)
	c.Result = DataAccessResult(r.uint8())
	if r.err == nil && null == (c.Result == AccessSuccess) {
		r.failf("result %d contradicts the entries before it", uint8(c.Result))
	}
	if err := r.done(); err != nil {
		return ReadESMELogResponse{}, err
	}
	return c, nil
}

// Fields implements [Payload].
func (c ReadESMELogResponse) Fields() []Field {
	return append([]Field{field("invoke identifier", c.InvokeID), field("result", c.Result)}, entryFields(c.Entries)...)
}

// entryFields returns a field for each entry.
func entryFields(entries []LogEntry) []Field {
	fields := make([]Field, 0, len(entries))
	for _, e := range entries {
		fields = append(fields, Field{"entry", e, e.String()})
	}
	return fields
}
