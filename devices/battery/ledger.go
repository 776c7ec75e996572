package battery

import (
	"encoding/binary"
	"time"

	"github.com/commshub/commshub/devices/flash"
	"github.com/commshub/commshub/han/phy"
)

// Ledger adds up what a meter spent since its cell was put in.
type Ledger struct {
	set     Set
	spent   [numCauses]Charge
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
func (l *Ledger) Total() Charge {
	var sum Charge
	for _, c := range l.spent {
		sum += c
	}
	return sum
}

// Active returns what was spent on work, without the base load that flows whether
// or not the meter does anything.
func (l *Ledger) Active() Charge {
	return l.Total() - l.spent[CauseSleep] - l.spent[CauseBase] - l.spent[CauseSelfDischarge]
}

// Remaining returns what is left, at least 0.
func (l *Ledger) Remaining() Charge { return max(0, l.set.Capacity()-l.Total()) }

// RadioOn returns how long the radio was on altogether.
func (l *Ledger) RadioOn() time.Duration { return l.radioOn }

// Elapse accounts the base load and self-discharge up to now.
func (l *Ledger) Elapse(now time.Time) {
	ms := now.Sub(l.since).Milliseconds()
	if ms <= 0 {
		return
	}
	l.since = l.since.Add(time.Duration(ms) * time.Millisecond)
	l.spent[CauseSleep] += Charge(l.set.SleepNanoamps * ms / 1000)
	l.spent[CauseBase] += Charge(l.set.BaseNanoamps * ms / 1000)
	l.spent[CauseSelfDischarge] += l.set.selfDischarge(ms)
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
	l.spent[CauseTransmit] += over(l.set.TransmitMicroamps, c.Transmit)
	l.spent[CauseListen] += over(l.set.ReceiveMicroamps, c.Listen)
	l.spent[CauseReceive] += over(l.set.ReceiveMicroamps, c.Receive)
	l.spent[CauseProcessor] += over(l.set.ProcessorMicroamps, l.set.processorTime(c))
}

// Flash accounts what a part did between two readings of its statistics.
// Programming less than a page costs in proportion to the bytes.
func (l *Ledger) Flash(before, after flash.Stats) {
	program := time.Duration(after.BytesWritten-before.BytesWritten) * l.set.PageProgram / time.Duration(l.set.PageSize)
	erase := time.Duration(after.Erases-before.Erases) * l.set.SectorErase
	l.spent[CauseFlash] += over(l.set.FlashMicroamps, program+erase)
}

// Hash accounts hashing n bytes.
func (l *Ledger) Hash(n int) {
	l.spent[CauseHash] += over(l.set.ProcessorMicroamps, l.set.cycleTime(int64(n)*l.set.HashCycles))
}

// Verify accounts n signature verifications.
func (l *Ledger) Verify(n int) {
	l.spent[CauseSignature] += over(l.set.ProcessorMicroamps, l.set.cycleTime(int64(n)*l.set.VerifyCycles))
}

// Reboot accounts a start of the processor.
func (l *Ledger) Reboot() {
	l.spent[CauseReboot] += over(l.set.ProcessorMicroamps, l.set.Reboot)
}

// Drain spends charge on behalf of a test that wants a battery in use.
func (l *Ledger) Drain(c Charge) { l.spent[CauseBase] += c }

// Percent returns the charge left in percent of a new cell, rounded down.
func (l *Ledger) Percent() uint8 {
	return uint8(l.Remaining() / (l.set.Capacity() / 100))
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

const ledgerSize = 8 * (int(numCauses) + 2)

// Append appends the ledger for storage: the causes in order, radio-on time in
// nanoseconds and the accounted instant in Unix microseconds, little-endian.
func (l *Ledger) Append(b []byte) []byte {
	for _, c := range l.spent {
		b = binary.LittleEndian.AppendUint64(b, uint64(c))
	}
	b = binary.LittleEndian.AppendUint64(b, uint64(l.radioOn))
	return binary.LittleEndian.AppendUint64(b, uint64(l.since.UnixMicro()))
}

// Restore takes over a stored ledger; one of another size is ignored.
func (l *Ledger) Restore(b []byte) {
	if len(b) != ledgerSize {
		return
	}
	next := func() int64 {
		v := int64(binary.LittleEndian.Uint64(b))
		b = b[8:]
		return v
	}
	for i := range l.spent {
		l.spent[i] = Charge(next())
	}
	l.radioOn = time.Duration(next())
	l.since = time.UnixMicro(next()).UTC()
}
