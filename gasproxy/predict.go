package gasproxy

import (
	"math"
	"time"

	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/han"
)

// unlimited is an allowance that no image comes near.
const unlimited = 1 << 40

// Allowance is what a policy lets a meter have in a window.
type Allowance struct {
	Blocks      int64
	RepeatsFree bool // a block asked for again does not count
}

// Load is what a prediction starts from.
type Load struct {
	Set    *battery.Set
	Left   int64 // bytes still to fetch
	Size   int   // bytes per block
	Total  int64 // bytes of the image
	Cost   Cost
	Before time.Duration // radio-on time of a window before the first block
	// BeforeCharge is the same in charge.
	BeforeCharge battery.Charge
	Remaining    battery.Charge // in the meter's cell
	Period       time.Duration
	Next         time.Time // when the next window opens
	// Loss is the share of frames that get lost, 0 to 1, the same both ways.
	Loss float64
	// Tries is how often a meter asks for a block before it gives a window up.
	Tries int
	// Cycle is the time from one block to the next, Patience that from a request to
	// the next if no answer comes.
	Cycle, Patience time.Duration
}

// Prediction is what a download is expected to take from here on.
type Prediction struct {
	Never       bool      // the policy lets the meter have nothing
	Windows     float64   // on average
	CompletesAt time.Time // the image is complete in the meter
	Charge      battery.Charge
	RadioOn     time.Duration
}

// Predict reckons in closed form what a download takes under a policy. Means are
// used for what is random: a block takes 1/s tries, s being the chance that
// request and answer both arrive; a window ends when as many tries in a row fail
// as a meter has patience for.
func Predict(p Policy, l Load) Prediction {
	blocks := math.Ceil(float64(l.Left) / float64(l.Size))
	if blocks == 0 {
		return Prediction{CompletesAt: l.Next}
	}
	allowed := p.PerWindow(&l)
	if allowed.Blocks < 1 {
		return Prediction{Never: true}
	}
	arrives := 1 - l.Loss
	for range l.Set.Radio.Fragments(blockResponseHeader+l.Size) - 1 {
		arrives *= 1 - l.Loss
	}
	both := arrives * (1 - l.Loss)
	perWindow := float64(allowed.Blocks)
	if !allowed.RepeatsFree {
		perWindow *= arrives
	}
	perWindow = min(perWindow, float64(dutyBlocks(l.Set, l.Size, l.Period)))
	given := math.Pow(1-both, float64(l.Tries)) // the chance to give up at a block
	full := perWindow
	if given > 0 {
		full = (1 - math.Pow(1-given, perWindow)) / given
	}
	windows := math.Ceil(blocks / full)
	if l.Loss > 0 {
		windows = max(1, blocks/full)
	}
	silent := math.Pow(1-(1-l.Loss)*(1-l.Loss), reportTries) // the report fails
	out := Prediction{Windows: windows}
	out.Charge, out.RadioOn = l.charge(blocks, windows, both, given)
	last := blocks - full*(math.Ceil(windows)-1)
	session := time.Duration(max(1, last) * (float64(l.Cycle) + (1/both-1)*float64(l.Patience)))
	out.CompletesAt = l.Next.Add(time.Duration((windows/(1-silent)-1)*float64(l.Period)) + session)
	return out
}

// reportTries is how often a meter reports before it gives a window up.
const reportTries = 3

// charge returns what blocks and the windows around them cost.
func (l *Load) charge(blocks, windows, both, given float64) (battery.Charge, time.Duration) {
	radio := &l.Set.Radio
	send, miss := radio.Send(blockRequestSize), radio.Miss(l.Patience)
	fetch := radio.Fetch(blockResponseHeader + l.Size)
	vain := 1/both - 1 // tries without an answer, per block
	waits := max(0, windows-1) * max(0, 1-given*blocks/windows)
	charge := blocks*((1+vain)*float64(l.Set.RadioCharge(send))+vain*float64(l.Set.RadioCharge(miss))+
		float64(l.Set.RadioCharge(fetch))+float64(l.Set.StoreCharge(int64(l.Size)))) +
		waits*float64(l.Cost.WaitCharge) + windows*float64(l.BeforeCharge) + float64(l.Set.VerifyCharge(l.Total))
	on := blocks*((1+vain)*float64(send.RadioOn())+vain*float64(miss.RadioOn())+float64(fetch.RadioOn())) +
		waits*float64(l.Cost.Wait) + windows*float64(l.Before)
	return battery.Charge(charge), time.Duration(on)
}

// dutyBlocks returns how many blocks the hub's duty cycle allows in a period.
func dutyBlocks(set *battery.Set, size int, period time.Duration) int64 {
	limit := set.Radio.Duty.Critical
	if limit == 0 {
		return unlimited
	}
	return int64(limit) * int64(period/time.Second) / int64(time.Hour/time.Second) / int64(set.Block(size).HubTransmit)
}

// Expect is what the hub knows of a download that it asks a prediction for.
type Expect struct {
	Total, Offset uint32 // bytes of the image; of it, served
	Size, Most    int    // bytes per block; most that may be planned
	Started       time.Time
}

// Predict reckons what a meter's download takes from now on. Blocks that the
// policy still allows in a window that is open count as served.
func (p *Proxy) Predict(now time.Time, device han.EUI64, e Expect) (Prediction, bool) {
	c, ok := p.meters[device]
	if !ok || e.Size < 1 {
		return Prediction{}, false
	}
	w, set := &c.window, &p.cfg.Battery
	l := Load{
		Set: set, Left: int64(e.Total - e.Offset), Size: e.Size, Total: int64(e.Total),
		Before: c.before, BeforeCharge: c.beforeCharge, Remaining: c.remaining(set), Period: c.period,
		Next: maxTime(now, w.OpenedAt.Add(c.period)), Loss: float64(c.loss.partsPerMillion()) / million,
		Tries: assumedTries, Patience: assumedPatience,
	}
	if planner, ok := p.cfg.Policy.(Planner); ok {
		l.Size = min(e.Most, planner.Plan(&Download{
			Now: now, Started: e.Started, Total: e.Total, Left: e.Total - e.Offset, Most: e.Most, Period: c.period,
			Loss: c.loss.partsPerMillion(), Best: c.loss.best, Set: set, Before: c.beforeCharge, Remaining: l.Remaining,
		}).Size)
	}
	var cost blockCost
	cost.reckon(set, l.Size, false)
	l.Cost = cost.Cost
	l.Cycle = set.Radio.Delay(blockRequestSize) + set.Radio.Delay(blockResponseHeader+l.Size) + 2*set.Radio.Host + set.Radio.Latency
	if now.Sub(w.ServedAt) > assumedPatience {
		return Predict(p.cfg.Policy, l), true
	}
	return p.predictOpen(now, w, l), true
}

// What the hub takes for granted of a meter.
const (
	assumedTries    = 6
	assumedPatience = 3 * time.Second
)

// predictOpen predicts a download while blocks are being served.
func (p *Proxy) predictOpen(now time.Time, w *Window, l Load) Prediction {
	allowed := p.cfg.Policy.PerWindow(&l)
	now64 := max(0, min(allowed.Blocks-int64(w.Blocks), (l.Left+int64(l.Size)-1)/int64(l.Size)))
	rest := l
	rest.Left = max(0, l.Left-now64*int64(l.Size))
	if rest.Left == 0 {
		l.Next = now
		done := Predict(p.cfg.Policy, l)
		done.Windows = 0
		done.CompletesAt = now.Add(time.Duration(now64) * l.Cycle)
		return done
	}
	return Predict(p.cfg.Policy, rest)
}
