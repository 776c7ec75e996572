package battery

import (
	"encoding/binary"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/commshub/commshub/devices/flash"
	"github.com/commshub/commshub/han/phy"
)

var installed = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)

// unsecured returns a link without APS link-key security, as its published
// figures for blocks of 64 bytes assume.
func unsecured(p phy.Params) phy.Params {
	p.APSSecurity = false
	return p
}

// TestABlockCostsWhatThePublishedModelSays compares the charge of one block with
// a published model, in microcoulombs, for a
// current 2.4 GHz chip, an old one, and an 868 MHz transceiver at +14 dBm.
func TestABlockCostsWhatThePublishedModelSays(t *testing.T) {
	tests := []struct {
		name        string
		set         string
		networkOnly bool
		data        int
		want        float64 // microcoulombs
	}{
		{"48 bytes at 2.4 GHz", "2.4ghz-new", false, 48, 85},
		{"64 bytes at 2.4 GHz", "2.4ghz-new", true, 64, 84},
		{"82 bytes at 2.4 GHz", "2.4ghz-new", false, 82, 130},
		{"48 bytes at 2.4 GHz, old chip", "2.4ghz-old", false, 48, 476},
		{"64 bytes at 2.4 GHz, old chip", "2.4ghz-old", true, 64, 465},
		{"82 bytes at 2.4 GHz, old chip", "2.4ghz-old", false, 82, 711},
		{"48 bytes at 868 MHz", "868-gb", false, 48, 1203},
		{"64 bytes at 868 MHz", "868-gb", true, 64, 1157},
		{"82 bytes at 868 MHz", "868-gb", false, 82, 1690},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			set, err := Named(tt.set)
			if err != nil {
				t.Fatal(err)
			}
			if tt.networkOnly {
				set.Radio = unsecured(set.Radio)
			}
			cost := set.Radio.Exchange(3+14, 3+14+tt.data)
			l := NewLedger(set, installed)
			l.Radio(cost)
			got := float64(l.Total()) / 1000
			if off := math.Abs(got-tt.want) / tt.want; off > 0.02 {
				t.Errorf("a block costs %.1f µC, want %.0f within 2 %%", got, tt.want)
			}
			// Both ways round each cause once, so they may differ by less than that.
			if diff := set.RadioCharge(cost) - l.Total(); diff < 0 || diff >= 4 {
				t.Errorf("RadioCharge is %d nC more than the ledger", diff)
			}
		})
	}
}

// TestChargesByHand: every figure was reckoned by hand from the default set,
// current in µA times milliseconds.
func TestChargesByHand(t *testing.T) {
	tests := []struct {
		name  string
		spend func(l *Ledger)
		want  map[Cause]Charge
	}{
		// 71 bytes and 6 of synchronisation, 32 µs each, at 5.0 mA; 672 µs of
		// listening at 5.1 mA; back-off 1.12 ms and a frame's 2 ms at 1.3 mA.
		{"sending 17 bytes", func(l *Ledger) { l.Radio(l.Set().Radio.Send(17)) },
			map[Cause]Charge{CauseTransmit: 12_320, CauseListen: 3_427, CauseProcessor: 4_056}},
		{"a page of flash", func(l *Ledger) { l.Flash(flash.Stats{}, flash.Stats{BytesWritten: 256}) },
			map[Cause]Charge{CauseFlash: 21_000}},
		{"a quarter of a page", func(l *Ledger) { l.Flash(flash.Stats{}, flash.Stats{BytesWritten: 64}) },
			map[Cause]Charge{CauseFlash: 5_250}},
		{"an erase after others", func(l *Ledger) {
			l.Flash(flash.Stats{Erases: 8, BytesWritten: 99}, flash.Stats{Erases: 9, BytesWritten: 99})
		},
			map[Cause]Charge{CauseFlash: 900_000}},
		// 4096 × 195 cycles at 39 MHz are 20.48 ms.
		{"hashing a sector", func(l *Ledger) { l.Hash(4096) }, map[Cause]Charge{CauseHash: 26_624}},
		// 30 million cycles are 769,230,769 ns.
		{"a signature", func(l *Ledger) { l.Verify(1) }, map[Cause]Charge{CauseSignature: 999_999}},
		{"a restart", func(l *Ledger) { l.Reboot() }, map[Cause]Charge{CauseReboot: 2_600_000}},
		// 19 Ah are 6.84e13 nC; a hundredth of it in 8766 hours is 78,028,747 an hour.
		{"an hour asleep", func(l *Ledger) { l.Elapse(installed.Add(time.Hour)) },
			map[Cause]Charge{CauseSleep: 4_680_000, CauseBase: 576_000_000, CauseSelfDischarge: 78_028_747}},
		{"less than a millisecond", func(l *Ledger) { l.Elapse(installed.Add(999 * time.Microsecond)) }, map[Cause]Charge{}},
		{"a time that is over", func(l *Ledger) { l.Elapse(installed.Add(-time.Hour)) }, map[Cause]Charge{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := NewLedger(Default(), installed)
			tt.spend(l)
			got, total := map[Cause]Charge{}, Charge(0)
			for _, c := range Causes() {
				if spent := l.Spent(c); spent != 0 {
					got[c] = spent
					total += spent
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("spent (-want +got):\n%s", diff)
			}
			if l.Total() != total || l.Remaining() != l.Set().Capacity()-total {
				t.Errorf("total %d and remaining %d do not agree with the causes' sum %d", l.Total(), l.Remaining(), total)
			}
		})
	}
}

func TestTenYearsInOneStepDoNotOverflow(t *testing.T) {
	l := NewLedger(Default(), installed)
	const hours = 10 * 8766
	l.Elapse(installed.Add(hours * time.Hour))
	for cause, want := range map[Cause]Charge{
		CauseSleep: 4_680_000 * hours, CauseBase: 576_000_000 * hours, CauseSelfDischarge: 78_028_747 * hours,
	} {
		if got := l.Spent(cause); got != want {
			t.Errorf("%s took %d, want %d", cause, got, want)
		}
	}
	if got := l.Percent(); got != 15 { // 161.3 µA for 10 years are 74.4 % and a hundredth a year 10 %
		t.Errorf("%d %% left, want 15", got)
	}
	l.Elapse(installed.Add(60 * 8766 * time.Hour))
	if l.Remaining() != 0 || l.Percent() != 0 || l.DaysLeft(0, 0) != 0 {
		t.Errorf("an empty cell has %d left, %d %%, %d days", l.Remaining(), l.Percent(), l.DaysLeft(0, 0))
	}
}

// TestManyStepsAgreeWithOne: accounting the base load often must not lose it.
func TestManyStepsAgreeWithOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		often, once := NewLedger(Default(), installed), NewLedger(Default(), installed)
		now := installed
		steps := rapid.IntRange(1, 50).Draw(t, "steps")
		for range steps {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(40*24*time.Hour)).Draw(t, "step")))
			often.Elapse(now)
		}
		once.Elapse(now)
		for _, c := range Causes() {
			// Each step rounds down twice at most.
			if lost := once.Spent(c) - often.Spent(c); lost < 0 || lost > Charge(2*steps) {
				t.Fatalf("%s: %d in %d steps, %d in one", c, often.Spent(c), steps, once.Spent(c))
			}
		}
	})
}

func TestWorkIsCountedApartFromTheBaseLoad(t *testing.T) {
	l := NewLedger(Default(), installed)
	l.Elapse(installed.Add(24 * time.Hour))
	base := l.Spent(CauseBase)
	l.Drain(1_000)
	if l.Active() != 0 {
		t.Errorf("a day asleep counts as %d nC of work", l.Active())
	}
	if l.Spent(CauseBase) != base || l.Spent(CauseDrained) != 1_000 {
		t.Errorf("drained by hand: base %d, drained %d; want %d and 1000", l.Spent(CauseBase), l.Spent(CauseDrained), base)
	}
	l.Reboot()
	l.Hash(4096)
	if got, want := l.Active(), Charge(2_600_000+26_624); got != want {
		t.Errorf("work took %d, want %d", got, want)
	}
}

func TestAStoredLedgerComesBackWhole(t *testing.T) {
	l := NewLedger(Default(), installed)
	l.Elapse(installed.Add(100 * time.Hour))
	l.Radio(l.Set().Radio.Exchange(17, 65))
	l.Hash(1 << 20)
	l.Verify(3)
	l.Reboot()
	l.Flash(flash.Stats{}, flash.Stats{BytesWritten: 1 << 20, Erases: 256})

	again := NewLedger(Default(), installed.Add(200*time.Hour))
	if err := again.Restore(l.Append(nil)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(*l, *again, cmp.AllowUnexported(Ledger{})); diff != "" {
		t.Errorf("restored (-want +got):\n%s", diff)
	}
	again.Elapse(installed.Add(101 * time.Hour))
	if got, want := again.Spent(CauseSleep)-l.Spent(CauseSleep), Charge(4_680_000); got != want {
		t.Errorf("an hour after the stored one costs %d asleep, want %d", got, want)
	}
}

// TestALedgerFromBeforeACauseWasAdded keeps what was spent on the others; with less
// the battery would be full again.
func TestALedgerFromBeforeACauseWasAdded(t *testing.T) {
	b := []byte{ledgerLayout, 2}
	for _, v := range []uint64{1_000, 2_000, uint64(3 * time.Second), uint64(installed.UnixMicro())} {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	l := NewLedger(Default(), installed)
	l.Drain(5) // on a cause that the stored ledger does not know
	if err := l.Restore(b); err != nil {
		t.Fatal(err)
	}
	if l.Total() != 3_000 || l.RadioOn() != 3*time.Second {
		t.Errorf("%d nC spent, radio on %v; want 3000 nC and 3s", l.Total(), l.RadioOn())
	}
}

func TestALedgerThatCannotBeReadIsRefused(t *testing.T) {
	whole := NewLedger(Default(), installed).Append(nil)
	more := append([]byte{ledgerLayout, byte(NumCauses) + 1}, make([]byte, 8*(int(NumCauses)+3))...)
	for name, b := range map[string][]byte{
		"empty": nil, "cut short": whole[:len(whole)-1], "another layout": append([]byte{ledgerLayout + 1}, whole[1:]...),
		"a cause of a later release": more, "one without a layout": whole[2:],
	} {
		l := NewLedger(Default(), installed)
		l.Drain(1_000)
		if err := l.Restore(b); err == nil || l.Total() != 1_000 {
			t.Errorf("%s: %v, %d nC spent", name, err, l.Total())
		}
	}
}

func TestWhatIsLeft(t *testing.T) {
	percent := Default().CapacityMicroampHours / 100
	tests := []struct {
		name    string
		drained Charge
		percent uint8
		days    int64 // at the base load and 100 µC per half hour
	}{
		// 6.84e13 over 13,936,320,000 for 161.3 µA, 1,872,689,928 for self-discharge
		// and 4,800,000 for work, a day each.
		{"a new cell", 0, 100, 4_325},
		{"a cell that has given a microampere-hour", MicroampHour, 99, 4_325},
		{"a cell down to half", Charge(50*percent) * MicroampHour, 50, 2_162},
		{"an empty cell", Charge(100*percent) * MicroampHour, 0, 0},
		{"a cell drained beyond its end", Charge(200*percent) * MicroampHour, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := NewLedger(Default(), installed)
			l.Drain(tt.drained)
			if l.Percent() != tt.percent {
				t.Errorf("%d %%, want %d", l.Percent(), tt.percent)
			}
			if got := l.DaysLeft(100_000, 30*time.Minute); got != tt.days {
				t.Errorf("%d days, want %d", got, tt.days)
			}
		})
	}
}

func TestCausesHaveNames(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range Causes() {
		if name := c.String(); name == "" || seen[name] {
			t.Errorf("cause %d is called %q", c, name)
		}
		seen[c.String()] = true
	}
	if len(seen) != int(NumCauses) {
		t.Errorf("%d causes, want %d", len(seen), NumCauses)
	}
	if got := (3 * MicroampHour / 2).MicroampHours(); got != 1.5 {
		t.Errorf("1.5 µAh is shown as %v", got)
	}
}
