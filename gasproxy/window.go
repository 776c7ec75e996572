package gasproxy

import (
	"time"

	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/phy"
	"github.com/commshub/commshub/han/zcl"
)

// Window is one heartbeat window of a meter as the proxy reckons it.
type Window struct {
	OpenedAt time.Time
	RadioOn  time.Duration // the meter's, by the radio model
	// Before is what the window cost before the first block.
	Before       time.Duration
	BeforeCharge battery.Charge
	Blocks       uint32 // admitted; a block asked for again is not counted again
	Repeats      uint32 // blocks asked for again
	Offset       uint32 // of the block admitted last
	// Download is the part of RadioOn that blocks took, Spent their charge.
	Download time.Duration
	Spent    battery.Charge
	ServedAt time.Time // the block admitted last
	Ended    bool      // the meter was told to wait
	Planned  bool
	Plan     Plan
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
	if now.Before(c.window.OpenedAt.Add(c.period / 2)) {
		return nil
	}
	c.loss.endWindow(&c.window)
	c.window = Window{OpenedAt: now}
	c.spend(&p.cfg.Battery, p.cfg.Battery.Radio.Send(reportSize))
	return p.hub.WindowOpened(now, out, c.eui)
}

// heard accounts a frame that a meter sent, and remembers from which endpoint.
func (p *Proxy) heard(c *child, f han.Frame) {
	c.source = f.SrcEndpoint
	c.spend(&p.cfg.Battery, p.cfg.Battery.Radio.Send(len(f.Payload)))
}

// told accounts a frame that a meter fetches.
func (p *Proxy) told(c *child, size int) {
	c.spend(&p.cfg.Battery, p.cfg.Battery.Radio.Fetch(size))
}

// spend accounts a radio operation other than a block.
func (c *child) spend(set *battery.Set, cost phy.Cost) {
	c.window.RadioOn += cost.RadioOn()
	if !c.window.Planned {
		c.window.Before += cost.RadioOn()
		c.window.BeforeCharge += set.RadioCharge(cost)
	}
}

// send sends a command from the hub's side to a meter.
func send[C zcl.Command](p *Proxy, out *han.Outbox, c *child, cluster uint16, h zcl.Header, command C) (tsn uint8) {
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

// Sizes of a block's frames besides its data, in bytes of ZCL.
const (
	blockRequestSize    = 3 + 14
	blockResponseHeader = 3 + 14
	waitResponseSize    = 3 + 11
)

// blockCost remembers what blocks of one size cost, which is asked for at each one.
type blockCost struct {
	size int
	page bool
	Cost
}

// Ask is a block that a meter asks for.
type Ask struct {
	Offset  uint32
	Size    int       // bytes, unless the policy plans another size
	Most    int       // most bytes that a policy may plan
	Asked   int       // most bytes that the meter takes
	Total   uint32    // bytes of the image
	Started time.Time // when its distribution began
	Page    bool      // one of a page: no request of its own
	// NotBefore is when the hub may serve blocks again; zero means now.
	NotBefore time.Time
}

// Admit decides whether a meter may have a block in this window, and returns how
// many bytes of it. If none, until is when to ask again: the next heartbeat.
func (p *Proxy) Admit(now time.Time, device han.EUI64, a Ask) (size int, until time.Time) {
	c, known := p.meters[device]
	if !known {
		return a.Size, time.Time{}
	}
	w := &c.window
	if w.OpenedAt.IsZero() {
		w.OpenedAt = now // the proxy started in the middle of a window
	}
	if !w.Planned {
		p.plan(now, c, &a)
		c.asked = a.Asked
	}
	size = a.Size
	if w.Plan.Size > 0 {
		size = min(w.Plan.Size, a.Most)
	}
	c.cost.reckon(&p.cfg.Battery, size, a.Page)
	again := w.Blocks > 0 && a.Offset == w.Offset
	if !a.NotBefore.IsZero() || !p.cfg.Policy.Admit(w, again, &c.cost.Cost) {
		w.RadioOn += c.cost.Wait
		w.Ended = true
		next := maxTime(w.OpenedAt.Add(c.period), a.NotBefore)
		return 0, maxTime(next, now.Add(time.Second))
	}
	w.RadioOn += c.cost.Block
	w.Download += c.cost.Block
	w.Spent += c.cost.BlockCharge
	w.ServedAt = now
	w.Offset = a.Offset
	if again {
		w.Repeats++
	} else {
		w.Blocks++
	}
	if c.loss.count(a.Offset) {
		p.resize(now, c, &a)
	}
	return size, time.Time{}
}

// plan has the policy plan the window that has begun, if it is one that plans.
func (p *Proxy) plan(now time.Time, c *child, a *Ask) {
	w := &c.window
	w.Planned = true
	c.before, c.beforeCharge = w.Before, w.BeforeCharge
	if planner, ok := p.cfg.Policy.(Planner); ok {
		w.Plan = planner.Plan(p.download(now, c, a))
	}
}

// resize has the size of blocks planned anew, because a block was lost and the
// channel is better known now.
func (p *Proxy) resize(now time.Time, c *child, a *Ask) {
	if planner, ok := p.cfg.Policy.(Planner); ok {
		c.window.Plan.Size = planner.Plan(p.download(now, c, a)).Size
	}
}

// download returns what a planner plans by.
func (p *Proxy) download(now time.Time, c *child, a *Ask) *Download {
	set := &p.cfg.Battery
	return &Download{
		Now: now, Started: a.Started, Total: a.Total, Left: a.Total - a.Offset, Most: a.Most, Period: c.period,
		Loss: c.frameLoss(set), Best: c.loss.reference(), Set: set,
		Before: c.beforeCharge, Remaining: c.remaining(set),
	}
}

// reckon brings the costs up to date for blocks of another size. In a page a block
// costs no request, but being told to wait costs none either.
func (c *blockCost) reckon(set *battery.Set, size int, page bool) {
	if c.size == size && c.page == page && c.Block > 0 {
		return
	}
	block, wait := set.Radio.Fetch(blockResponseHeader+size), set.Radio.Fetch(waitResponseSize)
	if !page {
		request := set.Radio.Send(blockRequestSize)
		block, wait = block.Add(request), wait.Add(request)
	}
	*c = blockCost{size: size, page: page, Cost: Cost{
		Block: block.RadioOn(), Wait: wait.RadioOn(),
		BlockCharge: set.RadioCharge(block) + set.StoreCharge(int64(size)), WaitCharge: set.RadioCharge(wait),
	}}
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
