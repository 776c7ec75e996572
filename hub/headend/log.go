package headend

import (
	"fmt"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/hub/store"
)

// logCodes are the use cases that read a log of a meter, by kind.
var logCodes = map[store.Kind][2]gbcs.MessageCode{
	store.KindESME: {gbcs.EventLog: gbcs.CodeReadESMEEventLog, gbcs.SecurityLog: gbcs.CodeReadESMESecurityLog},
	store.KindGSME: {gbcs.EventLog: gbcs.CodeReadGSMEEventLog, gbcs.SecurityLog: gbcs.CodeReadGSMESecurityLog},
}

// ReadLog asks a meter for all of a log (ECS35a, ECS35b; CS10a, CS10b for a GSME). The
// answer comes into the inbox, and Log returns it.
func (s *HeadEnd) ReadLog(now time.Time, out *han.Outbox, eui han.EUI64, log gbcs.Log) error {
	codes, kind, err := s.logCodesOf(eui)
	if err != nil {
		return fmt.Errorf("read the %s of %s: %w", log, eui, err)
	}
	o := s.newOrder(now, eui, codes[log])
	payload := gbcs.ReadESMELogCommand{InvokeID: gbcs.InvokeIDOf(o.Counter), Log: log, To: zcl.UTCTimeInvalid - 1}.Append(nil)
	if kind == store.KindGSME {
		payload = gbcs.ReadGSMELogCommand{Log: log, To: zcl.UTCTimeInvalid - 1}.Append(nil)
	}
	if err := s.send(now, out, o, payload); err != nil {
		return fmt.Errorf("read the %s of %s: %w", log, eui, err)
	}
	return nil
}

// logCodesOf may be called at any time.
func (s *HeadEnd) logCodesOf(eui han.EUI64) ([2]gbcs.MessageCode, store.Kind, error) {
	d, ok := s.store.Device(eui)
	if !ok {
		return [2]gbcs.MessageCode{}, 0, store.ErrUnknownDevice
	}
	codes, ok := logCodes[d.Kind]
	if !ok {
		return codes, d.Kind, fmt.Errorf("%w: %s devices keep none that the hub can read", store.ErrConflict, d.Kind)
	}
	return codes, d.Kind, nil
}

// LogRead is what a meter said of a log.
type LogRead struct {
	At      time.Time // when the answer came
	Counter uint64    // of the order
	Entries []gbcs.LogEntry
}

// Log returns what a meter said last of a log; ok is false if the inbox has no answer. It
// may be called at any time.
func (s *HeadEnd) Log(eui han.EUI64, log gbcs.Log) (r LogRead, ok bool, err error) {
	codes, _, err := s.logCodesOf(eui)
	if err != nil {
		return LogRead{}, false, fmt.Errorf("the %s of %s: %w", log, eui, err)
	}
	e, payload, ok := s.lastAnswer(eui, codes[log])
	if !ok {
		return LogRead{}, false, nil
	}
	m, _ := gbcs.ParseMessage(e.Bytes)
	r = LogRead{At: time.UnixMicro(e.At).UTC(), Counter: m.OriginatorCounter}
	switch p := payload.(type) {
	case gbcs.ReadESMELogResponse:
		r.Entries = p.Entries
	case gbcs.ReadGSMELogResponse:
		r.Entries = p.Entries
	}
	return r, true, nil
}

// lastAnswer returns the last authentic response of a use case that the inbox has of a
// device.
func (s *HeadEnd) lastAnswer(eui han.EUI64, code gbcs.MessageCode) (last store.InboxEntry, payload gbcs.Payload, ok bool) {
	e, found := s.store.LastOf(eui, uint16(code))
	if !found {
		return e, nil, false
	}
	m, err := gbcs.ParseMessage(e.Bytes)
	if err != nil {
		return e, nil, false
	}
	payload, err = m.ParsePayload()
	return e, payload, err == nil
}

// logText says what reading a log gave.
func logText(log gbcs.Log, entries int, read bool, result fmt.Stringer) (text string, state store.OrderState) {
	if !read {
		return fmt.Sprintf("no %s to read: %s", log, result), store.OrderFailed
	}
	if entries == 1 {
		return fmt.Sprintf("%s: 1 entry", log), store.OrderDone
	}
	return fmt.Sprintf("%s: %d entries", log, entries), store.OrderDone
}
