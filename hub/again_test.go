package hub_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/metering"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/hub/headend"
	"github.com/commshub/commshub/hub/imagecache"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/nodetest"
	"github.com/commshub/commshub/internal/testimage"
)

// fetch has a meter ask for the blocks of some bytes of an image, one after the other.
func (h *home) fetch(eui han.EUI64, im *imagecache.Image, from, to uint32) {
	h.t.Helper()
	for from < to {
		r := h.askBlock(eui, im, from)
		if r.Status != zcl.StatusSuccess {
			h.t.Fatalf("block at %d: %s", from, r.Status)
		}
		from += uint32(len(r.Data))
	}
}

// TestTheSameImageAfterACancellation: blocks flow on, and the update with them.
func TestTheSameImageAfterACancellation(t *testing.T) {
	h := newHome(t)
	h.must(h.distribute(nodetest.Image, gsme))
	h.askImage(gsme, 1)
	h.fetch(gsme, nodetest.Image, 0, 480)
	h.must(h.cancel(gsme))
	h.must(h.distribute(nodetest.Image, gsme))
	h.fetch(gsme, nodetest.Image, 480, 528) // it did not hear of either
	h.expectUpdate(gsme, nodetest.Image, store.UpdateDownloading)
	if p := h.hub.HeadEnd.Progress(h.expectUpdate(gsme, nodetest.Image, store.UpdateDownloading)); p.Offset != 528 {
		t.Errorf("it has %d bytes, want 528", p.Offset)
	}
}

// TestAnImageHeldIsNotFetchedAgain: the hub knows that it served all of it.
func TestAnImageHeldIsNotFetchedAgain(t *testing.T) {
	for name, between := range map[string]func(h *home){
		"at once":                  func(*home) {},
		"after a restart":          (*home).restart,
		"after a failed switching": func(h *home) { h.put(gsme, h.responseTo(gsme, failure)) },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHome(t)
			h.joined()
			h.transferred(gsme)
			if strings.Contains(name, "failed") {
				h.must(h.activate(gsme, time.Time{}))
			} else {
				h.must(h.cancel(gsme))
			}
			between(h)
			h.must(h.distribute(nodetest.Image, gsme))
			h.askImage(gsme, 1)
			h.end(gsme, nodetest.Image, zcl.StatusSuccess)
			h.expectUpdate(gsme, nodetest.Image, store.UpdateTransferred)
			h.must(h.activate(gsme, time.Time{}))
			h.expectUpdate(gsme, nodetest.Image, store.UpdateActivating)
		})
	}
}

var failure = gbcs.ActivateFirmwareResponse{Outcome: gbcs.ActivationOutcome{Code: gbcs.ActivationFailure, FirmwareVersion: 1}}

// TestAnotherFileUnderTheSameName: its bytes are never put behind the first one's, before
// and after a restart of the hub.
func TestAnotherFileUnderTheSameName(t *testing.T) {
	twin := must(imagecache.NewImage(testimage.GB(testimage.Options{Version: 2, Sequence: 2, PayloadSize: 1000})))
	if twin.Header.ImageID != nodetest.Image.Header.ImageID || twin.FileHash == nodetest.Image.FileHash {
		t.Fatal("not a twin")
	}
	for name, restart := range map[string]bool{"at once": false, "after a restart": true} {
		t.Run(name, func(t *testing.T) {
			h := newHome(t)
			h.upload(twin)
			h.must(h.distribute(nodetest.Image, gsme))
			h.askImage(gsme, 1)
			h.fetch(gsme, nodetest.Image, 0, 480)
			h.must(h.distribute(twin, gsme))
			if restart {
				h.restart()
			}
			if r := h.askBlock(gsme, twin, 480); r.Status != zcl.StatusAbort {
				t.Fatalf("bytes of the twin at 480: %s", r.Status)
			}
			h.askImage(gsme, 1)
			h.fetch(gsme, twin, 0, 96)
			h.expectUpdate(gsme, twin, store.UpdateDownloading)
			h.must(h.distribute(nodetest.Image, gsme)) // and back again
			if r := h.askBlock(gsme, nodetest.Image, 96); r.Status != zcl.StatusAbort {
				t.Errorf("bytes of the first at 96: %s", r.Status)
			}
		})
	}
}

// TestAnAttemptThatEndsIsMadeAgain a few times, with time between them, and the
// supplier is told at the end.
func TestAnAttemptThatEndsIsMadeAgain(t *testing.T) {
	ends := map[string]func(h *home){
		"ABORT":              func(h *home) { h.end(gsme, nodetest.Image, zcl.StatusAbort) },
		"REQUIRE_MORE_IMAGE": func(h *home) { h.end(gsme, nodetest.Image, zcl.StatusRequireMoreImage) },
		"of 1467 bytes":      func(h *home) { h.end(gsme, nodetest.Image, zcl.StatusSuccess) },
		"could not be granted": func(h *home) {
			for range 3 {
				h.say(gsme, ota.ClusterID, asClient(ota.CommandImageBlockRequest), ota.ImageBlockRequest{
					Image: nodetest.Image.Header.ImageID, Offset: 2000, MaxDataSize: 48})
			}
		},
	}
	for why, end := range ends {
		t.Run(why, func(t *testing.T) {
			h := newHome(t)
			h.must(h.distribute(nodetest.Image, gsme))
			for _, pause := range []time.Duration{time.Hour, 6 * time.Hour, 24 * time.Hour, 0} {
				if r := h.askImage(gsme, 1); r.Status != zcl.StatusSuccess {
					t.Fatalf("not offered: %s", r.Status)
				}
				h.fetch(gsme, nodetest.Image, 0, 48)
				before := h.alerts()
				end(h)
				if pause == 0 {
					h.expectAlerts(before, gbcs.AlertFirmwareTransferFail)
					break
				}
				h.expectAlerts(before)
				if u := h.expectUpdate(gsme, nodetest.Image, store.UpdatePending); !strings.Contains(u.Outcome, why) {
					t.Errorf("outcome %q", u.Outcome)
				}
				h.Now = h.Now.Add(pause - time.Second)
				h.restart()
				if r := h.askImage(gsme, 1); r.Status != zcl.StatusNoImageAvailable {
					t.Errorf("offered before %v are over", pause)
				}
				h.Now = h.Now.Add(time.Second)
			}
			if u := h.expectUpdate(gsme, nodetest.Image, store.UpdateFailed); !strings.Contains(u.Outcome, "given up after 4 attempts: ") || !strings.Contains(u.Outcome, why) {
				t.Errorf("outcome %q", u.Outcome)
			}
		})
	}
}

// TestAReceiptOfWhatWasDroppedMovesNothing: a device says that it holds an image that the
// hub does not know it to hold, is told to drop it, and its receipt comes after that.
func TestAReceiptOfWhatWasDroppedMovesNothing(t *testing.T) {
	h := newHome(t)
	h.joined()
	h.must(h.distribute(nodetest.Image, gsme))
	h.askImage(gsme, 1)
	h.end(gsme, nodetest.Image, zcl.StatusSuccess)
	h.put(gsme, h.alertOf(gsme, gbcs.AlertFirmwareVerificationSuccessful))
	h.expectUpdate(gsme, nodetest.Image, store.UpdatePending)
	h.Now = h.Now.Add(time.Hour)
	h.askImage(gsme, 1)
	h.fetch(gsme, nodetest.Image, 0, 480)
	h.expectUpdate(gsme, nodetest.Image, store.UpdateDownloading)
}

// TestADowngradeCostsNothing: it is refused when it is ordered, if the hub knows what the
// device runs, and else at the device's query, with an alert and before the first block;
// unless it is forced.
func TestADowngradeCostsNothing(t *testing.T) {
	force := func(h *home) error {
		return h.operate(func(now time.Time, out *han.Outbox) error {
			return h.hub.HeadEnd.Distribute(now, out, headend.Distribution{Image: nodetest.Image.FileHash, Devices: []han.EUI64{esme}, Downgrade: true})
		})
	}
	t.Run("known", func(t *testing.T) {
		h := newHome(t)
		h.upload(nodetest.Image)
		h.askImage(esme, 3)
		err := h.distribute(nodetest.Image, esme)
		if !errors.Is(err, store.ErrConflict) || !strings.Contains(err.Error(), "a downgrade from 00000003 to 00000002") {
			t.Errorf("distributed: %v", err)
		}
		if all := h.store.Updates(); len(all) != 0 {
			t.Errorf("it left %+v", all)
		}
		h.must(force(h))
		h.restart()
		if r := h.askImage(esme, 3); r.Status != zcl.StatusSuccess {
			t.Errorf("forced, and yet %s at the query", r.Status)
		}
		h.expectUpdate(esme, nodetest.Image, store.UpdateDownloading)
	})
	t.Run("at the query", func(t *testing.T) {
		h := newHome(t)
		h.upload(nodetest.Image)
		h.must(h.distribute(nodetest.Image, esme))
		alerts := h.store.LastInbox()
		if r := h.askImage(esme, 3); r.Status != zcl.StatusNoImageAvailable {
			t.Errorf("offered with %s", r.Status)
		}
		h.expectUpdate(esme, nodetest.Image, store.UpdateFailed)
		if h.store.LastInbox() == alerts {
			t.Error("the supplier is not told")
		}
	})
}

// TestADeviceThatRunsTheImageWithoutAnOrder says so by its query, or by two reports.
func TestADeviceThatRunsTheImageWithoutAnOrder(t *testing.T) {
	for name, say := range map[string]func(h *home){
		"reports": func(h *home) {
			h.say(esme, metering.ClusterID, zcl.Header{ToClient: true, Command: zcl.CommandReportAttributes},
				zcl.ReportAttributes{Attributes: []zcl.Attribute{
					{ID: metering.AttributeCurrentMeterID, Value: zcl.Value{Type: zcl.TypeOctetString, Bytes: []byte{0, 0, 0, 2}}},
				}})
		},
		"query": func(h *home) { h.askImage(esme, 2) },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHome(t)
			h.transferred(esme)
			h.restart()
			say(h)
			if name == "reports" {
				h.expectUpdate(esme, nodetest.Image, store.UpdateTransferred)
				say(h)
			}
			h.expectUpdate(esme, nodetest.Image, store.UpdateActivated)
			if d, _ := h.store.Device(esme); d.FirmwareVersion != 2 {
				t.Errorf("the device log says %08X", d.FirmwareVersion)
			}
		})
	}
}
