package hub

import (
	"bytes"
	"fmt"
	"time"

	"github.com/commshub/commshub/gasproxy"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/gbcs/block"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/hub/otaserver"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/trace"
)

// maxQueued is how many messages may wait for one device.
const maxQueued = 16

// Send queues a GBCS message of the supplier for a device: for a gas meter in its
// mailbox, for others in the tunnel. One for the hub's own CHF or GPF is taken in the
// hub's next turn. Its sequence, which must rise, is what the supplier hears of it by,
// its code is for records; when it expires is the hub's to say. The changes of the
// supplier's records are committed along with it.
func (h *Hub) Send(now time.Time, out *han.Outbox, device han.EUI64, m gasproxy.Message, along ...store.Change) error {
	own, d := h.function(device), h.devices[device]
	if own == nil && d == nil {
		return store.ErrUnknownDevice
	}
	kept := store.Message{
		Device: device, Sequence: m.Sequence, Code: m.Code, Bytes: m.Data,
		QueuedAt: now.UnixMicro(), ExpiresAt: now.Add(h.proxy.MailboxTime()).UnixMicro(),
	}
	if err := block.Check(m.Data); err != nil {
		return fmt.Errorf("message for %s: %w", device, err)
	}
	if h.waiting(device) >= maxQueued {
		return fmt.Errorf("%w: %d messages wait for %s already", store.ErrConflict, maxQueued, device)
	}
	if err := h.store.Commit(append(along, store.Put(kept))...); err != nil {
		return err
	}
	switch {
	case own != nil:
		own.queue, own.since = append(own.queue, mailboxMessage(kept)), now
	case d.log.Kind == store.KindGSME:
		if err := h.proxy.Post(device, mailboxMessage(kept)); err != nil {
			return err
		}
	default:
		d.tunnel.queue = append(d.tunnel.queue, mailboxMessage(kept))
		d.tunnel.scheduleExpiry()
		sent := len(out.Frames)
		h.pushNext(now, out, d)
		h.transmitted(now, out, sent)
	}
	h.record(out, trace.Record{At: now, Kind: trace.MessageQueued, Peer: uint64(device), Code: uint32(m.Code), Count: uint32(h.waiting(device))})
	return nil
}

// waiting returns how many messages wait for a device, or for a function of the hub.
func (h *Hub) waiting(eui han.EUI64) int {
	if f := h.function(eui); f != nil {
		return len(f.queue)
	}
	return h.proxy.Waiting(eui) + len(h.devices[eui].tunnel.queue)
}

// proxyPort is the hub as its gas proxy sees it, and the tunnels to electricity
// meters.
type proxyPort struct{ *Hub }

var _ gasproxy.Communications = proxyPort{}

// KeepJoin implements gasproxy.Communications.
func (h proxyPort) KeepJoin(eui han.EUI64, j gasproxy.Join) error {
	d := h.devices[eui]
	entry := d.log
	entry.MirrorEndpoint, entry.TunnelID, entry.Period = j.MirrorEndpoint, j.TunnelID, j.Period.Microseconds()
	return h.keepDevice(d, entry)
}

// KeepMirror implements gasproxy.Communications.
func (h proxyPort) KeepMirror(now time.Time, out *han.Outbox, eui han.EUI64, m *gasproxy.Mirror) error {
	return h.keepReadings(now, out, h.devices[eui], m.UpdatedAt, &m.Readings)
}

// KeepAccount implements gasproxy.Communications.
func (h proxyPort) KeepAccount(now time.Time, eui han.EUI64, account []zcl.Attribute) error {
	d := h.devices[eui]
	mirror := d.mirror
	mirror.Account, mirror.AccountAt = make([]store.MirrorAttribute, len(account)), now.UnixMicro()
	for i := range account {
		mirror.Account[i] = mirrorAttribute(&account[i])
		mirror.Account[i].Bytes = bytes.Clone(account[i].Value.Bytes)
	}
	if err := h.store.Commit(store.Put(mirror)); err != nil {
		return err
	}
	d.mirror = mirror
	return nil
}

// Account implements gasproxy.Communications.
func (h proxyPort) Account(eui han.EUI64, id uint16) (zcl.Value, bool) {
	for _, a := range h.devices[eui].mirror.Account {
		if a.ID == id {
			return attributeOf(a).Value, true
		}
	}
	return zcl.Value{}, false
}

// Consumed implements gasproxy.Communications. It is stored with the next readings: the
// sums in the one after it make up for one that a crash took.
func (h proxyPort) Consumed(now time.Time, eui han.EUI64, consumption []byte) {
	d := h.devices[eui]
	d.mirror.Consumption, d.mirror.ConsumedAt = bytes.Clone(consumption), now.UnixMicro()
}

// ImageWaiting implements gasproxy.Communications.
func (h proxyPort) ImageWaiting(now time.Time, eui han.EUI64) bool { return h.server.Waiting(now, eui) }

// WindowOpened implements gasproxy.Communications. In nearly all windows of a life
// nothing was served, and the supplier has nothing to count.
func (h proxyPort) WindowOpened(now time.Time, _ *han.Outbox, eui han.EUI64) error {
	if h.server.Served(eui) == (otaserver.Served{}) {
		return nil
	}
	return h.supplier.WindowOver(now, eui)
}

// FromMeter implements gasproxy.Communications: it hands a message to the supplier,
// who knows one that is put again.
func (h proxyPort) FromMeter(now time.Time, out *han.Outbox, eui han.EUI64, message []byte) error {
	return h.supplier.Received(now, out, eui, message)
}

// MessageDelivered implements gasproxy.Communications: the device has a message.
func (h proxyPort) MessageDelivered(now time.Time, out *han.Outbox, eui han.EUI64, m gasproxy.Message) error {
	h.record(out, trace.Record{At: now, Kind: trace.MessageDelivered, Peer: uint64(eui), Code: uint32(m.Code)})
	return h.store.Commit(append(h.supplier.Delivered(now, eui, m), store.Delete(store.Message{Device: eui, Sequence: m.Sequence}))...)
}

// MessageExpired implements gasproxy.Communications: a command was not fetched in
// time. It is dropped and the supplier told, with 0x819D for a gas meter.
func (h proxyPort) MessageExpired(now time.Time, out *han.Outbox, eui han.EUI64, m gasproxy.Message) error {
	h.record(out, trace.Record{At: now, Kind: trace.MessageExpired, Peer: uint64(eui), Code: uint32(m.Code)})
	raised := alert{device: eui, code: gbcs.AlertGSMECommandNotRetrieved, text: gbcs.MessageCode(m.Code).String()}
	if h.devices[eui].log.Kind != store.KindGSME {
		raised.code = gbcs.AlertFailureToDeliverToESME
		raised.payload = func(head gbcs.AlertHead) gbcs.Payload {
			return gbcs.UndeliveredAlert{AlertHead: head, Originator: h.cfg.Supplier, Target: eui, CRA: gbcs.Command, Counter: m.Sequence}
		}
	}
	changes := append(h.alerted(now, raised), h.supplier.Expired(now, eui, m)...)
	changes = append(changes, store.Delete(store.Message{Device: eui, Sequence: m.Sequence}))
	if err := h.store.Commit(changes...); err != nil {
		return err
	}
	h.recordAlert(now, out, raised)
	return nil
}
