package hub

import (
	"fmt"
	"time"

	"github.com/commshub/commshub/gasproxy"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/trace"
)

// messageState is what became of a command for a device.
type messageState uint8

const (
	messageQueued    messageState = iota // waits in a mailbox or to be sent
	messageDelivered                     // the device has it; its response is to come
)

// IsQueued reports whether a stored message still waits to be taken.
func IsQueued(m store.Message) bool { return messageState(m.State) == messageQueued }

// IsActivation reports whether a stored message is an order to activate firmware.
func IsActivation(m store.Message) bool {
	return gbcs.MessageCode(m.Code) == gbcs.CodeActivateFirmware
}

// Series of sequence numbers in the store.
const (
	seriesMessage uint8 = 1
	seriesAlert   uint8 = 2
)

// maxUnanswered is how many delivered commands per device wait for a response
// before the oldest is forgotten.
const maxUnanswered = 32

// sendCommand builds a GBCS command of the supplier, stores it together with
// other changes, and hands it to the proxy or the tunnel.
func (h *Hub) sendCommand(now time.Time, out *han.Outbox, d *device, code gbcs.MessageCode, payload func(counter uint64) []byte, others ...store.Change) error {
	counter := h.nextCounter(now)
	sequence, sequenceChange := h.nextSequence(seriesMessage)
	eui := d.log.EUI64
	m := store.Message{
		Device: eui, Sequence: sequence, Code: uint16(code),
		Bytes: gbcs.Message{
			CRA: gbcs.Command, OriginatorCounter: counter, Originator: h.cfg.Supplier, Recipient: eui,
			Code: code, Payload: payload(counter),
		}.Append(nil),
		QueuedAt: now.UnixMicro(), ExpiresAt: now.Add(h.proxy.MailboxTime()).UnixMicro(),
	}
	changes := append(others, store.Put(m), sequenceChange,
		store.Put(store.OriginatorCounter{Originator: h.cfg.Supplier, Counter: counter}))
	if h.proxy.Waiting(eui)+len(d.tunnel.queue) >= maxQueued {
		return fmt.Errorf("%w: %d messages wait for %s already", ErrConflict, maxQueued, eui)
	}
	if err := h.store.Commit(changes...); err != nil {
		return err
	}
	if Kind(d.log.Kind) == KindGSME {
		if err := h.proxy.Post(eui, mailboxMessage(m)); err != nil {
			return err
		}
	} else {
		d.tunnel.queue = append(d.tunnel.queue, mailboxMessage(m))
		d.tunnel.scheduleExpiry()
		h.pushNext(now, out, d)
	}
	h.record(out, trace.Record{At: now, Kind: trace.MessageQueued, Peer: uint64(eui), Code: uint32(code),
		Count: uint32(h.proxy.Waiting(eui) + len(d.tunnel.queue))})
	return nil
}

// maxQueued is how many messages may wait for one device.
const maxQueued = 16

// nextCounter returns the supplier's next originator counter: milliseconds since
// 1970 as the field's tools use, and always above the last.
func (h *Hub) nextCounter(now time.Time) uint64 {
	last, _ := h.store.OriginatorCounter(h.cfg.Supplier)
	return max(last.Counter+1, uint64(max(0, now.UnixMilli())))
}

func (h *Hub) nextSequence(series uint8) (uint64, store.Change) {
	s, ok := h.store.Sequence(series)
	if !ok {
		s = store.Sequence{Series: series, Next: 1}
	}
	n := s.Next
	s.Next++
	return n, store.Put(s)
}

// MessageDelivered implements gasproxy.Communications: the device has a command.
func (h *Hub) MessageDelivered(now time.Time, out *han.Outbox, eui han.EUI64, m gasproxy.Message) error {
	h.record(out, trace.Record{At: now, Kind: trace.MessageDelivered, Peer: uint64(eui), Code: uint32(m.Code)})
	stored, ok := h.store.Message(eui, m.Sequence)
	if !ok {
		return nil
	}
	stored.State, stored.DeliveredAt = uint8(messageDelivered), now.UnixMicro()
	changes := []store.Change{store.Put(stored)}
	if old := h.unanswered(eui); len(old) >= maxUnanswered {
		changes = append(changes, store.Delete(old[0]))
	}
	return h.store.Commit(changes...)
}

// unanswered returns the commands that a device has and did not answer, oldest first.
func (h *Hub) unanswered(eui han.EUI64) []store.Message {
	var waiting []store.Message
	for _, m := range h.store.MessagesOf(eui) {
		if messageState(m.State) == messageDelivered {
			waiting = append(waiting, m)
		}
	}
	return waiting
}

// MessageExpired implements gasproxy.Communications: a command was not fetched in
// time. It is dropped and the supplier told, with 0x819D for a gas meter.
func (h *Hub) MessageExpired(now time.Time, out *han.Outbox, eui han.EUI64, m gasproxy.Message) error {
	h.record(out, trace.Record{At: now, Kind: trace.MessageExpired, Peer: uint64(eui), Code: uint32(m.Code)})
	code := gbcs.AlertGSMECommandNotRetrieved
	if Kind(h.devices[eui].log.Kind) != KindGSME {
		code = gbcs.AlertFailureToDeliverToESME
	}
	alert, changes := h.ownAlert(now, eui, code, gbcs.MessageCode(m.Code).String())
	changes = append(changes, store.Delete(store.Message{Device: eui, Sequence: m.Sequence}))
	if gbcs.MessageCode(m.Code) == gbcs.CodeActivateFirmware {
		changes = append(changes, h.activationUndelivered(now, eui)...)
	}
	if err := h.store.Commit(changes...); err != nil {
		return err
	}
	h.recordAlert(now, out, alert)
	return nil
}
