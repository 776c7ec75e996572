package gasproxy

import (
	"math"
	"time"

	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/han/phy"
)

// unlimited is an allowance that no image comes near.
const unlimited = 1 << 40

// Allowance is what a policy lets a meter have in a window.
type Allowance struct {
	Blocks int64
	// Repeats is how many blocks an answer counts that got lost.
	Repeats int
	// Failed is how much of a block each try takes that failed, whether its request got
	// lost or its answer.
	Failed float64
}

// Load is what a prediction starts from.
type Load struct {
	Set   *battery.Set
	Left  int64 // bytes still to fetch
	Size  int   // bytes per block
	Total int64 // bytes of the image
	Cost  Cost
	// Before and BeforeCharge are what a window costs before the first block, and its last
	// word.
	Before       time.Duration
	BeforeCharge battery.Charge
	Remaining    battery.Charge // in the meter's cell
	Period       time.Duration
	Next         time.Time // when the next window opens
	Heard        bool      // a window of the meter was seen; without, Next and Period are assumed
	// Loss is the share of radio frames that get lost, 0 to 1, the same both ways.
	Loss float64
	// Tries is how often a meter asks for a block before it gives a window up.
	Tries int
	// Cycle is the time from one block to the next, Patience how long a meter waits
	// for an answer.
	Cycle, Patience time.Duration
	// Awake is how long a window may last.
	Awake time.Duration
	// Open is how many blocks a window that is open now may still take.
	Open int64
	Now  time.Time
}

// Prediction is what the rest of a download is expected to take.
type Prediction struct {
	Never       bool      // the policy lets the meter have nothing
	Windows     float64   // in which blocks come; with losses a mean, without a whole number
	CompletesAt time.Time // the image is complete in the meter
	Charge      battery.Charge
	RadioOn     time.Duration
}

// reportTries is how often a meter reports before it gives a window up.
const reportTries = 3

// Predict reckons in closed form what the rest of a download takes under a policy.
// Means are used for what is random: a block takes 1/s tries, s being the chance
// that request and answer both arrive, and a window ends early when as many tries
// in a row fail as the meter has patience for.
func Predict(p Policy, l Load) Prediction {
	blocks := math.Ceil(float64(l.Left) / float64(l.Size))
	allowed := p.PerWindow(&l)
	if blocks > 0 && allowed.Blocks < 1 && l.Open < 1 {
		return Prediction{Never: true}
	}
	s := l.chances()
	perWindow := s.allowed(&allowed)
	full := s.window(perWindow.atMost(l.dutyBlocks()).least(l.inTime(s)))
	open := min(float64(l.Open), blocks)
	rest := blocks - open
	windows, periods := l.windows(rest, full)
	out := Prediction{Windows: windows}
	out.Charge, out.RadioOn = l.charge(blocks, windows, perWindow.blocks < l.dutyBlocks(), s)
	block := float64(l.Cycle) + (1/s.both()-1)*float64(l.Patience)
	if rest <= 0 {
		out.CompletesAt = l.Now.Add(time.Duration(open * block))
		return out
	}
	last := rest - full.blocks*(math.Ceil(windows)-1)
	silent := math.Pow(1-(1-l.Loss)*(1-l.Loss), reportTries) // no window at all
	out.CompletesAt = l.Next.Add(time.Duration((periods/(1-silent)-1)*float64(l.Period) + max(1, last)*block))
	return out
}

// stillOpen returns how many blocks a window may still take that took some.
func (l *Load) stillOpen(p Policy, taken uint32) int64 {
	s, allowed := l.chances(), p.PerWindow(l)
	left := s.allowed(&allowed).blocks - float64(taken)
	if left < 1 {
		return 0
	}
	return int64(s.window(average{blocks: left}).least(l.inTime(s)).blocks)
}

// windows returns in how many windows blocks come, and how many periods pass until
// the last of them. What the duty cycle allows in an hour may be used up in fewer
// windows than the hour has; the others of that hour then stay empty.
func (l *Load) windows(blocks float64, full average) (windows, periods float64) {
	if blocks <= 0 {
		return 0, 0
	}
	duty := l.dutyBlocks()
	hour := float64(windowsPerHour(l.Period))
	if full.blocks*hour <= duty {
		n := full.windows(blocks)
		return n, n
	}
	hours := math.Ceil(blocks/duty) - 1
	rest := full.windows(blocks - hours*duty)
	return hours*min(hour, math.Ceil(duty/full.blocks)) + rest, hours*hour + rest
}

// average is a window's number of blocks: its mean and variance.
type average struct{ blocks, variance float64 }

// windows returns how many windows it takes on average until so many blocks have
// come. The last one counts whole: were the windows all alike it would be the
// quotient rounded up. They are not, so it is the mean of that over a normal
// distribution, by the Fourier series of rounding up.
func (a average) windows(blocks float64) float64 {
	n := (blocks - 0.5) / a.blocks // half a block, to be clear of whole numbers
	spread := math.Sqrt(n*a.variance) / a.blocks
	if n <= 1 && spread == 0 {
		return 1
	}
	if spread < 0.02 {
		return math.Ceil(n)
	}
	mean := n + 0.5
	for k := 1.0; k <= 20; k++ {
		mean += math.Sin(2*math.Pi*k*n) / (math.Pi * k) * math.Exp(-2*math.Pi*math.Pi*k*k*spread*spread)
	}
	return max(1, mean)
}

// atMost returns the number if it is never more than a limit.
func (a average) atMost(limit float64) average {
	if a.blocks <= limit {
		return a
	}
	return average{blocks: limit}
}

// least returns the lesser of two numbers of blocks that do not depend on one
// another, taken as normal (Clark, "The greatest of a finite set of random variables").
func (a average) least(b average) average {
	spread := math.Sqrt(a.variance + b.variance)
	if far := 6 * spread; b.blocks >= a.blocks+far {
		return a
	} else if a.blocks >= b.blocks+far {
		return b
	}
	x := (b.blocks - a.blocks) / spread
	first := 0.5 * math.Erfc(-x/math.Sqrt2) // the chance that it is a
	density := math.Exp(-x*x/2) / math.Sqrt(2*math.Pi)
	mean := a.blocks*first + b.blocks*(1-first) - spread*density
	square := (a.blocks*a.blocks+a.variance)*first + (b.blocks*b.blocks+b.variance)*(1-first) - (a.blocks+b.blocks)*spread*density
	return average{mean, max(0, square-mean*mean)}
}

// inTime returns how many blocks come while a window lasts: the renewals of a
// process in which a block takes a cycle, and patience for each try that failed.
func (l *Load) inTime(s chances) average {
	patience, both := float64(l.Patience), s.both()
	mean := float64(l.Cycle) + patience*(1-both)/both
	variance := patience * patience * (1 - both) / (both * both)
	n := float64(l.Awake) / mean
	return average{max(1, n+(variance/(mean*mean)-1)/2), n * variance / (mean * mean)}
}

// dutyBlocks returns how many blocks the duty cycles of hub and meter allow in an
// hour.
func (l *Load) dutyBlocks() float64 {
	if l.Set.Radio.Duty.Critical == 0 {
		return unlimited
	}
	return float64(hourlyBlocks(l.Set, l.Size))
}

// windowsPerHour returns how many windows in a row count against one another in the
// duty cycle.
func windowsPerHour(period time.Duration) int64 {
	return int64((phy.DutyMemory + period - 1) / period)
}

// hourlyBlocks returns how many blocks the duty cycle allows in an hour: the
// hub's, or the meter's own.
func hourlyBlocks(set *battery.Set, size int) int64 {
	b := set.Block(size)
	return int64(set.Radio.Duty.Critical / max(b.HubTransmit, b.Cost.Transmit))
}

// chances are those of the frames of one block.
type chances struct {
	request, answer float64 // arrives
	tries           float64
}

func (l *Load) chances() chances {
	one := 1 - l.Loss
	return chances{one, math.Pow(one, float64(l.Set.Radio.Fragments(ota.BlockOverhead+l.Size))), float64(l.Tries)}
}

func (c chances) both() float64 { return c.request * c.answer }

// failed returns how many tries fail for a block that comes before a meter gives the
// window up.
func (c chances) failed() average {
	fails := 1 - c.both()
	var all, mean, square float64
	for n, p := 0.0, 1.0; n < c.tries; n, p = n+1, p*fails {
		all, mean, square = all+p, mean+n*p, square+n*n*p
	}
	mean /= all
	return average{mean, square/all - mean*mean}
}

// allowed returns how many blocks a window takes if lost ones count so much: the renewals
// of a process in which a block takes one, and what its failures take besides.
func (c chances) allowed(a *Allowance) average {
	repeats, failed := float64(a.Repeats), c.failed()
	mean := 1 + repeats*(1-c.answer)/c.answer + a.Failed*failed.blocks
	variance := repeats*repeats*(1-c.answer)/(c.answer*c.answer) + a.Failed*a.Failed*failed.variance
	blocks := float64(a.Blocks) / mean
	return average{blocks, blocks * variance / (mean * mean)}
}

// window returns how many blocks a window takes that may take so many, and ends at
// the first one that fails too often.
func (c chances) window(may average) average {
	given := math.Pow(1-c.both(), c.tries) // up, at a block
	if given < 1e-9 {
		return may
	}
	most := may.blocks
	// Blocks until one fails is geometric, cut off at most: r to the power of j is
	// the chance that there are j of them or more.
	r := 1 - given
	cut := math.Pow(r, most)
	mean := r * (1 - cut) / given
	square := 2*r*(1-(most+1)*cut+most*cut*r)/(given*given) - mean
	return average{mean, max(0, square-mean*mean) + may.variance}
}

// beginning returns what a meter spends to make room for the image, if it has not
// begun yet.
func (l *Load) beginning() battery.Charge {
	if l.Left < l.Total {
		return 0
	}
	return beginErases * l.Set.EraseCharge()
}

// charge returns what blocks and the windows around them cost, verifying the image
// included. waits tells that the policy ends windows, by telling the meter to wait.
func (l *Load) charge(blocks, windows float64, waits bool, s chances) (battery.Charge, time.Duration) {
	radio := &l.Set.Radio
	send, fetch, miss := radio.Send(ota.BlockRequestSize), radio.Fetch(ota.BlockOverhead+l.Size), radio.Miss(l.Patience)
	tries := 1 / s.both()
	var waited float64
	if waits {
		given := math.Pow(1-s.both(), s.tries)
		waited = max(0, windows-1-given*blocks)
	}
	sum := func(send, fetch, miss, wait, before float64) float64 {
		return blocks*(tries*send+fetch+(tries-1)*miss) + waited*wait + windows*before
	}
	charge := func(c phy.Cost) float64 { return float64(l.Set.RadioCharge(c)) }
	on := func(c phy.Cost) float64 { return float64(c.RadioOn()) }
	store := float64(l.Set.StoreCharge(int64(l.Size)))
	return battery.Charge(sum(charge(send), charge(fetch)+store, charge(miss), float64(l.Cost.WaitCharge), float64(l.BeforeCharge))) +
			ending(l.Set, l.Total) + l.beginning(),
		time.Duration(sum(on(send), on(fetch), on(miss), float64(l.Cost.Wait), float64(l.Before)))
}
