package hub

import (
	"time"

	"github.com/commshub/commshub/gasproxy"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs/block"
	"github.com/commshub/commshub/han/tunnel"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/hub/store"
)

type tunnelTimer uint8

const (
	timerTunnel tunnelTimer = iota // the answer to a message or to opening the tunnel is overdue
	timerExpiry                    // the oldest message expires
)

// tunnelClient is the hub's end of the tunnel to an electricity meter: messages
// go out one after the other, each until it is confirmed.
type tunnelClient struct {
	id        uint16 // tunnel.NoTunnel while there is none
	queue     []gasproxy.Message
	tsn       uint8 // transaction of the message in flight
	flying    bool
	asked     bool           // for a tunnel, and not answered yet
	outgoing  block.Sender   // of the oldest message in the queue
	incoming  block.Receiver // of what the meter sends
	deadlines han.Deadlines[tunnelTimer]
}

// Times of the tunnel. A reference stack waits 3 minutes after a refusal; the
// time-out is an assumption.
const (
	tunnelTimeout = 10 * time.Second
	tunnelRetry   = 3 * time.Minute
)

// restoreTunnel takes over what the store holds of a device that always listens.
// What is queued goes out at the first deadline, now.
func (h *Hub) restoreTunnel(now time.Time, d *device) {
	d.tunnel.id = tunnel.NoTunnel
	if d.log.TunnelID != 0 {
		d.tunnel.id = d.log.TunnelID
	}
	for _, m := range h.store.MessagesOf(d.log.EUI64) {
		d.tunnel.queue = append(d.tunnel.queue, mailboxMessage(m))
	}
	d.tunnel.scheduleExpiry()
	if len(d.tunnel.queue) > 0 {
		d.tunnel.deadlines.Schedule(timerTunnel, now)
	}
}

func (t *tunnelClient) scheduleExpiry() {
	t.deadlines.Clear(timerExpiry)
	if len(t.queue) > 0 {
		t.deadlines.Schedule(timerExpiry, t.queue[0].Expires)
	}
}

func (h *Hub) peer(d *device) zcl.Peer {
	return zcl.Peer{Node: d.log.EUI64, Endpoint: d.log.Endpoint, Cluster: tunnel.ClusterID}
}

// requestTunnel opens the tunnel.
func (h *Hub) requestTunnel(now time.Time, out *han.Outbox, d *device) {
	d.tunnel.asked = true
	d.tunnel.deadlines.Await(timerTunnel, now.Add(tunnelTimeout))
	header := zcl.Header{ClusterSpecific: true, DisableDefaultResponse: true, Command: tunnel.CommandRequestTunnel}
	zcl.Send(&h.station, out, h.peer(d), header, tunnel.RequestTunnel{
		Protocol: tunnel.ProtocolGBHRGP, Manufacturer: tunnel.ManufacturerNone, MaxTransferSize: tunnel.MaxTransfer,
	})
}

// pushNext sends the oldest message or its next block, or opens the tunnel it needs.
func (h *Hub) pushNext(now time.Time, out *han.Outbox, d *device) {
	t := &d.tunnel
	if t.flying || len(t.queue) == 0 {
		return
	}
	if t.id == tunnel.NoTunnel {
		if !t.deadlines.IsSet(timerTunnel) {
			h.requestTunnel(now, out, d)
		}
		return
	}
	t.flying = true
	t.deadlines.Await(timerTunnel, now.Add(tunnelTimeout))
	header := zcl.Header{ClusterSpecific: true, Command: tunnel.CommandTransferDataToServer}
	t.tsn = zcl.Send(&h.station, out, h.peer(d), header, tunnel.TransferData{TunnelID: t.id, Data: t.outgoing.Next(t.queue[0].Data)})
}

// tunnelTimer fires what is due in a device's tunnel.
func (h *Hub) tunnelTimer(now time.Time, out *han.Outbox, d *device) {
	t := &d.tunnel
	for {
		timer, ok := t.deadlines.Expired(now)
		if !ok {
			return
		}
		switch timer {
		case timerTunnel:
			if t.flying {
				t.outgoing.Unanswered()
			}
			t.flying, t.asked = false, false
			if len(t.queue) > 0 {
				h.pushNext(now, out, d)
			}
		case timerExpiry:
			h.expirePush(now, out, d)
		}
	}
}

func (h *Hub) expirePush(now time.Time, out *han.Outbox, d *device) {
	t := &d.tunnel
	for len(t.queue) > 0 && !t.queue[0].Expires.After(now) {
		m := t.queue[0]
		t.queue = t.queue[1:]
		t.flying = false
		if err := (proxyPort{h}).MessageExpired(now, out, d.log.EUI64, m); err != nil {
			h.fault(now, out, d.log.EUI64, err)
		}
	}
	t.scheduleExpiry()
}

// handleTunnel is the client side of an electricity meter's tunnel.
func (h *Hub) handleTunnel(now time.Time, out *han.Outbox, d *device, f han.Frame, header zcl.Header, payload []byte) error {
	t := &d.tunnel
	if !header.ClusterSpecific {
		if header.Command == zcl.CommandDefaultResponse {
			return h.takeConfirmation(now, out, d, header, payload)
		}
		return nil
	}
	if !header.ForClient() {
		zcl.AnswerDefault(&h.station, out, f, header, zcl.StatusUnsupCommand)
		return nil
	}
	switch header.Command {
	case tunnel.CommandRequestTunnelResponse:
		return h.tunnelOpened(now, out, d, payload)
	case tunnel.CommandTransferDataToClient:
		return h.takeFromTunnel(now, out, d, f, header, payload)
	case tunnel.CommandTransferDataErrorToClient:
		refused, err := tunnel.ParseTransferDataError(payload)
		if err != nil {
			return err
		}
		if refused.TunnelID != t.id {
			return nil // a tunnel before, or one that is asked for already
		}
		t.flying = false
		if err := h.keepTunnel(d, tunnel.NoTunnel); err != nil {
			return err
		}
		h.requestTunnel(now, out, d)
	default:
		zcl.AnswerDefault(&h.station, out, f, header, zcl.StatusUnsupCommand)
	}
	return nil
}

// takeConfirmation takes the Default Response to the message or block in flight. A refusal
// is as good as no answer: the message is sent again, from its first block, until it expires.
func (h *Hub) takeConfirmation(now time.Time, out *han.Outbox, d *device, header zcl.Header, payload []byte) error {
	r, err := zcl.ParseDefaultResponse(payload)
	if err != nil {
		return err
	}
	t := &d.tunnel
	if !t.flying || header.TSN != t.tsn || r.Command != tunnel.CommandTransferDataToServer {
		return nil
	}
	if r.Status != zcl.StatusSuccess {
		t.outgoing.Refused()
		return nil
	}
	m := t.queue[0]
	t.flying, t.asked = false, false
	t.deadlines.Clear(timerTunnel)
	if !t.outgoing.Confirmed(m.Data) {
		h.pushNext(now, out, d)
		return nil
	}
	t.queue = t.queue[1:]
	t.scheduleExpiry()
	if err := (proxyPort{h}).MessageDelivered(now, out, d.log.EUI64, m); err != nil {
		return err
	}
	h.pushNext(now, out, d)
	return nil
}

func (h *Hub) tunnelOpened(now time.Time, out *han.Outbox, d *device, payload []byte) error {
	r, err := tunnel.ParseRequestTunnelResponse(payload)
	if err != nil {
		return err
	}
	t := &d.tunnel
	if t.flying && (r.Status != tunnel.StatusSuccess || r.TunnelID == t.id) {
		return nil // a repetition: what is waited for now is a confirmation
	}
	t.flying, t.asked = false, false
	t.deadlines.Clear(timerTunnel)
	if r.Status != tunnel.StatusSuccess {
		t.deadlines.Schedule(timerTunnel, now.Add(tunnelRetry))
		return nil
	}
	if err := h.keepTunnel(d, r.TunnelID); err != nil {
		return err
	}
	h.pushNext(now, out, d)
	return nil
}

// takeFromTunnel takes a message from an electricity meter and confirms it.
func (h *Hub) takeFromTunnel(now time.Time, out *han.Outbox, d *device, f han.Frame, header zcl.Header, payload []byte) error {
	data, err := tunnel.ParseTransferData(payload)
	if err != nil {
		return err
	}
	if data.TunnelID != d.tunnel.id || d.tunnel.id == tunnel.NoTunnel {
		if d.tunnel.asked {
			return nil // it may be that of an answer that this message overtook; the meter sends it again
		}
		answer := zcl.Header{ClusterSpecific: true, DisableDefaultResponse: true, TSN: header.TSN, Command: tunnel.CommandTransferDataErrorToServer}
		zcl.Answer(&h.station, out, zcl.PeerOf(f), answer, tunnel.TransferDataError{TunnelID: data.TunnelID, Status: tunnel.TransferNoSuchTunnel})
		h.requestTunnel(now, out, d)
		return nil
	}
	message, err := d.tunnel.incoming.Take(data.Data)
	if err != nil {
		zcl.AnswerDefault(&h.station, out, f, header, zcl.StatusFailure)
		return err
	}
	// A block that is not the last is no message yet.
	if len(message) > 0 || len(data.Data) == 0 {
		if err := (proxyPort{h}).FromMeter(now, out, f.Src, message); err != nil {
			return err
		}
	}
	zcl.AnswerDefault(&h.station, out, f, header, zcl.StatusSuccess)
	return nil
}

// keepTunnel stores the tunnel's identifier, so that a restart finds it open.
func (h *Hub) keepTunnel(d *device, id uint16) error {
	entry := d.log
	entry.TunnelID = id
	if id == tunnel.NoTunnel {
		entry.TunnelID = 0
	}
	if err := h.keepDevice(d, entry); err != nil {
		return err
	}
	d.tunnel.id = id
	return nil
}

func mailboxMessage(m store.Message) gasproxy.Message {
	return gasproxy.Message{Sequence: m.Sequence, Code: m.Code, Data: m.Bytes, Expires: time.UnixMicro(m.ExpiresAt).UTC()}
}
