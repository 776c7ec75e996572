package battery

import (
	"time"

	"github.com/commshub/commshub/han/phy"
)

// Set is the parameter set of one kind of meter: its cell, its radio and its
// processor. The sets that come with the program are files in sets, with the
// source of each figure; see [Named] and [ParseModel].
type Set struct {
	Name  string
	Radio phy.Params

	CapacityMicroampHours int64
	// SelfDischargeBasisPoints is the share of the capacity lost per year, 100 = 1 %.
	SelfDischargeBasisPoints int64

	SleepNanoamps      int64 // processor and radio asleep
	BaseNanoamps       int64 // metrology, clock, display: always
	TransmitMicroamps  int64
	ReceiveMicroamps   int64
	ProcessorMicroamps int64
	FlashMicroamps     int64 // while programming or erasing

	Wake         time.Duration // crystal start, per radio frame
	FrameWork    time.Duration // processor time per ZCL frame handled
	PageProgram  time.Duration // per PageSize bytes
	PageSize     int64
	SectorErase  time.Duration
	ClockHertz   int64
	HashCycles   int64 // per byte, SHA-256
	VerifyCycles int64 // per ECDSA P-256 verification
	Reboot       time.Duration
}

// Capacity returns what a new cell holds.
func (s *Set) Capacity() Charge { return Charge(s.CapacityMicroampHours) * MicroampHour }

// RadioCharge returns what a radio operation costs, the processor's share included.
func (s *Set) RadioCharge(c phy.Cost) Charge {
	return over(s.TransmitMicroamps, c.Transmit) + over(s.ReceiveMicroamps, c.Listen+c.Receive) +
		over(s.ProcessorMicroamps, s.processorTime(c))
}

func (s *Set) processorTime(c phy.Cost) time.Duration {
	return c.Backoff + time.Duration(c.Wakes)*s.Wake + time.Duration(c.Frames)*s.FrameWork
}

// cycleTime returns how long the processor takes for n cycles.
func (s *Set) cycleTime(n int64) time.Duration {
	return time.Duration(n * int64(time.Second) / s.ClockHertz)
}
