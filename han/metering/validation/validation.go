// Package validation judges what a meter reports before anybody believes it. One set of
// rules holds for the mirror of a gas meter and for the readings of an electricity meter.
//
//	report ──► Readings.Take ──► believed: shown, stored, the base of the next
//	                         └─► held: apart, with the rule that it breaks
//	an operator ──► Readings.Accept: what is held is believed after all
//
// Divergence: the rules are ours. What meter data management calls validation is done by
// suppliers, by rules of their own; GBCS and CHTS have a mirror show what came.
package validation

import (
	"fmt"
	"time"

	"github.com/commshub/commshub/han/metering"
	"github.com/commshub/commshub/han/zcl"
)

// Limits are what the rules need to know of a supply.
type Limits struct {
	// PerHour is the most that the supply can deliver, in thousandths of the register's
	// unit: litres of gas, watt-hours.
	PerHour uint64
	// Tolerance is how far clocks may be apart, and how much longer than another a report
	// may be on its way.
	Tolerance time.Duration
}

// Check refuses limits that nothing could keep, or that cannot be reckoned with.
func (l Limits) Check() error {
	if l.PerHour < 1 || l.PerHour > MaxPerHour {
		return fmt.Errorf("%d an hour, want 1 to %d thousandths of the register's unit", l.PerHour, MaxPerHour)
	}
	if l.Tolerance < 0 || l.Tolerance > maxTolerance {
		return fmt.Errorf("a tolerance of %v, want 0s to %v", l.Tolerance, maxTolerance)
	}
	return nil
}

// MaxPerHour is the highest limit that can be reckoned with.
const MaxPerHour = 1_000_000_000

const (
	maxTolerance = 24 * time.Hour
	// longest is the time between two readings that is reckoned with.
	longest = 100 * 366 * 24 * time.Hour
)

// DefaultTolerance is far more than clocks in the HAN are apart, and far less than a
// heartbeat.
const DefaultTolerance = 10 * time.Minute

// DefaultGas is a domestic supply: a G4 meter passes at most 6 m³ an hour (U6), and a
// quarter more is believed.
func DefaultGas() Limits { return Limits{PerHour: 7_500, Tolerance: DefaultTolerance} }

// DefaultElectricity is a single phase with a fuse of 100 A at the highest voltage that is
// allowed, 230 V + 10 %.
func DefaultElectricity() Limits { return Limits{PerHour: 25_300, Tolerance: DefaultTolerance} }

// Rule is a rule of the table.
type Rule uint8

// The rules, in the order in which they are asked.
const (
	Kept Rule = iota // none is broken
	WrongType
	Invalid
	OutOfRange
	AnotherScale
	Backwards
	BeyondSupply
	InTheFuture
	BeforeTheLast

	ruleEnd
)

// rules says how each is called and why it is there, and whether a reading that breaks it
// can be true, so that an operator may accept it.
var rules = [ruleEnd]struct {
	name, reason string
	acceptable   bool
}{
	Kept:          {name: "kept"},
	WrongType:     {"type", "the attribute has another data type", false},
	Invalid:       {"invalid", "it is the value that stands for no value", false},
	OutOfRange:    {"range", "the attribute has no such value", false},
	AnotherScale:  {"scale", "unit, multiplier and divisor of a meter do not change", true},
	Backwards:     {"backwards", "a register never goes back, but for another meter's", true},
	BeyondSupply:  {"supply", "the supply cannot have delivered that since the last reading", true},
	InTheFuture:   {"future", "it was taken at a time that is still to come", true},
	BeforeTheLast: {"order", "it was taken before the reading that came before it", true},
}

// String returns the rule's name.
func (r Rule) String() string { return rules[r].name }

// Reason says why the rule is there.
func (r Rule) Reason() string { return rules[r].reason }

// Acceptable reports whether what breaks the rule may be true after all.
func (r Rule) Acceptable() bool { return rules[r].acceptable }

// ParseRule returns the rule with a name.
func ParseRule(name string) (Rule, bool) {
	for r := range rules {
		if rules[r].name == name {
			return Rule(r), true
		}
	}
	return Kept, false
}

// attributes are those that there are rules for, ascending.
var attributes = []struct {
	id        uint16
	kind      zcl.DataType
	low, high uint64 // of a number that has no sign
	scale     bool
}{
	{id: metering.AttributeCurrentSummationDelivered, kind: zcl.TypeUint48, high: 1<<48 - 2},
	{id: metering.AttributeReadingSnapshotTime, kind: zcl.TypeUTCTime, high: 1<<32 - 2},
	{id: metering.AttributeSupplyStatus, kind: zcl.TypeEnum8, high: uint64(metering.SupplyOn)},
	{id: metering.AttributeStatus, kind: zcl.TypeBitmap8, high: 1<<8 - 1},
	{id: metering.AttributeRemainingBatteryLife, kind: zcl.TypeUint8, high: 100},
	{id: metering.AttributeRemainingBatteryLifeInDays, kind: zcl.TypeUint16, high: 1<<16 - 2},
	{id: metering.AttributeCurrentMeterID, kind: zcl.TypeOctetString},
	{id: metering.AttributeUnitOfMeasure, kind: zcl.TypeEnum8, high: 1<<8 - 2, scale: true},
	{id: metering.AttributeMultiplier, kind: zcl.TypeUint24, low: 1, high: 1<<24 - 2, scale: true},
	{id: metering.AttributeDivisor, kind: zcl.TypeUint24, low: 1, high: 1<<24 - 2, scale: true},
	{id: metering.AttributeInstantaneousDemand, kind: zcl.TypeInt24},
}

// judge returns the rule that a value breaks, against what is believed so far.
func (r *Readings) judge(now time.Time, a *zcl.Attribute, l Limits) Rule {
	for i := range attributes {
		at := &attributes[i]
		if at.id != a.ID {
			continue
		}
		switch {
		case a.Value.Type != at.kind:
			return WrongType
		case invalid(a.Value):
			return Invalid
		case at.high > 0 && (a.Value.Number < at.low || a.Value.Number > at.high):
			return OutOfRange
		case at.scale:
			return r.judgeScale(a)
		default:
			return r.judgeCourse(now, a, l)
		}
	}
	return Kept
}

// invalid reports whether a value is the one of its type that stands for none (ZCL §2.6.2).
func invalid(v zcl.Value) bool {
	switch v.Type {
	case zcl.TypeOctetString:
		return v.Bytes == nil
	case zcl.TypeInt24:
		return v.Int() == -1<<23
	case zcl.TypeUint8, zcl.TypeEnum8:
		return v.Number == 1<<8-1
	case zcl.TypeUint16:
		return v.Number == 1<<16-1
	case zcl.TypeUint24:
		return v.Number == 1<<24-1
	case zcl.TypeUTCTime:
		return v.Number == 1<<32-1
	case zcl.TypeUint48:
		return v.Number == 1<<48-1
	default:
		return false // a bitmap has no such value
	}
}

func (r *Readings) judgeScale(a *zcl.Attribute) Rule {
	if last, ok := r.Attribute(a.ID); ok && last.Number != a.Value.Number {
		return AnotherScale
	}
	return Kept
}

// judgeCourse judges what has a course: it depends on time, and on the reading before.
func (r *Readings) judgeCourse(now time.Time, a *zcl.Attribute, l Limits) Rule {
	last, before := r.Attribute(a.ID)
	switch a.ID {
	case metering.AttributeCurrentSummationDelivered:
		if !before {
			return Kept
		}
		if a.Value.Number < last.Number {
			return Backwards
		}
		passed := min(max(0, now.Sub(r.RegisterAt)), longest)
		if !r.delivers(l, a.Value.Number-last.Number, passed+l.Tolerance) {
			return BeyondSupply
		}
	case metering.AttributeInstantaneousDemand:
		if demand := a.Value.Int(); !r.delivers(l, uint64(max(demand, -demand)), time.Hour) {
			return BeyondSupply
		}
	case metering.AttributeReadingSnapshotTime:
		if zcl.UTCTime(a.Value.Number).Time().After(now.Add(l.Tolerance)) {
			return InTheFuture
		}
		if before && a.Value.Number < last.Number {
			return BeforeTheLast
		}
	}
	return Kept
}
