package metering

import (
	"encoding/binary"
	"fmt"
	"time"
)

// Manufacturer is the code under which a battery meter reports what Zigbee has no
// attributes for: that of tests, because no public GB attribute is known.
//
// Divergence: AttributeConsumption is ours.
const Manufacturer uint16 = 0xFFF1

// AttributeConsumption is a [Consumption], an octet string, of the attributes of
// Manufacturer.
const AttributeConsumption uint16 = 0x4000

// Consumption is what a battery meter spent, by its own account, up to the end of a
// window. Its last report counts: sums are since the cell was put in.
type Consumption struct {
	Capacity uint64 // of a new cell, milliampere-hours
	Day      uint64 // what an ordinary day takes, in units of ChargeUnit
	// Charge is what was spent, by cause, in units of ChargeUnit. The causes are
	// numbered as docs/wire.md lists them.
	Charge  [MaxCauses]uint64
	Causes  int           // how many of them the meter tells apart
	RadioOn time.Duration // in whole milliseconds
	// WindowCharge and WindowRadioOn are what work took in the window, this report
	// left out: in nanocoulombs, and in whole microseconds.
	WindowCharge  uint64
	WindowRadioOn time.Duration
}

// ChargeUnit is the unit of sums of charge in nanocoulombs.
const ChargeUnit = 10_000

// MaxCauses is how many causes a consumption tells apart at most, and MaxConsumption
// its longest form in bytes.
const (
	MaxCauses      = 24
	MaxConsumption = 255
)

const consumptionVersion = 1

// Append appends version(1) ‖ number of causes(1) ‖ capacity ‖ day ‖ charge by cause ‖
// radio-on time ‖ charge of the window ‖ radio-on time of the window, the numbers
// from the third on in LEB128.
func (c *Consumption) Append(b []byte) []byte {
	b = append(b, consumptionVersion, byte(c.Causes))
	b = binary.AppendUvarint(b, c.Capacity)
	b = binary.AppendUvarint(b, c.Day)
	for _, v := range c.Charge[:c.Causes] {
		b = binary.AppendUvarint(b, v)
	}
	b = binary.AppendUvarint(b, uint64(c.RadioOn/time.Millisecond))
	b = binary.AppendUvarint(b, c.WindowCharge)
	return binary.AppendUvarint(b, uint64(c.WindowRadioOn/time.Microsecond))
}

// ParseConsumption reads the octet string. A version that is not known is refused;
// bytes behind the last number are a later revision's and ignored.
func ParseConsumption(b []byte) (Consumption, error) {
	const most = 1 << 53 // what a number in JSON holds
	if len(b) < 2 || b[0] != consumptionVersion || b[1] > MaxCauses {
		return Consumption{}, fmt.Errorf("parse consumption: % x: want version %d and at most %d causes", b[:min(2, len(b))], consumptionVersion, MaxCauses)
	}
	rest, ok := b[2:], true
	next := func() uint64 {
		v, n := binary.Uvarint(rest)
		if n <= 0 || v > most {
			ok = false
			return 0
		}
		rest = rest[n:]
		return v
	}
	c := Consumption{Causes: int(b[1]), Capacity: next(), Day: next()}
	for i := range c.Causes {
		c.Charge[i] = next()
	}
	radioOn := next()
	c.WindowCharge = next()
	windowRadioOn := next()
	const longest = 1 << 42 // milliseconds and microseconds that a duration holds
	if !ok || radioOn > longest || windowRadioOn > longest {
		return Consumption{}, fmt.Errorf("parse consumption: a number of %d bytes is cut short or too large", len(b))
	}
	c.RadioOn, c.WindowRadioOn = time.Duration(radioOn)*time.Millisecond, time.Duration(windowRadioOn)*time.Microsecond
	return c, nil
}
