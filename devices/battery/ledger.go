package battery

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/commshub/commshub/devices/flash"
	"github.com/commshub/commshub/han/phy"
)

// Ledger adds up what a meter spent since its cell was put in.
type Ledger struct {
	set     Set
	spent   [NumCauses]Charge
	total   Charge // of spent
	radioOn time.Duration
	since   time.Time // base load is accounted up to here
}

// NewLedger returns the ledger of a full cell put in at now.
func NewLedger(set Set, now time.Time) *Ledger { return &Ledger{set: set, since: now} }

// Set returns the parameter set.
func (l *Ledger) Set() *Set { return &l.set }

// Spent returns what was spent on one cause.
func (l *Ledger) Spent(c Cause) Charge { return l.spent[c] }

// Total returns what was spent altogether.
func (l *Ledger) Total() Charge { return l.total }

// book adds to what was spent on a cause.
func (l *Ledger) book(cause Cause, c Charge) {
	l.spent[cause] += c
	l.total += c
}

// Active returns what was spent on work, without the base load that flows whether
// or not the meter does anything, and what was drained by hand.
func (l *Ledger) Active() Charge {
	return l.Total() - l.spent[CauseSleep] - l.spent[CauseBase] - l.spent[CauseSelfDischarge] - l.spent[CauseDrained]
}

// Remaining returns what is left, at least 0.
func (l *Ledger) Remaining() Charge { return max(0, l.set.Capacity()-l.Total()) }

// RadioOn returns how long the radio was on altogether.
func (l *Ledger) RadioOn() time.Duration { return l.radioOn }

// Since returns up to when the base load is accounted.
func (l *Ledger) Since() time.Time { return l.since }

// Elapse accounts the base load and self-discharge up to now.
func (l *Ledger) Elapse(now time.Time) {
	ms := now.Sub(l.since).Milliseconds()
	if ms <= 0 {
		return
	}
	l.since = l.since.Add(time.Duration(ms) * time.Millisecond)
	l.book(CauseSleep, Charge(l.set.SleepNanoamps*ms/1000))
	l.book(CauseBase, Charge(l.set.BaseNanoamps*ms/1000))
	l.book(CauseSelfDischarge, l.set.selfDischarge(ms))
}

// selfDischarge returns what the cell itself loses in ms milliseconds. The loss
// is taken as linear in time and relative to the capacity of a new cell.
func (s *Set) selfDischarge(ms int64) Charge {
	const hoursPerYear, msPerHour = 8766, 3_600_000
	perHour := s.Capacity() / 10_000 * Charge(s.SelfDischargeBasisPoints) / hoursPerYear
	return perHour*Charge(ms/msPerHour) + perHour*Charge(ms%msPerHour)/msPerHour
}

// Radio accounts a radio operation.
func (l *Ledger) Radio(c phy.Cost) {
	l.radioOn += c.RadioOn()
	l.book(CauseTransmit, over(l.set.TransmitMicroamps, c.Transmit))
	l.book(CauseListen, over(l.set.ReceiveMicroamps, c.Listen))
	l.book(CauseReceive, over(l.set.ReceiveMicroamps, c.Receive))
	l.book(CauseProcessor, over(l.set.ProcessorMicroamps, l.set.processorTime(c)))
}

// Flash accounts what a part did between two readings of its statistics.
// Programming less than a page costs in proportion to the bytes.
func (l *Ledger) Flash(before, after flash.Stats) {
	program := time.Duration(after.BytesWritten-before.BytesWritten) * l.set.PageProgram / time.Duration(l.set.PageSize)
	erase := time.Duration(after.Erases-before.Erases) * l.set.SectorErase
	l.book(CauseFlash, over(l.set.FlashMicroamps, program+erase))
}

// Hash accounts hashing n bytes.
func (l *Ledger) Hash(n int) {
	l.book(CauseHash, over(l.set.ProcessorMicroamps, l.set.cycleTime(int64(n)*l.set.HashCycles)))
}

// Check accounts reading n stored bytes to see that they are what was stored. It counts
// a checksum like a hash, which is more than it takes.
func (l *Ledger) Check(n int) {
	l.book(CauseCheck, over(l.set.ProcessorMicroamps, l.set.cycleTime(int64(n)*l.set.HashCycles)))
}

// Verify accounts n signature verifications, or signatures made, or keys agreed on, which
// are counted like one. Divergence: a part with an accelerator does each in another time.
func (l *Ledger) Verify(n int) {
	l.book(CauseSignature, over(l.set.ProcessorMicroamps, l.set.cycleTime(int64(n)*l.set.VerifyCycles)))
}

// Reboot accounts a start of the processor.
func (l *Ledger) Reboot() {
	l.book(CauseReboot, over(l.set.ProcessorMicroamps, l.set.Reboot))
}

// Drain spends charge on behalf of a test that wants a battery in use.
func (l *Ledger) Drain(c Charge) { l.book(CauseDrained, c) }

// Percent returns the charge left in percent of a new cell, rounded down.
func (l *Ledger) Percent() uint8 {
	return uint8(l.Remaining() / (l.set.Capacity() / 100))
}

// PercentLeft returns the charge left in percent of a new cell, for display.
func (l *Ledger) PercentLeft() float64 {
	return 100 * float64(l.Remaining()) / float64(l.set.Capacity())
}

// DaysLeft returns how many days the rest lasts at the base load, self-discharge
// and the given charge per heartbeat period.
func (l *Ledger) DaysLeft(perPeriod Charge, period time.Duration) int64 {
	return int64(l.Remaining() / max(1, l.set.Day(perPeriod, period)))
}

// Day returns what a day costs at the base load, self-discharge and the given
// charge per heartbeat period.
func (s *Set) Day(perPeriod Charge, period time.Duration) Charge {
	const dayMS = 24 * 3600 * 1000
	day := Charge((s.SleepNanoamps+s.BaseNanoamps)*dayMS/1000) + s.selfDischarge(dayMS)
	if period > 0 {
		day += perPeriod * Charge(24*time.Hour/period)
	}
	return day
}

const ledgerLayout = 1

// Append appends the ledger for storage: layout(1), number of causes(1), what each of
// them took(8), radio-on time in nanoseconds(8) and the accounted instant in Unix
// microseconds(8), little-endian.
func (l *Ledger) Append(b []byte) []byte {
	b = append(b, ledgerLayout, byte(NumCauses))
	for _, c := range l.spent {
		b = binary.LittleEndian.AppendUint64(b, uint64(c))
	}
	b = binary.LittleEndian.AppendUint64(b, uint64(l.radioOn))
	return binary.LittleEndian.AppendUint64(b, uint64(l.since.UnixMicro()))
}

// Restore takes over a stored ledger. One stored before a cause was added has nothing
// spent on it; one that this release cannot read is refused, and the ledger stays as
// it is.
func (l *Ledger) Restore(b []byte) error {
	const head = 2
	if len(b) < head || b[0] != ledgerLayout || b[1] > byte(NumCauses) || len(b) != head+8*(int(b[1])+2) {
		return fmt.Errorf("battery's ledger: %d bytes, want layout %d with at most %d causes", len(b), ledgerLayout, NumCauses)
	}
	stored := int(b[1])
	b = b[head:]
	next := func() int64 {
		v := int64(binary.LittleEndian.Uint64(b))
		b = b[8:]
		return v
	}
	l.spent, l.total = [NumCauses]Charge{}, 0
	for i := range stored {
		l.book(Cause(i), Charge(next()))
	}
	l.radioOn = time.Duration(next())
	l.since = time.UnixMicro(next()).UTC()
	return nil
}
