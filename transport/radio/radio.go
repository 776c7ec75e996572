// Package radio carries frames over an IEEE 802.15.4 link in simulation: air
// time delays them, and dice lose, repeat, delay or corrupt them.
package radio

import (
	"math/rand/v2"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/phy"
)

// Million is the denominator of probabilities: they are integers, so that a
// simulation is the same on every processor.
const Million = 1_000_000

// Link is the quality of a link. Probabilities are parts per million.
type Link struct {
	Params    phy.Params
	Loss      int // a radio frame does not arrive; a ZCL frame is lost with any of its fragments
	Duplicate int // it arrives twice
	Reorder   int // it is overtaken: delayed by up to ReorderBy more
	Corrupt   int // one bit of its payload is flipped
	ReorderBy time.Duration
	Delay     time.Duration // of every frame, besides its air time
	Bursts    Bursts
}

// Bursts are the bad times of a link in the model of Gilbert and Elliott: a chain
// of two states, good and bad, that may change with each radio frame.
// Probabilities are parts per million; without a Begin there are no bursts.
type Bursts struct {
	Begin int // a frame in good times begins a burst
	End   int // a frame in a burst ends it
	Loss  int // in a burst, instead of the link's

	bad bool
}

// loss returns the probability of losing the next frame.
func (b *Bursts) loss(good int, dice *rand.Rand) int {
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

// Fate is what becomes of one frame.
type Fate struct {
	Copies  int              // 0, 1 or 2
	Delay   [2]time.Duration // of each copy
	Corrupt bool
	Bit     int // of the payload, if Corrupt
}

// Carry decides the fate of a frame by dice. A perfect link draws none.
func (l *Link) Carry(f *han.Frame, dice *rand.Rand) Fate {
	delay := l.Params.Delay(len(f.Payload)) + l.Params.Host + l.Delay
	fate := Fate{Copies: 1, Delay: [2]time.Duration{delay, delay}}
	if l.loses(len(f.Payload), dice) {
		return Fate{}
	}
	if draw(dice, l.Duplicate) {
		fate.Copies = 2
		fate.Delay[1] += delay
	}
	if l.Reorder > 0 {
		for i := range fate.Copies {
			if draw(dice, l.Reorder) {
				fate.Delay[i] += time.Duration(dice.Int64N(max(1, int64(l.ReorderBy))))
			}
		}
	}
	if draw(dice, l.Corrupt) && len(f.Payload) > 0 {
		fate.Corrupt, fate.Bit = true, dice.IntN(8*len(f.Payload))
	}
	return fate
}

// loses reports whether any fragment of a ZCL frame is lost.
func (l *Link) loses(zcl int, dice *rand.Rand) bool {
	if l.Loss == 0 && l.Bursts.Begin == 0 {
		return false
	}
	lost := false
	for range l.Params.Fragments(zcl) {
		lost = draw(dice, l.Bursts.loss(l.Loss, dice)) || lost
	}
	return lost
}

func draw(dice *rand.Rand, parts int) bool { return parts > 0 && dice.IntN(Million) < parts }
