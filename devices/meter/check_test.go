package meter_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/devices/board"
	"github.com/commshub/commshub/devices/bootloader"
	"github.com/commshub/commshub/devices/flash"
	"github.com/commshub/commshub/devices/meter"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/internal/trace"
)

// check lets a check period pass and returns what the check told.
func (b *bench) check() []gbcs.AlertCode {
	b.now = b.now.Add(meter.DefaultCheckPeriod)
	b.CheckMemory(b.now, &b.out)
	b.tick()
	return b.alerts()
}

// offset returns where a region begins on the part.
func (b *bench) offset(region func(board.Map) flash.Region) int {
	before := region(b.parts()).View(0, 1)[0]
	for at := 0; at < b.chip.Geometry().Size(); at += board.SectorSize {
		b.chip.Flip(at, 0)
		found := region(b.parts()).View(0, 1)[0] != before
		b.chip.Flip(at, 0)
		if found {
			return at
		}
	}
	panic("no such region")
}

// journals are the journals of a meter by name.
var journals = map[string]func(board.Map) flash.Region{
	"application":         func(m board.Map) flash.Region { return m.Application },
	"metrology registers": func(m board.Map) flash.Region { return m.MetrologyRegisters },
	"bootloader control":  func(m board.Map) flash.Region { return m.Control },
	"event log":           func(m board.Map) flash.Region { return m.EventLog },
	"security log":        func(m board.Map) flash.Region { return m.SecurityLog },
}

// TestARunningMeterMendsItsMemory, and tells; what it holds in memory mends even two bad
// copies.
func TestARunningMeterMendsItsMemory(t *testing.T) {
	for name, region := range journals {
		for copies := 1; copies <= 2; copies++ {
			b := updated(t)
			if told := b.check(); len(told) != 0 {
				t.Fatalf("%s: a whole memory is told of: %v", name, told)
			}
			for i := range copies {
				at := b.offset(region) + i*region(b.parts()).Size()/2
				for sector := range 2 { // the live one is one of the two
					b.chip.Flip(at+sector*board.SectorSize+20, 3)
				}
			}
			b.texts = nil
			if told := b.check(); !slices.Equal(told, []gbcs.AlertCode{gbcs.AlertNonVolatileMemory}) || len(b.texts) == 0 || !strings.HasPrefix(b.texts[0], name) {
				t.Errorf("%s, %d bad: told %v, %q", name, copies, told, b.texts)
			}
			if told := b.check(); len(told) != 0 {
				t.Errorf("%s, %d bad: not mended: %v", name, copies, told)
			}
			b.powerUp()
			if told := b.alerts(); len(told) != 0 || b.Agent.Running().ID.FileVersion != 2 || b.command(lastCommand-1) || !b.command(lastCommand+1) {
				t.Errorf("%s, %d bad: after a boot %v, version %d", name, copies, told, b.Agent.Running().ID.FileVersion)
			}
		}
	}
}

// TestASpoiltImageIsNotRunOn: with one to go back to the meter goes back, 8F1B; without
// one it runs on and says so, once.
func TestASpoiltImageIsNotRunOn(t *testing.T) {
	b := updated(t)
	b.check()
	b.chip.Flip(b.offset(func(m board.Map) flash.Region { return m.SlotB })+100, 1)
	told := b.check()
	b.pass(b.cfg.Battery.Reboot)
	told = append(told, b.alerts()...)
	if !b.On() || b.Agent.Running().ID.FileVersion != 1 || !slices.Contains(told, gbcs.AlertFirmwareVerificationFailedAtPowerOn) {
		t.Errorf("on %v, version %d, told %v", b.On(), b.Agent.Running().ID.FileVersion, told)
	}

	b = newBench(t, nil)
	b.check()
	b.chip.Flip(b.offset(func(m board.Map) flash.Region { return m.SlotA })+100, 1)
	if told := b.check(); !b.On() || !slices.Equal(told, []gbcs.AlertCode{gbcs.AlertProgramStorage}) {
		t.Errorf("without another image: on %v, told %v", b.On(), told)
	}
	if told := b.check(); !b.On() || len(told) != 0 {
		t.Errorf("at the next check: on %v, told %v", b.On(), told)
	}
}

// TestASpoiltImageToActivateIsDropped, found while running or after a power cut, and can
// be had again.
func TestASpoiltImageToActivateIsDropped(t *testing.T) {
	for _, cut := range []bool{false, true} {
		b := newBench(t, nil)
		b.take(version(2, bootloader.ProgramWorks))
		b.alerts()
		b.check()
		b.chip.Flip(b.offset(func(m board.Map) flash.Region { return m.SlotB })+100, 1)
		var told []gbcs.AlertCode
		if cut {
			b.powerUp()
			told = b.alerts()
		} else {
			told = b.check()
			b.pass(b.cfg.Battery.Reboot)
		}
		if !b.On() || !slices.Equal(told, []gbcs.AlertCode{gbcs.AlertProgramStorage}) || b.candidate().State != bootloader.SlotEmpty {
			t.Fatalf("power cut %v: on %v, told %v, it holds %s", cut, b.On(), told, b.candidate().State)
		}
		b.take(version(2, bootloader.ProgramWorks))
		b.activate()
		b.pass(b.cfg.Battery.Reboot)
		if v := b.Agent.Running().ID.FileVersion; v != 2 {
			t.Errorf("power cut %v: version %d in the end", cut, v)
		}
	}
}

// TestAMetrologyFirmwareThatGoesBadIsTold once, and at each boot.
func TestAMetrologyFirmwareThatGoesBadIsTold(t *testing.T) {
	b := newBench(t, nil)
	b.chip.Flip(b.offset(func(m board.Map) flash.Region { return m.MetrologyFirmware })+100, 1)
	want := []gbcs.AlertCode{gbcs.AlertMetrologyFirmwareVerificationFailure}
	if told := b.check(); !slices.Equal(told, want) {
		t.Errorf("told %v", told)
	}
	if told := b.check(); len(told) != 0 {
		t.Errorf("told again: %v", told)
	}
	b.powerUp()
	if told := b.alerts(); !slices.Equal(told, want) {
		t.Errorf("after a boot told %v", told)
	}
}

// TestAChecksChargeIsAlwaysBooked, whether or not anything had to be read again, under
// its own cause; and there is no check before its time.
func TestAChecksChargeIsAlwaysBooked(t *testing.T) {
	b := updated(t)
	spent := func(f func()) battery.Charge {
		before, all := b.Ledger.Spent(battery.CauseCheck), b.Ledger.Total()
		f()
		own := b.Ledger.Spent(battery.CauseCheck) - before
		if total := b.Ledger.Total() - all; total != own {
			t.Errorf("%d nC of %d are not booked as a check", total-own, total)
		}
		return own
	}
	once := func() { b.now = b.now.Add(meter.DefaultCheckPeriod); b.CheckMemory(b.now, &b.out) }
	first, second := spent(once), spent(once)
	bytes := 10*board.SectorSize + b.parts().Outbox.Size() + b.Metrology.FirmwareSize() + int(b.Slots()[0].Size+b.Slots()[1].Size)
	l := battery.NewLedger(b.cfg.Battery, b.now)
	l.Check(bytes)
	if first != second || first > l.Total() || first < l.Total()-4 { // each part is rounded down
		t.Errorf("the first check took %d nC, the second %d; want %d", first, second, l.Total())
	}
	b.now = b.now.Add(meter.DefaultCheckPeriod - 1)
	if early := spent(func() { b.CheckMemory(b.now, &b.out) }); early != 0 {
		t.Errorf("a check before its time took %d nC", early)
	}
	if slices.Contains(b.kinds, trace.MemoryDamaged) {
		t.Error("a damage was found")
	}
}
