package gasproxy

import (
	"math"
	"time"

	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/han/phy"
)

// unlimited is an allowance that no image comes near.
const unlimited = 1 << 40

// Allowance is what a policy lets a meter have in a window.
type Allowance struct {
	Blocks int64
	// Repeats is how many blocks one that is asked for again counts.
	Repeats int
}

// Load is what a prediction starts from.
type Load struct {
	Set   *battery.Set
	Left  int64 // bytes still to fetch
	Size  int   // bytes per block
	Total int64 // bytes of the image
	Cost  Cost
	// Before and BeforeCharge are what a window costs before the first block.
	Before       time.Duration
	BeforeCharge battery.Charge
	Remaining    battery.Charge // in the meter's cell
	Period       time.Duration
	Next         time.Time // when the next window opens
	// Loss is the share of radio frames that get lost, 0 to 1, the same both ways.
	Loss float64
	// Tries is how often a meter asks for a block before it gives a window up.
	Tries int
	// Cycle is the time from one block to the next, Patience how long a meter waits
	// for an answer.
	Cycle, Patience time.Duration
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
	perWindow := float64(allowed.Blocks) * s.answer / (s.answer + float64(allowed.Repeats)*(1-s.answer))
	full := s.window(min(perWindow, l.dutyBlocks()), allowed.Repeats)
	open := min(float64(l.Open), blocks)
	rest := blocks - open
	windows, periods := l.windows(rest, full)
	out := Prediction{Windows: windows}
	out.Charge, out.RadioOn = l.charge(blocks, windows, perWindow < l.dutyBlocks(), s)
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
	return chances{one, math.Pow(one, float64(l.Set.Radio.Fragments(blockResponseHeader+l.Size))), float64(l.Tries)}
}

func (c chances) both() float64 { return c.request * c.answer }

// window returns how many blocks a window takes that may take so many, on average,
// and ends at the first one that fails too often. repeats tells what one that is
// asked for again counts.
func (c chances) window(most float64, repeats int) average {
	dice := most * float64(repeats*repeats) * c.answer * (1 - c.answer)
	given := math.Pow(1-c.both(), c.tries) // up, at a block
	if given < 1e-9 {
		return average{most, dice}
	}
	// Blocks until one fails is geometric, cut off at most: r to the power of j is
	// the chance that there are j of them or more.
	r := 1 - given
	cut := math.Pow(r, most)
	mean := r * (1 - cut) / given
	square := 2*r*(1-(most+1)*cut+most*cut*r)/(given*given) - mean
	return average{mean, max(0, square-mean*mean) + dice}
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
	send, fetch, miss := radio.Send(blockRequestSize), radio.Fetch(blockResponseHeader+l.Size), radio.Miss(l.Patience)
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
