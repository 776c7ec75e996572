package battery

import (
	"time"

	"github.com/commshub/commshub/han/phy"
)

// Set is the parameter set of one kind of meter: its cell, its radio and its
// processor.
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

	Wake         time.Duration // crystal start, per frame handled
	FrameWork    time.Duration // processor time per frame handled
	PageProgram  time.Duration // per PageSize bytes
	PageSize     int64
	SectorErase  time.Duration
	ClockHertz   int64
	HashCycles   int64 // per byte, SHA-256
	VerifyCycles int64 // per ECDSA P-256 verification
	Reboot       time.Duration
}

// Default returns the set 2.4ghz-new: a current 2.4 GHz system-on-chip on a 19 Ah
// lithium cell. docs/energy.md has the source of each number.
func Default() Set {
	return Set{
		Name:                     "2.4ghz-new",
		Radio:                    phy.Band2G4(),
		CapacityMicroampHours:    19_000_000,
		SelfDischargeBasisPoints: 100,
		SleepNanoamps:            1_300,
		BaseNanoamps:             40_000,
		TransmitMicroamps:        5_000,
		ReceiveMicroamps:         5_100,
		ProcessorMicroamps:       1_300,
		FlashMicroamps:           15_000,
		Wake:                     time.Millisecond,
		FrameWork:                time.Millisecond,
		PageProgram:              1400 * time.Microsecond,
		PageSize:                 256,
		SectorErase:              60 * time.Millisecond,
		ClockHertz:               39_000_000,
		HashCycles:               195,
		VerifyCycles:             30_000_000,
		Reboot:                   2 * time.Second,
	}
}

// Capacity returns what a new cell holds.
func (s *Set) Capacity() Charge { return Charge(s.CapacityMicroampHours) * MicroampHour }

// RadioCharge returns what a radio operation costs, the processor's share included.
func (s *Set) RadioCharge(c phy.Cost) Charge {
	return over(s.TransmitMicroamps, c.Transmit) + over(s.ReceiveMicroamps, c.Listen+c.Receive) +
		over(s.ProcessorMicroamps, s.processorTime(c))
}

func (s *Set) processorTime(c phy.Cost) time.Duration {
	return c.Backoff + time.Duration(c.Frames)*(s.Wake+s.FrameWork)
}

func (s *Set) cycles(n int64) time.Duration {
	return time.Duration(n * int64(time.Second) / s.ClockHertz)
}
