package gbcs

import (
	"encoding/binary"

	"github.com/commshub/commshub/han/zcl"
)

// The codes of Read ZigBee Device Event Log and Security Log (CS10a, CS10b).
const (
	CodeReadGSMEEventLog    MessageCode = 0x0014
	CodeReadGSMESecurityLog MessageCode = 0x00A1
)

func init() {
	for code, log := range map[MessageCode]Log{CodeReadGSMEEventLog: EventLog, CodeReadGSMESecurityLog: SecurityLog} {
		reads(code, Command, func(payload []byte) (ReadGSMELogCommand, error) { return parseReadGSMELogCommand(log, payload) })
		reads(code, Response, func(payload []byte) (ReadGSMELogResponse, error) { return parseReadGSMELogResponse(log, payload) })
	}
}

// ReadGSMELogCommand asks a GSME for the entries of a log from an instant to another
// (message codes 0x0014 and 0x00A1, CS10a and CS10b). It is MACed, not signed. On the wire
// it is a GBZ payload with one Get Event Log of the Events cluster:
//
//	01 09 01                 profile, one component
//	01 0709 0011             last component, cluster, length
//	   01 00 00              ZCL frame, little-endian: Get Event Log
//	   log(1)                13: event log, with full information; 04: security log
//	   0000 from(4) to(4)    any event
//	   00 0000               all of them, from the first on
type ReadGSMELogCommand struct {
	Log      Log
	From, To zcl.UTCTime // both included
}

var (
	getEventLogHead  = []byte{0x01, 0x09, 0x01, 0x01, 0x07, 0x09, 0x00, 0x11, 0x01, 0x00, 0x00}
	getEventLogEnd   = []byte{0x00, 0x00, 0x00}
	eventsComponent  = []byte{0x01, 0x09, 0x01, 0x01, 0x07, 0x09}
	publishEventLog  = []byte{0x19, 0x00, 0x01}
	getEventLogFails = []byte{0x08, 0x00, 0x0B, 0x00} // Default Response to Get Event Log
)

// eventLogID returns a log's number in the Events cluster.
func eventLogID(l Log) byte {
	if l == SecurityLog {
		return 0x04
	}
	return 0x03
}

// eventControl returns what to ask for of a log.
func eventControl(l Log) byte {
	if l == SecurityLog {
		return eventLogID(l)
	}
	return 0x10 | eventLogID(l) // with what else an entry says
}

// Append appends the 25 bytes payload.
func (c ReadGSMELogCommand) Append(b []byte) []byte {
	b = append(append(b, getEventLogHead...), eventControl(c.Log), 0x00, 0x00)
	b = binary.LittleEndian.AppendUint32(b, uint32(c.From))
	b = binary.LittleEndian.AppendUint32(b, uint32(c.To))
	return append(b, getEventLogEnd...)
}

func parseReadGSMELogCommand(log Log, payload []byte) (ReadGSMELogCommand, error) {
	r := newReader("read GSME "+log.String()+" command", payload)
	r.expect("request", getEventLogHead...)
	r.expect("log and event", eventControl(log), 0x00, 0x00)
	c := ReadGSMELogCommand{Log: log, From: r.utcTime(), To: r.utcTime()}
	r.expect("number and offset", getEventLogEnd...)
	if err := r.done(); err != nil {
		return ReadGSMELogCommand{}, err
	}
	return c, nil
}

// utcTime takes a time as ZCL has it, little-endian.
func (r *reader) utcTime() zcl.UTCTime {
	if b := r.take(4); b != nil {
		return zcl.UTCTime(binary.LittleEndian.Uint32(b))
	}
	return 0
}

// Fields implements [Payload].
func (c ReadGSMELogCommand) Fields() []Field {
	return []Field{timeField("from", c.From), timeField("to", c.To)}
}

// ReadGSMELogResponse answers a [ReadGSMELogCommand]. It is MACed, not signed. On the wire
// it is a GBZ payload with one Publish Event Log:
//
//	01 09 01                 profile, one component
//	01 0709 length(2)        last component, cluster
//	   19 00 01              ZCL frame, little-endian: Publish Event Log
//	   number(2) 00 01 00    of entries; the first of one command
//	   log code(2) time(4) n information(n) …
//
// Without entries it is a Default Response, 08 00 0B 00 status, with NOT_FOUND.
type ReadGSMELogResponse struct {
	Log     Log
	Status  zcl.Status
	Entries []LogEntry // oldest first; only with zcl.StatusSuccess
}

// Append appends the payload.
func (c ReadGSMELogResponse) Append(b []byte) []byte {
	var frame []byte
	if c.Status != zcl.StatusSuccess {
		frame = append(append(frame, getEventLogFails...), byte(c.Status))
	} else {
		frame = append(frame, publishEventLog...)
		frame = append(binary.LittleEndian.AppendUint16(frame, uint16(len(c.Entries))), 0x00, 0x01, 0x00)
		for _, e := range c.Entries {
			frame = binary.LittleEndian.AppendUint16(append(frame, eventLogID(c.Log)), uint16(e.Code))
			frame = binary.LittleEndian.AppendUint32(frame, uint32(e.Time))
			frame = append(append(frame, byte(len(e.Information))), e.Information...)
		}
	}
	b = binary.BigEndian.AppendUint16(append(b, eventsComponent...), uint16(len(frame)))
	return append(b, frame...)
}

func parseReadGSMELogResponse(log Log, payload []byte) (ReadGSMELogResponse, error) {
	r := newReader("read GSME "+log.String()+" response", payload)
	r.expect("component", eventsComponent...)
	if n := int(r.uint16()); r.err == nil && n != r.remaining() {
		r.failf("component announces %d bytes, but %d follow", n, r.remaining())
	}
	c := ReadGSMELogResponse{Log: log}
	if r.peek() == getEventLogFails[0] {
		r.expect("default response", getEventLogFails...)
		if c.Status = zcl.Status(r.uint8()); c.Status == zcl.StatusSuccess {
			r.failf("a success without entries")
		}
	} else {
		r.expect("publish event log", publishEventLog...)
		n := 0
		if b := r.take(2); b != nil {
			n = int(binary.LittleEndian.Uint16(b))
		}
		r.expect("number of the command", 0x00, 0x01, 0x00)
		for i := 0; i < n && r.err == nil; i++ {
			c.Entries = append(c.Entries, r.eventLogEntry(log))
		}
	}
	if err := r.done(); err != nil {
		return ReadGSMELogResponse{}, err
	}
	return c, nil
}

func (r *reader) eventLogEntry(log Log) (e LogEntry) {
	r.expect("log", eventLogID(log))
	if b := r.take(2); b != nil {
		e.Code = AlertCode(binary.LittleEndian.Uint16(b))
	}
	e.Time = r.utcTime()
	e.Information = r.take(int(r.uint8()))
	return e
}

// Fields implements [Payload].
func (c ReadGSMELogResponse) Fields() []Field {
	return append([]Field{field("status", c.Status)}, entryFields(c.Entries)...)
}
