package meter_test

import (
	"crypto/sha256"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/commshub/commshub/devices/board"
	"github.com/commshub/commshub/devices/bootloader"
	"github.com/commshub/commshub/devices/flash"
	"github.com/commshub/commshub/devices/meter"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/gbcs/seal"
	"github.com/commshub/commshub/internal/devicetest"
	"github.com/commshub/commshub/internal/previous"
	"github.com/commshub/commshub/internal/testimage"
)

// heldImage is what the meters of package previous are updated to.
var heldImage = testimage.GB(testimage.Options{Version: 2, Sequence: 2, PayloadSize: 1200})

// previousBench returns the bench of a meter of the release before, with its power off.
func previousBench(t *testing.T, name string) (*bench, previous.Facts) {
	facts := previous.Meters()[name]
	b := &bench{t: t, now: facts.At, role: gbcs.RoleESME, cfg: devicetest.ESMEConfig().Config, image: heldImage}
	if strings.HasPrefix(name, "gsme") {
		b.role, b.cfg = gbcs.RoleGSME, devicetest.GSMEConfig().Config
	}
	b.cfg.SlotCapacity = previous.SlotCapacity
	return b, facts
}

// insert puts a converted part in.
func (b *bench) insert(part []byte) {
	b.chip = flash.New(meter.Geometry(b.cfg.SlotCapacity))
	b.chip.Region(0, b.chip.Geometry().Sectors).Program(0, part)
}

// TestAMeterOfTheReleaseBeforeGoesOn where it was: register, versions, counters, charge, the
// image as far as it came, and what waits for the supplier, now signed.
func TestAMeterOfTheReleaseBeforeGoesOn(t *testing.T) {
	for name := range previous.Meters() {
		t.Run(name, func(t *testing.T) {
			b, want := previousBench(t, name)
			part, err := meter.Upgrade(b.cfg, b.role, previous.File(name))
			if err != nil {
				t.Fatal(err)
			}
			b.insert(part)
			if err := meter.Inspect(b.chip, b.cfg.SlotCapacity, b.cfg.Policy); err != nil {
				t.Fatal(err)
			}
			if got := b.minSequence(); got != want.MinSequence {
				t.Errorf("rollback counter %d, want %d", got, want.MinSequence)
			}
			b.Chassis = meter.Chassis{}
			b.Init(b.cfg, b.role, b.chip, b, b.now)
			b.Tick(b.now, &b.out) // no more than the boot
			s := b.Status(b.now)
			if s.Register != want.Register || int64(b.Ledger.Total()) < want.Spent || int64(b.Ledger.RadioOn()) != want.RadioOn {
				t.Errorf("register %d, %d nC and %d ns spent; want %+v", s.Register, b.Ledger.Total(), b.Ledger.RadioOn(), want)
			}
			if strings.HasSuffix(name, "-activating") {
				if s.Version != 2 || s.Slot != "B" {
					t.Errorf("the order was not carried out: %+v", s)
				}
			} else if !b.On() || s.Version != want.Version || s.Offset != want.Offset || s.Size != want.Size {
				t.Errorf("on %v, %+v; want %+v", b.On(), s, want)
			}
			b.demandWaiting(want.Waiting)
			if slices.ContainsFunc(b.texts, func(s string) bool { return strings.Contains(s, "copy") || strings.Contains(s, "lost") }) {
				t.Errorf("told of a damage: %q", b.texts)
			}
			if b.command(want.Commands) || !b.command(max(want.Commands, uint64(b.now.UnixMilli()))+10) {
				t.Error("an old command was taken, or a new one refused")
			}
		})
	}
}

// demandWaiting demands that the messages of the release before wait, in their order, as the
// device signs them today.
func (b *bench) demandWaiting(want [][]byte) {
	b.t.Helper()
	for _, bare := range want {
		message, ok := b.Remote.Outgoing()
		if !ok {
			b.t.Fatalf("%d messages waited, fewer do", len(want))
		}
		got, old := must(gbcs.ParseMessage(message)), must(gbcs.ParseMessage(bare))
		if err := seal.Check(got, devicetest.Party(b.cfg.EUI64).DS, func() (seal.Secret, error) {
			return seal.Agree(devicetest.Keys(b.cfg.Supplier).KA, devicetest.Party(b.cfg.EUI64).KA)
		}); err != nil {
			b.t.Errorf("not authentic: %v", err)
		}
		got.Signature, got.HasMAC, got.MAC = nil, false, old.MAC
		if !slices.Equal(got.Append(nil), bare) {
			b.t.Errorf("it tells\n%x, want\n%x", got.Append(nil), bare)
		}
		b.Remote.Delivered(b.now, &b.out)
	}
}

// TestAMeterOfTheReleaseBeforeIsUpdated to the image that it holds some of, by an order of
// today, and by the dated one that it holds.
func TestAMeterOfTheReleaseBeforeIsUpdated(t *testing.T) {
	for _, name := range []string{"gsme-partial", "esme-partial", "gsme-dated", "esme-dated"} {
		t.Run(name, func(t *testing.T) {
			b, want := previousBench(t, name)
			b.insert(must(meter.Upgrade(b.cfg, b.role, previous.File(name))))
			b.powerUp()
			alerts := uint64(0)
			tell := func() {
				for m, ok := b.Remote.Outgoing(); ok; m, ok = b.Remote.Outgoing() {
					if p := must(gbcs.ParseMessage(m)); p.CRA == gbcs.Alert {
						if p.OriginatorCounter <= max(want.Alerts, alerts) {
							t.Errorf("alert %d after %d", p.OriginatorCounter, max(want.Alerts, alerts))
						}
						alerts = p.OriginatorCounter
					}
					b.Remote.Delivered(b.now, &b.out)
				}
			}
			if strings.HasSuffix(name, "-partial") {
				b.Agent.Client().Resume(b.now, &b.out)
				b.settle()
				b.take(heldImage)
				tell()
				b.activate()
			}
			b.pass(21 * 24 * time.Hour)
			tell()
			if s := b.Status(b.now); s.Version != 2 || s.SlotHash != sha256.Sum256(heldImage) || b.minSequence() != 2 || alerts <= want.Alerts {
				t.Errorf("%+v, rollback counter %d, alerts up to %d", s, b.minSequence(), alerts)
			}
		})
	}
}

// TestAPartOfTheReleaseBeforeThatCannotBeReadIsRefused, in one line that says who wrote it
// and what to do.
func TestAPartOfTheReleaseBeforeThatCannotBeReadIsRefused(t *testing.T) {
	flip := func(sector, at int) func(*bench, []byte) {
		return func(_ *bench, part []byte) { part[sector*board.SectorSize+at] ^= 4 }
	}
	for name, tt := range map[string]struct {
		change func(b *bench, part []byte)
		want   string
	}{
		"a bad bit in the register":          {flip(1, 30), "metrology registers damaged"},
		"a bad bit in the register's header": {flip(1, 5), "metrology registers damaged"},
		"a bad bit in the control":           {flip(3, 20), "bootloader control damaged"},
		"a bad bit in the journal":           {flip(5, 30), "application damaged"},
		"a bad bit in the journal's header":  {flip(5, 2), "application damaged"},
		"a bad bit in the running image":     {flip(9, 200), "slot A, which runs, damaged"},
		"a bad bit in its record":            {flip(11, 70), "slot A, which runs, damaged"},
		"no register":                        {func(_ *bench, part []byte) { erase(part, 1, 2) }, "metrology registers lost"},
		"no control":                         {func(_ *bench, part []byte) { erase(part, 3, 2) }, "bootloader control lost"},
		"the other kind of meter":            {func(b *bench, _ []byte) { b.role = gbcs.RoleESME }, "a record 81 of 5 bytes, which no such meter has"},
		"another meter":                      {func(b *bench, _ []byte) { b.cfg.EUI64++ }, "memory of " + devicetest.GSMEAddress.String()},
		"another supplier":                   {func(b *bench, _ []byte) { b.cfg.Supplier++ }, "it obeyed the supplier " + devicetest.Supplier.String()},
	} {
		t.Run(name, func(t *testing.T) {
			b, _ := previousBench(t, "gsme-dated")
			part := previous.File("gsme-dated")
			tt.change(b, part)
			got, err := meter.Upgrade(b.cfg, b.role, part)
			if got != nil || err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") ||
				!strings.Contains(err.Error(), "flash layout 1, written by the release before this") || !strings.Contains(err.Error(), "start it once with that release") {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

func erase(part []byte, sector, sectors int) {
	copy(part[sector*board.SectorSize:], slices.Repeat([]byte{flash.Erased}, sectors*board.SectorSize))
}

// TestNoBitOfAnOlderJournalIsReadWrongly: of any bit of what a meter must not forget, turned
// over in the part of the release before, the part is refused or read as it was.
func TestNoBitOfAnOlderJournalIsReadWrongly(t *testing.T) {
	b, want := previousBench(t, "gsme-updated")
	whole := previous.File("gsme-updated")
	upgraded := must(meter.Upgrade(b.cfg, b.role, whole))
	refused := 0
	for at := 1 * board.SectorSize; at < 9*board.SectorSize; at++ {
		if at%board.SectorSize > 128 && at%41 != 0 {
			continue // the erased part of a sector, mostly
		}
		part := slices.Clone(whole)
		part[at] ^= 1 << (at % 8)
		got, err := meter.Upgrade(b.cfg, b.role, part)
		if err != nil {
			refused++
			continue
		}
		if !slices.Equal(got, upgraded) {
			t.Fatalf("a bit of byte %d makes it another meter; want %+v", at, want)
		}
	}
	if refused == 0 {
		t.Error("nothing was refused")
	}
}

// TestABlankPartOfTheReleaseBeforeIsABlankOne: a meter that was made and never started, or
// whose making was cut short.
func TestABlankPartOfTheReleaseBeforeIsABlankOne(t *testing.T) {
	b := newBench(t, nil)
	b.role = gbcs.RoleGSME
	size := board.FirstSize(bootloader.SlotSectors(b.cfg.SlotCapacity, board.SectorSize))
	part, err := meter.Upgrade(b.cfg, b.role, slices.Repeat([]byte{flash.Erased}, size))
	if err != nil || len(part) != b.chip.Geometry().Size() || !flash.IsErased(part) {
		t.Errorf("%d bytes, %v", len(part), err)
	}
	if !meter.IsOlder(make([]byte, size), b.cfg.SlotCapacity) || meter.IsOlder(part, b.cfg.SlotCapacity) {
		t.Error("it takes the one for the other")
	}
}
