package meter_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/devices/board"
	"github.com/commshub/commshub/devices/bootloader"
	"github.com/commshub/commshub/devices/journal"
	"github.com/commshub/commshub/devices/meter"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/internal/codectest"
	"github.com/commshub/commshub/internal/devicetest"
	"github.com/commshub/commshub/internal/testimage"
	"github.com/commshub/commshub/internal/trace"
)

// layout5 are records as layout 5 has them, written down by hand. If this release no
// longer reads them as below, raise board.Layout.
var layout5 = map[journal.Key]string{
	board.KeyCounters: `
		01                       # layout
		05 00 00 00 00 00 00 00  # of the last alert
		00 00 01 30 1F D5 B3 90  # a party,
		E8 03 00 00 00 00 00 00  # of its last command`,
	board.KeyLedger: `
		01 01                    # layout, one cause
		00 E1 F5 05 00 00 00 00  # took 100,000,000 nC
		00 00 00 00 00 00 00 00  # radio-on time
		00 C0 7D BD 98 47 06 00  # accounted up to 2026-01-05`,
	board.KeyBattery: `01        # the supplier was told`,
}

// onPart puts a meter on a part with records that are there before it boots.
func onPart(t *testing.T, change func(m board.Map)) *bench {
	t.Helper()
	b := &bench{t: t, chip: devicetest.Chip(), now: devicetest.Start, cfg: devicetest.GSMEConfig().Config}
	change(board.Cut(b.chip, bootloader.SlotSectors(b.cfg.SlotCapacity, board.SectorSize)))
	b.powerUp()
	return b
}

func labelled(m board.Map) *journal.Journal {
	j := journal.Open(m.Application)
	board.Label(j, m.SlotA.Size()/board.SectorSize)
	return j
}

func TestRecordsOfThisLayoutAreReadAsTheyWereWritten(t *testing.T) {
	b := onPart(t, func(m board.Map) {
		j := labelled(m)
		for key, golden := range layout5 {
			j.Commit(journal.Entry{Key: key, Data: codectest.Hex(t, golden)})
		}
	})
	if !b.On() {
		t.Fatalf("it does not run: %v", b.kinds)
	}
	if got := b.Ledger.Total(); got < 100_000_000 || got > 200_000_000 {
		t.Errorf("%d nC spent, want the 100,000,000 stored and the boot", got)
	}
	b.CheckBattery(b.now, &b.out, b.Ledger.Remaining()+1)
	if slices.Contains(b.kinds, trace.BatteryLow) || len(b.out.Records) != 0 {
		t.Error("the low battery is told again")
	}
	read := func(counter uint64) (taken bool) {
		b.HandleMessage(b.now, &b.out, devicetest.Protected(gbcs.Message{CRA: gbcs.Command, OriginatorCounter: counter, Originator: b.cfg.Supplier, Recipient: b.cfg.EUI64,
			Code: gbcs.CodeReadGSMEFirmwareVersion, Payload: gbcs.ReadGSMEFirmwareVersionCommand{}.Append(nil)}))
		return b.answers()
	}
	if read(999) || len(b.alerts()) != 1 || !read(1001) {
		t.Error("counter 999 was taken, or 1001 refused")
	}
}

// origin is a register's origin, kept besides.
var origin = append([]byte{1}, make([]byte, 60)...)

// TestAMeterDoesNotStartOnWhatItCannotRead: it says why in its record, and nothing
// panics, and no battery is full again.
func TestAMeterDoesNotStartOnWhatItCannotRead(t *testing.T) {
	put := func(key journal.Key, data ...byte) func(board.Map) {
		return func(m board.Map) { labelled(m).Commit(journal.Entry{Key: key, Data: data}) }
	}
	for name, tt := range map[string]struct {
		change func(m board.Map)
		want   string
	}{
		"a part without a label": {func(m board.Map) {
			journal.Open(m.Application).Commit(journal.Entry{Key: board.KeyFirmware, Data: []byte{2}})
		}, "no label of flash layout 5"},
		"agent's state": {put(board.KeyFirmware, 2), "state of the firmware agent: layout 2, want 3"},
		"counters":      {put(board.KeyCounters, 9), "counters of remote parties"},
		"outbox":        {put(board.KeyOutbox, 9), "outbox: layout 9"},
		"ledger":        {put(board.KeyLedger, make([]byte, 8*(len(battery.Causes())+2))...), "battery's ledger"},
		"bootloader": {func(m board.Map) {
			labelled(m).Commit(journal.Entry{Key: board.KeyMade, Data: origin})
			journal.Open(m.Control).Commit(journal.Entry{Key: 1, Data: []byte{9, 0, 0, 0, 0, 0, 0, 0}})
		}, "bootloader control"},
		"register": {func(m board.Map) {
			labelled(m)
			journal.Open(m.MetrologyRegisters).Commit(journal.Entry{Key: 1, Data: make([]byte, 60)})
		}, "origin of the register"},
	} {
		t.Run(name, func(t *testing.T) {
			b := onPart(t, tt.change)
			if b.On() || !b.Bricked() || len(b.texts) != 1 || !strings.Contains(b.texts[0], tt.want) {
				t.Errorf("on %v, bricked %v, recorded %q; want %q", b.On(), b.Bricked(), b.texts, tt.want)
			}
		})
	}
}

func TestInspectTellsBeforeAMeterStarts(t *testing.T) {
	chip := devicetest.Chip()
	if err := meter.Inspect(chip, 4096, bootloader.Policy{}); err != nil {
		t.Errorf("a blank part: %v", err)
	}
	m := board.Cut(chip, bootloader.SlotSectors(4096, board.SectorSize))
	journal.Open(m.Application).Commit(journal.Entry{Key: board.KeyFirmware, Data: []byte{2}})
	if err := meter.Inspect(chip, 4096, bootloader.Policy{}); err == nil || !strings.Contains(err.Error(), "no label of flash layout 5") {
		t.Errorf("a part without a label: %v", err)
	}
}

// TestAMeterThatWasMadeAsAnotherIsTold from one that may run what it holds.
func TestAMeterThatWasMadeAsAnotherIsTold(t *testing.T) {
	b := onPart(t, func(board.Map) {})
	if !b.On() {
		t.Fatal("it does not run")
	}
	own := b.cfg.Policy
	another, harder := own, own
	another.Vendor, harder.Hardware = 0x1209, 0x0200
	stranger := own
	stranger.Manufacturer = &testimage.Key("another").PublicKey
	for name, tt := range map[string]struct {
		policy bootloader.Policy
		want   string
	}{
		"as it was made":          {own, ""},
		"of another manufacturer": {another, "image 109A/0001/00000001: manufacturer code 109A, want 1209: make it what it was, or remove the meter's files"},
		"of other hardware":       {harder, "this is 0200"},
		"of another signer":       {stranger, "image 109A/0001/00000001: "},
	} {
		err := meter.Inspect(b.chip, b.cfg.SlotCapacity, tt.policy)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}
