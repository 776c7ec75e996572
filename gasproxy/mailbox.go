package gasproxy

import (
	"errors"
	"fmt"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/tunnel"
	"github.com/commshub/commshub/han/zcl"
)

// Message is a GBCS message that waits for a meter. The hub gives it its
// sequence number.
type Message struct {
	Sequence uint64
	Code     uint16 // GBCS message code, for records
	Data     []byte
	Expires  time.Time
}

// ErrMailboxFull is returned by Post.
var ErrMailboxFull = fmt.Errorf("mailbox is full: %d messages wait", maxMailbox)

// MailboxTime returns how long messages wait.
func (p *Proxy) MailboxTime() time.Duration { return p.cfg.MailboxTime }

// Post puts a message into a meter's mailbox. The hub has stored it already.
func (p *Proxy) Post(device han.EUI64, m Message) error {
	c, err := p.meter(device)
	if err != nil {
		return err
	}
	if len(c.mailbox) >= maxMailbox {
		return ErrMailboxFull
	}
	c.mailbox = append(c.mailbox, m)
	p.scheduleExpiry()
	return nil
}

// Waiting returns how many messages wait for a meter.
func (p *Proxy) Waiting(device han.EUI64) int {
	if c, ok := p.meters[device]; ok {
		return len(c.mailbox)
	}
	return 0
}

// HandleTunnel takes a frame of the Tunnelling cluster from a gas meter. The hub
// is the server of its tunnel.
func (p *Proxy) HandleTunnel(now time.Time, out *han.Outbox, f han.Frame, h zcl.Header, payload []byte) error {
	c, err := p.meter(f.Src)
	if err != nil {
		return err
	}
	p.heard(now, c, f)
	if !h.ClusterSpecific {
		if h.Command == zcl.CommandDefaultResponse {
			return p.takeConfirmation(now, out, c, h, payload)
		}
		return nil
	}
	if !h.ForServer() {
		p.answerDefault(out, c, f, h, zcl.StatusUnsupCommand)
		return nil
	}
	switch h.Command {
	case tunnel.CommandRequestTunnel:
		return p.openTunnel(out, c, f, h, payload)
	case tunnel.CommandTransferDataToServer:
		return p.transfer(now, out, c, f, h, payload)
	case tunnel.CommandCloseTunnel:
		if err := p.keepJoin(c, c.endpoint, 0, c.period); err != nil {
			return err
		}
		p.answerDefault(out, c, f, h, zcl.StatusSuccess)
	default:
		p.answerDefault(out, c, f, h, zcl.StatusUnsupCommand)
	}
	return nil
}

// firstTunnel is the identifier of the first meter's tunnel; 0 stands for none.
const firstTunnel uint16 = 1

func (p *Proxy) openTunnel(out *han.Outbox, c *child, f han.Frame, h zcl.Header, payload []byte) error {
	r, err := tunnel.ParseRequestTunnel(payload)
	if err != nil {
		return err
	}
	answer := tunnel.RequestTunnelResponse{TunnelID: tunnel.NoTunnel, Status: tunnel.StatusProtocolNotSupported, MaxTransferSize: tunnel.MaxTransfer}
	if r.Protocol == tunnel.ProtocolGBHRGP {
		if c.tunnel == 0 {
			if err := p.keepJoin(c, c.endpoint, p.freeTunnel(), c.period); err != nil {
				return err
			}
		}
		answer.Status, answer.TunnelID = tunnel.StatusSuccess, c.tunnel
	}
	p.answerToClient(out, c, f, h, tunnel.CommandRequestTunnelResponse, answer)
	return nil
}

// freeTunnel returns the lowest identifier that no meter has.
func (p *Proxy) freeTunnel() uint16 {
	used := map[uint16]bool{}
	for _, c := range p.meters {
		used[c.tunnel] = true
	}
	id := firstTunnel
	for used[id] {
		id++
	}
	return id
}

func (p *Proxy) transfer(now time.Time, out *han.Outbox, c *child, f han.Frame, h zcl.Header, payload []byte) error {
	t, err := tunnel.ParseTransferData(payload)
	if err != nil {
		return err
	}
	if c.tunnel == 0 || t.TunnelID != c.tunnel {
		p.answerToClient(out, c, f, h, tunnel.CommandTransferDataErrorToClient,
			tunnel.TransferDataError{TunnelID: t.TunnelID, Status: tunnel.TransferNoSuchTunnel})
		return nil
	}
	prefix, err := tunnel.ParsePrefix(t.Data)
	if err != nil {
		return err
	}
	switch prefix {
	case tunnel.PrefixGet:
		p.deliver(out, c)
	case tunnel.PrefixPut:
		put, err := tunnel.ParsePut(t.Data)
		if err != nil {
			return err
		}
		message, err := c.incoming.Take(put.Message)
		if err != nil {
			p.answerDefault(out, c, f, h, zcl.StatusFailure)
			return err
		}
		// Taken before it is confirmed: a message that is put twice is better than
		// one that is lost.
		if len(message) > 0 {
			if err := p.hub.FromMeter(now, out, c.eui, message); err != nil {
				return err
			}
		}
		p.answerDefault(out, c, f, h, zcl.StatusSuccess)
	case tunnel.PrefixGetResponse:
		return fmt.Errorf("a meter sent a GET-RESPONSE")
	}
	return nil
}

// deliver answers GET with the oldest message, or a block of it. It stays in the mailbox
// until the meter's Default Response confirms the last. Blocks that follow count as
// messages that remain, so that the meter asks for them.
func (p *Proxy) deliver(out *han.Outbox, c *child) {
	response := tunnel.GetResponse{}
	if len(c.mailbox) > 0 {
		oldest := c.mailbox[0].Data
		if c.flying {
			c.outgoing.Unanswered()
		}
		response.Message = c.outgoing.Next(oldest)
		response.Remaining = uint8(len(c.mailbox) - 1 + c.outgoing.Left(oldest))
	}
	h := zcl.Header{ClusterSpecific: true, ToClient: true, Command: tunnel.CommandTransferDataToClient}
	c.inFlight = send(p, out, c, tunnel.ClusterID, h, tunnel.TransferData{TunnelID: c.tunnel, Data: response.Append(nil)})
	c.flying = len(c.mailbox) > 0
}

// takeConfirmation takes the Default Response to the message or block in flight. One that
// the meter refused stays, until it expires; a refused block makes its message begin anew.
func (p *Proxy) takeConfirmation(now time.Time, out *han.Outbox, c *child, h zcl.Header, payload []byte) error {
	r, err := zcl.ParseDefaultResponse(payload)
	if err != nil {
		return err
	}
	if !c.flying || h.TSN != c.inFlight || r.Command != tunnel.CommandTransferDataToClient {
		return nil
	}
	if r.Status != zcl.StatusSuccess {
		c.outgoing.Refused()
		return nil
	}
	c.flying = false
	m := c.mailbox[0]
	if !c.outgoing.Confirmed(m.Data) {
		return nil
	}
	c.mailbox = c.mailbox[1:]
	p.scheduleExpiry()
	return p.hub.MessageDelivered(now, out, c.eui, m)
}

// scheduleExpiry sets the timer to the earliest expiry of all mailboxes.
func (p *Proxy) scheduleExpiry() {
	p.deadlines.Clear(timerExpiry)
	for _, eui := range p.order {
		for _, m := range p.meters[eui].mailbox {
			if !p.deadlines.IsSet(timerExpiry) || m.Expires.Before(p.deadlines.At(timerExpiry)) {
				p.deadlines.Schedule(timerExpiry, m.Expires)
			}
		}
	}
}

// expire drops the messages whose time is over: alert 0x819D, GSME Command Not Retrieved.
func (p *Proxy) expire(now time.Time, out *han.Outbox) error {
	var failed error
	for _, eui := range p.order {
		c := p.meters[eui]
		kept := c.mailbox[:0:0]
		for i, m := range c.mailbox {
			if m.Expires.After(now) {
				kept = append(kept, m)
				continue
			}
			if i == 0 {
				c.flying = false
			}
			failed = errors.Join(failed, p.hub.MessageExpired(now, out, eui, m))
		}
		c.mailbox = kept
	}
	p.scheduleExpiry()
	return failed
}
