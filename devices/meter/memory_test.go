package meter_test

import (
	"flag"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/commshub/commshub/devices/board"
	"github.com/commshub/commshub/devices/bootloader"
	"github.com/commshub/commshub/devices/flash"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/internal/devicetest"
	"github.com/commshub/commshub/internal/trace"
)

func (b *bench) parts() board.Map {
	return board.Cut(b.chip, bootloader.SlotSectors(b.cfg.SlotCapacity, board.SectorSize))
}

// alerts delivers what waits and returns the codes of the generic alerts in it.
func (b *bench) alerts() (codes []gbcs.AlertCode) {
	for {
		message, ok := b.Remote.Outgoing()
		if !ok {
			return codes
		}
		m := must(gbcs.ParseMessage(message))
		if a, err := gbcs.ParseGenericAlert(m.Payload); err == nil && m.Code == gbcs.CodeGenericCriticalAlert {
			codes = append(codes, a.Code)
		}
		b.Remote.Delivered(b.now, &b.out)
	}
}

// command sends Read Firmware Version and reports whether it was answered.
func (b *bench) command(counter uint64) (taken bool) {
	b.alerts()
	m := gbcs.Message{CRA: gbcs.Command, OriginatorCounter: counter, Originator: b.cfg.Supplier, Recipient: b.cfg.EUI64,
		Code: gbcs.CodeReadGSMEFirmwareVersion, Payload: gbcs.ReadGSMEFirmwareVersionCommand{}.Append(nil)}
	if b.role == gbcs.RoleESME {
		m.Code, m.Payload = gbcs.CodeReadESMEFirmwareVersion, gbcs.ReadESMEFirmwareVersionCommand{InvokeID: gbcs.InvokeIDOf(counter)}.Append(nil)
	}
	b.HandleMessage(b.now, &b.out, devicetest.Protected(m))
	return b.answers()
}

// answers reports whether a response waits, and not an alert that a command was refused.
func (b *bench) answers() bool {
	message, waits := b.Remote.Outgoing()
	return waits && must(gbcs.ParseMessage(message)).CRA == gbcs.Response
}

// lastCommand is the counter of the last command that an updated meter took.
const lastCommand = 1 << 50

// updated returns a meter some time after an update, with commands taken and charge
// spent.
func updated(t *testing.T) *bench {
	b := newBench(t, nil)
	b.take(version(2, bootloader.ProgramWorks))
	b.activate()
	b.pass(time.Hour)
	if !b.command(lastCommand) {
		t.Fatal("the last command is refused")
	}
	b.alerts()
	b.Ledger.Drain(1_000_000_000)
	b.KeepLedger()
	if v := b.Agent.Running().ID.FileVersion; v != 2 {
		t.Fatalf("it runs version %d", v)
	}
	return b
}

// everyBit is the documented campaign of docs/reliability.md.
var everyBit = flag.Bool("bits.all", false, "flip every bit of each region's first sector and 1,000 others in each: minutes of both cores")

// TestNoSingleBitResetsAMeter flips bits of every region, one at a time, on the part of
// an updated meter: those that its first sector begins with, and others anywhere in it.
// Whatever the bit was, the register is not lower, the version is the same or was rolled
// back with 8F1B, no counter and no charge is lower, the message that waits is told; and the next boot finds nothing any
// more.
func TestNoSingleBitResetsAMeter(t *testing.T) {
	whole := updated(t)
	whole.Remote.Alert(whole.now, &whole.out, gbcs.AlertTilt)
	whole.Remote.Commit()
	m := whole.parts()
	const page = board.PageSize
	regions := []struct {
		name   string
		region flash.Region
		first  int // bytes of which each bit is flipped, if not every one is
	}{
		{"metrology firmware", m.MetrologyFirmware, page / 8}, // hashed as a whole: any bit is as good
		{"metrology registers", m.MetrologyRegisters, page},
		{"bootloader control", m.Control, 2 * page},
		{"application", m.Application, 2 * page},
		{"slot A", m.SlotA, page / 8}, // hashed as a whole
		{"slot B", m.SlotB, page / 8},
		{"outbox", m.Outbox, page},
		{"event log", m.EventLog, page},
		{"security log", m.SecurityLog, page},
	}
	stride, others := 1, 150
	switch {
	case *everyBit:
		others = 1000
	case testing.Short():
		stride, others = 7, 21
	}
	at := 0
	for i, r := range regions {
		first, start := r.first, at
		if *everyBit {
			first = r.region.SectorSize()
		}
		at += r.region.Size()
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			dice := rand.New(rand.NewPCG(1, uint64(i)))
			for bit := 0; bit < 8*first; bit += stride {
				whole.endures(t, start+bit/8, uint8(bit%8))
			}
			for range others {
				whole.endures(t, start+dice.IntN(r.region.Size()), uint8(dice.IntN(8)))
			}
		})
	}
}

// endures boots a copy of the meter's part with one bit flipped and compares.
func (b *bench) endures(t *testing.T, offset int, bit uint8) {
	t.Helper()
	register, spent, logs := b.Metrology.Register(b.now), b.Ledger.Total(), b.logs()
	hurt := &bench{t: t, chip: b.chip.Clone(), now: b.now, cfg: b.cfg, hub: b.hub}
	hurt.chip.Flip(offset, bit)
	hurt.powerUp()
	if !hurt.On() {
		t.Fatalf("byte %d bit %d: it does not run: %v", offset, bit, hurt.texts)
	}
	told := hurt.alerts()
	has := func(code gbcs.AlertCode) bool {
		for _, c := range told {
			if c == code {
				return true
			}
		}
		return false
	}
	if got := hurt.Metrology.Register(b.now); got != register {
		t.Fatalf("byte %d bit %d: register %d, want %d", offset, bit, got, register)
	}
	if v := hurt.Agent.Running().ID.FileVersion; v != 2 && !has(gbcs.AlertFirmwareVerificationFailedAtPowerOn) {
		t.Fatalf("byte %d bit %d: version %d without 8F1B: %v", offset, bit, v, told)
	}
	if !has(gbcs.AlertTilt) {
		t.Fatalf("byte %d bit %d: the message that waited is gone: %v", offset, bit, told)
	}
	if got := hurt.Ledger.Total(); got < spent {
		t.Fatalf("byte %d bit %d: %d nC spent, %d before", offset, bit, got, spent)
	}
	for i, log := range hurt.logs() {
		if !cmp.Equal(log[:min(len(log), len(logs[i]))], logs[i]) {
			t.Fatalf("byte %d bit %d: the %s is %v, was %v", offset, bit, gbcs.Log(i), log, logs[i])
		}
	}
	if hurt.command(lastCommand-1) || !hurt.command(lastCommand+1) {
		t.Fatalf("byte %d bit %d: an old command was taken, or a new one refused", offset, bit)
	}
	hurt.kinds = nil
	hurt.powerUp()
	for _, k := range hurt.kinds {
		if k == trace.MemoryDamaged {
			t.Fatalf("byte %d bit %d: not healed at the next boot", offset, bit)
		}
	}
}

// spoil makes everything in a region zero, as if both copies had gone.
func spoil(r flash.Region) { r.Program(0, make([]byte, r.Size())) }

// TestAMeterThatLostBothCopiesIsNotMadeAnew: it counts on, takes no command that it
// cannot prove, runs no image that was never activated, and tells the supplier.
func TestAMeterThatLostBothCopiesIsNotMadeAnew(t *testing.T) {
	for name, tt := range map[string]struct {
		region  func(board.Map) flash.Region
		version uint32
		takes   bool // a command with a counter above the last
		told    gbcs.AlertCode
	}{
		"metrology registers": {func(m board.Map) flash.Region { return m.MetrologyRegisters }, 2, true, gbcs.AlertIntegrityIssue},
		"bootloader control":  {func(m board.Map) flash.Region { return m.Control }, 1, true, gbcs.AlertFirmwareVerificationFailedAtPowerOn},
		"application":         {func(m board.Map) flash.Region { return m.Application }, 2, false, gbcs.AlertIntegrityIssue},
	} {
		t.Run(name, func(t *testing.T) {
			b := updated(t)
			register, least := b.Metrology.Register(b.now), b.minSequence()
			spoil(tt.region(b.parts()))
			b.kinds = nil
			b.powerUp()
			if !b.On() {
				t.Fatalf("it does not run: %v", b.texts)
			}
			told := b.alerts()
			has := map[gbcs.AlertCode]bool{}
			for _, c := range told {
				has[c] = true
			}
			if !has[tt.told] || !has[gbcs.AlertIntegrityIssue] {
				t.Errorf("told %v, want 81A0 and %s", told, tt.told)
			}
			if got := b.Metrology.Register(b.now); got != register {
				t.Errorf("register %d, want %d", got, register)
			}
			if got := b.Agent.Running().ID.FileVersion; got != tt.version {
				t.Errorf("version %d, want %d", got, tt.version)
			}
			if got := b.minSequence(); got < least {
				t.Errorf("rollback counter %d, want at least %d", got, least)
			}
			if got := b.command(lastCommand + 1); got != tt.takes {
				t.Errorf("a new command taken: %v, want %v", got, tt.takes)
			}
			b.powerUp()
			if got := b.command(lastCommand + 2); got != tt.takes {
				t.Errorf("a new command after another boot taken: %v, want %v", got, tt.takes)
			}
		})
	}
}

// minSequence returns the rollback counter as the bootloader has it in flash.
func (b *bench) minSequence() uint32 {
	m := b.parts()
	return must(bootloader.Open(b.cfg.Policy, m.Control, bootloader.OpenSlot(m.SlotA, b.cfg.SlotCapacity), bootloader.OpenSlot(m.SlotB, b.cfg.SlotCapacity))).MinSequence()
}
