package chaos

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/commshub/commshub/internal/scenario/homefile"
)

// Figures of drawn worlds.
const (
	heartbeat = 30 * time.Minute
	// trouble is how long things go wrong.
	trouble = 36 * time.Hour
	// HealedWithin is in how many heartbeats after the last fault every meter runs the
	// newest image and the supplier knows: two to fetch it, and what it takes to get rid
	// of messages that waited, and of orders that are on their way (24 h).
	HealedWithin = 60
	healedSize   = 4096
)

// spoilt are the ways in which an image can be wrong. Most are not.
var spoilt = []string{"program: fails-self-test", "program: hangs", "signed_by: stranger", "hardware: 0200"}

// knobs are what a home may have unusual.
var knobs = []string{"pacing: radio=2s", "radio: 868-gb", "mailbox_time: 40m", "page_size: 480"}

var qualities = []string{"loss", "loss", "duplication", "reordering", "corruption", "delay"}

// weights say how often a kind is drawn.
var weights = [...]int{
	Cut: 5, TornCut: 9, HubOff: 3, HubCrash: 8, Apart: 4, BadLink: 9, ClockStep: 3, Flipped: 4, Cancelled: 5,
	Undated: 2, Again: 5, Drained: 2, Removed: 2,
}

// drawing is a world that is being drawn.
type drawing struct {
	Plan
	dice    *rand.Rand
	meters  int // the first so many devices
	version uint32
	busy    []time.Duration // when images are distributed, and much goes on
}

// Draw returns the world of a seed. Without healing there are more faults, to the end.
func Draw(seed uint64, safety bool) Plan {
	d := &drawing{dice: rand.New(rand.NewPCG(seed, 0x63686173)), version: 0x01000000}
	d.Seed = seed
	for i := range 1 + d.dice.IntN(3) {
		meter := Device{Name: "gas" + string(rune('1'+i)), Kind: "GSME", Drift: d.drift()}
		if d.chance(10) {
			meter.Budget = time.Second
		}
		d.Devices = append(d.Devices, meter)
	}
	if d.chance(40) {
		d.Devices = append(d.Devices, Device{Name: "power", Kind: "ESME", Drift: d.drift()})
	}
	d.meters = len(d.Devices)
	if d.chance(30) {
		d.Devices = append(d.Devices, Device{Name: "display", Kind: "IHD"})
	}
	for _, k := range knobs {
		if d.chance(20) {
			d.Knobs = append(d.Knobs, k)
		}
	}
	d.Image = d.image()
	if d.chance(25) {
		d.Activate = d.minutes(2*time.Hour, trouble)
	}
	d.busy = []time.Duration{0}
	for range d.dice.IntN(4) {
		o := Occurrence{Kind: Superseded, At: d.minutes(time.Hour, trouble-2*quiet), Image: d.image()}
		d.busy = append(d.busy, o.At)
		d.Occurrences = append(d.Occurrences, o)
	}
	n := 4 + d.dice.IntN(30)
	d.Length, d.Heal = trouble+HealedWithin*heartbeat, trouble
	if safety {
		n *= 3
		d.Length, d.Heal = trouble, 0
	}
	for range n {
		d.Occurrences = append(d.Occurrences, d.occurrence())
	}
	inOrder(d.Occurrences)
	return d.Plan
}

func inOrder(all []Occurrence) {
	slices.SortStableFunc(all, func(a, b Occurrence) int { return cmp.Compare(a.At, b.At) })
}

func (d *drawing) chance(percent int) bool { return d.dice.IntN(100) < percent }

func (d *drawing) drift() int {
	if d.chance(50) {
		return 0
	}
	return d.dice.IntN(401) - 200
}

// minutes draws a whole number of minutes.
func (d *drawing) minutes(from, to time.Duration) time.Duration {
	return from + time.Duration(d.dice.Int64N(int64((to-from)/time.Minute)))*time.Minute
}

// seconds draws a time of which short ones are more likely: of 1 s to 2^n s.
func (d *drawing) seconds(n int) time.Duration {
	most := int64(1) << (1 + d.dice.IntN(n))
	return time.Duration(1+d.dice.Int64N(most)) * time.Second
}

// image draws an image, newer than the last in most cases.
func (d *drawing) image() Image {
	if d.version == 0x01000000 || d.chance(90) {
		d.version += 0x01000000
	}
	i := Image{Size: 2048 * (1 + d.dice.IntN(6)), Version: d.version}
	if d.chance(30) {
		i.Spoilt = spoilt[d.dice.IntN(len(spoilt))]
	}
	return i
}

func (d *drawing) meter() string { return d.Devices[d.dice.IntN(d.meters)].Name }

// kind draws a kind of occurrence.
func (d *drawing) kind() Kind {
	sum := 0
	for _, w := range weights {
		sum += w
	}
	left := d.dice.IntN(sum)
	for k, w := range weights {
		if left -= w; left < 0 {
			return Kind(k)
		}
	}
	panic("chaos: weights do not add up")
}

// quiet is how long before the end of the trouble nothing happens any more.
const quiet = time.Hour

// at draws an instant, one when much goes on in two cases of three.
func (d *drawing) at() time.Duration {
	if !d.chance(66) {
		return d.minutes(0, trouble-quiet)
	}
	at := d.busy[d.dice.IntN(len(d.busy))] + time.Duration(d.dice.IntN(4*3600))*time.Second
	return min(at, trouble-quiet-time.Second)
}

// occurrence draws one.
func (d *drawing) occurrence() Occurrence {
	o := Occurrence{Kind: d.kind(), At: d.at(), Device: d.meter()}
	switch o.Kind {
	case Cut:
		o.For = d.seconds(13)
	case TornCut:
		o.N = 1 + d.dice.IntN(1<<(1+d.dice.IntN(9)))
	case HubOff:
		o.Device, o.For = "", d.seconds(13)
	case HubCrash:
		o.Device, o.N, o.After = "", 1+d.dice.IntN(6), d.chance(50)
	case Apart:
		if o.For = d.seconds(14); d.chance(20) {
			o.Device = ""
		}
	case BadLink:
		d.badLink(&o)
	case ClockStep:
		o.For, o.Back = d.seconds(17), d.chance(50)
	case Flipped:
		d.flip(&o)
	case Drained:
		o.Percent = 4 + d.dice.IntN(60)
	case Removed:
		o.For = d.seconds(14)
	case Cancelled, Undated, Again, Superseded:
	}
	o.For = min(o.For, trouble-quiet-o.At)
	return o
}

// Where memory is: each region has its journal's two copies, in some sectors that are
// filled from the start.
const (
	regionSectors = 4
	sectorBits    = 8 * 4096
)

// flip draws a bit of a meter's memory. It is one in each meter's life: two may spoil both
// copies of a thing, and a meter that can prove nothing takes no orders.
func (d *drawing) flip(o *Occurrence) {
	for i := range d.Occurrences {
		if other := &d.Occurrences[i]; other.Kind == Flipped && other.Device == o.Device {
			*o = Occurrence{Kind: Cut, At: o.At, Device: o.Device, For: d.seconds(13)}
			return
		}
	}
	regions := []homefile.Memory{homefile.Registers, homefile.Control, homefile.Application}
	o.Region = regions[d.dice.IntN(len(regions))]
	o.N = d.dice.IntN(regionSectors)*sectorBits + d.dice.IntN(1<<(1+d.dice.IntN(15)))
}

func (d *drawing) badLink(o *Occurrence) {
	o.For, o.Quality, o.Percent = d.seconds(15), qualities[d.dice.IntN(len(qualities))], 1+d.dice.IntN(60)
	if o.Quality == "corruption" {
		o.Percent = 1 + d.dice.IntN(3)
	}
	if d.chance(40) {
		o.Device = ""
	}
}
