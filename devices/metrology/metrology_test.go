package metrology

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/commshub/commshub/devices/flash"
	"github.com/commshub/commshub/devices/journal"
	"github.com/commshub/commshub/internal/cuttest"
)

var (
	geometry = flash.Geometry{SectorSize: 4096, PageSize: 256, Sectors: 5}
	factory  = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	gas      = Config{FirmwareVersion: 0x09030000, Initial: 1_234_567, PerHour: 250}
)

func open(chip *flash.Chip, cfg Config, now time.Time) *Unit {
	u, err := Open(cfg, chip.Region(0, 1), chip.Region(1, 4), nil, now)
	if err != nil {
		panic(err)
	}
	return u
}

func TestTheRegisterCounts(t *testing.T) {
	tests := []struct {
		name  string
		after time.Duration
		want  uint64
	}{
		{"at the factory", 0, 1_234_567},
		{"before a litre went through", 14*time.Second + 399*time.Millisecond, 1_234_567},
		{"after the first litre", 14*time.Second + 400*time.Millisecond, 1_234_568},
		{"after an hour", time.Hour, 1_234_817},
		{"after thirty years", 30 * 8766 * time.Hour, 1_234_567 + 250*30*8766},
		{"before the factory", -time.Hour, 1_234_567},
	}
	u := open(flash.New(geometry), gas, factory)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := u.Register(factory.Add(tt.after)); got != tt.want {
				t.Errorf("register %d, want %d", got, tt.want)
			}
		})
	}
}

// TestAReopenedUnitGoesOnWhereItWas: whatever the application is configured with
// after an upgrade, register and load are the factory's.
func TestAReopenedUnitGoesOnWhereItWas(t *testing.T) {
	chip := flash.New(geometry)
	open(chip, gas, factory)
	operations := chip.Stats().Operations
	u := open(chip, Config{FirmwareVersion: 1, Initial: 0, PerHour: 1}, factory.Add(48*time.Hour))
	if got, want := u.Register(factory.Add(49*time.Hour)), uint64(1_234_567+49*250); got != want {
		t.Errorf("register %d, want %d", got, want)
	}
	if u.Load() != 250 || u.FirmwareVersion() != 0x09030000 {
		t.Errorf("load %d, firmware %08X", u.Load(), u.FirmwareVersion())
	}
	if err := u.SelfCheck(); err != nil {
		t.Error(err)
	}
	if n := chip.Stats().Operations - operations; n != 0 {
		t.Errorf("opening the unit again wrote %d times to its flash", n)
	}
}

func TestTheRegisterNeverGoesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := Config{Initial: rapid.Uint64Range(0, 1<<47).Draw(t, "initial"), PerHour: rapid.Uint64Range(0, 1_000_000).Draw(t, "per hour")}
		chip := flash.New(geometry)
		u, now := open(chip, cfg, factory), factory
		last := u.Register(now)
		for range rapid.IntRange(1, 20).Draw(t, "readings") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(1000*time.Hour)).Draw(t, "step")))
			if rapid.Bool().Draw(t, "reopen") {
				u = open(chip, Config{}, now)
			}
			got := u.Register(now)
			if got < last {
				t.Fatalf("register %d after %d", got, last)
			}
			last = got
		}
	})
}

func TestASelfCheckNoticesEveryChangedByte(t *testing.T) {
	chip := flash.New(geometry)
	u := open(chip, gas, factory)
	region := chip.Region(0, 1)
	intact := append([]byte(nil), region.View(0, geometry.SectorSize)...)
	for at := 0; at < len(intact); at += 97 {
		if intact[at] == 0 {
			continue // no bit left that a disturbance could clear
		}
		region.Program(at, []byte{0})
		if u.SelfCheck() == nil {
			t.Errorf("byte %d was changed and not noticed", at)
		}
		region.Erase(0)
		region.Program(0, intact)
		if err := u.SelfCheck(); err != nil {
			t.Fatalf("put right again: %v", err)
		}
	}
	if u.FirmwareSize() != len(intact) {
		t.Errorf("the check covers %d bytes, want %d", u.FirmwareSize(), len(intact))
	}
}

// TestTheUnitsFirmwareIsReadOnly: what the unit keeps of its firmware's region
// cannot be written through.
func TestTheUnitsFirmwareIsReadOnly(t *testing.T) {
	u := open(flash.New(geometry), gas, factory)
	for name, write := range map[string]func(){
		"program": func() { u.firmware.Program(0, []byte{0}) },
		"erase":   func() { u.firmware.Erase(0) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("it was written to")
				}
			}()
			write()
		})
	}
}

// TestPowerFailsInTheFactory: a unit whose making was cut short is made anew.
func TestPowerFailsInTheFactory(t *testing.T) {
	parts := append(cuttest.ErasedZero(geometry), flash.Geometry{SectorSize: 2048, PageSize: 64, Sectors: 5})
	cuttest.Sweep(t, cuttest.Row{Name: "made", Parts: parts, Begin: func(t *testing.T, g flash.Geometry) cuttest.Try {
		chip := flash.New(g)
		return cuttest.Try{
			Chip:  chip,
			Story: func() { open(chip, gas, factory) },
			After: func(at cuttest.Point) {
				u := open(chip, gas, factory.Add(time.Minute))
				if err := u.SelfCheck(); err != nil || u.Load() != gas.PerHour {
					t.Errorf("%s: self-check %v, load %d", at, err, u.Load())
				}
			},
		}
	}})
}

// TestAnOriginOfAnotherReleaseIsRefused, and the register is not made anew.
func TestAnOriginOfAnotherReleaseIsRefused(t *testing.T) {
	for name, b := range map[string][]byte{
		"without a layout": make([]byte, originSize-1), "a later layout": append([]byte{originLayout + 1}, make([]byte, originSize-1)...), "empty": {},
	} {
		chip := flash.New(geometry)
		journal.Open(chip.Region(1, 4)).Commit(journal.Entry{Key: keyOrigin, Data: b})
		if u, err := Open(gas, chip.Region(0, 1), chip.Region(1, 4), nil, factory); err == nil || !strings.Contains(err.Error(), "origin of the register") {
			t.Errorf("%s: %v, %v", name, u, err)
		}
	}
}
