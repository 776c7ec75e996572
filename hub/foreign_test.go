package hub_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/nodetest"
	"github.com/commshub/commshub/internal/testimage"
)

// foreign is a gas meter of somebody else's make. It never reports, comes back when it
// was told to, and reads as it likes.
type foreign struct {
	*home
	waits int
}

// read asks for blocks of 48 bytes at offsets.
func (f *foreign) read(offsets ...uint32) {
	f.t.Helper()
	for _, offset := range offsets {
		for {
			r := f.askBlock(gsme, nodetest.Image, offset)
			if r.Status == zcl.StatusSuccess {
				break
			}
			if r.Status != zcl.StatusWaitForData {
				f.t.Fatalf("block at %d: %s", offset, r.Status)
			}
			if f.waits++; f.waits > 20 {
				f.t.Fatal("told to wait again and again")
			}
			f.Now = r.RequestTime.Time()
		}
	}
}

// askAs has the device ask for an image as one that runs another.
func (f *foreign) askAs(running ota.ImageID) {
	f.say(gsme, ota.ClusterID, asClient(ota.CommandQueryNextImageRequest), ota.QueryNextImageRequest{Current: running})
}

// TestNoTurnedBitEndsAnUpdate: whichever bit of a frame is turned, and as often as it comes
// between others, what it seems to say is not what becomes of the update.
func TestNoTurnedBitEndsAnUpdate(t *testing.T) {
	const half = 15
	image := nodetest.Image.Header.ImageID
	query := ota.QueryNextImageRequest{Current: ota.ImageID{Manufacturer: testimage.Vendor, ImageType: testimage.Class, FileVersion: 1},
		HasHardware: true, HardwareVersion: testimage.Hardware}
	for name, turned := range map[string]struct {
		header zcl.Header
		frame  zcl.Command
		blocks int // that were read before
	}{
		"a request for a block": {asClient(ota.CommandImageBlockRequest), ota.ImageBlockRequest{Image: image, Offset: 48 * half, MaxDataSize: 48}, half},
		"a request for a page":  {asClient(ota.CommandImagePageRequest), ota.ImagePageRequest{Image: image, Offset: 48 * half, MaxDataSize: 48, PageSize: 96}, half},
		"a query":               {asClient(ota.CommandQueryNextImageRequest), query, half},
		"the end":               {asClient(ota.CommandUpgradeEndRequest), ota.UpgradeEndRequest{Status: zcl.StatusSuccess, Image: image}, 31},
	} {
		t.Run(name, func(t *testing.T) {
			var sent han.Outbox
			zcl.Answer(&zcl.Station{Node: gsme, Endpoint: 1}, &sent, zcl.Peer{Node: nodetest.Config().EUI64, Endpoint: 1, Cluster: ota.ClusterID}, turned.header, turned.frame)
			for bit := range 8 * len(sent.Frames[0].Payload) {
				f := &foreign{home: newHome(t)}
				f.must(f.distribute(nodetest.Image, gsme))
				f.askImage(gsme, 1)
				for range 2 {
					for block := range turned.blocks {
						f.read(48 * uint32(block))
					}
					frame := sent.Frames[0]
					frame.Payload = bytes.Clone(frame.Payload)
					frame.Payload[bit/8] ^= 1 << (bit % 8)
					f.Frame(frame)
					if u, _ := f.store.Update(gsme, nodetest.Image.FileHash); u.State.Ended() {
						t.Fatalf("byte %d, bit %d: the update is %s: %s", bit/8, bit%8, u.State, u.Outcome)
					}
					if u, _ := f.store.Update(gsme, nodetest.Image.FileHash); u.State != store.UpdateDownloading {
						break // it waits, and is offered again
					}
				}
			}
		})
	}
}

// TestForeignDevices: whichever way a device reads, and whatever it says of it, update,
// progress, forecast and inbox are right.
func TestForeignDevices(t *testing.T) {
	size := nodetest.Image.Header.TotalSize
	var all []uint32
	for offset := uint32(0); offset < size; offset += 48 {
		all = append(all, offset)
	}
	half := len(all) / 2
	backwards := slices.Clone(all)
	slices.Reverse(backwards)
	tests := []struct {
		name    string
		do      func(f *foreign)
		state   store.UpdateState
		outcome string
		bytes   uint32 // that the device has; of an update that goes on
		waits   int
		alerts  []gbcs.AlertCode
	}{
		{"front to back", func(f *foreign) { f.read(all...); f.end(gsme, nodetest.Image, zcl.StatusSuccess) }, store.UpdateTransferred, "", 0, 1, nil},
		{"backwards", func(f *foreign) { f.read(backwards...); f.end(gsme, nodetest.Image, zcl.StatusSuccess) }, store.UpdateTransferred, "", 0, 1, nil},
		{"twice", func(f *foreign) {
			f.read(all...)
			f.read(all...)
			f.end(gsme, nodetest.Image, zcl.StatusSuccess)
		}, store.UpdateTransferred, "", 0, 3, nil},
		{"backwards, half", func(f *foreign) { f.read(backwards[:half]...) }, store.UpdateDownloading, "", size - 48*uint32(len(all)-half), 0, nil},
		{"in pieces", func(f *foreign) { f.read(all[half:]...); f.read(all[:3]...) }, store.UpdateDownloading, "", size - 48*uint32(half-3), 0, nil},
		{"half, and anew", func(f *foreign) { f.read(all[:half]...); f.askImage(gsme, 1); f.read(all[0]) }, store.UpdateDownloading, "", 48, 0, nil},
		{"a pause of a week", func(f *foreign) {
			f.read(all[:half]...)
			f.Now = f.Now.Add(7 * 24 * time.Hour)
			f.read(all[half : half+1]...)
		}, store.UpdateDownloading, "", 48 * uint32(half+1), 0, nil},
		{"an abort", func(f *foreign) { f.read(all[:half]...); f.end(gsme, nodetest.Image, zcl.StatusAbort) }, store.UpdatePending, "attempt 1 of 4: the device gave up: ABORT", 0, 0, nil},
		{"a lie about its end", func(f *foreign) { f.read(all[:half]...); f.end(gsme, nodetest.Image, zcl.StatusSuccess) }, store.UpdatePending, "attempt 1 of 4: the device says that it has the image", 0, 0, nil},
		{"a slip of its version", func(f *foreign) { f.askImage(gsme, 2); f.read(all[:half]...) }, store.UpdateDownloading, "", 48 * uint32(half), 0, nil},
		{"a slip of its type", func(f *foreign) {
			f.askAs(ota.ImageID{Manufacturer: 1})
			f.read(all[:half]...)
		}, store.UpdateDownloading, "", 48 * uint32(half), 0, nil},
		{"a lie about its type", func(f *foreign) {
			f.askAs(ota.ImageID{Manufacturer: 1})
			f.askAs(ota.ImageID{Manufacturer: 1})
		}, store.UpdateFailed, "the device's manufacturer code", 0, 0, []gbcs.AlertCode{gbcs.AlertFirmwareTransferFail}},
		{"it runs the version after half", func(f *foreign) { f.read(all[:half]...); f.askImage(gsme, 2); f.askImage(gsme, 2) }, store.UpdateActivated, "the device runs this version already", 0, 0, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := &foreign{home: newHome(t)}
			f.must(f.distribute(nodetest.Image, gsme))
			f.askImage(gsme, 1)
			before := f.alerts()
			tt.do(f)
			u := f.expectUpdate(gsme, nodetest.Image, tt.state)
			if !strings.HasPrefix(u.Outcome, tt.outcome) || f.waits != tt.waits {
				t.Errorf("outcome %q, told to wait %d times", u.Outcome, f.waits)
			}
			f.expectAlerts(before, tt.alerts...)
			if got := f.hub.HeadEnd.Progress(u).Offset; !u.State.Ended() && u.State != store.UpdateTransferred && got != tt.bytes {
				t.Errorf("it has %d bytes, want %d", got, tt.bytes)
			}
			l, ok := f.hub.Load(f.Now, u)
			if u.State.Offered() && (!ok || l.Left != int64(size-tt.bytes) || l.Next.Before(time.UnixMicro(u.NotBefore))) {
				t.Errorf("the forecast is for %d bytes from %v on (%v), want %d from %v", l.Left, l.Next, ok, size-tt.bytes, time.UnixMicro(u.NotBefore))
			}
		})
	}
}
