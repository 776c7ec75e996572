package scenario

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/commshub/commshub/han"
)

// LinkFault is what happens to the frames between a hub and one device.
type LinkFault struct {
	Drop    float64       // share that is lost, 0 to 1
	Corrupt float64       // share in which one bit is turned, 0 to 1
	Delay   time.Duration // by which each frame comes late, on the wall clock
	Frames  int           // after so many frames the link heals by itself; 0 means never
}

// FaultStatus is a fault in force and what it did so far.
type FaultStatus struct {
	Device                      han.EUI64
	Fault                       LinkFault // Frames is what is left of them
	Dropped, Corrupted, Delayed uint64
}

// maxDelayed is how many frames may be late at the same time; more are lost.
const maxDelayed = 512

// Faults disturb the links of a hub, for laboratories. A nil *Faults disturbs
// nothing. Its methods may be called from any goroutine.
type Faults struct {
	mu      sync.Mutex
	dice    *rand.Rand
	links   map[han.EUI64]*FaultStatus
	delayed int
}

// NewFaults returns faults that draw their dice from a seed. None is in force.
func NewFaults(seed uint64) *Faults {
	return &Faults{dice: rand.New(rand.NewPCG(seed, 0x6661756c7473)), links: map[han.EUI64]*FaultStatus{}}
}

// Set puts a fault on the link to a device, in place of any before it.
func (x *Faults) Set(device han.EUI64, f LinkFault) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.links[device] = &FaultStatus{Device: device, Fault: f}
}

// Heal takes the fault off the link to a device.
func (x *Faults) Heal(device han.EUI64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.links, device)
}

// Status returns the faults in force, by device.
func (x *Faults) Status() []FaultStatus {
	x.mu.Lock()
	defer x.mu.Unlock()
	all := []FaultStatus{}
	for _, s := range x.links {
		all = append(all, *s)
	}
	slices.SortFunc(all, func(a, b FaultStatus) int { return cmp.Compare(a.Device, b.Device) })
	return all
}

// around returns pass with the faults of the device in its way that device names.
func (x *Faults) around(device func(f *han.Frame) han.EUI64, pass func(f han.Frame)) func(f han.Frame) {
	if x == nil {
		return pass
	}
	return func(f han.Frame) {
		fate := x.decide(device(&f), len(f.Payload))
		if fate.drop {
			return
		}
		if fate.turn >= 0 {
			f.Payload = slices.Clone(f.Payload) // it is the sender's
			f.Payload[fate.turn/8] ^= 1 << (fate.turn % 8)
		}
		if fate.delay == 0 {
			pass(f)
			return
		}
		f.Payload = slices.Clone(f.Payload)
		time.AfterFunc(fate.delay, func() {
			x.arrived()
			pass(f)
		})
	}
}

// fate is what becomes of one frame.
type fate struct {
	drop  bool
	turn  int // bit of the payload, -1 for none
	delay time.Duration
}

func (x *Faults) decide(device han.EUI64, size int) fate {
	x.mu.Lock()
	defer x.mu.Unlock()
	out := fate{turn: -1}
	s, ok := x.links[device]
	if !ok {
		return out
	}
	if s.Fault.Frames > 0 {
		if s.Fault.Frames--; s.Fault.Frames == 0 {
			delete(x.links, device)
		}
	}
	if x.dice.Float64() < s.Fault.Drop {
		s.Dropped++
		out.drop = true
		return out
	}
	if size > 0 && x.dice.Float64() < s.Fault.Corrupt {
		s.Corrupted++
		out.turn = x.dice.IntN(8 * size)
	}
	if s.Fault.Delay == 0 {
		return out
	}
	if x.delayed == maxDelayed {
		s.Dropped++
		out.drop = true
		return out
	}
	x.delayed++
	s.Delayed++
	out.delay = s.Fault.Delay
	return out
}

func (x *Faults) arrived() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.delayed--
}
