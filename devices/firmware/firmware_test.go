package firmware

import (
	"crypto/sha256"
	"slices"
	"testing"
	"time"

	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/devices/bootloader"
	"github.com/commshub/commshub/devices/flash"
	"github.com/commshub/commshub/devices/journal"
	"github.com/commshub/commshub/devices/otaclient"
	"github.com/commshub/commshub/devices/rtc"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/internal/testimage"
	"github.com/commshub/commshub/internal/trace"
)

const (
	meter    han.EUI64 = 0x00DB1234567890A1
	supplier han.EUI64 = 0x90B3D51F30010000
	stranger han.EUI64 = 0x90B3D51F30010001

	capacity       = 2048
	journalSectors = 2
)

var (
	geometry = flash.Geometry{SectorSize: 4096, PageSize: 256, Sectors: 2 + journalSectors + 2*3}
	start    = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	factory  = testimage.GB(testimage.Options{Version: 1, Sequence: 1})
	second   = testimage.GB(testimage.Options{Version: 2, Sequence: 2})
	held     = must(ota.ParseImage(second)).Hash()
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// rig is an agent on a part, without a meter around it.
type rig struct {
	*Agent
	chip *flash.Chip
	now  time.Time
	out  han.Outbox

	clock  rtc.Clock
	ledger *battery.Ledger
}

// newRig returns the agent of a meter that holds a verified image of version 2.
func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{chip: flash.New(geometry), now: start, ledger: battery.NewLedger(battery.Default(), start)}
	r.clock.Start(start)
	boot := r.openBoot()
	if err := boot.Factory(factory); err != nil {
		t.Fatal(err)
	}
	slot := boot.Candidate()
	for _, err := range []error{boot.BeginDownload(ota.ImageID{Manufacturer: testimage.Vendor, ImageType: testimage.Class, FileVersion: 2}, uint32(len(second))), slot.Write(0, second)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	slot.MarkVerified(sha256.Sum256(second))
	r.restart()
	return r
}

func (r *rig) openBoot() *bootloader.Bootloader {
	n := bootloader.SlotSectors(capacity, geometry.SectorSize)
	return bootloader.Open(testimage.Policy(bootloader.TrustSigned), r.chip.Region(0, 2),
		bootloader.OpenSlot(r.chip.Region(4, n), capacity), bootloader.OpenSlot(r.chip.Region(4+n, n), capacity))
}

// restart boots the meter anew from flash.
func (r *rig) restart() {
	boot := r.openBoot()
	r.Agent = New(Config{Device: meter, Supplier: supplier, Layout: gbcs.LayoutGBZ, OTA: otaclient.DefaultConfig()}, Parts{
		Boot: boot, Journal: journal.Open(r.chip.Region(2, journalSectors)), Radio: silence{}, Clock: &r.clock, Ledger: r.ledger,
	}, boot.Boot())
	r.Start(r.now, &r.out)
}

// silence is a radio that nobody hears.
type silence struct{}

func (silence) SendQuery(*han.Outbox, ota.QueryNextImageRequest)    {}
func (silence) SendBlockRequest(*han.Outbox, ota.ImageBlockRequest) {}
func (silence) SendPageRequest(*han.Outbox, ota.ImagePageRequest)   {}
func (silence) SendUpgradeEnd(*han.Outbox, ota.UpgradeEndRequest)   {}
func (silence) MayRequestBlock(time.Time) (bool, string)            { return true, "" }

// command hands the agent a command of the supplier.
func (r *rig) command(m gbcs.Message) bool {
	return r.HandleCommand(r.now, &r.out, m.Append(nil))
}

// activate returns an Activate Firmware command.
func activate(counter uint64, hash ota.ImageHash, e gbcs.Execution, at time.Time) gbcs.Message {
	c := gbcs.ActivateFirmwareCommand{ImageHash: hash, OriginatorCounter: counter, Execution: e, ExecutionTime: zcl.UTCTimeOf(at)}
	return gbcs.Message{CRA: gbcs.Command, OriginatorCounter: counter, Originator: supplier, Recipient: meter,
		Code: gbcs.CodeActivateFirmware, Payload: c.Append(nil)}
}

// readVersion returns a Read Firmware Version command (GCS38).
func readVersion(counter uint64) gbcs.Message {
	return gbcs.Message{CRA: gbcs.Command, OriginatorCounter: counter, Originator: supplier, Recipient: meter,
		Code: gbcs.CodeReadGSMEFirmwareVersion, Payload: gbcs.ReadGSMEFirmwareVersionCommand{}.Append(nil)}
}

// overdue lets the earliest deadline come.
func (r *rig) overdue(t *testing.T) {
	t.Helper()
	next, ok := r.NextTimer()
	if !ok {
		t.Fatal("the agent waits for nothing")
	}
	if next.At.After(r.now) {
		r.now = next.At
	}
	r.HandleTimer(r.now, &r.out)
}

// delivered takes every message that waits for the supplier out of the outbox.
func (r *rig) delivered(t *testing.T) []gbcs.Message {
	t.Helper()
	var all []gbcs.Message
	for {
		data, ok := r.Outgoing()
		if !ok {
			return all
		}
		m, err := gbcs.ParseMessage(append([]byte(nil), data...))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
		r.Delivered()
	}
}

// outcome returns the only response that waits, one to Activate Firmware.
func (r *rig) outcome(t *testing.T, counter uint64) gbcs.ActivateFirmwareResponse {
	t.Helper()
	all := slices.DeleteFunc(r.delivered(t), func(m gbcs.Message) bool { return m.CRA != gbcs.Response })
	if len(all) != 1 || all[0].OriginatorCounter != counter {
		t.Fatalf("%d responses wait, want that to command %d: %v", len(all), counter, all)
	}
	return must(gbcs.ParseActivateFirmwareResponse(all[0].Payload))
}

// count returns how often a kind was recorded.
func (r *rig) count(k trace.Kind) int {
	n := 0
	for _, rec := range r.out.Records {
		if rec.Kind == k {
			n++
		}
	}
	return n
}
