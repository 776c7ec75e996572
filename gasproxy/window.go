package gasproxy

import (
	"time"

	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/han/phy"
	"github.com/commshub/commshub/han/zcl"
)

// HeartbeatWindow is one heartbeat window of a meter as the proxy reckons it.
type HeartbeatWindow struct {
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
	// Missed is the charge of waiting for answers that did not come, by the time that the
	// meter's patience took.
	Missed   battery.Charge
	ServedAt time.Time // the block admitted last
	HeardAt  time.Time // the meter sent a frame last
	Ended    bool      // the meter was told to wait
	Returns  uint32    // how often it was told to come back before long
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

// openWindow begins a window, unless the report only repeats the one that did.
func (p *Proxy) openWindow(now time.Time, out *han.Outbox, c *child, reportSize int) error {
	if now.Before(c.window.OpenedAt.Add(c.period / 2)) {
		return nil
	}
	c.loss.endWindow(&c.window)
	c.window = HeartbeatWindow{OpenedAt: now, HeardAt: now}
	c.spend(&p.cfg.Battery, p.cfg.Battery.Radio.Send(reportSize))
	return p.hub.WindowOpened(now, out, c.eui)
}

// heard accounts a frame that a meter sent, and remembers from which endpoint.
func (p *Proxy) heard(now time.Time, c *child, f han.Frame) {
	c.source = f.SrcEndpoint
	c.window.HeardAt = now
	c.spend(&p.cfg.Battery, p.cfg.Battery.Radio.Send(len(f.Payload)))
}

// Exchanged accounts a frame that a meter sent to the hub around the proxy, and what
// the hub answered; blocks are accounted by Admit.
func (p *Proxy) Exchanged(now time.Time, f han.Frame, answers []han.Frame) {
	c, ok := p.meters[f.Src]
	if !ok {
		return
	}
	p.heard(now, c, f)
	for i := range answers {
		p.told(c, len(answers[i].Payload))
	}
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

// blockCost remembers what blocks of one size cost, which is asked for at each one.
type blockCost struct {
	size int
	page bool
	Cost
	request, fetch, miss time.Duration // radio-on time of the parts
	missCharge           battery.Charge
}

// Admit decides whether a meter may have a block in this window, and returns how
// many bytes of it. If none, until is when to ask again: the next heartbeat, or
// notBefore, when the hub may serve blocks again (zero is now).
func (p *Proxy) Admit(now time.Time, device han.EUI64, a ota.Ask, notBefore time.Time) (size int, until time.Time) {
	c, known := p.meters[device]
	if !known {
		return a.Size, time.Time{}
	}
	w := &c.window
	switch {
	case w.OpenedAt.IsZero():
		w.OpenedAt, w.HeardAt = now, now // the proxy started in the middle of a window
	case now.Sub(w.OpenedAt) >= c.period-resolution && (w.Ended || now.Sub(w.HeardAt) >= c.period/2):
		// The meter is back, and did not report first. One that never paused is
		// still in its window, however slow it is.
		c.loss.endWindow(w)
		*w = HeartbeatWindow{OpenedAt: now, HeardAt: now}
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
	missed := c.missed(now)
	w.RadioOn += c.unheard(missed, again)
	w.Missed += battery.Charge(missed) * c.cost.missCharge
	w.HeardAt = now
	c.cost.After, c.cost.Last = 0, c.last(&p.cfg.Battery).RadioOn()
	if size >= int(a.Left) {
		c.cost.After = telling(&p.cfg.Battery.Radio).RadioOn()
	}
	if !notBefore.IsZero() || !p.cfg.Policy.Admit(w, again, &c.cost.Cost) {
		if w.Blocks == 0 && !w.Ended && notBefore.IsZero() {
			c.loss.fade()
		}
		w.RadioOn += c.cost.Wait
		w.Ended = true
		return 0, c.back(now, notBefore)
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

// resolution is that of the times in WAIT_FOR_DATA.
const resolution = time.Second

// maxReturns is how often a meter may be told in a window to come back within half of
// its period. Each time costs it an exchange.
const maxReturns = 2

// back returns when a meter that is told to wait shall ask again: at its next heartbeat,
// or when the hub may serve blocks again.
func (c *child) back(now, notBefore time.Time) time.Time {
	w := &c.window
	next := maxTime(w.OpenedAt.Add(c.period), notBefore)
	if next.Sub(now) < c.period/2 {
		if w.Returns++; w.Returns > maxReturns {
			next = now.Add(c.period)
		}
	}
	return maxTime(next, now.Add(resolution))
}

// missed returns how many answers did not come since the hub heard a meter last: so often
// its patience ended.
func (c *child) missed(now time.Time) int64 {
	return max(0, int64(now.Sub(c.window.HeardAt)/assumedPatience))
}

// unheard returns how long a meter's radio was on without the hub hearing it before it
// asked for a block: for each answer missed, and a request sent in vain. A block asked for
// again did not arrive; it cost no fetching.
func (c *child) unheard(missed int64, again bool) time.Duration {
	spent := time.Duration(missed) * (c.cost.miss + c.cost.request)
	if again && missed > 0 {
		spent -= c.cost.request + c.cost.fetch
	}
	return spent
}

// plan has the policy plan the window that has begun, if it is one that plans.
func (p *Proxy) plan(now time.Time, c *child, a *ota.Ask) {
	w := &c.window
	w.Planned = true
	c.before, c.beforeCharge = w.Before, w.BeforeCharge
	if planner, ok := p.cfg.Policy.(Planner); ok {
		w.Plan = planner.Plan(p.download(now, c, a))
	}
}

// resize has the size of blocks planned anew, because a block was lost and the
// channel is better known now.
func (p *Proxy) resize(now time.Time, c *child, a *ota.Ask) {
	if planner, ok := p.cfg.Policy.(Planner); ok {
		c.window.Plan.Size = planner.Plan(p.download(now, c, a)).Size
	}
}

// download returns what a planner plans by.
func (p *Proxy) download(now time.Time, c *child, a *ota.Ask) *Download {
	set := &p.cfg.Battery
	return &Download{
		Now: now, Started: a.Started, Total: a.Total, Left: a.Left, Most: a.Most, Period: c.period,
		Loss: c.frameLoss(set), Best: c.loss.reference(), Set: set,
		Before: c.beforeCharge + set.RadioCharge(c.last(set)), Remaining: c.remaining(set),
	}
}

// reckon brings the costs up to date for blocks of another size. In a page a block
// costs no request, but being told to wait costs none either.
func (c *blockCost) reckon(set *battery.Set, size int, page bool) {
	if c.size == size && c.page == page && c.Block > 0 {
		return
	}
	request, fetch := set.Radio.Send(ota.BlockRequestSize), set.Radio.Fetch(ota.BlockOverhead+size)
	block, wait := fetch, set.Radio.Fetch(ota.WaitSize)
	if !page {
		block, wait = block.Add(request), wait.Add(request)
	}
	*c = blockCost{size: size, page: page, Cost: Cost{
		Block: block.RadioOn(), Wait: wait.RadioOn(),
		BlockCharge: set.RadioCharge(block) + set.StoreCharge(int64(size)), WaitCharge: set.RadioCharge(wait),
	}, request: request.RadioOn(), fetch: fetch.RadioOn(), miss: set.Radio.Miss(assumedPatience).RadioOn(),
		missCharge: missCharge(set)}
}

// missCharge returns what waiting for an answer that does not come takes of a cell.
func missCharge(set *battery.Set) battery.Charge {
	return set.RadioCharge(set.Radio.Miss(assumedPatience))
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
