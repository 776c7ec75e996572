// Package radio carries frames over an IEEE 802.15.4 link in simulation: air time
// delays them, and faults strike them by dice.
package radio

import (
	"math/rand/v2"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/phy"
	"github.com/commshub/commshub/transport/fault"
)

// Link is a link by radio, and what goes wrong on it.
type Link struct {
	Params  phy.Params
	Latency time.Duration // of the sender, until a frame is on the air
	Faults  fault.Link
}

// Carry decides the fate of a frame by dice, and which faults struck it. A perfect
// link draws none.
func (l *Link) Carry(f *han.Frame, dice *rand.Rand) (han.Fate, fault.Struck) {
	size := len(f.Payload)
	return l.Faults.Strike(size, l.Params.Fragments(size), l.Latency+l.Params.Delay(size)+l.Params.Host, dice)
}

// Dice returns the random stream of the link over which a device sends: of a home with
// the same seed, the same in virtual and in real time.
func Dice(seed uint64, eui han.EUI64) *rand.Rand {
	return rand.New(rand.NewPCG(seed, uint64(eui)))
}
