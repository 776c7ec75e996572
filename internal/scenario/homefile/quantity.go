package homefile

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/transport/fault"
)

// Number is a number without a unit.
type Number uint64

func (n *Number) set(text string) error {
	v, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		return errForm
	}
	*n = Number(v)
	return nil
}

func (*Number) form() form {
	return form{name: "number", want: "a whole number without a unit", pattern: `^[0-9]+$`, number: true}
}

// Size is a number of bytes.
type Size int

func (s *Size) set(text string) error {
	for _, u := range []struct {
		suffix string
		factor int64
	}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"kB", 1000}, {"MB", 1000_000}, {"", 1}} {
		number, ok := strings.CutSuffix(text, u.suffix)
		if !ok {
			continue
		}
		v, err := strconv.ParseUint(number, 10, 30)
		if err != nil || int64(v)*u.factor >= 1<<30 {
			return errForm
		}
		*s = Size(int64(v) * u.factor)
		return nil
	}
	return errForm
}

func (*Size) form() form {
	return form{name: "size", want: "bytes such as 262144, 256KiB or 750kB", pattern: `^[0-9]+(KiB|MiB|kB|MB)?$`, number: true}
}

// Duration is a time span. Days are 24 hours.
type Duration time.Duration

// durationUnits are the units, the largest first, as they may follow each other.
var durationUnits = []struct {
	suffix string
	unit   time.Duration
}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}, {"ms", time.Millisecond}}

func (d *Duration) set(text string) error {
	var sum time.Duration
	rest := text
	for _, u := range durationUnits {
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789."))
		if unit := leadingLetters(rest[digits:]); digits == 0 || unit != u.suffix {
			continue
		}
		v, ok := scaled(rest[:digits], 3)
		if !ok || v > int64(maxDuration/u.unit)*1000 {
			return errForm
		}
		sum += time.Duration(v) * (u.unit / 1000)
		rest = rest[digits+len(u.suffix):]
	}
	if rest != "" || text == "" {
		return errForm
	}
	*d = Duration(sum)
	return nil
}

// leadingLetters returns what stands before the next digit.
func leadingLetters(s string) string {
	if i := strings.IndexAny(s, "0123456789."); i >= 0 {
		return s[:i]
	}
	return s
}

func (*Duration) form() form {
	return form{name: "duration", want: "a duration such as 90s, 30m, 12h, 3d or 1d12h",
		pattern: `^([0-9.]+d)?([0-9.]+h)?([0-9.]+m)?([0-9.]+s)?([0-9.]+ms)?$`}
}

// Seconds returns a number of seconds, as reports have them, as a duration of whole ones.
func Seconds(v float64) Duration {
	return Duration(time.Duration(v * float64(time.Second)).Round(time.Second))
}

// String returns the duration as a scenario file writes it.
func (d Duration) String() string {
	if d == 0 {
		return "0s"
	}
	var b strings.Builder
	rest := time.Duration(d)
	for _, u := range durationUnits {
		if n := rest / u.unit; n > 0 {
			fmt.Fprintf(&b, "%d%s", n, u.suffix)
			rest -= n * u.unit
		}
	}
	return b.String()
}

// Step is a time span that may be negative.
type Step time.Duration

func (s *Step) set(text string) error {
	number, back := strings.CutPrefix(text, "-")
	var d Duration
	if err := d.set(number); err != nil {
		return err
	}
	if *s = Step(d); back {
		*s = -*s
	}
	return nil
}

func (*Step) form() form {
	return form{name: "step", want: "a step such as 90s or -30m",
		pattern: `^-?([0-9.]+d)?([0-9.]+h)?([0-9.]+m)?([0-9.]+s)?([0-9.]+ms)?$`}
}

// Share is a probability or another share of a whole, in parts per million.
type Share fault.Share

func (s *Share) set(text string) error {
	digits := 6
	number, percent := strings.CutSuffix(text, "%")
	if percent {
		digits = 4
	}
	v, ok := scaled(strings.TrimRight(number, " "), digits)
	if !ok || v > int64(fault.Million) {
		return errForm
	}
	*s = Share(v)
	return nil
}

// ParseShare reads a share as a scenario file writes it.
func ParseShare(text string) (Share, error) {
	var s Share
	if s.set(text) != nil {
		return 0, fmt.Errorf("%q: want %s", text, s.form().want)
	}
	return s, nil
}

// Percent returns the share in percent.
func (s Share) Percent() float64 { return fault.Share(s).Percent() }

func (*Share) form() form {
	return form{name: "share", want: "a share such as 10% or 0.1, at most 100%", pattern: `^[0-9]+(\.[0-9]+)?( *%)?$`, number: true}
}

// String returns the share in percent.
func (s Share) String() string {
	return strconv.FormatFloat(s.Percent(), 'f', -1, 64) + "%"
}

const fullCharge = Share(fault.Million)

// of returns this share of a charge.
func (s Share) of(c battery.Charge) battery.Charge {
	return c / battery.Charge(fault.Million) * battery.Charge(s)
}

// Of returns this share of a set's capacity.
func (s Share) Of(set *battery.Set) battery.Charge { return s.of(set.Capacity()) }

// Years is a time span in thousandths of a year of 365.25 days.
type Years int64

const yearThousandths = 1000

func (y *Years) set(text string) error {
	number, ok := strings.CutSuffix(text, "y")
	v, whole := scaled(strings.TrimRight(number, " "), 3)
	if !ok || !whole || v < 1 || v > 100*yearThousandths {
		return errForm
	}
	*y = Years(v)
	return nil
}

func (*Years) form() form {
	return form{name: "years", want: "years such as 10y or 10.5y, at most 100y", pattern: `^[0-9]+(\.[0-9]{1,3})? *y$`}
}

// Float returns the time span in years.
func (y Years) Float() float64 { return float64(y) / yearThousandths }

// String returns the time span as a scenario file writes it.
func (y Years) String() string { return strconv.FormatFloat(y.Float(), 'f', -1, 64) + "y" }

// Drift is what a clock gains per second, in parts per million.
type Drift int64

func (d *Drift) set(text string) error {
	number, ok := strings.CutSuffix(text, "ppm")
	v, err := strconv.ParseInt(strings.TrimRight(number, " "), 10, 32)
	if !ok || err != nil || v < -maxDrift || v > maxDrift {
		return errForm
	}
	*d = Drift(v)
	return nil
}

// maxDrift is more than any clock drifts.
const maxDrift = 10_000

func (*Drift) form() form {
	return form{name: "drift", want: "a drift such as 20ppm or -35ppm, at most 10000ppm", pattern: `^-?[0-9]+ *ppm$`}
}

// ChargePart is an amount of charge, in nanocoulombs or relative to the battery.
type ChargePart struct {
	Relative bool
	PPB      int64          // of the capacity, if Relative: parts per billion
	Absolute battery.Charge // otherwise
	text     string
}

func (c *ChargePart) set(text string) error {
	c.text = text
	if number, ok := strings.CutSuffix(text, "%"); ok {
		v, ok := scaled(strings.TrimRight(number, " "), 7)
		if !ok || v > 1_000_000_000 {
			return errForm
		}
		c.Relative, c.PPB = true, v
		return nil
	}
	for _, u := range []struct {
		suffix string
		unit   battery.Charge // a thousandth of the unit
	}{{"mAh", battery.MicroampHour}, {"uAh", battery.MicroampHour / 1000}, {"µAh", battery.MicroampHour / 1000}, {"Ah", 1000 * battery.MicroampHour}} {
		number, ok := strings.CutSuffix(text, u.suffix)
		if !ok {
			continue
		}
		v, ok := scaled(strings.TrimRight(number, " "), 3)
		if !ok || v > 1_000_000_000 {
			return errForm
		}
		c.Relative, c.Absolute = false, battery.Charge(v)*u.unit
		return nil
	}
	return errForm
}

func (*ChargePart) form() form {
	return form{name: "charge", want: "a charge such as 0.05%, 3mAh or 500uAh", pattern: `^[0-9]+(\.[0-9]+)? *(%|mAh|uAh|µAh|Ah)$`}
}

// String returns the charge as it was written.
func (c ChargePart) String() string { return c.text }

// Of returns the charge for a meter with a set.
func (c ChargePart) Of(set *battery.Set) battery.Charge {
	if c.Relative {
		return battery.Charge(int64(set.Capacity()) / 1_000_000_000 * c.PPB)
	}
	return c.Absolute
}
