// Package fault is the one vocabulary of what goes wrong in a home: in scenario files,
// over the interface of a laboratory, in tests, in virtual time and live.
//
//	kind         what happens                                   set by
//	power_cut    a node loses its power                         a cut, at an instant
//	partition    a node is cut off from the HAN                 for a time
//	battery_low  a meter's battery loses charge                 at an instant
//	loss         a frame does not arrive                        a share of frames
//	duplication  a frame arrives twice                          a share of frames
//	reordering   a frame is overtaken by later ones             a share of frames
//	corruption   one bit of a frame is turned, unnoticed        a share of frames
//	delay        a frame comes late                             a time, for every frame
//
// Shares are parts per million inside and percent for people. Whenever a fault
// strikes, the driver records it in the trace, see [Kind.Record].
package fault

import (
	"fmt"

	"github.com/commshub/commshub/internal/trace"
)

// Kind is a kind of fault. The zero Kind is not a kind.
type Kind uint8

// The kinds of fault.
const (
	_ Kind = iota
	PowerCut
	Partition
	BatteryLow
	Loss
	Duplication
	Reordering
	Corruption
	Delay

	kindEnd
)

// Kinds is the number of kinds, the zero one included, for tables indexed by kind.
const Kinds = int(kindEnd)

var kinds = [Kinds]struct {
	name   string
	record trace.Kind
}{
	PowerCut:    {"power_cut", trace.PowerCut},
	Partition:   {"partition", trace.PartitionStarted},
	BatteryLow:  {"battery_low", trace.BatteryDrained},
	Loss:        {"loss", trace.FrameLost},
	Duplication: {"duplication", trace.FrameDuplicated},
	Reordering:  {"reordering", trace.FrameReordered},
	Corruption:  {"corruption", trace.FrameCorrupted},
	Delay:       {"delay", trace.FrameDelayed},
}

// String returns the kind's name, as scenario files and the interface have it.
func (k Kind) String() string {
	if k == 0 || k >= kindEnd {
		return fmt.Sprintf("kind(%d)", uint8(k))
	}
	return kinds[k].name
}

// Record returns the kind of the records that tell that the fault struck.
func (k Kind) Record() trace.Kind { return kinds[k].record }

// Share is a share of frames, or of a battery, in parts per million: an integer, so
// that a simulation is the same on every processor.
type Share int

// Million is the whole.
const Million Share = 1_000_000

// Percent returns the share of so many percent.
func Percent(p float64) Share { return Share(p*float64(Million/100) + 0.5) }

// Percent returns the share in percent.
func (s Share) Percent() float64 { return float64(s) / float64(Million/100) }
