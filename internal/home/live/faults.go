package live

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/transport/fault"
)

// LinkFault is what goes wrong on the link between a hub and one device. Times are
// emulated time.
type LinkFault struct {
	fault.Link
	Frames int // after so many frames the link heals by itself; 0 means never
}

// FaultStatus is a fault in force and what it did so far.
type FaultStatus struct {
	Device han.EUI64
	Fault  LinkFault           // Frames is what is left of them
	Struck [fault.Kinds]uint64 // frames, by kind
}

// Faults disturb the links of a hub, for laboratories. A nil *Faults disturbs
// nothing. Its methods may be called from any goroutine.
type Faults struct {
	mu    sync.Mutex
	dice  *rand.Rand
	links map[han.EUI64]*FaultStatus
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

// disturb returns what the faults make of the frames of a hub, nil if there are none.
func (x *Faults) disturb(hub han.EUI64) func(f *han.Frame) (han.Fate, fault.Struck) {
	if x == nil {
		return nil
	}
	return func(f *han.Frame) (han.Fate, fault.Struck) {
		device := f.Dst
		if device == hub {
			device = f.Src
		}
		return x.decide(device, len(f.Payload))
	}
}

// decide draws what becomes of a frame of size bytes, and counts it.
func (x *Faults) decide(device han.EUI64, size int) (han.Fate, fault.Struck) {
	x.mu.Lock()
	defer x.mu.Unlock()
	s, ok := x.links[device]
	if !ok {
		return han.Unharmed, 0
	}
	if s.Fault.Frames > 0 {
		if s.Fault.Frames--; s.Fault.Frames == 0 {
			delete(x.links, device)
		}
	}
	fate, struck := s.Fault.Strike(size, 1, 0, x.dice)
	for k := range struck.Each {
		s.Struck[k]++
	}
	return fate, struck
}
