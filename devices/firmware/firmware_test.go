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
	"github.com/commshub/commshub/devices/remote"
	"github.com/commshub/commshub/devices/rtc"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/gbcs/seal"
	"github.com/commshub/commshub/han/ota"
	core "github.com/commshub/commshub/han/remote"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/internal/cuttest"
	"github.com/commshub/commshub/internal/testimage"
	"github.com/commshub/commshub/internal/trace"
)

const (
	meter    han.EUI64 = 0x00DB1234567890A1
	supplier han.EUI64 = 0x90B3D51F30010000
	stranger han.EUI64 = 0x90B3D51F30010001

	capacity       = 2048
	journalSectors = 4
	outboxSectors  = 8
)

var (
	geometry = flash.Geometry{SectorSize: 4096, PageSize: 256, Sectors: 4 + journalSectors + 2*3 + outboxSectors}
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

// rig is an agent with its remote endpoint on a part, without a meter around them.
type rig struct {
	*Agent
	remote *remote.Endpoint
	chip   *flash.Chip
	now    time.Time
	out    han.Outbox

	clock  rtc.Clock
	ledger *battery.Ledger
}

// newRig returns the agent of a meter that holds a verified image of version 2.
func newRig(t *testing.T) *rig {
	t.Helper()
	return newRigOn(t, geometry)
}

// rigParts are the parts on which power fails.
var rigParts = append(cuttest.ErasedZero(geometry), flash.Geometry{SectorSize: geometry.SectorSize, PageSize: 16, Sectors: geometry.Sectors})

// newRigOn does the same on a part of another geometry.
func newRigOn(t *testing.T, g flash.Geometry) *rig {
	t.Helper()
	r := &rig{chip: flash.New(g), now: start, ledger: battery.NewLedger(battery.Default(), start)}
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
	return must(bootloader.Open(testimage.Policy(bootloader.TrustSigned), r.chip.Region(0, 4),
		bootloader.OpenSlot(r.chip.Region(8, n), capacity), bootloader.OpenSlot(r.chip.Region(8+n, n), capacity)))
}

// restart boots the meter anew from flash.
func (r *rig) restart() {
	boot := r.openBoot()
	j := journal.Open(r.chip.Region(4, journalSectors))
	r.remote = must(remote.Open(core.Config{
		Device: meter, Role: gbcs.RoleGSME, Layout: gbcs.LayoutGBZ, Parties: []han.EUI64{supplier}, Clock: &r.clock,
		Security: core.Security{Policy: seal.Any}, // what is signed is none of its business
	}, j, r.chip.Region(8+2*3, outboxSectors)))
	r.Agent = must(New(Config{Device: meter, OTA: otaclient.DefaultConfig()}, Parts{
		Boot: boot, Journal: j, Remote: r.remote.Endpoint, Clock: &r.clock, Ledger: r.ledger,
		Link: otaclient.Link{Station: &zcl.Station{Node: meter}, Limit: unlimited{}},
	}, boot.Boot()))
	r.remote.Register(gbcs.CodeActivateFirmware, r.ActivateFirmware)
	r.remote.Register(gbcs.CodeReadGSMEFirmwareVersion, r.ReadGSMEVersion)
	r.Start(r.now, &r.out)
}

// unlimited is a meter that can afford every block.
type unlimited struct{}

func (unlimited) MayRequestBlock(time.Time) (bool, string) { return true, "" }
func (unlimited) MayAsk(time.Time) bool                    { return true }

// command hands the endpoint a command of the supplier.
func (r *rig) command(m gbcs.Message) { r.remote.HandleMessage(r.now, &r.out, m.Append(nil)) }

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
		data, ok := r.remote.Outgoing()
		if !ok {
			return all
		}
		m, err := gbcs.ParseMessage(append([]byte(nil), data...))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
		r.remote.Delivered(r.now, &r.out)
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

// TestAnImageHeldIsToldAgain: an update to it that began anew must go on.
func TestAnImageHeldIsToldAgain(t *testing.T) {
	r := newRig(t)
	r.delivered(t)
	r.state.Verdict = verdict{Set: true, Good: true, Hash: held}
	r.ImageHeld(r.now, &r.out)
	all := r.delivered(t)
	if len(all) != 1 {
		t.Fatalf("told %v", all)
	}
	if a := must(gbcs.ParseDistributionReceiptAlert(all[0].Payload)); a.Code != gbcs.AlertFirmwareVerificationSuccessful || a.ImageHash != held {
		t.Errorf("told %+v", a)
	}
}
