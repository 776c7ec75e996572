package hub_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/metering"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/imagecache"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/nodetest"
	"github.com/commshub/commshub/internal/testimage"
)

// TestAnImageGoesToAllDevicesOrToNone: an order is checked as a whole first.
func TestAnImageGoesToAllDevicesOrToNone(t *testing.T) {
	unknown := must(imagecache.NewImage(testimage.GB(testimage.Options{Version: 9, Sequence: 9})))
	tests := []struct {
		name    string
		image   *imagecache.Image
		devices []han.EUI64
		want    error
		says    string
	}{
		{"a stranger among them", nodetest.Image, []han.EUI64{esme, stranger}, store.ErrUnknownDevice, stranger.String()},
		{"a display among them", nodetest.Image, []han.EUI64{esme, ihd}, store.ErrConflict, "IHD devices take no firmware"},
		{"one has it in hand", nodetest.Image, []han.EUI64{esme, gsme}, store.ErrConflict, gsme.String() + ": not possible now: the update to 00000002 is pending"},
		{"no such image", unknown, []han.EUI64{esme}, store.ErrUnknownImage, "not in the image cache"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHome(t)
			h.must(h.distribute(nodetest.Image, gsme))
			h.forget()
			err := h.distribute(tt.image, tt.devices...)
			if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%v, want %q", err, tt.says)
			}
			if n := len(h.store.Updates()); n != 1 || len(h.records) > 0 {
				t.Errorf("%d updates, records %v", n, h.records)
			}
			if r := h.askImage(esme, 1); r.Status != zcl.StatusNoImageAvailable {
				t.Errorf("the electricity meter is offered an image: %s", r.Status)
			}
		})
	}
}

func TestAnImageThatLeftTheCacheIsNotDistributed(t *testing.T) {
	h := newHome(t)
	h.must(h.cache.Remove(nodetest.Image.FileHash))
	if err := h.distribute(nodetest.Image, gsme); !errors.Is(err, store.ErrUnknownImage) {
		t.Errorf("%v", err)
	}
	if n := len(h.store.Updates()); n != 0 {
		t.Errorf("%d updates", n)
	}
}

func TestADeviceNamedTwiceIsUpdatedOnce(t *testing.T) {
	h := newHome(t)
	h.must(h.distribute(nodetest.Image, esme, esme))
	h.expectSent(h.sent, "image notify")
}

func TestASupersededImageIsAborted(t *testing.T) {
	h := newHome(t)
	h.must(h.distribute(nodetest.Image, gsme))
	h.askImage(gsme, 1)
	if r := h.askBlock(gsme, nodetest.Image, 0); r.Status != zcl.StatusSuccess {
		t.Fatalf("block: %s", r.Status)
	}
	h.must(h.distribute(image3, gsme))
	h.expectUpdate(gsme, nodetest.Image, store.UpdateSuperseded)
	h.expectUpdate(gsme, image3, store.UpdatePending)
	if r := h.askBlock(gsme, nodetest.Image, 48); r.Status != zcl.StatusAbort {
		t.Errorf("a block of the superseded image: %s, want ABORT", r.Status)
	}
	if r := h.askImage(gsme, 1); r.Image.FileVersion != 3 {
		t.Errorf("offered %v, want version 3", r)
	}
	h.end(gsme, nodetest.Image, zcl.StatusSuccess) // late: of the superseded one
	h.expectUpdate(gsme, image3, store.UpdateDownloading)
}

func TestACancelledUpdateIsAborted(t *testing.T) {
	h := newHome(t)
	if err := h.cancel(gsme); !errors.Is(err, store.ErrConflict) {
		t.Errorf("cancelled nothing: %v", err)
	}
	if err := h.cancel(stranger); !errors.Is(err, store.ErrUnknownDevice) {
		t.Errorf("cancelled a stranger's update: %v", err)
	}
	h.must(h.distribute(nodetest.Image, gsme))
	h.askImage(gsme, 1)
	h.must(h.cancel(gsme))
	h.expectUpdate(gsme, nodetest.Image, store.UpdateCancelled)
	if r := h.askBlock(gsme, nodetest.Image, 0); r.Status != zcl.StatusAbort {
		t.Errorf("a block after the cancellation: %s, want ABORT", r.Status)
	}
	h.restart()
	if r := h.askImage(gsme, 1); r.Status != zcl.StatusNoImageAvailable {
		t.Errorf("after a restart it is offered again: %s", r.Status)
	}
	h.must(h.distribute(nodetest.Image, gsme)) // and again, by order
	h.expectUpdate(gsme, nodetest.Image, store.UpdatePending)
}

// TestARestartedHubServesTheNextBlock without being asked for the image again.
func TestARestartedHubServesTheNextBlock(t *testing.T) {
	h := newHome(t)
	h.must(h.distribute(nodetest.Image, gsme, esme))
	for _, eui := range []han.EUI64{gsme, esme} {
		h.askImage(eui, 1)
		h.askBlock(eui, nodetest.Image, 0)
	}
	h.restart()
	for _, eui := range []han.EUI64{gsme, esme} {
		r := h.askBlock(eui, nodetest.Image, 48)
		if r.Status != zcl.StatusSuccess || !bytes.Equal(r.Data, fileBytes(t, h, nodetest.Image)[48:96]) {
			t.Errorf("%s: block 1 after the restart: %s, %d bytes", eui, r.Status, len(r.Data))
		}
		h.expectUpdate(eui, nodetest.Image, store.UpdateDownloading)
	}
}

func fileBytes(t *testing.T, h *home, im *imagecache.Image) []byte {
	t.Helper()
	f, err := h.cache.Open(im.FileHash)
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, im.Header.TotalSize)
	if _, err := f.ReadAt(b, 0); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestARestartWithoutTheImageFailsTheUpdate(t *testing.T) {
	h := newHome(t)
	h.must(h.distribute(nodetest.Image, gsme))
	h.must(h.cache.Remove(nodetest.Image.FileHash))
	h.restart()
	u := h.expectUpdate(gsme, nodetest.Image, store.UpdateFailed)
	if !strings.Contains(u.Outcome, "the hub has lost the image: not in the image cache") || len(h.refused()) != 0 {
		t.Errorf("outcome %q, refused %q", u.Outcome, h.refused())
	}
	if r := h.askBlock(gsme, nodetest.Image, 0); r.Status != zcl.StatusAbort {
		t.Errorf("a block of it: %s, want ABORT", r.Status)
	}
}

// TestAnImageForOneDeviceGoesToNoOther: the header can name the only device that an
// image is for (ZCL §11.4.2.13).
func TestAnImageForOneDeviceGoesToNoOther(t *testing.T) {
	inner := must(ota.ParseImage(testimage.GB(testimage.Options{Version: 4, Sequence: 4})))
	header := inner.Header
	header.HasDestination, header.Destination = true, gsme
	im := must(imagecache.NewImage(must(ota.BuildGB(header, inner.ManufacturerImage, false, testimage.Supplier()))))
	for name, restart := range map[string]bool{"at once": false, "after a restart": true} {
		t.Run(name, func(t *testing.T) {
			h := newHome(t)
			h.upload(im)
			h.must(h.distribute(im, gsme, esme))
			if restart {
				h.restart()
			}
			if r := h.askImage(gsme, 1); r.Status != zcl.StatusSuccess {
				t.Errorf("the device it is for got %s", r.Status)
			}
			if r := h.askImage(esme, 1); r.Status != zcl.StatusNoImageAvailable {
				t.Errorf("another device got %s", r.Status)
			}
			u := h.expectUpdate(esme, im, store.UpdateFailed)
			if !strings.Contains(u.Outcome, gsme.String()) {
				t.Errorf("outcome %q", u.Outcome)
			}
		})
	}
}

func TestAnImageThatDoesNotFitIsNotOffered(t *testing.T) {
	for name, tt := range map[string]struct {
		options testimage.Options
		says    string
	}{
		"manufacturer": {testimage.Options{Vendor: 0x1234}, "manufacturer code is 109A, the image's 1234"},
		"image type":   {testimage.Options{Class: 7}, "image type is 0001, the image's 0007"},
		"hardware":     {testimage.Options{HardwareMin: 0x0200, HardwareMax: 0x0300}, "hardware version is 0100, the image is for 0200 to 0300"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHome(t)
			tt.options.Version, tt.options.Sequence = 5, 5
			im := must(imagecache.NewImage(testimage.GB(tt.options)))
			h.upload(im)
			h.must(h.distribute(im, esme))
			if r := h.askImage(esme, 1); r.Status != zcl.StatusNoImageAvailable {
				t.Errorf("got %s", r.Status)
			}
			if u := h.expectUpdate(esme, im, store.UpdateFailed); !strings.Contains(u.Outcome, tt.says) {
				t.Errorf("outcome %q, want %q", u.Outcome, tt.says)
			}
		})
	}
}

func TestADeviceThatRunsTheImageIsDone(t *testing.T) {
	h := newHome(t)
	h.must(h.distribute(nodetest.Image, esme))
	if r := h.askImage(esme, 2); r.Status != zcl.StatusNoImageAvailable {
		t.Errorf("got %s", r.Status)
	}
	h.expectUpdate(esme, nodetest.Image, store.UpdateActivated)
}

func TestADownloadThatTheDeviceGaveUpHasFailed(t *testing.T) {
	h := newHome(t)
	h.must(h.distribute(nodetest.Image, gsme))
	h.askImage(gsme, 1)
	h.end(gsme, nodetest.Image, zcl.StatusInvalidImage)
	h.expectUpdate(gsme, nodetest.Image, store.UpdateFailed)
	if r := h.askImage(gsme, 1); r.Status != zcl.StatusNoImageAvailable {
		t.Errorf("it is offered again: %s", r.Status)
	}
}

func TestOrdersToSwitchAreChecked(t *testing.T) {
	h := newHome(t)
	for name, tt := range map[string]struct {
		eui  han.EUI64
		want error
	}{"a stranger": {stranger, store.ErrUnknownDevice}, "a display": {ihd, store.ErrConflict}} {
		if err := h.activate(tt.eui, time.Time{}); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
		read := h.operate(func(now time.Time, out *han.Outbox) error { return h.hub.HeadEnd.ReadVersion(now, out, tt.eui) })
		if !errors.Is(read, tt.want) {
			t.Errorf("read the version of %s: %v, want %v", name, read, tt.want)
		}
		if n := h.queued(tt.eui); n > 0 {
			t.Errorf("%s: %d messages", name, n)
		}
	}
	if _, err := h.hub.HeadEnd.HeldImage(stranger); !errors.Is(err, store.ErrUnknownDevice) {
		t.Errorf("a stranger's image: %v", err)
	}
	if _, err := h.hub.HeadEnd.HeldImage(gsme); !errors.Is(err, store.ErrConflict) {
		t.Errorf("an image without an update: %v", err)
	}
	if _, err := h.hub.HeadEnd.HeldImage(ihd); !errors.Is(err, store.ErrConflict) || !strings.Contains(err.Error(), "IHD devices take no firmware") {
		t.Errorf("a display's image: %v", err)
	}
	err := h.operate(func(now time.Time, out *han.Outbox) error { return h.hub.HeadEnd.CancelActivation(now, out, gsme) })
	if !errors.Is(err, store.ErrConflict) {
		t.Errorf("cancelled the activation of nothing: %v", err)
	}
}

// TestCountersRise from the clock, and above the last whatever the clock says.
func TestCountersRise(t *testing.T) {
	h := newHome(t)
	h.transferred(gsme)
	last := uint64(0)
	for range 5 {
		h.must(h.activate(gsme, time.Time{}))
		if c := h.counter(); c <= last || c < uint64(h.Now.UnixMilli()) {
			t.Errorf("counter %d after %d at %d", c, last, h.Now.UnixMilli())
		}
		last = h.counter()
	}
	h.Now = h.Now.Add(-time.Hour) // a new process with a clock that was set back
	h.restart()
	h.must(h.activate(gsme, time.Time{}))
	if c := h.counter(); c != last+1 {
		t.Errorf("counter %d, want %d", c, last+1)
	}
}

func TestAnOrderWithoutAnUpdateIsSentAllTheSame(t *testing.T) {
	h := newHome(t)
	h.must(h.activate(gsme, time.Time{})) // whether it holds the image is the device's to say
	if n := h.queued(gsme); n != 1 {
		t.Errorf("%d messages", n)
	}
}

// TestNothingChangesIfTheStoreFails, and no frame leaves.
func TestNothingChangesIfTheStoreFails(t *testing.T) {
	h := newHome(t)
	h.transferred(gsme)
	h.opened(4)
	h.must(h.distribute(image3, esme))
	h.askImage(esme, 1)
	h.must(h.store.Close())
	h.forget()
	for name, f := range map[string]func() error{
		"add":        func() error { return h.add(0x1000, store.KindCAD) },
		"remove":     func() error { return h.remove(gsme) },
		"distribute": func() error { return h.distribute(image3, gsme) },
		"cancel":     func() error { return h.cancel(esme) },
		"activate":   func() error { return h.activate(gsme, time.Time{}) },
		"read": func() error {
			return h.operate(func(now time.Time, out *han.Outbox) error { return h.hub.HeadEnd.ReadVersion(now, out, esme) })
		},
	} {
		if err := f(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if len(h.records) > 0 {
		t.Errorf("records %v", h.records)
	}
	if r := h.askBlock(esme, image3, 0); r.Status != zcl.StatusSuccess {
		t.Errorf("the download in hand got %s", r.Status)
	}
	if got := hub.ImageWaiting(h.hub.Hub, h.Now, gsme); got {
		t.Error("the gas meter is offered what could not be stored")
	}
	h.expectSent(h.put(esme, h.alertOf(esme, gbcs.AlertFirmwareVerificationSuccessful))) // not confirmed
}

// TestAnUpdateThatIsToBeActivatedCannotBeCancelled: the order cannot be called back, so
// the device would switch although its update counts as cancelled.
func TestAnUpdateThatIsToBeActivatedCannotBeCancelled(t *testing.T) {
	h := newHome(t)
	h.transferred(gsme)
	h.must(h.activate(gsme, time.Time{}))
	if err := h.cancel(gsme); !errors.Is(err, store.ErrConflict) || !strings.Contains(err.Error(), "on its way") {
		t.Errorf("cancelled while the order waits in the mailbox: %v", err)
	}
	h.expectUpdate(gsme, nodetest.Image, store.UpdateActivating)
	h.Advance(h.Now.Add(24 * time.Hour)) // nobody fetched it
	h.must(h.activate(gsme, h.Now.Add(time.Hour)))
	if err := h.cancel(gsme); !errors.Is(err, store.ErrConflict) || !strings.Contains(err.Error(), "cancel that first") {
		t.Errorf("cancelled while an activation is dated: %v", err)
	}
	h.must(h.operate(func(now time.Time, out *han.Outbox) error { return h.hub.HeadEnd.CancelActivation(now, out, gsme) }))
	if err := h.cancel(gsme); !errors.Is(err, store.ErrConflict) || !strings.Contains(err.Error(), "cancel the dated activation is on its way") {
		t.Errorf("cancelled while the order to cancel waits in the mailbox: %v", err)
	}
	h.joined()
	h.put(gsme, h.responseTo(gsme, gbcs.ActivateFirmwareResponse{Accepted: true}))
	h.must(h.cancel(gsme))
	h.expectUpdate(gsme, nodetest.Image, store.UpdateCancelled)
}

// TestRepeatsBeforeAndAfterARestartAddUp.
func TestRepeatsBeforeAndAfterARestartAddUp(t *testing.T) {
	h := newHome(t)
	repeats := func() uint32 {
		u, _ := h.store.Update(gsme, nodetest.Image.FileHash)
		return h.hub.HeadEnd.Progress(u).Repeats
	}
	h.must(h.distribute(nodetest.Image, gsme))
	for i := range uint32(2) {
		h.askBlock(gsme, nodetest.Image, i*48)
		h.askBlock(gsme, nodetest.Image, i*48)
		if got := repeats(); got != i+1 {
			t.Errorf("%d repeats, want %d", got, i+1)
		}
		for range 2 { // the second has nothing new to keep
			h.must(h.hub.HeadEnd.WindowOver(h.Now, gsme))
		}
		if got := repeats(); got != i+1 {
			t.Errorf("%d repeats in the next window, want %d", got, i+1)
		}
		h.restart()
		if got := repeats(); got != i+1 {
			t.Errorf("%d repeats after a restart, want %d", got, i+1)
		}
	}
}

// TestWhatWasForeseenStays: what the whole of a download is expected to take when its
// image is distributed is kept with the update, whatever the device had of another image
// by then and whatever becomes of it.
func TestWhatWasForeseenStays(t *testing.T) {
	h := newHome(t)
	h.must(h.distribute(nodetest.Image, gsme))
	h.askImage(gsme, 1)
	h.askBlock(gsme, nodetest.Image, 0)
	h.Now = h.Now.Add(time.Hour)
	h.must(h.distribute(image3, gsme, esme))
	u, _ := h.store.Update(gsme, image3.FileHash)
	p, _, ok := h.hub.Expected(h.Now, u)
	if !ok || p.Windows < 1 || p.Charge == 0 {
		t.Fatalf("expected: %+v, %v", p, ok)
	}
	if u.ForeseenAt != h.Now.UnixMicro() || u.ForeseenCompletesAt != p.CompletesAt.UnixMicro() || u.ForeseenCharge != int64(p.Charge) ||
		u.ForeseenWindows != uint32(p.Windows*10+0.5) || u.ForeseenRadioOn != p.RadioOn.Microseconds() {
		t.Errorf("foreseen %+v, expected then %+v", u, p)
	}
	if e, _ := h.store.Update(esme, image3.FileHash); e.ForeseenAt != 0 {
		t.Errorf("the download of a device on mains is foreseen: %+v", e)
	}
	h.Now = h.Now.Add(time.Hour)
	h.askImage(gsme, 1)
	h.askBlock(gsme, image3, 0)
	h.restart()
	h.must(h.hub.HeadEnd.WindowOver(h.Now, gsme))
	h.must(h.cancel(gsme))
	if now, _ := h.store.Update(gsme, image3.FileHash); now.ForeseenAt != u.ForeseenAt || now.ForeseenCompletesAt != u.ForeseenCompletesAt ||
		now.ForeseenWindows != u.ForeseenWindows || now.ForeseenCharge != u.ForeseenCharge || now.ForeseenRadioOn != u.ForeseenRadioOn {
		t.Errorf("foreseen %+v at the end, want as at the beginning %+v", now, u)
	}
}

// TestAMeterThatWasNeverHeardIsForeseenWhenItAsks: before, its rhythm is not known.
func TestAMeterThatWasNeverHeardIsForeseenWhenItAsks(t *testing.T) {
	h := newHome(t)
	h.must(h.distribute(nodetest.Image, gsme))
	if u, _ := h.store.Update(gsme, nodetest.Image.FileHash); u.ForeseenAt != 0 {
		t.Errorf("foreseen %+v of a meter that nobody heard", u)
	}
	frames := h.say(gsme, metering.ClusterID, asServer(metering.CommandRequestMirror), zcl.Empty{})
	mirror := parsed(t, frames, metering.CommandRequestMirrorResponse, metering.ParseRequestMirrorResponse).Endpoint
	var out han.Outbox
	zcl.Send(h.devices[gsme], &out, zcl.Peer{Node: h.hub.EUI64(), Endpoint: uint8(mirror), Cluster: metering.ClusterID},
		zcl.Header{ToClient: true, Command: zcl.CommandReportAttributes}, zcl.ReportAttributes{Attributes: []zcl.Attribute{
			{ID: metering.AttributeReportingStatus, Value: zcl.Value{Type: zcl.TypeEnum8, Number: uint64(metering.ReportingComplete)}},
		}})
	h.Frame(out.Frames[0])
	h.askImage(gsme, 1)
	u, _ := h.store.Update(gsme, nodetest.Image.FileHash)
	if u.ForeseenAt != h.Now.UnixMicro() || u.ForeseenCompletesAt < u.ForeseenAt || u.ForeseenWindows == 0 {
		t.Errorf("foreseen %+v when it asked", u)
	}
}
