package headend_test

import (
	"errors"
	"testing"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/hub/store"
)

// TestALogIsWhatItsMeterSaidLast: no other log, and nothing that is not authentic.
func TestALogIsWhatItsMeterSaidLast(t *testing.T) {
	l := newLine(t)
	l.must(l.store.Commit(store.Put(store.Device{EUI64: gsme, Kind: store.KindGSME})))
	say := func(code gbcs.MessageCode, counter uint64, r gbcs.ReadGSMELogResponse) {
		l.receive(gbcs.Message{CRA: gbcs.Response, OriginatorCounter: counter, Code: code, Payload: r.Append(nil)})
	}
	entry := func(at zcl.UTCTime) []gbcs.LogEntry {
		return []gbcs.LogEntry{{Time: at, Code: gbcs.AlertFirmwareVersionChanged}}
	}
	if _, ok, err := l.headEnd.Log(gsme, gbcs.SecurityLog); ok || err != nil {
		t.Errorf("before any answer: %v, %v", ok, err)
	}
	l.must(l.headEnd.ReadLog(l.now, new(han.Outbox), gsme, gbcs.SecurityLog))
	order := l.last()
	l.fetch(order)
	say(gbcs.CodeReadGSMESecurityLog, order-1, gbcs.ReadGSMELogResponse{Log: gbcs.SecurityLog, Entries: entry(1)})
	say(gbcs.CodeReadGSMESecurityLog, order, gbcs.ReadGSMELogResponse{Log: gbcs.SecurityLog, Entries: entry(2)})
	l.expectOrder(order, store.OrderDone)
	for i := range 700 { // over more than one part of the inbox
		say(gbcs.CodeReadGSMEEventLog, order+1+uint64(i), gbcs.ReadGSMELogResponse{Status: zcl.StatusNotFound})
	}
	forged := gbcs.Message{CRA: gbcs.Response, OriginatorCounter: order + 900, Originator: gsme, Recipient: supplier, Code: gbcs.CodeReadGSMESecurityLog,
		Payload: gbcs.ReadGSMELogResponse{Log: gbcs.SecurityLog, Entries: entry(3)}.Append(nil), HasMAC: true}
	l.must(l.headEnd.Received(l.now, new(han.Outbox), gsme, forged.Append(nil)))
	read, ok, err := l.headEnd.Log(gsme, gbcs.SecurityLog)
	if err != nil || !ok || read.Counter != order || len(read.Entries) != 1 || read.Entries[0].Time != 2 {
		t.Errorf("%+v, %v, %v; want the answer to order %d", read, ok, err, order)
	}
	if read, ok, err := l.headEnd.Log(gsme, gbcs.EventLog); err != nil || !ok || len(read.Entries) != 0 {
		t.Errorf("the event log: %+v, %v, %v; want it empty", read, ok, err)
	}
	if err := l.headEnd.ReadLog(l.now, new(han.Outbox), gsme+99, gbcs.EventLog); !errors.Is(err, store.ErrUnknownDevice) {
		t.Errorf("of a stranger: %v", err)
	}
}

// TestALogThatIsNotReadFailsItsOrder.
func TestALogThatIsNotReadFailsItsOrder(t *testing.T) {
	l := newLine(t)
	l.must(l.store.Commit(store.Put(store.Device{EUI64: gsme, Kind: store.KindGSME})))
	l.must(l.headEnd.ReadLog(l.now, new(han.Outbox), gsme, gbcs.EventLog))
	l.fetch(l.last())
	l.receive(gbcs.Message{CRA: gbcs.Response, OriginatorCounter: l.last(), Code: gbcs.CodeReadGSMEEventLog,
		Payload: gbcs.ReadGSMELogResponse{Status: zcl.StatusFailure}.Append(nil)})
	l.expectOrder(l.last(), store.OrderFailed)
}
