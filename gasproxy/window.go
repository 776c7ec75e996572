package gasproxy

import (
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/phy"
	"github.com/commshub/commshub/han/zcl"
)

// Window is one heartbeat window of a meter as the proxy reckons it.
type Window struct {
	OpenedAt time.Time
	RadioOn  time.Duration // the meter's, by the radio model
	Blocks   uint32        // admitted; a block asked for again is not counted again
	Offset   uint32        // of the block admitted last
}

// LastHeard returns when a meter's last window opened, and its heartbeat period.
func (p *Proxy) LastHeard(device han.EUI64) (at time.Time, period time.Duration) {
	if c, ok := p.meters[device]; ok {
		return c.window.OpenedAt, c.period
	}
	return time.Time{}, p.cfg.Period
}

// CurrentWindow returns the window of a meter that opened last.
func (p *Proxy) CurrentWindow(device han.EUI64) Window {
	if c, ok := p.meters[device]; ok {
		return c.window
	}
	return Window{}
}

// openWindow begins a window, unless the report only repeats the one that did.
func (p *Proxy) openWindow(now time.Time, out *han.Outbox, c *child, reportSize int) error {
	if now.Sub(c.window.OpenedAt) < c.period/2 {
		return nil
	}
	c.window = Window{OpenedAt: now, RadioOn: p.cfg.Battery.Radio.Send(reportSize).RadioOn()}
	return p.hub.WindowOpened(now, out, c.eui)
}

// heard accounts a frame that a meter sent, and remembers from which endpoint.
func (p *Proxy) heard(c *child, f han.Frame) {
	c.source = f.SrcEndpoint
	c.window.RadioOn += p.cfg.Battery.Radio.Send(len(f.Payload)).RadioOn()
}

// told accounts a frame that a meter fetches.
func (p *Proxy) told(c *child, size int) {
	c.window.RadioOn += p.cfg.Battery.Radio.Fetch(size).RadioOn()
}

// send sends a command from the hub's side to a meter.
func (p *Proxy) send(out *han.Outbox, c *child, cluster uint16, h zcl.Header, command zcl.Command) (tsn uint8) {
	tsn = zcl.Send(p.esi, out, zcl.Peer{Node: c.eui, Endpoint: c.source, Cluster: cluster}, h, command)
	p.told(c, lastSize(out))
	return tsn
}

func (p *Proxy) answer(out *han.Outbox, c *child, f han.Frame, h zcl.Header, command uint8, body zcl.Command) {
	answer := zcl.Header{ClusterSpecific: true, DisableDefaultResponse: true, TSN: h.TSN, Command: command}
	zcl.Answer(p.esi, out, zcl.PeerOf(f), answer, body)
	p.told(c, lastSize(out))
}

func (p *Proxy) answerToClient(out *han.Outbox, c *child, f han.Frame, h zcl.Header, command uint8, body zcl.Command) {
	answer := zcl.Header{ClusterSpecific: true, ToClient: true, DisableDefaultResponse: true, TSN: h.TSN, Command: command}
	zcl.Answer(p.esi, out, zcl.PeerOf(f), answer, body)
	p.told(c, lastSize(out))
}

func (p *Proxy) answerDefault(out *han.Outbox, c *child, f han.Frame, h zcl.Header, status zcl.Status) {
	before := len(out.Frames)
	zcl.AnswerDefault(p.esi, out, f, h, status)
	if len(out.Frames) > before {
		p.told(c, lastSize(out))
	}
}

func lastSize(out *han.Outbox) int { return len(out.Frames[len(out.Frames)-1].Payload) }

// blockCost remembers what blocks of one size cost, which is asked for at each one.
type blockCost struct {
	data  int
	block time.Duration // a block exchange
	wait  time.Duration // asking once more and being told to wait
}

// Sizes of a block's frames besides its data, in bytes of ZCL.
const (
	blockRequestSize    = 3 + 14
	blockResponseHeader = 3 + 14
	waitResponseSize    = 3 + 11
)

// Admit decides whether a meter may have the block at offset, of at most size
// bytes, in this window. If not, until is when to ask again: the next heartbeat.
func (p *Proxy) Admit(now time.Time, device han.EUI64, offset uint32, size int) (ok bool, until time.Time) {
	c, known := p.meters[device]
	if !known {
		return true, time.Time{}
	}
	if c.window.OpenedAt.IsZero() {
		c.window.OpenedAt = now // the proxy started in the middle of a window
	}
	c.reckon(&p.cfg.Battery.Radio, size)
	w := &c.window
	again := w.Blocks > 0 && offset == w.Offset
	if !p.cfg.Policy.Admit(w, again, c.cost.block+c.cost.wait) {
		w.RadioOn += c.cost.wait
		next := w.OpenedAt.Add(c.period)
		return false, maxTime(next, now.Add(time.Second))
	}
	w.RadioOn += c.cost.block
	if !again {
		w.Blocks++
	}
	w.Offset = offset
	return true, time.Time{}
}

func (c *child) reckon(radio *phy.Params, size int) {
	if c.cost.data == size && c.cost.block > 0 {
		return
	}
	c.cost = blockCost{
		data:  size,
		block: radio.Exchange(blockRequestSize, blockResponseHeader+size).RadioOn(),
		wait:  radio.Exchange(blockRequestSize, waitResponseSize).RadioOn(),
	}
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
