package firmware

import (
	"bytes"
	"slices"
	"time"

	"github.com/commshub/commshub/devices/journal"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/internal/trace"
)

// outboxSize is how many messages for the supplier wait at most, a divisor of
// 256 so that keys go round with the sequence numbers. If a meter is
// out of reach for so long that more come up, the oldest is dropped.
const outboxSize = 16

// outbox is a ring of GBCS messages in the journal, one key each. The ring's
// order is kept by a sequence number in front of each message.
type outbox struct {
	messages []outboxMessage // oldest first
	next     byte            // sequence number of the next message
	shown    byte            // sequence number of the message shown last
	dirty    []journal.Entry // changes not yet committed
}

type outboxMessage struct {
	sequence byte
	data     []byte
}

func (m outboxMessage) key() journal.Key { return keyOutbox + journal.Key(m.sequence%outboxSize) }

func openOutbox(j *journal.Journal) outbox {
	var o outbox
	for i := range journal.Key(outboxSize) {
		if data, ok := j.Get(keyOutbox + i); ok {
			o.insert(outboxMessage{sequence: data[0], data: append([]byte(nil), data[1:]...)})
		}
	}
	if n := len(o.messages); n > 0 {
		o.next = o.messages[n-1].sequence + 1
	}
	return o
}

// insert keeps messages in the order of their sequence numbers, which wrap.
func (o *outbox) insert(m outboxMessage) {
	at := len(o.messages)
	for at > 0 && int8(o.messages[at-1].sequence-m.sequence) > 0 {
		at--
	}
	o.messages = append(o.messages, outboxMessage{})
	copy(o.messages[at+1:], o.messages[at:])
	o.messages[at] = m
}

func (o *outbox) push(data []byte) {
	if len(o.messages) == outboxSize {
		o.pop()
	}
	m := outboxMessage{sequence: o.next, data: data}
	o.next++
	o.messages = append(o.messages, m)
	o.dirty = append(o.dirty, journal.Entry{Key: m.key(), Data: append([]byte{m.sequence}, data...)})
}

// holds reports whether a message waits.
func (o *outbox) holds(data []byte) bool {
	return slices.ContainsFunc(o.messages, func(m outboxMessage) bool { return bytes.Equal(m.data, data) })
}

func (o *outbox) pop() {
	o.dirty = append(o.dirty, journal.Entry{Key: o.messages[0].key()})
	o.messages = o.messages[1:]
}

// changes returns what has to be committed.
func (o *outbox) changes() []journal.Entry {
	dirty := o.dirty
	o.dirty = nil
	return dirty
}

// Outgoing returns the oldest GBCS message for the supplier that waits to be delivered.
func (a *Agent) Outgoing() (message []byte, ok bool) {
	if len(a.outbox.messages) == 0 {
		return nil, false
	}
	a.outbox.shown = a.outbox.messages[0].sequence
	return a.outbox.messages[0].data, true
}

// Delivered drops the message that Outgoing returned last: the hub confirmed it.
// If the ring has dropped it meanwhile, nothing is left to do.
func (a *Agent) Delivered() {
	if len(a.outbox.messages) > 0 && a.outbox.messages[0].sequence == a.outbox.shown {
		a.outbox.pop()
		a.save()
	}
}

// queueReceipt queues a Firmware Distribution Receipt Alert. The caller saves.
func (a *Agent) queueReceipt(now time.Time, out *han.Outbox, code gbcs.AlertCode, hash ota.ImageHash) {
	message := gbcs.CodeDistributionReceiptESME
	if a.cfg.Layout == gbcs.LayoutGBZ {
		message = gbcs.CodeDistributionReceiptGSME
	}
	head := a.alertHead(now, out, code)
	a.queueAlert(message, gbcs.DistributionReceiptAlert{AlertHead: head, ImageHash: hash}.Append(nil))
}

// QueueAlert queues an alert that says no more than its code and time, and keeps it.
func (a *Agent) QueueAlert(now time.Time, out *han.Outbox, code gbcs.AlertCode) {
	a.queueGenericAlert(now, out, code)
	a.save()
}

func (a *Agent) queueGenericAlert(now time.Time, out *han.Outbox, code gbcs.AlertCode) {
	head := a.alertHead(now, out, code)
	a.queueAlert(gbcs.CodeGenericCriticalAlert, gbcs.GenericAlert{AlertHead: head}.Append(nil))
}

// alertHead counts a new alert, records it and returns its head.
func (a *Agent) alertHead(now time.Time, out *han.Outbox, code gbcs.AlertCode) gbcs.AlertHead {
	a.countAlert(now, out, code)
	return gbcs.AlertHead{
		Layout: a.cfg.Layout, InvokeID: gbcs.InvokeIDOf(a.state.AlertCounter),
		Code: code, Time: a.utc(now),
	}
}

func (a *Agent) countAlert(now time.Time, out *han.Outbox, code gbcs.AlertCode) {
	a.state.AlertCounter++
	a.record(out, trace.Record{At: now, Kind: trace.AlertRaised, Code: uint32(code), Text: code.String()})
}

// queueAlert queues an alert's message under the alert counter just counted.
func (a *Agent) queueAlert(code gbcs.MessageCode, payload []byte) {
	a.outbox.push(gbcs.Message{
		CRA: gbcs.Alert, OriginatorCounter: a.state.AlertCounter,
		Originator: a.cfg.Device, Recipient: a.cfg.Supplier,
		Code: code, Payload: payload,
	}.Append(nil))
}

func (a *Agent) utc(now time.Time) zcl.UTCTime { return zcl.UTCTimeOf(a.parts.Clock.Read(now)) }
