package validation_test

import (
	"strings"
	"testing"
	"time"

	"github.com/commshub/commshub/han/metering"
	"github.com/commshub/commshub/han/metering/validation"
	"github.com/commshub/commshub/han/zcl"
)

var start = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)

const (
	register = metering.AttributeCurrentSummationDelivered
	battery  = metering.AttributeRemainingBatteryLife
	days     = metering.AttributeRemainingBatteryLifeInDays
	taken    = metering.AttributeReadingSnapshotTime
)

func attribute(id uint16, t zcl.DataType, n uint64) zcl.Attribute {
	return zcl.Attribute{ID: id, Value: zcl.Value{Type: t, Number: n}}
}

func count(n uint64) zcl.Attribute { return attribute(register, zcl.TypeUint48, n) }

// meter is a gas meter whose register is believed to be 123,456 litres.
func meter(t *testing.T) *validation.Readings {
	t.Helper()
	r := &validation.Readings{}
	at := uint64(zcl.UTCTimeOf(start))
	for _, a := range []zcl.Attribute{
		count(123_456), attribute(battery, zcl.TypeUint8, 90), attribute(taken, zcl.TypeUTCTime, at),
		attribute(metering.AttributeUnitOfMeasure, zcl.TypeEnum8, uint64(metering.UnitCubicMetres)),
		attribute(metering.AttributeDivisor, zcl.TypeUint24, 1000),
	} {
		take(t, r, 0, a)
	}
	if len(r.Held) > 0 || len(r.Attributes) != 5 {
		t.Fatalf("a new meter: %+v", r)
	}
	return r
}

// take has the readings take an attribute some time after the start.
func take(t *testing.T, r *validation.Readings, after time.Duration, a zcl.Attribute) {
	t.Helper()
	if err := r.Take(start.Add(after), &a, validation.DefaultGas()); err != nil {
		t.Fatal(err)
	}
}

func TestRules(t *testing.T) {
	const half = 30 * time.Minute
	text := zcl.Attribute{ID: register, Value: zcl.Value{Type: zcl.TypeCharString, Bytes: []byte("123457")}}
	none := zcl.Attribute{ID: metering.AttributeCurrentMeterID, Value: zcl.Value{Type: zcl.TypeOctetString}}
	version := zcl.Attribute{ID: metering.AttributeCurrentMeterID, Value: zcl.Value{Type: zcl.TypeOctetString, Bytes: []byte{0, 0, 0, 2}}}
	seconds := func(d time.Duration) uint64 { return uint64(zcl.UTCTimeOf(start.Add(d))) }
	for _, tt := range []struct {
		name  string
		after time.Duration
		say   zcl.Attribute
		rule  validation.Rule
	}{
		{"a register that stands", half, count(123_456), validation.Kept},
		{"a register that went on", half, count(123_600), validation.Kept},
		{"all that the supply delivers", half, count(123_456 + 5_000), validation.Kept},
		{"a litre more", half, count(123_456 + 5_001), validation.BeyondSupply},
		{"a register after a year of silence", 365 * 24 * time.Hour, count(50_000_000), validation.Kept},
		{"the same a day later", 24 * time.Hour, count(50_000_000), validation.BeyondSupply},
		{"a register that goes back", half, count(123_455), validation.Backwards},
		{"a meter that was reset", half, count(0), validation.Backwards},
		{"a clock that went back", -half, count(123_457), validation.Kept},
		{"2^48-1", half, count(1<<48 - 1), validation.Invalid},
		{"2^48-2", half, count(1<<48 - 2), validation.BeyondSupply},
		{"text for a number", half, text, validation.WrongType},
		{"a shorter number", half, attribute(register, zcl.TypeUint32, 123_457), validation.WrongType},
		{"a battery of 100 %", half, attribute(battery, zcl.TypeUint8, 100), validation.Kept},
		{"a battery of 250 %", half, attribute(battery, zcl.TypeUint8, 250), validation.OutOfRange},
		{"no battery", half, attribute(battery, zcl.TypeUint8, 255), validation.Invalid},
		{"the most days", half, attribute(days, zcl.TypeUint16, 0xFFFE), validation.Kept},
		{"no days", half, attribute(days, zcl.TypeUint16, 0xFFFF), validation.Invalid},
		{"a supply status that there is not", half, attribute(metering.AttributeSupplyStatus, zcl.TypeEnum8, 3), validation.OutOfRange},
		{"no version", half, none, validation.Invalid},
		{"a version", half, version, validation.Kept},
		{"a divisor of 0", half, attribute(metering.AttributeDivisor, zcl.TypeUint24, 0), validation.OutOfRange},
		{"another divisor", half, attribute(metering.AttributeDivisor, zcl.TypeUint24, 100), validation.AnotherScale},
		{"the same divisor", half, attribute(metering.AttributeDivisor, zcl.TypeUint24, 1000), validation.Kept},
		{"a first multiplier", half, attribute(metering.AttributeMultiplier, zcl.TypeUint24, 1), validation.Kept},
		{"kWh of a gas meter", half, attribute(metering.AttributeUnitOfMeasure, zcl.TypeEnum8, 0), validation.AnotherScale},
		{"taken now", half, attribute(taken, zcl.TypeUTCTime, seconds(half)), validation.Kept},
		{"taken by a clock that is fast", half, attribute(taken, zcl.TypeUTCTime, seconds(half+10*time.Minute)), validation.Kept},
		{"taken in the future", half, attribute(taken, zcl.TypeUTCTime, seconds(half+10*time.Minute+time.Second)), validation.InTheFuture},
		{"taken before the last", half, attribute(taken, zcl.TypeUTCTime, seconds(-time.Second)), validation.BeforeTheLast},
		{"an attribute without rules", half, attribute(0x0B00, zcl.TypeUint8, 255), validation.Kept},
		{"a demand", half, attribute(metering.AttributeInstantaneousDemand, zcl.TypeInt24, 7_500), validation.Kept},
		{"a demand beyond the supply", half, attribute(metering.AttributeInstantaneousDemand, zcl.TypeInt24, ^uint64(7_501-1)), validation.BeyondSupply},
		{"no demand", half, attribute(metering.AttributeInstantaneousDemand, zcl.TypeInt24, ^uint64(1<<23-1)), validation.Invalid},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := meter(t)
			before, _ := r.Attribute(tt.say.ID)
			take(t, r, tt.after, tt.say)
			got, _ := r.Attribute(tt.say.ID)
			if tt.rule == validation.Kept {
				if len(r.Held) > 0 || got.Number != tt.say.Value.Number || r.Doubted() {
					t.Fatalf("believed is %+v, held %+v", got, r.Held)
				}
				return
			}
			if len(r.Held) != 1 || r.Held[0].Rule != tt.rule || r.Held[0].Attribute.Value.Number != tt.say.Value.Number || !r.Doubted() {
				t.Fatalf("held %+v, want the rule %s", r.Held, tt.rule)
			}
			if got.Number != before.Number || got.Type != before.Type || r.RegisterAt != start {
				t.Errorf("believed is %+v of %v, want %+v", got, r.RegisterAt, before)
			}
		})
	}
}

// TestAHeldReadingIsNeverTheBase: whatever is held, the next is judged by what was
// believed.
func TestAHeldReadingIsNeverTheBase(t *testing.T) {
	r := meter(t)
	for i, n := range []uint64{5, 6, 7, 900_000_000, 900_000_001} {
		take(t, r, time.Duration(i)*time.Minute, count(n))
		if v, _ := r.Attribute(register); v.Number != 123_456 {
			t.Fatalf("%d is believed", v.Number)
		}
	}
	if h := r.Held[0]; h.Count != 5 || !h.Since.Equal(start) || !h.At.Equal(start.Add(4*time.Minute)) || h.Attribute.Value.Number != 900_000_001 {
		t.Errorf("held is %+v", h)
	}
	take(t, r, time.Hour, count(123_500))
	if v, _ := r.Attribute(register); v.Number != 123_500 || r.Doubted() || !r.Held[0].Over {
		t.Errorf("believed is %d, held %+v", v.Number, r.Held)
	}
}

// TestAReadingThatFlickersIsOneMatterADay.
func TestAReadingThatFlickersIsOneMatterADay(t *testing.T) {
	r := meter(t)
	for hour := range 25 {
		at := time.Duration(hour) * time.Hour
		take(t, r, at, attribute(battery, zcl.TypeUint8, 250))
		want := validation.Held{Since: start, Count: uint32(hour) + 1}
		if hour == 24 {
			want = validation.Held{Since: start.Add(at), Count: 1}
		}
		if h := r.Held[0]; !h.Since.Equal(want.Since) || h.Count != want.Count || h.Over {
			t.Fatalf("hour %d: held is %+v", hour, h)
		}
		take(t, r, at, attribute(battery, zcl.TypeUint8, 90))
	}
}

func TestAccept(t *testing.T) {
	r := meter(t)
	if _, err := r.Accept(register); err == nil || !strings.Contains(err.Error(), "no reading is in quarantine") {
		t.Errorf("nothing is held: %v", err)
	}
	take(t, r, time.Hour, count(5))
	take(t, r, time.Hour, attribute(battery, zcl.TypeUint8, 250))
	if _, err := r.Accept(battery); err == nil || !strings.Contains(err.Error(), `"range" cannot be accepted`) {
		t.Errorf("250 %%: %v", err)
	}
	accepted, err := r.Accept(register)
	if err != nil {
		t.Fatal(err)
	}
	if v, _ := r.Attribute(register); v.Number != 123_456 || len(r.Held) != 2 {
		t.Errorf("what was there changed: %+v", r)
	}
	if v, _ := accepted.Attribute(register); v.Number != 5 || len(accepted.Held) != 1 || !accepted.RegisterAt.Equal(start.Add(time.Hour)) {
		t.Errorf("accepted %+v", accepted)
	}
	take(t, &accepted, 2*time.Hour, count(4))
	if _, err := accepted.Accept(register); err != nil {
		t.Errorf("the new meter went back: %v", err)
	}
	take(t, &accepted, 2*time.Hour, count(10))
	if _, err := accepted.Accept(register); err == nil {
		t.Error("what is over was accepted")
	}
}

// TestTheUnitOfTheRegisterCounts: a limit is in thousandths of it.
func TestTheUnitOfTheRegisterCounts(t *testing.T) {
	for _, tt := range []struct {
		multiplier, divisor uint64
		most                uint64 // counts in 50 minutes
	}{
		{0, 0, 6_250}, {1, 1000, 6_250}, {1, 1, 6}, {1, 100, 625}, {10, 1000, 625}, {1, 1<<24 - 2, 104_857_587},
	} {
		r := &validation.Readings{}
		if tt.divisor > 0 {
			take(t, r, 0, attribute(metering.AttributeDivisor, zcl.TypeUint24, tt.divisor))
			take(t, r, 0, attribute(metering.AttributeMultiplier, zcl.TypeUint24, tt.multiplier))
		}
		take(t, r, 0, count(7))
		take(t, r, 40*time.Minute, count(7+tt.most+1))
		if !r.Doubted() {
			t.Errorf("%+v: one more is believed", tt)
		}
		if take(t, r, 40*time.Minute, count(7+tt.most)); r.Doubted() {
			t.Errorf("%+v: it is held", tt)
		}
	}
}

func TestRulesHaveNamesAndReasons(t *testing.T) {
	seen := map[string]bool{}
	for r := validation.WrongType; r <= validation.BeforeTheLast; r++ {
		name := r.String()
		back, ok := validation.ParseRule(name)
		if name == "" || seen[name] || r.Reason() == "" || !ok || back != r {
			t.Errorf("rule %d: %q, %q, read as %v", r, name, r.Reason(), back)
		}
		seen[name] = true
	}
	if r, ok := validation.ParseRule("no such rule"); ok {
		t.Errorf("read as %s", r)
	}
}

func TestLimitsAreChecked(t *testing.T) {
	for _, l := range []validation.Limits{validation.DefaultGas(), validation.DefaultElectricity(), {PerHour: 1}} {
		if err := l.Check(); err != nil {
			t.Errorf("%+v: %v", l, err)
		}
	}
	for _, l := range []validation.Limits{{}, {PerHour: 2_000_000_000}, {PerHour: 1, Tolerance: -1}, {PerHour: 1, Tolerance: 48 * time.Hour}} {
		if l.Check() == nil {
			t.Errorf("%+v is fine", l)
		}
	}
}
