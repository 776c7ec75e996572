package battery

import (
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/commshub/commshub/han/phy"
)

// parameter is one figure of a set: how it is called in a file, what it means, and
// how its text gets into the set.
type parameter struct {
	name, means string
	set         func(s *Set, text string) error
}

// parameters are all figures of a set, in the order in which they are explained.
// The band comes before the figures that change its link.
var parameters = []parameter{
	{"cell.capacity", "charge of a new cell", number(capacities, func(s *Set) *int64 { return &s.CapacityMicroampHours })},
	{"cell.self-discharge", "what the cell itself loses", number(shares, func(s *Set) *int64 { return &s.SelfDischargeBasisPoints })},
	{"cell.base", "metrology, clock and display, always", number(sleepCurrents, func(s *Set) *int64 { return &s.BaseNanoamps })},
	{"cell.sleep", "processor and radio asleep", number(sleepCurrents, func(s *Set) *int64 { return &s.SleepNanoamps })},

	{"radio.band", "air times, listening, acknowledgements, duty cycle", setBand},
	{"radio.aps-security", "APS link-key security on each frame", choice("yes", "no", func(s *Set) *bool { return &s.Radio.APSSecurity })},
	{"radio.aps-ack", "an APS acknowledgement for each answer", choice("yes", "no", func(s *Set) *bool { return &s.Radio.APSAck })},
	{"radio.strategy", "how the meter gets answers", choice("listen", "poll", func(s *Set) *bool { return &s.Radio.Listening })},
	{"radio.host", "from a poll to the answer, receiver on", number(waits, func(s *Set) *time.Duration { return &s.Radio.Host })},
	{"radio.latency", "from a request to the answer being ready", number(waits, func(s *Set) *time.Duration { return &s.Radio.Latency })},
	{"radio.receive", "receiver on, with or without a frame", number(currents, func(s *Set) *int64 { return &s.ReceiveMicroamps })},
	{"radio.transmit", "transmitter on", number(currents, func(s *Set) *int64 { return &s.TransmitMicroamps })},

	{"processor.awake", "processor awake, radio off or in between", number(currents, func(s *Set) *int64 { return &s.ProcessorMicroamps })},
	{"processor.clock", "cycles per second", number(frequencies, func(s *Set) *int64 { return &s.ClockHertz })},
	{"processor.wake", "from sleep, per radio frame", number(waits, func(s *Set) *time.Duration { return &s.Wake })},
	{"processor.work", "handling, per ZCL frame", number(waits, func(s *Set) *time.Duration { return &s.FrameWork })},
	{"processor.hash", "SHA-256 of the image", number(cyclesPerByte, func(s *Set) *int64 { return &s.HashCycles })},
	{"processor.signature", "one ECDSA P-256 verification", number(cycles, func(s *Set) *int64 { return &s.VerifyCycles })},
	{"processor.reboot", "one start, processor awake", number(times, func(s *Set) *time.Duration { return &s.Reboot })},

	{"flash.current", "while programming or erasing", number(currents, func(s *Set) *int64 { return &s.FlashMicroamps })},
	{"flash.page", "unit of programming", number(sizes, func(s *Set) *int64 { return &s.PageSize })},
	{"flash.page-program", "programming a page", number(times, func(s *Set) *time.Duration { return &s.PageProgram })},
	{"flash.sector-erase", "erasing a sector", number(times, func(s *Set) *time.Duration { return &s.SectorErase })},
}

func parameterNamed(name string) (parameter, bool) {
	i := slices.IndexFunc(parameters, func(p parameter) bool { return p.name == name })
	if i < 0 {
		return parameter{}, false
	}
	return parameters[i], true
}

// scale is a kind of figure: its units with how many of a set's own units each
// is, the smallest last, and the range it may have. The ranges keep all products
// within 64 bits.
type scale struct {
	units       []unit
	least, most int64
}

type unit struct {
	name string
	size int64
}

var (
	timeUnits = []unit{{"s", 1_000_000_000}, {"ms", 1_000_000}, {"µs", 1_000}}

	capacities    = scale{[]unit{{"Ah", 1_000_000}, {"mAh", 1_000}, {"µAh", 1}}, 1_000, 1_000_000_000}
	shares        = scale{[]unit{{"%/year", 100}}, 0, 10_000}
	sleepCurrents = scale{[]unit{{"mA", 1_000_000}, {"µA", 1_000}, {"nA", 1}}, 0, 10_000_000}
	currents      = scale{[]unit{{"mA", 1_000}, {"µA", 1}}, 1, 1_000_000}
	waits         = scale{timeUnits, 0, 60_000_000_000}
	times         = scale{timeUnits, 1_000, 60_000_000_000}
	sizes         = scale{[]unit{{"B", 1}}, 1, 1 << 20}
	frequencies   = scale{[]unit{{"MHz", 1_000_000}, {"kHz", 1_000}}, 1_000, 10_000_000_000}
	cycles        = scale{[]unit{{"Mcycles", 1_000_000}, {"cycles", 1}}, 1, 1_000_000_000}
	cyclesPerByte = scale{[]unit{{"cycles/B", 1}}, 1, 500}
)

// number returns the setter of a decimal number with a unit.
func number[T ~int64](k scale, field func(*Set) *T) func(*Set, string) error {
	return func(s *Set, text string) error {
		figure, name, _ := strings.Cut(text, " ")
		i := slices.IndexFunc(k.units, func(u unit) bool { return u.name == name })
		value, ok := new(big.Rat).SetString(figure)
		if i < 0 || !ok || len(figure) > 20 || strings.Trim(figure, "0123456789.") != "" {
			return fmt.Errorf("%q: want a number and %s", text, unitNames(k.units))
		}
		value.Mul(value, new(big.Rat).SetInt64(k.units[i].size))
		smallest := k.units[len(k.units)-1]
		if !value.IsInt() || !value.Num().IsInt64() || value.Num().Int64() < k.least || value.Num().Int64() > k.most {
			return fmt.Errorf("%q: want %d to %d %s in whole steps", text, k.least/smallest.size, k.most/smallest.size, smallest.name)
		}
		*field(s) = T(value.Num().Int64())
		return nil
	}
}

func unitNames(units []unit) string {
	var names []string
	for _, u := range units {
		names = append(names, u.name)
	}
	return strings.Join(names, ", ")
}

// choice returns the setter of one of two words.
func choice(yes, no string, field func(*Set) *bool) func(*Set, string) error {
	return func(s *Set, text string) error {
		if text != yes && text != no {
			return fmt.Errorf("%q: want %s or %s", text, yes, no)
		}
		*field(s) = text == yes
		return nil
	}
}

func setBand(s *Set, text string) error {
	p, ok := phy.Band(text)
	if !ok {
		return fmt.Errorf("%q: want one of %s", text, strings.Join(phy.Bands(), ", "))
	}
	s.Radio = p
	return nil
}
