package fault

import (
	"math/rand/v2"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/internal/trace"
)

// Link is what goes wrong on a link. Each frame is treated by itself.
type Link struct {
	Loss        Share // a radio frame does not arrive; a ZCL frame is lost with any of its fragments
	Duplication Share
	Reordering  Share
	Corruption  Share
	ReorderBy   time.Duration // how much later, at most, a frame comes that is overtaken
	Delay       time.Duration // of every frame, besides its time on the air
	Bursts      Bursts
}

// Bursts are the bad times of a link in the model of Gilbert and Elliott: a chain
// of two states, good and bad, that may change with each radio frame. Without a Begin
// there are no bursts.
type Bursts struct {
	Begin Share // of frames in good times that begin a burst
	End   Share // of frames in a burst that end it
	Loss  Share // in a burst, instead of the link's

	bad bool
}

// loss returns the probability of losing the next frame.
func (b *Bursts) loss(good Share, dice *rand.Rand) Share {
	if b.Begin == 0 {
		return good
	}
	change := b.Begin
	if b.bad {
		change = b.End
	}
	if draw(dice, change) {
		b.bad = !b.bad
	}
	if b.bad {
		return b.Loss
	}
	return good
}

// Struck is the set of faults that struck one frame.
type Struck uint16

// Lost is the set of a frame that was lost.
const Lost Struck = 1 << Loss

func (s *Struck) add(k Kind) { *s |= 1 << k }

// Has reports whether a kind of fault struck.
func (s Struck) Has(k Kind) bool { return s&(1<<k) != 0 }

// Strike decides by dice what becomes of a ZCL frame of size bytes, which takes so
// many radio frames and, undisturbed, so much time. A link without faults draws no
// dice.
func (l *Link) Strike(size, radioFrames int, transit time.Duration, dice *rand.Rand) (fate han.Fate, struck Struck) {
	if l.loses(radioFrames, dice) {
		return han.Fate{}, Lost
	}
	delay := transit + l.Delay
	fate = han.Fate{Copies: 1, Delay: [2]time.Duration{delay, delay}}
	if l.Delay > 0 {
		struck.add(Delay)
	}
	if draw(dice, l.Duplication) {
		struck.add(Duplication)
		fate.Copies = 2
		fate.Delay[1] += delay
	}
	if l.Reordering > 0 {
		for i := range fate.Copies {
			if draw(dice, l.Reordering) {
				struck.add(Reordering)
				fate.Delay[i] += time.Duration(dice.Int64N(max(1, int64(l.ReorderBy))))
			}
		}
	}
	if draw(dice, l.Corruption) && size > 0 {
		struck.add(Corruption)
		fate.Corrupt, fate.Bit = true, dice.IntN(8*size)
	}
	return fate, struck
}

// loses reports whether any fragment of a ZCL frame is lost.
func (l *Link) loses(radioFrames int, dice *rand.Rand) bool {
	if l.Loss == 0 && l.Bursts.Begin == 0 {
		return false
	}
	lost := false
	for range radioFrames {
		lost = draw(dice, l.Bursts.loss(l.Loss, dice)) || lost
	}
	return lost
}

func draw(dice *rand.Rand, s Share) bool { return s > 0 && dice.IntN(int(Million)) < int(s) }

// Turn turns the bit of a frame that a fate names. The payload must be the caller's.
func Turn(payload []byte, fate han.Fate) {
	if fate.Corrupt {
		payload[fate.Bit/8] ^= 1 << (fate.Bit % 8)
	}
}

// Then returns what becomes of a frame that two links treat, one after the other.
func Then(first, second han.Fate) han.Fate {
	if first.Copies == 0 || second.Copies == 0 {
		return han.Fate{}
	}
	out := first
	if second.Copies > first.Copies {
		out.Copies, out.Delay[1] = 2, first.Delay[0]+second.Delay[1]
	} else if first.Copies == 2 {
		out.Delay[1] += second.Delay[0]
	}
	out.Delay[0] += second.Delay[0]
	if second.Corrupt {
		out.Corrupt, out.Bit = true, second.Bit
	}
	return out
}

// frameKinds are the kinds that strike frames.
var frameKinds = [...]Kind{Loss, Duplication, Reordering, Corruption, Delay}

// Each calls yield with each kind of fault that struck.
func (s Struck) Each(yield func(k Kind) bool) {
	for _, k := range frameKinds {
		if s.Has(k) && !yield(k) {
			return
		}
	}
}

// FrameRecord returns the record which tells that a fault struck a frame.
func (k Kind) FrameRecord(at time.Time, f *han.Frame) trace.Record {
	return trace.Record{At: at, Node: uint64(f.Src), Kind: k.Record(), Peer: uint64(f.Dst), Size: uint32(len(f.Payload))}
}

// OfFrames reports whether records of a kind tell of frames that a fault struck:
// their Node sent the frame, their Peer was to have it.
func OfFrames(k trace.Kind) bool {
	for _, f := range frameKinds {
		if f.Record() == k {
			return true
		}
	}
	return false
}
